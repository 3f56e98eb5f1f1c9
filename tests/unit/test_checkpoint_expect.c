/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "checkpoint/expect.h"

#include <stdio.h>
#include <stdlib.h>

#include "test.h"
#include "util/macros.h"

struct rig {
	struct golden *g;
	struct expect *e;
	uint64_t seq;
};

static void rig_init(struct rig *r, const char *text)
{
	struct errtext why = { "" };

	*r = (struct rig){ 0 };
	if (golden_parse("golden.txt", text, strlen(text), &r->g, &why) < 0)
		fail_msg("%s", why.text);
	CHECK_EQ(expect_create(r->g, 0, &r->e), 0);
}

static void rig_deinit(struct rig *r)
{
	expect_destroy(r->e);
	golden_destroy(r->g);
}

static enum expect_state put_at(struct rig *r, int vcpu, uint64_t value, uint64_t ns)
{
	return expect_unit(
		r->e,
		&(struct checkpoint_record){
			.seq = ++r->seq, .ns = ns, .value = value, .vcpu = (int16_t)vcpu, .port = 0x80, .size = 1 },
		&(struct checkpoint_label){ 0 });
}

static enum expect_state put(struct rig *r, uint64_t value)
{
	return put_at(r, 0, value, 0);
}

static enum expect_state put_text(struct rig *r, const char *text)
{
	return expect_unit(
		r->e,
		&(struct checkpoint_record){ .kind = CHECKPOINT_TEXT, .seq = ++r->seq, .port = 0x402, .text = text },
		&(struct checkpoint_label){ 0 });
}

/* The numbers of the lines that are wanted, as "3 4 ". */
static const char *wanted(const struct rig *r)
{
	static char text[128];
	const struct golden_item *x[8];
	const size_t n = expect_wanted(r->e, x, ARRAY_LEN(x));

	text[0] = '\0';
	for (size_t i = 0; i < n; i++)
		snprintf(text + strlen(text), sizeof(text) - strlen(text), "%u ", x[i]->line);
	return text;
}

/* ---- against a reference that tries everything ---- */

/* What a line of these tests can be: up to three patterns, of which '1' and '2' are values and '*' is any. */
static const struct token {
	const char *text;
	const char *pattern;
	const char *optional; // '?' where the pattern is optional
	bool gap;
} tokens[] = {
	{ "1\n", "1", "-" },
	{ "2\n", "2", "-" },
	{ "*\n", "*", "-" },
	{ "...\n", "", "", .gap = true },
	{ "optional 1\n", "1", "?" },
	{ "optional *\n", "*", "?" },
	{ "any\n1\n2\nend\n", "12", "--" },
	{ "any\n1\n1\nend\n", "11", "--" },
	{ "any\n*\n1\nend\n", "*1", "--" },
	{ "any\noptional 1\n*\n2\nend\n", "1*2", "?--" },
	{ "any\noptional *\noptional 2\nend\n", "*2", "??" },
	{ "any\n*\noptional 1\n1\nend\n", "*11", "-?-" },
};
enum { MAX_TOKENS = 3, MAX_VALUES = 4, NVALUES = 3 };

struct reference {
	const struct token *token[MAX_TOKENS];
	unsigned n;
	const uint8_t *value;
};

/* Can the values from @at to @end be meant by the tokens from @t on, of the first of which @used is there already?
 * @whole: to the last of them. */
static bool explains(const struct reference *r, unsigned t, unsigned used, unsigned at, unsigned end, bool whole)
{
	if (t == r->n)
		return at == end && whole;
	if (at == end && !whole)
		return true;

	const struct token *k = r->token[t];
	bool passed = true;
	for (unsigned i = 0; i < strlen(k->pattern); i++) {
		if (used & BIT(i))
			continue;
		passed &= k->optional[i] == '?';
		if (at < end && (k->pattern[i] == '*' || k->pattern[i] - '0' == r->value[at]) &&
		    explains(r, t, used | BIT(i), at + 1, end, whole))
			return true;
	}
	if (k->gap && at < end && explains(r, t, 0, at + 1, end, whole))
		return true;
	return passed && explains(r, t + 1, 0, at, end, whole);
}

