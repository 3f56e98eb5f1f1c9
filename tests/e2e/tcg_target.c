/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The tcg backend against a real QEMU, with guests of a few instructions. Skipped where there is no QEMU. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "backend/backend.h"
#include "util/bytes.h"
#include "util/macros.h"

#include "../unit/test.h"

enum { STOP_MS = 20000, RAM_SIZE = 64 << 20 };

struct rig {
	struct target *t;
	int serial, image;
	struct errtext why;
	int rc;
};

static void rig_close(struct rig *g)
{
	target_destroy(g->t);
	closep(&g->serial);
	closep(&g->image);
}

static struct vm_cfg config(struct rig *g, char path[32], const void *image, size_t n)
{
	g->image = memfd_create("image", MFD_CLOEXEC);
	CHECK_EQ(write(g->image, image, n), n);
	snprintf(path, 32, "/proc/self/fd/%d", g->image);
	return (struct vm_cfg){ .cpus = 1, .mem_size = RAM_SIZE, .params = "", .flat = path };
}

static struct rig rig_start(enum vm_flat_mode mode, uint64_t at, unsigned cpus, const void *image, size_t n)
{
	struct rig g = { .serial = -1, .image = -1 };
	char path[32];
	struct vm_cfg cfg = config(&g, path, image, n);

	cfg.flat_addr = at;
	cfg.flat_mode = mode;
	cfg.cpus = cpus;
	g.rc = backend_qemu_create(&cfg, &g.t, &g.serial, &g.why);
	if (g.rc == -ENODEV)
		print_message("skip: %s\n", g.why.text);
	else if (g.rc < 0)
		print_message("cannot start: %s\n", g.why.text);
	return g;
}

#define RIG(name, mode, at, cpus, image)                                                        \
	_cleanup_(rig_close) struct rig name = rig_start(mode, at, cpus, image, sizeof(image)); \
	if (name.rc == -ENODEV)                                                                 \
		skip();                                                                         \
	CHECK_EQ(name.rc, 0)

static struct x86_regs regs(struct rig *g, unsigned vcpu)
{
	struct arch_regs r = { 0 };

	CHECK_EQ(target_regs_read(g->t, vcpu, ARCH_ALL, &r), 0);
	CHECK_EQ(r.have, ARCH_ALL);
	return r.x86;
}

static struct stop_event wait_stop(struct rig *g)
{
	struct stop_event ev;
	struct pollfd p = { .fd = target_event_fd(g->t), .events = POLLIN };
	int rc;

	while ((rc = target_next_stop(g->t, &ev)) == -EAGAIN)
		CHECK_EQ(poll(&p, 1, STOP_MS), 1);
	CHECK_EQ(rc, 0);
	return ev;
}

static void resume(struct rig *g, enum target_action first, enum target_action others)
{
	struct resume_plan plan = { 0 };

	for (unsigned i = 0; i < g->t->nvcpus; i++)
		plan.vcpu[i].action = i ? others : first;
	CHECK_EQ(target_resume(g->t, &plan), 0);
}

static struct stop_event run(struct rig *g, enum target_action first, enum target_action others)
{
	resume(g, first, others);
	return wait_stop(g);
}

static uint32_t peek(struct rig *g, uint64_t at)
{
	uint8_t b[4];
	size_t done;

	CHECK_EQ(target_mem_read(g->t, GPA(at), b, 4, &done), 0);
	CHECK_EQ(done, 4);
	return ld_le32(b);
}

/* Until the guest has changed a counter: it runs meanwhile. */
static void wait_change(struct rig *g, uint64_t at, uint32_t from)
{
	for (unsigned i = 0; i < STOP_MS && peek(g, at) == from; i++)
		poll(NULL, 0, 1);
	CHECK(peek(g, at) != from);
}

// clang-format off
/* mov ax,1234; mov bx,5678; jmp $ */
static const uint8_t real_code[] = { 0xb8, 0x34, 0x12, 0xbb, 0x78, 0x56, 0xeb, 0xfe };

