/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Stops where the guest's image writes checkpoints, without anything of the client's. */
#include "checkpoint/scan.h"
#include "monitor_world.h"
#include "util/errtext.h"

#define SITE(n) (CODE + 0x10 * (n))
enum { SITES = 6, REGISTERS = 4 };

static unsigned nsites, scans;

static int scan(void *arg, struct checkpoint_scan **ret, struct errtext *why)
{
	struct checkpoint_scan *s = calloc(1, sizeof(*s));

	scans++;
	s->site = calloc(SITES, sizeof(*s->site));
	s->nsites = nsites;
	for (unsigned i = 0; i < nsites; i++)
		s->site[i] = (struct checkpoint_site){
			.at = SITE(i + 1), .phys = SITE(i + 1), .value = (uint8_t)(0xa1 + i), .function = "main"
		};
	*ret = s;
	return 0;
}

static int fails(void *arg, struct checkpoint_scan **ret, struct errtext *why)
{
	return errtext_set(why, -ENOEXEC, "x.img is compressed");
}

static struct world open_with(struct target_fake_cfg cfg, unsigned n)
{
	struct world w = world_open(cfg);

	nsites = n;
	scans = 0;
	engine_checkpoints_use(w.e, &(struct engine_checkpoints){ .scan = scan });
	return w;
}

/* Run to the next stop. */
static struct stop_event go(struct world *w)
{
	struct stop_event ev;

	CHECK_EQ(resume(w, TARGET_RUN, 0, TARGET_RUN), 0);
	CHECK(wait_stop(w, &ev));
	return ev;
}

TEST(sites_are_listed_and_stop_nobody)
{
	struct world w = open_with((struct target_fake_cfg){ 0 }, 2);

	CHECK_STR(say(&w, "checkpoint sites"), "0x0000000000001010  0xa1  main+0x0\n"
					       "0x0000000000001020  0xa2  main+0x0\n");
	say(&w, "checkpoint sites");
	CHECK_EQ(scans, 1);
	CHECK_EQ(native_count(&w), 0);
	close_all(&w);
}

TEST(a_site_stops_before_the_write_and_is_left_behind)
{
	struct world w = open_with((struct target_fake_cfg){ 0 }, 2);
	struct stop_event ev;

	CHECK_STR(say(&w, "checkpoint sites on"), "0x0000000000001010  0xa1  main+0x0  stops\n"
						  "0x0000000000001020  0xa2  main+0x0  stops\n");
	ev = go(&w);
	CHECK_EQ(ev.why, STOP_CHECKPOINT);
	CHECK_EQ(ev.pc.raw, SITE(1));
	CHECK_STR(ev.text, "checkpoint site 0x1010: 0xa1 main+0x0, vCPU 0, before it is written");
	CHECK_HAS(say(&w, "info breakpoints"), "site      0x1010");
	CHECK_EQ(go(&w).pc.raw, SITE(2));
	CHECK(!strstr(say(&w, "checkpoint sites off"), "stops"));
	CHECK_EQ(native_count(&w), 0);
	CHECK_STR(say(&w, "info breakpoints"), "no breakpoints\n");
	close_all(&w);
}

TEST(sites_that_do_not_fit_are_counted)
{
	struct world w = open_with((struct target_fake_cfg){ 0 }, SITES);
	const char *text = say(&w, "checkpoint sites on");

	CHECK_HAS(text, "no debug register is left for 2 of them\n");
	CHECK_HAS(text, "0x0000000000001040  0xa4  main+0x0  stops\n");
	CHECK_HAS(text, "0x0000000000001050  0xa5  main+0x0\n");
	CHECK_EQ(native_count(&w), REGISTERS);
	close_all(&w);
}

TEST(what_the_client_asks_for_goes_first)
{
	struct world w = open_with((struct target_fake_cfg){ 0 }, REGISTERS);
	_cleanup_(strbuf_deinit) struct strbuf text = { 0 };

	say(&w, "checkpoint sites on");
	CHECK_EQ(insert(&w, ENGINE_HWBP, SITE(1) + 1), 0);
	CHECK_HAS(say(&w, "checkpoint sites"), "0x0000000000001040  0xa4  main+0x0  waits for a debug register\n");
	CHECK_EQ(go(&w).pc.raw, SITE(1));
	CHECK_EQ(go(&w).why, STOP_HWBREAK);
	engine_text_take(w.e, &text);
	CHECK_HAS(strbuf_str(&text), "gdbvm: the checkpoint site at 0x1040 waits");
	CHECK_EQ(take_out(&w, ENGINE_HWBP, SITE(1) + 1), 0);
	CHECK_EQ(go(&w).pc.raw, SITE(2));
	CHECK_EQ(go(&w).pc.raw, SITE(3));
	CHECK_EQ(go(&w).pc.raw, SITE(4));
	close_all(&w);
}

