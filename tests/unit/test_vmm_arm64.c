/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "test.h"

#include <errno.h>
#include <libfdt.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <zlib.h>

#include "util/bytes.h"
#include "util/macros.h"
#include "vmm/board_arm64.h"

/* The arm64 board: what its guests are started from, and what they are told. On any host. */
#define MIB (1ull << 20)
#define RAM MEM_ARM64_RAM

static struct mem mem;
static struct errtext why;
static struct boot_arm64 boot;
static char paths[2][64];

/* ---- fixtures ---- */

static void guest(uint64_t ram_size)
{
	mem_deinit(&mem);
	CHECK_EQ(mem_init(&mem, &mem_layout_arm64, ram_size, &why), 0);
	memset(&boot, 0xee, sizeof(boot));
	why.text[0] = '\0';
}

static int teardown(void **state)
{
	mem_deinit(&mem);
	for (unsigned i = 0; i < 2; i++)
		if (paths[i][0])
			unlink(paths[i]);
	return 0;
}

static uint8_t *at(uint64_t addr)
{
	return mem_ptr(&mem, GPA(addr), 1);
}

static void check_says(const char *part)
{
	if (!strstr(why.text, part))
		fail_msg("\"%s\" does not say \"%s\"", why.text, part);
}

static const char *file_with(unsigned which, const void *p, size_t n)
{
	FILE *f;

	snprintf(paths[which], sizeof(paths[which]), "/tmp/gdbvm-test-arm64-%u-%d", which, (int)getpid());
	f = fopen(paths[which], "wb");
	CHECK(f);
	CHECK_EQ(fwrite(p, 1, n, f), n);
	CHECK_EQ(fclose(f), 0);
	return paths[which];
}

enum { IMAGE_SIZE = 0x3000 };

static void image_make(uint8_t img[IMAGE_SIZE])
{
	for (unsigned i = 0; i < IMAGE_SIZE; i++)
		img[i] = (uint8_t)(i * 7);
	memset(img, 0, 64);
	st_le64(img + 16, 4 * MIB); // image_size: with what is zeroed by the kernel itself
	st_le64(img + 24, 0xa);
	memcpy(img + 56, "ARM\x64", 4);
}

static int load(const struct vm_cfg *cfg)
{
	return boot_arm64_load(cfg, &mem, &boot, &why);
}

static int kernel_load(const void *p, size_t n)
{
	return load(&(struct vm_cfg){ .kernel = file_with(0, p, n), .params = "" });
}

static size_t gzip(const void *p, size_t n, uint8_t *out, size_t max)
{
	z_stream z = {
		.next_in = (uint8_t *)(uintptr_t)p, .avail_in = (unsigned)n, .next_out = out, .avail_out = (unsigned)max
	};

	CHECK_EQ(deflateInit2(&z, 9, Z_DEFLATED, 16 + MAX_WBITS, 9, Z_DEFAULT_STRATEGY), Z_OK);
	CHECK_EQ(deflate(&z, Z_FINISH), Z_STREAM_END);
	CHECK_EQ(deflateEnd(&z), Z_OK);
	return max - z.avail_out;
}

/* ---- kernels ---- */

TEST(image_is_loaded_at_its_offset_from_the_start_of_ram)
{
	uint8_t img[IMAGE_SIZE];

	guest(64 * MIB);
	image_make(img);
	CHECK_EQ(kernel_load(img, sizeof(img)), 0);
	CHECK_EQ(boot.entry, RAM);
	CHECK_MEM(at(boot.entry), img, sizeof(img));
	CHECK_EQ(boot.dtb, RAM + 64 * MIB - 0x10000);
	CHECK_EQ(boot.initrd_size, 0);

	st_le64(img + 8, 0x80000);
	CHECK_EQ(kernel_load(img, sizeof(img)), 0);
	CHECK_EQ(boot.entry, RAM + 0x80000);
	CHECK_MEM(at(boot.entry), img, sizeof(img));
}

