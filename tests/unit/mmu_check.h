/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef TESTS_UNIT_MMU_CHECK_H
#define TESTS_UNIT_MMU_CHECK_H

#include "mmu/mmu.h"
#include "test.h"

/* What a walk is to answer. */

#define CHECK_PAGE(x, at, bytes, pa, rights)               \
	do {                                               \
		struct mmu_xlat x_ = (x);                  \
		CHECK_STR(mmu_why_text(x_.why), "mapped"); \
		CHECK(x_.mapped);                          \
		CHECK_EQ(x_.start.raw, at);                \
		CHECK_EQ(x_.size, bytes);                  \
		CHECK_EQ(x_.phys.raw, pa);                 \
		CHECK_EQ(x_.perm, rights);                 \
	} while (0)

#define CHECK_HOLE(x, at, bytes, reason)                               \
	do {                                                           \
		struct mmu_xlat x_ = (x);                              \
		CHECK(!x_.mapped);                                     \
		CHECK_STR(mmu_why_text(x_.why), mmu_why_text(reason)); \
		CHECK_EQ(x_.start.raw, at);                            \
		CHECK_EQ(x_.size, bytes);                              \
	} while (0)

#endif
