/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stdlib.h>

#include "util/bytes.h"
#include "util/macros.h"
#include "vmm/dev.h"
#include "vmm/pm.h"

/* ACPI Specification, "PM1 Event Grouping", "PM1 Control Grouping", "Power Management Timer", "Reset Register". */
enum {
	EN_OFF = 2, // PM1 enable register, after the status register
	SCI_EN = 1 << 0,
	SLP_TYP_SHIFT = 10,
	SLP_TYP_MASK = 7,
	SLP_EN = 1 << 13,
	TIMER_HZ = 3579545,
	RST_CPU = 1 << 2,
	NS_PER_S = 1000000000,
};

enum { EVT, CNT, TMR, RST }; // rows of struct pm.dev

struct pm {
	struct io_dev dev[4];
	struct guest_clock *clock;
	uint16_t enable, control;
	uint8_t reset;
};

uint32_t pm_ticks(uint64_t ns)
{
	return ns / NS_PER_S * TIMER_HZ + ns % NS_PER_S * TIMER_HZ / NS_PER_S;
}

static void evt_read(struct io_dev *d, unsigned vcpu, uint32_t off, void *p, unsigned n)
{
	const struct pm *s = container_of(d, struct pm, dev[EVT]);
	uint8_t regs[4] = { 0 }; // no event ever happens: the status half is 0

	st_le16(regs + EN_OFF, s->enable);
	memcpy(p, regs + off, n);
}

static enum kvm_fate evt_write(struct io_dev *d, unsigned vcpu, uint32_t off, const void *p, unsigned n)
{
	struct pm *s = container_of(d, struct pm, dev[EVT]);
	uint8_t regs[4] = { 0 };

	st_le16(regs + EN_OFF, s->enable);
	memcpy(regs + off, p, n);
	s->enable = ld_le16(regs + EN_OFF);
	return KVM_FATE_RUN;
}

static void cnt_read(struct io_dev *d, unsigned vcpu, uint32_t off, void *p, unsigned n)
{
	const struct pm *s = container_of(d, struct pm, dev[CNT]);
	uint8_t regs[2];

	st_le16(regs, s->control | SCI_EN);
	memcpy(p, regs + off, n);
}

static enum kvm_fate cnt_write(struct io_dev *d, unsigned vcpu, uint32_t off, const void *p, unsigned n)
{
	struct pm *s = container_of(d, struct pm, dev[CNT]);
	uint8_t regs[2];

	st_le16(regs, s->control);
	memcpy(regs + off, p, n);
	const uint16_t v = ld_le16(regs);
	s->control = v & ~SLP_EN; // write-only
	return v & SLP_EN && ((v >> SLP_TYP_SHIFT) & SLP_TYP_MASK) == PM_SLP_TYP_S5 ? KVM_FATE_OFF : KVM_FATE_RUN;
}

static void tmr_read(struct io_dev *d, unsigned vcpu, uint32_t off, void *p, unsigned n)
{
	const struct pm *s = container_of(d, struct pm, dev[TMR]);
	uint8_t regs[4];

	st_le32(regs, pm_ticks(s->clock->now_ns(s->clock)));
	memcpy(p, regs + off, n);
}

static void rst_read(struct io_dev *d, unsigned vcpu, uint32_t off, void *p, unsigned n)
{
	*(uint8_t *)p = container_of(d, struct pm, dev[RST])->reset;
}

static enum kvm_fate rst_write(struct io_dev *d, unsigned vcpu, uint32_t off, const void *p, unsigned n)
{
	struct pm *s = container_of(d, struct pm, dev[RST]);

	s->reset = *(const uint8_t *)p;
	return s->reset & RST_CPU ? KVM_FATE_RESET : KVM_FATE_RUN;
}

int pm_create(struct bus *b, struct guest_clock *clock, struct pm **ret)
{
	struct pm *s = calloc(1, sizeof(*s));

	if (!s)
		return -ENOMEM;
	s->clock = clock;
	// clang-format off
	s->dev[EVT] = (struct io_dev){ .name = "pm1a event", .kind = BUS_PIO, .base = PM_EVT_PORT, .len = 4,
				       .min_op = 1, .max_op = 4, .read = evt_read, .write = evt_write };
	s->dev[CNT] = (struct io_dev){ .name = "pm1a control", .kind = BUS_PIO, .base = PM_CNT_PORT, .len = 2,
				       .min_op = 1, .max_op = 2, .read = cnt_read, .write = cnt_write };
	s->dev[TMR] = (struct io_dev){ .name = "pm timer", .kind = BUS_PIO, .base = PM_TMR_PORT, .len = 4,
				       .min_op = 1, .max_op = 4, .read = tmr_read };
	s->dev[RST] = (struct io_dev){ .name = "reset", .kind = BUS_PIO, .base = PM_RESET_PORT, .len = 1,
				       .min_op = 1, .max_op = 1, .read = rst_read, .write = rst_write };
	// clang-format on
	const int rc = bus_add_all(b, s->dev, ARRAY_LEN(s->dev));
	if (rc < 0) {
		free(s);
		return rc;
	}
	*ret = s;
	return 0;
}

void pm_destroy(struct pm *p)
{
	free(p);
}
