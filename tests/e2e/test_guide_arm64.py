# SPDX-License-Identifier: LGPL-2.1-or-later
"""The session with a guest on KVM in docs/arm64-hypervisor.md: its commands still print what is there, but for the numbers."""
import os
import re
import subprocess

from guests import UP, linux
from session import Guest, check, check_eq
from suite import test

DOCUMENT = "docs/arm64-hypervisor.md"


def documented(context, kaslr):
    """The commands of the chapter with what is printed below each: those of the part about KASLR, or all the others."""
    with open(os.path.join(context.root, DOCUMENT)) as f:
        chapter = re.search(r"^## A guest on KVM$(.*?)^## ", f.read(), re.M | re.S).group(1)
    session = []
    for part in chapter.split("\n### "):
        if part.startswith("KASLR") != kaslr:
            continue
        for block in re.findall(r"^```\n(.*?)^```$", part, re.M | re.S):
            for line in block.splitlines():
                if line.startswith("(gdb) "):
                    session.append((line[6:], []))
                elif session and line[:1] not in "$.":
                    session[-1][1].append(line)
    return session


def without_numbers(line):
    return " ".join(re.sub(r"0x[0-9a-f]+|\b[0-9a-f]{16}\b|\d+", "#", line.replace("*", " ")).split())


def gdb(context, port, commands):
    """What GDB prints for each of the commands."""
    argv = [context.gdb, context.kernel("vmlinux"), "-nx", "-q", "-batch", "-ix", context.kernel("gdbinit")]
    for setting in ("width 0", "pagination off", "confirm off", "tcp connect-timeout 10",
                    f"remotetimeout {int(context.scale(20))}"):
        argv += ["-iex", f"set {setting}"]
    argv += ["-ex", f"target remote 127.0.0.1:{port}"]
    for command in commands:
        argv += ["-ex", "echo @@\\n", "-ex", command.replace(" vmlinux ", f" {context.kernel('vmlinux')} ")]
    done = subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          timeout=context.scale(100))
    context.keep("gdb.log", done.stdout)
    return [part.replace(context.kernel("vmlinux"), "vmlinux") for part in done.stdout.split("@@\n")[1:]]


def run_documented(context, guest, kaslr):
    session = documented(context, kaslr)
    check(len(session) > 2, "the document has a session")
    printed = gdb(context, guest.port, [command for command, _ in session])
    check_eq(len(printed), len(session), "commands that GDB ran")
    for (command, expected), found in zip(session, printed):
        lines = [without_numbers(line) for line in found.splitlines()]
        for line in expected:
            check(without_numbers(line) in lines, f"{DOCUMENT} has {line!r} for {command!r}, and GDB printed:\n{found}")


@test(needs="kvm arm64 hwbreak long", cap=240)
def the_documented_session_with_a_kernel(context):
    with Guest(context, linux(cpus=2)["args"](context)) as guest:
        run_documented(context, guest, kaslr=False)


@test(needs="kvm arm64 hwbreak long", cap=240)
def the_documented_session_with_a_kernel_at_a_random_place(context):
    with Guest(context, linux(cpus=2, params="kaslr")["args"](context), wait=False) as guest:
        guest.console.wait_for(UP, context.scale(60))
        run_documented(context, guest, kaslr=True)
