/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <inttypes.h>

#include "mmu_arm64_world.h"

/*
 * Random translation tables beside a flat answer: rows in ascending order that together cover every address that a
 * table can describe. The builder writes entries bit by bit from the manual's tables and never asks the walker.
 * GDBVM_TEST_SEED in the environment runs that seed alone.
 */
struct row {
	uint64_t start, size, phys;
	enum mmu_why why;
	uint8_t perm;
};

enum high { PLAIN, LPA, LPA2 };

/* What tables above say for all below them. */
struct above {
	bool ro, no_user, uxn, pxn;
};

/* One half of the address space, or all of stage 2. */
struct space {
	unsigned page_bits, bits, out_bits;
	int top;
	enum high high;
	bool tbi, hpd, e0pd, upper;
	struct row *rows;
	unsigned nrows, cap, tables_left;
};

struct gen {
	struct world *w;
	uint64_t rng;
	bool stage2, el0, wxn;
	struct space space[2];
	unsigned nspaces;
};

static uint64_t rnd(struct gen *g)
{
	g->rng ^= g->rng << 13;
	g->rng ^= g->rng >> 7;
	g->rng ^= g->rng << 17;
	return g->rng * 0x2545f4914f6cdd1dull;
}

static bool chance(struct gen *g, unsigned percent)
{
	return (rnd(g) >> 33) % 100 < percent;
}

static void note(struct space *s, uint64_t start, uint64_t size, enum mmu_why why, uint64_t phys, uint8_t perm)
{
	if (s->nrows == s->cap) {
		s->cap = s->cap ? 2 * s->cap : 4096;
		s->rows = realloc(s->rows, s->cap * sizeof(*s->rows));
		assert_non_null(s->rows);
	}
	if (s->upper)
		start |= -BIT64(s->bits);
	s->rows[s->nrows++] = (struct row){ start, size, phys, why, perm };
}

static unsigned shift_of(const struct space *s, int level)
{
	return s->page_bits + (3 - level) * (s->page_bits - 3);
}

static uint64_t encode(const struct space *s, uint64_t address)
{
	if (s->high == LPA)
		return (address & (BIT64(48) - 1)) | address >> 48 << 12;
	if (s->high == LPA2)
		return (address & (BIT64(50) - 1)) | address >> 50 << 8;
	return address;
}

static bool block_allowed(const struct space *s, int level)
{
	if (s->page_bits == 12)
		return level == 1 || level == 2 || (level == 0 && s->high == LPA2);
	return level == 2 || (level == 1 && s->high != PLAIN);
}

/* Bits of no meaning here, or of none to where an address leads. */
static uint64_t noise(struct gen *g, const struct space *s, bool leaf)
{
	uint64_t r = rnd(g), e = r & (leaf ? 0x7f8c000000000c3cull : 0x07f8000000000cfcull);

	if (s->high != LPA2)
		e |= r & 0x300;
	if (leaf)
		e |= r & CONTIGUOUS;
	return e | (r & BIT64(63));
}

/* Everybody's rights by themselves, then together. */
static uint8_t stage1_perm(const struct gen *g, const struct space *s, uint64_t e, struct above a)
{
	bool ro = (e & AP_RO) || a.ro, user = g->el0 && (e & AP_USER) && !a.no_user;
	bool uxn = (e & UXN) || a.uxn, pxn = g->el0 ? (e & PXN) || a.pxn : uxn;
	bool w1 = !ro, x1 = !pxn && !(user && !s->e0pd && w1) && !(g->wxn && w1);
	bool r0 = user && !s->e0pd, w0 = r0 && !ro, x0 = g->el0 && !s->e0pd && !uxn && !(g->wxn && w0);

	return MMU_R | (w1 || w0 ? MMU_W : 0) | (x1 || x0 ? MMU_X : 0) | (r0 ? MMU_U : 0);
}

static uint8_t stage2_perm(uint64_t e)
{
	static const uint8_t ap[] = { 0, MMU_R, MMU_W, RW };
	static const uint8_t xn[] = { MMU_X, MMU_X, 0, MMU_X };

	return ap[e >> 6 & 3] | xn[e >> 53 & 3];
}

