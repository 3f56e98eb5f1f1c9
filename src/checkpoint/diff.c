/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "checkpoint/diff.h"

#include <errno.h>
#include <string.h>

#include "checkpoint/align.h"
#include "util/macros.h"

/* What is compared. */
struct step {
	const struct checkpoint_entry *e, *head; // head: of a sequence or frame, its first byte
	int vcpu;
	uint32_t id, kin; // the same in both boots if the steps are the same, and if they only differ in their data
};

/* Those of a boot, by vCPU. */
struct steps {
	struct step *step;
	size_t n;
};

static void steps_deinit(struct steps *s)
{
	free(s->step);
}

static int compare_numbers(uint64_t a, uint64_t b)
{
	return a < b ? -1 : a > b;
}

static bool knows_vcpus(const struct checkpoint_file *f)
{
	for (size_t i = 0; i < f->n; i++)
		if (f->entry[i].rec.kind == CHECKPOINT_WRITE && f->entry[i].rec.vcpu < 0)
			return false;
	return true;
}

static int by_vcpu(const void *a, const void *b)
{
	const struct step *x = a, *y = b;

	return compare_numbers((uint64_t)x->vcpu, (uint64_t)y->vcpu) ?: compare_numbers(x->e->rec.seq, y->e->rec.seq);
}

static int collect(const struct checkpoint_file *f, bool all, bool vcpus, struct steps *out)
{
	_cleanup_(freep) bool *part = checkpoint_file_parts(f);

	out->step = calloc(f->n + 1, sizeof(*out->step));
	if (!part || !out->step)
		return -ENOMEM;
	for (size_t i = 0; i < f->n; i++) {
		const struct checkpoint_entry *e = &f->entry[i];

		if (e->rec.kind != CHECKPOINT_WRITE || (!all && (e->label.noise || part[i])))
			continue;
		out->step[out->n++] = (struct step){ .e = e,
						     .head = all ? e : checkpoint_file_head(f, e),
						     .vcpu = vcpus ? e->rec.vcpu : 0 };
	}
	qsort(out->step, out->n, sizeof(*out->step), by_vcpu);
	return 0;
}

/* ---- which are the same ---- */

static int compare_kin(const struct step *x, const struct step *y)
{
	const struct checkpoint_record *a = &x->head->rec, *b = &y->head->rec;

	return compare_numbers(a->port, b->port) ?: compare_numbers(a->mmio, b->mmio) ?: compare_numbers(a->size, b->size)
	       ?: compare_numbers(a->value, b->value) ?: strcmp(x->e->label.name ?: "", y->e->label.name ?: "");
}

static int compare_data(const struct step *x, const struct step *y)
{
	const struct checkpoint_label *a = &x->e->label, *b = &y->e->label;
	int rc = compare_numbers(a->nfields, b->nfields);

	for (unsigned i = 0; rc == 0 && i < a->nfields; i++)
		rc = strcmp(a->field[i].name, b->field[i].name) ?: strcmp(a->field[i].value, b->field[i].value);
	return rc;
}

static int by_identity(const void *a, const void *b)
{
	const struct step *const *x = a, *const *y = b;

	return compare_kin(*x, *y) ?: compare_data(*x, *y);
}

static int number(struct steps *a, struct steps *b)
{
	const size_t n = a->n + b->n;
	_cleanup_(freep) struct step **sorted = calloc(n + 1, sizeof(*sorted));
	uint32_t id = 0, kin = 0;

	if (!sorted)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++)
		sorted[i] = i < a->n ? &a->step[i] : &b->step[i - a->n];
	qsort(sorted, n, sizeof(*sorted), by_identity);
	for (size_t i = 0; i < n; i++) {
		if (i && compare_kin(sorted[i - 1], sorted[i]) != 0)
			kin++;
		if (i && by_identity(&sorted[i - 1], &sorted[i]) != 0)
			id++;
		sorted[i]->id = id;
		sorted[i]->kin = kin;
	}
	return 0;
}

/* ---- what belongs together ---- */

/* The steps of one vCPU. */
struct lane {
	const struct step *a, *b;
	size_t na, nb;
	size_t *match; // for each of a
};

static int align_part(const struct lane *l, bool kin, size_t a0, size_t a1, size_t b0, size_t b1)
{
	const size_t na = a1 - a0, nb = b1 - b0;
	_cleanup_(freep) uint32_t *id = calloc(na + nb + 1, sizeof(*id));
	int rc = -ENOMEM;

	for (size_t i = 0; id && i < na + nb; i++) {
		const struct step *s = i < na ? &l->a[a0 + i] : &l->b[b0 + i - na];

		id[i] = kin ? s->kin : s->id;
	}
	if (id)
		rc = align(id, na, id + na, nb, l->match + a0);
	for (size_t i = a0; rc == 0 && i < a1; i++)
		if (l->match[i] != ALIGN_NONE)
			l->match[i] += b0;
	return rc;
}

