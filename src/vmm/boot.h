/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef VMM_BOOT_H
#define VMM_BOOT_H

#include <stdbool.h>

#include "arch/arch.h"
#include "arch/arm64_regs.h"
#include "util/errtext.h"
#include "vmm/dev.h"
#include "vmm/mem.h"
#include "vmm/vm.h"

/*
 * Boot protocols: put a guest into memory and say with which registers vCPU 0 starts. Each fills the x86 register
 * file fully (ARCH_CORE and ARCH_SYS) from boot_x86_reset_regs() and changes what its protocol asks for.
 */

/**
 * boot_arch_find() - whose kernel is it? By the magic numbers of an x86 bzImage, an arm64 Image (or a gzip file or an
 * EFI program with one in it, which only that comes as) and ELF. Returns: NULL: the file does not say, cannot be read,
 * or there is no kernel.
 */
const struct arch *boot_arch_find(const struct vm_cfg *cfg);

/** boot_x86_reset_regs() - the state after INIT: real mode, cs:ip = f000:fff0 with base 0xffff0000. */
void boot_x86_reset_regs(struct x86_regs *r);

/** boot_x86_load() - by @cfg: kernel (bzImage, ELF), firmware or flat. -ENOENT, -ENOEXEC, -EFBIG, -EINVAL with @why. */
int boot_x86_load(const struct vm_cfg *cfg, struct mem *mem, gpa rsdp, struct x86_regs *r, struct errtext *why);

/**
 * boot_x86_is_64bit() - is the program that @cfg runs a 64-bit one, whatever mode its first instructions are in? Its
 * symbols then are, and so must be what a debugger is shown. A file that cannot be read is not.
 */
bool boot_x86_is_64bit(const struct vm_cfg *cfg);

/**
 * boot_x86_is_cloudhv() - is the firmware of @cfg one for Cloud Hypervisor? That is an ELF file, which starts as a
 * kernel with a PVH note does; firmware for PCs is an image at the reset vector.
 */
bool boot_x86_is_cloudhv(const struct vm_cfg *cfg);

/* One per file; boot_x86_load() chooses by what the file is. */
int boot_bzimage(const struct vm_cfg *cfg, struct mem *mem, gpa rsdp, const uint8_t *img, size_t n, struct x86_regs *r,
		 struct errtext *why);
int boot_elf(const struct vm_cfg *cfg, struct mem *mem, gpa rsdp, const uint8_t *img, size_t n, struct x86_regs *r,
	     struct errtext *why); /* PVH note: 32-bit entry with start_info; else 64-bit entry with boot_params */
int boot_flat(const struct vm_cfg *cfg, struct mem *mem, struct x86_regs *r, struct errtext *why);
int boot_firmware(const struct vm_cfg *cfg, struct mem *mem, struct x86_regs *r, struct errtext *why);

/* ---- arm64 ---- */

/* Where vCPU 0 starts, and what it is told; initrd_size 0: no initrd. */
struct boot_arm64 {
	uint64_t entry, dtb, initrd, initrd_size;
};
#define BOOT_ARM64_DTB_MAX 0x10000 /* bytes for the device tree, and its alignment */

/**
 * boot_arm64_load() - by @cfg: kernel (Image, also gzip'd), firmware or flat. The device tree is yet to be put where
 * @ret says. -ENOENT, -ENOEXEC, -EFBIG, -EINVAL with @why. Source: Linux Documentation/arm64/booting.rst.
 */
int boot_arm64_load(const struct vm_cfg *cfg, struct mem *mem, struct boot_arm64 *ret, struct errtext *why);

/** boot_arm64_image() - the same for a kernel whose file has these bytes. */
int boot_arm64_image(const struct vm_cfg *cfg, struct mem *mem, const uint8_t *img, size_t n, struct boot_arm64 *ret,
		     struct errtext *why);

/** boot_arm64_regs() - ARCH_CORE of vCPU 0: EL1 with its own stack pointer, exceptions masked, x0 = the device tree. */
void boot_arm64_regs(const struct boot_arm64 *b, struct arm64_regs *r);

/* ---- x86 ---- */

/** firmware_x86_describe() - tell firmware about the machine. */
int firmware_x86_describe(struct fw_cfg *f, const struct mem *mem, unsigned cpus);

/** acpi_x86_build() - MADT, FADT, DSDT and their roots into low memory. Returns where the RSDP is. */
gpa acpi_x86_build(struct mem *mem, unsigned cpus);

/**
 * acpi_x86_fill() - the same tables, the RSDP first, into @area, which the guest is to see at ACPI_AREA. Returns:
 * bytes.
 */
#define ACPI_AREA 0xe0000
#define ACPI_AREA_SIZE 0x20000
uint32_t acpi_x86_fill(uint8_t *area, unsigned cpus);

/** acpi_x86_offer() - the same tables as files, and how firmware is to put them where it wants to have them. */
int acpi_x86_offer(struct fw_cfg *f, unsigned cpus);

#endif
