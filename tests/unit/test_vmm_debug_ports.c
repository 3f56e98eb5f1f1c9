/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "pio.h"
#include "test.h"

#include <errno.h>
#include <stdio.h>

#include "util/macros.h"
#include "vmm/dev.h"

/* The debug ports beside a serial port. */
struct rig {
	struct bus bus;
	struct io_dev uart;
	struct debug_ports *ports;
	struct errtext why;
	struct vcpu_pc pc;
	int pc_rc;
	struct checkpoint_record last;
	char text[200];
	unsigned told;
	enum kvm_fate fate; /* of what is told */
};

static int pc_now(struct vcpu_pc *pc, unsigned vcpu, uint64_t *ret)
{
	const int rc = container_of(pc, struct rig, pc)->pc_rc;

	if (rc == 0)
		*ret = 0xfff0 + vcpu;
	return rc;
}

static enum kvm_fate tell(void *arg, const struct checkpoint_record *rec)
{
	struct rig *r = arg;

	r->last = *rec;
	snprintf(r->text, sizeof(r->text), "%s", rec->text ?: "");
	r->told++;
	return r->fate;
}

static int rig_init_at(struct rig *r, const uint16_t *port, unsigned n)
{
	*r = (struct rig){
		.uart = { .name = "uart", .kind = BUS_PIO, .base = 0x3f8, .len = 8, .min_op = 1, .max_op = 1 },
		.pc.now = pc_now,
		.fate = KVM_FATE_RUN,
	};
	bus_init(&r->bus);
	CHECK_EQ(bus_add(&r->bus, &r->uart), 0);
	const struct debug_ports_cfg cfg = { .add = tell, .arg = r, .pc = &r->pc };
	return debug_ports_create(&r->bus, &cfg, port, n, &r->ports, &r->why);
}

static void rig_init(struct rig *r)
{
	CHECK_EQ(rig_init_at(r, (uint16_t[]){ 0x80 }, 1), 0);
}

static void rig_deinit(struct rig *r)
{
	debug_ports_destroy(r->ports);
	bus_deinit(&r->bus);
}

TEST(port80_gives_its_last_value_back)
{
	struct rig r;

	rig_init(&r);
	CHECK_EQ(pio_in(&r.bus, 0x80, 1), 0);
	CHECK_EQ(pio_out(&r.bus, 0x80, 0x16, 1), KVM_FATE_RUN);
	CHECK_EQ(pio_in(&r.bus, 0x80, 1), 0x16);
	CHECK_EQ(pio_out(&r.bus, 0x80, 0xb0071234, 4), KVM_FATE_RUN);
	CHECK_EQ(pio_in(&r.bus, 0x80, 4), 0xb0071234);
	CHECK_EQ(pio_in(&r.bus, 0x80, 2), 0x1234);
	CHECK_EQ(pio_out(&r.bus, 0x81, 0x99, 1), KVM_FATE_RUN); // a DMA page register, not ours
	CHECK_EQ(pio_in(&r.bus, 0x80, 4), 0xb0071234);
	CHECK_EQ(pio_in(&r.bus, 0x81, 1), 0xff);
	rig_deinit(&r);
}

TEST(port80_writes_are_told_with_their_size_and_place)
{
	static const struct {
		uint32_t value;
		unsigned size;
	} writes[] = { { 0x16, 1 }, { 0xbeef, 2 }, { 0xb0071234, 4 } };
	struct rig r;

	rig_init(&r);
	for (unsigned i = 0; i < ARRAY_LEN(writes); i++) {
		bus_access(&r.bus, 2, BUS_PIO, 0x80, true, (uint32_t[]){ writes[i].value }, writes[i].size);
		CHECK_EQ(r.told, i + 1);
		CHECK_EQ(r.last.kind, CHECKPOINT_WRITE);
		CHECK_EQ(r.last.mode, CHECKPOINT_EXACT);
		CHECK_EQ(r.last.port, 0x80);
		CHECK_EQ(r.last.value, writes[i].value);
		CHECK_EQ(r.last.size, writes[i].size);
		CHECK_EQ(r.last.vcpu, 2);
		CHECK(r.last.has_pc && r.last.ns && !r.last.mmio);
		CHECK_EQ(r.last.pc, 0xfff2);
	}
	pio_out(&r.bus, 0x81, 0x99, 1);
	CHECK_EQ(r.told, 3);
	rig_deinit(&r);
}

