/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "test.h"

#include <stdlib.h>

#include "util/strbuf.h"
#include "vmm/dev.h"

enum { COM1 = 0x3f8, GSI = 4 };
enum { DATA, IER, IIR, LCR, MCR, LSR, MSR, SCR };

struct rig {
	struct irq_lines irq; /* first */
	struct bus bus;
	struct uart *uart;
	struct strbuf out;
	bool level;
	unsigned edges, rooms;
};

static void line_set(struct irq_lines *l, unsigned gsi, bool level)
{
	struct rig *r = (struct rig *)(void *)l;

	CHECK_EQ(gsi, GSI);
	r->edges += level && !r->level;
	r->level = level;
}

static void out(void *arg, const void *p, size_t n)
{
	struct rig *r = arg;

	strbuf_add(&r->out, p, n);
}

static void room(void *arg)
{
	struct rig *r = arg;

	r->rooms++;
}

static struct rig *rig_create(void)
{
	struct rig *r = calloc(1, sizeof(*r));
	const struct uart_line line = { out, room, r };

	CHECK(r != NULL);
	r->irq.set = line_set;
	bus_init(&r->bus);
	CHECK_EQ(uart_create(&r->bus, &r->irq, COM1, GSI, &line, &r->uart), 0);
	return r;
}

static void rig_destroy(struct rig *r)
{
	uart_destroy(r->uart);
	bus_deinit(&r->bus);
	strbuf_deinit(&r->out);
	free(r);
}

static uint8_t rd(struct rig *r, unsigned reg)
{
	uint8_t v = 0;

	CHECK_EQ(bus_access(&r->bus, 0, BUS_PIO, COM1 + reg, false, &v, 1), KVM_FATE_RUN);
	return v;
}

static void wr(struct rig *r, unsigned reg, uint8_t v)
{
	CHECK_EQ(bus_access(&r->bus, 0, BUS_PIO, COM1 + reg, true, &v, 1), KVM_FATE_RUN);
}

TEST(uart_sends_what_is_written)
{
	struct rig *r = rig_create();

	CHECK_EQ(rd(r, LSR), 0x60);
	wr(r, DATA, 'o');
	wr(r, DATA, 'k');
	CHECK_STR(strbuf_str(&r->out), "ok");
	CHECK_EQ(rd(r, LSR), 0x60);
	CHECK_EQ(r->edges, 0);
	rig_destroy(r);
}

TEST(uart_divisor_latch_hides_data_and_ier)
{
	struct rig *r = rig_create();

	wr(r, IER, 0x05);
	wr(r, LCR, 0x83);
	wr(r, DATA, 1);
	wr(r, IER, 2);
	CHECK_EQ(rd(r, DATA), 1);
	CHECK_EQ(rd(r, IER), 2);
	wr(r, LCR, 0x03);
	CHECK_EQ(rd(r, IER), 0x05);
	CHECK_EQ(rd(r, LCR), 0x03);
	CHECK_STR(strbuf_str(&r->out), "");
	rig_destroy(r);
}

TEST(uart_thre_interrupt_comes_on_enable_and_goes_with_iir)
{
	struct rig *r = rig_create();

	CHECK_EQ(rd(r, IIR), 0x01);
	wr(r, IER, 0x02);
	CHECK(r->level);
	CHECK_EQ(rd(r, IIR), 0x02);
	CHECK(!r->level);
	CHECK_EQ(rd(r, IIR), 0x01);
	wr(r, IER, 0x02); // already on
	CHECK(!r->level);
	wr(r, IER, 0x00);
	wr(r, IER, 0x02);
	CHECK(r->level);
	rig_destroy(r);
}

TEST(uart_every_sent_byte_makes_a_new_edge)
{
	struct rig *r = rig_create();

	wr(r, IER, 0x02);
	CHECK_EQ(r->edges, 1);
	wr(r, DATA, 'a');
	CHECK_EQ(r->edges, 2);
	wr(r, DATA, 'b');
	CHECK_EQ(r->edges, 3);
	CHECK(r->level);
	rig_destroy(r);
}

TEST(uart_received_byte_interrupts_until_it_is_read)
{
	struct rig *r = rig_create();

	wr(r, IER, 0x01);
	CHECK_EQ(uart_receive(r->uart, "xy", 2), 2);
	CHECK(r->level);
	CHECK_EQ(rd(r, LSR), 0x61);
	CHECK_EQ(rd(r, IIR), 0x04);
	CHECK_EQ(rd(r, DATA), 'x');
	CHECK(r->level);
	CHECK_EQ(rd(r, DATA), 'y');
	CHECK(!r->level);
	CHECK_EQ(rd(r, LSR), 0x60);
	CHECK_EQ(rd(r, DATA), 0);
	rig_destroy(r);
}

TEST(uart_fifo_below_its_trigger_is_a_timeout)
{
	struct rig *r = rig_create();

	wr(r, IIR, 0xc1); // FIFOs on, trigger at 14
	wr(r, IER, 0x01);
	CHECK_EQ(uart_receive(r->uart, "x", 1), 1);
	CHECK_EQ(rd(r, IIR), 0xcc);
	CHECK_EQ(uart_receive(r->uart, "1234567890123", 13), 13);
	CHECK_EQ(rd(r, IIR), 0xc4);
	wr(r, IIR, 0xc3); // clear
	CHECK_EQ(rd(r, IIR), 0xc1);
	CHECK_EQ(rd(r, LSR), 0x60);
	rig_destroy(r);
}

