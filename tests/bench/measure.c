/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What is measured, each once in a round. */
#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "parts.h"
#include "util/macros.h"

enum { STEPS_BEFORE = 32, DUMP_SIZE = 64 << 20, STAGE_TIMEOUT_S = 120 };

unsigned bench_count(const struct bench *b, unsigned full)
{
	return b->plan->quick ? MAX(full / 50, 4u) : full;
}

void bench_note(struct bench *b, enum metric what, double v)
{
	if (b->m->n[what] < SAMPLES_MAX)
		b->m->v[what][b->m->n[what]++] = v;
}

/* ---- steps ---- */

static void noops(struct bench *b, struct client *c, enum metric what)
{
	unsigned n = bench_count(b, 500);
	double begin = bench_now();

	for (unsigned i = 0; i < n; i++)
		client_ask(c, "qC");
	bench_note(b, what, n / (bench_now() - begin));
}

static void steps(struct bench *b, struct client *c, enum metric what, unsigned full)
{
	unsigned n = bench_count(b, full);
	double begin;

	client_jump(c, BENCH_STEPS, UINT32_MAX);
	for (unsigned i = 0; i < STEPS_BEFORE; i++) // the first ones pay for the vCPU's change to another thread
		client_resume(c, "vCont;s:1", BENCH_SIGTRAP);
	begin = bench_now();
	for (unsigned i = 0; i < n; i++)
		client_resume(c, "vCont;s:1", BENCH_SIGTRAP);
	bench_note(b, what, n / (bench_now() - begin));
}

static void range(struct bench *b)
{
	unsigned rounds = bench_count(b, 5000);
	char packet[64];
	double begin;

	client_jump(&b->ours, BENCH_STEPS, rounds);
	snprintf(packet, sizeof(packet), "vCont;r%x,%x:1", BENCH_STEPS, BENCH_STEPS_END);
	begin = bench_now();
	client_resume(&b->ours, packet, BENCH_SIGTRAP);
	bench_note(b, OURS_RANGE, rounds * BENCH_LOOP_LEN / (bench_now() - begin));
}

static void bare_side(struct bench *b)
{
	unsigned n = bench_count(b, 500);

	bench_note(b, BARE_CLOCK, bare_clock(b->bare, n) / n);
	for (unsigned i = 0; i < bench_count(b, 20); i++)
		bench_note(b, BARE_KICK, bare_kick(b->bare));
}

static void step_turns(struct bench *b)
{
	unsigned n = bench_count(b, 5000);

	range(b);
	for (unsigned turn = 0; turn < BENCH_TURNS; turn++) {
		bench_note(b, BARE_STEP, n / bare_steps(b->bare, n));
		steps(b, &b->ours, OURS_STEP, 500);
		noops(b, &b->ours, OURS_NOOP);
	}
}

/* ---- memory ---- */

static size_t decoded(const char *body, size_t n)
{
	size_t escapes = 0;

	for (const char *p = body; (p = memchr(p, '}', (size_t)(body + n - p))); p++)
		escapes++;
	return n - escapes;
}

/* Seconds to read @size bytes in packets of @op that ask for @chunk each. */
static double read_memory(struct client *c, char op, size_t chunk, size_t size)
{
	double begin = bench_now();

	for (size_t at = 0; at < size;) {
		const char *body = client_ask(c, "%c%zx,%zx", op, BENCH_READ_AT + at, MIN(chunk, size - at));
		size_t got = op == 'm' ? c->body_len / 2 : decoded(body, c->body_len) - 1;

		if (body[0] == 'E' || !got)
			bench_die("%s: reading memory at %#zx ended with '%.20s'", c->path, BENCH_READ_AT + at, body);
		at += got;
	}
	return bench_now() - begin;
}

