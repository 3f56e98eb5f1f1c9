/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <gdbvm/checkpoint.h>

extern const char text[];
const char text[] = "checkpoint me";

void frames(void);

void frames(void)
{
	CHECKPOINT(0xcc);
	CHECKPOINT_U64(0xc0de, 0x1122334455667788);
	CHECKPOINT_REGS();
	CHECKPOINT_MEM(text, 10);
}
