/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef TESTS_UNIT_MMU_WORLD_H
#define TESTS_UNIT_MMU_WORLD_H

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>

#include "test.h"

#include "mmu/x86.h"
#include "util/bytes.h"
#include "util/macros.h"

/* Guest memory for page tables: frames in a row from `base`, handed out one by one; reads elsewhere fail. */
#define MAX_FRAMES 400

struct world {
	struct mmu_x86_ctx ctx;
	uint64_t base;
	unsigned nframes, nreads;
	uint8_t frames[MAX_FRAMES][4096];
};

enum { P = 1, W = 2, U = 4, PS = 0x80, PAT_LARGE = 0x1000 };
#define NX BIT64(63)
enum { CR4_PSE = 1 << 4, CR4_PAE = 1 << 5, CR4_LA57 = 1 << 12, EFER_NXE = 1 << 11 };
#define CR0_ON 0x80000001ull
#define EFER_LONG 0x500ull
#define FULL (MMU_R | MMU_W | MMU_X | MMU_U)

static inline void world_freep(struct world **w)
{
	free(*w);
}

static inline struct world *world_new(enum mmu_x86_mode mode)
{
	static const struct mmu_x86_ctx ctx[] = {
		[MMU_X86_FLAT] = { 0 },
		[MMU_X86_32BIT] = { .cr0 = CR0_ON, .cr4 = CR4_PSE },
		[MMU_X86_PAE] = { .cr0 = CR0_ON, .cr4 = CR4_PAE, .efer = EFER_NXE },
		[MMU_X86_4LEVEL] = { .cr0 = CR0_ON, .cr4 = CR4_PAE, .efer = EFER_LONG | EFER_NXE },
		[MMU_X86_5LEVEL] = { .cr0 = CR0_ON, .cr4 = CR4_PAE | CR4_LA57, .efer = EFER_LONG | EFER_NXE },
	};
	struct world *w = calloc(1, sizeof(*w));

	assert_non_null(w);
	w->ctx = ctx[mode];
	w->base = 0x100000;
	return w;
}

static inline int read_frames(void *arg, gpa at, void *buf, size_t len)
{
	struct world *w = arg;
	uint64_t off = at.raw - w->base;

	CHECK(len == 4 || len == 8);
	CHECK_EQ(at.raw % len, 0);
	w->nreads++;
	if (at.raw < w->base || off >= (uint64_t)w->nframes * 4096)
		return -EFAULT;
	memcpy(buf, &w->frames[0][0] + off, len);
	return 0;
}

static inline uint64_t frame_new(struct world *w)
{
	assert_true(w->nframes < MAX_FRAMES);
	return w->base + 4096ull * w->nframes++;
}

static inline void put(struct world *w, uint64_t at, uint64_t entry, unsigned entry_size)
{
	uint8_t raw[8];

	st_le64(raw, entry);
	memcpy(&w->frames[0][0] + (at - w->base), raw, entry_size);
}

static inline struct mmu_xlat walk(struct world *w, uint64_t at)
{
	struct mmu_xlat x;

	memset(&x, 0xa5, sizeof(x));
	CHECK_EQ(mmu_x86_walk(&w->ctx, read_frames, w, GVA(at), &x), 0);
	return x;
}

#endif
