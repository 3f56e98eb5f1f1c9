/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Arm ARM (DDI 0487), "ESR_EL2, Exception Syndrome Register (EL2)": the exception classes. */
#include <inttypes.h>

#include "arch/arm64_decode.h"
#include "arch/arm64_iss.h"

struct esr_class {
	const char *text;
	const struct arm64_iss *iss; /* NULL: bits 24:0 are reserved, or not known here */
	bool il_fixed;               /* IL is 1 and says nothing of the instruction */
};

// clang-format off
static const struct esr_class classes[64] = {
	[0x00] = { "unknown reason", NULL, true },
	[0x01] = { "trapped WFI, WFE, WFIT or WFET", &arm64_iss_wfx, false },
	[0x03] = { "trapped MCR or MRC to coprocessor 15 (AArch32)", &arm64_iss_cp15, false },
	[0x04] = { "trapped MCRR or MRRC to coprocessor 15 (AArch32)", &arm64_iss_cp15_pair, false },
	[0x05] = { "trapped MCR or MRC to coprocessor 14 (AArch32)", &arm64_iss_cp14, false },
	[0x06] = { "trapped LDC or STC (AArch32)", &arm64_iss_ldc, false },
	[0x07] = { "trapped access to SVE, Advanced SIMD or floating point", &arm64_iss_fp, false },
	[0x08] = { "trapped VMRS (AArch32)", &arm64_iss_vmrs, false },
	[0x09] = { "trapped pointer authentication instruction", NULL, false },
	[0x0a] = { "trapped instruction that has no class of its own", &arm64_iss_ls64, false },
	[0x0c] = { "trapped MCRR or MRRC to coprocessor 14 (AArch32)", &arm64_iss_cp14_pair, false },
	[0x0d] = { "branch target exception", &arm64_iss_bti, false },
	[0x0e] = { "illegal Execution state", NULL, true },
	[0x11] = { "SVC (AArch32)", &arm64_iss_call, false },
	[0x12] = { "HVC (AArch32)", &arm64_iss_call, false },
	[0x13] = { "SMC (AArch32)", &arm64_iss_smc32, false },
	[0x14] = { "trapped MSRR, MRRS or 128-bit System instruction", &arm64_iss_sys128, false },
	[0x15] = { "SVC", &arm64_iss_call, false },
	[0x16] = { "HVC", &arm64_iss_call, false },
	[0x17] = { "SMC", &arm64_iss_call, false },
	[0x18] = { "trapped MSR, MRS or System instruction", &arm64_iss_sys, false },
	[0x19] = { "trapped access to SVE", NULL, false },
	[0x1a] = { "trapped exception return", &arm64_iss_eret, false },
	[0x1b] = { "TSTART", &arm64_iss_tstart, false },
	[0x1c] = { "pointer authentication failure", &arm64_iss_pac_fail, false },
	[0x1d] = { "trapped access to SME", &arm64_iss_sme, false },
	[0x1e] = { "granule protection check", &arm64_iss_granule, true },
	[0x1f] = { "implementation defined exception to EL3", NULL, false },
	[0x20] = { "instruction abort from a lower EL", &arm64_iss_insn_abort, true },
	[0x21] = { "instruction abort from the same EL", &arm64_iss_insn_abort, true },
	[0x22] = { "pc alignment fault", NULL, true },
	[0x24] = { "data abort from a lower EL", &arm64_iss_data_abort, false },
	[0x25] = { "data abort from the same EL", &arm64_iss_data_abort, false },
	[0x26] = { "sp alignment fault", NULL, true },
	[0x27] = { "memory copy or set", &arm64_iss_mops, false },
	[0x28] = { "floating-point exception (AArch32)", &arm64_iss_fp_exception, false },
	[0x2c] = { "floating-point exception", &arm64_iss_fp_exception, false },
	[0x2d] = { "guarded control stack", &arm64_iss_gcs, false },
	[0x2f] = { "SError", &arm64_iss_serror, true },
	[0x30] = { "breakpoint from a lower EL", &arm64_iss_breakpoint, true },
	[0x31] = { "breakpoint from the same EL", &arm64_iss_breakpoint, true },
	[0x32] = { "software step from a lower EL", &arm64_iss_step, true },
	[0x33] = { "software step from the same EL", &arm64_iss_step, true },
	[0x34] = { "watchpoint from a lower EL", &arm64_iss_watchpoint, true },
	[0x35] = { "watchpoint from the same EL", &arm64_iss_watchpoint, true },
	[0x38] = { "BKPT (AArch32)", &arm64_iss_bkpt, false },
	[0x3a] = { "vector catch (AArch32)", &arm64_iss_breakpoint, true },
	[0x3c] = { "BRK", &arm64_iss_brk, false },
	[0x3d] = { "profiling exception", NULL, true },
};
// clang-format on

enum { EC_DATA_ABORT_LOWER = 0x24, EC_DATA_ABORT_SAME = 0x25 };

static unsigned ec_of(uint64_t esr)
{
	return (unsigned)arm64_bits(esr, 31, 26);
}

static void ec_text(uint64_t esr, uint64_t ec, struct strbuf *out)
{
	strbuf_adds(out, classes[ec].text ? classes[ec].text : "reserved exception class");
}

static void il_text(uint64_t esr, uint64_t il, struct strbuf *out)
{
	unsigned ec = ec_of(esr);
	bool no_isv = (ec == EC_DATA_ABORT_LOWER || ec == EC_DATA_ABORT_SAME) && !arm64_bits(esr, 24, 24);

	if (classes[ec].il_fixed || no_isv)
		strbuf_adds(out, il ? "always 1 here" : "an exception would set it here");
	else
		strbuf_adds(out, il ? "32-bit instruction" : "16-bit instruction");
}

static const struct arm64_field head[] = {
	{ "EC", 31, 26, .text = ec_text },
	{ "IL", 25, 25, .text = il_text },
};

void arm64_esr_brief(uint64_t esr, struct strbuf *out)
{
	const struct arm64_iss *iss = classes[ec_of(esr)].iss;

	if (!esr) { // as at reset: IL is set for an unknown reason
		strbuf_adds(out, "no exception so far");
		return;
	}
	ec_text(esr, ec_of(esr), out);
	if (iss && iss->brief)
		iss->brief(esr, out);
}

void arm64_esr_text(const char *name, uint64_t esr, struct strbuf *out)
{
	const struct arm64_iss *iss = classes[ec_of(esr)].iss;
	uint64_t known;

	strbuf_addf(out, "%s %#" PRIx64 ": ", name, esr);
	arm64_esr_brief(esr, out);
	strbuf_addc(out, '\n');
	known = arm64_fields_text(head, ARRAY_LEN(head), esr, out);
	if (iss)
		known |= arm64_fields_text(iss->fields, iss->n, esr, out);
	arm64_rest_text(esr & ~known, out);
}
