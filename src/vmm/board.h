/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef VMM_BOARD_H
#define VMM_BOARD_H

#include "arch/arch.h"
#include "vmm/dev.h"
#include "vmm/vm.h"

/* The machine that `gdbvm run` builds around the vCPUs: one file and one table of functions for each architecture. */
struct board;

#define BOARD_MAX_MMIO 4
#define VM_MAX_CPUS 16

/* What the devices are plugged into; all of it must outlive the board. */
struct board_ports {
	struct bus *bus;
	struct mem *mem;
	struct irq_lines *irq;
	struct guest_clock *clock; /* x86 */
	struct vcpu_pc *pc;
};

/* What the guest is to be told of the vCPUs and of what KVM itself has. */
struct board_cpus {
	unsigned n;
	/* arm64 */
	uint64_t mpidr[VM_MAX_CPUS];
	bool gicv2; /* else a GICv3 */
};

struct board_ops {
	const struct arch *arch;
	const struct mem_layout *ram;
	uint32_t break_kinds;                   /* as target.break_kinds */
	const struct arm64_irq_name *irq_names; /* arm64 */

	/* All devices onto the bus. @cfg is needed only during the call. */
	int (*create)(const struct vm_cfg *cfg, const struct board_ports *ports, struct board **ret,
		      struct errtext *why);
	void (*destroy)(struct board *b); /* NULL ok */

	/*
	 * The guest of @cfg into memory, with what describes the machine to it, and the registers that vCPU 0 starts
	 * with; regs->have: those that are not as KVM has them after a reset. -ENOENT, -ENOEXEC, -EFBIG, -EINVAL.
	 */
	int (*load)(struct board *b, const struct vm_cfg *cfg, const struct board_cpus *cpus, struct arch_regs *regs,
		    struct errtext *why);

	size_t (*console_in)(struct board *b, const void *p, size_t n); /* as vm_console_in() */
	struct debug_ports *(*debug_ports)(struct board *b);            /* x86 */
	/* Where devices answer to memory accesses. @b: NULL: on a board as it usually is; those are ascending. */
	const struct target_region *(*mmio)(const struct board *b, unsigned *n);
};
extern const struct board_ops board_x86, board_arm64;

/* A row of a board's list of devices; not to be added is no error. */
struct board_device {
	const char *name;
	int (*add)(struct board *b, struct errtext *why); /* fills @why, or not */
};

/** board_add_devices() - all of them in their order; the first error ends it, with @why. */
int board_add_devices(struct board *b, const struct board_device *list, unsigned n, struct errtext *why);

#endif
