/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "rsp/out.h"

#include <errno.h>
#include <stdarg.h>
#include <string.h>

#include "util/bytes.h"
#include "util/macros.h"

/* ---- what may be in a body ---- */

static bool must_escape(uint8_t ch)
{
	return ch == '}' || ch == '#' || ch == '$' || ch == '*';
}

#define BYTES(ch) (0x0101010101010101ull * (ch))

/* Not 0 if one of the eight bytes of @v is @ch. */
static uint64_t has_byte(uint64_t v, uint8_t ch)
{
	v ^= BYTES(ch);
	return (v - BYTES(1)) & ~v & BYTES(0x80);
}

static uint64_t needs_escape(uint64_t v)
{
	return has_byte(v, '}') | has_byte(v, '#') | has_byte(v, '$') | has_byte(v, '*');
}

/* The sum of eight bytes: of pairs in lanes of 16 bits, and by the multiplication of the lanes, which ends up on top.
 */
static unsigned sum_of_8(uint64_t v)
{
	const uint64_t low = 0x00ff00ff00ff00ffull;

	return ((v & low) + (v >> 8 & low)) * 0x0001000100010001ull >> 48;
}

/* Bytes from @p on that need no escape, and their sum: nearly all of a memory reply, so eight at a time. */
static size_t plain_run(const uint8_t *p, size_t n, unsigned *sum)
{
	size_t i = 0;

	for (; i + 8 <= n; i += 8) {
		uint64_t v = ld_le64(p + i);

		if (needs_escape(v))
			break;
		*sum += sum_of_8(v);
	}
	if (n >= 8 && n - i < 8 && i < n) { // the rest, at the upper end of the last eight
		uint64_t v = ld_le64(p + n - 8) >> 8 * (8 - (n - i));

		if (!needs_escape(v)) {
			*sum += sum_of_8(v);
			return n;
		}
	}
	for (; i < n && !must_escape(p[i]); i++)
		*sum += p[i];
	return i;
}

size_t rsp_escape_fit(const void *p, size_t n, size_t cap)
{
	const uint8_t *at = p;
	size_t used = 0, i = 0;
	unsigned sum = 0;

	while (i < n && used < cap) {
		size_t run = plain_run(at + i, MIN(n - i, cap - used), &sum);

		i += run;
		used += run;
		if (i == n || used + 2 > cap)
			break;
		i++; // one that is escaped
		used += 2;
	}
	return i;
}

/* ---- the body ---- */

void rsp_out_deinit(struct rsp_out *o)
{
	strbuf_deinit(&o->frame);
}

void rsp_out_reset(struct rsp_out *o)
{
	strbuf_reset(&o->frame);
	o->plain = o->sum = 0;
}

const char *rsp_out_body(const struct rsp_out *o)
{
	return o->frame.len ? o->frame.s + 1 : "";
}

size_t rsp_out_len(const struct rsp_out *o)
{
	return o->frame.len ? o->frame.len - 1 : 0;
}

static struct strbuf *begun(struct rsp_out *o)
{
	if (!o->frame.len) {
		strbuf_addc(&o->frame, '$');
		o->plain = o->frame.len;
		o->sum = 0;
	}
	return &o->frame;
}

void rsp_out_ok(struct rsp_out *o)
{
	rsp_out_str(o, "OK");
}

void rsp_out_fmt(struct rsp_out *o, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	strbuf_addfv(begun(o), fmt, ap);
	va_end(ap);
}

void rsp_out_hex(struct rsp_out *o, const void *p, size_t n)
{
	struct strbuf *b = begun(o);
	bool plain = o->plain == b->len;
	unsigned sum = strbuf_addhex(b, p, n);

	if (plain) {
		o->plain = b->len;
		o->sum += sum;
	}
}

void rsp_out_number(struct rsp_out *o, uint64_t v)
{
	char digits[16];
	size_t n = 0;

	do {
		digits[sizeof(digits) - ++n] = "0123456789abcdef"[v & 15];
		v >>= 4;
	} while (v);
	strbuf_add(begun(o), digits + sizeof(digits) - n, n);
}

void rsp_out_hexstr(struct rsp_out *o, const char *s)
{
	rsp_out_hex(o, s, strlen(s));
}

void rsp_out_unavailable(struct rsp_out *o, size_t n)
{
	while (n--)
		strbuf_add(begun(o), "xx", 2);
}

void rsp_out_bytes(struct rsp_out *o, const void *p, size_t n)
{
	strbuf_add(begun(o), p, n);
}

/* What is not looked at yet, up to a byte that needs an escape. */
static void look_on(struct rsp_out *o)
{
	o->plain += plain_run((const uint8_t *)o->frame.s + o->plain, o->frame.len - o->plain, &o->sum);
}

/* A stop reply is made for every step: in one piece. */
void rsp_out_reg(struct rsp_out *o, uint8_t num, const void *value, size_t size)
{
	const size_t n = 2 + 1 + 2 * size + 1;
	char *to = strbuf_room(begun(o), n);
	unsigned sum = ':' + ';';

	if (!to)
		return;
	look_on(o);
	sum += hex_write(to, &num, 1);
	to[2] = ':';
	sum += hex_write(to + 3, value, size);
	to[n - 1] = ';';
	if (o->plain == o->frame.len) {
		o->plain += n;
		o->sum += sum;
	}
	strbuf_room_take(&o->frame, n);
}

