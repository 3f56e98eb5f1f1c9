/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "test.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "util/macros.h"
#include "vmm/dev.h"
#include "vmm/pm.h"

/* Power management, and the other ports that end or restart a guest. */
struct rig {
	struct bus bus;
	struct guest_clock clock; /* reads ns */
	uint64_t ns;
	struct pm *pm;
	struct io_dev *i8042, *ports, *pvpanic;
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

static uint64_t now_ns(struct guest_clock *c)
{
	return container_of(c, struct rig, clock)->ns;
}

static void rig_init(struct rig *r)
{
	bus_init(&r->bus);
	r->clock.now_ns = now_ns;
	r->ns = 0;
	r->told = 0;
	r->fate = KVM_FATE_RUN;
	r->pc.now = pc_now;
	r->pc_rc = 0;
	CHECK_EQ(pm_create(&r->bus, &r->clock, &r->pm), 0);
	CHECK_EQ(i8042_create(&r->bus, &r->i8042), 0);
	CHECK_EQ(pvpanic_create(&r->bus, &r->pvpanic), 0);
	CHECK_EQ(debug_ports_create(&r->bus, &(struct debug_ports_cfg){ tell, r, &r->pc }, &r->ports), 0);
}

static void rig_deinit(struct rig *r)
{
	pm_destroy(r->pm);
	free(r->i8042);
	free(r->ports);
	free(r->pvpanic);
	bus_deinit(&r->bus);
}

static uint32_t in(struct rig *r, unsigned port, unsigned n)
{
	uint32_t v = 0;

	CHECK_EQ(bus_access(&r->bus, 0, BUS_PIO, port, false, &v, n), KVM_FATE_RUN);
	return v;
}

static enum kvm_fate out(struct rig *r, unsigned port, uint32_t v, unsigned n)
{
	return bus_access(&r->bus, 0, BUS_PIO, port, true, &v, n);
}

TEST(pm_s5_with_sleep_enable_is_power_off)
{
	struct rig r;

	rig_init(&r);
	CHECK_EQ(out(&r, PM_CNT_PORT, 5 << 10, 2), KVM_FATE_RUN);
	CHECK_EQ(in(&r, PM_CNT_PORT, 2), 5 << 10 | 1);
	CHECK_EQ(out(&r, PM_CNT_PORT, 5 << 10 | 1 << 13, 2), KVM_FATE_OFF);
	CHECK_EQ(in(&r, PM_CNT_PORT, 2) & 1 << 13, 0);
	rig_deinit(&r);
}

TEST(pm_other_sleep_types_do_nothing)
{
	struct rig r;

	rig_init(&r);
	CHECK_EQ(out(&r, PM_CNT_PORT, 1 << 10 | 1 << 13, 2), KVM_FATE_RUN);
	CHECK_EQ(out(&r, PM_CNT_PORT + 1, (5 << 10 | 1 << 13) >> 8, 1), KVM_FATE_OFF);
	rig_deinit(&r);
}

TEST(pm_acpi_mode_is_always_on)
{
	struct rig r;

	rig_init(&r);
	CHECK_EQ(out(&r, PM_CNT_PORT, 0, 2), KVM_FATE_RUN);
	CHECK_EQ(in(&r, PM_CNT_PORT, 2), 1);
	rig_deinit(&r);
}

TEST(pm_events_can_be_enabled_and_never_happen)
{
	struct rig r;

	rig_init(&r);
	CHECK_EQ(out(&r, PM_EVT_PORT + 2, 0x0120, 2), KVM_FATE_RUN);
	CHECK_EQ(in(&r, PM_EVT_PORT + 2, 2), 0x0120);
	CHECK_EQ(out(&r, PM_EVT_PORT, 0xffff, 2), KVM_FATE_RUN);
	CHECK_EQ(in(&r, PM_EVT_PORT, 2), 0);
	CHECK_EQ(in(&r, PM_EVT_PORT, 4), 0x01200000);
	rig_deinit(&r);
}

TEST(pm_timer_counts_at_3579545_hz)
{
	CHECK_EQ(pm_ticks(0), 0);
	CHECK_EQ(pm_ticks(1000000000), 3579545);
	CHECK_EQ(pm_ticks(500000000), 1789772);
	CHECK_EQ(pm_ticks(1200ull * 1000000000), (uint32_t)(1200ull * 3579545));
	CHECK_EQ(pm_ticks(100000ull * 1000000000 + 1), (uint32_t)(100000ull * 3579545));
}

TEST(pm_timer_follows_the_guests_clock)
{
	struct rig r;

	rig_init(&r);
	CHECK_EQ(in(&r, PM_TMR_PORT, 4), 0);
	CHECK_EQ(in(&r, PM_TMR_PORT, 4), 0); // a clock that stands still
	r.ns = 2000000000;
	CHECK_EQ(in(&r, PM_TMR_PORT, 4), 2 * 3579545);
	rig_deinit(&r);
}

TEST(reset_register_needs_its_cpu_bit)
{
	struct rig r;

	rig_init(&r);
	CHECK_EQ(out(&r, PM_RESET_PORT, 0x02, 1), KVM_FATE_RUN);
	CHECK_EQ(in(&r, PM_RESET_PORT, 1), 0x02);
	CHECK_EQ(out(&r, PM_RESET_PORT, PM_RESET_VALUE, 1), KVM_FATE_RESET);
	rig_deinit(&r);
}

TEST(i8042_reset_commands)
{
	struct rig r;

	rig_init(&r);
	CHECK_EQ(out(&r, 0x64, 0xfe, 1), KVM_FATE_RESET);
	CHECK_EQ(out(&r, 0x64, 0xd1, 1), KVM_FATE_RUN);
	CHECK_EQ(out(&r, 0x60, 0xdf, 1), KVM_FATE_RUN);
	CHECK_EQ(out(&r, 0x64, 0xd1, 1), KVM_FATE_RUN);
	CHECK_EQ(out(&r, 0x60, 0xde, 1), KVM_FATE_RESET);
	CHECK_EQ(out(&r, 0x60, 0xfe, 1), KVM_FATE_RUN); // a keyboard command
	rig_deinit(&r);
}

TEST(panic_device_tells_of_the_events_it_knows)
{
	struct rig r;

	rig_init(&r);
	CHECK_EQ(in(&r, PVPANIC_PORT, 1), 3);
	CHECK_EQ(out(&r, PVPANIC_PORT, 0, 1), KVM_FATE_RUN);
	CHECK_EQ(out(&r, PVPANIC_PORT, 1, 1), KVM_FATE_PANIC);
	CHECK_EQ(out(&r, PVPANIC_PORT, 2, 1), KVM_FATE_CRASH_LOADED);
	CHECK_EQ(out(&r, PVPANIC_PORT, 3, 1), KVM_FATE_PANIC);
	CHECK_EQ(out(&r, PVPANIC_PORT, 0x40, 1), KVM_FATE_RUN); // an event of the future
	CHECK_EQ(in(&r, PVPANIC_PORT + 1, 1), 0xff);
	rig_deinit(&r);
}

TEST(i8042_never_keeps_anyone_waiting)
{
	struct rig r;

	rig_init(&r);
	CHECK_EQ(in(&r, 0x64, 1) & 3, 0);
	CHECK_EQ(out(&r, 0x64, 0xaa, 1), KVM_FATE_RUN);
	CHECK_EQ(in(&r, 0x64, 1) & 3, 1);
	CHECK_EQ(in(&r, 0x60, 1), 0x55);
	CHECK_EQ(in(&r, 0x64, 1) & 3, 0);
	CHECK_EQ(out(&r, 0x64, 0x60, 1), KVM_FATE_RUN);
	CHECK_EQ(out(&r, 0x60, 0x47, 1), KVM_FATE_RUN);
	CHECK_EQ(out(&r, 0x64, 0x20, 1), KVM_FATE_RUN);
	CHECK_EQ(in(&r, 0x60, 1), 0x47);
	rig_deinit(&r);
}

TEST(port80_gives_its_last_value_back)
{
	struct rig r;

	rig_init(&r);
	CHECK_EQ(in(&r, 0x80, 1), 0);
	CHECK_EQ(out(&r, 0x80, 0x16, 1), KVM_FATE_RUN);
	CHECK_EQ(in(&r, 0x80, 1), 0x16);
	CHECK_EQ(out(&r, 0x80, 0xb0071234, 4), KVM_FATE_RUN);
	CHECK_EQ(in(&r, 0x80, 4), 0xb0071234);
	CHECK_EQ(in(&r, 0x80, 2), 0x1234);
	CHECK_EQ(out(&r, 0x81, 0x99, 1), KVM_FATE_RUN); // a DMA page register, not ours
	CHECK_EQ(in(&r, 0x80, 4), 0xb0071234);
	CHECK_EQ(in(&r, 0x81, 1), 0xff);
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
	out(&r, 0x81, 0x99, 1);
	CHECK_EQ(r.told, 3);
	rig_deinit(&r);
}

TEST(port80_write_has_no_pc_where_it_cannot_be_read)
{
	struct rig r;

	rig_init(&r);
	r.pc_rc = -EACCES;
	out(&r, 0x80, 0x16, 1);
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
	CHECK_EQ(out(&r, 0x80, 0x16, 1), KVM_FATE_CHECKPOINT);
	CHECK_EQ(out(&r, 0x81, 0x16, 1), KVM_FATE_RUN);
	CHECK_EQ(in(&r, 0x80, 1), 0x16);
	rig_deinit(&r);
}

TEST(debugcon_lines_are_told_without_line_ends)
{
	struct rig r;

	rig_init(&r);
	for (const char *p = "SecCore\r\n\nx\ty"; *p; p++)
		out(&r, 0x402, (uint32_t)*p, 1);
	CHECK_EQ(r.told, 1);
	CHECK_EQ(r.last.kind, CHECKPOINT_TEXT);
	CHECK_EQ(r.last.port, 0x402);
	CHECK_STR(r.text, "SecCore");
	out(&r, 0x402, '\n', 1);
	CHECK_STR(r.text, "x.y");
	rig_deinit(&r);
}

TEST(debugcon_is_there_and_takes_any_text)
{
	struct rig r;

	rig_init(&r);
	CHECK_EQ(in(&r, 0x402, 1), 0xe9);
	for (unsigned i = 0; i < 1000; i++)
		CHECK_EQ(out(&r, 0x402, i, 1), KVM_FATE_RUN);
	rig_deinit(&r);
}

TESTS(T(pm_s5_with_sleep_enable_is_power_off), T(pm_other_sleep_types_do_nothing), T(pm_acpi_mode_is_always_on),
      T(pm_events_can_be_enabled_and_never_happen), T(pm_timer_counts_at_3579545_hz),
      T(pm_timer_follows_the_guests_clock), T(reset_register_needs_its_cpu_bit), T(i8042_reset_commands),
      T(panic_device_tells_of_the_events_it_knows), T(i8042_never_keeps_anyone_waiting),
      T(port80_gives_its_last_value_back), T(debugcon_is_there_and_takes_any_text),
      T(port80_writes_are_told_with_their_size_and_place), T(port80_write_has_no_pc_where_it_cannot_be_read),
      T(port80_write_has_the_fate_that_who_is_told_gives_it), T(debugcon_lines_are_told_without_line_ends))
