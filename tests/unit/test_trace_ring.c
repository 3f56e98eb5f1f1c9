/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "trace/ring.h"

#include <stdlib.h>

#include "test.h"

enum { SIZE = 256, START = 4096 };

/* A ring as the kernel would have mapped it, and a writer into it. */
struct rig {
	struct trace_ring ring;
	uint64_t head;
};

static void rig_init(struct rig *r, uint64_t at)
{
	struct perf_event_mmap_page *page = calloc(1, START + SIZE);

	page->data_offset = START;
	page->data_size = SIZE;
	page->data_head = page->data_tail = at;
	*r = (struct rig){ .ring = { .page = page, .size = SIZE }, .head = at };
}

static void rig_deinit(struct rig *r)
{
	free(r->ring.page);
}

static void put(struct rig *r, const void *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		((uint8_t *)r->ring.page)[START + r->head++ % SIZE] = ((const uint8_t *)p)[i];
}

static void put_header(struct rig *r, uint32_t type, size_t payload)
{
	put(r,
	    &(struct perf_event_header){ .type = type, .size = (uint16_t)(sizeof(struct perf_event_header) + payload) },
	    sizeof(struct perf_event_header));
}

static void put_sample(struct rig *r, uint32_t tid, uint64_t ns, const char *raw)
{
	const uint32_t n = (uint32_t)strlen(raw), pid = 100;

	put_header(r, PERF_RECORD_SAMPLE, 20 + n);
	put(r, &pid, 4);
	put(r, &tid, 4);
	put(r, &ns, 8);
	put(r, &n, 4);
	put(r, raw, n);
	r->ring.page->data_head = r->head;
}

static void put_lost(struct rig *r, uint64_t count, uint64_t ns)
{
	const uint64_t words[] = { 17, count, 0, ns };

	put_header(r, PERF_RECORD_LOST, sizeof(words));
	put(r, words, sizeof(words));
	r->ring.page->data_head = r->head;
}

TEST(samples_come_as_they_were_written)
{
	struct trace_sample s;
	struct rig r;

	rig_init(&r, 0);
	CHECK(!trace_ring_next(&r.ring, &s));
	put_sample(&r, 101, 5000, "abcd");
	put_sample(&r, 102, 5001, "efghijkl");
	CHECK(trace_ring_next(&r.ring, &s));
	CHECK_EQ(s.pid, 100);
	CHECK_EQ(s.tid, 101);
	CHECK_EQ(s.ns, 5000);
	CHECK_EQ(s.n, 4);
	CHECK_MEM(s.raw, "abcd", 4);
	CHECK(trace_ring_next(&r.ring, &s));
	CHECK_EQ(s.tid, 102);
	CHECK_MEM(s.raw, "efghijkl", 8);
	CHECK(!trace_ring_next(&r.ring, &s));
	CHECK_EQ(r.ring.page->data_tail, r.head); // the kernel may use the room again
	rig_deinit(&r);
}

TEST(a_record_may_go_around_the_end_of_the_ring_anywhere)
{
	for (uint64_t at = SIZE - 40; at <= SIZE; at++) {
		struct trace_sample s;
		struct rig r;

		rig_init(&r, (UINT64_C(1) << 32) + at);
		put_sample(&r, 101, 5000, "abcdefgh");
		put_lost(&r, 3, 6000);
		CHECK(trace_ring_next(&r.ring, &s));
		CHECK_EQ(s.ns, 5000);
		CHECK_EQ(s.lost, 0);
		CHECK_MEM(s.raw, "abcdefgh", 8);
		CHECK(trace_ring_next(&r.ring, &s));
		CHECK_EQ(s.lost, 3);
		CHECK_EQ(s.ns, 6000);
		rig_deinit(&r);
	}
}

TEST(other_records_are_skipped)
{
	struct trace_sample s;
	struct rig r;

	rig_init(&r, 0);
	put_header(&r, PERF_RECORD_THROTTLE, 24);
	put(&r, (uint8_t[24]){ 0 }, 24);
	put_lost(&r, 0, 1);
	put_header(&r, PERF_RECORD_SAMPLE, 4); // too short to be one
	put(&r, "....", 4);
	put_sample(&r, 101, 2, "x");
	CHECK(trace_ring_next(&r.ring, &s));
	CHECK_MEM(s.raw, "x", 1);
	CHECK(!trace_ring_next(&r.ring, &s));
	rig_deinit(&r);
}

TEST(a_raw_size_beyond_its_record_is_cut)
{
	const uint32_t words[] = { 100, 101, 2, 0, 0xffffffff, 0x64636261 };
	struct trace_sample s;
	struct rig r;

	rig_init(&r, 0);
	put_header(&r, PERF_RECORD_SAMPLE, sizeof(words));
	put(&r, words, sizeof(words));
	r.ring.page->data_head = r.head;
	CHECK(trace_ring_next(&r.ring, &s));
	CHECK_EQ(s.n, 4);
	CHECK_MEM(s.raw, "abcd", 4);
	rig_deinit(&r);
}

TEST(a_length_that_makes_no_sense_ends_what_is_there)
{
	struct trace_sample s;
	struct rig r;

	rig_init(&r, 0);
	put(&r, &(struct perf_event_header){ .type = PERF_RECORD_SAMPLE, .size = 0 }, 8);
	put_sample(&r, 101, 2, "x");
	CHECK(!trace_ring_next(&r.ring, &s));
	CHECK_EQ(r.ring.page->data_tail, r.head);
	rig_deinit(&r);
}

TEST(time_does_not_go_back_in_a_ring)
{
	struct trace_sample s;
	struct rig r;

	rig_init(&r, 0);
	put_sample(&r, 101, 5000, "x");
	put_sample(&r, 101, 4999, "y");
	CHECK(trace_ring_next(&r.ring, &s));
	CHECK(trace_ring_next(&r.ring, &s));
	CHECK_EQ(s.ns, 5000);
	rig_deinit(&r);
}

TEST(a_ring_that_is_dropped_is_empty)
{
	struct trace_sample s;
	struct rig r;

	rig_init(&r, 0);
	CHECK(!trace_ring_drop(&r.ring));
	put_sample(&r, 101, 5000, "x");
	CHECK(trace_ring_drop(&r.ring));
	CHECK(!trace_ring_next(&r.ring, &s));
	rig_deinit(&r);
}

TESTS(T(samples_come_as_they_were_written), T(a_record_may_go_around_the_end_of_the_ring_anywhere),
      T(other_records_are_skipped), T(a_raw_size_beyond_its_record_is_cut),
      T(a_length_that_makes_no_sense_ends_what_is_there), T(time_does_not_go_back_in_a_ring),
      T(a_ring_that_is_dropped_is_empty))
