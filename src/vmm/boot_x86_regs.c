/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <string.h>

#include "util/bytes.h"
#include "vmm/boot_x86_internal.h"

/* Type, S, DPL and P of struct x86_seg.attr. */
enum {
	SEG_CODE = 0x9b, /* execute, read, accessed */
	SEG_DATA = 0x93, /* read, write, accessed */
	SEG_LDT = 0x82,
	SEG_TSS_BUSY = 0x8b,
};

enum {
	CR0_PE = 1 << 0,
	CR0_MP = 1 << 1,
	CR0_ET = 1 << 4,
	CR0_NE = 1 << 5,
	CR0_NW = 1 << 29,
	CR0_CD = 1 << 30,
	CR4_PAE = 1 << 5,
};
#define CR0_PG 0x80000000u

enum { PTE_P = 1, PTE_W = 2, PTE_PS = 1 << 7 };

static struct x86_seg seg(uint16_t sel, uint64_t base, uint32_t limit, uint16_t attr)
{
	return (struct x86_seg){ .sel = sel, .base = base, .limit = limit, .attr = attr };
}

/* Source: Intel SDM, "IA-32 and Intel 64 Processor States Following Power-up, Reset, or INIT". */
void boot_x86_reset_regs(struct x86_regs *r)
{
	memset(r, 0, sizeof(*r));
	r->gpr[X86_RDX] = 0x600; // family 6, as the reset state reports it
	r->rip = 0xfff0;
	r->rflags = 2;
	for (unsigned i = X86_SS; i <= X86_GS; i++)
		r->seg[i] = seg(0, 0, 0xffff, SEG_DATA);
	r->seg[X86_CS] = seg(0xf000, 0xffff0000, 0xffff, SEG_CODE);
	r->seg[X86_LDTR] = seg(0, 0, 0xffff, SEG_LDT);
	r->seg[X86_TR] = seg(0, 0, 0xffff, SEG_TSS_BUSY);
	r->gdt.limit = r->idt.limit = 0xffff;
	r->cr0 = CR0_CD | CR0_NW | CR0_ET;
}

/* What both protected-mode starts share: flat data segments and our GDT. */
static void regs_flat(struct x86_regs *r)
{
	boot_x86_reset_regs(r);
	r->gpr[X86_RDX] = 0;
	for (unsigned i = X86_SS; i <= X86_GS; i++)
		r->seg[i] = seg(BOOT_SEL_DATA, 0, 0xffffffff, SEG_DATA | X86_SEG_DB | X86_SEG_G);
	r->seg[X86_TR].limit = 0x67;
	r->gdt = (struct x86_table){ .base = BOOT_GDT, .limit = 4 * 8 - 1 };
	r->idt = (struct x86_table){ .base = 0,
				     .limit = 0 }; // an exception before the guest has an IDT is a triple fault
	r->cr0 = CR0_PE | CR0_ET;
	r->gpr[X86_RSP] = BOOT_STACK;
}

void boot_regs_flat32(struct x86_regs *r, uint32_t eip)
{
	regs_flat(r);
	r->seg[X86_CS] = seg(BOOT_SEL_CODE32, 0, 0xffffffff, SEG_CODE | X86_SEG_DB | X86_SEG_G);
	r->rip = eip;
}

void boot_regs_long(struct x86_regs *r, uint64_t rip)
{
	regs_flat(r);
	r->seg[X86_CS] = seg(BOOT_SEL_CODE64, 0, 0xffffffff, SEG_CODE | X86_SEG_L | X86_SEG_G);
	r->rip = rip;
	r->cr0 = CR0_PG | CR0_NE | CR0_ET | CR0_MP | CR0_PE;
	r->cr3 = BOOT_PML4;
	r->cr4 = CR4_PAE;
	r->efer = X86_EFER_LME | X86_EFER_LMA;
}

void boot_tables_write(struct mem *mem)
{
	uint8_t *base = mem_ptr(mem, GPA(0), BOOT_TABLES_END);
	static const uint64_t gdt[4] = {
		[BOOT_SEL_CODE32 / 8] = 0x00cf9b000000ffff,
		[BOOT_SEL_CODE64 / 8] = 0x00af9b000000ffff,
		[BOOT_SEL_DATA / 8] = 0x00cf93000000ffff,
	};

	if (!base)
		return;
	memset(base + BOOT_PML4, 0, BOOT_TABLES_END - BOOT_PML4);
	st_le64(base + BOOT_PML4, BOOT_PDPT | PTE_P | PTE_W);
	for (unsigned i = 0; i < 4; i++)
		st_le64(base + BOOT_PDPT + 8 * i, (BOOT_PD + 0x1000 * i) | PTE_P | PTE_W);
	for (uint64_t i = 0; i < 4 * 512; i++)
		st_le64(base + BOOT_PD + 8 * i, i << 21 | PTE_P | PTE_W | PTE_PS);
	for (unsigned i = 0; i < 4; i++)
		st_le64(base + BOOT_GDT + 8 * i, gdt[i]);
}
