# SPDX-License-Identifier: LGPL-2.1-or-later
"""Four counting vCPUs and clients that do it all at once: no stop is lost, nothing hangs, and the guest is unharmed."""
import os
import random
import re
import subprocess
import time

from guests import flat
from session import Packets, check, check_eq
from suite import Scene, test
from torture import SCRATCH_SIZE, Torture

CPUS = 4


def changed(before, after):
    return [thread for thread in before if before[thread] != after[thread]]


# ---- who runs ----

@test()
def vcont_gives_each_thread_its_action(context):
    with Torture(context) as t:
        c = t.client()
        c.stopped(c.ask(b"?"))
        pc = context.arch.pc_number

        def alone(body, thread):
            before = c.registers(pc)
            stopped, reply = c.run(body)
            check_eq((stopped, reply[:3]), (thread, b"T05"), f"stop of {body}")
            check_eq(changed(before, c.registers(pc)), [thread], f"vCPUs that {body} moved")

        alone(b"vCont;s:2", 2)
        alone(b"vCont;S05:3", 3)
        alone(b"vCont;t:1;s:4;t", 4)
        alone(b"vCont;s:p1.1", 1)
        # A range of one instruction, from its start and alone; and one that the vCPU is not in.
        while c.registers(pc)[2] != t.at["count_here"]:
            alone(b"vCont;s:2", 2)
        at = t.at["count_here"]
        behind = at + context.arch.counts_in
        alone(b"vCont;r%x,%x:2" % (at, behind), 2)
        check_eq(c.registers(pc)[2], behind, "pc behind the range")
        alone(b"vCont;r%x,%x:2" % (at, behind), 2)
        # A range around the whole loop ends only with an interrupt, and so does a run.
        for body in (b"vCont;r%x,%x:2" % (t.at["count_loop"], t.at["loop_end"]), b"vCont;c:2", b"vCont;C0b:2", b"vCont;t:1;t:3;t:4;c"):
            before = t.counts(c)
            while t.counts(c)[1] == before[1]:
                c.go(body)
                check_eq(c.interrupt()[1][:3], b"T02", f"an interrupt ends {body}")
            after = t.counts(c)
            check_eq([after[i] for i in (0, 2, 3)], [before[i] for i in (0, 2, 3)], f"the counts of those that {body} held")
        # One steps, the others run: they may get on, and in the end they do.
        before = t.counts(c)
        end = time.monotonic() + context.scale(20)
        while not all(n > o for n, o in zip(t.counts(c), before)):
            check_eq(c.run(b"vCont;s:2;c")[0], 2, "the thread whose step is done")
            check(time.monotonic() < end, f"counts go on from {before}: {t.counts(c)}")
        # The leftmost action of a thread counts.
        alone(b"vCont;s:3;t:3;t", 3)
        for body in (b"vCont;t", b"vCont;t:1", b"vCont;s:9", b"vCont;s:1;c:5", b"vCont"):
            check(c.ask(body)[:1] == b"E", f"{body} is refused")
        t.check_all_count(c)
        c.ok(b"D")
        c.close()
        t.check_unharmed()


SMP = Scene(**flat("smp", "-c", str(CPUS)), prepare=lambda s: (s.cont(), s.wait_console(r"\+" * CPUS), s.interrupt()))


def counts(s):
    return [s.word(s.address("counts") + 8 * i, "g") for i in range(CPUS)]


def run_until_counted(s, thread):
    before = counts(s)
    while counts(s)[thread - 1] == before[thread - 1]:
        s.cont()
        s.interrupt()
    return [n > o for n, o in zip(counts(s), before)]


@SMP.test()
def scheduler_locking_on_runs_and_steps_one_vcpu(s):
    s.cmd("thread 3")
    s.cmd("set scheduler-locking on")
    check_eq(run_until_counted(s, 3), [False, False, True, False], "vCPUs that ran")
    before = counts(s)
    for _ in range(20):
        s.stepi()
    check_eq([n > o for n, o in zip(counts(s), before)], [False, False, True, False], "vCPUs that stepped")
    s.cmd("set scheduler-locking replay")


