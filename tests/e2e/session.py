# SPDX-License-Identifier: LGPL-2.1-or-later
"""The language of the tests: a session `s` is a guest under gdbvm with a GDB on it.

    def test(s):
        wp = s.watch("counter")
        s.cont()
        s.expect_stop(watch=wp, func="bump")
"""
import os
import re
import signal
import socket
import subprocess
import time

from mi import GdbError, Mi
from process import Timeout

LISTENING = r"127\.0\.0\.1:(\d+)"


class Failure(Exception):
    """The test found something wrong."""


def check(condition, text):
    if not condition:
        raise Failure(text)


def check_eq(found, expected, what="value"):
    if found != expected:
        shown = [hex(v) if isinstance(v, int) else repr(v) for v in (found, expected)]
        raise Failure(f"{what} is {shown[0]}, expected {shown[1]}")


def accelerated(context):
    """The options that say what runs a guest."""
    foreign = context.accel == "tcg" and not context.native
    return ["--accel", context.accel] + (["--arch", context.arch.machine] if foreign else [])


class Guest:
    """gdbvm and the guest in it, on the host or in the lab."""

    def __init__(self, context, args, gdb=True, wait=True):
        self.context, self.place = context, context.place
        self.asked_port = None
        argv = [context.gdbvm, "run", *accelerated(context), *args]
        if gdb:
            address = self.place.gdb_address()
            self.asked_port = int(address.rsplit(":", 1)[1])
            argv += ["--gdb", address] + (["--gdb-wait"] if wait else [])
        self.process = self.place.spawn(argv, env=context.env)
        self.console, self.messages = self.process.out, self.process.err
        self.port = None
        if gdb:
            try:
                match = self.messages.wait_for(LISTENING, context.scale(30))
            except Timeout:
                self.stop()
                raise
            self.port = self.place.reach(int(match.group(1)))

    def wait_exit(self, timeout=20):
        return self.process.wait(self.context.scale(timeout))

    def signal(self, number):
        self.process.signal(number)

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.stop()
        self.context.keep("gdbvm-stderr.log", self.messages.text())
        self.context.keep("console.log", self.console.text())
        check("Sanitizer: " not in self.messages.text(), "a sanitizer has something to say about gdbvm")

    def stop(self):
        self.process.stop()
        if self.asked_port:
            self.place.release(self.asked_port)
            self.asked_port = None


