/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef TESTS_E2E_KVM_RIG_ARM64_H
#define TESTS_E2E_KVM_RIG_ARM64_H

#include "kvm_rig.h"

enum {
	RIG_VECTORS = 0x4000,  /* VBAR_EL1 */
	RIG_USER = 0x40000000, /* with rig_translate(): a second mapping of RAM, for EL0 */
	RIG_GICD = 0x08000000,
	RIG_GICR = 0x08010000,
};

/* Machine code for a guest, assembled with the test: RIG_ASM(name, "nop") defines name[] and name_end[]. */
#define RIG_ASM(name, text)                                                                                           \
	extern const uint8_t name[], name##_end[];                                                                    \
	__asm__(".pushsection .rodata\n\t.balign 4\n\t.global " #name ", " #name "_end\n" #name ":\n" text "\n" #name \
		"_end:\n\t.popsection")
#define RIG_ASM_AT(r, at, name) rig_code(r, at, name, (size_t)(name##_end - (name)))

/* RAM as normal memory at its own addresses for EL1, and at RIG_USER for EL0. */
void rig_translate(struct rig *r, unsigned vcpu);

/* One register of ARCH_CORE or of the system registers. */
uint64_t rig_x(struct rig *r, unsigned vcpu, unsigned n);
void rig_set_x(struct rig *r, unsigned vcpu, unsigned n, uint64_t v);
uint64_t rig_pstate(struct rig *r, unsigned vcpu);
void rig_set_pstate(struct rig *r, unsigned vcpu, uint64_t v);
uint64_t rig_sys(struct rig *r, unsigned vcpu, enum arm64_sys reg);
void rig_set_sys(struct rig *r, unsigned vcpu, enum arm64_sys reg, uint64_t v);

#endif
