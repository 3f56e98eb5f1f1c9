/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Arm ARM (DDI 0487), "VMSAv8-64 translation table format descriptors" and "Memory access control". */
#include <inttypes.h>

#include "arch/arm64_decode.h"
#include "arch/arm64_fields.h"

enum { LAST_LEVEL = 3, MAX_ADDRESS_BIT = 47 };

enum type { INVALID, TABLE, BLOCK, PAGE, RESERVED };

/* Bits of the address that the entry @p leads to are its own from here on. */
static unsigned shift_of(const struct arm64_pte_place *p)
{
	return p->page_bits + (unsigned)(LAST_LEVEL - p->level) * (p->page_bits - 3);
}

/* The highest level where a block can be; with 52-bit addresses it is one higher. */
static int first_block_level(const struct arm64_pte_place *p)
{
	return p->page_bits == 12 ? 1 : 2;
}

bool arm64_pte_place_valid(const struct arm64_pte_place *p)
{
	static const struct {
		unsigned page_bits;
		int first_level;
	} places[] = { { 12, -1 }, { 14, 0 }, { 16, 1 } };

	for (size_t i = 0; i < ARRAY_LEN(places); i++)
		if (places[i].page_bits == p->page_bits)
			return p->level >= places[i].first_level && p->level <= LAST_LEVEL;
	return false;
}

static enum type type_of(const struct arm64_pte_place *p, uint64_t pte)
{
	if (!(pte & 1))
		return INVALID;
	if (pte & 2)
		return p->level == LAST_LEVEL ? PAGE : TABLE;
	return p->level < LAST_LEVEL && p->level >= first_block_level(p) - 1 ? BLOCK : RESERVED;
}

/* Where it leads. Bits 51:50 of a 52-bit address of 4K and 16K tables are in SH, if they are: nothing here tells. */
static uint64_t address_of(const struct arm64_pte_place *p, enum type type, uint64_t pte)
{
	unsigned shift = type == TABLE ? p->page_bits : shift_of(p);
	uint64_t address = arm64_bits(pte, MAX_ADDRESS_BIT, shift) << shift;

	if (p->page_bits == 16)
		return address | arm64_bits(pte, 15, 12) << 48;
	return address | arm64_bits(pte, 49, 48) << 48;
}

/* ---- fields ---- */

static void attr_text(uint64_t pte, uint64_t value, struct strbuf *out)
{
	strbuf_addf(out, "memory type is MAIR.Attr%u", (unsigned)value);
}

/* Without HCR_EL2.FWB, which gives it another meaning. */
static void mem_attr_text(uint64_t pte, uint64_t value, struct strbuf *out)
{
	static const char *const device[] = { "Device-nGnRnE", "Device-nGnRE", "Device-nGRE", "Device-GRE" };
	static const char *const cache[] = { NULL, "non-cacheable", "write-through", "write-back" };
	const char *outer = cache[value >> 2], *inner = cache[value & 3];

	if (!outer)
		strbuf_adds(out, device[value]);
	else if (!inner)
		strbuf_adds(out, "reserved");
	else if (outer == inner)
		strbuf_addf(out, "Normal, %s", outer);
	else
		strbuf_addf(out, "Normal, outer %s, inner %s", outer, inner);
	strbuf_adds(out, " (without FWB)");
}

// clang-format off
#define CONTIGUOUS { "Contiguous", 52, 52, ARM64_WORDS("", "one of a group that a TLB may join") }
#define DBM { "DBM", 51, 51, ARM64_WORDS("", "hardware manages the dirty state") }
#define SOFTWARE(hi) { "software", hi, 55, .rare = true }
#define PBHA { "PBHA", 62, 59, .rare = true }
#define AF { "AF", 10, 10, ARM64_WORDS("not accessed: a fault, if hardware does not set it", "accessed") }
#define SH { "SH", 9, 8, ARM64_WORDS("non-shareable", NULL, "outer shareable", "inner shareable") }

