# SPDX-License-Identifier: LGPL-2.1-or-later
"""Clients that come and go: detach, reattach, crash, a second one, kill, and Ctrl-C in a real terminal."""
import signal

from guests import flat
from session import Guest, Terminal, check, check_eq, started
from suite import test


def check_runs(s, text):
    mark = s.console.mark()
    s.wait_console(r"\.", 20, mark)
    check(not s.guest.process.ended.is_set(), f"the guest runs {text}")


@test()
def detach_lets_the_guest_run_and_one_can_come_back(context):
    with started(context, flat("count")) as s:
        s.stepi()
        s.detach()
        check_runs(s, "after detach")
        for _ in range(3):
            s.reconnect()
            check(s.int("counter") > 0, "the guest has counted")
            s.detach()
            check_runs(s, "after another detach")


@test(needs="swbreak")
def detach_takes_breakpoints_out(context):
    with started(context, flat("count")) as s:
        bp = s.brk("bump")
        s.cont()
        s.expect_stop(bp=bp)
        s.detach()
        check_runs(s, "through what was a breakpoint")
        s.reconnect()
        check("MIS-MATCHED" not in s.cmd("compare-sections .text"), "the code is whole")


@test(needs="swbreak")
def the_guests_own_trap_is_its_own_again_after_detach(context):
    with started(context, flat("count")) as s:
        bp = s.brk("bump")
        s.cont()
        s.expect_stop(bp=bp)
        s.cmd("set var own_trap = 1")
        s.detach()
        check_runs(s, "with a trap of its own in every turn")
        s.reconnect()
        check(s.int("trap_count") + 2 >= s.int("counter") - 1, "its handler ran each time")


@test()
def a_client_killed_while_the_guest_runs_does_it_no_harm(context):
    with started(context, flat("count")) as s:
        s.cont()
        s.wait_console(r"\.")
        s.gdb.kill_hard()
        check_runs(s, "after the client was killed")
        s.reconnect()
        s.stepi()


@test(needs="swbreak hwbreak")
def a_client_killed_with_breakpoints_in_place_does_no_harm(context):
    with started(context, flat("count")) as s:
        s.cmd("set breakpoint always-inserted on")
        s.brk("multiply if 0")
        s.hbrk("bump")
        s.cont()
        s.expect_stop(func="bump")
        s.gdb.kill_hard()
        check_runs(s, "after the client was killed at a breakpoint")
        s.reconnect()
        check("MIS-MATCHED" not in s.cmd("compare-sections .text"), "the code is whole")
        names = ("multiply", "measure", "bump", "trap", "guest_main", "look_around")
        for name in names[:context.arch.hw_breakpoints]:  # all debug registers are free again
            s.hbrk(name)
        s.run_to_stop("continue", reason="breakpoint-hit")


@test()
def a_second_client_is_refused_and_the_first_goes_on(context):
    with started(context, flat("count")) as s:
        with s.raw() as second:
            said = second.recv(4096).decode(errors="replace")
            check("busy" in said.lower() or "already" in said.lower(), f"the second client is told why: {said!r}")
        s.stepi()
        s.cont()
        with s.raw() as third:
            third.recv(4096)
        s.interrupt()


@test(needs="tcg")
def a_connection_that_says_nothing_keeps_no_debugger_out(context):
    with started(context, flat("count")) as s:
        s.detach()
        with s.raw() as silent:
            s.reconnect()
            silent.settimeout(context.scale(20))
            check_eq(silent.recv(4096), b"", "what the silent one gets")
            s.stepi()


@test()
def kill_ends_the_guest(context):
    with started(context, flat("count")) as s:
        s.cmd("kill")
        check_eq(s.guest.wait_exit(), 0, "exit status")


@test(needs="hwbreak")
def run_in_extended_remote_mode_starts_the_guest_anew(context):
    with started(context, flat("count")) as s:
        s.cont()
        s.wait_console(r"\.")
        s.interrupt()
        check(s.int("counter") > 0, "the guest has counted")
        s.cmd("disconnect")
        s.gdb = s.new_gdb()
        s.gdb.connect(s.guest.port, "extended-remote")
        for _ in range(2):
            bp = s.hbrk("guest_main")
            s.run_to_stop("run", bp=bp, func="guest_main")
            check_eq(s.int("counter"), 0, "counter of the new guest")
            s.delete()
        since = len(s.console.text())
        s.detach()
        s.wait_console(r"\.", since=since)


@test()
def quitting_gdb_detaches(context):
    with started(context, flat("count")) as s:
        s.gdb.mi.process.stdin.write("-gdb-exit\n")
        s.gdb.mi.process.stdin.flush()
        s.gdb.mi.process.wait(20)
        check_runs(s, "after GDB quit")


@test()
def a_client_can_attach_to_a_guest_that_was_not_held(context):
    what = flat("count")
    with started(context, what, wait=False, connect=False) as s:
        s.wait_console(r"\.", 20)
        s.gdb.connect(s.guest.port)
        check(s.int("counter") >= 65536, "the guest had run before")
        s.stepi()


@test()
def a_signal_ends_gdbvm_also_while_gdb_holds_the_guest(context):
    with started(context, flat("count")) as s:
        s.guest.signal(signal.SIGTERM)
        check_eq(s.guest.wait_exit(), 128 + signal.SIGTERM, "exit status")


@test(needs="tmux")
def ctrl_c_typed_in_a_terminal_stops_the_guest(context):
    what = flat("count")
    with Guest(context, what["args"](context)) as guest:
        terminal = Terminal(context, [context.gdb, "-nx", "-q", "-iex", f"set remotetimeout {int(context.scale(20))}",
                                      what["symbols"](context)])
        try:
            terminal.wait_for(r"\(gdb\)")
            terminal.type(f"target remote 127.0.0.1:{guest.port}")
            terminal.wait_for(r"_start")
            terminal.type("continue")
            terminal.wait_for(r"Continuing")
            guest.console.wait_for(r"\.", context.scale(20))
            terminal.key("C-c")
            terminal.wait_for(r"received signal SIGINT")
            terminal.type("print counter > 0")
            terminal.wait_for(r"\$1 = 1")
            terminal.type("detach")
            terminal.wait_for(r"[Dd]etach")
            guest.console.wait_for(r"\.", context.scale(20), guest.console.mark())
        finally:
            terminal.close()
