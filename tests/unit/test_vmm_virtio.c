/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "test.h"

#include <errno.h>
#include <linux/pci_regs.h>
#include <linux/virtio_blk.h>
#include <linux/virtio_config.h>
#include <linux/virtio_pci.h>
#include <linux/virtio_ring.h>
#include <stdio.h>
#include <unistd.h>

#include "util/bytes.h"
#include "util/macros.h"
#include "vmm/dev.h"

/* A small driver: it knows the device only through the bus, as a guest does. */
enum { SLOT = 2, DEVFN = SLOT << 3, RAM_SIZE = 1 << 20, QUEUE = 8, SECTORS = 16 };
enum { DESC = 0x1000, AVAIL = 0x2000, USED = 0x3000, HEADER = 0x4000, STATUS = 0x4100, DATA = 0x8000 };

static struct bus bus;
static struct pci *pci;
static struct mem mem;
static struct virtio_blk *blk;
static struct errtext why;
static char path[64];
static uint32_t common, notify, isr, device;
static uint16_t avail_idx;

static struct {
	struct irq_lines lines;
	unsigned gsi;
	bool level;
} irq;

static void irq_set(struct irq_lines *l, unsigned gsi, bool level)
{
	irq.gsi = gsi;
	irq.level = level;
}

static uint32_t rd(uint32_t at, unsigned n)
{
	uint8_t b[4] = { 0 };

	bus_access(&bus, 0, BUS_MMIO, at, false, b, n);
	return ld_le32(b);
}

static void wr(uint32_t at, uint32_t val, unsigned n)
{
	uint8_t b[4];

	st_le32(b, val);
	bus_access(&bus, 0, BUS_MMIO, at, true, b, n);
}

static uint32_t cfg_read(unsigned reg, unsigned n)
{
	uint8_t b[4] = { 0 };

	st_le32(b, 0x80000000u | DEVFN << 8 | (reg & 0xfc));
	bus_access(&bus, 0, BUS_PIO, 0xcf8, true, b, 4);
	memset(b, 0, sizeof(b));
	bus_access(&bus, 0, BUS_PIO, 0xcfc + (reg & 3), false, b, n);
	return ld_le32(b);
}

static void cfg_write(unsigned reg, uint32_t val, unsigned n)
{
	uint8_t b[4];

	st_le32(b, 0x80000000u | DEVFN << 8 | (reg & 0xfc));
	bus_access(&bus, 0, BUS_PIO, 0xcf8, true, b, 4);
	st_le32(b, val);
	bus_access(&bus, 0, BUS_PIO, 0xcfc + (reg & 3), true, b, n);
}

static uint8_t *ram(uint64_t at)
{
	uint8_t *p = mem_ptr(&mem, GPA(at), 1);

	CHECK(p);
	return p;
}

static void caps_find(void)
{
	uint32_t bar = cfg_read(PCI_BASE_ADDRESS_0, 4) & ~0xfu;
	uint32_t *where[] = { [VIRTIO_PCI_CAP_COMMON_CFG] = &common,
			      [VIRTIO_PCI_CAP_NOTIFY_CFG] = &notify,
			      [VIRTIO_PCI_CAP_ISR_CFG] = &isr,
			      [VIRTIO_PCI_CAP_DEVICE_CFG] = &device };
	unsigned found = 0;

	CHECK(cfg_read(PCI_STATUS, 2) & PCI_STATUS_CAP_LIST);
	for (uint32_t at = cfg_read(PCI_CAPABILITY_LIST, 1); at; at = cfg_read(at + 1, 1), found++) {
		uint32_t type = cfg_read(at + 3, 1);

		CHECK_EQ(cfg_read(at, 1), PCI_CAP_ID_VNDR);
		CHECK(type >= 1 && type <= 4);
		CHECK_EQ(cfg_read(at + 4, 1), 0);
		*where[type] = bar + cfg_read(at + 8, 4);
		CHECK(cfg_read(at + 12, 4) > 0);
	}
	CHECK_EQ(found, 4);
}