TEST(image_without_a_size_is_an_old_one)
{
	uint8_t img[IMAGE_SIZE];

	guest(64 * MIB);
	image_make(img);
	st_le64(img + 16, 0);
	CHECK_EQ(kernel_load(img, sizeof(img)), 0);
	CHECK_EQ(boot.entry, RAM + 0x80000);
}

TEST(gzipped_image_is_unpacked)
{
	uint8_t img[IMAGE_SIZE], z[2 * IMAGE_SIZE];

	guest(64 * MIB);
	image_make(img);
	CHECK_EQ(kernel_load(z, gzip(img, sizeof(img), z, sizeof(z))), 0);
	CHECK_MEM(at(RAM), img, sizeof(img));
}

TEST(gzipped_image_of_several_mib_is_unpacked)
{
	const size_t n = 5 * MIB + 123;
	uint8_t *img = calloc(1, n), *z = malloc(n);

	CHECK(img && z);
	guest(64 * MIB);
	image_make(img);
	img[n - 1] = 0x5a;
	CHECK_EQ(kernel_load(z, gzip(img, n, z, n)), 0);
	CHECK_EQ(*at(RAM + n - 1), 0x5a);
	guest(5 * MIB);
	CHECK_EQ(kernel_load(z, gzip(img, n, z, n)), -EFBIG);
	check_says("has more than the 5 MiB of this guest's memory when unpacked");
	free(img);
	free(z);
}

TEST(image_in_an_efi_program_is_unpacked)
{
	uint8_t img[IMAGE_SIZE], z[2 * IMAGE_SIZE] = "MZ\0\0zimg";
	size_t n;

	guest(64 * MIB);
	image_make(img);
	n = gzip(img, sizeof(img), z + 256, sizeof(z) - 256);
	st_le32(z + 8, 256);
	st_le32(z + 12, (uint32_t)n);
	memcpy(z + 24, "gzip", 5);
	CHECK_EQ(kernel_load(z, 256 + n + 100), 0);
	CHECK_MEM(at(RAM), img, sizeof(img));

	st_le32(z + 12, (uint32_t)n + 1);
	CHECK_EQ(kernel_load(z, 256 + n), -ENOEXEC);
	check_says("is truncated: its kernel ends at byte");
	memcpy(z + 24, "zstd", 5);
	CHECK_EQ(kernel_load(z, 256 + n), -ENOEXEC);
	check_says("compressed by zstd: expected gzip");
}

TEST(broken_gzip_files_are_named)
{
	uint8_t img[IMAGE_SIZE], z[2 * IMAGE_SIZE];
	size_t n;

	guest(64 * MIB);
	image_make(img);
	n = gzip(img, sizeof(img), z, sizeof(z));
	for (size_t cut = 2; cut < n; cut += 97) {
		CHECK_EQ(kernel_load(z, cut), -ENOEXEC);
		check_says("is a broken or truncated gzip file");
	}
	z[n / 2] ^= 0x55;
	CHECK_EQ(kernel_load(z, n), -ENOEXEC);
}

TEST(kernel_of_another_architecture_is_named)
{
	uint8_t img[IMAGE_SIZE] = { 0 }, z[2 * IMAGE_SIZE];

	guest(64 * MIB);
	memcpy(img + 0x202, "HdrS", 4);
	CHECK_EQ(kernel_load(img, sizeof(img)), -ENOEXEC);
	check_says("is an x86 Linux bzImage: expected, for an arm64 guest, a Linux Image, plain or gzip'd");
	CHECK_EQ(kernel_load(z, gzip(img, sizeof(img), z, sizeof(z))), -ENOEXEC);
	check_says("is a gzip file; what is in it is an x86 Linux bzImage");
	CHECK_EQ(kernel_load("ARM", 3), -ENOEXEC);
	check_says("is text");
}

