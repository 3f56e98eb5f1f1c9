/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The data of the page; src/checkpoint/report/records.js reads them. */
#include "checkpoint/report.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "checkpoint/internal.h"
#include "checkpoint/outcome.h"

/* As the script knows them. */
enum row_kind { ROW_CHECKPOINT, ROW_NOISE, ROW_TEXT, ROW_LOST, ROW_CUT, ROW_VERDICT };

/* Numbers of JavaScript are exact up to here: 104 days of nanoseconds. */
#define NUMBER_MAX ((UINT64_C(1) << 53) - 1)

/* In a script element nothing but "<" could begin markup. */
static void add_string(struct strbuf *out, const char *s)
{
	if (!s) {
		strbuf_adds(out, "null");
		return;
	}
	strbuf_addc(out, '"');
	for (; *s; s++) {
		if (*s == '<')
			strbuf_adds(out, "\\u003c");
		else if (*s == '"' || *s == '\\')
			strbuf_addf(out, "\\%c", *s);
		else if (*s == '\n')
			strbuf_adds(out, "\\n");
		else
			strbuf_addc(out, *s >= ' ' && *s <= '~' ? *s : '.');
	}
	strbuf_addc(out, '"');
}

static enum row_kind kind_of(const struct checkpoint_entry *e)
{
	switch (e->rec.kind) {
	case CHECKPOINT_TEXT:
		return ROW_TEXT;
	case CHECKPOINT_LOST:
		return ROW_LOST;
	case CHECKPOINT_CUT:
		return ROW_CUT;
	case CHECKPOINT_VERDICT:
		return ROW_VERDICT;
	default:
		return e->label.noise ? ROW_NOISE : ROW_CHECKPOINT;
	}
}

/* What the row is called; NULL: its value is all there is. */
static void add_name(struct strbuf *out, const struct checkpoint_entry *e)
{
	char text[64];

	if (e->rec.kind == CHECKPOINT_LOST)
		snprintf(text, sizeof(text), "%" PRIu64 " records are lost", e->rec.value);
	if (e->rec.kind == CHECKPOINT_CUT)
		snprintf(text, sizeof(text), "cut at %" PRIu64 " bytes", e->rec.value);
	if (e->rec.kind == CHECKPOINT_LOST || e->rec.kind == CHECKPOINT_CUT)
		add_string(out, text);
	else if (e->rec.kind == CHECKPOINT_VERDICT)
		add_string(out, checkpoint_verdict_names[e->rec.value]);
	else
		add_string(out, e->rec.kind == CHECKPOINT_TEXT ? e->rec.text : e->label.name);
}

static void add_hex(struct strbuf *out, const char *prefix, bool there, uint64_t value)
{
	if (there)
		strbuf_addf(out, ",\"%s0x%" PRIx64 "\"", prefix, value);
	else
		strbuf_adds(out, ",null");
}

static void add_fields(struct strbuf *out, const struct checkpoint_label *l)
{
	for (unsigned i = 0; i < l->nfields; i++) {
		strbuf_adds(out, i ? ",[" : ",[[");
		add_string(out, l->field[i].name);
		strbuf_addc(out, ',');
		add_string(out, l->field[i].value);
		strbuf_addc(out, ']');
	}
	if (l->nfields)
		strbuf_addc(out, ']');
}

static const char *note_of(const struct checkpoint_entry *e)
{
	if (e->rec.kind == CHECKPOINT_VERDICT)
		return e->rec.text;
	if (e->label.noise || e->label.broken)
		return e->label.noise ?: e->label.broken;
	return e->rec.kind == CHECKPOINT_WRITE && !e->label.name ? e->label.part : NULL;
}

