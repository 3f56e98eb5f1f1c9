/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "mmu_check.h"
#include "mmu_world.h"

static void put64(struct world *w, uint64_t table, unsigned index, uint64_t entry)
{
	put(w, table + 8 * index, entry, 8);
}

static void put32(struct world *w, uint64_t table, unsigned index, uint32_t entry)
{
	put(w, table + 4 * index, entry, 4);
}

/* A 4-level world in which @at leads down to a last-level table; returns that table. */
static uint64_t chain(struct world *w, uint64_t at, uint64_t upper_flags)
{
	uint64_t table = w->nframes ? w->base : frame_new(w);

	w->ctx.cr3 = table;
	for (unsigned shift = 39; shift > 12; shift -= 9) {
		uint64_t next = frame_new(w);
		put64(w, table, at >> shift & 511, next | upper_flags);
		table = next;
	}
	return table;
}

TEST(control_registers_select_the_mode)
{
	struct mmu_x86_ctx c = { .cr4 = CR4_PAE | CR4_LA57, .efer = EFER_LONG };

	CHECK_EQ(mmu_x86_mode(&c), MMU_X86_FLAT);
	c.cr0 = CR0_ON;
	CHECK_EQ(mmu_x86_mode(&c), MMU_X86_5LEVEL);
	c.cr4 = CR4_PAE;
	CHECK_EQ(mmu_x86_mode(&c), MMU_X86_4LEVEL);
	c.efer = EFER_NXE;
	CHECK_EQ(mmu_x86_mode(&c), MMU_X86_PAE);
	c.cr4 = CR4_LA57; // ignored outside long mode
	CHECK_EQ(mmu_x86_mode(&c), MMU_X86_32BIT);
}

TEST(flat_is_identity_for_4_gib_and_nothing_above)
{
	_cleanup_(world_freep) struct world *w = world_new(MMU_X86_FLAT);

	CHECK_PAGE(walk(w, 0xfffffff0), 0, 1ull << 32, 0, FULL);
	CHECK_PAGE(walk(w, 0), 0, 1ull << 32, 0, FULL);
	CHECK_HOLE(walk(w, 1ull << 32), 1ull << 32, -(1ull << 32), MMU_OUT_OF_RANGE);
	CHECK_HOLE(walk(w, UINT64_MAX), 1ull << 32, -(1ull << 32), MMU_OUT_OF_RANGE);
	CHECK_EQ(w->nreads, 0);
}

TEST(rights_are_the_weakest_of_all_levels)
{
	_cleanup_(world_freep) struct world *w = world_new(MMU_X86_4LEVEL);
	uint64_t pt = chain(w, 0, P | W | U);

	put64(w, pt, 0, 0x7000 | P | W | U);
	put64(w, pt, 1, 0x8000 | P | NX);
	CHECK_PAGE(walk(w, 0xfff), 0, 4096, 0x7000, FULL);
	CHECK_PAGE(walk(w, 0x1000), 0x1000, 4096, 0x8000, MMU_R);
	put64(w, w->base, 0, (w->base + 4096) | P | NX); // the PML4E
	CHECK_PAGE(walk(w, 0), 0, 4096, 0x7000, MMU_R);
}

TEST(nx_is_a_reserved_bit_while_nxe_is_off)
{
	_cleanup_(world_freep) struct world *w = world_new(MMU_X86_4LEVEL);
	uint64_t pt = chain(w, 0, P | W | U);

	w->ctx.efer &= ~(uint64_t)EFER_NXE;
	put64(w, pt, 0, 0x7000 | P | NX);
	put64(w, pt, 1, 0x7000 | P);
	CHECK_HOLE(walk(w, 0), 0, 4096, MMU_RESERVED_BIT);
	CHECK_PAGE(walk(w, 0x1000), 0x1000, 4096, 0x7000, MMU_R | MMU_X);
	put64(w, w->base + 2 * 4096, 0, (w->base + 3 * 4096) | P | NX); // the PDE
	CHECK_HOLE(walk(w, 0x1000), 0, 2 << 20, MMU_RESERVED_BIT);
}

