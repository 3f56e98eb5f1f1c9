/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef UTIL_STRBUF_H
#define UTIL_STRBUF_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "util/macros.h"

/*
 * A growing byte string. Always NUL-terminated once something was added (the NUL is not counted).
 * Out of memory is sticky in `oom`: later adds do nothing, the caller checks once at the end.
 * `struct strbuf b = {0};` is a valid empty buffer.
 */
struct strbuf {
	char *s;
	size_t len, cap;
	bool oom;
};

void strbuf_deinit(struct strbuf *b); /* also a _cleanup_() function */
void strbuf_reset(struct strbuf *b);  /* length 0, memory kept, oom cleared */
void strbuf_add(struct strbuf *b, const void *p, size_t n);
void strbuf_addc(struct strbuf *b, char ch);
void strbuf_adds(struct strbuf *b, const char *s);
void strbuf_addf(struct strbuf *b, const char *fmt, ...) _printf_(2, 3);
void strbuf_addfv(struct strbuf *b, const char *fmt, va_list ap) _printf_(2, 0);

/** strbuf_room() - room for @n bytes behind the text, for the caller to fill. Returns: where; NULL, and oom. */
char *strbuf_room(struct strbuf *b, size_t n);

/** strbuf_room_take() - the first @n bytes of what strbuf_room() gave are part of the text now. */
void strbuf_room_take(struct strbuf *b, size_t n);

/**
 * strbuf_addhex() - two lower-case hex digits for each of @n bytes. @p may be the last @n bytes of the room for them.
 * Returns: the sum of what was added, as bytes.
 */
unsigned strbuf_addhex(struct strbuf *b, const void *p, size_t n);

/** hex_write() - the same digits at @to. */
unsigned hex_write(char *to, const void *p, size_t n);

/** strbuf_str() - the text, "" when empty. Valid until the next add. */
const char *strbuf_str(const struct strbuf *b);

#endif
