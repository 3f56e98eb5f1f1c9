/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "arch/xml_types.h"

#include <stddef.h>

#include "arch/arch.h"

/* Names of bits as GDB (eflags, mxcsr) and the Intel SDM ("Control Registers", "Debug Registers") write them. */

// clang-format off
static const struct flag eflags[] = {
	F("CF", 0), F("", 1), F("PF", 2), F("AF", 4), F("ZF", 6), F("SF", 7), F("TF", 8), F("IF", 9), F("DF", 10),
	F("OF", 11), { "IOPL", 12, 13 }, F("NT", 14), F("RF", 16), F("VM", 17), F("AC", 18), F("VIF", 19),
	F("VIP", 20), F("ID", 21), END
};

static const struct flag mxcsr[] = {
	F("IE", 0), F("DE", 1), F("ZE", 2), F("OE", 3), F("UE", 4), F("PE", 5), F("DAZ", 6), F("IM", 7), F("DM", 8),
	F("ZM", 9), F("OM", 10), F("UM", 11), F("PM", 12), F("FZ", 15), END
};

static const struct flag cr0[] = {
	F("PE", 0), F("MP", 1), F("EM", 2), F("TS", 3), F("ET", 4), F("NE", 5), F("WP", 16), F("AM", 18), F("NW", 29),
	F("CD", 30), F("PG", 31), END
};

static const struct flag cr3[] = { { "PCID", 0, 11 }, { "PDBR", 12, 63 }, END };

static const struct flag cr4[] = {
	F("VME", 0), F("PVI", 1), F("TSD", 2), F("DE", 3), F("PSE", 4), F("PAE", 5), F("MCE", 6), F("PGE", 7),
	F("PCE", 8), F("OSFXSR", 9), F("OSXMMEXCPT", 10), F("UMIP", 11), F("LA57", 12), F("VMXE", 13), F("SMXE", 14),
	F("FSGSBASE", 16), F("PCIDE", 17), F("OSXSAVE", 18), F("KL", 19), F("SMEP", 20), F("SMAP", 21), F("PKE", 22),
	F("CET", 23), F("PKS", 24), F("UINTR", 25), F("LASS", 27), F("LAM_SUP", 28), F("FRED", 32), END
};

static const struct flag efer[] = {
	F("SCE", 0), F("LME", 8), F("LMA", 10), F("NXE", 11), F("SVME", 12), F("LMSLE", 13), F("FFXSR", 14),
	F("TCE", 15), F("AIBRSE", 21), END
};

// Bits 11 and 16 are 0 when their event happened: with a name they would show in every report.
static const struct flag dr6[] = {
	F("B0", 0), F("B1", 1), F("B2", 2), F("B3", 3), { "", 4, 12 }, F("BD", 13), F("BS", 14), F("BT", 15),
	{ "", 16, 31 }, END
};

static const struct flag dr7[] = {
	F("L0", 0), F("G0", 1), F("L1", 2), F("G1", 3), F("L2", 4), F("G2", 5), F("L3", 6), F("G3", 7), F("LE", 8),
	F("GE", 9), F("", 10), F("RTM", 11), F("GD", 13), { "RW0", 16, 17 }, { "LEN0", 18, 19 }, { "RW1", 20, 21 },
	{ "LEN1", 22, 23 }, { "RW2", 24, 25 }, { "LEN2", 26, 27 }, { "RW3", 28, 29 }, { "LEN3", 30, 31 }, END
};

static const struct flag seg_attr[] = {
	{ "TYPE", 0, 3 }, F("S", 4), { "DPL", 5, 6 }, F("P", 7), F("AVL", 8), F("L", 9), F("DB", 10), F("G", 11),
	F("UNUSABLE", 15), END
};
// clang-format on

static const char vec128[] = "<vector id=\"v4f\" type=\"ieee_single\" count=\"4\"/>\n"
			     "<vector id=\"v2d\" type=\"ieee_double\" count=\"2\"/>\n"
			     "<vector id=\"v16i8\" type=\"int8\" count=\"16\"/>\n"
			     "<vector id=\"v8i16\" type=\"int16\" count=\"8\"/>\n"
			     "<vector id=\"v4i32\" type=\"int32\" count=\"4\"/>\n"
			     "<vector id=\"v2i64\" type=\"int64\" count=\"2\"/>\n"
			     "<union id=\"vec128\">\n"
			     "<field name=\"v4_float\" type=\"v4f\"/>\n"
			     "<field name=\"v2_double\" type=\"v2d\"/>\n"
			     "<field name=\"v16_int8\" type=\"v16i8\"/>\n"
			     "<field name=\"v8_int16\" type=\"v8i16\"/>\n"
			     "<field name=\"v4_int32\" type=\"v4i32\"/>\n"
			     "<field name=\"v2_int64\" type=\"v2i64\"/>\n"
			     "<field name=\"uint128\" type=\"uint128\"/>\n"
			     "</union>\n";

const struct xml_type arch_xml_types[REG_NTYPES] = {
	[REG_INT] = { "int" },
	[REG_UINT] = { "uint" },
	[REG_CODE_PTR] = { "code_ptr" },
	[REG_DATA_PTR] = { "data_ptr" },
	[REG_I387] = { "i387_ext" },
	[REG_UINT128] = { "uint128" },
	[REG_VEC128] = { "vec128", .xml = vec128 },
	[REG_FLAGS] = { "i386_eflags", .flags = eflags },
	[REG_MXCSR] = { "i386_mxcsr", .flags = mxcsr },
	[REG_X86_CR0] = { "x86_cr0", .flags = cr0 },
	[REG_X86_CR3] = { "x86_cr3", .flags = cr3 },
	[REG_X86_CR4] = { "x86_cr4", .flags = cr4 },
	[REG_X86_EFER] = { "x86_efer", .flags = efer },
	[REG_X86_DR6] = { "x86_dr6", .flags = dr6 },
	[REG_X86_DR7] = { "x86_dr7", .flags = dr7 },
	[REG_X86_SEG_ATTR] = { "x86_seg_attr", .flags = seg_attr },
	[REG_ARM64_V] = { "aarch64v", .add = arm64_add_vector },
	[REG_ARM64_Z] = { "svev", .add = arm64_add_vector, .vector = true },
	[REG_ARM64_P] = { "svep", .add = arm64_add_predicate, .vector = true },
	[REG_ARM64_CPSR] = { "cpsr_flags", .flags = arm64_cpsr },
	[REG_ARM64_SPSR] = { "spsr_flags", .flags = arm64_cpsr }, // of another size: another type
	[REG_ARM64_FPSR] = { "fpsr_flags", .flags = arm64_fpsr },
	[REG_ARM64_FPCR] = { "fpcr_flags", .flags = arm64_fpcr },
	[REG_ARM64_SCTLR] = { "sctlr_flags", .flags = arm64_sctlr },
	[REG_ARM64_TCR] = { "tcr_flags", .flags = arm64_tcr },
	[REG_ARM64_TTBR] = { "ttbr_flags", .flags = arm64_ttbr },
	[REG_ARM64_ESR] = { "esr_flags", .flags = arm64_esr },
	[REG_ARM64_MDSCR] = { "mdscr_flags", .flags = arm64_mdscr },
	[REG_ARM64_HCR] = { "hcr_flags", .flags = arm64_hcr },
	[REG_ARM64_VTCR] = { "vtcr_flags", .flags = arm64_vtcr },
	[REG_ARM64_VTTBR] = { "vttbr_flags", .flags = arm64_vttbr },
};