/* vCPU, kind, port, size, pc, name, source, note, fields */
static void add_thing(struct strbuf *out, const struct checkpoint_file *f, const struct checkpoint_entry *e)
{
	strbuf_addf(out, "[%d,%d", e->rec.vcpu, kind_of(e));
	add_hex(out, e->rec.mmio ? "mmio " : "", e->rec.seq, e->rec.port);
	strbuf_addf(out, ",%u", e->rec.kind == CHECKPOINT_WRITE ? checkpoint_file_head(f, e)->rec.size : 0);
	add_hex(out, "", e->rec.has_pc, e->rec.pc);
	strbuf_addc(out, ',');
	add_name(out, e);
	strbuf_addc(out, ',');
	add_string(out, e->label.source);
	strbuf_addc(out, ',');
	add_string(out, note_of(e));
	add_fields(out, &e->label);
	strbuf_addc(out, ']');
}

/* ---- what is known of a record but its number, time and value: mostly it was so before ---- */

struct things {
	struct strbuf text; // all of them, each behind ",\n"
	struct thing {
		size_t at, len;
	} * thing;
	size_t n;
	size_t *slot; // by hash: number of a thing, from 1
	size_t nslots;
};

static void things_deinit(struct things *t)
{
	strbuf_deinit(&t->text);
	free(t->thing);
	free(t->slot);
}

/* FNV-1a. */
static uint64_t hash_of(const char *p, size_t n)
{
	uint64_t hash = UINT64_C(14695981039346656037);

	for (size_t i = 0; i < n; i++)
		hash = (hash ^ (uint8_t)p[i]) * UINT64_C(1099511628211);
	return hash;
}

/* The slot that has what is at @p, or where it is to be put. */
static size_t *slot_of(const struct things *t, const char *p, size_t n)
{
	size_t i = hash_of(p, n) & (t->nslots - 1);

	for (; t->slot[i]; i = (i + 1) & (t->nslots - 1)) {
		const struct thing *x = &t->thing[t->slot[i] - 1];

		if (x->len == n && memcmp(t->text.s + x->at, p, n) == 0)
			break;
	}
	return &t->slot[i];
}

static bool things_grow(struct things *t)
{
	const size_t nslots = t->nslots ? 2 * t->nslots : 256;
	struct thing *thing = reallocarray(t->thing, nslots / 2, sizeof(*thing));
	size_t *slot = thing ? calloc(nslots, sizeof(*slot)) : NULL;

	t->thing = thing ?: t->thing;
	if (!slot)
		return false;
	free(t->slot);
	t->slot = slot;
	t->nslots = nslots;
	for (size_t i = 0; i < t->n; i++)
		*slot_of(t, t->text.s + t->thing[i].at, t->thing[i].len) = i + 1;
	return true;
}

/* The number of what is at the end of the text, from @at on; it goes if there is one like it. */
static size_t things_take(struct things *t, size_t at)
{
	const size_t from = at + strlen(",\n");

	if (t->text.oom || (2 * t->n >= t->nslots && !things_grow(t))) {
		t->text.oom = true;
		return 0;
	}
	size_t *slot = slot_of(t, t->text.s + from, t->text.len - from);
	if (*slot) {
		t->text.len = at;
	} else {
		t->thing[t->n] = (struct thing){ from, t->text.len - from };
		*slot = ++t->n;
	}
	return *slot - 1;
}

/* ---- boots ---- */

/* Beyond the numbers of JavaScript it is text. */
static void add_value(struct strbuf *out, const struct checkpoint_file *f, const struct checkpoint_entry *e)
{
	const uint64_t value = e->rec.kind == CHECKPOINT_WRITE ? checkpoint_file_head(f, e)->rec.value : 0;

	strbuf_addf(out, value > NUMBER_MAX ? ",\"%" PRIx64 "\"" : ",%" PRIu64, value);
}

