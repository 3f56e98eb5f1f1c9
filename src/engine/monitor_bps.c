/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "engine/bps.h"

/* What a person can see and set of breakpoints, beside what the client does. */

static const char *const kind_text[] = {
	[ENGINE_SWBP] = "software",  [ENGINE_HWBP] = "hardware",  [ENGINE_WATCH_W] = "watch",
	[ENGINE_WATCH_R] = "rwatch", [ENGINE_WATCH_A] = "awatch",
};

static void add_place(const struct engine *e, enum engine_bp_kind kind, enum bp_place place, gpa where,
		      struct strbuf *out)
{
	switch (place) {
	case BP_MEMORY:
		strbuf_addf(out, "memory at %#" PRIx64, where.raw);
		break;
	case BP_LISTED:
		strbuf_adds(out, kind == ENGINE_SWBP && !is_patched(e, kind) ? "set by the target" : "debug register");
		break;
	default:
		strbuf_adds(out, "waits for its page or a debug register");
	}
}

/* @b: of one that is gone only what struct bp_past has. */
static void add_row(const struct engine *e, const struct bp_past *b, bool past, struct strbuf *out)
{
	char condition[32];

	snprintf(condition, sizeof(condition), "%s%s", b->conds ? "yes" : "no", b->cmds ? ", commands" : "");
	strbuf_addf(out, "%-8s  %#-18" PRIx64 "  %10" PRIu64 "  %10" PRIu64 "  %-13s  ",
		    b->site ? "site" : kind_text[b->kind], b->at.raw, b->hits, b->stops, condition);
	add_place(e, b->kind, b->place, b->where, out);
	strbuf_adds(out, past ? "; out now\n" : "\n");
}

static void add_space(const struct engine *e, struct strbuf *out)
{
	if (e->bps.space.on)
		strbuf_addf(out, "breakpoints and watchpoints count while %s is %#" PRIx64 "\n",
			    e->target->arch->space_name, e->bps.space.root);
}

void monitor_breakpoints(struct monitor_ctx *ctx, const char *args, struct strbuf *out)
{
	const struct engine *e = ctx->engine;
	const struct bp_table *t = &e->bps;

	if (!monitor_end(args, out))
		return;
	if (t->nbps + t->npast)
		strbuf_addf(out, "%-8s  %-18s  %10s  %10s  %-13s  %s\n", "kind", "address", "hits", "stops",
			    "condition", "place");
	else
		strbuf_adds(out, "no breakpoints\n");
	for (unsigned i = 0; i < t->nbps; i++) {
		const struct bp *b = &t->bp[i];
		struct bp_past row = bp_past_of(b);

		add_row(e, &row, false, out);
	}
	for (unsigned i = 0; i < t->npast; i++)
		add_row(e, &t->past[i], true, out);
	add_space(e, out);
}

/* The value behind the name of the register. False with a sentence. */
static bool filter_root(struct monitor_ctx *ctx, const char *args, struct strbuf *out, uint64_t *root)
{
	const struct arch *arch = ctx->engine->target->arch;
	struct arch_regs *r;
	int rc;

	if (strcmp(args, "current") != 0)
		return monitor_number(&args, "the root of an address space", out, root) && monitor_end(args, out);
	rc = engine_regs(ctx->engine, ctx->vcpu, arch->walk_groups, &r);
	if (rc < 0 || ~r->have & arch->walk_groups) {
		strbuf_addf(out, "%s of vCPU %u cannot be read\n", arch->space_name, ctx->vcpu);
		return false;
	}
	*root = arch->space(r);
	return true;
}

void monitor_bp_filter(struct monitor_ctx *ctx, const char *args, struct strbuf *out)
{
	struct engine *e = ctx->engine;
	const char *name = e->target->arch->space_name;
	size_t len = strlen(name);
	uint64_t root;

	if (*args && engine_running(e)) {
		strbuf_adds(out, "the guest runs: stop it first\n");
		return;
	}
	if (strcmp(args, "off") == 0) {
		e->bps.space.on = false;
	} else if (strncmp(args, name, len) == 0 && args[len] == ' ') {
		if (!filter_root(ctx, args + len + strspn(args + len, " \t"), out, &root))
			return;
		e->bps.space.on = true;
		e->bps.space.root = root;
	} else if (*args) {
		strbuf_addf(out, "'%s': expected %s VALUE, %s current or off\n", args, name, name);
		return;
	}
	if (e->bps.space.on)
		add_space(e, out);
	else
		strbuf_adds(out, "breakpoints count in every address space\n");
}
