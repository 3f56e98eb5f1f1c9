# SPDX-License-Identifier: LGPL-2.1-or-later
"""A QEMU with its gdbstub, as somebody else would start it, and gdbvm attached to it."""
import contextlib
import json
import os
import socket
import subprocess
import time

from l1 import HOST_PORTS, is_free
from session import LISTENING, Failure, Gdb, check

PORTS = range(HOST_PORTS.stop, 32768)  # above the lab's and below those that the kernel gives to whoever asks for any


class Qemu:
    """`args` follow the program; the gdbstub and QMP are on sockets in the test's directory."""

    def __init__(self, context, *args, program="qemu-system-x86_64", gdb=None):
        self.path = context.log_path(f"stub-{context.serial()}.sock")
        self.gdb = gdb or f"unix:{self.path}"
        qmp = self.path + ".qmp"
        stub = ["-chardev", f"socket,id=gdb,path={self.path},server=on,wait=off", "-gdb", "chardev:gdb"] if not gdb \
            else ["-gdb", f"tcp:{gdb}"]
        self.process = context.place.spawn([program, "-accel", "tcg", "-display", "none", "-nodefaults", *stub,
                                            "-qmp", f"unix:{qmp},server=on,wait=off", *args])
        end = time.monotonic() + context.scale(10)
        while not os.path.exists(qmp):
            check(time.monotonic() < end and not self.process.ended.is_set(),
                  f"QEMU did not start: {self.process.err.text()}")
            time.sleep(0.02)
        self.qmp = socket.socket(socket.AF_UNIX)
        self.qmp.settimeout(context.scale(10))
        self.qmp.connect(qmp)
        self.lines = self.qmp.makefile("rw")
        self.lines.readline()
        self.execute("qmp_capabilities")

    def execute(self, command):
        self.lines.write(json.dumps({"execute": command}) + "\n")
        self.lines.flush()
        while True:
            answer = json.loads(self.lines.readline())
            if "return" in answer or "error" in answer:
                return answer["return"]

    def running(self):
        return self.execute("query-status")["running"]

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.lines.close()
        self.qmp.close()
        self.process.stop()


class Attached:
    """gdbvm attach, and a GDB on it. What it does not know it asks its GDB."""

    def __init__(self, context, address, symbols=None, wait=True):
        self.context, self.symbols = context, symbols
        self.process = context.place.spawn([context.gdbvm, "attach", f"rsp:{address}", "--gdb", "127.0.0.1:0"]
                                           + (["--gdb-wait"] if wait else []))
        self.messages = self.process.err
        self.port = int(self.messages.wait_for(LISTENING, context.scale(30)).group(1))
        self.gdb = None

    def connect(self):
        self.gdb = Gdb(self.context, f"gdb-{self.context.serial()}", self.symbols)
        self.gdb.connect(self.port)
        return self

    def __getattr__(self, name):
        return getattr(self.gdb, name)

    def __enter__(self):
        return self.connect()

    def __exit__(self, *error):
        if self.gdb:
            self.gdb.close()
        self.process.stop()
        self.context.keep("gdbvm-stderr.log", self.messages.text())
        check("Sanitizer: " not in self.messages.text(), "a sanitizer has something to say about gdbvm")


@contextlib.contextmanager
def free_port():
    """A port that is free, for a program that takes its number; until the end no other test gets it (as in lab/l1.py)."""
    for port in PORTS:
        with socket.socket(socket.AF_UNIX) as mark:
            try:
                mark.bind(f"\0gdbvm-port-{port}")
            except OSError:
                continue
            if is_free(port):
                yield port
                return
    raise Failure(f"no port is free from {PORTS.start} to {PORTS.stop}")


def gdbvm_fails(context, *args):
    """Status and message of a gdbvm that must end by itself."""
    done = subprocess.run([context.gdbvm, *args], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                          timeout=context.scale(20), stdin=subprocess.DEVNULL)
    return done.returncode, done.stderr


def wait_listening(context, port, process):
    """Until somebody listens on a port; without a connection, which a debug server would take for its client."""
    end = time.monotonic() + context.scale(10)
    entry = f":{port:04X} 00000000:0000 0A"
    while True:
        with open("/proc/net/tcp") as f:
            if entry in f.read():
                return
        check(time.monotonic() < end and not process.ended.is_set(), f"nobody listens on {port}: {process.err.text()}")
        time.sleep(0.02)
