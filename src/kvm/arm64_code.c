/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What we write to the guest's memory through our caches, the guest may fetch past them: its instruction caches do not
 * look at ours, and without translation or with its caches off it goes to memory itself. Arm ARM, "Concurrent
 * modification and execution of instructions" and "Cache maintenance".
 */
#include "kvm/arm64_internal.h"

/* To the point of coherency; user space is allowed to. */
static void clean(const char *from, const char *to)
{
	uint64_t ctr;

	__asm__("mrs %0, ctr_el0" : "=r"(ctr));
	const size_t line = (size_t)4 << (ctr >> 16 & 15); // CTR_EL0.DminLine: log2 of words

	for (const char *p = (const char *)((uintptr_t)from & ~(line - 1)); p < to; p += line)
		__asm__ volatile("dc cvac, %0" : : "r"(p) : "memory");
	__asm__ volatile("dsb sy" : : : "memory");
}

int kvm_cpus_code_written(struct kvm_cpus *c, gpa at, size_t len)
{
	while (len) {
		size_t n = len;
		char *p = c->port->ops->hva(c->port, at, &n);

		if (!p)
			return 0; // a device
		clean(p, p + n);
		__builtin___clear_cache(p, p + n);
		at.raw += n;
		len -= n;
	}
	return 0;
}
