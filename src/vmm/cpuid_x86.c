/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "vmm/cpuid_x86.h"

#include <stdint.h>

#include "util/macros.h"

/* Intel SDM, "CPUID - CPU Identification"; AMD APM volume 3, "Obtaining Processor Information". */
enum {
	LEAF_FEATURES = 1,
	LEAF_CACHE = 4,
	LEAF_TOPOLOGY = 0xb,
	LEAF_TOPOLOGY_V2 = 0x1f,
	F_ECX_TSC_DEADLINE = 1 << 24,
	F_EDX_HTT = 1 << 28,
	LEVEL_NONE = 0,
	LEVEL_THREAD = 1,
	LEVEL_CORE = 2,
	CACHE_LEVEL_SHIFT = 5,
	CACHE_LEVEL_MASK = 7,
	L3 = 3,
};
#define LEAF_AMD_SIZES 0x80000008u
#define LEAF_AMD_CACHE 0x8000001du
#define LEAF_AMD_APIC_ID 0x8000001eu
#define LEAF_AMD_TOPOLOGY 0x80000026u
#define F_ECX_HYPERVISOR 0x80000000u

static unsigned core_bits(unsigned cpus)
{
	unsigned bits = 0;

	while (1u << bits < cpus)
		bits++;
	return bits;
}

/* Bits [hi:lo] of @reg become @v. */
static uint32_t field_set(uint32_t reg, unsigned hi, unsigned lo, uint32_t v)
{
	const uint32_t mask = (hi - lo == 31 ? ~0u : (1u << (hi - lo + 1)) - 1) << lo;

	return (reg & ~mask) | (v << lo & mask);
}

static void fix_features(struct kvm_cpuid_entry2 *e, const struct cpuid_x86_cfg *cfg)
{
	e->ebx = field_set(e->ebx, 31, 24, cfg->vcpu);
	e->ebx = field_set(e->ebx, 23, 16, 1u << core_bits(cfg->cpus));
	e->ecx |= F_ECX_HYPERVISOR;
	if (cfg->tsc_deadline)
		e->ecx |= F_ECX_TSC_DEADLINE;
	e->edx = cfg->cpus > 1 ? e->edx | F_EDX_HTT : e->edx & ~(uint32_t)F_EDX_HTT;
}

/* The last level is shared by all, the others belong to one core. Same layout at Intel's and AMD's leaf. */
static void fix_cache_sharing(struct kvm_cpuid_entry2 *e, const struct cpuid_x86_cfg *cfg)
{
	const unsigned level = e->eax >> CACHE_LEVEL_SHIFT & CACHE_LEVEL_MASK;

	e->eax = field_set(e->eax, 25, 14, level >= L3 ? (1u << core_bits(cfg->cpus)) - 1 : 0);
}

static void fix_cache(struct kvm_cpuid_entry2 *e, const struct cpuid_x86_cfg *cfg)
{
	if ((e->eax & 0x1f) == 0) // no more caches
		return;
	fix_cache_sharing(e, cfg);
	e->eax = field_set(e->eax, 31, 26, (1u << core_bits(cfg->cpus)) - 1);
}

static void fix_amd_sizes(struct kvm_cpuid_entry2 *e, const struct cpuid_x86_cfg *cfg)
{
	e->ecx = field_set(e->ecx, 7, 0, cfg->cpus - 1);
	e->ecx = field_set(e->ecx, 15, 12, core_bits(cfg->cpus));
}

static void fix_amd_apic_id(struct kvm_cpuid_entry2 *e, const struct cpuid_x86_cfg *cfg)
{
	e->eax = cfg->vcpu;
	e->ebx = cfg->vcpu; // core id; one thread per core
	e->ecx = 0;         // one node, number 0
}

static const struct {
	uint32_t leaf;
	void (*fix)(struct kvm_cpuid_entry2 *e, const struct cpuid_x86_cfg *cfg); /* NULL: leave the entry out */
} fixes[] = {
	{ LEAF_FEATURES, fix_features },
	{ LEAF_CACHE, fix_cache },
	{ LEAF_TOPOLOGY, NULL }, // topology_add() writes its own
	{ LEAF_TOPOLOGY_V2, NULL },
	{ LEAF_AMD_SIZES, fix_amd_sizes },
	{ LEAF_AMD_CACHE, fix_cache_sharing },
	{ LEAF_AMD_APIC_ID, fix_amd_apic_id },
	{ LEAF_AMD_TOPOLOGY, NULL },
};

/* Returns: false when the entry is to be left out. */
static bool entry_fix(struct kvm_cpuid_entry2 *e, const struct cpuid_x86_cfg *cfg)
{
	for (unsigned i = 0; i < ARRAY_LEN(fixes); i++) {
		if (fixes[i].leaf != e->function)
			continue;
		if (fixes[i].fix)
			fixes[i].fix(e, cfg);
		return fixes[i].fix != NULL;
	}
	return true;
}

static bool has_topology(const struct kvm_cpuid2 *c)
{
	for (unsigned i = 0; i < c->nent; i++)
		if (c->entries[i].function == 0)
			return c->entries[i].eax >= LEAF_TOPOLOGY;
	return false;
}

/* All three levels, the end mark included: some kernels of the host give the first one only. */
static void topology_add(struct kvm_cpuid2 *c, const struct cpuid_x86_cfg *cfg)
{
	const struct kvm_cpuid_entry2 level[CPUID_X86_EXTRA] = {
		{ .eax = 0, .ebx = 1, .ecx = LEVEL_THREAD << 8 },
		{ .eax = core_bits(cfg->cpus), .ebx = cfg->cpus, .ecx = LEVEL_CORE << 8 },
		{ .ecx = LEVEL_NONE << 8 },
	};

	for (unsigned i = 0; i < ARRAY_LEN(level); i++) {
		struct kvm_cpuid_entry2 *e = &c->entries[c->nent++];

		*e = level[i];
		e->function = LEAF_TOPOLOGY;
		e->index = i;
		e->flags = KVM_CPUID_FLAG_SIGNIFCANT_INDEX;
		e->ecx |= i;
		e->edx = cfg->vcpu;
	}
}

void cpuid_x86_fix(struct kvm_cpuid2 *c, const struct cpuid_x86_cfg *cfg)
{
	unsigned kept = 0;

	for (unsigned i = 0; i < c->nent; i++) {
		struct kvm_cpuid_entry2 e = c->entries[i];

		if (entry_fix(&e, cfg))
			c->entries[kept++] = e;
	}
	c->nent = kept;
	if (has_topology(c))
		topology_add(c, cfg);
}