TEST(big_endian_image_is_refused)
{
	uint8_t img[IMAGE_SIZE];

	guest(64 * MIB);
	image_make(img);
	img[24] |= 1;
	CHECK_EQ(kernel_load(img, sizeof(img)), -ENOEXEC);
	check_says("is a big-endian kernel");
}

TEST(image_too_large_for_memory_is_refused)
{
	uint8_t img[IMAGE_SIZE];

	guest(4 * MIB);
	image_make(img);
	CHECK_EQ(kernel_load(img, sizeof(img)), -EFBIG);
	check_says("needs 4 MiB of memory from 0x40000000; this guest has 4 MiB");
	guest(64 * MIB);
	for (unsigned field = 8; field <= 16; field += 8) {
		image_make(img);
		st_le64(img + field, UINT64_MAX - 8);
		CHECK_EQ(kernel_load(img, sizeof(img)), -EFBIG);
		image_make(img);
		st_le64(img + field, 1ull << 63);
		CHECK_EQ(kernel_load(img, sizeof(img)), -EFBIG);
	}
}

TEST(initrd_goes_under_the_device_tree)
{
	struct vm_cfg cfg = { .params = "" };
	uint8_t img[IMAGE_SIZE], rd[5000];

	guest(64 * MIB);
	image_make(img);
	memset(rd, 0x77, sizeof(rd));
	cfg.kernel = file_with(0, img, sizeof(img));
	cfg.initrd = file_with(1, rd, sizeof(rd));
	CHECK_EQ(load(&cfg), 0);
	CHECK_EQ(boot.initrd_size, sizeof(rd));
	CHECK_EQ(boot.initrd, boot.dtb - 0x2000);
	CHECK_MEM(at(boot.initrd), rd, sizeof(rd));

	guest(5 * MIB); // image_size, the device tree, and under 1 MiB for the initrd
	CHECK_EQ(load(&cfg), 0);
	CHECK_EQ(truncate(cfg.initrd, MIB), 0);
	CHECK_EQ(load(&cfg), -EFBIG);
	check_says("has 1 MiB; the kernel leaves 960 KiB of this guest's memory for it");
}

TEST(kernel_says_whose_it_is)
{
	static const struct {
		size_t at;
		const char *magic;
		const struct arch *arch;
	} rows[] = {
		{ 0x202, "HdrS", &arch_x86 },
		{ 56, "ARM\x64", &arch_arm64 },
		{ 0, "\x1f\x8b", &arch_arm64 },
		{ 4, "zimg", &arch_arm64 },
		{ 0, "text", NULL },
	};

	for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
		uint8_t img[IMAGE_SIZE] = { 0 };

		memcpy(img + rows[i].at, rows[i].magic, strlen(rows[i].magic));
		CHECK(boot_arch_find(&(struct vm_cfg){ .kernel = file_with(0, img, sizeof(img)) }) == rows[i].arch);
	}
	CHECK(boot_arch_find(&(struct vm_cfg){ .kernel = "/nonexistent" }) == NULL);
	CHECK(boot_arch_find(&(struct vm_cfg){ 0 }) == NULL);
}

/* ---- others ---- */

TEST(flat_image_starts_at_el1_with_the_device_tree_in_x0)
{
	struct arm64_regs r;

	guest(64 * MIB);
	CHECK_EQ(load(&(struct vm_cfg){ .flat = file_with(0, "code", 4), .flat_addr = RAM + MIB, .params = "" }), 0);
	CHECK_MEM(at(RAM + MIB), "code", 4);
	boot_arm64_regs(&boot, &r);
	CHECK_EQ(r.pc, RAM + MIB);
	CHECK_EQ(r.pstate, 0x3c5);
	CHECK_EQ(r.x[0], RAM + 64 * MIB - 0x10000);
	CHECK_EQ(r.x[1] | r.x[2] | r.x[3], 0);
}

