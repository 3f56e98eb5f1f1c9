/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "test.h"

#include <linux/virtio_blk.h>
#include <linux/virtio_config.h>
#include <linux/virtio_mmio.h>
#include <linux/virtio_ring.h>
#include <stdio.h>
#include <unistd.h>

#include "util/bytes.h"
#include "util/macros.h"
#include "vmm/dev.h"

/* A driver of the disk as far as the window of registers goes; what is behind it has its tests in test_vmm_virtio.c. */
enum { BASE = 0x0a000000, GSI = 48, RAM = 0x40000000, RAM_SIZE = 1 << 20, SECTORS = 4 };
enum {
	DESC = RAM + 0x1000,
	AVAIL = RAM + 0x2000,
	USED = RAM + 0x3000,
	HEADER = RAM + 0x4000,
	DATA = RAM + 0x5000,
	STATUS = RAM + 0x6000
};
enum { QUEUE_SIZE = 8, READY = VIRTIO_CONFIG_S_ACKNOWLEDGE | VIRTIO_CONFIG_S_DRIVER };

static struct bus bus;
static struct mem mem;
static struct virtio_blk *blk;
static char path[64];
static struct {
	struct irq_lines lines;
	bool level;
} irq;

static void irq_set(struct irq_lines *l, unsigned gsi, bool level)
{
	CHECK_EQ(gsi, GSI);
	irq.level = level;
}

static uint64_t rd(uint32_t reg, unsigned n)
{
	uint8_t b[8] = { 0 };

	bus_access(&bus, 0, BUS_MMIO, BASE + reg, false, b, n);
	return ld_le64(b);
}

static void wr(uint32_t reg, uint32_t v)
{
	uint8_t b[4];

	st_le32(b, v);
	bus_access(&bus, 0, BUS_MMIO, BASE + reg, true, b, 4);
}

static uint8_t *ram(uint64_t at)
{
	return mem_ptr(&mem, GPA(at), 16);
}

static void wr_addr(uint32_t low, uint64_t at)
{
	wr(low, (uint32_t)at);
	wr(low + 4, (uint32_t)(at >> 32));
}

static void queue_set(uint64_t desc)
{
	wr(VIRTIO_MMIO_QUEUE_SEL, 0);
	wr(VIRTIO_MMIO_QUEUE_NUM, QUEUE_SIZE);
	wr_addr(VIRTIO_MMIO_QUEUE_DESC_LOW, desc);
	wr_addr(VIRTIO_MMIO_QUEUE_AVAIL_LOW, AVAIL);
	wr_addr(VIRTIO_MMIO_QUEUE_USED_LOW, USED);
	wr(VIRTIO_MMIO_QUEUE_READY, 1);
}

static void driver_start(void)
{
	wr(VIRTIO_MMIO_STATUS, 0);
	wr(VIRTIO_MMIO_STATUS, READY);
	wr(VIRTIO_MMIO_DRIVER_FEATURES_SEL, 1);
	wr(VIRTIO_MMIO_DRIVER_FEATURES, 1); // VIRTIO_F_VERSION_1
	wr(VIRTIO_MMIO_STATUS, READY | VIRTIO_CONFIG_S_FEATURES_OK);
	CHECK(rd(VIRTIO_MMIO_STATUS, 4) & VIRTIO_CONFIG_S_FEATURES_OK);
	queue_set(DESC);
	wr(VIRTIO_MMIO_STATUS, READY | VIRTIO_CONFIG_S_FEATURES_OK | VIRTIO_CONFIG_S_DRIVER_OK);
}

static void desc_set(unsigned i, uint64_t at, uint32_t len, uint16_t flags)
{
	uint8_t *d = ram(DESC + 16 * i);

	st_le64(d, at);
	st_le32(d + 8, len);
	st_le16(d + 12, flags);
	st_le16(d + 14, (uint16_t)(i + 1));
}

static void read_sector(uint64_t sector)
{
	st_le32(ram(HEADER), VIRTIO_BLK_T_IN);
	st_le64(ram(HEADER + 8), sector);
	desc_set(0, HEADER, 16, VRING_DESC_F_NEXT);
	desc_set(1, DATA, 512, VRING_DESC_F_NEXT | VRING_DESC_F_WRITE);
	desc_set(2, STATUS, 1, VRING_DESC_F_WRITE);
	*ram(STATUS) = 0xff;
	st_le16(ram(AVAIL + 2), (uint16_t)(ld_le16(ram(AVAIL + 2)) + 1));
	wr(VIRTIO_MMIO_QUEUE_NOTIFY, 0);
}

static int setup(void **state)
{
	const struct virtio_place at = { .mem = &mem, .irq = &irq.lines, .bus = &bus, .base = BASE, .gsi = GSI };
	struct errtext why;
	FILE *f;

	irq.lines.set = irq_set;
	irq.level = false;
	snprintf(path, sizeof(path), "/tmp/gdbvm-test-virtio-mmio-%d", (int)getpid());
	f = fopen(path, "wb");
	for (unsigned i = 0; f && i < SECTORS * 512; i++)
		fputc((int)(i / 512 + 1), f);
	if (!f || fclose(f) != 0)
		return -1;
	bus_init(&bus);
	return mem_init(&mem, &mem_layout_arm64, RAM_SIZE, &why) ?: virtio_blk_create(&at, path, &blk, &why);
}

