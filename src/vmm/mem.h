/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef VMM_MEM_H
#define VMM_MEM_H

#include <stddef.h>
#include <stdint.h>

#include "kvm/kvm.h"
#include "target/target.h"
#include "util/errtext.h"

/*
 * Guest-physical memory of our VMM. On x86 RAM leaves a hole below 4 GiB for devices and firmware:
 * [0, min(size, MEM_HOLE_START)) and, for what is left, from 4 GiB up. On arm64 all of it follows the devices, from
 * MEM_ARM64_RAM up.
 */
#define MEM_HOLE_START 0xc0000000ull
#define MEM_HOLE_END 0x100000000ull
#define MEM_ARM64_RAM 0x40000000ull
#define MEM_MAX_SLOTS 8

struct mem_layout {
	gpa start;                      /* of RAM */
	uint64_t hole_start, hole_size; /* where it leaves room; size 0: nowhere */
};
extern const struct mem_layout mem_layout_x86, mem_layout_arm64;

struct mem {
	struct kvm_slot slot[MEM_MAX_SLOTS]; /* RAM first, ascending; then ROM */
	unsigned nslots;
	uint64_t ram_size;
	uint64_t page_size; /* the host's, 4 to 64 KiB: slots are whole pages of KVM's, whatever pages the guest uses */
};

/** mem_init() - reserve @ram_size bytes of RAM (demand-paged). */
int mem_init(struct mem *m, const struct mem_layout *at, uint64_t ram_size, struct errtext *why);

/** mem_init_pages() - likewise, for a host with pages of @page_size bytes (a power of two). */
int mem_init_pages(struct mem *m, const struct mem_layout *at, uint64_t page_size, uint64_t ram_size,
		   struct errtext *why);

/**
 * mem_add_rom() - copy @size bytes to read-only memory at @at (a multiple of page_size). May overlay RAM: the RAM slot
 * is split.
 */
int mem_add_rom(struct mem *m, gpa at, const void *data, size_t size, struct errtext *why);
void mem_deinit(struct mem *m);

/** mem_end() - the end of the highest RAM. */
uint64_t mem_end(const struct mem *m);

/** mem_rom_start() - the start of the lowest ROM; the end of the address space if there is none. */
uint64_t mem_rom_start(const struct mem *m);

/** mem_ptr() - host address of [@at, @at + @len) if one RAM slot has all of it; else NULL. */
void *mem_ptr(struct mem *m, gpa at, size_t len);

/** mem_slot_part() - the part of @s from @start to @end, of size 0 if @end is not above @start. */
struct kvm_slot mem_slot_part(const struct kvm_slot *s, uint64_t start, uint64_t end);

/** mem_slot_ptr() - likewise for RAM or ROM; *len in: wanted, out: what is contiguous from @at. NULL: nothing there. */
void *mem_slot_ptr(struct mem *m, gpa at, size_t *len);

#endif
