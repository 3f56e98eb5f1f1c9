/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "kvm/timers.h"

#include "test.h"

enum { VECTOR = 0xec, OTHER = 0x31, MASKED = 1 << 16, DIVIDE_BY_1 = 0xb };

static struct kvm_lapic_state timer(enum lapic_timer_mode mode, uint32_t initial, uint32_t current)
{
	struct kvm_lapic_state s = { 0 };

	lapic_reg_set(&s, LAPIC_LVT_TIMER, VECTOR | (unsigned)mode << 17);
	lapic_reg_set(&s, LAPIC_TIMER_DIVIDE, DIVIDE_BY_1);
	lapic_reg_set(&s, LAPIC_TIMER_INITIAL, initial);
	lapic_reg_set(&s, LAPIC_TIMER_CURRENT, current);
	return s;
}

static void raise(struct kvm_lapic_state *s, unsigned vector)
{
	unsigned reg = LAPIC_IRR + vector / 32 * 0x10;

	lapic_reg_set(s, reg, lapic_reg(s, reg) | 1u << vector % 32);
}

/* ---- the local APIC ---- */

TEST(only_a_timer_that_counts_needs_to_be_put_back)
{
	struct kvm_lapic_state s = timer(LAPIC_ONE_SHOT, 1000, 400);

	CHECK(lapic_timer_counts(&s));
	s = timer(LAPIC_ONE_SHOT, 1000, 0); // over
	CHECK(!lapic_timer_counts(&s));
	s = timer(LAPIC_PERIODIC, 1000, 0); // about to begin again
	CHECK(lapic_timer_counts(&s));
	s = timer(LAPIC_PERIODIC, 0, 0); // off
	CHECK(!lapic_timer_counts(&s));
	s = timer(LAPIC_TSC_DEADLINE, 1000, 400);
	CHECK(!lapic_timer_counts(&s));
}

TEST(the_divisor_is_the_manuals)
{
	static const unsigned want[8] = { 2, 4, 8, 16, 32, 64, 128, 1 };
	struct kvm_lapic_state s = { 0 };

	for (unsigned i = 0; i < 8; i++) {
		lapic_reg_set(&s, LAPIC_TIMER_DIVIDE, (i & 3) | (i & 4) << 1);
		CHECK_EQ(lapic_timer_divisor(&s), want[i]);
	}
}

TEST(age_counts_from_the_last_reload)
{
	struct kvm_lapic_state s = timer(LAPIC_PERIODIC, 1000, 400);

	CHECK_EQ(lapic_timer_age_ns(&s), 600);
	lapic_reg_set(&s, LAPIC_TIMER_DIVIDE, 0);
	CHECK_EQ(lapic_timer_age_ns(&s), 1200);
}

TEST(an_interrupt_of_the_timer_that_came_while_it_was_held_is_taken_back)
{
	struct kvm_lapic_state frozen = timer(LAPIC_ONE_SHOT, 1000, 400), now = timer(LAPIC_ONE_SHOT, 1000, 0);

	raise(&now, VECTOR);
	lapic_timer_put_back(&frozen, false, &now);
	CHECK(!lapic_vector(&now, LAPIC_IRR, VECTOR));
	CHECK_EQ(lapic_reg(&now, LAPIC_TIMER_CURRENT), 400);
}

TEST(interrupts_from_elsewhere_stay)
{
	struct kvm_lapic_state frozen = timer(LAPIC_PERIODIC, 1000, 400), now = timer(LAPIC_PERIODIC, 1000, 7);

	raise(&now, VECTOR);
	raise(&now, OTHER);
	raise(&now, VECTOR + 1);
	lapic_reg_set(&now, LAPIC_TPR, 0x20);
	lapic_timer_put_back(&frozen, false, &now);
	CHECK(!lapic_vector(&now, LAPIC_IRR, VECTOR));
	CHECK(lapic_vector(&now, LAPIC_IRR, OTHER));
	CHECK(lapic_vector(&now, LAPIC_IRR, VECTOR + 1));
	CHECK_EQ(lapic_reg(&now, LAPIC_TPR), 0x20);
}

TEST(an_interrupt_of_the_timer_that_was_pending_at_the_stop_stays)
{
	struct kvm_lapic_state frozen = timer(LAPIC_PERIODIC, 1000, 400), now;

	raise(&frozen, VECTOR);
	now = frozen;
	lapic_timer_put_back(&frozen, false, &now);
	CHECK(lapic_vector(&now, LAPIC_IRR, VECTOR));
}

TEST(a_tick_that_is_owed_becomes_pending_unless_it_is_masked)
{
	struct kvm_lapic_state frozen = timer(LAPIC_PERIODIC, 1000, 999), now = frozen;

	lapic_timer_put_back(&frozen, true, &now);
	CHECK(lapic_vector(&now, LAPIC_IRR, VECTOR));
	lapic_reg_set(&frozen, LAPIC_LVT_TIMER, lapic_reg(&frozen, LAPIC_LVT_TIMER) | MASKED);
	lapic_timer_put_back(&frozen, true, &now);
	CHECK(!lapic_vector(&now, LAPIC_IRR, VECTOR));
}

