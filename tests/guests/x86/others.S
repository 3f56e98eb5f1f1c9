/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* For guests with several vCPUs, which --flat-mode=long starts with the first one alone. */
#include "guest.h"

#define APIC 0xfee00000
#define APIC_ID 0x20
#define APIC_SPURIOUS 0xf0
#define APIC_ICR 0x300
#define ICR_INIT_OTHERS 0x000c4500
#define ICR_SIPI_OTHERS 0x000c4600
#define TRAMPOLINE_AT 0x9000
#define CR0_PE 1
#define CR0_PG 0x80000000
#define CR4_PAE 0x20
#define MSR_EFER 0xc0000080
#define EFER_LME 0x100
#define CODE64 0x10 /* the selector that we start with */

/* An interrupt gate in `idt`. */
	.macro	gate vector handler
	movl	$\handler, %eax
	movw	%ax, idt + 16 * \vector
	movw	$CODE64, idt + 16 * \vector + 2
	movw	$0x8e00, idt + 16 * \vector + 4
	shrl	$16, %eax
	movw	%ax, idt + 16 * \vector + 6
	.endm

/* The others start below 1 MiB, in real mode, and then have our page tables. pause_a_while is the guest's own. */
	.macro	START_OTHERS
	leaq	trampoline(%rip), %rsi
	movl	$TRAMPOLINE_AT, %edi
	movl	$(trampoline_end - trampoline), %ecx
	rep movsb
	movq	%cr3, %rax
	movl	%eax, TRAMPOLINE_AT + (trampoline_cr3 - trampoline)
	movl	$APIC, %edi
	orl	$0x1ff, APIC_SPURIOUS(%rdi)
	movl	$ICR_INIT_OTHERS, APIC_ICR(%rdi)
	call	pause_a_while
	movl	$(ICR_SIPI_OTHERS | TRAMPOLINE_AT >> 12), APIC_ICR(%rdi)
	call	pause_a_while
	movl	$(ICR_SIPI_OTHERS | TRAMPOLINE_AT >> 12), APIC_ICR(%rdi)
	.endm

/* Where they come from; they go on at @entry, in 64-bit mode. */
	.macro	TRAMPOLINE entry
	.code16
trampoline:
	cli
	xorw	%ax, %ax
	movw	%ax, %ds
	lgdtl	TRAMPOLINE_AT + (trampoline_gdt_pointer - trampoline)
	movl	%cr4, %eax
	orl	$CR4_PAE, %eax
	movl	%eax, %cr4
	movl	TRAMPOLINE_AT + (trampoline_cr3 - trampoline), %eax
	movl	%eax, %cr3
	movl	$MSR_EFER, %ecx
	rdmsr
	orl	$EFER_LME, %eax
	wrmsr
	movl	%cr0, %eax
	andl	$0x9fffffff, %eax	/* caches on */
	orl	$(CR0_PE | CR0_PG), %eax
	movl	%eax, %cr0
	ljmpl	$CODE64, $\entry
	.balign 8
trampoline_gdt:
	.quad	0, 0
	.quad	0x00af9b000000ffff
trampoline_gdt_pointer:
	.word	23
	.long	TRAMPOLINE_AT + (trampoline_gdt - trampoline)
trampoline_cr3:
	.long	0
trampoline_end:
	.code64
	.endm

