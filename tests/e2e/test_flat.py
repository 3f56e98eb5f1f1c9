# SPDX-License-Identifier: LGPL-2.1-or-later
"""The small 64-bit guest: everything that GDB does, quickly."""
import re

from guests import flat
from session import Packets, check, check_eq, started
from suite import Scene, test

COUNT = Scene(**flat("count"))


@COUNT.test()
def stops_at_the_first_instruction(s):
    check_eq(s.pc(), s.address("_start"), "pc")
    check_eq(s.function(), "_start", "function")
    check_eq(s.int("counter"), 0, "counter")
    check_eq(s.cmd("x/10i $pc").count("\n"), 10, "lines of x/10i")


@COUNT.test()
def stepi_takes_one_instruction(s):
    for _ in range(5):
        before = s.pc()
        following = int(s.cmd("x/2i $pc").splitlines()[1].split()[0], 16)
        call = re.search(r"\t(call|bl)\b", s.cmd("x/1i $pc"))
        s.stepi()
        check(s.pc() != before and (call or s.pc() == following), f"stepi went from {before:#x} to {s.pc():#x}")


@COUNT.test()
def interrupt_stops_a_running_guest(s):
    s.cont()
    s.guest.console.wait_for(r"\.", s.context.scale(20))
    s.interrupt()
    check(s.int("counter") >= 65536, "the guest has counted")


@COUNT.test()
def registers_and_memory_can_be_written(s):
    s.cmd("set var counter = 0x123456789a")
    check_eq(s.int("counter"), 0x123456789A, "counter")
    name, vector = s.context.arch.free[0], s.context.arch.vector
    old = s.reg(name)
    s.cmd(f"set ${name} = 0x1122334455667788")
    s.stepi()
    check_eq(s.reg(name), 0x1122334455667788, f"{name} after a step")
    s.cmd(f"set ${name} = {old}")
    s.cmd(f"set ${vector} = 77")
    check_eq(s.int(f"${vector}"), 77, vector)


@COUNT.test(needs="x86")
def control_registers_show_long_mode(s):
    check_eq(s.reg("cs") & 7, 0, "cs privilege")
    check(s.reg("cr3") != 0 and s.reg("cr0") & 0x80000001 == 0x80000001, "cr0 and cr3 are those of long mode")


@COUNT.test(needs="arm64")
def control_registers_show_el1_without_translation(s):
    check_eq(s.int("$cpsr & 0x1f"), 5, "exception level and stack pointer of cpsr")
    check_eq((s.reg("SCTLR_EL1") & 1, s.reg("ELR_EL1")), (0, 0), "the MMU's switch, and the return address of no exception")


@COUNT.test()
def a_bad_address_is_an_error(s):
    check("annot access memory" in s.refused("x/1gx 0x7fff00000000"), "reading nowhere is refused")
    check("annot access memory" in s.refused("set var *(int *)0x7fff00000000 = 1"), "writing nowhere is refused")


@COUNT.test()
def large_memory_goes_through_in_both_directions(s):
    path = s.context.log_path("memory.bin")
    data = bytes((i * 7 + (i >> 8)) & 0xFF for i in range(200000))
    with open(path, "wb") as f:
        f.write(data)
    at = s.context.arch.scratch
    s.cmd(f"restore {path} binary {at:#x}")
    s.cmd(f"dump binary memory {path}.back {at:#x} {at:#x}+{len(data)}")
    with open(path + ".back", "rb") as f:
        check(f.read() == data, "what was read back is what was written")
    found = s.cmd(f"find /b {at:#x}, +200000, 0, 7, 14, 21, 28").lower()
    check("pattern found" in found or f"{at:#x}" in found, "the pattern is found")


@COUNT.test()
def sections_compare_equal(s):
    check("MIS-MATCHED" not in s.cmd("compare-sections .text"), "the code is as in the file")


@COUNT.test(needs="swbreak")
def a_breakpoint_by_source_line_is_hit_again_and_again(s):
    bp = s.brk("multiply")
    for _ in range(3):
        s.cont()
        s.expect_stop(bp=bp, func="multiply")
    check("measure" in s.cmd("backtrace"), "the caller is in the backtrace")
    check("guest_main" in s.cmd("backtrace"), "and its caller")
    check_eq((s.int("a"), s.int("b")), (3, 4), "arguments")
    s.delete(bp)


