/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "guard/guard.h"

static int plain_read(struct guard *g, gpa at, void *buf, size_t len, size_t *done)
{
	return target_mem_read(g->target, at, buf, len, done);
}

static int plain_write(struct guard *g, gpa at, const void *buf, size_t len, size_t *done)
{
	return target_mem_write(g->target, at, buf, len, done);
}

static const struct guard_ops plain_ops = { "plain", plain_read, plain_write };

void guard_plain_init(struct guard *g, struct target *t)
{
	*g = (struct guard){ .ops = &plain_ops, .target = t };
}

int guard_read(struct guard *g, gpa at, void *buf, size_t len, size_t *done)
{
	return g->ops->read(g, at, buf, len, done);
}

int guard_write(struct guard *g, gpa at, const void *buf, size_t len, size_t *done)
{
	return g->ops->write(g, at, buf, len, done);
}
