/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* vCPU threads, steps, breakpoints and the ends of a guest, on a real KVM with hand-made guests. */
#include "kvm_rig.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/ioctl.h>

#include "../unit/test.h"
#include "util/bytes.h"
#include "util/macros.h"

/* 16-bit machine code */
#define INC_AX 0x40
#define NOP 0x90
#define INT3 0xcc
#define HLT 0xf4
#define IRET 0xcf
#define PUSHF 0x9c
#define JMP_SELF 0xeb, 0xfe
#define OUT_80 0xe6, 0x80
#define IN_71 0xe4, 0x71
#define INC_MEM(at) 0xff, 0x06, (at)&0xff, (at) >> 8
#define POWER_OFF 0xb0, 0x00, 0xe6, RIG_PORT_OFF
#define REBOOT 0xb0, 0x01, 0xe6, RIG_PORT_OFF

enum { HANDLER = RIG_CODE + 0x100, GDT = 0x14000, IDT = 0x15000 };

#define CHECK_STOP(ev, why_, pc_)                                                                    \
	do {                                                                                         \
		struct stop_event ev_ = (ev);                                                        \
		if (ev_.why != (why_))                                                               \
			print_message("stop %d at %#lx: %s\n", ev_.why, (long)ev_.pc.raw, ev_.text); \
		CHECK_EQ(ev_.why, why_);                                                             \
		CHECK_EQ(ev_.pc.raw, pc_);                                                           \
	} while (0)

static void vector_real(struct rig *r, unsigned vector, uint16_t to)
{
	st_le32(r->ram + 4 * vector, to);
}

static uint64_t gpr(struct rig *r, unsigned vcpu, unsigned nr)
{
	struct arch_regs regs;

	rig_regs(r, vcpu, ARCH_CORE, &regs);
	return regs.x86.gpr[nr];
}

static void hw_break(struct rig *r, uint64_t at)
{
	const struct target_break b = { .kind = TARGET_BREAK_HW, .at = GVA(at), .len = 1 };

	CHECK_EQ(kvm_cpus_hw_set(r->cpus, &b, 1), 0);
}

static void mmio_ds(struct rig *r)
{
	struct arch_regs regs;

	rig_regs(r, 0, ARCH_SYS, &regs);
	regs.x86.seg[X86_DS].base = RIG_MMIO;
	regs.x86.seg[X86_DS].sel = RIG_MMIO >> 4;
	CHECK_EQ(rig_regs_write(r, 0, ARCH_SYS, &regs), 0);
}

/* ---- holding and interrupting ---- */

TEST(vcpus_are_held_before_their_first_instruction)
{
	struct rig r;

	rig_open(&r, 2, false);
	RIG_CODE_AT(&r, RIG_CODE, INC_MEM(RIG_DATA), JMP_SELF);
	CHECK(rig_quiet(&r, 20));
	CHECK_EQ(rig_pc(&r, 0), RIG_CODE);
	CHECK_EQ(rig_pc(&r, 1), RIG_CODE);
	rig_resume(&r, 0, TARGET_HOLD, TARGET_HOLD);
	CHECK(rig_quiet(&r, 20));
	CHECK_EQ(kvm_cpus_interrupt(r.cpus), 0);
	CHECK_STOP(rig_wait(&r), STOP_INTERRUPT, RIG_CODE);
	CHECK_EQ(ld_le16(r.ram + RIG_DATA), 0);
	rig_close(&r);
}

TEST(interrupt_stops_a_busy_guest_with_one_event)
{
	struct rig r;
	struct stop_event ev;

	rig_open(&r, 2, false);
	RIG_CODE_AT(&r, RIG_CODE, JMP_SELF);
	for (unsigned i = 0; i < 20; i++) {
		rig_resume(&r, 0, TARGET_RUN, TARGET_RUN);
		for (unsigned k = 0; k < 3; k++)
			CHECK_EQ(kvm_cpus_interrupt(r.cpus), 0);
		ev = rig_wait(&r);
		CHECK_STOP(ev, STOP_INTERRUPT, RIG_CODE);
		CHECK_EQ(ev.vcpu, 0);
		CHECK_EQ(kvm_cpus_interrupt(r.cpus), 0); // stopped: nothing happens
	}
	rig_resume(&r, 0, TARGET_RUN, TARGET_RUN);
	CHECK(rig_quiet(&r, 20));
	rig_close(&r);
}

TEST(held_vcpus_do_not_run)
{
	struct rig r;

	rig_open(&r, 2, false);
	rig_private_data(&r);
	RIG_CODE_AT(&r, RIG_CODE, INC_MEM(0), 0xeb, 0xfa);
	rig_resume(&r, 1, TARGET_RUN, TARGET_HOLD);
	while (!__atomic_load_n((uint16_t *)(void *)(r.ram + RIG_DATA + 0x100), __ATOMIC_SEQ_CST))
		poll(NULL, 0, 1);
	kvm_cpus_interrupt(r.cpus);
	CHECK_STOP(rig_wait(&r), STOP_INTERRUPT, RIG_CODE);
	CHECK_EQ(ld_le16(r.ram + RIG_DATA), 0);
	rig_close(&r);
}

TEST(running_vcpus_refuse_calls)
{
	struct rig r;
	struct arch_regs regs = { 0 };
	struct resume_plan plan = { 0 };

	rig_open(&r, 1, false);
	RIG_CODE_AT(&r, RIG_CODE, JMP_SELF);
	rig_resume(&r, 0, TARGET_RUN, TARGET_RUN);
	CHECK_EQ(rig_regs_write(&r, 0, ARCH_CORE, &regs), -EBUSY);
	CHECK_EQ(kvm_cpus_resume(r.cpus, &plan), -EBUSY);
	CHECK_EQ(kvm_cpus_hw_set(r.cpus, NULL, 0), -EBUSY);
	rig_close(&r);
}

/* ---- steps ---- */

TEST(a_step_takes_one_instruction)
{
	struct rig r;

	rig_open(&r, 2, false);
	RIG_CODE_AT(&r, RIG_CODE, INC_AX, INC_AX, 0xe9, 0x0d, 0x00);
	for (unsigned i = 1; i <= 2; i++) {
		CHECK_STOP(rig_step(&r, 0), STOP_STEP, RIG_CODE + i);
		CHECK_EQ(gpr(&r, 0, X86_RAX), i);
	}
	CHECK_STOP(rig_step(&r, 0), STOP_STEP, RIG_CODE + 0x12);
	CHECK_EQ(rig_pc(&r, 1), RIG_CODE);
	rig_close(&r);
}

TEST(a_step_after_a_register_write_starts_at_the_new_pc)
{
	struct rig r;

	rig_open(&r, 1, false);
	RIG_CODE_AT(&r, RIG_CODE, NOP, NOP);
	RIG_CODE_AT(&r, RIG_CODE + 0x40, INC_AX, INC_AX, INC_AX);
	CHECK_STOP(rig_step(&r, 0), STOP_STEP, RIG_CODE + 1);
	rig_set_pc(&r, 0, RIG_CODE + 0x40);
	CHECK_STOP(rig_step(&r, 0), STOP_STEP, RIG_CODE + 0x41);
	CHECK_EQ(gpr(&r, 0, X86_RAX), 1);
	rig_close(&r);
}

