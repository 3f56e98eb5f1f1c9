/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Time stands still while the guest is stopped: clocks and timers on a real KVM, with hand-made guests. */
#include "kvm_rig.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "../unit/test.h"
#include "kvm/timers.h"
#include "util/bytes.h"
#include "util/macros.h"

#define JMP_SELF 0xeb, 0xfe
#define IRET 0xcf

enum { HANDLER = RIG_CODE + 0x100, OTHER = RIG_CODE + 0x180 }; // of VECTOR and OTHER_VECTOR
enum { TICKS = RIG_DATA, TICK_TSC = RIG_DATA + 8, OTHERS = RIG_DATA + 0x10, TURNS = RIG_DATA + 0x18 };
enum { VECTOR = 0x40, OTHER_VECTOR = 0x41, PIC_VECTOR = 0x20 };
enum { MSR_TSC = 0x10, MSR_APIC_BASE = 0x1b, MSR_TSC_DEADLINE = 0x6e0, X2APIC_ON = 0xc00 };
enum { HOLD_MS = 900, DIVIDE_BY_1 = 0xb };

static uint64_t tsc_khz(struct rig *r)
{
	int khz = ioctl(r->vcpu_fd[0], KVM_GET_TSC_KHZ, 0);

	CHECK(khz > 0);
	return (uint64_t)khz;
}

static uint64_t msr(struct rig *r, unsigned vcpu, unsigned which)
{
	struct arch_regs regs = { 0 };

	CHECK_EQ(kvm_cpus_regs_read(r->cpus, vcpu, ARCH_MSR, &regs), 0);
	CHECK(regs.x86.msr_have & BIT(which));
	return regs.x86.msr[which];
}

static uint64_t tsc(struct rig *r, unsigned vcpu)
{
	return msr(r, vcpu, X86_MSR_TSC);
}

static void msr_set(struct rig *r, uint32_t number, uint64_t v)
{
	union {
		struct kvm_msrs m;
		uint8_t room[sizeof(struct kvm_msrs) + sizeof(struct kvm_msr_entry)];
	} u = { .m.nmsrs = 1 };

	u.m.entries[0] = (struct kvm_msr_entry){ .index = number, .data = v };
	CHECK_EQ(ioctl(r->vcpu_fd[0], KVM_SET_MSRS, &u), 1);
}

static bool tsc_offset(struct rig *r, unsigned vcpu, uint64_t *offset)
{
	struct kvm_device_attr a = { .group = KVM_VCPU_TSC_CTRL,
				     .attr = KVM_VCPU_TSC_OFFSET,
				     .addr = (uintptr_t)offset };

	return ioctl(r->vcpu_fd[vcpu], KVM_GET_DEVICE_ATTR, &a) == 0;
}

static void set_offset(struct rig *r, uint64_t offset)
{
	struct kvm_device_attr a = { .group = KVM_VCPU_TSC_CTRL,
				     .attr = KVM_VCPU_TSC_OFFSET,
				     .addr = (uintptr_t)&offset };

	CHECK_EQ(ioctl(r->vcpu_fd[0], KVM_SET_DEVICE_ATTR, &a), 0);
}

static void need_offset(struct rig *r)
{
	uint64_t offset;

	if (tsc_offset(r, 0, &offset))
		return;
	rig_close(r);
	SKIP("this KVM has no TSC offset attribute (Linux 5.16)");
}

static uint64_t clock_ns(struct rig *r)
{
	struct kvm_clock_data d = { 0 };

	CHECK_EQ(ioctl(r->vm_fd, KVM_GET_CLOCK, &d), 0);
	return d.clock;
}

static uint64_t word(struct rig *r, unsigned at)
{
	return __atomic_load_n((uint64_t *)(void *)(r->ram + at), __ATOMIC_SEQ_CST);
}

static void hold(struct rig *r, int ms)
{
	CHECK(rig_quiet(r, ms));
}

static void stop(struct rig *r)
{
	CHECK_EQ(kvm_cpus_interrupt(r->cpus), 0);
	CHECK_EQ(rig_wait(r).why, STOP_INTERRUPT);
}

static void go(struct rig *r)
{
	rig_resume(r, 0, TARGET_RUN, TARGET_RUN);
}

