/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A 64-bit guest with several vCPUs: the first starts the others with INIT and SIPI; each counts in counts[its APIC id]
 * until `stop` is set (2: a reset, 3: the second one panics), and carries 0x1000 + its id in rbx. Meanwhile each adds up the bytes of the code, one
 * with every count, and leaves the sum in sums[] after each pass; #DB and #BP are counted in traps[]. Start:
 * --flat-mode=long.
 */
#include "others.S"

#define STACK_SIZE 512

	.text
	.code64
	.globl _start, count_loop, count_here, loop_end, pause_loop, pause_end, counts, sums, passes, traps, online, stop, finished, text_end

_start:
	leaq	boot_stack_end(%rip), %rsp
	gate	1, on_db
	gate	3, on_bp

	START_OTHERS

count:
	movl	$APIC, %edi
	movl	APIC_ID(%rdi), %eax
	shrl	$24, %eax
	leaq	0x1000(%rax), %rbx
	imull	$STACK_SIZE, %eax, %ecx
	leaq	stacks + STACK_SIZE(%rcx), %rsp
	lidt	idt_pointer
	incq	counts(, %rax, 8)
	lock incl online(%rip)
	movl	$PORT_COM1, %edx	/* a sign on the console that this one counts */
	movb	$'+', %al
	outb	%al, %dx
	leal	-0x1000(%rbx), %eax
	xorl	%edi, %edi
	movl	$_start, %esi
count_loop:
count_here:
	incq	counts(, %rax, 8)
	pause
	movzbl	(%rsi), %ecx
	addl	%ecx, %edi
	incl	%esi
	cmpl	$text_end, %esi
	jb	same_pass
	movl	%edi, sums(, %rax, 4)
	incl	passes(, %rax, 4)
	xorl	%edi, %edi
	movl	$_start, %esi
same_pass:
	cmpl	$0, stop(%rip)
	je	count_here
loop_end:
	cmpl	$2, stop(%rip)
	je	reset
	cmpl	$3, stop(%rip)
	je	panic
	movb	$MARK_DONE, %al
	outb	%al, $PORT_DEBUG
finished:
	hlt
	jmp	finished

panic:
	cmpq	$0x1001, %rbx
	jne	count_here
	movl	$0, stop(%rip)
	movl	%eax, %ecx
	movl	$PORT_PANIC, %edx
	movb	$1, %al
	outb	%al, %dx
	movl	%ecx, %eax
	jmp	count_here

reset:
	movl	$PORT_RESET, %edx
	movb	$RESET_NOW, %al
	outb	%al, %dx
	jmp	finished

on_db:
	lock incl traps
	iretq
on_bp:
	lock incl traps + 4
	iretq

pause_a_while:
	movl	$100000, %ecx
pause_loop:
	pause
	decl	%ecx
	jnz	pause_loop
pause_end:
	ret

	TRAMPOLINE count
text_end:

	.data
	.balign 8
counts:	.fill	16, 8, 0
sums:	.fill	16, 4, 0
passes:	.fill	16, 4, 0
traps:	.long	0, 0
idt:	.fill	4 * 16
idt_pointer:
	.word	4 * 16 - 1
	.quad	idt
online:	.long	0
stop:	.long	0
	.balign 16
boot_stack:
	.fill	4096
boot_stack_end:
stacks:
	.fill	16 * STACK_SIZE
