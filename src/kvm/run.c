/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One vCPU from a resume to the point where it parks. Everything here runs on the vCPU's own thread. */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "kvm/internal.h"
#define LOG_ROOM LOG_KVM
#include "util/log.h"

/* A store-exclusive may fail for reasons of its own. */
enum { STEPS_OF_A_WHOLE = 64 };

int kvm_cpu_ioctl(struct kvm_cpu *cpu, unsigned long req, void *arg)
{
	struct kvm_port *p = cpu->all->port;

	return p->ops->vcpu_ioctl(p, cpu->id, req, arg);
}

int kvm_cpu_enter(struct kvm_cpu *cpu)
{
	const int rc = kvm_cpu_ioctl(cpu, KVM_RUN, NULL);

	if (cpu->all->ops->left)
		cpu->all->ops->left(cpu->all->ops_arg);
	return rc;
}

gva kvm_cpu_pc(struct kvm_cpu *cpu)
{
	gva pc;

	return kvm_pc_read(cpu, &pc) < 0 ? GVA(0) : pc;
}

int kvm_cpus_exit_pc(struct kvm_cpus *c, unsigned vcpu, gva *ret)
{
	struct kvm_cpu *cpu = &c->cpu[vcpu];

	return kvm_run_pc(cpu->run, ret) ? 0 : kvm_pc_read(cpu, ret);
}

static uint32_t mp_state(struct kvm_cpu *cpu)
{
	struct kvm_mp_state s = { .mp_state = KVM_MP_STATE_RUNNABLE };

	if (cpu->all->port->mp_state)
		kvm_cpu_ioctl(cpu, KVM_GET_MP_STATE, &s);
	return s.mp_state;
}

bool kvm_cpu_is_halted(struct kvm_cpu *cpu)
{
	return cpu->halted || mp_state(cpu) == KVM_MP_STATE_HALTED;
}

bool kvm_cpu_wake(struct kvm_cpu *cpu)
{
	struct kvm_mp_state s = { .mp_state = KVM_MP_STATE_RUNNABLE };
	uint32_t now = mp_state(cpu);

	cpu->halted = false;
	if (now == KVM_MP_STATE_HALTED)
		kvm_cpu_ioctl(cpu, KVM_SET_MP_STATE, &s);
	return now == KVM_MP_STATE_HALTED || now == KVM_MP_STATE_RUNNABLE;
}

/*
 * A vCPU that was shown at an exec breakpoint is taken off it by one step with that slot left out: the resume flag
 * is not honoured where KVM emulates. If it is halted, whatever wakes it comes before the breakpoint. Likewise where
 * a watchpoint hits before the access.
 */
static void step_off_if_seen(struct kvm_cpu *cpu)
{
	if (!cpu->seen)
		return;
	cpu->seen = !cpu->halted && (cpu->seen_watch || kvm_debug_exec_at(cpu->all, cpu->seen_pc)) &&
		    kvm_cpu_pc(cpu).raw == cpu->seen_pc.raw && mp_state(cpu) == KVM_MP_STATE_RUNNABLE;
	cpu->debug.lift = cpu->seen;
	cpu->debug.lift_at = cpu->seen_pc;
}

static int prepare_step(struct kvm_cpu *cpu)
{
	bool awake = !cpu->asleep || kvm_cpu_wake(cpu);
	int rc = kvm_step_begin(cpu, awake);

	kvm_clock_look(cpu, rc >= 0 && awake);
	cpu->asleep = !awake || kvm_step_halts(cpu);
	cpu->debug.step = true;
	cpu->debug.armed = false;
	if (cpu->all->hw.nslots && !cpu->onward) {
		cpu->debug.lift = true;
		cpu->debug.lift_at = kvm_step_pc(cpu);
	}
	cpu->debug.lift_watches =
		cpu->unwatched || (cpu->seen && cpu->seen_watch && kvm_step_pc(cpu).raw == cpu->seen_pc.raw);
	return rc;
}

/* The step is done: is that what the plan asked for? */
static bool plan_done(struct kvm_cpu *cpu, gva pc)
{
	return cpu->action == TARGET_STEP ||
	       (cpu->action == TARGET_STEP_RANGE && (pc.raw < cpu->lo.raw || pc.raw >= cpu->hi.raw));
}

static int enter_freely(struct kvm_cpu *cpu)
{
	const uint64_t regs = kvm_run_wants(cpu->run, cpu->wants);

	cpu->run->kvm_valid_regs = regs;
	const int rc = kvm_cpu_enter(cpu);

	kvm_clock_left(cpu);
	cpu->synced = regs && regs == cpu->wants;
	return rc;
}

