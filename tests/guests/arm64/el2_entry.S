/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The hypervisor's way in and out of its guest, and the guest. el2.c has the rest. */
#include "el2.h"
#include "macros.S"

	.section .text.startup, "ax"
	.globl _start
_start:
	ADDRESS	x0, stack_end
	mov	sp, x0
	ADDRESS	x0, vectors
	msr	vbar_el2, x0
	isb
	bl	hyp_main		/* returns the vCPU to enter */

	/* x0: struct vcpu, whose system registers are loaded */
	.globl vcpu_enter
vcpu_enter:
	msr	tpidr_el2, x0
	ldp	x1, x2, [x0, #VCPU_PC]
	msr	elr_el2, x1
	msr	spsr_el2, x2
	ldp	x2, x3, [x0, #VCPU_X + 16]
	ldp	x4, x5, [x0, #VCPU_X + 32]
	ldp	x6, x7, [x0, #VCPU_X + 48]
	ldp	x8, x9, [x0, #VCPU_X + 64]
	ldp	x10, x11, [x0, #VCPU_X + 80]
	ldp	x12, x13, [x0, #VCPU_X + 96]
	ldp	x14, x15, [x0, #VCPU_X + 112]
	ldp	x16, x17, [x0, #VCPU_X + 128]
	ldp	x18, x19, [x0, #VCPU_X + 144]
	ldp	x20, x21, [x0, #VCPU_X + 160]
	ldp	x22, x23, [x0, #VCPU_X + 176]
	ldp	x24, x25, [x0, #VCPU_X + 192]
	ldp	x26, x27, [x0, #VCPU_X + 208]
	ldp	x28, x29, [x0, #VCPU_X + 224]
	ldr	x30, [x0, #VCPU_X + 240]
	ldp	x0, x1, [x0, #VCPU_X]
	eret

	/* from the guest: for a debugger nobody called this */
	.globl vcpu_left
	.cfi_sections .debug_frame
	.cfi_startproc
	.cfi_undefined x30
vcpu_left:
	stp	x0, x1, [sp, #-16]!
	mrs	x0, tpidr_el2
	stp	x2, x3, [x0, #VCPU_X + 16]
	ldp	x2, x3, [sp], #16
	stp	x2, x3, [x0, #VCPU_X]
	stp	x4, x5, [x0, #VCPU_X + 32]
	stp	x6, x7, [x0, #VCPU_X + 48]
	stp	x8, x9, [x0, #VCPU_X + 64]
	stp	x10, x11, [x0, #VCPU_X + 80]
	stp	x12, x13, [x0, #VCPU_X + 96]
	stp	x14, x15, [x0, #VCPU_X + 112]
	stp	x16, x17, [x0, #VCPU_X + 128]
	stp	x18, x19, [x0, #VCPU_X + 144]
	stp	x20, x21, [x0, #VCPU_X + 160]
	stp	x22, x23, [x0, #VCPU_X + 176]
	stp	x24, x25, [x0, #VCPU_X + 192]
	stp	x26, x27, [x0, #VCPU_X + 208]
	stp	x28, x29, [x0, #VCPU_X + 224]
	str	x30, [x0, #VCPU_X + 240]
	mrs	x1, elr_el2
	mrs	x2, spsr_el2
	stp	x1, x2, [x0, #VCPU_PC]
	bl	vcpu_exit		/* returns the vCPU to enter */
	b	vcpu_enter
	.cfi_endproc

	.globl unexpected
unexpected:
	b	unexpected

	/* an exception of the hypervisor's own, or of what it does not let its guest do, ends here */
	.balign	2048
vectors:
	.rept	8
	b	unexpected
	.balign	128
	.endr
	b	vcpu_left
	.balign	128
	.rept	7
	b	unexpected
	.balign	128
	.endr

/* ---- the guest: EL1, MMU off ---- */

	.section .guest, "ax"
	.globl guest_start, guest_touch, guest_psci, guest_wait, guest_second, second_wait, guest_irq
guest_start:				/* vCPU 0 */
	mov	w0, #0x42
	SET	x1, GUEST_DEVICE + 0x10
guest_touch:
	str	w0, [x1]
	SET	x0, PSCI_VERSION
guest_psci:
	hvc	#0
	SET	x0, PSCI_CPU_ON
	mov	x1, #1
	adr	x2, guest_second
	mov	x3, #0x77
	hvc	#0
	SET	x19, GUEST_DATA
guest_wait:
	wfi
	ldr	w0, [x19]
	cmp	w0, #GUEST_INTERRUPTS
	b.lo	guest_wait
	SET	x0, PSCI_SYSTEM_OFF
	hvc	#0

guest_second:				/* vCPU 1; x0: what CPU_ON was told */
	SET	x19, GUEST_DATA
	adr	x1, guest_vectors
	msr	vbar_el1, x1
	mov	x1, #0xff
	msr	icc_pmr_el1, x1
	mov	x1, #1
	msr	icc_igrpen1_el1, x1
	isb
	msr	daifclr, #2
second_wait:
	wfi
	b	second_wait

guest_irq:
	mrs	x1, icc_iar1_el1
	ldr	w2, [x19]
	add	w2, w2, #1
	str	w2, [x19]
	msr	icc_eoir1_el1, x1
	eret

	.balign	2048
guest_vectors:
	.rept	5
	b	.
	.balign	128
	.endr
	b	guest_irq
	.balign	128
	.rept	10
	b	.
	.balign	128
	.endr
