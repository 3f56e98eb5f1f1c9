/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "engine/bps.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define LOG_ROOM LOG_ENGINE
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
	free(e->bps.bp);
	free(e->bps.site);
}

static struct bp *bp_find(struct bp_table *t, enum engine_bp_kind kind, gva at, uint64_t len)
{
	for (unsigned i = 0; i < t->nbps; i++)
		if (t->bp[i].kind == kind && t->bp[i].at.raw == at.raw && t->bp[i].len == len)
			return &t->bp[i];
	return NULL;
}

int engine_bp_insert(struct engine *e, unsigned vcpu, enum engine_bp_kind kind, gva at, uint64_t len)
{
	struct bp b = { .kind = kind, .at = at, .len = len, .vcpu = vcpu };
	struct bp_table *t = &e->bps;
	int rc;

	if (e->run.running)
		return -EBUSY;
	if (e->target->gone)
		return -ENODEV;
	if (!engine_bp_supported(e, kind))
		return -ENOTSUP;
	if (vcpu >= e->target->nvcpus || (is_exec(kind) && len != e->target->arch->bp_len))
		return -EINVAL;
	if (bp_find(t, kind, at, len))
		return 0;
	rc = array_room((void **)&t->bp, t->nbps, &t->bp_cap, sizeof(b));
	if (rc < 0)
		return rc;
	t->bp[t->nbps++] = b;
	rc = bp_put(e, &t->bp[t->nbps - 1]);
	if (rc < 0)
		t->nbps--;
	return rc;
}

int engine_bp_remove(struct engine *e, enum engine_bp_kind kind, gva at, uint64_t len)
{
	struct bp_table *t = &e->bps;
	struct bp *b, gone;
	int rc;

	if (e->run.running)
		return -EBUSY;
	b = bp_find(t, kind, at, len);
	if (!b)
		return 0;
	gone = *b;
	*b = t->bp[--t->nbps];
	rc = bp_take(e, &gone);
	if (rc < 0) // still in the guest, so still in the table
		t->bp[t->nbps++] = gone;
	return rc;
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

bool bps_watch_at(const struct engine *e, gva at)
{
	for (unsigned i = 0; i < e->bps.nbps; i++) {
		const struct bp *b = &e->bps.bp[i];

		if (!is_exec(b->kind) && at.raw - b->at.raw < b->len)
			return true;
	}
	return false;
}

/* Is something in the target's own list that stops execution at @pc? */
static bool is_native_at(const struct engine *e, gva pc)
{
	return is_asked_at(e, ENGINE_HWBP, pc, BP_LISTED) || is_asked_at(e, ENGINE_SWBP, pc, BP_LISTED);
}

int bps_lift(struct engine *e, unsigned vcpu, gva pc)
{
	struct bp_table *t = &e->bps;
	struct bp_site *s;
	int rc = site_at_pc(e, vcpu, pc, &s); // not under the lock: it asks the vCPU's thread for registers

	if (rc < 0 && rc != -EFAULT) // a debug register also hits where no page is
		return rc;
	rc = 0;
	if (s)
		rc = site_lift(e, s);
	if (rc == 0 && is_native_at(e, pc)) {
		rc = native_set(e, &pc);
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

	if (t->sites_stale) {
		first = sites_sync(e);
		t->sites_stale = first < 0;
	}
	if (t->native_stale) {
		rc = native_set(e, NULL);
		t->native_stale = rc < 0;
		first = first ? first : rc;
	}
	if (first < 0)
		log_warn("breakpoints in the guest could not be brought up to date err=%d", first);
	return first;
}

int bps_refresh(struct engine *e)
{
	e->bps.sites_stale = e->bps.sites_stale || e->bps.nsites;
	return bps_arm(e);
}

int bps_clear(struct engine *e)
{
	e->bps.nbps = 0;
	e->bps.sites_stale = e->bps.native_stale = true;
	return bps_arm(e);
}

void bps_forget(struct engine *e)
{
	pthread_mutex_lock(&e->bps.lock);
	e->bps.nbps = e->bps.nsites = 0;
	e->bps.sites_stale = e->bps.native_stale = false;
	pthread_mutex_unlock(&e->bps.lock);
}
