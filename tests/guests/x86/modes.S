/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A guest that walks through the modes of the processor: real, protected without paging, 32-bit paging, PAE paging, 64-bit.
 * It stays in each mode, counting in `spins`, until `go` has at least the number of the next part. In every paging mode the
 * word at physical WORD_PHYS is mapped at another virtual address, so that a debugger that reads it there has walked the
 * page tables of that mode.
 */
#include "guest.h"

#define WORD_PHYS 0x400000
#define WORD_PAGING 0x40000000
#define WORD_PAE 0x80000000
#define WORD_LONG 0xffff800000000000

#define SEL_CODE32 0x08
#define SEL_DATA 0x10
#define SEL_CODE64 0x18
#define SEL_CODE16 0x20

#define CR0_PE 1
#define CR0_PG 0x80000000
#define CR4_PSE 0x10
#define CR4_PAE 0x20
#define MSR_EFER 0xc0000080
#define EFER_LME 0x100

/* One part of the walk: tell, then count until `go` is at least @next. @base: how 64-bit code finds the variables. */
.macro STAY mark, next, base
	movb	$\mark, %al
	outb	%al, $PORT_DEBUG
1:	incl	spins\base
	cmpl	$\next, go\base
	jb	1b
.endm

	.text
	.code16
	.globl _start, at_real, at_protected, at_paging, at_pae, at_long, finished, spins, go
_start:
	cli
	xorw	%ax, %ax
	movw	%ax, %ds
	movw	%ax, %ss
	movw	$0x7c00, %sp
at_real:
	STAY	MARK_REAL, 1

	lgdtl	gdt_pointer
	movl	%cr0, %eax
	orl	$CR0_PE, %eax
	movl	%eax, %cr0
	ljmpl	$SEL_CODE32, $protected

	.code32
protected:
	movw	$SEL_DATA, %ax
	movw	%ax, %ds
	movw	%ax, %es
	movw	%ax, %ss
	movl	$0x7c00, %esp
	movl	$0x600d600d, WORD_PHYS
at_protected:
	STAY	MARK_PROTECTED, 2

	movl	%cr4, %eax
	orl	$CR4_PSE, %eax
	movl	%eax, %cr4
	movl	$directory32, %eax
	movl	%eax, %cr3
	movl	%cr0, %eax
	orl	$CR0_PG, %eax
	movl	%eax, %cr0
at_paging:
	STAY	MARK_PAGING, 3

	movl	%cr0, %eax
	andl	$~CR0_PG, %eax
	movl	%eax, %cr0
	movl	%cr4, %eax
	orl	$CR4_PAE, %eax
	movl	%eax, %cr4
	movl	$pdpt_pae, %eax
	movl	%eax, %cr3
	movl	%cr0, %eax
	orl	$CR0_PG, %eax
	movl	%eax, %cr0
at_pae:
	STAY	MARK_PAE, 4

	movl	%cr0, %eax
	andl	$~CR0_PG, %eax
	movl	%eax, %cr0
	movl	$pml4, %eax
	movl	%eax, %cr3
	movl	$MSR_EFER, %ecx
	rdmsr
	orl	$EFER_LME, %eax
	wrmsr
	movl	%cr0, %eax
	orl	$CR0_PG, %eax
	movl	%eax, %cr0
	ljmpl	$SEL_CODE64, $long_mode

	.code64
long_mode:
at_long:
	STAY	MARK_LONG, 5, (%rip)

	movb	$MARK_DONE, %al
	outb	%al, $PORT_DEBUG
finished:
	hlt
	jmp	finished

	.balign 8
gdt:	.quad	0
	.quad	0x00cf9b000000ffff
	.quad	0x00cf93000000ffff
	.quad	0x00af9b000000ffff
	.quad	0x00009b000000ffff
gdt_pointer:
	.word	. - gdt - 1
	.long	gdt

	.balign 4
spins:	.long	0
go:	.long	0

/* Page tables. PAGE: present, writable; BIG: and a leaf of 2 or 4 MiB. PDPT entries of PAE have no writable bit. */
.macro ENTRY value
	.long	\value, 0
.endm
#define PAGE 0x03
#define BIG 0x83
	.balign 4096
directory32:
	.long	BIG
	.fill	(WORD_PAGING >> 22) - 1, 4, 0
	.long	WORD_PHYS + BIG
	.balign 4096
directory_low:
	.quad	BIG
	.quad	0x200000 + BIG
	.quad	WORD_PHYS + BIG
	.balign 4096
directory_word:
	.quad	WORD_PHYS + BIG
	.balign 4096
pdpt_pae:
	ENTRY	directory_low+1
	.quad	0
	ENTRY	directory_word+1
	.quad	0
	.balign 4096
pdpt_low:
	ENTRY	directory_low+PAGE
	.balign 4096
pdpt_word:
	ENTRY	directory_word+PAGE
	.balign 4096
pml4:
	ENTRY	pdpt_low+PAGE
	.fill	255, 8, 0
	ENTRY	pdpt_word+PAGE
	.balign 4096
