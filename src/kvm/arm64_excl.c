/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "kvm/arm64_internal.h"

/*
 * Steps of exclusive accesses. An exception between a load-exclusive and its store makes the store fail: what lies
 * between them is executed as a unit, up to breakpoints at its ways out. Where something came between all the same and
 * the store has failed, the vCPU is put back to the load.
 */

/* ---- before ---- */

bool kvm_excl_plan(struct kvm_cpu *cpu, struct kvm_step *s)
{
	const struct arch_hw_state *hw = &cpu->all->hw;
	struct hw_break req[ARCH_MAX_HW];
	uint32_t code[ARM64_EXCL_INSNS];
	struct arm64_excl x;
	unsigned n = 0, len = 1;

	while (len < ARRAY_LEN(code) && kvm_insn_read(cpu, s->pc + len * KVM_INSN_LEN, &code[len], 1))
		len++;
	if (!kvm_insn_read(cpu, s->pc, code, 1) || !arm64_excl_find(code, len, s->pc, &x))
		return false;
	for (; n < x.nexits; n++)
		req[n] = (struct hw_break){ .kind = HW_EXEC, .at = GVA(x.exits[n]), .len = KVM_INSN_LEN };
	req[n++] = (struct hw_break){
		.kind = HW_EXEC,
		.at = GVA(arm64_entry_vector(kvm_reg_get_sys(cpu, ARM64_VBAR_EL1), s->pstate)),
		.len = KVM_INSN_LEN,
	};
	for (unsigned i = 0; i < x.nbacks; i++) {
		if (!(s->again & BIT(i)))
			req[n++] = (struct hw_break){ .kind = HW_EXEC, .at = GVA(x.backs[i]), .len = KVM_INSN_LEN };
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

/* ---- store-exclusives that something has stopped ---- */

bool kvm_step_stores_whole(struct kvm_cpu *cpu, gva pc)
{
	struct arm64_insn insn;
	uint64_t pstate;
	uint32_t code;

	kvm_insn_forget(cpu);
	if (kvm_reg_get(cpu, KVM_REG_PSTATE, &pstate) < 0 || pstate & ARM64_PSTATE_NRW ||
	    !kvm_insn_read(cpu, pc.raw, &code, 1))
		return false;
	arm64_insn_decode(code, &insn);
	return insn.kind == ARM64_INSN_STORE_EXCL;
}

/* Did the last step get to a store-exclusive? Then *@failed: what its status register says. */
static bool got_to_store(struct kvm_cpu *cpu, bool *failed)
{
	const struct kvm_step *s = cpu->step;
	const bool is_store = s->insn.kind == ARM64_INSN_STORE_EXCL;
	uint64_t at = s->unit ? s->excl.end - KVM_INSN_LEN : s->pc, status = 0;
	uint32_t code;

	if (!s->known || (!s->unit && !is_store) || kvm_cpu_pc(cpu).raw != at + KVM_INSN_LEN)
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

	for (unsigned i = 1; i < ARM64_EXCL_INSNS && kvm_insn_read(cpu, store - i * KVM_INSN_LEN, &code, 1); i++) {
		arm64_insn_decode(code, &insn);
		if (insn.kind == ARM64_INSN_LOAD_EXCL) {
			*out = store - i * KVM_INSN_LEN;
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
	return insn.kind == ARM64_INSN_BRK && find_load(cpu, pc - KVM_INSN_LEN, out);
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
