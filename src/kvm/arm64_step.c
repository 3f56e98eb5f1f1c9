/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * One exact step: one instruction is executed, or the exception that it raises is taken, and nothing in the guest shows
 * that it was stepped. The processor's software step goes on into exception handlers, so that the step of an
 * instruction that raises one ends at its vector. What is left to be done:
 *
 * - Interrupts, pending ones above all, would be taken in place of the instruction. DAIF is masked for the step and is
 *   then what the instruction itself makes it; mrs, and the SPSR_EL1 of an exception, get the guest's own.
 * - A saved PSTATE also has the step's own flag.
 * - From a load-exclusive on everything up to its store is executed as a unit, with breakpoints at the ways out and at
 * the vector: an exception in between would make the store fail, time after time. Where it waits for another vCPU, by a
 * branch back, it is executed up to the branch first: taken, the step ends there, as the other vCPU may be held; not
 * taken, it begins anew and goes on over the branch.
 * - wfi would wait in KVM until an interrupt is pending. An instruction that may wake up at any time wakes up at once.
 *
 * A breakpoint instruction of the guest's own, and hits of its debug registers, are given back by doing what the
 * processor does to take an exception to EL1: KVM has no call for that.
 */
#include "kvm/arm64_internal.h"

#include <errno.h>
#include <stdlib.h>

enum { SCTLR_NTWI = 1 << 16 };

/* What a step masks. D does not matter: debug exceptions go to EL2. */
#define MASKED ((uint64_t)(ARM64_PSTATE_A | ARM64_PSTATE_I | ARM64_PSTATE_F))
#define BTYPE (UINT64_C(3) << 10)

int kvm_step_init(struct kvm_cpu *cpu)
{
	cpu->step = calloc(1, sizeof(*cpu->step));
	return cpu->step ? 0 : -ENOMEM;
}

void kvm_step_deinit(struct kvm_cpu *cpu)
{
	free(cpu->step);
}

/* ---- before ---- */

static bool is_a32(uint64_t pstate)
{
	return pstate & ARM64_PSTATE_NRW;
}

static unsigned el_of(uint64_t pstate)
{
	return is_a32(pstate) ? (pstate & 15) != 0 : (pstate & ARM64_PSTATE_EL) >> ARM64_PSTATE_EL_SHIFT;
}

static void look(struct kvm_cpu *cpu, struct kvm_step *s)
{
	uint32_t code;

	if (!cpu->untouched && !cpu->onward)
		kvm_insn_forget(cpu);
	else if (!cpu->untouched)
		cpu->mach->page = 0; // another vCPU may have changed the tables
	s->insn = (struct arm64_insn){ .kind = ARM64_INSN_PLAIN };
	s->known = !is_a32(s->pstate) && kvm_insn_read(cpu, s->pc, &code, 1);
	if (s->known)
		arm64_insn_decode(code, &s->insn);
	if (!s->known || (s->insn.kind != ARM64_INSN_PLAIN && s->insn.kind != ARM64_INSN_LOAD_EXCL))
		kvm_insn_forget(cpu);
}

/* Does wfi wait, rather than trap to EL1? */
static bool may_wait(struct kvm_cpu *cpu, const struct kvm_step *s)
{
	if (s->pstate & ARM64_PSTATE_IL)
		return false;
	return el_of(s->pstate) > 0 || kvm_reg_get_sys(cpu, ARM64_SCTLR_EL1) & SCTLR_NTWI;
}

static int skip(struct kvm_cpu *cpu, struct kvm_step *s)
{
	int rc = kvm_reg_set(cpu, KVM_REG_PC, s->pc + KVM_INSN_LEN);

	if (rc == 0 && s->pstate & BTYPE)
		rc = kvm_reg_set(cpu, KVM_REG_PSTATE, s->pstate & ~BTYPE);
	s->done = rc == 0;
	return rc < 0 ? rc : 1;
}