TEST(a_hole_is_as_large_as_the_entry_that_decided)
{
	_cleanup_(world_freep) struct world *w = world_new(MMU_X86_4LEVEL);
	uint64_t top = 0xffffff8000000000;

	chain(w, UINT64_MAX, P);
	CHECK_HOLE(walk(w, 0x1234567), 0, 1ull << 39, MMU_NOT_PRESENT);
	CHECK_HOLE(walk(w, top), top, 1ull << 30, MMU_NOT_PRESENT);
	CHECK_HOLE(walk(w, UINT64_MAX - (1ull << 30)), 0xffffffff80000000, 1ull << 30, MMU_NOT_PRESENT);
	CHECK_HOLE(walk(w, UINT64_MAX - (1ull << 21)), 0xffffffffffc00000, 1ull << 21, MMU_NOT_PRESENT);
	CHECK_HOLE(walk(w, UINT64_MAX), UINT64_MAX - 4095, 4096, MMU_NOT_PRESENT);
	CHECK_EQ(walk(w, UINT64_MAX).nlevels, 4);
	CHECK_EQ(walk(w, 0).nlevels, 1);
}

TEST(the_last_page_of_the_address_space_is_a_page)
{
	_cleanup_(world_freep) struct world *w = world_new(MMU_X86_4LEVEL);
	uint64_t pt = chain(w, UINT64_MAX, P | W);

	put64(w, pt, 511, 0xffffffffff000 | P | W);
	CHECK_PAGE(walk(w, UINT64_MAX), UINT64_MAX - 4095, 4096, 0xffffffffff000, MMU_R | MMU_W | MMU_X);
	struct mmu_xlat x = walk(w, UINT64_MAX);
	CHECK_EQ(x.start.raw + x.size, 0);
}

TEST(raw_entries_and_where_they_were_read_come_top_first)
{
	_cleanup_(world_freep) struct world *w = world_new(MMU_X86_4LEVEL);
	uint64_t pt = chain(w, 0x12345678, P | U);
	struct mmu_xlat x = walk(w, 0x12345678);

	CHECK_EQ(x.nlevels, 4);
	CHECK_EQ(x.entry_at[0].raw, w->base);
	CHECK_EQ(x.entry[0], (w->base + 4096) | P | U);
	CHECK_EQ(x.entry_at[3].raw, pt + 8 * (0x12345678 >> 12 & 511));
	CHECK_EQ(x.entry[3], 0);
}

TEST(canonical_width_is_48_or_57_bits)
{
	_cleanup_(world_freep) struct world *four = world_new(MMU_X86_4LEVEL);
	_cleanup_(world_freep) struct world *five = world_new(MMU_X86_5LEVEL);

	four->ctx.cr3 = frame_new(four);
	five->ctx.cr3 = frame_new(five);
	CHECK_HOLE(walk(four, 0x7fffffffffff), 0x7f8000000000, 1ull << 39, MMU_NOT_PRESENT);
	CHECK_HOLE(walk(four, 0x800000000000), 0x800000000000, 0xffff000000000000, MMU_NON_CANONICAL);
	CHECK_HOLE(walk(four, 0xffff7fffffffffff), 0x800000000000, 0xffff000000000000, MMU_NON_CANONICAL);
	CHECK_HOLE(walk(four, 0xffff800000000000), 0xffff800000000000, 1ull << 39, MMU_NOT_PRESENT);
	CHECK_HOLE(walk(five, 0x800000000000), 0, 1ull << 48, MMU_NOT_PRESENT);
	CHECK_HOLE(walk(five, 0xffffffffffffff), 0xff000000000000, 1ull << 48, MMU_NOT_PRESENT);
	CHECK_HOLE(walk(five, 0x100000000000000), 0x100000000000000, 0xfe00000000000000, MMU_NON_CANONICAL);
	CHECK_HOLE(walk(five, 0xff00000000000000), 0xff00000000000000, 1ull << 48, MMU_NOT_PRESENT);
}

