/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Checkpoints: what a write to the debug port costs, and how soon the first is told. */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "parts.h"

/* Returns: the rate by the clock. */
static double codes(struct bench *b, struct client *c, uint64_t at, enum metric what)
{
	unsigned n = bench_count(b, 5000);
	double begin, cpu, rate;
	char byte;

	client_jump(c, at, n);
	cpu = bench_cpu_time(c->pid, "vcpu0");
	begin = bench_now();
	client_send(c, "vCont;c");
	if (recv(c->console, &byte, 1, 0) != 1)
		bench_die("%s: the guest's serial port is closed", c->path);
	rate = n / (bench_now() - begin);
	bench_note(b, what, n / (bench_cpu_time(c->pid, "vcpu0") - cpu));
	client_interrupt(c);
	bench_leave_halt(c);
	return rate;
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
	bench_note(b, BARE_TRACED, n / bare_codes(b->bare, BENCH_CODES, n));
	traced_stop(&t);
}

void bench_codes(struct bench *b)
{
	unsigned n = bench_count(b, 5000);

	for (unsigned turn = 0; turn < BENCH_TURNS; turn++) {
		bench_note(b, BARE_CODE, n / bare_codes(b->bare, BENCH_CODES, n));
		bench_note(b, OURS_EXACT_WALL, codes(b, &b->exact, BENCH_CODES, OURS_EXACT));
		bench_note(b, BARE_HIGH, n / bare_codes(b->bare, BENCH_HIGH + BENCH_CODES, n));
		codes(b, &b->exact, BENCH_HIGH + BENCH_CODES, OURS_HIGH);
		bench_note(b, BARE_COALESCED, n / bare_coalesced(b->bare, n));
		bench_note(b, OURS_COALESCED_WALL, codes(b, &b->coalesced, BENCH_CODES, OURS_COALESCED));
		trace(b, n);
		bench_note(b, START_SERIAL, start_to(b, STDOUT_FILENO, "R", NULL));
		bench_note(b, START_CHECKPOINT, start_to(b, STDERR_FILENO, "port80: ", "--checkpoints=/dev/null"));
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

void bench_codes_start(struct bench *b)
{
	start_recorded(b, &b->exact, "exact");
	start_recorded(b, &b->coalesced, "coalesced");
}

void bench_codes_stop(struct bench *b)
{
	client_stop(&b->exact);
	client_stop(&b->coalesced);
}
