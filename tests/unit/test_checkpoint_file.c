/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "checkpoint/file.h"

#include <errno.h>
#include <json-c/json.h>
#include <stdio.h>

#include "checkpoint/labels.h"
#include "checkpoint/outcome.h"
#include "checkpoint_file.h"

#define HEADER "{\"gdbvm\":\"checkpoints\",\"version\":1,\"t\":10.5,\"epoch\":1700000000.25}\n"

TEST(what_was_written_is_read)
{
	static const struct checkpoint_field fields[] = { { "pfn", "0x1000" }, { "x", "y\"z" } };
	static const struct checkpoint_entry written[] = {
		{ { .seq = 1,
		    .ns = 1500000007,
		    .value = 0x16,
		    .size = 1,
		    .port = 0x80,
		    .pc = 0xfffffffffffffff0,
		    .has_pc = true,
		    .mode = CHECKPOINT_TRACED },
		  { .name = "A", .source = "a.c:1", .noise = "n", .part = "p", .broken = "b", .first = 1 } },
		{ { .seq = 2,
		    .ns = 17000000000000000001u,
		    .value = UINT64_MAX,
		    .size = 8,
		    .port = 0x9000000,
		    .mmio = true,
		    .vcpu = -1,
		    .mode = CHECKPOINT_COALESCED },
		  { .field = fields, .nfields = 2 } },
		{ { .kind = CHECKPOINT_LOST, .ns = 3, .value = 5 }, { 0 } },
		{ { .kind = CHECKPOINT_TEXT, .seq = 9, .ns = 4, .port = 0x402, .vcpu = 31, .text = "\"\\" }, { 0 } },
		{ { .kind = CHECKPOINT_CUT, .ns = 3, .value = 4096 }, { 0 } },
	};
	_cleanup_(strbuf_deinit) struct strbuf text = { 0 }, again = { 0 };

	checkpoint_json_header(&text);
	const size_t head = text.len;
	for (size_t i = 0; i < 5; i++)
		checkpoint_json_add(&text, &written[i].rec, &written[i].label);
	struct checkpoint_file *f = parse(strbuf_str(&text));
	CHECK_EQ(f->n, 5);
	CHECK(!f->torn && f->began_ns && f->epoch_ns > f->began_ns);
	for (size_t i = 0; i < f->n; i++)
		checkpoint_json_add(&again, &f->entry[i].rec, &f->entry[i].label);
	CHECK_STR(again.s, text.s + head);
	CHECK_EQ(f->entry[1].rec.value, UINT64_MAX);
	CHECK_STR(f->entry[1].label.field[1].value, "y\"z");
	CHECK_EQ(checkpoint_file_find(f, 9) - f->entry, 3);
	CHECK_EQ(checkpoint_file_find(f, 1) - f->entry, 0);
	CHECK(!checkpoint_file_find(f, 3) && !checkpoint_file_find(f, 10) && !checkpoint_file_find(f, 0));
	checkpoint_file_destroy(f);
}

TEST(a_file_that_was_cut_short_is_read_to_there)
{
	struct checkpoint_file *f =
		parse(HEADER "{\"seq\":1,\"t\":11,\"port\":\"0x402\",\"text\":\"x\"}\n{\"seq\":2,\"t");

	CHECK_EQ(f->n, 1);
	CHECK(f->torn);
	CHECK_EQ(f->began_ns, 10500000000);
	CHECK_EQ(f->epoch_ns, 1700000000250000000);
	checkpoint_file_destroy(f);
}

TEST(keys_of_later_versions_do_not_matter)
{
	struct checkpoint_file *f =
		parse(HEADER "{\"seq\":1,\"t\":11,\"vcpu\":0,\"port\":\"0x80\",\"size\":1,\"value\":\"0x16\","
			     "\"mode\":\"exact\",\"new\":[1,{\"a\":[{\"b\":[{}]}]}]}\n");

	CHECK_EQ(f->n, 1);
	CHECK_EQ(f->entry[0].rec.value, 0x16);
	checkpoint_file_destroy(f);
}

