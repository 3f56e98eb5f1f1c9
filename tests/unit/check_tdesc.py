#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""A real GDB must take our target descriptions as they are, and count registers and bytes as we do.

usage: check_tdesc.py PRINT_TDESC
Exit status: 0 all agree, 1 something differs, 77 no gdb here.
"""

import re
import shutil
import subprocess
import sys
import tempfile

X86 = ("i386:x86-64", "i386", "i8086", "any-i386:x86-64", "any-i386", "any-i8086")
ARM64 = ("aarch64", "aarch64-sve0-el2", "aarch64-sve16", "aarch64-sve32", "aarch64-sve64-el2", "aarch64-sve128",
         "aarch64-sve256-el2")
# A row of `maint print remote-registers` that the remote side knows; GDB 16 has one more column.
ROW = re.compile(r"^ ?(\S+) +\d+ +\d+ +\d+ +(\d+) +\S+ +(\d+) +(\d+)(?: +yes)? *$", re.M)


def gdb(*commands, program="gdb"):
    args = [program, "-nx", "-batch"]
    for command in commands:
        args += ["-ex", command]
    done = subprocess.run(args, capture_output=True, text=True, timeout=60, stdin=subprocess.DEVNULL)
    return done.stdout, done.stderr


def ours(printer, layout):
    rows = subprocess.run([printer, "rows", layout], capture_output=True, text=True, check=True).stdout
    return {
        name: (int(number), int(size), int(offset))
        for number, name, size, offset in (line.split() for line in rows.splitlines())
    }


def theirs(text):
    return {name: (int(number), int(size), int(offset)) for name, size, number, offset in ROW.findall(text)}


def compare(layout, what, want, got):
    problems = []
    for name in sorted(want.keys() | got.keys()):
        if want.get(name) != got.get(name):
            problems.append(f"{layout}, {what}: {name} (number, size, offset): "
                            f"ours {want.get(name)}, gdb {got.get(name)}")
    return problems


def check_accepted(layout, path, want):
    out, err = gdb(f"set tdesc filename {path}", "show architecture", "maint print remote-registers")
    problems = [f"{layout}: gdb says: {err.strip()}"] if err.strip() else []
    if f'"{layout.removeprefix("any-")}"' not in out:
        problems.append(f"{layout}: gdb chose another architecture: {out.splitlines()[:1]}")
    return problems + compare(layout, "loaded", want, theirs(out))


def check_any(layout, path, want):
    """Whatever architecture is selected, and whenever: nothing is renumbered, and the core has its own names."""
    load, show = f"set tdesc filename {path}", "maint print remote-registers"
    problems = []
    for name in ("i386:x86-64", "i386", "i8086"):
        switch = f"set architecture {name}"
        for what, commands in ((f"{name} before", (switch, load, show)), (f"{name} after", (load, switch, show))):
            out, err = gdb(*commands)
            if "reject" in err or "not recognized" in err:
                problems.append(f"{layout}, {what}: gdb says: {err.strip()}")
            problems += compare(layout, what, want, theirs(out))
            first = "rax" if name == "i386:x86-64" else "eax"
            if not re.search(rf"^ {first} +0 ", out, re.M):
                problems.append(f"{layout}, {what}: {first} is not gdb's register 0")
    return problems


def check_i8086(layout, path, want):
    """`set architecture i8086` must be possible in 32- and 16-bit sessions, at any time, and renumber nothing."""
    load, switch, show = f"set tdesc filename {path}", "set architecture i8086", "maint print remote-registers"
    problems = []
    for what, commands in (("i8086 set before", (switch, load, show)), ("i8086 set after", (load, switch, show))):
        out, err = gdb(*commands)
        if "reject" in err or "not compatible" in err or "not recognized" in err:
            problems.append(f"{layout}, {what}: gdb says: {err.strip()}")
        problems += compare(layout, what, want, theirs(out))
    return problems


def check_vectors(path, vl):
    """The types of vectors are those that GDB documents, and as long as the registers."""
    reg, ffr = ("$z0", "$ffr") if vl else ("$v0", None)
    want = {f"sizeof({reg}.{lane}.{kind})": max(vl, 16) for lane in "dshbq" for kind in "fus" if lane in "dsh" or kind != "f"}
    want[f"sizeof({reg})"] = max(vl, 16)
    want["sizeof($v0)"] = 16
    if vl:
        want["sizeof($ffr)"] = vl // 8
    shows = [f'print "{what}", {what}' for what in want]
    out, err = gdb(f"set tdesc filename {path}", *shows, program="gdb-multiarch")
    got = [int(line.split(" = ")[1]) for line in out.splitlines() if line.startswith("$")]
    if got == list(want.values()):
        return []
    return [f"vectors of {vl} bytes: want {want}, gdb has {got} {err.strip()}"]


def check_arm64(printer, layout):
    """GDB takes the description as it is, with and without a program, and says nothing."""
    xml = subprocess.run([printer, "xml", layout], capture_output=True, text=True, check=True).stdout
    want = ours(printer, layout)
    vl = int(re.search(r"sve(\d+)", layout).group(1)) if "sve" in layout else 0
    with tempfile.NamedTemporaryFile("w", suffix=".xml") as file:
        file.write(xml)
        file.flush()
        show = (f"set tdesc filename {file.name}", "show architecture", "maint print remote-registers")
        problems = []
        for what, before in (("loaded", ()), ("architecture set before", ("set architecture aarch64",))):
            out, err = gdb(*before, *show, program="gdb-multiarch")
            if err.strip():
                problems.append(f"{layout}, {what}: gdb says: {err.strip()}")
            if '"aarch64"' not in out:
                problems.append(f"{layout}, {what}: gdb chose another architecture: {out.splitlines()[:1]}")
            problems += compare(layout, what, want, theirs(out))
        problems += check_vectors(file.name, vl)
    print(f"{layout}: {len(want)} registers, {'FAILED' if problems else 'ok'}")
    return problems


def check_layout(printer, layout):
    xml = subprocess.run([printer, "xml", layout], capture_output=True, text=True, check=True).stdout
    want = ours(printer, layout)
    with tempfile.NamedTemporaryFile("w", suffix=".xml") as file:
        file.write(xml)
        file.flush()
        problems = check_accepted(layout, file.name, want)
        if layout.startswith("any-"):
            problems += check_any(layout, file.name, want)
        elif layout != "i386:x86-64":
            problems += check_i8086(layout, file.name, want)
    print(f"{layout}: {len(want)} registers, {'FAILED' if problems else 'ok'}")
    return problems


def main():
    if len(sys.argv) != 2:
        print(__doc__, file=sys.stderr)
        return 2
    if not (shutil.which("gdb") and shutil.which("gdb-multiarch")):
        print("skip: no gdb, or no gdb-multiarch on this machine")
        return 77
    problems = [p for layout in X86 for p in check_layout(sys.argv[1], layout)]
    problems += [p for layout in ARM64 for p in check_arm64(sys.argv[1], layout)]
    for problem in problems[:40]:
        print(problem)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
