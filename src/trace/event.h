/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef TRACE_EVENT_H
#define TRACE_EVENT_H

#include <stdbool.h>

#include "trace/ring.h"

/* A tracepoint that is counted somewhere, and the ring with its samples. */
struct trace_event {
	int fd; /* -1: none */
	struct trace_ring ring;
};

struct trace_event_cfg {
	uint64_t id;        /* of the tracepoint */
	const char *filter; /* NULL: none */
	int tid, cpu;       /* -1: all; not both */
	size_t ring_size;
	bool once; /* one sample, for which poll(2) wakes; then none until trace_event_rearm() */
};

/**
 * trace_event_open() - samples come from now on.
 * Returns: 0; -ENODEV: that processor is off; -ESRCH: no such thread; -EPERM, -EACCES; -EMFILE; what perf_event_open(2)
 * and mmap(2) return.
 */
int trace_event_open(const struct trace_event_cfg *cfg, struct trace_event *ret);
void trace_event_close(struct trace_event *e);

/** trace_event_rearm() - one more sample, of an event with `once` whose sample has been taken. */
void trace_event_rearm(struct trace_event *e);

/** trace_event_lost() - how many samples did not fit into the ring, ever. 0 also where the kernel cannot tell. */
uint64_t trace_event_lost(const struct trace_event *e);

#endif
