/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "trace/ring.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "util/macros.h"

int trace_ring_map(struct trace_ring *r, int fd, size_t size)
{
	const size_t page = (size_t)sysconf(_SC_PAGESIZE);
	void *p = mmap(NULL, page + size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	if (p == MAP_FAILED)
		return -errno;
	*r = (struct trace_ring){ .page = p, .size = size };
	return 0;
}

void trace_ring_unmap(struct trace_ring *r)
{
	if (r->page)
		munmap(r->page, (size_t)sysconf(_SC_PAGESIZE) + r->size);
	*r = (struct trace_ring){ 0 };
}

static void copy_out(const struct trace_ring *r, uint64_t at, void *to, size_t n)
{
	const uint8_t *data = (const uint8_t *)r->page + r->page->data_offset;
	const size_t from = at & (r->size - 1), first = MIN(n, r->size - from);

	memcpy(to, data + from, first);
	memcpy((uint8_t *)to + first, data, n - first);
}

/* What a record has behind its header, as TRACE_RING_SAMPLES makes it. */
struct sample_id {
	uint32_t pid, tid;
	uint64_t ns;
};
struct lost {
	uint64_t id, count;
	struct sample_id at;
};

/* The record at @at, of @n bytes with its header, if it is of use. */
static bool decode(const struct trace_ring *r, uint64_t at, const struct perf_event_header *h, struct trace_sample *s)
{
	struct {
		struct sample_id at;
		uint32_t raw_size;
	} __attribute__((packed)) sample;
	const size_t n = h->size - sizeof(*h);
	struct lost lost;

	at += sizeof(*h);
	if (h->type == PERF_RECORD_LOST && n >= sizeof(lost)) {
		copy_out(r, at, &lost, sizeof(lost));
		*s = (struct trace_sample){ .ns = lost.at.ns, .lost = lost.count };
		return lost.count > 0;
	}
	if (h->type != PERF_RECORD_SAMPLE || n < sizeof(sample))
		return false;
	copy_out(r, at, &sample, sizeof(sample));
	s->ns = sample.at.ns;
	s->lost = 0;
	s->pid = (int)sample.at.pid;
	s->tid = (int)sample.at.tid;
	s->n = MIN(MIN(sample.raw_size, n - sizeof(sample)), sizeof(s->raw));
	copy_out(r, at + sizeof(sample), s->raw, s->n);
	return true;
}

bool trace_ring_next(struct trace_ring *r, struct trace_sample *ret)
{
	const uint64_t head = __atomic_load_n(&r->page->data_head, __ATOMIC_ACQUIRE);
	uint64_t tail = r->page->data_tail;
	bool found = false;

	while (!found && head - tail >= sizeof(struct perf_event_header)) {
		struct perf_event_header h;

		copy_out(r, tail, &h, sizeof(h));
		if (h.size < sizeof(h) || h.size > head - tail) {
			tail = head; // the kernel does not write such
			break;
		}
		found = decode(r, tail, &h, ret);
		tail += h.size;
	}
	__atomic_store_n(&r->page->data_tail, tail, __ATOMIC_RELEASE);
	if (found) // the clock of tracing may go back by some ns
		r->last_ns = ret->ns = MAX(ret->ns, r->last_ns);
	return found;
}

bool trace_ring_drop(struct trace_ring *r)
{
	const uint64_t head = __atomic_load_n(&r->page->data_head, __ATOMIC_ACQUIRE);
	const bool any = head != r->page->data_tail;

	__atomic_store_n(&r->page->data_tail, head, __ATOMIC_RELEASE);
	return any;
}
