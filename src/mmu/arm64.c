/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "mmu/arm64.h"

#include "mmu/arm64_tables.h"

#define SCTLR_M BIT64(0)
#define SCTLR_WXN BIT64(19)
#define SCTLR_EE BIT64(25) /* tables and data are big-endian */
#define TCR2_PIE BIT64(1)
#define TCR2_D128 BIT64(5)

/* Leaf and table entries of stage 1. */
#define ENTRY_USER BIT64(6)     /* AP[1] */
#define ENTRY_READONLY BIT64(7) /* AP[2] */
#define ENTRY_PXN BIT64(53)
#define ENTRY_UXN BIT64(54) /* XN where there is no EL0 */
#define TABLE_PXN BIT64(59)
#define TABLE_UXN BIT64(60)
#define TABLE_NO_USER BIT64(61)  /* APTable[0] */
#define TABLE_READONLY BIT64(62) /* APTable[1] */

#define TAG_SHIFT 56
#define HALF_BIT 55 /* tells the halves apart, whatever is above it */

#define ALL_PERM (MMU_R | MMU_W | MMU_X | MMU_U)

/* Where a TCR has the fields of a half: Arm ARM, "TCR_EL1", "TCR_EL2". 0: there is none. */
struct tcr_format {
	uint8_t txsz, epd, tg, ps, tbi, hpd, e0pd, ds;
};

// clang-format off
static const struct tcr_format two_halves[] = {
	{ .txsz = 0,  .epd = 7,  .tg = 14, .ps = 32, .tbi = 37, .hpd = 41, .e0pd = 55, .ds = 59 },
	{ .txsz = 16, .epd = 23, .tg = 30, .ps = 32, .tbi = 38, .hpd = 42, .e0pd = 56, .ds = 59 },
};
static const struct tcr_format one_range = { .txsz = 0, .tg = 14, .ps = 16, .tbi = 20, .hpd = 24, .ds = 32 };
// clang-format on

/* One half of the address space, or all of it where there is one range. */
struct half {
	bool sane; /* the registers say what it is */
	bool off;
	bool tbi, hpd, e0pd;
	struct arm64_tables tables;
};

static bool flag(uint64_t reg, unsigned bit)
{
	return bit && (reg >> bit & 1);
}

/* Stage 1 off: an address is what it says, if there are so many physical bits; the tag is ignored all the same. */
static struct half flat_half(const struct mmu_arm64_ctx *c, bool upper, bool tbi)
{
	struct half h = { .sane = true, .tbi = tbi };

	h.tables.in_bits = upper ? 0 : (uint8_t)arm64_phys_bits(c->mmfr0);
	return h;
}

static struct half half_of(const struct mmu_arm64_ctx *c, bool upper)
{
	const struct tcr_format *f = arm64_has_two_halves(c) ? &two_halves[upper] : &one_range;
	struct half h = { .off = flag(c->tcr, f->epd), .tbi = flag(c->tcr, f->tbi) };
	struct arm64_tables *t = &h.tables;
	unsigned stride;

	if (!(c->sctlr & SCTLR_M))
		return flat_half(c, upper, h.tbi);
	h.hpd = flag(c->tcr, f->hpd);
	h.e0pd = flag(c->tcr, f->e0pd);
	t->page_bits = arm64_granule_bits(c->tcr >> f->tg & 3, upper);
	t->big_endian = c->sctlr & SCTLR_EE;
	arm64_tables_size(t, c->mmfr0, c->tcr >> f->ps & 7, c->tcr >> f->ds & 1);
	t->in_bits = arm64_in_bits(t, c->tcr >> f->txsz & 63, c->mmfr0, c->mmfr2);
	h.sane = t->in_bits && !(c->tcr2 & TCR2_D128);
	if (!h.sane)
		return h;
	stride = t->page_bits - 3u;
	t->top = (int8_t)(ARM64_LAST_LEVEL - (t->in_bits - 1 - t->page_bits) / (int)stride);
	arm64_tables_root(t, upper ? c->ttbr1 : c->ttbr0);
	return h;
}

