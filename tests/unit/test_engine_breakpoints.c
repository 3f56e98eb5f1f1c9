/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "engine_world.h"

TEST(same_breakpoint_twice_is_one)
{
	struct world w = world_open((struct target_fake_cfg){ 0 });

	CHECK_EQ(insert(&w, ENGINE_SWBP, CODE), 0);
	CHECK_EQ(insert(&w, ENGINE_SWBP, CODE), 0);
	CHECK_EQ(insert(&w, ENGINE_HWBP, CODE), 0);
	CHECK_EQ(insert(&w, ENGINE_HWBP, CODE), 0);
	CHECK_EQ(engine_bp_count(w.e), 2);
	CHECK_EQ(native_count(&w), 1);
	CHECK_EQ(take_out(&w, ENGINE_SWBP, CODE), 0);
	CHECK_EQ(take_out(&w, ENGINE_HWBP, CODE), 0);
	CHECK_EQ(w.ram[CODE], NOP);
	CHECK_EQ(native_count(&w), 0);
	CHECK_EQ(engine_bp_count(w.e), 0);
	world_close(&w);
}

TEST(removing_what_is_not_there_is_fine)
{
	struct world w = world_open((struct target_fake_cfg){ 0 });

	CHECK_EQ(take_out(&w, ENGINE_SWBP, CODE), 0);
	CHECK_EQ(take_out(&w, ENGINE_WATCH_W, CODE), 0);
	CHECK_EQ(insert(&w, ENGINE_SWBP, CODE), 0);
	CHECK_EQ(take_out(&w, ENGINE_HWBP, CODE), 0);
	CHECK_EQ(take_out(&w, ENGINE_SWBP, CODE + 1), 0);
	CHECK_EQ(w.ram[CODE], BP);
	world_close(&w);
}

TEST(breakpoint_of_another_length_is_refused)
{
	struct world w = world_open((struct target_fake_cfg){ 0 });

	CHECK_EQ(engine_bp_insert(w.e, 0, ENGINE_SWBP, GVA(CODE), 0, NULL), -EINVAL);
	CHECK_EQ(engine_bp_insert(w.e, 0, ENGINE_SWBP, GVA(CODE), 4, NULL), -EINVAL);
	CHECK_EQ(engine_bp_insert(w.e, 0, ENGINE_HWBP, GVA(CODE), 2, NULL), -EINVAL);
	CHECK_EQ(engine_bp_insert(w.e, 1, ENGINE_SWBP, GVA(CODE), 1, NULL), -EINVAL);
	CHECK_EQ(w.ram[CODE], NOP);
	world_close(&w);
}

TEST(removal_restores_at_the_place_of_insertion_after_page_tables_changed)
{
	struct world w = world_open((struct target_fake_cfg){ 0 });

	world_map(&w, 0x400000, 0x8000);
	world_use_tables(&w, 0, w.root);
	CHECK_EQ(insert(&w, ENGINE_SWBP, 0x400000), 0);
	world_new_tables(&w);
	world_map(&w, 0x400000, 0x9000);
	world_use_tables(&w, 0, w.root);
	w.ram[0x9000] = 0x11;
	CHECK_EQ(take_out(&w, ENGINE_SWBP, 0x400000), 0);
	CHECK_EQ(w.ram[0x8000], NOP);
	CHECK_EQ(w.ram[0x9000], 0x11);
	world_close(&w);
}

TEST(two_mappings_of_one_place_share_it_until_the_last_goes)
{
	struct world w = world_open((struct target_fake_cfg){ 0 });

	world_map(&w, 0x400000, 0x8000);
	world_map(&w, 0x700000, 0x8000);
	world_use_tables(&w, 0, w.root);
	CHECK_EQ(insert(&w, ENGINE_SWBP, 0x400000), 0);
	CHECK_EQ(insert(&w, ENGINE_SWBP, 0x700000), 0);
	CHECK_EQ(take_out(&w, ENGINE_SWBP, 0x400000), 0);
	CHECK_EQ(w.ram[0x8000], BP);
	CHECK_EQ(take_out(&w, ENGINE_SWBP, 0x400000), 0);
	CHECK_EQ(w.ram[0x8000], BP);
	CHECK_EQ(take_out(&w, ENGINE_SWBP, 0x700000), 0);
	CHECK_EQ(w.ram[0x8000], NOP);
	world_close(&w);
}

