/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "mmu/x86.h"

#include "util/bytes.h"
#include "util/macros.h"

#define CR0_PG BIT64(31)
#define CR4_PSE BIT64(4)
#define CR4_PAE BIT64(5)
#define CR4_LA57 BIT64(12)
#define EFER_LONG (BIT64(8) | BIT64(10)) /* LME, LMA: with paging on, either implies the other */
#define EFER_NXE BIT64(11)

#define ENTRY_P BIT64(0)
#define ENTRY_W BIT64(1)
#define ENTRY_U BIT64(2)
#define ENTRY_PS BIT64(7) /* at the last level this is PAT, and no size bit */
#define ENTRY_NX BIT64(63)

#define PAGE_SHIFT 12
#define LARGE_PAT_BIT 12 /* between it and the frame, all bits of a large page are reserved */
#define PSE36_LOW 13     /* where bits 32 and up of a 4 MiB frame sit */
#define PSE36_PHYS_BITS 40

#define ALL_PERM (MMU_R | MMU_W | MMU_X | MMU_U)

/* Bits lo to hi-1; hi < 64. */
#define MASK(lo, hi) (BIT64(hi) - BIT64(lo))

struct level {
	uint8_t shift, bits; /* of the linear address, to index the table */
	bool large;          /* ENTRY_PS ends the walk here */
	bool loaded; /* a PDPTE of PAE: no U, W, NX; checked when CR3 was loaded, so memory may say what it likes */
	uint64_t reserved; /* bits that must be 0 whatever the entry is */
};

/* A paging mode: its levels, top first, and what its entries look like. */
struct paging {
	uint8_t va_bits, entry_size;
	uint8_t frame_end; /* address bits of an entry end here */
	uint8_t high_end;  /* bits from MAXPHYADDR to here are reserved */
	uint64_t root;     /* address bits of CR3 */
	struct level level[MMU_MAX_LEVELS];
};

// clang-format off
#define LEVELS_4                                                                                   \
	{ .shift = 39, .bits = 9, .reserved = ENTRY_PS },                                          \
	{ .shift = 30, .bits = 9, .large = true },                                                 \
	{ .shift = 21, .bits = 9, .large = true },                                                 \
	{ .shift = PAGE_SHIFT, .bits = 9 }

static const struct paging modes[] = {
	[MMU_X86_FLAT] = { .va_bits = 32 },
	[MMU_X86_32BIT] = {
		.va_bits = 32, .entry_size = 4,
		.frame_end = 32, .root = MASK(12, 32),
		.level = {
			{ .shift = 22, .bits = 10, .large = true },
			{ .shift = PAGE_SHIFT, .bits = 10 },
		},
	},
	[MMU_X86_PAE] = {
		.va_bits = 32, .entry_size = 8,
		.frame_end = 52, .high_end = 63, .root = MASK(5, 32),
		.level = {
			{ .shift = 30, .bits = 2, .loaded = true },
			{ .shift = 21, .bits = 9, .large = true },
			{ .shift = PAGE_SHIFT, .bits = 9 },
		},
	},
	[MMU_X86_4LEVEL] = {
		.va_bits = 48, .entry_size = 8,
		.frame_end = 52, .high_end = 52, .root = MASK(12, 52),
		.level = { LEVELS_4 },
	},
	[MMU_X86_5LEVEL] = {
		.va_bits = 57, .entry_size = 8,
		.frame_end = 52, .high_end = 52, .root = MASK(12, 52),
		.level = { { .shift = 48, .bits = 9, .reserved = ENTRY_PS }, LEVELS_4 },
	},
};
// clang-format on

enum mmu_x86_mode mmu_x86_mode(const struct mmu_x86_ctx *c)
{
	if (!(c->cr0 & CR0_PG))
		return MMU_X86_FLAT;
	if (!(c->cr4 & CR4_PAE))
		return MMU_X86_32BIT;
	if (!(c->efer & EFER_LONG))
		return MMU_X86_PAE;
	return c->cr4 & CR4_LA57 ? MMU_X86_5LEVEL : MMU_X86_4LEVEL;
}

static unsigned phys_bits(const struct mmu_x86_ctx *c)
{
	return c->phys_bits ? MIN(c->phys_bits, 52) : 52;
}

/* The part of the address space that no table can describe; true if @at is in it. */
static bool in_gap(const struct paging *p, uint64_t at, struct mmu_xlat *x)
{
	bool sign_extended = p->va_bits > 32;
	uint64_t start = BIT64(sign_extended ? p->va_bits - 1 : p->va_bits);
	uint64_t size = sign_extended ? -2 * start : -start;

	if (at < start || at - start >= size)
		return false;
	x->start = GVA(start);
	x->size = size;
	x->why = sign_extended ? MMU_NON_CANONICAL : MMU_OUT_OF_RANGE;
	return true;
}

