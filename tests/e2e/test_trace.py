# SPDX-License-Identifier: LGPL-2.1-or-later
"""gdbvm trace: the checkpoints of a guest in another VMM, which does not know."""
import json
import os
import signal

from guests import flat
from session import LISTENING, Gdb, accelerated, check, check_eq
from suite import test

# What tests/guests/x86/turns.S writes: single bytes and larger ones, a string, text, and then two vCPUs in turns.
TURNS = 100
FIRST = [(1, 0x16), (2, 0x3344), (4, 0x11223344), (1, 0xA1), (1, 0xA2), (1, 0xA3), (1, 0xA4)]
VALUES = FIRST + [(4, n) for n in range(TURNS)] + [(1, 0xD0)]
VCPUS = [0] * len(FIRST) + [n % 2 for n in range(TURNS)] + [0]
TEXT = ["two vCPUs", "take turns"]
# Writes of tests/guests/x86/codes.S to port 0x80, and how many of them come before it counts.
CODES, CODES_FIRST = 100012, 11
TRACEFS = "mount -t tracefs tracefs /sys/kernel/tracing && exec \"$@\""
NO_TRACEFS = "mount -t tmpfs none /sys/kernel && exec \"$@\""


def turns(context):
    return context.guest("turns.bin")


class Program:
    """A program whose process id is known, wherever it runs."""

    def __init__(self, context, *argv):
        self.context = context
        self.process = context.place.spawn(["/bin/sh", "-c", "echo pid $$ >&2; exec \"$@\"", "sh", *argv])
        self.messages = self.process.err
        self.pid = self.messages.wait_for(r"pid (\d+)", context.scale(20)).group(1).decode()

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.process.stop()
        self.context.keep("program-stderr.log", self.messages.text())
        check("Sanitizer: " not in self.messages.text(), "a sanitizer has something to say")

    def wait(self, seconds=60):
        return self.process.wait(self.context.scale(seconds))


class Trace(Program):
    def __init__(self, context, pid, *options, setting=TRACEFS, ready=True):
        # the mount is for this process only
        super().__init__(context, "unshare", "-m", "sh", "-c", setting, "sh", context.gdbvm, "trace", pid, *options)
        if ready:
            self.messages.wait_for("tracing process .*\n", context.scale(30))

    def records(self):
        lines = [json.loads(line) for line in self.process.out.text().splitlines()]
        check_eq((lines[0]["gdbvm"], lines[0]["version"]), ("checkpoints", 1), "header")
        return lines[1:]


def qemu_args(context, *more):
    return ["qemu-system-x86_64", "-M", "pc", "-accel", "kvm", "-cpu", "qemu64,+x2apic", "-smp", "2", "-m", "16", "-nodefaults",
            "-display", "none", "-bios", turns(context), *more]


EXIT = ("-device", "isa-debug-exit,iobase=0xf4,iosize=1")  # the guest ends QEMU, else it halts


def qemu(context, *more):
    """QEMU on KVM, held before the guest's first instruction; `cont` on its standard input lets it run."""
    vmm = Program(context, *qemu_args(context, "-monitor", "stdio", "-S", *more))
    vmm.process.out.wait_for("monitor", context.scale(30))  # its vCPUs are there
    return vmm


def check_records(records, vcpus=True):
    check_eq([r for r in records if "mark" in r], [], "lost records")
    check_eq([r["seq"] for r in records], list(range(1, len(records) + 1)), "sequence numbers")
    times = [r["t"] for r in records]
    check_eq(times, sorted(times), "times")
    writes = [r for r in records if "value" in r]
    check_eq([(r["size"], int(r["value"], 16)) for r in writes], VALUES, "values")
    check(all(r["mode"] == "traced" and r["port"] == "0x80" and "pc" not in r for r in writes), "the rest of the records")
    if vcpus:
        check_eq([r["vcpu"] for r in writes], VCPUS, "vCPUs")


@test(needs="kvm x86 root")
def a_guest_of_qemu_is_traced_from_outside(context):
    """Both vCPUs' writes are in the order in which they were made, and the last one is there though QEMU ends at once."""
    with qemu(context, *EXIT) as vmm, Trace(context, vmm.pid, "--checkpoints", "/proc/self/fd/1", "--debug-port", "0x80,0x402") as trace:
        check("2 vCPUs" in trace.messages.text(), "it says what it traces")
        vmm.process.write(b"cont\n")
        check_eq(vmm.wait(120), 1, "exit status of QEMU")
        check_eq(trace.wait(), 0, "exit status")
        records, messages = trace.records(), trace.messages.text()
        check_records(records, vcpus=context.where != "emulator")
        check_eq([r["text"] for r in records if "text" in r], TEXT, "text")
        shown = [line for line in messages.splitlines() if line.startswith("port80: ")]
        check_eq(shown, [f"port80: write 0x{value:0{2 * size}x}" for size, value in VALUES], "text form")
        check(messages.index("has ended") > messages.rindex("port80: "), "all of it comes before the end is told")


