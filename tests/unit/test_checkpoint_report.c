/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "checkpoint/report.h"

#include <json-c/json.h>
#include <stdio.h>

#include "checkpoint_file.h"

#define HEADER "{\"gdbvm\":\"checkpoints\",\"version\":1,\"t\":9,\"epoch\":1700000000}\n"
#define EVIL "</script><script>alert(1)</script><!--&\\\"'<svg onload=x>"
#define EVIL_IN_JSON "</script><script>alert(1)</script><!--&\\\\\\\"'<svg onload=x>"

struct boots {
	struct checkpoint_file *file[2];
	struct checkpoint_diff *diff;
	struct strbuf out;
};

static void boots_deinit(struct boots *w)
{
	checkpoint_diff_destroy(w->diff);
	checkpoint_file_destroy(w->file[0]);
	checkpoint_file_destroy(w->file[1]);
	strbuf_deinit(&w->out);
}

static struct boots drawn(void (*draw)(struct strbuf *, const struct checkpoint_report *), const char *name,
			  const char *a, const char *b)
{
	struct boots w = { .file = { parse(a), b ? parse(b) : NULL } };
	struct checkpoint_report r = { .file = { w.file[0], w.file[1] },
				       .name = { name, "after.jsonl" },
				       .n = b ? 2 : 1 };

	if (b)
		CHECK_EQ(checkpoint_diff(w.file[0], w.file[1], false, &w.diff), 0);
	r.diff = w.diff;
	draw(&w.out, &r);
	CHECK(!w.out.oom);
	return w;
}

/* What is between the parts of the page. */
static struct json_object *data_of(const struct boots *w)
{
	const size_t head = strlen(checkpoint_report_head), tail = strlen(checkpoint_report_tail);
	struct strbuf text = { 0 };

	CHECK(w->out.len > head + tail);
	CHECK_MEM(w->out.s, checkpoint_report_head, head);
	CHECK_STR(w->out.s + w->out.len - tail, checkpoint_report_tail);
	strbuf_add(&text, w->out.s + head, w->out.len - head - tail);
	CHECK(!strchr(strbuf_str(&text), '<')); // nothing in it can end the element that it is in
	struct json_object *o = json_tokener_parse(strbuf_str(&text));
	CHECK(o);
	strbuf_deinit(&text);
	return o;
}

static struct json_object *get(struct json_object *o, const char *key)
{
	struct json_object *v = NULL;

	CHECK(json_object_object_get_ex(o, key, &v));
	return v;
}

static struct json_object *at(struct json_object *list, size_t i)
{
	CHECK(i < json_object_array_length(list));
	return json_object_array_get_idx(list, i);
}

static const char *string_at(struct json_object *list, size_t i)
{
	return json_object_get_string(at(list, i));
}

#define WRITE(seq, t, value, more)                                                           \
	"{\"seq\":" #seq ",\"t\":" #t                                                        \
	",\"vcpu\":0,\"pc\":\"0xfffffe92\",\"port\":\"0x80\",\"size\":1,\"value\":\"" #value \
	"\",\"mode\":\"exact\"" more "}\n"

