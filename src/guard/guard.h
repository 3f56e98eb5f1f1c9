/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef GUARD_GUARD_H
#define GUARD_GUARD_H

#include "target/target.h"

/*
 * Who may read guest memory, and how. Every debug access goes through a guard: packets, monitor commands,
 * page-table walks. `plain` passes everything to the target; platforms that encrypt memory add an ops table.
 */
struct guard;
struct guard_ops {
	const char *name;
	int (*read)(struct guard *g, gpa at, void *buf, size_t len, size_t *done);
	int (*write)(struct guard *g, gpa at, const void *buf, size_t len, size_t *done);
};
struct guard {
	const struct guard_ops *ops;
	struct target *target;
};

/** guard_plain_init() - a guard for a guest with no memory encryption. @t must outlive @g. */
void guard_plain_init(struct guard *g, struct target *t);

/** guard_read(), guard_write() - as target_mem_read() and target_mem_write(), by the guard's policy. */
int guard_read(struct guard *g, gpa at, void *buf, size_t len, size_t *done);
int guard_write(struct guard *g, gpa at, const void *buf, size_t len, size_t *done);

#endif