TEST(a_step_over_port_io_is_answered_and_counts_once)
{
	struct rig r;
	struct arch_regs regs;

	rig_open(&r, 1, false);
	RIG_CODE_AT(&r, RIG_CODE, 0xb0, 0x16, OUT_80, IN_71, INC_AX, INC_AX);
	CHECK_STOP(rig_step(&r, 0), STOP_STEP, RIG_CODE + 2);
	CHECK_STOP(rig_step(&r, 0), STOP_STEP, RIG_CODE + 4);
	CHECK_EQ(r.nlog, 1);
	CHECK_EQ(r.log[0].at, 0x80);
	CHECK_EQ(r.log[0].data, 0x16);
	CHECK_STOP(rig_step(&r, 0), STOP_STEP, RIG_CODE + 6);
	CHECK_EQ(gpr(&r, 0, X86_RAX), 0x71);
	CHECK_STOP(rig_step(&r, 0), STOP_STEP, RIG_CODE + 7);
	CHECK_EQ(gpr(&r, 0, X86_RAX), 0x72);
	CHECK_EQ(r.nlog, 2);
	rig_regs(&r, 0, ARCH_CORE, &regs);
	CHECK_EQ(regs.x86.rflags & X86_RFLAGS_TF, 0);
	rig_close(&r);
}

TEST(a_step_over_mmio_is_answered_and_counts_once)
{
	struct rig r;

	rig_open(&r, 1, false);
	mmio_ds(&r);
	/* mov [0x10], al; mov al, [0x20]; mov [0xffe], eax: across a page; inc ax */
	RIG_CODE_AT(&r, RIG_CODE, 0xa2, 0x10, 0, 0xa0, 0x20, 0, 0x66, 0xa3, 0xfe, 0x0f, INC_AX);
	CHECK_STOP(rig_step(&r, 0), STOP_STEP, RIG_CODE + 3);
	CHECK_EQ(r.nlog, 1);
	CHECK_EQ(r.log[0].at, RIG_MMIO + 0x10);
	CHECK(r.log[0].write);
	CHECK_STOP(rig_step(&r, 0), STOP_STEP, RIG_CODE + 6);
	CHECK_EQ(gpr(&r, 0, X86_RAX), 0x20);
	CHECK_STOP(rig_step(&r, 0), STOP_STEP, RIG_CODE + 10);
	CHECK_EQ(r.nlog, 4);
	CHECK_EQ(r.log[2].at, RIG_MMIO + 0xffe);
	CHECK_EQ(r.log[3].at, RIG_MMIO + 0x1000);
	CHECK_STOP(rig_step(&r, 0), STOP_STEP, RIG_CODE + 11);
	CHECK_EQ(gpr(&r, 0, X86_RAX), 0x21);
	rig_close(&r);
}

TEST(string_output_gives_every_byte)
{
	struct rig r;
	struct arch_regs regs;
	unsigned bytes = 0;

	rig_open(&r, 1, false);
	RIG_CODE_AT(&r, RIG_CODE, 0xf3, 0x6e, POWER_OFF); /* rep outsb */
	rig_regs(&r, 0, ARCH_CORE, &regs);
	regs.x86.gpr[X86_RCX] = 5;
	regs.x86.gpr[X86_RDX] = 0x80;
	regs.x86.gpr[X86_RSI] = RIG_DATA;
	CHECK_EQ(rig_regs_write(&r, 0, ARCH_CORE, &regs), 0);
	CHECK_EQ(rig_run(&r).why, STOP_POWER_OFF);
	for (unsigned i = 0; i < r.nlog; i++)
		bytes += r.log[i].count * r.log[i].size;
	CHECK_EQ(bytes, 5);
	rig_close(&r);
}

TEST(an_interrupted_vcpu_has_finished_its_port_read)
{
	struct rig r;
	struct arch_regs regs;

	rig_open(&r, 1, false);
	RIG_CODE_AT(&r, RIG_CODE, 0xb0, 0, IN_71, 0xeb, 0xfa); /* mov al, 0; in al, 0x71; jmp */
	for (unsigned i = 0; i < 50; i++) {
		rig_resume(&r, 0, TARGET_RUN, TARGET_RUN);
		kvm_cpus_interrupt(r.cpus);
		CHECK_EQ(rig_wait(&r).why, STOP_INTERRUPT);
		rig_regs(&r, 0, ARCH_CORE, &regs);
		if (regs.x86.rip == RIG_CODE + 4)
			CHECK_EQ(regs.x86.gpr[X86_RAX] & 0xff, 0x71);
		CHECK_EQ(rig_regs_write(&r, 0, ARCH_CORE, &regs), 0);
	}
	rig_close(&r);
}

TEST(what_is_written_to_an_interrupted_vcpu_is_not_undone_by_its_port_read)
{
	struct rig r;
	struct arch_regs regs;

	rig_open(&r, 1, false);
	RIG_CODE_AT(&r, RIG_CODE, 0xb0, 0, IN_71, 0xeb, 0xfa); /* mov al, 0; in al, 0x71; jmp */
	RIG_CODE_AT(&r, RIG_CODE + 0x20, JMP_SELF);
	for (unsigned i = 0; i < 50; i++) {
		rig_resume(&r, 0, TARGET_RUN, TARGET_RUN);
		kvm_cpus_interrupt(r.cpus);
		CHECK_EQ(rig_wait(&r).why, STOP_INTERRUPT);
		rig_regs(&r, 0, ARCH_CORE, &regs);
		regs.x86.rip = RIG_CODE + 0x20;
		regs.x86.gpr[X86_RAX] = 0x1234;
		CHECK_EQ(rig_regs_write(&r, 0, ARCH_CORE, &regs), 0);
		CHECK_STOP(rig_step(&r, 0), STOP_STEP, RIG_CODE + 0x20);
		rig_regs(&r, 0, ARCH_CORE, &regs);
		CHECK_EQ(regs.x86.gpr[X86_RAX], 0x1234);
		regs.x86.rip = RIG_CODE;
		CHECK_EQ(rig_regs_write(&r, 0, ARCH_CORE, &regs), 0);
	}
	rig_close(&r);
}

TEST(a_range_step_ends_at_the_first_pc_outside)
{
	struct rig r;
	struct resume_plan plan = { 0 };

	rig_open(&r, 1, false);
	RIG_CODE_AT(&r, RIG_CODE, INC_AX, OUT_80, 0x3d, 50, 0, 0x75, 0xf8, NOP); /* loop 50 times; nop */
	plan.vcpu[0].action = TARGET_STEP_RANGE;
	plan.vcpu[0].lo = GVA(RIG_CODE);
	plan.vcpu[0].hi = GVA(RIG_CODE + 8);
	CHECK_EQ(kvm_cpus_resume(r.cpus, &plan), 0);
	CHECK_STOP(rig_wait(&r), STOP_STEP, RIG_CODE + 8);
	CHECK_EQ(gpr(&r, 0, X86_RAX), 50);
	CHECK_EQ(r.nlog, 50);
	/* an endless one can be interrupted */
	RIG_CODE_AT(&r, RIG_CODE + 8, JMP_SELF);
	plan.vcpu[0].lo = GVA(RIG_CODE);
	plan.vcpu[0].hi = GVA(RIG_CODE + 10);
	CHECK_EQ(kvm_cpus_resume(r.cpus, &plan), 0);
	CHECK(rig_quiet(&r, 20));
	kvm_cpus_interrupt(r.cpus);
	CHECK_STOP(rig_wait(&r), STOP_INTERRUPT, RIG_CODE + 8);
	rig_close(&r);
}

