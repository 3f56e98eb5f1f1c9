/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The data of the page; src/checkpoint/report/records.js reads them. */
#include "checkpoint/report.h"

#include <inttypes.h>
#include <stdio.h>

#include "checkpoint/internal.h"
#include "checkpoint/outcome.h"

/* As the script knows them. */
enum row_kind { ROW_CHECKPOINT, ROW_NOISE, ROW_TEXT, ROW_LOST, ROW_CUT, ROW_VERDICT };

/* Numbers of JavaScript are exact up to here: 104 days. */
#define NS_MAX ((UINT64_C(1) << 53) - 1)

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

static void add_hex(struct strbuf *out, const char *prefix, bool there, uint64_t value, int digits)
{
	if (there)
		strbuf_addf(out, ",\"%s0x%0*" PRIx64 "\"", prefix, digits, value);
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

/* seq, time, vCPU, kind, port, value, pc, name, source, note, fields */
static void add_row(struct strbuf *out, const struct checkpoint_file *f, const struct checkpoint_entry *e)
{
	const uint64_t start = f->entry[0].rec.ns, ns = e->rec.ns > start ? e->rec.ns - start : 0;
	const struct checkpoint_record *head = &checkpoint_file_head(f, e)->rec;
	const bool is_write = e->rec.kind == CHECKPOINT_WRITE;

	strbuf_addf(out, "[%" PRIu64 ",%" PRIu64 ",%d,%d", MIN(e->rec.seq, NS_MAX), MIN(ns, NS_MAX), e->rec.vcpu,
		    kind_of(e));
	add_hex(out, e->rec.mmio ? "mmio " : "", e->rec.seq, e->rec.port, 1);
	add_hex(out, "", is_write, head->value, 2 * head->size);
	add_hex(out, "", e->rec.has_pc, e->rec.pc, 1);
	strbuf_addc(out, ',');
	add_name(out, e);
	strbuf_addc(out, ',');
	add_string(out, e->label.source);
	strbuf_addc(out, ',');
	add_string(out, note_of(e));
	add_fields(out, &e->label);
	strbuf_addc(out, ']');
}

/* @place: filled: which row each entry is. */
static void add_boot(struct strbuf *out, const struct checkpoint_report *r, unsigned boot, size_t *place)
{
	const struct checkpoint_file *f = r->file[boot];
	_cleanup_(freep) bool *part = checkpoint_file_parts(f);
	size_t rows = 0;

	strbuf_adds(out, boot ? ",\n{\"file\":" : "\n{\"file\":");
	add_string(out, r->name[boot]);
	strbuf_addf(out, ",\"epoch\":%" PRIu64 ",\"torn\":%s,\"rows\":[", f->epoch_ns / NS_PER_S,
		    f->torn ? "true" : "false");
	out->oom |= !part;
	for (size_t i = 0; part && i < f->n; i++) {
		place[i] = rows;
		if (part[i])
			continue;
		strbuf_adds(out, rows++ ? ",\n" : "\n");
		add_row(out, f, &f->entry[i]);
	}
	strbuf_adds(out, "]}");
}

static void add_place(struct strbuf *out, const struct checkpoint_file *f, const struct checkpoint_entry *e,
		      const size_t *place)
{
	if (e)
		strbuf_addf(out, "%zu,", place[e - f->entry]);
	else
		strbuf_adds(out, "-1,");
}

/* Row in A, row in B, how long it lasted in A, in B, whether the data differ. */
static void add_pairs(struct strbuf *out, const struct checkpoint_diff *d, const size_t *in_a, const size_t *in_b)
{
	bool any = false;

	for (size_t i = 0; i < d->n; i++) {
		const struct checkpoint_diff_row *row = &d->row[i];

		if (!row->a && !row->b)
			continue;
		strbuf_adds(out, any ? ",\n[" : "\n[");
		add_place(out, d->a, row->a, in_a);
		add_place(out, d->b, row->b, in_b);
		strbuf_addf(out, "%" PRIu64 ",%" PRIu64 ",%d]", MIN(row->a_ns, NS_MAX), MIN(row->b_ns, NS_MAX),
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
	strbuf_adds(out, checkpoint_report_head);
	strbuf_adds(out, "{\"boots\":[");
	for (unsigned i = 0; i < r->n; i++)
		add_boot(out, r, i, place + i * n);
	strbuf_adds(out, "],\"pairs\":[");
	if (r->diff)
		add_pairs(out, r->diff, place, place + n);
	strbuf_adds(out, "]}");
	strbuf_adds(out, checkpoint_report_tail);
}
