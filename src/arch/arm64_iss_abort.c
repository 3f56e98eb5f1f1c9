/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Aborts and debug exceptions. Arm ARM (DDI 0487), "ESR_EL2, Exception Syndrome Register (EL2)": "ISS encoding for an
 * exception from a Data Abort" and the sections next to it.
 */
#include "arch/arm64_fault.h"
#include "arch/arm64_iss.h"

enum { FSC_EXTERNAL = 0x10, FSC_ASYNC = 0x11, FSC_DEBUG = 0x22 };

static bool isv(uint64_t esr)
{
	return arm64_bits(esr, 24, 24);
}

static bool no_isv(uint64_t esr)
{
	return !isv(esr);
}

static unsigned fsc(uint64_t esr)
{
	return (unsigned)arm64_bits(esr, 5, 0);
}

static bool is_external(uint64_t esr)
{
	return fsc(esr) == FSC_EXTERNAL;
}

static bool no_isv_external(uint64_t esr)
{
	return no_isv(esr) && is_external(esr);
}

static bool no_external(uint64_t esr)
{
	return !is_external(esr);
}

static void fsc_text(uint64_t esr, uint64_t value, struct strbuf *out)
{
	arm64_fault_text((unsigned)value, out);
}

static void debug_fsc_text(uint64_t esr, uint64_t value, struct strbuf *out)
{
	strbuf_adds(out, value == FSC_DEBUG ? "debug exception" : "reserved");
}

/* ---- data abort ---- */

static void srt_text(uint64_t esr, uint64_t value, struct strbuf *out)
{
	char width = arm64_bits(esr, 15, 15) ? 'x' : 'w';

	if (value == 31)
		strbuf_addf(out, "%czr", width);
	else
		strbuf_addf(out, "%c%u", width, (unsigned)value);
}

// clang-format off
#define SET ARM64_WORDS("recoverable (UER)", NULL, "uncontainable (UC)", "restartable (UEO)")
#define FNV { "FnV", 10, 10, ARM64_WORDS("FAR is valid", "FAR is not valid") }
#define EA { "EA", 9, 9, ARM64_WORDS("", "type of external abort, implementation defined") }
#define CM { "CM", 8, 8, ARM64_WORDS("no cache maintenance", "cache maintenance or address translation instruction") }
#define S1PTW { "S1PTW", 7, 7, ARM64_WORDS("not on a stage 1 table walk", "stage 2 fault on a stage 1 table walk") }
#define WNR { "WnR", 6, 6, ARM64_WORDS("read", "write") }
#define VNCR { "VNCR", 13, 13, ARM64_WORDS("", "EL1 code used memory through VNCR_EL2") }
#define TOP_LEVEL { "TopLevel", 21, 21, .rare = true, ARM64_WORDS("", "caused by TopLevel") }

static const struct arm64_field data_abort[] = {
	{ "HDBSSF", 43, 43, .rare = true, ARM64_WORDS("", "caused by the dirty state structure (HDBSS)") },
	{ "TnD", 42, 42, .rare = true, ARM64_WORDS("", "access to an allocation tag") },
	{ "TagAccess", 41, 41, .rare = true, ARM64_WORDS("", "NoTagAccess memory") },
	{ "GCS", 40, 40, .rare = true, ARM64_WORDS("", "guarded control stack access") },
	{ "AssuredOnly", 39, 39, .rare = true, ARM64_WORDS("", "caused by AssuredOnly") },
	{ "Overlay", 38, 38, .rare = true, ARM64_WORDS("", "caused by overlay permissions") },
	{ "DirtyBit", 37, 37, .rare = true, ARM64_WORDS("", "caused by the dirty state") },
	{ "Xs", 36, 32, .rare = true, .text = arm64_x_text },
	{ "ISV", 24, 24, ARM64_WORDS("size and register are not given", "SAS, SSE, SRT, SF and AR are valid") },
	{ "SAS", 23, 22, ARM64_WORDS("byte", "halfword", "word", "doubleword"), .shown = isv },
	{ "SSE", 21, 21, ARM64_WORDS("no sign extension", "sign extended"), .shown = isv },
	{ "TopLevel", 21, 21, .rare = true, ARM64_WORDS("", "caused by TopLevel"), .shown = no_isv },
	{ "SRT", 20, 16, .text = srt_text, .shown = isv },
	{ "WU", 17, 16, .rare = true, ARM64_WORDS("", NULL, "the location was not updated", "the location was updated"), .shown = no_isv_external },
	{ "SF", 15, 15, ARM64_WORDS("32-bit register", "64-bit register"), .shown = isv },
	{ "FnP", 15, 15, .rare = true, ARM64_WORDS("", "FAR is not precise"), .shown = no_isv },
	{ "AR", 14, 14, ARM64_WORDS("no acquire or release", "acquire or release"), .shown = isv },
	{ "PFV", 14, 14, .rare = true, ARM64_WORDS("", "PFAR is valid"), .shown = no_isv },
	VNCR,
	{ "SET", 12, 11, SET, .shown = is_external },
	{ "LST", 12, 11, .rare = true, ARM64_WORDS("", "ST64BV", "LD64B or ST64B", "ST64BV0"), .shown = no_external },
	FNV, EA, CM, S1PTW, WNR,
	{ "DFSC", 5, 0, .text = fsc_text },
};

