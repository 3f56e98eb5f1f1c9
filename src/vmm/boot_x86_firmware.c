/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <string.h>

#include "util/macros.h"
#include "vmm/boot_x86_internal.h"

enum { FIRMWARE_MAX = 16 << 20, SHADOW_END = 0x100000, SHADOW_MAX = 0x20000 };

int boot_firmware(const struct vm_cfg *cfg, struct mem *mem, struct x86_regs *r, struct errtext *why)
{
	_cleanup_(boot_file_close) struct boot_file f = { 0 };
	char size[24];
	size_t low;
	void *p;
	int rc = boot_file_open(cfg->firmware, "firmware", &f, why);

	if (rc < 0)
		return rc;
	if (f.n > FIRMWARE_MAX)
		return errtext_set(why, -EFBIG, "the firmware %s has %s; at most 16 MiB fit below 4 GiB", f.path,
				   boot_size_text(f.n, size));
	if (f.n % 4096 != 0)
		return errtext_set(why, -EINVAL, "the firmware %s has %zu bytes: expected a multiple of 4096", f.path,
				   f.n);
	// The copy below 1 MiB is RAM: firmware unlocks its shadow there and keeps variables in it.
	low = MIN(f.n, (size_t)SHADOW_MAX);
	p = mem_ptr(mem, GPA(SHADOW_END - low), low);
	if (!p)
		return errtext_set(why, -EFBIG, "the firmware %s needs 1 MiB of memory", f.path);
	rc = mem_add_rom(mem, GPA(MEM_HOLE_END - f.n), f.p, f.n, why);
	if (rc < 0)
		return rc;
	memcpy(p, f.p + (f.n - low), low);
	boot_x86_reset_regs(r);
	return 0;
}
