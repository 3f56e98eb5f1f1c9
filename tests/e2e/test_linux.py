# SPDX-License-Identifier: LGPL-2.1-or-later
"""The main job: Debian's stock kernel, from its first instruction to user space, by its source lines."""
import re
import time

from guests import UP, function, linux
from session import check, check_eq, started
from suite import Scene, test


def to_start_kernel(s):
    s.hbrk(function(s, "start_kernel"))
    s.cont()
    s.expect_stop(timeout=s.context.scale(40), reason="breakpoint-hit", func="start_kernel")


def to_user_space(s):
    s.cont()
    s.wait_console(UP)


EARLY = Scene(**linux(cpus=2), prepare=to_start_kernel, needs="hwbreak")
LATE = Scene(**linux(cpus=2), prepare=to_user_space)


@test(needs="hwbreak")
def from_the_first_instruction_to_start_kernel(context):
    with started(context, linux()) as s:
        first = s.pc()
        check(first < 1 << 32, f"the kernel starts in low memory, not at {first:#x}")
        check_eq(s.cmd("x/10i $pc").count("\n"), 10, "lines of x/10i")
        s.stepi()
        check(s.pc() != first, "one instruction was taken")
        to_start_kernel(s)
        check("set_task_stack_end_magic" in s.cmd("list start_kernel,+10"), "GDB shows the kernel's source")
        check("init/main.c" in s.cmd("info line"), "and knows the file")


@test(needs="hwbreak x86")
def a_64_bit_kernel_is_shown_as_one_though_it_starts_in_32_bit_mode(context):
    pvh = dict(linux(), args=lambda c: ["-k", c.kernel("vmlinux"), "-p", "console=ttyS0 panic=-1", "-m", "512"])
    with started(context, pvh) as s:
        check(s.pc() < 1 << 32, "the PVH entry is in low memory")
        check("i386:x86-64" in s.cmd("show architecture"), "GDB agrees with its symbols")
        to_start_kernel(s)


@EARLY.test(needs="swbreak")
def steps_through_start_kernel_by_source_line(s):
    lines = []
    if s.context.arch.name == "arm64":  # over the prologue, with what the compiler has mixed into it
        s.next()
    for _ in range(3):
        stop = s.next()
        check_eq(stop["frame"]["func"], "start_kernel", "function after next")
        lines.append(int(stop["frame"]["line"]))
    check(lines == sorted(set(lines)), f"lines grow: {lines}")


@EARLY.test(needs="swbreak")
def steps_into_a_function_and_finishes_it(s):
    s.tbrk(function(s, "setup_arch"))
    s.cont()
    s.expect_stop(func="setup_arch")
    check("start_kernel" in s.cmd("backtrace"), "start_kernel is the caller")
    s.run_to_stop("finish", timeout=s.context.scale(60), reason="function-finished", func="start_kernel")


@EARLY.test(needs="swbreak")
def breaks_by_source_line_later_in_boot(s):
    bp = s.brk(function(s, "kernel_init_freeable"))
    s.cont()
    s.expect_stop(timeout=s.context.scale(60), bp=bp, func="kernel_init_freeable")
    check("kernel_init" in s.cmd("backtrace"), "kernel_init is the caller")
    s.run_to_stop("advance do_basic_setup", timeout=s.context.scale(60))


@EARLY.test()
def prints_structures_of_the_kernel(s):
    check("swapper" in s.value("init_task.comm"), f"init_task.comm is {s.value('init_task.comm')}")
    check_eq(s.int("init_task.pid"), 0, "init_task.pid")
    check("Linux version 6." in s.cmd("x/s linux_banner") or "Linux version" in s.value("linux_banner"), "linux_banner")
    check("next = " in s.cmd("print init_task.tasks"), "a list head prints with its fields")


@EARLY.test()
def sets_a_variable_and_a_register(s):
    old = s.int("panic_timeout")
    s.cmd("set var panic_timeout = 77")
    check_eq(s.int("panic_timeout"), 77, "panic_timeout")
    s.cmd(f"set var panic_timeout = {old}")
    name = s.context.arch.mark
    old = s.reg(name)
    s.cmd(f"set ${name} = 0xfeed")
    check_eq(s.reg(name), 0xFEED, name)
    s.cmd(f"set ${name} = {old}")


@EARLY.test()
def watches_a_variable_that_changes(s):
    wp = s.watch("jiffies_64")
    old = s.int("jiffies_64")
    s.cont()
    stop = s.expect_stop(timeout=s.context.scale(60), watch=wp)
    check(int(stop["value"]["new"]) > old, "jiffies_64 grew")


@EARLY.test()
def boots_to_user_space_after_all_that(s):
    s.cont()
    s.wait_console(UP, 90)
    s.interrupt()
    check(not re.search(r"soft lockup|rcu.*stall|Oops|BUG:", s.console.text()), "the kernel has nothing to complain about")