class Gdb:
    """One GDB process and what one types into it. Every wait has a cap."""

    def __init__(self, context, name, symbols=None, init=()):
        self.context = context
        argv = [context.gdb, "-nx", "-q", "--interpreter=mi3"]
        for file in init:
            argv += ["-ix", file]
        self.mi = Mi(argv + ([symbols] if symbols else []), context.log_path(f"{name}.log"))
        self.timeout = context.scale(20)
        self.wire = context.log_path(f"{name}-wire.log")
        for setting in ("pagination off", "confirm off", "mi-async on", "disassemble-next-line off",
                        f"remotetimeout {int(self.timeout)}", "tcp connect-timeout 10", f"remotelogfile {self.wire}"):
            self.cmd("set " + setting)

    # ---- talking to GDB ----

    def cmd(self, text, timeout=None):
        return self.mi.console(text, timeout or self.timeout)

    def refused(self, text):
        """The message with which GDB refuses a command that must fail."""
        try:
            out = self.cmd(text)
        except GdbError as error:
            return str(error)
        raise Failure(f"{text!r} should have failed; it printed {out!r}")

    def close(self):
        self.mi.close()

    def kill_hard(self):
        """End GDB as a crash would: no goodbye to the server."""
        self.mi.process.send_signal(signal.SIGKILL)
        self.mi.process.wait(10)

    def connect(self, port, how="remote"):
        self.mi.command(f"-target-select {how} 127.0.0.1:{port}", self.timeout)
        self.mi.stops.clear()

    # ---- looking ----

    def value(self, expression):
        """What `output` prints for an expression."""
        return self.cmd(f"output {expression}").strip()

    def int(self, expression):
        text = self.mi.command(f'-data-evaluate-expression "{expression}"', self.timeout)[0]["value"]
        match = re.match(r"-?(0x[0-9a-f]+|\d+)", text)
        check(match, f"{expression} is {text!r}, not a number")
        return int(match.group(0), 0)

    def reg(self, name):
        return self.int(f"(unsigned long long)${name}")

    def pc(self):
        return self.int("(unsigned long long)$pc")

    def address(self, symbol):
        return self.int(f"(unsigned long long)&{symbol}")

    def word(self, address, size="w"):
        """A number of 1, 2, 4 or 8 bytes (b, h, w, g) in memory, whatever the types of this architecture are."""
        out = self.cmd(f"x/1x{size} {address:#x}")
        return int(out.rsplit(":", 1)[1].strip(), 16)

    def counter(self):
        """What the guest would read from the counter or TSC of the current vCPU now."""
        out = self.cmd("monitor time")
        match = re.search(r"of vCPU \d+ (0x[0-9a-f]+)", out)
        check(match, f"monitor time printed {out!r}")
        return int(match.group(1), 16)

    def monitor_time(self):
        """The guest's clock in seconds and the counter of the current vCPU, as `monitor time` tells them."""
        out = self.cmd("monitor time")
        names = {"x86": ("kvmclock", "TSC"), "arm64": ("virtual counter", "CNTVCT_EL0")}[self.context.arch.name]
        clock = re.search(names[0] + r" ([\d.]+) s", out)
        counter = re.search(names[1] + r" of vCPU \d+ (0x[0-9a-f]+)", out)
        check(clock and counter, f"monitor time printed {out!r}")
        return float(clock.group(1)), int(counter.group(1), 16)

    def threads(self):
        return self.mi.command("-thread-info", self.timeout)[0]["threads"]

    def function(self):
        """Name of the function at pc, from the innermost frame."""
        return self.mi.command("-stack-info-frame", self.timeout)[0]["frame"].get("func")

    # ---- breakpoints ----

    def _number(self, out, text):
        match = re.search(r"(?:[Bb]reakpoint|[Ww]atchpoint) (\d+)", out)
        check(match, f"{text!r} printed {out!r}")
        return match.group(1)

    def _break(self, text):
        return self._number(self.cmd(text), text)

    def brk(self, where):
        return self._break(f"break {where}")

    def hbrk(self, where):
        return self._break(f"hbreak {where}")

    def tbrk(self, where):
        return self._break(f"tbreak {where}")

    def watch(self, what):
        return self._break(f"watch {what}")

    def awatch(self, what):
        return self._break(f"awatch {what}")

    def delete(self, number=""):
        self.cmd(f"delete {number}".strip())

    # ---- going ----

    def go(self, text):
        """Start the guest by a command that ends with a stop (or not); returns at once, so that it can be interrupted."""
        self.mi.stops.clear()
        self.cmd(text + " &")

    def cont(self):
        self.go("continue")

    def run_to_stop(self, text, timeout=None, **expected):
        self.go(text)
        return self.expect_stop(timeout, **expected)

    def stepi(self):
        return self.run_to_stop("stepi", reason="end-stepping-range")

    def step(self):
        return self.run_to_stop("step", reason="end-stepping-range")

    def next(self):
        return self.run_to_stop("next", reason="end-stepping-range")

    def expect_stop(self, timeout=None, bp=None, watch=None, func=None, reason=None, sig=None, pc=None):
        """Wait for the next stop and compare what is given: breakpoint or watchpoint number, function, signal, pc."""
        stop = self.mi.wait_stop(timeout or self.context.scale(30))
        frame = stop.get("frame", {})
        if bp is not None:
            check_eq(stop.get("reason"), "breakpoint-hit", "reason of the stop")
            check_eq(stop.get("bkptno"), bp, "breakpoint number")
        if watch is not None:
            what = next((stop[k] for k in ("wpt", "hw-awpt", "hw-rwpt") if k in stop), {})
            check_eq(what.get("number"), watch, f"watchpoint number (reason {stop.get('reason')})")
        if reason is not None:
            check_eq(stop.get("reason"), reason, "reason of the stop")
        if sig is not None:
            check_eq(stop.get("signal-name"), sig, "signal of the stop")
        if func is not None:
            check_eq(frame.get("func"), func, "function of the stop")
        if pc is not None:
            check_eq(int(frame["addr"], 16), pc, "pc of the stop")
        return stop

    def interrupt(self):
        self.mi.stops.clear()
        self.mi.command("-exec-interrupt", self.timeout)
        return self.expect_stop(sig="SIGINT")

    def expect_no_stop(self, seconds):
        try:
            stop = self.mi.wait_stop(self.context.scale(seconds))
        except Timeout:
            return
        raise Failure(f"the guest should run on, but stopped: {stop}")

    def run_until(self, condition, text, turn=0.02):
        """Let the guest run, turn by turn, until `condition` holds while it is stopped: it takes as long as it takes."""
        end = time.monotonic() + self.context.scale(30)
        while True:
            self.cont()
            self.expect_no_stop(turn)  # one that is interrupted the moment after it was let go may not have begun
            self.interrupt()
            if condition():
                return
            check(time.monotonic() < end, text)

    def wait_told(self, pattern, timeout=20):
        """Wait until the server has written this to GDB's console."""
        return self.mi.wait_told(pattern, self.context.scale(timeout))

    def settle(self):
        """Between tests: stopped, and no breakpoint left."""
        if self.mi.running:
            self.interrupt()
        self.delete()
        self.mi.stops.clear()

    def detach(self):
        self.cmd("detach")
        self.mi.running = False


