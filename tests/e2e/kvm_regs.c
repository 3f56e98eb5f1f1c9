/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Register groups go to KVM and come back unchanged. */
#include "kvm_rig.h"

#include <errno.h>

#include "../unit/test.h"
#include "util/bytes.h"
#include "util/macros.h"

TEST(general_registers_round_trip)
{
	struct rig r;
	struct arch_regs a, b;

	rig_open(&r, 1, false);
	rig_regs(&r, 0, ARCH_CORE, &a);
	for (unsigned i = 0; i < X86_NGPR; i++)
		a.x86.gpr[i] = 0x0101010101010101 * (i + 1);
	a.x86.rip = 0x1234;
	a.x86.rflags = 0x0cd7;
	CHECK_EQ(rig_regs_write(&r, 0, ARCH_CORE, &a), 0);
	rig_regs(&r, 0, ARCH_CORE, &b);
	CHECK_MEM(a.x86.gpr, b.x86.gpr, sizeof(a.x86.gpr));
	CHECK_EQ(b.x86.rip, 0x1234);
	CHECK_EQ(b.x86.rflags, 0x0cd7);
	rig_close(&r);
}

TEST(system_registers_round_trip)
{
	struct rig r;
	struct arch_regs a, b;

	rig_open(&r, 1, false);
	rig_long_mode(&r, 0);
	rig_regs(&r, 0, ARCH_SYS, &a);
	a.x86.seg[X86_FS].base = 0xffff800012345000;
	a.x86.seg[X86_GS].base = 0x7fff12345000;
	a.x86.seg[X86_ES] = (struct x86_seg){ .limit = 0xfffff, .sel = 0x23, .attr = 0x4f3 };
	a.x86.gdt = (struct x86_table){ .base = 0xffff800000001000, .limit = 0x7f };
	a.x86.idt = (struct x86_table){ .base = 0xffff800000002000, .limit = 0xfff };
	a.x86.cr2 = 0xdeadbeef000;
	a.x86.cr8 = 5;
	CHECK_EQ(rig_regs_write(&r, 0, ARCH_SYS, &a), 0);
	rig_regs(&r, 0, ARCH_SYS, &b);
	for (unsigned i = 0; i < X86_NSEG; i++) {
		CHECK_EQ(b.x86.seg[i].base, a.x86.seg[i].base);
		CHECK_EQ(b.x86.seg[i].limit, a.x86.seg[i].limit);
		CHECK_EQ(b.x86.seg[i].sel, a.x86.seg[i].sel);
		CHECK_EQ(b.x86.seg[i].attr, a.x86.seg[i].attr);
	}
	CHECK_EQ(b.x86.gdt.base, a.x86.gdt.base);
	CHECK_EQ(b.x86.idt.limit, a.x86.idt.limit);
	CHECK_EQ(b.x86.cr0, a.x86.cr0);
	CHECK_EQ(b.x86.cr2, a.x86.cr2);
	CHECK_EQ(b.x86.cr3, a.x86.cr3);
	CHECK_EQ(b.x86.cr4, a.x86.cr4);
	CHECK_EQ(b.x86.cr8, 5);
	CHECK_EQ(b.x86.efer, a.x86.efer);
	rig_close(&r);
}

TEST(a_control_register_that_kvm_refuses_is_an_error)
{
	struct rig r;
	struct arch_regs a;

	rig_open(&r, 1, false);
	rig_regs(&r, 0, ARCH_SYS, &a);
	a.x86.cr0 = 0x80000000; // paging without protection
	CHECK_EQ(rig_regs_write(&r, 0, ARCH_SYS, &a), -EINVAL);
	a.x86.gdt.limit = 0x10000;
	CHECK_EQ(rig_regs_write(&r, 0, ARCH_SYS, &a), -EINVAL);
	rig_close(&r);
}

