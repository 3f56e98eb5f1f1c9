/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>

#include "mmu/arm64.h"
#include "mmu/arm64_tables.h"

/* VTCR_EL2 */
#define VTCR_SL0(v) ((v) >> 6 & 3)
#define VTCR_TG0(v) ((v) >> 14 & 3)
#define VTCR_PS(v) ((v) >> 16 & 7)
#define VTCR_DS(v) ((v) >> 32 & 1)
#define VTCR_SL2(v) ((v) >> 33 & 1)

/* A leaf of stage 2. */
#define ENTRY_READ BIT64(6)
#define ENTRY_WRITE BIT64(7)
#define ENTRY_XN(e) ((e) >> 53 & 3)
enum { XN_NOBODY = 2 };

#define MAX_CONCATENATED_BITS 4 /* up to 16 tables side by side at the first level */

enum { NO_LEVEL = -128 };

/* "VTCR_EL2", SL0: the level of the first lookup, which depends on the granule; NO_LEVEL: reserved. */
static int start_level(const struct arm64_tables *t, const struct mmu_arm64_s2_ctx *c)
{
	unsigned sl0 = VTCR_SL0(c->vtcr);
	bool wide = t->high == ARM64_HIGH_LPA2;

	if (t->page_bits == 12) {
		if (wide && VTCR_SL2(c->vtcr))
			return sl0 ? NO_LEVEL : -1;
		return sl0 == 3 ? 3 : 2 - (int)sl0;
	}
	if (sl0 == 3 && !(t->page_bits == 14 && wide))
		return NO_LEVEL;
	return 3 - (int)sl0;
}

bool arm64_stage2_tables(const struct mmu_arm64_s2_ctx *c, struct arm64_tables *t)
{
	int top, index_bits;

	*t = (struct arm64_tables){ .page_bits = arm64_granule_bits((unsigned)VTCR_TG0(c->vtcr), false) };
	t->big_endian = c->big_endian;
	arm64_tables_size(t, c->mmfr0, VTCR_PS(c->vtcr), VTCR_DS(c->vtcr));
	t->in_bits = arm64_in_bits(t, c->vtcr & 63, c->mmfr0, c->mmfr2);
	top = start_level(t, c);
	if (!t->in_bits || top == NO_LEVEL)
		return false;
	t->top = (int8_t)top;
	index_bits = t->in_bits - (int)arm64_shift(t, top);
	if (index_bits < 1 || index_bits > t->page_bits - 3 + MAX_CONCATENATED_BITS)
		return false;
	arm64_tables_root(t, c->vttbr);
	return true;
}

static uint8_t page_perm(uint64_t leaf)
{
	return (leaf & ENTRY_READ ? MMU_R : 0) | (leaf & ENTRY_WRITE ? MMU_W : 0) |
	       (ENTRY_XN(leaf) == XN_NOBODY ? 0 : MMU_X);
}

int mmu_arm64_s2_walk(const struct mmu_arm64_s2_ctx *c, mmu_read_fn *rd, void *arg, gpa ipa, struct mmu_xlat *out)
{
	struct mmu_xlat x = { 0 };
	struct arm64_tables t;
	int rc = 0;

	if (!arm64_stage2_tables(c, &t)) {
		*out = (struct mmu_xlat){ .why = MMU_BAD_CONFIG }; // all of it
		return 0;
	}
	x.top_level = t.top;
	if (ipa.raw >> t.in_bits) {
		x.start = GVA(BIT64(t.in_bits));
		x.size = -BIT64(t.in_bits);
		x.why = MMU_OUT_OF_RANGE;
	} else {
		rc = arm64_tables_walk(&t, rd, arg, ipa.raw, &x);
		if (rc < 0)
			return rc;
		x.perm = x.mapped ? page_perm(x.entry[x.nlevels - 1]) : 0;
	}
	*out = x;
	return 0;
}

/* ---- both stages ---- */

struct second_stage {
	const struct mmu_arm64_s2_ctx *c;
	mmu_read_fn *rd;
	void *arg;
};

static int read_through(void *arg, gpa at, void *buf, size_t len)
{
	const struct second_stage *s = arg;
	struct mmu_xlat x;
	int rc = mmu_arm64_s2_walk(s->c, s->rd, s->arg, at, &x);

	if (rc < 0)
		return rc;
	return x.mapped ? s->rd(s->arg, GPA(x.phys.raw + (at.raw - x.start.raw)), buf, len) : -EFAULT;
}

/* Of the page @x of stage 1, which has @at, what stage 2 says of @ipa, where @at is. */
static void narrow(struct mmu_xlat *x, uint64_t at, const struct mmu_xlat *y, uint64_t ipa)
{
	// What is aligned in the page and wholly in the answer of stage 2; a hole above all tables is no power of two.
	bool odd = y->size & (y->size - 1);
	uint64_t inside = odd ? y->start.raw & -y->start.raw : y->size;
	uint64_t size = inside ? MIN(x->size, inside) : x->size;

	x->start = GVA(at & -size);
	x->size = size;
	x->mapped = y->mapped;
	x->why = y->mapped ? MMU_MAPPED : MMU_STAGE2;
	x->phys = GPA(y->mapped ? y->phys.raw + ((ipa & -size) - y->start.raw) : 0);
	x->perm = y->mapped ? x->perm & (y->perm | MMU_U) : 0;
}

int mmu_arm64_nested_walk(const struct mmu_arm64_ctx *c, const struct mmu_arm64_s2_ctx *c2, mmu_read_fn *rd, void *arg,
			  gva at, struct mmu_xlat *out)
{
	struct second_stage s = { c2, rd, arg };
	struct mmu_xlat x, y;
	uint64_t ipa;
	int rc = mmu_arm64_walk(c, read_through, &s, at, &x);

	if (rc < 0)
		return rc;
	if (x.mapped) {
		ipa = x.phys.raw + (at.raw - x.start.raw);
		rc = mmu_arm64_s2_walk(c2, rd, arg, GPA(ipa), &y);
		if (rc < 0)
			return rc;
		narrow(&x, at.raw, &y, ipa);
	}
	*out = x;
	return 0;
}
