/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The guest of the benchmarks; bench.h says what is where. */
#include "bench.h"
#include "macros.S"

	.text
	.globl _start
_start:
	/* one table for both: a gigabyte of devices, and one of RAM, at their physical addresses */
	ADDRESS	x0, table
	mov	x1, #ENTRY_BLOCK_DEVICE
	SET	x2, RAM + ENTRY_BLOCK_NORMAL
	stp	x1, x2, [x0]
	dsb	sy
	msr	ttbr0_el1, x0
	msr	ttbr1_el1, x0
	TRANSLATION_ON
	SET	x10, UART
	SET	x11, BENCH_COUNTER
	mov	w1, #'R'
	str	w1, [x10]
	b	count
	.ltorg

	.org	BENCH_STEPS - BENCH_CODE
1:	add	x0, x0, #1
	nop
	sub	x9, x9, #1
	cbnz	x9, 1b
	b	count

	.org	BENCH_STEPS_END - BENCH_CODE
count:	bl	bump
	b	count

	.org	BENCH_BUMP - BENCH_CODE
bump:	nop
	ldr	x1, [x11]
	add	x1, x1, #1
	str	x1, [x11]
	ret

	.org	BENCH_WORK - BENCH_CODE
	SET	x1, 4000000
2:	sub	x1, x1, #1
	cbnz	x1, 2b
	mov	w1, #'.'
	str	w1, [x10]
	b	_start + BENCH_WORK - BENCH_CODE

	.org	BENCH_HALT - BENCH_CODE
3:	wfi
	b	3b

	.org	BENCH_COUNTER - BENCH_CODE
	.quad	0

	.balign	4096
table:	.fill	4096
