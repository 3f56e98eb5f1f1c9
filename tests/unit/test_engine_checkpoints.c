/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Checkpoints that stop the guest, and what a person can see of all. */
#include "checkpoint/log.h"
#include "checkpoint/recent.h"
#include "monitor_world.h"

static struct checkpoint_log *record;
static struct checkpoint_recent *recent;
static struct checkpoint_names *names;

static void use(struct world *w)
{
	engine_checkpoints_use(w->e, &(struct engine_checkpoints){ record, recent, names });
}

static struct world open_with(struct target_fake_cfg cfg, const char *map)
{
	struct checkpoint_log_cfg log = { .text_fd = -1, .stop_fd = -1, .nlisteners = 1 };
	struct world w = world_open(cfg);
	struct errtext why;

	CHECK_EQ(checkpoint_names_create(&names), 0);
	CHECK_EQ(checkpoint_names_parse(names, "test", map, strlen(map), &why), 0);
	CHECK_EQ(checkpoint_recent_create(&recent), 0);
	log.names = names;
	log.listener[0] = (struct checkpoint_listener){ checkpoint_recent_add, recent };
	CHECK_EQ(checkpoint_log_create(&log, &record, &why), 0);
	use(&w);
	return w;
}

static void close_with(struct world *w)
{
	struct errtext why;

	close_all(w);
	checkpoint_log_close(record, &why);
	checkpoint_recent_destroy(recent);
	checkpoint_names_destroy(names);
}

/* The guest writes, and stops if the engine says so. */
static bool put(struct world *w, unsigned vcpu, uint8_t value)
{
	struct checkpoint_record rec = {
		.ns = 1, .value = value, .size = 1, .port = 0x80, .vcpu = (int16_t)vcpu, .pc = CODE, .has_pc = true
	};
	const struct stop_event ev = { .why = STOP_CHECKPOINT, .vcpu = vcpu, .pc = GVA(CODE) };
	bool stops;

	rec.seq = checkpoint_log_add(record, &rec);
	stops = engine_checkpoint(w->e, &rec);
	if (stops)
		target_fake_push_stop(w->t, &ev);
	return stops;
}

static void check_stop(struct world *w, enum stop_why why, const char *text)
{
	struct stop_event ev;

	CHECK(wait_stop(w, &ev));
	CHECK_EQ(ev.why, why);
	CHECK_STR(ev.text, text);
}

TEST(a_stop_names_the_checkpoint)
{
	struct world w = open_with((struct target_fake_cfg){ .nvcpus = 2 }, "0x16 16BIT_MODE\n");

	CHECK(!put(&w, 0, 0x16));
	CHECK_STR(say(&w, "checkpoint break 0x16"), "  1  value 0x16, 16BIT_MODE: 0 times\n");
	CHECK(target_fake_catches_checkpoints(w.t));
	CHECK(!put(&w, 1, 0x17));
	CHECK(put(&w, 1, 0x16));
	CHECK_EQ(resume(&w, TARGET_RUN, 0, TARGET_RUN), 0);
	check_stop(&w, STOP_CHECKPOINT, "checkpoint 3: 0x16 16BIT_MODE, port 0x80, vCPU 1, pc 0x1000");
	CHECK_STR(say(&w, "checkpoint"), "  1  value 0x16, 16BIT_MODE: 1 time\n");
	close_with(&w);
}

TEST(vcpus_that_stop_together_are_told_one_after_the_other)
{
	struct world w = open_with((struct target_fake_cfg){ .nvcpus = 2 }, "");

	say(&w, "checkpoint break 0x16");
	CHECK(put(&w, 0, 0x16));
	CHECK(put(&w, 1, 0x16));
	CHECK_EQ(resume(&w, TARGET_RUN, 0, TARGET_RUN), 0);
	check_stop(&w, STOP_CHECKPOINT, "checkpoint 1: 0x16, port 0x80, vCPU 0, pc 0x1000");
	CHECK_EQ(resume(&w, TARGET_RUN, 0, TARGET_RUN), 0);
	check_stop(&w, STOP_CHECKPOINT, "checkpoint 2: 0x16, port 0x80, vCPU 1, pc 0x1000");
	close_with(&w);
}

TEST(elements_of_one_instruction_are_one_stop)
{
	struct world w = open_with((struct target_fake_cfg){ 0 }, "");

	say(&w, "checkpoint break 0x16");
	CHECK(put(&w, 0, 0x16));
	engine_checkpoint(w.e, &(struct checkpoint_record){ .seq = 2, .value = 0x16, .size = 1, .pc = CODE });
	CHECK_EQ(resume(&w, TARGET_RUN, 0, TARGET_RUN), 0);
	check_stop(&w, STOP_CHECKPOINT, "checkpoint 1: 0x16, port 0x80, vCPU 0, pc 0x1000, and 1 more at once");
	close_with(&w);
}