TEST(guest_changed_the_byte_so_removal_leaves_it)
{
	struct world w = world_open((struct target_fake_cfg){ 0 });

	CHECK_EQ(insert(&w, ENGINE_SWBP, CODE), 0);
	w.ram[CODE] = 0xe9; // a jump label, say
	CHECK_EQ(take_out(&w, ENGINE_SWBP, CODE), 0);
	CHECK_EQ(w.ram[CODE], 0xe9);
	CHECK_EQ(engine_bp_count(w.e), 0);
	world_close(&w);
}

/* Let the guest run and stop again at once: breakpoints take effect with a resume. */
static void run_briefly(struct world *w)
{
	struct stop_event ev;

	target_fake_push_stop(w->t, &(struct stop_event){ .vcpu = 1, .why = STOP_INTERRUPT });
	CHECK_EQ(resume(w, TARGET_HOLD, 1, TARGET_RUN), 0);
	CHECK(wait_stop(w, &ev));
}

TEST(the_guests_int3_is_left_alone_while_no_breakpoint_is_in)
{
	struct world w = world_open((struct target_fake_cfg){ .nvcpus = 2 });

	run_briefly(&w);
	CHECK(!target_fake_has_filter(w.t));
	CHECK_EQ(insert(&w, ENGINE_HWBP, CODE + 9), 0);
	run_briefly(&w);
	CHECK(!target_fake_has_filter(w.t));
	CHECK_EQ(insert(&w, ENGINE_SWBP, CODE + 5), 0);
	run_briefly(&w);
	CHECK(target_fake_has_filter(w.t));
	CHECK_EQ(take_out(&w, ENGINE_SWBP, CODE + 5), 0);
	run_briefly(&w);
	CHECK(!target_fake_has_filter(w.t));
	world_close(&w);
}

TEST(breakpoint_on_the_guests_own_int3_comes_and_goes)
{
	struct world w = world_open((struct target_fake_cfg){ .nvcpus = 2 });

	w.ram[CODE] = BP;
	CHECK_EQ(insert(&w, ENGINE_SWBP, CODE), 0);
	run_briefly(&w);
	CHECK_EQ(target_fake_ask_filter(w.t, 0, GVA(CODE)), TARGET_REPORT);
	CHECK_EQ(take_out(&w, ENGINE_SWBP, CODE), 0);
	CHECK_EQ(w.ram[CODE], BP);
	CHECK_EQ(target_fake_ask_filter(w.t, 0, GVA(CODE)), TARGET_REINJECT);
	world_close(&w);
}

TEST(filter_tells_ours_from_stale_from_the_guests_own)
{
	struct world w = world_open((struct target_fake_cfg){ .nvcpus = 2 });

	world_map(&w, 0x400000, 0x8000);
	world_map(&w, 0x700000, 0x8000);
	world_map(&w, 0x701000, 0x9000);
	world_use_tables(&w, 0, w.root);
	world_use_tables(&w, 1, w.root);
	CHECK_EQ(insert(&w, ENGINE_SWBP, 0x400005), 0);
	run_briefly(&w);
	w.ram[0x9000] = BP;
	CHECK_EQ(target_fake_ask_filter(w.t, 0, GVA(0x400005)), TARGET_REPORT);
	CHECK_EQ(target_fake_ask_filter(w.t, 1, GVA(0x700005)), TARGET_REPORT); // the same place
	CHECK_EQ(target_fake_ask_filter(w.t, 1, GVA(0x700006)), TARGET_AGAIN);
	CHECK_EQ(target_fake_ask_filter(w.t, 1, GVA(0x701000)), TARGET_REINJECT);
	CHECK_EQ(target_fake_ask_filter(w.t, 1, GVA(0x702000)), TARGET_REPORT); // cannot be looked up
	w.ram[0x9001] = 0x66; // a prefix: run again it would only come back
	w.ram[0x9002] = BP;
	CHECK_EQ(target_fake_ask_filter(w.t, 1, GVA(0x701001)), TARGET_REINJECT);
	CHECK_EQ(take_out(&w, ENGINE_SWBP, 0x400005), 0);
	CHECK_EQ(target_fake_ask_filter(w.t, 0, GVA(0x400005)), TARGET_AGAIN);
	world_close(&w);
}