static int mask(struct kvm_cpu *cpu, struct kvm_step *s)
{
	if (s->asleep || (s->pstate & MASKED) == MASKED)
		return 0;
	return kvm_reg_set(cpu, KVM_REG_PSTATE, s->pstate | MASKED);
}

static int read_state(struct kvm_cpu *cpu, uint64_t *pc, uint64_t *pstate)
{
	int rc = kvm_reg_get(cpu, KVM_REG_PC, pc);

	if (rc == 0)
		rc = kvm_reg_get(cpu, KVM_REG_PSTATE, pstate);
	if (rc == 0 && *pstate & ARM64_PSTATE_SS && !(kvm_reg_get_sys(cpu, ARM64_MDSCR_EL1) & 1))
		*pstate &= ~(uint64_t)ARM64_PSTATE_SS;
	return rc;
}

int kvm_step_begin(struct kvm_cpu *cpu, bool can_land)
{
	struct kvm_step *s = cpu->step;
	int rc = read_state(cpu, &s->pc, &s->pstate);

	if (rc < 0)
		return rc;
	s->on = true;
	s->unit = s->done = false;
	s->asleep = !can_land;
	look(cpu, s);
	if (!s->asleep && s->known && s->insn.kind == ARM64_INSN_WFI && may_wait(cpu, s))
		return skip(cpu, s);
	s->again = cpu->mach->not_taken;
	s->unit = s->known && s->insn.kind == ARM64_INSN_LOAD_EXCL && kvm_excl_plan(cpu, s);
	cpu->mach->not_taken = 0;
	return mask(cpu, s);
}

enum kvm_step_reach kvm_step_reach(const struct kvm_cpu *cpu)
{
	const struct kvm_step *s = cpu->step;

	return !s->known || s->insn.timed ? KVM_STEP_ANYTHING : KVM_STEP_NO_DEVICE;
}

gva kvm_step_pc(const struct kvm_cpu *cpu)
{
	return GVA(cpu->step->pc);
}

bool kvm_step_halts(const struct kvm_cpu *cpu)
{
	return false;
}

uint64_t kvm_step_wants(struct kvm_cpu *cpu, uint64_t regs)
{
	return regs;
}

bool kvm_step_synced(struct kvm_cpu *cpu, int rc)
{
	return cpu->run->kvm_valid_regs;
}

/* Nothing is planted in memory. */
void kvm_step_plant(struct kvm_cpu *cpu)
{
}

void kvm_step_unplant(struct kvm_cpu *cpu)
{
}

bool kvm_step_landed(struct kvm_cpu *cpu, gva pc)
{
	return false;
}

bool kvm_step_is_others(struct kvm_cpu *cpu, gva pc)
{
	return false;
}

/* ---- after ---- */

/* Has an exception been taken to EL1? Its handler begins at a vector, with where the instruction was. */
static bool took_exception(struct kvm_cpu *cpu, const struct kvm_step *s, uint64_t pc, uint64_t pstate)
{
	const uint64_t handler = 1 << ARM64_PSTATE_EL_SHIFT | ARM64_PSTATE_SP | ARM64_PSTATE_DAIF;
	const uint64_t state = handler | ARM64_PSTATE_NRW | ARM64_PSTATE_EL;
	uint64_t elr, back = s->insn.kind == ARM64_INSN_CALL ? s->pc + KVM_INSN_LEN : s->pc;

	if ((pstate & state) != handler || el_of(s->pstate) > 1 || pc & 0x7f)
		return false;
	if (pc != arm64_entry_vector(kvm_reg_get_sys(cpu, ARM64_VBAR_EL1), s->pstate))
		return false;
	if (kvm_reg_get(cpu, KVM_REG_ELR_EL1, &elr) < 0)
		return false;
	/* In a unit it may have been any of its instructions; in AArch32 code they are of several lengths. */
	return elr == s->pc || elr == back || is_a32(s->pstate) ||
	       (s->unit && elr - s->pc < KVM_INSN_LEN * ARM64_EXCL_INSNS);
}

