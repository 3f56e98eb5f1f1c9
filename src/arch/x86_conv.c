/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <string.h>

#include "arch/conv.h"
#include "arch/x86.h"
#include "util/bytes.h"
#include "util/macros.h"

static void linear_pc_get(const struct reg_desc *d, const struct arch_regs *r, void *buf)
{
	uint8_t raw[8];

	st_le64(raw, x86_pc_get(r).raw);
	memcpy(buf, raw, d->bits / 8);
}

static int linear_pc_set(const struct reg_desc *d, struct arch_regs *r, const void *buf)
{
	uint8_t raw[8];

	st_le64(raw, x86_pc_get(r).raw); // a narrow row leaves the upper half
	memcpy(raw, buf, d->bits / 8);
	return x86_pc_set(r, GVA(ld_le64(raw)));
}

const struct conv x86_conv_linear_pc = { .groups = ARCH_SYS, .get = linear_pc_get, .set = linear_pc_set };

static unsigned segment_of(const struct reg_desc *d)
{
	return (d->offset - offsetof(struct x86_regs, seg)) / sizeof(struct x86_seg);
}

static void selector_get(const struct reg_desc *d, const struct arch_regs *r, void *buf)
{
	st_le32(buf, r->x86.seg[segment_of(d)].sel);
}

static int selector_set(const struct reg_desc *d, struct arch_regs *r, const void *buf)
{
	uint32_t sel = ld_le32(buf);

	if (sel > UINT16_MAX)
		return -EINVAL;
	x86_selector_set(&r->x86, segment_of(d), sel);
	return 0;
}

/* RFLAGS.VM tells how a selector is loaded. */
const struct conv x86_conv_selector = { .groups = ARCH_CORE, .get = selector_get, .set = selector_set };

static bool has_fp(const struct reg_desc *d, const struct arch_regs *r)
{
	return !(r->x86.fp_absent & d->which);
}

const struct conv x86_conv_fp = { .has = has_fp, .get = conv_plain_get, .set = conv_plain_set };

static bool has_msr(const struct reg_desc *d, const struct arch_regs *r)
{
	return r->x86.msr_have & BIT(d->which);
}

const struct conv x86_conv_msr = { .has = has_msr, .get = conv_plain_get, .set = conv_plain_set };
