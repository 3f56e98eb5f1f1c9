/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "util/macros.h"
#include "vmm/boot_file.h"

int boot_file_open(const char *path, const char *what, struct boot_file *ret, struct errtext *why)
{
	_cleanup_(closep) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); // a FIFO must not block us
	_cleanup_(boot_file_close) struct boot_file f = { 0 };
	struct stat st;
	void *p;

	if (fd < 0 || fstat(fd, &st) < 0) {
		int err = errno;

		return errtext_set(why, -err, "cannot open the %s %s: %s", what, path, strerror(err));
	}
	if (S_ISDIR(st.st_mode))
		return errtext_set(why, -EISDIR, "%s is a directory: expected a %s file", path, what);
	if (!S_ISREG(st.st_mode))
		return errtext_set(why, -EINVAL, "%s is not a regular file: expected a %s file", path, what);
	if (st.st_size == 0)
		return errtext_set(why, -EINVAL, "the %s %s is empty", what, path);
	f.path = strdup(path);
	if (!f.path)
		return errtext_set(why, -ENOMEM, "no memory for the %s %s", what, path);
	p = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (p == MAP_FAILED) {
		int err = errno;

		return errtext_set(why, -err, "cannot map the %s %s: %s", what, path, strerror(err));
	}
	f.p = p;
	f.n = (size_t)st.st_size;
	*ret = f;
	f = (struct boot_file){ 0 };
	return 0;
}

void boot_file_close(struct boot_file *f)
{
	if (f->p)
		munmap((void *)(uintptr_t)f->p, f->n);
	free(f->path);
	*f = (struct boot_file){ 0 };
}

static bool is_text(const uint8_t *p, size_t n)
{
	for (size_t i = 0; i < MIN(n, 256u); i++)
		if (!isprint(p[i]) && !isspace(p[i]))
			return false;
	return n > 0;
}

const char *boot_image_describe(const uint8_t *p, size_t n, char *buf, size_t size)
{
	// First match wins: a Linux image with an EFI stub is a PE image too.
	static const struct {
		unsigned at, len;
		const char *bytes, *text;
	} magics[] = {
		{ 0x38, 4, "ARM\x64", "is an arm64 Linux kernel" },
		{ 0x202, 4, "HdrS", "is an x86 Linux bzImage" },
		{ 0, 4,
		  "\x7f"
		  "ELF",
		  "is an ELF file" },
		{ 0, 2, "MZ", "is a PE image" },
		{ 0, 2, "\x1f\x8b", "is a gzip file" },
		{ 0, 6,
		  "\xfd"
		  "7zXZ\0",
		  "is an xz file" },
		{ 0, 4, "\x28\xb5\x2f\xfd", "is a zstd file" },
		{ 0, 3, "BZh", "is a bzip2 file" },
		{ 0, 4, "\x04\x22\x4d\x18", "is an lz4 file" },
		{ 0, 4, "\x02\x21\x4c\x18", "is an lz4 file" },
		{ 0, 6, "070701", "is a cpio archive (an initrd?)" },
		{ 0, 4, "QFI\xfb", "is a qcow2 disk image" },
		{ 0, 8, "!<arch>\n", "is an ar archive (a package?)" },
		{ 0, 4, "\x27\x05\x19\x56", "is a U-Boot image" },
	};

	for (unsigned i = 0; i < ARRAY_LEN(magics); i++)
		if (n >= magics[i].at + magics[i].len && !memcmp(p + magics[i].at, magics[i].bytes, magics[i].len))
			return magics[i].text;
	if (is_text(p, n))
		return "is text";
	int len = snprintf(buf, size, "starts with bytes");
	for (size_t i = 0; i < MIN(n, 8u) && (size_t)len < size; i++)
		len += snprintf(buf + len, size - (size_t)len, " %02x", p[i]);
	return buf;
}

const char *boot_size_text(uint64_t n, char buf[24])
{
	if (n >= 1 << 20)
		snprintf(buf, 24, "%" PRIu64 " MiB", (n >> 20) + ((n & 0xfffff) != 0));
	else
		snprintf(buf, 24, "%" PRIu64 " KiB", (n >> 10) + ((n & 0x3ff) != 0));
	return buf;
}
