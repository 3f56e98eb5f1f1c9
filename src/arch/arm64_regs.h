/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef ARCH_ARM64_REGS_H
#define ARCH_ARM64_REGS_H

#include <stdbool.h>
#include <stdint.h>

/*
 * System registers, named as in the Arm ARM ("AArch64 System Registers"): X(name, op0, op1, CRn, CRm, op2, group,
 * read_only, type for clients). ARCH_SYS is what the mode, the translation and the signing of addresses follow from,
 * ARCH_DEBUG what belongs to the guest's own debugging, ARCH_MSR the rest. Left out are those that are members of
 * struct arm64_regs. ELR and SPSR of EL1 are banked general registers to some who provide them, and KVM swaps the
 * encodings of CNTV_CVAL_EL0 and CNTVCT_EL0; here are those of the instructions.
 */
// clang-format off
#define ARM64_EL1_LIST(X) \
	X(SCTLR_EL1, 3, 0, 1, 0, 0, SYS, false, ARM64_SCTLR) \
	X(TCR_EL1, 3, 0, 2, 0, 2, SYS, false, ARM64_TCR) \
	X(TCR2_EL1, 3, 0, 2, 0, 3, SYS, false, UINT) \
	X(TTBR0_EL1, 3, 0, 2, 0, 0, SYS, false, ARM64_TTBR) \
	X(TTBR1_EL1, 3, 0, 2, 0, 1, SYS, false, ARM64_TTBR) \
	X(MAIR_EL1, 3, 0, 10, 2, 0, SYS, false, UINT) \
	X(PIR_EL1, 3, 0, 10, 2, 3, SYS, false, UINT) \
	X(PIRE0_EL1, 3, 0, 10, 2, 2, SYS, false, UINT) \
	X(VBAR_EL1, 3, 0, 12, 0, 0, SYS, false, CODE_PTR) \
	X(ACTLR_EL1, 3, 0, 1, 0, 1, MSR, false, UINT) \
	X(SCTLR2_EL1, 3, 0, 1, 0, 3, MSR, false, UINT) \
	X(CPACR_EL1, 3, 0, 1, 0, 2, MSR, false, UINT) \
	X(ZCR_EL1, 3, 0, 1, 2, 0, MSR, false, UINT) \
	X(ESR_EL1, 3, 0, 5, 2, 0, MSR, false, ARM64_ESR) \
	X(FAR_EL1, 3, 0, 6, 0, 0, MSR, false, DATA_PTR) \
	X(ELR_EL1, 3, 0, 4, 0, 1, MSR, false, CODE_PTR) \
	X(SPSR_EL1, 3, 0, 4, 0, 0, MSR, false, ARM64_SPSR) \
	X(PAR_EL1, 3, 0, 7, 4, 0, MSR, false, UINT) \
	X(AFSR0_EL1, 3, 0, 5, 1, 0, MSR, false, UINT) \
	X(AFSR1_EL1, 3, 0, 5, 1, 1, MSR, false, UINT) \
	X(AMAIR_EL1, 3, 0, 10, 3, 0, MSR, false, UINT) \
	X(DISR_EL1, 3, 0, 12, 1, 1, MSR, false, UINT) \
	X(CONTEXTIDR_EL1, 3, 0, 13, 0, 1, MSR, false, UINT) \
	X(TPIDR_EL1, 3, 0, 13, 0, 4, MSR, false, DATA_PTR) \
	X(TPIDRRO_EL0, 3, 3, 13, 0, 3, MSR, false, DATA_PTR) \
	X(CSSELR_EL1, 3, 2, 0, 0, 0, MSR, false, UINT) \
	X(POR_EL1, 3, 0, 10, 2, 4, MSR, false, UINT) \
	X(POR_EL0, 3, 3, 10, 2, 4, MSR, false, UINT) \
	X(RGSR_EL1, 3, 0, 1, 0, 5, MSR, false, UINT) \
	X(GCR_EL1, 3, 0, 1, 0, 6, MSR, false, UINT) \
	X(TFSR_EL1, 3, 0, 5, 6, 0, MSR, false, UINT) \
	X(TFSRE0_EL1, 3, 0, 5, 6, 1, MSR, false, UINT) \
	X(CNTKCTL_EL1, 3, 0, 14, 1, 0, MSR, false, UINT) \
	X(CNTFRQ_EL0, 3, 3, 14, 0, 0, MSR, true, UINT) \
	X(CNTVCT_EL0, 3, 3, 14, 0, 2, MSR, true, UINT) \
	X(CNTV_CTL_EL0, 3, 3, 14, 3, 1, MSR, false, UINT) \
	X(CNTV_CVAL_EL0, 3, 3, 14, 3, 2, MSR, false, UINT) \
	X(CNTP_CTL_EL0, 3, 3, 14, 2, 1, MSR, false, UINT) \
	X(CNTP_CVAL_EL0, 3, 3, 14, 2, 2, MSR, false, UINT) \
	X(APIAKeyLo_EL1, 3, 0, 2, 1, 0, MSR, false, UINT) \
	X(APIAKeyHi_EL1, 3, 0, 2, 1, 1, MSR, false, UINT) \
	X(APIBKeyLo_EL1, 3, 0, 2, 1, 2, MSR, false, UINT) \
	X(APIBKeyHi_EL1, 3, 0, 2, 1, 3, MSR, false, UINT) \
	X(APDAKeyLo_EL1, 3, 0, 2, 2, 0, MSR, false, UINT) \
	X(APDAKeyHi_EL1, 3, 0, 2, 2, 1, MSR, false, UINT) \
	X(APDBKeyLo_EL1, 3, 0, 2, 2, 2, MSR, false, UINT) \
	X(APDBKeyHi_EL1, 3, 0, 2, 2, 3, MSR, false, UINT) \
	X(APGAKeyLo_EL1, 3, 0, 2, 3, 0, MSR, false, UINT) \
	X(APGAKeyHi_EL1, 3, 0, 2, 3, 1, MSR, false, UINT) \
	/* the guest's own debugging, apart from the breakpoint and watchpoint registers */ \
	X(MDSCR_EL1, 2, 0, 0, 2, 2, DEBUG, false, ARM64_MDSCR) \
	X(OSLSR_EL1, 2, 0, 1, 1, 4, DEBUG, true, UINT) \
	/* what the processor is */ \
	X(MIDR_EL1, 3, 0, 0, 0, 0, MSR, true, UINT) \
	X(MPIDR_EL1, 3, 0, 0, 0, 5, MSR, true, UINT) \
	X(REVIDR_EL1, 3, 0, 0, 0, 6, MSR, true, UINT) \
	X(CTR_EL0, 3, 3, 0, 0, 1, MSR, true, UINT) \
	X(CLIDR_EL1, 3, 1, 0, 0, 1, MSR, true, UINT) \
	X(DCZID_EL0, 3, 3, 0, 0, 7, MSR, true, UINT) \
	X(ID_AA64PFR0_EL1, 3, 0, 0, 4, 0, MSR, true, UINT) \
	X(ID_AA64PFR1_EL1, 3, 0, 0, 4, 1, MSR, true, UINT) \
	X(ID_AA64ZFR0_EL1, 3, 0, 0, 4, 4, MSR, true, UINT) \
	X(ID_AA64DFR0_EL1, 3, 0, 0, 5, 0, MSR, true, UINT) \
	X(ID_AA64DFR1_EL1, 3, 0, 0, 5, 1, MSR, true, UINT) \
	X(ID_AA64ISAR0_EL1, 3, 0, 0, 6, 0, MSR, true, UINT) \
	X(ID_AA64ISAR1_EL1, 3, 0, 0, 6, 1, SYS, true, UINT) \
	X(ID_AA64ISAR2_EL1, 3, 0, 0, 6, 2, SYS, true, UINT) \
	X(ID_AA64MMFR0_EL1, 3, 0, 0, 7, 0, SYS, true, UINT) \
	X(ID_AA64MMFR1_EL1, 3, 0, 0, 7, 1, SYS, true, UINT) \
	X(ID_AA64MMFR2_EL1, 3, 0, 0, 7, 2, SYS, true, UINT) \
	X(ID_AA64MMFR3_EL1, 3, 0, 0, 7, 3, SYS, true, UINT)

