/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>

#include "test.h"

#include "arch/arch.h"
#include "util/bytes.h"
#include "util/macros.h"

static const struct arch_layout *const layouts[] = { &arch_layout_x86_64, &arch_layout_i386, &arch_layout_i8086 };

/* A vCPU with everything in its register file, in 64-bit code unless the test says otherwise. */
static struct arch_regs all_there(void)
{
	struct arch_regs r = { .have = ARCH_ALL };

	r.x86.msr_have = BIT(X86_NMSR) - 1;
	r.x86.cr0 = 0x80000011;
	r.x86.efer = X86_EFER_LME | X86_EFER_LMA;
	r.x86.seg[X86_CS].attr = X86_SEG_P | X86_SEG_L;
	return r;
}

static unsigned num_of(const struct arch_layout *l, const char *name)
{
	int num = arch_reg_find(l, name);

	if (num < 0)
		fail_msg("%s has no register %s", l->gdb_name, name);
	return num;
}

static uint64_t get(const struct arch_layout *l, const char *name, const struct arch_regs *r)
{
	uint8_t raw[64] = { 0 };

	CHECK_EQ(arch_reg_get(l, num_of(l, name), r, raw), 0);
	return ld_le64(raw);
}

static int set(const struct arch_layout *l, const char *name, struct arch_regs *r, uint64_t value)
{
	unsigned num = num_of(l, name);
	uint8_t raw[64] = { 0 };

	st_le64(raw, value);
	return arch_reg_set(l, num, r, raw, arch_reg_size(l, num));
}

/* Any bytes, but such as the row can hold: a 16-bit selector, a canonical pc. */
static void sample(const struct reg_desc *d, uint8_t *buf)
{
	for (unsigned i = 0; i < d->bits / 8u; i++)
		buf[i] = 0x11 * (i + 1);
	if (d->conv == REG_X86_SELECTOR)
		st_le32(buf, 0x1234);
	if (d->conv == REG_X86_LINEAR_PC && d->bits == 64)
		st_le64(buf, 0xffffffff81001234);
}

static void check_round_trip(const struct arch_layout *l, unsigned num)
{
	const struct reg_desc *d = &l->regs[num];
	struct arch_regs r = all_there(), clean = r;
	uint8_t in[64] = { 0 }, out[64 + 1];

	memset(out, 0xee, sizeof(out));
	sample(d, in);
	CHECK_EQ(arch_reg_set(l, num, &r, in, arch_reg_size(l, num)), 0);
	CHECK_EQ(r.dirty, d->group);
	CHECK_EQ(arch_reg_get(l, num, &r, out), 0);
	CHECK_MEM(in, out, arch_reg_size(l, num));
	CHECK_EQ(out[arch_reg_size(l, num)], 0xee);
	CHECK(memcmp(&r.x86, &clean.x86, sizeof(r.x86)) != 0);
	CHECK_EQ(r.x86.msr_have, clean.x86.msr_have);
	CHECK_EQ(r.x86.fp_absent, clean.x86.fp_absent);
}

TEST(every_register_of_every_layout_reads_back_what_was_set)
{
	for (unsigned i = 0; i < ARRAY_LEN(layouts); i++)
		for (unsigned num = 0; num < layouts[i]->nregs; num++)
			check_round_trip(layouts[i], num);
}

static void check_widths(const struct arch_layout *l, unsigned num)
{
	struct arch_regs r = all_there(), before = r;
	uint8_t raw[128] = { 0 };
	unsigned size = arch_reg_size(l, num);

	for (unsigned len = 0; len < sizeof(raw); len++)
		if (len != size)
			CHECK_EQ(arch_reg_set(l, num, &r, raw, len), -EINVAL);
	CHECK_MEM(&r, &before, sizeof(r));
}

TEST(a_value_of_another_width_is_refused_and_changes_nothing)
{
	for (unsigned i = 0; i < ARRAY_LEN(layouts); i++)
		for (unsigned num = 0; num < layouts[i]->nregs; num++)
			check_widths(layouts[i], num);
}

