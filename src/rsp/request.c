/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "rsp/request.h"

#include <errno.h>
#include <string.h>

/* The packet buffer is ours and writable; the cursor is const only so that parsers do not change it by accident. */
static uint8_t *writable(const uint8_t *p)
{
	return (uint8_t *)(uintptr_t)p;
}

static int done(const struct cur *c)
{
	return cur_done(c) ? 0 : -EINVAL;
}

int rsp_parse_none(struct cur *c, struct rsp_req *r)
{
	return done(c);
}

int rsp_parse_text(struct cur *c, struct rsp_req *r)
{
	r->text.s = (const char *)cur_rest(c, &r->text.n);
	return done(c);
}

int rsp_parse_mem(struct cur *c, struct rsp_req *r)
{
	r->mem.at = cur_hex(c);
	cur_lit(c, ',');
	r->mem.len = cur_hex(c);
	r->mem.data = NULL;
	return done(c);
}

int rsp_parse_mem_hex(struct cur *c, struct rsp_req *r)
{
	uint8_t *data;
	size_t n;

	r->mem.at = cur_hex(c);
	cur_lit(c, ',');
	r->mem.len = cur_hex(c);
	cur_lit(c, ':');
	data = writable(c->p);
	n = cur_hexbytes(c, data, cur_left(c)); // two digits become one byte: never overtakes the reading
	r->mem.data = data;
	return cur_done(c) && n == r->mem.len ? 0 : -EINVAL;
}

int rsp_parse_mem_bin(struct cur *c, struct rsp_req *r)
{
	size_t n;

	r->mem.at = cur_hex(c);
	cur_lit(c, ',');
	r->mem.len = cur_hex(c);
	cur_lit(c, ':');
	r->mem.data = cur_rest(c, &n);
	return cur_done(c) && n == r->mem.len ? 0 : -EINVAL;
}

static unsigned take_unsigned(struct cur *c)
{
	uint64_t v = cur_hex(c);

	if (v > UINT32_MAX)
		c->bad = true;
	return (unsigned)v;
}

/* Cut ";thread:ID;" off the end; nothing before it has a semicolon. */
static void cut_suffix(struct cur *c, struct rsp_req *r)
{
	const uint8_t *at = memchr(c->p, ';', cur_left(c));
	struct cur tail;

	if (!at)
		return;
	tail = cur_init(at, (size_t)(c->end - at));
	r->has_suffix = cur_try_str(&tail, ";thread:");
	r->suffix = rsp_tid_take(&tail);
	cur_lit(&tail, ';');
	if (r->has_suffix && cur_done(&tail))
		c->end = at;
	else
		c->bad = true;
}

int rsp_parse_thread(struct cur *c, struct rsp_req *r)
{
	cut_suffix(c, r);
	return done(c);
}

int rsp_parse_restore(struct cur *c, struct rsp_req *r)
{
	cut_suffix(c, r);
	r->num.value = cur_dec(c);
	return done(c);
}

int rsp_parse_reg(struct cur *c, struct rsp_req *r)
{
	cut_suffix(c, r);
	r->reg.num = take_unsigned(c);
	r->reg.hex = NULL;
	r->reg.hexlen = 0;
	return done(c);
}

int rsp_parse_reg_set(struct cur *c, struct rsp_req *r)
{
	cut_suffix(c, r);
	r->reg.num = take_unsigned(c);
	cur_lit(c, '=');
	r->reg.hex = cur_rest(c, &r->reg.hexlen);
	return done(c);
}

int rsp_parse_regs(struct cur *c, struct rsp_req *r)
{
	cut_suffix(c, r);
	r->regs.hex = cur_rest(c, &r->regs.hexlen);
	return done(c);
}

/* One number of a thread-id: -1 or 1 to 16 hex digits that fit a positive int64_t. */
static int64_t tid_number(struct cur *c)
{
	uint64_t v;

	if (cur_try_str(c, "-1"))
		return RSP_TID_ALL;
	v = cur_hex(c);
	if (v > INT64_MAX)
		c->bad = true;
	return c->bad ? 0 : (int64_t)v;
}

struct rsp_tid rsp_tid_take(struct cur *c)
{
	struct rsp_tid t;
	int64_t pid;

	if (!cur_try(c, 'p')) {
		t.id = tid_number(c);
		return t;
	}
	pid = tid_number(c);
	t.id = cur_try(c, '.') ? tid_number(c) : RSP_TID_ALL;
	if (pid > 1)
		c->bad = true; // there is one process, the guest
	return t;
}

int rsp_parse_H(struct cur *c, struct rsp_req *r)
{
	int op = cur_peek(c);

	if (op != 'c' && op != 'g')
		return -EINVAL;
	cur_lit(c, (char)op);
	r->thread.op = (char)op;
	r->thread.tid = rsp_tid_take(c);
	return done(c);
}

