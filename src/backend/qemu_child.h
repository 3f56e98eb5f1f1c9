/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef BACKEND_QEMU_CHILD_H
#define BACKEND_QEMU_CHILD_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "util/errtext.h"

/*
 * A child process in a session of its own (a Ctrl-C at our terminal is not for it) that dies when the thread which
 * started it does, and whose stdout and stderr go to memory. It leaves no file and no zombie.
 */
struct child {
	pid_t pid; /* 0: none */
	int pidfd;
	int output_fd; /* memfd: what it printed */
	bool reaped;
	int status; /* wait status, when reaped */
};

/**
 * child_start() - run @argv[0] (looked for in PATH).
 * @fds: descriptors it inherits, under the same numbers.
 * Returns: 0; the errno of exec, negative: -ENOENT, -EACCES; -EAGAIN, -ENOMEM.
 */
int child_start(struct child *c, char *const argv[], const int *fds, unsigned nfds);

/** child_wait() - has it ended, within @timeout_ms? Then it is reaped. */
bool child_wait(struct child *c, int timeout_ms);

/** child_kill() - SIGKILL. */
void child_kill(struct child *c);

/** child_end() - kill, reap, close. A zeroed struct is fine. */
void child_end(struct child *c);

/** child_last_words() - "ended with status 1: <last line printed>"; needs reaped. Returns an exit status, 1..255. */
int child_last_words(const struct child *c, char *buf, size_t size);

#endif
