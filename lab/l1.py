#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""The lab's machine (L1): a Linux VM under QEMU's TCG that has a /dev/kvm, by nested SVM or by an emulated EL2.

One L1 serves many tests: it is started once, runs many processes (the agent in it starts them for us) and is stopped at
the end. It sees the files of the host as they were when it started, with writes going to its RAM, and `share`, a directory
in which both sides see each other's writes at once. Ports in it are reached through `reach()`.

As a program: l1.py [--arch x86|arm64] [--qemu stock|patched] [--suite backports] [--kernel PARAMETERS] [-c CPUS] [-m MIB] [--] COMMAND [ARG...]
runs one command in a fresh L1. --suite backports has a newer kernel. On arm64, --kernel kvm-arm.mode=nvhe leaves only KVM in EL2, --machine gic-version=2 is an older GIC.
"""
import argparse
import os
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from process import HostProcess, Process, Timeout  # noqa: E402

HERE = os.path.dirname(os.path.abspath(__file__))
HEADER = struct.Struct("<IHcx")
FIRST_PORT, NPORTS = 7001, 8
HOST_PORTS = range(21000, 31000, NPORTS)  # below those that the kernel gives to whoever asks for any

# pauth-impdef: QEMU's default cipher for pointer authentication takes half of all time
MACHINES = {
    "x86": {"program": "qemu-system-x86_64", "args": ["-M", "q35", "-L", "/usr/share/qemu", "-L", "/usr/share/seabios"],
            "cpu": "max", "console": "ttyS0", "kernel": "mitigations=off"},
    "arm64": {"program": "qemu-system-aarch64", "args": ["-M", "virt,virtualization=on,gic-version=3"],
              "cpu": "max,pauth-impdef=on", "console": "ttyAMA0", "kernel": ""},
}


class LabError(Exception):
    pass


def script_output(*argv):
    done = subprocess.run(argv, stdout=subprocess.PIPE, text=True)
    if done.returncode:
        raise LabError(f"{argv[0]} failed")
    return done.stdout.strip().splitlines()[-1]


def is_free(port):
    try:
        socket.create_server(("127.0.0.1", port)).close()
        return True
    except OSError:
        return False


def reserve_ports():
    """Ports of the host for one lab machine, and what keeps others from taking them before QEMU does: a socket's name."""
    for first in HOST_PORTS:
        ports, mark = range(first, first + NPORTS), socket.socket(socket.AF_UNIX)
        try:
            mark.bind(f"\0gdbvm-lab-ports-{first}")
        except OSError:
            mark.close()
            continue
        if all(is_free(port) for port in ports):
            return mark, list(ports)
        mark.close()
    raise LabError(f"no {NPORTS} ports in a row are free from {HOST_PORTS.start} to {HOST_PORTS.stop}")


class L1Process(Process):
    def __init__(self, l1, number, argv):
        super().__init__(argv)
        self.l1, self.number = l1, number
        self.started = threading.Event()
        self.failure = None

    def write(self, data):
        self.l1.send(self.number, b"I", data)

    def signal(self, number):
        self.l1.send(self.number, b"S", bytes([number]))

    def on_frame(self, kind, payload):
        if kind == b"O":
            self.out.feed(payload)
        elif kind == b"D":
            self.err.feed(payload)
        elif kind == b"P":
            self.started.set()
        elif kind == b"X":
            self.finish(os.waitstatus_to_exitcode(struct.unpack("<i", payload)[0]))
        elif kind == b"F":
            self.failure = os.strerror(struct.unpack("<i", payload)[0])
            self.finish(127)
            self.started.set()


