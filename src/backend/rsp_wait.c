/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Steps over instructions that wait, which QEMU gets wrong on arm64. */
#include <stdio.h>
#include <string.h>

#include "backend/rsp_internal.h"
#include "util/bytes.h"
#include "util/cursor.h"

enum { BTYPE = 3 << 10 }; /* in PSTATE: the target of an indirect branch, about to be checked */
#define INSN_YIELD 0xd503203fu
#define INSN_WFE 0xd503205fu
#define INSN_WFI 0xd503207fu
#define HCR_TWI (UINT64_C(1) << 13)

/* The instruction at a virtual address, as the vCPU that is selected sees it. */
static bool insn_get(struct rsp_target *r, uint64_t pc, uint32_t *insn)
{
	const uint8_t *body;
	uint8_t code[4];
	char req[32];
	bool ok = false;
	size_t n;

	if (rsp_command_locked(r, "Qqemu.PhyMemMode:0") < 0)
		return false;
	snprintf(req, sizeof(req), "m%llx,4", (unsigned long long)pc);
	if (rsp_ask_locked(r, req, &body, &n) == 0) {
		struct cur c = cur_init(body, n);

		ok = n == 8 && cur_hexbytes(&c, code, 4) == 4;
	}
	if (rsp_command_locked(r, "Qqemu.PhyMemMode:1") < 0 || !ok)
		return false;
	*insn = ld_le32(code);
	return true;
}

/* QEMU traps wfi alone. Where it might, let it. */
static bool may_trap(const struct arm64_regs *a, uint32_t insn)
{
	if (insn != INSN_WFI)
		return false;
	return !(a->pstate & ARM64_PSTATE_EL) || (arm64_sys_has(a, ARM64_HCR_EL2) && a->sys[ARM64_HCR_EL2] & HCR_TWI);
}

bool rsp_wait_passed(struct rsp_target *r, unsigned vcpu)
{
	struct arch_regs regs = { 0 };
	uint32_t insn;
	uint64_t pc;

	if (r->t.arch != &arch_arm64 || !r->phys || rsp_regs_locked(r, vcpu, 0, &regs) < 0)
		return false;
	pc = regs.arm64.pc;
	if (regs.arm64.pstate & (ARM64_PSTATE_NRW | BTYPE) || !insn_get(r, pc, &insn))
		return false;
	if (insn != INSN_YIELD && insn != INSN_WFE && insn != INSN_WFI)
		return false;
	if (insn == INSN_WFI && rsp_regs_locked(r, vcpu, ARCH_SYS, &regs) < 0)
		return false;
	return !may_trap(&regs.arm64, insn) && rsp_pc_move_locked(r, vcpu, pc + 4) == 0;
}
