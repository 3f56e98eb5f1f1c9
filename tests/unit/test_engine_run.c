/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "engine_world.h"

#define RUN_ALL TARGET_RUN, 0, TARGET_RUN

/* A vCPU that hit a breakpoint stands there. */
static void push(struct world *w, enum stop_why why, unsigned vcpu, uint64_t pc)
{
	if (why == STOP_SWBREAK || why == STOP_HWBREAK)
		target_fake_regs(w->t, vcpu)->x86.rip = pc;
	target_fake_push_stop(w->t, &(struct stop_event){ .vcpu = vcpu, .why = why, .pc = GVA(pc) });
}

static void check_stop(const struct stop_event *ev, enum stop_why why, unsigned vcpu, uint64_t pc)
{
	CHECK_STR(stop_why_text(ev->why), stop_why_text(why));
	CHECK_EQ(ev->vcpu, vcpu);
	CHECK_EQ(ev->pc.raw, pc);
}

/* ---- hits ---- */

TEST(breakpoint_is_hit_at_its_own_address)
{
	struct world w = world_open((struct target_fake_cfg){ 0 });
	struct stop_event ev;

	CHECK_EQ(insert(&w, ENGINE_SWBP, CODE + 5), 0);
	CHECK_EQ(resume(&w, RUN_ALL), 0);
	CHECK(engine_running(w.e));
	CHECK(wait_stop(&w, &ev));
	check_stop(&ev, STOP_SWBREAK, 0, CODE + 5);
	CHECK(!engine_running(w.e));
	CHECK_EQ(rip(&w, 0), CODE + 5);
	world_close(&w);
}

TEST(hardware_breakpoint_is_hit_and_left)
{
	struct world w = world_open((struct target_fake_cfg){ 0 });
	struct stop_event ev;

	CHECK_EQ(insert(&w, ENGINE_HWBP, CODE + 5), 0);
	CHECK_EQ(insert(&w, ENGINE_HWBP, CODE + 6), 0);
	CHECK_EQ(resume(&w, RUN_ALL), 0);
	CHECK(wait_stop(&w, &ev));
	check_stop(&ev, STOP_HWBREAK, 0, CODE + 5);
	CHECK_EQ(resume(&w, RUN_ALL), 0);
	CHECK_EQ(native_count(&w), 1); // lifted for the step
	CHECK(wait_stop(&w, &ev));
	check_stop(&ev, STOP_HWBREAK, 0, CODE + 6);
	CHECK_EQ(native_count(&w), 2);
	world_close(&w);
}

TEST(native_breakpoint_is_hit_and_left)
{
	struct world w = world_open((struct target_fake_cfg){ .native_sw = true });
	struct stop_event ev;

	run_into(&w, CODE + 5);
	CHECK_EQ(insert(&w, ENGINE_SWBP, CODE + 6), 0);
	CHECK_EQ(resume(&w, RUN_ALL), 0);
	CHECK(wait_stop(&w, &ev));
	check_stop(&ev, STOP_SWBREAK, 0, CODE + 6);
	CHECK_EQ(native_count(&w), 2);
	world_close(&w);
}

/* ---- step-over ---- */

TEST(step_over_holds_every_other_vcpu)
{
	struct world w = world_open((struct target_fake_cfg){ .nvcpus = 3 });
	const struct resume_plan *p;
	struct stop_event ev;

	run_into(&w, CODE + 5);
	CHECK_EQ(insert(&w, ENGINE_SWBP, CODE + 20), 0);
	CHECK_EQ(resume(&w, RUN_ALL), 0);
	p = target_fake_last_plan(w.t);
	CHECK_EQ(p->vcpu[0].action, TARGET_STEP);
	CHECK_EQ(p->vcpu[1].action, TARGET_HOLD);
	CHECK_EQ(p->vcpu[2].action, TARGET_HOLD);
	CHECK_EQ(w.ram[CODE + 5], NOP);
	CHECK_EQ(engine_next_stop(w.e, &ev), -EAGAIN); // the step is done: back in, and the plan runs
	CHECK_EQ(w.ram[CODE + 5], BP);
	p = target_fake_last_plan(w.t);
	CHECK_EQ(p->vcpu[0].action, TARGET_RUN);
	CHECK_EQ(p->vcpu[2].action, TARGET_RUN);
	CHECK(wait_stop(&w, &ev));
	check_stop(&ev, STOP_SWBREAK, 1, CODE + 5); // the others were held, so they run into it now
	world_close(&w);
}

TEST(held_vcpus_stay_held_after_a_step_over)
{
	struct world w = world_open((struct target_fake_cfg){ .nvcpus = 2 });
	struct stop_event ev;

	run_into(&w, CODE + 5);
	CHECK_EQ(insert(&w, ENGINE_SWBP, CODE + 20), 0);
	CHECK_EQ(resume(&w, TARGET_HOLD, 0, TARGET_RUN), 0);
	CHECK(wait_stop(&w, &ev));
	check_stop(&ev, STOP_SWBREAK, 0, CODE + 20);
	CHECK(rip(&w, 1) <= CODE + 5);
	world_close(&w);
}

