/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef KVM_INTERNAL_H
#define KVM_INTERNAL_H

#include <pthread.h>

#include "kvm/kvm.h"
#include "util/macros.h"

/*
 * Inside the room. run.c drives one vCPU from a resume to the point where it parks, exits.c answers what KVM_RUN
 * comes back with, cpus.c has the threads and the stop protocol, alone.c lets one vCPU execute while the others wait.
 * These are the same for every architecture. What they need of it - registers, guest debugging, exact steps, the clock,
 * vCPUs that come online - are functions of the same names in x86*.c and arm64*.c, one set of which is compiled.
 *
 * Suffix _locked: the caller holds kvm_cpus.lock.
 */

/* What the debugger wants of a vCPU's debug registers. */
struct kvm_debug {
	bool step; /* trap after the next instruction */
	bool lift; /* leave out the exec breakpoints at lift_at: the vCPU is being stepped off them */
	gva lift_at;
	bool lift_watches; /* leave out all watchpoints: one of them was shown before the access */
	bool armed;        /* KVM knows, and nothing has to be said again */
};

/* What an architecture keeps of its own, behind the scenes. */
struct kvm_clock;    /* of the VM: its time */
struct kvm_step;     /* of a vCPU: the step under way */
struct kvm_cpu_mach; /* of a vCPU: all else */

struct kvm_call {
	int (*fn)(struct kvm_port *p, unsigned vcpu, void *arg);
	void *arg;
	int rc;
	bool done;
};

struct kvm_cpu {
	struct kvm_cpus *all;
	struct kvm_run *run;
	unsigned id;
	pthread_t thread;
	pthread_t runner; /* who runs it: its own thread, but see lone_step_locked(); written while it is parked */
	pthread_cond_t wake;

	/* under kvm_cpus.lock */
	bool going; /* not parked */
	bool due;   /* if going: was let go, and has not entered the guest since. Set by others only while it waits. */
	struct kvm_call *call;
	bool has_event;
	struct stop_event event;
	struct arch_regs at_stop; /* what was fetched before it parked; have == 0 as soon as that may have changed */

	/* the server thread's while the guest is stopped, the vCPU's own while it is going */
	enum target_action action; /* of the last plan; lo, hi for TARGET_STEP_RANGE */
	gva lo, hi;
	bool was_offline; /* while kvm_cpus.catch_online: nobody was told yet that it came online */
	bool seen;        /* the hit of a slot at seen_pc was shown, or judged, and the vCPU has not moved since */
	gva seen_pc;
	bool seen_watch; /* it was a watchpoint, and the access is still to come */

	/* the vCPU's own thread only */
	struct kvm_debug debug;
	bool unwatched;      /* steps are taken with all watchpoints out */
	bool lifted;         /* watched pages are writable, for this one alone */
	bool emulated_write; /* the access being answered is a write to RAM by KVM's emulator */
	struct kvm_step *step;
	struct kvm_cpu_mach *mach;
	bool untouched;       /* since its last step nothing was done to it, and no other vCPU has executed */
	bool asleep;          /* may be: to be woken before a step */
	bool onward;          /* the step to come is a further one of a range: what it comes to is hit */
	uint64_t wants;       /* what KVM_RUN is to leave in the run page, as in kvm_valid_regs */
	bool synced;          /* the run page has the registers */
	bool halted;          /* did HLT with no in-kernel irqchip: nothing but the debugger wakes it */
	gva skip_at;          /* KVM_NEXT_SKIP: of the breakpoint instruction */
	bool waits_for_start; /* a stop is armed for its start-up interrupt */
};

struct kvm_pwatch {
	struct target_pwatch range;
	uint8_t *seen; /* its bytes when last looked at */
};

struct kvm_cpus {
	struct kvm_port *port;
	const struct arch *arch;
	const struct kvm_exit_ops *ops;
	void *ops_arg;
	int event_fd;

