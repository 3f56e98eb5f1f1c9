/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "checkpoint/golden.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "checkpoint/labels.h"
#include "checkpoint/units.h"
#include "checkpoint_frames.h"
#include "test.h"
#include "util/macros.h"

static struct golden *parse(const char *text)
{
	struct golden *g = NULL;
	struct errtext why = { "" };

	if (golden_parse("golden.txt", text, strlen(text), &g, &why) < 0)
		fail_msg("%s", why.text);
	return g;
}

TEST(a_line_says_what_is_expected_and_under_which_conditions)
{
	struct golden *g = parse("# from the laboratory\n"
				 "\n"
				 "0x16   # 16BIT_MODE\r\n"
				 "optional SME_PFN pfn=0x1000 flags=* vcpu 1 port 0x80 within 1.5s\n"
				 "...\n"
				 "any\n"
				 "\t1 within 20us\n"
				 "end\n"
				 "optional text  a # b  \n"
				 "noise io_delay\n"
				 "power-off");

	CHECK_EQ(g->n, 8);
	CHECK(g->item[0].kind == GOLDEN_VALUE && g->item[0].line == 3 && !g->item[0].optional);
	CHECK_STR(g->item[0].what, "0x16");
	CHECK_STR(g->item[0].text, "0x16   # 16BIT_MODE");
	const struct golden_item *x = &g->item[1];
	CHECK(x->optional && x->has_vcpu && x->vcpu == 1 && x->has_port && x->port == 0x80 && x->nfields == 2);
	CHECK_EQ(x->within_ns, 1500000000);
	CHECK_STR(x->what, "SME_PFN");
	CHECK_STR(x->field[0].name, "pfn");
	CHECK_STR(x->field[0].pattern, "0x1000");
	CHECK_STR(x->text, "optional SME_PFN pfn=0x1000 flags=* vcpu 1 port 0x80 within 1.5s");
	CHECK_EQ(g->item[2].kind, GOLDEN_GAP);
	CHECK(g->item[3].kind == GOLDEN_ANY && g->item[3].members == 1);
	CHECK_EQ(g->item[4].within_ns, 20000);
	CHECK(g->item[5].kind == GOLDEN_TEXT && g->item[5].optional);
	CHECK_STR(g->item[5].what, "a # b");
	CHECK(g->item[6].kind == GOLDEN_NOISE);
	golden_destroy(g);
}

TEST(lines_that_make_no_sense_are_named)
{
	static const struct {
		const char *text, *why;
	} bad[] = {
		{ "", "no line of it must be met" },
		{ "...\noptional 1\n", "no line of it must be met" },
		{ "1\n2 withn 3\n", "line 2: 'withn'" },
		{ "1 within\n", "line 1: 'within'" },
		{ "1 within 5\n", "'5': expected a time" },
		{ "1 within 0ms\n", "'0ms'" },
		{ "1 within 999999h\n", "'999999h'" },
		{ "1 within 400000s\n", "'400000s'" },
		{ "1 within 1.5.5s\n", "'1.5.5s'" },
		{ "1 vcpu\n", "'vcpu': expected a number after it" },
		{ "1 vcpu 99999\n", "'99999'" },
		{ "1 port x\n", "'x'" },
		{ "1 =5\n", "'=5'" },
		{ "... 1\n", "'1': expected nothing more" },
		{ "optional\n", "'optional'" },
		{ "noise\n", "'noise'" },
		{ "end\n", "end without any" },
		{ "any\nend\n", "nothing between" },
		{ "any\n1\n", "has no end" },
		{ "any\n1\nany\n", "only values and names" },
		{ "any\n...\n", "only values and names" },
		{ "any\ntext x\n", "only values and names" },
		{ "1\npower-off\n2\n", "line 3: expected nothing after power-off" },
		{ "1\n\x01\n", "line 2: expected printable ASCII" },
		{ "caf\xc3\xa9\n", "expected printable ASCII" },
		{ "1 a=1 b=1 c=1 d=1 e=1 f=1 g=1 h=1 i=1 j=1 k=1 l=1 m=1 n=1 o=1 p=1 q=1\n", "no more than 16 fields" },
		{ "1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1\n", "too many words" },
	};

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct golden *g = NULL;
		struct errtext why = { "" };

		CHECK_EQ(golden_parse("golden.txt", bad[i].text, strlen(bad[i].text), &g, &why), -EINVAL);
		CHECK(!g);
		if (!strstr(why.text, bad[i].why) || strncmp(why.text, "golden.txt", 10) != 0)
			fail_msg("'%s' is not told by '%s'", bad[i].why, why.text);
	}
	struct golden *g = NULL;
	struct errtext why = { "" };
	CHECK_EQ(golden_parse("golden.txt", "1\0\n", 3, &g, &why), -EINVAL);
	CHECK_EQ(golden_read("/no/such/golden.txt", &g, &why), -ENOENT);
	CHECK(strstr(why.text, "/no/such/golden.txt"));
}