class L1:
    name = "lab"

    def __init__(self, qemu="stock", cpus=1, mem=2048, cpu=None, extra=(), arch="x86", kernel="",
                 suite=""):
        self.kind = qemu
        self.machine = MACHINES[arch]
        self.dir = script_output(os.path.join(HERE, "prepare"), arch, *([suite] if suite else []))
        self.qemu = self.machine["program"] if qemu == "stock" else script_output(os.path.join(HERE, "build-qemu"))
        self.cpus, self.mem, self.cpu, self.extra = cpus, mem, cpu or self.machine["cpu"], list(extra)
        self.kernel = kernel
        self.processes, self.next_id, self.lock = {}, 1, threading.Lock()
        self.share = self.process = self.channel = self.mark = None
        self.up, self.alive = threading.Event(), False

    # ---- the machine ----

    def command(self):
        self.mark, host_ports = reserve_ports()
        self.ports = {FIRST_PORT + i: host for i, host in enumerate(host_ports)}
        self.free = sorted(self.ports)
        forward = "".join(f",hostfwd=tcp:127.0.0.1:{host}-10.0.2.15:{inside}" for inside, host in self.ports.items())
        append = (f"console={self.machine['console']} panic=-1 nokaslr quiet loglevel=4 {self.machine['kernel']} {self.kernel} "
                  f"lab.share={self.share} lab.ports={','.join(map(str, self.ports))}")
        files = "security_model=none,multidevs=remap"
        return [self.qemu, *self.machine["args"], "-accel", "tcg,thread=multi,tb-size=512",
                "-cpu", self.cpu, "-smp", str(self.cpus), "-m", str(self.mem), "-display", "none", "-no-reboot", "-nodefaults",
                "-kernel", f"{self.dir}/vmlinuz", "-initrd", f"{self.dir}/initrd", "-append", append,
                "-serial", f"file:{self.share}/l1-console",
                "-chardev", f"socket,id=agent,path={self.share}/agent.sock,server=on,wait=off",
                "-device", "virtio-serial-pci", "-device", "virtserialport,chardev=agent,name=agent",
                "-netdev", f"user,id=net{forward}", "-device", "virtio-net-pci,netdev=net,romfile=",
                "-fsdev", f"local,id=root,path=/,readonly=on,{files}",
                "-device", "virtio-9p-pci,fsdev=root,mount_tag=hostroot",
                "-fsdev", f"local,id=share,path={self.share},{files}",
                "-device", "virtio-9p-pci,fsdev=share,mount_tag=share"] + self.extra

    def start(self, timeout=120):
        self.share = tempfile.mkdtemp(prefix="gdbvm-lab.")
        self.process = HostProcess(self.command())
        begin = time.monotonic()
        while self.channel is None:
            try:
                channel = socket.socket(socket.AF_UNIX)
                channel.connect(f"{self.share}/agent.sock")
                self.channel = channel
            except OSError:
                if self.process.ended.wait(0.05) or time.monotonic() > begin + 60:
                    raise LabError(f"QEMU did not start: {self.process.err.text()}") from None
        threading.Thread(target=self._receive, daemon=True).start()
        if not self.up.wait(timeout) or not self.alive:
            text = self.console()
            self.stop()
            raise LabError(f"L1 did not come up; its console: {text}")
        return self

    def console(self):
        try:
            with open(f"{self.share}/l1-console", errors="replace") as f:
                return f.read()[-2000:]
        except OSError:
            return ""

    def stop(self):
        if self.process:
            self.process.signal(signal.SIGKILL)
            self.process.ended.wait(10)
        if self.share:
            shutil.rmtree(self.share, ignore_errors=True)
        if self.mark:
            self.mark.close()
        self.process = self.share = self.mark = None

    # ---- processes in it ----

    def spawn(self, argv, env=None, cwd=None, timeout=60):
        with self.lock:
            number, self.next_id = self.next_id, self.next_id % 60000 + 1
            process = self.processes[number] = L1Process(self, number, argv)
        strings = [cwd or os.getcwd(), str(len(argv)), *argv, *(f"{k}={v}" for k, v in (env or {}).items())]
        self.send(number, b"R", b"".join(s.encode() + b"\0" for s in strings))
        if not process.started.wait(timeout):
            raise LabError(f"L1 does not answer; its console: {self.console()}")
        if process.failure:
            raise LabError(f"{argv[0]}: {process.failure}")
        return process

    def answers(self, timeout=20):
        """Does the agent still start processes? A guest may have hung the machine under it."""
        if not self.alive:
            return False
        try:
            return self.spawn(["/bin/true"], timeout=timeout).wait(timeout) == 0
        except (LabError, Timeout):
            return False

    def send(self, number, kind, payload):
        with self.lock:
            try:
                self.channel.sendall(HEADER.pack(len(payload), number, kind) + payload)
            except OSError as error:
                raise LabError(f"L1 is gone: {error}; its console: {self.console()}") from None

    def _receive(self):
        stream = self.channel.makefile("rb")
        while len(header := stream.read(HEADER.size)) == HEADER.size:
            size, number, kind = HEADER.unpack(header)
            payload = stream.read(size)
            if kind == b"H":
                self.alive = True
                self.up.set()
            elif number in self.processes:
                self.processes[number].on_frame(kind, payload)
        self.alive = False
        self.up.set()
        for process in self.processes.values():
            if not process.ended.is_set():
                process.finish(255)

    # ---- ports ----

    def gdb_address(self):
        with self.lock:
            return f"127.0.0.1:{self.free.pop(0)}"

    def reach(self, port):
        return self.ports[port]

    def release(self, port):
        with self.lock:
            self.free.append(port)


def main():
    parser = argparse.ArgumentParser(description="Run one command in a fresh lab machine.")
    parser.add_argument("--arch", choices=MACHINES, default="x86")
    parser.add_argument("--kernel", default="", help="more parameters for L1's kernel")
    parser.add_argument("--suite", choices=["backports"], default="", help="where L1's kernel comes from, if not from the release")
    parser.add_argument("--cpu", help="QEMU's name and options of the processor")
    parser.add_argument("--machine", help="more options of QEMU's machine: gic-version=2")
    parser.add_argument("--qemu", choices=["stock", "patched"], default="stock")
    parser.add_argument("-c", "--cpus", type=int, default=1)
    parser.add_argument("-m", "--mem", type=int, default=2048, help="MiB")
    parser.add_argument("-t", "--timeout", type=float, default=600, help="seconds for the command")
    parser.add_argument("command", nargs=argparse.REMAINDER)
    args = parser.parse_args()
    command = args.command[1:] if args.command[:1] == ["--"] else args.command
    if not command:
        parser.error("no command")
    l1 = L1(args.qemu, args.cpus, args.mem, args.cpu, ["-M", args.machine] if args.machine else [], args.arch, args.kernel,
            args.suite)
    try:
        begin = time.monotonic()
        l1.start()
        print(f"lab: L1 is up after {time.monotonic() - begin:.1f} s", file=sys.stderr)
        process = l1.spawn(command)
        for stream, to in ((process.out, sys.stdout), (process.err, sys.stderr)):
            threading.Thread(target=copy_out, args=(stream, to), daemon=True).start()
        status = process.wait(args.timeout)
        time.sleep(0.1)  # let the copies end
        return status if status >= 0 else 128 - status
    except (LabError, Timeout) as error:
        print(f"lab: {error}", file=sys.stderr)
        return 125
    finally:
        l1.stop()


def copy_out(stream, to):
    at = 0
    while not stream.closed or at < stream.mark():
        with stream.changed:
            stream.changed.wait_for(lambda: stream.closed or len(stream.data) > at)
            data = bytes(stream.data[at:])
        at += len(data)
        to.buffer.write(data)
        to.flush()


if __name__ == "__main__":
    sys.exit(main())
