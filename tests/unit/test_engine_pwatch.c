/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "engine_world.h"

static struct stop_event hit_at(uint64_t at)
{
	return (struct stop_event){
		.why = STOP_PWATCH,
		.vcpu = 1,
		.pc = GVA(CODE + 4),
		.pwatch = { .at = GPA(at), .size = 8, .new = 0x2a, .from = GVA(CODE) },
	};
}

TEST(the_target_gets_the_whole_list)
{
	struct world w = world_open((struct target_fake_cfg){ 0 });
	const struct target_pwatch *set;
	unsigned n;

	CHECK_EQ(engine_pwatch_add(w.e, GPA(0x3000), 8), 0);
	CHECK_EQ(engine_pwatch_add(w.e, GPA(0x3000), 8), 0);
	CHECK_EQ(engine_pwatch_add(w.e, GPA(0x4001), 5000), 0);
	set = target_fake_pwatches(w.t, &n);
	CHECK_EQ(n, 2);
	CHECK_EQ(set[1].at.raw, 0x4001);
	CHECK_EQ(set[1].len, 5000);
	CHECK_EQ(engine_pwatch_remove(w.e, &GPA(0x3000)), 0);
	set = target_fake_pwatches(w.t, &n);
	CHECK_EQ(n, 1);
	CHECK_EQ(set[0].at.raw, 0x4001);
	CHECK_EQ(engine_pwatch_remove(w.e, &GPA(0x3000)), -ENOENT);
	CHECK_EQ(engine_pwatch_remove(w.e, NULL), 0);
	target_fake_pwatches(w.t, &n);
	CHECK_EQ(n, 0);
	world_close(&w);
}

TEST(a_refused_range_changes_nothing)
{
	struct world w = world_open((struct target_fake_cfg){ 0 });
	unsigned n;

	CHECK_EQ(engine_pwatch_add(w.e, GPA(0x3000), 8), 0);
	CHECK_EQ(engine_pwatch_add(w.e, GPA(RAM_SIZE), 8), -EFAULT);
	CHECK_EQ(engine_pwatch_add(w.e, GPA(0x4000), 0), -EINVAL);
	CHECK_EQ(engine_pwatch_add(w.e, GPA(UINT64_MAX), 2), -EINVAL);
	engine_pwatch_list(w.e, &n);
	CHECK_EQ(n, 1);
	for (uint64_t i = 1; i < 8; i++)
		CHECK_EQ(engine_pwatch_add(w.e, GPA(0x3000 + 8 * i), 8), 0);
	CHECK_EQ(engine_pwatch_add(w.e, GPA(0x5000), 8), -ENOSPC);
	world_close(&w);
}

TEST(a_hit_names_who_wrote_what)
{
	struct world w = world_open((struct target_fake_cfg){ .nvcpus = 2 });
	struct stop_event ev = hit_at(0x3000);

	CHECK_EQ(engine_pwatch_add(w.e, GPA(0x3004), 4), 0);
	target_fake_push_stop(w.t, &ev);
	CHECK_EQ(resume(&w, TARGET_RUN, 0, TARGET_RUN), 0);
	CHECK(wait_stop(&w, &ev));
	CHECK_EQ(ev.why, STOP_PWATCH);
	CHECK_STR(ev.text, "pwatch: vCPU 1 wrote 8 bytes at 0x3000: 0x0 -> 0x2a, from 0x1000");
	world_close(&w);
}

/* For a client a step is nothing to stop for in the middle of `next`. */
TEST(a_hit_of_a_step_is_a_hit)
{
	struct world w = world_open((struct target_fake_cfg){ .nvcpus = 2 });
	struct stop_event ev = hit_at(0x3000);

	ev.why = STOP_STEP;
	ev.vcpu = 0;
	CHECK_EQ(engine_pwatch_add(w.e, GPA(0x3004), 4), 0);
	target_fake_push_stop(w.t, &ev);
	CHECK_EQ(resume(&w, TARGET_STEP, 0, TARGET_RUN), 0);
	CHECK(wait_stop(&w, &ev));
	CHECK_EQ(ev.why, STOP_PWATCH);
	CHECK_STR(ev.text, "pwatch: vCPU 0 wrote 8 bytes at 0x3000: 0x0 -> 0x2a, from 0x1000");
	world_close(&w);
}

