/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "checkpoint/names.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "checkpoint/frame.h"
#include "checkpoint/internal.h"
#include "util/cursor.h"
#include "util/macros.h"

enum {
	WORDS_MAX = 16,
	WORD_MAX_LEN = 160,
	FIELDS_MAX = 64,
	SITE_LEN =
		4, // mov al, imm8; out 0x80, al: whichever of them the map has, the pc is that of the out, or behind it
};

/*
 * Where Linux is linked, and runs, perhaps moved by a multiple of so much: KASLR.
 * Source: Linux, Documentation/x86/x86_64/mm.rst, and CONFIG_PHYSICAL_ALIGN.
 */
#define KERNEL_FIRST UINT64_C(0xffffffff80000000)
#define KERNEL_LAST UINT64_C(0xffffffffbfffffff)
#define KERNEL_ALIGN UINT64_C(0x200000)

struct noise {
	uint64_t first, last;
	char *name;
	bool has_value;
	uint64_t value;
};

struct checkpoint_names {
	struct checkpoint_name *name; // ascending
	size_t nnames;
	struct noise *noise;
	size_t nnoise;
	struct checkpoint_sequence *sequence[256]; // by start
	char *field[FIELDS_MAX];
	unsigned nfields;
};

/* ---- storage ---- */

int checkpoint_names_create(struct checkpoint_names **ret)
{
	*ret = calloc(1, sizeof(**ret));
	return *ret ? 0 : -ENOMEM;
}

static void sequence_free(struct checkpoint_sequence *s)
{
	if (s)
		free(s->name);
	free(s);
}

void checkpoint_names_destroy(struct checkpoint_names *n)
{
	if (!n)
		return;
	for (size_t i = 0; i < n->nnames; i++) {
		free(n->name[i].name);
		free(n->name[i].source);
	}
	for (size_t i = 0; i < n->nnoise; i++)
		free(n->noise[i].name);
	for (size_t i = 0; i < ARRAY_LEN(n->sequence); i++)
		sequence_free(n->sequence[i]);
	for (size_t i = 0; i < n->nfields; i++)
		free(n->field[i]);
	free(n->name);
	free(n->noise);
	free(n);
}

void checkpoint_names_destroyp(struct checkpoint_names **n)
{
	checkpoint_names_destroy(*n);
}

/* Where the name is, or would have to be put. */
static size_t place_of(const struct checkpoint_names *n, uint32_t space, uint64_t key)
{
	size_t from = 0, to = n->nnames;

	while (from < to) {
		const size_t mid = from + (to - from) / 2;
		const struct checkpoint_name *x = &n->name[mid];

		if (x->space < space || (x->space == space && x->key < key))
			from = mid + 1;
		else
			to = mid;
	}
	return from;
}

static bool is_at(const struct checkpoint_names *n, size_t at, uint32_t space, uint64_t key)
{
	return at < n->nnames && n->name[at].space == space && n->name[at].key == key;
}

static int room_for_one(void *array, size_t n, size_t size)
{
	void *grown;

	if (n & (n - 1)) // full at powers of two only
		return 0;
	grown = realloc(*(void **)array, (n ? 2 * n : 1) * size);
	if (!grown)
		return -ENOMEM;
	*(void **)array = grown;
	return 0;
}

int checkpoint_names_put(struct checkpoint_names *n, uint32_t space, uint64_t key, const char *name, const char *source)
{
	const size_t at = place_of(n, space, key);
	struct checkpoint_name x = { space, key, strdup(name), source ? strdup(source) : NULL };
	int rc = x.name && (x.source || !source) ? 0 : -ENOMEM;

	if (rc == 0 && is_at(n, at, space, key)) {
		free(n->name[at].name);
		free(n->name[at].source);
		n->name[at] = x;
		return 0;
	}
	if (rc == 0)
		rc = room_for_one(&n->name, n->nnames, sizeof(x));
	if (rc < 0) {
		free(x.name);
		free(x.source);
		return rc;
	}
	memmove(&n->name[at + 1], &n->name[at], (n->nnames++ - at) * sizeof(x));
	n->name[at] = x;
	return 0;
}

int checkpoint_names_field_id(struct checkpoint_names *n, const char *name, uint32_t *ret)
{
	for (unsigned i = 0; i < n->nfields; i++)
		if (strcmp(n->field[i], name) == 0) {
			*ret = i;
			return 0;
		}
	if (n->nfields == FIELDS_MAX)
		return -ENOSPC;
	n->field[n->nfields] = strdup(name);
	if (!n->field[n->nfields])
		return -ENOMEM;
	*ret = n->nfields++;
	return 0;
}

