# SPDX-License-Identifier: LGPL-2.1-or-later
"""Watchpoints: every length and alignment, several at once, with steps, breakpoints and vCPUs between them."""
from guests import flat
from session import Packets, check, check_eq, started
from suite import Scene, test

COUNT = Scene(**flat("count"), needs="hwbreak")
FIELD = 40


def old_and_new(stop):
    value = stop["value"]
    return tuple(int(value[key].split()[0], 0) for key in ("old", "new"))


@COUNT.test()
def each_length_shows_the_old_and_the_new_value(s):
    for type_ in ("unsigned char", "unsigned short", "unsigned int", "unsigned long"):
        wp = s.watch(f"*({type_} *)&counter")
        old = s.int(f"*({type_} *)&counter")
        for i in range(2):
            s.cont()
            check_eq(old_and_new(s.expect_stop(watch=wp, func="bump")), (old + i, old + i + 1), f"values of {type_}")
        s.delete(wp)


@COUNT.test()
def an_access_watchpoint_sees_reads(s):
    wp = s.awatch("shape.height")
    s.cont()
    stop = s.expect_stop(watch=wp, func="measure")
    check_eq(set(stop["value"].values()), {"4"}, "the value that was read")
    s.delete(wp)


@COUNT.test()
def a_read_watchpoint_sees_reads_and_no_writes(s):
    """x86 has none; GDB makes it of an access watchpoint."""
    wp = s._break("rwatch shape.height")
    for _ in range(2):
        s.cont()
        s.expect_stop(reason="read-watchpoint-trigger", func="measure")
    s.delete(wp)


@COUNT.test(needs="kvm")
def odd_ranges_are_watched_to_the_byte(s):
    """Unaligned, over several debug registers: each byte inside stops the guest, the ones beside it do not."""
    field = s.address("field")
    for first, length in ((1, 3), (3, 5), (7, 9), (5, 12), (0, 15)):
        wp = s.watch(f"*(unsigned char (*)[{length}])({field + first:#x})")
        hit = []
        for _ in range(length):
            s.cont()
            s.expect_stop(watch=wp, func="scatter")
            hit.append(s.int("counter") % FIELD - first)
        check_eq(sorted(hit), list(range(length)), f"bytes of {first}+{length} that stopped the guest")
        s.delete(wp)


@COUNT.test(needs="kvm")
def the_stop_names_the_part_that_was_written(s):
    field = s.address("field") & ~7
    wp = s.watch(f"*(unsigned char (*)[32])({field:#x})")
    for _ in range(3):
        s.cont()
        s.expect_stop(watch=wp)
        written = s.address("field") + s.int("counter") % FIELD
        with open(s.wire) as f:
            told = int(f.read().rsplit("watch:", 1)[1].split(";", 1)[0], 16)
        check(told <= written < told + 8, f"{told:#x} is the word that has {written:#x}")
    s.delete(wp)


@COUNT.test(needs="kvm x86")
def what_no_register_can_watch_is_an_error(s):
    s.detach()
    p = Packets(s.raw())
    at = 0x100000
    check_eq(p.ask(b"Z3,%x,4" % at), b"", "reads alone: no such thing on x86")
    for bad in (b"Z2,%x,0" % at, b"Z2,%x,21" % at, b"Z2,%x,20" % (at + 1), b"Z4,%x,1000" % at):
        check(p.ask(bad).startswith(b"E"), f"{bad} is an error")
    check_eq(p.ask(b"Z2,%x,8" % (at + 1)), b"OK", "an odd place takes several registers")
    check(p.ask(b"Z2,%x,4" % (at + 0x101)).startswith(b"E"), "and none is left for another odd one")
    check_eq(p.ask(b"z2,%x,8" % (at + 1)), b"OK", "it goes")
    p.close()
    s.reconnect()


@COUNT.test()
def two_watchpoints_that_one_instruction_hits(s):
    first, second = s.watch("counter"), s.watch("*(unsigned int *)&counter")
    before = s.int("counter")
    s.cont()
    stop = s.expect_stop(func="bump")
    check(stop["wpt"]["number"] in (first, second), "one of the two is named")
    check_eq(s.int("counter"), before + 1, "and nothing else has run")
    s.delete(first)
    s.cont()
    check_eq(old_and_new(s.expect_stop(watch=second, func="bump"))[1], (before + 2) & 0xFFFFFFFF, "the other goes on")
    s.delete(second)


