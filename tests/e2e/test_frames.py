# SPDX-License-Identifier: LGPL-2.1-or-later
"""What guests send with guest/include, as gdbvm decodes it."""
import json
import os
import re
import shutil
import subprocess

from session import check, check_eq
from suite import test
from test_checkpoints import checkpoints, recorded, symbols

TEXT = b"checkpoint me"
FIRST = {"eax": 0x11111111, "ecx": len(TEXT), "edx": 0x33333333, "ebx": 0x44444444, "esp": 0x7C00, "ebp": 0x55555555,
         "edi": 0x77777777}
CR0_PE, CR0_PG, CR4_PAE, EFER_LMA = 1, 1 << 31, 1 << 5, 1 << 10


def decoded(records):
    """What the guest sent: (vCPU, kind or None for a plain code, fields or the code)."""
    check(not any("broken" in r for r in records), "no frame is broken")
    return [(r["vcpu"], r["name"], r["fields"]) if "fields" in r else (r["vcpu"], None, int(r["value"], 16))
            for r in records if "fields" in r or "part" not in r]


def numbers(fields):
    return {name: int(value, 16) for name, value in fields.items()}


def check_registers(fields, bits):
    regs = numbers(fields)
    letter = "r" if bits == 64 else "e"
    for name, value in FIRST.items():
        check_eq(regs[letter + name[1:]], value, f"{name} in {bits}-bit mode")
    check_eq(regs[letter + "flags"] & 1, 1, "carry flag")
    mode = (regs["cr0"] & CR0_PE, regs["cr0"] & CR0_PG, regs["cr4"], regs["cs"], regs["ss"])
    check_eq(mode, {16: (0, 0, 0, 0, 0), 32: (1, 0, 0, 8, 0x10), 64: (1, CR0_PG, CR4_PAE, 0x18, 0x10)}[bits], "mode")
    if bits == 64:
        check_eq((regs["r8"], regs["efer"] & EFER_LMA), ((1 << 64) - 1, EFER_LMA), "r8 and EFER")
    return regs


def check_macros(sent, bits):
    """A plain code and five frames of the assembler's macros: the registers at first, and unchanged at the end."""
    check_eq(sent[0][1:], (None, bits), "the first code")
    check_eq([kind for _, kind, _ in sent[1:5]], ["registers", "value", "memory", "registers"], "frames")
    before, after = check_registers(sent[1][2], bits), check_registers(sent[4][2], bits)
    ip = "rip" if bits == 64 else "eip"
    check(before.pop(ip) < after.pop(ip), "the later one comes from further on")
    check_eq(before, after, "registers around the macros")
    value = 0x11111111 if bits == 64 else 0x3333333311111111
    check_eq(numbers(sent[2][2]), {"id": 0x1000 + bits, "value": value}, "value")
    check_eq(sent[3][2]["data"], TEXT.hex(), "memory")
    check_eq(int(sent[3][2]["address"], 16), before["rsi" if bits == 64 else "esi"], "its address")


def check_c(sent, places, function):
    check_eq(sent[0][1:], (None, 0xCC), "the code from C")
    check_eq([kind for _, kind, _ in sent[1:4]], ["value", "registers", "memory"], "frames from C")
    check_eq(numbers(sent[1][2]), {"id": 0xC0DE, "value": 0x1122334455667788}, "value")
    regs = numbers(sent[2][2])
    check(places[function] < regs["eip"] < places[function] + 4096, f"eip is in {function}: {regs['eip']:#x}")
    check(0x7000 < regs["esp"] < 0x7C00, f"esp: {regs['esp']:#x}")
    check_eq(sent[3][2], {"address": f"{places['text']:#x}", "data": TEXT[:10].hex()}, "memory")


@test(needs="x86")
def every_mode_of_x86_sends_frames(context):
    _, records, _ = recorded(context, "frames")
    sent = decoded(records)
    check_eq(len(sent), 3 * 5 + 2 * 4, "codes and frames")
    places = symbols(context.guest("frames.elf"))
    for n, bits in enumerate((16, 32, 64)):
        check_macros(sent[n * 9:], bits)
        if bits < 64:
            check_c(sent[n * 9 + 5:], places, f"frames{bits}")


@test(needs="x86 nasm")
def so_do_the_macros_of_nasm(context):
    header, records, _ = recorded(context, "frames_nasm")
    sent = decoded(records)
    check_eq(len(sent), 3 * 5, "codes and frames")
    for n, bits in enumerate((16, 32, 64)):
        check_macros(sent[n * 5:], bits)

    path = context.scratch("frames.jsonl")
    with open(path, "w", encoding="ascii") as f:
        f.writelines(json.dumps(line) + "\n" for line in [header] + records)
    rows = checkpoints(context, "show", path).splitlines()[1:]
    check_eq(len(rows), len(sent), "rows that are shown")
    check("registers eax=0x11111111 ecx=0xd" in rows[1], rows[1])
    check(rows[2].endswith("value id=0x1010 value=0x3333333311111111"), rows[2])
    check(rows[3].endswith(f"data={TEXT.hex()}"), rows[3])


def assembled(context, name, text, *command):
    """Exit status and messages of a compiler or assembler on a file of that name."""
    path = context.scratch(name)
    with open(path, "w", encoding="ascii") as f:
        f.write(text)
    include = os.path.join(context.root, "guest", "include") + "/"
    done = subprocess.run([*command, "-I" + include, "-o", path + ".o", path], stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, check=False)
    return done.returncode, done.stdout


