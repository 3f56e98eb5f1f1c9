# SPDX-License-Identifier: LGPL-2.1-or-later
"""Addresses of devices; and of a kernel with page-table isolation, looked at while a vCPU is in user mode."""
import re

from guests import UP, flat, linux
from mi import GdbError
from session import check, check_eq
from suite import Scene

PTI_USER_TABLE = 0x1000
ISOLATED = {"x86": "pti=on", "arm64": "kpti=1"}
WAY_BACK = {"x86": "swapgs_restore_regs_and_return_to_usermode", "arm64": "ret_to_user"}


def is_in_user_mode(s):
    if s.context.arch.name == "x86":
        return s.int("$cs") & 3 == 3
    return s.int("$cpsr & 0xc") == 0


def in_user_mode(s):
    """The thread of the vCPU that runs the process, stopped in it; selected. Every tick leads back to it."""
    for thread in (1, 2):
        s.cmd(f"thread {thread}")
        if is_in_user_mode(s):
            return thread
    way_back = s.hbrk(WAY_BACK[s.context.arch.name])
    s.cont()
    thread = int(s.expect_stop(bp=way_back)["thread-id"])
    s.delete(way_back)
    for _ in range(120):
        s.stepi()
        if is_in_user_mode(s):
            return thread
    check(False, "120 steps did not lead back to user mode")


def to_the_process(s):
    s.cont()
    s.wait_console(UP, 120)
    s.wait_console(r"cpus 2", 20)
    s.interrupt()


def isolated_args(context):
    return linux(do="spin", cpus=2, params=ISOLATED[context.arch.name])["args"](context)


PTI = Scene(**{**linux(), "args": isolated_args}, prepare=to_the_process, needs="long hwbreak")


@PTI.test()
def kernel_addresses_are_there_in_user_mode(s):
    in_user_mode(s)
    walk = s.cmd(f"monitor pt {s.address('linux_banner'):#x}")
    if s.context.arch.name == "x86":
        check_eq(s.reg("cr3") & PTI_USER_TABLE, PTI_USER_TABLE, "the bit of cr3 that stands for the half without the kernel")
    else:
        check("the kernel's own tables, behind those of its trampoline" in walk, f"TTBR1 is that of user mode: {walk}")
    check("physical" in walk, "the walk goes through the kernel's half")
    check("swapper" in s.value("init_task.comm"), "init_task")
    check("Linux version" in s.cmd("x/s linux_banner"), "linux_banner")


@PTI.test()
def user_addresses_are_those_of_the_stopped_process(s):
    thread = in_user_mode(s)
    pc, sp = s.pc(), s.int("(unsigned long long)$sp")
    check(pc < 1 << 48 and sp < 1 << 48, f"pc {pc:#x} and sp {sp:#x} are the user's")
    code = s.cmd(f"x/16xb {pc:#x}")
    s.word(sp, "g")
    s.cmd(f"thread {3 - thread}")
    if not is_in_user_mode(s):  # idle: its page tables are the kernel's, or of the process that ran last
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
        check(not is_in_user_mode(s), "the hit is in the kernel")
    s.delete(bp)
    in_user_mode(s)


WORK = Scene(**flat("places"), needs="arm64")


@WORK.test()
def a_walk_is_told_in_words(s):
    bp = s.hbrk("*work")
    s.cont()
    s.expect_stop(bp=bp)
    s.delete(bp)
    pc, root = s.pc(), s.reg("TTBR0_EL1") & 0xFFFFFFFFFFFE
    walk = s.cmd(f"monitor pt {pc:#x}")
    check(re.match(rf"EL1&0, TTBR0: \d+ bits, pages of 4K, \d+ physical bits, level \d at {root:#x}\n", walk), walk)
    check(re.search(rf"\nlevel \d: entry [0-9a-f]{{16}} at 0x[0-9a-f]+: (block|page) .*AttrIndx=\d \(.*\) AP=", walk), walk)
    check(re.search(rf"\n{pc:#x}: physical {pc:#x}, page of ", walk), walk)
    late = s.context.arch.late
    check("EL1&0, TTBR1: " in s.cmd(f"monitor pt {late:#x}"), "the upper half is TTBR1's")
    pages = [int(line[:16], 16) for line in s.cmd("monitor info tlb").splitlines() if line[16:18] == ": "]
    check(pages == sorted(pages) and pages[0] < 1 << 48, f"pages in their order: {pages}")
    check("give values, s2pt IPA VTTBR VTCR" in s.cmd("monitor s2pt 0"), "a guest without EL2")
    # level 1 with 39 bits, as stage 1 has it here: the tables of one are good enough for the other
    given = s.cmd(f"monitor s2pt {pc:#x} {root:#x} 0x50059")
    check("stage 2: 39 bits, pages of 4K" in given and f"level 1 at {root:#x}" in given, given)


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