/*
 * The machine may be away for some time in any run or step, of which the guest sees as much as the host. Such a run or
 * step returns the host's milliseconds of it.
 */
static uint64_t run_for(struct rig *r, int ms)
{
	uint64_t begin = rig_host_ms();

	go(r);
	hold(r, ms);
	stop(r);
	return rig_host_ms() + 1 - begin;
}

static uint64_t timed_step(struct rig *r)
{
	uint64_t begin = rig_host_ms();

	rig_step(r, 0);
	return rig_host_ms() + 1 - begin;
}

/* Time that the guest has seen may be this much of what it was stopped for: the ways in and out are slow in a lab. */
static void check_ms(struct rig *r, uint64_t ticks, uint64_t least, uint64_t most)
{
	uint64_t ms = ticks / tsc_khz(r);

	if (ticks >> 63 || ms < least || ms > most)
		fail_msg("%lld ticks, %llu ms: expected %llu to %llu ms", (long long)ticks, (unsigned long long)ms,
			 (unsigned long long)least, (unsigned long long)most);
}

/* KVM's clock goes on at a stop until it is set back: what was read then may be later than what is read after a run. */
static void check_clock(uint64_t ns, uint64_t most)
{
	int64_t ms = (int64_t)ns / 1000000;

	if (ms >= (int64_t)most || ms <= -(int64_t)most)
		fail_msg("%lld ms on kvmclock: expected %llu at most", (long long)ms, (unsigned long long)most);
}

/* ---- clocks ---- */

TEST(the_tsc_shown_is_that_of_the_stop)
{
	struct rig r;
	uint64_t first;

	rig_open(&r, 1, false);
	need_offset(&r);
	RIG_CODE_AT(&r, RIG_CODE, 0x0f, 0x31, 0xeb, 0xfc); /* rdtsc; jmp */
	run_for(&r, 50);
	first = tsc(&r, 0);
	hold(&r, 50);
	CHECK_EQ(tsc(&r, 0), first);
	rig_close(&r);
}

/* As where the host's TSC is unstable. */
TEST(a_tsc_that_kvm_has_held_back_is_not_set_back_twice)
{
	struct rig r;
	uint64_t first, offset;

	rig_open(&r, 1, false);
	need_offset(&r);
	RIG_CODE_AT(&r, RIG_CODE, JMP_SELF);
	run_for(&r, 20);
	first = tsc(&r, 0);
	CHECK(tsc_offset(&r, 0, &offset));
	hold(&r, 200);
	offset -= 200 * tsc_khz(&r);
	set_offset(&r, offset);
	run_for(&r, 20);
	CHECK(tsc(&r, 0) >= first);
	rig_close(&r);
}

TEST(tsc_and_kvmclock_stand_still_on_every_vcpu)
{
	struct rig r;
	uint64_t first, clock, begin, most, offset[2];

	rig_open(&r, 2, false);
	need_offset(&r);
	RIG_CODE_AT(&r, RIG_CODE, JMP_SELF);
	for (unsigned i = 0; i < 2; i++) {
		run_for(&r, 20);
		first = tsc(&r, 0);
		clock = clock_ns(&r);
		hold(&r, HOLD_MS);
		begin = rig_host_ms();
		go(&r);
		stop(&r);
		clock = clock_ns(&r) - clock;
		most = rig_host_ms() - begin + HOLD_MS / 2;
		check_ms(&r, tsc(&r, 0) - first, 0, most);
		check_ms(&r, tsc(&r, 1) - first, 0, most);
		check_clock(clock, most);
		CHECK(tsc_offset(&r, 0, &offset[0]) && tsc_offset(&r, 1, &offset[1]));
		CHECK_EQ(offset[0], offset[1]);
	}
	rig_close(&r);
}

TEST(steps_by_hand_take_no_time)
{
	struct rig r;
	uint64_t first, clock, most = 500, offset[2];

	rig_open(&r, 2, false);
	need_offset(&r);
	RIG_CODE_AT(&r, RIG_CODE, 0x90, JMP_SELF);
	rig_step(&r, 0);
	first = tsc(&r, 0);
	clock = clock_ns(&r);
	for (unsigned i = 0; i < 40; i++) {
		hold(&r, 50);
		most += timed_step(&r);
	}
	check_clock(clock_ns(&r) - clock, most);
	check_ms(&r, tsc(&r, 0) - first, 0, most);
	check_ms(&r, tsc(&r, 1) - first, 0, most); // held all the time, and no other clock
	go(&r);
	stop(&r);
	CHECK(tsc_offset(&r, 0, &offset[0]) && tsc_offset(&r, 1, &offset[1]));
	CHECK_EQ(offset[0], offset[1]);
	rig_close(&r);
}

