/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A 64-bit guest whose code is not where a breakpoint would expect it. Round and round it
 * - copies template over overwritten, and calls that,
 * - calls work in two address spaces (roots[0] and roots[1]), counting worked[0] and worked[1],
 * - and once `map` is set calls late at LATE + its address, where nothing is mapped before.
 * Start: --flat-mode=long.
 */
#include "guest.h"

#define LATE 0xffffffff80000000
#define PAGE_LARGE 0x83 /* present, writable, 2 MiB */
#define PAGE_TABLE 0x3

	.text
	.code64
	.globl _start, late, work, template, overwritten, called, map, roots, worked, rounds, lates
_start:
	leaq	stack_end(%rip), %rsp
	cld
	/* two copies of the root that the start code made: the lowest half-terabyte is one to one in each */
	movq	%cr3, %rsi
	movq	%rsi, %rbx
	leaq	root_a(%rip), %rdi
	movl	$512, %ecx
	rep movsq
	movq	%rbx, %rsi
	leaq	root_b(%rip), %rdi
	movl	$512, %ecx
	rep movsq
	leaq	root_a(%rip), %rax
	movq	%rax, roots(%rip)
	leaq	root_b(%rip), %rax
	movq	%rax, roots + 8(%rip)
	/* the top two gigabytes: one large page from guest-physical 0, not yet in the root */
	leaq	directory(%rip), %rax
	movq	$PAGE_LARGE, (%rax)
	orq	$PAGE_TABLE, %rax
	movq	%rax, pointers + 8 * 510(%rip)

round:
	leaq	template(%rip), %rsi
	leaq	overwritten(%rip), %rdi
	movl	$(template_end - template), %ecx
	rep movsb
called:
	call	overwritten
	xorl	%ebx, %ebx
	call	in_space
	movl	$1, %ebx
	call	in_space
	incq	rounds(%rip)
	cmpl	$0, map(%rip)
	je	round
	leaq	pointers(%rip), %rax
	orq	$PAGE_TABLE, %rax
	movq	%rax, root_a + 8 * 511(%rip)
	movq	%rax, root_b + 8 * 511(%rip)
	movq	$LATE + late, %rax
	call	*%rax
	jmp	round

/* work in the address space number rbx */
in_space:
	movq	roots(, %rbx, 8), %rax
	movq	%rax, %cr3
	call	work
	ret

work:
	incq	worked(, %rbx, 8)
	ret

late:
	incq	lates
	ret

template:
	nop
	nop
	ret
template_end:

overwritten:
	ret
	ret
	ret

	.data
	.balign 8
rounds:	.quad	0
lates:	.quad	0
worked:	.quad	0, 0
roots:	.quad	0, 0
map:	.long	0
	.balign 16
stack:	.fill	4096
stack_end:
	.balign 4096
root_a:	.fill	4096
root_b:	.fill	4096
pointers:
	.fill	4096
directory:
	.fill	4096
