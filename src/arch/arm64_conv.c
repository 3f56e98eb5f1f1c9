/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <string.h>

#include "arch/arm64.h"
#include "arch/conv.h"
#include "util/bytes.h"
#include "util/macros.h"

/* ---- stack pointers ---- */

/*
 * R13 of AArch32's modes among the general registers (Arm ARM, "AArch32 state PE modes" and "Mapping of the
 * general-purpose registers between the Execution states"). 0: that mode does not exist, or its R13 is not here.
 */
static const uint8_t a32_sp[16] = {
	[0] = 13, [1] = 29, [2] = 17, [3] = 19, [7] = 21, [10] = 15, [11] = 23, [15] = 13,
};

static unsigned banked_sp(uint64_t pstate)
{
	return pstate & ARM64_PSTATE_SP ? (pstate & ARM64_PSTATE_EL) >> ARM64_PSTATE_EL_SHIFT : ARM64_SP_EL0;
}

/* Where the stack pointer is that instructions use now. */
static size_t sp_offset(uint64_t pstate)
{
	if (pstate & ARM64_PSTATE_NRW)
		return offsetof(struct arm64_regs, x) + sizeof(uint64_t) * a32_sp[pstate & 15];
	return offsetof(struct arm64_regs, sp) + sizeof(uint64_t) * banked_sp(pstate);
}

static bool has_sp(const struct reg_desc *d, const struct arch_regs *r)
{
	uint64_t pstate = r->arm64.pstate;

	if (pstate & ARM64_PSTATE_NRW)
		return a32_sp[pstate & 15] != 0;
	return !(r->arm64.sp_absent & BIT(banked_sp(pstate)));
}

static void sp_get(const struct reg_desc *d, const struct arch_regs *r, void *buf)
{
	memcpy(buf, (const uint8_t *)&r->arm64 + sp_offset(r->arm64.pstate), sizeof(uint64_t));
}

static int sp_set(const struct reg_desc *d, struct arch_regs *r, const void *buf)
{
	memcpy((uint8_t *)&r->arm64 + sp_offset(r->arm64.pstate), buf, sizeof(uint64_t));
	return 0;
}

const struct conv arm64_conv_sp = { .has = has_sp, .get = sp_get, .set = sp_set };

static bool has_banked_sp(const struct reg_desc *d, const struct arch_regs *r)
{
	return !(r->arm64.sp_absent & BIT(d->which));
}

const struct conv arm64_conv_banked_sp = { .has = has_banked_sp, .get = conv_plain_get, .set = conv_plain_set };

/* ---- system registers ---- */

static bool has_sys(const struct reg_desc *d, const struct arch_regs *r)
{
	return arm64_sys_has(&r->arm64, d->which);
}

const struct conv arm64_conv_sys = { .has = has_sys, .get = conv_plain_get, .set = conv_plain_set };

static bool has_debug(const struct reg_desc *d, const struct arch_regs *r)
{
	if (d->which < ARM64_MAX_DEBUG)
		return d->which < r->arm64.nbps;
	return d->which - ARM64_MAX_DEBUG < r->arm64.nwps;
}

const struct conv arm64_conv_debug = { .has = has_debug, .get = conv_plain_get, .set = conv_plain_set };

/* ---- vectors ---- */

static void vg_get(const struct reg_desc *d, const struct arch_regs *r, void *buf)
{
	st_le64(buf, r->arm64.vl / 8);
}

const struct conv arm64_conv_vg = { .groups = ARCH_SYS, .get = vg_get };

/* ---- signed pointers ---- */

static void pauth_get(const struct reg_desc *d, const struct arch_regs *r, void *buf)
{
	st_le64(buf, arm64_pauth_mask(&r->arm64, d->which));
}

const struct conv arm64_conv_pauth = { .groups = ARCH_CORE, .get = pauth_get };
