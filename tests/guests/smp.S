/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A 64-bit guest with several vCPUs: the first starts the others with INIT and SIPI; each counts in counts[its APIC id]
 * until `stop` is set (2: a reset), and carries 0x1000 + its id in rbx. Start: --flat-mode=long.
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

	.text
	.code64
	.globl _start, count_here, pause_loop, counts, online, stop, finished
_start:
	leaq	boot_stack_end(%rip), %rsp
	/* the others start below 1 MiB, in real mode, with our page tables */
	leaq	trampoline(%rip), %rsi
	movl	$TRAMPOLINE, %edi
	movl	$(trampoline_end - trampoline), %ecx
	rep movsb
	movq	%cr3, %rax
	movl	%eax, TRAMPOLINE + (trampoline_cr3 - trampoline)

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
	incq	counts(, %rax, 8)
	lock incl online(%rip)
	movl	$PORT_COM1, %edx	/* a sign on the console that this one counts */
	movb	$'+', %al
	outb	%al, %dx
	leal	-0x1000(%rbx), %eax
count_here:
	incq	counts(, %rax, 8)
	pause
	cmpl	$0, stop(%rip)
	je	count_here
	cmpl	$2, stop(%rip)
	je	reset
	movb	$MARK_DONE, %al
	outb	%al, $PORT_DEBUG
finished:
	hlt
	jmp	finished

reset:
	movl	$PORT_RESET, %edx
	movb	$RESET_NOW, %al
	outb	%al, %dx
	jmp	finished

pause_a_while:
	movl	$100000, %ecx
pause_loop:
	pause
	decl	%ecx
	jnz	pause_loop
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
	ljmpl	$0x08, $count
	.balign 8
trampoline_gdt:
	.quad	0
	.quad	0x00af9b000000ffff
trampoline_gdt_pointer:
	.word	15
	.long	TRAMPOLINE + (trampoline_gdt - trampoline)
trampoline_cr3:
	.long	0
trampoline_end:

	.data
	.balign 8
counts:	.fill	16, 8, 0
online:	.long	0
stop:	.long	0
	.balign 16
boot_stack:
	.fill	4096
boot_stack_end:
