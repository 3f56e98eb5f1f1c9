/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "arch/arch.h"

#include <errno.h>
#include <string.h>

#include "arch/conv.h"
#include "util/macros.h"

/* Register files are in host order, the wire in guest order; both are little-endian, so a low part is a prefix. */
_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "plain rows are copied byte by byte");

static unsigned size_of(const struct reg_desc *d)
{
	return d->bits / 8;
}

/* The register files are a union, so all of them begin where the first one does. */
void conv_plain_get(const struct reg_desc *d, const struct arch_regs *r, void *buf)
{
	memcpy(buf, (const uint8_t *)&r->x86 + d->offset, size_of(d));
}

int conv_plain_set(const struct reg_desc *d, struct arch_regs *r, const void *buf)
{
	memcpy((uint8_t *)&r->x86 + d->offset, buf, size_of(d));
	return 0;
}

static const struct conv plain = { .get = conv_plain_get, .set = conv_plain_set };

static const struct conv *const convs[REG_NCONVS] = {
	[REG_PLAIN] = &plain,
	[REG_X86_LINEAR_PC] = &x86_conv_linear_pc,
	[REG_X86_SELECTOR] = &x86_conv_selector,
	[REG_X86_FP] = &x86_conv_fp,
	[REG_X86_MSR] = &x86_conv_msr,
	[REG_ARM64_SP] = &arm64_conv_sp,
	[REG_ARM64_BANKED_SP] = &arm64_conv_banked_sp,
	[REG_ARM64_SYS] = &arm64_conv_sys,
	[REG_ARM64_DEBUG] = &arm64_conv_debug,
	[REG_ARM64_VG] = &arm64_conv_vg,
	[REG_ARM64_PAUTH] = &arm64_conv_pauth,
};

static uint32_t groups_of(const struct reg_desc *d)
{
	return d->group | convs[d->conv]->groups;
}

static bool is_there(const struct reg_desc *d, const struct arch_regs *r)
{
	const struct conv *c = convs[d->conv];

	return !(groups_of(d) & ~r->have) && (!c->has || c->has(d, r));
}

unsigned arch_reg_size(const struct arch_layout *l, unsigned num)
{
	return size_of(&l->regs[num]);
}

size_t arch_g_size(const struct arch_layout *l)
{
	size_t sum = 0;

	for (unsigned i = 0; i < l->nregs; i++)
		sum += arch_reg_size(l, i);
	return sum;
}

int arch_reg_get(const struct arch_layout *l, unsigned num, const struct arch_regs *r, void *buf)
{
	const struct reg_desc *d = &l->regs[num];

	if (!is_there(d, r))
		return -ENODATA;
	convs[d->conv]->get(d, r, buf);
	return 0;
}

int arch_reg_set(const struct arch_layout *l, unsigned num, struct arch_regs *r, const void *buf, size_t len)
{
	const struct reg_desc *d = &l->regs[num];

	if (len != size_of(d))
		return -EINVAL;
	if (d->read_only || !convs[d->conv]->set)
		return -EPERM;
	if (!is_there(d, r))
		return -ENODATA;
	int rc = convs[d->conv]->set(d, r, buf);
	if (rc < 0)
		return rc;
	r->dirty |= d->group;
	return 0;
}

uint32_t arch_reg_groups(const struct arch_layout *l, unsigned num)
{
	return groups_of(&l->regs[num]);
}

bool arch_reg_volatile(const struct arch_layout *l, unsigned num)
{
	return strcmp(l->regs[num].gdb_group, "system") == 0;
}

int arch_reg_dwarf(const struct arch_layout *l, unsigned num)
{
	return l->regs[num].dwarf ? l->regs[num].dwarf - 1 : -ENOENT;
}

int arch_reg_find(const struct arch_layout *l, const char *name)
{
	for (unsigned i = 0; i < l->nregs; i++)
		if (!strcmp(l->regs[i].name, name))
			return i;
	return -ENOENT;
}
