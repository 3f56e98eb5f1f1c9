/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "util/bytes.h"
#include "util/macros.h"
#include "vmm/dev/serial.h"

/* Register names and bits: Arm PrimeCell UART (PL011) Technical Reference Manual, "Programmers Model". */
enum {
	REG_DR = 0x00,
	REG_RSR = 0x04,
	REG_FR = 0x18,
	REG_ILPR = 0x20,
	REG_IBRD = 0x24,
	REG_FBRD = 0x28,
	REG_LCR_H = 0x2c,
	REG_CR = 0x30,
	REG_IFLS = 0x34,
	REG_IMSC = 0x38,
	REG_RIS = 0x3c,
	REG_MIS = 0x40,
	REG_ICR = 0x44,
	REG_DMACR = 0x48,
	REG_ID = 0xfe0, /* eight registers, a byte in each */
	WINDOW = 0x1000,
	REG_BYTES = 4,
};
enum {
	FR_CTS = 1 << 0,
	FR_DSR = 1 << 1,
	FR_DCD = 1 << 2,
	FR_RXFE = 1 << 4,
	FR_RXFF = 1 << 6,
	FR_TXFE = 1 << 7,
	LCR_FEN = 1 << 4,
	CR_LBE = 1 << 7,
	CR_RESET = 0x300, /* transmit and receive enabled, but not the whole */
	IFLS_RESET = 0x12,
	IFLS_RX_SHIFT = 3,
	INT_RX = 1 << 4,
	INT_TX = 1 << 5,
	INT_RT = 1 << 6,
	INT_ALL = 0x7ff,
};
static const uint8_t ids[8] = { 0x11, 0x10, 0x14, 0x00, 0x0d, 0xf0, 0x05, 0xb1 };
static const uint8_t rx_trigger[8] = { 2, 4, 8, 12, 14, 14, 14, 14 }; // by IFLS bits 5:3

struct pl011 {
	struct io_dev dev;
	struct serial serial;
	uint32_t ilpr, ibrd, fbrd, lcr, cr, ifls, imsc, dmacr;
	bool tx_pending;
};

static unsigned rx_depth(const struct pl011 *u)
{
	return u->lcr & LCR_FEN ? SERIAL_FIFO : 1;
}

/*
 * Received bytes are an interrupt for as long as they are there, cleared or not: no clock runs here that would raise
 * the timeout again.
 */
static uint32_t ints_raw(const struct pl011 *u)
{
	const unsigned trigger = u->lcr & LCR_FEN ? rx_trigger[u->ifls >> IFLS_RX_SHIFT & 7] : 1;
	uint32_t v = u->tx_pending ? INT_TX : 0;

	if (u->serial.count > 0)
		v |= u->serial.count >= trigger ? INT_RX : INT_RT;
	return v;
}

static void irq_update(struct pl011 *u)
{
	serial_irq(&u->serial, ints_raw(u) & u->imsc);
}

static uint32_t flags(const struct pl011 *u)
{
	return FR_TXFE | FR_CTS | FR_DSR | FR_DCD | (u->serial.count == 0 ? FR_RXFE : 0) |
	       (u->serial.count >= rx_depth(u) ? FR_RXFF : 0);
}

static uint32_t reg_read(struct pl011 *u, uint32_t reg)
{
	switch (reg) {
	case REG_DR:
		return serial_take(&u->serial);
	case REG_FR:
		return flags(u);
	case REG_ILPR:
		return u->ilpr;
	case REG_IBRD:
		return u->ibrd;
	case REG_FBRD:
		return u->fbrd;
	case REG_LCR_H:
		return u->lcr;
	case REG_CR:
		return u->cr;
	case REG_IFLS:
		return u->ifls;
	case REG_IMSC:
		return u->imsc;
	case REG_RIS:
		return ints_raw(u);
	case REG_MIS:
		return ints_raw(u) & u->imsc;
	case REG_DMACR:
		return u->dmacr;
	default: // no receive errors; nothing there
		return reg >= REG_ID ? ids[(reg - REG_ID) / REG_BYTES] : 0;
	}
}

