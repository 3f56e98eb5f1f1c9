/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Exact steps on a real KVM: what the guest can see after each, with KVM_GUESTDBG_BLOCKIRQ and without. */
#include "kvm_rig.h"

#include <linux/kvm_para.h>
#include <poll.h>

#include "../unit/test.h"
#include "util/bytes.h"
#include "util/macros.h"

enum {
	HANDLERS = RIG_CODE + 0x400, /* of vector n: 32 n bytes further */
	ENTRY = RIG_CODE + 0x200,    /* syscall */
	USER = RIG_CODE + 0x300,
	GDT = 0x14000,
	IDT = 0x15000,
	TSS = 0x16000,
	STACK0 = 0x7000, /* what the TSS has for ring 0 */
	USTACK = 0x6000,
};
enum { SEL_CODE = 0x08, SEL_DATA = 0x10, SEL_UDATA = 0x23, SEL_UCODE = 0x2b, SEL_TSS = 0x30 };
enum { TF = X86_RFLAGS_TF, IF = X86_RFLAGS_IF, BASE = 2 };
enum { NOP = 0x90 };

static struct x86_regs core(struct rig *r)
{
	struct arch_regs regs;

	rig_regs(r, 0, ARCH_CORE, &regs);
	return regs.x86;
}

static void set_core(struct rig *r, const struct x86_regs *x)
{
	struct arch_regs regs = { .have = ARCH_CORE, .x86 = *x };

	CHECK_EQ(rig_regs_write(r, 0, ARCH_CORE, &regs), 0);
}

static void set_flags(struct rig *r, uint64_t flags)
{
	struct x86_regs x = core(r);

	x.rflags = flags;
	set_core(r, &x);
}

static uint64_t item(struct rig *r, unsigned n)
{
	return ld_le64(r->ram + core(r).gpr[X86_RSP] + 8ull * n);
}

static void segment(struct x86_seg *s, uint16_t sel, uint16_t attr)
{
	*s = (struct x86_seg){ .limit = 0xffffffff, .sel = sel, .attr = attr };
}

/* 64-bit mode with everything that exceptions, system calls and ring 3 need. */
static void open_long(struct rig *r, unsigned ncpus, bool fallback)
{
	static const uint64_t gdt[] = { 0,
					0x00af9b000000ffff,
					0x00cf93000000ffff,
					0,
					0x00cff3000000ffff,
					0x00affb000000ffff,
					0x0000890000000067 | (uint64_t)TSS << 16,
					0 };
	struct arch_regs regs;

	rig_open(r, ncpus, false);
	if (fallback)
		r->port->caps_guest_debug &= ~KVM_GUESTDBG_BLOCKIRQ;
	for (unsigned i = 0; i < ARRAY_LEN(gdt); i++)
		st_le64(r->ram + GDT + 8 * i, gdt[i]);
	for (unsigned v = 0; v < 256; v++) {
		uint64_t to = HANDLERS + 32 * (v < 32 ? v : 32);
		uint64_t dpl = v == 3 || v >= 32 ? 3 : 0, type = v == 0x81 ? 0xf : 0xe;

		st_le64(r->ram + IDT + 16 * v, (to & 0xffff) | SEL_CODE << 16 | (0x80 | dpl << 5 | type) << 40);
		st_le64(r->ram + IDT + 16 * v + 8, 0);
	}
	memset(r->ram + HANDLERS, NOP, 33 * 32);
	st_le64(r->ram + TSS + 4, STACK0);
	for (unsigned i = 0; i < ncpus; i++) {
		rig_long_mode(r, i);
		/* everything is for ring 3, too */
		for (unsigned k = 0; k < 2; k++)
			st_le64(r->ram + RIG_TABLES + 0x1000 * k, ld_le64(r->ram + RIG_TABLES + 0x1000 * k) | 7);
		st_le64(r->ram + RIG_TABLES + 0x2000, 0x87);
		st_le64(r->ram + RIG_TABLES + 0x2000 + 8 * 511, 0); // the last 2 MiB are not there
		rig_regs(r, i, ARCH_CORE | ARCH_SYS | ARCH_MSR, &regs);
		regs.x86.gdt = (struct x86_table){ .base = GDT, .limit = sizeof(gdt) - 1 };
		regs.x86.idt = (struct x86_table){ .base = IDT, .limit = 0xfff };
		regs.x86.seg[X86_TR] = (struct x86_seg){ .base = TSS, .limit = 0x67, .sel = SEL_TSS, .attr = 0x8b };
		regs.x86.efer |= 1; // syscall
		regs.x86.msr[X86_MSR_STAR] = (uint64_t)SEL_CODE << 32 | (uint64_t)(SEL_UDATA - 8) << 48;
		regs.x86.msr[X86_MSR_LSTAR] = ENTRY;
		regs.x86.msr[X86_MSR_SFMASK] = TF | IF;
		CHECK_EQ(rig_regs_write(r, i, ARCH_SYS, &regs), 0);
		CHECK_EQ(rig_regs_write(r, i, ARCH_MSR, &regs), 0);
		regs.x86.gpr[X86_RSP] = RIG_STACK - 0x100 * i;
		regs.x86.rflags = BASE | IF;
		CHECK_EQ(rig_regs_write(r, i, ARCH_CORE, &regs), 0);
	}
}