static enum expect_state reference_state(const struct reference *r, unsigned end)
{
	for (unsigned n = 0; n <= end; n++) {
		if (explains(r, 0, 0, 0, n, true))
			return EXPECT_MATCHED;
		if (!explains(r, 0, 0, 0, n, false))
			return EXPECT_DIVERGED;
	}
	return EXPECT_OPEN;
}

static void check_one(const char *text, const struct reference *r)
{
	struct rig rig;

	rig_init(&rig, text);
	for (unsigned i = 0; i < MAX_VALUES; i++) {
		const enum expect_state now = put(&rig, r->value[i]), should = reference_state(r, i + 1);

		if (now != should)
			fail_msg("state %d, not %d, after value %u of %u %u %u %u against:\n%s", now, should, i + 1,
				 r->value[0], r->value[1], r->value[2], r->value[3], text);
		struct expect_result result[16];
		expect_results(rig.e, result);
	}
	rig_deinit(&rig);
}

static void check_all_values(const char *text, struct reference *r)
{
	for (unsigned code = 0; code < NVALUES * NVALUES * NVALUES * NVALUES; code++) {
		const uint8_t value[MAX_VALUES] = { 1 + code % 3, 1 + code / 3 % 3, 1 + code / 9 % 3, 1 + code / 27 };

		r->value = value;
		check_one(text, r);
	}
}

static bool must_meet_something(const struct reference *r)
{
	for (unsigned i = 0; i < r->n; i++)
		if (strchr(r->token[i]->optional, '-'))
			return true;
	return false;
}

TEST(every_short_file_is_met_by_what_a_search_through_all_ways_finds)
{
	unsigned files = 0;

	for (unsigned n = 1; n <= MAX_TOKENS; n++) {
		unsigned codes = 1;

		for (unsigned i = 0; i < n; i++)
			codes *= ARRAY_LEN(tokens);
		for (unsigned code = 0; code < codes; code++) {
			struct reference r = { .n = n };
			char text[128] = "";

			for (unsigned i = 0, left = code; i < n; i++, left /= ARRAY_LEN(tokens)) {
				r.token[i] = &tokens[left % ARRAY_LEN(tokens)];
				strcat(text, r.token[i]->text);
			}
			if (!must_meet_something(&r))
				continue;
			check_all_values(text, &r);
			files++;
		}
	}
	CHECK(files > 1700);
}

/* ---- one by one ---- */

TEST(what_could_have_come_is_told)
{
	struct rig r;

	rig_init(&r, "0x16\noptional 0x20\n0x32\n0x64\n");
	CHECK_STR(wanted(&r), "1 ");
	CHECK_EQ(put(&r, 0x16), EXPECT_OPEN);
	CHECK_STR(wanted(&r), "2 3 ");
	CHECK_EQ(expect_progress(r.e), 2); // an optional line can be passed at once
	CHECK_EQ(put(&r, 0x64), EXPECT_DIVERGED);
	CHECK_STR(wanted(&r), "2 3 ");
	CHECK_EQ(put(&r, 0x32), EXPECT_DIVERGED);
	rig_deinit(&r);

	rig_init(&r, "any\n1 vcpu 1\n1 vcpu 2\n1 vcpu 3\nend\n2\n");
	CHECK_EQ(put_at(&r, 3, 1, 0), EXPECT_OPEN);
	CHECK_EQ(put_at(&r, 1, 1, 0), EXPECT_OPEN);
	CHECK_STR(wanted(&r), "3 ");
	CHECK_EQ(put_at(&r, 1, 1, 0), EXPECT_DIVERGED);
	rig_deinit(&r);
}

TEST(which_record_met_which_line_is_known)
{
	struct expect_result result[7];
	struct rig r;

	// The 7 can only be for the *, once the next one is there
	rig_init(&r, "1\noptional 9\nany\n*\n7\nend\n2\n");
	CHECK_EQ(put_at(&r, 0, 1, 100), EXPECT_OPEN);
	CHECK_EQ(put_at(&r, 0, 7, 200), EXPECT_OPEN);
	CHECK_EQ(put_at(&r, 0, 7, 300), EXPECT_OPEN);
	expect_results(r.e, result);
	CHECK(result[0].met && result[0].seq == 1 && result[0].ns == 100);
	CHECK(!result[1].met && !result[2].met && !result[5].met);
	CHECK(result[3].met && result[4].met && result[3].seq + result[4].seq == 5);
	CHECK_EQ(put_at(&r, 0, 2, 400), EXPECT_MATCHED);
	expect_results(r.e, result);
	CHECK(result[5].met && result[5].seq == 4);
	rig_deinit(&r);
}

