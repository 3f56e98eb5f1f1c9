/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* System control port A of PCs: the A20 line, and the fast way to reset the processor. */
#include <errno.h>
#include <stdlib.h>

#include "util/macros.h"
#include "vmm/dev.h"

enum { PORT = 0x92, RESET = 1 << 0, A20 = 1 << 1 };

static void control_read(struct io_dev *d, unsigned vcpu, uint32_t off, void *p, unsigned n)
{
	*(uint8_t *)p = A20; // which is always on
}

static enum kvm_fate control_write(struct io_dev *d, unsigned vcpu, uint32_t off, const void *p, unsigned n)
{
	return *(const uint8_t *)p & RESET ? KVM_FATE_RESET : KVM_FATE_RUN;
}

int port92_create(struct bus *b, struct io_dev **ret)
{
	_cleanup_(freep) struct io_dev *d = calloc(1, sizeof(*d));

	if (!d)
		return -ENOMEM;
	*d = (struct io_dev){ .name = "port 92",
			      .kind = BUS_PIO,
			      .base = PORT,
			      .len = 1,
			      .min_op = 1,
			      .max_op = 1,
			      .read = control_read,
			      .write = control_write };
	const int rc = bus_add(b, d);
	if (rc == 0)
		*ret = take_ptr(d);
	return rc;
}