static void to_ring3(struct rig *r)
{
	struct arch_regs regs;

	rig_regs(r, 0, ARCH_CORE | ARCH_SYS, &regs);
	segment(&regs.x86.seg[X86_CS], SEL_UCODE, 0xafb);
	segment(&regs.x86.seg[X86_SS], SEL_UDATA, 0xcf3);
	regs.x86.rip = USER;
	regs.x86.gpr[X86_RSP] = USTACK;
	CHECK_EQ(rig_regs_write(r, 0, ARCH_SYS | ARCH_CORE, &regs), 0);
}

/* What a stop shows without asking KVM is what KVM has: ARCH_MSR is never kept, and has all read anew. */
static void check_shown(struct rig *r)
{
	struct arch_regs shown = { 0 }, now = { 0 };

	rig_regs(r, 0, ARCH_CORE | ARCH_SYS, &shown);
	rig_regs(r, 0, ARCH_CORE | ARCH_SYS | ARCH_MSR, &now);
	CHECK_MEM(&shown.x86, &now.x86, offsetof(struct x86_regs, st)); // groups ARCH_CORE and ARCH_SYS
}

/* A step that ends at @to, and leaves no int3 of ours behind. */
#define CHECK_STEP(r, to)                                            \
	do {                                                         \
		struct stop_event ev_ = rig_step(r, 0);              \
		CHECK_EQ(ev_.why, STOP_STEP);                        \
		CHECK_EQ(ev_.pc.raw, to);                            \
		CHECK_EQ(rig_pc(r, 0), to);                          \
		check_shown(r);                                      \
		for (unsigned v_ = 0; v_ <= 32; v_++)                \
			CHECK_EQ((r)->ram[HANDLERS + 32 * v_], NOP); \
	} while (0)

/* The test is done with and without KVM's own blocking of interrupts. */
#define TEST_BOTH(name)                                        \
	static void name##_with(bool fallback);                \
	TEST(name)                                             \
	{                                                      \
		if (!rig_has_int3())                           \
			SKIP("this KVM does not report int3"); \
		name##_with(false);                            \
		name##_with(true);                             \
	}                                                      \
	static void name##_with(bool fallback)

/* ---- flags ---- */

TEST_BOTH(a_step_over_pushf_hides_the_trap_flag)
{
	struct rig r;

	open_long(&r, 1, fallback);
	RIG_CODE_AT(&r, RIG_CODE, 0x9c, 0x66, 0x9c, 0xfa, 0x9c); /* pushfq; pushfw; cli; pushfq */
	CHECK_STEP(&r, RIG_CODE + 1);
	CHECK_EQ(item(&r, 0), BASE | IF);
	CHECK_EQ(core(&r).rflags, BASE | IF);
	CHECK_STEP(&r, RIG_CODE + 3);
	CHECK_EQ(core(&r).gpr[X86_RSP], RIG_STACK - 10);
	CHECK_EQ(ld_le16(r.ram + RIG_STACK - 10), BASE | IF);
	CHECK_STEP(&r, RIG_CODE + 4);
	CHECK_STEP(&r, RIG_CODE + 5);
	CHECK_EQ(item(&r, 0), BASE);
	rig_close(&r);
}

TEST_BOTH(a_step_over_cli_and_sti_leaves_the_interrupt_flag_as_they_do)
{
	struct rig r;

	open_long(&r, 1, fallback);
	RIG_CODE_AT(&r, RIG_CODE, 0xfa, NOP, 0xfb, NOP, 0xfa);
	CHECK_STEP(&r, RIG_CODE + 1);
	CHECK_EQ(core(&r).rflags, BASE);
	CHECK_STEP(&r, RIG_CODE + 2);
	CHECK_EQ(core(&r).rflags, BASE);
	CHECK_STEP(&r, RIG_CODE + 3);
	CHECK_EQ(core(&r).rflags, BASE | IF);
	CHECK_STEP(&r, RIG_CODE + 4);
	CHECK_EQ(core(&r).rflags, BASE | IF);
	CHECK_STEP(&r, RIG_CODE + 5);
	CHECK_EQ(core(&r).rflags, BASE);
	rig_close(&r);
}

TEST_BOTH(a_step_over_popf_loads_what_the_guest_stored)
{
	static const struct {
		uint64_t before, image;
	} cases[] = { { IF, 0 }, { 0, IF }, { IF, IF | 1 }, { 0, 0x40 } };
	struct rig r;

	open_long(&r, 1, fallback);
	RIG_CODE_AT(&r, RIG_CODE, 0x9d);
	for (unsigned i = 0; i < ARRAY_LEN(cases); i++) {
		struct x86_regs x = core(&r);

		x.rip = RIG_CODE;
		x.gpr[X86_RSP] = RIG_STACK - 8;
		x.rflags = BASE | cases[i].before;
		set_core(&r, &x);
		st_le64(r.ram + RIG_STACK - 8, cases[i].image);
		CHECK_STEP(&r, RIG_CODE + 1);
		CHECK_EQ(core(&r).rflags, BASE | cases[i].image);
	}
	rig_close(&r);
}

