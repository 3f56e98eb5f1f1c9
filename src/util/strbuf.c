/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "util/strbuf.h"

#include <stdio.h>
#include <string.h>

#include "util/bytes.h"

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

static bool grow(struct strbuf *b, size_t n)
{
	size_t need = b->len + n + 1, cap = MAX(b->cap, (size_t)64);
	char *s;

	if (b->oom || need < n)
		goto oom;
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

/* Room for @n more bytes and the NUL. */
static inline bool reserve(struct strbuf *b, size_t n)
{
	return (n < b->cap - b->len && !b->oom) || grow(b, n);
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
	size_t room;
	int n;

	if (!reserve(b, 1))
		return;
	room = b->cap - b->len; // mostly enough
	va_copy(again, ap);
	n = vsnprintf(b->s + b->len, room, fmt, again);
	va_end(again);
	if (n >= 0 && (size_t)n >= room && reserve(b, (size_t)n))
		vsnprintf(b->s + b->len, (size_t)n + 1, fmt, ap);
	else if (n < 0 || (size_t)n >= room)
		n = 0;
	strbuf_room_take(b, (size_t)n);
}

void strbuf_addf(struct strbuf *b, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	strbuf_addfv(b, fmt, ap);
	va_end(ap);
}

char *strbuf_room(struct strbuf *b, size_t n)
{
	return reserve(b, n) ? b->s + b->len : NULL;
}

void strbuf_room_take(struct strbuf *b, size_t n)
{
	b->len += n;
	b->s[b->len] = '\0';
}

/* ---- hex ---- */

#define BYTES(ch) (0x0101010101010101ull * (ch))

/* The digits' values of four bytes, one in each byte, in the order in which they are written. */
static uint64_t digits_of_4(uint32_t v)
{
	uint64_t x = v;

	x = (x | x << 16) & 0x0000ffff0000ffffull;
	x = (x | x << 8) & 0x00ff00ff00ff00ffull;
	return (x >> 4 | x << 8) & BYTES(0xf);
}

/* '0' to '9', 'a' to 'f' for eight values at a time: adding 6 carries into the upper half from 10 on. */
static uint64_t hex_of(uint64_t digits)
{
	uint64_t letters = (digits + BYTES(6)) >> 4 & BYTES(1);

	return digits + BYTES('0') + letters * ('a' - '0' - 10);
}

/* Eight bytes to their sum, in lanes of 16 bits: pairs first. */
static uint64_t sum_lanes(uint64_t v)
{
	const uint64_t low = 0x00ff00ff00ff00ffull;

	return (v & low) + (v >> 8 & low);
}

unsigned hex_write(char *to, const void *p, size_t n)
{
	enum { LANES_MAX = 256 }; // additions to the lanes before one may overflow
	static const char digits[] = "0123456789abcdef";
	const uint8_t *at = p;
	unsigned sum = 0;
	size_t i = 0;

	while (i + 4 <= n) {
		uint64_t lanes = 0;

		for (size_t end = MIN(n - 3, i + 4 * LANES_MAX); i < end; i += 4) {
			uint64_t hex = hex_of(digits_of_4(ld_le32(at + i)));

			st_le64(to + 2 * i, hex);
			lanes += sum_lanes(hex);
		}
		sum += (lanes & 0xffff) + (lanes >> 16 & 0xffff) + (lanes >> 32 & 0xffff) + (lanes >> 48);
	}
	for (; i < n; i++) {
		const char hi = digits[at[i] >> 4], lo = digits[at[i] & 15];

		to[2 * i] = hi;
		to[2 * i + 1] = lo;
		sum += (unsigned)hi + (unsigned)lo;
	}
	return sum;
}

unsigned strbuf_addhex(struct strbuf *b, const void *p, size_t n)
{
	unsigned sum;

	if (n > SIZE_MAX / 4 || !reserve(b, 2 * n)) {
		b->oom = true;
		return 0;
	}
	sum = hex_write(b->s + b->len, p, n);
	strbuf_room_take(b, 2 * n);
	return sum;
}

const char *strbuf_str(const struct strbuf *b)
{
	return b->s ? b->s : "";
}
