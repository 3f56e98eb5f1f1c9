#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Check that no room includes or calls a room that the table in src/meson.build does not let it use.

usage: check_layers.py SOURCE_ROOT [BUILD_DIR]

Includes are read from the sources; calls are read from the static libraries of a build, if one is given.
Exit status 0: the layering holds; 1: it does not (each breach is a line).
"""
import collections
import pathlib
import re
import subprocess
import sys

# Facilities that belong to named rooms only: what the text must not match, where it may, and why.
FACILITIES = [
    (r'#include <linux/kvm\.h>', {'kvm', 'vmm'}, 'KVM is spoken in src/kvm and src/vmm only'),
    (r'\b(socket|accept4?|listen)\(', {'server', 'backend'}, 'sockets live in src/server (and to QEMU in src/backend)'),
    (r'(?<![\w_])exit\(', {'cmd'}, 'only src/cmd ends the process'),
    (r'\babort\(', set(), 'nothing aborts'),
    (r'\b(u?sleep|nanosleep)\(', set(), 'no sleeps as synchronisation'),
]


def rooms_table(root):
    """{room: set of rooms it may use}, from the rooms list in src/meson.build."""
    text = (root / 'src/meson.build').read_text()
    rows = re.findall(r"^  \['(\w+)', \[(.*?)\]\],$", text, re.M)
    table = {name: set(re.findall(r"'(\w+)'", uses)) for name, uses in rows}
    if not table:
        sys.exit('check_layers: no rooms found in src/meson.build')
    table['cmd'] = set(table)
    return table


def check_sources(root, table):
    for room, uses in table.items():
        for path in sorted((root / 'src' / room).rglob('*.[ch]')):
            text = path.read_text()
            for number, line in enumerate(text.splitlines(), 1):
                m = re.match(r'#include "(\w+)/', line)
                if m and m[1] in table and m[1] != room and m[1] not in uses:
                    yield f'{path.relative_to(root)}:{number}: {room} may not include {m[1]}'
            code = re.sub(r'/\*.*?\*/|//[^\n]*|"(\\.|[^"\\\n])*"', '', text, flags=re.S)
            for pattern, where, why in FACILITIES:
                if room not in where and re.search(pattern, code if 'include' not in pattern else text):
                    yield f'{path.relative_to(root)}: {why}'


def symbols(library):
    """(defined, undefined) external symbols of a static library."""
    out = subprocess.run(['nm', '-g', library], capture_output=True, text=True, check=True).stdout
    found = collections.defaultdict(set)
    for kind, name in re.findall(r'^\S*\s+([A-Za-z])\s+(\S+)$', out, re.M):
        found[kind == 'U'].add(name)
    return found[False], found[True] - found[False]


def check_calls(build, table):
    libraries = {room: build / 'src' / f'lib{room}.a' for room in table if room != 'cmd'}
    known = {room: symbols(lib) for room, lib in libraries.items() if lib.exists()}
    owner = {name: room for room, (defined, _) in known.items() for name in defined}
    for room, (_, wanted) in known.items():
        for name in sorted(wanted):
            if owner.get(name, room) != room and owner[name] not in table[room]:
                yield f'lib{room}.a calls {name} of {owner[name]}, which {room} may not use'


def main():
    root = pathlib.Path(sys.argv[1])
    table = rooms_table(root)
    breaches = list(check_sources(root, table))
    if len(sys.argv) > 2:
        breaches += check_calls(pathlib.Path(sys.argv[2]), table)
    print('\n'.join(breaches) or f'layering: {len(table)} rooms, no upward include or call')
    return 1 if breaches else 0


if __name__ == '__main__':
    sys.exit(main())
