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
	CHECK_EQ(o.body.len, 0);
	rsp_out_error(&o, -EINVAL);
	CHECK_STR(o.body.s, "E16");
	rsp_out_error(&o, -100000);
	CHECK_STR(o.body.s, "E05");
}

TEST(an_error_takes_the_form_that_the_client_asked_for)
{
	_cleanup_(rsp_out_deinit) struct rsp_out o = { 0 };

	rsp_out_error_form(&o, -EBADMSG, RSP_ERROR_CODE);
	CHECK_STR(o.body.s, "E4a");
	rsp_out_error_form(&o, -EBADMSG, RSP_ERROR_TEXT);
	CHECK_STR(o.body.s, "E.wrong checksum");
	rsp_out_error_form(&o, -EBADMSG, RSP_ERROR_BOTH);
	CHECK_STR(o.body.s, "E4a;77726f6e6720636865636b73756d");
	rsp_out_error_form(&o, -ENOTSUP, RSP_ERROR_TEXT);
	CHECK_EQ(o.body.len, 0);
}

TEST(escape_fit_counts_what_escaping_adds)
{
	CHECK_EQ(rsp_escape_fit("abcd", 4, 3), 3);
	CHECK_EQ(rsp_escape_fit("a#cd", 4, 3), 2);
	CHECK_EQ(rsp_escape_fit("##", 2, 1), 0);
}

TEST(unavailable_bytes_are_x)
{
	_cleanup_(rsp_out_deinit) struct rsp_out o = { 0 };

	rsp_out_hex(&o, "\x01", 1);
	rsp_out_unavailable(&o, 2);
	CHECK_STR(o.body.s, "01xxxx");
}

TESTS(T(frames_carry_a_checksum_over_escaped_bytes), T(unsupported_is_empty_and_other_errors_are_two_digits),
      T(an_error_takes_the_form_that_the_client_asked_for), T(escape_fit_counts_what_escaping_adds),
      T(unavailable_bytes_are_x))
