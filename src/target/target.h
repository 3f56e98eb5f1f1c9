/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef TARGET_TARGET_H
#define TARGET_TARGET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "arch/arch.h"
#include "util/addr.h"
#include "util/strbuf.h"

/*
 * The contract between the debug engine and a guest. A backend fills a const struct target_ops; the engine
 * calls only the checked wrappers below. vCPUs are numbered 0..nvcpus-1.
 *
 * Life: a target is stopped or running, as a whole. target_resume() makes it run; it is stopped again when
 * target_next_stop() has handed out an event (the backend halts every other vCPU before that). vCPUs held by
 * the plan never run meanwhile.
 */
#define TARGET_MAX_VCPUS 64

enum target_action {
	TARGET_HOLD,
	TARGET_RUN,
	TARGET_STEP,       /* one instruction, no interrupt taken */
	TARGET_STEP_RANGE, /* steps while lo <= pc < hi */
};

struct resume_plan {
	struct {
		enum target_action action;
		gva lo, hi;
	} vcpu[TARGET_MAX_VCPUS];
	/* next_stop is called right after resume: a stop that is there by then need not make event_fd readable */
	bool looks;
};

enum stop_why {
	STOP_INTERRUPT, /* target_interrupt() was called */
	STOP_STEP,      /* a step, or a range step, is done */
	STOP_SWBREAK,   /* breakpoint instruction; pc is its own address */
	STOP_HWBREAK,
	STOP_WATCH,          /* watch_kind, watch_at */
	STOP_PWATCH,         /* watched physical memory has changed: pwatch */
	STOP_PANIC,          /* the guest's kernel says that it panicked; text says which way. The guest can go on */
	STOP_CHECKPOINT,     /* the vCPU has just written to a debug port, and who heard of that wants it to stop there:
				target_checkpoint_catch() */
	STOP_VCPU_ON,        /* a vCPU got its start-up interrupt and is at its first instruction */
	STOP_POWER_OFF,      /* the guest switched itself off; readable until the next resume, which gives STOP_EXIT */
	STOP_RESET,          /* the guest asked for a reboot */
	STOP_TRIPLE_FAULT,   /* shutdown state */
	STOP_INTERNAL_ERROR, /* the hypervisor cannot go on; text says why */
	STOP_EXIT,           /* the guest is gone (its process died, or resume after a terminal stop): code; nothing
				can be read any more */
	STOP_NWHY,
};

/* A range of guest-physical RAM whose changes stop the guest. */
struct target_pwatch {
	gpa at;
	uint64_t len;
};

/* A change that was seen in one: the naturally aligned word, or what the range has of it, in which it begins. */
struct target_pwatch_hit {
	gpa at;
	unsigned size; /* 1..8; 0: none */
	uint64_t old, new;
	gva from;    /* the instruction */
	bool device; /* a device of the VMM has written, on behalf of the vCPU */
};

struct stop_event {
	unsigned vcpu;
	enum stop_why why;
	gva pc; /* linear */
	enum hw_kind watch_kind;
	gva watch_at;                    /* in the watchpoint asked for, as near to the access as the processor tells */
	struct target_pwatch_hit pwatch; /* STOP_PWATCH; or along with another reason of the same instruction */
	int code;                        /* STOP_EXIT: exit status, 0..255 */
	char text[160];                  /* a sentence for the person, "" if there is nothing to add */
};

/* A breakpoint that the backend itself places (a debug register, or another debugger's breakpoint). */
enum target_break_kind {
	TARGET_BREAK_SW,
	TARGET_BREAK_HW,
	TARGET_WATCH_WRITE,
	TARGET_WATCH_READ,
	TARGET_WATCH_ACCESS,
	TARGET_BREAK_NKINDS
};
struct target_break {
	enum target_break_kind kind;
	gva at;
	uint64_t len; /* bytes; 1 for BREAK_SW and BREAK_HW */
};

/* One range of guest-physical memory. */
enum target_mem_kind { TARGET_RAM, TARGET_ROM, TARGET_MMIO };
struct target_region {
	gpa start;
	uint64_t size;
	enum target_mem_kind kind;
	const char *name; /* lives as long as the target */
};

enum target_verdict {
	TARGET_REPORT,   /* ours: halt the guest, queue the event */
	TARGET_AGAIN,    /* stale (the breakpoint was just removed): run the vCPU on from pc */
	TARGET_REINJECT, /* the guest's own: deliver the exception to it; STOP_SWBREAK only, else as TARGET_REPORT */
	TARGET_SKIP,     /* ours, but it shall not stop now (its condition is false): run on, past the breakpoint */
};

/*
 * Asked on the vCPU's own thread when it hit a breakpoint, before anyone else is halted: is the stop real? The
 * functions must not block on anything a stopped guest holds, and must not call resume or next_stop.
 */
