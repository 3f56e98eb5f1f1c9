/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "checkpoint/internal.h"
#include "checkpoint/report.h"

/* In pixels. */
enum {
	WIDTH = 860,
	TOP = 40, // where rows begin
	ROW = 20,
	LABEL = 236, // where bars begin
	RIGHT = 770, // where they end, and durations stand
	BAR = 10,
	LETTERS = 28, // of a name
};

enum { ROWS_MAX = 24, HUES = 6 };

/* Of both themes of who looks at it. h: a checkpoint of a boot, by name; b: of boots A and B. */
static const char style[] =
	"<style>"
	"text{font:12px ui-monospace,DejaVu Sans "
	"Mono,monospace;fill:#1b2026}.t{font-weight:700}.e{text-anchor:end}.m{text-anchor:middle}"
	".s{fill:#5c6670}.p{fill:#fff;stroke:#dfe3e6}.l{stroke:#e6eaed;fill:none}"
	".h0{fill:#4b7bd8}.h1{fill:#2f9e68}.h2{fill:#c98a1b}.h3{fill:#a25cc4}.h4{fill:#2595ad}.h5{fill:#d2604f}"
	".b0{fill:#4b7bd8}.b1{fill:#d97b2b}"
	"@media(prefers-color-scheme:dark){text{fill:#e4e8ec}.s{fill:#97a3af}.p{fill:#161a1f;stroke:#2a3139}"
	".l{stroke:#252c33}}"
	"</style>\n";

/* Files may be from anywhere. */
static void add_text(struct strbuf *out, const char *s, size_t max)
{
	for (; *s && max; s++, max--) {
		if (*s == '<')
			strbuf_adds(out, "&lt;");
		else if (*s == '&')
			strbuf_adds(out, "&amp;");
		else
			strbuf_addc(out, *s >= ' ' && *s <= '~' ? *s : '.');
	}
	if (*s)
		strbuf_adds(out, "\u2026");
}

/* With three digits. */
static void add_span(struct strbuf *out, uint64_t ns)
{
	static const struct {
		double ns;
		const char *name;
	} units[] = { { 1e9, "s" }, { 1e6, "ms" }, { 1e3, "\u00b5s" } };
	unsigned i = 0;

	while (i + 1 < ARRAY_LEN(units) && (double)ns < units[i].ns)
		i++;
	const double value = (double)ns / units[i].ns;
	strbuf_addf(out, "%.*f %s", value < 9.995 ? 2 : value < 99.95 ? 1 : 0, value, units[i].name);
}

/* A checkpoint in one boot or in both. */
struct bar {
	const struct checkpoint_entry *e[2];
	uint64_t lasts[2];
	size_t order;
};

struct bars {
	struct bar *bar;
	size_t n;
	uint64_t end; // of the longer boot
};

static void bars_deinit(struct bars *b)
{
	free(b->bar);
}

static uint64_t since_start(const struct checkpoint_file *f, const struct checkpoint_entry *e)
{
	return e->rec.ns > f->entry[0].rec.ns ? e->rec.ns - f->entry[0].rec.ns : 0;
}

static void take_pairs(const struct checkpoint_diff *d, struct bars *out)
{
	for (size_t i = 0; i < d->n; i++) {
		const struct checkpoint_diff_row *r = &d->row[i];

		if (r->a || r->b)
			out->bar[out->n++] = (struct bar){ { r->a, r->b }, { r->a_ns, r->b_ns }, i };
	}
}

/* What is in one boot only comes first. */
static uint64_t weight(const struct bar *b)
{
	return b->e[0] && b->e[1] ? MAX(b->lasts[0], b->lasts[1]) : UINT64_MAX;
}

static int by_weight(const void *a, const void *b)
{
	const struct bar *x = a, *y = b;

	if (weight(x) != weight(y))
		return weight(x) < weight(y) ? 1 : -1;
	return x->order < y->order ? -1 : x->order > y->order;
}

static int by_order(const void *a, const void *b)
{
	const struct bar *x = a, *y = b;

	return x->order < y->order ? -1 : x->order > y->order;
}

static int collect(const struct checkpoint_report *r, struct bars *out)
{
	_cleanup_(checkpoint_diff_destroyp) struct checkpoint_diff *own = NULL;
	const struct checkpoint_diff *d = r->diff;
	int rc = 0;

	if (!d) {
		rc = checkpoint_diff(r->file[0], r->file[0], false, &own); // a boot and itself: all is in both
		d = own;
	}
	if (rc < 0)
		return rc;
	out->bar = calloc(d->n + 1, sizeof(*out->bar));
	if (!out->bar)
		return -ENOMEM;
	take_pairs(d, out);
	for (unsigned i = 0; i < r->n; i++)
		if (r->file[i]->n)
			out->end = MAX(out->end, since_start(r->file[i], &r->file[i]->entry[r->file[i]->n - 1]));
	return 0;
}

/* What weighs most, in its order. */
static size_t choose(struct bars *b)
{
	const size_t n = MIN(b->n, (size_t)ROWS_MAX);

	qsort(b->bar, b->n, sizeof(*b->bar), by_weight);
	qsort(b->bar, n, sizeof(*b->bar), by_order);
	return n;
}

static unsigned place(const struct bars *b, uint64_t ns)
{
	return LABEL + (unsigned)((double)ns / (double)MAX(b->end, 1u) * (RIGHT - LABEL));
}

