/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stdlib.h>
#include <time.h>

#include "util/bytes.h"
#include "util/macros.h"
#include "vmm/dev.h"
#include "vmm/mem.h"

/* MC146818 and the memory behind it. Motorola MC146818 data sheet, "Address Map" and "Registers". */
enum {
	INDEX_PORT = 0x70,
	CMOS_SIZE = 128,
	REG_SEC = 0x00,
	REG_MIN = 0x02,
	REG_HOUR = 0x04,
	REG_WDAY = 0x06,
	REG_MDAY = 0x07,
	REG_MONTH = 0x08,
	REG_YEAR = 0x09,
	REG_A = 0x0a,
	REG_B = 0x0b,
	REG_C = 0x0c,
	REG_D = 0x0d,
	REG_CENTURY = 0x32,
	A_32KHZ_1024HZ = 0x26,
	A_UIP = 1 << 7,
	B_24H = 1 << 1,
	B_BINARY = 1 << 2,
	B_SET = 1 << 7,
	D_VRT = 1 << 7,
	HOUR_PM = 1 << 7,
	// memory sizes as PC firmware leaves them
	CMOS_BASE_KIB = 0x15,
	CMOS_EXT_KIB = 0x17,
	CMOS_EXT_KIB2 = 0x30,
	CMOS_ABOVE_16M_64KIB = 0x34,
	CMOS_ABOVE_4G_64KIB = 0x5b,
};

struct rtc {
	struct io_dev dev;
	uint8_t index;
	uint8_t cmos[CMOS_SIZE];
	int64_t offset_s; // guest's clock minus the host's
};

static uint8_t encode(const struct rtc *r, unsigned v)
{
	return r->cmos[REG_B] & B_BINARY ? v : (v / 10) << 4 | v % 10;
}

static unsigned decode(const struct rtc *r, uint8_t v)
{
	return r->cmos[REG_B] & B_BINARY ? v : (v >> 4) * 10u + (v & 0xf);
}

static uint8_t encode_hour(const struct rtc *r, unsigned h)
{
	if (r->cmos[REG_B] & B_24H)
		return encode(r, h);
	return encode(r, h % 12 == 0 ? 12 : h % 12) | (h >= 12 ? HOUR_PM : 0);
}

static unsigned decode_hour(const struct rtc *r, uint8_t v)
{
	if (r->cmos[REG_B] & B_24H)
		return decode(r, v);
	return decode(r, v & ~HOUR_PM) % 12 + (v & HOUR_PM ? 12 : 0);
}

/* Copy the running clock into its registers. While the guest holds SET they are its own. */
static void clock_latch(struct rtc *r)
{
	const time_t now = time(NULL) + r->offset_s;
	struct tm tm;

	if (r->cmos[REG_B] & B_SET || !gmtime_r(&now, &tm))
		return;
	r->cmos[REG_SEC] = encode(r, tm.tm_sec);
	r->cmos[REG_MIN] = encode(r, tm.tm_min);
	r->cmos[REG_HOUR] = encode_hour(r, tm.tm_hour);
	r->cmos[REG_WDAY] = encode(r, tm.tm_wday + 1);
	r->cmos[REG_MDAY] = encode(r, tm.tm_mday);
	r->cmos[REG_MONTH] = encode(r, tm.tm_mon + 1);
	r->cmos[REG_YEAR] = encode(r, tm.tm_year % 100);
	r->cmos[REG_CENTURY] = encode(r, (tm.tm_year + 1900) / 100);
}

/* The guest has set its clock: remember how far it is from the host's. */
static void clock_adopt(struct rtc *r)
{
	struct tm tm = {
		.tm_sec = decode(r, r->cmos[REG_SEC]),
		.tm_min = decode(r, r->cmos[REG_MIN]),
		.tm_hour = decode_hour(r, r->cmos[REG_HOUR]),
		.tm_mday = decode(r, r->cmos[REG_MDAY]),
		.tm_mon = decode(r, r->cmos[REG_MONTH]) - 1,
		.tm_year = decode(r, r->cmos[REG_CENTURY]) * 100 + decode(r, r->cmos[REG_YEAR]) - 1900,
	};

	r->offset_s = timegm(&tm) - time(NULL);
}

