/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef TESTS_BENCH_MEASURE_H
#define TESTS_BENCH_MEASURE_H

#include "bench.h"

enum { ROUNDS_MAX = 50, SAMPLES_MAX = 2000 };

/* Rates (per second) where the name does not say otherwise. */
enum metric {
	BARE_STEP,
	BARE_KICK,  /* seconds */
	BARE_CLOCK, /* seconds */
	OURS_RANGE,
	OURS_STEP,
	OURS_NOOP,
	OURS_M, /* bytes/s */
	OURS_X,
	OURS_COND, /* hits of a breakpoint with a false condition that the server evaluates */
	OURS_CLIENT_COND,
	OURS_GDB,
	OURS_WORK_ALONE,
	OURS_WORK_ATTACHED,
	OURS_INTERRUPT, /* seconds */
	OURS_DUMP_M,    /* seconds */
	OURS_DUMP_X,
	IDLE_STOPPED, /* seconds of CPU time */
	IDLE_HALTED,
	BARE_CODE, /* writes to the debug port by the CPU time of the vCPU's thread */
	BARE_HIGH, /* by code above 4 GiB */
	BARE_COALESCED,
	BARE_TRACED, /* BARE_CODE, while gdbvm trace watches */
	OURS_EXACT,
	OURS_HIGH,
	OURS_COALESCED,
	OURS_EXACT_WALL, /* by the clock: with what the log's thread takes of the processors */
	OURS_COALESCED_WALL,
	START_SERIAL, /* seconds */
	START_CHECKPOINT,
	QEMU_STEP,
	QEMU_NOOP,
	QEMU_M,
	QEMU_COND,
	QEMU_GDB,
	NMETRICS
};

struct measured {
	double v[NMETRICS][SAMPLES_MAX];
	unsigned n[NMETRICS];
};

struct plan {
	unsigned rounds;
	bool quick;       /* so little of everything that it only shows that it works */
	bool alone;       /* no peers but the bare KVM */
	const char *only; /* "steps", "memory" or "checkpoints"; NULL: everything */
	char *gdbvm, *rom;
};

void measure_all(const struct plan *plan, struct measured *m);

#endif
