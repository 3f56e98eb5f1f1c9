/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "mmu_arm64_world.h"

#define MIB (1ull << 20)
#define GIB (1ull << 30)

TEST(sl0_and_the_size_decide_the_first_level_and_how_many_tables_it_has)
{
	// clang-format off
	static const struct {
		uint64_t tg0, sl0;
		unsigned bits, first_index_bits;
		int top;
	} cases[] = {
		{ TG0_4K, SL0(1), 40, 10, 1 },                // two tables side by side, as KVM has it
		{ TG0_4K, SL0(1), 43, 13, 1 },                // sixteen
		{ TG0_4K, SL0(1), 39, 9, 1 },                 // one
		{ TG0_4K, SL0(1), 32, 2, 1 },                 // a part of one
		{ TG0_4K, SL0(0), 34, 13, 2 },
		{ TG0_4K, SL0(2), 48, 9, 0 },
		{ TG0_4K, SL0(2), 44, 5, 0 },
		{ TG0_4K, SL0(3), 25, 13, 3 },                // small tables
		{ TG0_4K, SL0(0) | SL2 | EL2_DS, 52, 4, -1 },
		{ TG0_4K, SL0(2) | EL2_DS, 52, 13, 0 },
		{ TG0_16K, SL0(1), 40, 15, 2 },
		{ TG0_16K, SL0(2), 47, 11, 1 },
		{ TG0_16K, SL0(3) | EL2_DS, 52, 5, 0 },
		{ TG0_16K, SL0(0), 25, 11, 3 },
		{ TG0_64K, SL0(1), 42, 13, 2 },
		{ TG0_64K, SL0(2), 52, 10, 1 },
		{ TG0_64K, SL0(0), 29, 13, 3 },
	};
	// clang-format on

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		_cleanup_(world_freep) struct world *w = world_new();
		uint64_t entries = 1ull << cases[i].first_index_bits, table = table_new(w, MAX(entries * 8, 64));
		uint64_t ipa = (1ull << cases[i].bits) - 1;
		struct mmu_xlat x;

		w->s2.vtcr = cases[i].tg0 | cases[i].sl0 | T0SZ(cases[i].bits) | PS(SIZE_48);
		w->s2.vttbr = table | 7ull << 48 | 1; // VMID, CnP
		x = walk_s2(w, ipa);
		CHECK_STR(mmu_why_text(x.why), mmu_why_text(MMU_NOT_PRESENT));
		CHECK_EQ(x.top_level, cases[i].top);
		CHECK_EQ(x.entry_at[0].raw, table + (entries - 1) * 8);
		CHECK_EQ(x.size, 1ull << (cases[i].bits - cases[i].first_index_bits));
		CHECK_EQ(x.start.raw, ipa + 1 - x.size);
		CHECK_HOLE(walk_s2(w, ipa + 1), ipa + 1, -(ipa + 1), MMU_OUT_OF_RANGE);
	}
}

TEST(registers_that_do_not_go_together_leave_nothing_mapped)
{
	// clang-format off
	static const struct {
		uint64_t vtcr;
		unsigned bits;
	} cases[] = {
		{ TG0_4K | SL0(1), 44 },                // 32 tables
		{ TG0_4K | SL0(1), 30 },                // not so much as one index bit
		{ TG0_4K | SL0(0), 35 },
		{ TG0_4K | SL0(1) | SL2 | EL2_DS, 52 }, // SL2 goes with SL0 0
		{ TG0_4K | SL0(2), 49 },                // too large without DS
		{ TG0_16K | SL0(3), 48 },               // level 0 needs DS
		{ TG0_64K | SL0(3), 48 },               // reserved
	};
	// clang-format on

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		_cleanup_(world_freep) struct world *w = world_new();

		w->s2.vtcr = cases[i].vtcr | T0SZ(cases[i].bits) | PS(SIZE_48);
		w->s2.vttbr = table_new(w, 4096);
		CHECK_HOLE(walk_s2(w, 0x1000), 0, 0, MMU_BAD_CONFIG);
		CHECK_EQ(w->nreads, 0);
	}
}

