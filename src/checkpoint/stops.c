/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "checkpoint/stops.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "checkpoint/frame.h"
#include "checkpoint/labels.h"
#include "util/macros.h"

struct checkpoint_stops {
	const struct checkpoint_names *names;
	struct checkpoint_labels *labels;
	struct checkpoint_stop stop[CHECKPOINT_STOPS_MAX];
	unsigned n, last_number;
};

int checkpoint_stops_create(const struct checkpoint_names *names, struct checkpoint_stops **ret)
{
	struct checkpoint_stops *s = calloc(1, sizeof(*s));
	const int rc = s ? checkpoint_labels_create(names, &s->labels) : -ENOMEM;

	if (rc < 0) {
		free(s);
		return rc;
	}
	s->names = names;
	*ret = s;
	return 0;
}

void checkpoint_stops_destroy(struct checkpoint_stops *s)
{
	if (!s)
		return;
	checkpoint_labels_destroy(s->labels);
	free(s);
}

/* ---- the list ---- */

int checkpoint_stops_add(struct checkpoint_stops *s, struct checkpoint_stop *stop)
{
	for (unsigned i = 0; i < s->n; i++) {
		const struct checkpoint_stop *x = &s->stop[i];

		if (x->kind == stop->kind && x->value == stop->value && strcmp(x->name, stop->name) == 0) {
			*stop = *x;
			return 0;
		}
	}
	if (s->n == CHECKPOINT_STOPS_MAX)
		return -ENOSPC;
	stop->number = ++s->last_number;
	s->stop[s->n++] = *stop;
	return 0;
}

int checkpoint_stops_remove(struct checkpoint_stops *s, unsigned number)
{
	for (unsigned i = 0; i < s->n; i++) {
		if (s->stop[i].number != number)
			continue;
		memmove(&s->stop[i], &s->stop[i + 1], (--s->n - i) * sizeof(s->stop[0]));
		return 0;
	}
	return -ENOENT;
}

const struct checkpoint_stop *checkpoint_stops_list(const struct checkpoint_stops *s, unsigned *n)
{
	*n = s->n;
	return s->stop;
}

bool checkpoint_can_be_called(const struct checkpoint_names *names, const char *name)
{
	return (names && checkpoint_names_knows(names, name)) || frame_is_kind_name(name);
}

void checkpoint_stop_describe(const struct checkpoint_stops *s, const struct checkpoint_stop *stop, struct strbuf *out)
{
	static const char *const kind[] = { "value", "name", "record" };
	static const enum checkpoint_space space[] = {
		[CHECKPOINT_STOP_VALUE] = CHECKPOINT_NAME_VALUE, [CHECKPOINT_STOP_RECORD] = CHECKPOINT_NAME_RECORD
	};
	const struct checkpoint_name *known = NULL;

	strbuf_adds(out, kind[stop->kind]);
	if (stop->kind == CHECKPOINT_STOP_NAME) {
		strbuf_addf(out, " %s", stop->name);
		return;
	}
	strbuf_addf(out, stop->kind == CHECKPOINT_STOP_VALUE ? " 0x%02" PRIx64 : " 0x%" PRIx64, stop->value);
	if (s->names)
		known = checkpoint_names_find(s->names, space[stop->kind], stop->value);
	if (known)
		strbuf_addf(out, ", %s", known->name);
}

/* ---- records ---- */

/* Is it the last byte of a sequence or a frame? */
static bool is_end(const struct checkpoint_label *l)
{
	return l->first && !l->broken;
}

static bool is_frame_with(const struct checkpoint_label *l, uint64_t id)
{
	return is_end(l) && l->nfields && strcmp(l->part, "frame") == 0 && strcmp(l->field[0].name, "id") == 0 &&
	       strtoull(l->field[0].value, NULL, 16) == id;
}

static bool is_wanted(const struct checkpoint_stop *stop, const struct checkpoint_record *rec,
		      const struct checkpoint_label *l)
{
	switch (stop->kind) {
	case CHECKPOINT_STOP_VALUE:
		return rec->value == stop->value && !l->noise;
	case CHECKPOINT_STOP_NAME:
		return l->name && (!l->part || is_end(l)) && strcmp(l->name, stop->name) == 0;
	case CHECKPOINT_STOP_RECORD:
		return is_frame_with(l, stop->value);
	}
	return false;
}

static void add_what(struct strbuf *out, const struct checkpoint_record *rec, const struct checkpoint_label *l)
{
	if (!is_end(l))
		strbuf_addf(out, " 0x%0*" PRIx64, 2 * rec->size, rec->value);
	if (l->name)
		strbuf_addf(out, " %s", l->name);
	for (unsigned i = 0; i < l->nfields; i++)
		strbuf_addf(out, " %s=%s", l->field[i].name, l->field[i].value);
	if (l->part && !l->name)
		strbuf_addf(out, " (of %s)", l->part);
}

/* What it is may be long; where it came from is told in any case. */
static void describe(const struct checkpoint_record *rec, const struct checkpoint_label *l, char *text, size_t size)
{
	_cleanup_(strbuf_deinit) struct strbuf what = { 0 };
	char where[80], pc[32] = "";

	if (rec->has_pc)
		snprintf(pc, sizeof(pc), ", pc 0x%" PRIx64, rec->pc);
	snprintf(where, sizeof(where), ", %s 0x%" PRIx64 ", vCPU %d%s", rec->mmio ? "address" : "port", rec->port,
		 rec->vcpu, pc);
	strbuf_addf(&what, "checkpoint %" PRIu64 ":", rec->seq);
	add_what(&what, rec, l);

	const size_t room = size - MIN(size, strlen(where) + sizeof("..."));
	const bool fits = what.len <= room;
	snprintf(text, size, "%.*s%s%s", (int)MIN(what.len, room), strbuf_str(&what), fits ? "" : "...", where);
}

unsigned checkpoint_stops_hear(struct checkpoint_stops *s, const struct checkpoint_record *rec, char *text, size_t size)
{
	struct checkpoint_label l;
	unsigned number = 0;

	checkpoint_labels_of(s->labels, rec, &l);
	if (rec->kind != CHECKPOINT_WRITE)
		return 0;
	for (unsigned i = 0; i < s->n; i++) {
		if (!is_wanted(&s->stop[i], rec, &l))
			continue;
		s->stop[i].hits++;
		number = number ?: s->stop[i].number;
	}
	if (number)
		describe(rec, &l, text, size);
	return number;
}

void checkpoint_stops_heard(void *stops, const struct checkpoint_record *rec)
{
	struct checkpoint_stops *s = stops;
	struct checkpoint_label l;

	checkpoint_labels_of(s->labels, rec, &l);
}
