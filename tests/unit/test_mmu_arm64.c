/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "mmu_arm64_world.h"

#define KIB 1024ull
#define MIB (1024 * KIB)
#define GIB (1024 * MIB)

/* Two halves of @bits each with 4K pages, 48 physical bits. */
static struct world *world_4k(unsigned bits)
{
	struct world *w = world_new();

	w->ctx.tcr = T0SZ(bits) | T1SZ(bits) | TG0_4K | TG1_4K | IPS(SIZE_48);
	w->ctx.ttbr0 = table_new(w, 4096);
	w->ctx.ttbr1 = table_new(w, 4096);
	return w;
}

/* Tables of 4K pages from the one at @table, at level @level, down to the last for @at; returns that. */
static uint64_t chain(struct world *w, uint64_t table, int level, uint64_t at)
{
	for (; level < 3; level++) {
		uint64_t next = table_new(w, 4096);

		put(w, table, at >> (12 + 9 * (3 - level)) & 511, next | VALID | TABLE);
		table = next;
	}
	return table;
}

/* ---- stage 1 off ---- */

TEST(with_stage_1_off_an_address_is_itself_up_to_the_physical_size)
{
	_cleanup_(world_freep) struct world *w = world_new();

	w->ctx = (struct mmu_arm64_ctx){ 0 };
	CHECK_PAGE(walk(w, 0x40080000), 0, 1ull << 52, 0, FULL);
	w->ctx.mmfr0 = SIZE_40;
	CHECK_PAGE(walk(w, 0xffffffffff), 0, 1ull << 40, 0, FULL);
	CHECK_HOLE(walk(w, 1ull << 40), 1ull << 40, -(1ull << 40), MMU_OUT_OF_RANGE);
	CHECK_HOLE(walk(w, UINT64_MAX), 1ull << 40, -(1ull << 40), MMU_OUT_OF_RANGE);
	w->ctx.regime = MMU_ARM64_EL2;
	CHECK_PAGE(walk(w, 0), 0, 1ull << 40, 0, FULL);
	CHECK_HOLE(walk(w, UINT64_MAX), 1ull << 40, -(1ull << 40), MMU_OUT_OF_RANGE);
	CHECK_EQ(w->nreads, 0);
}

TEST(with_stage_1_off_the_top_byte_is_ignored_as_the_tcr_says)
{
	_cleanup_(world_freep) struct world *w = world_new();

	w->ctx = (struct mmu_arm64_ctx){ .mmfr0 = SIZE_40, .tcr = TBI0 };
	CHECK_PAGE(walk(w, 0x5a00000000001000), 0x5a00000000000000, 1ull << 40, 0, FULL);
	CHECK_HOLE(walk(w, 0x5a00010000000000), 0x5a00010000000000, (1ull << 55) - (1ull << 40), MMU_OUT_OF_RANGE);
	CHECK_HOLE(walk(w, 0x5a80000000000000), 0x5a80000000000000, 1ull << 55, MMU_OUT_OF_RANGE);
	w->ctx.regime = MMU_ARM64_EL2;
	w->ctx.tcr = EL2_TBI;
	CHECK_PAGE(walk(w, 0x5a00000000001000), 0x5a00000000000000, 1ull << 40, 0, FULL);
	CHECK_HOLE(walk(w, 0x5a80000000000000), 0x5a00010000000000, (1ull << 56) - (1ull << 40), MMU_OUT_OF_RANGE);
}

/* ---- which table, how many levels ---- */

