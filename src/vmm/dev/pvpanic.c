/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The ISA device by which a guest's kernel says that it panicked; Linux's driver is pvpanic-mmio. */
#include <errno.h>
#include <stdlib.h>

#include "util/macros.h"
#include "vmm/dev.h"

/* Linux, include/uapi/misc/pvpanic.h. A read tells which of them the device knows. */
enum { PANICKED = 1 << 0, CRASH_LOADED = 1 << 1 };

static void event_read(struct io_dev *d, unsigned vcpu, uint32_t off, void *p, unsigned n)
{
	*(uint8_t *)p = PANICKED | CRASH_LOADED;
}

static enum kvm_fate event_write(struct io_dev *d, unsigned vcpu, uint32_t off, const void *p, unsigned n)
{
	const uint8_t event = *(const uint8_t *)p;

	if (event & PANICKED)
		return KVM_FATE_PANIC;
	return event & CRASH_LOADED ? KVM_FATE_CRASH_LOADED : KVM_FATE_RUN;
}

int pvpanic_create(struct bus *b, struct io_dev **ret)
{
	_cleanup_(freep) struct io_dev *d = calloc(1, sizeof(*d));

	if (!d)
		return -ENOMEM;
	*d = (struct io_dev){ .name = "pvpanic",
			      .kind = BUS_PIO,
			      .base = PVPANIC_PORT,
			      .len = 1,
			      .min_op = 1,
			      .max_op = 1,
			      .read = event_read,
			      .write = event_write };
	const int rc = bus_add(b, d);
	if (rc == 0)
		*ret = take_ptr(d);
	return rc;
}
