# SPDX-License-Identifier: LGPL-2.1-or-later
"""Command lines that cannot work: one clear line that names the value, and a documented exit status."""
import os
import signal
import socket

from guests import flat
from session import Guest, accelerated, check, check_eq
from suite import test

SEABIOS = "/usr/share/seabios/bios-256k.bin"
USAGE, ENVIRONMENT, FILE, LISTEN = 2, 3, 4, 5


def refused(context, args, status, *words):
    """gdbvm run ARGS must end at once with `status` and a message that has all `words`."""
    process = context.place.spawn([context.gdbvm, "run", *accelerated(context), *args])
    try:
        check_eq(process.wait(context.scale(20)), status, f"exit status of {' '.join(args)}")
        text = process.err.text()
        for word in words:
            check(word in text, f"the message of {' '.join(args)} names {word!r}: {text!r}")
        check(text.count("\n") <= 4, f"the message is short: {text!r}")
    finally:
        process.stop()


@test()
def bad_option_values(context):
    kernel = ["-k", context.kernel("vmlinuz")]
    for args, word in [
            (["-c", "0"], "0"), (["-c", "17"], "17"), (["-c", "two"], "two"), (["-m", "12Q"], "12Q"), (["-m", "0"], "0"),
            (["--gdb-wait"], "--gdb"), (["extra"], "extra"), (["--console"], "console"), (["--accel", "warp"], "warp"),
            (["--arch", "vax"], "vax"), (["--flat", "x"], "x"),
            (["--nvram", "x"], "--firmware"), (["--machine", "vax"], "vax"),
            (["--checkpoint-map", "ovmf"], "--checkpoints"),
            (["--checkpoint-limit", "1M"], "--checkpoints"), (["--checkpoints", "x", "--checkpoint-limit", "1K"], "1K"),
            (["--junit", "x"], "--expect"), (["--boot-timeout", "0"], "0"), (["--boot-timeout", "1s"], "1s")]:
        refused(context, kernel + args, USAGE, word)
    refused(context, [], USAGE, "--kernel")
    refused(context, ["-i", "x", "--flat", "x@0x8000"], USAGE, "--initrd")


@test(needs="tcg")
def a_file_whose_other_end_is_missing_does_not_hold_a_signal_up(context):
    """It has opened the first FIFO when we have, and is on its way to wait at the second."""
    junit, boot, golden = (context.scratch(name) for name in ("junit", "boot", "golden"))
    for path in (junit, boot):
        os.mkfifo(path)
    with open(golden, "w", encoding="ascii") as f:
        f.write("0x16\n")
    process = context.place.spawn([context.gdbvm, "run", *accelerated(context), "--flat", f"{golden}@0x8000",
                                   "--expect", golden, "--junit", junit, "--checkpoints", boot])
    try:
        with open(junit, "rb"):
            process.signal(signal.SIGTERM)
            check_eq(process.wait(context.scale(20)), -signal.SIGTERM, "exit status")
    finally:
        process.stop()


@test(needs="tcg")
def files_that_would_be_overwritten(context):
    given, new = context.scratch("given"), context.scratch("new")
    with open(given, "wb") as f:
        f.write(b"0x16\n")
    what = ["--flat", f"{context.scratch('code')}@0x8000"]
    for option in ("--checkpoints", "--metrics", "--console", "--junit"):
        for read, args in [
                ("--flat", ["--flat", f"{given}@0x8000", "--expect", context.scratch("golden")]),
                ("--kernel", ["-k", given, "--expect", context.scratch("golden")]), ("--expect", [*what, "--expect", given]),
                ("--checkpoint-map", [*what, "--expect", context.scratch("golden"), "--checkpoint-map", given])]:
            refused(context, [*args, option, given], USAGE, f"{option} {given} would overwrite {read} {given}")
    other = os.path.join(os.path.dirname(new), ".", os.path.basename(new))
    refused(context, [*what, "--checkpoints", new, "--metrics", other], USAGE,
            f"--metrics {other} would overwrite --checkpoints {new}")
    with open(given, "rb") as f:
        check_eq(f.read(), b"0x16\n", "the given file")
    check(not os.path.exists(new), "no file was made")


@test()
def bad_debugger_addresses(context):
    what = flat("count")["args"](context)
    for address in ("99999", "0.0.0.0:1234", "example.org:1", "unix:", "nonsense"):
        refused(context, what + ["--gdb", address], LISTEN, address.split(":")[0] if address != "unix:" else "unix")