static void features_accept(void)
{
	wr(common + VIRTIO_PCI_COMMON_STATUS, 0, 1);
	wr(common + VIRTIO_PCI_COMMON_STATUS, VIRTIO_CONFIG_S_ACKNOWLEDGE | VIRTIO_CONFIG_S_DRIVER, 1);
	for (uint32_t page = 0; page < 2; page++) {
		wr(common + VIRTIO_PCI_COMMON_DFSELECT, page, 4);
		wr(common + VIRTIO_PCI_COMMON_GFSELECT, page, 4);
		wr(common + VIRTIO_PCI_COMMON_GF, rd(common + VIRTIO_PCI_COMMON_DF, 4), 4);
	}
	wr(common + VIRTIO_PCI_COMMON_STATUS, 11, 1);
	CHECK_EQ(rd(common + VIRTIO_PCI_COMMON_STATUS, 1), 11);
}

static void queue_set(uint64_t desc, uint64_t avail, uint64_t used)
{
	const struct {
		unsigned reg;
		uint64_t at;
	} regs[] = { { VIRTIO_PCI_COMMON_Q_DESCLO, desc },
		     { VIRTIO_PCI_COMMON_Q_AVAILLO, avail },
		     { VIRTIO_PCI_COMMON_Q_USEDLO, used } };

	wr(common + VIRTIO_PCI_COMMON_Q_SELECT, 0, 2);
	wr(common + VIRTIO_PCI_COMMON_Q_SIZE, QUEUE, 2);
	for (unsigned i = 0; i < ARRAY_LEN(regs); i++) {
		wr(common + regs[i].reg, (uint32_t)regs[i].at, 4);
		wr(common + regs[i].reg + 4, (uint32_t)(regs[i].at >> 32), 4);
	}
	wr(common + VIRTIO_PCI_COMMON_Q_ENABLE, 1, 2);
}

static void driver_start(void)
{
	cfg_write(PCI_COMMAND, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER, 2);
	caps_find();
	features_accept();
	memset(ram(0), 0, 0x10000);
	avail_idx = 0;
	queue_set(DESC, AVAIL, USED);
	CHECK_EQ(rd(common + VIRTIO_PCI_COMMON_Q_ENABLE, 2), 1);
	wr(common + VIRTIO_PCI_COMMON_STATUS, 15, 1);
}

static void desc_set(unsigned i, uint64_t at, uint32_t len, uint16_t flags, uint16_t next)
{
	uint8_t *d = ram(DESC + 16 * i);

	st_le64(d, at);
	st_le32(d + 8, len);
	st_le16(d + 12, flags);
	st_le16(d + 14, next);
}

static void avail_push(uint16_t head)
{
	st_le16(ram(AVAIL + 4 + 2 * (avail_idx % QUEUE)), head);
	st_le16(ram(AVAIL + 2), ++avail_idx);
}

static void header_set(uint32_t type, uint64_t sector)
{
	st_le32(ram(HEADER), type);
	st_le64(ram(HEADER + 8), sector);
	*ram(STATUS) = 0xee;
}

static uint16_t used_idx(void)
{
	return ld_le16(ram(USED + 2));
}

/* The usual three descriptors; returns the status byte. */
static uint8_t request(uint32_t type, uint64_t sector, uint32_t len)
{
	uint16_t before = used_idx();

	header_set(type, sector);
	desc_set(0, HEADER, 16, VRING_DESC_F_NEXT, 1);
	desc_set(1, DATA, len, VRING_DESC_F_NEXT | (type == VIRTIO_BLK_T_OUT ? 0 : VRING_DESC_F_WRITE), 2);
	desc_set(2, STATUS, 1, VRING_DESC_F_WRITE, 0);
	avail_push(0);
	wr(notify, 0, 2);
	CHECK_EQ((uint16_t)(used_idx() - before), 1);
	return *ram(STATUS);
}

static bool needs_reset(void)
{
	return rd(common + VIRTIO_PCI_COMMON_STATUS, 1) & VIRTIO_CONFIG_S_NEEDS_RESET;
}

static int image_make(void)
{
	FILE *f;

	snprintf(path, sizeof(path), "/tmp/gdbvm-test-virtio-%d", (int)getpid());
	f = fopen(path, "wb");
	if (!f)
		return -1;
	for (unsigned i = 0; i < SECTORS * 512; i++)
		fputc((int)(i / 512 + 1), f);
	fputs("tail", f); // not a whole sector: not part of the disk
	return fclose(f);
}