TEST_BOTH(popf_in_ring_3_does_not_change_the_interrupt_flag)
{
	struct rig r;

	open_long(&r, 1, fallback);
	to_ring3(&r);
	RIG_CODE_AT(&r, USER, 0x9d, 0x9c);
	st_le64(r.ram + USTACK, BASE | 1);
	CHECK_STEP(&r, USER + 1);
	CHECK_EQ(core(&r).rflags, BASE | IF | 1);
	CHECK_STEP(&r, USER + 2);
	CHECK_EQ(item(&r, 0), BASE | IF | 1);
	rig_close(&r);
}

/* ---- exceptions and interrupts by instruction ---- */

static void check_frame(struct rig *r, bool error_code, uint64_t rip, uint64_t flags)
{
	CHECK_EQ(item(r, error_code), rip);
	CHECK_EQ(item(r, error_code + 2) & ~(uint64_t)X86_RFLAGS_RF, flags);
}

TEST_BOTH(a_step_over_int_n_ends_in_its_handler)
{
	struct rig r;

	open_long(&r, 1, fallback);
	RIG_CODE_AT(&r, RIG_CODE, 0xcd, 0x80, 0xcd, 0x81, 0xcd, 0x05);
	RIG_CODE_AT(&r, HANDLERS + 32 * 32, NOP, 0x48, 0xcf);
	CHECK_STEP(&r, HANDLERS + 32 * 32);
	check_frame(&r, false, RIG_CODE + 2, BASE | IF);
	CHECK_EQ(core(&r).rflags, BASE);
	CHECK_STEP(&r, HANDLERS + 32 * 32 + 1);
	CHECK_STEP(&r, RIG_CODE + 2); /* iretq */
	CHECK_EQ(core(&r).rflags, BASE | IF);
	/* by a trap gate the interrupt flag stays */
	CHECK_STEP(&r, HANDLERS + 32 * 32);
	check_frame(&r, false, RIG_CODE + 4, BASE | IF);
	CHECK_EQ(core(&r).rflags, BASE | IF);
	rig_set_pc(&r, 0, RIG_CODE + 4);
	CHECK_STEP(&r, HANDLERS + 32 * 5);
	check_frame(&r, false, RIG_CODE + 6, BASE | IF);
	rig_close(&r);
}

TEST_BOTH(a_step_over_the_guests_own_int3_ends_in_its_handler)
{
	struct rig r;

	open_long(&r, 1, fallback);
	RIG_CODE_AT(&r, RIG_CODE, 0xcc);
	CHECK_STEP(&r, HANDLERS + 32 * 3);
	check_frame(&r, false, RIG_CODE + 1, BASE | IF);
	CHECK_EQ(core(&r).rflags, BASE);
	to_ring3(&r);
	RIG_CODE_AT(&r, USER, 0xcc);
	set_flags(&r, BASE | IF);
	CHECK_STEP(&r, HANDLERS + 32 * 3);
	check_frame(&r, false, USER + 1, BASE | IF);
	CHECK_EQ(core(&r).gpr[X86_RSP], STACK0 - 40);
	rig_close(&r);
}

/* Some hypervisors do not know icebp, and make it an undefined opcode. */
TEST_BOTH(a_step_over_icebp_ends_where_it_leads)
{
	struct rig r;
	uint64_t to;

	open_long(&r, 1, fallback);
	RIG_CODE_AT(&r, RIG_CODE, 0xf1);
	RIG_CODE_AT(&r, HANDLERS + 32, 0xe6, RIG_PORT_OFF);
	RIG_CODE_AT(&r, HANDLERS + 32 * 6, 0xe6, RIG_PORT_OFF);
	to = rig_run(&r).pc.raw - 2;
	rig_close(&r);
	open_long(&r, 1, fallback);
	RIG_CODE_AT(&r, RIG_CODE, 0xf1);
	CHECK_STEP(&r, to);
	check_frame(&r, false, to == HANDLERS + 32 ? RIG_CODE + 1 : RIG_CODE, BASE | IF);
	rig_close(&r);
}