	/* Written only while the guest is stopped, so vCPU threads read them without the lock. */
	struct arch_hw_state hw;
	struct kvm_pwatch pwatch[8]; /* the contents of `seen` under the lock */
	unsigned npwatches;
	bool catch_online;

	pthread_mutex_t lock;
	pthread_cond_t parked; /* a vCPU finished a call */
	bool running;          /* from resume until next_stop handed something out */
	bool stopping;         /* everyone is to park */
	bool looked;           /* inside a resume whose caller looks for the stop by itself */
	bool told;             /* event_fd is readable */
	bool quit, killed;
	bool over; /* a terminal event was handed out: only STOP_EXIT can follow, and tell why */
	enum stop_why over_why;
	bool steps;               /* a vCPU may plant landings: int3 is intercepted on all. Written like hw. */
	pthread_mutex_t landings; /* held while some are planted */
	unsigned ngoing;
	const struct kvm_cpu *stepped; /* the last plan was one step of this one alone, and it was done */
	unsigned nsteps;               /* such plans in a row */
	struct target_filter filter;
	struct kvm_cpu *alone; /* the only one that may execute */
	unsigned nheld;        /* of those going: wait, and do not execute before `alone` is NULL or they are stopped */
	pthread_cond_t gate;   /* `alone`, `nheld` or `ngoing` has changed */
	struct kvm_clock *clock;
	bool still; /* the plan is a step, and the guest's time stands until the instruction can tell */

	unsigned nthreads, ncpus;
	struct kvm_cpu cpu[];
};

/* What came of one entry into the guest. */
enum kvm_next {
	KVM_NEXT_ENTER,   /* nothing for the debugger: go on */
	KVM_NEXT_STEPPED, /* the armed step is done */
	KVM_NEXT_EVENT,   /* the event was filled in */
	KVM_NEXT_PARK,    /* asked to park */
	KVM_NEXT_SKIP,    /* to go on past the breakpoint instruction at skip_at */
	KVM_NEXT_LIFT,    /* the instruction at pc writes to a page of a physical watch: nothing was done */
	KVM_NEXT_WHOLE,   /* likewise to what a watchpoint watches, and can only do so as the end of a sequence */
	KVM_NEXT_ALONE,   /* to take one step while the others wait: what another vCPU planted is in the way */
};

/* cpus.c */
void kvm_cpu_kick_locked(struct kvm_cpu *cpu);    /* make KVM_RUN return, now or when it is called next */
void kvm_cpu_hurry(struct kvm_cpu *cpu, bool on); /* KVM_RUN only finishes what is in flight */

/** kvm_cpu_kicked() - KVM_RUN was interrupted: wait while another vCPU is alone. Returns: is this one to park? */
bool kvm_cpu_kicked(struct kvm_cpu *cpu);

/** kvm_cpu_wait_stop() - sleep on the vCPU's own thread until everyone is to park. */
void kvm_cpu_wait_stop(struct kvm_cpu *cpu);

/** kvm_cpu_wait_stop_for() - likewise, no longer than @ms. Returns: is everyone to park? */
bool kvm_cpu_wait_stop_for(struct kvm_cpu *cpu, unsigned ms);

/* alone.c */

/**
 * kvm_cpu_alone_begin() - returns when no other vCPU executes; they wait until kvm_cpu_alone_end(). On the vCPU's own
 * thread. A stop that is asked for meanwhile waits, too.
 */
void kvm_cpu_alone_begin(struct kvm_cpu *cpu);
void kvm_cpu_alone_end(struct kvm_cpu *cpu);
bool kvm_cpu_is_alone(struct kvm_cpu *cpu); /* between the two */

/** kvm_cpu_wait_turn_locked() - before the vCPU sends the others out: wait until each has been in, or is to stop. */
void kvm_cpu_wait_turn_locked(struct kvm_cpu *cpu);

