/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "target/fake_isa.h"

#include <string.h>

#include "util/macros.h"

/* Groups are runs of members; where each ends. */
struct fake_run {
	uint32_t group;
	size_t end;
};

static void copy_runs(void *to, const void *from, const struct fake_run *run, unsigned n, uint32_t groups)
{
	for (unsigned i = 0; i < n; i++) {
		size_t start = i ? run[i - 1].end : 0;

		if (groups & run[i].group)
			memcpy((uint8_t *)to + start, (const uint8_t *)from + start, run[i].end - start);
	}
}

static void x86_copy(struct arch_regs *to, const struct arch_regs *from, uint32_t groups)
{
	static const struct fake_run runs[] = {
		{ ARCH_CORE, offsetof(struct x86_regs, seg) }, { ARCH_SYS, offsetof(struct x86_regs, st) },
		{ ARCH_FP, offsetof(struct x86_regs, dr) },    { ARCH_DEBUG, offsetof(struct x86_regs, msr) },
		{ ARCH_MSR, sizeof(struct x86_regs) },
	};

	copy_runs(&to->x86, &from->x86, runs, ARRAY_LEN(runs), groups);
}

static void x86_reset(struct arch_regs *regs, const struct target_fake_cfg *cfg)
{
	struct x86_regs *r = &regs->x86;

	r->rflags = 2;
	r->cr0 = X86_CR0_PE;
	r->efer = X86_EFER_LME | X86_EFER_LMA;
	r->seg[X86_CS].attr = X86_SEG_P | X86_SEG_L | 0x1b; // code, not system
	r->ftag = 0xffff;
	r->msr_have = BIT(X86_NMSR) - 1;
}

static uint64_t *x86_pc(struct arch_regs *r)
{
	return &r->x86.rip;
}

const struct fake_isa fake_isa_x86 = {
	.insn_len = 1,
	.halt = { 0xf4 },
	.break_kinds = BIT(TARGET_BREAK_HW) | BIT(TARGET_WATCH_WRITE) | BIT(TARGET_WATCH_ACCESS),
	.reset = x86_reset,
	.copy = x86_copy,
	.pc = x86_pc,
};

static void arm64_copy(struct arch_regs *to, const struct arch_regs *from, uint32_t groups)
{
	static const struct fake_run runs[] = {
		{ ARCH_CORE, offsetof(struct arm64_regs, vl) },
		{ ARCH_SYS, offsetof(struct arm64_regs, z) },
		{ ARCH_FP, offsetof(struct arm64_regs, dbgbvr) },
		{ ARCH_DEBUG, offsetof(struct arm64_regs, sys) },
	};

	copy_runs(&to->arm64, &from->arm64, runs, ARRAY_LEN(runs), groups);
	for (unsigned i = 0; i < ARM64_NSYS; i++) {
		if (!(groups & arm64_sys_desc[i].group))
			continue;
		to->arm64.sys[i] = from->arm64.sys[i];
		arm64_sys_set_absent(&to->arm64, i, !arm64_sys_has(&from->arm64, i));
	}
}

static void arm64_reset(struct arch_regs *regs, const struct target_fake_cfg *cfg)
{
	struct arm64_regs *r = &regs->arm64;

	r->pstate = ARM64_PSTATE_DAIF | 1 << ARM64_PSTATE_EL_SHIFT | ARM64_PSTATE_SP;
	r->sp_absent = BIT(ARM64_SP_EL2) | BIT(ARM64_SP_EL3);
	r->vl = cfg->vl;
	r->nbps = (uint8_t)arch_arm64.hw_max.exec;
	r->nwps = (uint8_t)arch_arm64.hw_max.watch;
	for (unsigned i = ARM64_HCR_EL2; i < ARM64_NSYS; i++) // no EL2
		arm64_sys_set_absent(r, i, true);
}

static uint64_t *arm64_pc(struct arch_regs *r)
{
	return &r->arm64.pc;
}

const struct fake_isa fake_isa_arm64 = {
	.insn_len = 4,
	.halt = { 0x7f, 0x20, 0x03, 0xd5 },
	.break_kinds =
		BIT(TARGET_BREAK_HW) | BIT(TARGET_WATCH_WRITE) | BIT(TARGET_WATCH_READ) | BIT(TARGET_WATCH_ACCESS),
	.reset = arm64_reset,
	.copy = arm64_copy,
	.pc = arm64_pc,
};