static void fill_fp(struct x86_regs *x)
{
	/* top is 6: st0 is physical register 6. 1.0, 0.0, a denormal, a NaN; the others empty */
	static const uint8_t values[4][10] = {
		{ 0, 0, 0, 0, 0, 0, 0, 0x80, 0xff, 0x3f },
		{ 0 },
		{ 1 },
		{ 1, 0, 0, 0, 0, 0, 0, 0xc0, 0xff, 0x7f },
	};

	memset(x->st, 0, sizeof(x->st));
	memcpy(x->st, values, sizeof(values));
	x->fctrl = 0x027f;
	x->fstat = 6 << 11 | 0x4300;  // C3, C1, C0
	x->ftag = 0x4 << 12 | 0x0ffa; /* phys 6 valid, 7 zero, 0 and 1 special, 2..5 empty */
	x->fioff = 0x11223344;
	x->fooff = 0x55667788;
	x->fop = 0x123;
	x->mxcsr = 0x1fa0;
	for (unsigned i = 0; i < 16; i++) {
		memset(x->xmm[i], 0x10 + i, 16);
		memset(x->ymmh[i], 0x80 + i, 16);
	}
}

static void check_fp(struct rig *r, bool avx)
{
	struct arch_regs a, b;

	rig_regs(r, 0, ARCH_FP, &a);
	CHECK_EQ(!!(a.x86.fp_absent & X86_NO_AVX), !avx);
	fill_fp(&a.x86);
	CHECK_EQ(rig_regs_write(r, 0, ARCH_FP, &a), 0);
	rig_regs(r, 0, ARCH_FP, &b);
	CHECK_MEM(b.x86.st, a.x86.st, sizeof(a.x86.st));
	CHECK_MEM(b.x86.xmm, a.x86.xmm, sizeof(a.x86.xmm));
	if (avx)
		CHECK_MEM(b.x86.ymmh, a.x86.ymmh, sizeof(a.x86.ymmh));
	CHECK_EQ(b.x86.fctrl, a.x86.fctrl);
	CHECK_EQ(b.x86.fstat, a.x86.fstat);
	CHECK_EQ(b.x86.ftag, a.x86.ftag);
	CHECK_EQ(b.x86.fioff, a.x86.fioff);
	CHECK_EQ(b.x86.fooff, a.x86.fooff);
	CHECK_EQ(b.x86.mxcsr, a.x86.mxcsr);
}

TEST(floating_point_round_trips_with_the_full_tag_word)
{
	struct rig r;
	struct arch_regs a;
	bool avx;

	rig_open(&r, 1, false);
	rig_regs(&r, 0, ARCH_FP, &a);
	CHECK_EQ(a.x86.ftag, 0xffff); // after reset all are empty
	avx = !(a.x86.fp_absent & X86_NO_AVX);
	print_message("AVX: %s\n", avx ? "yes" : "no");
	check_fp(&r, avx);
	rig_close(&r);
}

TEST(a_bad_mxcsr_is_refused)
{
	struct rig r;
	struct arch_regs a;

	rig_open(&r, 1, false);
	rig_regs(&r, 0, ARCH_FP, &a);
	a.x86.mxcsr = 0xffffffff;
	CHECK(rig_regs_write(&r, 0, ARCH_FP, &a) < 0);
	rig_close(&r);
}

TEST(debug_registers_are_the_guests_own)
{
	struct rig r;
	struct arch_regs a, b;
	const struct target_break ours = { .kind = TARGET_BREAK_HW, .at = GVA(RIG_CODE + 1), .len = 1 };

	rig_open(&r, 1, false);
	RIG_CODE_AT(&r, RIG_CODE, 0x90, 0x90, 0xeb, 0xfe);
	rig_regs(&r, 0, ARCH_DEBUG, &a);
	for (unsigned i = 0; i < 4; i++)
		a.x86.dr[i] = 0x3000 + i;
	a.x86.dr[7] = 0x402;
	CHECK_EQ(rig_regs_write(&r, 0, ARCH_DEBUG, &a), 0);
	CHECK_EQ(kvm_cpus_hw_set(r.cpus, &ours, 1), 0);
	CHECK_EQ(rig_run(&r).why, STOP_HWBREAK);
	rig_regs(&r, 0, ARCH_DEBUG, &b);
	CHECK_MEM(b.x86.dr, a.x86.dr, 4 * sizeof(a.x86.dr[0]));
	CHECK_EQ(b.x86.dr[7], 0x402);
	rig_close(&r);
}