static struct above below(struct gen *g, const struct space *s, uint64_t e, struct above a)
{
	if (g->stage2 || s->hpd)
		return a;
	a.ro |= !!(e & AP_TABLE_RO);
	a.no_user |= !!(e & AP_TABLE_NO_USER);
	a.uxn |= !!(e & UXN_TABLE);
	a.pxn |= !!(e & PXN_TABLE);
	return a;
}

static uint64_t random_frame(struct gen *g, const struct space *s, unsigned shift)
{
	return rnd(g) & (BIT64(s->out_bits) - 1) & -BIT64(shift);
}

/* Something that is no way on: an entry of a kind that is not to be, or with too large an address. */
static bool build_bad(struct gen *g, struct space *s, uint64_t table, unsigned i, int level, uint64_t at)
{
	unsigned shift = shift_of(s, level), max = s->high == PLAIN ? 48 : 52, low;
	bool leaf = level == 3 || block_allowed(s, level);
	uint64_t e = noise(g, s, leaf) | VALID;

	if (chance(g, 50) && (level == 3 || !leaf)) {
		put(g->w, table, i, e | encode(s, random_frame(g, s, shift)));
		note(s, at, BIT64(shift), MMU_RESERVED_BIT, 0, 0);
		return true;
	}
	low = MAX(s->out_bits, shift); // what is below the size of a block counts for nothing
	if (low >= max)
		return false;
	e |= encode(s, random_frame(g, s, shift) | BIT64(low + rnd(g) % (max - low)));
	if (level == 3 || !leaf)
		e |= TABLE; // PAGE
	put(g->w, table, i, e);
	note(s, at, BIT64(shift), MMU_ADDRESS_SIZE, 0, 0);
	return true;
}

static void build(struct gen *g, struct space *s, uint64_t table, int level, unsigned n, uint64_t at, struct above a);

static void build_entry(struct gen *g, struct space *s, uint64_t table, unsigned i, int level, uint64_t at,
			struct above a, bool busy)
{
	unsigned shift = shift_of(s, level), n = 1u << (s->page_bits - 3);
	bool leaf = level == 3 || (block_allowed(s, level) && chance(g, 30));
	uint64_t e, phys;

	if (!busy || (!leaf && !s->tables_left)) {
		put(g->w, table, i, chance(g, 50) ? 0 : rnd(g) & ~VALID);
		note(s, at, BIT64(shift), MMU_NOT_PRESENT, 0, 0);
		return;
	}
	if (chance(g, 10) && build_bad(g, s, table, i, level, at))
		return;
	if (leaf) {
		phys = random_frame(g, s, shift);
		e = noise(g, s, true) | VALID | (level == 3 ? PAGE : 0);
		e |= rnd(g) & (AP_USER | AP_RO | UXN | PXN);
		put(g->w, table, i, e | encode(s, phys));
		note(s, at, BIT64(shift), MMU_MAPPED, phys, g->stage2 ? stage2_perm(e) : stage1_perm(g, s, e, a));
		return;
	}
	s->tables_left--;
	phys = table_new(g->w, 8ull * n);
	e = noise(g, s, false) | VALID | TABLE;
	if (chance(g, 30))
		e |= rnd(g) & (AP_TABLE_RO | AP_TABLE_NO_USER | UXN_TABLE | PXN_TABLE);
	put(g->w, table, i, e | encode(s, phys));
	build(g, s, phys, level + 1, n, at, below(g, s, e, a));
}

static void build(struct gen *g, struct space *s, uint64_t table, int level, unsigned n, uint64_t at, struct above a)
{
	for (unsigned i = 0; i < n; i++) {
		bool edge = i == 0 || i == n - 1 || i == n / 2 - 1 || i == n / 2;
		unsigned percent = n <= 16 ? 80 : level == 3 ? 50 : edge ? 60 : 1;

		build_entry(g, s, table, i, level, at + ((uint64_t)i << shift_of(s, level)), a, chance(g, percent));
	}
}

/* ---- the registers of a space ---- */

static unsigned random_size(struct gen *g)
{
	return chance(g, 60) ? SIZE_52 : SIZE_40 + (unsigned)(rnd(g) % 4);
}