@COUNT.test(needs="swbreak")
def breakpoints_do_not_show_in_memory(s):
    before = s.cmd("x/4xb bump")
    s.cmd("set breakpoint always-inserted on")
    bp = s.brk("*bump")
    check_eq(s.cmd("x/4xb bump"), before, "bytes at the breakpoint")
    s.cont()
    s.expect_stop(bp=bp, func="bump")
    check_eq(s.cmd("x/4xb bump"), before, "bytes at the breakpoint after it was hit")
    s.delete(bp)
    s.cmd("set breakpoint always-inserted off")


@COUNT.test(needs="swbreak")
def step_next_and_finish_follow_the_source(s):
    s.tbrk("measure")
    s.cont()
    s.expect_stop(reason="breakpoint-hit", func="measure")
    if s.step()["frame"]["func"] == "measure":  # a prologue of its own
        s.step()
    check_eq(s.function(), "multiply", "function after step")
    stop = s.run_to_stop("finish", reason="function-finished", func="measure")
    check_eq(stop.get("return-value"), "12", "value that multiply returned")
    s.run_to_stop("finish", reason="function-finished", func="guest_main")
    s.next()
    check_eq((s.function(), s.int("area")), ("guest_main", 12), "function and area")


@COUNT.test()
def structures_are_printed(s):
    text = s.value("shape")
    check("width = 3" in text and "height = 4" in text and "rectangle" in text, f"shape prints as {text}")


@COUNT.test(needs="swbreak")
def advance_until_and_jump(s):
    s.run_to_stop("advance bump", func="bump")
    s.run_to_stop("until", reason="end-stepping-range")
    s.tbrk("multiply")
    s.run_to_stop("jump guest_main", func="multiply")


@COUNT.test(needs="hwbreak")
def a_hardware_breakpoint_is_hit_again_and_again(s):
    bp = s.hbrk("bump")
    before = s.int("counter")
    for i in range(3):
        s.cont()
        s.expect_stop(bp=bp, func="bump")
    check(s.int("counter") - before in (2, 3), "one count between two hits")
    s.delete(bp)


@COUNT.test(needs="hwbreak kvm")  # TCG has no limit
def there_are_so_many_hardware_breakpoints_and_one_more_is_an_error(s):
    s.cmd("set breakpoint always-inserted on")
    try:
        names = ("multiply", "measure", "bump", "trap", "guest_main", "look_around")
        for name in names[:s.context.arch.hw_breakpoints]:
            s.hbrk(name)
        check("annot insert hardware breakpoint" in s.refused("hbreak scatter"), "GDB says that one more does not fit")
    finally:
        s.delete()
        s.cmd("set breakpoint always-inserted off")
    s.stepi()


@COUNT.test(needs="hwbreak")
def a_watchpoint_shows_old_and_new_value(s):
    wp = s.watch("counter")
    old = s.int("counter")
    s.cont()
    stop = s.expect_stop(watch=wp, func="bump")
    check_eq((int(stop["value"]["old"]), int(stop["value"]["new"])), (old, old + 1), "old and new value")
    s.delete(wp)


@COUNT.test(needs="hwbreak")
def a_watchpoint_of_one_byte_and_an_access_watchpoint(s):
    wp = s.watch("small")
    s.cont()
    s.expect_stop(watch=wp, func="bump")
    check_eq(s.int("counter") % 256, 0, "counter modulo 256")
    s.delete(wp)
    wp = s.awatch("shape.width")
    s.cont()
    s.expect_stop(watch=wp, func="measure")
    s.delete(wp)


@COUNT.test(needs="swbreak")
def a_condition_is_kept(s):
    target = s.int("counter") + 20
    bp = s.brk(f"bump if counter == {target}")
    s.cont()
    s.expect_stop(bp=bp)
    check_eq(s.int("counter"), target, "counter")


