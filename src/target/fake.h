/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef TARGET_FAKE_H
#define TARGET_FAKE_H

#include "target/fake_isa.h"
#include "target/target.h"

/* Inside the room: the fake guest. target_fake.c shows it as a target, fake_run.c executes it. */

#define FAKE_MAX_STOPS 32
#define FAKE_MAX_BREAKS 64
#define FAKE_MAX_PWATCHES 8

struct fake_vcpu {
	struct arch_regs regs;
	bool waits; /* halted, or lost in memory that is not there */
};

struct fake {
	struct target target;
	const struct fake_isa *isa;
	struct target_ops ops;
	struct target_region map[2];
	unsigned nregions;
	uint8_t *mem[2]; /* RAM, ROM */
	struct fake_vcpu *vcpu;
	struct target_filter filter;
	struct target_break breaks[FAKE_MAX_BREAKS];
	unsigned nbreaks;
	struct target_pwatch pwatches[FAKE_MAX_PWATCHES];
	unsigned npwatches;
	struct stop_event pushed[FAKE_MAX_STOPS];
	unsigned npushed;
	struct resume_plan plan; /* the last one */
	bool resumed;
	bool due_set, killed, catches_vcpu_on, catches_checkpoints, time_runs;
	struct stop_event due; /* what next_stop will hand out */
	int fd;                /* readable while due_set */
	unsigned fail_in;
	int fail_err;
	bool failed;
};

/* target_fake.c */

/** fake_hva() - host address of guest memory, and how much of it is in one piece; NULL in a hole. */
uint8_t *fake_hva(struct fake *f, gpa at, size_t *left);

/** fake_stop() - what next_stop hands out next. */
void fake_stop(struct fake *f, const struct stop_event *ev);

/* fake_run.c */

/** fake_run() - every vCPU by its plan, an instruction each in turn, until one stops or all wait. */
void fake_run(struct fake *f);

/** fake_verdict() - of the filter, on something at @pc; without one it is a stop. */
enum target_verdict fake_verdict(struct fake *f, unsigned vcpu, enum stop_why why, gva pc);

/** fake_hw_kind() - of what is no software breakpoint. */
enum hw_kind fake_hw_kind(enum target_break_kind kind);

#endif
