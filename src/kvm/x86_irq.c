/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "kvm/x86_irq.h"

#include <errno.h>
#include <inttypes.h>

#include "kvm/x86_internal.h"

static const char *yes(bool on, const char *text)
{
	return on ? text : "";
}

/* ---- 8259A ---- */

void irq_pic_text(const struct kvm_pic_state *p, const char *name, unsigned first_irq, struct strbuf *out)
{
	strbuf_addf(out, "8259A %s, IRQ %u-%u: vectors 0x%02x-0x%02x%s\n", name, first_irq, first_irq + 7, p->irq_base,
		    p->irq_base + 7, yes(p->init_state, ", being initialised"));
	strbuf_addf(out, "  IRR %02x  ISR %02x  IMR %02x  ELCR %02x  lines %02x\n", p->irr, p->isr, p->imr, p->elcr,
		    p->last_irr);
	strbuf_addf(out, "  lowest priority IR%u%s%s%s%s%s, port reads %s\n", (p->priority_add + 7u) % 8,
		    yes(p->auto_eoi, ", automatic EOI"), yes(p->rotate_on_auto_eoi, ", rotating"),
		    yes(p->special_mask, ", special mask mode"),
		    yes(p->special_fully_nested_mode, ", special fully nested mode"), yes(p->poll, ", poll command"),
		    p->read_reg_select ? "ISR" : "IRR");
}

/* ---- the words that both APICs use ---- */

static const char *delivery_text(unsigned mode)
{
	static const char *const text[8] = { "fixed", "lowest priority", "SMI",   "reserved mode 3", "NMI",
					     "INIT",  "start-up",        "ExtINT" };

	return text[mode & 7];
}

/* The vector counts for fixed and lowest priority only. */
static void add_delivery(unsigned mode, unsigned vector, struct strbuf *out)
{
	strbuf_adds(out, delivery_text(mode));
	if (mode <= 1)
		strbuf_addf(out, " vector 0x%02x", vector);
}

/* ---- I/O APIC ---- */

static void add_pin(const struct kvm_ioapic_state *s, unsigned pin, struct strbuf *out)
{
	const uint64_t bits = s->redirtbl[pin].bits;
	unsigned trigger = bits >> 15 & 1;

	strbuf_addf(out, "  pin %2u: %s", pin, yes(bits >> 16 & 1, "masked, "));
	add_delivery(bits >> 8 & 7, bits & 0xff, out);
	strbuf_addf(out, ", %s destination 0x%02x, %s, active %s%s%s%s\n", bits >> 11 & 1 ? "logical" : "physical",
		    (unsigned)(bits >> 56), trigger ? "level" : "edge", bits >> 13 & 1 ? "low" : "high",
		    yes(bits >> 12 & 1, ", send pending"), yes(trigger && bits >> 14 & 1, ", remote IRR"),
		    yes(s->irr & BIT(pin), ", line is on"));
}

void irq_ioapic_text(const struct kvm_ioapic_state *s, struct strbuf *out)
{
	strbuf_addf(out, "I/O APIC at 0x%" PRIx64 ": ID %u, IOREGSEL 0x%02x\n", (uint64_t)s->base_address, s->id,
		    s->ioregsel);
	for (unsigned pin = 0; pin < KVM_IOAPIC_NUM_PINS; pin++)
		add_pin(s, pin, out);
}

/* ---- local APIC ---- */

enum { BASE_BSP = 1 << 8, BASE_X2APIC = 1 << 10, BASE_ENABLE = 1 << 11, SVR_ENABLE = 1 << 8 };

static void add_vectors(const struct kvm_lapic_state *s, const char *name, unsigned offset, struct strbuf *out)
{
	bool any = false;

	strbuf_adds(out, name);
	for (unsigned v = 0; v < 256; v++) {
		if (!lapic_vector(s, offset, v))
			continue;
		strbuf_addf(out, " 0x%02x", v);
		any = true;
	}
	strbuf_adds(out, any ? "\n" : " none\n");
}

static void add_lvt(const struct kvm_lapic_state *s, const char *name, unsigned offset, struct strbuf *out)
{
	uint32_t v = lapic_reg(s, offset);

	strbuf_addf(out, "  LVT %-11s %08x: %s", name, v, yes(v >> 16 & 1, "masked, "));
	add_delivery(v >> 8 & 7, v & 0xff, out);
	strbuf_addf(out, "%s%s%s%s\n", yes(v >> 15 & 1, ", level"), yes(v >> 13 & 1, ", active low"),
		    yes(v >> 12 & 1, ", send pending"), yes(v >> 14 & 1, ", remote IRR"));
}

