/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef ENGINE_ENGINE_H
#define ENGINE_ENGINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "target/target.h"
#include "util/strbuf.h"

/*
 * The debug engine: breakpoints, stepping, stop reasons, the virtual view of memory, monitor commands. One per
 * guest, all calls on the server thread (the breakpoint table alone is also read by vCPU threads, under its own
 * lock). Knows nothing of packets.
 *
 * Breakpoints belong to the client: engine_detach() takes out all of them and lets the guest run.
 */
struct engine;

/** engine_create() - @t must outlive the engine. Returns 0, -ENOMEM. */
int engine_create(struct target *t, struct engine **ret);
void engine_destroy(struct engine *e); /* NULL ok; stops the guest and takes all breakpoints out first */
struct target *engine_target(struct engine *e);

/* ---- registers: fetched once per stop, written back once before resume ---- */

/**
 * engine_regs() - the cached register file with at least @groups in it (where the target has them).
 * Returns: 0 and *ret valid until the next resume; -EINVAL, -EBUSY, -ENODEV as target_regs_read().
 */
int engine_regs(struct engine *e, unsigned vcpu, uint32_t groups, struct arch_regs **ret);

/**
 * engine_regs_flush() - write dirty groups of one vCPU to the target now, so that a refused value is reported to
 * the packet that set it. The next read shows what the guest really has.
 */
int engine_regs_flush(struct engine *e, unsigned vcpu);

/* ---- memory ---- */
enum engine_space { ENGINE_VIRT, ENGINE_PHYS };

/**
 * engine_mem_read() - read what the guest would see: never our breakpoint bytes.
 * @at: a gva's raw value translated with @vcpu's page tables, or a gpa's for ENGINE_PHYS.
 * Shape:   crosses pages and regions; stops at the first byte that is not there.
 * @done:   bytes read (short is success).
 * Returns: 0 when at least one byte was read or len is 0; -EFAULT: first byte not there; -EINVAL: range wraps;
 *          -EBUSY: running and ENGINE_VIRT (physical reads work any time).
 */
int engine_mem_read(struct engine *e, unsigned vcpu, enum engine_space sp, uint64_t at, void *buf, size_t len,
		    size_t *done);

/** engine_mem_write() - all or nothing up to the first hole; under a breakpoint the saved byte is changed. */
int engine_mem_write(struct engine *e, unsigned vcpu, enum engine_space sp, uint64_t at, const void *buf, size_t len,
		     size_t *done);

/** engine_translate() - one walk for @at in the mode @vcpu is in; see struct mmu_xlat. */
int engine_translate(struct engine *e, unsigned vcpu, gva at, struct mmu_xlat *out);

/**
 * engine_mem_search() - first place of @pat in [@at, @at + @len).
 * Returns: 1 and *found; 0: not there; -EFAULT: part of the range could not be read before it was found.
 */
int engine_mem_search(struct engine *e, unsigned vcpu, enum engine_space sp, uint64_t at, uint64_t len, const void *pat,
		      size_t pat_len, uint64_t *found);

/** engine_mem_crc() - GDB's qCRC: CRC-32, polynomial 0x04c11db7, start 0xffffffff, msb first. -EFAULT. */
int engine_mem_crc(struct engine *e, unsigned vcpu, enum engine_space sp, uint64_t at, uint64_t len, uint32_t *crc);

/* ---- breakpoints ---- */
enum engine_bp_kind { ENGINE_SWBP, ENGINE_HWBP, ENGINE_WATCH_W, ENGINE_WATCH_R, ENGINE_WATCH_A };

struct agent_expr;

/*
 * Conditions and commands, as GDB sends them with a breakpoint. At a hit the conditions are evaluated: the hit counts
 * if any is not 0, or if there are none. One that cannot be evaluated counts, and the stop's text says why. If there
 * are commands they are run then, and the guest goes on without a stop; what they print goes to engine_text_take().
 * They end with the breakpoint, whatever GDB's persist flag says: a guest without a client has no breakpoints.
 */
struct engine_bp_opts {
	const struct arch_layout *layout; /* numbers the registers in the expressions */
	struct agent_expr **cond, **cmd;
	unsigned nconds, ncmds;
};
void engine_bp_opts_destroy(struct engine_bp_opts *o); /* with the expressions in it; NULL ok */

/**
 * engine_bp_insert() - idempotent: the same kind, address and length again only replaces conditions and commands.
 * @vcpu: whose page tables resolve the address (software breakpoints are kept by guest-physical place). Where no page
 * is mapped a debug register is taken until there is one.
 * @opts: NULL: none. From malloc(), as its arrays; the engine's from here on, also after an error.
 * Needs:   stopped.
 * Returns: 0; -EFAULT: address not mapped, and no debug register left; -ENOTSUP: kind not available; -EINVAL: length
 *          or alignment; -ENOSPC: no debug register left. On failure nothing has changed.
 */
int engine_bp_insert(struct engine *e, unsigned vcpu, enum engine_bp_kind kind, gva at, uint64_t len,
		     struct engine_bp_opts *opts);

/** engine_bp_remove() - 0 also when there is none (GDB removes twice). Taken out where it was put in. */
int engine_bp_remove(struct engine *e, enum engine_bp_kind kind, gva at, uint64_t len);

/** engine_bp_supported() - what the target can do; software breakpoints always (patched memory). */
bool engine_bp_supported(struct engine *e, enum engine_bp_kind kind);

/** engine_bp_count() - breakpoints of all kinds now known. */
unsigned engine_bp_count(const struct engine *e);

/* ---- watches on guest-physical memory: any length, whatever virtual address is used ---- */

/** engine_pwatch_supported() - can this target watch physical memory? */
bool engine_pwatch_supported(const struct engine *e);

/**
 * engine_pwatch_add() - stop with STOP_PWATCH when [@at, @at + @len) changes. Idempotent.
 * Returns: 0; -EBUSY: running; -EFAULT: not RAM; -EINVAL, -ENOSPC, -ENOTSUP; on failure nothing has changed.
 */
int engine_pwatch_add(struct engine *e, gpa at, uint64_t len);

/** engine_pwatch_remove() - the watches that start at *@at; NULL: all. Returns: 0; -ENOENT: none there; -EBUSY. */
int engine_pwatch_remove(struct engine *e, const gpa *at);

/** engine_pwatch_list() - what is watched: *@n ranges, valid until the next change. */
const struct target_pwatch *engine_pwatch_list(const struct engine *e, unsigned *n);

/* ---- text ---- */

/**
 * engine_text_fd() - readable while there is text for the person: what breakpoints' commands have printed. Of text
 * that nobody takes the engine keeps so much, and then says how much was dropped.
 */
int engine_text_fd(struct engine *e);

/** engine_text_take() - move the text to the end of @out. Any time. */
void engine_text_take(struct engine *e, struct strbuf *out);

/**
 * engine_adopt() - move what the client has set (breakpoints with their counts, the filter of address spaces, watches
 * on physical memory, what it catches) from the engine of a guest that was reset to that of the guest that takes its
 * place, where it all goes in at the next resume. What finds no place then waits for one, and a text says so, as it
 * does of watches that the new guest refuses.
 * @to: stopped, without breakpoints. @from: stopped or gone; its guest has no breakpoints afterwards.
 * Returns: 0; -EBUSY: one of them runs, or @to has breakpoints; -ENOMEM. On failure nothing has changed.
 */
int engine_adopt(struct engine *to, struct engine *from);

/* ---- running ---- */

/**
 * engine_resume() - run by @plan. Steps a vCPU over a breakpoint at its pc first, with the others held.
 * Returns: 0; -EBUSY, -ENODEV, -ENOTSUP as target_resume(); the guest stays stopped on error.
 */
int engine_resume(struct engine *e, const struct resume_plan *plan);

/** engine_interrupt() - see target_interrupt(). Also ends a step-over that is under way. */
int engine_interrupt(struct engine *e);

/** engine_running() - true from engine_resume() until engine_next_stop() gave a stop. */
bool engine_running(const struct engine *e);

