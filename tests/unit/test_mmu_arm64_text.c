/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "mmu_arm64_world.h"

static struct strbuf out;

/* What entry @entry of @level is for an address of these registers. */
static const char *entry_text(const struct mmu_arm64_ctx *c, uint64_t at, int level, uint64_t entry)
{
	struct mmu_xlat x = { .top_level = level, .nlevels = 1, .entry = { entry } };

	strbuf_reset(&out);
	mmu_arm64_entry_text(c, GVA(at), &x, 0, &out);
	return strbuf_str(&out);
}

static const char *s2_text(const struct mmu_arm64_s2_ctx *c, int level, uint64_t entry)
{
	struct mmu_xlat x = { .top_level = level, .nlevels = 1, .entry = { entry } };

	strbuf_reset(&out);
	mmu_arm64_s2_entry_text(c, &x, 0, &out);
	return strbuf_str(&out);
}

static const char *range_text(const struct mmu_arm64_ctx *c, uint64_t at)
{
	strbuf_reset(&out);
	mmu_arm64_range_text(c, GVA(at), &out);
	return strbuf_str(&out);
}

static const char *leaf_flags(uint64_t entry, unsigned nlevels)
{
	struct mmu_xlat x = { .nlevels = nlevels, .entry = { entry } };

	strbuf_reset(&out);
	mmu_arm64_leaf_flags(&x, &out);
	return strbuf_str(&out);
}

static int text_end(void **state)
{
	strbuf_deinit(&out);
	return 0;
}

static const struct mmu_arm64_ctx el1 = {
	.sctlr = M_ON,
	.tcr = T0SZ(48) | T1SZ(48) | TG0_4K | TG1_4K | IPS(SIZE_48),
	.mair = 0x00f4bb44ff0c0400,
};

TEST(table_entries_tell_where_they_lead_and_what_they_forbid)
{
	struct mmu_arm64_ctx el2 = { .regime = MMU_ARM64_EL2, .sctlr = M_ON, .tcr = T0SZ(48) | PS(SIZE_40) };

	CHECK_STR(entry_text(&el1, 0, 0, 0x41234003), "table at 0x41234000, APTable=0 UXNTable=0 PXNTable=0");
	CHECK_STR(entry_text(&el1, 0, 2, 0x41234003 | AP_TABLE_RO | UXN_TABLE | PXN_TABLE),
		  "table at 0x41234000, APTable=2 UXNTable=1 PXNTable=1");
	CHECK_STR(entry_text(&el2, 0, 0, 0x41234003 | UXN_TABLE), "table at 0x41234000, APTable=0 XNTable=1");
	CHECK_STR(entry_text(&el2, 0, 0, 0x10041234003),
		  "table at 0x10041234000 (beyond physical memory), APTable=0 XNTable=0");
	CHECK_STR(entry_text(&el1, 0, 1, 0x41234002), "invalid");
	CHECK_STR(entry_text(&el1, 0, 0, 0x40000001), "reserved: no block can be at this level");
}

TEST(page_entries_are_told_field_by_field)
{
	struct mmu_arm64_ctx c = el1;

	CHECK_STR(entry_text(&c, 0, 3, 0x6800004123478f), "page at 0x41234000, AttrIndx=3 (Normal, write-back) AP=2 "
							  "(privileged read-only) SH=3 (inner) AF=1 nG=0 "
							  "Contiguous=0 DBM=1 PXN=1 UXN=1");
	CHECK_STR(entry_text(&c, 0, 2, 0x40000000 | VALID | AP_USER | BIT64(11) | CONTIGUOUS | 1 << 2),
		  "block of 2M at 0x40000000, AttrIndx=1 (Device-nGnRE) AP=1 (read-write) SH=0 (none) AF=0 nG=1 "
		  "Contiguous=1 DBM=0 PXN=0 UXN=0");
	c.tcr2 = BIT64(1); // permission indirection
	CHECK_STR(entry_text(&c, 0, 3, 0x6800004123478f | AP_USER),
		  "page at 0x41234000, AttrIndx=3 (Normal, write-back) PIIndex=15 SH=3 (inner) AF=1 nG=0 Contiguous=0 "
		  "DBM=1 PXN=1 UXN=1");
	c = (struct mmu_arm64_ctx){ .regime = MMU_ARM64_EL2, .sctlr = M_ON, .tcr = TG0_64K | T0SZ(48) | PS(SIZE_48) };
	CHECK_STR(entry_text(&c, 0, 2, 0x20000000 | VALID | AF | AP_RO | UXN),
		  "block of 512M at 0x20000000, AttrIndx=0 (Device-nGnRnE) AP=2 (read-only) SH=0 (none) AF=1 "
		  "Contiguous=0 DBM=0 XN=1");
	c.tcr = T0SZ(52) | PS(SIZE_52) | EL2_DS;
	CHECK_STR(entry_text(&c, 0, 0, 0x8000000000 | 3 << 8 | VALID | AF),
		  "block of 512G at 0xc008000000000, AttrIndx=0 (Device-nGnRnE) AP=0 (read-write) AF=1 Contiguous=0 "
		  "DBM=0 XN=0");
}

