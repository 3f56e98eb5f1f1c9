/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "arch/arm64_step.h"

#include "arch/arm64_regs.h"
#include "test.h"
#include "util/macros.h"

static struct arm64_insn decode(uint32_t code)
{
	struct arm64_insn insn;

	arm64_insn_decode(code, &insn);
	return insn;
}

TEST(instructions_that_a_step_must_know_are_found)
{
	static const struct {
		uint32_t code;
		enum arm64_insn_kind kind;
		bool timed;
	} cases[] = {
		{ 0xd503201f, ARM64_INSN_PLAIN, false },      // nop
		{ 0x8b020020, ARM64_INSN_PLAIN, false },      // add x0, x1, x2
		{ 0xf9400020, ARM64_INSN_PLAIN, false },      // ldr x0, [x1]
		{ 0xd5033fdf, ARM64_INSN_PLAIN, false },      // isb
		{ 0xd503205f, ARM64_INSN_PLAIN, true },       // wfe
		{ 0xd503207f, ARM64_INSN_WFI, true },         // wfi
		{ 0xd5031023, ARM64_INSN_WFI, true },         // wfit x3
		{ 0xd53b4220, ARM64_INSN_DAIF_GET, false },   // mrs x0, daif
		{ 0xd51b4225, ARM64_INSN_DAIF_PUT, false },   // msr daif, x5
		{ 0xd50342df, ARM64_INSN_DAIF_SET, false },   // msr daifset, #2
		{ 0xd50347ff, ARM64_INSN_DAIF_CLR, false },   // msr daifclr, #7
		{ 0xd53be040, ARM64_INSN_SYSTEM, true },      // mrs x0, cntvct_el0
		{ 0xd51be340, ARM64_INSN_SYSTEM, true },      // msr cntv_cval_el0, x0
		{ 0xd538cc00, ARM64_INSN_SYSTEM, true },      // mrs x0, icc_iar1_el1
		{ 0xd5182000, ARM64_INSN_SYSTEM, false },     // msr ttbr0_el1, x0
		{ 0xd538d080, ARM64_INSN_SYSTEM, false },     // mrs x0, tpidr_el1
		{ 0xd508871f, ARM64_INSN_SYSTEM, false },     // tlbi vmalle1
		{ 0xd4000001, ARM64_INSN_CALL, false },       // svc #0
		{ 0xd4000002, ARM64_INSN_CALL, true },        // hvc #0
		{ 0xd4000003, ARM64_INSN_CALL, true },        // smc #0
		{ 0xd4210000, ARM64_INSN_BRK, false },        // brk #0x800
		{ 0xd4400000, ARM64_INSN_SYSTEM, true },      // hlt #0
		{ 0xd69f03e0, ARM64_INSN_ERET, false },       // eret
		{ 0xd69f0bff, ARM64_INSN_ERET, false },       // eretaa
		{ 0xd69f0fff, ARM64_INSN_ERET, false },       // eretab
		{ 0xd65f03c0, ARM64_INSN_PLAIN, false },      // ret
		{ 0x885f7c01, ARM64_INSN_LOAD_EXCL, false },  // ldxr w1, [x0]
		{ 0x085ffc01, ARM64_INSN_LOAD_EXCL, false },  // ldaxrb w1, [x0]
		{ 0xc87f0801, ARM64_INSN_LOAD_EXCL, false },  // ldxp x1, x2, [x0]
		{ 0x88037c01, ARM64_INSN_STORE_EXCL, false }, // stxr w3, w1, [x0]
		{ 0xc8238801, ARM64_INSN_STORE_EXCL, false }, // stlxp w3, x1, x2, [x0]
		{ 0x88dffc01, ARM64_INSN_PLAIN, false },      // ldar w1, [x0]
		{ 0x889ffc01, ARM64_INSN_PLAIN, false },      // stlr w1, [x0]
		{ 0x88a07c41, ARM64_INSN_PLAIN, false },      // cas w0, w1, [x2]
		{ 0x08207c82, ARM64_INSN_PLAIN, false },      // casp w0, w1, w2, w3, [x4]
	};

	for (unsigned i = 0; i < ARRAY_LEN(cases); i++) {
		struct arm64_insn insn = decode(cases[i].code);

		if (insn.kind != cases[i].kind || insn.timed != cases[i].timed)
			fail_msg("%08x: kind %d, timed %d", cases[i].code, insn.kind, insn.timed);
	}
}

