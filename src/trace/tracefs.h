/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef TRACE_TRACEFS_H
#define TRACE_TRACEFS_H

#include "trace/format.h"
#include "util/errtext.h"

/* The tracepoint of a guest's port I/O, and the one that tells which vCPU a thread runs. */
struct trace_points {
	uint64_t pio, entry; /* numbers; entry is 0 if the kernel has none */
	struct trace_field rw, port, size, count, val, vcpu;
};

/**
 * trace_points_read() - ask the kernel through tracefs, where it is mounted.
 * Returns: 0; -EACCES; -ENOENT: tracefs, KVM or the tracepoint are not there; -EPROTO: the kernel's answer makes no
 * sense.
 * @why says what to do.
 */
int trace_points_read(struct trace_points *ret, struct errtext *why);

#endif
