# SPDX-License-Identifier: LGPL-2.1-or-later
"""Conditions and commands of breakpoints, evaluated in the server."""
import re
import time

from guests import flat
from session import Packets, check, check_eq, started
from suite import Scene, test


def use_target(s):
    s.cmd("set breakpoint condition-evaluation target")
    s.cmd("set dprintf-style agent")


CPUS = 4
COUNT = Scene(**flat("count"), prepare=use_target, needs="swbreak")


def until_all_count(s):
    use_target(s)
    s.cont()
    s.wait_console(r"\+" * CPUS)
    s.interrupt()


SMP = Scene(**flat("smp", "-c", str(CPUS)), prepare=until_all_count, needs="swbreak")


class Wire:
    """What crosses the wire from now on, as GDB logs it."""

    def __init__(self, s):
        self.path, self.start = s.wire, len(self.read(s.wire))

    @staticmethod
    def read(path):
        with open(path, errors="replace") as f:
            return f.read()

    def text(self):
        return self.read(self.path)[self.start:]

    def stops(self, signal=""):
        return len(re.findall(rf"^r .*\$T0{signal}", self.text(), re.M))


@COUNT.test()
def a_false_condition_costs_gdb_nothing(s):
    target = s.int("counter") + 500
    bp = s.brk(f"bump if counter == {target}")
    wire = Wire(s)
    s.cont()
    s.expect_stop(bp=bp, func="bump")
    check_eq(s.int("counter"), target, "counter")
    check(re.search(r"Z0,[0-9a-f]+,[14];X", wire.text()), "the condition went to the server")
    check_eq(wire.stops(), 1, "stop replies")
    check("target evals" in s.cmd("info breakpoints"), "GDB says who evaluates")


@COUNT.test()
def conditions_see_arguments_registers_and_memory(s):
    (first, second), pc = s.context.arch.arguments, s.context.arch.pc
    for condition in ("a == 3 && b == 4", f"${first} == 3", f"(int)${second} == 4 || ${pc} == 99", "*shape.name == 114",
                      "shape.name[8] == 101 && area >= 0", "(counter & 7) == 5", f"${pc} == (unsigned long)&multiply + 0x10000"):
        at = "*multiply" if "$" in condition else "multiply"
        bp = s.brk(f"{at} if {condition}")
        s.cont()
        if "0x10000" in condition:
            s.expect_no_stop(0.2)
            s.interrupt()
        else:
            s.expect_stop(bp=bp, func="multiply")
            check(s.int(condition), f"{condition} holds")
        check("target evals" in s.cmd("info breakpoints"), f"{condition} is evaluated by the server")
        s.delete(bp)


@COUNT.test()
def a_condition_that_never_holds_lets_the_guest_run(s):
    s.brk("bump if shape.height == 5")
    before = s.int("counter")
    s.run_until(lambda: s.int("counter") > before, "the guest does not go on", 0.3)


@COUNT.test()
def a_condition_can_be_changed_and_dropped(s):
    bp = s.brk("bump if counter == 1")
    s.cont()
    s.expect_no_stop(0.2)
    s.interrupt()
    start = s.int("counter")
    s.cmd(f"condition {bp} counter >= {start + 30}")
    s.cont()
    s.expect_stop(bp=bp)
    check_eq(s.int("counter"), start + 30, "counter with the new condition")
    s.cmd(f"condition {bp}")
    s.cont()
    s.expect_stop(bp=bp)
    check_eq(s.int("counter"), start + 31, "counter without a condition")


def interrupt_while_gdb_goes_on(s):
    """Each Ctrl-C stops the guest: five of them, and until GDB has gone on by itself from stops of the guest's own."""
    wire, rounds, end = Wire(s), 0, time.monotonic() + s.context.scale(30)
    while rounds < 5 or wire.stops(5) < 8:
        check(time.monotonic() < end, f"GDB went on from {wire.stops(5)} stops of the guest's own in {rounds} rounds")
        s.cont()
        s.expect_no_stop(0.1)
        s.interrupt()
        rounds += 1


