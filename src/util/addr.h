/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef UTIL_ADDR_H
#define UTIL_ADDR_H

#include <stdint.h>

/* Address kinds are types, so that a guest virtual address cannot be passed for a physical one. */
typedef struct {
	uint64_t raw;
} gva; /* guest virtual (x86: linear) */
typedef struct {
	uint64_t raw;
} gpa; /* guest physical */

#define GVA(x) ((gva){ (x) })
#define GPA(x) ((gpa){ (x) })

#endif
