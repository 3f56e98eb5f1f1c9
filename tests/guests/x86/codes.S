/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Writes to the debug ports in every size, one by one and as strings, then counts to BURST on port 0x80 as fast as it
 * can, and switches itself off. Runs in long mode.
 */
#include "guest.h"

#define PORT_TEXT 0x402
#define BURST 100000

	.text
	.globl _start, first, strings, burst
_start:
	movl	$0x8000, %esp
	movb	$MARK_REAL, %al
first:	outb	%al, $PORT_DEBUG
	movl	$0x11223344, %eax
	outw	%ax, $PORT_DEBUG
	outl	%eax, $PORT_DEBUG
	cld
	movl	$PORT_DEBUG, %edx
strings:
	leaq	bytes(%rip), %rsi
	movl	$4, %ecx
	rep outsb
	movl	$2, %ecx
	rep outsw
	movl	$2, %ecx
	rep outsl
	movl	$PORT_TEXT, %edx
	movl	$(text_end - text), %ecx
	rep outsb
	xorl	%eax, %eax
burst:	outl	%eax, $PORT_DEBUG
	incl	%eax
	cmpl	$BURST, %eax
	jne	burst
	inb	$PORT_DEBUG, %al
	outb	%al, $PORT_DEBUG
	movl	$PORT_PM_CONTROL, %edx
	movl	$PM_OFF, %eax
	outw	%ax, %dx
finished:
	hlt
	jmp	finished

bytes:	.byte	0xa1, 0xa2, 0xa3, 0xa4
	.word	0xb1b2, 0xb3b4
	.long	0xc1c2c3c4, 0xd1d2d3d4
text:	.ascii	"one line\r\nand \"another\"\n"
text_end:
