/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "checkpoint/file.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <json-c/json.h>
#include <string.h>

#include "checkpoint/internal.h"
#include "checkpoint/labels.h"
#include "checkpoint/outcome.h"
#include "util/cursor.h"
#include "util/macros.h"

enum { DEPTH_MAX = 32, READ_STEP = 1 << 16, SHOWN = 40 };
#define FILE_MAX (UINT64_C(1) << 32)

int checkpoint_read_file(const char *path, struct strbuf *out, struct errtext *why)
{
	_cleanup_(closep) int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : 1;

	while (n > 0 && !out->oom && out->len < FILE_MAX) {
		char *to = strbuf_room(out, READ_STEP);

		if (!to)
			return errtext_set(why, -ENOMEM, "no memory for %s", path);
		n = read(fd, to, READ_STEP);
		if (n > 0)
			strbuf_room_take(out, (size_t)n);
	}
	if (n < 0)
		return errtext_set(why, -errno, "cannot read %s: %s", path, strerror(errno));
	return n > 0 ? errtext_set(why, -EFBIG, "%s is larger than 4 GiB", path) : 0;
}

/* ---- strings live in blocks until the file is destroyed ---- */

struct block {
	struct block *before;
	char bytes[];
};

static void *keep(struct checkpoint_file *f, const void *p, size_t n)
{
	struct block *b = malloc(sizeof(*b) + n);

	if (!b)
		return NULL;
	if (p)
		memcpy(b->bytes, p, n);
	b->before = f->memory;
	f->memory = b;
	return b->bytes;
}

static const char *keep_string(struct checkpoint_file *f, const char *s)
{
	return s ? keep(f, s, strlen(s) + 1) : NULL;
}

static void forget(struct block *b)
{
	while (b) {
		struct block *before = b->before;

		free(b);
		b = before;
	}
}

void checkpoint_file_destroy(struct checkpoint_file *f)
{
	if (!f)
		return;
	forget(f->memory);
	free(f->entry);
	free(f);
}

void checkpoint_file_destroyp(struct checkpoint_file **f)
{
	checkpoint_file_destroy(*f);
}

/* ---- one line ---- */

struct line {
	struct checkpoint_file *f;
	struct json_object *o;
	const char *bad; // the first key whose value makes no sense
};

static void mark_bad(struct line *l, const char *key)
{
	l->bad = l->bad ?: key;
}

static const char *get_text(const struct line *l, const char *key)
{
	struct json_object *v;

	return json_object_object_get_ex(l->o, key, &v) && v ? json_object_get_string(v) : NULL;
}

/* A number, or a string that is one. @required: it must be there. */
static uint64_t get_number(struct line *l, const char *key, bool required, uint64_t max)
{
	const char *s = get_text(l, key);
	struct cur c = cur_init(s, s ? strlen(s) : 0);
	const uint64_t v = s ? cur_number(&c) : 0;

	if (s ? !cur_done(&c) || v > max : required)
		mark_bad(l, key);
	return l->bad ? 0 : v;
}

/* Seconds with up to nine digits behind the point; json-c keeps what was read. */
static uint64_t get_ns(struct line *l, const char *key)
{
	const char *s = get_text(l, key);
	struct cur c = cur_init(s, s ? strlen(s) : 0);
	uint64_t ns = s ? cur_dec(&c) : 0, unit = NS_PER_S;

	if (ns > UINT32_MAX * UINT64_C(4))
		c.bad = true;
	ns *= NS_PER_S;
	if (cur_try(&c, '.'))
		for (int digit; (digit = cur_peek(&c)) >= '0' && digit <= '9' && unit > 1; cur_lit(&c, (char)digit))
			ns += (uint64_t)(digit - '0') * (unit /= 10);
	if (!s || !cur_done(&c))
		mark_bad(l, key);
	return ns;
}

static uint8_t get_word(struct line *l, const char *key, const char *const *words, unsigned n)
{
	const char *s = get_text(l, key);

	for (unsigned i = 0; s && i < n; i++)
		if (words[i] && strcmp(words[i], s) == 0)
			return (uint8_t)i;
	mark_bad(l, key);
	return 0;
}