TEST_BOTH(a_step_that_faults_ends_in_the_handler)
{
	struct rig r;
	struct arch_regs regs;

	open_long(&r, 1, fallback);
	RIG_CODE_AT(&r, RIG_CODE, 0x0f, 0x0b, 0x31, 0xc9, 0xf7, 0xf1); /* ud2; xor ecx, ecx; div ecx */
	CHECK_STEP(&r, HANDLERS + 32 * 6);
	check_frame(&r, false, RIG_CODE, BASE | IF);
	CHECK_EQ(core(&r).rflags & ~(uint64_t)X86_RFLAGS_RF, BASE);
	rig_set_pc(&r, 0, RIG_CODE + 2);
	set_flags(&r, BASE | IF);
	CHECK_STEP(&r, RIG_CODE + 4);
	CHECK_STEP(&r, HANDLERS);
	check_frame(&r, false, RIG_CODE + 4, BASE | IF | 0x44);
	/* mov eax, [0x3fffff00]: not present; then the same address not canonical */
	RIG_CODE_AT(&r, RIG_CODE, 0x8b, 0x04, 0x25, 0x00, 0xff, 0xff, 0x3f, 0x48, 0x8b, 0x01);
	rig_set_pc(&r, 0, RIG_CODE);
	set_flags(&r, BASE | IF);
	CHECK_STEP(&r, HANDLERS + 32 * 14);
	check_frame(&r, true, RIG_CODE, BASE | IF);
	rig_regs(&r, 0, ARCH_CORE | ARCH_SYS, &regs);
	CHECK_EQ(regs.x86.cr2, 0x3fffff00);
	regs.x86.gpr[X86_RCX] = 1ull << 62;
	regs.x86.rip = RIG_CODE + 7;
	regs.x86.rflags = BASE;
	set_core(&r, &regs.x86);
	CHECK_STEP(&r, HANDLERS + 32 * 13);
	check_frame(&r, true, RIG_CODE + 7, BASE);
	rig_close(&r);
}

TEST_BOTH(a_step_that_faults_in_ring_3_ends_in_the_handler)
{
	struct rig r;

	open_long(&r, 1, fallback);
	to_ring3(&r);
	RIG_CODE_AT(&r, USER, 0xf4); /* hlt */
	CHECK_STEP(&r, HANDLERS + 32 * 13);
	check_frame(&r, true, USER, BASE | IF);
	CHECK_EQ(item(&r, 5), SEL_UDATA);
	rig_close(&r);
}

TEST_BOTH(a_fetch_that_faults_ends_in_the_handler)
{
	struct rig r;

	open_long(&r, 1, fallback);
	rig_set_pc(&r, 0, 0x3fffff00);
	CHECK_STEP(&r, HANDLERS + 32 * 14);
	check_frame(&r, true, 0x3fffff00, BASE | IF);
	rig_close(&r);
}

/* ---- system calls ---- */

TEST_BOTH(a_step_over_syscall_and_sysret_leaves_no_flag_in_r11)
{
	struct rig r;

	open_long(&r, 1, fallback);
	to_ring3(&r);
	RIG_CODE_AT(&r, USER, 0x0f, 0x05, NOP);
	RIG_CODE_AT(&r, ENTRY, NOP, 0x48, 0x0f, 0x07); /* nop; sysretq */
	CHECK_STEP(&r, ENTRY);
	CHECK_EQ(r.ram[ENTRY], NOP);
	CHECK_EQ(core(&r).gpr[X86_R11], BASE | IF);
	CHECK_EQ(core(&r).gpr[X86_RCX], USER + 2);
	CHECK_EQ(core(&r).rflags, BASE);
	CHECK_STEP(&r, ENTRY + 1);
	CHECK_STEP(&r, USER + 2);
	CHECK_EQ(core(&r).gpr[X86_R11], BASE | IF);
	CHECK_EQ(core(&r).rflags, BASE | IF);
	CHECK_STEP(&r, USER + 3);
	rig_close(&r);
}

TEST_BOTH(a_syscall_that_keeps_the_trap_flag_is_one_step)
{
	struct rig r;
	struct arch_regs regs;

	open_long(&r, 1, fallback);
	rig_regs(&r, 0, ARCH_MSR, &regs);
	regs.x86.msr[X86_MSR_SFMASK] = 0;
	CHECK_EQ(rig_regs_write(&r, 0, ARCH_MSR, &regs), 0);
	to_ring3(&r);
	RIG_CODE_AT(&r, USER, 0x0f, 0x05);
	CHECK_STEP(&r, ENTRY);
	CHECK_EQ(core(&r).gpr[X86_R11], BASE | IF);
	CHECK_EQ(core(&r).rflags, BASE | IF);
	rig_close(&r);
}

/* ---- one at a time ---- */

TEST_BOTH(a_step_over_mov_ss_takes_one_instruction)
{
	struct rig r;

	open_long(&r, 1, fallback);
	RIG_CODE_AT(&r, RIG_CODE, 0xb8, SEL_DATA, 0, 0, 0, 0x8e, 0xd0, NOP, NOP);
	CHECK_STEP(&r, RIG_CODE + 5);
	CHECK_STEP(&r, RIG_CODE + 7);
	CHECK_EQ(r.ram[RIG_CODE + 7], NOP);
	CHECK_STEP(&r, RIG_CODE + 8);
	rig_close(&r);
}

TEST_BOTH(a_step_over_hlt_ends_behind_it)
{
	struct rig r;

	open_long(&r, 1, fallback);
	RIG_CODE_AT(&r, RIG_CODE, 0xf4, 0xf4, NOP);
	CHECK_STEP(&r, RIG_CODE + 1);
	CHECK_STEP(&r, RIG_CODE + 2);
	CHECK_STEP(&r, RIG_CODE + 3);
	CHECK_EQ(core(&r).rflags, BASE | IF);
	rig_close(&r);
}

