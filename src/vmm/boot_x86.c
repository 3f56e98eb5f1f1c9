/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <string.h>

#include "util/macros.h"
#include "vmm/boot_x86_internal.h"

static bool is_elf(const struct boot_file *f)
{
	return f->n >= 4 && memcmp(f->p,
				   "\x7f"
				   "ELF",
				   4) == 0;
}

static int load_kernel(const struct vm_cfg *cfg, struct mem *mem, gpa rsdp, struct x86_regs *r, struct errtext *why)
{
	_cleanup_(boot_file_close) struct boot_file f = { 0 };
	char buf[64];
	int rc = boot_file_open(cfg->kernel, "kernel", &f, why);

	if (rc < 0)
		return rc;
	if (mem->ram_size <= BOOT_LOW_SIZE)
		return errtext_set(why, -EFBIG, "the kernel %s needs more memory than the %llu MiB of this guest",
				   f.path, (unsigned long long)(mem->ram_size >> 20));
	if (is_elf(&f))
		return boot_elf(cfg, mem, rsdp, f.p, f.n, r, why);
	if (f.n >= 0x206 && !memcmp(f.p + 0x202, "HdrS", 4))
		return boot_bzimage(cfg, mem, rsdp, f.p, f.n, r, why);
	return errtext_set(why, -ENOEXEC, "%s %s: expected a bzImage or an ELF kernel (vmlinux)", f.path,
			   boot_image_describe(f.p, f.n, buf, sizeof(buf)));
}

bool boot_x86_is_cloudhv(const struct vm_cfg *cfg)
{
	_cleanup_(boot_file_close) struct boot_file f = { 0 };
	struct errtext why;

	return cfg->firmware && boot_file_open(cfg->firmware, "firmware", &f, &why) == 0 && is_elf(&f);
}

int boot_x86_load(const struct vm_cfg *cfg, struct mem *mem, gpa rsdp, struct x86_regs *r, struct errtext *why)
{
	if (!!cfg->kernel + !!cfg->firmware + !!cfg->flat != 1)
		return errtext_set(why, -EINVAL, "exactly one of kernel, firmware and flat image must be given");
	if (cfg->initrd && !cfg->kernel)
		return errtext_set(why, -EINVAL, "the initrd %s has no kernel to go with", cfg->initrd);
	if (boot_x86_is_cloudhv(cfg)) {
		struct vm_cfg as_kernel = *cfg;

		as_kernel.kernel = cfg->firmware;
		return load_kernel(&as_kernel, mem, rsdp, r, why);
	}
	if (cfg->firmware)
		return boot_firmware(cfg, mem, r, why);
	if (cfg->flat)
		return boot_flat(cfg, mem, r, why);
	return load_kernel(cfg, mem, rsdp, r, why);
}

bool boot_x86_is_64bit(const struct vm_cfg *cfg)
{
	_cleanup_(boot_file_close) struct boot_file f = { 0 };
	struct errtext why;

	if (!cfg->kernel)
		return cfg->flat && cfg->flat_mode == VM_FLAT_LONG;
	if (boot_file_open(cfg->kernel, "kernel", &f, &why) < 0)
		return false;
	return !is_elf(&f) ||
	       (f.n > 4 && f.p[4] == 2); // EI_CLASS: ELFCLASS64. A bzImage is only taken with a 64-bit entry.
}
