/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>

#include "test.h"

#include "arch/arch.h"
#include "util/bytes.h"
#include "util/macros.h"

static const uint32_t lengths[] = { 0, 16, 32, 64, 128, 256 };

/* A vCPU at EL1 that has everything, SVE registers of @vl bytes included. */
static struct arch_regs all_there(uint32_t vl)
{
	struct arch_regs r = { .have = ARCH_ALL };

	r.arm64.pstate = 0x3c5;
	r.arm64.vl = vl;
	r.arm64.nbps = r.arm64.nwps = ARM64_MAX_DEBUG;
	r.arm64.sys[ARM64_ID_AA64ISAR1_EL1] = 0x10;
	return r;
}

static unsigned num_of(const struct arch_layout *l, const char *name)
{
	int num = arch_reg_find(l, name);

	if (num < 0)
		fail_msg("no register %s", name);
	return (unsigned)num;
}

static uint64_t get(const struct arch_layout *l, const char *name, const struct arch_regs *r)
{
	uint8_t raw[ARCH_REG_MAX] = { 0 };

	CHECK_EQ(arch_reg_get(l, num_of(l, name), r, raw), 0);
	return ld_le64(raw);
}

static int can_get(const struct arch_layout *l, const char *name, const struct arch_regs *r)
{
	uint8_t raw[ARCH_REG_MAX];

	return arch_reg_get(l, num_of(l, name), r, raw);
}

static int set(const struct arch_layout *l, const char *name, struct arch_regs *r, uint64_t value)
{
	unsigned num = num_of(l, name);
	uint8_t raw[ARCH_REG_MAX] = { 0 };

	st_le64(raw, value);
	return arch_reg_set(l, num, r, raw, arch_reg_size(l, num));
}

static void sample(const struct reg_desc *d, uint8_t *buf)
{
	for (unsigned i = 0; i < d->bits / 8u; i++)
		buf[i] = (uint8_t)(0x11 * (i + 1));
	if (!strcmp(d->name, "cpsr"))
		st_le32(buf, 0x600003c5);
}

/* sp is one of the others; what signed pointers look like follows from registers that have rows of their own. */
static bool may_overlap(const struct reg_desc *a, const struct reg_desc *b)
{
	return a->conv == REG_ARM64_SP || b->conv == REG_ARM64_SP || b->conv == REG_ARM64_PAUTH;
}

static void check_row(const struct arch_layout *l, unsigned num, uint32_t vl)
{
	const struct reg_desc *d = &l->regs[num];
	struct arch_regs before = all_there(vl), after = before;
	uint8_t in[ARCH_REG_MAX] = { 0 }, out[ARCH_REG_MAX + 1], old[ARCH_REG_MAX];
	unsigned size = arch_reg_size(l, num);

	sample(d, in);
	CHECK_EQ(arch_reg_set(l, num, &after, in, size - 1), -EINVAL);
	CHECK_EQ(arch_reg_set(l, num, &after, in, size + 1), -EINVAL);
	CHECK_EQ(after.dirty, 0);
	if (d->read_only) {
		CHECK_EQ(arch_reg_set(l, num, &after, in, size), -EPERM);
		return;
	}
	memset(out, 0xee, sizeof(out));
	CHECK_EQ(arch_reg_set(l, num, &after, in, size), 0);
	CHECK_EQ(after.dirty, d->group);
	CHECK_EQ(arch_reg_get(l, num, &after, out), 0);
	CHECK_MEM(in, out, size);
	CHECK_EQ(out[size], 0xee);
	for (unsigned other = 0; other < l->nregs; other++) {
		if (other == num || may_overlap(d, &l->regs[other]))
			continue;
		CHECK_EQ(arch_reg_get(l, other, &before, old), 0);
		CHECK_EQ(arch_reg_get(l, other, &after, out), 0);
		CHECK_MEM(old, out, arch_reg_size(l, other));
	}
}

