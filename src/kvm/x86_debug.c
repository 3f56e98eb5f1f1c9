/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* KVM_SET_GUEST_DEBUG and KVM_EXIT_DEBUG on x86. */
#include <errno.h>
#include <string.h>

#include "kvm/x86_internal.h"

/* Intel SDM "Debug Registers"; vectors from "Sources of Exceptions and Interrupts". */
enum { DR6_BP_MASK = 0xf, DR6_BS = 1 << 14, VECTOR_BP = 3, NSLOTS = 4 };
#define DR7_ENABLE(slot) (3ull << (2 * (slot)))
#define DR7_HOW(slot) (16 + 4 * (slot)) /* R/W and LEN, four bits */

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

void kvm_debug_begin(struct kvm_cpu *cpu)
{
	memset(&cpu->mach->passed, 0, sizeof(cpu->mach->passed));
	cpu->debug.lift = cpu->debug.armed = false; // the filter and the slots may have changed
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

/*
 * While ours are in, KVM does not have the guest's own debug registers in effect: those that it has enabled go into the
 * slots that are left. cpu->mach->own tells for each slot which of the guest's is there, plus 1.
 */
static void add_own(struct kvm_cpu *cpu, struct kvm_guest_debug *d)
{
	struct kvm_debugregs own;
	unsigned slot = cpu->all->hw.nslots;

	memset(cpu->mach->own, 0, sizeof(cpu->mach->own));
	if (kvm_cpu_ioctl(cpu, KVM_GET_DEBUGREGS, &own) < 0)
		return;
	for (unsigned i = 0; i < NSLOTS && slot < NSLOTS; i++) {
		if (!(own.dr7 & DR7_ENABLE(i)))
			continue;
		d->arch.debugreg[slot] = own.db[i];
		d->arch.debugreg[7] |= DR7_ENABLE(slot) | (own.dr7 >> DR7_HOW(i) & 15) << DR7_HOW(slot);
		cpu->mach->own[slot++] = (uint8_t)(i + 1);
	}
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
	add_own(cpu, &d);
	return d;
}

static bool same(const struct kvm_guest_debug *a, const struct kvm_guest_debug *b)
{
	return a->control == b->control && memcmp(&a->arch, &b->arch, sizeof(a->arch)) == 0;
}

/*
 * Behind a trap KVM still has the step armed, but the trap flag is gone if KVM emulated the instruction. To enter with
 * the flag in the registers of the run page costs no ioctl, but makes KVM look for interrupts.
 */
static bool step_again(struct kvm_cpu *cpu, const struct kvm_guest_debug *d, bool trapped)
{
	if (!trapped || !cpu->debug.step || !cpu->synced || !same(d, &cpu->mach->said))
		return false;
	if (cpu->mach->has_tf)
		return true;
	cpu->run->s.regs.regs.rflags |= X86_RFLAGS_TF;
	cpu->run->kvm_dirty_regs = KVM_SYNC_X86_REGS;
	return true;
}

int kvm_debug_arm(struct kvm_cpu *cpu)
{
	const bool trapped = cpu->mach->trapped;
	struct kvm_guest_debug d;
	int rc;

	if (cpu->debug.armed)
		return 0;
	cpu->mach->trapped = false;
	cpu->run->kvm_dirty_regs = 0;
	d = encode(cpu);
	if (cpu->mach->inject)
		d.control |= KVM_GUESTDBG_ENABLE | cpu->mach->inject;
	if (step_again(cpu, &d, trapped))
		return 0;
	rc = kvm_cpu_ioctl(cpu, KVM_SET_GUEST_DEBUG, &d);
	if (rc >= 0)
		cpu->mach->inject = 0;
	cpu->mach->said = rc >= 0 ? d : (struct kvm_guest_debug){ 0 };
	/* A step is said again each time, in one way or the other: KVM ties the trap flag to the rip of the call. */
	cpu->debug.armed = rc >= 0 && !cpu->debug.step;
	return rc;
}

/* B0-B3 of breakpoints that the guest itself has enabled, as it has numbered them. */
static uint64_t own_hits(const struct kvm_cpu *cpu, const struct kvm_debug_exit_arch *d)
{
	bool ours = cpu->all->hw.nslots;
	uint64_t hits = 0;

	for (unsigned i = 0; i < NSLOTS; i++) {
		if (!(d->dr6 & BIT(i)))
			continue;
		if (ours && cpu->mach->own[i])
			hits |= BIT(cpu->mach->own[i] - 1);
		else if (!ours && d->dr7 & DR7_ENABLE(i))
			hits |= BIT(i);
	}
	return hits;
}

/*
 * The slots that this trap is of. A trap behind an instruction may also show an exec slot at the next one, which some
 * processors do: that one hits by itself when the vCPU comes to it.
 */
static uint64_t slot_hits(const struct kvm_cpu *cpu, uint64_t dr6)
{
	const struct kvm_cpus *c = cpu->all;
	uint64_t data = 0, exec = 0;

	for (unsigned i = 0; i < c->hw.nslots; i++)
		*(c->hw.slot[i].part.kind == HW_EXEC ? &exec : &data) |= dr6 & BIT(i);
	if (data || (dr6 & DR6_BS && cpu->debug.step))
		return data;
	return exec & ~(uint64_t)lifted_slots(cpu);
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
	slot = c->hw.nslots ? c->arch->hw_decode(&c->hw, slot_hits(cpu, d->dr6), t.pc) : -ENOENT;
	t.own = own_hits(cpu, d);
	t.status = (d->dr6 & ~(uint64_t)DR6_BP_MASK) | t.own;
	/* An instruction has hit the guest's own, and is followed by one of ours: that one hits when the guest is back.
	 */
	if (slot >= 0 && (!t.own || c->hw.slot[slot].part.kind != HW_EXEC)) {
		t.kind = KVM_TRAP_HW;
		t.slot = (unsigned)slot;
		t.touched = c->hw.slot[slot].part.at;
	} else if ((d->dr6 & DR6_BS) && cpu->debug.step) {
		t.kind = KVM_TRAP_STEP;
		cpu->mach->trapped = true;
		cpu->mach->has_tf = kvm_step_was_native(cpu);
	}
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
		if (memcmp(&now, &cpu->mach->passed, sizeof(now)) != 0) {
			cpu->mach->passed = now;
			cpu->synced = false;
			return kvm_cpu_ioctl(cpu, KVM_SET_REGS, &now);
		}
	}
	memset(&cpu->mach->passed, 0, sizeof(cpu->mach->passed));
	cpu->debug.lift = true;
	cpu->debug.lift_at = pc;
	cpu->debug.armed = false;
	return 0;
}

gva kvm_debug_end_pc(struct kvm_cpu *cpu)
{
	gva pc;

	if (cpu->run->exit_reason == KVM_EXIT_DEBUG)
		return GVA(cpu->run->debug.arch.pc);
	return kvm_run_pc(cpu->run, &pc) ? pc : kvm_cpu_pc(cpu);
}

bool kvm_debug_fresh(struct kvm_cpu *cpu)
{
	struct kvm_regs regs;

	return kvm_cpu_ioctl(cpu, KVM_GET_REGS, &regs) == 0 && regs.rip == 0xfff0 && regs.rsp == 0;
}
