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
#include "arch/arm64_step.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "kvm/arm64_internal.h"
#include "util/bytes.h"

enum { INSN_LEN = 4, PAGE_SHIFT = 12, SCTLR_NTWI = 1 << 16 };

/* What a step masks. D does not matter: debug exceptions go to EL2. */
#define MASKED ((uint64_t)(ARM64_PSTATE_A | ARM64_PSTATE_I | ARM64_PSTATE_F))
#define BTYPE (UINT64_C(3) << 10)

struct kvm_step {
	bool on;             /* from kvm_step_begin() to _end() or _undo() */
	bool asleep;         /* the vCPU is not started: when it is, it begins with other registers */
	bool unit;           /* `slots` are in instead of a software step */
	bool done;           /* without entering the guest */
	bool known;          /* `insn` was read */
	uint64_t pc, pstate; /* before the instruction, the guest's own */
	struct arm64_insn insn;
	struct arch_hw_state slots;
	/* The first of `slots` are the step's own; the others, of the debugger's, are inside of the unit. */
	unsigned nexits;
	struct arm64_excl excl;
	unsigned again;          /* branches back of `excl` without a breakpoint */
	struct arch_regs before; /* of a unit with branches back: ARCH_CORE */
};

int kvm_step_init(struct kvm_cpu *cpu)
{
	cpu->step = calloc(1, sizeof(*cpu->step));
	return cpu->step ? 0 : -ENOMEM;
}

void kvm_step_deinit(struct kvm_cpu *cpu)
{
	free(cpu->step);
}

/* ---- the guest's code ---- */

static int table_read(void *port, gpa at, void *buf, size_t len)
{
	struct kvm_port *p = port;
	size_t n = len;
	const uint8_t *hva = p->ops->hva(p, at, &n);

	if (!hva || n < len)
		return -EFAULT;
	memcpy(buf, hva, len);
	return 0;
}

/* What is known of the guest's translation holds as long as the vCPU alone executes, and nothing that could change it.
 */
static void forget(struct kvm_cpu *cpu)
{
	cpu->mach->sys.have = 0;
	cpu->mach->page = 0;
}

static const uint8_t *find_page(struct kvm_cpu *cpu, uint64_t at)
{
	struct kvm_cpu_mach *m = cpu->mach;
	struct kvm_port *p = cpu->all->port;
	struct mmu_xlat x;
	size_t len = INSN_LEN;

	if (m->page == (at >> PAGE_SHIFT) + 1)
		return m->page_hva;
	if (!m->sys.have && kvm_regs_read(p, cpu->id, ARCH_CORE | ARCH_SYS, &m->sys) < 0)
		return NULL;
	at &= ~((UINT64_C(1) << PAGE_SHIFT) - 1);
	if (cpu->all->arch->walk(&m->sys, table_read, p, GVA(at), &x) < 0 || !x.mapped)
		return NULL;
	m->page_hva = p->ops->hva(p, GPA(x.phys.raw + (at - x.start.raw)), &len);
	m->page = m->page_hva ? (at >> PAGE_SHIFT) + 1 : 0;
	return m->page_hva;
}

bool kvm_insn_read(struct kvm_cpu *cpu, uint64_t pc, uint32_t *out, size_t n)
{
	for (size_t i = 0; i < n; i++, pc += INSN_LEN) {
		const uint8_t *page = pc % INSN_LEN ? NULL : find_page(cpu, pc);

		if (!page)
			return false;
		out[i] = ld_le32(page + (pc & ((1u << PAGE_SHIFT) - 1)));
	}
	return true;
}

bool kvm_step_is_bp(struct kvm_cpu *cpu, gva pc)
{
	uint32_t code;
	uint8_t bytes[INSN_LEN];

	forget(cpu);
	if (!kvm_insn_read(cpu, pc.raw, &code, 1))
		return true; // it was executed: the guest knows
	st_le32(bytes, code);
	return cpu->all->arch->is_bp(bytes, sizeof(bytes));
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
		forget(cpu);
	else if (!cpu->untouched)
		cpu->mach->page = 0; // another vCPU may have changed the tables
	s->insn = (struct arm64_insn){ .kind = ARM64_INSN_PLAIN };
	s->known = !is_a32(s->pstate) && kvm_insn_read(cpu, s->pc, &code, 1);
	if (s->known)
		arm64_insn_decode(code, &s->insn);
	if (!s->known || (s->insn.kind != ARM64_INSN_PLAIN && s->insn.kind != ARM64_INSN_LOAD_EXCL))
		forget(cpu);
}

