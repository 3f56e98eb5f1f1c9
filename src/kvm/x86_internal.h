/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef KVM_X86_INTERNAL_H
#define KVM_X86_INTERNAL_H

#include "kvm/internal.h"
#include "kvm/timers.h"

/* What only x86 keeps of a VM and its vCPUs. */

/* kvmclock, and the host's TSC at the same moment. */
struct kvm_clock_at {
	uint64_t ns, host_tsc;
};

/* The VM's time: x86_clock.c. */
struct kvm_clock {
	bool has_offset;   /* KVM_VCPU_TSC_OFFSET is there */
	unsigned tsc_khz;  /* the guest's; 0: not told */
	uint64_t ratio;    /* guest ticks per host tick, 16.48 fixed point; 0: KVM does not scale */
	bool frozen;       /* from the stop to the resume; the next five are what was read or done then */
	bool have_stop;    /* `stop` was read */
	bool pit_held;     /* `pit` is to be set back */
	uint32_t pit_lost; /* clocks of channel 0's period that begins again */
	struct kvm_clock_at stop;
	struct kvm_pit_state2 pit;
	uint64_t since_ns; /* CLOCK_MONOTONIC at the stop */
	uint64_t held_ns;  /* all stops before this one */
	uint64_t behind;   /* guest ticks that every vCPU's TSC is to be set back by, since the beginning */
	uint32_t pit_owed; /* clocks of channel 0 that were lost and not made up for by a tick */
	bool run_on;       /* the user wants time to go on while the guest is stopped */
};

/* One vCPU's part: the vCPU's own thread only, or while it is parked under kvm_cpus.lock. */
struct kvm_cpu_time {
	uint64_t behind;   /* how much of kvm_clock.behind was taken off its TSC */
	uint64_t left_tsc; /* the host's TSC when it last left the guest */
	uint64_t parked;   /* its own TSC as it parked */
	uint64_t offset;   /* of its TSC, as we set it last */
	uint64_t deadline; /* IA32_TSC_DEADLINE to be set again; 0: none */
	bool no_lapic;     /* the local APIC is not in KVM */
	bool counts;       /* the APIC's timer counts down, as in `lapic`, */
	bool owed;         /* and a tick of it is on its way */
	struct kvm_lapic_state lapic;
};

struct kvm_cpu_mach {
	struct kvm_cpu_time time;
	uint8_t own[4];  /* the guest's own debug register in each slot of the hardware, from 1; 0: none */
	uint32_t inject; /* KVM_GUESTDBG_INJECT_*, to be said once */
	bool trapped;    /* the last entry ended with the trap of its step, and KVM was told nothing since */
	bool has_tf;     /* ... and the processor executed the instruction: the trap flag is still set */
	struct kvm_guest_debug said; /* to KVM, last */
	struct kvm_regs passed;      /* entered with the resume flag, to pass an exec breakpoint at this rip */
};

/**
 * kvm_step_was_native() - did the processor execute the instruction that has just trapped? KVM's emulator, which loses
 * the trap flag, is for those that access memory, which may be a device, or are intercepted.
 */
bool kvm_step_was_native(const struct kvm_cpu *cpu);

/** kvm_clock_show_lapic() - of a local APIC just read, the timer shall tell the time of the stop. */
void kvm_clock_show_lapic(const struct kvm_cpu *cpu, struct kvm_lapic_state *s);

#endif
