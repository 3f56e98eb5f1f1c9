/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "test.h"

#include <asm/bootparam.h>
#include <elf.h>
#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "util/bytes.h"
#include "vmm/boot_x86_internal.h"

#define MIB (1ull << 20)

static struct mem mem;
static struct errtext why;
static struct x86_regs regs;
static struct vm_cfg cfg;

/* ---- fixtures ---- */

static void guest(uint64_t ram_size)
{
	mem_deinit(&mem);
	CHECK_EQ(mem_init(&mem, &mem_layout_x86, ram_size, &why), 0);
	cfg = (struct vm_cfg){ .cpus = 1, .mem_size = ram_size, .kernel = "vmlinuz", .params = "console=ttyS0" };
	memset(&regs, 0xee, sizeof(regs));
	memset(&why, 0, sizeof(why));
}

static void *at(uint64_t addr)
{
	return mem_ptr(&mem, GPA(addr), 1);
}

static void check_says(const char *part)
{
	if (!strstr(why.text, part))
		fail_msg("\"%s\" does not say \"%s\"", why.text, part);
}

/* A file that goes away with the process's temporary directory entry. */
static const char *file_with(const void *p, size_t n)
{
	static char path[64];
	FILE *f;

	snprintf(path, sizeof(path), "/tmp/gdbvm-test-boot-%d", (int)getpid());
	f = fopen(path, "wb");
	CHECK(f);
	if (n > 0)
		CHECK_EQ(fwrite(p, 1, n, f), n);
	CHECK_EQ(fclose(f), 0);
	return path;
}

static int load(struct vm_cfg c)
{
	return boot_x86_load(&c, &mem, GPA(0xe0000), &regs, &why);
}

enum { SETUP_SIZE = 5 * 512, CODE_SIZE = 0x1000, IMAGE_SIZE = SETUP_SIZE + CODE_SIZE };

static struct setup_header *bz_hdr(uint8_t *img)
{
	return (struct setup_header *)(void *)(img + 0x1f1);
}

static void bzimage_make(uint8_t img[IMAGE_SIZE])
{
	memset(img, 0, SETUP_SIZE);
	memset(img + SETUP_SIZE, 0x90, CODE_SIZE);
	*bz_hdr(img) = (struct setup_header){
		.setup_sects = 4,
		.syssize = CODE_SIZE / 16,
		.boot_flag = 0xaa55,
		.jump = 0x6aeb,
		.header = 0x53726448,
		.version = 0x020f,
		.loadflags = LOADED_HIGH,
		.xloadflags = XLF_KERNEL_64,
		.initrd_addr_max = 0x7fffffff,
		.cmdline_size = 2047,
		.pref_address = 0x1000000,
		.init_size = 0x200000,
		.relocatable_kernel = 1,
		.kernel_alignment = 0x200000,
	};
}

static int bz_load(const uint8_t *img, size_t n)
{
	return boot_bzimage(&cfg, &mem, GPA(0xe1230), img, n, &regs, &why);
}

/* An ELF64 file: header, three program headers, a note, 64 bytes of code. */
struct elf64 {
	Elf64_Ehdr e;
	Elf64_Phdr ph[3];
	struct {
		Elf64_Nhdr other;
		char other_name[4];
		Elf64_Nhdr xen;
		char xen_name[4];
		uint64_t entry;
	} note;
	uint8_t code[64];
};