static bool is_upper(const struct mmu_arm64_ctx *c, gva at)
{
	return arm64_has_two_halves(c) && (at.raw >> HALF_BIT & 1);
}

bool arm64_stage1_tables(const struct mmu_arm64_ctx *c, gva at, struct arm64_tables *t)
{
	struct half h = half_of(c, is_upper(c, at));

	*t = h.tables;
	return h.sane && (c->sctlr & SCTLR_M);
}

/* ---- what no table describes ---- */

static uint64_t described(const struct half *h)
{
	return h->tables.in_bits ? BIT64(h->tables.in_bits) : 0;
}

static bool hole(struct mmu_xlat *x, enum mmu_why why, uint64_t start, uint64_t size)
{
	x->start = GVA(start);
	x->size = size;
	x->why = why;
	return true;
}

/* Without tags in either half what lies between them is one gap. */
static bool in_middle(const struct half *lower, const struct half *upper, enum mmu_why why, uint64_t at,
		      struct mmu_xlat *x)
{
	uint64_t start = described(lower), size = -described(upper) - start;

	return at - start < size && hole(x, why, start, size);
}

/* With tags, each value of the top byte has a gap, and in a half without them most values are wrong. */
static bool in_tagged_gap(const struct half *h, bool upper, enum mmu_why why, uint64_t at, struct mmu_xlat *x)
{
	uint64_t half_size = BIT64(HALF_BIT), block = at & -half_size, size = half_size - described(h);

	if (!h->tbi && at >> TAG_SHIFT != (upper ? 0xff : 0))
		return hole(x, why, block, half_size);
	if (upper)
		return at - block < size && hole(x, why, block, size);
	return at - block >= described(h) && hole(x, why, block + described(h), size);
}

/* One range from 0: bit 55 is as good as any other. */
static bool beyond_range(const struct half *h, uint64_t at, struct mmu_xlat *x)
{
	uint64_t base = h->tbi ? at & -BIT64(TAG_SHIFT) : 0, size = (h->tbi ? BIT64(TAG_SHIFT) : 0) - described(h);

	return at - base >= described(h) && hole(x, MMU_OUT_OF_RANGE, base + described(h), size);
}

static bool in_gap(const struct mmu_arm64_ctx *c, const struct half *h, bool upper, uint64_t at, struct mmu_xlat *x)
{
	enum mmu_why why = c->sctlr & SCTLR_M ? MMU_NON_CANONICAL : MMU_OUT_OF_RANGE;
	struct half other;

	// A half that is off may well have a size of nonsense: firmware sets EPD1 and leaves T1SZ alone.
	if (!h->sane)
		return hole(x, h->off ? MMU_WALK_OFF : MMU_BAD_CONFIG, at & -BIT64(HALF_BIT), BIT64(HALF_BIT));
	if (!arm64_has_two_halves(c))
		return beyond_range(h, at, x);
	other = half_of(c, !upper);
	if (other.sane && !h->tbi && !other.tbi)
		return in_middle(upper ? &other : h, upper ? h : &other, why, at, x);
	return in_tagged_gap(h, upper, why, at, x);
}

/* ---- rights ---- */

