/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "arch/arm64_decode.h"
#include "arch/arm64_fault.h"
#include "arch/arm64_sysname.h"
#include "test.h"
#include "util/macros.h"

static struct strbuf out;

static const char *brief(uint64_t esr)
{
	strbuf_reset(&out);
	arm64_esr_brief(esr, &out);
	return strbuf_str(&out);
}

static const char *text(uint64_t esr)
{
	strbuf_reset(&out);
	arm64_esr_text("ESR_EL1", esr, &out);
	return strbuf_str(&out);
}

struct line {
	uint64_t esr;
	const char *brief;
};

static void check_lines(const struct line *l, size_t n)
{
	for (size_t i = 0; i < n; i++)
		CHECK_STR(brief(l[i].esr), l[i].brief);
	strbuf_deinit(&out);
}

#define CHECK_LINES(...)                                             \
	do {                                                         \
		static const struct line lines_[] = { __VA_ARGS__ }; \
		check_lines(lines_, ARRAY_LEN(lines_));              \
	} while (0)

#define CHECK_HAS(text, part)                                         \
	do {                                                          \
		const char *text_ = (text);                           \
		if (!strstr(text_, part))                             \
			fail_msg("'%s' is not in:\n%s", part, text_); \
	} while (0)

#define CHECK_HAS_NOT(text, part)                                 \
	do {                                                      \
		const char *text_ = (text);                       \
		if (strstr(text_, part))                          \
			fail_msg("'%s' is in:\n%s", part, text_); \
	} while (0)

/* As in the Oops reports of Linux. */
TEST(aborts_of_a_kernel_in_one_line)
{
	CHECK_LINES(
		{ 0x96000004, "data abort from the same EL: translation fault, level 0, read" },
		{ 0x96000045, "data abort from the same EL: translation fault, level 1, write" },
		{ 0x9600004f, "data abort from the same EL: permission fault, level 3, write" },
		{ 0x96000021, "data abort from the same EL: alignment fault, read" },
		{ 0x96000210, "data abort from the same EL: synchronous external abort, read" },
		{ 0x96000011, "data abort from the same EL: synchronous tag check fault, read" },
		{ 0x96000147,
		  "data abort from the same EL: translation fault, level 3, cache maintenance or address translation" },
		{ 0x86000004, "instruction abort from the same EL: translation fault, level 0" },
		{ 0x8600000f, "instruction abort from the same EL: permission fault, level 3" },
		{ 0x8200000b, "instruction abort from a lower EL: access flag fault, level 3" },
		{ 0x92000047, "data abort from a lower EL: translation fault, level 3, write" });
}

TEST(fault_levels_go_below_zero)
{
	CHECK_LINES({ 0x9600002b, "data abort from the same EL: translation fault, level -1, read" },
		    { 0x96000029, "data abort from the same EL: address size fault, level -1, read" },
		    { 0x9600002a, "data abort from the same EL: translation fault, level -2, read" },
		    { 0x96000013,
		      "data abort from the same EL: synchronous external abort on a table walk, level -1, read" },
		    { 0x96000023,
		      "data abort from the same EL: granule protection fault on a table walk, level -1, read" });
	CHECK_EQ(arm64_fault_of(0x2b).level, -1);
	CHECK_EQ(arm64_fault_of(0x10).level, ARM64_NO_LEVEL);
	CHECK_EQ(arm64_fault_of(0x3f).kind, ARM64_FAULT_RESERVED);
	CHECK_EQ(arm64_fault_of(0x3f).level, ARM64_NO_LEVEL);
}

TEST(mmio_of_a_guest_names_size_and_register)
{
	CHECK_LINES(
		{ 0x93010046, "data abort from a lower EL: translation fault, level 2, write of 1 byte from w1" },
		{ 0x93c08006, "data abort from a lower EL: translation fault, level 2, read of 8 bytes to x0" },
		{ 0x939f0047, "data abort from a lower EL: translation fault, level 3, write of 4 bytes from wzr" },
		{ 0x92000086,
		  "data abort from a lower EL: translation fault, level 2 of stage 2, on a stage 1 table walk, read" });
}

