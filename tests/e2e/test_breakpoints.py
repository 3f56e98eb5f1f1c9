# SPDX-License-Identifier: LGPL-2.1-or-later
"""Breakpoints where there is no code yet, in code that changes, with conditions, in one process; and no hit is lost."""
import re

from guests import UP, flat, function, linux
from session import check, check_eq, started
from suite import Scene, test

def rows(s):
    """`monitor info breakpoints`: {address: (hits, stops, condition, place)}."""
    out = {}
    for line in s.cmd("monitor info breakpoints").splitlines():
        match = re.match(r"\w+ +(0x[0-9a-f]+) +(\d+) +(\d+)  (\S.*?)  +(.*)", line)
        if match:
            address, hits, stops, condition, place = match.groups()
            out[int(address, 16)] = (int(hits), int(stops), condition, place)
    return out


def place(s, address):
    """In one or two words; the target's own breakpoints (TCG) are where it wants them."""
    return rows(s)[address][3].split(" at ")[0].split(";")[0]


TABLES = ~0xFFF  # of cr3; the rest is the process context

PLACES = Scene(**flat("places"))


# ---- where there is no code yet ----

@PLACES.test(needs="swbreak hwbreak")
def a_breakpoint_where_no_page_is_mapped_is_hit_once_there_is(s):
    late = s.context.arch.late + s.address("late")
    check("annot access" in s.refused(f"x/1xb {late:#x}"), "nothing is mapped there")
    s.cmd("set breakpoint always-inserted on")
    try:
        bp = s.brk(f"*{late:#x}")
        s.cmd("set var *(int *)&map = 1")
        for i in range(3):
            if s.context.accel == "kvm":
                check_eq(place(s, late), "memory" if i else "debug register", f"place before hit {i + 1}")
            s.cont()
            s.expect_stop(bp=bp, pc=late)
            check_eq(s.word(s.address("lates"), "g"), i, "calls of late")
        check_eq(rows(s)[late][:2], (3, 3), "hits and stops")
    finally:
        s.cmd("set breakpoint always-inserted off")


@PLACES.test(needs="hwbreak kvm")
def as_many_breakpoints_as_debug_registers_fit_where_no_page_is_mapped(s):
    start, arch = 0xFFFFFFFF00000000, s.context.arch
    s.cmd("set breakpoint always-inserted on")
    try:
        for i in range(arch.hw_breakpoints):
            s.brk(f"*{start + arch.kind * i:#x}")
        check("annot insert breakpoint" in s.refused(f"break *{start + 0x100:#x}"), "one more is refused")
    finally:
        s.delete()
        s.cmd("set breakpoint always-inserted off")
    s.stepi()


@test(needs="swbreak hwbreak long-on-arm64", cap=240)
def breakpoints_of_a_kernel_can_be_set_at_its_first_instruction(context):
    with started(context, linux(cpus=4)) as s:
        check(s.pc() < 1 << 32, "the kernel has not mapped itself yet")
        bps = {name: s.tbrk(function(s, name)) for name in ("start_kernel", "setup_arch", "rest_init", "kernel_init")}
        for name in bps:
            s.cont()
            s.expect_stop(timeout=s.context.scale(60), reason="breakpoint-hit", func=name)
        check_eq(s.cmd("info breakpoints").strip(), "No breakpoints or watchpoints.", "info breakpoints")
        s.cont()
        s.wait_console(UP, 90)


ROM, ROM_BUMP, BUMP = 0xFFFF0000, 0xFFFF0300, 0x100200  # bench.h: its first instruction, and one that it copies


@test(needs="hwbreak x86")
def a_breakpoint_in_rom_is_hit_and_is_not_copied_with_it(context):
    firmware = {"args": lambda c: ["--firmware", c.guest("bench.bin"), "-m", "16"]}
    with started(context, firmware) as s:
        s.cmd("set breakpoint always-inserted on")
        bp = s.brk(f"*{ROM:#x}")
        s.brk(f"*{ROM_BUMP:#x}")
        check_eq(s.word(ROM_BUMP, "b"), 0x90, "byte in ROM")
        s.cont()
        s.expect_stop(bp=bp, pc=ROM)
        if s.context.accel == "kvm":
            check_eq(place(s, ROM), "debug register", "place of the breakpoint")
        s.cont()
        s.wait_console("R")
        s.interrupt()
        check_eq(s.word(BUMP, "b"), 0x90, "byte that the guest copied from under a breakpoint")


