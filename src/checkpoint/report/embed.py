#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Put the page of the report together and make it a C file: what comes before its data, and what comes behind.

usage: embed.py OUTPUT PAGE STYLE SCRIPT...
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
    output, page, style, *scripts = sys.argv[1:]
    text, style, script = read(page), read(style), "\n".join(read(path) for path in scripts)
    for mark, value in (("@style-hash@", digest(style)), ("@script-hash@", digest(script)), ("@style@", style),
                        ("@script@", script)):
        if text.count(mark) != 1:
            sys.exit(f"embed.py: {page} has {mark} {text.count(mark)} times: expected once")
        text = text.replace(mark, value)
    head, tail = text.split("@data@")
    with open(output, "w", encoding="utf-8") as f:
        f.write('#include "checkpoint/report.h"\n\n')
        f.write(array("checkpoint_report_head", head) + array("checkpoint_report_tail", tail))


if __name__ == "__main__":
    main()