static struct elf64 elf64_make(void)
{
	struct elf64 f = {
		.e = { .e_ident = { 0x7f, 'E', 'L', 'F', ELFCLASS64, ELFDATA2LSB, EV_CURRENT },
		       .e_type = ET_EXEC,
		       .e_machine = EM_X86_64,
		       .e_version = EV_CURRENT,
		       .e_entry = 0x200000,
		       .e_phoff = offsetof(struct elf64, ph),
		       .e_ehsize = sizeof(Elf64_Ehdr),
		       .e_phentsize = sizeof(Elf64_Phdr),
		       .e_phnum = 3 },
		.ph = { { .p_type = PT_NOTE,
			  .p_offset = offsetof(struct elf64, note),
			  .p_filesz = sizeof(((struct elf64 *)0)->note),
			  .p_align = 4 },
			{ .p_type = PT_LOAD,
			  .p_offset = offsetof(struct elf64, code),
			  .p_vaddr = 0xffffffff80200000,
			  .p_paddr = 0x200000,
			  .p_filesz = 64,
			  .p_memsz = 0x1000,
			  .p_align = 0x1000 } },
		.note = { .other = { 4, 0, 1 },
			  .other_name = "GNU",
			  .xen = { 4, 8, 18 },
			  .xen_name = "Xen",
			  .entry = 0x200010 },
	};

	memset(f.code, 0x90, sizeof(f.code));
	return f;
}

static int elf_load(const void *p, size_t n)
{
	// An exact copy: the sanitizer sees a read behind the end.
	uint8_t *copy = malloc(n ? n : 1);
	int rc;

	CHECK(copy);
	memcpy(copy, p, n);
	cfg.kernel = "vmlinux";
	rc = boot_elf(&cfg, &mem, GPA(0xe1230), copy, n, &regs, &why);
	free(copy);
	return rc;
}

/* ---- registers and tables ---- */

TEST(reset_state_is_real_mode_at_the_reset_vector)
{
	boot_x86_reset_regs(&regs);
	CHECK_EQ(regs.seg[X86_CS].base + regs.rip, 0xfffffff0);
	CHECK_EQ(regs.seg[X86_CS].sel, 0xf000);
	CHECK_EQ(regs.rflags, 2);
	CHECK_EQ(regs.cr0, 0x60000010);
	CHECK_EQ(regs.seg[X86_SS].limit, 0xffff);
	CHECK_EQ(regs.efer, 0);
}

TEST(tables_map_the_low_4_gib_one_to_one)
{
	guest(64 * MIB);
	boot_tables_write(&mem);
	for (uint64_t gib = 0; gib < 4; gib++) {
		uint64_t pdpte = ld_le64((uint8_t *)at(BOOT_PDPT) + 8 * gib);

		CHECK_EQ(pdpte & 0xfff, 3);
		for (uint64_t i = 0; i < 512; i++)
			CHECK_EQ(ld_le64((uint8_t *)at(pdpte & ~0xfffull) + 8 * i), gib << 30 | i << 21 | 0x83);
	}
	CHECK_EQ(ld_le64(at(BOOT_PML4)), BOOT_PDPT | 3);
	CHECK_EQ(ld_le64((uint8_t *)at(BOOT_GDT) + BOOT_SEL_CODE64) >> 53 & 1, 1); // L
	CHECK_EQ(ld_le64((uint8_t *)at(BOOT_GDT) + BOOT_SEL_CODE32) >> 54 & 1, 1); // D
}

TEST(e820_leaves_out_the_first_mib_tail_and_the_hole)
{
	struct boot_range r[BOOT_E820_MAX];

	guest(5ull << 30);
	CHECK_EQ(boot_e820(&mem, r), 4);
	CHECK_EQ(r[0].size, 0x9fc00);
	CHECK_EQ(r[1].type, BOOT_E820_RESERVED);
	CHECK_EQ(r[1].start + r[1].size, MIB);
	CHECK_EQ(r[2].start + r[2].size, MEM_HOLE_START);
	CHECK_EQ(r[3].start, MEM_HOLE_END);
	CHECK_EQ(r[3].size, (5ull << 30) - MEM_HOLE_START);
	guest(1 * MIB);
	CHECK_EQ(boot_e820(&mem, r), 2);
}

/* ---- bzImage ---- */