/* Microseconds on kvmclock for the same time on the TSC, whatever number of stops there was. */
TEST(tsc_and_kvmclock_keep_their_distance_over_many_stops)
{
	struct rig r;
	uint64_t t, ns, offset;

	rig_open(&r, 1, false);
	need_offset(&r);
	RIG_CODE_AT(&r, RIG_CODE, 0x90, JMP_SELF);
	go(&r);
	hold(&r, 20);
	struct kvm_clock_data before = { 0 }, after = { 0 };
	ioctl(r.vm_fd, KVM_GET_CLOCK, &before);
	if (!(before.flags & KVM_CLOCK_HOST_TSC)) {
		stop(&r);
		rig_close(&r);
		SKIP("this KVM does not compute its clock from the TSC");
	}
	stop(&r);
	CHECK(tsc_offset(&r, 0, &offset));
	t = before.host_tsc + offset;
	for (unsigned i = 0; i < 500; i++)
		rig_step(&r, 0);
	run_for(&r, 20);
	go(&r);
	hold(&r, 20);
	CHECK_EQ(ioctl(r.vm_fd, KVM_GET_CLOCK, &after), 0);
	stop(&r);
	CHECK(tsc_offset(&r, 0, &offset));
	t = after.host_tsc + offset - t;
	ns = after.clock - before.clock;
	t = t * 1000000 / tsc_khz(&r);
	if (t > ns + 100000 || ns > t + 100000)
		fail_msg("the TSC says %llu ns, kvmclock %llu ns", (unsigned long long)t, (unsigned long long)ns);
	rig_close(&r);
}

/* ---- the local APIC's timer ---- */

/* Counts its vector and notes when. inc word [TICKS]; rdtsc; mov [TICK_TSC], eax; mov [TICK_TSC + 4], edx; end of
 * interrupt through the x2APIC's MSR; iret */
static void put_handler(struct rig *r, unsigned vector, unsigned at, unsigned count)
{
	RIG_CODE_AT(r, at, 0xff, 0x06, count & 0xff, count >> 8, 0x0f, 0x31, 0x66, 0xa3, TICK_TSC & 0xff, TICK_TSC >> 8,
		    0x66, 0x89, 0x16, (TICK_TSC + 4) & 0xff, TICK_TSC >> 8, 0x66, 0xb9, 0x0b, 0x08, 0, 0, 0x66, 0x31,
		    0xc0, 0x66, 0x31, 0xd2, 0x0f, 0x30, IRET);
	st_le32(r->ram + 4 * vector, at);
}

/*
 * A guest that takes interrupts and does nothing else, and whose timer of @ns is set as @mode says. Returns: its TSC
 * just before.
 */
static uint64_t open_timer(struct rig *r, enum lapic_timer_mode mode, uint32_t ns)
{
	struct kvm_lapic_state s;
	struct arch_regs regs;
	uint64_t first;

	rig_open(r, 1, true);
	need_offset(r);
	RIG_CODE_AT(r, RIG_CODE, JMP_SELF);
	put_handler(r, VECTOR, HANDLER, TICKS);
	put_handler(r, OTHER_VECTOR, OTHER, OTHERS);
	rig_regs(r, 0, ARCH_CORE, &regs);
	regs.x86.rflags |= X86_RFLAGS_IF;
	CHECK_EQ(rig_regs_write(r, 0, ARCH_CORE, &regs), 0);
	msr_set(r, MSR_APIC_BASE, 0xfee00000 | 1 << 8 | X2APIC_ON);
	CHECK_EQ(ioctl(r->vcpu_fd[0], KVM_GET_LAPIC, &s), 0);
	lapic_reg_set(&s, LAPIC_SVR, 0x1ff);
	lapic_reg_set(&s, LAPIC_LVT_TIMER, VECTOR | (unsigned)mode << 17);
	lapic_reg_set(&s, LAPIC_TIMER_DIVIDE, DIVIDE_BY_1);
	lapic_reg_set(&s, LAPIC_TIMER_INITIAL, ns);
	lapic_reg_set(&s, LAPIC_TIMER_CURRENT, ns);
	first = tsc(r, 0);
	CHECK_EQ(ioctl(r->vcpu_fd[0], KVM_SET_LAPIC, &s), 0);
	if (mode == LAPIC_TSC_DEADLINE)
		msr_set(r, MSR_TSC_DEADLINE, tsc(r, 0) + ns / 1000000 * tsc_khz(r));
	return first;
}

