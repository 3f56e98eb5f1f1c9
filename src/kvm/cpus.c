/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * One thread per vCPU, and how they stop together.
 *
 * A vCPU is parked (waits on `wake`, takes calls) or going (inside kvm_cpu_run()). The first vCPU with an event, or
 * an interrupt, sets `stopping` and kicks the rest; the last one to park makes the event fd readable. Nobody starts
 * again before kvm_cpus_resume().
 *
 * A kick cannot be lost: immediate_exit is set before the signal is sent. A signal that comes before KVM_RUN finds
 * immediate_exit set on entry; one that comes later stays pending for KVM and makes it return.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>

#include "kvm/internal.h"
#define LOG_ROOM LOG_KVM
#include "util/log.h"

#define KICK_SIGNAL (SIGRTMIN + 2)

static void on_kick(int sig)
{
	// its only use is to make KVM_RUN return
}

/* ---- stopping ---- */

void kvm_cpu_kick_locked(struct kvm_cpu *cpu)
{
	kvm_cpu_immediate_exit_locked(cpu, true);
	pthread_kill(cpu->runner, KICK_SIGNAL);
	pthread_cond_broadcast(&cpu->wake);
}

static void all_parked_locked(struct kvm_cpus *c)
{
	kvm_clock_freeze_locked(c);
	if (c->looked)
		return;
	c->told = true;
	if (eventfd_write(c->event_fd, 1) < 0)
		log_err("eventfd: %s", strerror(errno));
}

static void stop_locked(struct kvm_cpus *c)
{
	if (c->stopping)
		return;
	c->stopping = true;
	for (unsigned i = 0; i < c->ncpus; i++) {
		if (c->cpu[i].going)
			kvm_cpu_kick_locked(&c->cpu[i]);
	}
	if (c->running && !c->ngoing)
		all_parked_locked(c);
}

bool kvm_cpu_kicked(struct kvm_cpu *cpu)
{
	bool leave;

	pthread_mutex_lock(&cpu->all->lock);
	kvm_cpu_hold_locked(cpu);
	leave = kvm_cpu_must_leave_locked(cpu);
	kvm_cpu_immediate_exit_locked(cpu, leave);
	pthread_mutex_unlock(&cpu->all->lock);
	return leave;
}

void kvm_cpu_hurry(struct kvm_cpu *cpu, bool on)
{
	pthread_mutex_lock(&cpu->all->lock);
	kvm_cpu_immediate_exit_locked(cpu, on || kvm_cpu_must_leave_locked(cpu));
	pthread_mutex_unlock(&cpu->all->lock);
}

void kvm_cpu_wait_stop(struct kvm_cpu *cpu)
{
	struct kvm_cpus *c = cpu->all;

	pthread_mutex_lock(&c->lock);
	cpu->due = false;
	c->nheld++;
	pthread_cond_broadcast(&c->gate);
	while (!c->stopping)
		pthread_cond_wait(&cpu->wake, &c->lock);
	c->nheld--;
	pthread_mutex_unlock(&c->lock);
}

bool kvm_cpu_wait_stop_for(struct kvm_cpu *cpu, unsigned ms)
{
	struct kvm_cpus *c = cpu->all;
	struct timespec end;
	bool stopping;

	clock_gettime(CLOCK_MONOTONIC, &end);
	end.tv_nsec += (long)ms * 1000000;
	end.tv_sec += end.tv_nsec / 1000000000;
	end.tv_nsec %= 1000000000;
	pthread_mutex_lock(&c->lock);
	cpu->due = false;
	c->nheld++;
	pthread_cond_broadcast(&c->gate);
	if (!c->stopping)
		pthread_cond_clockwait(&cpu->wake, &c->lock, CLOCK_MONOTONIC, &end);
	c->nheld--;
	stopping = c->stopping;
	pthread_mutex_unlock(&c->lock);
	return stopping;
}

static void park_locked(struct kvm_cpu *cpu, const struct stop_event *ev)
{
	struct kvm_cpus *c = cpu->all;

	if (ev && c->ngoing > 1)
		kvm_cpu_wait_turn_locked(cpu);
	cpu->going = cpu->due = false;
	if (--c->ngoing) // only those that go wait at the gate
		pthread_cond_broadcast(&c->gate);
	if (ev) {
		cpu->event = *ev;
		cpu->event.vcpu = cpu->id;
		cpu->has_event = true;
	}
	if (ev && !c->stopping)
		stop_locked(c);
	else if (c->stopping && !c->ngoing)
		all_parked_locked(c);
}

/* ---- the threads ---- */

