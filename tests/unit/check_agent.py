#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""The bytecode that a real GDB makes of C expressions must have the value that GDB itself finds.

usage: check_agent.py AGENT_EVAL SUBJECT
AGENT_EVAL evaluates bytecode over memory that it is given, SUBJECT is a program with the data.
Exit status: 0 all agree, 1 something differs, 77 no gdb here.
"""

import re
import shutil
import subprocess
import sys
import tempfile

EXPRESSIONS = """
    1 + 2
    which
    which == 3
    which != 3
    which < arr[1]
    which <= 3 && arr[1] > -3
    which > 100 || arr[4] == 5
    !(which == 3)
    arr[which]
    arr[which - 1] * arr[1]
    -arr[1]
    ~which
    grid[1][2]
    grid[1][which - 2] * 100
    head->a
    head->next->a
    head->next->b * 3 - arr[1]
    head->next->next == 0
    head->text[1]
    second.text[0] == 116
    head->f
    second.f + second.g
    second.h
    first.h << 3
    both.s < 0
    both.u > 0x7fffffff
    both.byte[3]
    *head.next.text
    big
    big >> 60
    big / 3
    big % 1000
    big * 3
    big > 5
    (long)big < 5
    (char)big
    (unsigned char)(big >> 8)
    (int)(big >> 32)
    neg
    neg / 2
    neg % 3
    neg >> 1
    neg << 4
    neg < 0 ? 10 : 20
    neg > 0 ? arr[0] : arr[1]
    lowest
    lowest - 1
    lowest32 - 1
    (unsigned)lowest32 + 1L
    high32
    high32 + 1
    (int)high32
    uc
    uc + sc
    sc
    (unsigned char)sc
    sc / 4
    sc % 4
    uc << 3
    (int)colour == 7
    colour
    BLUE
    &arr[3]
    &arr[3] - &arr[1]
    str[1]
    *str
    str != 0
    (unsigned short)neg
    uc & 0x1f | 0x100
    uc ^ which
    sizeof(first)
    0x123456789abcdef0
    70000
    *(int *)&big
    *(short *)((char *)&big + 3)
    (which == 3) + (which == 4)
    which == 3 ? uc == 250 ? 1 : 2 : 3
    yes
""".strip().splitlines()

# What GDB itself cannot know without a process: the register is replaced by its value for it.
REGISTERS = {"$rax": (0, 0x1122334455667788), "$rsp": (7, 0xFFFFFFFF81234560), "$eflags": (17, 0x246)}
WITH_REGISTERS = """
    $rax
    $rax + 1
    $rax == 0x1122334455667788
    (int)$rax
    (unsigned char)($rax >> 8)
    (unsigned long)$rsp > 0xffffffff80000000
    (unsigned long)$rsp & 0xff
    which + (int)$rax