TEST(a_step_takes_no_interrupt)
{
	struct rig r;
	struct arch_regs regs;
	struct kvm_irqchip pic = { .chip_id = KVM_IRQCHIP_PIC_MASTER };
	struct kvm_irq_level line = { .irq = 0, .level = 1 };

	rig_open(&r, 1, true);
	if (!(r.port->caps_guest_debug & KVM_GUESTDBG_BLOCKIRQ)) {
		rig_close(&r);
		SKIP("this KVM cannot block interrupts for a step");
	}
	RIG_CODE_AT(&r, RIG_CODE, INC_AX, INC_AX, INC_AX, POWER_OFF);
	RIG_CODE_AT(&r, HANDLER, INC_MEM(RIG_DATA), 0x50, 0xb0, 0x20, 0xe6, 0x20, 0x58, IRET);
	vector_real(&r, 0x20, HANDLER);
	CHECK_EQ(ioctl(r.vm_fd, KVM_GET_IRQCHIP, &pic), 0);
	pic.chip.pic.irq_base = 0x20;
	pic.chip.pic.imr = 0xfe;
	pic.chip.pic.init4 = 1;
	CHECK_EQ(ioctl(r.vm_fd, KVM_SET_IRQCHIP, &pic), 0);
	rig_regs(&r, 0, ARCH_CORE, &regs);
	regs.x86.rflags |= X86_RFLAGS_IF;
	CHECK_EQ(rig_regs_write(&r, 0, ARCH_CORE, &regs), 0);
	CHECK_EQ(ioctl(r.vm_fd, KVM_IRQ_LINE, &line), 0);
	CHECK_STOP(rig_step(&r, 0), STOP_STEP, RIG_CODE + 1);
	CHECK_STOP(rig_step(&r, 0), STOP_STEP, RIG_CODE + 2);
	CHECK_EQ(ld_le16(r.ram + RIG_DATA), 0);
	CHECK_EQ(rig_run(&r).why, STOP_POWER_OFF);
	CHECK_EQ(ld_le16(r.ram + RIG_DATA), 1);
	rig_close(&r);
}

/* ---- halted vCPUs ---- */

static void check_halt(bool irqchip)
{
	struct rig r;

	rig_open(&r, 1, irqchip);
	RIG_CODE_AT(&r, RIG_CODE, HLT, INC_AX, INC_AX);
	for (unsigned i = 0; i < 2; i++)
		CHECK_STOP(rig_run_from(&r, 0, RIG_CODE, 30), STOP_INTERRUPT, RIG_CODE + 1);
	CHECK_STOP(rig_step(&r, 0), STOP_STEP, RIG_CODE + 2);
	rig_set_pc(&r, 0, RIG_CODE);
	CHECK_STOP(rig_step(&r, 0), STOP_STEP, RIG_CODE + 1);
	rig_close(&r);
}

TEST(a_halted_vcpu_sleeps_until_it_is_stepped)
{
	check_halt(false);
}

TEST(a_vcpu_halted_in_kvm_sleeps_until_it_is_stepped)
{
	check_halt(true);
}

static void check_sent_elsewhere(bool irqchip)
{
	struct rig r;

	rig_open(&r, 1, irqchip);
	RIG_CODE_AT(&r, RIG_CODE, HLT, INC_AX, POWER_OFF);
	CHECK_STOP(rig_run_from(&r, 0, RIG_CODE, 30), STOP_INTERRUPT, RIG_CODE + 1);
	rig_set_pc(&r, 0, RIG_CODE + 1); // where it is: it sleeps on
	rig_resume(&r, 0, TARGET_RUN, TARGET_RUN);
	CHECK(rig_quiet(&r, 30));
	kvm_cpus_interrupt(r.cpus);
	CHECK_STOP(rig_wait(&r), STOP_INTERRUPT, RIG_CODE + 1);
	rig_set_pc(&r, 0, RIG_CODE + 2);
	CHECK_EQ(rig_run(&r).why, STOP_POWER_OFF);
	rig_close(&r);
}

TEST(a_halted_vcpu_whose_pc_is_set_goes_on_from_there)
{
	check_sent_elsewhere(false);
	check_sent_elsewhere(true);
}

/* Long enough a row of them is taken by the caller's thread, which must come back from each. */
static void check_many_steps(bool irqchip)
{
	static const uint8_t code[] = { INC_AX, HLT, INT3, 0xeb, 0xfb }; // jmp to the start
	struct rig r;

	if (!rig_has_int3())
		SKIP("int3 does not stop this KVM's guests");
	rig_open(&r, 2, irqchip);
	rig_code(&r, RIG_CODE, code, sizeof(code));
	vector_real(&r, 3, HANDLER);
	RIG_CODE_AT(&r, HANDLER, IRET);
	for (unsigned i = 0; i < 60; i++) {
		static const uint64_t pcs[] = { RIG_CODE + 1, RIG_CODE + 2, HANDLER, RIG_CODE + 3, RIG_CODE };
		struct stop_event ev = rig_step(&r, 0);

		CHECK_EQ(ev.why, STOP_STEP);
		CHECK_EQ(ev.pc.raw, pcs[i % ARRAY_LEN(pcs)]);
		CHECK_EQ(rig_pc(&r, 0), ev.pc.raw);
	}
	rig_set_pc(&r, 0, RIG_CODE + 1); // into hlt, from which only an interrupt takes it
	rig_resume(&r, 0, TARGET_RUN, TARGET_HOLD);
	CHECK(rig_quiet(&r, 50));
	CHECK_EQ(kvm_cpus_interrupt(r.cpus), 0);
	CHECK_EQ(rig_wait(&r).why, STOP_INTERRUPT);
	CHECK_EQ(rig_step(&r, 0).why, STOP_STEP);
	rig_close(&r);
}

TEST(many_steps_in_a_row_are_steps_like_any_other)
{
	check_many_steps(false);
	check_many_steps(true);
}

TEST(a_vcpu_waiting_for_its_startup_ipi_stays_so)
{
	struct rig r;

	rig_open(&r, 2, true);
	RIG_CODE_AT(&r, RIG_CODE, JMP_SELF);
	CHECK(kvm_cpus_online(r.cpus, 0));
	CHECK(!kvm_cpus_online(r.cpus, 1));
	rig_resume(&r, 1, TARGET_STEP, TARGET_HOLD);
	CHECK(rig_quiet(&r, 30));
	kvm_cpus_interrupt(r.cpus);
	CHECK_STOP(rig_wait(&r), STOP_INTERRUPT, RIG_CODE);
	CHECK(!kvm_cpus_online(r.cpus, 1));
	CHECK_EQ(rig_pc(&r, 1), RIG_CODE);
	rig_close(&r);
}