static void wait_tick(struct rig *r, unsigned at)
{
	for (unsigned i = 0; i < 20000 && !word(r, at); i++)
		poll(NULL, 0, 1);
	CHECK(word(r, at));
}

/* Held for longer than the timer had to go: it comes when it would have come, once. */
static void check_single(enum lapic_timer_mode mode)
{
	struct rig r;
	uint64_t first, began = rig_host_ms(), ran;

	first = open_timer(&r, mode, 800 * 1000000);
	ran = rig_host_ms() - began; // it was started some time before the first entry, when nobody could hold it yet
	ran += run_for(&r, 20);
	hold(&r, HOLD_MS);
	for (unsigned i = 0; i < 5; i++) {
		ran += timed_step(&r);
		hold(&r, 20);
	}
	ran += run_for(&r, 100);
	if (ran >= 650) {
		rig_close(&r);
		SKIP("this machine is too slow: the timer may be over");
	}
	CHECK_EQ(word(&r, TICKS), 0);
	hold(&r, HOLD_MS);
	began = rig_host_ms();
	go(&r);
	wait_tick(&r, TICKS);
	ran += rig_host_ms() - began;
	hold(&r, 50);
	stop(&r);
	CHECK_EQ(word(&r, TICKS), 1);
	check_ms(&r, word(&r, TICK_TSC) - first, 700, MAX(1100, ran + 300));
	rig_close(&r);
}

TEST(a_one_shot_timer_is_neither_early_nor_lost)
{
	check_single(LAPIC_ONE_SHOT);
}

TEST(a_deadline_timer_is_neither_early_nor_lost)
{
	check_single(LAPIC_TSC_DEADLINE);
}

TEST(a_deadline_is_shown_while_the_timer_is_held)
{
	struct rig r;
	uint64_t deadline;

	open_timer(&r, LAPIC_TSC_DEADLINE, 2000 * 1000000u);
	deadline = msr(&r, 0, X86_MSR_TSC_DEADLINE);
	CHECK(deadline > tsc(&r, 0));
	go(&r);
	stop(&r);
	CHECK_EQ(msr(&r, 0, X86_MSR_TSC_DEADLINE), deadline);
	rig_close(&r);
}

TEST(a_periodic_timer_has_no_ticks_to_catch_up)
{
	struct rig r;
	uint64_t first, ticks, ms, ran = 0, merged = 0, began = rig_host_ms();

	first = open_timer(&r, LAPIC_PERIODIC, 100 * 1000000);
	for (unsigned i = 0; i < 6 || (word(&r, TICKS) < 5 && i < 60); i++) {
		run_for(&r, 130);
		ms = rig_host_ms() + 1 - began;
		ran += ms;
		merged += ms / 100; // at most: a vCPU that the machine lets wait takes several ticks as one
		hold(&r, 450);
		began = rig_host_ms();
	}
	ticks = word(&r, TICKS);
	CHECK(ticks >= 5);
	check_ms(&r, tsc(&r, 0) - first, ticks * 100 - 1, (ticks + 1 + merged) * 100);
	check_ms(&r, tsc(&r, 0) - first, 780, ran + 1400);
	rig_close(&r);
}

/* ---- steps that cannot tell the time ---- */

enum { IDT = 0x20000, APIC_BASE = 0xfee00000, APIC_RANGE = 3, APIC_TICKS = 800 * 1000000 };

