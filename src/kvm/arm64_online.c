/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A stop at the first instruction of a vCPU that PSCI brings up. KVM does not tell, and a KVM_RUN that waits for it
 * goes straight into the guest: so a vCPU that is off does not wait there while such stops are wanted, but asks for its
 * state now and then. KVM gives it its first registers when one of them is read.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "kvm/arm64_internal.h"

enum { LOOK_EVERY_MS = 1 };

int kvm_online_catch(struct kvm_cpus *c)
{
	return c->port->mp_state ? 0 : -ENOTSUP;
}

bool kvm_mp_is_online(uint32_t mp_state)
{
	return mp_state != KVM_MP_STATE_STOPPED;
}

static bool is_online(struct kvm_cpu *cpu)
{
	struct kvm_mp_state s = { .mp_state = KVM_MP_STATE_RUNNABLE };

	kvm_cpu_ioctl(cpu, KVM_GET_MP_STATE, &s);
	return kvm_mp_is_online(s.mp_state);
}

/* PSCI CPU_ON: the context id is in x0. */
static void event_fill(struct kvm_cpu *cpu, struct stop_event *ev)
{
	uint64_t context = 0;

	*ev = (struct stop_event){ .vcpu = cpu->id, .why = STOP_VCPU_ON, .pc = kvm_cpu_pc(cpu) };
	kvm_reg_get(cpu, KVM_REG_X(0), &context);
	snprintf(ev->text, sizeof(ev->text), "vCPU %u came online at %#" PRIx64 ", context id %#" PRIx64, cpu->id,
		 ev->pc.raw, context);
}

bool kvm_online_arm(struct kvm_cpu *cpu, struct stop_event *ev)
{
	if (!cpu->all->catch_online)
		return false;
	while (!is_online(cpu)) {
		cpu->was_offline = true;
		if (kvm_cpu_wait_stop_for(cpu, LOOK_EVERY_MS))
			return false;
	}
	if (!cpu->was_offline)
		return false;
	cpu->was_offline = false;
	event_fill(cpu, ev);
	return true;
}

bool kvm_online_reached(struct kvm_cpu *cpu, struct stop_event *ev)
{
	return false;
}

bool kvm_online_disarm(struct kvm_cpu *cpu, struct stop_event *ev)
{
	return false;
}