static void choose_sizes(struct gen *g, struct space *s, unsigned page_bits, unsigned phys, unsigned ps, bool ds)
{
	static const unsigned size[] = { 32, 36, 40, 42, 44, 48, 52 };
	unsigned max, out = MIN(size[phys], size[ps]);

	s->page_bits = page_bits;
	s->high = page_bits == 16 ? (size[phys] == 52 ? LPA : PLAIN) : ds ? LPA2 : PLAIN;
	s->out_bits = s->high == PLAIN ? MIN(out, 48) : out;
	max = s->high == LPA2 || page_bits == 16 ? 52 : 48;
	s->bits = chance(g, 40) ? max : max - (unsigned)(rnd(g) % (max - 16 - (page_bits == 16)));
}

/* The address of the first table as a TTBR has it. */
static uint64_t ttbr_of(const struct space *s, uint64_t table)
{
	if (s->high == LPA2 || (s->high == LPA && s->out_bits == 52))
		return (table & (BIT64(48) - 1)) | table >> 48 << 2;
	return table;
}

static uint64_t build_space(struct gen *g, struct space *s)
{
	unsigned n = 1u << (s->bits - shift_of(s, s->top));
	uint64_t table = table_new(g->w, MAX(8ull * n, 64));

	s->tables_left = s->page_bits == 12 ? 150 : s->page_bits == 14 ? 40 : 14;
	build(g, s, table, s->top, n, 0, (struct above){ 0 });
	return ttbr_of(s, table) | (g->stage2 || s->page_bits ? rnd(g) & 0xffff000000000001 : 0);
}

/* Where the tables are: high up if that is reached. */
static void place_tables(struct gen *g, unsigned out_bits)
{
	g->w->base = (rnd(g) & (BIT64(MIN(out_bits, 52)) - 1) & -BIT64(24)) >> 1 & -BIT64(24);
}

static const unsigned tg0_of[] = { [12] = 0, [14] = 2, [16] = 1 }, tg1_of[] = { [12] = 2, [14] = 1, [16] = 3 };

static void random_stage1(struct gen *g, unsigned page_bits, enum mmu_arm64_regime regime)
{
	struct mmu_arm64_ctx *c = &g->w->ctx;
	unsigned phys = random_size(g), ps = random_size(g);
	bool ds = chance(g, 40);
	unsigned out = 64;

	g->el0 = regime == MMU_ARM64_EL10 || regime == MMU_ARM64_EL20;
	g->nspaces = g->el0 ? 2 : 1;
	g->wxn = chance(g, 25);
	g->w->big_endian = chance(g, 20);
	c->regime = regime;
	c->sctlr = M_ON | (g->wxn ? WXN : 0) | (g->w->big_endian ? EE : 0);
	c->mmfr0 = phys | LPA2_GRANULES;
	c->mmfr2 = VARANGE_52 | SMALL_TABLES;
	c->tcr = g->el0 ? IPS(ps) | (ds ? DS : 0) : PS(ps) | (ds ? EL2_DS : 0);
	for (unsigned i = 0; i < g->nspaces; i++) {
		struct space *s = &g->space[i];

		choose_sizes(g, s, i ? 12 + 2 * (unsigned)(rnd(g) % 3) : page_bits, phys, ps, ds);
		s->upper = i;
		s->top = 3 - (int)((s->bits - 1 - s->page_bits) / (s->page_bits - 3));
		s->tbi = chance(g, 40);
		s->hpd = chance(g, 30);
		s->e0pd = g->el0 && chance(g, 20);
		out = MIN(out, s->out_bits);
		c->tcr |= i ? T1SZ(s->bits) | (uint64_t)tg1_of[s->page_bits] << 30
			    : T0SZ(s->bits) | (uint64_t)tg0_of[s->page_bits] << 14;
		if (g->el0)
			c->tcr |= (s->tbi ? TBI0 << i : 0) | (s->hpd ? HPD0 << i : 0) | (s->e0pd ? E0PD0 << i : 0);
		else
			c->tcr |= (s->tbi ? EL2_TBI : 0) | (s->hpd ? EL2_HPD : 0);
	}
	place_tables(g, out);
	c->ttbr0 = build_space(g, &g->space[0]);
	if (g->el0)
		c->ttbr1 = build_space(g, &g->space[1]);
}

