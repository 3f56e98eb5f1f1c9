/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The wire parser and every packet parser, fed with anything. The first byte chooses how the input is cut, since a
 * frame must be found however it arrives.
 */
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "rsp/request.h"
#include "rsp/rx.h"

static rsp_parse_fn *const parsers[] = {
	rsp_parse_none,   rsp_parse_text,    rsp_parse_mem,   rsp_parse_mem_hex, rsp_parse_mem_bin,
	rsp_parse_reg,    rsp_parse_reg_set, rsp_parse_regs,  rsp_parse_H,       rsp_parse_tid,
	rsp_parse_run,    rsp_parse_run_sig, rsp_parse_vcont, rsp_parse_bp,      rsp_parse_xfer,
	rsp_parse_search, rsp_parse_rcmd,    rsp_parse_num,   rsp_parse_thread,  rsp_parse_restore,
};

/* A packet body through every parser, each on a copy of its own: parsers may decode in place. */
static void parse_all(const uint8_t *body, size_t n)
{
	for (size_t i = 0; i < sizeof(parsers) / sizeof(parsers[0]); i++) {
		uint8_t *copy = malloc(n + 1);
		struct rsp_req req;
		struct cur c = cur_init(copy, n);

		if (n)
			memcpy(copy, body, n);
		parsers[i](&c, &req);
		free(copy);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t step = size ? data[0] % 16 + 1 : 1;
	struct rsp_rx *rx = calloc(1, sizeof(*rx));

	for (size_t at = 1; at < size;) {
		enum rsp_event ev;

		at += rsp_rx_feed(rx, data + at, step < size - at ? step : size - at, &ev);
		if (ev == RSP_PACKET)
			parse_all(rx->buf, rx->len);
	}
	free(rx);
	if (size)
		parse_all(data + 1, size - 1);
	return 0;
}
