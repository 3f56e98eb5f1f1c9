/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef KVM_X86_STEP_H
#define KVM_X86_STEP_H

#include "arch/x86_step.h"
#include "kvm/x86_guest.h"

/* Between x86_step.c and x86_landings.c. */

enum { KVM_NVECTORS = 32, KVM_MAX_LANDINGS = KVM_NVECTORS + 3, KVM_GATE_MAX = 16 };

/*
 * A place where a step that raises an exception, or enters the kernel, arrives. The processor drops the trap flag on
 * the way, so an int3 is planted there while the step is under way.
 */
struct kvm_landing {
	gva at;
	uint8_t *hva;
	uint8_t saved;  /* what our int3 covers */
	uint8_t width;  /* bytes of one item of the frame that is pushed on the way; 0: no frame */
	bool trap_gate; /* the interrupt flag stays */
};

/* What the interrupt descriptor table says, as far as it was asked for. */
struct kvm_idt {
	struct kvm_dtable table;
	uint64_t cr0, cr3, cr4, efer;
	const uint8_t *raw; /* where it is now; NULL: not in one piece */
	uint8_t gate[KVM_NVECTORS][KVM_GATE_MAX];
	uint32_t known, usable; /* bit per vector */
	struct kvm_landing handler[KVM_NVECTORS];
	uint64_t page; /* the last one that was translated, its number + 1 */
	uint8_t *page_hva;
};

/* x86_landings.c */

/** kvm_idt_use() - make @idt fit the guest's present state, forgetting what is no longer true. */
void kvm_idt_use(struct kvm_cpu *cpu, const struct kvm_guest *g, struct kvm_idt *idt);

/** kvm_idt_landing() - where @vector, 0..255, leads; false if that is nowhere that an int3 could be planted. */
bool kvm_idt_landing(struct kvm_cpu *cpu, const struct kvm_guest *g, struct kvm_idt *idt, unsigned vector,
		     struct kvm_landing *out);

/** kvm_idt_dpl() - privilege level of the gate of @vector; 3 in real mode; -1: no gate. */
int kvm_idt_dpl(struct kvm_cpu *cpu, const struct kvm_guest *g, unsigned vector);

/** kvm_landing_at() - a landing at linear address @at; false if there is no memory of ours. */
bool kvm_landing_at(struct kvm_cpu *cpu, const struct kvm_guest *g, gva at, struct kvm_landing *out);

/** kvm_landing_flags() - address of the flags in the frame of the exception that led to @l from @rip or @next_rip. */
bool kvm_landing_flags(struct kvm_cpu *cpu, const struct kvm_guest *g, const struct kvm_landing *l, uint16_t cs,
		       uint64_t rip, uint64_t next_rip, gva *out);

#endif
