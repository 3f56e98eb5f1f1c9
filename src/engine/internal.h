/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef ENGINE_INTERNAL_H
#define ENGINE_INTERNAL_H

#include <pthread.h>

#include "checkpoint/stops.h"
#include "engine/engine.h"
#include "guard/guard.h"

enum bp_place {
	BP_WAITS,  /* nowhere: its page is not there, and no debug register is free */
	BP_MEMORY, /* an instruction of ours, at its site */
	BP_LISTED, /* in the target's list: a debug register, or a breakpoint that the target makes itself */
};

/* What the client asked for. */
struct bp {
	enum engine_bp_kind kind;
	gva at;
	uint64_t len;
	unsigned vcpu; /* whose page tables say where it is */
	enum bp_place place;
	gpa where; /* BP_MEMORY: its site, for good */
	struct engine_bp_opts *opts;
	bool site;       /* ours: where a checkpoint is written, not what the client asked for */
	bool told_waits; /* the person was told that it waits */

	/* counted and set by the threads of the vCPUs, atomically */
	uint64_t hits;  /* conditions that are false, and filtered ones, too */
	uint64_t stops; /* hits that were to stop the guest */
	int fault;      /* why a condition could not be evaluated, until that was told; negative errno, 0: none */
};

/* What is left of a breakpoint that the client has taken out: GDB does that with all of them at each stop. */
struct bp_past {
	enum engine_bp_kind kind;
	gva at;
	uint64_t len;
	enum bp_place place;
	gpa where;
	uint64_t hits, stops;
	bool conds, cmds, site;
};
enum { BP_PAST_MAX = 64 };

/* One patched place in guest memory. Several breakpoints (two mappings of one page) may share it. */
struct bp_site {
	gpa at;
	uint8_t saved[4]; /* the guest's own bytes, valid while `in` */
	bool in;          /* our instruction was written; false while a vCPU is stepped over it */
};

/*
 * Threads: bp[], space and judges change only while the guest is stopped, so vCPU threads read them without the lock.
 */
struct bp_table {
	pthread_mutex_t
		lock; /* site[], sites_stale: changed by the server thread and by vCPUs that pass a breakpoint */
	struct bp *bp;
	struct bp_site *site;
	unsigned nbps, nsites, bp_cap, site_cap;
	bool sites_stale, native_stale; /* the sites, the target's own list: not what the table says */
	struct {
		bool on;
		uint64_t root;
	} space;         /* monitor bp-filter: only hits in this address space count */
	uint32_t judges; /* bit per stop_why: hits that the target has us judge */
	struct bp_past past[BP_PAST_MAX];
	unsigned npast; /* oldest first */
};

struct text {
	pthread_mutex_t lock;
	struct strbuf buf;
	uint64_t dropped; /* bytes that did not fit since it was taken */
	bool waits;       /* there is something to take: written under the lock, read without it */
	int fd;
};

/* A checkpoint that stops its vCPU. */
struct checkpoint_hit {
	unsigned stop; /* number of what asks for that; 0: there is none */
	unsigned more; /* that the same string instruction has written */
	uint64_t pc;   /* of that instruction */
	char text[128];
};

struct engine_vcpu {
	struct arch_regs regs; /* have == 0 after every resume */
	uint32_t asked;        /* groups fetched since; the target may lack some of them */
	bool told;             /* this vCPU made a stop at told_pc that the client saw, and has not run since */
	gva told_pc;
	bool at_watch; /* and the stop was a watchpoint that traps before the access: it still stands before it */
	gva watch_at;
	gva from; /* pc when the plan began, or of a breakpoint to pass; only for vCPUs that step */

	/* its own thread's while it runs */
	gpa passes_at; /* the site that it passes */
	struct checkpoint_hit checkpoint;
};

struct engine_run {
	bool running;            /* as the client sees it */
	bool interrupted;        /* engine_interrupt() wants a stop, whatever comes first */
	int over;                /* vCPU that is alone being stepped over a breakpoint; -1: none */
	uint64_t over_todo;      /* bit per vCPU: to be stepped over the breakpoint at its pc before the plan runs */
	struct resume_plan plan; /* the client's */
	struct stop_event last;  /* what the client was told last */
};

struct pwatch_table {
	struct target_pwatch range[8];
	unsigned n;
};

struct engine {
	struct target *target;
	struct guard guard;
	struct bp_table bps;
	struct pwatch_table pwatch;
	struct text text;
	struct engine_run run;
	struct engine_checkpoints seen; /* where checkpoints are recorded */
	struct checkpoint_stops *stops; /* those that stop the guest; NULL: none. Changes only while it is stopped. */
	struct checkpoint_scan *sites;  /* NULL: nobody has looked for them */
	uint32_t catches;               /* bit per stop_why: the client is to see it */
	struct engine_vcpu vcpu[];      /* target->nvcpus */
};

