/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stdlib.h>

#include "util/macros.h"
#include "vmm/board.h"
#include "vmm/boot.h"

enum { COM1_PORT = 0x3f8, COM1_GSI = 4, DISK_SLOT = 2, IN_KVM = 5 };

struct board {
	const struct vm_cfg *cfg; // during creation
	struct board_ports at;
	struct uart *uart;
	struct rtc *rtc;
	struct pm *pm;
	struct pci *pci;
	struct piix *piix;
	struct fw_cfg *fw_cfg;
	struct flash *flash;
	struct io_dev *i8042, *port92, *pvpanic;
	struct debug_ports *debug_ports;
	struct io_dev in_kvm[IN_KVM];
	struct virtio_blk *disk;
};

static const struct target_region mmio[] = {
	{ .start = { MEM_HOLE_START }, .size = 0x3ec00000, .kind = TARGET_MMIO, .name = "PCI window" },
	{ .start = { 0xfec00000 }, .size = 0x1000, .kind = TARGET_MMIO, .name = "IOAPIC" },
	{ .start = { 0xfee00000 }, .size = 0x1000, .kind = TARGET_MMIO, .name = "local APIC" },
};

_Static_assert(ARRAY_LEN(mmio) <= BOARD_MAX_MMIO, "room for the regions in struct vm");

static int add_uart(struct board *b, struct errtext *why)
{
	const struct uart_line line = { b->cfg->console_out, b->cfg->console_room, b->cfg->console_arg };

	return uart_create(b->at.bus, b->at.irq, COM1_PORT, COM1_GSI, &line, &b->uart);
}

static int add_rtc(struct board *b, struct errtext *why)
{
	return rtc_create(b->at.bus, b->at.mem->ram_size, &b->rtc);
}

static int add_i8042(struct board *b, struct errtext *why)
{
	return i8042_create(b->at.bus, &b->i8042);
}

static int add_debug_ports(struct board *b, struct errtext *why)
{
	static const uint16_t usual[] = { 0x80 };
	const bool said = b->cfg->ndebug_ports;
	const struct debug_ports_cfg cfg = {
		.add = b->cfg->checkpoint,
		.arg = b->cfg->checkpoint_arg,
		.pc = b->at.pc,
	};

	return debug_ports_create(b->at.bus, &cfg, said ? b->cfg->debug_port : usual,
				  said ? b->cfg->ndebug_ports : ARRAY_LEN(usual), &b->debug_ports, why);
}

/* What KVM has of its own never comes to the bus; here it keeps others from its ports. */
static int add_in_kvm(struct board *b, struct errtext *why)
{
	static const struct {
		uint16_t port, len;
		const char *name;
	} chips[IN_KVM] = {
		{ 0x20, 2, "interrupt controller" },
		{ 0xa0, 2, "interrupt controller" },
		{ 0x4d0, 2, "interrupt controller" },
		{ 0x40, 4, "timer" },
		{ 0x61, 1, "timer" },
	};

	for (unsigned i = 0; i < ARRAY_LEN(chips); i++)
		b->in_kvm[i] = (struct io_dev){ .name = chips[i].name,
						.kind = BUS_PIO,
						.base = chips[i].port,
						.len = chips[i].len,
						.min_op = 1,
						.max_op = 1 };
	return bus_add_all(b->at.bus, b->in_kvm, ARRAY_LEN(chips));
}

static int add_pvpanic(struct board *b, struct errtext *why)
{
	return pvpanic_create(b->at.bus, &b->pvpanic);
}

static int add_port92(struct board *b, struct errtext *why)
{
	return port92_create(b->at.bus, &b->port92);
}

static int add_pm(struct board *b, struct errtext *why)
{
	return pm_create(b->at.bus, b->at.clock, &b->pm);
}

static int add_pci(struct board *b, struct errtext *why)
{
	if (b->cfg->microvm)
		return 0;
	return pci_create(b->at.bus, boot_x86_is_cloudhv(b->cfg) ? PCI_HOST_CLOUDHV : PCI_HOST_440FX, &b->pci);
}

/* Kernels that are started without firmware have no use for it, nor for the other. */
static int add_piix(struct board *b, struct errtext *why)
{
	return b->pci && b->cfg->firmware && !boot_x86_is_cloudhv(b->cfg) ? piix_create(b->pci, b->pm, &b->piix) : 0;
}

