/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef CHECKPOINT_SCAN_H
#define CHECKPOINT_SCAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "checkpoint/names.h"
#include "util/strbuf.h"

/* Where an image of x86 code writes constants to port 0x80. */
struct checkpoint_site {
	uint64_t at;   /* linear address of the out instruction */
	uint64_t phys; /* where it is while the kernel runs at its physical address; ELF */
	uint8_t value;
	const char *function; /* ELF with symbols: what it is in, or NULL */
	uint64_t offset;      /* in that function */
};

/* A function whose writes to port 0x80 only take time. */
struct checkpoint_delay {
	uint64_t first, last;
	const char *function;
};

struct checkpoint_scan {
	bool elf;                     /* else a firmware image that ends at 4 GiB */
	struct checkpoint_site *site; /* ascending */
	size_t nsites;
	struct checkpoint_delay *delay;
	size_t ndelays;
	void *functions; /* the strings */
};

/** checkpoint_scan_file() - returns: 0; -ENOMEM; -EINVAL: too large for firmware, or a broken ELF file; what open(2)
 * and mmap(2) return; @why filled. */
int checkpoint_scan_file(const char *path, struct checkpoint_scan **ret, struct errtext *why);

/** checkpoint_scan_flat() - likewise raw code that is loaded at @at. */
int checkpoint_scan_flat(const char *path, uint64_t at, struct checkpoint_scan **ret, struct errtext *why);

/** checkpoint_scan_image() - likewise an image in memory; @what: how @why is to call it. */
int checkpoint_scan_image(const char *what, void *image, size_t n, struct checkpoint_scan **ret, struct errtext *why);
void checkpoint_scan_destroy(struct checkpoint_scan *s); /* NULL ok */
void checkpoint_scan_destroyp(struct checkpoint_scan **s);

/** checkpoint_site_name_add() - what its value is called, else the function that it is in, else the value. @names: NULL
 *  ok. */
void checkpoint_site_name_add(struct strbuf *out, const struct checkpoint_site *site,
			      const struct checkpoint_names *names);

/** checkpoint_scan_add() - a map file with the sites, and a verdict in comments. @names: of values. */
void checkpoint_scan_add(struct strbuf *out, const char *what, const struct checkpoint_scan *s,
			 const struct checkpoint_names *names);

#endif
