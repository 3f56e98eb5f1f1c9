/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef TRACE_TRACE_H
#define TRACE_TRACE_H

#include <sys/types.h>

#include "checkpoint/checkpoint.h"
#include "util/errtext.h"
#include "util/loop.h"

/*
 * What the guest of a running VMM writes to I/O ports, seen from outside: by the host kernel's tracepoint kvm:kvm_pio.
 * The VMM is not touched. An event of each processor of the host is used, so that threads that the VMM starts later are
 * there from their first write; what other VMMs write is left out here.
 */
struct trace;

enum { TRACE_PORTS_MAX = 8 };

struct trace_cfg {
	pid_t pid; /* of the VMM */
	uint16_t port[TRACE_PORTS_MAX];
	unsigned nports; /* at least 1 */
	struct loop *loop;
	/* A record without its number, in order of time; LOST where some are missing. */
	void (*add)(void *arg, const struct checkpoint_record *rec);
	void (*ended)(void *arg); /* the VMM is gone, and all that its guest wrote was told */
	void *arg;
};

struct trace_stats {
	uint64_t writes, lost; /* lost: by any guest of the host */
};

/**
 * trace_open() - begin. Records come when the loop runs.
 * Returns: 0; -ESRCH: there is no such process; -EINVAL: it is a thread; -EACCES: rights are missing; -ENOENT: tracefs
 * or KVM are; -EMFILE, -ENOMEM and what else the system calls return; @why says what to do.
 */
int trace_open(const struct trace_cfg *cfg, struct trace **ret, struct errtext *why);

/** trace_close() - tell what is left, and end. NULL ok: all zero. */
struct trace_stats trace_close(struct trace *t);

/** trace_process_text() - "PID (NAME)", and how many vCPUs it has as far as that can be seen. */
void trace_process_text(pid_t pid, struct errtext *out);

#endif
