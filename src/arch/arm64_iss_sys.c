/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Trapped accesses to System registers, and System instructions. Arm ARM (DDI 0487), "ESR_EL2, Exception Syndrome
 * Register (EL2)": "ISS encoding for an exception from MSR, MRS, or System instruction execution in AArch64 state", and
 * "ISS encoding for an exception from an MCR or MRC access" with the sections next to it.
 */
#include "arch/arm64_iss.h"
#include "arch/arm64_sysname.h"

struct access {
	unsigned op0, op1, crn, crm, op2, rt;
	bool read;
};

/* The fields that MSR, MRS, MCR and MRC have in common. */
static struct access access_of(uint64_t esr)
{
	return (struct access){
		.op0 = (unsigned)arm64_bits(esr, 21, 20),
		.op2 = (unsigned)arm64_bits(esr, 19, 17),
		.op1 = (unsigned)arm64_bits(esr, 16, 14),
		.crn = (unsigned)arm64_bits(esr, 13, 10),
		.rt = (unsigned)arm64_bits(esr, 9, 5),
		.crm = (unsigned)arm64_bits(esr, 4, 1),
		.read = arm64_bits(esr, 0, 0),
	};
}

static void add_x(unsigned n, struct strbuf *out)
{
	arm64_x_text(0, n, out);
}

/* ---- MSR, MRS and System instructions ---- */

/* MSR (immediate) writes a part of PSTATE; the immediate is in CRm. */
static const char *pstate_name(const struct access *a)
{
	static const struct {
		uint8_t op1, op2;
		const char *name;
	} names[] = { { 0, 3, "UAO" },  { 0, 4, "PAN" }, { 0, 5, "SPSel" }, { 1, 0, "ALLINT" },  { 3, 0, "SVCR" },
		      { 3, 1, "SSBS" }, { 3, 2, "DIT" }, { 3, 4, "TCO" },   { 3, 6, "DAIFSet" }, { 3, 7, "DAIFClr" } };

	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (a->crn == 4 && a->op1 == names[i].op1 && a->op2 == names[i].op2)
			return names[i].name;
	return NULL;
}

static void pstate_brief(const struct access *a, struct strbuf *out)
{
	const char *name = pstate_name(a);

	if (name)
		strbuf_addf(out, ": MSR %s, #%u", name, a->crm);
	else
		strbuf_addf(out, ": op0 0, op1 %u, CRn %u, CRm %u, op2 %u", a->op1, a->crn, a->crm, a->op2);
}

static void insn_brief(const struct access *a, uint16_t encoding, struct strbuf *out)
{
	strbuf_adds(out, ": ");
	if (arm64_sysname_text(encoding, out)) {
		if (a->rt != 31) {
			strbuf_adds(out, ", ");
			add_x(a->rt, out);
		}
	} else if (a->read) {
		strbuf_adds(out, "SYSL ");
		add_x(a->rt, out);
		strbuf_addf(out, ", #%u, C%u, C%u, #%u", a->op1, a->crn, a->crm, a->op2);
	} else {
		strbuf_addf(out, "SYS #%u, C%u, C%u, #%u, ", a->op1, a->crn, a->crm, a->op2);
		add_x(a->rt, out);
	}
}

static void add_name(uint16_t encoding, struct strbuf *out)
{
	if (!arm64_sysname_text(encoding, out))
		arm64_sysname_generic(encoding, out);
}

static void sys_brief(uint64_t esr, struct strbuf *out)
{
	struct access a = access_of(esr);
	uint16_t encoding = arm64_sys_encoding(a.op0, a.op1, a.crn, a.crm, a.op2);

	if (a.op0 == 0) {
		pstate_brief(&a, out);
	} else if (a.op0 == 1) {
		insn_brief(&a, encoding, out);
	} else if (a.read) {
		strbuf_adds(out, ": MRS ");
		add_x(a.rt, out);
		strbuf_adds(out, ", ");
		add_name(encoding, out);
	} else {
		strbuf_adds(out, ": MSR ");
		add_name(encoding, out);
		strbuf_adds(out, ", ");
		add_x(a.rt, out);
	}
}

/* Says which register the five fields together are. */
static void op0_text(uint64_t esr, uint64_t value, struct strbuf *out)
{
	struct access a = access_of(esr);
	uint16_t encoding = arm64_sys_encoding(a.op0, a.op1, a.crn, a.crm, a.op2);

	if (a.op0 == 0)
		return;
	arm64_sysname_generic(encoding, out);
	strbuf_adds(out, " is ");
	if (!arm64_sysname_text(encoding, out))
		strbuf_adds(out, "not known here");
}

// clang-format off
#define DIRECTION(to_reg, from_reg) { "Direction", 0, 0, ARM64_WORDS(to_reg, from_reg) }

static const struct arm64_field sys[] = {
	{ "Op0", 21, 20, .text = op0_text },
	{ "Op2", 19, 17 },
	{ "Op1", 16, 14 },
	{ "CRn", 13, 10 },
	{ "Rt", 9, 5, .text = arm64_x_text },
	{ "CRm", 4, 1 },
	DIRECTION("write (MSR)", "read (MRS)"),
};
// clang-format on

const struct arm64_iss arm64_iss_sys = ARM64_ISS(sys, sys_brief);

/* The 128-bit forms name a pair of general registers, in four bits. */
static void pair_text(uint64_t esr, uint64_t value, struct strbuf *out)
{
	add_x((unsigned)value * 2, out);
	strbuf_adds(out, ", ");
	add_x((unsigned)value * 2 + 1, out);
}

