/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "test.h"

#include <errno.h>
#include <linux/pci_regs.h>

#include "util/bytes.h"
#include "util/macros.h"
#include "vmm/dev.h"

/* A guest's view: only ports and addresses on the bus. */
static struct bus bus;
static struct pci *pci;

static uint32_t in(uint16_t port, unsigned n)
{
	uint8_t b[4] = { 0 };

	bus_access(&bus, 0, BUS_PIO, port, false, b, n);
	return ld_le32(b);
}

static void out(uint16_t port, uint32_t val, unsigned n)
{
	uint8_t b[4];

	st_le32(b, val);
	CHECK_EQ(bus_access(&bus, 0, BUS_PIO, port, true, b, n), KVM_FATE_RUN);
}

static void select_reg(unsigned devfn, unsigned reg)
{
	out(0xcf8, 0x80000000u | devfn << 8 | (reg & 0xfc), 4);
}

static uint32_t cfg_read(unsigned devfn, unsigned reg, unsigned n)
{
	select_reg(devfn, reg);
	return in((uint16_t)(0xcfc + (reg & 3)), n);
}

static void cfg_write(unsigned devfn, unsigned reg, uint32_t val, unsigned n)
{
	select_reg(devfn, reg);
	out((uint16_t)(0xcfc + (reg & 3)), val, n);
}

/* A function with a memory and an I/O BAR, each of which reads as a constant. */
struct card {
	struct pci_func f;
	struct io_dev mem, io;
	unsigned written_at;
};

static void read_mem(struct io_dev *d, unsigned vcpu, uint32_t off, void *p, unsigned n)
{
	memset(p, 0x11, n);
}

static void read_io(struct io_dev *d, unsigned vcpu, uint32_t off, void *p, unsigned n)
{
	memset(p, 0x22, n);
}

static void config_written(struct pci_func *f, unsigned off, unsigned n)
{
	container_of(f, struct card, f)->written_at = off;
}

static int card_add(struct card *c, uint8_t devfn)
{
	*c = (struct card){
		.f = { .devfn = devfn, .bar = { [0] = &c->mem, [2] = &c->io }, .config_written = config_written },
		.mem = { .name = "m", .kind = BUS_MMIO, .len = 0x4000, .min_op = 1, .max_op = 4, .read = read_mem },
		.io = { .name = "i", .kind = BUS_PIO, .len = 0x20, .min_op = 1, .max_op = 4, .read = read_io },
	};
	st_le32(c->f.config, 0x10421af4);
	c->f.config[PCI_INTERRUPT_PIN] = 1;
	return pci_add(pci, &c->f);
}

static uint32_t mmio_read(uint64_t at)
{
	uint8_t b[4];

	bus_access(&bus, 0, BUS_MMIO, at, false, b, 4);
	return ld_le32(b);
}

static int setup(void **state)
{
	bus_init(&bus);
	return pci_create(&bus, PCI_HOST_440FX, &pci);
}

static int teardown(void **state)
{
	bus_deinit(&bus);
	pci_destroy(pci);
	return 0;
}

TEST(host_bridge_is_a_440fx_at_00_00_0)
{
	CHECK_EQ(cfg_read(0, PCI_VENDOR_ID, 4), 0x12378086);
	CHECK_EQ(cfg_read(0, PCI_CLASS_DEVICE, 2), 0x0600);
	cfg_write(0, PCI_VENDOR_ID, 0, 4);
	CHECK_EQ(cfg_read(0, PCI_DEVICE_ID, 2), 0x1237);
	CHECK_EQ(cfg_read(0, 0x59, 1), 0); // shadow RAM is closed at reset
	cfg_write(0, 0x59, 0xff, 1);
	CHECK_EQ(cfg_read(0, 0x59, 1), 0x33);
}

