/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef VMM_CPUID_X86_H
#define VMM_CPUID_X86_H

#include <linux/kvm.h>
#include <stdbool.h>

/* What cpuid_x86_fix() cannot see in the table itself. */
struct cpuid_x86_cfg {
	unsigned vcpu, cpus; /* APIC id of this one, and how many there are: one package, one thread per core */
	bool tsc_deadline;   /* KVM_CAP_TSC_DEADLINE_TIMER; KVM_GET_SUPPORTED_CPUID does not say it */
};

#define CPUID_X86_EXTRA 3 /* entries that cpuid_x86_fix() may add */

/**
 * cpuid_x86_fix() - turn KVM_GET_SUPPORTED_CPUID's answer into one vCPU's table: its APIC id and a topology that is
 * the same in every leaf that tells one. Leaves that describe the host's own topology only are taken out.
 * @c: with room for CPUID_X86_EXTRA more entries.
 */
void cpuid_x86_fix(struct kvm_cpuid2 *c, const struct cpuid_x86_cfg *cfg);

#endif
