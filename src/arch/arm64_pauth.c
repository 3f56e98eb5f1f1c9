/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "arch/arm64.h"

#include "util/macros.h"

/*
 * Where a pointer's authentication code is: Arm ARM, "PAC field". From the size of the address space up to bit 54,
 * and bits 63:56 unless the hardware ignores them. Bit 55 is the half.
 */
#define HALF_BIT 55
#define TOP_BYTE 56

/* Fields of TCR_ELx for one half of the addresses; `size` and `tbi` tell where a field begins, `tbid` a bit. */
struct tcr_half {
	uint8_t size, tbi, tbid;
};
static const struct tcr_half low_of_two = { 0, 37, 51 }, high_of_two = { 16, 38, 52 }, only = { 0, 20, 29 };

/* ID_AA64ISAR1_EL1.{APA, API} and ID_AA64ISAR2_EL1.APA3: an algorithm for addresses, of one kind or another. */
static bool signs_addresses(const struct arm64_regs *r)
{
	bool is1 = arm64_sys_has(r, ARM64_ID_AA64ISAR1_EL1) && r->sys[ARM64_ID_AA64ISAR1_EL1] & 0xff0;
	bool is2 = arm64_sys_has(r, ARM64_ID_AA64ISAR2_EL1) && r->sys[ARM64_ID_AA64ISAR2_EL1] & 0xf000;

	return is1 || is2;
}

/* EL2 has tables of its own; with HCR_EL2.E2H they are like EL1's, and with TGE EL0 shares them. */
static bool in_el2_regime(const struct arm64_regs *r)
{
	unsigned el = (r->pstate & ARM64_PSTATE_EL) >> ARM64_PSTATE_EL_SHIFT;
	uint64_t hcr = arm64_sys_has(r, ARM64_HCR_EL2) ? r->sys[ARM64_HCR_EL2] : 0;

	return el == 2 || (el == 0 && (hcr & ARM64_HCR_E2H) && (hcr & ARM64_HCR_TGE));
}

static uint64_t mask_of(uint64_t tcr, const struct tcr_half *h, bool code)
{
	unsigned first = 64 - (tcr >> h->size & 0x3f);
	uint64_t mask = first < HALF_BIT ? BIT64(HALF_BIT) - BIT64(first) : 0;
	bool ignored = tcr & BIT64(h->tbi) && !(code && tcr & BIT64(h->tbid));

	return ignored ? mask : mask | ~(BIT64(TOP_BYTE) - 1);
}

uint64_t arm64_pauth_mask(const struct arm64_regs *r, enum arm64_pauth what)
{
	bool el2 = in_el2_regime(r), high = what == ARM64_PAUTH_DATA_HIGH || what == ARM64_PAUTH_CODE_HIGH;
	bool two = !el2 || (arm64_sys_has(r, ARM64_HCR_EL2) && r->sys[ARM64_HCR_EL2] & ARM64_HCR_E2H);
	enum arm64_sys tcr = el2 ? ARM64_TCR_EL2 : ARM64_TCR_EL1;
	const struct tcr_half *half = !two ? &only : high ? &high_of_two : &low_of_two;

	if (r->pstate & ARM64_PSTATE_NRW || !signs_addresses(r) || !arm64_sys_has(r, tcr) || (high && !two))
		return 0;
	return mask_of(r->sys[tcr], half, what == ARM64_PAUTH_CODE || what == ARM64_PAUTH_CODE_HIGH);
}