/* Does the line fit a write of @value with the name and the field? */
static bool fits(const char *line, uint64_t value, unsigned size, const char *name, const char *field)
{
	struct golden *g = parse(line);
	const struct checkpoint_field x = { "pfn", field };
	const bool is = golden_item_fits(
		&g->item[0],
		&(struct checkpoint_record){ .value = value, .size = (uint8_t)size, .port = 0x80, .vcpu = 2 },
		&(struct checkpoint_label){ .name = name, .field = &x, .nfields = field != NULL });

	golden_destroy(g);
	return is;
}

TEST(values_and_names_may_have_wildcards)
{
	static const struct {
		const char *line;
		uint64_t value;
		unsigned size;
		const char *name, *field;
		bool fits;
	} rows[] = {
		{ "0x16", 0x16, 1, NULL, NULL, true },
		{ "22", 0x16, 1, NULL, NULL, true },
		{ "0x0016", 0x16, 4, NULL, NULL, true },
		{ "0x16", 0x17, 1, "0x17", NULL, false },
		{ "0x16", 0x16, 1, "NAME", NULL, true },
		{ "0x1*", 0x16, 1, NULL, NULL, true },
		{ "0x1?", 0x16, 1, NULL, NULL, true },
		{ "0x?1?", 0x16, 1, NULL, NULL, false },
		{ "0x0000001?", 0x16, 4, NULL, NULL, true },
		{ "0x*F", 0xff, 1, NULL, NULL, false }, // digits are in lower case
		{ "*", 0, 1, NULL, NULL, true },
		{ "*", 0, 1, "NAME", NULL, true },
		{ "16BIT_MODE", 0x16, 1, "16BIT_MODE", NULL, true },
		{ "16BIT_MODE", 16, 1, NULL, NULL, false },
		{ "NAME", 0, 1, "NAMES", NULL, false },
		{ "NAME", 0, 1, "NAM", NULL, false },
		{ "NAME", 0, 1, NULL, NULL, false },
		{ "N*E", 0, 1, "NE", NULL, true },
		{ "N*A*E", 0, 1, "NAME_AE", NULL, true },
		{ "N*A*E", 0, 1, "NAME_A", NULL, false },
		{ "*_DONE", 0, 1, "A_DONE_DONE", NULL, true },
		{ "?*", 0, 1, NULL, NULL, false },
		{ "N**", 0, 1, "N", NULL, true },
		{ "?AME", 0, 1, "NAME", NULL, true },
		{ "?AME", 0, 1, "AME", NULL, false },
		{ "* pfn=0x1000", 0, 1, "X", "0x1000", true },
		{ "* pfn=4096", 0, 1, "X", "0x1000", true },
		{ "* pfn=0x1001", 0, 1, "X", "0x1000", false },
		{ "* pfn=0x1*", 0, 1, "X", "0x1000", true },
		{ "* pfn=*", 0, 1, "X", NULL, false },
		{ "* pfn=*", 0, 1, "X", "", true },
		{ "* pfm=*", 0, 1, "X", "0x1000", false },
		{ "* pfn=00ff??", 0, 1, "X", "00ff17", true },
		{ "* vcpu 2", 0, 1, NULL, NULL, true },
		{ "* vcpu 1", 0, 1, NULL, NULL, false },
		{ "* port 0x80", 0, 1, NULL, NULL, true },
		{ "* port 0x81", 0, 1, NULL, NULL, false },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (fits(rows[i].line, rows[i].value, rows[i].size, rows[i].name, rows[i].field) != rows[i].fits)
			fail_msg("row %zu: %s", i, rows[i].line);
}

TEST(names_that_no_map_has_are_refused)
{
	static const char map[] = "0x16 REAL\nrecord 7 COUNTER\nsite 0x1000 PLACE\nsequence 0xcd PFN pfn:le16\n"
				  "meaning pfn 1 LOW\n";
	struct checkpoint_names *names;
	struct errtext why = { "" };

	CHECK_EQ(checkpoint_names_create(&names), 0);
	CHECK_EQ(checkpoint_names_parse(names, "map", map, strlen(map), &why), 0);
	struct golden *g = parse("REAL\nCOUNTER\nPLACE\nPFN\nLOW\nregisters\nmemory\nvalue\n0x99\n12\nNO*\n0x?9\n"
				 "text NOWHERE\nnoise NOTHING\n...\nany\nREAL\nend\npower-off\n");
	CHECK_EQ(golden_check_names(g, names, &why), 0);
	golden_destroy(g);
	g = parse("REAL\noptional REEL vcpu 1\n");
	CHECK_EQ(golden_check_names(g, names, &why), -EINVAL);
	CHECK(strstr(why.text, "golden.txt, line 2: 'REEL'"));
	golden_destroy(g);
	checkpoint_names_destroy(names);
}

TEST(what_no_checkpoint_can_be_is_refused)
{
	static const char map[] = "0x7e MY_CODE\n0x16 REAL\n";
	static const char *const bad[] = { "REAL\n0x7e\n", "REAL\n126 vcpu 1\n", "REAL\noptional MY_CODE\n" };
	struct checkpoint_names *names;
	struct errtext why = { "" };

	CHECK_EQ(checkpoint_names_create(&names), 0);
	CHECK_EQ(checkpoint_names_parse(names, "map", map, strlen(map), &why), 0);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct golden *g = parse(bad[i]);

		why.text[0] = '\0';
		CHECK_EQ(golden_check_names(g, names, &why), -EINVAL);
		CHECK(strstr(why.text, "golden.txt, line 2: '") && strstr(why.text, "0x7e begins a frame"));
		golden_destroy(g);
	}
	struct golden *g = parse("REAL\n0x7e id=0x7\n0x0000007e\n0x7?\nnoise 0x7e\ntext 0x7e\n");
	CHECK_EQ(golden_check_names(g, names, &why), 0);
	golden_destroy(g);
	checkpoint_names_destroy(names);
}

