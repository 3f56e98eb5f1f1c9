/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "backend/flat_start.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "backend/flat_code.h"
#include "util/bytes.h"
#include "util/macros.h"

/* What flat_start.S has behind FLAT_PARAMS_AT. */
struct params {
	uint64_t rip;
	uint32_t cr0, cr3, cr4, efer, is_long;
	uint32_t long_entry; /* in the image */
	uint16_t long_cs;
	uint16_t real_ip, real_cs;
	uint16_t es, ss, ds, fs, gs;
	uint16_t gdt_limit;
	uint64_t gdt_base;
	uint16_t idt_limit;
	uint64_t idt_base;
} __attribute__((packed));

static bool fits(const struct x86_regs *r)
{
	const struct x86_seg *cs = &r->seg[X86_CS];

	if (!(r->cr0 & X86_CR0_PE))
		return cs->base == (uint64_t)cs->sel << 4 && r->rip <= UINT16_MAX;
	return r->efer & X86_EFER_LMA && cs->attr & X86_SEG_L && (r->cr0 | r->cr3 | r->cr4 | r->efer) <= UINT32_MAX &&
	       r->gdt.base <= UINT32_MAX;
}

int flat_rom_build(const struct x86_regs *r, uint8_t rom[FLAT_ROM_SIZE])
{
	// jmp f000:0000
	static const uint8_t reset_vector[] = { 0xea, 0x00, 0x00, 0x00, 0xf0 };
	struct params p;

	if (!fits(r))
		return -EINVAL;
	memcpy(&p, flat_code + FLAT_PARAMS_AT, sizeof(p));
	p.rip = r->rip;
	p.cr0 = (uint32_t)r->cr0;
	p.cr3 = (uint32_t)r->cr3;
	p.cr4 = (uint32_t)r->cr4;
	p.efer = (uint32_t)r->efer & ~(uint32_t)X86_EFER_LMA; // follows from LME and paging
	p.is_long = !!(r->cr0 & X86_CR0_PE);
	p.long_cs = r->seg[X86_CS].sel;
	p.real_cs = r->seg[X86_CS].sel;
	p.real_ip = (uint16_t)r->rip;
	p.es = r->seg[X86_ES].sel;
	p.ss = r->seg[X86_SS].sel;
	p.ds = r->seg[X86_DS].sel;
	p.fs = r->seg[X86_FS].sel;
	p.gs = r->seg[X86_GS].sel;
	p.gdt_limit = (uint16_t)r->gdt.limit;
	p.gdt_base = r->gdt.base;
	p.idt_limit = (uint16_t)r->idt.limit;
	p.idt_base = r->idt.base;
	memset(rom, 0xff, FLAT_ROM_SIZE);
	memcpy(rom, flat_code, sizeof(flat_code));
	memcpy(rom + FLAT_PARAMS_AT, &p, sizeof(p));
	memcpy(rom + FLAT_ROM_SIZE - 16, reset_vector, sizeof(reset_vector));
	return 0;
}