TEST_BOTH(a_step_over_rep_movs_takes_one_iteration)
{
	struct rig r;
	struct x86_regs x;

	open_long(&r, 1, fallback);
	RIG_CODE_AT(&r, RIG_CODE, 0xf3, 0xa4, NOP);
	x = core(&r);
	x.gpr[X86_RCX] = 3;
	x.gpr[X86_RSI] = RIG_CODE;
	x.gpr[X86_RDI] = RIG_DATA;
	set_core(&r, &x);
	for (unsigned i = 1; i < 3; i++) {
		CHECK_STEP(&r, RIG_CODE);
		CHECK_EQ(core(&r).gpr[X86_RCX], 3 - i);
	}
	CHECK_STEP(&r, RIG_CODE + 2);
	CHECK_MEM(r.ram + RIG_DATA, r.ram + RIG_CODE, 3);
	rig_close(&r);
}

TEST_BOTH(an_instruction_across_two_pages_is_one_step)
{
	struct rig r;

	open_long(&r, 1, fallback);
	RIG_CODE_AT(&r, RIG_CODE + 0xffe, 0x48, 0xc7, 0x04, 0x25, 0x00, 0x30, 0, 0, 0x78, 0x56, 0x34, 0x12);
	rig_set_pc(&r, 0, RIG_CODE + 0xffe);
	CHECK_STEP(&r, RIG_CODE + 0xffe + 12);
	CHECK_EQ(ld_le64(r.ram + 0x3000), 0x12345678);
	rig_close(&r);
}

TEST_BOTH(instructions_that_exit_to_kvm_are_one_step)
{
	struct rig r;

	open_long(&r, 1, fallback);
	/* xor eax, eax; cpuid; mov ecx, LSTAR; rdmsr; wrmsr; in al, 0x71; out 0x80, al; mov al, [0xa0000] */
	RIG_CODE_AT(&r, RIG_CODE, 0x31, 0xc0, 0x0f, 0xa2, 0xb9, 0x82, 0, 0, 0xc0, 0x0f, 0x32, 0x0f, 0x30, 0xe4, 0x71,
		    0xe6, 0x80, 0x8a, 0x04, 0x25, 0, 0, 0x0a, 0, NOP);
	CHECK_STEP(&r, RIG_CODE + 2);
	CHECK_STEP(&r, RIG_CODE + 4);
	CHECK_STEP(&r, RIG_CODE + 9);
	CHECK_STEP(&r, RIG_CODE + 11);
	CHECK_EQ(core(&r).gpr[X86_RAX], ENTRY);
	CHECK_STEP(&r, RIG_CODE + 13);
	CHECK_STEP(&r, RIG_CODE + 15);
	CHECK_STEP(&r, RIG_CODE + 17);
	CHECK_STEP(&r, RIG_CODE + 24);
	CHECK_EQ(r.nlog, 3);
	rig_close(&r);
}

TEST_BOTH(a_hypercall_is_one_step)
{
	struct rig r;

	open_long(&r, 1, fallback);
	RIG_CODE_AT(&r, RIG_CODE, 0x6a, 100, 0x58, 0x0f, 0x01, 0xd9, NOP); /* push 100; pop rax; vmmcall */
	CHECK_STEP(&r, RIG_CODE + 2);
	CHECK_STEP(&r, RIG_CODE + 3);
	CHECK_STEP(&r, RIG_CODE + 6);
	CHECK_EQ(core(&r).gpr[X86_RAX], (uint64_t)-KVM_ENOSYS); /* there is none of this number */
	CHECK_STEP(&r, RIG_CODE + 7);
	rig_close(&r);
}

/* ---- the guest steps itself ---- */

TEST_BOTH(a_trap_flag_of_the_guests_own_traps_as_a_part_of_the_step)
{
	struct rig r;
	struct arch_regs regs;

	open_long(&r, 1, fallback);
	RIG_CODE_AT(&r, RIG_CODE, 0x9d, NOP, 0x9c); /* popf; nop; pushf */
	RIG_CODE_AT(&r, HANDLERS + 32, NOP, 0x48, 0xcf);
	struct x86_regs x = core(&r);
	x.gpr[X86_RSP] = RIG_STACK - 8;
	set_core(&r, &x);
	st_le64(r.ram + RIG_STACK - 8, BASE | IF | TF);
	CHECK_STEP(&r, RIG_CODE + 1);
	CHECK_EQ(core(&r).rflags, BASE | IF | TF);
	CHECK_STEP(&r, HANDLERS + 32); /* nop, and its trap */
	check_frame(&r, false, RIG_CODE + 2, BASE | IF | TF);
	CHECK_EQ(core(&r).rflags, BASE);
	rig_regs(&r, 0, ARCH_DEBUG, &regs);
	CHECK_EQ(regs.x86.dr[6] & 0x400f, 0x4000);
	CHECK_STEP(&r, HANDLERS + 33);
	CHECK_STEP(&r, RIG_CODE + 2); /* iretq */
	CHECK_EQ(core(&r).rflags, BASE | IF | TF);
	CHECK_STEP(&r, HANDLERS + 32); /* pushf */
	check_frame(&r, false, RIG_CODE + 3, BASE | IF | TF);
	CHECK_EQ(ld_le64(r.ram + item(&r, 3)), BASE | IF | TF);
	rig_close(&r);
}

