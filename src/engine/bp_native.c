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

bool native_slot(const struct engine *e)
{
	return native_has(e, ENGINE_HWBP);
}

/* Two breakpoints that stop execution at one place take one debug register. */
static bool is_in(const struct target_break *set, unsigned n, const struct target_break *b)
{
	for (unsigned i = 0; i < n; i++)
		if (set[i].kind == TARGET_BREAK_HW && b->kind == TARGET_BREAK_HW && set[i].at.raw == b->at.raw)
			return true;
	return false;
}

static bool is_skipped(const struct bp *b, const struct bp_skip *skip)
{
	return skip && (is_exec(b->kind) ? b->at.raw == skip->exec.raw : skip->watches);
}

int native_set(struct engine *e, const struct bp_skip *skip)
{
	_cleanup_(freep) struct target_break *set = calloc(e->bps.nbps + 1, sizeof(*set));
	unsigned n = 0;

	if (!set)
		return -ENOMEM;
	for (unsigned i = 0; i < e->bps.nbps; i++) {
		const struct bp *b = &e->bps.bp[i];

		if (b->place != BP_LISTED || is_skipped(b, skip))
			continue;
		set[n] = (struct target_break){ native_kind[b->kind], b->at, is_exec(b->kind) ? 1 : b->len };
		if (is_patched(e, b->kind))
			set[n].kind = TARGET_BREAK_HW;
		n += !is_in(set, n, &set[n]);
	}
	return target_breaks_set(e->target, set, n);
}
