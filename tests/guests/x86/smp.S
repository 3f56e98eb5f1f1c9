/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A 64-bit guest with several vCPUs: the first starts the others with INIT and SIPI; each counts in counts[its APIC id]
 * until `stop` is set (2: a reset, 3: the second one panics), and carries 0x1000 + its id in rbx. Meanwhile each adds up the bytes of the code, one
 * with every count, and leaves the sum in sums[] after each pass; #DB and #BP are counted in traps[]. Start:
 * --flat-mode=long.
 */
#include "guest.h"

#define APIC 0xfee00000
#define APIC_ID 0x20
#define APIC_SPURIOUS 0xf0
#define APIC_ICR 0x300
#define ICR_INIT_OTHERS 0x000c4500
#define ICR_SIPI_OTHERS 0x000c4600
#define TRAMPOLINE 0x9000
#define CR0_PE 1
#define CR0_PG 0x80000000
#define CR4_PAE 0x20
#define MSR_EFER 0xc0000080
#define EFER_LME 0x100
#define CODE64 0x10 /* the selector that --flat-mode=long starts us with */
#define STACK_SIZE 512

	.text
	.code64
	.globl _start, count_loop, count_here, loop_end, pause_loop, pause_end, counts, sums, passes, traps, online, stop, finished, text_end

	.macro	gate vector handler
	movl	$\handler, %eax
	movw	%ax, idt + 16 * \vector
	movw	$CODE64, idt + 16 * \vector + 2
	movw	$0x8e00, idt + 16 * \vector + 4
	shrl	$16, %eax
	movw	%ax, idt + 16 * \vector + 6
	.endm

_start:
	leaq	boot_stack_end(%rip), %rsp
	/* the others start below 1 MiB, in real mode, with our page tables */
	leaq	trampoline(%rip), %rsi
	movl	$TRAMPOLINE, %edi
	movl	$(trampoline_end - trampoline), %ecx
	rep movsb
	movq	%cr3, %rax
	movl	%eax, TRAMPOLINE + (trampoline_cr3 - trampoline)
	gate	1, on_db
	gate	3, on_bp

	movl	$APIC, %edi
	orl	$0x1ff, APIC_SPURIOUS(%rdi)
	movl	$ICR_INIT_OTHERS, APIC_ICR(%rdi)
	call	pause_a_while
	movl	$(ICR_SIPI_OTHERS | TRAMPOLINE >> 12), APIC_ICR(%rdi)
	call	pause_a_while
	movl	$(ICR_SIPI_OTHERS | TRAMPOLINE >> 12), APIC_ICR(%rdi)

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

	.code16
trampoline:
	cli
	xorw	%ax, %ax
	movw	%ax, %ds
	lgdtl	TRAMPOLINE + (trampoline_gdt_pointer - trampoline)
	movl	%cr4, %eax
	orl	$CR4_PAE, %eax
	movl	%eax, %cr4
	movl	TRAMPOLINE + (trampoline_cr3 - trampoline), %eax
	movl	%eax, %cr3
	movl	$MSR_EFER, %ecx
	rdmsr
	orl	$EFER_LME, %eax
	wrmsr
	movl	%cr0, %eax
	andl	$0x9fffffff, %eax	/* caches on */
	orl	$(CR0_PE | CR0_PG), %eax
	movl	%eax, %cr0
	ljmpl	$CODE64, $count
	.balign 8
trampoline_gdt:
	.quad	0, 0
	.quad	0x00af9b000000ffff
trampoline_gdt_pointer:
	.word	23
	.long	TRAMPOLINE + (trampoline_gdt - trampoline)
trampoline_cr3:
	.long	0
trampoline_end:
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
