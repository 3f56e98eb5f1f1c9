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

#include "measure.h"
#include "util/macros.h"

enum { SIGNAL_TRAP = 5, DUMP_SIZE = 64 << 20, STAGE_TIMEOUT_S = 120 };
/* What is compared takes short turns, for the machine under us has its own ups and downs. */
enum { TURNS = 4, STEPS_BEFORE = 32 };

struct bench {
	const struct plan *plan;
	struct measured *m;
	struct bare *bare;
	struct client ours, qemu;
	struct client exact, coalesced; /* as ours, and what the guest writes to its debug port is recorded */
};

/* A full run's count, or the least that shows that it works. */
static unsigned count(const struct bench *b, unsigned full)
{
	return b->plan->quick ? MAX(full / 50, 4u) : full;
}

static void note(struct bench *b, enum metric what, double v)
{
	if (b->m->n[what] < SAMPLES_MAX)
		b->m->v[what][b->m->n[what]++] = v;
}

/* ---- steps ---- */

static void noops(struct bench *b, struct client *c, enum metric what)
{
	unsigned n = count(b, 500);
	double begin = bench_now();

	for (unsigned i = 0; i < n; i++)
		client_ask(c, "qC");
	note(b, what, n / (bench_now() - begin));
}

static void steps(struct bench *b, struct client *c, enum metric what, unsigned full)
{
	unsigned n = count(b, full);
	double begin;

	client_jump(c, BENCH_STEPS, UINT32_MAX);
	for (unsigned i = 0; i < STEPS_BEFORE; i++) // the first ones pay for the vCPU's change to another thread
		client_resume(c, "vCont;s:1", SIGNAL_TRAP);
	begin = bench_now();
	for (unsigned i = 0; i < n; i++)
		client_resume(c, "vCont;s:1", SIGNAL_TRAP);
	note(b, what, n / (bench_now() - begin));
}

static void range(struct bench *b)
{
	unsigned rounds = count(b, 5000);
	char packet[64];
	double begin;

	client_jump(&b->ours, BENCH_STEPS, rounds);
	snprintf(packet, sizeof(packet), "vCont;r%x,%x:1", BENCH_STEPS, BENCH_STEPS_END);
	begin = bench_now();
	client_resume(&b->ours, packet, SIGNAL_TRAP);
	note(b, OURS_RANGE, rounds * BENCH_LOOP_LEN / (bench_now() - begin));
}

static void bare_side(struct bench *b)
{
	unsigned n = count(b, 500);

	note(b, BARE_CLOCK, bare_clock(b->bare, n) / n);
	for (unsigned i = 0; i < count(b, 20); i++)
		note(b, BARE_KICK, bare_kick(b->bare));
}