enum { LONG = 0x100000, INC1 = LONG + 7, STORE = LONG + 0x10, LOOP = LONG + 0x1b, CELL = 0x200000, COUNT = 0x200004 };
static const uint8_t long_code[] = {
	0x48, 0xc7, 0xc0, 1, 0, 0, 0,                                     /* mov rax,1 */
	0x48, 0xff, 0xc0, 0x48, 0xff, 0xc0, 0x48, 0xff, 0xc0,             /* INC1: inc rax, three times */
	0xc7, 0x04, 0x25, 0x00, 0x00, 0x20, 0x00, 0x78, 0x56, 0x34, 0x12, /* STORE: mov dword [CELL],12345678 */
	0xff, 0x04, 0x25, 0x04, 0x00, 0x20, 0x00,                         /* LOOP: inc dword [COUNT] */
	0xeb, 0xf7,                                                       /* jmp LOOP */
};

/* Wakes the second vCPU, which counts at SMP_COUNT1 in real mode; the first counts at SMP_COUNT0. */
enum { SMP = 0x8000, SMP_LOOP0 = SMP + 45, SMP_AP = 0x9000, SMP_COUNT1 = 0xa000, SMP_COUNT0 = 0xa004 };
static const uint8_t smp_code[0x1007] = {
	0xbb, 0x00, 0x00, 0xe0, 0xfe,                                     /* mov ebx,fee00000 */
	0xc7, 0x83, 0xf0, 0, 0, 0, 0xff, 0x01, 0, 0,                      /* spurious vector: APIC on */
	0xc7, 0x83, 0x10, 0x03, 0, 0, 0, 0, 0, 0x01,                      /* ICR high: APIC 1 */
	0xc7, 0x83, 0x00, 0x03, 0, 0, 0x00, 0x45, 0, 0,                   /* INIT */
	0xc7, 0x83, 0x00, 0x03, 0, 0, 0x09, 0x46, 0, 0,                   /* start-up at 9000 */
	0xff, 0x04, 0x25, 0x04, 0xa0, 0x00, 0x00, 0xeb, 0xf7,             /* inc dword [SMP_COUNT0]; jmp */
	[0x1000] = 0x66, 0xff, 0x06, 0x00, 0xa0, 0xeb, 0xf9,              /* inc dword [SMP_COUNT1]; jmp */
};
static const uint8_t off_code[] = { 0x66, 0xba, 0x04, 0x06, 0x66, 0xb8, 0x00, 0x34, 0x66, 0xef, 0xeb, 0xfe };
static const uint8_t reset_code[] = { 0xb0, 0x06, 0x66, 0xba, 0xf9, 0x0c, 0xee, 0xeb, 0xfe };
static const uint8_t panic_code[] = { 0xb0, 0x01, 0x66, 0xba, 0x05, 0x05, 0xee, /* out 0x505 */
				      0xff, 0x04, 0x25, 0x04, 0x00, 0x20, 0x00, 0xeb, 0xf7 }; /* inc dword [COUNT]; jmp */
static const uint8_t ud2_code[] = { 0x0f, 0x0b };
// clang-format on

TEST(flat_real_mode_starts_at_its_first_instruction)
{
	RIG(g, VM_FLAT_REAL, 0x18000, 1, real_code);
	struct x86_regs r = regs(&g, 0);

	CHECK_EQ(r.seg[X86_CS].sel, 0x1000);
	CHECK_EQ(r.seg[X86_CS].base, 0x10000);
	CHECK_EQ(r.rip, 0x8000);
	CHECK_EQ(r.cr0 & X86_CR0_PE, 0);
	CHECK_EQ(r.gpr[X86_RAX], 0);
	CHECK_EQ(r.gpr[X86_RSP], 0x7c00);
	CHECK_EQ(r.rflags, 2);
	CHECK_EQ(r.idt.limit, 0x3ff);
	CHECK_EQ(r.seg[X86_DS].sel, 0);
	CHECK_EQ(run(&g, TARGET_STEP, TARGET_HOLD).pc.raw, 0x18003);
	CHECK_EQ(run(&g, TARGET_STEP, TARGET_HOLD).pc.raw, 0x18006);
	r = regs(&g, 0);
	CHECK_EQ(r.gpr[X86_RAX], 0x1234);
	CHECK_EQ(r.gpr[X86_RBX], 0x5678);
}

