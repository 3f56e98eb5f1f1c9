/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef VMM_IRQCHIP_VIEW_H
#define VMM_IRQCHIP_VIEW_H

#include "kvm/kvm.h"
#include "vmm/machine.h"

/**
 * irqchip_view_read() - what a debugger's read of the interrupt controllers inside KVM gives: the local APIC of
 * @vcpu at its usual address, or the IOAPIC. Nothing happens to them. They cannot be written.
 * Needs:   the guest stopped.
 * Returns: bytes, at most to the end of the register; 0: none of them is there, or the guest runs.
 */
size_t irqchip_view_read(struct kvm_cpus *cpus, const struct machine *m, unsigned vcpu, gpa at, void *to, size_t len);

#endif
