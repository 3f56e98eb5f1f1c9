/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A firmware image of 64 KiB for any VMM, in real mode from its first to its last instruction. It writes to the debug ports
 * in every size; then two vCPUs take turns at counting to TURNS on port 0x80, each value after the other vCPU's; and it
 * switches itself off. Needs x2APIC.
 */
#include "guest.h"

#define ROM_SIZE 0x10000
#define TURNS 100
#define PORT_TEXT 0x402
#define PORT_EXIT 0xf4 /* QEMU's isa-debug-exit */
#define MSR_APIC_BASE 0x1b
#define APIC_X2 0xc00
#define MSR_X2APIC_SPURIOUS 0x80f
#define MSR_X2APIC_ICR 0x830
#define ICR_INIT_OTHERS 0x000c4500
#define ICR_SIPI_OTHERS 0x000c4600
#define ROM_LOW 0xf0000 /* the image is also here */
#define ROM_PAGE 0xf1
#define TURN 0x7000 /* in RAM */

	.text
	.code16
	.globl _start
_start:
bytes:	.byte	0xa1, 0xa2, 0xa3, 0xa4
text:	.ascii	"two vCPUs\r\ntake turns\n"
text_end:

	.macro	wrmsr_low msr value
	movl	$\msr, %ecx
	movl	$\value, %eax
	xorl	%edx, %edx
	wrmsr
	.endm

first:
	cli
	xorw	%ax, %ax
	movw	%ax, %ds
	movl	$0, TURN
	movb	$MARK_REAL, %al
	outb	%al, $PORT_DEBUG
	movl	$0x11223344, %eax
	outw	%ax, $PORT_DEBUG
	outl	%eax, $PORT_DEBUG
	cld
	movw	$PORT_DEBUG, %dx
	movw	$bytes, %si
	movw	$4, %cx
	rep outsb %cs:(%si), %dx
	movw	$PORT_TEXT, %dx
	movw	$(text_end - text), %cx
	rep outsb %cs:(%si), %dx

	movl	$MSR_APIC_BASE, %ecx
	rdmsr
	orl	$APIC_X2, %eax
	wrmsr
	wrmsr_low MSR_X2APIC_SPURIOUS, 0x1ff
	wrmsr_low MSR_X2APIC_ICR, ICR_INIT_OTHERS
	call	pause_a_while
	wrmsr_low MSR_X2APIC_ICR, (ICR_SIPI_OTHERS | ROM_PAGE)
	xorl	%ebx, %ebx
	jmp	turns

pause_a_while:
	movw	$1000, %cx
1:	pause
	loop	1b
	ret

/* @ebx: whether this vCPU writes even or odd numbers */
turns:
	movl	TURN, %eax
	cmpl	$TURNS, %eax
	jae	last
	movl	%eax, %ecx
	andl	$1, %ecx
	cmpl	%ecx, %ebx
	je	mine
	pause
	jmp	turns
mine:
	outl	%eax, $PORT_DEBUG
	incl	%eax
	movl	%eax, TURN
	jmp	turns

last:
	testl	%ebx, %ebx
	jnz	finished
	movb	$MARK_DONE, %al
	outb	%al, $PORT_DEBUG
	movw	$PORT_PM_CONTROL, %dx
	movw	$PM_OFF, %ax
	outw	%ax, %dx
	outb	%al, $PORT_EXIT
finished:
	hlt
	jmp	finished

	/* where the second vCPU starts, in a segment of its own */
	.org	ROM_PAGE * 0x1000 - ROM_LOW
	ljmpw	$(ROM_LOW >> 4), $second
second:
	cli
	xorw	%ax, %ax
	movw	%ax, %ds
	movl	$1, %ebx
	jmp	turns

	.org	ROM_SIZE - 16
	.byte	0xe9 /* jmp first, around the end of the segment */
	.word	first - _start - (ROM_SIZE - 13) + 0x10000
	.balign	16

	.section .note.GNU-stack, "", @progbits