static void step_turns(struct bench *b)
{
	unsigned n = count(b, 5000);

	range(b);
	for (unsigned turn = 0; turn < TURNS; turn++) {
		note(b, BARE_STEP, n / bare_steps(b->bare, n));
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
	size_t size = count(b, 1024) * 1024ul;

	note(b, OURS_M, (double)size / read_memory(o, 'm', o->packet_size / 2, size));
	if (o->binary)
		note(b, OURS_X, (double)size / read_memory(o, 'x', o->packet_size - 1, size));
	if (b->plan->alone)
		return;
	size = count(b, 128) * 1024ul;
	note(b, QEMU_M, (double)size / read_memory(q, 'm', q->packet_size / 2, size));
}

static void memory(struct bench *b)
{
	for (unsigned turn = 0; turn < TURNS; turn++)
		memory_turn(b);
}

static void dump(struct bench *b)
{
	struct client *o = &b->ours;
	size_t size = b->plan->quick ? DUMP_SIZE / 64 : DUMP_SIZE;

	note(b, OURS_DUMP_M, read_memory(o, 'm', o->packet_size / 2, size));
	if (o->binary)
		note(b, OURS_DUMP_X, read_memory(o, 'x', o->packet_size - 1, size));
}

/* ---- a breakpoint whose condition is false n times, and then true ---- */

static void cond_by_server(struct bench *b, struct client *c, enum metric what, unsigned full)
{
	/* Agent expression: counter (const32, ref64) < target (const64) (less_unsigned), log_not. */
	unsigned n = count(b, full);
	uint64_t target;
	double begin;

	client_jump(c, BENCH_STEPS_END, 0);
	target = client_counter(c) + n;
	client_ask_ok(c, "Z0,%x,%x;X12,24%08x1a25%016llx150e27", BENCH_BUMP, BENCH_BP_KIND, BENCH_COUNTER,
		      (unsigned long long)target);
	begin = bench_now();
	client_resume(c, "vCont;c", SIGNAL_TRAP);
	note(b, what, n / (bench_now() - begin));
	if (client_counter(c) != target)
		bench_die("%s: %lld hits were lost", c->path, (long long)(client_counter(c) - target));
	client_ask_ok(c, "z0,%x,%x", BENCH_BUMP, BENCH_BP_KIND);
}

/* The least that a client can say about a hit: look at the counter, and pass the breakpoint as GDB does. */
static void cond_by_client(struct bench *b, struct client *c, enum metric what, unsigned full)
{
	unsigned n = count(b, full);
	uint64_t target;
	double begin;

	client_jump(c, BENCH_STEPS_END, 0);
	target = client_counter(c) + n;
	client_ask_ok(c, "Z0,%x,%x", BENCH_BUMP, BENCH_BP_KIND);
	begin = bench_now();
	for (;;) {
		client_resume(c, "vCont;c", SIGNAL_TRAP);
		if (client_counter(c) >= target)
			break;
		client_ask_ok(c, "z0,%x,%x", BENCH_BUMP, BENCH_BP_KIND);
		client_resume(c, "vCont;s:1", SIGNAL_TRAP);
		client_ask_ok(c, "Z0,%x,%x", BENCH_BUMP, BENCH_BP_KIND);
	}
	note(b, what, n / (bench_now() - begin));
	if (client_counter(c) != target)
		bench_die("%s: %lld hits were lost", c->path, (long long)(client_counter(c) - target));
	client_ask_ok(c, "z0,%x,%x", BENCH_BUMP, BENCH_BP_KIND);
}

struct gdb {
	pid_t pid;
	FILE *in, *out;
};

static void gdb_open(struct gdb *g)
{
	int to[2], from[2];

	if (pipe(to) < 0 || pipe(from) < 0)
		bench_die("no pipes");
	g->pid = fork();
	if (g->pid == 0) {
		dup2(to[0], STDIN_FILENO);
		dup2(from[1], STDOUT_FILENO);
		dup2(from[1], STDERR_FILENO);
		for (int fd = 3; fd < 256; fd++)
			close(fd);
		execlp("gdb", "gdb", "-nx", "-q", NULL);
		_exit(127);
	}
	close(to[0]);
	close(from[1]);
	g->in = fdopen(to[1], "w");
	g->out = fdopen(from[0], "r");
	if (!g->in || !g->out)
		bench_die("no streams to gdb");
	setvbuf(g->in, NULL, _IOLBF, 0);
}

/* Read what it prints up to a line that has @text. */
static void gdb_expect(struct gdb *g, const char *text)
{
	char line[512];

	while (fgets(line, sizeof(line), g->out))
		if (strstr(line, text))
			return;
	bench_die("gdb ended without '%s'", text);
}

static void gdb_close(struct gdb *g)
{
	fputs("quit\n", g->in);
	fclose(g->in);
	fclose(g->out);
	waitpid(g->pid, NULL, 0);
}

/* What the user types; the server has no client now. */
static void cond_by_gdb(struct bench *b, struct client *c, enum metric what, unsigned full)
{
	unsigned n = count(b, full);
	struct gdb g;
	double begin;

	gdb_open(&g);
	fprintf(g.in,
		"set confirm off\nset pagination off\nset breakpoint condition-evaluation host\n"
		"set architecture i386:x86-64\ntarget remote %s\n"
		"set $target = *(unsigned long long *) %d + %u\n"
		"break *%d if *(unsigned long long *) %d >= $target\necho ready\\n\n",
		c->path, BENCH_COUNTER, n, BENCH_BUMP, BENCH_COUNTER);
	gdb_expect(&g, "ready");
	begin = bench_now();
	fputs("continue\n", g.in);
	gdb_expect(&g, "Breakpoint 1,");
	note(b, what, n / (bench_now() - begin));
	fputs("delete\ndetach\necho gone\\n\n", g.in);
	gdb_expect(&g, "gone");
	gdb_close(&g);
}

static void conditions(struct bench *b)
{
	if (b->ours.conditions)
		cond_by_server(b, &b->ours, OURS_COND, 2000);
	cond_by_client(b, &b->ours, OURS_CLIENT_COND, 100);
	if (!b->plan->alone)
		cond_by_client(b, &b->qemu, QEMU_COND, 50);
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
	unsigned n = count(b, 20);

	client_jump(o, BENCH_WORK, 0);
	for (unsigned turn = 0; turn < (b->plan->quick ? 1 : TURNS); turn++) {
		client_send(o, "vCont;c");
		note(b, OURS_WORK_ATTACHED, n / work(o, n));
		client_interrupt(o);
		client_detach(o);
		note(b, OURS_WORK_ALONE, n / work(o, n));
		client_connect(o);
	}
}

static void interrupts(struct bench *b)
{
	client_jump(&b->ours, BENCH_STEPS_END, 0);
	for (unsigned i = 0; i < count(b, 20); i++) {
		double begin;

		client_send(&b->ours, "vCont;c");
		usleep(20000); // as in bare_kick()
		begin = bench_now();
		client_interrupt(&b->ours);
		note(b, OURS_INTERRUPT, bench_now() - begin);
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

/* CPU time of the threads of @pid with that name (NULL: of all), in seconds, as the scheduler counts it. */
static double cpu_time(pid_t pid, const char *thread)
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

/* A new pc alone does not wake it from hlt. */
static void leave_halt(struct client *c)
{
	client_jump(c, BENCH_STEPS_END, 0);
	client_resume(c, "vCont;s:1", SIGNAL_TRAP);
}

static void idle_for(struct bench *b, enum metric what)
{
	double before;

	usleep(200000); // what the last packet set off is over
	before = cpu_time(b->ours.pid, NULL);
	usleep(b->plan->quick ? 100000 : 2000000);
	note(b, what, cpu_time(b->ours.pid, NULL) - before);
}

static void idle(struct bench *b)
{
	idle_for(b, IDLE_STOPPED);
	client_jump(&b->ours, BENCH_HALT, 0);
	client_send(&b->ours, "vCont;c");
	idle_for(b, IDLE_HALTED);
	client_interrupt(&b->ours);
	leave_halt(&b->ours);
}

/* ---- checkpoints ---- */

#ifdef BENCH_CODES // the guest of x86 has them

static void codes(struct bench *b, struct client *c, enum metric what, enum metric by_wall)
{
	unsigned n = count(b, 5000);
	double begin, cpu;
	char byte;

	client_jump(c, BENCH_CODES, n);
	cpu = cpu_time(c->pid, "vcpu0");
	begin = bench_now();
	client_send(c, "vCont;c");
	if (recv(c->console, &byte, 1, 0) != 1)
		bench_die("%s: the guest's serial port is closed", c->path);
	note(b, by_wall, n / (bench_now() - begin));
	note(b, what, n / (cpu_time(c->pid, "vcpu0") - cpu));
	client_interrupt(c);
	leave_halt(c);
}

/* Seconds from the start of gdbvm until it has written @text to @fd. */
static double start_to(const struct bench *b, int fd, const char *text, const char *checkpoints)
{
	const struct plan *p = b->plan;
	char line[256];
	double begin;
	int io[2];
	pid_t pid;

	if (pipe(io) < 0)
		bench_die("no pipe");
	begin = bench_now();
	pid = fork();
	if (pid == 0) {
		dup2(open("/dev/null", O_RDWR), fd == STDOUT_FILENO ? STDERR_FILENO : STDOUT_FILENO);
		dup2(io[1], fd);
		execl(p->gdbvm, p->gdbvm, "run", "--accel", "kvm", "--firmware", p->rom, "-m", "128", checkpoints,
		      NULL);
		_exit(127);
	}
	close(io[1]);
	FILE *f = fdopen(io[0], "r");
	if (!f)
		bench_die("no stream");
	do
		if (!fgets(line, (int)strlen(text) + 1, f))
			bench_die("gdbvm ended without '%s'", text);
	while (strcmp(line, text) != 0);
	begin = bench_now() - begin;
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	fclose(f);
	return begin;
}

static void trace(struct bench *b, unsigned n)
{
	struct traced t;

	if (!traced_start(&t, b->plan->gdbvm))
		return;
	note(b, BARE_TRACED, n / bare_codes(b->bare, n));
	traced_stop(&t);
}

static void checkpoints(struct bench *b)
{
	unsigned n = count(b, 5000);

	for (unsigned turn = 0; turn < TURNS; turn++) {
		note(b, BARE_CODE, n / bare_codes(b->bare, n));
		codes(b, &b->exact, OURS_EXACT, OURS_EXACT_WALL);
		note(b, BARE_COALESCED, n / bare_coalesced(b->bare, n));
		codes(b, &b->coalesced, OURS_COALESCED, OURS_COALESCED_WALL);
		trace(b, n);
		note(b, START_SERIAL, start_to(b, STDOUT_FILENO, "R", NULL));
		note(b, START_CHECKPOINT, start_to(b, STDERR_FILENO, "port80: ", "--checkpoints=/dev/null"));
	}
}

static void start_recorded(struct bench *b, struct client *c, char *mode)
{
	char path[64], listen[80];

	snprintf(path, sizeof(path), "/tmp/gdbvm-bench.%d.%s", (int)getpid(), mode);
	snprintf(listen, sizeof(listen), "unix:%s", path);
	// clang-format off
	char *const argv[] = {
		"sh", "-c", "exec \"$@\" 2>/dev/null", "sh", b->plan->gdbvm, "run", "--accel", "kvm", "--firmware", b->plan->rom,
		"-m", "128", "--gdb", listen, "--checkpoints", "/dev/null", "--checkpoint-mode", mode, NULL
	};
	// clang-format on
	client_start(c, path, argv);
	client_connect(c);
}

#endif

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
#ifdef BENCH_CODES
	else
		checkpoints(b);
#endif
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
#ifdef BENCH_CODES
	stage("checkpoints");
	checkpoints(b);
#endif
	stage("conditions");
	conditions(b);
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
	client_jump(&b->ours, BENCH_STEPS_END, 0);
	client_detach(&b->ours);
	client_detach(&b->qemu);
	stage("conditions in GDB");
	cond_by_gdb(b, &b->ours, OURS_GDB, 40);
	stage("conditions in GDB on QEMU");
	cond_by_gdb(b, &b->qemu, QEMU_GDB, 20);
	client_connect(&b->ours);
	client_connect(&b->qemu);
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
#ifdef BENCH_CODES
	start_recorded(b, &b->exact, "exact");
	start_recorded(b, &b->coalesced, "coalesced");
#endif
}

static void stop_peers(struct bench *b)
{
	client_stop(&b->qemu);
#ifdef BENCH_CODES
	client_stop(&b->exact);
	client_stop(&b->coalesced);
#endif
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