TEST(several_vcpus_leave_their_breakpoints_one_after_another)
{
	struct world w = world_open((struct target_fake_cfg){ .nvcpus = 2 });
	const struct resume_plan *p = target_fake_last_plan(w.t);
	struct stop_event ev;

	CHECK(!p);
	target_fake_regs(w.t, 1)->x86.rip = CODE + 0x100;
	run_into(&w, CODE);
	CHECK_EQ(insert(&w, ENGINE_SWBP, CODE + 0x100), 0);
	CHECK_EQ(resume(&w, TARGET_HOLD, 1, TARGET_RUN), 0);
	CHECK(wait_stop(&w, &ev));
	check_stop(&ev, STOP_SWBREAK, 1, CODE + 0x100);
	CHECK_EQ(insert(&w, ENGINE_SWBP, CODE + 0x108), 0);

	CHECK_EQ(resume(&w, RUN_ALL), 0);
	p = target_fake_last_plan(w.t);
	CHECK_EQ(p->vcpu[0].action, TARGET_STEP);
	CHECK_EQ(p->vcpu[1].action, TARGET_HOLD);
	CHECK_EQ(w.ram[CODE], NOP);
	CHECK_EQ(w.ram[CODE + 0x100], BP);
	CHECK_EQ(engine_next_stop(w.e, &ev), -EAGAIN);
	CHECK_EQ(p->vcpu[0].action, TARGET_HOLD);
	CHECK_EQ(p->vcpu[1].action, TARGET_STEP);
	CHECK_EQ(w.ram[CODE], BP);
	CHECK_EQ(w.ram[CODE + 0x100], NOP);
	CHECK(wait_stop(&w, &ev));
	check_stop(&ev, STOP_SWBREAK, 1, CODE + 0x108);
	world_close(&w);
}

TEST(adjacent_breakpoint_is_not_missed)
{
	struct world w = world_open((struct target_fake_cfg){ 0 });
	struct stop_event ev;

	run_into(&w, CODE + 5);
	CHECK_EQ(insert(&w, ENGINE_SWBP, CODE + 6), 0);
	CHECK_EQ(resume(&w, RUN_ALL), 0);
	CHECK(wait_stop(&w, &ev));
	check_stop(&ev, STOP_SWBREAK, 0, CODE + 6);
	world_close(&w);
}

TEST(vcpu_caught_on_its_way_to_a_breakpoint_still_hits_it)
{
	struct world w = world_open((struct target_fake_cfg){ .nvcpus = 2 });
	struct stop_event ev;

	// vCPU 1 stands at CODE + 0x100 without having executed it when vCPU 0 stops
	target_fake_regs(w.t, 1)->x86.rip = CODE + 0x100;
	run_into(&w, CODE);
	CHECK_EQ(rip(&w, 1), CODE + 0x100);
	CHECK_EQ(insert(&w, ENGINE_SWBP, CODE + 0x100), 0);
	CHECK_EQ(resume(&w, RUN_ALL), 0);
	CHECK(wait_stop(&w, &ev));
	check_stop(&ev, STOP_SWBREAK, 1, CODE + 0x100);
	world_close(&w);
}

TEST(breakpoint_at_a_pc_the_client_jumped_to_is_hit)
{
	struct world w = world_open((struct target_fake_cfg){ 0 });
	struct arch_regs *r;
	struct stop_event ev;

	run_into(&w, CODE + 5);
	CHECK_EQ(insert(&w, ENGINE_SWBP, CODE + 0x40), 0);
	CHECK_EQ(engine_regs(w.e, 0, ARCH_CORE, &r), 0);
	r->x86.rip = CODE + 0x40;
	r->dirty |= ARCH_CORE;
	CHECK_EQ(resume(&w, RUN_ALL), 0);
	CHECK(wait_stop(&w, &ev));
	check_stop(&ev, STOP_SWBREAK, 0, CODE + 0x40);
	world_close(&w);
}

TEST(step_from_a_breakpoint_is_one_step)
{
	struct world w = world_open((struct target_fake_cfg){ 0 });
	struct stop_event ev;

	run_into(&w, CODE + 5);
	CHECK_EQ(resume(&w, TARGET_HOLD, 0, TARGET_STEP), 0);
	CHECK(wait_stop(&w, &ev));
	check_stop(&ev, STOP_STEP, 0, CODE + 6);
	CHECK_EQ(w.ram[CODE + 5], BP);
	world_close(&w);
}

TEST(step_that_lands_on_a_breakpoint_stays_a_step)
{
	struct world w = world_open((struct target_fake_cfg){ 0 });
	struct stop_event ev;

	CHECK_EQ(insert(&w, ENGINE_SWBP, CODE + 1), 0);
	CHECK_EQ(resume(&w, TARGET_HOLD, 0, TARGET_STEP), 0);
	CHECK(wait_stop(&w, &ev));
	check_stop(&ev, STOP_STEP, 0, CODE + 1);
	CHECK_EQ(resume(&w, TARGET_HOLD, 0, TARGET_STEP), 0);
	CHECK(wait_stop(&w, &ev));
	check_stop(&ev, STOP_STEP, 0, CODE + 2);
	world_close(&w);
}

