/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A breakpoint whose condition is false n times, and then true: evaluated by the server, by a client, by GDB. */
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "parts.h"

static void cond_by_server(struct bench *b, struct client *c, enum metric what, unsigned full)
{
	/* Agent expression: counter (const32, ref64) < target (const64) (less_unsigned), log_not. */
	unsigned n = bench_count(b, full);
	uint64_t target;
	double begin;

	client_jump(c, BENCH_STEPS_END, 0);
	target = client_counter(c) + n;
	client_ask_ok(c, "Z0,%x,%x;X12,24%08x1a25%016llx150e27", BENCH_BUMP, BENCH_BP_KIND, BENCH_COUNTER,
		      (unsigned long long)target);
	begin = bench_now();
	client_resume(c, "vCont;c", BENCH_SIGTRAP);
	bench_note(b, what, n / (bench_now() - begin));
	if (client_counter(c) != target)
		bench_die("%s: %lld hits were lost", c->path, (long long)(client_counter(c) - target));
	client_ask_ok(c, "z0,%x,%x", BENCH_BUMP, BENCH_BP_KIND);
}

/* The least that a client can say about a hit: look at the counter, and pass the breakpoint as GDB does. */
static void cond_by_client(struct bench *b, struct client *c, enum metric what, unsigned full)
{
	unsigned n = bench_count(b, full);
	uint64_t target;
	double begin;

	client_jump(c, BENCH_STEPS_END, 0);
	target = client_counter(c) + n;
	client_ask_ok(c, "Z0,%x,%x", BENCH_BUMP, BENCH_BP_KIND);
	begin = bench_now();
	for (;;) {
		client_resume(c, "vCont;c", BENCH_SIGTRAP);
		if (client_counter(c) >= target)
			break;
		client_ask_ok(c, "z0,%x,%x", BENCH_BUMP, BENCH_BP_KIND);
		client_resume(c, "vCont;s:1", BENCH_SIGTRAP);
		client_ask_ok(c, "Z0,%x,%x", BENCH_BUMP, BENCH_BP_KIND);
	}
	bench_note(b, what, n / (bench_now() - begin));
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
	unsigned n = bench_count(b, full);
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
	bench_note(b, what, n / (bench_now() - begin));
	fputs("delete\ndetach\necho gone\\n\n", g.in);
	gdb_expect(&g, "gone");
	gdb_close(&g);
}

void bench_conditions(struct bench *b)
{
	if (b->ours.conditions)
		cond_by_server(b, &b->ours, OURS_COND, 2000);
	cond_by_client(b, &b->ours, OURS_CLIENT_COND, 100);
	if (!b->plan->alone)
		cond_by_client(b, &b->qemu, QEMU_COND, 50);
}

void bench_conditions_gdb(struct bench *b)
{
	client_jump(&b->ours, BENCH_STEPS_END, 0);
	client_detach(&b->ours);
	client_detach(&b->qemu);
	cond_by_gdb(b, &b->ours, OURS_GDB, 40);
	cond_by_gdb(b, &b->qemu, QEMU_GDB, 20);
	client_connect(&b->ours);
	client_connect(&b->qemu);
}
