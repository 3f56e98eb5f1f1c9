/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* gdbvm trace on ourselves, who are the bare VMM. */
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench.h"

enum { POLL_US = 10000, POLLS = 1000 };

static void tracer_main(const char *gdbvm, pid_t traced, int out)
{
	char pid[16];

	snprintf(pid, sizeof(pid), "%d", (int)traced);
	// where it is mounted already, once more does no harm, and nobody else sees it
	unshare(CLONE_NEWNS);
	mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL);
	mount("tracefs", "/sys/kernel/tracing", "tracefs", 0, NULL);
	dup2(out, STDERR_FILENO);
	execl(gdbvm, gdbvm, "trace", pid, "--checkpoints=/dev/null", NULL);
	_exit(127);
}

bool traced_start(struct traced *t, const char *gdbvm)
{
	const pid_t us = getpid();
	char text[512] = "";

	*t = (struct traced){ .out = memfd_create("tracer", MFD_CLOEXEC) };
	t->pid = fork();
	if (t->pid == 0)
		tracer_main(gdbvm, us, t->out);
	for (unsigned i = 0; i < POLLS; i++) {
		const bool over = waitpid(t->pid, NULL, WNOHANG) != 0;

		pread(t->out, text, sizeof(text) - 1, 0);
		if (strstr(text, "tracing process"))
			return true;
		if (over) {
			fprintf(stderr, "bench: not traced: %s", text);
			close(t->out);
			return false;
		}
		usleep(POLL_US);
	}
	bench_die("gdbvm trace did not begin: %s", text);
}

void traced_stop(struct traced *t)
{
	kill(t->pid, SIGINT);
	waitpid(t->pid, NULL, 0);
	close(t->out);
}
