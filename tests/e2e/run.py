#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Run the end-to-end tests: real GDBs on guests under gdbvm. Prints TAP, and at the end `N passed, N failed, N skipped`.

With --accel kvm the guests run on this machine if its KVM is hardware KVM, else in the lab's machine (lab/l1.py): --lab
stock with QEMU as Debian ships it, --lab patched with one whose nested SVM knows breakpoints. --lab none takes this
machine's KVM as it is: with a gdbvm built with -Db_sanitize=thread, its threads are watched even where KVM is an emulator.
Guests of --arch arm64 run in QEMU, or on KVM in an arm64 lab: there gdbvm comes from the --cross build (make arm64), and
--lab nvhe has a KVM whose host is not in EL2, --lab gicv2 an older interrupt controller, --lab backports a newer kernel.
"""
import argparse
import fnmatch
import glob
import importlib
import os
import platform
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.path[:0] = [HERE, os.path.join(ROOT, "lab")]

from arches import ARCHES  # noqa: E402
from l1 import L1, LabError  # noqa: E402
from process import Host, Timeout  # noqa: E402
from session import Session  # noqa: E402
from suite import TESTS  # noqa: E402

# What nested SVM of stock QEMU can do to a guest of a guest, by its major version. int3 never stops it.
STOCK_HWBREAK_SINCE = 10
# Kinds of the lab's machine.
LABS = {"stock": {}, "patched": {"qemu": "patched"}, "nvhe": {"kernel": "kvm-arm.mode=nvhe"},
        "gicv2": {"extra": ["-M", "gic-version=2"]}, "backports": {"suite": "backports"}}
LAB_ARCH = {"patched": "x86", "nvhe": "arm64", "gicv2": "arm64", "backports": "arm64"}  # the others are of any
# Waits are given for a fast machine and are stretched where the guest is slow.
SCALE = {"tcg": 3, "host": 3, "emulator": 8, "lab": 8}


class Skip(Exception):
    pass


class TestTimeout(Exception):
    pass


def hardware_kvm():
    with open("/proc/cpuinfo") as f:
        virtualisation = platform.machine() != "x86_64" or re.search(r"^flags\s.*\b(vmx|svm)\b", f.read(), re.M)
    return bool(virtualisation) and os.access("/dev/kvm", os.R_OK | os.W_OK)


def gdb_major(program):
    out = subprocess.run([program, "--version"], stdout=subprocess.PIPE, text=True, check=True).stdout
    return int(re.search(r"(\d+)\.\d", out.splitlines()[0].rsplit(")", 1)[-1]).group(1))


def qemu_major():
    out = subprocess.run(["qemu-system-x86_64", "--version"], stdout=subprocess.PIPE, text=True, check=False).stdout
    match = re.search(r"version (\d+)", out)
    return int(match.group(1)) if match else 0


class Context:
    """What one run of the tests has: programs, guests, the place where gdbvm runs, and where logs go."""

    def __init__(self, args):
        self.arch = ARCHES[args.arch]
        self.native = self.arch.machine == platform.machine()
        self.build = os.path.abspath(args.build)
        self.root = ROOT
        self.accel = args.accel
        if self.accel == "auto":
            self.accel = "kvm" if self.native and hardware_kvm() else "tcg"
        self.programs = self.build if self.native or self.accel == "tcg" else os.path.abspath(args.cross)
        self.gdbvm = os.path.abspath(args.gdbvm or os.path.join(self.programs, "src/cmd/gdbvm"))
        self.lab = args.lab
        self.long = args.long or args.rest
        self.gdb = args.gdb or self.arch.gdb
        hardware = self.native and hardware_kvm()
        self.in_lab = self.accel == "kvm" and not hardware and self.lab != "none"
        self.where = "lab" if self.in_lab else "tcg" if self.accel == "tcg" else "host" if hardware else "emulator"
        self.unusable = self.where == "emulator" and not os.access("/dev/kvm", os.R_OK | os.W_OK)
        self.env = {}
        self.logs = self.dir = None
        self.count = 0
        self._place = None
        self._lab_failed = None
        self._paths = {}
        self.gdb_version = gdb_major(self.gdb)
        self.capabilities = self._capabilities(self.lab, self.long)
        self.added = self.capabilities - self._capabilities("stock", False)

    def _capabilities(self, lab, long):
        """What tests may need and is there."""
        have = {self.accel, self.where, self.arch.name}
        if self.where == "emulator":
            have |= {"code-hwbreak"}
        elif self.where != "lab":
            have |= {"hwbreak-base"}
        if self.where in ("tcg", "host") or self.in_lab and (lab == "patched" or self.arch.name == "arm64"):
            have |= {"swbreak", "hwbreak", "code-hwbreak"}
        elif self.in_lab and qemu_major() >= STOCK_HWBREAK_SINCE:
            have |= {"hwbreak", "code-hwbreak"}
        if not self.in_lab or lab != "stock" or self.arch.name != "x86":
            have.add("cr8")
        if os.path.exists(self.guest("frames_nasm.bin")):
            have.add("nasm")
        tools = [("tmux", "tmux"), ("mke2fs", "root-disk"), ("lldb-14", "lldb")]
        if self.native:
            tools.append(("mkinitramfs", "own-initrd"))
        for program, word in tools:
            if shutil.which(program, path=os.environ["PATH"] + ":/usr/sbin:/sbin"):
                have.add(word)
        if os.geteuid() == 0:
            have.add("root")
        have.add("long" if long else "brief")
        if long or self.arch.name == "x86":
            have.add("long-on-arm64")
        if long or self.where != "lab":
            have.add("long-in-lab")
        if self.gdb_version >= 16:
            have.add("gdb16")
        return have

    REASONS = {
        "swbreak": "software breakpoints do not work in stock QEMU's nested SVM (make check-lab)",
        "hwbreak": "debug registers do not work in this QEMU's nested SVM (make check-lab)",
        "code-hwbreak": "debug registers do not work in this QEMU's nested SVM (make check-lab)",
        "cr8": "stock QEMU aborts when firmware writes CR8 while an interrupt waits (make check-lab)",
        "hwbreak-base": "QEMU's nested SVM compares debug registers with ip, not cs.base + ip, and hangs",
        "kvm": "only with --accel kvm", "tcg": "only with --accel tcg", "lab": "only in the lab",
        "x86": "only on x86", "arm64": "only on arm64",
        "host": "only on hardware KVM", "tmux": "tmux is not installed",
        "lldb": "lldb-14 is not installed", "nasm": "nasm was not installed when the guests were built",
        "own-initrd": "mkinitramfs is not installed, or makes initrds of another architecture", "root-disk": "mke2fs is not installed",
        "gdb16": "this GDB is older (make check-lab)",
        "long": "it takes minutes (make check-lab)", "long-on-arm64": "not twice in one check (make check-lab)",
        "long-in-lab": "it takes minutes in the lab (make check-lab)",
        "brief": "a longer one of its kind is run",
        "root": "it needs a mount namespace, which only root can have",
    }

    def missing(self, needs):
        """The reason why a test that has these needs cannot run; empty if it can."""
        if self.unusable:
            return "/dev/kvm is not usable on this machine"
        lacking = sorted(needs - self.capabilities)
        if lacking and self.where == "emulator" and lacking[0] in ("swbreak", "hwbreak", "hwbreak-base"):
            return "this machine's KVM is an emulator that does not have it"
        return self.REASONS[lacking[0]] if lacking else ""

    @property
    def place(self):
        if self._place is None:
            self._place = self._start_lab() if self.in_lab else Host()
        return self._place

    def _start_lab(self):
        if self._lab_failed:  # it will not come up for the next test either
            raise LabError(self._lab_failed)
        begin = time.monotonic()
        try:
            l1 = L1(arch=self.arch.name, **LABS[self.lab]).start()
        except LabError as error:
            self._lab_failed = str(error)
            raise
        print(f"# lab: L1 ({self.lab}) is up after {time.monotonic() - begin:.1f} s", flush=True)
        return l1

    def check_place(self):
        """After a failure: if the lab's machine does not answer any more, the next test gets a new one."""
        if not self.in_lab or self._place is None or self._place.answers():
            return
        print(f"# L1 does not answer; its console: {self._place.console()[-500:]!r}")
        self._place.stop()
        self._place = None

    def scale(self, seconds):
        return seconds * SCALE[self.where]

    # ---- files ----

    def _tool(self, *argv):
        if argv not in self._paths:
            done = subprocess.run([os.path.join(ROOT, "tools", argv[0]), *argv[1:]], stdout=subprocess.PIPE, text=True)
            if done.returncode:
                raise LabError(f"tools/{' '.join(argv)} failed")
            self._paths[argv] = done.stdout.strip()
        return self._paths[argv]

    def guest(self, name):
        return os.path.join(self.build, "tests/guests", self.arch.name, name)

    def program(self, name):
        """One of the build that runs where gdbvm does."""
        return os.path.join(self.programs, name)

    def kernel(self, name):
        return os.path.join(self._tool("fetch-kernel", self.arch.name), name)

    def ovmf(self, name):
        """UEFI firmware that writes codes to port 0x80."""
        return os.path.join(self._tool("build-ovmf"), name)

    def small_kernel(self, name):
        return os.path.join(self._tool("build-linux"), name)

    def initrd(self, kind):
        return self._tool("make-initrd", kind, self.arch.name)

    def scratch(self, name):
        """A path that gdbvm, wherever it runs, and we can write."""
        return os.path.join(self.place.share if self.in_lab else self.dir, name)

    def root_disk(self):
        """A fresh copy of the guest's root disk."""
        path = self.scratch(f"disk-{self.serial()}.img")
        shutil.copyfile(self.initrd("disk"), path)
        return path

    # ---- logs ----

    def start_logs(self):
        self.logs = self.dir = tempfile.mkdtemp(prefix="gdbvm-e2e.")

    def serial(self):
        self.count += 1
        return self.count

    def log_path(self, name):
        return os.path.join(self.dir, name)

    def keep(self, name, text):
        with open(self.log_path(f"{self.serial()}-{name}"), "w") as f:
            f.write(text)

    def open_logs(self, name):
        self.dir = os.path.join(self.logs, name)
        os.makedirs(self.dir, exist_ok=True)

    def close(self):
        if self._place:
            self._place.stop()


