# SPDX-License-Identifier: LGPL-2.1-or-later
"""What is different about the guests of each architecture: names, numbers and places that the tests use."""
from dataclasses import dataclass


@dataclass(frozen=True)
class Arch:
    name: str
    machine: str        # as uname has it
    gdb: str
    objdump: str
    objcopy: str
    kernel_args: str    # a console for Linux
    ram: int            # where memory begins
    flat: dict          # where the small guests begin
    # GDB's names of registers
    pc: str             # also that of our monitor
    stack: str          # no alias: GDB compiles none into an expression for the server
    mark: str           # carries a vCPU's number in smp, an address space's in places
    root: str           # of the page tables of the lower half
    space: str          # what bp-filter calls it
    free: tuple         # two that no small guest uses
    loop: str           # counts in smp's pause_loop
    arguments: tuple    # of a function
    vector: str         # a 32-bit part of a vector register
    lldb_names: tuple   # some of LLDB's names
    # and the protocol's numbers of them
    loop_number: int
    pc_number: int
    flags_number: int
    step_flags: int     # bits that a step may have to set in the guest and must take out again
    nop: int
    nop_size: str       # as GDB's x has it
    kind: int           # of a software breakpoint, and how addresses of code are aligned
    break_bytes: str    # for GDB's find
    counts_in: int      # bytes of the instruction at smp's count_here
    hw_breakpoints: int
    late: int           # where places maps its own memory a second time
    debug_control: int  # what a guest sees when nobody debugs it
    idle: str           # what a kernel waits with

    @property
    def scratch(self):
        """Memory that no small guest uses."""
        return self.ram + 0x400000

    @property
    def code(self):
        """Where the code of count is."""
        return self.flat["count"]


X86 = Arch(
    name="x86", machine="x86_64", gdb="gdb", objdump="objdump", objcopy="objcopy", kernel_args="console=ttyS0", ram=0,
    flat={"real": 0x8000, "modes": 0x8000, "count": 0x100000, "smp": 0x100000, "places": 0x100000, "codes": 0x100000,
          "crowd": 0x100000, "ends": 0x100000, "frames": 0x8000, "frames_nasm": 0x8000, "talk": 0x100000},
    pc="rip", stack="rsp", mark="rbx", root="cr3", space="cr3", free=("r15", "r12"), loop="rcx",
    arguments=("rdi", "rsi"), vector="xmm3.v4_int32[1]",
    lldb_names=("rax", "r15", "eflags", "gs_base", "st0", "xmm15", "cr3", "efer", "gdt_base"),
    loop_number=2, pc_number=16, flags_number=17, step_flags=1 << 8 | 1 << 9,
    nop=0x90, nop_size="b", kind=1, break_bytes="/b 0xcc", counts_in=8, hw_breakpoints=4, late=0xFFFFFFFF80000000,
    debug_control=0x400, idle="hlt")

ARM64 = Arch(
    name="arm64", machine="aarch64", gdb="gdb-multiarch", objdump="aarch64-linux-gnu-objdump",
    objcopy="aarch64-linux-gnu-objcopy", kernel_args="console=ttyAMA0", ram=0x40000000,
    flat={"modes": 0x40100000, "count": 0x40100000, "smp": 0x40100000, "places": 0x40100000, "codes": 0x40100000,
          "frames": 0x40100000},
    pc="pc", stack="sp", mark="x19", root="TTBR0_EL1", space="ttbr0", free=("x28", "x27"), loop="x9",
    arguments=("x0", "x1"), vector="v3.s.s[1]",
    lldb_names=("x0", "x28", "cpsr", "v31", "fpcr"),
    loop_number=9, pc_number=32, flags_number=33, step_flags=1 << 21 | 0xF << 6,
    nop=0xD503201F, nop_size="w", kind=4, break_bytes="/w 0xd4200000", counts_in=4, hw_breakpoints=6,
    late=0xFFFFFF8000000000, debug_control=0, idle="wfi")

ARCHES = {arch.name: arch for arch in (X86, ARM64)}