TEST(files_that_make_no_sense_are_refused_by_line)
{
#define W(extra) HEADER "{\"seq\":1,\"t\":1,\"port\":\"0x80\"," extra "}\n"
	static const struct {
		const char *text, *words;
	} bad[] = {
		{ "", "no first line" },
		{ "half a line", "no first line" },
		{ "\n", "line 1" },
		{ "{}\n", "no file of checkpoints" },
		{ "{\"gdbvm\":\"core\",\"version\":1}\n", "no file of checkpoints" },
		{ "{\"gdbvm\":\"checkpoints\",\"version\":2,\"t\":1,\"epoch\":1}\n", "version 2: expected 1" },
		{ "{\"gdbvm\":\"checkpoints\",\"version\":1}\n", "\"t\"" },
		{ HEADER "[1]\n", "line 2: expected one JSON object" },
		{ HEADER "{} {}\n", "line 2: expected one JSON object" },
		{ HEADER "{\"seq\":1}\n", "line 2: \"" },
		{ HEADER "{\"seq\":0,\"t\":1,\"port\":1,\"text\":\"\"}\n",
		  "line 2: \"seq\" is 0: expected a number from 1" },
		{ W("\"size\":3,\"value\":\"0x1\",\"mode\":\"exact\""), "\"size\" is 3: expected 1, 2, 4 or 8" },
		{ W("\"size\":1,\"mode\":\"exact\""), "\"value\" is missing: expected a number" },
		{ W("\"size\":1,\"value\":\"0x1x\",\"mode\":\"exact\""), "\"value\"" },
		{ W("\"size\":1,\"value\":\"0x1\",\"mode\":\"other\""), "\"mode\"" },
		{ W("\"size\":1,\"value\":\"0x1\",\"mode\":\"exact\",\"vcpu\":70000"), "\"vcpu\"" },
		{ W("\"size\":1,\"value\":\"0x1\",\"mode\":\"exact\",\"fields\":[]"), "\"fields\"" },
		{ HEADER "{\"t\":1,\"mark\":\"end\",\"count\":1}\n", "\"mark\"" },
		{ HEADER "{\"t\":1,\"mark\":\"verdict\",\"verdict\":\"good\"}\n",
		  "\"verdict\" is good: expected matched" },
		{ HEADER "{\"t\":99999999999999,\"mark\":\"cut\",\"count\":1}\n", "\"t\"" },
		{ HEADER "{\"seq\":2,\"t\":1,\"port\":1,\"text\":\"\"}\n{\"seq\":2,\"t\":1,\"port\":1,\"text\":\"\"}\n",
		  "line 3: \"seq\"" },
	};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct checkpoint_file *f = NULL;
		struct errtext why = { "" };

		CHECK_EQ(checkpoint_file_parse("x.jsonl", bad[i].text, strlen(bad[i].text), &f, &why), -EINVAL);
		CHECK(!f && strstr(why.text, "x.jsonl"));
		if (!strstr(why.text, bad[i].words))
			fail_msg("'%s' for '%s', expected '%s'", why.text, bad[i].text, bad[i].words);
	}
}

#define EXAMPLE                                                                                                        \
	HEADER "{\"seq\":1,\"t\":11.000000001,\"vcpu\":0,\"pc\":\"0xfffffe92\",\"port\":\"0x80\",\"size\":1,"          \
	       "\"value\":\"0x16\",\"mode\":\"exact\",\"name\":\"16BIT_MODE\",\"source\":\"a.asm:3\"}\n"               \
	       "{\"seq\":2,\"t\":11.25,\"vcpu\":0,\"port\":\"0x402\",\"text\":\"SecCore\"}\n"                          \
	       "{\"seq\":3,\"t\":11.5,\"vcpu\":1,\"port\":\"0x80\",\"size\":1,\"value\":\"0x0\",\"mode\":\"exact\"}\n" \
	       "{\"seq\":4,\"t\":12,\"vcpu\":0,\"port\":\"0x80\",\"size\":1,\"value\":\"0xcd\",\"mode\":\"exact\"}\n"  \
	       "{\"seq\":5,\"t\":12,\"vcpu\":0,\"port\":\"0x80\",\"size\":1,\"value\":\"0x34\",\"mode\":\"exact\"}\n"  \
	       "{\"seq\":6,\"t\":12.5,\"vcpu\":0,\"port\":\"0x80\",\"size\":1,\"value\":\"0x12\",\"mode\":\"exact\"}"  \
	       "\n"                                                                                                    \
	       "{\"t\":13,\"mark\":\"lost\",\"count\":3}\n{\"seq\":10,\"t\":13,\"mmio\":\"0x9000000\",\"size\":4,"     \
	       "\"value\":\"0x10\",\"mode\":\"tcg\"}\n{\"t\":14,\"mark\":\"cut\",\"count\":9}\n"