/* At the end of the room for the digits, which do not reach a byte before it was read. */
void *rsp_out_hex_room(struct rsp_out *o, size_t n)
{
	char *room = n <= SIZE_MAX / 4 ? strbuf_room(begun(o), 2 * n) : NULL;

	return room ? room + n : NULL;
}

void rsp_out_hex_take(struct rsp_out *o, size_t n, size_t got)
{
	rsp_out_hex(o, o->frame.s + o->frame.len + n, got);
}

void *rsp_out_bytes_room(struct rsp_out *o, size_t n)
{
	return strbuf_room(begun(o), n);
}

void rsp_out_bytes_take(struct rsp_out *o, size_t got, size_t cap)
{
	size_t before = o->frame.len, n = MIN(got, cap);

	strbuf_room_take(&o->frame, n);
	look_on(o);
	if (o->plain == o->frame.len)
		return;
	o->frame.len = before;
	strbuf_room_take(&o->frame, rsp_escape_fit(o->frame.s + before, n, cap));
}

void rsp_out_error(struct rsp_out *o, int err)
{
	int code = err < 0 ? -err : err;

	rsp_out_reset(o);
	if (err == -ENOTSUP)
		return; // the empty reply: GDB manual, "Standard Replies"
	rsp_out_fmt(o, "E%02x", code && code < 256 ? code : EIO);
}

/* What an errno means in a reply; the same words as in docs/protocol.md. */
static const char *error_text(int code)
{
	static const struct {
		int code;
		const char *text;
	} texts[] = {
		{ EPERM, "not allowed: a read-only register, or a guest that cannot be started anew" },
		{ ENOENT, "no such document or saved state" },
		{ ESRCH, "no such thread or process" },
		{ EIO, "the hypervisor refused" },
		{ E2BIG, "an expression is too long, or needs too much stack" },
		{ EFAULT, "no memory there, or not all of it" },
		{ EBUSY, "the guest is running" },
		{ ENODEV, "the guest is gone" },
		{ EINVAL, "malformed packet, or an impossible length, number or value" },
		{ ENOSPC, "no debug register is free" },
		{ EBADMSG, "wrong checksum" },
		{ EMSGSIZE, "the packet is longer than PacketSize" },
	};

	for (unsigned i = 0; i < ARRAY_LEN(texts); i++)
		if (texts[i].code == code)
			return texts[i].text;
	return strerror(code);
}

void rsp_out_error_form(struct rsp_out *o, int err, enum rsp_error_form form)
{
	int code = err < 0 ? -err : err;

	rsp_out_error(o, err);
	if (rsp_out_len(o) == 0 || form == RSP_ERROR_CODE)
		return;
	if (form == RSP_ERROR_TEXT) {
		rsp_out_reset(o);
		rsp_out_fmt(o, "E.%s", error_text(code));
	} else {
		rsp_out_str(o, ";");
		rsp_out_hexstr(o, error_text(code));
	}
}

/* ---- the frame ---- */

/* Append @n bytes of a body, escaped. */
static void add_escaped(struct strbuf *wire, const uint8_t *at, size_t n, unsigned *sum)
{
	for (size_t i = 0; i < n;) {
		size_t run = plain_run(at + i, n - i, sum);

		strbuf_add(wire, at + i, run);
		i += run;
		if (i < n) {
			const char escape[2] = { '}', (char)(at[i++] ^ 0x20) };

			strbuf_add(wire, escape, sizeof(escape));
			*sum += (unsigned)escape[0] + (uint8_t)escape[1];
		}
	}
}

static int add_sum(struct strbuf *wire, unsigned sum)
{
	const uint8_t byte = (uint8_t)sum;

	strbuf_addc(wire, '#');
	strbuf_addhex(wire, &byte, 1);
	return wire->oom ? -ENOMEM : 0;
}

int rsp_frame(const void *body, size_t n, struct strbuf *wire)
{
	unsigned sum = 0;

	strbuf_addc(wire, '$');
	add_escaped(wire, body, n, &sum);
	return add_sum(wire, sum);
}

int rsp_out_frame(struct rsp_out *o, struct strbuf *wire)
{
	struct strbuf *f = begun(o);
	int rc;

	wire->oom |= f->oom;
	if (wire->oom)
		return -ENOMEM;
	look_on(o);
	if (!wire->len && o->plain == f->len) { // nothing to escape, nobody in front: as it is
		struct strbuf was = *wire;

		rc = add_sum(f, o->sum);
		*wire = *f;
		*f = was;
	} else {
		strbuf_add(wire, f->s, o->plain);
		add_escaped(wire, (const uint8_t *)f->s + o->plain, f->len - o->plain, &o->sum);
		rc = add_sum(wire, o->sum);
	}
	rsp_out_reset(o);
	return rc;
}