static void serve_call_locked(struct kvm_cpu *cpu)
{
	struct kvm_cpus *c = cpu->all;
	struct kvm_call *call = take_ptr(cpu->call);
	int rc;

	pthread_mutex_unlock(&c->lock);
	rc = kvm_step_leave(cpu);
	if (rc >= 0)
		rc = call->fn(c->port, cpu->id, call->arg);
	pthread_mutex_lock(&c->lock);
	call->rc = rc;
	call->done = true;
	pthread_cond_broadcast(&c->parked);
}

/* From a resume until the vCPU is to park. True: with an event. */
static bool run(struct kvm_cpu *cpu, struct stop_event *ev)
{
	bool has;

	cpu->synced &= cpu->untouched;
	has = kvm_online_arm(cpu, ev) || kvm_cpu_run(cpu, ev) || kvm_online_disarm(cpu, ev);
	kvm_clock_park(cpu);
	kvm_cpu_fetch_stop_regs(cpu, has);
	return has;
}

static void run_and_park_locked(struct kvm_cpu *cpu)
{
	struct kvm_cpus *c = cpu->all;
	struct stop_event ev;
	bool has;

	pthread_mutex_unlock(&c->lock);
	has = run(cpu, &ev);
	pthread_mutex_lock(&c->lock);
	park_locked(cpu, has ? &ev : NULL);
}

static bool is_runner(const struct kvm_cpu *cpu)
{
	return pthread_equal(pthread_self(), cpu->runner);
}

static void *cpu_main(void *arg)
{
	struct kvm_cpu *cpu = arg;
	struct kvm_cpus *c = cpu->all;

	pthread_mutex_lock(&c->lock);
	while (!c->quit || cpu->going) { // one that is going parks first: another may wait for that
		if (cpu->call)
			serve_call_locked(cpu);
		else if (cpu->going && is_runner(cpu))
			run_and_park_locked(cpu);
		else
			pthread_cond_wait(&cpu->wake, &c->lock);
	}
	pthread_mutex_unlock(&c->lock);
	return NULL;
}

/* vCPU threads take the kick and what a fault of their own raises; signals for the process go elsewhere. */
static int start_threads(struct kvm_cpus *c)
{
	static const int own[] = { SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGABRT };
	struct sigaction kick = { .sa_handler = on_kick, .sa_flags = SA_RESTART };
	sigset_t mask, old;
	int rc = 0;

	sigaction(KICK_SIGNAL, &kick, NULL);
	sigfillset(&mask);
	sigdelset(&mask, KICK_SIGNAL);
	for (unsigned i = 0; i < ARRAY_LEN(own); i++)
		sigdelset(&mask, own[i]);
	pthread_sigmask(SIG_SETMASK, &mask, &old);
	pthread_mutex_lock(&c->lock);
	for (unsigned i = 0; i < c->ncpus && !rc; i++) {
		char name[16];

		rc = -pthread_create(&c->cpu[i].thread, NULL, cpu_main, &c->cpu[i]);
		if (rc)
			break;
		c->cpu[i].runner = c->cpu[i].thread;
		c->nthreads++;
		snprintf(name, sizeof(name), "vcpu%u", i);
		pthread_setname_np(c->cpu[i].thread, name);
	}
	pthread_mutex_unlock(&c->lock);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	return rc;
}

static void cpus_destroyp(struct kvm_cpus **c)
{
	kvm_cpus_destroy(*c);
}

int kvm_cpus_create(struct kvm_port *p, const struct arch *arch, const struct kvm_exit_ops *ops, void *arg,
		    struct kvm_cpus **ret, struct errtext *why)
{
	_cleanup_(cpus_destroyp) struct kvm_cpus *c = calloc(1, sizeof(*c) + p->nvcpus * sizeof(c->cpu[0]));
	int rc;

	if (!c)
		return errtext_set(why, -ENOMEM, "out of memory");
	c->port = p;
	c->arch = arch;
	c->ops = ops;
	c->ops_arg = arg;
	c->ncpus = p->nvcpus;
	pthread_mutex_init(&c->lock, NULL);
	pthread_cond_init(&c->parked, NULL);
	pthread_cond_init(&c->gate, NULL);
	pthread_mutex_init(&c->landings, NULL);
	for (unsigned i = 0; i < c->ncpus; i++) {
		c->cpu[i].all = c;
		c->cpu[i].id = i;
		c->cpu[i].run = p->ops->run_page(p, i);
		pthread_cond_init(&c->cpu[i].wake, NULL);
	}
	rc = kvm_mach_init(c);
	if (rc < 0)
		return errtext_set(why, rc, "out of memory");
	c->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (c->event_fd < 0)
		return errtext_set(why, -errno, "eventfd: %s", strerror(errno));
	rc = start_threads(c);
	if (rc < 0)
		return errtext_set(why, rc, "cannot start a vCPU thread: %s", strerror(-rc));
	*ret = take_ptr(c);
	return 0;
}

