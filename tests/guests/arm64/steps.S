/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A guest that does what is hard to single-step, over and over, at EL1 and EL0. Whatever it can see of its own state -
 * DAIF, SPSR, ELR, ESR, FAR, what an exclusive store says - is mixed into x19, from which it takes what it does next: a
 * debugger that leaves a trace sends it on another way. A timer is on, and its interrupt would be seen, too.
 */
#include "macros.S"

#define GICD_CTLR 0x08000000
#define GICR_WAKER 0x080a0014
#define GICR_IGROUPR0 0x080b0080
#define GICR_ISENABLER0 0x080b0100
#define TIMER_BIT (1 << 27)
#define UART_FR 0x09000018
#define AWAY 0x401f0000			/* a page that comes and goes */
#define NEVER 0x401f1000
#define PAGE_DATA 0x747			/* page, normal, written and read by EL0, too; EL1 cannot execute it then */
#define PAGE_CODE 0x7c7			/* the same, only to be read and executed */
#define SCTLR_SA 0x18			/* the stack pointer has to be aligned */
#define SPSR_EL1T 0x3c4
#define EC_SVC 0x15
#define EC_DATA_ABORT 0x25
#define DO_SKIP 0			/* in x25: what the handler does about a fault: skip the instruction */
#define DO_MAP 1			/* map AWAY and try again */
#define CALL_LEAVE 99			/* svc with this in x8: back to EL1 */

.macro	MIX	from
	eor	x19, x19, \from
	ror	x19, x19, #7
	add	x19, x19, #0x357
.endm
.macro	MIX_SYS	name
	mrs	x0, \name
	MIX	x0
.endm
/* An instruction that faults, and is skipped. */
.macro	FAULTS	insn:vararg
	mov	x25, #DO_SKIP
	\insn
.endm

	.arch	armv8.1-a
	.text
	.globl _start, loop, user_loop, rounds
_start:
	ADDRESS	x0, kernel_stack_end
	mov	sp, x0
	/* 2 MiB of small pages for everybody, devices for EL1 */
	ADDRESS	x0, level3
	SET	x1, RAM
	mov	x2, #PAGE_DATA
	mov	x3, #PAGE_CODE
	adr	x4, _start
	ADDRESS	x5, data_start
	mov	x6, #512
1:	orr	x7, x1, x2
	cmp	x1, x4
	b.lo	2f
	cmp	x1, x5
	b.hs	2f
	orr	x7, x1, x3
