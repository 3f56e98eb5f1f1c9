; SPDX-License-Identifier: LGPL-2.1-or-later
;
; Sends what frames.S sends, with NASM's macros; raw code at 0x8000.
%include "gdbvm/checkpoint.inc"

SEL_CODE32 equ 0x08
SEL_DATA equ 0x10
SEL_CODE64 equ 0x18
MSR_EFER equ 0xc0000080
PORT_PM_CONTROL equ 0x604
PM_OFF equ 0x3400

%macro SEND 0
	CHECKPOINT __BITS__
	mov	eax, 0x11111111
	mov	ecx, text_end - text
	mov	edx, 0x33333333
	mov	ebx, 0x44444444
	mov	ebp, 0x55555555
	mov	esi, text
	mov	edi, 0x77777777
	stc
	CHECKPOINT_REGS
	CHECKPOINT_U64 0x1000 + __BITS__
	CHECKPOINT_MEM
	CHECKPOINT_REGS
%endmacro

	org	0x8000
	bits	16
	cli
	xor	ax, ax
	mov	ds, ax
	mov	ss, ax
	mov	esp, 0x7c00
	SEND

	lgdt	[gdt_pointer]
	mov	eax, cr0
	or	eax, 1
	mov	cr0, eax
	jmp	dword SEL_CODE32:protected

	bits	32
protected:
	mov	ax, SEL_DATA
	mov	ds, ax
	mov	es, ax
	mov	ss, ax
	mov	esp, 0x7c00
	SEND

	mov	eax, 0x20
	mov	cr4, eax
	mov	eax, pml4
	mov	cr3, eax
	mov	ecx, MSR_EFER
	mov	eax, 0x100
	xor	edx, edx
	wrmsr
	mov	eax, cr0
	or	eax, 0x80000000
	mov	cr0, eax
	jmp	SEL_CODE64:long_mode

	bits	64
long_mode:
	mov	r8, -1
	SEND
	mov	edx, PORT_PM_CONTROL
	mov	eax, PM_OFF
	out	dx, ax
.off:	hlt
	jmp	.off

text:	db	"checkpoint me"
text_end:

	align	8
gdt:	dq	0
	dq	0x00cf9b000000ffff
	dq	0x00cf93000000ffff
	dq	0x00af9b000000ffff
gdt_pointer:
	dw	gdt_pointer - gdt - 1
	dd	gdt
	align	4096
pml4:	dq	pdpt + 3
	align	4096
pdpt:	dq	directory + 3
	align	4096
directory:
	dq	0x83 ; 2 MiB