static struct checkpoint_file *example(void)
{
	static const char map[] = "0x16 16BIT_MODE a.asm:3\nnoise 0x1000 io\nsequence 0xcd PFN pfn:le16\n";
	struct checkpoint_file *f = parse(EXAMPLE);
	struct checkpoint_names *names;
	struct errtext why;

	CHECK_EQ(checkpoint_names_create(&names), 0);
	CHECK_EQ(checkpoint_names_parse(names, "map", map, sizeof(map) - 1, &why), 0);
	CHECK_EQ(checkpoint_file_relabel(f, names), 0);
	checkpoint_names_destroy(names);
	return f;
}

TEST(table_has_a_row_for_each_checkpoint)
{
	_cleanup_(strbuf_deinit) struct strbuf out = { 0 };
	struct checkpoint_file *f = example();

	checkpoint_table_add(&out, f, false);
	CHECK_STR(strbuf_str(&out),
		  "    seq         time        delta  vcpu                  pc    port       value  what\n"
		  "      1     0.000000    +0.000000     0          0xfffffe92    0x80        0x16  16BIT_MODE at "
		  "a.asm:3\n"
		  "      2     0.249999    +0.249999     0                   -   0x402        text  SecCore\n"
		  "      3     0.499999    +0.250000     1                   -    0x80        0x00\n"
		  "      6     1.499999    +1.000000     0                   -    0x80        0xcd  PFN pfn=0x1234\n"
		  "--- 3 records are lost here\n"
		  "     10     1.999999    +0.500000     -                   -  0x9000000  0x00000010\n"
		  "--- the file was cut here, at its limit of 9 bytes\n");
	strbuf_reset(&out);
	checkpoint_table_add(&out, f, true);
	CHECK(strstr(out.s, "0x34  (of PFN)\n"));
	checkpoint_file_destroy(f);
}

/* The bytes of the frame that come before those of the sequence are no rows of their own. */
TEST(a_table_has_one_row_for_a_frame_with_a_sequence_in_it)
{
#define BYTE(seq, value, more)                                                                                      \
	"{\"seq\":" #seq ",\"t\":11,\"port\":\"0x80\",\"size\":1,\"value\":\"" #value "\",\"mode\":\"exact\"," more \
	"}\n"
	static const char text[] = HEADER BYTE(1, 0x7e, "\"part\":\"frame\"") BYTE(2, 0x10, "\"part\":\"SEQ\"")
		BYTE(3, 0x1, "\"part\":\"SEQ\",\"first\":2,\"fields\":{\"v\":\"0x1\"}")
			BYTE(4, 0x81, "\"part\":\"frame\",\"first\":1,\"fields\":{\"id\":\"0x7\"}");
	struct checkpoint_file *f = parse(text);
	bool *part = checkpoint_file_parts(f);

	CHECK(part && part[0] && part[1] && !part[2] && !part[3]);
	free(part);
	checkpoint_file_destroy(f);
}

TEST(records_that_are_missing_are_told)
{
#define TEXT(seq) "{\"seq\":" seq ",\"t\":11,\"port\":\"0x402\",\"text\":\"x\"}\n"
	_cleanup_(strbuf_deinit) struct strbuf out = { 0 };
	struct checkpoint_file *f = parse(HEADER TEXT("7") TEXT("9") TEXT("10") TEXT("13"));
	const char *found;

	checkpoint_table_add(&out, f, false);
	found = strstr(strbuf_str(&out), "--- 1 record is lost here\n      9 ");
	CHECK(found && strstr(found, "--- 2 records are lost here\n     13 "));
	checkpoint_file_destroy(f);
}

