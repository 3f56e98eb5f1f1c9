/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef BACKEND_RSP_CONN_H
#define BACKEND_RSP_CONN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "rsp/rx.h"
#include "util/strbuf.h"

/*
 * The client's end of a connection to a debug server: packets out, packets in, acknowledgments. Knows nothing of what
 * they mean. One thread at a time.
 */
struct rsp_conn {
	int fd;
	int stop_fd; /* readable: wait no longer; -1: none */
	bool noack;
	bool dead;          /* hung up, or out of step for good */
	struct strbuf wire; /* the last packet sent, for a NAK */
	struct rsp_rx rx;
	size_t in_at, in_len; /* in[in_at..in_len): read but not yet fed */
	uint8_t in[8192];
};

enum { RSP_CONN_REPLY_MS = 10000 }; /* a server that takes longer is taken for dead */

/** rsp_conn_init() - @fd: a connected stream; taken over, made non-blocking. */
void rsp_conn_init(struct rsp_conn *c, int fd);
void rsp_conn_deinit(struct rsp_conn *c);

/** rsp_conn_send() - frame @body and write all of it. Returns: 0; -ENOMEM; -EPIPE, -ETIMEDOUT, -ECANCELED (by
 *  stop_fd): dead now. */
int rsp_conn_send(struct rsp_conn *c, const void *body, size_t n);

/** rsp_conn_break() - one 0x03. Returns: 0; -EPIPE. */
int rsp_conn_break(struct rsp_conn *c);

/**
 * rsp_conn_recv() - the next packet, acknowledged.
 * @timeout_ms: 0 takes only what is there already.  @body, @n: valid until the next call.
 * Returns: 0; -EAGAIN: none there (timeout 0), -ETIMEDOUT; -ECANCELED: by stop_fd; -EPIPE: hung up; -EPROTO: not RSP.
 */
int rsp_conn_recv(struct rsp_conn *c, int timeout_ms, const uint8_t **body, size_t *n);

/** rsp_conn_ask() - send text, wait for its reply. Returns: as both. */
int rsp_conn_ask(struct rsp_conn *c, const char *req, const uint8_t **body, size_t *n);

/** rsp_reply_is() - is the reply exactly @text? */
bool rsp_reply_is(const uint8_t *body, size_t n, const char *text);

/** rsp_reply_check() - a reply that should be OK as an errno: 0; -ENOTSUP when empty; -EIO for Exx and anything else.
 */
int rsp_reply_check(const uint8_t *body, size_t n);

#endif