TEST_BOTH(a_trap_flag_of_the_guests_own_outlives_a_stop)
{
	struct rig r;
	struct x86_regs x;

	open_long(&r, 1, fallback);
	RIG_CODE_AT(&r, RIG_CODE, 0x9d, NOP, NOP);
	RIG_CODE_AT(&r, HANDLERS + 32, 0xb0, 0, 0xe6, RIG_PORT_OFF);
	x = core(&r);
	x.gpr[X86_RSP] = RIG_STACK - 8;
	set_core(&r, &x);
	st_le64(r.ram + RIG_STACK - 8, BASE | IF | TF);
	CHECK_EQ(rig_step(&r, 0).pc.raw, RIG_CODE + 1);
	CHECK_EQ(rig_run(&r).why, STOP_POWER_OFF);
	check_frame(&r, false, RIG_CODE + 2, BASE | IF | TF);
	rig_close(&r);
}

TEST_BOTH(a_data_breakpoint_of_the_guests_own_hits_in_a_step)
{
	struct rig r;
	struct arch_regs regs;

	if (!rig_has_watch())
		SKIP("this KVM has no debug registers");
	open_long(&r, 1, fallback);
	RIG_CODE_AT(&r, RIG_CODE, 0x88, 0x04, 0x25, 0x00, 0x20, 0, 0, NOP); /* mov [0x2000], al */
	rig_regs(&r, 0, ARCH_DEBUG, &regs);
	regs.x86.dr[1] = RIG_DATA;
	regs.x86.dr[7] = 0x400 | 3 << 2 | 1 << 20;
	CHECK_EQ(rig_regs_write(&r, 0, ARCH_DEBUG, &regs), 0);
	CHECK_STEP(&r, HANDLERS + 32);
	check_frame(&r, false, RIG_CODE + 7, BASE | IF);
	rig_regs(&r, 0, ARCH_DEBUG, &regs);
	CHECK_EQ(regs.x86.dr[6] & 0x400f, 2);
	rig_close(&r);
}

/* Ours takes a slot; the guest's own has another one, and is told by its own number. */
TEST(debug_registers_of_the_guests_own_hit_while_ours_are_in)
{
	const struct target_break ours = { .kind = TARGET_BREAK_HW, .at = GVA(RIG_CODE + 7), .len = 1 };
	struct rig r;
	struct arch_regs regs;

	if (!rig_has_int3() || !rig_has_watch())
		SKIP("this KVM has no breakpoints");
	for (unsigned stepped = 0; stepped < 2; stepped++) {
		open_long(&r, 1, false);
		/* mov [0x2000], al; nop */
		RIG_CODE_AT(&r, RIG_CODE, 0x88, 0x04, 0x25, 0x00, 0x20, 0, 0, NOP, 0xeb, 0xfe);
		RIG_CODE_AT(&r, HANDLERS + 32, NOP, 0x48, 0xcf);
		rig_regs(&r, 0, ARCH_DEBUG, &regs);
		regs.x86.dr[2] = RIG_DATA;
		regs.x86.dr[7] = 0x400 | 3 << 4 | 1 << 24;
		CHECK_EQ(rig_regs_write(&r, 0, ARCH_DEBUG, &regs), 0);
		CHECK_EQ(kvm_cpus_hw_set(r.cpus, &ours, 1), 0);
		if (stepped) {
			CHECK_STEP(&r, HANDLERS + 32);
			check_frame(&r, false, RIG_CODE + 7, BASE | IF);
		}
		CHECK_EQ(rig_run(&r).why, STOP_HWBREAK);
		CHECK_EQ(rig_pc(&r, 0), RIG_CODE + 7);
		rig_regs(&r, 0, ARCH_DEBUG, &regs);
		CHECK_EQ(regs.x86.dr[6] & 0x400f, 4); // its handler has not cleared it
		CHECK_EQ(ld_le64(r.ram + RIG_STACK - 40), RIG_CODE + 7);
		rig_close(&r);
	}
}

/* ---- other modes ---- */

TEST_BOTH(a_step_over_int_n_in_real_mode_ends_in_its_handler)
{
	struct rig r;
	struct x86_regs x;

	rig_open(&r, 1, false);
	if (fallback)
		r.port->caps_guest_debug &= ~KVM_GUESTDBG_BLOCKIRQ;
	memset(r.ram + HANDLERS, NOP, 33 * 32);
	RIG_CODE_AT(&r, RIG_CODE, 0xfb, 0xcd, 0x21, 0x9c);
	st_le32(r.ram + 4 * 0x21, HANDLERS >> 4 << 16 | 32 * 32);
	RIG_CODE_AT(&r, HANDLERS + 32 * 32, NOP, 0xcf);
	CHECK_STEP(&r, RIG_CODE + 1);
	CHECK_STEP(&r, HANDLERS + 32 * 32);
	x = core(&r);
	CHECK_EQ(x.rflags, BASE);
	CHECK_EQ(x.rip, 32 * 32);
	CHECK_EQ(ld_le16(r.ram + x.gpr[X86_RSP]), RIG_CODE + 3);
	CHECK_EQ(ld_le16(r.ram + x.gpr[X86_RSP] + 4), BASE | IF);
	CHECK_STEP(&r, HANDLERS + 32 * 32 + 1);
	CHECK_STEP(&r, RIG_CODE + 3);
	CHECK_EQ(core(&r).rflags, BASE | IF);
	CHECK_STEP(&r, RIG_CODE + 4);
	CHECK_EQ(ld_le16(r.ram + core(&r).gpr[X86_RSP]), BASE | IF);
	rig_close(&r);
}

