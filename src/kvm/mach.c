/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What an architecture keeps of a VM and its vCPUs, unseen by the rest of the room: made and freed. */
#include <errno.h>
#include <stdlib.h>

#include "kvm/internal.h"

int kvm_mach_init(struct kvm_cpus *c)
{
	c->clock = calloc(1, kvm_clock_size);
	if (!c->clock)
		return -ENOMEM;
	for (unsigned i = 0; i < c->ncpus; i++) {
		c->cpu[i].mach = calloc(1, kvm_cpu_mach_size);
		if (!c->cpu[i].mach || kvm_step_init(&c->cpu[i]) < 0)
			return -ENOMEM;
	}
	kvm_clock_init(c);
	return 0;
}

void kvm_mach_deinit(struct kvm_cpus *c)
{
	for (unsigned i = 0; i < c->ncpus; i++) {
		kvm_step_deinit(&c->cpu[i]);
		free(c->cpu[i].mach);
	}
	free(c->clock);
}