TEST(every_field_of_a_data_abort_has_a_line)
{
	CHECK_STR(
		text(0x93a98046),
		"ESR_EL1 0x93a98046: data abort from a lower EL: translation fault, level 2, write of 4 bytes from x9\n"
		"  EC           31:26  0x24      data abort from a lower EL\n"
		"  IL           25     1         32-bit instruction\n"
		"  ISV          24     1         SAS, SSE, SRT, SF and AR are valid\n"
		"  SAS          23:22  0x2       word\n"
		"  SSE          21     1         sign extended\n"
		"  SRT          20:16  0x9       x9\n"
		"  SF           15     1         64-bit register\n"
		"  AR           14     0         no acquire or release\n"
		"  VNCR         13     0\n"
		"  FnV          10     0         FAR is valid\n"
		"  EA           9      0\n"
		"  CM           8      0         no cache maintenance\n"
		"  S1PTW        7      0         not on a stage 1 table walk\n"
		"  WnR          6      1         write\n"
		"  DFSC         5:0    0x6       translation fault, level 2\n");
	strbuf_deinit(&out);
}

TEST(fields_that_are_not_valid_are_not_shown)
{
	const char *t = text(0x96000046); // ISV clear

	CHECK_HAS(t, "ISV          24     0         size and register are not given\n");
	CHECK_HAS(t, "IL           25     1         always 1 here\n");
	CHECK_HAS_NOT(t, "SRT");
	CHECK_HAS_NOT(t, "SET");
	CHECK_HAS(text(0x96001610), "SET          12:11  0x2       uncontainable (UC)\n");
	CHECK_HAS(text(0x96001610), "FnV          10     1         FAR is not valid\n");
	CHECK_HAS(text(0x96000610), "SET          12:11  0x0       recoverable (UER)\n");
	CHECK_HAS(text(0xce000022), "EX is not valid");
	CHECK_HAS_NOT(text(0xce000062), "load-exclusive");
	strbuf_deinit(&out);
}

TEST(syndromes_of_younger_features_show_up_when_they_are_there)
{
	const char *t = text(0x409600004f);

	CHECK_HAS(t, "Overlay      38     1         caused by overlay permissions\n");
	CHECK_HAS_NOT(t, "DirtyBit");
	CHECK_HAS(text(0x96002046), "VNCR         13     1         EL1 code used memory through VNCR_EL2\n");
	strbuf_deinit(&out);
}

TEST(bits_of_no_known_field_are_named)
{
	CHECK_HAS(text(0x02000001), "other bits set, of no field known here: 0x1\n");
	CHECK_HAS(text(0x8000000056000000), "other bits set, of no field known here: 0x8000000000000000\n");
	CHECK_HAS_NOT(text(0x56000000), "other bits");
	CHECK_HAS(text(0x0a000005), "reserved exception class");
	CHECK_HAS(text(0x0a000005), "other bits set, of no field known here: 0x5\n");
	strbuf_deinit(&out);
}

#define SYS "trapped MSR, MRS or System instruction: "

TEST(a_register_that_no_exception_has_set_is_told)
{
	CHECK_STR(text(0), "ESR_EL1 0: no exception so far\n"
			   "  EC           31:26  0x0       unknown reason\n"
			   "  IL           25     0         an exception would set it here\n");
	CHECK_STR(brief(0x02000000), "unknown reason");
	strbuf_deinit(&out);
}