/* First those that are the same; then, between them, those that only differ in their data. */
static int align_lane(const struct lane *l)
{
	int rc = align_part(l, false, 0, l->na, 0, l->nb);

	for (size_t a = 0, b = 0; rc == 0 && a < l->na; a++) {
		const size_t a0 = a;

		while (a < l->na && l->match[a] == ALIGN_NONE)
			a++;
		const size_t b1 = a < l->na ? l->match[a] : l->nb;
		if (a0 < a && b < b1)
			rc = align_part(l, true, a0, a, b, b1);
		b = b1 + 1;
	}
	return rc;
}

/* ---- rows ---- */

static void add_pair(struct checkpoint_diff *d, const struct step *a, const struct step *b)
{
	d->row[d->n++] = (struct checkpoint_diff_row){ .a = a ? a->e : NULL,
						       .b = b ? b->e : NULL,
						       .other_data = a && b && a->id != b->id };
	d->both += a && b;
	d->only_a += !b;
	d->only_b += !a;
	d->other_data += a && b && a->id != b->id;
}

static uint64_t since(uint64_t ns, uint64_t start)
{
	return ns > start ? ns - start : 0;
}

/* How long those lasted that are in both. The first row is where records begin. */
static void add_times(struct checkpoint_diff *d, size_t first)
{
	struct checkpoint_diff_row *last = &d->row[first];

	for (size_t i = first + 1; i < d->n; i++) {
		struct checkpoint_diff_row *r = &d->row[i];

		if (!r->a || !r->b)
			continue;
		last->a_ns = since(r->a->rec.ns, last->a ? last->a->rec.ns : d->a->entry[0].rec.ns);
		last->b_ns = since(r->b->rec.ns, last->b ? last->b->rec.ns : d->b->entry[0].rec.ns);
		last = r;
	}
}

static void add_lane(struct checkpoint_diff *d, const struct lane *l)
{
	const size_t first = d->n++;
	size_t b = 0;

	d->row[first] = (struct checkpoint_diff_row){ 0 };
	for (size_t a = 0; a < l->na; a++) {
		for (; l->match[a] != ALIGN_NONE && b < l->match[a]; b++)
			add_pair(d, NULL, &l->b[b]);
		add_pair(d, &l->a[a], l->match[a] != ALIGN_NONE ? &l->b[b++] : NULL);
	}
	for (; b < l->nb; b++)
		add_pair(d, NULL, &l->b[b]);
	add_times(d, first);
	if (!d->row[first].a_ns && !d->row[first].b_ns)
		memmove(&d->row[first], &d->row[first + 1], (--d->n - first) * sizeof(*d->row));
}

/* The steps of the vCPU that comes next. */
static size_t take_lane(const struct steps *s, size_t from, int vcpu)
{
	while (from < s->n && s->step[from].vcpu == vcpu)
		from++;
	return from;
}

static int add_lanes(struct checkpoint_diff *d, const struct steps *a, const struct steps *b, size_t *match)
{
	size_t a0 = 0, b0 = 0;
	int rc = 0;

	while (rc == 0 && (a0 < a->n || b0 < b->n)) {
		const int vcpu =
			MIN(a0 < a->n ? a->step[a0].vcpu : INT32_MAX, b0 < b->n ? b->step[b0].vcpu : INT32_MAX);
		const size_t a1 = take_lane(a, a0, vcpu), b1 = take_lane(b, b0, vcpu);
		const struct lane l = { a->step + a0, b->step + b0, a1 - a0, b1 - b0, match };

		rc = align_lane(&l);
		if (rc == 0)
			add_lane(d, &l);
		a0 = a1;
		b0 = b1;
	}
	return rc;
}

void checkpoint_diff_destroy(struct checkpoint_diff *d)
{
	if (!d)
		return;
	free(d->row);
	free(d);
}

void checkpoint_diff_destroyp(struct checkpoint_diff **d)
{
	checkpoint_diff_destroy(*d);
}

int checkpoint_diff(const struct checkpoint_file *a, const struct checkpoint_file *b, bool all,
		    struct checkpoint_diff **ret)
{
	_cleanup_(checkpoint_diff_destroyp) struct checkpoint_diff *d = calloc(1, sizeof(*d));
	_cleanup_(steps_deinit) struct steps sa = { 0 }, sb = { 0 };
	const bool vcpus = knows_vcpus(a) && knows_vcpus(b);
	int rc = d ? collect(a, all, vcpus, &sa) : -ENOMEM;

	rc = rc ?: collect(b, all, vcpus, &sb) ?: number(&sa, &sb);
	if (rc < 0)
		return rc;
	d->a = a;
	d->b = b;
	d->row = calloc(2 * (sa.n + sb.n) + 1, sizeof(*d->row)); // one more for each vCPU
	_cleanup_(freep) size_t *match = calloc(sa.n + 1, sizeof(*match));
	rc = d->row && match ? add_lanes(d, &sa, &sb, match) : -ENOMEM;
	if (rc == 0)
		*ret = take_ptr(d);
	return rc;
}
