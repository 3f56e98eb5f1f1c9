/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "util/macros.h"
#include "vmm/boot_x86_internal.h"

uint64_t boot_ram_low_end(const struct mem *mem)
{
	return MIN(mem->ram_size, MEM_HOLE_START);
}

unsigned boot_e820(const struct mem *mem, struct boot_range out[BOOT_E820_MAX])
{
	uint64_t low_end = boot_ram_low_end(mem);
	unsigned n = 0;

	out[n++] = (struct boot_range){ 0, BOOT_EBDA, BOOT_E820_RAM };
	out[n++] = (struct boot_range){ BOOT_EBDA, BOOT_KERNEL - BOOT_EBDA, BOOT_E820_RESERVED };
	if (low_end > BOOT_KERNEL)
		out[n++] = (struct boot_range){ BOOT_KERNEL, low_end - BOOT_KERNEL, BOOT_E820_RAM };
	if (mem->ram_size > low_end)
		out[n++] = (struct boot_range){ MEM_HOLE_END, mem->ram_size - low_end, BOOT_E820_RAM };
	return n;
}

int boot_cmdline_write(const char *params, uint32_t max, struct mem *mem, struct errtext *why)
{
	size_t n = strlen(params);
	char *p = mem_ptr(mem, GPA(BOOT_CMDLINE), BOOT_CMDLINE_MAX);

	max = MIN(max, BOOT_CMDLINE_MAX - 1u);
	if (n > max)
		return errtext_set(why, -EINVAL, "the kernel parameters have %zu bytes; this kernel takes %" PRIu32, n,
				   max);
	if (!p)
		return errtext_set(why, -EFBIG, "the guest has no memory at %#x for the kernel parameters",
				   BOOT_CMDLINE);
	memcpy(p, params, n + 1);
	return 0;
}

int boot_initrd_load(const char *path, uint64_t floor, uint64_t max, struct mem *mem, uint64_t *start, uint64_t *size,
		     struct errtext *why)
{
	_cleanup_(boot_file_close) struct boot_file f = { 0 };
	uint64_t end = MIN(boot_ram_low_end(mem), max + 1), at;
	char need[24], have[24];
	void *p = NULL;
	int rc;

	if (!path) {
		*start = *size = 0;
		return 0;
	}
	rc = boot_file_open(path, "initrd", &f, why);
	if (rc < 0)
		return rc;
	at = end > f.n ? (end - f.n) & ~0xfffull : 0;
	if (at >= floor)
		p = mem_ptr(mem, GPA(at), f.n);
	if (!p)
		return errtext_set(why, -EFBIG,
				   "the initrd %s has %s; the kernel leaves %s of this guest's memory for it", path,
				   boot_size_text(f.n, need), boot_size_text(end > floor ? end - floor : 0, have));
	memcpy(p, f.p, f.n);
	*start = at;
	*size = f.n;
	return 0;
}

/* Source: Linux Documentation/arch/x86/boot.rst "64-bit Boot Protocol", zero-page.rst. */
void boot_linux_enter(const struct boot_linux *l, struct mem *mem, struct x86_regs *r)
{
	struct boot_zero_page *bp = mem_ptr(mem, GPA(BOOT_INFO), sizeof(*bp));
	struct boot_range range[BOOT_E820_MAX];
	unsigned n = boot_e820(mem, range);

	if (!bp)
		return;
	memset(bp, 0, sizeof(*bp));
	bp->hdr = *l->hdr;
	bp->hdr.type_of_loader = 0xff; // no assigned number
	bp->hdr.cmd_line_ptr = BOOT_CMDLINE;
	bp->hdr.ramdisk_image = (uint32_t)l->initrd;
	bp->hdr.ramdisk_size = (uint32_t)l->initrd_size;
	bp->ext_ramdisk_image = (uint32_t)(l->initrd >> 32);
	bp->ext_ramdisk_size = (uint32_t)(l->initrd_size >> 32);
	bp->acpi_rsdp_addr = l->rsdp;
	bp->alt_mem_k = (uint32_t)((boot_ram_low_end(mem) - BOOT_KERNEL) >> 10);
	bp->e820_entries = (uint8_t)n;
	for (unsigned i = 0; i < n; i++)
		bp->e820_table[i] = (struct boot_map_entry){ range[i].start, range[i].size, range[i].type };

	boot_tables_write(mem);
	boot_regs_long(r, l->entry);
	r->gpr[X86_RSI] = BOOT_INFO;
}