TEST(flat_image_must_be_in_ram_and_apart_from_the_device_tree)
{
	struct vm_cfg cfg = { .flat = file_with(0, "code", 4), .params = "" };

	guest(64 * MIB);
	cfg.flat_addr = 0x8000;
	CHECK_EQ(load(&cfg), -EFBIG);
	check_says("goes to 0x8000; this guest has 64 MiB of memory at 0x40000000");
	cfg.flat_addr = RAM + 64 * MIB - 8;
	CHECK_EQ(load(&cfg), -EFBIG);
	check_says("the device tree is from 0x43ff0000 on");
	cfg.flat_addr = RAM + 2;
	CHECK_EQ(load(&cfg), -EINVAL);
	check_says("expected a multiple of 4");
}

TEST(firmware_is_read_only_at_0_and_finds_the_device_tree_at_the_start_of_ram)
{
	uint8_t fw[8192];

	guest(64 * MIB);
	memset(fw, 0x42, sizeof(fw));
	CHECK_EQ(load(&(struct vm_cfg){ .firmware = file_with(0, fw, sizeof(fw)), .params = "" }), 0);
	CHECK_EQ(boot.entry, 0);
	CHECK_EQ(boot.dtb, RAM);
	CHECK_EQ(mem.nslots, 2);
	CHECK(mem.slot[1].rom);
	CHECK_MEM(mem.slot[1].hva, fw, sizeof(fw));
	CHECK(mem_ptr(&mem, GPA(0), 1) == NULL);
	CHECK_EQ(truncate(paths[0], 65 * MIB), 0);
	CHECK_EQ(load(&(struct vm_cfg){ .firmware = paths[0], .params = "" }), -EFBIG);
	check_says("has 65 MiB; the flash has 64 MiB");
}

/* ---- the device tree ---- */

static uint8_t tree[BOOT_ARM64_DTB_MAX];
static const struct board_cpus four = { .n = 4, .mpidr = { 0x80000000, 0x80000001, 0x80000102, 0x80000003 } };

static void tree_build(const struct arm64_fdt_cfg *cfg)
{
	const int n = arm64_fdt_build(cfg, tree, sizeof(tree));

	CHECK(n > 0);
	CHECK_EQ(fdt_check_full(tree, (size_t)n), 0);
}

static int node(const char *path)
{
	int n = fdt_path_offset(tree, path);

	if (n < 0)
		fail_msg("no node %s", path);
	return n;
}

static const void *prop(const char *path, const char *name, int want)
{
	int n;
	const void *p = fdt_getprop(tree, node(path), name, &n);

	if (!p)
		fail_msg("%s has no %s", path, name);
	CHECK_EQ(n, want);
	return p;
}

static uint32_t cell(const char *path, const char *name, unsigned i, unsigned of)
{
	return fdt32_ld((const fdt32_t *)prop(path, name, (int)(4 * of)) + i);
}

static uint64_t quad(const char *path, const char *name, unsigned i, unsigned of)
{
	return fdt64_ld((const fdt64_t *)prop(path, name, (int)(8 * of)) + i);
}

TEST(tree_has_memory_and_every_cpu)
{
	tree_build(&(struct arm64_fdt_cfg){ .cpus = &four, .ram_size = 3ull << 30 });
	CHECK_EQ(quad("/memory@40000000", "reg", 0, 2), RAM);
	CHECK_EQ(quad("/memory@40000000", "reg", 1, 2), 3ull << 30);
	CHECK_EQ(cell("/cpus/cpu@0", "reg", 0, 1), 0);
	CHECK_EQ(cell("/cpus/cpu@102", "reg", 0, 1), 0x102);
	CHECK_STR(prop("/cpus/cpu@3", "enable-method", 5), "psci");
	CHECK_STR(prop("/psci", "method", 4), "hvc");
	CHECK(fdt_path_offset(tree, "/cpus/cpu@4") < 0);
}

