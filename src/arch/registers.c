/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "arch/arch.h"

#include <errno.h>
#include <string.h>

#include "arch/x86.h"
#include "util/bytes.h"
#include "util/macros.h"

/* Register files are in host order, the wire in guest order; both are little-endian, so a low part is a prefix. */
_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "plain rows are copied byte by byte");

/* How a row's bytes come out of the register file and go back. */
struct conv {
	uint32_t groups; /* needed beside the row's own */
	void (*get)(const struct reg_desc *d, const struct arch_regs *r, void *buf);
	int (*set)(const struct reg_desc *d, struct arch_regs *r, const void *buf); /* 0, -EINVAL */
};

static unsigned size_of(const struct reg_desc *d)
{
	return d->bits / 8;
}

static void plain_get(const struct reg_desc *d, const struct arch_regs *r, void *buf)
{
	memcpy(buf, (const uint8_t *)&r->x86 + d->offset, size_of(d));
}

static int plain_set(const struct reg_desc *d, struct arch_regs *r, const void *buf)
{
	memcpy((uint8_t *)&r->x86 + d->offset, buf, size_of(d));
	return 0;
}

static void linear_pc_get(const struct reg_desc *d, const struct arch_regs *r, void *buf)
{
	uint8_t raw[8];

	st_le64(raw, x86_pc_get(r).raw);
	memcpy(buf, raw, size_of(d));
}

static int linear_pc_set(const struct reg_desc *d, struct arch_regs *r, const void *buf)
{
	uint8_t raw[8];

	st_le64(raw, x86_pc_get(r).raw); // a narrow row leaves the upper half
	memcpy(raw, buf, size_of(d));
	return x86_pc_set(r, GVA(ld_le64(raw)));
}

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

static const struct conv convs[REG_NCONVS] = {
	[REG_PLAIN] = { 0, plain_get, plain_set },
	[REG_LINEAR_PC] = { ARCH_SYS, linear_pc_get, linear_pc_set },
	[REG_SELECTOR] = { ARCH_CORE, selector_get, selector_set }, // RFLAGS.VM tells how a selector is loaded
};

static uint32_t groups_of(const struct reg_desc *d)
{
	return d->group | convs[d->conv].groups;
}

static bool is_there(const struct reg_desc *d, const struct arch_regs *r)
{
	if (groups_of(d) & ~r->have)
		return false;
	if (d->group == ARCH_MSR)
		return r->x86.msr_have & BIT(d->msr);
	return !(r->x86.fp_absent & d->needs_fp);
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
	convs[d->conv].get(d, r, buf);
	return 0;
}

int arch_reg_set(const struct arch_layout *l, unsigned num, struct arch_regs *r, const void *buf, size_t len)
{
	const struct reg_desc *d = &l->regs[num];

	if (len != size_of(d))
		return -EINVAL;
	if (d->read_only)
		return -EPERM;
	if (!is_there(d, r))
		return -ENODATA;
	int rc = convs[d->conv].set(d, r, buf);
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
