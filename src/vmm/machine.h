/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef VMM_MACHINE_H
#define VMM_MACHINE_H

#include <stdbool.h>
#include <stddef.h>

#include "util/errtext.h"
#include "vmm/mem.h"

#define VM_MAX_CPUS 16

/* The KVM file descriptors of one VM, and what is said to them once, before anything runs. */
struct machine {
	int kvm_fd, vm_fd; /* -1: not open */
	int vcpu_fd[VM_MAX_CPUS];
	unsigned cpus; /* open entries of vcpu_fd */
	size_t run_size;
};

void machine_init(struct machine *m);

/**
 * machine_open() - /dev/kvm and a VM with in-kernel interrupt controllers and PIT.
 * Returns: 0; -ENODEV: no KVM here; -EACCES; -ENOTSUP: KVM lacks something; @why filled.
 */
int machine_open(struct machine *m, struct errtext *why);

/** machine_mem_set() - tell KVM about all of @mem, whose slots may not change afterwards. */
int machine_mem_set(struct machine *m, const struct mem *mem, struct errtext *why);

/** machine_cpus_add() - create @cpus vCPUs with their CPUID. @memory_is_wb: firmware is not there to set MTRRs. */
int machine_cpus_add(struct machine *m, unsigned cpus, bool memory_is_wb, struct errtext *why);

void machine_close(struct machine *m);

#endif
