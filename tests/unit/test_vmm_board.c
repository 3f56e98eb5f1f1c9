/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "test.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "util/bytes.h"
#include "util/macros.h"
#include "vmm/board.h"

/* All devices together, as a guest sees them that writes anything anywhere. */
enum { RAM_SIZE = 4 << 20, ACCESSES = 400000 };

struct rig {
	struct irq_lines irq;
	struct guest_clock clock;
	struct bus bus;
	struct mem mem;
	struct board *board;
	char disk[64];
	uint64_t seed;
	unsigned bad_gsis;
};

static void irq_set(struct irq_lines *l, unsigned gsi, bool level)
{
	container_of(l, struct rig, irq)->bad_gsis += gsi >= 24;
}

static uint64_t now_ns(struct guest_clock *c)
{
	return container_of(c, struct rig, clock)->seed;
}

static void console_out(void *arg, const void *p, size_t n)
{
}

static void rig_init(struct rig *r)
{
	struct vm_cfg cfg = { .console_out = console_out, .disk = r->disk, .firmware = r->disk, .cpus = 1 };
	struct errtext why;
	FILE *f;

	*r = (struct rig){ .irq.set = irq_set, .clock.now_ns = now_ns, .seed = 20 };
	snprintf(r->disk, sizeof(r->disk), "/tmp/gdbvm-test-board-%d", (int)getpid());
	f = fopen(r->disk, "wb");
	CHECK(f != NULL);
	CHECK_EQ(ftruncate(fileno(f), 64 << 10), 0);
	fclose(f);
	bus_init(&r->bus);
	CHECK_EQ(mem_init(&r->mem, &mem_layout_x86, RAM_SIZE, &why), 0);
	CHECK_EQ(board_x86.create(&cfg, &(struct board_ports){ &r->bus, &r->mem, &r->irq, &r->clock }, &r->board, &why),
		 0);
}

static void rig_deinit(struct rig *r)
{
	board_x86.destroy(r->board);
	mem_deinit(&r->mem);
	bus_deinit(&r->bus);
	unlink(r->disk);
}

static uint32_t pick(struct rig *r, uint32_t below)
{
	r->seed = r->seed * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)(r->seed >> 33) % below;
}

/* Mostly where something is. */
static uint64_t pick_port(struct rig *r)
{
	static const uint16_t at[] = { 0x60,  0x64,  0x70,  0x71,  0x80,  0x92, 0x3f8,
				       0x402, 0x510, 0x514, 0x600, 0xcf8, 0xcfc };

	return pick(r, 8) ? at[pick(r, ARRAY_LEN(at))] + pick(r, 8) : pick(r, 0x10000);
}

/* The disk's BAR goes where the guest puts it: often back to where it was. */
static void pci_config(struct rig *r)
{
	uint8_t b[4];

	st_le32(b, 0x80000000u | pick(r, 4) << 11 | (pick(r, 2) ? pick(r, 16) << 2 : 0x04 + 0x0c * pick(r, 2)));
	bus_access(&r->bus, 0, BUS_PIO, 0xcf8, true, b, 4);
	st_le32(b, pick(r, 2) ? MEM_HOLE_START | 2 : pick(r, UINT32_MAX));
	bus_access(&r->bus, 0, BUS_PIO, 0xcfc, pick(r, 4), b, 4);
}

TEST(board_takes_any_access_and_lives)
{
	static const unsigned widths[] = { 1, 2, 3, 4, 8 };
	struct rig r;

	rig_init(&r);
	for (unsigned i = 0; i < ACCESSES; i++) {
		uint8_t p[8];
		const bool mmio = pick(&r, 2);
		const unsigned n = widths[pick(&r, ARRAY_LEN(widths))];
		const uint64_t at =
			mmio ? MEM_HOLE_START + (pick(&r, 2) ? pick(&r, 0x40) : pick(&r, 0x5000)) : pick_port(&r);

		if (i % 16 == 0)
			pci_config(&r);
		if (i % 64 == 0)
			board_x86.console_in(r.board, p, pick(&r, sizeof(p) + 1));
		st_le64(p, pick(&r, 2) ? pick(&r, 256) : (uint64_t)pick(&r, UINT32_MAX) * 3);
		bus_access(&r.bus, 0, mmio ? BUS_MMIO : BUS_PIO, at, pick(&r, 3) > 0, p, n);
	}
	CHECK_EQ(r.bad_gsis, 0);
	rig_deinit(&r);
}

TEST(board_says_where_its_devices_answer_in_order)
{
	unsigned n;
	const struct target_region *m = board_x86.mmio(NULL, &n);

	for (unsigned i = 0; i < n; i++) {
		CHECK_EQ(m[i].kind, TARGET_MMIO);
		CHECK(i == 0 || m[i].start.raw >= m[i - 1].start.raw + m[i - 1].size);
	}
}

TESTS(T(board_takes_any_access_and_lives), T(board_says_where_its_devices_answer_in_order))