/* ---- one after another ---- */

/* A step that is asked for as a client's next packet does, without a look at the vCPU in between. Returns: the pc. */
static uint64_t step_on(struct rig *r, bool *at_once)
{
	struct resume_plan plan = { .looks = true };
	struct stop_event ev;

	plan.vcpu[0].action = TARGET_STEP;
	CHECK_EQ(kvm_cpus_resume(r->cpus, &plan), 0);
	*at_once = kvm_cpus_next_stop(r->cpus, &ev) == 0;
	if (!*at_once)
		ev = rig_wait(r);
	CHECK(rig_quiet(r, 0));
	CHECK_EQ(ev.why, STOP_STEP);
	return ev.pc.raw;
}

TEST_BOTH(steps_in_a_row_end_where_each_alone_does)
{
	static const uint8_t ends[] = { 3, 4, 5, 12, 15, 0 };
	bool at_once = false;
	struct rig r;

	open_long(&r, 1, fallback);
	/* 1: inc rax; pushfq; pop rbx; mov [RIG_MMIO], al; or rdx, rbx; jmp 1b */
	RIG_CODE_AT(&r, RIG_CODE, 0x48, 0xff, 0xc0, 0x9c, 0x5b, 0x88, 0x04, 0x25, 0, 0, 0x0a, 0, 0x48, 0x09, 0xda, 0xeb,
		    0xef);
	for (unsigned i = 0; i < 10 * ARRAY_LEN(ends); i++)
		CHECK_EQ(step_on(&r, &at_once), RIG_CODE + ends[i % ARRAY_LEN(ends)]);
	CHECK(at_once);
	CHECK_EQ(r.nlog, 10);
	CHECK_EQ(core(&r).gpr[X86_RAX], 10);
	CHECK_EQ(core(&r).gpr[X86_RDX] & (TF | IF), IF);
	rig_close(&r);
}

TEST_BOTH(what_comes_behind_steps_in_a_row_sees_no_trap_flag)
{
	bool at_once;
	struct rig r;

	open_long(&r, 1, fallback);
	RIG_CODE_AT(&r, RIG_CODE, 0xeb, 0xfe); /* jmp back to itself */
	for (unsigned i = 0; i < 30; i++)
		CHECK_EQ(step_on(&r, &at_once), RIG_CODE);
	/* The debugger sets the flag: the guest's own, from here on. */
	set_flags(&r, BASE | IF | TF);
	CHECK_EQ(core(&r).rflags, BASE | IF | TF);
	CHECK_STEP(&r, HANDLERS + 32);
	check_frame(&r, false, RIG_CODE, BASE | IF | TF);
	rig_set_pc(&r, 0, RIG_CODE);
	for (unsigned i = 0; i < 30; i++)
		CHECK_EQ(step_on(&r, &at_once), RIG_CODE);
	RIG_CODE_AT(&r, RIG_CODE, 0x9c, 0x5b, 0xe6, RIG_PORT_OFF); /* pushfq; pop rbx; out */
	set_core(&r, &(struct x86_regs){ .rip = RIG_CODE, .gpr[X86_RSP] = RIG_STACK, .rflags = BASE });
	CHECK_EQ(step_on(&r, &at_once), RIG_CODE + 1);
	CHECK_EQ(rig_run(&r).why, STOP_POWER_OFF);
	CHECK_EQ(core(&r).gpr[X86_RBX], BASE);
	rig_close(&r);
}

TEST_BOTH(steps_in_a_row_follow_the_page_tables)
{
	enum { AT = 0x200000, TABLE = 0x18000, OTHER = 0x19000, LEN = 6 };
	static const uint8_t ends[] = { 3, 6, 0 };
	bool at_once;
	struct rig r;

	open_long(&r, 1, fallback);
	st_le64(r.ram + RIG_TABLES + 0x2008, TABLE | 3);
	st_le64(r.ram + TABLE, RIG_CODE | 3);
	/* 1: mov rax, cr3; mov cr3, rax; jmp 1b */
	RIG_CODE_AT(&r, RIG_CODE, 0x0f, 0x20, 0xd8, 0x0f, 0x22, 0xd8, 0xeb, 0xf8);
	rig_set_pc(&r, 0, AT);
	for (unsigned i = 0; i < 10 * ARRAY_LEN(ends) + 1; i++)
		CHECK_EQ(step_on(&r, &at_once), AT + ends[i % ARRAY_LEN(ends)]);
	/* Behind the mov to cr3 there is another page now, with pushfq in place of the jmp. */
	st_le64(r.ram + TABLE, OTHER | 3);
	memcpy(r.ram + OTHER, r.ram + RIG_CODE, LEN);
	RIG_CODE_AT(&r, OTHER + LEN, 0x9c);
	CHECK_EQ(step_on(&r, &at_once), AT + LEN);
	CHECK_EQ(step_on(&r, &at_once), AT + LEN + 1);
	CHECK_EQ(item(&r, 0) & (TF | IF), IF);
	rig_close(&r);
}

