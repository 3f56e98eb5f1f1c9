/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "kvm/timers.h"

#include "util/bytes.h"
#include "util/macros.h"

/* ---- the local APIC's timer: Intel SDM, "APIC Timer" ---- */

enum { LVT_MASKED = 1 << 16, LVT_VECTOR = 0xff, LVT_TIMER_MODE_SHIFT = 17 };

uint32_t lapic_reg(const struct kvm_lapic_state *s, unsigned offset)
{
	return ld_le32(s->regs + offset);
}

void lapic_reg_set(struct kvm_lapic_state *s, unsigned offset, uint32_t v)
{
	st_le32(s->regs + offset, v);
}

/* 32 vectors in a register, the registers 16 bytes apart. */
static unsigned vector_reg(unsigned offset, unsigned vector)
{
	return offset + vector / 32 * 0x10;
}

bool lapic_vector(const struct kvm_lapic_state *s, unsigned offset, unsigned vector)
{
	return lapic_reg(s, vector_reg(offset, vector)) & BIT(vector % 32);
}

static void vector_set(struct kvm_lapic_state *s, unsigned offset, unsigned vector, bool on)
{
	unsigned reg = vector_reg(offset, vector);
	uint32_t old = lapic_reg(s, reg);

	lapic_reg_set(s, reg, on ? old | BIT(vector % 32) : old & ~BIT(vector % 32));
}

enum lapic_timer_mode lapic_timer_mode(const struct kvm_lapic_state *s)
{
	return lapic_reg(s, LAPIC_LVT_TIMER) >> LVT_TIMER_MODE_SHIFT & 3;
}

unsigned lapic_timer_divisor(const struct kvm_lapic_state *s)
{
	uint32_t v = lapic_reg(s, LAPIC_TIMER_DIVIDE);
	unsigned code = (v & 3) | (v >> 1 & 4);

	return code == 7 ? 1 : 2u << code;
}

bool lapic_timer_counts(const struct kvm_lapic_state *s)
{
	enum lapic_timer_mode mode = lapic_timer_mode(s);

	if (!lapic_reg(s, LAPIC_TIMER_INITIAL))
		return false;
	return mode == LAPIC_PERIODIC || (mode == LAPIC_ONE_SHOT && lapic_reg(s, LAPIC_TIMER_CURRENT));
}

uint64_t lapic_timer_age_ns(const struct kvm_lapic_state *s)
{
	uint64_t initial = lapic_reg(s, LAPIC_TIMER_INITIAL), current = lapic_reg(s, LAPIC_TIMER_CURRENT);

	return (initial - MIN(current, initial)) * lapic_timer_divisor(s);
}

void lapic_timer_put_back(const struct kvm_lapic_state *frozen, bool owed, struct kvm_lapic_state *now)
{
	uint32_t lvt = lapic_reg(frozen, LAPIC_LVT_TIMER);
	unsigned vector = lvt & LVT_VECTOR;
	bool pending = lapic_vector(frozen, LAPIC_IRR, vector) || (owed && !(lvt & LVT_MASKED));

	vector_set(now, LAPIC_IRR, vector, pending);
	/* KVM takes a current count of 0 for "a whole period", and what is read rounds down. */
	lapic_reg_set(now, LAPIC_TIMER_CURRENT, MAX(lapic_reg(frozen, LAPIC_TIMER_CURRENT), 1));
}

/* ---- the i8254: Intel 8254 data sheet, "Mode Definitions" ---- */

enum { PIT_HZ = 1193182, PIT_CHANNELS = 3, PIT_SPEAKER = 2 };
enum { PIT_RATE_GENERATOR = 2, PIT_SQUARE_WAVE = 3, PIT_HARDWARE_STROBE = 5 };

static bool pit_periodic(const struct kvm_pit_channel_state *ch)
{
	return ch->mode == PIT_RATE_GENERATOR || ch->mode == PIT_SQUARE_WAVE;
}

static bool pit_one_shot(const struct kvm_pit_channel_state *ch)
{
	return ch->mode <= PIT_HARDWARE_STROBE && !pit_periodic(ch);
}

/* Clocks since the count was loaded. */
static uint64_t pit_elapsed(const struct kvm_pit_channel_state *ch, uint64_t now_ns)
{
	uint64_t ns = now_ns - (uint64_t)ch->count_load_time;

	return (uint64_t)((unsigned __int128)ns * PIT_HZ / 1000000000);
}

static bool pit_over(const struct kvm_pit_channel_state *ch, uint64_t now_ns)
{
	return pit_elapsed(ch, now_ns) >= ch->count;
}

bool pit_hold(const struct kvm_pit_state2 *seen, uint64_t now_ns, struct kvm_pit_state2 *quiet,
	      struct kvm_pit_state2 *back, uint32_t *lost)
{
	const struct kvm_pit_channel_state *tick = &seen->channels[0], *speaker = &seen->channels[PIT_SPEAKER];
	bool ticks = tick->count && (pit_periodic(tick) || (pit_one_shot(tick) && !pit_over(tick, now_ns)));
	bool times = speaker->count && pit_one_shot(speaker) && !pit_over(speaker, now_ns);

	if (!ticks && !times)
		return false;
	*quiet = *back = *seen;
	quiet->channels[0].mode = PIT_HARDWARE_STROBE; // waits for a trigger that never comes
	if (!ticks)
		back->channels[0].mode = PIT_HARDWARE_STROBE; // it is over, and must not happen twice
	for (unsigned i = 0; i < PIT_CHANNELS; i++) {
		struct kvm_pit_channel_state *ch = &back->channels[i];

		if (pit_one_shot(ch) && ch->count)
			ch->count = pit_over(ch, now_ns) ? 1 : ch->count - (uint32_t)pit_elapsed(ch, now_ns);
	}
	*lost = ticks && pit_periodic(tick) ? (uint32_t)(pit_elapsed(tick, now_ns) % tick->count) : 0;
	return true;
}