TEST(flat_long_mode_starts_at_its_first_instruction)
{
	RIG(g, VM_FLAT_LONG, LONG, 1, long_code);
	struct x86_regs r = regs(&g, 0);

	CHECK_EQ(r.rip, LONG);
	CHECK(r.seg[X86_CS].attr & X86_SEG_L);
	CHECK_EQ(r.efer & X86_EFER_LMA, X86_EFER_LMA);
	CHECK_EQ(r.cr3, 0x1000);
	CHECK_EQ(r.gpr[X86_RAX], 0);
	CHECK_EQ(r.gpr[X86_RSP], 0x8000);
	CHECK_EQ(r.idt.limit, 0);
	CHECK_EQ(r.dr[6], 0xffff0ff0);
	CHECK_EQ(r.fctrl, 0x37f);
	CHECK_EQ(r.ftag, 0xffff);
	CHECK_EQ(r.mxcsr, 0x1f80);
}

TEST(step_takes_one_instruction)
{
	RIG(g, VM_FLAT_LONG, LONG, 1, long_code);
	struct stop_event ev = run(&g, TARGET_STEP, TARGET_HOLD);

	CHECK_EQ(ev.why, STOP_STEP);
	CHECK_EQ(ev.pc.raw, INC1);
	CHECK_EQ(run(&g, TARGET_STEP, TARGET_HOLD).pc.raw, INC1 + 3);
	CHECK_EQ(regs(&g, 0).gpr[X86_RAX], 2);
}

TEST(range_step_stops_outside_or_at_a_breakpoint)
{
	RIG(g, VM_FLAT_LONG, LONG, 1, long_code);
	struct resume_plan plan = { .vcpu = { { TARGET_STEP_RANGE, GVA(LONG), GVA(STORE) } } };
	struct target_break at = { TARGET_BREAK_SW, GVA(INC1 + 3), 1 };
	struct stop_event ev;

	CHECK_EQ(target_breaks_set(g.t, &at, 1), 0);
	CHECK_EQ(target_resume(g.t, &plan), 0);
	ev = wait_stop(&g);
	CHECK_EQ(ev.why, STOP_SWBREAK);
	CHECK_EQ(ev.pc.raw, INC1 + 3);
	CHECK_EQ(target_breaks_set(g.t, NULL, 0), 0);
	CHECK_EQ(target_resume(g.t, &plan), 0);
	ev = wait_stop(&g);
	CHECK_EQ(ev.why, STOP_STEP);
	CHECK_EQ(ev.pc.raw, STORE);
	CHECK_EQ(regs(&g, 0).gpr[X86_RAX], 4);
}

TEST(range_step_in_a_busy_loop_is_interrupted)
{
	RIG(g, VM_FLAT_LONG, LONG, 1, long_code);
	struct resume_plan plan = { .vcpu = { { TARGET_STEP_RANGE, GVA(LONG), GVA(LONG + sizeof(long_code)) } } };
	struct pollfd p = { .fd = target_event_fd(g.t), .events = POLLIN };
	struct stop_event ev;

	CHECK_EQ(target_resume(g.t, &plan), 0);
	while (peek(&g, COUNT) < 3) {
		CHECK_EQ(poll(&p, 1, STOP_MS), 1);
		CHECK_EQ(target_next_stop(g.t, &ev), -EAGAIN);
	}
	CHECK_EQ(target_interrupt(g.t), 0);
	CHECK_EQ(wait_stop(&g).why, STOP_INTERRUPT);
	CHECK_EQ(run(&g, TARGET_STEP, TARGET_HOLD).why, STOP_STEP); // nothing of the interrupt is left
}

