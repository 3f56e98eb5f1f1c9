/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Hardware breakpoints and watchpoints of arm64 guests, ours and their own, on a real KVM with hand-made guests. */
#include "kvm_rig_arm64.h"

#include <errno.h>

#include "../unit/test.h"
#include "util/bytes.h"
#include "util/macros.h"

enum { EL1H = 5, SYNC_EL1 = RIG_VECTORS + 0x200, SYNC_32 = RIG_VECTORS + 0x600 };

RIG_ASM(power_off, "movz w0, #8\n movk w0, #0x8400, lsl #16\n hvc #0");
RIG_ASM(count, "1: add x0, x0, #1\n add x1, x1, #1\n b 1b\n");

static void open_el1(struct rig *r)
{
	rig_open(r, 1, false);
	rig_set_sys(r, 0, ARM64_VBAR_EL1, RIG_VECTORS);
	rig_set_pstate(r, 0, EL1H);
	for (unsigned v = 0; v < 0x800; v += 0x80)
		RIG_ASM_AT(r, RIG_VECTORS + v, power_off);
}

#define CHECK_STOP(ev, why_, pc_)                                                                    \
	do {                                                                                         \
		struct stop_event ev_ = (ev);                                                        \
		if (ev_.why != (why_) || ev_.pc.raw != (pc_))                                        \
			print_message("stop %d at %#lx: %s\n", ev_.why, (long)ev_.pc.raw, ev_.text); \
		CHECK_EQ(ev_.why, why_);                                                             \
		CHECK_EQ(ev_.pc.raw, pc_);                                                           \
	} while (0)

static void breaks(struct rig *r, enum target_break_kind kind, uint64_t at, uint64_t len)
{
	const struct target_break b = { .kind = kind, .at = GVA(at), .len = len };

	CHECK_EQ(kvm_cpus_hw_set(r->cpus, &b, 1), 0);
}

TEST(hardware_breakpoints_hit_each_time)
{
	struct rig r;

	open_el1(&r);
	RIG_ASM_AT(&r, RIG_CODE, count);
	breaks(&r, TARGET_BREAK_HW, RIG_CODE + 4, 1);
	for (unsigned i = 1; i <= 3; i++) {
		CHECK_STOP(rig_run(&r), STOP_HWBREAK, RIG_CODE + 4);
		CHECK_EQ(rig_x(&r, 0, 0), i);
		CHECK_EQ(rig_x(&r, 0, 1), i - 1);
	}
	CHECK_STOP(rig_step(&r, 0), STOP_STEP, RIG_CODE + 8);
	CHECK_STOP(rig_step(&r, 0), STOP_STEP, RIG_CODE);
	CHECK_STOP(rig_step(&r, 0), STOP_STEP, RIG_CODE + 4);
	CHECK_STOP(rig_run(&r), STOP_HWBREAK, RIG_CODE + 4); // reached by a step, and not shown yet
	rig_close(&r);
}

TEST(there_are_as_many_breakpoints_and_watchpoints_as_kvm_says)
{
	struct target_break b[11];
	struct rig r;

	open_el1(&r);
	RIG_ASM_AT(&r, RIG_CODE, count);
	CHECK_EQ(r.port->hw_max.exec, 6);
	CHECK_EQ(r.port->hw_max.watch, 4);
	for (unsigned i = 0; i < 6; i++)
		b[i] = (struct target_break){ .kind = TARGET_BREAK_HW, .at = GVA(RIG_CODE + 0x100 + 4 * i), .len = 1 };
	for (unsigned i = 6; i < 10; i++)
		b[i] = (struct target_break){ .kind = TARGET_WATCH_WRITE, .at = GVA(RIG_DATA + 8 * i), .len = 8 };
	b[5].at = GVA(RIG_CODE + 8);
	CHECK_EQ(kvm_cpus_hw_set(r.cpus, b, 10), 0);
	CHECK_STOP(rig_run(&r), STOP_HWBREAK, RIG_CODE + 8);
	b[10] = b[9];
	b[10].at = GVA(RIG_DATA);
	CHECK_EQ(kvm_cpus_hw_set(r.cpus, b, 11), -ENOSPC);
	rig_close(&r);
}

RIG_ASM(accesses, "1: add x0, x0, #1\n ldrb w3, [x1, #5]\n strb w0, [x1, #5]\n b 1b\n");

