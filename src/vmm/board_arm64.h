/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef VMM_BOARD_ARM64_H
#define VMM_BOARD_ARM64_H

#include "vmm/board.h"
#include "vmm/boot.h"

/*
 * Where things are on the arm64 board. The addresses and interrupts are those of QEMU's machine "virt", which firmware
 * and small guests know by heart; what runs on one runs on the other.
 *
 *	0x00000000 flash: the firmware, read-only
 *	0x08000000 interrupt controller (in KVM): distributor, CPU interface (GICv2), redistributors (GICv3)
 *	0x09000000 console: PL011
 *	0x09010000 clock: PL031
 *	0x090f0000 debug port, if it is not put elsewhere; QEMU has nothing there
 *	0x0a000000 disk: virtio-mmio
 *	0x40000000 RAM (MEM_ARM64_RAM)
 */
enum {
	ARM64_FLASH_AT = 0,
	ARM64_FLASH_SIZE = 0x04000000,
	ARM64_GICD_AT = 0x08000000,
	ARM64_GICD_SIZE = 0x10000,
	ARM64_GICC_AT = 0x08010000,
	ARM64_GICC_SIZE = 0x10000,
	ARM64_GICR_AT = 0x080a0000,
	ARM64_GICR_SIZE = 0x20000, /* of each vCPU */
	ARM64_GIC_END = 0x09000000,
	ARM64_UART_AT = 0x09000000,
	ARM64_UART_SIZE = 0x1000,
	ARM64_RTC_AT = 0x09010000,
	ARM64_RTC_SIZE = 0x1000,
	ARM64_DEBUG_AT = 0x090f0000,
	ARM64_VIRTIO_AT = 0x0a000000,
	ARM64_DEVICES_END = 0x0b000000,
};
_Static_assert(ARM64_GICR_AT + VM_MAX_CPUS * ARM64_GICR_SIZE <= ARM64_GIC_END, "redistributors");

/* Interrupts, by INTID: SPIs from 32, PPIs from 16. */
enum {
	ARM64_SPI = 32,
	ARM64_PPI = 16,
	ARM64_UART_INTID = ARM64_SPI + 1,
	ARM64_VIRTIO_INTID = ARM64_SPI + 16,
	ARM64_TIMER_SEC_INTID = ARM64_PPI + 13,
	ARM64_TIMER_PHYS_INTID = ARM64_PPI + 14,
	ARM64_TIMER_VIRT_INTID = ARM64_PPI + 11,
	ARM64_TIMER_HYP_INTID = ARM64_PPI + 10,
	ARM64_GIC_INTIDS = 64, /* that the distributor has */
};

/* What the device tree says beyond what every board has. */
struct arm64_fdt_cfg {
	const struct board_cpus *cpus;
	uint64_t ram_size;
	const char *params; /* NULL: none, and nothing of Linux's own */
	uint64_t initrd, initrd_size;
	bool disk;
	uint64_t debug_mmio; /* 0: none */
	uint64_t seed[9];    /* of Linux's random numbers, and of its KASLR */
};

/**
 * arm64_fdt_build() - the flattened device tree, into @size bytes at @buf.
 * Returns: its size; -ENOSPC.
 * Source: Devicetree Specification; Linux Documentation/devicetree/bindings.
 */
int arm64_fdt_build(const struct arm64_fdt_cfg *cfg, void *buf, size_t size);

/** arm64_fdt_write() - the device tree of the machine into its memory, where @boot says. -EFBIG with @why. */
int arm64_fdt_write(const struct vm_cfg *cfg, const struct board_cpus *cpus, const struct boot_arm64 *boot, bool disk,
		    uint64_t debug_mmio, struct mem *mem, struct errtext *why);

#endif
