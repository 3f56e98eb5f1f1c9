/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef ARCH_ARM64_WALK_H
#define ARCH_ARM64_WALK_H

#include "arch/arch.h"

/* Inside the room: the members of struct arch of these names, in the regime that the vCPU is in. */

int arm64_walk(const struct arch_regs *r, mmu_read_fn *rd, void *arg, gva at, struct mmu_xlat *out);
int arm64_walk_untagged(const struct arch_regs *r, mmu_read_fn *rd, void *arg, gva at, struct mmu_xlat *out);
void arm64_pt_text(const struct arch_regs *r, gva at, const struct mmu_xlat *x, struct strbuf *out);
uint64_t arm64_space(const struct arch_regs *r);
bool arm64_in_space(const struct arch_regs *r, uint64_t root, mmu_read_fn *rd, void *arg);
extern const struct arch_stage2 arm64_stage2;

#endif
