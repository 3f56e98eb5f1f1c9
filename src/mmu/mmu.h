/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef MMU_MMU_H
#define MMU_MMU_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "util/addr.h"

enum mmu_perm { MMU_R = 1, MMU_W = 2, MMU_X = 4, MMU_U = 8 };

/* Why an address has no translation. */
enum mmu_why {
	MMU_MAPPED,
	MMU_NOT_PRESENT,   /* an entry on the way has its present bit clear */
	MMU_NON_CANONICAL, /* the upper bits are not a sign extension */
	MMU_RESERVED_BIT,  /* an entry has a bit set that the processor would fault on */
	MMU_OUT_OF_RANGE,  /* wider than the mode's addresses (above 4 GiB without long mode) */
	MMU_ADDRESS_SIZE,  /* an entry, or the root, has an address that the machine or its settings do not reach */
	MMU_WALK_OFF,      /* this part of the address space has its walks disabled */
	MMU_BAD_CONFIG,    /* the registers that describe the tables have values that fault */
	MMU_STAGE2,        /* the second stage of translation does not map it */
};

#define MMU_MAX_LEVELS 5

/*
 * The answer to a walk: one whole page, or one whole hole. Unmapped is an answer, not an error.
 * start and size describe the page, or the largest aligned hole that the deciding entry stands for; a hole
 * at the very top has start + size == 2^64 (wraps to 0), and size 0 means all 2^64 bytes.
 */
struct mmu_xlat {
	gva start;
	uint64_t size; /* bytes */
	bool mapped;
	gpa phys;     /* of `start`; only when mapped */
	uint8_t perm; /* MMU_R|W|X|U combined over all levels; only when mapped */
	enum mmu_why why;
	int top_level;                  /* the number of the level of entry[0], as its manual counts; x86: 1 */
	unsigned nlevels;               /* entries read */
	uint64_t entry[MMU_MAX_LEVELS]; /* raw entries, top first */
	gpa entry_at[MMU_MAX_LEVELS];   /* where each was read */
};

/**
 * mmu_read_fn - how a walker reads guest-physical memory.
 * Reads exactly @len bytes (4 or 8, naturally aligned). Returns: 0; negative errno when there is none there.
 */
typedef int mmu_read_fn(void *arg, gpa at, void *buf, size_t len);

/** mmu_why_text() - a few words for a person, e.g. "not present". */
const char *mmu_why_text(enum mmu_why why);

#endif
