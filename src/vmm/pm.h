/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef VMM_PM_H
#define VMM_PM_H

#include <stdint.h>

#include "vmm/dev.h"

/* Where dev/pm.c puts its registers and what the FADT and the DSDT say about them. */
enum {
	PM_EVT_PORT = PM_IO_BASE,
	PM_CNT_PORT = PM_IO_BASE + 4,
	PM_TMR_PORT = PM_IO_BASE + 8,
	PM_RESET_PORT = 0xcf9,
	PM_RESET_VALUE = 0x06,
	PM_SLP_TYP_S5 = 5,
};

/** pm_ticks() - the 32-bit timer after @ns nanoseconds. */
uint32_t pm_ticks(uint64_t ns);

#endif