TEST(every_register_reads_back_what_was_set_and_leaves_all_others)
{
	for (unsigned i = 0; i < ARRAY_LEN(lengths); i++) {
		const struct arch_layout *l = arch_layout_arm64(lengths[i], true);

		for (unsigned num = 0; num < l->nregs; num++)
			check_row(l, num, lengths[i]);
	}
}

TEST(a_group_that_was_not_fetched_is_unavailable)
{
	const struct arch_layout *l = arch_layout_arm64(64, true);
	struct arch_regs r = all_there(64);
	uint8_t raw[ARCH_REG_MAX];

	for (unsigned num = 0; num < l->nregs; num++) {
		CHECK(arch_reg_groups(l, num) & l->regs[num].group);
		r.have = arch_reg_groups(l, num);
		CHECK_EQ(arch_reg_get(l, num, &r, raw), 0);
		r.have = ARCH_ALL & ~(uint32_t)l->regs[num].group;
		CHECK_EQ(arch_reg_get(l, num, &r, raw), -ENODATA);
	}
}

TEST(numbers_and_sizes_are_those_of_gdb)
{
	const struct arch_layout *fpu = arch_layout_arm64(0, false), *sve = arch_layout_arm64(32, false);

	CHECK_EQ(num_of(fpu, "x0"), 0);
	CHECK_EQ(num_of(fpu, "x30"), 30);
	CHECK_EQ(fpu->sp, 31);
	CHECK_EQ(num_of(fpu, "sp"), 31);
	CHECK_EQ(fpu->pc, 32);
	CHECK_EQ(num_of(fpu, "pc"), 32);
	CHECK_EQ(num_of(fpu, "cpsr"), fpu->flags);
	CHECK_EQ(fpu->fp, 29);
	CHECK_EQ(num_of(fpu, "v0"), 34);
	CHECK_EQ(num_of(fpu, "fpcr"), 67);
	CHECK_EQ(num_of(sve, "z0"), 34);
	CHECK_EQ(num_of(sve, "p0"), 68);
	CHECK_EQ(num_of(sve, "vg"), 85);
	CHECK_EQ(arch_reg_size(sve, num_of(sve, "z31")), 32);
	CHECK_EQ(arch_reg_size(sve, num_of(sve, "p15")), 4);
	CHECK_EQ(arch_reg_size(sve, num_of(sve, "ffr")), 4);
	CHECK_EQ(arch_reg_size(fpu, num_of(fpu, "cpsr")), 4);
	CHECK_EQ(arch_reg_find(fpu, "z0"), -ENOENT);
	CHECK_EQ(arch_reg_find(sve, "v0"), -ENOENT);
}

/* "DWARF for the Arm 64-bit Architecture". */
TEST(dwarf_numbers_are_those_of_the_abi)
{
	const struct arch_layout *fpu = arch_layout_arm64(0, false), *sve = arch_layout_arm64(16, false);

	CHECK_EQ(arch_reg_dwarf(fpu, num_of(fpu, "x0")), 0);
	CHECK_EQ(arch_reg_dwarf(fpu, num_of(fpu, "x30")), 30);
	CHECK_EQ(arch_reg_dwarf(fpu, num_of(fpu, "sp")), 31);
	CHECK_EQ(arch_reg_dwarf(fpu, num_of(fpu, "pc")), 32);
	CHECK_EQ(arch_reg_dwarf(fpu, num_of(fpu, "v31")), 95);
	CHECK_EQ(arch_reg_dwarf(sve, num_of(sve, "vg")), 46);
	CHECK_EQ(arch_reg_dwarf(sve, num_of(sve, "p1")), 49);
	CHECK_EQ(arch_reg_dwarf(sve, num_of(sve, "z31")), 127);
	CHECK_EQ(arch_reg_dwarf(fpu, num_of(fpu, "SCTLR_EL1")), -ENOENT);
}