static void get_fields(struct line *l, struct checkpoint_label *out)
{
	struct checkpoint_field *field;
	struct json_object *o;
	unsigned n = 0;

	if (!json_object_object_get_ex(l->o, "fields", &o))
		return;
	if (!json_object_is_type(o, json_type_object) || json_object_object_length(o) > CHECKPOINT_FIELDS_MAX) {
		mark_bad(l, "fields");
		return;
	}
	field = keep(l->f, NULL, sizeof(*field) * CHECKPOINT_FIELDS_MAX);
	if (!field)
		return;
	json_object_object_foreach(o, key, v)
	{
		field[n].name = keep_string(l->f, key);
		field[n].value = keep_string(l->f, v ? json_object_get_string(v) : "");
		if (field[n].name && field[n].value)
			n++;
	}
	out->field = field;
	out->nfields = n;
}

static void get_label(struct line *l, struct checkpoint_label *out)
{
	out->name = keep_string(l->f, get_text(l, "name"));
	out->source = keep_string(l->f, get_text(l, "source"));
	out->noise = keep_string(l->f, get_text(l, "noise"));
	out->part = keep_string(l->f, get_text(l, "part"));
	out->broken = keep_string(l->f, get_text(l, "broken"));
	out->first = get_number(l, "first", false, UINT64_MAX);
	get_fields(l, out);
}

static void get_write(struct line *l, struct checkpoint_record *rec)
{
	rec->kind = CHECKPOINT_WRITE;
	rec->size = (uint8_t)get_number(l, "size", true, 8);
	rec->value = get_number(l, "value", true, UINT64_MAX);
	rec->mode = get_word(l, "mode", checkpoint_mode_names, CHECKPOINT_NMODES);
	if (rec->size != 1 && rec->size != 2 && rec->size != 4 && rec->size != 8)
		mark_bad(l, "size");
}

static void get_mark(struct line *l, struct checkpoint_record *rec)
{
	rec->kind = get_word(l, "mark", checkpoint_mark_names, CHECKPOINT_NKINDS);
	if (rec->kind == CHECKPOINT_VERDICT) {
		rec->value = get_word(l, "verdict", checkpoint_verdict_names, VERDICT_N);
		rec->text = keep_string(l->f, get_text(l, "text") ?: "");
	} else {
		rec->value = get_number(l, "count", true, UINT64_MAX);
	}
}

static void get_record(struct line *l, struct checkpoint_entry *e)
{
	const char *text = get_text(l, "text");

	e->rec.ns = get_ns(l, "t");
	if (get_text(l, "mark")) {
		get_mark(l, &e->rec);
		return;
	}
	e->rec.seq = get_number(l, "seq", true, UINT64_MAX);
	if (!e->rec.seq && !l->bad)
		l->bad = "seq"; // they count from 1
	e->rec.vcpu = get_text(l, "vcpu") ? (int16_t)get_number(l, "vcpu", true, INT16_MAX) : -1;
	e->rec.has_pc = get_text(l, "pc");
	e->rec.pc = get_number(l, "pc", false, UINT64_MAX);
	e->rec.mmio = get_text(l, "mmio");
	e->rec.port = get_number(l, e->rec.mmio ? "mmio" : "port", true, UINT64_MAX);
	if (text) {
		e->rec.kind = CHECKPOINT_TEXT;
		e->rec.text = keep_string(l->f, text);
	} else {
		get_write(l, &e->rec);
	}
	get_label(l, &e->label);
}

/* ---- the file ---- */

struct parse {
	struct checkpoint_file *f;
	const char *what;
	struct json_tokener *tok;
	size_t line, cap;
	uint64_t seq; // of the last record
	struct errtext *why;
};

static int bad_line(struct parse *p, const char *text)
{
	return errtext_set(p->why, -EINVAL, "%s, line %zu: %s", p->what, p->line, text);
}

/* The rest are numbers. */
static const struct {
	const char *key, *expected;
} expected[] = {
	{ "t", "seconds" },
	{ "epoch", "seconds" },
	{ "seq", "a number from 1, above that of the record before" },
	{ "vcpu", "a number up to 32767" },
	{ "size", "1, 2, 4 or 8" },
	{ "mode", "exact, coalesced, traced or tcg" },
	{ "mark", "lost, cut or verdict" },
	{ "verdict", "matched, diverged, stalled, crashed or ended" },
	{ "fields", "an object of no more than 48 values" },
};

