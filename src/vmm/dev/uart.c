/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "util/macros.h"
#include "vmm/dev/serial.h"

/* 16550A. Register names and bits: National Semiconductor PC16550D data sheet, "Registers". */
enum { REG_DATA, REG_IER, REG_IIR_FCR, REG_LCR, REG_MCR, REG_LSR, REG_MSR, REG_SCRATCH, NREGS };
enum {
	IER_RX = 1 << 0,
	IER_THRE = 1 << 1,
	IER_LINE = 1 << 2,
	IER_MODEM = 1 << 3,
	IER_MASK = 0x0f,
	IIR_NONE = 0x01,
	IIR_MODEM = 0x00,
	IIR_THRE = 0x02,
	IIR_RX = 0x04,
	IIR_LINE = 0x06,
	IIR_RX_TIMEOUT = 0x0c,
	IIR_FIFOS_ON = 0xc0,
	FCR_ENABLE = 1 << 0,
	FCR_CLEAR_RX = 1 << 1,
	LCR_DLAB = 1 << 7,
	MCR_DTR = 1 << 0,
	MCR_RTS = 1 << 1,
	MCR_OUT1 = 1 << 2,
	MCR_OUT2 = 1 << 3,
	MCR_LOOP = 1 << 4,
	MCR_MASK = 0x1f,
	LSR_DATA = 1 << 0,
	LSR_OVERRUN = 1 << 1,
	LSR_THRE = 1 << 5,
	LSR_IDLE = 1 << 6,
	MSR_DELTAS = 0x0f,
	MSR_TRAILING_RI = 1 << 2, // the RI delta is set by the falling edge only
	MSR_CTS = 1 << 4,
	MSR_DSR = 1 << 5,
	MSR_RI = 1 << 6,
	MSR_DCD = 1 << 7,
	MSR_LINES = 0xf0,
};
static const uint8_t rx_trigger[4] = { 1, 4, 8, 14 }; // by FCR bits 6-7

struct uart {
	struct io_dev dev;
	struct serial serial;
	uint8_t ier, fcr, lcr, mcr, msr, scratch, dll, dlm;
	bool overrun, thre_pending;
};

static uint8_t iir_source(const struct uart *u)
{
	if (u->ier & IER_LINE && u->overrun)
		return IIR_LINE;
	if (u->ier & IER_RX && u->serial.count > 0) {
		// No clock runs here: what is short of the trigger level has timed out at once.
		if (u->fcr & FCR_ENABLE && u->serial.count < rx_trigger[u->fcr >> 6])
			return IIR_RX_TIMEOUT;
		return IIR_RX;
	}
	if (u->ier & IER_THRE && u->thre_pending)
		return IIR_THRE;
	if (u->ier & IER_MODEM && u->msr & MSR_DELTAS)
		return IIR_MODEM;
	return IIR_NONE;
}

static void irq_update(struct uart *u)
{
	serial_irq(&u->serial, iir_source(u) != IIR_NONE);
}

static uint8_t modem_lines(const struct uart *u)
{
	if (!(u->mcr & MCR_LOOP))
		return MSR_DCD | MSR_DSR | MSR_CTS;
	return (u->mcr & MCR_RTS ? MSR_CTS : 0) | (u->mcr & MCR_DTR ? MSR_DSR : 0) | (u->mcr & MCR_OUT1 ? MSR_RI : 0) |
	       (u->mcr & MCR_OUT2 ? MSR_DCD : 0);
}

static void modem_update(struct uart *u)
{
	const uint8_t now = modem_lines(u);
	uint8_t delta = (u->msr ^ now) >> 4;

	if (now & MSR_RI)
		delta &= ~MSR_TRAILING_RI;
	u->msr = now | (u->msr & MSR_DELTAS) | delta;
}

static uint8_t iir_take(struct uart *u)
{
	const uint8_t source = iir_source(u);

	if (source == IIR_THRE)
		u->thre_pending = false;
	return source | (u->fcr & FCR_ENABLE ? IIR_FIFOS_ON : 0);
}

static uint8_t lsr_take(struct uart *u)
{
	const uint8_t v = LSR_THRE | LSR_IDLE | (u->serial.count > 0 ? LSR_DATA : 0) | (u->overrun ? LSR_OVERRUN : 0);

	u->overrun = false;
	return v;
}

static uint8_t msr_take(struct uart *u)
{
	const uint8_t v = u->msr;

	u->msr &= ~MSR_DELTAS;
	return v;
}

