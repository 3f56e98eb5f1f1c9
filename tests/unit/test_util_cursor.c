/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "util/cursor.h"

#include "test.h"

static struct cur on(const char *s)
{
	return cur_init(s, strlen(s));
}

TEST(hex_takes_up_to_16_digits_of_either_case)
{
	struct cur c = on("0123456789aBcDeF,");

	CHECK_EQ(cur_hex(&c), 0x0123456789abcdef);
	CHECK(cur_lit(&c, ','));
	CHECK(cur_done(&c));
}

TEST(hex_rejects_17_digits)
{
	struct cur c = on("10000000000000000");

	CHECK_EQ(cur_hex(&c), 0);
	CHECK(c.bad);
}

TEST(hex_rejects_sign_space_prefix_and_nothing)
{
	static const char *const bad[] = { "", "-1", "+1", " 1", ",", "g" };

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct cur c = on(bad[i]);

		cur_hex(&c);
		CHECK(c.bad);
	}
	struct cur c = on("0x10"); // takes the 0 and leaves the x to be refused
	CHECK_EQ(cur_hex(&c), 0);
	CHECK(!cur_done(&c));
}

TEST(dec_stops_at_int64_max)
{
	struct cur ok = on("9223372036854775807"), over = on("9223372036854775808");

	CHECK_EQ(cur_dec(&ok), INT64_MAX);
	CHECK(cur_done(&ok));
	cur_dec(&over);
	CHECK(over.bad);
}

TEST(number_is_decimal_or_hex_behind_0x)
{
	struct cur dec = cur_init("4096", 4), hex = cur_init("0xffffffffffffffff", 18), bad = cur_init("0x", 2);

	CHECK_EQ(cur_number(&dec), 4096);
	CHECK(cur_done(&dec));
	CHECK_EQ(cur_number(&hex), UINT64_MAX);
	CHECK(cur_done(&hex));
	CHECK_EQ(cur_number(&bad), 0);
	CHECK(bad.bad);
}

TEST(hexbytes_rejects_odd_digits_and_overflow)
{
	uint8_t out[2];
	struct cur ok = on("00ff;"), odd = on("00f"), mixed = on("0g"), over = on("000000");

	CHECK_EQ(cur_hexbytes(&ok, out, 2), 2);
	CHECK_EQ(out[1], 0xff);
	CHECK(cur_lit(&ok, ';'));
	cur_hexbytes(&odd, out, 2);
	CHECK(odd.bad);
	cur_hexbytes(&mixed, out, 2);
	CHECK(mixed.bad);
	cur_hexbytes(&over, out, 2);
	CHECK(over.bad);
}

TEST(once_bad_every_take_gives_nothing)
{
	struct cur c = on("zz12");
	size_t n;

	cur_hex(&c);
	CHECK_EQ(cur_hex(&c), 0);
	CHECK(!cur_try(&c, 'z'));
	CHECK(!cur_try_str(&c, "zz"));
	CHECK(cur_bytes(&c, 1) == NULL);
	cur_rest(&c, &n);
	CHECK_EQ(n, 0);
	CHECK_EQ(cur_peek(&c), -1);
	CHECK(!cur_done(&c));
}

TEST(bytes_never_runs_over_the_end)
{
	struct cur c = on("abc");

	CHECK(cur_bytes(&c, 4) == NULL);
	CHECK(c.bad);
}

TESTS(T(hex_takes_up_to_16_digits_of_either_case), T(hex_rejects_17_digits),
      T(hex_rejects_sign_space_prefix_and_nothing), T(dec_stops_at_int64_max), T(number_is_decimal_or_hex_behind_0x),
      T(hexbytes_rejects_odd_digits_and_overflow), T(once_bad_every_take_gives_nothing),
      T(bytes_never_runs_over_the_end))
