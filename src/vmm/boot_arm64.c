/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "util/bytes.h"
#include "util/macros.h"
#include "vmm/board_arm64.h"
#include "vmm/boot_file.h"

/* Linux Documentation/arm64/booting.rst, "Call the kernel image": the header of an Image. */
enum {
	HDR_TEXT_OFFSET = 8,
	HDR_IMAGE_SIZE = 16,
	HDR_FLAGS = 24,
	HDR_MAGIC = 56,
	HDR_SIZE = 64,
	FLAG_BIG_ENDIAN = 1 << 0,
	ZBOOT_MAGIC = 4, /* "MZ", then this: an EFI program that has a compressed Image */
	ZBOOT_PAYLOAD = 8,
	ZBOOT_PAYLOAD_SIZE = 12,
	ZBOOT_METHOD = 24, /* text */
	ZBOOT_METHOD_SIZE = 32,
	OLD_TEXT_OFFSET = 0x80000, /* where image_size is 0, as before Linux 3.17 */
	PAGE = 4096,
};

/* A kernel, plain. */
struct image {
	const uint8_t *p;
	size_t n;
	uint8_t *unpacked; /* malloc; NULL if the file is plain */
	uint64_t text_offset, size;
};

static void image_free(struct image *m)
{
	free(m->unpacked);
}

static bool is_gzip(const uint8_t *p, size_t n)
{
	return n >= 2 && p[0] == 0x1f && p[1] == 0x8b;
}

/* An Image in an EFI program (CONFIG_EFI_ZBOOT): from here on it is the gzip file that the program would unpack. */
static int zboot_open(const char *name, struct image *m, struct errtext *why)
{
	uint32_t at, n;

	if (m->n < HDR_SIZE || memcmp(m->p, "MZ", 2) != 0 || memcmp(m->p + ZBOOT_MAGIC, "zimg", 4) != 0)
		return 0;
	if (memcmp(m->p + ZBOOT_METHOD, "gzip", 5) != 0)
		return errtext_set(why, -ENOEXEC,
				   "%s is an EFI program with a kernel compressed by %.*s: expected gzip", name,
				   ZBOOT_METHOD_SIZE, (const char *)m->p + ZBOOT_METHOD);
	at = ld_le32(m->p + ZBOOT_PAYLOAD);
	n = ld_le32(m->p + ZBOOT_PAYLOAD_SIZE);
	if (at > m->n || n > m->n - at)
		return errtext_set(why, -ENOEXEC,
				   "%s is truncated: its kernel ends at byte %" PRIu64 ", the file has %zu", name,
				   (uint64_t)at + n, m->n);
	m->p += at;
	m->n = n;
	return 0;
}

/* All of the stream into a buffer that grows up to @max bytes. Returns: 0; -ENOEXEC; -EFBIG; -ENOMEM. */
static int inflate_all(z_stream *z, size_t max, struct image *m)
{
	size_t size = 0;
	int rc = Z_OK;

	while (rc != Z_STREAM_END) {
		if (z->avail_out == 0) {
			const size_t done = size;
			uint8_t *p;

			if (size == max)
				return -EFBIG;
			size = MIN(max, MAX(2 * size, (size_t)1 << 20));
			p = realloc(m->unpacked, size);
			if (!p)
				return -ENOMEM;
			m->unpacked = p;
			z->next_out = p + done;
			z->avail_out = (unsigned)(size - done);
		}
		rc = inflate(z, Z_NO_FLUSH);
		if (rc != Z_OK && rc != Z_STREAM_END)
			return -ENOEXEC; // Z_BUF_ERROR: the file ends early
	}
	m->p = m->unpacked;
	m->n = size - z->avail_out;
	return 0;
}

static int image_unpack(const char *name, uint64_t max, struct image *m, struct errtext *why)
{
	z_stream z = { .next_in = (uint8_t *)(uintptr_t)m->p, .avail_in = (unsigned)MIN(m->n, (size_t)UINT32_MAX) };
	char size[24];
	int rc = inflateInit2(&z, 16 + MAX_WBITS) == Z_OK ? 0 : -ENOMEM; // 16: with gzip's header

	if (rc == 0) {
		rc = inflate_all(&z, (size_t)MIN(max, (uint64_t)UINT32_MAX), m);
		inflateEnd(&z);
	}
	if (rc == -EFBIG)
		return errtext_set(why, rc, "the kernel %s has more than the %s of this guest's memory when unpacked",
				   name, boot_size_text(max, size));
	if (rc == -ENOMEM)
		return errtext_set(why, rc, "no memory to unpack the kernel %s", name);
	return rc < 0 ? errtext_set(why, rc, "%s is a broken or truncated gzip file", name) : 0;
}

