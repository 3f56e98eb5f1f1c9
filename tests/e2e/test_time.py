# SPDX-License-Identifier: LGPL-2.1-or-later
"""Time stands still while GDB has a Linux guest stopped, wherever it is stopped and for however long."""
import contextlib
import re
import time

from guests import function, linux
from session import check, check_eq, started
from suite import test

# An interrupt that "took" milliseconds is the lab's doing, whose one processor runs all vCPUs; ours would be seconds.
COMPLAINTS = (r"soft lockup|hard LOCKUP|rcu.*(stall|starved)|self-detected|clocksource.*(unstable|skew|Long readout)|"
              r"Marking (TSC|clocksource)|hrtimer: interrupt took \d{10,} ns|hung_task|blocked for more than|watchdog: BUG|sched: RT throttling|"
              r"Time jumped|backwards")
JUMP_S = 0.050
TK = "tk_core.timekeeper"
SOURCES = {"kvm-clock": "", "tsc": "clocksource=tsc tsc=reliable", "arch_sys_counter": ""}
USUAL = {"x86": "kvm-clock", "arm64": "arch_sys_counter"}

# calc_global_load() is called by tick_do_update_jiffies64() with jiffies_lock held (kernel/time/tick-sched.c).
LOCKED = "calc_global_load"
# No lock is held where a process goes to sleep.
PLAIN = "hrtimer_nanosleep"


def clocks(s):
    """CLOCK_MONOTONIC and CLOCK_REALTIME in seconds, as the guest's kernel would compute them now."""
    name = s.value(f"{TK}.tkr_mono.clock->name")
    cycles = int(s.monitor_time()[0] * 1e9) if '"kvm-clock"' in name else s.counter()
    last, mult, shift, nsec, base = (s.int(f"{TK}.tkr_mono.{field}")
                                     for field in ("cycle_last", "mult", "shift", "xtime_nsec", "base"))
    monotonic = base + ((max(cycles - last, 0) * mult + nsec) >> shift)
    return monotonic / 1e9, (monotonic + s.int(f"{TK}.offs_real")) / 1e9


class Held:
    """A guest that was stopped at a breakpoint, and what its clocks said then."""

    def __init__(self, s, source, where):
        self.s, self.where = s, where
        s.cont()
        s.wait_console(r"count 2\b", 120)
        s.interrupt()
        self.since = len(s.console.text())
        check(f'"{source}"' in s.value(f"{TK}.tkr_mono.clock->name"), f"the clock source is {source}")
        bp = s.hbrk(function(s, where))
        s.cont()
        s.expect_stop(timeout=s.context.scale(60), bp=bp)
        s.delete(bp)
        if where == LOCKED:
            check(s.int("jiffies_lock.raw_lock.val.counter") & 0xFF, "jiffies_lock is held")
        self.clocks = clocks(s)

    def go_on(self):
        s = self.s
        check_eq(clocks(s), self.clocks, f"the clocks while the guest is held in {self.where}")
        begin = time.monotonic()
        s.stepi()
        # On x86 time stands still over such a step, too; on arm64 it goes on for as long as the host takes for it.
        self.no_jump("after a step", 0 if s.context.arch.name == "x86" else time.monotonic() - begin)
        begin = time.monotonic()
        s.cont()
        s.interrupt()
        self.no_jump("after it ran on", time.monotonic() - begin)
        last = int(re.findall(r"count (\d+)", s.console.text())[-1])
        s.cont()
        s.wait_console(rf"count {last + 10}\b", 120)
        s.interrupt()
        bad = re.search(rf"^.*({COMPLAINTS}).*$", s.console.text()[self.since:], re.M)
        check(not bad, f"the kernel complains: {bad and bad.group(0)}")

    def no_jump(self, when, ran):
        for name, was, now in zip(("CLOCK_MONOTONIC", "CLOCK_REALTIME"), self.clocks, clocks(self.s)):
            check(was <= now <= was + ran + JUMP_S, f"{name} went from {was:.6f} to {now:.6f} {when} ({ran:.3f} s)")


def hold(context, seconds, guests):
    """All guests are held at the same time; each for at least so many seconds."""
    with contextlib.ExitStack() as stack:
        held = []
        for cpus, source, where in guests:
            params = f"loglevel=6 {SOURCES[source]}"
            s = stack.enter_context(started(context, linux(do="count", cpus=cpus, params=params)))
            held.append(Held(s, source, where))
        time.sleep(seconds)  # what is tested: that this time is not there
        for guest in held:
            guest.go_on()


@test(needs="kvm hwbreak brief")
def a_guest_held_for_seconds_does_not_notice(context):
    hold(context, 5, [(4, USUAL[context.arch.name], LOCKED)])


@test(needs="x86 kvm hwbreak brief")
def a_guest_that_reads_the_tsc_does_not_notice(context):
    hold(context, 5, [(1, "tsc", PLAIN)])


@test(needs="kvm hwbreak long", cap=400)
def guests_held_for_two_minutes_do_not_notice(context):
    usual = USUAL[context.arch.name]
    more = [(1, "tsc", LOCKED)] if context.arch.name == "x86" else []
    hold(context, 120, [(1, usual, PLAIN), (4, usual, PLAIN), *more, (4, usual, LOCKED)])
