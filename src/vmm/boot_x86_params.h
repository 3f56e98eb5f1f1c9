/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef VMM_BOOT_X86_PARAMS_H
#define VMM_BOOT_X86_PARAMS_H

#include <stdint.h>

/*
 * What an x86 Linux kernel says about itself, and what it is told: as <asm/bootparam.h> of an x86 machine has it. Here
 * because x86 guests are started on other machines, too (by QEMU's TCG).
 * Source: Linux Documentation/arch/x86/boot.rst "The Real-Mode Kernel Header", zero-page.rst.
 */
struct boot_setup_header {
	uint8_t setup_sects;
	uint16_t root_flags;
	uint32_t syssize;
	uint16_t ram_size, vid_mode, root_dev, boot_flag, jump;
	uint32_t header;
	uint16_t version;
	uint32_t realmode_swtch;
	uint16_t start_sys_seg, kernel_version;
	uint8_t type_of_loader, loadflags;
	uint16_t setup_move_size;
	uint32_t code32_start, ramdisk_image, ramdisk_size, bootsect_kludge;
	uint16_t heap_end_ptr;
	uint8_t ext_loader_ver, ext_loader_type;
	uint32_t cmd_line_ptr, initrd_addr_max, kernel_alignment;
	uint8_t relocatable_kernel, min_alignment;
	uint16_t xloadflags;
	uint32_t cmdline_size, hardware_subarch;
	uint64_t hardware_subarch_data;
	uint32_t payload_offset, payload_length;
	uint64_t setup_data, pref_address;
	uint32_t init_size, handover_offset, kernel_info_offset;
} __attribute__((packed));

enum { BOOT_LOADED_HIGH = 1 << 0 /* loadflags */, BOOT_XLF_KERNEL_64 = 1 << 0 /* xloadflags */ };

struct boot_map_entry {
	uint64_t addr, size;
	uint32_t type;
} __attribute__((packed));

struct boot_zero_page {
	uint8_t unused0[0x70];
	uint64_t acpi_rsdp_addr;
	uint8_t unused1[0xc0 - 0x78];
	uint32_t ext_ramdisk_image, ext_ramdisk_size;
	uint8_t unused2[0x1e0 - 0xc8];
	uint32_t alt_mem_k;
	uint8_t unused3[4];
	uint8_t e820_entries;
	uint8_t unused4[0x1f1 - 0x1e9];
	struct boot_setup_header hdr;
	uint8_t unused5[0x2d0 - 0x1f1 - sizeof(struct boot_setup_header)];
	struct boot_map_entry e820_table[128];
	uint8_t unused6[0x1000 - 0xcd0];
} __attribute__((packed));
_Static_assert(sizeof(struct boot_zero_page) == 0x1000, "zero page");

#endif
