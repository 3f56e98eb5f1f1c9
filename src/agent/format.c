/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <string.h>

#include "agent/internal.h"
#include "util/macros.h"

/*
 * The formats of the printf operation: what GDB lets through, less floating point and wide characters. The text is as
 * the user typed it, escape sequences and all.
 */

enum { WIDTH_MAX = 255 }; /* of width and precision */

/* One conversion of a format; kind 0: the single byte `ch`, escapes undone. */
struct piece {
	char kind; /* d u o x X c s p */
	char ch;
	bool minus, plus, space, alt, zero;
	unsigned width;
	int precision; /* -1: none */
	unsigned bits; /* of an integer argument */
};

/* ---- reading a format ---- */

static bool take_escape(const char **p, struct piece *out)
{
	static const char names[] = "\\abefnrtv\"", bytes[] = "\\\a\b\033\f\n\r\t\v\"";
	const char *found = **p ? strchr(names, **p) : NULL;

	if (!found)
		return false;
	out->ch = bytes[found - names];
	++*p;
	return true;
}

static void take_flags(const char **p, struct piece *out)
{
	for (;; ++*p) {
		switch (**p) {
		case '-':
			out->minus = true;
			break;
		case '+':
			out->plus = true;
			break;
		case ' ':
			out->space = true;
			break;
		case '#':
			out->alt = true;
			break;
		case '0':
			out->zero = true;
			break;
		default:
			return;
		}
	}
}

/* A number up to WIDTH_MAX, 0 when there is no digit. */
static bool take_width(const char **p, unsigned *ret)
{
	for (*ret = 0; **p >= '0' && **p <= '9'; ++*p) {
		*ret = *ret * 10 + (unsigned)(**p - '0');
		if (*ret > WIDTH_MAX)
			return false;
	}
	return true;
}

/* The sizes of the 64-bit ABI: `long` and `size_t` have 64 bits. */
static bool take_size(const char **p, struct piece *out)
{
	static const struct {
		const char *text;
		unsigned bits;
	} sizes[] = { { "hh", 8 }, { "h", 16 }, { "ll", 64 }, { "l", 64 }, { "z", 64 }, { "j", 64 }, { "t", 64 } };

	out->bits = 32;
	for (unsigned i = 0; i < ARRAY_LEN(sizes); i++) {
		size_t n = strlen(sizes[i].text);

		if (strncmp(*p, sizes[i].text, n) != 0)
			continue;
		out->bits = sizes[i].bits;
		*p += n;
		return true;
	}
	return false;
}

static bool take_conversion(const char **p, struct piece *out)
{
	unsigned precision;
	bool sized;

	take_flags(p, out);
	if (!take_width(p, &out->width))
		return false;
	if (**p == '.') {
		++*p;
		if (!take_width(p, &precision))
			return false;
		out->precision = (int)precision;
	}
	sized = take_size(p, out);
	if (!**p || !strchr("diuoxXcsp", **p))
		return false;
	out->kind = *(*p)++;
	if (out->kind == 'i')
		out->kind = 'd';
	return !sized || strchr("duoxX", out->kind); // %ls and %lc are wide
}

/* The next piece of the format at *@p, which moves behind it; false: not a format we print. Not at the end. */
static bool take_piece(const char **p, struct piece *out)
{
	*out = (struct piece){ .precision = -1 };
	out->ch = *(*p)++;
	if (out->ch == '\\')
		return take_escape(p, out);
	if (out->ch != '%')
		return true;
	if (**p != '%')
		return take_conversion(p, out);
	++*p;
	return true;
}

bool agent_format_check(const char *text, size_t n, unsigned nargs)
{
	struct piece piece;
	unsigned used = 0;

	if (!n || memchr(text, '\0', n) != text + n - 1)
		return false;
	while (*text) {
		if (!take_piece(&text, &piece))
			return false;
		used += piece.kind != 0;
	}
	return used == nargs;
}

/* ---- printing ---- */

/* Text of one printf, of what the evaluation may still print. */
struct text {
	char buf[AGENT_TEXT_MAX];
	size_t n, max;
	bool full;
};

static void add(struct text *t, char ch)
{
	if (t->n < t->max)
		t->buf[t->n++] = ch;
	else
		t->full = true;
}

static void add_n(struct text *t, char ch, size_t n)
{
	while (n--)
		add(t, ch);
}

/* @prefix and @body in a field: blanks on one side, or zeros between the two. */
static void add_field(struct text *t, const struct piece *p, const char *prefix, size_t zeros, const char *body,
		      size_t n)
{
	size_t all = strlen(prefix) + zeros + n, pad = p->width > all ? p->width - all : 0;

	if (!p->minus)
		add_n(t, ' ', pad);
	for (; *prefix; prefix++)
		add(t, *prefix);
	add_n(t, '0', zeros);
	for (size_t i = 0; i < n; i++)
		add(t, body[i]);
	if (p->minus)
		add_n(t, ' ', pad);
}