TEST(memory_attributes_are_those_of_mair)
{
	static const struct {
		unsigned index;
		const char *text;
	} cases[] = {
		{ 0, "(Device-nGnRnE)" },
		{ 1, "(Device-nGnRE)" },
		{ 2, "(Device-GRE)" },
		{ 3, "(Normal, write-back)" },
		{ 4, "(Normal, non-cacheable)" },
		{ 5, "(Normal, write-through)" },
		{ 6, "(Normal, outer write-back, inner non-cacheable)" },
	};
	struct mmu_arm64_ctx c = el1;

	c.mair = 0x00f4bb44ff0c0400;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		CHECK(strstr(entry_text(&c, 0, 3, VALID | PAGE | cases[i].index << 2), cases[i].text));
	c.mair = 0x40f0;
	CHECK(strstr(entry_text(&c, 0, 3, VALID | PAGE), "(Normal, write-back, tagged)"));
	CHECK(strstr(entry_text(&c, 0, 3, VALID | PAGE | 1 << 2), "(attribute 0x40)"));
}

TEST(stage_2_entries_have_fields_of_their_own)
{
	struct mmu_arm64_s2_ctx c = { .vtcr = SL0(1) | T0SZ(40) | PS(SIZE_40) };

	CHECK_STR(s2_text(&c, 1, 0x41234003), "table at 0x41234000");
	CHECK_STR(s2_text(&c, 2, 0x402007fd),
		  "block of 2M at 0x40200000, MemAttr=15 (Normal, write-back) S2AP=3 (read-write) SH=3 (inner) AF=1 "
		  "Contiguous=0 DBM=0 XN=0 (executable)");
	CHECK_STR(s2_text(&c, 3, 0x9000000 | VALID | PAGE | S2_R | UXN | 1 << 2),
		  "page at 0x9000000, MemAttr=1 (Device-nGnRE) S2AP=1 (read-only) SH=0 (none) AF=0 Contiguous=0 DBM=0 "
		  "XN=2 (not executable)");
	CHECK(strstr(s2_text(&c, 3, VALID | PAGE | 6 << 2), "MemAttr=6 (Normal, outer non-cacheable, inner write-"));
	CHECK(strstr(s2_text(&c, 3, VALID | PAGE | 4 << 2), "MemAttr=4 (reserved)"));
	c.fwb = true;
	CHECK(strstr(s2_text(&c, 3, VALID | PAGE | 6 << 2), "MemAttr=6 (Normal, write-back)"));
	CHECK(strstr(s2_text(&c, 3, VALID | PAGE | 7 << 2), "MemAttr=7 (as stage 1 says)"));
	CHECK(strstr(s2_text(&c, 3, VALID | PAGE | 14 << 2), "MemAttr=14 (reserved)"));
}

TEST(flags_of_a_page_are_four_letters_and_the_attribute)
{
	CHECK_STR(leaf_flags(0, 0), "-----");
	CHECK_STR(leaf_flags(VALID | PAGE | AF | 3 << 2, 1), "GA--3");
	CHECK_STR(leaf_flags(VALID | PAGE | BIT64(11) | BIT64(51) | CONTIGUOUS, 1), "--DC0");
}

TEST(the_range_tells_regime_and_sizes)
{
	struct mmu_arm64_ctx c = el1;
	struct mmu_arm64_s2_ctx c2 = { .vtcr = SL0(1) | T0SZ(40) | PS(SIZE_40), .vttbr = 0x40206000 };

	c.ttbr1 = 0x41200001;
	CHECK_STR(range_text(&c, UINT64_MAX),
		  "EL1&0, TTBR1: 48 bits, pages of 4K, 48 physical bits, level 0 at 0x41200000\n");
	c.tcr |= 63;
	CHECK_STR(range_text(&c, 0), "EL1&0, TTBR0: the registers do not describe tables\n");
	c.regime = MMU_ARM64_EL2;
	c.sctlr = 0;
	CHECK_STR(range_text(&c, 0), "EL2: stage 1 is off\n");
	strbuf_reset(&out);
	mmu_arm64_s2_range_text(&c2, &out);
	CHECK_STR(strbuf_str(&out), "stage 2: 40 bits, pages of 4K, 40 physical bits, level 1 at 0x40206000\n");
	c2.vtcr = SL0(3) | TG0_64K;
	strbuf_reset(&out);
	mmu_arm64_s2_range_text(&c2, &out);
	CHECK_STR(strbuf_str(&out), "stage 2: size, granule and first level do not go together\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(table_entries_tell_where_they_lead_and_what_they_forbid),
		T(page_entries_are_told_field_by_field),
		T(memory_attributes_are_those_of_mair),
		T(stage_2_entries_have_fields_of_their_own),
		T(flags_of_a_page_are_four_letters_and_the_attribute),
		T(the_range_tells_regime_and_sizes),
	};

	return cmocka_run_group_tests(tests, NULL, text_end);
}
