/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "engine_world.h"

static int read_virt(struct world *w, uint64_t at, void *buf, size_t len, size_t *done)
{
	return engine_mem_read(w->e, 0, ENGINE_VIRT, at, buf, len, done);
}

TEST(read_crosses_pages_that_are_apart_in_memory)
{
	struct world w = world_open((struct target_fake_cfg){ 0 });
	uint8_t buf[16], want[16];
	size_t done;

	world_map(&w, 0xffff888000000000, 0x8000);
	world_map(&w, 0xffff888000001000, 0x3000);
	world_use_tables(&w, 0, w.root);
	memset(w.ram + 0x8ff8, 0xa1, 8);
	memset(w.ram + 0x3000, 0xb2, 8);
	memset(want, 0xa1, 8);
	memset(want + 8, 0xb2, 8);
	CHECK_EQ(read_virt(&w, 0xffff888000000ff8, buf, 16, &done), 0);
	CHECK_EQ(done, 16);
	CHECK_MEM(buf, want, 16);
	CHECK_EQ(engine_mem_write(w.e, 0, ENGINE_VIRT, 0xffff888000000ffe, "wxyz", 4, &done), 0);
	CHECK_MEM(w.ram + 0x8ffe, "wx", 2);
	CHECK_MEM(w.ram + 0x3000, "yz", 2);
	world_close(&w);
}

TEST(read_and_write_stop_at_the_first_hole)
{
	struct world w = world_open((struct target_fake_cfg){ 0 });
	uint8_t buf[32] = { 0 };
	size_t done;

	world_map(&w, 0x400000, 0x8000);
	world_use_tables(&w, 0, w.root);
	CHECK_EQ(read_virt(&w, 0x400ff0, buf, 32, &done), 0);
	CHECK_EQ(done, 16);
	CHECK_EQ(engine_mem_write(w.e, 0, ENGINE_VIRT, 0x400ff0, buf, 32, &done), 0);
	CHECK_EQ(done, 16);
	CHECK_EQ(read_virt(&w, 0x401000, buf, 1, &done), -EFAULT);
	CHECK_EQ(done, 0);
	world_close(&w);
}

TEST(mapped_page_without_memory_behind_it_is_a_fault)
{
	struct world w = world_open((struct target_fake_cfg){ 0 });
	uint8_t b;
	size_t done;

	world_map(&w, 0x400000, 0x80000000);
	world_use_tables(&w, 0, w.root);
	CHECK_EQ(read_virt(&w, 0x400000, &b, 1, &done), -EFAULT);
	world_close(&w);
}

TEST(memory_that_somebody_else_translates_is_not_walked)
{
	struct world w = world_open((struct target_fake_cfg){ 0 });
	uint8_t b[2];
	size_t done;

	world_use_tables(&w, 0, w.root); // where nothing is mapped
	w.ram[0x5fff] = 0x11;
	w.ram[0x6000] = 0x22;
	CHECK_EQ(read_virt(&w, 0x5fff, b, 2, &done), -EFAULT);
	w.t->mem_virtual = true;
	CHECK_EQ(read_virt(&w, 0x5fff, b, 2, &done), 0);
	CHECK_EQ(done, 2);
	CHECK_MEM(b, "\x11\x22", 2);
	world_close(&w);
}

TEST(each_vcpu_sees_its_own_address_space)
{
	struct world w = world_open((struct target_fake_cfg){ .nvcpus = 2 });
	uint8_t a, b;
	size_t done;

	world_map(&w, 0x400000, 0x8000);
	world_use_tables(&w, 0, w.root);
	world_new_tables(&w);
	world_map(&w, 0x400000, 0x9000);
	world_use_tables(&w, 1, w.root);
	w.ram[0x8000] = 1;
	w.ram[0x9000] = 2;
	CHECK_EQ(engine_mem_read(w.e, 0, ENGINE_VIRT, 0x400000, &a, 1, &done), 0);
	CHECK_EQ(engine_mem_read(w.e, 1, ENGINE_VIRT, 0x400000, &b, 1, &done), 0);
	CHECK_EQ(a, 1);
	CHECK_EQ(b, 2);
	CHECK_EQ(engine_mem_read(w.e, 2, ENGINE_VIRT, 0x400000, &b, 1, &done), -EINVAL);
	world_close(&w);
}

