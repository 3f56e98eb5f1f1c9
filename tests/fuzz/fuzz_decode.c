/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Every decoder of arm64 registers over values of anything: there is an answer, in whole lines that fit on a screen.
 *
 * Input: values of 8 bytes.
 */
#include <stdlib.h>
#include <string.h>

#include "arch/arm64_decode.h"
#include "fuzz.h"
#include "util/bytes.h"

enum { MAX_VALUES = 16, MAX_WIDTH = 240 };

static void require(bool what)
{
	if (!what)
		abort();
}

/* The number of lines. */
static unsigned check_lines(const struct strbuf *out)
{
	unsigned lines = 0;
	size_t start = 0;

	require(!out->oom && out->len && out->s[out->len - 1] == '\n');
	for (size_t i = 0; i < out->len; i++) {
		if (out->s[i] != '\n') {
			require(out->s[i] >= ' ' && out->s[i] <= '~');
			continue;
		}
		require(i > start && i - start <= MAX_WIDTH && out->s[i - 1] != ' ');
		start = i + 1;
		lines++;
	}
	return lines;
}

static void check_value(const uint64_t *v, struct strbuf *out)
{
	strbuf_reset(out);
	arm64_esr_text("ESR", v[0], out);
	require(check_lines(out) >= 3);
	strbuf_reset(out);
	arm64_esr_brief(v[0], out);
	require(out->len && !strchr(out->s, '\n'));
	strbuf_reset(out);
	arm64_spsr_text("SPSR", v[0], out);
	require(check_lines(out) >= 3);
}

static void check_pte(uint64_t v, struct strbuf *out)
{
	for (unsigned i = 0; i < 5 * 3 * 2; i++) {
		struct arm64_pte_place p = { (int)(i % 5) - 1, 12 + 2 * (i / 5 % 3), i / 15 };

		if (!arm64_pte_place_valid(&p))
			continue;
		strbuf_reset(out);
		arm64_pte_text(&p, v, out);
		check_lines(out);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint64_t v[MAX_VALUES + 2] = { 0 };
	struct strbuf out = { 0 };
	unsigned n = 0;

	for (; n < MAX_VALUES && size - n * 8 >= 8; n++)
		v[n] = ld_le64(data + n * 8);
	for (unsigned i = 0; i < n; i++) {
		check_value(v + i, &out);
		check_pte(v[i], &out);
		strbuf_reset(&out);
		arm64_hpfar_text(v[i], v[i + 1], &v[i + 2], &out);
		require(check_lines(&out) >= 4);
		strbuf_reset(&out);
		arm64_hpfar_text(v[i], v[i + 1], NULL, &out);
		require(check_lines(&out) >= 2);
	}
	strbuf_reset(&out);
	arm64_lr_text(v, n, false, &out);
	require(check_lines(&out) == n + 2);
	strbuf_reset(&out);
	arm64_lr_text(v, n, true, &out);
	require(check_lines(&out) == n + 2);
	strbuf_deinit(&out);
	return 0;
}