TEST(time_counts_from_what_was_met_before)
{
	struct rig r;

	rig_init(&r, "1 within 10ns\n2 within 5ns\n");
	CHECK_EQ(put_at(&r, 0, 1, 10), EXPECT_OPEN);
	CHECK_EQ(put_at(&r, 0, 2, 15), EXPECT_MATCHED);
	rig_deinit(&r);

	rig_init(&r, "1 within 10ns\n2 within 5ns\n");
	CHECK_EQ(put_at(&r, 0, 1, 10), EXPECT_OPEN);
	CHECK_EQ(put_at(&r, 0, 2, 16), EXPECT_DIVERGED);
	CHECK_STR(wanted(&r), "2 ");
	CHECK_EQ(expect_met_ns(r.e), 10);
	rig_deinit(&r);

	// Of the two 1 that the 2 may follow, the later one counts
	rig_init(&r, "...\n1\n...\n2 within 5ns\n");
	CHECK_EQ(put_at(&r, 0, 1, 10), EXPECT_OPEN);
	CHECK_EQ(put_at(&r, 0, 1, 100), EXPECT_OPEN);
	CHECK_EQ(put_at(&r, 0, 2, 105), EXPECT_MATCHED);
	rig_deinit(&r);

	// In a block, too: from whatever came before
	rig_init(&r, "1\nany\n2 within 5ns\n3 within 5ns\nend\n");
	CHECK_EQ(put_at(&r, 0, 1, 10), EXPECT_OPEN);
	CHECK_EQ(put_at(&r, 0, 3, 14), EXPECT_OPEN);
	CHECK_EQ(put_at(&r, 0, 2, 18), EXPECT_MATCHED);
	rig_deinit(&r);
}

TEST(nothing_is_late_once_a_debugger_has_held_the_guest)
{
	struct rig r;

	rig_init(&r, "1 within 10ns\n2 within 5ns\n");
	CHECK_EQ(put_at(&r, 0, 1, 10), EXPECT_OPEN);
	expect_untimed(r.e);
	CHECK_EQ(put_at(&r, 0, 2, 1000), EXPECT_MATCHED);
	rig_deinit(&r);
}

static enum expect_state put_noise(struct rig *r, uint64_t value)
{
	return expect_unit(r->e, &(struct checkpoint_record){ .seq = ++r->seq, .value = value, .size = 1 },
			   &(struct checkpoint_label){ .noise = "io_delay" });
}

TEST(text_and_noise_count_only_where_a_line_asks_for_them)
{
	struct rig r;

	rig_init(&r, "1\ntext *Shell>*\nnoise io_*\n2\n");
	CHECK_EQ(put_noise(&r, 1), EXPECT_OPEN); // not a 1 that the guest means
	CHECK_STR(wanted(&r), "1 ");
	CHECK_EQ(put_text(&r, "UEFI Shell> "), EXPECT_OPEN);
	CHECK_EQ(put(&r, 1), EXPECT_OPEN);
	CHECK_EQ(put_text(&r, "hello"), EXPECT_OPEN);
	CHECK_EQ(put_noise(&r, 0), EXPECT_OPEN);
	CHECK_STR(wanted(&r), "2 ");
	CHECK_EQ(put_text(&r, "UEFI Shell> "), EXPECT_OPEN);
	CHECK_EQ(put_text(&r, "dir"), EXPECT_OPEN);
	CHECK_EQ(put_noise(&r, 0), EXPECT_OPEN);
	CHECK_EQ(put_noise(&r, 0), EXPECT_OPEN);
	CHECK_EQ(put(&r, 2), EXPECT_MATCHED);
	rig_deinit(&r);

	rig_init(&r, "any\n1\n2\nend\n");
	CHECK_EQ(put(&r, 2), EXPECT_OPEN);
	CHECK_EQ(put_noise(&r, 9), EXPECT_OPEN);
	CHECK_EQ(put_text(&r, "between"), EXPECT_OPEN);
	CHECK_EQ(put(&r, 1), EXPECT_MATCHED);
	rig_deinit(&r);
}