TEST(bzimage_starts_at_its_64_bit_entry_with_boot_params)
{
	uint8_t img[IMAGE_SIZE];
	struct boot_params *bp;

	guest(64 * MIB);
	bzimage_make(img);
	CHECK_EQ(bz_load(img, sizeof(img)), 0);
	CHECK_EQ(regs.rip, 0x100200);
	CHECK_EQ(regs.gpr[X86_RSI], BOOT_INFO);
	CHECK_EQ(regs.cr3, BOOT_PML4);
	CHECK_EQ(regs.efer, X86_EFER_LMA | X86_EFER_LME);
	CHECK(regs.seg[X86_CS].attr & X86_SEG_L);
	CHECK(!(regs.seg[X86_CS].attr & X86_SEG_DB));
	CHECK_EQ(regs.rflags & X86_RFLAGS_IF, 0);
	CHECK_MEM(at(0x100000), img + SETUP_SIZE, CODE_SIZE);
	bp = at(BOOT_INFO);
	CHECK_EQ(bp->hdr.boot_flag, 0xaa55);
	CHECK_EQ(bp->hdr.type_of_loader, 0xff);
	CHECK_EQ(bp->hdr.code32_start, 0x100000);
	CHECK_EQ(bp->hdr.ramdisk_size, 0);
	CHECK_EQ(bp->acpi_rsdp_addr, 0xe1230);
	CHECK_EQ(bp->e820_entries, 3);
	CHECK_EQ(bp->e820_table[2].size, 63 * MIB);
	CHECK_STR(at(bp->hdr.cmd_line_ptr), "console=ttyS0");
}

TEST(bzimage_refuses_what_it_cannot_start)
{
	static const struct {
		unsigned at, len;
		uint32_t val;
		const char *says;
	} bad[] = {
		{ 0x206, 2, 0x020b, "boot protocol 2.11" },
		{ 0x236, 2, 0, "no 64-bit entry" },
		{ 0x211, 1, 0, "zImage" },
		{ 0x1fe, 2, 0, "boot flag" },
		{ 0x202, 4, 0, "no bzImage header" },
		{ 0x1f4, 4, 0, "only 0 bytes" },
		{ 0x1f4, 4, CODE_SIZE / 16 + 1, "truncated" },
		{ 0x1f4, 4, UINT32_MAX, "truncated" },
		{ 0x1f1, 1, 255, "truncated" },
	};
	uint8_t img[IMAGE_SIZE];

	for (unsigned i = 0; i < ARRAY_LEN(bad); i++) {
		guest(64 * MIB);
		bzimage_make(img);
		memcpy(img + bad[i].at, &bad[i].val, bad[i].len);
		CHECK_EQ(bz_load(img, sizeof(img)), -ENOEXEC);
		check_says(bad[i].says);
		check_says("vmlinuz");
		CHECK_EQ(regs.rip, 0xeeeeeeeeeeeeeeee); // untouched
	}
}

TEST(bzimage_truncated_at_any_length_is_an_error)
{
	uint8_t img[IMAGE_SIZE];

	guest(64 * MIB);
	bzimage_make(img);
	for (size_t n = 0; n < IMAGE_SIZE - 15; n++) {
		uint8_t *copy = malloc(n ? n : 1);

		memcpy(copy, img, n);
		CHECK_EQ(bz_load(copy, n), -ENOEXEC);
		free(copy);
	}
}

TEST(bzimage_with_a_signature_behind_it_loads)
{
	uint8_t img[IMAGE_SIZE + 100] = { 0 };

	guest(64 * MIB);
	bzimage_make(img);
	CHECK_EQ(bz_load(img, sizeof(img)), 0);
}

TEST(kernel_that_needs_more_memory_names_both_sizes)
{
	uint8_t img[IMAGE_SIZE];

	guest(16 * MIB);
	bzimage_make(img);
	CHECK_EQ(bz_load(img, sizeof(img)), -EFBIG);
	check_says("18 MiB");
	check_says("16 MiB");
	bz_hdr(img)->pref_address = UINT64_MAX - 5;
	CHECK_EQ(bz_load(img, sizeof(img)), -EFBIG);
}