TEST(range_that_wraps_is_refused)
{
	struct world w = world_open((struct target_fake_cfg){ 0 });
	uint8_t buf[16];
	uint32_t crc;
	uint64_t found;
	size_t done;

	CHECK_EQ(read_virt(&w, -8ull, buf, 16, &done), -EINVAL);
	CHECK_EQ(engine_mem_write(w.e, 0, ENGINE_PHYS, -8ull, buf, 16, &done), -EINVAL);
	CHECK_EQ(engine_mem_search(w.e, 0, ENGINE_VIRT, 1, UINT64_MAX, "x", 1, &found), -EFAULT);
	CHECK_EQ(engine_mem_search(w.e, 0, ENGINE_VIRT, 2, UINT64_MAX, "x", 1, &found), -EINVAL);
	CHECK_EQ(engine_mem_crc(w.e, 0, ENGINE_VIRT, 2, UINT64_MAX, &crc), -EINVAL);
	world_close(&w);
}

TEST(running_guest_gives_physical_memory_only)
{
	struct world w = world_open((struct target_fake_cfg){ 0 });
	struct arch_regs *r;
	uint8_t b;
	size_t done;

	CHECK_EQ(resume(&w, TARGET_RUN, 0, TARGET_RUN), 0);
	CHECK_EQ(read_virt(&w, CODE, &b, 1, &done), -EBUSY);
	CHECK_EQ(engine_mem_read(w.e, 0, ENGINE_PHYS, CODE, &b, 1, &done), 0);
	CHECK_EQ(engine_regs(w.e, 0, ARCH_CORE, &r), -EBUSY);
	world_close(&w);
}

TEST(reads_show_the_guests_bytes_under_a_breakpoint)
{
	struct world w = world_open((struct target_fake_cfg){ 0 });
	uint8_t buf[4] = { 0 };
	size_t done;

	world_map(&w, 0x400000, 0x8000);
	world_map(&w, 0x700000, 0x8000);
	world_use_tables(&w, 0, w.root);
	memcpy(w.ram + 0x8000, "abcd", 4);
	CHECK_EQ(insert(&w, ENGINE_SWBP, 0x400001), 0);
	CHECK_EQ(w.ram[0x8001], BP);
	CHECK_EQ(read_virt(&w, 0x400000, buf, 4, &done), 0);
	CHECK_MEM(buf, "abcd", 4);
	CHECK_EQ(read_virt(&w, 0x700000, buf, 4, &done), 0);
	CHECK_MEM(buf, "abcd", 4);
	CHECK_EQ(engine_mem_read(w.e, 0, ENGINE_PHYS, 0x8001, buf, 1, &done), 0);
	CHECK_EQ(buf[0], 'b');
	world_close(&w);
}

TEST(write_under_a_breakpoint_changes_the_saved_byte_and_keeps_the_breakpoint)
{
	struct world w = world_open((struct target_fake_cfg){ 0 });
	uint8_t buf[4];
	size_t done;

	CHECK_EQ(insert(&w, ENGINE_SWBP, CODE + 1), 0);
	CHECK_EQ(engine_mem_write(w.e, 0, ENGINE_VIRT, CODE, "abcd", 4, &done), 0);
	CHECK_EQ(done, 4);
	CHECK_EQ(w.ram[CODE], 'a');
	CHECK_EQ(w.ram[CODE + 1], BP);
	CHECK_EQ(read_virt(&w, CODE, buf, 4, &done), 0);
	CHECK_MEM(buf, "abcd", 4);
	CHECK_EQ(take_out(&w, ENGINE_SWBP, CODE + 1), 0);
	CHECK_MEM(w.ram + CODE, "abcd", 4);
	world_close(&w);
}

