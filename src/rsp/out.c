/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "rsp/out.h"

#include <errno.h>
#include <stdarg.h>
#include <string.h>

#include "util/bytes.h"
#include "util/macros.h"

void rsp_out_deinit(struct rsp_out *o)
{
	strbuf_deinit(&o->body);
}

void rsp_out_reset(struct rsp_out *o)
{
	strbuf_reset(&o->body);
}

void rsp_out_ok(struct rsp_out *o)
{
	rsp_out_str(o, "OK");
}

void rsp_out_str(struct rsp_out *o, const char *s)
{
	strbuf_adds(&o->body, s);
}

void rsp_out_fmt(struct rsp_out *o, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	strbuf_addfv(&o->body, fmt, ap);
	va_end(ap);
}

void rsp_out_hex(struct rsp_out *o, const void *p, size_t n)
{
	strbuf_addhex(&o->body, p, n);
}

void rsp_out_hexstr(struct rsp_out *o, const char *s)
{
	strbuf_addhex(&o->body, s, strlen(s));
}

void rsp_out_unavailable(struct rsp_out *o, size_t n)
{
	while (n--)
		strbuf_add(&o->body, "xx", 2);
}

void rsp_out_bytes(struct rsp_out *o, const void *p, size_t n)
{
	strbuf_add(&o->body, p, n);
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
	if (o->body.len == 0 || form == RSP_ERROR_CODE)
		return;
	if (form == RSP_ERROR_TEXT) {
		rsp_out_reset(o);
		rsp_out_fmt(o, "E.%s", error_text(code));
	} else {
		rsp_out_str(o, ";");
		rsp_out_hexstr(o, error_text(code));
	}
}

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

/* Bytes from @p on that need no escape: nearly all of a memory reply, so eight at a time. */
static size_t plain_run(const uint8_t *p, size_t n)
{
	size_t i = 0;

	for (; i + 8 <= n; i += 8) {
		uint64_t v = ld_le64(p + i);

		if (has_byte(v, '}') | has_byte(v, '#') | has_byte(v, '$') | has_byte(v, '*'))
			break;
	}
	while (i < n && !must_escape(p[i]))
		i++;
	return i;
}

/* The sum of eight bytes: of pairs in lanes of 16 bits, and by the multiplication of the lanes, which ends up on top.
 */
static unsigned sum_of_8(uint64_t v)
{
	const uint64_t low = 0x00ff00ff00ff00ffull;

	return ((v & low) + (v >> 8 & low)) * 0x0001000100010001ull >> 48;
}

static uint8_t sum_of(const uint8_t *p, size_t n)
{
	unsigned sum = 0;
	size_t i = 0;

	for (; i + 8 <= n; i += 8)
		sum += sum_of_8(ld_le64(p + i));
	for (; i < n; i++)
		sum += p[i];
	return (uint8_t)sum;
}

size_t rsp_escape_fit(const void *p, size_t n, size_t cap)
{
	const uint8_t *at = p;
	size_t used = 0, i = 0;

	while (i < n && used < cap) {
		size_t run = plain_run(at + i, MIN(n - i, cap - used));

		i += run;
		used += run;
		if (i == n || used + 2 > cap)
			break;
		i++; // one that is escaped
		used += 2;
	}
	return i;
}

int rsp_frame(const void *body, size_t n, struct strbuf *wire)
{
	const uint8_t *at = body;
	uint8_t sum = 0;

	strbuf_addc(wire, '$');
	for (size_t i = 0; i < n;) {
		size_t run = plain_run(at + i, n - i);

		strbuf_add(wire, at + i, run);
		sum += sum_of(at + i, run);
		i += run;
		if (i < n) {
			const char escape[2] = { '}', (char)(at[i++] ^ 0x20) };

			strbuf_add(wire, escape, sizeof(escape));
			sum += (uint8_t)(escape[0] + escape[1]);
		}
	}
	strbuf_addf(wire, "#%02x", sum);
	return wire->oom ? -ENOMEM : 0;
}