TEST(kernel_parameters_too_long_name_both_lengths)
{
	uint8_t img[IMAGE_SIZE];

	guest(64 * MIB);
	bzimage_make(img);
	bz_hdr(img)->cmdline_size = 12;
	CHECK_EQ(bz_load(img, sizeof(img)), -EINVAL);
	check_says("13 bytes");
	check_says("takes 12");
	bz_hdr(img)->cmdline_size = 13;
	CHECK_EQ(bz_load(img, sizeof(img)), 0);
}

/* ---- initrd ---- */

TEST(initrd_goes_as_high_as_it_may)
{
	uint8_t data[5000];
	uint64_t start, size;
	const char *path;

	memset(data, 0x5a, sizeof(data));
	path = file_with(data, sizeof(data));
	guest(64 * MIB);
	CHECK_EQ(boot_initrd_load(path, MIB, 0x7fffffff, &mem, &start, &size, &why), 0);
	CHECK_EQ(start, 64 * MIB - 0x2000);
	CHECK_EQ(size, sizeof(data));
	CHECK_MEM(at(start), data, sizeof(data));
	CHECK_EQ(boot_initrd_load(path, MIB, 32 * MIB - 1, &mem, &start, &size, &why), 0);
	CHECK_EQ(start, 32 * MIB - 0x2000);
	guest(6ull << 30); // below the hole, whatever the kernel allows
	CHECK_EQ(boot_initrd_load(path, MIB, UINT64_MAX - 1, &mem, &start, &size, &why), 0);
	CHECK_EQ(start, MEM_HOLE_START - 0x2000);
	unlink(path);
}

TEST(initrd_that_does_not_fit_names_both_sizes)
{
	uint8_t data[0x2000] = { 1 };
	uint64_t start = 7, size = 7;
	const char *path = file_with(data, sizeof(data));

	guest(16 * MIB);
	CHECK_EQ(boot_initrd_load(path, 16 * MIB - 0x1000, 0x7fffffff, &mem, &start, &size, &why), -EFBIG);
	check_says("8 KiB");
	check_says("4 KiB");
	CHECK_EQ(start, 7);
	CHECK_EQ(boot_initrd_load(path, 32 * MIB, 0x7fffffff, &mem, &start, &size, &why), -EFBIG);
	check_says("leaves 0 KiB");
	unlink(path);
	CHECK_EQ(boot_initrd_load("/nonexistent/initrd", 0, 0x7fffffff, &mem, &start, &size, &why), -ENOENT);
	check_says("initrd /nonexistent/initrd");
	CHECK_EQ(boot_initrd_load(NULL, 0, 0x7fffffff, &mem, &start, &size, &why), 0);
	CHECK_EQ(size, 0);
}

TEST(bzimage_tells_the_kernel_where_the_initrd_is)
{
	uint8_t img[IMAGE_SIZE], data[0x1000] = { 3 };
	struct boot_params *bp;

	guest(64 * MIB);
	bzimage_make(img);
	cfg.initrd = file_with(data, sizeof(data));
	CHECK_EQ(bz_load(img, sizeof(img)), 0);
	bp = at(BOOT_INFO);
	CHECK_EQ(bp->hdr.ramdisk_image, 64 * MIB - 0x1000);
	CHECK_EQ(bp->hdr.ramdisk_size, 0x1000);
	unlink(cfg.initrd);
}

/* ---- ELF ---- */

