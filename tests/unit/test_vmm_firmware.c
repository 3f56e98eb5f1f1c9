/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What firmware finds on a PC beside what every guest has: PIIX, fw_cfg, port 0x92 and flash memory. */
#include "test.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/pci_regs.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "util/bytes.h"
#include "util/macros.h"
#include "vmm/boot.h"
#include "vmm/dev.h"
#include "vmm/pm.h"

enum { RAM_SIZE = 1 << 20, NVRAM_SIZE = 0x3000, ISA = 1 << 3, POWER = 1 << 3 | 3, PMBA = 0x40, PMREGMISC = 0x80 };
#define NVRAM_END (MEM_HOLE_END - 0x10000)
#define NVRAM_AT (NVRAM_END - NVRAM_SIZE)

static struct guest_clock guest_clock;
static struct bus bus;
static struct mem mem;
static struct pm *pm;
static struct pci *pci;
static struct piix *piix;
static struct fw_cfg *fw_cfg;
static struct flash *flash;
static struct io_dev *port92;
static char nvram[64];

static uint64_t one_second(struct guest_clock *c)
{
	return 1000000000;
}

static void nvram_write(size_t size)
{
	FILE *f = fopen(nvram, "wb");

	CHECK(f != NULL);
	for (size_t i = 0; i < size; i++)
		fputc((int)(i >> 12) + 1, f);
	fclose(f);
}

static uint8_t nvram_byte(long off)
{
	FILE *f = fopen(nvram, "rb");

	CHECK(f != NULL);
	fseek(f, off, SEEK_SET);
	const int v = fgetc(f);
	fclose(f);
	return (uint8_t)v;
}

static int setup(void **state)
{
	struct errtext why;

	snprintf(nvram, sizeof(nvram), "/tmp/gdbvm-test-nvram-%d", (int)getpid());
	nvram_write(NVRAM_SIZE);
	guest_clock.now_ns = one_second;
	bus_init(&bus);
	CHECK_EQ(mem_init(&mem, &mem_layout_x86, RAM_SIZE, &why), 0);
	CHECK_EQ(pm_create(&bus, &guest_clock, &pm), 0);
	CHECK_EQ(pci_create(&bus, PCI_HOST_440FX, &pci), 0);
	CHECK_EQ(piix_create(pci, pm, &piix), 0);
	CHECK_EQ(fw_cfg_create(&bus, &mem, &fw_cfg), 0);
	CHECK_EQ(firmware_x86_describe(fw_cfg, &mem, 3), 0);
	CHECK_EQ(acpi_x86_offer(fw_cfg, 3), 0);
	CHECK_EQ(port92_create(&bus, &port92), 0);
	CHECK_EQ(flash_create(&bus, &mem, NVRAM_END, nvram, &flash, &why), 0);
	return 0;
}

static int teardown(void **state)
{
	flash_destroy(flash);
	fw_cfg_destroy(fw_cfg);
	piix_destroy(piix);
	pci_destroy(pci);
	pm_destroy(pm);
	free(port92);
	mem_deinit(&mem);
	bus_deinit(&bus);
	unlink(nvram);
	return 0;
}

static uint32_t in(uint16_t port, unsigned n)
{
	uint8_t b[4] = { 0 };

	bus_access(&bus, 0, BUS_PIO, port, false, b, n);
	return ld_le32(b);
}

static enum kvm_fate out(uint16_t port, uint32_t v, unsigned n)
{
	uint8_t b[4];

	st_le32(b, v);
	return bus_access(&bus, 0, BUS_PIO, port, true, b, n);
}

static uint32_t config_read(unsigned devfn, unsigned reg, unsigned n)
{
	out(0xcf8, 0x80000000u | devfn << 8 | (reg & 0xfc), 4);
	return in((uint16_t)(0xcfc + (reg & 3)), n);
}

static void config_write(unsigned devfn, unsigned reg, uint32_t v, unsigned n)
{
	out(0xcf8, 0x80000000u | devfn << 8 | (reg & 0xfc), 4);
	out((uint16_t)(0xcfc + (reg & 3)), v, n);
}

