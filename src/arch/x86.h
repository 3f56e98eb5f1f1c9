/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef ARCH_X86_H
#define ARCH_X86_H

#include <stdbool.h>

#include "arch/arch.h"

/* Inside the room: what the x86 files and the generic register code share. */

/** x86_in_64bit_code() - long mode and a 64-bit code segment: no segment bases, 64-bit rip. */
bool x86_in_64bit_code(const struct x86_regs *r);

/** x86_pc_get(), x86_pc_set() - see struct arch. */
gva x86_pc_get(const struct arch_regs *r);
int x86_pc_set(struct arch_regs *r, gva pc);

/** x86_selector_set() - put @sel in segment register @seg (X86_CS...), with what real mode does to its base. */
void x86_selector_set(struct x86_regs *r, unsigned seg, uint16_t sel);

/** x86_hw_encode(), x86_hw_decode() - see struct arch. */
int x86_hw_encode(const struct arch_hw_max *max, const struct hw_break *req, unsigned n, struct arch_hw_state *out);
int x86_hw_decode(const struct arch_hw_state *st, uint64_t dr6, gva unused);

#endif
