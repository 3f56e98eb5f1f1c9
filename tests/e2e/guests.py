# SPDX-License-Identifier: LGPL-2.1-or-later
"""The guests that the tests use, as arguments for `gdbvm run` and for Scene."""
FLAT_ADDRESS = {"real": 0x8000, "modes": 0x8000, "count": 0x100000, "smp": 0x100000, "places": 0x100000}
UP = r"gdbvm-guest: user space is up"


def flat(name, *more):
    """A small guest of tests/guests."""
    mode = "long" if name in ("count", "smp", "places") else "real"

    def args(context):
        return ["--flat", f"{context.guest(name + '.bin')}@{FLAT_ADDRESS[name]:#x}", "--flat-mode", mode, "-m", "16", *more]
    return {"args": args, "symbols": lambda context: context.guest(name + ".elf")}


def linux(do="wait", cpus=1, params="", initrd="busybox", more=()):
    """The stock kernel. Its symbols come with a file of GDB settings that says where the sources are."""
    def args(context):
        line = f"console=ttyS0 quiet panic=-1 gdbvm.do={do} {params}".strip()
        out = ["-k", context.kernel("vmlinuz"), "-i", context.initrd(initrd), "-p", line, "-c", str(cpus), "-m", "512"]
        return out + [arg(context) if callable(arg) else arg for arg in more]
    return {"args": args, "symbols": lambda context: context.kernel("vmlinux"),
            "init": lambda context: [context.kernel("gdbinit")]}
