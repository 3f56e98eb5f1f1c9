/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Sends checkpoints of every kind in real, 32-bit and 64-bit mode: by the assembler's macros with known registers, and
 * in the first two by C, too. Then switches itself off. frames_nasm.asm does the same with NASM, without C.
 */
#include <gdbvm/checkpoint-gas.inc>

#include "guest.h"

#define SEL_CODE32 0x08
#define SEL_DATA 0x10
#define SEL_CODE64 0x18
#define CR0_PE 1
#define CR0_PG 0x80000000
#define CR4_PAE 0x20
#define MSR_EFER 0xc0000080
#define EFER_LME 0x100

/* The registers afterwards show that nothing has changed them. */
.macro SEND bits
	CHECKPOINT_MODE \bits
	CHECKPOINT \bits
	movl	$0x11111111, %eax
	movl	$text_end - text, %ecx
	movl	$0x33333333, %edx
	movl	$0x44444444, %ebx
	movl	$0x55555555, %ebp
	movl	$text, %esi
	movl	$0x77777777, %edi
	stc
	CHECKPOINT_REGS
	CHECKPOINT_U64 0x1000 + \bits
	CHECKPOINT_MEM
	CHECKPOINT_REGS
.endm

	.text
	.code16
	.globl _start, text
_start:
	cli
	xorw	%ax, %ax
	movw	%ax, %ds
	movw	%ax, %ss
	movl	$0x7c00, %esp
	SEND	16
	calll	frames16

	lgdtl	gdt_pointer
	movl	%cr0, %eax
	orl	$CR0_PE, %eax
	movl	%eax, %cr0
	ljmpl	$SEL_CODE32, $protected

	.code32
protected:
	movw	$SEL_DATA, %ax
	movw	%ax, %ds
	movw	%ax, %es
	movw	%ax, %ss
	movl	$0x7c00, %esp
	SEND	32
	call	frames32

	movl	$CR4_PAE, %eax
	movl	%eax, %cr4
	movl	$pml4, %eax
	movl	%eax, %cr3
	movl	$MSR_EFER, %ecx
	movl	$EFER_LME, %eax
	xorl	%edx, %edx
	wrmsr
	movl	%cr0, %eax
	orl	$CR0_PG, %eax
	movl	%eax, %cr0
	ljmpl	$SEL_CODE64, $long_mode

	.code64
long_mode:
	movq	$-1, %r8
	SEND	64
	movl	$PORT_PM_CONTROL, %edx
	movl	$PM_OFF, %eax
	outw	%ax, %dx
1:	hlt
	jmp	1b

text:	.ascii	"checkpoint me"
text_end:

	.balign 8
gdt:	.quad	0
	.quad	0x00cf9b000000ffff
	.quad	0x00cf93000000ffff
	.quad	0x00af9b000000ffff
gdt_pointer:
	.word	. - gdt - 1
	.long	gdt
	.balign 4096
pml4:	.long	pdpt + 3, 0
	.balign 4096
pdpt:	.long	directory + 3, 0
	.balign 4096
directory:
	.quad	0x83 /* 2 MiB */
