/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Writes checkpoints as a small kernel would, and then ends as the last byte of the image says, which is for a test to
 * change: o powers off, r reboots, t is a triple fault, p a panic; h, as it is here, hangs. Runs in long mode.
 */
#include "guest.h"

#define PANICKED 1

	.text
	.globl _start, hang, how
_start:
	movb	$MARK_REAL, %al
	outb	%al, $PORT_DEBUG
	movb	$MARK_PROTECTED, %al
	outb	%al, $PORT_DEBUG
	leaq	pfn(%rip), %rsi
	movl	$(pfn_end - pfn), %ecx
	movl	$PORT_DEBUG, %edx
next:	lodsb
	outb	%al, %dx
	loop	next
	movb	$MARK_LONG, %al
	outb	%al, $PORT_DEBUG

	movb	how(%rip), %al
	cmpb	$'o', %al
	je	power_off
	cmpb	$'r', %al
	je	reboot
	cmpb	$'t', %al
	je	triple_fault
	cmpb	$'p', %al
	je	panic
hang:	pause
	jmp	hang

power_off:
	movl	$PORT_PM_CONTROL, %edx
	movl	$PM_OFF, %eax
	outw	%ax, %dx
	jmp	hang
reboot:
	movl	$PORT_RESET, %edx
	movb	$RESET_NOW, %al
	outb	%al, %dx
	jmp	hang
triple_fault:
	lidt	no_idt(%rip)
	ud2
panic:
	movl	$PORT_PANIC, %edx
	movb	$PANICKED, %al
	outb	%al, %dx
	jmp	hang

pfn:	.byte	0xcd, 0x00, 0x10, 0x00, 0x00
pfn_end:
no_idt:	.word	0
	.quad	0
how:	.byte	'h'
