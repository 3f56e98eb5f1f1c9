/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "agent/agent.h"
#include "engine_world.h"

/* Conditions, commands, counts and the filter of address spaces. */

#define RUN_ALL TARGET_RUN, 0, TARGET_RUN
#define HERE (CODE + 5)

/* Opcodes of GDB's agent expressions; GDB manual, "Bytecode Descriptions". */
enum { OP_DIV_S = 0x05, OP_EQUAL = 0x13, OP_REF8 = 0x17, OP_CONST8 = 0x22, OP_CONST64 = 0x25, OP_REG = 0x26 };
enum { OP_END = 0x27, OP_PRINTF = 0x34, RAX = 0 };

#define RAX_IS(n) OP_REG, 0, RAX, OP_CONST8, n, OP_EQUAL, OP_END
#define NEVER OP_CONST8, 0, OP_END
#define ALWAYS OP_CONST8, 1, OP_END
#define DIVIDES_BY_0 OP_CONST8, 1, OP_CONST8, 0, OP_DIV_S, OP_END
/* printf, with no arguments but function and channel: their number, the length of the format with its end, the format
 */
#define PRINTS_HIT OP_CONST8, 0, OP_CONST8, 0, OP_PRINTF, 0, 0, 5, 'h', 'i', 't', '\n', '\0', OP_END

static struct agent_expr **exprs(const uint8_t *code, size_t n)
{
	struct agent_expr **x = calloc(1, sizeof(struct agent_expr *));

	CHECK(x);
	CHECK_EQ(agent_expr_create(code, n, x), 0);
	return x;
}

static struct engine_bp_opts *opts_new(void)
{
	struct engine_bp_opts *o = calloc(1, sizeof(*o));

	CHECK(o);
	o->layout = &arch_layout_x86_64;
	return o;
}

static struct engine_bp_opts *condition(const uint8_t *code, size_t n)
{
	struct engine_bp_opts *o = opts_new();

	o->cond = exprs(code, n);
	o->nconds = 1;
	return o;
}

static struct engine_bp_opts *command(const uint8_t *code, size_t n)
{
	struct engine_bp_opts *o = opts_new();

	o->cmd = exprs(code, n);
	o->ncmds = 1;
	return o;
}

#define CONDITION(...) condition((const uint8_t[]){ __VA_ARGS__ }, sizeof((const uint8_t[]){ __VA_ARGS__ }))
#define COMMAND(...) command((const uint8_t[]){ __VA_ARGS__ }, sizeof((const uint8_t[]){ __VA_ARGS__ }))

static int insert_with(struct world *w, enum engine_bp_kind kind, uint64_t at, struct engine_bp_opts *o)
{
	return engine_bp_insert(w->e, 0, kind, GVA(at), 1, o);
}

/* The targets that conditions are evaluated for in different ways. */
static const struct target_fake_cfg worlds[] = {
	{ .nvcpus = 1 },                    /* in a debug register, by the filter */
	{ .nvcpus = 1, .no_hw = true },     /* in memory, by the filter */
	{ .nvcpus = 1, .native_sw = true }, /* by the engine, after a stop of the target */
};

static void set_rax(struct world *w, uint64_t v)
{
	target_fake_regs(w->t, 0)->x86.gpr[0] = v;
}

/* From CODE up to the next stop; false if there is none. */
static bool runs_into(struct world *w, struct stop_event *ev)
{
	target_fake_regs(w->t, 0)->x86.rip = CODE;
	CHECK_EQ(resume(w, RUN_ALL), 0);
	return wait_stop(w, ev);
}

static void stop_it(struct world *w)
{
	struct stop_event ev;

	CHECK_EQ(engine_stop_now(w->e, &ev), 0);
}

static bool monitor_says(struct world *w, const char *line, const char *text)
{
	_cleanup_(strbuf_deinit) struct strbuf b = { 0 };
	bool phys = false;
	struct monitor_ctx ctx = { .engine = w->e, .phys_mode = &phys };

	CHECK_EQ(engine_monitor(&ctx, line, &b), 0);
	if (strstr(strbuf_str(&b), text))
		return true;
	fprintf(stderr, "'%s' is not in:\n%s", text, strbuf_str(&b));
	return false;
}

/* Of the only breakpoint, or the first one. */
static void check_counts(struct world *w, unsigned hits, unsigned stops)
{
	char text[64];

	snprintf(text, sizeof(text), "  %10u  %10u  ", hits, stops);
	CHECK(monitor_says(w, "info breakpoints", text));
}

TEST(false_condition_lets_the_guest_run_on_and_a_true_one_stops_it)
{
	for (size_t i = 0; i < ARRAY_LEN(worlds); i++) {
		struct world w = world_open(worlds[i]);
		struct stop_event ev;

		CHECK_EQ(insert_with(&w, ENGINE_SWBP, HERE, CONDITION(RAX_IS(7))), 0);
		set_rax(&w, 6);
		CHECK(!runs_into(&w, &ev));
		stop_it(&w);
		CHECK(rip(&w, 0) > HERE);
		check_counts(&w, 1, 0);
		set_rax(&w, 7);
		CHECK(runs_into(&w, &ev));
		CHECK_EQ(ev.why, STOP_SWBREAK);
		CHECK_EQ(ev.pc.raw, HERE);
		CHECK_STR(ev.text, "");
		check_counts(&w, 2, 1);
		CHECK(!runs_into(&w, &ev) || ev.pc.raw == HERE);
		world_close(&w);
	}
}

TEST(one_true_condition_of_several_stops)
{
	struct world w = world_open((struct target_fake_cfg){ 0 });
	const uint8_t never[] = { NEVER }, always[] = { ALWAYS };
	struct engine_bp_opts *o = opts_new();
	struct stop_event ev;

	o->cond = calloc(2, sizeof(struct agent_expr *));
	CHECK(o->cond);
	o->nconds = 2;
	CHECK_EQ(agent_expr_create(never, sizeof(never), &o->cond[0]), 0);
	CHECK_EQ(agent_expr_create(always, sizeof(always), &o->cond[1]), 0);
	CHECK_EQ(insert_with(&w, ENGINE_SWBP, HERE, o), 0);
	CHECK(runs_into(&w, &ev));
	world_close(&w);
}

TEST(condition_reads_memory_as_the_guest_sees_it)
{
	for (size_t i = 0; i < ARRAY_LEN(worlds); i++) {
		struct world w = world_open(worlds[i]);
		struct stop_event ev;

		CHECK_EQ(insert(&w, ENGINE_SWBP, CODE + 9), 0);
		w.ram[CODE + 8] = 0x42;
		// the byte at 0x1009 is NOP, whatever we have put there
		CHECK_EQ(insert_with(&w, ENGINE_SWBP, HERE,
				     CONDITION(OP_CONST64, 0, 0, 0, 0, 0, 0, 0x10, 0x09, OP_REF8, OP_CONST8, NOP,
					       OP_EQUAL, OP_END)),
			 0);
		CHECK(runs_into(&w, &ev));
		CHECK_EQ(ev.pc.raw, HERE);
		world_close(&w);
	}
}

TEST(condition_that_fails_stops_and_says_why)
{
	for (size_t i = 0; i < ARRAY_LEN(worlds); i++) {
		struct world w = world_open(worlds[i]);
		struct stop_event ev;

		CHECK_EQ(insert_with(&w, ENGINE_SWBP, HERE, CONDITION(DIVIDES_BY_0)), 0);
		CHECK(runs_into(&w, &ev));
		CHECK_EQ(ev.why, STOP_SWBREAK);
		CHECK(strstr(ev.text, "0x1005"));
		check_counts(&w, 1, 1);
		world_close(&w);
	}
	struct world w = world_open((struct target_fake_cfg){ 0 });
	struct stop_event ev;

	CHECK_EQ(insert_with(&w, ENGINE_SWBP, HERE, CONDITION(OP_CONST64, 0, 0, 0, 0, 0x70, 0, 0, 0, OP_REF8, OP_END)),
		 0);
	CHECK(runs_into(&w, &ev));
	CHECK(strstr(ev.text, "Bad address"));
	world_close(&w);
}