static bool is_clock(unsigned reg)
{
	const bool alarm = reg < REG_WDAY && reg % 2 == 1;

	return (reg <= REG_YEAR && !alarm) || reg == REG_CENTURY;
}

static void reg_b_write(struct rtc *r, uint8_t v)
{
	const bool set_done = r->cmos[REG_B] & B_SET && !(v & B_SET);

	clock_latch(r); // when SET begins, the guest finds the time in its registers
	r->cmos[REG_B] = v;
	if (set_done)
		clock_adopt(r);
}

static void reg_write(struct rtc *r, unsigned reg, uint8_t v)
{
	switch (reg) {
	case REG_A:
		r->cmos[REG_A] = v & ~A_UIP;
		return;
	case REG_B:
		reg_b_write(r, v);
		return;
	case REG_C:
	case REG_D:
		return; // read-only
	default:
		clock_latch(r);
		r->cmos[reg] = v;
		if (is_clock(reg) && !(r->cmos[REG_B] & B_SET))
			clock_adopt(r);
	}
}

static void rtc_read(struct io_dev *d, unsigned vcpu, uint32_t off, void *p, unsigned n)
{
	struct rtc *r = container_of(d, struct rtc, dev);

	if (off == 0)
		return; // the index register cannot be read
	if (is_clock(r->index))
		clock_latch(r);
	*(uint8_t *)p = r->cmos[r->index];
}

static enum kvm_fate rtc_write(struct io_dev *d, unsigned vcpu, uint32_t off, const void *p, unsigned n)
{
	struct rtc *r = container_of(d, struct rtc, dev);
	const uint8_t v = *(const uint8_t *)p;

	if (off == 0)
		r->index = v % CMOS_SIZE; // bit 7 masks NMI
	else
		reg_write(r, r->index, v);
	return KVM_FATE_RUN;
}

static void memory_sizes_set(struct rtc *r, uint64_t ram_size)
{
	const uint64_t low = MIN(ram_size, MEM_HOLE_START);
	const uint64_t above_4g = (ram_size - low) >> 16;
	const uint64_t ext_kib = (low >> 10) - 1024;
	const uint64_t above_16m = low > 16 << 20 ? (low - (16 << 20)) >> 16 : 0;

	st_le16(r->cmos + CMOS_BASE_KIB, 640);
	st_le16(r->cmos + CMOS_EXT_KIB, MIN(ext_kib, 0xffffu));
	st_le16(r->cmos + CMOS_EXT_KIB2, MIN(ext_kib, 0xffffu));
	st_le16(r->cmos + CMOS_ABOVE_16M_64KIB, MIN(above_16m, 0xffffu));
	for (unsigned i = 0; i < 3; i++)
		r->cmos[CMOS_ABOVE_4G_64KIB + i] = above_4g >> (8 * i);
}

int rtc_create(struct bus *b, uint64_t ram_size, struct rtc **ret)
{
	_cleanup_(freep) struct rtc *r = calloc(1, sizeof(*r));

	if (!r)
		return -ENOMEM;
	r->dev = (struct io_dev){ .name = "rtc",
				  .kind = BUS_PIO,
				  .base = INDEX_PORT,
				  .len = 2,
				  .min_op = 1,
				  .max_op = 1,
				  .read = rtc_read,
				  .write = rtc_write };
	r->cmos[REG_A] = A_32KHZ_1024HZ;
	r->cmos[REG_B] = B_24H;
	r->cmos[REG_D] = D_VRT;
	memory_sizes_set(r, ram_size);
	const int rc = bus_add(b, &r->dev);
	if (rc == 0)
		*ret = take_ptr(r);
	return rc;
}

void rtc_destroy(struct rtc *r)
{
	free(r);
}
