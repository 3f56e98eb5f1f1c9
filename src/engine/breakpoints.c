/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "engine/internal.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define LOG_ROOM LOG_ENGINE
#include "util/log.h"
#include "util/macros.h"

/*
 * The breakpoint table. A software breakpoint belongs to a guest-physical place (its site), found through the
 * page tables in force when it was inserted; it is taken out there whatever the page tables say later. All other
 * kinds, and software breakpoints of a target that places them itself, are one declarative list for the target.
 */

#define INSN_MAX 15 /* bytes of one instruction */

static const enum target_break_kind native_kind[] = {
	[ENGINE_SWBP] = TARGET_BREAK_SW,        [ENGINE_HWBP] = TARGET_BREAK_HW,
	[ENGINE_WATCH_W] = TARGET_WATCH_WRITE,  [ENGINE_WATCH_R] = TARGET_WATCH_READ,
	[ENGINE_WATCH_A] = TARGET_WATCH_ACCESS,
};

static bool is_patched(const struct engine *e, enum engine_bp_kind kind)
{
	return kind == ENGINE_SWBP && !target_has_break(e->target, TARGET_BREAK_SW);
}

static bool is_exec(enum engine_bp_kind kind)
{
	return kind == ENGINE_SWBP || kind == ENGINE_HWBP;
}

/* Room for one more element; the array may move. */
static int array_room(void **array, unsigned n, unsigned *cap, size_t size)
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

/* ---- sites ---- */

static struct bp_site *site_find(struct bp_table *t, gpa at)
{
	for (unsigned i = 0; i < t->nsites; i++)
		if (t->site[i].at.raw == at.raw)
			return &t->site[i];
	return NULL;
}

/* A site outlives its last breakpoint only when it could not be taken out: see bps_arm(). */
static bool site_is_wanted(const struct engine *e, gpa at)
{
	for (unsigned i = 0; i < e->bps.nbps; i++)
		if (is_patched(e, e->bps.bp[i].kind) && e->bps.bp[i].where.raw == at.raw)
			return true;
	return false;
}

static bool is_our_insn(const struct engine *e, const uint8_t *bytes)
{
	return memcmp(bytes, e->target->arch->bp_insn, e->target->arch->bp_len) == 0;
}

/* Write @to at @at for instruction fetch to see; on failure the memory has @from as before. */
static int code_poke(struct engine *e, gpa at, const uint8_t *to, const uint8_t *from)
{
	size_t len = e->target->arch->bp_len;
	int rc = mem_raw_write(e, at, to, len);

	if (rc == 0)
		rc = target_code_written(e->target, at, len);
	if (rc < 0)
		mem_raw_write(e, at, from, len);
	return rc;
}

/* The instruction goes in; what it covers is what the guest has there now. */
static int site_put_in(struct engine *e, struct bp_site *s)
{
	const struct arch *arch = e->target->arch;
	uint8_t now[sizeof(s->saved)];
	int rc;

	if (s->in)
		return 0;
	rc = mem_raw_read(e, s->at, now, arch->bp_len);
	if (rc == 0)
		rc = code_poke(e, s->at, arch->bp_insn, now);
	if (rc < 0)
		return rc;
	memcpy(s->saved, now, arch->bp_len);
	s->in = true;
	return 0;
}

/* The guest's bytes come back, unless the guest itself has written over our instruction. */
static int site_take_out(struct engine *e, struct bp_site *s)
{
	const struct arch *arch = e->target->arch;
	uint8_t now[sizeof(s->saved)];
	int rc;

	if (!s->in)
		return 0;
	rc = mem_raw_read(e, s->at, now, arch->bp_len);
	if (rc < 0)
		return rc;
	if (is_our_insn(e, now)) {
		rc = code_poke(e, s->at, s->saved, now);
		if (rc < 0)
			return rc;
	} else {
		log_dbg("breakpoint was overwritten by the guest gpa=%#" PRIx64, s->at.raw);
	}
	s->in = false;
	return 0;
}

/* Overlap of site @s with [@at, @at + @len): bytes from *si in the site, from *bi in the buffer; 0: none. */
static size_t site_overlap(const struct engine *e, const struct bp_site *s, gpa at, size_t len, size_t *si, size_t *bi)
{
	size_t n = e->target->arch->bp_len;

	if (s->at.raw >= at.raw) {
		*si = 0;
		*bi = s->at.raw - at.raw;
		return s->at.raw - at.raw < len ? MIN(n, len - *bi) : 0;
	}
	*si = at.raw - s->at.raw;
	*bi = 0;
	return *si < n ? MIN(n - *si, len) : 0;
}