TEST(operands_of_daif_instructions_are_in_the_layout_of_pstate)
{
	CHECK_EQ(decode(0xd50342df).mask, ARM64_PSTATE_I);
	CHECK_EQ(decode(0xd5034fff).mask, ARM64_PSTATE_DAIF);
	CHECK_EQ(decode(0xd51b4225).rt, 5);
	CHECK_EQ(decode(0xd4210000).imm, 0x800);
}

TEST(a_sequence_ends_behind_its_store)
{
	/* ldxr w1, [x0]; add w1, w1, #1; stxr w2, w1, [x0]; cbnz w2, load */
	static const uint32_t code[] = { 0x885f7c01, 0x11000421, 0x88027c01, 0x35ffffa2 };
	struct arm64_excl x;

	CHECK(arm64_excl_find(code, ARRAY_LEN(code), 0x1000, &x));
	CHECK_EQ(x.end, 0x100c);
	CHECK_EQ(x.nexits, 1);
	CHECK_EQ(x.exits[0], 0x100c);
	CHECK(!arm64_excl_find(code, 2, 0x1000, &x));
}

TEST(branches_out_of_a_sequence_are_exits)
{
	/* ldxr w1, [x0]; cbnz w1, +28; tbz w1, #0, -12; b.eq +8 (the store); b.ne load; stxr w2, w1, [x0] */
	static const uint32_t code[] = { 0x885f7c01, 0x350000e1, 0x3607ffa1, 0x54000040, 0x54ffff81, 0x88027c01 };
	struct arm64_excl x;

	CHECK(arm64_excl_find(code, ARRAY_LEN(code), 0x1000, &x));
	CHECK_EQ(x.nexits, 3);
	CHECK_EQ(x.exits[0], 0x1018);
	CHECK_EQ(x.exits[1], 0x1004 + 28);
	CHECK_EQ(x.exits[2], 0x1008 - 12);
	CHECK_EQ(x.nbacks, 1);
	CHECK_EQ(x.backs[0], 0x1010);
}

TEST(a_sequence_that_waits_for_another_processor_is_left_at_its_branch_back)
{
	/* load: ldaxr w1, [x0]; cbnz w1, load; stxr w2, w1, [x0] */
	static const uint32_t lock[] = { 0x885ffc01, 0x35ffffe1, 0x88027c01 };
	/* load: ldaxr w1, [x0]; nop; tbnz w1, #0, nop; stxr w2, w1, [x0] */
	static const uint32_t inner[] = { 0x885ffc01, 0xd503201f, 0x3707ffe1, 0x88027c01 };
	/* load: ldaxr w1, [x0]; ldr x3, [x4]; cbnz w1, load; stxr w2, w1, [x0] */
	static const uint32_t loads[] = { 0x885ffc01, 0xf9400083, 0x35ffffc1, 0x88027c01 };
	struct arm64_excl x;

	CHECK(arm64_excl_find(lock, ARRAY_LEN(lock), 0x1000, &x));
	CHECK_EQ(x.nexits, 1);
	CHECK_EQ(x.nbacks, 1);
	CHECK_EQ(x.backs[0], 0x1004);
	CHECK(arm64_excl_find(inner, ARRAY_LEN(inner), 0x1000, &x));
	CHECK_EQ(x.nbacks, 1);
	CHECK_EQ(x.backs[0], 0x1008);
	CHECK(!arm64_excl_find(loads, ARRAY_LEN(loads), 0x1000, &x));
}