struct target_filter {
	/* @why: STOP_SWBREAK or STOP_HWBREAK. Several vCPUs may ask at once. */
	enum target_verdict (*judge)(void *arg, unsigned vcpu, enum stop_why why, gva pc);
	/*
	 * For TARGET_SKIP at a breakpoint instruction: take it out at @pc (@in is false) and put it back (true). No
	 * other vCPU executes in between. A negative errno from taking it out makes the stop a real one.
	 */
	int (*patch)(void *arg, unsigned vcpu, gva pc, bool in);
	void *arg;
	/*
	 * BIT(STOP_SWBREAK): int3 is intercepted and judged; without it int3 is the guest's own business.
	 * BIT(STOP_HWBREAK): hits of TARGET_BREAK_HW are judged; without it all are reported.
	 */
	uint32_t whys;
};

/* What `monitor info ...` shows of the interrupt controllers: text, in the backend's own words. */
enum target_info { TARGET_INFO_PIC, TARGET_INFO_IRQ, TARGET_INFO_LAPIC, TARGET_INFO_VGIC };

/* Does the guest's time stand still while it is stopped? */
enum target_time_mode { TARGET_TIME_KEEP /* as it is */, TARGET_TIME_FREEZE, TARGET_TIME_RUN };
struct target_time {
	enum target_time_mode mode; /* never KEEP */
	uint64_t held_ns;           /* how long the guest was stopped in total, this stop included */
	uint64_t clock_ns;          /* its clock: kvmclock; arm64: the virtual counter in units of time */
	uint64_t tsc;               /* of the vCPU asked for; arm64: CNTVCT_EL0 */
	bool have_clock, have_tsc;
};

struct target;
struct target_ops {
	const char *name;
	/* required; server thread, guest stopped, unless said otherwise */
	int (*regs_read)(struct target *t, unsigned vcpu, uint32_t groups, struct arch_regs *r);
	int (*regs_write)(struct target *t, unsigned vcpu, uint32_t groups, const struct arch_regs *r);
	int (*mem_read)(struct target *t, gpa at, void *buf, size_t len, size_t *done); /* any thread, any time */
	int (*mem_write)(struct target *t, gpa at, const void *buf, size_t len,
			 size_t *done);                                                  /* any thread, any time */
	int (*mem_map)(struct target *t, const struct target_region **ret, unsigned *n); /* ascending */
	int (*resume)(struct target *t, const struct resume_plan *plan);                 /* returns at once */
	int (*interrupt)(struct target *t);                                              /* any thread, any time */
	int (*next_stop)(struct target *t, struct stop_event *out);                      /* -EAGAIN: none yet */
	int (*event_fd)(struct target *t); /* readable when next_stop has something; any time */
	void (*destroy)(struct target *t);
	/* optional: NULL means that the guest cannot do it, and GDB is told so */
	int (*breaks_set)(struct target *t, const struct target_break *set, unsigned n);
	void (*filter_set)(struct target *t, const struct target_filter *f); /* @f is not NULL; whys may be 0 */
	int (*code_written)(struct target *t, gpa at, size_t len);
	int (*pwatch_set)(struct target *t, const struct target_pwatch *set, unsigned n);
	int (*kill)(struct target *t);
	bool (*vcpu_online)(struct target *t, unsigned vcpu);
	int (*vcpu_on_catch)(struct target *t, bool on);
	int (*checkpoint_catch)(struct target *t, bool on);
	void (*describe)(struct target *t, struct strbuf *out);
	int (*info)(struct target *t, enum target_info what, unsigned vcpu, struct strbuf *out);
	int (*time)(struct target *t, enum target_time_mode mode, unsigned vcpu, struct target_time *out);
};

/* Backends embed this as the first member of their own struct. */
struct target {
	const struct target_ops *ops;
	const struct arch *arch;
	unsigned nvcpus;
	struct arch_hw_max hw_max;        /* hardware breakpoints and watchpoints that breaks_set takes */
	uint32_t break_kinds;             /* bit per target_break_kind that breaks_set takes */
	uint32_t step_actions;            /* bit per target_action that resume takes */
	const struct arch_layout *layout; /* what clients are shown; NULL: by the mode of vCPU 0 when one comes */
	unsigned viewer;  /* vCPU for whom memory is accessed: each has a local APIC at the same address */
	bool running;     /* kept by the wrappers */
	bool mem_virtual; /* memory is addressed as `viewer` does, translated by whoever has it: there is nothing to
			     walk */
	bool gone;        /* STOP_EXIT was handed out */
};

/**
 * target_regs_read() - fetch register groups of a stopped vCPU.
 * @groups: enum arch_group bits. On return r->have has those that were read added; a group the backend cannot
 * read is simply not added. Single registers may be missing (x86_regs.msr_have, fp_absent).
 * Returns: 0; -EINVAL: no such vCPU; -EBUSY: running; -ENODEV: gone; other errno of the backend.
 */
