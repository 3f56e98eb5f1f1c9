/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "mmu/arm64_tables.h"

#include "util/bytes.h"

#define ENTRY_VALID BIT64(0)
#define ENTRY_TABLE BIT64(1) /* at the last level: a page; without it there is no entry of that level */

#define MIN_TXSZ 16
#define MIN_TXSZ_52 12
#define MAX_TXSZ 39
#define MAX_TXSZ_SMALL 48 /* FEAT_TTST; one less with the 64K granule */

/* ID_AA64MMFR0_EL1 and ID_AA64MMFR2_EL1 */
#define MMFR0_PARANGE(v) ((v)&15)
#define MMFR0_TGRAN16(v) ((v) >> 20 & 15)
#define MMFR0_TGRAN4(v) ((v) >> 28 & 15)
#define MMFR2_VARANGE(v) ((v) >> 16 & 15)
#define MMFR2_ST(v) ((v) >> 28 & 15)
enum { TGRAN4_52BIT = 1, TGRAN16_52BIT = 2, TGRAN_NONE = 15 };

uint8_t arm64_granule_bits(unsigned tg, bool upper)
{
	static const uint8_t bits[2][4] = { { 12, 16, 14, 12 }, { 12, 14, 12, 16 } };

	return bits[upper][tg & 3];
}

/* The encoding of physical sizes, in TCR and ID registers alike. */
static unsigned size_bits(unsigned field)
{
	static const uint8_t bits[] = { 32, 36, 40, 42, 44, 48, 52 };

	return field < ARRAY_LEN(bits) ? bits[field] : ARM64_ADDRESS_BITS;
}

unsigned arm64_phys_bits(uint64_t mmfr0)
{
	return mmfr0 ? size_bits(MMFR0_PARANGE(mmfr0)) : ARM64_ADDRESS_BITS;
}

/* FEAT_LPA2 is there or not for each granule. */
static bool has_lpa2(unsigned page_bits, uint64_t mmfr0)
{
	unsigned gran = page_bits == 12 ? MMFR0_TGRAN4(mmfr0) : MMFR0_TGRAN16(mmfr0);

	if (!mmfr0)
		return true;
	return gran >= (page_bits == 12 ? TGRAN4_52BIT : TGRAN16_52BIT) && gran != TGRAN_NONE;
}

void arm64_tables_size(struct arm64_tables *t, uint64_t mmfr0, unsigned ps, bool ds)
{
	unsigned phys = arm64_phys_bits(mmfr0);
	unsigned out = MIN(size_bits(ps), phys);

	if (t->page_bits == 16)
		t->high = phys == ARM64_ADDRESS_BITS ? ARM64_HIGH_LPA : ARM64_HIGH_NONE;
	else
		t->high = ds && has_lpa2(t->page_bits, mmfr0) ? ARM64_HIGH_LPA2 : ARM64_HIGH_NONE;
	t->out_bits = (uint8_t)(t->high == ARM64_HIGH_NONE ? MIN(out, 48) : out);
}

uint8_t arm64_in_bits(const struct arm64_tables *t, unsigned txsz, uint64_t mmfr0, uint64_t mmfr2)
{
	bool large = t->page_bits == 16 ? !mmfr0 || MMFR2_VARANGE(mmfr2) : t->high == ARM64_HIGH_LPA2;
	bool small = !mmfr0 || MMFR2_ST(mmfr2);
	unsigned max = small ? MAX_TXSZ_SMALL - (t->page_bits == 16) : MAX_TXSZ;

	if (txsz < (large ? MIN_TXSZ_52 : MIN_TXSZ) || txsz > max)
		return 0;
	return (uint8_t)(64 - txsz);
}

/* "Translation table base address register": aligned to the size of the table, and to 64 bytes with 52-bit addresses.
 */