TEST(whether_a_branch_is_taken_is_known)
{
	const uint64_t n = UINT64_C(1) << 31, z = 1 << 30, c = 1 << 29, v = 1 << 28;
	const struct {
		uint32_t code;
		uint64_t rt, pstate;
		bool taken;
	} cases[] = {
		{ 0x34ffffe1, 0, 0, true }, /* cbz w1 */
		{ 0x34ffffe1, UINT64_C(1) << 32, 0, true },
		{ 0x34ffffe1, 1, 0, false },
		{ 0xb5ffffe1, UINT64_C(1) << 32, 0, true }, /* cbnz x1 */
		{ 0xb5ffffe1, 0, 0, false },
		{ 0x3607ffe1, 2, 0, true }, /* tbz w1, #0 */
		{ 0x3607ffe1, 1, 0, false },
		{ 0xb717ffe1, UINT64_C(1) << 34, 0, true }, /* tbnz x1, #34 */
		{ 0xb717ffe1, 4, 0, false },
		{ 0x54ffffe0, 0, z, true }, /* b.eq */
		{ 0x54ffffe1, 0, z, false },
		{ 0x54ffffe3, 0, c, false }, /* b.lo */
		{ 0x54ffffe4, 0, n, true },  /* b.mi */
		{ 0x54ffffe7, 0, 0, true },  /* b.vc */
		{ 0x54ffffe8, 0, c, true },  /* b.hi */
		{ 0x54ffffe8, 0, c | z, false },
		{ 0x54ffffe9, 0, c | z, true },
		{ 0x54ffffea, 0, n | v, true }, /* b.ge */
		{ 0x54ffffeb, 0, n, true },
		{ 0x54ffffec, 0, z, false }, /* b.gt */
		{ 0x54ffffed, 0, z, true },
		{ 0x54ffffee, 0, 0, true }, /* b.al, b.nv */
		{ 0x54ffffef, 0, 0, true },
	};

	for (unsigned i = 0; i < ARRAY_LEN(cases); i++) {
		if (arm64_branch_taken(cases[i].code, cases[i].rt, cases[i].pstate) != cases[i].taken)
			fail_msg("case %u: %08x", i, cases[i].code);
	}
}

TEST(what_is_no_sequence_is_stepped_as_it_is)
{
	static const uint32_t call[] = { 0x885f7c01, 0x94000002, 0x88027c01 };
	static const uint32_t wait[] = { 0x885f7c01, 0xd503205f, 0x88027c01 };
	static const uint32_t svc[] = { 0x885f7c01, 0xd4000001, 0x88027c01 };
	static const uint32_t many[] = { 0x885f7c01, 0x35000201, 0x35000401, 0x35000801, 0x35001001, 0x88027c01 };
	struct arm64_excl x;

	CHECK(!arm64_excl_find(call, ARRAY_LEN(call), 0, &x));
	CHECK(!arm64_excl_find(wait, ARRAY_LEN(wait), 0, &x));
	CHECK(!arm64_excl_find(svc, ARRAY_LEN(svc), 0, &x));
	CHECK(!arm64_excl_find(many, ARRAY_LEN(many), 0, &x));
}

TEST(the_vector_is_chosen_by_where_the_exception_comes_from)
{
	CHECK_EQ(arm64_entry_vector(0x8007ff, 0x3c4), 0x800000);
	CHECK_EQ(arm64_entry_vector(0x800000, 0x3c5), 0x800200);
	CHECK_EQ(arm64_entry_vector(0x800000, 0x000), 0x800400);
	CHECK_EQ(arm64_entry_vector(0x800000, 0x010), 0x800600);
	CHECK_EQ(arm64_entry_vector(0x800000, 0x030), 0x800600);
}

TEST(the_handler_begins_with_everything_masked)
{
	struct arm64_entry e = { .pstate = 0x60000000 };

	CHECK_EQ(arm64_entry_pstate(&e), 0x600003c5);
	/* from EL1t with IL, SS, BTYPE, UAO, SSBS and DIT: the flags and DIT stay */
	e.pstate = 0xf0000004 | ARM64_PSTATE_IL | ARM64_PSTATE_SS | 3 << 10 | 1 << 23 | 1 << 12 | 1 << 24;
	CHECK_EQ(arm64_entry_pstate(&e), 0xf10003c5);
}

TEST(features_decide_on_the_rest_of_the_handlers_state)
{
	struct arm64_entry e = { .pstate = 0, .mmfr1_el1 = 1 << 20 };

	CHECK_EQ(arm64_entry_pstate(&e), 0x4003c5); // PAN is set on the way
	e.sctlr_el1 = 1 << 23;                      // SPAN: it stays as it is
	CHECK_EQ(arm64_entry_pstate(&e), 0x3c5);
	e.pstate = ARM64_PSTATE_PAN;
	CHECK_EQ(arm64_entry_pstate(&e), 0x4003c5);
	e.sctlr_el1 = UINT64_C(1) << 44 | 1 << 23; // DSSBS
	e.pstate = 0;
	CHECK_EQ(arm64_entry_pstate(&e), 0x3c5);
	e.pfr1_el1 = 1 << 4;
	CHECK_EQ(arm64_entry_pstate(&e), 0x13c5);
	e.pfr1_el1 = 2 << 8;
	CHECK_EQ(arm64_entry_pstate(&e), 0x20003c5);
	e.pfr1_el1 = 1 << 8; // MTE without tag checks
	CHECK_EQ(arm64_entry_pstate(&e), 0x3c5);
}