void bps_overlay(struct engine *e, gpa at, uint8_t *buf, size_t len)
{
	const uint8_t *insn = e->target->arch->bp_insn;

	for (unsigned i = 0; i < e->bps.nsites; i++) {
		const struct bp_site *s = &e->bps.site[i];
		size_t si, bi, n = s->in ? site_overlap(e, s, at, len, &si, &bi) : 0;

		// What the guest wrote over our instruction since is what it sees
		if (n && memcmp(buf + bi, insn + si, n) == 0)
			memcpy(buf + bi, s->saved + si, n);
	}
}

void bps_underlay(struct engine *e, gpa at, uint8_t *buf, size_t len)
{
	for (unsigned i = 0; i < e->bps.nsites; i++) {
		const struct bp_site *s = &e->bps.site[i];
		size_t si, bi, n = s->in ? site_overlap(e, s, at, len, &si, &bi) : 0;

		if (n)
			memcpy(buf + bi, e->target->arch->bp_insn + si, n);
	}
}

void bps_keep(struct engine *e, gpa at, const uint8_t *buf, size_t len)
{
	for (unsigned i = 0; i < e->bps.nsites; i++) {
		struct bp_site *s = &e->bps.site[i];
		size_t si, bi, n = s->in ? site_overlap(e, s, at, len, &si, &bi) : 0;

		if (n)
			memcpy(s->saved + si, buf + bi, n);
	}
}

/* ---- the filter: is this breakpoint instruction ours? On the vCPU's thread. ---- */

static enum target_verdict bps_filter(void *arg, unsigned vcpu, gva pc)
{
	struct engine *e = arg;
	const struct arch *arch = e->target->arch;
	enum target_verdict verdict = TARGET_REPORT;
	struct arch_regs r = { 0 };
	uint8_t now[INSN_MAX];
	const struct bp_site *s;
	struct mmu_xlat x;
	uint64_t off;
	size_t n;
	gpa at;

	// What cannot be looked up is shown to a person rather than given to the guest
	if (target_regs_read_on_vcpu(e->target, vcpu, ARCH_SYS, &r) < 0 || !(r.have & ARCH_SYS) ||
	    arch->walk(&r, mem_table_read, e, pc, &x) < 0 || !x.mapped)
		return TARGET_REPORT;
	off = pc.raw - x.start.raw;
	at = GPA(x.phys.raw + off);
	n = MIN(x.size - off, sizeof(now));
	pthread_mutex_lock(&e->bps.lock);
	s = site_find(&e->bps, at);
	if ((!s || !s->in) && guard_read(&e->guard, at, now, n, &n) == 0)
		verdict = arch->is_bp(now, n) ? TARGET_REINJECT : TARGET_AGAIN;
	pthread_mutex_unlock(&e->bps.lock);
	return verdict;
}

int bps_init(struct engine *e)
{
	int rc = pthread_mutex_init(&e->bps.lock, NULL);

	if (rc)
		return -rc;
	return 0;
}

void bps_filter_choose(struct engine *e)
{
	target_filter_set(e->target, e->bps.nsites ? bps_filter : NULL, e);
}

void bps_deinit(struct engine *e)
{
	target_filter_set(e->target, NULL, NULL);
	pthread_mutex_destroy(&e->bps.lock);
	free(e->bps.bp);
	free(e->bps.site);
}

/* ---- the target's own list ---- */

/* Give the target the list that the table stands for; @skip: without what stops execution there, NULL: all. */
static int native_set(struct engine *e, const gva *skip)
{
	_cleanup_(freep) struct target_break *set = calloc(e->bps.nbps + 1, sizeof(*set));
	unsigned n = 0;

	if (!set)
		return -ENOMEM;
	for (unsigned i = 0; i < e->bps.nbps; i++) {
		const struct bp *b = &e->bps.bp[i];

		if (is_patched(e, b->kind) || (skip && is_exec(b->kind) && b->at.raw == skip->raw))
			continue;
		set[n++] = (struct target_break){ native_kind[b->kind], b->at, is_exec(b->kind) ? 1 : b->len };
	}
	return target_breaks_set(e->target, set, n);
}

/* ---- insert and remove ---- */

static struct bp *bp_find(struct bp_table *t, enum engine_bp_kind kind, gva at, uint64_t len)
{
	for (unsigned i = 0; i < t->nbps; i++)
		if (t->bp[i].kind == kind && t->bp[i].at.raw == at.raw && t->bp[i].len == len)
			return &t->bp[i];
	return NULL;
}

static int site_insert(struct engine *e, gpa at)
{
	struct bp_table *t = &e->bps;
	struct bp_site s = { .at = at };
	int rc = 0;

	if (site_find(t, at))
		return 0;
	pthread_mutex_lock(&t->lock);
	rc = array_room((void **)&t->site, t->nsites, &t->site_cap, sizeof(s));
	if (rc == 0)
		rc = site_put_in(e, &s);
	if (rc == 0)
		t->site[t->nsites++] = s;
	pthread_mutex_unlock(&t->lock);
	return rc;
}

