/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A program for the guest's user space: a debugger of the guest's own. It steps a child, has the child run into an int3
 * and watches a variable of it with a debug register, and says what came of each.
 */
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/ptrace.h>
#include <sys/types.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

enum { STEPS = 1000, WRITES = 5, DR7_L0_WRITE_4 = 1 | 0xd << 16 };

static volatile int watched;

static void child(void)
{
	ptrace(PTRACE_TRACEME, 0, NULL, NULL);
	raise(SIGSTOP);
	for (unsigned i = 0; i < STEPS / 4; i++) // stepped through, as far as the steps go
		if (i % 64 == 0)
			getppid();
	raise(SIGSTOP);
	__asm__ volatile("int3");
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

static unsigned step(pid_t pid)
{
	unsigned done = 0;
	int code;

	for (unsigned i = 0; i < STEPS; i++) {
		if (ptrace(PTRACE_SINGLESTEP, pid, NULL, NULL) < 0 || wait_stop(pid, &code) != SIGTRAP)
			break;
		done++;
	}
	return done;
}

/* On to the second SIGSTOP, and from there to the int3. */
static int meet_int3(pid_t pid)
{
	int code = 0;

	ptrace(PTRACE_CONT, pid, NULL, NULL);
	if (wait_stop(pid, &code) != SIGSTOP)
		return 0;
	ptrace(PTRACE_CONT, pid, NULL, NULL);
	return wait_stop(pid, &code) == SIGTRAP && code == SI_KERNEL;
}

static unsigned watch(pid_t pid)
{
	unsigned hits = 0;
	int code;

	ptrace(PTRACE_POKEUSER, pid, offsetof(struct user, u_debugreg[0]), &watched);
	ptrace(PTRACE_POKEUSER, pid, offsetof(struct user, u_debugreg[7]), DR7_L0_WRITE_4);
	do
		ptrace(PTRACE_CONT, pid, NULL, NULL);
	while (wait_stop(pid, &code) == SIGTRAP && code == TRAP_HWBKPT && ++hits);
	return hits;
}

int main(void)
{
	pid_t pid = fork();
	int code;

	if (pid == 0)
		child();
	if (wait_stop(pid, &code) != SIGSTOP)
		return 1;
	unsigned steps = step(pid);
	int int3 = meet_int3(pid);
	unsigned hits = watch(pid);

	printf("ptrace: %u of %d steps, int3 %s, %u of %d writes\n", steps, STEPS, int3 ? "seen" : "lost", hits,
	       WRITES);
	return 0;
}
