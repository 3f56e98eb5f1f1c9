/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The registers of parked vCPUs, for the server thread. A debugger looks at pc and sp after every stop, and to ask a
 * vCPU's thread costs two thread switches, several times the ioctls themselves. So a vCPU that brings an event fetches
 * them before it parks, and vCPU 0 does, because a stop that nobody made is told of it.
 */
#include "kvm/internal.h"

enum { STOP_GROUPS = ARCH_CORE | ARCH_SYS };

void kvm_cpu_fetch_stop_regs(struct kvm_cpu *cpu, bool has_event)
{
	cpu->at_stop.have = 0;
	if (cpu->synced)
		kvm_regs_from_run(cpu->run, &cpu->at_stop);
	else if (has_event || cpu->id == 0)
		kvm_regs_read(cpu->all->port, cpu->id, STOP_GROUPS, &cpu->at_stop);
}

void kvm_stop_regs_drop_locked(struct kvm_cpus *c)
{
	for (unsigned i = 0; i < c->ncpus; i++)
		c->cpu[i].at_stop.have = 0;
}

/* From what was fetched at the stop, if nothing has touched the vCPU since. */
static bool from_stop(struct kvm_cpus *c, unsigned vcpu, uint32_t groups, struct arch_regs *r)
{
	bool have;

	pthread_mutex_lock(&c->lock);
	have = !c->running && groups && !(groups & ~c->cpu[vcpu].at_stop.have);
	if (have)
		kvm_regs_copy(groups, &c->cpu[vcpu].at_stop, r);
	pthread_mutex_unlock(&c->lock);
	return have;
}

struct regs_call {
	struct kvm_cpu *cpu;
	uint32_t groups;
	struct arch_regs *in;
	const struct arch_regs *out;
};

static int read_call(struct kvm_port *p, unsigned vcpu, void *arg)
{
	struct regs_call *a = arg;

	int rc = kvm_regs_read(p, vcpu, a->groups, a->in);

	kvm_clock_show(a->cpu, a->in);
	return rc;
}

static int write_call(struct kvm_port *p, unsigned vcpu, void *arg)
{
	struct regs_call *a = arg;
	bool asleep = a->groups & ARCH_CORE && kvm_cpu_is_halted(a->cpu);
	gva from = asleep ? kvm_cpu_pc(a->cpu) : GVA(0);
	int rc = kvm_regs_write(p, vcpu, a->groups, a->out);

	/* One that is sent elsewhere is to go there, not to wait for what ends hlt. */
	if (rc == 0 && asleep && kvm_cpu_pc(a->cpu).raw != from.raw)
		kvm_cpu_wake(a->cpu);
	return rc;
}

int kvm_cpus_regs_read(struct kvm_cpus *c, unsigned vcpu, uint32_t groups, struct arch_regs *r)
{
	struct regs_call a = { .cpu = &c->cpu[MIN(vcpu, c->ncpus - 1)], .groups = groups, .in = r };

	if (vcpu < c->ncpus && from_stop(c, vcpu, groups, r))
		return 0;
	return kvm_cpus_call(c, vcpu, read_call, &a);
}

int kvm_cpus_regs_write(struct kvm_cpus *c, unsigned vcpu, uint32_t groups, const struct arch_regs *r)
{
	struct regs_call a = { .cpu = &c->cpu[MIN(vcpu, c->ncpus - 1)], .groups = groups, .out = r };

	return kvm_cpus_call(c, vcpu, write_call, &a);
}
