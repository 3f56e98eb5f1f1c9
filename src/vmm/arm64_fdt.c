/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <inttypes.h>
#include <libfdt.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#include "util/macros.h"
#include "vmm/board_arm64.h"

enum { PHANDLE_GIC = 1, PHANDLE_CLOCK = 2, UART_HZ = 24000000, MPIDR_AFFINITY = 0xffffff };
/* Linux include/dt-bindings/interrupt-controller: the cells of an interrupt. */
enum { IRQ_SPI = 0, IRQ_PPI = 1, IRQ_LEVEL_HIGH = 4, IRQ_PPI_CPUS_SHIFT = 8 };

struct tree {
	void *fdt;
	int rc;
	const struct arm64_fdt_cfg *cfg;
};

/* Nothing is done after a failure: whoever builds looks once, at the end. */
#define DO(t, call) ((t)->rc = (t)->rc ?: (call))

static void _printf_(2, 3) begin(struct tree *t, const char *fmt, ...)
{
	char name[48];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(name, sizeof(name), fmt, ap);
	va_end(ap);
	DO(t, fdt_begin_node(t->fdt, name));
}

static void end(struct tree *t)
{
	DO(t, fdt_end_node(t->fdt));
}

static void flag(struct tree *t, const char *name)
{
	DO(t, fdt_property(t->fdt, name, NULL, 0));
}

static void text(struct tree *t, const char *name, const char *value)
{
	DO(t, fdt_property_string(t->fdt, name, value));
}

static void cell(struct tree *t, const char *name, uint32_t value)
{
	DO(t, fdt_property_u32(t->fdt, name, value));
}

static void quad(struct tree *t, const char *name, uint64_t value)
{
	DO(t, fdt_property_u64(t->fdt, name, value));
}

#define texts(t, name, list) DO(t, fdt_property((t)->fdt, name, list, sizeof(list))) /* "one\0two" */
#define cells(t, name, ...) \
	cells_add(t, name, (const uint32_t[]){ __VA_ARGS__ }, sizeof((const uint32_t[]){ __VA_ARGS__ }) / 4)
#define reg(t, ...) reg_add(t, (const uint64_t[]){ __VA_ARGS__ }, sizeof((const uint64_t[]){ __VA_ARGS__ }) / 8)

static void cells_add(struct tree *t, const char *name, const uint32_t *v, size_t n)
{
	void *p = NULL;

	DO(t, fdt_property_placeholder(t->fdt, name, (int)(4 * n), &p));
	for (size_t i = 0; t->rc == 0 && i < n; i++)
		fdt32_st((uint8_t *)p + 4 * i, v[i]);
}

/* Pairs of address and size, two cells each. */
static void reg_add(struct tree *t, const uint64_t *v, size_t n)
{
	void *p = NULL;

	DO(t, fdt_property_placeholder(t->fdt, "reg", (int)(8 * n), &p));
	for (size_t i = 0; t->rc == 0 && i < n; i++)
		fdt64_st((uint8_t *)p + 8 * i, v[i]);
}

static void interrupt(struct tree *t, uint32_t intid, uint32_t how)
{
	cells(t, "interrupts", IRQ_SPI, intid - ARM64_SPI, how);
}

static void add_chosen(struct tree *t)
{
	const struct arm64_fdt_cfg *cfg = t->cfg;
	char path[32];

	snprintf(path, sizeof(path), "/pl011@%x", ARM64_UART_AT);
	begin(t, "chosen");
	text(t, "stdout-path", path);
	if (cfg->params)
		text(t, "bootargs", cfg->params);
	if (cfg->initrd_size > 0) {
		quad(t, "linux,initrd-start", cfg->initrd);
		quad(t, "linux,initrd-end", cfg->initrd + cfg->initrd_size);
	}
	quad(t, "kaslr-seed", cfg->seed[0]);
	DO(t, fdt_property(t->fdt, "rng-seed", cfg->seed + 1, sizeof(cfg->seed) - sizeof(cfg->seed[0])));
	end(t);
}

static void add_memory(struct tree *t)
{
	begin(t, "memory@%llx", MEM_ARM64_RAM);
	text(t, "device_type", "memory");
	reg(t, MEM_ARM64_RAM, t->cfg->ram_size);
	end(t);
}

static void add_cpus(struct tree *t)
{
	begin(t, "cpus");
	cell(t, "#address-cells", 1);
	cell(t, "#size-cells", 0);
	for (unsigned i = 0; i < t->cfg->cpus->n; i++) {
		const uint32_t mpidr = t->cfg->cpus->mpidr[i] & MPIDR_AFFINITY;

		begin(t, "cpu@%x", mpidr);
		text(t, "device_type", "cpu");
		text(t, "compatible", "arm,armv8");
		cell(t, "reg", mpidr);
		text(t, "enable-method", "psci");
		end(t);
	}
	end(t);
}

static void add_psci(struct tree *t)
{
	begin(t, "psci");
	texts(t, "compatible", "arm,psci-1.0\0arm,psci-0.2");
	text(t, "method", "hvc");
	end(t);
}

static void add_gic(struct tree *t)
{
	const struct board_cpus *cpus = t->cfg->cpus;

	begin(t, "interrupt-controller@%x", ARM64_GICD_AT);
	text(t, "compatible", cpus->gicv2 ? "arm,cortex-a15-gic" : "arm,gic-v3");
	flag(t, "interrupt-controller");
	cell(t, "#interrupt-cells", 3);
	cell(t, "phandle", PHANDLE_GIC);
	if (cpus->gicv2)
		reg(t, ARM64_GICD_AT, ARM64_GICD_SIZE, ARM64_GICC_AT, ARM64_GICC_SIZE);
	else
		reg(t, ARM64_GICD_AT, ARM64_GICD_SIZE, ARM64_GICR_AT, (uint64_t)cpus->n * ARM64_GICR_SIZE);
	end(t);
}

