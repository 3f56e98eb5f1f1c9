/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * KVM's interrupt controller as lines of text. Arm's GIC Architecture Specification has the registers; how KVM shows
 * them is in Linux Documentation/virt/kvm/devices/arm-vgic-v3.rst and arm-vgic.rst. The guest is stopped: KVM wants
 * every vCPU out of KVM_RUN.
 */
#include <errno.h>
#include <inttypes.h>
#include <sys/ioctl.h>

#include "kvm/arm64_internal.h"

enum { GICD_CTLR = 0, GICD_TYPER = 4, GICR_SGI = 0x10000, BITS = 32, NAFFINE = 32 };
enum { IGROUPR = 0x80, ISENABLER = 0x100, ISPENDR = 0x200, ISACTIVER = 0x300 };

/* One vCPU's view: its affinity, or its number in a GICv2. */
struct gic {
	int fd;
	bool v2;
	uint64_t who;
	unsigned nirqs;
};

static int get(const struct gic *g, uint32_t group, uint64_t attr, void *to)
{
	struct kvm_device_attr a = { .group = group, .attr = attr, .addr = (uintptr_t)to };

	return ioctl(g->fd, KVM_GET_DEVICE_ATTR, &a) < 0 ? -errno : 0;
}

static uint32_t dist(const struct gic *g, unsigned offset)
{
	uint32_t v = 0;

	get(g, KVM_DEV_ARM_VGIC_GRP_DIST_REGS, g->who << 32 | offset, &v);
	return v;
}

/* Interrupts 0 to 31 are the vCPU's own: in a GICv3 its redistributor has them. */
static uint32_t word(const struct gic *g, unsigned offset, unsigned first)
{
	uint32_t v = 0;

	if (g->v2 || first >= NAFFINE)
		return dist(g, offset + first / 8);
	get(g, KVM_DEV_ARM_VGIC_GRP_REDIST_REGS, g->who << 32 | (GICR_SGI + offset), &v);
	return v;
}

static uint32_t lines(const struct gic *g, unsigned first)
{
	uint32_t v = 0;
	const uint64_t what = VGIC_LEVEL_INFO_LINE_LEVEL << KVM_DEV_ARM_VGIC_LINE_LEVEL_INFO_SHIFT;

	if (!g->v2)
		get(g, KVM_DEV_ARM_VGIC_GRP_LEVEL_INFO, g->who << 32 | what | first, &v);
	return v;
}

/* Pending is what was latched, or a line that is on. */
static uint32_t pending(const struct gic *g, unsigned first)
{
	return word(g, ISPENDR, first) | lines(g, first);
}

static uint32_t enabled(const struct gic *g, unsigned first)
{
	return word(g, ISENABLER, first);
}

static uint32_t active(const struct gic *g, unsigned first)
{
	return word(g, ISACTIVER, first);
}

static uint32_t enabled_in_group_0(const struct gic *g, unsigned first)
{
	return enabled(g, first) & ~word(g, IGROUPR, first);
}

static void add_list(const struct gic *g, const char *what, uint32_t (*bits)(const struct gic *g, unsigned first),
		     unsigned from, unsigned to, struct strbuf *out)
{
	bool any = false;

	strbuf_addf(out, "  %s:", what);
	for (unsigned first = from; first < to; first += BITS) {
		for (uint32_t left = bits(g, first); left; left &= left - 1) {
			strbuf_addf(out, " %u", first + (unsigned)__builtin_ctz(left));
			any = true;
		}
	}
	strbuf_adds(out, any ? "\n" : " none\n");
}

static void add_states(const struct gic *g, unsigned from, unsigned to, bool all, struct strbuf *out)
{
	if (all) {
		add_list(g, "enabled", enabled, from, to, out);
		add_list(g, "of those in group 0", enabled_in_group_0, from, to, out);
	}
	add_list(g, "pending", pending, from, to, out);
	add_list(g, "active", active, from, to, out);
}

static uint64_t icc(const struct gic *g, unsigned op1_crn_crm_op2)
{
	uint64_t v = 0;

	get(g, KVM_DEV_ARM_VGIC_GRP_CPU_SYSREGS, g->who << 32 | 3 << 14 | op1_crn_crm_op2, &v);
	return v;
}

static void add_cpu_interface(const struct gic *g, struct strbuf *out)
{
	enum { ICC_PMR = 4 << 7 | 6 << 3, ICC_IGRPEN1 = 12 << 7 | 12 << 3 | 7, ICC_AP1R0 = 12 << 7 | 9 << 3 };

	if (!g->v2)
		strbuf_addf(out, "  ICC_PMR_EL1 %02x, group 1 %s, active priorities (ICC_AP1R0_EL1) %08x\n",
			    (unsigned)icc(g, ICC_PMR), icc(g, ICC_IGRPEN1) & 1 ? "enabled" : "disabled",
			    (unsigned)icc(g, ICC_AP1R0));
}

struct mpidr_call {
	struct kvm_cpus *c;
	uint64_t v;
};

static int mpidr_call(struct kvm_port *p, unsigned vcpu, void *arg)
{
	struct mpidr_call *m = arg;

	m->v = kvm_reg_get_sys(&m->c->cpu[vcpu], ARM64_MPIDR_EL1);
	return 0;
}

static int view(struct kvm_cpus *c, unsigned vcpu, struct gic *g)
{
	struct mpidr_call m = { .c = c };
	int rc = kvm_cpus_call(c, vcpu, mpidr_call, &m);
	uint32_t type;

	if (rc < 0)
		return rc;
	/* Aff3..Aff0 in 32 bits. */
	*g = (struct gic){ .fd = c->port->gic_fd, .who = (m.v & 0xffffff) | (m.v >> 32 & 0xff) << 24 };
	rc = get(g, KVM_DEV_ARM_VGIC_GRP_REDIST_REGS, g->who << 32 | GICR_SGI, &type);
	if (rc == -ENXIO || rc == -ENODEV || rc == -EINVAL) { // those: there is no such thing
		g->v2 = true;
		g->who = vcpu;
		rc = 0;
	}
	if (rc == 0)
		rc = get(g, KVM_DEV_ARM_VGIC_GRP_DIST_REGS, g->who << 32 | GICD_TYPER, &type);
	g->nirqs = rc == 0 ? MIN(((type & 31) + 1) * BITS, 1020u) : 0;
	return rc;
}

static int show(struct kvm_cpus *c, bool all, struct strbuf *out)
{
	struct gic g;
	int rc = c->port->gic_fd > 0 ? view(c, 0, &g) : -ENOTSUP;

	if (rc < 0)
		return rc;
	strbuf_addf(out, "GICv%d, %u interrupts, GICD_CTLR %08x; shared ones, from 32 on:\n", g.v2 ? 2 : 3, g.nirqs,
		    dist(&g, GICD_CTLR));
	add_states(&g, NAFFINE, g.nirqs, all, out);
	for (unsigned i = 0; i < c->ncpus && rc >= 0; i++) {
		rc = view(c, i, &g);
		if (rc < 0)
			break;
		strbuf_addf(out, "vCPU %u, its own:\n", i);
		add_states(&g, 0, NAFFINE, all, out);
		if (all)
			add_cpu_interface(&g, out);
	}
	return rc;
}

int kvm_cpus_info(struct kvm_cpus *c, enum target_info what, unsigned vcpu, struct strbuf *out)
{
	switch (what) {
	case TARGET_INFO_PIC:
		return show(c, true, out);
	case TARGET_INFO_IRQ:
		return show(c, false, out);
	default:
		return -ENOTSUP; // a local APIC
	}
}
