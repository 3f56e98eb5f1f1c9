/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The guest of the benchmarks; bench.h says what is where. The image ends at 4 GiB. What is to be debugged is copied to RAM,
 * because nobody can put a breakpoint into ROM, and does not depend on where it was linked.
 */
#include "bench.h"
#include "guest.h"

#define ROM_BASE (0x100000000 - BENCH_ROM_SIZE)
#define SEL_CODE32 0x08
#define SEL_DATA 0x10
#define SEL_CODE64 0x18
#define MSR_EFER 0xc0000080
#define CR0_PE 1
#define CR0_PG 0x80000000
#define CR4_PAE 0x20
#define EFER_LME 0x100
#define PRESENT_WRITE 3

	.text
	.globl _start
_start:

	.code32
protected:
	movw	$SEL_DATA, %ax
	movw	%ax, %ds
	movw	%ax, %es
	movw	%ax, %ss
	cld
	movl	$copied, %esi
	movl	$BENCH_CODE, %edi
	movl	$copied_end - copied, %ecx
	rep movsb
	lgdtl	gdt_pointer_copied

	/* PML4, PDPT and PD, one page each; the page tables follow. */
	movl	$BENCH_TABLES, %edi
	movl	$3 * 1024, %ecx
	xorl	%eax, %eax
	rep stosl
	movl	$BENCH_TABLES + 0x1000 + PRESENT_WRITE, BENCH_TABLES
	movl	$BENCH_TABLES + 0x2000 + PRESENT_WRITE, BENCH_TABLES + 0x1000
	movl	$BENCH_TABLES + 0x2000 + PRESENT_WRITE, BENCH_TABLES + 0x1000 + (BENCH_HIGH >> 30) * 8
	movl	$BENCH_TABLES + 0x2000, %edi
	movl	$BENCH_TABLES + 0x3000 + PRESENT_WRITE, %eax
	movl	$BENCH_MAPPED >> 21, %ecx
1:	movl	%eax, (%edi)
	addl	$8, %edi
	addl	$0x1000, %eax
	loop	1b
	movl	$BENCH_TABLES + 0x3000, %edi
	movl	$PRESENT_WRITE, %eax
	movl	$BENCH_MAPPED >> 12, %ecx
2:	movl	%eax, (%edi)
	movl	$0, 4(%edi)
	addl	$8, %edi
	addl	$0x1000, %eax
	loop	2b

	movl	$CR4_PAE, %eax
	movl	%eax, %cr4
	movl	$BENCH_TABLES, %eax
	movl	%eax, %cr3
	movl	$MSR_EFER, %ecx
	movl	$EFER_LME, %eax
	xorl	%edx, %edx
	wrmsr
	movl	%cr0, %eax
	orl	$CR0_PG, %eax
	ljmpl	$SEL_CODE32, $BENCH_CODE

/* ---- in RAM, at BENCH_CODE ---- */
	.org	BENCH_COPIED
copied:
	movl	%eax, %cr0
	ljmpl	$SEL_CODE64, $BENCH_CODE + in_long - copied

	.code64
in_long:
	movl	$BENCH_STACK, %esp
	xorl	%ebp, %ebp
	movb	$MARK_LONG, %al
	outb	%al, $BENCH_PORT
	movw	$PORT_COM1, %dx
	movb	$'R', %al
	outb	%al, %dx
	jmp	count

	.org	copied - _start + BENCH_STEPS - BENCH_CODE
3:	incq	%rax
	nop
	decq	%rcx
	jnz	3b
	jmp	count

	.org	copied - _start + BENCH_STEPS_END - BENCH_CODE
count:	call	bump
	jmp	count

	.org	copied - _start + BENCH_BUMP - BENCH_CODE
bump:	nop
	incq	BENCH_COUNTER
	ret

	.org	copied - _start + BENCH_WORK - BENCH_CODE
	movl	$4000000, %ecx
4:	decl	%ecx
	jnz	4b
	movw	$PORT_COM1, %dx
	movb	$'.', %al
	outb	%al, %dx
	jmp	copied + BENCH_WORK - BENCH_CODE

	.org	copied - _start + BENCH_HALT - BENCH_CODE
	cli
5:	hlt
	jmp	5b

	.org	copied - _start + BENCH_CODES - BENCH_CODE
6:	outb	%al, $BENCH_PORT
	decq	%rcx
	jnz	6b
	movw	$PORT_COM1, %dx
	movb	$'.', %al
	outb	%al, %dx
	jmp	copied + BENCH_HALT - BENCH_CODE

	.org	copied - _start + BENCH_COUNTER - BENCH_CODE
	.quad	0

	.balign	8
gdt: /* with the accessed bits set: the processor cannot set them in ROM */
	.quad	0
	.quad	0x00cf9b000000ffff
	.quad	0x00cf93000000ffff
	.quad	0x00af9b000000ffff
gdt_end:
copied_end:

/* ---- the reset vector ---- */
	.code16
gdt_pointer:
	.word	gdt_end - gdt - 1
	.long	gdt
gdt_pointer_copied: /* the page tables do not have the ROM */
	.word	gdt_end - gdt - 1
	.long	BENCH_CODE + gdt - copied
start:
	cli
	lgdtl	%cs:gdt_pointer - _start
	movl	%cr0, %eax
	orl	$CR0_PE, %eax
	movl	%eax, %cr0
	ljmpl	$SEL_CODE32, $protected

	.org	BENCH_ROM_SIZE - 16
	.byte	0xe9 /* jmp start, around the end of the segment: clang finds that too far */
	.word	start - _start - (BENCH_ROM_SIZE - 13) + 0x10000
	.balign	16

	.section .note.GNU-stack, "", @progbits
