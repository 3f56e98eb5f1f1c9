/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <string.h>

#include "util/bytes.h"
#include "util/macros.h"
#include "vmm/boot.h"
#include "vmm/boot_file.h"

static const struct {
	size_t at, n;
	const char *magic;
	const struct arch *arch;
} magics[] = {
	{ 0x202, 4, "HdrS", &arch_x86 },
	{ 56, 4, "ARM\x64", &arch_arm64 },
	{ 0, 2, "\x1f\x8b", &arch_arm64 },
	{ 4, 4, "zimg", &arch_arm64 },
};

enum { ELF_MACHINE = 18, EM_X86_64 = 62, EM_AARCH64 = 183 };

const struct arch *boot_arch_find(const struct vm_cfg *cfg)
{
	_cleanup_(boot_file_close) struct boot_file f = { 0 };
	struct errtext why;

	if (!cfg->kernel || boot_file_open(cfg->kernel, "kernel", &f, &why) < 0)
		return NULL;
	for (unsigned i = 0; i < ARRAY_LEN(magics); i++)
		if (f.n >= magics[i].at + magics[i].n && memcmp(f.p + magics[i].at, magics[i].magic, magics[i].n) == 0)
			return magics[i].arch;
	if (f.n < ELF_MACHINE + 2 || memcmp(f.p,
					    "\x7f"
					    "ELF",
					    4) != 0)
		return NULL;
	return ld_le16(f.p + ELF_MACHINE) == EM_AARCH64  ? &arch_arm64
	       : ld_le16(f.p + ELF_MACHINE) == EM_X86_64 ? &arch_x86
							 : NULL;
}
