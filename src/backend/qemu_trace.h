/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef BACKEND_QEMU_TRACE_H
#define BACKEND_QEMU_TRACE_H

#include "checkpoint/checkpoint.h"
#include "vmm/vm.h"

/*
 * The debug ports of a guest in QEMU. QEMU's tracing tells each write to a device in its log, which goes through a
 * pipe: a thread makes records out of the lines about our ports and puts what else is in the log where it would have
 * been. The pipe is read whatever the server thread is doing, for QEMU waits when it is full.
 */
struct qemu_trace;

/**
 * qemu_trace_create() - no records yet.
 * @cfg: its checkpoint is called on the thread, or on that of qemu_trace_sync().
 * @log_fd: where the rest of the log goes; must outlive the trace.
 * @theirs: on return, the pipe's end for QEMU.
 */
int qemu_trace_create(const struct vm_cfg *cfg, int log_fd, struct qemu_trace **ret, int *theirs);

/** qemu_trace_begin() - records from now on; what QEMU has written until now is left out. */
void qemu_trace_begin(struct qemu_trace *t);

/** qemu_trace_sync() - on return, what QEMU has written is told. NULL ok. */
void qemu_trace_sync(struct qemu_trace *t);

/** qemu_trace_end_line() - likewise, and the guest crashed or ended: what it last wrote to its debug console is a line.
 *  NULL ok. */
void qemu_trace_end_line(struct qemu_trace *t);

/** qemu_trace_destroy() - tell the rest; QEMU is gone. NULL ok. */
void qemu_trace_destroy(struct qemu_trace *t);

/* A line of the log about a write to a device. */
struct qemu_trace_write {
	uint64_t epoch_ns; /* 0: the line has no time */
	uint64_t addr, value, size;
	int vcpu;       /* -1: it was none */
	bool is_port80; /* the region that has the debug port of a PC */
};

/** qemu_trace_parse() - take apart @line of @n bytes. False: it is something else. */
bool qemu_trace_parse(const char *line, size_t n, struct qemu_trace_write *ret);

#endif
