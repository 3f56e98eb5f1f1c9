/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "engine/bps.h"

#include <errno.h>

#include "util/macros.h"

/* Is this breakpoint instruction ours? Asked on the thread of the vCPU that hit it. */

#define INSN_MAX 15 /* bytes of one instruction */

/* Where @pc is in guest-physical memory, and how many bytes follow there in one piece. */
static int place_on_vcpu(struct engine *e, unsigned vcpu, gva pc, gpa *at, size_t *n)
{
	struct arch_regs r = { 0 };
	struct mmu_xlat x;
	uint64_t off;

	if (target_regs_read_on_vcpu(e->target, vcpu, ARCH_SYS, &r) < 0 || !(r.have & ARCH_SYS) ||
	    e->target->arch->walk(&r, mem_table_read, e, pc, &x) < 0 || !x.mapped)
		return -EFAULT;
	off = pc.raw - x.start.raw;
	*at = GPA(x.phys.raw + off);
	*n = x.size - off;
	return 0;
}

static enum target_verdict bps_judge(void *arg, unsigned vcpu, enum stop_why why, gva pc)
{
	struct engine *e = arg;
	enum target_verdict verdict = TARGET_REPORT;
	uint8_t now[INSN_MAX];
	const struct bp_site *s;
	size_t n;
	gpa at;

	// What cannot be looked up is shown to a person rather than given to the guest
	if (place_on_vcpu(e, vcpu, pc, &at, &n) < 0)
		return TARGET_REPORT;
	n = MIN(n, sizeof(now));
	pthread_mutex_lock(&e->bps.lock);
	s = site_find(&e->bps, at);
	if ((!s || !s->in) && guard_read(&e->guard, at, now, n, &n) == 0)
		verdict = e->target->arch->is_bp(now, n) ? TARGET_REINJECT : TARGET_AGAIN;
	pthread_mutex_unlock(&e->bps.lock);
	return verdict;
}

static int bps_patch(void *arg, unsigned vcpu, gva pc, bool in)
{
	struct engine *e = arg;
	struct bp_site *s;
	size_t n;
	gpa at;
	int rc = place_on_vcpu(e, vcpu, pc, &at, &n);

	if (rc < 0)
		return rc;
	pthread_mutex_lock(&e->bps.lock);
	s = site_find(&e->bps, at);
	if (s)
		rc = in ? site_put_in(e, s) : site_take_out(e, s);
	pthread_mutex_unlock(&e->bps.lock);
	return rc;
}

void bps_filter_choose(struct engine *e)
{
	const struct target_filter filter = { bps_judge, bps_patch, e, BIT(STOP_SWBREAK) };

	target_filter_set(e->target, e->bps.nsites ? &filter : NULL);
}
