/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "util/macros.h"
#include "vmm/boot_x86_internal.h"

enum { REAL_STACK = 0x7c00, REAL_STACK_SIZE = 0x400, REAL_END = 0x100000 };

/* cs:ip keeps the low 16 bits of the address, so that an image linked at its address finds its own labels. */
static int start_real(const char *name, uint64_t at, uint64_t end, struct x86_regs *r, struct errtext *why)
{
	if (at >= REAL_END)
		return errtext_set(why, -EINVAL,
				   "the flat image %s cannot start at %#" PRIx64 " in real mode; below 1 MiB it can",
				   name, at);
	boot_x86_reset_regs(r);
	r->seg[X86_CS].sel = (uint16_t)((at >> 4) & 0xf000);
	r->seg[X86_CS].base = at & 0xf0000;
	r->rip = at & 0xffff;
	r->idt.limit = 0x3ff;
	// Where a boot sector has it; under an image that lies there, at the top of the segment.
	r->gpr[X86_RSP] = at < REAL_STACK && end > REAL_STACK - REAL_STACK_SIZE ? 0xfff0 : REAL_STACK;
	return 0;
}

static int start_long(const char *name, uint64_t at, uint64_t end, struct mem *mem, struct x86_regs *r,
		      struct errtext *why)
{
	if (at < BOOT_TABLES_END && end > BOOT_PML4)
		return errtext_set(why, -EINVAL,
				   "the flat image %s at %#" PRIx64
				   " overlaps %#x-%#x, where page tables, GDT and stack are",
				   name, at, BOOT_PML4, BOOT_TABLES_END - 1);
	if (at >= MEM_HOLE_END)
		return errtext_set(why, -EINVAL,
				   "the flat image %s cannot start at %#" PRIx64 "; only 4 GiB are mapped", name, at);
	boot_tables_write(mem);
	boot_regs_long(r, at);
	return 0;
}

int boot_flat(const struct vm_cfg *cfg, struct mem *mem, struct x86_regs *r, struct errtext *why)
{
	_cleanup_(boot_file_close) struct boot_file f = { 0 };
	uint64_t at = cfg->flat_addr;
	char need[24], have[24];
	void *p;
	int rc = boot_file_open(cfg->flat, "flat image", &f, why);

	if (rc < 0)
		return rc;
	p = mem_ptr(mem, GPA(at), f.n);
	if (!p)
		return errtext_set(why, -EFBIG,
				   "the flat image %s has %s and goes to %#" PRIx64 "; this guest has %s of memory",
				   f.path, boot_size_text(f.n, need), at, boot_size_text(mem->ram_size, have));
	if (cfg->flat_mode == VM_FLAT_REAL)
		rc = start_real(f.path, at, at + f.n, r, why);
	else
		rc = start_long(f.path, at, at + f.n, mem, r, why);
	if (rc < 0)
		return rc;
	memcpy(p, f.p, f.n);
	return 0;
}
