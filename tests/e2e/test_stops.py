# SPDX-License-Identifier: LGPL-2.1-or-later
"""Stops that no breakpoint makes - a panic, a reset, a crash, a vCPU that comes online - and what comes after them."""
import signal

from guests import UP, flat, function, linux
from session import Gdb, Guest, check, check_eq, started
from suite import Scene, test


def mark_runs(s, text):
    mark = s.console.mark()
    s.wait_console(r"\.", 20, mark)
    check(not s.guest.process.ended.is_set(), f"the guest runs {text}")


def make(s, what, **stop):
    """Have the guest do something that stops it."""
    s.cmd(f"set var {what} = 1")
    return s.run_to_stop("continue", **stop)


def registers_memory_backtrace(s):
    """What post-mortem needs."""
    check(s.pc() > 0 and s.reg("sp") > 0, "registers are readable")
    check(s.int("shape.width") == 3, "variables are readable")
    check(s.context.arch.pc in s.cmd("monitor info registers"), "monitor shows registers")
    check("vCPU 0" in s.cmd("monitor info vcpus"), "monitor shows vCPUs")


COUNT = Scene(**flat("count"))


def check_no_breakpoints(s, text=""):
    check_eq(s.int("debug_control"), s.context.arch.debug_control, f"debug_control, by the guest{text}")


@COUNT.test(needs="x86")
def monitor_catch_lists_the_events(s):
    listed = {line.split()[0]: line.split()[1] for line in s.cmd("monitor catch").splitlines()}
    check_eq(listed, {"vcpu-on": "off", "panic": "on", "reset": "on", "triple-fault": "on", "internal-error": "on",
                      "power-off": "off"}, "what stops the guest")
    check("expected on or off" in s.cmd("monitor catch panic perhaps"), "a wrong value is named")
    check("not an event" in s.cmd("monitor catch perhaps on"), "a wrong event is named")


@COUNT.test(needs="x86")
def a_panic_stops_the_guest_which_can_go_on(s):
    make(s, "panic", sig="SIGUSR1")
    check(s.function() in ("obey", "machine_panic", "out8"), "GDB is where it was told")
    check("guest_main" in s.cmd("backtrace"), "the backtrace is whole")
    registers_memory_backtrace(s)
    before = s.int("counter")
    s.cont()
    mark_runs(s, "after the panic")
    s.interrupt()
    check(s.int("counter") > before, "the guest has counted on")


@COUNT.test(needs="x86")
def a_panic_that_is_not_caught_is_not_told(s):
    s.cmd("monitor catch panic off")
    s.cmd("set var panic = 1")
    s.cont()
    mark_runs(s, "through the panic")
    s.interrupt()
    check_eq(s.int("panic"), 0, "panic, which the guest has told")
    s.cmd("monitor catch panic on")


@COUNT.test(needs="x86 kvm")
def a_crash_kernel_is_told_apart(s):
    s.cmd("set var panic = 2")
    s.run_to_stop("continue", sig="SIGUSR1")
    with open(s.gdb.wire) as wire:
        check("crash kernel".encode().hex() in wire.read(), "the text tells of the crash kernel")


@COUNT.test()
def continuing_after_a_reset_starts_the_guest_anew(s):
    sums = set()
    for _ in range(3):
        make(s, "reset", sig="SIGUSR1")
        check_eq(s.int("reset"), 1, "reset: the former guest is still there")
        registers_memory_backtrace(s)
        s.cont()
        mark_runs(s, "after the reset")
        s.interrupt()
        check_eq(s.int("reset"), 0, "reset in the new guest")
        sums.add(s.int("code_sum"))
        check_no_breakpoints(s)
    check(len(sums) == 1 and 0 not in sums, f"sums of the guest's code, by the guest: {sums}")


@COUNT.test(needs="x86")
def a_triple_fault_stops_and_then_is_a_reset(s):
    make(s, "crash", sig="SIGSEGV")
    check_eq(s.int("crash"), 1, "crash, read after the fault")
    check("rip" in s.cmd("monitor info registers"), "monitor shows registers")
    s.cont()
    mark_runs(s, "after the triple fault")
    s.interrupt()
    check_eq(s.int("crash"), 0, "crash in the new guest")


def resets(s, *ways):
    """Of the ways to be reset, those of this architecture."""
    return [way for way in ways if s.context.arch.name == "x86" or "crash" not in way]