TEST(step_over_in_other_page_tables_lifts_the_shared_place)
{
	struct world w = world_open((struct target_fake_cfg){ 0 });
	struct stop_event ev;

	world_map(&w, 0x400000, 0x8000);
	world_map(&w, 0x700000, 0x8000);
	world_use_tables(&w, 0, w.root);
	CHECK_EQ(insert(&w, ENGINE_SWBP, 0x400005), 0);
	target_fake_regs(w.t, 0)->x86.rip = 0x700000;
	CHECK_EQ(resume(&w, RUN_ALL), 0);
	CHECK(wait_stop(&w, &ev));
	check_stop(&ev, STOP_SWBREAK, 0, 0x700005);
	CHECK_EQ(resume(&w, TARGET_HOLD, 0, TARGET_STEP), 0);
	CHECK(wait_stop(&w, &ev));
	check_stop(&ev, STOP_STEP, 0, 0x700006);
	CHECK_EQ(w.ram[0x8005], BP);
	world_close(&w);
}

TEST(watchpoints_stay_armed_during_step_over)
{
	struct world w = world_open((struct target_fake_cfg){ 0 });
	struct stop_event ev;

	run_into(&w, CODE + 5);
	CHECK_EQ(insert(&w, ENGINE_HWBP, CODE + 5), 0);
	CHECK_EQ(engine_bp_insert(w.e, 0, ENGINE_WATCH_W, GVA(0x2000), 4, NULL), 0);
	target_fake_push_stop(w.t,
			      &(struct stop_event){ .why = STOP_WATCH, .pc = GVA(CODE + 6), .watch_at = GVA(0x2000) });
	CHECK_EQ(resume(&w, RUN_ALL), 0);
	CHECK_EQ(native_count(&w), 1);
	CHECK_EQ(target_fake_breaks(w.t, &(unsigned){ 0 })[0].kind, TARGET_WATCH_WRITE);
	CHECK(wait_stop(&w, &ev));
	check_stop(&ev, STOP_WATCH, 0, CODE + 6);
	CHECK_EQ(native_count(&w), 2);
	CHECK_EQ(w.ram[CODE + 5], BP);
	world_close(&w);
}

TEST(instruction_that_rewrites_itself_is_kept_under_the_breakpoint)
{
	struct world w = world_open((struct target_fake_cfg){ 0 });
	struct stop_event ev;

	run_into(&w, CODE + 5);
	CHECK_EQ(resume(&w, TARGET_HOLD, 0, TARGET_STEP), 0);
	w.ram[CODE + 5] = 0x77; // the guest did it during its step
	CHECK(wait_stop(&w, &ev));
	CHECK_EQ(w.ram[CODE + 5], BP);
	CHECK_EQ(take_out(&w, ENGINE_SWBP, CODE + 5), 0);
	CHECK_EQ(w.ram[CODE + 5], 0x77);
	world_close(&w);
}

TEST(interrupt_during_step_over_leaves_breakpoint_in)
{
	struct world w = world_open((struct target_fake_cfg){ 0 });
	struct stop_event ev;

	run_into(&w, CODE + 5);
	CHECK_EQ(resume(&w, RUN_ALL), 0);
	CHECK_EQ(w.ram[CODE + 5], NOP);
	CHECK_EQ(engine_interrupt(w.e), 0); // the step is already done; its stop is not the client's
	CHECK(wait_stop(&w, &ev));
	check_stop(&ev, STOP_INTERRUPT, 0, CODE + 6);
	CHECK_EQ(w.ram[CODE + 5], BP);
	world_close(&w);
}

TEST(step_over_that_never_completes_can_be_interrupted)
{
	struct world w = world_open((struct target_fake_cfg){ 0 });
	struct stop_event ev;

	w.ram[CODE + 5] = HLT;
	run_into(&w, CODE + 5);
	CHECK_EQ(resume(&w, RUN_ALL), 0);
	CHECK(!wait_stop(&w, &ev));
	CHECK_EQ(engine_interrupt(w.e), 0);
	CHECK(wait_stop(&w, &ev));
	CHECK_EQ(ev.why, STOP_INTERRUPT);
	CHECK_EQ(w.ram[CODE + 5], BP);
	CHECK_EQ(take_out(&w, ENGINE_SWBP, CODE + 5), 0);
	CHECK_EQ(w.ram[CODE + 5], HLT);
	world_close(&w);
}

TEST(guests_own_int3_under_a_breakpoint_goes_to_the_guest)
{
	struct world w = world_open((struct target_fake_cfg){ 0 });
	struct stop_event ev;

	w.ram[CODE + 5] = BP;
	run_into(&w, CODE + 5);
	CHECK_EQ(insert(&w, ENGINE_SWBP, CODE + 20), 0);
	CHECK_EQ(resume(&w, RUN_ALL), 0);
	CHECK(wait_stop(&w, &ev));
	check_stop(&ev, STOP_SWBREAK, 0, CODE + 20);
	world_close(&w);
}

/* ---- ranges ---- */

static int resume_range(struct world *w, uint64_t lo, uint64_t hi)
{
	struct resume_plan p = plan(TARGET_HOLD, 0, TARGET_STEP_RANGE);

	p.vcpu[0].lo = GVA(lo);
	p.vcpu[0].hi = GVA(hi);
	return engine_resume(w->e, &p);
}

TEST(range_step_goes_on_after_leaving_a_breakpoint_and_ends_outside)
{
	for (int emulated = 0; emulated < 2; emulated++) {
		struct world w = world_open((struct target_fake_cfg){ .no_range = emulated });
		struct stop_event ev;

		run_into(&w, CODE + 5);
		CHECK_EQ(resume_range(&w, CODE + 5, CODE + 9), 0);
		CHECK(wait_stop(&w, &ev));
		check_stop(&ev, STOP_STEP, 0, CODE + 9);
		CHECK_EQ(w.ram[CODE + 5], BP);
		world_close(&w);
	}
}