/* ---- units ---- */

struct rig {
	struct checkpoint_names *names;
	struct checkpoint_labels *labels;
	struct checkpoint_units *units;
	uint64_t seq;
	char text[256]; // of the units: "SEQ:VALUE NAME, "
};

static void rig_init(struct rig *r, const char *map)
{
	struct errtext why;

	*r = (struct rig){ 0 };
	CHECK_EQ(checkpoint_names_create(&r->names), 0);
	CHECK_EQ(checkpoint_names_parse(r->names, "test", map, strlen(map), &why), 0);
	CHECK_EQ(checkpoint_labels_create(r->names, &r->labels), 0);
	CHECK_EQ(checkpoint_units_create(&r->units), 0);
}

static void rig_deinit(struct rig *r)
{
	checkpoint_units_destroy(r->units);
	checkpoint_labels_destroy(r->labels);
	checkpoint_names_destroy(r->names);
}

static void take_unit(void *arg, const struct checkpoint_record *rec, const struct checkpoint_label *label)
{
	struct rig *r = arg;

	snprintf(r->text + strlen(r->text), sizeof(r->text) - strlen(r->text), "%u:%x %s, ", (unsigned)rec->seq,
		 (unsigned)rec->value, label->name ?: "-");
}

static void put(struct rig *r, int vcpu, uint8_t value)
{
	const struct checkpoint_record rec = {
		.seq = ++r->seq, .value = value, .size = 1, .port = 0x80, .vcpu = (int16_t)vcpu
	};
	struct checkpoint_label label;

	checkpoint_labels_of(r->labels, &rec, &label);
	checkpoint_units_feed(r->units, &rec, &label, take_unit, r);
}

