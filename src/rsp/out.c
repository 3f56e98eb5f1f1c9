/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "rsp/out.h"

#include <errno.h>
#include <stdarg.h>
#include <string.h>

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

size_t rsp_escape_fit(const void *p, size_t n, size_t cap)
{
	const uint8_t *at = p;
	size_t used = 0, i;

	for (i = 0; i < n; i++) {
		used += 1u + must_escape(at[i]);
		if (used > cap)
			break;
	}
	return i;
}

int rsp_frame(const void *body, size_t n, struct strbuf *wire)
{
	const uint8_t *at = body;
	uint8_t sum = 0;
	size_t plain = 0; // start of the run of bytes that need no escape

	strbuf_addc(wire, '$');
	for (size_t i = 0; i < n; i++) {
		if (!must_escape(at[i])) {
			sum += at[i];
			continue;
		}
		strbuf_add(wire, at + plain, i - plain);
		strbuf_addc(wire, '}');
		strbuf_addc(wire, (char)(at[i] ^ 0x20));
		sum += (uint8_t)('}' + (at[i] ^ 0x20));
		plain = i + 1;
	}
	strbuf_add(wire, at + plain, n - plain);
	strbuf_addf(wire, "#%02x", sum);
	return wire->oom ? -ENOMEM : 0;
}
