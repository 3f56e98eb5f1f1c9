/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Time stands still while the guest is stopped: its counters are the host's less an offset, and the offset grows by
 * what a stop took. The timers' deadlines are counter values, so that nothing is to be done about them: whatever KVM
 * concludes of a deadline while the counter runs on, it concludes anew when a vCPU next goes.
 *
 * Linux has one offset for a VM's virtual and physical counters since 6.4. Before, the virtual counter of all vCPUs can
 * be set through a register of any; the physical one, which Linux guests leave alone, is the host's own.
 *
 * When one vCPU takes one step and all others are held, and the instruction cannot tell the time, the stop just goes
 * on.
 */
#include <time.h>

#include "kvm/arm64_internal.h"
#define LOG_ROOM LOG_KVM
#include "util/log.h"

/* Linux 6.4, "KVM_ARM_SET_COUNTER_OFFSET"; newer than the headers that we can rely on. */
struct counter_offset {
	uint64_t offset, reserved;
};
enum { CAP_COUNTER_OFFSET = 227 };
#define SET_COUNTER_OFFSET _IOW(KVMIO, 0xb5, struct counter_offset)

#define NS_PER_S 1000000000ull

static uint64_t monotonic_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * NS_PER_S + (uint64_t)t.tv_nsec;
}

/* The virtual counter of our own process is the physical one wherever there is a hypervisor. */
static uint64_t host_counter(void)
{
	uint64_t v;

	__asm__ volatile("isb\n\tmrs %0, cntvct_el0" : "=r"(v) : : "memory");
	return v;
}

static uint64_t host_frequency(void)
{
	uint64_t v;

	__asm__("mrs %0, cntfrq_el0" : "=r"(v));
	return v;
}

static uint64_t guest_counter(const struct kvm_clock *k)
{
	return host_counter() - k->offset;
}

static int set_vm_offset(struct kvm_cpus *c, uint64_t offset)
{
	struct counter_offset o = { .offset = offset };

	return MIN(c->port->ops->vm_ioctl(c->port, SET_COUNTER_OFFSET, &o), 0);
}

static int counter_reg(struct kvm_port *p, unsigned vcpu, unsigned long req, uint64_t *v)
{
	struct kvm_one_reg r = { .id = KVM_REG_ARM_TIMER_CNT, .addr = (uintptr_t)v };

	return MIN(p->ops->vcpu_ioctl(p, vcpu, req, &r), 0);
}

/* No vCPU has run: the counters may begin at 0. */
static void choose(struct kvm_cpus *c)
{
	struct kvm_clock *k = c->clock;
	uint64_t now, v;

	now = host_counter();
	k->how = KVM_COUNTER_RUNS;
	if (kvm_port_cap(c->port, CAP_COUNTER_OFFSET) && set_vm_offset(c, now) == 0) {
		k->how = KVM_COUNTER_VM;
		k->offset = now;
	} else if (counter_reg(c->port, 0, KVM_GET_ONE_REG, &v) == 0) {
		k->how = KVM_COUNTER_VIRTUAL;
		k->offset = now - v;
	}
}

void kvm_clock_init(struct kvm_cpus *c)
{
	c->clock->hz = host_frequency();
	choose(c);
	kvm_clock_freeze_locked(c);
}

void kvm_clock_freeze_locked(struct kvm_cpus *c)
{
	struct kvm_clock *k = c->clock;

	if (k->frozen)
		return;
	k->frozen = true;
	k->since_ns = monotonic_ns();
	k->stop = guest_counter(k);
}

void kvm_clock_thaw_locked(struct kvm_cpus *c)
{
	struct kvm_clock *k = c->clock;
	uint64_t offset = host_counter() - k->stop;

	if (!k->frozen)
		return;
	k->frozen = false;
	k->held_ns += monotonic_ns() - k->since_ns;
	if (k->run_on)
		return;
	if (k->how == KVM_COUNTER_VIRTUAL)
		k->due = true;
	else if (k->how == KVM_COUNTER_VM && set_vm_offset(c, offset) == 0)
		k->offset = offset;
	else
		log_warn("the guest's counter cannot be set back: it sees the time it was held");
}