/* ---- breakpoints ---- */

TEST(a_hardware_breakpoint_hits_on_every_pass)
{
	struct rig r;

	rig_open(&r, 1, false);
	RIG_CODE_AT(&r, RIG_CODE, INC_AX, NOP, 0xeb, 0xfc);
	hw_break(&r, RIG_CODE + 1);
	for (unsigned i = 1; i < 5; i++) {
		CHECK_STOP(rig_run(&r), STOP_HWBREAK, RIG_CODE + 1);
		CHECK_EQ(gpr(&r, 0, X86_RAX), i);
	}
	CHECK_STOP(rig_step(&r, 0), STOP_STEP, RIG_CODE + 2);
	CHECK_EQ(kvm_cpus_hw_set(r.cpus, NULL, 0), 0);
	rig_resume(&r, 0, TARGET_RUN, TARGET_RUN);
	CHECK(rig_quiet(&r, 20));
	rig_close(&r);
}

TEST(a_vcpu_that_was_halted_just_before_a_breakpoint_still_hits_it)
{
	struct rig r;

	rig_open(&r, 2, false);
	RIG_CODE_AT(&r, RIG_CODE, JMP_SELF);
	hw_break(&r, RIG_CODE); // both vCPUs stand on it, and neither was shown there
	for (unsigned i = 0; i < 2; i++)
		CHECK_STOP(rig_run(&r), STOP_HWBREAK, RIG_CODE);
	rig_close(&r);
}

/* KVM emulates the out instruction, and reports the step alone, without what the next instruction hits. */
TEST(a_hardware_breakpoint_right_behind_a_step_is_hit)
{
	struct resume_plan plan = { 0 };
	struct rig r;

	rig_open(&r, 1, false);
	RIG_CODE_AT(&r, RIG_CODE, OUT_80, INC_AX, OUT_80, INC_AX, 0xeb, 0xf8);
	hw_break(&r, RIG_CODE + 2);
	CHECK_STOP(rig_step(&r, 0), STOP_STEP, RIG_CODE + 2);
	CHECK_STOP(rig_run(&r), STOP_HWBREAK, RIG_CODE + 2);
	CHECK_EQ(gpr(&r, 0, X86_RAX), 0);
	plan.vcpu[0].action = TARGET_STEP_RANGE;
	plan.vcpu[0].lo = GVA(RIG_CODE);
	plan.vcpu[0].hi = GVA(RIG_CODE + 8);
	for (unsigned i = 1; i < 3; i++) { // the first instruction of a range is left, and nothing else
		CHECK_EQ(kvm_cpus_resume(r.cpus, &plan), 0);
		CHECK_STOP(rig_wait(&r), STOP_HWBREAK, RIG_CODE + 2);
		CHECK_EQ(gpr(&r, 0, X86_RAX), 2 * i);
	}
	rig_close(&r);
}

TEST(a_range_that_ends_at_a_breakpoint_leaves_no_trap_flag)
{
	struct resume_plan plan = { .vcpu[0] = { TARGET_STEP_RANGE, GVA(RIG_CODE), GVA(RIG_CODE + 8) } };
	struct rig r;

	rig_open(&r, 1, false);
	RIG_CODE_AT(&r, RIG_CODE, PUSHF, INC_AX, JMP_SELF);
	hw_break(&r, RIG_CODE + 1);
	CHECK_EQ(kvm_cpus_resume(r.cpus, &plan), 0);
	CHECK_STOP(rig_wait(&r), STOP_HWBREAK, RIG_CODE + 1);
	CHECK_EQ(gpr(&r, 0, X86_RSP), RIG_STACK - 2);
	CHECK_EQ(ld_le16(r.ram + RIG_STACK - 2) & X86_RFLAGS_TF, 0);
	rig_close(&r);
}

TEST(bad_hardware_breakpoints_are_refused_and_change_nothing)
{
	struct rig r;
	struct target_break five[5];
	const struct target_break sw = { .kind = TARGET_BREAK_SW, .at = GVA(RIG_CODE), .len = 1 };
	const struct target_break read = { .kind = TARGET_WATCH_READ, .at = GVA(RIG_DATA), .len = 4 };

	rig_open(&r, 1, false);
	RIG_CODE_AT(&r, RIG_CODE, INC_AX, NOP, JMP_SELF);
	hw_break(&r, RIG_CODE + 1);
	for (unsigned i = 0; i < ARRAY_LEN(five); i++)
		five[i] = (struct target_break){ .kind = TARGET_BREAK_HW, .at = GVA(RIG_DATA + i), .len = 1 };
	CHECK_EQ(kvm_cpus_hw_set(r.cpus, five, 5), -ENOSPC);
	CHECK_EQ(kvm_cpus_hw_set(r.cpus, &sw, 1), -ENOTSUP);
	CHECK_EQ(kvm_cpus_hw_set(r.cpus, &read, 1), -ENOTSUP);
	CHECK_STOP(rig_run(&r), STOP_HWBREAK, RIG_CODE + 1);
	rig_close(&r);
}

TEST(a_watchpoint_names_the_request)
{
	struct rig r;
	struct stop_event ev;
	const struct target_break watch[] = {
		{ .kind = TARGET_BREAK_HW, .at = GVA(RIG_CODE + 0x80), .len = 1 },
		{ .kind = TARGET_WATCH_WRITE, .at = GVA(RIG_DATA + 4), .len = 4 },
	};

	if (!rig_has_watch())
		SKIP("this KVM does not do data watchpoints");
	rig_open(&r, 1, false);
	RIG_CODE_AT(&r, RIG_CODE, 0xa2, 0x00, 0x20, 0xa2, 0x06, 0x20, INC_AX, JMP_SELF);
	CHECK_EQ(kvm_cpus_hw_set(r.cpus, watch, 2), 0);
	ev = rig_run(&r);
	CHECK_STOP(ev, STOP_WATCH, RIG_CODE + 6);
	CHECK_EQ(ev.watch_kind, HW_WRITE);
	CHECK_EQ(ev.watch_at.raw, RIG_DATA + 4);
	/* and by a step */
	rig_set_pc(&r, 0, RIG_CODE);
	CHECK_STOP(rig_step(&r, 0), STOP_STEP, RIG_CODE + 3);
	CHECK_STOP(rig_step(&r, 0), STOP_WATCH, RIG_CODE + 6);
	rig_close(&r);
}

/* ---- several at once ---- */

struct nag {
	struct kvm_cpus *cpus;
	bool quit;
};

static void *nag_main(void *arg)
{
	struct nag *n = arg;

	while (!__atomic_load_n(&n->quit, __ATOMIC_SEQ_CST)) {
		kvm_cpus_interrupt(n->cpus);
		poll(NULL, 0, 2);
	}
	return NULL;
}