TEST(elf_with_a_pvh_note_starts_in_32_bit_protected_mode)
{
	struct elf64 f = elf64_make();
	uint8_t data[100] = { 9 };
	uint32_t *info;
	uint64_t map;

	guest(64 * MIB);
	cfg.initrd = file_with(data, sizeof(data));
	memset(at(0x200000), 0xcc, 0x1000);
	CHECK_EQ(elf_load(&f, sizeof(f)), 0);
	unlink(cfg.initrd);
	CHECK_EQ(regs.rip, 0x200010);
	CHECK_EQ(regs.cr0, 0x11);
	CHECK_EQ(regs.efer, 0);
	CHECK_EQ(regs.seg[X86_CS].attr, 0xc9b);
	CHECK_EQ(regs.seg[X86_DS].limit, 0xffffffff);
	info = at(regs.gpr[X86_RBX]);
	CHECK_EQ(info[0], 0x336ec578);
	CHECK_EQ(info[1], 1);
	CHECK_EQ(info[3], 1); // one module
	CHECK_EQ(ld_le64(at(ld_le64(info + 4))), 64 * MIB - 0x1000);
	CHECK_EQ(ld_le64((uint8_t *)at(ld_le64(info + 4)) + 8), sizeof(data));
	CHECK_STR(at(ld_le64(info + 6)), "console=ttyS0");
	CHECK_EQ(ld_le64(info + 8), 0xe1230);
	map = ld_le64(info + 10);
	CHECK_EQ(info[12], 3);
	CHECK_EQ(ld_le64((uint8_t *)at(map) + 2 * 24 + 8), 63 * MIB);
	CHECK_MEM(at(0x200000), f.code, 64);
	CHECK_EQ(*(uint8_t *)at(0x200040), 0); // the rest of the segment is zeroed
	CHECK_EQ(*(uint8_t *)at(0x200fff), 0);
}

TEST(elf_pvh_note_may_have_a_4_byte_address)
{
	struct elf64 f = elf64_make();

	guest(64 * MIB);
	f.note.xen.n_descsz = 4;
	f.ph[0].p_filesz -= 4;
	CHECK_EQ(elf_load(&f, sizeof(f)), 0);
	CHECK_EQ(regs.rip, 0x200010);
}

TEST(elf64_without_the_note_gets_the_64_bit_protocol)
{
	struct elf64 f = elf64_make();
	struct boot_params *bp;

	guest(64 * MIB);
	f.note.xen.n_type = 17;
	CHECK_EQ(elf_load(&f, sizeof(f)), 0);
	CHECK_EQ(regs.rip, 0x200000);
	CHECK(regs.efer & X86_EFER_LMA);
	bp = at(regs.gpr[X86_RSI]);
	CHECK_EQ(bp->hdr.header, 0x53726448);
	CHECK_EQ(bp->e820_entries, 3);
}

TEST(elf_that_cannot_start_says_why)
{
	struct elf64 f;

#define BAD(change, err, says)                          \
	do {                                            \
		guest(64 * MIB);                        \
		f = elf64_make();                       \
		change;                                 \
		CHECK_EQ(elf_load(&f, sizeof(f)), err); \
		check_says(says);                       \
		check_says("vmlinux");                  \
	} while (0)
	BAD(f.e.e_machine = EM_AARCH64, -ENOEXEC, "arm64");
	BAD(f.e.e_type = ET_REL, -ENOEXEC, "object file");
	BAD(f.e.e_ident[EI_DATA] = ELFDATA2MSB; f.e.e_machine = EM_X86_64 << 8;
	    f.e.e_phoff = 0, -ENOEXEC, "big-endian");
	BAD(f.ph[1].p_type = PT_NULL, -ENOEXEC, "nothing to load");
	BAD(f.ph[1].p_filesz = 0x1001, -ENOEXEC, "truncated");
	BAD(f.ph[1].p_memsz = 63, -ENOEXEC, "more bytes in the file");
	BAD(f.ph[1].p_offset = UINT64_MAX - 10, -ENOEXEC, "truncated");
	BAD(f.ph[1].p_paddr = 0x8000, -ENOEXEC, "1 MiB or above");
	BAD(f.ph[1].p_paddr = UINT64_MAX - 10, -EFBIG, "64 MiB");
	BAD(f.ph[1].p_paddr = 64 * MIB - 10, -EFBIG, "64 MiB");
	BAD(f.ph[1].p_memsz = UINT64_MAX, -EFBIG, "64 MiB");
	BAD(f.ph[1].p_memsz = 40 * MIB; f.ph[2] = f.ph[1], -ENOEXEC, "overlap");
	BAD(f.note.entry = 0x201000, -ENOEXEC, "outside what it loads");
	BAD(f.note.entry = 0x100200000, -ENOEXEC, "outside what it loads");
	BAD(f.e.e_phnum = 4000, -ENOEXEC, "");
	BAD(f.e.e_phoff = sizeof(f) - 1, -ENOEXEC, "");
}