TEST(the_same_breakpoint_again_replaces_its_condition)
{
	for (size_t i = 0; i < ARRAY_LEN(worlds); i++) {
		struct world w = world_open(worlds[i]);
		struct stop_event ev;

		CHECK_EQ(insert_with(&w, ENGINE_SWBP, HERE, CONDITION(NEVER)), 0);
		CHECK_EQ(insert_with(&w, ENGINE_SWBP, HERE, CONDITION(ALWAYS)), 0);
		CHECK(runs_into(&w, &ev));
		CHECK_EQ(insert_with(&w, ENGINE_SWBP, HERE, CONDITION(NEVER)), 0);
		CHECK(!runs_into(&w, &ev));
		stop_it(&w);
		CHECK_EQ(insert_with(&w, ENGINE_SWBP, HERE, NULL), 0);
		CHECK(runs_into(&w, &ev));
		CHECK_EQ(engine_bp_count(w.e), 1);
		world_close(&w);
	}
}

TEST(refused_breakpoint_takes_its_condition_with_it)
{
	struct world w = world_open((struct target_fake_cfg){ .no_hw = true });

	CHECK_EQ(insert_with(&w, ENGINE_HWBP, HERE, CONDITION(NEVER)), -ENOTSUP);
	CHECK_EQ(insert_with(&w, ENGINE_SWBP, RAM_SIZE, CONDITION(NEVER)), -EFAULT);
	CHECK_EQ(engine_bp_count(w.e), 0);
	world_close(&w);
}

TEST(hardware_breakpoint_has_a_condition_too)
{
	struct world w = world_open((struct target_fake_cfg){ 0 });
	struct stop_event ev;

	CHECK_EQ(insert_with(&w, ENGINE_HWBP, HERE, CONDITION(NEVER)), 0);
	CHECK(!runs_into(&w, &ev));
	stop_it(&w);
	check_counts(&w, 1, 0);
	world_close(&w);
}

/* ---- commands ---- */

static bool text_waits(struct world *w)
{
	struct pollfd fd = { .fd = engine_text_fd(w->e), .events = POLLIN };

	return poll(&fd, 1, 0) == 1;
}

TEST(commands_are_run_and_the_guest_goes_on)
{
	for (size_t i = 0; i < ARRAY_LEN(worlds); i++) {
		_cleanup_(strbuf_deinit) struct strbuf b = { 0 };
		struct world w = world_open(worlds[i]);
		struct stop_event ev;

		CHECK_EQ(insert_with(&w, ENGINE_SWBP, HERE, COMMAND(PRINTS_HIT)), 0);
		CHECK(!text_waits(&w));
		CHECK(!runs_into(&w, &ev));
		CHECK(text_waits(&w));
		stop_it(&w);
		CHECK(!runs_into(&w, &ev));
		engine_text_take(w.e, &b);
		CHECK_STR(strbuf_str(&b), "hit\nhit\n");
		CHECK(!text_waits(&w));
		engine_text_take(w.e, &b);
		CHECK_STR(strbuf_str(&b), "hit\nhit\n");
		stop_it(&w);
		check_counts(&w, 2, 0);
		world_close(&w);
	}
}

TEST(commands_run_only_when_the_condition_holds)
{
	struct world w = world_open((struct target_fake_cfg){ 0 });
	struct engine_bp_opts *o = CONDITION(RAX_IS(3));
	const uint8_t code[] = { PRINTS_HIT };
	struct stop_event ev;

	o->cmd = exprs(code, sizeof(code));
	o->ncmds = 1;
	CHECK_EQ(insert_with(&w, ENGINE_SWBP, HERE, o), 0);
	CHECK(!runs_into(&w, &ev));
	CHECK(!text_waits(&w));
	stop_it(&w);
	set_rax(&w, 3);
	CHECK(!runs_into(&w, &ev));
	CHECK(text_waits(&w));
	world_close(&w);
}