@COUNT.test()
def a_reset_that_is_not_caught_is_done(s):
    for event, what in resets(s, ("reset", "reset"), ("triple-fault", "crash")):
        s.cmd(f"monitor catch {event} off")
        s.cmd("set var small = 77")
        s.cmd(f"set var {what} = 1")
        s.cont()
        mark_runs(s, f"through the {event}")
        s.interrupt()
        check_eq(s.int(what), 0, what)
        check("off" in s.cmd(f"monitor catch {event}"), "what is caught is the same after the reset")
        s.cmd(f"monitor catch {event} on")


@COUNT.test()
def monitor_reset_goes_back_to_the_first_instruction(s):
    s.cont()
    mark_runs(s, "before monitor reset")
    s.interrupt()
    check(s.pc() != s.address("_start"), "the guest is somewhere else")
    check("first instruction" in s.cmd("monitor reset"), "it says where the guest is")
    s.cmd("maintenance flush register-cache")
    check_eq(s.pc(), s.address("_start"), "pc")
    s.cmd("monitor reset")
    s.run_to_stop("stepi")  # whatever GDB thought of pc
    check(s.pc() - s.address("_start") in range(1, 16), "one instruction was done")
    s.cont()
    mark_runs(s, "after monitor reset")
    s.interrupt()


@COUNT.test(needs="hwbreak")
def hardware_breakpoints_and_watchpoints_survive_a_reset(s):
    bp, wp = s.hbrk("guest_main"), s.watch("small")
    for what, sig in resets(s, ("reset", "SIGUSR1"), ("crash", "SIGSEGV"), ("reset", "SIGUSR1")):
        s.cmd("disable")
        make(s, what, sig=sig)
        s.cmd("enable")
        s.run_to_stop("continue", bp=bp, func="guest_main")
        check_eq(s.int("counter"), 0, "counter of the new guest")
        s.run_to_stop("continue", watch=wp)
        check_no_breakpoints(s, ", with ours in place")
        check(s.int("counter") in (256, 512), "counter when `small` is no longer what GDB saw last")


@COUNT.test(needs="hwbreak")
def breakpoints_stay_through_a_reset_that_nobody_is_told_of(s):
    s.cmd("monitor catch reset off")
    bp = s.hbrk("guest_main")
    for _ in range(2):
        s.cmd("set var reset = 1")
        s.run_to_stop("continue", bp=bp, func="guest_main")
        check_eq(s.int("counter"), 0, "counter of the new guest")
        s.delete()
        s.cont()
        mark_runs(s, "on")
        s.interrupt()
        bp = s.hbrk("guest_main")
    s.cmd("monitor catch reset on")


@COUNT.test(needs="swbreak")
def software_breakpoints_survive_a_reset(s):
    make(s, "reset", sig="SIGUSR1")
    s.cont()
    mark_runs(s, "after the reset")
    s.interrupt()
    clean = s.int("code_sum")
    bp = s.brk("bump")
    s.run_to_stop("continue", bp=bp)
    later = s.brk("guest_main")
    for what, sig in resets(s, ("reset", "SIGUSR1"), ("crash", "SIGSEGV")):
        make(s, what, sig=sig)
        s.run_to_stop("continue", bp=later, func="guest_main")
        s.run_to_stop("continue", bp=bp, func="bump")
        check_eq(s.int("counter"), 0, "counter at the first call of bump")
    s.delete()
    make(s, "reset", sig="SIGUSR1")
    s.cont()
    mark_runs(s, "with no breakpoint left")
    s.interrupt()
    check("MIS-MATCHED" not in s.cmd("compare-sections .text"), "the code is whole")
    check_eq(s.int("code_sum"), clean, "sum of the guest's code, by the guest")


@COUNT.test()
def a_power_off_that_is_caught_can_be_looked_at(s):
    s.cmd("monitor catch power-off on")
    make(s, "power_off", sig="SIGUSR1")
    registers_memory_backtrace(s)
    stop = s.run_to_stop("continue")
    check_eq(stop.get("reason"), "exited-normally", "reason of the stop")
    check_eq(s.guest.wait_exit(), 0, "exit status")


@test(needs="x86 kvm")
def an_internal_error_is_kept_for_a_look_and_then_ends(context):
    with started(context, flat("count")) as s:
        make(s, "lost", sig="SIGABRT")
        registers_memory_backtrace(s)
        check_eq(s.pc(), 0xd0000000, "pc where nothing is")
        check("obey" in s.cmd("backtrace 3") or "guest_main" in s.cmd("backtrace 3"), "the backtrace leads back")
        stop = s.run_to_stop("continue")
        check_eq(stop.get("reason"), "exited", "reason of the stop")
        check_eq(s.guest.wait_exit(), 12, "exit status")


