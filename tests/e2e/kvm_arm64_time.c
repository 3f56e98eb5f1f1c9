/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Time stands still while an arm64 guest is stopped, and its timers' interrupts wait for the end of a step. */
#include "kvm_rig_arm64.h"

#include <errno.h>
#include <poll.h>
#include <sys/ioctl.h>

#include "../unit/test.h"
#include "util/bytes.h"
#include "util/macros.h"
#include "util/strbuf.h"

enum { EL1H = 5, IRQ_EL1 = RIG_VECTORS + 0x280, NOW = RIG_DATA, TICK = RIG_DATA + 8 };

/* Writes its counter to memory all the time. */
RIG_ASM(watch_clock, "mov x1, #0x2000\n 1: isb\n mrs x0, cntvct_el0\n str x0, [x1]\n b 1b\n");

/* The same with the physical one. */
RIG_ASM(watch_physical, "mov x1, #0x2000\n 1: isb\n mrs x0, cntpct_el0\n str x0, [x1]\n b 1b\n");

/*
 * The GIC lets the virtual timer (PPI 27) through. x20: the deadline, in ticks from now. Then it counts, with
 * interrupts unmasked.
 */
RIG_ASM(timer,
	"mov x1, #0x08000000\n mov w0, #0x12\n str w0, [x1]\n"                               // GICD_CTLR: ARE, group 1
	"movz x1, #0x0802, lsl #16\n mov w0, #-1\n str w0, [x1, #0x80]\n"                    // GICR_IGROUPR0
	"mov w0, #0x08000000\n str w0, [x1, #0x100]\n"                                       // GICR_ISENABLER0
	"mov x0, #0xf0\n msr s3_0_c4_c6_0, x0\n mov x0, #1\n msr s3_0_c12_c12_7, x0\n isb\n" // PMR, IGRPEN1
	"mrs x0, cntvct_el0\n add x0, x0, x20\n msr cntv_cval_el0, x0\n mov x2, #1\n msr cntv_ctl_el0, x2\n isb\n"
	"msr daifclr, #2\n mov x1, #0x2000\n"
	"1: add x19, x19, #1\n mrs x0, cntvct_el0\n str x0, [x1]\n b 1b\n");
enum { TIMER_INSNS = 21 }; /* before the loop */
RIG_ASM(on_tick, "mrs x0, cntvct_el0\n mrs x5, s3_0_c12_c12_0\n mov x1, #0x2000\n str x0, [x1, #8]\n b .\n");

static uint64_t word(struct rig *r, uint64_t at)
{
	return __atomic_load_n((uint64_t *)(void *)(r->ram + at), __ATOMIC_SEQ_CST);
}

static void hold(int ms)
{
	poll(NULL, 0, ms);
}

/*
 * A run until the guest has written @at, and @ms more. Returns: the host's milliseconds. The machine may be away for
 * some time, of which the guest sees as much as the host.
 */
static uint64_t run_for(struct rig *r, int ms, uint64_t at)
{
	uint64_t before = word(r, at), begin = rig_host_ms();

	rig_resume(r, 0, TARGET_RUN, TARGET_RUN);
	while (word(r, at) == before && rig_host_ms() - begin < 30000)
		hold(1);
	CHECK(word(r, at) != before);
	CHECK(rig_quiet(r, ms));
	CHECK_EQ(kvm_cpus_interrupt(r->cpus), 0);
	CHECK_EQ(rig_wait(r).why, STOP_INTERRUPT);
	return rig_host_ms() + 1 - begin;
}

static uint64_t frequency(void)
{
	uint64_t hz; // the guest has the host's

	__asm__("mrs %0, cntfrq_el0" : "=r"(hz));
	return hz;
}

static uint64_t ms_of(uint64_t ticks)
{
	return ticks * 1000 / frequency();
}

