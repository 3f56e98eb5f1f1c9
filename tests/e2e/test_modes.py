# SPDX-License-Identifier: LGPL-2.1-or-later
"""The modes of the processor before 64-bit: real mode, protected mode, and the three kinds of paging."""
import re

from guests import flat
from session import check, check_eq, started
from suite import Scene, test

REAL = Scene(**flat("real"), needs="x86")

# label where the guest stays, value of `go` that lets it go on, virtual address of the marked word, the mode in words, entries
# that the walk for the word reads
PARTS = [
    ("at_real", 1, None, "real mode", None),
    ("at_protected", 2, 0x400000, "32-bit protected", []),
    ("at_paging", 3, 0x40000000, "32-bit protected", ["PDE"]),
    ("at_pae", 4, 0x80000000, "32-bit protected", ["PDPTE", "PDE"]),
    ("at_long", 5, 0xFFFF800000000000, "64-bit", ["PML4E", "PDPTE", "PDE"]),
]


@REAL.test()
def real_mode_starts_at_its_first_instruction(s):
    s.cmd("set architecture i8086")
    check_eq(s.pc(), s.address("_start"), "pc")
    check("xor" in s.cmd("x/i $pc") and "%ax,%ax" in s.cmd("x/i $pc"), "16-bit code is shown as such")


@REAL.test()
def real_mode_steps(s):
    s.stepi()
    s.stepi()
    check_eq(s.pc(), s.address("_start") + 4, "pc after two instructions of two bytes")
    s.cmd("set $ax = 0x1234") if "ax" in s.cmd("info registers eax").split() else s.cmd("set $eax = 0x1234")
    check_eq(s.int("$eax") & 0xFFFF, 0x1234, "ax")


@REAL.test()
def real_mode_memory_through_another_segment(s):
    s.run_until(lambda: s.word(s.address("ticks"), "h") > 1, "the guest does not count")
    ticks, copy = s.word(s.address("ticks"), "h"), s.word(0x20010, "h")
    check(ticks > 1 and (ticks - copy) & 0xFFFF in (0, 1), f"2000:0010, {copy}, follows the counter, {ticks}")


@REAL.test(needs="swbreak")
def real_mode_software_breakpoint(s):
    bp = s.brk("*&store")
    for _ in range(2):
        s.cont()
        s.expect_stop(bp=bp, pc=s.address("store"))


@REAL.test(needs="hwbreak")
def real_mode_hardware_breakpoint_and_watchpoint(s):
    bp = s.hbrk("*&far_store")
    s.cont()
    s.expect_stop(bp=bp, pc=s.address("far_store"))
    s.delete(bp)
    wp = s.watch("*(unsigned short *)0x20010")
    s.cont()
    s.expect_stop(watch=wp)


def stop_in_the_other_segment(s):
    s.cmd("set var *(short *)&stop = 1")
    s.cont()
    s.expect_stop(pc=s.address("in_segment"))
    check_eq(s.int("$cs"), 0x800, "cs")
    check("mov" in s.cmd("x/i $pc"), "the code at the linear pc is shown")


@REAL.test(needs="swbreak")
def real_mode_software_breakpoint_in_a_segment_with_a_base(s):
    s.brk("*&in_segment")
    stop_in_the_other_segment(s)


@test(needs="x86 hwbreak-base")
def real_mode_hardware_breakpoint_in_a_segment_with_a_base(context):
    with started(context, flat("real")) as s:
        s.hbrk("*&in_segment")
        stop_in_the_other_segment(s)


@test(needs="x86")
def a_debugger_without_a_file_is_told_i8086(context):
    with started(context, {"args": flat("real")["args"]}) as s:
        check("i8086" in s.cmd("show architecture"), "GDB took i8086 from the target description")
        check("%ax,%ax" in s.cmd("x/i $pc"), "16-bit code is shown as such")


@test(needs="x86")
def a_walk_through_all_modes(context):
    with started(context, flat("modes")) as s:
        go, spins = s.address("go"), s.address("spins")
        check_eq(s.pc(), s.address("_start"), "pc at the start")
        for number, (label, following, word_at, mode, walk) in enumerate(PARTS):
            s.cmd(f"set {{int}}{go:#x} = {number}")
            begin, end = s.address(label), s.address(PARTS[number + 1][0]) if number < 4 else s.address("finished")
            s.run_until(lambda: begin <= s.pc() < end and s.word(spins), f"the guest does not come to {label}")
            check(f"(vCPU 0: {mode}, pc {s.pc():#x})" in s.cmd("info threads"), f"the thread's text names {mode}: {s.cmd('info threads')}")
            check(f"vCPU 0: {mode}, " in s.cmd("monitor info vcpus"), f"and so does the monitor: {s.cmd('monitor info vcpus')}")
            if word_at and word_at < 1 << 32:
                check_eq(s.word(word_at), 0x600D600D, f"the word at {word_at:#x} in {label}")
            if word_at:
                check("600d600d" in s.cmd("monitor xp /1w 0x400000").lower(), "physical memory has the word")
                shown = s.cmd(f"monitor pt {word_at:#x}")
                check_eq(re.findall(r"^(\w+) +[0-9a-f]{16} at 0x", shown, re.M), walk, f"entries of the walk in {label}")
                check(f"{word_at:#x}: physical 0x400000, page of " in shown, f"where it ends: {shown}")
                # the flat 4 GiB without paging, else a page that begins there
                check(re.search(rf"^{word_at if walk else 0:016x}: {0x400000 if walk else 0:016x} rw", s.cmd("monitor info tlb"), re.M),
                      f"info tlb has it: {s.cmd('monitor info tlb')}")
                check(re.search(rf"^{word_at if walk else 0:016x}-[0-9a-f]+ rw", s.cmd("monitor info mem"), re.M),
                      f"info mem has it: {s.cmd('monitor info mem')}")
            before = s.pc()
            s.stepi()
            check(begin <= s.pc() < end and s.pc() != before or s.pc() == before, "a step stays in the part")


