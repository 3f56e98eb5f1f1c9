/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "arch/arm64.h"
#include "arch/arm64_walk.h"

#include "mmu/arm64.h"
#include "util/bytes.h"

#define ENCODING(op0, op1, crn, crm, op2) ((op0) << 14 | (op1) << 11 | (crn) << 7 | (crm) << 3 | (op2))
#define SYS_DESC(name, op0, op1, crn, crm, op2, group, read_only, type) \
	[ARM64_##name] = { #name, ENCODING(op0, op1, crn, crm, op2), ARCH_##group, read_only },
const struct arm64_sys_desc arm64_sys_desc[ARM64_NSYS] = { ARM64_SYS_LIST(SYS_DESC) };

static gva pc_get(const struct arch_regs *r)
{
	return GVA(r->arm64.pc);
}

static int pc_set(struct arch_regs *r, gva pc)
{
	r->arm64.pc = pc.raw;
	r->dirty |= ARCH_CORE;
	return 0;
}

/* Any immediate: Linux has its meanings for several, and the guest's own are recognised, too. */
static bool is_bp(const uint8_t *code, size_t n)
{
	return n >= 4 && (ld_le32(code) & 0xffe0001f) == 0xd4200000;
}

/* AArch32's modes by PSTATE.M[3:0]: Arm ARM, "AArch32 state PE modes". */
static const char *const a32_mode[16] = {
	[0] = "user, 32-bit",        [1] = "FIQ, 32-bit",        [2] = "IRQ, 32-bit",
	[3] = "supervisor, 32-bit",  [6] = "monitor, 32-bit",    [7] = "abort, 32-bit",
	[10] = "hypervisor, 32-bit", [11] = "undefined, 32-bit", [15] = "system, 32-bit",
};

static const char *mode_text(const struct arch_regs *regs)
{
	static const char *const a64[16] = {
		[0] = "EL0t, 64-bit", [4] = "EL1t, 64-bit",  [5] = "EL1h, 64-bit",  [8] = "EL2t, 64-bit",
		[9] = "EL2h, 64-bit", [12] = "EL3t, 64-bit", [13] = "EL3h, 64-bit",
	};
	uint64_t pstate = regs->arm64.pstate;
	const char *text = (pstate & ARM64_PSTATE_NRW ? a32_mode : a64)[pstate & 15];

	return text ? text : "no valid mode";
}

static const char *const report_regs[] = { "x30", "ESR_EL1", "FAR_EL1", "ELR_EL1", NULL };

const struct arch arch_arm64 = {
	.name = "arm64",
	.bp_insn = { 0x00, 0x00, 0x20, 0xd4 }, // brk #0
	.bp_len = 4,
	.insn_align = 4,
	.is_bp = is_bp,
	.watch_before = true,
	.hw_max = { .exec = 6, .watch = 4 }, // of most of Arm's own processors
	.layout = arm64_layout,
	.one_layout = true,
	.report_regs = report_regs,
	.pc_groups = ARCH_CORE,
	.pc_get = pc_get,
	.pc_set = pc_set,
	.walk_groups = ARCH_CORE | ARCH_SYS,
	.walk = arm64_walk,
	.walk_untagged = arm64_walk_untagged,
	.pt_text = arm64_pt_text,
	.page_flags = mmu_arm64_leaf_flags,
	.space_name = "ttbr0",
	.space = arm64_space,
	.in_space = arm64_in_space,
	.stage2 = &arm64_stage2,
	.start_name = "PSCI CPU_ON",
	.clock_name = "virtual counter",
	.counter_name = "CNTVCT_EL0",
	.mode_text = mode_text,
	.hw_encode = arm64_hw_encode,
	.hw_decode = arm64_hw_decode,
};
