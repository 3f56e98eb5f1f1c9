/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "checkpoint/golden.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "checkpoint/frame.h"
#include "checkpoint/internal.h"
#include "util/cursor.h"
#include "util/macros.h"

enum { WORDS_MAX = GOLDEN_FIELDS_MAX + 10 };

void golden_destroy(struct golden *g)
{
	if (!g)
		return;
	free(g->path);
	free(g->item);
	free(g->lines);
	free(g->words);
	free(g);
}

void golden_destroyp(struct golden **g)
{
	golden_destroy(*g);
}

/* ---- patterns ---- */

static bool to_number(const char *s, uint64_t *ret)
{
	struct cur c = cur_init(s, strlen(s));

	*ret = cur_number(&c);
	return cur_done(&c);
}

/* `*` stands for any text, `?` for one character. */
static bool glob(const char *pattern, const char *s)
{
	const char *star = NULL, *retry = NULL;

	while (*s) {
		if (*pattern == '*') {
			star = ++pattern;
			retry = s;
		} else if (*pattern == *s || *pattern == '?') {
			pattern++;
			s++;
		} else if (star) {
			pattern = star;
			s = ++retry;
		} else {
			return false;
		}
	}
	while (*pattern == '*')
		pattern++;
	return *pattern == '\0';
}

/* A number is compared as one, however it is written. */
static bool text_fits(const char *pattern, const char *s)
{
	uint64_t a, b;

	return glob(pattern, s) || (to_number(pattern, &a) && to_number(s, &b) && a == b);
}

static bool value_fits(const char *pattern, const struct checkpoint_record *rec)
{
	char text[24];
	uint64_t number;

	if (to_number(pattern, &number))
		return number == rec->value;
	if (strncmp(pattern, "0x", 2) != 0)
		return false;
	snprintf(text, sizeof(text), "0x%0*" PRIx64, 2 * rec->size, rec->value);
	return glob(pattern, text);
}

static bool field_fits(const struct golden_field *x, const struct checkpoint_label *label)
{
	for (unsigned i = 0; i < label->nfields; i++)
		if (strcmp(x->name, label->field[i].name) == 0 && text_fits(x->pattern, label->field[i].value))
			return true;
	return false;
}

static bool what_fits(const struct golden_item *x, const struct checkpoint_record *rec,
		      const struct checkpoint_label *label)
{
	switch (x->kind) {
	case GOLDEN_VALUE:
		return rec->kind == CHECKPOINT_WRITE && !label->noise &&
		       (glob(x->what, label->name ?: "") || value_fits(x->what, rec));
	case GOLDEN_NOISE:
		return rec->kind == CHECKPOINT_WRITE && label->noise &&
		       (glob(x->what, label->noise) || value_fits(x->what, rec));
	case GOLDEN_TEXT:
		return rec->kind == CHECKPOINT_TEXT && glob(x->what, rec->text ?: "");
	default:
		return false;
	}
}

bool golden_item_fits(const struct golden_item *x, const struct checkpoint_record *rec,
		      const struct checkpoint_label *label)
{
	if ((x->has_vcpu && rec->vcpu != x->vcpu) || (x->has_port && rec->port != x->port) || !what_fits(x, rec, label))
		return false;
	for (unsigned i = 0; i < x->nfields; i++)
		if (!field_fits(&x->field[i], label))
			return false;
	return true;
}

/* ---- the file ---- */

struct parse {
	struct golden *g;
	unsigned line;
	char *word[WORDS_MAX];
	unsigned n, at; // words, and the next one
	size_t block;   // 1 + the item that the block began with; 0: in none
	struct errtext *why;
};

static int wrong(struct parse *p, const char *word, const char *expected)
{
	return errtext_set(p->why, -EINVAL, "%s, line %u: '%s': expected %s", p->g->path, p->line, word, expected);
}

static int bad_line(struct parse *p, const char *text)
{
	return errtext_set(p->why, -EINVAL, "%s, line %u: %s", p->g->path, p->line, text);
}

static const char *next_word(struct parse *p)
{
	return p->at < p->n ? p->word[p->at++] : NULL;
}