TEST(a_watchpoint_stops_before_the_access_and_is_passed)
{
	struct rig r;
	struct stop_event ev;

	open_el1(&r);
	RIG_ASM_AT(&r, RIG_CODE, accesses);
	rig_set_x(&r, 0, 1, RIG_DATA);
	breaks(&r, TARGET_WATCH_WRITE, RIG_DATA + 3, 3);
	for (unsigned i = 1; i <= 3; i++) {
		ev = rig_run(&r);
		CHECK_STOP(ev, STOP_WATCH, RIG_CODE + 8);
		CHECK_EQ(ev.watch_kind, HW_WRITE);
		CHECK_EQ(ev.watch_at.raw, RIG_DATA + 5);
		CHECK_EQ(r.ram[RIG_DATA + 5], i - 1);
	}
	/* by a step */
	CHECK_STOP(rig_step(&r, 0), STOP_STEP, RIG_CODE + 12);
	CHECK_EQ(r.ram[RIG_DATA + 5], 3);
	for (unsigned i = 0; i < 3; i++)
		CHECK_EQ(rig_step(&r, 0).why, STOP_STEP);
	CHECK_EQ(rig_pc(&r, 0), RIG_CODE + 8);
	CHECK_STOP(rig_step(&r, 0), STOP_WATCH, RIG_CODE + 8);
	CHECK_STOP(rig_step(&r, 0), STOP_STEP, RIG_CODE + 12);
	CHECK_EQ(r.ram[RIG_DATA + 5], 4);
	/* of the other kinds */
	breaks(&r, TARGET_WATCH_READ, RIG_DATA + 5, 1);
	CHECK_STOP(rig_run(&r), STOP_WATCH, RIG_CODE + 4);
	CHECK_STOP(rig_run(&r), STOP_WATCH, RIG_CODE + 4);
	breaks(&r, TARGET_WATCH_ACCESS, RIG_DATA, 16);
	CHECK_STOP(rig_run(&r), STOP_WATCH, RIG_CODE + 8);
	CHECK_STOP(rig_run(&r), STOP_WATCH, RIG_CODE + 4);
	CHECK_EQ(rig_pstate(&r, 0), EL1H);
	rig_close(&r);
}

TEST(a_range_step_reports_watchpoints_on_its_way)
{
	struct resume_plan plan = { 0 };
	struct rig r;

	open_el1(&r);
	RIG_ASM_AT(&r, RIG_CODE, accesses);
	rig_set_x(&r, 0, 1, RIG_DATA);
	breaks(&r, TARGET_WATCH_WRITE, RIG_DATA + 5, 1);
	plan.vcpu[0].action = TARGET_STEP_RANGE;
	plan.vcpu[0].lo = GVA(RIG_CODE);
	plan.vcpu[0].hi = GVA(RIG_CODE + 16);
	for (unsigned i = 1; i <= 2; i++) {
		CHECK_EQ(kvm_cpus_resume(r.cpus, &plan), 0);
		CHECK_STOP(rig_wait(&r), STOP_WATCH, RIG_CODE + 8);
		CHECK_EQ(rig_x(&r, 0, 0), i);
	}
	rig_close(&r);
}

RIG_ASM(own_debug, "msr oslar_el1, xzr\n isb\n msr daifclr, #8\n nop\n 1: ldr x3, [x1]\n nop\n b .\n");

/* MDSCR_EL1: MDE, KDE. Ours are in, too, so that all debug exceptions come to us. */
TEST(debug_registers_of_the_guests_own_hit_while_ours_are_in)
{
	struct arch_regs regs;
	struct rig r;

	open_el1(&r);
	RIG_ASM_AT(&r, RIG_CODE, own_debug);
	rig_regs(&r, 0, ARCH_DEBUG, &regs);
	regs.arm64.sys[ARM64_MDSCR_EL1] = 1 << 15 | 1 << 13;
	regs.arm64.dbgbvr[2] = RIG_CODE + 12;
	regs.arm64.dbgbcr[2] = 1 | 3 << 1 | 15 << 5;
	regs.arm64.dbgwvr[1] = RIG_DATA;
	regs.arm64.dbgwcr[1] = 1 | 3 << 1 | 3 << 3 | 0xff << 5;
	CHECK_EQ(rig_regs_write(&r, 0, ARCH_DEBUG, &regs), 0);
	rig_set_x(&r, 0, 1, RIG_DATA);
	breaks(&r, TARGET_BREAK_HW, RIG_CODE + 0x100, 1);
	CHECK_STOP(rig_run(&r), STOP_POWER_OFF, SYNC_EL1 + 12);
	CHECK_EQ(rig_sys(&r, 0, ARM64_ELR_EL1), RIG_CODE + 12);
	CHECK_EQ(rig_sys(&r, 0, ARM64_ESR_EL1) >> 26, 0x31);
	CHECK_EQ(rig_sys(&r, 0, ARM64_SPSR_EL1), EL1H);
	rig_close(&r);

	open_el1(&r);
	RIG_ASM_AT(&r, RIG_CODE, own_debug);
	regs.arm64.dbgbcr[2] = 0;
	CHECK_EQ(rig_regs_write(&r, 0, ARCH_DEBUG, &regs), 0);
	rig_set_x(&r, 0, 1, RIG_DATA);
	breaks(&r, TARGET_WATCH_ACCESS, RIG_DATA + 0x100, 8); // of the same kind, and not far
	CHECK_STOP(rig_run(&r), STOP_POWER_OFF, SYNC_EL1 + 12);
	CHECK_EQ(rig_sys(&r, 0, ARM64_ELR_EL1), RIG_CODE + 16);
	CHECK_EQ(rig_sys(&r, 0, ARM64_ESR_EL1) >> 26, 0x35);
	CHECK_EQ(rig_sys(&r, 0, ARM64_FAR_EL1), RIG_DATA);
	rig_close(&r);
}

