/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "engine/bps.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define LOG_ROOM LOG_ENGINE
#include "util/log.h"
#include "util/macros.h"

/*
 * Sites: our instructions in the guest's memory. Each belongs to a guest-physical place, found through the page tables
 * in force when its breakpoint was inserted; it is taken out there whatever the page tables say later.
 */

struct bp_site *site_find(struct bp_table *t, gpa at)
{
	for (unsigned i = 0; i < t->nsites; i++)
		if (t->site[i].at.raw == at.raw)
			return &t->site[i];
	return NULL;
}

bool site_is_wanted(const struct engine *e, gpa at)
{
	for (unsigned i = 0; i < e->bps.nbps; i++)
		if (e->bps.bp[i].place == BP_MEMORY && e->bps.bp[i].where.raw == at.raw)
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

/* The instruction goes in, also where the guest has overwritten it; what it covers is what the guest has there now. */
int site_put_in(struct engine *e, struct bp_site *s)
{
	const struct arch *arch = e->target->arch;
	uint8_t now[sizeof(s->saved)];
	int rc = mem_raw_read(e, s->at, now, arch->bp_len);

	if (rc == 0 && s->in && is_our_insn(e, now))
		return 0;
	if (rc == 0)
		rc = code_poke(e, s->at, arch->bp_insn, now);
	if (rc < 0)
		return rc;
	memcpy(s->saved, now, arch->bp_len);
	s->in = true;
	return 0;
}

/* The guest's bytes come back, unless the guest itself has written over our instruction. */
int site_take_out(struct engine *e, struct bp_site *s)
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

/* Is our instruction still there? @part: of which @n bytes were read already, all of it or a part. */
static bool is_there(struct engine *e, const struct bp_site *s, const uint8_t *part, size_t n)
{
	uint8_t now[sizeof(s->saved)];

	if (n == e->target->arch->bp_len)
		return is_our_insn(e, part);
	return mem_raw_read(e, s->at, now, e->target->arch->bp_len) == 0 && is_our_insn(e, now);
}

/* Put the guest's own bytes over our instructions in @buf, which was read at @at. */
static void overlay(struct engine *e, gpa at, uint8_t *buf, size_t len)
{
	for (unsigned i = 0; i < e->bps.nsites; i++) {
		const struct bp_site *s = &e->bps.site[i];
		size_t si, bi, n = s->in ? site_overlap(e, s, at, len, &si, &bi) : 0;

		// What the guest wrote over our instruction since is what it sees
		if (n && is_there(e, s, buf + bi, n))
			memcpy(buf + bi, s->saved + si, n);
	}
}

/*
 * Before a part of an instruction of ours is written: where the guest has overwritten it since, it goes in again, so
 * that what is saved is what the guest has there.
 */
static int renew(struct engine *e, gpa at, size_t len)
{
	int rc = 0;

	for (unsigned i = 0; i < e->bps.nsites && rc == 0; i++) {
		struct bp_site *s = &e->bps.site[i];
		size_t si, bi, n = s->in ? site_overlap(e, s, at, len, &si, &bi) : 0;

		if (n && n < e->target->arch->bp_len)
			rc = site_put_in(e, s);
	}
	return rc;
}

/* Put our instructions into @buf, which is to be written at @at. */
static void underlay(struct engine *e, gpa at, uint8_t *buf, size_t len)
{
	for (unsigned i = 0; i < e->bps.nsites; i++) {
		const struct bp_site *s = &e->bps.site[i];
		size_t si, bi, n = s->in ? site_overlap(e, s, at, len, &si, &bi) : 0;

		if (n)
			memcpy(buf + bi, e->target->arch->bp_insn + si, n);
	}
}

/* @buf (the guest's view) was written at @at: remember it under our instructions. */
static void keep(struct engine *e, gpa at, const uint8_t *buf, size_t len)
{
	for (unsigned i = 0; i < e->bps.nsites; i++) {
		struct bp_site *s = &e->bps.site[i];
		size_t si, bi, n = s->in ? site_overlap(e, s, at, len, &si, &bi) : 0;

		if (n)
			memcpy(s->saved + si, buf + bi, n);
	}
}

int bps_read(struct engine *e, gpa at, void *buf, size_t len, size_t *done)
{
	int rc;

	pthread_mutex_lock(&e->bps.lock);
	rc = guard_read(&e->guard, at, buf, len, done);
	if (rc == 0)
		overlay(e, at, buf, *done);
	pthread_mutex_unlock(&e->bps.lock);
	return rc;
}

int bps_write(struct engine *e, gpa at, const void *buf, size_t len, size_t *done)
{
	_cleanup_(freep) uint8_t *patched = malloc(len);
	int rc;

	*done = 0;
	if (!patched)
		return -ENOMEM;
	memcpy(patched, buf, len);
	pthread_mutex_lock(&e->bps.lock);
	rc = renew(e, at, len);
	underlay(e, at, patched, len);
	if (rc == 0)
		rc = guard_write(&e->guard, at, patched, len, done);
	if (rc == 0)
		keep(e, at, buf, *done);
	pthread_mutex_unlock(&e->bps.lock);
	return rc;
}

int site_insert(struct engine *e, gpa at)
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

int site_remove(struct engine *e, gpa at)
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

int site_at_pc(struct engine *e, unsigned vcpu, gva pc, struct bp_site **ret)
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

int site_lift(struct engine *e, struct bp_site *s)
{
	int rc;

	pthread_mutex_lock(&e->bps.lock);
	rc = site_take_out(e, s);
	e->bps.sites_stale = true;
	pthread_mutex_unlock(&e->bps.lock);
	return rc;
}

int sites_sync(struct engine *e)
{
	struct bp_table *t = &e->bps;
	int first = 0;

	pthread_mutex_lock(&t->lock);
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
	t->sites_stale = first < 0;
	pthread_mutex_unlock(&t->lock);
	return first;
}
