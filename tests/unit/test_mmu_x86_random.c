/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <inttypes.h>

#include "mmu_world.h"

/*
 * Random page tables beside a flat answer: rows in ascending order that together cover every linear address a
 * table can describe. The builder writes entries bit by bit from the manual's tables and never asks the walker.
 * GDBVM_TEST_SEED in the environment runs that seed alone.
 */
#define MAX_ROWS (MAX_FRAMES * 1024)

struct row {
	uint64_t start, size, phys;
	enum mmu_why why;
	uint8_t perm;
};

struct gen {
	struct world *w;
	uint64_t rng;
	struct row *rows; /* the flat answer */
	unsigned nrows;
	unsigned esize; /* bytes of an entry */
	unsigned top;   /* shift of the first level */
	bool nx, pae, long_mode, pse;
	unsigned phys_bits;
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

static void note(struct gen *g, uint64_t start, uint64_t size, enum mmu_why why, uint64_t phys, uint8_t perm)
{
	assert_true(g->nrows < MAX_ROWS);
	g->rows[g->nrows++] = (struct row){ start, size, phys, why, perm };
}

static unsigned table_entries(struct gen *g, unsigned shift)
{
	if (g->esize == 4)
		return 1024;
	return g->pae && shift == 30 ? 4 : 512;
}

static bool can_be_large(struct gen *g, unsigned shift)
{
	if (g->esize == 4)
		return shift == 22 && g->pse;
	return shift == 21 || (shift == 30 && g->long_mode);
}

/* Random ignored, accessed and protection bits; U, W, NX where the entry has them. */
static uint64_t random_flags(struct gen *g, unsigned shift)
{
	uint64_t r = rnd(g), e = P;

	if (g->pae && shift == 30)
		return e | (r & 0xe18); // PWT, PCD and the ignored bits 9-11
	e |= r & 0xe7e & ~(uint64_t)PS;
	if (g->nx && (r & BIT64(40)))
		e |= NX;
	if (g->long_mode)
		e |= r & 0x7ff0000000000000; // ignored bits and protection keys
	return e;
}

static uint8_t perm_under(struct gen *g, unsigned shift, uint64_t e, uint8_t above)
{
	if (g->pae && shift == 30)
		return above;
	uint8_t p = above;
	if (!(e & W))
		p &= ~MMU_W;
	if (!(e & U))
		p &= ~MMU_U;
	if (e & NX)
		p &= ~MMU_X;
	return p;
}

/* One bit that this kind of entry must not have; 0 if it has none. */
static uint64_t random_reserved(struct gen *g, unsigned shift, bool large)
{
	uint64_t set = 0;

	if (g->esize == 4) {
		if (large)
			for (unsigned b = 13 + MIN(g->phys_bits, 40) - 32; b < 22; b++)
				set |= BIT64(b);
	} else if (!g->pae || shift < 30) {
		for (unsigned b = g->phys_bits; b < (g->pae ? 63 : 52); b++)
			set |= BIT64(b);
		if (!g->nx)
			set |= NX;
		if (g->long_mode && shift >= 39)
			set |= PS;
		if (large)
			for (unsigned b = 13; b < shift; b++)
				set |= BIT64(b);
	}
	if (!set)
		return 0;
	for (;;) {
		uint64_t bit = BIT64(rnd(g) % 64);
		if (set & bit)
			return bit;
	}
}

static uint64_t random_frame(struct gen *g, unsigned shift)
{
	unsigned bits = g->phys_bits;

	if (g->esize == 4)
		bits = shift == 22 ? MIN(bits, 40) : 32;
	return rnd(g) & (BIT64(bits) - 1) & -BIT64(shift);
}

static uint64_t leaf_entry(struct gen *g, unsigned shift, uint64_t phys)
{
	uint64_t e = random_flags(g, shift);

	if (shift > 12)
		e |= PS | (rnd(g) & PAT_LARGE);
	else
		e |= rnd(g) & PS; // PAT
	if (g->esize == 4 && shift == 22)
		return e | (phys & 0xffc00000) | (phys >> 32) << 13;
	return e | phys;
}

static uint64_t sign_extend(struct gen *g, uint64_t at)
{
	unsigned bits = g->top + 9;

	return g->long_mode && (at & BIT64(bits - 1)) ? at | -BIT64(bits) : at;
}

static void build(struct gen *g, uint64_t table, unsigned shift, uint64_t at, uint8_t above);

static void build_entry(struct gen *g, uint64_t where, unsigned shift, uint64_t at, uint8_t above, bool busy)
{
	struct world *w = g->w;
	uint64_t start = sign_extend(g, at), size = BIT64(shift), e;
	unsigned next = shift == 22 ? 12 : shift - 9;
	bool leaf = shift == 12 || (can_be_large(g, shift) && chance(g, 30));

	if (!busy || (!leaf && w->nframes + 4 > MAX_FRAMES)) {
		e = chance(g, 50) ? 0 : rnd(g) & ~(uint64_t)P;
		note(g, start, size, MMU_NOT_PRESENT, 0, 0);
		put(w, where, e, g->esize);
		return;
	}
	uint64_t phys = leaf ? random_frame(g, shift) : frame_new(w);
	e = leaf ? leaf_entry(g, shift, phys) : random_flags(g, shift) | phys;
	if (!leaf && g->esize == 4 && !g->pse)
		e |= rnd(g) & PS; // ignored without CR4.PSE
	uint64_t bad = chance(g, 10) ? random_reserved(g, shift, leaf && shift > 12) : 0;
	put(w, where, e | bad, g->esize);
	uint8_t perm = perm_under(g, shift, e, above);
	if (bad)
		note(g, start, size, MMU_RESERVED_BIT, 0, 0);
	else if (leaf)
		note(g, start, size, MMU_MAPPED, phys, perm);
	else
		build(g, phys, next, at, perm);
}

static void build(struct gen *g, uint64_t table, unsigned shift, uint64_t at, uint8_t above)
{
	unsigned n = table_entries(g, shift);

	for (unsigned i = 0; i < n; i++) {
		bool edge = i == 0 || i == n - 1 || i == n / 2 - 1 || i == n / 2;
		unsigned percent = n == 4 ? 80 : shift == 12 ? 50 : edge ? 60 : 1;

		build_entry(g, table + i * g->esize, shift, at + i * BIT64(shift), above, chance(g, percent));
	}
}

static const struct row *lookup(const struct gen *g, uint64_t at)
{
	unsigned lo = 0, hi = g->nrows;

	while (hi - lo > 1) {
		unsigned mid = lo + (hi - lo) / 2;
		if (g->rows[mid].start <= at)
			lo = mid;
		else
			hi = mid;
	}
	return &g->rows[lo];
}

static bool same(const struct row *r, const struct mmu_xlat *x)
{
	bool mapped = r->why == MMU_MAPPED;

	return x->start.raw == r->start && x->size == r->size && x->why == r->why && x->mapped == mapped &&
	       (!mapped || (x->phys.raw == r->phys && x->perm == r->perm));
}

static void compare(struct gen *g, uint64_t at, uint64_t seed)
{
	unsigned va_bits = g->long_mode ? g->top + 9 : 32;
	uint64_t half = BIT64(va_bits - 1);
	struct row gap = { .start = 1ull << 32, .size = -(1ull << 32), .why = MMU_OUT_OF_RANGE };
	struct mmu_xlat x = walk(g->w, at);
	const struct row *want = lookup(g, at);

	if (g->long_mode)
		gap = (struct row){ .start = half, .size = -2 * half, .why = MMU_NON_CANONICAL };
	if (at - gap.start < gap.size)
		want = &gap;
	if (same(want, &x))
		return;
	print_error("seed %#" PRIx64 " at %#" PRIx64 ": got %#" PRIx64 "+%#" PRIx64 " %s phys %#" PRIx64 " perm %u\n"
		    "want %#" PRIx64 "+%#" PRIx64 " %s phys %#" PRIx64 " perm %u\n",
		    seed, at, x.start.raw, x.size, mmu_why_text(x.why), x.phys.raw, x.perm, want->start, want->size,
		    mmu_why_text(want->why), want->phys, want->perm);
	fail();
}

/* Every address a row starts or ends at, and random ones near tables and anywhere. */
static void compare_all(struct gen *g, uint64_t seed)
{
	for (unsigned i = 0; i < g->nrows; i += 1 + rnd(g) % 16) {
		compare(g, g->rows[i].start, seed);
		compare(g, g->rows[i].start - 1, seed);
		compare(g, g->rows[i].start + g->rows[i].size - 1, seed);
		compare(g, g->rows[i].start + g->rows[i].size, seed);
		compare(g, g->rows[i].start + rnd(g) % g->rows[i].size, seed);
	}
	for (unsigned i = 0; i < 3000; i++)
		compare(g, rnd(g) >> rnd(g) % 64, seed);
	for (unsigned bit = 0; bit < 64; bit++)
		for (int d = -1; d <= 1; d++)
			compare(g, BIT64(bit) + d, seed);
}

static void run_seed(enum mmu_x86_mode mode, uint64_t seed)
{
	_cleanup_(world_freep) struct world *w = world_new(mode);
	static const unsigned tops[] = {
		[MMU_X86_32BIT] = 22, [MMU_X86_PAE] = 30, [MMU_X86_4LEVEL] = 39, [MMU_X86_5LEVEL] = 48
	};
	_cleanup_(freep) struct row *rows = calloc(MAX_ROWS, sizeof(*rows));
	struct gen g = { .w = w, .rows = rows, .rng = seed, .top = tops[mode], .esize = mode == MMU_X86_32BIT ? 4 : 8 };

	assert_non_null(rows);
	g.pae = mode == MMU_X86_PAE;
	g.long_mode = mode >= MMU_X86_4LEVEL;
	g.pse = !chance(&g, 25);
	g.nx = mode != MMU_X86_32BIT && chance(&g, 75);
	w->ctx.phys_bits = chance(&g, 25) ? 0 : 36 + rnd(&g) % 17;
	g.phys_bits = w->ctx.phys_bits ? w->ctx.phys_bits : 52;
	if (!g.pse)
		w->ctx.cr4 &= ~(uint64_t)CR4_PSE;
	if (!g.nx)
		w->ctx.efer &= ~(uint64_t)EFER_NXE;
	// The tables themselves live high where the mode can reach that.
	if (mode != MMU_X86_32BIT && chance(&g, 50))
		w->base = random_frame(&g, 21) >> 1;
	w->base &= -4096ull;
	uint64_t root = frame_new(w);
	if (g.pae && root >> 32) {
		w->base = 0xfff00000; // CR3 is 32 bits wide: the root below 4 GiB, what follows may cross it
		root = w->base;
	}
	w->ctx.cr3 = root | (rnd(&g) & (g.pae ? 0x1f : 0xfff)); // PWT, PCD or a PCID
	build(&g, root, g.top, 0, FULL);
	compare_all(&g, seed);
}

static void run_mode(enum mmu_x86_mode mode)
{
	const char *env = getenv("GDBVM_TEST_SEED");

	if (env) {
		run_seed(mode, strtoull(env, NULL, 0));
		return;
	}
	for (uint64_t seed = 1; seed <= 12; seed++)
		run_seed(mode, seed * 0x9e3779b97f4a7c15);
}

TEST(random_32bit_tables_match_the_flat_model)
{
	run_mode(MMU_X86_32BIT);
}

TEST(random_pae_tables_match_the_flat_model)
{
	run_mode(MMU_X86_PAE);
}

TEST(random_4level_tables_match_the_flat_model)
{
	run_mode(MMU_X86_4LEVEL);
}

TEST(random_5level_tables_match_the_flat_model)
{
	run_mode(MMU_X86_5LEVEL);
}

TESTS(T(random_32bit_tables_match_the_flat_model), T(random_pae_tables_match_the_flat_model),
      T(random_4level_tables_match_the_flat_model), T(random_5level_tables_match_the_flat_model))
