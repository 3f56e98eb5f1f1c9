/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * bench [--quick] [--rounds N] [--only steps|memory|checkpoints] [--alone] GDBVM IMAGE: measure gdbvm against the bare
 * KVM it stands on and, unless it is alone, against QEMU's gdbstub, and print one table. Where it runs is the business
 * of run.sh.
 */
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "measure.h"
#include "util/macros.h"

void bench_die(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	fputs("bench: ", stderr);
	vfprintf(stderr, fmt, ap);
	fputc('\n', stderr);
	va_end(ap);
	exit(1); // the children go with us
}

double bench_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* ---- the table ---- */

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double median_of(double *v, unsigned n)
{
	if (!n)
		return 0;
	qsort(v, n, sizeof(v[0]), by_value);
	return n % 2 ? v[n / 2] : (v[n / 2 - 1] + v[n / 2]) / 2;
}

static double median(const struct measured *m, enum metric what)
{
	double v[SAMPLES_MAX];

	memcpy(v, m->v[what], m->n[what] * sizeof(v[0]));
	return median_of(v, m->n[what]);
}

/* What was measured as often took turns: then each turn has its ratio, whatever the machine was busy with. */
static double ratio_of(const struct measured *m, enum metric ours, enum metric peer)
{
	double v[SAMPLES_MAX];
	unsigned n = m->n[peer];

	if (!n)
		return 0;
	if (m->n[ours] != n)
		return median(m, ours) / median(m, peer);
	for (unsigned i = 0; i < n; i++)
		v[i] = m->v[ours][i] / m->v[peer][i];
	return median_of(v, n);
}

/* No-op packets in what a step packet takes beyond a bare step, likewise: the three always take turns. */
static double step_cost(const struct measured *m)
{
	const double *step = m->v[OURS_STEP], *bare = m->v[BARE_STEP], *noop = m->v[OURS_NOOP];
	double v[SAMPLES_MAX];

	for (unsigned i = 0; i < m->n[OURS_STEP]; i++)
		v[i] = (1 / step[i] - 1 / bare[i]) * noop[i];
	return median_of(v, m->n[OURS_STEP]);
}

/* What being traced takes of a guest's time that writes so often, in percent. */
static double trace_cost(const struct measured *m, double writes_per_s)
{
	const double *traced = m->v[BARE_TRACED], *bare = m->v[BARE_CODE];
	double v[SAMPLES_MAX];

	for (unsigned i = 0; i < m->n[BARE_TRACED]; i++)
		v[i] = 100 * writes_per_s * (1 / traced[i] - 1 / bare[i]);
	return median_of(v, m->n[BARE_TRACED]);
}

static double worst(const struct measured *m, enum metric what)
{
	double max = 0;

	for (unsigned i = 0; i < m->n[what]; i++)
		max = MAX(max, m->v[what][i]);
	return max;
}

static void row(const char *what, const char *ours, const char *peer, const char *ratio, const char *goal)
{
	printf("| %-47s | %16s | %16s | %10s | %-12s |\n", what, ours, peer, ratio, goal);
}

struct text {
	char s[40];
};