@LATE.test()
def two_vcpus_are_two_threads(s):
    check_eq(len(s.threads()), 2, "threads")
    s.cont()
    s.wait_console(r"cpus 2\b", 20)
    s.interrupt()
    bases = []
    for thread in (1, 2):
        s.cmd(f"thread {thread}")
        bases.append((s.reg("gs_base") or s.reg("k_gs_base") if s.context.arch.name == "x86" else s.reg("TPIDR_EL1"), s.reg("sp")))
    check(bases[0] != bases[1], f"each vCPU has its own registers: {bases}")


@LATE.test()
def steps_a_running_kernel(s):
    s.cont()
    s.interrupt()
    if s.context.arch.name == "arm64":  # anywhere else it may be at an LDAR, which GDB does not step
        bp = s.hbrk(function(s, "do_idle"))
        s.cont()
        s.expect_stop(bp=bp)
        s.delete(bp)
    for _ in range(10):
        before = s.pc()
        s.run_to_stop("stepi", reason="end-stepping-range")
        check(s.pc() != before or s.context.arch.idle in s.cmd("x/i $pc") or "rep" in s.cmd("x/i $pc"), f"pc stays at {before:#x}")
    check("#0" in s.cmd("backtrace 3"), "there is a backtrace")


@LATE.test(needs="swbreak")
def breaks_in_the_running_kernel_on_either_vcpu(s):
    known = "tick_sched_timer" in s.cmd("info line tick_sched_timer")
    bp = s.brk(function(s, "tick_sched_timer" if known else "do_idle"))
    for _ in range(6):
        s.cont()
        s.expect_stop(timeout=s.context.scale(30), bp=bp)


@LATE.test(needs="swbreak")
def a_condition_and_a_dprintf_in_the_running_kernel(s):
    s.cmd("set breakpoint condition-evaluation target")
    s.cmd("set dprintf-style agent")
    start = s.int("jiffies_64")
    s.cmd(f'dprintf {function(s, "update_process_times")},"%s %lu\\n",&init_task.comm[0],jiffies_64')
    bp = s.brk(f"run_local_timers if jiffies_64 >= {start + 20}")
    s.mi.told = ""
    s.cont()
    s.expect_stop(timeout=s.context.scale(30), bp=bp)
    check("target evals" in s.cmd("info breakpoints"), "the server evaluates")
    ticks = [int(n) for n in re.findall(r"^swapper/0 (\d+)$", s.mi.told, re.M)]
    now = s.int("jiffies_64")
    check(ticks and len(ticks) == s.mi.told.count("\n"), f"lines of ticks: {s.mi.told!r}")
    check(start <= min(ticks) and max(ticks) <= now and now >= start + 20, f"ticks {ticks} from {start} to {now}")


@LATE.test(needs="swbreak hwbreak x86")
def a_function_of_the_kernel_can_be_called(s):
    """It returns to GDB's breakpoint on a stack from which nothing can be executed."""
    s.tbrk("run_local_timers")
    s.run_to_stop("continue", func="run_local_timers", timeout=s.context.scale(30))
    sp = s.reg("sp")
    first = s.int("(unsigned long)ktime_get()")
    check(0 < first < s.int("(unsigned long)ktime_get()"), "its clock goes on")
    s.brk("*int_sqrt")  # nobody else calls it
    check("stopped while in a function called from GDB" in s.refused("print int_sqrt(1764)"), "a breakpoint in it")
    s.delete()
    s.run_to_stop("finish")
    if s.context.accel == "kvm":
        for i in range(4):
            s.hbrk(f"*startup_64+{i}")
        check("An error occurred while in a function called from GDB" in s.refused("print (unsigned long)ktime_get()"),
              "no debug register is left for the return")
        s.delete()
        s.run_to_stop("finish")
    check_eq(s.reg("sp"), sp, "the stack pointer after the calls")
    check("run_local_timers" in s.cmd("backtrace 1"), "where the guest was")
    s.cont()
    s.expect_no_stop(0.5)
    s.interrupt()
    check("Oops" not in s.console.text(), "the kernel has nothing to complain about")


@LATE.test(needs="hwbreak")
def watches_jiffies(s):
    wp = s.watch("jiffies_64")
    for _ in range(3):
        s.cont()
        s.expect_stop(timeout=s.context.scale(30), watch=wp)


@LATE.test(needs="x86")
def the_monitor_shows_clocks_interrupt_controllers_and_mappings(s):
    check("time stands still" in s.cmd("monitor time"), "time")
    for command, part in (("pic", r"(?i)i/?o ?apic"), ("lapic", r"(?i)lvt"), ("irq", r"\d")):
        out = s.cmd(f"monitor info {command}")
        check(re.search(part, out), f"info {command}: {out!r}")
    if s.context.accel == "kvm":
        s.cmd("thread 2")
        check(re.match(r"local APIC of vCPU 1: ID 1, .* x2?APIC\n", s.cmd("monitor info lapic")), "the local APIC of the other vCPU")
        s.cmd("thread 1")
    page = s.address("linux_banner") & ~0xFFF
    out = s.cmd(f"monitor info tlb {page:#x} 1")
    check(re.match(r"[0-9a-f]{16}: [0-9a-f]{16} r", out), f"info tlb: {out!r}")
    first = "PML5E" if s.reg("cr4") & 1 << 12 else "PML4E"
    check(s.cmd(f"monitor pt {page:#x}").startswith(first), "the walk begins where cr4 says")


