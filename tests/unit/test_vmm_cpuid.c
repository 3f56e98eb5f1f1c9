/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "test.h"

#include "vmm/cpuid_x86.h"

/* A table as a host might give it, with room for what is added. */
struct table {
	_Alignas(struct kvm_cpuid2) uint8_t room[sizeof(struct kvm_cpuid2) + 32 * sizeof(struct kvm_cpuid_entry2)];
};

static struct kvm_cpuid2 *table_fill(struct table *t, const struct kvm_cpuid_entry2 *e, unsigned n)
{
	struct kvm_cpuid2 *c = (struct kvm_cpuid2 *)(void *)t->room;

	memset(t, 0, sizeof(*t));
	c->nent = n;
	memcpy(c->entries, e, n * sizeof(*e));
	return c;
}

static const struct kvm_cpuid_entry2 *leaf(const struct kvm_cpuid2 *c, uint32_t function, uint32_t index)
{
	for (unsigned i = 0; i < c->nent; i++)
		if (c->entries[i].function == function && c->entries[i].index == index)
			return &c->entries[i];
	return NULL;
}

static const struct kvm_cpuid_entry2 host[] = {
	{ .function = 0, .eax = 0x1f },
	{ .function = 1, .ebx = 0x0b100800, .ecx = 0, .edx = 0x10000001 },
	{ .function = 4, .index = 0, .eax = 0xfc004121 },
	{ .function = 4, .index = 1, .eax = 0xfc01c163 },
	{ .function = 4, .index = 2, .eax = 0 },
	{ .function = 0xb, .index = 0, .eax = 1, .ebx = 2, .ecx = 0x100, .edx = 11 },
	{ .function = 0x1f, .index = 0, .edx = 11 },
	{ .function = 0x40000000, .ebx = 0x4b4d564b },
	{ .function = 0x80000008, .eax = 0x3030, .ecx = 0x7f3f },
	{ .function = 0x8000001e, .eax = 11, .ebx = 0x105, .ecx = 0x301 },
	{ .function = 0x80000026, .edx = 11 },
};
enum { HOST_N = sizeof(host) / sizeof(host[0]) };

TEST(cpuid_apic_id_is_the_vcpus_in_every_leaf)
{
	struct table t;
	struct kvm_cpuid2 *c = table_fill(&t, host, HOST_N);

	cpuid_x86_fix(c, &(struct cpuid_x86_cfg){ .vcpu = 2, .cpus = 3 });
	CHECK_EQ(leaf(c, 1, 0)->ebx, 0x02040800);
	for (unsigned i = 0; i < 3; i++)
		CHECK_EQ(leaf(c, 0xb, i)->edx, 2);
	CHECK_EQ(leaf(c, 0x8000001e, 0)->eax, 2);
	CHECK_EQ(leaf(c, 0x8000001e, 0)->ebx, 2);
	CHECK_EQ(leaf(c, 0x8000001e, 0)->ecx, 0);
}

TEST(cpuid_topology_is_one_package_of_single_thread_cores)
{
	struct table t;
	struct kvm_cpuid2 *c = table_fill(&t, host, HOST_N);

	cpuid_x86_fix(c, &(struct cpuid_x86_cfg){ .vcpu = 0, .cpus = 3 });
	CHECK_EQ(leaf(c, 0xb, 0)->eax, 0);
	CHECK_EQ(leaf(c, 0xb, 0)->ebx, 1);
	CHECK_EQ(leaf(c, 0xb, 0)->ecx, 0x100);
	CHECK_EQ(leaf(c, 0xb, 1)->eax, 2);
	CHECK_EQ(leaf(c, 0xb, 1)->ebx, 3);
	CHECK_EQ(leaf(c, 0xb, 1)->ecx, 0x201);
	CHECK_EQ(leaf(c, 0xb, 2)->ebx, 0);
	CHECK_EQ(leaf(c, 0xb, 2)->ecx, 2);
	CHECK_EQ(leaf(c, 4, 0)->eax, 0x0c000121); // L1: one core's own, four core ids
	CHECK_EQ(leaf(c, 4, 1)->eax, 0x0c00c163); // L3: shared
	CHECK_EQ(leaf(c, 4, 2)->eax, 0);
	CHECK_EQ(leaf(c, 0x80000008, 0)->ecx, 0x2f02);
	CHECK(leaf(c, 1, 0)->edx & 1 << 28);
}

TEST(cpuid_single_cpu_has_no_threads)
{
	struct table t;
	struct kvm_cpuid2 *c = table_fill(&t, host, HOST_N);

	cpuid_x86_fix(c, &(struct cpuid_x86_cfg){ .vcpu = 0, .cpus = 1 });
	CHECK_EQ(leaf(c, 1, 0)->edx & 1 << 28, 0);
	CHECK_EQ(leaf(c, 1, 0)->ebx >> 16, 0x0001);
	CHECK_EQ(leaf(c, 0xb, 1)->eax, 0);
}

TEST(cpuid_host_topology_leaves_are_taken_out_and_kvms_are_kept)
{
	struct table t;
	struct kvm_cpuid2 *c = table_fill(&t, host, HOST_N);

	cpuid_x86_fix(c, &(struct cpuid_x86_cfg){ .vcpu = 0, .cpus = 2 });
	CHECK(leaf(c, 0x1f, 0) == NULL);
	CHECK(leaf(c, 0x80000026, 0) == NULL);
	CHECK_EQ(leaf(c, 0x40000000, 0)->ebx, 0x4b4d564b);
	CHECK_EQ(c->nent, HOST_N - 3 + CPUID_X86_EXTRA);
}

TEST(cpuid_hypervisor_and_tsc_deadline_bits)
{
	struct table t;
	struct kvm_cpuid2 *c = table_fill(&t, host, HOST_N);

	cpuid_x86_fix(c, &(struct cpuid_x86_cfg){ .cpus = 1 });
	CHECK_EQ(leaf(c, 1, 0)->ecx, 0x80000000);
	c = table_fill(&t, host, HOST_N);
	cpuid_x86_fix(c, &(struct cpuid_x86_cfg){ .cpus = 1, .tsc_deadline = true });
	CHECK_EQ(leaf(c, 1, 0)->ecx, 0x81000000);
}

TEST(cpuid_old_processor_gets_no_topology_leaf)
{
	static const struct kvm_cpuid_entry2 old[] = { { .function = 0, .eax = 5 }, { .function = 1 } };
	struct table t;
	struct kvm_cpuid2 *c = table_fill(&t, old, 2);

	cpuid_x86_fix(c, &(struct cpuid_x86_cfg){ .cpus = 2 });
	CHECK_EQ(c->nent, 2);
}

TESTS(T(cpuid_apic_id_is_the_vcpus_in_every_leaf), T(cpuid_topology_is_one_package_of_single_thread_cores),
      T(cpuid_single_cpu_has_no_threads), T(cpuid_host_topology_leaves_are_taken_out_and_kvms_are_kept),
      T(cpuid_hypervisor_and_tsc_deadline_bits), T(cpuid_old_processor_gets_no_topology_leaf))
