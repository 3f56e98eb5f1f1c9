/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "engine/internal.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>

#define LOG_ROOM LOG_ENGINE
#include "util/log.h"
#include "util/macros.h"

/*
 * Running a plan. vCPUs that are to leave a breakpoint go first, one after another: what is at the pc is lifted,
 * that vCPU alone takes one step, everything is put back. Then the plan runs:
 *
 *	engine_resume -> [over vCPU a] -> [over vCPU b] -> plan -> a stop that the client must see
 *	                      ^                              |
 *	                      +--- run_go() after every stop that it need not see
 *
 * Only a vCPU that the client saw stop at its pc leaves a breakpoint: one that the stop of another vCPU, or an
 * interrupt, caught on the way to a breakpoint has not hit it yet, and must. A vCPU that the client steps always
 * leaves.
 */

static bool is_stepping(enum target_action a)
{
	return a == TARGET_STEP || a == TARGET_STEP_RANGE;
}

static int plan_check(struct engine *e, const struct resume_plan *plan)
{
	for (unsigned v = 0; v < e->target->nvcpus; v++)
		if (is_stepping(plan->vcpu[v].action) && !target_can(e->target, TARGET_STEP))
			return -ENOTSUP;
	return 0;
}

/*
 * Does the vCPU still stand before the access that hit a watchpoint? It would hit it again, and for ever. A client that
 * takes the watchpoint out for a step, as GDB and LLDB do, has its way: then the others are in effect for that step.
 */
static bool is_before_watched(const struct engine *e, unsigned vcpu, gva pc)
{
	const struct engine_vcpu *v = &e->vcpu[vcpu];

	return v->told && v->at_watch && v->told_pc.raw == pc.raw && bps_watch_at(e, v->watch_at);
}

/* Which vCPUs of the plan leave a breakpoint at their pc, or a watchpoint before it? */
static int plan_over(struct engine *e, const struct resume_plan *plan, uint64_t *over)
{
	enum stop_why why = STOP_SWBREAK;
	uint64_t set = 0;

	for (unsigned i = 0; i < e->target->nvcpus; i++) {
		struct engine_vcpu *v = &e->vcpu[i];
		bool steps = is_stepping(plan->vcpu[i].action);
		gva pc;
		int rc;

		if (!steps && (plan->vcpu[i].action != TARGET_RUN || !v->told || !e->bps.nbps))
			continue;
		rc = vcpu_pc(e, i, &pc);
		if (rc < 0)
			return rc;
		v->from = pc;
		if (((steps || pc.raw == v->told_pc.raw) && bps_exec_at(e, i, pc, &why)) || is_before_watched(e, i, pc))
			set |= BIT64(i);
	}
	*over = set;
	return 0;
}

static void copy_plan(const struct engine *e, const struct resume_plan *from, struct resume_plan *to)
{
	memcpy(to->vcpu, from->vcpu, e->target->nvcpus * sizeof(from->vcpu[0])); // there is room for many more
	to->looks = from->looks;
}

/* The client's plan as the target can do it: a range that it cannot step is single steps here. @room: for another one.
 */
static const struct resume_plan *plan_for_target(const struct engine *e, struct resume_plan *room)
{
	const struct resume_plan *plan = &e->run.plan;

	for (unsigned v = 0; v < e->target->nvcpus; v++) {
		if (target_can(e->target, plan->vcpu[v].action))
			continue;
		if (plan != room)
			copy_plan(e, plan, room);
		plan = room;
		room->vcpu[v].action = TARGET_STEP;
	}
	return plan;
}

static int run_target(struct engine *e, const struct resume_plan *plan)
{
	int rc = vcpus_flush(e);

	bps_filter_choose(e);
	if (rc == 0)
		rc = target_resume(e->target, plan);
	if (rc == 0)
		vcpus_drop(e);
	return rc;
}

static int run_over(struct engine *e, unsigned vcpu, gva pc)
{
	struct resume_plan plan = { 0 };
	int rc = bps_lift(e, vcpu, pc, is_before_watched(e, vcpu, pc));

	if (rc < 0)
		return rc;
	plan.vcpu[vcpu].action = TARGET_STEP;
	rc = run_target(e, &plan);
	if (rc < 0) {
		bps_arm(e);
		return rc;
	}
	e->run.over = (int)vcpu;
	return 0;
}

static int run_plan(struct engine *e)
{
	struct resume_plan room;
	int rc = run_target(e, plan_for_target(e, &room));

	for (unsigned v = 0; rc == 0 && v < e->target->nvcpus; v++)
		if (e->run.plan.vcpu[v].action != TARGET_HOLD)
			e->vcpu[v].told = false;
	return rc;
}