/** kvm_cpu_enters() - the vCPU's thread is about to call KVM_RUN. */
void kvm_cpu_enters(struct kvm_cpu *cpu);

/** kvm_cpu_hold_locked() - wait while another vCPU is alone. */
void kvm_cpu_hold_locked(struct kvm_cpu *cpu);

/** kvm_cpu_must_leave_locked() - is the vCPU not to execute now? */
bool kvm_cpu_must_leave_locked(const struct kvm_cpu *cpu);

/** kvm_cpu_immediate_exit_locked() - have KVM_RUN come back at once, or not. */
void kvm_cpu_immediate_exit_locked(struct kvm_cpu *cpu, bool on);

/** kvm_cpu_filter() - a copy; any thread. */
struct target_filter kvm_cpu_filter(struct kvm_cpu *cpu);

/* run.c: all on the vCPU's own thread */

/** kvm_cpu_run() - follow the plan until there is an event (true, *@ev filled) or the vCPU is to park (false). */
bool kvm_cpu_run(struct kvm_cpu *cpu, struct stop_event *ev);

/** kvm_cpu_pc() - linear pc, 0 if it cannot be read. */
gva kvm_cpu_pc(struct kvm_cpu *cpu);

/** kvm_cpu_is_halted() - has it executed hlt, and waits? */
bool kvm_cpu_is_halted(struct kvm_cpu *cpu);

/** kvm_cpu_wake() - a halted vCPU goes on; false for one that waits for its start-up interrupt and stays as it is. */
bool kvm_cpu_wake(struct kvm_cpu *cpu);

/** kvm_cpu_ioctl() - on the vCPU's own thread. Returns: what the ioctl does; negative errno. */
int kvm_cpu_ioctl(struct kvm_cpu *cpu, unsigned long req, void *arg);

/** kvm_cpu_enter() - KVM_RUN. */
int kvm_cpu_enter(struct kvm_cpu *cpu);

/* exits.c: all on the vCPU's own thread */

/** kvm_exit_handle() - act on run->exit_reason. */
enum kvm_next kvm_exit_handle(struct kvm_cpu *cpu, struct stop_event *ev);

/** kvm_exit_error() - KVM_RUN itself failed with @err. */
enum kvm_next kvm_exit_error(struct kvm_cpu *cpu, int err, struct stop_event *ev);

/* pwatch.c */
void kvm_pwatch_deinit(struct kvm_cpus *c);

/** kvm_pwatch_look_locked() - from here on changes count. */
void kvm_pwatch_look_locked(struct kvm_cpus *c);

/** kvm_pwatch_check() - has a watched range changed since the last look? On the vCPU's thread. @hit: without `from`. */
bool kvm_pwatch_check(struct kvm_cpu *cpu, struct target_pwatch_hit *hit);

/** kvm_pwatch_event() - @hit, made by the instruction that ended with @next: the stop, or part of the one in @ev. */
enum kvm_next kvm_pwatch_event(struct kvm_cpu *cpu, enum kvm_next next, const struct target_pwatch_hit *hit,
			       struct stop_event *ev);

/** kvm_pwatch_write() - KVM's emulator met a read-only page: do its write. False: @at is not RAM. */
bool kvm_pwatch_write(struct kvm_cpu *cpu, gpa at, const void *data, size_t n);

/* mach.c */

/** kvm_mach_init() - the parts of @c that are the architecture's. No vCPU threads yet. */
int kvm_mach_init(struct kvm_cpus *c);
void kvm_mach_deinit(struct kvm_cpus *c);

/* stop_regs.c */

/** kvm_cpu_fetch_stop_regs() - what the debugger will want to see; on the vCPU's own thread, right before it parks. */
void kvm_cpu_fetch_stop_regs(struct kvm_cpu *cpu, bool has_event);

/** kvm_stop_regs_drop_locked() - what was fetched holds no longer. */
void kvm_stop_regs_drop_locked(struct kvm_cpus *c);

