/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stdlib.h>

#include "util/macros.h"
#include "vmm/dev.h"

/*
 * A keyboard controller with nothing plugged in: it answers its own commands, so that nobody who waits for its
 * status bits hangs, and takes the reset command.
 */
enum {
	DATA = 0x60,
	CMD = 0x64,
	ST_OUT_FULL = 1 << 0,
	ST_SELF_TEST_OK = 1 << 2,
	ST_LAST_WAS_CMD = 1 << 3,
	ST_NO_LOCK = 1 << 4,
	OUT_PORT_RUN = 1 << 0, // output port: low means that the CPU is held in reset
	OUT_PORT_A20 = 1 << 1,
	CMD_PULSE_RESET = 0xfe,
};

struct i8042 {
	struct io_dev dev[2]; // data, command; first: the caller frees this
	uint8_t status, out, mode;
	uint8_t takes; // command that the next data byte belongs to, 0 if none
};

/* Commands that answer one byte at once. */
static const struct {
	uint8_t cmd, answer;
} answers[] = {
	{ 0xaa, 0x55 }, // controller test: passed
	{ 0xab, 0x00 }, // keyboard line test: passed
	{ 0xd0, OUT_PORT_RUN | OUT_PORT_A20 },
};

static void answer(struct i8042 *s, uint8_t v)
{
	s->out = v;
	s->status |= ST_OUT_FULL;
}

static void data_read(struct io_dev *d, unsigned vcpu, uint32_t off, void *p, unsigned n)
{
	struct i8042 *s = container_of(d, struct i8042, dev[0]);

	*(uint8_t *)p = s->out;
	s->status &= ~ST_OUT_FULL;
}

static enum kvm_fate data_write(struct io_dev *d, unsigned vcpu, uint32_t off, const void *p, unsigned n)
{
	struct i8042 *s = container_of(d, struct i8042, dev[0]);
	const uint8_t v = *(const uint8_t *)p;
	const uint8_t cmd = s->takes;

	s->takes = 0;
	s->status &= ~ST_LAST_WAS_CMD;
	if (cmd == 0x60)
		s->mode = v;
	else if (cmd == 0xd1 && !(v & OUT_PORT_RUN))
		return KVM_FATE_RESET;
	return KVM_FATE_RUN;
}

static void status_read(struct io_dev *d, unsigned vcpu, uint32_t off, void *p, unsigned n)
{
	const struct i8042 *s = container_of(d, struct i8042, dev[1]);

	*(uint8_t *)p = s->status;
}

static enum kvm_fate command_write(struct io_dev *d, unsigned vcpu, uint32_t off, const void *p, unsigned n)
{
	struct i8042 *s = container_of(d, struct i8042, dev[1]);
	const uint8_t cmd = *(const uint8_t *)p;

	s->status |= ST_LAST_WAS_CMD;
	s->takes = cmd == 0x60 || cmd == 0xd1 ? cmd : 0;
	if (cmd == CMD_PULSE_RESET)
		return KVM_FATE_RESET;
	if (cmd == 0x20)
		answer(s, s->mode);
	for (unsigned i = 0; i < ARRAY_LEN(answers); i++)
		if (answers[i].cmd == cmd)
			answer(s, answers[i].answer);
	return KVM_FATE_RUN;
}

int i8042_create(struct bus *b, struct io_dev **ret)
{
	_cleanup_(freep) struct i8042 *s = calloc(1, sizeof(*s));

	if (!s)
		return -ENOMEM;
	s->status = ST_SELF_TEST_OK | ST_NO_LOCK;
	// clang-format off
	s->dev[0] = (struct io_dev){ .name = "i8042 data", .kind = BUS_PIO, .base = DATA, .len = 1,
				     .min_op = 1, .max_op = 1, .read = data_read, .write = data_write };
	s->dev[1] = (struct io_dev){ .name = "i8042 command", .kind = BUS_PIO, .base = CMD, .len = 1,
				     .min_op = 1, .max_op = 1, .read = status_read, .write = command_write };
	// clang-format on
	const int rc = bus_add_all(b, s->dev, ARRAY_LEN(s->dev));
	if (rc == 0)
		*ret = take_ptr(s)->dev;
	return rc;
}
