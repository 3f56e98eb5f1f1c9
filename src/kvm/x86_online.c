/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A stop at the first instruction of a vCPU that comes online. KVM does not tell when a start-up interrupt arrives: a
 * KVM_RUN that waited for it goes straight into the guest. But KVM looks at a pending triple fault right before it
 * enters the guest, and not while the vCPU waits: one that is planted in a waiting vCPU makes KVM_RUN return with
 * KVM_EXIT_SHUTDOWN when the first instruction is next. The guest never gets it: it is gone with that exit, and is
 * taken out whenever the vCPU parks before.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "kvm/internal.h"
#define LOG_ROOM LOG_KVM
#include "util/log.h"

int kvm_online_catch(struct kvm_cpus *c)
{
	struct kvm_enable_cap cap = { .cap = KVM_CAP_X86_TRIPLE_FAULT_EVENT, .args = { 1 } };
	struct kvm_port *p = c->port;

	return p->mp_state && p->vcpu_events && p->ops->vm_ioctl(p, KVM_ENABLE_CAP, &cap) >= 0 ? 0 : -ENOTSUP;
}

bool kvm_mp_is_online(uint32_t mp_state)
{
	return mp_state != KVM_MP_STATE_UNINITIALIZED && mp_state != KVM_MP_STATE_INIT_RECEIVED;
}

static bool is_online(struct kvm_cpu *cpu)
{
	struct kvm_mp_state s = { .mp_state = KVM_MP_STATE_RUNNABLE };

	cpu->synced = false; // a start-up interrupt that has come is taken in by this
	kvm_cpu_ioctl(cpu, KVM_GET_MP_STATE, &s);
	return kvm_mp_is_online(s.mp_state);
}

static int plant(struct kvm_cpu *cpu, bool pending)
{
	struct kvm_vcpu_events e = { 0 };
	int rc = kvm_cpu_ioctl(cpu, KVM_GET_VCPU_EVENTS, &e);

	if (rc < 0)
		return rc;
	e.flags = KVM_VCPUEVENT_VALID_TRIPLE_FAULT; // an INIT or NMI that comes meanwhile must not be undone
	e.triple_fault.pending = pending;
	return kvm_cpu_ioctl(cpu, KVM_SET_VCPU_EVENTS, &e);
}

static void event_fill(struct kvm_cpu *cpu, struct stop_event *ev)
{
	struct arch_regs r = { 0 };

	*ev = (struct stop_event){ .vcpu = cpu->id, .why = STOP_VCPU_ON };
	if (kvm_regs_read(cpu->all->port, cpu->id, ARCH_CORE | ARCH_SYS, &r) < 0)
		return;
	ev->pc = cpu->all->arch->pc_get(&r);
	snprintf(ev->text, sizeof(ev->text), "vCPU %u came online at %04x:%04x", cpu->id, r.x86.seg[X86_CS].sel,
		 (unsigned)r.x86.rip & 0xffff);
}

/* It is there: told once. */
static void came_online(struct kvm_cpu *cpu, struct stop_event *ev)
{
	cpu->waits_for_start = cpu->was_offline = false;
	event_fill(cpu, ev);
}

bool kvm_online_arm(struct kvm_cpu *cpu, struct stop_event *ev)
{
	int rc;

	cpu->waits_for_start = false;
	if (!cpu->all->catch_online)
		return false;
	if (is_online(cpu)) {
		if (!cpu->was_offline)
			return false;
		came_online(cpu, ev); // while it was held
		return true;
	}
	cpu->was_offline = true;
	rc = plant(cpu, true);
	if (rc < 0)
		log_warn("vCPU %u will come online unnoticed: %s", cpu->id, strerror(-rc));
	cpu->waits_for_start = rc == 0;
	return false;
}

bool kvm_online_reached(struct kvm_cpu *cpu, struct stop_event *ev)
{
	if (!cpu->waits_for_start)
		return false;
	came_online(cpu, ev);
	return true;
}

bool kvm_online_disarm(struct kvm_cpu *cpu, struct stop_event *ev)
{
	int rc;

	if (!cpu->waits_for_start)
		return false;
	cpu->waits_for_start = false;
	rc = plant(cpu, false);
	if (rc < 0)
		log_err("vCPU %u is left with a triple fault that is not the guest's: %s", cpu->id, strerror(-rc));
	if (!is_online(cpu)) // reading the state also takes in what has arrived
		return false;
	came_online(cpu, ev);
	return true;
}
