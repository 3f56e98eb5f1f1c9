/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef ARCH_ARM64_H
#define ARCH_ARM64_H

#include "arch/arch.h"

/* Inside the room: what the arm64 files and the generic register code share. */

/* Whose signature: of pointers to data or code, in the lower or upper half of the addresses. */
enum arm64_pauth { ARM64_PAUTH_DATA, ARM64_PAUTH_CODE, ARM64_PAUTH_DATA_HIGH, ARM64_PAUTH_CODE_HIGH };

/**
 * arm64_pauth_mask() - the bits of a pointer that hold its signature in the translation regime in force.
 * Bit 55, which selects the half, is never among them. 0: nothing signs such pointers here. Needs ARCH_CORE and
 * ARCH_SYS.
 */
uint64_t arm64_pauth_mask(const struct arm64_regs *r, enum arm64_pauth what);

/** arm64_hw_encode(), arm64_hw_decode() - see struct arch. */
int arm64_hw_encode(const struct arch_hw_max *max, const struct hw_break *req, unsigned n, struct arch_hw_state *out);
int arm64_hw_decode(const struct arch_hw_state *st, uint64_t esr, gva at);

/** arm64_layout() - see struct arch. */
const struct arch_layout *arm64_layout(const struct arch_regs *r);

#endif
