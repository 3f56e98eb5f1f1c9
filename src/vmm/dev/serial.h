/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef VMM_DEV_SERIAL_H
#define VMM_DEV_SERIAL_H

#include "vmm/dev.h"

/*
 * Inside vmm/dev/: what serial ports have in common, whatever their registers: a receive FIFO, the other end of the
 * line, and a line to the interrupt controller. All of it under the bus lock.
 */
enum { SERIAL_FIFO = 16 };

struct serial {
	struct bus *bus;
	struct irq_lines *irq;
	unsigned gsi;
	struct uart_line line;
	bool level;   /* of the interrupt */
	bool refused; /* the other end has more than fitted */
	uint8_t rx[SERIAL_FIFO];
	unsigned head, count;
};

/** serial_irq() - the interrupt line is to be at @level. */
void serial_irq(struct serial *s, bool level);

/** serial_put() - bytes into the FIFO, of which the guest uses @depth bytes. Returns: how many there was room for. */
size_t serial_put(struct serial *s, unsigned depth, const uint8_t *p, size_t n);

/** serial_take() - the byte that came first; 0 if there is none. */
uint8_t serial_take(struct serial *s);

/** serial_receive() - serial_put() from the other end, which is told by serial_room() when it may send the rest. */
size_t serial_receive(struct serial *s, unsigned depth, const uint8_t *p, size_t n);

/** serial_room() - the guest has done something: tell the other end if there is room again. @cut_off: it is not heard.
 */
void serial_room(struct serial *s, bool cut_off);

#endif