TEST(one_that_was_collected_later_stops_nobody)
{
	struct world w = open_with((struct target_fake_cfg){ 0 }, "");

	say(&w, "checkpoint break 0x16");
	CHECK(!engine_checkpoint(
		w.e, &(struct checkpoint_record){ .seq = 1, .value = 0x16, .size = 1, .mode = CHECKPOINT_COALESCED }));
	CHECK(!engine_checkpoint(w.e, &(struct checkpoint_record){ .seq = 1, .value = 0x16, .size = 1, .vcpu = -1 }));
	close_with(&w);
}

TEST(a_stop_that_nobody_wants_any_more_is_dropped)
{
	struct world w = open_with((struct target_fake_cfg){ 0 }, "");
	struct stop_event ev;

	say(&w, "checkpoint break 0x16");
	say(&w, "checkpoint break 0x17");
	CHECK(put(&w, 0, 0x16));
	CHECK_HAS(say(&w, "checkpoint delete 1"), "  2  value 0x17");
	CHECK_EQ(resume(&w, TARGET_RUN, 0, TARGET_RUN), 0);
	CHECK(!wait_stop(&w, &ev));
	CHECK(engine_running(w.e));
	close_with(&w);
}

TEST(a_step_that_is_dropped_is_a_step_all_the_same)
{
	struct world w = open_with((struct target_fake_cfg){ 0 }, "");

	say(&w, "checkpoint break 0x16");
	CHECK(put(&w, 0, 0x16));
	say(&w, "checkpoint delete all");
	say(&w, "checkpoint break 0x17"); // has the number of the other
	CHECK_EQ(resume(&w, TARGET_HOLD, 0, TARGET_STEP), 0);
	check_stop(&w, STOP_STEP, "");
	close_with(&w);
}

TEST(deleting_the_last_ends_it)
{
	struct world w = open_with((struct target_fake_cfg){ 0 }, "");

	say(&w, "checkpoint break 0x16");
	CHECK_STR(say(&w, "checkpoint delete 2"), "there is no number 2\n");
	CHECK_STR(say(&w, "checkpoint delete 1"), "the guest stops at no checkpoint\n");
	CHECK(!target_fake_catches_checkpoints(w.t));
	CHECK(!put(&w, 0, 0x16));
	CHECK_STR(say(&w, "checkpoint delete 1"), "there is no number 1\n");
	CHECK_STR(say(&w, "checkpoint list"), "the guest stops at no checkpoint\n");
	close_with(&w);
}

TEST(detach_ends_all)
{
	struct world w = open_with((struct target_fake_cfg){ 0 }, "");
	struct stop_event ev;

	say(&w, "checkpoint break 0x16");
	CHECK(put(&w, 0, 0x16));
	CHECK_EQ(engine_detach(w.e), 0);
	CHECK(!target_fake_catches_checkpoints(w.t));
	CHECK(!wait_stop(&w, &ev));
	CHECK(!put(&w, 0, 0x16));
	close_with(&w);
}

TEST(a_guest_that_was_reset_stops_at_the_same)
{
	struct world old = open_with((struct target_fake_cfg){ 0 }, ""), w = world_open((struct target_fake_cfg){ 0 });

	use(&w);
	say(&old, "checkpoint break 0x16");
	CHECK(put(&old, 0, 0x16));
	CHECK_EQ(engine_adopt(w.e, old.e), 0);
	world_close(&old);
	CHECK(target_fake_catches_checkpoints(w.t));
	CHECK(put(&w, 0, 0x16));
	CHECK_EQ(resume(&w, TARGET_RUN, 0, TARGET_RUN), 0);
	check_stop(&w, STOP_CHECKPOINT, "checkpoint 2: 0x16, port 0x80, vCPU 0, pc 0x1000");
	CHECK_STR(say(&w, "checkpoint"), "  1  value 0x16: 2 times\n");
	close_with(&w);
}

TEST(a_sequence_that_has_begun_is_known)
{
	struct world w = open_with((struct target_fake_cfg){ 0 }, "sequence 0xcd PFN pfn:le16\n");

	put(&w, 0, 0xcd);
	put(&w, 0, 0x34);
	CHECK_STR(say(&w, "checkpoint break PFN"), "  1  name PFN: 0 times\n");
	CHECK(put(&w, 0, 0x12));
	CHECK_EQ(resume(&w, TARGET_RUN, 0, TARGET_RUN), 0);
	check_stop(&w, STOP_CHECKPOINT, "checkpoint 3: PFN pfn=0x1234, port 0x80, vCPU 0, pc 0x1000");
	close_with(&w);
}