@SMP.test()
def scheduler_locking_step_holds_the_others_for_steps_only(s):
    s.cmd("thread 2")
    s.cmd("set scheduler-locking step")
    before = counts(s)
    for _ in range(20):
        s.stepi()
    check_eq([n > o for n, o in zip(counts(s), before)], [False, True, False, False], "vCPUs that stepped")
    for thread in range(1, CPUS + 1):
        run_until_counted(s, thread)
    s.cmd("set scheduler-locking replay")


@SMP.test()
def without_scheduler_locking_the_others_run_during_a_step(s):
    s.cmd("set scheduler-locking replay")
    s.cmd("thread 4")
    before = counts(s)
    end = time.monotonic() + s.context.scale(20)
    while not all(n > o for n, o in zip(counts(s), before)):
        s.stepi()
        check(time.monotonic() < end, f"counts go on from {before}: {counts(s)}")


# ---- stops on several vCPUs at once ----

def every_stop_counts(context, kind, rounds):
    """Each vCPU comes by the breakpoint once a count. Taking it out, stepping one vCPU and putting it back must neither lose
    a stop nor invent one."""
    rng = random.Random(2)
    with Torture(context) as t:
        c = t.client()
        c.stopped(c.ask(b"?"))
        bp, hits = b"%d,%x,%x" % (kind, t.at["count_here"], context.arch.kind), [0] * CPUS
        c.ok(b"Z" + bp)
        before = t.counts(c)
        for number in range(rounds):
            # every other round with some held, or a host with few processors would let the same one stop all the time
            who = rng.sample(range(1, CPUS + 1), rng.randrange(1, CPUS)) if number % 2 else range(1, CPUS + 1)
            thread, _ = c.run(b"vCont" + b"".join(b";c:%x" % n for n in who))
            check(thread in who, f"thread {thread} stopped when {who} ran")
            check_eq(c.registers(context.arch.pc_number)[thread], t.at["count_here"], f"pc of thread {thread}")
            hits[thread - 1] += 1
            c.ok(b"z" + bp)
            check_eq(c.run(b"vCont;s:%x" % thread)[0], thread, "the thread that stepped")
            c.ok(b"Z" + bp)
        grown = [n - o for n, o in zip(t.counts(c), before)]
        check(all(abs(g - h) <= 1 for g, h in zip(grown, hits)), f"vCPUs counted {grown} with stops {hits}")
        check(all(hits), f"each vCPU stopped: {hits}")
        c.vanish()
        t.check_unharmed()


@test(needs="swbreak")
def stops_of_several_vcpus_at_once_are_all_reported(context):
    every_stop_counts(context, 0, 200)


@test(needs="code-hwbreak")
def hardware_stops_of_several_vcpus_at_once_are_all_reported(context):
    every_stop_counts(context, 1, 200)


# ---- steps ----

@test(needs="swbreak")
def a_step_off_an_inserted_breakpoint_stays_stopped(context):
    """Clients that leave breakpoints in while they step, as LLDB does and GDB with always-inserted."""
    with Torture(context) as t:
        c = t.client()
        c.stopped(c.ask(b"?"))
        at, pc = t.at["count_here"], context.arch.pc_number
        c.ok(b"Z0,%x,%x" % (at, context.arch.kind))
        for _ in range(50):
            thread, _ = c.run(b"vCont;c")
            before, counted = c.registers(pc), t.counts(c)[thread - 1]
            check_eq(before[thread], at, "pc at the breakpoint")
            check_eq(c.run(b"vCont;s:%x" % thread)[0], thread, "the thread that stepped")
            after = c.registers(pc)
            check_eq((changed(before, after), after[thread]), ([thread], at + context.arch.counts_in), "who moved, and where to")
            check_eq(t.counts(c)[thread - 1], counted + 1, "count of the vCPU that stepped")
        c.ok(b"D")
        c.close()
        t.check_unharmed()