TEST(command_that_fails_says_so_and_the_guest_goes_on)
{
	_cleanup_(strbuf_deinit) struct strbuf b = { 0 };
	struct world w = world_open((struct target_fake_cfg){ 0 });
	struct stop_event ev;

	CHECK_EQ(insert_with(&w, ENGINE_SWBP, HERE, COMMAND(DIVIDES_BY_0)), 0);
	CHECK(!runs_into(&w, &ev));
	engine_text_take(w.e, &b);
	CHECK(strstr(strbuf_str(&b), "0x1005"));
	world_close(&w);
}

TEST(text_that_nobody_takes_is_bounded_and_the_rest_is_counted)
{
	_cleanup_(strbuf_deinit) struct strbuf b = { 0 };
	struct world w = world_open((struct target_fake_cfg){ 0 });
	struct stop_event ev;

	w.ram[HERE + 1] = HLT;
	CHECK_EQ(insert_with(&w, ENGINE_SWBP, HERE, COMMAND(PRINTS_HIT)), 0);
	for (unsigned i = 0; i < 65536 / 4 + 3; i++) {
		CHECK(!runs_into(&w, &ev));
		stop_it(&w);
	}
	engine_text_take(w.e, &b);
	CHECK(strstr(strbuf_str(&b), " 12 bytes were dropped"));
	CHECK(b.len < 65536 + 200);
	strbuf_reset(&b);
	CHECK(!runs_into(&w, &ev));
	engine_text_take(w.e, &b);
	CHECK_STR(strbuf_str(&b), "hit\n");
	world_close(&w);
}

/* ---- counts ---- */

TEST(two_breakpoints_at_one_place_count_each_and_either_stops)
{
	struct world w = world_open((struct target_fake_cfg){ 0 });
	struct stop_event ev;

	CHECK_EQ(insert_with(&w, ENGINE_HWBP, HERE, CONDITION(NEVER)), 0);
	CHECK_EQ(insert(&w, ENGINE_SWBP, HERE), 0);
	CHECK(runs_into(&w, &ev));
	CHECK_EQ(ev.why, STOP_SWBREAK);
	check_counts(&w, 1, 0);
	check_counts(&w, 1, 1);
	CHECK_EQ(insert(&w, ENGINE_HWBP, HERE), 0);
	CHECK(runs_into(&w, &ev));
	CHECK_EQ(ev.why, STOP_HWBREAK);
	check_counts(&w, 2, 1);
	check_counts(&w, 2, 2);
	world_close(&w);
}

TEST(two_mappings_of_one_place_count_each_its_own)
{
	struct world w = world_open((struct target_fake_cfg){ .no_hw = true });
	struct stop_event ev;

	world_map(&w, 0x400000, 0x8000);
	world_map(&w, 0x700000, 0x8000);
	world_map(&w, 0x800000, 0x8000);
	world_use_tables(&w, 0, w.root);
	CHECK_EQ(insert_with(&w, ENGINE_SWBP, 0x400005, CONDITION(NEVER)), 0);
	CHECK_EQ(insert(&w, ENGINE_SWBP, 0x700005), 0);
	target_fake_regs(w.t, 0)->x86.rip = 0x400000;
	CHECK_EQ(resume(&w, RUN_ALL), 0);
	CHECK(!wait_stop(&w, &ev));
	stop_it(&w);
	check_counts(&w, 1, 0);
	check_counts(&w, 0, 0);
	target_fake_regs(w.t, 0)->x86.rip = 0x800000; // neither's address
	CHECK_EQ(resume(&w, RUN_ALL), 0);
	CHECK(wait_stop(&w, &ev));
	CHECK_EQ(ev.pc.raw, 0x800005);
	check_counts(&w, 2, 0);
	check_counts(&w, 1, 1);
	world_close(&w);
}

