/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The interrupt controller that KVM has of an arm64 guest, register by register, as KVM shows it to who saves a guest.
 * Linux, Documentation/virt/kvm/devices/arm-vgic.rst and arm-vgic-v3.rst.
 */
#include <errno.h>
#include <stdlib.h>

#include "arch/arm64_gic.h"
#include "kvm/arm64_internal.h"

/* IHI 0048 and IHI 0069, "Distributor register map". The frame of a redistributor's SGIs and PPIs has the same ones. */
enum {
	GICD_CTLR = 0,
	GICD_TYPER = 4,
	GICD_IIDR = 8,
	GICD_IGROUPR = 0x80,
	GICD_ISENABLER = 0x100,
	GICD_ISPENDR = 0x200,
	GICD_ISACTIVER = 0x300,
	GICD_IPRIORITYR = 0x400,
	GICD_ITARGETSR = 0x800,
	GICD_ICFGR = 0xc00,
	GICD_IROUTER = 0x6000,
	GICR_WAKER = 0x14,
	GICR_SGI_FRAME = 0x10000,
	GICC_CTLR = 0,
	GICC_PMR = 4,
	GICC_BPR = 8,
	GICC_ABPR = 0x1c,
	GICC_APR = 0xd0,
};

/* ICC_ registers, as KVM numbers them: by their encoding. */
#define ICC(crm, op2) (3u << 14 | 12u << 7 | (crm) << 3 | (op2)) /* op0 3, op1 0, CRn 12 */
#define ICC_PMR (3u << 14 | 4u << 7 | 6u << 3)
#define ICC_BPR0 ICC(8u, 3u)
#define ICC_AP0R(n) ICC(8u, 4u + (n))
#define ICC_AP1R(n) ICC(9u, (n))
#define ICC_BPR1 ICC(12u, 3u)
#define ICC_CTLR ICC(12u, 4u)
#define ICC_SRE ICC(12u, 5u)
#define ICC_IGRPEN0 ICC(12u, 6u)
#define ICC_IGRPEN1 ICC(12u, 7u)

/* One reading of it all: the first error stays, and nothing is asked for after it. */
struct reader {
	struct kvm_port *port;
	const struct arm64_gic *gic;
	int rc;
};

static void get(struct reader *r, uint32_t group, uint64_t attr, void *to)
{
	struct kvm_device_attr a = { .group = group, .attr = attr, .addr = (uintptr_t)to };

	if (r->rc == 0)
		r->rc = MIN(r->port->ops->gic_ioctl(r->port, KVM_GET_DEVICE_ATTR, &a), 0);
}

static uint32_t get32(struct reader *r, uint32_t group, uint64_t attr)
{
	uint32_t v = 0;

	get(r, group, attr, &v);
	return v;
}

/* Which vCPU's registers: where the offset has room for it. */
static uint64_t owner(const struct reader *r, unsigned vcpu)
{
	return r->gic->v2 ? (uint64_t)vcpu << KVM_DEV_ARM_VGIC_CPUID_SHIFT : r->gic->cpu[vcpu].affinity << 32;
}

static uint32_t dist(struct reader *r, uint64_t offset)
{
	return get32(r, KVM_DEV_ARM_VGIC_GRP_DIST_REGS, owner(r, 0) | offset);
}

static uint32_t cpu_sysreg(struct reader *r, unsigned vcpu, unsigned reg)
{
	uint64_t v = 0;

	get(r, KVM_DEV_ARM_VGIC_GRP_CPU_SYSREGS, owner(r, vcpu) | reg, &v);
	return (uint32_t)v;
}

static uint32_t cpu_reg(struct reader *r, unsigned vcpu, unsigned offset)
{
	return get32(r, KVM_DEV_ARM_VGIC_GRP_CPU_REGS, owner(r, vcpu) | offset);
}

/* ---- interrupts ---- */

/* A GICv3 has the lines apart from what is latched; KVM's GICv2 shows both as pending. */
static uint32_t lines(struct reader *r, unsigned vcpu, unsigned first)
{
	const uint64_t which = (uint64_t)VGIC_LEVEL_INFO_LINE_LEVEL << KVM_DEV_ARM_VGIC_LINE_LEVEL_INFO_SHIFT;

	return r->gic->v2 ? 0 : get32(r, KVM_DEV_ARM_VGIC_GRP_LEVEL_INFO, owner(r, vcpu) | which | first);
}

static void bank_read(struct reader *r, unsigned vcpu, unsigned first, struct arm64_gic_bank *b)
{
	const bool redist = !r->gic->v2 && first == 0;
	const uint32_t group = redist ? KVM_DEV_ARM_VGIC_GRP_REDIST_REGS : KVM_DEV_ARM_VGIC_GRP_DIST_REGS;
	const uint64_t at = owner(r, vcpu) + (redist ? GICR_SGI_FRAME : 0);

	b->group = get32(r, group, at + GICD_IGROUPR + first / 8);
	b->enabled = get32(r, group, at + GICD_ISENABLER + first / 8);
	b->pending = get32(r, group, at + GICD_ISPENDR + first / 8);
	b->active = get32(r, group, at + GICD_ISACTIVER + first / 8);
	b->line = lines(r, vcpu, first);
	for (unsigned i = 0; i < ARRAY_LEN(b->priority); i++)
		b->priority[i] = get32(r, group, at + GICD_IPRIORITYR + first + 4 * i);
	for (unsigned i = 0; i < ARRAY_LEN(b->config); i++)
		b->config[i] = get32(r, group, at + GICD_ICFGR + first / 4 + 4 * i);
}

