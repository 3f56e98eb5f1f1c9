/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Where exceptions lead. Intel SDM vol. 3, "Interrupt Descriptor Table (IDT)" and "64-Bit Mode IDT". */
#include <string.h>

#include "kvm/x86_step.h"
#include "util/bytes.h"

enum { GATE_16 = 0x6, GATE_TRAP = 1, GATE_32 = 0xe, GATE_TYPE = 0x1f, GATE_P = 0x80, SEL_LDT = 4, PAGE_SHIFT = 12 };

static bool is_real(const struct kvm_guest *g)
{
	return !(g->sregs.cr0 & X86_CR0_PE);
}

static bool is_long(const struct kvm_guest *g)
{
	return g->sregs.efer & X86_EFER_LMA;
}

static unsigned gate_size(const struct kvm_guest *g)
{
	if (is_real(g))
		return 4;
	return is_long(g) ? 16 : 8;
}

static bool same_state(const struct kvm_idt *idt, const struct kvm_sregs *s)
{
	return idt->table.base == s->idt.base && idt->table.limit == s->idt.limit && idt->cr0 == s->cr0 &&
	       idt->cr3 == s->cr3 && idt->cr4 == s->cr4 && idt->efer == s->efer;
}

void kvm_idt_use(struct kvm_cpu *cpu, const struct kvm_guest *g, struct kvm_idt *idt)
{
	const struct kvm_sregs *s = &g->sregs;
	size_t n = KVM_NVECTORS * gate_size(g), len = n;

	if (idt->raw && same_state(idt, s))
		return;
	idt->table = s->idt;
	idt->cr0 = s->cr0;
	idt->cr3 = s->cr3;
	idt->cr4 = s->cr4;
	idt->efer = s->efer;
	idt->known = idt->usable = 0;
	idt->page = 0;
	idt->raw = kvm_guest_hva(cpu, g, GVA(s->idt.base), &len, NULL);
	if (len < n)
		idt->raw = NULL;
}

static bool read_gate(struct kvm_cpu *cpu, const struct kvm_guest *g, unsigned vector, uint8_t gate[KVM_GATE_MAX])
{
	size_t size = gate_size(g);

	if (vector * size + size - 1 > g->sregs.idt.limit)
		return false;
	return kvm_guest_read(cpu, g, GVA(g->sregs.idt.base + vector * size), gate, size) == size;
}

int kvm_idt_dpl(struct kvm_cpu *cpu, const struct kvm_guest *g, unsigned vector)
{
	uint8_t gate[KVM_GATE_MAX] = { 0 };

	if (!read_gate(cpu, g, vector, gate))
		return -1;
	return is_real(g) ? 3 : gate[5] >> 5 & 3;
}

/* Base of a code segment outside of long mode: Intel SDM vol. 3, "Segment Descriptors". */
static bool segment_base(struct kvm_cpu *cpu, const struct kvm_guest *g, uint16_t sel, uint64_t *base)
{
	uint64_t table = sel & SEL_LDT ? g->sregs.ldt.base : g->sregs.gdt.base;
	uint8_t d[8];

	if (kvm_guest_read(cpu, g, GVA(table + (sel & ~7u)), d, sizeof(d)) < sizeof(d))
		return false;
	*base = ld_le16(d + 2) | (uint64_t)d[4] << 16 | (uint64_t)d[7] << 24;
	return true;
}

static bool gate_target(struct kvm_cpu *cpu, const struct kvm_guest *g, const uint8_t gate[KVM_GATE_MAX],
			struct kvm_landing *l)
{
	uint64_t offset = ld_le16(gate) | (uint64_t)ld_le16(gate + 6) << 16, base;
	unsigned type = gate[5] & GATE_TYPE & ~(unsigned)GATE_TRAP;

	if (is_real(g)) {
		*l = (struct kvm_landing){ .at = GVA(ld_le16(gate) + 16ull * ld_le16(gate + 2)), .width = 2 };
		return true;
	}
	l->trap_gate = gate[5] & GATE_TRAP;
	if (!(gate[5] & GATE_P) || (type != GATE_32 && (type != GATE_16 || is_long(g))))
		return false; // a task gate has no landing of its own
	if (is_long(g)) {
		l->width = 8;
		l->at = GVA(offset | (uint64_t)ld_le32(gate + 8) << 32);
		return true;
	}
	if (!segment_base(cpu, g, ld_le16(gate + 2), &base))
		return false;
	l->width = type == GATE_32 ? 4 : 2;
	l->at = GVA((uint32_t)(base + (type == GATE_32 ? offset : (uint16_t)offset)));
	return true;
}

