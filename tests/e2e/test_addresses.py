# SPDX-License-Identifier: LGPL-2.1-or-later
"""Addresses of devices; and of a kernel with page-table isolation, looked at while a vCPU is in user mode."""
from guests import UP, flat, linux
from mi import GdbError
from session import check, check_eq
from suite import Scene

PTI_USER_TABLE = 0x1000


def in_user_mode(s):
    """The thread of the vCPU that runs the process, stopped in it; selected. Every tick leads back to it."""
    for thread in (1, 2):
        s.cmd(f"thread {thread}")
        if s.int("$cs") & 3 == 3:
            return thread
    way_back = s.hbrk("swapgs_restore_regs_and_return_to_usermode")
    s.cont()
    thread = int(s.expect_stop(bp=way_back)["thread-id"])
    s.delete(way_back)
    for _ in range(80):
        s.stepi()
        if s.int("$cs") & 3 == 3:
            return thread
    check(False, "80 steps did not lead back to user mode")


def to_the_process(s):
    s.cont()
    s.wait_console(UP, 120)
    s.wait_console(r"cpus 2", 20)
    s.interrupt()


PTI = Scene(**linux(do="spin", cpus=2, params="pti=on"), prepare=to_the_process, needs="x86 long hwbreak")


@PTI.test()
def kernel_addresses_are_there_in_user_mode(s):
    in_user_mode(s)
    check_eq(s.reg("cr3") & PTI_USER_TABLE, PTI_USER_TABLE, "the bit of cr3 that stands for the half without the kernel")
    check("swapper" in s.value("init_task.comm"), "init_task")
    check("Linux version" in s.cmd("x/s linux_banner"), "linux_banner")
    check("physical" in s.cmd(f"monitor pt {s.address('linux_banner'):#x}"), "the walk goes through the kernel's half")


@PTI.test()
def user_addresses_are_those_of_the_stopped_process(s):
    thread = in_user_mode(s)
    pc, sp = s.pc(), s.reg("rsp")
    check(pc < 1 << 47 and sp < 1 << 47, f"pc {pc:#x} and sp {sp:#x} are the user's")
    code = s.cmd(f"x/16xb {pc:#x}")
    s.word(sp, "g")
    s.cmd(f"thread {3 - thread}")
    if s.int("$cs") & 3 == 0:  # idle: its page tables are the kernel's, or of the process that ran last
        try:
            check(s.cmd(f"x/16xb {pc:#x}") == code, "the process that ran last there is the same")
        except GdbError as error:
            check("annot access memory" in str(error), f"{error}")
    s.cmd(f"thread {thread}")
    check_eq(s.cmd(f"x/16xb {pc:#x}"), code, "code of the process")


@PTI.test(needs="swbreak")
def a_breakpoint_in_the_kernel_is_set_from_user_mode_and_hit(s):
    in_user_mode(s)
    bp = s.brk("hrtimer_interrupt")
    for _ in range(3):
        s.cont()
        s.expect_stop(bp=bp, func="hrtimer_interrupt")
        check_eq(s.int("$cs") & 3, 0, "privilege level of the hit")
    s.delete(bp)
    in_user_mode(s)


def to_four_vcpus(s):
    s.cont()
    s.wait_console(r"\+.*\+.*\+.*\+", 20)
    s.interrupt()


FOUR = Scene(**flat("smp", "-c", "4"), prepare=to_four_vcpus, needs="x86")


@FOUR.test(needs="kvm")
def each_vcpu_sees_its_own_local_apic(s):
    for thread in (3, 1, 4, 2):
        s.cmd(f"thread {thread}")
        for mode in ("off", "on"):
            s.cmd(f"monitor phys {mode}")
            check_eq(s.word(0xFEE00020) >> 24, thread - 1, f"APIC id, physical addresses {mode}")
            check(s.word(0xFEE00030) & 0xFF >= 0x10, "a version")
            check_eq(s.word(0xFEE00020, "b"), 0, "a byte of it")
        s.cmd("monitor phys off")
    check("annot" in s.refused("set var *(int *)0xfee00080 = 0x20"), "it cannot be written")


@FOUR.test(needs="kvm")
def the_ioapic_shows_its_registers_and_the_hole_is_an_error(s):
    check_eq(s.word(0xFEC00000), 0, "the index register")
    s.word(0xFEC00010)
    check("annot access memory" in s.refused("x/1wx 0xd0000000"), "no device, no memory")
    check("annot access memory" in s.refused("x/1wx 0xfed00000"), "this machine has no HPET")
