/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Watches on guest-physical memory: the client's list, and what is said of a hit. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "engine/internal.h"
#include "util/macros.h"

bool engine_pwatch_supported(const struct engine *e)
{
	return e->target->ops->pwatch_set != NULL;
}

/* The target gets the new list; ours follows when it took it. */
static int pwatch_use(struct engine *e, const struct pwatch_table *new)
{
	int rc = target_pwatch_set(e->target, new->range, new->n);

	if (rc == 0)
		e->pwatch = *new;
	else if (rc == -ENOMEM) // the target may have lost the former set
		target_pwatch_set(e->target, e->pwatch.range, e->pwatch.n);
	return rc;
}

int engine_pwatch_add(struct engine *e, gpa at, uint64_t len)
{
	struct pwatch_table new = e->pwatch;

	if (e->run.running)
		return -EBUSY;
	for (unsigned i = 0; i < new.n; i++)
		if (new.range[i].at.raw == at.raw &&new.range[i].len == len)
			return 0;
	if (new.n == ARRAY_LEN(new.range))
		return -ENOSPC;
	new.range[new.n++] = (struct target_pwatch){ at, len };
	return pwatch_use(e, &new);
}

int engine_pwatch_remove(struct engine *e, const gpa *at)
{
	struct pwatch_table new = { .n = 0 };

	if (e->run.running)
		return -EBUSY;
	for (unsigned i = 0; at && i < e->pwatch.n; i++)
		if (e->pwatch.range[i].at.raw != at->raw)
			new.range[new.n++] = e->pwatch.range[i];
	if (new.n == e->pwatch.n)
		return at ? -ENOENT : 0;
	return pwatch_use(e, &new);
}

const struct target_pwatch *engine_pwatch_list(const struct engine *e, unsigned *n)
{
	*n = e->pwatch.n;
	return e->pwatch.range;
}

int pwatch_clear(struct engine *e)
{
	return engine_pwatch_remove(e, NULL);
}

void pwatch_adopt(struct engine *to, const struct engine *from)
{
	int rc = from->pwatch.n ? pwatch_use(to, &from->pwatch) : 0;

	if (rc < 0)
		text_addf(to, "gdbvm: physical memory is not watched any more after the reset: %s\n", strerror(-rc));
}

bool pwatch_digest(const struct engine *e, struct stop_event *ev)
{
	const struct target_pwatch_hit *h = &ev->pwatch;
	bool wanted = false;

	for (unsigned i = 0; i < e->pwatch.n; i++) {
		const struct target_pwatch *w = &e->pwatch.range[i];

		wanted |= h->at.raw < w->at.raw + w->len && w->at.raw < h->at.raw + h->size;
	}
	if (!h->size || !wanted)
		return false;
	if (!ev->text[0])
		snprintf(ev->text, sizeof(ev->text),
			 "pwatch: %s %u wrote %u byte%s at %#" PRIx64 ": 0x%" PRIx64 " -> 0x%" PRIx64
			 ", from 0x%" PRIx64,
			 h->device ? "a device, for vCPU" : "vCPU", ev->vcpu, h->size, h->size == 1 ? "" : "s",
			 h->at.raw, h->old, h->new, h->from.raw);
	return true;
}

/* ---- monitor pwatch ---- */

static void pwatch_print(const struct engine *e, struct strbuf *out)
{
	if (!e->pwatch.n)
		strbuf_adds(out, "no physical memory is watched\n");
	for (unsigned i = 0; i < e->pwatch.n; i++)
		strbuf_addf(out, "watching %#" PRIx64 ", %" PRIu64 " byte%s\n", e->pwatch.range[i].at.raw,
			    e->pwatch.range[i].len, e->pwatch.range[i].len == 1 ? "" : "s");
}

static void pwatch_error(const struct engine *e, uint64_t at, uint64_t len, int err, struct strbuf *out)
{
	switch (err) {
	case -EFAULT:
		strbuf_addf(out, "%#" PRIx64 ", %" PRIu64 " bytes: not all of this is RAM (see info mtree)\n", at, len);
		break;
	case -EINVAL:
		strbuf_addf(out,
			    "%#" PRIx64 ", %" PRIu64 " bytes: expected a length above 0, inside the address space\n",
			    at, len);
		break;
	case -ENOSPC:
		strbuf_addf(out, "%u ranges are watched: no more are possible\n", e->pwatch.n);
		break;
	case -EBUSY:
		strbuf_adds(out, "the guest is running: stop it first\n");
		break;
	default:
		strbuf_addf(out, "%#" PRIx64 " cannot be watched: %s\n", at, strerror(-err));
	}
}

static void pwatch_off(struct engine *e, const char *args, struct strbuf *out)
{
	bool all = !*args;
	uint64_t at = 0;
	int rc;

	if (!all && (!monitor_number(&args, "an address", out, &at) || !monitor_end(args, out)))
		return;
	rc = engine_pwatch_remove(e, all ? NULL : &GPA(at));
	if (rc == -ENOENT)
		strbuf_addf(out, "%#" PRIx64 " is not watched\n", at);
	else if (rc < 0)
		pwatch_error(e, at, 0, rc, out);
	else
		pwatch_print(e, out);
}

void monitor_pwatch(struct monitor_ctx *ctx, const char *args, struct strbuf *out)
{
	struct engine *e = ctx->engine;
	uint64_t at, len;
	int rc;

	if (!engine_pwatch_supported(e)) {
		strbuf_adds(out, "this guest's memory cannot be watched: that takes KVM (--accel kvm)\n");
	} else if (!*args) {
		pwatch_print(e, out);
	} else if (strncmp(args, "off", 3) == 0 && strchr(" \t", args[3])) {
		pwatch_off(e, args + 3 + strspn(args + 3, " \t"), out);
	} else if (monitor_number(&args, "an address", out, &at) && monitor_number(&args, "a length", out, &len) &&
		   monitor_end(args, out)) {
		rc = engine_pwatch_add(e, GPA(at), len);
		if (rc < 0)
			pwatch_error(e, at, len, rc, out);
		else
			pwatch_print(e, out);
	}
}
