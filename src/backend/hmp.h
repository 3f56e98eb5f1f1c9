/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef BACKEND_HMP_H
#define BACKEND_HMP_H

#include "arch/arch.h"

/* What QEMU's human monitor says about one x86 vCPU ("info registers"). */
struct hmp_cpu {
	struct arch_regs
		r; /* have: the groups that the text had whole. st[] by stack position. cr8 and MSRs are not told. */
	bool halted;
};

/**
 * hmp_cpu_parse() - read the text.
 * Shape:   keys in any order, unknown ones skipped, so other versions' additions do no harm.
 * Returns: 0; -EPROTO: no group of registers is whole, @out untouched.
 */
int hmp_cpu_parse(const char *text, struct hmp_cpu *out);

#endif
