/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "test.h"

#include <errno.h>

#include "vmm/mem.h"

#define MIB (1ull << 20)
#define GIB (1ull << 30)

static void check_slot(const struct mem *m, unsigned i, uint64_t start, uint64_t size, bool rom)
{
	CHECK(i < m->nslots);
	CHECK_EQ(m->slot[i].start.raw, start);
	CHECK_EQ(m->slot[i].size, size);
	CHECK_EQ(m->slot[i].rom, rom);
}

TEST(mem_below_the_hole_is_one_slot)
{
	struct mem m;

	CHECK_EQ(mem_init(&m, &mem_layout_x86, 64 * MIB, NULL), 0);
	CHECK_EQ(m.nslots, 1);
	CHECK_EQ(m.ram_size, 64 * MIB);
	check_slot(&m, 0, 0, 64 * MIB, false);
	mem_deinit(&m);
}

TEST(mem_of_4_gib_continues_above_the_hole)
{
	struct mem m;

	CHECK_EQ(mem_init(&m, &mem_layout_x86, 4 * GIB, NULL), 0);
	CHECK_EQ(m.nslots, 2);
	check_slot(&m, 0, 0, MEM_HOLE_START, false);
	check_slot(&m, 1, MEM_HOLE_END, 1 * GIB, false);
	CHECK(mem_ptr(&m, GPA(MEM_HOLE_START), 1) == NULL);
	CHECK(mem_ptr(&m, GPA(MEM_HOLE_END), GIB) != NULL);
	mem_deinit(&m);
}

TEST(mem_init_rejects_odd_sizes)
{
	struct mem m;
	struct errtext why;

	CHECK_EQ(mem_init(&m, &mem_layout_x86, 0, &why), -EINVAL);
	CHECK_EQ(mem_init(&m, &mem_layout_x86, 4097, &why), -EINVAL);
	CHECK(strstr(why.text, "4097") != NULL);
}

TEST(mem_of_a_host_with_64k_pages_is_whole_pages)
{
	static const char bytes[] = "firmware";
	struct mem m;
	struct errtext why;

	CHECK_EQ(mem_init_pages(&m, &mem_layout_arm64, 0x10000, MIB + 0x1000, &why), -EINVAL);
	CHECK(strstr(why.text, "multiple of 65536") != NULL);
	CHECK_EQ(mem_init_pages(&m, &mem_layout_arm64, 0x10000, MIB, NULL), 0);
	CHECK_EQ(mem_add_rom(&m, GPA(0x1000), bytes, sizeof(bytes), &why), -EINVAL);
	CHECK_EQ(mem_add_rom(&m, GPA(0x20000), bytes, sizeof(bytes), &why), 0);
	check_slot(&m, 1, 0x20000, 0x10000, true);
	mem_deinit(&m);
}

TEST(mem_init_says_when_the_host_has_no_room)
{
	struct mem m;
	struct errtext why;

	CHECK_EQ(mem_init(&m, &mem_layout_x86, 1ull << 60, &why), -ENOMEM);
	CHECK(strstr(why.text, "1099511627776 MiB") != NULL);
}

TEST(mem_ptr_stops_at_the_end)
{
	struct mem m;

	CHECK_EQ(mem_init(&m, &mem_layout_x86, MIB, NULL), 0);
	CHECK(mem_ptr(&m, GPA(MIB - 4), 4) == (char *)m.slot[0].hva + MIB - 4);
	CHECK(mem_ptr(&m, GPA(MIB - 4), 5) == NULL);
	CHECK(mem_ptr(&m, GPA(MIB), 0) == NULL);
	CHECK(mem_ptr(&m, GPA(UINT64_MAX), 2) == NULL);
	mem_deinit(&m);
}

TEST(mem_slot_ptr_says_how_much_is_contiguous)
{
	struct mem m;
	size_t len = 100;

	CHECK_EQ(mem_init(&m, &mem_layout_x86, MIB, NULL), 0);
	CHECK(mem_slot_ptr(&m, GPA(MIB - 10), &len) == (char *)m.slot[0].hva + MIB - 10);
	CHECK_EQ(len, 10);
	len = 100;
	CHECK(mem_slot_ptr(&m, GPA(MIB), &len) == NULL);
	mem_deinit(&m);
}

