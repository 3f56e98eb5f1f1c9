/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Arm ARM (DDI 0487), "HPFAR_EL2, Hypervisor IPA Fault Address Register". */
#include <inttypes.h>

#include "arch/arm64_decode.h"
#include "arch/arm64_fault.h"
#include "arch/arm64_fields.h"

enum { EC_INSN_ABORT = 0x20, EC_INSN_ABORT_SAME = 0x21, EC_DATA_ABORT = 0x24, EC_DATA_ABORT_SAME = 0x25 };
enum { FSC_EXTERNAL = 0x10, PAGE_MASK = 0xfff };

/* What HPFAR_EL2 says for an exception. */
enum validity {
	VALID,      /* the page of the access */
	TABLE_ONLY, /* the page of a stage 1 table descriptor: FAR_EL2 does not belong to it */
	NO_FAR,
	SAME_EL,
	PERMISSION,
	NO_STAGE2,
	NO_ABORT,
};

static const char *const verdicts[] = {
	[VALID] = "HPFAR_EL2 is valid: it is the page that was accessed",
	[TABLE_ONLY] =
		"HPFAR_EL2 is valid: it is the page of the stage 1 table descriptor that was read for FAR_EL2; the "
		"offset is not known",
	[NO_FAR] = "HPFAR_EL2 and FAR_EL2 are not valid: ESR_EL2.FnV is set",
	[SAME_EL] = "HPFAR_EL2 is not valid: EL2's own accesses have no stage 2",
	[PERMISSION] =
		"HPFAR_EL2 may be anything after a permission fault that is not on a stage 1 table walk: translate "
		"FAR_EL2 (AT S1E1R, PAR_EL1)",
	[NO_STAGE2] = "HPFAR_EL2 is not valid: this is not a translation, access flag or address size fault of stage 2",
	[NO_ABORT] = "HPFAR_EL2 is not valid: this is not an abort",
};

static enum validity validity_of(uint64_t esr)
{
	unsigned ec = (unsigned)arm64_bits(esr, 31, 26), fsc = (unsigned)arm64_bits(esr, 5, 0);

	if (ec == EC_INSN_ABORT_SAME || ec == EC_DATA_ABORT_SAME)
		return SAME_EL;
	if (ec != EC_INSN_ABORT && ec != EC_DATA_ABORT)
		return NO_ABORT;
	if (fsc == FSC_EXTERNAL && arm64_bits(esr, 10, 10))
		return NO_FAR;
	if (arm64_bits(esr, 7, 7))
		return TABLE_ONLY;
	switch (arm64_fault_of(fsc).kind) {
	case ARM64_FAULT_TRANSLATION:
	case ARM64_FAULT_ACCESS_FLAG:
	case ARM64_FAULT_ADDRESS_SIZE:
	case ARM64_FAULT_GRANULE_WALK:
		return VALID;
	case ARM64_FAULT_PERMISSION:
		return PERMISSION;
	default:
		return NO_STAGE2;
	}
}

static void fipa_text(uint64_t hpfar, uint64_t value, struct strbuf *out)
{
	strbuf_adds(out, "bits 55:12 of the IPA");
}

// clang-format off
static const struct arm64_field fields[] = {
	{ "NS", 63, 63, .rare = true, ARM64_WORDS("", "Non-secure IPA space") },
	{ "FIPA", 47, 4, .text = fipa_text },
};
// clang-format on

void arm64_hpfar_text(uint64_t hpfar, uint64_t far, const uint64_t *esr, struct strbuf *out)
{
	uint64_t page = arm64_bits(hpfar, 47, 4) << 12, known;
	enum validity v = esr ? validity_of(*esr) : VALID;

	if (v == VALID)
		strbuf_addf(out, "IPA %#" PRIx64 ": page %#" PRIx64 " of HPFAR_EL2, offset %#" PRIx64 " of FAR_EL2\n",
			    page | (far & PAGE_MASK), page, far & PAGE_MASK);
	else if (v == TABLE_ONLY)
		strbuf_addf(out, "IPA of the page %#" PRIx64 "\n", page);
	else
		strbuf_adds(out, "no IPA\n");
	known = arm64_fields_text(fields, ARRAY_LEN(fields), hpfar, out);
	arm64_rest_text(hpfar & ~known, out);
	if (!esr)
		return;
	strbuf_addf(out, "  ESR_EL2 %#" PRIx64 ": ", *esr);
	arm64_esr_brief(*esr, out);
	strbuf_addf(out, "\n  %s\n", verdicts[v]);
}