TEST(bit_7_must_be_clear_above_the_level_of_1g_pages)
{
	_cleanup_(world_freep) struct world *w = world_new(MMU_X86_5LEVEL);
	uint64_t pml5 = frame_new(w), pml4 = frame_new(w);

	w->ctx.cr3 = pml5;
	put64(w, pml5, 0, pml4 | P | PS);
	put64(w, pml5, 1, pml4 | P);
	put64(w, pml4, 0, P | PS);
	CHECK_HOLE(walk(w, 0), 0, 1ull << 48, MMU_RESERVED_BIT);
	CHECK_HOLE(walk(w, 1ull << 48), 1ull << 48, 1ull << 39, MMU_RESERVED_BIT);
}

TEST(large_pages_may_have_pat_but_no_other_low_frame_bit)
{
	_cleanup_(world_freep) struct world *w = world_new(MMU_X86_4LEVEL);
	uint64_t pml4 = frame_new(w), pdpt = frame_new(w), pd = frame_new(w);

	w->ctx.cr3 = pml4;
	put64(w, pml4, 0, pdpt | P | W | U);
	put64(w, pdpt, 0, pd | P | W | U);
	put64(w, pdpt, 1, 0x1c0000000 | P | PS | PAT_LARGE);
	put64(w, pdpt, 2, 0x1c0200000 | P | PS);
	put64(w, pd, 0, 0x12200000 | P | PS | PAT_LARGE | W | U);
	put64(w, pd, 1, 0x12202000 | P | PS);
	put64(w, pd, 2, 0x12300000 | P | PS);
	CHECK_PAGE(walk(w, 0x40001234), 0x40000000, 1 << 30, 0x1c0000000, MMU_R | MMU_X);
	CHECK_HOLE(walk(w, 0x80001234), 0x80000000, 1 << 30, MMU_RESERVED_BIT);
	CHECK_PAGE(walk(w, 0x1fffff), 0, 2 << 20, 0x12200000, FULL);
	CHECK_HOLE(walk(w, 0x200000), 0x200000, 2 << 20, MMU_RESERVED_BIT);
	CHECK_HOLE(walk(w, 0x400000), 0x400000, 2 << 20, MMU_RESERVED_BIT);
}

TEST(address_bits_the_processor_lacks_are_reserved)
{
	_cleanup_(world_freep) struct world *w = world_new(MMU_X86_4LEVEL);
	uint64_t pt = chain(w, 0, P);

	put64(w, pt, 0, 1ull << 39 | P);
	put64(w, pt, 1, 1ull << 40 | P);
	put64(w, pt, 2, 0x7ff0000000000000 | P); // ignored, or a protection key
	w->ctx.phys_bits = 40;
	CHECK_PAGE(walk(w, 0), 0, 4096, 1ull << 39, MMU_R | MMU_X);
	CHECK_HOLE(walk(w, 0x1000), 0x1000, 4096, MMU_RESERVED_BIT);
	CHECK_PAGE(walk(w, 0x2000), 0x2000, 4096, 0, MMU_R | MMU_X);
	w->ctx.phys_bits = 0;
	CHECK_PAGE(walk(w, 0x1000), 0x1000, 4096, 1ull << 40, MMU_R | MMU_X);
}

TEST(cr3_low_and_high_bits_are_not_part_of_the_address)
{
	_cleanup_(world_freep) struct world *w = world_new(MMU_X86_4LEVEL);
	uint64_t pt = chain(w, 0, P);

	put64(w, pt, 0, 0x5000 | P);
	w->ctx.cr3 |= 0x3ull << 61 | 0xfff; // linear-address masking, PCID
	CHECK_PAGE(walk(w, 0), 0, 4096, 0x5000, MMU_R | MMU_X);
}

