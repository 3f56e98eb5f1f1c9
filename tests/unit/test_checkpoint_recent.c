/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "checkpoint/recent.h"

#include <stdio.h>

#include "test.h"

#define NS_PER_S 1000000000u

static void add(struct checkpoint_recent *r, uint64_t seq, const struct checkpoint_label *label)
{
	const struct checkpoint_record rec = {
		.seq = seq, .ns = (100 + seq) * NS_PER_S, .port = 0x80, .size = 1, .value = seq & 0xff
	};

	checkpoint_recent_add(r, &rec, label ?: &(struct checkpoint_label){ 0 });
}

static unsigned lines(const struct strbuf *b)
{
	unsigned n = 0;

	for (size_t i = 0; i < b->len; i++)
		n += b->s[i] == '\n';
	return n;
}

TEST(nothing_is_said_before_the_first)
{
	_cleanup_(strbuf_deinit) struct strbuf out = { 0 };
	struct checkpoint_recent *r;

	CHECK_EQ(checkpoint_recent_create(&r), 0);
	CHECK(!checkpoint_recent_table_add(r, 20, &out));
	CHECK_EQ(out.len, 0);
	checkpoint_recent_destroy(r);
}

TEST(the_last_rows_have_the_time_since_the_first_of_all)
{
	_cleanup_(strbuf_deinit) struct strbuf out = { 0 };
	struct checkpoint_recent *r;

	CHECK_EQ(checkpoint_recent_create(&r), 0);
	for (uint64_t seq = 1; seq <= 3 * CHECKPOINT_RECENT_MAX; seq++)
		add(r, seq, NULL);
	CHECK(checkpoint_recent_table_add(r, 2, &out));
	CHECK_EQ(lines(&out), 3);
	CHECK(strstr(out.s, "  24575  24574.000000    +1.000000"));
	CHECK(strstr(out.s, "  24576  24575.000000    +1.000000"));
	strbuf_reset(&out);
	checkpoint_recent_table_add(r, SIZE_MAX, &out);
	CHECK_EQ(lines(&out), CHECKPOINT_RECENT_MAX + 1);
	checkpoint_recent_destroy(r);
}

TEST(what_a_record_says_is_there_after_it_is_gone)
{
	_cleanup_(strbuf_deinit) struct strbuf out = { 0 };
	struct checkpoint_recent *r;
	char name[] = "pfn", value[] = "0x1000", line[] = "one line";
	const struct checkpoint_field field = { name, value };

	CHECK_EQ(checkpoint_recent_create(&r), 0);
	add(r, 1, &(struct checkpoint_label){ .name = "START", .part = "SEQ" });
	add(r, 2,
	    &(struct checkpoint_label){ .name = "SEQ", .part = "SEQ", .first = 1, .field = &field, .nfields = 1 });
	checkpoint_recent_add(
		r, &(struct checkpoint_record){ .kind = CHECKPOINT_TEXT, .seq = 3, .port = 0x402, .text = line },
		&(struct checkpoint_label){ 0 });
	memset(name, 'x', 3);
	memset(value, 'x', 6);
	memset(line, 'x', 8);
	CHECK(checkpoint_recent_table_add(r, 20, &out));
	CHECK_EQ(lines(&out), 3); // the bytes of a sequence are one row
	CHECK(strstr(out.s, "0x01  SEQ pfn=0x1000\n"));
	CHECK(strstr(out.s, "text  one line\n"));
	checkpoint_recent_destroy(r);
}

static void count(void *arg, const struct checkpoint_record *rec)
{
	uint64_t *last = arg;

	if (*last)
		CHECK_EQ(rec->seq, *last + 1);
	*last = rec->seq;
}

TEST(each_is_told_oldest_first)
{
	struct checkpoint_recent *r;
	uint64_t last = 0;

	CHECK_EQ(checkpoint_recent_create(&r), 0);
	for (uint64_t seq = 1; seq <= CHECKPOINT_RECENT_MAX + 5; seq++)
		add(r, seq, NULL);
	checkpoint_recent_each(r, count, &last);
	CHECK_EQ(last, CHECKPOINT_RECENT_MAX + 5);
	checkpoint_recent_destroy(r);
}

TESTS(T(nothing_is_said_before_the_first), T(the_last_rows_have_the_time_since_the_first_of_all),
      T(what_a_record_says_is_there_after_it_is_gone), T(each_is_told_oldest_first))