/* Writing one row must not change another: GDB would not know. The pairs that do overlap are named in arch.h. */
static bool may_overlap(const struct reg_desc *a, const struct reg_desc *b)
{
	return (a->conv == REG_X86_LINEAR_PC && !strcmp(b->name, "ip_offset")) ||
	       (b->conv == REG_X86_LINEAR_PC && !strcmp(a->name, "ip_offset"));
}

static void check_alone(const struct arch_layout *l, unsigned num)
{
	struct arch_regs before = all_there(), after = before;
	uint8_t in[64] = { 0 }, old[64], new[64];

	sample(&l->regs[num], in);
	CHECK_EQ(arch_reg_set(l, num, &after, in, arch_reg_size(l, num)), 0);
	for (unsigned other = 0; other < l->nregs; other++) {
		// What decides how other rows are read is left alone here.
		if (other == num || may_overlap(&l->regs[num], &l->regs[other]) ||
		    l->regs[other].conv == REG_X86_LINEAR_PC)
			continue;
		CHECK_EQ(arch_reg_get(l, other, &before, old), 0);
		CHECK_EQ(arch_reg_get(l, other, &after, new), 0);
		CHECK_MEM(old, new, arch_reg_size(l, other));
	}
}

TEST(setting_one_register_leaves_all_others)
{
	for (unsigned i = 0; i < ARRAY_LEN(layouts); i++)
		for (unsigned num = 0; num < layouts[i]->nregs; num++)
			check_alone(layouts[i], num);
}

TEST(names_are_unique_and_found)
{
	for (unsigned i = 0; i < ARRAY_LEN(layouts); i++)
		for (unsigned num = 0; num < layouts[i]->nregs; num++)
			CHECK_EQ(arch_reg_find(layouts[i], layouts[i]->regs[num].name), num);
	CHECK_EQ(arch_reg_find(&arch_layout_x86_64, "eax"), -ENOENT);
	CHECK_EQ(arch_reg_find(&arch_layout_x86_64, ""), -ENOENT);
}

TEST(numbers_are_those_of_gdb)
{
	static const struct {
		const struct arch_layout *l;
		const char *name;
		unsigned num;
	} want[] = {
		{ &arch_layout_x86_64, "rax", 0 },      { &arch_layout_x86_64, "rsp", 7 },
		{ &arch_layout_x86_64, "rip", 16 },     { &arch_layout_x86_64, "eflags", 17 },
		{ &arch_layout_x86_64, "st0", 24 },     { &arch_layout_x86_64, "fop", 39 },
		{ &arch_layout_x86_64, "xmm0", 40 },    { &arch_layout_x86_64, "mxcsr", 56 },
		{ &arch_layout_x86_64, "gs_base", 58 }, { &arch_layout_x86_64, "ymm0h", 59 },
		{ &arch_layout_i386, "ecx", 1 },        { &arch_layout_i386, "esp", 4 },
		{ &arch_layout_i386, "eip", 8 },        { &arch_layout_i386, "gs", 15 },
		{ &arch_layout_i386, "xmm0", 32 },      { &arch_layout_i386, "mxcsr", 40 },
		{ &arch_layout_i8086, "eip", 8 },       { &arch_layout_i8086, "mxcsr", 40 },
	};

	for (unsigned i = 0; i < ARRAY_LEN(want); i++)
		CHECK_EQ(num_of(want[i].l, want[i].name), want[i].num);
	CHECK_EQ(arch_layout_x86_64.pc, 16);
	CHECK_EQ(arch_layout_x86_64.sp, 7);
	CHECK_EQ(arch_layout_i386.pc, 8);
	CHECK_EQ(arch_layout_i386.sp, 4);
}

TEST(g_size_is_the_sum_of_all_registers)
{
	// The first 57 rows: 24 of GDB's general part, x87, SSE.
	size_t sum = 0;

	for (unsigned num = 0; num < 57; num++)
		sum += arch_reg_size(&arch_layout_x86_64, num);
	CHECK_EQ(sum, 536);
	for (unsigned num = 57; num < arch_layout_x86_64.nregs; num++)
		sum += arch_reg_size(&arch_layout_x86_64, num);
	CHECK_EQ(arch_g_size(&arch_layout_x86_64), sum);
	CHECK_EQ(arch_g_size(&arch_layout_i8086), arch_g_size(&arch_layout_i386) + 4);
}

