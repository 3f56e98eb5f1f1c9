/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Time stops with the guest: what KVM keeps for the whole VM is read at the stop and put back at the resume. */
#include <errno.h>

#include "kvm/internal.h"
#define LOG_ROOM LOG_KVM
#include "util/log.h"

/* The i8254's modes that tick by themselves (Intel 8254 data sheet, "Mode Definitions"). */
enum { PIT_RATE_GENERATOR = 2, PIT_SQUARE_WAVE = 3 };

static int vm_ioctl(struct kvm_cpus *c, unsigned long req, void *arg)
{
	return c->port->ops->vm_ioctl(c->port, req, arg);
}

void kvm_clock_freeze_locked(struct kvm_cpus *c)
{
	struct kvm_clock *k = &c->clock;

	if (k->frozen)
		return;
	k->have_clock = vm_ioctl(c, KVM_GET_CLOCK, &k->clock) == 0;
	k->have_pit = vm_ioctl(c, KVM_GET_PIT2, &k->pit) == 0;
	k->frozen = true;
}

void kvm_clock_thaw_locked(struct kvm_cpus *c)
{
	struct kvm_clock *k = &c->clock;

	if (!k->frozen)
		return;
	k->frozen = false;
	if (k->have_clock) {
		/* With KVM_CLOCK_REALTIME set KVM would add the time that went by. */
		k->clock.flags = 0;
		if (vm_ioctl(c, KVM_SET_CLOCK, &k->clock) < 0)
			log_warn("kvmclock cannot be set back: the guest sees the time it was held");
	}
	/* Loading the count again drops the ticks that piled up. A one-shot count must not start a second time. */
	if (k->have_pit &&
	    (k->pit.channels[0].mode == PIT_RATE_GENERATOR || k->pit.channels[0].mode == PIT_SQUARE_WAVE))
		vm_ioctl(c, KVM_SET_PIT2, &k->pit);
}

void kvm_clock_resumed(struct kvm_cpu *cpu)
{
	kvm_cpu_ioctl(cpu, KVM_KVMCLOCK_CTRL, NULL); // -EINVAL: the guest does not use kvmclock
}
