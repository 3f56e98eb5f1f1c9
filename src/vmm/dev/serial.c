/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "vmm/dev/serial.h"

void serial_irq(struct serial *s, bool level)
{
	if (level != s->level) {
		s->level = level;
		s->irq->set(s->irq, s->gsi, level);
	}
}

size_t serial_put(struct serial *s, unsigned depth, const uint8_t *p, size_t n)
{
	size_t done = 0;

	for (; done < n && s->count < depth; done++)
		s->rx[(s->head + s->count++) % SERIAL_FIFO] = p[done];
	return done;
}

uint8_t serial_take(struct serial *s)
{
	if (s->count == 0)
		return 0;
	const uint8_t v = s->rx[s->head];
	s->head = (s->head + 1) % SERIAL_FIFO;
	s->count--;
	return v;
}

size_t serial_receive(struct serial *s, unsigned depth, const uint8_t *p, size_t n)
{
	const size_t done = serial_put(s, depth, p, n);

	s->refused = done < n;
	return done;
}

/* An empty FIFO, not just a byte of it: one call for many bytes. */
void serial_room(struct serial *s, bool cut_off)
{
	if (!s->refused || s->count > 0 || cut_off)
		return;
	s->refused = false;
	if (s->line.room)
		s->line.room(s->line.arg);
}
