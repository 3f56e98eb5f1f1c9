/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "test.h"

#include <errno.h>

#include "util/bytes.h"
#include "util/macros.h"
#include "vmm/bus.h"

/* A device that remembers its last access. */
struct probe {
	struct io_dev dev;
	struct bus *bus; /* set: a write moves the device to move_to */
	uint64_t move_to;
	unsigned reads, writes, vcpu, n;
	uint32_t off;
	uint64_t value;
	enum kvm_fate fate;
};

static void probe_read(struct io_dev *d, unsigned vcpu, uint32_t off, void *p, unsigned n)
{
	struct probe *s = container_of(d, struct probe, dev);

	s->reads++;
	s->vcpu = vcpu;
	s->off = off;
	s->n = n;
	memset(p, 0x5a, n);
}

static enum kvm_fate probe_write(struct io_dev *d, unsigned vcpu, uint32_t off, const void *p, unsigned n)
{
	struct probe *s = container_of(d, struct probe, dev);

	s->writes++;
	s->off = off;
	s->n = n;
	memcpy(&s->value, p, n);
	if (s->bus)
		CHECK_EQ(bus_move(s->bus, d, s->move_to), 0);
	return s->fate;
}

static struct probe probe_at(enum bus_kind kind, uint64_t base, uint32_t len, uint8_t min_op, uint8_t max_op)
{
	return (struct probe){ .dev = { .name = "probe",
					.kind = kind,
					.base = base,
					.len = len,
					.min_op = min_op,
					.max_op = max_op,
					.read = probe_read,
					.write = probe_write } };
}

static uint64_t rd(struct bus *b, enum bus_kind kind, uint64_t at, unsigned n)
{
	uint64_t v = 0;

	CHECK_EQ(bus_access(b, 0, kind, at, false, &v, n), KVM_FATE_RUN);
	return v;
}

static enum kvm_fate wr(struct bus *b, enum bus_kind kind, uint64_t at, uint64_t v, unsigned n)
{
	return bus_access(b, 0, kind, at, true, &v, n);
}

TEST(access_reaches_the_device_with_its_offset)
{
	struct bus b;
	struct probe p = probe_at(BUS_PIO, 0x3f8, 8, 1, 1);
	uint8_t v;

	bus_init(&b);
	CHECK_EQ(bus_add(&b, &p.dev), 0);
	CHECK_EQ(bus_access(&b, 3, BUS_PIO, 0x3fd, false, &v, 1), KVM_FATE_RUN);
	CHECK_EQ(v, 0x5a);
	CHECK_EQ(p.off, 5);
	CHECK_EQ(p.vcpu, 3);
	CHECK_EQ(wr(&b, BUS_PIO, 0x3ff, 0x77, 1), KVM_FATE_RUN);
	CHECK_EQ(p.off, 7);
	CHECK_EQ(p.value, 0x77);
	bus_deinit(&b);
}

TEST(nobody_there_reads_ones)
{
	struct bus b;

	bus_init(&b);
	CHECK_EQ(rd(&b, BUS_PIO, 0x3f8, 1), 0xff);
	CHECK_EQ(rd(&b, BUS_MMIO, 0xd0000000, 4), 0xffffffff);
	CHECK_EQ(rd(&b, BUS_MMIO, 0xd0000000, 8), UINT64_MAX);
	CHECK_EQ(wr(&b, BUS_MMIO, 0xd0000000, 1, 4), KVM_FATE_RUN);
	bus_deinit(&b);
}

TEST(a_width_the_device_lacks_never_reaches_it)
{
	struct bus b;
	struct probe p = probe_at(BUS_PIO, 0xcf8, 4, 4, 4);

	bus_init(&b);
	CHECK_EQ(bus_add(&b, &p.dev), 0);
	CHECK_EQ(rd(&b, BUS_PIO, 0xcf8, 1), 0xff);
	CHECK_EQ(rd(&b, BUS_PIO, 0xcf8, 2), 0xffff);
	CHECK_EQ(rd(&b, BUS_PIO, 0xcf8, 8), UINT64_MAX);
	CHECK_EQ(rd(&b, BUS_PIO, 0xcf8, 3), 0xffffff);
	wr(&b, BUS_PIO, 0xcf8, 1, 2);
	CHECK_EQ(p.reads + p.writes, 0);
	CHECK_EQ(rd(&b, BUS_PIO, 0xcf8, 4), 0x5a5a5a5a);
	bus_deinit(&b);
}

TEST(an_access_across_the_end_of_a_device_never_reaches_it)
{
	struct bus b;
	struct probe p = probe_at(BUS_MMIO, 0xd0000000, 6, 1, 4);

	bus_init(&b);
	CHECK_EQ(bus_add(&b, &p.dev), 0);
	CHECK_EQ(rd(&b, BUS_MMIO, 0xd0000004, 4), 0xffffffff);
	CHECK_EQ(rd(&b, BUS_MMIO, 0xcfffffff, 2), 0xffff);
	CHECK_EQ(rd(&b, BUS_MMIO, 0xd0000004, 2), 0x5a5a);
	CHECK_EQ(p.reads, 1);
	bus_deinit(&b);
}