TEST(trapped_system_registers_read_as_the_instruction)
{
	CHECK_LINES({ 0x623a3016, SYS "MSR ICC_SGI1R_EL1, x0" }, { 0x62303079, SYS "MRS x3, ICC_IAR1_EL1" },
		    { 0x62320401, SYS "MRS x0, ACTLR_EL1" }, { 0x6230e439, SYS "MRS x1, PMCR_EL0" },
		    { 0x622807e0, SYS "MSR OSLAR_EL1, xzr" }, { 0x62303c85, SYS "MRS x4, S3_0_C15_C2_0" },
		    { 0x52300841, "trapped MSRR, MRRS or 128-bit System instruction: MRRS x2, x3, TTBR0_EL1" });
}

TEST(numbered_system_registers_have_names)
{
	CHECK_LINES({ 0x623cf8b6, SYS "MSR PMEVCNTR30_EL0, x5" }, { 0x62280049, SYS "MRS x2, DBGBVR4_EL1" },
		    { 0x622e005e, SYS "MSR DBGWCR15_EL1, x2" }, { 0x6236f409, SYS "MRS x0, AMEVCNTR03_EL0" });
}

TEST(trapped_system_instructions_read_as_the_instruction)
{
	CHECK_LINES({ 0x62141c7c, SYS "DC CISW, x3" }, { 0x62101fea, SYS "IC IALLU" },
		    { 0x621023e6, SYS "TLBI VMALLE1IS" }, { 0x6212ec40, SYS "SYS #3, C11, C0, #1, x2" },
		    { 0x6212ec41, SYS "SYSL x2, #3, C11, C0, #1" }, { 0x620cd3e4, SYS "MSR DAIFSet, #2" },
		    { 0x620c17e4, SYS "op0 0, op1 0, CRn 5, CRm 2, op2 6" });
}

TEST(a_trapped_register_has_the_name_that_assemblers_take)
{
	CHECK_HAS(text(0x62303079), "Op0          21:20  0x3       S3_0_C12_C12_0 is ICC_IAR1_EL1\n");
	CHECK_HAS(text(0x62303079), "Rt           9:5    0x3       x3\n");
	CHECK_HAS(text(0x62303079), "Direction    0      1         read (MRS)\n");
	CHECK_HAS(text(0x62303c85), "S3_0_C15_C2_0 is not known here\n");
	strbuf_deinit(&out);
}

TEST(accesses_from_aarch32_read_as_the_instruction)
{
	CHECK_LINES({ 0x0fe00461, "trapped MCR or MRC to coprocessor 15 (AArch32): MRC p15, 0, x3, c1, c0, 0" },
		    { 0x17e0004a, "trapped MCR or MRC to coprocessor 14 (AArch32): MCR p14, 0, x2, c0, c5, 0" },
		    { 0x23e1dc21, "trapped VMRS (AArch32): VMRS x1, MVFR0" },
		    { 0x13e00c5d, "trapped MCRR or MRRC to coprocessor 15 (AArch32): MRRC p15, 0, x2, x3, c14" },
		    { 0x33e00c44, "trapped MCRR or MRRC to coprocessor 14 (AArch32): MCRR p14, 0, x2, x3, c2" },
		    { 0x1be04031, "trapped LDC or STC (AArch32): LDC p14, c5" },
		    { 0x1be043fc, "trapped LDC or STC (AArch32): STC p14, c5" });
	CHECK_HAS(text(0x1be04031), "Rn           9:5    0x1       x1\n");
	CHECK_HAS_NOT(text(0x1be043fc), "Rn");
	CHECK_HAS(text(0x1be043fc), "AM           3:1    0x6       literal, offset\n");
	CHECK_HAS(text(0x0f000461), "COND         23:20  0x0       EQ\n");
	strbuf_deinit(&out);
}

