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

enum { SP = 7, RIP = 16 };

static const struct reg_desc regs[] = {
	GPR("rax", 64, INT, RAX), GPR("rbx", 64, INT, RBX), GPR("rcx", 64, INT, RCX), GPR("rdx", 64, INT, RDX),
	GPR("rsi", 64, INT, RSI), GPR("rdi", 64, INT, RDI), GPR("rbp", 64, DATA_PTR, RBP),
	[SP] = GPR("rsp", 64, DATA_PTR, RSP),
	GPR("r8", 64, INT, R8), GPR("r9", 64, INT, R9), GPR("r10", 64, INT, R10), GPR("r11", 64, INT, R11),
	GPR("r12", 64, INT, R12), GPR("r13", 64, INT, R13), GPR("r14", 64, INT, R14), GPR("r15", 64, INT, R15),
	[RIP] = PC("rip", 64), FLAGS_AND_SELECTORS, X87,

	XMM_0_7, XMM(8), XMM(9), XMM(10), XMM(11), XMM(12), XMM(13), XMM(14), XMM(15), MXCSR,

	USER_BASE("fs_base", FS), USER_BASE("gs_base", GS),

	YMMH_0_7, YMMH(8), YMMH(9), YMMH(10), YMMH(11), YMMH(12), YMMH(13), YMMH(14), YMMH(15),

	CONTROL(DATA_PTR), DEBUG_REGS(DATA_PTR), CODE_AND_DATA_SEGS(DATA_PTR), SEG_REST("fs", FS), SEG_REST("gs", GS),
	SYSTEM_SEGS(DATA_PTR), MSRS(DATA_PTR, CODE_PTR),
};
// clang-format on

const struct arch_layout arch_layout_x86_64 = {
	.gdb_name = "i386:x86-64",
	.features = features,
	.nfeatures = ARRAY_LEN(features),
	.regs = regs,
	.nregs = ARRAY_LEN(regs),
	.pc = RIP,
	.sp = SP,
	.addr_bits = 64,
};