TEST(tree_names_what_interrupts_go_to)
{
	tree_build(&(struct arm64_fdt_cfg){ .cpus = &four, .ram_size = MIB, .disk = true });
	CHECK_EQ(cell("/", "interrupt-parent", 0, 1), cell("/interrupt-controller@8000000", "phandle", 0, 1));
	CHECK_STR(prop("/interrupt-controller@8000000", "compatible", 11), "arm,gic-v3");
	CHECK_EQ(quad("/interrupt-controller@8000000", "reg", 0, 4), 0x08000000);
	CHECK_EQ(quad("/interrupt-controller@8000000", "reg", 2, 4), 0x080a0000);
	CHECK_EQ(quad("/interrupt-controller@8000000", "reg", 3, 4), 0x80000); // four vCPUs
	CHECK_EQ(cell("/pl011@9000000", "interrupts", 1, 3), 1);
	CHECK_EQ(cell("/pl011@9000000", "clocks", 0, 2), cell("/apb-pclk", "phandle", 0, 1));
	CHECK_EQ(cell("/virtio_mmio@a000000", "interrupts", 1, 3), 16);
	CHECK_EQ(cell("/timer", "interrupts", 7, 12), 11); // the virtual timer's PPI
	CHECK_EQ(cell("/timer", "interrupts", 8, 12), 4);
}

TEST(tree_of_a_gicv2_tells_the_cpus_of_private_interrupts)
{
	struct board_cpus cpus = four;

	cpus.gicv2 = true;
	tree_build(&(struct arm64_fdt_cfg){ .cpus = &cpus, .ram_size = MIB });
	CHECK_STR(prop("/interrupt-controller@8000000", "compatible", 19), "arm,cortex-a15-gic");
	CHECK_EQ(quad("/interrupt-controller@8000000", "reg", 2, 4), 0x08010000);
	CHECK_EQ(cell("/timer", "interrupts", 2, 12), 0xf04);
	CHECK(fdt_path_offset(tree, "/virtio_mmio@a000000") < 0);
}

TEST(tree_has_the_debug_port_where_it_is_put)
{
	tree_build(&(struct arm64_fdt_cfg){ .cpus = &four, .ram_size = MIB, .debug_mmio = 0x1c090000 });
	CHECK_STR(prop("/debug-port@1c090000", "compatible", 17), "gdbvm,debug-port");
	CHECK_EQ(quad("/debug-port@1c090000", "reg", 0, 2), 0x1c090000);
	CHECK_EQ(quad("/debug-port@1c090000", "reg", 1, 2), DEBUG_MMIO_SIZE);
}

TEST(tree_tells_linux_what_it_was_given)
{
	struct arm64_fdt_cfg cfg = { .cpus = &four,
				     .ram_size = MIB,
				     .params = "console=ttyAMA0",
				     .initrd = 0x41000000,
				     .initrd_size = 0x1234,
				     .seed = { 7 } };

	tree_build(&cfg);
	CHECK_STR(prop("/chosen", "bootargs", 16), "console=ttyAMA0");
	CHECK_EQ(quad("/chosen", "linux,initrd-start", 0, 1), 0x41000000);
	CHECK_EQ(quad("/chosen", "linux,initrd-end", 0, 1), 0x41001234);
	CHECK_EQ(quad("/chosen", "kaslr-seed", 0, 1), 7);
	CHECK_STR(prop("/chosen", "stdout-path", 15), "/pl011@9000000");
	prop("/chosen", "rng-seed", 64);
	cfg.params = NULL;
	cfg.initrd_size = 0;
	tree_build(&cfg);
	CHECK(!fdt_getprop(tree, node("/chosen"), "bootargs", NULL));
	CHECK(!fdt_getprop(tree, node("/chosen"), "linux,initrd-start", NULL));
}

TEST(tree_that_does_not_fit_is_an_error)
{
	struct arm64_fdt_cfg cfg = { .cpus = &four, .ram_size = MIB, .params = "" };

	for (size_t size = 0; size < 1500; size += 13) {
		uint8_t *small = malloc(size + 1); // exactly: the sanitizer sees a write behind the end

		CHECK(small);
		CHECK_EQ(arm64_fdt_build(&cfg, small, size), -ENOSPC);
		free(small);
	}
}