TEST(elf32_needs_the_pvh_note)
{
	struct {
		Elf32_Ehdr e;
		Elf32_Phdr ph[2];
		Elf32_Nhdr note;
		char name[4];
		uint32_t entry;
	} f = {
		.e = { .e_ident = { 0x7f, 'E', 'L', 'F', ELFCLASS32, ELFDATA2LSB, EV_CURRENT },
		       .e_type = ET_EXEC,
		       .e_machine = EM_386,
		       .e_version = EV_CURRENT,
		       .e_entry = 0x100000,
		       .e_phoff = sizeof(Elf32_Ehdr),
		       .e_phentsize = sizeof(Elf32_Phdr),
		       .e_phnum = 2 },
		.ph = { { .p_type = PT_LOAD, .p_paddr = 0x100000, .p_filesz = 40, .p_memsz = 40 },
			{ .p_type = PT_NOTE, .p_offset = sizeof(f.e) + sizeof(f.ph), .p_filesz = 20 } },
		.note = { 4, 4, 18 },
		.name = "Xen",
		.entry = 0x100004,
	};

	guest(64 * MIB);
	CHECK_EQ(elf_load(&f, sizeof(f)), 0);
	CHECK_EQ(regs.rip, 0x100004);
	f.name[0] = 'x';
	CHECK_EQ(elf_load(&f, sizeof(f)), -ENOEXEC);
	check_says("without a PVH note");
}

TEST(elf_truncated_at_any_length_is_an_error)
{
	struct elf64 f = elf64_make();

	guest(64 * MIB);
	for (size_t n = 4; n < sizeof(f); n++)
		CHECK_EQ(elf_load(&f, n), -ENOEXEC);
}

TEST(elf_with_any_byte_changed_does_no_harm)
{
	struct elf64 f = elf64_make();
	uint8_t bytes[sizeof(f)];

	guest(8 * MIB);
	for (size_t i = 0; i < offsetof(struct elf64, code); i++) {
		static const uint8_t vals[] = { 0x00, 0x01, 0x7f, 0x80, 0xff };

		for (unsigned k = 0; k < ARRAY_LEN(vals); k++) {
			memcpy(bytes, &f, sizeof(f));
			bytes[i] = vals[k];
			CHECK(elf_load(bytes, sizeof(bytes)) <= 0);
		}
	}
}

/* ---- which file is what ---- */

TEST(file_that_is_no_kernel_is_named_for_what_it_is)
{
	static const struct {
		const char *bytes;
		size_t n;
		const char *says;
	} files[] = {
		{ "\x1f\x8b\x08\0\0\0", 6, "is a gzip file" },
		{ "MZ\x90\0\x03", 5, "is a PE image" },
		{ "#!/bin/sh\necho\n", 15, "is text" },
		{ "\x01\x02\x03", 3, "starts with bytes 01 02 03" },
		{ "\x28\xb5\x2f\xfd\x01\x02", 6, "is a zstd file" },
		{ "\x7f"
		  "ELF",
		  4, "broken or truncated ELF" },
		{ "070701000", 9, "cpio archive" },
	};

	guest(64 * MIB);
	for (unsigned i = 0; i < ARRAY_LEN(files); i++) {
		cfg.kernel = file_with(files[i].bytes, files[i].n);
		CHECK_EQ(load(cfg), -ENOEXEC);
		check_says(files[i].says);
		check_says(cfg.kernel);
	}
	cfg.kernel = file_with("", 0);
	CHECK_EQ(load(cfg), -EINVAL);
	check_says("is empty");
	unlink(cfg.kernel);
	CHECK_EQ(load(cfg), -ENOENT);
	cfg.kernel = "/";
	CHECK_EQ(load(cfg), -EISDIR);
	cfg.kernel = "/dev/null";
	CHECK_EQ(load(cfg), -EINVAL);
}

