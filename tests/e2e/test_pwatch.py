# SPDX-License-Identifier: LGPL-2.1-or-later
"""Watches on guest-physical memory: whoever writes there, by whatever virtual address, is named."""
import re

from guests import UP, flat, linux
from process import Timeout
from session import check, check_eq, started
from suite import Scene, test

COUNT = Scene(**flat("count"), needs="kvm")
HIT = r"pwatch: vCPU (\d+) wrote (\d+) bytes? at (0x[0-9a-f]+): (0x[0-9a-f]+) -> (0x[0-9a-f]+), from (0x[0-9a-f]+)"


def watch(s, at, length):
    """The only watch from now on."""
    s.cmd("monitor pwatch off")
    return s.cmd(f"monitor pwatch {at:#x} {length:#x}")


def next_hit(s, go="continue"):
    """Run to the next stop; vCPU, size, address, old, new value and pc that the line of text names."""
    mark = len(s.mi.told)
    s.run_to_stop(go, sig="SIGUSR1")
    text = s.mi.told[mark:]
    match = re.search(HIT, text)
    check(match, f"the stop names the writer: {text!r}")
    return [int(v, 0) for v in match.groups()]


@COUNT.test()
def a_watched_counter_stops_the_guest_and_names_the_instruction(s):
    at = s.address("counter")
    check("watching" in watch(s, at, 8), "the list shows it")
    old = s.int("counter")
    for i in range(5):
        vcpu, size, where, before, after, pc = next_hit(s)
        check_eq((vcpu, size, where, before, after), (0, 8, at, old + i, old + i + 1), "vCPU, size, address, values")
        check(s.address("bump") <= pc < s.address("bump") + 32, f"{pc:#x} is in bump")
        check(s.pc() > pc, "the instruction is done")
        check_eq(s.int("counter"), old + i + 1, "the counter")
    check("no physical" in s.cmd("monitor pwatch off"), "nothing is watched any more")
    # far more than a guest in the lab whose writes are still done for it counts in that time
    s.run_until(lambda: s.int("counter") > old + (1 << 17), "the guest does not count at its own pace", 0.3)


@COUNT.test()
def a_write_elsewhere_in_the_page_goes_on_silently(s):
    at = s.address("counter") & ~0xFFF
    used = [s.address(name) for name in ("counter", "small", "area", "shape")]
    free = next(at + 64 * i for i in range(64) if not any(at + 64 * i - 64 < u < at + 64 * i + 64 for u in used))
    watch(s, free, 8)
    before = s.int("counter")
    s.run_until(lambda: s.int("counter") > before, "the guest does not count in the page", 0.3)


@COUNT.test()
def the_debugger_writes_and_breaks_in_a_watched_page(s):
    at = s.address("counter")
    watch(s, at, 8)
    s.cmd("set var counter = 0x1000")
    check_eq(s.int("counter"), 0x1000, "what the debugger wrote")
    check_eq(next_hit(s)[3:5], [0x1000, 0x1001], "values: the debugger's own write is no hit")


@COUNT.test(needs="swbreak")
def breakpoints_in_a_watched_page_are_hit(s):
    watch(s, s.address('multiply'), 16)
    bp = s.brk("multiply")
    for _ in range(3):
        s.cont()
        s.expect_stop(bp=bp, func="multiply")


@COUNT.test()
def steps_and_watches_go_together(s):
    watch(s, s.address('counter'), 1)
    next_hit(s)
    before = s.pc()
    s.stepi()
    check(s.pc() != before, "it steps on")
    next_hit(s, "stepi 1000")  # GDB would not stop in the middle of it for a SIGTRAP


@COUNT.test()
def wrong_words_are_answered_with_what_is_expected(s):
    check("not all of this is RAM" in s.cmd("monitor pwatch 0xfee00000 4"), "a device is no RAM")
    check("length above 0" in s.cmd("monitor pwatch 0x1000 0"), "no length")
    check("is not a length" in s.cmd("monitor pwatch 0x1000 four"), "a word")
    check("missing a length" in s.cmd("monitor pwatch 0x1000"), "no length at all")
    check("0x5000 is not watched" in s.cmd("monitor pwatch off 0x5000"), "nobody watches that")