TEST(sp_is_the_stack_pointer_in_use)
{
	static const struct {
		uint32_t pstate;
		unsigned index;
	} modes[] = { { 0, 0 }, { 4, 0 }, { 5, 1 }, { 8, 0 }, { 9, 2 }, { 13, 3 } };
	const struct arch_layout *l = arch_layout_arm64(0, true);

	for (unsigned i = 0; i < ARRAY_LEN(modes); i++) {
		struct arch_regs r = all_there(0);

		for (unsigned n = 0; n < ARM64_NSP; n++)
			r.arm64.sp[n] = 0x1000 + n;
		r.arm64.pstate = modes[i].pstate;
		CHECK_EQ(get(l, "sp", &r), 0x1000 + modes[i].index);
		CHECK_EQ(set(l, "sp", &r, 0x8000), 0);
		for (unsigned n = 0; n < ARM64_NSP; n++)
			CHECK_EQ(r.arm64.sp[n], n == modes[i].index ? 0x8000 : 0x1000 + n);
		r.arm64.sp_absent = (uint8_t)BIT(modes[i].index);
		CHECK_EQ(can_get(l, "sp", &r), -ENODATA);
		CHECK_EQ(set(l, "sp", &r, 1), -ENODATA);
	}
}

TEST(sp_of_32_bit_code_is_a_general_register)
{
	static const struct {
		uint32_t pstate;
		unsigned x;
	} modes[] = {
		{ 0x10, 13 }, { 0x11, 29 }, { 0x12, 17 }, { 0x13, 19 }, { 0x17, 21 }, { 0x1a, 15 }, { 0x1b, 23 }
	};
	const struct arch_layout *l = arch_layout_arm64(0, false);

	for (unsigned i = 0; i < ARRAY_LEN(modes); i++) {
		struct arch_regs r = all_there(0);

		r.arm64.pstate = modes[i].pstate;
		r.arm64.x[modes[i].x] = 0x1234;
		CHECK_EQ(get(l, "sp", &r), 0x1234);
		CHECK_EQ(set(l, "sp", &r, 0x5678), 0);
		CHECK_EQ(r.arm64.x[modes[i].x], 0x5678);
		r.arm64.pstate = 0x14; // no such mode
		CHECK_EQ(can_get(l, "sp", &r), -ENODATA);
	}
}

TEST(cpsr_is_the_low_half_of_pstate)
{
	const struct arch_layout *l = arch_layout_arm64(0, false);
	struct arch_regs r = all_there(0);

	r.arm64.pstate = 0x1600003c5;
	CHECK_EQ(get(l, "cpsr", &r), 0x600003c5);
	CHECK_EQ(set(l, "cpsr", &r, 0x3c9), 0);
	CHECK_EQ(r.arm64.pstate, 0x1000003c9);
}

TEST(the_layout_follows_vector_length_and_el2)
{
	struct arch_regs r = all_there(0);
	const struct arch_layout *with = arch_arm64.layout(&r), *without;

	arm64_sys_set_absent(&r.arm64, ARM64_HCR_EL2, true);
	without = arch_arm64.layout(&r);
	CHECK(with == arch_layout_arm64(0, true));
	CHECK(without == arch_layout_arm64(0, false));
	CHECK_EQ(arch_reg_find(without, "HCR_EL2"), -ENOENT);
	CHECK_EQ(arch_reg_find(without, "SP_EL2"), -ENOENT);
	CHECK(without->nregs < with->nregs);
	CHECK_EQ(without->nfeatures, with->nfeatures - 1);
	CHECK_EQ(with->regs[without->nregs].feature, without->nfeatures);
	CHECK_EQ(without->regs[without->nregs - 1].feature, without->nfeatures - 1);
	for (unsigned i = 1; i < ARRAY_LEN(lengths); i++) {
		r.arm64.vl = lengths[i];
		CHECK_EQ(arch_reg_size(arch_arm64.layout(&r), 34), lengths[i]);
		CHECK_EQ(get(arch_arm64.layout(&r), "vg", &r), lengths[i] / 8);
	}
	r.arm64.vl = 48;
	CHECK(arch_arm64.layout(&r) == without);
}

