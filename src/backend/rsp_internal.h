/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef BACKEND_RSP_INTERNAL_H
#define BACKEND_RSP_INTERNAL_H

#include <pthread.h>

#include "backend/rsp.h"
#include "backend/rsp_conn.h"
#include "backend/rsp_regs.h"

/*
 * Another debug server as a target, shared by the rsp*.c files. It is only stepped, run, read and written: what a stop
 * means, where breakpoints are and what GDB sees is decided above.
 *
 * One lock guards the connection. The server is told to run by a vCont packet and answers when it stops; between the
 * two (in_flight) nothing but a 0x03 may be sent. A range step and a stop that is none (digest_trap() in rsp_run.c)
 * send the next vCont from inside next_stop, so seen from outside, in_flight is the same as "the guest runs".
 */
struct rsp_target {
	struct target t;
	const struct backend_rsp_hooks *hooks; /* not NULL */
	void *arg;
	pthread_mutex_t lock;
	struct rsp_conn conn;
	struct rsp_regmap map;
	size_t packet_max; /* body bytes that the server takes */
	uint64_t tid[TARGET_MAX_VCPUS];
	unsigned hg; /* vCPU that Hg selected; TARGET_MAX_VCPUS: none */
	struct target_break *set;
	unsigned nset;
	struct resume_plan plan;
	bool in_flight, want_stop;
	bool phys;     /* the server is a QEMU: its addresses are physical if we say so */
	bool attached; /* the server is not ours: its guest lives on after us */
	struct strbuf
		before[TARGET_MAX_VCPUS]; /* the g reply of vCPUs that step, from before the step; empty: not known */
	bool repeated;                    /* this plan's step was sent once more */
	int epoll_fd;                     /* the event fd: the socket while in flight, and `kick` */
	int kick;             /* eventfd, readable while an event waits in `pending` that may be handed out */
	uint64_t pending_map; /* bit per vCPU: pending[] holds an event that was not handed out yet */
	struct stop_event pending[TARGET_MAX_VCPUS];
	int deliver; /* vCPU whose pending event next_stop gives; -1: none */
};

static inline struct rsp_target *rsp_of(struct target *t)
{
	return container_of(t, struct rsp_target, t);
}

/* Holds the lock until the end of the scope. */
#define WITH_RSP_LOCK(r)                                              \
	pthread_mutex_t *locked_ _cleanup_(rsp_unlockp) = &(r)->lock; \
	pthread_mutex_lock(locked_)
static inline void rsp_unlockp(pthread_mutex_t **m)
{
	pthread_mutex_unlock(*m);
}

/* One request, one reply. -EBUSY: in flight. Suffix _locked: the caller holds the lock. */
int rsp_ask_locked(struct rsp_target *r, const char *req, const uint8_t **body, size_t *n);
int rsp_command_locked(struct rsp_target *r, const char *req); /* whose reply is OK; -ENOTSUP: an empty one */

/** rsp_monitor_locked() - a line for the server's own monitor; its text is added to @out. -ENOTSUP, -EIO: it refuses.
 */
int rsp_monitor_locked(struct rsp_target *r, const char *line, struct strbuf *out);

/** rsp_monitor_use() - if the server is a QEMU with an x86 guest, take from its monitor what its packets lack. */
void rsp_monitor_use(struct rsp_target *r);

/**
 * rsp_wait_passed() - QEMU on arm64 executes one instruction more in a step over yield or wfe, and none in one over
 * wfi: if @vcpu is at one of these, and it is not trapped, move it behind. Returns: true: done, that was the step.
 */
bool rsp_wait_passed(struct rsp_target *r, unsigned vcpu);

/** rsp_let_go() - the server's guest runs on without us, with no breakpoint of ours. */
void rsp_let_go(struct rsp_target *r);

/** rsp_g_locked() - the registers of a stopped vCPU as the server writes them, in *@out instead of what was there. */
int rsp_g_locked(struct rsp_target *r, unsigned vcpu, struct strbuf *out);

/** rsp_select_locked() - have the server's next packets be about a vCPU. */
int rsp_select_locked(struct rsp_target *r, unsigned vcpu);

/** rsp_regs_locked() - what the g packet has of a stopped vCPU, and all of @groups. */
int rsp_regs_locked(struct rsp_target *r, unsigned vcpu, uint32_t groups, struct arch_regs *out);

/** rsp_pc_move_locked() - arm64: set the pc of a stopped vCPU. */
int rsp_pc_move_locked(struct rsp_target *r, unsigned vcpu, uint64_t pc);

/** rsp_pc_locked() - the linear pc of a stopped vCPU. */
int rsp_pc_locked(struct rsp_target *r, unsigned vcpu, gva *pc);

/** rsp_exec_break_at() - the breakpoint on instructions at @pc; NULL: none. */
const struct target_break *rsp_exec_break_at(struct rsp_target *r, gva pc);
bool rsp_has_exec_breaks(struct rsp_target *r); /* is there any? */

/* The ops, by file. */
int rsp_op_regs_read(struct target *t, unsigned vcpu, uint32_t groups, struct arch_regs *out);
int rsp_op_regs_write(struct target *t, unsigned vcpu, uint32_t groups, const struct arch_regs *want);
int rsp_op_mem_read(struct target *t, gpa at, void *buf, size_t len, size_t *done);
int rsp_op_mem_write(struct target *t, gpa at, const void *buf, size_t len, size_t *done);
int rsp_op_mem_map(struct target *t, const struct target_region **ret, unsigned *n);
int rsp_op_breaks_set(struct target *t, const struct target_break *set, unsigned n);
int rsp_op_resume(struct target *t, const struct resume_plan *plan);
int rsp_op_interrupt(struct target *t);
int rsp_op_next_stop(struct target *t, struct stop_event *out);

#endif
