/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef TESTS_UNIT_PIO_H
#define TESTS_UNIT_PIO_H

#include "test.h"
#include "vmm/bus.h"

/* Accesses to I/O ports, as a vCPU makes them; a read must not end the guest. */

static inline uint32_t pio_in(struct bus *b, unsigned port, unsigned n)
{
	uint32_t v = 0;

	CHECK_EQ(bus_access(b, 0, BUS_PIO, port, false, &v, n), KVM_FATE_RUN);
	return v;
}

static inline enum kvm_fate pio_out(struct bus *b, unsigned port, uint32_t v, unsigned n)
{
	return bus_access(b, 0, BUS_PIO, port, true, &v, n);
}

#endif