bool kvm_clock_before_due(const struct kvm_cpu *cpu)
{
	return cpu->all->clock->due;
}

/*
 * KVM takes the offset from its counter of the moment, so that ours is right to a few ticks only: it is taken before,
 * and what is shown at the next stop is rather too late than earlier than what the guest has seen.
 */
int kvm_clock_before(struct kvm_port *p, unsigned vcpu, void *arg)
{
	struct kvm_cpu *cpu = arg;
	struct kvm_clock *k = cpu->all->clock;
	uint64_t now = host_counter();

	k->due = false;
	if (counter_reg(p, vcpu, KVM_SET_ONE_REG, &k->stop) < 0)
		log_warn("the guest's counter cannot be set back: it sees the time it was held");
	else
		k->offset = now - k->stop;
	return 0;
}

void kvm_clock_left(struct kvm_cpu *cpu)
{
}

void kvm_clock_park(struct kvm_cpu *cpu)
{
}

void kvm_clock_go(struct kvm_cpu *cpu)
{
}

/* ---- a step with time standing still ---- */

bool kvm_clock_may_stand_locked(const struct kvm_cpus *c)
{
	return c->clock->frozen && !c->clock->run_on;
}

void kvm_clock_look(struct kvm_cpu *cpu, bool awake)
{
	struct kvm_cpus *c = cpu->all;

	if (!c->still || (awake && kvm_step_reach(cpu) != KVM_STEP_ANYTHING))
		return;
	pthread_mutex_lock(&c->lock);
	c->still = false;
	kvm_clock_thaw_locked(c);
	pthread_mutex_unlock(&c->lock);
	if (kvm_clock_before_due(cpu))
		kvm_clock_before(c->port, cpu->id, cpu);
}

/* ---- what the debugger shows and chooses ---- */

static uint64_t ticks_to_ns(const struct kvm_clock *k, uint64_t ticks)
{
	return (uint64_t)((unsigned __int128)ticks * NS_PER_S / k->hz);
}

int kvm_cpus_time(struct kvm_cpus *c, enum target_time_mode mode, unsigned vcpu, struct target_time *out)
{
	struct target_time t = { .mode = TARGET_TIME_FREEZE, .have_clock = true, .have_tsc = true };
	struct kvm_clock *k = c->clock;

	pthread_mutex_lock(&c->lock);
	if (mode != TARGET_TIME_KEEP)
		k->run_on = mode == TARGET_TIME_RUN;
	if (k->run_on || k->how == KVM_COUNTER_RUNS)
		t.mode = TARGET_TIME_RUN;
	t.held_ns = k->held_ns + (k->frozen ? monotonic_ns() - k->since_ns : 0);
	t.tsc = t.mode == TARGET_TIME_RUN ? guest_counter(k) : k->stop;
	pthread_mutex_unlock(&c->lock);
	t.clock_ns = ticks_to_ns(k, t.tsc);
	*out = t;
	return 0;
}

enum { TIMER_ISTATUS = 4 };

static void show_timer(struct arm64_regs *a, enum arm64_sys ctl, enum arm64_sys cval, uint64_t now)
{
	a->sys[ctl] &= ~(uint64_t)TIMER_ISTATUS;
	if (now >= a->sys[cval])
		a->sys[ctl] |= TIMER_ISTATUS;
}

void kvm_clock_show(struct kvm_cpu *cpu, struct arch_regs *r)
{
	const struct kvm_clock *k = cpu->all->clock;

	if (!(r->have & ARCH_MSR) || !k->frozen || k->run_on || k->how == KVM_COUNTER_RUNS)
		return;
	r->arm64.sys[ARM64_CNTVCT_EL0] = k->stop;
	show_timer(&r->arm64, ARM64_CNTV_CTL_EL0, ARM64_CNTV_CVAL_EL0, k->stop);
	if (k->how == KVM_COUNTER_VM)
		show_timer(&r->arm64, ARM64_CNTP_CTL_EL0, ARM64_CNTP_CVAL_EL0, k->stop);
}