static int take_number(struct parse *p, const char *key, uint64_t max, uint64_t *ret)
{
	const char *word = next_word(p);
	uint64_t v;

	if (!word)
		return wrong(p, key, "a number after it");
	if (!to_number(word, &v) || v > max)
		return wrong(p, word, "a number such as 0x80 or 1");
	*ret = v;
	return 0;
}

static int take_vcpu(struct parse *p, struct golden_item *x)
{
	uint64_t v = 0;
	const int rc = take_number(p, "vcpu", INT16_MAX, &v);

	x->has_vcpu = true;
	x->vcpu = (uint16_t)v;
	return rc;
}

static int take_port(struct parse *p, struct golden_item *x)
{
	x->has_port = true;
	return take_number(p, "port", UINT64_MAX, &x->port);
}

static const struct {
	const char *name;
	uint64_t ns;
} time_units[] = { { "ns", 1 }, { "us", 1000 }, { "ms", 1000000 }, { "s", NS_PER_S } };

/* Digits, perhaps a point and more of them, and a unit. */
static int take_within(struct parse *p, struct golden_item *x)
{
	const char *word = next_word(p),
		   *expected = "a time such as 200ms or 1.5s, more than 0 and less than 100 hours";
	struct cur c = cur_init(word, word ? strlen(word) : 0);
	uint64_t whole = word ? cur_dec(&c) : 0, part = 0, scale = 1;

	if (cur_try(&c, '.'))
		for (int digit; (digit = cur_peek(&c)) >= '0' && digit <= '9' && scale < NS_PER_S;
		     cur_lit(&c, (char)digit)) {
			part = 10 * part + (uint64_t)(digit - '0');
			scale *= 10;
		}
	for (size_t i = 0; word && !c.bad && i < ARRAY_LEN(time_units); i++) {
		if (strlen(time_units[i].name) != cur_left(&c) || memcmp(time_units[i].name, c.p, cur_left(&c)) != 0)
			continue;
		if (whole > 360000 * NS_PER_S / time_units[i].ns)
			break;
		x->within_ns = whole * time_units[i].ns + part * time_units[i].ns / scale;
		return x->within_ns ? 0 : wrong(p, word, expected);
	}
	return wrong(p, word ?: "within", expected);
}

static const struct {
	const char *word;
	int (*take)(struct parse *p, struct golden_item *x);
} modifiers[] = { { "vcpu", take_vcpu }, { "port", take_port }, { "within", take_within } };

static int take_modifier(struct parse *p, char *word, struct golden_item *x)
{
	char *equals = strchr(word, '=');

	for (size_t i = 0; i < ARRAY_LEN(modifiers); i++)
		if (strcmp(word, modifiers[i].word) == 0)
			return modifiers[i].take(p, x);
	if (!equals || equals == word)
		return wrong(p, word, "FIELD=VALUE, vcpu, port or within");
	if (x->nfields == GOLDEN_FIELDS_MAX)
		return wrong(p, word, "no more than 16 fields");
	*equals = '\0';
	x->field[x->nfields++] = (struct golden_field){ word, equals + 1 };
	return 0;
}

static int put_item(struct parse *p, const struct golden_item *x)
{
	struct golden *g = p->g;

	if (g->n && g->item[g->n - 1].kind == GOLDEN_POWER_OFF)
		return bad_line(p, "expected nothing after power-off");
	if (p->block && x->kind != GOLDEN_VALUE)
		return bad_line(p, "expected only values and names between any and end");
	if (p->block && ++g->item[p->block - 1].members > GOLDEN_MEMBERS_MAX)
		return bad_line(p, "more than 64 lines between any and end");
	if (!(g->n & (g->n - 1))) { // full at powers of two only
		struct golden_item *grown = reallocarray(g->item, g->n ? 2 * g->n : 1, sizeof(*grown));

		if (!grown)
			return errtext_set(p->why, -ENOMEM, "no memory for %s", g->path);
		g->item = grown;
	}
	g->item[g->n++] = *x;
	return 0;
}

