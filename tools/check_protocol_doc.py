#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Compare the packet table of the server with its documentation: the same packets, needs and replies in both.

usage: check_protocol_doc.py src/server/packets.c docs/protocol.md
"""
import re
import sys

ROW_CODE = re.compile(r'^\t\{ "([^"]+)",\s*rsp_parse_\w+,\s*h_\w+,\s*PKT_(\w+),\s*PKT_(\w+)(?:,\s*\.glued = true)?\s*\},$')
ROW_DOC = re.compile(r"^\| `([^`]+)` \| ([^|]+) \| (any|stopped|memory) \| (one|stop|none) \|")


def code_rows(path):
    """{prefix: (need, reply)} of the rows between the table's braces."""
    rows = {}
    inside = False
    for line in open(path, encoding="utf-8"):
        inside = inside or "pkt_table[] = {" in line
        if inside and line.startswith("};"):
            break
        match = ROW_CODE.match(line.rstrip("\n"))
        if inside and match:
            rows[match[1]] = (match[2].lower(), match[3].lower())
        elif inside and line.startswith("\t{"):
            sys.exit(f"{path}: row not understood: {line.strip()}")
    return rows


def doc_rows(path):
    rows = {}
    for line in open(path, encoding="utf-8"):
        match = ROW_DOC.match(line)
        if match and match[1] in rows:
            sys.exit(f"{path}: {match[1]} is there twice")
        if match:
            rows[match[1]] = (match[3], match[4])
    return rows


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    code, doc = code_rows(sys.argv[1]), doc_rows(sys.argv[2])
    if not code:
        sys.exit(f"{sys.argv[1]}: no packet table")
    faults = [f"not documented: {p}" for p in code if p not in doc]
    faults += [f"documented, but not in the table: {p}" for p in doc if p not in code]
    faults += [f"{p}: the table says {code[p]}, the page {doc[p]}" for p in code if p in doc and code[p] != doc[p]]
    for fault in faults:
        print(fault, file=sys.stderr)
    sys.exit(1 if faults else 0)


if __name__ == "__main__":
    main()