int target_regs_read(struct target *t, unsigned vcpu, uint32_t groups, struct arch_regs *r);

/** target_regs_read_on_vcpu() - the same from inside the filter, on the thread of @vcpu, while the guest runs. */
int target_regs_read_on_vcpu(struct target *t, unsigned vcpu, uint32_t groups, struct arch_regs *r);

/** target_regs_write() - write groups back. Returns: as above; -EINVAL also when the kernel refuses a value. */
int target_regs_write(struct target *t, unsigned vcpu, uint32_t groups, const struct arch_regs *r);

/**
 * target_mem_read() - read guest-physical memory.
 * @done: bytes read; may be short (the range runs into a hole). Written also when an error is returned.
 * Returns: 0 when at least one byte was read or len is 0; -EFAULT: nothing there; -EINVAL: at + len wraps.
 */
int target_mem_read(struct target *t, gpa at, void *buf, size_t len, size_t *done);

/** target_mem_write() - likewise; ROM is written too (it is the debugger who asks). */
int target_mem_write(struct target *t, gpa at, const void *buf, size_t len, size_t *done);

/** target_mem_map() - what there is, by ascending address; lives as long as @t. Returns: 0; -ENODEV: gone. */
int target_mem_map(struct target *t, const struct target_region **ret, unsigned *n);

/**
 * target_resume() - let the guest run by @plan.
 * An event that was not handed out yet (several vCPUs stopped at once) is kept: if its vCPU is not held by
 * @plan, nothing runs and next_stop has it at once.
 * Returns: 0; -EBUSY: already running; -ENODEV: gone; -ENOTSUP: an action that step_actions lacks.
 */
int target_resume(struct target *t, const struct resume_plan *plan);

/** target_interrupt() - make a running guest stop with STOP_INTERRUPT (on vCPU 0), unless something else stops it
 *  first: exactly one event comes. On a stopped guest: 0, nothing happens. Any thread. */
int target_interrupt(struct target *t);

/** target_next_stop() - the next event; afterwards the target is stopped. Returns: 0; -EAGAIN: none yet. */
int target_next_stop(struct target *t, struct stop_event *out);

/** target_event_fd() - poll this for reading; do not read it. */
int target_event_fd(struct target *t);

/**
 * target_breaks_set() - these are all the breakpoints the backend shall have from the next resume on; what is
 * not in the list is removed. Idempotent.
 * Returns: 0; -EINVAL, -ENOTSUP, -ENOSPC as arch.hw_encode; on failure the former set stays.
 */
int target_breaks_set(struct target *t, const struct target_break *set, unsigned n);

/** target_has_break() - can the backend place this kind? */
bool target_has_break(const struct target *t, enum target_break_kind kind);

/** target_can() - can resume do this action on this guest? */
bool target_can(const struct target *t, enum target_action a);

/**
 * target_filter_set() - who judges breakpoint hits from the next resume on. @f is copied; NULL: nobody.
 * Returns: false if the target asks nobody, and reports every hit.
 */
bool target_filter_set(struct target *t, const struct target_filter *f);

/** target_code_written() - instructions were changed by the debugger: make them visible to fetch. 0 if not needed. */
int target_code_written(struct target *t, gpa at, size_t len);

/**
 * target_pwatch_set() - these are all the ranges to be watched from the next resume on. Idempotent. A write that
 * changes nothing is none; writes of the debugger's own do not count.
 * Returns: 0; -EFAULT: not RAM; -EINVAL: empty or wraps; -ENOSPC; -ENOTSUP; on failure the former set stays.
 */
int target_pwatch_set(struct target *t, const struct target_pwatch *set, unsigned n);

/** target_kill() - end the guest. STOP_EXIT follows at once or at the next resume. -ENOTSUP. */
int target_kill(struct target *t);

/** target_vcpu_online() - false while a vCPU waits for its start-up interrupt. True if the backend cannot tell. */
bool target_vcpu_online(struct target *t, unsigned vcpu);

/**
 * target_vcpu_on_catch() - stop with STOP_VCPU_ON when a vCPU that waits for its start-up interrupt gets it; off at
 * first. A vCPU that ran before and is started anew is not noticed.
 * Returns: 0; -EBUSY: running; -ENOTSUP: this guest cannot tell.
 */
int target_vcpu_on_catch(struct target *t, bool on);

/**
 * target_checkpoint_catch() - who is told of writes to debug ports may answer that the guest is to stop right behind
 * that instruction, with STOP_CHECKPOINT: have each told when it is made. Off at first.
 * Returns: 0; -EBUSY: running; -ENOTSUP: this guest cannot stop there.
 */
int target_checkpoint_catch(struct target *t, bool on);