TEST(counts_outlive_a_breakpoint_that_is_out_for_a_stop)
{
	struct world w = world_open((struct target_fake_cfg){ 0 });
	struct stop_event ev;

	CHECK_EQ(insert(&w, ENGINE_SWBP, HERE), 0);
	for (unsigned i = 1; i < 4; i++) {
		CHECK(runs_into(&w, &ev));
		CHECK_EQ(take_out(&w, ENGINE_SWBP, HERE), 0);
		check_counts(&w, i, i);
		CHECK(monitor_says(&w, "info breakpoints", "; out now"));
		CHECK_EQ(insert(&w, ENGINE_SWBP, HERE), 0);
		check_counts(&w, i, i);
	}
	for (unsigned i = 0; i < 500; i++) {
		CHECK_EQ(insert(&w, ENGINE_SWBP, CODE + 0x100 + i), 0);
		CHECK_EQ(take_out(&w, ENGINE_SWBP, CODE + 0x100 + i), 0);
	}
	check_counts(&w, 3, 3);
	CHECK_EQ(engine_detach(w.e), 0);
	stop_it(&w);
	CHECK(monitor_says(&w, "info breakpoints", "no breakpoints"));
	world_close(&w);
}

TEST(vcpu_that_passed_a_breakpoint_as_an_interrupt_came_does_not_hit_it_again)
{
	struct world w = world_open((struct target_fake_cfg){ .native_sw = true });
	struct stop_event ev;

	CHECK_EQ(insert_with(&w, ENGINE_SWBP, HERE, CONDITION(NEVER)), 0);
	CHECK_EQ(resume(&w, RUN_ALL), 0); // the target has stopped already
	CHECK_EQ(engine_interrupt(w.e), 0);
	CHECK(wait_stop(&w, &ev));
	CHECK_EQ(ev.why, STOP_INTERRUPT);
	CHECK_EQ(ev.pc.raw, HERE);
	CHECK_EQ(take_out(&w, ENGINE_SWBP, HERE), 0);
	CHECK_EQ(insert_with(&w, ENGINE_SWBP, HERE, CONDITION(NEVER)), 0);
	CHECK_EQ(resume(&w, RUN_ALL), 0);
	CHECK(!wait_stop(&w, &ev));
	stop_it(&w);
	CHECK(rip(&w, 0) > HERE);
	check_counts(&w, 1, 0);
	world_close(&w);
}

TEST(range_step_passes_a_breakpoint_whose_condition_is_false)
{
	for (int no_range = 0; no_range < 2; no_range++) {
		for (size_t i = 0; i < ARRAY_LEN(worlds); i++) {
			struct target_fake_cfg cfg = worlds[i];
			struct resume_plan p = plan(TARGET_HOLD, 0, TARGET_STEP_RANGE);
			struct stop_event ev;
			struct world w;

			cfg.no_range = no_range;
			w = world_open(cfg);
			p.vcpu[0].lo = GVA(CODE);
			p.vcpu[0].hi = GVA(CODE + 0x10);
			CHECK_EQ(insert_with(&w, ENGINE_SWBP, HERE, CONDITION(NEVER)), 0);
			CHECK_EQ(engine_resume(w.e, &p), 0);
			CHECK(wait_stop(&w, &ev));
			CHECK_EQ(ev.why, STOP_STEP);
			CHECK_EQ(ev.pc.raw, CODE + 0x10);
			check_counts(&w, cfg.native_sw && !no_range ? 0 : 1, 0); // QEMU's steps override breakpoints
			world_close(&w);
		}
	}
}

/* ---- several vCPUs at once ---- */

enum { ROUNDS = 5000, THREADS = 4 };

struct asker {
	struct world *w;
	unsigned vcpu;
	unsigned skipped;
};

static void *ask(void *arg)
{
	struct asker *a = arg;

	for (unsigned i = 0; i < ROUNDS; i++)
		a->skipped += target_fake_ask_filter(a->w->t, a->vcpu, GVA(HERE)) == TARGET_SKIP;
	return NULL;
}

