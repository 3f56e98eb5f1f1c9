/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "server/internal.h"
#include "server/packets.h"
#include "util/macros.h"

/* What the server can do, threads, monitor commands, and documents read in pieces. */

/* ---- features ---- */

static bool text_has(const char *list, size_t n, const char *item)
{
	size_t len = strlen(item);

	while (n > 0) {
		const char *sep = memchr(list, ';', n);
		size_t one = sep ? (size_t)(sep - list) : n;

		if (one == len && memcmp(list, item, len) == 0)
			return true;
		list += one + (sep != NULL);
		n -= one + (sep != NULL);
	}
	return false;
}

int h_supported(struct session *s, const struct rsp_req *r, struct rsp_out *out)
{
	size_t skip = r->text.n > 0; // the ':' before the client's list

	s->wants_swbreak = text_has(r->text.s + skip, r->text.n - skip, "swbreak+");
	s->wants_hwbreak = text_has(r->text.s + skip, r->text.n - skip, "hwbreak+");
	s->selects_arch = text_has(r->text.s + skip, r->text.n - skip, "qRelocInsn+"); // every GDB says so, LLDB never
	if (text_has(r->text.s + skip, r->text.n - skip, "error-message+"))
		s->error_form = RSP_ERROR_TEXT;
	rsp_out_fmt(out, "PacketSize=%x", PKT_SIZE);
	for (unsigned i = 0; i < pkt_features_len; i++)
		if (pkt_features[i].have(s))
			rsp_out_fmt(out, ";%s", pkt_features[i].token);
	return 0;
}

int h_noack(struct session *s, const struct rsp_req *r, struct rsp_out *out)
{
	s->noack = true;
	rsp_out_ok(out);
	return 0;
}

int h_attached(struct session *s, const struct rsp_req *r, struct rsp_out *out)
{
	rsp_out_str(out, "1"); // the guest was there before the client: quitting GDB detaches
	return 0;
}

int h_symbol(struct session *s, const struct rsp_req *r, struct rsp_out *out)
{
	rsp_out_ok(out); // no symbol is wanted
	return 0;
}

int h_unsupported(struct session *s, const struct rsp_req *r, struct rsp_out *out)
{
	return -ENOTSUP;
}

/* ---- threads ---- */

/* Few enough ids for the buffer of any client; GDB asks until the list ends. */
enum { THREADS_PER_REPLY = 32 };

/* Detached in extended mode there is no process, and so no thread. */
static unsigned thread_count(const struct session *s)
{
	return s->detached ? 0 : engine_target(s->e)->nvcpus;
}

int h_current_thread(struct session *s, const struct rsp_req *r, struct rsp_out *out)
{
	rsp_out_fmt(out, "QC%x", thread_count(s) ? session_thread(session_vcpu_g(s)) : 0);
	return 0;
}

int h_threads_next(struct session *s, const struct rsp_req *r, struct rsp_out *out)
{
	unsigned end = MIN(thread_count(s), s->next_thread + THREADS_PER_REPLY);

	if (s->next_thread >= end) {
		rsp_out_str(out, "l");
		return 0;
	}
	for (unsigned i = s->next_thread; i < end; i++)
		rsp_out_fmt(out, "%c%x", i == s->next_thread ? 'm' : ',', session_thread(i));
	s->next_thread = end;
	return 0;
}

int h_threads_first(struct session *s, const struct rsp_req *r, struct rsp_out *out)
{
	s->next_thread = 0;
	return h_threads_next(s, r, out);
}

/* 0 for one existing thread: neither "any" nor "all". */
static int thread_vcpu(const struct session *s, struct rsp_tid tid, unsigned *ret)
{
	if (tid.id <= 0)
		return -EINVAL;
	return session_vcpu(s, tid, ret);
}

int h_thread_alive(struct session *s, const struct rsp_req *r, struct rsp_out *out)
{
	unsigned vcpu;
	int rc = thread_vcpu(s, r->thread.tid, &vcpu);

	if (rc == 0)
		rsp_out_ok(out);
	return rc;
}

