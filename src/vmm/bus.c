/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "vmm/bus.h"

#include <errno.h>
#include <string.h>

#include "util/macros.h"

void bus_init(struct bus *b)
{
	pthread_mutexattr_t attr;

	memset(b, 0, sizeof(*b));
	pthread_mutexattr_init(&attr);
	pthread_mutexattr_settype(&attr, PTHREAD_MUTEX_RECURSIVE);
	pthread_mutex_init(&b->lock, &attr);
	pthread_mutexattr_destroy(&attr);
}

void bus_deinit(struct bus *b)
{
	pthread_mutex_destroy(&b->lock);
}

static bool clash(const struct io_dev *a, uint64_t base, const struct io_dev *other)
{
	return a->kind == other->kind && other->base != BUS_NOWHERE && base < other->base + other->len &&
	       other->base < base + a->len && a->min_op <= other->max_op && other->min_op <= a->max_op;
}

static int place_check_locked(const struct bus *b, const struct io_dev *d, uint64_t base)
{
	const uint64_t end = d->kind == BUS_PIO ? 0x10000 : BUS_NOWHERE;

	if (base == BUS_NOWHERE)
		return 0;
	if (d->len == 0 || base > end || d->len > end - base)
		return -EINVAL;
	for (unsigned i = 0; i < b->ndevs; i++)
		if (b->dev[i] != d && clash(d, base, b->dev[i]))
			return -EEXIST;
	return 0;
}

int bus_add(struct bus *b, struct io_dev *d)
{
	pthread_mutex_lock(&b->lock);
	int rc = place_check_locked(b, d, d->base);

	if (rc == 0 && b->ndevs == BUS_MAX_DEVS)
		rc = -ENOSPC;
	if (rc == 0)
		b->dev[b->ndevs++] = d;
	pthread_mutex_unlock(&b->lock);
	return rc;
}

int bus_add_all(struct bus *b, struct io_dev *d, unsigned n)
{
	int rc = 0;

	for (unsigned i = 0; i < n && rc == 0; i++)
		rc = bus_add(b, &d[i]);
	return rc;
}

int bus_move(struct bus *b, struct io_dev *d, uint64_t base)
{
	pthread_mutex_lock(&b->lock);
	const int rc = place_check_locked(b, d, base);

	if (rc == 0)
		d->base = base;
	pthread_mutex_unlock(&b->lock);
	return rc;
}

static bool covers(const struct io_dev *d, enum bus_kind kind, uint64_t at, unsigned n)
{
	return d->kind == kind && d->base != BUS_NOWHERE && at >= d->base && at - d->base < d->len &&
	       n <= d->len - (at - d->base) && n >= d->min_op && n <= d->max_op;
}

static struct io_dev *find_locked(const struct bus *b, enum bus_kind kind, uint64_t at, unsigned n)
{
	for (unsigned i = 0; i < b->ndevs; i++)
		if (covers(b->dev[i], kind, at, n))
			return b->dev[i];
	return NULL;
}

static bool is_width(unsigned n)
{
	return n == 1 || n == 2 || n == 4 || n == 8;
}

unsigned bus_width(struct bus *b, enum bus_kind kind, uint64_t at, size_t left)
{
	unsigned n = 8;

	pthread_mutex_lock(&b->lock);
	while (n > 0 && (n > left || at % n != 0 || !find_locked(b, kind, at, n)))
		n /= 2;
	pthread_mutex_unlock(&b->lock);
	return n;
}

enum kvm_fate bus_access(struct bus *b, unsigned vcpu, enum bus_kind kind, uint64_t at, bool write, void *p, unsigned n)
{
	enum kvm_fate fate = KVM_FATE_RUN;

	if (!write)
		memset(p, 0xff, n);
	if (!is_width(n)) // the pieces of an access that crosses a page
		return fate;

	pthread_mutex_lock(&b->lock);
	struct io_dev *d = find_locked(b, kind, at, n);
	if (d && write && d->write)
		fate = d->write(d, vcpu, at - d->base, p, n);
	else if (d && !write && d->read)
		d->read(d, vcpu, at - d->base, p, n);
	pthread_mutex_unlock(&b->lock);
	return fate;
}