TEST(v_registers_are_the_low_parts_of_z_registers)
{
	struct arch_regs r = all_there(64);

	for (unsigned i = 0; i < 64; i++)
		r.arm64.z[7][i] = (uint8_t)(i + 1);
	CHECK_EQ(get(arch_layout_arm64(64, false), "z7", &r), 0x0807060504030201);
	CHECK_EQ(get(arch_layout_arm64(0, false), "v7", &r), 0x0807060504030201);
	CHECK_EQ(arch_reg_size(arch_layout_arm64(0, false), 41), 16);
}

TEST(what_a_vcpu_lacks_is_unavailable_one_by_one)
{
	const struct arch_layout *l = arch_layout_arm64(0, true);
	struct arch_regs r = all_there(0);

	arm64_sys_set_absent(&r.arm64, ARM64_TCR2_EL1, true);
	r.arm64.nbps = 2;
	r.arm64.nwps = 3;
	r.arm64.sp_absent = BIT(ARM64_SP_EL2);
	CHECK_EQ(can_get(l, "TCR2_EL1", &r), -ENODATA);
	CHECK_EQ(set(l, "TCR2_EL1", &r, 0), -ENODATA);
	CHECK_EQ(can_get(l, "TCR_EL1", &r), 0);
	CHECK_EQ(can_get(l, "DBGBCR1_EL1", &r), 0);
	CHECK_EQ(can_get(l, "DBGBCR2_EL1", &r), -ENODATA);
	CHECK_EQ(can_get(l, "DBGWVR2_EL1", &r), 0);
	CHECK_EQ(can_get(l, "DBGWVR3_EL1", &r), -ENODATA);
	CHECK_EQ(can_get(l, "SP_EL1", &r), 0);
	CHECK_EQ(can_get(l, "SP_EL2", &r), -ENODATA);
	CHECK_EQ(r.dirty, 0);
}

TEST(every_system_register_has_a_row)
{
	const struct arch_layout *l = arch_layout_arm64(0, true);

	for (unsigned i = 0; i < ARM64_NSYS; i++) {
		const struct arm64_sys_desc *d = &arm64_sys_desc[i];
		unsigned num = num_of(l, i == ARM64_TPIDR_EL0 ? "tpidr" : d->name);

		CHECK_EQ(l->regs[num].which, i);
		CHECK_EQ(l->regs[num].group, d->group);
		CHECK_EQ(l->regs[num].read_only, d->read_only);
		CHECK_EQ(l->regs[num].offset, offsetof(struct arm64_regs, sys) + 8 * i);
		CHECK_EQ(arch_reg_volatile(l, num), i != ARM64_TPIDR_EL0);
	}
}

/* 48-bit addresses above and below, the top byte ignored below only; as Linux has it, also for code. */
#define TCR_48 (16u | 16u << 16 | BIT64(37))

TEST(masks_of_signed_pointers_follow_the_size_of_addresses)
{
	const struct arch_layout *l = arch_layout_arm64(0, true);
	struct arch_regs r = all_there(0);

	r.arm64.sys[ARM64_TCR_EL1] = TCR_48;
	CHECK_EQ(get(l, "pauth_dmask", &r), 0x007f000000000000);
	CHECK_EQ(get(l, "pauth_cmask", &r), 0x007f000000000000);
	CHECK_EQ(get(l, "pauth_dmask_high", &r), 0xff7f000000000000);
	CHECK_EQ(get(l, "pauth_cmask_high", &r), 0xff7f000000000000);
	r.arm64.sys[ARM64_TCR_EL1] |= BIT64(51); // TBID0
	CHECK_EQ(get(l, "pauth_dmask", &r), 0x007f000000000000);
	CHECK_EQ(get(l, "pauth_cmask", &r), 0xff7f000000000000);
	r.arm64.sys[ARM64_TCR_EL1] = 25u | 12u << 16 | BIT64(38); // 39 bits below, 52 above
	CHECK_EQ(get(l, "pauth_dmask", &r), 0xff7fff8000000000);
	CHECK_EQ(get(l, "pauth_dmask_high", &r), 0x0070000000000000);
}

