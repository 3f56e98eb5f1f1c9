# SPDX-License-Identifier: LGPL-2.1-or-later
"""Several vCPUs, on a small guest that starts them itself."""
from guests import flat
from session import check, check_eq
from suite import Scene

CPUS = 2


def run_until_all_count(s):
    """Each vCPU writes a sign to the console once it counts."""
    s.cont()
    s.wait_console(r"\+" * CPUS)
    s.interrupt()
    check(all(counts(s)), f"every vCPU has counted: {counts(s)}")


def counts(s):
    return [s.word(s.address("counts") + 8 * i, "g") for i in range(CPUS)]


SMP = Scene(**flat("smp", "-c", str(CPUS)), prepare=run_until_all_count)


@SMP.test()
def each_vcpu_is_a_thread_with_its_own_registers(s):
    check_eq(len(s.threads()), CPUS, "threads")
    seen = []
    for thread in range(1, CPUS + 1):
        s.cmd(f"thread {thread}")
        seen.append(s.reg(s.context.arch.mark))
    check_eq(seen, [0x1000 + i for i in range(CPUS)], f"{s.context.arch.mark} of the vCPUs")


@SMP.test()
def a_register_written_on_one_thread_stays_there(s):
    name = s.context.arch.free[1]
    s.cmd("thread 2")
    s.cmd(f"set ${name} = 0x2222")
    s.cmd("thread 1")
    s.cmd(f"set ${name} = 0x1111")
    s.cmd("maintenance flush register-cache")  # GDB remembers what it wrote
    check_eq(s.reg(name), 0x1111, f"{name} of thread 1")
    s.cmd("thread 2")
    check_eq(s.reg(name), 0x2222, f"{name} of thread 2")


@SMP.test()
def all_vcpus_stop_together_and_run_together(s):
    first = counts(s)
    check_eq(counts(s), first, "counts while stopped")
    s.run_until(lambda: all(now > old for now, old in zip(counts(s), first)), f"not all counts go on from {first}")


@SMP.test()
def scheduler_locking_steps_one_vcpu_alone(s):
    s.cmd("thread 2")
    s.cmd("set scheduler-locking on")
    before = counts(s)
    for _ in range(20):
        s.stepi()
    s.cmd("set scheduler-locking replay")
    after = counts(s)
    check_eq(after[0], before[0], "count of the vCPU that is held")
    check(after[1] > before[1], "the stepped vCPU has counted")


def park(s, thread):
    """Put a vCPU into a long pause, so that the others alone come by the breakpoint. Returns what undoes it."""
    s.cmd(f"thread {thread}")
    pc = s.pc()
    s.cmd(f"set ${s.context.arch.loop} = 0x7fffffff")
    s.cmd("set $pc = pause_loop")
    return f"set $pc = {pc:#x}"


@SMP.test(needs="hwbreak")
def a_hardware_breakpoint_stops_each_vcpu(s):
    bp = s.hbrk("count_here")
    for thread in range(1, CPUS + 1):
        others = {other: park(s, other) for other in range(1, CPUS + 1) if other != thread}
        for _ in range(3):
            s.cont()
            check_eq(s.expect_stop(bp=bp)["thread-id"], str(thread), "thread that was stopped")
        for other, undo in others.items():
            s.cmd(f"thread {other}")
            s.cmd(undo)


@SMP.test(needs="swbreak")
def a_software_breakpoint_is_never_missed(s):
    bp, hits = s.brk("count_here"), [0] * CPUS
    s.cont()
    s.expect_stop(bp=bp)
    before = counts(s)
    for _ in range(40):
        s.cont()
        hits[int(s.expect_stop(bp=bp)["thread-id"]) - 1] += 1
    grown = [now - old for now, old in zip(counts(s), before)]
    check(all(abs(g - h) <= 1 for g, h in zip(grown, hits)), f"vCPUs counted {grown} with {hits} stops")


@SMP.test(needs="hwbreak")
def a_watchpoint_names_the_vcpu_that_wrote(s):
    wp = s.watch(f"*(long *){s.address('counts') + 8:#x}")
    s.cont()
    check_eq(s.expect_stop(watch=wp)["thread-id"], "2", "thread that wrote")
