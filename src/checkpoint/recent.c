/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "checkpoint/recent.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>

#include "checkpoint/file.h"
#include "util/macros.h"

struct checkpoint_recent {
	pthread_mutex_t lock;
	uint64_t added;                                       // in all
	uint64_t first_ns;                                    // of the first of all
	struct checkpoint_entry entry[CHECKPOINT_RECENT_MAX]; // added % MAX is the next place
	void *memory[CHECKPOINT_RECENT_MAX];                  // of each: its text and fields
};

int checkpoint_recent_create(struct checkpoint_recent **ret)
{
	struct checkpoint_recent *r = calloc(1, sizeof(*r));

	if (!r)
		return -ENOMEM;
	pthread_mutex_init(&r->lock, NULL);
	*ret = r;
	return 0;
}

void checkpoint_recent_destroy(struct checkpoint_recent *r)
{
	if (!r)
		return;
	for (size_t i = 0; i < ARRAY_LEN(r->memory); i++)
		free(r->memory[i]);
	pthread_mutex_destroy(&r->lock);
	free(r);
}

static size_t strings_size(const struct checkpoint_entry *e)
{
	size_t n = e->rec.text ? strlen(e->rec.text) + 1 : 0;

	for (unsigned i = 0; i < e->label.nfields; i++)
		n += strlen(e->label.field[i].name) + strlen(e->label.field[i].value) + 2;
	return n;
}

static const char *move(char **to, const char *s)
{
	const char *at = *to;

	*to = stpcpy(*to, s) + 1;
	return at;
}

/* Have what would be gone after the call in memory of its own: *@memory. Without memory the record does without. */
static void keep(struct checkpoint_entry *e, void **memory)
{
	const size_t nfields = e->label.nfields, strings = strings_size(e);
	struct checkpoint_field *field = strings ? malloc(nfields * sizeof(*field) + strings) : NULL;
	char *to = (char *)(field + nfields);

	*memory = field;
	if (!field) {
		e->rec.text = NULL;
		e->label.nfields = 0;
		return;
	}
	if (e->rec.text)
		e->rec.text = move(&to, e->rec.text);
	for (size_t i = 0; i < nfields; i++) {
		field[i].name = move(&to, e->label.field[i].name);
		field[i].value = move(&to, e->label.field[i].value);
	}
	e->label.field = field;
}

void checkpoint_recent_add(void *recent, const struct checkpoint_record *rec, const struct checkpoint_label *label)
{
	struct checkpoint_recent *r = recent;
	struct checkpoint_entry e = { *rec, *label };
	void *memory;

	keep(&e, &memory);
	pthread_mutex_lock(&r->lock);
	const size_t at = r->added % CHECKPOINT_RECENT_MAX;
	if (!r->added++)
		r->first_ns = rec->ns;
	free(r->memory[at]);
	r->memory[at] = memory;
	r->entry[at] = e;
	pthread_mutex_unlock(&r->lock);
}

static size_t kept_locked(const struct checkpoint_recent *r)
{
	return MIN(r->added, CHECKPOINT_RECENT_MAX);
}

static const struct checkpoint_entry *entry_locked(const struct checkpoint_recent *r, size_t i)
{
	return &r->entry[(r->added - kept_locked(r) + i) % CHECKPOINT_RECENT_MAX];
}

bool checkpoint_recent_table_add(struct checkpoint_recent *r, size_t rows, struct strbuf *out)
{
	_cleanup_(freep) struct checkpoint_entry *entry = calloc(CHECKPOINT_RECENT_MAX, sizeof(*entry));

	if (!entry) {
		out->oom = true;
		return true;
	}
	pthread_mutex_lock(&r->lock);
	const struct checkpoint_file f = { .entry = entry, .n = kept_locked(r) };
	for (size_t i = 0; i < f.n; i++)
		entry[i] = *entry_locked(r, i);
	if (f.n)
		checkpoint_table_add_last(out, &f, r->first_ns, rows);
	pthread_mutex_unlock(&r->lock);
	return f.n;
}

void checkpoint_recent_each(struct checkpoint_recent *r, void (*fn)(void *arg, const struct checkpoint_record *rec),
			    void *arg)
{
	pthread_mutex_lock(&r->lock);
	for (size_t i = 0; i < kept_locked(r); i++)
		fn(arg, &entry_locked(r, i)->rec);
	pthread_mutex_unlock(&r->lock);
}