static void add_label(struct strbuf *out, const struct checkpoint_file *f, const struct checkpoint_entry *e)
{
	const struct checkpoint_record *head = &checkpoint_file_head(f, e)->rec;
	char value[24];

	snprintf(value, sizeof(value), "0x%0*" PRIx64, 2 * head->size, head->value);
	add_text(out, e->label.name ?: value, LETTERS);
}

/* One colour for a name, wherever it is. */
static unsigned hue_of(const struct checkpoint_entry *e)
{
	const char *s = e->label.name ?: "";
	uint32_t hash = (uint32_t)e->rec.value;

	for (hash = *s ? 0 : hash; *s; s++)
		hash = hash * 31 + (uint8_t)*s;
	return hash % HUES;
}

static void add_bar(struct strbuf *out, const struct checkpoint_report *r, const struct bars *all, const struct bar *b,
		    unsigned boot, unsigned y)
{
	const struct checkpoint_entry *e = b->e[boot];
	const uint64_t from = e ? since_start(r->file[boot], e) : 0;
	const unsigned x = place(all, from), to = place(all, from + b->lasts[boot]);

	if (e)
		strbuf_addf(out, "<rect class=\"%s%u\" x=\"%u\" y=\"%u\" width=\"%u\" height=\"%u\" rx=\"2\"/>\n",
			    r->n > 1 ? "b" : "h", r->n > 1 ? boot : hue_of(e), x, y, MAX(to - x, 2u),
			    r->n > 1 ? BAR / 2 : BAR);
}

static void add_amount(struct strbuf *out, const struct checkpoint_report *r, const struct bar *b)
{
	if (r->n < 2) {
		if (b->lasts[0]) // the last has no end
			add_span(out, b->lasts[0]);
	} else if (!b->e[0] || !b->e[1]) {
		strbuf_adds(out, b->e[0] ? "only in A" : "only in B");
	} else if (b->lasts[0] || b->lasts[1]) {
		strbuf_adds(out, b->lasts[1] < b->lasts[0] ? "\u2212" : "+");
		add_span(out, b->lasts[1] < b->lasts[0] ? b->lasts[0] - b->lasts[1] : b->lasts[1] - b->lasts[0]);
	}
}

static void add_row(struct strbuf *out, const struct checkpoint_report *r, const struct bars *all, const struct bar *b,
		    unsigned y)
{
	strbuf_addf(out, "<text x=\"%u\" y=\"%u\" class=\"e\">", LABEL - 10, y + ROW - 6);
	add_label(out, r->file[b->e[0] ? 0 : 1], b->e[0] ?: b->e[1]);
	strbuf_adds(out, "</text>\n");
	for (unsigned i = 0; i < r->n; i++)
		add_bar(out, r, all, b, i, y + (ROW - BAR) / 2 + i * (BAR / 2 + 1));
	strbuf_addf(out, "<text x=\"%u\" y=\"%u\" class=\"s e\">", WIDTH - 8, y + ROW - 6);
	add_amount(out, r, b);
	strbuf_adds(out, "</text>\n");
}

static void add_head(struct strbuf *out, const struct checkpoint_report *r, const struct bars *b, size_t rows)
{
	strbuf_adds(out, "<text x=\"12\" y=\"22\" class=\"t\">");
	for (unsigned i = 0; i < r->n; i++) {
		strbuf_addf(out, "%s<tspan class=\"%s\">", i ? " \u2192 " : "", r->n < 2 ? "" : i ? "b1" : "b0");
		add_text(out, r->name[i], LETTERS);
		strbuf_adds(out, "</tspan>");
	}
	strbuf_addf(out, "</text>\n<text x=\"%u\" y=\"22\" class=\"s e\">%zu of %zu checkpoints, ", WIDTH - 8, rows,
		    b->n);
	add_span(out, b->end);
	strbuf_adds(out, "</text>\n");
}

/* Of round times, at most six. */
static void add_grid(struct strbuf *out, const struct bars *b, size_t rows)
{
	static const uint64_t digits[] = { 1, 2, 5 };
	uint64_t step = 1000;

	for (unsigned i = 1; b->end / step > 6; i++)
		step = step / digits[(i - 1) % 3] * digits[i % 3] * (i % 3 ? 1 : 10);
	for (uint64_t ns = 0;; ns += step) {
		const unsigned x = place(b, ns);

		strbuf_addf(out, "<path class=\"l\" d=\"M%u %uv%zu\"/>\n", x, TOP - 4, rows * ROW + 8);
		strbuf_addf(out, "<text x=\"%u\" y=\"%zu\" class=\"s m\">", x, TOP + rows * ROW + 20);
		if (ns)
			add_span(out, ns);
		else
			strbuf_addc(out, '0');
		strbuf_adds(out, "</text>\n");
		if (b->end - ns < step) // the next one may be more than 64 bits
			break;
	}
}

void checkpoint_report_svg(struct strbuf *out, const struct checkpoint_report *r)
{
	_cleanup_(bars_deinit) struct bars b = { 0 };

	if (collect(r, &b) < 0) {
		out->oom = true;
		return;
	}
	const size_t rows = choose(&b), height = TOP + rows * ROW + 32;
	strbuf_addf(out,
		    "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %u %zu\" width=\"%u\" height=\"%zu\">\n",
		    WIDTH, height, WIDTH, height);
	strbuf_adds(out, style);
	strbuf_adds(out, "<rect class=\"p\" width=\"100%\" height=\"100%\" rx=\"8\"/>\n");
	add_head(out, r, &b, rows);
	add_grid(out, &b, rows);
	for (size_t i = 0; i < rows; i++)
		add_row(out, r, &b, &b.bar[i], (unsigned)(TOP + i * ROW));
	strbuf_adds(out, "</svg>\n");
}
