/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef TRACE_MERGE_H
#define TRACE_MERGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What several rings hold, brought into one order: by time, and of the same time as it came. */
struct trace_item {
	uint64_t ns;
	uint64_t lost; /* 0: a write; else nothing but ns is of use */
	uint64_t came; /* trace_merge_add() counts */
	uint32_t value, count;
	int tid;
	uint16_t port;
	uint8_t size;
};

/* Start from all zero. */
struct trace_merge {
	struct trace_item *item;
	size_t n, cap, sorted; /* the first `sorted` are in order */
	uint64_t came, last_ns, dropped;
};

void trace_merge_deinit(struct trace_merge *m);

/** trace_merge_add() - one more. Without memory for it, it is dropped and counted. */
void trace_merge_add(struct trace_merge *m, const struct trace_item *item);

/**
 * trace_merge_take() - hand over, in order, what is not later than @until. Later calls never go back in time: an item
 * that came too late has the time of the one before it.
 * @take: false keeps the item, and all that come after it, for the next call.
 */
void trace_merge_take(struct trace_merge *m, uint64_t until, bool (*take)(void *arg, const struct trace_item *item),
		      void *arg);

#endif
