/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef ARCH_ARM64_GIC_H
#define ARCH_ARM64_GIC_H

#include <stdbool.h>
#include <stdint.h>

#include "util/strbuf.h"

/*
 * The state of a GICv2 or GICv3 as lines of text. All pure. Registers are as in the Arm GIC architecture
 * specifications (IHI 0048, IHI 0069).
 */

enum {
	ARM64_GIC_BANK = 32, /* interrupts in a word of bits */
	ARM64_GIC_MAX_BANKS = 32,
	ARM64_GIC_MAX_APRS = 4,
};

/* 32 interrupts. */
struct arm64_gic_bank {
	uint32_t group, enabled, pending, active;
	uint32_t line;        /* level-triggered ones whose line is high; of those `pending` may be clear */
	uint32_t priority[8]; /* a byte each */
	uint32_t config[2];   /* two bits each, the upper one: edge */
};

/* What belongs to one vCPU: its SGIs and PPIs, and its CPU interface. */
struct arm64_gic_cpu {
	uint64_t affinity; /* Aff3.Aff2.Aff1.Aff0, a byte each */
	struct arm64_gic_bank own;
	uint32_t waker; /* GICR_WAKER */
	uint64_t ctlr, pmr, bpr[2], sre;
	bool group_on[2];
	unsigned naprs; /* of each group: 1, 2 or 4 */
	uint32_t apr[2][ARM64_GIC_MAX_APRS];
};

struct arm64_gic {
	bool v2;
	uint32_t ctlr, typer, iidr;                           /* of the distributor */
	unsigned nbanks;                                      /* with the first, which is each vCPU's own */
	struct arm64_gic_bank spi[ARM64_GIC_MAX_BANKS];       /* from 1 on */
	uint64_t route[ARM64_GIC_MAX_BANKS * ARM64_GIC_BANK]; /* GICD_IROUTER; GICv2: the byte of GICD_ITARGETSR */
	unsigned ncpus;
	struct arm64_gic_cpu cpu[];
};

/* What a machine has at an interrupt; a name of NULL ends a list. */
struct arm64_irq_name {
	unsigned intid;
	const char *name;
};

/** arm64_gic_text() - all of it; of the interrupts those that are enabled, pending or active. */
void arm64_gic_text(const struct arm64_gic *g, const struct arm64_irq_name *names, struct strbuf *out);

/** arm64_gic_irq_text() - what is pending, active and enabled for each vCPU, in a line each. */
void arm64_gic_irq_text(const struct arm64_gic *g, const struct arm64_irq_name *names, struct strbuf *out);

/** arm64_gic_running() - the priority of what @c is in the middle of; 0xff: of nothing. */
unsigned arm64_gic_running(const struct arm64_gic_cpu *c);

#endif
