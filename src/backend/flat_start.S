/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The code of flat_start.c's ROM, which has it as bytes in flat_code.h. It runs at f000:0000, reached by the jump at
 * the reset vector. Data is addressed from the start of the segment; flat_start.c fills in flat_start_params.
 * Source: Intel SDM vol. 3, "Switching to Protected Mode", "Initializing IA-32e Mode".
 */
#define MSR_EFER 0xc0000080
#define PCI_ADDRESS 0xcf8
#define PCI_DATA 0xcfc
#define PIIX_PM 0x80000b00 /* bus 0, device 1, function 3 */
#define PM_BASE 0x600 /* where our own board has it */

	.section .rodata.flat_start, "a", @progbits
	.globl flat_start_code, flat_start_params, flat_start_end

	.code16
flat_start_code:
	cli
	cld
	movw	%cs, %ax
	movw	%ax, %ds

	/* Power-off works as on our own board: PM registers at PM_BASE, enabled. */
	movw	$PCI_ADDRESS, %dx
	movl	$PIIX_PM + 0x40, %eax
	outl	%eax, %dx
	movw	$PCI_DATA, %dx
	movl	$PM_BASE + 1, %eax
	outl	%eax, %dx
	movw	$PCI_ADDRESS, %dx
	movl	$PIIX_PM + 0x80, %eax
	outl	%eax, %dx
	movw	$PCI_DATA, %dx
	movb	$1, %al
	outb	%al, %dx
	movw	$PCI_ADDRESS, %dx
	xorl	%eax, %eax
	outl	%eax, %dx

	cmpl	$0, p_long - flat_start_code
	jne	to_long

	lgdtl	p_gdt - flat_start_code
	lidtl	p_idt - flat_start_code
	movw	%cs:p_es - flat_start_code, %es
	movw	%cs:p_ss - flat_start_code, %ss
	movw	%cs:p_fs - flat_start_code, %fs
	movw	%cs:p_gs - flat_start_code, %gs
	movw	%cs:p_ds - flat_start_code, %ds
	ljmpw	*%cs:p_far_real - flat_start_code

to_long:
	lgdtl	p_gdt - flat_start_code
	movl	p_cr4 - flat_start_code, %eax
	movl	%eax, %cr4
	movl	p_cr3 - flat_start_code, %eax
	movl	%eax, %cr3
	movl	$MSR_EFER, %ecx
	movl	p_efer - flat_start_code, %eax
	xorl	%edx, %edx
	wrmsr
	movl	p_cr0 - flat_start_code, %eax
	movl	%eax, %cr0
	ljmpl	*p_far_long - flat_start_code

	.code64
in_long:
	movw	p_es(%rip), %es
	movw	p_ss(%rip), %ss
	movw	p_ds(%rip), %ds
	movw	p_fs(%rip), %fs
	movw	p_gs(%rip), %gs
	lidt	p_idt(%rip)
	jmpq	*p_rip(%rip)

	.balign	8
flat_start_params:
p_rip:	.quad	0
p_cr0:	.long	0
p_cr3:	.long	0
p_cr4:	.long	0
p_efer:	.long	0
p_long:	.long	0
p_far_long:
	.long	0xf0000 + in_long - flat_start_code
	.word	0
p_far_real:
	.word	0, 0
p_es:	.word	0
p_ss:	.word	0
p_ds:	.word	0
p_fs:	.word	0
p_gs:	.word	0
p_gdt:	.word	0	/* limit */
	.quad	0	/* base */
p_idt:	.word	0
	.quad	0
flat_start_end:

	.section .note.GNU-stack, "", @progbits
