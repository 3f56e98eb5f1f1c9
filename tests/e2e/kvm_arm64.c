/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Registers, exact steps, breakpoints and time of arm64 guests on a real KVM. */
#include "kvm_rig_arm64.h"

#include <errno.h>
#include <linux/psci.h>
#include <poll.h>

#include "../unit/test.h"
#include "util/bytes.h"
#include "util/macros.h"

enum { EL1H = 5, EL0T = 0, DAIF = ARM64_PSTATE_DAIF, I = ARM64_PSTATE_I, F = ARM64_PSTATE_F, A = ARM64_PSTATE_A };
enum { SYNC_EL1 = RIG_VECTORS + 0x200, SYNC_EL0 = RIG_VECTORS + 0x400 };

RIG_ASM(nops, ".rept 16\n nop\n .endr");
RIG_ASM(power_off, "movz w0, #8\n movk w0, #0x8400, lsl #16\n hvc #0");

/* At EL1 with exceptions unmasked, @pstate besides. */
static void open_el1(struct rig *r, uint64_t pstate)
{
	rig_open(r, 1, false);
	rig_set_sys(r, 0, ARM64_VBAR_EL1, RIG_VECTORS);
	rig_set_pstate(r, 0, EL1H | pstate);
	for (unsigned v = 0; v < 0x800; v += 0x80)
		RIG_ASM_AT(r, RIG_VECTORS + v, nops);
}

#define CHECK_STEP(r, to)                                                                            \
	do {                                                                                         \
		struct stop_event ev_ = rig_step(r, 0);                                              \
		if (ev_.why != STOP_STEP)                                                            \
			print_message("stop %d at %#lx: %s\n", ev_.why, (long)ev_.pc.raw, ev_.text); \
		CHECK_EQ(ev_.why, STOP_STEP);                                                        \
		CHECK_EQ(ev_.pc.raw, to);                                                            \
		CHECK_EQ(rig_pc(r, 0), to);                                                          \
	} while (0)

/* ---- registers ---- */

TEST(registers_are_read_and_written)
{
	struct rig r;
	struct arch_regs regs, back;

	open_el1(&r, 0);
	rig_regs(&r, 0, ARCH_ALL, &regs);
	CHECK_EQ(regs.arm64.pc, RIG_CODE);
	CHECK_EQ(regs.arm64.pstate, EL1H);
	CHECK_EQ(regs.arm64.sp[ARM64_SP_EL1], RIG_STACK);
	CHECK_EQ(regs.arm64.sp_absent, BIT(ARM64_SP_EL2) | BIT(ARM64_SP_EL3));
	CHECK(!arm64_sys_has(&regs.arm64, ARM64_HCR_EL2));
	CHECK(arm64_sys_has(&regs.arm64, ARM64_CNTVCT_EL0));
	CHECK_EQ(regs.arm64.sys[ARM64_VBAR_EL1], RIG_VECTORS);
	CHECK_EQ(regs.arm64.nbps, 6);
	CHECK_EQ(regs.arm64.nwps, 4);
	print_message("vectors of %u bytes\n", regs.arm64.vl);
	for (unsigned i = 0; i < 31; i++)
		regs.arm64.x[i] = 0x1111111111111111 * (i % 15 + 1) + i;
	for (unsigned i = 0; i < 32; i++)
		memset(regs.arm64.z[i], (int)i + 1, regs.arm64.vl ? regs.arm64.vl : 16);
	memset(regs.arm64.p[3], 0x5a, regs.arm64.vl / 8);
	regs.arm64.sp[ARM64_SP_EL0] = 0x1230;
	regs.arm64.fpcr = 0x400000;
	regs.arm64.sys[ARM64_TPIDR_EL0] = 0x1234567890;
	regs.arm64.sys[ARM64_TTBR1_EL1] = 0x77000;
	regs.arm64.sys[ARM64_ELR_EL1] = 0x1004;
	regs.arm64.sys[ARM64_SPSR_EL1] = 0x3c5;
	regs.arm64.sys[ARM64_CNTV_CVAL_EL0] = 0x123456789abc;
	regs.arm64.dbgbvr[1] = 0x4444;
	CHECK_EQ(rig_regs_write(&r, 0, ARCH_ALL, &regs), 0);
	rig_regs(&r, 0, ARCH_ALL, &back);
	CHECK_MEM(back.arm64.x, regs.arm64.x, sizeof(regs.arm64.x));
	CHECK_MEM(back.arm64.z, regs.arm64.z, sizeof(regs.arm64.z));
	CHECK_MEM(back.arm64.p, regs.arm64.p, sizeof(regs.arm64.p));
	CHECK_EQ(back.arm64.sp[ARM64_SP_EL0], 0x1230);
	CHECK_EQ(back.arm64.fpcr, 0x400000);
	CHECK_EQ(back.arm64.sys[ARM64_TPIDR_EL0], 0x1234567890);
	CHECK_EQ(back.arm64.sys[ARM64_TTBR1_EL1], 0x77000);
	CHECK_EQ(back.arm64.sys[ARM64_ELR_EL1], 0x1004);
	CHECK_EQ(back.arm64.sys[ARM64_SPSR_EL1], 0x3c5);
	CHECK_EQ(back.arm64.sys[ARM64_CNTV_CVAL_EL0], 0x123456789abc);
	CHECK_EQ(back.arm64.dbgbvr[1], 0x4444);
	rig_close(&r);
}

