# SPDX-License-Identifier: LGPL-2.1-or-later
"""LLDB 14 on the same guests: everything that one does with it."""
import re
import subprocess

from guests import UP, flat, linux
from lldb_client import LldbSession
from session import check, check_eq
from suite import test

CPUS = 2


def smp_that_counts(context):
    """Two vCPUs, both counting, stopped."""
    s = LldbSession(context, flat("smp", "-c", str(CPUS)))
    try:
        s.go("continue")
        s.wait_console(r"\+" * CPUS)
        s.interrupt()
    except BaseException:
        s.__exit__()
        raise
    return s


@test(needs="lldb")
def connects_and_reads_registers_and_memory(context):
    with LldbSession(context, flat("count")) as s:
        check_eq(s.reg("pc"), s.address("_start"), "pc at the first instruction")
        text = s.cmd("register read --all")
        for name in context.arch.lldb_names:
            check(re.search(rf"\b{name} = ", text), f"{name} is among all registers")
        check("lldb." not in text and "error" not in text, "every register can be shown")
        free = context.arch.free[0]
        s.cmd(f"register write {free} 0x1122334455667788")
        check_eq(s.reg(free), 0x1122334455667788, free)
        counter = s.address("counter")
        s.cmd(f"memory write -s8 {counter:#x} 0x123456789a")
        check_eq(s.word(counter), 0x123456789A, "counter")
        check("rectangle" in s.cmd("expression shape"), "a structure is printed")
        s.refused("memory read 0x7fff00000000")
        check("_start" in s.cmd("disassemble --pc"), "code is disassembled")


@test(needs="lldb swbreak")
def breaks_by_name_and_by_address_and_steps(context):
    with LldbSession(context, flat("count")) as s:
        number, where = s.breakpoint("-n multiply")
        for _ in range(3):
            check_eq(s.run_to_stop("continue", reason=f"breakpoint {number}.1", func="multiply"), int(where, 16), "pc")
        check(re.search(r"measure\(.*\n.*guest_main.*\n.*_start", s.cmd("thread backtrace")), "the callers are known")
        before = s.reg("pc")
        after = s.run_to_stop("thread step-inst", reason="instruction step")
        check(before < after <= before + 15, f"a step went from {before:#x} to {after:#x}")
        s.run_to_stop("thread step-over", reason="step over", func="multiply")
        s.run_to_stop("thread step-out", reason="step out", func="measure")
        s.cmd(f"breakpoint delete {number}")
        number, where = s.breakpoint(f"-a {s.address('bump'):#x}")
        s.run_to_stop("continue", reason=f"breakpoint {number}.1", func="bump")
        s.run_to_stop("thread step-out", reason="step out", func="guest_main")
        s.breakpoint("-n measure")
        s.run_to_stop("continue", func="measure")
        if context.arch.name == "arm64":  # a prologue of its own
            s.run_to_stop("thread step-in", reason="step in", func="measure")
        s.run_to_stop("thread step-in", reason="step in", func="multiply")
        code = s.cmd(f"memory read -s1 -fx -c16 {s.address('multiply'):#x}")
        check("0xcc" not in code and "0x20 0xd4" not in code, f"breakpoints do not show in memory: {code}")


@test(needs="lldb swbreak")
def a_condition_of_lldb_is_kept(context):
    with LldbSession(context, flat("count")) as s:
        number, _ = s.breakpoint("-n bump -c 'counter == 7'")
        s.run_to_stop("continue", reason=f"breakpoint {number}.1", func="bump")
        check_eq(s.word(s.address("counter")), 7, "counter")


@test(needs="lldb hwbreak")
def hardware_breakpoints_and_watchpoints(context):
    with LldbSession(context, flat("count")) as s:
        number, _ = s.breakpoint("-H -n bump")
        s.run_to_stop("continue", reason=f"breakpoint {number}.1", func="bump")
        s.cmd(f"breakpoint delete {number}")
        counter = s.address("counter")
        before = s.word(counter)
        s.cmd(f"watchpoint set expression -w write -s 8 -- {counter:#x}")
        for i in range(1, 3):
            s.run_to_stop("continue", reason="watchpoint 1", func="bump")
            check_eq(s.word(counter), before + i, "counter after the write")
        check(re.search(rf"old value: {before + 1}\s+new value: {before + 2}", s.out.text()), "old and new value are shown")
        s.cmd("watchpoint delete 1")
        s.cmd(f"watchpoint set expression -w read_write -s 4 -- {s.address('shape'):#x}")
        s.run_to_stop("continue", reason="watchpoint 2", func="measure")


@test(needs="lldb")
def interrupts_detaches_and_comes_back(context):
    with LldbSession(context, flat("count")) as s:
        for _ in range(3):
            s.go("continue")
            s.wait_console(r"\.", since=s.guest.console.mark())
            s.interrupt()
        count = s.word(s.address("counter"))
        for _ in range(2):
            s.cmd("process detach")
            s.wait_console(r"\.", since=s.guest.console.mark())
            s.close()
            s.reconnect()
            check(s.word(s.address("counter")) > count, "the guest counted without a client")


@test(needs="lldb")
def a_killed_lldb_leaves_the_guest_running(context):
    with LldbSession(context, flat("count")) as s:
        s.go("continue")
        s.wait_console(r"\.")
        s.process.signal(9)
        s.wait_console(r"\.", since=s.guest.console.mark())


