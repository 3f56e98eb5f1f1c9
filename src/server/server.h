/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SERVER_SERVER_H
#define SERVER_SERVER_H

#include <stdbool.h>

#include "engine/engine.h"
#include "server/session.h"
#include "util/errtext.h"
#include "util/loop.h"

/*
 * The debug server: a listening socket (or stdin/stdout), one client session at a time, the packet table. It ties
 * the wire (rsp) to the engine. Everything runs on the loop's thread.
 */
struct server;

struct server_cfg {
	/* PORT, HOST:PORT (loopback only), unix:PATH (mode 0600), or - for stdin/stdout (SIGPIPE must be ignored) */
	const char *addr;
	struct engine *engine; /* must outlive the server */
	struct loop *loop;     /* likewise */
	/* Called once when the guest is gone (W or X was sent if there was a client), was killed by the client, or
	 * - with addr "-" - when the client closed its end (@why NULL). May close the server. */
	void (*on_end)(void *arg, const struct stop_event *why, bool killed);
	/* The guest has crashed or panicked and no client is there, or the one that saw it was lost: the guest is kept,
	 * stopped, for the next one. */
	void (*on_kept)(void *arg, const struct stop_event *why);
	/* A stop that somebody else asked for, as on our console, and no client is there to see: to let the guest go
	 * on. */
	void (*on_unseen)(void *arg, const struct stop_event *why);
	/* Makes the guest anew for R and vRun (see session_restart_fn); NULL: not possible. */
	session_restart_fn *on_restart;
	/* What breakpoints' commands printed while no client was there to take it. */
	void (*on_text)(void *arg, const char *text, size_t n);
	void *arg;
};

/**
 * server_open() - listen. The guest may be stopped (--gdb-wait) or running.
 * A client that connects to a running guest stops it; when it detaches, dies or sends junk, every breakpoint is
 * taken out and the guest runs on. A second client is told in one line of text that the server is busy, unless the
 * first has not sent a valid packet yet: then it takes its place.
 * Returns: 0; -EINVAL: addr is none of the forms, -EADDRINUSE, -EACCES, ...; @why is always filled on error.
 */
int server_open(const struct server_cfg *cfg, struct server **ret, struct errtext *why);

/** server_close() - hang up and remove the Unix socket. The guest is left as it is. NULL ok. */
void server_close(struct server *s);
void server_closep(struct server **s);

/** server_listening() - what to print: "127.0.0.1:1234", "unix:/path", "stdin/stdout". */
const char *server_listening(const struct server *s);

/** server_has_client() - has a client taken hold of the guest? One that has not spoken, or has let go, has not. */
bool server_has_client(const struct server *s);

/** server_tell_end() - gdbvm is about to end, by signal @sig or with status 0: a client that waits for a stop is told.
 */
void server_tell_end(struct server *s, int sig);

/** server_engine_set() - the guest was replaced, by on_restart or without a client's asking. */
void server_engine_set(struct server *s, struct engine *e);

/** server_guest_event() - to be called when engine_event_fd() is readable. Sends the stop reply, or without a
 *  client hands the event to cfg.on_end if the guest cannot go on. */
void server_guest_event(struct server *s);

/**
 * server_keeps() - the caller has stopped the guest and no client is there: has it crashed or panicked in that instant?
 * If so it is kept for a client, and cfg.on_kept was called; any other stop is the caller's.
 */
bool server_keeps(struct server *s, const struct stop_event *why);

#endif
