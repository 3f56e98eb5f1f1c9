/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What checkpoints are read from: a file of them, a map, an image to be scanned, a golden file, and bytes on the wire
 * with sequences and frames among them.
 * Whatever comes, there is an answer, what is shown is printable and no markup, and what was read can be written and
 * read again. A boot is like itself.
 *
 * Input: a byte that chooses, then the text or the bytes.
 */
#include <stdlib.h>
#include <string.h>

#include "checkpoint/expect.h"
#include "checkpoint/labels.h"
#include "checkpoint/report.h"
#include "checkpoint/scan.h"
#include "checkpoint/units.h"
#include "fuzz.h"

static void require(bool what)
{
	if (!what)
		abort();
}

static void check_printable(const struct strbuf *out)
{
	require(!out->oom && out->len && out->s[out->len - 1] == '\n');
	for (size_t i = 0; i < out->len; i++)
		require(out->s[i] == '\n' || (out->s[i] >= ' ' && out->s[i] <= '~'));
}

static void judge_unit(void *arg, const struct checkpoint_record *rec, const struct checkpoint_label *label)
{
	expect_unit(arg, rec, label);
}

/* Of a recording that lacks something there are comments, be there anything else or not. */
static bool is_comments(const char *golden)
{
	for (const char *line = golden; line; line = strchr(line, '\n')) {
		line += strspn(line, "\n");
		if (*line && *line != '#')
			return false;
	}
	return true;
}

/* A recording meets the golden file that is made of it, whose lines have no wildcards. */
static void check_golden_of(const struct checkpoint_file *f)
{
	_cleanup_(strbuf_deinit) struct strbuf out = { 0 };
	struct checkpoint_units *units;
	struct errtext why = { "" };
	struct golden *g = NULL;
	struct expect *e;

	golden_add(&out, f);
	require(!out.oom);
	if (is_comments(strbuf_str(&out)))
		return;
	require(golden_parse("x", out.s, out.len, &g, &why) == 0);
	require(expect_create(g, 0, &e) == 0 && checkpoint_units_create(&units) == 0);
	for (size_t i = 0; i < f->n; i++)
		if (f->entry[i].rec.kind == CHECKPOINT_WRITE)
			checkpoint_units_feed(units, &f->entry[i].rec, &f->entry[i].label, judge_unit, e);
	require(expect_unit(e, &f->entry[0].rec, &f->entry[0].label) == EXPECT_MATCHED);
	checkpoint_units_destroy(units);
	expect_destroy(e);
	golden_destroy(g);
}

/* Two boots that may have little in common. */
static void check_diff(const struct checkpoint_file *a, const struct checkpoint_file *b, bool all)
{
	_cleanup_(checkpoint_diff_destroyp) struct checkpoint_diff *d = NULL;
	_cleanup_(strbuf_deinit) struct strbuf out = { 0 };
	const size_t head = strlen(checkpoint_report_head), tail = strlen(checkpoint_report_tail);

	require(checkpoint_diff(a, b, all, &d) == 0);
	require(a != b || (!d->only_a && !d->only_b && !d->other_data));
	checkpoint_diff_add(&out, "a", "b", d, all);
	check_printable(&out);
	const struct checkpoint_report r = { .file = { a, b }, .name = { "a", "b" }, .n = 2, .diff = d };
	strbuf_reset(&out);
	checkpoint_report_svg(&out, &r);
	require(!out.oom);
	strbuf_reset(&out);
	if (all)
		return;
	checkpoint_report_html(&out, &r);
	require(!out.oom && out.len > head + tail && !memchr(out.s + head, '<', out.len - head - tail));
}

static void feed_file(const char *text, size_t n)
{
	_cleanup_(checkpoint_file_destroyp) struct checkpoint_file *f = NULL, *again = NULL;
	_cleanup_(strbuf_deinit) struct strbuf out = { 0 };
	struct errtext why = { "" };

	if (checkpoint_file_parse("x", text, n, &f, &why) < 0) {
		require(!f && why.text[0]);
		return;
	}
	checkpoint_table_add(&out, f, n % 2);
	check_printable(&out);
	strbuf_reset(&out);
	checkpoint_trace_add(&out, f);
	check_printable(&out);
	strbuf_reset(&out);
	checkpoint_json_header(&out);
	for (size_t i = 0; i < f->n; i++)
		checkpoint_json_add(&out, &f->entry[i].rec, &f->entry[i].label);
	require(checkpoint_file_parse("y", strbuf_str(&out), out.len, &again, &why) == 0 && again->n == f->n);
	check_diff(f, f, n % 2);
	require(checkpoint_file_relabel(again, NULL) == 0);
	check_diff(f, again, n % 2);
	check_golden_of(again);
}

