/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef TESTS_BENCH_PARTS_H
#define TESTS_BENCH_PARTS_H

#include "measure.h"

/* What the parts of a round have in common. */

/* What is compared takes short turns, for the machine under us has its own ups and downs. */
enum { BENCH_TURNS = 4 };
enum { BENCH_SIGTRAP = 5 };

struct bench {
	const struct plan *plan;
	struct measured *m;
	struct bare *bare;
	struct client ours, qemu;
	struct client exact, coalesced; /* as ours, and what the guest writes to its debug port is recorded */
};

/** bench_count() - how often: @full, or in a quick run the least that shows that it works. */
unsigned bench_count(const struct bench *b, unsigned full);

/** bench_note() - one sample. */
void bench_note(struct bench *b, enum metric what, double v);

/** bench_cpu_time() - of the threads of @pid with that name (NULL: of all), in seconds, as the scheduler counts it. */
double bench_cpu_time(pid_t pid, const char *thread);

/** bench_leave_halt() - a new pc alone does not wake the guest from hlt. */
void bench_leave_halt(struct client *c);

/* ---- conditions.c ---- */
void bench_conditions(struct bench *b);

/** bench_conditions_gdb() - what the user types; the clients let go of the servers for that long. */
void bench_conditions_gdb(struct bench *b);

/* ---- codes.c: where the guest has code that writes checkpoints ---- */
#ifdef BENCH_CODES
void bench_codes_start(struct bench *b); /* and bench_codes_stop(): the servers that record */
void bench_codes(struct bench *b);
void bench_codes_stop(struct bench *b);
#else
static inline void bench_codes_start(struct bench *b)
{
}

static inline void bench_codes(struct bench *b)
{
}

static inline void bench_codes_stop(struct bench *b)
{
}
#endif

#endif