TEST(a_sequence_and_a_frame_are_one_unit_each)
{
	uint8_t wire[64];
	struct rig r;

	rig_init(&r, "0x16 A\nsequence 0xcd PFN pfn:le16\nrecord 7 COUNTER\n");
	put(&r, 0, 0x16);
	put(&r, 0, 0xcd);
	put(&r, 1, 0x16);
	put(&r, 0, 0x01);
	CHECK_STR(r.text, "1:16 A, 3:16 A, ");
	put(&r, 0, 0x02);
	CHECK_STR(r.text, "1:16 A, 3:16 A, 5:cd PFN, ");
	r.text[0] = '\0';
	const size_t n = frame_make(1, 7, "12345678", 8, wire);
	for (size_t i = 0; i < n; i++)
		put(&r, 0, wire[i]);
	CHECK_STR(r.text, "26:7e COUNTER, ");
	rig_deinit(&r);
}

TEST(a_sequence_within_a_frame_is_a_unit_of_its_own)
{
	uint8_t wire[64];
	struct rig r;

	rig_init(&r, "sequence 0x10 SEQ v:u8\nrecord 7 COUNTER\n");
	const size_t n = frame_make(1, 7, "12345678", 8, wire);
	for (size_t i = 0; i < n; i++) {
		if (i == 1 || i == 5) {
			put(&r, 0, 0x10);
			put(&r, 0, 0xff);
		}
		put(&r, 0, wire[i]);
	}
	CHECK_STR(r.text, "3:10 SEQ, 9:10 SEQ, 25:7e COUNTER, ");
	rig_deinit(&r);
}

TEST(the_bytes_of_what_is_no_frame_are_values)
{
	struct rig r;

	rig_init(&r, "0xff A\n");
	put(&r, 0, 0x7e);
	put(&r, 0, 0x81);
	CHECK_STR(r.text, "");
	put(&r, 0, 0x7e); // another frame begins
	CHECK_STR(r.text, "2:81 -, ");
	for (unsigned i = 0; i < 6; i++)
		put(&r, 0, 0x81); // unknown kind
	CHECK_STR(r.text, "2:81 -, 4:81 -, 5:81 -, 6:81 -, 7:81 -, 8:81 -, 9:81 -, ");
	rig_deinit(&r);
}

TEST(a_byte_that_begins_a_frame_alone_is_no_unit)
{
	uint8_t wire[64];
	struct rig r;

	rig_init(&r, "0xff A\n0x7e MY_CODE\n");
	put(&r, 0, 0x16);
	put(&r, 0, 0x7e);
	put(&r, 0, 0x32);
	put(&r, 0, 0x7e);
	put(&r, 0, 0xff);
	put(&r, 0, 0x7e);
	put(&r, 0, 0x64);
	CHECK_STR(r.text, "1:16 -, 3:32 -, 5:ff A, 7:64 -, ");
	const size_t n = frame_make(1, 7, "12345678", 8, wire);
	for (size_t i = 0; i < n; i++)
		put(&r, 0, wire[i]);
	CHECK_STR(r.text, "1:16 -, 3:32 -, 5:ff A, 7:64 -, 28:7e value, ");
	rig_deinit(&r);
}

/* ---- from a recording ---- */

#define HEADER "{\"gdbvm\":\"checkpoints\",\"version\":1,\"t\":10.0,\"epoch\":1700000000.0}\n"
#define WRITE(seq, more) "{\"seq\":" #seq ",\"t\":11.5,\"mode\":\"exact\"," more "}\n"

static void check_golden(const char *text, const char *golden)
{
	_cleanup_(checkpoint_file_destroyp) struct checkpoint_file *f = NULL;
	_cleanup_(strbuf_deinit) struct strbuf out = { 0 };
	struct errtext why = { "" };

	if (checkpoint_file_parse("x", text, strlen(text), &f, &why) < 0)
		fail_msg("%s", why.text);
	golden_add(&out, f);
	CHECK_STR(strbuf_str(&out), golden);
}

