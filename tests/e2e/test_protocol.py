# SPDX-License-Identifier: LGPL-2.1-or-later
"""What GDB never sends. Each gets one error, an empty reply or a closed connection; the guest and the next GDB are well."""
import socket
import time

from guests import flat
from session import Guest, Packets, check, check_eq, started
from suite import test


class Client:
    """A guest with a raw client on it; at the end a real GDB must still work."""

    def __init__(self, context, *more):
        self.context, self.what = context, flat("count", *more)
        self.session = started(context, self.what)
        self.session.detach()

    def __enter__(self):
        self.packets = self.open()
        return self.packets

    def open(self):
        end = time.monotonic() + self.context.scale(10)
        while True:
            packets = Packets(self.session.raw())
            try:
                packets.send(b"+")
                check(packets.ask(b"qSupported:xmlRegisters=i386").startswith(b"PacketSize="), "qSupported is answered")
                return packets
            except (EOFError, ConnectionError):
                packets.close()
                if time.monotonic() > end:
                    raise
                time.sleep(0.1)

    def __exit__(self, kind, error, trace):
        try:
            self.packets.close()
            if kind is None:
                self.session.reconnect()
                before = self.session.int("counter")
                self.session.stepi()
                self.session.cont()
                self.session.interrupt()
                check(self.session.int("counter") >= before, "a real GDB works afterwards")
        finally:
            self.session.close()


def is_error(reply):
    return len(reply) == 3 and reply[:1] == b"E" or reply.startswith(b"E.")


@test()
def malformed_packets_get_one_error_each(context):
    at = context.arch.code
    with Client(context) as client:
        for body in (b"P0=" + b"41" * 8000, b"P0=41", b"P0=", b"P", b"Pffff=00", b"P0=zz", b"p", b"pzz", b"pffffffff",
                     b"G", b"G00", b"G" + b"0" * 30000, b"m", b"m0", b"m,", b"mzz,1", b"m0,zz", b"m%x,8extra" % at,
                     b"mffffffffffffffff1,1", b"M%x,4:0011" % at, b"M%x,4:001122zz" % at, b"M%x" % at, b"X%x,4:a" % at,
                     b"Hg123456", b"Hgzz", b"T80000001", b"T0", b"T999", b"Tzz",
                     b"vCont;x", b"vCont;s:99", b"vCont;", b"qXfer:features:read:nonsense.xml:0,100",
                     b"qXfer:features:read:target.xml:zz", b"Z0,%x" % at, b"Z0,zz,1", b"Z1,1,", b"Z2,%x,0" % at):
            reply = client.ask(body)
            check(is_error(reply) or reply == b"" and body[:1] in b"Zv",
                  f"{body[:40]!r} got {reply[:40]!r}, expected an error")
        check_eq(client.ask(b"Hg0"), b"OK", "reply to Hg0")
        check_eq(client.ask(b"T1"), b"OK", "reply to T1")


@test()
def unknown_packets_get_the_empty_reply(context):
    with Client(context) as client:
        for body in (b"Z5,%x,1" % context.arch.code, b"z9,%x,1" % context.arch.code, b"nonsense", b"qNonsense", b"QNonsense:1", b"vNonsense",
                     b"Jtrash", b"_", b"qTStatus"):
            check_eq(client.ask(body), b"", f"reply to {body!r}")


@test()
def framing_errors_are_nacked_or_skipped(context):
    with Client(context) as client:
        client.send(b"$?#00")  # wrong checksum
        check_eq(client._byte(), b"-", "answer to a wrong checksum")
        client.send(b"+++" + b"$?#3f")
        check(client.reply()[:1] in b"TS", "a stop reply after stray acks")
        for byte in client.frame(b"qC"):  # one byte at a time
            client.send(bytes([byte]))
        check(client.reply().startswith(b"QC"), "a packet in pieces is a packet")
        client.send(b"$m%x,4" % context.arch.code)  # a half packet, and then a whole one
        client.send(client.frame(b"qC"))
        check(client.reply().startswith(b"QC"), "a packet after half a packet")
        client.send(client.frame(b"qC") + client.frame(b"?"))  # two at once
        check(client.reply().startswith(b"QC"), "the first of two packets")
        check(client.reply()[:1] in b"TS", "the second of two packets")