static uint64_t route(struct reader *r, unsigned intid)
{
	if (r->gic->v2)
		return dist(r, GICD_ITARGETSR + (intid & ~3u)) >> 8 * (intid % 4) & 0xff;
	return dist(r, GICD_IROUTER + 8 * intid) | (uint64_t)dist(r, GICD_IROUTER + 8 * intid + 4) << 32;
}

/* ---- CPU interfaces ---- */

/* KVM has as many as there are priority bits for. */
static void aprs_read(struct reader *r, unsigned vcpu, struct arm64_gic_cpu *c)
{
	for (unsigned n = 0; n < ARM64_GIC_MAX_APRS && r->rc == 0; n++) {
		c->apr[0][n] = cpu_sysreg(r, vcpu, ICC_AP0R(n));
		c->apr[1][n] = cpu_sysreg(r, vcpu, ICC_AP1R(n));
		if (r->rc == 0)
			c->naprs = n + 1;
	}
	if (c->naprs > 0)
		r->rc = 0; // there are no more
}

static void cpu_read_v3(struct reader *r, unsigned vcpu, struct arm64_gic_cpu *c)
{
	c->waker = get32(r, KVM_DEV_ARM_VGIC_GRP_REDIST_REGS, owner(r, vcpu) | GICR_WAKER);
	c->ctlr = cpu_sysreg(r, vcpu, ICC_CTLR);
	c->sre = cpu_sysreg(r, vcpu, ICC_SRE);
	c->pmr = cpu_sysreg(r, vcpu, ICC_PMR);
	c->bpr[0] = cpu_sysreg(r, vcpu, ICC_BPR0);
	c->bpr[1] = cpu_sysreg(r, vcpu, ICC_BPR1);
	c->group_on[0] = cpu_sysreg(r, vcpu, ICC_IGRPEN0) & 1;
	c->group_on[1] = cpu_sysreg(r, vcpu, ICC_IGRPEN1) & 1;
	aprs_read(r, vcpu, c);
}

/* KVM shows the upper five bits of GICC_PMR only, in the lower ones. */
static void cpu_read_v2(struct reader *r, unsigned vcpu, struct arm64_gic_cpu *c)
{
	c->ctlr = cpu_reg(r, vcpu, GICC_CTLR);
	c->pmr = (cpu_reg(r, vcpu, GICC_PMR) & 0x1f) << 3;
	c->bpr[0] = cpu_reg(r, vcpu, GICC_BPR);
	c->bpr[1] = cpu_reg(r, vcpu, GICC_ABPR);
	c->group_on[0] = c->ctlr & 1;
	c->group_on[1] = c->ctlr >> 1 & 1;
	c->naprs = 1;
	c->apr[0][0] = cpu_reg(r, vcpu, GICC_APR);
}

/* ---- all of it ---- */

static int affinities(struct kvm_cpus *c, struct arm64_gic *g)
{
	for (unsigned v = 0; v < g->ncpus; v++) {
		struct arch_regs regs = { 0 };
		const int rc = kvm_cpus_regs_read(c, v, arm64_sys_desc[ARM64_MPIDR_EL1].group, &regs);

		if (rc < 0)
			return rc;
		const uint64_t mpidr = regs.arm64.sys[ARM64_MPIDR_EL1];

		g->cpu[v].affinity = (mpidr & 0xffffff) | (mpidr >> 32 & 0xff) << 24;
	}
	return 0;
}

/* On the server's own thread: KVM wants every vCPU out of KVM_RUN, and they are while the guest is stopped. */
static int gic_read(struct kvm_cpus *c, struct arm64_gic *g)
{
	struct reader r = { .port = c->port, .gic = g, .rc = affinities(c, g) };

	g->ctlr = dist(&r, GICD_CTLR);
	g->typer = dist(&r, GICD_TYPER);
	g->iidr = dist(&r, GICD_IIDR);
	g->nbanks = (g->typer & 0x1f) + 1;
	for (unsigned i = 1; i < g->nbanks; i++)
		bank_read(&r, 0, i * ARM64_GIC_BANK, &g->spi[i]);
	for (unsigned i = ARM64_GIC_BANK; i < g->nbanks * ARM64_GIC_BANK; i++)
		g->route[i] = route(&r, i);
	for (unsigned v = 0; v < g->ncpus; v++) {
		bank_read(&r, v, 0, &g->cpu[v].own);
		(g->v2 ? cpu_read_v2 : cpu_read_v3)(&r, v, &g->cpu[v]);
	}
	return r.rc;
}

int kvm_cpus_info(struct kvm_cpus *c, enum target_info what, unsigned vcpu, struct strbuf *out)
{
	const struct kvm_gic *gic = &c->port->gic;
	_cleanup_(freep) struct arm64_gic *g = NULL;

	if ((what != TARGET_INFO_IRQ && what != TARGET_INFO_VGIC) || !gic->there)
		return -ENOTSUP;
	g = calloc(1, sizeof(*g) + c->ncpus * sizeof(g->cpu[0]));
	if (!g)
		return -ENOMEM;
	g->v2 = gic->v2;
	g->ncpus = c->ncpus;
	const int rc = gic_read(c, g);
	if (rc < 0)
		return rc;
	(what == TARGET_INFO_IRQ ? arm64_gic_irq_text : arm64_gic_text)(g, gic->names, out);
	return 0;
}