TEST(breakpoints_of_both_kinds_hit_and_go_away)
{
	RIG(g, VM_FLAT_LONG, LONG, 1, long_code);
	struct target_break set[] = { { TARGET_BREAK_SW, GVA(INC1), 1 }, { TARGET_BREAK_HW, GVA(STORE), 1 } };
	struct stop_event ev;
	uint8_t b[9];
	size_t done;

	CHECK_EQ(target_breaks_set(g.t, set, 2), 0);
	CHECK_EQ(target_breaks_set(g.t, set, 2), 0);
	ev = run(&g, TARGET_RUN, TARGET_HOLD);
	CHECK_EQ(ev.why, STOP_SWBREAK);
	CHECK_EQ(ev.pc.raw, INC1);
	CHECK_EQ(target_mem_read(g.t, GPA(LONG), b, sizeof(b), &done), 0);
	CHECK_MEM(b, long_code, sizeof(b)); // nothing is patched
	CHECK_EQ(target_breaks_set(g.t, set + 1, 1), 0);
	ev = run(&g, TARGET_RUN, TARGET_HOLD);
	CHECK_EQ(ev.why, STOP_HWBREAK);
	CHECK_EQ(ev.pc.raw, STORE);
	CHECK_EQ(target_breaks_set(g.t, NULL, 0), 0);
	resume(&g, TARGET_RUN, TARGET_HOLD);
	wait_change(&g, COUNT, 0);
	CHECK_EQ(target_interrupt(g.t), 0);
	CHECK_EQ(wait_stop(&g).why, STOP_INTERRUPT);
}

TEST(step_onto_a_breakpoint_is_a_step)
{
	RIG(g, VM_FLAT_LONG, LONG, 1, long_code);
	struct target_break at = { TARGET_BREAK_SW, GVA(INC1), 1 };

	CHECK_EQ(target_breaks_set(g.t, &at, 1), 0);
	CHECK_EQ(run(&g, TARGET_STEP, TARGET_HOLD).why, STOP_STEP);
	CHECK_EQ(run(&g, TARGET_STEP, TARGET_HOLD).pc.raw, INC1 + 3); // and off it again
}

TEST(watchpoint_stops_behind_the_access_and_names_itself)
{
	RIG(g, VM_FLAT_LONG, LONG, 1, long_code);
	struct target_break w = { TARGET_WATCH_WRITE, GVA(CELL), 4 };
	struct stop_event ev;

	CHECK_EQ(target_breaks_set(g.t, &w, 1), 0);
	ev = run(&g, TARGET_RUN, TARGET_HOLD);
	CHECK_EQ(ev.why, STOP_WATCH);
	CHECK_EQ(ev.watch_kind, HW_WRITE);
	CHECK_EQ(ev.watch_at.raw, CELL);
	CHECK_EQ(ev.pc.raw, LOOP);
	CHECK_EQ(peek(&g, CELL), 0x12345678);
	w = (struct target_break){ TARGET_WATCH_READ, GVA(COUNT), 4 };
	CHECK_EQ(target_breaks_set(g.t, &w, 1), 0);
	ev = run(&g, TARGET_RUN, TARGET_HOLD);
	CHECK_EQ(ev.watch_kind, HW_READ);
	CHECK_EQ(ev.watch_at.raw, COUNT);
}

