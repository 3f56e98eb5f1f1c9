/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdio.h>

#include "server/packets.h"
#include "test.h"
#include "util/macros.h"

static const struct pkt_def *find(const char *body)
{
	return pkt_find(pkt_table, pkt_table_len, body, strlen(body));
}

static const char *prefix_of(const char *body)
{
	const struct pkt_def *d = find(body);

	return d ? d->prefix : "";
}

TEST(packet_longest_prefix_wins)
{
	CHECK_STR(prefix_of("qC"), "qC");
	CHECK_STR(prefix_of("qCRC:1000,4"), "qCRC:");
	CHECK_STR(prefix_of("vCont?"), "vCont?");
	CHECK_STR(prefix_of("vCont;c"), "vCont");
	CHECK_STR(prefix_of("vCont"), "vCont");
	CHECK_STR(prefix_of("s1000"), "s");
	CHECK_STR(prefix_of("mf000,4"), "m");
}

TEST(packet_name_must_end_where_the_prefix_does)
{
	CHECK(!find("qCfoo"));
	CHECK(!find("vContinue"));
	CHECK(!find("QStartNoAckModes"));
	CHECK(!find("qfThreadInfoX"));
	CHECK_STR(prefix_of("qSupported"), "qSupported");
	CHECK_STR(prefix_of("qSupported:swbreak+"), "qSupported");
	CHECK_STR(prefix_of("qAttached:1"), "qAttached");
}

TEST(packet_unknown_has_no_row)
{
	CHECK(!find(""));
	CHECK(!find("q"));
	CHECK(!find("bc"));
	CHECK(!find("qXfer:auxv:read::0,10"));
	CHECK(!find("r"));
}

TEST(packet_row_order_does_not_matter)
{
	struct pkt_def *turned = calloc(pkt_table_len, sizeof(*turned));

	CHECK(turned);
	for (unsigned i = 0; i < pkt_table_len; i++)
		turned[i] = pkt_table[pkt_table_len - 1 - i];
	for (unsigned i = 0; i < pkt_table_len; i++) {
		const char *p = pkt_table[i].prefix;
		const struct pkt_def *d = pkt_find(turned, pkt_table_len, p, strlen(p));

		CHECK(d);
		CHECK_STR(d->prefix, p);
	}
	free(turned);
}

TEST(packet_rows_are_whole_and_different)
{
	for (unsigned i = 0; i < pkt_table_len; i++) {
		CHECK(pkt_table[i].prefix[0]);
		CHECK(pkt_table[i].parse && pkt_table[i].exec);
		for (unsigned j = 0; j < i; j++)
			CHECK(strcmp(pkt_table[i].prefix, pkt_table[j].prefix) != 0);
	}
}

/* What is announced is served. */
TEST(feature_tokens_have_a_row)
{
	for (unsigned i = 0; i < pkt_features_len; i++) {
		const struct pkt_feature *f = &pkt_features[i];
		size_t n = strlen(f->token);

		CHECK(find(f->prefix));
		CHECK_STR(find(f->prefix)->prefix, f->prefix);
		CHECK(n > 1 && f->token[n - 1] == '+');
		CHECK(f->have);
	}
}

/* "qXfer:object:read+" is announced for every object that can be read. */
TEST(feature_tokens_cover_every_xfer_row)
{
	for (unsigned i = 0; i < pkt_table_len; i++) {
		bool announced = strncmp(pkt_table[i].prefix, "qXfer:", 6) != 0;

		for (unsigned j = 0; j < pkt_features_len; j++)
			announced |= strcmp(pkt_features[j].prefix, pkt_table[i].prefix) == 0;
		CHECK(announced);
	}
}

TESTS(T(packet_longest_prefix_wins), T(packet_name_must_end_where_the_prefix_does), T(packet_unknown_has_no_row),
      T(packet_row_order_does_not_matter), T(packet_rows_are_whole_and_different), T(feature_tokens_have_a_row),
      T(feature_tokens_cover_every_xfer_row))
