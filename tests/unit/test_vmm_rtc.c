/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "test.h"

#include <stdlib.h>
#include <time.h>

#include "vmm/dev.h"

#define MIB (1ull << 20)

struct rig {
	struct bus bus;
	struct rtc *rtc;
};

static void rig_init(struct rig *r, uint64_t ram)
{
	bus_init(&r->bus);
	CHECK_EQ(rtc_create(&r->bus, ram, &r->rtc), 0);
}

static void rig_deinit(struct rig *r)
{
	rtc_destroy(r->rtc);
	bus_deinit(&r->bus);
}

static void out(struct rig *r, unsigned port, uint8_t v)
{
	CHECK_EQ(bus_access(&r->bus, 0, BUS_PIO, port, true, &v, 1), KVM_FATE_RUN);
}

static uint8_t rd(struct rig *r, unsigned reg)
{
	uint8_t v = 0;

	out(r, 0x70, reg);
	CHECK_EQ(bus_access(&r->bus, 0, BUS_PIO, 0x71, false, &v, 1), KVM_FATE_RUN);
	return v;
}

static void wr(struct rig *r, unsigned reg, uint8_t v)
{
	out(r, 0x70, reg);
	out(r, 0x71, v);
}

static unsigned bcd(uint8_t v)
{
	CHECK((v & 0xf) < 10 && v >> 4 < 10);
	return (v >> 4) * 10 + (v & 0xf);
}

static time_t clock_bcd(struct rig *r)
{
	struct tm tm = {
		.tm_sec = bcd(rd(r, 0)),
		.tm_min = bcd(rd(r, 2)),
		.tm_hour = bcd(rd(r, 4)),
		.tm_mday = bcd(rd(r, 7)),
		.tm_mon = bcd(rd(r, 8)) - 1,
		.tm_year = bcd(rd(r, 9)) + bcd(rd(r, 0x32)) * 100 - 1900,
	};

	return timegm(&tm);
}

/* Two looks at a running clock may fall on both sides of a tick: look again until the second stays the same. */
static time_t clock_steady(struct rig *r)
{
	time_t a, b = clock_bcd(r);

	do {
		a = b;
		b = clock_bcd(r);
	} while (a != b);
	return b;
}

TEST(rtc_shows_the_hosts_time_in_bcd)
{
	struct rig r;

	rig_init(&r, 64 * MIB);
	const time_t before = time(NULL), shown = clock_steady(&r), after = time(NULL);
	CHECK(before <= shown && shown <= after);
	CHECK_EQ(rd(&r, 0x0a) & 0x80, 0);
	CHECK_EQ(rd(&r, 0x0b), 0x02);
	CHECK_EQ(rd(&r, 0x0c), 0);
	CHECK_EQ(rd(&r, 0x0d), 0x80);
	rig_deinit(&r);
}

TEST(rtc_keeps_a_time_that_the_guest_sets)
{
	struct rig r;

	rig_init(&r, 64 * MIB);
	wr(&r, 0x0b, 0x82);
	wr(&r, 0x00, 0x58);
	wr(&r, 0x02, 0x59);
	wr(&r, 0x04, 0x23);
	wr(&r, 0x07, 0x28);
	wr(&r, 0x08, 0x02);
	wr(&r, 0x09, 0x24);
	wr(&r, 0x32, 0x20);
	CHECK_EQ(rd(&r, 0x00), 0x58); // stands still
	wr(&r, 0x0b, 0x02);
	const time_t shown = clock_steady(&r);
	CHECK(shown >= 1709164798 && shown < 1709164798 + 60);
	rig_deinit(&r);
}

TEST(rtc_survives_nonsense_dates)
{
	struct rig r;

	rig_init(&r, 64 * MIB);
	wr(&r, 0x0b, 0x86);
	for (unsigned reg = 0; reg < 0x0a; reg++)
		wr(&r, reg, 0xff);
	wr(&r, 0x32, 0xff);
	wr(&r, 0x0b, 0x00);
	rd(&r, 0x00);
	rig_deinit(&r);
}

TEST(rtc_twelve_hour_clock_has_a_pm_bit)
{
	static const struct {
		uint8_t h24, h12;
	} rows[] = { { 0x00, 0x12 }, { 0x01, 0x01 }, { 0x12, 0x92 }, { 0x13, 0x81 }, { 0x23, 0x91 } };
	struct rig r;

	rig_init(&r, 64 * MIB);
	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		wr(&r, 0x0b, 0x82);
		wr(&r, 0x02, 0x00);
		wr(&r, 0x04, rows[i].h24);
		wr(&r, 0x0b, 0x02);
		wr(&r, 0x0b, 0x00);
		CHECK_EQ(rd(&r, 0x04), rows[i].h12);
		wr(&r, 0x0b, 0x80);
		wr(&r, 0x04, rows[i].h12);
		wr(&r, 0x0b, 0x00);
		wr(&r, 0x0b, 0x02);
		CHECK_EQ(rd(&r, 0x04), rows[i].h24);
	}
	rig_deinit(&r);
}

TEST(cmos_tells_the_memory_size)
{
	struct rig r;

	rig_init(&r, 64 * MIB);
	CHECK_EQ(rd(&r, 0x15) | rd(&r, 0x16) << 8, 640);
	CHECK_EQ(rd(&r, 0x17) | rd(&r, 0x18) << 8, 63 * 1024);
	CHECK_EQ(rd(&r, 0x30) | rd(&r, 0x31) << 8, 63 * 1024);
	CHECK_EQ(rd(&r, 0x34) | rd(&r, 0x35) << 8, 48 * 16);
	CHECK_EQ(rd(&r, 0x5b) | rd(&r, 0x5c) | rd(&r, 0x5d), 0);
	rig_deinit(&r);
}

TEST(cmos_tells_memory_above_4_gib)
{
	struct rig r;

	rig_init(&r, 5120 * MIB);
	CHECK_EQ(rd(&r, 0x17) | rd(&r, 0x18) << 8, 0xffff);
	CHECK_EQ(rd(&r, 0x34) | rd(&r, 0x35) << 8, (3072 - 16) * 16);
	CHECK_EQ(rd(&r, 0x5b) | rd(&r, 0x5c) << 8 | rd(&r, 0x5d) << 16, 2048 * 16);
	rig_deinit(&r);
}

TEST(cmos_of_1_mib_has_no_extended_memory)
{
	struct rig r;

	rig_init(&r, MIB);
	CHECK_EQ(rd(&r, 0x17) | rd(&r, 0x18) | rd(&r, 0x34) | rd(&r, 0x35), 0);
	rig_deinit(&r);
}

TEST(cmos_index_ignores_the_nmi_bit_and_keeps_bytes)
{
	struct rig r;

	rig_init(&r, 64 * MIB);
	wr(&r, 0x8f, 0x5a); // shutdown status
	CHECK_EQ(rd(&r, 0x0f), 0x5a);
	wr(&r, 0x0d, 0x00); // read-only
	CHECK_EQ(rd(&r, 0x0d), 0x80);
	rig_deinit(&r);
}

TESTS(T(rtc_shows_the_hosts_time_in_bcd), T(rtc_keeps_a_time_that_the_guest_sets), T(rtc_survives_nonsense_dates),
      T(rtc_twelve_hour_clock_has_a_pm_bit), T(cmos_tells_the_memory_size), T(cmos_tells_memory_above_4_gib),
      T(cmos_of_1_mib_has_no_extended_memory), T(cmos_index_ignores_the_nmi_bit_and_keeps_bytes))
