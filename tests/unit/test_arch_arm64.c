/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>

#include "test.h"

#include "arch/arch.h"
#include "util/bytes.h"
#include "util/macros.h"

TEST(mode_is_the_exception_level_and_its_stack_pointer)
{
	static const struct {
		uint32_t pstate;
		const char *text;
	} modes[] = {
		{ 0x60000000, "EL0t, 64-bit" }, { 0x3c5, "EL1h, 64-bit" },       { 0x3c4, "EL1t, 64-bit" },
		{ 0x3c9, "EL2h, 64-bit" },      { 0x3c8, "EL2t, 64-bit" },       { 0x3cd, "EL3h, 64-bit" },
		{ 0x10, "user, 32-bit" },       { 0x1d3, "supervisor, 32-bit" }, { 0x3c2, "no valid mode" },
	};

	for (unsigned i = 0; i < ARRAY_LEN(modes); i++) {
		struct arch_regs r = { .have = ARCH_ALL, .arm64.pstate = modes[i].pstate };

		CHECK_STR(arch_arm64.mode_text(&r), modes[i].text);
	}
}

TEST(pc_is_read_and_written_whole)
{
	struct arch_regs r = { .have = ARCH_ALL, .arm64.pc = 0xffff800080010000 };

	CHECK_EQ(arch_arm64.pc_get(&r).raw, 0xffff800080010000);
	CHECK_EQ(arch_arm64.pc_set(&r, GVA(0x40080000)), 0);
	CHECK_EQ(r.arm64.pc, 0x40080000);
	CHECK_EQ(r.dirty, ARCH_CORE);
}

TEST(brk_of_any_immediate_is_a_breakpoint)
{
	static const uint32_t brk[] = { 0xd4200000, 0xd4210000 /* #0x800, BUG */, 0xd4200080 /* #4, kprobe */,
					0xd43fffe0 /* #0xffff */ };
	static const uint32_t other[] = { 0xd4000001 /* svc #0 */, 0xd4400000 /* hlt #0 */, 0xd4200001,
					  0xd503201f /* nop */, 0 };
	uint8_t code[4];

	for (unsigned i = 0; i < ARRAY_LEN(brk); i++) {
		st_le32(code, brk[i]);
		CHECK(arch_arm64.is_bp(code, 4));
		CHECK(!arch_arm64.is_bp(code, 3));
	}
	for (unsigned i = 0; i < ARRAY_LEN(other); i++) {
		st_le32(code, other[i]);
		CHECK(!arch_arm64.is_bp(code, 4));
	}
	CHECK(arch_arm64.is_bp(arch_arm64.bp_insn, arch_arm64.bp_len));
}

TEST(system_registers_have_a_name_and_an_encoding_of_their_own)
{
	for (unsigned i = 0; i < ARM64_NSYS; i++) {
		const struct arm64_sys_desc *d = &arm64_sys_desc[i];

		CHECK(d->group == ARCH_SYS || d->group == ARCH_MSR || d->group == ARCH_DEBUG);
		for (unsigned j = 0; j < i; j++) {
			CHECK(strcmp(d->name, arm64_sys_desc[j].name) != 0);
			CHECK(d->encoding != arm64_sys_desc[j].encoding);
		}
	}
	CHECK_STR(arm64_sys_desc[ARM64_SCTLR_EL1].name, "SCTLR_EL1");
	CHECK_EQ(arm64_sys_desc[ARM64_SCTLR_EL1].encoding, 0xc080); // mrs x0, sctlr_el1 is d5381000: 1.op0.op1...
	CHECK_EQ(arm64_sys_desc[ARM64_HPFAR_EL2].encoding, 0xe304);
	CHECK(arm64_sys_desc[ARM64_MIDR_EL1].read_only);
}

TEST(absence_of_a_system_register_is_its_own)
{
	struct arm64_regs r = { 0 };

	arm64_sys_set_absent(&r, ARM64_HCR_EL2, true);
	CHECK(!arm64_sys_has(&r, ARM64_HCR_EL2));
	CHECK(arm64_sys_has(&r, ARM64_HCR_EL2 - 1) && arm64_sys_has(&r, ARM64_HCR_EL2 + 1));
	arm64_sys_set_absent(&r, ARM64_HCR_EL2, false);
	CHECK(arm64_sys_has(&r, ARM64_HCR_EL2));
}

TESTS(T(mode_is_the_exception_level_and_its_stack_pointer), T(pc_is_read_and_written_whole),
      T(brk_of_any_immediate_is_a_breakpoint), T(system_registers_have_a_name_and_an_encoding_of_their_own),
      T(absence_of_a_system_register_is_its_own))
