/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stdlib.h>

#include "agent/agent.h"
#include "server/internal.h"
#include "server/packets.h"
#include "util/macros.h"

/* Breakpoints: Z and z. The index is the type on the wire. */
static const struct {
	enum engine_bp_kind kind;
	bool conditional; /* may have conditions and commands */
} bp_types[] = {
	{ ENGINE_SWBP, true },     { ENGINE_HWBP, true },     { ENGINE_WATCH_W, false },
	{ ENGINE_WATCH_R, false }, { ENGINE_WATCH_A, false },
};

static int bp_kind(const struct session *s, const struct rsp_req *r, enum engine_bp_kind *ret)
{
	if (r->bp.type >= ARRAY_LEN(bp_types) || !engine_bp_supported(s->e, bp_types[r->bp.type].kind))
		return -ENOTSUP;
	*ret = bp_types[r->bp.type].kind;
	return 0;
}

static void opts_destroyp(struct engine_bp_opts **o)
{
	engine_bp_opts_destroy(*o);
}

/* Verify @n codes. *@count grows with the list, so that what is there is freed whatever happens. */
static int compile(const struct rsp_code *codes, unsigned n, struct agent_expr ***list, unsigned *count)
{
	int rc = 0;

	*list = calloc(n, sizeof(**list));
	if (n && !*list)
		return -ENOMEM;
	for (unsigned i = 0; rc == 0 && i < n; i++) {
		rc = agent_expr_create(codes[i].code, codes[i].n, &(*list)[i]);
		*count += rc == 0;
	}
	return rc;
}

/* *@ret: NULL for a breakpoint without conditions and commands. */
static int bp_opts(struct session *s, const struct rsp_req *r, struct engine_bp_opts **ret)
{
	_cleanup_(opts_destroyp) struct engine_bp_opts *o = NULL;
	int rc;

	*ret = NULL;
	if (!r->bp.nconds && !r->bp.ncmds)
		return 0;
	if (!bp_types[r->bp.type].conditional)
		return -EINVAL;
	o = calloc(1, sizeof(*o));
	if (!o)
		return -ENOMEM;
	rc = session_layout(s, &o->layout);
	if (rc == 0)
		rc = compile(r->bp.cond, r->bp.nconds, &o->cond, &o->nconds);
	if (rc == 0)
		rc = compile(r->bp.cmd, r->bp.ncmds, &o->cmd, &o->ncmds);
	if (rc == 0)
		*ret = take_ptr(o);
	return rc;
}

int h_break_insert(struct session *s, const struct rsp_req *r, struct rsp_out *out)
{
	struct engine_bp_opts *opts;
	enum engine_bp_kind kind;
	int rc = bp_kind(s, r, &kind);

	if (rc == 0)
		rc = bp_opts(s, r, &opts);
	if (rc == 0)
		rc = engine_bp_insert(s->e, session_vcpu_g(s), kind, GVA(r->bp.at), r->bp.kind, opts);
	if (rc == 0)
		rsp_out_ok(out);
	return rc;
}

int h_break_remove(struct session *s, const struct rsp_req *r, struct rsp_out *out)
{
	enum engine_bp_kind kind;
	int rc = bp_kind(s, r, &kind);

	if (rc == 0 && (r->bp.nconds || r->bp.ncmds))
		rc = -EINVAL;
	if (rc == 0)
		rc = engine_bp_remove(s->e, kind, GVA(r->bp.at), r->bp.kind);
	if (rc == 0)
		rsp_out_ok(out);
	return rc;
}