/* How much more number and time are than those of the row before; the thing; the value. */
static void add_rows(struct strbuf *out, const struct checkpoint_file *f, const bool *part, struct things *things,
		     size_t *place)
{
	int64_t seq = 0, ns = 0;
	size_t rows = 0;

	for (size_t i = 0; i < f->n; i++) {
		const struct checkpoint_record *rec = &f->entry[i].rec;
		const uint64_t start = f->entry[0].rec.ns;
		const int64_t now = (int64_t)MIN(rec->ns > start ? rec->ns - start : 0, NUMBER_MAX);
		const size_t at = things->text.len;

		place[i] = rows;
		if (part[i])
			continue;
		strbuf_adds(&things->text, ",\n");
		add_thing(&things->text, f, &f->entry[i]);
		strbuf_addf(out, "%s%" PRId64 ",%" PRId64 ",%zu", rows++ ? "," : "",
			    (int64_t)MIN(rec->seq, NUMBER_MAX) - seq, now - ns, things_take(things, at));
		add_value(out, f, &f->entry[i]);
		seq = (int64_t)MIN(rec->seq, NUMBER_MAX);
		ns = now;
	}
}

/* @place: filled: which row each entry is. */
static void add_boot(struct strbuf *out, const struct checkpoint_report *r, unsigned boot, struct things *things,
		     size_t *place)
{
	const struct checkpoint_file *f = r->file[boot];
	_cleanup_(freep) bool *part = checkpoint_file_parts(f);

	strbuf_adds(out, boot ? ",\n{\"file\":" : "\n{\"file\":");
	add_string(out, r->name[boot]);
	strbuf_addf(out, ",\"epoch\":%" PRIu64 ",\"torn\":%s,\"rows\":[", f->epoch_ns / NS_PER_S,
		    f->torn ? "true" : "false");
	out->oom |= !part;
	if (part)
		add_rows(out, f, part, things, place);
	strbuf_adds(out, "]}");
}

/* How much farther the row is than @last; 0: there is none. */
static void add_place(struct strbuf *out, const struct checkpoint_file *f, const struct checkpoint_entry *e,
		      const size_t *place, int64_t *last)
{
	const int64_t row = e ? (int64_t)place[e - f->entry] : *last;

	strbuf_addf(out, "%" PRId64 ",", row - *last);
	*last = row;
}

/* Row in A, row in B, how long it lasted in A, in B, whether the data differ. */
static void add_pairs(struct strbuf *out, const struct checkpoint_diff *d, const size_t *in_a, const size_t *in_b)
{
	int64_t last_a = -1, last_b = -1;
	bool any = false;

	for (size_t i = 0; i < d->n; i++) {
		const struct checkpoint_diff_row *row = &d->row[i];

		if (!row->a && !row->b)
			continue;
		strbuf_adds(out, any ? "," : "");
		add_place(out, d->a, row->a, in_a, &last_a);
		add_place(out, d->b, row->b, in_b, &last_b);
		strbuf_addf(out, "%" PRIu64 ",%" PRIu64 ",%d", MIN(row->a_ns, NUMBER_MAX), MIN(row->b_ns, NUMBER_MAX),
			    row->other_data);
		any = true;
	}
}

void checkpoint_report_html(struct strbuf *out, const struct checkpoint_report *r)
{
	const size_t n = r->file[0]->n;
	_cleanup_(freep) size_t *place = calloc(n + (r->n > 1 ? r->file[1]->n : 0) + 1, sizeof(*place));

	if (!place) {
		out->oom = true;
		return;
	}
	_cleanup_(things_deinit) struct things things = { 0 };
	strbuf_adds(out, checkpoint_report_head);
	strbuf_adds(out, "{\"boots\":[");
	for (unsigned i = 0; i < r->n; i++)
		add_boot(out, r, i, &things, place + i * n);
	strbuf_adds(out, "],\"things\":[");
	if (things.text.len)
		strbuf_add(out, things.text.s + 1, things.text.len - 1); // what was taken back is behind
	out->oom |= things.text.oom;
	strbuf_adds(out, "],\"pairs\":[");
	if (r->diff)
		add_pairs(out, r->diff, place, place + n);
	strbuf_adds(out, "]}");
	strbuf_adds(out, checkpoint_report_tail);
}