TEST(config_space_takes_bytes_words_and_dwords)
{
	struct card c;

	CHECK_EQ(card_add(&c, 3 << 3), 0);
	CHECK_EQ(cfg_read(3 << 3, 0, 4), 0x10421af4);
	CHECK_EQ(cfg_read(3 << 3, 2, 2), 0x1042);
	CHECK_EQ(cfg_read(3 << 3, 1, 1), 0x1a);
	CHECK_EQ(in(0xcff, 2), 0xffff); // would leave the register
	cfg_write(3 << 3, PCI_INTERRUPT_LINE, 0x5a, 1);
	CHECK_EQ(cfg_read(3 << 3, PCI_INTERRUPT_LINE, 4) & 0xffff, 0x015a);
	CHECK_EQ(c.written_at, PCI_INTERRUPT_LINE);
}

TEST(nobody_there_reads_ones)
{
	CHECK_EQ(cfg_read(4 << 3, 0, 4), 0xffffffff);
	out(0xcf8, 0x80010000, 4); // bus 1
	CHECK_EQ(in(0xcfc, 4), 0xffffffff);
	out(0xcf8, 0, 4); // not enabled
	CHECK_EQ(in(0xcfc, 4), 0xffffffff);
	out(0xcfc, 0, 4);
}

TEST(address_port_is_only_a_dword)
{
	select_reg(0, 4);
	CHECK_EQ(in(0xcf8, 4), 0x80000004);
	CHECK_EQ(in(0xcf9, 1), 0xff);
	out(0xcf9, 0, 1);
	CHECK_EQ(in(0xcf8, 4), 0x80000004);
}

TEST(bars_have_addresses_and_tell_their_size)
{
	struct card c;
	uint32_t mem, io;

	CHECK_EQ(card_add(&c, 8), 0);
	mem = cfg_read(8, PCI_BASE_ADDRESS_0, 4);
	io = cfg_read(8, PCI_BASE_ADDRESS_2, 4);
	CHECK(mem >= 0xc0000000 && mem < 0xfec00000);
	CHECK_EQ(mem % 0x4000, 0);
	CHECK_EQ(io & 3, 1);
	cfg_write(8, PCI_BASE_ADDRESS_0, 0xffffffff, 4);
	CHECK_EQ(cfg_read(8, PCI_BASE_ADDRESS_0, 4), 0xffffc000);
	cfg_write(8, PCI_BASE_ADDRESS_2, 0xffffffff, 4);
	CHECK_EQ(cfg_read(8, PCI_BASE_ADDRESS_2, 4), 0xffffffe1);
	cfg_write(8, PCI_BASE_ADDRESS_1, 0xffffffff, 4);
	CHECK_EQ(cfg_read(8, PCI_BASE_ADDRESS_1, 4), 0); // none
}

TEST(bars_answer_only_while_enabled)
{
	struct card c;
	uint32_t mem, io;

	CHECK_EQ(card_add(&c, 8), 0);
	mem = cfg_read(8, PCI_BASE_ADDRESS_0, 4);
	io = cfg_read(8, PCI_BASE_ADDRESS_2, 4) & ~3u;
	CHECK_EQ(mmio_read(mem), 0xffffffff);
	cfg_write(8, PCI_COMMAND, PCI_COMMAND_MEMORY, 2);
	CHECK_EQ(mmio_read(mem), 0x11111111);
	CHECK_EQ(in((uint16_t)io, 4), 0xffffffff);
	cfg_write(8, PCI_COMMAND, PCI_COMMAND_IO, 2);
	CHECK_EQ(mmio_read(mem), 0xffffffff);
	CHECK_EQ(in((uint16_t)io, 4), 0x22222222);
	cfg_write(8, PCI_COMMAND, 0xffff, 2);
	CHECK_EQ(cfg_read(8, PCI_COMMAND, 2), PCI_COMMAND_IO | PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER |
						      PCI_COMMAND_SERR | PCI_COMMAND_INTX_DISABLE);
}