@test(needs="swbreak")
def an_interrupt_during_a_step_leaves_flags_and_breakpoints(context):
    with Torture(context) as t:
        c = t.client()
        c.stopped(c.ask(b"?"))
        arch = context.arch
        c.ok(b"Z0,%x,%x" % (t.at["count_here"], arch.kind))
        thread, _ = c.run(b"vCont;c")
        flags = c.registers(arch.flags_number)[thread] & arch.step_flags
        for number in range(60):
            c.go(b"vCont;s:%x" % thread if number % 2 else b"vCont;s:%x;c" % thread)
            c.send(b"\x03")
            c.stopped(c.answer())
            check(c.ask(b"qC").startswith(b"QC"), "there is one stop reply for one resume")
            check_eq(c.registers(arch.flags_number)[thread] & arch.step_flags, flags, "flags of steps and interrupts")
        interrupts = 0
        for _ in range(20):
            hit, reply = c.run(b"vCont;c")
            interrupts += reply.startswith(b"T02")
            if not reply.startswith(b"T02"):
                check_eq(c.registers(arch.pc_number)[hit], t.at["count_here"], "pc at the breakpoint, which is still in")
        check(interrupts <= 1, f"the last Ctrl-C, which crossed the end of the step, stops once: {interrupts} stops")
        c.ok(b"D")
        c.close()
        t.check_unharmed()


@test()
def a_step_waits_for_nothing(context):
    """A server that looks for the stop every now and then would add its interval to each step."""
    with Torture(context, 1) as t:
        c, times = t.client(), []
        c.stopped(c.ask(b"?"))
        for _ in range(99):
            begin = time.monotonic()
            c.run(b"vCont;s:1")
            times.append(time.monotonic() - begin)
        fast = sorted(times)[9]  # a busy machine makes some steps slow, an interval all of them
        check(fast < 0.08, f"nine tenths of 99 steps took more than {1000 * fast:.1f} ms")
        c.ok(b"D")
        c.close()


# ---- sessions that come and go ----

def leave_politely(c):
    c.ok(b"D")
    c.close()


def leave_running(c):
    c.go(b"vCont;c")
    c.close()


def die_running(c):
    c.go(b"vCont;c")
    c.vanish()


def die_stepping(c):
    c.go(b"vCont;s:2;c")
    c.vanish()


def die_in_a_packet(c):
    c.send(b"$m40100000,")
    c.vanish()


def die_stopped(c):
    c.vanish()


def die_interrupting(c):
    c.go(b"vCont;c")
    c.send(b"\x03")
    c.vanish()


WAYS_OUT = [leave_politely, leave_running, die_running, die_stepping, die_in_a_packet, die_stopped, die_interrupting]


def rounds_of_sessions(context, rounds):
    rng = random.Random(20)
    kinds = [None] + [k for k, need in ((0, "swbreak"), (1, "code-hwbreak")) if need in context.capabilities]
    with Torture(context) as t:
        for number in range(rounds):
            c = t.client()
            c.stopped(c.ask(b"?"))
            if number % 10 == 9:  # whom the host gives time in so short a round is not ours to say
                t.check_all_count(c)
            for _ in range(rng.randrange(3)):
                c.run_a_while()
            kind = rng.choice(kinds)
            if kind is not None:
                c.ok(b"Z%d,%x,%x" % (kind, t.at["count_here"], context.arch.kind))
                for _ in range(rng.randrange(3)):
                    c.run(b"vCont;c")
            rng.choice(WAYS_OUT)(c)
            if number % 100 == 50:
                t.check_unharmed()
        t.check_unharmed()


@test()
def clients_come_interrupt_and_go_under_load(context):
    rounds_of_sessions(context, 60)


@test(needs="long", cap=240)
def a_long_row_of_clients_comes_interrupts_and_goes_under_load(context):
    rounds_of_sessions(context, {"x86": 1000, "arm64": 300}[context.arch.name])


def into_pause_loop(t, c):
    arch = t.context.arch
    for number, value in ((arch.loop_number, 0x7FFFFFFF), (arch.pc_number, t.at["pause_loop"])):
        c.ok(b"P%x=%s" % (number, value.to_bytes(8, "little").hex().encode()))