/* In a feature of GDB's, by a name of its own. */
#define ARM64_TLS_LIST(X) X(TPIDR_EL0, 3, 3, 13, 0, 2, MSR, false, DATA_PTR)

/* Of a guest that has EL2. */
#define ARM64_EL2_LIST(X) \
	X(HCR_EL2, 3, 4, 1, 1, 0, SYS, false, ARM64_HCR) \
	X(SCTLR_EL2, 3, 4, 1, 0, 0, SYS, false, ARM64_SCTLR) \
	X(TCR_EL2, 3, 4, 2, 0, 2, SYS, false, UINT) \
	X(TCR2_EL2, 3, 4, 2, 0, 3, SYS, false, UINT) \
	X(TTBR0_EL2, 3, 4, 2, 0, 0, SYS, false, ARM64_TTBR) \
	X(TTBR1_EL2, 3, 4, 2, 0, 1, SYS, false, ARM64_TTBR) \
	X(MAIR_EL2, 3, 4, 10, 2, 0, SYS, false, UINT) \
	X(PIR_EL2, 3, 4, 10, 2, 3, SYS, false, UINT) \
	X(PIRE0_EL2, 3, 4, 10, 2, 2, SYS, false, UINT) \
	X(VBAR_EL2, 3, 4, 12, 0, 0, SYS, false, CODE_PTR) \
	X(VTTBR_EL2, 3, 4, 2, 1, 0, SYS, false, ARM64_VTTBR) \
	X(VTCR_EL2, 3, 4, 2, 1, 2, SYS, false, ARM64_VTCR) \
	X(ACTLR_EL2, 3, 4, 1, 0, 1, MSR, false, UINT) \
	X(HCRX_EL2, 3, 4, 1, 2, 2, MSR, false, UINT) \
	X(MDCR_EL2, 3, 4, 1, 1, 1, MSR, false, UINT) \
	X(CPTR_EL2, 3, 4, 1, 1, 2, MSR, false, UINT) \
	X(HSTR_EL2, 3, 4, 1, 1, 3, MSR, false, UINT) \
	X(ZCR_EL2, 3, 4, 1, 2, 0, MSR, false, UINT) \
	X(ESR_EL2, 3, 4, 5, 2, 0, MSR, false, ARM64_ESR) \
	X(FAR_EL2, 3, 4, 6, 0, 0, MSR, false, DATA_PTR) \
	X(HPFAR_EL2, 3, 4, 6, 0, 4, MSR, false, UINT) \
	X(ELR_EL2, 3, 4, 4, 0, 1, MSR, false, CODE_PTR) \
	X(SPSR_EL2, 3, 4, 4, 0, 0, MSR, false, ARM64_SPSR) \
	X(AFSR0_EL2, 3, 4, 5, 1, 0, MSR, false, UINT) \
	X(AFSR1_EL2, 3, 4, 5, 1, 1, MSR, false, UINT) \
	X(AMAIR_EL2, 3, 4, 10, 3, 0, MSR, false, UINT) \
	X(CONTEXTIDR_EL2, 3, 4, 13, 0, 1, MSR, false, UINT) \
	X(TPIDR_EL2, 3, 4, 13, 0, 2, MSR, false, DATA_PTR) \
	X(VPIDR_EL2, 3, 4, 0, 0, 0, MSR, false, UINT) \
	X(VMPIDR_EL2, 3, 4, 0, 0, 5, MSR, false, UINT) \
	X(CNTHCTL_EL2, 3, 4, 14, 1, 0, MSR, false, UINT) \
	X(CNTVOFF_EL2, 3, 4, 14, 0, 3, MSR, false, UINT) \
	X(CNTHP_CTL_EL2, 3, 4, 14, 2, 1, MSR, false, UINT) \
	X(CNTHP_CVAL_EL2, 3, 4, 14, 2, 2, MSR, false, UINT) \
	X(CNTHV_CTL_EL2, 3, 4, 14, 3, 1, MSR, false, UINT) \
	X(CNTHV_CVAL_EL2, 3, 4, 14, 3, 2, MSR, false, UINT) \
	X(ICH_HCR_EL2, 3, 4, 12, 11, 0, MSR, false, UINT) \
	X(ICH_VTR_EL2, 3, 4, 12, 11, 1, MSR, true, UINT) \
	X(ICH_MISR_EL2, 3, 4, 12, 11, 2, MSR, true, UINT) \
	X(ICH_EISR_EL2, 3, 4, 12, 11, 3, MSR, true, UINT) \
	X(ICH_ELRSR_EL2, 3, 4, 12, 11, 5, MSR, true, UINT) \
	X(ICH_VMCR_EL2, 3, 4, 12, 11, 7, MSR, false, UINT) \
	X(ICH_LR0_EL2, 3, 4, 12, 12, 0, MSR, false, UINT) \
	X(ICH_LR1_EL2, 3, 4, 12, 12, 1, MSR, false, UINT) \
	X(ICH_LR2_EL2, 3, 4, 12, 12, 2, MSR, false, UINT) \
	X(ICH_LR3_EL2, 3, 4, 12, 12, 3, MSR, false, UINT) \
	X(ICH_LR4_EL2, 3, 4, 12, 12, 4, MSR, false, UINT) \
	X(ICH_LR5_EL2, 3, 4, 12, 12, 5, MSR, false, UINT) \
	X(ICH_LR6_EL2, 3, 4, 12, 12, 6, MSR, false, UINT) \
	X(ICH_LR7_EL2, 3, 4, 12, 12, 7, MSR, false, UINT) \
	X(ICH_LR8_EL2, 3, 4, 12, 13, 0, MSR, false, UINT) \
	X(ICH_LR9_EL2, 3, 4, 12, 13, 1, MSR, false, UINT) \
	X(ICH_LR10_EL2, 3, 4, 12, 13, 2, MSR, false, UINT) \
	X(ICH_LR11_EL2, 3, 4, 12, 13, 3, MSR, false, UINT) \
	X(ICH_LR12_EL2, 3, 4, 12, 13, 4, MSR, false, UINT) \
	X(ICH_LR13_EL2, 3, 4, 12, 13, 5, MSR, false, UINT) \
	X(ICH_LR14_EL2, 3, 4, 12, 13, 6, MSR, false, UINT) \
	X(ICH_LR15_EL2, 3, 4, 12, 13, 7, MSR, false, UINT)

