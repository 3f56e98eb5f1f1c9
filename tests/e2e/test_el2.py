# SPDX-License-Identifier: LGPL-2.1-or-later
"""The worked example of docs/arm64-hypervisor.md: every command there is run, and prints what is there."""
import contextlib
import os
import re
import shlex
import subprocess

from qemu_stub import free_port, wait_listening
from session import check, check_eq
from suite import test

DOCUMENT = "docs/arm64-hypervisor.md"
GUESTS = "build/tests/guests/arm64"


class Document:
    """Its indented lines: `$ COMMAND` for a shell, `(gdb) COMMAND` with the lines that are printed below."""

    def __init__(self, context):
        with open(os.path.join(context.root, DOCUMENT)) as f:
            lines = [line[4:].rstrip() for line in f if line.startswith("    ")]
        self.shell = [line[2:] for line in lines if line.startswith("$ ")]
        self.session = []
        for line in lines:
            if line.startswith("(gdb) "):
                self.session.append((line[6:], []))
            elif self.session and not line.startswith("$ "):
                self.session[-1][1].append(line)

    def command(self, word):
        found = [line for line in self.shell if line.startswith(word)]
        check_eq(len(found), 1, f"commands of the document that begin with {word!r}")
        return found[0]


def squeezed(text):
    return " ".join(text.split())


def line_fits(expected, found):
    pattern = ".*".join(re.escape(squeezed(part)) for part in expected.split("..."))
    return re.fullmatch(r"\s*" + pattern.replace(r"\ .*", r"\ ?.*").replace(r".*\ ", r".*\ ?") + r"\s*", found)


def fits(expected, found):
    """Do the lines fit? One that is `...` stands for any number of lines."""
    if not expected:
        return not found
    if expected[0] == "...":
        return any(fits(expected[1:], found[i:]) for i in range(len(found) + 1))
    return bool(found) and bool(line_fits(expected[0], found[0])) and fits(expected[1:], found[1:])


class Sandbox:
    """Runs commands of the document with ports, programs and guests of the test's own."""

    def __init__(self, context):
        self.context = context
        self.ports = contextlib.ExitStack()
        self.names = {name: f":{self.ports.enter_context(free_port())}" for name in (":1234", ":1235")}
        self.processes = []

    def argv(self, line):
        for port, own in self.names.items():
            line = line.replace(port, own)
        line = line.replace("--gdb 1234", "--gdb " + self.names[":1234"][1:])
        words = shlex.split(line.replace(GUESTS, os.path.join(self.context.build, "tests/guests/arm64")))
        return [self.context.gdbvm if word == "gdbvm" else word for word in words]

    def start(self, line):
        process = self.context.place.spawn(self.argv(line))
        self.processes.append(process)
        return process

    def gdb(self, line, commands):
        """What GDB prints for each of the commands, a list of lines."""
        argv = self.argv(line) + ["-nx", "-q", "-batch"]
        for setting in ("width 0", "pagination off", "confirm off", "tcp connect-timeout 10",
                        f"remotetimeout {int(self.context.scale(20))}"):
            argv += ["-iex", f"set {setting}"]
        for number, command in enumerate(commands):
            argv += ["-ex", f"echo @@{number}@\\n", "-ex", self.argv_text(command)]
        done = subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                              timeout=self.context.scale(40))
        self.context.keep("gdb.log", done.stdout)
        parts = re.split(r"@@\d+@\n", done.stdout)[1:]
        return [[line for line in part.splitlines() if line.strip()] for part in parts]

    def argv_text(self, command):
        return command.replace(":1234", self.names[":1234"])

    def __enter__(self):
        return self

    def __exit__(self, *error):
        for process in self.processes:
            self.context.keep(os.path.basename(process.argv[0]) + ".log", process.out.text() + process.err.text())
            process.stop()
        self.ports.close()


def run_session(sandbox, document):
    printed = sandbox.gdb(document.command("gdb-multiarch"), [command for command, _ in document.session])
    check_eq(len(printed), len(document.session), "commands that GDB ran")
    for (command, expected), found in zip(document.session, printed):
        if command == "monitor info vcpus":  # the last line is about what runs the guest
            expected, found = expected[:-1], found[:-1]
        check(fits(expected, [squeezed(line) for line in found]),
              f"{DOCUMENT} has this for {command!r}:\n" + "\n".join(expected) + "\nand GDB printed:\n" + "\n".join(found))


@test(needs="tcg x86", cap=60)
def the_documented_session_on_a_hypervisor_in_tcg(context):
    document = Document(context)
    check(len(document.session) > 40, "the document has a session")
    with Sandbox(context) as sandbox:
        gdbvm = sandbox.start(document.command("gdbvm run --accel tcg --flat build/"))
        gdbvm.err.wait_for("waiting for GDB", context.scale(20))
        run_session(sandbox, document)
        check_eq(gdbvm.wait(context.scale(10)), 0, "exit status")
        check_eq(gdbvm.out.text().splitlines(), ["hyp: here", "hyp: the guest is off"], "the hypervisor's console")


@test(needs="tcg x86", cap=60)
def the_documented_session_on_a_hypervisor_in_a_qemu_of_ones_own(context):
    document = Document(context)
    with Sandbox(context) as sandbox:
        qemu = sandbox.start(document.command("qemu-system-aarch64"))
        wait_listening(context, int(sandbox.names[":1235"][1:]), qemu)
        gdbvm = sandbox.start(document.command("gdbvm attach rsp:127.0.0.1:1235 --gdb 1234 --gdb-wait"))
        gdbvm.err.wait_for("waiting for GDB", context.scale(20))
        run_session(sandbox, document)
        check_eq(qemu.wait(context.scale(10)), 0, "exit status of QEMU")
