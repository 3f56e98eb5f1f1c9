# SPDX-License-Identifier: LGPL-2.1-or-later
"""Exact steps of a real arm64 kernel: across system calls, page faults and interrupts."""
import re

from guests import linux
from session import check, check_eq
from suite import Scene
from test_exact import flags_of, still_counts, step_until, stop_at

SS, MASKED, EL, USER = 1 << 21, 0xF << 6, 3 << 2, 1 << 55
SYNC_USER, IRQ_KERNEL = 0x400, 0x280
SVC, DATA_ABORT = 0x15, 0x24
COUNTING = Scene(**linux(do="count", params="norandmaps"), wait=True, needs="arm64 kvm swbreak hwbreak",
                 prepare=lambda s: (s.cont(), s.wait_console(r"count 3\b", 90), s.interrupt()))


def vector(s, offset):
    """One of the kernel's own. Wherever the guest is: at EL0 VBAR_EL1 may be that of the trampoline."""
    return s.address("vectors") + offset


def stop_at_exception(s, wanted):
    """The next exception of that class which user space takes."""
    for _ in range(60):
        stop_at(s, vector(s, SYNC_USER))
        if s.reg("ESR_EL1") >> 26 == wanted:
            return
    check(False, f"no exception of class {wanted:#x}")


def in_user_space(s):
    check_eq(flags_of(s, "cpsr") & (SS | MASKED | EL), 0, "SS, DAIF and EL in user space")


@COUNTING.test()
def a_step_over_svc_enters_the_kernel(s):
    stop_at_exception(s, SVC)
    after = s.reg("ELR_EL1")
    check(after < USER, f"ELR_EL1 {after:#x} is in user space")
    stop_at(s, after - 4)
    flags, entry = flags_of(s, "cpsr"), s.reg("VBAR_EL1") + SYNC_USER
    s.stepi()
    check_eq(s.pc(), entry, "pc")
    check_eq(s.reg("ELR_EL1"), after, "ELR_EL1")
    check_eq(s.reg("SPSR_EL1"), flags, "SPSR_EL1")
    check_eq(flags & (SS | MASKED), 0, "SS and DAIF in user space")
    check_eq(flags_of(s, "cpsr") & (SS | MASKED), MASKED, "SS and DAIF in the kernel")
    still_counts(s)


@COUNTING.test()
def steps_lead_through_eret_to_user_space(s):
    stop_at(s, s.address("ret_to_user"))
    step_until(s, lambda pc: pc < USER, 200)
    check_eq(s.reg("ELR_EL1"), s.pc(), "ELR_EL1")
    in_user_space(s)
    s.stepi()
    still_counts(s)


@COUNTING.test()
def steps_lead_through_a_page_fault_and_back(s):
    for _ in range(10):
        stop_at_exception(s, DATA_ABORT)
        at = s.reg("ELR_EL1")
        check(s.reg("FAR_EL1") < USER, "FAR_EL1 is a user address")
        check_eq(s.reg("SPSR_EL1") & SS, 0, "SS in SPSR_EL1")
        stop_at(s, s.address("ret_to_user"))
        if s.int("((struct pt_regs *)$sp)->pc") == at:  # and not another process, while this one sleeps
            break
    step_until(s, lambda pc: pc < USER, 200)
    check_eq(s.pc(), at, "pc after eret")
    in_user_space(s)
    still_counts(s)


@COUNTING.test()
def steps_in_an_interrupt_handler_stay_in_it(s):
    stop_at(s, vector(s, IRQ_KERNEL))
    for _ in range(30):
        s.stepi()
        check(s.pc() >= USER, f"pc {s.pc():#x} is in the kernel")
        check_eq(flags_of(s, "cpsr") & SS, 0, "SS")
    still_counts(s)


@COUNTING.test(needs="long-on-arm64")
def thousands_of_steps_in_user_space_leave_no_trace(s):
    """System calls, page faults and what the kernel does about them are all on the way."""
    stop_at(s, s.address("ret_to_user"))
    step_until(s, lambda pc: pc < USER, 200)
    for _ in range(5):
        s.run_to_stop("stepi 400", timeout=s.context.scale(60), reason="end-stepping-range")
        check_eq(flags_of(s, "cpsr") & SS, 0, "SS")
    still_counts(s)


@COUNTING.test()
def the_kernels_clock_can_be_stepped(s):
    stop_at(s, s.address("ktime_get"))
    s.run_to_stop("stepi 60", timeout=s.context.scale(30), reason="end-stepping-range")
    still_counts(s)


def find_bug(s):
    """The address of a BUG() of the kernel's, from its own table: rows of address, file, line, flags (none: not a WARN).
    Some were in its start-up code, which is gone, and some are in its entry code."""
    table, text, end = (s.address(name) for name in ("__start___bug_table", "__entry_text_end", "_etext"))
    words = [int(w, 16) for line in s.cmd(f"x/600xw {table:#x}").splitlines() for w in line.split(":")[1].split()]
    for row in range(0, len(words) - 2, 3):
        at = table + 4 * row + words[row] - (words[row] >> 31 << 32)
        if words[row + 2] >> 16 == 0 and text <= at < end:
            return at
    check(False, "there is a BUG() among the first 200 entries")


# The last one: its process dies.
@COUNTING.test()
def a_bug_in_the_kernel_is_reported_by_the_kernel(s):
    """BRK, while a breakpoint of ours has KVM hand them all to us; and one in the kernel's handler is hit."""
    bug = find_bug(s)
    check_eq(s.word(bug), 0xD4210000, "BRK #0x800")
    bp = s.brk("*hrtimer_nanosleep")
    s.cont()
    s.expect_stop(timeout=s.context.scale(30), bp=bp)  # in a process other than the first
    s.cmd(f"set $pc = {bug:#x}")
    s.tbrk("*report_bug")
    s.cont()
    s.expect_stop(timeout=s.context.scale(30), func="report_bug")
    check_eq(s.reg("x0"), bug, "the address that the kernel looks up")
    s.delete()
    mark = s.console.mark()
    s.cont()
    for told in (r"kernel BUG at \S+:\d+!", "Internal error: Oops - BUG: ", "end trace"):
        s.wait_console(told, 30, mark)
    last = int(re.findall(r"count (\d+)", s.console.text())[-1])
    s.wait_console(rf"count {last + 5}\b", 60)
    s.interrupt()