TEST(vcpus_judge_and_print_at_once_and_no_hit_is_lost)
{
	struct world w = world_open((struct target_fake_cfg){ .nvcpus = THREADS, .no_hw = true });
	_cleanup_(strbuf_deinit) struct strbuf b = { 0 };
	struct asker a[THREADS];
	pthread_t thread[THREADS];
	struct stop_event ev;
	unsigned taken = 0;
	uint8_t now;
	size_t done;

	CHECK_EQ(insert_with(&w, ENGINE_SWBP, HERE, COMMAND(PRINTS_HIT)), 0);
	for (unsigned v = 0; v < THREADS; v++)
		target_fake_regs(w.t, v)->x86.rip = CODE + 0x100;
	CHECK_EQ(resume(&w, RUN_ALL), 0);
	for (unsigned v = 0; v < THREADS; v++) {
		a[v] = (struct asker){ .w = &w, .vcpu = v };
		CHECK_EQ(pthread_create(&thread[v], NULL, ask, &a[v]), 0);
	}
	for (unsigned i = 0; i < 1000; i++) {
		CHECK_EQ(engine_mem_read(w.e, 0, ENGINE_PHYS, HERE, &now, 1, &done), 0);
		CHECK_EQ(now, NOP);
		strbuf_reset(&b);
		engine_text_take(w.e, &b);
		taken += b.len;
	}
	for (unsigned v = 0; v < THREADS; v++) {
		pthread_join(thread[v], NULL);
		CHECK_EQ(a[v].skipped, ROUNDS);
	}
	CHECK(!wait_stop(&w, &ev));
	stop_it(&w);
	check_counts(&w, ROUNDS * THREADS, 0);
	strbuf_reset(&b);
	engine_text_take(w.e, &b);
	CHECK(taken + b.len <= 4 * ROUNDS * THREADS);
	world_close(&w);
}

/* ---- address spaces ---- */

TEST(breakpoint_counts_in_one_address_space_only)
{
	struct world w = world_open((struct target_fake_cfg){ .nvcpus = 2 });
	uint64_t first = w.root, second;
	struct stop_event ev;
	char line[64];

	world_map(&w, 0x400000, 0x8000);
	second = world_new_tables(&w);
	world_map(&w, 0x400000, 0x8000);
	world_use_tables(&w, 0, first);
	world_use_tables(&w, 1, second | 3); // with a tag
	target_fake_regs(w.t, 1)->x86.cr4 |= 1 << 17;
	CHECK_EQ(insert(&w, ENGINE_SWBP, 0x400005), 0);
	snprintf(line, sizeof(line), "bp-filter cr3 %#llx", (unsigned long long)second);
	CHECK(monitor_says(&w, line, "while cr3 is"));
	for (unsigned v = 0; v < 2; v++)
		target_fake_regs(w.t, v)->x86.rip = 0x400000;
	CHECK_EQ(resume(&w, RUN_ALL), 0);
	CHECK(wait_stop(&w, &ev));
	CHECK_EQ(ev.vcpu, 1);
	CHECK(rip(&w, 0) > 0x400005);
	check_counts(&w, 2, 1);
	CHECK(monitor_says(&w, "info breakpoints", "while cr3 is"));
	CHECK(monitor_says(&w, "bp-filter cr3 current", "while cr3 is 0x1"));
	CHECK(monitor_says(&w, "bp-filter off", "every address space"));
	CHECK(monitor_says(&w, "bp-filter cr4", "expected"));
	CHECK(monitor_says(&w, "bp-filter cr3 nonsense", "'nonsense'"));
	world_close(&w);
}

/* Both have come to it, one was told, and then the filter is set. */
TEST(a_hit_from_before_the_filter_of_address_spaces_is_not_told)
{
	struct world w = world_open((struct target_fake_cfg){ .nvcpus = 2 });
	uint64_t first = w.root, second;
	struct stop_event ev;

	world_map(&w, 0x400000, 0x8000);
	second = world_new_tables(&w);
	world_map(&w, 0x400000, 0x8000);
	world_use_tables(&w, 0, first);
	world_use_tables(&w, 1, second);
	CHECK_EQ(insert(&w, ENGINE_SWBP, 0x400005), 0);
	target_fake_regs(w.t, 0)->x86.rip = 0x400000;
	target_fake_regs(w.t, 1)->x86.rip = 0x400005;
	CHECK_EQ(resume(&w, TARGET_HOLD, 0, TARGET_RUN), 0);
	CHECK(wait_stop(&w, &ev));
	CHECK_EQ(ev.vcpu, 0);
	target_fake_push_stop(w.t, &(struct stop_event){ .why = STOP_SWBREAK, .vcpu = 1, .pc = GVA(0x400005) });
	CHECK(monitor_says(&w, "bp-filter cr3 current", "while cr3 is"));
	CHECK_EQ(resume(&w, RUN_ALL), 0);
	CHECK(!wait_stop(&w, &ev));
	stop_it(&w);
	CHECK(rip(&w, 1) > 0x400005);
	world_close(&w);
}