TEST(a_debug_exception_given_back_has_the_class_of_its_level)
{
	CHECK_EQ(arm64_debug_esr(0xf2000800, 5), 0xf2000800); // brk
	CHECK_EQ(arm64_debug_esr(0xd2000022, 0), 0xd2000022); // watchpoint
	CHECK_EQ(arm64_debug_esr(0xd2000022, 5), 0xd6000022);
	CHECK_EQ(arm64_debug_esr(0xc2000022, 5), 0xc6000022);
}

TEST(breakpoints_of_the_guests_own_need_to_be_enabled_where_it_is)
{
	enum { EL0 = 0, EL1 = 5, A32 = 0x10, D = ARM64_PSTATE_D, KDE = 1 << 13, MDE = 1 << 15, OSLK = 2 };
	static const struct {
		uint64_t pstate, mdscr, oslsr;
		bool enabled;
	} cases[] = {
		{ EL0, MDE, 8, true },           { EL0 | D, MDE, 8, true },        { A32, MDE, 8, true },
		{ EL0, KDE, 8, false },          { EL0, MDE | KDE, OSLK, false },  { EL1, MDE | KDE, 8, true },
		{ EL1, MDE, 8, false },          { EL1 | D, MDE | KDE, 8, false }, { EL1, KDE, 8, false },
		{ EL1, MDE | KDE, OSLK, false },
	};

	for (unsigned i = 0; i < ARRAY_LEN(cases); i++)
		CHECK_EQ(arm64_debug_enabled(cases[i].pstate, cases[i].mdscr, cases[i].oslsr), cases[i].enabled);
}

TEST(an_interrupt_that_an_instruction_has_let_in_is_known_by_its_vector)
{
	enum { EL1H = 5, IN_HANDLER = 0x3c5 };
	const struct arm64_insn clear = decode(0xd50342ff), set = decode(0xd50342df); // msr daifclr, daifset, #2
	static const struct {
		uint64_t before;
		struct arm64_stepped to;
		bool taken;
	} cases[] = {
		{ EL1H, { 0x8280, IN_HANDLER, 0x1004, 0x8000 }, true },
		{ EL1H, { 0x8300, IN_HANDLER, 0x1004, 0x8000 }, true },
		{ EL1H, { 0x8380, IN_HANDLER, 0x1004, 0x8000 }, true },
		{ 4, { 0x8080, IN_HANDLER, 0x1004, 0x8000 }, true },
		{ 0, { 0x8480, IN_HANDLER, 0x1004, 0x8000 }, true },       /* EL0 may have been given the instruction */
		{ EL1H, { 0x1004, EL1H | 0x140, 0x1004, 0x8000 }, false }, /* no exception */
		{ EL1H, { 0x8280, EL1H | 0x140, 0x1004, 0x8000 }, false }, /* the vector is what comes next */
		{ EL1H, { 0x8200, IN_HANDLER, 0x1004, 0x8000 }, false },   /* of a synchronous exception */
		{ EL1H, { 0x8480, IN_HANDLER, 0x1004, 0x8000 }, false },   /* from another level */
		{ EL1H, { 0x8284, IN_HANDLER, 0x1004, 0x8000 }, false },
		{ EL1H, { 0x8280, IN_HANDLER, 0x1000, 0x8000 }, false },
	};

	for (unsigned i = 0; i < ARRAY_LEN(cases); i++) {
		CHECK_EQ(arm64_unmask_interrupted(&clear, 0x1000, cases[i].before, &cases[i].to), cases[i].taken);
		CHECK(!arm64_unmask_interrupted(&set, 0x1000, cases[i].before, &cases[i].to));
	}
}

TESTS(T(instructions_that_a_step_must_know_are_found), T(operands_of_daif_instructions_are_in_the_layout_of_pstate),
      T(a_sequence_ends_behind_its_store), T(branches_out_of_a_sequence_are_exits),
      T(a_sequence_that_waits_for_another_processor_is_left_at_its_branch_back), T(whether_a_branch_is_taken_is_known),
      T(what_is_no_sequence_is_stepped_as_it_is), T(the_vector_is_chosen_by_where_the_exception_comes_from),
      T(the_handler_begins_with_everything_masked), T(features_decide_on_the_rest_of_the_handlers_state),
      T(an_interrupt_that_an_instruction_has_let_in_is_known_by_its_vector),
      T(a_debug_exception_given_back_has_the_class_of_its_level),
      T(breakpoints_of_the_guests_own_need_to_be_enabled_where_it_is))
