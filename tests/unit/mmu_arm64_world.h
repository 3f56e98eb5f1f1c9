/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef TESTS_UNIT_MMU_ARM64_WORLD_H
#define TESTS_UNIT_MMU_ARM64_WORLD_H

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>

#include "mmu_check.h"
#include "test.h"

#include "mmu/arm64.h"
#include "util/bytes.h"
#include "util/macros.h"

/* Guest memory for page tables, handed out from `base` on; reads elsewhere fail. */
#define WORLD_BYTES (6u << 20)

struct world {
	struct mmu_arm64_ctx ctx;
	struct mmu_arm64_s2_ctx s2;
	uint64_t base, used;
	unsigned nreads;
	bool big_endian;
	uint8_t mem[WORLD_BYTES];
};

/* Entries: Arm ARM, "VMSAv8-64 translation table format descriptors". */
#define VALID BIT64(0)
#define TABLE BIT64(1) /* and at the last level PAGE */
#define PAGE BIT64(1)
#define AP_USER BIT64(6)
#define AP_RO BIT64(7)
#define AF BIT64(10)
#define CONTIGUOUS BIT64(52)
#define PXN BIT64(53)
#define UXN BIT64(54)
#define PXN_TABLE BIT64(59)
#define UXN_TABLE BIT64(60)
#define AP_TABLE_NO_USER BIT64(61)
#define AP_TABLE_RO BIT64(62)
#define S2_R BIT64(6)
#define S2_W BIT64(7)

/* SCTLR and TCR_EL1 */
#define M_ON BIT64(0)
#define WXN BIT64(19)
#define EE BIT64(25)
#define T0SZ(n) ((uint64_t)(64 - (n)))
#define T1SZ(n) ((uint64_t)(64 - (n)) << 16)
#define EPD0 BIT64(7)
#define EPD1 BIT64(23)
#define TG0_4K 0ull
#define TG0_64K (1ull << 14)
#define TG0_16K (2ull << 14)
#define TG1_16K (1ull << 30)
#define TG1_4K (2ull << 30)
#define TG1_64K (3ull << 30)
#define IPS(n) ((uint64_t)(n) << 32)
enum { SIZE_32, SIZE_36, SIZE_40, SIZE_42, SIZE_44, SIZE_48, SIZE_52 };
#define TBI0 BIT64(37)
#define TBI1 BIT64(38)
#define HPD0 BIT64(41)
#define HPD1 BIT64(42)
#define E0PD0 BIT64(55)
#define E0PD1 BIT64(56)
#define DS BIT64(59)
/* TCR_EL2 and VTCR_EL2 */
#define PS(n) ((uint64_t)(n) << 16)
#define EL2_TBI BIT64(20)
#define EL2_HPD BIT64(24)
#define EL2_DS BIT64(32)
#define SL0(n) ((uint64_t)(n) << 6)
#define SL2 BIT64(33)
/* ID_AA64MMFR0_EL1, ID_AA64MMFR2_EL1 */
#define LPA2_GRANULES (1ull << 28 | 2ull << 20)
#define VARANGE_52 (1ull << 16)
#define SMALL_TABLES (1ull << 28)

#define RW (MMU_R | MMU_W)
#define RX (MMU_R | MMU_X)
#define RWX (MMU_R | MMU_W | MMU_X)
#define FULL (RWX | MMU_U)

static inline void world_freep(struct world **w)
{
	free(*w);
}

static inline struct world *world_new(void)
{
	struct world *w = calloc(1, sizeof(*w));

	assert_non_null(w);
	w->ctx.sctlr = M_ON;
	w->base = 0x1000000;
	return w;
}

/* Entry size, alignment and place are the same for all tables. */
static inline int read_world(void *arg, gpa at, void *buf, size_t len)
{
	struct world *w = arg;
	uint64_t off = at.raw - w->base;

	CHECK_EQ(len, 8);
	CHECK_EQ(at.raw % 8, 0);
	CHECK(at.raw < BIT64(52));
	w->nreads++;
	if (at.raw < w->base || off >= w->used)
		return -EFAULT;
	memcpy(buf, w->mem + off, len);
	return 0;
}

static inline bool world_full(const struct world *w, uint64_t bytes)
{
	return w->used + 2 * bytes > WORLD_BYTES;
}

/* A table of @bytes, a power of two, aligned to that. */
static inline uint64_t table_new(struct world *w, uint64_t bytes)
{
	uint64_t at = (w->base + w->used + bytes - 1) & -bytes;

	w->used = at - w->base + bytes;
	assert_true(w->used <= WORLD_BYTES);
	return at;
}

static inline void put(struct world *w, uint64_t table, uint64_t index, uint64_t entry)
{
	uint64_t off = table + 8 * index - w->base;

	assert_true(off < w->used);
	st_le64(w->mem + off, w->big_endian ? __builtin_bswap64(entry) : entry);
}

static inline struct mmu_xlat walk(struct world *w, uint64_t at)
{
	struct mmu_xlat x;

	memset(&x, 0xa5, sizeof(x));
	CHECK_EQ(mmu_arm64_walk(&w->ctx, read_world, w, GVA(at), &x), 0);
	return x;
}

static inline struct mmu_xlat walk_s2(struct world *w, uint64_t at)
{
	struct mmu_xlat x;

	memset(&x, 0xa5, sizeof(x));
	CHECK_EQ(mmu_arm64_s2_walk(&w->s2, read_world, w, GPA(at), &x), 0);
	return x;
}

static inline struct mmu_xlat walk_nested(struct world *w, uint64_t at)
{
	struct mmu_xlat x;

	memset(&x, 0xa5, sizeof(x));
	CHECK_EQ(mmu_arm64_nested_walk(&w->ctx, &w->s2, read_world, w, GVA(at), &x), 0);
	return x;
}

#endif
