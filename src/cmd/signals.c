/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "cmd.h"

static const int numbers[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT };

/* In pieces that a pipe takes without blocking. What nobody takes after a signal is dropped. */
static ssize_t put_message(void *arg, const char *p, size_t n)
{
	const int signal_fd = (int)(intptr_t)arg;
	size_t done = 0;

	while (done < n) {
		struct pollfd on[] = { { .fd = STDERR_FILENO, .events = POLLOUT },
				       { .fd = signal_fd, .events = POLLIN } };

		if (poll(on, ARRAY_LEN(on), -1) < 0 && errno == EINTR)
			continue;
		if (!on[0].revents)
			break;
		const ssize_t k = write(STDERR_FILENO, p + done, MIN(n - done, (size_t)PIPE_BUF));
		if (k < 0 && errno != EINTR && errno != EAGAIN)
			break;
		done += (size_t)MAX(k, 0);
	}
	return (ssize_t)n;
}

/* A blocked signal does not get anyone out of a write(2): what is said goes through who looks at both. */
static int guard_messages(int signal_fd)
{
	FILE *f = fopencookie((void *)(intptr_t)signal_fd, "w", (cookie_io_functions_t){ .write = put_message });

	if (!f)
		return -ENOMEM;
	setvbuf(f, NULL, _IONBF, 0);
	stderr = f;
	return 0;
}

static sigset_t number_set(void)
{
	sigset_t set;

	sigemptyset(&set);
	for (unsigned i = 0; i < ARRAY_LEN(numbers); i++)
		sigaddset(&set, numbers[i]);
	return set;
}

int signals_open(int *fd)
{
	const sigset_t set = number_set();
	const int ret = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);

	if (ret < 0)
		return -errno;
	*fd = ret;
	return guard_messages(ret);
}

void signals_block(void)
{
	const sigset_t set = number_set();

	sigprocmask(SIG_BLOCK, &set, NULL);
}

int signals_pending(void)
{
	sigset_t set;

	sigpending(&set);
	for (unsigned i = 0; i < ARRAY_LEN(numbers); i++)
		if (sigismember(&set, numbers[i]) == 1)
			return numbers[i];
	return 0;
}
