/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Finds the debug port in the device tree, writes to it in every size, then counts to BURST there as fast as it can, and
 * switches itself off. The MMU is off.
 */
#include "macros.S"

#define BURST 2000
#define TO_REG 20 + 12 /* from the port's "compatible" to its "reg", of which the second word is the address */

	.text
	.globl _start, first, burst
_start:					/* x0: the device tree */
	adr	x1, compatible
	ldp	w2, w3, [x1]
	ldp	w4, w5, [x1, #8]
find:
	add	x0, x0, #4
	ldp	w6, w7, [x0]
	ldp	w8, w9, [x0, #8]
	cmp	w6, w2
	ccmp	w7, w3, #0, eq
	ccmp	w8, w4, #0, eq
	ccmp	w9, w5, #0, eq
	b.ne	find
	ldr	w10, [x0, #TO_REG + 4]
	rev	w10, w10

	mov	w0, #0x16
first:	strb	w0, [x10]
	ldr	x0, =0x1122334455667788
	strh	w0, [x10]
	str	w0, [x10, #0xffc]
	str	x0, [x10, #8]
	ldrb	w1, [x10]
	strb	w1, [x10]
	ldr	x1, [x10]
	str	x1, [x10]
	mov	w0, #0
burst:	str	w0, [x10]
	add	w0, w0, #1
	mov	w1, #BURST
	cmp	w0, w1
	b.ne	burst
	SET	x0, PSCI_SYSTEM_OFF
	hvc	#0
	b	.

	.balign	8
compatible:
	.asciz	"gdbvm,debug-port"
	.balign	4
