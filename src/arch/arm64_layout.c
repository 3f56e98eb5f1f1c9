/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "arch/arm64.h"

#include "util/macros.h"

/*
 * GDB takes either the feature of V registers or the one of Z registers, whose size is that of the vCPU's longest
 * vector: one table for each size that there is. The rows of EL2 are the last, so that a guest without it has the same
 * table, but less of it. Names and sizes in org.gnu.gdb.aarch64.* are GDB's ("AArch64 Features" in its manual). The
 * masks for signed pointers are in the second version of that feature: the first one makes several GDBs crash, and has
 * none for kernel addresses.
 */
enum { CORE, VECTORS, PAUTH, TLS, SYSTEM, EL2, NFEATURES };

static const char *const fpu_features[NFEATURES] = {
	[CORE] = "org.gnu.gdb.aarch64.core",      [VECTORS] = "org.gnu.gdb.aarch64.fpu",
	[PAUTH] = "org.gnu.gdb.aarch64.pauth_v2", [TLS] = "org.gnu.gdb.aarch64.tls",
	[SYSTEM] = "org.gdbvm.arm64.system",      [EL2] = "org.gdbvm.arm64.el2",
};
static const char *const sve_features[NFEATURES] = {
	[CORE] = "org.gnu.gdb.aarch64.core",      [VECTORS] = "org.gnu.gdb.aarch64.sve",
	[PAUTH] = "org.gnu.gdb.aarch64.pauth_v2", [TLS] = "org.gnu.gdb.aarch64.tls",
	[SYSTEM] = "org.gdbvm.arm64.system",      [EL2] = "org.gdbvm.arm64.el2",
};

enum { FP = 29, LR = 30, SP = 31, PC = 32, CPSR = 33 };

/* "DWARF for the Arm 64-bit Architecture", "DWARF register names". */
enum { DW_X0 = 0, DW_SP = 31, DW_PC = 32, DW_VG = 46, DW_FFR = 47, DW_P0 = 48, DW_V0 = 64, DW_Z0 = 96 };

_Static_assert(sizeof(struct arm64_regs) <= UINT16_MAX, "offsets of rows");
_Static_assert(ARM64_NSYS <= UINT8_MAX, "numbers of system registers in rows");

// clang-format off
#define ROW(nm, nbits, ty, feat, grp, show, field, ...) { \
	.name = nm, .bits = nbits, .type = REG_##ty, .feature = feat, .group = ARCH_##grp, .gdb_group = show, \
	.offset = offsetof(struct arm64_regs, field), __VA_ARGS__ }
#define DWARF(n) .dwarf = (n) + 1

#define X(i) ROW("x" #i, 64, INT, CORE, CORE, "general", x[i], DWARF(DW_X0 + (i)))
#define CORE_ROWS \
	X(0), X(1), X(2), X(3), X(4), X(5), X(6), X(7), X(8), X(9), X(10), X(11), X(12), X(13), X(14), X(15), \
	X(16), X(17), X(18), X(19), X(20), X(21), X(22), X(23), X(24), X(25), X(26), X(27), X(28), \
	[FP] = X(29), [LR] = X(30), \
	[SP] = ROW("sp", 64, DATA_PTR, CORE, CORE, "general", sp, .conv = REG_ARM64_SP, DWARF(DW_SP)), \
	[PC] = ROW("pc", 64, CODE_PTR, CORE, CORE, "general", pc, DWARF(DW_PC)), \
	[CPSR] = ROW("cpsr", 32, ARM64_CPSR, CORE, CORE, "general", pstate)

#define V(i) ROW("v" #i, 128, ARM64_V, VECTORS, FP, "float", z[i], DWARF(DW_V0 + (i)))
#define FPU_ROWS \
	V(0), V(1), V(2), V(3), V(4), V(5), V(6), V(7), V(8), V(9), V(10), V(11), V(12), V(13), V(14), V(15), V(16), \
	V(17), V(18), V(19), V(20), V(21), V(22), V(23), V(24), V(25), V(26), V(27), V(28), V(29), V(30), V(31), \
	FP_CONTROL
#define FP_CONTROL \
	ROW("fpsr", 32, ARM64_FPSR, VECTORS, FP, "float", fpsr), ROW("fpcr", 32, ARM64_FPCR, VECTORS, FP, "float", fpcr)