TEST(waits_calls_and_breakpoint_instructions)
{
	CHECK_LINES({ 0x07e00000, "trapped WFI, WFE, WFIT or WFET: WFI" },
		    { 0x07e00001, "trapped WFI, WFE, WFIT or WFET: WFE" },
		    { 0x07e000a6, "trapped WFI, WFE, WFIT or WFET: WFIT x5" }, { 0x56000000, "SVC #0" },
		    { 0x5a00ea11, "HVC #0xea11" }, { 0x5e000000, "SMC #0" }, { 0x46000000, "SVC (AArch32) #0" },
		    { 0x4fe00000, "SMC (AArch32)" }, { 0xf2000800, "BRK #0x800" }, { 0xe2000000, "BKPT (AArch32) #0" });
	CHECK_HAS(text(0x07e00001), "COND         23:20  0xe       AL\n");
	CHECK_HAS(text(0xf2000800), "Comment      15:0   0x800     in Linux: BUG or WARN\n");
	CHECK_HAS(text(0xf2000004), "in Linux: kprobe\n");
	CHECK_HAS(text(0xf2005512), "in Linux: UBSAN\n");
	CHECK_HAS(text(0xf2001234), "Comment      15:0   0x1234\n");
	strbuf_deinit(&out);
}

TEST(floating_point_and_vectors)
{
	CHECK_LINES({ 0x1fe00000, "trapped access to SVE, Advanced SIMD or floating point" },
		    { 0x66000000, "trapped access to SVE" },
		    { 0x76000002, "trapped access to SME: instruction that needs Streaming SVE mode (PSTATE.SM is 0)" },
		    { 0xb2800011, "floating-point exception: inexact, invalid operation" },
		    { 0xb2000011, "floating-point exception" });
	CHECK_HAS_NOT(text(0xb2000011), "IXF");
	strbuf_deinit(&out);
}

TEST(control_flow_checks)
{
	CHECK_LINES({ 0x36000002, "branch target exception: BTYPE 2" },
		    { 0x72000003, "pointer authentication failure: key DB" },
		    { 0x72000000, "pointer authentication failure: key IA" },
		    { 0x26000000, "trapped pointer authentication instruction" },
		    { 0x6a000000, "trapped exception return: ERET" },
		    { 0x6a000003, "trapped exception return: ERETAB" }, { 0x3a000000, "illegal Execution state" },
		    { 0x8a000000, "pc alignment fault" }, { 0x9a000000, "sp alignment fault" },
		    { 0x02000000, "unknown reason" });
}

TEST(debug_exceptions)
{
	CHECK_LINES({ 0xc2000022, "breakpoint from a lower EL" }, { 0xc6000022, "breakpoint from the same EL" },
		    { 0xce000022, "software step from the same EL" },
		    { 0xcb000062, "software step from a lower EL: of a load-exclusive" },
		    { 0xd6000062, "watchpoint from the same EL: write" },
		    { 0xd2000022, "watchpoint from a lower EL: read" }, { 0xea000022, "vector catch (AArch32)" });
	CHECK_HAS(text(0xd2000062), "DFSC         5:0    0x22      debug exception\n");
	CHECK_HAS(text(0xd20a0062), "WPT          23:18  0x2\n");
	strbuf_deinit(&out);
}

TEST(serrors)
{
	CHECK_LINES({ 0xbf000002, "SError: implementation defined syndrome" }, { 0xbe000000, "SError: uncategorized" },
		    { 0xbe000011, "SError: uncontainable (UC)" }, { 0xbe000c11, "SError: recoverable (UER)" },
		    { 0xbe001011, "SError: reserved error type" });
	CHECK_HAS(text(0xbf000002), "ISS          23:0   0x2\n");
	CHECK_HAS_NOT(text(0xbf000002), "DFSC");
	CHECK_HAS_NOT(text(0xbe000000), "AET");
	CHECK_HAS(text(0xbe000c11), "AET          12:10  0x3       recoverable (UER)\n");
	strbuf_deinit(&out);
}

