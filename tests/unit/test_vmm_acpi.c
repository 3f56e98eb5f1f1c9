/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "test.h"

#include "util/bytes.h"
#include "vmm/boot.h"
#include "vmm/dev.h"
#include "vmm/pm.h"

#define MIB (1ull << 20)

struct rig {
	struct mem mem;
	gpa rsdp;
	const uint8_t *p; /* the RSDP */
};

static void rig_init(struct rig *r, unsigned cpus)
{
	CHECK_EQ(mem_init(&r->mem, &mem_layout_x86, MIB, NULL), 0);
	r->rsdp = acpi_x86_build(&r->mem, cpus);
	r->p = mem_ptr(&r->mem, r->rsdp, 36);
	CHECK(r->p != NULL);
}

static uint8_t sum(const uint8_t *p, size_t n)
{
	uint8_t s = 0;

	while (n-- > 0)
		s += *p++;
	return s;
}

/* A table in the firmware area, its signature, length and checksum right. */
static const uint8_t *table_at(struct rig *r, uint64_t at, const char *sig)
{
	const uint8_t *t = mem_ptr(&r->mem, GPA(at), 36);

	CHECK(at >= 0xe0000 && t != NULL);
	CHECK_MEM(t, sig, 4);
	CHECK(mem_ptr(&r->mem, GPA(at), ld_le32(t + 4)) != NULL);
	CHECK_EQ(sum(t, ld_le32(t + 4)), 0);
	return t;
}

static const uint8_t *table(struct rig *r, const char *sig)
{
	const uint8_t *xsdt = table_at(r, ld_le64(r->p + 24), "XSDT");

	for (unsigned i = 36; i < ld_le32(xsdt + 4); i += 8)
		if (!memcmp(mem_ptr(&r->mem, GPA(ld_le64(xsdt + i)), 4), sig, 4))
			return table_at(r, ld_le64(xsdt + i), sig);
	fail_msg("no table %s", sig);
	return NULL;
}

TEST(acpi_rsdp_is_found_by_scanning)
{
	struct rig r;
	const uint8_t *area;
	unsigned at = 0xe0000;

	rig_init(&r, 1);
	area = mem_ptr(&r.mem, GPA(0xe0000), 0x20000);
	while (at < 0x100000 && memcmp(area + at - 0xe0000, "RSD PTR ", 8) != 0)
		at += 16;
	CHECK_EQ(at, r.rsdp.raw);
	CHECK_EQ(sum(r.p, 20), 0);
	CHECK_EQ(sum(r.p, 36), 0);
	CHECK_EQ(r.p[15], 2);
	mem_deinit(&r.mem);
}

TEST(acpi_rsdt_and_xsdt_agree)
{
	struct rig r;

	rig_init(&r, 2);
	const uint8_t *rsdt = table_at(&r, ld_le32(r.p + 16), "RSDT");
	const uint8_t *xsdt = table_at(&r, ld_le64(r.p + 24), "XSDT");
	CHECK_EQ((ld_le32(rsdt + 4) - 36) / 4, (ld_le32(xsdt + 4) - 36) / 8);
	for (unsigned i = 0; i < (ld_le32(rsdt + 4) - 36) / 4; i++)
		CHECK_EQ(ld_le32(rsdt + 36 + 4 * i), ld_le64(xsdt + 36 + 8 * i));
	mem_deinit(&r.mem);
}

TEST(acpi_madt_has_one_lapic_per_cpu_and_the_timer_override)
{
	for (unsigned cpus = 1; cpus <= 16; cpus++) {
		struct rig r;
		unsigned lapics = 0, ioapics = 0, timer_gsi = 0;

		rig_init(&r, cpus);
		const uint8_t *t = table(&r, "APIC");
		const unsigned len = ld_le32(t + 4);
		unsigned i = 44;
		for (; i < len; i += t[i + 1]) {
			CHECK(t[i + 1] >= 6);
			if (t[i] == 0)
				CHECK_EQ(t[i + 3], lapics++);
			ioapics += t[i] == 1;
			if (t[i] == 2 && t[i + 3] == 0)
				timer_gsi = ld_le32(t + i + 4);
		}
		CHECK_EQ(i, len);
		CHECK_EQ(lapics, cpus);
		CHECK_EQ(ioapics, 1);
		CHECK_EQ(timer_gsi, 2);
		mem_deinit(&r.mem);
	}
}