TEST(exactly_one_thing_is_started)
{
	guest(64 * MIB);
	cfg.flat = "x";
	CHECK_EQ(load(cfg), -EINVAL);
	CHECK_EQ(load((struct vm_cfg){ .params = "" }), -EINVAL);
	CHECK_EQ(load((struct vm_cfg){ .flat = "x", .initrd = "i", .params = "" }), -EINVAL);
}

/* ---- flat images ---- */

TEST(flat_real_mode_image_starts_at_its_linear_address)
{
	static const struct {
		uint64_t addr;
		uint16_t cs, ip, sp;
	} places[] = {
		{ 0x7c00, 0, 0x7c00, 0x7c00 },       { 0x1000, 0, 0x1000, 0x7c00 },  { 0x7b00, 0, 0x7b00, 0xfff0 },
		{ 0x12345, 0x1000, 0x2345, 0x7c00 }, { 0xf0000, 0xf000, 0, 0x7c00 },
	};
	uint8_t code[512];

	memset(code, 0xf4, sizeof(code));
	for (unsigned i = 0; i < ARRAY_LEN(places); i++) {
		guest(1 * MIB);
		cfg = (struct vm_cfg){ .flat = file_with(code, sizeof(code)),
				       .flat_addr = places[i].addr,
				       .params = "" };
		CHECK_EQ(load(cfg), 0);
		CHECK_EQ(regs.seg[X86_CS].sel, places[i].cs);
		CHECK_EQ(regs.seg[X86_CS].base + regs.rip, places[i].addr);
		CHECK_EQ(regs.rip, places[i].ip);
		CHECK_EQ(regs.gpr[X86_RSP], places[i].sp);
		CHECK_EQ(regs.seg[X86_DS].base, 0);
		CHECK_EQ(regs.cr0 & X86_CR0_PE, 0);
		CHECK_MEM(at(places[i].addr), code, sizeof(code));
	}
	unlink(cfg.flat);
}

TEST(flat_image_that_cannot_be_there_is_refused)
{
	uint8_t code[512] = { 0xf4 };

	guest(2 * MIB);
	cfg = (struct vm_cfg){ .flat = file_with(code, sizeof(code)), .flat_addr = MIB, .params = "" };
	CHECK_EQ(load(cfg), -EINVAL);
	check_says("real mode");
	cfg.flat_addr = 2 * MIB - 511;
	CHECK_EQ(load(cfg), -EFBIG);
	check_says("2 MiB");
	cfg.flat_addr = UINT64_MAX;
	CHECK_EQ(load(cfg), -EFBIG);
	cfg.flat_mode = VM_FLAT_LONG;
	for (cfg.flat_addr = BOOT_PML4 - 511; cfg.flat_addr < BOOT_TABLES_END; cfg.flat_addr += 0x100) {
		CHECK_EQ(load(cfg), -EINVAL);
		check_says("overlaps 0x1000-0x7fff");
	}
	unlink(cfg.flat);
}

TEST(flat_long_mode_image_has_tables_and_a_stack)
{
	uint8_t code[64] = { 0xf4 };

	guest(2 * MIB);
	cfg = (struct vm_cfg){ .flat = file_with(code, 64), .flat_addr = MIB, .flat_mode = VM_FLAT_LONG, .params = "" };
	CHECK_EQ(load(cfg), 0);
	CHECK_EQ(regs.rip, MIB);
	CHECK_EQ(regs.cr3, BOOT_PML4);
	CHECK_EQ(regs.gpr[X86_RSP], BOOT_STACK);
	CHECK_EQ(ld_le64((uint8_t *)at(BOOT_PD) + 8), 2 * MIB | 0x83);
	unlink(cfg.flat);
}