static int bad_key(struct parse *p, const struct line *l)
{
	const char *want = "a number of 64 bits", *have = get_text(l, l->bad);

	for (size_t i = 0; i < ARRAY_LEN(expected); i++)
		if (strcmp(expected[i].key, l->bad) == 0)
			want = expected[i].expected;
	if (!have)
		return errtext_set(p->why, -EINVAL, "%s, line %zu: \"%s\" is missing: expected %s", p->what, p->line,
				   l->bad, want);
	return errtext_set(p->why, -EINVAL, "%s, line %zu: \"%s\" is %.*s: expected %s", p->what, p->line, l->bad,
			   SHOWN, have, want);
}

static int take_header(struct parse *p, struct line *l)
{
	const char *format = get_text(l, "gdbvm");

	if (!format || strcmp(format, "checkpoints") != 0)
		return bad_line(p, "this is no file of checkpoints: expected {\"gdbvm\":\"checkpoints\",...}");
	const uint64_t version = get_number(l, "version", true, UINT32_MAX);
	if (!l->bad && version != CHECKPOINT_VERSION)
		return errtext_set(p->why, -EINVAL, "%s is of version %" PRIu64 ": expected %d", p->what, version,
				   CHECKPOINT_VERSION);
	p->f->began_ns = get_ns(l, "t");
	p->f->epoch_ns = get_ns(l, "epoch");
	return l->bad ? bad_key(p, l) : 0;
}

static int take_record(struct parse *p, struct line *l)
{
	struct checkpoint_entry e = { 0 };

	get_record(l, &e);
	if (!l->bad && e.rec.seq && e.rec.seq <= p->seq)
		l->bad = "seq";
	if (l->bad)
		return bad_key(p, l);
	p->seq = MAX(p->seq, e.rec.seq);
	if (p->f->n == p->cap) {
		const size_t cap = p->cap ? 2 * p->cap : 256;
		struct checkpoint_entry *grown = reallocarray(p->f->entry, cap, sizeof(*grown));

		if (!grown)
			return errtext_set(p->why, -ENOMEM, "no memory for %s", p->what);
		p->f->entry = grown;
		p->cap = cap;
	}
	p->f->entry[p->f->n++] = e;
	return 0;
}

static int take_line(struct parse *p, const char *text, size_t n)
{
	struct line l = { .f = p->f };
	int rc;

	if (n > INT32_MAX)
		return bad_line(p, "it is longer than 2 GiB");
	json_tokener_reset(p->tok);
	l.o = json_tokener_parse_ex(p->tok, text, (int)n);
	if (json_object_is_type(l.o, json_type_object) && json_tokener_get_parse_end(p->tok) == n)
		rc = p->line == 1 ? take_header(p, &l) : take_record(p, &l);
	else
		rc = bad_line(p, "expected one JSON object");
	json_object_put(l.o);
	return rc;
}

static int parse_lines(struct parse *p, const char *text, size_t n)
{
	for (const char *end = text + n, *stop; text < end; text = stop + 1) {
		stop = memchr(text, '\n', (size_t)(end - text));
		p->line++;
		if (!stop) {
			p->f->torn = true;
			break;
		}
		const int rc = take_line(p, text, (size_t)(stop - text));
		if (rc < 0)
			return rc;
	}
	return p->line == 0 || (p->line == 1 && p->f->torn)
		       ? errtext_set(p->why, -EINVAL, "%s: this is no file of checkpoints: it has no first line",
				     p->what)
		       : 0;
}

int checkpoint_file_parse(const char *what, const char *text, size_t n, struct checkpoint_file **ret,
			  struct errtext *why)
{
	_cleanup_(checkpoint_file_destroyp) struct checkpoint_file *f = calloc(1, sizeof(*f));
	struct parse p = { .f = f, .what = what, .tok = json_tokener_new_ex(DEPTH_MAX), .why = why };
	int rc = -ENOMEM;

	if (f && p.tok)
		rc = parse_lines(&p, text, n);
	else
		errtext_set(why, rc, "no memory for %s", what);
	if (p.tok)
		json_tokener_free(p.tok);
	if (rc == 0)
		*ret = take_ptr(f);
	return rc;
}

int checkpoint_file_read(const char *path, struct checkpoint_file **ret, struct errtext *why)
{
	_cleanup_(strbuf_deinit) struct strbuf text = { 0 };
	const int rc = checkpoint_read_file(path, &text, why);

	return rc < 0 ? rc : checkpoint_file_parse(path, strbuf_str(&text), text.len, ret, why);
}

