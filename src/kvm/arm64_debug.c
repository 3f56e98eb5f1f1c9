/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * KVM_SET_GUEST_DEBUG and KVM_EXIT_DEBUG on arm64. While anything is asked for, KVM takes every debug exception of the
 * guest, so that those of its own have to be given back.
 */
#include <errno.h>
#include <string.h>

#include "arch/arm64_step.h"
#include "kvm/arm64_internal.h"

enum { MDSCR_MDE = 1 << 15, DBG_ENABLE = 1, BCR_TYPE = 15 << 20, WCR_LINKED = 1 << 20 };

void kvm_debug_begin(struct kvm_cpu *cpu)
{
	/* The filter and the slots may have changed; so may what the guest has in memory. */
	cpu->debug.lift = cpu->debug.armed = cpu->mach->passes_own = false;
	cpu->mach->not_taken = 0;
}

static bool is_lifted(const struct kvm_cpu *cpu, const struct hw_break *part)
{
	if (!cpu->debug.step)
		return false;
	if (part->kind != HW_EXEC)
		return cpu->debug.lift_watches;
	return cpu->debug.lift && part->at.raw == cpu->debug.lift_at.raw;
}

bool kvm_debug_exec_at(const struct kvm_cpus *c, gva pc)
{
	for (unsigned i = 0; i < c->hw.nslots; i++) {
		if (c->hw.slot[i].part.kind == HW_EXEC && c->hw.slot[i].part.at.raw == pc.raw)
			return true;
	}
	return false;
}

/* Breakpoints and watchpoints in use. */
struct counts {
	unsigned bps, wps;
};

static void note_watch(struct kvm_cpu *cpu, const struct hw_break *part, unsigned owner)
{
	struct arch_hw_state *w = &cpu->mach->watches;

	w->slot[w->nslots].part = *part;
	w->slot[w->nslots++].owner = owner;
}

static void add_slots(struct kvm_cpu *cpu, const struct arch_hw_state *hw, bool exec, bool data,
		      struct kvm_guest_debug *d, struct counts *n)
{
	for (unsigned i = 0; i < hw->nslots; i++) {
		const struct hw_break *part = &hw->slot[i].part;

		if (is_lifted(cpu, part) || !(part->kind == HW_EXEC ? exec : data))
			continue;
		if (part->kind == HW_EXEC) {
			d->arch.dbg_bvr[n->bps] = hw->reg[2 * i];
			d->arch.dbg_bcr[n->bps++] = hw->reg[2 * i + 1];
		} else {
			d->arch.dbg_wvr[n->wps] = hw->reg[2 * i];
			d->arch.dbg_wcr[n->wps++] = hw->reg[2 * i + 1];
			note_watch(cpu, part, i);
		}
	}
}

/*
 * While ours are in, KVM does not have the guest's own in effect: those that it has enabled go into what is left.
 * Linked ones stay out, as they name others by their numbers.
 */
static void add_own(struct kvm_cpu *cpu, struct kvm_guest_debug *d, struct counts n)
{
	const struct kvm_port *p = cpu->all->port;
	struct hw_break part;
	uint64_t how, at;

	if (!(kvm_reg_get_sys(cpu, ARM64_MDSCR_EL1) & MDSCR_MDE))
		return;
	for (unsigned i = 0; i < p->regs->nbps && n.bps < p->hw_max.exec; i++) {
		if (kvm_reg_get(cpu, kvm_reg_dbg(KVM_DBGBCR, i), &how) < 0 || !(how & DBG_ENABLE) || how & BCR_TYPE)
			continue;
		d->arch.dbg_bcr[n.bps] = how;
		kvm_reg_get(cpu, kvm_reg_dbg(KVM_DBGBVR, i), (uint64_t *)&d->arch.dbg_bvr[n.bps++]);
	}
	for (unsigned i = 0; i < p->regs->nwps && n.wps < p->hw_max.watch; i++) {
		if (kvm_reg_get(cpu, kvm_reg_dbg(KVM_DBGWCR, i), &how) < 0 || !(how & DBG_ENABLE) || how & WCR_LINKED)
			continue;
		if (kvm_reg_get(cpu, kvm_reg_dbg(KVM_DBGWVR, i), &at) < 0)
			continue;
		d->arch.dbg_wvr[n.wps] = at;
		d->arch.dbg_wcr[n.wps++] = how;
		arm64_watch_decode(at, how, &part);
		note_watch(cpu, &part, KVM_OWNER_GUEST);
	}
}

static bool passes_own(struct kvm_cpu *cpu)
{
	struct kvm_cpu_mach *m = cpu->mach;

	m->passes_own = m->passes_own && cpu->debug.step && kvm_step_pc(cpu).raw == m->passes_at.raw;
	return m->passes_own;
}