TEST(the_counter_stands_still_while_the_guest_is_stopped)
{
	struct target_time t;
	uint64_t first, shown, ran;
	struct rig r;

	rig_open(&r, 1, true);
	RIG_ASM_AT(&r, RIG_CODE, watch_clock);
	ran = run_for(&r, 50, NOW);
	first = word(&r, NOW);
	shown = rig_sys(&r, 0, ARM64_CNTVCT_EL0);
	CHECK(shown >= first && ms_of(shown - first) < 100 + ran);
	for (unsigned i = 0; i < 5; i++) {
		hold(400);
		CHECK_EQ(rig_sys(&r, 0, ARM64_CNTVCT_EL0), shown);
		ran += run_for(&r, 20, NOW);
		CHECK(word(&r, NOW) > first);
		first = word(&r, NOW);
		shown = rig_sys(&r, 0, ARM64_CNTVCT_EL0);
		CHECK(shown >= first);
	}
	CHECK_EQ(kvm_cpus_time(r.cpus, TARGET_TIME_KEEP, 0, &t), 0);
	print_message("the guest has seen %d ms, was held for %d ms\n", (int)ms_of(first), (int)(t.held_ns / 1000000));
	CHECK(t.have_clock && t.have_tsc);
	CHECK_EQ(t.tsc, shown);
	CHECK_EQ(t.mode, TARGET_TIME_FREEZE);
	CHECK(t.held_ns >= 2000000000);
	CHECK(ms_of(first) < 1500 + ran);
	rig_close(&r);
}

TEST(the_physical_counter_stands_still_with_it)
{
	enum { CAP_COUNTER_OFFSET = 227 }; // newer than the headers that we can rely on
	uint64_t first, virtual, ran;
	struct rig r;

	rig_open(&r, 1, true);
	RIG_ASM_AT(&r, RIG_CODE, watch_physical);
	if (ioctl(r.vm_fd, KVM_CHECK_EXTENSION, CAP_COUNTER_OFFSET) <= 0) {
		rig_close(&r);
		SKIP("this KVM has no offset for both counters (Linux 6.4)");
	}
	ran = run_for(&r, 50, NOW);
	first = word(&r, NOW);
	virtual = rig_sys(&r, 0, ARM64_CNTVCT_EL0);
	CHECK(ms_of(first) < 1500 + ran);
	hold(1000);
	ran += run_for(&r, 20, NOW);
	print_message("the physical counter: %d ms, after a second: %d ms\n", (int)ms_of(first),
		      (int)ms_of(word(&r, NOW)));
	CHECK(word(&r, NOW) > first);
	CHECK(ms_of(word(&r, NOW) - first) < 700 + ran);
	CHECK(first <= virtual && virtual <= word(&r, NOW));
	rig_close(&r);
}

TEST(steps_see_time_go_on_only_a_little)
{
	uint64_t before, after, begin, most;
	struct rig r;

	rig_open(&r, 1, true);
	RIG_ASM_AT(&r, RIG_CODE, watch_clock);
	most = run_for(&r, 20, NOW) + 400;
	before = word(&r, NOW);
	for (unsigned i = 0; i < 20; i++) {
		hold(50);
		begin = rig_host_ms();
		CHECK_EQ(rig_step(&r, 0).why, STOP_STEP);
		most += rig_host_ms() - begin;
	}
	after = word(&r, NOW);
	print_message("20 steps, 50 ms apart, took the guest %d ms\n", (int)ms_of(after - before));
	CHECK(after > before);
	CHECK(ms_of(after - before) < most);
	rig_close(&r);
}

TEST(time_goes_on_where_the_user_wants_it)
{
	struct target_time t;
	uint64_t before;
	struct rig r;

	rig_open(&r, 1, true);
	RIG_ASM_AT(&r, RIG_CODE, watch_clock);
	run_for(&r, 20, NOW);
	before = word(&r, NOW);
	CHECK_EQ(kvm_cpus_time(r.cpus, TARGET_TIME_RUN, 0, &t), 0);
	CHECK_EQ(t.mode, TARGET_TIME_RUN);
	hold(500);
	run_for(&r, 20, NOW);
	CHECK(ms_of(word(&r, NOW) - before) >= 500);
	rig_close(&r);
}

