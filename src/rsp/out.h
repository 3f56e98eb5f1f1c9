/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef RSP_OUT_H
#define RSP_OUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "util/macros.h"
#include "util/strbuf.h"

/*
 * One reply under construction: its body before escaping and framing. Handlers fill it; only the session turns
 * it into wire bytes. `struct rsp_out o = {0};` is an empty reply ("unsupported").
 */
struct rsp_out {
	struct strbuf frame; /* "$" and the body; empty: an empty body */
	size_t plain;        /* bytes in front of the frame that need no escape, */
	unsigned sum;        /* and their sum without the "$" */
};

/** rsp_out_body(), rsp_out_len() - the body so far, ended by a NUL; valid until the next addition. */
const char *rsp_out_body(const struct rsp_out *o);
size_t rsp_out_len(const struct rsp_out *o);

void rsp_out_deinit(struct rsp_out *o);
void rsp_out_reset(struct rsp_out *o); /* no body; memory is kept */
void rsp_out_ok(struct rsp_out *o);    /* "OK" */
void rsp_out_fmt(struct rsp_out *o, const char *fmt, ...) _printf_(2, 3);
void rsp_out_hex(struct rsp_out *o, const void *p, size_t n);   /* two digits a byte */
void rsp_out_number(struct rsp_out *o, uint64_t v);             /* hex, no zeros in front */
void rsp_out_hexstr(struct rsp_out *o, const char *s);          /* text as hex */
void rsp_out_unavailable(struct rsp_out *o, size_t n);          /* "xx" n times */
void rsp_out_bytes(struct rsp_out *o, const void *p, size_t n); /* raw; framing escapes it */

static inline void rsp_out_str(struct rsp_out *o, const char *s)
{
	rsp_out_bytes(o, s, strlen(s));
}

/** rsp_out_reg() - "n:value;", a register of @size bytes in a stop reply. */
void rsp_out_reg(struct rsp_out *o, uint8_t num, const void *value, size_t size);

/**
 * rsp_out_hex_room() - where to put up to @n bytes that are to be added as hex; NULL: out of memory.
 * rsp_out_hex_take() - the first @got of them are there: add them. Nothing may be added in between.
 */
void *rsp_out_hex_room(struct rsp_out *o, size_t n);
void rsp_out_hex_take(struct rsp_out *o, size_t n, size_t got);

/** rsp_out_bytes_room(), _take() - likewise for raw bytes; as many are added as fit into @cap body bytes once escaped.
 */
void *rsp_out_bytes_room(struct rsp_out *o, size_t n);
void rsp_out_bytes_take(struct rsp_out *o, size_t got, size_t cap);

/**
 * rsp_out_error() - replace the body by the reply for a negative errno. The only code that knows what an error
 * looks like to GDB: -ENOTSUP is the empty reply, everything else Exx with a positive number below 256.
 * Source: GDB manual, "Standard Replies".
 */
void rsp_out_error(struct rsp_out *o, int err);

/* How the client wants to be told of an error. */
enum rsp_error_form {
	RSP_ERROR_CODE, /* Exx */
	RSP_ERROR_TEXT, /* E.text: GDB's error-message feature */
	RSP_ERROR_BOTH, /* Exx;text in hex: LLDB's QEnableErrorStrings */
};

/** rsp_out_error_form() - the same in the form that the client asked for. */
void rsp_out_error_form(struct rsp_out *o, int err, enum rsp_error_form form);

/**
 * rsp_out_frame() - append the reply to @wire as rsp_frame() does, without a copy where that is possible. Empties @o.
 * Returns: 0; -ENOMEM.
 */
int rsp_out_frame(struct rsp_out *o, struct strbuf *wire);

/**
 * rsp_frame() - append `$body#xx` to @wire, with } # $ * in the body escaped. No run-length encoding.
 * Returns: 0; -ENOMEM.
 */
int rsp_frame(const void *body, size_t n, struct strbuf *wire);

/** rsp_escape_fit() - how many of @n bytes fit into @cap body bytes once escaped. For X-like binary replies. */
size_t rsp_escape_fit(const void *p, size_t n, size_t cap);

#endif
