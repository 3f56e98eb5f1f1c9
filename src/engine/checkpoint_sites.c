/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Where the guest's own image writes checkpoints: listed, and stopped at by debug registers, which need no page. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "checkpoint/scan.h"
#include "engine/internal.h"
#include "util/errtext.h"
#include "util/macros.h"

void checkpoint_sites_deinit(struct engine *e)
{
	checkpoint_scan_destroy(e->sites);
}

void checkpoint_sites_adopt(struct engine *to, struct engine *from)
{
	checkpoint_scan_destroy(to->sites);
	to->sites = take_ptr(from->sites);
}

/* The name that the maps have for this place goes before what the value is called. */
static void add_name(const struct engine *e, const struct checkpoint_site *site, struct strbuf *out)
{
	const struct checkpoint_name *here = NULL;

	if (e->seen.names)
		here = checkpoint_names_find(e->seen.names, CHECKPOINT_NAME_SITE, site->at);

	if (here)
		strbuf_adds(out, here->name);
	else
		checkpoint_site_name_add(out, site, e->seen.names);
}

void checkpoint_site_digest(struct engine *e, struct stop_event *ev)
{
	_cleanup_(strbuf_deinit) struct strbuf name = { 0 };
	enum bp_place place;

	if ((ev->why != STOP_HWBREAK && ev->why != STOP_STEP) || !bps_site_at(e, ev->pc, &place))
		return;
	if (bps_client_at(e, ev->pc) || (ev->why == STOP_STEP && place != BP_LISTED))
		return;
	ev->why = STOP_CHECKPOINT;
	for (size_t i = 0; e->sites && i < e->sites->nsites; i++) {
		if (e->sites->site[i].at != ev->pc.raw)
			continue;
		add_name(e, &e->sites->site[i], &name);
		snprintf(ev->text, sizeof(ev->text),
			 "checkpoint site 0x%" PRIx64 ": 0x%02x %.80s, vCPU %u, before it is written", ev->pc.raw,
			 e->sites->site[i].value, strbuf_str(&name), ev->vcpu);
	}
}

/* ---- monitor checkpoint sites ---- */

static int look_for(struct engine *e, struct strbuf *out)
{
	struct errtext why = { "" };
	int rc;

	if (e->sites)
		return 0;
	rc = e->seen.scan ? e->seen.scan(e->seen.scan_arg, &e->sites, &why) : -ENOTSUP;
	if (rc == -ENOTSUP && !why.text[0])
		strbuf_adds(
			out,
			"it is not known what this guest was started with: gdbvm checkpoints scan FILE lists sites\n");
	else if (rc < 0)
		strbuf_addf(out, "%s\n", why.text);
	return rc;
}

static const char *place_text(const struct engine *e, const struct checkpoint_site *site)
{
	enum bp_place place;

	if (!bps_site_at(e, GVA(site->at), &place))
		return "";
	return place == BP_LISTED ? "  stops" : "  waits for a debug register";
}

static void add_list(const struct engine *e, struct strbuf *out)
{
	if (!e->sites->nsites)
		strbuf_adds(out, "no checkpoints of port 0x80: not instrumented, or compressed\n");
	for (size_t i = 0; i < e->sites->nsites; i++) {
		const struct checkpoint_site *site = &e->sites->site[i];

		strbuf_addf(out, "0x%016" PRIx64 "  0x%02x  ", site->at, site->value);
		add_name(e, site, out);
		if (site->phys != site->at)
			strbuf_addf(out, "  (physical 0x%" PRIx64 ")", site->phys);
		strbuf_addf(out, "%s\n", place_text(e, site));
	}
}

/* As many as there is room for; the others are named. */
static void stop_at_all(struct engine *e, struct strbuf *out)
{
	size_t left = 0;
	int rc = 0;

	for (size_t i = 0; i < e->sites->nsites && rc >= 0; i++) {
		rc = bps_site_add(e, GVA(e->sites->site[i].at));
		left += rc == -ENOSPC;
		rc = rc == -ENOSPC ? 0 : rc;
	}
	if (rc == -ENOTSUP)
		strbuf_adds(out, "this guest has no hardware breakpoints\n");
	else if (rc < 0)
		strbuf_addf(out, "the sites cannot be stopped at: %s\n", strerror(-rc));
	if (left)
		strbuf_addf(out, "no debug register is left for %zu of them\n", left);
}

void monitor_checkpoint_sites(struct monitor_ctx *ctx, const char *args, struct strbuf *out)
{
	const bool on = strcmp(args, "on") == 0, off = strcmp(args, "off") == 0;
	struct engine *e = ctx->engine;
	int rc;

	if (*args && !on && !off) {
		strbuf_addf(out, "'%s': expected on or off\n", args);
		return;
	}
	if (*args && e->run.running) {
		strbuf_adds(out, "the guest is running: stop it first\n");
		return;
	}
	if (look_for(e, out) < 0)
		return;
	if (on)
		stop_at_all(e, out);
	rc = off ? bps_sites_remove(e) : 0;
	if (rc < 0)
		strbuf_addf(out, "the sites still stop: %s\n", strerror(-rc));
	add_list(e, out);
}