static bool is_leaf(const struct mmu_x86_ctx *c, const struct paging *p, const struct level *l, uint64_t entry)
{
	if (l->shift == PAGE_SHIFT)
		return true;
	// Long and PAE modes have large pages whatever CR4.PSE says; without it, 32-bit mode ignores the bit.
	return l->large && (entry & ENTRY_PS) && (p->entry_size == 8 || (c->cr4 & CR4_PSE));
}

static uint64_t reserved_bits(const struct mmu_x86_ctx *c, const struct paging *p, const struct level *l, bool leaf)
{
	uint64_t mask = l->reserved;
	bool large = leaf && l->shift > PAGE_SHIFT;

	if (p->entry_size == 4) {
		unsigned upper = MIN(phys_bits(c), PSE36_PHYS_BITS) - 32;
		return large ? MASK(PSE36_LOW + upper, l->shift) : 0;
	}
	if (l->loaded)
		return 0;
	mask |= MASK(phys_bits(c), p->high_end);
	if (!(c->efer & EFER_NXE))
		mask |= ENTRY_NX;
	if (large)
		mask |= MASK(LARGE_PAT_BIT + 1, l->shift);
	return mask;
}

static gpa leaf_frame(const struct paging *p, const struct level *l, uint64_t entry)
{
	uint64_t frame = entry & MASK(l->shift, p->frame_end);

	if (p->entry_size == 4 && l->shift > PAGE_SHIFT)
		frame |= (entry >> PSE36_LOW & MASK(0, PSE36_PHYS_BITS - 32)) << 32;
	return GPA(frame);
}

static uint8_t entry_perm(const struct level *l, uint64_t entry)
{
	if (l->loaded)
		return ALL_PERM;
	return MMU_R | (entry & ENTRY_W ? MMU_W : 0) | (entry & ENTRY_U ? MMU_U : 0) | (entry & ENTRY_NX ? 0 : MMU_X);
}

/* Reads the entry for @at in the table at @table and notes it in @x. */
static int read_entry(const struct paging *p, const struct level *l, mmu_read_fn *rd, void *arg, uint64_t table,
		      uint64_t at, struct mmu_xlat *x)
{
	uint8_t raw[8] = { 0 };
	gpa where = GPA(table + (at >> l->shift & MASK(0, l->bits)) * p->entry_size);
	int rc = rd(arg, where, raw, p->entry_size);

	if (rc < 0)
		return rc;
	x->entry_at[x->nlevels] = where;
	x->entry[x->nlevels++] = ld_le64(raw);
	return 0;
}

static enum mmu_why judge(const struct mmu_x86_ctx *c, const struct paging *p, const struct level *l, uint64_t entry,
			  bool leaf)
{
	if (!(entry & ENTRY_P))
		return MMU_NOT_PRESENT;
	return entry & reserved_bits(c, p, l, leaf) ? MMU_RESERVED_BIT : MMU_MAPPED;
}

static int walk_tables(const struct mmu_x86_ctx *c, const struct paging *p, mmu_read_fn *rd, void *arg, uint64_t at,
		       struct mmu_xlat *x)
{
	uint64_t table = c->cr3 & p->root;
	uint8_t perm = ALL_PERM;

	for (const struct level *l = p->level;; l++) {
		int rc = read_entry(p, l, rd, arg, table, at, x);
		if (rc < 0)
			return rc;
		uint64_t entry = x->entry[x->nlevels - 1];
		bool leaf = is_leaf(c, p, l, entry);

		x->size = BIT64(l->shift);
		x->start = GVA(at & -x->size);
		x->why = judge(c, p, l, entry, leaf);
		if (x->why != MMU_MAPPED)
			return 0;
		perm &= entry_perm(l, entry);
		if (leaf) {
			x->mapped = true;
			x->phys = leaf_frame(p, l, entry);
			x->perm = perm;
			return 0;
		}
		table = entry & MASK(PAGE_SHIFT, p->frame_end);
	}
}

int mmu_x86_walk(const struct mmu_x86_ctx *c, mmu_read_fn *rd, void *arg, gva at, struct mmu_xlat *out)
{
	enum mmu_x86_mode mode = mmu_x86_mode(c);
	const struct paging *p = &modes[mode];
	struct mmu_xlat x = { .top_level = 1 };

	if (in_gap(p, at.raw, &x)) {
		*out = x;
		return 0;
	}
	if (mode == MMU_X86_FLAT) {
		*out = (struct mmu_xlat){ .size = BIT64(p->va_bits), .mapped = true, .perm = ALL_PERM };
		return 0;
	}
	int rc = walk_tables(c, p, rd, arg, at.raw, &x);
	if (rc < 0)
		return rc;
	*out = x;
	return 0;
}
