/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What only x86 keeps of a VM and its vCPUs: made and freed. */
#include <cpuid.h>
#include <errno.h>
#include <stdlib.h>

#include "kvm/x86_internal.h"

/* AMD's manual vol. 3, "Function 8000_0001h". */
static bool has_svm(void)
{
	enum { CPUID_SVM = 1 << 2 };
	unsigned eax, ebx, ecx, edx;

	return __get_cpuid(0x80000001, &eax, &ebx, &ecx, &edx) && ecx & CPUID_SVM;
}

int kvm_port_learn(struct kvm_port *p)
{
	p->hw_max = arch_x86.hw_max;
	p->svm = has_svm();
	p->xsave = kvm_port_cap(p, KVM_CAP_XSAVE);
	p->debugregs = kvm_port_cap(p, KVM_CAP_DEBUGREGS);
	return 0;
}

void kvm_port_forget(struct kvm_port *p)
{
}

/* Fetches see what was written. */
int kvm_cpus_code_written(struct kvm_cpus *c, gpa at, size_t len)
{
	return 0;
}

int kvm_mach_init(struct kvm_cpus *c)
{
	c->clock = calloc(1, sizeof(*c->clock));
	if (!c->clock)
		return -ENOMEM;
	for (unsigned i = 0; i < c->ncpus; i++) {
		c->cpu[i].mach = calloc(1, sizeof(*c->cpu[i].mach));
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
