# SPDX-License-Identifier: LGPL-2.1-or-later
"""An LLDB and what one types into it. Every wait has a cap.

LLDB says on stderr that it does not know a command, and echoes what it reads on stdout: a command that nobody knows is how
one learns that the command before it is done.
"""
import re

from process import HostProcess
from session import Failure, Guest, check, check_eq

STOPPED = (r"Process 1 stopped\n(?:.*\n)*?\* thread #(\d+)(?:, name = '([^']*)')?, stop reason = (.*)\n"
           r"(?:.*\n)*?\s+frame #0: (0x[0-9a-f]+)(?: \S+`(\w+))?")


class LldbError(Exception):
    """LLDB refused a command."""


class Lldb:
    def __init__(self, context, symbols=None):
        self.context, self.timeout = context, context.scale(20)
        self.count, self.since = 0, 0
        self.process = HostProcess(["lldb-14", "--no-lldbinit", "--no-use-colors"], env={"TERM": "dumb"})
        self.out, self.err = self.process.out, self.process.err
        self.cmd("settings set auto-confirm true")
        self.cmd("settings set stop-disassembly-display never")
        self.cmd("settings set stop-line-count-before 0")
        self.cmd("settings set stop-line-count-after 0")
        self.cmd(f"settings set plugin.process.gdb-remote.packet-timeout {int(self.timeout)}")
        self.cmd(f"log enable -f {context.log_path(f'lldb-{context.serial()}-packets.log')} gdb-remote packets")
        if symbols:
            self.cmd(f"target create {symbols}", context.scale(40))

    def cmd(self, text, timeout=None):
        """A command as one would type it; what it printed. Events of the guest may be in it, too."""
        self.count += 1
        done, out, err = f"done-{self.count}", self.out.mark(), self.err.mark()
        self.process.write(f"{text}\n{done}\n".encode())
        self.err.wait_for(rf"'{done}' is not a valid command", timeout or self.timeout, err)
        self.out.wait_for(rf"\(lldb\) {done}\n", self.timeout, out)
        refused = re.search(r"^error: (?!'done-)(.*)", self.err.text(err), re.M)
        if refused:
            raise LldbError(f"{text!r}: {refused.group(1)}")
        text = self.out.text(out)
        return text[:text.index(f"(lldb) {done}")]

    def refused(self, text):
        try:
            out = self.cmd(text)
        except LldbError as error:
            return str(error)
        raise Failure(f"{text!r} should have failed; it printed {out!r}")

    def connect(self, port):
        self.go(f"gdb-remote 127.0.0.1:{port}")
        return self.expect_stop()

    def go(self, text):
        """A command that resumes the guest, or connects: the stop comes by itself."""
        self.since = self.out.mark()
        return self.cmd(text)

    def expect_stop(self, reason=None, thread=None, func=None, timeout=30):
        """The next stop; `reason` is a regular expression. Returns its pc."""
        found = self.out.wait_for(STOPPED, self.context.scale(timeout), self.since)
        number, _, why, pc, function = (part.decode() if part else None for part in found.groups())
        self.since = found.end()
        if reason is not None:
            check(re.search(reason, why), f"stop reason is {why!r}, expected {reason!r}")
        if thread is not None:
            check_eq(int(number), thread, "thread that stopped")
        if func is not None:
            check_eq(function, func, "function of the stop")
        return int(pc, 16)

    def run_to_stop(self, text, **expected):
        self.go(text)
        return self.expect_stop(**expected)

    def interrupt(self):
        return self.run_to_stop("process interrupt", reason="signal SIGINT")

    def reg(self, name):
        return int(re.search(r"\b\w+ = (0x[0-9a-f]+)", self.cmd(f"register read {name}")).group(1), 16)

    def word(self, address):
        """Eight bytes of memory as a number."""
        out = self.cmd(f"memory read -s8 -fx -c1 {address:#x}")
        return int(re.search(r"^0x[0-9a-f]+: (0x[0-9a-f]{16})", out, re.M).group(1), 16)

    def address(self, symbol):
        found = re.search(r"Address: \S+\[(0x[0-9a-f]+)\]", self.cmd(f"image lookup -s {symbol}"))
        check(found, f"LLDB knows {symbol}")
        return int(found.group(1), 16)

    def breakpoint(self, options):
        out = self.cmd(f"breakpoint set {options}")
        return re.search(r"Breakpoint (\d+): where = .*address = (0x[0-9a-f]+)", out).groups()

    def packet(self, text):
        """What the server answers to a packet of ours."""
        return re.search(r"response: (.*)", self.cmd(f"process plugin packet send {text}")).group(1)

    def close(self):
        self.process.stop()


class LldbSession:
    """A guest with an LLDB on it, for `with`: what it does not know it asks its LLDB."""

    def __init__(self, context, what, symbols=None, wait=True):
        self.context = context
        self.symbols = symbols or what["symbols"](context)
        self.guest = Guest(context, what["args"](context), wait=wait)
        self.lldbs = []
        try:
            self.reconnect()
        except BaseException:
            self.__exit__()
            raise

    def __getattr__(self, name):
        return getattr(self.lldbs[-1], name)

    def reconnect(self):
        """Another LLDB, connected."""
        self.lldbs.append(Lldb(self.context, self.symbols))
        return self.connect(self.guest.port)

    def wait_console(self, pattern, timeout=60, since=0):
        return self.guest.console.wait_for(pattern, self.context.scale(timeout), since)

    def __enter__(self):
        return self

    def __exit__(self, *error):
        for lldb in self.lldbs:
            lldb.close()
            self.context.keep("lldb.log", lldb.out.text() + "\n--- stderr\n" + lldb.err.text())
        self.guest.__exit__()