static void memory_turn(struct bench *b)
{
	struct client *o = &b->ours, *q = &b->qemu;
	size_t size = bench_count(b, 1024) * 1024ul;

	bench_note(b, OURS_M, (double)size / read_memory(o, 'm', o->packet_size / 2, size));
	if (o->binary)
		bench_note(b, OURS_X, (double)size / read_memory(o, 'x', o->packet_size - 1, size));
	if (b->plan->alone)
		return;
	size = bench_count(b, 128) * 1024ul;
	bench_note(b, QEMU_M, (double)size / read_memory(q, 'm', q->packet_size / 2, size));
}

static void memory(struct bench *b)
{
	for (unsigned turn = 0; turn < BENCH_TURNS; turn++)
		memory_turn(b);
}

static void dump(struct bench *b)
{
	struct client *o = &b->ours;
	size_t size = b->plan->quick ? DUMP_SIZE / 64 : DUMP_SIZE;

	bench_note(b, OURS_DUMP_M, read_memory(o, 'm', o->packet_size / 2, size));
	if (o->binary)
		bench_note(b, OURS_DUMP_X, read_memory(o, 'x', o->packet_size - 1, size));
}

/* ---- the guest's own speed, and Ctrl-C ---- */

/* Seconds for @n pieces of work; the first byte only marks the beginning of one. */
static double work(struct client *c, unsigned n)
{
	char buf[256];
	double begin;

	while (recv(c->console, buf, sizeof(buf), MSG_DONTWAIT) > 0)
		;
	recv(c->console, buf, 1, 0);
	begin = bench_now();
	for (unsigned i = 0; i < n; i++)
		if (recv(c->console, buf, 1, 0) != 1)
			bench_die("%s: the guest's serial port is closed", c->path);
	return bench_now() - begin;
}

/* Leaves the guest stopped and the client attached. */
static void slow_down(struct bench *b)
{
	struct client *o = &b->ours;
	unsigned n = bench_count(b, 20);

	client_jump(o, BENCH_WORK, 0);
	for (unsigned turn = 0; turn < (b->plan->quick ? 1 : BENCH_TURNS); turn++) {
		client_send(o, "vCont;c");
		bench_note(b, OURS_WORK_ATTACHED, n / work(o, n));
		client_interrupt(o);
		client_detach(o);
		bench_note(b, OURS_WORK_ALONE, n / work(o, n));
		client_connect(o);
	}
}

static void interrupts(struct bench *b)
{
	client_jump(&b->ours, BENCH_STEPS_END, 0);
	for (unsigned i = 0; i < bench_count(b, 20); i++) {
		double begin;

		client_send(&b->ours, "vCont;c");
		usleep(20000); // as in bare_kick()
		begin = bench_now();
		client_interrupt(&b->ours);
		bench_note(b, OURS_INTERRUPT, bench_now() - begin);
	}
}

/* ---- the idle server ---- */

static bool is_named(pid_t pid, const char *task, const char *name)
{
	char path[400], comm[32] = "";
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/task/%s/comm", (int)pid, task);
	f = fopen(path, "r");
	if (f && !fgets(comm, sizeof(comm), f))
		comm[0] = '\0';
	if (f)
		fclose(f);
	comm[strcspn(comm, "\n")] = '\0';
	return strcmp(comm, name) == 0;
}

double bench_cpu_time(pid_t pid, const char *thread)
{
	char path[64];
	struct dirent *e;
	double sum = 0;
	DIR *d;

	snprintf(path, sizeof(path), "/proc/%d/task", (int)pid);
	d = opendir(path);
	if (!d)
		bench_die("no %s", path);
	while ((e = readdir(d))) {
		unsigned long long ns;
		char file[400];
		FILE *f;

		snprintf(file, sizeof(file), "%s/%s/schedstat", path, e->d_name);
		f = e->d_name[0] == '.' || (thread && !is_named(pid, e->d_name, thread)) ? NULL : fopen(file, "r");
		if (!f)
			continue;
		if (fscanf(f, "%llu", &ns) == 1)
			sum += (double)ns / 1e9;
		fclose(f);
	}
	closedir(d);
	return sum;
}

void bench_leave_halt(struct client *c)
{
	client_jump(c, BENCH_STEPS_END, 0);
	client_resume(c, "vCont;s:1", BENCH_SIGTRAP);
}