TEST(a_breakpoint_of_the_client_at_a_site_is_a_breakpoint)
{
	struct world w = open_with((struct target_fake_cfg){ 0 }, 2);

	CHECK_EQ(insert(&w, ENGINE_HWBP, SITE(1)), 0);
	say(&w, "checkpoint sites on");
	CHECK_EQ(native_count(&w), 2);
	CHECK_EQ(go(&w).why, STOP_HWBREAK);
	CHECK_EQ(take_out(&w, ENGINE_HWBP, SITE(1)), 0);
	CHECK_EQ(native_count(&w), 2);
	CHECK_EQ(go(&w).why, STOP_CHECKPOINT);
	close_all(&w);
}

/* A client that steps off a breakpoint of its own goes on from there by itself: the site would be passed unseen. */
TEST(a_step_to_a_site_stops_at_it)
{
	struct world w = open_with((struct target_fake_cfg){ 0 }, 2);
	struct stop_event ev;

	say(&w, "checkpoint sites on");
	target_fake_push_stop(w.t, &(struct stop_event){ .why = STOP_STEP, .pc = GVA(SITE(1)) });
	CHECK_EQ(resume(&w, TARGET_STEP, 0, TARGET_RUN), 0);
	CHECK(wait_stop(&w, &ev));
	CHECK_EQ(ev.why, STOP_CHECKPOINT);
	CHECK_HAS(ev.text, "checkpoint site 0x1010: 0xa1");
	say(&w, "checkpoint sites off");
	target_fake_push_stop(w.t, &(struct stop_event){ .why = STOP_STEP, .pc = GVA(SITE(1)) });
	CHECK_EQ(resume(&w, TARGET_STEP, 0, TARGET_RUN), 0);
	CHECK(wait_stop(&w, &ev));
	CHECK_EQ(ev.why, STOP_STEP);
	close_all(&w);
}

TEST(sites_survive_a_reset_and_end_with_the_client)
{
	struct world old = open_with((struct target_fake_cfg){ 0 }, 2), w = open_with((struct target_fake_cfg){ 0 }, 2);

	say(&old, "checkpoint sites on");
	CHECK_EQ(engine_adopt(w.e, old.e), 0);
	world_close(&old);
	CHECK_HAS(go(&w).text, "checkpoint site 0x1010: 0xa1");
	CHECK_EQ(engine_clear(w.e), 0);
	CHECK_EQ(native_count(&w), 0);
	CHECK(!strstr(say(&w, "checkpoint sites"), "stops"));
	close_all(&w);
}

TEST(what_cannot_be_is_told)
{
	struct world w = open_with((struct target_fake_cfg){ .no_hw = true }, 2);

	CHECK_HAS(say(&w, "checkpoint sites on"), "this guest has no hardware breakpoints\n");
	CHECK_HAS(say(&w, "checkpoint sites of"), "'of': expected on or off");
	CHECK_EQ(resume(&w, TARGET_RUN, 0, TARGET_RUN), 0);
	CHECK_HAS(say(&w, "checkpoint sites on"), "the guest is running");
	close_all(&w);

	w = open_with((struct target_fake_cfg){ 0 }, 0);
	CHECK_HAS(say(&w, "checkpoint sites on"), "no checkpoints of port 0x80");
	close_all(&w);

	w = world_open((struct target_fake_cfg){ 0 });
	CHECK_HAS(say(&w, "checkpoint sites"), "not known what this guest was started with");
	engine_checkpoints_use(w.e, &(struct engine_checkpoints){ .scan = fails });
	CHECK_STR(say(&w, "checkpoint sites"), "x.img is compressed\n");
	close_all(&w);
}

TESTS(T(sites_are_listed_and_stop_nobody), T(a_site_stops_before_the_write_and_is_left_behind),
      T(sites_that_do_not_fit_are_counted), T(what_the_client_asks_for_goes_first),
      T(a_breakpoint_of_the_client_at_a_site_is_a_breakpoint), T(a_step_to_a_site_stops_at_it),
      T(sites_survive_a_reset_and_end_with_the_client), T(what_cannot_be_is_told))
