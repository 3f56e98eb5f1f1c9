/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A 64-bit guest that does what is hard to single-step, over and over, in ring 0 and ring 3. Whatever it can see of the
 * flags - frames, r11, images on the stack, DR6 - is mixed into rbx, from which it takes what it does next: a debugger
 * that leaves a trace sends it on another way. A periodic timer is on, and its interrupt would be seen, too.
 * Start: --flat-mode=long at 1 MiB.
 */
#include "guest.h"

#define SEL_CODE 0x08
#define SEL_DATA 0x10
#define SEL_UDATA 0x23
#define SEL_UCODE 0x2b
#define SEL_TSS 0x30
#define GATE 0x8e00
#define GATE_USER 0xee00
#define TRAP_USER 0xef00
#define MSR_EFER 0xc0000080
#define MSR_STAR 0xc0000081
#define MSR_LSTAR 0xc0000082
#define MSR_SFMASK 0xc0000084
#define APIC 0xfee00000
#define APIC_SPURIOUS 0xf0
#define APIC_TPR 0x80
#define FLAG_TF 0x100
#define FLAG_IF 0x200
#define PORT_SCRATCH 0x3ff		/* of the serial port: a byte that keeps what is written */
#define PAGE_AWAY 0x1f0000		/* comes and goes */
#define PAGE_NEVER 0x1f1000
#define DO_SKIP 0			/* in r14: what the handler does about a fault: skip r15 bytes */
#define DO_MAP 1			/* make PAGE_AWAY present, try again */
#define DO_ZAP_TRAP 2			/* in r13: count of debug exceptions until the handler clears the trap flag */
#define CALL_LEAVE 99			/* int 0x80 with this in eax: back to ring 0 */

.macro MIX from
	addq	\from, %rbx
	leaq	0x1357(%rbx, %rbx, 4), %rbx
.endm

/* An instruction of @length bytes that faults, and is skipped. */
.macro FAULTS length, insn:vararg
	movl	$\length, %r15d
	movl	$DO_SKIP, %r14d
	\insn
.endm

	.text
	.code64
	.globl _start, loop, user_loop, rounds
_start:
	cli
	cld
	leaq	kernel_stack_end(%rip), %rsp

	/* page tables: the first 2 MiB in small pages for all rings, and the local APIC */
	leaq	page_table(%rip), %rdi
	movl	$7, %eax
	movl	$512, %ecx
1:	movq	%rax, (%rdi)
	addq	$0x1000, %rax
	addq	$8, %rdi
	decl	%ecx
	jnz	1b
	movq	$0, page_table + PAGE_NEVER / 4096 * 8
	leaq	pml4(%rip), %rax
	movq	%rax, %cr3

	lgdt	gdt_pointer(%rip)
	movl	$SEL_DATA, %eax
	movl	%eax, %ds
	movl	%eax, %es
	movl	%eax, %ss
	pushq	$SEL_CODE
	leaq	2f(%rip), %rax
	pushq	%rax
	lretq
2:	leaq	tss(%rip), %rax
	movw	%ax, gdt + SEL_TSS + 2
	shrq	$16, %rax
	movb	%al, gdt + SEL_TSS + 4
	movb	%ah, gdt + SEL_TSS + 7
	movl	$SEL_TSS, %eax
	ltr	%ax

	/* the interrupt table from the list of handlers */
	leaq	handlers(%rip), %rsi
	leaq	idt(%rip), %rdi
	xorl	%ecx, %ecx
3:	movq	(%rsi, %rcx, 8), %rax
	cmpl	$48, %ecx
	jb	4f
	leaq	h_0x80(%rip), %rax