TEST(only_the_clients_own_resume_is_followed_by_a_look)
{
	struct world w = world_open((struct target_fake_cfg){ .no_range = true });
	struct resume_plan p = plan(TARGET_HOLD, 0, TARGET_STEP_RANGE);
	struct stop_event ev;

	p.vcpu[0].lo = GVA(CODE);
	p.vcpu[0].hi = GVA(CODE + 9);
	p.looks = true;
	CHECK_EQ(engine_resume(w.e, &p), 0);
	CHECK(target_fake_last_plan(w.t)->looks);
	CHECK_EQ(engine_next_stop(w.e, &ev), -EAGAIN);
	CHECK(!target_fake_last_plan(w.t)->looks);
	world_close(&w);
}

TEST(range_step_stops_at_a_breakpoint_inside)
{
	for (int emulated = 0; emulated < 2; emulated++) {
		struct world w = world_open((struct target_fake_cfg){ .no_range = emulated });
		struct stop_event ev;

		CHECK_EQ(insert(&w, ENGINE_SWBP, CODE + 7), 0);
		CHECK_EQ(resume_range(&w, CODE, CODE + 100), 0);
		CHECK(wait_stop(&w, &ev));
		check_stop(&ev, STOP_SWBREAK, 0, CODE + 7);
		world_close(&w);
	}
}

TEST(emulated_range_step_can_be_interrupted)
{
	struct world w = world_open((struct target_fake_cfg){ .no_range = true });
	struct stop_event ev;

	CHECK_EQ(resume_range(&w, CODE, CODE + 100), 0);
	CHECK_EQ(engine_next_stop(w.e, &ev), -EAGAIN);
	CHECK_EQ(engine_interrupt(w.e), 0);
	CHECK(wait_stop(&w, &ev));
	check_stop(&ev, STOP_INTERRUPT, 0, CODE + 2);
	world_close(&w);
}

TEST(step_that_the_target_lacks_is_unsupported)
{
	struct world w = world_open((struct target_fake_cfg){ .no_step = true });

	CHECK_EQ(resume(&w, TARGET_HOLD, 0, TARGET_STEP), -ENOTSUP);
	CHECK_EQ(resume_range(&w, CODE, CODE + 100), -ENOTSUP);
	CHECK(!engine_running(w.e));
	CHECK_EQ(resume(&w, RUN_ALL), 0);
	world_close(&w);
}

/* ---- what the client need not see ---- */

TEST(stale_breakpoint_stop_is_dropped)
{
	struct world w = world_open((struct target_fake_cfg){ .nvcpus = 2 });
	struct stop_event ev;

	push(&w, STOP_SWBREAK, 1, CODE + 0x100);
	push(&w, STOP_HWBREAK, 1, CODE + 0x100);
	push(&w, STOP_WATCH, 1, CODE + 0x100);
	push(&w, STOP_RESET, 1, CODE + 0x100);
	CHECK_EQ(resume(&w, RUN_ALL), 0);
	CHECK(wait_stop(&w, &ev));
	check_stop(&ev, STOP_RESET, 1, CODE + 0x100);
	world_close(&w);
}

TEST(stale_stop_keeps_a_step_plan)
{
	struct world w = world_open((struct target_fake_cfg){ 0 });
	struct stop_event ev;

	push(&w, STOP_SWBREAK, 0, CODE);
	CHECK_EQ(resume(&w, TARGET_HOLD, 0, TARGET_STEP), 0);
	CHECK(wait_stop(&w, &ev));
	check_stop(&ev, STOP_STEP, 0, CODE + 1);
	world_close(&w);
}

TEST(kept_stop_of_the_vcpu_being_stepped_over_is_reported)
{
	struct world w = world_open((struct target_fake_cfg){ .nvcpus = 2 });
	struct stop_event ev;

	run_into(&w, CODE + 5);
	push(&w, STOP_TRIPLE_FAULT, 0, CODE + 5);
	CHECK_EQ(resume(&w, RUN_ALL), 0);
	CHECK(wait_stop(&w, &ev));
	check_stop(&ev, STOP_TRIPLE_FAULT, 0, CODE + 5);
	CHECK_EQ(w.ram[CODE + 5], BP);
	world_close(&w);
}

TEST(interrupt_wins_over_a_stale_stop)
{
	struct world w = world_open((struct target_fake_cfg){ 0 });
	struct stop_event ev;

	push(&w, STOP_SWBREAK, 0, CODE);
	CHECK_EQ(resume(&w, RUN_ALL), 0);
	CHECK_EQ(engine_interrupt(w.e), 0);
	CHECK(wait_stop(&w, &ev));
	CHECK_EQ(ev.why, STOP_INTERRUPT);
	CHECK_EQ(resume(&w, RUN_ALL), 0); // and is used up
	CHECK(!wait_stop(&w, &ev));
	world_close(&w);
}

