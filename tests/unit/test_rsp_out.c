/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "rsp/out.h"

#include <errno.h>

#include "test.h"

static const char *framed(const char *body, struct strbuf *wire)
{
	strbuf_reset(wire);
	CHECK_EQ(rsp_frame(body, strlen(body), wire), 0);
	return strbuf_str(wire);
}

TEST(frames_carry_a_checksum_over_escaped_bytes)
{
	_cleanup_(strbuf_deinit) struct strbuf w = { 0 };

	CHECK_STR(framed("", &w), "$#00");
	CHECK_STR(framed("OK", &w), "$OK#9a");
	CHECK_STR(framed("a#b", &w), "$a}\x03"
				     "b#43");
}

TEST(unsupported_is_empty_and_other_errors_are_two_digits)
{
	_cleanup_(rsp_out_deinit) struct rsp_out o = { 0 };

	rsp_out_str(&o, "half a reply");
	rsp_out_error(&o, -ENOTSUP);
	CHECK_EQ(rsp_out_len(&o), 0);
	rsp_out_error(&o, -EINVAL);
	CHECK_STR(rsp_out_body(&o), "E16");
	rsp_out_error(&o, -100000);
	CHECK_STR(rsp_out_body(&o), "E05");
}

TEST(an_error_takes_the_form_that_the_client_asked_for)
{
	_cleanup_(rsp_out_deinit) struct rsp_out o = { 0 };

	rsp_out_error_form(&o, -EBADMSG, RSP_ERROR_CODE);
	CHECK_STR(rsp_out_body(&o), "E4a");
	rsp_out_error_form(&o, -EBADMSG, RSP_ERROR_TEXT);
	CHECK_STR(rsp_out_body(&o), "E.wrong checksum");
	rsp_out_error_form(&o, -EBADMSG, RSP_ERROR_BOTH);
	CHECK_STR(rsp_out_body(&o), "E4a;77726f6e6720636865636b73756d");
	rsp_out_error_form(&o, -ENOTSUP, RSP_ERROR_TEXT);
	CHECK_EQ(rsp_out_len(&o), 0);
}

TEST(escape_fit_counts_what_escaping_adds)
{
	CHECK_EQ(rsp_escape_fit("abcd", 4, 3), 3);
	CHECK_EQ(rsp_escape_fit("a#cd", 4, 3), 2);
	CHECK_EQ(rsp_escape_fit("##", 2, 1), 0);
}

static bool is_special(uint8_t ch)
{
	return ch == '}' || ch == '#' || ch == '$' || ch == '*';
}

/* Bytes of every kind, with specials near and far from each other, for code that looks at several at once. */
static size_t any_bytes(unsigned seed, uint8_t *out, size_t max)
{
	static const uint8_t special[] = "}#$*";
	size_t n;

	srand(seed);
	n = (size_t)rand() % max;
	for (size_t i = 0; i < n; i++)
		out[i] = rand() % 100 < (int)(seed % 40) ? special[rand() % 4] : (uint8_t)rand();
	return n;
}

TEST(frames_of_any_bytes_are_those_made_one_byte_at_a_time)
{
	_cleanup_(strbuf_deinit) struct strbuf w = { 0 }, expected = { 0 };
	uint8_t body[3000];

	for (unsigned seed = 0; seed < 500; seed++) {
		size_t n = any_bytes(seed, body, seed % 3 ? 40 : sizeof(body));
		unsigned sum = 0;

		strbuf_reset(&w);
		strbuf_reset(&expected);
		strbuf_addc(&expected, '$');
		for (size_t i = 0; i < n; i++) {
			if (is_special(body[i]))
				strbuf_addc(&expected, '}');
			strbuf_addc(&expected, (char)(is_special(body[i]) ? body[i] ^ 0x20 : body[i]));
		}
		for (size_t i = 1; i < expected.len; i++)
			sum += (uint8_t)expected.s[i];
		strbuf_addf(&expected, "#%02x", sum & 0xff);
		CHECK_EQ(rsp_frame(body, n, &w), 0);
		CHECK_EQ(w.len, expected.len);
		assert_memory_equal(w.s, expected.s, w.len);
	}
}