TEST(failed_write_under_a_breakpoint_changes_nothing)
{
	struct world w = world_open((struct target_fake_cfg){ 0 });
	uint8_t b;
	size_t done;

	CHECK_EQ(insert(&w, ENGINE_SWBP, CODE), 0);
	target_fake_fail_at(w.t, 1, -EIO);
	CHECK_EQ(engine_mem_write(w.e, 0, ENGINE_PHYS, CODE, "a", 1, &done), -EIO);
	CHECK_EQ(read_virt(&w, CODE, &b, 1, &done), 0);
	CHECK_EQ(b, NOP);
	world_close(&w);
}

TEST(what_the_guest_wrote_over_a_breakpoint_is_shown)
{
	struct world w = world_open((struct target_fake_cfg){ 0 });
	uint8_t b;
	size_t done;

	CHECK_EQ(insert(&w, ENGINE_SWBP, CODE), 0);
	w.ram[CODE] = 0x55;
	CHECK_EQ(read_virt(&w, CODE, &b, 1, &done), 0);
	CHECK_EQ(b, 0x55);
	world_close(&w);
}

TEST(search_finds_a_pattern_across_two_chunks)
{
	struct world w = world_open((struct target_fake_cfg){ 0 });
	uint64_t found = 0;

	memcpy(w.ram + 0x10000 - 3 + 0x100, "needle", 6); // 64 KiB chunks from 0x100
	CHECK_EQ(engine_mem_search(w.e, 0, ENGINE_VIRT, 0x100, 0x20000, "needle", 6, &found), 1);
	CHECK_EQ(found, 0x10000 - 3 + 0x100);
	CHECK_EQ(engine_mem_search(w.e, 0, ENGINE_PHYS, 0, 0x10000 + 0x100, "needle", 6, &found), 0);
	CHECK_EQ(engine_mem_search(w.e, 0, ENGINE_PHYS, found, 5, "needle", 6, &found), 0);
	CHECK_EQ(engine_mem_search(w.e, 0, ENGINE_PHYS, found, 6, "needle", 6, &found), 1);
	world_close(&w);
}

TEST(search_sees_the_guests_bytes_not_the_breakpoint)
{
	struct world w = world_open((struct target_fake_cfg){ 0 });
	uint64_t found;

	memcpy(w.ram + CODE, "abc", 3);
	CHECK_EQ(insert(&w, ENGINE_SWBP, CODE + 1), 0);
	CHECK_EQ(engine_mem_search(w.e, 0, ENGINE_VIRT, 0, 0x2000, "abc", 3, &found), 1);
	CHECK_EQ(found, CODE);
	world_close(&w);
}

TEST(search_that_meets_a_hole_first_fails)
{
	struct world w = world_open((struct target_fake_cfg){ 0 });
	uint64_t found = 42;

	memcpy(w.ram + RAM_SIZE - 6, "needle", 6);
	CHECK_EQ(engine_mem_search(w.e, 0, ENGINE_PHYS, 0, RAM_SIZE + 16, "needle", 6, &found), 1);
	CHECK_EQ(found, RAM_SIZE - 6);
	CHECK_EQ(engine_mem_search(w.e, 0, ENGINE_PHYS, 0, RAM_SIZE + 16, "hay", 3, &found), -EFAULT);
	CHECK_EQ(engine_mem_search(w.e, 0, ENGINE_PHYS, RAM_SIZE, 16, "hay", 3, &found), -EFAULT);
	world_close(&w);
}

TEST(crc_is_the_one_gdb_computes)
{
	struct world w = world_open((struct target_fake_cfg){ 0 });
	uint32_t crc = 0;

	memcpy(w.ram + CODE, "123456789", 9);
	CHECK_EQ(engine_mem_crc(w.e, 0, ENGINE_VIRT, CODE, 9, &crc), 0);
	CHECK_EQ(crc, 0x0376e6e7);
	CHECK_EQ(engine_mem_crc(w.e, 0, ENGINE_VIRT, CODE, 0, &crc), 0);
	CHECK_EQ(crc, 0xffffffff);
	CHECK_EQ(engine_mem_crc(w.e, 0, ENGINE_PHYS, RAM_SIZE - 4, 8, &crc), -EFAULT);
	world_close(&w);
}

