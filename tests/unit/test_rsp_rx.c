/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "rsp/rx.h"

#include <stdlib.h>

#include "rsp/out.h"
#include "test.h"

/* Feeds @s in pieces of @step bytes; the events are told as one letter each. */
static const char letter[] = "MPSBANTF";

static void feed(struct rsp_rx *rx, const char *s, size_t n, size_t step, char *events)
{
	const uint8_t *at = (const uint8_t *)s;

	while (n > 0) {
		enum rsp_event ev;
		size_t used = rsp_rx_feed(rx, at, n < step ? n : step, &ev);

		CHECK(used > 0);
		at += used;
		n -= used;
		if (ev != RSP_MORE)
			*events++ = letter[ev];
	}
	*events = '\0';
}

static void expect(const char *in, const char *events, const char *body)
{
	for (size_t step = 1; step < 8; step++) {
		struct rsp_rx *rx = calloc(1, sizeof(*rx));
		char got[64];

		feed(rx, in, strlen(in), step, got);
		CHECK_STR(got, events);
		if (body) {
			CHECK_EQ(rx->len, strlen(body));
			CHECK_MEM(rx->buf, body, rx->len);
		}
		free(rx);
	}
}

TEST(a_packet_is_found_however_it_is_cut)
{
	expect("+$m1000,4#8e", "AP", "m1000,4");
}

TEST(acks_naks_and_breaks_between_packets_are_events)
{
	expect("+-\x03$#00", "ANBP", "");
}

TEST(a_wrong_or_unhex_checksum_is_told)
{
	expect("$g#68", "S", NULL);
	expect("$g#zz", "S", NULL);
	expect("$g#6$g#67", "P", "g"); // a frame cut short inside its checksum does not take the next one along
}

TEST(checksum_runs_over_raw_bytes_and_escapes_are_undone)
{
	expect("$a}\x03}\x04"
	       "b#c4",
	       "P", "a#$b");
}

TEST(run_lengths_are_expanded)
{
	expect("$0* #7a", "P", "0000");
	expect("$*x#a2", "P", "*x"); // nothing to repeat: an ordinary byte
}

TEST(a_run_count_that_is_none_spoils_the_frame)
{
	expect("$0*#5a", "S", NULL);
	expect("$0*\x1c#76", "S", NULL);
}

TEST(a_dollar_inside_a_frame_starts_over)
{
	expect("$m10$g#67", "P", "g");
}

TEST(break_inside_a_frame_is_data)
{
	expect("$a\x03#64", "P", "a\x03");
}

TEST(an_http_request_is_foreign)
{
	enum rsp_event ev;
	struct rsp_rx *rx = calloc(1, sizeof(*rx));

	rsp_rx_feed(rx, (const uint8_t *)"GET / HTTP/1.1\r\n", 16, &ev);
	CHECK_EQ(ev, RSP_FOREIGN);
	free(rx);
}

TEST(a_body_of_packet_size_fits_and_one_more_is_too_long)
{
	for (unsigned extra = 0; extra < 2; extra++) {
		_cleanup_(strbuf_deinit) struct strbuf wire = { 0 };
		size_t n = RSP_PACKET_MAX + extra;
		struct rsp_rx *rx = calloc(1, sizeof(*rx));
		char *body = malloc(n), got[8];

		memset(body, 'x', n);
		CHECK_EQ(rsp_frame(body, n, &wire), 0);
		feed(rx, wire.s, wire.len, 4096, got);
		CHECK_STR(got, extra ? "T" : "P");
		strbuf_adds(&wire, "$g#67");
		feed(rx, "$g#67", 5, 5, got); // and the next frame is fine
		CHECK_STR(got, "P");
		free(body);
		free(rx);
	}
}

TEST(every_byte_survives_framing_and_back)
{
	_cleanup_(strbuf_deinit) struct strbuf wire = { 0 };
	struct rsp_rx *rx = calloc(1, sizeof(*rx));
	uint8_t body[256];
	char got[8];

	for (unsigned i = 0; i < 256; i++)
		body[i] = (uint8_t)i;
	CHECK_EQ(rsp_frame(body, 256, &wire), 0);
	CHECK_EQ(wire.len, 256 + 4 + 4); // frame and four escapes
	feed(rx, wire.s, wire.len, 3, got);
	CHECK_STR(got, "P");
	CHECK_EQ(rx->len, 256);
	CHECK_MEM(rx->buf, body, 256);
	free(rx);
}

TESTS(T(a_packet_is_found_however_it_is_cut), T(acks_naks_and_breaks_between_packets_are_events),
      T(a_wrong_or_unhex_checksum_is_told), T(checksum_runs_over_raw_bytes_and_escapes_are_undone),
      T(run_lengths_are_expanded), T(a_run_count_that_is_none_spoils_the_frame), T(a_dollar_inside_a_frame_starts_over),
      T(break_inside_a_frame_is_data), T(an_http_request_is_foreign),
      T(a_body_of_packet_size_fits_and_one_more_is_too_long), T(every_byte_survives_framing_and_back))
