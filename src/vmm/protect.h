/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef VMM_PROTECT_H
#define VMM_PROTECT_H

#include <stdbool.h>

#include "target/target.h"
#include "vmm/mem.h"

/*
 * Pages of guest RAM that the guest can only read. Such a page has two mappings in our process: the one at its usual
 * host address, which the debugger and devices write as ever, and a view of the same page that KVM gets in its memory
 * slot. While the view is read-only a write of the guest ends KVM_RUN with EFAULT, before the instruction has done
 * anything; with the view writable the same instruction goes through, on the real processor.
 *
 * A read-only memory slot would give the write as MMIO. But then KVM's emulator executes the instruction: not every
 * one, and a locked one not atomically, so that another vCPU's write can be lost.
 */
#define PROTECT_MAX 16
/* Each part of RAM around a protected piece is a slot of its own. */
#define PROTECT_MAX_SLOTS (MEM_MAX_SLOTS + 2 * PROTECT_MAX)

struct protect {
	struct {
		struct kvm_slot slot; /* hva: the view */
		void *host;           /* its usual address */
	} piece[PROTECT_MAX];         /* ascending, apart */
	unsigned n;
};

/**
 * protect_set() - protect the pages of these ranges and no others. The guest is stopped; nothing is written to memory.
 * Returns: 0; -EFAULT: not RAM, -ENOSPC: more than PROTECT_MAX pieces: nothing has changed; -ENOMEM...: nothing is
 * protected now.
 */
int protect_set(struct protect *p, struct mem *m, const struct target_pwatch *set, unsigned n);

/** protect_slots() - what KVM is to be told: the slots of @m with the views in them. Returns: how many. */
unsigned protect_slots(const struct protect *p, const struct mem *m, struct kvm_slot out[PROTECT_MAX_SLOTS]);

/** protect_lift() - make the views writable, or read-only again. Any thread. */
void protect_lift(const struct protect *p, bool on);

void protect_deinit(struct protect *p); /* before mem_deinit() */

#endif