static int enter_for_step(struct kvm_cpu *cpu)
{
	kvm_step_plant(cpu);
	cpu->run->kvm_valid_regs = kvm_step_wants(cpu, cpu->wants);
	const int rc = kvm_cpu_enter(cpu);

	kvm_clock_left(cpu);
	kvm_step_unplant(cpu);
	cpu->synced = kvm_step_synced(cpu, rc);
	return rc;
}

static enum kvm_next enter_once(struct kvm_cpu *cpu, struct stop_event *ev)
{
	int rc = cpu->debug.armed ? 0 : kvm_debug_arm(cpu);

	if (rc < 0)
		return kvm_exit_error(cpu, rc, ev);
	kvm_cpu_enters(cpu);
	rc = cpu->debug.step ? enter_for_step(cpu) : enter_freely(cpu);
	if (rc == -EINTR || rc == -EAGAIN) { // EAGAIN: the vCPU got its start-up interrupt
		cpu->asleep = true;
		return kvm_cpu_kicked(cpu) ? KVM_NEXT_PARK : KVM_NEXT_ENTER;
	}
	if (rc == -EFAULT && cpu->all->npwatches && !cpu->lifted)
		return KVM_NEXT_LIFT;
	return rc < 0 ? kvm_exit_error(cpu, rc, ev) : kvm_exit_handle(cpu, ev);
}

/* Was the instruction executed before this event came? */
static bool is_after_insn(const struct kvm_cpu *cpu, const struct stop_event *ev)
{
	return (ev->why == STOP_WATCH && !cpu->all->arch->watch_before) || ev->why == STOP_PWATCH ||
	       ev->why == STOP_CHECKPOINT || ev->why == STOP_POWER_OFF || ev->why == STOP_RESET ||
	       ev->why == STOP_PANIC;
}

static enum kvm_next enter(struct kvm_cpu *cpu, struct stop_event *ev)
{
	int rc = cpu->debug.step ? prepare_step(cpu) : 0;
	enum kvm_next next;

	if (rc < 0)
		return kvm_exit_error(cpu, rc, ev);
	next = rc > 0 ? KVM_NEXT_STEPPED : enter_once(cpu, ev);
	if (!cpu->debug.step)
		return next;
	if (next == KVM_NEXT_STEPPED || (next == KVM_NEXT_EVENT && is_after_insn(cpu, ev))) {
		rc = kvm_step_end(cpu);
		next = next == KVM_NEXT_STEPPED && rc > 0 ? KVM_NEXT_ENTER : next;
	} else {
		rc = kvm_step_undo(cpu);
		next = next == KVM_NEXT_ENTER && rc > 0 ? KVM_NEXT_STEPPED : next;
	}
	return rc < 0 ? kvm_exit_error(cpu, rc, ev) : next;
}

/* One instruction, whatever else is going on; the vCPU is alone. */
static enum kvm_next step_alone(struct kvm_cpu *cpu, struct stop_event *ev)
{
	enum kvm_next next;

	cpu->asleep = true;
	cpu->onward = false;
	do {
		cpu->debug.step = true;
		next = enter(cpu, ev);
	} while (next == KVM_NEXT_ENTER);
	return next;
}

/* Likewise, with those before it that it needs. */
static enum kvm_next step_whole(struct kvm_cpu *cpu, struct stop_event *ev)
{
	enum kvm_next next;
	unsigned n = 0;

	do
		next = step_alone(cpu, ev);
	while (next == KVM_NEXT_STEPPED && n++ < STEPS_OF_A_WHOLE && kvm_step_again(cpu, n > 1));
	return next;
}

static void lift(struct kvm_cpu *cpu, bool on)
{
	struct kvm_cpus *c = cpu->all;

	if (c->npwatches)
		c->ops->lift(c->ops_arg, on);
	cpu->lifted = on;
}

/* The instruction at pc writes to a page that is watched. A stop that is wanted meanwhile waits until it is done. */
static enum kvm_next write_watched(struct kvm_cpu *cpu, struct stop_event *ev)
{
	const gva from = kvm_cpu_pc(cpu);
	struct target_pwatch_hit hit;
	const bool alone = kvm_cpu_is_alone(cpu);
	enum kvm_next next;
	bool found;

	if (!alone)
		kvm_cpu_alone_begin(cpu);
	lift(cpu, true);
	next = step_whole(cpu, ev);
	lift(cpu, false);
	found = kvm_pwatch_check(cpu, &hit);
	hit.from = from;
	if (!alone)
		kvm_cpu_alone_end(cpu);
	return found ? kvm_pwatch_event(cpu, next, &hit, ev) : next;
}

/*
 * A watchpoint has stopped, and so broken, the store that ends a sequence: the sequence is executed again with nothing
 * in its way. @ev, which the hit has filled in, is told when the store is done.
 */
static enum kvm_next store_watched(struct kvm_cpu *cpu, struct stop_event *ev)
{
	struct stop_event hit = *ev;
	enum kvm_next next;