/* The next piece of the plan, from a stopped target. */
static int run_go(struct engine *e)
{
	struct engine_run *r = &e->run;

	while (r->over_todo) {
		unsigned vcpu = (unsigned)__builtin_ctzll(r->over_todo);
		gva pc;
		int rc = vcpu_pc(e, vcpu, &pc);

		if (rc < 0)
			return rc;
		if (pc.raw == e->vcpu[vcpu].from.raw)
			return run_over(e, vcpu, pc);
		r->over_todo &= ~BIT64(vcpu);
	}
	return run_plan(e);
}

int engine_resume(struct engine *e, const struct resume_plan *plan)
{
	struct engine_run *r = &e->run;
	uint64_t over = 0;
	int rc;

	if (r->running)
		return -EBUSY;
	if (e->target->gone)
		return -ENODEV;
	rc = plan_check(e, plan);
	if (rc == 0)
		rc = bps_refresh(e);
	if (rc == 0)
		rc = bps_settle(e);
	if (rc == 0)
		rc = plan_over(e, plan, &over);
	if (rc < 0)
		return rc;
	copy_plan(e, plan, &r->plan);
	r->over_todo = over;
	r->interrupted = false;
	rc = run_go(e);
	r->plan.looks = false; // nobody asks when the engine itself goes on
	if (rc < 0)
		r->over_todo = 0;
	r->running = rc == 0;
	return rc;
}

int engine_interrupt(struct engine *e)
{
	if (!e->run.running)
		return 0;
	e->run.interrupted = true; // the target may be about to stop for something that is not the client's business
	return target_interrupt(e->target);
}

bool engine_running(const struct engine *e)
{
	return e->run.running;
}

int engine_event_fd(struct engine *e)
{
	return target_event_fd(e->target);
}

/* ---- stops ---- */

static bool in_range(const struct engine *e, const struct stop_event *ev)
{
	return ev->pc.raw >= e->run.plan.vcpu[ev->vcpu].lo.raw && ev->pc.raw < e->run.plan.vcpu[ev->vcpu].hi.raw;
}

/* The breakpoint at its pc is no stop: @vcpu goes past it before the plan runs on, now or after an interrupt. */
static void pass(struct engine *e, unsigned vcpu, gva pc)
{
	struct engine_vcpu *v = &e->vcpu[vcpu];

	e->run.over_todo |= BIT64(vcpu);
	v->from = v->told_pc = pc;
	v->told = true;
	v->at_watch = false;
}

/* The vCPU has made this stop. */
static void remember(struct engine *e, const struct stop_event *ev)
{
	struct engine_vcpu *v = &e->vcpu[ev->vcpu];

	v->told = true;
	v->told_pc = ev->pc;
	v->at_watch = ev->why == STOP_WATCH && e->target->arch->watch_before;
	v->watch_at = ev->watch_at;
}

/* A vCPU has come to a pc by itself, and no filter was asked: is there a breakpoint, and is it a stop? */
static enum bp_hit arrive(struct engine *e, struct stop_event *ev)
{
	enum stop_why why = ev->why;
	enum bp_hit hit;

	if (!bps_exec_at(e, ev->vcpu, ev->pc, &why))
		return BP_NO_HIT;
	hit = bps_hit(e, ev->vcpu, ev->pc);
	if (hit == BP_PASS) {
		pass(e, ev->vcpu, ev->pc);
		return BP_PASS;
	}
	ev->why = why;
	return BP_STOP;
}

/* Must the client see this step? @over: the vCPU that was stepped over a breakpoint, or -1. */
static bool digest_step(struct engine *e, int over, struct stop_event *ev)
{
	enum target_action action = e->run.plan.vcpu[ev->vcpu].action;
	bool was_over = over == (int)ev->vcpu;

	if (was_over) {
		e->run.over_todo &= ~BIT64(ev->vcpu);
		e->vcpu[ev->vcpu].told = false;
	}
	if (action == TARGET_RUN)
		return !was_over && arrive(e, ev) != BP_PASS; // arrive: a target that tells no reasons
	if (action != TARGET_STEP_RANGE || !in_range(e, ev))
		return true;
	if (!was_over && target_can(e->target, TARGET_STEP_RANGE))
		return true; // the target itself has cut the range short
	return arrive(e, ev) == BP_STOP;
}