TEST(pse_off_makes_bit_7_of_a_32bit_directory_entry_meaningless)
{
	_cleanup_(world_freep) struct world *w = world_new(MMU_X86_32BIT);
	uint64_t pd = frame_new(w), pt = frame_new(w);

	w->ctx.cr3 = pd;
	put32(w, pd, 1023, pt | P | PS | W);
	put32(w, pt, 1023, 0xfedcb000 | P | W | U);
	CHECK_PAGE(walk(w, 0xffffffff), 0xffc00000, 4 << 20, 0x8000000000, MMU_R | MMU_W | MMU_X);
	w->ctx.cr4 = 0;
	CHECK_PAGE(walk(w, 0xffffffff), 0xfffff000, 4096, 0xfedcb000, MMU_R | MMU_W | MMU_X);
	CHECK_HOLE(walk(w, 0xffffe000), 0xffffe000, 4096, MMU_NOT_PRESENT);
	CHECK_HOLE(walk(w, 0x100000000), 0x100000000, -(1ull << 32), MMU_OUT_OF_RANGE);
}

TEST(pse36_takes_address_bits_32_to_39_from_bits_13_to_20)
{
	_cleanup_(world_freep) struct world *w = world_new(MMU_X86_32BIT);
	uint64_t pd = frame_new(w);

	w->ctx.cr3 = pd;
	put32(w, pd, 0, 0x00c00000 | 0xffu << 13 | PAT_LARGE | P | PS | W | U);
	put32(w, pd, 1, 0x00c00000 | 0x0fu << 13 | P | PS);
	put32(w, pd, 2, 0x00c00000 | 1u << 21 | P | PS);
	CHECK_PAGE(walk(w, 0x3fffff), 0, 4 << 20, 0xff00c00000, FULL);
	CHECK_PAGE(walk(w, 0x400000), 0x400000, 4 << 20, 0xf00c00000, MMU_R | MMU_X);
	CHECK_HOLE(walk(w, 0x800000), 0x800000, 4 << 20, MMU_RESERVED_BIT);
	w->ctx.phys_bits = 36;
	CHECK_HOLE(walk(w, 0), 0, 4 << 20, MMU_RESERVED_BIT);
	CHECK_PAGE(walk(w, 0x400000), 0x400000, 4 << 20, 0xf00c00000, MMU_R | MMU_X);
	w->ctx.phys_bits = 32;
	CHECK_HOLE(walk(w, 0x400000), 0x400000, 4 << 20, MMU_RESERVED_BIT);
}

TEST(pae_root_is_32_byte_aligned_and_its_entries_have_no_rights)
{
	_cleanup_(world_freep) struct world *w = world_new(MMU_X86_PAE);
	uint64_t page = frame_new(w), pd = frame_new(w);
	static const uint64_t odd[] = { 1 << 1, 1 << 2, 1 << 5, 1 << 8, BIT64(52), BIT64(62), NX };

	w->ctx.cr3 = (page + 0xfe0) | 0x18;
	put64(w, page, 508, pd | P | 0xe18);
	put64(w, pd, 3, 0x8000200000 | P | PS | W | U);
	put64(w, pd, 4, 0x8000200000 | P | PS | BIT64(52));
	CHECK_PAGE(walk(w, 0x6abcde), 0x600000, 2 << 20, 0x8000200000, FULL);
	CHECK_HOLE(walk(w, 0x800000), 0x800000, 2 << 20, MMU_RESERVED_BIT);
	CHECK_HOLE(walk(w, 0xc0000000), 0xc0000000, 1 << 30, MMU_NOT_PRESENT);
	for (unsigned i = 0; i < ARRAY_LEN(odd); i++) { // of no effect once CR3 is loaded
		put64(w, page, 508, pd | P | odd[i]);
		CHECK_PAGE(walk(w, 0x6abcde), 0x600000, 2 << 20, 0x8000200000, FULL);
	}
	put64(w, page, 508, (pd | NX | 0x1e6) & ~(uint64_t)P); // not present: nothing else counts
	CHECK_HOLE(walk(w, 0x600000), 0, 1 << 30, MMU_NOT_PRESENT);
}

