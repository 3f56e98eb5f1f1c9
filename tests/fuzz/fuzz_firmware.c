/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Hostile firmware: any access to the devices that it configures the machine with, which read what it has put into
 * memory. Input: rows of ROW bytes: what (bits 0-1: width, bit 2: memory-mapped, bit 3: a write, bit 4: of RAM), where
 * (2 bytes), value (4 bytes).
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "fuzz.h"
#include "util/bytes.h"
#include "util/macros.h"
#include "vmm/boot.h"
#include "vmm/dev.h"

enum { RAM_SIZE = 1 << 20, NVRAM_SIZE = 0x2000, ROW = 7, MMIO = 1 << 2, WRITE = 1 << 3, TO_RAM = 1 << 4 };
#define NVRAM_END (MEM_HOLE_END - 0x10000)

struct world {
	struct bus bus;
	struct mem mem;
	struct guest_clock clock;
	struct pm *pm;
	struct pci *pci;
	struct piix *piix;
	struct fw_cfg *fw_cfg;
	struct flash *flash;
};

static uint64_t no_time(struct guest_clock *c)
{
	return 0;
}

static void require(bool what)
{
	if (!what)
		abort();
}

static void world_up(struct world *w)
{
	const int fd = memfd_create("nvram", MFD_CLOEXEC);
	struct errtext why;
	char path[32];

	require(fd >= 0 && ftruncate(fd, NVRAM_SIZE) == 0);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	*w = (struct world){ .clock.now_ns = no_time };
	bus_init(&w->bus);
	require(mem_init(&w->mem, &mem_layout_x86, RAM_SIZE, &why) == 0);
	require(pm_create(&w->bus, &w->clock, &w->pm) == 0);
	require(pci_create(&w->bus, PCI_HOST_440FX, &w->pci) == 0);
	require(piix_create(w->pci, w->pm, &w->piix) == 0);
	require(fw_cfg_create(&w->bus, &w->mem, &w->fw_cfg) == 0);
	require(firmware_x86_describe(w->fw_cfg, &w->mem, 1) == 0);
	require(flash_create(&w->bus, &w->mem, NVRAM_END, path, &w->flash, &why) == 0);
	close(fd);
}

static void world_down(struct world *w)
{
	flash_destroy(w->flash);
	fw_cfg_destroy(w->fw_cfg);
	piix_destroy(w->piix);
	pci_destroy(w->pci);
	pm_destroy(w->pm);
	mem_deinit(&w->mem);
	bus_deinit(&w->bus);
}

static void row_do(struct world *w, const uint8_t row[ROW])
{
	const uint32_t at = ld_le16(row + 1), n = 1u << (row[0] & 3);
	uint8_t value[8] = { 0 };

	memcpy(value, row + 3, 4);
	if (row[0] & TO_RAM)
		memcpy(mem_ptr(&w->mem, GPA(at), 4), value, 4);
	else if (row[0] & MMIO)
		bus_access(&w->bus, 0, BUS_MMIO, NVRAM_END - NVRAM_SIZE + at % NVRAM_SIZE, row[0] & WRITE, value, n);
	else
		bus_access(&w->bus, 0, BUS_PIO, at, row[0] & WRITE, value, n);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct world w;

	world_up(&w);
	for (; size >= ROW; data += ROW, size -= ROW)
		row_do(&w, data);
	world_down(&w);
	return 0;
}