/* ---- steps ---- */

RIG_ASM(plain, "add x0, x0, #1\n mov x1, #0x2000\n str x0, [x1]\n ldr x2, [x1]\n b .\n");

TEST(a_step_takes_one_instruction)
{
	struct rig r;

	open_el1(&r, 0);
	RIG_ASM_AT(&r, RIG_CODE, plain);
	CHECK_STEP(&r, RIG_CODE + 4);
	CHECK_EQ(rig_x(&r, 0, 0), 1);
	CHECK_STEP(&r, RIG_CODE + 8);
	CHECK_STEP(&r, RIG_CODE + 12);
	CHECK_STEP(&r, RIG_CODE + 16);
	CHECK_EQ(rig_x(&r, 0, 2), 1);
	CHECK_STEP(&r, RIG_CODE + 16);
	CHECK_STEP(&r, RIG_CODE + 16);
	CHECK_EQ(rig_pstate(&r, 0), EL1H);
	rig_close(&r);
}

TEST(a_step_over_an_instruction_that_the_vmm_answers_is_one)
{
	struct rig r;

	open_el1(&r, 0);
	RIG_ASM_AT(&r, RIG_CODE, plain);
	rig_set_pc(&r, 0, RIG_CODE + 8);
	rig_set_x(&r, 0, 1, RIG_MMIO + 8);
	CHECK_STEP(&r, RIG_CODE + 12);
	CHECK_STEP(&r, RIG_CODE + 16);
	CHECK_EQ(rig_x(&r, 0, 2), RIG_MMIO + 8);
	CHECK_EQ(r.nlog, 2);
	CHECK_EQ(rig_pstate(&r, 0), EL1H);
	rig_close(&r);
}

RIG_ASM(pair, "ldp x2, x3, [x1]\n nop\n");

TEST(an_access_that_kvm_cannot_emulate_is_named)
{
	struct rig r;
	struct stop_event ev;

	open_el1(&r, 0);
	RIG_ASM_AT(&r, RIG_CODE, pair);
	rig_set_x(&r, 0, 1, RIG_MMIO + 16);
	ev = rig_run(&r);
	CHECK_EQ(ev.why, STOP_INTERNAL_ERROR);
	CHECK_EQ(ev.pc.raw, RIG_CODE);
	CHECK_STR(ev.text,
		  "KVM cannot emulate how the instruction at 0x1000 accesses 0xa0010: only loads and stores of one "
		  "general register without writeback");
	CHECK_EQ(r.nlog, 0);
	rig_close(&r);
}

RIG_ASM(masks, "mrs x0, daif\n msr daifset, #2\n mrs x1, daif\n msr daifclr, #3\n mrs x2, daif\n mov x3, #0x140\n"
	       "msr daif, x3\n mrs x4, daif\n");

TEST(interrupt_masks_are_what_the_instructions_make_them)
{
	struct rig r;

	open_el1(&r, F);
	RIG_ASM_AT(&r, RIG_CODE, masks);
	CHECK_STEP(&r, RIG_CODE + 4);
	CHECK_EQ(rig_x(&r, 0, 0), F);
	CHECK_EQ(rig_pstate(&r, 0), EL1H | F);
	CHECK_STEP(&r, RIG_CODE + 8);
	CHECK_EQ(rig_pstate(&r, 0), EL1H | I | F);
	CHECK_STEP(&r, RIG_CODE + 12);
	CHECK_EQ(rig_x(&r, 0, 1), I | F);
	CHECK_STEP(&r, RIG_CODE + 16);
	CHECK_EQ(rig_pstate(&r, 0), EL1H);
	CHECK_STEP(&r, RIG_CODE + 20);
	CHECK_EQ(rig_x(&r, 0, 2), 0);
	CHECK_STEP(&r, RIG_CODE + 24);
	CHECK_STEP(&r, RIG_CODE + 28);
	CHECK_EQ(rig_pstate(&r, 0), EL1H | A | F);
	CHECK_STEP(&r, RIG_CODE + 32);
	CHECK_EQ(rig_x(&r, 0, 4), A | F);
	rig_close(&r);
}