TEST(port80_write_has_no_pc_where_it_cannot_be_read)
{
	struct rig r;

	rig_init(&r);
	r.pc_rc = -EACCES;
	pio_out(&r.bus, 0x80, 0x16, 1);
	CHECK_EQ(r.told, 1);
	CHECK(!r.last.has_pc);
	CHECK_EQ(r.last.pc, 0);
	rig_deinit(&r);
}

TEST(port80_write_has_the_fate_that_who_is_told_gives_it)
{
	struct rig r;

	rig_init(&r);
	r.fate = KVM_FATE_CHECKPOINT;
	CHECK_EQ(pio_out(&r.bus, 0x80, 0x16, 1), KVM_FATE_CHECKPOINT);
	CHECK_EQ(pio_out(&r.bus, 0x81, 0x16, 1), KVM_FATE_RUN);
	CHECK_EQ(pio_in(&r.bus, 0x80, 1), 0x16);
	rig_deinit(&r);
}

TEST(debugcon_lines_are_told_without_line_ends)
{
	struct rig r;

	rig_init(&r);
	for (const char *p = "SecCore\r\n\nx\ty"; *p; p++)
		pio_out(&r.bus, 0x402, (uint32_t)*p, 1);
	CHECK_EQ(r.told, 1);
	CHECK_EQ(r.last.kind, CHECKPOINT_TEXT);
	CHECK_EQ(r.last.port, 0x402);
	CHECK_STR(r.text, "SecCore");
	pio_out(&r.bus, 0x402, '\n', 1);
	CHECK_STR(r.text, "x.y");
	rig_deinit(&r);
}

TEST(debugcon_line_that_the_guest_does_not_end_is_told_at_its_end)
{
	struct rig r;

	rig_init(&r);
	for (const char *p = "SecCore\nPANIC"; *p; p++)
		pio_out(&r.bus, 0x402, (uint32_t)*p, 1);
	CHECK_EQ(r.told, 1);
	debug_ports_end_line(r.ports);
	CHECK_EQ(r.told, 2);
	CHECK_EQ(r.last.kind, CHECKPOINT_TEXT);
	CHECK_EQ(r.last.port, 0x402);
	CHECK_EQ(r.last.vcpu, -1);
	CHECK(r.last.ns && !r.last.has_pc);
	CHECK_STR(r.text, "PANIC");
	debug_ports_end_line(r.ports);
	CHECK_EQ(r.told, 2);
	rig_deinit(&r);
}

TEST(debugcon_is_there_and_takes_any_text)
{
	struct rig r;

	rig_init(&r);
	CHECK_EQ(pio_in(&r.bus, 0x402, 1), 0xe9);
	for (unsigned i = 0; i < 1000; i++)
		CHECK_EQ(pio_out(&r.bus, 0x402, i, 1), KVM_FATE_RUN);
	rig_deinit(&r);
}

TEST(each_port_has_a_value_of_its_own)
{
	struct rig r;

	CHECK_EQ(rig_init_at(&r, (uint16_t[]){ 0x80, 0x81, 0xe0, 0xffff }, 4), 0);
	pio_out(&r.bus, 0x80, 0x44332211, 4);
	CHECK_EQ(r.last.port, 0x80);
	pio_out(&r.bus, 0x81, 0x5566, 2); // another port, not the rest of the first
	CHECK_EQ(r.last.port, 0x81);
	pio_out(&r.bus, 0xe0, 0x77, 1);
	CHECK_EQ(r.last.port, 0xe0);
	pio_out(&r.bus, 0xffff, 0x88, 1);
	CHECK_EQ(r.last.port, 0xffff);
	CHECK_EQ(r.told, 4);
	CHECK_EQ(pio_in(&r.bus, 0x80, 4), 0x44332211);
	CHECK_EQ(pio_in(&r.bus, 0x81, 2), 0x5566);
	CHECK_EQ(pio_in(&r.bus, 0xe0, 1), 0x77);
	CHECK_EQ(pio_in(&r.bus, 0xffff, 1), 0x88);
	rig_deinit(&r);
}

