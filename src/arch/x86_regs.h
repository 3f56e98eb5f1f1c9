/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef ARCH_X86_REGS_H
#define ARCH_X86_REGS_H

#include <stdint.h>

/* General registers in the order of GDB's i386:x86-64 description (not the hardware's encoding). */
enum {
	X86_RAX,
	X86_RBX,
	X86_RCX,
	X86_RDX,
	X86_RSI,
	X86_RDI,
	X86_RBP,
	X86_RSP,
	X86_R8,
	X86_R9,
	X86_R10,
	X86_R11,
	X86_R12,
	X86_R13,
	X86_R14,
	X86_R15,
	X86_NGPR
};

enum { X86_CS, X86_SS, X86_DS, X86_ES, X86_FS, X86_GS, X86_LDTR, X86_TR, X86_NSEG };

/*
 * A segment with its hidden part. attr is packed as the AMD manual's VMCB does: bits 0-3 type, 4 S, 5-6 DPL,
 * 7 P, 8 AVL, 9 L, 10 D/B, 11 G; bit 15 is ours: unusable (VMX).
 */
struct x86_seg {
	uint64_t base;
	uint32_t limit; /* bytes, already scaled by G */
	uint16_t sel, attr;
};
enum { X86_SEG_P = 1 << 7, X86_SEG_L = 1 << 9, X86_SEG_DB = 1 << 10, X86_SEG_G = 1 << 11, X86_SEG_UNUSABLE = 1 << 15 };

struct x86_table {
	uint64_t base;
	uint32_t limit;
};

/* MSRs of the usual kind; the index is the order here, the number is x86_msr_number[]. */
enum {
	X86_MSR_TSC,
	X86_MSR_APIC_BASE,
	X86_MSR_SYSENTER_CS,
	X86_MSR_SYSENTER_ESP,
	X86_MSR_SYSENTER_EIP,
	X86_MSR_PAT,
	X86_MSR_MTRR_DEF_TYPE,
	X86_MSR_MISC_ENABLE,
	X86_MSR_STAR,
	X86_MSR_LSTAR,
	X86_MSR_CSTAR,
	X86_MSR_SFMASK,
	X86_MSR_KERNEL_GS_BASE,
	X86_MSR_TSC_AUX,
	X86_MSR_SPEC_CTRL,
	X86_MSR_TSC_DEADLINE,
	X86_NMSR
};
extern const uint32_t x86_msr_number[X86_NMSR];

/* All of one vCPU's state that a debugger shows. FS/GS base are seg[X86_FS].base, seg[X86_GS].base. */
struct x86_regs {
	/* ARCH_CORE */
	uint64_t gpr[X86_NGPR];
	uint64_t rip; /* offset in CS, as the hardware has it */
	uint64_t rflags;
	/* ARCH_SYS */
	struct x86_seg seg[X86_NSEG];
	struct x86_table gdt, idt;
	uint64_t cr0, cr2, cr3, cr4, cr8, efer;
	/* ARCH_FP; x87 registers by stack position (st0 first), control words as GDB's 32-bit fields */
	uint8_t st[8][10];
	uint32_t fctrl, fstat, ftag /* full 16-bit tag word */, fiseg, fioff, foseg, fooff, fop;
	uint8_t xmm[16][16];
	uint32_t mxcsr;
	uint8_t ymmh[16][16]; /* upper halves */
	uint8_t fp_absent;    /* X86_NO_AVX: the vCPU has no AVX state */
	/* ARCH_DEBUG: the guest's own, not the debugger's */
	uint64_t dr[8]; /* 0-3, 6, 7 */
	/* ARCH_MSR */
	uint64_t msr[X86_NMSR];
	uint32_t msr_have; /* bit per index: this vCPU has it and it was read */
};
enum { X86_NO_X87 = 1, X86_NO_SSE = 2, X86_NO_AVX = 4 };

enum {
	X86_CR0_PE = 1,
	X86_RFLAGS_TF = 1 << 8,
	X86_RFLAGS_IF = 1 << 9,
	X86_RFLAGS_RF = 1 << 16,
	X86_RFLAGS_VM = 1 << 17,
	X86_EFER_LMA = 1 << 10,
	X86_EFER_LME = 1 << 8
};

#endif
