/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef TARGET_FAKE_ISA_H
#define TARGET_FAKE_ISA_H

#include "target/target.h"

/* Inside the room: what differs between the architectures that the fake guest can be of. */
struct fake_isa {
	unsigned insn_len; /* bytes of every instruction */
	uint8_t halt[4];   /* waits for an interrupt */
	uint32_t break_kinds;
	void (*reset)(struct arch_regs *r, const struct target_fake_cfg *cfg);
	void (*copy)(struct arch_regs *to, const struct arch_regs *from, uint32_t groups);
	uint64_t *(*pc)(struct arch_regs *r);
};
extern const struct fake_isa fake_isa_x86, fake_isa_arm64;

#endif