@LATE.test(needs="kvm arm64")
def the_interrupt_controller_is_shown_with_what_waits_in_it(s):
    short, whole = s.cmd("monitor info irq"), s.cmd("monitor info vgic")
    check_eq(len(re.findall(r"enabled:.* 27 \(virtual timer\)", short)), 2, f"vCPUs with a timer: {short}")
    check("33 (UART)" in short and "48 (virtio disk)" not in short, f"devices: {short}")
    check(re.match(r"GICv[23] distributor: 64 INTIDs, group 0 \w+, group 1 \w+\n", whole), f"distributor: {whole}")
    check(re.search(r"33 \(SPI 1\) .* 0xa0 +level +enabled .* vCPU 0  UART", whole), f"UART: {whole}")
    check_eq(len(re.findall(r"27 \(PPI 11\) .* 0xa0 +level +enabled .* virtual timer", whole)), 2, f"timers: {whole}")
    check_eq(len(re.findall(r"priority mask 0xf[0-8]", whole)), 2, f"priority masks: {whole}")


@LATE.test(needs="kvm arm64 hwbreak")
def an_interrupt_is_active_while_it_is_handled(s):
    s.brk(function(s, "handle_percpu_devid_irq"))
    s.cont()
    s.expect_stop(timeout=s.context.scale(30), reason="breakpoint-hit")
    vcpu = int(s.value("$_thread")) - 1
    own = re.split(r"vCPU \d+:", s.cmd("monitor info irq"))[vcpu + 1]
    check("active: 27 (virtual timer)" in own or re.search(r"active: \d+\n", own), f"vCPU {vcpu}: {own}")
    own = re.split(r"vCPU \d+:", s.cmd("monitor info vgic"))[vcpu + 1]
    check("running priority 0xa0" in own and re.search(r"(PPI|SGI) \d+\) .* active", own), f"vCPU {vcpu}: {own}")


@LATE.test(needs="kvm x86")
def steps_by_hand_take_no_time_of_the_guests(s):
    s.cont()
    s.interrupt()
    first, begin = s.monitor_time()[0], time.monotonic()
    for _ in range(10):
        s.stepi()
        time.sleep(0.2)
    passed = s.monitor_time()[0] - first
    check(0 <= passed < (time.monotonic() - begin) / 4, f"{passed:.3f} s of the guest's time for ten steps")


@LATE.test(needs="kvm")
def time_may_run_on_if_one_wants(s):
    check("stands still" in s.cmd("monitor time"), "time stands still at first")
    s.cont()
    s.interrupt()
    check("runs on" in s.cmd("monitor time run"), "time can be told to run")
    first = s.monitor_time()[0]
    time.sleep(1)
    check(s.monitor_time()[0] - first >= 1, "its clock runs while the guest is stopped")
    s.cont()
    s.interrupt()
    check(s.monitor_time()[0] - first >= 1, "and is not set back")
    check("stands still" in s.cmd("monitor time freeze"), "time can be told to stand still again")
    first = s.monitor_time()
    check_eq(s.monitor_time(), first, "clocks of one stop")


@LATE.test()
def reads_the_kernels_memory(s):
    check("swapper" in s.value("init_task.comm"), f"init_task.comm is {s.value('init_task.comm')}")
    check(s.int("jiffies_64") > 0, "jiffies_64")


@test(needs="long-on-arm64 long-in-lab")
def a_long_halt_leaves_the_kernel_calm(context):
    """Time stands still while GDB has the guest: the counter goes on where it was, and nobody reports a stall."""
    with started(context, linux(do="count", cpus=2)) as s:
        s.cont()
        s.wait_console(r"count 3\b", 90)
        s.interrupt()
        last = re.findall(r"count (\d+)", s.console.text())[-1]
        s.expect_no_stop(25 / s.context.scale(1))
        s.cont()
        s.wait_console(rf"count {int(last) + 5}\b", 60)
        text = s.console.text()
        check(not re.search(r"soft lockup|rcu.*stall|clocksource.*unstable|hung_task", text), f"console: {text[-400:]}")


@test(needs="long-on-arm64")
def a_client_killed_hard_leaves_the_kernel_counting(context):
    with started(context, linux(do="count")) as s:
        s.cont()
        s.wait_console(r"count 2\b", 90)
        s.gdb.kill_hard()
        last = int(re.findall(r"count (\d+)", s.console.text())[-1])
        s.wait_console(rf"count {last + 10}\b", 60)
        s.reconnect()
        s.detach()
        last = int(re.findall(r"count (\d+)", s.console.text())[-1])
        s.wait_console(rf"count {last + 5}\b", 60)
