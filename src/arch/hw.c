/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "arch/arch.h"

gva arch_hw_nearest(const struct hw_break *b, gva at)
{
	uint64_t last = b->at.raw + (b->len - 1);

	if (at.raw < b->at.raw)
		return b->at;
	return at.raw > last ? GVA(last) : at;
}