static void check_entry(struct rig *r, uint64_t elr, uint64_t spsr, unsigned class)
{
	CHECK_EQ(rig_sys(r, 0, ARM64_ELR_EL1), elr);
	CHECK_EQ(rig_sys(r, 0, ARM64_SPSR_EL1), spsr);
	CHECK_EQ(rig_sys(r, 0, ARM64_ESR_EL1) >> 26, class);
	CHECK_EQ(rig_pstate(r, 0) & (ARM64_PSTATE_SS | DAIF | 0x1f), EL1H | DAIF);
}

RIG_ASM(calls, "svc #5\n nop\n");
RIG_ASM(back, "eret\n");

TEST(a_step_over_svc_ends_at_its_vector_and_over_eret_behind_it)
{
	struct rig r;

	open_el1(&r, F);
	RIG_ASM_AT(&r, RIG_CODE, calls);
	RIG_ASM_AT(&r, SYNC_EL1 + 4, back);
	RIG_ASM_AT(&r, SYNC_EL0 + 4, back);
	CHECK_STEP(&r, SYNC_EL1);
	check_entry(&r, RIG_CODE + 4, EL1H | F, 0x15);
	CHECK_STEP(&r, SYNC_EL1 + 4);
	CHECK_STEP(&r, RIG_CODE + 4);
	CHECK_EQ(rig_pstate(&r, 0), EL1H | F);
	CHECK_STEP(&r, RIG_CODE + 8);
	CHECK_EQ(rig_pstate(&r, 0), EL1H | F);
	/* from EL0 */
	rig_set_pc(&r, 0, RIG_CODE);
	rig_set_pstate(&r, 0, EL0T | 0x60000000);
	CHECK_STEP(&r, SYNC_EL0);
	check_entry(&r, RIG_CODE + 4, EL0T | 0x60000000, 0x15);
	CHECK_STEP(&r, SYNC_EL0 + 4);
	CHECK_STEP(&r, RIG_CODE + 4);
	CHECK_EQ(rig_pstate(&r, 0), EL0T | 0x60000000);
	rig_close(&r);
}

RIG_ASM(faults, "mov x0, #0x1000000000\n ldr x1, [x0]\n .word 0\n br x2\n mrs x5, s3_0_c15_c15_7\n");

TEST(a_step_that_faults_ends_at_the_vector_with_the_guests_own_image)
{
	struct rig r;

	open_el1(&r, A);
	rig_translate(&r, 0);
	RIG_ASM_AT(&r, RIG_CODE, faults);
	CHECK_STEP(&r, RIG_CODE + 4);
	CHECK_STEP(&r, SYNC_EL1);
	check_entry(&r, RIG_CODE + 4, EL1H | A, 0x25);
	CHECK_EQ(rig_sys(&r, 0, ARM64_FAR_EL1), 0x1000000000);
	rig_set_pc(&r, 0, RIG_CODE + 8);
	rig_set_pstate(&r, 0, EL1H);
	CHECK_STEP(&r, SYNC_EL1);
	check_entry(&r, RIG_CODE + 8, EL1H, 0); // undefined
	rig_set_pc(&r, 0, RIG_CODE + 16);
	rig_set_pstate(&r, 0, EL1H);
	CHECK_STEP(&r, SYNC_EL1);
	check_entry(&r, RIG_CODE + 16, EL1H, 0); // KVM makes it undefined
	rig_set_pc(&r, 0, RIG_CODE + 12);
	rig_set_pstate(&r, 0, EL1H);
	rig_set_x(&r, 0, 2, 0x1000000000);
	CHECK_STEP(&r, 0x1000000000);
	CHECK_STEP(&r, SYNC_EL1);                            // the fetch
	check_entry(&r, 0x1000000000, EL1H | 1 << 10, 0x21); // BTYPE says how it came there
	rig_close(&r);
}

RIG_ASM(waits, "wfi\n wfe\n wfi\n nop\n");

TEST(a_step_over_wfi_does_not_wait)
{
	struct rig r;

	open_el1(&r, 0);
	RIG_ASM_AT(&r, RIG_CODE, waits);
	for (unsigned i = 1; i <= 4; i++)
		CHECK_STEP(&r, RIG_CODE + 4 * i);
	CHECK_EQ(rig_pstate(&r, 0), EL1H);
	rig_close(&r);
}

