/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "test.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "util/macros.h"
#include "vmm/collector.h"

/* A ring as KVM fills it, and a device that counts. */
struct rig {
	struct bus bus;
	struct io_dev dev;
	struct collector_ring ring;
	uint32_t len;
	uint32_t next, wrong; /* what comes next; what did not come in order */
	uint32_t other;       /* writes to the second device */
	struct io_dev second;
	uint32_t kept, busy; /* with each write that comes the guest writes what fits, up to so many */
	int done;
};

/* As KVM does it, with its arithmetic. False: full. */
static bool keep(struct rig *r, uint64_t port, uint32_t value, unsigned n)
{
	struct kvm_coalesced_mmio_ring *ring = r->ring.kvm;
	const uint32_t last = ring->last;

	if ((__atomic_load_n(&ring->first, __ATOMIC_ACQUIRE) - last - 1) % r->len == 0)
		return false;
	ring->coalesced_mmio[last] = (struct kvm_coalesced_mmio){ .phys_addr = port, .len = n, .pio = 1 };
	memcpy(ring->coalesced_mmio[last].data, &value, n);
	__atomic_store_n(&ring->last, (last + 1) % r->len, __ATOMIC_RELEASE);
	return true;
}

static enum kvm_fate count(struct io_dev *d, unsigned vcpu, uint32_t off, const void *p, unsigned n)
{
	struct rig *r = container_of(d, struct rig, dev);
	uint32_t v = 0;

	memcpy(&v, p, n);
	r->wrong += v != (n == 4 ? r->next : r->next & 0xff);
	r->next++;
	while (r->kept < r->busy && keep(r, 0x80, r->kept, 4))
		r->kept++;
	return KVM_FATE_RUN;
}

static enum kvm_fate count_other(struct io_dev *d, unsigned vcpu, uint32_t off, const void *p, unsigned n)
{
	container_of(d, struct rig, second)->other++;
	return KVM_FATE_RUN;
}

static void rig_init(struct rig *r)
{
	const size_t page = (size_t)sysconf(_SC_PAGESIZE);

	*r = (struct rig){
		.dev = { .name = "a",
			 .kind = BUS_PIO,
			 .base = 0x80,
			 .len = 4,
			 .min_op = 1,
			 .max_op = 4,
			 .write = count },
		.second = { .name = "b",
			    .kind = BUS_PIO,
			    .base = 0xe0,
			    .len = 1,
			    .min_op = 1,
			    .max_op = 1,
			    .write = count_other },
		.len = (uint32_t)((page - sizeof(*r->ring.kvm)) / sizeof(struct kvm_coalesced_mmio)),
	};
	struct kvm_coalesced_mmio_ring *kvm = aligned_alloc(page, page);

	CHECK(kvm);
	memset(kvm, 0, page);
	collector_ring_init(&r->ring, kvm);
	bus_init(&r->bus);
	CHECK_EQ(bus_add(&r->bus, &r->dev), 0);
	CHECK_EQ(bus_add(&r->bus, &r->second), 0);
}

static void rig_deinit(struct rig *r)
{
	bus_deinit(&r->bus);
	free(r->ring.kvm);
}

TEST(what_was_kept_is_given_to_its_devices_in_order)
{
	struct rig r;

	rig_init(&r);
	collector_take(&r.ring, &r.bus);
	CHECK_EQ(r.next, 0);
	CHECK(keep(&r, 0x80, 0, 1) && keep(&r, 0x80, 1, 4) && keep(&r, 0xe0, 9, 1) && keep(&r, 0x80, 2, 1));
	CHECK(keep(&r, 0x90, 9, 1)); // nobody's
	collector_take(&r.ring, &r.bus);
	CHECK_EQ(r.next, 3);
	CHECK_EQ(r.wrong, 0);
	CHECK_EQ(r.other, 1);
	CHECK_EQ(r.ring.kvm->first, r.ring.kvm->last);
	rig_deinit(&r);
}

TEST(a_guest_that_fills_the_ring_before_the_first_look_loses_nothing)
{
	struct rig r;
	uint32_t n = 0;

	rig_init(&r);
	while (n < 2 * r.len && keep(&r, 0x80, n, 4))
		n++;
	CHECK(n < r.len);
	collector_take(&r.ring, &r.bus);
	CHECK_EQ(r.next, n);
	CHECK_EQ(r.wrong, 0);
	rig_deinit(&r);
}

TEST(a_full_ring_is_emptied_and_goes_round)
{
	struct rig r;
	uint32_t n = 0;

	rig_init(&r);
	for (unsigned i = 0; i < 6; i++) {
		const uint32_t before = n;

		while (keep(&r, 0x80, n, 4))
			n++;
		CHECK(n >= before + r.len / 2 && n < before + r.len);
		collector_take(&r.ring, &r.bus);
		CHECK_EQ(r.next, n);
	}
	CHECK_EQ(r.wrong, 0);
	rig_deinit(&r);
}