#define ARM64_SYS_LIST(X) ARM64_EL1_LIST(X) ARM64_TLS_LIST(X) ARM64_EL2_LIST(X)
// clang-format on

#define ARM64_SYS_ENUM(name, ...) ARM64_##name,
enum arm64_sys { ARM64_SYS_LIST(ARM64_SYS_ENUM) ARM64_NSYS };
#undef ARM64_SYS_ENUM

struct arm64_sys_desc {
	const char *name;
	uint16_t encoding; /* of MRS and MSR: op0 << 14 | op1 << 11 | CRn << 7 | CRm << 3 | op2 */
	uint8_t group;     /* one enum arch_group */
	bool read_only;
};
extern const struct arm64_sys_desc arm64_sys_desc[ARM64_NSYS];

enum { ARM64_SP_EL0, ARM64_SP_EL1, ARM64_SP_EL2, ARM64_SP_EL3, ARM64_NSP };

enum { ARM64_MAX_VL = 256 /* bytes */, ARM64_MAX_DEBUG = 16 /* breakpoints, and as many watchpoints */ };

/* All of one vCPU's state that a debugger shows. */
struct arm64_regs {
	/* ARCH_CORE */
	uint64_t x[31], sp[ARM64_NSP], pc, pstate;
	uint8_t sp_absent; /* bit n: SP_ELn is not to be had */
	/* ARCH_SYS, beside those of sys[] */
	uint32_t vl; /* bytes of z[n] that there are, a power of two from 16; 0: no SVE */
	/* ARCH_FP */
	uint8_t z[32][ARM64_MAX_VL]; /* the low 16 bytes of z[n] are Vn */
	uint8_t p[16][ARM64_MAX_VL / 8], ffr[ARM64_MAX_VL / 8];
	uint32_t fpsr, fpcr;
	/* ARCH_DEBUG: the guest's own, not the debugger's */
	uint64_t dbgbvr[ARM64_MAX_DEBUG], dbgbcr[ARM64_MAX_DEBUG], dbgwvr[ARM64_MAX_DEBUG], dbgwcr[ARM64_MAX_DEBUG];
	uint8_t nbps, nwps; /* pairs that there are */
	/* each with the group that its arm64_sys_desc names: a backend fetches and stores only those of a group */
	uint64_t sys[ARM64_NSYS];
	uint64_t sys_absent[(ARM64_NSYS + 63) / 64]; /* bit per register: not to be had here */
};

