/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "checkpoint/labels.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "checkpoint/frame.h"
#include "checkpoint/internal.h"
#include "util/macros.h"

enum { STREAMS_MAX = 256 };

/* What one vCPU writes to one port. */
struct stream {
	int16_t vcpu;
	uint64_t port;
	const struct checkpoint_sequence *sequence; // whose data follow; NULL: none
	unsigned have;
	uint8_t data[CHECKPOINT_SEQUENCE_BYTES];
	uint64_t sequence_first, frame_first; // numbers of their first records
	struct frame frame;
};

struct checkpoint_labels {
	const struct checkpoint_names *names;
	struct stream *stream[STREAMS_MAX];
	unsigned nstreams;
	struct strbuf text; // NAME NUL VALUE NUL of the fields
	struct checkpoint_field field[CHECKPOINT_FIELDS_MAX];
};

int checkpoint_labels_create(const struct checkpoint_names *names, struct checkpoint_labels **ret)
{
	struct checkpoint_labels *l = calloc(1, sizeof(*l));

	if (!l)
		return -ENOMEM;
	l->names = names;
	*ret = l;
	return 0;
}

void checkpoint_labels_destroy(struct checkpoint_labels *l)
{
	if (!l)
		return;
	for (unsigned i = 0; i < l->nstreams; i++)
		free(l->stream[i]);
	strbuf_deinit(&l->text);
	free(l);
}

/* NULL: there are too many, and the rest is not decoded. */
static struct stream *stream_of(struct checkpoint_labels *l, const struct checkpoint_record *rec)
{
	for (unsigned i = 0; i < l->nstreams; i++)
		if (l->stream[i]->vcpu == rec->vcpu && l->stream[i]->port == rec->port)
			return l->stream[i];
	if (l->nstreams == STREAMS_MAX || !(l->stream[l->nstreams] = calloc(1, sizeof(struct stream))))
		return NULL;
	l->stream[l->nstreams]->vcpu = rec->vcpu;
	l->stream[l->nstreams]->port = rec->port;
	return l->stream[l->nstreams++];
}

static void add_field(struct checkpoint_labels *l, const char *name, uint64_t value)
{
	strbuf_add(&l->text, name, strlen(name) + 1);
	strbuf_addf(&l->text, "0x%" PRIx64, value);
	strbuf_addc(&l->text, '\0');
}

/* The first @n fields of l->text. */
static void set_fields(struct checkpoint_labels *l, unsigned n, struct checkpoint_label *out)
{
	const char *p = l->text.s;

	if (l->text.oom)
		return;
	for (unsigned i = 0; i < n; i++) {
		l->field[i].name = p;
		p += strlen(p) + 1;
		l->field[i].value = p;
		p += strlen(p) + 1;
	}
	out->field = l->field;
	out->nfields = n;
}

static void set_name(struct checkpoint_labels *l, uint32_t space, uint64_t key, struct checkpoint_label *out)
{
	const struct checkpoint_name *x = l->names ? checkpoint_names_find(l->names, space, key) : NULL;

	if (!x)
		return;
	out->name = x->name;
	out->source = x->source;
}

/* ---- sequences ---- */

static uint64_t field_value(const uint8_t *p, unsigned bytes, bool big_endian)
{
	uint64_t v = 0;

	for (unsigned i = 0; i < bytes; i++)
		v = v << 8 | p[big_endian ? i : bytes - 1 - i];
	return v;
}

/* All of it is there: its name is what a field means, or else that of the sequence. */
static void end_sequence(struct checkpoint_labels *l, struct stream *s, struct checkpoint_label *out)
{
	const struct checkpoint_sequence *q = s->sequence;
	const uint8_t *p = s->data;

	s->sequence = NULL;
	out->first = s->sequence_first;
	for (unsigned i = 0; i < q->nfields; p += q->field[i++].bytes) {
		const uint64_t v = field_value(p, q->field[i].bytes, q->field[i].big_endian);

		add_field(l, checkpoint_names_field(l->names, q->field[i].id), v);
		if (!out->name)
			set_name(l, CHECKPOINT_NAME_FIELD + q->field[i].id, v, out);
	}
	if (!out->name)
		out->name = q->name;
	set_fields(l, q->nfields, out);
}