TEST(interrupt_stops_a_busy_loop_and_memory_is_readable_meanwhile)
{
	RIG(g, VM_FLAT_LONG, LONG, 1, long_code);
	struct stop_event ev;
	struct arch_regs r = { 0 };
	size_t done;
	uint32_t seen;

	resume(&g, TARGET_RUN, TARGET_HOLD);
	wait_change(&g, COUNT, 0);
	CHECK_EQ(target_mem_write(g.t, GPA(CELL), "x", 1, &done), -EBUSY);
	CHECK_EQ(target_regs_read(g.t, 0, ARCH_CORE, &r), -EBUSY);
	CHECK_EQ(target_interrupt(g.t), 0);
	ev = wait_stop(&g);
	CHECK_EQ(ev.why, STOP_INTERRUPT);
	CHECK_EQ(ev.vcpu, 0);
	CHECK(ev.pc.raw >= LOOP && ev.pc.raw < LONG + sizeof(long_code));
	seen = peek(&g, COUNT);
	CHECK_EQ(target_interrupt(g.t), 0); // stopped: nothing happens
	CHECK_EQ(target_next_stop(g.t, &ev), -EAGAIN);
	CHECK_EQ(peek(&g, COUNT), seen);
}

TEST(memory_writes_reach_code_that_was_translated)
{
	RIG(g, VM_FLAT_LONG, LONG, 1, long_code);
	static const uint8_t nops[] = { 0x90, 0x90, 0x90, 0x90, 0x90, 0x90, 0x90 }, spin[] = { 0xeb, 0xfe };
	uint8_t b[3 * 4096], back[sizeof(b)];
	uint32_t seen;
	size_t done;

	resume(&g, TARGET_RUN, TARGET_HOLD);
	wait_change(&g, COUNT, 0);
	target_interrupt(g.t);
	wait_stop(&g);
	CHECK_EQ(target_mem_write(g.t, GPA(LOOP), nops, sizeof(nops), &done), 0);
	CHECK_EQ(done, sizeof(nops));
	seen = peek(&g, COUNT);
	resume(&g, TARGET_RUN, TARGET_HOLD);
	poll(NULL, 0, 50);
	target_interrupt(g.t);
	wait_stop(&g);
	CHECK(peek(&g, COUNT) - seen <= 1); // it may have stood on the inc
	CHECK_EQ(target_mem_write(g.t, GPA(LOOP), spin, 2, &done), 0);
	for (size_t i = 0; i < sizeof(b); i++)
		b[i] = (uint8_t)(i * 7);
	CHECK_EQ(target_mem_write(g.t, GPA(0x300000), b, sizeof(b), &done), 0);
	CHECK_EQ(done, sizeof(b));
	CHECK_EQ(target_mem_read(g.t, GPA(0x300000), back, sizeof(back), &done), 0);
	CHECK_MEM(back, b, sizeof(b));
}

TEST(memory_ends_where_the_map_ends)
{
	RIG(g, VM_FLAT_LONG, LONG, 1, long_code);
	uint8_t b[64];
	size_t done;

	CHECK_EQ(target_mem_read(g.t, GPA(RAM_SIZE - 16), b, sizeof(b), &done), 0);
	CHECK_EQ(done, 16);
	CHECK_EQ(target_mem_read(g.t, GPA(RAM_SIZE), b, 1, &done), -EFAULT);
	CHECK_EQ(target_mem_read(g.t, GPA(0xfffffff0), b, 16, &done), 0);
	CHECK_EQ(b[0], 0xea); // our reset vector
	CHECK_EQ(target_mem_write(g.t, GPA(0xfffffff0), "x", 1, &done), -EROFS);
}