TEST(every_msr_but_the_tsc_has_a_row)
{
	for (unsigned i = 0; i < ARRAY_LEN(layouts); i++) {
		uint32_t seen = BIT(X86_MSR_TSC);

		for (unsigned num = 0; num < layouts[i]->nregs; num++)
			if (layouts[i]->regs[num].group == ARCH_MSR)
				seen |= BIT(layouts[i]->regs[num].which);
		CHECK_EQ(seen, BIT(X86_NMSR) - 1);
	}
}

TEST(an_msr_this_vcpu_lacks_cannot_be_read_or_set)
{
	struct arch_regs r = all_there();
	uint8_t raw[8] = { 0 };

	r.x86.msr_have &= ~BIT(X86_MSR_SPEC_CTRL);
	CHECK_EQ(arch_reg_get(&arch_layout_x86_64, num_of(&arch_layout_x86_64, "spec_ctrl"), &r, raw), -ENODATA);
	CHECK_EQ(set(&arch_layout_x86_64, "spec_ctrl", &r, 1), -ENODATA);
	CHECK_EQ(r.dirty, 0);
	CHECK_EQ(get(&arch_layout_x86_64, "lstar", &r), 0);
}

TEST(fp_state_that_is_absent_is_unavailable_part_by_part)
{
	const struct arch_layout *l = &arch_layout_x86_64;
	struct arch_regs r = all_there();
	uint8_t raw[64];

	r.x86.fp_absent = X86_NO_AVX;
	CHECK_EQ(arch_reg_get(l, num_of(l, "ymm3h"), &r, raw), -ENODATA);
	CHECK_EQ(arch_reg_get(l, num_of(l, "xmm3"), &r, raw), 0);
	r.x86.fp_absent = X86_NO_SSE;
	CHECK_EQ(arch_reg_get(l, num_of(l, "mxcsr"), &r, raw), -ENODATA);
	CHECK_EQ(arch_reg_get(l, num_of(l, "st7"), &r, raw), 0);
	r.x86.fp_absent = X86_NO_X87;
	CHECK_EQ(arch_reg_get(l, num_of(l, "fop"), &r, raw), -ENODATA);
	CHECK_EQ(arch_reg_get(l, num_of(l, "rax"), &r, raw), 0);
}

TEST(a_group_that_was_not_fetched_is_unavailable)
{
	struct arch_regs r = all_there();
	uint8_t raw[64];

	for (unsigned i = 0; i < ARRAY_LEN(layouts); i++)
		for (unsigned num = 0; num < layouts[i]->nregs; num++) {
			uint32_t needs = arch_reg_groups(layouts[i], num);

			CHECK(needs & layouts[i]->regs[num].group);
			r.have = needs;
			CHECK_EQ(arch_reg_get(layouts[i], num, &r, raw), 0);
			r.have = ARCH_ALL & ~layouts[i]->regs[num].group;
			CHECK_EQ(arch_reg_get(layouts[i], num, &r, raw), -ENODATA);
			r.have = 0;
			CHECK_EQ(arch_reg_set(layouts[i], num, &r, raw, arch_reg_size(layouts[i], num)), -ENODATA);
		}
	CHECK_EQ(arch_reg_groups(&arch_layout_x86_64, arch_layout_x86_64.pc), ARCH_CORE | ARCH_SYS);
	CHECK_EQ(arch_reg_groups(&arch_layout_x86_64, 0), ARCH_CORE);
}

TEST(a_read_only_row_refuses_writes)
{
	struct reg_desc rows[] = { arch_layout_x86_64.regs[0] };
	struct arch_layout l = arch_layout_x86_64;
	struct arch_regs r = all_there();

	rows[0].read_only = true;
	l.regs = rows;
	l.nregs = 1;
	r.x86.gpr[X86_RAX] = 7;
	CHECK_EQ(set(&l, "rax", &r, 1), -EPERM);
	CHECK_EQ(get(&l, "rax", &r), 7);
	CHECK_EQ(r.dirty, 0);
}

