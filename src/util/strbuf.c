/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "util/strbuf.h"

#include <stdio.h>
#include <string.h>

void strbuf_deinit(struct strbuf *b)
{
	free(b->s);
	*b = (struct strbuf){ 0 };
}

void strbuf_reset(struct strbuf *b)
{
	b->len = 0;
	b->oom = false;
	if (b->s)
		b->s[0] = '\0';
}

/* Room for @n more bytes and the NUL. */
static bool reserve(struct strbuf *b, size_t n)
{
	size_t need = b->len + n + 1, cap = MAX(b->cap, (size_t)64);
	char *s;

	if (b->oom || need < n)
		goto oom;
	if (need <= b->cap)
		return true;
	while (cap < need)
		cap = cap > SIZE_MAX / 2 ? need : cap * 2;
	s = realloc(b->s, cap);
	if (!s)
		goto oom;
	b->s = s;
	b->cap = cap;
	return true;
oom:
	b->oom = true;
	return false;
}

void strbuf_add(struct strbuf *b, const void *p, size_t n)
{
	if (!reserve(b, n))
		return;
	if (n)
		memcpy(b->s + b->len, p, n);
	b->len += n;
	b->s[b->len] = '\0';
}

void strbuf_addc(struct strbuf *b, char ch)
{
	strbuf_add(b, &ch, 1);
}

void strbuf_adds(struct strbuf *b, const char *s)
{
	strbuf_add(b, s, strlen(s));
}

void strbuf_addfv(struct strbuf *b, const char *fmt, va_list ap)
{
	va_list again;
	int n;

	va_copy(again, ap);
	n = vsnprintf(NULL, 0, fmt, again);
	va_end(again);
	if (n < 0 || !reserve(b, (size_t)n))
		return;
	vsnprintf(b->s + b->len, (size_t)n + 1, fmt, ap);
	b->len += (size_t)n;
}

void strbuf_addf(struct strbuf *b, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	strbuf_addfv(b, fmt, ap);
	va_end(ap);
}

/* The two digits of every byte. */
#define HEX_ROW(d) d "0" d "1" d "2" d "3" d "4" d "5" d "6" d "7" d "8" d "9" d "a" d "b" d "c" d "d" d "e" d "f"
static const char hex_pairs[] =
	HEX_ROW("0") HEX_ROW("1") HEX_ROW("2") HEX_ROW("3") HEX_ROW("4") HEX_ROW("5") HEX_ROW("6") HEX_ROW("7")
		HEX_ROW("8") HEX_ROW("9") HEX_ROW("a") HEX_ROW("b") HEX_ROW("c") HEX_ROW("d") HEX_ROW("e") HEX_ROW("f");

void strbuf_addhex(struct strbuf *b, const void *p, size_t n)
{
	const uint8_t *at = p;
	char *to;

	if (n > SIZE_MAX / 4 || !reserve(b, 2 * n)) {
		b->oom = true;
		return;
	}
	to = b->s + b->len; // a local, because for all the compiler knows a char that is written may be part of *b
	for (size_t i = 0; i < n; i++)
		memcpy(to + 2 * i, hex_pairs + 2 * at[i], 2);
	b->len += 2 * n;
	b->s[b->len] = '\0';
}

const char *strbuf_str(const struct strbuf *b)
{
	return b->s ? b->s : "";
}
