#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""What compilers and assemblers make of guest/include: no warning, nothing but code, no address that must be relocated.

usage: check_guest_include.py DIRECTORY
Compilers that are not installed are left out, and named.
"""
import os
import shutil
import subprocess
import sys
import tempfile

WARNINGS = ("-Wall -Wextra -Wshadow -Wundef -Wcast-qual -Wpointer-arith -Wwrite-strings -Wno-long-long -Werror").split()
C = "-std=gnu89 -Wstrict-prototypes -Wmissing-prototypes -Wdeclaration-after-statement".split()
CXX98, CXX17 = ["-x", "c++", "-std=c++98"], ["-x", "c++", "-std=c++17"]
SOURCE = """
#include <gdbvm/checkpoint.h>
#ifdef __cplusplus
extern "C" {
#endif
void plain(void);
void rest(const void *at, unsigned int n);
#ifdef __cplusplus
}
#endif
void plain(void)
{
	CHECKPOINT(0x16);
	CHECKPOINT(0xfe);
}
void rest(const void *at, unsigned int n)
{
	CHECKPOINT(n);
	CHECKPOINT_U64(0x1234, 0x1122334455667788ull);
	CHECKPOINT_REGS();
	CHECKPOINT_MEM(at, n);
}
"""
# The instructions of plain(), and their relatives that `gdbvm checkpoints scan` looks for.
PLAIN = bytes([0xB0, 0x16, 0xE6, 0x80, 0xB0, 0xFE, 0xE6, 0x80])
# How 16-bit code finds eip: what is called and what is popped must be of one size.
WHERE_16 = bytes([0x66, 0xE8, 0, 0, 0, 0, 0x66, 0x58])
ABSOLUTE = ("R_386_32", "R_386_16", "R_X86_64_64", "R_X86_64_32", "R_X86_64_32S", "R_AARCH64_ABS64", "R_AARCH64_ABS32", "GOT32", "GOTPCREL")
FORMS = {16: [".code16", "bits 16"], 32: [".code32", "bits 32"], 64: [".code64", "bits 64"]}
USES = ["CHECKPOINT 0x16", "CHECKPOINT_U64 0x1234", "CHECKPOINT_REGS", "CHECKPOINT_MEM"]

failures = []


def run(*argv):
    done = subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode or done.stdout:
        failures.append(f"{' '.join(argv)}:\n{done.stdout}")
    return done.returncode == 0


def output(*argv):
    return subprocess.run(argv, stdout=subprocess.PIPE, text=True, check=True).stdout


def check(condition, what):
    if not condition:
        failures.append(what)


def code_of(path, into):
    subprocess.run(["objcopy", "-O", "binary", "-j", ".text", path, into], check=True)
    with open(into, "rb") as f:
        return f.read()


def check_object(path, what, x86):
    """Only code, and only distances in it. Unwind tables, which nobody loads, are left out."""
    relocations = [line for line in output("readelf", "-rW", path).splitlines() if "R_" in line]
    check(not any(kind in line for line in relocations for kind in ABSOLUTE), f"{what}: {relocations}")
    undefined = [line for line in output("nm", "-u", path).splitlines() if "_GLOBAL_OFFSET_TABLE_" not in line]
    check(not undefined, f"{what}: needs {undefined}")
    for line in output("readelf", "-SW", path).splitlines():
        field = line.split("]", 1)[-1].split()
        if len(field) > 6 and field[0].startswith((".data", ".rodata", ".bss")):
            check(int(field[4], 16) == 0, f"{what}: has data: {line}")
    if x86:
        code = code_of(path, path + ".bin")
        check(PLAIN in code, f"{what}: the plain code is not mov and out alone")
        check("-m16" not in what or WHERE_16 in code, f"{what}: the call that finds eip is of another size")


def compile_c(directory, include):
    source = os.path.join(directory, "source.c")
    with open(source, "w", encoding="ascii") as f:
        f.write(SOURCE)
    compilers = [("gcc", bits, C) for bits in ("-m16", "-m32", "-m64")]
    compilers += [("clang", bits, C) for bits in ("-m16", "-m32", "-m64", "--target=aarch64-linux-gnu")]
    compilers += [("g++", "-m64", CXX98), ("g++", "-m32", CXX17), ("clang++", "-m64", CXX17),
                  ("clang++", "--target=aarch64-linux-gnu", CXX17), ("aarch64-linux-gnu-gcc", "-mgeneral-regs-only", C)]
    for compiler, target, language in compilers:
        if not shutil.which(compiler):
            print(f"{compiler} is not installed")
            continue
        for options in (["-fno-pic", "-O2"], ["-fPIC", "-Os"], ["-fno-pic", "-O0"]):
            out = os.path.join(directory, "out.o")
            argv = [compiler, *language, target, *options, *WARNINGS, "-ffreestanding", "-fno-asynchronous-unwind-tables",
                    "-fno-exceptions", "-fcf-protection=none" if "aarch64" not in compiler + target else "-g0",
                    "-fno-stack-protector", "-I", include, "-c", source, "-o", out]
            if run(*argv):
                check_object(out, " ".join(argv), "aarch64" not in compiler + target)


def assemble(directory, include):
    """The two assemblers' versions of the macros make the same code."""
    for port in (0x80, 0x402):
        gas, nasm = os.path.join(directory, "gas.S"), os.path.join(directory, "nasm.asm")
        with open(gas, "w", encoding="ascii") as f:
            f.write("#include <gdbvm/checkpoint-gas.inc>\n")
            for bits, form in FORMS.items():
                f.write("\n".join([form[0], f"CHECKPOINT_MODE {bits}", *USES]) + "\n")
        with open(nasm, "w", encoding="ascii") as f:
            f.write('%include "gdbvm/checkpoint.inc"\n')
            for form in FORMS.values():
                f.write("\n".join([form[1], *USES]) + "\n")
        made = {}
        for compiler in ("gcc", "clang"):
            out = os.path.join(directory, compiler + ".o")
            if not shutil.which(compiler):
                print(f"{compiler} is not installed")
            elif run(compiler, "-m64", f"-DGDBVM_CHECKPOINT_PORT={port:#x}", "-I", include, "-c", gas, "-o", out):
                check("R_" not in output("readelf", "-rW", out), f"{compiler}: relocations in the macros' code")
                made[compiler] = code_of(out, out + ".bin")
        made.pop("clang", None)  # it encodes some instructions in another way
        if not shutil.which("nasm"):
            print("nasm is not installed")
        elif run("nasm", "-Wall", "-Werror", "-f", "bin", f"-DGDBVM_CHECKPOINT_PORT={port:#x}", f"-I{include}/", "-o",
                 os.path.join(directory, "nasm.bin"), nasm):
            with open(os.path.join(directory, "nasm.bin"), "rb") as f:
                made["nasm"] = f.read()
        check(len(set(made.values())) <= 1, f"port {port:#x}: the code of {', '.join(made)} differs")


def main():
    include = sys.argv[1]
    with tempfile.TemporaryDirectory() as directory:
        if os.uname().machine == "x86_64":
            compile_c(directory, include)
            assemble(directory, include)
    print("\n".join(failures))
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