/* Every vCPU counts its passes in memory and breaks once a pass: stops told must equal passes made, for each. */
static void check_none_lost(unsigned ncpus, bool int3, bool nag)
{
	struct rig r;
	unsigned told[RIG_MAX_CPUS] = { 0 }, interrupts = 0;
	struct nag n = { 0 };
	pthread_t nagger;
	unsigned seed = 7;

	rig_open(&r, ncpus, false);
	rig_private_data(&r);
	RIG_CODE_AT(&r, RIG_CODE, INC_MEM(0), int3 ? INT3 : NOP, 0xeb, 0xf9);
	if (int3)
		rig_report_int3(&r);
	else
		hw_break(&r, RIG_CODE + 4);
	n.cpus = r.cpus;
	if (nag)
		CHECK_EQ(pthread_create(&nagger, NULL, nag_main, &n), 0);
	for (unsigned i = 0; i < 300; i++) {
		struct resume_plan plan = { 0 };
		struct stop_event ev;
		unsigned run = rand_r(&seed) % 4 ? 15 : 1u << rand_r(&seed) % ncpus;

		for (unsigned k = 0; k < ncpus; k++)
			plan.vcpu[k].action = run >> k & 1 ? TARGET_RUN : TARGET_HOLD;
		CHECK_EQ(kvm_cpus_resume(r.cpus, &plan), 0);
		ev = rig_wait(&r);
		if (nag && ev.why == STOP_INTERRUPT) {
			interrupts++;
			continue;
		}
		CHECK_STOP(ev, int3 ? STOP_SWBREAK : STOP_HWBREAK, RIG_CODE + 4);
		CHECK(run >> ev.vcpu & 1);
		CHECK_EQ(ld_le16(r.ram + RIG_DATA + 0x100 * ev.vcpu), ++told[ev.vcpu]);
		if (int3)
			rig_set_pc(&r, ev.vcpu, RIG_CODE + 5);
	}
	if (nag) {
		__atomic_store_n(&n.quit, true, __ATOMIC_SEQ_CST);
		pthread_join(nagger, NULL);
	}
	for (unsigned i = 0; i < ncpus; i++) {
		unsigned passes = ld_le16(r.ram + RIG_DATA + 0x100 * i);

		CHECK(passes == told[i] || passes == told[i] + 1);
		CHECK(nag || told[i] > 10);
	}
	rig_close(&r);
}

TEST(no_hardware_breakpoint_of_four_vcpus_is_lost)
{
	check_none_lost(2, false, false);
	check_none_lost(4, false, false);
}

TEST(no_breakpoint_is_lost_to_an_interrupt)
{
	check_none_lost(3, false, true);
}

TEST(no_software_breakpoint_of_four_vcpus_is_lost)
{
	if (!rig_has_int3())
		SKIP("this KVM does not report int3");
	check_none_lost(2, true, false);
	check_none_lost(4, true, true);
}

/* ---- int3 and #DB, ours and the guest's ---- */

struct filter {
	struct rig *r;
	enum target_verdict verdict;
	unsigned asked;
	enum stop_why why;
	uint64_t pc, rip;
	uint8_t under; /* what the breakpoint instruction hides */
	unsigned patched;
	bool out;
};

static int rip_call(struct kvm_port *p, unsigned vcpu, void *arg)
{
	struct arch_regs r = { 0 };
	int rc = kvm_regs_read(p, vcpu, ARCH_CORE, &r);

	*(uint64_t *)arg = r.x86.rip;
	return rc;
}

static enum target_verdict judge(void *arg, unsigned vcpu, enum stop_why why, gva pc)
{
	struct filter *f = arg;

	f->asked++;
	f->why = why;
	f->pc = pc.raw;
	CHECK_EQ(kvm_cpus_call(f->r->cpus, vcpu, rip_call, &f->rip), 0);
	if (f->verdict == TARGET_AGAIN)
		f->r->ram[pc.raw] = NOP;
	return f->verdict;
}

static int patch(void *arg, unsigned vcpu, gva pc, bool in)
{
	struct filter *f = arg;

	CHECK_EQ(in, f->out);
	f->out = !in;
	f->patched++;
	f->r->ram[pc.raw] = in ? INT3 : f->under;
	return 0;
}

static void set_filter(struct filter *f, uint32_t whys)
{
	const struct target_filter t = { judge, patch, f, whys };

	kvm_cpus_filter_set(f->r->cpus, &t);
}

TEST(int3_asks_the_filter_on_the_vcpu_thread)
{
	struct rig r;
	struct filter f = { &r, TARGET_REPORT };

	if (!rig_has_int3())
		SKIP("this KVM does not report int3");
	rig_open(&r, 2, false);
	RIG_CODE_AT(&r, RIG_CODE, NOP, INT3, INC_AX, POWER_OFF);
	set_filter(&f, BIT(STOP_SWBREAK));
	rig_resume(&r, 0, TARGET_RUN, TARGET_HOLD);
	CHECK_STOP(rig_wait(&r), STOP_SWBREAK, RIG_CODE + 1);
	CHECK_EQ(f.asked, 1);
	CHECK_EQ(f.pc, RIG_CODE + 1);
	CHECK_EQ(f.rip, RIG_CODE + 1);
	CHECK_EQ(rig_pc(&r, 0), RIG_CODE + 1);
	/* a step meets it too */
	CHECK_STOP(rig_step(&r, 0), STOP_SWBREAK, RIG_CODE + 1);
	/* a stale one is run again */
	f.verdict = TARGET_AGAIN;
	rig_resume(&r, 0, TARGET_RUN, TARGET_HOLD);
	CHECK_EQ(rig_wait(&r).why, STOP_POWER_OFF);
	CHECK_EQ(f.asked, 3);
	rig_close(&r);
}

/* ---- breakpoints whose condition is false ---- */

TEST(a_hardware_breakpoint_that_is_skipped_costs_one_exit_a_pass)
{
	struct rig r;
	struct filter f = { &r, TARGET_SKIP };

	rig_open(&r, 1, false);
	/* mov cx, 50; inc word [0x2000]; loop; power off */
	RIG_CODE_AT(&r, RIG_CODE, 0xb9, 50, 0, INC_MEM(RIG_DATA), 0xe2, 0xfa, POWER_OFF);
	hw_break(&r, RIG_CODE + 3);
	set_filter(&f, BIT(STOP_HWBREAK));
	CHECK_EQ(rig_run(&r).why, STOP_POWER_OFF);
	CHECK_EQ(ld_le16(r.ram + RIG_DATA), 50);
	CHECK_EQ(f.asked, 50);
	CHECK_EQ(f.why, STOP_HWBREAK);
	CHECK_EQ(f.pc, RIG_CODE + 3);
	rig_close(&r);
}

