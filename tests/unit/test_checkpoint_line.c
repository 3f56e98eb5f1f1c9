/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "checkpoint/line.h"

#include "test.h"

/* Lines out of @text, each followed by '|'. */
static void feed(struct checkpoint_line *l, const char *text, char *out)
{
	*out = '\0';
	for (; *text; text++)
		if (checkpoint_line_add(l, *text))
			strcat(strcat(out, l->text), "|");
}

TEST(bytes_become_lines)
{
	struct checkpoint_line l = { 0 };
	char out[64];

	feed(&l, "one\r\ntwo", out);
	CHECK_STR(out, "one|");
	feed(&l, " three\n", out);
	CHECK_STR(out, "two three|");
}

TEST(empty_lines_are_left_out_and_only_printable_bytes_are_in_the_others)
{
	struct checkpoint_line l = { 0 };
	char out[64];

	feed(&l, "\n\r\n\x1b[m\xff\n", out);
	CHECK_STR(out, ".[m.|");
}

TEST(a_line_that_does_not_end_is_cut)
{
	struct checkpoint_line l = { 0 };
	unsigned n = 0;

	for (int i = 0; i < 2 * CHECKPOINT_LINE_MAX; i++)
		n += checkpoint_line_add(&l, 'x');
	CHECK_EQ(n, 2);
	CHECK_EQ(strlen(l.text), CHECKPOINT_LINE_MAX);
	CHECK(!checkpoint_line_add(&l, '\n'));
}

TESTS(T(bytes_become_lines), T(empty_lines_are_left_out_and_only_printable_bytes_are_in_the_others),
      T(a_line_that_does_not_end_is_cut))