static const struct arm64_field insn_abort[] = {
	{ "HDBSSF", 43, 43, .rare = true, ARM64_WORDS("", "caused by the dirty state structure (HDBSS)") },
	{ "AssuredOnly", 39, 39, .rare = true, ARM64_WORDS("", "caused by AssuredOnly") },
	{ "Overlay", 38, 38, .rare = true, ARM64_WORDS("", "caused by overlay permissions") },
	TOP_LEVEL,
	{ "PFV", 14, 14, .rare = true, ARM64_WORDS("", "PFAR is valid") },
	{ "SET", 12, 11, SET, .shown = is_external },
	FNV, EA, S1PTW,
	{ "IFSC", 5, 0, .text = fsc_text },
};
// clang-format on

static void walk_brief(uint64_t esr, struct strbuf *out)
{
	strbuf_adds(out, ": ");
	arm64_fault_text(fsc(esr), out);
	if (arm64_bits(esr, 7, 7))
		strbuf_adds(out, " of stage 2, on a stage 1 table walk");
}

static void data_abort_brief(uint64_t esr, struct strbuf *out)
{
	bool write = arm64_bits(esr, 6, 6);
	unsigned size = 1u << arm64_bits(esr, 23, 22);

	walk_brief(esr, out);
	if (arm64_bits(esr, 8, 8)) {
		strbuf_adds(out, ", cache maintenance or address translation");
		return;
	}
	strbuf_adds(out, write ? ", write" : ", read");
	if (!isv(esr))
		return;
	strbuf_addf(out, " of %u byte%s %s ", size, size == 1 ? "" : "s", write ? "from" : "to");
	srt_text(esr, arm64_bits(esr, 20, 16), out);
}

const struct arm64_iss arm64_iss_data_abort = ARM64_ISS(data_abort, data_abort_brief);
const struct arm64_iss arm64_iss_insn_abort = ARM64_ISS(insn_abort, walk_brief);

/* ---- granule protection check ---- */

static void gpcsc_text(uint64_t esr, uint64_t value, struct strbuf *out)
{
	static const char *const texts[16] = { [0] = "address size fault in the granule table",
					       [1] = "granule table walk fault",
					       [3] = "granule protection fault",
					       [5] = "synchronous external abort on a granule table fetch" };
	const char *text = texts[value >> 2];

	if (text)
		strbuf_addf(out, "%s, level %u", text, (unsigned)value & 3);
	else
		strbuf_adds(out, "reserved");
}

// clang-format off
static const struct arm64_field granule[] = {
	{ "S2PTW", 21, 21, ARM64_WORDS("not on a stage 2 table walk", "on a stage 2 table walk") },
	{ "InD", 20, 20, ARM64_WORDS("data access", "instruction fetch") },
	{ "GPCSC", 19, 14, .text = gpcsc_text },
	VNCR, CM, S1PTW, WNR,
	{ "xFSC", 5, 0, .text = fsc_text },
};
// clang-format on

static void granule_brief(uint64_t esr, struct strbuf *out)
{
	strbuf_adds(out, ": ");
	gpcsc_text(esr, arm64_bits(esr, 19, 14), out);
}

const struct arm64_iss arm64_iss_granule = ARM64_ISS(granule, granule_brief);

/* ---- SError ---- */

static bool has_no_ids(uint64_t esr)
{
	return !arm64_bits(esr, 24, 24);
}

static bool has_ids(uint64_t esr)
{
	return !has_no_ids(esr);
}

