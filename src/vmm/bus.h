/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef VMM_BUS_H
#define VMM_BUS_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kvm/kvm.h"

/*
 * Devices are descriptors that the board adds to the bus in one visible list; the bus checks width and overlap and
 * holds one lock around every device call, so that devices need none of their own. The lock is recursive: a device
 * may call bus_add() and bus_move() from its own read and write.
 */
enum bus_kind { BUS_PIO, BUS_MMIO };

#define BUS_NOWHERE UINT64_MAX /* a base that is not mapped */

struct io_dev {
	const char *name;
	enum bus_kind kind;
	uint64_t base;
	uint32_t len;
	uint8_t min_op, max_op; /* bytes; other widths never reach the device: reads give ones, writes are dropped */
	bool at_base;           /* takes accesses that start at base, and no others: those may be somebody else's */
	/* @off: from base. @p: n bytes, little-endian. NULL read gives ones, NULL write is dropped. */
	void (*read)(struct io_dev *d, unsigned vcpu, uint32_t off, void *p, unsigned n);
	enum kvm_fate (*write)(struct io_dev *d, unsigned vcpu, uint32_t off, const void *p, unsigned n);
};

#define BUS_MAX_DEVS 48
struct bus {
	pthread_mutex_t lock;
	struct io_dev *dev[BUS_MAX_DEVS];
	unsigned ndevs;
	struct io_dev *again; /* the one that was accessed last: often it is the next, too. NULL: nobody yet */
};

void bus_init(struct bus *b);
void bus_deinit(struct bus *b);

/**
 * bus_add() - put @d on the bus; it must outlive the bus.
 * Two devices may share an address only if no access reaches both (0xcf8 as a dword, 0xcf9 as a byte).
 * Returns: 0; -EEXIST: overlaps a device of the same kind; -EINVAL: empty, or runs past the end; -ENOSPC.
 */
int bus_add(struct bus *b, struct io_dev *d);

/** bus_clash() - who, but for @self (NULL ok), gets accesses that @d would take, too; NULL: nobody. */
const struct io_dev *bus_clash(struct bus *b, const struct io_dev *d, const struct io_dev *self);

/** bus_add_all() - bus_add() for each of @n; the first error ends it, and the bus is to be given up. */
int bus_add_all(struct bus *b, struct io_dev *d, unsigned n);

/**
 * bus_move() - give @d another base (a PCI BAR was written), or none with BUS_NOWHERE.
 * Returns: as bus_add(); on failure @d stays where it was.
 */
int bus_move(struct bus *b, struct io_dev *d, uint64_t base);

/** bus_width() - the widest naturally aligned access, at most @left bytes, that a device takes at @at. 0: nobody there.
 */
unsigned bus_width(struct bus *b, enum bus_kind kind, uint64_t at, size_t left);

/** bus_access() - one access of @n bytes (1, 2, 4, 8). Nobody there: reads give ones. Any thread. */
enum kvm_fate bus_access(struct bus *b, unsigned vcpu, enum bus_kind kind, uint64_t at, bool write, void *p,
			 unsigned n);

/** bus_lock() - several accesses in a row, and nobody's in between. */
void bus_lock(struct bus *b);
void bus_unlock(struct bus *b);

/* How a device raises an interrupt: GSI numbers, level as KVM_IRQ_LINE has it. Any thread. */
struct irq_lines {
	void (*set)(struct irq_lines *l, unsigned gsi, bool level);
};

#endif
