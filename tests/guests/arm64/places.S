/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A guest whose code is not where a breakpoint would expect it. Round and round it
 * - copies template over overwritten, and calls that,
 * - calls work in two address spaces (roots[0] and roots[1] in TTBR0_EL1), counting worked[0] and worked[1],
 * - and once `map` is set calls late at LATE + its address, where nothing is mapped before.
 */
#include "macros.S"

#define LATE 0xffffff8000000000 /* where TTBR1_EL1 begins */

	.text
	.globl _start, late, work, template, overwritten, called, round, map, roots, worked, rounds, lates
_start:
	ADDRESS	x0, stack_end
	mov	sp, x0
	mov	x1, #ENTRY_BLOCK_DEVICE
	SET	x2, RAM + ENTRY_BLOCK_NORMAL
	ADDRESS	x3, root_a
	stp	x1, x2, [x3]
	ADDRESS	x4, root_b
	stp	x1, x2, [x4]
	ADDRESS	x5, roots
	stp	x3, x4, [x5]
	dsb	sy
	msr	ttbr0_el1, x3
	ADDRESS	x0, root_high
	msr	ttbr1_el1, x0
	TRANSLATION_ON

round:
	ADDRESS	x0, template
	ADDRESS	x1, overwritten
	ldp	w2, w3, [x0]
	ldr	w4, [x0, #8]
	stp	w2, w3, [x1]
	str	w4, [x1, #8]
	dc	cvau, x1
	dsb	ish
	ic	ivau, x1
	dsb	ish
	isb
called:
	bl	overwritten
	mov	x19, #0
	bl	in_space
	mov	x19, #1
	bl	in_space
	ADDRESS	x0, rounds
	ldr	x1, [x0]
	add	x1, x1, #1
	str	x1, [x0]
	ADDRESS	x0, map
	ldr	w1, [x0]
	cbz	w1, round
	SET	x1, RAM + ENTRY_BLOCK_NORMAL
	ADDRESS	x0, root_high
	str	x1, [x0, #8]
	dsb	ishst
	isb
	ADDRESS	x0, late
	orr	x0, x0, #LATE
	blr	x0
	b	round

/* work in the address space number x19 */
in_space:
	stp	x29, x30, [sp, #-16]!
	ADDRESS	x0, roots
	ldr	x0, [x0, x19, lsl #3]
	msr	ttbr0_el1, x0
	isb
	tlbi	vmalle1
	dsb	ish
	isb
	bl	work
	ldp	x29, x30, [sp], #16
	ret

work:
	ADDRESS	x0, worked
	ldr	x1, [x0, x19, lsl #3]
	add	x1, x1, #1
	str	x1, [x0, x19, lsl #3]
	ret

late:
	ADDRESS	x0, lates		/* up there, too */
	ldr	x1, [x0]
	add	x1, x1, #1
	str	x1, [x0]
	ret

template:
	nop
	nop
	ret

	.balign	64			/* in one line of the caches */
overwritten:
	ret
	ret
	ret
	.ltorg

	.data
	.balign 8
rounds:	.quad	0
lates:	.quad	0
worked:	.quad	0, 0
roots:	.quad	0, 0
map:	.long	0
	.balign 16
stack:	.fill	4096
stack_end:
	.balign 4096
root_a:	.fill	4096
root_b:	.fill	4096
root_high:
	.fill	4096