def crash_alone(s, what):
    """The guest does it while no client is there."""
    s.cmd(f"set var {what} = 1")
    s.detach()
    s.guest.messages.wait_for(r"kept as it is, waiting for GDB on 127", s.context.scale(20))
    check(not s.guest.process.ended.is_set(), "gdbvm is still there")


@test(needs="x86")
def a_guest_that_crashes_alone_waits_for_a_debugger(context):
    with started(context, flat("count")) as s:
        crash_alone(s, "crash")
        check("triple fault" in s.guest.messages.text(), "the report names it")
        for _ in range(2):
            s.reconnect()
            check_eq(s.int("crash"), 1, "crash, read after the fault")
            check("signal=\"SIGSEGV\"" in str(s.cmd("info program")) or "SIGSEGV" in s.cmd("info program"), "GDB knows why")
            s.detach()
        s.reconnect()
        s.cont()  # a reset, to the machine
        mark_runs(s, "after the crash")
        s.interrupt()
        check_eq(s.int("crash"), 0, "crash in the new guest")
        crash_alone(s, "crash")
        s.reconnect()
        s.cmd("kill")
        check_eq(s.guest.wait_exit(), 0, "exit status")


# In 64-bit mode: when a key is typed it counts for a while, and then there is a triple fault.
COUNTS_AND_CRASHES = bytes.fromhex("66ba fd03"  # mov $0x3fd, %dx: the line status of the console's port
                                   "ec a801 74fb"  # 1: in (%dx), %al; test $1, %al; jz 1b
                                   "b9 00000001"  # mov $1 << 24, %ecx
                                   "ffc9 75fc"  # 2: dec %ecx; jnz 2b
                                   "0f011d 02000000 0f0b") + bytes(10)  # lidt of what is behind ud2


@test(needs="x86")
def a_guest_that_crashes_while_the_console_looks_at_it_is_kept(context):
    path = context.scratch("crash.bin")
    with open(path, "wb") as f:
        f.write(COUNTS_AND_CRASHES)
    with Guest(context, ["--flat", f"{path}@0x8000", "--flat-mode", "long", "-m", "16"], wait=False) as guest:
        guest.process.write(b"k\x01c" + b"time\n" * 4000)
        guest.messages.wait_for(r"triple fault.*(?s:.*)kept as it is, waiting for GDB on 127", context.scale(60))
        guest.process.write(b"info vcpus\n")
        guest.console.wait_for(r"vCPU 0: ", context.scale(60))
        gdb = Gdb(context, "gdb")
        try:
            gdb.connect(guest.port)
            check("SIGSEGV" in gdb.cmd("info program"), "GDB knows why")
            check(gdb.cmd("x/2xb 0x800e").endswith("0xff\t0xc9\n"), "memory is readable")
            gdb.cmd("kill")
        finally:
            gdb.close()
        check_eq(guest.wait_exit(), 0, "exit status")


@test(needs="x86 kvm")
def an_internal_error_alone_is_reported_and_kept(context):
    with started(context, flat("count")) as s:
        crash_alone(s, "lost")
        text = s.guest.messages.text()
        check("internal error" in text and "cr3" in text and "code:" in text, f"the report has it all: {text!r}")
        check("xmm" not in text and "st0" not in text, f"the report is short: {text!r}")
        s.reconnect()
        check_eq(s.pc(), 0xd0000000, "pc where nothing is")
        check_eq(s.run_to_stop("continue").get("reason"), "exited", "reason of the stop")
        check_eq(s.guest.wait_exit(), 12, "exit status")


@test(needs="x86")
def a_guest_that_panics_alone_waits_for_a_debugger(context):
    with started(context, flat("count")) as s:
        crash_alone(s, "panic")
        s.reconnect()
        check("guest_main" in s.cmd("backtrace"), "the backtrace is whole")
        s.detach()
        mark_runs(s, "after the visit")


@test(needs="x86")
def a_signal_ends_a_kept_guest_at_once(context):
    with started(context, flat("count")) as s:
        crash_alone(s, "crash")
        s.guest.signal(signal.SIGTERM)
        check_eq(s.guest.wait_exit(5), 128 + signal.SIGTERM, "exit status")