TEST(a_guest_that_writes_faster_than_it_is_read_loses_nothing)
{
	struct rig r;

	rig_init(&r);
	r.busy = 5000;
	CHECK(keep(&r, 0x80, r.kept++, 4));
	for (unsigned i = 0; i < r.busy && r.next < r.busy; i++)
		collector_take(&r.ring, &r.bus);
	CHECK_EQ(r.next, r.busy);
	CHECK_EQ(r.wrong, 0);
	rig_deinit(&r);
}

static void *look(void *arg)
{
	struct rig *r = arg;

	while (!__atomic_load_n(&r->done, __ATOMIC_ACQUIRE))
		collector_take(&r->ring, &r->bus);
	return NULL;
}

/* The writer is a vCPU: what does not fit exits, and then its thread empties the ring before it writes. */
TEST(order_is_kept_while_another_thread_looks)
{
	enum { WRITES = 200000 };
	pthread_t thread;
	struct rig r;

	rig_init(&r);
	CHECK_EQ(pthread_create(&thread, NULL, look, &r), 0);
	for (uint32_t n = 0; n < WRITES; n++) {
		if (keep(&r, 0x80, n, 4))
			continue;
		collector_take(&r.ring, &r.bus);
		bus_access(&r.bus, 0, BUS_PIO, 0x80, true, &n, 4);
	}
	__atomic_store_n(&r.done, 1, __ATOMIC_RELEASE);
	pthread_join(thread, NULL);
	collector_take(&r.ring, &r.bus);
	CHECK_EQ(r.next, WRITES);
	CHECK_EQ(r.wrong, 0);
	rig_deinit(&r);
}

/* ---- several vCPUs ---- */

enum { WRITERS = 4, WRITES_EACH = 400000 };

struct crowd {
	struct rig rig;
	pthread_mutex_t kvm; // its lock of the ring
	uint32_t next[WRITERS], wrong;
};

struct writer {
	struct crowd *crowd;
	uint32_t number;
	pthread_t thread;
};

static enum kvm_fate count_each(struct io_dev *d, unsigned vcpu, uint32_t off, const void *p, unsigned n)
{
	struct crowd *c = container_of(d, struct crowd, rig.dev);
	uint32_t v;

	memcpy(&v, p, n);
	c->wrong += (v & 0xffffff) != c->next[v >> 24]++;
	return KVM_FATE_RUN;
}

static bool keep_locked(struct crowd *c, uint32_t v)
{
	pthread_mutex_lock(&c->kvm);
	const bool kept = keep(&c->rig, 0x80, v, 4);
	pthread_mutex_unlock(&c->kvm);
	return kept;
}

static void *write_many(void *arg)
{
	struct writer *w = arg;
	struct crowd *c = w->crowd;

	for (uint32_t n = 0; n < WRITES_EACH; n++) {
		uint32_t v = w->number << 24 | n;

		if (keep_locked(c, v))
			continue;
		collector_take(&c->rig.ring, &c->rig.bus);
		bus_access(&c->rig.bus, w->number, BUS_PIO, 0x80, true, &v, 4);
	}
	return NULL;
}

/* It is always full: while one looks whether it is empty, others read on and fill it up to where it was. */
TEST(each_of_several_writers_keeps_its_order)
{
	struct crowd c = { .kvm = PTHREAD_MUTEX_INITIALIZER };
	struct writer writer[WRITERS];

	rig_init(&c.rig);
	c.rig.dev.write = count_each;
	for (unsigned i = 0; i < WRITERS; i++) {
		writer[i] = (struct writer){ .crowd = &c, .number = i };
		CHECK_EQ(pthread_create(&writer[i].thread, NULL, write_many, &writer[i]), 0);
	}
	for (unsigned i = 0; i < WRITERS; i++)
		pthread_join(writer[i].thread, NULL);
	collector_take(&c.rig.ring, &c.rig.bus);
	CHECK_EQ(c.wrong, 0);
	for (unsigned i = 0; i < WRITERS; i++)
		CHECK_EQ(c.next[i], WRITES_EACH);
	pthread_mutex_destroy(&c.kvm);
	rig_deinit(&c.rig);
}

TEST(kvm_that_keeps_no_port_writes_is_told)
{
	const int other = eventfd(0, EFD_CLOEXEC); // knows no capability, as an old KVM
	struct collector *c = NULL;
	struct errtext why;
	struct rig r;

	rig_init(&r);
	CHECK_EQ(collector_create(other, other, &r.bus, &c, &why), -ENODEV);
	CHECK_STR(why.text, "this KVM cannot coalesce port writes (Linux 4.20 can): expected checkpoint mode exact");
	CHECK(!c);
	collector_destroy(c);
	close(other);
	rig_deinit(&r);
}

TESTS(T(what_was_kept_is_given_to_its_devices_in_order),
      T(a_guest_that_fills_the_ring_before_the_first_look_loses_nothing), T(a_full_ring_is_emptied_and_goes_round),
      T(a_guest_that_writes_faster_than_it_is_read_loses_nothing), T(order_is_kept_while_another_thread_looks),
      T(each_of_several_writers_keeps_its_order), T(kvm_that_keeps_no_port_writes_is_told))