static const struct virtio_place *place(unsigned slot)
{
	static struct virtio_place p;

	p = (struct virtio_place){ .mem = &mem, .irq = &irq.lines, .pci = pci, .slot = slot };
	return &p;
}

static int setup(void **state)
{
	irq.lines.set = irq_set;
	irq.level = false;
	bus_init(&bus);
	if (image_make() < 0 || mem_init(&mem, &mem_layout_x86, RAM_SIZE, &why) < 0 ||
	    pci_create(&bus, PCI_HOST_440FX, &pci) < 0 || virtio_blk_create(place(SLOT), path, &blk, &why) < 0)
		return -1;
	driver_start();
	return 0;
}

static int teardown(void **state)
{
	virtio_blk_destroy(blk);
	pci_destroy(pci);
	bus_deinit(&bus);
	mem_deinit(&mem);
	unlink(path);
	return 0;
}

/* ---- configuration ---- */

TEST(device_is_a_modern_block_device)
{
	CHECK_EQ(cfg_read(0, 4), 0x10421af4);
	CHECK(cfg_read(PCI_REVISION_ID, 1) >= 1);
	CHECK_EQ(cfg_read(PCI_INTERRUPT_PIN, 1), 1);
	CHECK_EQ(cfg_read(PCI_INTERRUPT_LINE, 1), pci_gsi(SLOT, 1));
	CHECK_EQ(rd(common + VIRTIO_PCI_COMMON_NUMQ, 2), 1);
	CHECK_EQ(rd(device + offsetof(struct virtio_blk_config, capacity), 4), SECTORS);
	CHECK_EQ(rd(device + offsetof(struct virtio_blk_config, capacity) + 4, 4), 0);
	CHECK_EQ(rd(device + offsetof(struct virtio_blk_config, seg_max), 4), 254);
	CHECK_EQ(rd(device + 0x800, 4), 0); // behind the configuration
}

TEST(features_that_were_not_offered_are_refused)
{
	wr(common + VIRTIO_PCI_COMMON_STATUS, 0, 1);
	wr(common + VIRTIO_PCI_COMMON_GFSELECT, 0, 4);
	wr(common + VIRTIO_PCI_COMMON_GF, 1u << 31, 4);
	wr(common + VIRTIO_PCI_COMMON_GFSELECT, 1, 4);
	wr(common + VIRTIO_PCI_COMMON_GF, 1, 4);
	wr(common + VIRTIO_PCI_COMMON_STATUS, 11, 1);
	CHECK_EQ(rd(common + VIRTIO_PCI_COMMON_STATUS, 1), 3);
	wr(common + VIRTIO_PCI_COMMON_GFSELECT, 7, 4); // no such page
	wr(common + VIRTIO_PCI_COMMON_GF, 1, 4);
	CHECK_EQ(rd(common + VIRTIO_PCI_COMMON_GF, 4), 0);
}

TEST(driver_without_version_1_is_refused)
{
	wr(common + VIRTIO_PCI_COMMON_STATUS, 0, 1);
	wr(common + VIRTIO_PCI_COMMON_STATUS, 15, 1);
	CHECK_EQ(rd(common + VIRTIO_PCI_COMMON_STATUS, 1), 3);
}

TEST(queue_registers_belong_to_the_selected_queue)
{
	CHECK_EQ(rd(common + VIRTIO_PCI_COMMON_Q_SIZE, 2), QUEUE);
	wr(common + VIRTIO_PCI_COMMON_Q_SELECT, 1, 2);
	CHECK_EQ(rd(common + VIRTIO_PCI_COMMON_Q_SIZE, 2), 0); // there is none
	wr(common + VIRTIO_PCI_COMMON_Q_SIZE, 4, 2);
	wr(common + VIRTIO_PCI_COMMON_Q_SELECT, 0, 2);
	CHECK_EQ(rd(common + VIRTIO_PCI_COMMON_Q_SIZE, 2), QUEUE);
}

