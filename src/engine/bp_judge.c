/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "engine/bps.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "agent/agent.h"
#include "util/macros.h"

/*
 * What a hit comes to: counted, held against the filter of address spaces and the conditions, its commands run. On the
 * thread of the vCPU where the target has a filter, else on the server's with the guest stopped; both come here, with
 * an own way to registers.
 */

static int hit_regs(struct bp_judge *j, uint32_t groups, struct arch_regs **ret)
{
	uint32_t missing = groups & ~j->asked;
	int rc = 0;

	if (!j->on_vcpu)
		return vcpu_regs(j->engine, j->vcpu, groups, ret);
	if (missing)
		rc = target_regs_read_on_vcpu(j->engine->target, j->vcpu, missing, j->regs);
	if (rc < 0)
		return rc;
	j->asked |= missing;
	*ret = j->regs;
	return 0;
}

static int walk_regs(struct bp_judge *j, struct arch_regs **ret)
{
	uint32_t groups = j->engine->target->arch->walk_groups;
	int rc = hit_regs(j, groups, ret);

	return rc < 0 || !(~(*ret)->have & groups) ? rc : -ENODATA;
}

int bp_judge_walk(struct bp_judge *j, gva at, gpa *where, size_t *left)
{
	struct engine *e = j->engine;
	struct arch_regs *r;
	struct mmu_xlat x;
	uint64_t off;
	int rc = walk_regs(j, &r);

	if (rc == 0)
		rc = e->target->arch->walk(r, mem_table_read, e, at, &x);
	if (rc < 0)
		return rc;
	if (!x.mapped)
		return -EFAULT;
	off = at.raw - x.start.raw;
	*where = GPA(x.phys.raw + off);
	*left = x.size ? x.size - off : SIZE_MAX;
	return 0;
}

/* ---- what an expression sees ---- */

static int env_reg(void *arg, unsigned num, uint64_t *ret)
{
	struct bp_judge *j = arg;
	struct arch_regs *r;
	int rc;

	if (num >= j->layout->nregs)
		return -EINVAL;
	rc = hit_regs(j, arch_reg_groups(j->layout, num), &r);
	return rc < 0 ? rc : reg_value(j->layout, num, r, ret);
}

static int env_mem(void *arg, uint64_t at, void *buf, size_t len)
{
	struct bp_judge *j = arg;
	uint8_t *to = buf;

	while (len) {
		size_t left, done;
		gpa where;
		int rc = bp_judge_walk(j, GVA(at), &where, &left);

		left = MIN(left, len);
		if (rc == 0)
			rc = bps_read(j->engine, where, to, left, &done);
		if (rc < 0 || done < left)
			return -EFAULT;
		to += left;
		at += left;
		len -= left;
	}
	return 0;
}

static void env_print(void *arg, const char *text, size_t n)
{
	const struct bp_judge *j = arg;

	text_add(j->engine, text, n);
}

/* ---- one hit of one breakpoint ---- */

static bool is_in_space(struct bp_judge *j)
{
	struct engine *e = j->engine;
	struct arch_regs *r;

	// Where that cannot be told the hit counts: better a stop too many than one too few
	return !e->bps.space.on || walk_regs(j, &r) < 0 ||
	       e->target->arch->in_space(r, e->bps.space.root, mem_table_read, e);
}

static bool condition_holds(const struct agent_env *env, struct bp *b)
{
	const struct engine_bp_opts *o = b->opts;

	for (unsigned i = 0; i < o->nconds; i++) {
		int64_t v = 0;
		int rc = agent_eval(o->cond[i], env, &v);

		if (rc < 0)
			__atomic_store_n(&b->fault, rc, __ATOMIC_RELAXED);
		if (rc < 0 || v)
			return true;
	}
	return !o->nconds;
}

static void run_commands(const struct agent_env *env, const struct bp *b)
{
	struct bp_judge *j = env->arg;

	for (unsigned i = 0; i < b->opts->ncmds; i++) {
		int64_t v;
		int rc = agent_eval(b->opts->cmd[i], env, &v);

		if (rc < 0)
			text_addf(j->engine, "gdbvm: a command of the breakpoint at %#" PRIx64 " failed: %s\n",
				  b->at.raw, strerror(-rc));
	}
}