TEST(bit_55_chooses_the_table_and_the_gap_between_the_halves_is_a_hole)
{
	_cleanup_(world_freep) struct world *w = world_4k(48);
	uint64_t low = chain(w, w->ctx.ttbr0, 0, 0x401000), high = chain(w, w->ctx.ttbr1, 0, 0xffff800010000000);

	put(w, low, 1, 0x5000 | VALID | PAGE | AF | AP_USER | PXN);
	put(w, high, 0, 0x6000 | VALID | PAGE | AF | UXN);
	w->ctx.tcr = (w->ctx.tcr & ~T1SZ(48)) | T1SZ(42);
	w->ctx.ttbr0 |= 0x1234ull << 48 | 1; // ASID, CnP
	CHECK_PAGE(walk(w, 0x401fff), 0x401000, 4096, 0x5000, FULL);
	CHECK_HOLE(walk(w, 1ull << 48), 1ull << 48, -(1ull << 48) - (1ull << 42), MMU_NON_CANONICAL);
	CHECK_HOLE(walk(w, 0xfffffbffffffffff), 1ull << 48, -(1ull << 48) - (1ull << 42), MMU_NON_CANONICAL);
	CHECK_HOLE(walk(w, 0xfffffc0000000000), 0xfffffc0000000000, 512 * GIB, MMU_NOT_PRESENT);
	w->ctx.tcr = (w->ctx.tcr & ~(63ull << 16)) | T1SZ(48);
	CHECK_PAGE(walk(w, 0xffff800010000abc), 0xffff800010000000, 4096, 0x6000, RWX);
	CHECK_EQ(walk(w, 0xffff800010000abc).entry_at[0].raw, w->ctx.ttbr1 + 256 * 8);
}

/* What levels a size makes: the number of the first, and how many entries its table has. */
TEST(size_and_granule_decide_the_first_level_and_the_size_of_its_table)
{
	static const struct {
		uint64_t tg0;
		unsigned bits, page_bits, first_index_bits;
		int top;
		uint64_t ds;
	} cases[] = {
		{ TG0_4K, 48, 12, 9, 0, 0 },   { TG0_4K, 39, 12, 9, 1, 0 },   { TG0_4K, 40, 12, 1, 0, 0 },
		{ TG0_4K, 31, 12, 1, 1, 0 },   { TG0_4K, 30, 12, 9, 2, 0 },   { TG0_4K, 25, 12, 4, 2, 0 },
		{ TG0_4K, 21, 12, 9, 3, 0 },   { TG0_4K, 16, 12, 4, 3, 0 },   { TG0_4K, 52, 12, 4, -1, DS },
		{ TG0_4K, 49, 12, 1, -1, DS }, { TG0_16K, 47, 14, 11, 1, 0 }, { TG0_16K, 48, 14, 1, 0, 0 },
		{ TG0_16K, 36, 14, 11, 2, 0 }, { TG0_16K, 52, 14, 5, 0, DS }, { TG0_64K, 42, 16, 13, 2, 0 },
		{ TG0_64K, 48, 16, 6, 1, 0 },  { TG0_64K, 52, 16, 10, 1, 0 }, { TG0_64K, 29, 16, 13, 3, 0 },
		{ TG0_64K, 17, 16, 1, 3, 0 },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		_cleanup_(world_freep) struct world *w = world_new();
		uint64_t entries = 1ull << cases[i].first_index_bits, table = table_new(w, MAX(entries * 8, 64));
		struct mmu_xlat x;

		w->ctx.tcr = cases[i].tg0 | T0SZ(cases[i].bits) | IPS(SIZE_48) | cases[i].ds | EPD1;
		w->ctx.ttbr0 = table | 1;
		x = walk(w, (1ull << cases[i].bits) - 1);
		CHECK_EQ(x.top_level, cases[i].top);
		CHECK_EQ(x.nlevels, 1);
		CHECK_EQ(x.entry_at[0].raw, table + (entries - 1) * 8);
		CHECK_EQ(x.size, 1ull << (cases[i].bits - cases[i].first_index_bits));
		CHECK_EQ(x.start.raw, (1ull << cases[i].bits) - x.size);
		CHECK_EQ(x.why, MMU_NOT_PRESENT);
	}
}

TEST(the_upper_half_counts_its_granules_in_another_way)
{
	static const struct {
		uint64_t tg1;
		unsigned page_bits;
	} cases[] = { { TG1_4K, 12 }, { TG1_16K, 14 }, { TG1_64K, 16 } };

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		_cleanup_(world_freep) struct world *w = world_new();
		unsigned page = cases[i].page_bits, bits = 2 * page - 3; // one level
		uint64_t table = table_new(w, 1ull << page);

		w->ctx.tcr = cases[i].tg1 | T1SZ(bits) | IPS(SIZE_48) | EPD0;
		w->ctx.ttbr1 = table;
		put(w, table, (1u << (page - 3)) - 1, 0x7f0000 | VALID | PAGE);
		CHECK_PAGE(walk(w, UINT64_MAX), -(1ull << page), 1ull << page, 0x7f0000, RWX);
	}
}