4:	movw	%ax, (%rdi)
	movw	$SEL_CODE, 2(%rdi)
	movw	$GATE, 4(%rdi)
	shrq	$16, %rax
	movw	%ax, 6(%rdi)
	addq	$16, %rdi
	incl	%ecx
	cmpl	$0x82, %ecx
	jb	3b
	movw	$GATE_USER, idt + 3 * 16 + 4
	movw	$GATE_USER, idt + 4 * 16 + 4
	movw	$GATE_USER, idt + 0x80 * 16 + 4
	movw	$TRAP_USER, idt + 0x81 * 16 + 4
	lidt	idt_pointer(%rip)

	movl	$MSR_EFER, %ecx
	rdmsr
	orl	$1, %eax
	wrmsr
	movl	$MSR_STAR, %ecx
	xorl	%eax, %eax
	movl	$((SEL_UDATA - 8) << 16 | SEL_CODE), %edx
	wrmsr
	movl	$MSR_LSTAR, %ecx
	leaq	entry(%rip), %rax
	xorl	%edx, %edx
	wrmsr
	movl	$MSR_SFMASK, %ecx
	movl	$(FLAG_TF | FLAG_IF | 0x400), %eax
	wrmsr

	/* interrupt controllers at vectors 32 and 40, only the timer open; the timer at 100 Hz */
	movb	$0x11, %al
	outb	%al, $0x20
	outb	%al, $0xa0
	movb	$0x20, %al
	outb	%al, $0x21
	movb	$0x28, %al
	outb	%al, $0xa1
	movb	$0x04, %al
	outb	%al, $0x21
	movb	$0x02, %al
	outb	%al, $0xa1
	movb	$0x01, %al
	outb	%al, $0x21
	outb	%al, $0xa1
	movb	$0xfe, %al
	outb	%al, $0x21
	movb	$0xff, %al
	outb	%al, $0xa1
	movb	$0x34, %al
	outb	%al, $0x43
	movb	$0x9b, %al
	outb	%al, $0x40
	movb	$0x2e, %al
	outb	%al, $0x40

	movq	$0x123456789abcdef, %rbx
	xorl	%r13d, %r13d
	movb	$MARK_LONG, %al
	outb	%al, $PORT_DEBUG

	/* ---- ring 0 ---- */
