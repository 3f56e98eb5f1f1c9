# SPDX-License-Identifier: LGPL-2.1-or-later
"""Exact steps of a real kernel: across system calls, page faults and interrupts, and the kernel's own int3."""
import gzip
import os
import re
import subprocess

from guests import UP, function, linux
from session import check, check_eq, started
from suite import Scene, test

TF, USER = 0x100, 1 << 47
# Without randomised addresses every new process comes by the same instructions again.
COUNTING = Scene(**linux(do="count", params="norandmaps"), wait=True, needs="x86 kvm swbreak hwbreak",
                 prepare=lambda s: (s.cont(), s.wait_console(r"count 3\b", 90), s.interrupt()))
COMPLAINTS = r"soft lockup|rcu.*stall|Oops|BUG:|WARNING|int3|segfault|traps:"


def flags_of(s, name="eflags"):
    return int(re.search(r"0x[0-9a-f]+", s.cmd(f"info registers {name}"))[0], 16)


def stop_at(s, where):
    """The next time that a vCPU comes to an address or function."""
    s.delete()
    bp = s.hbrk(f"*{where}")
    s.cont()
    s.expect_stop(timeout=s.context.scale(30), bp=bp)
    s.delete()


def still_counts(s):
    last = int(re.findall(r"count (\d+)", s.console.text())[-1])
    s.cont()
    s.wait_console(rf"count {last + 5}\b", 60)
    s.interrupt()
    found = re.search(COMPLAINTS, s.console.text())
    check(not found, f"the kernel has nothing to complain about: {found}")


def step_until(s, reached, most=80):
    for _ in range(most):
        s.stepi()
        if reached(s.pc()):
            return
    check(False, f"not there after {most} steps, but at {s.pc():#x}")


@COUNTING.test()
def a_step_over_syscall_enters_the_kernel(s):
    entry = s.address("entry_SYSCALL_64")
    stop_at(s, entry)
    after = s.reg("rcx")
    check(after < USER, f"rcx {after:#x} is in user space")
    stop_at(s, after - 2)
    flags = flags_of(s)
    s.stepi()
    check_eq(s.pc(), entry, "pc")
    check_eq(s.reg("rcx"), after, "rcx")
    check_eq(s.reg("r11"), flags, "r11")
    check_eq(flags_of(s) & (TF | 0x200), 0, "TF and IF in the kernel")
    still_counts(s)


@COUNTING.test()
def steps_lead_through_sysret_to_user_space(s):
    stop_at(s, s.address("syscall_return_via_sysret"))
    step_until(s, lambda pc: pc < USER)
    check_eq(s.reg("rcx"), s.pc(), "rcx")
    check_eq(s.reg("r11"), flags_of(s), "r11")
    check_eq(flags_of(s) & (TF | 0x200), 0x200, "TF and IF in user space")
    s.stepi()
    still_counts(s)


@COUNTING.test()
def steps_lead_through_a_page_fault_and_back(s):
    handler = s.address("asm_exc_page_fault")
    for _ in range(30):
        stop_at(s, handler)
        ip, cs, flags = (s.int(f"((unsigned long *)$rsp)[{n}]") for n in (1, 2, 3))
        if cs & 3:
            break
    check(cs & 3, "a fault of user space")
    check_eq(flags & TF, 0, "TF in the frame")
    check_eq(s.reg("cr2") >> 47, 0, "cr2 is a user address")
    stop_at(s, s.address("native_irq_return_iret"))
    to = s.int("((unsigned long *)$rsp)[0]")
    s.stepi()
    check_eq(s.pc(), to, "pc after iretq")
    check_eq(flags_of(s) & TF, 0, "TF")
    still_counts(s)


@COUNTING.test()
def steps_in_an_interrupt_handler_stay_in_it(s):
    stop_at(s, s.address("asm_sysvec_apic_timer_interrupt"))
    for _ in range(30):
        s.stepi()
        check(s.pc() >= USER, f"pc {s.pc():#x} is in the kernel")
        check_eq(flags_of(s) & TF, 0, "TF")
    still_counts(s)


@COUNTING.test()
def thousands_of_steps_in_user_space_leave_no_trace(s):
    """System calls, page faults and what the kernel does about them are all on the way."""
    stop_at(s, s.address("syscall_return_via_sysret"))
    step_until(s, lambda pc: pc < USER)
    for _ in range(5):
        s.run_to_stop("stepi 400", timeout=s.context.scale(60), reason="end-stepping-range")
        check_eq(flags_of(s) & TF, 0, "TF")
    still_counts(s)


