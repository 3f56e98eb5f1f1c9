/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Time stands still while the guest is stopped.
 *
 * The moment at which the guest stopped is one pair of readings, kvmclock and the host's TSC. At the resume kvmclock
 * is set back to its value, read again together with the host's TSC, and what the two readings say the guest was held
 * for is taken off every vCPU's TSC: so the two clocks keep their distance over any number of stops. Each vCPU does
 * its part on its own thread, before it enters the guest; one that the plan holds catches up when it goes.
 *
 * Timers that the host drives must not fire meanwhile. A deadline timer is disarmed as its vCPU parks and armed again
 * as it goes: the deadline is in guest ticks, so it is as far away as before. The counting modes of the local APIC's
 * timer have no such switch; their state is put back by writing the whole APIC, which must not happen while another
 * vCPU could send an interrupt, so kvm_cpus_resume() calls for it before anyone goes.
 *
 * When one vCPU takes one step and all others are held, none of this is done before it is known that the instruction
 * could tell: most only see registers and memory, and no interrupt comes in a step. The stop before then just goes on.
 * kvmclock's page in memory is no clock by itself: it is read together with the TSC, and anew if it has changed.
 */
#include <errno.h>
#include <time.h>
#include <x86intrin.h>

#include "kvm/x86_internal.h"
#define LOG_ROOM LOG_KVM
#include "util/log.h"

enum { MSR_TSC = 0x10, MSR_TSC_DEADLINE = 0x6e0 };
#define NS_PER_S 1000000000ull

static int vm_ioctl(struct kvm_cpus *c, unsigned long req, void *arg)
{
	return c->port->ops->vm_ioctl(c->port, req, arg);
}

static uint64_t monotonic_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * NS_PER_S + (uint64_t)t.tv_nsec;
}

/* ---- kvmclock and the host's TSC ---- */

/* Both at one moment: KVM tells the TSC where it computes the clock from it, else it lay between two readings. */
static bool clock_read(struct kvm_cpus *c, struct kvm_clock_at *out)
{
	struct kvm_clock_data d = { 0 };
	uint64_t before = __rdtsc(), after;

	if (vm_ioctl(c, KVM_GET_CLOCK, &d) < 0)
		return false;
	after = __rdtsc();
	out->ns = d.clock;
	out->host_tsc = d.flags & KVM_CLOCK_HOST_TSC ? d.host_tsc : before + (after - before) / 2;
	return true;
}

static uint64_t ns_to_ticks(const struct kvm_clock *k, uint64_t ns)
{
	return (uint64_t)((unsigned __int128)ns * k->tsc_khz / 1000000);
}

/* Guest ticks in so many of the host's. */
static uint64_t scale(const struct kvm_clock *k, uint64_t host_ticks)
{
	return k->ratio ? (uint64_t)((unsigned __int128)host_ticks * k->ratio >> 48) : host_ticks;
}

/* ---- one vCPU's TSC ---- */

static int tsc_offset(struct kvm_cpus *c, unsigned vcpu, unsigned long req, uint64_t *offset)
{
	struct kvm_device_attr a = {
		.group = KVM_VCPU_TSC_CTRL,
		.attr = KVM_VCPU_TSC_OFFSET,
		.addr = (uintptr_t)offset,
	};

	return c->port->ops->vcpu_ioctl(c->port, vcpu, req, &a);
}

union msrs {
	struct kvm_msrs m;
	uint8_t room[sizeof(struct kvm_msrs) + 2 * sizeof(struct kvm_msr_entry)];
};

static bool msr_set(struct kvm_cpus *c, unsigned vcpu, uint32_t number, uint64_t v)
{
	union msrs u = { .m.nmsrs = 1 };

	u.m.entries[0] = (struct kvm_msr_entry){ .index = number, .data = v };
	return c->port->ops->vcpu_ioctl(c->port, vcpu, KVM_SET_MSRS, &u) == 1;
}

/* TSC, and deadline: 0 where there is none. */
static bool msrs_get(struct kvm_cpus *c, unsigned vcpu, uint64_t *tsc, uint64_t *deadline)
{
	union msrs u = { .m.nmsrs = 2 };
	int n;

	u.m.entries[0].index = MSR_TSC;
	u.m.entries[1].index = MSR_TSC_DEADLINE;
	n = c->port->ops->vcpu_ioctl(c->port, vcpu, KVM_GET_MSRS, &u);
	if (n < 1)
		return false;
	*tsc = u.m.entries[0].data;
	*deadline = n == 2 ? u.m.entries[1].data : 0;
	return true;
}

