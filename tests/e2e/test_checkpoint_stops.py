# SPDX-License-Identifier: LGPL-2.1-or-later
"""Checkpoints in GDB: the guest stops behind the instruction that writes one, and the last ones are shown."""
import re

from guests import flat
from session import check, check_eq, started
from suite import Scene, test
from test_smp import CPUS, run_until_all_count

MAP = "0x16 16BIT_MODE\nsequence 0xa1 FOUR a:u8 b:le16\n0xb3b4 WORDS_END\n"
TOLD = r"gdbvm: checkpoint (\d+): (\S+) ?(.*?), (?:port 0x80|address 0x90f0000), vCPU (\d+), pc (0x[0-9a-f]+)"


def codes(context, *more):
    """The guest that writes in every size; GDB stands at its first instruction."""
    names = context.scratch("codes.map")
    with open(names, "w", encoding="ascii") as f:
        f.write(MAP)
    return started(context, flat("codes", "--checkpoint-map", names, *more))


def next_stop(s, go="continue", sig="SIGUSR1", **expected):
    """Run to the next checkpoint; its number, value, what else is told of it, vCPU and pc."""
    mark = len(s.mi.told)
    s.run_to_stop(go, sig=sig, **expected)
    match = re.search(TOLD, s.mi.told[mark:])
    check(match, f"the checkpoint is named: {s.mi.told[mark:]!r}")
    return int(match[1]), match[2], match[3], int(match[4]), int(match[5], 16)


def check_pc(found, instruction, length=2):
    """Where KVM emulates the instruction its record has the address behind it."""
    check(found in (instruction, instruction + length), f"{found:#x} is at {instruction:#x}, or right behind it")


@test(needs="kvm x86")
def a_value_stops_behind_the_instruction_that_wrote_it(context):
    with codes(context) as s:
        check("1  value 0x16, 16BIT_MODE" in s.cmd("monitor checkpoint break 0x16"), "the answer names it")
        number, value, name, vcpu, pc = next_stop(s, pc=s.address("first") + 2)
        check_eq((number, value, name, vcpu), (1, "0x16", "16BIT_MODE", 0), "number, value, name and vCPU")
        check_pc(pc, s.address("first"))
        check_eq(s.reg("rax"), 0x16, "rax")
        check("checkpoint 1: 0x16 16BIT_MODE" in s.cmd("info threads"), "the thread tells it, too")
        s.stepi()
        check_eq((s.pc(), s.reg("rax")), (s.address("first") + 7, 0x11223344), "after the next instruction: pc and rax")
        check("1 time" in s.cmd("monitor checkpoint list"), "hits are counted")


@test(needs="kvm x86")
def steps_stop_at_a_checkpoint_and_say_so(context):
    """GDB takes a SIGTRAP without a reason for the end of a step, and would go on."""
    with codes(context) as s:
        s.cmd("monitor checkpoint break 16BIT_MODE")
        s.cmd("monitor checkpoint break 0x3344")
        s.cmd("monitor checkpoint break 0xa1")
        check_eq(next_stop(s, "stepi 10", pc=s.address("first") + 2)[0], 1, "stepi: number")
        s.stepi()
        check_eq(s.pc(), s.address("first") + 7, "pc after the next step")
        check_eq(next_stop(s, "next 10", pc=s.address("first") + 10)[:2], (2, "0x3344"), "next: number and value")
        s.next()
        check_eq(s.pc(), s.address("first") + 12, "pc after the next line")
        check_eq(next_stop(s, "step 10")[:2], (4, "0xa1"), "step: number and value")
        check("  1     0.000000" in s.cmd("monitor info checkpoints"), "it was written once")


@test(needs="kvm x86 swbreak")
def a_checkpoint_is_told_at_a_breakpoint_on_the_instruction(context):
    """GDB steps off the breakpoint first."""
    with codes(context) as s:
        s.cmd("monitor checkpoint break 0x16")
        bp, behind = s.brk("first"), s.brk(f"*{s.address('first') + 2:#x}")
        s.run_to_stop("continue", bp=bp)
        check_eq(next_stop(s, pc=s.address("first") + 2)[0], 1, "number")
        s.delete(bp)
        s.delete(behind)
        s.next()
        check_eq(s.pc(), s.address("first") + 7, "pc after the next line")


