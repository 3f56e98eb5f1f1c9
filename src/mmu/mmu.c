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
		[MMU_ADDRESS_SIZE] = "an address beyond physical memory",
		[MMU_WALK_OFF] = "table walks are disabled here",
		[MMU_BAD_CONFIG] = "translation registers with values that fault",
		[MMU_STAGE2] = "not mapped by the second stage",
	};

	return why < ARRAY_LEN(text) ? text[why] : "unknown";
}