static const struct arm64_field block_only[] = {
	{ "nT", 16, 16, .rare = true, ARM64_WORDS("", "not to be in a TLB") },
};

static const struct arm64_field stage1_upper[] = {
	{ "AMEC", 63, 63, .rare = true, ARM64_WORDS("", "alternate memory encryption context") },
	PBHA,
	SOFTWARE(58),
	{ "UXN", 54, 54, ARM64_WORDS("executable at EL0", "not executable at EL0") },
	{ "PXN", 53, 53, ARM64_WORDS("executable at EL1", "not executable at EL1") },
	CONTIGUOUS,
	DBM,
	{ "GP", 50, 50, .rare = true, ARM64_WORDS("", "guarded page: branch targets are checked") },
};

static const struct arm64_field stage1_lower[] = {
	{ "nG", 11, 11, ARM64_WORDS("global", "of one ASID") },
	AF,
	SH,
	{ "AP[2:1]", 7, 6, ARM64_WORDS("EL1 read-write", "EL1 and EL0 read-write", "EL1 read-only", "EL1 and EL0 read-only") },
	{ "NS", 5, 5, .rare = true, ARM64_WORDS("", "Non-secure, if seen from Secure state") },
	{ "AttrIndx", 4, 2, .text = attr_text },
};

static const struct arm64_field stage2_upper[] = {
	{ "ignored", 63, 63, .rare = true },
	PBHA,
	{ "AssuredOnly", 58, 58, .rare = true },
	SOFTWARE(57),
	{ "XN", 54, 53, ARM64_WORDS("executable", "executable at EL0 only", "not executable", "executable at EL1 only") },
	CONTIGUOUS,
	DBM,
};

static const struct arm64_field stage2_lower[] = {
	{ "FnXS", 11, 11, .rare = true, ARM64_WORDS("", "XS attribute of stage 1 is not used") },
	AF,
	SH,
	{ "S2AP", 7, 6, ARM64_WORDS("no access", "read-only", "write-only", "read-write") },
	{ "MemAttr", 5, 2, .text = mem_attr_text },
};

static const struct arm64_field table1_upper[] = {
	{ "NSTable", 63, 63, .rare = true, ARM64_WORDS("", "Non-secure, if seen from Secure state") },
	{ "APTable", 62, 61, ARM64_WORDS("no limit", "no access from EL0", "read-only", "read-only, no access from EL0") },
	{ "UXNTable", 60, 60, ARM64_WORDS("no limit", "not executable at EL0") },
	{ "PXNTable", 59, 59, ARM64_WORDS("no limit", "not executable at EL1") },
	{ "ignored", 58, 51, .rare = true },
};

static const struct arm64_field table2_upper[] = {
	{ "ignored", 63, 51, .rare = true },
};

static const struct arm64_field table_lower[] = {
	{ "ignored", 11, 2, .rare = true },
};
// clang-format on

#define TABLE_OF(fields)                            \
	{                                           \
		fields, (unsigned)ARRAY_LEN(fields) \
	}

struct layout {
	struct {
		const struct arm64_field *fields;
		unsigned n;
	} upper, lower; /* above and below the address */
};

static const struct layout leaf_layout[] = {
	{ TABLE_OF(stage1_upper), TABLE_OF(stage1_lower) },
	{ TABLE_OF(stage2_upper), TABLE_OF(stage2_lower) },
};
static const struct layout table_layout[] = {
	{ TABLE_OF(table1_upper), TABLE_OF(table_lower) },
	{ TABLE_OF(table2_upper), TABLE_OF(table_lower) },
};

