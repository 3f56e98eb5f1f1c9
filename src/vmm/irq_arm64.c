/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "vmm/irq.h"

#include <sys/ioctl.h>

#include "util/macros.h"

/* A GSI is the INTID of a shared interrupt. */
static void line_set(struct irq_lines *l, unsigned gsi, bool level)
{
	const struct kvm_irq_lines *k = container_of(l, struct kvm_irq_lines, lines);
	struct kvm_irq_level line = { .irq = KVM_ARM_IRQ_TYPE_SPI << KVM_ARM_IRQ_TYPE_SHIFT | gsi, .level = level };

	// It fails only for an INTID that the GIC does not have, which the board does not use.
	ioctl(k->vm_fd, KVM_IRQ_LINE, &line);
}

int irq_lines_init(struct kvm_irq_lines *l, int vm_fd, struct errtext *why)
{
	*l = (struct kvm_irq_lines){ .lines.set = line_set, .vm_fd = vm_fd };
	return 0;
}
