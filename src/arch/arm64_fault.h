/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef ARCH_ARM64_FAULT_H
#define ARCH_ARM64_FAULT_H

#include <stdint.h>

#include "util/strbuf.h"

enum arm64_fault_kind {
	ARM64_FAULT_RESERVED,
	ARM64_FAULT_ADDRESS_SIZE,
	ARM64_FAULT_TRANSLATION,
	ARM64_FAULT_ACCESS_FLAG,
	ARM64_FAULT_PERMISSION,
	ARM64_FAULT_EXTERNAL,
	ARM64_FAULT_EXTERNAL_WALK,
	ARM64_FAULT_PARITY,
	ARM64_FAULT_PARITY_WALK,
	ARM64_FAULT_TAG,
	ARM64_FAULT_ALIGNMENT,
	ARM64_FAULT_GRANULE,
	ARM64_FAULT_GRANULE_WALK,
	ARM64_FAULT_TLB_CONFLICT,
	ARM64_FAULT_HARDWARE_UPDATE,
	ARM64_FAULT_LOCKDOWN,
	ARM64_FAULT_ATOMIC,
	ARM64_NFAULTS
};

#define ARM64_NO_LEVEL INT8_MAX

/* A fault status code: what went wrong, and at which level of the tables (-2 to 3, or ARM64_NO_LEVEL). */
struct arm64_fault {
	uint8_t kind;
	int8_t level;
};

/** arm64_fault_of() - the meaning of a 6-bit fault status code (DFSC, IFSC; PAR_EL1.FST). */
struct arm64_fault arm64_fault_of(unsigned fsc);

/** arm64_fault_text() - append it in words: "translation fault, level 2". */
void arm64_fault_text(unsigned fsc, struct strbuf *out);

#endif
