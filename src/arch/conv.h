/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef ARCH_CONV_H
#define ARCH_CONV_H

#include <stdbool.h>
#include <stdint.h>

#include "arch/arch.h"

/* Inside the room: how a row's bytes come out of the register file and go back, by enum reg_conv. */
struct conv {
	uint32_t groups;                                                  /* needed beside the row's own */
	bool (*has)(const struct reg_desc *d, const struct arch_regs *r); /* NULL: always there */
	void (*get)(const struct reg_desc *d, const struct arch_regs *r, void *buf);
	int (*set)(const struct reg_desc *d, struct arch_regs *r, const void *buf); /* 0, -EINVAL; NULL: read-only */
};

/** conv_plain_get(), conv_plain_set() - simply the bytes at the row's offset. */
void conv_plain_get(const struct reg_desc *d, const struct arch_regs *r, void *buf);
int conv_plain_set(const struct reg_desc *d, struct arch_regs *r, const void *buf);

extern const struct conv x86_conv_linear_pc, x86_conv_selector, x86_conv_fp, x86_conv_msr;
extern const struct conv arm64_conv_sp, arm64_conv_banked_sp, arm64_conv_sys, arm64_conv_debug, arm64_conv_vg,
	arm64_conv_pauth;

#endif