class Runner:
    def __init__(self, context, tests):
        self.context, self.tests = context, tests
        self.session, self.scene = None, None
        self.passed, self.failed, self.skipped = 0, 0, 0

    def end_scene(self):
        session, self.session, self.scene = self.session, None, None
        if session:
            session.close()

    def session_for(self, test):
        if self.scene is not test.scene:
            self.end_scene()
        if self.session:
            self.session.settle()
            return self.session
        scene, context = test.scene, self.context
        context.open_logs(test.name)
        symbols = scene.symbols(context) if scene.symbols else None
        self.session = Session(context, scene.args(context), symbols, scene.init(context), scene.wait)
        self.scene = scene
        if scene.prepare:
            scene.prepare(self.session)
            self.session.settle()
        return self.session

    def run_one(self, test):
        reason = self.context.missing(test.needs)
        if reason:
            raise Skip(reason)
        if test.scene:
            test.function(self.session_for(test))
        else:
            self.end_scene()
            self.context.open_logs(test.name)
            test.function(self.context)

    def _alarm(self, number, frame):
        raise TestTimeout("the test's time is over")

    def run(self):
        signal.signal(signal.SIGALRM, self._alarm)
        signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))  # and clean up
        print(f"1..{len(self.tests)}", flush=True)
        for number, test in enumerate(self.tests, 1):
            begin = time.monotonic()
            signal.setitimer(signal.ITIMER_REAL, self.context.scale(test.cap))
            try:
                self.run_one(test)
                self.passed += 1
                print(f"ok {number} - {test.name} # {time.monotonic() - begin:.1f} s", flush=True)
            except Skip as why:
                self.skipped += 1
                print(f"ok {number} - {test.name} # SKIP {why}", flush=True)
            except Exception as error:  # whatever went wrong, it is this test's failure
                signal.setitimer(signal.ITIMER_REAL, 0)
                self.failed += 1
                self.report(number, test, error)
            finally:
                signal.setitimer(signal.ITIMER_REAL, 0)
        self.end_scene()

    def report(self, number, test, error):
        print(f"not ok {number} - {test.name}")
        where = [line for line in traceback.extract_tb(error.__traceback__) if "/test_" in line.filename]
        for line in where[-1:]:
            print(f"# {os.path.basename(line.filename)}:{line.lineno}: {line.line}")
        if not where:
            print("# " + "".join(traceback.format_exc()).replace("\n", "\n# "))
        print(f"# {type(error).__name__}: {error}")
        try:
            self.end_scene()
        except Exception as also:
            print(f"# and closing: {also}")
        self.context.check_place()
        for path in sorted(glob.glob(os.path.join(self.context.dir, "*gdbvm-stderr.log")))[-1:]:
            with open(path, errors="replace") as f:
                for line in f.read().splitlines()[-12:]:
                    print(f"# gdbvm: {line}")
        print(f"# logs: {self.context.dir}", flush=True)


