/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "engine/bps.h"

#include <string.h>

#include "util/macros.h"

/* Is this breakpoint instruction ours? Asked on the thread of the vCPU that hit it. */

#define INSN_MAX 15 /* bytes of one instruction */

static enum target_verdict bps_filter(void *arg, unsigned vcpu, gva pc)
{
	struct engine *e = arg;
	const struct arch *arch = e->target->arch;
	enum target_verdict verdict = TARGET_REPORT;
	struct arch_regs r = { 0 };
	uint8_t now[INSN_MAX];
	const struct bp_site *s;
	struct mmu_xlat x;
	uint64_t off;
	size_t n;
	gpa at;

	// What cannot be looked up is shown to a person rather than given to the guest
	if (target_regs_read_on_vcpu(e->target, vcpu, ARCH_SYS, &r) < 0 || !(r.have & ARCH_SYS) ||
	    arch->walk(&r, mem_table_read, e, pc, &x) < 0 || !x.mapped)
		return TARGET_REPORT;
	off = pc.raw - x.start.raw;
	at = GPA(x.phys.raw + off);
	n = MIN(x.size - off, sizeof(now));
	pthread_mutex_lock(&e->bps.lock);
	s = site_find(&e->bps, at);
	if ((!s || !s->in) && guard_read(&e->guard, at, now, n, &n) == 0)
		verdict = arch->is_bp(now, n) ? TARGET_REINJECT : TARGET_AGAIN;
	pthread_mutex_unlock(&e->bps.lock);
	return verdict;
}

void bps_filter_choose(struct engine *e)
{
	target_filter_set(e->target, e->bps.nsites ? bps_filter : NULL, e);
}