static int add_fw_cfg(struct board *b, struct errtext *why)
{
	if (!b->cfg->firmware)
		return 0;

	int rc = fw_cfg_create(b->at.bus, b->at.mem, &b->fw_cfg);
	if (rc == 0)
		rc = firmware_x86_describe(b->fw_cfg, b->at.mem, b->cfg->cpus);
	return rc < 0 ? rc : acpi_x86_offer(b->fw_cfg, b->cfg->cpus);
}

static int add_disk(struct board *b, struct errtext *why)
{
	if (!b->cfg->disk)
		return 0;
	if (!b->pci)
		return errtext_set(why, -EINVAL, "the disk %s is a PCI device: this machine has no PCI", b->cfg->disk);

	const struct virtio_place at = { .mem = b->at.mem, .irq = b->at.irq, .pci = b->pci, .slot = DISK_SLOT };
	return virtio_blk_create(&at, b->cfg->disk, &b->disk, why);
}

/* Everything that is on this board, in the order it is built. */
// clang-format off
static const struct board_device devices[] = {
	{ "PICs and PIT of KVM", add_in_kvm },
	{ "serial port COM1", add_uart },
	{ "real-time clock", add_rtc },
	{ "keyboard controller", add_i8042 },
	{ "system control port", add_port92 },
	{ "panic device", add_pvpanic },
	{ "ACPI power management", add_pm },
	{ "PCI host bridge", add_pci },
	{ "PIIX", add_piix },
	{ "firmware configuration", add_fw_cfg },
	{ "disk", add_disk },
	{ "debug ports", add_debug_ports }, // last: to know what is there
};
// clang-format on

static void destroy(struct board *b)
{
	if (!b)
		return;
	if (b->disk)
		virtio_blk_destroy(b->disk);
	flash_destroy(b->flash);
	fw_cfg_destroy(b->fw_cfg);
	piix_destroy(b->piix);
	if (b->pci)
		pci_destroy(b->pci);
	if (b->pm)
		pm_destroy(b->pm);
	if (b->rtc)
		rtc_destroy(b->rtc);
	if (b->uart)
		uart_destroy(b->uart);
	free(b->i8042);
	debug_ports_destroy(b->debug_ports);
	free(b->port92);
	free(b->pvpanic);
	free(b);
}

static void destroyp(struct board **b)
{
	destroy(*b);
}

static int create(const struct vm_cfg *cfg, const struct board_ports *ports, struct board **ret, struct errtext *why)
{
	_cleanup_(destroyp) struct board *b = calloc(1, sizeof(*b));

	if (!b)
		return errtext_set(why, -ENOMEM, "no memory for the devices");
	*b = (struct board){ .cfg = cfg, .at = *ports };
	const int rc = board_add_devices(b, devices, ARRAY_LEN(devices), why);
	if (rc < 0)
		return rc;
	b->cfg = NULL;
	*ret = take_ptr(b);
	return 0;
}

/* Right below the firmware, where it expects its variables. */
static int add_flash(struct board *b, const struct vm_cfg *cfg, struct errtext *why)
{
	if (boot_x86_is_cloudhv(cfg))
		return errtext_set(why, -EINVAL, "the firmware %s is an ELF file: it does not take NVRAM (%s)",
				   cfg->firmware, cfg->nvram);
	return flash_create(b->at.bus, b->at.mem, mem_rom_start(b->at.mem), cfg->nvram, &b->flash, why);
}

static int load(struct board *b, const struct vm_cfg *cfg, const struct board_cpus *cpus, struct arch_regs *regs,
		struct errtext *why)
{
	regs->have = ARCH_CORE | ARCH_SYS;
	const int rc = boot_x86_load(cfg, b->at.mem, acpi_x86_build(b->at.mem, cpus->n), &regs->x86, why);

	return rc < 0 || !cfg->nvram ? rc : add_flash(b, cfg, why);
}

static size_t console_in(struct board *b, const void *p, size_t n)
{
	return uart_receive(b->uart, p, n);
}

static struct debug_ports *debug_ports(struct board *b)
{
	return b->debug_ports;
}

static const struct target_region *mmio_regions(const struct board *b, unsigned *n)
{
	*n = ARRAY_LEN(mmio);
	return mmio;
}

const struct board_ops board_x86 = {
	.arch = &arch_x86,
	.ram = &mem_layout_x86,
	.break_kinds = BIT(TARGET_BREAK_HW) | BIT(TARGET_WATCH_WRITE) | BIT(TARGET_WATCH_ACCESS),
	.create = create,
	.destroy = destroy,
	.load = load,
	.console_in = console_in,
	.debug_ports = debug_ports,
	.mmio = mmio_regions,
};