@test(needs="x86 nasm")
def the_examples_of_the_document_can_be_copied(context):
    with open(os.path.join(context.root, "docs", "checkpoints.md"), encoding="utf-8") as f:
        section = f.read().partition("## From your own code")[2]
    example = {kind: re.search(rf"\nIn (?:a )?`?{re.escape(kind)}.*:\n\n((?:(?: {{4}}.*)?\n)+)", section)[1]
               for kind in ("C", ".S", "NASM")}
    include, _, calls = example["C"].partition("\n\n")
    c = f"{include.strip()}\nvoid f(unsigned long physaddr, char *boot_params);\n" \
        f"void f(unsigned long physaddr, char *boot_params)\n{{\n{calls}}}\n"
    flags = ["-ffreestanding", "-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Werror", "-c"]
    for bits in ("-m64", "-m32", "-m16"):
        check_eq(assembled(context, "example.c", c, "cc", bits, *flags), (0, ""), f"C, {bits}")
        if shutil.which("c++"):  # nothing else of the project is in C++
            check_eq(assembled(context, "example.cc", c, "c++", bits, *flags), (0, ""), f"C++, {bits}")
    check_eq(assembled(context, "example.S", example[".S"].replace("    #", "#"), "cc", "-c"), (0, ""), "GNU as")
    check_eq(assembled(context, "example.asm", example["NASM"], "nasm", "-Wall", "-Werror", "-f", "elf64"), (0, ""), "NASM")


@test(needs="x86")
def an_assembler_without_the_preprocessor_says_what_it_takes(context):
    status, text = assembled(context, "plain.s", '.include "gdbvm/checkpoint-gas.inc"\n\tCHECKPOINT 1\n', "as")
    check_eq((status, text.count("Error")), (1, 1), "exit status, and how many errors")
    check("takes the C preprocessor" in text, f"the error says so: {text}")


@test(needs="kvm arm64")
def so_does_arm64(context):
    """At EL1 with the MMU off, to the debug port in memory."""
    _, records, _ = recorded(context, "frames")
    check(all(r["mmio"] == "0x90f0000" for r in records), "all is written to the debug port")
    sent = decoded(records)
    check_eq([what for _, kind, what in sent if kind is None], [0x64, 0xCC], "codes from the assembler and from C")
    check_eq([kind for _, kind, _ in sent[2:]], ["value", "registers", "memory"], "frames")
    check_eq(numbers(sent[2][2]), {"id": 0xC0DE, "value": 0x1122334455667788}, "value")
    places = symbols(context.guest("frames.elf"))
    regs = numbers(sent[3][2])
    check_eq(len(regs), 44, "registers")
    check(places["frames"] < regs["pc"] < places["frames"] + 4096, f"pc is in frames: {regs['pc']:#x}")
    check(places["stack_end"] - 4096 < regs["sp"] < places["stack_end"], f"sp: {regs['sp']:#x}")
    check_eq(regs["cpsr"] & 0x3CF, 0x3C5, "EL1 with its own stack, all interrupts masked")
    check_eq(regs["sctlr"] & 1, 0, "the MMU is off")
    system = [regs[name] for name in ("ttbr0", "ttbr1", "tcr", "mair", "vbar", "esr", "far", "elr")]
    check_eq(system, [0x11000 + 0x1000 * n for n in range(8)], "system registers")
    check_eq(regs["spsr"], 0x600003C5, "spsr")
    check_eq(sent[4][2], {"address": f"{places['text']:#x}", "data": TEXT[:10].hex()}, "memory")


TALKERS, NUMBERS, TRAP = 3, 3, 0x21  # talk.h


@test(needs="x86")
def frames_of_several_vcpus_survive_each_other_and_noise(context):
    """Each vCPU is trapped all the time, and then writes a zero, as Linux's io_delay does, or a code, or lets others go on."""
    _, records, _ = recorded(context, "talk", "-c", str(TALKERS))
    noise, inside, mixed = 0, 0, 0
    for vcpu in range(TALKERS):
        own = [r for r in records if r["vcpu"] == vcpu]
        sent = [(kind, what) for _, kind, what in decoded(own) if kind or what not in (0, TRAP)]
        codes = [what for kind, what in sent if kind is None]
        check_eq(codes, [0x10 + vcpu, 0x18 + vcpu], f"codes of vCPU {vcpu}")
        values = [numbers(what) for kind, what in sent if kind == "value"]
        check_eq(values, [{"id": vcpu, "value": vcpu << 32 | n} for n in range(NUMBERS)], f"numbers of vCPU {vcpu}")
        regs, memory = [what for kind, what in sent if kind in ("registers", "memory")]
        check(int(regs["rflags"], 16) & 0x100, "the trap flag is in the dump, as it is in the processor")
        check_eq(memory["data"], b"from C".hex(), f"memory of vCPU {vcpu}")

        for last in (r for r in own if "fields" in r):
            between = [r for r in records if last["first"] < r["seq"] < last["seq"]]
            noise += sum(1 for r in between if r["vcpu"] == vcpu and r["value"] == "0x0")
            inside += sum(1 for r in between if r["vcpu"] == vcpu and r["value"] == f"{TRAP:#x}")
            mixed += any(r["vcpu"] != vcpu for r in between)
    check(noise > 100 and inside > 10, f"{noise} zeros and {inside} codes came in the middle of frames")
    check(mixed >= TALKERS * (NUMBERS + 1), f"{mixed} frames have bytes of other vCPUs between theirs")