@test(needs="kvm x86 hwbreak")
def a_breakpoint_behind_the_instruction_is_hit_as_well(context):
    with codes(context) as s:
        s.cmd("monitor checkpoint break 0x16")
        mark = len(s.mi.told)
        bp = s.hbrk(f"*{s.address('first') + 7:#x}")
        next_stop(s)
        s.cmd("monitor checkpoint delete all")
        s.cont()
        s.expect_stop(bp=bp, pc=s.address("first") + 7)
        s.delete(bp)
        check_eq(len(re.findall(TOLD, s.mi.told[mark:])), 1, "checkpoints told")


@test(needs="kvm x86")
def elements_of_a_string_stop_and_the_last_are_shown(context):
    with codes(context) as s:
        for value in ("0xa3", "WORDS_END"):
            s.cmd(f"monitor checkpoint break {value}")
        check_eq(next_stop(s)[:2], (6, "0xa3"), "an element")
        check_eq(next_stop(s)[:3], (9, "0xb3b4", "WORDS_END"), "the last word")
        rows = s.cmd("monitor info checkpoints 3").splitlines()
        check_eq([int(row.split()[0]) for row in rows[1:]], [7, 8, 9], "the last three")
        check(rows[-1].endswith("0xb3b4  WORDS_END"), rows[-1])


@test(needs="kvm x86")
def a_sequence_stops_at_its_last_byte(context):
    with codes(context) as s:
        s.cmd("monitor checkpoint break FOUR")
        check_eq(next_stop(s)[:3], (7, "FOUR", "a=0xa2 b=0xa4a3"), "number, name and fields")
        check(re.search(r"0xa1  FOUR a=0xa2 b=0xa4a3\n", s.cmd("monitor info checkpoints")), "the table has it in one row")


@test(needs="kvm x86")
def a_frame_stops_at_its_last_byte(context):
    names = context.scratch("frames.map")
    with open(names, "w", encoding="ascii") as f:
        f.write("record 0x1020 MIDDLE\n")
    with started(context, flat("frames", "--checkpoint-map", names)) as s:
        for what in ("record 0x1010", "MIDDLE", "record memory"):
            s.cmd(f"monitor checkpoint break {what}")
        first = next_stop(s)
        check_eq(first[1:3], ("value", "id=0x1010 value=0x3333333311111111"), "the frame with that id")
        check("id=0x1010 value=0x3333333311111111" in s.cmd("monitor info checkpoints 1"), "it is the last row")
        memory = next_stop(s)
        check(memory[1] == "memory" and memory[2].startswith("address=0x"), f"the frame of that kind: {memory}")
        s.cmd("monitor checkpoint delete 3")
        check_eq(next_stop(s)[1:3], ("MIDDLE", "id=0x1020 value=0x3333333311111111"), "the frame with that name")


@test(needs="kvm x86")
def stops_survive_a_reset(context):
    with codes(context) as s:
        s.cmd("monitor checkpoint break 0x16")
        check_eq(next_stop(s)[0], 1, "number")
        s.cmd("monitor reset")
        s.cmd("maintenance flush register-cache")
        check_eq(next_stop(s)[0], 2, "number after a reset")


@test(needs="kvm x86")
def deleted_stops_do_not_stop(context):
    with codes(context) as s:
        s.cmd("monitor checkpoint break 0x16")
        s.cmd("monitor checkpoint break 0x3344")
        check("0x3344" in s.cmd("monitor checkpoint delete 1"), "the list that is left")
        check_eq(next_stop(s)[1], "0x3344", "the other one")