TEST(a_table_that_cannot_be_read_is_an_error_and_out_stays)
{
	_cleanup_(world_freep) struct world *w = world_new(MMU_X86_4LEVEL);
	uint64_t pml4 = frame_new(w);
	struct mmu_xlat x, before;

	memset(&x, 0x5a, sizeof(x));
	before = x;
	w->ctx.cr3 = pml4;
	put64(w, pml4, 3, 0x7777000 | P);
	CHECK_EQ(mmu_x86_walk(&w->ctx, read_frames, w, GVA(3ull << 39), &x), -EFAULT);
	CHECK_MEM(&x, &before, sizeof(x));
	w->ctx.cr3 = 0;
	CHECK_EQ(mmu_x86_walk(&w->ctx, read_frames, w, GVA(0), &x), -EFAULT);
	CHECK_MEM(&x, &before, sizeof(x));
}

/* What a 64-bit kernel looks like: 1 GiB direct map, 2 MiB text, a user page, a 4 KiB fixmap entry. */
TEST(kernel_like_map_resolves_direct_map_text_and_user_alike)
{
	_cleanup_(world_freep) struct world *w = world_new(MMU_X86_4LEVEL);
	uint64_t text_pt = chain(w, 0xffffffff81000000, P | W);
	uint64_t text_pd = text_pt - 4096, direct = frame_new(w);
	uint64_t user = chain(w, 0x401000, P | W | U);

	for (unsigned i = 0; i < 512; i++)
		put64(w, direct, i, (uint64_t)i << 30 | P | W | PS | NX);
	put64(w, w->base, 0x888800000000 >> 39 & 511, direct | P | W);
	put64(w, text_pd, 8, 0x2a00000 | P | PS);
	put64(w, user, 1, 0x5e5e5000 | P | U);
	CHECK_PAGE(walk(w, 0xffff888123456789), 0xffff888100000000, 1 << 30, 0x100000000, MMU_R | MMU_W);
	CHECK_PAGE(walk(w, 0xffff88ffffffffff), 0xffff88ffc0000000, 1 << 30, 0x7fc0000000, MMU_R | MMU_W);
	CHECK_PAGE(walk(w, 0xffffffff81000040), 0xffffffff81000000, 2 << 20, 0x2a00000, MMU_R | MMU_X);
	CHECK_PAGE(walk(w, 0x401abc), 0x401000, 4096, 0x5e5e5000, MMU_R | MMU_X | MMU_U);
	CHECK_HOLE(walk(w, 0xffff890000000000), 0xffff890000000000, 1ull << 39, MMU_NOT_PRESENT);
}

TEST(every_reason_has_words)
{
	for (int why = MMU_MAPPED; why <= MMU_STAGE2; why++)
		CHECK(strlen(mmu_why_text(why)) > 3);
	CHECK_STR(mmu_why_text(MMU_NOT_PRESENT), "not present");
}

TESTS(T(control_registers_select_the_mode), T(flat_is_identity_for_4_gib_and_nothing_above),
      T(rights_are_the_weakest_of_all_levels), T(nx_is_a_reserved_bit_while_nxe_is_off),
      T(a_hole_is_as_large_as_the_entry_that_decided), T(the_last_page_of_the_address_space_is_a_page),
      T(raw_entries_and_where_they_were_read_come_top_first), T(canonical_width_is_48_or_57_bits),
      T(bit_7_must_be_clear_above_the_level_of_1g_pages), T(large_pages_may_have_pat_but_no_other_low_frame_bit),
      T(address_bits_the_processor_lacks_are_reserved), T(cr3_low_and_high_bits_are_not_part_of_the_address),
      T(pse_off_makes_bit_7_of_a_32bit_directory_entry_meaningless),
      T(pse36_takes_address_bits_32_to_39_from_bits_13_to_20),
      T(pae_root_is_32_byte_aligned_and_its_entries_have_no_rights),
      T(a_table_that_cannot_be_read_is_an_error_and_out_stays),
      T(kernel_like_map_resolves_direct_map_text_and_user_alike), T(every_reason_has_words))