/* ---- firmware ---- */

TEST(firmware_ends_at_4_gib_and_has_a_shadow_below_1_mib)
{
	static uint8_t rom[0x40000];
	size_t len = 16;
	uint8_t *p;

	for (size_t i = 0; i < sizeof(rom); i++)
		rom[i] = (uint8_t)(i >> 12);
	guest(16 * MIB);
	cfg = (struct vm_cfg){ .firmware = file_with(rom, sizeof(rom)), .params = "" };
	CHECK_EQ(load(cfg), 0);
	p = mem_slot_ptr(&mem, GPA(0xfffffff0), &len);
	CHECK_EQ(len, 16);
	CHECK_MEM(p, rom + sizeof(rom) - 16, 16);
	CHECK_MEM(at(0xe0000), rom + 0x20000, 0x20000);
	CHECK(!mem_ptr(&mem, GPA(0xfffffff0), 16)); // read-only
	CHECK_EQ(regs.seg[X86_CS].base + regs.rip, 0xfffffff0);

	guest(16 * MIB);
	cfg = (struct vm_cfg){ .firmware = file_with(rom, 0x10000), .params = "" };
	CHECK_EQ(load(cfg), 0);
	CHECK_MEM(at(0xf0000), rom, 0x10000);
	CHECK_EQ(*(uint8_t *)at(0xeffff), 0);
	unlink(cfg.firmware);
}

TEST(firmware_of_odd_size_is_refused)
{
	uint8_t rom[5000] = { 0 };

	guest(16 * MIB);
	cfg = (struct vm_cfg){ .firmware = file_with(rom, sizeof(rom)), .params = "" };
	CHECK_EQ(load(cfg), -EINVAL);
	check_says("multiple of 4096");
	CHECK_EQ(truncate(cfg.firmware, 17 * MIB), 0);
	CHECK_EQ(load(cfg), -EFBIG);
	check_says("17 MiB");
	unlink(cfg.firmware);
}

TESTS(T(reset_state_is_real_mode_at_the_reset_vector), T(tables_map_the_low_4_gib_one_to_one),
      T(e820_leaves_out_the_first_mib_tail_and_the_hole), T(bzimage_starts_at_its_64_bit_entry_with_boot_params),
      T(bzimage_refuses_what_it_cannot_start), T(bzimage_truncated_at_any_length_is_an_error),
      T(bzimage_with_a_signature_behind_it_loads), T(kernel_that_needs_more_memory_names_both_sizes),
      T(kernel_parameters_too_long_name_both_lengths), T(initrd_goes_as_high_as_it_may),
      T(initrd_that_does_not_fit_names_both_sizes), T(bzimage_tells_the_kernel_where_the_initrd_is),
      T(elf_with_a_pvh_note_starts_in_32_bit_protected_mode), T(elf_pvh_note_may_have_a_4_byte_address),
      T(elf64_without_the_note_gets_the_64_bit_protocol), T(elf_that_cannot_start_says_why),
      T(elf32_needs_the_pvh_note), T(elf_truncated_at_any_length_is_an_error),
      T(elf_with_any_byte_changed_does_no_harm), T(file_that_is_no_kernel_is_named_for_what_it_is),
      T(exactly_one_thing_is_started), T(flat_real_mode_image_starts_at_its_linear_address),
      T(flat_image_that_cannot_be_there_is_refused), T(flat_long_mode_image_has_tables_and_a_stack),
      T(firmware_ends_at_4_gib_and_has_a_shadow_below_1_mib), T(firmware_of_odd_size_is_refused))
