/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <inttypes.h>
#include <stdio.h>

#include "checkpoint/diff.h"
#include "checkpoint/internal.h"

enum { US = 1000 };

static void add_us(struct strbuf *out, uint64_t ns, const char *sign)
{
	char text[48];
	const uint64_t us = ns / US;

	snprintf(text, sizeof(text), "%s%" PRIu64 ".%06" PRIu64, sign, us / 1000000, us % 1000000);
	strbuf_addf(out, "  %11s", text);
}

static void add_nothing(struct strbuf *out)
{
	strbuf_addf(out, "  %11s", "");
}

/* When it was, since the first record of its boot. */
static void add_when(struct strbuf *out, const struct checkpoint_file *f, const struct checkpoint_entry *e)
{
	const uint64_t start = f->n ? f->entry[0].rec.ns : 0;

	if (e)
		add_us(out, e->rec.ns > start ? e->rec.ns - start : 0, "");
	else
		add_nothing(out);
}

static void add_difference(struct strbuf *out, uint64_t a_ns, uint64_t b_ns)
{
	// Of what is shown: the columns add up.
	const uint64_t a = a_ns / US * US, b = b_ns / US * US;

	add_us(out, a > b ? a - b : b - a, a > b ? "-" : "+");
}

static void add_last(struct strbuf *out, const struct checkpoint_diff_row *r)
{
	if (!r->a != !r->b || (!r->a_ns && !r->b_ns)) {
		for (unsigned i = 0; i < 3; i++)
			add_nothing(out);
		return;
	}
	add_us(out, r->a_ns, "");
	add_us(out, r->b_ns, "");
	add_difference(out, r->a_ns, r->b_ns);
}

/* Value and name; of both, where they differ. */
static void add_checkpoint(struct strbuf *out, const struct checkpoint_diff *d, const struct checkpoint_diff_row *r)
{
	const struct checkpoint_entry *e = r->a ?: r->b;
	const struct checkpoint_record *head;
	char value[24];

	if (!e) {
		strbuf_addf(out, "  %10s  (begin)", "");
		return;
	}
	head = &checkpoint_file_head(r->a ? d->a : d->b, e)->rec;
	snprintf(value, sizeof(value), "0x%0*" PRIx64, 2 * head->size, head->value);
	strbuf_addf(out, "  %10s ", value);
	checkpoint_what_add(out, e);
	if (r->other_data) {
		strbuf_adds(out, "  in B:");
		checkpoint_what_add(out, r->b);
	}
}

static void add_row(struct strbuf *out, const struct checkpoint_diff *d, const struct checkpoint_diff_row *r)
{
	const struct checkpoint_entry *e = r->a ?: r->b ?: r[1].a ?: r[1].b; // a begin is never the last row
	const char mark = !r->a && !r->b ? ' ' : !r->b ? '-' : !r->a ? '+' : r->other_data ? '~' : ' ';

	strbuf_addc(out, mark);
	if (e->rec.vcpu < 0)
		strbuf_adds(out, "     -");
	else
		strbuf_addf(out, " %4d", e->rec.vcpu);
	add_when(out, d->a, r->a);
	add_when(out, d->b, r->b);
	add_last(out, r);
	add_checkpoint(out, d, r);
	while (out->len && out->s[out->len - 1] == ' ')
		out->len--;
	strbuf_addc(out, '\n');
}

static uint64_t slip(const struct checkpoint_diff_row *r)
{
	return r->a_ns > r->b_ns ? r->a_ns - r->b_ns : r->b_ns - r->a_ns;
}

static int by_slip(const void *a, const void *b)
{
	const struct checkpoint_diff_row *const *x = a, *const *y = b;
	const uint64_t of_x = slip(*x), of_y = slip(*y);

	return of_x != of_y ? (of_x < of_y ? 1 : -1) : *x < *y ? -1 : *x > *y;
}

static void add_largest(struct strbuf *out, const struct checkpoint_diff *d, size_t largest)
{
	_cleanup_(freep) const struct checkpoint_diff_row **sorted = calloc(d->n + 1, sizeof(*sorted));
	size_t n = 0;

	if (!sorted) {
		out->oom = true;
		return;
	}
	for (size_t i = 0; i < d->n; i++) {
		const struct checkpoint_diff_row *r = &d->row[i];

		if (!r->a != !r->b || r->other_data)
			add_row(out, d, r);
		if (r->a && r->b && slip(r))
			sorted[n++] = r;
	}
	qsort(sorted, n, sizeof(*sorted), by_slip);
	for (size_t i = 0; i < MIN(n, largest); i++)
		add_row(out, d, sorted[i]);
}

static uint64_t length_of(const struct checkpoint_file *f)
{
	return f->n && f->entry[f->n - 1].rec.ns > f->entry[0].rec.ns ? f->entry[f->n - 1].rec.ns - f->entry[0].rec.ns
								      : 0;
}

static void add_boot(struct strbuf *out, const char *letter, const char *name, const struct checkpoint_file *f)
{
	uint64_t lost = 0;
	bool cut = f->torn;

	for (size_t i = 0; i < f->n; i++) {
		lost += f->entry[i].rec.kind == CHECKPOINT_LOST ? f->entry[i].rec.value : 0;
		cut |= f->entry[i].rec.kind == CHECKPOINT_CUT;
	}
	strbuf_addf(out, "%s: %s", letter, name);
	if (lost)
		strbuf_addf(out, "; %" PRIu64 " records are lost", lost);
	strbuf_adds(out, cut ? "; the file was cut\n" : "\n");
}

static void add_sum(struct strbuf *out, const struct checkpoint_diff *d)
{
	uint64_t a_ns = length_of(d->a), b_ns = length_of(d->b);

	strbuf_addf(out, "%zu in both", d->both);
	if (d->other_data)
		strbuf_addf(out, ", %zu of them with other data", d->other_data);
	strbuf_addf(out, "; %zu only in A, %zu only in B\n", d->only_a, d->only_b);
	strbuf_adds(out, "all records:");
	add_us(out, a_ns, "A ");
	add_us(out, b_ns, "B ");
	add_difference(out, a_ns, b_ns);
	strbuf_addc(out, '\n');
}

void checkpoint_diff_add(struct strbuf *out, const char *a, const char *b, const struct checkpoint_diff *d,
			 size_t largest)
{
	add_boot(out, "A", a, d->a);
	add_boot(out, "B", b, d->b);
	strbuf_adds(out, "  vcpu       time A       time B   duration A   duration B        B - A       value  what\n");
	if (largest)
		add_largest(out, d, largest);
	else
		for (size_t i = 0; i < d->n; i++)
			add_row(out, d, &d->row[i]);
	add_sum(out, d);
}
