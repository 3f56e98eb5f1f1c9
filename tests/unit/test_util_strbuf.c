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

/* Any length, at any distance from a multiple of what is done at once, and from a source in its own destination. */
TEST(hex_of_any_bytes_is_that_of_each_and_has_their_sum)
{
	_cleanup_(strbuf_deinit) struct strbuf b = { 0 }, expected = { 0 };
	uint8_t bytes[5000];

	for (unsigned i = 0; i < sizeof(bytes); i++)
		bytes[i] = i < 2500 ? (uint8_t)(i * 167 >> 3) : 0xff;
	for (unsigned n = 0; n < sizeof(bytes); n += n < 40 ? 1 : 619) {
		unsigned sum = 0;
		char *room;

		strbuf_reset(&expected);
		for (unsigned i = 0; i < n; i++)
			strbuf_addf(&expected, "%02x", bytes[i]);
		for (unsigned i = 0; i < expected.len; i++)
			sum += (uint8_t)expected.s[i];
		strbuf_reset(&b);
		CHECK_EQ(strbuf_addhex(&b, bytes, n), sum);
		CHECK_STR(strbuf_str(&b), strbuf_str(&expected));
		strbuf_reset(&b);
		room = strbuf_room(&b, 2 * n);
		memcpy(room + n, bytes, n);
		CHECK_EQ(strbuf_addhex(&b, room + n, n), sum);
		CHECK_STR(strbuf_str(&b), strbuf_str(&expected));
	}
}

TEST(formatted_text_of_any_length_arrives_whole)
{
	_cleanup_(strbuf_deinit) struct strbuf b = { 0 };

	for (int n = 0; n < 300; n++) {
		size_t before = b.len;

		strbuf_addf(&b, "<%*d>", n, 7);
		CHECK_EQ(b.len, before + (size_t)MAX(n, 1) + 2);
		CHECK_EQ(strlen(b.s), b.len);
		CHECK_EQ(b.s[b.len - 2], '7');
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
      T(hex_of_any_bytes_is_that_of_each_and_has_their_sum), T(formatted_text_of_any_length_arrives_whole),
      T(oom_is_sticky_and_harmless))