@test()
def a_debugger_that_waits_is_told_when_a_signal_ends_gdbvm(context):
    with started(context, flat("count")) as s:
        s.cont()
        s.wait_console(r"\.")
        s.guest.signal(signal.SIGTERM)
        stop = s.expect_stop()
        check_eq((stop.get("reason"), stop.get("signal-name")), ("exited-signalled", "SIGTERM"), "what GDB was told")
        check_eq(s.guest.wait_exit(5), 128 + signal.SIGTERM, "exit status")


CPUS = 4
SMP = Scene(**flat("smp", "-c", str(CPUS)))


@SMP.test()
def vcpus_that_are_offline_are_shown_and_in_nobodys_way(s):
    mark = s.console.mark()
    s.cmd("monitor reset")
    s.cmd("maintenance flush register-cache")
    names = [t.get("details", "") for t in s.threads()]
    check("offline" not in names[0] and all("offline" in n for n in names[1:]), f"threads are {names}")
    waits = {"x86": "waits for its start-up interrupt", "arm64": "waits for PSCI CPU_ON"}[s.context.arch.name]
    check_eq(s.cmd("monitor info vcpus").count(waits), CPUS - 1, "offline vCPUs")
    s.stepi()
    s.cmd("thread 3")
    s.cmd("set scheduler-locking on")
    s.go("stepi")  # it has nothing to step, until somebody starts it
    s.interrupt()
    s.cmd("set scheduler-locking replay")
    s.cmd("thread 1")
    s.stepi()
    check_eq(s.cmd("monitor info vcpus").count("offline"), CPUS - 1, "offline vCPUs after the steps")
    s.cont()
    s.wait_console(r"\+" * CPUS, since=mark)
    s.interrupt()
    check("offline" not in s.cmd("monitor info vcpus"), "all are online")


def check_vcpu_start(s, stop):
    """The first instruction of a vCPU of smp that comes online."""
    if s.context.arch.name == "x86":
        check_eq((int(stop["frame"]["addr"], 16), s.reg("cs")), (0x9000, 0x900), "where it starts, and cs")
    else:
        number = int(stop["thread-id"]) - 1
        check_eq((int(stop["frame"]["addr"], 16), s.reg("x0")), (s.address("secondary"), number), "where it starts, and x0")


@SMP.test(needs="kvm")
def each_vcpu_that_comes_online_stops_at_its_first_instruction(s):
    s.cmd("monitor reset")
    s.cmd("monitor catch vcpu-on on")
    for _ in range(10):  # stops that come between do not matter
        s.stepi()
    seen = set()
    for _ in range(1, CPUS):
        stop = s.run_to_stop("continue", sig="SIGUSR1")
        check_vcpu_start(s, stop)
        seen.add(stop["thread-id"])
    check_eq(seen, {str(t) for t in range(2, CPUS + 1)}, "threads that came online")
    s.cont()
    s.expect_no_stop(0.2)
    s.interrupt()
    s.cmd("monitor reset")  # the catch stays
    s.run_to_stop("continue", sig="SIGUSR1")
    s.cmd("monitor catch vcpu-on off")
    mark = s.console.mark()
    s.cont()
    s.wait_console(r"\+" * 1, 20, mark)
    s.interrupt()


@SMP.test(needs="kvm")
def vcpus_that_are_started_while_they_are_held_stop_when_they_are_let_go(s):
    mark = s.console.mark()
    s.cmd("monitor reset")
    s.cmd("maintenance flush register-cache")
    s.cmd("monitor catch vcpu-on on")
    s.cmd("set scheduler-locking on")
    s.cmd("set var *(int *)&stop = 1")
    s.cmd("thread 1")
    s.cont()
    s.wait_console(r"\+", 30, mark)  # the first one has started the others
    s.interrupt()
    s.cmd("set scheduler-locking replay")
    seen = set()
    for _ in range(1, CPUS):
        stop = s.run_to_stop("continue", sig="SIGUSR1")
        check_vcpu_start(s, stop)
        seen.add(stop["thread-id"])
    check_eq(seen, {str(t) for t in range(2, CPUS + 1)}, "threads that came online")
    s.cmd("monitor catch vcpu-on off")


@SMP.test(needs="tcg")
def a_guest_that_cannot_tell_of_vcpus_says_so(s):
    check("cannot tell" in s.cmd("monitor catch vcpu-on on"), "it says so")