@test(needs="kvm x86 root")
def threads_that_start_later_are_traced_from_their_first_write(context):
    """When the trace begins, the process has not even become a VMM."""
    # a thread that writes as soon as it is there has a vCPU by its name only, and no name once a fast guest is over
    args = qemu_args(context, *EXIT, "-name", "guest,debug-threads=on")
    with Program(context, "/bin/sh", "-c", "read line; exec \"$@\"", "sh", *args) as vmm:
        with Trace(context, vmm.pid, "--checkpoints", "/proc/self/fd/1") as trace:
            check("no guest in KVM (yet)" in trace.messages.text(), "it says what it traces")
            vmm.process.write(b"\n")
            check_eq(vmm.wait(120), 1, "exit status of QEMU")
            check_eq(trace.wait(), 0, "exit status")
            check_records(trace.records(), vcpus=context.in_lab)


@test(needs="kvm x86 root")
def a_trace_is_what_the_vmm_itself_records(context):
    """gdbvm records its guest exactly, and is traced meanwhile: the same writes, at the same time as far as can be."""
    address = context.place.gdb_address()
    with Program(context, context.gdbvm, "run", *accelerated(context), "--firmware", turns(context), "-m", "16", "-c", "2",
                 "--console", "none", "--checkpoints", "/proc/self/fd/1", "--gdb", address, "--gdb-wait") as vmm:
        port = int(vmm.messages.wait_for(LISTENING, context.scale(30)).group(1))
        with Trace(context, vmm.pid, "--checkpoints", "/proc/self/fd/1") as trace:
            gdb = Gdb(context, "gdb")
            gdb.connect(context.place.reach(port))
            gdb.cmd("continue")
            check_eq(vmm.wait(120), 0, "exit status after power-off")
            gdb.close()
            check_eq(trace.wait(), 0, "exit status")
            traced = trace.records()
        exact = [r for r in map(json.loads, vmm.process.out.text().splitlines()[1:]) if "value" in r]
    context.place.release(port)
    check_records(traced)
    check_eq([(r["vcpu"], r["value"]) for r in traced], [(r["vcpu"], r["value"]) for r in exact], "what was traced")
    check(all(a["t"] <= b["t"] for a, b in zip(traced, exact)), "KVM sees a write before the VMM does")


@test(needs="kvm x86 root")
def a_trace_that_is_interrupted_is_whole(context):
    with qemu(context) as vmm, Trace(context, vmm.pid, "--checkpoints", "/proc/self/fd/1") as trace:
        vmm.process.write(b"cont\n")
        trace.messages.wait_for("port80: write 0x00000005\n", context.scale(60))
        trace.process.signal(signal.SIGINT)
        check_eq(trace.wait(), 128 + signal.SIGINT, "exit status")
        records = trace.records()
        count = len(records)
        check(count > len(FIRST) + 5, f"{count} records are there")
        check_eq([int(r["value"], 16) for r in records], [value for _, value in VALUES[:count]], "values")


@test(needs="kvm x86 root long")
def writes_that_are_lost_are_counted(context):
    """The trace sleeps while one processor's ring gets more than it can hold, and wakes up when the VMM is gone."""
    cpu = 0 if context.in_lab else min(os.sched_getaffinity(0))
    run = [context.gdbvm, "run", *accelerated(context), *flat("codes")["args"](context), "--console", "none"]
    with Program(context, "/bin/sh", "-c", "read line; exec \"$@\"", "sh", "taskset", "-c", str(cpu), *run) as vmm:
        with Trace(context, vmm.pid, "--checkpoints", "/proc/self/fd/1") as trace:
            trace.process.signal(signal.SIGSTOP)
            vmm.process.write(b"\n")
            check_eq(vmm.wait(90), 0, "exit status after power-off")
            trace.process.signal(signal.SIGCONT)
            check_eq(trace.wait(), 0, "exit status")
            records, messages = trace.records(), trace.messages.text()
    writes, marks = [r for r in records if "value" in r], [r for r in records if "mark" in r]
    check_eq([int(r["value"], 16) for r in writes[CODES_FIRST:]], list(range(len(writes) - CODES_FIRST)), "what there was room for")
    check_eq([(r["mark"], r["count"]) for r in marks], [("lost", CODES - len(writes))], "the mark")
    check_eq(records[-1], marks[0], "where the mark is")
    check(f"{len(writes)} writes were traced; {CODES - len(writes)} of" in messages, "it is said")


@test(needs="x86 root")
def what_a_trace_lacks_is_said(context):
    def refused(status, *words, pid="1", **how):
        with Trace(context, pid, ready=False, **how) as trace:
            check_eq(trace.wait(), status, "exit status")
            for word in words:
                check(word in trace.messages.text(), f"{word!r} is in the message {trace.messages.text()!r}")

    refused(3, "mount -t tracefs tracefs /sys/kernel/tracing", setting=NO_TRACEFS)
    refused(2, "there is no process 4194304", pid="4194304", setting=NO_TRACEFS)
    refused(2, "expected the process id", pid="init", setting=NO_TRACEFS)
    if "kvm" in context.capabilities:
        refused(3, "CAP_PERFMON", "kernel.perf_event_paranoid is above 2 CAP_SYS_ADMIN",
                setting=TRACEFS.replace("exec", "exec setpriv --bounding-set -all --inh-caps -all"))