/* As KVM sets it up for 40 bits: level 1 with two tables. */
static struct world *world_40(void)
{
	struct world *w = world_new();

	w->s2.vtcr = TG0_4K | SL0(1) | T0SZ(40) | PS(SIZE_40);
	w->s2.vttbr = table_new(w, 8192);
	return w;
}

TEST(rights_are_s2ap_and_xn)
{
	static const struct {
		uint64_t leaf;
		uint8_t perm;
	} cases[] = {
		{ 0, MMU_X },
		{ S2_R, RX },
		{ S2_W, MMU_W | MMU_X },
		{ S2_R | S2_W, RWX },
		{ S2_R | S2_W | UXN, RW },
		{ S2_R | S2_W | PXN, RWX },
		{ S2_R | UXN | PXN, RX },
		{ S2_R | CONTIGUOUS, RX },
	};
	_cleanup_(world_freep) struct world *w = world_40();
	uint64_t l2 = table_new(w, 4096);

	// Table entries have no rights here, whatever bits they have.
	put(w, w->s2.vttbr, 513, l2 | VALID | TABLE | UXN_TABLE | PXN_TABLE | AP_TABLE_RO | AP_TABLE_NO_USER);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		put(w, l2, i, (0x40000000 + i * 2 * MIB) | VALID | cases[i].leaf);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		CHECK_PAGE(walk_s2(w, 513 * GIB + i * 2 * MIB + 0x12345), 513 * GIB + i * 2 * MIB, 2 * MIB,
			   0x40000000 + i * 2 * MIB, cases[i].perm);
	CHECK_HOLE(walk_s2(w, 0), 0, GIB, MMU_NOT_PRESENT);
}

TEST(physical_size_and_byte_order_count_as_in_stage_1)
{
	_cleanup_(world_freep) struct world *w = world_40();

	w->big_endian = w->s2.big_endian = true;
	put(w, w->s2.vttbr, 0, BIT64(40) | VALID);
	put(w, w->s2.vttbr, 1, BIT64(39) | VALID | S2_R);
	CHECK_HOLE(walk_s2(w, 0), 0, GIB, MMU_ADDRESS_SIZE);
	CHECK_PAGE(walk_s2(w, GIB), GIB, GIB, BIT64(39), RX);
	w->s2.vttbr |= BIT64(45);
	CHECK_HOLE(walk_s2(w, 0), 0, BIT64(40), MMU_ADDRESS_SIZE);
}

TEST(a_stage_2_table_that_cannot_be_read_is_an_error)
{
	_cleanup_(world_freep) struct world *w = world_40();
	struct mmu_xlat x;

	w->s2.vttbr = 0x10000;
	CHECK_EQ(mmu_arm64_s2_walk(&w->s2, read_world, w, GPA(0), &x), -EFAULT);
}

/* ---- both stages ---- */

#define IPA_SHIFT 0x40000000ull /* intermediate addresses are so much below physical ones, in the first GiB */

/* Stage 2 maps [0, 1 GiB) to IPA_SHIFT in blocks of 2 MiB; stage 1 has its tables there. */
static struct world *world_nested(void)
{
	struct world *w = world_40();
	uint64_t l2;

	w->base += IPA_SHIFT;
	w->s2.vttbr += IPA_SHIFT;
	l2 = table_new(w, 4096);
	put(w, w->s2.vttbr, 0, l2 | VALID | TABLE);
	for (unsigned i = 0; i < 512; i++)
		put(w, l2, i, (IPA_SHIFT + i * 2 * MIB) | VALID | S2_R | S2_W | (i & 1 ? UXN : 0));
	put(w, l2, 511, 0);
	w->ctx.tcr = TG0_4K | T0SZ(39) | IPS(SIZE_40) | EPD1;
	w->ctx.ttbr0 = table_new(w, 4096) - IPA_SHIFT;
	return w;
}

