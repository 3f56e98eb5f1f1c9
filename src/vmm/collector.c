/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "vmm/collector.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "util/macros.h"

enum { PERIOD_MS = 10 };

struct collector {
	int vm_fd;
	struct bus *bus;
	struct collector_ring ring;
	size_t page;

	pthread_t thread;
	int end_fd; // readable: the thread is to end
};

/* Entries: what fits in the page behind the head. */
static uint32_t ring_len(void)
{
	return (uint32_t)((size_t)sysconf(_SC_PAGESIZE) - sizeof(struct kvm_coalesced_mmio_ring)) /
	       (uint32_t)sizeof(struct kvm_coalesced_mmio);
}

/* KVM writes `last` and the entries before it; `first` is ours. */
static uint32_t load_last(const struct collector_ring *ring)
{
	return __atomic_load_n(&ring->kvm->last, __ATOMIC_ACQUIRE);
}

/*
 * To KVM the ring is full if (first - last - 1) % entries is 0, in 32 bits without a sign. With `first` at 0 that
 * misses a ring that is full to its last entry, and KVM goes over what was not read. So `first` goes from the last
 * entry to 1, and both begin there.
 */
static void set_next(struct collector_ring *ring, uint32_t next)
{
	__atomic_store_n(&ring->next, next, __ATOMIC_RELEASE); // first, or `last` could come round to the former one
	if (next)
		__atomic_store_n(&ring->kvm->first, next, __ATOMIC_RELEASE);
}

void collector_ring_init(struct collector_ring *ring, struct kvm_coalesced_mmio_ring *kvm)
{
	kvm->first = kvm->last = 1;
	*ring = (struct collector_ring){ .kvm = kvm, .next = 1 };
}

void collector_take(struct collector_ring *ring, struct bus *bus)
{
	const uint32_t len = ring_len(), seen = load_last(ring);

	/* Another thread may be at it: the ring is empty only when the bus has all of it. `last` is read before `next`:
	 * while that goes on, `last` may come round to where it was. */
	if (__atomic_load_n(&ring->next, __ATOMIC_ACQUIRE) == seen)
		return;
	bus_lock(bus);
	/* Not those that come meanwhile: a busy guest would hold the bus for ever. */
	for (uint32_t i = ring->next, last = load_last(ring); i != last && i < len; i = ring->next) {
		struct kvm_coalesced_mmio *e = &ring->kvm->coalesced_mmio[i];

		bus_access(bus, 0, e->pio ? BUS_PIO : BUS_MMIO, e->phys_addr, true, e->data, e->len);
		set_next(ring, (i + 1) % len);
	}
	bus_unlock(bus);
}

void collector_drain(struct collector *c)
{
	collector_take(&c->ring, c->bus);
}

static void discard(struct collector *c)
{
	closep(&c->end_fd);
	if (c->ring.kvm)
		munmap(c->ring.kvm, c->page);
	free(c);
}

static void discardp(struct collector **c)
{
	if (*c)
		discard(*c);
}

static void *look(void *arg)
{
	struct collector *c = arg;
	struct pollfd end = { .fd = c->end_fd, .events = POLLIN };

	while (poll(&end, 1, PERIOD_MS) <= 0)
		collector_drain(c);
	return NULL;
}

static int map_ring(struct collector *c, int vcpu_fd, struct errtext *why)
{
	const int at = ioctl(c->vm_fd, KVM_CHECK_EXTENSION, KVM_CAP_COALESCED_MMIO);

	if (at <= 0 || ioctl(c->vm_fd, KVM_CHECK_EXTENSION, KVM_CAP_COALESCED_PIO) <= 0)
		return errtext_set(
			why, -ENODEV,
			"this KVM cannot coalesce port writes (Linux 4.20 can): expected checkpoint mode exact");
	void *ring = mmap(NULL, c->page, PROT_READ | PROT_WRITE, MAP_SHARED, vcpu_fd, (off_t)(at * c->page));
	if (ring == MAP_FAILED)
		return errtext_set(why, -errno, "cannot map KVM's ring of port writes: %s", strerror(errno));
	collector_ring_init(&c->ring, ring);
	return 0;
}

int collector_create(int vm_fd, int vcpu_fd, struct bus *bus, struct collector **ret, struct errtext *why)
{
	_cleanup_(discardp) struct collector *c = calloc(1, sizeof(*c));

	if (!c)
		return errtext_set(why, -ENOMEM, "no memory for KVM's ring of port writes");
	*c = (struct collector){ .vm_fd = vm_fd, .bus = bus, .page = (size_t)sysconf(_SC_PAGESIZE), .end_fd = -1 };
	int rc = map_ring(c, vcpu_fd, why);
	if (rc < 0)
		return rc;
	c->end_fd = eventfd(0, EFD_CLOEXEC);
	rc = c->end_fd < 0 ? -errno : -pthread_create(&c->thread, NULL, look, c);
	if (rc < 0)
		return errtext_set(why, rc, "no thread for KVM's ring of port writes: %s", strerror(-rc));
	pthread_setname_np(c->thread, "collector");
	*ret = take_ptr(c);
	return 0;
}

void collector_destroy(struct collector *c)
{
	if (!c)
		return;
	eventfd_write(c->end_fd, 1);
	pthread_join(c->thread, NULL);
	discard(c);
}

int collector_zone(struct collector *c, const struct kvm_coalesced_mmio_zone *zone, bool on)
{
	return ioctl(c->vm_fd, on ? KVM_REGISTER_COALESCED_MMIO : KVM_UNREGISTER_COALESCED_MMIO, zone) < 0 ? -errno : 0;
}
