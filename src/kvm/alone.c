/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * One vCPU executes and the others wait, without a stop: the guest is not halted, the clock goes on and no one outside
 * the room is told. Those that are going are kicked out of KVM_RUN and wait at the gate, where kvm_cpu_kicked() leads
 * them. Those that want to be alone themselves wait there, too, and have their turn next. To park is to wait, also.
 *
 * No vCPU sends the others out before they are in: on a host with fewer processors than vCPUs those that come late
 * would be turned back at the door each time, and never execute. So one that was let go is `due` until it enters, and
 * whoever wants to be alone, or stops with an event, waits for that.
 */
#include "kvm/internal.h"

void kvm_cpu_immediate_exit_locked(struct kvm_cpu *cpu, bool on)
{
	__atomic_store_n(&cpu->run->immediate_exit, on, __ATOMIC_SEQ_CST);
}

bool kvm_cpu_must_leave_locked(const struct kvm_cpu *cpu)
{
	const struct kvm_cpus *c = cpu->all;

	return c->alone ? c->alone != cpu : c->stopping;
}

static bool others_due_locked(const struct kvm_cpu *cpu)
{
	const struct kvm_cpus *c = cpu->all;

	for (unsigned i = 0; i < c->ncpus; i++) {
		if (&c->cpu[i] != cpu && c->cpu[i].going && c->cpu[i].due)
			return true;
	}
	return false;
}

void kvm_cpu_wait_turn_locked(struct kvm_cpu *cpu)
{
	struct kvm_cpus *c = cpu->all;

	cpu->due = false;
	c->nheld++;
	pthread_cond_broadcast(&c->gate);
	while (!c->stopping && others_due_locked(cpu))
		pthread_cond_wait(&c->gate, &c->lock);
	c->nheld--;
}

void kvm_cpu_enters(struct kvm_cpu *cpu)
{
	struct kvm_cpus *c = cpu->all;

	if (!cpu->due)
		return;
	pthread_mutex_lock(&c->lock);
	cpu->due = false;
	pthread_cond_broadcast(&c->gate);
	pthread_mutex_unlock(&c->lock);
}

void kvm_cpu_hold_locked(struct kvm_cpu *cpu)
{
	struct kvm_cpus *c = cpu->all;

	if (!c->alone || c->alone == cpu)
		return;
	cpu->due = true;
	c->nheld++;
	pthread_cond_broadcast(&c->gate);
	while (c->alone)
		pthread_cond_wait(&c->gate, &c->lock);
	c->nheld--;
}

void kvm_cpu_alone_begin(struct kvm_cpu *cpu)
{
	struct kvm_cpus *c = cpu->all;

	pthread_mutex_lock(&c->lock);
	do {
		kvm_cpu_hold_locked(cpu);
		kvm_cpu_wait_turn_locked(cpu);
	} while (c->alone);
	c->alone = cpu;
	for (unsigned i = 0; i < c->ncpus; i++) {
		if (c->cpu[i].going && &c->cpu[i] != cpu)
			kvm_cpu_kick_locked(&c->cpu[i]);
	}
	while (c->nheld + 1 < c->ngoing)
		pthread_cond_wait(&c->gate, &c->lock);
	kvm_cpu_immediate_exit_locked(cpu, false);
	pthread_mutex_unlock(&c->lock);
}

void kvm_cpu_alone_end(struct kvm_cpu *cpu)
{
	struct kvm_cpus *c = cpu->all;

	pthread_mutex_lock(&c->lock);
	c->alone = NULL;
	kvm_cpu_immediate_exit_locked(cpu, c->stopping);
	pthread_cond_broadcast(&c->gate);
	pthread_mutex_unlock(&c->lock);
}

bool kvm_cpu_is_alone(struct kvm_cpu *cpu)
{
	bool alone;

	pthread_mutex_lock(&cpu->all->lock);
	alone = cpu->all->alone == cpu;
	pthread_mutex_unlock(&cpu->all->lock);
	return alone;
}

struct target_filter kvm_cpu_filter(struct kvm_cpu *cpu)
{
	struct kvm_cpus *c = cpu->all;
	struct target_filter f;

	pthread_mutex_lock(&c->lock);
	f = c->filter;
	pthread_mutex_unlock(&c->lock);
	return f;
}