TEST(acpi_fadt_points_at_the_power_management_ports)
{
	struct rig r;

	rig_init(&r, 1);
	const uint8_t *t = table(&r, "FACP");
	CHECK_EQ(ld_le32(t + 4), 244);
	CHECK_EQ(ld_le32(t + 56), PM_EVT_PORT);
	CHECK_EQ(ld_le32(t + 64), PM_CNT_PORT);
	CHECK_EQ(ld_le32(t + 76), PM_TMR_PORT);
	CHECK_EQ(ld_le64(t + 152), PM_EVT_PORT);
	CHECK_EQ(ld_le64(t + 176), PM_CNT_PORT);
	CHECK_EQ(ld_le64(t + 212), PM_TMR_PORT);
	CHECK_EQ(ld_le64(t + 120), PM_RESET_PORT);
	CHECK_EQ(t[128], PM_RESET_VALUE);
	CHECK_EQ(ld_le32(t + 36) % 64, 0);
	CHECK_MEM(mem_ptr(&r.mem, GPA(ld_le32(t + 36)), 64), "FACS", 4);
	mem_deinit(&r.mem);
}

TEST(acpi_dsdt_is_whole_and_has_the_sleep_type_of_pm)
{
	static const uint8_t s5[] = { 0x08, '_', 'S', '5', '_', 0x12 };
	struct rig r;

	rig_init(&r, 1);
	const uint8_t *fadt = table(&r, "FACP");
	const uint8_t *t = table_at(&r, ld_le64(fadt + 140), "DSDT");
	CHECK_EQ(ld_le32(fadt + 40), ld_le64(fadt + 140));
	const uint8_t *p = memmem(t, ld_le32(t + 4), s5, sizeof(s5));
	CHECK(p != NULL);
	CHECK_EQ(p[sizeof(s5) + 2], 0x0a); // package length, count, then a byte constant
	CHECK_EQ(p[sizeof(s5) + 3], PM_SLP_TYP_S5);
	mem_deinit(&r.mem);
}

TEST(acpi_dsdt_names_the_panic_device_by_its_drivers_name)
{
	static const uint8_t io[] = { 0x47, 0x01, PVPANIC_PORT & 0xff, PVPANIC_PORT >> 8 }; // I/O port descriptor
	struct rig r;

	rig_init(&r, 1);
	const uint8_t *t = table_at(&r, ld_le64(table(&r, "FACP") + 140), "DSDT");
	const uint8_t *p = memmem(t, ld_le32(t + 4), "QEMU0001", sizeof("QEMU0001"));
	CHECK(p != NULL);
	CHECK(memmem(p, 64, io, sizeof(io)) != NULL);
	mem_deinit(&r.mem);
}

TEST(acpi_leaves_memory_outside_its_area_alone)
{
	struct rig r;

	rig_init(&r, 16);
	const uint8_t *low = mem_ptr(&r.mem, GPA(0), 0xe0000);
	for (unsigned i = 0; i < 0xe0000; i++)
		CHECK_EQ(low[i], 0);
	mem_deinit(&r.mem);
}

TESTS(T(acpi_rsdp_is_found_by_scanning), T(acpi_rsdt_and_xsdt_agree),
      T(acpi_madt_has_one_lapic_per_cpu_and_the_timer_override), T(acpi_fadt_points_at_the_power_management_ports),
      T(acpi_dsdt_is_whole_and_has_the_sleep_type_of_pm), T(acpi_dsdt_names_the_panic_device_by_its_drivers_name),
      T(acpi_leaves_memory_outside_its_area_alone))
