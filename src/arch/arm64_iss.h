/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef ARCH_ARM64_ISS_H
#define ARCH_ARM64_ISS_H

#include "arch/arm64_fields.h"

/* The instruction specific syndrome of a class of exceptions: bits 24:0 of ESR_ELx, and ISS2 in 55:32. */
struct arm64_iss {
	const struct arm64_field *fields;
	unsigned n;
	void (*brief)(uint64_t esr, struct strbuf *out); /* what matters, as part of one line; NULL: nothing to say */
};

#define ARM64_ISS(table, brief_fn)                                                      \
	{                                                                               \
		.fields = (table), .n = (unsigned)ARRAY_LEN(table), .brief = (brief_fn) \
	}

/* Aborts and debug exceptions: arm64_iss_abort.c */
extern const struct arm64_iss arm64_iss_data_abort, arm64_iss_insn_abort, arm64_iss_granule, arm64_iss_serror,
	arm64_iss_breakpoint, arm64_iss_step, arm64_iss_watchpoint;

/* Trapped accesses to registers: arm64_iss_sys.c */
extern const struct arm64_iss arm64_iss_sys, arm64_iss_sys128, arm64_iss_cp15, arm64_iss_cp15_pair, arm64_iss_cp14,
	arm64_iss_cp14_pair, arm64_iss_ldc, arm64_iss_vmrs;

/* What other instructions did: arm64_iss_insn.c */
extern const struct arm64_iss arm64_iss_wfx, arm64_iss_call, arm64_iss_smc32, arm64_iss_brk, arm64_iss_bkpt,
	arm64_iss_fp, arm64_iss_fp_exception, arm64_iss_pac_fail, arm64_iss_bti, arm64_iss_eret, arm64_iss_sme,
	arm64_iss_ls64, arm64_iss_tstart, arm64_iss_mops, arm64_iss_gcs;

/* The condition of an instruction trapped from AArch32; always there, for AArch64 it says AL. */
extern const char *const arm64_condition[16];
#define ARM64_CONDITION_FIELDS                                               \
	{ "CV", 24, 24, ARM64_WORDS("COND is not valid", "COND is valid") }, \
	{                                                                    \
		"COND", 23, 20, .words = arm64_condition, .nwords = 16       \
	}

/** arm64_x_text() - the name of general register @value, as it is in an instruction. */
void arm64_x_text(uint64_t reg, uint64_t value, struct strbuf *out);

#endif