TEST(a_page_has_a_row_for_each_record_that_is_no_part_of_another)
{
	static const char a[] = HEADER WRITE(1, 10, 0x16, ",\"name\":\"A\",\"source\":\"a.c:1\"")
		WRITE(2, 10.5, 0, ",\"noise\":\"io\"") WRITE(3, 11, 0xcd, ",\"part\":\"PFN\"")
			WRITE(4, 12, 9,
			      ",\"part\":\"PFN\",\"name\":\"PFN\",\"first\":3,\"fields\":{\"pfn\":"
			      "\"0x9\"}") "{\"seq\":5,\"t\":12.5,\"port\":\"0x402\",\"text\":\"Hello\"}"
					  "\n"
					  "{\"t\":13,\"mark\":\"lost\",\"count\":2}\n{\"seq\":8,\"t\":"
					  "1";
	_cleanup_(boots_deinit) struct boots w = drawn(checkpoint_report_html, "dir/a.jsonl", a, NULL);
	struct json_object *o = data_of(&w), *boot = at(get(o, "boots"), 0), *rows = get(boot, "rows"),
			   *things = get(o, "things");

	CHECK_STR(json_object_get_string(get(boot, "file")), "dir/a.jsonl");
	CHECK(json_object_get_boolean(get(boot, "torn")));
	// number and time since the row before, the thing, the value
	CHECK_STR(json_object_to_json_string_ext(rows, JSON_C_TO_STRING_PLAIN),
		  "[1,0,0,22,1,500000000,1,0,2,1500000000,2,205,1,500000000,3,0,-5,500000000,4,0]");
	CHECK_STR(json_object_to_json_string_ext(at(things, 0), JSON_C_TO_STRING_NOSLASHESCAPE),
		  "[0,0,\"0x80\",1,\"0xfffffe92\",\"A\",\"a.c:1\",null]");
	CHECK_STR(string_at(at(things, 1), 7), "io");
	CHECK_STR(json_object_to_json_string_ext(at(things, 2), JSON_C_TO_STRING_NOSLASHESCAPE),
		  "[0,0,\"0x80\",1,\"0xfffffe92\",\"PFN\",null,null,[[\"pfn\",\"0x9\"]]]");
	CHECK_STR(json_object_to_json_string_ext(at(things, 3), JSON_C_TO_STRING_NOSLASHESCAPE),
		  "[-1,2,\"0x402\",0,null,\"Hello\",null,null]");
	CHECK_STR(string_at(at(things, 4), 5), "2 records are lost");
	json_object_put(o);
}

/* A thousand different ones, each of them many times: 20 bytes for each record. */
TEST(what_was_known_before_is_not_said_again)
{
	enum { THINGS = 1000, RECORDS = 20 * THINGS };
	_cleanup_(strbuf_deinit) struct strbuf text = { 0 };

	strbuf_adds(&text, HEADER);
	for (unsigned i = 0; i < RECORDS; i++)
		checkpoint_json_add(&text,
				    &(struct checkpoint_record){ .seq = i + 1,
								 .ns = UINT64_C(10000) * i,
								 .value = i == 7 ? UINT64_MAX : i,
								 .size = 8,
								 .has_pc = true,
								 .pc = i % THINGS },
				    NULL);
	_cleanup_(boots_deinit) struct boots w = drawn(checkpoint_report_html, "a", text.s, NULL);
	struct json_object *o = data_of(&w), *rows = get(at(get(o, "boots"), 0), "rows"), *things = get(o, "things");

	CHECK_EQ(json_object_array_length(things), THINGS);
	CHECK_EQ(json_object_array_length(rows), 4 * RECORDS);
	CHECK_STR(string_at(rows, 4 * 7 + 3), "ffffffffffffffff");
	for (unsigned i = 8; i < RECORDS; i++) {
		CHECK_EQ(json_object_get_int(at(rows, 4 * i + 3)), i);
		struct json_object *thing = at(things, json_object_get_uint64(at(rows, 4 * i + 2)));
		CHECK_EQ(strtoul(string_at(thing, 4), NULL, 16), i % THINGS);
	}
	CHECK(w.out.len < strlen(checkpoint_report_head) + strlen(checkpoint_report_tail) + 60 * THINGS + 20 * RECORDS);
	json_object_put(o);
}

TEST(two_boots_are_paired_by_their_rows)
{
	static const char a[] = HEADER WRITE(1, 10, 0, ",\"noise\":\"io\"") WRITE(2, 11, 1, "") WRITE(3, 12, 2, "");
	static const char b[] = HEADER WRITE(1, 10, 1, "") WRITE(2, 11, 3, "") WRITE(3, 14, 2, "");
	_cleanup_(boots_deinit) struct boots w = drawn(checkpoint_report_html, "a", a, b);
	struct json_object *o = data_of(&w);

	CHECK_STR(json_object_to_json_string_ext(get(o, "pairs"), JSON_C_TO_STRING_PLAIN),
		  "[2,1,1000000000,4000000000,0,0,1,0,0,0,1,1,0,0,0]");
	json_object_put(o);
}

/* Wherever it may come from. */
#define EVIL_BOOT                                                                                                \
	HEADER WRITE(1, 10, 1,                                                                                   \
		     ",\"name\":\"" EVIL_IN_JSON "\",\"source\":\"" EVIL_IN_JSON "\",\"broken\":\"" EVIL_IN_JSON \
		     "\",\"first\":1,\"fields\":{\"" EVIL_IN_JSON "\":\"" EVIL_IN_JSON "\"}")                    \
		WRITE(2, 11, 2,                                                                                  \
		      ",\"noise\":\"" EVIL_IN_JSON                                                               \
		      "\"") "{\"seq\":3,\"t\":12,\"port\":\"0x402\",\"text\":\"" EVIL_IN_JSON "\\u0001\\u20ac\"}\n"