TEST(a_half_without_walks_and_one_with_bad_sizes_are_holes)
{
	_cleanup_(world_freep) struct world *w = world_4k(48);
	uint64_t half = 1ull << 55;

	w->ctx.tcr |= EPD0;
	CHECK_HOLE(walk(w, 0x1000), 0, 1ull << 48, MMU_WALK_OFF);
	CHECK_HOLE(walk(w, UINT64_MAX), -(512 * GIB), 512 * GIB, MMU_NOT_PRESENT);
	w->ctx.tcr = T0SZ(49) | T1SZ(48) | TG1_4K | IPS(SIZE_48); // 52 bits need 64K pages, or DS
	CHECK_HOLE(walk(w, 0x1000), 0, half, MMU_BAD_CONFIG);
	CHECK_HOLE(walk(w, UINT64_MAX), -(512 * GIB), 512 * GIB, MMU_NOT_PRESENT);
	CHECK_HOLE(walk(w, 0x0100000000000000), 0x0100000000000000, half, MMU_BAD_CONFIG);
	w->ctx.tcr |= EPD0;
	CHECK_HOLE(walk(w, 0x1000), 0, half, MMU_WALK_OFF);
	w->ctx.tcr = T0SZ(15) | IPS(SIZE_48);
	CHECK_HOLE(walk(w, 0x1000), 0, half, MMU_BAD_CONFIG);
	w->ctx.tcr = T0SZ(24) | IPS(SIZE_48); // needs FEAT_TTST
	CHECK(walk(w, 0x1000).why != MMU_BAD_CONFIG);
	w->ctx.mmfr0 = SIZE_48;
	CHECK_HOLE(walk(w, 0x1000), 0, half, MMU_BAD_CONFIG);
	w->ctx.mmfr2 = SMALL_TABLES;
	CHECK(walk(w, 0x1000).why != MMU_BAD_CONFIG);
	w->ctx.tcr = T0SZ(52) | TG0_64K | IPS(SIZE_48); // needs FEAT_LVA
	CHECK_HOLE(walk(w, 0x1000), 0, half, MMU_BAD_CONFIG);
	w->ctx.mmfr2 = VARANGE_52;
	CHECK(walk(w, 0x1000).why != MMU_BAD_CONFIG);
	w->ctx.tcr2 = BIT64(5); // 128-bit entries
	CHECK_HOLE(walk(w, 0x1000), 0, half, MMU_BAD_CONFIG);
}

/* ---- entries ---- */

TEST(blocks_are_where_the_granule_has_them_and_faults_elsewhere)
{
	static const struct {
		uint64_t tg0, more;
		unsigned bits, page_bits, phys;
		int level, ok; /* a block at this level */
	} cases[] = {
		{ TG0_4K, 0, 48, 12, SIZE_48, 0, 0 },   { TG0_4K, 0, 48, 12, SIZE_48, 1, 1 },
		{ TG0_4K, 0, 48, 12, SIZE_48, 2, 1 },   { TG0_4K, 0, 48, 12, SIZE_48, 3, 0 },
		{ TG0_4K, DS, 52, 12, SIZE_52, -1, 0 }, { TG0_4K, DS, 52, 12, SIZE_52, 0, 1 },
		{ TG0_4K, DS, 52, 12, SIZE_52, 1, 1 },  { TG0_16K, 0, 48, 14, SIZE_48, 0, 0 },
		{ TG0_16K, 0, 48, 14, SIZE_48, 1, 0 },  { TG0_16K, 0, 48, 14, SIZE_48, 2, 1 },
		{ TG0_16K, 0, 48, 14, SIZE_48, 3, 0 },  { TG0_16K, DS, 52, 14, SIZE_52, 0, 0 },
		{ TG0_16K, DS, 52, 14, SIZE_52, 1, 1 }, { TG0_64K, 0, 48, 16, SIZE_48, 1, 0 },
		{ TG0_64K, 0, 48, 16, SIZE_48, 2, 1 },  { TG0_64K, 0, 48, 16, SIZE_52, 1, 1 },
		{ TG0_64K, 0, 52, 16, SIZE_52, 1, 1 },  { TG0_64K, 0, 48, 16, SIZE_48, 3, 0 },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		_cleanup_(world_freep) struct world *w = world_new();
		unsigned page = cases[i].page_bits, stride = page - 3;
		int top = 3 - (int)((cases[i].bits - 1 - page) / stride);
		uint64_t size = 1ull << (page + (3 - cases[i].level) * stride);
		uint64_t table = table_new(w, 1ull << page);

		w->ctx.mmfr0 = cases[i].phys | LPA2_GRANULES;
		w->ctx.mmfr2 = VARANGE_52;
		w->ctx.tcr = cases[i].tg0 | cases[i].more | T0SZ(cases[i].bits) | IPS(cases[i].phys) | EPD1;
		w->ctx.ttbr0 = table;
		for (int level = top; level < cases[i].level; level++) {
			uint64_t next = table_new(w, 1ull << page);

			put(w, table, 0, next | VALID | TABLE);
			table = next;
		}
		put(w, table, 1, size | VALID | AF);
		if (cases[i].ok)
			CHECK_PAGE(walk(w, size + 0x123), size, size, size, RWX);
		else
			CHECK_HOLE(walk(w, size + 0x123), size, size, MMU_RESERVED_BIT);
	}
}

