# SPDX-License-Identifier: LGPL-2.1-or-later
"""Exact steps of a real arm64 kernel: across system calls, page faults and interrupts."""
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
