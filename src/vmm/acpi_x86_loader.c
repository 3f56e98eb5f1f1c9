/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "util/bytes.h"
#include "util/macros.h"
#include "vmm/boot.h"

/*
 * ACPI's tables for firmware that places them itself: two files, and a list of what to do to them. Pointers in the
 * files are offsets in the file they point to, and sums over what has pointers are yet to be made.
 * Source: QEMU hw/acpi/bios-linker-loader.c and EDK2's QemuLoader.h say what a command looks like.
 */
enum {
	COMMAND_LEN = 128,
	MAX_COMMANDS = 32, // the tables of acpi_x86.c take 16
	NAME_LEN = 56,
	ALLOCATE = 1, // file, alignment, zone
	ALLOCATE_ALIGN = 4 + NAME_LEN,
	ALLOCATE_ZONE = ALLOCATE_ALIGN + 4,
	ZONE_HIGH = 1,
	ZONE_FSEG = 2,   // where an RSDP is looked for
	ADD_POINTER = 2, // file, file it points to, offset, size
	POINTER_TO = 4 + NAME_LEN,
	POINTER_AT = POINTER_TO + NAME_LEN,
	POINTER_SIZE = POINTER_AT + 4,
	ADD_SUM = 3, // file, offset of the sum, start, length
	SUM_AT = 4 + NAME_LEN,
	SUM_START = SUM_AT + 4,
	SUM_LENGTH = SUM_START + 4,
	RSDP_LEN = 36,
	TABLES = 64, // where they begin, in the area; the RSDP is before
	HDR_LENGTH = 4,
	HDR_SUM = 9,
	HDR_LEN = 36,
};
static const char rsdp_file[] = "etc/acpi/rsdp", tables_file[] = "etc/acpi/tables";

struct loader {
	uint8_t area[ACPI_AREA_SIZE];
	uint8_t commands[MAX_COMMANDS * COMMAND_LEN];
	unsigned n;
};

static uint8_t *command(struct loader *l, unsigned what, const char *file)
{
	uint8_t *c = l->commands + COMMAND_LEN * l->n++;

	st_le32(c, what);
	strcpy((char *)c + 4, file);
	return c;
}

static void allocate(struct loader *l, const char *file, unsigned align, unsigned zone)
{
	uint8_t *c = command(l, ALLOCATE, file);

	st_le32(c + ALLOCATE_ALIGN, align);
	c[ALLOCATE_ZONE] = (uint8_t)zone;
}

/* Where in its file byte @at of the area is. */
static const char *place(uint32_t at, uint32_t *off)
{
	*off = at < TABLES ? at : at - TABLES;
	return at < TABLES ? rsdp_file : tables_file;
}

/* The pointer to a table at @at in the area, of 4 or 8 bytes. Returns: where in the area that table is. */
static uint32_t relocate(struct loader *l, uint32_t at, unsigned size)
{
	const uint32_t to = ld_le32(l->area + at) - ACPI_AREA;
	uint32_t off;
	uint8_t *c = command(l, ADD_POINTER, place(at, &off));

	strcpy((char *)c + POINTER_TO, tables_file);
	st_le32(c + POINTER_AT, off);
	c[POINTER_SIZE] = (uint8_t)size;
	st_le32(l->area + at, to - TABLES);
	return to;
}

static void sum(struct loader *l, uint32_t at, uint32_t start, uint32_t len)
{
	uint32_t off;
	uint8_t *c = command(l, ADD_SUM, place(at, &off));

	l->area[at] = 0;
	st_le32(c + SUM_AT, off);
	place(start, &off);
	st_le32(c + SUM_START, off);
	st_le32(c + SUM_LENGTH, len);
}

static void table_sum(struct loader *l, uint32_t at)
{
	sum(l, at + HDR_SUM, at, ld_le32(l->area + at + HDR_LENGTH));
}

/* The FADT is the only one that points to others. */
static void fadt(struct loader *l, uint32_t at)
{
	enum { FACS = 36, DSDT = 40, X_DSDT = 140 };

	relocate(l, at + FACS, 4);
	relocate(l, at + DSDT, 4);
	relocate(l, at + X_DSDT, 8);
	table_sum(l, at);
}

/* An RSDT, or an XSDT, which points to the same tables. */
static void root(struct loader *l, uint32_t at, unsigned size)
{
	const uint32_t end = at + ld_le32(l->area + at + HDR_LENGTH);

	for (uint32_t entry = at + HDR_LEN; entry < end; entry += size) {
		const uint32_t to = relocate(l, entry, size);

		if (size == 4 && memcmp(l->area + to, "FACP", 4) == 0)
			fadt(l, to);
	}
	table_sum(l, at);
}

static void rsdp(struct loader *l)
{
	enum { LEN_V1 = 20, SUM = 8, RSDT = 16, XSDT = 24, SUM_ALL = 32 };

	root(l, relocate(l, RSDT, 4), 4);
	root(l, relocate(l, XSDT, 8), 8);
	l->area[SUM_ALL] = 0;
	sum(l, SUM, 0, LEN_V1);
	sum(l, SUM_ALL, 0, RSDP_LEN);
}

int acpi_x86_offer(struct fw_cfg *f, unsigned cpus)
{
	_cleanup_(freep) struct loader *l = calloc(1, sizeof(*l));

	if (!l)
		return -ENOMEM;
	const uint32_t end = acpi_x86_fill(l->area, cpus);
	allocate(l, rsdp_file, 16, ZONE_FSEG);
	allocate(l, tables_file, 64, ZONE_HIGH);
	rsdp(l);
	int rc = fw_cfg_add_file(f, rsdp_file, l->area, RSDP_LEN);
	if (rc == 0)
		rc = fw_cfg_add_file(f, tables_file, l->area + TABLES, end - TABLES);
	return rc < 0 ? rc : fw_cfg_add_file(f, "etc/table-loader", l->commands, l->n * COMMAND_LEN);
}