static void add_timer(struct tree *t)
{
	const struct board_cpus *cpus = t->cfg->cpus;
	const uint32_t how = IRQ_LEVEL_HIGH | (cpus->gicv2 ? ((1u << cpus->n) - 1) << IRQ_PPI_CPUS_SHIFT : 0);

	begin(t, "timer");
	texts(t, "compatible", "arm,armv8-timer\0arm,armv7-timer");
	flag(t, "always-on");
	cells(t, "interrupts", IRQ_PPI, ARM64_TIMER_SEC_INTID - ARM64_PPI, how, IRQ_PPI,
	      ARM64_TIMER_PHYS_INTID - ARM64_PPI, how, IRQ_PPI, ARM64_TIMER_VIRT_INTID - ARM64_PPI, how, IRQ_PPI,
	      ARM64_TIMER_HYP_INTID - ARM64_PPI, how);
	end(t);
}

static void add_clock(struct tree *t)
{
	begin(t, "apb-pclk");
	text(t, "compatible", "fixed-clock");
	cell(t, "#clock-cells", 0);
	cell(t, "clock-frequency", UART_HZ);
	text(t, "clock-output-names", "clk24mhz");
	cell(t, "phandle", PHANDLE_CLOCK);
	end(t);
}

static void add_uart(struct tree *t)
{
	begin(t, "pl011@%x", ARM64_UART_AT);
	texts(t, "compatible", "arm,pl011\0arm,primecell");
	reg(t, ARM64_UART_AT, ARM64_UART_SIZE);
	interrupt(t, ARM64_UART_INTID, IRQ_LEVEL_HIGH);
	cells(t, "clocks", PHANDLE_CLOCK, PHANDLE_CLOCK);
	texts(t, "clock-names", "uartclk\0apb_pclk");
	end(t);
}

static void add_rtc(struct tree *t)
{
	begin(t, "pl031@%x", ARM64_RTC_AT);
	texts(t, "compatible", "arm,pl031\0arm,primecell");
	reg(t, ARM64_RTC_AT, ARM64_RTC_SIZE);
	cells(t, "clocks", PHANDLE_CLOCK);
	text(t, "clock-names", "apb_pclk");
	end(t);
}

static void add_disk(struct tree *t)
{
	if (!t->cfg->disk)
		return;
	begin(t, "virtio_mmio@%x", ARM64_VIRTIO_AT);
	text(t, "compatible", "virtio,mmio");
	reg(t, ARM64_VIRTIO_AT, VIRTIO_MMIO_SIZE);
	interrupt(t, ARM64_VIRTIO_INTID, IRQ_LEVEL_HIGH);
	flag(t, "dma-coherent");
	end(t);
}

static void add_debug_port(struct tree *t)
{
	if (!t->cfg->debug_mmio)
		return;
	begin(t, "debug-port@%" PRIx64, t->cfg->debug_mmio);
	text(t, "compatible", "gdbvm,debug-port");
	reg(t, t->cfg->debug_mmio, DEBUG_MMIO_SIZE);
	end(t);
}

int arm64_fdt_build(const struct arm64_fdt_cfg *cfg, void *buf, size_t size)
{
	static void (*const nodes[])(struct tree * t) = {
		add_chosen, add_memory, add_cpus, add_psci, add_gic,        add_timer,
		add_clock,  add_uart,   add_rtc,  add_disk, add_debug_port,
	};
	struct tree t = { .fdt = buf, .cfg = cfg };

	DO(&t, fdt_create(buf, (int)size));
	DO(&t, fdt_finish_reservemap(buf));
	begin(&t, "%s", "");
	text(&t, "compatible", "linux,dummy-virt");
	text(&t, "model", "gdbvm");
	cell(&t, "#address-cells", 2);
	cell(&t, "#size-cells", 2);
	cell(&t, "interrupt-parent", PHANDLE_GIC);
	for (unsigned i = 0; i < ARRAY_LEN(nodes); i++)
		nodes[i](&t);
	end(&t);
	DO(&t, fdt_finish(buf));
	return t.rc == 0 ? (int)fdt_totalsize(buf) : -ENOSPC; // nothing else can go wrong here
}

int arm64_fdt_write(const struct vm_cfg *cfg, const struct board_cpus *cpus, const struct boot_arm64 *boot, bool disk,
		    uint64_t debug_mmio, struct mem *mem, struct errtext *why)
{
	struct arm64_fdt_cfg fdt = {
		.cpus = cpus,
		.ram_size = mem->ram_size,
		.params = cfg->kernel ? cfg->params : NULL,
		.initrd = boot->initrd,
		.initrd_size = boot->initrd_size,
		.disk = disk,
		.debug_mmio = debug_mmio,
	};
	void *p = mem_ptr(mem, GPA(boot->dtb), BOOT_ARM64_DTB_MAX);

	if (getrandom(fdt.seed, sizeof(fdt.seed), 0) != sizeof(fdt.seed))
		return errtext_set(why, -errno, "no random numbers for the guest: %s", strerror(errno));
	if (!p)
		return errtext_set(why, -EFBIG, "the guest has no memory at %#llx for the device tree",
				   (unsigned long long)boot->dtb);
	if (arm64_fdt_build(&fdt, p, BOOT_ARM64_DTB_MAX) < 0)
		return errtext_set(why, -EFBIG,
				   "the device tree has no room for kernel parameters of %zu bytes; it has %d in all",
				   strlen(cfg->params), BOOT_ARM64_DTB_MAX);
	return 0;
}