TEST(queue_size_must_be_a_power_of_two_up_to_256)
{
	static const uint16_t bad[] = { 0, 3, 512, 0xffff };

	wr(common + VIRTIO_PCI_COMMON_STATUS, 0, 1);
	CHECK_EQ(rd(common + VIRTIO_PCI_COMMON_Q_SIZE, 2), 256);
	for (unsigned i = 0; i < ARRAY_LEN(bad); i++) {
		wr(common + VIRTIO_PCI_COMMON_Q_SIZE, bad[i], 2);
		CHECK_EQ(rd(common + VIRTIO_PCI_COMMON_Q_SIZE, 2), 256);
	}
}

TEST(reset_forgets_everything)
{
	wr(common + VIRTIO_PCI_COMMON_STATUS, 0, 1);
	CHECK_EQ(rd(common + VIRTIO_PCI_COMMON_STATUS, 1), 0);
	CHECK_EQ(rd(common + VIRTIO_PCI_COMMON_Q_ENABLE, 2), 0);
	CHECK_EQ(rd(common + VIRTIO_PCI_COMMON_Q_DESCLO, 4), 0);
	driver_start();
	CHECK_EQ(request(VIRTIO_BLK_T_IN, 0, 512), VIRTIO_BLK_S_OK);
}

/* ---- requests ---- */

TEST(read_fills_the_buffer_and_raises_the_interrupt)
{
	CHECK_EQ(request(VIRTIO_BLK_T_IN, 3, 1024), VIRTIO_BLK_S_OK);
	CHECK_EQ(*ram(DATA), 4);
	CHECK_EQ(*ram(DATA + 512), 5);
	CHECK_EQ(ld_le32(ram(USED + 4)), 0);
	CHECK_EQ(ld_le32(ram(USED + 8)), 1025);
	CHECK(irq.level);
	CHECK_EQ(irq.gsi, pci_gsi(SLOT, 1));
	CHECK(cfg_read(PCI_STATUS, 2) & PCI_STATUS_INTERRUPT);
	CHECK_EQ(rd(isr, 1), 1);
	CHECK(!irq.level);
	CHECK_EQ(rd(isr, 1), 0);
}

TEST(interrupt_is_held_back_when_the_driver_asks)
{
	st_le16(ram(AVAIL), VRING_AVAIL_F_NO_INTERRUPT);
	request(VIRTIO_BLK_T_IN, 0, 512);
	CHECK(!irq.level);
	st_le16(ram(AVAIL), 0);
	cfg_write(PCI_COMMAND, PCI_COMMAND_MEMORY | PCI_COMMAND_INTX_DISABLE, 2);
	request(VIRTIO_BLK_T_IN, 0, 512);
	CHECK(!irq.level);
	cfg_write(PCI_COMMAND, PCI_COMMAND_MEMORY, 2);
	CHECK(irq.level);
}

TEST(written_data_is_read_back_and_in_the_file)
{
	FILE *f;

	memset(ram(DATA), 0x77, 512);
	CHECK_EQ(request(VIRTIO_BLK_T_OUT, 15, 512), VIRTIO_BLK_S_OK);
	CHECK_EQ(ld_le32(ram(USED + 8)), 1);
	CHECK_EQ(request(VIRTIO_BLK_T_FLUSH, 0, 0), VIRTIO_BLK_S_OK);
	memset(ram(DATA), 0, 512);
	CHECK_EQ(request(VIRTIO_BLK_T_IN, 15, 512), VIRTIO_BLK_S_OK);
	CHECK_EQ(*ram(DATA + 511), 0x77);
	f = fopen(path, "rb");
	CHECK(f);
	fseek(f, 15 * 512, SEEK_SET);
	CHECK_EQ(fgetc(f), 0x77);
	fclose(f);
}

TEST(data_may_be_in_any_pieces)
{
	// header in two parts, data in three of odd sizes, status at the end of the last
	header_set(VIRTIO_BLK_T_IN, 1);
	desc_set(0, HEADER, 5, VRING_DESC_F_NEXT, 1);
	desc_set(1, HEADER + 5, 11, VRING_DESC_F_NEXT, 2);
	desc_set(2, DATA, 7, VRING_DESC_F_NEXT | VRING_DESC_F_WRITE, 3);
	desc_set(3, DATA + 0x1000, 0, VRING_DESC_F_NEXT | VRING_DESC_F_WRITE, 4);
	desc_set(4, DATA + 0x2000, 506, VRING_DESC_F_WRITE, 0);
	*ram(DATA + 0x2000 + 505) = 0xee;
	avail_push(0);
	wr(notify, 0, 2);
	CHECK_EQ(used_idx(), 1);
	CHECK_EQ(*ram(DATA + 6), 2);
	CHECK_EQ(*ram(DATA + 0x2000 + 504), 2);
	CHECK_EQ(*ram(DATA + 0x2000 + 505), VIRTIO_BLK_S_OK);
	CHECK_EQ(ld_le32(ram(USED + 8)), 513);
}

