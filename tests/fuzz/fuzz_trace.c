/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What gdbvm trace reads: the description of a tracepoint, a list of processors, and a ring of the kernel's. Reading a
 * ring ends, takes all of it, and time never goes back.
 *
 * Input: a byte that chooses, then the text; or where the ring begins (a byte) and what is in it.
 */
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "trace/format.h"
#include "trace/process.h"
#include "trace/ring.h"
#include "util/macros.h"

enum { SIZE = 256 };

static void require(bool what)
{
	if (!what)
		abort();
}

static void feed_text(const uint8_t *p, size_t n)
{
	_cleanup_(freep) char *text = strndup((const char *)p, n);
	_cleanup_(freep) unsigned *list = NULL;
	struct trace_field f = { 0, 1 };
	unsigned count = 0;
	uint64_t id;

	trace_format_id(text, &id);
	trace_format_field(text, "port", &f);
	require(trace_field_get(&f, p, n) == 0 || f.offset + f.size <= n);
	require(trace_list_parse(text, &list, &count) < 0 || count > 0);
	require(trace_name_vcpu(text) >= -1);
}

static void feed_ring(const uint8_t *p, size_t n)
{
	static struct {
		struct perf_event_mmap_page page;
		uint8_t data[SIZE];
	} map;
	struct trace_ring ring = { .page = &map.page, .size = SIZE };
	const uint64_t at = n ? p[0] : 0;
	struct trace_sample s;
	uint64_t last = 0;
	unsigned count = 0;

	n = n ? MIN(n - 1, SIZE) : 0;
	map.page.data_offset = (uint64_t)(map.data - (uint8_t *)&map);
	for (size_t i = 0; i < n; i++)
		map.data[(at + i) % SIZE] = p[1 + i];
	map.page.data_tail = at;
	map.page.data_head = at + n;
	for (; trace_ring_next(&ring, &s); count++) {
		require(s.ns >= last && (s.lost || s.n <= sizeof(s.raw)));
		last = s.ns;
	}
	require(count <= SIZE / sizeof(struct perf_event_header) && map.page.data_head - map.page.data_tail < 8);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	if (n == 0)
		return 0;
	if (p[0] % 2)
		feed_ring(p + 1, n - 1);
	else
		feed_text(p + 1, n - 1);
	return 0;
}