@COUNT.test(needs="x86")
def a_watch_on_page_tables_in_use_does_no_harm(s):
    """The processor writes its accessed bits there itself."""
    watch(s, 0x1000, 0x6000)
    before = s.int("counter")
    for _ in range(3):
        s.go("continue")
        try:
            s.expect_stop(timeout=s.context.scale(0.3))
        except Timeout:
            s.interrupt()
    check(s.int("counter") > before, "the guest goes on")


def run_code(s, words, **registers):
    """Have the vCPU that GDB looks at go on in these instructions. Returns where they are."""
    code = s.context.arch.scratch
    for number, word in enumerate(words):
        s.cmd(f"set var *(unsigned int *){code + 4 * number:#x} = {word:#x}")
    for register, value in dict(registers, pc=code).items():
        s.cmd(f"set var ${register} = {value:#x}")
    return code


@COUNT.test(needs="arm64")
def an_atomic_instruction_on_a_watched_word_is_named(s):
    at = s.address("counter")
    code = run_code(s, (0xF8210002, 0x17FFFFFF), x0=at, x1=1)  # ldadd x1, x2, [x0]; b .-4
    watch(s, at, 8)
    old = s.int("counter")
    for i in range(3):
        check_eq(next_hit(s)[2:], [at, old + i, old + i + 1, code], "address, values and pc")


@COUNT.test(needs="arm64")
def stores_of_pairs_and_with_writeback_are_named(s):
    """Of these the processor does not tell a hypervisor what they store."""
    at = s.address("counter")
    # 0: add x1, x1, #1; stp x1, xzr, [x0]; add x1, x1, #1; str x1, [x0, #0]!; b 0b
    code = run_code(s, (0x91000421, 0xA9007C01, 0x91000421, 0xF8000C01, 0x17FFFFFC), x0=at, x1=0x100)
    watch(s, at, 8)
    last = s.int("counter")
    for i in range(1, 7):
        check_eq(next_hit(s)[2:], [at, last, 0x100 + i, code + (4 if i % 2 else 12)], "address, values and pc")
        last = 0x100 + i


@test(needs="kvm")
def a_client_that_is_lost_takes_its_watches_along(context):
    with started(context, flat("count")) as s:
        watch(s, s.address('counter'), 8)
        next_hit(s)
        s.cont()
        s.expect_stop(sig="SIGUSR1")
        s.gdb.kill_hard()
        mark = s.console.mark()
        s.wait_console(r"\.", since=mark)
        s.reconnect()
        check("no physical" in s.cmd("monitor pwatch"), "nothing is watched")


@test(needs="kvm")
def a_watch_goes_on_in_a_guest_that_was_reset(context):
    with started(context, flat("count")) as s:
        watch(s, s.address('counter'), 8)
        next_hit(s)
        s.cmd("monitor reset")
        s.cmd("maintenance flush register-cache")
        next_hit(s)


SMP = Scene(**flat("smp", "-c", "4"), needs="kvm")


@SMP.test()
def four_vcpus_that_write_one_page_are_each_named(s):
    to_four_that_count(s)
    counts = s.address("counts")
    for vcpu in (2, 0, 3, 1):
        watch(s, counts + 8 * vcpu, 8)
        for _ in range(3):
            hit = next_hit(s)
            check_eq((hit[0], hit[2]), (vcpu, counts + 8 * vcpu), "vCPU and address")
            check_eq(hit[4], hit[3] + 1, "new value")
        s.cmd("monitor pwatch off")