@test()
def files_that_are_not_there_or_not_kernels(context):
    refused(context, ["-k", "/no/such/kernel"], FILE, "/no/such/kernel", "No such file")
    refused(context, ["-k", "/"], FILE, "/")
    refused(context, ["-k", "/etc/passwd"], FILE, "/etc/passwd")
    refused(context, ["-k", "/bin/true"], FILE, "/bin/true")
    refused(context, ["-k", context.kernel("vmlinuz"), "-i", "/no/such/initrd"], FILE, "/no/such/initrd")
    refused(context, ["-k", context.kernel("vmlinuz"), "-d", "/no/such/disk"], FILE, "/no/such/disk")
    refused(context, ["--flat", "/no/such/code@0x8000"], FILE, "/no/such/code")
    refused(context, ["--firmware", "/no/such/firmware"], FILE, "/no/such/firmware")
    if context.accel == "kvm" and context.arch.name == "x86":
        refused(context, ["--firmware", SEABIOS, "--nvram", "/no/such/nvram"], FILE, "/no/such/nvram")
        refused(context, ["--firmware", SEABIOS, "--nvram", "/etc/passwd"], FILE, "/etc/passwd", "4096")
    refused(context, flat("count")["args"](context) + ["--checkpoints", "/no/such/boot.jsonl"], FILE, "/no/such/boot.jsonl")
    refused(context, flat("count")["args"](context) + ["--checkpoints", "/dev/null", "--checkpoint-map", "/etc/passwd"], FILE,
            "/etc/passwd, line 1")
    refused(context, flat("count")["args"](context) + ["--expect", "/no/such/golden"], FILE, "/no/such/golden")
    refused(context, flat("count")["args"](context) + ["--expect", "/etc/passwd"], FILE, "/etc/passwd, line ")
    refused(context, flat("count")["args"](context) + ["--metrics", "/no/such/metrics"], FILE, "/no/such/metrics")


@test()
def a_kernel_that_does_not_fit_into_memory(context):
    refused(context, ["-k", context.kernel("vmlinuz"), "-m", "8"], FILE, "vmlinuz", "MiB")


@test(needs="tcg")
def a_port_in_use(context):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        refused(context, flat("count")["args"](context) + ["--gdb", port], LISTEN, port, "listening")


@test(needs="tcg root x86")
def kvm_without_dev_kvm(context):
    """In a mount namespace where /dev/kvm is /dev/null's kin: a file that is no KVM."""
    args = ["run", "--accel", "kvm", *flat("count")["args"](context)]
    script = 'mount -t tmpfs none /dev && exec "$@"'
    process = context.place.spawn(["unshare", "--mount", "sh", "-c", script, "sh", context.gdbvm, *args])
    check_eq(process.wait(context.scale(20)), ENVIRONMENT, "exit status")
    check("/dev/kvm" in process.err.text(), f"the message names /dev/kvm: {process.err.text()!r}")


@test(needs="tcg")
def tcg_without_qemu(context):
    args = ["run", *accelerated(context), *flat("count")["args"](context)]
    process = context.place.spawn([context.gdbvm, *args], env={"PATH": "/nonexistent"})
    check_eq(process.wait(context.scale(20)), ENVIRONMENT, "exit status")
    check(f"qemu-system-{context.arch.machine}" in process.err.text(), f"the message names QEMU: {process.err.text()!r}")


@test(needs="tcg x86")
def the_architecture_follows_from_the_kernel_and_the_mode(context):
    image = context.scratch("Image")
    with open(image, "wb") as f:
        f.write(bytes(56) + b"ARM\x64" + bytes(4))
    refused(context, ["-k", image, "--arch", "x86_64"], FILE, "Image")
    process = context.place.spawn([context.gdbvm, "run", "--accel", "tcg", "-k", image], env={"PATH": "/nonexistent"})
    check_eq(process.wait(context.scale(20)), ENVIRONMENT, "exit status")
    check("qemu-system-arm" in process.err.text(), f"the message names the package: {process.err.text()!r}")
    refused(context, ["--flat", f"{image}@0x40100000", "--flat-mode", "el1", "--arch", "x86_64"], USAGE, "el1", "x86")
    refused(context, ["--flat", f"{image}@0x1000", "--flat-mode", "el2"], FILE, "0x1000", "0x40000000")


@test()
def help_and_version(context):
    for args in (["--help"], ["run", "--help"], ["decode", "--help"], ["--version"]):
        process = context.place.spawn([context.gdbvm, *args])
        check_eq(process.wait(context.scale(20)), 0, f"exit status of {args}")
        check("gdbvm" in process.out.text(), f"{args} prints something")


