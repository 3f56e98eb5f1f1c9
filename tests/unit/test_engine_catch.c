/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Events that the client wants to see, or not. */
#include "engine_world.h"

static void say(struct world *w, const char *line)
{
	_cleanup_(strbuf_deinit) struct strbuf out = { 0 };
	bool phys = false;
	struct monitor_ctx ctx = { .engine = w->e, .phys_mode = &phys };

	CHECK_EQ(engine_monitor(&ctx, line, &out), 0);
}

static void push(struct world *w, enum stop_why why, unsigned vcpu)
{
	struct stop_event ev = { .why = why, .vcpu = vcpu, .text = "a sentence" };

	target_fake_push_stop(w->t, &ev);
}

TEST(defaults_are_what_a_person_wants_to_see)
{
	struct world w = world_open((struct target_fake_cfg){ 0 });

	CHECK(!engine_catches(w.e, STOP_VCPU_ON));
	CHECK(engine_catches(w.e, STOP_PANIC));
	CHECK(engine_catches(w.e, STOP_RESET));
	CHECK(engine_catches(w.e, STOP_TRIPLE_FAULT));
	CHECK(engine_catches(w.e, STOP_INTERNAL_ERROR));
	CHECK(!engine_catches(w.e, STOP_POWER_OFF));
	CHECK(engine_catches(w.e, STOP_STEP)); // what is not an event is always told
	world_close(&w);
}

TEST(panic_that_is_not_caught_stays_in_the_engine)
{
	struct world w = world_open((struct target_fake_cfg){ 0 });
	struct stop_event ev;

	say(&w, "catch panic off");
	push(&w, STOP_PANIC, 0);
	CHECK_EQ(resume(&w, TARGET_RUN, 0, TARGET_RUN), 0);
	CHECK(!wait_stop(&w, &ev));
	CHECK(engine_running(w.e));
	CHECK(rip(&w, 0) > CODE); // it went on
	world_close(&w);
}

TEST(panic_that_is_not_caught_is_a_step_for_a_vcpu_that_steps)
{
	struct world w = world_open((struct target_fake_cfg){ 0 });
	struct stop_event ev;

	say(&w, "catch panic off");
	push(&w, STOP_PANIC, 0);
	CHECK_EQ(resume(&w, TARGET_HOLD, 0, TARGET_STEP), 0);
	CHECK(wait_stop(&w, &ev));
	CHECK_EQ(ev.why, STOP_STEP);
	CHECK_STR(ev.text, "");
	CHECK_EQ(rip(&w, 0), CODE);
	world_close(&w);
}

TEST(interrupt_while_an_event_is_dropped_still_stops)
{
	struct world w = world_open((struct target_fake_cfg){ 0 });
	struct stop_event ev;

	say(&w, "catch panic off");
	push(&w, STOP_PANIC, 0);
	CHECK_EQ(resume(&w, TARGET_RUN, 0, TARGET_RUN), 0);
	CHECK_EQ(engine_interrupt(w.e), 0);
	CHECK(wait_stop(&w, &ev));
	CHECK_EQ(ev.why, STOP_INTERRUPT);
	world_close(&w);
}

TEST(vcpu_on_reaches_the_target_and_goes_with_the_client)
{
	struct world w = world_open((struct target_fake_cfg){ .nvcpus = 2 });
	struct stop_event ev;

	say(&w, "catch vcpu-on on");
	CHECK(target_fake_catches_vcpu_on(w.t));
	push(&w, STOP_VCPU_ON, 1);
	CHECK_EQ(resume(&w, TARGET_RUN, 0, TARGET_RUN), 0);
	CHECK(wait_stop(&w, &ev));
	CHECK_EQ(ev.why, STOP_VCPU_ON);
	CHECK_EQ(ev.vcpu, 1);
	say(&w, "catch panic off");
	CHECK_EQ(engine_detach(w.e), 0);
	CHECK(!target_fake_catches_vcpu_on(w.t));
	CHECK(!engine_catches(w.e, STOP_VCPU_ON));
	CHECK(engine_catches(w.e, STOP_PANIC));
	world_close(&w);
}

TEST(target_that_fails_to_catch_changes_nothing)
{
	struct world w = world_open((struct target_fake_cfg){ 0 });

	target_fake_fail_at(w.t, 1, -EIO);
	say(&w, "catch vcpu-on on");
	CHECK(target_fake_failed(w.t));
	CHECK(!engine_catches(w.e, STOP_VCPU_ON));
	world_close(&w);
}

TEST(guest_that_was_reset_is_watched_like_the_one_before)
{
	struct world w = world_open((struct target_fake_cfg){ 0 }), next = world_open((struct target_fake_cfg){ 0 });

	say(&w, "catch vcpu-on on");
	say(&w, "catch reset off");
	CHECK_EQ(engine_adopt(next.e, w.e), 0);
	CHECK(target_fake_catches_vcpu_on(next.t));
	CHECK(engine_catches(next.e, STOP_VCPU_ON));
	CHECK(!engine_catches(next.e, STOP_RESET));
	world_close(&w);
	world_close(&next);
}

TESTS(T(defaults_are_what_a_person_wants_to_see), T(panic_that_is_not_caught_stays_in_the_engine),
      T(panic_that_is_not_caught_is_a_step_for_a_vcpu_that_steps), T(interrupt_while_an_event_is_dropped_still_stops),
      T(vcpu_on_reaches_the_target_and_goes_with_the_client), T(target_that_fails_to_catch_changes_nothing),
      T(guest_that_was_reset_is_watched_like_the_one_before))