/* ---- look-ups ---- */

static bool in_kernel(uint64_t at)
{
	return at >= KERNEL_FIRST && at <= KERNEL_LAST;
}

static const struct checkpoint_name *find_site(const struct checkpoint_names *n, uint64_t pc)
{
	const size_t at = place_of(n, CHECKPOINT_NAME_SITE, pc);
	const struct checkpoint_name *before = at ? &n->name[at - 1] : NULL;

	if (is_at(n, at, CHECKPOINT_NAME_SITE, pc))
		return &n->name[at];
	return before && before->space == CHECKPOINT_NAME_SITE && pc - before->key <= SITE_LEN ? before : NULL;
}

/* The site of Linux that has been moved to @pc. NULL: none, or it may be one of several. */
static const struct checkpoint_name *find_moved_site(const struct checkpoint_names *n, uint64_t pc)
{
	const size_t first = place_of(n, CHECKPOINT_NAME_SITE, KERNEL_FIRST),
		     end = place_of(n, CHECKPOINT_NAME_SITE, KERNEL_LAST + 1);
	const struct checkpoint_name *found = NULL;

	if (first == end || !in_kernel(pc))
		return NULL;
	const uint64_t from = n->name[first].key - n->name[first].key % KERNEL_ALIGN, last = n->name[end - 1].key;
	for (uint64_t at = from + pc % KERNEL_ALIGN; at <= last + SITE_LEN; at += KERNEL_ALIGN) {
		const struct checkpoint_name *x = find_site(n, at);

		if (x && found)
			return NULL;
		found = x ?: found;
	}
	return found;
}

const struct checkpoint_name *checkpoint_names_find(const struct checkpoint_names *n, uint32_t space, uint64_t key)
{
	const size_t at = place_of(n, space, key);

	if (space == CHECKPOINT_NAME_SITE)
		return find_site(n, key) ?: find_moved_site(n, key);
	return is_at(n, at, space, key) ? &n->name[at] : NULL;
}

bool checkpoint_names_knows(const struct checkpoint_names *n, const char *name)
{
	for (size_t i = 0; i < n->nnames; i++)
		if (strcmp(n->name[i].name, name) == 0)
			return true;
	for (size_t i = 0; i < ARRAY_LEN(n->sequence); i++)
		if (n->sequence[i] && strcmp(n->sequence[i]->name, name) == 0)
			return true;
	return false;
}

/* How many letters have to be changed, added or left out to make one of the other, whatever their case? */
static unsigned letters_between(const char *a, const char *b)
{
	unsigned row[WORD_MAX_LEN + 1];
	const size_t n = strlen(b);

	for (unsigned i = 0; i <= n; i++)
		row[i] = i;
	for (unsigned y = 1; *a; a++, y++) {
		unsigned corner = row[0];

		row[0] = y;
		for (unsigned x = 1; x <= n; x++) {
			const unsigned above = row[x];
			const bool same = tolower((unsigned char)*a) == tolower((unsigned char)b[x - 1]);

			row[x] = MIN(MIN(above, row[x - 1]) + 1, corner + !same);
			corner = above;
		}
	}
	return row[n];
}

static void compare(const char *name, const char *known, const char **best, unsigned *distance)
{
	const unsigned d = strlen(known) > WORD_MAX_LEN ? UINT_MAX : letters_between(name, known);

	if (d < *distance) {
		*distance = d;
		*best = known;
	}
}

const char *checkpoint_names_similar(const struct checkpoint_names *n, const char *name)
{
	unsigned distance = (unsigned)strlen(name) / 3 + 1; // as many must be right
	const char *best = NULL;

	for (size_t i = 0; i < n->nnames; i++)
		compare(name, n->name[i].name, &best, &distance);
	for (size_t i = 0; i < ARRAY_LEN(n->sequence); i++)
		if (n->sequence[i])
			compare(name, n->sequence[i]->name, &best, &distance);
	return best;
}

static bool is_in(const struct noise *x, uint64_t pc)
{
	const uint64_t span = x->last - x->first;

	if (pc >= x->first && pc <= x->last)
		return true;
	return in_kernel(x->first) && in_kernel(pc) && span < KERNEL_ALIGN && (pc - x->first) % KERNEL_ALIGN <= span;
}

const char *checkpoint_names_noise(const struct checkpoint_names *n, uint64_t pc, uint64_t value)
{
	for (size_t i = n->nnoise; i-- > 0;)
		if (is_in(&n->noise[i], pc) && (!n->noise[i].has_value || value == n->noise[i].value))
			return n->noise[i].name;
	return NULL;
}