/* What each architecture has, from here to the end of the file; on the vCPU's own thread unless said otherwise. */

/** kvm_port_cap() - KVM_CHECK_EXTENSION for the VM: 0 if it lacks @which. */
long kvm_port_cap(struct kvm_port *p, unsigned long which);

/** kvm_port_learn() - what an architecture has to know of the VM for kvm_regs_read() and the like. */
int kvm_port_learn(struct kvm_port *p);
void kvm_port_forget(struct kvm_port *p);

/* Sizes of what an architecture keeps of its own; mach.c makes it, zeroed. */
extern const size_t kvm_clock_size, kvm_cpu_mach_size;

/* *_debug.c: what a KVM_EXIT_DEBUG means */
enum kvm_trap_kind {
	KVM_TRAP_BPINSN, /* breakpoint instruction at pc */
	KVM_TRAP_HW,     /* one of the debugger's slots: slot */
	KVM_TRAP_STEP,   /* the armed step */
	KVM_TRAP_GUEST,  /* a debug exception of the guest's own */
	KVM_TRAP_NONE,   /* only the step under way has to do with it: go on */
};
struct kvm_trap {
	enum kvm_trap_kind kind;
	gva pc;
	unsigned slot;   /* KVM_TRAP_HW: of kvm_cpus.hw */
	uint64_t status; /* x86: DR6; arm64: the syndrome, as in ESR_EL2 */
	uint64_t own;    /* x86: those bits of B0-B3 that are the guest's own breakpoints */
	uint64_t far;    /* arm64: the address of a watched access */
	gva touched;     /* KVM_TRAP_HW of a watchpoint: in it, as near to the access as is known */
};

/** kvm_debug_trap() - what KVM_EXIT_DEBUG, just come, is about. */
void kvm_debug_trap(struct kvm_cpu *cpu, struct kvm_trap *out);

/** kvm_debug_begin() - a plan begins: whatever KVM was told before may have changed. */
void kvm_debug_begin(struct kvm_cpu *cpu);

/** kvm_debug_arm() - tell KVM what cpu->debug asks for. Registers must be final: a step is tied to the pc of now. */
int kvm_debug_arm(struct kvm_cpu *cpu);

/** kvm_debug_pass() - have the vCPU, which hit an exec slot at @pc, go on past it. */
int kvm_debug_pass(struct kvm_cpu *cpu, gva pc);

/** kvm_debug_exec_at() - is one of the debugger's exec slots at @pc? */
bool kvm_debug_exec_at(const struct kvm_cpus *c, gva pc);

/** kvm_debug_end_pc() - pc behind a step that has just ended. */
gva kvm_debug_end_pc(struct kvm_cpu *cpu);

/** kvm_debug_fresh() - do the registers look as after a reset? (SVM resets a vCPU that triple-faults.) */
bool kvm_debug_fresh(struct kvm_cpu *cpu);

/* *_online.c: the stop of a vCPU that comes online; on the vCPU's own thread */

/** kvm_online_arm() - before the vCPU goes: have KVM return when it gets its start-up interrupt, if that is wanted.
 *  True: it got it while it was held, and *@ev says so. */
bool kvm_online_arm(struct kvm_cpu *cpu, struct stop_event *ev);

/** kvm_online_reached() - is this KVM_EXIT_SHUTDOWN the one that kvm_online_arm() asked for? Then fills the event. */
bool kvm_online_reached(struct kvm_cpu *cpu, struct stop_event *ev);

/** kvm_online_disarm() - when the vCPU parks without an event. True: it came online just now, and *@ev says so. */
bool kvm_online_disarm(struct kvm_cpu *cpu, struct stop_event *ev);

/** kvm_online_catch() - can KVM do that for this VM? Then what it takes to be told. Any thread, stopped. */
int kvm_online_catch(struct kvm_cpus *c);