TEST(a_verdict_is_kept_with_its_lines)
{
	_cleanup_(strbuf_deinit) struct strbuf out = { 0 };
	const struct checkpoint_record rec = { .kind = CHECKPOINT_VERDICT,
					       .value = VERDICT_STALLED,
					       .text = "stalled after \"a\"\nvCPU 0" };

	strbuf_adds(&out, HEADER);
	checkpoint_json_add(&out, &rec, NULL);
	struct checkpoint_file *f = parse(out.s);
	CHECK_EQ(f->entry[0].rec.kind, CHECKPOINT_VERDICT);
	CHECK_EQ(f->entry[0].rec.value, VERDICT_STALLED);
	CHECK_STR(f->entry[0].rec.text, rec.text);
	strbuf_reset(&out);
	checkpoint_table_add(&out, f, false);
	CHECK(strstr(out.s, "what\n--- stalled after \"a\"\n--- vCPU 0\n"));
	checkpoint_file_destroy(f);
}

TEST(an_empty_file_is_a_table_without_rows)
{
	_cleanup_(strbuf_deinit) struct strbuf out = { 0 };
	struct checkpoint_file *f = parse(HEADER);

	checkpoint_table_add(&out, f, false);
	CHECK(strchr(out.s, '\n')[1] == '\0');
	checkpoint_file_destroy(f);
}

/* Of the trace: the events of that name. */
static unsigned events(struct json_object *all, const char *name, const char *ph, double *dur)
{
	unsigned n = 0;

	for (size_t i = 0; i < json_object_array_length(all); i++) {
		struct json_object *e = json_object_array_get_idx(all, i), *v;

		CHECK(json_object_object_get_ex(e, "name", &v));
		if (strcmp(json_object_get_string(v), name) != 0)
			continue;
		CHECK(json_object_object_get_ex(e, "ph", &v));
		CHECK_STR(json_object_get_string(v), ph);
		if (json_object_object_get_ex(e, "dur", &v))
			*dur = json_object_get_double(v);
		n++;
	}
	return n;
}

TEST(trace_is_json_in_which_a_phase_lasts_until_the_next)
{
	_cleanup_(strbuf_deinit) struct strbuf out = { 0 };
	struct checkpoint_file *f = example();
	struct json_object *o, *all = NULL;
	double dur = 0;

	checkpoint_trace_add(&out, f);
	o = json_tokener_parse(strbuf_str(&out));
	CHECK(o && json_object_object_get_ex(o, "traceEvents", &all));
	CHECK_EQ(events(all, "16BIT_MODE", "X", &dur), 1);
	CHECK(dur > 1499999 && dur < 1500001);
	CHECK_EQ(events(all, "SecCore", "i", &dur), 1);
	CHECK_EQ(events(all, "PFN", "i", &dur), 1);
	CHECK_EQ(events(all, "thread_name", "M", &dur), 3);
	CHECK_EQ(events(all, "0x34", "i", &dur), 0);
	CHECK(strstr(out.s, "\"args\":{\"seq\":2}}")); // a line of text has no value
	// The value of a sequence is its first byte
	CHECK(strstr(out.s, "\"args\":{\"seq\":6,\"value\":\"0xcd\",\"fields\":{\"pfn\""));
	json_object_put(o);
	checkpoint_file_destroy(f);
}

TEST(a_field_of_a_trace_hides_nothing_that_is_called_as_it)
{
	static const char text[] =
		HEADER "{\"seq\":1,\"t\":11,\"port\":\"0x80\",\"size\":1,\"value\":\"0x7e\",\"mode\":\"exact\","
		       "\"part\":\"frame\"}\n"
		       "{\"seq\":2,\"t\":12,\"port\":\"0x80\",\"size\":1,\"value\":\"0x80\",\"mode\":\"exact\","
		       "\"part\":\"frame\",\"first\":1,\"fields\":{\"id\":\"0x1\",\"value\":\"0x2a\"}}\n";
	_cleanup_(strbuf_deinit) struct strbuf out = { 0 };
	struct checkpoint_file *f = parse(text);

	checkpoint_trace_add(&out, f);
	CHECK(strstr(strbuf_str(&out), "\"args\":{\"seq\":2,\"value\":\"0x7e\","
				       "\"fields\":{\"id\":\"0x1\",\"value\":\"0x2a\"}}}"));
	checkpoint_file_destroy(f);
}

