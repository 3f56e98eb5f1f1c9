/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef ARCH_ARM64_STEP_H
#define ARCH_ARM64_STEP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * What a single step has to know about an A64 instruction before it executes it, and what the architecture does when an
 * exception is taken to EL1. All pure.
 */
enum arm64_insn_kind {
	ARM64_INSN_PLAIN,     /* general and SIMD registers, memory, branches, hints, barriers */
	ARM64_INSN_SYSTEM,    /* system registers and the like: may change translation */
	ARM64_INSN_DAIF_GET,  /* mrs rt, daif */
	ARM64_INSN_DAIF_PUT,  /* msr daif, rt */
	ARM64_INSN_DAIF_SET,  /* msr daifset, #imm; mask: in the layout of PSTATE */
	ARM64_INSN_DAIF_CLR,  /* msr daifclr, #imm; likewise */
	ARM64_INSN_CALL,      /* svc, hvc, smc */
	ARM64_INSN_BRK,       /* imm */
	ARM64_INSN_ERET,      /* and eretaa, eretab */
	ARM64_INSN_WFI,       /* and wfit */
	ARM64_INSN_LOAD_EXCL, /* ldxr and its kin */
	ARM64_INSN_STORE_EXCL,
};
struct arm64_insn {
	enum arm64_insn_kind kind;
	unsigned rt;
	uint64_t mask;
	unsigned imm;
	bool timed; /* may see or set a clock, a timer or the state of interrupts */
};

/** arm64_insn_decode() - what a step has to know of the A64 instruction @code. */
void arm64_insn_decode(uint32_t code, struct arm64_insn *out);

/*
 * A load-exclusive up to its store-exclusive. Any exception in between, a step's too, makes the store fail, so that the
 * loop around it never ends: it has to be executed as a whole.
 */
enum { ARM64_EXCL_INSNS = 32, ARM64_EXCL_EXITS = 4, ARM64_EXCL_BACKS = 2 };
struct arm64_excl {
	uint64_t end;                     /* behind the store */
	uint64_t exits[ARM64_EXCL_EXITS]; /* where it can be left: `end` first */
	unsigned nexits;
	uint64_t backs[ARM64_EXCL_BACKS]; /* branches back that come before the store */
	unsigned nbacks;
};

/**
 * arm64_excl_find() - the sequence that begins with the load-exclusive code[0] at @pc.
 * One that waits by branches back has nothing but instructions on general registers in it, so that it can be executed
 * again from its beginning.
 * Returns: false: it has no end within @n instructions, more exits than fit, or instructions that do not belong there.
 */
bool arm64_excl_find(const uint32_t *code, size_t n, uint64_t pc, struct arm64_excl *out);

/** arm64_branch_target() - where the conditional branch @code at @pc leads to. False: it is none. */
bool arm64_branch_target(uint32_t code, uint64_t pc, uint64_t *out);

/** arm64_branch_taken() - is the conditional branch @code taken? @rt: what its register, if it has one, holds. */
bool arm64_branch_taken(uint32_t code, uint64_t rt, uint64_t pstate);

/* ---- exceptions taken to EL1 ---- */

/* Before: from where, and what decides on the state that the handler begins in. */
struct arm64_entry {
	uint64_t pc; /* preferred return address */
	uint64_t pstate;
	uint64_t vbar_el1, sctlr_el1;
	uint64_t pfr1_el1, mmfr1_el1; /* ID_AA64PFR1_EL1, ID_AA64MMFR1_EL1 */
};

/** arm64_entry_vector() - where a synchronous exception leads that is taken to EL1 in state @pstate, EL0 or EL1. */
uint64_t arm64_entry_vector(uint64_t vbar_el1, uint64_t pstate);

/**
 * arm64_entry_pstate() - PSTATE of the handler. Arm ARM, pseudocode AArch64.TakeException().
 * SPSR_EL1 is e->pstate as it is.
 */
uint64_t arm64_entry_pstate(const struct arm64_entry *e);

/* Where a step has led to. */
struct arm64_stepped {
	uint64_t pc, pstate;
	uint64_t elr_el1, vbar_el1;
};

/**
 * arm64_unmask_interrupted() - has an interrupt been taken to EL1 right behind the msr daifclr @insn at @pc, @pstate
 * being what it was before? An interrupt that becomes possible by an instruction may come before the exception of its
 * step: Arm ARM, "Prioritization and recognition of interrupts".
 */
bool arm64_unmask_interrupted(const struct arm64_insn *insn, uint64_t pc, uint64_t pstate,
			      const struct arm64_stepped *to);

/* Exception classes: Arm ARM, "ESR_EL1, Exception Syndrome Register (EL1)". */
enum {
	ARM64_EC_SHIFT = 26,
	ARM64_EC_BREAKPOINT_LOW = 0x30,
	ARM64_EC_BREAKPOINT = 0x31,
	ARM64_EC_STEP_LOW = 0x32,
	ARM64_EC_STEP = 0x33,
	ARM64_EC_WATCHPOINT_LOW = 0x34,
	ARM64_EC_WATCHPOINT = 0x35,
	ARM64_EC_BKPT32 = 0x38,
	ARM64_EC_BRK64 = 0x3c,
};

/**
 * arm64_debug_esr() - ESR_EL1 of a debug exception that a hypervisor took with syndrome @esr and gives to EL1: the
 * classes for an exception from below become those for one from the same level where the guest was at EL1.
 */
uint64_t arm64_debug_esr(uint64_t esr, uint64_t pstate);

/**
 * arm64_debug_enabled() - does a breakpoint or watchpoint raise an exception where EL1 takes it? Arm ARM, "Enabling
 * debug exceptions from the current Exception level". Those that a hypervisor takes come out in any case.
 * @mdscr, @oslsr: MDSCR_EL1 and OSLSR_EL1.
 */
bool arm64_debug_enabled(uint64_t pstate, uint64_t mdscr, uint64_t oslsr);

struct hw_break;

/**
 * arm64_watch_decode() - what DBGWVR @value and DBGWCR @control watch. Bytes that are not next to each other become
 * the range from the first to the last.
 */
void arm64_watch_decode(uint64_t value, uint64_t control, struct hw_break *out);

#endif