""".strip().splitlines()

# Opcode and operand bytes of the names that GDB's disassembler prints.
OPCODES = {
    "add": (0x02, 0), "sub": (0x03, 0), "mul": (0x04, 0), "div_signed": (0x05, 0), "div_unsigned": (0x06, 0),
    "rem_signed": (0x07, 0), "rem_unsigned": (0x08, 0), "lsh": (0x09, 0), "rsh_signed": (0x0a, 0),
    "rsh_unsigned": (0x0b, 0), "trace": (0x0c, 0), "trace_quick": (0x0d, 1), "log_not": (0x0e, 0),
    "bit_and": (0x0f, 0), "bit_or": (0x10, 0), "bit_xor": (0x11, 0), "bit_not": (0x12, 0), "equal": (0x13, 0),
    "less_signed": (0x14, 0), "less_unsigned": (0x15, 0), "ext": (0x16, 1), "ref8": (0x17, 0), "ref16": (0x18, 0),
    "ref32": (0x19, 0), "ref64": (0x1a, 0), "if_goto": (0x20, 2), "goto": (0x21, 2), "const8": (0x22, 1),
    "const16": (0x23, 2), "const32": (0x24, 4), "const64": (0x25, 8), "reg": (0x26, 2), "end": (0x27, 0),
    "dup": (0x28, 0), "pop": (0x29, 0), "zero_ext": (0x2a, 1), "swap": (0x2b, 0), "pick": (0x32, 1),
    "rot": (0x33, 0),
}  # fmt: skip
MARK = "=== "


def gdb(subject, commands):
    """The answer to each of @commands. An error does not end the run: each command is one of Python's."""
    with tempfile.NamedTemporaryFile("w", suffix=".py") as script:
        script.write(f"commands = {commands!r}\n")
        script.write("for command in commands:\n")
        script.write("    try:\n        text = gdb.execute(command, to_string=True)\n")
        script.write("    except gdb.error as e:\n        text = f'error: {e}'\n")
        script.write(f"    print({MARK!r} + text)\n")
        script.flush()
        done = subprocess.run(["gdb", "-nx", "-q", "-batch", "-x", script.name, subject],
                              capture_output=True, text=True, timeout=120, stdin=subprocess.DEVNULL)  # fmt: skip
    return [a.strip() for a in done.stdout.split(MARK)[1:]]


def assemble(listing):
    """Bytes of a listing such as `  0  const8 1`; None if it is none."""
    code = bytearray()
    rows = re.findall(r"^ *(\d+)  (\w+)(?: (-?\d+))?$", listing, re.M)
    for at, name, operand in rows:
        if int(at) != len(code):
            raise ValueError(f"{name} is at {at} and we are at {len(code)}")
        opcode, size = OPCODES[name]
        code.append(opcode)
        code += (int(operand or 0) & (1 << 8 * size) - 1).to_bytes(size, "big")
    return bytes(code) if rows else None


def memory(subject):
    """(address, bytes) of the data sections, as GDB reads them from the file."""
    files = gdb(subject, ["info files"])[0]
    ranges = [(int(a, 16), int(b, 16)) for a, b in re.findall(r"(0x\w+) - (0x\w+) is \.(?:ro)?data$", files, re.M)]
    found = []
    for start, end in ranges:
        with tempfile.NamedTemporaryFile() as out:
            gdb(subject, [f"dump binary memory {out.name} {start:#x} {end:#x}"])
            found.append((start, out.read()))
    return found


def with_values(expression):
    for name, (_, value) in REGISTERS.items():
        expression = expression.replace(name, f"((long){value:#x})")
    return expression


def main():
    if len(sys.argv) != 3:
        print(__doc__, file=sys.stderr)
        return 2
    if not shutil.which("gdb"):
        print("skip: no gdb on this machine")
        return 77
    evaluator, subject = sys.argv[1:]
    expressions = [e.strip() for e in EXPRESSIONS + WITH_REGISTERS]
    listings = gdb(subject, [f"maint agent-eval -at main,{e}" for e in expressions])
    values = gdb(subject, [f"output/x (unsigned long)({with_values(e)})" for e in expressions])
    lines = [f"mem {at:x} {data.hex()}" for at, data in memory(subject)]
    lines += [f"reg {number:x} {value:x}" for number, value in REGISTERS.values()]
    checked, problems = [], []
    for expression, listing, value in zip(expressions, listings, values, strict=True):
        code = assemble(listing)
        if code is None or not value.startswith("0x"):
            problems.append(f"{expression}: no bytecode or no value: {listing} {value}")
            continue
        lines.append("eval " + code.hex())
        checked.append((expression, int(value, 16), listing))
    done = subprocess.run([evaluator], input="\n".join(lines) + "\n", capture_output=True, text=True, check=True)
    for (expression, want, listing), got in zip(checked, done.stdout.splitlines(), strict=True):
        if got != f"{want:x}":
            problems.append(f"{expression}: gdb finds {want:x}, its bytecode gives {got}\n{listing}")
    print(f"{len(checked)} expressions, {len(problems)} problems")
    print("\n".join(problems))
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