static bool has(struct json_object *o, const char *key)
{
	return json_object_object_get_ex(o, key, NULL);
}

TEST(events_of_a_trace_have_what_viewers_ask_for)
{
	_cleanup_(strbuf_deinit) struct strbuf out = { 0 };
	struct checkpoint_file *f = example();
	struct json_object *o, *all, *ph;

	checkpoint_trace_add(&out, f);
	o = json_tokener_parse(strbuf_str(&out));
	CHECK(o && json_object_object_get_ex(o, "traceEvents", &all));
	for (size_t i = 0; i < json_object_array_length(all); i++) {
		struct json_object *e = json_object_array_get_idx(all, i);

		CHECK(has(e, "name") && has(e, "pid") && has(e, "tid") && json_object_object_get_ex(e, "ph", &ph));
		CHECK(strchr("MXi", json_object_get_string(ph)[0]));
		CHECK_EQ(has(e, "ts"), json_object_get_string(ph)[0] != 'M');
		CHECK_EQ(has(e, "dur"), json_object_get_string(ph)[0] == 'X');
	}
	json_object_put(o);
	checkpoint_file_destroy(f);
}

/* In a table of docs/checkpoints.md, or in the text of one for marks. */
static void check_in_manual(const char *manual, const struct checkpoint_record *rec,
			    const struct checkpoint_label *label)
{
	_cleanup_(strbuf_deinit) struct strbuf line = { 0 };
	char word[32];

	checkpoint_json_add(&line, rec, label);
	struct json_object *o = json_tokener_parse(strbuf_str(&line));
	CHECK(o);
	json_object_object_foreach(o, key, value)
	{
		snprintf(word, sizeof(word), "`%s`", key);
		if (!strstr(manual, word) || !value)
			fail_msg("%s is not in the manual", word);
	}
	json_object_put(o);
}

TEST(every_key_is_in_the_manual)
{
	const struct checkpoint_field field = { "a", "0x1" };
	const struct checkpoint_label label = { "a", "a", "a", "a", "a", 1, &field, 1 };
	static char manual[100000];
	FILE *f = fopen(SOURCE_ROOT "/docs/checkpoints.md", "r");

	CHECK(f);
	CHECK(fread(manual, 1, sizeof(manual) - 1, f) > 0);
	fclose(f);
	char *from = strstr(manual, "\n## The file\n"), *to = from ? strstr(from + 1, "\n## ") : NULL;
	CHECK(to);
	*to = '\0';
	for (unsigned kind = 0; kind < CHECKPOINT_NKINDS; kind++)
		for (unsigned mmio = 0; mmio < 2; mmio++) {
			const struct checkpoint_record rec = { .kind = (uint8_t)kind,
							       .seq = 1,
							       .size = 1,
							       .has_pc = true,
							       .mmio = mmio,
							       .value = 1,
							       .text = "a" };
			check_in_manual(from, &rec, &label);
		}
}

TESTS(T(what_was_written_is_read), T(a_file_that_was_cut_short_is_read_to_there),
      T(keys_of_later_versions_do_not_matter), T(files_that_make_no_sense_are_refused_by_line),
      T(table_has_a_row_for_each_checkpoint), T(a_table_has_one_row_for_a_frame_with_a_sequence_in_it),
      T(records_that_are_missing_are_told), T(a_verdict_is_kept_with_its_lines),
      T(an_empty_file_is_a_table_without_rows), T(trace_is_json_in_which_a_phase_lasts_until_the_next),
      T(a_field_of_a_trace_hides_nothing_that_is_called_as_it), T(events_of_a_trace_have_what_viewers_ask_for),
      T(every_key_is_in_the_manual))