@COUNT.test()
def ctrl_c_gets_through_while_gdb_goes_on_by_itself(s):
    """GDB evaluates a condition that is always false: most of the time the guest is stopped when one types it."""
    s.cmd("set breakpoint condition-evaluation host")
    s.brk("bump if counter == 0x7fffffffffffffff")
    interrupt_while_gdb_goes_on(s)
    s.cont()
    s.interrupt()
    s.delete()
    s.cont()
    s.expect_no_stop(0.2)
    s.interrupt()
    use_target(s)


@COUNT.test()
def ctrl_c_gets_through_while_gdb_watches_by_single_steps(s):
    s.cmd("set can-use-hw-watchpoints 0")
    s.watch("shape.height")
    interrupt_while_gdb_goes_on(s)
    s.delete()
    s.cmd("set can-use-hw-watchpoints 1")


@COUNT.test()
def of_two_conditions_at_one_place_each_stops(s):
    start = s.int("counter")
    for count in (40, 20):
        s.brk(f"bump if counter == {start + count}")
    late = s.int("$bpnum") - 1
    for bp, count in ((late + 1, 20), (late, 40)):
        s.cont()
        s.expect_stop(bp=str(bp))
        check_eq(s.int("counter"), start + count, "counter")


@COUNT.test()
def ignore_counts_count_what_the_condition_lets_through(s):
    start = (s.int("counter") | 1) + 1
    bp = s.brk(f"bump if counter >= {start} && counter % 2 == 0")
    s.cmd(f"ignore {bp} 3")
    s.cont()
    s.expect_stop(bp=bp)
    check_eq(s.int("counter"), start + 6, "counter at the fourth hit")


@COUNT.test()
def a_temporary_breakpoint_waits_for_its_condition(s):
    target = s.int("counter") + 25
    s.tbrk(f"bump if counter == {target}")
    s.cont()
    s.expect_stop(reason="breakpoint-hit", func="bump")
    check_eq(s.int("counter"), target, "counter")
    check("No breakpoints" in s.cmd("info breakpoints"), "it is gone")


@COUNT.test()
def a_thread_specific_breakpoint_has_a_condition_too(s):
    target = s.int("counter") + 25
    bp = s._break(f"break bump thread 1 if counter == {target}")
    s.cont()
    s.expect_stop(bp=bp)
    check_eq(s.int("counter"), target, "counter")


@COUNT.test(needs="hwbreak")
def a_hardware_breakpoint_has_a_condition(s):
    target = s.int("counter") + 300
    wire = Wire(s)
    bp = s.hbrk(f"bump if counter == {target}")
    s.cont()
    s.expect_stop(bp=bp, func="bump")
    check_eq(s.int("counter"), target, "counter")
    check(wire.stops() <= 2, f"stop replies: {wire.stops()}")  # one may be a step off the former breakpoint


@COUNT.test()
def dprintf_prints_right_values_in_order_and_count(s):
    start = s.int("counter")
    s.cmd('dprintf bump,"count %lu: %s is %dx%d, %#x%c\\n",counter,shape.name,shape.width,shape.height,small,33')
    bp = s.brk(f"multiply if counter == {start + 12}")
    wire = Wire(s)
    s.mi.told = ""
    s.cont()
    s.expect_stop(bp=bp, func="multiply")
    lines = s.mi.told.splitlines()
    numbers = [int(re.match(r"count (\d+): rectangle is 3x4, (?:0x[0-9a-f]+|0)!$", line)[1]) for line in lines]
    first = numbers[0]
    check(first in (start, start + 1), f"the first count is {first}, the guest was at {start}")
    check_eq(numbers, list(range(first, start + 12)), "counts")
    check(";cmds:" in wire.text(), "the commands went to the server")
    check(wire.stops() <= 2, f"stop replies: {wire.stops()}")  # one may be a step off the former breakpoint
    s.mi.told = ""
    s.delete()
    s.cont()
    s.expect_no_stop(0.2)
    s.interrupt()
    check_eq(s.mi.told, "", "text after the deletion")


