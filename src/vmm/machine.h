/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef VMM_MACHINE_H
#define VMM_MACHINE_H

#include <stdbool.h>
#include <stddef.h>

#include "util/errtext.h"
#include "vmm/mem.h"
#include "vmm/protect.h"

#define VM_MAX_CPUS 16
#define MACHINE_MAX_SLOTS PROTECT_MAX_SLOTS

/* The KVM file descriptors of one VM, and what is said to them, most of it before anything runs. */
struct machine {
	int kvm_fd, vm_fd; /* -1: not open */
	int vcpu_fd[VM_MAX_CPUS];
	unsigned cpus; /* open entries of vcpu_fd */
	size_t run_size;
	struct kvm_slot slot[MACHINE_MAX_SLOTS]; /* what KVM knows, by slot number; size 0: no such slot */
};

void machine_init(struct machine *m);

/**
 * machine_open() - /dev/kvm and a VM with in-kernel interrupt controllers and PIT.
 * Returns: 0; -ENODEV: no KVM here; -EACCES; -ENOTSUP: KVM lacks something; @why filled.
 */
int machine_open(struct machine *m, struct errtext *why);

/**
 * machine_slots_set() - these slots are all of the guest's memory. A slot that KVM knows already is not touched. No
 * vCPU may run meanwhile.
 */
int machine_slots_set(struct machine *m, const struct kvm_slot *slots, unsigned n, struct errtext *why);

/** machine_cpus_add() - create @cpus vCPUs with their CPUID. @memory_is_wb: firmware is not there to set MTRRs. */
int machine_cpus_add(struct machine *m, unsigned cpus, bool memory_is_wb, struct errtext *why);

void machine_close(struct machine *m);

#endif
