/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "engine/bps.h"

#include <errno.h>

#include "util/macros.h"

/* The target's filter: a vCPU has hit a breakpoint, on its own thread and with nobody halted. Whose is it? */

#define INSN_MAX 15 /* bytes of one instruction */

/* A breakpoint instruction at @at, before anything is known of it. TARGET_REPORT: a site of ours. */
static enum target_verdict whose(struct engine *e, gpa at, size_t left)
{
	enum target_verdict verdict = TARGET_REPORT;
	const struct bp_site *s;
	uint8_t now[INSN_MAX];
	size_t n = MIN(left, sizeof(now));

	pthread_mutex_lock(&e->bps.lock);
	s = site_find(&e->bps, at);
	if ((!s || !s->in) && guard_read(&e->guard, at, now, n, &n) == 0)
		verdict = e->target->arch->is_bp(now, n) ? TARGET_REINJECT : TARGET_AGAIN;
	pthread_mutex_unlock(&e->bps.lock);
	return verdict;
}

static enum target_verdict judge_int3(struct bp_judge *j, gva pc)
{
	enum target_verdict verdict;
	size_t left;
	gpa at;

	// What cannot be looked up is shown to a person rather than given to the guest
	if (bp_judge_walk(j, pc, &at, &left) < 0)
		return TARGET_REPORT;
	verdict = whose(j->engine, at, left);
	if (verdict != TARGET_REPORT || bp_judge_site(j, pc, at) != BP_PASS)
		return verdict;
	j->engine->vcpu[j->vcpu].passes_at = at;
	return TARGET_SKIP;
}

/* A debug register hits before the instruction: passed, it comes to a site there by itself; stopped, it does not. */
static enum target_verdict judge_listed(struct bp_judge *j, gva pc)
{
	enum bp_hit hit = bp_judge_listed(j, pc);
	size_t left;
	gpa at;

	if (hit == BP_PASS)
		return TARGET_SKIP;
	if (hit == BP_STOP && j->engine->bps.nsites && bp_judge_walk(j, pc, &at, &left) == 0)
		bp_judge_site(j, pc, at);
	return TARGET_REPORT;
}

static enum target_verdict filter_judge(void *arg, unsigned vcpu, enum stop_why why, gva pc)
{
	struct arch_regs regs;
	struct bp_judge j = { .engine = arg, .vcpu = vcpu, .on_vcpu = true, .regs = &regs };

	regs.have = regs.dirty = 0; // the rest is long, and nobody looks at it
	return why == STOP_HWBREAK ? judge_listed(&j, pc) : judge_int3(&j, pc);
}

/* By the place that was hit: the instruction under it may have changed the page tables. */
static int filter_patch(void *arg, unsigned vcpu, gva pc, bool in)
{
	struct engine *e = arg;
	struct bp_site *s;
	int rc = 0;

	pthread_mutex_lock(&e->bps.lock);
	s = site_find(&e->bps, e->vcpu[vcpu].passes_at);
	if (s)
		rc = in ? site_put_in(e, s) : site_take_out(e, s);
	if (rc < 0 && in)
		e->bps.sites_stale = true; // the next stop tries again
	pthread_mutex_unlock(&e->bps.lock);
	return rc;
}

static bool has_exec_in_list(const struct engine *e)
{
	for (unsigned i = 0; i < e->bps.nbps; i++)
		if (e->bps.bp[i].place == BP_LISTED && is_exec(e->bps.bp[i].kind))
			return true;
	return false;
}

void bps_filter_choose(struct engine *e)
{
	struct target_filter filter = { .judge = filter_judge, .patch = filter_patch, .arg = e };

	if (e->bps.nsites)
		filter.whys |= BIT(STOP_SWBREAK);
	if (has_exec_in_list(e))
		filter.whys |= BIT(STOP_HWBREAK);
	if (filter.whys == e->bps.judges)
		return; // as it was, nearly always
	e->bps.judges = target_filter_set(e->target, filter.whys ? &filter : NULL) ? filter.whys : 0;
}