TEST(tables_and_pages_of_stage_1_go_through_stage_2)
{
	_cleanup_(world_freep) struct world *w = world_nested();
	uint64_t l1 = w->ctx.ttbr0 + IPA_SHIFT, l2 = table_new(w, 4096), l3 = table_new(w, 4096);

	put(w, l1, 0, (l2 - IPA_SHIFT) | VALID | TABLE);
	put(w, l2, 0, (l3 - IPA_SHIFT) | VALID | TABLE);
	put(w, l3, 1, 0x203000 | VALID | PAGE | AP_USER);
	put(w, l3, 2, 0x1000 | VALID | PAGE | AP_RO);
	put(w, l3, 3, 0x3fe01000 | VALID | PAGE); // not in stage 2
	put(w, l1, 1, 0 | VALID);                 // 1 GiB here, blocks of 2 MiB there
	CHECK_PAGE(walk_nested(w, 0x1abc), 0x1000, 4096, IPA_SHIFT + 0x203000, RW | MMU_U);
	CHECK_PAGE(walk_nested(w, 0x2abc), 0x2000, 4096, IPA_SHIFT + 0x1000, RX);
	CHECK_HOLE(walk_nested(w, 0x3abc), 0x3000, 4096, MMU_STAGE2);
	CHECK_HOLE(walk_nested(w, 0x4abc), 0x4000, 4096, MMU_NOT_PRESENT);
	CHECK_PAGE(walk_nested(w, GIB + 0x412345), GIB + 0x400000, 2 * MIB, IPA_SHIFT + 0x400000, RWX);
	CHECK_HOLE(walk_nested(w, 2 * GIB - 1), 2 * GIB - 2 * MIB, 2 * MIB, MMU_STAGE2);
	CHECK_EQ(walk_nested(w, 0x1abc).entry_at[0].raw, w->ctx.ttbr0);
	CHECK_EQ(walk_nested(w, 0x1abc).nlevels, 3);
}

TEST(with_stage_1_off_addresses_are_intermediate_ones)
{
	_cleanup_(world_freep) struct world *w = world_nested();

	w->ctx.sctlr = 0;
	CHECK_PAGE(walk_nested(w, 0x212345), 0x200000, 2 * MIB, IPA_SHIFT + 0x200000, RW | MMU_U);
	CHECK_HOLE(walk_nested(w, 4 * GIB), 4 * GIB, GIB, MMU_STAGE2);
	CHECK_HOLE(walk_nested(w, 3ull << 41), 3ull << 41, 1ull << 40, MMU_STAGE2); // above all of stage 2
	w->s2.vtcr = TG0_64K | SL0(3) | T0SZ(48);
	CHECK_HOLE(walk_nested(w, 0x1000), 0, 1ull << 52, MMU_STAGE2);
}

TEST(a_stage_1_table_that_stage_2_does_not_map_is_an_error)
{
	_cleanup_(world_freep) struct world *w = world_nested();
	struct mmu_xlat x;

	w->ctx.ttbr0 = 0x3fe00000;
	CHECK_EQ(mmu_arm64_nested_walk(&w->ctx, &w->s2, read_world, w, GVA(0), &x), -EFAULT);
}

TESTS(T(sl0_and_the_size_decide_the_first_level_and_how_many_tables_it_has),
      T(registers_that_do_not_go_together_leave_nothing_mapped), T(rights_are_s2ap_and_xn),
      T(physical_size_and_byte_order_count_as_in_stage_1), T(a_stage_2_table_that_cannot_be_read_is_an_error),
      T(tables_and_pages_of_stage_1_go_through_stage_2), T(with_stage_1_off_addresses_are_intermediate_ones),
      T(a_stage_1_table_that_stage_2_does_not_map_is_an_error))
