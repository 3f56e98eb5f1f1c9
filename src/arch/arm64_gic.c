/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "arch/arm64_gic.h"

#include <inttypes.h>
#include <stdio.h>

#include "util/macros.h"

enum { GIC_SGIS = 16, GIC_IDLE = 0xff };
#define IROUTER_ANY (UINT64_C(1) << 31)  /* Interrupt_Routing_Mode: any one vCPU */
#define IROUTER_AFFINITY 0xff00ffffffull /* Aff3, and Aff2 to Aff0 */
#define WAKER_CHILDREN_ASLEEP (1u << 2)

/* One interrupt of one bank. */
struct irq {
	unsigned intid;
	bool group1, edge, enabled, pending, line, active;
	unsigned priority;
};

static struct irq irq_of(const struct arm64_gic_bank *b, unsigned intid)
{
	const unsigned i = intid % ARM64_GIC_BANK;

	return (struct irq){
		.intid = intid,
		.group1 = b->group >> i & 1,
		.edge = b->config[i / 16] >> (2 * (i % 16) + 1) & 1,
		.enabled = b->enabled >> i & 1,
		.pending = (b->pending | b->line) >> i & 1,
		.line = b->line >> i & 1,
		.active = b->active >> i & 1,
		.priority = b->priority[i / 4] >> 8 * (i % 4) & 0xff,
	};
}

static uint32_t shown(const struct arm64_gic_bank *b)
{
	return b->enabled | b->pending | b->line | b->active;
}

static const char *name_of(const struct arm64_irq_name *names, unsigned intid)
{
	for (; names && names->name; names++)
		if (names->intid == intid)
			return names->name;
	return NULL;
}

/* ---- where an interrupt goes ---- */

static bool goes_to(const struct arm64_gic *g, unsigned intid, unsigned vcpu)
{
	const uint64_t route = g->route[intid];
	const uint64_t aff = g->cpu[vcpu].affinity;

	if (g->v2)
		return vcpu < 8 && route >> vcpu & 1;
	return route & IROUTER_ANY || (route & IROUTER_AFFINITY) == ((aff & 0xffffff) | (aff >> 24 & 0xff) << 32);
}

static void add_route(const struct arm64_gic *g, unsigned intid, struct strbuf *out)
{
	const char *sep = "vCPU ";

	if (!g->v2 && g->route[intid] & IROUTER_ANY) {
		strbuf_adds(out, "any vCPU");
		return;
	}
	for (unsigned v = 0; v < g->ncpus; v++)
		if (goes_to(g, intid, v)) {
			strbuf_addf(out, "%s%u", sep, v);
			sep = ",";
		}
	if (*sep == 'v')
		strbuf_adds(out, "none");
}

/* ---- rows of interrupts ---- */

static void add_kind(unsigned intid, char *text, size_t size)
{
	if (intid < GIC_SGIS)
		snprintf(text, size, "%u (SGI %u)", intid, intid);
	else if (intid < ARM64_GIC_BANK)
		snprintf(text, size, "%u (PPI %u)", intid, intid - GIC_SGIS);
	else
		snprintf(text, size, "%u (SPI %u)", intid, intid - ARM64_GIC_BANK);
}

static void add_row(const struct arm64_gic *g, const struct irq *q, const struct arm64_irq_name *names,
		    struct strbuf *out)
{
	const char *name = name_of(names, q->intid);
	const bool more = name || q->intid >= ARM64_GIC_BANK;
	char kind[32];

	add_kind(q->intid, kind, sizeof(kind));
	strbuf_addf(out, "  %-13s  %u      0x%02x      %-7s  %-7s  %-7s  %-4s  %-*s", kind, q->group1, q->priority,
		    q->edge ? "edge" : "level", q->enabled ? "enabled" : "-", q->pending ? "pending" : "-",
		    q->line ? "high" : "-", more ? 6 : 0, q->active ? "active" : "-");
	if (q->intid >= ARM64_GIC_BANK) {
		strbuf_adds(out, "  ");
		add_route(g, q->intid, out);
	}
	if (name)
		strbuf_addf(out, "  %s", name);
	strbuf_addc(out, '\n');
}

static void add_bank(const struct arm64_gic *g, const struct arm64_gic_bank *b, unsigned first,
		     const struct arm64_irq_name *names, struct strbuf *out)
{
	for (unsigned i = 0; i < ARM64_GIC_BANK; i++)
		if (shown(b) >> i & 1) {
			const struct irq q = irq_of(b, first + i);

			add_row(g, &q, names, out);
		}
}

/* The head of a table of interrupts, or a word that there are none. */
static void add_head(bool any, struct strbuf *out)
{
	strbuf_adds(out, any ? "  INTID          group  priority  trigger  enabled  pending  line  active\n"
			     : "  no interrupt is enabled, pending or active\n");
}

/* ---- the whole ---- */