TEST(narrow_rows_show_the_low_half_and_keep_the_high_one)
{
	struct arch_regs r = all_there();

	r.x86.gpr[X86_RAX] = 0x1122334455667788;
	r.x86.rip = 0xffffffff81000010;
	CHECK_EQ(get(&arch_layout_i386, "eax", &r), 0x55667788);
	CHECK_EQ(get(&arch_layout_i386, "rax_high", &r), 0x11223344);
	CHECK_EQ(get(&arch_layout_i386, "eip", &r), 0x81000010);
	CHECK_EQ(get(&arch_layout_i386, "rip_high", &r), 0xffffffff);
	CHECK_EQ(set(&arch_layout_i386, "eax", &r, 1), 0);
	CHECK_EQ(r.x86.gpr[X86_RAX], 0x1122334400000001);
	CHECK_EQ(set(&arch_layout_i386, "eip", &r, 0x81000020), 0);
	CHECK_EQ(r.x86.rip, 0xffffffff81000020);
}

TEST(pc_is_linear_and_ip_offset_is_not)
{
	const struct arch_layout *l = &arch_layout_i8086;
	struct arch_regs r = all_there();

	r.x86.cr0 = 0x10;
	r.x86.efer = 0;
	r.x86.seg[X86_CS] = (struct x86_seg){ .base = 0xffff0000, .limit = 0xffff, .sel = 0xf000 };
	r.x86.rip = 0xfff0;
	CHECK_EQ(get(l, "eip", &r), 0xfffffff0);
	CHECK_EQ(get(&arch_layout_x86_64, "rip", &r), 0xfffffff0);
	CHECK_EQ(get(l, "ip_offset", &r), 0xfff0);
	CHECK_EQ(set(l, "eip", &r, 0xffff1234), 0);
	CHECK_EQ(r.x86.rip, 0x1234);
	CHECK_EQ(r.dirty, ARCH_CORE);
	CHECK_EQ(set(l, "eip", &r, 0x7c00), -EINVAL);
	CHECK_EQ(r.x86.rip, 0x1234);
}

TEST(a_selector_has_16_bits)
{
	struct arch_regs r = all_there();

	CHECK_EQ(set(&arch_layout_x86_64, "ss", &r, 0x10000), -EINVAL);
	CHECK_EQ(r.dirty, 0);
	CHECK_EQ(set(&arch_layout_x86_64, "ss", &r, 0xffff), 0);
	CHECK_EQ(r.x86.seg[X86_SS].sel, 0xffff);
	CHECK_EQ(r.dirty, ARCH_SYS);
}

TEST(a_selector_moves_the_base_in_real_and_virtual_8086_mode_only)
{
	const struct arch_layout *l = &arch_layout_i8086;
	struct arch_regs r = all_there();
	struct x86_seg *ds = &r.x86.seg[X86_DS];

	ds->base = 0x5000;
	CHECK_EQ(set(l, "ds", &r, 0x18), 0);
	CHECK_EQ(ds->base, 0x5000);
	r.x86.rflags = X86_RFLAGS_VM; // without meaning in long mode
	CHECK_EQ(set(l, "ds", &r, 0x20), 0);
	CHECK_EQ(ds->base, 0x5000);
	r.x86.efer = 0;
	CHECK_EQ(set(l, "ds", &r, 0xb800), 0);
	CHECK_EQ(ds->base, 0xb8000);
	r.x86.rflags = 0;
	r.x86.cr0 = 0;
	CHECK_EQ(set(l, "ds", &r, 0xffff), 0);
	CHECK_EQ(ds->base, 0xffff0);
}

TEST(the_same_selector_again_leaves_the_reset_base)
{
	struct arch_regs r = all_there();

	r.x86.cr0 = 0;
	r.x86.seg[X86_CS] = (struct x86_seg){ .base = 0xffff0000, .limit = 0xffff, .sel = 0xf000 };
	CHECK_EQ(set(&arch_layout_i8086, "cs", &r, 0xf000), 0);
	CHECK_EQ(r.x86.seg[X86_CS].base, 0xffff0000);
}