/* ---- all together ---- */

static void console_out(void *arg, const void *p, size_t n)
{
}

static void irq_set(struct irq_lines *l, unsigned gsi, bool level)
{
}

TEST(board_loads_a_kernel_and_writes_its_device_tree)
{
	struct vm_cfg cfg = { .console_out = console_out, .params = "quiet", .cpus = 4 };
	struct irq_lines irq = { irq_set };
	struct arch_regs regs;
	struct board *b;
	struct bus bus;
	uint8_t img[IMAGE_SIZE];

	guest(64 * MIB);
	image_make(img);
	cfg.kernel = file_with(0, img, sizeof(img));
	bus_init(&bus);
	CHECK_EQ(board_arm64.create(&cfg, &(struct board_ports){ .bus = &bus, .mem = &mem, .irq = &irq }, &b, &why), 0);
	CHECK_EQ(board_arm64.load(b, &cfg, &four, &regs, &why), 0);
	CHECK_EQ(regs.have, ARCH_CORE);
	CHECK_EQ(regs.arm64.pc, RAM);
	memcpy(tree, at(regs.arm64.x[0]), sizeof(tree));
	CHECK_STR(prop("/chosen", "bootargs", 6), "quiet");
	CHECK_EQ(bus_width(&bus, BUS_MMIO, 0x09000000, 8), 4);

	char *longest = malloc(BOOT_ARM64_DTB_MAX);
	CHECK(longest);
	memset(longest, 'x', BOOT_ARM64_DTB_MAX - 1);
	longest[BOOT_ARM64_DTB_MAX - 1] = '\0';
	cfg.params = longest;
	CHECK_EQ(board_arm64.load(b, &cfg, &four, &regs, &why), -EFBIG);
	check_says("no room for kernel parameters of 65535 bytes");
	free(longest);
	board_arm64.destroy(b);
	bus_deinit(&bus);
}

struct told {
	struct checkpoint_record last;
	struct vcpu_pc pc;
	unsigned n;
};

static enum kvm_fate tell(void *arg, const struct checkpoint_record *rec)
{
	struct told *t = arg;

	t->last = *rec;
	t->n++;
	return KVM_FATE_CHECKPOINT;
}

static int pc_now(struct vcpu_pc *pc, unsigned vcpu, uint64_t *ret)
{
	*ret = 0x40001000 + vcpu;
	return 0;
}

static int board_create(struct bus *bus, uint64_t debug_mmio, struct told *t, struct board **ret)
{
	const struct vm_cfg cfg = { .console_out = console_out,
				    .params = "",
				    .cpus = 4,
				    .debug_mmio = debug_mmio,
				    .checkpoint = tell,
				    .checkpoint_arg = t };
	struct irq_lines irq = { irq_set };

	*t = (struct told){ .pc.now = pc_now };
	bus_init(bus);
	return board_arm64.create(&cfg, &(struct board_ports){ .bus = bus, .mem = &mem, .irq = &irq, .pc = &t->pc },
				  ret, &why);
}

TEST(board_records_writes_to_its_debug_port)
{
	uint64_t v = 0x1122334455667788, back;
	struct board *b;
	struct bus bus;
	struct told t;

	guest(64 * MIB);
	CHECK_EQ(board_create(&bus, 0, &t, &b), 0);
	for (unsigned n = 1; n <= 8; n *= 2) {
		const uint64_t value = n == 8 ? v : v & ((UINT64_C(1) << 8 * n) - 1);

		CHECK_EQ(bus_access(&bus, 3, BUS_MMIO, ARM64_DEBUG_AT + 8 * n, true, &v, n), KVM_FATE_CHECKPOINT);
		CHECK_EQ(t.last.kind, CHECKPOINT_WRITE);
		CHECK(t.last.mmio && t.last.has_pc && t.last.mode == CHECKPOINT_EXACT);
		CHECK_EQ(t.last.port, ARM64_DEBUG_AT + 8 * n);
		CHECK_EQ(t.last.value, value);
		CHECK_EQ(t.last.size, n);
		CHECK_EQ(t.last.vcpu, 3);
		CHECK_EQ(t.last.pc, 0x40001003);
		CHECK_EQ(bus_access(&bus, 0, BUS_MMIO, ARM64_DEBUG_AT, false, &back, 8), KVM_FATE_RUN);
		CHECK_EQ(back, value);
	}
	CHECK_EQ(t.n, 4);
	board_arm64.destroy(b);
	bus_deinit(&bus);
}