/* The fields but DFSC, IDS and EA mean something only for one DFSC. */
static bool is_async(uint64_t esr)
{
	return has_no_ids(esr) && fsc(esr) == FSC_ASYNC;
}

static void serror_dfsc_text(uint64_t esr, uint64_t value, struct strbuf *out)
{
	strbuf_adds(out, value == 0 ? "uncategorized" : value == FSC_ASYNC ? "asynchronous SError" : "reserved");
}

static const char *const aet_words[8] = { "uncontainable (UC)",
					  "unrecoverable (UEU)",
					  "restartable (UEO)",
					  "recoverable (UER)",
					  NULL,
					  NULL,
					  "corrected (CE)",
					  NULL };

// clang-format off
static const struct arm64_field serror[] = {
	{ "IDS", 24, 24, ARM64_WORDS("as the architecture defines it", "implementation defined syndrome in 23:0") },
	{ "ISS", 23, 0, .shown = has_ids },
	{ "VFV", 15, 15, .rare = true, ARM64_WORDS("", "FAR is valid"), .shown = has_no_ids },
	{ "PFV", 14, 14, .rare = true, ARM64_WORDS("", "PFAR is valid"), .shown = has_no_ids },
	{ "IESB", 13, 13, ARM64_WORDS("", "taken at the implicit error barrier"), .shown = is_async },
	{ "AET", 12, 10, .words = aet_words, .nwords = 8, .shown = is_async },
	{ "EA", 9, 9, ARM64_WORDS("", "type of external abort, implementation defined"), .shown = is_async },
	{ "WnRV", 7, 7, .rare = true, ARM64_WORDS("", "WnR is valid"), .shown = has_no_ids },
	{ "WnR", 6, 6, .rare = true, ARM64_WORDS("", "write"), .shown = has_no_ids },
	{ "DFSC", 5, 0, .text = serror_dfsc_text, .shown = has_no_ids },
};
// clang-format on

static void serror_brief(uint64_t esr, struct strbuf *out)
{
	const char *aet = aet_words[arm64_bits(esr, 12, 10)];

	strbuf_adds(out, ": ");
	if (has_ids(esr))
		strbuf_adds(out, "implementation defined syndrome");
	else if (is_async(esr))
		strbuf_adds(out, aet ? aet : "reserved error type");
	else
		serror_dfsc_text(esr, fsc(esr), out);
}

const struct arm64_iss arm64_iss_serror = ARM64_ISS(serror, serror_brief);

/* ---- debug ---- */

// clang-format off
static const struct arm64_field breakpoint[] = {
	{ "IFSC", 5, 0, .text = debug_fsc_text },
};

static const struct arm64_field step[] = {
	{ "ISV", 24, 24, ARM64_WORDS("EX is not valid", "EX is valid") },
	{ "EX", 6, 6, ARM64_WORDS("no load-exclusive", "a load-exclusive was stepped"), .shown = isv },
	{ "IFSC", 5, 0, .text = debug_fsc_text },
};

static bool has_wpt(uint64_t esr)
{
	return arm64_bits(esr, 17, 17);
}

static const struct arm64_field watchpoint[] = {
	{ "WPT", 23, 18, .shown = has_wpt },
	{ "WPTV", 17, 17, .rare = true, ARM64_WORDS("", "WPT is valid: the number of the watchpoint") },
	{ "WPF", 16, 16, .rare = true, ARM64_WORDS("", "may be a false hit") },
	{ "FnP", 15, 15, .rare = true, ARM64_WORDS("", "FAR is not precise") },
	VNCR, FNV,
	{ "CM", 8, 8, ARM64_WORDS("no cache maintenance", "cache maintenance instruction") },
	WNR,
	{ "DFSC", 5, 0, .text = debug_fsc_text },
};
// clang-format on

static void step_brief(uint64_t esr, struct strbuf *out)
{
	if (isv(esr) && arm64_bits(esr, 6, 6))
		strbuf_adds(out, ": of a load-exclusive");
}

static void watchpoint_brief(uint64_t esr, struct strbuf *out)
{
	strbuf_adds(out, arm64_bits(esr, 6, 6) ? ": write" : ": read");
}

const struct arm64_iss arm64_iss_breakpoint = ARM64_ISS(breakpoint, NULL);
const struct arm64_iss arm64_iss_step = ARM64_ISS(step, step_brief);
const struct arm64_iss arm64_iss_watchpoint = ARM64_ISS(watchpoint, watchpoint_brief);
