/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "engine/bps.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define LOG_ROOM LOG_ENGINE
#include "agent/agent.h"
#include "util/log.h"
#include "util/macros.h"

/*
 * The breakpoint table: what the client asked for. A software breakpoint is a site in the guest's memory; all other
 * kinds, and software breakpoints of a target that places them itself, are in the list that the target gets.
 */

int array_room(void **array, unsigned n, unsigned *cap, size_t size)
{
	unsigned want = *cap ? *cap * 2 : 16;
	void *p;

	if (n < *cap)
		return 0;
	p = reallocarray(*array, want, size);
	if (!p)
		return -ENOMEM;
	*array = p;
	*cap = want;
	return 0;
}

void engine_bp_opts_destroy(struct engine_bp_opts *o)
{
	if (!o)
		return;
	for (unsigned i = 0; i < o->nconds; i++)
		agent_expr_destroy(o->cond[i]);
	for (unsigned i = 0; i < o->ncmds; i++)
		agent_expr_destroy(o->cmd[i]);
	free(o->cond);
	free(o->cmd);
	free(o);
}

static void bp_opts_destroyp(struct engine_bp_opts **o)
{
	engine_bp_opts_destroy(*o);
}

/* The client wants none of them any more. What is in the guest stays until bps_arm(). */
static void bps_empty(struct engine *e)
{
	for (unsigned i = 0; i < e->bps.nbps; i++)
		engine_bp_opts_destroy(e->bps.bp[i].opts);
	e->bps.nbps = e->bps.npast = 0;
	e->bps.space.on = false;
}

int bps_init(struct engine *e)
{
	int rc = pthread_mutex_init(&e->bps.lock, NULL);

	if (rc)
		return -rc;
	return 0;
}

void bps_deinit(struct engine *e)
{
	target_filter_set(e->target, NULL);
	pthread_mutex_destroy(&e->bps.lock);
	bps_empty(e);
	free(e->bps.bp);
	free(e->bps.site);
}

static struct bp *bp_find(struct bp_table *t, enum engine_bp_kind kind, gva at, uint64_t len)
{
	for (unsigned i = 0; i < t->nbps; i++)
		if (t->bp[i].kind == kind && t->bp[i].at.raw == at.raw && t->bp[i].len == len && !t->bp[i].site)
			return &t->bp[i];
	return NULL;
}

/* ---- counts outlive a breakpoint that GDB takes out only for a stop ---- */

struct bp_past bp_past_of(const struct bp *b)
{
	return (struct bp_past){
		.kind = b->kind,
		.at = b->at,
		.len = b->len,
		.place = b->place,
		.where = b->where,
		.hits = __atomic_load_n(&b->hits, __ATOMIC_RELAXED),
		.stops = __atomic_load_n(&b->stops, __ATOMIC_RELAXED),
		.conds = b->opts && b->opts->nconds,
		.cmds = b->opts && b->opts->ncmds,
		.site = b->site,
	};
}

static void past_add(struct bp_table *t, const struct bp *b)
{
	if (t->npast == BP_PAST_MAX)
		memmove(&t->past[0], &t->past[1], --t->npast * sizeof(t->past[0]));
	t->past[t->npast++] = bp_past_of(b);
}

static void past_take(struct bp_table *t, struct bp *b)
{
	for (unsigned i = 0; i < t->npast; i++) {
		const struct bp_past *p = &t->past[i];

		if (p->kind != b->kind || p->at.raw != b->at.raw || p->len != b->len)
			continue;
		b->hits = p->hits;
		b->stops = p->stops;
		memmove(&t->past[i], &t->past[i + 1], (--t->npast - i) * sizeof(*p));
		return;
	}
}

/* ---- insert and remove ---- */

static int insert_check(struct engine *e, unsigned vcpu, enum engine_bp_kind kind, gva at, uint64_t len)
{
	const struct arch *arch = e->target->arch;

	if (e->run.running)
		return -EBUSY;
	if (e->target->gone)
		return -ENODEV;
	if (!engine_bp_supported(e, kind))
		return -ENOTSUP;
	if (is_exec(kind) && (len != arch->bp_len || at.raw % arch->insn_align))
		return -EINVAL;
	return vcpu >= e->target->nvcpus ? -EINVAL : 0;
}

