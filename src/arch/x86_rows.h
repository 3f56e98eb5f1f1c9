/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef ARCH_X86_ROWS_H
#define ARCH_X86_ROWS_H

#include "arch/arch.h"

/*
 * Rows that the x86 layouts have in common. The file that includes this names the indexes of its features: CORE,
 * SSE, AVX and SYSTEM, and its DWARF numbers: DW_name. Inside GDB's own features (org.gnu.gdb.i386.*) order and widths
 * are GDB's ("i386 Features" in its manual); SYSTEM is ours and has the rest of the machine.
 */

// clang-format off
#define ROW_AT(nm, nbits, ty, feat, grp, show, at, ...) { \
	.name = nm, .bits = nbits, .type = REG_##ty, .feature = feat, .group = ARCH_##grp, .gdb_group = show, \
	.offset = at, __VA_ARGS__ }
#define ROW(nm, nbits, ty, feat, grp, show, field, ...) \
	ROW_AT(nm, nbits, ty, feat, grp, show, offsetof(struct x86_regs, field), __VA_ARGS__)

/* ---- org.gnu.gdb.i386.core ---- */
#define DWARF(n) .dwarf = (n) + 1
#define GPR(nm, nbits, ty, reg, dw) ROW(nm, nbits, ty, CORE, CORE, "general", gpr[X86_##reg], DWARF(dw))
#define PC(nm, nbits) \
	ROW(nm, nbits, CODE_PTR, CORE, CORE, "general", rip, .conv = REG_X86_LINEAR_PC, DWARF(DW_PC))
