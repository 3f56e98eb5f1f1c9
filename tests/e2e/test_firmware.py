# SPDX-License-Identifier: LGPL-2.1-or-later
"""Firmware of PCs: from the reset vector to its shell, or to where it looks for something to boot."""
import json
import re
import shutil
import subprocess

from guests import UP
from session import Guest, check, check_eq, started
from suite import test

STOCK = "/usr/share/ovmf/OVMF.fd"
CODE, VARS = "/usr/share/OVMF/OVMF_CODE_4M.fd", "/usr/share/OVMF/OVMF_VARS_4M.fd"
SEABIOS = "/usr/share/seabios/bios-256k.bin"
RAM = 256 << 20
ACPI = r"ACPI 2\.0 Table *(\x1b\[[0-9;]*m)*0*[1-9A-F]"  # an address, not 0
COUNTDOWN, SHELL = r"Press .*ESC", r"Shell> "
# OVMF's reset vector, by the map of that name
CODES = {0x16: "16BIT_MODE", 0x32: "32BIT_MODE", 0xB1: "BFV_FOUND", 0xF1: "SEC_FOUND", 0x64: "64BIT_MODE"}


def firmware(path, *more):
    return ["--firmware", path, "-m", str(RAM >> 20), *more]


def codes_of(guest):
    """(value, name) of what the firmware wrote to port 0x80; its records are on standard error, among other lines."""
    lines = [line for line in guest.messages.text().splitlines() if line.startswith('{"seq"')]
    records = [json.loads(line) for line in lines]
    check(all(r["port"] in ("0x80", "0x402") for r in records), "ports")
    return [(int(r["value"], 16), r.get("name")) for r in records if "value" in r]


def shell_wait(context, guest, timeout):
    guest.console.wait_for(COUNTDOWN, context.scale(timeout))
    guest.process.write(b"\x1b")  # not to wait for its end
    guest.console.wait_for(SHELL, context.scale(20))


def shell_is_reached(context, image, codes, timeout, *more):
    """The firmware runs to its prompt, and writes these codes and no others."""
    # the lab's own files cannot be read from here
    args = firmware(context.ovmf(image), "--checkpoints", "/proc/self/fd/2", "--checkpoint-map", "ovmf", *more)
    with Guest(context, args, gdb=False) as guest:
        shell_wait(context, guest, timeout)
        check_eq(codes_of(guest), [(code, CODES[code]) for code in codes], f"codes of {image}")
        check("text" in guest.messages.text(), "its debug log is recorded, too")


@test(needs="kvm x86", cap=60)
def seabios_says_what_it_boots_from_on_the_serial_port(context):
    with Guest(context, ["--firmware", SEABIOS, "-m", "16"], gdb=False) as guest:
        guest.console.wait_for(r"SeaBIOS \(version [\d.]+", context.scale(20))
        guest.console.wait_for(r"Booting from .*\r\n", context.scale(20))


@test(needs="tcg x86", cap=60)
def stock_ovmf_gets_to_its_shell_in_qemu(context):
    with Guest(context, firmware(STOCK), gdb=False) as guest:
        shell_wait(context, guest, 40)


@test(needs="kvm x86 cr8", cap=60)
def stock_ovmf_leaves_its_flash_for_memory(context):
    """From the reset vector through SEC, which unpacks the rest; that needs the host bridge and the ACPI timer."""
    with started(context, {"args": lambda c: firmware(STOCK)}) as s:
        check_eq(s.pc(), 0xFFFFFFF0, "pc at the start")
        s.stepi()
        check(s.pc() > 0xFFFF0000, "the reset vector jumps inside of the last 64 KiB")
        s.run_until(lambda: s.pc() < RAM, "it does not get to memory", 0.1)
        check(s.reg("cr3") < RAM and "64-bit" in s.cmd("monitor info vcpus"), "in 64-bit mode")