TEST(a_hardware_breakpoint_that_nobody_judges_is_reported)
{
	struct rig r;
	struct filter f = { &r, TARGET_SKIP };

	rig_open(&r, 1, false);
	RIG_CODE_AT(&r, RIG_CODE, NOP, NOP, POWER_OFF);
	hw_break(&r, RIG_CODE + 1);
	set_filter(&f, BIT(STOP_SWBREAK));
	CHECK_STOP(rig_run(&r), STOP_HWBREAK, RIG_CODE + 1);
	CHECK_EQ(f.asked, 0);
	set_filter(&f, BIT(STOP_HWBREAK));
	f.verdict = TARGET_REPORT;
	rig_set_pc(&r, 0, RIG_CODE);
	CHECK_STOP(rig_run(&r), STOP_HWBREAK, RIG_CODE + 1);
	CHECK_EQ(f.asked, 1);
	rig_close(&r);
}

TEST(a_skipped_hardware_breakpoint_on_an_emulated_instruction_lets_it_go)
{
	struct rig r;
	struct filter f = { &r, TARGET_SKIP };

	rig_open(&r, 1, false);
	/* mov si, 0x2000; mov dx, 0x80; outsb; power off: KVM emulates outsb, without a look at the resume flag */
	RIG_CODE_AT(&r, RIG_CODE, 0xbe, 0x00, 0x20, 0xba, 0x80, 0x00, 0x6e, POWER_OFF);
	hw_break(&r, RIG_CODE + 6);
	set_filter(&f, BIT(STOP_HWBREAK));
	CHECK_EQ(rig_run(&r).why, STOP_POWER_OFF);
	CHECK_EQ(r.nlog, 1);
	rig_close(&r);
}

TEST(a_skipped_breakpoint_instruction_executes_what_it_hides)
{
	struct rig r;
	struct filter f = { &r, TARGET_SKIP, .under = INC_AX };

	if (!rig_has_int3())
		SKIP("this KVM does not report int3");
	rig_open(&r, 1, false);
	/* mov cx, 50; 1: int3 over inc ax; loop 1b; mov [0x2000], ax; power off */
	RIG_CODE_AT(&r, RIG_CODE, 0xb9, 50, 0, INT3, 0xe2, 0xfd, 0xa3, 0x00, 0x20, POWER_OFF);
	set_filter(&f, BIT(STOP_SWBREAK));
	CHECK_EQ(rig_run(&r).why, STOP_POWER_OFF);
	CHECK_EQ(ld_le16(r.ram + RIG_DATA), 50);
	CHECK_EQ(f.asked, 50);
	CHECK_EQ(f.patched, 100);
	CHECK(!f.out);
	/* a step past it is one instruction */
	rig_close(&r);
	rig_open(&r, 1, false);
	RIG_CODE_AT(&r, RIG_CODE, INT3, INC_AX, INC_AX);
	set_filter(&f, BIT(STOP_SWBREAK));
	CHECK_STOP(rig_step(&r, 0), STOP_STEP, RIG_CODE + 1);
	CHECK_EQ(r.ram[RIG_CODE], INT3);
	rig_close(&r);
}

/* For many vCPUs: counts hits, says skip, and finds out when two are in it at once. */
struct crowd {
	struct rig *r;
	unsigned inside, hits, clashes;
};

static enum target_verdict crowd_judge(void *arg, unsigned vcpu, enum stop_why why, gva pc)
{
	struct crowd *c = arg;

	__atomic_add_fetch(&c->hits, 1, __ATOMIC_SEQ_CST);
	return c->r->ram[pc.raw] == INT3 ? TARGET_SKIP : TARGET_AGAIN;
}

static int crowd_patch(void *arg, unsigned vcpu, gva pc, bool in)
{
	struct crowd *c = arg;

	if (!in && __atomic_add_fetch(&c->inside, 1, __ATOMIC_SEQ_CST) != 1)
		__atomic_add_fetch(&c->clashes, 1, __ATOMIC_SEQ_CST);
	if (in)
		__atomic_sub_fetch(&c->inside, 1, __ATOMIC_SEQ_CST);
	__atomic_store_n(&c->r->ram[pc.raw], in ? INT3 : 0xff, __ATOMIC_SEQ_CST);
	return 0;
}

/* inc word [0] under a breakpoint, another counter behind it: while one vCPU passes nobody else gets past unseen. */
static void check_crowd(bool nag)
{
	struct rig r;
	struct crowd c = { &r };
	const struct target_filter t = { crowd_judge, crowd_patch, &c, BIT(STOP_SWBREAK) };
	struct nag n = { 0 };
	pthread_t nagger;
	unsigned passes = 0;

	rig_open(&r, 4, false);
	rig_private_data(&r);
	RIG_CODE_AT(&r, RIG_CODE, INC_MEM(0), 0xeb, 0xfa);
	r.ram[RIG_CODE] = INT3;
	kvm_cpus_filter_set(r.cpus, &t);
	n.cpus = r.cpus;
	if (nag)
		CHECK_EQ(pthread_create(&nagger, NULL, nag_main, &n), 0);
	for (unsigned i = 0; i < (nag ? 100 : 10); i++) {
		rig_resume(&r, 0, TARGET_RUN, i % 7 == 3 ? TARGET_HOLD : TARGET_RUN);
		if (!nag) {
			poll(NULL, 0, 20);
			kvm_cpus_interrupt(r.cpus);
		}
		CHECK_EQ(rig_wait(&r).why, STOP_INTERRUPT);
		CHECK_EQ(r.ram[RIG_CODE], INT3); // never a stop in the middle
	}
	if (nag) {
		__atomic_store_n(&n.quit, true, __ATOMIC_SEQ_CST);
		pthread_join(nagger, NULL);
	}
	for (unsigned i = 0; i < 4; i++) {
		passes += ld_le16(r.ram + RIG_DATA + 0x100 * i);
		CHECK(ld_le16(r.ram + RIG_DATA + 0x100 * i) > 0);
	}
	CHECK_EQ(c.clashes, 0);
	CHECK(c.hits >= passes); // some were judged, and then interrupted or found the instruction gone
	CHECK(passes >= 40);
	rig_close(&r);
}

TEST(four_vcpus_skip_a_breakpoint_instruction_one_at_a_time)
{
	if (!rig_has_int3())
		SKIP("this KVM does not report int3");
	check_crowd(false);
	check_crowd(true);
}

TEST(destroy_works_while_vcpus_skip_breakpoints)
{
	struct rig r;
	struct crowd c = { &r };
	const struct target_filter t = { crowd_judge, crowd_patch, &c, BIT(STOP_SWBREAK) };

	if (!rig_has_int3())
		SKIP("this KVM does not report int3");
	for (unsigned i = 0; i < 10; i++) {
		rig_open(&r, 4, false);
		RIG_CODE_AT(&r, RIG_CODE, INT3, 0x06, 0, 0x20, 0xeb, 0xfa, HLT);
		rig_set_pc(&r, 3, RIG_CODE + 6); // one that sleeps
		kvm_cpus_filter_set(r.cpus, &t);
		rig_resume(&r, 0, TARGET_RUN, TARGET_RUN);
		CHECK(rig_quiet(&r, (int)i));
		rig_close(&r);
	}
}