RIG_ASM(unseen, "nop\n ldr x3, [x1]\n add x4, x4, #1\n movz w0, #8\n movk w0, #0x8400, lsl #16\n hvc #0\n");

/* A kernel's entry code is not to be interrupted by the kernel's own breakpoints. */
TEST(what_the_guest_has_turned_off_does_not_hit_it)
{
	enum { KDE = 1 << 13, MDE = 1 << 15 };
	static const struct {
		uint64_t pstate, mdscr;
	} off[] = { { EL1H | ARM64_PSTATE_D, MDE | KDE }, { EL1H, MDE } };

	for (unsigned i = 0; i < ARRAY_LEN(off); i++) {
		struct arch_regs regs;
		struct rig r;

		open_el1(&r);
		RIG_ASM_AT(&r, RIG_CODE, unseen);
		rig_regs(&r, 0, ARCH_DEBUG, &regs);
		regs.arm64.sys[ARM64_MDSCR_EL1] = off[i].mdscr;
		regs.arm64.dbgbvr[0] = RIG_CODE;
		regs.arm64.dbgbcr[0] = 1 | 3 << 1 | 15 << 5;
		regs.arm64.dbgwvr[0] = RIG_DATA;
		regs.arm64.dbgwcr[0] = 1 | 3 << 1 | 3 << 3 | 0xff << 5;
		CHECK_EQ(rig_regs_write(&r, 0, ARCH_DEBUG, &regs), 0);
		rig_set_pstate(&r, 0, off[i].pstate);
		rig_set_sys(&r, 0, ARM64_ELR_EL1, 0x1234);
		rig_set_x(&r, 0, 1, RIG_DATA);
		breaks(&r, TARGET_BREAK_HW, RIG_CODE + 8, 1);
		CHECK_STOP(rig_step(&r, 0), STOP_STEP, RIG_CODE + 4);
		CHECK_STOP(rig_step(&r, 0), STOP_STEP, RIG_CODE + 8);
		rig_set_pc(&r, 0, RIG_CODE);
		CHECK_STOP(rig_run(&r), STOP_HWBREAK, RIG_CODE + 8);
		CHECK_STOP(rig_run(&r), STOP_POWER_OFF, RIG_CODE + 24);
		CHECK_EQ(rig_x(&r, 0, 4), 1);
		CHECK_EQ(rig_sys(&r, 0, ARM64_ELR_EL1), 0x1234);
		rig_close(&r);
	}
}

RIG_ASM(bkpts, ".word 0xe1200075\n .short 0xbe05\n .short 0xbf00\n"); // bkpt #5 of A32 and of T32

static void check_bkpt(struct rig *r, uint64_t at, uint64_t pstate)
{
	CHECK_EQ(rig_sys(r, 0, ARM64_ELR_EL1), at);
	CHECK_EQ(rig_sys(r, 0, ARM64_ESR_EL1) >> 26, 0x38);
	CHECK_EQ(rig_sys(r, 0, ARM64_ESR_EL1) & 0xffff, 5);
	CHECK_EQ(rig_sys(r, 0, ARM64_SPSR_EL1), pstate);
}