@SMP.test(needs="x86")
def locked_instructions_on_a_watched_page_lose_nothing(s):
    """Each count is of one vCPU alone, so it never goes back, and all go on."""
    counts = s.address("counts")
    watch(s, counts + 8 * 15, 8)
    before = [s.word(counts + 8 * i, "g") for i in range(4)]

    def all_count():
        now = [s.word(counts + 8 * i, "g") for i in range(4)]
        check(all(b >= a for a, b in zip(before, now)), f"no count goes back: {before} {now}")
        return all(b > a for a, b in zip(before, now))
    s.run_until(all_count, f"not all vCPUs count on from {before}", 0.3)


def to_four_that_count(s):
    s.cont()
    s.wait_console(r"\+.*\+.*\+.*\+", 20)
    s.interrupt()


# 0: prfm pstl1strm, [x0]; 1: ldxr x1, [x0]; add x1, x1, #1; stxr w2, x1, [x0]; cbnz w2, 1b (then 0b); b 0b
EXCLUSIVE = (0xF9800011, 0xC85F7C01, 0x91000421, 0xC8027C01, 0x35FFFFA2, 0x17FFFFFB)
FARTHER_BACK = EXCLUSIVE[:4] + (0x35FFFF82,) + EXCLUSIVE[5:]


def counts_on_by_steps(s, at, code):
    for _ in range(15):
        s.run_to_stop("stepi")
        check(code <= s.pc() < code + 4 * len(EXCLUSIVE), f"the pc is in the loop: {s.pc():#x}")
    check(s.word(at, "g") >= 16, "it counts on by steps, too")


MAPPED = Scene(**flat("smp", "-c", "4"), prepare=to_four_that_count, needs="kvm arm64")


@MAPPED.test()
def a_loop_of_exclusive_instructions_on_a_watched_word_ends(s):
    at = s.context.arch.scratch + 0x100
    for words in (EXCLUSIVE, FARTHER_BACK):
        s.cmd("thread 1")
        s.cmd(f"set var *(long *){at:#x} = 10")
        code = run_code(s, words, x0=at, x1=0, x2=0)
        watch(s, at, 8)
        for i in range(4):
            check_eq(next_hit(s), [0, 8, at, 10 + i, 11 + i, code + 12], "vCPU, size, address, values and pc")
        counts_on_by_steps(s, at, code)
        s.cmd("monitor pwatch off")


@MAPPED.test(needs="hwbreak")
def a_loop_of_exclusive_instructions_under_a_watchpoint_ends(s):
    at = s.context.arch.scratch + 0x100
    for words in (EXCLUSIVE, FARTHER_BACK):
        s.cmd("thread 1")
        s.cmd(f"set var *(long *){at:#x} = 10")
        code = run_code(s, words, x0=at, x1=0, x2=0)
        wp = s.watch(f"*(long *){at:#x}")
        for i in range(4):
            s.cont()
            value = s.expect_stop(watch=wp)["value"]
            check_eq((int(value["old"]), int(value["new"])), (10 + i, 11 + i), "values")
        counts_on_by_steps(s, at, code)
        s.delete(wp)


def into_user_space(s):
    s.cont()
    s.wait_console(UP, 120)
    s.interrupt()


LINUX = Scene(**linux(cpus=4), prepare=into_user_space, needs="kvm swbreak long")


def physical(s, symbol):
    text = s.cmd(f"monitor pt {s.address(symbol):#x}")
    return int(re.search(r"physical (0x[0-9a-f]+)", text).group(1), 16)


@LINUX.test()
def the_writer_of_jiffies_is_the_kernels_timer(s):
    at = physical(s, "jiffies_64")
    watch(s, at, 8)
    last = s.int("jiffies_64")
    for _ in range(5):
        hit = next_hit(s)
        check_eq((hit[1], hit[2], hit[3]), (8, at, last), "size, address and old value")
        check(hit[4] > last, f"jiffies go from {last:#x} to {hit[4]:#x}")
        last = hit[4]
        writer = s.cmd(f"info symbol {hit[5]:#x}")
        check("do_timer" in writer or "tick" in writer, f"jiffies are written by {writer}")
    s.cmd("monitor pwatch off")
    s.run_until(lambda: s.int("jiffies_64") > last, "the kernel does not go on", 1)