TEST(what_a_recording_lacks_is_said_in_the_golden_file)
{
	check_golden(
		HEADER WRITE(
			1,
			"\"port\":\"0x80\",\"size\":1,\"value\":\"0x1\"") "{\"t\":12,\"mark\":\"lost\",\"count\":2}\n{"
									  "\"t\":12,\"mark\":\"cut\",\"count\":4096}\n"
									  "{\"t\":13,\"mark\":\"verdict\",\"verdict\":"
									  "\"stalled\",\"text\":\"stalled "
									  "after\"}\n{\"t",
		"0x01\n# 2 records are lost here\n# the recording was cut here, at its limit\n# this boot stalled\n"
		"# the recording ends in the middle of a line\n");
	check_golden(HEADER "{\"t\":13,\"mark\":\"verdict\",\"verdict\":\"matched\",\"text\":\"\"}\n", "");
}

TEST(a_recording_makes_a_golden_file)
{
	check_golden(
		HEADER WRITE(1, "\"vcpu\":0,\"port\":\"0x80\",\"size\":1,\"value\":\"0x16\",\"name\":\"16BIT_MODE\"")
			WRITE(2, "\"vcpu\":0,\"port\":\"0x80\",\"size\":1,\"value\":\"0x0\",\"noise\":\"io_delay\"")
				WRITE(3, "\"vcpu\":1,\"port\":\"0x402\",\"text\":\"a line\"")
					WRITE(4, "\"vcpu\":0,\"port\":\"0x80\",\"size\":4,\"value\":\"0x1234\""),
		"0x16 # 16BIT_MODE\n0x00001234\n");
	check_golden(HEADER WRITE(1, "\"vcpu\":0,\"port\":\"0x80\",\"size\":1,\"value\":\"0x1\"")
			     WRITE(2, "\"vcpu\":1,\"port\":\"0xe0\",\"size\":1,\"value\":\"0x1\""),
		     "0x01 vcpu 0 port 0x80\n0x01 vcpu 1 port 0xe0\n");
	check_golden(
		HEADER WRITE(1, "\"port\":\"0x80\",\"size\":1,\"value\":\"0xcd\",\"name\":\"PFN\",\"part\":\"PFN\"")
			WRITE(2, "\"port\":\"0x80\",\"size\":1,\"value\":\"0x1\",\"name\":\"PFN\",\"part\":\"PFN\","
				 "\"fields\":{\"pfn\":\"0x1\",\"odd name\":\"1\"},\"first\":1"),
		"PFN pfn=0x1\n");
	check_golden(HEADER WRITE(1, "\"port\":\"0x80\",\"size\":1,\"value\":\"0x7e\",\"part\":\"frame\"")
			     WRITE(2, "\"port\":\"0x80\",\"size\":1,\"value\":\"0x81\",\"name\":\"memory\",\"part\":"
				      "\"frame\",\"fields\":{\"id\":\"0x7\",\"address\":\"0x1\",\"data\":\"ff\"},"
				      "\"first\":1"),
		     "memory id=0x7\n");
	// A name that would be read as something else
	check_golden(
		HEADER WRITE(1, "\"port\":\"0x80\",\"size\":1,\"value\":\"0xcd\",\"name\":\"any\",\"part\":\"any\"")
			WRITE(2, "\"port\":\"0x80\",\"size\":1,\"value\":\"0x1\",\"name\":\"any\",\"part\":\"any\","
				 "\"fields\":{\"pfn\":\"0x1\"},\"first\":1"),
		"0xcd pfn=0x1\n");
}

TESTS(T(a_line_says_what_is_expected_and_under_which_conditions), T(lines_that_make_no_sense_are_named),
      T(values_and_names_may_have_wildcards), T(names_that_no_map_has_are_refused),
      T(what_no_checkpoint_can_be_is_refused), T(a_sequence_and_a_frame_are_one_unit_each),
      T(a_sequence_within_a_frame_is_a_unit_of_its_own), T(the_bytes_of_what_is_no_frame_are_values),
      T(a_byte_that_begins_a_frame_alone_is_no_unit), T(what_a_recording_lacks_is_said_in_the_golden_file),
      T(a_recording_makes_a_golden_file))
