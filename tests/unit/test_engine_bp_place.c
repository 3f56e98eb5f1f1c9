/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "engine_world.h"

/* Where software breakpoints go: memory, a debug register, or nowhere yet. */

#define AT 0x400000ull /* a virtual address; mapped by the tests that want it so */
#define PHYS 0x8000u
#define RUN_ALL TARGET_RUN, 0, TARGET_RUN

static struct world paged_world(struct target_fake_cfg cfg)
{
	struct world w = world_open(cfg);

	world_map(&w, 0x1000, 0x1000); // where the vCPUs are
	for (unsigned v = 0; v < w.t->nvcpus; v++)
		world_use_tables(&w, v, w.root);
	return w;
}

static bool is_in_register(struct world *w, uint64_t at)
{
	unsigned n;
	const struct target_break *set = target_fake_breaks(w->t, &n);

	for (unsigned i = 0; i < n; i++)
		if (set[i].kind == TARGET_BREAK_HW && set[i].at.raw == at)
			return true;
	return false;
}

/* Let the guest run and stop again, before it got anywhere. */
static void run_briefly(struct world *w)
{
	struct stop_event ev;

	target_fake_push_stop(w->t, &(struct stop_event){ .why = STOP_INTERRUPT });
	CHECK_EQ(resume(w, RUN_ALL), 0);
	CHECK(wait_stop(w, &ev));
}

TEST(unmapped_page_takes_a_debug_register)
{
	struct world w = paged_world((struct target_fake_cfg){ 0 });

	CHECK_EQ(insert(&w, ENGINE_SWBP, AT), 0);
	CHECK_EQ(insert(&w, ENGINE_SWBP, AT), 0);
	CHECK_EQ(native_count(&w), 1);
	CHECK(is_in_register(&w, AT));
	CHECK_EQ(take_out(&w, ENGINE_SWBP, AT), 0);
	CHECK_EQ(native_count(&w), 0);
	CHECK_EQ(engine_bp_count(w.e), 0);
	world_close(&w);
}

TEST(address_that_no_page_can_have_takes_no_breakpoint)
{
	struct world w = paged_world((struct target_fake_cfg){ 0 });

	CHECK_EQ(insert(&w, ENGINE_SWBP, 0x800000000000), -EFAULT);
	CHECK_EQ(engine_bp_count(w.e), 0);
	CHECK_EQ(native_count(&w), 0);
	world_close(&w);
}

TEST(address_without_memory_behind_it_takes_a_debug_register)
{
	struct world w = world_open((struct target_fake_cfg){ 0 });

	CHECK_EQ(insert(&w, ENGINE_SWBP, RAM_SIZE), 0);
	CHECK(is_in_register(&w, RAM_SIZE));
	world_close(&w);
}

TEST(without_a_free_debug_register_an_unmapped_page_takes_no_breakpoint)
{
	struct world w = paged_world((struct target_fake_cfg){ 0 });

	for (unsigned i = 0; i < 4; i++)
		CHECK_EQ(insert(&w, ENGINE_SWBP, AT + i), 0);
	CHECK_EQ(insert(&w, ENGINE_SWBP, AT + 4), -EFAULT);
	CHECK_EQ(insert(&w, ENGINE_HWBP, AT + 4), -ENOSPC);
	CHECK_EQ(engine_bp_count(w.e), 4);
	CHECK_EQ(native_count(&w), 4);
	world_close(&w);
	w = paged_world((struct target_fake_cfg){ .no_hw = true });
	CHECK_EQ(insert(&w, ENGINE_SWBP, AT), -EFAULT);
	CHECK_EQ(engine_bp_count(w.e), 0);
	world_close(&w);
}

TEST(hit_in_a_debug_register_is_told_as_the_software_breakpoint_that_it_is)
{
	struct world w = paged_world((struct target_fake_cfg){ 0 });
	struct stop_event ev;

	CHECK_EQ(insert(&w, ENGINE_SWBP, AT), 0);
	target_fake_regs(w.t, 0)->x86.rip = AT;
	world_map(&w, AT, PHYS); // the guest does it itself, as it runs
	target_fake_push_stop(w.t, &(struct stop_event){ .why = STOP_HWBREAK, .pc = GVA(AT) });
	CHECK_EQ(resume(&w, TARGET_HOLD, 0, TARGET_RUN), 0);
	CHECK(wait_stop(&w, &ev));
	CHECK_EQ(ev.why, STOP_SWBREAK);
	CHECK_EQ(ev.pc.raw, AT);
	world_close(&w);
}

