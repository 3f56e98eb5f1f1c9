/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef VMM_BOOT_FILE_H
#define VMM_BOOT_FILE_H

#include <stddef.h>
#include <stdint.h>

#include "util/errtext.h"

/* The files that a guest is started from. */
struct boot_file {
	const uint8_t *p; /* mapped read-only; NULL when empty or not open */
	size_t n;
	char *path;
};

/** boot_file_open() - map @path; @what names it in errors ("kernel"). -ENOENT, -EACCES, -EISDIR, -EINVAL (empty). */
int boot_file_open(const char *path, const char *what, struct boot_file *ret, struct errtext *why);
void boot_file_close(struct boot_file *f); /* also a _cleanup_() function; zeroed is fine */

/** boot_image_describe() - what these bytes are: "is a gzip file", "starts with bytes 01 02". @buf is returned. */
const char *boot_image_describe(const uint8_t *p, size_t n, char *buf, size_t size);

/** boot_size_text() - "37 MiB", "12 KiB" (rounded up), for messages. */
const char *boot_size_text(uint64_t n, char buf[24]);

#endif