@COUNT.test()
def dprintf_has_a_condition(s):
    start = s.int("counter")
    s.cmd('dprintf bump,"<%lu>",counter')
    s.cmd(f"condition $bpnum counter % 10 == 0 && counter > {start}")
    bp = s.brk(f"multiply if counter == {start + 35}")
    s.mi.told = ""
    s.cont()
    s.expect_stop(bp=bp)
    check_eq(s.mi.told, "".join(f"<{n}>" for n in range(start + 1, start + 35) if n % 10 == 0), "text")


def counts(s):
    return [s.word(s.address("counts") + 8 * i, "g") for i in range(CPUS)]


@SMP.test()
def a_condition_holds_on_one_of_four_vcpus(s):
    before, grown, stops = counts(s), [0], 0
    bp = s.brk(f"count_here if ${s.context.arch.mark} == 0x1002")
    while stops < 20 or (not all(grown) and stops < 200):
        s.cont()
        check_eq(s.expect_stop(bp=bp)["thread-id"], "3", "thread of the stop")
        stops += 1
        grown = [now - old for now, old in zip(counts(s), before)]
    check(stops - 1 <= grown[2] <= stops and all(grown), f"the vCPUs have counted {grown} in {stops} stops of the third")


@SMP.test()
def what_four_vcpus_print_is_whole_and_complete(s):
    """Each count of each vCPU is printed once, in order, up to the one where the guest is stopped."""
    at, first, mark = s.address("counts"), counts(s), s.context.arch.mark
    s.cmd(f'dprintf count_here,"%d %lu\\n",(int)${mark} - 0x1000,'
          f'*(unsigned long *)({at:#x} + 8 * ((unsigned long)${mark} - 0x1000))')
    s.mi.told = ""
    s.cont()
    s.wait_told(r"(?s)(\d+ \d+\n){400}")
    for vcpu in range(CPUS):
        s.wait_told(rf"(?m)^{vcpu} \d+$")
    s.interrupt()
    seen = [[] for _ in range(CPUS)]
    for line in s.mi.told.splitlines():
        match = re.fullmatch(r"([0-3]) (\d+)", line)
        check(match, f"a line of its own: {line!r}")
        seen[int(match[1])].append(int(match[2]))
    for old, numbers, now in zip(first, seen, counts(s)):
        check_eq(numbers, list(range(numbers[0], numbers[0] + len(numbers))), "counts printed")
        check(numbers[0] - old in (0, 1) and now - numbers[-1] in (0, 1), f"{old} to {now}, printed {numbers[0]} to {numbers[-1]}")


@test(needs="swbreak")
def a_condition_on_memory_that_is_not_there_stops(context):
    with started(context, flat("count")) as s:  # GDB's wire log ends with the error that it makes of this
        use_target(s)
        bp = s.brk("bump if *(int *)0x7fff00000000 == 1")
        s.cont()
        s.expect_stop(bp=bp, func="bump")
        check("condition" in s.mi.told, f"the server says why: {s.mi.told!r}")


@test(needs="swbreak")
def commands_end_with_their_client(context):
    with started(context, flat("count")) as s:
        use_target(s)
        code = s.cmd("x/4xb bump")
        s.cmd('dprintf bump,"here\\n"')
        s.cont()
        s.wait_told(r"here\n")
        s.gdb.kill_hard()
        mark = s.guest.console.mark()
        s.guest.console.wait_for(r"\.", context.scale(30), mark)
        s.reconnect()
        check_eq(s.cmd("x/4xb bump"), code, "code at the former breakpoint")
        before = s.int("counter")
        s.run_until(lambda: s.int("counter") > before, "the guest does not go on", 0.2)