TEST(breakpoint_moves_into_memory_once_its_page_is_mapped)
{
	struct world w = paged_world((struct target_fake_cfg){ 0 });
	struct stop_event ev;

	CHECK_EQ(insert(&w, ENGINE_SWBP, AT + 5), 0);
	run_briefly(&w);
	CHECK(is_in_register(&w, AT + 5));
	world_map(&w, AT, PHYS);
	run_briefly(&w);
	CHECK_EQ(w.ram[PHYS + 5], BP);
	CHECK_EQ(native_count(&w), 0);
	target_fake_regs(w.t, 0)->x86.rip = AT;
	CHECK_EQ(resume(&w, RUN_ALL), 0);
	CHECK(wait_stop(&w, &ev));
	CHECK_EQ(ev.why, STOP_SWBREAK);
	CHECK_EQ(ev.pc.raw, AT + 5);
	CHECK_EQ(take_out(&w, ENGINE_SWBP, AT + 5), 0);
	CHECK_EQ(w.ram[PHYS + 5], NOP);
	world_close(&w);
}

#define PAGE_KERNEL 3ull /* present, writable */
#define PAGE_USER 7ull
#define PAGE_NX (1ull << 63)
#define EFER_NXE (1u << 11)

/* The page at AT, of which nothing is executed unless @bits say otherwise. */
static void map_at(struct world *w, uint64_t bits)
{
	uint8_t *entry = w->ram + w->root;

	world_map(w, AT, PHYS);
	for (unsigned shift = 39; shift > 12; shift -= 9)
		entry = w->ram + (ld_le64(entry + 8 * (AT >> shift & 511)) & ~4095ull);
	st_le64(entry + 8 * (AT >> 12 & 511), PHYS | bits);
	target_fake_regs(w->t, 0)->x86.efer |= EFER_NXE;
}

TEST(page_of_the_kernel_without_code_takes_a_debug_register_until_it_has_some)
{
	struct world w = paged_world((struct target_fake_cfg){ 0 });

	map_at(&w, PAGE_KERNEL | PAGE_NX);
	for (unsigned i = 0; i < 4; i++)
		CHECK_EQ(insert(&w, ENGINE_SWBP, AT + i), 0);
	CHECK_EQ(native_count(&w), 4);
	CHECK_EQ(w.ram[PHYS], NOP);
	CHECK_EQ(insert(&w, ENGINE_SWBP, AT + 4), -EFAULT);
	run_briefly(&w);
	CHECK_EQ(native_count(&w), 4);
	map_at(&w, PAGE_KERNEL);
	run_briefly(&w);
	CHECK_EQ(native_count(&w), 0);
	CHECK_EQ(w.ram[PHYS], BP);
	world_close(&w);
}

TEST(page_of_user_space_without_code_takes_a_debug_register_while_one_is_free)
{
	struct world w = paged_world((struct target_fake_cfg){ 0 });

	map_at(&w, PAGE_USER | PAGE_NX);
	for (unsigned i = 0; i < 5; i++)
		CHECK_EQ(insert(&w, ENGINE_SWBP, AT + i), 0);
	CHECK_EQ(native_count(&w), 4);
	CHECK_EQ(w.ram[PHYS + 3], NOP);
	CHECK_EQ(w.ram[PHYS + 4], BP);
	CHECK_EQ(insert(&w, ENGINE_HWBP, CODE), 0);
	CHECK(is_in_register(&w, CODE));
	CHECK_EQ(w.ram[PHYS], BP);
	world_close(&w);
}

TEST(rom_takes_a_debug_register_while_one_is_free)
{
	struct world w = world_open((struct target_fake_cfg){ .rom_at = GPA(0xf0000000), .rom_size = 0x1000 });

	for (unsigned i = 0; i < 5; i++)
		CHECK_EQ(insert(&w, ENGINE_SWBP, 0xf0000000 + i), 0);
	CHECK_EQ(native_count(&w), 4);
	run_briefly(&w);
	CHECK_EQ(native_count(&w), 4);
	CHECK(is_in_register(&w, 0xf0000003));
	CHECK(!is_in_register(&w, 0xf0000004)); // patched
	world_close(&w);
}

