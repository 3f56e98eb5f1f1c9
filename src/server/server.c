/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "server/server.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <string.h>

#include "server/address.h"
#include "server/internal.h"
#include "server/session.h"
#include "util/macros.h"

#define LOG_ROOM LOG_SERVER
#include "util/log.h"

/* A client that does not read its replies is not read from either until they are below this. */
enum { OUTPUT_MAX = 4 << 20 };
/* Read at once; small, because a few bytes can ask for a whole packet, and OUTPUT_MAX is looked at between reads. */
enum { INPUT_CHUNK = 2048 };
/* Turned-away clients whose sockets stay open until they have read why and closed. */
enum { REFUSED_MAX = 8 };

struct server {
	struct server_cfg cfg;
	struct address addr;
	char name[160];
	struct stat made; /* the Unix socket's file */
	int listen_fd;    /* -1 with stdin/stdout */
	int text_fd;      /* of the engine whose text is watched */
	/* the client; session NULL: none */
	struct session *session;
	enum session_state state;
	int in, out; /* the same for a socket */
	bool out_is_socket;
	int out_flags; /* stdout's file flags, to be put back */
	int refused[REFUSED_MAX];
	unsigned nrefused;
	bool ended; /* on_end was called */
	/* the guest is held for the next client, who will be told what happened */
	bool kept;
	struct stop_event kept_why;
};

static bool is_stdio(const struct server *s)
{
	return s->addr.kind == ADDRESS_STDIO;
}

static void end(struct server *s, const struct stop_event *why, bool killed)
{
	if (s->ended)
		return;
	s->ended = true;
	s->cfg.on_end(s->cfg.arg, why, killed); // may close the server: nothing after this
}

/* Stops after which there is something to look into, whether or not somebody is connected at the time. */
static bool is_crash(enum stop_why why)
{
	return why == STOP_PANIC || why == STOP_TRIPLE_FAULT || why == STOP_INTERNAL_ERROR;
}

/* Stops that only a client asks for. Without one, what it set could not be taken out when it left. */
static bool is_left_over(enum stop_why why)
{
	return why == STOP_SWBREAK || why == STOP_HWBREAK || why == STOP_WATCH || why == STOP_STEP;
}

static void keep(struct server *s, const struct stop_event *why)
{
	s->kept = true;
	s->kept_why = *why;
	if (s->session)
		session_stopped_before(s->session, why);
	s->cfg.on_kept(s->cfg.arg, why);
}

/* ---- text of breakpoints' commands ---- */

static void client_update(struct server *s);

static bool client_is_full(const struct server *s)
{
	return s->session && session_output(s->session)->len >= OUTPUT_MAX;
}

static void text_hand_over(struct server *s)
{
	_cleanup_(strbuf_deinit) struct strbuf b = { 0 };

	engine_text_take(s->cfg.engine, &b);
	if (b.len && !b.oom)
		s->cfg.on_text(s->cfg.arg, b.s, b.len);
}

static void text_ready(void *arg, int fd, short revents)
{
	struct server *s = arg;

	if (s->session && session_guest_text(s->session))
		client_update(s);
	else
		text_hand_over(s);
}

/* A client that does not read what it gets leaves the text with the engine, which drops what is too much. */
static int text_watch(struct server *s)
{
	int fd = engine_text_fd(s->cfg.engine);

	if (fd != s->text_fd)
		loop_unwatch(s->cfg.loop, s->text_fd); // of a guest that was replaced
	s->text_fd = fd;
	return loop_watch(s->cfg.loop, fd, client_is_full(s) ? 0 : POLLIN, text_ready, s);
}

/* ---- the client ---- */

static void client_close(struct server *s)
{
	loop_unwatch(s->cfg.loop, s->in);
	loop_unwatch(s->cfg.loop, s->out);
	if (is_stdio(s))
		fcntl(s->out, F_SETFL, s->out_flags);
	else
		close(s->in);
	session_destroy(s->session);
	s->session = NULL;
}

/* The client is gone, by its own will or not: the guest runs on as if it had never been there. */
static void client_end(struct server *s)
{
	enum session_state state = s->state;
	struct stop_event why = *session_last_stop(s->session);
	bool attached = session_attached(s->session);
	bool over = session_guest_over(s->session);
	bool killed = session_killed(s->session);

	log_info("client closed state=%d", (int)state);
	client_close(s);
	text_watch(s);
	if (state != SESSION_EXITED && !killed && over && !s->ended) {
		const bool lost = attached && state != SESSION_DETACHED && is_crash(why.why);

		if (s->kept || lost)
			engine_clear(s->cfg.engine); // the next client finds nothing of this one
		if (s->kept)
			return; // it was only looked at
		if (lost) {
			keep(s, &why);
			return;
		}
	}
	if (state == SESSION_EXITED || killed || over) {
		end(s, &why, killed);
		return;
	}
	if (attached && !s->ended) {
		s->kept = false;
		engine_detach(s->cfg.engine);
	}
	if (is_stdio(s))
		end(s, NULL, false);
}