/* In 64-bit code most instructions can be stepped with time standing still. Every exception has a handler. */
static void open_stepping(struct rig *r)
{
	struct kvm_lapic_state s;
	struct arch_regs regs;

	rig_open(r, 1, true);
	need_offset(r);
	rig_long_mode(r, 0);
	st_le64(r->ram + RIG_TABLES + 0x1000 + 8 * APIC_RANGE, (uint64_t)APIC_RANGE << 30 | 0x83);
	for (unsigned v = 0; v < 32; v++) {
		st_le64(r->ram + IDT + 16 * v, HANDLER | 8 << 16 | 0x8eull << 40);
		st_le64(r->ram + IDT + 16 * v + 8, 0);
	}
	rig_regs(r, 0, ARCH_SYS, &regs);
	regs.x86.idt = (struct x86_table){ .base = IDT, .limit = 0xfff };
	CHECK_EQ(rig_regs_write(r, 0, ARCH_SYS, &regs), 0);
	CHECK_EQ(ioctl(r->vcpu_fd[0], KVM_GET_LAPIC, &s), 0);
	lapic_reg_set(&s, LAPIC_SVR, 0x1ff);
	lapic_reg_set(&s, LAPIC_LVT_TIMER, VECTOR);
	lapic_reg_set(&s, LAPIC_TIMER_DIVIDE, DIVIDE_BY_1);
	CHECK_EQ(ioctl(r->vcpu_fd[0], KVM_SET_LAPIC, &s), 0);
}

static void set_gpr(struct rig *r, unsigned nr, uint64_t v)
{
	struct arch_regs regs;

	rig_regs(r, 0, ARCH_CORE, &regs);
	regs.x86.gpr[nr] = v;
	CHECK_EQ(rig_regs_write(r, 0, ARCH_CORE, &regs), 0);
}

static uint64_t gpr(struct rig *r, unsigned nr)
{
	struct arch_regs regs;

	rig_regs(r, 0, ARCH_CORE, &regs);
	return regs.x86.gpr[nr];
}

static void step_to(struct rig *r, unsigned pc)
{
	struct stop_event ev = rig_step(r, 0);

	CHECK_EQ(ev.why, STOP_STEP);
	CHECK_EQ(ev.pc.raw, pc);
}

TEST(steps_that_cannot_tell_the_time_take_none_and_rdtsc_takes_what_it_takes)
{
	struct rig r;
	uint64_t first, read, clock, begin, most;
	struct target_time t;

	open_stepping(&r);
	RIG_CODE_AT(&r, RIG_CODE, 0x90, 0x48, 0xff, 0xc0, 0x89, 0x03, 0x0f, 0x31,
		    JMP_SELF); /* nop; inc rax; mov [rbx] */
	step_to(&r, RIG_CODE + 1);
	set_gpr(&r, X86_RBX, RIG_DATA);
	first = tsc(&r, 0);
	CHECK_EQ(kvm_cpus_time(r.cpus, TARGET_TIME_KEEP, 0, &t), 0);
	clock = t.clock_ns;
	hold(&r, 300);
	step_to(&r, RIG_CODE + 4);
	hold(&r, 300);
	step_to(&r, RIG_CODE + 6);
	hold(&r, 300);
	CHECK_EQ(word(&r, RIG_DATA), 1);
	CHECK_EQ(tsc(&r, 0), first);
	begin = rig_host_ms();
	step_to(&r, RIG_CODE + 8);
	clock = clock_ns(&r) - clock;
	most = rig_host_ms() - begin + 400;
	read = gpr(&r, X86_RDX) << 32 | gpr(&r, X86_RAX);
	check_ms(&r, read - first, 0, most);
	check_ms(&r, tsc(&r, 0) - read, 0, most);
	CHECK(clock < most * 1000000);
	rig_close(&r);
}

/* The step that starts the timer, steps that do not see it, and one that reads it. */
TEST(a_timer_that_a_step_starts_is_held_from_then_on)
{
	_cleanup_(strbuf_deinit) struct strbuf first = { 0 }, again = { 0 };
	uint64_t begin, most;
	struct rig r;

	open_stepping(&r);
	RIG_CODE_AT(&r, RIG_CODE, 0x90, 0x89, 0x03, 0x90, 0x8b, 0x11,
		    JMP_SELF); /* mov [rbx], eax; nop; mov edx, [rcx] */
	step_to(&r, RIG_CODE + 1);
	set_gpr(&r, X86_RBX, APIC_BASE + LAPIC_TIMER_INITIAL);
	set_gpr(&r, X86_RCX, APIC_BASE + LAPIC_TIMER_CURRENT);
	set_gpr(&r, X86_RAX, APIC_TICKS);
	begin = rig_host_ms();
	step_to(&r, RIG_CODE + 3);
	most = rig_host_ms() - begin + 400;
	CHECK_EQ(kvm_cpus_info(r.cpus, TARGET_INFO_LAPIC, 0, &first), 0);
	hold(&r, HOLD_MS);
	step_to(&r, RIG_CODE + 4);
	hold(&r, HOLD_MS);
	CHECK_EQ(kvm_cpus_info(r.cpus, TARGET_INFO_LAPIC, 0, &again), 0);
	CHECK_STR(strbuf_str(&first), strbuf_str(&again));
	begin = rig_host_ms();
	step_to(&r, RIG_CODE + 6);
	most += rig_host_ms() - begin;
	CHECK(gpr(&r, X86_RDX) <= APIC_TICKS);
	CHECK((APIC_TICKS - gpr(&r, X86_RDX)) / 1000000 < most); // one a nanosecond
	rig_close(&r);
}

static void check_interrupt_is_kept(enum lapic_timer_mode mode)
{
	struct kvm_msi msi = { .address_lo = 0xfee00000, .data = OTHER_VECTOR };
	struct rig r;

	open_timer(&r, mode, 2000 * 1000000u);
	run_for(&r, 20);
	CHECK_EQ(ioctl(r.vm_fd, KVM_SIGNAL_MSI, &msi), 1);
	hold(&r, 50);
	go(&r);
	wait_tick(&r, OTHERS);
	CHECK_EQ(word(&r, TICKS), 0);
	stop(&r);
	rig_close(&r);
}

TEST(an_interrupt_that_comes_while_the_timer_is_held_is_kept)
{
	check_interrupt_is_kept(LAPIC_ONE_SHOT);
	check_interrupt_is_kept(LAPIC_PERIODIC);
	check_interrupt_is_kept(LAPIC_TSC_DEADLINE);
}

static void check_shown_still(enum lapic_timer_mode mode)
{
	_cleanup_(strbuf_deinit) struct strbuf first = { 0 }, again = { 0 };
	struct target_time t1, t2;
	struct rig r;

	open_timer(&r, mode, 300 * 1000000);
	go(&r);
	stop(&r);
	CHECK_EQ(kvm_cpus_info(r.cpus, TARGET_INFO_LAPIC, 0, &first), 0);
	CHECK_EQ(kvm_cpus_time(r.cpus, TARGET_TIME_KEEP, 0, &t1), 0);
	hold(&r, 400);
	CHECK_EQ(kvm_cpus_info(r.cpus, TARGET_INFO_LAPIC, 0, &again), 0);
	CHECK_EQ(kvm_cpus_time(r.cpus, TARGET_TIME_KEEP, 0, &t2), 0);
	CHECK_STR(strbuf_str(&first), strbuf_str(&again));
	CHECK(strstr(strbuf_str(&first), "x2APIC, bootstrap processor"));
	CHECK(strstr(strbuf_str(&first), "vector 0x40"));
	CHECK(t1.have_clock && t1.have_tsc && t2.tsc == t1.tsc && t2.clock_ns == t1.clock_ns);
	CHECK(t2.held_ns - t1.held_ns >= 400 * 1000000);
	rig_close(&r);
}

TEST(a_held_timer_is_shown_as_it_was_at_the_stop)
{
	check_shown_still(LAPIC_ONE_SHOT);
	check_shown_still(LAPIC_PERIODIC);
	check_shown_still(LAPIC_TSC_DEADLINE);
}

