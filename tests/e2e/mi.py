# SPDX-License-Identifier: LGPL-2.1-or-later
"""A client of GDB/MI: commands out, records in. Source: GDB manual, "The gdb/mi Interface", "gdb/mi Output Syntax"."""
import queue
import re
import signal
import subprocess
import threading
import time

from process import Timeout

RECORD = re.compile(r"(\d*)([\^*=])([a-z-]+),?(.*)", re.S)
ESCAPES = {"n": "\n", "t": "\t", "r": "\r", '"': '"', "\\": "\\", "a": "\a", "b": "\b", "f": "\f", "v": "\v", "e": "\x1b"}


class GdbError(Exception):
    """GDB answered a command with an error."""


class GdbDied(Exception):
    """GDB ended or does not answer: always a failed test."""


def parse_string(text, at):
    out, i = [], at + 1
    while text[i] != '"':
        if text[i] == "\\":
            octal = re.compile(r"[0-7]{3}").match(text, i + 1)
            if octal:
                out.append(chr(int(octal.group(), 8)))
                i += 4
                continue
            out.append(ESCAPES.get(text[i + 1], text[i + 1]))
            i += 2
        else:
            out.append(text[i])
            i += 1
    return "".join(out), i + 1


def parse_value(text, at):
    if text[at] == '"':
        return parse_string(text, at)
    if text[at] == "{":
        return parse_results(text, at + 1, "}")
    items, at = [], at + 1
    while text[at] != "]":
        named = re.compile(r"[\w-]+=").match(text, at)
        value, at = parse_value(text, named.end() if named else at)
        items.append(value)
        at += text[at] == ","
    return items, at + 1


def parse_results(text, at=0, end=""):
    """name=value,... up to `end`. A name that repeats (GDB does that in breakpoint tables) keeps its last value."""
    out = {}
    while at < len(text) and text[at] != end:
        if text[at] == "{":  # a tuple without a name: further locations of a breakpoint
            _, at = parse_value(text, at)
        else:
            equals = text.index("=", at)
            out[text[at:equals]], at = parse_value(text, equals + 1)
        at += at < len(text) and text[at] == ","
    return out, at + 1


class Mi:
    def __init__(self, argv, log_path):
        self.log = open(log_path, "w", buffering=1)
        self.start = time.monotonic()
        self.process = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                        start_new_session=True, text=True, errors="replace", bufsize=1)
        self.records = queue.Queue()  # (token, kind, class, results); kinds ~ @ & carry text
        self.stops = []
        self.told = ""  # text of the server, also that which came while the guest ran
        self.token = 0
        self.running = False
        threading.Thread(target=self._read, daemon=True).start()

    def note(self, text):
        if not self.log.closed:
            self.log.write(f"[{time.monotonic() - self.start:8.3f}] {text}\n")

    def _read(self):
        for line in self.process.stdout:
            line = line.rstrip("\n")
            self.note(line)
            self.records.put(line)
        self.records.put(None)

    def _next(self, timeout):
        try:
            line = self.records.get(timeout=max(timeout, 0))
        except queue.Empty:
            return ()
        if line is None:
            self.records.put(None)
            raise GdbDied(f"GDB ended (status {self.process.wait(5)})")
        if line[:1] in "~&@" and line[1:2] == '"':
            text = parse_string(line, 1)[0]
            self.told += text if line[0] == "@" else ""
            return ("", line[0], "", text)
        match = RECORD.fullmatch(line)
        if not match:
            return ("", "", "", line)
        token, kind, name, rest = match.groups()
        results = parse_results(rest)[0] if rest else {}
        if kind == "*" and name == "running":
            self.running = True
        elif kind == "*" and name == "stopped":
            self.running = False
            self.stops.append(results)
        return (token, kind, name, results)

    def command(self, text, timeout):
        """Send one MI command; (results, console text). GdbError if GDB says ^error."""
        self.token += 1
        self.note(f"> {text}")
        try:
            self.process.stdin.write(f"{self.token}{text}\n")
            self.process.stdin.flush()
        except OSError:
            raise GdbDied(f"GDB ended (status {self.process.poll()})") from None
        end, console = time.monotonic() + timeout, []
        while True:
            record = self._next(end - time.monotonic())
            if not record:
                raise GdbDied(f"GDB did not answer {text!r} in {timeout:g} s")
            token, kind, name, results = record
            if kind in ("~", "@"):  # GDB's own text, and the server's (monitor)
                console.append(results)
            if kind == "^" and token == str(self.token):
                if name == "error":
                    raise GdbError(results.get("msg", "no message"))
                self.running = self.running or name == "running"
                return results, "".join(console)

    def console(self, text, timeout):
        """A command as one would type it; what it printed."""
        quoted = text.replace("\\", "\\\\").replace('"', '\\"')
        return self.command(f'-interpreter-exec console "{quoted}"', timeout)[1]

    def wait_stop(self, timeout):
        """The next *stopped record."""
        end = time.monotonic() + timeout
        while not self.stops:
            if not self._next(end - time.monotonic()) and time.monotonic() >= end:
                raise Timeout(f"the guest did not stop in {timeout:g} s")
        return self.stops.pop(0)

    def wait_told(self, pattern, timeout):
        end = time.monotonic() + timeout
        while not re.search(pattern, self.told):
            if not self._next(end - time.monotonic()) and time.monotonic() >= end:
                raise Timeout(f"the server did not write {pattern!r} in {timeout:g} s")

    def close(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGKILL)
        self.process.wait(10)
        self.log.close()
