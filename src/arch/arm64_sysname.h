/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef ARCH_ARM64_SYSNAME_H
#define ARCH_ARM64_SYSNAME_H

#include <stdbool.h>
#include <stdint.h>

#include "util/strbuf.h"

/** arm64_sys_encoding() - op0 to op2 of MSR, MRS and SYS in one number, as KVM_REG_ARM64_SYSREG has them. */
static inline uint16_t arm64_sys_encoding(unsigned op0, unsigned op1, unsigned crn, unsigned crm, unsigned op2)
{
	return (uint16_t)(op0 << 14 | op1 << 11 | crn << 7 | crm << 3 | op2);
}

/**
 * arm64_sysname_text() - append the name of a System register ("ICC_IAR1_EL1") or instruction ("DC CISW").
 * Returns: false, and nothing appended, when it is not known.
 */
bool arm64_sysname_text(uint16_t encoding, struct strbuf *out);

/** arm64_sysname_generic() - append the name that assemblers take for any of them: S3_0_C12_C12_0. */
void arm64_sysname_generic(uint16_t encoding, struct strbuf *out);

#endif