@test(needs="x86")
def a_debugger_that_comes_in_long_mode_sees_it(context):
    with started(context, flat("modes")) as s:
        s.cmd(f"set {{int}}{s.address('go'):#x} = 4")
        label, end = s.address("at_long"), s.address("finished")
        s.run_until(lambda: label <= s.pc() < end, "the guest does not come to at_long")
        s.detach()
        s.symbols = None
        s.reconnect()
        check("x86-64" in s.cmd("show architecture"), "GDB is told of a 64-bit processor")
        check_eq(s.word(0xFFFF800000000000), 0x600D600D, "the word in the upper half")
        check_eq(s.reg("efer") & 0x400, 0x400, "efer.LMA")


SYMBOLS = {"no": None, "16- and 32-bit": "modes.elf", "64-bit": "count.elf"}
ARCHITECTURES = (None, "i8086", "i386", "i386:x86-64")


def connect_as(s, symbols, architecture):
    """A debugger with these symbols that has selected this architecture before it connects."""
    s.symbols = symbols and s.context.guest(symbols)
    gdb = s.new_gdb()
    if architecture:
        gdb.cmd(f"set architecture {architecture}")
    s.gdb = gdb
    s.reconnect(fresh=False)


def registers_are_those_of(s, begin, end, what):
    pc = s.pc()
    check(begin <= pc < end, f"{what}: pc {pc:#x} is between {begin:#x} and {end:#x}")
    check_eq(s.int("(unsigned)$sp"), 0x7C00, f"{what}: the stack pointer")
    check_eq(s.int("(unsigned)$eflags") & 2, 2, f"{what}: the bit of eflags that is always set")
    check_eq(s.int("(unsigned)$cs"), CODE[what.split(",")[0]], f"{what}: cs")
    s.stepi()
    check(s.pc() != pc or begin <= s.pc() < end, f"{what}: it steps")


CODE = {"real": 0, "protected": 8, "long": 0x18}


@test(needs="x86 long-in-lab", cap=200)
def whatever_architecture_is_selected_the_registers_are_right(context):
    """No symbols, 16-, 32- or 64-bit ones, and `set architecture` before and after connecting, in three modes."""
    with started(context, flat("modes")) as s:
        places = [(s.address(PARTS[i][0]), s.address(PARTS[i + 1][0]) if i < 4 else s.address("finished"))
                  for i in range(5)]
        go = s.address("go")
        for part, mode in ((0, "real"), (1, "protected"), (4, "long")):
            begin, end = places[part]
            s.cmd(f"set *(char *){go:#x} = {part}")
            s.run_until(lambda: begin <= s.pc() < end and s.int("(unsigned)$sp") == 0x7C00, f"the guest does not come to {mode} mode")
            s.cmd("set $pc = $pc")
            for name, symbols in SYMBOLS.items():
                for before in ARCHITECTURES:
                    what = f"{mode}, {name} symbols, {before} before"
                    s.detach()
                    connect_as(s, symbols, before)
                    registers_are_those_of(s, begin, end, what)
                    for after in ARCHITECTURES[1:] if not before else ():
                        s.cmd(f"set architecture {after}")
                        registers_are_those_of(s, begin, end, f"{what}, {after} after")
                    s.cmd("set architecture auto")


@test(needs="x86")
def one_session_follows_a_guest_from_real_mode_to_64_bit(context):
    """With 64-bit symbols from the start, as for a kernel that firmware boots."""
    with started(context, flat("modes")) as s:
        go, label, end = s.address("go"), s.address("at_long"), s.address("finished")
        s.detach()
        connect_as(s, "count.elf", None)
        s.cmd("set architecture i8086")
        s.cmd(f"set *(char *){go:#x} = 4")
        s.run_until(lambda: label <= s.pc() < end, "the guest does not come to at_long")
        check("vCPU 0 is now in 64-bit mode: set architecture i386:x86-64" in s.mi.told, "the line says what to do")
        s.cmd("set architecture auto")
        check_eq(s.reg("efer") & 0x400, 0x400, "efer.LMA")
        s.cmd("set $r15 = 0x1122334455667788")
        s.stepi()
        check_eq(s.reg("r15"), 0x1122334455667788, "a 64-bit register")
        check_eq(s.word(0xFFFF800000000000), 0x600D600D, "the word in the upper half")
