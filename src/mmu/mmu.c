/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "mmu/mmu.h"

#include "util/macros.h"

const char *mmu_why_text(enum mmu_why why)
{
	static const char *const text[] = {
		[MMU_MAPPED] = "mapped",
		[MMU_NOT_PRESENT] = "not present",
		[MMU_NON_CANONICAL] = "non-canonical address",
		[MMU_RESERVED_BIT] = "reserved bit set",
		[MMU_OUT_OF_RANGE] = "address too wide for this mode",
	};

	return why < ARRAY_LEN(text) ? text[why] : "unknown";
}
