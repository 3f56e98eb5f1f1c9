/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <inttypes.h>

#include "mmu/arm64.h"
#include "mmu/arm64_tables.h"

/* Entries of translation tables in words: Arm ARM, "VMSAv8-64 translation table format descriptors". */

#define TCR2_PIE BIT64(1)

#define FIELD(entry, hi, lo) ((unsigned)((entry) >> (lo)&MASK(0, (hi) - (lo) + 1)))

static const char *const sharing[] = { "none", "reserved", "outer", "inner" };

static void add_size(uint64_t size, struct strbuf *out)
{
	static const char unit[] = "BKMGT";
	unsigned u = 0;

	for (; size % 1024 == 0 && unit[u + 1]; u++)
		size /= 1024;
	strbuf_addf(out, "%" PRIu64 "%c", size, unit[u]);
}

/* ---- memory attributes ---- */

static const char *const device[] = { "Device-nGnRnE", "Device-nGnRE", "Device-nGRE", "Device-GRE" };

/* Cacheability, by two bits of stage 2 or the upper two bits of a nibble of MAIR_ELx. */
static const char *mair_cache(unsigned nibble)
{
	if (nibble == 4)
		return "non-cacheable";
	return (nibble & 12) == 0 || (nibble & 12) == 8 ? "write-through" : "write-back";
}

static void add_normal(const char *outer, const char *inner, struct strbuf *out)
{
	if (outer == inner)
		strbuf_addf(out, "Normal, %s", outer);
	else
		strbuf_addf(out, "Normal, outer %s, inner %s", outer, inner);
}

/* "MAIR_EL1", Attr<n>. */
static void add_mair(unsigned attr, struct strbuf *out)
{
	unsigned outer = attr >> 4, inner = attr & 15;

	if (attr == 0xf0)
		strbuf_adds(out, "Normal, write-back, tagged");
	else if (!outer && !(inner & 3))
		strbuf_adds(out, device[inner >> 2]);
	else if (outer && inner)
		add_normal(mair_cache(outer), mair_cache(inner), out);
	else
		strbuf_addf(out, "attribute %#x", attr);
}

/* "Stage 2 memory region type and cacheability attributes". */
static void add_mem_attr(unsigned attr, bool fwb, struct strbuf *out)
{
	static const char *const cache[] = { NULL, "non-cacheable", "write-through", "write-back" };
	static const char *const forced[] = { "reserved", "Normal, non-cacheable", "Normal, write-back",
					      "as stage 1 says" };

	if (!(attr & 12))
		strbuf_adds(out, device[attr]);
	else if (fwb)
		strbuf_adds(out, attr & 8 ? "reserved" : forced[attr & 3]);
	else if (attr & 3)
		add_normal(cache[attr >> 2], cache[attr & 3], out);
	else
		strbuf_adds(out, "reserved");
}

/* ---- entries ---- */

/* Where an entry leads. False if nowhere; then that has been said. */
static bool add_target(const struct arm64_tables *t, int level, uint64_t entry, struct strbuf *out)
{
	enum mmu_why why = arm64_entry_judge(t, level, entry);
	bool leaf = arm64_is_leaf(level, entry);
	unsigned shift = leaf ? arm64_shift(t, level) : t->page_bits;

	if (why == MMU_NOT_PRESENT || why == MMU_RESERVED_BIT) {
		strbuf_adds(out, why == MMU_NOT_PRESENT ? "invalid" : "reserved: no block can be at this level");
		return false;
	}
	if (leaf && level < ARM64_LAST_LEVEL) {
		strbuf_adds(out, "block of ");
		add_size(BIT64(shift), out);
	} else {
		strbuf_adds(out, leaf ? "page" : "table");
	}
	strbuf_addf(out, " at %#" PRIx64 "%s", arm64_entry_address(t, entry, shift),
		    why == MMU_ADDRESS_SIZE ? " (beyond physical memory)" : "");
	return true;
}

/* With FEAT_LPA2 the field has address bits, and the TCR says what is shared. */
static void add_sharing(const struct arm64_tables *t, uint64_t entry, struct strbuf *out)
{
	if (t->high != ARM64_HIGH_LPA2)
		strbuf_addf(out, " SH=%u (%s)", FIELD(entry, 9, 8), sharing[FIELD(entry, 9, 8)]);
}

static void add_bits(uint64_t entry, const char *const *name, const uint8_t *bit, unsigned n, struct strbuf *out)
{
	for (unsigned i = 0; i < n; i++)
		strbuf_addf(out, " %s=%u", name[i], FIELD(entry, bit[i], bit[i]));
}

static void add_table_limits(const struct mmu_arm64_ctx *c, uint64_t entry, struct strbuf *out)
{
	static const char *const two[] = { "UXNTable", "PXNTable" }, *const one[] = { "XNTable" };
	static const uint8_t two_bits[] = { 60, 59 }, one_bits[] = { 60 };

	strbuf_addf(out, ", APTable=%u", FIELD(entry, 62, 61));
	if (arm64_has_two_halves(c))
		add_bits(entry, two, two_bits, ARRAY_LEN(two), out);
	else
		add_bits(entry, one, one_bits, ARRAY_LEN(one), out);
}

