/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef RSP_OUT_H
#define RSP_OUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "util/macros.h"
#include "util/strbuf.h"

/*
 * One reply under construction: its body before escaping and framing. Handlers fill it; only the session turns
 * it into wire bytes. `struct rsp_out o = {0};` is an empty reply ("unsupported").
 */
struct rsp_out {
	struct strbuf body;
};

void rsp_out_deinit(struct rsp_out *o);
void rsp_out_reset(struct rsp_out *o);
void rsp_out_ok(struct rsp_out *o); /* "OK" */
void rsp_out_str(struct rsp_out *o, const char *s);
void rsp_out_fmt(struct rsp_out *o, const char *fmt, ...) _printf_(2, 3);
void rsp_out_hex(struct rsp_out *o, const void *p, size_t n);   /* two digits a byte */
void rsp_out_hexstr(struct rsp_out *o, const char *s);          /* text as hex */
void rsp_out_unavailable(struct rsp_out *o, size_t n);          /* "xx" n times */
void rsp_out_bytes(struct rsp_out *o, const void *p, size_t n); /* raw; framing escapes it */

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
 * rsp_frame() - append `$body#xx` to @wire, with } # $ * in the body escaped. No run-length encoding.
 * Returns: 0; -ENOMEM.
 */
int rsp_frame(const void *body, size_t n, struct strbuf *wire);

/** rsp_escape_fit() - how many of @n bytes fit into @cap body bytes once escaped. For X-like binary replies. */
size_t rsp_escape_fit(const void *p, size_t n, size_t cap);

#endif