static struct kvm_guest_debug encode(struct kvm_cpu *cpu)
{
	const struct arch_hw_state *own = kvm_step_slots(cpu), *hw = &cpu->all->hw;
	struct kvm_guest_debug d = { 0 };
	struct counts n = { 0 };

	cpu->mach->watches.nslots = 0;
	if (kvm_cpu_filter(cpu).whys & BIT(STOP_SWBREAK))
		d.control |= KVM_GUESTDBG_ENABLE | KVM_GUESTDBG_USE_SW_BP;
	if (cpu->debug.step && !own)
		d.control |= KVM_GUESTDBG_ENABLE | KVM_GUESTDBG_SINGLESTEP;
	if (!hw->nslots && !own)
		return d;
	d.control |= KVM_GUESTDBG_ENABLE | KVM_GUESTDBG_USE_HW;
	if (own)
		add_slots(cpu, own, true, false, &d, &n);
	add_slots(cpu, hw, !own, true, &d, &n);
	if (!passes_own(cpu))
		add_own(cpu, &d, n);
	return d;
}

int kvm_debug_arm(struct kvm_cpu *cpu)
{
	struct kvm_guest_debug d;
	int rc;

	if (cpu->debug.armed)
		return 0;
	d = encode(cpu);
	rc = kvm_cpu_ioctl(cpu, KVM_SET_GUEST_DEBUG, &d);
	cpu->debug.armed = rc >= 0 && !cpu->debug.step;
	return MIN(rc, 0);
}

/* The slot of ours that a watchpoint exception belongs to; the guest may have some of its own close by. */
static int watch_slot(const struct kvm_cpu *cpu, const struct kvm_trap *t)
{
	const struct arch_hw_state *w = &cpu->mach->watches;
	int i = cpu->all->arch->hw_decode(w, t->status, GVA(t->far));

	return i >= 0 && w->slot[i].owner != KVM_OWNER_GUEST ? (int)w->slot[i].owner : -ENOENT;
}

void kvm_debug_trap(struct kvm_cpu *cpu, struct kvm_trap *out)
{
	const struct kvm_debug_exit_arch *d = &cpu->run->debug.arch;
	struct kvm_trap t = { .kind = KVM_TRAP_GUEST, .pc = kvm_cpu_pc(cpu), .status = d->hsr, .far = d->far };
	const struct kvm_cpus *c = cpu->all;
	unsigned class = d->hsr >> ARM64_EC_SHIFT;
	int slot = -ENOENT;

	if (cpu->run->flags & KVM_DEBUG_ARCH_HSR_HIGH_VALID)
		t.status |= (uint64_t)d->hsr_high << 32;
	switch (class) {
	case ARM64_EC_BRK64:
		t.kind = KVM_TRAP_BPINSN;
		break;
	case ARM64_EC_BKPT32: // the guest's own: what the debugger puts in is A64 code
		break;
	case ARM64_EC_STEP_LOW:
	case ARM64_EC_STEP:
		t.kind = cpu->debug.step ? KVM_TRAP_STEP : KVM_TRAP_GUEST;
		break;
	case ARM64_EC_BREAKPOINT_LOW:
	case ARM64_EC_BREAKPOINT:
		if (kvm_step_goes_on(cpu, t.pc))
			t.kind = KVM_TRAP_NONE;
		else if (kvm_step_reached(cpu, t.pc))
			t.kind = KVM_TRAP_STEP;
		else
			slot = c->arch->hw_decode(&c->hw, t.status, t.pc);
		break;
	case ARM64_EC_WATCHPOINT_LOW:
	case ARM64_EC_WATCHPOINT:
		slot = watch_slot(cpu, &t);
		break;
	default:
		break;
	}
	if (slot >= 0) {
		t.kind = KVM_TRAP_HW;
		t.slot = (unsigned)slot;
		t.touched = arch_hw_nearest(&c->hw.slot[slot].part, GVA(d->far));
	}
	*out = t;
}

/* Nothing like a resume flag: the vCPU takes a step with the slot left out. */
int kvm_debug_pass(struct kvm_cpu *cpu, gva pc)
{
	cpu->debug.lift = true;
	cpu->debug.lift_at = pc;
	cpu->debug.armed = false;
	return 0;
}

void kvm_debug_pass_own(struct kvm_cpu *cpu, gva pc)
{
	cpu->mach->passes_own = true;
	cpu->mach->passes_at = pc;
	kvm_debug_pass(cpu, pc);
}

gva kvm_debug_end_pc(struct kvm_cpu *cpu)
{
	return kvm_cpu_pc(cpu);
}

bool kvm_debug_fresh(struct kvm_cpu *cpu)
{
	return false;
}