TEST(requests_beyond_the_disk_fail_alone)
{
	CHECK_EQ(request(VIRTIO_BLK_T_IN, SECTORS, 512), VIRTIO_BLK_S_IOERR);
	CHECK_EQ(request(VIRTIO_BLK_T_IN, SECTORS - 1, 1024), VIRTIO_BLK_S_IOERR);
	CHECK_EQ(request(VIRTIO_BLK_T_OUT, UINT64_MAX, 512), VIRTIO_BLK_S_IOERR);
	CHECK_EQ(request(VIRTIO_BLK_T_IN, UINT64_MAX / 512, 512), VIRTIO_BLK_S_IOERR);
	CHECK_EQ(request(VIRTIO_BLK_T_IN, 0, 100), VIRTIO_BLK_S_IOERR);
	CHECK_EQ(request(99, 0, 512), VIRTIO_BLK_S_UNSUPP);
	CHECK(!needs_reset());
	CHECK_EQ(request(VIRTIO_BLK_T_IN, SECTORS - 1, 512), VIRTIO_BLK_S_OK);
}

TEST(image_cut_behind_our_back_is_an_io_error)
{
	CHECK_EQ(truncate(path, 512), 0);
	CHECK_EQ(request(VIRTIO_BLK_T_IN, 4, 512), VIRTIO_BLK_S_IOERR);
	CHECK_EQ(request(VIRTIO_BLK_T_IN, 0, 512), VIRTIO_BLK_S_OK);
}

TEST(disk_has_a_name)
{
	CHECK_EQ(request(VIRTIO_BLK_T_GET_ID, 0, 20), VIRTIO_BLK_S_OK);
	CHECK_STR(ram(DATA), "gdbvm");
	CHECK_EQ(request(VIRTIO_BLK_T_GET_ID, 0, 2), VIRTIO_BLK_S_OK);
}

TEST(many_requests_wrap_around_the_ring)
{
	for (unsigned i = 0; i < 70000; i++)
		CHECK_EQ(request(VIRTIO_BLK_T_GET_ID, 0, 20), VIRTIO_BLK_S_OK);
}

TEST(several_requests_are_served_by_one_notification)
{
	header_set(VIRTIO_BLK_T_FLUSH, 0);
	for (uint16_t i = 0; i < 4; i++) {
		desc_set(2 * i, HEADER, 16, VRING_DESC_F_NEXT, (uint16_t)(2 * i + 1));
		desc_set(2 * i + 1, STATUS + i, 1, VRING_DESC_F_WRITE, 0);
		avail_push((uint16_t)(2 * i));
	}
	wr(notify, 0, 2);
	CHECK_EQ(used_idx(), 4);
	CHECK_EQ(ld_le32(ram(USED + 4 + 8 * 3)), 6);
}

/* ---- hostile rings ---- */

/* Each request reads a new avail index over the ring it is in: a driver that adds while the device serves. */
TEST(one_notification_is_served_for_one_ringful_at_most)
{
	enum { SERVED_BEFORE = 1, MORE = QUEUE + 1 };

	st_le16(ram(DATA + 2), SERVED_BEFORE + MORE);
	CHECK_EQ(request(VIRTIO_BLK_T_OUT, 0, 512), VIRTIO_BLK_S_OK);
	header_set(VIRTIO_BLK_T_IN, 0);
	desc_set(1, AVAIL, 512, VRING_DESC_F_NEXT | VRING_DESC_F_WRITE, 2);
	avail_push(0);
	wr(notify, 0, 2);
	CHECK_EQ(used_idx(), SERVED_BEFORE + QUEUE);
	wr(notify, 0, 2);
	CHECK_EQ(used_idx(), SERVED_BEFORE + MORE);
	CHECK(!needs_reset());
}