/* ---- several vCPUs ---- */

/* Has the second vCPU passed often enough, and the first as well? Both count in the handler. */
static bool enough(struct rig *r)
{
	uint64_t all = __atomic_load_n((uint64_t *)(void *)(r->ram + RIG_DATA), __ATOMIC_SEQ_CST);
	uint64_t own = __atomic_load_n((uint64_t *)(void *)(r->ram + 0x3000), __ATOMIC_SEQ_CST);

	return own > 5 && all > own + 5; // one of its own may not be in all yet
}

/* vCPU 0 steps a range that faults on and on, vCPU 1 runs through the same handlers. */
TEST_BOTH(another_vcpu_runs_through_the_handlers_of_one_that_steps)
{
	struct rig r;
	struct resume_plan plan = { 0 };
	uint64_t n;

	open_long(&r, 2, fallback);
	RIG_CODE_AT(&r, RIG_CODE, 0x0f, 0x0b, 0xeb, 0xfc); /* 1: ud2; jmp 1b */
	/* lock inc qword [0x2000]; add qword [rsp], 2; iretq */
	RIG_CODE_AT(&r, HANDLERS + 32 * 6, 0xf0, 0x48, 0xff, 0x04, 0x25, 0, 0x20, 0, 0, 0x48, 0x83, 0x04, 0x24, 2, 0x48,
		    0xcf);
	/* inc qword [0x3000]; ud2; jmp back */
	RIG_CODE_AT(&r, RIG_CODE + 0x100, 0x48, 0xff, 0x04, 0x25, 0, 0x30, 0, 0, 0x0f, 0x0b, 0xeb, 0xf4);
	rig_set_pc(&r, 1, RIG_CODE + 0x100);
	plan.vcpu[0].action = TARGET_STEP_RANGE;
	plan.vcpu[0].lo = GVA(RIG_CODE);
	plan.vcpu[0].hi = GVA(HANDLERS + 32 * 32);
	plan.vcpu[1].action = TARGET_RUN;
	CHECK_EQ(kvm_cpus_resume(r.cpus, &plan), 0);
	CHECK(rig_quiet(&r, 1500));
	for (unsigned i = 0; i < 3000 && !enough(&r); i++)
		CHECK(rig_quiet(&r, 10));
	CHECK_EQ(kvm_cpus_interrupt(r.cpus), 0);
	CHECK_EQ(rig_wait(&r).why, STOP_INTERRUPT);
	n = ld_le64(r.ram + 0x3000);
	print_message("the other passed %d times, all in all %d\n", (int)n, (int)ld_le64(r.ram + RIG_DATA));
	CHECK(n > 5);
	CHECK(ld_le64(r.ram + RIG_DATA) >= n + 5);
	CHECK_EQ(r.ram[HANDLERS + 32 * 6], 0xf0);
	rig_close(&r);
}

TESTS(T(a_step_over_pushf_hides_the_trap_flag), T(a_step_over_cli_and_sti_leaves_the_interrupt_flag_as_they_do),
      T(a_step_over_popf_loads_what_the_guest_stored), T(popf_in_ring_3_does_not_change_the_interrupt_flag),
      T(a_step_over_int_n_ends_in_its_handler), T(a_step_over_the_guests_own_int3_ends_in_its_handler),
      T(a_step_over_icebp_ends_where_it_leads), T(a_step_that_faults_ends_in_the_handler),
      T(a_step_that_faults_in_ring_3_ends_in_the_handler), T(a_fetch_that_faults_ends_in_the_handler),
      T(a_step_over_syscall_and_sysret_leaves_no_flag_in_r11), T(a_syscall_that_keeps_the_trap_flag_is_one_step),
      T(a_step_over_mov_ss_takes_one_instruction), T(a_step_over_hlt_ends_behind_it),
      T(a_step_over_rep_movs_takes_one_iteration), T(an_instruction_across_two_pages_is_one_step),
      T(instructions_that_exit_to_kvm_are_one_step), T(a_hypercall_is_one_step),
      T(a_trap_flag_of_the_guests_own_traps_as_a_part_of_the_step), T(a_trap_flag_of_the_guests_own_outlives_a_stop),
      T(a_data_breakpoint_of_the_guests_own_hits_in_a_step), T(debug_registers_of_the_guests_own_hit_while_ours_are_in),

      T(a_step_over_int_n_in_real_mode_ends_in_its_handler), T(steps_in_a_row_end_where_each_alone_does),
      T(what_comes_behind_steps_in_a_row_sees_no_trap_flag), T(steps_in_a_row_follow_the_page_tables),
      T(another_vcpu_runs_through_the_handlers_of_one_that_steps))