TEST(filter_of_address_spaces_ends_with_the_client)
{
	struct world w = world_open((struct target_fake_cfg){ 0 });

	CHECK(monitor_says(&w, "bp-filter cr3 0x5000", "while cr3 is"));
	CHECK_EQ(engine_detach(w.e), 0);
	CHECK(monitor_says(&w, "bp-filter cr3 0x5000", "stop it first"));
	stop_it(&w);
	CHECK(monitor_says(&w, "bp-filter", "every address space"));
	world_close(&w);
}

TEST(watchpoint_counts_in_one_address_space_only)
{
	struct world w = world_open((struct target_fake_cfg){ 0 });
	const struct stop_event hit = { .why = STOP_WATCH, .pc = GVA(CODE + 1), .watch_at = GVA(0x2000) };
	struct stop_event ev;

	CHECK_EQ(engine_bp_insert(w.e, 0, ENGINE_WATCH_W, GVA(0x2000), 4, NULL), 0);
	CHECK(monitor_says(&w, "bp-filter cr3 0x5000", "while cr3 is"));
	target_fake_push_stop(w.t, &hit);
	CHECK_EQ(resume(&w, RUN_ALL), 0);
	CHECK(!wait_stop(&w, &ev));
	stop_it(&w);
	check_counts(&w, 1, 0);
	CHECK(monitor_says(&w, "bp-filter off", "every"));
	target_fake_push_stop(w.t, &hit);
	CHECK_EQ(resume(&w, RUN_ALL), 0);
	CHECK(wait_stop(&w, &ev));
	CHECK_EQ(ev.why, STOP_WATCH);
	check_counts(&w, 2, 1);
	world_close(&w);
}

/* ---- a guest that is reset ---- */

TEST(breakpoints_move_to_the_guest_that_takes_the_place_of_one_that_was_reset)
{
	struct world old = world_open((struct target_fake_cfg){ .nvcpus = 2 });
	struct world w = world_open((struct target_fake_cfg){ 0 });
	struct stop_event ev;

	CHECK_EQ(insert_with(&old, ENGINE_SWBP, HERE, CONDITION(RAX_IS(7))), 0);
	CHECK_EQ(engine_bp_insert(old.e, 1, ENGINE_SWBP, GVA(HERE + 4), 1, NULL), 0);
	CHECK_EQ(engine_bp_insert(old.e, 0, ENGINE_WATCH_W, GVA(0x2000), 4, NULL), 0);
	CHECK_EQ(old.ram[HERE + 4], BP);
	CHECK(!runs_into(&old, &ev) || ev.vcpu == 0);
	CHECK_EQ(engine_adopt(w.e, old.e), 0);
	CHECK_EQ(engine_bp_count(old.e), 0);
	CHECK_EQ(engine_bp_count(w.e), 3);
	CHECK_EQ(old.ram[HERE + 4], NOP);
	world_close(&old);
	CHECK_EQ(w.ram[HERE + 4], NOP);
	CHECK(runs_into(&w, &ev)); // the first is passed
	CHECK_EQ(ev.pc.raw, HERE + 4);
	CHECK_EQ(w.ram[HERE + 4], BP);
	CHECK_EQ(native_count(&w), 2);
	CHECK_EQ(engine_adopt(w.e, w.e), -EBUSY);
	world_close(&w);
}

