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
	PIIX4_SLP_TYP_OFF = 0, // 82371AB data sheet, "Power Management Control Register"
	RST_CPU = 1 << 2,
	NS_PER_S = 1000000000,
};

enum { EVT, CNT, TMR, PORTS }; // rows of struct pm_block

struct pm_block {
	struct io_dev dev[PORTS];
	struct pm *pm;
	uint8_t slp_typ_off; // the sleep type that switches the guest off
};

struct pm {
	struct pm_block fixed;  // where ACPI's tables say
	struct pm_block mapped; // the same registers where firmware has put them
	struct io_dev reset_port;
	struct bus *bus;
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
	const struct pm *s = container_of(d, struct pm_block, dev[EVT])->pm;
	uint8_t regs[4] = { 0 }; // no event ever happens: the status half is 0

	st_le16(regs + EN_OFF, s->enable);
	memcpy(p, regs + off, n);
}

static enum kvm_fate evt_write(struct io_dev *d, unsigned vcpu, uint32_t off, const void *p, unsigned n)
{
	struct pm *s = container_of(d, struct pm_block, dev[EVT])->pm;
	uint8_t regs[4] = { 0 };

	st_le16(regs + EN_OFF, s->enable);
	memcpy(regs + off, p, n);
	s->enable = ld_le16(regs + EN_OFF);
	return KVM_FATE_RUN;
}

static void cnt_read(struct io_dev *d, unsigned vcpu, uint32_t off, void *p, unsigned n)
{
	const struct pm *s = container_of(d, struct pm_block, dev[CNT])->pm;
	uint8_t regs[2];

	st_le16(regs, s->control | SCI_EN);
	memcpy(p, regs + off, n);
}

static enum kvm_fate cnt_write(struct io_dev *d, unsigned vcpu, uint32_t off, const void *p, unsigned n)
{
	const struct pm_block *block = container_of(d, struct pm_block, dev[CNT]);
	struct pm *s = block->pm;
	uint8_t regs[2];

	st_le16(regs, s->control);
	memcpy(regs + off, p, n);
	const uint16_t v = ld_le16(regs);
	s->control = v & ~SLP_EN; // write-only
	return v & SLP_EN && ((v >> SLP_TYP_SHIFT) & SLP_TYP_MASK) == block->slp_typ_off ? KVM_FATE_OFF : KVM_FATE_RUN;
}

static void tmr_read(struct io_dev *d, unsigned vcpu, uint32_t off, void *p, unsigned n)
{
	const struct pm *s = container_of(d, struct pm_block, dev[TMR])->pm;
	uint8_t regs[4];

	st_le32(regs, pm_ticks(s->clock->now_ns(s->clock)));
	memcpy(p, regs + off, n);
}

static void rst_read(struct io_dev *d, unsigned vcpu, uint32_t off, void *p, unsigned n)
{
	*(uint8_t *)p = container_of(d, struct pm, reset_port)->reset;
}

static enum kvm_fate rst_write(struct io_dev *d, unsigned vcpu, uint32_t off, const void *p, unsigned n)
{
	struct pm *s = container_of(d, struct pm, reset_port);

	s->reset = *(const uint8_t *)p;
	return s->reset & RST_CPU ? KVM_FATE_RESET : KVM_FATE_RUN;
}

static void block_init(struct pm_block *k, struct pm *s, uint8_t slp_typ_off)
{
	k->pm = s;
	k->slp_typ_off = slp_typ_off;
	// clang-format off
	k->dev[EVT] = (struct io_dev){ .name = "pm1a event", .kind = BUS_PIO, .base = BUS_NOWHERE, .len = 4,
				       .min_op = 1, .max_op = 4, .read = evt_read, .write = evt_write };
	k->dev[CNT] = (struct io_dev){ .name = "pm1a control", .kind = BUS_PIO, .base = BUS_NOWHERE, .len = 2,
				       .min_op = 1, .max_op = 2, .read = cnt_read, .write = cnt_write };
	k->dev[TMR] = (struct io_dev){ .name = "pm timer", .kind = BUS_PIO, .base = BUS_NOWHERE, .len = 4,
				       .min_op = 1, .max_op = 4, .read = tmr_read };
	// clang-format on
}

/* One that is in another device's way is nowhere. */
static int block_map(struct bus *b, struct pm_block *k, uint64_t base)
{
	static const uint8_t at[PORTS] = {
		[EVT] = PM_EVT_PORT - PM_IO_BASE, [CNT] = PM_CNT_PORT - PM_IO_BASE, [TMR] = PM_TMR_PORT - PM_IO_BASE
	};
	int rc = 0;

	for (unsigned i = 0; i < PORTS; i++) {
		const int one = bus_move(b, &k->dev[i], base == BUS_NOWHERE ? base : base + at[i]);

		if (one < 0)
			bus_move(b, &k->dev[i], BUS_NOWHERE);
		rc = rc ?: one;
	}
	return rc;
}

void pm_map(struct pm *p, uint64_t base)
{
	block_map(p->bus, &p->mapped, base);
}

int pm_create(struct bus *b, struct guest_clock *clock, struct pm **ret)
{
	_cleanup_(freep) struct pm *s = calloc(1, sizeof(*s));

	if (!s)
		return -ENOMEM;
	s->bus = b;
	s->clock = clock;
	block_init(&s->fixed, s, PM_SLP_TYP_S5);
	block_init(&s->mapped, s, PIIX4_SLP_TYP_OFF);
	s->reset_port = (struct io_dev){ .name = "reset",
					 .kind = BUS_PIO,
					 .base = PM_RESET_PORT,
					 .len = 1,
					 .min_op = 1,
					 .max_op = 1,
					 .read = rst_read,
					 .write = rst_write };
	int rc = bus_add(b, &s->reset_port);
	if (rc == 0)
		rc = bus_add_all(b, s->fixed.dev, PORTS);
	if (rc == 0)
		rc = bus_add_all(b, s->mapped.dev, PORTS);
	if (rc == 0)
		rc = block_map(b, &s->fixed, PM_IO_BASE);
	if (rc < 0)
		return rc;
	*ret = take_ptr(s);
	return 0;
}

void pm_destroy(struct pm *p)
{
	free(p);
}
