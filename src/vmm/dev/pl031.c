/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A clock that counts seconds, without the alarm. Arm PrimeCell Real Time Clock (PL031) TRM, "Programmers Model". */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "util/bytes.h"
#include "util/macros.h"
#include "vmm/dev.h"

enum { REG_DR = 0x00, REG_MR = 0x04, REG_LR = 0x08, REG_CR = 0x0c, REG_ID = 0xfe0, WINDOW = 0x1000, REG_BYTES = 4 };
static const uint8_t ids[8] = { 0x31, 0x10, 0x04, 0x00, 0x0d, 0xf0, 0x05, 0xb1 };

struct pl031 {
	struct io_dev dev;
	uint32_t match, load;
	uint32_t ahead_s; // of the host's clock, modulo 2^32
};

static uint32_t reg_read(const struct pl031 *r, uint32_t reg)
{
	switch (reg) {
	case REG_DR:
		return (uint32_t)time(NULL) + r->ahead_s;
	case REG_MR:
		return r->match;
	case REG_LR:
		return r->load;
	case REG_CR:
		return 1; // it runs
	default:
		return reg >= REG_ID ? ids[(reg - REG_ID) / REG_BYTES] : 0;
	}
}

static void pl031_read(struct io_dev *d, unsigned vcpu, uint32_t off, void *p, unsigned n)
{
	st_le32(p, reg_read(container_of(d, struct pl031, dev), off));
}

static enum kvm_fate pl031_write(struct io_dev *d, unsigned vcpu, uint32_t off, const void *p, unsigned n)
{
	struct pl031 *r = container_of(d, struct pl031, dev);

	if (off == REG_MR)
		r->match = ld_le32(p);
	if (off == REG_LR) {
		r->load = ld_le32(p);
		r->ahead_s = r->load - (uint32_t)time(NULL);
	}
	return KVM_FATE_RUN;
}

int pl031_create(struct bus *b, uint64_t base, struct pl031 **ret)
{
	_cleanup_(freep) struct pl031 *r = calloc(1, sizeof(*r));

	if (!r)
		return -ENOMEM;
	r->dev = (struct io_dev){ .name = "pl031",
				  .kind = BUS_MMIO,
				  .base = base,
				  .len = WINDOW,
				  .min_op = REG_BYTES,
				  .max_op = REG_BYTES,
				  .read = pl031_read,
				  .write = pl031_write };
	const int rc = bus_add(b, &r->dev);
	if (rc == 0)
		*ret = take_ptr(r);
	return rc;
}

void pl031_destroy(struct pl031 *r)
{
	free(r);
}