static inline bool arm64_sys_has(const struct arm64_regs *r, enum arm64_sys reg)
{
	return !(r->sys_absent[reg / 64] >> reg % 64 & 1);
}

static inline void arm64_sys_set_absent(struct arm64_regs *r, enum arm64_sys reg, bool absent)
{
	uint64_t bit = UINT64_C(1) << reg % 64;

	r->sys_absent[reg / 64] = absent ? r->sys_absent[reg / 64] | bit : r->sys_absent[reg / 64] & ~bit;
}

/* PSTATE in the layout of SPSR_ELx. */
enum {
	ARM64_PSTATE_SP = 1 << 0, /* SP_ELx is in use at ELx, not SP_EL0 */
	ARM64_PSTATE_EL_SHIFT = 2,
	ARM64_PSTATE_EL = 3 << 2,
	ARM64_PSTATE_NRW = 1 << 4,    /* AArch32; bits 3:0 are its mode */
	ARM64_PSTATE_A32_MODE = 0x1f, /* with nRW */
	ARM64_PSTATE_A32_THUMB = 1 << 5,
	ARM64_PSTATE_F = 1 << 6,
	ARM64_PSTATE_I = 1 << 7,
	ARM64_PSTATE_A = 1 << 8,
	ARM64_PSTATE_D = 1 << 9,
	ARM64_PSTATE_DAIF = 0xf << 6,
	ARM64_PSTATE_IL = 1 << 20,
	ARM64_PSTATE_SS = 1 << 21,
	ARM64_PSTATE_PAN = 1 << 22,
};

#define ARM64_HCR_TGE (UINT64_C(1) << 27)
#define ARM64_HCR_E2H (UINT64_C(1) << 34)

#endif