@test(needs="hwbreak")
def a_watchpoint_of_a_vcpu_that_runs_while_another_is_stepped(context):
    """A range that the stepped vCPU does not leave, so that the others run however the host schedules them."""
    with Torture(context) as t:
        c = t.client()
        c.stopped(c.ask(b"?"))
        c.ok(b"Hg1")
        into_pause_loop(t, c)
        c.ok(b"Z2,%x,8" % (t.at["counts"] + 16))
        before = t.counts(c)
        thread, reply = c.run(b"vCont;r%x,%x:1;c" % (t.at["pause_loop"], t.at["pause_end"]))
        check_eq(thread, 3, "the vCPU that wrote")
        check(b"watch:%x;" % (t.at["counts"] + 16) in reply, f"the reply names the place: {reply!r}")
        counted = t.counts(c)[2] - before[2]
        # Of a step and a watchpoint that come together QEMU's stub tells one.
        done = 1 if context.arch.name == "x86" else 0  # or it stops before the write
        check(counted == done or (context.accel == "tcg" and counted > done), f"the third has counted {counted} when it stopped")
        pc = c.registers(context.arch.pc_number)[1]
        check(t.at["pause_loop"] <= pc < t.at["pause_end"], f"the stepped vCPU is in its range: {pc:#x}")
        c.ok(b"z2,%x,8" % (t.at["counts"] + 16))
        c.ok(b"D")
        c.close()


@test(needs="kvm")
def vcpus_run_beside_one_that_is_stepped_quickly(context):
    """Also where the host has one processor for all of them, and a step is over before anybody else is at the guest's door."""
    with Torture(context) as t:
        c = t.client()
        c.stopped(c.ask(b"?"))
        c.ok(b"Hg1")
        into_pause_loop(t, c)
        before = t.counts(c)
        for _ in range(100):
            c.run(b"vCont;s:1;c")
        grown = [now - old for now, old in zip(t.counts(c), before)]
        check(grown[0] == 0 and all(grown[1:]), f"in 100 steps of the first the vCPUs have counted {grown}")
        c.ok(b"D")
        c.close()


# ---- a hostile client ----