static void check_xml(const struct arch_layout *l)
{
	_cleanup_(strbuf_deinit) struct strbuf xml = { 0 };
	char text[128];

	arch_target_xml(l, &xml);
	CHECK(!xml.oom);
	for (unsigned i = 0; i < l->nregs; i++) {
		const char *at;

		snprintf(text, sizeof(text), "<reg name=\"%s\" bitsize=\"%u\" ", l->regs[i].name, l->regs[i].bits);
		at = strstr(strbuf_str(&xml), text);
		assert_non_null(at);
		assert_null(strstr(at + 1, text));
	}
	for (unsigned i = 0; i < l->nfeatures; i++)
		assert_non_null(strstr(strbuf_str(&xml), l->features[i]));
	snprintf(text, sizeof(text), "<architecture>%s</architecture>", l->gdb_name);
	assert_non_null(strstr(strbuf_str(&xml), text));
}

static int dwarf_of(const struct arch_layout *l, const char *name)
{
	int num = arch_reg_find(l, name);

	return num < 0 ? num : arch_reg_dwarf(l, (unsigned)num);
}

/* System V ABI for AMD64 and for the Intel386, "DWARF Register Number Mapping". */
TEST(dwarf_numbers_are_those_of_the_abis)
{
	static const struct {
		const char *name;
		int x86_64, i386;
	} some[] = {
		{ "rdx", 1, -ENOENT },
		{ "rcx", 2, -ENOENT },
		{ "rbx", 3, -ENOENT },
		{ "rsi", 4, -ENOENT },
		{ "r15", 15, -ENOENT },
		{ "ecx", -ENOENT, 1 },
		{ "edx", -ENOENT, 2 },
		{ "esp", -ENOENT, 4 },
		{ "ebp", -ENOENT, 5 },
		{ "eip", -ENOENT, 8 },
		{ "rip", 16, -ENOENT },
		{ "eflags", 49, 9 },
		{ "es", 50, 40 },
		{ "cs", 51, 41 },
		{ "ss", 52, 42 },
		{ "ds", 53, 43 },
		{ "fs", 54, 44 },
		{ "gs", 55, 45 },
		{ "st7", 40, 18 },
		{ "xmm7", 24, 28 },
		{ "xmm15", 32, -ENOENT },
		{ "mxcsr", 64, 39 },
		{ "fctrl", 65, 37 },
		{ "fstat", 66, 38 },
		{ "cr3", -ENOENT, -ENOENT },
	};

	for (unsigned i = 0; i < ARRAY_LEN(some); i++) {
		CHECK_EQ(dwarf_of(&arch_layout_x86_64, some[i].name), some[i].x86_64);
		CHECK_EQ(dwarf_of(&arch_layout_i386, some[i].name), some[i].i386);
	}
}

TEST(xml_has_every_register_and_feature_once)
{
	for (unsigned i = 0; i < ARRAY_LEN(layouts); i++)
		check_xml(layouts[i]);
}

TESTS(T(every_register_of_every_layout_reads_back_what_was_set),
      T(a_value_of_another_width_is_refused_and_changes_nothing), T(setting_one_register_leaves_all_others),
      T(names_are_unique_and_found), T(numbers_are_those_of_gdb), T(g_size_is_the_sum_of_all_registers),
      T(every_msr_but_the_tsc_has_a_row), T(an_msr_this_vcpu_lacks_cannot_be_read_or_set),
      T(fp_state_that_is_absent_is_unavailable_part_by_part), T(a_group_that_was_not_fetched_is_unavailable),
      T(a_read_only_row_refuses_writes), T(narrow_rows_show_the_low_half_and_keep_the_high_one),
      T(pc_is_linear_and_ip_offset_is_not), T(a_selector_has_16_bits),
      T(a_selector_moves_the_base_in_real_and_virtual_8086_mode_only), T(the_same_selector_again_leaves_the_reset_base),
      T(dwarf_numbers_are_those_of_the_abis), T(xml_has_every_register_and_feature_once))
