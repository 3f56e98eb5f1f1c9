/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef TRACE_PROCESS_H
#define TRACE_PROCESS_H

#include <sys/types.h>

#include "util/errtext.h"

/* What /proc and /sys say of a VMM and of the host. */

/** trace_process_threads() - call @each for every thread that the process has now. */
void trace_process_threads(pid_t pid, void (*each)(void *arg, int tid), void *arg);

/** trace_process_vcpu() - the vCPU that a thread of it runs, by the name of the thread; -1: that does not tell. */
int trace_process_vcpu(pid_t pid, int tid);

/** trace_name_vcpu() - likewise from the name alone: "CPU 1/KVM", "kvm-vcpu-1", "fc_vcpu 1". */
int trace_name_vcpu(const char *name);

/**
 * trace_processors() - the processors of the host that are on.
 * @online: malloc, @n numbers. Returns: 0; -EPROTO, -ENOMEM; what open(2) returns.
 */
int trace_processors(unsigned **online, unsigned *n);

/** trace_list_parse() - likewise from a text such as "0-3,8\n". */
int trace_list_parse(const char *text, unsigned **ret, unsigned *n);

#endif