TEST(a_contiguous_group_is_answered_page_by_page)
{
	_cleanup_(world_freep) struct world *w = world_4k(48);
	uint64_t last = chain(w, w->ctx.ttbr0, 0, 0);

	for (unsigned i = 0; i < 16; i++)
		put(w, last, i, (0x10000 + i * 4096) | VALID | PAGE | AF | CONTIGUOUS);
	CHECK_PAGE(walk(w, 0x5123), 0x5000, 4096, 0x15000, RWX);
}

TEST(the_access_flag_hides_nothing_from_a_debugger)
{
	_cleanup_(world_freep) struct world *w = world_4k(39);
	uint64_t last = chain(w, w->ctx.ttbr1, 1, -4096ull);

	put(w, last, 511, 0xabc000 | VALID | PAGE);
	CHECK_PAGE(walk(w, UINT64_MAX), -4096ull, 4096, 0xabc000, RWX);
}

TEST(addresses_beyond_the_output_size_fault_at_every_level)
{
	_cleanup_(world_freep) struct world *w = world_4k(39);
	uint64_t table = w->ctx.ttbr0, last;

	last = chain(w, table, 1, 0);
	put(w, last, 0, BIT64(40) | VALID | PAGE);
	put(w, last, 1, BIT64(39) | VALID | PAGE);
	put(w, table, 1, BIT64(40) | VALID | TABLE);
	put(w, table, 2, BIT64(47) | VALID);
	w->ctx.mmfr0 = SIZE_40; // less than IPS says
	CHECK_HOLE(walk(w, 0), 0, 4096, MMU_ADDRESS_SIZE);
	CHECK_PAGE(walk(w, 0x1000), 0x1000, 4096, BIT64(39), RWX);
	CHECK_HOLE(walk(w, GIB), GIB, GIB, MMU_ADDRESS_SIZE);
	CHECK_HOLE(walk(w, 2 * GIB), 2 * GIB, GIB, MMU_ADDRESS_SIZE);
	w->ctx.ttbr0 |= BIT64(41);
	CHECK_HOLE(walk(w, 0), 0, 1ull << 39, MMU_ADDRESS_SIZE);
	CHECK_EQ(walk(w, 0).nlevels, 0);
	w->ctx.mmfr0 = SIZE_48;
	w->ctx.tcr = T0SZ(39) | IPS(SIZE_36) | EPD1;
	CHECK_HOLE(walk(w, 0), 0, 1ull << 39, MMU_ADDRESS_SIZE);
	w->ctx.ttbr0 = table;
	CHECK_HOLE(walk(w, 0x1000), 0x1000, 4096, MMU_ADDRESS_SIZE);
}

TEST(a_short_first_table_ignores_only_the_address_bits_below_its_size)
{
	_cleanup_(world_freep) struct world *w = world_new();
	uint64_t page = table_new(w, 4096), table = page + 0x7c0;

	w->ctx.tcr = T0SZ(41) | IPS(SIZE_48) | EPD1; // 4 entries at level 0
	w->ctx.ttbr0 = table + 0x1f;
	put(w, table, 3, 0x777000 | VALID);
	CHECK_EQ(walk(w, 3ull << 39).entry_at[0].raw, table + 24);
	w->ctx.tcr = T0SZ(41) | IPS(SIZE_52) | EPD1 | DS; // then the low bits are those of the address above 48
	w->ctx.ttbr0 = table | 0xf << 2;
	w->base |= 0xfull << 48;
	CHECK_EQ(walk(w, 3ull << 39).entry_at[0].raw, (table | 0xfull << 48) + 24);
}