const struct checkpoint_sequence *checkpoint_names_sequence(const struct checkpoint_names *n, uint64_t start)
{
	return start < ARRAY_LEN(n->sequence) ? n->sequence[start] : NULL;
}

const char *checkpoint_names_field(const struct checkpoint_names *n, uint32_t id)
{
	return n->field[id];
}

/* ---- the text of a map ---- */

struct line {
	struct checkpoint_names *names;
	char text[WORDS_MAX * WORD_MAX_LEN];
	char *word[WORDS_MAX];
	unsigned n;
	struct errtext *why; // gets what is wrong, without the place
};

static int wrong(struct line *l, const char *word, const char *expected)
{
	return errtext_set(l->why, -EINVAL, "'%s': expected %s", word, expected);
}

static int take_number(struct line *l, const char *word, uint64_t max, uint64_t *ret)
{
	struct cur c = cur_init(word, strlen(word));
	const uint64_t v = cur_number(&c);

	if (!cur_done(&c))
		return wrong(l, word, "a number such as 0x16 or 22, of 64 bits at most");
	if (v > max)
		return errtext_set(l->why, -EINVAL, "'%s': expected a number up to 0x%" PRIx64, word, max);
	*ret = v;
	return 0;
}

/* SPACE, then KEY NAME [SOURCE] in the words from @at on. */
static int put_name(struct line *l, uint32_t space, unsigned at, uint64_t max)
{
	uint64_t key;

	if (l->n < at + 2 || l->n > at + 3)
		return errtext_set(l->why, -EINVAL, "expected a value, a name, and perhaps FILE:LINE");
	const int rc = take_number(l, l->word[at], max, &key);
	return rc < 0 ? rc
		      : checkpoint_names_put(l->names, space, key, l->word[at + 1],
					     l->n > at + 2 ? l->word[at + 2] : NULL);
}

static int parse_record(struct line *l)
{
	return put_name(l, CHECKPOINT_NAME_RECORD, 1, UINT16_MAX);
}

static int parse_site(struct line *l)
{
	return put_name(l, CHECKPOINT_NAME_SITE, 1, UINT64_MAX);
}

static int parse_meaning(struct line *l)
{
	uint32_t id;

	if (l->n < 2)
		return errtext_set(l->why, -EINVAL, "expected the name of a field, a value and its name");
	const int rc = checkpoint_names_field_id(l->names, l->word[1], &id);
	return rc < 0 ? rc : put_name(l, CHECKPOINT_NAME_FIELD + id, 2, UINT64_MAX);
}

static int parse_noise(struct line *l)
{
	struct noise x = { .last = UINT64_MAX };
	char *dash = l->n > 1 ? strchr(l->word[1], '-') : NULL;
	int rc;

	if (l->n < 3 || l->n > 4)
		return errtext_set(l->why, -EINVAL, "expected noise ADDRESS[-ADDRESS] NAME [VALUE]");
	if (dash)
		*dash = '\0';
	rc = take_number(l, l->word[1], UINT64_MAX, &x.first);
	if (rc == 0)
		rc = take_number(l, dash ? dash + 1 : l->word[1], UINT64_MAX, &x.last);
	if (rc == 0 && !dash)
		x.last += MIN(UINT64_MAX - x.last, SITE_LEN);
	x.has_value = l->n > 3;
	if (rc == 0 && x.has_value)
		rc = take_number(l, l->word[3], UINT64_MAX, &x.value);
	if (rc < 0)
		return rc;
	if (x.last < x.first)
		return wrong(l, dash + 1, "an address that is not below the first");
	rc = room_for_one(&l->names->noise, l->names->nnoise, sizeof(x));
	x.name = rc == 0 ? strdup(l->word[2]) : NULL;
	if (!x.name)
		return -ENOMEM;
	l->names->noise[l->names->nnoise++] = x;
	return 0;
}

static const struct {
	const char *name;
	uint8_t bytes;
	bool big_endian;
} field_types[] = {
	{ "u8", 1, false },  { "le16", 2, false }, { "le32", 4, false }, { "le64", 8, false },
	{ "be16", 2, true }, { "be32", 4, true },  { "be64", 8, true },
};

static int add_field(struct line *l, struct checkpoint_sequence *s, char *word)
{
	char *colon = strchr(word, ':');

	if (!colon || colon == word)
		return wrong(l, word, "FIELD:TYPE");
	*colon = '\0';
	for (size_t i = 0; i < ARRAY_LEN(field_types); i++) {
		if (strcmp(colon + 1, field_types[i].name) != 0)
			continue;
		s->field[s->nfields].bytes = field_types[i].bytes;
		s->field[s->nfields].big_endian = field_types[i].big_endian;
		s->bytes += field_types[i].bytes;
		return checkpoint_names_field_id(l->names, word, &s->field[s->nfields++].id);
	}
	return wrong(l, colon + 1, "u8, le16, le32, le64, be16, be32 or be64");
}

