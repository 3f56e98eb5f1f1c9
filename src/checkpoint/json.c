/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One line of JSON for each record. Written by hand: a guest may write 100,000 of them in a second. */
#include <inttypes.h>
#include <time.h>

#include "checkpoint/internal.h"
#include "checkpoint/outcome.h"

const char *const checkpoint_mode_names[CHECKPOINT_NMODES] = {
	[CHECKPOINT_EXACT] = "exact",
	[CHECKPOINT_COALESCED] = "coalesced",
	[CHECKPOINT_TRACED] = "traced",
	[CHECKPOINT_TCG] = "tcg",
};
const char *const checkpoint_mark_names[CHECKPOINT_NKINDS] = {
	[CHECKPOINT_LOST] = "lost",
	[CHECKPOINT_CUT] = "cut",
	[CHECKPOINT_VERDICT] = "verdict",
};

static uint64_t now_ns(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return (uint64_t)t.tv_sec * NS_PER_S + (uint64_t)t.tv_nsec;
}

uint64_t checkpoint_now_ns(void)
{
	return now_ns(CLOCK_MONOTONIC);
}

static void add_seconds(struct strbuf *out, const char *key, uint64_t ns)
{
	strbuf_addf(out, "\"%s\":%" PRIu64 ".%09" PRIu64, key, ns / NS_PER_S, ns % NS_PER_S);
}

/* Bytes above 0x7f would have to be UTF-8. */
static void add_quoted(struct strbuf *out, const char *s)
{
	strbuf_addc(out, '"');
	for (; *s; s++) {
		if (*s == '"' || *s == '\\')
			strbuf_addc(out, '\\');
		if (*s == '\n')
			strbuf_adds(out, "\\n");
		else
			strbuf_addc(out, *s >= ' ' && *s <= '~' ? *s : '.');
	}
	strbuf_addc(out, '"');
}

void checkpoint_json_string(struct strbuf *out, const char *key, const char *value)
{
	add_quoted(out, key);
	strbuf_addc(out, ':');
	add_quoted(out, value);
}

/* One that there may be. */
static void add_string(struct strbuf *out, const char *key, const char *s)
{
	if (!s)
		return;
	strbuf_addc(out, ',');
	checkpoint_json_string(out, key, s);
}

void checkpoint_json_header(struct strbuf *out)
{
	strbuf_addf(out, "{\"gdbvm\":\"checkpoints\",\"version\":%d,", CHECKPOINT_VERSION);
	add_seconds(out, "t", checkpoint_now_ns());
	strbuf_addc(out, ',');
	add_seconds(out, "epoch", now_ns(CLOCK_REALTIME));
	strbuf_adds(out, "}\n");
}

static void add_where(struct strbuf *out, const struct checkpoint_record *rec)
{
	if (rec->vcpu >= 0)
		strbuf_addf(out, ",\"vcpu\":%d", rec->vcpu);
	if (rec->has_pc)
		strbuf_addf(out, ",\"pc\":\"0x%" PRIx64 "\"", rec->pc);
	strbuf_addf(out, ",\"%s\":\"0x%" PRIx64 "\"", rec->mmio ? "mmio" : "port", rec->port);
}

static void add_write(struct strbuf *out, const struct checkpoint_record *rec)
{
	add_where(out, rec);
	strbuf_addf(out, ",\"size\":%u,\"value\":\"0x%" PRIx64 "\",\"mode\":\"%s\"", rec->size, rec->value,
		    checkpoint_mode_names[rec->mode]);
}

static void add_text(struct strbuf *out, const struct checkpoint_record *rec)
{
	add_where(out, rec);
	add_string(out, "text", rec->text ?: "");
}

static void add_mark(struct strbuf *out, const struct checkpoint_record *rec)
{
	strbuf_addf(out, ",\"mark\":\"%s\"", checkpoint_mark_names[rec->kind]);
	if (rec->kind == CHECKPOINT_VERDICT) {
		add_string(out, "verdict", checkpoint_verdict_names[rec->value]);
		add_string(out, "text", rec->text ?: "");
	} else {
		strbuf_addf(out, ",\"count\":%" PRIu64, rec->value);
	}
}

static void add_label(struct strbuf *out, const struct checkpoint_label *l)
{
	add_string(out, "name", l->name);
	add_string(out, "source", l->source);
	add_string(out, "noise", l->noise);
	add_string(out, "part", l->part);
	add_string(out, "broken", l->broken);
	if (l->first)
		strbuf_addf(out, ",\"first\":%" PRIu64, l->first);
	for (unsigned i = 0; i < l->nfields; i++) {
		strbuf_adds(out, i ? "," : ",\"fields\":{");
		checkpoint_json_string(out, l->field[i].name, l->field[i].value);
	}
	if (l->nfields)
		strbuf_addc(out, '}');
}

void checkpoint_json_add(struct strbuf *out, const struct checkpoint_record *rec, const struct checkpoint_label *label)
{
	strbuf_addc(out, '{');
	if (rec->seq)
		strbuf_addf(out, "\"seq\":%" PRIu64 ",", rec->seq);
	add_seconds(out, "t", rec->ns);
	if (rec->kind == CHECKPOINT_WRITE)
		add_write(out, rec);
	else if (rec->kind == CHECKPOINT_TEXT)
		add_text(out, rec);
	else
		add_mark(out, rec);
	if (label)
		add_label(out, label);
	strbuf_adds(out, "}\n");
}

void checkpoint_text_add(struct strbuf *out, const struct checkpoint_record *rec)
{
	if (rec->kind == CHECKPOINT_WRITE)
		strbuf_addf(out, "%s%" PRIx64 ": write 0x%0*" PRIx64 "\n", rec->mmio ? "mmio" : "port", rec->port,
			    2 * rec->size, rec->value);
}
