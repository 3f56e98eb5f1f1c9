/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * CROWD vCPUs that write to the debug ports at the same time: each counts to CROWD_WRITES, with a number of its own in
 * the top byte. A line of text comes first; then one of them writes a long string to another port and a last line, and
 * switches the machine off. Start: --flat-mode=long -c CROWD.
 */
#include "others.S"

#define CROWD 3
#define CROWD_WRITES 33334
#define PORT_STRING 0xe0
#define PORT_TEXT 0x402
#define STRING_LEN 600

	.text
	.code64
	.globl _start
_start:
	leaq	stack_end(%rip), %rsp
	movl	$PORT_TEXT, %edx
	leaq	first_line(%rip), %rsi
	movl	$(last_line - first_line), %ecx
	rep outsb

	START_OTHERS

	/* all begin together; no stack from here on */
count:	movl	$1, %ebx
	lock xaddl %ebx, there(%rip)
1:	pause
	cmpl	$CROWD, there(%rip)
	jb	1b
	movl	%ebx, %eax
	shll	$24, %eax
	leal	CROWD_WRITES(%rax), %ecx
2:	outl	%eax, $PORT_DEBUG
	incl	%eax
	cmpl	%ecx, %eax
	jne	2b
	lock incl done(%rip)
	testl	%ebx, %ebx
	jnz	finished

3:	pause
	cmpl	$CROWD, done(%rip)
	jb	3b
	movl	$PORT_STRING, %edx
	leaq	string(%rip), %rsi
	movl	$STRING_LEN, %ecx
	rep outsb
	movl	$PORT_TEXT, %edx
	leaq	last_line(%rip), %rsi
	movl	$(lines_end - last_line), %ecx
	rep outsb
	movl	$PORT_PM_CONTROL, %edx
	movl	$PM_OFF, %eax
	outw	%ax, %dx
finished:
	cli
	hlt
	jmp	finished

pause_a_while:
	movl	$100000, %ecx
4:	pause
	decl	%ecx
	jnz	4b
	ret

	TRAMPOLINE count

first_line:
	.ascii	"first\n"
last_line:
	.ascii	"last\n"
lines_end:
string:
	.set	i, 0
	.rept	STRING_LEN
	.byte	i & 0xff
	.set	i, i + 1
	.endr

	.data
	.balign 8
there:	.long	0
done:	.long	0
	.fill	256
stack_end:

	.section .note.GNU-stack, "", @progbits