static int parse_sequence(struct line *l)
{
	struct checkpoint_sequence *s;
	uint64_t start = 0;
	int rc;

	if (l->n < 4 || l->n > 3 + CHECKPOINT_SEQUENCE_FIELDS)
		return errtext_set(l->why, -EINVAL, "expected sequence VALUE NAME and 1 to %d times FIELD:TYPE",
				   CHECKPOINT_SEQUENCE_FIELDS);
	rc = take_number(l, l->word[1], UINT8_MAX, &start);
	if (rc < 0)
		return rc;
	if (start == FRAME_START)
		return wrong(l, l->word[1], "another value: this one begins a frame");
	s = calloc(1, sizeof(*s));
	if (!s)
		return -ENOMEM;
	s->start = (uint8_t)start;
	s->name = strdup(l->word[2]);
	rc = s->name ? 0 : -ENOMEM;
	for (unsigned i = 3; i < l->n && rc == 0; i++)
		rc = add_field(l, s, l->word[i]);
	if (rc < 0) {
		sequence_free(s);
		return rc;
	}
	sequence_free(l->names->sequence[start]);
	l->names->sequence[start] = s;
	return 0;
}

static const struct {
	const char *word;
	int (*parse)(struct line *l);
} statements[] = {
	{ "sequence", parse_sequence }, { "meaning", parse_meaning }, { "record", parse_record },
	{ "noise", parse_noise },       { "site", parse_site },
};

static int parse_words(struct line *l)
{
	for (size_t i = 0; i < ARRAY_LEN(statements); i++)
		if (strcmp(l->word[0], statements[i].word) == 0)
			return statements[i].parse(l);
	if (l->word[0][0] < '0' || l->word[0][0] > '9')
		return wrong(l, l->word[0], "a value, sequence, meaning, record, noise or site");
	return put_name(l, CHECKPOINT_NAME_VALUE, 0, UINT64_MAX);
}

/* Words of printable ASCII; the rest of the line after # does not count. */
static int split(struct line *l, const char *p, const char *end)
{
	char *to = l->text;

	for (l->n = 0;; l->n++) {
		while (p < end && (*p == ' ' || *p == '\t' || *p == '\r'))
			p++;
		if (p == end || *p == '#')
			return 0;
		if (l->n == WORDS_MAX)
			return errtext_set(l->why, -EINVAL, "more than %d words", WORDS_MAX);
		const char *start = p;
		for (l->word[l->n] = to; p<end && * p> ' ' && *p <= '~' && p - start < WORD_MAX_LEN - 1; p++)
			*to++ = *p;
		*to++ = '\0';
		if (p < end && *p != ' ' && *p != '\t' && *p != '\r')
			return errtext_set(l->why, -EINVAL,
					   "'%s...': expected words of up to %d printable ASCII characters",
					   l->word[l->n], WORD_MAX_LEN - 1);
	}
}

int checkpoint_names_parse(struct checkpoint_names *n, const char *what, const char *text, size_t len,
			   struct errtext *why)
{
	const char *end = text + len;
	unsigned number = 0;

	while (text < end) {
		const char *stop = memchr(text, '\n', (size_t)(end - text)) ?: end;
		struct errtext reason = { "out of memory" };
		struct line l = { .names = n, .why = &reason };

		number++;
		int rc = split(&l, text, stop);
		if (rc == 0 && l.n > 0)
			rc = parse_words(&l);
		if (rc < 0)
			return errtext_set(why, rc, "%s, line %u: %s", what, number,
					   rc == -ENOSPC ? "too many different fields" : reason.text);
		text = stop < end ? stop + 1 : end;
	}
	return 0;
}

static int read_map(struct checkpoint_names *n, const char *path, struct errtext *why)
{
	_cleanup_(strbuf_deinit) struct strbuf text = { 0 };
	const int rc = checkpoint_read_file(path, &text, why);

	return rc < 0 ? rc : checkpoint_names_parse(n, path, strbuf_str(&text), text.len, why);
}

int checkpoint_names_load(struct checkpoint_names *n, const char *spec, struct errtext *why)
{
	const int rc = checkpoint_builtin_load(n, spec, why);

	if (rc != -ENOENT)
		return rc;
	if (access(spec, F_OK) < 0)
		return errtext_set(why, -errno, "no map %s: %s: expected a file, or ovmf, efi, linux or seabios", spec,
				   strerror(errno));
	return read_map(n, spec, why);
}
