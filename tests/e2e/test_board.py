# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the arm64 board has: firmware at 0, a device tree in x0, and an interrupt controller that a debugger can read."""
import re

from guests import flat
from session import check, check_eq, started
from suite import Scene, test

EDK2 = "/usr/share/AAVMF/AAVMF_CODE.fd"
GICD, GICR, GICR_SIZE = 0x08000000, 0x080A0000, 0x20000
SMP = Scene(**flat("smp", "-c", "4"))


@test(needs="arm64", cap=120)
def edk2_runs_from_its_reset_vector_to_its_first_output(context):
    with open(EDK2, "rb") as f:
        code = f.read(8)
    with started(context, {"args": lambda c: ["--firmware", EDK2, "-m", "256"]}) as s:
        check_eq(s.pc(), 0, "pc")
        check_eq(s.word(0, "g"), int.from_bytes(code, "little"), "first bytes")
        for _ in range(3):
            s.stepi()
        check(s.pc() != 0, "it moves")
        s.cont()
        s.wait_console("UEFI firmware", 40)


@SMP.test(needs="arm64 kvm")
def a_flat_guest_finds_the_device_tree_at_the_end_of_memory(s):
    tree = s.context.arch.ram + (16 << 20) - 0x10000
    check_eq(s.reg("x0"), tree, "x0")
    check_eq(s.word(tree), 0xEDFE0DD0, "magic of a device tree, big-endian")
    check_eq(int(s.cmd("output/x $cpsr"), 16) & 0x3CF, 0x3C5, "EL1, its own stack pointer, exceptions masked")


@SMP.test(needs="arm64 kvm")
def the_gic_shows_its_registers_and_cannot_be_written(s):
    check_eq(s.word(GICD + 4) & 0x1F, 1, "GICD_TYPER: 64 interrupts")
    for cpu in range(4):
        typer = s.word(GICR + cpu * GICR_SIZE + 8)
        check_eq(typer >> 8 & 0xFFFF, cpu, "GICR_TYPER: processor number")
        check_eq(typer >> 4 & 1, cpu == 3, "GICR_TYPER: last")
    check_eq(s.word(GICD + 5, "b"), s.word(GICD + 4) >> 8 & 0xFF, "a byte of it")
    check("annot" in s.refused(f"x/1wx {GICR + 4 * GICR_SIZE:#x}"), "there is no fifth")
    check("annot" in s.refused(f"set var *(int *){GICD:#x} = 1"), "it cannot be written")


@SMP.test(needs="arm64 kvm")
def a_gic_that_nobody_has_set_up_is_shown_as_it_is(s):
    out = s.cmd("monitor info vgic")
    check(re.match(r"GICv[23] distributor: 64 INTIDs, group 0 off, group 1 off\n", out), out)
    check_eq(len(re.findall(r"vCPU \d: group 0 off, group 1 off, .*, no active priority", out)), 4, out)
    check_eq(s.cmd("monitor info irq").count("active: none"), 4, "vCPUs with nothing active")