TEST(registers_are_written_and_refused_as_the_vcpu_does)
{
	RIG(g, VM_FLAT_LONG, LONG, 1, long_code);
	struct arch_regs r = { 0 };
	struct x86_regs *x = &r.x86, now;

	CHECK_EQ(target_regs_read(g.t, 0, ARCH_ALL, &r), 0);
	x->gpr[X86_R15] = 0x1122334455667788;
	x->rip = INC1;
	x->rflags |= 1;
	x->seg[X86_FS].base = 0xffff888000000000;
	x->cr2 = 0xdeadbeef;
	x->xmm[3][15] = 0xaa;
	x->fstat = 3 << 11;
	x->st[0][9] = 0x3f;
	x->mxcsr = 0x1f00;
	x->msr[X86_MSR_KERNEL_GS_BASE] = 0xffff800000001000;
	CHECK_EQ(target_regs_write(g.t, 0, ARCH_ALL, &r), 0);
	now = regs(&g, 0);
	CHECK(now.gpr[X86_R15] == x->gpr[X86_R15] && now.rip == INC1 && now.rflags == 3);
	CHECK(now.seg[X86_FS].base == x->seg[X86_FS].base && now.cr2 == 0xdeadbeef);
	CHECK_MEM(now.xmm, x->xmm, sizeof(now.xmm));
	CHECK_MEM(now.st, x->st, sizeof(now.st));
	CHECK_EQ(now.fstat, 3 << 11);
	CHECK(now.msr[X86_MSR_KERNEL_GS_BASE] == x->msr[X86_MSR_KERNEL_GS_BASE]);
	CHECK_EQ(now.msr_have, 1 << X86_MSR_KERNEL_GS_BASE);
	CHECK_EQ(run(&g, TARGET_STEP, TARGET_HOLD).pc.raw, INC1 + 3);
	CHECK_EQ(regs(&g, 0).rflags & 1, 1); // inc leaves the carry alone

	CHECK_EQ(target_regs_read(g.t, 0, ARCH_ALL, &r), 0);
	x->dr[0] = 0x1000;
	CHECK_EQ(target_regs_write(g.t, 0, ARCH_DEBUG, &r), -ENOTSUP);
	x->gdt.base = 0x5000;
	CHECK_EQ(target_regs_write(g.t, 0, ARCH_SYS, &r), -ENOTSUP);
	r = (struct arch_regs){ 0 };
	CHECK_EQ(target_regs_read(g.t, 0, ARCH_SYS, &r), 0);
	CHECK_EQ(r.have, ARCH_SYS);
	x->seg[X86_ES].sel = 0x8; // the hidden part comes with it
	CHECK_EQ(target_regs_write(g.t, 0, ARCH_SYS, &r), 0);
	CHECK_EQ(regs(&g, 0).seg[X86_ES].attr & 0xf, 0xb);
}

TEST(second_vcpu_waits_runs_and_is_held)
{
	RIG(g, VM_FLAT_LONG, SMP, 2, smp_code);
	struct target_break set[] = { { TARGET_BREAK_HW, GVA(SMP_LOOP0), 1 }, { TARGET_BREAK_SW, GVA(SMP_AP), 1 } };
	unsigned hits[2] = { 0 };
	struct stop_event ev;
	uint32_t seen;

	CHECK_EQ(g.t->nvcpus, 2);
	CHECK(target_vcpu_online(g.t, 0));
	CHECK(!target_vcpu_online(g.t, 1));
	CHECK_EQ(regs(&g, 1).rip, 0xfff0);
	resume(&g, TARGET_RUN, TARGET_RUN);
	wait_change(&g, SMP_COUNT1, 0);
	target_interrupt(g.t);
	CHECK_EQ(wait_stop(&g).why, STOP_INTERRUPT);
	CHECK(target_vcpu_online(g.t, 1));
	CHECK_EQ(regs(&g, 1).seg[X86_CS].base, SMP_AP);

	seen = peek(&g, SMP_COUNT1);
	for (unsigned i = 0; i < 20; i++) {
		ev = run(&g, TARGET_STEP, TARGET_HOLD);
		CHECK(ev.why == STOP_STEP && ev.vcpu == 0);
	}
	CHECK_EQ(peek(&g, SMP_COUNT1), seen);

	CHECK_EQ(target_breaks_set(g.t, set, 2), 0);
	for (unsigned i = 0; i < 6; i++) {
		struct resume_plan one = { 0 };

		ev = run(&g, hits[0] > 2 ? TARGET_HOLD : TARGET_RUN, hits[1] > 2 ? TARGET_HOLD : TARGET_RUN);
		CHECK_EQ(ev.why, ev.vcpu ? STOP_SWBREAK : STOP_HWBREAK);
		CHECK_EQ(ev.pc.raw, ev.vcpu ? SMP_AP : SMP_LOOP0);
		hits[ev.vcpu]++;
		// Off the breakpoint, as the engine does it: lifted, the others held.
		CHECK_EQ(target_breaks_set(g.t, &set[!ev.vcpu], 1), 0);
		one.vcpu[ev.vcpu].action = TARGET_STEP;
		CHECK_EQ(target_resume(g.t, &one), 0);
		CHECK_EQ(wait_stop(&g).why, STOP_STEP);
		CHECK_EQ(target_breaks_set(g.t, set, 2), 0);
	}
	CHECK_EQ(hits[0], 3);
	CHECK_EQ(hits[1], 3);
}

