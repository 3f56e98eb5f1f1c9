/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef MMU_ARM64_TABLES_H
#define MMU_ARM64_TABLES_H

#include "mmu/arm64.h"
#include "util/macros.h"

/* Within the room: what the tables of both stages have in common. */

/* Bits lo to hi-1; hi < 64. */
#define MASK(lo, hi) (BIT64(hi) - BIT64(lo))

enum { ARM64_LAST_LEVEL = 3, ARM64_ADDRESS_BITS = 52 };

/* Where an entry has bits 48 and up of an address: Arm ARM, "Translation table descriptor formats". */
enum arm64_high {
	ARM64_HIGH_NONE,
	ARM64_HIGH_LPA,  /* 64K granule, FEAT_LPA: 51:48 in bits 15:12 */
	ARM64_HIGH_LPA2, /* 4K and 16K, FEAT_LPA2: 51:50 in bits 9:8, 49:48 in place */
};

/* The tables of one range of addresses. */
struct arm64_tables {
	uint8_t page_bits; /* 12, 14, 16 */
	uint8_t in_bits;   /* of an input address; the tables of the first level have what is left, up to 16 tables */
	uint8_t out_bits;  /* of an output address: more of them is a fault */
	int8_t top;        /* level of the first lookup, -1 to 3 */
	enum arm64_high high;
	bool big_endian;
	uint64_t root;
};

/** arm64_granule_bits() - by the TG0 field of a TCR, or TG1, which counts differently. */
uint8_t arm64_granule_bits(unsigned tg, bool upper);

/** arm64_tables_size() - fill in @high and out_bits: @ps is the size field of the TCR, @ds its bit for FEAT_LPA2. */
void arm64_tables_size(struct arm64_tables *t, uint64_t mmfr0, unsigned ps, bool ds);

/** arm64_in_bits() - the input size that a TxSZ field gives; 0 if it is out of bounds. Needs page_bits and high. */
uint8_t arm64_in_bits(const struct arm64_tables *t, unsigned txsz, uint64_t mmfr0, uint64_t mmfr2);

/** arm64_phys_bits() - physical addresses of the machine. */
unsigned arm64_phys_bits(uint64_t mmfr0);

/** arm64_shift() - the bits of an address below what indexes a table of @level. */
static inline unsigned arm64_shift(const struct arm64_tables *t, int level)
{
	return t->page_bits + (unsigned)(ARM64_LAST_LEVEL - level) * (t->page_bits - 3u);
}

/** arm64_tables_root() - set the root from a TTBR; all else of @t must be there. */
void arm64_tables_root(struct arm64_tables *t, uint64_t ttbr);

/** arm64_entry_address() - the address in an entry, down to bit @low. */
uint64_t arm64_entry_address(const struct arm64_tables *t, uint64_t entry, unsigned low);

/** arm64_is_leaf() - does a valid @entry of @level end the walk? */
bool arm64_is_leaf(int level, uint64_t entry);

/** arm64_entry_judge() - can the processor use @entry? MMU_MAPPED: yes, be it a table or a page. */
enum mmu_why arm64_entry_judge(const struct arm64_tables *t, int level, uint64_t entry);

/** arm64_stage1_tables() - those for the half that @at is in. False if stage 1 is off or the registers are no good. */
bool arm64_stage1_tables(const struct mmu_arm64_ctx *c, gva at, struct arm64_tables *t);

/** arm64_stage2_tables() - false if the registers do not go together. */
bool arm64_stage2_tables(const struct mmu_arm64_s2_ctx *c, struct arm64_tables *t);

/** arm64_has_two_halves() - of the regime. */
static inline bool arm64_has_two_halves(const struct mmu_arm64_ctx *c)
{
	return c->regime == MMU_ARM64_EL10 || c->regime == MMU_ARM64_EL20;
}

/**
 * arm64_tables_walk() - follow the tables for @at, of which the low in_bits count. In @x all but perm is set; its
 * fields must be zero before.
 */
int arm64_tables_walk(const struct arm64_tables *t, mmu_read_fn *rd, void *arg, uint64_t at, struct mmu_xlat *x);

#endif