loop:
	incq	rounds(%rip)
	leaq	kernel_stack_end(%rip), %rsp

	/* flags */
	sti
	nop
	pushfq
	popq	%rax
	MIX	%rax
	cli
	pushfq
	cli
	pushfq
	popq	%rax
	MIX	%rax
	popq	%rax
	MIX	%rax
	pushfw
	popw	%ax
	MIX	%rax
	movq	%rbx, %rax
	andl	$(FLAG_IF | 0x40 | 1), %eax
	orl	$2, %eax
	pushq	%rax
	popfq
	pushfq
	popq	%rax
	MIX	%rax
	sti
	sti
	cli
	sti
	pushfq
	pushfq
	orl	$FLAG_TF, (%rsp)	/* step ourselves for three instructions */
	movl	$3, %r13d
	popfq
	nop
	pushfq
	popq	%rax
	MIX	%rax
	popfq
	xorl	%r13d, %r13d

	/* mov ss, and what comes right behind */
	movl	%ss, %eax
	movl	%eax, %ss
	nop
	movl	%eax, %ss
	pushfq
	popq	%rax
	MIX	%rax
	movw	selector(%rip), %ss
	incl	%ecx

	/* interrupts by instruction */
	int	$0x80
	int	$0x81
	int	$0x20
	int3
	int	$3
	int	$5
	pushfq
	popq	%rax
	MIX	%rax

	/* faults */
	FAULTS	2, ud2
	xorl	%ecx, %ecx
	movl	$1, %eax
	xorl	%edx, %edx
	FAULTS	2, divl %ecx
	movq	$(1 << 62), %rcx
	FAULTS	3, movq (%rcx), %rax
	FAULTS	3, movq %rax, (%rcx)
	FAULTS	2, pushq (%rcx)
	FAULTS	8, movl PAGE_NEVER, %eax
	nop
	movl	$0xfff0, %eax
	FAULTS	2, movl %eax, %ds
	leaq	away_pte(%rip), %rdx
	movq	(%rdx), %rdx
	movq	$0, (%rdx)
	invlpg	PAGE_AWAY
	movl	$DO_MAP, %r14d
	incq	PAGE_AWAY + 8
	movq	$0, (%rdx)
	invlpg	PAGE_AWAY
	leaq	data(%rip), %rsi	/* a copy that runs into the missing page */
	movl	$(PAGE_AWAY - 3), %edi
	movl	$8, %ecx
	rep movsb
	movq	$0, (%rdx)
	invlpg	PAGE_AWAY
	movl	$(PAGE_AWAY - 4), %edi	/* a store across its beginning */
	movq	%rbx, (%rdi)
	movl	$DO_SKIP, %r14d
	movq	PAGE_AWAY, %rax
	MIX	%rax

	/* strings, an instruction across two pages */
	leaq	data(%rip), %rsi
	leaq	data + 64(%rip), %rdi
	movl	%ebx, %ecx
	andl	$7, %ecx
	rep movsq
	movl	%ebx, %eax
	movl	$5, %ecx
	rep stosb
	movl	$16, %ecx
	leaq	data(%rip), %rdi
	repne scasb
	call	across
	MIX	%rax

	/* what leaves to the hypervisor */
	movl	$PORT_SCRATCH, %edx
	movl	%ebx, %eax
	outb	%al, %dx
	inb	%dx, %al
	MIX	%rax
	outb	%al, $PORT_DEBUG
	leaq	data(%rip), %rsi
	movl	$PORT_DEBUG, %edx
	movl	$3, %ecx
	rep outsb
	movl	$APIC, %edi
	movl	$0x1ff, APIC_SPURIOUS(%rdi)
	movl	APIC_SPURIOUS(%rdi), %eax
	MIX	%rax
	movl	%ebx, %eax
	andl	$0xf0, %eax
	movl	%eax, APIC_TPR(%rdi)
	movl	APIC_TPR(%rdi), %eax
	MIX	%rax
	movq	%rax, %cr8
	movq	%cr8, %rax
	movl	$0, APIC_TPR(%rdi)
	xorl	%eax, %eax
	cpuid
	xorl	%eax, %eax
	xorl	%ecx, %ecx
	xorl	%edx, %edx
	movl	%eax, %ebx		/* cpuid took it */
	movq	rounds(%rip), %rbx
	leaq	(%rbx, %rbx, 8), %rbx
	movl	$MSR_LSTAR, %ecx
	rdmsr
	MIX	%rax
	wrmsr
	movq	%cr2, %rax
	MIX	%rax
	movq	%cr3, %rax
	movq	%rax, %cr3
	xorl	%eax, %eax
	xorl	%edx, %edx
	sti
	hlt
	cli
	hlt

	/* to ring 3 by iretq, with a flag or two */
	movq	%rbx, %rax
	andl	$0x8c1, %eax
	orl	$(FLAG_IF | 2), %eax
	pushq	$SEL_UDATA
	leaq	user_stack_end(%rip), %rcx
	pushq	%rcx
	pushq	%rax
	pushq	$SEL_UCODE
	leaq	user_loop(%rip), %rcx
	pushq	%rcx
	iretq

	/* ---- ring 3 ---- */
user_loop:
	pushfq
	popq	%rax
	MIX	%rax
	FAULTS	1, cli
	FAULTS	1, hlt
	pushfq
	andl	$~FLAG_IF, (%rsp)	/* not for ring 3 to clear */
	popfq
	pushfq
	popq	%rax
	MIX	%rax
	movl	$4, %r12d
1:	movl	%r12d, %eax
	syscall
	MIX	%r11
	MIX	%rcx
	decl	%r12d
	jnz	1b
	int	$0x80
	int	$0x81
	int3
	FAULTS	2, int $0x20
	FAULTS	2, ud2
	FAULTS	8, movl PAGE_NEVER, %eax
	nop
	FAULTS	2, sysenter
	FAULTS	2, rdmsr
	pushfq				/* step ourselves, into the kernel and back */
	orl	$FLAG_TF, (%rsp)
	movl	$6, %r13d
	popfq
	movl	$7, %eax
	syscall
	MIX	%r11
	int	$0x80
	pushfq
	popq	%rax
	MIX	%rax
	nop
	nop
	nop
	xorl	%r13d, %r13d
	movl	$CALL_LEAVE, %eax
	int	$0x80
	ud2

	/* ---- the kernel's side ---- */
entry:	/* of syscall: on the user's stack */
	MIX	%r11
	pushfq
	popq	%rax
	MIX	%rax
	xorl	%eax, %eax
	sysretq

.macro HANDLER vector
	.align	16
h_\vector:
	pushq	$0
	pushq	$\vector
	jmp	common