@COUNTING.test()
def the_kernels_clock_can_be_stepped(s):
    stop_at(s, s.address("ktime_get"))
    s.run_to_stop("stepi 60", timeout=s.context.scale(30), reason="end-stepping-range")
    still_counts(s)


# In the order in which a boot comes by them.
PATCHERS = {"x86": ("jump_label_init", "jump_label_init", "int3_selftest", "mark_readonly"), "arm64": ("jump_label_init", "jump_label_init", "mark_rodata_ro")}


@test(needs="kvm swbreak hwbreak long-on-arm64", cap=300)
def a_boot_with_breakpoints_passes_the_kernels_own_breakpoints(context):
    """int3_selftest, jump labels, alternatives and a kprobe, which use int3 or brk, while some of ours are in the kernel."""
    order = PATCHERS[context.arch.name]
    with started(context, linux(do="kprobe", cpus=2)) as s:
        s.hbrk(function(s, "start_kernel"))
        s.cont()
        s.expect_stop(timeout=context.scale(60), func="start_kernel")
        s.delete()
        for where in dict.fromkeys(order):
            s.brk(function(s, where))
        never = s.brk(function(s, "panic"))
        for where in order:
            s.cont()
            s.expect_stop(timeout=context.scale(60), func=where)
        s.cont()
        s.wait_console(UP, 90)
        s.wait_console(r"kprobe hits \d+\s", 60)
        hits = int(re.search(r"kprobe hits (\d+)", s.console.text())[1])
        check(hits >= 20, f"the kprobe was hit {hits} times")
        s.interrupt()
        s.delete(never)
        check(not re.search(r"Oops|BUG:|WARNING|Kernel panic", s.console.text()), "the kernel has nothing to complain about")


def initrd_with(context, program):
    """The initrd with one program more, as /program."""
    out = context.scratch(f"initrd-{os.path.basename(program)}")
    with open(context.initrd("busybox"), "rb") as f:
        initrd = f.read()
    link = os.path.join(context.dir, "program")
    os.symlink(program, link)
    more = subprocess.run(["cpio", "--quiet", "-o", "-H", "newc", "-L", "-R", "0:0"], input=b"program", cwd=context.dir,
                          stdout=subprocess.PIPE, check=True).stdout
    with open(out, "wb") as f:
        f.write(initrd + gzip.compress(more, 1))
    return out


GETPPID = {"x86": "__x64_sys_getppid", "arm64": "__arm64_sys_getppid"}
ALL = {"x86": "ptrace: 1000 of 1000 steps, int3 seen, 5 of 5 writes", "arm64": "ptrace: 1000 of 1000 steps, brk seen, 5 of 5 writes"}
# KVM on arm64 loses most of a guest's own steps while the guest is debugged.
WHILE_WE_DEBUG = {"x86": ALL["x86"], "arm64": r"ptrace: \d+ of 1000 steps, brk seen, 5 of 5 writes"}


@test(needs="swbreak hwbreak", cap=300)
def a_debugger_in_the_guest_works_while_we_debug(context):
    """Its steps, its breakpoints and its debug register, with a breakpoint of ours in the kernel that is hit and goes on."""
    what = linux(do="program", cpus=2)
    args = what["args"](context)
    args[args.index("-i") + 1] = initrd_with(context, context.guest("ptrace"))
    what["args"] = lambda context: args
    with started(context, what) as s:
        s.hbrk(function(s, "start_kernel"))
        s.cont()
        s.expect_stop(timeout=context.scale(60), func="start_kernel")
        s.delete()
        hit = s.brk(function(s, GETPPID[context.arch.name]))
        s.cmd(f"ignore {hit} 1000")
        s.cont()
        s.wait_console(r"ptrace: .*\n", 120)
        found = re.search(r"ptrace: .*(?=\n)", s.console.text())[0].strip()
        expected = WHILE_WE_DEBUG[context.arch.name] if context.accel == "kvm" else ALL[context.arch.name]
        check(re.fullmatch(expected, found), f"the guest's debugger saw {found!r}")
        s.interrupt()
        check("already hit" in s.cmd(f"info breakpoints {hit}"), "the child came by the breakpoint")
        s.delete()
        s.cont()
        s.wait_console(ALL[context.arch.name], 60)
        s.interrupt()