TEST(msrs_are_there_one_by_one)
{
	struct rig r;
	struct arch_regs a, b;

	rig_open(&r, 1, true);
	rig_regs(&r, 0, ARCH_MSR, &a);
	print_message("msr_have: %#x of %#x\n", a.x86.msr_have, BIT(X86_NMSR) - 1);
	CHECK(a.x86.msr_have & BIT(X86_MSR_LSTAR));
	CHECK(a.x86.msr_have & BIT(X86_MSR_PAT));
	a.x86.msr[X86_MSR_LSTAR] = 0xffff800012340000;
	a.x86.msr[X86_MSR_SYSENTER_EIP] = 0x12350000; // AMD keeps 32 bits
	CHECK_EQ(rig_regs_write(&r, 0, ARCH_MSR, &a), 0);
	rig_regs(&r, 0, ARCH_MSR, &b);
	CHECK_EQ(b.x86.msr[X86_MSR_LSTAR], a.x86.msr[X86_MSR_LSTAR]);
	CHECK_EQ(b.x86.msr[X86_MSR_SYSENTER_EIP], a.x86.msr[X86_MSR_SYSENTER_EIP]);
	a.x86.msr[X86_MSR_LSTAR] = 0x8000000000000000; // not canonical
	CHECK(rig_regs_write(&r, 0, ARCH_MSR, &a) < 0);
	rig_close(&r);
}

static unsigned lacking;
static const struct kvm_port_ops *real_ops;

/* A KVM without the MSR whose index is `lacking`. */
static int picky_ioctl(struct kvm_port *p, unsigned vcpu, unsigned long req, void *arg)
{
	struct kvm_msrs *m = arg;

	for (unsigned i = 0; req == KVM_GET_MSRS && i < m->nmsrs; i++) {
		if (m->entries[i].index == x86_msr_number[lacking])
			m->nmsrs = i;
	}
	return real_ops->vcpu_ioctl(p, vcpu, req, arg);
}

TEST(a_missing_msr_clears_only_its_own_bit)
{
	struct rig r;
	struct arch_regs all, some;
	struct kvm_port_ops picky;

	rig_open(&r, 1, true);
	real_ops = r.port->ops;
	picky = *real_ops;
	picky.vcpu_ioctl = picky_ioctl;
	rig_regs(&r, 0, ARCH_MSR, &all);
	r.port->ops = &picky;
	for (lacking = 0; lacking < X86_NMSR; lacking++) {
		rig_regs(&r, 0, ARCH_MSR, &some);
		CHECK_EQ(some.x86.msr_have, all.x86.msr_have & ~BIT(lacking));
	}
	r.port->ops = real_ops;
	rig_close(&r);
}

TEST(all_groups_at_once)
{
	struct rig r;
	struct arch_regs a;

	rig_open(&r, 2, true);
	for (unsigned i = 0; i < 2; i++) {
		rig_regs(&r, i, ARCH_ALL, &a);
		CHECK_EQ(rig_regs_write(&r, i, ARCH_ALL, &a), 0);
	}
	rig_close(&r);
}

TESTS(T(general_registers_round_trip), T(system_registers_round_trip),
      T(a_control_register_that_kvm_refuses_is_an_error), T(floating_point_round_trips_with_the_full_tag_word),
      T(a_bad_mxcsr_is_refused), T(debug_registers_are_the_guests_own), T(msrs_are_there_one_by_one),
      T(a_missing_msr_clears_only_its_own_bit), T(all_groups_at_once))