static void vcpu_text(struct session *s, unsigned vcpu, struct strbuf *b)
{
	struct target *t = engine_target(s->e);
	struct arch_regs *r;

	strbuf_addf(b, "vCPU %u: ", vcpu);
	if (engine_running(s->e))
		strbuf_adds(b, "running");
	else if (!target_vcpu_online(t, vcpu))
		strbuf_adds(b, "offline");
	else if (engine_regs(s->e, vcpu, ARCH_CORE | ARCH_SYS, &r) < 0)
		strbuf_adds(b, "unavailable");
	else
		strbuf_addf(b, "%s, pc %#" PRIx64, t->arch->mode_text(r), t->arch->pc_get(r).raw);
	if (!engine_running(s->e) && vcpu == s->last_stop.vcpu && s->last_stop.text[0])
		strbuf_addf(b, "; %s", s->last_stop.text);
}

int h_thread_extra(struct session *s, const struct rsp_req *r, struct rsp_out *out)
{
	_cleanup_(strbuf_deinit) struct strbuf b = { 0 };
	unsigned vcpu;
	int rc = thread_vcpu(s, r->thread.tid, &vcpu);

	if (rc < 0)
		return rc;
	vcpu_text(s, vcpu, &b);
	rsp_out_hexstr(out, strbuf_str(&b));
	return b.oom ? -ENOMEM : 0;
}

/* ---- monitor ---- */

/* GDB keeps the registers of before until the guest runs: the protocol has no way to tell it. */
static void monitor_reset(void *arg, struct strbuf *out)
{
	int rc = session_reset(arg);

	if (rc < 0)
		strbuf_addf(out, "the guest could not be reset: %s\n", strerror(-rc));
	else
		strbuf_adds(out,
			    "the guest is reset and stopped before its first instruction; until it runs, GDB shows the "
			    "former registers (maintenance flush register-cache)\n");
}

int h_monitor(struct session *s, const struct rsp_req *r, struct rsp_out *out)
{
	_cleanup_(strbuf_deinit) struct strbuf b = { 0 };
	struct monitor_ctx ctx = { .engine = s->e,
				   .vcpu = session_vcpu_g(s),
				   .phys_mode = &s->phys,
				   .reset = s->restart ? monitor_reset : NULL,
				   .reset_arg = s };
	int rc = engine_monitor(&ctx, r->rcmd.line, &b);

	if (rc == 0 && b.oom)
		rc = -ENOMEM;
	if (rc < 0)
		return rc;
	session_send_text(s, b.s, b.len);
	rsp_out_ok(out);
	return 0;
}

/* ---- documents ---- */

static int doc_features(struct session *s, struct strbuf *b)
{
	const struct arch_layout *l;
	int rc = session_layout(s, &l);

	if (rc == 0)
		arch_target_xml(l, b);
	return rc;
}

static void add_region(struct strbuf *b, const char *type, uint64_t start, uint64_t size)
{
	strbuf_addf(b, "<memory type=\"%s\" start=\"%#" PRIx64 "\" length=\"%#" PRIx64 "\"/>\n", type, start, size);
}

/* Are virtual addresses physical ones now? Only then does the physical map say where GDB's addresses lead. */
static bool paging_off(struct session *s)
{
	struct mmu_xlat x;

	return engine_translate(s->e, 0, GVA(0), &x) == 0 && x.mapped && x.nlevels == 0;
}

/* ROM below the top of 32 bits, from @at on; false: none. */
static bool next_rom(const struct target_region *map, unsigned n, uint64_t at, const struct target_region **ret)
{
	for (unsigned i = 0; i < n; i++) {
		if (map[i].kind != TARGET_ROM || map[i].start.raw < at || map[i].start.raw + map[i].size > 1ull << 32)
			continue;
		*ret = &map[i];
		return true;
	}
	return false;
}

/*
 * GDB refuses every access outside the map and keeps the first answer for the whole connection, while the guest's page
 * tables change all the time: so the map says RAM everywhere. ROM is named only while paging is off, so that GDB places
 * hardware breakpoints in firmware, which may copy itself or check its own sum. Two halves, because the length of
 * all 2^64 bytes does not fit in 64 bits; the end of the upper half wraps to 0, as GDB has it for the top of memory.
 */