/*
 * Without the attribute (before Linux 5.16) the TSC itself is written. KVM takes a value within a second of the one it
 * expects for an attempt to synchronise vCPUs, and ignores it: so short stops let the TSC run, and of a long one's
 * writes the first decides and the others are made equal to it.
 */
static void tsc_write_back(struct kvm_cpu *cpu, uint64_t shift)
{
	uint64_t tsc, deadline;

	if (shift > cpu->all->clock->tsc_khz * 1000 && msrs_get(cpu->all, cpu->id, &tsc, &deadline))
		msr_set(cpu->all, cpu->id, MSR_TSC, tsc - shift);
}

/*
 * Of what is to be taken off the TSC, the part that KVM has not taken off itself: where the host's own TSC is unstable,
 * KVM lets a vCPU's go on from where it last left the guest.
 */
static uint64_t shift_left(struct kvm_cpu *cpu, uint64_t shift)
{
	uint64_t tsc, deadline;

	if (!msrs_get(cpu->all, cpu->id, &tsc, &deadline))
		return shift;
	return tsc < cpu->mach->time.parked ? 0 : MIN(shift, tsc - cpu->mach->time.parked);
}

static void tsc_catch_up(struct kvm_cpu *cpu)
{
	struct kvm_cpus *c = cpu->all;
	uint64_t shift = c->clock->behind - cpu->mach->time.behind, offset;

	if (!shift)
		return;
	cpu->mach->time.behind = c->clock->behind;
	if (!c->clock->has_offset) {
		tsc_write_back(cpu, shift);
		return;
	}
	/* Read each time: the guest may have written its TSC, or KVM. */
	if (tsc_offset(c, cpu->id, KVM_GET_DEVICE_ATTR, &offset) < 0)
		return;
	offset -= offset == cpu->mach->time.offset ? shift : shift_left(cpu, shift);
	cpu->mach->time.offset = offset;
	if (tsc_offset(c, cpu->id, KVM_SET_DEVICE_ATTR, &offset) < 0)
		log_warn("the TSC of vCPU %u cannot be set back: the guest sees the time it was held", cpu->id);
}

/* ---- one vCPU's timer ---- */

static bool lapic_read(struct kvm_cpu *cpu, struct kvm_lapic_state *out)
{
	return !cpu->mach->time.no_lapic && kvm_cpu_ioctl(cpu, KVM_GET_LAPIC, out) == 0;
}

/* A deadline that is over already is KVM's to deliver: the interrupt is on its way. */
static uint64_t deadline_take(struct kvm_cpu *cpu)
{
	uint64_t tsc, deadline;

	if (!msrs_get(cpu->all, cpu->id, &tsc, &deadline))
		return 0;
	cpu->mach->time.parked = tsc;
	if (deadline <= tsc)
		return 0;
	return msr_set(cpu->all, cpu->id, MSR_TSC_DEADLINE, 0) ? deadline : 0;
}

/* A periodic tick between the exit from the guest and the reading is not in the IRR yet. */
static bool tick_owed(const struct kvm_cpu *cpu, uint64_t read_at)
{
	const struct kvm_cpu_time *t = &cpu->mach->time;

	return lapic_timer_mode(&t->lapic) == LAPIC_PERIODIC &&
	       ns_to_ticks(cpu->all->clock, lapic_timer_age_ns(&t->lapic)) < read_at - t->left_tsc;
}

void kvm_clock_left(struct kvm_cpu *cpu)
{
	cpu->mach->time.left_tsc = __rdtsc();
}

static void timer_look(struct kvm_cpu *cpu)
{
	struct kvm_cpu_time *t = &cpu->mach->time;
	bool have = lapic_read(cpu, &t->lapic);

	t->no_lapic = !have;
	t->counts = have && lapic_timer_counts(&t->lapic);
	t->owed = t->counts && tick_owed(cpu, __rdtsc());
}

void kvm_clock_park(struct kvm_cpu *cpu)
{
	struct kvm_cpu_time *t = &cpu->mach->time;

	if (cpu->all->still) {
		if (!t->counts && kvm_step_reach(cpu) == KVM_STEP_MEMORY)
			timer_look(cpu); // the instruction may have started it
		if (t->counts)
			t->deadline = 0; // by another mode
		return;
	}
	t->counts = t->owed = false;
	t->deadline = deadline_take(cpu);
	if (!t->deadline && !t->no_lapic)
		timer_look(cpu);
}

