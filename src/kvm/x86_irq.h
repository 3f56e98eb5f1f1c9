/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef KVM_X86_IRQ_H
#define KVM_X86_IRQ_H

#include <linux/kvm.h>

#include "util/strbuf.h"

/* The state of KVM's interrupt controllers as lines of text, by the names of their manuals. All pure. */

/** irq_pic_text() - one 8259A. @name: "master"; @first_irq: of its IR0 line. Intel 8259A data sheet. */
void irq_pic_text(const struct kvm_pic_state *p, const char *name, unsigned first_irq, struct strbuf *out);

/** irq_ioapic_text() - the I/O APIC. Intel 82093AA data sheet, "I/O Redirection Table Registers". */
void irq_ioapic_text(const struct kvm_ioapic_state *s, struct strbuf *out);

/* What belongs to a local APIC and is not in its page. */
struct irq_lapic_more {
	unsigned vcpu;
	uint64_t base;     /* IA32_APIC_BASE; 0: not told */
	uint64_t deadline; /* IA32_TSC_DEADLINE */
	uint64_t tsc;
};

/** irq_lapic_text() - a local APIC. Intel SDM, "Advanced Programmable Interrupt Controller (APIC)". */
void irq_lapic_text(const struct kvm_lapic_state *s, const struct irq_lapic_more *more, struct strbuf *out);

/* ---- `info irq`: what is on the way to whom ---- */

/** irq_lines_text() - interrupt lines that are high, and what the 8259As make of them. NULL: that chip is not there. */
void irq_lines_text(const struct kvm_pic_state *master, const struct kvm_pic_state *slave,
		    const struct kvm_ioapic_state *ioapic, struct strbuf *out);

/** irq_pending_text() - what waits for one vCPU. @ev: NULL if KVM does not tell its events; @s: NULL without APIC. */
void irq_pending_text(unsigned vcpu, const struct kvm_lapic_state *s, const struct kvm_vcpu_events *ev,
		      struct strbuf *out);

#endif
