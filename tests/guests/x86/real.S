/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A real-mode guest, started at 0000:8000. It counts in `ticks` until somebody sets `stop`, writes through a data segment
 * with another base (20010 is 2000:0010), and then ends in a code segment with another base: 0800:offset.
 */
#include "guest.h"

	.code16
	.text
	.globl _start, bump, store, far_store, in_segment, finished, ticks, stop
_start:
	xorw	%ax, %ax
	movw	%ax, %ds
	movw	%ax, %ss
	movw	$0x7c00, %sp
	movb	$MARK_REAL, %al
	outb	%al, $PORT_DEBUG
again:
	call	bump
	movw	$0x2000, %bx
	movw	%bx, %es
	movw	ticks, %ax
far_store:
	movw	%ax, %es:0x10
	cmpw	$0, stop
	je	again
	ljmp	$0x0800, $(in_segment - 0x8000)

bump:
	movw	ticks, %ax
	incw	%ax
store:
	movw	%ax, ticks
	ret

in_segment:
	movb	$MARK_DONE, %al
	outb	%al, $PORT_DEBUG
finished:
	hlt
	jmp	finished

	.balign 4
ticks:	.word	0, 0
stop:	.word	0, 0