/** engine_event_fd() - readable when engine_next_stop() has work to do. */
int engine_event_fd(struct engine *e);

/** engine_run_all() - resume every vCPU. Returns: as engine_resume(). */
int engine_run_all(struct engine *e);

/**
 * engine_next_stop() - digest target events: finishes step-overs, drops stale breakpoints.
 * Returns: 0 and @out, a stop the client must see; -EAGAIN: nothing (yet; may have resumed the target again).
 */
int engine_next_stop(struct engine *e, struct stop_event *out);

/** engine_stop_now() - interrupt and wait until stopped (at once if it is). @out: why it stopped. Blocks. */
int engine_stop_now(struct engine *e, struct stop_event *out);

/**
 * engine_detach() - the client is gone: stop if running, remove every breakpoint, write registers back, run all.
 * What fails is tried once more. A breakpoint that cannot be removed even then is logged, and goes when it is hit.
 * Returns: 0; -ENODEV: the guest is gone; another errno: the target can be neither stopped nor resumed.
 */
int engine_detach(struct engine *e);

/**
 * engine_clear() - the client is gone, but the guest stays as it is, for the next one: all that engine_detach() removes
 * is removed.
 * Returns: 0; -EBUSY: running; -ENODEV: the guest is gone; the first error of the target, having tried all.
 */
int engine_clear(struct engine *e);

/* ---- checkpoints: what the guest writes to its debug ports ---- */

struct checkpoint_log;
struct checkpoint_names;
struct checkpoint_record;
struct checkpoint_recent;
struct checkpoint_scan;
struct errtext;

/* Where they are recorded, and what they are called. All of it outlives the engine. */
struct engine_checkpoints {
	struct checkpoint_log *log;           /* NULL: nowhere */
	struct checkpoint_recent *recent;     /* listens to it */
	const struct checkpoint_names *names; /* NULL: none */
	/* Look for sites in what the guest was started with. NULL: it is not known. */
	int (*scan)(void *arg, struct checkpoint_scan **ret, struct errtext *why);
	void *scan_arg;
};

/** engine_checkpoints_use() - @c is copied. Before the guest runs for the first time. */
void engine_checkpoints_use(struct engine *e, const struct engine_checkpoints *c);

/**
 * engine_checkpoint() - a record, with the number that the log gave it. On the thread of its vCPU, one call at a time,
 * in the order of the numbers.
 * Returns: is the guest to stop behind it, with STOP_CHECKPOINT?
 */
bool engine_checkpoint(struct engine *e, const struct checkpoint_record *rec);

/* ---- events that stop the guest for the client, or not: `monitor catch` ---- */

/** engine_catches() - is the client to see a stop of this kind? Without a catch an event that the guest can go on from
 *  never leaves the engine; what else happens then is the caller's: a reset, or the end. */
bool engine_catches(const struct engine *e, enum stop_why why);

/* ---- monitor commands ---- */

/** What a monitor command sees. phys_mode belongs to the session: `monitor phys on` flips it. */
struct monitor_ctx {
	struct engine *engine;
	unsigned vcpu;
	bool *phys_mode;
	/* Put the guest back to its first instruction, and tell in @out. The engine is another one then. NULL: cannot.
	 */
	void (*reset)(void *arg, struct strbuf *out);
	void *reset_arg;
};

/**
 * engine_monitor() - run one command line, e.g. "info registers". Text for the person is appended to @out.
 * Unknown commands say what exists. Returns 0 also for a wrong command (the text says so); -ENOMEM.
 */
int engine_monitor(struct monitor_ctx *ctx, const char *line, struct strbuf *out);

/** engine_describe_vcpu() - one line: mode, rip with symbolless context, code bytes at pc. For crash reports. */
void engine_describe_vcpu(struct engine *e, unsigned vcpu, struct strbuf *out);

/** engine_describe_regs() - the registers of @groups (enum arch_group bits) in columns, or why they cannot be read. */
void engine_describe_regs(struct engine *e, unsigned vcpu, uint32_t groups, struct strbuf *out);

#endif