/* ---- PIIX ---- */

TEST(piix_has_an_isa_bridge_and_power_management)
{
	CHECK_EQ(config_read(ISA, PCI_VENDOR_ID, 4), 0x70008086);
	CHECK_EQ(config_read(ISA, PCI_CLASS_DEVICE, 2), 0x0601);
	CHECK_EQ(config_read(ISA, PCI_COMMAND, 2) & 3, 3); // else nobody looks for a serial port behind it
	config_write(ISA, PCI_COMMAND, 0, 2);
	CHECK_EQ(config_read(ISA, PCI_COMMAND, 2) & 3, 3);
	CHECK_EQ(config_read(ISA, PCI_HEADER_TYPE, 1), 0x80); // so that the other function is looked for
	CHECK_EQ(config_read(POWER, PCI_VENDOR_ID, 4), 0x71138086);
	CHECK_EQ(config_read(POWER, PMBA, 4), 1);
	CHECK_EQ(config_read(POWER, PMREGMISC, 1), 0);
	CHECK_EQ(config_read(POWER, 0x58, 4) >> 25 & 1, 1); // nobody waits for an SMI
}

TEST(power_management_is_where_firmware_maps_it_too)
{
	config_write(POWER, PMBA, 0xb000, 4);
	CHECK_EQ(config_read(POWER, PMBA, 4), 0xb001);
	CHECK_EQ(in(0xb008, 4), 0xffffffff);
	config_write(POWER, PMREGMISC, 1, 1);
	CHECK_EQ(in(0xb008, 4), 3579545);
	CHECK_EQ(in(PM_TMR_PORT, 4), 3579545);
	out(0xb002, 0x0120, 2);
	CHECK_EQ(in(PM_EVT_PORT + 2, 2), 0x0120);
	config_write(POWER, PMBA, 0xffffffff, 4);
	CHECK_EQ(in(0xb008, 4), 0xffffffff);
	CHECK_EQ(in(0xffc8, 4), 3579545);
	config_write(POWER, PMREGMISC, 0, 1);
	CHECK_EQ(in(0xffc8, 4), 0xffffffff);
}

TEST(power_management_in_anothers_way_is_not_mapped)
{
	config_write(POWER, PMREGMISC, 1, 1);
	config_write(POWER, PMBA, PM_IO_BASE, 4);
	CHECK_EQ(in(PM_TMR_PORT, 4), 3579545);
	config_write(POWER, PMBA, 0xcc0, 4); // its timer would be at 0xcc8
	CHECK_EQ(in(0xcc8, 4), 3579545);
	config_write(POWER, PMBA, 0x500, 4); // fw_cfg is at 0x510, the timer is not in its way
	CHECK_EQ(in(0x508, 4), 3579545);
	config_write(POWER, PMBA, 0xb000, 4);
	CHECK_EQ(in(0xb008, 4), 3579545);
}

TEST(piix_sleep_type_0_is_power_off)
{
	config_write(POWER, PMBA, 0xb000, 4);
	config_write(POWER, PMREGMISC, 1, 1);
	CHECK_EQ(out(0xb004, 5 << 10 | 1 << 13, 2), KVM_FATE_RUN);
	CHECK_EQ(out(PM_CNT_PORT, 1 << 13, 2), KVM_FATE_RUN);
	CHECK_EQ(out(0xb004, 1 << 13, 2), KVM_FATE_OFF);
}

TEST(port92_has_a20_on_and_resets)
{
	CHECK_EQ(in(0x92, 1), 2);
	CHECK_EQ(out(0x92, 2, 1), KVM_FATE_RUN);
	CHECK_EQ(out(0x92, 3, 1), KVM_FATE_RESET);
}

/* ---- fw_cfg ---- */

static void item_read(uint16_t key, void *p, unsigned n)
{
	out(0x510, key, 2);
	for (unsigned i = 0; i < n; i++)
		((uint8_t *)p)[i] = (uint8_t)in(0x511, 1);
}