TEST(bar_moves_with_what_the_guest_writes)
{
	struct card c;
	uint32_t old;

	CHECK_EQ(card_add(&c, 8), 0);
	old = cfg_read(8, PCI_BASE_ADDRESS_0, 4);
	cfg_write(8, PCI_COMMAND, PCI_COMMAND_MEMORY, 2);
	cfg_write(8, PCI_BASE_ADDRESS_0, 0xe0000000, 4);
	CHECK_EQ(mmio_read(old), 0xffffffff);
	CHECK_EQ(mmio_read(0xe0000000), 0x11111111);
	CHECK_EQ(mmio_read(0xe0003ffc), 0x11111111);
	CHECK_EQ(mmio_read(0xe0004000), 0xffffffff);
	cfg_write(8, PCI_BASE_ADDRESS_0 + 3, 0xe1, 1); // byte by byte works too
	CHECK_EQ(mmio_read(0xe1000000), 0x11111111);
}

TEST(bar_in_anothers_way_is_mapped_once_that_moves)
{
	struct card a, b;
	uint32_t at;

	CHECK_EQ(card_add(&a, 8), 0);
	CHECK_EQ(card_add(&b, 16), 0);
	at = cfg_read(8, PCI_BASE_ADDRESS_0, 4);
	CHECK(at != cfg_read(16, PCI_BASE_ADDRESS_0, 4));
	cfg_write(8, PCI_COMMAND, PCI_COMMAND_MEMORY, 2);
	cfg_write(16, PCI_COMMAND, PCI_COMMAND_MEMORY, 2);
	cfg_write(16, PCI_BASE_ADDRESS_0, at, 4);
	CHECK_EQ(a.mem.base, at);
	CHECK_EQ(b.mem.base, BUS_NOWHERE);
	cfg_write(8, PCI_BASE_ADDRESS_0, 0xf0000000, 4);
	CHECK_EQ(b.mem.base, at);
	CHECK_EQ(a.mem.base, 0xf0000000);
}

TEST(io_bar_beyond_64_kib_is_not_mapped)
{
	struct card c;

	CHECK_EQ(card_add(&c, 8), 0);
	cfg_write(8, PCI_COMMAND, PCI_COMMAND_IO, 2);
	cfg_write(8, PCI_BASE_ADDRESS_2, 0x10000, 4);
	CHECK_EQ(c.io.base, BUS_NOWHERE);
}

TEST(slot_taken_or_bad_bar_is_an_error)
{
	struct card a, b, c = { .mem = { .kind = BUS_MMIO, .len = 0x3000 } };

	CHECK_EQ(card_add(&a, 8), 0);
	CHECK_EQ(card_add(&b, 8), -EEXIST);
	c.f = (struct pci_func){ .devfn = 16, .bar = { &c.mem } };
	CHECK_EQ(pci_add(pci, &c.f), -EINVAL);
}

TEST(interrupts_go_to_gsi_16_to_23)
{
	CHECK_EQ(pci_gsi(0, 1), 16);
	CHECK_EQ(pci_gsi(2, 1), 18);
	CHECK_EQ(pci_gsi(2, 4), 21);
	CHECK_EQ(pci_gsi(8, 1), 16);
	CHECK_EQ(pci_gsi(31, 4), 18);
}

#define P(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
TESTS(P(host_bridge_is_a_440fx_at_00_00_0), P(config_space_takes_bytes_words_and_dwords), P(nobody_there_reads_ones),
      P(address_port_is_only_a_dword), P(bars_have_addresses_and_tell_their_size), P(bars_answer_only_while_enabled),
      P(bar_moves_with_what_the_guest_writes), P(bar_in_anothers_way_is_mapped_once_that_moves),
      P(io_bar_beyond_64_kib_is_not_mapped), P(slot_taken_or_bad_bar_is_an_error), P(interrupts_go_to_gsi_16_to_23))
