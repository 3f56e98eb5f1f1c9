/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A guest with several vCPUs: the first starts the others through PSCI; each counts in counts[its number] until `stop` is
 * set (2: a reset), and carries 0x1000 + its number in x19. Meanwhile each adds up the bytes of the code, one with every
 * count, and leaves the sum in sums[] after each pass; debug exceptions and BRK are counted in traps[]. MMU and caches
 * are on.
 */
#include "macros.S"

#define STACK_SIZE 512
#define MAX_CPUS 8

	.text
	.globl _start, count_loop, count_here, loop_end, pause_loop, pause_end, secondary, counts, sums
	.globl passes, traps, online, stop, finished, text_end
_start:
	/* one table for all: a gigabyte of devices, and one of RAM, at their physical addresses */
	ADDRESS	x0, table
	mov	x1, #ENTRY_BLOCK_DEVICE
	SET	x2, RAM + ENTRY_BLOCK_NORMAL
	stp	x1, x2, [x0]
	dsb	sy
	mov	x20, #0			/* number of this one */
	mov	x21, #1			/* of the next */
	bl	mmu_on
start_next:
	SET	x0, PSCI_CPU_ON
	mov	x1, x21
	adr	x2, secondary
	mov	x3, x21
	hvc	#0
	cbnz	x0, count		/* there are no more */
	add	x21, x21, #1
	cmp	x21, #MAX_CPUS
	b.lo	start_next
	b	count

secondary:				/* x0: what CPU_ON was told */
	mov	x20, x0
	bl	mmu_on

count:
	add	x19, x20, #0x1000
	ADDRESS	x0, stacks + STACK_SIZE
	mov	x1, #STACK_SIZE
	madd	x0, x20, x1, x0
	mov	sp, x0
	ADDRESS	x9, vectors
	msr	vbar_el1, x9
	ADDRESS	x21, counts
	add	x21, x21, x20, lsl #3
	ADDRESS	x22, sums
	add	x22, x22, x20, lsl #2
	ADDRESS	x23, passes
	add	x23, x23, x20, lsl #2
	ADDRESS	x24, stop
	ADDRESS	x25, _start
	ADDRESS	x26, text_end
	ldr	x0, [x21]
	add	x0, x0, #1
	str	x0, [x21]
	ADDRESS	x0, online
	bl	atomic_increment
	SET	x0, UART		/* a sign on the console that this one counts */
	mov	w1, #'+'
	str	w1, [x0]
	mov	w3, #0
	mov	x4, x25
count_loop:
	ldr	x0, [x21]
	add	x0, x0, #1
count_here:			/* a step from here has counted */
	str	x0, [x21]
	yield
	ldrb	w0, [x4], #1
	add	w3, w3, w0
	cmp	x4, x26
	b.lo	same_pass
	str	w3, [x22]
	ldr	w0, [x23]
	add	w0, w0, #1
	str	w0, [x23]
	mov	w3, #0
	mov	x4, x25
same_pass:
	ldr	w0, [x24]
	cbz	w0, count_loop
loop_end:
	cmp	w0, #2
	b.eq	reset
finished:
	wfi
	b	finished

reset:
	SET	x0, PSCI_SYSTEM_RESET
	hvc	#0
	b	finished

/* For a debugger to put a vCPU in, with a number in x9. */
	mov	x9, #1
pause_loop:
	yield
	subs	x9, x9, #1
	b.ne	pause_loop
pause_end:
	b	count_loop

mmu_on:
	ADDRESS	x0, table
	msr	ttbr0_el1, x0
	msr	ttbr1_el1, x0
	TRANSLATION_ON
	ret

/* Of the word at x0; w1 and w2 are taken. */
atomic_increment:
	ldxr	w1, [x0]
	add	w1, w1, #1
	stxr	w2, w1, [x0]
	cbnz	w2, atomic_increment
	ret

on_exception:
	stp	x0, x1, [sp, #-32]!
	stp	x2, x30, [sp, #16]
	mrs	x1, esr_el1
	lsr	x1, x1, #ESR_EC_SHIFT
	ADDRESS	x0, traps
	cmp	x1, #EC_BRK
	b.ne	1f
	mrs	x1, elr_el1
	add	x1, x1, #4
	msr	elr_el1, x1
	add	x0, x0, #4
1:	bl	atomic_increment
	ldp	x2, x30, [sp, #16]
	ldp	x0, x1, [sp], #32
	eret
unexpected:
	b	unexpected
	.ltorg
	VECTORS	on_exception, unexpected
text_end:

	.data
	.balign	8
counts:	.fill	16, 8, 0
sums:	.fill	16, 4, 0
passes:	.fill	16, 4, 0
traps:	.long	0, 0
online:	.long	0
stop:	.long	0
	.balign	16
stacks:	.fill	MAX_CPUS * STACK_SIZE
	.balign	4096
table:	.fill	4096