TEST(lpa_has_address_bits_48_to_51_in_bits_12_to_15)
{
	_cleanup_(world_freep) struct world *w = world_new();
	uint64_t top, last;

	w->base = 0x5000001000000;
	w->ctx.mmfr0 = SIZE_52;
	w->ctx.mmfr2 = VARANGE_52;
	w->ctx.tcr = TG0_64K | TG1_64K | T0SZ(42) | T1SZ(52) | IPS(SIZE_52);
	top = table_new(w, 0x10000);
	last = table_new(w, 0x10000);
	w->ctx.ttbr0 = (top & (BIT64(48) - 1)) | 5 << 2 | 1;
	put(w, top, 3, (last & (BIT64(48) - 1)) | 5 << 12 | VALID | TABLE);
	put(w, last, 2, 0xabcdef010000 | 0xd << 12 | VALID | PAGE);
	CHECK_PAGE(walk(w, 3ull << 29 | 0x2ffff), 3ull << 29 | 0x20000, 0x10000, 0xdabcdef010000, RWX);
	// a block of 4 TiB in 52-bit tables, whose first has 1024 entries
	w->ctx.ttbr1 = w->ctx.ttbr0;
	put(w, top, 1023, 0x7c0000000000 | 2 << 12 | VALID);
	CHECK_PAGE(walk(w, UINT64_MAX), -(1ull << 42), 1ull << 42, 0x27c0000000000, RWX);
	CHECK_HOLE(walk(w, 0xffefffffffffffff), 1ull << 42, -(1ull << 42) - (1ull << 52), MMU_NON_CANONICAL);
	// a machine with 52 bits that is set to 48: those bits are beyond
	w->ctx.tcr = TG0_64K | T0SZ(42) | IPS(SIZE_48) | EPD1;
	w->base &= BIT64(48) - 1;
	put(w, top & (BIT64(48) - 1), 3, (last & (BIT64(48) - 1)) | VALID | TABLE);
	CHECK_HOLE(walk(w, 3ull << 29 | 0x2ffff), 3ull << 29 | 0x20000, 0x10000, MMU_ADDRESS_SIZE);
	// without FEAT_LPA they are nothing
	w->ctx.mmfr0 = SIZE_48;
	CHECK_PAGE(walk(w, 3ull << 29 | 0x2ffff), 3ull << 29 | 0x20000, 0x10000, 0xabcdef010000, RWX);
}

TEST(lpa2_has_address_bits_50_and_51_in_bits_8_and_9)
{
	_cleanup_(world_freep) struct world *w = world_new();
	uint64_t top, l0, last;

	w->base = 0xb000001000000;
	w->ctx.mmfr0 = SIZE_52 | LPA2_GRANULES;
	w->ctx.tcr = TG0_4K | T0SZ(52) | IPS(SIZE_52) | DS | EPD1;
	top = table_new(w, 128); // level -1 has 16 entries
	l0 = table_new(w, 4096);
	w->ctx.ttbr0 = (top & (BIT64(48) - 1)) | 0xb << 2 | 1;
	put(w, top, 15, (l0 & (BIT64(50) - 1)) | 2 << 8 | VALID | TABLE);
	CHECK_HOLE(walk(w, 0), 0, 1ull << 48, MMU_NOT_PRESENT);
	put(w, l0, 511, 0x3ff8000000000 | 1 << 8 | VALID);
	CHECK_PAGE(walk(w, BIT64(52) - 1), BIT64(52) - (512 * GIB), 512 * GIB, 0x7ff8000000000, RWX);
	last = l0;
	for (int level = 0; level < 3; level++) {
		uint64_t next = table_new(w, 4096);

		put(w, last, 0, (next & (BIT64(50) - 1)) | 2 << 8 | VALID | TABLE);
		last = next;
	}
	put(w, last, 1, 0x2345678901000 | 3 << 8 | VALID | PAGE);
	CHECK_PAGE(walk(w, 15ull << 48 | 0x1fff), 15ull << 48 | 0x1000, 4096, 0xe345678901000, RWX);
	CHECK_EQ(walk(w, 15ull << 48).nlevels, 5);
	CHECK_EQ(walk(w, 15ull << 48).top_level, -1);
}