int kvm_clock_before(struct kvm_port *p, unsigned vcpu, void *arg)
{
	struct kvm_cpu *cpu = arg;
	struct kvm_lapic_state now;

	tsc_catch_up(cpu); // first: KVM computes the timer's end in guest ticks, too
	if (lapic_read(cpu, &now)) {
		lapic_timer_put_back(&cpu->mach->time.lapic, cpu->mach->time.owed, &now);
		kvm_cpu_ioctl(cpu, KVM_SET_LAPIC, &now);
	}
	return 0;
}

void kvm_clock_go(struct kvm_cpu *cpu)
{
	uint64_t deadline = cpu->mach->time.deadline;

	cpu->mach->time.deadline = 0;
	tsc_catch_up(cpu);
	if (deadline)
		msr_set(cpu->all, cpu->id, MSR_TSC_DEADLINE, deadline);
	/* Where the guest does see the time go by, its watchdogs should know why. -EINVAL: it does not use kvmclock. */
	if (cpu->all->clock->run_on || !cpu->all->clock->has_offset)
		kvm_cpu_ioctl(cpu, KVM_KVMCLOCK_CTRL, NULL);
}

/* ---- the whole VM ---- */

/* Is the guest's TSC the host's plus the offset? If KVM scales it, by how much: from one reading of both. */
static uint64_t tsc_ratio(struct kvm_cpus *c)
{
	uint64_t offset, tsc, deadline, before = __rdtsc(), after;

	if (tsc_offset(c, 0, KVM_GET_DEVICE_ATTR, &offset) < 0 || !msrs_get(c, 0, &tsc, &deadline))
		return 0;
	after = __rdtsc();
	tsc -= offset;
	return tsc >= before && tsc <= after ? 0 : (uint64_t)(((unsigned __int128)tsc << 48) / after);
}

void kvm_clock_init(struct kvm_cpus *c)
{
	struct kvm_clock *k = c->clock;
	int khz = c->port->ops->vcpu_ioctl(c->port, 0, KVM_GET_TSC_KHZ, NULL);
	uint64_t offset;

	k->tsc_khz = khz > 0 ? (unsigned)khz : 0;
	k->has_offset = tsc_offset(c, 0, KVM_GET_DEVICE_ATTR, &offset) == 0;
	k->ratio = tsc_ratio(c);
	kvm_clock_freeze_locked(c);
}

static void pit_freeze(struct kvm_cpus *c)
{
	struct kvm_pit_state2 seen, quiet;
	struct kvm_clock *k = c->clock;

	k->pit_held = !k->run_on && vm_ioctl(c, KVM_GET_PIT2, &seen) == 0 &&
		      pit_hold(&seen, monotonic_ns(), &quiet, &k->pit, &k->pit_lost) &&
		      vm_ioctl(c, KVM_SET_PIT2, &quiet) == 0;
}

/* Every period begins again as a whole. When the parts lost by that make up a period, its tick is given. */
static void pit_thaw(struct kvm_cpus *c)
{
	struct kvm_irq_level up = { .irq = 0, .level = 1 }, down = { .irq = 0, .level = 0 };
	struct kvm_clock *k = c->clock;

	if (!k->pit_held)
		return;
	vm_ioctl(c, KVM_SET_PIT2, &k->pit);
	k->pit_owed += k->pit_lost;
	if (!k->pit_lost || k->pit_owed < k->pit.channels[0].count)
		return;
	vm_ioctl(c, KVM_IRQ_LINE_STATUS, &up); // status takes the place of irq
	if (up.status != 0)                    // else the one before it is still pending, and this one is none
		k->pit_owed -= k->pit.channels[0].count;
	vm_ioctl(c, KVM_IRQ_LINE, &down);
}

void kvm_clock_freeze_locked(struct kvm_cpus *c)
{
	struct kvm_clock *k = c->clock;

	if (k->frozen)
		return;
	k->frozen = true;
	k->since_ns = monotonic_ns();
	k->have_stop = clock_read(c, &k->stop);
	pit_freeze(c);
}

static void clock_put_back(struct kvm_cpus *c)
{
	/* Without flags: with KVM_CLOCK_REALTIME set KVM would add the time that went by. */
	struct kvm_clock_data d = { .clock = c->clock->stop.ns };
	struct kvm_clock *k = c->clock;
	struct kvm_clock_at now;

	if (vm_ioctl(c, KVM_SET_CLOCK, &d) < 0) {
		log_warn("kvmclock cannot be set back: the guest sees the time it was held");
		return;
	}
	if (clock_read(c, &now))
		k->behind += scale(k, now.host_tsc - k->stop.host_tsc) - ns_to_ticks(k, now.ns - k->stop.ns);
}