# ---- code that changes ----

def first_instruction(s, address):
    return s.word(address, s.context.arch.nop_size)


@PLACES.test(needs="swbreak")
def a_breakpoint_that_the_guest_overwrites_comes_back(s):
    code = s.address("overwritten")
    s.cmd("set breakpoint always-inserted on")
    try:
        bp = s.brk("*overwritten")
        for _ in range(3):  # the guest copies its template over it, and only then comes there
            s.tbrk("*called")
            s.run_to_stop("continue", func="called")
            check_eq(first_instruction(s, code), s.context.arch.nop, "what GDB sees")
            s.cont()
            s.expect_stop(bp=bp, pc=code)
        s.delete(bp)
        check_eq(first_instruction(s, code), s.context.arch.nop, "what is there after the breakpoint is gone")
    finally:
        s.cmd("set breakpoint always-inserted off")


@PLACES.test(needs="swbreak kvm")  # QEMU's own stub puts back what it has saved
def what_the_guest_wrote_over_a_breakpoint_is_not_undone(s):
    code = s.address("overwritten")
    s.tbrk("*round")
    s.run_to_stop("continue", func="round")
    s.cmd(f"set var *(char *){code:#x} = 0x55")
    s.cmd("set breakpoint always-inserted on")
    try:
        bp = s.brk("*overwritten")
        s.tbrk("*called")
        s.run_to_stop("continue", func="called")
        s.delete(bp)
        check_eq(first_instruction(s, code), s.context.arch.nop, "what the guest has written")
    finally:
        s.cmd("set breakpoint always-inserted off")


@PLACES.test(needs="swbreak")
def code_looks_as_the_guest_wrote_it_with_breakpoints_in(s):
    path = s.context.log_path("code.bin")
    instruction = s.context.arch.break_bytes.replace(" ", " work, +16, ")

    def look():
        s.cmd(f"dump binary memory {path} work work+16")
        with open(path, "rb") as f:
            return s.cmd("x/6i work").replace("=>", "  "), f.read(), s.cmd(f"find {instruction}")
    before = look()
    s.cmd("set breakpoint always-inserted on")
    try:
        s.brk("*work")
        s.brk("*work+8")
        check_eq(look(), before, "x/6i, dump and find with breakpoints in")
        s.cont()
        s.expect_stop(reason="breakpoint-hit")
        check_eq(look(), before, "and after a hit")
    finally:
        s.delete()
        s.cmd("set breakpoint always-inserted off")


# ---- one process ----

@PLACES.test(needs="swbreak")
def a_breakpoint_counts_in_one_address_space(s):
    s.tbrk("*work")
    s.run_to_stop("continue", func="work")
    bp, mark, space = s.brk("*work"), s.context.arch.mark, s.context.arch.space
    roots = [s.word(s.address("roots") + 8 * i, "g") for i in range(2)]
    for number, root in enumerate(roots):
        check(f"{root:#x}" in s.cmd(f"monitor bp-filter {space} {root:#x}"), "the filter is told")
        for _ in range(3):
            s.cont()
            s.expect_stop(bp=bp)
            check_eq((s.reg(mark), s.reg(s.context.arch.root)), (number, root), "number and root of the address space")
    check(f"{roots[1]:#x}" in s.cmd(f"monitor bp-filter {space} current"), "current is that of the stop")
    check("every" in s.cmd("monitor bp-filter off"), "the filter is off")
    seen = set()
    for _ in range(4):
        s.cont()
        s.expect_stop(bp=bp)
        seen.add(s.reg(mark))
    check_eq(seen, {0, 1}, "address spaces without the filter")


@PLACES.test(needs="hwbreak")
def a_watchpoint_counts_in_one_address_space(s):
    s.tbrk("*work") if "swbreak" in s.context.capabilities else s.hbrk("*work")
    s.run_to_stop("continue", func="work")
    s.delete()
    s.watch("*(long *)&rounds")
    s.cmd(f"monitor bp-filter {s.context.arch.space} 0x7000")
    s.cont()
    s.expect_no_stop(0.3)
    s.interrupt()
    s.cmd("monitor bp-filter off")
    s.run_to_stop("continue", reason="watchpoint-trigger")