TEST(ds_is_nothing_to_a_processor_without_lpa2_for_the_granule)
{
	_cleanup_(world_freep) struct world *w = world_new();
	uint64_t last;

	w->ctx.mmfr0 = SIZE_52;
	w->ctx.tcr = TG0_4K | T0SZ(48) | IPS(SIZE_52) | DS | EPD1;
	w->ctx.ttbr0 = table_new(w, 4096);
	last = chain(w, w->ctx.ttbr0, 0, 0);
	put(w, last, 1, 0xabcd1000 | 3 << 8 | VALID | PAGE); // inner shareable
	CHECK_PAGE(walk(w, 0x1000), 0x1000, 4096, 0xabcd1000, RWX);
	w->ctx.mmfr0 |= LPA2_GRANULES;
	CHECK_PAGE(walk(w, 0x1000), 0x1000, 4096, 0xc0000abcd1000, RWX);
}

/* ---- rights ---- */

TEST(rights_follow_the_leaf_and_the_tables_above_it)
{
	static const struct {
		uint64_t leaf, table, tcr, sctlr;
		uint8_t perm;
	} cases[] = {
		{ UXN | PXN, 0, 0, 0, RW },                     // kernel data
		{ AP_RO | UXN, 0, 0, 0, RX },                   // kernel text
		{ AP_USER | UXN | PXN, 0, 0, 0, RW | MMU_U },   // user data
		{ AP_USER | AP_RO | PXN, 0, 0, 0, RX | MMU_U }, // user text
		{ AP_RO | PXN, 0, 0, 0, RX },                   // execute-only for user mode
		{ AP_USER | UXN, 0, 0, 0, RW | MMU_U },         // the kernel does not execute what user mode writes
		{ AP_USER | AP_RO | UXN, 0, 0, 0, RX | MMU_U }, // but this it does
		{ 0, AP_TABLE_RO, 0, 0, RX },
		{ AP_USER, AP_TABLE_NO_USER, 0, 0, RWX },
		{ AP_USER, AP_TABLE_NO_USER | UXN_TABLE | PXN_TABLE, HPD0, 0, FULL },
		{ 0, UXN_TABLE, 0, 0, RWX },
		{ 0, UXN_TABLE | PXN_TABLE, 0, 0, RW },
		{ UXN, PXN_TABLE, 0, 0, RW },
		{ AP_USER, 0, 0, WXN, RW | MMU_U },
		{ AP_USER | AP_RO, 0, 0, WXN, RX | MMU_U },
		{ UXN, 0, 0, WXN, RW },
		{ 0, 0, 0, WXN, RWX },                         // user mode can execute it and not write it
		{ AP_USER | AP_RO | PXN, 0, E0PD0, 0, MMU_R }, // user mode reaches nothing of the half
		{ AP_USER, 0, E0PD0, 0, RWX },
		{ AP_USER, 0, E0PD1 | HPD1, 0, FULL },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		_cleanup_(world_freep) struct world *w = world_4k(39);
		uint64_t l2 = table_new(w, 4096), l3 = table_new(w, 4096);

		w->ctx.tcr |= cases[i].tcr;
		w->ctx.sctlr |= cases[i].sctlr;
		put(w, w->ctx.ttbr0, 0, l2 | VALID | TABLE | cases[i].table);
		put(w, l2, 0, l3 | VALID | TABLE);
		put(w, l3, 0, 0x5000 | VALID | PAGE | AF | cases[i].leaf);
		CHECK_PAGE(walk(w, 0), 0, 4096, 0x5000, cases[i].perm);
		put(w, w->ctx.ttbr0, 0, l2 | VALID | TABLE);
		put(w, l2, 0, l3 | VALID | TABLE | cases[i].table);
		CHECK_PAGE(walk(w, 0), 0, 4096, 0x5000, cases[i].perm);
	}
}