TEST(rom_over_ram_splits_the_slot)
{
	static const char bytes[] = "firmware";
	struct mem m;
	size_t len = sizeof(bytes);

	CHECK_EQ(mem_init(&m, &mem_layout_x86, 2 * MIB, NULL), 0);
	memcpy(mem_ptr(&m, GPA(0xdfffc), 4), "low", 4);
	memcpy(mem_ptr(&m, GPA(MIB), 4), "top", 4);
	CHECK_EQ(mem_add_rom(&m, GPA(0xe0000), bytes, sizeof(bytes), NULL), 0);
	CHECK_EQ(m.nslots, 3);
	check_slot(&m, 0, 0, 0xe0000, false);
	check_slot(&m, 1, 0xe1000, 2 * MIB - 0xe1000, false);
	check_slot(&m, 2, 0xe0000, 0x1000, true);
	CHECK_MEM(mem_slot_ptr(&m, GPA(0xe0000), &len), bytes, sizeof(bytes));
	CHECK(mem_ptr(&m, GPA(0xe0000), 1) == NULL);
	CHECK(mem_ptr(&m, GPA(0xdfffc), 5) == NULL);
	CHECK_STR(mem_ptr(&m, GPA(0xdfffc), 4), "low");
	CHECK_STR(mem_ptr(&m, GPA(MIB), 4), "top");
	mem_deinit(&m);
}

TEST(rom_at_the_start_and_the_end_of_ram_leaves_one_piece)
{
	static const char page[4096];
	struct mem m;

	CHECK_EQ(mem_init(&m, &mem_layout_x86, MIB, NULL), 0);
	CHECK_EQ(mem_add_rom(&m, GPA(0), page, sizeof(page), NULL), 0);
	CHECK_EQ(mem_add_rom(&m, GPA(MIB - 4096), page, sizeof(page), NULL), 0);
	CHECK_EQ(m.nslots, 3);
	check_slot(&m, 0, 4096, MIB - 8192, false);
	check_slot(&m, 1, 0, 4096, true);
	check_slot(&m, 2, MIB - 4096, 4096, true);
	mem_deinit(&m);
}

TEST(rom_in_the_hole_hides_nothing)
{
	static const char page[4096];
	struct mem m;

	CHECK_EQ(mem_init(&m, &mem_layout_x86, MIB, NULL), 0);
	CHECK_EQ(mem_add_rom(&m, GPA(MEM_HOLE_END - 4096), page, sizeof(page), NULL), 0);
	CHECK_EQ(m.nslots, 2);
	check_slot(&m, 0, 0, MIB, false);
	check_slot(&m, 1, MEM_HOLE_END - 4096, 4096, true);
	mem_deinit(&m);
}

TEST(rom_that_cannot_be_placed_changes_nothing)
{
	static const char page[4096];
	struct mem m;
	struct errtext why;

	CHECK_EQ(mem_init(&m, &mem_layout_x86, MIB, NULL), 0);
	CHECK_EQ(mem_add_rom(&m, GPA(0x10), page, sizeof(page), &why), -EINVAL);
	CHECK_EQ(mem_add_rom(&m, GPA(-4096ull), page, sizeof(page), &why), -EINVAL);
	CHECK_EQ(mem_add_rom(&m, GPA(0), page, 0, &why), -EINVAL);
	CHECK_EQ(mem_add_rom(&m, GPA(0xf0000), page, sizeof(page), &why), 0);
	CHECK_EQ(mem_add_rom(&m, GPA(0xf0000), page, sizeof(page), &why), -EEXIST);
	CHECK_EQ(m.nslots, 3);
	mem_deinit(&m);
}

TEST(rom_beyond_the_slot_limit_is_refused)
{
	static const char page[4096];
	struct mem m;
	struct errtext why;
	int rc = 0;

	CHECK_EQ(mem_init(&m, &mem_layout_x86, MIB, NULL), 0);
	for (unsigned i = 1; i < MEM_MAX_SLOTS && rc == 0; i++)
		rc = mem_add_rom(&m, GPA(0x10000 * i), page, sizeof(page), &why);
	CHECK_EQ(rc, -ENOSPC);
	CHECK_EQ(m.nslots, 7);
	CHECK(mem_ptr(&m, GPA(0x40000), 4096) != NULL);
	mem_deinit(&m);
}

TESTS(T(mem_below_the_hole_is_one_slot), T(mem_of_4_gib_continues_above_the_hole), T(mem_init_rejects_odd_sizes),
      T(mem_of_a_host_with_64k_pages_is_whole_pages), T(mem_init_says_when_the_host_has_no_room),
      T(mem_ptr_stops_at_the_end), T(mem_slot_ptr_says_how_much_is_contiguous), T(rom_over_ram_splits_the_slot),
      T(rom_at_the_start_and_the_end_of_ram_leaves_one_piece), T(rom_in_the_hole_hides_nothing),
      T(rom_that_cannot_be_placed_changes_nothing), T(rom_beyond_the_slot_limit_is_refused))
