/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What only x86 has to know of a KVM. */
#include <cpuid.h>

#include "kvm/x86_internal.h"

const size_t kvm_clock_size = sizeof(struct kvm_clock), kvm_cpu_mach_size = sizeof(struct kvm_cpu_mach);

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