TEST(no_mask_where_nothing_is_signed)
{
	const struct arch_layout *l = arch_layout_arm64(0, true);
	struct arch_regs r = all_there(0);

	r.arm64.sys[ARM64_TCR_EL1] = TCR_48;
	r.arm64.sys[ARM64_ID_AA64ISAR1_EL1] = BIT64(24); // GPA: data only
	CHECK_EQ(get(l, "pauth_cmask", &r), 0);
	r.arm64.sys[ARM64_ID_AA64ISAR2_EL1] = BIT64(12); // APA3
	CHECK(get(l, "pauth_cmask", &r) != 0);
	arm64_sys_set_absent(&r.arm64, ARM64_TCR_EL1, true);
	CHECK_EQ(get(l, "pauth_cmask", &r), 0);
	arm64_sys_set_absent(&r.arm64, ARM64_TCR_EL1, false);
	r.arm64.pstate = 0x10;
	CHECK_EQ(get(l, "pauth_cmask", &r), 0);
}

TEST(masks_of_signed_pointers_at_el2_are_those_of_its_regime)
{
	const struct arch_layout *l = arch_layout_arm64(0, true);
	struct arch_regs r = all_there(0);

	r.arm64.pstate = 0x3c9;
	r.arm64.sys[ARM64_TCR_EL2] = 25u | BIT64(20);
	CHECK_EQ(get(l, "pauth_cmask", &r), 0x007fff8000000000);
	CHECK_EQ(get(l, "pauth_cmask_high", &r), 0);
	r.arm64.sys[ARM64_TCR_EL2] |= BIT64(29); // TBID
	CHECK_EQ(get(l, "pauth_cmask", &r), 0xff7fff8000000000);
	r.arm64.sys[ARM64_HCR_EL2] = ARM64_HCR_E2H;
	r.arm64.sys[ARM64_TCR_EL2] = TCR_48;
	CHECK_EQ(get(l, "pauth_cmask_high", &r), 0xff7f000000000000);
	r.arm64.pstate = 0; // EL0: of EL1 or of EL2
	CHECK_EQ(get(l, "pauth_cmask_high", &r), 0xff00000000000000);
	r.arm64.sys[ARM64_HCR_EL2] |= ARM64_HCR_TGE;
	CHECK_EQ(get(l, "pauth_cmask_high", &r), 0xff7f000000000000);
}

static void check_xml(const struct arch_layout *l)
{
	_cleanup_(strbuf_deinit) struct strbuf xml = { 0 };
	char text[128];

	arch_target_xml(l, &xml);
	CHECK(!xml.oom);
	assert_non_null(strstr(strbuf_str(&xml), "<architecture>aarch64</architecture>"));
	for (unsigned i = 0; i < l->nregs; i++) {
		const char *at;

		snprintf(text, sizeof(text), "<reg name=\"%s\" bitsize=\"%u\" ", l->regs[i].name, l->regs[i].bits);
		at = strstr(strbuf_str(&xml), text);
		assert_non_null(at);
		assert_null(strstr(at + 1, text));
	}
}

TEST(xml_has_every_register_once)
{
	for (unsigned i = 0; i < ARRAY_LEN(lengths); i++) {
		check_xml(arch_layout_arm64(lengths[i], false));
		check_xml(arch_layout_arm64(lengths[i], true));
	}
}

TESTS(T(every_register_reads_back_what_was_set_and_leaves_all_others), T(a_group_that_was_not_fetched_is_unavailable),
      T(numbers_and_sizes_are_those_of_gdb), T(dwarf_numbers_are_those_of_the_abi), T(sp_is_the_stack_pointer_in_use),
      T(sp_of_32_bit_code_is_a_general_register), T(cpsr_is_the_low_half_of_pstate),
      T(the_layout_follows_vector_length_and_el2), T(v_registers_are_the_low_parts_of_z_registers),
      T(what_a_vcpu_lacks_is_unavailable_one_by_one), T(every_system_register_has_a_row),
      T(masks_of_signed_pointers_follow_the_size_of_addresses), T(no_mask_where_nothing_is_signed),
      T(masks_of_signed_pointers_at_el2_are_those_of_its_regime), T(xml_has_every_register_once))
