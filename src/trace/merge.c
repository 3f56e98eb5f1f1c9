/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "trace/merge.h"

#include <stdlib.h>
#include <string.h>

#include "util/macros.h"

void trace_merge_deinit(struct trace_merge *m)
{
	free(m->item);
	*m = (struct trace_merge){ 0 };
}

void trace_merge_add(struct trace_merge *m, const struct trace_item *item)
{
	if (m->n == m->cap) {
		const size_t cap = MAX(2 * m->cap, 1024);
		struct trace_item *grown = reallocarray(m->item, cap, sizeof(*grown));

		if (!grown) {
			m->dropped += item->lost ?: 1;
			return;
		}
		m->item = grown;
		m->cap = cap;
	}
	m->item[m->n] = *item;
	m->item[m->n++].came = m->came++;
}

static int by_time(const void *a, const void *b)
{
	const struct trace_item *x = a, *y = b;

	if (x->ns != y->ns)
		return x->ns < y->ns ? -1 : 1;
	return x->came < y->came ? -1 : 1;
}

void trace_merge_take(struct trace_merge *m, uint64_t until, bool (*take)(void *arg, const struct trace_item *item),
		      void *arg)
{
	size_t done = 0;

	if (m->sorted < m->n)
		qsort(m->item, m->n, sizeof(m->item[0]), by_time);
	for (; done < m->n && m->item[done].ns <= until; done++) {
		struct trace_item item = m->item[done];

		item.ns = MAX(item.ns, m->last_ns);
		if (!take(arg, &item))
			break;
		m->last_ns = item.ns;
	}
	m->n -= done;
	m->sorted = m->n;
	if (m->n)
		memmove(m->item, m->item + done, m->n * sizeof(m->item[0]));
}
