# SPDX-License-Identifier: LGPL-2.1-or-later
"""A guest of several counting vCPUs and clients that speak the protocol themselves, for tests that count every stop."""
import re
import socket
import struct
import subprocess
import time

from guests import flat
from session import Failure, Guest, Packets, check, check_eq

SLOTS = 16  # of the guest's arrays
SCRATCH_SIZE = 0x100000  # of arch.scratch


class Client(Packets):
    """A connection in no-ack mode. What it does not get in time is a Failure that says what was asked last."""

    def __init__(self, port, timeout):
        super().__init__(socket.create_connection(("127.0.0.1", port), timeout=timeout))
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.last = b""
        self.send(b"+" + self.frame(b"QStartNoAckMode"))
        check_eq(self.reply(ack=True), b"OK", "reply to QStartNoAckMode")

    def ask(self, body):
        self.go(body)
        return self.answer()

    def go(self, body):
        self.last = body
        self.send(self.frame(body))

    def answer(self):
        try:
            return self.reply(ack=False)
        except socket.timeout:
            raise Failure(f"no reply to {self.last[:60]!r}") from None

    def ok(self, body):
        check_eq(self.ask(body), b"OK", f"reply to {body!r}")

    def run(self, body):
        """Resume; the thread that stopped, and the packet."""
        return self.stopped(self.ask(body))

    def stopped(self, reply):
        while reply[:1] == b"O" and reply != b"OK":
            reply = self.answer()
        found = re.match(rb"T(\w\w)thread:(\w+);", reply)
        check(found, f"{self.last!r} got {reply[:60]!r}, expected a stop reply")
        return int(found.group(2), 16), reply

    def interrupt(self):
        self.send(b"\x03")
        return self.stopped(self.answer())

    def run_a_while(self):
        self.go(b"vCont;c")
        return self.interrupt()

    def registers(self, number):
        """One register of every thread, by number, as numbers."""
        out, thread = {}, 1
        while self.ask(b"Hg%x" % thread) == b"OK":
            out[thread] = int.from_bytes(bytes.fromhex(self.ask(b"p%x" % number).decode()), "little")
            thread += 1
        return out

    def vanish(self):
        """As a client that was killed: no goodbye, and what was under way is lost."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()


class Torture:
    """The guest, running free, for `with`."""

    def __init__(self, context, cpus=4):
        self.context, self.cpus = context, cpus
        what = flat("smp", "-c", str(cpus))
        out = subprocess.run(["nm", what["symbols"](context)], stdout=subprocess.PIPE, text=True, check=True).stdout
        self.at = {name: int(value, 16) for value, name in re.findall(r"^(\w+) \w (\w+)$", out, re.M)}
        with open(context.guest("smp.bin"), "rb") as f:
            self.sum = sum(f.read(self.at["text_end"] - context.arch.flat["smp"]))
        self.guest = Guest(context, what["args"](context), wait=False)
        try:
            self.guest.console.wait_for(r"\+" * cpus, context.scale(60))
        except BaseException:
            self.__exit__()
            raise

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.guest.__exit__()

    def client(self):
        """A new connection; the server may need a moment to see that the last one is gone."""
        end = time.monotonic() + self.context.scale(10)
        while True:
            try:
                return Client(self.guest.port, self.context.scale(10))
            except (EOFError, OSError):
                check(not self.guest.process.ended.is_set(), "gdbvm lives")
                if time.monotonic() > end:
                    raise
                time.sleep(0.005)

    def words(self, client, name, size, n):
        data = bytes.fromhex(client.ask(b"m%x,%x" % (self.at[name], size * n)).decode())
        return [int.from_bytes(data[i:i + size], "little") for i in range(0, size * n, size)]

    def counts(self, client):
        return self.words(client, "counts", 8, self.cpus)

    def passes(self, client):
        return self.words(client, "passes", 4, self.cpus)

    def run_until(self, client, condition, what):
        end = time.monotonic() + self.context.scale(30)
        while not condition():
            check(time.monotonic() < end, f"{what}: counts {self.counts(client)}, passes {self.passes(client)}")
            client.run_a_while()

    def check_all_count(self, client):
        """Every vCPU goes on counting."""
        before = self.counts(client)
        self.run_until(client, lambda: all(n > o for n, o in zip(self.counts(client), before)), f"all count on {before}")

    def check_unharmed(self):
        """Nothing of us is left: code, debug registers, exceptions that were not the guest's."""
        client = self.client()
        client.stopped(client.ask(b"?"))
        before = self.passes(client)
        self.run_until(client, lambda: all(n > o + 1 for n, o in zip(self.passes(client), before)), "two passes more")
        check_eq(self.words(client, "sums", 4, self.cpus), [self.sum] * self.cpus, "the sums of the code")
        check_eq(self.words(client, "traps", 4, 2), [0, 0], "#DB and #BP in the guest")
        kind = self.context.arch.kind
        if client.ask(b"Z1,%x,%x" % (self.at["finished"], kind)) == b"OK":  # then all debug registers are free
            for i in range(1, self.context.arch.hw_breakpoints):
                client.ok(b"Z1,%x,%x" % (self.at["finished"] + kind * i, kind))
        client.ok(b"D")
        client.close()