TEST(breakpoint_instructions_of_32_bit_code_are_the_guests_own)
{
	static const struct {
		uint64_t at, pstate;
	} code[] = { { RIG_CODE, 0x10 }, { RIG_CODE + 4, 0x30 } };

	for (unsigned i = 0; i < ARRAY_LEN(code); i++) {
		struct rig r;

		open_el1(&r);
		RIG_ASM_AT(&r, RIG_CODE, bkpts);
		rig_set_pstate(&r, 0, code[i].pstate);
		rig_set_pc(&r, 0, code[i].at);
		CHECK_STOP(rig_step(&r, 0), STOP_STEP, SYNC_32);
		check_bkpt(&r, code[i].at, code[i].pstate);
		rig_set_pstate(&r, 0, code[i].pstate);
		rig_set_pc(&r, 0, code[i].at);
		breaks(&r, TARGET_BREAK_HW, RIG_CODE + 0x100, 1);
		CHECK_STOP(rig_run(&r), STOP_POWER_OFF, SYNC_32 + 12);
		check_bkpt(&r, code[i].at, code[i].pstate);
		rig_close(&r);
	}
}

static enum target_verdict skip_it(void *arg, unsigned vcpu, enum stop_why why, gva pc)
{
	__atomic_fetch_add((unsigned *)arg, 1, __ATOMIC_SEQ_CST);
	return TARGET_SKIP;
}

TEST(a_hardware_breakpoint_that_is_skipped_goes_on)
{
	struct rig r;
	unsigned seen = 0;
	const struct target_filter f = { .judge = skip_it, .arg = &seen, .whys = BIT(STOP_HWBREAK) };

	open_el1(&r);
	RIG_ASM_AT(&r, RIG_CODE, count);
	breaks(&r, TARGET_BREAK_HW, RIG_CODE + 4, 1);
	kvm_cpus_filter_set(r.cpus, &f);
	rig_resume(&r, 0, TARGET_RUN, TARGET_RUN);
	CHECK(rig_quiet(&r, 200));
	for (unsigned i = 0; i < 3000 && __atomic_load_n(&seen, __ATOMIC_SEQ_CST) <= 3; i++)
		CHECK(rig_quiet(&r, 10));
	CHECK_EQ(kvm_cpus_interrupt(r.cpus), 0);
	CHECK_EQ(rig_wait(&r).why, STOP_INTERRUPT);
	CHECK(seen > 3);
	CHECK(rig_x(&r, 0, 1) == seen || rig_x(&r, 0, 1) + 1 == seen);
	rig_close(&r);
}

static enum target_verdict skip_and_stop(void *arg, unsigned vcpu, enum stop_why why, gva pc)
{
	CHECK_EQ(kvm_cpus_interrupt(arg), 0);
	return TARGET_SKIP;
}

RIG_ASM(two_loads, "ldr x0, [x1]\n ldr x2, [x3]\n b .\n");

/* The second load is at a breakpoint that is passed; its own access is still a hit. */
TEST(a_watchpoint_hits_behind_a_skipped_breakpoint_where_the_vcpu_was_stopped)
{
	const struct target_break b[] = { { .kind = TARGET_WATCH_ACCESS, .at = GVA(RIG_DATA), .len = 8 },
					  { .kind = TARGET_WATCH_ACCESS, .at = GVA(RIG_DATA + 0x100), .len = 8 },
					  { .kind = TARGET_BREAK_HW, .at = GVA(RIG_CODE + 4), .len = 1 } };
	struct rig r;

	open_el1(&r);
	const struct target_filter f = { .judge = skip_and_stop, .arg = r.cpus, .whys = BIT(STOP_HWBREAK) };

	RIG_ASM_AT(&r, RIG_CODE, two_loads);
	rig_set_x(&r, 0, 1, RIG_DATA);
	rig_set_x(&r, 0, 3, RIG_DATA + 0x100);
	CHECK_EQ(kvm_cpus_hw_set(r.cpus, b, ARRAY_LEN(b)), 0);
	kvm_cpus_filter_set(r.cpus, &f);
	CHECK_STOP(rig_run(&r), STOP_WATCH, RIG_CODE);
	CHECK_STOP(rig_run(&r), STOP_INTERRUPT, RIG_CODE + 4);
	CHECK_STOP(rig_run(&r), STOP_WATCH, RIG_CODE + 4);
	rig_close(&r);
}

TESTS(T(hardware_breakpoints_hit_each_time), T(there_are_as_many_breakpoints_and_watchpoints_as_kvm_says),
      T(a_watchpoint_stops_before_the_access_and_is_passed), T(a_range_step_reports_watchpoints_on_its_way),
      T(debug_registers_of_the_guests_own_hit_while_ours_are_in), T(what_the_guest_has_turned_off_does_not_hit_it),
      T(breakpoint_instructions_of_32_bit_code_are_the_guests_own), T(a_hardware_breakpoint_that_is_skipped_goes_on),
      T(a_watchpoint_hits_behind_a_skipped_breakpoint_where_the_vcpu_was_stopped))
