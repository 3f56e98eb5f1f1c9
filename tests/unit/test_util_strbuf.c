/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "util/strbuf.h"

#include <stdio.h>

#include "test.h"

TEST(empty_buffer_is_an_empty_string)
{
	struct strbuf b = { 0 };

	CHECK_STR(strbuf_str(&b), "");
	strbuf_deinit(&b);
}

TEST(adds_grow_and_stay_terminated)
{
	_cleanup_(strbuf_deinit) struct strbuf b = { 0 };

	for (int i = 0; i < 1000; i++)
		strbuf_addf(&b, "%03d,", i);
	CHECK_EQ(b.len, 4000);
	CHECK_EQ(strlen(b.s), 4000);
	CHECK_MEM(b.s + 3996, "999,", 4);
	strbuf_reset(&b);
	CHECK_STR(strbuf_str(&b), "");
}

TEST(hex_is_lower_case_pairs)
{
	_cleanup_(strbuf_deinit) struct strbuf b = { 0 };

	strbuf_addhex(&b, "\x00\xab\xff", 3);
	CHECK_STR(b.s, "00abff");
	for (unsigned i = 0; i < 256; i++) {
		char expected[3];

		strbuf_reset(&b);
		strbuf_addhex(&b, (uint8_t[]){ (uint8_t)i }, 1);
		snprintf(expected, sizeof(expected), "%02x", i);
		CHECK_STR(b.s, expected);
	}
}

TEST(oom_is_sticky_and_harmless)
{
	_cleanup_(strbuf_deinit) struct strbuf b = { 0 };

	strbuf_adds(&b, "kept");
	strbuf_add(&b, NULL, SIZE_MAX);
	CHECK(b.oom);
	strbuf_adds(&b, "dropped");
	CHECK_STR(strbuf_str(&b), "kept");
}

TESTS(T(empty_buffer_is_an_empty_string), T(adds_grow_and_stay_terminated), T(hex_is_lower_case_pairs),
      T(oom_is_sticky_and_harmless))
