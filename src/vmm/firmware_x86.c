/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "util/bytes.h"
#include "util/macros.h"
#include "vmm/boot.h"

/* Numbers of items: QEMU include/standard-headers/linux/qemu_fw_cfg.h and hw/i386. */
enum {
	KEY_CPUS = 0x05,
	KEY_MAX_CPUS = 0x0f,
	E820_RAM = 1,
	E820_LEN = 20,
	E820_TYPE = 16,
	COM1 = 0x3f8,
};

static int add_number(struct fw_cfg *f, uint16_t key, uint16_t v)
{
	uint8_t le[2];

	st_le16(le, v);
	return fw_cfg_add(f, key, le, sizeof(le));
}

static void range_put(uint8_t *p, uint64_t start, uint64_t size)
{
	st_le64(p, start);
	st_le64(p + 8, size);
	st_le32(p + E820_TYPE, E820_RAM);
}

/* All RAM, also what firmware itself is to make reserved of. */
static int add_ram(struct fw_cfg *f, const struct mem *mem)
{
	const uint64_t low = MIN(mem->ram_size, MEM_HOLE_START), high = mem->ram_size - low;
	uint8_t map[2 * E820_LEN];

	range_put(map, 0, low);
	range_put(map + E820_LEN, MEM_HOLE_END, high);
	return fw_cfg_add_file(f, "etc/e820", map, high ? 2 * E820_LEN : E820_LEN);
}

/* SeaBIOS then shows on the serial port what it would show on a screen. */
static int add_serial_console(struct fw_cfg *f)
{
	uint8_t le[2];

	st_le16(le, COM1);
	return fw_cfg_add_file(f, "etc/sercon-port", le, sizeof(le));
}

int firmware_x86_describe(struct fw_cfg *f, const struct mem *mem, unsigned cpus)
{
	int rc = add_number(f, KEY_CPUS, (uint16_t)cpus);

	if (rc == 0)
		rc = add_number(f, KEY_MAX_CPUS, (uint16_t)cpus);
	if (rc == 0)
		rc = add_ram(f, mem);
	return rc < 0 ? rc : add_serial_console(f);
}