2:	str	x7, [x0], #8
	add	x1, x1, #0x1000
	subs	x6, x6, #1
	b.ne	1b
	ADDRESS	x26, level3+8*0x1f0
	str	xzr, [x26, #8]		/* NEVER */
	ADDRESS	x0, level1
	msr	ttbr0_el1, x0
	msr	ttbr1_el1, x0
	mov	x0, #MAIR_VALUE
	msr	mair_el1, x0
	ldr	x0, =TCR_39_BITS
	msr	tcr_el1, x0
	ADDRESS	x0, vectors
	msr	vbar_el1, x0
	dsb	sy
	isb
	tlbi	vmalle1
	dsb	sy
	isb
	SET	x0, SCTLR_RES1 | SCTLR_M | SCTLR_C | SCTLR_I | SCTLR_SA
	msr	sctlr_el1, x0
	isb
	mov	x0, #(3 << 20)		/* floating point */
	msr	cpacr_el1, x0
	isb

	/* the virtual timer, every now and then, to this vCPU */
	SET	x0, GICD_CTLR
	mov	w1, #2
	str	w1, [x0]
	SET	x0, GICR_WAKER
	str	wzr, [x0]
	SET	x0, GICR_IGROUPR0
	mov	w1, #-1
	str	w1, [x0]
	SET	x0, GICR_ISENABLER0
	mov	w1, #TIMER_BIT
	str	w1, [x0]
	mov	x0, #0xff
	msr	icc_pmr_el1, x0
	mov	x0, #1
	msr	icc_igrpen1_el1, x0
	isb
	mov	x0, #0x10000
	msr	cntv_tval_el0, x0
	mov	x0, #1
	msr	cntv_ctl_el0, x0

	ldr	x19, =0x123456789abcdef
	mov	x20, #0			/* what the handlers add */
	ADDRESS	x24, data

	/* ---- EL1 ---- */
loop:
	ADDRESS	x0, rounds
	ldr	x1, [x0]
	add	x1, x1, #1
	str	x1, [x0]
	MIX	x1

	/* masks and flags */
	msr	daifclr, #15
	nop
	MIX_SYS	daif
	msr	daifset, #2
	MIX_SYS	daif
	msr	daifset, #15
	msr	daifclr, #8
	MIX_SYS	daif
	msr	daifclr, #7
	and	x0, x19, #0x3c0
	msr	daif, x0
	MIX_SYS	daif
	msr	daifclr, #15
	lsl	x0, x19, #28
	msr	nzcv, x0
	MIX_SYS	nzcv
	b.eq	1f
	csinc	x1, x19, x0, mi
	MIX	x1
1:	b.vs	2f
	ccmp	x19, #3, #5, hs
	adc	x1, x19, x19
	MIX	x1
2:	msr	fpcr, xzr
	scvtf	d0, x19
	fmul	d0, d0, d0
	fmov	x0, d0
	MIX	x0

	/* branches: of every kind, and to the next instruction */
	b	3f
3:	tbz	x19, #5, 4f
	cbnz	x19, 4f
4:	tbnz	x19, #9, 5f
5:	adr	x0, 6f
	br	x0
6:	adr	x0, leaf
	blr	x0
	bl	leaf
	bl	across_pages
	mov	x1, #3
7:	subs	x1, x1, #1
	b.ne	7b

	/* stack pointers */
	msr	daifset, #2		/* vectors of this one are elsewhere */
	mov	x1, sp
	msr	spsel, #0
	mov	x0, sp
	MIX	x0
	ADDRESS	x0, other_stack_end
	mov	sp, x0
	str	x19, [sp, #-16]!
	ldr	x0, [sp], #16
	msr	spsel, #1
	msr	daifclr, #2
	mov	x0, sp
	sub	x0, x0, x1
	MIX	x0
	MIX_SYS	sp_el0
	MIX_SYS	currentel

	/* exceptions by instruction; and a word to KVM */
	mov	x8, #0
	svc	#0x11
	svc	#0
	brk	#0x22
	MIX	x20
	SET	x0, 0x84000000		/* PSCI_VERSION */
	hvc	#0
	mov	x0, #0			/* not what it says, it may differ */
	mov	x1, #0
	mov	x2, #0
	mov	x3, #0
	FAULTS	udf #1
	FAULTS	mrs x0, s3_7_c15_c15_7
	SET	x1, NEVER
	FAULTS	ldr x0, [x1]
	FAULTS	str x0, [x1, #8]
	FAULTS	ldp x0, x2, [x1]
	FAULTS	stp x0, x2, [x1, #-8]	/* the half of it is mapped */
	FAULTS	ldr q0, [x1, #-8]
	mov	x0, x1
	FAULTS	ldr x2, [x0], #16
	MIX	x0
	mov	x2, #0
	prfm	pldl1keep, [x1]

	/* a page that is mapped when somebody comes there */
	mov	x25, #DO_MAP
	str	xzr, [x26]
	dsb	ishst
	tlbi	vmalle1
	dsb	ish
	isb
	SET	x1, AWAY
	ldr	x0, [x1, #16]
	add	x0, x0, #1
	str	x0, [x1, #16]
	str	xzr, [x26]
	dsb	ishst
	tlbi	vmalle1
	dsb	ish
	isb
	stp	x19, x0, [x1, #-8]	/* a store across its beginning */
	ldp	x2, x3, [x1, #-8]
	MIX	x3
	mov	x25, #DO_SKIP

	/* exclusives: a loop that wants its turn, one that is cut short, and atomic instructions */
	add	x1, x24, #64
8:	ldxr	x0, [x1]
	add	x0, x0, x19
	stxr	w2, x0, [x1]
	cbnz	w2, 8b
	MIX	x0
9:	ldaxr	w0, [x1]
	cbz	w0, 10f
	eor	w0, w0, #1
	stlxr	w2, w0, [x1]
	cbnz	w2, 9b
	b	11f
10:	clrex
11:	MIX	x2
12:	ldaxp	x0, x2, [x1]
	eor	x0, x0, x2
	stlxp	w3, x0, x2, [x1]
	cbnz	w3, 12b
	MIX	x0
	ldadd	x19, x0, [x1]
	MIX	x0
	swpal	x19, x0, [x1]
	MIX	x0
	mov	x0, x19
	casal	x0, xzr, [x1]
	MIX	x0
	ldar	x0, [x1]
	stlr	x0, [x1]

	/* memory, caches and tables */
	ldp	x0, x2, [x24]
	ldrsb	x3, [x24, #5]
	MIX	x3
	and	x3, x19, #63
	ldr	x0, [x24, x3]		/* at any address */
	MIX	x0
	add	x1, x24, #128
	dc	zva, x1
	str	x19, [x1]
	dc	cvau, x1
	dsb	ish
	ic	ivau, x1
	dsb	ish
	isb
	at	s1e1r, x24
	isb
	mrs	x0, par_el1
	and	x0, x0, #0xfffff000
	MIX	x0
	mrs	x0, ttbr0_el1
	msr	ttbr0_el1, x0
	isb
	SET	x1, UART_FR
	ldr	w0, [x1]
	and	w0, w0, #8
	MIX	x0
	SET	x1, GICR_IGROUPR0
	ldr	w0, [x1]
	MIX	x0
	yield
	sev
	wfe
	dmb	sy
	mrs	x0, vbar_el1
	MIX	x0
	msr	tpidr_el1, x19
	MIX_SYS	tpidr_el1
	MIX_SYS	mdscr_el1

	/* by eret to the other stack pointer and back, and to EL0 */
	SET	x0, SPSR_EL1T
	msr	spsr_el1, x0
	adr	x0, 13f
	msr	elr_el1, x0
	eret
13:	MIX_SYS	spsel
	MIX_SYS	daif
	msr	spsel, #1
	and	x0, x19, #0xf0000000	/* SPSR_EL0T, with flags */
	msr	spsr_el1, x0
	adr	x0, user_loop
	msr	elr_el1, x0
	ADDRESS	x0, user_stack_end
	msr	sp_el0, x0
	eret

	/* ---- EL0 ---- */
user_loop:
	MIX_SYS	nzcv
	mov	x25, #DO_SKIP
	FAULTS	msr daifset, #2
	FAULTS	mrs x0, vbar_el1
	FAULTS	wfi
	SET	x1, UART_FR
	FAULTS	ldr w0, [x1]
	SET	x1, NEVER
	FAULTS	ldr x0, [x1]
	FAULTS	udf #7
	FAULTS	hvc #0
	mov	x21, #4
14:	mov	x8, x21
	svc	#0x33
	MIX	x0
	subs	x21, x21, #1
	b.ne	14b
	brk	#0x44
	MIX	x20
	str	x19, [sp, #-16]!
	ldr	x0, [sp], #16
	bl	leaf
	add	x1, x24, #72
15:	ldxr	w0, [x1]
	add	w0, w0, w19
	stxr	w2, w0, [x1]
	cbnz	w2, 15b
	MIX	x0
	mov	x0, sp
	add	x0, x0, #8
	mov	sp, x0
	FAULTS	ldr x0, [sp]		/* the stack pointer is not aligned */
	mov	x8, #CALL_LEAVE
	svc	#0
	b	.

leaf:
	MIX	x30
	ret

	/* ---- exceptions ---- */
on_exception:
	stp	x0, x1, [sp, #-16]!
	MIX_SYS	spsr_el1
	MIX_SYS	elr_el1
	MIX_SYS	daif
	mrs	x0, esr_el1
	MIX	x0
	add	x20, x20, x0
	lsr	x1, x0, #ESR_EC_SHIFT
	cmp	x1, #EC_SVC
	b.eq	on_svc
	cmp	x1, #EC_DATA_ABORT
	b.hi	skip			/* FAR_EL1 is not set then */
	cmp	x1, #0x20
	b.lo	skip
	MIX_SYS	far_el1
	cbz	x25, skip
	SET	x0, AWAY + PAGE_DATA
	str	x0, [x26]
	dsb	ishst
	isb
	b	done
skip:	mrs	x0, elr_el1
	add	x0, x0, #4
	msr	elr_el1, x0
done:	ldp	x0, x1, [sp], #16
	eret
on_svc:
	cmp	x8, #CALL_LEAVE
	b.ne	done
	msr	daifclr, #15
	ldp	x0, x1, [sp], #16
	b	loop

on_interrupt:				/* never, when every instruction is stepped */
	add	x19, x19, #1
	str	x0, [sp, #-16]!
	mov	x0, #0x10000
	msr	cntv_tval_el0, x0
	mrs	x0, icc_iar1_el1
	msr	icc_eoir1_el1, x0
	ldr	x0, [sp], #16
	eret
unexpected:
	b	unexpected
	.ltorg

	/* code that goes on in the next page, after a branch over what is there */
	.balign	4096
	.skip	4096 - 8
across_pages:
	eor	x0, x19, x30
	add	x0, x0, #1
	MIX	x0
	ret

	.balign	2048
vectors:
	.irp	from, 0, 1, 2, 3
	.if	\from == 1 || \from == 2
	b	on_exception
	.else
	b	unexpected
	.endif
	.balign	128
	.if	\from == 1 || \from == 2
	b	on_interrupt
	.else
	b	unexpected
	.endif
	.balign	128
	b	unexpected
	.balign	128
	b	unexpected
	.balign	128
	.endr

	.data
	.balign	4096
data_start:
data:	.ascii	"The quick brown fox jumps over the lazy dog, again and again and again."
	.balign	64
	.skip	256
rounds:	.quad	0
	.balign	4096
level1:	.quad	level2_devices + ENTRY_TABLE, level2 + ENTRY_TABLE
	.skip	4096 - 16
level2_devices:
	.skip	8 * (0x08000000 >> 21)
	.quad	0x08000000 + ENTRY_BLOCK_DEVICE
	.skip	8 * 7
	.quad	0x09000000 + ENTRY_BLOCK_DEVICE
	.balign	4096
level2:	.quad	level3 + ENTRY_TABLE
	.skip	4096 - 8
level3:	.skip	4096
	.skip	2048
kernel_stack_end:
	.skip	512
other_stack_end:
	.skip	512
user_stack_end:
	.quad	0, 0
