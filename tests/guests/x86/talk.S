/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * TALKERS vCPUs, each of which sends what talk.c says, all at once: between any two instructions of it there is a trap,
 * in which now and then a byte that belongs to no frame is written, or another vCPU is let go on. When all are done the
 * guest switches itself off. Start: --flat-mode=long, with TALKERS vCPUs.
 */
#include "others.S"
#include "talk.h"

#define STACK_SIZE 4096
#define TRAP_FLAG 0x100
#define NOISE_EVERY 8
#define CODE_EVERY 64 /* and a change of vCPUs */

	.text
	.code64
	.globl _start
_start:
	leaq	stacks + STACK_SIZE(%rip), %rsp
	gate	1, on_trap
	START_OTHERS

begin:
	movl	$APIC, %edi
	movl	APIC_ID(%rdi), %edi
	shrl	$24, %edi
	imull	$STACK_SIZE, %edi, %ecx
	leaq	stacks + STACK_SIZE(%rcx), %rsp
	lidt	idt_pointer
	movl	%edi, %ebx
	lock incl here
0:	pause
	cmpl	$TALKERS, here
	jne	0b
	pushq	$TRAP_FLAG | 2
	popfq
	call	talk
	pushq	$2
	popfq
	lock incl done
	lock incl progress
	testl	%ebx, %ebx
	jnz	finished
1:	pause
	cmpl	$TALKERS, done
	jne	1b
	movl	$PORT_PM_CONTROL, %edx
	movl	$PM_OFF, %eax
	outw	%ax, %dx
finished:
	hlt
	jmp	finished

on_trap:
	pushq	%rax
	pushq	%rbx
	movq	%rsp, %rbx
	andq	$-STACK_SIZE, %rbx	/* how many traps: in the stack's lowest word */
	incl	(%rbx)
	testl	$(NOISE_EVERY - 1), (%rbx)
	jnz	3f
	xorl	%eax, %eax		/* as Linux does, to wait */
	outb	%al, $PORT_DEBUG
	testl	$(CODE_EVERY - 1), (%rbx)
	jnz	3f
	movb	$TALK_TRAP, %al
	outb	%al, $PORT_DEBUG
	movl	$1, %eax
	lock xaddl %eax, progress
	incl	%eax
2:	pause				/* until somebody else has come here, if there is one left */
	cmpl	$TALKERS - 1, done
	je	3f
	cmpl	%eax, progress
	je	2b
3:	popq	%rbx
	popq	%rax
	iretq

pause_a_while:
	movl	$100000, %ecx
4:	pause
	decl	%ecx
	jnz	4b
	ret

	TRAMPOLINE begin

	.data
	.balign 8
idt:	.fill	2 * 16
idt_pointer:
	.word	2 * 16 - 1
	.quad	idt
here:	.long	0
done:	.long	0
progress:
	.long	0
	.balign STACK_SIZE
stacks:
	.fill	TALKERS * STACK_SIZE
