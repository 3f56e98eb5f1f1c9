/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Signals that end gdbvm, and what it says although nobody reads it. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cmd/cmd.h"
#include "test.h"

static bool is_readable(int fd)
{
	return poll(&(struct pollfd){ .fd = fd, .events = POLLIN }, 1, 0) == 1;
}

/* In a process of its own, which takes over stderr and the signals. Returns: what it did wrong; 0: nothing. */
static int stopped_while_nobody_reads(void)
{
	char filler[4096] = { 0 };
	int fd[2], stop;

	if (pipe2(fd, O_NONBLOCK) < 0)
		return 1;
	while (write(fd[1], filler, sizeof(filler)) > 0)
		;
	fcntl(fd[1], F_SETFL, 0);
	if (dup2(fd[1], STDERR_FILENO) < 0 || signals_open(&stop) < 0)
		return 2;
	signals_block();
	if (signals_pending() || is_readable(stop))
		return 3;
	kill(getpid(), SIGTERM);
	fprintf(stderr, "gdbvm: %s\n", "nobody reads this");
	if (signals_pending() != SIGTERM || !is_readable(stop))
		return 4;
	if (read(fd[0], filler, sizeof(filler)) < 0) // somebody does
		return 5;
	fputs("said", stderr);
	while (read(fd[0], filler, 4) == 4)
		if (memcmp(filler, "said", 4) == 0)
			return 0;
		else if (!is_readable(fd[0]))
			return 6;
	return 7;
}

TEST(a_message_waits_for_no_reader_after_a_signal)
{
	const pid_t child = fork();
	int status;

	CHECK(child >= 0);
	if (child == 0)
		_exit(stopped_while_nobody_reads());
	CHECK_EQ(waitpid(child, &status, 0), child);
	CHECK(WIFEXITED(status));
	CHECK_EQ(WEXITSTATUS(status), 0);
}

TEST(a_signal_ends_us_as_usual_until_they_are_blocked)
{
	const pid_t child = fork();
	int status, fd;

	CHECK(child >= 0);
	if (child == 0) {
		signals_open(&fd);
		kill(getpid(), SIGTERM);
		_exit(0);
	}
	CHECK_EQ(waitpid(child, &status, 0), child);
	CHECK(WIFSIGNALED(status));
	CHECK_EQ(WTERMSIG(status), SIGTERM);
}

TESTS(T(a_message_waits_for_no_reader_after_a_signal), T(a_signal_ends_us_as_usual_until_they_are_blocked))