TEST(power_off_ends_the_guest)
{
	RIG(g, VM_FLAT_LONG, LONG, 1, off_code);
	struct stop_event ev = run(&g, TARGET_RUN, TARGET_HOLD);
	struct arch_regs r;

	CHECK_EQ(ev.why, STOP_POWER_OFF);
	CHECK_EQ(target_regs_read(g.t, 0, ARCH_CORE, &r), 0); // the last instruction can still be seen
	ev = run(&g, TARGET_RUN, TARGET_HOLD);
	CHECK_EQ(ev.why, STOP_EXIT);
	CHECK_EQ(ev.code, TARGET_EXIT_OFF);
	CHECK_EQ(target_regs_read(g.t, 0, ARCH_CORE, &r), -ENODEV);
}

TEST(reset_stops_the_guest_and_going_on_ends_it)
{
	RIG(g, VM_FLAT_LONG, LONG, 1, reset_code);
	struct stop_event ev = run(&g, TARGET_RUN, TARGET_HOLD);

	CHECK_EQ(ev.why, STOP_RESET);
	CHECK(regs(&g, 0).rip > LONG);
	ev = run(&g, TARGET_RUN, TARGET_HOLD);
	CHECK_EQ(ev.why, STOP_EXIT);
	CHECK_EQ(ev.code, TARGET_EXIT_RESET);
}

TEST(a_panic_stops_the_guest_which_goes_on)
{
	RIG(g, VM_FLAT_LONG, LONG, 1, panic_code);
	struct stop_event ev = run(&g, TARGET_RUN, TARGET_HOLD);

	CHECK_EQ(ev.why, STOP_PANIC);
	CHECK(strstr(ev.text, "panicked"));
	CHECK_EQ(regs(&g, 0).gpr[X86_RAX] & 0xff, 1);
	resume(&g, TARGET_RUN, TARGET_HOLD);
	wait_change(&g, COUNT, 0);
	CHECK_EQ(target_interrupt(g.t), 0);
	CHECK_EQ(wait_stop(&g).why, STOP_INTERRUPT);
}

TEST(triple_fault_is_told_from_a_reset)
{
	RIG(g, VM_FLAT_LONG, LONG, 1, ud2_code);

	CHECK_EQ(run(&g, TARGET_RUN, TARGET_HOLD).why, STOP_TRIPLE_FAULT);
	CHECK_EQ(regs(&g, 0).rip, LONG);
}

static pid_t qemu_pid(struct rig *g)
{
	_cleanup_(strbuf_deinit) struct strbuf text = { 0 };
	int pid = 0;

	target_describe(g->t, &text);
	CHECK_EQ(sscanf(strbuf_str(&text), "QEMU (TCG), process %d,", &pid), 1);
	return pid;
}

TEST(qemu_killed_while_running_is_an_exit_that_says_so)
{
	RIG(g, VM_FLAT_LONG, LONG, 1, long_code);
	struct stop_event ev;

	resume(&g, TARGET_RUN, TARGET_HOLD);
	wait_change(&g, COUNT, 0);
	kill(qemu_pid(&g), SIGKILL);
	ev = wait_stop(&g);
	CHECK_EQ(ev.why, STOP_EXIT);
	CHECK_EQ(ev.code, TARGET_EXIT_DIED);
	CHECK(strstr(ev.text, "QEMU was killed by signal 9"));
}

