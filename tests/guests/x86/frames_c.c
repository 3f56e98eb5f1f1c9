/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What C sends in frames.S: FUNCTION is frames16 or frames32, for that mode. */
#include <gdbvm/checkpoint.h>

extern const char text[];

void FUNCTION(void);

void FUNCTION(void)
{
	CHECKPOINT(0xcc);
	CHECKPOINT_U64(0xc0de, 0x1122334455667788);
	CHECKPOINT_REGS();
	CHECKPOINT_MEM(text, 10);
}
