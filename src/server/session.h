/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SERVER_SESSION_H
#define SERVER_SESSION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "engine/engine.h"
#include "rsp/out.h"
#include "rsp/rx.h"
#include "util/strbuf.h"

/*
 * One client's session, without a socket: bytes in, bytes out. server.c moves the bytes, tests/replay feeds it
 * transcripts.
 */
enum session_state { SESSION_OPEN, SESSION_DETACHED, SESSION_KILLED, SESSION_JUNK, SESSION_EXITED };

/*
 * Put the guest back to before its first instruction: a new guest, stopped, with an engine of its own, in *@ret; the
 * former engine is gone then. On failure the former guest is as it was.
 * @reset: the machine is reset under the client, whose breakpoints and catches stay; else nothing is left of before.
 * Returns: 0; negative errno.
 */
typedef int session_restart_fn(void *arg, bool reset, struct engine **ret);

struct session;

/** session_create() - @restart: NULL if this guest cannot be restarted. Returns: 0; -ENOMEM. */
int session_create(struct engine *e, session_restart_fn *restart, void *arg, struct session **ret);
void session_destroy(struct session *s); /* NULL ok. Does not touch the guest: see engine_detach(). */

/**
 * session_input() - bytes from the client. Replies are appended to session_output(). If the session is still open, the
 * caller goes on with session_guest_event(): a step may be done by now, and nothing else tells of it.
 * Returns: the state afterwards; anything but SESSION_OPEN: flush the output and close.
 */
enum session_state session_input(struct session *s, const void *p, size_t n);

/** session_guest_event() - the engine's event fd is readable: digest it, append a stop reply if there is one. */
enum session_state session_guest_event(struct session *s);

/** session_tell_end() - the guest is about to be ended, by signal @sig or (0) by its owner: a client that waits for a
 * stop gets X or W. Signals as the host numbers them, which for those that end us is as GDB does. */
enum session_state session_tell_end(struct session *s, int sig);

/**
 * session_guest_text() - engine_text_fd() is readable: append the text to the output, as O packets.
 * Returns: false: the client takes no text now, as it does not wait for a stop. The text is still there.
 */
bool session_guest_text(struct session *s);

/** session_output() - wire bytes to send; the caller takes them off the front with session_sent(). */
const struct strbuf *session_output(const struct session *s);
void session_sent(struct session *s, size_t n);

/** session_engine_set() - a new guest, stopped, is in the place of the former one: forget what is known of that. */
void session_engine_set(struct session *s, struct engine *e);

/** session_stopped_before() - the guest stopped before this client came: what `?` says. */
void session_stopped_before(struct session *s, const struct stop_event *why);

/** session_spoke() - has a valid packet come? */
bool session_spoke(const struct session *s);

/**
 * session_attached() - has the client taken hold of the guest? False until its first valid packet, so that a stray
 * connection leaves a guest as it is, and after D in extended mode until vAttach.
 */
bool session_attached(const struct session *s);

/** session_guest_over() - has the guest stopped in a way that it cannot go on from? */
bool session_guest_over(const struct session *s);

/** session_killed() - did the client kill the guest and not start it anew? The guest then ends with the session. */
bool session_killed(const struct session *s);

/** session_last_stop() - the last stop, for exit codes. */
const struct stop_event *session_last_stop(const struct session *s);

#endif