RIG_ASM(hypercalls, "mov w0, #0x84000000\n hvc #0\n mov w0, #0x12\n hvc #0\n smc #0\n");

TEST(a_hypercall_is_one_step)
{
	struct rig r;

	open_el1(&r, 0);
	RIG_ASM_AT(&r, RIG_CODE, hypercalls);
	CHECK_STEP(&r, RIG_CODE + 4);
	CHECK_STEP(&r, RIG_CODE + 8); // PSCI_VERSION
	CHECK(rig_x(&r, 0, 0) >> 16 == 1 || rig_x(&r, 0, 0) == 2);
	CHECK_STEP(&r, RIG_CODE + 12);
	CHECK_STEP(&r, RIG_CODE + 16);
	CHECK_EQ((int32_t)rig_x(&r, 0, 0), -1);
	CHECK_EQ(rig_pstate(&r, 0), EL1H);
	rig_close(&r);
}

/* x4 counts what was stored; x1 holds a lock that is free */
RIG_ASM(exclusive, "1: ldaxr w2, [x1]\n add w2, w2, #1\n stlxr w3, w2, [x1]\n cbnz w3, 1b\n add x4, x4, #1\n"
		   "2: ldxr w2, [x1]\n cbz w2, 3f\n stxr w3, wzr, [x1]\n 3: nop\n"
		   "4: ldxr w2, [x5]\n stxr w3, wzr, [x5]\n");

TEST(a_load_exclusive_is_stepped_up_to_its_store)
{
	struct rig r;

	open_el1(&r, 0);
	rig_translate(&r, 0);
	RIG_ASM_AT(&r, RIG_CODE, exclusive);
	rig_set_x(&r, 0, 1, RIG_DATA);
	rig_set_x(&r, 0, 5, 0x1000000000);
	CHECK_STEP(&r, RIG_CODE + 12);
	CHECK_EQ(rig_x(&r, 0, 3), 0);
	CHECK_EQ(ld_le32(r.ram + RIG_DATA), 1);
	CHECK_STEP(&r, RIG_CODE + 16);
	CHECK_STEP(&r, RIG_CODE + 20);
	st_le32(r.ram + RIG_DATA, 0);
	CHECK_STEP(&r, RIG_CODE + 32); // by the branch
	CHECK_STEP(&r, RIG_CODE + 36);
	CHECK_STEP(&r, SYNC_EL1); // it faults
	check_entry(&r, RIG_CODE + 36, EL1H, 0x25);
	rig_close(&r);
}

/* A lock that is taken by storing 1: no store where it is held. */
RIG_ASM(lock, "1: ldaxr w2, [x1]\n cbnz w2, 1b\n add x4, x4, #1\n tbnz w4, #9, 1b\n stxr w3, w5, [x1]\n cbnz w3, 1b\n");

TEST(a_step_does_not_wait_for_a_lock)
{
	struct rig r;

	open_el1(&r, 0);
	rig_translate(&r, 0);
	RIG_ASM_AT(&r, RIG_CODE, lock);
	rig_set_x(&r, 0, 1, RIG_DATA);
	rig_set_x(&r, 0, 5, 1);
	st_le32(r.ram + RIG_DATA, 7);
	for (unsigned i = 0; i < 3; i++) {
		CHECK_STEP(&r, RIG_CODE + 4);
		CHECK_EQ(rig_x(&r, 0, 2), 7);
		CHECK_STEP(&r, RIG_CODE);
	}
	CHECK_EQ(rig_pstate(&r, 0), EL1H);
	st_le32(r.ram + RIG_DATA, 0);
	CHECK_STEP(&r, RIG_CODE + 20);
	CHECK_EQ(ld_le32(r.ram + RIG_DATA), 1);
	CHECK_EQ(rig_x(&r, 0, 3), 0);
	CHECK_EQ(rig_x(&r, 0, 4), 1); // what was before the store is executed once
	CHECK_EQ(rig_pstate(&r, 0), EL1H);
	CHECK_STEP(&r, RIG_CODE + 24);
	rig_close(&r);
}

TESTS(T(registers_are_read_and_written), T(a_step_takes_one_instruction),
      T(a_step_over_an_instruction_that_the_vmm_answers_is_one), T(an_access_that_kvm_cannot_emulate_is_named),
      T(interrupt_masks_are_what_the_instructions_make_them),
      T(a_step_over_svc_ends_at_its_vector_and_over_eret_behind_it),
      T(a_step_that_faults_ends_at_the_vector_with_the_guests_own_image), T(a_step_over_wfi_does_not_wait),
      T(a_hypercall_is_one_step), T(a_load_exclusive_is_stepped_up_to_its_store), T(a_step_does_not_wait_for_a_lock))