TEST(registers_are_fetched_once_per_stop)
{
	struct world w = world_open((struct target_fake_cfg){ 0 });
	struct arch_regs *r;

	CHECK_EQ(engine_regs(w.e, 0, ARCH_CORE, &r), 0);
	CHECK_EQ(r->have, ARCH_CORE);
	target_fake_fail_at(w.t, 1, -EIO);
	CHECK_EQ(engine_regs(w.e, 0, ARCH_CORE, &r), 0);
	CHECK(!target_fake_failed(w.t));
	CHECK_EQ(engine_regs(w.e, 0, ARCH_CORE | ARCH_FP, &r), -EIO);
	CHECK_EQ(engine_regs(w.e, 0, ARCH_CORE | ARCH_FP, &r), 0);
	CHECK_EQ(r->have, ARCH_CORE | ARCH_FP);
	CHECK_EQ(engine_regs(w.e, 1, ARCH_CORE, &r), -EINVAL);
	world_close(&w);
}

TEST(changed_registers_are_written_before_the_guest_runs)
{
	struct world w = world_open((struct target_fake_cfg){ 0 });
	struct arch_regs *r;
	struct stop_event ev;

	CHECK_EQ(engine_regs(w.e, 0, ARCH_CORE, &r), 0);
	r->x86.rip = 0x2000;
	r->dirty |= ARCH_CORE;
	CHECK_EQ(resume(&w, TARGET_HOLD, 0, TARGET_STEP), 0);
	CHECK(wait_stop(&w, &ev));
	CHECK_EQ(ev.pc.raw, 0x2001);
	CHECK_EQ(engine_regs(w.e, 0, ARCH_CORE, &r), 0);
	CHECK_EQ(r->x86.rip, 0x2001);
	world_close(&w);
}

TEST(refused_register_write_shows_what_the_guest_really_has)
{
	struct world w = world_open((struct target_fake_cfg){ 0 });
	struct arch_regs *r;

	CHECK_EQ(engine_regs(w.e, 0, ARCH_CORE, &r), 0);
	r->x86.rip = 0x2000;
	r->dirty |= ARCH_CORE;
	target_fake_fail_at(w.t, 1, -EINVAL);
	CHECK_EQ(engine_regs_flush(w.e, 0), -EINVAL);
	CHECK_EQ(engine_regs(w.e, 0, ARCH_CORE, &r), 0);
	CHECK_EQ(r->x86.rip, CODE);
	world_close(&w);
}

TEST(written_registers_are_read_back_from_the_guest)
{
	struct world w = world_open((struct target_fake_cfg){ 0 });
	struct arch_regs *r;

	CHECK_EQ(engine_regs(w.e, 0, ARCH_CORE, &r), 0);
	r->x86.rflags = 0;
	r->dirty |= ARCH_CORE;
	CHECK_EQ(engine_regs_flush(w.e, 0), 0);
	target_fake_regs(w.t, 0)->x86.rflags = 2; // a bit that no processor lets go
	CHECK_EQ(engine_regs(w.e, 0, ARCH_CORE, &r), 0);
	CHECK_EQ(r->x86.rflags, 2);
	world_close(&w);
}

TESTS(T(memory_that_somebody_else_translates_is_not_walked), T(read_crosses_pages_that_are_apart_in_memory),
      T(read_and_write_stop_at_the_first_hole), T(mapped_page_without_memory_behind_it_is_a_fault),
      T(each_vcpu_sees_its_own_address_space), T(range_that_wraps_is_refused),
      T(running_guest_gives_physical_memory_only), T(reads_show_the_guests_bytes_under_a_breakpoint),
      T(write_under_a_breakpoint_changes_the_saved_byte_and_keeps_the_breakpoint),
      T(failed_write_under_a_breakpoint_changes_nothing), T(what_the_guest_wrote_over_a_breakpoint_is_shown),
      T(search_finds_a_pattern_across_two_chunks), T(search_sees_the_guests_bytes_not_the_breakpoint),
      T(search_that_meets_a_hole_first_fails), T(crc_is_the_one_gdb_computes), T(registers_are_fetched_once_per_stop),
      T(changed_registers_are_written_before_the_guest_runs), T(refused_register_write_shows_what_the_guest_really_has),
      T(written_registers_are_read_back_from_the_guest))
