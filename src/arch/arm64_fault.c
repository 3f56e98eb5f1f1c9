/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "arch/arm64_fault.h"

#include "util/macros.h"

/* Arm ARM (DDI 0487), "ESR_EL2, Exception Syndrome Register (EL2)": DFSC and IFSC. */
#define LEVELS(first, what) \
	[first] = { what, 0 }, [first + 1] = { what, 1 }, [first + 2] = { what, 2 }, [first + 3] = { what, 3 }
#define NO_LEVEL(what)               \
	{                            \
		what, ARM64_NO_LEVEL \
	}

// clang-format off
static const struct arm64_fault faults[64] = {
	LEVELS(0x00, ARM64_FAULT_ADDRESS_SIZE),
	LEVELS(0x04, ARM64_FAULT_TRANSLATION),
	LEVELS(0x08, ARM64_FAULT_ACCESS_FLAG),
	LEVELS(0x0c, ARM64_FAULT_PERMISSION),
	[0x10] = NO_LEVEL(ARM64_FAULT_EXTERNAL),
	[0x11] = NO_LEVEL(ARM64_FAULT_TAG),
	[0x12] = { ARM64_FAULT_EXTERNAL_WALK, -2 },
	[0x13] = { ARM64_FAULT_EXTERNAL_WALK, -1 },
	LEVELS(0x14, ARM64_FAULT_EXTERNAL_WALK),
	[0x18] = NO_LEVEL(ARM64_FAULT_PARITY),
	[0x1b] = { ARM64_FAULT_PARITY_WALK, -1 },
	LEVELS(0x1c, ARM64_FAULT_PARITY_WALK),
	[0x21] = NO_LEVEL(ARM64_FAULT_ALIGNMENT),
	[0x22] = { ARM64_FAULT_GRANULE_WALK, -2 }, /* in an abort; a debug exception has classes of its own */
	[0x23] = { ARM64_FAULT_GRANULE_WALK, -1 },
	LEVELS(0x24, ARM64_FAULT_GRANULE_WALK),
	[0x28] = NO_LEVEL(ARM64_FAULT_GRANULE),
	[0x29] = { ARM64_FAULT_ADDRESS_SIZE, -1 },
	[0x2a] = { ARM64_FAULT_TRANSLATION, -2 },
	[0x2b] = { ARM64_FAULT_TRANSLATION, -1 },
	[0x2c] = { ARM64_FAULT_ADDRESS_SIZE, -2 },
	[0x30] = NO_LEVEL(ARM64_FAULT_TLB_CONFLICT),
	[0x31] = NO_LEVEL(ARM64_FAULT_HARDWARE_UPDATE),
	[0x34] = NO_LEVEL(ARM64_FAULT_LOCKDOWN),
	[0x35] = NO_LEVEL(ARM64_FAULT_ATOMIC),
};

static const char *const texts[ARM64_NFAULTS] = {
	[ARM64_FAULT_RESERVED] = "reserved fault status",
	[ARM64_FAULT_ADDRESS_SIZE] = "address size fault",
	[ARM64_FAULT_TRANSLATION] = "translation fault",
	[ARM64_FAULT_ACCESS_FLAG] = "access flag fault",
	[ARM64_FAULT_PERMISSION] = "permission fault",
	[ARM64_FAULT_EXTERNAL] = "synchronous external abort",
	[ARM64_FAULT_EXTERNAL_WALK] = "synchronous external abort on a table walk",
	[ARM64_FAULT_PARITY] = "synchronous parity or ECC error",
	[ARM64_FAULT_PARITY_WALK] = "synchronous parity or ECC error on a table walk",
	[ARM64_FAULT_TAG] = "synchronous tag check fault",
	[ARM64_FAULT_ALIGNMENT] = "alignment fault",
	[ARM64_FAULT_GRANULE] = "granule protection fault",
	[ARM64_FAULT_GRANULE_WALK] = "granule protection fault on a table walk",
	[ARM64_FAULT_TLB_CONFLICT] = "TLB conflict abort",
	[ARM64_FAULT_HARDWARE_UPDATE] = "unsupported atomic hardware update fault",
	[ARM64_FAULT_LOCKDOWN] = "implementation defined fault (lockdown)",
	[ARM64_FAULT_ATOMIC] = "unsupported exclusive or atomic access",
};
// clang-format on

struct arm64_fault arm64_fault_of(unsigned fsc)
{
	struct arm64_fault f = faults[fsc & 63];

	if (f.kind == ARM64_FAULT_RESERVED)
		f.level = ARM64_NO_LEVEL;
	return f;
}

void arm64_fault_text(unsigned fsc, struct strbuf *out)
{
	struct arm64_fault f = arm64_fault_of(fsc);

	strbuf_adds(out, texts[f.kind]);
	if (f.level != ARM64_NO_LEVEL)
		strbuf_addf(out, ", level %d", f.level);
}
