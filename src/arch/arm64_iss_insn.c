/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Instructions that trap or are calls. Arm ARM (DDI 0487), "ESR_EL2, Exception Syndrome Register (EL2)": "ISS encoding
 * for an exception from a WF* instruction" and the sections next to it.
 */
#include <inttypes.h>

#include "arch/arm64_iss.h"

const char *const arm64_condition[16] = { "EQ", "NE", "CS", "CC", "MI", "PL", "VS", "VC",
					  "HI", "LS", "GE", "LT", "GT", "LE", "AL", "AL" };

void arm64_x_text(uint64_t reg, uint64_t value, struct strbuf *out)
{
	if (value == 31)
		strbuf_adds(out, "xzr");
	else
		strbuf_addf(out, "x%u", (unsigned)value);
}

/* ---- WFI, WFE, WFIT, WFET ---- */

static const char *const wfx_words[] = { "WFI", "WFE", "WFIT", "WFET" };

static bool wfx_has_rn(uint64_t esr)
{
	return arm64_bits(esr, 1, 1) && arm64_bits(esr, 2, 2);
}

// clang-format off
static const struct arm64_field wfx[] = {
	ARM64_CONDITION_FIELDS,
	{ "RN", 9, 5, .text = arm64_x_text, .shown = wfx_has_rn },
	{ "RV", 2, 2, .rare = true, ARM64_WORDS("", "RN is valid") },
	{ "TI", 1, 0, .words = wfx_words, .nwords = 4 },
};
// clang-format on

static void wfx_brief(uint64_t esr, struct strbuf *out)
{
	strbuf_addf(out, ": %s", wfx_words[arm64_bits(esr, 1, 0)]);
	if (wfx_has_rn(esr)) {
		strbuf_addc(out, ' ');
		arm64_x_text(esr, arm64_bits(esr, 9, 5), out);
	}
}

const struct arm64_iss arm64_iss_wfx = ARM64_ISS(wfx, wfx_brief);

/* ---- SVC, HVC, SMC ---- */

static const struct arm64_field call[] = { { "imm16", 15, 0 } };

static void call_brief(uint64_t esr, struct strbuf *out)
{
	strbuf_addf(out, " #%#x", (unsigned)arm64_bits(esr, 15, 0));
}

const struct arm64_iss arm64_iss_call = ARM64_ISS(call, call_brief);

// clang-format off
static const struct arm64_field smc32[] = {
	ARM64_CONDITION_FIELDS,
	{ "CCKNOWNPASS", 19, 19, ARM64_WORDS("unconditional, or its condition passed", "its condition may have failed") },
};
// clang-format on

const struct arm64_iss arm64_iss_smc32 = ARM64_ISS(smc32, NULL);

/* ---- BRK, BKPT ---- */

/* What Linux uses the comment for: asm/brk-imm.h of the kernel. */
static const char *linux_brk(unsigned comment)
{
	static const struct {
		uint16_t first, last;
		const char *text;
	} uses[] = { { 0x4, 0x4, "kprobe" },          { 0x5, 0x5, "uprobe" },    { 0x6, 0x6, "kprobe, stepped" },
		     { 0x7, 0x7, "kretprobe" },       { 0x100, 0x100, "fault" }, { 0x400, 0x401, "KGDB" },
		     { 0x800, 0x800, "BUG or WARN" }, { 0x900, 0x9ff, "KASAN" }, { 0x5500, 0x55ff, "UBSAN" },
		     { 0x8000, 0x83ff, "kernel CFI" } };

	for (size_t i = 0; i < ARRAY_LEN(uses); i++)
		if (comment >= uses[i].first && comment <= uses[i].last)
			return uses[i].text;
	return NULL;
}

static void comment_text(uint64_t esr, uint64_t value, struct strbuf *out)
{
	const char *use = linux_brk((unsigned)value);

	if (use)
		strbuf_addf(out, "in Linux: %s", use);
}

static const struct arm64_field brk64[] = { { "Comment", 15, 0, .text = comment_text } };
static const struct arm64_field bkpt[] = { { "Comment", 15, 0 } };

const struct arm64_iss arm64_iss_brk = ARM64_ISS(brk64, call_brief);
const struct arm64_iss arm64_iss_bkpt = ARM64_ISS(bkpt, call_brief);

/* ---- floating point ---- */

static const struct arm64_field fp[] = { ARM64_CONDITION_FIELDS };

const struct arm64_iss arm64_iss_fp = ARM64_ISS(fp, NULL);

static bool tfv(uint64_t esr)
{
	return arm64_bits(esr, 23, 23);
}

// clang-format off
static const struct arm64_field fp_exception[] = {
	{ "TFV", 23, 23, ARM64_WORDS("IDF to IOF are not valid", "IDF to IOF are valid") },
	{ "VECITR", 10, 8 },
	{ "IDF", 7, 7, ARM64_WORDS("", "input denormal"), .shown = tfv },
	{ "IXF", 4, 4, ARM64_WORDS("", "inexact"), .shown = tfv },
	{ "UFF", 3, 3, ARM64_WORDS("", "underflow"), .shown = tfv },
	{ "OFF", 2, 2, ARM64_WORDS("", "overflow"), .shown = tfv },
	{ "DZF", 1, 1, ARM64_WORDS("", "divide by zero"), .shown = tfv },
	{ "IOF", 0, 0, ARM64_WORDS("", "invalid operation"), .shown = tfv },
};
// clang-format on

