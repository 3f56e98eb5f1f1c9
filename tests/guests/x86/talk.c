/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What each vCPU of talk.S sends. */
#include "talk.h"

#include <gdbvm/checkpoint.h>

static const char text[] = "from C";

void talk(unsigned int id);

void talk(unsigned int id)
{
	CHECKPOINT(0x10 + id);
	for (unsigned int n = 0; n < TALK_NUMBERS; n++)
		CHECKPOINT_U64(id, (unsigned long)id << 32 | n);
	CHECKPOINT_REGS();
	CHECKPOINT_MEM(text, sizeof(text) - 1);
	CHECKPOINT(0x18 + id);
}