@test(needs="kvm x86")
def stops_are_exact_where_writes_are_collected_otherwise(context):
    with codes(context, "--checkpoint-mode", "coalesced") as s:
        s.stepi()
        s.stepi()
        s.cmd("monitor checkpoint break 0x3344")
        check_eq(next_stop(s)[:4], (2, "0x3344", "", 0), "number, value, name and vCPU")
        s.cmd("monitor checkpoint delete all")
        s.stepi()
        s.cmd("monitor checkpoint break 0xa1")
        check_eq(next_stop(s)[0], 4, "number")
        vcpus = [row.split()[3] for row in s.cmd("monitor info checkpoints").splitlines()[1:]]
        check_eq(vcpus, ["0", "0", "-", "0"], "vCPUs, where they are known")


@test(needs="kvm arm64")
def a_value_stops_behind_the_store_that_wrote_it(context):
    with codes(context) as s:
        s.cmd("monitor checkpoint break 16BIT_MODE")
        number, value, name, vcpu, pc = next_stop(s, pc=s.address("first") + 4)
        check_eq((number, value, name, vcpu, pc), (1, "0x16", "16BIT_MODE", 0, s.address("first")), "what is told")
        s.stepi()
        check_eq((s.pc(), s.reg("x0")), (s.address("first") + 8, 0x1122334455667788), "after the next instruction: pc and x0")
        s.cmd("monitor checkpoint break 0x7788")
        check_eq(next_stop(s, "stepi 10", pc=s.address("first") + 12)[:2], (2, "0x7788"), "a step over a store names it")
        check("found in code of x86 only" in s.cmd("monitor checkpoint sites"), "no sites")


def write_in_the_loop(s):
    """Have every vCPU write its own number to the port instead of counting."""
    run_until_all_count(s)
    s.cmd(f"set var *(unsigned long *){s.address('count_here'):#x} = 0x90909090909080e6")


WRITING = Scene(**flat("smp", "-c", str(CPUS)), prepare=write_in_the_loop, needs="kvm x86")


@WRITING.test()
def stops_of_several_vcpus_are_told_one_after_the_other(s):
    for vcpu in range(CPUS):
        s.cmd(f"monitor checkpoint break {vcpu}")
    seen = [next_stop(s) for _ in range(10 * CPUS)]
    for number, value, _, vcpu, pc in seen:
        check_eq(int(value, 16), vcpu, f"who wrote number {number}")
        check_pc(pc, s.address("count_here"))
    numbers = sorted(stop[0] for stop in seen)
    check_eq(len(set(numbers)), len(numbers), "each is told once")
    late = set(range(numbers[0], numbers[-1])) - set(numbers)
    check(len(late) < CPUS, f"and none is lost: {late} of {numbers} are still to come")
    s.cmd("monitor checkpoint delete all")


@WRITING.test()
def only_the_vcpu_that_writes_it_stops_for_its_value(s):
    for vcpu in reversed(range(CPUS)):
        s.cmd("monitor checkpoint delete all")
        s.cmd(f"monitor checkpoint break {vcpu}")
        for _ in range(3):
            stop = next_stop(s)
            check_eq((int(stop[1], 16), stop[3]), (vcpu, vcpu), "value and vCPU")
            check_eq(s.pc(), s.address("count_here") + 2, "pc")
    s.cmd("monitor checkpoint delete all")


@test(needs="kvm x86")
def a_client_that_is_lost_takes_its_stops_along(context):
    with started(context, flat("smp", "-c", str(CPUS))) as s:
        write_in_the_loop(s)
        s.cmd("monitor checkpoint break 0")
        next_stop(s)
        s.cont()
        s.expect_stop(sig="SIGUSR1")
        s.gdb.kill_hard()
        s.reconnect()
        check("stops at no checkpoint" in s.cmd("monitor checkpoint"), "nothing stops it any more")

        def last():
            return int(s.cmd("monitor info checkpoints 1").splitlines()[1].split()[0])
        before = last()
        s.run_until(lambda: last() > before, "it does not go on writing", 0.3)


@test(needs="tcg x86")
def a_guest_that_cannot_stop_there_says_so(context):
    with started(context, flat("real")) as s:
        for command in ("checkpoint break 0x16", "info checkpoints"):
            check("that takes gdbvm run on KVM" in s.cmd(f"monitor {command}"), command)