TEST(what_the_client_asks_a_debug_register_for_goes_first)
{
	struct world w = world_open((struct target_fake_cfg){ .rom_at = GPA(0xf0000000), .rom_size = 0x1000 });

	for (unsigned i = 0; i < 4; i++)
		CHECK_EQ(insert(&w, ENGINE_SWBP, 0xf0000000 + i), 0);
	CHECK_EQ(insert(&w, ENGINE_HWBP, CODE), 0);
	CHECK_EQ(engine_bp_insert(w.e, 0, ENGINE_WATCH_W, GVA(CODE), 4, NULL), 0);
	CHECK_EQ(engine_bp_count(w.e), 6);
	CHECK_EQ(native_count(&w), 4);
	CHECK(is_in_register(&w, CODE));
	CHECK(is_in_register(&w, 0xf0000003));
	world_close(&w);
}

TEST(what_made_room_in_vain_leaves_no_debug_register_behind)
{
	struct world w = paged_world((struct target_fake_cfg){ 0 });

	CHECK_EQ(insert(&w, ENGINE_SWBP, AT), 0);
	CHECK(is_in_register(&w, AT));
	world_map(&w, AT, PHYS);
	for (unsigned i = 0; i < 3; i++)
		CHECK_EQ(insert(&w, ENGINE_HWBP, 0x2000 + i), 0);
	CHECK_EQ(engine_bp_insert(w.e, 0, ENGINE_WATCH_W, GVA(0x3001), 3, NULL), -ENOSPC); // it takes two
	run_briefly(&w);
	CHECK_EQ(w.ram[PHYS], BP);
	CHECK(!is_in_register(&w, AT));
	world_close(&w);
}

TEST(breakpoint_that_must_have_a_debug_register_goes_before_one_that_only_likes_it)
{
	struct world w = world_open((struct target_fake_cfg){ .rom_at = GPA(0xf0000000), .rom_size = 0x1000 });

	for (unsigned i = 0; i < 4; i++)
		CHECK_EQ(insert(&w, ENGINE_SWBP, 0xf0000000 + i), 0);
	CHECK_EQ(insert(&w, ENGINE_SWBP, RAM_SIZE), 0);
	CHECK_EQ(native_count(&w), 4);
	CHECK(is_in_register(&w, RAM_SIZE));
	world_close(&w);
}

TEST(software_and_hardware_breakpoint_at_one_address_share_a_debug_register)
{
	struct world w = paged_world((struct target_fake_cfg){ 0 });

	CHECK_EQ(insert(&w, ENGINE_SWBP, AT), 0);
	CHECK_EQ(insert(&w, ENGINE_HWBP, AT), 0);
	CHECK_EQ(native_count(&w), 1);
	CHECK_EQ(take_out(&w, ENGINE_SWBP, AT), 0);
	CHECK_EQ(native_count(&w), 1);
	CHECK_EQ(take_out(&w, ENGINE_HWBP, AT), 0);
	CHECK_EQ(native_count(&w), 0);
	world_close(&w);
}

TEST(overwritten_breakpoint_is_back_at_the_next_resume_with_what_the_guest_wrote_under_it)
{
	struct world w = world_open((struct target_fake_cfg){ 0 });
	uint8_t now;
	size_t done;

	CHECK_EQ(insert(&w, ENGINE_SWBP, CODE + 0x100), 0);
	w.ram[CODE + 0x100] = 0x55;
	CHECK_EQ(engine_mem_read(w.e, 0, ENGINE_PHYS, CODE + 0x100, &now, 1, &done), 0);
	CHECK_EQ(now, 0x55);
	run_briefly(&w);
	CHECK_EQ(w.ram[CODE + 0x100], BP);
	CHECK_EQ(engine_mem_read(w.e, 0, ENGINE_PHYS, CODE + 0x100, &now, 1, &done), 0);
	CHECK_EQ(now, 0x55);
	CHECK_EQ(take_out(&w, ENGINE_SWBP, CODE + 0x100), 0);
	CHECK_EQ(w.ram[CODE + 0x100], 0x55);
	world_close(&w);
}

