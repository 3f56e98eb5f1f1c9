/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef ARCH_ARM64_DECODE_H
#define ARCH_ARM64_DECODE_H

#include <stdbool.h>
#include <stdint.h>

#include "util/strbuf.h"

/*
 * Values of arm64 registers in words, for a person: a line that says the most, then a line for each field. Pure
 * functions of the value; every value has an answer.
 */

/** arm64_esr_text() - an exception syndrome. @name: what to call the register, such as "ESR_EL2". */
void arm64_esr_text(const char *name, uint64_t esr, struct strbuf *out);

/** arm64_esr_brief() - the first line of that only, without the name, the value and the end of the line. */
void arm64_esr_brief(uint64_t esr, struct strbuf *out);

/** arm64_spsr_text() - a saved program status, or PSTATE as GDB's cpsr has it. */
void arm64_spsr_text(const char *name, uint64_t spsr, struct strbuf *out);

/**
 * arm64_hpfar_text() - the intermediate physical address (IPA) of a stage 2 fault.
 * @esr: NULL when it is not known; with it comes a verdict whether HPFAR_EL2 says anything for this exception.
 */
void arm64_hpfar_text(uint64_t hpfar, uint64_t far, const uint64_t *esr, struct strbuf *out);

/**
 * arm64_lr_text() - the list registers of a virtual CPU interface, one row for each of @n, and how many are free.
 * @gicv2: GICH_LR<n> of a GICv2, 32 bits each, instead of ICH_LR<n>_EL2.
 */
void arm64_lr_text(const uint64_t *lr, unsigned n, bool gicv2, struct strbuf *out);

/* Where a descriptor was found: its meaning depends on that. */
struct arm64_pte_place {
	int level;          /* -1 to 3 */
	unsigned page_bits; /* of the granule: 12, 14 or 16 */
	bool stage2;
};

/** arm64_pte_place_valid() - do tables of this granule have this level? */
bool arm64_pte_place_valid(const struct arm64_pte_place *p);

/**
 * arm64_pte_text() - a descriptor of a translation table. For one whose registers are known (MAIR, FEAT_LPA2) the walk
 * tells more: mmu/arm64.h.
 * Needs:   a valid @p.
 */
void arm64_pte_text(const struct arm64_pte_place *p, uint64_t pte, struct strbuf *out);

#endif
