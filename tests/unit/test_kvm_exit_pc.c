/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Where an exit was, from the registers that KVM left. */
#include <linux/kvm.h>

#include "kvm/internal.h"

#include "test.h"

enum { REGS = KVM_SYNC_X86_REGS, ALL = KVM_SYNC_X86_REGS | KVM_SYNC_X86_SREGS, LMA = 1 << 10 };
#define KERNEL UINT64_C(0xffffffff81000000)

/* As after an exit at @rip, with the registers @valid. */
static struct kvm_run exit_at(uint64_t rip, uint64_t cs_base, bool l, uint64_t efer, uint64_t valid)
{
	struct kvm_run run = { .kvm_valid_regs = valid };

	run.s.regs.regs.rip = rip;
	run.s.regs.sregs.cs.base = cs_base;
	run.s.regs.sregs.cs.l = l;
	run.s.regs.sregs.efer = efer;
	return run;
}

static uint64_t pc_of(struct kvm_run run)
{
	gva pc = GVA(0);

	CHECK(kvm_run_pc(&run, &pc));
	return pc.raw;
}

TEST(the_pc_is_linear_in_every_mode)
{
	CHECK_EQ(pc_of(exit_at(0xfff0, 0xffff0000, false, 0, ALL)), 0xfffffff0);
	CHECK_EQ(pc_of(exit_at(0x1000, 0xfffff000, false, LMA, ALL)), 0);
	CHECK_EQ(pc_of(exit_at(0x1000, 0xffff0000, true, LMA, ALL)), 0x1000);
	CHECK_EQ(pc_of(exit_at(0x1000, 0x20000, true, 0, ALL)), 0x21000); // the bit means nothing outside of long mode
	CHECK_EQ(pc_of(exit_at(KERNEL, 0, true, LMA, ALL)), KERNEL);
}

TEST(segments_are_asked_for_where_they_matter)
{
	struct kvm_run low = exit_at(0xffffffff, 0, false, 0, ALL),
		       high = exit_at(UINT64_C(1) << 32, 0, true, LMA, ALL);
	gva pc = GVA(7);

	CHECK_EQ(kvm_run_wants(&low, ALL), ALL);
	CHECK_EQ(kvm_run_wants(&high, ALL), REGS);
	CHECK_EQ(kvm_run_wants(&high, 0), 0);

	// left out, and the guess was right; it was wrong; nothing was asked for
	high = exit_at(KERNEL, 0xffff0000, false, 0, REGS);
	CHECK_EQ(pc_of(high), KERNEL);
	low.kvm_valid_regs = REGS;
	CHECK(!kvm_run_pc(&low, &pc));
	high.kvm_valid_regs = 0;
	CHECK(!kvm_run_pc(&high, &pc));
	CHECK_EQ(pc.raw, 7);
	CHECK_EQ(kvm_run_wants(&low, ALL), ALL);
}

TESTS(T(the_pc_is_linear_in_every_mode), T(segments_are_asked_for_where_they_matter))