/* Returns: the bits that the address takes. */
static uint64_t address_line(const struct arm64_pte_place *p, enum type type, uint64_t pte, struct strbuf *out)
{
	unsigned shift = type == TABLE ? p->page_bits : shift_of(p);
	uint64_t high = p->page_bits == 16 ? 15ull << 12 : 3ull << 48;

	arm64_field_line("address", MAX_ADDRESS_BIT, shift, pte, out);
	strbuf_addf(out, "%#" PRIx64, address_of(p, type, pte));
	if (pte & high)
		strbuf_addf(out, ", with bits of a 52-bit address in %s", p->page_bits == 16 ? "15:12" : "49:48");
	arm64_line_end(out);
	return high | arm64_bits(~0ull, MAX_ADDRESS_BIT - shift, 0) << shift;
}

static void fields_text(const struct arm64_pte_place *p, enum type type, uint64_t pte, struct strbuf *out)
{
	const struct layout *l = &(type == TABLE ? table_layout : leaf_layout)[p->stage2];
	uint64_t known = 3;

	known |= arm64_fields_text(l->upper.fields, l->upper.n, pte, out);
	known |= address_line(p, type, pte, out);
	if (type == BLOCK)
		known |= arm64_fields_text(block_only, ARRAY_LEN(block_only), pte, out);
	known |= arm64_fields_text(l->lower.fields, l->lower.n, pte, out);
	arm64_rest_text(pte & ~known, out);
}

/* ---- the first line ---- */

static void add_size(unsigned shift, struct strbuf *out)
{
	strbuf_addf(out, "%u%c", 1u << shift % 10, "BKMGT"[shift / 10]);
}

static void add_rights(const char *el, bool r, bool w, bool x, struct strbuf *out)
{
	strbuf_addf(out, ", %s %c%c%c", el, r ? 'r' : '-', w ? 'w' : '-', x ? 'x' : '-');
}

/* What EL0 may write is never executable at EL1. Limits of the tables above and permission features are not seen. */
static void stage1_rights(uint64_t pte, struct strbuf *out)
{
	bool user = arm64_bits(pte, 6, 6), write = !arm64_bits(pte, 7, 7);

	add_rights("EL1", true, write, !arm64_bits(pte, 53, 53) && !(user && write), out);
	add_rights("EL0", user, user && write, !arm64_bits(pte, 54, 54), out);
}

static void stage2_rights(uint64_t pte, struct strbuf *out)
{
	bool read = arm64_bits(pte, 6, 6), write = arm64_bits(pte, 7, 7);
	unsigned xn = (unsigned)arm64_bits(pte, 54, 53);

	add_rights("EL1", read, write, xn == 0 || xn == 3, out);
	add_rights("EL0", read, write, xn < 2, out);
}

static void leaf_brief(const struct arm64_pte_place *p, enum type type, uint64_t pte, struct strbuf *out)
{
	strbuf_adds(out, type == PAGE ? "page of " : "block of ");
	add_size(shift_of(p), out);
	strbuf_addf(out, " at %#" PRIx64, address_of(p, type, pte));
	(p->stage2 ? stage2_rights : stage1_rights)(pte, out);
	if (!arm64_bits(pte, 10, 10))
		strbuf_adds(out, ", access flag clear");
	if (type == BLOCK && p->level < first_block_level(p))
		strbuf_adds(out, " (here only with 52-bit addresses)");
}

void arm64_pte_text(const struct arm64_pte_place *p, uint64_t pte, struct strbuf *out)
{
	enum type type = type_of(p, pte);

	strbuf_addf(out, "PTE %#" PRIx64 ", stage %d, level %d, %uK tables: ", pte, 1 + p->stage2, p->level,
		    1u << (p->page_bits - 10));
	switch (type) {
	case INVALID:
		strbuf_adds(out, "invalid, bit 0 is clear\n");
		return;
	case RESERVED:
		strbuf_adds(out, "reserved, no block can be at this level\n");
		return;
	case TABLE:
		strbuf_addf(out, "table at %#" PRIx64 "\n", address_of(p, type, pte));
		break;
	default:
		leaf_brief(p, type, pte, out);
		strbuf_addc(out, '\n');
	}
	fields_text(p, type, pte, out);
}