/* ---- engine.c: the register cache, without the check whether the client may look ---- */
int vcpu_regs(struct engine *e, unsigned vcpu, uint32_t groups, struct arch_regs **ret);
int vcpu_pc(struct engine *e, unsigned vcpu, gva *ret);
int vcpus_flush(struct engine *e); /* what the client has changed goes to the guest */
void vcpus_drop(struct engine *e); /* and what is known of it is forgotten */

/* ---- memory.c ---- */
int mem_table_read(void *engine, gpa at, void *buf, size_t len); /* mmu_read_fn; any thread */
int mem_walk(struct engine *e, unsigned vcpu, gva at, struct mmu_xlat *out);
int mem_gva_to_gpa(struct engine *e, unsigned vcpu, gva at, gpa *ret); /* -EFAULT: not mapped */
int mem_raw_read(struct engine *e, gpa at, void *buf, size_t len);     /* all of it or -EFAULT; any thread */
int mem_raw_write(struct engine *e, gpa at, const void *buf, size_t len);

/* ---- the breakpoint table: breakpoints.c, bp_*.c ---- */
int bps_init(struct engine *e);
void bps_deinit(struct engine *e);

/**
 * bps_filter_choose() - have the target ask us about breakpoint instructions exactly while some of ours are in the
 * guest, so that otherwise the guest's own are not intercepted at all. To be called before each resume.
 */
void bps_filter_choose(struct engine *e);

/** bps_read() - as guard_read(), but with the guest's own bytes where our instructions are. Any thread. */
int bps_read(struct engine *e, gpa at, void *buf, size_t len, size_t *done);

/** bps_write() - as guard_write(), but under our instructions. @done: also after an error. */
int bps_write(struct engine *e, gpa at, const void *buf, size_t len, size_t *done);

/**
 * bps_exec_at() - is a breakpoint that stops execution at @pc in the table?
 * @why: in: the kind preferred if both are there; out: STOP_SWBREAK or STOP_HWBREAK when true, else untouched.
 */
bool bps_exec_at(struct engine *e, unsigned vcpu, gva pc, enum stop_why *why);

/* What a hit comes to. */
enum bp_hit {
	BP_NO_HIT, /* of a breakpoint in the table */
	BP_PASS,   /* not a stop: conditions are false, or commands were run */
	BP_STOP,
};

/** bps_judged() - has the filter seen and counted hits of this kind, on the thread of the vCPU? */
bool bps_judged(const struct engine *e, enum stop_why why);

/** bps_in_space() - is @vcpu in an address space in which hits count? */
bool bps_in_space(struct engine *e, unsigned vcpu);

/** bps_hit() - count and judge a hit that no filter has seen: @vcpu is about to execute what is at @pc. Stopped. */
enum bp_hit bps_hit(struct engine *e, unsigned vcpu, gva pc);

/** bps_watch_hit() - the same for the watchpoint with @at in it. */
enum bp_hit bps_watch_hit(struct engine *e, unsigned vcpu, gva at);

/** bps_fault_text() - if a condition at the place of this stop could not be evaluated, say so in ev->text. */
void bps_fault_text(struct engine *e, struct stop_event *ev);

/** bps_watch_at() - is there a watchpoint with @at in it? */
bool bps_watch_at(const struct engine *e, gva at);

/**
 * bps_lift() - take out whatever would stop @vcpu at @pc, until bps_arm(). On failure nothing has changed.
 * @watches: all watchpoints, too.
 */
int bps_lift(struct engine *e, unsigned vcpu, gva pc, bool watches);

/**
 * bps_arm() - put in whatever the table has and the guest has not, and take out what the table has no more.
 * Returns the first error, having tried all; what failed is tried again by the next call.
 */
int bps_arm(struct engine *e);

/**
 * bps_settle() - put what waits where it belongs now: a software breakpoint that has a debug register because its page
 * was not mapped moves into memory, one that waits gets a place. To be called with the guest stopped.
 * Returns: 0 also when some still wait; another error of the target, having tried all.
 */
int bps_settle(struct engine *e);

/** bps_refresh() - put in again what the guest has overwritten since. Returns as bps_arm(). */
int bps_refresh(struct engine *e);

/** bps_site_add() - stop before the instruction at @at, on behalf of nobody. Returns as engine_bp_insert(). */
int bps_site_add(struct engine *e, gva at);

/** bps_sites_remove() - all that bps_site_add() has added. Returns: 0; the first error of the target. */
int bps_sites_remove(struct engine *e);