def started(context, what, wait=True, connect=True):
    """A session on one of the guests of guests.py, for tests that are on their own: with started(...) as s."""
    symbols = what.get("symbols", lambda context: None)(context)
    return Session(context, what["args"](context), symbols, what.get("init", lambda context: ())(context), wait, connect)


class Session:
    """A guest with a GDB on it. What it does not know it asks its GDB, so tests write s.cont(), s.value(...)."""

    def __init__(self, context, args, symbols=None, init=(), wait=True, connect=True):
        self.context, self.symbols, self.init = context, symbols, init
        self.guest = Guest(context, args, wait=wait)
        self.gdb = None
        self.gdbs = []
        try:
            self.gdb = self.new_gdb()
            if connect:
                self.gdb.connect(self.guest.port)
        except BaseException:
            self.close()
            raise

    def __getattr__(self, name):
        return getattr(self.gdb, name)

    @property
    def console(self):
        return self.guest.console

    def wait_console(self, pattern, timeout=60, since=0):
        return self.guest.console.wait_for(pattern, self.context.scale(timeout), since)

    def new_gdb(self):
        """Another GDB process, not connected."""
        gdb = Gdb(self.context, f"gdb-{self.context.serial()}", self.symbols, self.init)
        self.gdbs.append(gdb)
        return gdb

    def reconnect(self, fresh=True):
        """Connect again, by default with a fresh GDB; a server may need a moment to see that the last client is gone."""
        if fresh:
            self.gdb = self.new_gdb()
        end = time.monotonic() + self.context.scale(10)
        while True:
            try:
                self.gdb.connect(self.guest.port)
                return
            except GdbError:
                if time.monotonic() > end:
                    raise
                time.sleep(0.1)

    def raw(self):
        """A plain socket to the server."""
        sock = socket.create_connection(("127.0.0.1", self.guest.port), timeout=self.context.scale(10))
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return sock

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.close()

    def close(self):
        for gdb in self.gdbs:
            gdb.close()
        self.guest.__exit__()


class Packets:
    """The remote protocol by hand, to send what GDB never would."""

    def __init__(self, sock):
        self.sock, self.buffer = sock, b""

    @staticmethod
    def frame(body):
        return b"$%s#%02x" % (body, sum(body) & 0xFF)

    def send(self, data):
        self.sock.sendall(data)

    def _byte(self):
        if not self.buffer:
            self._more()
        byte, self.buffer = self.buffer[:1], self.buffer[1:]
        return byte

    def _more(self):
        data = self.sock.recv(1 << 18)
        if not data:
            raise EOFError("the server closed the connection")
        self.buffer += data

    def reply(self, ack=True):
        """The body of the next packet; acks before it are dropped."""
        while (start := self.buffer.find(b"$")) < 0:
            self._more()
        while (end := self.buffer.find(b"#", start)) < 0 or len(self.buffer) < end + 3:
            self._more()
        body, self.buffer = self.buffer[start + 1:end], self.buffer[end + 3:]
        if ack:
            self.send(b"+")
        return body

    def ask(self, body):
        self.send(self.frame(body))
        return self.reply()

    def closed(self):
        """True if the server closed the connection (and said nothing more than a line of text)."""
        try:
            while self.sock.recv(65536):
                pass
            return True
        except ConnectionResetError:
            return True
        except socket.timeout:
            return False

    def close(self):
        self.sock.close()


class Terminal:
    """A program in a real terminal (tmux), for what only a terminal does: keys that become signals."""

    def __init__(self, context, argv):
        self.context = context
        self.server = f"gdbvm-{os.getpid()}-{context.serial()}"
        self.tmux("new-session", "-d", "-x", "160", "-y", "50", *argv)

    def tmux(self, *args):
        return subprocess.run(["tmux", "-L", self.server, "-f", "/dev/null", *args], stdout=subprocess.PIPE, text=True,
                              stderr=subprocess.STDOUT, timeout=20).stdout

    def screen(self):
        return self.tmux("capture-pane", "-p", "-S", "-1000")

    def type_keys(self, text):
        self.tmux("send-keys", "-l", text)

    def type(self, text):
        self.type_keys(text)
        self.key("Enter")

    def key(self, name):
        self.tmux("send-keys", name)

    def wait_for(self, pattern, timeout=20):
        end = time.monotonic() + self.context.scale(timeout)
        while True:
            screen = self.screen()
            if re.search(pattern, screen, re.M):
                return screen
            if time.monotonic() > end:
                raise Failure(f"the terminal does not show {pattern!r}: {screen.strip()[-600:]!r}")
            time.sleep(0.1)

    def wait_end(self, timeout=20):
        """The program has ended, and with it the terminal."""
        end = time.monotonic() + self.context.scale(timeout)
        while not self.tmux("list-sessions").startswith(("no server", "error connecting")):
            if time.monotonic() > end:
                raise Failure(f"the program in the terminal goes on: {self.screen().strip()[-600:]!r}")
            time.sleep(0.1)

    def close(self):
        self.tmux("kill-server")
