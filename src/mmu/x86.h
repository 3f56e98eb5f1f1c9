/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef MMU_X86_H
#define MMU_X86_H

#include "mmu/mmu.h"

/* The paging modes of the Intel SDM, "Paging", and the state before paging is on. */
enum mmu_x86_mode { MMU_X86_FLAT, MMU_X86_32BIT, MMU_X86_PAE, MMU_X86_4LEVEL, MMU_X86_5LEVEL };

/* What decides an x86 translation; all zero is the reset state (flat). */
struct mmu_x86_ctx {
	uint64_t cr0, cr3, cr4, efer;
	unsigned phys_bits; /* MAXPHYADDR, 32..52; 0 means 52 (no reserved-bit check below that) */
};

/** mmu_x86_mode() - the paging mode that these control registers select. */
enum mmu_x86_mode mmu_x86_mode(const struct mmu_x86_ctx *c);

/**
 * mmu_x86_walk() - translate the linear address @at.
 * @rd, @arg: reads page tables.  @out: written when 0 is returned.
 * Shape:   no access rights are checked (a debugger reads supervisor and read-only pages alike); perm tells them.
 *          PAE reads its PDPTEs from memory at CR3 and minds only their present bit: the processor checked the
 *          rest when it loaded them (QEMU's TCG then sets their accessed bit).
 *          PSE-36 and 4K/2M/4M/1G pages are covered.
 *          FLAT answers identity for the whole 4 GiB as one page.
 * Thread:  any; pure.
 * Returns: 0 for mapped and unmapped alike; the error of @rd if a table could not be read (@out untouched).
 * Source:  Intel SDM vol. 3, "Paging": "32-Bit Paging", "PAE Paging", "4-Level Paging and 5-Level Paging".
 */
int mmu_x86_walk(const struct mmu_x86_ctx *c, mmu_read_fn *rd, void *arg, gva at, struct mmu_xlat *out);

#endif
