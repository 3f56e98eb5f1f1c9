/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* KVM_SET_GUEST_DEBUG and KVM_EXIT_DEBUG on x86. */
#include <errno.h>
#include <string.h>

#include "kvm/internal.h"

/* Intel SDM "Debug Registers"; vectors from "Sources of Exceptions and Interrupts". */
enum { DR6_BS = 1 << 14, VECTOR_BP = 3 };
#define DR7_ENABLE(slot) (3ull << (2 * (slot)))

/* Debug-register slots that are left out while the vCPU is stepped off a breakpoint; bit per slot. */
static unsigned lifted_slots(const struct kvm_cpu *cpu)
{
	const struct kvm_cpus *c = cpu->all;
	unsigned mask = 0;

	for (unsigned i = 0; cpu->debug.lift && i < c->hw.nslots; i++) {
		if (c->hw.slot[i].part.kind == HW_EXEC && c->hw.slot[i].part.at.raw == cpu->debug.lift_at.raw)
			mask |= BIT(i);
	}
	return mask;
}

bool kvm_debug_exec_at(const struct kvm_cpus *c, gva pc)
{
	for (unsigned i = 0; i < c->hw.nslots; i++) {
		if (c->hw.slot[i].part.kind == HW_EXEC && c->hw.slot[i].part.at.raw == pc.raw)
			return true;
	}
	return false;
}

static uint32_t step_control(const struct kvm_cpu *cpu)
{
	uint32_t block = cpu->all->port->caps_guest_debug & KVM_GUESTDBG_BLOCKIRQ;

	return KVM_GUESTDBG_ENABLE | KVM_GUESTDBG_SINGLESTEP | block;
}

static struct kvm_guest_debug encode(struct kvm_cpu *cpu)
{
	const struct kvm_cpus *c = cpu->all;
	struct kvm_guest_debug d = { .control = cpu->debug.step ? step_control(cpu) : 0 };
	unsigned lifted = lifted_slots(cpu);

	if (c->steps || kvm_cpu_filter(cpu).whys & BIT(STOP_SWBREAK))
		d.control |= KVM_GUESTDBG_ENABLE | KVM_GUESTDBG_USE_SW_BP;
	if (!c->hw.nslots)
		return d;
	d.control |= KVM_GUESTDBG_ENABLE | KVM_GUESTDBG_USE_HW_BP;
	for (unsigned i = 0; i < 8; i++)
		d.arch.debugreg[i] = c->hw.reg[i];
	for (unsigned i = 0; i < c->hw.nslots; i++) {
		if (lifted & BIT(i))
			d.arch.debugreg[7] &= ~DR7_ENABLE(i);
	}
	return d;
}

int kvm_debug_arm(struct kvm_cpu *cpu)
{
	struct kvm_guest_debug d;
	int rc;

	if (cpu->debug.armed)
		return 0;
	d = encode(cpu);
	if (cpu->debug.inject)
		d.control |= KVM_GUESTDBG_ENABLE | cpu->debug.inject;
	rc = kvm_cpu_ioctl(cpu, KVM_SET_GUEST_DEBUG, &d);
	if (rc >= 0)
		cpu->debug.inject = 0;
	/* A step is said again each time: KVM ties the trap flag to the rip of the call. */
	cpu->debug.armed = rc >= 0 && !cpu->debug.step;
	return rc;
}

/* B0-B3 of breakpoints that the guest itself has enabled; while ours are in, its own are not. */
static uint64_t own_hits(const struct kvm_debug_exit_arch *d)
{
	uint64_t hits = 0;

	for (unsigned i = 0; i < 4; i++) {
		if (d->dr7 & DR7_ENABLE(i))
			hits |= d->dr6 & BIT(i);
	}
	return hits;
}

void kvm_debug_trap(struct kvm_cpu *cpu, struct kvm_trap *out)
{
	const struct kvm_debug_exit_arch *d = &cpu->run->debug.arch;
	struct kvm_cpus *c = cpu->all;
	struct kvm_trap t = { .kind = KVM_TRAP_GUEST, .pc = GVA(d->pc), .status = d->dr6 };
	int slot;

	if (d->exception == VECTOR_BP) {
		t.kind = KVM_TRAP_BPINSN;
		*out = t;
		return;
	}
	/* B0-B3 are also set for slots that match but are not enabled. */
	slot = c->hw.nslots ? c->arch->hw_decode(&c->hw, d->dr6 & ~(uint64_t)lifted_slots(cpu)) : -ENOENT;
	if (slot >= 0) {
		t.kind = KVM_TRAP_HW;
		t.slot = (unsigned)slot;
	} else if ((d->dr6 & DR6_BS) && cpu->debug.step) {
		t.kind = KVM_TRAP_STEP;
	}
	t.own = c->hw.nslots ? 0 : own_hits(d);
	*out = t;
}

/*
 * The resume flag lets the instruction at the breakpoint go, for one exit. KVM's emulator does not look at it: the
 * same hit with nothing changed since calls for a step with the slot left out.
 */
int kvm_debug_pass(struct kvm_cpu *cpu, gva pc)
{
	struct kvm_regs now;
	int rc = 0;

	if (!cpu->debug.step)
		rc = kvm_cpu_ioctl(cpu, KVM_GET_REGS, &now);
	if (rc < 0)
		return rc;
	if (!cpu->debug.step) {
		now.rflags |= X86_RFLAGS_RF;
		if (memcmp(&now, &cpu->passed, sizeof(now)) != 0) {
			cpu->passed = now;
			cpu->synced = false;
			return kvm_cpu_ioctl(cpu, KVM_SET_REGS, &now);
		}
	}
	memset(&cpu->passed, 0, sizeof(cpu->passed));
	cpu->debug.lift = true;
	cpu->debug.lift_at = pc;
	cpu->debug.armed = false;
	return 0;
}

bool kvm_debug_fresh(struct kvm_cpu *cpu)
{
	struct kvm_regs regs;

	return kvm_cpu_ioctl(cpu, KVM_GET_REGS, &regs) == 0 && regs.rip == 0xfff0 && regs.rsp == 0;
}
