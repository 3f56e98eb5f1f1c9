/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <inttypes.h>
#include <time.h>

#include "checkpoint/internal.h"
#include "checkpoint/outcome.h"

const char *const checkpoint_verdict_names[VERDICT_N] = {
	[VERDICT_NONE] = "none",       [VERDICT_MATCHED] = "matched", [VERDICT_DIVERGED] = "diverged",
	[VERDICT_STALLED] = "stalled", [VERDICT_CRASHED] = "crashed", [VERDICT_ENDED] = "ended",
};

/* What is shown of it in another tool: a check that failed, or something that went wrong. */
static const char *const elements[VERDICT_N] = {
	[VERDICT_DIVERGED] = "failure",
	[VERDICT_STALLED] = "failure",
	[VERDICT_CRASHED] = "error",
	[VERDICT_ENDED] = "error",
};

static void add_escaped(struct strbuf *out, const char *s)
{
	for (; *s; s++) {
		if (*s == '&')
			strbuf_adds(out, "&amp;");
		else if (*s == '<')
			strbuf_adds(out, "&lt;");
		else if (*s == '>')
			strbuf_adds(out, "&gt;");
		else if (*s == '"')
			strbuf_adds(out, "&quot;");
		else
			strbuf_addc(out, (*s >= ' ' && *s <= '~') || *s == '\n' ? *s : '.');
	}
}

static void add_attribute(struct strbuf *out, const char *name, const char *value)
{
	strbuf_addf(out, " %s=\"", name);
	add_escaped(out, value);
	strbuf_addc(out, '"');
}

static void add_seconds(struct strbuf *out, const char *name, uint64_t ns)
{
	strbuf_addf(out, " %s=\"%" PRIu64 ".%09" PRIu64 "\"", name, ns / NS_PER_S, ns % NS_PER_S);
}

static void add_message(struct strbuf *out, const char *element, const char *type, const char *message)
{
	strbuf_addf(out, "<%s", element);
	if (type)
		add_attribute(out, "type", type);
	add_attribute(out, "message", message);
	strbuf_adds(out, "/>");
}

/* A line of the golden file that counts, and what became of it. */
struct fate {
	const struct golden_item *item;
	const struct expect_result *result;
	bool blamed; // for the verdict
};

static bool is_skipped(const struct fate *f)
{
	return !f->result->met && !f->blamed;
}

static void add_case(struct strbuf *out, const struct checkpoint_outcome *o, const struct fate *f)
{
	strbuf_adds(out, "    <testcase");
	add_attribute(out, "name", f->item->text);
	add_attribute(out, "classname", o->golden->path);
	add_attribute(out, "file", o->golden->path);
	strbuf_addf(out, " line=\"%u\"", f->item->line);
	add_seconds(out, "time", f->result->took_ns);
	strbuf_addc(out, '>');
	if (f->blamed)
		add_message(out, elements[o->verdict], checkpoint_verdict_names[o->verdict], o->why);
	else if (is_skipped(f))
		add_message(out, "skipped", NULL, f->item->optional ? "optional, and not seen" : "not reached");
	strbuf_adds(out, "</testcase>\n");
}

static void add_counts(struct strbuf *out, unsigned cases, unsigned skipped, const char *element)
{
	strbuf_addf(out, " tests=\"%u\" failures=\"%d\" errors=\"%d\" skipped=\"%u\"", cases,
		    element && *element == 'f', element && *element == 'e', skipped);
}

static void add_suite(struct strbuf *out, const struct checkpoint_outcome *o, const struct fate *fate, unsigned n)
{
	const time_t start = (time_t)o->epoch_s;
	unsigned skipped = 0;
	char date[32] = "";
	struct tm tm;

	for (unsigned i = 0; i < n; i++)
		skipped += is_skipped(&fate[i]);
	strbuf_adds(out, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites");
	add_counts(out, n, skipped, elements[o->verdict]);
	add_seconds(out, "time", o->end_ns - o->start_ns);
	strbuf_adds(out, ">\n  <testsuite");
	add_attribute(out, "name", o->golden->path);
	add_counts(out, n, skipped, elements[o->verdict]);
	add_seconds(out, "time", o->end_ns - o->start_ns);
	if (gmtime_r(&start, &tm) && strftime(date, sizeof(date), "%Y-%m-%dT%H:%M:%S", &tm))
		add_attribute(out, "timestamp", date);
	strbuf_adds(out, ">\n");
	for (unsigned i = 0; i < n; i++)
		add_case(out, o, &fate[i]);
	strbuf_adds(out, "    <system-out>");
	add_escaped(out, o->why);
	strbuf_adds(out, "</system-out>\n  </testsuite>\n</testsuites>\n");
}

/* What the verdict is about: of all that could have come, what had to. */
static const struct golden_item *blamed_item(const struct checkpoint_outcome *o)
{
	_cleanup_(freep) const struct golden_item **wanted = calloc(o->golden->n, sizeof(*wanted));
	const size_t n = wanted ? expect_wanted(o->expect, wanted, o->golden->n) : 0;

	for (size_t i = 0; i < n; i++)
		if (!wanted[i]->optional)
			return wanted[i];
	return n ? wanted[0] : NULL;
}

void checkpoint_junit_add(struct strbuf *out, const struct checkpoint_outcome *o)
{
	_cleanup_(freep) struct expect_result *result = calloc(o->golden->n, sizeof(*result));
	_cleanup_(freep) struct fate *fate = calloc(o->golden->n, sizeof(*fate));
	const struct golden_item *blamed = elements[o->verdict] ? blamed_item(o) : NULL;
	unsigned n = 0;

	if (!result || !fate) {
		out->oom = true;
		return;
	}
	expect_results(o->expect, result);
	for (size_t i = 0; i < o->golden->n; i++) {
		const struct golden_item *x = &o->golden->item[i];

		if (x->kind != GOLDEN_GAP && x->kind != GOLDEN_ANY)
			fate[n++] = (struct fate){ x, &result[i], x == blamed };
	}
	add_suite(out, o, fate, n);
}