int rsp_parse_tid(struct cur *c, struct rsp_req *r)
{
	r->thread.op = 0;
	r->thread.tid = rsp_tid_take(c);
	return done(c);
}

static int take_signal(struct cur *c)
{
	uint64_t sig = cur_hex(c);

	if (sig > 0xff)
		c->bad = true;
	return (int)(sig & 0xff);
}

int rsp_parse_run(struct cur *c, struct rsp_req *r)
{
	r->run.sig = 0;
	r->run.has_addr = cur_left(c) > 0;
	r->run.addr = r->run.has_addr ? cur_hex(c) : 0;
	return done(c);
}

int rsp_parse_run_sig(struct cur *c, struct rsp_req *r)
{
	r->run.sig = take_signal(c);
	r->run.has_addr = cur_try(c, ';');
	r->run.addr = r->run.has_addr ? cur_hex(c) : 0;
	return done(c);
}

static void take_action(struct cur *c, struct rsp_vcont_action *a)
{
	int kind = cur_peek(c);

	*a = (struct rsp_vcont_action){ 0 };
	if (kind != 'c' && kind != 'C' && kind != 's' && kind != 'S' && kind != 't' && kind != 'r') {
		c->bad = true;
		return;
	}
	cur_lit(c, (char)kind);
	a->kind = (char)kind;
	if (kind == 'C' || kind == 'S')
		a->sig = take_signal(c);
	if (kind == 'r') {
		a->lo.raw = cur_hex(c);
		cur_lit(c, ',');
		a->hi.raw = cur_hex(c);
	}
	a->has_tid = cur_try(c, ':');
	if (a->has_tid)
		a->tid = rsp_tid_take(c);
}

int rsp_parse_vcont(struct cur *c, struct rsp_req *r)
{
	r->vcont.n = 0;
	do {
		if (r->vcont.n == RSP_VCONT_MAX)
			return -EINVAL;
		cur_lit(c, ';');
		take_action(c, &r->vcont.action[r->vcont.n++]);
	} while (!c->bad && cur_left(c) > 0);
	return done(c);
}

/* One or more of Xlen,expr without anything between them, added to @list. */
static void take_codes(struct cur *c, struct rsp_code *list, unsigned *n)
{
	do {
		uint64_t len;
		uint8_t *code;

		cur_lit(c, 'X');
		len = cur_hex(c);
		cur_lit(c, ',');
		code = writable(c->p);
		if (*n == RSP_BP_CODE_MAX || cur_hexbytes(c, code, cur_left(c)) != len) {
			c->bad = true;
			return;
		}
		list[(*n)++] = (struct rsp_code){ code, (size_t)len };
	} while (cur_peek(c) == 'X');
}

static void take_commands(struct cur *c, struct rsp_req *r)
{
	if (cur_hex(c) > 1) // persist: commands end with their breakpoint all the same, and that with its client
		c->bad = true;
	cur_lit(c, ',');
	take_codes(c, r->bp.cmd, &r->bp.ncmds);
}

int rsp_parse_bp(struct cur *c, struct rsp_req *r)
{
	r->bp.type = take_unsigned(c);
	cur_lit(c, ',');
	r->bp.at = cur_hex(c);
	cur_lit(c, ',');
	r->bp.kind = cur_hex(c);
	r->bp.nconds = r->bp.ncmds = 0;
	while (r->bp.ncmds == 0 && cur_try(c, ';')) {
		if (cur_try_str(c, "cmds:"))
			take_commands(c, r);
		else
			take_codes(c, r->bp.cond, &r->bp.nconds);
	}
	return done(c);
}

int rsp_parse_xfer(struct cur *c, struct rsp_req *r)
{
	const uint8_t *annex = c->p;

	while (cur_peek(c) >= 0 && cur_peek(c) != ':')
		c->p++;
	r->xfer.annex = (const char *)annex;
	r->xfer.annex_len = (size_t)(c->p - annex);
	cur_lit(c, ':');
	r->xfer.off = cur_hex(c);
	cur_lit(c, ',');
	r->xfer.len = cur_hex(c);
	return done(c);
}

int rsp_parse_search(struct cur *c, struct rsp_req *r)
{
	r->search.at = cur_hex(c);
	cur_lit(c, ';');
	r->search.len = cur_hex(c);
	cur_lit(c, ';');
	r->search.pat = cur_rest(c, &r->search.pat_len);
	return cur_done(c) && r->search.pat_len ? 0 : -EINVAL;
}

int rsp_parse_rcmd(struct cur *c, struct rsp_req *r)
{
	uint8_t *text = writable(c->p);
	size_t n = cur_hexbytes(c, text, cur_left(c));

	if (!cur_done(c))
		return -EINVAL;
	text[n] = '\0'; // at most the spare byte behind the packet
	r->rcmd.line = (char *)text;
	return 0;
}

int rsp_parse_num(struct cur *c, struct rsp_req *r)
{
	r->num.value = cur_hex(c);
	return done(c);
}