static struct text text(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
static struct text text(const char *fmt, ...)
{
	struct text t;
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(t.s, sizeof(t.s), fmt, ap);
	va_end(ap);
	return t;
}

static const struct {
	const char *what;
	enum metric ours, peer;
	double scale; /* of the values */
	const char *unit;
	double goal; /* of ours / peer, 0: none */
} rates[] = {
	{ "range step; bare KVM_RUN step", OURS_RANGE, BARE_STEP, 1, "steps/s", 0.6 },
	{ "single step packet; QEMU", OURS_STEP, QEMU_STEP, 1, "steps/s", 0 },
	{ "no-op packet (qC); QEMU", OURS_NOOP, QEMU_NOOP, 1, "packets/s", 0 },
	{ "memory read, m; QEMU's m", OURS_M, QEMU_M, 1.0 / (1 << 20), "MiB/s", 10 },
	{ "memory read, x; QEMU's m", OURS_X, QEMU_M, 1.0 / (1 << 20), "MiB/s", 10 },
	{ "checkpoint, exact; bare KVM_EXIT_IO", OURS_EXACT, BARE_CODE, 1, "writes/s", 0.87 },
	{ "the same from code above 4 GiB", OURS_HIGH, BARE_HIGH, 1, "writes/s", 0.87 },
	{ "checkpoint, coalesced; bare KVM_EXIT_IO", OURS_COALESCED, BARE_CODE, 1, "writes/s", 2 },
	{ "checkpoint, coalesced; exact", OURS_COALESCED, OURS_EXACT, 1, "writes/s", 2 },
	{ "checkpoint, coalesced; bare KVM that keeps them", OURS_COALESCED, BARE_COALESCED, 1, "writes/s", 0 },
	{ "exact; coalesced, with the log's thread", OURS_EXACT_WALL, OURS_COALESCED_WALL, 1, "writes/s", 0 },
	{ "bare KVM_EXIT_IO, traced; not traced", BARE_TRACED, BARE_CODE, 1, "writes/s", 0 },
	{ "false condition; C client on QEMU", OURS_COND, QEMU_COND, 1, "hits/s", 10 },
	{ "false condition; GDB on QEMU", OURS_COND, QEMU_GDB, 1, "hits/s", 10 },
	{ "the same evaluated by the C client", OURS_CLIENT_COND, QEMU_COND, 1, "hits/s", 0 },
	{ "the same evaluated by GDB", OURS_GDB, QEMU_GDB, 1, "hits/s", 0 },
	{ "guest's work: client attached; detached", OURS_WORK_ATTACHED, OURS_WORK_ALONE, 1, "pieces/s", 0 },
};

static struct text rate_text(const struct measured *m, enum metric what, double scale, const char *unit)
{
	double v = median(m, what) * scale;

	return m->n[what] ? text("%.*f %s", v < 100 ? 1 : 0, v, unit) : text("-");
}

static void print_rates(const struct measured *m)
{
	for (unsigned i = 0; i < ARRAY_LEN(rates); i++) {
		double ratio = ratio_of(m, rates[i].ours, rates[i].peer);

		if (!m->n[rates[i].ours])
			continue;
		row(rates[i].what, rate_text(m, rates[i].ours, rates[i].scale, rates[i].unit).s,
		    rate_text(m, rates[i].peer, rates[i].scale, rates[i].unit).s,
		    m->n[rates[i].peer] ? text("%.3g", ratio).s : "-",
		    rates[i].goal > 0 && m->n[rates[i].peer] ? text(">= %g", rates[i].goal).s : "");
	}
}

static struct text us(double seconds)
{
	return text("%.0f us", seconds * 1e6);
}

static void print_start(const struct measured *m)
{
	const double ours = median(m, START_CHECKPOINT), serial = median(m, START_SERIAL);

	if (m->n[BARE_TRACED])
		row("time of a guest for 30,000 traced writes/s", text("%.1f %%", trace_cost(m, 30000)).s, "", "",
		    "< 5 %");
	if (m->n[START_CHECKPOINT])
		row("exec to first checkpoint; to serial output", us(ours).s, us(serial).s,
		    text("%+.0f ms", (ours - serial) * 1e3).s, "<= 50 ms");
}

static void print_times(const struct measured *m)
{
	double bare = 1 / median(m, BARE_STEP), step = 1 / median(m, OURS_STEP);
	double kick = median(m, BARE_KICK);

	if (!m->n[OURS_STEP])
		return; // only memory
	row("step packet = bare step + N no-op packets: N", us(step).s, us(bare).s, text("%.2f", step_cost(m)).s,
	    "<= 1.3");
	if (!m->n[OURS_INTERRUPT])
		return; // only steps
	row("Ctrl-C to stop reply; signal to KVM_RUN", us(median(m, OURS_INTERRUPT)).s, us(kick).s,
	    text("%.2f", median(m, OURS_INTERRUPT) / kick).s, "");
	row("Ctrl-C to stop reply, worst", us(worst(m, OURS_INTERRUPT)).s, us(worst(m, BARE_KICK)).s, "", "");
	row("guest's clock read and set back (bare)", "", us(median(m, BARE_CLOCK)).s, "", "");
	if (m->n[OURS_DUMP_M])
		row("dump of 64 MiB with m; with x", text("%.2f s", median(m, OURS_DUMP_M)).s,
		    text("%.2f s", median(m, OURS_DUMP_X)).s, "", "");
	row("CPU time of the idle server: stopped; halted", us(median(m, IDLE_STOPPED)).s, us(median(m, IDLE_HALTED)).s,
	    "", "0; 0");
}

static void print_table(const struct measured *m, unsigned rounds)
{
	printf("medians of %u rounds\n", rounds);
	row("what; peer", "gdbvm", "peer", "ratio", "goal");
	row("-----------------------------------------------", "----------------", "----------------", "----------",
	    "------------");
	print_rates(m);
	print_start(m);
	print_times(m);
}

static unsigned number(const char *opt, const char *s)
{
	char *end;
	unsigned long v = strtoul(s, &end, 10);

	if (*end || !v || v > ROUNDS_MAX)
		bench_die("%s %s: expected a number from 1 to %d", opt, s, ROUNDS_MAX);
	return (unsigned)v;
}

static const char *part(const char *s)
{
	if (strcmp(s, "steps") != 0 && strcmp(s, "memory") != 0 && strcmp(s, "checkpoints") != 0)
		bench_die("--only %s: expected steps, memory or checkpoints", s);
	return s;
}

int main(int argc, char **argv)
{
	static const struct option options[] = { { "quick", no_argument, NULL, 'q' },
						 { "rounds", required_argument, NULL, 'r' },
						 { "only", required_argument, NULL, 'o' },
						 { "alone", no_argument, NULL, 'a' },
						 { 0 } };
	struct plan plan = { .rounds = 5, .quick = false };
	static struct measured m;
	int opt;

	while ((opt = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (opt == 'q')
			plan.quick = true;
		else if (opt == 'r')
			plan.rounds = number("--rounds", optarg);
		else if (opt == 'o')
			plan.only = part(optarg);
		else if (opt == 'a')
			plan.alone = true;
		else
			return 2;
	}
	if (argc - optind != 2)
		bench_die("expected [--quick] [--rounds N] [--only steps|memory|checkpoints] [--alone] GDBVM IMAGE");
	if (plan.quick)
		plan.rounds = 1;
	plan.gdbvm = argv[optind];
	plan.rom = argv[optind + 1];
	setvbuf(stdout, NULL, _IOLBF, 0);
	measure_all(&plan, &m);
	print_table(&m, plan.rounds);
	return 0;
}