.endm
.macro HANDLER_CODE vector		/* the processor has pushed an error code */
	.align	16
h_\vector:
	pushq	$\vector
	jmp	common
.endm
	.irp	v, 0, 1, 2, 3, 4, 5, 6, 7, 9, 15, 16, 18, 19, 20, 0x80, 0x81, irq
	.ifc	\v, irq
	.align	16
h_irq:	pushq	$0
	pushq	$32
	jmp	common
	.else
	HANDLER	\v
	.endif
	.endr
	.irp	v, 8, 10, 11, 12, 13, 14, 17
	HANDLER_CODE \v
	.endr

	/* (%rsp): rdx, rax, vector, error code, rip, cs, rflags, rsp, ss */
common:
	pushq	%rax
	pushq	%rdx
	MIX	16(%rsp)
	MIX	24(%rsp)
	MIX	32(%rsp)
	MIX	40(%rsp)
	andl	$0xfffeffff, 48(%rsp)	/* RF: a fault stores it, but not in QEMU's TCG */
	MIX	48(%rsp)
	pushfq
	popq	%rax
	MIX	%rax
	movl	16(%rsp), %eax
	cmpl	$1, %eax
	je	on_debug
	cmpl	$14, %eax
	je	on_page_fault
	cmpl	$0x80, %eax
	je	on_call
	cmpl	$3, %eax
	je	done
	cmpl	$5, %eax
	je	done
	cmpl	$32, %eax
	je	done
skip:	addq	%r15, 32(%rsp)
done:	popq	%rdx
	popq	%rax
	addq	$16, %rsp
	iretq

on_debug:
	movq	%dr6, %rax
	MIX	%rax
	movl	$0xffff0ff0, %eax
	movq	%rax, %dr6
	subl	$1, %r13d
	ja	done
	andl	$~FLAG_TF, 48(%rsp)
	jmp	done

on_page_fault:
	movq	%cr2, %rax
	MIX	%rax
	cmpl	$DO_MAP, %r14d
	jne	skip
	leaq	away_pte(%rip), %rdx
	movq	(%rdx), %rdx
	movq	$(PAGE_AWAY | 7), (%rdx)
	jmp	done

on_call:
	cmpl	$CALL_LEAVE, 8(%rsp)
	je	loop
	jmp	done

	/* mov $imm64, %rax with the page's end in the middle of it */
	.balign	4096
	.skip	4096 - 5
across:
	movabsq	$0x1122334455667788, %rax
	ret

	.data
	.balign	16
gdt:
	.quad	0, 0x00af9b000000ffff, 0x00cf93000000ffff, 0, 0x00cff3000000ffff, 0x00affb000000ffff
	.quad	0x0000890000000067, 0
gdt_pointer:
	.word	gdt_pointer - gdt - 1
	.quad	gdt
idt_pointer:
	.word	0x82 * 16 - 1
	.quad	idt
selector:
	.word	SEL_DATA
	.balign	8
handlers:
	.quad	h_0, h_1, h_2, h_3, h_4, h_5, h_6, h_7, h_8, h_9, h_10, h_11, h_12, h_13, h_14, h_15
	.quad	h_16, h_17, h_18, h_19, h_20, h_20, h_20, h_20, h_20, h_20, h_20, h_20, h_20, h_20, h_20, h_20
	.rept	16
	.quad	h_irq
	.endr
away_pte:
	.quad	page_table + PAGE_AWAY / 4096 * 8
rounds:
	.quad	0
tss:
	.long	0
	.quad	interrupt_stack_end
	.skip	0x68 - 12
data:
	.ascii	"The quick brown fox jumps over the lazy dog, again and again and again."
	.skip	256
	.balign	4096
pml4:
	.quad	pdpt + 7
	.skip	4088
pdpt:
	.quad	pd + 7, 0, 0, pd_apic + 7
	.skip	4064
pd:
	.quad	page_table + 7
	.skip	4088
pd_apic:
	.skip	0x1f7 * 8
	.quad	0xfee00000 + 0x9b
	.skip	8 * 8
page_table:
	.skip	4096
idt:
	.skip	4096
	.skip	2048
kernel_stack_end:
	.skip	2048
interrupt_stack_end:
	.skip	2048
user_stack_end:
	.quad	0