/* The key of a file, and its size; -1. */
static int file_find(const char *name, uint32_t *size)
{
	uint8_t count[4], entry[64];

	item_read(0x19, count, 4);
	for (uint32_t i = 0; i < ld_be32(count); i++) {
		for (unsigned k = 0; k < sizeof(entry); k++)
			entry[k] = (uint8_t)in(0x511, 1);
		*size = ld_be32(entry);
		if (strcmp((char *)entry + 8, name) == 0)
			return entry[4] << 8 | entry[5];
	}
	return -1;
}

static uint32_t dma(uint32_t control, uint32_t len, uint64_t at)
{
	uint8_t *request = mem_ptr(&mem, GPA(0x1000), 16);

	st_be32(request, control);
	st_be32(request + 4, len);
	st_be32(request + 8, (uint32_t)(at >> 32));
	st_be32(request + 12, (uint32_t)at);
	out(0x514, 0, 4);
	out(0x518, htobe32(0x1000), 4);
	return ld_be32(request);
}

TEST(fw_cfg_says_who_it_is)
{
	uint8_t b[8];

	item_read(0, b, 6);
	CHECK_MEM(b, "QEMU\0", 6); // zeros after the end
	item_read(1, b, 4);
	CHECK_EQ(ld_le32(b), 3);
	CHECK_EQ(in(0x514, 4), ld_le32("QEMU"));
	CHECK_EQ(in(0x518, 4), ld_le32(" CFG"));
	item_read(0x7777, b, 4);
	CHECK_EQ(ld_le32(b), 0);
}

TEST(fw_cfg_tells_of_processors_and_memory)
{
	uint8_t b[24];
	uint32_t size;

	item_read(5, b, 2);
	CHECK_EQ(ld_le16(b), 3);
	item_read(0x0f, b, 2);
	CHECK_EQ(ld_le16(b), 3);
	item_read((uint16_t)file_find("etc/e820", &size), b, 20);
	CHECK_EQ(size, 20);
	CHECK_EQ(ld_le64(b), 0);
	CHECK_EQ(ld_le64(b + 8), RAM_SIZE);
	CHECK_EQ(ld_le32(b + 16), 1);
	CHECK_EQ(file_find("etc/unknown", &size), -1);
}

TEST(fw_cfg_memory_above_4_gib_is_a_range_of_its_own)
{
	struct mem big = { .ram_size = MEM_HOLE_START + 0x40000000 };
	struct bus other;
	struct fw_cfg *f;
	uint8_t request[16] = { 0 }, *p;

	bus_init(&other);
	CHECK_EQ(fw_cfg_create(&other, &mem, &f), 0);
	CHECK_EQ(firmware_x86_describe(f, &big, 1), 0);
	// the first file
	st_be32(request, 0x20 << 16 | 8 | 2);
	st_be32(request + 4, 40);
	st_be32(request + 12, 0x2000);
	memcpy(mem_ptr(&mem, GPA(0x1000), 16), request, 16);
	bus_access(&other, 0, BUS_PIO, 0x518, true, (uint32_t[]){ htobe32(0x1000) }, 4);
	p = mem_ptr(&mem, GPA(0x2000), 40);
	CHECK_EQ(ld_le64(p + 8), MEM_HOLE_START);
	CHECK_EQ(ld_le64(p + 20), 0x100000000ull);
	CHECK_EQ(ld_le64(p + 28), 0x40000000);
	fw_cfg_destroy(f);
	bus_deinit(&other);
}

TEST(fw_cfg_dma_reads_and_skips)
{
	uint8_t *to = mem_ptr(&mem, GPA(0x3000), 16);

	memset(to, 0xaa, 16);
	CHECK_EQ(dma(0 << 16 | 8 | 2, 8, 0x3000), 0);
	CHECK_MEM(to, "QEMU\0\0\0\0\xaa", 9);
	CHECK_EQ(dma(0 << 16 | 8, 0, 0), 0); // only select
	CHECK_EQ(dma(4, 2, 0), 0);
	CHECK_EQ(dma(2, 2, 0x3000), 0);
	CHECK_MEM(to, "MU", 2);
	CHECK_EQ(dma(4, 0xffffffff, 0), 0);
	CHECK_EQ(dma(2, 4, 0x3000), 0);
	CHECK_MEM(to, "\0\0\0\0", 4);
}