TEST(indirect_permissions_come_from_the_pir_registers)
{
	_cleanup_(world_freep) struct world *w = world_4k(39);
	uint64_t l3 = chain(w, w->ctx.ttbr0, 1, 0);

	w->ctx.tcr2 = BIT64(1);
	w->ctx.pir = 0x1ull << 4 * 5 | 0xaull << 4 * 15;
	w->ctx.pire0 = 0x5ull << 4 * 5;
	put(w, l3, 0, 0x5000 | VALID | PAGE | PXN | BIT64(6)); // index 5: bits 54, 53, 51, 6
	put(w, l3, 1, 0x6000 | VALID | PAGE | PXN | UXN | BIT64(51) | BIT64(6));
	put(w, l3, 2, 0x7000 | VALID | PAGE | BIT64(51));
	CHECK_PAGE(walk(w, 0), 0, 4096, 0x5000, RW | MMU_U);
	CHECK_PAGE(walk(w, 0x1000), 0x1000, 4096, 0x6000, RX);
	CHECK_PAGE(walk(w, 0x2000), 0x2000, 4096, 0x7000, 0);
	w->ctx.tcr |= E0PD0;
	CHECK_PAGE(walk(w, 0), 0, 4096, 0x5000, MMU_R);
}

/* ---- tags ---- */

TEST(with_tbi_an_answer_has_the_tag_of_the_question)
{
	_cleanup_(world_freep) struct world *w = world_4k(48);
	uint64_t low = chain(w, w->ctx.ttbr0, 0, 0), high = chain(w, w->ctx.ttbr1, 0, UINT64_MAX);
	uint64_t gap = (1ull << 55) - (1ull << 48);

	put(w, low, 1, 0x5000 | VALID | PAGE);
	put(w, high, 511, 0x6000 | VALID | PAGE);
	w->ctx.tcr |= TBI0;
	CHECK_PAGE(walk(w, 0x7700000000001234), 0x7700000000001000, 4096, 0x5000, RWX);
	CHECK_HOLE(walk(w, 0x7701000000000000), 0x7701000000000000, gap, MMU_NON_CANONICAL);
	CHECK_HOLE(walk(w, 0x77ffffffffffffff), 0x7780000000000000, 1ull << 55, MMU_NON_CANONICAL);
	CHECK_HOLE(walk(w, 0xff80000000000000), 0xff80000000000000, gap, MMU_NON_CANONICAL);
	CHECK_PAGE(walk(w, UINT64_MAX), -4096ull, 4096, 0x6000, RWX);
	w->ctx.tcr |= TBI1;
	CHECK_PAGE(walk(w, 0x77ffffffffffffff), 0x77fffffffffff000, 4096, 0x6000, RWX);
	CHECK_HOLE(walk(w, 0x7780000000000000), 0x7780000000000000, gap, MMU_NON_CANONICAL);
	w->ctx = mmu_arm64_canonical(&w->ctx);
	CHECK_HOLE(walk(w, 0x7700000000001234), 1ull << 48, -(1ull << 49), MMU_NON_CANONICAL);
	CHECK_PAGE(walk(w, 0x1234), 0x1000, 4096, 0x5000, RWX);
}

/* ---- other regimes ---- */

