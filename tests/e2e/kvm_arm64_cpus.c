/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Breakpoint instructions, and the coming and going of vCPUs of arm64 guests, on a real KVM with hand-made guests. */
#include "kvm_rig_arm64.h"

#include <errno.h>

#include "../unit/test.h"
#include "util/bytes.h"
#include "util/macros.h"

enum { EL1H = 5, EL0T = 0, DAIF = ARM64_PSTATE_DAIF, F = ARM64_PSTATE_F };
enum { SYNC_EL1 = RIG_VECTORS + 0x200, SYNC_EL0 = RIG_VECTORS + 0x400 };
#define NZCV UINT64_C(0xf0000000)
enum { BRK0 = 0xd4200000, NOP = 0xd503201f, B_SELF = 0x14000000, ADD_X1 = 0x91000421 };

RIG_ASM(power_off, "movz w0, #8\n movk w0, #0x8400, lsl #16\n hvc #0");
RIG_ASM(reset, "movz w0, #9\n movk w0, #0x8400, lsl #16\n hvc #0");

static void open_el1(struct rig *r, unsigned ncpus)
{
	rig_open(r, ncpus, false);
	for (unsigned i = 0; i < ncpus; i++) {
		rig_set_sys(r, i, ARM64_VBAR_EL1, RIG_VECTORS);
		rig_set_pstate(r, i, EL1H);
	}
	for (unsigned v = 0; v < 0x800; v += 0x80)
		RIG_ASM_AT(r, RIG_VECTORS + v, power_off);
}

static void put(struct rig *r, uint64_t at, uint32_t insn)
{
	st_le32(r->ram + at, insn);
	CHECK_EQ(kvm_cpus_code_written(r->cpus, GPA(at), 4), 0);
}

#define CHECK_STOP(ev, why_, pc_)                                                                    \
	do {                                                                                         \
		struct stop_event ev_ = (ev);                                                        \
		if (ev_.why != (why_) || ev_.pc.raw != (pc_))                                        \
			print_message("stop %d at %#lx: %s\n", ev_.why, (long)ev_.pc.raw, ev_.text); \
		CHECK_EQ(ev_.why, why_);                                                             \
		CHECK_EQ(ev_.pc.raw, pc_);                                                           \
	} while (0)

/* ---- the ends ---- */

TEST(a_guest_that_goes_off_or_resets_stops)
{
	struct rig r;

	open_el1(&r, 2);
	RIG_ASM_AT(&r, RIG_CODE, power_off);
	rig_resume(&r, 0, TARGET_RUN, TARGET_HOLD);
	CHECK_STOP(rig_wait(&r), STOP_POWER_OFF, RIG_CODE + 12);
	CHECK_EQ(rig_run(&r).why, STOP_EXIT);
	rig_close(&r);
	open_el1(&r, 1);
	RIG_ASM_AT(&r, RIG_CODE, reset);
	CHECK_STOP(rig_run(&r), STOP_RESET, RIG_CODE + 12);
	rig_close(&r);
}

/* ---- breakpoint instructions ---- */

RIG_ASM(count, "1: add x0, x0, #1\n add x1, x1, #1\n b 1b\n");

TEST(a_breakpoint_instruction_is_reported_where_it_is)
{
	struct rig r;

	open_el1(&r, 1);
	RIG_ASM_AT(&r, RIG_CODE, count);
	put(&r, RIG_CODE + 4, BRK0);
	rig_report_int3(&r);
	CHECK_STOP(rig_run(&r), STOP_SWBREAK, RIG_CODE + 4);
	CHECK_EQ(rig_x(&r, 0, 0), 1);
	CHECK_EQ(rig_pstate(&r, 0), EL1H);
	put(&r, RIG_CODE + 4, ADD_X1);
	CHECK_EQ(rig_step(&r, 0).pc.raw, RIG_CODE + 8);
	put(&r, RIG_CODE + 4, BRK0);
	CHECK_STOP(rig_run(&r), STOP_SWBREAK, RIG_CODE + 4);
	CHECK_EQ(rig_x(&r, 0, 0), 2);
	CHECK_EQ(rig_x(&r, 0, 1), 1);
	rig_close(&r);
}

static enum target_verdict reinject(void *arg, unsigned vcpu, enum stop_why why, gva pc)
{
	return TARGET_REINJECT;
}

static void check_brk(struct rig *r, uint64_t spsr)
{
	CHECK_EQ(rig_sys(r, 0, ARM64_ELR_EL1), RIG_CODE);
	CHECK_EQ(rig_sys(r, 0, ARM64_SPSR_EL1), spsr);
	CHECK_EQ(rig_sys(r, 0, ARM64_ESR_EL1), 0xf2000801);
	CHECK_EQ(rig_pstate(r, 0) & 0x3df, EL1H | DAIF);
}

