# SPDX-License-Identifier: LGPL-2.1-or-later
"""A kernel with checkpoints in it (tools/build-linux), from its first C code on."""
import json
import os
import re
import subprocess

from session import Guest, check, check_eq
from suite import test

PARTS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../guests/linux")
START_MAP = 0xFFFFFFFF80000000
CR0_PG, CR4_PAE, EFER_LMA = 1 << 31, 1 << 5, 1 << 10
NAMES = ["STARTUP_64", "LOAD_ADDRESS", "registers", "memory", "ADDRESS_FITS", "KERNEL_PFN", "X86_64_START_KERNEL",
         "START_KERNEL", "ARCH_IS_SET_UP", "CONSOLE_INIT", "CONSOLE", "REST_INIT"]


def place(context, function):
    out = subprocess.run(["nm", context.small_kernel("vmlinux")], stdout=subprocess.PIPE, text=True, check=True).stdout
    return int(re.search(rf"^(\w+) \w {function}$", out, re.M).group(1), 16)


def expected_boot(context, params, timeout):
    """(exit status, records that mean something, messages) of the kernel under its golden file."""
    args = ["-k", context.small_kernel("bzImage"), "-p", f"panic=-1 reboot=p {params}", "-m", "64", "--console", "none",
            "--checkpoints", "/proc/self/fd/1", "--checkpoint-map", f"{PARTS}/names.map",
            "--expect", f"{PARTS}/golden.txt", "--boot-timeout", str(timeout)]
    with Guest(context, args, gdb=False) as guest:
        status = guest.wait_exit(2 * timeout)
        records = [json.loads(line) for line in guest.console.text().splitlines()][1:]
        told = [r for r in records if "seq" in r and ("fields" in r or "part" not in r)]  # without the verdict
        return status, told, guest.messages.text()


@test(needs="kvm x86 long", cap=300)
def an_instrumented_kernel_tells_where_it_is(context):
    status, told, messages = expected_boot(context, "", 60)
    check_eq(status, 0, f"exit status; {messages.splitlines()[-3:]}")
    check_eq([r["name"] for r in told][:len(NAMES)], NAMES, "the order")

    begin = place(context, "__startup_64") - START_MAP  # where the kernel is loaded, not where it is linked
    check(begin < int(told[0]["pc"], 16) < begin + 4096, f"pc of the first code: {told[0]['pc']}")
    address = int(told[1]["fields"]["value"], 16)
    check_eq(address & 0x1FFFFF, 0, "alignment of the load address")
    check_eq(int(told[5]["fields"]["pfn"], 16), address >> 12, "the page frame number")
    regs = {name: int(value, 16) for name, value in told[2]["fields"].items()}
    check(begin < regs["rip"] < begin + 4096, f"rip is in __startup_64: {regs['rip']:#x}")
    check(regs["cr0"] & CR0_PG and regs["cr4"] & CR4_PAE and regs["efer"] & EFER_LMA, "it runs in 64-bit mode")
    check_eq(told[3]["fields"]["data"], b"HdrS".hex(), "the header that the boot loader left")
    check(int(told[-1]["pc"], 16) > START_MAP, "the last code comes from where the kernel is linked")


@test(needs="kvm x86 long", cap=300)
def a_kernel_that_hangs_before_its_console_is_told_by_its_last_checkpoint(context):
    status, told, messages = expected_boot(context, "hang_early", 30)
    check_eq(status, 21, "exit status")
    check_eq([r["name"] for r in told], NAMES[:NAMES.index("START_KERNEL") + 1], "what came before")
    check(re.search(r"stalled after checkpoint \d+ 0xd0 START_KERNEL: .*expected 'ARCH_IS_SET_UP'", messages), messages[-600:])
    where = re.search(r"^vCPU 0: 64-bit, rip=(0x\w+) .*code:( <?\w\w>?)+$", messages, re.M)
    check(where, f"the vCPU is told: {messages[-600:]}")
    begin = place(context, "hang_early")
    check(begin <= int(where.group(1), 16) < begin + 64, f"it is in hang_early at {begin:#x}: {where.group(1)}")
