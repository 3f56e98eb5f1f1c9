# SPDX-License-Identifier: LGPL-2.1-or-later
"""gdbvm attach rsp:...: the guest of a QEMU that somebody else has started."""
import signal
import socket
import threading

from qemu_stub import Attached, Qemu, free_port, gdbvm_fails
from session import check, check_eq
from suite import test

RESET_VECTOR, POST_ENTRY = 0xFFFFFFF0, 0xFE05B  # SeaBIOS, as PCs have it
MACHINE = ["-m", "16", "-smp", "2"]
USAGE, ENVIRONMENT, DIED = 2, 3, 13


@test(needs="tcg x86")
def attach_to_qemu_from_the_reset_vector(context):
    with Qemu(context, "-S", *MACHINE) as qemu, Attached(context, qemu.gdb) as s:
        check_eq(s.pc(), RESET_VECTOR, "pc")
        check_eq(len(s.threads()), 2, "threads")
        check("offline" in s.cmd("monitor info vcpus"), "the second vCPU waits")
        check_eq(s.word(RESET_VECTOR, "b"), 0xEA, "the byte at the reset vector: a far jump")
        bp = s.brk(f"*{POST_ENTRY:#x}")
        s.cont()
        s.expect_stop(bp=bp, pc=POST_ENTRY)
        s.delete(bp)
        s.stepi()
        check(s.pc() > POST_ENTRY, "a step went on")
        s.cmd("set $rbx = 0x12345678")
        s.stepi()
        check_eq(s.reg("rbx"), 0x12345678, "rbx")
        check("cs" in s.cmd("monitor info registers"), "the monitor tells the segments")
        s.cont()
        s.interrupt()
        s.cmd("watch *(int *)0x46c")  # SeaBIOS counts timer ticks there
        s.cont()
        s.expect_stop(reason="watchpoint-trigger")


@test(needs="tcg x86")
def what_is_attached_to_runs_on_afterwards(context):
    with Qemu(context, *MACHINE) as qemu:
        with Attached(context, qemu.gdb, wait=False) as s:
            s.brk("*0x46c")  # never executed: must not be left behind
            s.cmd("p $pc")
            s.detach()
            check(qemu.running(), "the guest runs after detach")
            s.gdb.close()
            s.connect()
            check(not qemu.running(), "a debugger that connects again stops it")
            s.process.signal(signal.SIGTERM)
            check_eq(s.process.wait(context.scale(10)), 128 + signal.SIGTERM, "exit status")
            check(qemu.running(), "the guest runs when gdbvm has ended under the debugger")
        with Attached(context, qemu.gdb, wait=False) as s:
            s.cont()
            s.process.signal(signal.SIGINT)
            check_eq(s.process.wait(context.scale(10)), 128 + signal.SIGINT, "exit status")
            check(qemu.running(), "and when the guest was running")


@test(needs="tcg x86")
def attach_by_tcp_and_kill(context):
    with free_port() as port, Qemu(context, "-S", *MACHINE, gdb=f"127.0.0.1:{port}") as qemu, Attached(context, qemu.gdb) as s:
        check_eq(s.pc(), RESET_VECTOR, "pc")
        s.cmd("kill")
        check_eq(s.process.wait(context.scale(10)), 0, "exit status of gdbvm")
        qemu.process.wait(context.scale(10))


@test(needs="tcg x86")
def a_server_that_vanishes_ends_gdbvm(context):
    with Qemu(context, *MACHINE) as qemu, Attached(context, qemu.gdb) as s:
        s.cont()
        qemu.process.signal(signal.SIGKILL)
        check_eq(s.process.wait(context.scale(10)), DIED, "exit status")
        check("hung up" in s.messages.text(), f"the message says why: {s.messages.text()!r}")
    with Qemu(context, *MACHINE) as qemu, Attached(context, qemu.gdb, wait=False) as s:
        s.cmd("p $pc")
        qemu.process.signal(signal.SIGKILL)  # and while the guest is stopped
        qemu.process.wait(context.scale(10))
        s.cont()
        check_eq(s.process.wait(context.scale(10)), DIED, "exit status")


def answering(answer, asked=None):
    """A server that is none: it says `answer` to whoever comes, and its port. `asked` is set when it is asked something."""
    server = socket.create_server(("127.0.0.1", 0))

    def serve():
        with server, server.accept()[0] as client:
            client.sendall(answer)
            client.settimeout(20)
            try:
                while client.recv(4096):
                    if asked:
                        asked.set()
            except OSError:
                pass
    threading.Thread(target=serve, daemon=True).start()
    return server.getsockname()[1]


@test(needs="tcg x86")
def a_signal_ends_the_wait_for_a_server_that_says_nothing(context):
    asked = threading.Event()
    port = answering(b"", asked)
    process = context.place.spawn([context.gdbvm, "attach", f"rsp:127.0.0.1:{port}", "--gdb", "127.0.0.1:0"])
    check(asked.wait(context.scale(10)), "the server is asked")
    process.signal(signal.SIGINT)
    check_eq(process.wait(context.scale(20)), 128 + signal.SIGINT, "exit status")
    check_eq(process.err.text(), "", "what it says")


@test(needs="tcg x86")
def what_cannot_be_attached_to(context):
    def refused(what, status, *words):
        found, text = gdbvm_fails(context, "attach", *what, "--gdb", "127.0.0.1:0")
        check_eq(found, status, f"exit status of attach {what} ({text!r})")
        for word in words:
            check(word in text, f"the message of attach {what} names {word!r}: {text!r}")
    refused([], USAGE, "rsp:")
    refused(["1234"], USAGE, "1234", "rsp:")
    refused(["rsp:"], USAGE, "rsp:")
    refused(["rsp:192.168.1.1:1234"], USAGE, "192.168.1.1", "loopback")
    refused(["rsp:127.0.0.1:99999"], USAGE, "99999")
    with free_port() as port:
        refused([f"rsp:127.0.0.1:{port}"], ENVIRONMENT, "127.0.0.1", "refused")
    refused(["rsp:unix:/no/such/socket"], ENVIRONMENT, "/no/such/socket", "No such file")
    refused([f"rsp:127.0.0.1:{answering(b'HTTP/1.0 400 Bad Request')}"], ENVIRONMENT, "not a debug server")
    status, text = gdbvm_fails(context, "attach", "rsp:127.0.0.1:1")
    check_eq((status, "--gdb" in text), (USAGE, True), f"status, and --gdb named by {text!r}")