@test(needs="x86 kvm swbreak long")
def a_breakpoint_counts_in_one_of_two_processes(context):
    """Of Linux, on two vCPUs; both call write() without end."""
    with started(context, linux(do="shell", cpus=2)) as s:
        s.cont()
        s.wait_console(r"[#$] ", 60)
        for _ in range(2):
            s.guest.process.write(b"while :; do echo > /dev/null; done &\n")
        s.guest.process.write(b"echo $((6 * 7)) are started\n")
        s.wait_console("42 are started", 60)
        s.interrupt()
        bp, space = s.brk(function(s, "ksys_write")), context.arch.space

        def process():
            s.cont()
            s.expect_stop(bp=bp)
            return s.reg(context.arch.root) & TABLES

        s.run_to_stop("continue", bp=bp)
        told = s.cmd(f"monitor bp-filter {space} current")
        one = s.reg(context.arch.root) & TABLES
        check(f"{one:#x}"[:-3] in told, f"the filter is that of the stop: {told}")
        check_eq({process() for _ in range(20)}, {one}, "processes that hit it")
        s.cmd("monitor bp-filter off")
        for _ in range(200):
            if process() != one:
                break
        else:
            check(False, "without the filter the other one hits it, too")


# ---- conditions, evaluated here ----

@PLACES.test(needs="swbreak")
def conditions_are_evaluated_by_the_server(s):
    s.cmd("set breakpoint condition-evaluation target")
    work, before = s.address("work"), rows(s).get(s.address("work"), (0, 0))
    # GDB makes no bytecode of symbols without a type
    mark = s.context.arch.mark
    bp = s.brk(f"*work if ${mark} == 1 && *(long *){s.address('rounds'):#x} % 50 == 0")
    for _ in range(3):
        s.cont()
        s.expect_stop(bp=bp)
        check_eq((s.reg(mark), s.int("*(long *)&rounds") % 50), (1, 0), "mark and rounds modulo 50")
    hits, stops, condition, _ = rows(s)[work]
    check_eq((stops - before[1], condition), (3, "yes"), "stops, condition")
    check(hits - before[0] >= 200, f"hits {hits} are those with a false condition, too")


@PLACES.test(needs="swbreak")
def a_condition_that_cannot_be_evaluated_stops(s):
    bp = s.brk("*work if *(char *)0x7fff00000000 == 1")
    s.cont()
    s.expect_stop(pc=s.address("work"))
    s.delete(bp)


@PLACES.test(needs="swbreak")
def temporary_and_ignored_breakpoints_behave(s):
    s.tbrk("*work")
    s.run_to_stop("continue", func="work")
    first = sum(s.word(s.address("worked") + 8 * i, "g") for i in range(2))
    bp = s.brk("*work")
    s.cmd(f"ignore {bp} 7")
    s.cont()
    s.expect_stop(bp=bp)
    now = sum(s.word(s.address("worked") + 8 * i, "g") for i in range(2))
    check_eq(now - first, 8, "calls up to the eighth hit")
    check("already hit 8 times" in s.cmd("info breakpoints"), "GDB has counted eight")


# ---- no hit is lost ----

CPUS = 4
# How many there are in a minute; on arm64 each takes the lab ten times as long.
HITS = {"x86": 100000, "arm64": 20000}
HITS_IN_MEMORY = {"x86": 20000, "arm64": 5000}
STOPS = {"x86": 2000, "arm64": 600}


def run_until_all_count(s):
    s.cont()
    s.wait_console(r"\+" * CPUS)
    s.interrupt()


def counted(s):
    return sum(s.word(s.address("counts") + 8 * i, "g") for i in range(CPUS))


SMP = Scene(**flat("smp", "-c", str(CPUS)), prepare=run_until_all_count)


def hits_at(s, address):
    return rows(s).get(address, (0,))[0]


def run_with_false_condition(s, want):
    """Let the vCPUs come by a breakpoint with a false condition until there are so many hits; guest and engine agree."""
    at = s.address("count_here")
    hits, counts, led = hits_at(s, at), counted(s), 0
    s.brk(f"*count_here if ${s.context.arch.mark} == 0")
    while counted(s) - counts < want:
        led += s.pc() == at  # GDB itself leads a thread off the breakpoint that it stands at
        s.cont()
        s.expect_no_stop(0.1)
        s.interrupt()
    hits, counts = hits_at(s, at) - hits, counted(s) - counts
    check(counts - led <= hits <= counts + CPUS, f"the guest has counted {counts}, the engine {hits} hits ({led} led off)")


def use_up_debug_registers(s):
    for i in range(s.context.arch.hw_breakpoints):
        s.hbrk(f"*finished+{s.context.arch.kind * i}")