@test(needs="tcg")
def what_cannot_be_printed_is_an_error(context):
    for args in (["--version"], ["--help"], ["run", "--help"], ["checkpoints", "--help"], ["decode", "--help"],
                 ["decode", "esr", "0"]):
        process = context.place.spawn(["sh", "-c", 'exec "$@" >/dev/full', "sh", context.gdbvm, *args])
        check_eq(process.wait(context.scale(20)), FILE, f"exit status of {args} on a full disk")
        check_eq(process.err.text().count("standard output"), 1, f"what {args} says: {process.err.text()!r}")


def decoded(context, args):
    """What gdbvm decode ARGS prints."""
    process = context.place.spawn([context.gdbvm, "decode", *args])
    check_eq(process.wait(context.scale(20)), 0, f"exit status of decode {args}")
    return process.out.text()


@test(needs="tcg")
def arm64_values_are_decoded_without_a_guest(context):
    for args, line in [
            (["esr", "0x93c08006"],
             "ESR 0x93c08006: data abort from a lower EL: translation fault, level 2, read of 8 bytes to x0"),
            (["esr", "0xf2000800", "2449473606"], "ESR 0x92000046: data abort from a lower EL: translation fault, level 2, write"),
            (["hpfar", "0x90000", "0xffff800008005018"],
             "IPA 0x9000018: page 0x9000000 of HPFAR_EL2, offset 0x18 of FAR_EL2"),
            (["hpfar", "0x90000", "0x18", "0x9200004f"], "no IPA"),
            (["lr", "0x70a0001b0000001b", "0x90a0000000000020"], "all list registers full"),
            (["--gicv2", "lr", "0x9a006c1b", "0"], "1 of 2 list registers free"),
            (["pte", "--level", "2", "0x50000040200791"],
             "PTE 0x50000040200791, stage 1, level 2, 4K tables: block of 2M at 0x40200000, EL1 r-x, EL0 ---"),
            (["pte", "0x60010703", "--granule=64K", "--stage=2"],
             "PTE 0x60010703, stage 2, level 3, 64K tables: page of 64K at 0x60010000, EL1 --x, EL0 --x"),
            (["spsr", "0x600003c5"], "SPSR 0x600003c5: AArch64 EL1h, flags nZCv, masks DAIF")]:
        text = decoded(context, args)
        check(line in text.splitlines(), f"decode {args} says {line!r}: {text!r}")


@test(needs="tcg")
def values_that_cannot_be_decoded(context):
    for args, words in [
            ([], ["nothing to decode"]), (["tcr", "1"], ["'tcr'", "esr, hpfar, lr, pte"]), (["esr"], ["esr", "VALUE"]),
            (["esr", "0x1_0"], ["'0x1_0'"]), (["esr", "1x"], ["'1x'"]), (["esr", "96000046h"], ["'96000046h'"]),
            (["esr", "0x10000000000000000"], ["'0x10000000000000000'", "64-bit"]), (["hpfar", "0x10"], ["HPFAR FAR"]),
            (["hpfar", "1", "2", "3", "4"], ["'4'", "HPFAR FAR"]), (["lr", "--gicv2", "0x100000000"], ["0x100000000", "32"]),
            (["esr", "--gicv2", "1"], ["--gicv2"]),
            (["pte", "--level", "4", "1"], ["--level 4", "-1, 0"]), (["pte", "--granule", "8K", "1"], ["--granule 8K", "64K"]),
            (["pte", "--granule", "64K", "--level", "0", "1"], ["--level 0", "64K"]), (["lr", "--stage", "2", "1"], ["--stage"]),
            (["pte", "--stage", "3", "1"], ["--stage 3"]), (["lr", *["0"] * 65], ["'0'", "too many"])]:
        process = context.place.spawn([context.gdbvm, "decode", *args])
        check_eq(process.wait(context.scale(20)), USAGE, f"exit status of decode {args}")
        for word in words:
            check(word in process.err.text(), f"the message of decode {args} names {word!r}: {process.err.text()!r}")


@test()
def nokaslr_is_added_and_said(context):
    with Guest(context, ["-k", context.kernel("vmlinuz"), "-p", context.arch.kernel_args]) as guest:
        check("nokaslr" in guest.messages.text(), "it says that nokaslr was added")
    with Guest(context, ["-k", context.kernel("vmlinuz"), "-p", context.arch.kernel_args + " kaslr"]) as guest:
        check("nokaslr" not in guest.messages.text(), "a kaslr word is left alone")
