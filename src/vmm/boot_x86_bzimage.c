/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "util/macros.h"
#include "vmm/boot_x86_internal.h"

/* The setup header starts at 0x1f1 of the file and ends where the jump at 0x200 goes. */
enum { HDR_AT = 0x1f1, HDR_JUMP = 0x201, HDR_END_BASE = 0x202, VERSION_MIN = 0x020c, ENTRY64 = 0x200, SECTOR = 512 };

/* A copy of the header: what the file does not have is zero. -ENOEXEC: not a kernel we can start. */
static int header_parse(const char *name, const uint8_t *img, size_t n, struct boot_setup_header *ret,
			struct errtext *why)
{
	struct boot_setup_header h = { 0 };
	size_t have;

	if (n < HDR_END_BASE + 4 || memcmp(img + HDR_END_BASE, "HdrS", 4) != 0)
		return errtext_set(why, -ENOEXEC, "%s has no bzImage header", name);
	have = (size_t)HDR_END_BASE + img[HDR_JUMP] - HDR_AT;
	if (n < HDR_AT + have)
		return errtext_set(why, -ENOEXEC,
				   "%s is truncated: its bzImage header needs %zu bytes, the file has %zu", name,
				   HDR_AT + have, n);
	memcpy(&h, img + HDR_AT, MIN(have, sizeof(h)));
	if (h.boot_flag != 0xaa55)
		return errtext_set(why, -ENOEXEC, "%s has a bzImage header without the boot flag 0xaa55", name);
	if (h.version < VERSION_MIN)
		return errtext_set(why, -ENOEXEC, "%s has boot protocol %u.%02u: expected 2.12 or later (Linux 3.8)",
				   name, h.version >> 8, h.version & 0xff);
	if (!(h.xloadflags & BOOT_XLF_KERNEL_64))
		return errtext_set(why, -ENOEXEC, "%s has no 64-bit entry: it is a 32-bit kernel", name);
	if (!(h.loadflags & BOOT_LOADED_HIGH))
		return errtext_set(why, -ENOEXEC, "%s is a zImage, loaded below 1 MiB: expected a bzImage", name);
	*ret = h;
	return 0;
}

/* Finds the protected-mode part. The file may have more behind it (a signature). */
static int payload_find(const char *name, const struct boot_setup_header *h, size_t n, size_t *at, struct errtext *why)
{
	size_t setup = ((h->setup_sects ? h->setup_sects : 4) + (size_t)1) * SECTOR;
	uint64_t size = (uint64_t)h->syssize * 16;

	if (size <= ENTRY64)
		return errtext_set(why, -ENOEXEC, "%s says that its kernel has only %" PRIu64 " bytes", name, size);
	// syssize counts paragraphs: the last one need not be whole.
	if (setup > n || size - 15 > n - setup)
		return errtext_set(why, -ENOEXEC,
				   "%s is truncated: its header promises %" PRIu64 " bytes, the file has %zu", name,
				   setup + size, n);
	*at = setup;
	return 0;
}

int boot_bzimage(const struct vm_cfg *cfg, struct mem *mem, gpa rsdp, const uint8_t *img, size_t n, struct x86_regs *r,
		 struct errtext *why)
{
	struct boot_setup_header h;
	struct boot_linux l = { .hdr = &h, .entry = BOOT_KERNEL + ENTRY64, .rsdp = rsdp.raw };
	uint64_t end, runs_at;
	char need[24], have[24];
	size_t at = 0;
	void *p;
	int rc = header_parse(cfg->kernel, img, n, &h, why);

	if (rc < 0)
		return rc;
	rc = payload_find(cfg->kernel, &h, n, &at, why);
	if (rc < 0)
		return rc;
	// It unpacks itself to pref_address, or in place if it was loaded above that, and needs init_size bytes there.
	runs_at = MAX(h.pref_address, (uint64_t)BOOT_KERNEL);
	if (__builtin_add_overflow(runs_at, h.init_size, &end))
		end = UINT64_MAX;
	end = MAX(end, BOOT_KERNEL + (uint64_t)(n - at));
	p = end <= boot_ram_low_end(mem) ? mem_ptr(mem, GPA(BOOT_KERNEL), n - at) : NULL;
	if (!p)
		return errtext_set(why, -EFBIG, "the kernel %s needs %s of memory; this guest has %s", cfg->kernel,
				   boot_size_text(end, need), boot_size_text(boot_ram_low_end(mem), have));
	rc = boot_cmdline_write(cfg->params, h.cmdline_size, mem, why);
	if (rc < 0)
		return rc;
	rc = boot_initrd_load(cfg->initrd, end, h.initrd_addr_max, mem, &l.initrd, &l.initrd_size, why);
	if (rc < 0)
		return rc;
	memcpy(p, img + at, n - at);
	h.code32_start = BOOT_KERNEL;
	boot_linux_enter(&l, mem, r);
	return 0;
}
