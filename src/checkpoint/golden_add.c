/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A golden file from a recording. */
#include <inttypes.h>
#include <string.h>

#include "checkpoint/golden.h"
#include "checkpoint/internal.h"
#include "checkpoint/outcome.h"
#include "checkpoint/units.h"
#include "util/cursor.h"

struct writer {
	struct strbuf *out;
	const struct checkpoint_record *first;
	bool several_vcpus, several_ports;
};

static bool is_word(const char *s)
{
	for (const char *c = s; *c; c++)
		if (*c <= ' ' || *c > '~' || *c == '*' || *c == '?' || *c == '#')
			return false;
	return *s;
}

/* Would it be read as a name? */
static bool is_name(const char *s)
{
	static const char *const others[] = { "noise", "text", "optional", "any", "end", "power-off", "..." };
	struct cur c = cur_init(s, strlen(s));

	for (size_t i = 0; i < ARRAY_LEN(others); i++)
		if (strcmp(s, others[i]) == 0)
			return false;
	cur_number(&c);
	return is_word(s) && !cur_done(&c);
}

/* Of frames: registers and memory are not the same in the next boot. */
static bool is_steady(const struct checkpoint_label *label, const struct checkpoint_field *x)
{
	return !checkpoint_is_framed(label) || strcmp(x->name, "id") == 0 || strcmp(x->name, "value") == 0;
}

static void add_fields(struct strbuf *out, const struct checkpoint_label *label)
{
	unsigned n = 0;

	for (unsigned i = 0; i < label->nfields && n < GOLDEN_FIELDS_MAX; i++) {
		const struct checkpoint_field *x = &label->field[i];

		if (!is_steady(label, x) || !is_word(x->name) || strchr(x->name, '=') || !is_word(x->value))
			continue;
		strbuf_addf(out, " %s=%s", x->name, x->value);
		n++;
	}
}

static void add_unit(void *arg, const struct checkpoint_record *rec, const struct checkpoint_label *label)
{
	const struct writer *w = arg;

	if (rec->kind != CHECKPOINT_WRITE || label->noise)
		return;
	if (label->nfields && is_name(label->name ?: ""))
		strbuf_adds(w->out, label->name);
	else
		strbuf_addf(w->out, "0x%0*" PRIx64, 2 * rec->size, rec->value);
	add_fields(w->out, label);
	if (w->several_vcpus && rec->vcpu >= 0)
		strbuf_addf(w->out, " vcpu %d", rec->vcpu);
	if (w->several_ports)
		strbuf_addf(w->out, " port 0x%" PRIx64, rec->port);
	if (!label->nfields && label->name && is_name(label->name))
		strbuf_addf(w->out, " # %s", label->name);
	strbuf_addc(w->out, '\n');
}

/* What is always the same is not worth saying. */
static void look_for_others(struct writer *w, const struct checkpoint_entry *e)
{
	if (e->rec.kind != CHECKPOINT_WRITE || e->label.noise)
		return;
	w->first = w->first ?: &e->rec;
	w->several_vcpus |= e->rec.vcpu != w->first->vcpu;
	w->several_ports |= e->rec.port != w->first->port;
}

/* Who takes this for what is right is to know what it is of. */
static void add_warning(struct strbuf *out, const struct checkpoint_record *rec)
{
	if (rec->kind == CHECKPOINT_LOST)
		strbuf_addf(out, "# %" PRIu64 " records are lost here\n", rec->value);
	if (rec->kind == CHECKPOINT_CUT)
		strbuf_adds(out, "# the recording was cut here, at its limit\n");
	if (rec->kind == CHECKPOINT_VERDICT && rec->value != VERDICT_MATCHED)
		strbuf_addf(out, "# this boot %s\n", checkpoint_verdict_names[rec->value]);
}

void golden_add(struct strbuf *out, const struct checkpoint_file *f)
{
	struct writer w = { .out = out };
	struct checkpoint_units *units;

	if (checkpoint_units_create(&units) < 0) {
		out->oom = true;
		return;
	}
	for (size_t i = 0; i < f->n; i++)
		look_for_others(&w, &f->entry[i]);
	for (size_t i = 0; i < f->n; i++) {
		checkpoint_units_feed(units, &f->entry[i].rec, &f->entry[i].label, add_unit, &w);
		add_warning(out, &f->entry[i].rec);
	}
	if (f->torn)
		strbuf_adds(out, "# the recording ends in the middle of a line\n");
	checkpoint_units_destroy(units);
}