/* Also while the UART is not enabled: the first output of a kernel relies on firmware that would have done it. */
static void transmit(struct pl011 *u, uint8_t v)
{
	if (u->cr & CR_LBE)
		serial_put(&u->serial, rx_depth(u), &v, 1);
	else
		u->serial.line.out(u->serial.line.arg, &v, 1);
	u->tx_pending = true; // the byte is gone at once
}

static void lcr_write(struct pl011 *u, uint32_t v)
{
	if ((v ^ u->lcr) & LCR_FEN)
		u->serial.count = 0;
	u->lcr = v & 0xff;
}

static void reg_write(struct pl011 *u, uint32_t reg, uint32_t v)
{
	switch (reg) {
	case REG_DR:
		transmit(u, (uint8_t)v);
		return;
	case REG_ILPR:
		u->ilpr = v & 0xff;
		return;
	case REG_IBRD:
		u->ibrd = v & 0xffff;
		return;
	case REG_FBRD:
		u->fbrd = v & 0x3f;
		return;
	case REG_LCR_H:
		lcr_write(u, v);
		return;
	case REG_CR:
		u->cr = v & 0xffff;
		return;
	case REG_IFLS:
		u->ifls = v & 0x3f;
		return;
	case REG_IMSC:
		u->imsc = v & INT_ALL;
		return;
	case REG_ICR:
		u->tx_pending = u->tx_pending && !(v & INT_TX);
		return;
	case REG_DMACR:
		u->dmacr = v & 7;
		return;
	}
}

static void pl011_read(struct io_dev *d, unsigned vcpu, uint32_t off, void *p, unsigned n)
{
	struct pl011 *u = container_of(d, struct pl011, dev);
	uint8_t word[REG_BYTES];

	st_le32(word, reg_read(u, off - off % REG_BYTES));
	memcpy(p, word + off % REG_BYTES, MIN(n, REG_BYTES - off % REG_BYTES));
	irq_update(u);
	serial_room(&u->serial, u->cr & CR_LBE);
}

static enum kvm_fate pl011_write(struct io_dev *d, unsigned vcpu, uint32_t off, const void *p, unsigned n)
{
	struct pl011 *u = container_of(d, struct pl011, dev);
	uint8_t word[REG_BYTES] = { 0 };

	memcpy(word, p, n);
	if (off % REG_BYTES == 0)
		reg_write(u, off, ld_le32(word));
	irq_update(u);
	serial_room(&u->serial, u->cr & CR_LBE);
	return KVM_FATE_RUN;
}

int pl011_create(struct bus *b, struct irq_lines *irq, uint64_t base, unsigned gsi, const struct uart_line *line,
		 struct pl011 **ret)
{
	_cleanup_(freep) struct pl011 *u = calloc(1, sizeof(*u));

	if (!u)
		return -ENOMEM;
	*u = (struct pl011){ .dev = { .name = "pl011",
				      .kind = BUS_MMIO,
				      .base = base,
				      .len = WINDOW,
				      .min_op = 1,
				      .max_op = REG_BYTES,
				      .read = pl011_read,
				      .write = pl011_write },
			     .serial = { .bus = b, .irq = irq, .gsi = gsi, .line = *line },
			     .cr = CR_RESET,
			     .ifls = IFLS_RESET };
	const int rc = bus_add(b, &u->dev);
	if (rc == 0)
		*ret = take_ptr(u);
	return rc;
}

size_t pl011_receive(struct pl011 *u, const void *p, size_t n)
{
	pthread_mutex_lock(&u->serial.bus->lock);
	// In loopback the line is cut off; what is typed waits outside.
	const size_t done = serial_receive(&u->serial, u->cr & CR_LBE ? 0 : rx_depth(u), p, n);
	irq_update(u);
	pthread_mutex_unlock(&u->serial.bus->lock);
	return done;
}

void pl011_destroy(struct pl011 *u)
{
	free(u);
}
