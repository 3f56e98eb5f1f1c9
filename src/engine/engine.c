/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "engine/internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define LOG_ROOM LOG_ENGINE
#include "util/log.h"

int engine_create(struct target *t, struct engine **ret)
{
	struct engine *e = calloc(1, sizeof(*e) + t->nvcpus * sizeof(e->vcpu[0]));
	int rc;

	if (!e)
		return -ENOMEM;
	e->target = t;
	guard_plain_init(&e->guard, t);
	catches_init(e);
	e->run.over = -1;
	e->run.running = t->running;
	for (unsigned v = 0; v < t->nvcpus; v++)
		e->run.plan.vcpu[v].action = TARGET_RUN;
	rc = text_init(e);
	if (rc < 0) {
		free(e);
		return rc;
	}
	rc = bps_init(e);
	if (rc < 0) {
		text_deinit(e);
		free(e);
		return rc;
	}
	*ret = e;
	return 0;
}

void engine_destroy(struct engine *e)
{
	struct stop_event ev;

	if (!e)
		return;
	// A running vCPU may be asking our filter this very moment.
	if (e->run.running)
		engine_stop_now(e, &ev);
	if (!e->run.running && !e->target->gone) {
		pwatch_clear(e);
		bps_clear(e);
	}
	checkpoints_clear(e);
	checkpoint_sites_deinit(e);
	bps_deinit(e);
	text_deinit(e);
	free(e);
}

struct target *engine_target(struct engine *e)
{
	return e->target;
}

/* ---- the register cache ---- */

int vcpu_regs(struct engine *e, unsigned vcpu, uint32_t groups, struct arch_regs **ret)
{
	struct engine_vcpu *v;
	uint32_t missing;
	int rc;

	if (vcpu >= e->target->nvcpus)
		return -EINVAL;
	v = &e->vcpu[vcpu];
	missing = groups & ~v->asked;
	if (missing) {
		rc = target_regs_read(e->target, vcpu, missing, &v->regs);
		if (rc < 0)
			return rc;
		v->asked |= missing;
	}
	*ret = &v->regs;
	return 0;
}

int vcpu_pc(struct engine *e, unsigned vcpu, gva *ret)
{
	struct arch_regs *r;
	uint32_t groups = e->target->arch->pc_groups;
	int rc = vcpu_regs(e, vcpu, groups, &r);

	if (rc < 0)
		return rc;
	if (~r->have & groups)
		return -ENODATA;
	*ret = e->target->arch->pc_get(r);
	return 0;
}

static void vcpu_drop(struct engine_vcpu *v)
{
	v->regs.have = v->regs.dirty = 0;
	v->asked = 0;
}

void vcpus_drop(struct engine *e)
{
	for (unsigned v = 0; v < e->target->nvcpus; v++)
		vcpu_drop(&e->vcpu[v]);
}

static int vcpu_flush(struct engine *e, unsigned vcpu)
{
	struct engine_vcpu *v = &e->vcpu[vcpu];
	int rc;

	if (!v->regs.dirty)
		return 0;
	rc = target_regs_write(e->target, vcpu, v->regs.dirty, &v->regs);
	vcpu_drop(v); // the guest may have kept less than was written: a read shows what it has now
	return rc;
}

int vcpus_flush(struct engine *e)
{
	int first = 0;

	for (unsigned v = 0; v < e->target->nvcpus; v++) {
		int rc = vcpu_flush(e, v);

		if (rc < 0)
			log_warn("registers of vCPU %u could not be written: %s", v, strerror(-rc));
		first = first ? first : rc;
	}
	return first;
}

int engine_regs(struct engine *e, unsigned vcpu, uint32_t groups, struct arch_regs **ret)
{
	return e->run.running ? -EBUSY : vcpu_regs(e, vcpu, groups, ret);
}

int engine_regs_flush(struct engine *e, unsigned vcpu)
{
	if (vcpu >= e->target->nvcpus)
		return -EINVAL;
	return e->run.running ? -EBUSY : vcpu_flush(e, vcpu);
}