TEST(kept_stop_of_a_vcpu_that_the_client_moved_is_dropped)
{
	for (int stepped = 0; stepped < 2; stepped++) {
		struct world w = world_open((struct target_fake_cfg){ .nvcpus = 2 });
		struct arch_regs *r;
		struct stop_event ev;

		run_into(&w, CODE + 5);
		CHECK_EQ(insert(&w, ENGINE_SWBP, CODE + 0x100), 0);
		CHECK_EQ(insert(&w, ENGINE_SWBP, CODE + 0x208), 0);
		push(&w, STOP_SWBREAK, 1, CODE + 0x100); // at the same time: not told yet
		CHECK_EQ(engine_regs(w.e, 1, ARCH_CORE, &r), 0);
		r->x86.rip = CODE + 0x200;
		r->dirty |= ARCH_CORE;
		CHECK_EQ(resume(&w, TARGET_HOLD, 1, stepped ? TARGET_STEP : TARGET_RUN), 0);
		CHECK(wait_stop(&w, &ev));
		check_stop(&ev, stepped ? STOP_STEP : STOP_SWBREAK, 1, CODE + (stepped ? 0x201 : 0x208));
		world_close(&w);
	}
}

TEST(terminal_stops_are_told_and_leave_the_guest_readable)
{
	static const enum stop_why whys[] = { STOP_POWER_OFF, STOP_RESET, STOP_TRIPLE_FAULT, STOP_INTERNAL_ERROR };

	for (size_t i = 0; i < ARRAY_LEN(whys); i++) {
		struct world w = world_open((struct target_fake_cfg){ .nvcpus = 2 });
		_cleanup_(strbuf_deinit) struct strbuf text = { 0 };
		struct arch_regs *r;
		struct stop_event ev;

		run_into(&w, CODE + 5);
		push(&w, whys[i], 1, CODE);
		push(&w, STOP_EXIT, 0, 0);
		CHECK_EQ(resume(&w, TARGET_HOLD, 1, TARGET_RUN), 0);
		CHECK_EQ(engine_interrupt(w.e), 0); // too late
		CHECK(wait_stop(&w, &ev));
		check_stop(&ev, whys[i], 1, CODE);
		CHECK_EQ(engine_regs(w.e, 1, ARCH_CORE, &r), 0);
		engine_describe_vcpu(w.e, 1, &text);
		CHECK(strstr(strbuf_str(&text), "vCPU 1: 64-bit, rip="));
		CHECK_EQ(take_out(&w, ENGINE_SWBP, CODE + 5), 0);
		CHECK_EQ(resume(&w, RUN_ALL), 0);
		CHECK(wait_stop(&w, &ev));
		CHECK_EQ(ev.why, STOP_EXIT);
		world_close(&w);
	}
}

TEST(breakpoint_that_an_interrupt_came_right_before_is_hit)
{
	struct world w = world_open((struct target_fake_cfg){ 0 });
	struct stop_event ev;

	w.ram[CODE + 4] = HLT;
	CHECK_EQ(resume(&w, RUN_ALL), 0);
	CHECK_EQ(engine_interrupt(w.e), 0);
	CHECK(wait_stop(&w, &ev));
	check_stop(&ev, STOP_INTERRUPT, 0, CODE + 5);
	CHECK_EQ(insert(&w, ENGINE_SWBP, CODE + 5), 0);
	CHECK_EQ(resume(&w, RUN_ALL), 0);
	CHECK(wait_stop(&w, &ev));
	check_stop(&ev, STOP_SWBREAK, 0, CODE + 5);
	world_close(&w);
}

TEST(trap_without_a_reason_at_a_breakpoint_is_the_breakpoint)
{
	struct world w = world_open((struct target_fake_cfg){ .native_sw = true });
	struct stop_event ev;

	CHECK_EQ(insert(&w, ENGINE_SWBP, CODE + 5), 0);
	CHECK_EQ(insert(&w, ENGINE_HWBP, CODE + 6), 0);
	push(&w, STOP_STEP, 0, CODE + 5);
	CHECK_EQ(resume(&w, RUN_ALL), 0);
	CHECK(wait_stop(&w, &ev));
	check_stop(&ev, STOP_SWBREAK, 0, CODE + 5);
	push(&w, STOP_SWBREAK, 0, CODE + 6);
	CHECK_EQ(resume(&w, RUN_ALL), 0);
	CHECK(wait_stop(&w, &ev));
	check_stop(&ev, STOP_HWBREAK, 0, CODE + 6);
	CHECK_EQ(take_out(&w, ENGINE_HWBP, CODE + 6), 0);
	push(&w, STOP_STEP, 0, CODE + 7);
	CHECK_EQ(resume(&w, RUN_ALL), 0);
	CHECK(wait_stop(&w, &ev));
	check_stop(&ev, STOP_STEP, 0, CODE + 7);
	world_close(&w);
}

TEST(step_that_the_target_calls_a_breakpoint_is_a_step)
{
	struct world w = world_open((struct target_fake_cfg){ .native_sw = true });
	struct stop_event ev;

	push(&w, STOP_SWBREAK, 0, CODE + 1);
	target_fake_regs(w.t, 0)->x86.rip = CODE;
	CHECK_EQ(resume(&w, TARGET_HOLD, 0, TARGET_STEP), 0);
	target_fake_regs(w.t, 0)->x86.rip = CODE + 1;
	CHECK(wait_stop(&w, &ev));
	check_stop(&ev, STOP_STEP, 0, CODE + 1);
	world_close(&w);
}