TEST(fifth_hardware_breakpoint_finds_no_room_and_changes_nothing)
{
	struct world w = world_open((struct target_fake_cfg){ 0 });

	for (unsigned i = 0; i < 4; i++)
		CHECK_EQ(insert(&w, ENGINE_HWBP, CODE + i), 0);
	CHECK_EQ(insert(&w, ENGINE_HWBP, CODE + 4), -ENOSPC);
	CHECK_EQ(engine_bp_count(w.e), 4);
	CHECK_EQ(native_count(&w), 4);
	CHECK_EQ(take_out(&w, ENGINE_HWBP, CODE + 1), 0);
	CHECK_EQ(insert(&w, ENGINE_HWBP, CODE + 4), 0);
	world_close(&w);
}

TEST(watchpoints_are_checked_by_kind_length_and_alignment)
{
	struct world w = world_open((struct target_fake_cfg){ 0 });

	CHECK_EQ(engine_bp_insert(w.e, 0, ENGINE_WATCH_W, GVA(0x2000), 8, NULL), 0);
	CHECK_EQ(engine_bp_insert(w.e, 0, ENGINE_WATCH_A, GVA(0x2010), 4, NULL), 0);
	CHECK_EQ(engine_bp_insert(w.e, 0, ENGINE_WATCH_R, GVA(0x2020), 4, NULL), -ENOTSUP);
	CHECK_EQ(engine_bp_insert(w.e, 0, ENGINE_WATCH_W, GVA(0x2000), 0, NULL), -EINVAL);
	CHECK_EQ(engine_bp_count(w.e), 2);
	CHECK(!engine_bp_supported(w.e, ENGINE_WATCH_R));
	CHECK(engine_bp_supported(w.e, ENGINE_WATCH_W));
	world_close(&w);
}

TEST(target_without_debug_registers_still_has_software_breakpoints)
{
	struct world w = world_open((struct target_fake_cfg){ .no_hw = true });

	CHECK(engine_bp_supported(w.e, ENGINE_SWBP));
	CHECK(!engine_bp_supported(w.e, ENGINE_HWBP));
	CHECK_EQ(insert(&w, ENGINE_HWBP, CODE), -ENOTSUP);
	CHECK_EQ(insert(&w, ENGINE_SWBP, CODE), 0);
	CHECK_EQ(w.ram[CODE], BP);
	world_close(&w);
}

TEST(target_that_places_breakpoints_itself_gets_them_in_its_list)
{
	struct world w = world_open((struct target_fake_cfg){ .native_sw = true });
	const struct target_break *set;
	unsigned n;

	CHECK_EQ(insert(&w, ENGINE_SWBP, CODE), 0);
	CHECK_EQ(w.ram[CODE], NOP);
	set = target_fake_breaks(w.t, &n);
	CHECK_EQ(n, 1);
	CHECK_EQ(set[0].kind, TARGET_BREAK_SW);
	CHECK_EQ(set[0].at.raw, CODE);
	CHECK_EQ(take_out(&w, ENGINE_SWBP, CODE), 0);
	CHECK_EQ(native_count(&w), 0);
	world_close(&w);
}

TEST(running_guest_takes_no_breakpoints)
{
	struct world w = world_open((struct target_fake_cfg){ 0 });

	CHECK_EQ(resume(&w, TARGET_RUN, 0, TARGET_RUN), 0);
	CHECK_EQ(insert(&w, ENGINE_SWBP, CODE), -EBUSY);
	CHECK_EQ(take_out(&w, ENGINE_SWBP, CODE), -EBUSY);
	world_close(&w);
}