static void fp_exception_brief(uint64_t esr, struct strbuf *out)
{
	const char *sep = ": ";

	for (size_t i = 2; i < ARRAY_LEN(fp_exception) && tfv(esr); i++) {
		if (!arm64_bits(esr, fp_exception[i].hi, fp_exception[i].lo))
			continue;
		strbuf_addf(out, "%s%s", sep, fp_exception[i].words[1]);
		sep = ", ";
	}
}

const struct arm64_iss arm64_iss_fp_exception = ARM64_ISS(fp_exception, fp_exception_brief);

// clang-format off
static const char *const sme_words[] = {
	"access trapped by CPACR or CPTR",
	"instruction that is illegal in Streaming SVE mode (PSTATE.SM is 1)",
	"instruction that needs Streaming SVE mode (PSTATE.SM is 0)",
	"instruction that needs the ZA array (PSTATE.ZA is 0)",
	"access to ZT0 trapped by SMCR",
};

static const struct arm64_field sme[] = {
	{ "SMTC", 2, 0, .words = sme_words, .nwords = ARRAY_LEN(sme_words) },
};
// clang-format on

static void sme_brief(uint64_t esr, struct strbuf *out)
{
	uint64_t smtc = arm64_bits(esr, 2, 0);

	if (smtc < ARRAY_LEN(sme_words))
		strbuf_addf(out, ": %s", sme_words[smtc]);
}

const struct arm64_iss arm64_iss_sme = ARM64_ISS(sme, sme_brief);

/* ---- control flow: pointer authentication, branch targets, exception return ---- */

static const struct arm64_field pac_fail[] = {
	{ "IorD", 1, 1, ARM64_WORDS("instruction key", "data key") },
	{ "AorB", 0, 0, ARM64_WORDS("A key", "B key") },
};

static void pac_fail_brief(uint64_t esr, struct strbuf *out)
{
	strbuf_addf(out, ": key %s%s", arm64_bits(esr, 1, 1) ? "D" : "I", arm64_bits(esr, 0, 0) ? "B" : "A");
}

const struct arm64_iss arm64_iss_pac_fail = ARM64_ISS(pac_fail, pac_fail_brief);

static const struct arm64_field bti[] = { { "BTYPE", 1, 0 } };

static void bti_brief(uint64_t esr, struct strbuf *out)
{
	strbuf_addf(out, ": BTYPE %u", (unsigned)arm64_bits(esr, 1, 0));
}

const struct arm64_iss arm64_iss_bti = ARM64_ISS(bti, bti_brief);

static const char *const eret_words[] = { "ERET", "ERET", "ERETAA", "ERETAB" };

static const struct arm64_field eret[] = { { "ERET", 1, 0, .words = eret_words, .nwords = 4 } };

static void eret_brief(uint64_t esr, struct strbuf *out)
{
	strbuf_addf(out, ": %s", eret_words[arm64_bits(esr, 1, 0)]);
}

const struct arm64_iss arm64_iss_eret = ARM64_ISS(eret, eret_brief);

/* ---- younger instructions ---- */

static void ls64_text(uint64_t esr, uint64_t value, struct strbuf *out)
{
	static const char *const words[] = { "ST64BV", "ST64BV0", "LD64B or ST64B" };

	strbuf_adds(out, value < ARRAY_LEN(words) ? words[value] : "not known here");
}

static const struct arm64_field ls64[] = { { "ISS", 24, 0, .text = ls64_text } };

const struct arm64_iss arm64_iss_ls64 = ARM64_ISS(ls64, NULL);

static const struct arm64_field tstart[] = { { "Rd", 9, 5, .text = arm64_x_text } };

const struct arm64_iss arm64_iss_tstart = ARM64_ISS(tstart, NULL);

static const struct arm64_field mops[] = {
	{ "MemInst", 24, 24, ARM64_WORDS("memory copy", "memory set") },
	{ "isSETG", 23, 23, ARM64_WORDS("", "SETG*: sets tags") },
	{ "Options", 22, 19 },
	{ "FromEpilogue", 18, 18, ARM64_WORDS("main instruction", "epilogue instruction") },
	{ "WrongOption", 17, 17, ARM64_WORDS("", "PSTATE.C is of the other algorithm") },
	{ "OptionA", 16, 16, ARM64_WORDS("option B", "option A") },
	{ "destreg", 14, 10, .text = arm64_x_text },
	{ "srcreg", 9, 5, .text = arm64_x_text },
	{ "sizereg", 4, 0, .text = arm64_x_text },
};

const struct arm64_iss arm64_iss_mops = ARM64_ISS(mops, NULL);

static unsigned gcs_type(uint64_t esr)
{
	return (unsigned)arm64_bits(esr, 23, 20);
}

static bool gcs_is_check(uint64_t esr)
{
	return gcs_type(esr) == 0;
}

static bool gcs_is_store(uint64_t esr)
{
	return gcs_type(esr) == 2;
}

static const struct arm64_field gcs[] = {
	{ "ExType", 23, 20, ARM64_WORDS("data check", "EXLOCK", "trapped GCSSTR or GCSSTTR") },
	{ "Raddr", 14, 10, .text = arm64_x_text, .shown = gcs_is_store },
	{ "Rvalue", 9, 5, .text = arm64_x_text, .shown = gcs_is_store },
	{ "Rn", 9, 5, .text = arm64_x_text, .shown = gcs_is_check },
	{ "IT", 4, 0, .shown = gcs_is_check },
};

const struct arm64_iss arm64_iss_gcs = ARM64_ISS(gcs, NULL);