/** target_describe() - one or more lines about the guest, for `monitor info vcpus` and logs. */
void target_describe(struct target *t, struct strbuf *out);

/**
 * target_info() - lines about interrupt controllers are added to @out.
 * @what:   one that the guest's architecture has: PIC and LAPIC are of x86, VGIC of arm64.
 * @vcpu:   TARGET_INFO_LAPIC: whose local APIC.
 * Returns: 0; -EBUSY: running; -ENOTSUP: this guest does not show them; other errno of the backend.
 */
int target_info(struct target *t, enum target_info what, unsigned vcpu, struct strbuf *out);

/**
 * target_time() - choose whether time stands still while the guest is stopped, this stop included, and see its time.
 * Returns: 0; -EBUSY: running; -ENOTSUP: nothing to choose, the machine stops its clocks with the guest.
 */
int target_time(struct target *t, enum target_time_mode mode, unsigned vcpu, struct target_time *out);

void target_destroy(struct target *t); /* NULL ok */
void target_destroyp(struct target **t);

/* What STOP_EXIT.code says, in the W packet and as gdbvm's exit status. */
enum target_exit {
	TARGET_EXIT_OFF = 0,       /* the guest switched itself off, or was killed by the debugger */
	TARGET_EXIT_RESET = 10,    /* it asked for a reboot, and nobody does that for it */
	TARGET_EXIT_CRASH = 11,    /* triple fault */
	TARGET_EXIT_INTERNAL = 12, /* the hypervisor gave up */
	TARGET_EXIT_DIED = 13,     /* what ran the guest has ended */
};

/** stop_is_terminal() - can the guest not go on after this stop? STOP_POWER_OFF and everything behind it. */
bool stop_is_terminal(enum stop_why why);

/** stop_exit_code() - the code of a guest that ends after this stop. */
enum target_exit stop_exit_code(enum stop_why why);

/** stop_why_text() - "watchpoint", "triple fault", ... */
const char *stop_why_text(enum stop_why why);

/* --- for tests: a guest made of arrays (target_fake.c) --- */
struct target_fake_cfg {
	const struct arch *arch; /* NULL: x86 */
	uint32_t vl;             /* arm64: bytes of a Z register; 0: no SVE */
	unsigned nvcpus;
	uint64_t ram_size; /* bytes of RAM at 0; a ROM of rom_size follows at rom_at */
	gpa rom_at;
	uint64_t rom_size;
	bool native_sw;      /* places software breakpoints itself, like QEMU's stub */
	bool no_hw, no_step; /* leave these out */
	bool no_range;       /* steps, but not STEP_RANGE */
	bool no_vcpu_on;     /* cannot tell when a vCPU comes online */
	bool no_checkpoints; /* cannot stop at them */
};

/**
 * target_fake_create() - a stopped guest. vCPUs start in 64-bit mode (arm64: at EL1), paging off, all registers 0.
 * It executes inside target_resume(): every byte is an instruction of length one that does nothing, except the
 * breakpoint instruction and TARGET_BREAK_HW (the filter is asked, as KVM does) and 0xf4 (halts until the next
 * interrupt). vCPUs that may run take turns, lowest first, until one of them stops; a step is done after one turn. A
 * vCPU that runs into memory that is not there waits for an interrupt. Debug registers are faults: they hit before the
 * instruction. On arm64 instructions have four bytes, wfi halts, and `str x0, [x1]` and `ldr x0, [x1]` do what they
 * say, or hit a watchpoint and do not.
 */
int target_fake_create(const struct target_fake_cfg *cfg, struct target **ret);
struct arch_regs *target_fake_regs(struct target *t, unsigned vcpu); /* writable, all groups present */
void *target_fake_ram(struct target *t);

/** target_fake_push_stop() - the next resume that does not hold ev->vcpu ends with this. First in, first out. */
void target_fake_push_stop(struct target *t, const struct stop_event *ev);
const struct resume_plan *target_fake_last_plan(struct target *t); /* NULL before the first resume */
const struct target_break *target_fake_breaks(struct target *t, unsigned *n);
const struct target_pwatch *target_fake_pwatches(struct target *t, unsigned *n);
/* The k-th call of any op from now (1 = next) fails with @err once; 0: none fails. destroy and event_fd never do. */
void target_fake_fail_at(struct target *t, unsigned k, int err);
bool target_fake_failed(struct target *t); /* did that failure happen? */
/* What the filter says now, as if @vcpu had hit a breakpoint instruction at @pc. */
enum target_verdict target_fake_ask_filter(struct target *t, unsigned vcpu, gva pc);
bool target_fake_has_filter(struct target *t); /* is int3 intercepted? */
bool target_fake_catches_vcpu_on(struct target *t);
bool target_fake_catches_checkpoints(struct target *t);

#endif