bool kvm_landing_at(struct kvm_cpu *cpu, const struct kvm_guest *g, gva at, struct kvm_landing *out)
{
	size_t n = 1;

	out->at = at;
	out->hva = kvm_guest_hva(cpu, g, at, &n, NULL);
	return out->hva != NULL;
}

/* Handlers are close to each other: the translation of the last page is kept. */
static bool handler_hva(struct kvm_cpu *cpu, const struct kvm_guest *g, struct kvm_idt *idt, struct kvm_landing *l)
{
	uint64_t page = (l->at.raw >> PAGE_SHIFT) + 1, in_page = l->at.raw & ((1u << PAGE_SHIFT) - 1);
	size_t n = 1;

	if (idt->page != page) {
		idt->page_hva = kvm_guest_hva(cpu, g, GVA(l->at.raw - in_page), &n, NULL);
		idt->page = page;
	}
	l->hva = idt->page_hva ? idt->page_hva + in_page : NULL;
	return l->hva != NULL;
}

/* Is the gate what it was when it was looked at last? */
static bool is_known(const struct kvm_guest *g, const struct kvm_idt *idt, unsigned vector)
{
	uint8_t now[KVM_GATE_MAX];
	size_t size = gate_size(g);

	if (vector >= KVM_NVECTORS || !idt->raw || !(idt->known >> vector & 1))
		return false;
	kvm_guest_copy(now, idt->raw + vector * size, size);
	return memcmp(now, idt->gate[vector], size) == 0;
}

bool kvm_idt_landing(struct kvm_cpu *cpu, const struct kvm_guest *g, struct kvm_idt *idt, unsigned vector,
		     struct kvm_landing *out)
{
	struct kvm_landing l = { 0 };
	uint8_t gate[KVM_GATE_MAX] = { 0 };
	bool usable;

	if (is_known(g, idt, vector)) {
		*out = idt->handler[vector];
		return idt->usable >> vector & 1;
	}
	usable = read_gate(cpu, g, vector, gate) && gate_target(cpu, g, gate, &l) && handler_hva(cpu, g, idt, &l);
	if (vector < KVM_NVECTORS) {
		memcpy(idt->gate[vector], gate, sizeof(gate));
		idt->handler[vector] = l;
		idt->known |= 1u << vector;
		idt->usable = (idt->usable & ~(1u << vector)) | (uint32_t)usable << vector;
	}
	*out = l;
	return usable;
}

/* One item of a frame: Intel SDM vol. 3, "Stack Usage on Transfers to Interrupt and Exception-Handling Routines". */
static bool frame_item(struct kvm_cpu *cpu, const struct kvm_guest *g, unsigned width, unsigned nr, uint64_t *out)
{
	uint8_t item[8] = { 0 };

	if (kvm_guest_read(cpu, g, kvm_guest_stack(g, (uint64_t)nr * width), item, width) < width)
		return false;
	*out = ld_le64(item);
	return true;
}

bool kvm_landing_flags(struct kvm_cpu *cpu, const struct kvm_guest *g, const struct kvm_landing *l, uint16_t cs,
		       uint64_t rip, uint64_t next_rip, gva *out)
{
	uint64_t mask = l->width == 8 ? ~0ull : (1ull << 8 * l->width) - 1;

	/* With an error code everything is one up. */
	for (unsigned error = 0; l->width && error < 2; error++) {
		uint64_t ip, sel;

		if (!frame_item(cpu, g, l->width, error, &ip) || !frame_item(cpu, g, l->width, error + 1, &sel))
			return false;
		if ((uint16_t)sel == cs && (ip == (rip & mask) || ip == (next_rip & mask))) {
			*out = kvm_guest_stack(g, (uint64_t)(error + 2) * l->width);
			return true;
		}
	}
	return false;
}