/* Two breakpoints, in debug registers as long as nothing is mapped at AT. */
static struct world world_with_two_waiting(void)
{
	struct world w = paged_world((struct target_fake_cfg){ 0 });

	CHECK_EQ(insert(&w, ENGINE_SWBP, AT), 0);
	CHECK_EQ(insert(&w, ENGINE_SWBP, AT + 1), 0);
	return w;
}

static bool is_somewhere(struct world *w, unsigned i)
{
	return w->ram[PHYS + i] == BP || is_in_register(w, AT + i);
}

TEST(failure_at_any_call_of_a_move_into_memory_loses_no_breakpoint)
{
	for (unsigned k = 1, failed = 1; failed; k++) {
		struct world w = world_with_two_waiting();
		struct stop_event ev;

		world_map(&w, AT, PHYS);
		target_fake_push_stop(w.t, &(struct stop_event){ .why = STOP_INTERRUPT });
		target_fake_fail_at(w.t, k, -EIO);
		if (resume(&w, RUN_ALL) == 0) {
			for (unsigned tries = 0; tries < 3 && engine_next_stop(w.e, &ev) < 0; tries++)
				;
		}
		failed = target_fake_failed(w.t);
		target_fake_fail_at(w.t, 0, 0);
		CHECK_EQ(engine_bp_count(w.e), 2);
		CHECK(is_somewhere(&w, 0));
		CHECK(is_somewhere(&w, 1));
		if (!engine_running(w.e))
			run_briefly(&w);
		CHECK_EQ(w.ram[PHYS], BP);
		CHECK_EQ(w.ram[PHYS + 1], BP);
		CHECK_EQ(native_count(&w), 0);
		engine_destroy(w.e);
		CHECK_EQ(w.ram[PHYS], NOP);
		CHECK_EQ(w.ram[PHYS + 1], NOP);
		target_destroy(w.t);
	}
}

TEST(failure_at_any_call_of_making_room_loses_no_breakpoint)
{
	for (unsigned k = 1, failed = 1; failed; k++) {
		struct world w = world_open((struct target_fake_cfg){ .rom_at = GPA(0xf0000000), .rom_size = 0x1000 });
		int rc;

		for (unsigned i = 0; i < 4; i++)
			CHECK_EQ(insert(&w, ENGINE_SWBP, 0xf0000000 + i), 0);
		target_fake_fail_at(w.t, k, -EIO);
		rc = insert(&w, ENGINE_HWBP, CODE);
		failed = target_fake_failed(w.t);
		CHECK_EQ(engine_bp_count(w.e), rc < 0 ? 4 : 5);
		target_fake_fail_at(w.t, 0, 0);
		CHECK_EQ(insert(&w, ENGINE_HWBP, CODE), 0);
		CHECK(is_in_register(&w, CODE));
		CHECK_EQ(native_count(&w), 4);
		for (unsigned i = 0; i < 4; i++)
			CHECK_EQ(take_out(&w, ENGINE_SWBP, 0xf0000000 + i), 0);
		CHECK_EQ(native_count(&w), 1);
		world_close(&w);
	}
}

TESTS(T(unmapped_page_takes_a_debug_register), T(address_that_no_page_can_have_takes_no_breakpoint),
      T(address_without_memory_behind_it_takes_a_debug_register),
      T(without_a_free_debug_register_an_unmapped_page_takes_no_breakpoint),
      T(hit_in_a_debug_register_is_told_as_the_software_breakpoint_that_it_is),
      T(page_of_the_kernel_without_code_takes_a_debug_register_until_it_has_some),
      T(page_of_user_space_without_code_takes_a_debug_register_while_one_is_free),
      T(breakpoint_moves_into_memory_once_its_page_is_mapped), T(rom_takes_a_debug_register_while_one_is_free),
      T(what_the_client_asks_a_debug_register_for_goes_first),
      T(what_made_room_in_vain_leaves_no_debug_register_behind),
      T(breakpoint_that_must_have_a_debug_register_goes_before_one_that_only_likes_it),
      T(software_and_hardware_breakpoint_at_one_address_share_a_debug_register),
      T(overwritten_breakpoint_is_back_at_the_next_resume_with_what_the_guest_wrote_under_it),
      T(failure_at_any_call_of_a_move_into_memory_loses_no_breakpoint),
      T(failure_at_any_call_of_making_room_loses_no_breakpoint))