void kvm_cpus_destroy(struct kvm_cpus *c)
{
	if (!c)
		return;
	pthread_mutex_lock(&c->lock);
	c->quit = true;
	stop_locked(c);
	for (unsigned i = 0; i < c->nthreads; i++)
		pthread_cond_broadcast(&c->cpu[i].wake);
	pthread_mutex_unlock(&c->lock);
	for (unsigned i = 0; i < c->nthreads; i++)
		pthread_join(c->cpu[i].thread, NULL);
	closep(&c->event_fd);
	kvm_pwatch_deinit(c);
	kvm_mach_deinit(c);
	for (unsigned i = 0; i < c->ncpus; i++)
		pthread_cond_destroy(&c->cpu[i].wake);
	pthread_mutex_destroy(&c->landings);
	pthread_cond_destroy(&c->gate);
	pthread_cond_destroy(&c->parked);
	pthread_mutex_destroy(&c->lock);
	free(c);
}

/* ---- what the server thread asks for ---- */

/* Takes the plan; true when one of its vCPUs still has an event that nobody was told of. */
static bool take_plan_locked(struct kvm_cpus *c, const struct resume_plan *plan)
{
	bool pending = false;

	/* One that leaves an exec breakpoint, or writes to a watched page, takes a step, too. */
	c->steps = c->hw.nslots || c->npwatches || c->filter.whys & BIT(STOP_SWBREAK);
	for (unsigned i = 0; i < c->ncpus; i++) {
		struct kvm_cpu *cpu = &c->cpu[i];

		cpu->action = plan->vcpu[i].action;
		cpu->lo = plan->vcpu[i].lo;
		cpu->hi = plan->vcpu[i].hi;
		pending |= cpu->has_event && cpu->action != TARGET_HOLD;
		c->steps |= cpu->action == TARGET_STEP || cpu->action == TARGET_STEP_RANGE;
	}
	return pending;
}

/* The vCPU's thread is not the caller's, and the vCPU is parked. */
static int call_locked(struct kvm_cpu *cpu, struct kvm_call *call)
{
	cpu->call = call;
	pthread_cond_broadcast(&cpu->wake);
	while (!call->done)
		pthread_cond_wait(&cpu->all->parked, &cpu->all->lock);
	return call->rc;
}

/* What of the time has to be set before anyone goes. Returns: false: everybody is to stop already. */
static bool clocks_set_locked(struct kvm_cpus *c)
{
	for (unsigned i = 0; i < c->ncpus && !c->stopping; i++) {
		struct kvm_call call = { .fn = kvm_clock_before, .arg = &c->cpu[i] };

		if (c->cpu[i].action == TARGET_HOLD || !kvm_clock_before_due(&c->cpu[i]))
			continue;
		if (is_runner(&c->cpu[i]))
			kvm_clock_before(c->port, i, &c->cpu[i]);
		else
			call_locked(&c->cpu[i], &call);
	}
	return !c->stopping;
}

/*
 * A client that takes step after step with one vCPU pays for two thread switches each time, several times the step
 * itself. So after a few in a row the caller's own thread takes them. Not from the first one on: when a vCPU changes
 * threads KVM waits until every processor has seen it, which would cost a client that steps and continues in turns more
 * than it gains. The caller cannot be held up: a step ends at hlt, too, and a vCPU that has just made one is not
 * waiting for a start-up interrupt.
 */
enum { STEPS_BEFORE_OWN = 16 };

/* @one: the vCPU of lone_step_locked(). */
static void count_steps_locked(struct kvm_cpus *c, struct kvm_cpu *one)
{
	bool again = one && one == c->stepped;

	c->nsteps = again ? c->nsteps + 1 : 0;
	for (unsigned i = 0; i < c->ncpus; i++)
		c->cpu[i].untouched = again && &c->cpu[i] == one && one->at_stop.have;
}

/* The guest's time goes on, unless that can wait until the step of @one is known to see it. Returns: false: everybody
 * is to stop already. */
static bool time_go_locked(struct kvm_cpus *c, const struct kvm_cpu *one)
{
	c->still = one && kvm_clock_may_stand_locked(c);
	if (c->still)
		return true;
	kvm_clock_thaw_locked(c);
	return clocks_set_locked(c);
}