TEST(words_that_make_no_sense_are_answered)
{
	struct world w = open_with((struct target_fake_cfg){ 0 }, "0x16 HERE\n0x17 16BIT\nrecord 7 REC\n");

	CHECK_HAS(say(&w, "checkpoint break"), "'': expected a value");
	CHECK_HAS(say(&w, "checkpoint break THERE"), "'THERE': expected a value such as 0x16, a name");
	CHECK_HAS(say(&w, "checkpoint break 16BIT_MODE"), "record and an id\n");
	CHECK_HAS(say(&w, "checkpoint break 16bits"), "; did you mean 16BIT?\n");
	CHECK_HAS(say(&w, "checkpoint break record 0x10000"), "'record 0x10000': expected an id from 1 to 0xffff");
	CHECK_HAS(say(&w, "checkpoint break record 0"), "expected an id from 1");
	CHECK_HAS(say(&w, "checkpoint break 16q"), "'16q': expected a value");
	CHECK_HAS(say(&w, "checkpoint break record 7z"), "'record 7z': expected a value");
	CHECK_HAS(say(&w, "checkpoint break record"), "expected a value");
	CHECK_HAS(say(&w, "checkpoint delete"), "missing the number");
	CHECK_HAS(say(&w, "checkpoint delete one"), "'one' is not the number");
	CHECK_HAS(say(&w, "checkpoint brake 1"), "'brake 1': expected break, delete");
	CHECK_HAS(say(&w, "info checkpoints many"), "'many' is not how many");
	CHECK(!target_fake_catches_checkpoints(w.t));
	CHECK_STR(say(&w, "checkpoint break record 7"), "  1  record 0x7, REC: 0 times\n");
	CHECK_STR(say(&w, "checkpoint break record REC"), "  2  name REC: 0 times\n");
	CHECK_STR(say(&w, "checkpoint break HERE"), "  3  name HERE: 0 times\n");
	CHECK_STR(say(&w, "checkpoint break 16BIT"), "  4  name 16BIT: 0 times\n");
	CHECK_EQ(resume(&w, TARGET_RUN, 0, TARGET_RUN), 0);
	CHECK_HAS(say(&w, "checkpoint break 1"), "the guest is running");
	CHECK_HAS(say(&w, "checkpoint delete 1"), "the guest is running");
	close_with(&w);
}

TEST(a_target_that_fails_changes_nothing)
{
	struct world w = open_with((struct target_fake_cfg){ 0 }, "");

	target_fake_fail_at(w.t, 1, -EIO);
	CHECK_HAS(say(&w, "checkpoint break 0x16"), "the guest cannot stop there: Input/output error");
	CHECK_STR(say(&w, "checkpoint"), "the guest stops at no checkpoint\n");
	CHECK(!put(&w, 0, 0x16));
	close_with(&w);
}

TEST(a_guest_that_cannot_says_so)
{
	struct world w = world_open((struct target_fake_cfg){ .no_checkpoints = true });

	CHECK_HAS(say(&w, "checkpoint break 0x16"), "cannot stop at a checkpoint: that takes gdbvm run on KVM");
	CHECK_HAS(say(&w, "info checkpoints"), "checkpoints are not recorded: that takes gdbvm run on KVM");
	close_all(&w);
	w = world_open((struct target_fake_cfg){ 0 });
	CHECK_HAS(say(&w, "checkpoint break 0x16"), "not recorded");
	CHECK_HAS(say(&w, "info checkpoints"), "not recorded");
	close_all(&w);
}

TEST(the_last_are_shown)
{
	struct world w = open_with((struct target_fake_cfg){ 0 }, "0x16 HERE\n");
	unsigned lines = 0;

	CHECK_HAS(say(&w, "info checkpoints"), "written nothing");
	for (unsigned i = 0; i < 100; i++)
		put(&w, 0, 0x16);
	for (const char *p = say(&w, "info checkpoints"); (p = strstr(p, "0x16  HERE\n")); p++)
		lines++;
	CHECK_EQ(lines, 20);
	CHECK_HAS(say(&w, "info checkpoints 1"), "\n    100 ");
	CHECK(!strstr(say(&w, "info checkpoints 1"), "\n     99 "));
	close_with(&w);
}

TESTS(T(a_stop_names_the_checkpoint), T(vcpus_that_stop_together_are_told_one_after_the_other),
      T(elements_of_one_instruction_are_one_stop), T(one_that_was_collected_later_stops_nobody),
      T(a_stop_that_nobody_wants_any_more_is_dropped), T(a_step_that_is_dropped_is_a_step_all_the_same),
      T(deleting_the_last_ends_it), T(detach_ends_all), T(a_guest_that_was_reset_stops_at_the_same),
      T(a_sequence_that_has_begun_is_known), T(words_that_make_no_sense_are_answered),
      T(a_target_that_fails_changes_nothing), T(a_guest_that_cannot_says_so), T(the_last_are_shown))
