/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef ARCH_X86_STEP_H
#define ARCH_X86_STEP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * What a single step has to know about the instruction it takes: does it store, load or change the trap and interrupt
 * flags, can it raise an exception, does it enter other code by a way on which the trap flag is lost? This is no
 * disassembler: whatever is not known is "plain" and may raise anything.
 */

enum x86_insn_kind {
	X86_INSN_PLAIN,
	X86_INSN_PUSHF, /* opsize bytes at the new top of the stack */
	X86_INSN_POPF,  /* opsize bytes at the top of the stack */
	X86_INSN_IRET,  /* three or more items of opsize bytes at the top of the stack */
	X86_INSN_INT,   /* int n, int3, icebp: vector */
	X86_INSN_INTO,
	X86_INSN_CLI,
	X86_INSN_STI, /* emulators hold the trap back, as below */
	X86_INSN_SYSCALL,
	X86_INSN_SYSRET,
	X86_INSN_SYSENTER,
	X86_INSN_SYSEXIT,
	X86_INSN_REP, /* a string instruction with a count in the low addrsize bytes of rcx */
	X86_INSN_HLT,
	X86_INSN_STACK_SEG, /* loads ss: the trap is held back until after the next instruction */
	X86_INSN_WRMSR,     /* likewise KVM, for some registers */
};

/* Exceptions, as a set of vectors: bit per vector below 32. */
#define X86_FAULTS_NONE 0u
#define X86_FAULTS_MEMORY (1u << 8 | 1u << 10 | 1u << 11 | 1u << 12 | 1u << 13 | 1u << 14 | 1u << 17)
#define X86_FAULTS_ANY (~0u & ~(1u << 2)) /* all but the NMI */

enum x86_code_size { X86_CODE_16, X86_CODE_32, X86_CODE_64 };

struct x86_insn {
	enum x86_insn_kind kind;
	uint8_t vector;   /* X86_INSN_INT */
	uint8_t opsize;   /* PUSHF, POPF, IRET: 2, 4 or 8 */
	uint8_t addrsize; /* REP: 2, 4 or 8 */
	uint8_t len;      /* bytes; only for X86_INSN_INT, STI, STACK_SEG, WRMSR, else 0 */
	uint32_t faults;  /* what it may raise, apart from what fetching it may, and from debug exceptions */
};

/**
 * x86_insn_decode() - look at the @n bytes of code at @code.
 * A truncated or unknown instruction is plain and may raise anything. Pure.
 */
void x86_insn_decode(const uint8_t *code, size_t n, enum x86_code_size size, struct x86_insn *out);

#endif