static uint8_t reg_read(struct uart *u, uint32_t reg)
{
	const bool dlab = u->lcr & LCR_DLAB;

	switch (reg) {
	case REG_DATA:
		return dlab ? u->dll : serial_take(&u->serial);
	case REG_IER:
		return dlab ? u->dlm : u->ier;
	case REG_IIR_FCR:
		return iir_take(u);
	case REG_LCR:
		return u->lcr;
	case REG_MCR:
		return u->mcr;
	case REG_LSR:
		return lsr_take(u);
	case REG_MSR:
		return msr_take(u);
	default:
		return u->scratch;
	}
}

static void transmit(struct uart *u, uint8_t v)
{
	// The byte is gone at once, but the interrupt line must fall before it rises again: the IOAPIC sees edges.
	u->thre_pending = false;
	irq_update(u);
	if (!(u->mcr & MCR_LOOP))
		u->serial.line.out(u->serial.line.arg, &v, 1);
	else if (serial_put(&u->serial, SERIAL_FIFO, &v, 1) == 0)
		u->overrun = true;
	u->thre_pending = true;
}

static void ier_write(struct uart *u, uint8_t v)
{
	if (v & IER_THRE && !(u->ier & IER_THRE))
		u->thre_pending = true; // enabling it with an empty holding register raises it
	u->ier = v & IER_MASK;
}

static void fcr_write(struct uart *u, uint8_t v)
{
	if (v & FCR_CLEAR_RX || (v ^ u->fcr) & FCR_ENABLE)
		u->serial.count = 0;
	u->fcr = v;
}

static void reg_write(struct uart *u, uint32_t reg, uint8_t v)
{
	const bool dlab = u->lcr & LCR_DLAB;

	if (reg == REG_DATA && dlab)
		u->dll = v;
	else if (reg == REG_DATA)
		transmit(u, v);
	else if (reg == REG_IER && dlab)
		u->dlm = v;
	else if (reg == REG_IER)
		ier_write(u, v);
	else if (reg == REG_IIR_FCR)
		fcr_write(u, v);
	else if (reg == REG_LCR)
		u->lcr = v;
	else if (reg == REG_MCR)
		u->mcr = v & MCR_MASK;
	else if (reg == REG_SCRATCH)
		u->scratch = v;
}

static void uart_read(struct io_dev *d, unsigned vcpu, uint32_t off, void *p, unsigned n)
{
	struct uart *u = container_of(d, struct uart, dev);

	*(uint8_t *)p = reg_read(u, off);
	irq_update(u);
	serial_room(&u->serial, u->mcr & MCR_LOOP);
}

static enum kvm_fate uart_write(struct io_dev *d, unsigned vcpu, uint32_t off, const void *p, unsigned n)
{
	struct uart *u = container_of(d, struct uart, dev);

	reg_write(u, off, *(const uint8_t *)p);
	modem_update(u);
	irq_update(u);
	serial_room(&u->serial, u->mcr & MCR_LOOP);
	return KVM_FATE_RUN;
}

int uart_create(struct bus *b, struct irq_lines *irq, uint16_t port, unsigned gsi, const struct uart_line *line,
		struct uart **ret)
{
	_cleanup_(freep) struct uart *u = calloc(1, sizeof(*u));

	if (!u)
		return -ENOMEM;
	u->dev = (struct io_dev){ .name = "uart",
				  .kind = BUS_PIO,
				  .base = port,
				  .len = NREGS,
				  .min_op = 1,
				  .max_op = 1,
				  .read = uart_read,
				  .write = uart_write };
	u->serial = (struct serial){ .bus = b, .irq = irq, .gsi = gsi, .line = *line };
	u->msr = modem_lines(u);
	const int rc = bus_add(b, &u->dev);
	if (rc == 0)
		*ret = take_ptr(u);
	return rc;
}

size_t uart_receive(struct uart *u, const void *p, size_t n)
{
	pthread_mutex_lock(&u->serial.bus->lock);
	// In loopback the line is cut off; what is typed waits outside.
	const size_t done = serial_receive(&u->serial, u->mcr & MCR_LOOP ? 0 : SERIAL_FIFO, p, n);
	irq_update(u);
	pthread_mutex_unlock(&u->serial.bus->lock);
	return done;
}

void uart_destroy(struct uart *u)
{
	free(u);
}