TEST(guests_own_int3_that_nobody_filtered_is_shown_as_a_trap)
{
	struct world w = world_open((struct target_fake_cfg){ 0 });
	struct stop_event ev;

	target_filter_set(w.t, NULL);
	w.ram[CODE + 3] = BP;
	CHECK_EQ(resume(&w, RUN_ALL), 0);
	CHECK(wait_stop(&w, &ev));
	check_stop(&ev, STOP_STEP, 0, CODE + 3);
	CHECK(ev.text[0]);
	world_close(&w);
}

/* ---- interrupt, detach, the end ---- */

TEST(interrupt_stops_a_running_guest)
{
	struct world w = world_open((struct target_fake_cfg){ 0 });
	struct stop_event ev;

	CHECK_EQ(engine_interrupt(w.e), 0);
	CHECK_EQ(engine_next_stop(w.e, &ev), -EAGAIN);
	CHECK_EQ(resume(&w, RUN_ALL), 0);
	CHECK(!wait_stop(&w, &ev));
	CHECK_EQ(resume(&w, RUN_ALL), -EBUSY);
	CHECK_EQ(engine_interrupt(w.e), 0);
	CHECK(wait_stop(&w, &ev));
	CHECK_EQ(ev.why, STOP_INTERRUPT);
	world_close(&w);
}

TEST(interrupt_is_told_on_a_vcpu_that_was_let_go)
{
	struct world w = world_open((struct target_fake_cfg){ .nvcpus = 3 });
	struct stop_event ev;

	w.ram[CODE + 0x10] = HLT;
	target_fake_regs(w.t, 2)->x86.rip = CODE + 0x10;
	CHECK_EQ(resume(&w, TARGET_HOLD, 2, TARGET_RUN), 0);
	CHECK_EQ(engine_interrupt(w.e), 0);
	CHECK(wait_stop(&w, &ev));
	CHECK_EQ(ev.why, STOP_INTERRUPT);
	CHECK_EQ(ev.vcpu, 2);
	CHECK_EQ(ev.pc.raw, target_fake_regs(w.t, 2)->x86.rip);
	world_close(&w);
}

TEST(stop_now_says_why_it_stopped)
{
	struct world w = world_open((struct target_fake_cfg){ 0 });
	struct stop_event ev;

	CHECK_EQ(engine_stop_now(w.e, &ev), 0);
	check_stop(&ev, STOP_INTERRUPT, 0, CODE);
	run_into(&w, CODE + 5);
	CHECK_EQ(engine_stop_now(w.e, &ev), 0);
	check_stop(&ev, STOP_SWBREAK, 0, CODE + 5);
	CHECK_EQ(take_out(&w, ENGINE_SWBP, CODE + 5), 0);
	CHECK_EQ(resume(&w, RUN_ALL), 0);
	CHECK_EQ(engine_stop_now(w.e, &ev), 0);
	CHECK_EQ(ev.why, STOP_INTERRUPT);
	world_close(&w);
}

TEST(detach_takes_out_every_breakpoint)
{
	for (int running = 0; running < 2; running++) {
		struct world w = world_open((struct target_fake_cfg){ .nvcpus = 2 });

		run_into(&w, CODE + 5);
		CHECK_EQ(insert(&w, ENGINE_SWBP, CODE + 5000), 0);
		CHECK_EQ(insert(&w, ENGINE_HWBP, CODE + 5001), 0);
		CHECK_EQ(engine_bp_insert(w.e, 0, ENGINE_WATCH_W, GVA(0x2000), 4, NULL), 0);
		if (running)
			CHECK_EQ(resume(&w, TARGET_HOLD, 0, TARGET_RUN), 0);
		CHECK_EQ(engine_detach(w.e), 0);
		CHECK_EQ(w.ram[CODE + 5], NOP);
		CHECK_EQ(w.ram[CODE + 5000], NOP);
		CHECK_EQ(native_count(&w), 0);
		CHECK_EQ(engine_bp_count(w.e), 0);
		CHECK(engine_running(w.e));
		CHECK_EQ(target_fake_last_plan(w.t)->vcpu[1].action, TARGET_RUN);
		world_close(&w);
	}
}

TEST(detach_during_step_over_takes_everything_out)
{
	struct world w = world_open((struct target_fake_cfg){ 0 });

	w.ram[CODE + 5] = HLT;
	run_into(&w, CODE + 5);
	CHECK_EQ(resume(&w, RUN_ALL), 0);
	CHECK_EQ(engine_detach(w.e), 0);
	CHECK_EQ(w.ram[CODE + 5], HLT);
	CHECK_EQ(engine_bp_count(w.e), 0);
	world_close(&w);
}

TEST(detach_writes_changed_registers)
{
	struct world w = world_open((struct target_fake_cfg){ 0 });
	struct arch_regs *r;

	CHECK_EQ(engine_regs(w.e, 0, ARCH_CORE, &r), 0);
	r->x86.gpr[X86_RAX] = 77;
	r->dirty |= ARCH_CORE;
	CHECK_EQ(engine_detach(w.e), 0);
	CHECK_EQ(target_fake_regs(w.t, 0)->x86.gpr[X86_RAX], 77);
	world_close(&w);
}