TEST(a_hit_on_a_range_that_is_not_watched_any_more_is_no_stop)
{
	struct world w = world_open((struct target_fake_cfg){ .nvcpus = 2 });
	struct stop_event ev = hit_at(0x3000);

	CHECK_EQ(engine_pwatch_add(w.e, GPA(0x3008), 4), 0);
	target_fake_push_stop(w.t, &ev);
	CHECK_EQ(resume(&w, TARGET_RUN, 0, TARGET_RUN), 0);
	CHECK(!wait_stop(&w, &ev));
	world_close(&w);
}

TEST(another_reason_of_the_same_instruction_carries_the_hit)
{
	struct world w = world_open((struct target_fake_cfg){ .nvcpus = 2 });
	struct stop_event ev = hit_at(0x3000);

	CHECK_EQ(engine_pwatch_add(w.e, GPA(0x3000), 8), 0);
	CHECK_EQ(engine_bp_insert(w.e, 0, ENGINE_WATCH_W, GVA(0x3000), 8, NULL), 0);
	ev.why = STOP_WATCH;
	ev.watch_at = GVA(0x3000);
	target_fake_push_stop(w.t, &ev);
	CHECK_EQ(resume(&w, TARGET_RUN, 0, TARGET_RUN), 0);
	CHECK(wait_stop(&w, &ev));
	CHECK_EQ(ev.why, STOP_WATCH);
	CHECK(strstr(ev.text, "vCPU 1 wrote 8 bytes") != NULL);
	world_close(&w);
}

TEST(detach_ends_all_watches)
{
	struct world w = world_open((struct target_fake_cfg){ 0 });
	unsigned n;

	CHECK_EQ(engine_pwatch_add(w.e, GPA(0x3000), 8), 0);
	CHECK_EQ(resume(&w, TARGET_RUN, 0, TARGET_RUN), 0);
	CHECK_EQ(engine_pwatch_add(w.e, GPA(0x4000), 8), -EBUSY);
	CHECK_EQ(engine_detach(w.e), 0);
	target_fake_pwatches(w.t, &n);
	CHECK_EQ(n, 0);
	engine_pwatch_list(w.e, &n);
	CHECK_EQ(n, 0);
	world_close(&w);
}

TEST(watches_move_to_the_guest_that_takes_the_place_of_one_that_was_reset)
{
	struct world old = world_open((struct target_fake_cfg){ 0 }), w = world_open((struct target_fake_cfg){ 0 });
	unsigned n;

	CHECK_EQ(engine_pwatch_add(old.e, GPA(0x3000), 8), 0);
	CHECK_EQ(engine_adopt(w.e, old.e), 0);
	world_close(&old);
	CHECK_EQ(engine_pwatch_list(w.e, &n)->at.raw, 0x3000);
	CHECK_EQ(n, 1);
	CHECK_EQ(target_fake_pwatches(w.t, &n)->at.raw, 0x3000);
	CHECK_EQ(n, 1);
	world_close(&w);
}

TEST(watches_that_the_new_guest_refuses_are_told)
{
	struct world old = world_open((struct target_fake_cfg){ 0 }), w = world_open((struct target_fake_cfg){ 0 });
	_cleanup_(strbuf_deinit) struct strbuf b = { 0 };
	unsigned n;

	CHECK_EQ(engine_pwatch_add(old.e, GPA(0x3000), 8), 0);
	target_fake_fail_at(w.t, 1, -EIO);
	CHECK_EQ(engine_adopt(w.e, old.e), 0);
	CHECK(target_fake_failed(w.t));
	engine_pwatch_list(w.e, &n);
	CHECK_EQ(n, 0);
	engine_text_take(w.e, &b);
	CHECK(strstr(strbuf_str(&b), "not watched any more"));
	world_close(&old);
	world_close(&w);
}

TESTS(T(the_target_gets_the_whole_list), T(a_refused_range_changes_nothing), T(a_hit_names_who_wrote_what),
      T(a_hit_of_a_step_is_a_hit), T(a_hit_on_a_range_that_is_not_watched_any_more_is_no_stop),
      T(another_reason_of_the_same_instruction_carries_the_hit), T(detach_ends_all_watches),
      T(watches_move_to_the_guest_that_takes_the_place_of_one_that_was_reset),
      T(watches_that_the_new_guest_refuses_are_told))
