/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "backend/rsp_conn.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>

#include "rsp/out.h"
#include "util/macros.h"
#define LOG_ROOM LOG_BACKEND
#include "util/log.h"

enum { MAX_NAKS = 3 };

void rsp_conn_init(struct rsp_conn *c, int fd)
{
	memset(c, 0, sizeof(*c));
	c->fd = fd;
	c->stop_fd = -1;
	fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
}

void rsp_conn_deinit(struct rsp_conn *c)
{
	if (c->fd >= 0)
		close(c->fd);
	c->fd = -1;
	c->dead = true;
	strbuf_deinit(&c->wire);
}

static int give_up(struct rsp_conn *c, int err)
{
	c->dead = true;
	return err;
}

static int wait_for(struct rsp_conn *c, short events, int timeout_ms)
{
	struct pollfd p[] = { { .fd = c->fd, .events = events }, { .fd = c->stop_fd, .events = POLLIN } };
	int n;

	do
		n = poll(p, ARRAY_LEN(p), timeout_ms);
	while (n < 0 && errno == EINTR);
	if (n <= 0)
		return -ETIMEDOUT;
	return p[0].revents ? 0 : give_up(c, -ECANCELED);
}

static int write_all(struct rsp_conn *c, const void *p, size_t n)
{
	const uint8_t *at = p;

	if (c->dead)
		return -EPIPE;
	while (n) {
		ssize_t k = send(c->fd, at, n, MSG_NOSIGNAL);

		if (k > 0) {
			at += k;
			n -= (size_t)k;
		} else if (errno == EAGAIN) {
			const int rc = wait_for(c, POLLOUT, RSP_CONN_REPLY_MS);

			if (rc < 0)
				return give_up(c, rc);
		} else if (errno != EINTR) {
			return give_up(c, -EPIPE);
		}
	}
	return 0;
}

int rsp_conn_send(struct rsp_conn *c, const void *body, size_t n)
{
	int rc;

	strbuf_reset(&c->wire);
	rc = rsp_frame(body, n, &c->wire);
	return rc < 0 ? rc : write_all(c, c->wire.s, c->wire.len);
}

int rsp_conn_break(struct rsp_conn *c)
{
	return write_all(c, "\x03", 1);
}

/* Reads what the socket has now: -EAGAIN when that is nothing. */
static int fill(struct rsp_conn *c)
{
	ssize_t k;

	if (c->dead)
		return -EPIPE;
	do
		k = recv(c->fd, c->in, sizeof(c->in), 0);
	while (k < 0 && errno == EINTR);
	if (k < 0 && errno == EAGAIN)
		return -EAGAIN;
	if (k <= 0)
		return give_up(c, -EPIPE);
	c->in_at = 0;
	c->in_len = (size_t)k;
	return 0;
}

/* Feeds what was read: 1 when a packet is complete, 0 when more input is needed. */
static int digest(struct rsp_conn *c, unsigned *naks)
{
	while (c->in_at < c->in_len) {
		enum rsp_event ev;

		c->in_at += rsp_rx_feed(&c->rx, c->in + c->in_at, c->in_len - c->in_at, &ev);
		switch (ev) {
		case RSP_PACKET:
			return c->noack || write_all(c, "+", 1) == 0 ? 1 : -EPIPE;
		case RSP_BAD_SUM:
			if (c->noack || ++*naks > MAX_NAKS)
				return give_up(c, -EPROTO);
			if (write_all(c, "-", 1) < 0)
				return -EPIPE;
			break;
		case RSP_NAK:
			if (++*naks > MAX_NAKS)
				return give_up(c, -EPROTO);
			if (write_all(c, c->wire.s, c->wire.len) < 0)
				return -EPIPE;
			break;
		case RSP_TOO_LONG:
		case RSP_FOREIGN:
			return give_up(c, -EPROTO);
		default:
			break;
		}
	}
	return 0;
}

int rsp_conn_recv(struct rsp_conn *c, int timeout_ms, const uint8_t **body, size_t *n)
{
	unsigned naks = 0;

	for (;;) {
		int rc = digest(c, &naks);

		if (rc < 0)
			return rc;
		if (rc > 0)
			break;
		rc = fill(c);
		if (rc == -EAGAIN && timeout_ms > 0)
			rc = wait_for(c, POLLIN, timeout_ms);
		if (rc < 0)
			return rc;
	}
	*body = c->rx.buf;
	*n = c->rx.len;
	return 0;
}

int rsp_conn_ask(struct rsp_conn *c, const char *req, const uint8_t **body, size_t *n)
{
	int rc = rsp_conn_send(c, req, strlen(req));

	if (rc == 0)
		rc = rsp_conn_recv(c, RSP_CONN_REPLY_MS, body, n);
	if (rc == -ETIMEDOUT) {
		// A late reply would be taken for the answer to something else.
		log_warn("no reply from the debug server to \"%.40s\"", req);
		return give_up(c, rc);
	}
	return rc;
}

bool rsp_reply_is(const uint8_t *body, size_t n, const char *text)
{
	return n == strlen(text) && memcmp(body, text, n) == 0;
}

int rsp_reply_check(const uint8_t *body, size_t n)
{
	if (rsp_reply_is(body, n, "OK"))
		return 0;
	return n == 0 ? -ENOTSUP : -EIO;
}
