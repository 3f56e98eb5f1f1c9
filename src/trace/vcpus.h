/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef TRACE_VCPUS_H
#define TRACE_VCPUS_H

#include <stdbool.h>
#include <sys/types.h>

#include "trace/event.h"
#include "trace/tracefs.h"

/*
 * Which thread runs which vCPU. The kernel is asked: at its next entry into the guest, a thread leaves one sample with
 * the number that KVM knows the vCPU by. Until then, and where KVM emulates the guest, the name of the thread may tell.
 */
struct trace_thread {
	int tid, vcpu;            /* vcpu: -1: not known */
	uint64_t round;           /* of its first sample; 0: none yet */
	struct trace_event entry; /* its fd is -1 when there is nothing to wait for */
};

/* Start from all zero, but for pid. */
struct trace_vcpus {
	pid_t pid; /* of the VMM */
	struct trace_thread *thread;
	unsigned n, cap;
};

void trace_vcpus_deinit(struct trace_vcpus *v);

/**
 * trace_vcpus_find() - what is known of a thread; the kernel is asked if it is new.
 * @round: in which there is a sample of it; 0: there is none.
 * Returns: valid until the next call; NULL: no memory.
 */
const struct trace_thread *trace_vcpus_find(struct trace_vcpus *v, const struct trace_points *p, int tid,
					    uint64_t round);

/** trace_vcpus_update() - take the answers that have come. */
void trace_vcpus_update(struct trace_vcpus *v, const struct trace_points *p);

#endif