#define Z(i, vb) ROW("z" #i, 8 * (vb), ARM64_Z, VECTORS, FP, "vector", z[i], DWARF(DW_Z0 + (i)))
#define P(i, vb) ROW("p" #i, vb, ARM64_P, VECTORS, FP, "vector", p[i], DWARF(DW_P0 + (i)))
#define SVE_ROWS(vb) \
	Z(0, vb), Z(1, vb), Z(2, vb), Z(3, vb), Z(4, vb), Z(5, vb), Z(6, vb), Z(7, vb), Z(8, vb), Z(9, vb), \
	Z(10, vb), Z(11, vb), Z(12, vb), Z(13, vb), Z(14, vb), Z(15, vb), Z(16, vb), Z(17, vb), Z(18, vb), \
	Z(19, vb), Z(20, vb), Z(21, vb), Z(22, vb), Z(23, vb), Z(24, vb), Z(25, vb), Z(26, vb), Z(27, vb), \
	Z(28, vb), Z(29, vb), Z(30, vb), Z(31, vb), FP_CONTROL, \
	P(0, vb), P(1, vb), P(2, vb), P(3, vb), P(4, vb), P(5, vb), P(6, vb), P(7, vb), P(8, vb), P(9, vb), \
	P(10, vb), P(11, vb), P(12, vb), P(13, vb), P(14, vb), P(15, vb), \
	ROW("ffr", vb, ARM64_P, VECTORS, FP, "vector", ffr, DWARF(DW_FFR)), \
	ROW("vg", 64, INT, VECTORS, FP, "vector", vl, .conv = REG_ARM64_VG, .read_only = true, DWARF(DW_VG))

#define PAUTH_ROW(nm, what) ROW(nm, 64, INT, PAUTH, SYS, "system", x, \
	.conv = REG_ARM64_PAUTH, .which = ARM64_PAUTH_##what, .read_only = true)
#define PAUTH_ROWS \
	PAUTH_ROW("pauth_dmask", DATA), PAUTH_ROW("pauth_cmask", CODE), \
	PAUTH_ROW("pauth_dmask_high", DATA_HIGH), PAUTH_ROW("pauth_cmask_high", CODE_HIGH)
#define TLS_ROWS ROW("tpidr", 64, DATA_PTR, TLS, MSR, "general", sys[ARM64_TPIDR_EL0], \
	.conv = REG_ARM64_SYS, .which = ARM64_TPIDR_EL0)

#define BANKED_SP(nm, feat) \
	ROW(#nm, 64, DATA_PTR, feat, CORE, "system", sp[ARM64_##nm], .conv = REG_ARM64_BANKED_SP, .which = ARM64_##nm)
#define SYS_ROW(nm, feat, grp, ro, ty) ROW(#nm, 64, ty, feat, grp, "system", sys[ARM64_##nm], \
	.conv = REG_ARM64_SYS, .which = ARM64_##nm, .read_only = ro),
#define EL1_ROW(nm, op0, op1, crn, crm, op2, grp, ro, ty) SYS_ROW(nm, SYSTEM, grp, ro, ty)
#define EL2_ROW(nm, op0, op1, crn, crm, op2, grp, ro, ty) SYS_ROW(nm, EL2, grp, ro, ty)
#define DEBUG_ROW(nm, field, n, i) ROW(#nm #i "_EL1", 64, UINT, SYSTEM, DEBUG, "system", field[i], \
	.conv = REG_ARM64_DEBUG, .which = n)
#define BP(i) DEBUG_ROW(DBGBVR, dbgbvr, i, i), DEBUG_ROW(DBGBCR, dbgbcr, i, i)
#define WP(i) DEBUG_ROW(DBGWVR, dbgwvr, ARM64_MAX_DEBUG + (i), i), DEBUG_ROW(DBGWCR, dbgwcr, ARM64_MAX_DEBUG + (i), i)
/* Of those that nearly every processor has: more would be rows of nothing. */
#define DEBUG_ROWS BP(0), BP(1), BP(2), BP(3), BP(4), BP(5), WP(0), WP(1), WP(2), WP(3)

#define TABLE(vectors) { \
	CORE_ROWS, vectors, PAUTH_ROWS, TLS_ROWS, \
	BANKED_SP(SP_EL0, SYSTEM), BANKED_SP(SP_EL1, SYSTEM), ARM64_EL1_LIST(EL1_ROW) DEBUG_ROWS, \
	BANKED_SP(SP_EL2, EL2), ARM64_EL2_LIST(EL2_ROW) }

#define COUNT(...) +1
enum { NEL2_ROWS = 1 ARM64_EL2_LIST(COUNT) };