/* An interrupt that msr daifclr has let in is taken before the step's exception, or behind it: both are allowed. */
static bool interrupted(struct kvm_cpu *cpu, const struct kvm_step *s, uint64_t pc, uint64_t pstate)
{
	struct arm64_stepped to = { .pc = pc, .pstate = pstate };

	if (s->insn.kind != ARM64_INSN_DAIF_CLR || kvm_reg_get(cpu, KVM_REG_ELR_EL1, &to.elr_el1) < 0)
		return false;
	to.vbar_el1 = kvm_reg_get_sys(cpu, ARM64_VBAR_EL1);
	return arm64_unmask_interrupted(&s->insn, s->pc, s->pstate, &to);
}

/* @masks: the guest's own at the time of the exception. */
static int fix_image(struct kvm_cpu *cpu, const struct kvm_step *s, uint64_t masks)
{
	const uint64_t ours = MASKED | ARM64_PSTATE_SS;
	uint64_t spsr, own;
	int rc = kvm_reg_get(cpu, KVM_REG_SPSR_EL1, &spsr);

	if (rc < 0)
		return rc;
	own = (spsr & ~ours) | masks | (s->pstate & ARM64_PSTATE_SS);
	return own == spsr ? 0 : kvm_reg_set(cpu, KVM_REG_SPSR_EL1, own);
}

static int fix_daif_read(struct kvm_cpu *cpu, const struct kvm_step *s)
{
	uint64_t v;
	int rc = s->insn.rt == 31 ? 0 : kvm_reg_get(cpu, KVM_REG_X(s->insn.rt), &v);

	if (rc < 0 || s->insn.rt == 31)
		return rc;
	return kvm_reg_set(cpu, KVM_REG_X(s->insn.rt), (v & ~MASKED) | (s->pstate & MASKED));
}

/* A, I and F behind the instruction. */
static uint64_t masks_after(const struct kvm_step *s, uint64_t pstate)
{
	switch (s->insn.kind) {
	case ARM64_INSN_DAIF_PUT:
	case ARM64_INSN_ERET:
		return pstate & MASKED;
	case ARM64_INSN_DAIF_SET:
		return (s->pstate | s->insn.mask) & MASKED;
	case ARM64_INSN_DAIF_CLR:
		return s->pstate & ~s->insn.mask & MASKED;
	default:
		return s->pstate & MASKED;
	}
}

static int settle(struct kvm_cpu *cpu, struct kvm_step *s, uint64_t pc, uint64_t pstate)
{
	uint64_t own;
	int rc = 0;

	if (took_exception(cpu, s, pc, pstate)) {
		kvm_insn_forget(cpu);
		return fix_image(cpu, s, s->pstate & MASKED);
	}
	if (interrupted(cpu, s, pc, pstate)) {
		kvm_insn_forget(cpu);
		return fix_image(cpu, s, masks_after(s, pstate));
	}
	if (s->insn.kind == ARM64_INSN_DAIF_GET)
		rc = fix_daif_read(cpu, s);
	own = (pstate & ~MASKED) | masks_after(s, pstate);
	return rc < 0 || own == pstate ? rc : kvm_reg_set(cpu, KVM_REG_PSTATE, own);
}

int kvm_step_end(struct kvm_cpu *cpu)
{
	struct kvm_step *s = cpu->step;
	uint64_t pc, pstate;
	int rc;

	s->on = false;
	if (s->done || s->asleep)
		return 0;
	rc = read_state(cpu, &pc, &pstate);
	return rc < 0 ? rc : settle(cpu, s, pc, pstate);
}

/*
 * An instruction that KVM emulates is done before a signal is looked at. KVM may still have the step's exception in
 * mind then: it is told to forget.
 */