static void check_stopped(void)
{
	CHECK_EQ(used_idx(), 0);
	CHECK(needs_reset());
	CHECK_EQ(rd(isr, 1), 2); // the configuration changed
	driver_start();
	CHECK_EQ(request(VIRTIO_BLK_T_IN, 0, 512), VIRTIO_BLK_S_OK);
}

TEST(descriptor_that_makes_no_sense_stops_the_device)
{
	static const struct {
		uint64_t at;
		uint32_t len;
		uint16_t flags, next;
	} bad[] = {
		{ HEADER, 16, VRING_DESC_F_NEXT, 0 },     // a loop of one
		{ HEADER, 16, VRING_DESC_F_NEXT, 7 },     // 7 and 0 point at each other
		{ HEADER, 16, VRING_DESC_F_NEXT, QUEUE }, // outside the table
		{ HEADER, 16, VRING_DESC_F_NEXT, 0xffff },
		{ RAM_SIZE - 8, 16, VRING_DESC_F_NEXT, 1 }, // runs out of RAM
		{ RAM_SIZE, 16, VRING_DESC_F_NEXT, 1 },
		{ UINT64_MAX - 3, 16, VRING_DESC_F_NEXT, 1 }, // wraps
		{ HEADER, UINT32_MAX, VRING_DESC_F_NEXT, 1 },
		{ HEADER, 16, VRING_DESC_F_NEXT | VRING_DESC_F_INDIRECT, 1 }, // not negotiated
		{ HEADER, 16, VRING_DESC_F_NEXT | VRING_DESC_F_WRITE, 2 },    // ours, then theirs
		{ HEADER, 15, VRING_DESC_F_NEXT, 1 },                         // no whole header
		{ HEADER, 16, 0, 0 },                                         // no place for a status
	};

	for (unsigned i = 0; i < ARRAY_LEN(bad); i++) {
		driver_start();
		header_set(VIRTIO_BLK_T_FLUSH, 0);
		desc_set(0, bad[i].at, bad[i].len, bad[i].flags, bad[i].next);
		desc_set(1, STATUS, 1, VRING_DESC_F_WRITE, 0);
		desc_set(2, HEADER, 16, VRING_DESC_F_NEXT, 1);
		desc_set(7, HEADER, 16, VRING_DESC_F_NEXT, 0);
		avail_push(0);
		wr(notify, 0, 2);
		check_stopped();
	}
}

TEST(avail_ring_that_makes_no_sense_stops_the_device)
{
	avail_push(QUEUE); // no such descriptor
	wr(notify, 0, 2);
	check_stopped();
	driver_start();
	st_le16(ram(AVAIL + 2), QUEUE + 1); // more than fit
	wr(notify, 0, 2);
	check_stopped();
}

TEST(queue_outside_ram_or_misaligned_stops_the_device)
{
	static const struct {
		uint64_t desc, avail, used;
	} bad[] = {
		{ DESC + 8, AVAIL, USED },        { DESC, AVAIL + 1, USED },    { DESC, AVAIL, USED + 2 },
		{ RAM_SIZE, AVAIL, USED },        { DESC, RAM_SIZE - 4, USED }, { DESC, AVAIL, RAM_SIZE - 8 },
		{ UINT64_MAX - 15, AVAIL, USED }, { DESC, AVAIL, 1ull << 40 },
	};

	for (unsigned i = 0; i < ARRAY_LEN(bad); i++) {
		features_accept();
		queue_set(bad[i].desc, bad[i].avail, bad[i].used);
		CHECK_EQ(rd(common + VIRTIO_PCI_COMMON_Q_ENABLE, 2), 0);
		CHECK(needs_reset());
		wr(common + VIRTIO_PCI_COMMON_STATUS, 15, 1);
		CHECK(needs_reset()); // only a reset helps
		wr(notify, 0, 2);
	}
	driver_start();
	CHECK_EQ(request(VIRTIO_BLK_T_IN, 0, 512), VIRTIO_BLK_S_OK);
}