static ssize_t client_write(const struct server *s, const void *p, size_t n)
{
	return s->out_is_socket ? send(s->out, p, n, MSG_NOSIGNAL | MSG_DONTWAIT) : write(s->out, p, n);
}

/* Send what the client takes now. False: it is gone. */
static bool client_flush(struct server *s)
{
	const struct strbuf *b = session_output(s->session);

	while (b->len > 0) {
		ssize_t n = client_write(s, b->s, b->len);

		if (n > 0)
			session_sent(s->session, (size_t)n);
		else if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
			return true;
		else if (n == 0 || errno != EINTR)
			return false;
	}
	return true;
}

static void client_ready(void *arg, int fd, short revents);

static bool client_watch(struct server *s)
{
	size_t pending = session_output(s->session)->len;
	short in = s->state == SESSION_OPEN && !client_is_full(s) ? POLLIN : 0;
	short out = pending ? POLLOUT : 0;
	struct loop *l = s->cfg.loop;

	if (s->in == s->out)
		return loop_watch(l, s->in, in | out, client_ready, s) == 0;
	if (!out)
		loop_unwatch(l, s->out);
	return loop_watch(l, s->in, in, client_ready, s) == 0 &&
	       (!out || loop_watch(l, s->out, out, client_ready, s) == 0);
}

/* After anything that may have changed the session: send, and go on, wait or end. */
static void client_update(struct server *s)
{
	bool alive = client_flush(s);
	// let go by a client that may come back to it (extended mode), but it cannot run: nobody is left to see it
	bool left = !s->kept && !session_attached(s->session) && session_guest_over(s->session);
	bool done = s->state != SESSION_OPEN || left;

	if (!alive || (done && session_output(s->session)->len == 0) || !client_watch(s) || text_watch(s) < 0)
		client_end(s);
}

static void client_read(struct server *s)
{
	uint8_t buf[INPUT_CHUNK];
	ssize_t n = read(s->in, buf, sizeof(buf));

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		client_end(s);
		return;
	}
	s->state = session_input(s->session, buf, (size_t)n);
	s->kept = s->kept && !engine_running(s->cfg.engine);
	if (s->state == SESSION_OPEN && session_attached(s->session))
		s->state = session_guest_event(s->session); // a step may be done by now, which saves a turn of the loop
	client_update(s);
}

static void client_ready(void *arg, int fd, short revents)
{
	struct server *s = arg;

	if (revents & POLLIN)
		client_read(s);
	else if (revents & (POLLHUP | POLLERR | POLLNVAL))
		client_end(s);
	else
		client_update(s);
}

static int restart(void *arg, bool reset, struct engine **ret)
{
	struct server *s = arg;
	int rc = s->cfg.on_restart(s->cfg.arg, reset, ret);

	if (rc == 0)
		server_engine_set(s, *ret);
	return rc;
}

static int client_begin(struct server *s, int in, int out)
{
	struct stat st;
	int rc = session_create(s->cfg.engine, s->cfg.on_restart ? restart : NULL, s, &s->session);

	if (rc < 0)
		return rc;
	if (s->kept)
		session_stopped_before(s->session, &s->kept_why);
	s->in = in;
	s->out = out;
	s->state = SESSION_OPEN;
	s->out_is_socket = fstat(out, &st) == 0 && S_ISSOCK(st.st_mode);
	s->out_flags = fcntl(out, F_GETFL);
	if (!s->out_is_socket && fcntl(out, F_SETFL, s->out_flags | O_NONBLOCK) < 0)
		rc = -errno;
	if (rc == 0 && !client_watch(s))
		rc = -ENOMEM;
	if (rc < 0) {
		session_destroy(s->session);
		s->session = NULL;
	}
	return rc;
}

/* ---- clients that come while there is one ---- */

static void refused_forget(struct server *s, unsigned i)
{
	loop_unwatch(s->cfg.loop, s->refused[i]);
	close(s->refused[i]);
	memmove(&s->refused[i], &s->refused[i + 1], (--s->nrefused - i) * sizeof(s->refused[0]));
}

static void refused_ready(void *arg, int fd, short revents)
{
	struct server *s = arg;
	char sink[4096];
	ssize_t n = read(fd, sink, sizeof(sink));

	if (n > 0 || (n < 0 && (errno == EAGAIN || errno == EINTR)))
		return;
	for (unsigned i = 0; i < s->nrefused; i++)
		if (s->refused[i] == fd)
			refused_forget(s, i--);
}

/* Say why and hang up. A plain close() with its packet unread would reset the connection and lose the line. */
static void refuse(struct server *s, int fd)
{
	static const char line[] = "gdbvm: busy: another debugger is connected\n";

	log_info("second client refused");
	send(fd, line, sizeof(line) - 1, MSG_NOSIGNAL | MSG_DONTWAIT);
	shutdown(fd, SHUT_WR);
	if (s->nrefused == REFUSED_MAX)
		refused_forget(s, 0);
	if (loop_watch(s->cfg.loop, fd, POLLIN, refused_ready, s) < 0)
		close(fd);
	else
		s->refused[s->nrefused++] = fd;
}

