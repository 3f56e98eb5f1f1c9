/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef KVM_X86_GUEST_H
#define KVM_X86_GUEST_H

#include "kvm/internal.h"
#include "mmu/x86.h"

/* A vCPU's general and system registers as KVM has them. All calls on the vCPU's own thread. */
struct kvm_guest {
	struct kvm_regs regs;
	struct kvm_sregs sregs;
};

/** kvm_guest_load() - from the run page if the last KVM_RUN left them there, else by ioctl. */
int kvm_guest_load(struct kvm_cpu *cpu, struct kvm_guest *g);

/** kvm_guest_store() - write regs back, not sregs. */
int kvm_guest_store(struct kvm_cpu *cpu, const struct kvm_guest *g);

bool kvm_guest_is_64bit(const struct kvm_guest *g); /* executing 64-bit code */
unsigned kvm_guest_cpl(const struct kvm_guest *g);
gva kvm_guest_pc(const struct kvm_guest *g);                     /* linear */
gva kvm_guest_stack(const struct kvm_guest *g, uint64_t offset); /* @offset bytes above the top of the stack */

/**
 * kvm_guest_hva() - host address of what the guest has at @at, whatever its access rights.
 * @len: in: wanted, out: in one piece. @perm: of the page, enum mmu_perm bits; may be NULL.
 * Returns: NULL when nothing is mapped, or no memory of ours.
 */
uint8_t *kvm_guest_hva(struct kvm_cpu *cpu, const struct kvm_guest *g, gva at, size_t *len, uint8_t *perm);

/* A translation, and where the entries that make it are. */
struct kvm_guest_page {
	struct mmu_x86_ctx ctx;
	struct mmu_xlat x;
	const uint64_t *entry[MMU_MAX_LEVELS];
	bool usable;
};

/** kvm_guest_hva_again() - kvm_guest_hva(); @last: the last one asked, used again as long as its entries are the same.
 */
uint8_t *kvm_guest_hva_again(struct kvm_cpu *cpu, const struct kvm_guest *g, struct kvm_guest_page *last, gva at,
			     size_t *len, uint8_t *perm);

/** kvm_guest_copy() - from guest memory, which other vCPUs, and what they plant there, may change meanwhile. */
void kvm_guest_copy(void *to, const uint8_t *from, size_t n);

/** kvm_guest_read() - as many bytes as there are. */
size_t kvm_guest_read(struct kvm_cpu *cpu, const struct kvm_guest *g, gva at, void *buf, size_t len);

#endif