TEST(granule_protection_and_younger_instructions)
{
	CHECK_LINES({ 0x7a034028, "granule protection check: granule protection fault, level 1" },
		    { 0x2a000002, "trapped instruction that has no class of its own" },
		    { 0x9e1c8c41, "memory copy or set" }, { 0xb6200822, "guarded control stack" });
	CHECK_HAS(text(0x2a000002), "LD64B or ST64B\n");
	CHECK_HAS(text(0x9e1c8c41), "destreg      14:10  0x3       x3\n");
	CHECK_HAS(text(0xb6200822), "Rvalue       9:5    0x1       x1\n");
	strbuf_deinit(&out);
}

/* ESR_EL2 of QEMU's processor, each for the guest's instruction that is named here. */
TEST(syndromes_that_a_processor_made_name_the_instruction)
{
	CHECK_LINES({ 0x93698005,
		      "data abort from a lower EL: translation fault, level 1, read of 2 bytes to x9" }, // ldrsh x9
		    { 0x92000005, "data abort from a lower EL: translation fault, level 1, read" },      // ldp
		    { 0x9380004d, "data abort from a lower EL: permission fault, level 1, write of 4 bytes from w0" },
		    { 0x82000005, "instruction abort from a lower EL: translation fault, level 1" },
		    { 0x5e000007, "SMC #0x7" }, { 0x623000ef, SYS "MRS x7, ID_AA64MMFR0_EL1" },
		    { 0x62320480, SYS "MSR ACTLR_EL1, x4" }, { 0x623008c0, SYS "MSR TTBR0_EL1, x6" });
	CHECK_HAS(text(0x93698005), "SSE          21     1         sign extended\n");
	strbuf_deinit(&out);
}

static const char *name_of(unsigned op0, unsigned op1, unsigned crn, unsigned crm, unsigned op2)
{
	strbuf_reset(&out);
	return arm64_sysname_text(arm64_sys_encoding(op0, op1, crn, crm, op2), &out) ? strbuf_str(&out) : NULL;
}

TEST(names_of_system_registers)
{
	CHECK_STR(name_of(3, 0, 1, 0, 0), "SCTLR_EL1");
	CHECK_STR(name_of(3, 5, 1, 0, 0), "SCTLR_EL12");
	CHECK_STR(name_of(3, 0, 12, 9, 3), "ICC_AP1R3_EL1");
	CHECK_STR(name_of(3, 4, 12, 13, 7), "ICH_LR15_EL2");
	CHECK_STR(name_of(3, 3, 14, 15, 7), "PMCCFILTR_EL0");
	CHECK_STR(name_of(3, 3, 14, 12, 0), "PMEVTYPER0_EL0");
	CHECK_STR(name_of(2, 0, 0, 15, 7), "DBGWCR15_EL1");
	CHECK_STR(name_of(1, 3, 7, 4, 1), "DC ZVA");
	CHECK(!name_of(3, 7, 15, 15, 7));
	CHECK_EQ(out.len, 0);
	strbuf_deinit(&out);
}

TESTS(T(aborts_of_a_kernel_in_one_line), T(fault_levels_go_below_zero), T(mmio_of_a_guest_names_size_and_register),
      T(every_field_of_a_data_abort_has_a_line), T(fields_that_are_not_valid_are_not_shown),
      T(syndromes_of_younger_features_show_up_when_they_are_there), T(bits_of_no_known_field_are_named),
      T(a_register_that_no_exception_has_set_is_told), T(trapped_system_registers_read_as_the_instruction),
      T(numbered_system_registers_have_names), T(trapped_system_instructions_read_as_the_instruction),
      T(a_trapped_register_has_the_name_that_assemblers_take), T(accesses_from_aarch32_read_as_the_instruction),
      T(waits_calls_and_breakpoint_instructions), T(floating_point_and_vectors), T(control_flow_checks),
      T(debug_exceptions), T(serrors), T(granule_protection_and_younger_instructions),
      T(syndromes_that_a_processor_made_name_the_instruction), T(names_of_system_registers))