/** bps_site_at() - is there one at @pc? @place: where it is. */
bool bps_site_at(const struct engine *e, gva pc, enum bp_place *place);

/** bps_client_at() - has the client asked for a stop before the instruction at @pc? */
bool bps_client_at(const struct engine *e, gva pc);

/** bps_clear() - empty the table and take everything out of the guest. Returns as bps_arm(). */
int bps_clear(struct engine *e);

/** bps_forget() - empty the table of a guest that is gone. */
void bps_forget(struct engine *e);

/* ---- pwatch.c ---- */
int pwatch_clear(struct engine *e);

/** pwatch_adopt() - what @from watches, @to watches from its next resume on; a text says if it cannot. Both stopped. */
void pwatch_adopt(struct engine *to, const struct engine *from);

/** pwatch_digest() - fill in the text of a hit. False: nobody watches that place any more. */
bool pwatch_digest(const struct engine *e, struct stop_event *ev);

/* ---- catch.c ---- */
void catches_init(struct engine *e);

/** catches_reset() - back to the defaults, for the next client. Stopped. */
void catches_reset(struct engine *e);

/** catches_adopt() - @to, a guest that was reset, stops for what @from did. Both stopped. */
void catches_adopt(struct engine *to, const struct engine *from);

/* ---- checkpoints.c ---- */

/** checkpoints_clear() - none stops the guest any more. Stopped, unless it is gone. */
void checkpoints_clear(struct engine *e);

/** checkpoints_adopt() - @to, a guest that was reset, stops at what @from did. Both stopped. */
void checkpoints_adopt(struct engine *to, struct engine *from);

/** checkpoint_digest() - fill in the text of a stop. False: nobody asks for it any more. */
bool checkpoint_digest(struct engine *e, struct stop_event *ev);

/* ---- checkpoint_sites.c ---- */
void checkpoint_sites_deinit(struct engine *e);
void checkpoint_sites_adopt(struct engine *to, struct engine *from);

/** checkpoint_site_digest() - a stop that only a site has made is one at a checkpoint. */
void checkpoint_site_digest(struct engine *e, struct stop_event *ev);

/* ---- text.c ---- */
int text_init(struct engine *e);
void text_deinit(struct engine *e);

/** text_add() - @s, all of it or nothing, for the person. Any thread. */
void text_add(struct engine *e, const char *s, size_t n);
void text_addf(struct engine *e, const char *fmt, ...) _printf_(2, 3);

/* ---- describe.c ---- */

/** reg_value() - register @num, of at most 64 bits, as a number. -ENODATA: cannot be read, -EINVAL: wider. */
int reg_value(const struct arch_layout *l, unsigned num, const struct arch_regs *r, uint64_t *ret);

/* ---- monitor commands: one function each; @args is the rest of the line, without blanks in front ---- */
typedef void monitor_fn(struct monitor_ctx *ctx, const char *args, struct strbuf *out);
monitor_fn monitor_registers, monitor_vcpus, monitor_mtree;                     /* monitor_info.c */
monitor_fn monitor_catch;                                                       /* catch.c */
monitor_fn monitor_pages, monitor_tlb, monitor_pt, monitor_s2pt, monitor_xp;    /* monitor_mem.c */
monitor_fn monitor_time, monitor_pic, monitor_irq, monitor_lapic, monitor_vgic; /* monitor_machine.c */
monitor_fn monitor_checkpoint_sites;                                            /* checkpoint_sites.c */
/* monitor_checkpoints.c */
monitor_fn monitor_checkpoint, monitor_checkpoint_break, monitor_checkpoint_delete, monitor_checkpoints;
monitor_fn monitor_pwatch;                         /* pwatch.c */
monitor_fn monitor_esr, monitor_hpfar, monitor_lr; /* monitor_arm64.c */
monitor_fn monitor_breakpoints, monitor_bp_filter; /* monitor_bps.c */

/**
 * monitor_number() - take the next word of *@args as a number, 0x hex or decimal; *@args moves behind it.
 * @what: what the number is for, e.g. "an address".
 * Returns: true; false with a sentence in @out that names the word and what was expected.
 */
bool monitor_number(const char **args, const char *what, struct strbuf *out, uint64_t *ret);

/**
 * monitor_vcpu() - @args is the number of a vCPU, or nothing: the selected one, for who cannot select (the console, and
 * LLDB, which names a thread with each packet of its own). False with a sentence in @out.
 */
bool monitor_vcpu(struct monitor_ctx *ctx, const char *args, struct strbuf *out, unsigned *ret);

/** monitor_end() - true when nothing is left in @args; false with a sentence in @out. */
bool monitor_end(const char *args, struct strbuf *out);

#endif
