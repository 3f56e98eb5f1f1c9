/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef VMM_BOOT_X86_INTERNAL_H
#define VMM_BOOT_X86_INTERNAL_H

#include <stdbool.h>

#include "vmm/boot.h"
#include "vmm/boot_file.h"
#include "vmm/boot_x86_params.h"

/*
 * Low memory as the loaders leave it. Everything here is below the EBDA, so that a kernel that takes over sees it as
 * ordinary RAM that it may reuse once it has read it.
 *
 *	0x01000  PML4           identity map of the low 4 GiB in 2 MiB pages
 *	0x02000  PDPT
 *	0x03000  four page directories
 *	0x07000  GDT; above it, up to 0x8000, the first stack
 *	0x08000  boot_params (Linux) or hvm_start_info with its lists (PVH)
 *	0x20000  kernel command line
 *	0x9fc00  EBDA, video memory, option ROMs, firmware: not RAM for the guest
 *	0x100000 kernels
 */
enum {
	BOOT_PML4 = 0x1000,
	BOOT_PDPT = 0x2000,
	BOOT_PD = 0x3000,
	BOOT_GDT = 0x7000,
	BOOT_TABLES_END = 0x8000,
	BOOT_STACK = BOOT_TABLES_END,
	BOOT_INFO = 0x8000,
	BOOT_CMDLINE = 0x20000,
	BOOT_CMDLINE_MAX = 0x10000, /* with the NUL */
	BOOT_EBDA = 0x9fc00,
	BOOT_KERNEL = 0x100000,
	BOOT_LOW_SIZE = 0x100000, /* a guest that uses this layout has at least that much RAM */
};

/* Selectors of the GDT that boot_tables_write() builds. */
enum { BOOT_SEL_CODE32 = 0x08, BOOT_SEL_CODE64 = 0x10, BOOT_SEL_DATA = 0x18 };

/* ---- registers and tables (boot_x86_regs.c) ---- */
void boot_regs_flat32(struct x86_regs *r, uint32_t eip); /* protected mode without paging, flat segments */
void boot_regs_long(struct x86_regs *r, uint64_t rip);   /* 64-bit mode, with the tables of boot_tables_write() */

/** boot_tables_write() - page tables and GDT at the addresses above. Needs BOOT_LOW_SIZE bytes of RAM. */
void boot_tables_write(struct mem *mem);

/* ---- what Linux and PVH guests share (boot_x86_linux.c) ---- */
struct boot_range {
	uint64_t start, size;
	uint32_t type; /* E820_RAM, E820_RESERVED: the same numbers in both protocols */
};
enum { BOOT_E820_RAM = 1, BOOT_E820_RESERVED = 2, BOOT_E820_MAX = 4 };

/** boot_e820() - the memory map the guest is told. Returns the number of ranges, ascending. */
unsigned boot_e820(const struct mem *mem, struct boot_range out[BOOT_E820_MAX]);

/** boot_ram_low_end() - end of the RAM below the hole. */
uint64_t boot_ram_low_end(const struct mem *mem);

/** boot_cmdline_write() - put @params with its NUL to BOOT_CMDLINE; @max: what the kernel takes, without the NUL. */
int boot_cmdline_write(const char *params, uint32_t max, struct mem *mem, struct errtext *why);

/**
 * boot_initrd_load() - put the file as high as it goes: page aligned, not below @floor, not above @max (last byte).
 * Returns: 0, *start and *size 0 when @path is NULL; -EFBIG naming both sizes; errors of boot_file_open().
 */
int boot_initrd_load(const char *path, uint64_t floor, uint64_t max, struct mem *mem, uint64_t *start, uint64_t *size,
		     struct errtext *why);

/** boot_linux_enter() - write boot_params and tables, set registers for the 64-bit entry at @entry. */
struct boot_linux {
	const struct boot_setup_header *hdr; /* from the image, or zeroed with the mandatory fields set */
	uint64_t entry;
	uint64_t rsdp;
	uint64_t initrd, initrd_size;
};
void boot_linux_enter(const struct boot_linux *l, struct mem *mem, struct x86_regs *r);

#endif