static void sys128_brief(uint64_t esr, struct strbuf *out)
{
	struct access a = access_of(esr);
	uint16_t encoding = arm64_sys_encoding(a.op0, a.op1, a.crn, a.crm, a.op2);

	strbuf_adds(out, a.read ? ": MRRS " : ": MSRR or a System instruction ");
	if (a.read) {
		pair_text(esr, arm64_bits(esr, 9, 6), out);
		strbuf_adds(out, ", ");
	}
	add_name(encoding, out);
	if (!a.read) {
		strbuf_adds(out, ", ");
		pair_text(esr, arm64_bits(esr, 9, 6), out);
	}
}

// clang-format off
static const struct arm64_field sys128[] = {
	{ "Op0", 21, 20, .text = op0_text },
	{ "Op2", 19, 17 },
	{ "Op1", 16, 14 },
	{ "CRn", 13, 10 },
	{ "Rt", 9, 6, .text = pair_text },
	{ "CRm", 4, 1 },
	DIRECTION("write", "read"),
};
// clang-format on

const struct arm64_iss arm64_iss_sys128 = ARM64_ISS(sys128, sys128_brief);

/* ---- AArch32: one register ---- */

static void mcr_brief(unsigned coproc, uint64_t esr, struct strbuf *out)
{
	struct access a = access_of(esr);

	strbuf_addf(out, ": %s p%u, %u, ", a.read ? "MRC" : "MCR", coproc, a.op1);
	add_x(a.rt, out);
	strbuf_addf(out, ", c%u, c%u, %u", a.crn, a.crm, a.op2);
}

static void cp15_brief(uint64_t esr, struct strbuf *out)
{
	mcr_brief(15, esr, out);
}

static void cp14_brief(uint64_t esr, struct strbuf *out)
{
	mcr_brief(14, esr, out);
}

// clang-format off
static const struct arm64_field mcr[] = {
	ARM64_CONDITION_FIELDS,
	{ "Opc2", 19, 17 },
	{ "Opc1", 16, 14 },
	{ "CRn", 13, 10 },
	{ "Rt", 9, 5, .text = arm64_x_text },
	{ "CRm", 4, 1 },
	DIRECTION("write (MCR)", "read (MRC)"),
};
// clang-format on

const struct arm64_iss arm64_iss_cp15 = ARM64_ISS(mcr, cp15_brief);
const struct arm64_iss arm64_iss_cp14 = ARM64_ISS(mcr, cp14_brief);

static void vmrs_brief(uint64_t esr, struct strbuf *out)
{
	static const char *const names[16] = { [0] = "FPSID", [5] = "MVFR2", [6] = "MVFR1", [7] = "MVFR0" };
	struct access a = access_of(esr);

	strbuf_adds(out, ": VMRS ");
	add_x(a.rt, out);
	if (names[a.crn])
		strbuf_addf(out, ", %s", names[a.crn]);
	else
		strbuf_addf(out, ", register %u", a.crn);
}

const struct arm64_iss arm64_iss_vmrs = ARM64_ISS(mcr, vmrs_brief);

/* ---- AArch32: two registers, and memory ---- */

static void mcrr_brief(unsigned coproc, uint64_t esr, struct strbuf *out)
{
	strbuf_addf(out, ": %s p%u, %u, ", arm64_bits(esr, 0, 0) ? "MRRC" : "MCRR", coproc,
		    (unsigned)arm64_bits(esr, 19, 16));
	add_x((unsigned)arm64_bits(esr, 9, 5), out);
	strbuf_adds(out, ", ");
	add_x((unsigned)arm64_bits(esr, 14, 10), out);
	strbuf_addf(out, ", c%u", (unsigned)arm64_bits(esr, 4, 1));
}

static void cp15_pair_brief(uint64_t esr, struct strbuf *out)
{
	mcrr_brief(15, esr, out);
}

static void cp14_pair_brief(uint64_t esr, struct strbuf *out)
{
	mcrr_brief(14, esr, out);
}

// clang-format off
static const struct arm64_field mcrr[] = {
	ARM64_CONDITION_FIELDS,
	{ "Opc1", 19, 16 },
	{ "Rt2", 14, 10, .text = arm64_x_text },
	{ "Rt", 9, 5, .text = arm64_x_text },
	{ "CRm", 4, 1 },
	DIRECTION("write (MCRR)", "read (MRRC)"),
};
// clang-format on

const struct arm64_iss arm64_iss_cp15_pair = ARM64_ISS(mcrr, cp15_pair_brief);
const struct arm64_iss arm64_iss_cp14_pair = ARM64_ISS(mcrr, cp14_pair_brief);

static const char *const am_words[] = { "immediate, unindexed",   "immediate, post-indexed", "immediate, offset",
					"immediate, pre-indexed", "literal, unindexed",      NULL,
					"literal, offset" };

static bool ldc_has_rn(uint64_t esr)
{
	return !arm64_bits(esr, 3, 3);
}

// clang-format off
static const struct arm64_field ldc[] = {
	ARM64_CONDITION_FIELDS,
	{ "imm8", 19, 12 },
	{ "Rn", 9, 5, .text = arm64_x_text, .shown = ldc_has_rn },
	{ "Offset", 4, 4, ARM64_WORDS("subtract", "add") },
	{ "AM", 3, 1, .words = am_words, .nwords = ARRAY_LEN(am_words) },
	DIRECTION("write to memory (STC)", "read from memory (LDC)"),
};
// clang-format on

static void ldc_brief(uint64_t esr, struct strbuf *out)
{
	strbuf_adds(out, arm64_bits(esr, 0, 0) ? ": LDC p14, c5" : ": STC p14, c5");
}

const struct arm64_iss arm64_iss_ldc = ARM64_ISS(ldc, ldc_brief);