TEST(what_finds_no_place_in_the_new_guest_waits_and_goes_in_later)
{
	struct world old = world_open((struct target_fake_cfg){ 0 });
	struct world w = world_open((struct target_fake_cfg){ .no_hw = true });
	_cleanup_(strbuf_deinit) struct strbuf b = { 0 };
	struct stop_event ev;

	world_map(&old, 0x400000, 0x8000);
	world_use_tables(&old, 0, old.root);
	CHECK_EQ(insert(&old, ENGINE_SWBP, 0x400005), 0);
	CHECK_EQ(engine_adopt(w.e, old.e), 0);
	world_close(&old);
	world_map(&w, CODE, CODE);
	world_use_tables(&w, 0, w.root);
	CHECK(!runs_into(&w, &ev));
	stop_it(&w);
	engine_text_take(w.e, &b);
	CHECK(strstr(strbuf_str(&b), "0x400005 waits"));
	CHECK(monitor_says(&w, "info breakpoints", "waits for its page"));
	world_map(&w, 0x400000, 0x8000);
	target_fake_regs(w.t, 0)->x86.rip = 0x400000;
	CHECK_EQ(resume(&w, RUN_ALL), 0);
	CHECK(wait_stop(&w, &ev));
	CHECK_EQ(ev.pc.raw, 0x400005);
	strbuf_reset(&b);
	engine_text_take(w.e, &b);
	CHECK_STR(strbuf_str(&b), "");
	world_close(&w);
}

/* ---- failures ---- */

TEST(failure_at_any_call_of_a_pass_loses_no_breakpoint)
{
	for (size_t i = 0; i < ARRAY_LEN(worlds); i++) {
		for (unsigned k = 1, failed = 1; failed; k++) {
			struct world w = world_open(worlds[i]);
			struct stop_event ev;

			CHECK_EQ(insert_with(&w, ENGINE_SWBP, HERE, CONDITION(RAX_IS(7))), 0);
			target_fake_fail_at(w.t, k, -EIO);
			if (resume(&w, RUN_ALL) == 0)
				wait_stop(&w, &ev);
			failed = target_fake_failed(w.t);
			target_fake_fail_at(w.t, 0, 0);
			stop_it(&w);
			CHECK_EQ(engine_bp_count(w.e), 1);
			set_rax(&w, 7);
			CHECK_EQ(take_out(&w, ENGINE_SWBP, HERE), 0); // as GDB does at a stop
			CHECK_EQ(w.ram[HERE], NOP);
			CHECK_EQ(insert_with(&w, ENGINE_SWBP, HERE, CONDITION(RAX_IS(7))), 0);
			CHECK(runs_into(&w, &ev));
			CHECK_EQ(ev.pc.raw, HERE);
			engine_destroy(w.e);
			CHECK_EQ(w.ram[HERE], NOP);
			CHECK_EQ(target_fake_breaks(w.t, &(unsigned){ 0 }) != NULL, true);
			target_destroy(w.t);
		}
	}
}

TESTS(T(false_condition_lets_the_guest_run_on_and_a_true_one_stops_it), T(one_true_condition_of_several_stops),
      T(condition_reads_memory_as_the_guest_sees_it), T(condition_that_fails_stops_and_says_why),
      T(the_same_breakpoint_again_replaces_its_condition), T(refused_breakpoint_takes_its_condition_with_it),
      T(hardware_breakpoint_has_a_condition_too), T(commands_are_run_and_the_guest_goes_on),
      T(commands_run_only_when_the_condition_holds), T(command_that_fails_says_so_and_the_guest_goes_on),
      T(text_that_nobody_takes_is_bounded_and_the_rest_is_counted),
      T(two_breakpoints_at_one_place_count_each_and_either_stops), T(two_mappings_of_one_place_count_each_its_own),
      T(counts_outlive_a_breakpoint_that_is_out_for_a_stop),
      T(vcpu_that_passed_a_breakpoint_as_an_interrupt_came_does_not_hit_it_again),
      T(range_step_passes_a_breakpoint_whose_condition_is_false), T(vcpus_judge_and_print_at_once_and_no_hit_is_lost),
      T(breakpoint_counts_in_one_address_space_only), T(filter_of_address_spaces_ends_with_the_client),
      T(a_hit_from_before_the_filter_of_address_spaces_is_not_told), T(watchpoint_counts_in_one_address_space_only),
      T(breakpoints_move_to_the_guest_that_takes_the_place_of_one_that_was_reset),
      T(what_finds_no_place_in_the_new_guest_waits_and_goes_in_later),
      T(failure_at_any_call_of_a_pass_loses_no_breakpoint))