#define SEL(nm, reg, dw) \
	ROW(nm, 32, INT, CORE, SYS, "general", seg[X86_##reg].sel, .conv = REG_X86_SELECTOR, DWARF(DW_ES + (dw)))
#define FLAGS_AND_SELECTORS \
	ROW("eflags", 32, FLAGS, CORE, CORE, "general", rflags, DWARF(DW_FLAGS)), \
	SEL("cs", CS, 1), SEL("ss", SS, 2), SEL("ds", DS, 3), SEL("es", ES, 0), SEL("fs", FS, 4), SEL("gs", GS, 5)

#define NEEDS(part) .conv = REG_X86_FP, .which = X86_NO_##part
#define ST(i) ROW("st" #i, 80, I387, CORE, FP, "float", st[i], NEEDS(X87), DWARF(DW_ST0 + (i)))
#define FCTL(nm, ...) ROW(#nm, 32, INT, CORE, FP, "float", nm, NEEDS(X87), __VA_ARGS__)
#define X87 \
	ST(0), ST(1), ST(2), ST(3), ST(4), ST(5), ST(6), ST(7), \
	FCTL(fctrl, DWARF(DW_FCTRL)), FCTL(fstat, DWARF(DW_FCTRL + 1)), FCTL(ftag), \
	FCTL(fiseg), FCTL(fioff), FCTL(foseg), FCTL(fooff), FCTL(fop)

/* ---- org.gnu.gdb.i386.sse, .avx ---- */
#define XMM(i) ROW("xmm" #i, 128, VEC128, SSE, FP, "vector", xmm[i], NEEDS(SSE), DWARF(DW_XMM0 + (i)))
#define XMM_0_7 XMM(0), XMM(1), XMM(2), XMM(3), XMM(4), XMM(5), XMM(6), XMM(7)
#define MXCSR ROW("mxcsr", 32, MXCSR, SSE, FP, "vector", mxcsr, NEEDS(SSE), DWARF(DW_MXCSR))
#define YMMH(i) ROW("ymm" #i "h", 128, UINT128, AVX, FP, "vector", ymmh[i], NEEDS(AVX))
#define YMMH_0_7 YMMH(0), YMMH(1), YMMH(2), YMMH(3), YMMH(4), YMMH(5), YMMH(6), YMMH(7)

/* ---- org.gdbvm.x86.system; `ptr`, `code`: types for 64-bit addresses, which GDB has in 64-bit layouts only ---- */
#define SYS_ROW(nm, nbits, ty, grp, field) ROW(nm, nbits, ty, SYSTEM, grp, "system", field)
#define CONTROL(ptr) \
	SYS_ROW("cr0", 64, X86_CR0, SYS, cr0), SYS_ROW("cr2", 64, ptr, SYS, cr2), \
	SYS_ROW("cr3", 64, X86_CR3, SYS, cr3), SYS_ROW("cr4", 64, X86_CR4, SYS, cr4), \
	SYS_ROW("cr8", 64, UINT, SYS, cr8), SYS_ROW("efer", 64, X86_EFER, SYS, efer)
#define DEBUG_REGS(ptr) \
	SYS_ROW("dr0", 64, ptr, DEBUG, dr[0]), SYS_ROW("dr1", 64, ptr, DEBUG, dr[1]), \
	SYS_ROW("dr2", 64, ptr, DEBUG, dr[2]), SYS_ROW("dr3", 64, ptr, DEBUG, dr[3]), \
	SYS_ROW("dr6", 64, X86_DR6, DEBUG, dr[6]), SYS_ROW("dr7", 64, X86_DR7, DEBUG, dr[7])

#define SEG_BASE(nm, reg, ptr) SYS_ROW(nm "_base", 64, ptr, SYS, seg[X86_##reg].base)
#define SEG_REST(nm, reg) \
	SYS_ROW(nm "_limit", 32, UINT, SYS, seg[X86_##reg].limit), \
	SYS_ROW(nm "_attr", 16, X86_SEG_ATTR, SYS, seg[X86_##reg].attr)
#define SEG(nm, reg, ptr) SEG_BASE(nm, reg, ptr), SEG_REST(nm, reg)
#define SYS_SEG(nm, reg, ptr) SYS_ROW(nm, 16, UINT, SYS, seg[X86_##reg].sel), SEG(nm, reg, ptr)
#define TABLE(nm, ptr) \
	SYS_ROW(#nm "_base", 64, ptr, SYS, nm.base), SYS_ROW(#nm "_limit", 32, UINT, SYS, nm.limit)
#define CODE_AND_DATA_SEGS(ptr) SEG("cs", CS, ptr), SEG("ss", SS, ptr), SEG("ds", DS, ptr), SEG("es", ES, ptr)
#define SYSTEM_SEGS(ptr) SYS_SEG("ldtr", LDTR, ptr), SYS_SEG("tr", TR, ptr), TABLE(gdt, ptr), TABLE(idt, ptr)

/* No TSC: GDB writes every register back after an inferior call, and the guest's time must not run backwards. */
#define MSR(nm, ty, index) \
	ROW(nm, 64, ty, SYSTEM, MSR, "system", msr[X86_MSR_##index], .conv = REG_X86_MSR, .which = X86_MSR_##index)
#define MSRS(ptr, code) \
	MSR("k_gs_base", ptr, KERNEL_GS_BASE), MSR("apic_base", UINT, APIC_BASE), \
	MSR("sysenter_cs", UINT, SYSENTER_CS), MSR("sysenter_esp", ptr, SYSENTER_ESP), \
	MSR("sysenter_eip", code, SYSENTER_EIP), MSR("pat", UINT, PAT), MSR("mtrr_def_type", UINT, MTRR_DEF_TYPE), \
	MSR("misc_enable", UINT, MISC_ENABLE), MSR("star", UINT, STAR), MSR("lstar", code, LSTAR), \
	MSR("cstar", code, CSTAR), MSR("sfmask", UINT, SFMASK), MSR("tsc_aux", UINT, TSC_AUX), \
	MSR("spec_ctrl", UINT, SPEC_CTRL), MSR("tsc_deadline", UINT, TSC_DEADLINE)
// clang-format on

#endif