static void feed_map(const char *text, size_t n)
{
	struct checkpoint_names *names;
	struct errtext why = { "" };

	require(checkpoint_names_create(&names) == 0);
	require(checkpoint_names_parse(names, "x", text, n, &why) == 0 || why.text[0]);
	checkpoint_names_find(names, CHECKPOINT_NAME_SITE, n);
	checkpoint_names_destroy(names);
}

/* A golden file up to a NUL, then values; those below 0x10 also say which vCPU writes. */
static void feed_golden(const char *text, size_t n)
{
	const char *end = memchr(text, '\0', n) ?: text + n;
	struct checkpoint_record rec = { .size = 1, .port = 0x80 };
	const struct checkpoint_label label = { .name = "NAME" };
	const struct golden_item *wanted[8];
	struct errtext why = { "" };
	struct golden *g = NULL;
	struct expect *e;

	if (golden_parse("x", text, (size_t)(end - text), &g, &why) < 0) {
		require(!g && why.text[0]);
		return;
	}
	require(expect_create(g, 0, &e) == 0);
	struct expect_result *result = calloc(g->n, sizeof(*result));
	require(result);
	for (; end < text + n; end++) {
		rec.seq++;
		rec.ns += 1000;
		rec.value = (uint8_t)*end;
		rec.vcpu = rec.value < 0x10 ? (int16_t)rec.value : rec.vcpu;
		const enum expect_state state = expect_unit(e, &rec, &label);
		require(state == EXPECT_MATCHED || expect_wanted(e, wanted, ARRAY_LEN(wanted)) > 0);
		expect_results(e, result);
	}
	expect_power_off(e, rec.ns);
	free(result);
	expect_destroy(e);
	golden_destroy(g);
}

static void feed_image(uint8_t *image, size_t n)
{
	_cleanup_(checkpoint_scan_destroyp) struct checkpoint_scan *s = NULL;
	_cleanup_(strbuf_deinit) struct strbuf out = { 0 };
	struct checkpoint_names *names;
	struct errtext why = { "" };

	if (checkpoint_scan_image("x", image, n, &s, &why) < 0) {
		require(!s && why.text[0]);
		return;
	}
	require(checkpoint_names_create(&names) == 0);
	checkpoint_scan_add(&out, "x", s, names);
	check_printable(&out);
	require(checkpoint_names_parse(names, "scan", strbuf_str(&out), out.len, &why) == 0);
	checkpoint_names_destroy(names);
}

/* Each byte of the input is a write; two vCPUs take turns where a byte is 0x01. */
static void feed_wire(const uint8_t *p, size_t n)
{
	static const char map[] = "sequence 0xcd A a:le32\nsequence 0x05 B b:be64 c:u8\nnoise 7 io_delay\n0x16 X\n";
	struct checkpoint_record rec = { .size = 1, .port = 0x80, .has_pc = true };
	struct checkpoint_labels *labels;
	struct checkpoint_names *names;
	struct checkpoint_label label;
	struct errtext why;

	require(checkpoint_names_create(&names) == 0);
	require(checkpoint_names_parse(names, "map", map, sizeof(map) - 1, &why) == 0);
	require(checkpoint_labels_create(names, &labels) == 0);
	for (size_t i = 0; i < n; i++) {
		rec.seq = i + 1;
		rec.value = p[i];
		rec.pc = p[i] == 0 ? 7 : 0x1000;
		rec.vcpu = p[i] == 1 ? !rec.vcpu : rec.vcpu;
		checkpoint_labels_of(labels, &rec, &label);
		require(label.nfields <= CHECKPOINT_FIELDS_MAX && label.first <= rec.seq &&
			(!label.nfields || label.first));
		for (unsigned k = 0; k < label.nfields; k++)
			require(label.field[k].name[0] && strlen(label.field[k].value) < 9000);
	}
	checkpoint_labels_destroy(labels);
	checkpoint_names_destroy(names);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t *copy = malloc(size ? size : 1); // exact bounds for the sanitizer

	if (!copy)
		abort();
	if (size > 1) {
		memcpy(copy, data + 1, size - 1);
		if (data[0] == 'f')
			feed_file((char *)copy, size - 1);
		else if (data[0] == 'm')
			feed_map((char *)copy, size - 1);
		else if (data[0] == 'g')
			feed_golden((char *)copy, size - 1);
		else if (data[0] == 's')
			feed_image(copy, size - 1);
		else
			feed_wire(copy, size - 1);
	}
	free(copy);
	return 0;
}
