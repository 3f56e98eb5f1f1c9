/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "pio.h"
#include "test.h"

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
	struct io_dev *i8042, *pvpanic;
};

static uint64_t now_ns(struct guest_clock *c)
{
	return container_of(c, struct rig, clock)->ns;
}

static void rig_init(struct rig *r)
{
	bus_init(&r->bus);
	r->clock.now_ns = now_ns;
	r->ns = 0;
	CHECK_EQ(pm_create(&r->bus, &r->clock, &r->pm), 0);
	CHECK_EQ(i8042_create(&r->bus, &r->i8042), 0);
	CHECK_EQ(pvpanic_create(&r->bus, &r->pvpanic), 0);
}

static void rig_deinit(struct rig *r)
{
	pm_destroy(r->pm);
	free(r->i8042);
	free(r->pvpanic);
	bus_deinit(&r->bus);
}

TEST(pm_s5_with_sleep_enable_is_power_off)
{
	struct rig r;

	rig_init(&r);
	CHECK_EQ(pio_out(&r.bus, PM_CNT_PORT, 5 << 10, 2), KVM_FATE_RUN);
	CHECK_EQ(pio_in(&r.bus, PM_CNT_PORT, 2), 5 << 10 | 1);
	CHECK_EQ(pio_out(&r.bus, PM_CNT_PORT, 5 << 10 | 1 << 13, 2), KVM_FATE_OFF);
	CHECK_EQ(pio_in(&r.bus, PM_CNT_PORT, 2) & 1 << 13, 0);
	rig_deinit(&r);
}

TEST(pm_other_sleep_types_do_nothing)
{
	struct rig r;

	rig_init(&r);
	CHECK_EQ(pio_out(&r.bus, PM_CNT_PORT, 1 << 10 | 1 << 13, 2), KVM_FATE_RUN);
	CHECK_EQ(pio_out(&r.bus, PM_CNT_PORT + 1, (5 << 10 | 1 << 13) >> 8, 1), KVM_FATE_OFF);
	rig_deinit(&r);
}

TEST(pm_acpi_mode_is_always_on)
{
	struct rig r;

	rig_init(&r);
	CHECK_EQ(pio_out(&r.bus, PM_CNT_PORT, 0, 2), KVM_FATE_RUN);
	CHECK_EQ(pio_in(&r.bus, PM_CNT_PORT, 2), 1);
	rig_deinit(&r);
}

TEST(pm_events_can_be_enabled_and_never_happen)
{
	struct rig r;

	rig_init(&r);
	CHECK_EQ(pio_out(&r.bus, PM_EVT_PORT + 2, 0x0120, 2), KVM_FATE_RUN);
	CHECK_EQ(pio_in(&r.bus, PM_EVT_PORT + 2, 2), 0x0120);
	CHECK_EQ(pio_out(&r.bus, PM_EVT_PORT, 0xffff, 2), KVM_FATE_RUN);
	CHECK_EQ(pio_in(&r.bus, PM_EVT_PORT, 2), 0);
	CHECK_EQ(pio_in(&r.bus, PM_EVT_PORT, 4), 0x01200000);
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
	CHECK_EQ(pio_in(&r.bus, PM_TMR_PORT, 4), 0);
	CHECK_EQ(pio_in(&r.bus, PM_TMR_PORT, 4), 0); // a clock that stands still
	r.ns = 2000000000;
	CHECK_EQ(pio_in(&r.bus, PM_TMR_PORT, 4), 2 * 3579545);
	rig_deinit(&r);
}

TEST(reset_register_needs_its_cpu_bit)
{
	struct rig r;

	rig_init(&r);
	CHECK_EQ(pio_out(&r.bus, PM_RESET_PORT, 0x02, 1), KVM_FATE_RUN);
	CHECK_EQ(pio_in(&r.bus, PM_RESET_PORT, 1), 0x02);
	CHECK_EQ(pio_out(&r.bus, PM_RESET_PORT, PM_RESET_VALUE, 1), KVM_FATE_RESET);
	rig_deinit(&r);
}

TEST(i8042_reset_commands)
{
	struct rig r;

	rig_init(&r);
	CHECK_EQ(pio_out(&r.bus, 0x64, 0xfe, 1), KVM_FATE_RESET);
	CHECK_EQ(pio_out(&r.bus, 0x64, 0xd1, 1), KVM_FATE_RUN);
	CHECK_EQ(pio_out(&r.bus, 0x60, 0xdf, 1), KVM_FATE_RUN);
	CHECK_EQ(pio_out(&r.bus, 0x64, 0xd1, 1), KVM_FATE_RUN);
	CHECK_EQ(pio_out(&r.bus, 0x60, 0xde, 1), KVM_FATE_RESET);
	CHECK_EQ(pio_out(&r.bus, 0x60, 0xfe, 1), KVM_FATE_RUN); // a keyboard command
	rig_deinit(&r);
}

TEST(panic_device_tells_of_the_events_it_knows)
{
	struct rig r;

	rig_init(&r);
	CHECK_EQ(pio_in(&r.bus, PVPANIC_PORT, 1), 3);
	CHECK_EQ(pio_out(&r.bus, PVPANIC_PORT, 0, 1), KVM_FATE_RUN);
	CHECK_EQ(pio_out(&r.bus, PVPANIC_PORT, 1, 1), KVM_FATE_PANIC);
	CHECK_EQ(pio_out(&r.bus, PVPANIC_PORT, 2, 1), KVM_FATE_CRASH_LOADED);
	CHECK_EQ(pio_out(&r.bus, PVPANIC_PORT, 3, 1), KVM_FATE_PANIC);
	CHECK_EQ(pio_out(&r.bus, PVPANIC_PORT, 0x40, 1), KVM_FATE_RUN); // an event of the future
	CHECK_EQ(pio_in(&r.bus, PVPANIC_PORT + 1, 1), 0xff);
	rig_deinit(&r);
}

TEST(i8042_never_keeps_anyone_waiting)
{
	struct rig r;

	rig_init(&r);
	CHECK_EQ(pio_in(&r.bus, 0x64, 1) & 3, 0);
	CHECK_EQ(pio_out(&r.bus, 0x64, 0xaa, 1), KVM_FATE_RUN);
	CHECK_EQ(pio_in(&r.bus, 0x64, 1) & 3, 1);
	CHECK_EQ(pio_in(&r.bus, 0x60, 1), 0x55);
	CHECK_EQ(pio_in(&r.bus, 0x64, 1) & 3, 0);
	CHECK_EQ(pio_out(&r.bus, 0x64, 0x60, 1), KVM_FATE_RUN);
	CHECK_EQ(pio_out(&r.bus, 0x60, 0x47, 1), KVM_FATE_RUN);
	CHECK_EQ(pio_out(&r.bus, 0x64, 0x20, 1), KVM_FATE_RUN);
	CHECK_EQ(pio_in(&r.bus, 0x60, 1), 0x47);
	rig_deinit(&r);
}

TESTS(T(pm_s5_with_sleep_enable_is_power_off), T(pm_other_sleep_types_do_nothing), T(pm_acpi_mode_is_always_on),
      T(pm_events_can_be_enabled_and_never_happen), T(pm_timer_counts_at_3579545_hz),
      T(pm_timer_follows_the_guests_clock), T(reset_register_needs_its_cpu_bit), T(i8042_reset_commands),
      T(panic_device_tells_of_the_events_it_knows), T(i8042_never_keeps_anyone_waiting))