TEST(fw_cfg_dma_stays_inside_of_ram)
{
	static const uint64_t bad[] = { RAM_SIZE, RAM_SIZE - 3, UINT64_MAX, UINT64_MAX - 3, NVRAM_AT };

	for (unsigned i = 0; i < ARRAY_LEN(bad); i++)
		CHECK_EQ(dma(0 << 16 | 8 | 2, 4, bad[i]), 1);
	CHECK_EQ(dma(2, 0xffffffff, 0), 1);
	CHECK_EQ(dma(2, RAM_SIZE + 1, 0), 1);
	CHECK_EQ(dma(2, 4, RAM_SIZE - 4), 0);
	// a request that is nowhere, or half in RAM, is none
	out(0x514, 0xffffffff, 4);
	out(0x518, 0xffffffff, 4);
	out(0x518, htobe32(RAM_SIZE - 15), 4);
	out(0x518, htobe32((uint32_t)NVRAM_AT), 4);
}

TEST(fw_cfg_items_are_not_written)
{
	uint8_t b[4];

	CHECK_EQ(dma(0 << 16 | 8 | 0x10, 4, 0x3000), 1);
	out(0x511, 'X', 1);
	item_read(0, b, 4);
	CHECK_MEM(b, "QEMU", 4);
}

TEST(fw_cfg_has_an_end)
{
	char name[64];
	int rc = 0;

	memset(name, 'n', sizeof(name));
	name[56] = '\0';
	CHECK_EQ(fw_cfg_add_file(fw_cfg, name, "", 0), -ENAMETOOLONG);
	name[55] = '\0';
	CHECK_EQ(fw_cfg_add_file(fw_cfg, name, "", 0), 0);
	CHECK_EQ(fw_cfg_add(fw_cfg, 0, "", 0), -EEXIST);
	for (unsigned i = 0; i < 100 && rc == 0; i++)
		rc = fw_cfg_add_file(fw_cfg, "more", "x", 1);
	CHECK_EQ(rc, -ENOSPC);
}

/* ---- ACPI's tables, as firmware places them ---- */

static uint8_t *ram(uint32_t at)
{
	return mem_ptr(&mem, GPA(at), 1);
}

static uint8_t sum8(uint32_t at, uint32_t len)
{
	uint8_t v = 0;

	for (uint32_t i = 0; i < len; i++)
		v += *ram(at + i);
	return v;
}

/* Where the firmware of this test puts each file. */
static uint32_t placed(const uint8_t *name)
{
	return strcmp((const char *)name, "etc/acpi/rsdp") == 0 ? 0x40000 : 0x50000;
}

static void run_command(const uint8_t *c)
{
	const uint32_t file = placed(c + 4);
	uint8_t *at;
	uint32_t size;

	switch (ld_le32(c)) {
	case 1: {
		const int key = file_find((const char *)c + 4, &size);

		CHECK_EQ(file % ld_le32(c + 60), 0);
		item_read((uint16_t)key, ram(file), size);
		break;
	}
	case 2:
		at = ram(file + ld_le32(c + 116));
		CHECK(c[120] == 4 || ld_le32(at + 4) == 0);
		st_le32(at, ld_le32(at) + placed(c + 60));
		break;
	case 3:
		at = ram(file + ld_le32(c + 60));
		CHECK_EQ(*at, 0);
		*at = -sum8(file + ld_le32(c + 64), ld_le32(c + 68));
		break;
	default:
		CHECK(false);
	}
}

static uint32_t table_check(uint32_t at, const char *sig)
{
	CHECK_MEM(ram(at), sig, 4);
	CHECK_EQ(sum8(at, ld_le32(ram(at) + 4)), 0);
	return at;
}