/* A first level that goes with the size: some have two, one with several tables side by side. */
static int random_level(struct gen *g, const struct space *s)
{
	int top = 3 - (int)((s->bits - 1 - s->page_bits) / (s->page_bits - 3));
	unsigned more = s->bits - shift_of(s, top);

	return top < 3 && more <= 4 && (top >= 0 || s->bits <= 52) && chance(g, 60) ? top + 1 : top;
}

static uint64_t sl0_of(const struct space *s)
{
	if (s->page_bits == 12)
		return s->top == -1 ? SL2 : SL0(s->top == 3 ? 3 : 2 - s->top);
	return SL0(3 - s->top);
}

static void random_stage2(struct gen *g, unsigned page_bits)
{
	struct mmu_arm64_s2_ctx *c = &g->w->s2;
	struct space *s = &g->space[0];
	unsigned phys = random_size(g), ps = random_size(g);
	bool ds = chance(g, 40);

	g->stage2 = true;
	g->nspaces = 1;
	do {
		choose_sizes(g, s, page_bits, phys, ps, ds);
		s->top = random_level(g, s);
	} while (page_bits == 14 && s->top == 0 && s->high != LPA2); // level 0 is for 52 bits
	c->big_endian = g->w->big_endian = chance(g, 20);
	c->mmfr0 = phys | LPA2_GRANULES;
	c->mmfr2 = VARANGE_52 | SMALL_TABLES;
	c->vtcr = PS(ps) | (ds ? EL2_DS : 0) | (uint64_t)tg0_of[page_bits] << 14 | T0SZ(s->bits) | sl0_of(s);
	place_tables(g, s->out_bits);
	c->vttbr = build_space(g, s);
}

/* ---- the comparison ---- */

static struct mmu_xlat ask(struct gen *g, uint64_t at)
{
	return g->stage2 ? walk_s2(g->w, at) : walk(g->w, at);
}

static const struct row *lookup(const struct space *s, uint64_t at)
{
	unsigned lo = 0, hi = s->nrows;

	while (hi - lo > 1) {
		unsigned mid = lo + (hi - lo) / 2;
		if (s->rows[mid].start <= at)
			lo = mid;
		else
			hi = mid;
	}
	return &s->rows[lo];
}

static bool same(const struct row *r, uint64_t tag, const struct mmu_xlat *x)
{
	bool mapped = r->why == MMU_MAPPED;

	return x->start.raw == (r->start ^ tag) && x->size == r->size && x->why == r->why && x->mapped == mapped &&
	       (!mapped || (x->phys.raw == r->phys && x->perm == r->perm));
}

/* The space whose tables describe @at; @tag: what is to be toggled to have it without a tag. NULL: none. */
static const struct space *space_at(const struct gen *g, uint64_t at, uint64_t *tag)
{
	for (unsigned i = 0; i < g->nspaces; i++) {
		const struct space *s = &g->space[i];
		uint64_t fill = s->upper ? UINT64_MAX : 0;

		*tag = s->tbi ? (at ^ fill) & (0xffull << 56) : 0;
		if (((at ^ *tag ^ fill) & -BIT64(s->bits)) == 0)
			return s;
	}
	return NULL;
}

static void check_gap(struct gen *g, uint64_t at, uint64_t seed)
{
	struct mmu_xlat x = ask(g, at), y = ask(g, x.start.raw + rnd(g) % x.size);
	enum mmu_why why = g->nspaces == 2 ? MMU_NON_CANONICAL : MMU_OUT_OF_RANGE;

	if (!x.mapped && x.why == why && at - x.start.raw < x.size && y.why == why && x.start.raw == y.start.raw &&
	    x.size == y.size)
		return;
	print_error("seed %#" PRIx64 " at %#" PRIx64 ": got %#" PRIx64 "+%#" PRIx64 " %s, want a gap\n", seed, at,
		    x.start.raw, x.size, mmu_why_text(x.why));
	fail();
}

