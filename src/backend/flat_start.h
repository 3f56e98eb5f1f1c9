/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef BACKEND_FLAT_START_H
#define BACKEND_FLAT_START_H

#include <stddef.h>
#include <stdint.h>

#include "arch/x86_regs.h"

/*
 * A firmware of a few instructions, for QEMU: takes a vCPU from reset to the start state of a flat guest. The image
 * ends at 4 GiB and shows below 1 MiB too; segments, tables and control registers are set by it, general registers are
 * not.
 */
enum { FLAT_ROM_SIZE = 0x10000 };

/**
 * flat_rom_build() - the image for start state @r (ARCH_CORE and ARCH_SYS filled).
 * Needs:   real mode with cs.base = 16 * cs.sel, or 64-bit mode with r's GDT and page tables in memory.
 * Returns: 0; -EINVAL: another state than these.
 */
int flat_rom_build(const struct x86_regs *r, uint8_t rom[FLAT_ROM_SIZE]);

#endif