TEST(interrupt_controllers_are_shown)
{
	_cleanup_(strbuf_deinit) struct strbuf out = { 0 };
	struct kvm_irq_level line = { .irq = 5, .level = 1 };
	struct rig r;

	rig_open(&r, 2, true);
	CHECK_EQ(ioctl(r.vm_fd, KVM_IRQ_LINE, &line), 0);
	CHECK_EQ(kvm_cpus_info(r.cpus, TARGET_INFO_PIC, 0, &out), 0);
	CHECK_EQ(kvm_cpus_info(r.cpus, TARGET_INFO_IRQ, 0, &out), 0);
	CHECK(strstr(strbuf_str(&out), "8259A slave, IRQ 8-15"));
	CHECK(strstr(strbuf_str(&out), "I/O APIC at 0xfec00000"));
	CHECK(strstr(strbuf_str(&out), "lines on at the 8259As: 5\n"));
	CHECK(strstr(strbuf_str(&out), "vCPU 1:"));
	rig_close(&r);
	rig_open(&r, 1, false);
	CHECK_EQ(kvm_cpus_info(r.cpus, TARGET_INFO_PIC, 0, &out), -ENOTSUP);
	CHECK_EQ(kvm_cpus_info(r.cpus, TARGET_INFO_LAPIC, 0, &out), -ENOTSUP);
	rig_close(&r);
}

/* ---- the PIT ---- */

/* inc word [TICKS]; rdtsc and note it; end of interrupt to the 8259A; iret */
static void open_pit(struct rig *r, uint8_t mode, unsigned count)
{
	struct kvm_irqchip pic = { .chip_id = KVM_IRQCHIP_PIC_MASTER };
	struct kvm_pit_config config = { 0 };
	struct kvm_pit_state2 pit = { 0 };
	struct arch_regs regs;

	rig_open(r, 1, true);
	need_offset(r);
	CHECK_EQ(ioctl(r->vm_fd, KVM_CREATE_PIT2, &config), 0);
	RIG_CODE_AT(r, RIG_CODE, 0xff, 0x06, TURNS & 0xff, TURNS >> 8, 0xeb, 0xfa); /* inc word [TURNS]; jmp */
	RIG_CODE_AT(r, HANDLER, 0xff, 0x06, TICKS & 0xff, TICKS >> 8, 0x0f, 0x31, 0x66, 0xa3, TICK_TSC & 0xff,
		    TICK_TSC >> 8, 0x66, 0x89, 0x16, (TICK_TSC + 4) & 0xff, TICK_TSC >> 8, 0xb0, 0x20, 0xe6, 0x20,
		    IRET);
	st_le32(r->ram + 4 * PIC_VECTOR, HANDLER);
	CHECK_EQ(ioctl(r->vm_fd, KVM_GET_IRQCHIP, &pic), 0);
	pic.chip.pic.irq_base = PIC_VECTOR;
	pic.chip.pic.imr = 0xfe;
	pic.chip.pic.init4 = 1;
	CHECK_EQ(ioctl(r->vm_fd, KVM_SET_IRQCHIP, &pic), 0);
	rig_regs(r, 0, ARCH_CORE, &regs);
	regs.x86.rflags |= X86_RFLAGS_IF;
	CHECK_EQ(rig_regs_write(r, 0, ARCH_CORE, &regs), 0);
	CHECK_EQ(ioctl(r->vm_fd, KVM_GET_PIT2, &pit), 0);
	pit.channels[0].mode = mode;
	pit.channels[0].count = count;
	CHECK_EQ(ioctl(r->vm_fd, KVM_SET_PIT2, &pit), 0);
}

enum { PIT_50MS = 59659 };

TEST(a_pit_one_shot_waits_for_the_guest)
{
	struct rig r;
	uint64_t first, begin, most = 100;

	open_pit(&r, 0, PIT_50MS);
	go(&r);
	stop(&r);
	first = tsc(&r, 0);
	if (word(&r, TICKS)) {
		rig_close(&r);
		SKIP("this machine is too slow: the timer was over before the guest was stopped");
	}
	hold(&r, 300);
	for (unsigned i = 0; i < 2; i++) {
		most += timed_step(&r);
		hold(&r, 30);
	}
	begin = rig_host_ms();
	go(&r);
	wait_tick(&r, TICKS);
	most += rig_host_ms() - begin;
	hold(&r, 100);
	stop(&r);
	CHECK_EQ(word(&r, TICKS), 1);
	check_ms(&r, word(&r, TICK_TSC) - first, 0, MAX(150, most));
	rig_close(&r);
}

static void take_interrupts(struct rig *r, bool on)
{
	struct arch_regs regs;

	rig_regs(r, 0, ARCH_CORE, &regs);
	regs.x86.rflags = on ? regs.x86.rflags | X86_RFLAGS_IF : regs.x86.rflags & ~(uint64_t)X86_RFLAGS_IF;
	CHECK_EQ(rig_regs_write(r, 0, ARCH_CORE, &regs), 0);
}