/** kvm_mp_is_online() - false for a vCPU that waits for its start-up interrupt. */
bool kvm_mp_is_online(uint32_t mp_state);

/* *_step.c: one exact step */
int kvm_step_init(struct kvm_cpu *cpu);
void kvm_step_deinit(struct kvm_cpu *cpu);

/**
 * kvm_step_begin() - look at the instruction and prepare for its step; before kvm_debug_arm().
 * @can_land: false for a vCPU that waits to be started: it may do so for long, and takes no exception.
 * Returns: 0; 1: it is done, and the vCPU does not have to enter the guest for it; an error.
 */
int kvm_step_begin(struct kvm_cpu *cpu, bool can_land);
gva kvm_step_pc(const struct kvm_cpu *cpu); /* after kvm_step_begin() */

/** kvm_step_reach() - what the instruction may get at; after kvm_step_begin(). Whatever is not known is ANYTHING. */
enum kvm_step_reach {
	KVM_STEP_NO_DEVICE, /* registers; memory, where the local APIC is not */
	KVM_STEP_MEMORY,    /* the registers of the local APIC are there, too */
	KVM_STEP_ANYTHING,  /* the TSC, MSRs, ports; an exception's handler */
};
enum kvm_step_reach kvm_step_reach(const struct kvm_cpu *cpu);
bool kvm_step_halts(const struct kvm_cpu *cpu); /* is it hlt? */

/** kvm_step_wants() - of @regs, as in kvm_valid_regs, those that the coming KVM_RUN has to leave in the run page. */
uint64_t kvm_step_wants(struct kvm_cpu *cpu, uint64_t regs);

/** kvm_step_synced() - KVM_RUN came back with @rc. Returns: has the run page the registers that are wanted? */
bool kvm_step_synced(struct kvm_cpu *cpu, int rc);

/** kvm_step_plant(), _unplant() - around KVM_RUN: x86: have an int3 wherever an exception may lead. */
void kvm_step_plant(struct kvm_cpu *cpu);
void kvm_step_unplant(struct kvm_cpu *cpu);

/** kvm_step_landed() - has the step ended at @pc, where it planted a breakpoint instruction? */
bool kvm_step_landed(struct kvm_cpu *cpu, gva pc);

/** kvm_step_is_others() - is the breakpoint instruction at @pc one that the step of another vCPU plants? */
bool kvm_step_is_others(struct kvm_cpu *cpu, gva pc);

/**
 * kvm_step_stores_whole() - is the instruction at @pc, where the vCPU is, a store that fails if anything came between
 * it and what its sequence begins with, a debugger above all?
 */
bool kvm_step_stores_whole(struct kvm_cpu *cpu, gva pc);

/**
 * kvm_step_again() - after a step: was it such a store, and has failed? Then the vCPU is put back to where its sequence
 * is tried again, and a few more steps execute all of it. @way_back: this was said of the step before.
 */
bool kvm_step_again(struct kvm_cpu *cpu, bool way_back);

/** kvm_step_stored() - was the last step such a store, or a sequence with one, and has it stored? */
bool kvm_step_stored(struct kvm_cpu *cpu);

/** kvm_step_is_bp() - is there a breakpoint instruction at @pc in memory now? */
bool kvm_step_is_bp(struct kvm_cpu *cpu, gva pc);

/** kvm_step_end() - the step is done: put right what the trap flag left. 1: not done, the guest is to have a trap. */
int kvm_step_end(struct kvm_cpu *cpu);

/** kvm_step_own() - debug registers of the guest's own have hit in the step that @t ends. */
void kvm_step_own(struct kvm_cpu *cpu, const struct kvm_trap *t);

/** kvm_step_undo() - the instruction was not executed. Nothing if no step is under way. 1: it was, all the same. */
int kvm_step_undo(struct kvm_cpu *cpu);

