/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * CROWD vCPUs that write to the debug ports at the same time: each counts to CROWD_WRITES, with a number of its own in
 * the top byte. A line of text comes first; then one of them writes a long string to another port and a last line, and
 * switches the machine off. Start: --flat-mode=long -c CROWD.
 */
#include "guest.h"

#define CROWD 3
#define CROWD_WRITES 33334
#define PORT_STRING 0xe0
#define PORT_TEXT 0x402
#define STRING_LEN 600

#define APIC 0xfee00000
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

	.text
	.code64
	.globl _start
_start:
	leaq	stack_end(%rip), %rsp
	movl	$PORT_TEXT, %edx
	leaq	first_line(%rip), %rsi
	movl	$(last_line - first_line), %ecx
	rep outsb

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
