/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef UTIL_CURSOR_H
#define UTIL_CURSOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * A strict cursor over bytes from the wire or a command line. Sticky: once `bad`, every take returns 0
 * and consumes nothing, so a parser reads all its fields and asks cur_done() once.
 */
struct cur {
	const uint8_t *p, *end;
	bool bad;
};

/** cur_init() - a cursor over @n bytes at @p, which must outlive it. */
struct cur cur_init(const void *p, size_t n);

/** cur_left() - bytes not yet taken. */
size_t cur_left(const struct cur *c);

/** cur_peek() - the next byte without taking it; -1 at the end or when bad. */
int cur_peek(const struct cur *c);

/** cur_lit() - take exactly the byte @ch; anything else makes the cursor bad. */
bool cur_lit(struct cur *c, char ch);

/** cur_try() - take @ch if it is next; otherwise leave everything as it is and return false. */
bool cur_try(struct cur *c, char ch);

/** cur_try_str() - like cur_try() for a whole string. */
bool cur_try_str(struct cur *c, const char *s);

/** cur_hex() - 1 to 16 hex digits, either case; no sign, space or 0x. No digit or 17 make it bad. */
uint64_t cur_hex(struct cur *c);

/** cur_dec() - 1 to 19 decimal digits, not above INT64_MAX. */
uint64_t cur_dec(struct cur *c);

/** cur_number() - a number as a person writes it: 0x and cur_hex(), or cur_dec(). */
uint64_t cur_number(struct cur *c);

/**
 * cur_hexbytes() - pairs of hex digits up to the first byte that is not a digit, at most @cap bytes.
 * Returns: bytes written to @out. An odd digit or more than @cap pairs make the cursor bad.
 */
size_t cur_hexbytes(struct cur *c, uint8_t *out, size_t cap);

/** cur_bytes() - take the next @n raw bytes; NULL and bad if fewer are left. */
const uint8_t *cur_bytes(struct cur *c, size_t n);

/** cur_rest() - take everything that is left; *@n is its length. */
const uint8_t *cur_rest(struct cur *c, size_t *n);

/** cur_done() - true when nothing was bad and nothing is left. */
bool cur_done(const struct cur *c);

/** hex_digit() - value of one hex digit, -1 if @ch is none. */
int hex_digit(int ch);

#endif