static void idle_for(struct bench *b, enum metric what)
{
	double before;

	usleep(200000); // what the last packet set off is over
	before = bench_cpu_time(b->ours.pid, NULL);
	usleep(b->plan->quick ? 100000 : 2000000);
	bench_note(b, what, bench_cpu_time(b->ours.pid, NULL) - before);
}

static void idle(struct bench *b)
{
	idle_for(b, IDLE_STOPPED);
	client_jump(&b->ours, BENCH_HALT, 0);
	client_send(&b->ours, "vCont;c");
	idle_for(b, IDLE_HALTED);
	client_interrupt(&b->ours);
	bench_leave_halt(&b->ours);
}

/* ---- a round ---- */

static void stage(const char *what)
{
	fprintf(stderr, "bench: %s\n", what);
	alarm(STAGE_TIMEOUT_S); // and end, whoever is waiting for whom
}

static bool wanted(const struct bench *b, const char *part)
{
	return !b->plan->only || strcmp(b->plan->only, part) == 0;
}

/* One part, for the work on it. */
static void one_part(struct bench *b)
{
	if (wanted(b, "steps"))
		step_turns(b);
	else if (wanted(b, "memory"))
		memory(b);
	else
		bench_codes(b);
}

static void one_round(struct bench *b, bool first)
{
	stage("bare KVM");
	bare_side(b);
	stage("steps");
	step_turns(b);
	if (!b->plan->alone) {
		stage("steps in QEMU");
		steps(b, &b->qemu, QEMU_STEP, 100);
		noops(b, &b->qemu, QEMU_NOOP);
	}
	stage("memory");
	memory(b);
	stage("checkpoints");
	bench_codes(b);
	stage("conditions");
	bench_conditions(b);
	stage("Ctrl-C");
	interrupts(b);
	stage("slow-down");
	slow_down(b);
	if (first) {
		stage("dump");
		dump(b);
		stage("idle");
		idle(b);
	}
	if (b->plan->alone)
		return;
	stage("conditions in GDB");
	bench_conditions_gdb(b);
}

static void start(struct bench *b)
{
	const struct plan *p = b->plan;
	char ours[40], qemu[64], listen[64], gdb[100], image[300];

	snprintf(ours, sizeof(ours), "/tmp/gdbvm-bench.%d", (int)getpid());
	snprintf(listen, sizeof(listen), "unix:%s", ours);
	snprintf(qemu, sizeof(qemu), "%s.qemu", ours);
	snprintf(gdb, sizeof(gdb), "unix:%s,server=on,wait=off", qemu);
	snprintf(image, sizeof(image), "%s%s", p->rom, BENCH_PLACE);
	char *const ours_argv[] = { p->gdbvm, "run", "--accel", "kvm",  BENCH_OPTION, image,
				    "-m",     "128", "--gdb",   listen, NULL };
	char *const qemu_argv[] = {
		"qemu-system-x86_64", "-accel", "kvm",     "-bios", p->rom, "-m", "128", "-nodefaults",
		"-display",           "none",   "-serial", "stdio", "-gdb", gdb,  NULL
	};

	b->bare = bare_open(p->rom);
	client_start(&b->ours, ours, ours_argv);
	client_connect(&b->ours);
	if (p->alone)
		return;
	client_start(&b->qemu, qemu, qemu_argv);
	client_connect(&b->qemu);
	bench_codes_start(b);
}

static void stop_peers(struct bench *b)
{
	client_stop(&b->qemu);
	bench_codes_stop(b);
}

void measure_all(const struct plan *plan, struct measured *m)
{
	struct bench b = { .plan = plan, .m = m };

	stage("start");
	start(&b);
	for (unsigned i = 0; i < plan->rounds; i++)
		if (plan->only)
			one_part(&b);
		else
			one_round(&b, i == 0);
	client_stop(&b.ours);
	if (!plan->alone)
		stop_peers(&b);
	bare_close(b.bare);
}