TEST(port_of_another_device_is_refused_by_name)
{
	struct rig r;

	CHECK_EQ(rig_init_at(&r, (uint16_t[]){ 0x80, 0x3fa }, 2), -EADDRINUSE);
	CHECK_STR(r.why.text, "the debug port cannot be at 0x3fa: the uart is there");
	bus_deinit(&r.bus);
	CHECK_EQ(rig_init_at(&r, (uint16_t[]){ 0x402 }, 1), -EADDRINUSE);
	CHECK_STR(r.why.text, "the debug port cannot be at 0x402: the debug console is there");
	bus_deinit(&r.bus);
	CHECK_EQ(rig_init_at(&r, (uint16_t[]){ 0x3f7 }, 1), 0); // next to it
	CHECK_EQ(pio_out(&r.bus, 0x3f7, 0x16, 1), KVM_FATE_RUN);
	CHECK_EQ(pio_out(&r.bus, 0x3f8, 0x17, 1), KVM_FATE_RUN);
	CHECK_EQ(r.told, 1);
	rig_deinit(&r);
}

TEST(what_is_kept_is_nobody_elses)
{
	static const struct {
		unsigned port, len;
	} zones[] = { { 0x80, 4 }, { 0x3f6, 2 }, { 0x3f5, 1 }, { 0x402, 1 } };
	struct rig r;

	CHECK_EQ(rig_init_at(&r, (uint16_t[]){ 0x80, 0x3f6, 0x3f5 }, 3), 0);
	CHECK_EQ(debug_ports_count(r.ports), ARRAY_LEN(zones));
	for (unsigned i = 0; i < ARRAY_LEN(zones); i++) {
		struct kvm_coalesced_mmio_zone zone;

		debug_ports_zone(r.ports, i, &zone);
		CHECK_EQ(zone.addr, zones[i].port);
		CHECK_EQ(zone.size, zones[i].len);
		CHECK_EQ(zone.pio, 1);
	}
	rig_deinit(&r);
}

TEST(of_a_kept_write_neither_vcpu_nor_pc_are_known)
{
	struct rig r;

	rig_init(&r);
	debug_ports_coalesce(r.ports, true);
	pio_out(&r.bus, 0x80, 0x16, 1);
	CHECK_EQ(r.last.mode, CHECKPOINT_COALESCED);
	CHECK_EQ(r.last.vcpu, -1);
	CHECK(!r.last.has_pc && r.last.ns);
	CHECK_EQ(pio_in(&r.bus, 0x80, 1), 0x16);
	debug_ports_coalesce(r.ports, false);
	pio_out(&r.bus, 0x80, 0x32, 1);
	CHECK_EQ(r.last.mode, CHECKPOINT_EXACT);
	CHECK(r.last.has_pc && r.last.vcpu == 0);
	rig_deinit(&r);
}

TESTS(T(port80_gives_its_last_value_back), T(port80_writes_are_told_with_their_size_and_place),
      T(port80_write_has_no_pc_where_it_cannot_be_read), T(port80_write_has_the_fate_that_who_is_told_gives_it),
      T(debugcon_lines_are_told_without_line_ends), T(debugcon_line_that_the_guest_does_not_end_is_told_at_its_end),
      T(debugcon_is_there_and_takes_any_text), T(each_port_has_a_value_of_its_own),
      T(port_of_another_device_is_refused_by_name), T(what_is_kept_is_nobody_elses),
      T(of_a_kept_write_neither_vcpu_nor_pc_are_known))