	cpu->unwatched = true;
	next = write_watched(cpu, ev);
	cpu->unwatched = false;
	if (next != KVM_NEXT_STEPPED || !kvm_step_stored(cpu))
		return next;
	hit.pc = kvm_cpu_pc(cpu);
	*ev = hit;
	return KVM_NEXT_EVENT;
}

/* Past the breakpoint instruction at skip_at: the instruction that it hides is executed while nobody else can miss it.
 */
static enum kvm_next skip_breakpoint(struct kvm_cpu *cpu, struct stop_event *ev)
{
	struct target_filter f = kvm_cpu_filter(cpu);
	gva at = cpu->skip_at;
	enum kvm_next next;
	int rc;

	kvm_cpu_alone_begin(cpu);
	rc = f.patch(f.arg, cpu->id, at, false);
	if (rc == 0) {
		next = step_alone(cpu, ev);
		if (next == KVM_NEXT_LIFT)
			next = write_watched(cpu, ev);
		rc = f.patch(f.arg, cpu->id, at, true);
		if (rc < 0)
			log_warn("the breakpoint at %#" PRIx64 " is lost: %s", at.raw, strerror(-rc));
	} else {
		*ev = (struct stop_event){ .why = STOP_SWBREAK, .pc = at };
		next = KVM_NEXT_EVENT;
	}
	kvm_cpu_alone_end(cpu);
	return next;
}

/* Past an int3 that another vCPU has planted for its step. */
static enum kvm_next step_while_others_wait(struct kvm_cpu *cpu, struct stop_event *ev)
{
	enum kvm_next next;

	kvm_cpu_alone_begin(cpu);
	next = step_alone(cpu, ev);
	kvm_cpu_alone_end(cpu);
	return next;
}

static enum kvm_next enter_to_the_end(struct kvm_cpu *cpu, struct stop_event *ev)
{
	enum kvm_next next = enter(cpu, ev);

	for (;;) {
		switch (next) {
		case KVM_NEXT_SKIP:
			next = skip_breakpoint(cpu, ev);
			break;
		case KVM_NEXT_LIFT:
			next = write_watched(cpu, ev);
			break;
		case KVM_NEXT_WHOLE:
			next = store_watched(cpu, ev);
			break;
		case KVM_NEXT_ALONE:
			next = step_while_others_wait(cpu, ev);
			break;
		default:
			return next;
		}
	}
}

static bool follow_plan(struct kvm_cpu *cpu, struct stop_event *ev)
{
	bool stepping = cpu->action != TARGET_RUN;
	enum kvm_next next;
	gva pc;
	int rc;

	kvm_debug_begin(cpu);
	cpu->wants = stepping || cpu->all->ops->pc ? kvm_run_pc_regs(cpu->all->port->caps_sync_regs) : 0;
	cpu->asleep |= !cpu->untouched;
	cpu->onward = false;
	if (!stepping)
		step_off_if_seen(cpu);
	for (;;) {
		cpu->debug.step = stepping || cpu->debug.lift;
		rc = cpu->debug.step ? 0 : kvm_step_leave(cpu);
		if (rc < 0) {
			kvm_exit_error(cpu, rc, ev);
			return true;
		}
		if (cpu->halted && !cpu->debug.step) {
			kvm_cpu_wait_stop(cpu);
			return false;
		}
		next = enter_to_the_end(cpu, ev);
		switch (next) {
		case KVM_NEXT_ENTER:
		case KVM_NEXT_SKIP:
		case KVM_NEXT_ALONE:
		case KVM_NEXT_LIFT:
		case KVM_NEXT_WHOLE:
			break;
		case KVM_NEXT_PARK:
			if (!stepping && cpu->debug.lift) {   // its hit was judged, and is not to be counted again
				cpu->seen_watch &= cpu->seen; // else what is left of an earlier one
				cpu->seen = true;
				cpu->seen_pc = cpu->debug.lift_at;
			}
			return false;
		case KVM_NEXT_EVENT:
			cpu->seen = false;
			return true;
		case KVM_NEXT_STEPPED:
			cpu->seen = false;
			cpu->debug.lift = false;
			if (!stepping)
				break;
			pc = kvm_debug_end_pc(cpu);
			cpu->onward = !plan_done(cpu, pc);
			if (cpu->onward)
				break;
			*ev = (struct stop_event){ .why = STOP_STEP, .pc = pc };
			return true;
		}
	}
}

bool kvm_cpu_run(struct kvm_cpu *cpu, struct stop_event *ev)
{
	bool has;
	int rc;

	if (!cpu->all->still)
		kvm_clock_go(cpu);
	has = follow_plan(cpu, ev);
	rc = kvm_step_pause(cpu);
	if (rc < 0 && !has)
		kvm_exit_error(cpu, rc, ev);
	return has || rc < 0;
}