/** kvm_step_leave() - no steps follow: tell KVM, which then shows the guest's own trap flag again. */
int kvm_step_leave(struct kvm_cpu *cpu);

/**
 * kvm_step_pause() - the vCPU parks: kvm_step_leave(), but where a step has left nothing to be shown otherwise KVM is
 * told only when something else than the next step comes.
 */
int kvm_step_pause(struct kvm_cpu *cpu);

/**
 * kvm_step_give_back() - the guest gets the exception of its own that @t took from it.
 * Returns: 0: when it goes on; 1: it has it, and the step that is under way is done; an error.
 */
int kvm_step_give_back(struct kvm_cpu *cpu, const struct kvm_trap *t);

/** kvm_step_give_own() - likewise those of the guest's own hits that came along with one of ours. */
int kvm_step_give_own(struct kvm_cpu *cpu, const struct kvm_trap *t);

/* x86.c, arm64.c */

/** kvm_regs_copy() - copy ARCH_CORE, ARCH_SYS from one file to another. */
void kvm_regs_copy(uint32_t groups, const struct arch_regs *from, struct arch_regs *to);

/** kvm_regs_from_run() - ARCH_CORE and ARCH_SYS from what KVM_RUN left in the run page, as kvm_run_pc_regs() asks. */
void kvm_regs_from_run(const struct kvm_run *run, struct arch_regs *out);

/** kvm_pc_read() - linear pc of a vCPU by as little as this takes; it is done for every step. -EACCES: KVM hides it. */
int kvm_pc_read(struct kvm_cpu *cpu, gva *ret);

/** kvm_run_pc() - linear pc from the registers that KVM_RUN left in the run page; false if it left none. */
bool kvm_run_pc(const struct kvm_run *run, gva *ret);
uint64_t kvm_run_pc_regs(long caps_sync_regs); /* kvm_valid_regs that kvm_run_pc() needs, 0 if not to be had */

/** kvm_run_wants() - those of @regs that kvm_run_pc() is likely to need after the coming KVM_RUN. */
uint64_t kvm_run_wants(const struct kvm_run *run, uint64_t regs);

/* *_clock.c: any thread, under kvm_cpus.lock: time stands still from freeze to thaw */
void kvm_clock_freeze_locked(struct kvm_cpus *c);
void kvm_clock_thaw_locked(struct kvm_cpus *c);

/** kvm_clock_may_stand_locked() - can time stand still over a step? kvm_cpus.still is the caller's to set. */
bool kvm_clock_may_stand_locked(const struct kvm_cpus *c);

/** kvm_clock_init() - find out what this KVM can do, and begin with time stopped. Before there are vCPU threads. */
void kvm_clock_init(struct kvm_cpus *c);

/** kvm_clock_before_due() - does the vCPU need kvm_clock_before() before anyone goes? It is parked. */
bool kvm_clock_before_due(const struct kvm_cpu *cpu);

/* *_clock.c: on the vCPU's own thread */

/** kvm_clock_look() - a step is about to be taken: must time go on for it? Then it does. */
void kvm_clock_look(struct kvm_cpu *cpu, bool awake);

/** kvm_clock_left() - note that the vCPU has just left the guest. */
void kvm_clock_left(struct kvm_cpu *cpu);

/** kvm_clock_park() - stop the vCPU's timer; it parks. */
void kvm_clock_park(struct kvm_cpu *cpu);

/** kvm_clock_go() - the vCPU's clock and timer go on where they were; it enters the guest. */
void kvm_clock_go(struct kvm_cpu *cpu);

/** kvm_clock_before() - a call with the struct kvm_cpu, after the thaw: what must be done before anyone goes. */
int kvm_clock_before(struct kvm_port *p, unsigned vcpu, void *arg);

/** kvm_clock_show() - of registers just read, those that tell the time shall tell that of the stop. */
void kvm_clock_show(struct kvm_cpu *cpu, struct arch_regs *r);

#endif