/* Take out the site at @at if no breakpoint needs it. */
static int site_remove(struct engine *e, gpa at)
{
	struct bp_table *t = &e->bps;
	struct bp_site *s;
	int rc;

	if (site_is_wanted(e, at))
		return 0;
	pthread_mutex_lock(&t->lock);
	s = site_find(t, at);
	rc = site_take_out(e, s);
	if (rc == 0)
		*s = t->site[--t->nsites];
	pthread_mutex_unlock(&t->lock);
	return rc;
}

int engine_bp_insert(struct engine *e, unsigned vcpu, enum engine_bp_kind kind, gva at, uint64_t len)
{
	struct bp b = { .kind = kind, .at = at, .len = len };
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
	if (rc == 0 && is_patched(e, kind)) {
		rc = mem_gva_to_gpa(e, vcpu, at, &b.where);
		if (rc == 0)
			rc = site_insert(e, b.where);
		if (rc == 0)
			t->bp[t->nbps++] = b;
	} else if (rc == 0) {
		t->bp[t->nbps++] = b;
		rc = native_set(e, NULL);
		if (rc < 0)
			t->nbps--;
	}
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
	rc = is_patched(e, kind) ? site_remove(e, gone.where) : native_set(e, NULL);
	if (rc < 0) // still in the guest, so still in the table
		t->bp[t->nbps++] = gone;
	return rc;
}

bool engine_bp_supported(struct engine *e, enum engine_bp_kind kind)
{
	return kind == ENGINE_SWBP || (kind < ARRAY_LEN(native_kind) && target_has_break(e->target, native_kind[kind]));
}

unsigned engine_bp_count(const struct engine *e)
{
	return e->bps.nbps;
}

/* ---- what run.c needs ---- */

static bool is_asked_at(const struct engine *e, enum engine_bp_kind kind, gva pc)
{
	for (unsigned i = 0; i < e->bps.nbps; i++)
		if (e->bps.bp[i].kind == kind && e->bps.bp[i].at.raw == pc.raw)
			return true;
	return false;
}

/* *@ret: the site that @pc is at now, NULL if none. Returns an error if @pc cannot be translated. */
static int site_at_pc(struct engine *e, unsigned vcpu, gva pc, struct bp_site **ret)
{
	gpa at;
	int rc;

	*ret = NULL;
	if (!e->bps.nsites)
		return 0;
	rc = mem_gva_to_gpa(e, vcpu, pc, &at);
	if (rc == 0)
		*ret = site_find(&e->bps, at);
	return rc;
}

bool bps_exec_at(struct engine *e, unsigned vcpu, gva pc, enum stop_why *why)
{
	bool hw = is_asked_at(e, ENGINE_HWBP, pc), sw;
	struct bp_site *s;

	if (!is_patched(e, ENGINE_SWBP) || site_at_pc(e, vcpu, pc, &s) < 0)
		sw = is_asked_at(e, ENGINE_SWBP, pc);
	else
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
	return is_asked_at(e, ENGINE_HWBP, pc) || (!is_patched(e, ENGINE_SWBP) && is_asked_at(e, ENGINE_SWBP, pc));
}

int bps_lift(struct engine *e, unsigned vcpu, gva pc)
{
	struct bp_table *t = &e->bps;
	struct bp_site *s;
	int rc = site_at_pc(e, vcpu, pc, &s); // not under the lock: it asks the vCPU's thread for registers

	if (rc < 0 && rc != -EFAULT) // a debug register also hits where no page is
		return rc;
	rc = 0;
	if (s) {
		pthread_mutex_lock(&t->lock);
		rc = site_take_out(e, s);
		pthread_mutex_unlock(&t->lock);
		t->sites_stale = true;
	}
	if (rc == 0 && is_native_at(e, pc)) {
		rc = native_set(e, &pc);
		t->native_stale = rc == 0;
	}
	if (rc < 0)
		bps_arm(e);
	return rc;
}

/* Bring the sites to what the table says. Under the lock. */
static int sites_sync(struct engine *e)
{
	struct bp_table *t = &e->bps;
	int first = 0;

	for (unsigned i = 0; i < t->nsites;) {
		struct bp_site *s = &t->site[i];
		bool wanted = site_is_wanted(e, s->at);
		int rc = wanted ? site_put_in(e, s) : site_take_out(e, s);

		first = first ? first : rc;
		if (!wanted && rc == 0)
			*s = t->site[--t->nsites];
		else
			i++;
	}
	return first;
}

int bps_arm(struct engine *e)
{
	struct bp_table *t = &e->bps;
	int rc, first = 0;

	if (t->sites_stale) {
		pthread_mutex_lock(&t->lock);
		first = sites_sync(e);
		pthread_mutex_unlock(&t->lock);
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
