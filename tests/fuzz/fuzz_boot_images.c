/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The kernel loaders, fed with anything: a broken image is an error, never more. */
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "vmm/boot.h"

enum { RAM_SIZE = 4 << 20 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct vm_cfg cfg = { .cpus = 1, .mem_size = RAM_SIZE, .kernel = "image", .params = "quiet" };
	uint8_t *copy = malloc(size ? size : 1); // exact bounds for the sanitizer
	struct boot_arm64 arm64;
	struct x86_regs regs;
	struct errtext why;
	struct mem mem;

	if (!copy || mem_init(&mem, &mem_layout_x86, RAM_SIZE, &why) < 0)
		abort();
	if (size)
		memcpy(copy, data, size);
	boot_elf(&cfg, &mem, GPA(0xe0000), copy, size, &regs, &why);
	boot_bzimage(&cfg, &mem, GPA(0xe0000), copy, size, &regs, &why);
	mem_deinit(&mem);
	if (mem_init(&mem, &mem_layout_arm64, RAM_SIZE, &why) < 0)
		abort();
	boot_arm64_image(&cfg, &mem, copy, size, &arm64, &why);
	mem_deinit(&mem);
	free(copy);
	return 0;
}
