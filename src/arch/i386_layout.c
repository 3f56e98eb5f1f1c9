/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "arch/x86_rows.h"

#include "util/macros.h"

/*
 * One table for 32-bit and 16-bit sessions. GDB's rows show the low halves of the first eight registers and of rip;
 * for a vCPU that went on to long mode during the session, the system feature has the high halves, and r8-r15.
 * The 16-bit layout alone has the last row, ip_offset: eip there is cs_base + ip_offset, never what code calls IP.
 */
enum { CORE, SSE, AVX, SYSTEM };

static const char *const features[] = {
	[CORE] = "org.gnu.gdb.i386.core",
	[SSE] = "org.gnu.gdb.i386.sse",
	[AVX] = "org.gnu.gdb.i386.avx",
	[SYSTEM] = "org.gdbvm.x86.system",
};

// clang-format off
#define WIDE(nm, reg) SYS_ROW(nm, 64, UINT, CORE, gpr[X86_##reg])
#define HIGH(nm, field) \
	ROW_AT(nm "_high", 32, UINT, SYSTEM, CORE, "system", offsetof(struct x86_regs, field) + sizeof(uint32_t))

enum { SP = 4, FP = 5, EIP = 8, FLAGS = 9 };

/* System V ABI for the Intel386, "DWARF Register Number Mapping". The segments follow es as cs ss ds fs gs. */
enum { DW_PC = 8, DW_FLAGS = 9, DW_ST0 = 11, DW_XMM0 = 21, DW_FCTRL = 37, DW_MXCSR = 39, DW_ES = 40 };

static const struct reg_desc regs[] = {
	GPR("eax", 32, INT, RAX, 0), GPR("ecx", 32, INT, RCX, 1), GPR("edx", 32, INT, RDX, 2),
	GPR("ebx", 32, INT, RBX, 3), [SP] = GPR("esp", 32, DATA_PTR, RSP, 4),
	[FP] = GPR("ebp", 32, DATA_PTR, RBP, 5), GPR("esi", 32, INT, RSI, 6), GPR("edi", 32, INT, RDI, 7),
	[EIP] = PC("eip", 32), [FLAGS] = FLAGS_AND_SELECTORS, X87,

	XMM_0_7, MXCSR,

	YMMH_0_7,

	CONTROL(UINT), DEBUG_REGS(UINT), CODE_AND_DATA_SEGS(UINT), SEG("fs", FS, UINT), SEG("gs", GS, UINT),
	SYSTEM_SEGS(UINT), MSRS(UINT, UINT),
	HIGH("rax", gpr[X86_RAX]), HIGH("rcx", gpr[X86_RCX]), HIGH("rdx", gpr[X86_RDX]), HIGH("rbx", gpr[X86_RBX]),
	HIGH("rsp", gpr[X86_RSP]), HIGH("rbp", gpr[X86_RBP]), HIGH("rsi", gpr[X86_RSI]), HIGH("rdi", gpr[X86_RDI]),
	HIGH("rip", rip),
	WIDE("r8", R8), WIDE("r9", R9), WIDE("r10", R10), WIDE("r11", R11), WIDE("r12", R12), WIDE("r13", R13),
	WIDE("r14", R14), WIDE("r15", R15),
	SYS_ROW("ip_offset", 32, UINT, CORE, rip),
};

/* Without an osabi GDB takes GNU/Linux, and then warns that i8086 has no such thing. */
#define LAYOUT(name, lldb, rows, gdb) { \
	.gdb_name = name, .any = gdb, .triple = lldb, .osabi = "none", .features = features, .nfeatures = ARRAY_LEN(features), \
	.regs = regs, .nregs = rows, .pc = EIP, .sp = SP, .fp = FP, .flags = FLAGS, \
	.addr_bits = 32 }
// clang-format on

const struct arch_layout arch_layout_i386 =
	LAYOUT("i386", "i386-unknown-unknown", ARRAY_LEN(regs) - 1, &arch_layout_any_i386);
const struct arch_layout arch_layout_i8086 =
	LAYOUT("i8086", "i386-unknown-unknown-code16", ARRAY_LEN(regs), &arch_layout_any_i8086);