TEST(exit_empties_the_table)
{
	struct world w = world_open((struct target_fake_cfg){ 0 });
	struct arch_regs *r;
	struct stop_event ev;

	CHECK_EQ(insert(&w, ENGINE_SWBP, CODE), 0);
	push(&w, STOP_EXIT, 0, 0);
	CHECK_EQ(resume(&w, RUN_ALL), 0);
	CHECK(wait_stop(&w, &ev));
	CHECK_EQ(ev.why, STOP_EXIT);
	CHECK_EQ(engine_bp_count(w.e), 0);
	CHECK_EQ(take_out(&w, ENGINE_SWBP, CODE), 0);
	CHECK_EQ(insert(&w, ENGINE_SWBP, CODE), -ENODEV);
	CHECK_EQ(engine_regs(w.e, 0, ARCH_CORE, &r), -ENODEV);
	CHECK_EQ(resume(&w, RUN_ALL), -ENODEV);
	CHECK_EQ(engine_stop_now(w.e, &ev), 0);
	CHECK_EQ(ev.why, STOP_EXIT);
	CHECK_EQ(engine_detach(w.e), -ENODEV);
	world_close(&w);
}

TEST(engine_destroyed_while_stopped_takes_its_breakpoints_along)
{
	struct world w = world_open((struct target_fake_cfg){ 0 });

	CHECK_EQ(insert(&w, ENGINE_SWBP, CODE), 0);
	CHECK_EQ(insert(&w, ENGINE_HWBP, CODE), 0);
	engine_destroy(w.e);
	engine_destroy(NULL);
	CHECK_EQ(w.ram[CODE], NOP);
	CHECK_EQ(native_count(&w), 0);
	target_destroy(w.t);
}

TEST(engine_destroyed_while_running_stops_the_guest_and_takes_its_breakpoints_along)
{
	struct world w = world_open((struct target_fake_cfg){ 0 });

	w.ram[CODE + 1] = HLT;
	CHECK_EQ(insert(&w, ENGINE_SWBP, CODE + 5), 0);
	CHECK_EQ(resume(&w, RUN_ALL), 0);
	engine_destroy(w.e);
	CHECK(!w.t->running);
	CHECK_EQ(w.ram[CODE + 5], NOP);
	target_destroy(w.t);
}

/* ---- failures ---- */

TEST(failed_resume_leaves_the_guest_stopped_and_its_breakpoints_in)
{
	for (unsigned k = 1, failed = 1; failed; k++) {
		struct world w = world_open((struct target_fake_cfg){ .nvcpus = 2 });
		struct stop_event ev;

		run_into(&w, CODE + 5);
		CHECK_EQ(insert(&w, ENGINE_HWBP, CODE + 5), 0);
		CHECK_EQ(insert(&w, ENGINE_SWBP, CODE + 9), 0);
		target_fake_fail_at(w.t, k, -EIO);
		failed = resume(&w, TARGET_HOLD, 0, TARGET_RUN) < 0;
		CHECK_EQ(engine_running(w.e), !failed);
		target_fake_fail_at(w.t, 0, 0);
		if (failed) {
			CHECK_EQ(w.ram[CODE + 5], BP);
			CHECK_EQ(native_count(&w), 1);
			CHECK_EQ(rip(&w, 0), CODE + 5);
			CHECK_EQ(resume(&w, TARGET_HOLD, 0, TARGET_RUN), 0);
		}
		CHECK(wait_stop(&w, &ev));
		check_stop(&ev, STOP_SWBREAK, 0, CODE + 9);
		world_close(&w);
	}
}

TEST(failure_while_going_on_is_a_stop_and_the_table_stays_true)
{
	bool failed = true;

	for (unsigned k = 1; failed; k++) {
		struct world w = world_open((struct target_fake_cfg){ 0 });
		struct stop_event ev;

		run_into(&w, CODE + 5);
		CHECK_EQ(insert(&w, ENGINE_HWBP, CODE + 5), 0);
		CHECK_EQ(insert(&w, ENGINE_SWBP, CODE + 9), 0);
		CHECK_EQ(resume(&w, RUN_ALL), 0);
		target_fake_fail_at(w.t, k, -EIO);
		CHECK(wait_stop(&w, &ev));
		failed = target_fake_failed(w.t);
		target_fake_fail_at(w.t, 0, 0);
		CHECK(!engine_running(w.e));
		CHECK(ev.why == STOP_SWBREAK || (ev.why == STOP_INTERRUPT && ev.text[0]));
		if (ev.why != STOP_SWBREAK) {
			CHECK_EQ(resume(&w, RUN_ALL), 0);
			CHECK(wait_stop(&w, &ev));
		}
		check_stop(&ev, STOP_SWBREAK, 0, CODE + 9);
		CHECK_EQ(w.ram[CODE + 5], BP);
		CHECK_EQ(native_count(&w), 1);
		CHECK_EQ(engine_bp_count(w.e), 3);
		CHECK_EQ(engine_detach(w.e), 0);
		CHECK_EQ(w.ram[CODE + 5], NOP);
		CHECK_EQ(w.ram[CODE + 9], NOP);
		world_close(&w);
	}
}