@SMP.test(needs="x86")
def a_panic_is_told_of_the_vcpu_that_panicked(s):
    mark = s.console.mark()
    s.cmd("monitor reset")
    s.cont()
    s.wait_console(r"\+" * CPUS, 30, mark)
    s.interrupt()
    s.cmd("set var *(int *)&stop = 3")
    check_eq(s.run_to_stop("continue", sig="SIGUSR1")["thread-id"], "2", "thread that panicked")
    s.cont()
    s.interrupt()


@SMP.test()
def resets_in_a_row_with_four_vcpus(s):
    for _ in range(4):
        mark = s.console.mark()
        s.cmd("monitor reset")
        s.cont()
        s.wait_console(r"\+" * CPUS, 30, mark)
        s.interrupt()
        mark = s.console.mark()
        s.cmd("set var *(int *)&stop = 2")
        s.run_to_stop("continue", sig="SIGUSR1")
        check_eq(len(s.threads()), CPUS, "threads")
        s.cont()
        s.wait_console(r"\+" * CPUS, 30, mark)
        s.interrupt()


@SMP.test(needs="hwbreak")
def a_reset_while_other_vcpus_are_at_a_breakpoint(s):
    """vCPUs stop at count_here while one of them resets the machine: each stop is told, and so is the reset."""
    bp = s.hbrk("count_here")
    s.run_to_stop("continue", bp=bp)
    s.cmd("set var *(int *)&stop = 2")
    for _ in range(3 * CPUS):
        stop = s.run_to_stop("continue")
        if stop.get("reason") != "breakpoint-hit":
            break
    check_eq(stop.get("signal-name"), "SIGUSR1", "signal of the reset")
    s.run_to_stop("continue", bp=bp)
    check_eq(s.word(s.address("stop")), 0, "stop in the new guest")


@test(needs="x86", cap=240)
def a_stock_kernel_panics_reboots_and_comes_up_again(context):
    with started(context, linux(do="panic", cpus=2)) as s:
        boot = s.context.scale(60)
        s.run_to_stop("continue", timeout=boot, sig="SIGUSR1")
        s.wait_console("sysrq", 20)  # the guest has panicked
        trace = s.cmd("backtrace")
        check("notifier_call_chain" in trace and "in panic (" in trace, f"the backtrace says how: {trace}")
        check("Linux version" in s.cmd("x/s linux_banner"), "memory is readable")
        since = s.console.mark()
        s.run_to_stop("continue", timeout=boot, sig="SIGUSR1")
        check("emergency_restart" in s.cmd("backtrace"), "the kernel is resetting the machine")
        s.cmd("monitor catch panic off")
        s.run_to_stop("continue", timeout=boot, sig="SIGUSR1")
        check("emergency_restart" in s.cmd("backtrace"), "it resets the machine again, with no stop at the panic")
        s.wait_console(UP, 20, since)  # it had come up again
        s.cmd("kill")
        check_eq(s.guest.wait_exit(), 0, "exit status")


@test(needs="swbreak hwbreak root-disk long-on-arm64", cap=300)
def a_stock_kernel_with_four_vcpus_and_a_disk_reboots_under_breakpoints(context):
    what = linux(do="reboot", cpus=4, more=("-d", context.root_disk()))
    with started(context, what) as s:
        boot = s.context.scale(60)
        bp = s.hbrk(function(s, "start_kernel"))
        s.run_to_stop("continue", timeout=boot, bp=bp, func="start_kernel")
        later = s.brk(function(s, "kernel_init_freeable"))
        for _ in range(2):
            s.run_to_stop("continue", timeout=boot, bp=later, func="kernel_init_freeable")
            since = s.console.mark()
            s.run_to_stop("continue", timeout=boot, sig="SIGUSR1")
            trace = s.cmd("backtrace")
            check("__do_sys_reboot" in trace, f"the kernel is resetting the machine: {trace}")
            s.wait_console(UP, 20, since)  # it had booted; what it wrote may still be on its way here
            s.run_to_stop("continue", timeout=boot, bp=bp, func="start_kernel")
        s.delete()
        since = s.console.mark()
        if context.accel == "kvm":
            s.cmd("monitor catch vcpu-on on")
            for _ in range(3):
                stop = s.run_to_stop("continue", timeout=boot, sig="SIGUSR1")
                low = s.pc() == 16 * s.reg("cs") < 1 << 20 if context.arch.name == "x86" else s.pc() < 1 << 32
                check(low, f"it starts without the kernel's addresses: {stop}")
            s.cmd("monitor catch vcpu-on off")
        s.cmd("monitor catch reset off")
        s.cont()
        s.wait_console(r"cpus 4\b", 60, since)
        s.interrupt()
        s.cmd("kill")
