/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef CMD_CONSOLE_H
#define CMD_CONSOLE_H

#include <stddef.h>

#include "util/errtext.h"
#include "util/loop.h"
#include "util/strbuf.h"

/*
 * The person's end of the guest's serial port: this terminal (raw, with Ctrl-A as the escape), a file, a new
 * pseudo-terminal, or nothing.
 */
struct console;

struct console_events {
	size_t (*input)(void *arg, const void *p, size_t n); /* bytes typed, for the guest; returns how many it took */
	void (*command)(void *arg, const char *line, struct strbuf *answer); /* a line typed in the monitor */
	void (*quit)(void *arg);                                             /* Ctrl-A x */
};

/**
 * console_open() - @spec: NULL for the terminal, "none", "pty" (its name is printed), or a file to write to.
 * @stop_fd: while it is readable, console_write() waits for nobody. -1: none.
 * Returns: 0; negative errno with @why.
 */
int console_open(const char *spec, int stop_fd, struct console **ret, struct errtext *why);

/** console_close() - NULL ok; gives the terminal its former mode. */
void console_close(struct console *c);
void console_closep(struct console **c);

/** console_watch() - start to take input. Thread: the loop's. */
int console_watch(struct console *c, struct loop *l, const struct console_events *ev, void *arg);

/**
 * console_room() - the guest takes input again, after console_events.input did not take all. What it has not taken is
 * kept in order; when there is very much of it the terminal waits. The signature of vm_cfg.console_room. Any thread.
 */
void console_room(void *c);

/**
 * console_write() - bytes from the guest; the signature of vm_cfg.console_out, @c a struct console. Any thread.
 * Standard output is waited for, until a signal (a vCPU's thread is called back), stop_fd or console_hangup(): then,
 * and when nobody reads a pseudo-terminal, bytes are dropped.
 */
void console_write(void *c, const void *p, size_t n);

/** console_hangup() - from now on console_write() waits for nobody. NULL ok. Any thread. */
void console_hangup(struct console *c);

#endif
