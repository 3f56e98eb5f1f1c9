/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>

#include "server/internal.h"
#include "server/packets.h"
#include "util/macros.h"

/* Breakpoints: Z and z. The index is the type on the wire. */
static const enum engine_bp_kind bp_kinds[] = { ENGINE_SWBP, ENGINE_HWBP, ENGINE_WATCH_W, ENGINE_WATCH_R,
						ENGINE_WATCH_A };

/* Conditions and commands behind the kind are for stubs that announced them; ignoring one would stop too often. */
static int bp_kind(const struct session *s, const struct rsp_req *r, enum engine_bp_kind *ret)
{
	if (r->bp.type >= ARRAY_LEN(bp_kinds) || !engine_bp_supported(s->e, bp_kinds[r->bp.type]))
		return -ENOTSUP;
	if (r->bp.nconds || r->bp.ncmds)
		return -EINVAL;
	*ret = bp_kinds[r->bp.type];
	return 0;
}

int h_break_insert(struct session *s, const struct rsp_req *r, struct rsp_out *out)
{
	enum engine_bp_kind kind;
	int rc = bp_kind(s, r, &kind);

	if (rc == 0)
		rc = engine_bp_insert(s->e, session_vcpu_g(s), kind, GVA(r->bp.at), r->bp.kind, NULL);
	if (rc == 0)
		rsp_out_ok(out);
	return rc;
}

int h_break_remove(struct session *s, const struct rsp_req *r, struct rsp_out *out)
{
	enum engine_bp_kind kind;
	int rc = bp_kind(s, r, &kind);

	if (rc == 0)
		rc = engine_bp_remove(s->e, kind, GVA(r->bp.at), r->bp.kind);
	if (rc == 0)
		rsp_out_ok(out);
	return rc;
}
