/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "test.h"

#include <stdlib.h>

#include "util/bytes.h"
#include "util/strbuf.h"
#include "vmm/dev.h"

enum { BASE = 0x09000000, GSI = 33 };
enum {
	DR = 0,
	FR = 0x18,
	LCR_H = 0x2c,
	CR = 0x30,
	IFLS = 0x34,
	IMSC = 0x38,
	RIS = 0x3c,
	MIS = 0x40,
	ICR = 0x44,
	ID = 0xfe0
};
enum {
	RX = 1 << 4,
	TX = 1 << 5,
	RT = 1 << 6,
	RXFE = 1 << 4,
	TXFF = 1 << 5,
	RXFF = 1 << 6,
	TXFE = 1 << 7,
	FEN = 1 << 4
};

struct rig {
	struct irq_lines irq; /* first */
	struct bus bus;
	struct pl011 *uart;
	struct strbuf out;
	bool level;
	unsigned rooms;
};

static void line_set(struct irq_lines *l, unsigned gsi, bool level)
{
	CHECK_EQ(gsi, GSI);
	((struct rig *)(void *)l)->level = level;
}

static void out(void *arg, const void *p, size_t n)
{
	strbuf_add(&((struct rig *)arg)->out, p, n);
}

static void room(void *arg)
{
	((struct rig *)arg)->rooms++;
}

static struct rig *rig_create(void)
{
	struct rig *r = calloc(1, sizeof(*r));
	const struct uart_line line = { out, room, r };

	CHECK(r != NULL);
	r->irq.set = line_set;
	bus_init(&r->bus);
	CHECK_EQ(pl011_create(&r->bus, &r->irq, BASE, GSI, &line, &r->uart), 0);
	return r;
}

static void rig_destroy(struct rig *r)
{
	pl011_destroy(r->uart);
	bus_deinit(&r->bus);
	strbuf_deinit(&r->out);
	free(r);
}

static uint32_t rd(struct rig *r, uint32_t reg)
{
	uint8_t b[4];

	bus_access(&r->bus, 0, BUS_MMIO, BASE + reg, false, b, 4);
	return ld_le32(b);
}

static void wr(struct rig *r, uint32_t reg, uint32_t v)
{
	uint8_t b[4];

	st_le32(b, v);
	bus_access(&r->bus, 0, BUS_MMIO, BASE + reg, true, b, 4);
}

TEST(pl011_sends_at_once_whether_enabled_or_not)
{
	struct rig *r = rig_create();
	uint8_t byte = 'k';

	wr(r, DR, 'o');
	bus_access(&r->bus, 0, BUS_MMIO, BASE + DR, true, &byte, 1); // as an early console does
	CHECK_STR(strbuf_str(&r->out), "ok");
	CHECK_EQ(rd(r, FR) & (TXFE | TXFF), TXFE);
	rig_destroy(r);
}

TEST(pl011_tells_its_identity)
{
	static const uint8_t want[8] = { 0x11, 0x10, 0x14, 0x00, 0x0d, 0xf0, 0x05, 0xb1 };
	struct rig *r = rig_create();

	for (unsigned i = 0; i < 8; i++)
		CHECK_EQ(rd(r, ID + 4 * i), want[i]);
	rig_destroy(r);
}

TEST(pl011_transmit_interrupt_comes_with_what_was_sent_and_goes_when_cleared)
{
	struct rig *r = rig_create();

	wr(r, IMSC, TX);
	CHECK(!r->level);
	wr(r, DR, 'a');
	CHECK(r->level);
	CHECK_EQ(rd(r, MIS), TX);
	wr(r, ICR, TX);
	CHECK(!r->level);
	wr(r, DR, 'b');
	wr(r, IMSC, 0);
	CHECK(!r->level);
	CHECK_EQ(rd(r, RIS), TX);
	rig_destroy(r);
}

TEST(pl011_received_bytes_interrupt_until_they_are_read)
{
	struct rig *r = rig_create();

	wr(r, LCR_H, FEN);
	wr(r, IMSC, RX | RT);
	CHECK_EQ(rd(r, FR) & RXFE, RXFE);
	CHECK_EQ(pl011_receive(r->uart, "ab", 2), 2);
	CHECK(r->level);
	CHECK_EQ(rd(r, MIS), RT);
	wr(r, ICR, RX | RT);
	CHECK(r->level);
	CHECK_EQ(rd(r, DR), 'a');
	CHECK_EQ(rd(r, DR), 'b');
	CHECK(!r->level);
	CHECK_EQ(rd(r, FR) & RXFE, RXFE);
	rig_destroy(r);
}

TEST(pl011_fifo_at_its_trigger_is_a_receive_interrupt)
{
	struct rig *r = rig_create();

	wr(r, LCR_H, FEN);
	wr(r, IFLS, 0); // an eighth: two bytes
	CHECK_EQ(pl011_receive(r->uart, "a", 1), 1);
	CHECK_EQ(rd(r, RIS), RT);
	CHECK_EQ(pl011_receive(r->uart, "b", 1), 1);
	CHECK_EQ(rd(r, RIS), RX);
	rig_destroy(r);
}

TEST(pl011_asks_for_what_it_refused_once_it_was_read)
{
	struct rig *r = rig_create();

	CHECK_EQ(pl011_receive(r->uart, "ab", 2), 1); // no FIFO: one byte
	CHECK_EQ(rd(r, FR) & RXFF, RXFF);
	CHECK_EQ(r->rooms, 0);
	CHECK_EQ(rd(r, DR), 'a');
	CHECK_EQ(r->rooms, 1);
	wr(r, LCR_H, FEN);
	CHECK_EQ(pl011_receive(r->uart, "0123456789abcdefgh", 18), 16);
	for (unsigned i = 0; i < 16; i++)
		rd(r, DR);
	CHECK_EQ(r->rooms, 2);
	rig_destroy(r);
}

TEST(pl011_loopback_hears_itself_and_nobody_else)
{
	struct rig *r = rig_create();

	wr(r, CR, 0x381);
	wr(r, DR, 'x');
	CHECK_EQ(rd(r, DR), 'x');
	CHECK_EQ(pl011_receive(r->uart, "y", 1), 0);
	CHECK_STR(strbuf_str(&r->out), "");
	wr(r, CR, 0x301);
	CHECK_EQ(r->rooms, 1);
	rig_destroy(r);
}

TEST(pl011_survives_any_access)
{
	struct rig *r = rig_create();
	uint8_t b[8];

	for (uint32_t at = 0; at < 0x1000; at++)
		for (unsigned n = 1; n <= 8; n *= 2) {
			bus_access(&r->bus, 0, BUS_MMIO, BASE + at, false, b, n);
			bus_access(&r->bus, 0, BUS_MMIO, BASE + at, true, b, n);
		}
	rig_destroy(r);
}

TESTS(T(pl011_sends_at_once_whether_enabled_or_not), T(pl011_tells_its_identity),
      T(pl011_transmit_interrupt_comes_with_what_was_sent_and_goes_when_cleared),
      T(pl011_received_bytes_interrupt_until_they_are_read), T(pl011_fifo_at_its_trigger_is_a_receive_interrupt),
      T(pl011_asks_for_what_it_refused_once_it_was_read), T(pl011_loopback_hears_itself_and_nobody_else),
      T(pl011_survives_any_access))