TEST(overlap_is_refused_and_kinds_are_apart)
{
	struct bus b;
	struct probe p = probe_at(BUS_PIO, 0x60, 8, 1, 1);
	struct probe same = probe_at(BUS_PIO, 0x67, 1, 1, 1);
	struct probe mmio = probe_at(BUS_MMIO, 0x60, 8, 1, 1);

	bus_init(&b);
	CHECK_EQ(bus_add(&b, &p.dev), 0);
	CHECK_EQ(bus_add(&b, &same.dev), -EEXIST);
	CHECK_EQ(bus_add(&b, &mmio.dev), 0);
	same.dev.base = 0x68;
	CHECK_EQ(bus_add(&b, &same.dev), 0);
	bus_deinit(&b);
}

TEST(devices_that_no_width_can_confuse_may_share_an_address)
{
	struct bus b;
	struct probe dword = probe_at(BUS_PIO, 0xcf8, 4, 4, 4);
	struct probe byte = probe_at(BUS_PIO, 0xcf9, 1, 1, 1);

	bus_init(&b);
	CHECK_EQ(bus_add(&b, &dword.dev), 0);
	CHECK_EQ(bus_add(&b, &byte.dev), 0);
	wr(&b, BUS_PIO, 0xcf8, 0x80000000, 4);
	wr(&b, BUS_PIO, 0xcf9, 6, 1);
	CHECK_EQ(dword.value, 0x80000000);
	CHECK_EQ(byte.value, 6);
	bus_deinit(&b);
}

TEST(a_device_at_its_base_leaves_what_is_behind_to_others)
{
	struct bus b;
	struct probe wide = probe_at(BUS_PIO, 0x80, 4, 1, 4);
	struct probe next = probe_at(BUS_PIO, 0x81, 4, 1, 4);
	struct probe over = probe_at(BUS_PIO, 0x7e, 4, 1, 1);

	wide.dev.at_base = next.dev.at_base = true;
	bus_init(&b);
	CHECK_EQ(bus_add(&b, &wide.dev), 0);
	CHECK_EQ(bus_add(&b, &next.dev), 0);
	CHECK(bus_clash(&b, &over.dev, NULL) == &wide.dev);
	CHECK_EQ(bus_add(&b, &over.dev), -EEXIST);
	over.dev.len = 2;
	CHECK(!bus_clash(&b, &over.dev, NULL));
	CHECK_EQ(bus_add(&b, &over.dev), 0);
	wr(&b, BUS_PIO, 0x80, 0x11223344, 4);
	wr(&b, BUS_PIO, 0x81, 0x55, 1);
	CHECK_EQ(wide.value, 0x11223344);
	CHECK_EQ(next.value, 0x55);
	CHECK_EQ(wide.writes + next.writes, 2);
	wr(&b, BUS_PIO, 0x82, 0x66, 1);
	CHECK_EQ(wide.writes + next.writes, 2);
	bus_deinit(&b);
}

TEST(a_device_outside_the_address_space_is_refused)
{
	struct bus b;
	struct probe past = probe_at(BUS_PIO, 0xfffc, 8, 1, 1);
	struct probe empty = probe_at(BUS_PIO, 0x100, 0, 1, 1);
	struct probe top = probe_at(BUS_MMIO, UINT64_MAX - 3, 8, 1, 1);

	bus_init(&b);
	CHECK_EQ(bus_add(&b, &past.dev), -EINVAL);
	CHECK_EQ(bus_add(&b, &empty.dev), -EINVAL);
	CHECK_EQ(bus_add(&b, &top.dev), -EINVAL);
	bus_deinit(&b);
}

TEST(a_full_bus_says_so)
{
	struct bus b;
	struct probe p[BUS_MAX_DEVS + 1];

	bus_init(&b);
	for (unsigned i = 0; i <= BUS_MAX_DEVS; i++) {
		p[i] = probe_at(BUS_PIO, 16 * i, 16, 1, 1);
		CHECK_EQ(bus_add(&b, &p[i].dev), i < BUS_MAX_DEVS ? 0 : -ENOSPC);
	}
	bus_deinit(&b);
}

TEST(a_moved_device_answers_at_its_new_place_only)
{
	struct bus b;
	struct probe p = probe_at(BUS_MMIO, 0xc0000000, 0x1000, 1, 4);
	struct probe other = probe_at(BUS_MMIO, 0xc0002000, 0x1000, 1, 4);

	bus_init(&b);
	CHECK_EQ(bus_add(&b, &p.dev), 0);
	CHECK_EQ(bus_add(&b, &other.dev), 0);
	CHECK_EQ(bus_move(&b, &p.dev, 0xc0002000), -EEXIST);
	CHECK_EQ(rd(&b, BUS_MMIO, 0xc0000000, 1), 0x5a);
	CHECK_EQ(bus_move(&b, &p.dev, 0xc0000800), 0); // overlaps only itself
	CHECK_EQ(rd(&b, BUS_MMIO, 0xc0000000, 1), 0xff);
	CHECK_EQ(rd(&b, BUS_MMIO, 0xc0001000, 1), 0x5a);
	CHECK_EQ(p.off, 0x800);
	bus_deinit(&b);
}

