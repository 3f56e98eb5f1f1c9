/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef ARCH_ARM64_H
#define ARCH_ARM64_H

#include "arch/arch.h"

/* Inside the room: what the arm64 files and the generic register code share. */

/** arm64_pc_get(), arm64_pc_set() - see struct arch. */
gva arm64_pc_get(const struct arch_regs *r);
int arm64_pc_set(struct arch_regs *r, gva pc);

#endif