TEST(uart_interrupts_in_the_order_of_priority)
{
	struct rig *r = rig_create();

	wr(r, IER, 0x0f);
	CHECK_EQ(uart_receive(r->uart, "x", 1), 1);
	CHECK_EQ(rd(r, IIR), 0x04);
	rd(r, DATA);
	CHECK_EQ(rd(r, IIR), 0x02);
	CHECK_EQ(rd(r, IIR), 0x01);
	rig_destroy(r);
}

TEST(uart_takes_no_more_than_it_has_room_for)
{
	struct rig *r = rig_create();
	static const char much[4096];

	CHECK_EQ(uart_receive(r->uart, much, sizeof(much)), 16);
	CHECK_EQ(uart_receive(r->uart, much, 1), 0);
	rd(r, DATA);
	CHECK_EQ(uart_receive(r->uart, much, 2), 1);
	CHECK_EQ(rd(r, LSR), 0x61); // nothing was lost: no overrun
	rig_destroy(r);
}

TEST(uart_asks_for_what_it_refused_once_it_was_read)
{
	struct rig *r = rig_create();
	static const char text[20] = "0123456789abcdefghij";

	CHECK_EQ(uart_receive(r->uart, text, 20), 16);
	for (unsigned i = 0; i < 15; i++)
		rd(r, DATA);
	CHECK_EQ(r->rooms, 0);
	rd(r, DATA);
	CHECK_EQ(r->rooms, 1);
	rd(r, DATA);
	CHECK_EQ(r->rooms, 1); // once
	CHECK_EQ(uart_receive(r->uart, text + 16, 4), 4);
	for (unsigned i = 0; i < 4; i++)
		CHECK_EQ(rd(r, DATA), text[16 + i]);
	CHECK_EQ(r->rooms, 1); // all was taken: nothing to ask for
	rig_destroy(r);
}

TEST(uart_asks_also_after_clear_and_loopback)
{
	struct rig *r = rig_create();
	static const char text[20];

	CHECK_EQ(uart_receive(r->uart, text, 20), 16);
	wr(r, IIR, 0x03);
	CHECK_EQ(r->rooms, 1);
	wr(r, MCR, 0x10);
	CHECK_EQ(uart_receive(r->uart, text, 1), 0);
	CHECK_EQ(r->rooms, 1);
	wr(r, MCR, 0x00);
	CHECK_EQ(r->rooms, 2);
	rig_destroy(r);
}

TEST(uart_modem_lines_are_up)
{
	struct rig *r = rig_create();

	CHECK_EQ(rd(r, MSR), 0xb0);
	wr(r, SCR, 0xa5);
	CHECK_EQ(rd(r, SCR), 0xa5);
	rig_destroy(r);
}

TEST(uart_loopback_looks_like_linux_expects_it)
{
	struct rig *r = rig_create();

	wr(r, MCR, 0x1a); // LOOP, OUT2, RTS
	CHECK_EQ(rd(r, MSR) & 0xf0, 0x90);
	CHECK_EQ(rd(r, MSR) & 0x0f, 0); // the deltas went with the first read
	wr(r, DATA, 'q');
	CHECK_EQ(rd(r, LSR), 0x61);
	CHECK_EQ(rd(r, DATA), 'q');
	CHECK_EQ(uart_receive(r->uart, "x", 1), 0);
	CHECK_STR(strbuf_str(&r->out), "");
	wr(r, MCR, 0x08);
	CHECK_EQ(rd(r, MSR) & 0xf0, 0xb0);
	rig_destroy(r);
}

TEST(uart_loopback_overrun_is_reported_once)
{
	struct rig *r = rig_create();

	wr(r, MCR, 0x10);
	wr(r, IER, 0x04);
	for (unsigned i = 0; i < 17; i++)
		wr(r, DATA, 'a' + i);
	CHECK(r->level);
	CHECK_EQ(rd(r, IIR), 0x06);
	CHECK_EQ(rd(r, LSR), 0x63);
	CHECK(!r->level);
	CHECK_EQ(rd(r, LSR), 0x61);
	rig_destroy(r);
}

TESTS(T(uart_sends_what_is_written), T(uart_divisor_latch_hides_data_and_ier),
      T(uart_thre_interrupt_comes_on_enable_and_goes_with_iir), T(uart_every_sent_byte_makes_a_new_edge),
      T(uart_received_byte_interrupts_until_it_is_read), T(uart_fifo_below_its_trigger_is_a_timeout),
      T(uart_interrupts_in_the_order_of_priority), T(uart_takes_no_more_than_it_has_room_for),
      T(uart_asks_for_what_it_refused_once_it_was_read), T(uart_asks_also_after_clear_and_loopback),
      T(uart_modem_lines_are_up), T(uart_loopback_looks_like_linux_expects_it),
      T(uart_loopback_overrun_is_reported_once))