/* Is the guest's own breakpoint instruction at @pc? */
static bool has_guest_insn(struct engine *e, unsigned vcpu, gva pc)
{
	const struct arch *arch = e->target->arch;
	uint8_t now[sizeof(arch->bp_insn)];
	size_t done;
	gpa at;

	return mem_gva_to_gpa(e, vcpu, pc, &at) == 0 && bps_read(e, at, now, arch->bp_len, &done) == 0 &&
	       arch->is_bp(now, done);
}

/* Did the client set the pc of this vCPU after the target had kept this stop? Then it will not come to that place. */
static bool was_moved(struct engine *e, const struct stop_event *ev)
{
	gva pc;

	return vcpu_pc(e, ev->vcpu, &pc) == 0 && pc.raw != ev->pc.raw;
}

static bool digest_break(struct engine *e, int over, struct stop_event *ev)
{
	bool stepped = over == (int)ev->vcpu || is_stepping(e->run.plan.vcpu[ev->vcpu].action);
	bool judged = bps_judged(e, ev->why);
	enum bp_hit hit = BP_STOP;

	if (was_moved(e, ev))
		return false;
	if (judged ? bps_exec_at(e, ev->vcpu, ev->pc, &ev->why) : (hit = arrive(e, ev)) != BP_NO_HIT) {
		bps_fault_text(e, ev);
		if (judged && !bps_in_space(e, ev->vcpu)) { // it hit before the client said where hits count
			pass(e, ev->vcpu, ev->pc);
			return false;
		}
		return hit != BP_PASS;
	}
	if (stepped && ev->pc.raw != e->vcpu[ev->vcpu].from.raw) { // a target that calls every trap a breakpoint
		ev->why = STOP_STEP;
		return digest_step(e, over, ev);
	}
	if (ev->why == STOP_SWBREAK && has_guest_insn(e, ev->vcpu, ev->pc)) {
		// A plain trap: a client drops a breakpoint stop where it has no breakpoint, and would come here again
		ev->why = STOP_STEP;
		snprintf(ev->text, sizeof(ev->text), "the guest's own breakpoint instruction");
		return true;
	}
	log_dbg("stale breakpoint stop dropped vcpu=%u pc=%#" PRIx64, ev->vcpu, ev->pc.raw);
	return false;
}

static bool digest_watch(struct engine *e, const struct stop_event *ev)
{
	enum bp_hit hit = bps_watch_hit(e, ev->vcpu, ev->watch_at);

	if (hit == BP_PASS && e->target->arch->watch_before) {
		pass(e, ev->vcpu, ev->pc);
		remember(e, ev);
	}
	return hit == BP_STOP;
}

/*
 * The instruction that told of a panic, or wrote a checkpoint, is done: if that is no stop, it was the step for a vCPU
 * that steps.
 */
static bool digest_done(struct engine *e, int over, bool wanted, struct stop_event *ev)
{
	if (wanted)
		return true;
	if (!is_stepping(e->run.plan.vcpu[ev->vcpu].action))
		return false;
	ev->why = STOP_STEP;
	ev->text[0] = '\0';
	return digest_step(e, over, ev);
}

/* Must the client see this stop? May correct ev->why. */
static bool digest(struct engine *e, int over, struct stop_event *ev)
{
	switch (ev->why) {
	case STOP_STEP:
		return digest_step(e, over, ev);
	case STOP_SWBREAK:
	case STOP_HWBREAK:
		return digest_break(e, over, ev);
	case STOP_WATCH:
		return digest_watch(e, ev);
	case STOP_PWATCH:
		return pwatch_digest(e, ev);
	case STOP_PANIC:
		return digest_done(e, over, engine_catches(e, STOP_PANIC), ev);
	case STOP_CHECKPOINT:
		return digest_done(e, over, checkpoint_digest(e, ev), ev);
	case STOP_VCPU_ON:
		return engine_catches(e, STOP_VCPU_ON);
	default:
		return true;
	}
}

/*
 * The target tells an interrupt on vCPU 0, which may have been held. A client believes that only vCPUs it let go can
 * stop: GDB, told of another, trips over an assertion of its own.
 */
static void interrupt_where_it_ran(struct engine *e, struct stop_event *ev)
{
	unsigned v = ev->vcpu;
	gva pc;

	if (ev->why != STOP_INTERRUPT || e->run.plan.vcpu[v].action != TARGET_HOLD)
		return;
	for (v = 0; v < e->target->nvcpus && e->run.plan.vcpu[v].action == TARGET_HOLD; v++)
		;
	if (v == e->target->nvcpus || vcpu_pc(e, v, &pc) < 0)
		return;
	ev->vcpu = v;
	ev->pc = pc;
}