static bool feed_sequence(struct checkpoint_labels *l, struct stream *s, const struct checkpoint_record *rec,
			  struct checkpoint_label *out)
{
	if (s->sequence) {
		out->part = s->sequence->name;
		s->data[s->have++] = (uint8_t)rec->value;
		if (s->have == s->sequence->bytes)
			end_sequence(l, s, out);
		return true;
	}
	s->sequence = l->names ? checkpoint_names_sequence(l->names, rec->value) : NULL;
	if (!s->sequence)
		return false;
	s->have = 0;
	s->sequence_first = rec->seq;
	out->name = out->part = s->sequence->name;
	return true;
}

/* ---- frames ---- */

static const char frame_part[] = "frame";

bool checkpoint_is_framed(const struct checkpoint_label *label)
{
	return label->part && strcmp(label->part, frame_part) == 0;
}

static void end_frame(struct checkpoint_labels *l, struct stream *s, struct checkpoint_label *out)
{
	const uint16_t id = frame_id(&s->frame);
	const bool has_id = id || frame_kind(&s->frame) == FRAME_U64;

	out->first = s->frame_first;
	if (has_id) {
		add_field(l, "id", id);
		set_name(l, CHECKPOINT_NAME_RECORD, id, out);
	}
	if (!out->name)
		out->name = frame_kind_name(&s->frame);
	set_fields(l, frame_fields(&s->frame, &l->text) + has_id, out);
}

static bool feed_frame(struct checkpoint_labels *l, struct stream *s, const struct checkpoint_record *rec,
		       struct checkpoint_label *out)
{
	const char *why = NULL;
	const bool was_open = s->frame.open;
	const enum frame_event ev = frame_feed(&s->frame, (uint8_t)rec->value, &why);

	if (ev == FRAME_NONE)
		return false;
	if (ev == FRAME_BEGINS && was_open)
		out->broken = "another frame begins";
	if (ev == FRAME_BROKEN || ev == FRAME_IS_NONE)
		out->broken = why;
	if (out->broken)
		out->first = s->frame_first;
	if (ev == FRAME_IS_NONE)
		return false;
	out->part = frame_part;
	if (ev == FRAME_BEGINS)
		s->frame_first = rec->seq;
	if (ev == FRAME_DONE)
		end_frame(l, s, out);
	return true;
}

/* ---- all together ---- */

/* A byte that is expected belongs to what expects it, whoever has a name for it. */
static bool feed(struct checkpoint_labels *l, const struct checkpoint_record *rec, struct checkpoint_label *out)
{
	struct stream *s = rec->size == 1 ? stream_of(l, rec) : NULL;

	if (!s)
		return false;
	if (s->sequence)
		return feed_sequence(l, s, rec, out);
	return feed_frame(l, s, rec, out) || feed_sequence(l, s, rec, out);
}

void checkpoint_labels_of(struct checkpoint_labels *l, const struct checkpoint_record *rec,
			  struct checkpoint_label *out)
{
	*out = (struct checkpoint_label){ 0 };
	strbuf_reset(&l->text);
	if (rec->kind != CHECKPOINT_WRITE)
		return;
	if (l->names && rec->has_pc && (out->noise = checkpoint_names_noise(l->names, rec->pc, rec->value)))
		return;
	if (feed(l, rec, out))
		return;
	if (rec->has_pc)
		set_name(l, CHECKPOINT_NAME_SITE, rec->pc, out);
	if (!out->name)
		set_name(l, CHECKPOINT_NAME_VALUE, rec->value, out);
}