/*
 * Is the client gone without our having read its end yet, or is it one that has not said a word? Then it is not in the
 * way of the next one. What it has said and we have not read may be its first packet.
 */
static void client_check(struct server *s)
{
	bool ends = session_guest_over(s->session) && !s->kept && !is_crash(session_last_stop(s->session)->why);
	ssize_t n;
	char byte;

	if (ends || session_killed(s->session))
		return; // ending it ends the server
	n = recv(s->in, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
	if (n == 0 || (n < 0 && ((errno != EAGAIN && errno != EINTR) || !session_spoke(s->session))))
		client_end(s);
}

static void accept_ready(void *arg, int listen_fd, short revents)
{
	struct server *s = arg;
	int fd = accept4(listen_fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	int on = 1;

	if (fd < 0)
		return; // it went away again
	if (s->session)
		client_check(s);
	if (s->session) {
		refuse(s, fd);
		return;
	}
	if (s->addr.kind == ADDRESS_TCP)
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)); // only slower without
	log_info("client connected");
	if (client_begin(s, fd, fd) < 0)
		close(fd);
}

/* ---- the server ---- */

static int start(struct server *s, struct errtext *why)
{
	int rc = text_watch(s);

	if (rc < 0)
		return errtext_set(why, rc, "cannot start the debug server: out of memory");
	if (is_stdio(s)) {
		address_print(&s->addr, -1, s->name, sizeof(s->name));
		rc = client_begin(s, STDIN_FILENO, STDOUT_FILENO);
		return rc < 0 ? errtext_set(why, rc, "cannot serve on stdin/stdout: %s", strerror(-rc)) : 0;
	}
	s->listen_fd = address_listen(&s->addr, why);
	if (s->listen_fd < 0)
		return s->listen_fd;
	address_stat(&s->addr, &s->made);
	address_print(&s->addr, s->listen_fd, s->name, sizeof(s->name));
	rc = loop_watch(s->cfg.loop, s->listen_fd, POLLIN, accept_ready, s);
	return rc < 0 ? errtext_set(why, rc, "cannot listen on %s: %s", s->name, strerror(-rc)) : 0;
}

int server_open(const struct server_cfg *cfg, struct server **ret, struct errtext *why)
{
	_cleanup_(server_closep) struct server *s = calloc(1, sizeof(*s));
	int rc;

	if (!s)
		return errtext_set(why, -ENOMEM, "cannot start the debug server: out of memory");
	s->cfg = *cfg;
	s->listen_fd = s->text_fd = -1;
	rc = address_parse(cfg->addr, &s->addr, why);
	if (rc == 0)
		rc = start(s, why);
	if (rc < 0)
		return rc;
	*ret = take_ptr(s);
	return 0;
}

void server_close(struct server *s)
{
	if (!s)
		return;
	s->ended = true; // whoever closes the server knows
	if (s->session)
		client_end(s);
	while (s->nrefused)
		refused_forget(s, 0);
	text_hand_over(s);
	loop_unwatch(s->cfg.loop, s->text_fd);
	if (s->listen_fd >= 0) {
		loop_unwatch(s->cfg.loop, s->listen_fd);
		close(s->listen_fd);
		address_unlink(&s->addr, &s->made);
	}
	free(s);
}

void server_closep(struct server **s)
{
	server_close(*s);
}

const char *server_listening(const struct server *s)
{
	return s->name;
}

bool server_has_client(const struct server *s)
{
	return s->session && session_attached(s->session);
}

void server_tell_end(struct server *s, int sig)
{
	if (!s->session)
		return;
	s->state = session_tell_end(s->session, sig);
	client_flush(s); // what it does not take now it never will
}

void server_engine_set(struct server *s, struct engine *e)
{
	s->cfg.engine = e;
	s->kept = false;
	if (s->session) // one that has not said a word, or has let the guest go, is still there
		session_engine_set(s->session, e);
	if (text_watch(s) < 0)
		log_warn("out of memory: the text of breakpoints is not shown");
}

bool server_keeps(struct server *s, const struct stop_event *why)
{
	if (!is_crash(why->why))
		return false;
	keep(s, why);
	return true;
}

void server_guest_event(struct server *s)
{
	struct stop_event ev;

	if (server_has_client(s)) {
		s->state = session_guest_event(s->session);
		client_update(s);
	} else if (engine_next_stop(s->cfg.engine, &ev) == 0) {
		if (is_crash(ev.why))
			keep(s, &ev);
		else if (stop_is_terminal(ev.why))
			end(s, &ev, false);
		else if (is_left_over(ev.why))
			engine_detach(s->cfg.engine); // tries once more
		else
			s->cfg.on_unseen(s->cfg.arg, &ev);
	}
}