class Hostile:
    """Random packets, right and wrong. `writes`: also to memory that the guest does not use - nothing here ever changes what
    the guest has: no registers, no other memory, and software breakpoints at the starts of instructions only."""

    MUTABLE = [b"?", b"g", b"p10", b"p0", b"mSCRATCH,40", b"xSCRATCH,80", b"qC", b"qSupported:swbreak+;hwbreak+",
               b"qfThreadInfo", b"qsThreadInfo", b"qThreadExtraInfo,2", b"qXfer:features:read:target.xml:0,200",
               b"qXfer:threads:read::0,80", b"qXfer:memory-map:read::0,100", b"Hg2", b"Hc-1", b"T3", b"vCont?", b"qAttached",
               b"qSearch:memory:SCRATCH;1000;abc", b"qCRC:CODE,100", b"qRegisterInfo7", b"qMemoryRegionInfo:CODE",
               b"jThreadsInfo", b"qThreadStopInfo2", b"QThreadSuffixSupported", b"QListThreadsInStopReply", b"qHostInfo",
               b"qEcho:77", b"QSaveRegisterState", b"QEnableErrorStrings", b"qSymbol::", b"g;thread:2;", b"p3;thread:1;",
               b"Qqemu.PhyMemMode:0", b"qRcmd,68656c70", b"qRcmd,696e666f20726567697374657273"]
    EXACT = [b"vCont;s:1", b"vCont;s:3", b"vCont;s:2;c", b"vCont;c", b"vCont;c:1;s:2", b"s", b"S05", b"c", b"C02",
             b"vCont;t", b"vCont;r%x,%x:1"]

    def __init__(self, t, rng, writes):
        self.t, self.rng, self.writes = t, rng, writes
        arch = t.context.arch
        self.scratch, self.kind = arch.scratch, arch.kind
        self.mutable = [body.replace(b"SCRATCH", b"%x" % arch.scratch).replace(b"CODE", b"%x" % arch.flat["smp"])
                        for body in self.MUTABLE]
        out = subprocess.run([arch.objdump, "-d", t.context.guest("smp.elf")], stdout=subprocess.PIPE, text=True).stdout
        code = [int(line, 16) for line in re.findall(r"^ +(\w+):\t[0-9a-f ]+\t", out, re.M)]  # not the rest of a long one
        self.code = [at for at in code if t.at["count"] <= at < t.at["finished"]]

    def mutated(self, body):
        body = bytearray(body)
        for _ in range(self.rng.randrange(1, 4)):
            at = self.rng.randrange(1, len(body) + 1)
            body[at:at + self.rng.randrange(2)] = bytes([self.rng.choice(b"0123456789abcdef,;:-#$*}+\x00\xffzT")])
        return bytes(body)

    def breakpoint(self):
        # where software breakpoints do not stop a guest, one of ours would reach it
        kind = self.rng.randrange(0 if "swbreak" in self.t.context.capabilities else 1, 6)
        at = self.rng.choice(self.code) if kind < 2 or self.rng.randrange(2) else self.rng.getrandbits(64) | 1 << 47
        return b"%c%d,%x,%x" % (self.rng.choice(b"ZZz"), kind, at, self.kind if kind < 2 else self.rng.randrange(10))

    def write(self):
        data = self.rng.randbytes(self.rng.randrange(64))
        at = self.scratch + self.rng.randrange(SCRATCH_SIZE)
        return self.rng.choice([b"M%x,%x:" % (at, len(data)) + data.hex().encode(),
                                b"M%x,%x:" % (at, len(data) + 1) + data.hex().encode(),
                                b"X%x,%x:" % (at, len(data)) + self.escaped(data)])

    @staticmethod
    def escaped(data):
        return b"".join(bytes([0x7D, b ^ 0x20]) if b in b"}#$*" else bytes([b]) for b in data)

    def packet(self):
        which = self.rng.randrange(10)
        if which < 4:
            return self.rng.choice(self.mutable)
        if which < 6:
            return self.mutated(self.rng.choice(self.mutable))
        if which < 8:
            body = self.rng.choice(self.EXACT)
            return body % (self.t.at["count_here"], self.t.at["finished"]) if b"%" in body else body
        return self.write() if self.writes and which == 8 else self.breakpoint()

    def bytes(self):
        """What goes over the wire in one go: a packet, or less, or more."""
        frame, which = Packets.frame(self.packet()), self.rng.randrange(20)
        if which == 0:
            return frame[:self.rng.randrange(len(frame))]
        if which == 1:
            return frame[:-2] + b"zz"
        if which == 2:
            return b"\x03" * self.rng.randrange(1, 4) + frame
        if which == 3:
            return self.rng.choice([b"+", b"-", b"++--+"]) + frame
        return frame

    def session(self):
        """One connection: bursts of packets, replies are read but not believed; then gone in one way or another."""
        c = self.t.client()
        try:
            for _ in range(self.rng.randrange(1, 60)):
                c.send(b"".join(self.bytes() for _ in range(self.rng.randrange(1, 4))))
                c.sock.setblocking(False)
                try:
                    c.sock.recv(1 << 16)
                except BlockingIOError:
                    pass
                c.sock.settimeout(self.t.context.scale(10))
            if self.rng.randrange(2):
                c.send(b"\x03")
        except OSError:
            pass  # thrown out, as it deserves
        self.rng.choice([c.close, c.vanish])()


def hostile_for(context, seconds, seed):
    rng = random.Random(seed)
    sessions = 0
    with Torture(context) as t:
        for writes in (False, True):
            hostile, end = Hostile(t, rng, writes), time.monotonic() + seconds / 2
            while time.monotonic() < end:
                hostile.session()
                sessions += 1
                check(not t.guest.process.ended.is_set(), f"gdbvm lives after session {sessions}")
                if sessions % 50 == 0:
                    t.check_unharmed()
            t.check_unharmed()
    print(f"# {sessions} sessions", flush=True)


@test()
def a_hostile_client_does_no_harm(context):
    hostile_for(context, 12, 7)


@test(needs="long", cap=900)
def a_hostile_client_does_no_harm_for_long(context):
    """Another seed every time. GDBVM_HOSTILE_SECONDS=600 is the full measure, taken before releases."""
    seed, seconds = int(time.time()), {"x86": 100, "arm64": 40}[context.arch.name]
    print(f"# seed {seed}", flush=True)
    hostile_for(context, int(os.environ.get("GDBVM_HOSTILE_SECONDS", seconds)), seed)
