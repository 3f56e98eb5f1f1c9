/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "util/cursor.h"

#include <string.h>

struct cur cur_init(const void *p, size_t n)
{
	const uint8_t *at = p;

	return (struct cur){ .p = at, .end = at + n };
}

size_t cur_left(const struct cur *c)
{
	return (size_t)(c->end - c->p);
}

int cur_peek(const struct cur *c)
{
	return c->bad || c->p == c->end ? -1 : *c->p;
}

bool cur_try(struct cur *c, char ch)
{
	if (cur_peek(c) != (uint8_t)ch)
		return false;
	c->p++;
	return true;
}

bool cur_try_str(struct cur *c, const char *s)
{
	size_t n = strlen(s);

	if (c->bad || cur_left(c) < n || memcmp(c->p, s, n) != 0)
		return false;
	c->p += n;
	return true;
}

bool cur_lit(struct cur *c, char ch)
{
	if (!cur_try(c, ch))
		c->bad = true;
	return !c->bad;
}

int hex_digit(int ch)
{
	if (ch >= '0' && ch <= '9')
		return ch - '0';
	if (ch >= 'a' && ch <= 'f')
		return ch - 'a' + 10;
	if (ch >= 'A' && ch <= 'F')
		return ch - 'A' + 10;
	return -1;
}

/* Marks the cursor bad and gives the value that every failed take gives. */
static uint64_t fail(struct cur *c)
{
	c->bad = true;
	return 0;
}

uint64_t cur_hex(struct cur *c)
{
	uint64_t v = 0;
	unsigned n = 0;

	for (int d; (d = hex_digit(cur_peek(c))) >= 0; n++) {
		if (n == 16)
			return fail(c);
		v = v << 4 | (unsigned)d;
		c->p++;
	}
	return n ? v : fail(c);
}

uint64_t cur_dec(struct cur *c)
{
	uint64_t v = 0;
	unsigned n = 0;

	for (int ch; (ch = cur_peek(c)) >= '0' && ch <= '9'; n++) {
		if (v > ((uint64_t)INT64_MAX - (unsigned)(ch - '0')) / 10)
			return fail(c);
		v = v * 10 + (unsigned)(ch - '0');
		c->p++;
	}
	return n ? v : fail(c);
}

uint64_t cur_number(struct cur *c)
{
	return cur_try_str(c, "0x") ? cur_hex(c) : cur_dec(c);
}

size_t cur_hexbytes(struct cur *c, uint8_t *out, size_t cap)
{
	size_t n = 0;

	for (int hi; (hi = hex_digit(cur_peek(c))) >= 0; n++) {
		int lo = cur_left(c) > 1 ? hex_digit(c->p[1]) : -1;

		if (lo < 0 || n == cap)
			return fail(c);
		out[n] = (uint8_t)(hi << 4 | lo);
		c->p += 2;
	}
	return c->bad ? 0 : n;
}

const uint8_t *cur_bytes(struct cur *c, size_t n)
{
	const uint8_t *at = c->p;

	if (c->bad || cur_left(c) < n) {
		c->bad = true;
		return NULL;
	}
	c->p += n;
	return at;
}

const uint8_t *cur_rest(struct cur *c, size_t *n)
{
	*n = c->bad ? 0 : cur_left(c);
	return cur_bytes(c, *n);
}

bool cur_done(const struct cur *c)
{
	return !c->bad && c->p == c->end;
}