def load_tests(patterns):
    for path in sorted(glob.glob(os.path.join(HERE, "test_*.py"))):
        importlib.import_module(os.path.basename(path)[:-3])
    no = [p[1:] for p in patterns if p.startswith("!")]
    yes = [p for p in patterns if not p.startswith("!")] or ["*"]

    def one_of(name, choice):
        return any(fnmatch.fnmatch(name, p) or p in name for p in choice)

    return [t for t in TESTS if one_of(t.name, yes) and not one_of(t.name, no)]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", required=True, help="the build directory")
    parser.add_argument("--gdbvm", help="the program, if it is not the build directory's")
    parser.add_argument("--arch", choices=ARCHES, default="x86", help="of the guests")
    parser.add_argument("--cross", default="build-arm64", help="the build for --arch, where that is not this machine's")
    parser.add_argument("--accel", choices=["auto", "kvm", "tcg"], default="auto")
    parser.add_argument("--lab", choices=[*LABS, "none"], default="stock")
    parser.add_argument("--gdb", help="the GDB to test with")
    parser.add_argument("--long", action="store_true", help="also run the tests that take minutes")
    parser.add_argument("--rest", action="store_true",
                        help="run only what is not run without it in --lab stock; with those that take minutes")
    parser.add_argument("--list", action="store_true", help="print the names and end")
    parser.add_argument("names", nargs="*",
                        help="tests to run: names, parts of names, or patterns; after a !, tests not to run")
    args = parser.parse_args()
    if LAB_ARCH.get(args.lab, args.arch) != args.arch:
        parser.error(f"there is no {args.lab} lab for {args.arch}")
    tests = load_tests(args.names)
    context = Context(args)
    if args.rest:
        tests = [t for t in tests if t.needs & context.added]
    if args.list:
        print("\n".join(f"{t.name}  {' '.join(sorted(t.needs))}" for t in tests))
        return 0
    if not tests:
        parser.error(f"no test is called {' '.join(args.names)}")
    places = {"lab": f"in the lab ({args.arch}, {args.lab})", "host": "on this machine", "tcg": "in QEMU",
              "emulator": "on this machine, whose KVM is an emulator"}
    print(f"# end-to-end tests: accelerator {context.accel}, guests run {places[context.where]}")
    context.start_logs()
    runner = Runner(context, tests)
    begin = time.monotonic()
    try:
        runner.run()
    finally:
        runner.end_scene()
        context.close()
    if runner.failed:
        print(f"# logs of all tests: {context.logs}")
    else:
        shutil.rmtree(context.logs, ignore_errors=True)
    print(f"# took {time.monotonic() - begin:.0f} s")
    print(f"{runner.passed} passed, {runner.failed} failed, {runner.skipped} skipped")
    return 1 if runner.failed else 0


if __name__ == "__main__":
    sys.exit(main())