TEST(acpi_tables_are_right_after_their_loader_has_run)
{
	uint8_t commands[32 * 128];
	uint32_t size, rsdt, xsdt, fadt;
	const int key = file_find("etc/table-loader", &size);

	CHECK(size > 0 && size <= sizeof(commands) && size % 128 == 0);
	item_read((uint16_t)key, commands, size);
	for (uint32_t i = 0; i < size; i += 128)
		run_command(commands + i);
	CHECK_EQ(sum8(0x40000, 20), 0);
	CHECK_EQ(sum8(0x40000, 36), 0);
	rsdt = table_check(ld_le32(ram(0x40010)), "RSDT");
	xsdt = table_check(ld_le32(ram(0x40018)), "XSDT");
	fadt = table_check(ld_le32(ram(rsdt + 36)), "FACP");
	table_check(ld_le32(ram(rsdt + 40)), "APIC");
	CHECK_EQ(ld_le64(ram(xsdt + 36)), fadt);
	CHECK_EQ(ld_le64(ram(xsdt + 44)), ld_le32(ram(rsdt + 40)));
	CHECK_MEM(ram(ld_le32(ram(fadt + 36))), "FACS", 4);
	table_check(ld_le32(ram(fadt + 40)), "DSDT");
	CHECK_EQ(ld_le64(ram(fadt + 140)), ld_le32(ram(fadt + 40)));
}

/* ---- flash ---- */

static uint8_t flash_byte(uint64_t off)
{
	size_t n = 1;

	return *(uint8_t *)mem_slot_ptr(&mem, GPA(NVRAM_AT + off), &n);
}

static void flash_put(uint64_t off, uint8_t v)
{
	CHECK_EQ(bus_access(&bus, 0, BUS_MMIO, NVRAM_AT + off, true, &v, 1), KVM_FATE_RUN);
}

TEST(flash_has_what_the_file_has)
{
	CHECK_EQ(flash_byte(0), 1);
	CHECK_EQ(flash_byte(0x1000), 2);
	CHECK_EQ(flash_byte(NVRAM_SIZE - 1), 3);
	CHECK_EQ(mem_rom_start(&mem), NVRAM_AT);
}

TEST(flash_is_known_from_rom_by_its_status)
{
	flash_put(5, 0x50);
	CHECK_EQ(flash_byte(5), 1);
	flash_put(5, 0x70);
	CHECK_EQ(flash_byte(5), 0);
	flash_put(5, 0xff);
	CHECK_EQ(flash_byte(5), 1);
}

TEST(flash_programs_bits_to_0_in_the_file_too)
{
	flash_put(0x2001, 0x10);
	flash_put(0x2001, 0x02);
	CHECK_EQ(flash_byte(0x2001), 0x80); // ready
	flash_put(0x2002, 0x40);
	flash_put(0x2002, 0xff);
	flash_put(0x2002, 0xff);
	CHECK_EQ(flash_byte(0x2001), 0x02);
	CHECK_EQ(flash_byte(0x2002), 0x03);
	CHECK_EQ(nvram_byte(0x2001), 0x02);
	CHECK_EQ(nvram_byte(0x2002), 0x03);
}

TEST(flash_writes_what_lies_apart_to_the_file)
{
	static const uint16_t at[] = { 0x10, 0x11, 0x2000, 0x0f, 0x1fff, 0x1ffe };

	for (unsigned i = 0; i < ARRAY_LEN(at); i++) {
		flash_put(at[i], 0x10);
		flash_put(at[i], 0);
	}
	flash_put(0, 0xff);
	for (unsigned i = 0; i < ARRAY_LEN(at); i++) {
		CHECK_EQ(nvram_byte(at[i]), 0);
		CHECK_EQ(flash_byte(at[i]), 0);
	}
	CHECK_EQ(nvram_byte(0x0e), 1);
	CHECK_EQ(nvram_byte(0x12), 1);
	CHECK_EQ(nvram_byte(0x2001), 3);
	flash_put(0x2001, 0x10);
	flash_put(0x2001, 0);
	flash_destroy(flash); // without a last command
	flash = NULL;
	CHECK_EQ(nvram_byte(0x2001), 0);
}

