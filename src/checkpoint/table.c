/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "checkpoint/file.h"
#include "checkpoint/internal.h"

enum { VALUE_SHOWN = 66 }; // "0x" and 32 bytes

/* Files may be from anywhere. */
static void add_printable(struct strbuf *out, const char *s, size_t max)
{
	for (; *s && max; s++, max--)
		strbuf_addc(out, *s >= ' ' && *s <= '~' ? *s : '.');
	if (*s)
		strbuf_adds(out, "...");
}

static void add_time(struct strbuf *out, uint64_t ns, uint64_t since, const char *sign)
{
	char text[40];
	const uint64_t us = (ns > since ? ns - since : 0) / 1000;

	snprintf(text, sizeof(text), "%s%" PRIu64 ".%06" PRIu64, sign, us / 1000000, us % 1000000);
	strbuf_addf(out, "  %11s", text);
}

static void add_fields(struct strbuf *out, const struct checkpoint_label *l)
{
	for (unsigned i = 0; i < l->nfields; i++) {
		strbuf_addc(out, ' ');
		add_printable(out, l->field[i].name, VALUE_SHOWN);
		strbuf_addc(out, '=');
		add_printable(out, l->field[i].value, VALUE_SHOWN);
	}
}

void checkpoint_what_add(struct strbuf *out, const struct checkpoint_entry *e)
{
	const struct checkpoint_label *l = &e->label;

	if (e->rec.kind == CHECKPOINT_TEXT) {
		strbuf_addc(out, ' ');
		add_printable(out, e->rec.text ?: "", SIZE_MAX);
		return;
	}
	if (l->name) {
		strbuf_addc(out, ' ');
		add_printable(out, l->name, SIZE_MAX);
	} else if (l->part) {
		strbuf_adds(out, " (of ");
		add_printable(out, l->part, SIZE_MAX);
		strbuf_addc(out, ')');
	}
	add_fields(out, l);
	if (l->noise) {
		strbuf_adds(out, " noise: ");
		add_printable(out, l->noise, SIZE_MAX);
	}
	if (l->broken) {
		strbuf_adds(out, " broken: ");
		add_printable(out, l->broken, SIZE_MAX);
	}
	if (l->source) {
		strbuf_adds(out, " at ");
		add_printable(out, l->source, SIZE_MAX);
	}
}

static void add_value(struct strbuf *out, const struct checkpoint_record *rec)
{
	char text[24] = "text";

	if (rec->kind == CHECKPOINT_WRITE)
		snprintf(text, sizeof(text), "0x%0*" PRIx64, 2 * rec->size, rec->value);
	strbuf_addf(out, "  %10s", text);
}

static void add_row(struct strbuf *out, const struct checkpoint_file *f, const struct checkpoint_entry *e,
		    uint64_t since_ns, uint64_t before_ns)
{
	char vcpu[8] = "-", pc[24] = "-";

	strbuf_addf(out, "%7" PRIu64, e->rec.seq);
	add_time(out, e->rec.ns, since_ns, "");
	add_time(out, e->rec.ns, before_ns, "+");
	if (e->rec.vcpu >= 0)
		snprintf(vcpu, sizeof(vcpu), "%d", e->rec.vcpu);
	if (e->rec.has_pc)
		snprintf(pc, sizeof(pc), "0x%" PRIx64, e->rec.pc);
	strbuf_addf(out, "  %4s  %18s  %#6" PRIx64, vcpu, pc, e->rec.port);
	add_value(out, &checkpoint_file_head(f, e)->rec);
	const size_t before = out->len;
	strbuf_addc(out, ' ');
	checkpoint_what_add(out, e);
	if (out->len == before + 1)
		out->len = before;
	strbuf_addc(out, '\n');
}

static void add_missing(struct strbuf *out, uint64_t n)
{
	strbuf_addf(out, "--- %" PRIu64 " record%s lost here\n", n, n == 1 ? " is" : "s are");
}

static void add_lines(struct strbuf *out, const char *s)
{
	strbuf_adds(out, "--- ");
	for (; *s; s++)
		if (*s == '\n')
			strbuf_adds(out, "\n--- ");
		else
			strbuf_addc(out, *s >= ' ' && *s <= '~' ? *s : '.');
	strbuf_addc(out, '\n');
}

static void add_mark(struct strbuf *out, const struct checkpoint_record *rec)
{
	if (rec->kind == CHECKPOINT_LOST)
		add_missing(out, rec->value);
	else if (rec->kind == CHECKPOINT_VERDICT)
		add_lines(out, rec->text ?: "");
	else
		strbuf_addf(out, "--- the file was cut here, at its limit of %" PRIu64 " bytes\n", rec->value);
}

static bool is_mark(const struct checkpoint_entry *e)
{
	return e->rec.kind != CHECKPOINT_WRITE && e->rec.kind != CHECKPOINT_TEXT;
}

/* The number that comes behind @e if nothing is missing; 0: not known yet. */
static uint64_t seq_behind(const struct checkpoint_entry *e, uint64_t next)
{
	if (e->rec.seq)
		return e->rec.seq + 1;
	return next && e->rec.kind == CHECKPOINT_LOST ? next + e->rec.value : next;
}

/* The last @rows rows. @part: what has none; NULL: all have. */
static void add_rows(struct strbuf *out, const struct checkpoint_file *f, const bool *part, uint64_t since_ns,
		     size_t rows)
{
	uint64_t before_ns = f->n ? f->entry[0].rec.ns : 0, next = 0;
	size_t skip = 0;

	for (size_t i = 0; i < f->n; i++)
		skip += !part || !part[i];
	skip = skip > rows ? skip - rows : 0;
	strbuf_adds(out, "    seq         time        delta  vcpu                  pc    port       value  what\n");
	for (size_t i = 0; i < f->n; i++) {
		const struct checkpoint_entry *e = &f->entry[i];
		const bool gap = next && e->rec.seq > next;

		if (gap && !skip)
			add_missing(out, e->rec.seq - next);
		next = seq_behind(e, next);
		if (part && part[i])
			continue;
		if (!skip && is_mark(e))
			add_mark(out, &e->rec);
		else if (!skip)
			add_row(out, f, e, since_ns, before_ns);
		if (!is_mark(e))
			before_ns = e->rec.ns;
		skip -= !!skip;
	}
}

void checkpoint_table_add(struct strbuf *out, const struct checkpoint_file *f, bool all)
{
	_cleanup_(freep) bool *part = all ? NULL : checkpoint_file_parts(f);

	if (!part && !all) {
		out->oom = true;
		return;
	}
	add_rows(out, f, part, f->n ? f->entry[0].rec.ns : 0, f->n);
	if (f->torn)
		strbuf_adds(out, "--- the file ends in the middle of a line\n");
}

void checkpoint_table_add_last(struct strbuf *out, const struct checkpoint_file *f, uint64_t since_ns, size_t rows)
{
	_cleanup_(freep) bool *part = checkpoint_file_parts(f);

	if (part)
		add_rows(out, f, part, since_ns, rows);
	else
		out->oom = true;
}
