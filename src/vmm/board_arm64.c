/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "arch/arm64_gic.h"
#include "util/macros.h"
#include "vmm/board_arm64.h"

struct board {
	const struct vm_cfg *cfg; // during creation
	struct board_ports at;
	struct pl011 *uart;
	struct pl031 *rtc;
	struct virtio_blk *disk;
	struct io_dev *debug_port;
	struct target_region mmio[BOARD_MAX_MMIO];
	unsigned nmmio;
};

static const struct target_region usual_mmio[] = {
	{ .start = { ARM64_GICD_AT }, .size = ARM64_GIC_END - ARM64_GICD_AT, .kind = TARGET_MMIO, .name = "GIC" },
	{ .start = { ARM64_UART_AT },
	  .size = ARM64_DEVICES_END - ARM64_UART_AT,
	  .kind = TARGET_MMIO,
	  .name = "devices" },
};
_Static_assert(ARRAY_LEN(usual_mmio) < BOARD_MAX_MMIO, "room for the regions in struct vm");

static const struct arm64_irq_name irq_names[] = {
	{ ARM64_TIMER_HYP_INTID, "hypervisor timer" },
	{ ARM64_TIMER_VIRT_INTID, "virtual timer" },
	{ ARM64_TIMER_SEC_INTID, "secure timer" },
	{ ARM64_TIMER_PHYS_INTID, "physical timer" },
	{ ARM64_UART_INTID, "UART" },
	{ ARM64_VIRTIO_INTID, "virtio disk" },
	{ 0, NULL },
};

static int add_uart(struct board *b, struct errtext *why)
{
	const struct uart_line line = { b->cfg->console_out, b->cfg->console_room, b->cfg->console_arg };

	return pl011_create(b->at.bus, b->at.irq, ARM64_UART_AT, ARM64_UART_INTID, &line, &b->uart);
}

static int add_rtc(struct board *b, struct errtext *why)
{
	return pl031_create(b->at.bus, ARM64_RTC_AT, &b->rtc);
}

static int add_disk(struct board *b, struct errtext *why)
{
	const struct virtio_place at = {
		.mem = b->at.mem, .irq = b->at.irq, .bus = b->at.bus, .base = ARM64_VIRTIO_AT, .gsi = ARM64_VIRTIO_INTID
	};

	return b->cfg->disk ? virtio_blk_create(&at, b->cfg->disk, &b->disk, why) : 0;
}

/* Below RAM, and on nothing that KVM has itself. */
static bool may_be_a_device(uint64_t at, uint64_t len)
{
	const bool flash = at < ARM64_FLASH_AT + ARM64_FLASH_SIZE;
	const bool gic = at < ARM64_GIC_END && at + len > ARM64_GICD_AT;

	return at % len == 0 && at < MEM_ARM64_RAM && !flash && !gic;
}

static int add_debug_port(struct board *b, struct errtext *why)
{
	const struct debug_ports_cfg cfg = { b->cfg->checkpoint, b->cfg->checkpoint_arg, b->at.pc };
	const uint64_t at = b->cfg->debug_mmio ?: ARM64_DEBUG_AT;
	int rc = may_be_a_device(at, DEBUG_MMIO_SIZE) ? 0 : -EINVAL;

	if (rc == 0)
		rc = debug_mmio_create(b->at.bus, at, &cfg, &b->debug_port);
	if (rc == -EINVAL || rc == -EEXIST)
		return errtext_set(why, rc,
				   "no debug port can be at %#" PRIx64
				   ": expected a multiple of %#x from %#x to %#llx where nothing else is",
				   at, DEBUG_MMIO_SIZE, ARM64_FLASH_SIZE, MEM_ARM64_RAM - DEBUG_MMIO_SIZE);
	if (rc == 0 && (at < ARM64_UART_AT || at >= ARM64_DEVICES_END))
		b->mmio[b->nmmio++] = (struct target_region){
			.start = GPA(at), .size = DEBUG_MMIO_SIZE, .kind = TARGET_MMIO, .name = "debug port"
		};
	return rc;
}

/* Everything that is on this board, in the order it is built. KVM itself has the GIC, the timers and PSCI. */
static const struct board_device devices[] = {
	{ "console PL011", add_uart },
	{ "real-time clock PL031", add_rtc },
	{ "disk", add_disk },
	{ "debug port", add_debug_port },
};

static void destroy(struct board *b)
{
	if (!b)
		return;
	free(b->debug_port);
	virtio_blk_destroy(b->disk);
	pl031_destroy(b->rtc);
	pl011_destroy(b->uart);
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
	*b = (struct board){ .cfg = cfg, .at = *ports, .nmmio = ARRAY_LEN(usual_mmio) };
	memcpy(b->mmio, usual_mmio, sizeof(usual_mmio));
	const int rc = board_add_devices(b, devices, ARRAY_LEN(devices), why);
	if (rc < 0)
		return rc;
	b->cfg = NULL;
	*ret = take_ptr(b);
	return 0;
}

static int load(struct board *b, const struct vm_cfg *cfg, const struct board_cpus *cpus, struct arch_regs *regs,
		struct errtext *why)
{
	struct boot_arm64 boot;
	int rc = boot_arm64_load(cfg, b->at.mem, &boot, why);

	if (rc == 0)
		rc = arm64_fdt_write(cfg, cpus, &boot, b->disk != NULL, b->debug_port->base, b->at.mem, why);
	if (rc < 0)
		return rc;
	boot_arm64_regs(&boot, &regs->arm64);
	regs->have = ARCH_CORE;
	return 0;
}

static size_t console_in(struct board *b, const void *p, size_t n)
{
	return pl011_receive(b->uart, p, n);
}

static const struct target_region *mmio_regions(const struct board *b, unsigned *n)
{
	*n = b ? b->nmmio : ARRAY_LEN(usual_mmio);
	return b ? b->mmio : usual_mmio;
}

const struct board_ops board_arm64 = {
	.arch = &arch_arm64,
	.ram = &mem_layout_arm64,
	.break_kinds =
		BIT(TARGET_BREAK_HW) | BIT(TARGET_WATCH_READ) | BIT(TARGET_WATCH_WRITE) | BIT(TARGET_WATCH_ACCESS),
	.irq_names = irq_names,
	.create = create,
	.destroy = destroy,
	.load = load,
	.console_in = console_in,
	.mmio = mmio_regions,
};