/* Returns: is it to be a stop? */
static bool hit_one(struct bp_judge *j, struct bp *b)
{
	const struct agent_env env = { .reg = env_reg, .mem = env_mem, .print = env_print, .arg = j };

	__atomic_fetch_add(&b->hits, 1, __ATOMIC_RELAXED);
	if (!is_in_space(j))
		return false;
	if (b->opts) {
		j->layout = b->opts->layout;
		if (!condition_holds(&env, b))
			return false;
		if (b->opts->ncmds) {
			run_commands(&env, b);
			return false;
		}
	}
	__atomic_fetch_add(&b->stops, 1, __ATOMIC_RELAXED);
	return true;
}

static enum bp_hit hit_add(struct bp_judge *j, struct bp *b, enum bp_hit so_far)
{
	enum bp_hit hit = hit_one(j, b) ? BP_STOP : BP_PASS;

	return MAX(so_far, hit);
}

/* ---- all breakpoints at one place ---- */

enum bp_hit bp_judge_listed(struct bp_judge *j, gva pc)
{
	struct bp_table *t = &j->engine->bps;
	enum bp_hit hit = BP_NO_HIT;

	for (unsigned i = 0; i < t->nbps; i++) {
		struct bp *b = &t->bp[i];

		if (b->place == BP_LISTED && is_exec(b->kind) && b->at.raw == pc.raw)
			hit = hit_add(j, b, hit);
	}
	return hit;
}

/* @known: only those whose own address is @pc. */
static enum bp_hit hit_site(struct bp_judge *j, gva pc, gpa at, bool known)
{
	struct bp_table *t = &j->engine->bps;
	enum bp_hit hit = BP_NO_HIT;

	for (unsigned i = 0; i < t->nbps; i++) {
		struct bp *b = &t->bp[i];

		if (b->place == BP_MEMORY && b->where.raw == at.raw && (!known || b->at.raw == pc.raw))
			hit = hit_add(j, b, hit);
	}
	return hit;
}

enum bp_hit bp_judge_site(struct bp_judge *j, gva pc, gpa at)
{
	enum bp_hit hit = hit_site(j, pc, at, true);

	// Come by at an address that the client does not know: it is the same code
	return hit == BP_NO_HIT ? hit_site(j, pc, at, false) : hit;
}

/* ---- what no filter has seen ---- */

bool bps_judged(const struct engine *e, enum stop_why why)
{
	return e->bps.judges & BIT(why);
}

bool bps_in_space(struct engine *e, unsigned vcpu)
{
	struct bp_judge j = { .engine = e, .vcpu = vcpu };

	return is_in_space(&j);
}

enum bp_hit bps_hit(struct engine *e, unsigned vcpu, gva pc)
{
	struct bp_judge j = { .engine = e, .vcpu = vcpu };
	enum bp_hit hit = bp_judge_listed(&j, pc), at_site;
	size_t left;
	gpa at;

	if (!e->bps.nsites || bp_judge_walk(&j, pc, &at, &left) < 0)
		return hit;
	at_site = bp_judge_site(&j, pc, at);
	return MAX(hit, at_site);
}

enum bp_hit bps_watch_hit(struct engine *e, unsigned vcpu, gva at)
{
	struct bp_judge j = { .engine = e, .vcpu = vcpu };
	enum bp_hit hit = BP_NO_HIT;

	for (unsigned i = 0; i < e->bps.nbps; i++) {
		struct bp *b = &e->bps.bp[i];

		if (!is_exec(b->kind) && at.raw - b->at.raw < b->len)
			hit = hit_add(&j, b, hit);
	}
	return hit;
}

void bps_fault_text(struct engine *e, struct stop_event *ev)
{
	for (unsigned i = 0; i < e->bps.nbps; i++) {
		struct bp *b = &e->bps.bp[i];
		int fault = __atomic_load_n(&b->fault, __ATOMIC_RELAXED);

		if (!fault || b->at.raw != ev->pc.raw)
			continue;
		__atomic_store_n(&b->fault, 0, __ATOMIC_RELAXED);
		snprintf(ev->text, sizeof(ev->text), "the condition of the breakpoint at %#" PRIx64 " failed: %s",
			 b->at.raw, strerror(-fault));
	}
}