/* The guest's own int3: its handler stores the return address and powers off. */
static void check_own_int3(bool reinject, bool others)
{
	struct rig r;
	struct filter f = { &r, TARGET_REINJECT };

	rig_open(&r, 1, false);
	RIG_CODE_AT(&r, RIG_CODE, NOP, INT3, NOP);
	RIG_CODE_AT(&r, HANDLER, 0x58, 0xa3, 0x00, 0x20, POWER_OFF); /* pop ax; mov [0x2000], ax */
	vector_real(&r, 3, HANDLER);
	if (reinject)
		set_filter(&f, BIT(STOP_SWBREAK));
	if (others)
		hw_break(&r, RIG_CODE + 0x80);
	CHECK_EQ(rig_run(&r).why, STOP_POWER_OFF);
	CHECK_EQ(f.asked, reinject);
	CHECK_EQ(ld_le16(r.ram + RIG_DATA), RIG_CODE + 2);
	rig_close(&r);
}

TEST(the_guests_own_int3_reaches_its_handler)
{
	check_own_int3(false, false);
	if (!rig_has_int3())
		SKIP("this KVM does not report int3");
	check_own_int3(true, false);
	check_own_int3(true, true);
}

TEST(a_step_over_the_guests_own_int3_does_not_run_away)
{
	struct rig r;
	struct filter f = { &r, TARGET_REINJECT };
	struct stop_event ev;

	if (!rig_has_int3())
		SKIP("this KVM does not report int3");
	rig_open(&r, 1, false);
	RIG_CODE_AT(&r, RIG_CODE, INT3, NOP, NOP, JMP_SELF);
	RIG_CODE_AT(&r, HANDLER, INC_MEM(RIG_DATA), IRET);
	vector_real(&r, 3, HANDLER);
	set_filter(&f, BIT(STOP_SWBREAK));
	ev = rig_step(&r, 0);
	CHECK_EQ(ev.why, STOP_STEP);
	rig_close(&r);
}

static void long_mode_tables(struct rig *r)
{
	struct arch_regs regs;

	st_le64(r->ram + GDT + 8, 0x00af9b000000ffff);
	st_le64(r->ram + GDT + 16, 0x00cf93000000ffff);
	for (unsigned v = 1; v <= 3; v += 2)
		st_le64(r->ram + IDT + 16 * v, 0x8e0000080000 << 0 | (uint64_t)HANDLER);
	rig_regs(r, 0, ARCH_SYS, &regs);
	regs.x86.gdt = (struct x86_table){ .base = GDT, .limit = 23 };
	regs.x86.idt = (struct x86_table){ .base = IDT, .limit = 0xfff };
	CHECK_EQ(rig_regs_write(r, 0, ARCH_SYS, &regs), 0);
}

TEST(the_guests_own_int3_reaches_its_handler_in_64_bit_mode)
{
	struct rig r;
	struct filter f = { &r, TARGET_REINJECT };

	if (!rig_has_int3())
		SKIP("this KVM does not report int3");
	rig_open(&r, 1, false);
	rig_long_mode(&r, 0);
	long_mode_tables(&r);
	RIG_CODE_AT(&r, RIG_CODE, NOP, INT3, INT3, POWER_OFF);
	/* push rax; mov rax, [rsp+8]; inc qword [0x2000]; mov [0x2008], rax; pop rax; iretq */
	RIG_CODE_AT(&r, HANDLER, 0x50, 0x48, 0x8b, 0x44, 0x24, 0x08, 0x48, 0xff, 0x04, 0x25, 0, 0x20, 0, 0, 0x48, 0x89,
		    0x04, 0x25, 0x08, 0x20, 0, 0, 0x58, 0x48, 0xcf);
	set_filter(&f, BIT(STOP_SWBREAK));
	CHECK_STOP(rig_run(&r), STOP_POWER_OFF, RIG_CODE + 7);
	CHECK_EQ(f.asked, 2);
	CHECK_EQ(ld_le64(r.ram + RIG_DATA), 2);
	CHECK_EQ(ld_le64(r.ram + RIG_DATA + 8), RIG_CODE + 3);
	rig_close(&r);
}

/* The guest steps itself with its own trap flag; its handler counts, and keeps DR6. */
static unsigned own_traps(bool debugged, uint32_t *dr6)
{
	struct rig r;
	unsigned n;

	rig_open(&r, 1, false);
	RIG_CODE_AT(&r, RIG_CODE, 0x9c, 0x58, 0x0d, 0x00, 0x01, 0x50, 0x9d, NOP, NOP, NOP, 0x9c, 0x58, 0x25, 0xff, 0xfe,
		    0x50, 0x9d, POWER_OFF);
	/* mov edx, dr6; mov [0x2004], edx; inc word [0x2000]; iret */
	RIG_CODE_AT(&r, HANDLER, 0x0f, 0x21, 0xf2, 0x66, 0x89, 0x16, 0x04, 0x20, INC_MEM(RIG_DATA), IRET);
	vector_real(&r, 1, HANDLER);
	if (debugged)
		hw_break(&r, RIG_CODE + 0x80);
	CHECK_EQ(rig_run(&r).why, STOP_POWER_OFF);
	n = ld_le16(r.ram + RIG_DATA);
	*dr6 = ld_le32(r.ram + RIG_DATA + 4);
	rig_close(&r);
	return n;
}

TEST(the_guests_own_trap_flag_keeps_working)
{
	uint32_t plain_dr6, dr6;
	unsigned plain = own_traps(false, &plain_dr6);

	CHECK_EQ(own_traps(true, &dr6), plain);
	CHECK_EQ(dr6, plain_dr6);
	CHECK_EQ(plain, 8);
}

/* ---- ends ---- */

TEST(a_triple_fault_stops_and_then_exits)
{
	struct rig r;
	struct stop_event ev;
	struct arch_regs regs;

	rig_open(&r, 2, false);
	RIG_CODE_AT(&r, RIG_CODE, NOP, 0x0f, 0x0b); /* nop; ud2 */
	rig_long_mode(&r, 1);
	rig_regs(&r, 1, ARCH_SYS, &regs);
	regs.x86.idt.limit = 0;
	CHECK_EQ(rig_regs_write(&r, 1, ARCH_SYS, &regs), 0);
	rig_resume(&r, 1, TARGET_RUN, TARGET_HOLD);
	ev = rig_wait(&r);
	CHECK_EQ(ev.why, STOP_TRIPLE_FAULT);
	CHECK_EQ(ev.vcpu, 1);
	CHECK(strstr(ev.text, "triple fault"));
	rig_regs(&r, 1, ARCH_ALL, &regs); // post-mortem
	ev = rig_run(&r);
	CHECK_EQ(ev.why, STOP_EXIT);
	CHECK_EQ(ev.code, TARGET_EXIT_CRASH);
	rig_close(&r);
}

TEST(power_off_and_reboot_stop_and_then_end_the_guest)
{
	struct rig r;
	struct stop_event ev;

	rig_open(&r, 1, false);
	RIG_CODE_AT(&r, RIG_CODE, POWER_OFF, NOP);
	ev = rig_run(&r);
	CHECK_STOP(ev, STOP_POWER_OFF, RIG_CODE + 4);
	ev = rig_run(&r);
	CHECK_EQ(ev.why, STOP_EXIT);
	CHECK_EQ(ev.code, TARGET_EXIT_OFF);
	rig_close(&r);

	rig_open(&r, 1, false);
	RIG_CODE_AT(&r, RIG_CODE, REBOOT, NOP);
	CHECK_STOP(rig_run(&r), STOP_RESET, RIG_CODE + 4);
	ev = rig_run(&r);
	CHECK_EQ(ev.why, STOP_EXIT);
	CHECK_EQ(ev.code, TARGET_EXIT_RESET);
	rig_close(&r);
}