/*
 * A run of 30 ms, or as long as the host draws it out. Returns: the guest's milliseconds. *@most: those of the host,
 * which can come between the moments at which a timer and the TSC begin or end to stand still.
 */
static uint64_t short_run(struct rig *r, uint64_t *most)
{
	uint64_t turns = word(r, TURNS), begin = tsc(r, 0), began = rig_host_ms(), ms;

	go(r);
	while (word(r, TURNS) == turns) // a tick that is given now is taken now, and not along with the next
		poll(NULL, 0, 1);
	hold(r, 30);
	stop(r);
	*most = rig_host_ms() + 1 - began;
	ms = (tsc(r, 0) - begin) / tsc_khz(r);
	hold(r, 60);
	return ms;
}

TEST(a_periodic_pit_has_no_ticks_to_catch_up_and_loses_none_to_short_runs)
{
	struct rig r;
	uint64_t first, ticks, most, excess = 0;

	open_pit(&r, 2, PIT_50MS);
	first = tsc(&r, 0);
	for (unsigned i = 0; i < 20; i++) {
		uint64_t ms = short_run(&r, &most);

		excess += ms > 50 ? ms - 50 : 0; // beyond a period, ticks are lost as in any guest
	}
	ticks = word(&r, TICKS);
	check_ms(&r, tsc(&r, 0) - first, ticks * 50 - 50, ticks * 50 + 600 + excess);
	rig_close(&r);
}

/* A run until the next tick. Returns: the guest's milliseconds. */
static uint64_t run_to_tick(struct rig *r)
{
	uint64_t begin = tsc(r, 0);

	st_le64(r->ram + TICKS, 0);
	go(r);
	wait_tick(r, TICKS);
	stop(r);
	return (tsc(r, 0) - begin) / tsc_khz(r);
}

/* A tick that comes while the one before it is still pending is none. */
TEST(ticks_that_a_pit_owes_wait_until_the_guest_takes_them)
{
	enum { DEAF_MS = 800, LISTENING = 16, RUNS_MAX = 100 };
	uint64_t deaf = 0, most;
	unsigned soon = 0;
	struct rig r;

	open_pit(&r, 2, PIT_50MS);
	take_interrupts(&r, false);
	for (unsigned i = 0; deaf < DEAF_MS && i < RUNS_MAX; i++) {
		uint64_t ms = short_run(&r, &most);

		deaf += most < 50 ? ms : 0; // a longer one may have a tick of its own, which is lost as in any guest
	}
	CHECK_EQ(word(&r, TICKS), 0);
	if (deaf < DEAF_MS) {
		rig_close(&r);
		SKIP("this machine is too slow: few runs were shorter than the PIT's period");
	}
	take_interrupts(&r, true);
	for (unsigned i = 0; i < LISTENING; i++) // of 800 ms sixteen are left: one for each run
		soon += run_to_tick(&r) < 50 / 2;
	CHECK(soon > LISTENING / 2); // without them it would wait a period for each tick
	rig_close(&r);
}

TESTS(T(steps_that_cannot_tell_the_time_take_none_and_rdtsc_takes_what_it_takes),
      T(a_timer_that_a_step_starts_is_held_from_then_on), T(the_tsc_shown_is_that_of_the_stop),
      T(a_tsc_that_kvm_has_held_back_is_not_set_back_twice), T(tsc_and_kvmclock_stand_still_on_every_vcpu),
      T(steps_by_hand_take_no_time), T(tsc_and_kvmclock_keep_their_distance_over_many_stops),
      T(a_one_shot_timer_is_neither_early_nor_lost), T(a_deadline_timer_is_neither_early_nor_lost),
      T(a_deadline_is_shown_while_the_timer_is_held), T(a_periodic_timer_has_no_ticks_to_catch_up),
      T(a_held_timer_is_shown_as_it_was_at_the_stop), T(interrupt_controllers_are_shown),
      T(an_interrupt_that_comes_while_the_timer_is_held_is_kept), T(a_pit_one_shot_waits_for_the_guest),
      T(a_periodic_pit_has_no_ticks_to_catch_up_and_loses_none_to_short_runs),
      T(ticks_that_a_pit_owes_wait_until_the_guest_takes_them))