static void add_rights(const struct mmu_arm64_ctx *c, uint64_t entry, struct strbuf *out)
{
	static const char *const ap[2][4] = {
		{ "read-write", "read-write", "read-only", "read-only" },
		{ "privileged read-write", "read-write", "privileged read-only", "read-only" },
	};
	unsigned field = FIELD(entry, 7, 6);

	if (c->tcr2 & TCR2_PIE)
		strbuf_addf(out, " PIIndex=%u",
			    FIELD(entry, 54, 53) << 2 | FIELD(entry, 51, 51) << 1 | FIELD(entry, 6, 6));
	else
		strbuf_addf(out, " AP=%u (%s)", field, ap[arm64_has_two_halves(c)][field]);
}

static void add_page(const struct mmu_arm64_ctx *c, const struct arm64_tables *t, uint64_t entry, struct strbuf *out)
{
	static const char *const two[] = { "AF", "nG", "Contiguous", "DBM", "PXN", "UXN" };
	static const uint8_t two_bits[] = { 10, 11, 52, 51, 53, 54 };
	static const char *const one[] = { "AF", "Contiguous", "DBM", "XN" };
	static const uint8_t one_bits[] = { 10, 52, 51, 54 };
	unsigned index = FIELD(entry, 4, 2);

	strbuf_addf(out, ", AttrIndx=%u (", index);
	add_mair(c->mair >> 8 * index & 0xff, out);
	strbuf_addc(out, ')');
	add_rights(c, entry, out);
	add_sharing(t, entry, out);
	if (arm64_has_two_halves(c))
		add_bits(entry, two, two_bits, ARRAY_LEN(two), out);
	else
		add_bits(entry, one, one_bits, ARRAY_LEN(one), out);
}

void mmu_arm64_entry_text(const struct mmu_arm64_ctx *c, gva at, const struct mmu_xlat *x, unsigned i,
			  struct strbuf *out)
{
	int level = x->top_level + (int)i;
	struct arm64_tables t;

	if (!arm64_stage1_tables(c, at, &t) || !add_target(&t, level, x->entry[i], out))
		return;
	if (arm64_is_leaf(level, x->entry[i]))
		add_page(c, &t, x->entry[i], out);
	else
		add_table_limits(c, x->entry[i], out);
}

void mmu_arm64_s2_entry_text(const struct mmu_arm64_s2_ctx *c, const struct mmu_xlat *x, unsigned i, struct strbuf *out)
{
	static const char *const ap[] = { "none", "read-only", "write-only", "read-write" };
	static const char *const xn[] = { "executable", "executable at EL0", "not executable", "executable at EL1" };
	static const char *const bits[] = { "AF", "Contiguous", "DBM" };
	static const uint8_t bit[] = { 10, 52, 51 };
	int level = x->top_level + (int)i;
	uint64_t entry = x->entry[i];
	struct arm64_tables t;

	if (!arm64_stage2_tables(c, &t) || !add_target(&t, level, entry, out))
		return;
	if (!arm64_is_leaf(level, entry))
		return;
	strbuf_addf(out, ", MemAttr=%u (", FIELD(entry, 5, 2));
	add_mem_attr(FIELD(entry, 5, 2), c->fwb, out);
	strbuf_addf(out, ") S2AP=%u (%s)", FIELD(entry, 7, 6), ap[FIELD(entry, 7, 6)]);
	add_sharing(&t, entry, out);
	add_bits(entry, bits, bit, ARRAY_LEN(bits), out);
	strbuf_addf(out, " XN=%u (%s)", FIELD(entry, 54, 53), xn[FIELD(entry, 54, 53)]);
}

void mmu_arm64_leaf_flags(const struct mmu_xlat *x, struct strbuf *out)
{
	uint64_t entry = x->nlevels ? x->entry[x->nlevels - 1] : 0;

	if (!x->nlevels) {
		strbuf_adds(out, "-----");
		return;
	}
	strbuf_addf(out, "%c%c%c%c%u", FIELD(entry, 11, 11) ? '-' : 'G', FIELD(entry, 10, 10) ? 'A' : '-',
		    FIELD(entry, 51, 51) ? 'D' : '-', FIELD(entry, 52, 52) ? 'C' : '-', FIELD(entry, 4, 2));
}

/* ---- what holds for all of the tables ---- */

static void add_tables(const struct arm64_tables *t, struct strbuf *out)
{
	strbuf_addf(out, "%u bits, pages of %uK, %u physical bits, level %d at %#" PRIx64 "\n", t->in_bits,
		    1u << (t->page_bits - 10), t->out_bits, t->top, t->root);
}

void mmu_arm64_range_text(const struct mmu_arm64_ctx *c, gva at, struct strbuf *out)
{
	static const char *const regime[] = { "EL1&0", "EL2&0", "EL2", "EL3" };
	struct arm64_tables t;

	strbuf_addf(out, "%s", regime[c->regime]);
	if (arm64_has_two_halves(c))
		strbuf_adds(out, at.raw >> 55 & 1 ? ", TTBR1" : ", TTBR0");
	if (arm64_stage1_tables(c, at, &t)) {
		strbuf_adds(out, ": ");
		add_tables(&t, out);
	} else {
		strbuf_adds(out, c->sctlr & 1 ? ": the registers do not describe tables\n" : ": stage 1 is off\n");
	}
}

void mmu_arm64_s2_range_text(const struct mmu_arm64_s2_ctx *c, struct strbuf *out)
{
	struct arm64_tables t;

	strbuf_adds(out, "stage 2: ");
	if (arm64_stage2_tables(c, &t))
		add_tables(&t, out);
	else
		strbuf_adds(out, "size, granule and first level do not go together\n");
}
