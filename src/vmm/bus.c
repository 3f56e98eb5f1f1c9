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

/* The first and the last address at which accesses of @n bytes to @d, if it is at @base, start. False: there are none.
 */
static bool starts(const struct io_dev *d, uint64_t base, unsigned n, uint64_t *first, uint64_t *last)
{
	if (n < d->min_op || n > d->max_op || n > d->len)
		return false;
	*first = base;
	*last = d->at_base ? base : base + d->len - n;
	return true;
}

static bool clash(const struct io_dev *a, uint64_t base, const struct io_dev *other)
{
	uint64_t first, last, others_first, others_last;

	if (a->kind != other->kind || other->base == BUS_NOWHERE)
		return false;
	for (unsigned n = 1; n <= 8; n *= 2)
		if (starts(a, base, n, &first, &last) && starts(other, other->base, n, &others_first, &others_last) &&
		    first <= others_last && others_first <= last)
			return true;
	return false;
}

static const struct io_dev *find_clash_locked(const struct bus *b, const struct io_dev *d, uint64_t base,
					      const struct io_dev *self)
{
	for (unsigned i = 0; i < b->ndevs; i++)
		if (b->dev[i] != self && clash(d, base, b->dev[i]))
			return b->dev[i];
	return NULL;
}

static int place_check_locked(const struct bus *b, const struct io_dev *d, uint64_t base)
{
	const uint64_t end = d->kind == BUS_PIO ? 0x10000 : BUS_NOWHERE;

	if (base == BUS_NOWHERE)
		return 0;
	if (d->len == 0 || base > end || d->len > end - base)
		return -EINVAL;
	return find_clash_locked(b, d, base, d) ? -EEXIST : 0;
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

const struct io_dev *bus_clash(struct bus *b, const struct io_dev *d, const struct io_dev *self)
{
	pthread_mutex_lock(&b->lock);
	const struct io_dev *found = find_clash_locked(b, d, d->base, self);
	pthread_mutex_unlock(&b->lock);
	return found;
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
	       n <= d->len - (at - d->base) && n >= d->min_op && n <= d->max_op && (!d->at_base || at == d->base);
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
	struct io_dev *d = b->again && covers(b->again, kind, at, n) ? b->again : find_locked(b, kind, at, n);
	if (d)
		b->again = d;
	if (d && write && d->write)
		fate = d->write(d, vcpu, at - d->base, p, n);
	else if (d && !write && d->read)
		d->read(d, vcpu, at - d->base, p, n);
	pthread_mutex_unlock(&b->lock);
	return fate;
}

void bus_lock(struct bus *b)
{
	pthread_mutex_lock(&b->lock);
}

void bus_unlock(struct bus *b)
{
	pthread_mutex_unlock(&b->lock);
}
