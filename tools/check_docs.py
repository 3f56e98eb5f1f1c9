#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Check what documents say of files and options: links and paths in them lead somewhere, and man/gdbvm.1 has the options that
--help has, no more and no fewer.

usage: check_docs.py ROOT GDBVM
"""
import glob
import os
import re
import subprocess
import sys

COMMANDS = ["run", "attach", "trace", "decode"] + [f"checkpoints {action}" for action in ("show", "diff", "report", "scan")]
OPTION = re.compile(r"--([a-z][a-z0-9-]*)")
LINK = re.compile(r"\]\(([^)\s]+)\)")
TOP = r"(?:src|tests|docs|tools|lab|guest|man|\.ci)"
PATH = re.compile(rf"`({TOP}/[\w./-]+)`|`([a-z]+/[\w./]+\.[ch])`")


def anchors(path):
    heads = re.findall(r"^#+ (.*)$", open(path, encoding="utf-8").read(), re.M)
    return {re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-") for head in heads}


def check_link(document, link):
    """What is wrong with it, or None."""
    if link.startswith(("http:", "https:")):
        return None
    path, _, anchor = link.partition("#")
    to = os.path.normpath(os.path.join(os.path.dirname(document), path)) if path else document
    if not os.path.exists(to):
        return f"{document}: the link {link} leads nowhere"
    if anchor and anchor not in anchors(to):
        return f"{document}: {to} has no heading {anchor}"
    return None


def check_path(document, full, short):
    """A file by its path, or by its path inside of where most are."""
    places = [full] if full else [f"{folder}/{short}" for folder in ("src", "src/vmm", "guest/include")]
    return None if any(map(os.path.exists, places)) else f"{document}: there is no {full or short}"


def check_document(document):
    text = open(document, encoding="utf-8").read()
    wrong = [check_link(document, link) for link in LINK.findall(text)]
    wrong += [check_path(document, *found) for found in PATH.findall(text)]
    return [line for line in wrong if line]


def check_manual(gdbvm, manual):
    helps = "".join(subprocess.run([gdbvm, *command.split(), "--help"], capture_output=True, text=True, check=True).stdout
                    for command in COMMANDS)
    offered = set(OPTION.findall(helps)) - {"help", "usage"}
    told = set(OPTION.findall(open(manual, encoding="utf-8").read().replace("\\-", "-")))
    return [f"{manual}: --{option} is missing" for option in sorted(offered - told)] + \
        [f"{manual}: gdbvm has no option --{option}" for option in sorted(told - offered)]


def main():
    gdbvm = os.path.abspath(sys.argv[2])
    os.chdir(sys.argv[1])
    wrong = check_manual(gdbvm, "man/gdbvm.1")
    for document in sorted(glob.glob("*.md") + glob.glob("docs/*.md") + glob.glob("*/README.md") + glob.glob("tests/*/README.md")):
        wrong += check_document(document)
    for line in wrong:
        print(line)
    sys.exit(1 if wrong else 0)


main()