TEST(board_puts_its_debug_port_only_where_nothing_else_is)
{
	static const uint64_t bad[] = { 0x090f0010,    0x03fff000,   ARM64_GICD_AT, ARM64_GIC_END - 0x1000,
					ARM64_UART_AT, ARM64_RTC_AT, RAM,           UINT64_MAX & ~0xfffull };
	const struct target_region *m;
	struct board *b;
	struct bus bus;
	struct told t;
	unsigned n;

	guest(64 * MIB);
	for (unsigned i = 0; i < ARRAY_LEN(bad); i++) {
		CHECK(board_create(&bus, bad[i], &t, &b) < 0);
		check_says("expected a multiple of 0x1000 from 0x4000000 to 0x3ffff000 where nothing else is");
		bus_deinit(&bus);
	}
	CHECK_EQ(board_create(&bus, 0x1c090000, &t, &b), 0);
	CHECK_EQ(bus_width(&bus, BUS_MMIO, 0x1c090000, 8), 8);
	CHECK_EQ(bus_width(&bus, BUS_MMIO, ARM64_DEBUG_AT, 8), 0);
	m = board_arm64.mmio(b, &n);
	CHECK_EQ(m[n - 1].start.raw, 0x1c090000);
	CHECK_EQ(m[n - 1].size, DEBUG_MMIO_SIZE);
	board_arm64.destroy(b);
	bus_deinit(&bus);
}

TEST(board_says_where_its_devices_answer_in_order)
{
	unsigned n;
	const struct target_region *m = board_arm64.mmio(NULL, &n);

	for (unsigned i = 1; i < n; i++)
		CHECK(m[i - 1].start.raw + m[i - 1].size <= m[i].start.raw);
	CHECK(m[n - 1].start.raw + m[n - 1].size <= RAM);
}

#define TD(name) cmocka_unit_test_teardown(name, teardown)
TESTS(TD(image_is_loaded_at_its_offset_from_the_start_of_ram), TD(image_without_a_size_is_an_old_one),
      TD(gzipped_image_is_unpacked), TD(gzipped_image_of_several_mib_is_unpacked),
      TD(image_in_an_efi_program_is_unpacked), TD(broken_gzip_files_are_named),
      TD(kernel_of_another_architecture_is_named), TD(big_endian_image_is_refused),
      TD(image_too_large_for_memory_is_refused), TD(initrd_goes_under_the_device_tree), TD(kernel_says_whose_it_is),
      TD(flat_image_starts_at_el1_with_the_device_tree_in_x0),
      TD(flat_image_must_be_in_ram_and_apart_from_the_device_tree),
      TD(firmware_is_read_only_at_0_and_finds_the_device_tree_at_the_start_of_ram), T(tree_has_memory_and_every_cpu),
      T(tree_names_what_interrupts_go_to), T(tree_of_a_gicv2_tells_the_cpus_of_private_interrupts),
      T(tree_has_the_debug_port_where_it_is_put), T(tree_tells_linux_what_it_was_given),
      T(tree_that_does_not_fit_is_an_error), TD(board_loads_a_kernel_and_writes_its_device_tree),
      TD(board_records_writes_to_its_debug_port), TD(board_puts_its_debug_port_only_where_nothing_else_is),
      T(board_says_where_its_devices_answer_in_order))