/* Breakpoints at the ways out of the sequence that begins at pc, and where it leads if it faults. */
static bool plan_unit(struct kvm_cpu *cpu, struct kvm_step *s)
{
	const struct arch_hw_state *hw = &cpu->all->hw;
	struct hw_break req[ARCH_MAX_HW];
	uint32_t code[ARM64_EXCL_INSNS];
	struct arm64_excl x;
	unsigned n = 0, len = 1;

	while (len < ARRAY_LEN(code) && kvm_insn_read(cpu, s->pc + len * INSN_LEN, &code[len], 1))
		len++;
	if (!kvm_insn_read(cpu, s->pc, code, 1) || !arm64_excl_find(code, len, s->pc, &x))
		return false;
	for (; n < x.nexits; n++)
		req[n] = (struct hw_break){ .kind = HW_EXEC, .at = GVA(x.exits[n]), .len = INSN_LEN };
	req[n++] = (struct hw_break){
		.kind = HW_EXEC,
		.at = GVA(arm64_entry_vector(kvm_reg_get_sys(cpu, ARM64_VBAR_EL1), s->pstate)),
		.len = INSN_LEN,
	};
	for (unsigned i = 0; i < x.nbacks; i++) {
		if (!(s->again & BIT(i)))
			req[n++] = (struct hw_break){ .kind = HW_EXEC, .at = GVA(x.backs[i]), .len = INSN_LEN };
	}
	s->nexits = n;
	s->excl = x;
	if (x.nbacks && kvm_regs_read(cpu->all->port, cpu->id, ARCH_CORE, &s->before) < 0)
		return false;
	for (unsigned i = 0; i < hw->nslots && n < ARRAY_LEN(req); i++) {
		const struct hw_break *b = &hw->slot[i].part;

		if (b->kind == HW_EXEC && b->at.raw > s->pc && b->at.raw < x.end)
			req[n++] = *b;
	}
	return cpu->all->arch->hw_encode(&cpu->all->port->hw_max, req, n, &s->slots) == 0;
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
	int rc = kvm_reg_set(cpu, KVM_REG_PC, s->pc + INSN_LEN);

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
	s->unit = s->known && s->insn.kind == ARM64_INSN_LOAD_EXCL && plan_unit(cpu, s);
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

/* ---- breakpoints of a unit ---- */

const struct arch_hw_state *kvm_step_slots(const struct kvm_cpu *cpu)
{
	return cpu->debug.step && cpu->step->on && cpu->step->unit ? &cpu->step->slots : NULL;
}

bool kvm_step_reached(const struct kvm_cpu *cpu, gva pc)
{
	const struct arch_hw_state *hw = kvm_step_slots(cpu);

	for (unsigned i = 0; hw && i < hw->nslots; i++) {
		if (hw->slot[i].owner < cpu->step->nexits && hw->slot[i].part.at.raw == pc.raw)
			return true;
	}
	return false;
}

/* What cannot be found out is taken. */
static bool branches(struct kvm_cpu *cpu, uint64_t pc)
{
	uint64_t rt = 0, pstate;
	uint32_t code;

	if (!kvm_insn_read(cpu, pc, &code, 1) || kvm_reg_get(cpu, KVM_REG_PSTATE, &pstate) < 0)
		return true;
	if ((code & 31) != 31 && kvm_reg_get(cpu, KVM_REG_X(code & 31), &rt) < 0)
		return true;
	return arm64_branch_taken(code, rt, pstate);
}

bool kvm_step_goes_on(struct kvm_cpu *cpu, gva pc)
{
	struct kvm_step *s = cpu->step;
	unsigned i = 0;

	if (!kvm_step_slots(cpu))
		return false;
	while (i < s->excl.nbacks && s->excl.backs[i] != pc.raw)
		i++;
	if (i == s->excl.nbacks || branches(cpu, pc.raw) ||
	    kvm_regs_write(cpu->all->port, cpu->id, ARCH_CORE, &s->before) < 0)
		return false;
	cpu->mach->not_taken = s->again | BIT(i);
	return true;
}

uint64_t kvm_step_wants(struct kvm_cpu *cpu, uint64_t regs)
{
	return regs;
}

bool kvm_step_synced(struct kvm_cpu *cpu, int rc)
{
	return cpu->run->kvm_valid_regs;
}

/* ---- store-exclusives that something has stopped ---- */

bool kvm_step_stores_whole(struct kvm_cpu *cpu, gva pc)
{
	struct arm64_insn insn;
	uint64_t pstate;
	uint32_t code;

	forget(cpu);
	if (kvm_reg_get(cpu, KVM_REG_PSTATE, &pstate) < 0 || is_a32(pstate) || !kvm_insn_read(cpu, pc.raw, &code, 1))
		return false;
	arm64_insn_decode(code, &insn);
	return insn.kind == ARM64_INSN_STORE_EXCL;
}

/* Did the last step get to a store-exclusive? Then *@failed: what its status register says. */
static bool got_to_store(struct kvm_cpu *cpu, bool *failed)
{
	const struct kvm_step *s = cpu->step;
	const bool is_store = s->insn.kind == ARM64_INSN_STORE_EXCL;
	uint64_t at = s->unit ? s->excl.end - INSN_LEN : s->pc, status = 0;
	uint32_t code;

	if (!s->known || (!s->unit && !is_store) || kvm_cpu_pc(cpu).raw != at + INSN_LEN)
		return false;
	if (!kvm_insn_read(cpu, at, &code, 1))
		return false;
	code = code >> 16 & 31;
	*failed = code != 31 && kvm_reg_get(cpu, KVM_REG_X(code), &status) == 0 && (uint32_t)status != 0;
	return true;
}

/* The load-exclusive that comes last before @store. */
static bool find_load(struct kvm_cpu *cpu, uint64_t store, uint64_t *out)
{
	struct arm64_insn insn;
	uint32_t code;

	for (unsigned i = 1; i < ARM64_EXCL_INSNS && kvm_insn_read(cpu, store - i * INSN_LEN, &code, 1); i++) {
		arm64_insn_decode(code, &insn);
		if (insn.kind == ARM64_INSN_LOAD_EXCL) {
			*out = store - i * INSN_LEN;
			return true;
		}
	}
	return false;
}

/*
 * The branch behind the store leads there; it is not executed, as a breakpoint at it would be hit with nothing stored.
 * Where that breakpoint hides it, it is taken for the usual one, back to the load.
 */
static bool find_way_back(struct kvm_cpu *cpu, uint64_t pc, uint64_t *out)
{
	struct arm64_insn insn;
	uint32_t code;

	if (!kvm_insn_read(cpu, pc, &code, 1))
		return false;
	if (arm64_branch_target(code, pc, out))
		return branches(cpu, pc);
	arm64_insn_decode(code, &insn);
	return insn.kind == ARM64_INSN_BRK && find_load(cpu, pc - INSN_LEN, out);
}

bool kvm_step_again(struct kvm_cpu *cpu, bool way_back)
{
	uint64_t back;
	bool failed;

	if (!got_to_store(cpu, &failed))
		return way_back && cpu->step->insn.kind != ARM64_INSN_LOAD_EXCL;
	return failed && find_way_back(cpu, kvm_cpu_pc(cpu).raw, &back) && kvm_reg_set(cpu, KVM_REG_PC, back) == 0;
}

bool kvm_step_stored(struct kvm_cpu *cpu)
{
	bool failed;

	return got_to_store(cpu, &failed) && !failed;
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
	uint64_t elr, back = s->insn.kind == ARM64_INSN_CALL ? s->pc + INSN_LEN : s->pc;

	if ((pstate & state) != handler || el_of(s->pstate) > 1 || pc & 0x7f)
		return false;
	if (pc != arm64_entry_vector(kvm_reg_get_sys(cpu, ARM64_VBAR_EL1), s->pstate))
		return false;
	if (kvm_reg_get(cpu, KVM_REG_ELR_EL1, &elr) < 0)
		return false;
	/* In a unit it may have been any of its instructions; in AArch32 code they are of several lengths. */
	return elr == s->pc || elr == back || is_a32(s->pstate) ||
	       (s->unit && elr - s->pc < INSN_LEN * ARM64_EXCL_INSNS);
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
		forget(cpu);
		return fix_image(cpu, s, s->pstate & MASKED);
	}
	if (interrupted(cpu, s, pc, pstate)) {
		forget(cpu);
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
	forget(cpu);
	s->done = s->on;
	return rc < 0 ? rc : cpu->debug.step;
}
