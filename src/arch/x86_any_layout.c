/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "arch/x86_rows.h"

#include "util/macros.h"

/*
 * One table for a GDB that may take any of the three architectures, by its symbol file or by `set architecture`, and
 * may change its mind at any time. GDB takes a description when org.gnu.gdb.i386.core has all the names that it expects
 * of the architecture it has selected: here both rax and eax are, so that each finds its own, and no g packet is ever
 * of another size than GDB expects. What the description itself calls the architecture counts when nothing is selected.
 *
 * No type depends on the architecture: pointers are plain numbers. There is no feature for fs_base and gs_base, which
 * GDB does not take for i386.
 */
enum { CORE, SSE, AVX, SYSTEM };

static const char *const features[] = {
	[CORE] = "org.gnu.gdb.i386.core",
	[SSE] = "org.gnu.gdb.i386.sse",
	[AVX] = "org.gnu.gdb.i386.avx",
	[SYSTEM] = "org.gdbvm.x86.system",
};

// clang-format off
enum { FP = 6, SP = 7, RIP = 16, FLAGS = 17 };

/* As for the 64-bit layout: LLDB, which uses them, is shown a layout of the mode alone. */
enum { DW_PC = 16, DW_XMM0 = 17, DW_ST0 = 33, DW_FLAGS = 49, DW_ES = 50, DW_MXCSR = 64, DW_FCTRL = 65 };

#define LOW(nm, reg) ROW(nm, 32, UINT, CORE, CORE, "general", gpr[X86_##reg])
#define UPC(nm, nbits) ROW(nm, nbits, UINT, CORE, CORE, "general", rip, .conv = REG_X86_LINEAR_PC)

static const struct reg_desc regs[] = {
	GPR("rax", 64, INT, RAX, 0), GPR("rbx", 64, INT, RBX, 3), GPR("rcx", 64, INT, RCX, 2),
	GPR("rdx", 64, INT, RDX, 1), GPR("rsi", 64, INT, RSI, 4), GPR("rdi", 64, INT, RDI, 5),
	[FP] = GPR("rbp", 64, UINT, RBP, 6), [SP] = GPR("rsp", 64, UINT, RSP, 7),
	GPR("r8", 64, INT, R8, 8), GPR("r9", 64, INT, R9, 9), GPR("r10", 64, INT, R10, 10),
	GPR("r11", 64, INT, R11, 11), GPR("r12", 64, INT, R12, 12), GPR("r13", 64, INT, R13, 13),
	GPR("r14", 64, INT, R14, 14), GPR("r15", 64, INT, R15, 15),
	[RIP] = UPC("rip", 64), [FLAGS] = FLAGS_AND_SELECTORS, X87,
	LOW("eax", RAX), LOW("ecx", RCX), LOW("edx", RDX), LOW("ebx", RBX), LOW("esp", RSP), LOW("ebp", RBP),
	LOW("esi", RSI), LOW("edi", RDI), UPC("eip", 32),

	XMM_0_7, XMM(8), XMM(9), XMM(10), XMM(11), XMM(12), XMM(13), XMM(14), XMM(15), MXCSR,

	YMMH_0_7, YMMH(8), YMMH(9), YMMH(10), YMMH(11), YMMH(12), YMMH(13), YMMH(14), YMMH(15),

	CONTROL(UINT), DEBUG_REGS(UINT), CODE_AND_DATA_SEGS(UINT), SEG("fs", FS, UINT), SEG("gs", GS, UINT),
	SYSTEM_SEGS(UINT), MSRS(UINT, UINT),
	SYS_ROW("ip_offset", 32, UINT, CORE, rip),
};

#define LAYOUT(name, abi, lldb, bits) { \
	.gdb_name = name, .triple = lldb, .osabi = abi, .features = features, .nfeatures = ARRAY_LEN(features), \
	.regs = regs, .nregs = ARRAY_LEN(regs), .pc = RIP, .sp = SP, .fp = FP, .flags = FLAGS, .addr_bits = bits }
// clang-format on

const struct arch_layout arch_layout_any_x86_64 = LAYOUT("i386:x86-64", NULL, "x86_64-unknown-unknown", 64);
const struct arch_layout arch_layout_any_i386 = LAYOUT("i386", "none", "i386-unknown-unknown", 32);
const struct arch_layout arch_layout_any_i8086 = LAYOUT("i8086", "none", "i386-unknown-unknown-code16", 32);