static void compare(struct gen *g, uint64_t at, uint64_t seed)
{
	uint64_t tag;
	const struct space *s = space_at(g, at, &tag);
	const struct row *want;
	struct mmu_xlat x;

	if (!s) {
		check_gap(g, at, seed);
		return;
	}
	want = lookup(s, at ^ tag);
	x = ask(g, at);
	if (same(want, tag, &x))
		return;
	print_error("seed %#" PRIx64 " at %#" PRIx64 ": got %#" PRIx64 "+%#" PRIx64 " %s phys %#" PRIx64 " perm %u\n"
		    "want %#" PRIx64 "+%#" PRIx64 " %s phys %#" PRIx64 " perm %u\n",
		    seed, at, x.start.raw, x.size, mmu_why_text(x.why), x.phys.raw, x.perm, want->start ^ tag,
		    want->size, mmu_why_text(want->why), want->phys, want->perm);
	fail();
}

static void compare_rows(struct gen *g, const struct space *s, uint64_t seed)
{
	unsigned step = 1 + s->nrows / 2000;

	for (unsigned i = 0; i < s->nrows; i += 1 + (unsigned)(rnd(g) % (2 * step))) {
		const struct row *r = &s->rows[i];
		uint64_t tag = chance(g, 30) ? rnd(g) << 56 : 0;

		compare(g, r->start ^ tag, seed);
		compare(g, r->start - 1, seed);
		compare(g, r->start + r->size - 1, seed);
		compare(g, r->start + r->size, seed);
		compare(g, (r->start + rnd(g) % r->size) ^ tag, seed);
	}
}

/* Every address a row starts or ends at, and random ones near tables and anywhere. */
static void compare_all(struct gen *g, uint64_t seed)
{
	for (unsigned i = 0; i < g->nspaces; i++)
		compare_rows(g, &g->space[i], seed);
	for (unsigned i = 0; i < 2000; i++) {
		compare(g, rnd(g) >> rnd(g) % 64, seed);
		compare(g, ~(rnd(g) >> rnd(g) % 64), seed);
	}
	for (unsigned bit = 0; bit < 64; bit++)
		for (int d = -1; d <= 1; d++)
			compare(g, BIT64(bit) + (uint64_t)d, seed);
}

static void run_seed(unsigned page_bits, int regime, uint64_t seed)
{
	_cleanup_(world_freep) struct world *w = world_new();
	struct gen g = { .w = w, .rng = seed };

	if (regime < 0)
		random_stage2(&g, page_bits);
	else
		random_stage1(&g, page_bits, (enum mmu_arm64_regime)regime);
	compare_all(&g, seed);
	free(g.space[0].rows);
	free(g.space[1].rows);
}

enum { STAGE2 = -1 };

static void run(unsigned page_bits, int regime)
{
	const char *env = getenv("GDBVM_TEST_SEED");

	if (env) {
		run_seed(page_bits, regime, strtoull(env, NULL, 0));
		return;
	}
	for (uint64_t seed = 1; seed <= 16; seed++)
		run_seed(page_bits, regime, seed * 0x9e3779b97f4a7c15);
}

TEST(random_el1_tables_match_the_flat_model)
{
	for (unsigned page_bits = 12; page_bits <= 16; page_bits += 2)
		run(page_bits, MMU_ARM64_EL10);
}

TEST(random_el2_tables_match_the_flat_model)
{
	for (unsigned page_bits = 12; page_bits <= 16; page_bits += 2)
		run(page_bits, MMU_ARM64_EL2);
}

TEST(random_tables_of_a_host_in_el2_match_the_flat_model)
{
	for (unsigned page_bits = 12; page_bits <= 16; page_bits += 2)
		run(page_bits, MMU_ARM64_EL20);
}

TEST(random_stage_2_tables_match_the_flat_model)
{
	for (unsigned page_bits = 12; page_bits <= 16; page_bits += 2)
		run(page_bits, STAGE2);
}

TESTS(T(random_el1_tables_match_the_flat_model), T(random_el2_tables_match_the_flat_model),
      T(random_tables_of_a_host_in_el2_match_the_flat_model), T(random_stage_2_tables_match_the_flat_model))