@test(needs="x86")
def sites_of_the_guest_are_listed(context):
    with started(context, flat("modes", "--checkpoint-map", "ovmf")) as s:
        rows = s.cmd("monitor checkpoint sites").splitlines()
        check_eq([row.split()[1] for row in rows], ["0x16", "0x32", "0x33", "0x36", "0x64", "0xd0"], "values")
        check(rows[0].endswith("  0x16  16BIT_MODE") and rows[4].endswith("  0x64  64BIT_MODE"), "names")
        check_eq(int(rows[0].split()[0], 16), s.address("at_real") + 2, "the first one")


@test(needs="x86 hwbreak")
def a_site_is_told_where_a_step_ends_at_it(context):
    """GDB steps off a breakpoint by itself, and goes on."""
    with started(context, flat("modes", "--checkpoint-map", "ovmf")) as s:
        s.cmd("set var *(int *)&go = 5")
        bp = s.hbrk("*at_real")
        s.run_to_stop("continue", bp=bp)
        check("16BIT_MODE  stops" in s.cmd("monitor checkpoint sites on"), "the site behind the breakpoint stops")
        mark = len(s.mi.told)
        s.run_to_stop("continue", sig="SIGUSR1", pc=s.address("at_real") + 2)
        check("0x16 16BIT_MODE" in s.mi.told[mark:], "the site is named")
        s.delete(bp)
        s.run_to_stop("continue", sig="SIGUSR1")
        check("0x32 32BIT_MODE" in s.mi.told[mark:], "and so is the next one")


@test(needs="x86 hwbreak")
def sites_stop_in_every_mode_before_any_page_is_mapped(context):
    with started(context, flat("modes", "--checkpoint-map", "ovmf")) as s:
        rows = s.cmd("monitor checkpoint sites on").splitlines()
        places = [int(row.split()[0], 16) for row in rows if row.endswith("  stops")]
        if context.accel == "kvm":
            check_eq((len(places), rows[0]), (4, "no debug register is left for 2 of them"), "as many as there are registers")
        s.cmd("set var *(int *)&go = 5")
        for value, place in zip((0x16, 0x32, 0x33, 0x36), places):
            mark = len(s.mi.told)
            s.run_to_stop("continue", sig="SIGUSR1", pc=place)
            check(f"site {place:#x}: {value:#x} " in s.mi.told[mark:], f"the site is named: {s.mi.told[mark:]}")
            check_eq(s.reg("eax") & 0xFF, value, "what it is about to write")
        check("stops" not in s.cmd("monitor checkpoint sites off"), "none stops any more")
        s.cont()
        s.interrupt()


LOOP, ABOVE = 0x100380, 1 << 32  # bench.S: writes, a '.' and hlt; all of it is mapped above 4 GiB, too


@test(needs="kvm x86")
def the_pc_is_told_below_and_above_4_gib(context):
    """Above, KVM is asked for no segments with an exit: the first write elsewhere is where that was wrong."""
    bench = {"args": lambda c: ["--firmware", c.guest("bench.bin"), "-m", "16", "--checkpoints", "/dev/null"]}
    places = (0, ABOVE, 0, ABOVE)
    with started(context, bench) as s:
        s.cont()
        s.wait_console("R")
        s.interrupt()
        s.detach()
        s.reconnect()  # in 64-bit mode now
        for base in places:
            s.cmd("set $rcx = 5")
            s.cmd(f"set $pc = {LOOP + base:#x}")
            s.stepi()  # out of hlt
            mark = s.guest.console.mark()
            s.cont()
            s.guest.console.wait_for(r"\.", context.scale(30), mark)
            s.interrupt()
        rows = s.cmd("monitor info checkpoints 20").splitlines()[1:]
        check_eq(len(rows), 20, "rows")
        for row, base in zip(rows, [base for base in places for _ in range(5)]):
            check_pc(int(row.split()[4], 16), LOOP + base)
