/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "engine/bps.h"

#include <errno.h>
#include <inttypes.h>

#define LOG_ROOM LOG_ENGINE
#include "util/log.h"

/*
 * Where each breakpoint is. A software breakpoint belongs into memory. It takes a debug register while its page is not
 * mapped, and in a page of the kernel's that nothing can be executed from: there GDB puts the one at which a function
 * that it calls returns. It likes one when it is in ROM, whose bytes firmware copies and sums up, and when it has a
 * condition or commands: to pass a debug register needs no step with everyone else held. What the client asks a debug
 * register for goes first: software breakpoints that can be in memory make room for it.
 */

static int region_kind(struct engine *e, gpa at, enum target_mem_kind *ret)
{
	const struct target_region *map;
	unsigned n;
	int rc = target_mem_map(e->target, &map, &n);

	for (unsigned i = 0; rc == 0 && i < n; i++) {
		if (at.raw >= map[i].start.raw && at.raw - map[i].start.raw < map[i].size) {
			*ret = map[i].kind;
			return 0;
		}
	}
	return rc < 0 ? rc : -EFAULT;
}

enum memory { MEM_NEVER, MEM_NOT_YET, MEM_NO_EXEC, MEM_RAM, MEM_USER_DATA, MEM_ROM };

/*
 * Page-table isolation takes the right to execute from all of user space while the kernel runs: what is no code there
 * may be some, in the other tables.
 */
static enum memory ram_kind(const struct engine *e, const struct mmu_xlat *x)
{
	if (x->perm & MMU_X || !e->target->arch->hw_before_fetch)
		return MEM_RAM;
	return x->perm & MMU_U ? MEM_USER_DATA : MEM_NO_EXEC;
}

/* What is at the address of a software breakpoint? @where: where it is mapped. An error only of the target. */
static int memory_of(struct engine *e, const struct bp *b, gpa *where, enum memory *ret)
{
	enum target_mem_kind kind = TARGET_MMIO;
	struct mmu_xlat x;
	int rc = mem_walk(e, b->vcpu, b->at, &x);

	*ret = rc == 0 && x.why == MMU_NON_CANONICAL ? MEM_NEVER : MEM_NOT_YET;
	if (rc == 0 && x.mapped) {
		*where = GPA(x.phys.raw + (b->at.raw - x.start.raw));
		rc = region_kind(e, *where, &kind);
	}
	if (kind != TARGET_MMIO)
		*ret = kind == TARGET_ROM ? MEM_ROM : ram_kind(e, &x);
	return rc == -EFAULT ? 0 : rc;
}

static bool likes_register(const struct bp *b, enum memory mem)
{
	return mem > MEM_RAM || b->opts;
}

static int put_in_memory(struct engine *e, struct bp *b, gpa where)
{
	int rc = site_insert(e, where);

	if (rc == 0) {
		b->place = BP_MEMORY;
		b->where = where;
	}
	return rc;
}

static int put_in_list(struct engine *e, struct bp *b)
{
	int rc;

	b->place = BP_LISTED;
	rc = native_set(e, NULL);
	if (rc < 0)
		b->place = BP_WAITS;
	return rc;
}

/* Have the last site of a checkpoint leave its debug register: what the client asks for goes first. */
static bool site_makes_room(struct engine *e)
{
	for (unsigned i = e->bps.nbps; i-- > 0;) {
		if (!e->bps.bp[i].site || e->bps.bp[i].place != BP_LISTED)
			continue;
		e->bps.bp[i].place = BP_WAITS;
		return true;
	}
	return false;
}

/* Have one leave its debug register: a software breakpoint for memory, or a site for @b. False: none can. */
static bool make_room(struct engine *e, const struct bp *for_whom)
{
	for (unsigned i = 0; i < e->bps.nbps; i++) {
		struct bp *b = &e->bps.bp[i];
		enum memory mem;
		gpa where;

		if (b->place == BP_LISTED && is_patched(e, b->kind) && memory_of(e, b, &where, &mem) == 0 &&
		    mem >= MEM_RAM && put_in_memory(e, b, where) == 0)
			return true;
	}
	return !for_whom->site && site_makes_room(e);
}