RIG_ASM(own_brk, "brk #0x801\n nop\n");

/* First nobody looks, so that the processor takes the exception by itself; then a step takes it. */
TEST(the_guests_own_breakpoint_instruction_is_given_back_as_the_processor_takes_it)
{
	static const struct {
		uint64_t pstate, vector;
	} cases[] = {
		{ EL1H | 0x60000000, 0x200 },
		{ EL1H | F, 0x200 },
		{ EL1H - 1, 0 },
		{ EL0T | 0x80000000, 0x400 },
		{ EL0T | 1 << 10 /* BTYPE */, 0x400 },
	};

	for (unsigned i = 0; i < ARRAY_LEN(cases); i++) {
		const uint64_t at = RIG_VECTORS + cases[i].vector;
		uint64_t pstate, spsr;
		struct rig r;

		open_el1(&r, 1);
		RIG_ASM_AT(&r, RIG_CODE, own_brk);
		put(&r, at, B_SELF);
		rig_set_pstate(&r, 0, cases[i].pstate);
		if (rig_pstate(&r, 0) != cases[i].pstate)
			print_message("KVM takes PSTATE %#lx as %#lx\n", (long)cases[i].pstate,
				      (long)rig_pstate(&r, 0));
		CHECK_STOP(rig_run_from(&r, 0, RIG_CODE, 50), STOP_INTERRUPT, at);
		check_brk(&r, cases[i].pstate);
		pstate = rig_pstate(&r, 0);
		spsr = rig_sys(&r, 0, ARM64_SPSR_EL1);
		rig_set_pc(&r, 0, RIG_CODE);
		rig_set_pstate(&r, 0, cases[i].pstate);
		rig_set_sys(&r, 0, ARM64_ESR_EL1, 0);
		CHECK_STOP(rig_step(&r, 0), STOP_STEP, at);
		check_brk(&r, cases[i].pstate);
		CHECK_EQ(rig_pstate(&r, 0) & ~NZCV, pstate & ~NZCV); // QEMU's TCG clears the flags, which is not right
		CHECK_EQ(rig_sys(&r, 0, ARM64_SPSR_EL1), spsr);
		rig_close(&r);
	}
}

TEST(a_judged_breakpoint_instruction_of_the_guests_own_leads_to_its_vector)
{
	const struct target_filter f = { .judge = reinject, .whys = BIT(STOP_SWBREAK) };
	struct rig r;

	open_el1(&r, 1);
	RIG_ASM_AT(&r, RIG_CODE, own_brk);
	rig_set_pstate(&r, 0, EL0T | 0x20000000);
	kvm_cpus_filter_set(r.cpus, &f);
	CHECK_STOP(rig_run(&r), STOP_POWER_OFF, SYNC_EL0 + 12);
	check_brk(&r, EL0T | 0x20000000);
	rig_close(&r);
}

/* ---- a breakpoint that shall not stop ---- */

struct skipper {
	struct rig *r;
	unsigned seen[2];
};

static enum target_verdict skip_it(void *arg, unsigned vcpu, enum stop_why why, gva pc)
{
	struct skipper *s = arg;

	__atomic_fetch_add(&s->seen[vcpu], 1, __ATOMIC_SEQ_CST);
	return TARGET_SKIP;
}

static unsigned passes(struct skipper *s, unsigned vcpu)
{
	return __atomic_load_n(&s->seen[vcpu], __ATOMIC_SEQ_CST);
}

static int patch(void *arg, unsigned vcpu, gva pc, bool in)
{
	struct skipper *s = arg;

	put(s->r, pc.raw, in ? BRK0 : ADD_X1);
	return 0;
}

TEST(two_vcpus_pass_a_breakpoint_that_is_skipped_and_miss_none)
{
	struct rig r;
	struct skipper s = { .r = &r };
	const struct target_filter f = { .judge = skip_it, .patch = patch, .arg = &s, .whys = BIT(STOP_SWBREAK) };

	open_el1(&r, 2);
	RIG_ASM_AT(&r, RIG_CODE, count);
	put(&r, RIG_CODE + 4, BRK0);
	kvm_cpus_filter_set(r.cpus, &f);
	rig_resume(&r, 0, TARGET_RUN, TARGET_RUN);
	CHECK(rig_quiet(&r, 500));
	for (unsigned i = 0; i < 3000 && (passes(&s, 0) <= 3 || passes(&s, 1) <= 3); i++)
		CHECK(rig_quiet(&r, 10));
	CHECK_EQ(kvm_cpus_interrupt(r.cpus), 0);
	CHECK_EQ(rig_wait(&r).why, STOP_INTERRUPT);
	for (unsigned i = 0; i < 2; i++) {
		uint64_t passed = rig_x(&r, i, 1);

		print_message("vCPU %u passed %u times\n", i, s.seen[i]);
		CHECK(s.seen[i] > 3);
		CHECK(passed == s.seen[i] || passed + 1 == s.seen[i]);
		CHECK(rig_x(&r, i, 0) - passed <= 1);
		CHECK_EQ(rig_pstate(&r, i), EL1H);
	}
	rig_close(&r);
}