void kvm_clock_thaw_locked(struct kvm_cpus *c)
{
	struct kvm_clock *k = c->clock;

	if (!k->frozen)
		return;
	k->frozen = false;
	k->held_ns += monotonic_ns() - k->since_ns;
	if (k->have_stop && !k->run_on)
		clock_put_back(c);
	pit_thaw(c);
}

bool kvm_clock_before_due(const struct kvm_cpu *cpu)
{
	return cpu->mach->time.counts && !cpu->all->clock->run_on;
}

/* ---- a step with time standing still ---- */

bool kvm_clock_may_stand_locked(const struct kvm_cpus *c)
{
	return c->clock->frozen && c->clock->have_stop && !c->clock->run_on;
}

static bool sees_time(const struct kvm_cpu *cpu)
{
	enum kvm_step_reach reach = kvm_step_reach(cpu);

	return reach == KVM_STEP_ANYTHING || (reach == KVM_STEP_MEMORY && cpu->mach->time.counts);
}

void kvm_clock_look(struct kvm_cpu *cpu, bool awake)
{
	struct kvm_cpus *c = cpu->all;

	if (!c->still || (awake && !sees_time(cpu)))
		return;
	pthread_mutex_lock(&c->lock);
	c->still = false;
	kvm_clock_thaw_locked(c);
	pthread_mutex_unlock(&c->lock);
	if (kvm_clock_before_due(cpu))
		kvm_clock_before(c->port, cpu->id, cpu);
	kvm_clock_go(cpu);
}

/* ---- what the debugger shows and chooses ---- */

/* What is chosen while the guest is stopped holds for that stop as a whole: it matters at the resume. */
int kvm_cpus_time(struct kvm_cpus *c, enum target_time_mode mode, unsigned vcpu, struct target_time *out)
{
	struct target_time t = { .mode = TARGET_TIME_FREEZE };
	struct arch_regs r = { 0 };
	struct kvm_clock *k = c->clock;
	struct kvm_clock_at now;

	pthread_mutex_lock(&c->lock);
	if (mode != TARGET_TIME_KEEP)
		k->run_on = mode == TARGET_TIME_RUN;
	if (k->run_on)
		t.mode = TARGET_TIME_RUN;
	t.held_ns = k->held_ns + (k->frozen ? monotonic_ns() - k->since_ns : 0);
	now = k->stop;
	t.have_clock = k->run_on ? clock_read(c, &now) : k->have_stop;
	t.clock_ns = now.ns;
	pthread_mutex_unlock(&c->lock);

	t.have_tsc = kvm_cpus_regs_read(c, vcpu, ARCH_MSR, &r) == 0 && (r.have & ARCH_MSR) &&
		     (r.x86.msr_have & BIT(X86_MSR_TSC));
	t.tsc = t.have_tsc ? r.x86.msr[X86_MSR_TSC] : 0;
	*out = t;
	return 0;
}

static uint64_t tsc_of_stop(struct kvm_cpu *cpu, uint64_t now)
{
	struct kvm_clock *k = cpu->all->clock;
	uint64_t offset;

	if (!k->frozen || k->run_on || !k->has_offset || !k->have_stop ||
	    tsc_offset(cpu->all, cpu->id, KVM_GET_DEVICE_ATTR, &offset) < 0)
		return now;
	return scale(k, k->stop.host_tsc) + offset - (k->behind - cpu->mach->time.behind);
}

void kvm_clock_show(struct kvm_cpu *cpu, struct arch_regs *r)
{
	struct x86_regs *x = &r->x86;

	if (!(r->have & ARCH_MSR))
		return;
	if (x->msr_have & BIT(X86_MSR_TSC))
		x->msr[X86_MSR_TSC] = tsc_of_stop(cpu, x->msr[X86_MSR_TSC]);
	if (x->msr_have & BIT(X86_MSR_TSC_DEADLINE) && cpu->mach->time.deadline)
		x->msr[X86_MSR_TSC_DEADLINE] = cpu->mach->time.deadline;
}

void kvm_clock_show_lapic(const struct kvm_cpu *cpu, struct kvm_lapic_state *s)
{
	if (cpu->all->clock->frozen && kvm_clock_before_due(cpu))
		lapic_timer_put_back(&cpu->mach->time.lapic, cpu->mach->time.owed, s);
}
