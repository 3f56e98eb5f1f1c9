/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "vmm/irq.h"

#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>

#include "util/macros.h"

enum { PIC_PINS = 8, CASCADE = 2, PIT_PIN = 2, IOAPIC_PINS = 24, MAX_ROUTES = 2 * PIC_PINS + IOAPIC_PINS };

static void line_set(struct irq_lines *l, unsigned gsi, bool level)
{
	const struct kvm_irq_lines *k = container_of(l, struct kvm_irq_lines, lines);
	struct kvm_irq_level line = { .irq = gsi, .level = level };

	// It fails only for a GSI without a route, which the board does not use.
	ioctl(k->vm_fd, KVM_IRQ_LINE, &line);
}

static struct kvm_irq_routing_entry route(unsigned gsi, unsigned chip, unsigned pin)
{
	return (struct kvm_irq_routing_entry){ .gsi = gsi,
					       .type = KVM_IRQ_ROUTING_IRQCHIP,
					       .u.irqchip = { .irqchip = chip, .pin = pin } };
}

int irq_lines_init(struct kvm_irq_lines *l, int vm_fd, struct errtext *why)
{
	_cleanup_(freep) struct kvm_irq_routing *t = calloc(1, sizeof(*t) + MAX_ROUTES * sizeof(t->entries[0]));
	unsigned n = 0;

	if (!t)
		return errtext_set(why, -ENOMEM, "no memory for the interrupt routing");
	for (unsigned i = 0; i < 2 * PIC_PINS; i++)
		if (i != CASCADE)
			t->entries[n++] =
				route(i, i < PIC_PINS ? KVM_IRQCHIP_PIC_MASTER : KVM_IRQCHIP_PIC_SLAVE, i % PIC_PINS);
	for (unsigned i = 0; i < IOAPIC_PINS; i++)
		if (i != CASCADE)
			t->entries[n++] = route(i, KVM_IRQCHIP_IOAPIC, i == 0 ? PIT_PIN : i);
	t->nr = n;
	if (ioctl(vm_fd, KVM_SET_GSI_ROUTING, t) < 0)
		return errtext_set(why, -errno, "KVM refuses the interrupt routing: %s", strerror(errno));
	*l = (struct kvm_irq_lines){ .lines.set = line_set, .vm_fd = vm_fd };
	return 0;
}