/* Put @bp into the table, as its last one, and find a place for it. */
static int bp_add(struct engine *e, const struct bp *bp)
{
	struct bp_table *t = &e->bps;
	int rc = array_room((void **)&t->bp, t->nbps, &t->bp_cap, sizeof(*bp));

	if (rc < 0)
		return rc;
	t->bp[t->nbps++] = *bp;
	rc = bp_put(e, &t->bp[t->nbps - 1]);
	if (rc < 0)
		t->nbps--;
	return rc;
}

int engine_bp_insert(struct engine *e, unsigned vcpu, enum engine_bp_kind kind, gva at, uint64_t len,
		     struct engine_bp_opts *opts)
{
	_cleanup_(bp_opts_destroyp) struct engine_bp_opts *old = opts;
	struct bp_table *t = &e->bps;
	int rc = insert_check(e, vcpu, kind, at, len);
	struct bp *b;

	if (rc < 0)
		return rc;
	b = bp_find(t, kind, at, len);
	if (b) {
		old = b->opts;
		b->opts = opts;
		return 0;
	}
	rc = bp_add(e, &(struct bp){ .kind = kind, .at = at, .len = len, .vcpu = vcpu, .opts = opts });
	if (rc < 0)
		return rc;
	past_take(t, &t->bp[t->nbps - 1]);
	take_ptr(old);
	return 0;
}

/* Take the one at @b out of the guest and of the table. */
static int bp_drop(struct engine *e, struct bp *b)
{
	struct bp_table *t = &e->bps;
	struct bp gone = *b;
	int rc;

	*b = t->bp[--t->nbps];
	rc = bp_take(e, &gone);
	if (rc < 0) { // still in the guest, so still in the table
		t->bp[t->nbps++] = gone;
		return rc;
	}
	if (!gone.site)
		past_add(t, &gone);
	engine_bp_opts_destroy(gone.opts);
	return 0;
}

int engine_bp_remove(struct engine *e, enum engine_bp_kind kind, gva at, uint64_t len)
{
	struct bp *b;

	if (e->run.running)
		return -EBUSY;
	b = bp_find(&e->bps, kind, at, len);
	return b ? bp_drop(e, b) : 0;
}

int bps_site_add(struct engine *e, gva at)
{
	const uint64_t len = e->target->arch->bp_len;
	enum bp_place place;
	int rc = insert_check(e, 0, ENGINE_HWBP, at, len);

	if (rc < 0 || bps_site_at(e, at, &place))
		return rc;
	return bp_add(e, &(struct bp){ .kind = ENGINE_HWBP, .at = at, .len = len, .site = true });
}

int bps_sites_remove(struct engine *e)
{
	for (unsigned i = e->bps.nbps; i-- > 0;) {
		const int rc = e->bps.bp[i].site ? bp_drop(e, &e->bps.bp[i]) : 0;

		if (rc < 0)
			return rc;
	}
	return 0;
}

bool bps_site_at(const struct engine *e, gva pc, enum bp_place *place)
{
	for (unsigned i = 0; i < e->bps.nbps; i++) {
		if (!e->bps.bp[i].site || e->bps.bp[i].at.raw != pc.raw)
			continue;
		*place = e->bps.bp[i].place;
		return true;
	}
	return false;
}

bool bps_client_at(const struct engine *e, gva pc)
{
	for (unsigned i = 0; i < e->bps.nbps; i++)
		if (!e->bps.bp[i].site && is_exec(e->bps.bp[i].kind) && e->bps.bp[i].at.raw == pc.raw)
			return true;
	return false;
}

bool engine_bp_supported(struct engine *e, enum engine_bp_kind kind)
{
	return kind == ENGINE_SWBP || native_has(e, kind);
}

unsigned engine_bp_count(const struct engine *e)
{
	return e->bps.nbps;
}

/* ---- what run.c needs ---- */

/* Is a breakpoint of this kind asked for at @pc? @place: and there; BP_WAITS: wherever it is. */
static bool is_asked_at(const struct engine *e, enum engine_bp_kind kind, gva pc, enum bp_place place)
{
	for (unsigned i = 0; i < e->bps.nbps; i++) {
		const struct bp *b = &e->bps.bp[i];

		if (b->kind == kind && b->at.raw == pc.raw && (place == BP_WAITS || b->place == place))
			return true;
	}
	return false;
}

