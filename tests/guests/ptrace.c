/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A program for the guest's user space: a debugger of the guest's own. It steps a child, has the child run into a
 * breakpoint instruction and watches a variable of it with a debug register, and says what came of each; once a second.
 */
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/ptrace.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ptrace_arch.h"

enum { STEPS = 1000, WRITES = 5 };

static volatile int watched;

static void child(void)
{
	ptrace(PTRACE_TRACEME, 0, NULL, NULL);
	raise(SIGSTOP);
	for (unsigned i = 0; i < STEPS / 4; i++) // stepped through, as far as the steps go
		if (i % 64 == 0)
			getppid();
	raise(SIGSTOP);
	__asm__ volatile(BREAK_INSN);
	for (int i = 1; i <= WRITES; i++)
		watched = i;
	_exit(0);
}

/* The signal that the child stopped with, 0 if it did not stop; @code: why it was sent. */
static int wait_stop(pid_t pid, int *code)
{
	siginfo_t info = { 0 };
	int status;

	if (waitpid(pid, &status, 0) != pid || !WIFSTOPPED(status))
		return 0;
	ptrace(PTRACE_GETSIGINFO, pid, NULL, &info);
	*code = info.si_code;
	return WSTOPSIG(status);
}

/* Sets @left when the child got to its second SIGSTOP, as it does where a step is none. */
static unsigned step(pid_t pid, int *left)
{
	unsigned done = 0;
	int code, signal;

	for (unsigned i = 0; i < STEPS; i++) {
		if (ptrace(PTRACE_SINGLESTEP, pid, NULL, NULL) < 0)
			break;
		signal = wait_stop(pid, &code);
		*left = signal == SIGSTOP;
		if (signal != SIGTRAP)
			break;
		done++;
	}
	return done;
}

/* On to the second SIGSTOP, and from there to the breakpoint instruction. */
static int meet_break(pid_t pid, int left)
{
	int code = 0;

	if (!left) {
		ptrace(PTRACE_CONT, pid, NULL, NULL);
		if (wait_stop(pid, &code) != SIGSTOP)
			return 0;
	}
	ptrace(PTRACE_CONT, pid, NULL, NULL);
	return wait_stop(pid, &code) == SIGTRAP && code == BREAK_CODE && break_passed(pid) == 0;
}

static unsigned watch(pid_t pid)
{
	unsigned hits = 0;
	int code;

	watch_int(pid, &watched);
	do
		ptrace(PTRACE_CONT, pid, NULL, NULL);
	while (wait_stop(pid, &code) == SIGTRAP && code == TRAP_HWBKPT && watch_passed(pid) == 0 && ++hits);
	return hits;
}

static int debug_child(void)
{
	pid_t pid = fork();
	int code, left = 0;

	if (pid == 0)
		child();
	if (wait_stop(pid, &code) != SIGSTOP)
		return 1;
	unsigned steps = step(pid, &left);
	int met = meet_break(pid, left);
	unsigned hits = watch(pid);

	printf("ptrace: %u of %d steps, " BREAK_NAME " %s, %u of %d writes\n", steps, STEPS, met ? "seen" : "lost",
	       hits, WRITES);
	return fflush(stdout);
}

int main(void)
{
	while (debug_child() == 0)
		sleep(1);
	return 1;
}