@test(needs="lldb")
def process_kill_ends_the_guest(context):
    with LldbSession(context, flat("count")) as s:
        s.cmd("process kill")
        check_eq(s.guest.wait_exit(), 0, "exit status of gdbvm")


@test(needs="lldb")
def memory_regions_are_those_of_the_guest(context):
    with LldbSession(context, flat("count")) as s:
        check(re.search(r"\) rwx RAM", s.cmd(f"memory region {context.arch.code:#x}")), "RAM is rwx")
        check("---" in s.cmd(f"memory region {context.arch.ram + 0x2000000:#x}"), "behind RAM there is nothing, though it is mapped")
        if context.arch.name != "x86":
            return
        check(re.search(r"\[0x0*(100000|0)-0x0*200000\)", s.cmd("memory region 0x100000")), "the region ends with its mapping")
        hole = s.cmd("memory region 0x800000000000")
        check("0x0000800000000000-0xffff800000000000) ---" in hole, f"the hole of non-canonical addresses: {hole}")


@test(needs="lldb")
def each_vcpu_is_a_thread(context):
    with smp_that_counts(context) as s:
        text = s.cmd("thread list")
        names = re.findall(r"thread #(\d+): tid = 0x0*(\d+), (0x[0-9a-f]+).*name = '([^']*)'", text)
        check_eq([(n, tid, name) for n, tid, _, name in names],
                 [(str(i + 1), str(i + 1), f"vCPU {i}") for i in range(CPUS)], "threads")
        for number, _, pc, _ in names:
            s.cmd(f"thread select {number}")
            check_eq(s.reg(context.arch.mark), 0x1000 + int(number) - 1, f"mark of thread {number}")
            check_eq(s.reg("pc"), int(pc, 16), f"pc of thread {number}")
        free = context.arch.free[1]
        s.cmd(f"register write {free} 0x2222")
        s.cmd("thread select 1")
        s.cmd(f"register write {free} 0x1111")
        s.cmd(f"thread select {CPUS}")
        check_eq(s.reg(free), 0x2222, f"{free} of the other thread")
        shown = s.cmd(f"process plugin packet monitor info registers {CPUS - 1}")
        check(re.search(rf"vCPU {CPUS - 1}\n", shown) and re.search(rf"\b{free} +0*2222\b", shown), f"the monitor shows it by its number: {shown}")


@test(needs="lldb")
def one_vcpu_steps_while_the_other_is_held(context):
    with smp_that_counts(context) as s:
        counts = s.address("counts")
        s.cmd("thread select 2")
        before = [s.word(counts + 8 * i) for i in range(CPUS)]
        for _ in range(20):
            s.run_to_stop("thread step-inst -m this-thread", reason="instruction step", thread=2)
        after = [s.word(counts + 8 * i) for i in range(CPUS)]
        check_eq(after[0], before[0], "count of the vCPU that is held")
        check(after[1] > before[1], "the stepped vCPU has counted")


@test(needs="lldb hwbreak")
def a_watchpoint_names_the_vcpu_that_wrote(context):
    with smp_that_counts(context) as s:
        s.cmd(f"watchpoint set expression -w write -s 8 -- {s.address('counts') + 8:#x}")
        s.run_to_stop("continue", reason="watchpoint 1", thread=2)


@test(needs="lldb kvm x86")
def a_checkpoint_during_a_step_is_the_stop_reason(context):
    with LldbSession(context, flat("codes")) as s:
        s.cmd("process plugin packet monitor checkpoint break 0x16")
        s.run_to_stop("thread step-inst", reason="instruction step")
        s.run_to_stop("thread step-over", reason="step over")
        s.run_to_stop("thread step-over", reason="checkpoint 1: 0x16, port 0x80, vCPU 0, pc 0x")
        s.run_to_stop("thread step-over", reason="step over")


@test(needs="lldb swbreak hwbreak")
def the_kernel_by_its_symbols(context):
    symbols = context.scratch("vmlinux-symbols")  # LLDB would index half a gigabyte of debug information
    subprocess.run([context.arch.objcopy, "--strip-debug", context.kernel("vmlinux"), symbols], check=True)
    with LldbSession(context, linux(cpus=2), symbols) as s:
        number, where = s.breakpoint("-H -n start_kernel")
        check_eq(s.run_to_stop("continue", reason=f"breakpoint {number}.1", timeout=60), int(where, 16), "pc")
        s.cmd(f"breakpoint delete {number}")
        s.go("continue")
        s.wait_console(UP, 120)
        s.interrupt()
        check(re.search(r"thread #2: .*vCPU 1", s.cmd("thread list")), "both vCPUs are threads")
        banner = s.cmd(f"memory read -fs -c1 {s.address('linux_banner'):#x}")
        check("Linux version" in banner, f"the kernel's banner: {banner}")
        check(re.search(r"\) r-x", s.cmd(f"memory region {s.address('ktime_get'):#x}")), "the kernel's code is r-x")
        check(re.search(r"\) r--", s.cmd(f"memory region {s.address('linux_banner'):#x}")), "its constants are r--")
        number, where = s.breakpoint("-n ktime_get")
        s.run_to_stop("continue", reason=f"breakpoint {number}.1", func="ktime_get")
        check(len(re.findall(r"frame #\d+", s.cmd("thread backtrace"))) >= 2, "the stack is walked")
        s.run_to_stop("thread step-inst", reason="instruction step")
        s.cmd("process detach")
