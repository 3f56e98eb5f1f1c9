/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "backend/qemu_child.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "util/macros.h"

/* In the child, before exec: async-signal-safe calls only, because we may have threads. */
static void child_main(char *const argv[], const int *fds, unsigned nfds, int output, int report, pid_t parent)
{
	sigset_t none;
	int null = open("/dev/null", O_RDONLY | O_CLOEXEC), err;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGPIPE, SIG_DFL);
	setsid();
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(127); // too late for the signal
	dup2(null, 0);
	dup2(output, 1);
	dup2(output, 2);
	for (unsigned i = 0; i < nfds; i++)
		fcntl(fds[i], F_SETFD, 0);
	execvp(argv[0], argv);
	err = errno;
	if (write(report, &err, sizeof(err)) < 0)
		_exit(126);
	_exit(127);
}

int child_start(struct child *c, char *const argv[], const int *fds, unsigned nfds)
{
	_cleanup_(closep) int report_rd = -1, report_wr = -1, output = memfd_create("output", MFD_CLOEXEC);
	pid_t parent = getpid(), pid;
	int report[2], err = 0;
	ssize_t k;

	if (output < 0 || pipe2(report, O_CLOEXEC) < 0)
		return -errno;
	report_rd = report[0];
	report_wr = report[1];
	pid = fork();
	if (pid < 0)
		return -errno;
	if (pid == 0)
		child_main(argv, fds, nfds, output, report_wr, parent);
	close(report_wr);
	report_wr = -1;
	do
		k = read(report_rd, &err, sizeof(err)); // ends at exec
	while (k < 0 && errno == EINTR);
	*c = (struct child){ .pid = pid, .pidfd = (int)syscall(SYS_pidfd_open, pid, 0), .output_fd = output };
	output = -1;
	if (k == sizeof(err)) {
		child_end(c);
		return -err;
	}
	return 0;
}

bool child_wait(struct child *c, int timeout_ms)
{
	struct pollfd p = { .fd = c->pidfd, .events = POLLIN };
	int status, n;

	if (c->reaped || !c->pid)
		return true;
	if (c->pidfd >= 0) {
		do
			n = poll(&p, 1, timeout_ms);
		while (n < 0 && errno == EINTR);
		if (n == 0)
			return false;
	}
	// Without a pidfd (before Linux 5.3) this waits as long as it takes; callers have killed it or seen it hang up.
	if (waitpid(c->pid, &status, 0) != c->pid)
		return false;
	c->reaped = true;
	c->status = status;
	return true;
}

void child_kill(struct child *c)
{
	if (c->pid && !c->reaped)
		kill(c->pid, SIGKILL);
}

void child_end(struct child *c)
{
	if (!c->pid)
		return;
	child_kill(c);
	child_wait(c, -1);
	closep(&c->pidfd);
	closep(&c->output_fd);
	*c = (struct child){ 0 };
}

/* The last line that is not empty, "" if there is none. */
static void last_line(int fd, char *buf, size_t size)
{
	char text[1024];
	off_t end = lseek(fd, 0, SEEK_END), from = end > (off_t)sizeof(text) - 1 ? end - (off_t)sizeof(text) + 1 : 0;
	ssize_t n = pread(fd, text, sizeof(text) - 1, from);
	char *line;

	buf[0] = '\0';
	while (n > 0 && (text[n - 1] == '\n' || text[n - 1] == '\r'))
		n--;
	if (n <= 0)
		return;
	text[n] = '\0';
	line = strrchr(text, '\n');
	snprintf(buf, size, "%.*s", (int)size - 1, line ? line + 1 : text);
}

int child_last_words(const struct child *c, char *buf, size_t size)
{
	char line[256];
	bool killed = WIFSIGNALED(c->status);
	int n = killed ? WTERMSIG(c->status) : WEXITSTATUS(c->status);

	last_line(c->output_fd, line, sizeof(line));
	if (killed)
		snprintf(buf, size, "was killed by signal %d (%s)%s%s", n, strsignal(n), line[0] ? ": " : "", line);
	else
		snprintf(buf, size, "ended with status %d%s%s", n, line[0] ? ": " : "", line);
	return killed ? 128 + n : MAX(n, 1);
}