TEST(qemu_killed_while_stopped_shows_at_the_next_resume)
{
	RIG(g, VM_FLAT_LONG, LONG, 1, long_code);
	struct pollfd p = { .fd = target_event_fd(g.t), .events = POLLIN };
	struct arch_regs r = { 0 };

	kill(qemu_pid(&g), SIGKILL);
	waitid(P_PID, (id_t)qemu_pid(&g), &(siginfo_t){ 0 }, WEXITED | WNOWAIT);
	CHECK_EQ(poll(&p, 1, 0), 0); // a stopped target does not make its owner spin
	CHECK(target_regs_read(g.t, 0, ARCH_CORE, &r) < 0);
	CHECK_EQ(run(&g, TARGET_RUN, TARGET_HOLD).why, STOP_EXIT);
}

TEST(kill_ends_the_guest)
{
	RIG(g, VM_FLAT_LONG, LONG, 1, long_code);

	CHECK_EQ(target_kill(g.t), 0);
	CHECK_EQ(run(&g, TARGET_RUN, TARGET_HOLD).why, STOP_EXIT);
}

TEST(destroy_leaves_no_process)
{
	struct rig g = rig_start(VM_FLAT_LONG, LONG, 1, long_code, sizeof(long_code));
	pid_t pid;

	if (g.rc == -ENODEV)
		skip();
	pid = qemu_pid(&g);
	resume(&g, TARGET_RUN, TARGET_HOLD);
	rig_close(&g);
	CHECK_EQ(kill(pid, 0), -1);
	CHECK_EQ(errno, ESRCH);
	CHECK_EQ(waitpid(-1, NULL, WNOHANG), -1); // nor a zombie
}

TEST(missing_qemu_names_the_package)
{
	struct rig g = { .serial = -1, .image = -1 };
	char path[32], *was = getenv("PATH") ? strdup(getenv("PATH")) : NULL;
	struct vm_cfg cfg = config(&g, path, real_code, sizeof(real_code));

	cfg.flat_addr = 0x8000;
	setenv("PATH", "/nonexistent", 1);
	CHECK_EQ(backend_qemu_create(&cfg, &g.t, &g.serial, &g.why), -ENODEV);
	setenv("PATH", was ? was : "", 1);
	free(was);
	CHECK(strstr(g.why.text, "qemu-system-x86"));
	setenv("GDBVM_QEMU", "/bin/false", 1);
	CHECK_EQ(backend_qemu_create(&cfg, &g.t, &g.serial, &g.why), -EPROTO);
	unsetenv("GDBVM_QEMU");
	CHECK_STR(g.why.text, "QEMU ended with status 1");
	rig_close(&g);
}

TESTS(T(flat_real_mode_starts_at_its_first_instruction), T(flat_long_mode_starts_at_its_first_instruction),
      T(step_takes_one_instruction), T(range_step_stops_outside_or_at_a_breakpoint),
      T(range_step_in_a_busy_loop_is_interrupted), T(breakpoints_of_both_kinds_hit_and_go_away),
      T(step_onto_a_breakpoint_is_a_step), T(watchpoint_stops_behind_the_access_and_names_itself),
      T(interrupt_stops_a_busy_loop_and_memory_is_readable_meanwhile), T(memory_writes_reach_code_that_was_translated),
      T(memory_ends_where_the_map_ends), T(registers_are_written_and_refused_as_the_vcpu_does),
      T(second_vcpu_waits_runs_and_is_held), T(power_off_ends_the_guest), T(reset_stops_the_guest_and_going_on_ends_it),
      T(a_panic_stops_the_guest_which_goes_on), T(triple_fault_is_told_from_a_reset),
      T(qemu_killed_while_running_is_an_exit_that_says_so), T(qemu_killed_while_stopped_shows_at_the_next_resume),
      T(kill_ends_the_guest), T(destroy_leaves_no_process), T(missing_qemu_names_the_package))