@SMP.test(needs="swbreak")
def no_hit_of_a_false_condition_is_lost(s):
    run_with_false_condition(s, 500)


@SMP.test(needs="swbreak long", cap=300)
def no_hit_of_a_long_row_is_lost_on_four_vcpus(s):
    run_with_false_condition(s, HITS[s.context.arch.name] if s.context.accel == "kvm" else 10000)


@SMP.test(needs="swbreak kvm")
def no_hit_is_lost_when_the_breakpoint_is_in_memory(s):
    use_up_debug_registers(s)
    run_with_false_condition(s, 500)
    check_eq(place(s, s.address("count_here")), "memory", "place of the breakpoint")


@SMP.test(needs="swbreak kvm long", cap=300)
def no_hit_of_a_long_row_in_memory_is_lost_on_four_vcpus(s):
    use_up_debug_registers(s)
    run_with_false_condition(s, HITS_IN_MEMORY[s.context.arch.name])


@SMP.test(needs="swbreak long", cap=300)
def no_stop_of_a_long_row_is_lost_on_four_vcpus(s):
    at, stops = s.address("count_here"), STOPS[s.context.arch.name]
    s.tbrk("*count_here")
    s.run_to_stop("continue", pc=at)
    bp, before = s.brk("*count_here"), counted(s)
    hits = hits_at(s, at)
    for _ in range(stops):
        s.cont()
        s.expect_stop(bp=bp)
    grown = counted(s) - before
    check(abs(grown - stops) <= CPUS, f"the guest has counted {grown} with {stops} stops")
    hits = hits_at(s, at) - hits
    # Who had come together with the first one was counted before, and told of later.
    check(hits > stops - CPUS, f"the engine has counted {hits} hits of {stops} stops")


@SMP.test(needs="swbreak")
def a_breakpoint_of_one_thread_stops_that_thread_only(s):
    bp = s.brk("*count_here thread 3")
    for _ in range(2):
        s.cont()
        check_eq(s.expect_stop(bp=bp)["thread-id"], "3", "thread that was stopped")


# ---- a guest that is reset ----

@test(needs="swbreak kvm")
def breakpoints_survive_a_reset_of_the_guest(context):
    with started(context, flat("count")) as s:
        s.cmd("set breakpoint always-inserted on")
        s.cmd("monitor catch reset off")
        bp = s.brk("bump")
        s.cont()
        s.expect_stop(bp=bp)
        s.cmd("set var counter = 5000")
        s.cmd("set var reset = 1")
        for _ in range(10):
            s.cont()
            s.expect_stop(bp=bp)
            if s.int("counter") < 5000:
                break
        check(s.int("counter") < 5000, "the guest has started anew, and the breakpoint is hit in it")
        check(rows(s)[s.address("bump")][0] >= 2, "the count goes on")


# ---- a kernel full of breakpoints ----

# Not what the timer calls: a machine that is slow enough would do nothing else. In the lab's arm64 a hit takes a millisecond
# or two, and what runs by the clock meets the more of them.
HOT = ("vfs_read", "vfs_write", "vfs_open", "handle_mm_fault", "__alloc_pages", "do_exit", "wake_up_process", "path_openat",
       "do_filp_open", "fput", "dput", "mmput")
HOT_OF = {"x86": ("do_syscall_64", "exc_page_fault", "schedule", "__schedule", "try_to_wake_up", "do_mmap", "mmap_region",
                  "mntput"),
          "arm64": ("el0_svc", "do_mem_abort", "begin_new_exec", "filp_close", "wake_up_new_task", "kernel_clone",
                    "do_mmap", "mmap_region")}


@test(needs="swbreak hwbreak kvm long", cap=600)
def a_kernel_boots_through_twenty_breakpoints_with_false_conditions(context):
    with started(context, linux(cpus=4)) as s:
        s.hbrk(function(s, "start_kernel"))
        s.cont()
        s.expect_stop(timeout=s.context.scale(60), func="start_kernel")
        s.delete()
        for name in HOT + HOT_OF[context.arch.name]:
            s.brk(f"*{name} if ${context.arch.stack} == 1")
        s.cont()
        s.wait_console(UP, 300)
        s.interrupt()
        hits = sum(row[0] for row in rows(s).values())
        check(hits > 1000, f"there were {hits} hits")
        check(not re.search(r"soft lockup|rcu.*stall|Oops|BUG:|int3", s.console.text()), "the kernel has no complaint")