int kvm_step_undo(struct kvm_cpu *cpu)
{
	struct kvm_step *s = cpu->step;
	struct kvm_guest_debug none = { 0 };
	uint64_t pc, pstate;
	int rc;

	if (!s->on)
		return 0;
	s->on = false;
	if (s->asleep)
		return 0;
	rc = read_state(cpu, &pc, &pstate);
	if (rc == 0 && pc != s->pc && !s->unit) {
		rc = settle(cpu, s, pc, pstate);
		rc = rc < 0 ? rc : kvm_cpu_ioctl(cpu, KVM_SET_GUEST_DEBUG, &none);
		return rc < 0 ? rc : 1;
	}
	if (rc < 0 || (pstate & MASKED) == (s->pstate & MASKED))
		return rc;
	return kvm_reg_set(cpu, KVM_REG_PSTATE, (pstate & ~MASKED) | (s->pstate & MASKED));
}

int kvm_step_leave(struct kvm_cpu *cpu)
{
	return 0;
}

int kvm_step_pause(struct kvm_cpu *cpu)
{
	return 0;
}

/* ---- exceptions of the guest's own ---- */

void kvm_step_own(struct kvm_cpu *cpu, const struct kvm_trap *t)
{
}

int kvm_step_give_own(struct kvm_cpu *cpu, const struct kvm_trap *t)
{
	return 0;
}

static unsigned class_of(const struct kvm_trap *t)
{
	return t->status >> ARM64_EC_SHIFT & 63;
}

static bool is_watchpoint(const struct kvm_trap *t)
{
	return class_of(t) == ARM64_EC_WATCHPOINT_LOW || class_of(t) == ARM64_EC_WATCHPOINT;
}

/* KVM takes the hits of debug registers wherever the guest is: in its entry code it would have had none. */
static bool wants(struct kvm_cpu *cpu, const struct kvm_trap *t, uint64_t pstate)
{
	bool breakpoint = class_of(t) == ARM64_EC_BREAKPOINT_LOW || class_of(t) == ARM64_EC_BREAKPOINT;

	if (!breakpoint && !is_watchpoint(t))
		return true;
	return arm64_debug_enabled(pstate, kvm_reg_get_sys(cpu, ARM64_MDSCR_EL1),
				   kvm_reg_get_sys(cpu, ARM64_OSLSR_EL1));
}

int kvm_step_give_back(struct kvm_cpu *cpu, const struct kvm_trap *t)
{
	struct kvm_step *s = cpu->step;
	struct arm64_entry e = { 0 };
	int rc = read_state(cpu, &e.pc, &e.pstate);

	if (rc < 0)
		return rc;
	if (!wants(cpu, t, e.pstate)) {
		kvm_debug_pass_own(cpu, t->pc);
		return 0;
	}
	if (s->on)
		e.pstate = (e.pstate & ~MASKED) | (s->pstate & MASKED);
	e.vbar_el1 = kvm_reg_get_sys(cpu, ARM64_VBAR_EL1);
	e.sctlr_el1 = kvm_reg_get_sys(cpu, ARM64_SCTLR_EL1);
	e.pfr1_el1 = kvm_reg_get_sys(cpu, ARM64_ID_AA64PFR1_EL1);
	e.mmfr1_el1 = kvm_reg_get_sys(cpu, ARM64_ID_AA64MMFR1_EL1);
	rc = kvm_reg_set(cpu, KVM_REG_ELR_EL1, e.pc);
	rc = rc < 0 ? rc : kvm_reg_set(cpu, KVM_REG_SPSR_EL1, e.pstate);
	rc = rc < 0 ? rc : kvm_reg_set_sys(cpu, ARM64_ESR_EL1, arm64_debug_esr(t->status, e.pstate));
	if (is_watchpoint(t))
		rc = rc < 0 ? rc : kvm_reg_set_sys(cpu, ARM64_FAR_EL1, t->far);
	rc = rc < 0 ? rc : kvm_reg_set(cpu, KVM_REG_PSTATE, arm64_entry_pstate(&e));
	rc = rc < 0 ? rc : kvm_reg_set(cpu, KVM_REG_PC, arm64_entry_vector(e.vbar_el1, e.pstate));
	kvm_insn_forget(cpu);
	s->done = s->on;
	return rc < 0 ? rc : cpu->debug.step;
}