static int image_check(const char *name, struct image *m, struct errtext *why)
{
	char buf[64];

	if (m->n < HDR_SIZE || memcmp(m->p + HDR_MAGIC, "ARM\x64", 4) != 0)
		return errtext_set(why, -ENOEXEC,
				   "%s %s%s: expected, for an arm64 guest, a Linux Image, plain or gzip'd", name,
				   m->unpacked ? "is a gzip file; what is in it " : "",
				   boot_image_describe(m->p, m->n, buf, sizeof(buf)));
	if (ld_le64(m->p + HDR_FLAGS) & FLAG_BIG_ENDIAN)
		return errtext_set(why, -ENOEXEC, "%s is a big-endian kernel: expected a little-endian one", name);
	m->text_offset = ld_le64(m->p + HDR_TEXT_OFFSET);
	m->size = MAX(ld_le64(m->p + HDR_IMAGE_SIZE), (uint64_t)m->n);
	if (ld_le64(m->p + HDR_IMAGE_SIZE) == 0)
		m->text_offset = OLD_TEXT_OFFSET;
	return 0;
}

/* The device tree has the last 64 KiB of RAM, so that it never crosses a 2 MiB boundary. */
static uint64_t dtb_at_top(const struct mem *mem)
{
	return (mem_end(mem) & ~(uint64_t)(BOOT_ARM64_DTB_MAX - 1)) - BOOT_ARM64_DTB_MAX;
}

static int initrd_load(const char *path, uint64_t floor, struct mem *mem, struct boot_arm64 *b, struct errtext *why)
{
	// The kernel wants it in the 32 GiB from where it lies itself.
	const uint64_t top = MIN(b->dtb, MEM_ARM64_RAM + (UINT64_C(32) << 30));
	_cleanup_(boot_file_close) struct boot_file f = { 0 };
	char need[24], have[24];
	int rc;

	if (!path)
		return 0;
	rc = boot_file_open(path, "initrd", &f, why);
	if (rc < 0)
		return rc;
	const uint64_t at = top > f.n ? (top - f.n) & ~(uint64_t)(PAGE - 1) : 0;
	void *p = at >= floor ? mem_ptr(mem, GPA(at), f.n) : NULL;
	if (!p)
		return errtext_set(why, -EFBIG,
				   "the initrd %s has %s; the kernel leaves %s of this guest's memory for it", path,
				   boot_size_text(f.n, need), boot_size_text(top > floor ? top - floor : 0, have));
	memcpy(p, f.p, f.n);
	b->initrd = at;
	b->initrd_size = f.n;
	return 0;
}

int boot_arm64_image(const struct vm_cfg *cfg, struct mem *mem, const uint8_t *img, size_t n, struct boot_arm64 *ret,
		     struct errtext *why)
{
	_cleanup_(image_free) struct image m = { .p = img, .n = n };
	struct boot_arm64 b = { .dtb = dtb_at_top(mem) };
	char need[24], have[24];
	uint64_t end;
	int rc = zboot_open(cfg->kernel, &m, why);

	if (rc == 0 && is_gzip(m.p, m.n))
		rc = image_unpack(cfg->kernel, mem->ram_size, &m, why);
	if (rc == 0)
		rc = image_check(cfg->kernel, &m, why);
	if (rc < 0)
		return rc;
	// RAM begins at a multiple of 2 MiB, and the kernel can use nothing below itself.
	b.entry = MEM_ARM64_RAM + m.text_offset;
	if (b.entry < MEM_ARM64_RAM || __builtin_add_overflow(b.entry, m.size, &end) || end > b.dtb)
		return errtext_set(why, -EFBIG, "the kernel %s needs %s of memory from %#" PRIx64 "; this guest has %s",
				   cfg->kernel, boot_size_text(m.size, need), b.entry,
				   boot_size_text(mem->ram_size, have));
	rc = initrd_load(cfg->initrd, end, mem, &b, why);
	if (rc < 0)
		return rc;
	memcpy(mem_ptr(mem, GPA(b.entry), m.n), m.p, m.n);
	*ret = b;
	return 0;
}