/* ---- what is done with it ---- */

/* A copy of @l that lives as long as the file. */
static void keep_label(struct checkpoint_file *f, const struct checkpoint_label *l, struct checkpoint_label *out)
{
	struct checkpoint_field *field = l->nfields ? keep(f, NULL, l->nfields * sizeof(*field)) : NULL;

	*out = *l;
	out->name = keep_string(f, l->name);
	out->source = keep_string(f, l->source);
	out->noise = keep_string(f, l->noise);
	out->part = keep_string(f, l->part);
	out->broken = keep_string(f, l->broken);
	out->field = field;
	out->nfields = 0;
	for (unsigned i = 0; field && i < l->nfields; i++) {
		field[i].name = keep_string(f, l->field[i].name);
		field[i].value = keep_string(f, l->field[i].value);
		if (!field[i].name || !field[i].value)
			return;
		out->nfields++;
	}
}

int checkpoint_file_relabel(struct checkpoint_file *f, const struct checkpoint_names *names)
{
	struct checkpoint_labels *labels;
	const int rc = checkpoint_labels_create(names, &labels);

	if (rc < 0)
		return rc;
	for (size_t i = 0; i < f->n; i++) {
		struct checkpoint_label now;

		checkpoint_labels_of(labels, &f->entry[i].rec, &now);
		keep_label(f, &now, &f->entry[i].label);
	}
	checkpoint_labels_destroy(labels);
	return 0;
}

const struct checkpoint_entry *checkpoint_file_find(const struct checkpoint_file *f, uint64_t seq)
{
	size_t from = 0, to = f->n;

	while (from < to) {
		const size_t mid = from + (to - from) / 2;
		size_t at = mid;

		while (at < to && f->entry[at].rec.seq == 0) // marks have none
			at++;
		if (at == to || f->entry[at].rec.seq > seq)
			to = mid;
		else if (f->entry[at].rec.seq == seq)
			return &f->entry[at];
		else
			from = at + 1;
	}
	return NULL;
}

const struct checkpoint_entry *checkpoint_file_head(const struct checkpoint_file *f, const struct checkpoint_entry *e)
{
	const struct checkpoint_entry *first = e->label.nfields ? checkpoint_file_find(f, e->label.first) : NULL;

	return first ?: e;
}

static bool same_stream(const struct checkpoint_entry *a, const struct checkpoint_entry *b)
{
	return a->rec.vcpu == b->rec.vcpu && a->rec.port == b->rec.port &&
	       checkpoint_is_framed(&a->label) == checkpoint_is_framed(&b->label);
}

static int by_stream(const void *a, const void *b)
{
	const struct checkpoint_entry *const *x = a, *const *y = b;

	if (same_stream(*x, *y))
		return *x < *y ? -1 : *x > *y;
	if ((*x)->rec.vcpu != (*y)->rec.vcpu)
		return (*x)->rec.vcpu < (*y)->rec.vcpu ? -1 : 1;
	if ((*x)->rec.port != (*y)->rec.port)
		return (*x)->rec.port < (*y)->rec.port ? -1 : 1;
	return checkpoint_is_framed(&(*x)->label) ? 1 : -1;
}

bool *checkpoint_file_parts(const struct checkpoint_file *f)
{
	_cleanup_(freep) const struct checkpoint_entry **list = calloc(f->n + 1, sizeof(*list));
	bool *part = list ? calloc(f->n + 1, sizeof(*part)) : NULL;
	size_t n = 0;

	for (size_t i = 0; part && i < f->n; i++)
		if (f->entry[i].label.part || f->entry[i].label.nfields)
			list[n++] = &f->entry[i];
	if (part)
		qsort(list, n, sizeof(*list), by_stream);
	for (size_t i = 0; i < n; i++) {
		if (!list[i]->label.nfields)
			continue;
		// Back to the first byte of it, or to the end of what came before: those of a stream do not overlap.
		for (size_t k = i; k-- > 0 && same_stream(list[k], list[i]) && !list[k]->label.nfields &&
				   list[k]->rec.seq >= list[i]->label.first;)
			part[list[k] - f->entry] = true;
	}
	return part;
}
