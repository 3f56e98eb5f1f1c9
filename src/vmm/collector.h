/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef VMM_COLLECTOR_H
#define VMM_COLLECTOR_H

#include <linux/kvm.h>

#include "util/errtext.h"
#include "vmm/bus.h"

/*
 * Writes that KVM keeps in a ring instead of letting each of them exit. Whoever takes them out gives them to the bus,
 * in their order: a vCPU's thread right after the vCPU has left the guest, and a thread that looks every 10 ms. A write
 * that finds the ring full exits as any other.
 */
struct collector;

/**
 * collector_create() - the ring of a VM; KVM keeps nothing yet.
 * @vcpu_fd: of any vCPU. @bus: must outlive it, as the descriptors must.
 * Returns: 0; -ENODEV: KVM cannot keep port writes; other errors with @why, too.
 */
int collector_create(int vm_fd, int vcpu_fd, struct bus *bus, struct collector **ret, struct errtext *why);
void collector_destroy(struct collector *c); /* NULL ok */

/** collector_zone() - have KVM keep the writes that are inside of @zone, or no more. */
int collector_zone(struct collector *c, const struct kvm_coalesced_mmio_zone *zone, bool on);

/** collector_drain() - when it returns all that was kept before has been given to the bus. Any thread. */
void collector_drain(struct collector *c);

/* A ring and who reads it; @next: the entry whose turn it is. */
struct collector_ring {
	struct kvm_coalesced_mmio_ring *kvm;
	uint32_t next;
};

/** collector_ring_init() - before any vCPU runs: @kvm is KVM's ring, in which nothing is kept yet. */
void collector_ring_init(struct collector_ring *ring, struct kvm_coalesced_mmio_ring *kvm);

/** collector_take() - what collector_drain() does, to a ring. */
void collector_take(struct collector_ring *ring, struct bus *bus);

#endif