static const char *number_prefix(const struct piece *p, bool negative, uint64_t v)
{
	if (p->kind == 'd')
		return negative ? "-" : p->plus ? "+" : p->space ? " " : "";
	if (!p->alt || !v)
		return "";
	return p->kind == 'x' ? "0x" : p->kind == 'X' ? "0X" : "";
}

static void add_number(struct text *t, const struct piece *p, uint64_t v)
{
	const char *digits = p->kind == 'X' ? "0123456789ABCDEF" : "0123456789abcdef", *prefix;
	unsigned base = p->kind == 'o' ? 8 : p->kind == 'x' || p->kind == 'X' ? 16 : 10;
	size_t at, n, want = p->precision >= 0 ? (size_t)p->precision : 1;
	bool negative = false;
	char body[64];

	v = p->bits < 64 ? v & ((1ull << p->bits) - 1) : v;
	if (p->kind == 'd' && v >> (p->bits - 1)) {
		negative = true;
		v = (0 - v) & (UINT64_MAX >> (64 - p->bits));
	}
	prefix = number_prefix(p, negative, v);
	for (at = sizeof(body); v; v /= base)
		body[--at] = digits[v % base];
	n = sizeof(body) - at;
	if (p->kind == 'o' && p->alt && want <= n)
		want = n + 1;
	if (p->zero && !p->minus && p->precision < 0 && p->width > strlen(prefix))
		want = MAX(want, p->width - strlen(prefix));
	add_field(t, p, prefix, want > n ? want - n : 0, body + at, n);
}

/* As GDB shows a pointer. */
static void add_pointer(struct text *t, const struct piece *p, uint64_t v)
{
	struct piece hex = { .kind = 'x', .alt = true, .precision = -1, .bits = 64, .width = p->width };

	hex.minus = p->minus;
	if (v)
		add_number(t, &hex, v);
	else
		add_field(t, p, "", 0, "(nil)", 5);
}

/* NUL-terminated from guest memory, a line of 64 bytes at a time: what lies behind it need not be there. */
static int read_string(struct agent_run *r, uint64_t at, char *buf, size_t max, size_t *ret)
{
	size_t n = 0;

	while (n < max) {
		size_t want = MIN(max - n, 64 - (size_t)((at + n) % 64));
		int rc = agent_mem(r, at + n, buf + n, want);
		const char *end;

		if (rc < 0)
			return rc;
		end = memchr(buf + n, '\0', want);
		if (end) {
			*ret = (size_t)(end - buf);
			return 0;
		}
		n += want;
	}
	*ret = n;
	return 0;
}

static int add_string(struct text *t, struct agent_run *r, const struct piece *p, uint64_t at)
{
	size_t max = p->precision >= 0 ? (size_t)p->precision : AGENT_STRING_MAX, n;
	char buf[AGENT_STRING_MAX + 3];
	int rc;

	if (!at) {
		add_field(t, p, "", 0, "(null)", 6);
		return 0;
	}
	rc = read_string(r, at, buf, max, &n);
	if (rc < 0)
		return rc;
	if (n == AGENT_STRING_MAX)
		for (unsigned i = 0; i < 3; i++)
			buf[n++] = '.';
	add_field(t, p, "", 0, buf, n);
	return 0;
}

static int add_argument(struct text *t, struct agent_run *r, const struct piece *p, uint64_t v)
{
	char ch = (char)v;

	switch (p->kind) {
	case 's':
		return add_string(t, r, p, v);
	case 'c':
		add_field(t, p, "", 0, &ch, ch != '\0');
		return 0;
	case 'p':
		add_pointer(t, p, v);
		return 0;
	default:
		add_number(t, p, v);
		return 0;
	}
}

int agent_format_print(struct agent_run *r, const char *text, const uint64_t *args, unsigned nargs)
{
	struct text t;
	struct piece p;
	int rc = 0;

	t.n = 0;
	t.max = AGENT_TEXT_MAX - r->printed;
	t.full = false;
	while (rc == 0 && *text && take_piece(&text, &p)) {
		if (p.kind)
			rc = add_argument(&t, r, &p, args[--nargs]);
		else
			add(&t, p.ch);
	}
	r->printed += t.n;
	if (t.n && r->env->print)
		r->env->print(r->env->arg, t.buf, t.n);
	return rc == 0 && t.full ? -EMSGSIZE : rc;
}
