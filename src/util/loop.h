/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef UTIL_LOOP_H
#define UTIL_LOOP_H

#include <stdbool.h>

/*
 * The event loop of the server thread: file descriptors and what to call when one is ready. It sleeps in
 * poll(2) without a time limit, so an idle server uses no CPU. Everything here is for one thread.
 */
struct loop;

/* @revents: poll(2) bits. May add and remove watches, its own included. */
typedef void loop_fn(void *arg, int fd, short revents);

int loop_create(struct loop **ret); /* 0; -ENOMEM */
void loop_destroy(struct loop *l);  /* NULL ok; descriptors stay open */

/**
 * loop_watch() - call @fn(@arg) when @events (POLLIN, POLLOUT) or an error shows on @fd.
 * A second call for the same @fd replaces events, fn and arg.
 * Returns: 0; -ENOMEM.
 */
int loop_watch(struct loop *l, int fd, short events, loop_fn *fn, void *arg);
void loop_unwatch(struct loop *l, int fd); /* unknown fd ok */

/**
 * loop_run() - serve events until loop_quit().
 * Returns: 0; negative errno if poll(2) fails for good.
 */
int loop_run(struct loop *l);
void loop_quit(struct loop *l); /* after the current callback */

/** loop_once() - wait up to @timeout_ms (-1: for ever) and serve what is ready. Returns: callbacks made. */
int loop_once(struct loop *l, int timeout_ms);

#endif