/* "Data access permissions", "Hierarchical control of data access permissions", and the same for instructions. */
static uint8_t direct_perm(const struct mmu_arm64_ctx *c, const struct half *h, const struct mmu_xlat *x)
{
	uint64_t leaf = x->entry[x->nlevels - 1];
	bool el0 = arm64_has_two_halves(c);
	bool user = el0 && (leaf & ENTRY_USER), write = !(leaf & ENTRY_READONLY);
	bool uxn = leaf & ENTRY_UXN, pxn = el0 ? leaf & ENTRY_PXN : uxn;

	for (unsigned i = 0; !h->hpd && i + 1 < x->nlevels; i++) {
		user &= !(x->entry[i] & TABLE_NO_USER);
		write &= !(x->entry[i] & TABLE_READONLY);
		uxn |= !!(x->entry[i] & TABLE_UXN);
		pxn |= !!(x->entry[i] & (el0 ? TABLE_PXN : TABLE_UXN));
	}
	user &= !h->e0pd;
	uxn |= h->e0pd;
	// What EL0 can write the kernel cannot execute; with WXN nobody executes what he can write.
	pxn |= write && (user || (c->sctlr & SCTLR_WXN));
	uxn |= !el0 || (user && write && (c->sctlr & SCTLR_WXN));
	return MMU_R | (write ? MMU_W : 0) | (user ? MMU_U : 0) | (uxn && pxn ? 0 : MMU_X);
}

/* "Stage 1 Indirect permissions": a nibble of PIR_ELx for the level of the regime, and one of PIRE0_ELx for EL0. */
static uint8_t indirect_perm(const struct mmu_arm64_ctx *c, const struct half *h, const struct mmu_xlat *x)
{
	enum { R = MMU_R, W = MMU_W, X = MMU_X };
	static const uint8_t base[] = { 0, R, X,     R | X, 0,     R | W, R | W | X, R | W | X,
					R, R, R | X, 0,     R | W, 0,     R | W | X, 0 };
	uint64_t leaf = x->entry[x->nlevels - 1];
	unsigned index = (leaf >> 54 & 1) << 3 | (leaf >> 53 & 1) << 2 | (leaf >> 51 & 1) << 1 | (leaf >> 6 & 1);
	uint8_t own = base[c->pir >> 4 * index & 15], user = 0;

	if (arm64_has_two_halves(c) && !h->e0pd)
		user = base[c->pire0 >> 4 * index & 15];
	return own | user | (user ? MMU_U : 0);
}

static uint8_t page_perm(const struct mmu_arm64_ctx *c, const struct half *h, const struct mmu_xlat *x)
{
	return c->tcr2 & TCR2_PIE ? indirect_perm(c, h, x) : direct_perm(c, h, x);
}

/* ---- the walk ---- */

struct mmu_arm64_ctx mmu_arm64_canonical(const struct mmu_arm64_ctx *c)
{
	struct mmu_arm64_ctx plain = *c;

	if (arm64_has_two_halves(c))
		plain.tcr &= ~(BIT64(two_halves[0].tbi) | BIT64(two_halves[1].tbi));
	else
		plain.tcr &= ~BIT64(one_range.tbi);
	return plain;
}

uint64_t mmu_arm64_page_size(const struct mmu_arm64_ctx *c, gva at)
{
	bool upper = is_upper(c, at);
	unsigned tg = arm64_has_two_halves(c) ? two_halves[upper].tg : one_range.tg;

	return BIT64(arm64_granule_bits(c->tcr >> tg & 3, upper));
}

int mmu_arm64_walk(const struct mmu_arm64_ctx *c, mmu_read_fn *rd, void *arg, gva at, struct mmu_xlat *out)
{
	bool upper = is_upper(c, at);
	struct half h = half_of(c, upper);
	struct mmu_xlat x = { .top_level = h.tables.top };
	uint64_t base;
	int rc = 0;

	if (in_gap(c, &h, upper, at.raw, &x)) {
		*out = x;
		return 0;
	}
	base = at.raw & -BIT64(h.tables.in_bits);
	if (!(c->sctlr & SCTLR_M)) {
		x = (struct mmu_xlat){ .start = GVA(base), .size = described(&h), .mapped = true, .perm = ALL_PERM };
	} else if (h.off) {
		hole(&x, MMU_WALK_OFF, base, described(&h));
	} else {
		rc = arm64_tables_walk(&h.tables, rd, arg, at.raw, &x);
		if (rc < 0)
			return rc;
		x.perm = x.mapped ? page_perm(c, &h, &x) : 0;
	}
	*out = x;
	return 0;
}