@test()
def the_last_packet_is_sent_again_when_it_was_nacked(context):
    with Client(context) as client:
        client.send(client.frame(b"qC"))
        first = client.reply(ack=False)
        client.send(b"-")
        check_eq(client.reply(), first, "the packet that is sent again")


@test()
def packets_of_the_announced_size_work_and_longer_ones_do_not_harm(context):
    with Client(context) as client:
        size = int(client.ask(b"qSupported").split(b";")[0].split(b"=")[1], 16)
        check(size >= 65536, f"PacketSize is {size}")
        length = (size - 32) // 2
        at = context.arch.scratch
        check_eq(client.ask(b"M%x,%x:" % (at, length) + b"5a" * length), b"OK", "reply to the largest M")
        reply = client.ask(b"m%x,%x" % (at, length))
        check_eq(len(reply), 2 * length, "length of the largest m")
        check_eq(set(reply), set(b"5a"), "bytes that were read")
        check_eq(client.ask(b"X%x,%x:" % (at, 5000) + b"b" * 5000), b"OK", "reply to X")
        check_eq(client.ask(b"m%x,2" % at), b"6262", "bytes that X wrote")
        client.send(b"$" + b"A" * (4 * size) + b"#00")
        client.send(client.frame(b"qC"))
        while True:
            reply = client.reply()
            if reply.startswith(b"QC"):
                break
            check(is_error(reply) or reply == b"", f"an over-long packet got {reply[:20]!r}")


@test()
def partly_mapped_memory_gives_what_is_there(context):
    with Client(context) as client:
        reply = client.ask(b"m%x,20" % (context.arch.ram + (16 << 20) - 16))
        check_eq(len(reply), 32, "digits of what is before the end of RAM")


@test()
def repeated_breakpoint_packets_are_idempotent(context):
    with Client(context) as client:
        at = context.arch.code + 0x100
        where = b"%x,%x" % (at, context.arch.kind)
        before = client.ask(b"m%x,10" % at)
        for body in (b"Z0," + where, b"Z0," + where, b"z0," + where):
            check_eq(client.ask(body), b"OK", f"reply to {body!r}")
        check_eq(client.ask(b"m%x,10" % at), before, "memory after Z Z z")
        check_eq(client.ask(b"z0," + where), b"OK", "reply to another z")
        reply = client.ask(b"Z1," + where)
        if reply == b"OK":
            check_eq(client.ask(b"Z1," + where), b"OK", "Z1 again")
            check_eq(client.ask(b"z1," + where), b"OK", "z1")


@test()
def a_web_page_is_shown_the_door(context):
    what = flat("count")
    with Guest(context, what["args"](context), wait=False) as guest:
        guest.console.wait_for(r"\.", context.scale(20))
        for request in (b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", b"POST /x HTTP/1.1\r\n\r\n$k#6b", b"\x16\x03\x01\x02\x00"):
            with socket.create_connection(("127.0.0.1", guest.port), timeout=context.scale(5)) as sock:
                intruder = Packets(sock)
                intruder.send(request)
                check(intruder.closed(), f"{request[:10]!r} closes the connection")
        guest.console.wait_for(r"\.", context.scale(20), guest.console.mark())


@test()
def packets_while_the_guest_runs(context):
    with Client(context) as client:
        check_eq(client.ask(b"?")[:1] in b"TS", True, "a stop reply")
        client.send(client.frame(b"vCont;c"))
        client.send(client.frame(b"m%x,4" % context.arch.code))
        client.send(client.frame(b"g"))
        client.send(b"\x03")
        end = time.monotonic() + context.scale(10)
        while True:
            reply = client.reply()
            if reply[:3] == b"T02":
                break
            check(is_error(reply) or reply in (b"", b"OK") or len(reply) == 8, f"while running came {reply[:30]!r}")
            check(time.monotonic() < end, "a stop comes")
        check(client.ask(b"qC").startswith(b"QC"), "and the session goes on")


@test()
def connections_that_say_nothing_or_vanish(context):
    what = flat("count")
    with Guest(context, what["args"](context), wait=False) as guest:
        guest.console.wait_for(r"\.", context.scale(20))
        for data in (b"", b"+", b"$", b"$g", b"\x03", b"$?#3f"):
            with socket.create_connection(("127.0.0.1", guest.port), timeout=10) as sock:
                sock.sendall(data)
            guest.console.wait_for(r"\.", context.scale(20), guest.console.mark())