@test(needs="kvm x86 code-hwbreak long", cap=60)
def ovmf_stops_at_a_site_of_its_reset_vector(context):
    image = context.ovmf("OVMF.fd")
    scan = context.place.spawn([context.gdbvm, "checkpoints", "scan", "--checkpoint-map", "ovmf", image])
    check_eq(scan.wait(context.scale(20)), 0, "exit status of scan")
    sites = dict(reversed(m) for m in re.findall(r"^site (0x[0-9a-f]+) (\S+)", scan.out.text(), re.M))
    with started(context, {"args": lambda c: firmware(image)}) as s:
        for name in ("SEC_FOUND", "64BIT_MODE"):
            bp = s.hbrk(f"*{sites[name]}")
            s.cont()
            s.expect_stop(bp=bp, pc=int(sites[name], 16))
            s.delete(bp)
            check_eq(s.word(s.pc(), "h"), 0x80E6, "out 0x80, al")
            check_eq(CODES[s.reg("rax") & 0xFF], name, "al")


@test(needs="kvm x86 swbreak long", cap=150)
def ovmf_reports_its_reset_vector_and_gets_to_its_shell(context):
    shell_is_reached(context, "OVMF.fd", (0x16, 0x32, 0xB1, 0xF1, 0x64), 120)


@test(needs="kvm x86 swbreak long", cap=150)
def cloud_hypervisors_ovmf_starts_behind_the_reset_vector(context):
    shell_is_reached(context, "CLOUDHV.fd", (0xB1, 0xF1, 0x64), 120)


@test(needs="kvm x86 swbreak long", cap=150)
def microvms_ovmf_gets_to_its_shell(context):
    shell_is_reached(context, "MICROVM.fd", (0x16, 0x32, 0xB1, 0xF1, 0x64), 120, "--machine", "microvm")


@test(needs="kvm x86 swbreak long", cap=150)
def stock_ovmf_keeps_its_variables_has_acpi_tables_and_powers_off(context):
    nvram = context.scratch(f"nvram-{context.serial()}.fd")
    shutil.copyfile(VARS, nvram)
    with Guest(context, firmware(CODE, "--nvram", nvram), gdb=False) as guest:
        shell_wait(context, guest, 120)
        typed = guest.console.mark()
        guest.process.write(b"setvar Kept -guid 11111111-2222-3333-4444-555555555555 -nv -bs =L\"kept\"\r")
        guest.console.wait_for(SHELL, context.scale(20), typed)
        guest.process.write(b"dmem\r")
        guest.console.wait_for(ACPI, context.scale(20), typed)
        guest.process.write(b"reset -s\r")
        check_eq(guest.wait_exit(30), 0, "exit status after reset -s")
    with open(nvram, "rb") as f:
        variables = f.read()
    check("Kept".encode("utf-16-le") in variables, "the variable is in the file")
    check_eq(len(variables), 540672, "size of the file")


@test(needs="kvm x86 swbreak long", cap=200)
def stock_ovmf_starts_a_kernel_from_a_disk_and_its_acpi_tables_switch_it_off(context):
    disk, script = context.scratch(f"esp-{context.serial()}.img"), context.log_path("startup.nsh")
    with open(script, "w", encoding="ascii") as f:
        f.write("fs0:\nvmlinuz.efi initrd=\\initrd console=ttyS0 quiet panic=-1 gdbvm.do=poweroff\n")
    subprocess.run(["/usr/sbin/mkfs.vfat", "-C", disk, "65536"], stdout=subprocess.DEVNULL, check=True)
    for path, name in ((context.kernel("vmlinuz"), "vmlinuz.efi"), (context.initrd("busybox"), "initrd"), (script, "startup.nsh")):
        subprocess.run(["mcopy", "-i", disk, path, f"::{name}"], check=True)
    with Guest(context, ["--firmware", STOCK, "-m", "512", "-d", disk], gdb=False) as guest:
        guest.console.wait_for(UP, context.scale(150))
        check_eq(guest.wait_exit(30), 0, "exit status after power-off")