static void add_dist(const struct arm64_gic *g, struct strbuf *out)
{
	strbuf_addf(out, "GICv%u distributor: %u INTIDs, group 0 %s, group 1 %s\n", g->v2 ? 2 : 3,
		    g->nbanks * ARM64_GIC_BANK, g->ctlr & 1 ? "on" : "off", g->ctlr & 2 ? "on" : "off");
	strbuf_addf(out, "  CTLR %08" PRIx32 "  TYPER %08" PRIx32 "  IIDR %08" PRIx32 "\n", g->ctlr, g->typer, g->iidr);
}

/* Active priorities: a bit for each preemption level; the fewer registers, the more priorities to a level. */
unsigned arm64_gic_running(const struct arm64_gic_cpu *c)
{
	const unsigned shift = c->naprs >= 4 ? 1 : c->naprs == 2 ? 2 : 3;

	for (unsigned i = 0; i < c->naprs; i++) {
		const uint32_t levels = c->apr[0][i] | c->apr[1][i];

		if (levels)
			return (32 * i + (unsigned)__builtin_ctz(levels)) << shift;
	}
	return GIC_IDLE;
}

static void add_aprs(const struct arm64_gic_cpu *c, unsigned group, struct strbuf *out)
{
	strbuf_addf(out, "  AP%uR", group);
	for (unsigned i = 0; i < c->naprs; i++)
		strbuf_addf(out, " %08" PRIx32, c->apr[group][i]);
}

static void add_cpu(const struct arm64_gic *g, unsigned vcpu, struct strbuf *out)
{
	const struct arm64_gic_cpu *c = &g->cpu[vcpu];
	const unsigned running = arm64_gic_running(c);

	strbuf_addf(out, "vCPU %u: group 0 %s, group 1 %s, priority mask 0x%02" PRIx64, vcpu,
		    c->group_on[0] ? "on" : "off", c->group_on[1] ? "on" : "off", c->pmr);
	if (running == GIC_IDLE)
		strbuf_adds(out, ", no active priority");
	else
		strbuf_addf(out, ", running priority 0x%02x", running);
	if (!g->v2 && c->waker & WAKER_CHILDREN_ASLEEP)
		strbuf_adds(out, ", redistributor asleep");
	strbuf_addf(out, "\n  CTLR %08" PRIx64 "  BPR0 %" PRIu64 "  BPR1 %" PRIu64, c->ctlr, c->bpr[0], c->bpr[1]);
	add_aprs(c, 0, out);
	if (!g->v2) { // a GICv2 has one set for both
		add_aprs(c, 1, out);
		strbuf_addf(out, "  SRE %" PRIx64, c->sre);
	}
	strbuf_addc(out, '\n');
}

void arm64_gic_text(const struct arm64_gic *g, const struct arm64_irq_name *names, struct strbuf *out)
{
	uint32_t any = 0;

	add_dist(g, out);
	for (unsigned i = 1; i < g->nbanks; i++)
		any |= shown(&g->spi[i]);
	add_head(any, out);
	for (unsigned i = 1; i < g->nbanks; i++)
		add_bank(g, &g->spi[i], i * ARM64_GIC_BANK, names, out);
	for (unsigned v = 0; v < g->ncpus; v++) {
		add_cpu(g, v, out);
		add_head(shown(&g->cpu[v].own), out);
		add_bank(g, &g->cpu[v].own, 0, names, out);
	}
}

/* ---- info irq ---- */

static bool is_pending(const struct irq *q)
{
	return q->pending;
}

static bool is_active(const struct irq *q)
{
	return q->active;
}

static bool is_enabled(const struct irq *q)
{
	return q->enabled;
}

static void add_list(const struct arm64_gic *g, unsigned vcpu, const struct arm64_irq_name *names, const char *what,
		     bool (*is)(const struct irq *q), struct strbuf *out)
{
	bool any = false;

	strbuf_addf(out, "  %s:", what);
	for (unsigned i = 0; i < g->nbanks * ARM64_GIC_BANK; i++) {
		const bool own = i < ARM64_GIC_BANK;
		const struct irq q = irq_of(own ? &g->cpu[vcpu].own : &g->spi[i / ARM64_GIC_BANK], i);
		const char *name = name_of(names, i);

		if (!is(&q) || (!own && !goes_to(g, i, vcpu)))
			continue;
		strbuf_addf(out, name ? "%s %u (%s)" : "%s %u", any ? "," : "", i, name);
		any = true;
	}
	strbuf_adds(out, any ? "\n" : " none\n");
}

void arm64_gic_irq_text(const struct arm64_gic *g, const struct arm64_irq_name *names, struct strbuf *out)
{
	for (unsigned v = 0; v < g->ncpus; v++) {
		strbuf_addf(out, "vCPU %u:\n", v);
		add_list(g, v, names, "pending", is_pending, out);
		add_list(g, v, names, "active", is_active, out);
		add_list(g, v, names, "enabled", is_enabled, out);
	}
}
