/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "engine/bps.h"

#include <errno.h>
#include <stdlib.h>

#include "util/macros.h"

/* What the target places itself, debug registers above all: one declarative list. */

static const enum target_break_kind native_kind[] = {
	[ENGINE_SWBP] = TARGET_BREAK_SW,        [ENGINE_HWBP] = TARGET_BREAK_HW,
	[ENGINE_WATCH_W] = TARGET_WATCH_WRITE,  [ENGINE_WATCH_R] = TARGET_WATCH_READ,
	[ENGINE_WATCH_A] = TARGET_WATCH_ACCESS,
};

bool native_has(const struct engine *e, enum engine_bp_kind kind)
{
	return kind < ARRAY_LEN(native_kind) && target_has_break(e->target, native_kind[kind]);
}

int native_set(struct engine *e, const gva *skip)
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