TEST(device_is_quiet_before_driver_ok)
{
	features_accept();
	memset(ram(0), 0, 0x10000);
	avail_idx = 0;
	wr(notify, 0, 2);
	queue_set(DESC, AVAIL, USED);
	avail_push(QUEUE);
	wr(notify, 0, 2);
	CHECK(!needs_reset());
	CHECK_EQ(used_idx(), 0);
}

TEST(random_accesses_and_rings_do_no_harm)
{
	uint64_t seed = 0x9e3779b97f4a7c15;

	for (unsigned i = 0; i < 20000; i++) {
		seed = seed * 6364136223846793005u + 1442695040888963407u;
		uint32_t r = (uint32_t)(seed >> 32);

		if (i % 64 == 0)
			driver_start();
		for (unsigned k = 0; k < 8; k++)
			desc_set(k, (r >> k) % (RAM_SIZE + 0x1000), (r >> 3 * k) % 2048, (r >> k) & 7,
				 (r >> 2 * k) & 15);
		header_set(r & 15, r >> 28);
		avail_push((uint16_t)(r & 7));
		// DATA keeps the rings themselves out of the device's way only by chance: that is the point
		wr(common + (r >> 8) % 0x4000 / 4 * 4, r, 1u << (r >> 30) % 3);
		wr(notify, 0, 2);
	}
}

/* ---- the file ---- */

TEST(read_only_file_makes_a_read_only_disk)
{
	virtio_blk_destroy(blk);
	blk = NULL;
	pci_destroy(pci);
	bus_deinit(&bus);
	bus_init(&bus);
	CHECK_EQ(pci_create(&bus, PCI_HOST_440FX, &pci), 0);
	// The program that runs: not even root may write it.
	CHECK_EQ(virtio_blk_create(place(SLOT), "/proc/self/exe", &blk, &why), 0);
	driver_start();
	wr(common + VIRTIO_PCI_COMMON_DFSELECT, 0, 4);
	CHECK(rd(common + VIRTIO_PCI_COMMON_DF, 4) & 1u << VIRTIO_BLK_F_RO);
	CHECK_EQ(request(VIRTIO_BLK_T_OUT, 0, 512), VIRTIO_BLK_S_IOERR);
	CHECK_EQ(request(VIRTIO_BLK_T_IN, 0, 512), VIRTIO_BLK_S_OK);
}

TEST(file_that_is_no_disk_is_refused_with_its_name)
{
	struct virtio_blk *other = NULL;

	CHECK_EQ(virtio_blk_create(place(5), "/nonexistent/disk", &other, &why), -ENOENT);
	CHECK(strstr(why.text, "/nonexistent/disk"));
	CHECK_EQ(virtio_blk_create(place(5), "/dev/null", &other, &why), -EINVAL);
	CHECK_EQ(truncate(path, 511), 0);
	CHECK_EQ(virtio_blk_create(place(5), path, &other, &why), -EINVAL);
	CHECK(strstr(why.text, "512 bytes"));
	CHECK_EQ(truncate(path, 512), 0);
	CHECK_EQ(virtio_blk_create(place(SLOT), path, &other, &why), -EEXIST);
	CHECK(!other);
}

#define V(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
TESTS(V(device_is_a_modern_block_device), V(features_that_were_not_offered_are_refused),
      V(driver_without_version_1_is_refused), V(queue_registers_belong_to_the_selected_queue),
      V(queue_size_must_be_a_power_of_two_up_to_256), V(reset_forgets_everything),
      V(read_fills_the_buffer_and_raises_the_interrupt), V(interrupt_is_held_back_when_the_driver_asks),
      V(written_data_is_read_back_and_in_the_file), V(data_may_be_in_any_pieces),
      V(requests_beyond_the_disk_fail_alone), V(image_cut_behind_our_back_is_an_io_error), V(disk_has_a_name),
      V(many_requests_wrap_around_the_ring), V(several_requests_are_served_by_one_notification),
      V(one_notification_is_served_for_one_ringful_at_most), V(descriptor_that_makes_no_sense_stops_the_device),
      V(avail_ring_that_makes_no_sense_stops_the_device), V(queue_outside_ram_or_misaligned_stops_the_device),
      V(device_is_quiet_before_driver_ok), V(random_accesses_and_rings_do_no_harm),
      V(read_only_file_makes_a_read_only_disk), V(file_that_is_no_disk_is_refused_with_its_name))