TEST(many_breakpoints_come_and_go)
{
	struct world w = world_open((struct target_fake_cfg){ 0 });

	for (unsigned i = 0; i < 500; i++)
		CHECK_EQ(insert(&w, ENGINE_SWBP, CODE + 3 * i), 0);
	for (unsigned i = 0; i < 500; i += 2)
		CHECK_EQ(take_out(&w, ENGINE_SWBP, CODE + 3 * i), 0);
	for (unsigned i = 0; i < 500; i++)
		CHECK_EQ(w.ram[CODE + 3 * i], i % 2 ? BP : NOP);
	engine_destroy(w.e);
	for (unsigned i = 0; i < 2000; i++)
		CHECK_EQ(w.ram[CODE + i], NOP);
	target_destroy(w.t);
}

static bool in_memory(struct world *w)
{
	return w->ram[CODE] == BP;
}

static bool in_list(struct world *w)
{
	return native_count(w) == 1;
}

TEST(failure_at_any_call_leaves_table_and_guest_as_they_were)
{
	static const struct {
		enum engine_bp_kind kind;
		bool native_sw;
		bool (*is_in)(struct world *w);
	} rows[] = {
		{ ENGINE_SWBP, false, in_memory },
		{ ENGINE_SWBP, true, in_list },
		{ ENGINE_HWBP, false, in_list },
		{ ENGINE_WATCH_W, false, in_list },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		for (unsigned k = 1, failed = 1; failed; k++) {
			struct world w = world_open((struct target_fake_cfg){ .native_sw = rows[i].native_sw });

			target_fake_fail_at(w.t, k, -EIO);
			failed = insert(&w, rows[i].kind, CODE) < 0;
			CHECK_EQ(failed, target_fake_failed(w.t));
			CHECK_EQ(engine_bp_count(w.e), !failed);
			CHECK_EQ(rows[i].is_in(&w), !failed);
			CHECK(!failed || w.ram[CODE] == NOP);
			target_fake_fail_at(w.t, 0, 0);
			CHECK_EQ(insert(&w, rows[i].kind, CODE), 0);
			CHECK(rows[i].is_in(&w));
			world_close(&w);
		}
		for (unsigned k = 1, failed = 1; failed; k++) {
			struct world w = world_open((struct target_fake_cfg){ .native_sw = rows[i].native_sw });

			CHECK_EQ(insert(&w, rows[i].kind, CODE), 0);
			target_fake_fail_at(w.t, k, -EIO);
			failed = take_out(&w, rows[i].kind, CODE) < 0;
			CHECK_EQ(failed, target_fake_failed(w.t));
			CHECK_EQ(engine_bp_count(w.e), failed);
			CHECK_EQ(rows[i].is_in(&w), failed);
			target_fake_fail_at(w.t, 0, 0);
			CHECK_EQ(take_out(&w, rows[i].kind, CODE), 0);
			CHECK_EQ(w.ram[CODE], NOP);
			CHECK_EQ(native_count(&w), 0);
			world_close(&w);
		}
	}
}

TESTS(T(same_breakpoint_twice_is_one), T(removing_what_is_not_there_is_fine),
      T(breakpoint_of_another_length_is_refused),
      T(removal_restores_at_the_place_of_insertion_after_page_tables_changed),
      T(two_mappings_of_one_place_share_it_until_the_last_goes), T(guest_changed_the_byte_so_removal_leaves_it),
      T(the_guests_int3_is_left_alone_while_no_breakpoint_is_in), T(breakpoint_on_the_guests_own_int3_comes_and_goes),
      T(filter_tells_ours_from_stale_from_the_guests_own),
      T(fifth_hardware_breakpoint_finds_no_room_and_changes_nothing),
      T(watchpoints_are_checked_by_kind_length_and_alignment),
      T(target_without_debug_registers_still_has_software_breakpoints),
      T(target_that_places_breakpoints_itself_gets_them_in_its_list), T(running_guest_takes_no_breakpoints),
      T(many_breakpoints_come_and_go), T(failure_at_any_call_leaves_table_and_guest_as_they_were))
