/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef VMM_IRQ_H
#define VMM_IRQ_H

#include "util/errtext.h"
#include "vmm/bus.h"

/* Interrupt lines into KVM's interrupt controllers. */
struct kvm_irq_lines {
	struct irq_lines lines;
	int vm_fd;
};

/**
 * irq_lines_init() - bind @l to @vm_fd. irq_x86.c wires GSIs as a PC does: 0-15 to both PICs and the IOAPIC, IRQ 0 to
 * IOAPIC pin 2, 16-23 to the IOAPIC alone.
 * Needs:   machine_open() done.
 */
int irq_lines_init(struct kvm_irq_lines *l, int vm_fd, struct errtext *why);

#endif
