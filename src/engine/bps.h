/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef ENGINE_BPS_H
#define ENGINE_BPS_H

#include "engine/internal.h"

/*
 * What the files of the breakpoint table share: breakpoints.c has the table, bp_place.c decides where each is,
 * bp_sites.c has our instructions in the guest's memory, bp_native.c the list for the target, bp_filter.c the answers
 * on the vCPUs' threads.
 */

static inline bool is_exec(enum engine_bp_kind kind)
{
	return kind == ENGINE_SWBP || kind == ENGINE_HWBP;
}

/* Is this kind an instruction of ours in the guest's memory? */
static inline bool is_patched(const struct engine *e, enum engine_bp_kind kind)
{
	return kind == ENGINE_SWBP && !target_has_break(e->target, TARGET_BREAK_SW);
}

/** array_room() - make room for one more element of @size bytes; the array may move. 0, -ENOMEM. */
int array_room(void **array, unsigned n, unsigned *cap, size_t size);

/** bp_past_of() - what there is to see of a breakpoint. */
struct bp_past bp_past_of(const struct bp *b);

/* ---- bp_judge.c ---- */

/* One hit, being judged. Set engine, vcpu and on_vcpu; the rest is 0. */
struct bp_judge {
	struct engine *engine;
	unsigned vcpu;
	bool on_vcpu;           /* on that vCPU's thread, in the filter; else on the server's, with the guest stopped */
	struct arch_regs *regs; /* on_vcpu: what was fetched */
	uint32_t asked;
	const struct arch_layout *layout; /* of the breakpoint whose expressions are evaluated */
};

/** bp_judge_listed() - the vCPU is about to execute what is at @pc: what the target's list has there is hit. */
enum bp_hit bp_judge_listed(struct bp_judge *j, gva pc);

/** bp_judge_site() - likewise what has the site at @at. */
enum bp_hit bp_judge_site(struct bp_judge *j, gva pc, gpa at);

/** bp_judge_walk() - where @at is for this vCPU, and how many bytes follow there in one piece. -EFAULT: nowhere. */
int bp_judge_walk(struct bp_judge *j, gva at, gpa *where, size_t *left);

/* ---- bp_place.c ---- */

/**
 * bp_put() - find a place for @b, which is in the table and waits.
 * Returns: 0; -EFAULT: its page is not there, or nothing that could be patched, and no debug register is free;
 * -ENOSPC, -EINVAL, -ENOTSUP: the target has no room for it or cannot do it; an error of the target. After an error
 * it still waits.
 */
int bp_put(struct engine *e, struct bp *b);

/** bp_take() - take @gone, which is not in the table any more, out of its place. */
int bp_take(struct engine *e, const struct bp *gone);

/* ---- bp_sites.c ---- */
struct bp_site *site_find(struct bp_table *t, gpa at);

/** site_is_wanted() - false for a site that outlived its last breakpoint because it could not be taken out. */
bool site_is_wanted(const struct engine *e, gpa at);

/** site_insert() - have our instruction at @at. On failure nothing has changed. */
int site_insert(struct engine *e, gpa at);

/** site_remove() - take out the site at @at if no breakpoint needs it. */
int site_remove(struct engine *e, gpa at);

/** site_at_pc() - *@ret: the site that @pc is at now, NULL if none. An error if @pc cannot be translated. */
int site_at_pc(struct engine *e, unsigned vcpu, gva pc, struct bp_site **ret);

/* Under the lock: our instruction goes in, the guest's bytes come back. 0, or what the memory says. */
int site_put_in(struct engine *e, struct bp_site *s);
int site_take_out(struct engine *e, struct bp_site *s);

/** site_lift() - take our instruction out of @s until the sites are synced. */
int site_lift(struct engine *e, struct bp_site *s);

/** sites_sync() - bring the sites to what the table says. The first error, having tried all. */
int sites_sync(struct engine *e);

/* ---- bp_native.c ---- */

/** native_slot() - has the target debug registers, in which a software breakpoint can be, too? */
bool native_slot(const struct engine *e);

/** native_has() - can the target place this kind? */
bool native_has(const struct engine *e, enum engine_bp_kind kind);

/* What the target's list is without for a while. */
struct bp_skip {
	gva exec;     /* what stops there */
	bool watches; /* all watchpoints */
};

/** native_set() - give the target the list that the table stands for; @skip: NULL: all of it. */
int native_set(struct engine *e, const struct bp_skip *skip);

#endif