static int load_kernel(const struct vm_cfg *cfg, struct mem *mem, struct boot_arm64 *b, struct errtext *why)
{
	_cleanup_(boot_file_close) struct boot_file f = { 0 };
	const int rc = boot_file_open(cfg->kernel, "kernel", &f, why);

	return rc < 0 ? rc : boot_arm64_image(cfg, mem, f.p, f.n, b, why);
}

static int load_flat(const struct vm_cfg *cfg, struct mem *mem, struct boot_arm64 *b, struct errtext *why)
{
	_cleanup_(boot_file_close) struct boot_file f = { 0 };
	char need[24], have[24];
	int rc = boot_file_open(cfg->flat, "flat image", &f, why);

	if (rc < 0)
		return rc;
	b->entry = cfg->flat_addr;
	b->dtb = dtb_at_top(mem);
	void *p = mem_ptr(mem, GPA(b->entry), f.n);
	if (!p)
		return errtext_set(why, -EFBIG,
				   "the flat image %s has %s and goes to %#" PRIx64
				   "; this guest has %s of memory at %#llx",
				   f.path, boot_size_text(f.n, need), b->entry, boot_size_text(mem->ram_size, have),
				   MEM_ARM64_RAM);
	if (b->entry % 4 != 0)
		return errtext_set(why, -EINVAL,
				   "the flat image %s cannot start at %#" PRIx64 ": expected a multiple of 4", f.path,
				   b->entry);
	if (b->entry + f.n > b->dtb)
		return errtext_set(why, -EFBIG,
				   "the flat image %s has %s and goes to %#" PRIx64
				   "; the device tree is from %#" PRIx64 " on, at the end of memory",
				   f.path, boot_size_text(f.n, need), b->entry, b->dtb);
	memcpy(p, f.p, f.n);
	return 0;
}

static int load_firmware(const struct vm_cfg *cfg, struct mem *mem, struct boot_arm64 *b, struct errtext *why)
{
	_cleanup_(boot_file_close) struct boot_file f = { 0 };
	char size[24];
	int rc = boot_file_open(cfg->firmware, "firmware", &f, why);

	if (rc < 0)
		return rc;
	if (f.n > ARM64_FLASH_SIZE)
		return errtext_set(why, -EFBIG, "the firmware %s has %s; the flash has 64 MiB", f.path,
				   boot_size_text(f.n, size));
	b->entry = ARM64_FLASH_AT;
	b->dtb = MEM_ARM64_RAM; // where firmware for such machines looks for it
	return mem_add_rom(mem, GPA(ARM64_FLASH_AT), f.p, f.n, why);
}

int boot_arm64_load(const struct vm_cfg *cfg, struct mem *mem, struct boot_arm64 *ret, struct errtext *why)
{
	struct boot_arm64 b = { 0 };
	int rc;

	if (!!cfg->kernel + !!cfg->firmware + !!cfg->flat != 1)
		return errtext_set(why, -EINVAL, "exactly one of kernel, firmware and flat image must be given");
	if (cfg->initrd && !cfg->kernel)
		return errtext_set(why, -EINVAL, "the initrd %s has no kernel to go with", cfg->initrd);
	rc = cfg->firmware ? load_firmware(cfg, mem, &b, why)
	     : cfg->flat   ? load_flat(cfg, mem, &b, why)
			   : load_kernel(cfg, mem, &b, why);
	if (rc == 0)
		*ret = b;
	return rc;
}

void boot_arm64_regs(const struct boot_arm64 *b, struct arm64_regs *r)
{
	memset(r, 0, sizeof(*r));
	r->x[0] = b->dtb;
	r->pc = b->entry;
	r->pstate = ARM64_PSTATE_DAIF | 1 << ARM64_PSTATE_EL_SHIFT | ARM64_PSTATE_SP;
	r->sp_absent = 1 << ARM64_SP_EL2 | 1 << ARM64_SP_EL3;
}
