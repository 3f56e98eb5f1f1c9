/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "vmm/irqchip_view.h"

#include <string.h>
#include <sys/ioctl.h>

#include "util/bytes.h"
#include "util/macros.h"

enum { REG_BYTES = 4 };
#define LAPIC_AT 0xfee00000ull
#define IOAPIC_AT 0xfec00000ull

/* Intel 82093AA I/O APIC, "Register Description". */
enum { IOREGSEL = 0, IOWIN = 0x10, IOAPIC_ID = 0, IOAPIC_VERSION = 1, IOAPIC_ARB = 2, IOAPIC_REDIR = 0x10 };
#define IOAPIC_VERSION_VALUE (0x11 | (KVM_IOAPIC_NUM_PINS - 1) << 16)

static int lapic_call(struct kvm_port *p, unsigned vcpu, void *arg)
{
	return p->ops->vcpu_ioctl(p, vcpu, KVM_GET_LAPIC, arg);
}

/* The rest of the register at @off that is in @len; 0 behind @end. */
static size_t in_register(uint64_t off, uint64_t end, size_t len)
{
	return off < end ? MIN(len, REG_BYTES - off % REG_BYTES) : 0;
}

static size_t lapic_read(struct kvm_cpus *cpus, unsigned vcpu, uint64_t off, void *to, size_t len)
{
	struct kvm_lapic_state s;
	size_t n = in_register(off, sizeof(s.regs), len);

	if (!n || kvm_cpus_call(cpus, vcpu, lapic_call, &s) < 0)
		return 0;
	memcpy(to, s.regs + off, n);
	return n;
}

static uint32_t ioapic_indirect(const struct kvm_ioapic_state *s)
{
	const uint32_t pin = (s->ioregsel - IOAPIC_REDIR) / 2;

	switch (s->ioregsel) {
	case IOAPIC_ID:
	case IOAPIC_ARB:
		return s->id << 24;
	case IOAPIC_VERSION:
		return IOAPIC_VERSION_VALUE;
	default:
		if (s->ioregsel < IOAPIC_REDIR || pin >= KVM_IOAPIC_NUM_PINS)
			return 0;
		return (uint32_t)(s->redirtbl[pin].bits >> (s->ioregsel & 1 ? 32 : 0));
	}
}

static size_t ioapic_read(int vm_fd, uint64_t off, void *to, size_t len)
{
	struct kvm_irqchip chip = { .chip_id = KVM_IRQCHIP_IOAPIC };
	size_t n = in_register(off, 0x1000, len);
	uint8_t word[REG_BYTES] = { 0 };

	if (!n || ioctl(vm_fd, KVM_GET_IRQCHIP, &chip) < 0)
		return 0;
	if (off / REG_BYTES == IOREGSEL / REG_BYTES)
		st_le32(word, chip.chip.ioapic.ioregsel);
	else if (off / REG_BYTES == IOWIN / REG_BYTES)
		st_le32(word, ioapic_indirect(&chip.chip.ioapic));
	memcpy(to, word + off % REG_BYTES, n);
	return n;
}

size_t irqchip_view_read(struct kvm_cpus *cpus, const struct machine *m, unsigned vcpu, gpa at, void *to, size_t len)
{
	if (at.raw >= LAPIC_AT && at.raw < LAPIC_AT + 0x1000)
		return lapic_read(cpus, vcpu, at.raw - LAPIC_AT, to, len);
	if (at.raw >= IOAPIC_AT && at.raw < IOAPIC_AT + 0x1000)
		return ioapic_read(m->vm_fd, at.raw - IOAPIC_AT, to, len);
	return 0;
}