@COUNT.test(needs="swbreak")
def a_breakpoint_on_the_instruction_that_writes(s):
    wp = s.watch("counter")
    s.cont()
    s.expect_stop(watch=wp)
    code = [line.split()[0 if not line.startswith("=>") else 1] for line in s.cmd("disassemble bump").splitlines()
            if "0x" in line]
    places = [int(word, 16) for word in code]
    writes = places[places.index(s.pc()) - 1]
    bp = s.brk(f"*{writes:#x}")
    for _ in range(2):
        old = s.int("counter")
        s.cont()
        s.expect_stop(bp=bp, pc=writes)
        check_eq(s.int("counter"), old, "not written yet")
        s.cont()
        check_eq(old_and_new(s.expect_stop(watch=wp)), (old, old + 1), "values")
    s.delete()


@COUNT.test(needs="swbreak")
def a_breakpoint_right_behind_the_write(s):
    wp = s.watch("counter")
    s.cont()
    s.expect_stop(watch=wp)
    s.brk(f"*{s.pc():#x}")
    for _ in range(2):
        old = s.int("counter")
        s.cont()
        s.expect_stop(func="bump")
        check_eq(s.int("counter"), old + 1, "one count between two stops")
    s.delete()


@COUNT.test(needs="swbreak")
def a_watch_on_a_local_variable_ends_with_its_function(s):
    s.tbrk("scatter")
    s.cont()
    s.expect_stop(func="scatter")
    wp = s.watch("local")
    reasons = []
    for _ in range(6):
        s.cont()
        stop = s.expect_stop()
        reasons.append(stop.get("reason"))
        if reasons[-1] == "watchpoint-scope":
            break
    check_eq(reasons[-1], "watchpoint-scope", f"reasons of the stops: {reasons}")
    check("watchpoint-trigger" in reasons, "it was written before")
    check_eq(stop.get("wpnum"), wp, "number")


@COUNT.test()
def a_watch_by_location_outlives_the_frame(s):
    wp = s.watch("-l shape.width")
    s.cont()
    s.expect_no_stop(0.2)
    s.interrupt()
    s.cmd("set var shape.width = 3")
    s.delete(wp)


@COUNT.test()
def a_watchpoint_is_hit_while_stepping(s):
    wp = s.watch("counter")
    s.cont()
    s.expect_stop(watch=wp)
    old = s.int("counter")
    for _ in range(400):
        s.go("stepi")
        stop = s.expect_stop()
        if "wpt" in stop:
            break
    check_eq(old_and_new(stop), (old, old + 1), "values")
    s.delete(wp)


def to_four_vcpus(s):
    s.cont()
    s.wait_console(r"\+.*\+.*\+.*\+", 20)
    s.interrupt()


FOUR = Scene(**flat("smp", "-c", "4"), prepare=to_four_vcpus, needs="hwbreak")


@FOUR.test()
def the_vcpu_that_wrote_is_named(s):
    for vcpu in (3, 1, 2, 0):
        wp = s.watch(f"*(unsigned long *)({s.address('counts') + 8 * vcpu:#x})")
        for _ in range(2):
            s.cont()
            stop = s.expect_stop(watch=wp)
            check_eq(stop["thread-id"], str(vcpu + 1), "the thread")
            check_eq(s.reg(s.context.arch.mark), 0x1000 + vcpu, "its own mark")
        s.delete(wp)


@test(needs="hwbreak kvm")
def a_lost_client_leaves_no_debug_register_behind(context):
    with started(context, flat("count")) as s:
        for _ in range(3):
            for i in range(4):
                s.watch(f"*(unsigned char *)({s.address('field') + 2 * i:#x})")
            s.cont()
            s.expect_stop()  # all four were put in
            s.cont()
            s.gdb.kill_hard()
            s.reconnect()
        s.cont()
        s.expect_no_stop(0.2)
        s.interrupt()