TEST(flash_erases_a_block_to_ones)
{
	flash_put(0x1234, 0x20);
	flash_put(0x1234, 0xd0);
	flash_put(0, 0xff);
	CHECK_EQ(flash_byte(0xfff), 1);
	CHECK_EQ(flash_byte(0x1000), 0xff);
	CHECK_EQ(flash_byte(0x1fff), 0xff);
	CHECK_EQ(flash_byte(0x2000), 3);
	CHECK_EQ(nvram_byte(0x1fff), 0xff);
	CHECK_EQ(nvram_byte(0x2000), 3);
	flash_put(0x1000, 0x10);
	flash_put(0x1000, 0x5a);
	flash_put(0x1000, 0xff);
	CHECK_EQ(flash_byte(0x1000), 0x5a);
}

TEST(flash_erases_only_what_is_confirmed)
{
	flash_put(0, 0x20);
	flash_put(0, 0x10);
	CHECK_EQ(flash_byte(0), 0xb0); // ready, a wrong sequence of commands
	flash_put(0, 0xff);
	CHECK_EQ(flash_byte(0), 1);
	CHECK_EQ(nvram_byte(0), 1);
}

TEST(flash_takes_a_write_across_its_pages)
{
	const uint8_t value[8] = { 0 };

	flash_put(0xffc, 0x10);
	bus_access(&bus, 0, BUS_MMIO, NVRAM_AT + 0xffc, true, (void *)(uintptr_t)value, 8);
	flash_put(0, 0xff);
	for (unsigned i = 0; i < 8; i++)
		CHECK_EQ(flash_byte(0xffc + i), 0);
	CHECK_EQ(flash_byte(0xffb), 1);
	CHECK_EQ(flash_byte(0x1004), 2);
}

TEST(flash_that_cannot_be_is_an_error)
{
	struct flash *f;
	struct errtext why;

	CHECK_EQ(flash_create(&bus, &mem, NVRAM_AT, "/no/such/file", &f, &why), -ENOENT);
	CHECK(strstr(why.text, "/no/such/file"));
	CHECK_EQ(flash_create(&bus, &mem, NVRAM_END, nvram, &f, &why), -EEXIST); // where the other is
	nvram_write(100);
	CHECK_EQ(flash_create(&bus, &mem, NVRAM_AT, nvram, &f, &why), -EINVAL);
	nvram_write(0);
	CHECK_EQ(flash_create(&bus, &mem, NVRAM_AT, nvram, &f, &why), -EINVAL);
	CHECK_EQ(truncate(nvram, 16 << 20), 0);
	CHECK_EQ(flash_create(&bus, &mem, NVRAM_AT, nvram, &f, &why), -EINVAL);
	CHECK_EQ(flash_create(&bus, &mem, NVRAM_AT, "/tmp", &f, &why), -EISDIR);
}

#define F(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
TESTS(F(piix_has_an_isa_bridge_and_power_management), F(power_management_is_where_firmware_maps_it_too),
      F(power_management_in_anothers_way_is_not_mapped), F(piix_sleep_type_0_is_power_off),
      F(port92_has_a20_on_and_resets), F(fw_cfg_says_who_it_is), F(fw_cfg_tells_of_processors_and_memory),
      F(fw_cfg_memory_above_4_gib_is_a_range_of_its_own), F(fw_cfg_dma_reads_and_skips),
      F(fw_cfg_dma_stays_inside_of_ram), F(fw_cfg_items_are_not_written), F(fw_cfg_has_an_end),
      F(acpi_tables_are_right_after_their_loader_has_run), F(flash_has_what_the_file_has),
      F(flash_is_known_from_rom_by_its_status), F(flash_programs_bits_to_0_in_the_file_too),
      F(flash_writes_what_lies_apart_to_the_file), F(flash_erases_a_block_to_ones),
      F(flash_erases_only_what_is_confirmed), F(flash_takes_a_write_across_its_pages),
      F(flash_that_cannot_be_is_an_error))
