/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "arch/x86_rows.h"

#include "util/macros.h"

enum { CORE, SSE, SEGMENTS, AVX, SYSTEM };

static const char *const features[] = {
	[CORE] = "org.gnu.gdb.i386.core", [SSE] = "org.gnu.gdb.i386.sse",    [SEGMENTS] = "org.gnu.gdb.i386.segments",
	[AVX] = "org.gnu.gdb.i386.avx",   [SYSTEM] = "org.gdbvm.x86.system",
};

// clang-format off
#define USER_BASE(nm, reg) ROW(nm, 64, INT, SEGMENTS, SYS, "general", seg[X86_##reg].base)

enum { FP = 6, SP = 7, RIP = 16, FLAGS = 17 };

/* System V ABI for AMD64, "DWARF Register Number Mapping". The segments follow es in the order cs ss ds fs gs. */
enum { DW_PC = 16, DW_XMM0 = 17, DW_ST0 = 33, DW_FLAGS = 49, DW_ES = 50, DW_MXCSR = 64, DW_FCTRL = 65 };

static const struct reg_desc regs[] = {
	GPR("rax", 64, INT, RAX, 0), GPR("rbx", 64, INT, RBX, 3), GPR("rcx", 64, INT, RCX, 2),
	GPR("rdx", 64, INT, RDX, 1), GPR("rsi", 64, INT, RSI, 4), GPR("rdi", 64, INT, RDI, 5),
	[FP] = GPR("rbp", 64, DATA_PTR, RBP, 6), [SP] = GPR("rsp", 64, DATA_PTR, RSP, 7),
	GPR("r8", 64, INT, R8, 8), GPR("r9", 64, INT, R9, 9), GPR("r10", 64, INT, R10, 10),
	GPR("r11", 64, INT, R11, 11), GPR("r12", 64, INT, R12, 12), GPR("r13", 64, INT, R13, 13),
	GPR("r14", 64, INT, R14, 14), GPR("r15", 64, INT, R15, 15),
	[RIP] = PC("rip", 64), [FLAGS] = FLAGS_AND_SELECTORS, X87,

	XMM_0_7, XMM(8), XMM(9), XMM(10), XMM(11), XMM(12), XMM(13), XMM(14), XMM(15), MXCSR,

	USER_BASE("fs_base", FS), USER_BASE("gs_base", GS),

	YMMH_0_7, YMMH(8), YMMH(9), YMMH(10), YMMH(11), YMMH(12), YMMH(13), YMMH(14), YMMH(15),

	CONTROL(DATA_PTR), DEBUG_REGS(DATA_PTR), CODE_AND_DATA_SEGS(DATA_PTR), SEG_REST("fs", FS), SEG_REST("gs", GS),
	SYSTEM_SEGS(DATA_PTR), MSRS(DATA_PTR, CODE_PTR),
};
// clang-format on

/* A GDB that has selected one of these, which know no 64-bit registers, takes ours instead. */
static const char *const compatible[] = { "i386", "i8086", NULL };

const struct arch_layout arch_layout_x86_64 = {
	.gdb_name = "i386:x86-64",
	.compatible = compatible,
	.any = &arch_layout_any_x86_64,
	.features = features,
	.nfeatures = ARRAY_LEN(features),
	.regs = regs,
	.nregs = ARRAY_LEN(regs),
	.triple = "x86_64-unknown-unknown",
	.pc = RIP,
	.sp = SP,
	.fp = FP,
	.flags = FLAGS,
	.addr_bits = 64,
};