/* [optional] [noise] WHAT [modifiers] */
static int take_expectation(struct parse *p, struct golden_item *x)
{
	int rc = 0;

	if (strcmp(p->word[p->at], "noise") == 0) {
		x->kind = GOLDEN_NOISE;
		p->at++;
	}
	x->what = next_word(p);
	if (!x->what)
		return wrong(p, p->word[p->n - 1], "a value or a name after it");
	while (rc == 0 && p->at < p->n) {
		char *word = p->word[p->at++];

		rc = take_modifier(p, word, x);
	}
	return rc < 0 ? rc : put_item(p, x);
}

static int begin_block(struct parse *p, struct golden_item *x)
{
	x->kind = GOLDEN_ANY;
	const int rc = put_item(p, x);
	p->block = rc == 0 ? p->g->n : 0;
	return rc;
}

static int end_block(struct parse *p, struct golden_item *x)
{
	if (!p->block)
		return bad_line(p, "end without any");
	if (p->g->item[p->block - 1].members == 0)
		return bad_line(p, "nothing between any and end");
	p->block = 0;
	return 0;
}

static int take_gap(struct parse *p, struct golden_item *x)
{
	x->kind = GOLDEN_GAP;
	return put_item(p, x);
}

static int take_power_off(struct parse *p, struct golden_item *x)
{
	x->kind = GOLDEN_POWER_OFF;
	return put_item(p, x);
}

static const struct {
	const char *word;
	int (*take)(struct parse *p, struct golden_item *x);
} lines[] = { { "...", take_gap }, { "any", begin_block }, { "end", end_block }, { "power-off", take_power_off } };

static int take_words(struct parse *p, struct golden_item *x)
{
	for (size_t i = 0; i < ARRAY_LEN(lines); i++)
		if (strcmp(p->word[0], lines[i].word) == 0)
			return p->n == 1 ? lines[i].take(p, x) : wrong(p, p->word[1], "nothing more on this line");
	p->at = x->optional;
	return p->at < p->n ? take_expectation(p, x) : wrong(p, p->word[0], "what is optional after it");
}

static bool is_space(char ch)
{
	return ch == ' ' || ch == '\t' || ch == '\r';
}

static char *skip_spaces(char *s)
{
	while (is_space(*s))
		s++;
	return s;
}

/* The line that begins with text, or optional text: all the rest is the pattern. */
static bool is_text_line(char *s, struct golden_item *x)
{
	static const char optional[] = "optional", text[] = "text";

	if (strncmp(s, optional, strlen(optional)) == 0 && is_space(s[strlen(optional)]))
		s = skip_spaces(s + strlen(optional));
	if (strncmp(s, text, strlen(text)) != 0 || !is_space(s[strlen(text)]))
		return false;
	x->what = skip_spaces(s + strlen(text));
	x->kind = GOLDEN_TEXT;
	return *x->what;
}

static int split(struct parse *p, char *s)
{
	p->n = p->at = 0;
	for (s = skip_spaces(s); *s && *s != '#'; s = skip_spaces(s)) {
		if (p->n == WORDS_MAX)
			return bad_line(p, "too many words");
		p->word[p->n++] = s;
		while (*s && !is_space(*s))
			s++;
		if (*s)
			*s++ = '\0';
	}
	return 0;
}

/* @s: one line that may be cut into words; @text: the same, which stays as it is. */
static int take_line(struct parse *p, char *s, const char *text)
{
	struct golden_item x = { .line = p->line, .text = text };

	for (const char *c = s; *c; c++)
		if ((*c < ' ' || *c > '~') && !is_space(*c))
			return bad_line(p, "expected printable ASCII");
	s = skip_spaces(s);
	x.optional = strncmp(s, "optional", 8) == 0 && (is_space(s[8]) || s[8] == '\0');
	if (is_text_line(s, &x))
		return put_item(p, &x);
	const int rc = split(p, s);
	return rc < 0 || p->n == 0 ? rc : take_words(p, &x);
}

