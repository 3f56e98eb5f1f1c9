/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "vmm/protect.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/mman.h>

#define LOG_ROOM LOG_VMM
#include "util/log.h"

struct range {
	uint64_t start, end;
};

/* ---- which pages ---- */

static struct range pages_of(const struct mem *m, const struct target_pwatch *w)
{
	const uint64_t mask = m->page_size - 1;

	return (struct range){ w->at.raw & ~mask, ((w->at.raw + w->len - 1) | mask) + 1 };
}

/* Put @r into the ascending list, joined with what it touches. */
static unsigned range_add(struct range *list, unsigned n, struct range r)
{
	unsigned i = 0, end;

	while (i < n && list[i].end < r.start)
		i++;
	for (end = i; end < n && list[end].start <= r.end; end++) {
		r.start = MIN(r.start, list[end].start);
		r.end = MAX(r.end, list[end].end);
	}
	memmove(&list[i + 1], &list[end], (n - end) * sizeof(*list));
	list[i] = r;
	return n - (end - i) + 1;
}

static bool is_same(const struct protect *p, const struct range *list, unsigned n)
{
	if (p->n != n)
		return false;
	for (unsigned i = 0; i < n; i++)
		if (p->piece[i].slot.start.raw != list[i].start || p->piece[i].slot.size != list[i].end - list[i].start)
			return false;
	return true;
}

/* ---- the two mappings ---- */

/* Pages with the contents of [@host, @host + @size), private again: what they were before. */
static int unshare(void *host, size_t size)
{
	void *copy = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (copy == MAP_FAILED)
		return -errno;
	memcpy(copy, host, size);
	if (mremap(copy, size, size, MREMAP_MAYMOVE | MREMAP_FIXED, host) == MAP_FAILED) {
		int rc = -errno;

		munmap(copy, size);
		return rc;
	}
	return 0;
}

static int piece_take(struct protect *p, struct mem *m, struct range r)
{
	const size_t size = r.end - r.start;
	void *host = mem_ptr(m, GPA(r.start), size), *shared, *view;
	int rc;

	if (!host)
		return -EFAULT;
	shared = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (shared == MAP_FAILED)
		return -errno;
	memcpy(shared, host, size);
	// With an old size of 0 the same pages are mapped once more, so one of the two can take the place of the
	// guest's
	view = mremap(shared, 0, size, MREMAP_MAYMOVE);
	if (view == MAP_FAILED || mprotect(view, size, PROT_READ) < 0 ||
	    mremap(shared, size, size, MREMAP_MAYMOVE | MREMAP_FIXED, host) == MAP_FAILED) {
		rc = -errno;
		munmap(shared, size);
		if (view != MAP_FAILED)
			munmap(view, size);
		return rc;
	}
	p->piece[p->n].slot = (struct kvm_slot){ .start = GPA(r.start), .size = size, .hva = view };
	p->piece[p->n++].host = host;
	return 0;
}

void protect_deinit(struct protect *p)
{
	while (p->n) {
		const struct kvm_slot *s = &p->piece[--p->n].slot;
		int rc = unshare(p->piece[p->n].host, s->size);

		if (rc < 0) // the memory is right all the same
			log_warn("watched pages at %#" PRIx64 " stay shared with other processes: %s", s->start.raw,
				 strerror(-rc));
		munmap(s->hva, s->size);
	}
}

int protect_set(struct protect *p, struct mem *m, const struct target_pwatch *set, unsigned n)
{
	struct range list[PROTECT_MAX + 1];
	unsigned count = 0;
	int rc = 0;

	for (unsigned i = 0; i < n; i++) {
		struct range r = pages_of(m, &set[i]);

		if (r.end <= r.start || !mem_ptr(m, GPA(r.start), r.end - r.start))
			return -EFAULT;
		count = range_add(list, count, r);
		if (count > PROTECT_MAX)
			return -ENOSPC;
	}
	if (is_same(p, list, count))
		return 0;
	protect_deinit(p);
	for (unsigned i = 0; i < count && rc == 0; i++)
		rc = piece_take(p, m, list[i]);
	if (rc < 0)
		protect_deinit(p);
	return rc;
}

/* ---- for KVM ---- */

unsigned protect_slots(const struct protect *p, const struct mem *m, struct kvm_slot out[PROTECT_MAX_SLOTS])
{
	unsigned n = 0;

	for (unsigned i = 0; i < m->nslots; i++) {
		const struct kvm_slot *s = &m->slot[i];
		const uint64_t end = s->start.raw + s->size;
		uint64_t at = s->start.raw;

		for (unsigned k = 0; k < p->n; k++) {
			const struct kvm_slot *view = &p->piece[k].slot;

			if (view->start.raw < at || view->start.raw >= end)
				continue;
			if (view->start.raw > at)
				out[n++] = mem_slot_part(s, at, view->start.raw);
			out[n++] = *view;
			at = view->start.raw + view->size;
		}
		if (at < end)
			out[n++] = mem_slot_part(s, at, end);
	}
	return n;
}

void protect_lift(const struct protect *p, bool on)
{
	for (unsigned i = 0; i < p->n; i++)
		if (mprotect(p->piece[i].slot.hva, p->piece[i].slot.size, on ? PROT_READ | PROT_WRITE : PROT_READ) < 0)
			log_err("cannot %s a watched page: %s", on ? "lift" : "protect", strerror(errno));
}