def ask_until_stop(packets, body):
    """Resume; the texts and the stop reply."""
    reply, texts = packets.ask(body), []
    while reply.startswith(b"O"):
        texts.append(bytes.fromhex(reply[1:].decode()))
        reply = packets.reply()
    return b"".join(texts), reply


@test(needs="swbreak")
def an_endless_expression_ends(context):
    """Round and round, with and without reading memory and printing; none holds the guest or the server up."""
    with started(context, flat("count")) as s:
        at = s.address("bump")
        s.detach()
        packets = Packets(s.raw())
        packets.send(b"+")
        packets.ask(b"qSupported:swbreak+")
        for code in ("210000", "22011729210000", "22002200340000027800210000"):
            kind = context.arch.kind
            check_eq(packets.ask(b"Z0,%x,%x;X%x,%s" % (at, kind, len(code) // 2, code.encode())), b"OK", "reply to Z0")
            text, reply = ask_until_stop(packets, b"vCont;c")
            check(reply.startswith(b"T05"), f"the guest stops: {reply}")
            check(b"condition" in text, f"the server says why: {text}")
        check_eq(packets.ask(b"Z0,%x,%x;cmds:0,X3,210000" % (at, kind)), b"OK", "reply to Z0 with a command")
        packets.send(packets.frame(b"vCont;c"))
        check(b"command" in bytes.fromhex(packets.reply()[1:].decode()), "a command that does not end says so")
        packets.send(b"\x03")
        while (reply := packets.reply()).startswith(b"O"):
            pass
        check(reply.startswith(b"T02"), f"the guest can be stopped: {reply}")
        packets.close()
        s.reconnect()
        before = s.int("counter")
        s.cont()
        s.interrupt()
        check(s.int("counter") >= before, "a real GDB works afterwards")


def print_to_nobody(packets, counter, pause):
    """The guest prints for a while and nobody reads, then somebody does and stops it.

    Returns the text, how much of it came before `counter` was read, and its value."""
    packets.send(packets.frame(b"vCont;c"))
    time.sleep(pause)  # what is tested: that nobody reads
    packets.send(packets.frame(b"m%x,8" % counter))
    packets.send(b"\x03")
    said, before, counts = b"", 0, 0
    while not (reply := packets.reply(ack=False)).startswith(b"T"):
        if reply.startswith(b"O"):
            said += bytes.fromhex(reply[1:].decode())
        else:
            before, counts = len(said), int.from_bytes(bytes.fromhex(reply.decode()), "little")
    check(reply.startswith(b"T02"), f"the guest can be stopped: {reply}")
    return said, before, counts


@test(needs="swbreak long")
def a_client_that_does_not_read_loses_text_and_nothing_else(context):
    """4000 bytes at each count, and for a while nobody takes them."""
    with started(context, flat("count")) as s:
        at, counter = s.address("bump"), s.address("counter")
        s.detach()
        packets = Packets(s.raw())
        packets.send(b"+")
        packets.ask(b"qSupported:swbreak+")
        packets.ask(b"QStartNoAckMode")
        text = b"x" * 4000
        code = b"220022003400%04x%s0027" % (len(text) + 1, text.hex().encode())
        check_eq(packets.ask(b"Z0,%x,%x;cmds:0,X%x,%s" % (at, context.arch.kind, len(code) // 2, code)), b"OK", "reply to Z0")
        packets.ask(b"Qqemu.PhyMemMode:1")  # memory can be read while the guest runs
        said, all_said, pause = b"", 0, 1
        while b"were dropped" not in said:  # a slow guest takes longer to fill what is on the way to the client
            check(pause <= 16, f"{len(said)} bytes of text, and no word about the rest")
            said, before, counts = print_to_nobody(packets, counter, context.scale(pause))
            check(len(said) < 16 << 20, f"{len(said)} bytes of text for who does not read")
            before, all_said, pause = all_said + before, all_said + len(said), 2 * pause
        check(counts * len(text) > before, f"the guest has counted to {counts}, with {before} bytes of text")
        packets.close()
        s.reconnect()
