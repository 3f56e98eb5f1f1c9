# SPDX-License-Identifier: LGPL-2.1-or-later
"""The guests that the tests use, as arguments for `gdbvm run` and for Scene."""
SIGNED_ADDRESSES_SINCE = 14  # the first GDB that makes a kernel's signed return addresses whole again
UP = r"gdbvm-guest: user space is up"


def flat(name, *more):
    """A small guest of tests/guests."""
    def args(context):
        out = ["--flat", f"{context.guest(name + '.bin')}@{context.arch.flat[name]:#x}", "-m", "16", *more]
        if context.arch.name == "x86":
            out += ["--flat-mode", "long" if name in ("count", "smp", "places", "codes", "crowd", "ends", "talk") else "real"]
        return out
    return {"args": args, "symbols": lambda context: context.guest(name + ".elf")}


def function(s, name):
    """A function of the stock kernel, for GDB's breakpoint commands. On arm64 its symbol and its debug information are two
    instructions apart, the ones that ftrace patches, and GDB would stop at both."""
    return f"*{name}" if s.context.arch.name == "arm64" else name


def linux(do="wait", cpus=1, params="", initrd="busybox", more=()):
    """The stock kernel. Its symbols come with a file of GDB settings that says where the sources are."""
    def args(context):
        line = f"{context.arch.kernel_args} quiet panic=-1 gdbvm.do={do} {params}".strip()
        if context.arch.name == "arm64" and context.gdb_version < SIGNED_ADDRESSES_SINCE:
            line += " arm64.nopauth"
        out = ["-k", context.kernel("vmlinuz"), "-i", context.initrd(initrd), "-p", line, "-c", str(cpus), "-m", "512"]
        return out + [arg(context) if callable(arg) else arg for arg in more]
    return {"args": args, "symbols": lambda context: context.kernel("vmlinux"),
            "init": lambda context: [context.kernel("gdbinit")]}
