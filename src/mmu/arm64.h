/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef MMU_ARM64_H
#define MMU_ARM64_H

#include "mmu/mmu.h"
#include "util/strbuf.h"

/* Translation regimes: Arm ARM, "The VMSAv8-64 translation regimes". */
enum mmu_arm64_regime {
	MMU_ARM64_EL10, /* EL1&0: two halves; registers of EL1 */
	MMU_ARM64_EL20, /* EL2&0, of a host with HCR_EL2.E2H set: the same with registers of EL2 */
	MMU_ARM64_EL2,  /* EL2 without E2H: one range from 0 on, another TCR */
	MMU_ARM64_EL3,  /* as EL2 */
};

/* Every feature of ID_AA64MMFR2_EL1 that the walkers know, for a vCPU that does not tell. */
#define MMU_ARM64_MMFR2_ANY 0x10010000ull

/* What decides a stage 1 translation: the registers of the regime. All zero is the reset state (stage 1 off). */
struct mmu_arm64_ctx {
	enum mmu_arm64_regime regime;
	uint64_t sctlr, tcr, ttbr0, ttbr1; /* ttbr1: only where there are two halves */
	uint64_t tcr2, pir, pire0;         /* TCR2_ELx, PIR_ELx, PIRE0_ELx; 0 where there are none */
	uint64_t mmfr0, mmfr2;             /* ID_AA64MMFRn_EL1; mmfr0 0: not known, so any feature may be there */
	uint64_t mair;                     /* only for the texts */
};

/**
 * mmu_arm64_walk() - translate the virtual address @at by stage 1.
 * @rd, @arg: reads page tables, in entries of 8 bytes; where a second stage is on, at intermediate addresses.
 * @out: written when 0 is returned.
 * Shape:   no access rights are checked, nor the access flag (a debugger reads what the guest may not); perm tells
 *          the rights. X: somebody may execute it, at EL0 or at the level of the regime. With E0PD, U is clear.
 *          A page is that of one entry, whatever its contiguous bit says: that is a hint for TLBs, and the other
 *          entries of the group may be wrong.
 *          Where the top byte is ignored, start has that of @at. With stage 1 off, the answer is identity for all of
 *          the physical addresses as one page.
 *          A granule that is reserved counts as 4K. A size out of bounds faults; some processors limit it instead.
 *          128-bit entries (FEAT_D128) are not known: MMU_BAD_CONFIG.
 * Thread:  any; pure.
 * Returns: 0 for mapped and unmapped alike; the error of @rd if a table could not be read (@out untouched).
 * Source:  Arm ARM, "The AArch64 Virtual Memory System Architecture".
 */
int mmu_arm64_walk(const struct mmu_arm64_ctx *c, mmu_read_fn *rd, void *arg, gva at, struct mmu_xlat *out);

/**
 * mmu_arm64_canonical() - the same context without ignored bits: an address has one name only, those with a tag are a
 * hole. For going through all of an address space.
 */
struct mmu_arm64_ctx mmu_arm64_canonical(const struct mmu_arm64_ctx *c);

/** mmu_arm64_page_size() - the granule of the half that @at is in. */
uint64_t mmu_arm64_page_size(const struct mmu_arm64_ctx *c, gva at);

/* What decides a stage 2 translation, from intermediate to physical addresses. */
struct mmu_arm64_s2_ctx {
	uint64_t vtcr, vttbr;
	uint64_t mmfr0, mmfr2; /* as above */
	bool big_endian;       /* SCTLR_EL2.EE: its tables */
	bool fwb;              /* HCR_EL2.FWB: another meaning of MemAttr; only for the texts */
};

/**
 * mmu_arm64_s2_walk() - translate the intermediate physical address @ipa by stage 2.
 * @out:    start is an intermediate address. perm: R and W by S2AP; X: EL1 or EL0 may execute it; U is never set.
 * Else as mmu_arm64_walk().
 */
int mmu_arm64_s2_walk(const struct mmu_arm64_s2_ctx *c, mmu_read_fn *rd, void *arg, gpa ipa, struct mmu_xlat *out);

/**
 * mmu_arm64_nested_walk() - both stages: the tables of stage 1 are at intermediate addresses, and so is what they say.
 * @rd:     reads physical memory.
 * @out:    the entries are those of stage 1, at intermediate addresses; phys, size and perm are what both stages
 *          leave; MMU_STAGE2 where the second has no page. A stage 1 table that stage 2 does not map is -EFAULT.
 */
int mmu_arm64_nested_walk(const struct mmu_arm64_ctx *c, const struct mmu_arm64_s2_ctx *c2, mmu_read_fn *rd, void *arg,
			  gva at, struct mmu_xlat *out);

/**
 * mmu_arm64_range_text() - append a line about the tables for @at: regime, half, sizes, where they are.
 * mmu_arm64_entry_text() - append what entry @i of the walk @x for @at says, field by field; no end of line.
 * mmu_arm64_leaf_flags() - append four letters and a digit: G(lobal), A(ccessed), D(BM), C(ontiguous) or -; AttrIndx.
 */
void mmu_arm64_range_text(const struct mmu_arm64_ctx *c, gva at, struct strbuf *out);
void mmu_arm64_entry_text(const struct mmu_arm64_ctx *c, gva at, const struct mmu_xlat *x, unsigned i,
			  struct strbuf *out);
void mmu_arm64_leaf_flags(const struct mmu_xlat *x, struct strbuf *out);

/** mmu_arm64_s2_range_text(), mmu_arm64_s2_entry_text() - the same for stage 2. */
void mmu_arm64_s2_range_text(const struct mmu_arm64_s2_ctx *c, struct strbuf *out);
void mmu_arm64_s2_entry_text(const struct mmu_arm64_s2_ctx *c, const struct mmu_xlat *x, unsigned i,
			     struct strbuf *out);

#endif