static void add_timer(const struct kvm_lapic_state *s, const struct irq_lapic_more *m, struct strbuf *out)
{
	static const char *const mode[] = { "one-shot", "periodic", "TSC-deadline", "reserved mode" };
	enum lapic_timer_mode which = lapic_timer_mode(s);
	uint32_t lvt = lapic_reg(s, LAPIC_LVT_TIMER);

	strbuf_addf(out, "  LVT timer       %08x: %s%s, vector 0x%02x%s\n", lvt, yes(lvt >> 16 & 1, "masked, "),
		    mode[which], lvt & 0xff, yes(lvt >> 12 & 1, ", send pending"));
	if (which != LAPIC_TSC_DEADLINE)
		strbuf_addf(out, "  timer: initial count %u, current count %u, divided by %u\n",
			    lapic_reg(s, LAPIC_TIMER_INITIAL), lapic_reg(s, LAPIC_TIMER_CURRENT),
			    lapic_timer_divisor(s));
	else if (!m->deadline)
		strbuf_adds(out, "  timer: no deadline\n");
	else
		strbuf_addf(out, "  timer: deadline 0x%" PRIx64 ", %" PRIu64 " ticks %s\n", m->deadline,
			    m->deadline > m->tsc ? m->deadline - m->tsc : m->tsc - m->deadline,
			    m->deadline > m->tsc ? "from now" : "ago, its interrupt is due");
}

void irq_lapic_text(const struct kvm_lapic_state *s, const struct irq_lapic_more *m, struct strbuf *out)
{
	uint32_t svr = lapic_reg(s, LAPIC_SVR), id = lapic_reg(s, LAPIC_ID);
	bool x2 = m->base & BASE_X2APIC;

	// KVM has the ID as an xAPIC's, whatever the mode, while KVM_X2APIC_API_USE_32BIT_IDS is off
	strbuf_addf(out, "local APIC of vCPU %u: ID %u, version 0x%x", m->vcpu, id >> 24, lapic_reg(s, LAPIC_VERSION));
	if (m->base)
		strbuf_addf(out, ", at 0x%" PRIx64 ", %s%s", m->base & ~UINT64_C(0xfff),
			    !(m->base & BASE_ENABLE) ? "disabled"
			    : x2                     ? "x2APIC"
						     : "xAPIC",
			    yes(m->base & BASE_BSP, ", bootstrap processor"));
	strbuf_addf(out, "\n  TPR %02x  PPR %02x  LDR %08x  DFR %08x  ESR %02x\n", lapic_reg(s, LAPIC_TPR),
		    lapic_reg(s, LAPIC_PPR), lapic_reg(s, LAPIC_LDR), lapic_reg(s, LAPIC_DFR), lapic_reg(s, LAPIC_ESR));
	strbuf_addf(out, "  SVR %03x: %s by software, spurious vector 0x%02x\n", svr,
		    svr & SVR_ENABLE ? "enabled" : "disabled", svr & 0xff);
	strbuf_addf(out, "  ICR %08x %08x: last sent: ", lapic_reg(s, LAPIC_ICR2), lapic_reg(s, LAPIC_ICR));
	add_delivery(lapic_reg(s, LAPIC_ICR) >> 8 & 7, lapic_reg(s, LAPIC_ICR) & 0xff, out);
	strbuf_addc(out, '\n');
	add_timer(s, m, out);
	add_lvt(s, "LINT0", LAPIC_LVT_LINT0, out);
	add_lvt(s, "LINT1", LAPIC_LVT_LINT1, out);
	add_lvt(s, "error", LAPIC_LVT_ERROR, out);
	add_lvt(s, "performance", LAPIC_LVT_PERF, out);
	add_lvt(s, "thermal", LAPIC_LVT_THERMAL, out);
	add_vectors(s, "  IRR:", LAPIC_IRR, out);
	add_vectors(s, "  ISR:", LAPIC_ISR, out);
	add_vectors(s, "  TMR:", LAPIC_TMR, out);
}

/* ---- info irq ---- */

static void add_bits(const char *what, uint32_t bits, struct strbuf *out)
{
	strbuf_adds(out, what);
	for (unsigned i = 0; i < 32; i++)
		if (bits & BIT(i))
			strbuf_addf(out, " %u", i);
	strbuf_adds(out, bits ? "\n" : " none\n");
}

void irq_lines_text(const struct kvm_pic_state *master, const struct kvm_pic_state *slave,
		    const struct kvm_ioapic_state *ioapic, struct strbuf *out)
{
	if (ioapic)
		add_bits("lines on at the I/O APIC:", ioapic->irr, out);
	if (!master || !slave)
		return;
	add_bits("lines on at the 8259As:", master->last_irr | (uint32_t)slave->last_irr << 8, out);
	add_bits("8259As, requested and not masked:",
		 (master->irr | (uint32_t)slave->irr << 8) & ~(master->imr | (uint32_t)slave->imr << 8), out);
	add_bits("8259As, in service:", master->isr | (uint32_t)slave->isr << 8, out);
}

