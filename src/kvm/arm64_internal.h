/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef KVM_ARM64_INTERNAL_H
#define KVM_ARM64_INTERNAL_H

#include "arch/arm64_step.h"
#include "kvm/internal.h"

/* What only arm64 keeps of a VM and its vCPUs, and how its registers are reached. */

/* What KVM has of each vCPU, by KVM_GET_REG_LIST: the same for all of a VM. */
struct kvm_reg_map {
	uint64_t sys[ARM64_NSYS]; /* id; 0: not to be had */
	uint8_t nbps, nwps;       /* the guest's own debug registers */
	unsigned vl;              /* bytes of a Z register; 0: no SVE */
};

/* The VM's time: arm64_clock.c. */
struct kvm_clock {
	enum {
		KVM_COUNTER_RUNS,   /* nothing can be done about it */
		KVM_COUNTER_VM,     /* one offset for both counters of all vCPUs: Linux 6.4 */
		KVM_COUNTER_VIRTUAL /* the virtual counter of all vCPUs is set through any one of them */
	} how;
	uint64_t hz;
	uint64_t offset;   /* of the virtual counter, from the host's */
	bool frozen;       /* from the stop to the resume */
	bool due;          /* KVM_COUNTER_VIRTUAL: to be set before anyone goes */
	uint64_t stop;     /* the virtual counter at the stop */
	uint64_t since_ns; /* CLOCK_MONOTONIC at the stop */
	uint64_t held_ns;  /* all stops before this one */
	bool run_on;       /* the user wants time to go on while the guest is stopped */
};

struct kvm_cpu_mach {
	struct arch_regs sys; /* ARCH_SYS, to find instructions; `have` says whether it still holds */
	uint64_t page;        /* the page of code that was found last, its number + 1 */
	const uint8_t *page_hva;
	/* The watchpoints that KVM was told last, the guest's own, too. owner: of kvm_cpus.hw, or KVM_OWNER_GUEST */
	struct arch_hw_state watches;
	bool passes_own; /* the instruction at passes_at is executed with none of the guest's own in */
	gva passes_at;
	unsigned not_taken; /* a load-exclusive is stepped again: branches back of its unit that let it go on */
};

enum { KVM_OWNER_GUEST = ARCH_MAX_HW };

/* arm64.c: single registers of a vCPU; on its own thread */
int kvm_reg_get(struct kvm_cpu *cpu, uint64_t id, uint64_t *v);
int kvm_reg_set(struct kvm_cpu *cpu, uint64_t id, uint64_t v);

#define KVM_CORE_REG(size, name) (KVM_REG_ARM64 | (size) | KVM_REG_ARM_CORE | KVM_REG_ARM_CORE_REG(name))
#define KVM_CORE_U64(name) KVM_CORE_REG(KVM_REG_SIZE_U64, name)
#define KVM_REG_X(n) (KVM_CORE_U64(regs.regs[0]) + 2ull * (n))
#define KVM_REG_PC KVM_CORE_U64(regs.pc)
#define KVM_REG_PSTATE KVM_CORE_U64(regs.pstate)
#define KVM_REG_ELR_EL1 KVM_CORE_U64(elr_el1)
#define KVM_REG_SPSR_EL1 KVM_CORE_U64(spsr[0])

/** kvm_reg_get_sys() - by enum arm64_sys; 0 if it is not to be had. */
uint64_t kvm_reg_get_sys(struct kvm_cpu *cpu, enum arm64_sys reg);
int kvm_reg_set_sys(struct kvm_cpu *cpu, enum arm64_sys reg, uint64_t v);

/* The guest's own debug registers: what is op2 in the encoding. */
enum kvm_dbg_reg { KVM_DBGBVR = 4, KVM_DBGBCR, KVM_DBGWVR, KVM_DBGWCR };
uint64_t kvm_reg_dbg(enum kvm_dbg_reg which, unsigned n); /* the id */

/* arm64_debug.c */

/** kvm_debug_pass_own() - have the vCPU go on past @pc, where something of the guest's own hit that it would not see.
 */
void kvm_debug_pass_own(struct kvm_cpu *cpu, gva pc);

/* arm64_step.c, arm64_excl.c: one step of a vCPU, from kvm_step_begin() on */
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

/* arm64_insn.c: the guest's code */
enum { KVM_INSN_LEN = 4 };

/** kvm_insn_read() - the @n instructions at @pc. Returns: false if they cannot be read. */
bool kvm_insn_read(struct kvm_cpu *cpu, uint64_t pc, uint32_t *out, size_t n);

/**
 * kvm_insn_forget() - the translation of code that is kept may have changed: it holds as long as the vCPU alone
 * executes, and nothing that could change it.
 */
void kvm_insn_forget(struct kvm_cpu *cpu);

/* arm64_excl.c: a sequence from a load-exclusive to its store as a unit */

/** kvm_excl_plan() - breakpoints at the ways out of the unit that begins at the step's pc. Returns: is it one? */
bool kvm_excl_plan(struct kvm_cpu *cpu, struct kvm_step *s);

/** kvm_step_slots() - the breakpoints that a step needs instead of the debugger's; NULL: it is an ordinary one. */
const struct arch_hw_state *kvm_step_slots(const struct kvm_cpu *cpu);

/** kvm_step_reached() - is the hit at @pc of one of those? */
bool kvm_step_reached(const struct kvm_cpu *cpu, gva pc);

/**
 * kvm_step_goes_on() - is the hit at @pc of a branch back inside of a unit, and is it not taken? Then the unit is to be
 * executed again, and not to be interrupted there.
 */
bool kvm_step_goes_on(struct kvm_cpu *cpu, gva pc);

#endif