static const struct reg_desc fpu_rows[] = TABLE(FPU_ROWS);
static const struct reg_desc sve16_rows[] = TABLE(SVE_ROWS(16));
static const struct reg_desc sve32_rows[] = TABLE(SVE_ROWS(32));
static const struct reg_desc sve64_rows[] = TABLE(SVE_ROWS(64));
static const struct reg_desc sve128_rows[] = TABLE(SVE_ROWS(128));
static const struct reg_desc sve256_rows[] = TABLE(SVE_ROWS(256));

/*
 * LLDB has no V registers unless it is told which parts of which others they are; names and attributes are those of its
 * own server. GDB knows by itself, and would take these for registers that can be read.
 */
#define PART(i, z, dw) \
	"<reg name=\"v" #i "\" bitsize=\"128\" type=\"uint128\" encoding=\"vector\" format=\"vector-uint8\" " \
	"regnum=\"10" #z "\" group=\"float\" value_regnums=\"" #z "\" invalidate_regnums=\"" #z "\" " \
	"dwarf_regnum=\"" #dw "\" ehframe_regnum=\"" #dw "\"/>\n"
#define V_OF_Z \
	"<feature name=\"org.gdbvm.arm64.parts\">\n" \
	PART(0, 34, 64) PART(1, 35, 65) PART(2, 36, 66) PART(3, 37, 67) PART(4, 38, 68) PART(5, 39, 69) \
	PART(6, 40, 70) PART(7, 41, 71) PART(8, 42, 72) PART(9, 43, 73) PART(10, 44, 74) PART(11, 45, 75) \
	PART(12, 46, 76) PART(13, 47, 77) PART(14, 48, 78) PART(15, 49, 79) PART(16, 50, 80) PART(17, 51, 81) \
	PART(18, 52, 82) PART(19, 53, 83) PART(20, 54, 84) PART(21, 55, 85) PART(22, 56, 86) PART(23, 57, 87) \
	PART(24, 58, 88) PART(25, 59, 89) PART(26, 60, 90) PART(27, 61, 91) PART(28, 62, 92) PART(29, 63, 93) \
	PART(30, 64, 94) PART(31, 65, 95) \
	"</feature>\n"

#define LAYOUT(feat, nfeat, rows, n, ...) { \
	.gdb_name = "aarch64", .triple = "aarch64-unknown-unknown", .features = feat, .nfeatures = nfeat, \
	.regs = rows, .nregs = n, .pc = PC, .sp = SP, .fp = FP, .lr = LR, .flags = CPSR, .addr_bits = 64, \
	__VA_ARGS__ }
#define PAIR(feat, rows) { LAYOUT(feat, EL2, rows, ARRAY_LEN(rows) - NEL2_ROWS, .parts = NULL), \
	LAYOUT(feat, NFEATURES, rows, ARRAY_LEN(rows), .parts = NULL) }
#define FOR_LLDB(i, feat, rows) { \
	LAYOUT(feat, EL2, rows, ARRAY_LEN(rows) - NEL2_ROWS, .parts = V_OF_Z, .gdb = &for_gdb[i][0]), \
	LAYOUT(feat, NFEATURES, rows, ARRAY_LEN(rows), .parts = V_OF_Z, .gdb = &for_gdb[i][1]) }

/* Shortest vectors first; without EL2 and with it. */
static const struct arch_layout for_gdb[][2] = {
	PAIR(fpu_features, fpu_rows),   PAIR(sve_features, sve16_rows),  PAIR(sve_features, sve32_rows),
	PAIR(sve_features, sve64_rows), PAIR(sve_features, sve128_rows), PAIR(sve_features, sve256_rows),
};
static const struct arch_layout sve_for_lldb[][2] = {
	FOR_LLDB(1, sve_features, sve16_rows), FOR_LLDB(2, sve_features, sve32_rows),
	FOR_LLDB(3, sve_features, sve64_rows), FOR_LLDB(4, sve_features, sve128_rows),
	FOR_LLDB(5, sve_features, sve256_rows),
};
// clang-format on

const struct arch_layout *arch_layout_arm64(uint32_t vl, bool el2)
{
	for (unsigned i = 0; i < ARRAY_LEN(sve_for_lldb); i++)
		if (vl == 16u << i)
			return &sve_for_lldb[i][el2];
	return &for_gdb[0][el2];
}

const struct arch_layout *arm64_layout(const struct arch_regs *r)
{
	return arch_layout_arm64(r->arm64.vl, arm64_sys_has(&r->arm64, ARM64_HCR_EL2));
}
