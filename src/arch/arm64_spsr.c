/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Arm ARM (DDI 0487), "SPSR_EL1, Saved Program Status Register (EL1)". */
#include <inttypes.h>

#include "arch/arm64_decode.h"
#include "arch/arm64_fields.h"

static const char *const modes64[16] = {
	[0x0] = "EL0t", [0x4] = "EL1t", [0x5] = "EL1h", [0x8] = "EL2t", [0x9] = "EL2h", [0xc] = "EL3t", [0xd] = "EL3h"
};
static const char *const modes32[16] = {
	[0x0] = "User",  [0x1] = "FIQ", [0x2] = "IRQ",       [0x3] = "Supervisor", [0x6] = "Monitor",
	[0x7] = "Abort", [0xa] = "Hyp", [0xb] = "Undefined", [0xf] = "System"
};

static bool is_aarch32(uint64_t spsr)
{
	return arm64_bits(spsr, 4, 4);
}

static void it_text(uint64_t spsr, uint64_t value, struct strbuf *out)
{
	strbuf_addf(out, "IT is %#x", (unsigned)(arm64_bits(spsr, 15, 10) << 2 | arm64_bits(spsr, 26, 25)));
}

// clang-format off
#define FLAG(name, bit, set) { name, bit, bit, ARM64_WORDS("", set) }
#define RARE(name, bit, set) { name, bit, bit, .rare = true, ARM64_WORDS("", set) }
#define FLAGS FLAG("N", 31, "negative"), FLAG("Z", 30, "zero"), FLAG("C", 29, "carry"), FLAG("V", 28, "overflow")

static const struct arm64_field fields64[] = {
	RARE("UINJ", 36, "an Undefined exception is injected at the return"),
	RARE("PACM", 35, "return addresses are signed with the pc"),
	RARE("EXLOCK", 34, "the guarded control stack's return state is locked"),
	RARE("PPEND", 33, "a profiling exception is pending"),
	RARE("PM", 32, "profiling exceptions masked"),
	FLAGS,
	RARE("TCO", 25, "tags are not checked"),
	FLAG("DIT", 24, "data-independent timing"),
	FLAG("UAO", 23, "unprivileged loads and stores act as privileged ones"),
	FLAG("PAN", 22, "no access to what EL0 can access"),
	FLAG("SS", 21, "software step: not yet stepped"),
	FLAG("IL", 20, "illegal Execution state"),
	RARE("ALLINT", 13, "all interrupts masked"),
	FLAG("SSBS", 12, "speculative store bypass allowed"),
	{ "BTYPE", 11, 10, ARM64_WORDS("", "jump by x16 or x17, or from an unguarded page", "call", "jump by another register") },
	FLAG("D", 9, "debug exceptions masked"),
	FLAG("A", 8, "SError masked"),
	FLAG("I", 7, "IRQ masked"),
	FLAG("F", 6, "FIQ masked"),
	{ "M[4]", 4, 4, ARM64_WORDS("AArch64") },
	{ "M[3:0]", 3, 0, .words = modes64, .nwords = 16 },
};

static const struct arm64_field fields32[] = {
	FLAGS,
	FLAG("Q", 27, "saturated"),
	{ "IT[1:0]", 26, 25, .text = it_text },
	FLAG("DIT", 24, "data-independent timing"),
	FLAG("SSBS", 23, "speculative store bypass allowed"),
	FLAG("PAN", 22, "no access to what EL0 can access"),
	FLAG("SS", 21, "software step: not yet stepped"),
	FLAG("IL", 20, "illegal Execution state"),
	{ "GE", 19, 16 },
	{ "IT[7:2]", 15, 10 },
	{ "E", 9, 9, ARM64_WORDS("little-endian", "big-endian") },
	FLAG("A", 8, "SError masked"),
	FLAG("I", 7, "IRQ masked"),
	FLAG("F", 6, "FIQ masked"),
	{ "T", 5, 5, ARM64_WORDS("A32", "T32") },
	{ "M[4]", 4, 4, ARM64_WORDS(NULL, "AArch32") },
	{ "M[3:0]", 3, 0, .words = modes32, .nwords = 16 },
};
// clang-format on

/* The letters of the bits from @first down, upper case where they are set. */
static void add_letters(uint64_t spsr, const char *letters, unsigned first, struct strbuf *out)
{
	for (unsigned i = 0; letters[i]; i++)
		strbuf_addc(out, (char)(arm64_bits(spsr, first - i, first - i) ? letters[i] : letters[i] | 0x20));
}

static void brief(uint64_t spsr, struct strbuf *out)
{
	const char *mode = (is_aarch32(spsr) ? modes32 : modes64)[spsr & 15];

	strbuf_adds(out, is_aarch32(spsr) ? "AArch32 " : "AArch64 ");
	strbuf_adds(out, mode ? mode : "in a reserved mode");
	if (is_aarch32(spsr))
		strbuf_adds(out, arm64_bits(spsr, 5, 5) ? " T32" : " A32");
	strbuf_adds(out, ", flags ");
	add_letters(spsr, "NZCV", 31, out);
	strbuf_adds(out, ", masks ");
	if (is_aarch32(spsr))
		add_letters(spsr, "AIF", 8, out);
	else
		add_letters(spsr, "DAIF", 9, out);
}

void arm64_spsr_text(const char *name, uint64_t spsr, struct strbuf *out)
{
	uint64_t known;

	strbuf_addf(out, "%s %#" PRIx64 ": ", name, spsr);
	brief(spsr, out);
	strbuf_addc(out, '\n');
	if (is_aarch32(spsr))
		known = arm64_fields_text(fields32, ARRAY_LEN(fields32), spsr, out);
	else
		known = arm64_fields_text(fields64, ARRAY_LEN(fields64), spsr, out);
	arm64_rest_text(spsr & ~known, out);
}
