/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef TRACE_RING_H
#define TRACE_RING_H

#include <linux/perf_event.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * The buffer that the kernel writes the samples of one event to: its reading end. The kernel's records carry what
 * TRACE_RING_SAMPLES asks for.
 */
#define TRACE_RING_SAMPLES (PERF_SAMPLE_TID | PERF_SAMPLE_TIME | PERF_SAMPLE_RAW)

enum { TRACE_RAW_MAX = 256 };

struct trace_ring {
	struct perf_event_mmap_page *page; /* NULL: not mapped */
	size_t size;                       /* of the data: a power of two */
	uint64_t last_ns;
};

struct trace_sample {
	uint64_t ns;   /* never before that of the sample before it in the same ring */
	uint64_t lost; /* 0: a sample; else that many were lost before this moment, and there is nothing below */
	int pid, tid;
	size_t n;
	uint8_t raw[TRACE_RAW_MAX] __attribute__((aligned(8))); /* the fields of the tracepoint */
};

/** trace_ring_map() - map the buffer of @size bytes (a power of two, whole pages) of a perf event. */
int trace_ring_map(struct trace_ring *r, int fd, size_t size);
void trace_ring_unmap(struct trace_ring *r); /* not mapped: fine */

/** trace_ring_next() - take one sample, or the tale of lost ones; other records are skipped. False: there is none. */
bool trace_ring_next(struct trace_ring *r, struct trace_sample *ret);

/** trace_ring_drop() - all that is there. Returns: there was something. */
bool trace_ring_drop(struct trace_ring *r);

#endif
