/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef KVM_TIMERS_H
#define KVM_TIMERS_H

#include <linux/kvm.h>
#include <stdbool.h>
#include <stdint.h>

/*
 * The timers that KVM drives by the host's clock whether the guest runs or not: what to put back so that they go on
 * where they were. All pure.
 */

/** lapic_reg() - the 32-bit register at @offset of a local APIC's page. Intel SDM, "Local APIC Register Address Map".
 */
uint32_t lapic_reg(const struct kvm_lapic_state *s, unsigned offset);
void lapic_reg_set(struct kvm_lapic_state *s, unsigned offset, uint32_t v);

enum {
	LAPIC_ID = 0x20,
	LAPIC_VERSION = 0x30,
	LAPIC_TPR = 0x80,
	LAPIC_PPR = 0xa0,
	LAPIC_LDR = 0xd0,
	LAPIC_DFR = 0xe0,
	LAPIC_SVR = 0xf0,
	LAPIC_ISR = 0x100,
	LAPIC_TMR = 0x180,
	LAPIC_IRR = 0x200,
	LAPIC_ESR = 0x280,
	LAPIC_ICR = 0x300,
	LAPIC_ICR2 = 0x310,
	LAPIC_LVT_TIMER = 0x320,
	LAPIC_LVT_THERMAL = 0x330,
	LAPIC_LVT_PERF = 0x340,
	LAPIC_LVT_LINT0 = 0x350,
	LAPIC_LVT_LINT1 = 0x360,
	LAPIC_LVT_ERROR = 0x370,
	LAPIC_TIMER_INITIAL = 0x380,
	LAPIC_TIMER_CURRENT = 0x390,
	LAPIC_TIMER_DIVIDE = 0x3e0,
};

/** lapic_vector() - is @vector's bit set in the 256-bit register that starts at @offset (ISR, TMR, IRR)? */
bool lapic_vector(const struct kvm_lapic_state *s, unsigned offset, unsigned vector);

enum lapic_timer_mode { LAPIC_ONE_SHOT, LAPIC_PERIODIC, LAPIC_TSC_DEADLINE, LAPIC_TIMER_RESERVED };
enum lapic_timer_mode lapic_timer_mode(const struct kvm_lapic_state *s);

/** lapic_timer_divisor() - 1, 2, 4 ... 128. Intel SDM, "Divide Configuration Register". */
unsigned lapic_timer_divisor(const struct kvm_lapic_state *s);

/** lapic_timer_counts() - does the timer count down: one-shot not yet over, or periodic? Not so in deadline mode. */
bool lapic_timer_counts(const struct kvm_lapic_state *s);

/** lapic_timer_age_ns() - how long ago a periodic timer was (re)loaded. KVM's timer counts nanoseconds. */
uint64_t lapic_timer_age_ns(const struct kvm_lapic_state *s);

/**
 * lapic_timer_put_back() - the timer of @frozen in what else is in @now: interrupts that came from elsewhere stay.
 * @frozen: read when the guest stopped; its timer counts.
 * @owed:   a tick before that moment is still on its way, and setting the state drops it.
 * @now:    in: read now; out: to be set.
 */
void lapic_timer_put_back(const struct kvm_lapic_state *frozen, bool owed, struct kvm_lapic_state *now);

/**
 * pit_hold() - does the i8254 count anything whose end would be noticed? Then how to stop it, and how to go on.
 * @seen:   as read at @now_ns (CLOCK_MONOTONIC, which KVM counts by).
 * @quiet:  to be set for the time of the stop: channel 0 does not tick.
 * @back:   to be set at the resume: one-shots have what is left of their counts.
 * @lost:   clocks of channel 0's present period that have gone by, and that it begins again: a period starts whole.
 * Returns: false: nothing counts, and nothing was written.
 */
bool pit_hold(const struct kvm_pit_state2 *seen, uint64_t now_ns, struct kvm_pit_state2 *quiet,
	      struct kvm_pit_state2 *back, uint32_t *lost);

#endif