/* The vCPU that is to take one step while all others are held; NULL: the plan is another one. */
static struct kvm_cpu *lone_step_locked(struct kvm_cpus *c)
{
	struct kvm_cpu *one = NULL;

	for (unsigned i = 0; i < c->ncpus; i++) {
		struct kvm_cpu *cpu = &c->cpu[i];

		if (cpu->action == TARGET_HOLD)
			continue;
		if (one || cpu->action != TARGET_STEP)
			return NULL;
		one = cpu;
	}
	return one;
}

int kvm_cpus_resume(struct kvm_cpus *c, const struct resume_plan *plan)
{
	struct kvm_cpu *own = NULL, *one;
	int rc = 0;

	pthread_mutex_lock(&c->lock);
	if (c->running) {
		rc = -EBUSY;
		goto out;
	}
	c->running = true;
	c->stopping = false;
	c->looked = plan->looks;
	if (take_plan_locked(c, plan) || c->over || c->killed) {
		stop_locked(c);
		goto out;
	}
	one = lone_step_locked(c);
	count_steps_locked(c, one);
	kvm_stop_regs_drop_locked(c);
	kvm_pwatch_look_locked(c);
	own = c->nsteps > STEPS_BEFORE_OWN ? one : NULL;
	if (own)
		own->runner = pthread_self();
	if (!time_go_locked(c, one))
		goto out;
	for (unsigned i = 0; i < c->ncpus; i++) {
		struct kvm_cpu *cpu = &c->cpu[i];

		if (cpu->action == TARGET_HOLD)
			continue;
		kvm_cpu_immediate_exit_locked(cpu, false);
		cpu->going = true;
		cpu->due = cpu != own; // with that one nobody else goes
		c->ngoing++;
		if (cpu == own)
			run_and_park_locked(cpu);
		else
			pthread_cond_broadcast(&cpu->wake);
	}
out:
	c->looked = false;
	if (own)
		own->runner = own->thread;
	pthread_mutex_unlock(&c->lock);
	return rc;
}

int kvm_cpus_interrupt(struct kvm_cpus *c)
{
	pthread_mutex_lock(&c->lock);
	if (c->running)
		stop_locked(c);
	pthread_mutex_unlock(&c->lock);
	return 0;
}

void kvm_cpus_kill(struct kvm_cpus *c)
{
	pthread_mutex_lock(&c->lock);
	c->killed = true;
	if (c->running)
		stop_locked(c);
	pthread_mutex_unlock(&c->lock);
}

/* A finished step goes first, so that a breakpoint that came at the same time can be kept for the next resume. */
static struct kvm_cpu *pick_event_locked(struct kvm_cpus *c)
{
	struct kvm_cpu *found = NULL;

	for (unsigned i = 0; i < c->ncpus; i++) {
		struct kvm_cpu *cpu = &c->cpu[i];

		if (!cpu->has_event || cpu->action == TARGET_HOLD)
			continue;
		if (cpu->event.why == STOP_STEP)
			return cpu;
		found = found ? found : cpu;
	}
	return found;
}

/* Of two steps that ended together only one is told: the other's result is in its registers, and to tell it after
 * the next resume would look like a step that went nowhere. */
static void drop_steps_locked(struct kvm_cpus *c)
{
	for (unsigned i = 0; i < c->ncpus; i++) {
		if (c->cpu[i].event.why == STOP_STEP)
			c->cpu[i].has_event = false;
	}
}

/* The stop that no vCPU made. */
static struct stop_event interrupt_event(struct kvm_cpus *c)
{
	struct arch_regs r = { 0 };
	struct stop_event ev = { .why = STOP_INTERRUPT };

	if (kvm_cpus_regs_read(c, 0, ARCH_CORE | ARCH_SYS, &r) == 0 &&
	    (r.have & (ARCH_CORE | ARCH_SYS)) == (ARCH_CORE | ARCH_SYS))
		ev.pc = c->arch->pc_get(&r);
	return ev;
}

static struct stop_event exit_event(enum target_exit code)
{
	return (struct stop_event){ .why = STOP_EXIT, .code = (int)code };
}

