/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef VMM_MACHINE_H
#define VMM_MACHINE_H

#include <stdbool.h>
#include <stddef.h>

#include "util/errtext.h"
#include "vmm/board.h"
#include "vmm/mem.h"
#include "vmm/protect.h"

#define MACHINE_MAX_SLOTS PROTECT_MAX_SLOTS

/* The KVM file descriptors of one VM, and what is said to them, most of it before anything runs. */
struct machine {
	int kvm_fd, vm_fd; /* -1: not open */
	int vcpu_fd[VM_MAX_CPUS];
	struct board_cpus cpus;   /* n: open entries of vcpu_fd */
	int chip_fd;              /* arm64: the GIC; -1 */
	struct guest_clock clock; /* x86 */
	size_t run_size;
	struct kvm_slot slot[MACHINE_MAX_SLOTS]; /* what KVM knows, by slot number; size 0: no such slot */
};

/** machine_init() - nothing is open yet: machine_close() may be called from now on. */
void machine_init(struct machine *m);

/**
 * machine_open() - /dev/kvm and a VM with in-kernel interrupt controllers and timers.
 * @ram_end: guest-physical; nothing of the guest is above.
 * Returns: 0; -ENODEV: no KVM here; -EACCES; -ENOTSUP: KVM lacks something; @why filled.
 */
int machine_open(struct machine *m, uint64_t ram_end, struct errtext *why);

/**
 * machine_slots_set() - these slots are all of the guest's memory. A slot that KVM knows already is not touched. No
 * vCPU may run meanwhile.
 */
int machine_slots_set(struct machine *m, const struct kvm_slot *slots, unsigned n, struct errtext *why);

/** machine_cpus_add() - create the vCPUs and start the interrupt controllers; m->cpus has what the guest is told. */
int machine_cpus_add(struct machine *m, const struct vm_cfg *cfg, struct errtext *why);

void machine_close(struct machine *m);

/* ---- what depends on the host: machine_x86.c or machine_arm64.c ---- */

extern const struct board_ops *const machine_board;

struct machine_cap {
	int cap;
	const char *name; /* NULL ends a list */
};
extern const struct machine_cap machine_caps[]; /* without these the guest cannot be run */

/** machine_vm_type() - the argument of KVM_CREATE_VM for a guest whose RAM ends at @ram_end. */
int machine_vm_type(int kvm_fd, uint64_t ram_end, unsigned long *ret, struct errtext *why);

/** machine_chips_create() - interrupt controllers and timers that KVM has, before there is a vCPU. */
int machine_chips_create(struct machine *m, struct errtext *why);

/** machine_cpu_init() - say what kind of processor @vcpu is. */
int machine_cpu_init(struct machine *m, unsigned vcpu, const struct vm_cfg *cfg, struct errtext *why);

/** machine_chips_start() - what the interrupt controllers need when all vCPUs are there. */
int machine_chips_start(struct machine *m, struct errtext *why);

#endif