TEST(nowhere_has_room_for_all)
{
	struct bus b;
	struct probe p = probe_at(BUS_MMIO, BUS_NOWHERE, 0x1000, 1, 4);
	struct probe other = probe_at(BUS_MMIO, BUS_NOWHERE, 0x1000, 1, 4);

	bus_init(&b);
	CHECK_EQ(bus_add(&b, &p.dev), 0);
	CHECK_EQ(bus_add(&b, &other.dev), 0);
	CHECK_EQ(bus_move(&b, &p.dev, 0xc0000000), 0);
	CHECK_EQ(bus_move(&b, &p.dev, BUS_NOWHERE), 0);
	CHECK_EQ(rd(&b, BUS_MMIO, 0xc0000000, 1), 0xff);
	CHECK_EQ(rd(&b, BUS_MMIO, BUS_NOWHERE, 1), 0xff);
	CHECK_EQ(p.reads + other.reads, 0);
	bus_deinit(&b);
}

TEST(a_device_may_move_itself_from_its_own_write)
{
	struct bus b;
	struct probe p = probe_at(BUS_MMIO, 0xc0000000, 0x1000, 1, 4);

	bus_init(&b);
	p.bus = &b;
	p.move_to = 0xd0000000;
	CHECK_EQ(bus_add(&b, &p.dev), 0);
	wr(&b, BUS_MMIO, 0xc0000000, 1, 1);
	CHECK_EQ(rd(&b, BUS_MMIO, 0xd0000000, 1), 0x5a);
	bus_deinit(&b);
}

TEST(the_fate_of_a_write_comes_back)
{
	struct bus b;
	struct probe p = probe_at(BUS_PIO, 0x64, 1, 1, 1);

	bus_init(&b);
	p.fate = KVM_FATE_RESET;
	CHECK_EQ(bus_add(&b, &p.dev), 0);
	CHECK_EQ(wr(&b, BUS_PIO, 0x64, 0xfe, 1), KVM_FATE_RESET);
	bus_deinit(&b);
}

TEST(missing_handlers_read_ones_and_drop_writes)
{
	struct bus b;
	struct probe p = probe_at(BUS_PIO, 0x64, 1, 1, 1);

	bus_init(&b);
	p.dev.read = NULL;
	p.dev.write = NULL;
	CHECK_EQ(bus_add(&b, &p.dev), 0);
	CHECK_EQ(rd(&b, BUS_PIO, 0x64, 1), 0xff);
	CHECK_EQ(wr(&b, BUS_PIO, 0x64, 1, 1), KVM_FATE_RUN);
	bus_deinit(&b);
}

TEST(width_is_the_widest_aligned_access_that_fits)
{
	struct bus b;
	struct probe p = probe_at(BUS_MMIO, 0xc0000000, 0x10, 1, 4);

	bus_init(&b);
	CHECK_EQ(bus_add(&b, &p.dev), 0);
	CHECK_EQ(bus_width(&b, BUS_MMIO, 0xc0000000, 100), 4);
	CHECK_EQ(bus_width(&b, BUS_MMIO, 0xc0000000, 3), 2);
	CHECK_EQ(bus_width(&b, BUS_MMIO, 0xc0000001, 100), 1);
	CHECK_EQ(bus_width(&b, BUS_MMIO, 0xc0000002, 100), 2);
	CHECK_EQ(bus_width(&b, BUS_MMIO, 0xc0000010, 100), 0);
	CHECK_EQ(bus_width(&b, BUS_MMIO, 0xc0000000, 0), 0);
	p.dev.min_op = 4;
	CHECK_EQ(bus_width(&b, BUS_MMIO, 0xc0000002, 100), 0);
	bus_deinit(&b);
}

TESTS(T(access_reaches_the_device_with_its_offset), T(nobody_there_reads_ones),
      T(a_width_the_device_lacks_never_reaches_it), T(an_access_across_the_end_of_a_device_never_reaches_it),
      T(overlap_is_refused_and_kinds_are_apart), T(a_device_at_its_base_leaves_what_is_behind_to_others),
      T(devices_that_no_width_can_confuse_may_share_an_address), T(a_device_outside_the_address_space_is_refused),
      T(a_full_bus_says_so), T(a_moved_device_answers_at_its_new_place_only), T(nowhere_has_room_for_all),
      T(a_device_may_move_itself_from_its_own_write), T(the_fate_of_a_write_comes_back),
      T(missing_handlers_read_ones_and_drop_writes), T(width_is_the_widest_aligned_access_that_fits))
