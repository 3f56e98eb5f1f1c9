# SPDX-License-Identifier: LGPL-2.1-or-later
"""What a newer GDB does otherwise (run.py --gdb): binary reads, errors in words, and the basics once more."""
import re

from guests import flat
from session import check, check_eq
from suite import Scene

COUNT = Scene(**flat("count"), needs="gdb16")
SMP = Scene(**flat("smp", "-c", "2"), needs="gdb16")


def wire(s):
    with open(s.wire, errors="replace") as f:
        return f.read()


@COUNT.test()
def memory_is_read_in_binary(s):
    size = 200000
    path = s.context.log_path("memory.bin")
    data = bytes((i * 7 + (i >> 8)) & 0xFF for i in range(size))
    with open(path, "wb") as f:
        f.write(data)
    at = s.context.arch.scratch
    s.cmd(f"restore {path} binary {at:#x}")
    before = len(wire(s))
    s.cmd(f"dump binary memory {path}.back {at:#x} {at:#x}+{size}")
    with open(path + ".back", "rb") as f:
        check(f.read() == data, "what was read back is what was written")
    packets = re.findall(r"\$([mx])[0-9a-f]+,[0-9a-f]+#", wire(s)[before:])
    check(packets and set(packets) == {"x"}, f"memory came by x packets: {packets}")


@COUNT.test()
def what_gdb_announces_is_answered(s):
    asked = re.search(r"\$qSupported:([^#]*)#", wire(s)).group(1).split(";")
    check("error-message+" in asked, f"GDB announces {asked}")
    answer = re.search(r"PacketSize=[^#]*", wire(s)).group(0)
    check("binary-upload+" in answer.split(";"), f"gdbvm answers {answer}")


@COUNT.test(needs="x86")
def errors_come_as_words(s):
    text = s.refused("set $cs = 0x12345678")
    check("impossible" in text, f"GDB shows the server's words: {text}")
    check("annot access memory" in s.refused("x/1gx 0x7fff00000000"), "reading nowhere is refused")


@COUNT.test(needs="swbreak hwbreak")
def breakpoints_watchpoints_and_steps(s):
    bp = s.brk("multiply")
    s.cont()
    s.expect_stop(bp=bp, func="multiply")
    check("guest_main" in s.cmd("backtrace"), "the callers are in the backtrace")
    s.delete(bp)
    s.stepi()
    s.run_to_stop("finish", reason="function-finished", func="measure")
    wp = s.watch("counter")
    old = s.int("counter")
    s.cont()
    stop = s.expect_stop(watch=wp, func="bump")
    check_eq((int(stop["value"]["old"]), int(stop["value"]["new"])), (old, old + 1), "old and new value")
    s.delete(wp)
    bp = s.hbrk("bump")
    s.cont()
    s.expect_stop(bp=bp, func="bump")


@COUNT.test()
def detach_and_come_back(s):
    s.cont()
    s.wait_console(r"\.")
    s.interrupt()
    s.detach()
    s.wait_console(r"\.", since=s.console.mark())
    s.reconnect()
    s.stepi()


@SMP.test()
def vcpus_are_threads_and_step_alone(s):
    s.cont()
    s.wait_console(r"\+\+")
    s.interrupt()
    check_eq(len(s.threads()), 2, "threads")
    counts = s.address("counts")
    s.cmd("thread 2")
    s.cmd("set scheduler-locking on")
    before = [s.word(counts + 8 * i, "g") for i in range(2)]
    for _ in range(20):
        s.stepi()
    s.cmd("set scheduler-locking replay")
    after = [s.word(counts + 8 * i, "g") for i in range(2)]
    check_eq(after[0], before[0], "count of the vCPU that is held")
    check(after[1] > before[1], "the stepped vCPU has counted")