TEST(escape_fit_of_any_bytes_takes_all_that_fits)
{
	uint8_t body[300];

	for (unsigned seed = 0; seed < 2000; seed++) {
		size_t n = any_bytes(seed, body, sizeof(body)), cap = (size_t)rand() % sizeof(body), used = 0, i;

		for (i = 0; i < n && used + 1 + is_special(body[i]) <= cap; i++)
			used += 1 + is_special(body[i]);
		CHECK_EQ(rsp_escape_fit(body, n, cap), i);
	}
}

/* Put together in every way that a handler may, and behind bytes that wait to be sent or not. */
TEST(a_reply_is_framed_as_its_body_is)
{
	_cleanup_(strbuf_deinit) struct strbuf wire = { 0 }, expected = { 0 };
	_cleanup_(rsp_out_deinit) struct rsp_out o = { 0 };
	uint8_t bytes[3000];

	for (unsigned seed = 0; seed < 2000; seed++) {
		size_t n = any_bytes(seed, bytes, seed % 3 ? 40 : sizeof(bytes)), body = 0;
		size_t cap = seed % 2 ? n : (size_t)rand() % 40;
		void *room;

		for (unsigned pieces = (unsigned)rand() % 4; pieces; pieces--) {
			if (rand() % 2)
				rsp_out_str(&o, rand() % 2 ? "b" : "}#");
			if (rand() % 2)
				rsp_out_hex(&o, bytes, n);
			if (rand() % 2)
				rsp_out_reg(&o, bytes[0], bytes, n);
		}
		if (seed % 5 == 0) {
			room = rsp_out_hex_room(&o, n + seed % 7);
			memcpy(room, bytes, n);
			rsp_out_hex_take(&o, n + seed % 7, n);
		}
		if (seed % 5 == 1) {
			room = rsp_out_bytes_room(&o, n);
			memcpy(room, bytes, n);
			body = rsp_out_len(&o) + rsp_escape_fit(bytes, n, cap);
			rsp_out_bytes_take(&o, n, cap);
			CHECK_EQ(rsp_out_len(&o), body);
		}
		if (seed % 11 == 0)
			strbuf_reset(&wire);
		strbuf_reset(&expected);
		strbuf_add(&expected, wire.s, wire.len);
		CHECK_EQ(rsp_frame(rsp_out_body(&o), rsp_out_len(&o), &expected), 0);
		CHECK_EQ(rsp_out_frame(&o, &wire), 0);
		CHECK_EQ(wire.len, expected.len);
		assert_memory_equal(wire.s, expected.s, wire.len);
		CHECK_EQ(rsp_out_len(&o), 0);
	}
}

TEST(numbers_have_no_zeros_in_front)
{
	_cleanup_(rsp_out_deinit) struct rsp_out o = { 0 };

	rsp_out_number(&o, 0);
	rsp_out_str(&o, ",");
	rsp_out_number(&o, 0x1a0);
	rsp_out_str(&o, ",");
	rsp_out_number(&o, UINT64_MAX);
	CHECK_STR(rsp_out_body(&o), "0,1a0,ffffffffffffffff");
}

TEST(a_register_has_a_number_and_a_value)
{
	_cleanup_(rsp_out_deinit) struct rsp_out o = { 0 };

	rsp_out_reg(&o, 0x10, "\x01\xfe\x00\x7d#", 5);
	rsp_out_reg(&o, 7, "", 0);
	CHECK_STR(rsp_out_body(&o), "10:01fe007d23;07:;");
}

TEST(unavailable_bytes_are_x)
{
	_cleanup_(rsp_out_deinit) struct rsp_out o = { 0 };

	rsp_out_hex(&o, "\x01", 1);
	rsp_out_unavailable(&o, 2);
	CHECK_STR(rsp_out_body(&o), "01xxxx");
}

TESTS(T(frames_carry_a_checksum_over_escaped_bytes), T(unsupported_is_empty_and_other_errors_are_two_digits),
      T(an_error_takes_the_form_that_the_client_asked_for), T(escape_fit_counts_what_escaping_adds),
      T(frames_of_any_bytes_are_those_made_one_byte_at_a_time), T(escape_fit_of_any_bytes_takes_all_that_fits),
      T(a_reply_is_framed_as_its_body_is), T(numbers_have_no_zeros_in_front), T(a_register_has_a_number_and_a_value),
      T(unavailable_bytes_are_x))
