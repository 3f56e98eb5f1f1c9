/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "checkpoint/diff.h"

#include <stdio.h>

#include "checkpoint/align.h"
#include "checkpoint_file.h"

#define HEADER "{\"gdbvm\":\"checkpoints\",\"version\":1,\"t\":9,\"epoch\":1700000000}\n"
#define WRITE(seq, t, vcpu, value, more)                                                                     \
	"{\"seq\":" #seq ",\"t\":" #t ",\"vcpu\":" #vcpu ",\"port\":\"0x80\",\"size\":1,\"value\":\"" #value \
	"\",\"mode\":\"exact\"" more "}\n"

struct boots {
	struct checkpoint_file *a, *b;
	struct checkpoint_diff *d;
	struct strbuf text;
};

static void boots_deinit(struct boots *w)
{
	checkpoint_diff_destroy(w->d);
	checkpoint_file_destroy(w->a);
	checkpoint_file_destroy(w->b);
	strbuf_deinit(&w->text);
}

static struct boots compare(const char *a, const char *b, bool all, size_t largest)
{
	struct boots w = { .a = parse(a), .b = parse(b) };

	CHECK_EQ(checkpoint_diff(w.a, w.b, all, &w.d), 0);
	checkpoint_diff_add(&w.text, "a", "b", w.d, largest);
	return w;
}

/* "both only_a only_b other_data" */
static void check_counts(const struct checkpoint_diff *d, const char *expected)
{
	char text[80];

	snprintf(text, sizeof(text), "%zu %zu %zu %zu", d->both, d->only_a, d->only_b, d->other_data);
	CHECK_STR(text, expected);
}

static void check_has(const struct boots *w, const char *line)
{
	if (!strstr(strbuf_str(&w->text), line))
		fail_msg("expected '%s' in\n%s", line, strbuf_str(&w->text));
}

/* ---- the alignment ---- */

static uint32_t next_random(uint32_t *state)
{
	*state = *state * 1664525 + 1013904223;
	return *state >> 16;
}

/* How long the longest common subsequence is. */
static size_t longest(const uint32_t *a, size_t na, const uint32_t *b, size_t nb)
{
	static size_t best[64][64];

	for (size_t i = 0; i <= na; i++)
		for (size_t j = 0; j <= nb; j++)
			best[i][j] = !i || !j               ? 0
				     : a[i - 1] == b[j - 1] ? best[i - 1][j - 1] + 1
							    : MAX(best[i - 1][j], best[i][j - 1]);
	return best[na][nb];
}

/* Is it a common subsequence, and how long? */
static size_t check_match(const uint32_t *a, size_t na, const uint32_t *b, size_t nb, const size_t *match)
{
	size_t n = 0, next = 0;

	for (size_t i = 0; i < na; i++) {
		if (match[i] == ALIGN_NONE)
			continue;
		CHECK(match[i] >= next && match[i] < nb && a[i] == b[match[i]]);
		next = match[i] + 1;
		n++;
	}
	return n;
}

TEST(the_longest_common_subsequence_is_found)
{
	uint32_t a[63], b[63], state = 1;
	size_t match[63];

	for (unsigned round = 0; round < 20000; round++) {
		const size_t na = next_random(&state) % 64, nb = next_random(&state) % 64;
		const uint32_t values = 1 + next_random(&state) % 9;

		for (size_t i = 0; i < na; i++)
			a[i] = next_random(&state) % values;
		for (size_t i = 0; i < nb; i++)
			b[i] = next_random(&state) % values;
		CHECK_EQ(align(a, na, b, nb, match), 0);
		if (check_match(a, na, b, nb, match) != longest(a, na, b, nb))
			fail_msg("round %u: not the longest", round);
	}
}

TEST(long_sequences_that_have_little_in_common_are_aligned_in_time)
{
	enum { N = 100000 };
	_cleanup_(freep) uint32_t *a = calloc(N, sizeof(*a)), *b = calloc(N, sizeof(*b));
	_cleanup_(freep) size_t *match = calloc(N, sizeof(*match));
	uint32_t state = 7;

	for (uint32_t values = 2; values < 5000; values *= 250) {
		for (size_t i = 0; i < N; i++) {
			a[i] = next_random(&state) % values;
			b[i] = next_random(&state) % values;
		}
		CHECK_EQ(align(a, N, b, N, match), 0);
		CHECK(check_match(a, N, b, N, match) > 0);
	}
}

/* ---- boots ---- */

TEST(a_boot_is_the_same_as_itself)
{
	static const char text[] = HEADER WRITE(1, 10, 0, 0x16, "") WRITE(2, 11, 1, 0x32, "");
	_cleanup_(boots_deinit) struct boots w = compare(text, text, false, 0);

	check_counts(w.d, "2 0 0 0");
	check_has(&w, "2 in both; 0 only in A, 0 only in B\n");
}

TEST(what_is_only_in_one_is_marked_and_durations_span_it)
{
	_cleanup_(boots_deinit) struct boots w = compare(
		HEADER WRITE(1, 10, 0, 0x16, "") WRITE(2, 10.5, 0, 0xa, "") WRITE(3, 12, 0, 0x32, ""),
		HEADER WRITE(1, 20, 0, 0x16, "") WRITE(2, 20.25, 0, 0xb, ",\"name\":\"NEW\"") WRITE(3, 21, 0, 0x32, ""),
		false, 0);

	check_counts(w.d, "2 1 1 0");
	check_has(&w, "\n     0     0.000000     0.000000     2.000000     1.000000    -1.000000        0x16\n");
	check_has(&w, "\n-    0     0.500000                                                            0x0a\n");
	check_has(&w, "\n+    0                  0.250000                                               0x0b  NEW\n");
	check_has(&w, "\n     0     2.000000     1.000000                                               0x32\n");
	check_has(&w, "all records:   A 2.000000   B 1.000000    -1.000000\n");
}