TEST(code_that_kvm_cannot_emulate_stops_with_a_reason)
{
	struct rig r;
	struct stop_event ev;

	rig_open(&r, 1, false);
	RIG_CODE_AT(&r, RIG_CODE, 0xea, 0x00, 0x00, 0x00, 0xa0); /* jmp 0xa000:0, where nothing is */
	ev = rig_run(&r);
	CHECK_STOP(ev, STOP_INTERNAL_ERROR, RIG_MMIO);
	CHECK(strstr(ev.text, "suberror"));
	CHECK_EQ(rig_pc(&r, 0), RIG_MMIO);
	CHECK(rig_run(&r).code != 0);
	rig_close(&r);
}

TEST(kill_gives_an_exit_running_or_stopped)
{
	struct rig r;
	struct stop_event ev;

	for (unsigned running = 0; running < 2; running++) {
		rig_open(&r, 1, false);
		RIG_CODE_AT(&r, RIG_CODE, JMP_SELF);
		if (running) {
			rig_resume(&r, 0, TARGET_RUN, TARGET_RUN);
			kvm_cpus_kill(r.cpus);
			ev = rig_wait(&r);
		} else {
			kvm_cpus_kill(r.cpus);
			CHECK(rig_quiet(&r, 0));
			ev = rig_run(&r);
		}
		CHECK_EQ(ev.why, STOP_EXIT);
		CHECK_EQ(ev.code, TARGET_EXIT_OFF);
		rig_close(&r);
	}
}

TEST(destroy_works_in_every_state)
{
	static const uint8_t busy[] = { JMP_SELF }, halt[] = { HLT, JMP_SELF }, io[] = { OUT_80, 0xeb, 0xfc };
	static const struct {
		const uint8_t *code;
		size_t n;
		bool irqchip;
	} guests[] = { { busy, sizeof(busy), false },
		       { halt, sizeof(halt), false },
		       { halt, sizeof(halt), true },
		       { io, sizeof(io), false } };
	struct rig r;

	for (unsigned i = 0; i < ARRAY_LEN(guests); i++) {
		for (unsigned wait_ms = 0; wait_ms < 20; wait_ms += 10) {
			rig_open(&r, 2, guests[i].irqchip);
			rig_code(&r, RIG_CODE, guests[i].code, guests[i].n);
			rig_resume(&r, 0, TARGET_RUN, TARGET_RUN);
			CHECK(rig_quiet(&r, wait_ms));
			rig_close(&r);
		}
	}
	rig_open(&r, 2, false); // never resumed
	rig_close(&r);
	rig_open(&r, 2, false); // a stop that nobody took
	RIG_CODE_AT(&r, RIG_CODE, POWER_OFF);
	rig_resume(&r, 0, TARGET_RUN, TARGET_RUN);
	CHECK(!rig_quiet(&r, 30000));
	rig_close(&r);
}

TEST(kvmclock_stands_still_while_the_guest_is_stopped)
{
	struct rig r;
	struct kvm_clock_data before, after;
	uint64_t begin, most;

	rig_open(&r, 1, false);
	RIG_CODE_AT(&r, RIG_CODE, INC_AX, INC_AX, JMP_SELF);
	CHECK_EQ(rig_step(&r, 0).why, STOP_STEP);
	CHECK_EQ(ioctl(r.vm_fd, KVM_GET_CLOCK, &before), 0);
	poll(NULL, 0, 500);
	begin = rig_host_ms();
	CHECK_EQ(rig_step(&r, 0).why, STOP_STEP);
	CHECK_EQ(ioctl(r.vm_fd, KVM_GET_CLOCK, &after), 0);
	most = rig_host_ms() - begin + 400;
	CHECK((int64_t)(after.clock - before.clock) < (int64_t)most * 1000000);
	rig_close(&r);
}

TESTS(T(vcpus_are_held_before_their_first_instruction), T(interrupt_stops_a_busy_guest_with_one_event),
      T(held_vcpus_do_not_run), T(running_vcpus_refuse_calls), T(a_step_takes_one_instruction),
      T(a_step_after_a_register_write_starts_at_the_new_pc), T(a_step_over_port_io_is_answered_and_counts_once),
      T(a_step_over_mmio_is_answered_and_counts_once), T(string_output_gives_every_byte),
      T(an_interrupted_vcpu_has_finished_its_port_read),
      T(what_is_written_to_an_interrupted_vcpu_is_not_undone_by_its_port_read),
      T(a_range_step_ends_at_the_first_pc_outside), T(a_step_takes_no_interrupt),
      T(a_halted_vcpu_sleeps_until_it_is_stepped), T(a_vcpu_halted_in_kvm_sleeps_until_it_is_stepped),
      T(a_halted_vcpu_whose_pc_is_set_goes_on_from_there), T(a_vcpu_waiting_for_its_startup_ipi_stays_so),
      T(many_steps_in_a_row_are_steps_like_any_other), T(a_hardware_breakpoint_hits_on_every_pass),
      T(a_vcpu_that_was_halted_just_before_a_breakpoint_still_hits_it),
      T(a_hardware_breakpoint_right_behind_a_step_is_hit), T(a_range_that_ends_at_a_breakpoint_leaves_no_trap_flag),
      T(bad_hardware_breakpoints_are_refused_and_change_nothing), T(a_watchpoint_names_the_request),
      T(no_hardware_breakpoint_of_four_vcpus_is_lost), T(no_breakpoint_is_lost_to_an_interrupt),
      T(no_software_breakpoint_of_four_vcpus_is_lost), T(int3_asks_the_filter_on_the_vcpu_thread),
      T(a_hardware_breakpoint_that_is_skipped_costs_one_exit_a_pass),
      T(a_hardware_breakpoint_that_nobody_judges_is_reported),
      T(a_skipped_hardware_breakpoint_on_an_emulated_instruction_lets_it_go),
      T(a_skipped_breakpoint_instruction_executes_what_it_hides),
      T(four_vcpus_skip_a_breakpoint_instruction_one_at_a_time), T(destroy_works_while_vcpus_skip_breakpoints),
      T(the_guests_own_int3_reaches_its_handler), T(the_guests_own_int3_reaches_its_handler_in_64_bit_mode),
      T(a_step_over_the_guests_own_int3_does_not_run_away), T(the_guests_own_trap_flag_keeps_working),
      T(a_triple_fault_stops_and_then_exits), T(power_off_and_reboot_stop_and_then_end_the_guest),
      T(code_that_kvm_cannot_emulate_stops_with_a_reason), T(kill_gives_an_exit_running_or_stopped),
      T(destroy_works_in_every_state), T(kvmclock_stands_still_while_the_guest_is_stopped))
