/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Sends a code by the assembler's macro, then what frames.c says, and switches itself off. At EL1, the MMU is off. */
#include <gdbvm/checkpoint-gas.inc>

#include "macros.S"

	.text
	.globl _start
_start:
	ADDRESS	x0, stack_end
	mov	sp, x0
	CHECKPOINT 0x64
	SET	x1, 0x11000			/* a value for each that a dump has; the MMU stays off */
	.irp	reg, ttbr0_el1, ttbr1_el1, tcr_el1, mair_el1, vbar_el1, esr_el1, far_el1, elr_el1
	msr	\reg, x1
	add	x1, x1, #0x1000
	.endr
	SET	x1, 0x600003c5
	msr	spsr_el1, x1
	msr	daifset, #0xf
	bl	frames
	SET	x0, PSCI_SYSTEM_OFF
	hvc	#0
	b	.

	.data
	.balign	16
	.fill	4096
stack_end:
