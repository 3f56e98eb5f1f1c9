/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A guest that walks through the kinds of translation: none, 4K granules with 39 bits, with 48 bits in both halves, 16K
 * with 36 bits and 64K with 42 bits. It stays in each, counting in `spins`, until `go` has at least the number of the next
 * part; a granule that the processor does not have is left out, and `lacks_16k` or `lacks_64k` says so. In every kind the
 * word at physical WORD_PHYS is mapped at another virtual address, so that a debugger that reads it there has walked the
 * tables of that kind. Caches stay off.
 */
#include "macros.S"

#define WORD_PHYS 0x40400000
#define PHYSICAL_40_BITS (2 << 32)
#define EPD1 (1 << 23)
#define TG0_64K (1 << 14)
#define TG0_16K (2 << 14)
#define TG1_4K (2 << 30)
#define MAIR_UNCACHED 0x4400 /* 0: device, 1: normal, not cached */
#define TGRAN16_SHIFT 20
#define TGRAN64_SHIFT 24

/* One part of the walk: count until `go` is at least @next. */
.macro	STAY	next
1:	ADDRESS	x0, spins
	ldr	w1, [x0]
	add	w1, w1, #1
	str	w1, [x0]
	ADDRESS	x0, go
	ldr	w1, [x0]
	cmp	w1, #\next
	b.lo	1b
.endm
.macro	TRANSLATE low, high, tcr
	ADDRESS	x0, \low
	ADDRESS	x1, \high
	ldr	x2, =\tcr
	bl	translate
.endm

	.text
	.globl _start, at_off, at_39, at_48, at_16k, at_64k, finished, spins, go, lacks_16k, lacks_64k
_start:
	SET	x0, WORD_PHYS
	SET	x1, 0x600d600d
	str	w1, [x0]
	mrs	x20, id_aa64mmfr0_el1
at_off:
	STAY	1

	TRANSLATE low_39, low_39, 25 | EPD1 | TG1_4K | PHYSICAL_40_BITS
at_39:
	STAY	2

	TRANSLATE low_48, high_48, 16 | 16 << 16 | TG1_4K | PHYSICAL_40_BITS
at_48:
	STAY	3

	ubfx	x0, x20, #TGRAN16_SHIFT, #4
	ADDRESS	x1, lacks_16k
	cbz	x0, without_16k
	TRANSLATE table_16k, table_16k, 28 | TG0_16K | EPD1 | TG1_4K | PHYSICAL_40_BITS
at_16k:
	STAY	4
	b	want_64k
without_16k:
	mov	w0, #1
	str	w0, [x1]

want_64k:
	ubfx	x0, x20, #TGRAN64_SHIFT, #4
	ADDRESS	x1, lacks_64k
	cmp	x0, #0xf
	b.eq	without_64k
	TRANSLATE table_64k, table_64k, 22 | TG0_64K | EPD1 | TG1_4K | PHYSICAL_40_BITS
at_64k:
	STAY	5
	b	finished
without_64k:
	mov	w0, #1
	str	w0, [x1]
finished:
	wfi
	b	finished

/* x0: TTBR0_EL1, x1: TTBR1_EL1, x2: TCR_EL1. This code is where it is in every kind. */
translate:
	SET	x3, SCTLR_RES1
	msr	sctlr_el1, x3
	isb
	msr	ttbr0_el1, x0
	msr	ttbr1_el1, x1
	msr	tcr_el1, x2
	mov	x4, #MAIR_UNCACHED
	msr	mair_el1, x4
	isb
	tlbi	vmalle1
	dsb	sy
	isb
	SET	x3, SCTLR_RES1 | SCTLR_M
	msr	sctlr_el1, x3
	isb
	ret
	.ltorg

	.data
	.balign	4
spins:	.long	0
go:	.long	0
lacks_16k:
	.long	0
lacks_64k:
	.long	0

/* An entry for each address that is used: number @index of @table. */
.macro	ENTRY	table, index, value
	.org	\table + 8 * (\index)
	.quad	\value
.endm
	.balign	4096
low_39:	/* level 1, a gigabyte each */
	ENTRY	low_39, 0, ENTRY_BLOCK_DEVICE
	ENTRY	low_39, 1, RAM + ENTRY_BLOCK_NORMAL
	ENTRY	low_39, 2, RAM + ENTRY_BLOCK_NORMAL
	.org	low_39 + 4096
low_48:
	ENTRY	low_48, 0, low_39 + ENTRY_TABLE
	.org	low_48 + 4096
high_48:
	ENTRY	high_48, 256, high_48_1 + ENTRY_TABLE
	.org	high_48 + 4096
high_48_1:
	ENTRY	high_48_1, 0, high_48_2 + ENTRY_TABLE
	.org	high_48_1 + 4096
high_48_2:
	ENTRY	high_48_2, 0, high_48_3 + ENTRY_TABLE
	.org	high_48_2 + 4096
high_48_3:
	ENTRY	high_48_3, 0, WORD_PHYS + ENTRY_PAGE_NORMAL
	.org	high_48_3 + 4096

	.balign	0x4000
table_16k:	/* level 2, 32 MiB each */
	ENTRY	table_16k, 4, 0x08000000 + ENTRY_BLOCK_DEVICE
	ENTRY	table_16k, 32, RAM + ENTRY_BLOCK_NORMAL
	ENTRY	table_16k, 96, RAM + ENTRY_BLOCK_NORMAL
	.org	table_16k + 0x4000

	.balign	0x10000
table_64k:	/* level 2, 512 MiB each */
	ENTRY	table_64k, 0, ENTRY_BLOCK_DEVICE
	ENTRY	table_64k, 2, RAM + ENTRY_BLOCK_NORMAL
	ENTRY	table_64k, 7, RAM + ENTRY_BLOCK_NORMAL
	.org	table_64k + 0x10000