/* Ends each line with a NUL, and without spaces. */
static char *end_line(char *s, char *limit)
{
	char *end = memchr(s, '\n', (size_t)(limit - s)) ?: limit, *next = end < limit ? end + 1 : limit;

	while (end > s && is_space(end[-1]))
		end--;
	*end = '\0';
	return next;
}

static bool must_meet_something(const struct golden *g)
{
	for (size_t i = 0; i < g->n; i++)
		if (!g->item[i].optional && g->item[i].kind != GOLDEN_GAP && g->item[i].kind != GOLDEN_ANY)
			return true;
	return false;
}

static int parse_lines(struct parse *p, size_t n)
{
	char *words = p->g->words, *lines_at = p->g->lines, *limit = words + n, *lines_limit = lines_at + n;
	int rc = 0;

	while (words < limit && rc == 0) {
		char *this_words = words, *this_line = lines_at;

		words = end_line(words, limit);
		lines_at = end_line(lines_at, lines_limit);
		p->line++;
		rc = take_line(p, this_words, skip_spaces(this_line));
	}
	if (rc == 0 && p->block)
		rc = bad_line(p, "the block that any begins has no end");
	if (rc == 0 && !must_meet_something(p->g))
		rc = errtext_set(p->why, -EINVAL, "%s: no line of it must be met", p->g->path);
	return rc;
}

static char *copy(const char *text, size_t n)
{
	char *s = malloc(n + 1);

	if (s) {
		memcpy(s, text, n);
		s[n] = '\0';
	}
	return s;
}

int golden_parse(const char *what, const char *text, size_t n, struct golden **ret, struct errtext *why)
{
	_cleanup_(golden_destroyp) struct golden *g = calloc(1, sizeof(*g));
	struct parse p = { .g = g, .why = why };

	if (g) {
		g->path = strdup(what);
		g->lines = copy(text, n);
		g->words = copy(text, n);
	}
	if (!g || !g->path || !g->lines || !g->words)
		return errtext_set(why, -ENOMEM, "no memory for %s", what);
	if (memchr(text, '\0', n))
		return errtext_set(why, -EINVAL, "%s: expected a text file", what);
	const int rc = parse_lines(&p, n);
	if (rc == 0)
		*ret = take_ptr(g);
	return rc;
}

int golden_read(const char *path, struct golden **ret, struct errtext *why)
{
	_cleanup_(strbuf_deinit) struct strbuf text = { 0 };
	const int rc = checkpoint_read_file(path, &text, why);

	return rc < 0 ? rc : golden_parse(path, strbuf_str(&text), text.len, ret, why);
}

static bool is_plain_name(const struct golden_item *x)
{
	uint64_t number;

	return x->kind == GOLDEN_VALUE && !strpbrk(x->what, "*?") && !to_number(x->what, &number);
}

/* One byte that begins a frame is no unit; of a whole frame it is the value, and a wider write is written longer. */
static bool is_frame_start(const struct golden_item *x, const struct checkpoint_names *names)
{
	const struct checkpoint_name *name = checkpoint_names_find(names, CHECKPOINT_NAME_VALUE, FRAME_START);
	uint64_t number;

	if (x->kind != GOLDEN_VALUE)
		return false;
	if (to_number(x->what, &number))
		return number == FRAME_START && strlen(x->what) <= strlen("0x7e") && !x->nfields;
	return name && strcmp(x->what, name->name) == 0;
}

int golden_check_names(const struct golden *g, const struct checkpoint_names *names, struct errtext *why)
{
	for (size_t i = 0; i < g->n; i++) {
		const struct golden_item *x = &g->item[i];

		if (is_frame_start(x, names))
			return errtext_set(why, -EINVAL,
					   "%s, line %u: '%s': 0x7e begins a frame, and is no checkpoint without one: "
					   "expected another value, or the name of a frame",
					   g->path, x->line, x->what);
		if (is_plain_name(x) && !frame_is_kind_name(x->what) && !checkpoint_names_knows(names, x->what))
			return errtext_set(why, -EINVAL,
					   "%s, line %u: '%s': expected a value such as 0x16, or a name that a "
					   "--checkpoint-map has",
					   g->path, x->line, x->what);
	}
	return 0;
}