static void open_timer(struct rig *r, uint64_t ms)
{
	rig_open(r, 1, true);
	RIG_ASM_AT(r, RIG_CODE, timer);
	RIG_ASM_AT(r, IRQ_EL1, on_tick);
	rig_set_sys(r, 0, ARM64_VBAR_EL1, RIG_VECTORS);
	rig_set_x(r, 0, 20, frequency() * ms / 1000);
}

TEST(a_deadline_waits_for_the_guest)
{
	uint64_t deadline, ran;
	struct rig r;

	open_timer(&r, 1500);
	ran = run_for(&r, 300, NOW);
	deadline = rig_sys(&r, 0, ARM64_CNTV_CVAL_EL0);
	CHECK(deadline);
	for (unsigned i = 0; i < 3; i++) {
		hold(900);
		if (ran >= 1400)
			break;
		CHECK_EQ(rig_sys(&r, 0, ARM64_CNTV_CTL_EL0), 1); // not over
		ran += run_for(&r, 20, NOW);
	}
	if (ran >= 1400) {
		rig_close(&r);
		SKIP("this machine is too slow: the timer may be over");
	}
	CHECK_EQ(word(&r, TICK), 0);
	run_for(&r, 0, TICK);
	print_message("the tick was %d us late\n", (int)((word(&r, TICK) - deadline) * 1000000 / frequency()));
	CHECK(word(&r, TICK) >= deadline);
	CHECK_EQ(rig_x(&r, 0, 5), 27);
	rig_close(&r);
}

TEST(an_interrupt_that_is_pending_waits_for_the_end_of_the_steps)
{
	const uint64_t loop = RIG_CODE + 4 * (uint64_t)(TIMER_INSNS - 0);
	_cleanup_(strbuf_deinit) struct strbuf text = { 0 };
	struct rig r;
	uint64_t at = 0;

	open_timer(&r, 0);
	for (unsigned i = 0; i < 60; i++) {
		struct stop_event ev = rig_step(&r, 0);

		CHECK_EQ(ev.why, STOP_STEP);
		at = ev.pc.raw;
		CHECK(at < IRQ_EL1);
	}
	CHECK(at >= loop);
	CHECK(rig_x(&r, 0, 19) > 3);
	CHECK_EQ(rig_pstate(&r, 0) & ARM64_PSTATE_I, 0);
	CHECK_EQ(rig_sys(&r, 0, ARM64_CNTV_CTL_EL0), 5); // it is over
	CHECK_EQ(kvm_cpus_info(r.cpus, TARGET_INFO_IRQ, 0, &text), 0);
	CHECK(strstr(strbuf_str(&text), "vCPU 0:\n  pending: 27\n  active: none\n  enabled:"));
	run_for(&r, 50, TICK);
	CHECK_EQ(rig_x(&r, 0, 5), 27);
	CHECK_EQ(kvm_cpus_info(r.cpus, TARGET_INFO_VGIC, 0, &text), 0);
	CHECK(strstr(strbuf_str(&text), "vCPU 0: group 0 off, group 1 on, priority mask 0xf0, running priority 0x"));
	CHECK(strstr(strbuf_str(&text), "\n  27 (PPI 11)    1 "));
	CHECK_EQ(kvm_cpus_info(r.cpus, TARGET_INFO_LAPIC, 0, &text), -ENOTSUP);
	CHECK_EQ(rig_sys(&r, 0, ARM64_SPSR_EL1) & 0x3ff, EL1H | (ARM64_PSTATE_DAIF & ~(unsigned)ARM64_PSTATE_I));
	rig_close(&r);
}

TESTS(T(the_counter_stands_still_while_the_guest_is_stopped), T(the_physical_counter_stands_still_with_it),
      T(steps_see_time_go_on_only_a_little), T(time_goes_on_where_the_user_wants_it), T(a_deadline_waits_for_the_guest),
      T(an_interrupt_that_is_pending_waits_for_the_end_of_the_steps))