TEST(a_period_that_is_all_but_over_does_not_begin_again)
{
	struct kvm_lapic_state frozen = timer(LAPIC_PERIODIC, 1000, 0), now = timer(LAPIC_PERIODIC, 1000, 500);

	lapic_timer_put_back(&frozen, false, &now);
	CHECK_EQ(lapic_reg(&now, LAPIC_TIMER_CURRENT), 1);
}

/* ---- the PIT ---- */

#define MS 1000000ull
#define START (5000 * MS)
enum { CLOCKS_PER_MS = 1193 };

static struct kvm_pit_state2 pit(unsigned channel, uint8_t mode, uint32_t count)
{
	struct kvm_pit_state2 s = { 0 };

	for (unsigned i = 0; i < 3; i++)
		s.channels[i].mode = 0xff; // as after a reset
	s.channels[channel].mode = mode;
	s.channels[channel].count = count;
	s.channels[channel].count_load_time = START;
	return s;
}

TEST(an_idle_pit_is_left_alone)
{
	struct kvm_pit_state2 s = pit(0, 0xff, 0x10000), quiet, back;
	uint32_t lost = 77;

	CHECK(!pit_hold(&s, START + MS, &quiet, &back, &lost));
	s = pit(0, 0, 2 * CLOCKS_PER_MS); // a one-shot that is over
	CHECK(!pit_hold(&s, START + 10 * MS, &quiet, &back, &lost));
	s = pit(2, 3, 500); // a tone
	CHECK(!pit_hold(&s, START + 10 * MS, &quiet, &back, &lost));
	CHECK_EQ(lost, 77);
}

TEST(a_pit_one_shot_goes_on_with_what_is_left)
{
	struct kvm_pit_state2 s = pit(0, 0, 20 * CLOCKS_PER_MS), quiet, back;
	uint32_t lost;

	CHECK(pit_hold(&s, START + 5 * MS, &quiet, &back, &lost));
	CHECK_EQ(quiet.channels[0].mode, 5);
	CHECK_EQ(back.channels[0].mode, 0);
	CHECK(back.channels[0].count >= 15 * CLOCKS_PER_MS - 2 && back.channels[0].count <= 15 * CLOCKS_PER_MS + 2);
	CHECK_EQ(lost, 0);
}

TEST(a_pit_period_begins_again_and_what_was_lost_is_told)
{
	struct kvm_pit_state2 s = pit(0, 2, 10 * CLOCKS_PER_MS), quiet, back;
	uint32_t lost;

	CHECK(pit_hold(&s, START + 33 * MS, &quiet, &back, &lost));
	CHECK_EQ(quiet.channels[0].mode, 5);
	CHECK_EQ(back.channels[0].mode, 2);
	CHECK_EQ(back.channels[0].count, 10 * CLOCKS_PER_MS);
	CHECK(lost >= 3 * CLOCKS_PER_MS && lost <= 3 * CLOCKS_PER_MS + 10);
}

TEST(a_calibration_on_channel_2_goes_on_and_the_other_channel_does_not_fire_twice)
{
	struct kvm_pit_state2 s = pit(2, 0, 50 * CLOCKS_PER_MS), quiet, back;
	uint32_t lost;

	s.channels[0] = pit(0, 0, CLOCKS_PER_MS).channels[0];
	CHECK(pit_hold(&s, START + 20 * MS, &quiet, &back, &lost));
	CHECK_EQ(back.channels[2].mode, 0);
	CHECK(back.channels[2].count >= 30 * CLOCKS_PER_MS - 5 && back.channels[2].count <= 30 * CLOCKS_PER_MS + 5);
	CHECK_EQ(back.channels[0].mode, 5);
	CHECK_EQ(lost, 0);
}

TESTS(T(only_a_timer_that_counts_needs_to_be_put_back), T(the_divisor_is_the_manuals),
      T(age_counts_from_the_last_reload), T(an_interrupt_of_the_timer_that_came_while_it_was_held_is_taken_back),
      T(interrupts_from_elsewhere_stay), T(an_interrupt_of_the_timer_that_was_pending_at_the_stop_stays),
      T(a_tick_that_is_owed_becomes_pending_unless_it_is_masked), T(a_period_that_is_all_but_over_does_not_begin_again),
      T(an_idle_pit_is_left_alone), T(a_pit_one_shot_goes_on_with_what_is_left),
      T(a_pit_period_begins_again_and_what_was_lost_is_told),
      T(a_calibration_on_channel_2_goes_on_and_the_other_channel_does_not_fire_twice))