void arm64_tables_root(struct arm64_tables *t, uint64_t ttbr)
{
	unsigned table_bits = t->in_bits - arm64_shift(t, t->top) + 3;
	bool wide = t->high == ARM64_HIGH_LPA2 || (t->high == ARM64_HIGH_LPA && t->out_bits == ARM64_ADDRESS_BITS);

	if (wide)
		table_bits = MAX(table_bits, 6);
	t->root = ttbr & MASK(table_bits, 48);
	if (wide)
		t->root |= (ttbr >> 2 & 15) << 48;
}

uint64_t arm64_entry_address(const struct arm64_tables *t, uint64_t entry, unsigned low)
{
	uint64_t address = entry & MASK(low, 48);

	switch (t->high) {
	case ARM64_HIGH_NONE:
		break;
	case ARM64_HIGH_LPA:
		address |= (entry >> 12 & 15) << 48;
		break;
	case ARM64_HIGH_LPA2:
		address |= (entry & MASK(48, 50)) | (entry >> 8 & 3) << 50;
		break;
	}
	return address;
}

/* "Translation table descriptor formats": where a block may be. */
static bool block_at(const struct arm64_tables *t, int level)
{
	static const struct {
		uint8_t page_bits;
		int8_t top, top_52; /* the uppermost level with blocks, without and with 52-bit addresses */
	} allowed[] = { { 12, 1, 0 }, { 14, 2, 1 }, { 16, 2, 1 } };

	for (size_t i = 0; i < ARRAY_LEN(allowed); i++)
		if (allowed[i].page_bits == t->page_bits)
			return level >= (t->high == ARM64_HIGH_NONE ? allowed[i].top : allowed[i].top_52);
	return false;
}

bool arm64_is_leaf(int level, uint64_t entry)
{
	return level == ARM64_LAST_LEVEL || !(entry & ENTRY_TABLE);
}

enum mmu_why arm64_entry_judge(const struct arm64_tables *t, int level, uint64_t entry)
{
	if (!(entry & ENTRY_VALID))
		return MMU_NOT_PRESENT;
	if (!(entry & ENTRY_TABLE) && (level == ARM64_LAST_LEVEL || !block_at(t, level)))
		return MMU_RESERVED_BIT;
	if (arm64_entry_address(t, entry, arm64_is_leaf(level, entry) ? arm64_shift(t, level) : t->page_bits) >>
	    t->out_bits)
		return MMU_ADDRESS_SIZE;
	return MMU_MAPPED;
}

static int read_entry(const struct arm64_tables *t, mmu_read_fn *rd, void *arg, uint64_t where, struct mmu_xlat *x)
{
	uint8_t raw[8];
	int rc = rd(arg, GPA(where), raw, sizeof(raw));

	if (rc < 0)
		return rc;
	x->entry_at[x->nlevels] = GPA(where);
	x->entry[x->nlevels++] = t->big_endian ? __builtin_bswap64(ld_le64(raw)) : ld_le64(raw);
	return 0;
}

int arm64_tables_walk(const struct arm64_tables *t, mmu_read_fn *rd, void *arg, uint64_t at, struct mmu_xlat *x)
{
	uint64_t table = t->root, left = at & MASK(0, t->in_bits);

	x->top_level = t->top;
	if (table >> t->out_bits) {
		x->start = GVA(at & -BIT64(t->in_bits));
		x->size = BIT64(t->in_bits);
		x->why = MMU_ADDRESS_SIZE;
		return 0;
	}
	for (int level = t->top;; level++) {
		unsigned shift = arm64_shift(t, level);
		int rc = read_entry(t, rd, arg, table + (left >> shift) * 8, x);
		if (rc < 0)
			return rc;
		uint64_t entry = x->entry[x->nlevels - 1];

		x->size = BIT64(shift);
		x->start = GVA(at & -x->size);
		x->why = arm64_entry_judge(t, level, entry);
		if (x->why != MMU_MAPPED)
			return 0;
		if (arm64_is_leaf(level, entry)) {
			x->mapped = true;
			x->phys = GPA(arm64_entry_address(t, entry, shift));
			return 0;
		}
		table = arm64_entry_address(t, entry, t->page_bits);
		left &= MASK(0, shift);
	}
}