static void deliver(struct engine *e, const struct stop_event *ev, struct stop_event *out)
{
	struct engine_run *r = &e->run;

	r->running = r->interrupted = false;
	r->over_todo = 0;
	r->last = *ev;
	if (ev->why != STOP_INTERRUPT)
		remember(e, ev);
	log_dbg("stop vcpu=%u pc=%#" PRIx64 " why=\"%s\"", ev->vcpu, ev->pc.raw, stop_why_text(ev->why));
	*out = *ev;
}

/* Go on after a stop that is not for the client. Returns: true; false: it cannot, and @ev says so. */
static bool go_on(struct engine *e, int armed, struct stop_event *ev)
{
	int rc = armed;

	if (rc == 0 && !e->run.interrupted) {
		rc = run_go(e);
		if (rc == 0)
			return true;
	}
	ev->why = STOP_INTERRUPT;
	if (rc < 0) // not STOP_INTERNAL_ERROR: nothing is wrong with the guest, and the client may try again
		snprintf(ev->text, sizeof(ev->text), "the debugger could not let the guest go on: %s", strerror(-rc));
	return false;
}

int engine_run_all(struct engine *e)
{
	struct resume_plan go = { 0 };

	for (unsigned v = 0; v < e->target->nvcpus; v++)
		go.vcpu[v].action = TARGET_RUN;
	return engine_resume(e, &go);
}

int engine_next_stop(struct engine *e, struct stop_event *out)
{
	struct engine_run *r = &e->run;
	struct stop_event ev;
	int over = r->over, armed = 0, rc;

	if (!r->running)
		return -EAGAIN;
	rc = target_next_stop(e->target, &ev);
	if (rc < 0)
		return rc;
	r->over = -1;
	if (e->target->gone)
		bps_forget(e);
	else
		armed = bps_settle(e);
	if (!digest(e, over, &ev) && go_on(e, armed, &ev))
		return -EAGAIN;
	checkpoint_site_digest(e, &ev);
	if (pwatch_digest(e, &ev) && ev.why == STOP_STEP) // an instruction may have done two things at once
		ev.why = STOP_PWATCH;
	interrupt_where_it_ran(e, &ev);
	deliver(e, &ev, out);
	return 0;
}

int engine_stop_now(struct engine *e, struct stop_event *out)
{
	struct pollfd pfd = { .fd = engine_event_fd(e), .events = POLLIN };
	int rc = engine_interrupt(e);

	if (rc < 0)
		return rc;
	if (!e->run.running) {
		if (!e->target->gone)
			vcpu_pc(e, e->run.last.vcpu,
				&e->run.last.pc); // nothing was reported yet, or the client moved it
		*out = e->run.last;
		return 0;
	}
	while ((rc = engine_next_stop(e, out)) == -EAGAIN)
		if (poll(&pfd, 1, -1) < 0 && errno != EINTR)
			return -errno;
	return rc;
}

/* Let a stopped guest run, whatever is left in it. */
static int run_free(struct engine *e)
{
	struct engine_run *r = &e->run;
	int rc;

	r->plan = (struct resume_plan){ 0 };
	for (unsigned v = 0; v < e->target->nvcpus; v++)
		r->plan.vcpu[v].action = TARGET_RUN;
	r->interrupted = false;
	rc = run_plan(e);
	r->running = rc == 0;
	return rc;
}

int engine_clear(struct engine *e)
{
	int pwatch, bps;

	if (e->run.running)
		return -EBUSY;
	if (e->target->gone)
		return -ENODEV;
	catches_reset(e);
	checkpoints_clear(e);
	pwatch = pwatch_clear(e);
	bps = bps_clear(e);
	return pwatch < 0 ? pwatch : bps;
}

static int try_detach(struct engine *e)
{
	struct stop_event ev;
	int rc = engine_stop_now(e, &ev);

	if (rc == 0)
		rc = engine_clear(e);
	return rc < 0 ? rc : run_free(e);
}

int engine_detach(struct engine *e)
{
	int rc = try_detach(e);

	if (rc == 0 || rc == -ENODEV)
		return rc;
	rc = try_detach(e); // nobody comes after the client who would try again
	if (rc < 0 && rc != -ENODEV && !e->run.running) {
		// A breakpoint that stays goes when it is hit, and nobody is told
		rc = run_free(e);
	}
	if (rc < 0)
		log_warn("the guest could not be let go err=%d", rc);
	return rc;
}