static int teardown(void **state)
{
	virtio_blk_destroy(blk);
	bus_deinit(&bus);
	mem_deinit(&mem);
	unlink(path);
	return 0;
}

TEST(window_tells_what_is_there)
{
	CHECK_EQ(rd(VIRTIO_MMIO_MAGIC_VALUE, 4), 0x74726976);
	CHECK_EQ(rd(VIRTIO_MMIO_VERSION, 4), 2);
	CHECK_EQ(rd(VIRTIO_MMIO_DEVICE_ID, 4), 2);
	wr(VIRTIO_MMIO_DEVICE_FEATURES_SEL, 1);
	CHECK_EQ(rd(VIRTIO_MMIO_DEVICE_FEATURES, 4), 1);
	wr(VIRTIO_MMIO_DEVICE_FEATURES_SEL, 2);
	CHECK_EQ(rd(VIRTIO_MMIO_DEVICE_FEATURES, 4), 0);
	CHECK_EQ(rd(VIRTIO_MMIO_CONFIG, 4), SECTORS);
	CHECK_EQ(rd(VIRTIO_MMIO_CONFIG + 20, 2), 512); // blk_size
	CHECK_EQ(rd(VIRTIO_MMIO_CONFIG + 0x80, 4), 0);
}

TEST(a_sector_is_read_and_the_interrupt_acknowledged)
{
	driver_start();
	read_sector(2);
	CHECK_EQ(*ram(STATUS), VIRTIO_BLK_S_OK);
	CHECK_EQ(*ram(DATA), 3);
	CHECK_EQ(ld_le16(ram(USED + 2)), 1);
	CHECK(irq.level);
	CHECK_EQ(rd(VIRTIO_MMIO_INTERRUPT_STATUS, 4), 1);
	CHECK(irq.level); // reading is not acknowledging
	wr(VIRTIO_MMIO_INTERRUPT_ACK, 1);
	CHECK(!irq.level);
	CHECK_EQ(rd(VIRTIO_MMIO_INTERRUPT_STATUS, 4), 0);
}

TEST(there_is_one_queue)
{
	wr(VIRTIO_MMIO_QUEUE_SEL, 0);
	CHECK_EQ(rd(VIRTIO_MMIO_QUEUE_NUM_MAX, 4), 256);
	wr(VIRTIO_MMIO_QUEUE_SEL, 1);
	CHECK_EQ(rd(VIRTIO_MMIO_QUEUE_NUM_MAX, 4), 0);
	wr(VIRTIO_MMIO_QUEUE_READY, 1);
	CHECK_EQ(rd(VIRTIO_MMIO_QUEUE_READY, 4), 0);
	wr(VIRTIO_MMIO_QUEUE_SEL, 0x10000);
	CHECK_EQ(rd(VIRTIO_MMIO_QUEUE_NUM_MAX, 4), 0);
}

TEST(queue_is_taken_back_and_given_again)
{
	driver_start();
	CHECK_EQ(rd(VIRTIO_MMIO_QUEUE_READY, 4), 1);
	wr(VIRTIO_MMIO_QUEUE_READY, 0);
	CHECK_EQ(rd(VIRTIO_MMIO_QUEUE_READY, 4), 0);
	read_sector(0); // nobody looks
	CHECK_EQ(*ram(STATUS), 0xff);
	wr(VIRTIO_MMIO_STATUS, 0);
	st_le16(ram(AVAIL + 2), 0);
	driver_start();
	read_sector(1);
	CHECK_EQ(*ram(DATA), 2);
}

TEST(queue_outside_ram_stops_the_device_until_reset)
{
	driver_start();
	wr(VIRTIO_MMIO_QUEUE_READY, 0);
	queue_set(0x1000);
	CHECK(rd(VIRTIO_MMIO_STATUS, 4) & VIRTIO_CONFIG_S_NEEDS_RESET);
	wr(VIRTIO_MMIO_STATUS, 0);
	CHECK_EQ(rd(VIRTIO_MMIO_STATUS, 4), 0);
	CHECK(!irq.level);
	driver_start();
}

TEST(no_access_of_another_width_does_anything)
{
	uint8_t b[8] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff };

	driver_start();
	for (uint32_t at = 0; at < 0x200; at++)
		for (unsigned n = 1; n <= 2; n *= 2)
			bus_access(&bus, 0, BUS_MMIO, BASE + at, true, b, n);
	CHECK_EQ(rd(VIRTIO_MMIO_MAGIC_VALUE, 1), 0);
	read_sector(0);
	CHECK_EQ(*ram(DATA), 1);
}

#define TS(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
TESTS(TS(window_tells_what_is_there), TS(a_sector_is_read_and_the_interrupt_acknowledged), TS(there_is_one_queue),
      TS(queue_is_taken_back_and_given_again), TS(queue_outside_ram_stops_the_device_until_reset),
      TS(no_access_of_another_width_does_anything))