/* ---- several vCPUs ---- */

RIG_ASM(bring_up,
	"movz w0, #3\n movk w0, #0xc400, lsl #16\n mov x1, #1\n mov x2, #0x1100\n mov x3, #0x77\n hvc #0\n b .\n");
RIG_ASM(brought_up, "add x9, x0, #1\n movz w0, #2\n movk w0, #0x8400, lsl #16\n hvc #0\n");

TEST(a_vcpu_that_is_brought_up_stops_at_its_first_instruction)
{
	struct stop_event ev;
	struct rig r;

	rig_open(&r, 2, true);
	RIG_ASM_AT(&r, RIG_CODE, bring_up);
	RIG_ASM_AT(&r, RIG_CODE + 0x100, brought_up);
	CHECK(kvm_cpus_online(r.cpus, 0));
	CHECK(!kvm_cpus_online(r.cpus, 1));
	CHECK_EQ(kvm_cpus_online_catch(r.cpus, true), 0);
	ev = rig_run(&r);
	CHECK_STOP(ev, STOP_VCPU_ON, RIG_CODE + 0x100);
	CHECK_EQ(ev.vcpu, 1);
	CHECK_STR(ev.text, "vCPU 1 came online at 0x1100, context id 0x77");
	CHECK(kvm_cpus_online(r.cpus, 1));
	CHECK_EQ(rig_x(&r, 1, 0), 0x77);
	rig_resume(&r, 1, TARGET_STEP, TARGET_HOLD);
	CHECK_STOP(rig_wait(&r), STOP_STEP, RIG_CODE + 0x104);
	CHECK_EQ(rig_x(&r, 1, 9), 0x78);
	for (unsigned i = 0; i < 100 && kvm_cpus_online(r.cpus, 1); i++) {
		rig_resume(&r, 0, TARGET_RUN, TARGET_RUN);
		CHECK(rig_quiet(&r, 100));
		CHECK_EQ(kvm_cpus_interrupt(r.cpus), 0);
		CHECK_EQ(rig_wait(&r).why, STOP_INTERRUPT);
	}
	CHECK(!kvm_cpus_online(r.cpus, 1)); // it has gone off
	rig_close(&r);
}

TEST(a_vcpu_that_is_off_can_be_interrupted_and_comes_up_unseen)
{
	struct rig r;

	for (unsigned caught = 0; caught < 2; caught++) {
		rig_open(&r, 2, true);
		RIG_ASM_AT(&r, RIG_CODE, bring_up);
		st_le32(r.ram + RIG_CODE + 0x100, B_SELF);
		CHECK_EQ(kvm_cpus_online_catch(r.cpus, caught), 0);
		rig_resume(&r, 1, TARGET_RUN, TARGET_HOLD);
		CHECK(rig_quiet(&r, 50));
		CHECK_EQ(kvm_cpus_interrupt(r.cpus), 0);
		CHECK_EQ(rig_wait(&r).why, STOP_INTERRUPT);
		CHECK_EQ(kvm_cpus_online_catch(r.cpus, false), 0);
		rig_run_from(&r, 1, RIG_CODE, 100);
		CHECK_EQ(rig_pc(&r, 1), RIG_CODE + 0x100);
		rig_close(&r);
	}
}

TEST(a_step_of_one_vcpu_holds_the_other)
{
	struct rig r;

	open_el1(&r, 2);
	RIG_ASM_AT(&r, RIG_CODE, count);
	for (unsigned i = 1; i <= 30; i++)
		CHECK_EQ(rig_step(&r, 0).why, STOP_STEP);
	CHECK_EQ(rig_x(&r, 0, 0), 10);
	CHECK_EQ(rig_x(&r, 1, 0), 0);
	CHECK_EQ(rig_pc(&r, 1), RIG_CODE);
	rig_close(&r);
}

TESTS(T(a_guest_that_goes_off_or_resets_stops), T(a_breakpoint_instruction_is_reported_where_it_is),
      T(the_guests_own_breakpoint_instruction_is_given_back_as_the_processor_takes_it),
      T(a_judged_breakpoint_instruction_of_the_guests_own_leads_to_its_vector),
      T(two_vcpus_pass_a_breakpoint_that_is_skipped_and_miss_none),
      T(a_vcpu_that_is_brought_up_stops_at_its_first_instruction),
      T(a_vcpu_that_is_off_can_be_interrupted_and_comes_up_unseen), T(a_step_of_one_vcpu_holds_the_other))