/* The list, and if it is full, what others can do without. */
static int put_in_list_first(struct engine *e, struct bp *b)
{
	int rc = put_in_list(e, b);

	while (rc == -ENOSPC && make_room(e, b)) {
		rc = put_in_list(e, b);
		e->bps.native_stale |= rc < 0; // the target still has what made room
	}
	return rc;
}

static bool no_room(int rc)
{
	return rc == -ENOSPC || rc == -ENOTSUP;
}

static int put_software(struct engine *e, struct bp *b)
{
	enum memory mem;
	gpa where;
	int rc = memory_of(e, b, &where, &mem), slot = -ENOTSUP;

	if (rc < 0 || mem == MEM_NEVER)
		return rc < 0 ? rc : -EFAULT;
	if (native_slot(e) && mem < MEM_RAM)
		slot = put_in_list_first(e, b);
	else if (native_slot(e) && likes_register(b, mem))
		slot = put_in_list(e, b);
	if (slot == 0 || !no_room(slot))
		return slot;
	return mem < MEM_RAM ? -EFAULT : put_in_memory(e, b, where);
}

int bp_put(struct engine *e, struct bp *b)
{
	return is_patched(e, b->kind) ? put_software(e, b) : put_in_list_first(e, b);
}

int bp_take(struct engine *e, const struct bp *gone)
{
	switch (gone->place) {
	case BP_MEMORY:
		return site_remove(e, gone->where);
	case BP_LISTED:
		return native_set(e, NULL);
	default:
		return 0;
	}
}

/* Its page came, or is code now: out of the debug register, into memory. The list is brought up to date later. */
static int move_to_memory(struct engine *e, struct bp *b)
{
	enum memory mem;
	gpa where;
	int rc = memory_of(e, b, &where, &mem);

	if (rc == 0 && (mem < MEM_RAM || likes_register(b, mem)))
		return 0;
	if (rc == 0)
		rc = put_in_memory(e, b, where);
	if (rc == 0) {
		e->bps.native_stale = true;
		log_dbg("breakpoint moved into memory at=%#" PRIx64 " gpa=%#" PRIx64, b->at.raw, where.raw);
	}
	return rc;
}

/* It waits on, and the person is told so once. */
static void tell_waits(struct engine *e, struct bp *b)
{
	if (!b->told_waits)
		text_addf(e,
			  "gdbvm: the %s at %#" PRIx64 " waits: its page is not mapped, or there is no debug "
			  "register left for it\n",
			  b->site ? "checkpoint site" : "breakpoint", b->at.raw);
	b->told_waits = true;
}

static int put_those_that_wait(struct engine *e, bool software)
{
	int first = 0;

	for (unsigned i = 0; i < e->bps.nbps; i++) {
		struct bp *b = &e->bps.bp[i];
		int rc;

		if (b->place != BP_WAITS || is_patched(e, b->kind) != software)
			continue;
		rc = bp_put(e, b);
		if (rc == -EFAULT || no_room(rc))
			tell_waits(e, b);
		else
			first = first ? first : rc;
	}
	return first;
}

int bps_settle(struct engine *e)
{
	struct bp_table *t = &e->bps;
	int rc, first = 0;

	for (unsigned i = 0; i < t->nbps; i++) {
		if (t->bp[i].place == BP_LISTED && is_patched(e, t->bp[i].kind)) {
			rc = move_to_memory(e, &t->bp[i]);
			first = first ? first : rc;
		}
	}
	rc = bps_arm(e);
	first = first ? first : rc;
	if (rc < 0)
		return first;
	rc = put_those_that_wait(e, false);
	first = first ? first : rc;
	rc = put_those_that_wait(e, true);
	return first ? first : rc;
}
