#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Put the page of the report together and make it a C file: what comes before its data, and what comes behind.

usage: embed.py PAGE STYLE SCRIPT OUTPUT
"""
import base64
import hashlib
import sys


def read(path):
    with open(path, encoding="utf-8") as f:
        return f.read()


def digest(text):
    """As a content security policy names it: whatever else is in the page is not run."""
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def array(name, text):
    data = text.encode()
    rows = (", ".join(str(byte) for byte in data[i:i + 32]) for i in range(0, len(data), 32))
    return f"const char {name}[] = {{\n" + "".join(f"\t{row},\n" for row in rows) + "\t0\n};\n"


def main():
    page, style, script = (read(path) for path in sys.argv[1:4])
    for mark, text in (("@style-hash@", digest(style)), ("@script-hash@", digest(script)), ("@style@", style),
                       ("@script@", script)):
        if page.count(mark) != 1:
            sys.exit(f"embed.py: {sys.argv[1]} has {page.count(mark)} times {mark}: expected once")
        page = page.replace(mark, text)
    head, tail = page.split("@data@")
    with open(sys.argv[4], "w", encoding="utf-8") as f:
        f.write('#include "checkpoint/report.h"\n\n' + array("checkpoint_report_head", head) + array("checkpoint_report_tail", tail))


if __name__ == "__main__":
    main()