TEST(what_a_guest_wrote_is_no_markup)
{
	_cleanup_(boots_deinit) struct boots w = drawn(checkpoint_report_html, EVIL, EVIL_BOOT, EVIL_BOOT);
	struct json_object *o = data_of(&w), *things = get(o, "things");

	CHECK_STR(json_object_get_string(get(at(get(o, "boots"), 0), "file")), EVIL);
	CHECK_EQ(json_object_array_length(things), 3); // both boots have the same
	CHECK_STR(string_at(at(things, 0), 5), EVIL);
	CHECK_STR(string_at(at(things, 1), 7), EVIL);
	CHECK_STR(string_at(at(things, 2), 5), EVIL "....");
	json_object_put(o);
}

TEST(what_a_guest_wrote_is_no_markup_in_a_picture)
{
	_cleanup_(boots_deinit) struct boots w = drawn(checkpoint_report_svg, EVIL, EVIL_BOOT, EVIL_BOOT);

	CHECK(strstr(w.out.s, "&lt;/script>&lt;script>"));
	CHECK(!strstr(w.out.s, "<script") && !strstr(w.out.s, "<svg onload"));
}

TEST(an_empty_boot_is_drawn)
{
	_cleanup_(boots_deinit) struct boots page = drawn(checkpoint_report_html, "a", HEADER, HEADER),
					     picture = drawn(checkpoint_report_svg, "a", HEADER, NULL);
	struct json_object *o = data_of(&page);

	CHECK_EQ(json_object_array_length(get(o, "pairs")), 0);
	CHECK(strstr(picture.out.s, "0 of 0 checkpoints"));
	json_object_put(o);
}

/* To the last time that a recording may have. */
TEST(the_grid_of_a_picture_ends_with_the_boot)
{
	_cleanup_(boots_deinit) struct boots w =
		drawn(checkpoint_report_svg, "a", HEADER WRITE(1, 0, 1, "") WRITE(2, 17179869180, 2, ""), NULL);
	unsigned lines = 0;

	for (const char *at = w.out.s; (at = strstr(at, "<path class=\"l\"")); at++)
		lines++;
	CHECK_EQ(lines, 4); // 0, 5e9 s, 1e10 s, 1.5e10 s
}

static void read_sample(const char *path, struct strbuf *out)
{
	FILE *f = fopen(path, "r");
	char bytes[4096];

	if (!f)
		fail_msg("cannot read %s", path);
	for (size_t n; (n = fread(bytes, 1, sizeof(bytes), f)) > 0;)
		strbuf_add(out, bytes, n);
	fclose(f);
}

/* `gdbvm checkpoints report --format svg before.jsonl after.jsonl -o ../../docs/report.svg` in tests/samples makes it.
 */
TEST(the_picture_of_the_readme_is_what_we_draw)
{
	_cleanup_(strbuf_deinit) struct strbuf before = { 0 }, after = { 0 }, picture = { 0 };

	read_sample(SOURCE_ROOT "/tests/samples/before.jsonl", &before);
	read_sample(SOURCE_ROOT "/tests/samples/after.jsonl", &after);
	read_sample(SOURCE_ROOT "/docs/report.svg", &picture);
	_cleanup_(boots_deinit) struct boots w =
		drawn(checkpoint_report_svg, "before.jsonl", strbuf_str(&before), strbuf_str(&after));
	CHECK_STR(strbuf_str(&picture), strbuf_str(&w.out));
}

TESTS(T(a_page_has_a_row_for_each_record_that_is_no_part_of_another), T(what_was_known_before_is_not_said_again),
      T(two_boots_are_paired_by_their_rows), T(what_a_guest_wrote_is_no_markup),
      T(what_a_guest_wrote_is_no_markup_in_a_picture), T(an_empty_boot_is_drawn),
      T(the_grid_of_a_picture_ends_with_the_boot), T(the_picture_of_the_readme_is_what_we_draw))