int kvm_cpus_next_stop(struct kvm_cpus *c, struct stop_event *out)
{
	struct kvm_cpu *from = NULL;
	struct stop_event ev;
	eventfd_t drained;

	pthread_mutex_lock(&c->lock);
	if (!c->running || !c->stopping || c->ngoing) {
		pthread_mutex_unlock(&c->lock);
		return -EAGAIN;
	}
	if (c->told)
		eventfd_read(c->event_fd, &drained);
	c->running = c->told = false;
	if (c->killed) {
		ev = exit_event(TARGET_EXIT_OFF);
	} else if (c->over) {
		ev = exit_event(stop_exit_code(c->over_why));
		snprintf(ev.text, sizeof(ev.text), "%s", stop_why_text(c->over_why));
	} else {
		from = pick_event_locked(c);
		c->stepped = from && from->event.why == STOP_STEP ? from : NULL;
		if (from) {
			ev = from->event;
			from->has_event = false;
			drop_steps_locked(c);
			c->over = stop_is_terminal(ev.why);
			c->over_why = ev.why;
		}
	}
	pthread_mutex_unlock(&c->lock);

	if (!from && !c->killed && !c->over)
		ev = interrupt_event(c);
	/* What came right before a breakpoint, an interrupt or the end of a step, leaves it to be hit. */
	if (ev.why == STOP_HWBREAK || (ev.why == STOP_WATCH && c->arch->watch_before)) {
		c->cpu[ev.vcpu].seen = true;
		c->cpu[ev.vcpu].seen_watch = ev.why == STOP_WATCH;
		c->cpu[ev.vcpu].seen_pc = ev.pc;
	}
	*out = ev;
	return 0;
}

int kvm_cpus_event_fd(struct kvm_cpus *c)
{
	return c->event_fd;
}

unsigned kvm_cpus_count(const struct kvm_cpus *c)
{
	return c->ncpus;
}

const struct arch_hw_max *kvm_cpus_hw_max(const struct kvm_cpus *c)
{
	return &c->port->hw_max;
}

void kvm_cpus_filter_set(struct kvm_cpus *c, const struct target_filter *f)
{
	pthread_mutex_lock(&c->lock);
	c->filter = *f;
	pthread_mutex_unlock(&c->lock);
}

static const enum hw_kind hw_kinds[TARGET_BREAK_NKINDS] = {
	[TARGET_BREAK_HW] = HW_EXEC,
	[TARGET_WATCH_WRITE] = HW_WRITE,
	[TARGET_WATCH_READ] = HW_READ,
	[TARGET_WATCH_ACCESS] = HW_ACCESS,
};

int kvm_cpus_hw_set(struct kvm_cpus *c, const struct target_break *set, unsigned n)
{
	struct hw_break req[ARCH_MAX_HW];
	struct arch_hw_state hw = { 0 };
	int rc = 0;

	if (n > ARRAY_LEN(req))
		return -ENOSPC;
	for (unsigned i = 0; i < n; i++) {
		if (set[i].kind == TARGET_BREAK_SW)
			return -ENOTSUP;
		req[i] = (struct hw_break){ .kind = hw_kinds[set[i].kind], .at = set[i].at, .len = set[i].len };
	}
	if (n)
		rc = c->arch->hw_encode(&c->port->hw_max, req, n, &hw);
	if (rc < 0)
		return rc;
	pthread_mutex_lock(&c->lock);
	if (c->running) {
		rc = -EBUSY;
	} else {
		c->hw = hw;
	}
	pthread_mutex_unlock(&c->lock);
	return rc;
}

int kvm_cpus_call(struct kvm_cpus *c, unsigned vcpu, int (*fn)(struct kvm_port *p, unsigned vcpu, void *arg), void *arg)
{
	struct kvm_call call = { .fn = fn, .arg = arg };
	struct kvm_cpu *cpu;
	int rc;

	if (vcpu >= c->ncpus)
		return -EINVAL;
	cpu = &c->cpu[vcpu];
	if (is_runner(cpu))
		return fn(c->port, vcpu, arg);
	pthread_mutex_lock(&c->lock);
	cpu->at_stop.have = 0;
	rc = c->running || c->quit ? -EBUSY : call_locked(cpu, &call);
	pthread_mutex_unlock(&c->lock);
	return rc;
}

static int online_call(struct kvm_port *p, unsigned vcpu, void *arg)
{
	return p->mp_state ? p->ops->vcpu_ioctl(p, vcpu, KVM_GET_MP_STATE, arg) : -ENOTSUP;
}

bool kvm_cpus_online(struct kvm_cpus *c, unsigned vcpu)
{
	struct kvm_mp_state s = { .mp_state = KVM_MP_STATE_RUNNABLE };

	kvm_cpus_call(c, vcpu, online_call, &s);
	return kvm_mp_is_online(s.mp_state);
}

int kvm_cpus_online_catch(struct kvm_cpus *c, bool on)
{
	int rc = on ? kvm_online_catch(c) : 0;

	if (rc < 0)
		return rc;
	for (unsigned i = 0; i < c->ncpus; i++)
		c->cpu[i].was_offline = on && !kvm_cpus_online(c, i);
	c->catch_online = on;
	return 0;
}