bool bps_exec_at(struct engine *e, unsigned vcpu, gva pc, enum stop_why *why)
{
	bool hw = is_asked_at(e, ENGINE_HWBP, pc, BP_LISTED), sw = is_asked_at(e, ENGINE_SWBP, pc, BP_LISTED);
	struct bp_site *s;

	if (!sw && site_at_pc(e, vcpu, pc, &s) < 0)
		sw = is_asked_at(e, ENGINE_SWBP, pc, BP_WAITS);
	else if (!sw)
		sw = s && site_is_wanted(e, s->at);

	if (sw || hw)
		*why = hw && (!sw || *why == STOP_HWBREAK) ? STOP_HWBREAK : STOP_SWBREAK;
	return sw || hw;
}

/* Is something in the target's own list that stops execution at @pc? */
static bool is_native_at(const struct engine *e, gva pc)
{
	return is_asked_at(e, ENGINE_HWBP, pc, BP_LISTED) || is_asked_at(e, ENGINE_SWBP, pc, BP_LISTED);
}

bool bps_watch_at(const struct engine *e, gva at)
{
	for (unsigned i = 0; i < e->bps.nbps; i++) {
		const struct bp *b = &e->bps.bp[i];

		if (!is_exec(b->kind) && at.raw - b->at.raw < b->len)
			return true;
	}
	return false;
}

int bps_lift(struct engine *e, unsigned vcpu, gva pc, bool watches)
{
	const struct bp_skip skip = { .exec = pc, .watches = watches };
	struct bp_table *t = &e->bps;
	struct bp_site *s;
	int rc = site_at_pc(e, vcpu, pc, &s); // not under the lock: it asks the vCPU's thread for registers

	if (rc < 0 && rc != -EFAULT) // a debug register also hits where no page is
		return rc;
	rc = 0;
	if (s)
		rc = site_lift(e, s);
	if (rc == 0 && (watches || is_native_at(e, pc))) {
		rc = native_set(e, &skip);
		t->native_stale = rc == 0;
	}
	if (rc < 0)
		bps_arm(e);
	return rc;
}

int bps_arm(struct engine *e)
{
	struct bp_table *t = &e->bps;
	int rc, first = 0;

	if (t->sites_stale)
		first = sites_sync(e);
	if (t->native_stale) {
		rc = native_set(e, NULL);
		t->native_stale = rc < 0;
		first = first ? first : rc;
	}
	if (first < 0)
		log_warn("breakpoints in the guest could not be brought up to date: %s", strerror(-first));
	return first;
}

int bps_refresh(struct engine *e)
{
	e->bps.sites_stale = e->bps.sites_stale || e->bps.nsites;
	return bps_arm(e);
}

int bps_clear(struct engine *e)
{
	bps_empty(e);
	e->bps.sites_stale = e->bps.native_stale = true;
	return bps_arm(e);
}

void bps_forget(struct engine *e)
{
	bps_empty(e);
	pthread_mutex_lock(&e->bps.lock);
	e->bps.nsites = 0;
	e->bps.sites_stale = e->bps.native_stale = false;
	pthread_mutex_unlock(&e->bps.lock);
}

int engine_adopt(struct engine *to, struct engine *from)
{
	struct bp_table *t = &to->bps, *f = &from->bps;

	if (to->run.running || from->run.running || t->nbps)
		return -EBUSY;
	while (t->bp_cap < f->nbps) {
		int rc = array_room((void **)&t->bp, t->bp_cap, &t->bp_cap, sizeof(*t->bp));

		if (rc < 0)
			return rc;
	}
	for (unsigned i = 0; i < f->nbps; i++) {
		t->bp[i] = f->bp[i];
		t->bp[i].place = BP_WAITS;
		t->bp[i].vcpu = MIN(f->bp[i].vcpu, to->target->nvcpus - 1);
		t->bp[i].told_waits = false;
	}
	t->nbps = f->nbps;
	memcpy(t->past, f->past, f->npast * sizeof(f->past[0]));
	t->npast = f->npast;
	t->space.on = f->space.on;
	t->space.root = f->space.root;
	f->nbps = 0; // and nobody destroys what has moved
	if (from->target->gone)
		bps_forget(from);
	else
		bps_clear(from);
	pwatch_adopt(to, from);
	catches_adopt(to, from);
	checkpoints_adopt(to, from);
	checkpoint_sites_adopt(to, from);
	return 0;
}
