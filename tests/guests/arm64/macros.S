/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What assembler guests include first. */
#include "guest.h"

/* A constant of up to 32 bits, or an address of ours, in one register. */
.macro	SET	register, value
	movz	\register, #((\value) & 0xffff)
	movk	\register, #((\value) >> 16 & 0xffff), lsl #16
.endm
.macro	ADDRESS	register, symbol
	adrp	\register, \symbol
	add	\register, \register, :lo12:\symbol
.endm
/* A vector table of one handler for synchronous exceptions from here; anything else ends at @other. */
.macro	VECTORS	sync, other
	.balign	2048
vectors:
	.rept	4
	b	\other
	.balign	128
	.endr
	b	\sync
	.balign	128
	.rept	11
	b	\other
	.balign	128
	.endr
.endm

/* Go by the tables that TTBR0_EL1 and TTBR1_EL1 have, with caches; x0 is taken. */
.macro TRANSLATION_ON
	mov	x0, #MAIR_VALUE
	msr	mair_el1, x0
	ldr	x0, =TCR_39_BITS
	msr	tcr_el1, x0
	isb
	tlbi	vmalle1
	dsb	sy
	isb
	SET	x0, SCTLR_RES1 | SCTLR_M | SCTLR_C | SCTLR_I
	msr	sctlr_el1, x0
	isb
.endm