TEST(power_off_is_what_comes_last)
{
	struct rig r;

	rig_init(&r, "1\npower-off\n");
	CHECK_EQ(put(&r, 1), EXPECT_OPEN);
	CHECK_EQ(expect_power_off(r.e, 5), EXPECT_MATCHED);
	rig_deinit(&r);

	rig_init(&r, "1\npower-off\n");
	CHECK_EQ(put(&r, 1), EXPECT_OPEN);
	CHECK_EQ(put(&r, 2), EXPECT_DIVERGED);
	rig_deinit(&r);

	rig_init(&r, "1\n...\n2\n");
	CHECK_EQ(put(&r, 1), EXPECT_OPEN);
	CHECK_EQ(expect_power_off(r.e, 5), EXPECT_DIVERGED);
	CHECK_STR(wanted(&r), "3 ");
	rig_deinit(&r);
}

TEST(records_that_are_lost_may_have_been_anything_only_in_a_gap)
{
	const struct checkpoint_record lost = { .kind = CHECKPOINT_LOST, .value = 3 };
	const struct checkpoint_label none = { 0 };
	struct rig r;

	rig_init(&r, "...\n1\n*\n");
	CHECK_EQ(expect_unit(r.e, &lost, &none), EXPECT_OPEN);
	CHECK_EQ(put(&r, 1), EXPECT_OPEN);
	CHECK_EQ(expect_unit(r.e, &lost, &none), EXPECT_OPEN);
	CHECK_EQ(put(&r, 2), EXPECT_OPEN); // the first 1 may have been one of those: it is no use any more
	CHECK_EQ(put(&r, 1), EXPECT_OPEN);
	CHECK_EQ(put(&r, 2), EXPECT_MATCHED);
	rig_deinit(&r);
}

/* A guest that writes without end while a later line is waited for needs no more memory, nor time, for that. */
TEST(a_gap_may_be_long)
{
	struct rig r;

	rig_init(&r, "...\n1\n...\nany\n*\n5\n5\nend\n2\n");
	for (unsigned i = 0; i < 200000; i++)
		CHECK_EQ(put_at(&r, 0, i % 2 ? 1 : 3, i), EXPECT_OPEN);
	CHECK_EQ(put(&r, 5), EXPECT_OPEN);
	CHECK_EQ(put(&r, 3), EXPECT_OPEN);
	CHECK_EQ(put(&r, 5), EXPECT_OPEN);
	CHECK_EQ(put(&r, 2), EXPECT_MATCHED);
	rig_deinit(&r);
}

/* All 64 lines fit all that comes, but for one: it is found which is for which. */
TEST(a_large_block_of_alike_lines_is_no_puzzle)
{
	char text[512] = "any\n";
	struct rig r;

	for (unsigned i = 0; i < 63; i++)
		strcat(text, "*\n");
	strcat(text, "7\nend\n");
	rig_init(&r, text);
	CHECK_EQ(put(&r, 7), EXPECT_OPEN);
	for (unsigned i = 0; i < 62; i++)
		CHECK_EQ(put(&r, 1), EXPECT_OPEN);
	CHECK_EQ(put(&r, 1), EXPECT_MATCHED);
	rig_deinit(&r);

	rig_init(&r, text);
	for (unsigned i = 0; i < 63; i++)
		CHECK_EQ(put(&r, 1), EXPECT_OPEN);
	CHECK_EQ(put(&r, 1), EXPECT_DIVERGED);
	rig_deinit(&r);
}

TESTS(T(every_short_file_is_met_by_what_a_search_through_all_ways_finds), T(what_could_have_come_is_told),
      T(which_record_met_which_line_is_known), T(time_counts_from_what_was_met_before),
      T(nothing_is_late_once_a_debugger_has_held_the_guest), T(text_and_noise_count_only_where_a_line_asks_for_them),
      T(power_off_is_what_comes_last), T(records_that_are_lost_may_have_been_anything_only_in_a_gap),
      T(a_gap_may_be_long), T(a_large_block_of_alike_lines_is_no_puzzle))