TEST(detach_with_a_failure_in_it_still_lets_a_clean_guest_run)
{
	for (int running = 0; running < 2; running++) {
		for (unsigned k = 1, failed = 1; failed; k++) {
			struct world w = world_open((struct target_fake_cfg){ .nvcpus = 2 });
			struct arch_regs *r;

			w.ram[CODE + 100] = HLT; // the end of the fake's run
			run_into(&w, CODE + 5);
			CHECK_EQ(insert(&w, ENGINE_SWBP, CODE + 5000), 0);
			CHECK_EQ(insert(&w, ENGINE_HWBP, CODE + 5001), 0);
			CHECK_EQ(engine_regs(w.e, 1, ARCH_CORE, &r), 0);
			r->dirty |= ARCH_CORE;
			if (running)
				CHECK_EQ(resume(&w, TARGET_HOLD, 0, TARGET_RUN), 0);
			target_fake_fail_at(w.t, k, -EIO);
			CHECK_EQ(engine_detach(w.e), 0);
			failed = target_fake_failed(w.t);
			target_fake_fail_at(w.t, 0, 0);
			CHECK_EQ(w.ram[CODE + 5], NOP);
			CHECK_EQ(w.ram[CODE + 5000], NOP);
			CHECK_EQ(native_count(&w), 0);
			CHECK_EQ(engine_bp_count(w.e), 0);
			CHECK(engine_running(w.e));
			CHECK_EQ(target_fake_last_plan(w.t)->vcpu[1].action, TARGET_RUN);
			world_close(&w);
		}
	}
}

TEST(breakpoint_that_detach_could_not_reach_goes_at_the_next_stop)
{
	struct world w = world_open((struct target_fake_cfg){ 0 });
	const struct target_region *map;
	struct target_region *ram;
	struct stop_event ev;
	unsigned n;

	w.ram[CODE + 100] = HLT;
	run_into(&w, CODE + 5);
	CHECK_EQ(target_mem_map(w.t, &map, &n), 0);
	ram = (struct target_region *)(uintptr_t)map;
	ram->size = CODE; // its memory is gone
	CHECK_EQ(engine_detach(w.e), 0);
	CHECK(engine_running(w.e));
	CHECK_EQ(engine_bp_count(w.e), 0);
	ram->size = RAM_SIZE;
	CHECK_EQ(w.ram[CODE + 5], BP);
	CHECK_EQ(engine_stop_now(w.e, &ev), 0);
	CHECK_EQ(ev.why, STOP_INTERRUPT);
	CHECK_EQ(w.ram[CODE + 5], NOP);
	world_close(&w);
}

TESTS(T(breakpoint_is_hit_at_its_own_address), T(hardware_breakpoint_is_hit_and_left),
      T(native_breakpoint_is_hit_and_left), T(step_over_holds_every_other_vcpu),
      T(held_vcpus_stay_held_after_a_step_over), T(several_vcpus_leave_their_breakpoints_one_after_another),
      T(adjacent_breakpoint_is_not_missed), T(vcpu_caught_on_its_way_to_a_breakpoint_still_hits_it),
      T(breakpoint_at_a_pc_the_client_jumped_to_is_hit), T(step_from_a_breakpoint_is_one_step),
      T(step_that_lands_on_a_breakpoint_stays_a_step), T(step_over_in_other_page_tables_lifts_the_shared_place),
      T(watchpoints_stay_armed_during_step_over), T(instruction_that_rewrites_itself_is_kept_under_the_breakpoint),
      T(interrupt_during_step_over_leaves_breakpoint_in), T(step_over_that_never_completes_can_be_interrupted),
      T(guests_own_int3_under_a_breakpoint_goes_to_the_guest),
      T(range_step_goes_on_after_leaving_a_breakpoint_and_ends_outside),
      T(only_the_clients_own_resume_is_followed_by_a_look), T(range_step_stops_at_a_breakpoint_inside),
      T(emulated_range_step_can_be_interrupted), T(step_that_the_target_lacks_is_unsupported),
      T(stale_breakpoint_stop_is_dropped), T(stale_stop_keeps_a_step_plan),
      T(kept_stop_of_the_vcpu_being_stepped_over_is_reported), T(kept_stop_of_a_vcpu_that_the_client_moved_is_dropped),
      T(terminal_stops_are_told_and_leave_the_guest_readable), T(breakpoint_that_an_interrupt_came_right_before_is_hit),
      T(interrupt_wins_over_a_stale_stop), T(trap_without_a_reason_at_a_breakpoint_is_the_breakpoint),
      T(step_that_the_target_calls_a_breakpoint_is_a_step), T(guests_own_int3_that_nobody_filtered_is_shown_as_a_trap),
      T(interrupt_stops_a_running_guest), T(interrupt_is_told_on_a_vcpu_that_was_let_go),
      T(stop_now_says_why_it_stopped), T(detach_takes_out_every_breakpoint),
      T(detach_during_step_over_takes_everything_out), T(detach_writes_changed_registers), T(exit_empties_the_table),
      T(engine_destroyed_while_stopped_takes_its_breakpoints_along),
      T(engine_destroyed_while_running_stops_the_guest_and_takes_its_breakpoints_along),
      T(failed_resume_leaves_the_guest_stopped_and_its_breakpoints_in),
      T(failure_while_going_on_is_a_stop_and_the_table_stays_true),
      T(detach_with_a_failure_in_it_still_lets_a_clean_guest_run),
      T(breakpoint_that_detach_could_not_reach_goes_at_the_next_stop))