@COUNT.test(needs="swbreak")
def delete_lets_the_guest_run_through(s):
    bp = s.brk("bump")
    s.cont()
    s.expect_stop(bp=bp)
    s.delete(bp)
    mark = s.guest.console.mark()
    s.cont()
    s.guest.console.wait_for(r"\.", s.context.scale(20), mark)
    s.interrupt()


@COUNT.test(needs="swbreak")
def the_guests_own_trap_reaches_its_own_handler(s):
    bp = s.brk("multiply")
    s.cmd("set var own_trap = 1")
    before = s.int("trap_count")
    for _ in range(4):
        s.cont()
        s.expect_stop(bp=bp)
    check(s.int("trap_count") - before >= 3, "the guest's handler ran each time")
    s.delete(bp)
    s.cmd("set var own_trap = 0")


@COUNT.test(needs="swbreak")
def a_backtrace_survives_many_steps(s):
    s.tbrk("multiply")
    s.cont()
    s.expect_stop(func="multiply")
    for _ in range(20):
        s.run_to_stop("stepi")
    check("guest_main" in s.cmd("backtrace"), "guest_main is in the backtrace")


@COUNT.test()
def physical_memory_is_readable_by_monitor(s):
    s.cmd("set var counter = 0x4242")
    check("4242" in s.cmd(f"monitor xp /1g {s.address('counter'):#x}"), "monitor xp shows the counter")


@COUNT.test()
def monitor_tells_what_it_can(s):
    check("info registers" in s.cmd("monitor help"), "help names info registers")
    check(s.context.arch.pc in s.cmd("monitor info registers").lower(), "info registers shows pc")
    check("unknown command 'no-such-command': help lists all" in s.cmd("monitor no-such-command"), "an unknown command is named")
    check("info registers" in s.cmd("monitor info"), "half a command is answered with what begins so")
    check_eq(s.cmd("monitor help xp").count("\n"), 1, "lines of help about one command")
    check(f"{s.pc():#x}: physical " in s.cmd("monitor pt $pc"), "a register's name stands for its value")
    check("HVC #0" in s.cmd("monitor esr 0x5a000000"), "a syndrome of arm64 is decoded on any guest")
    check({"arm64": "ESR_EL1", "x86": "this guest is x86"}[s.context.arch.name] in s.cmd("monitor esr"),
          "without a value it is the vCPU's own")


@COUNT.test()
def setting_stop_ends_the_guests_loop(s):
    s.cmd("set var stop = 1")
    s.run_until(lambda: s.function() == "finished", "the guest does not come to where it halts")


@test(needs="x86")
def a_triple_fault_stops_under_gdb_and_ends_gdbvm_on_detach(context):
    with started(context, flat("count")) as s:
        s.cmd("set var crash = 1")
        s.run_to_stop("continue", sig="SIGSEGV")  # where it is then is no longer known: KVM on SVM resets the vCPU
        check_eq(s.int("crash"), 1, "crash, read after the fault")
        s.detach()
        check_eq(s.guest.wait_exit(), 11, "exit status")
        check("triple fault" in s.guest.messages.text(), "the message names the triple fault")


@COUNT.test()
def a_read_across_a_hole_gives_what_is_mapped(s):
    """The end of RAM, the end of what the page tables map, the edges of the address space."""
    s.detach()
    p = Packets(s.raw())
    ram_end = s.context.arch.ram + (16 << 20)
    check_eq(len(p.ask(b"m%x,40" % (ram_end - 16))), 32, "digits of the 16 bytes before the end of RAM")
    check(p.ask(b"m%x,10" % ram_end).startswith(b"E"), "nothing is behind it")
    for bad in (b"mffffffffffffffff,2", b"m800000000000,10", b"mffff7ffffffffff0,8", b"mfffffffffffffff0,20"):
        check(p.ask(bad).startswith(b"E"), f"{bad} is an error")
    check_eq(p.ask(b"m%x,0" % ram_end), b"", "no bytes are no error")
    check(p.ask(b"M%x,4:01020304" % (ram_end - 2)).startswith(b"E"), "a write that does not fit is an error")
    p.close()
    s.reconnect()