static int doc_memory_map(struct session *s, struct strbuf *b)
{
	const struct target_region *map = NULL, *rom;
	const uint64_t half = 1ull << 63;
	uint64_t at = 0;
	unsigned n = 0;

	if (engine_bp_supported(s->e, ENGINE_HWBP) && paging_off(s))
		target_mem_map(engine_target(s->e), &map, &n); // on an error there is no ROM to name
	strbuf_adds(b, "<?xml version=\"1.0\"?>\n<!DOCTYPE memory-map PUBLIC \"+//IDN gnu.org//DTD GDB Memory Map V1.0"
		       "//EN\" \"http://sourceware.org/gdb/gdb-memory-map.dtd\">\n<memory-map>\n");
	while (next_rom(map, n, at, &rom)) {
		if (rom->start.raw > at)
			add_region(b, "ram", at, rom->start.raw - at);
		add_region(b, "rom", rom->start.raw, rom->size);
		at = rom->start.raw + rom->size;
	}
	add_region(b, "ram", at, half - at);
	add_region(b, "ram", half, half);
	strbuf_adds(b, "</memory-map>\n");
	return 0;
}

/* Names in it may be a person's own. */
static void add_xml(const char *s, struct strbuf *b)
{
	for (; *s; s++) {
		if (*s == '<' || *s == '&')
			strbuf_addf(b, "&#%d;", *s);
		else
			strbuf_addc(b, *s);
	}
}

static int doc_threads(struct session *s, struct strbuf *b)
{
	_cleanup_(strbuf_deinit) struct strbuf text = { 0 };

	strbuf_adds(b, "<?xml version=\"1.0\"?>\n<threads>\n");
	for (unsigned i = 0; i < thread_count(s); i++) {
		strbuf_addf(b, "<thread id=\"%x\" core=\"%u\">", session_thread(i), i);
		strbuf_reset(&text);
		vcpu_text(s, i, &text);
		add_xml(strbuf_str(&text), b);
		strbuf_adds(b, "</thread>\n");
	}
	strbuf_adds(b, "</threads>\n");
	b->oom |= text.oom;
	return 0;
}

typedef int doc_fn(struct session *s, struct strbuf *b);

/* The document is made when its first piece is read, and kept so that all pieces are of one document. */
static int doc_open(struct session *s, enum doc_kind kind, doc_fn *make, uint64_t off)
{
	int rc;

	if (s->doc_kind == kind && off > 0)
		return 0;
	s->doc_kind = DOC_NONE;
	strbuf_reset(&s->doc);
	rc = make(s, &s->doc);
	if (rc == 0 && s->doc.oom)
		rc = -ENOMEM;
	if (rc == 0)
		s->doc_kind = kind;
	return rc;
}

static int doc_read(struct session *s, enum doc_kind kind, doc_fn *make, const char *annex, const struct rsp_req *r,
		    struct rsp_out *out)
{
	const char *text;
	size_t left, n;
	int rc;

	if (r->xfer.annex_len != strlen(annex) || memcmp(r->xfer.annex, annex, r->xfer.annex_len) != 0)
		return -ENOENT;
	rc = doc_open(s, kind, make, r->xfer.off);
	if (rc < 0)
		return rc;
	if (r->xfer.off > s->doc.len)
		return -EINVAL;
	text = strbuf_str(&s->doc) + r->xfer.off;
	left = s->doc.len - (size_t)r->xfer.off;
	n = rsp_escape_fit(text, (size_t)MIN(r->xfer.len, left), PKT_SIZE - 1);
	rsp_out_str(out, n < left ? "m" : "l");
	rsp_out_bytes(out, text, n);
	return 0;
}

int h_xfer_features(struct session *s, const struct rsp_req *r, struct rsp_out *out)
{
	return doc_read(s, DOC_FEATURES, doc_features, "target.xml", r, out);
}

int h_xfer_memory_map(struct session *s, const struct rsp_req *r, struct rsp_out *out)
{
	return doc_read(s, DOC_MEMORY_MAP, doc_memory_map, "", r, out);
}

int h_xfer_threads(struct session *s, const struct rsp_req *r, struct rsp_out *out)
{
	return doc_read(s, DOC_THREADS, doc_threads, "", r, out);
}