TEST(el2_has_one_range_its_own_tcr_and_no_user)
{
	_cleanup_(world_freep) struct world *w = world_new();
	uint64_t l2, l3;

	w->ctx.regime = MMU_ARM64_EL2;
	w->ctx.tcr = TG0_4K | T0SZ(39) | PS(SIZE_40);
	w->ctx.ttbr0 = table_new(w, 4096);
	w->ctx.ttbr1 = 0xdead000; // of nobody
	l2 = table_new(w, 4096);
	l3 = table_new(w, 4096);
	put(w, w->ctx.ttbr0, 0, l2 | VALID | TABLE);
	put(w, l2, 0, l3 | VALID | TABLE);
	put(w, l3, 0, 0x5000 | VALID | PAGE | AF | AP_USER);
	put(w, l3, 1, 0x6000 | VALID | PAGE | AF | AP_USER | AP_RO | UXN);
	put(w, l3, 2, BIT64(41) | VALID | PAGE);
	CHECK_PAGE(walk(w, 0), 0, 4096, 0x5000, RWX);
	CHECK_PAGE(walk(w, 0x1000), 0x1000, 4096, 0x6000, MMU_R);
	CHECK_HOLE(walk(w, 0x2000), 0x2000, 4096, MMU_ADDRESS_SIZE);
	CHECK_HOLE(walk(w, UINT64_MAX), 1ull << 39, -(1ull << 39), MMU_OUT_OF_RANGE);
	put(w, l2, 0, l3 | VALID | TABLE | UXN_TABLE | AP_TABLE_RO);
	CHECK_PAGE(walk(w, 0), 0, 4096, 0x5000, MMU_R);
	w->ctx.tcr |= EL2_HPD | EL2_TBI;
	CHECK_PAGE(walk(w, 0x1200000000000000), 0x1200000000000000, 4096, 0x5000, RWX);
	CHECK_HOLE(walk(w, 0x12ffffffffffffff), 0x1200008000000000, (1ull << 56) - (1ull << 39), MMU_OUT_OF_RANGE);
	w->ctx.tcr = TG0_4K | T0SZ(52) | PS(SIZE_52) | EL2_DS;
	w->ctx.ttbr0 = table_new(w, 4096);
	CHECK_EQ(walk(w, 0).top_level, -1);
}

TEST(a_host_in_el2_has_two_halves_as_el1)
{
	_cleanup_(world_freep) struct world *w = world_4k(48);
	uint64_t high = chain(w, w->ctx.ttbr1, 0, UINT64_MAX);

	w->ctx.regime = MMU_ARM64_EL20;
	put(w, high, 511, 0x6000 | VALID | PAGE | AP_USER);
	CHECK_PAGE(walk(w, UINT64_MAX), -4096ull, 4096, 0x6000, FULL);
}

TEST(big_endian_tables_are_read_as_such)
{
	_cleanup_(world_freep) struct world *w = world_4k(39);
	uint64_t last;

	w->big_endian = true;
	w->ctx.sctlr |= EE;
	last = chain(w, w->ctx.ttbr0, 1, 0);
	put(w, last, 0, 0x5000 | VALID | PAGE);
	CHECK_PAGE(walk(w, 0), 0, 4096, 0x5000, RWX);
	CHECK_EQ(walk(w, 0).entry[2], 0x5003);
}

TEST(a_table_that_cannot_be_read_is_an_error_and_out_stays)
{
	_cleanup_(world_freep) struct world *w = world_4k(48);
	struct mmu_xlat x, before;

	memset(&x, 0x5a, sizeof(x));
	before = x;
	put(w, w->ctx.ttbr0, 3, 0x7777000 | VALID | TABLE);
	CHECK_EQ(mmu_arm64_walk(&w->ctx, read_world, w, GVA(3ull << 39), &x), -EFAULT);
	CHECK_MEM(&x, &before, sizeof(x));
}

TESTS(T(with_stage_1_off_an_address_is_itself_up_to_the_physical_size),
      T(with_stage_1_off_the_top_byte_is_ignored_as_the_tcr_says),
      T(bit_55_chooses_the_table_and_the_gap_between_the_halves_is_a_hole),
      T(size_and_granule_decide_the_first_level_and_the_size_of_its_table),
      T(the_upper_half_counts_its_granules_in_another_way), T(a_half_without_walks_and_one_with_bad_sizes_are_holes),
      T(blocks_are_where_the_granule_has_them_and_faults_elsewhere), T(a_contiguous_group_is_answered_page_by_page),
      T(the_access_flag_hides_nothing_from_a_debugger), T(addresses_beyond_the_output_size_fault_at_every_level),
      T(a_short_first_table_ignores_only_the_address_bits_below_its_size),
      T(lpa_has_address_bits_48_to_51_in_bits_12_to_15), T(lpa2_has_address_bits_50_and_51_in_bits_8_and_9),
      T(ds_is_nothing_to_a_processor_without_lpa2_for_the_granule), T(rights_follow_the_leaf_and_the_tables_above_it),
      T(indirect_permissions_come_from_the_pir_registers), T(with_tbi_an_answer_has_the_tag_of_the_question),
      T(el2_has_one_range_its_own_tcr_and_no_user), T(a_host_in_el2_has_two_halves_as_el1),
      T(big_endian_tables_are_read_as_such), T(a_table_that_cannot_be_read_is_an_error_and_out_stays))