void irq_pending_text(unsigned vcpu, const struct kvm_lapic_state *s, const struct kvm_vcpu_events *ev,
		      struct strbuf *out)
{
	strbuf_addf(out, "vCPU %u:\n", vcpu);
	if (s) {
		add_vectors(s, "  pending (IRR):", LAPIC_IRR, out);
		add_vectors(s, "  in service (ISR):", LAPIC_ISR, out);
	}
	if (!ev)
		return;
	if (ev->interrupt.injected)
		strbuf_addf(out, "  being delivered: vector 0x%02x\n", ev->interrupt.nr);
	if (ev->nmi.pending || ev->nmi.injected)
		strbuf_addf(out, "  NMI %s\n", ev->nmi.injected ? "being delivered" : "pending");
}

/* ---- asking KVM ---- */

struct lapic_call {
	struct kvm_cpu *cpu;
	struct kvm_lapic_state s;
	struct kvm_vcpu_events ev;
	bool have_lapic, have_events;
};

static int lapic_call(struct kvm_port *p, unsigned vcpu, void *arg)
{
	struct lapic_call *c = arg;

	c->have_lapic = kvm_cpu_ioctl(c->cpu, KVM_GET_LAPIC, &c->s) == 0;
	c->have_events = p->vcpu_events && kvm_cpu_ioctl(c->cpu, KVM_GET_VCPU_EVENTS, &c->ev) == 0;
	if (c->have_lapic)
		kvm_clock_show_lapic(c->cpu, &c->s);
	return 0;
}

static int lapic_read(struct kvm_cpus *c, unsigned vcpu, struct lapic_call *out)
{
	*out = (struct lapic_call){ .cpu = &c->cpu[vcpu] };
	return kvm_cpus_call(c, vcpu, lapic_call, out);
}

static int chip_read(struct kvm_cpus *c, unsigned id, struct kvm_irqchip *out)
{
	*out = (struct kvm_irqchip){ .chip_id = id };
	return c->port->ops->vm_ioctl(c->port, KVM_GET_IRQCHIP, out);
}

struct chips {
	struct kvm_irqchip master, slave, ioapic;
};

static int chips_read(struct kvm_cpus *c, struct chips *out)
{
	int rc = chip_read(c, KVM_IRQCHIP_PIC_MASTER, &out->master);

	if (rc >= 0)
		rc = chip_read(c, KVM_IRQCHIP_PIC_SLAVE, &out->slave);
	if (rc >= 0)
		rc = chip_read(c, KVM_IRQCHIP_IOAPIC, &out->ioapic);
	return rc == -ENXIO || rc == -EINVAL ? -ENOTSUP : rc; // those: the chips are not in KVM
}

static int info_pic(struct kvm_cpus *c, unsigned vcpu, struct strbuf *out)
{
	struct chips chip;
	int rc = chips_read(c, &chip);

	if (rc < 0)
		return rc;
	irq_pic_text(&chip.master.chip.pic, "master", 0, out);
	irq_pic_text(&chip.slave.chip.pic, "slave", 8, out);
	irq_ioapic_text(&chip.ioapic.chip.ioapic, out);
	return 0;
}

static int info_irq(struct kvm_cpus *c, unsigned vcpu, struct strbuf *out)
{
	struct lapic_call l;
	struct chips chip;
	int rc = chips_read(c, &chip);

	if (rc < 0)
		return rc;
	irq_lines_text(&chip.master.chip.pic, &chip.slave.chip.pic, &chip.ioapic.chip.ioapic, out);
	for (unsigned i = 0; i < c->ncpus && rc >= 0; i++) {
		rc = lapic_read(c, i, &l);
		if (rc >= 0)
			irq_pending_text(i, l.have_lapic ? &l.s : NULL, l.have_events ? &l.ev : NULL, out);
	}
	return rc;
}

static int info_lapic(struct kvm_cpus *c, unsigned vcpu, struct strbuf *out)
{
	struct irq_lapic_more more = { .vcpu = vcpu };
	struct arch_regs r = { 0 };
	struct lapic_call l;
	int rc = lapic_read(c, vcpu, &l);

	if (rc < 0 || !l.have_lapic)
		return rc < 0 ? rc : -ENOTSUP;
	if (kvm_cpus_regs_read(c, vcpu, ARCH_MSR, &r) == 0 && (r.have & ARCH_MSR)) {
		more.base = r.x86.msr[X86_MSR_APIC_BASE];
		more.deadline = r.x86.msr[X86_MSR_TSC_DEADLINE];
		more.tsc = r.x86.msr[X86_MSR_TSC];
	}
	irq_lapic_text(&l.s, &more, out);
	return 0;
}

int kvm_cpus_info(struct kvm_cpus *c, enum target_info what, unsigned vcpu, struct strbuf *out)
{
	static int (*const ask[])(struct kvm_cpus * c, unsigned vcpu, struct strbuf *out) = {
		[TARGET_INFO_PIC] = info_pic,
		[TARGET_INFO_IRQ] = info_irq,
		[TARGET_INFO_LAPIC] = info_lapic,
	};

	return ask[what](c, vcpu, out);
}