TEST(vcpus_are_compared_one_by_one)
{
	_cleanup_(boots_deinit) struct boots w = compare(
		HEADER WRITE(1, 10, 0, 1, "") WRITE(2, 11, 1, 2, "") WRITE(3, 12, 0, 3, "") WRITE(4, 13, 1, 4, ""),
		HEADER WRITE(1, 10, 0, 1, "") WRITE(2, 11, 0, 3, "") WRITE(3, 13, 1, 2, "") WRITE(4, 14, 1, 4, ""),
		false, 0);

	check_counts(w.d, "4 0 0 0");
	check_has(&w,
		  "\n     1                               1.000000     3.000000    +2.000000              (begin)\n");
}

TEST(vcpus_do_not_count_where_a_file_does_not_know_them)
{
	_cleanup_(boots_deinit) struct boots w = compare(
		HEADER WRITE(1, 10, 0, 1, "") WRITE(2, 11, 1, 2, ""),
		HEADER "{\"seq\":1,\"t\":1,\"port\":\"0x80\",\"size\":1,\"value\":\"1\",\"mode\":\"coalesced\"}\n"
		       "{\"seq\":2,\"t\":2,\"port\":\"0x80\",\"size\":1,\"value\":\"2\",\"mode\":\"coalesced\"}\n",
		false, 0);

	check_counts(w.d, "2 0 0 0");
}

#define PFN(seq, t, last, value)                                     \
	WRITE(seq, t, 0, 0xcd, ",\"name\":\"PFN\",\"part\":\"PFN\"") \
	WRITE(last, t, 0, 0x10,                                      \
	      ",\"name\":\"PFN\",\"part\":\"PFN\",\"first\":" #seq ",\"fields\":{\"pfn\":\"" #value "\"}")

TEST(a_sequence_with_other_data_is_in_both)
{
	static const char a[] = HEADER PFN(1, 10, 2, 0x10) PFN(3, 11, 4, 0x11) PFN(5, 12, 6, 0x12);
	static const char b[] = HEADER PFN(1, 10, 2, 0x11) PFN(3, 11, 4, 0x13);
	_cleanup_(boots_deinit) struct boots w = compare(a, b, false, 0), raw = compare(a, b, true, 0);

	check_counts(w.d, "2 1 0 1"); // 0x11 belongs to 0x11, and then 0x12 to 0x13
	check_has(&w, "0xcd  PFN pfn=0x12  in B: PFN pfn=0x13\n");
	check_counts(raw.d, "4 2 0 1"); // each byte; the last one has the fields
}

TEST(noise_counts_only_if_asked_for)
{
	static const char a[] = HEADER WRITE(1, 10, 0, 0, ",\"noise\":\"io_delay\"") WRITE(2, 11, 0, 1, "");
	static const char b[] = HEADER WRITE(1, 10, 0, 1, "");
	_cleanup_(boots_deinit) struct boots w = compare(a, b, false, 0), all = compare(a, b, true, 0);

	check_counts(w.d, "1 0 0 0");
	check_counts(all.d, "1 1 0 0");
}

TEST(the_largest_differences_come_first)
{
	_cleanup_(boots_deinit) struct boots w =
		compare(HEADER WRITE(1, 10, 0, 1, "") WRITE(2, 11, 0, 2, "") WRITE(3, 12, 0, 3, "")
				WRITE(4, 13, 0, 4, "") WRITE(5, 14, 0, 5, ""),
			HEADER WRITE(1, 10, 0, 1, "") WRITE(2, 11.5, 0, 2, "") WRITE(3, 11.75, 0, 3, "")
				WRITE(4, 14.75, 0, 4, "") WRITE(5, 15.75, 0, 6, ""),
			false, 2);
	const char *third = strstr(strbuf_str(&w.text), "0x03"), *second = strstr(strbuf_str(&w.text), "0x02");

	check_counts(w.d, "4 1 1 0");
	CHECK(third && second && third < second);
	CHECK(!strstr(w.text.s, "0x01") && strstr(w.text.s, "0x05") && strstr(w.text.s, "0x06"));
}

TEST(what_a_file_lacks_is_said)
{
	static const char a[] = HEADER WRITE(1, 10, 0, 1, "") "{\"t\":11,\"mark\":\"lost\",\"count\":3}\n";
	static const char b[] = HEADER "{\"t\":11,\"mark\":\"cut\",\"count\":4096}\n";
	_cleanup_(boots_deinit) struct boots w = compare(a, b, false, 0), none = compare(HEADER, HEADER, false, 0);

	check_counts(w.d, "0 1 0 0");
	check_has(&w, "A: a; 3 records are lost\nB: b; the file was cut\n");
	check_counts(none.d, "0 0 0 0");
}

TESTS(T(the_longest_common_subsequence_is_found), T(long_sequences_that_have_little_in_common_are_aligned_in_time),
      T(a_boot_is_the_same_as_itself), T(what_is_only_in_one_is_marked_and_durations_span_it),
      T(vcpus_are_compared_one_by_one), T(vcpus_do_not_count_where_a_file_does_not_know_them),
      T(a_sequence_with_other_data_is_in_both), T(noise_counts_only_if_asked_for),
      T(the_largest_differences_come_first), T(what_a_file_lacks_is_said))
