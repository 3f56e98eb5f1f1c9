/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <string.h>

#include "util/bytes.h"
#include "util/macros.h"
#include "vmm/boot.h"
#include "vmm/dsdt.h"
#include "vmm/pm.h"

/*
 * The tables stand where PC firmware has them, ACPI_AREA: also found by scanning for the RSDP.
 * ACPI Specification, "System Description Table Architecture"; structures as they stand in memory.
 */
enum {
	RSDP_ALIGN = 16,
	FACS_ALIGN = 64,
	IOAPIC_BASE = 0xfec00000,
	LAPIC_BASE = 0xfee00000,
	SCI_IRQ = 9,
	PIT_IRQ = 0,
	PIT_GSI = 2,
};

/* "System Description Table Header": lengths and where its fields are. */
enum { HDR_LEN = 36, HDR_LENGTH = 4, HDR_REVISION = 8, HDR_SUM = 9, HDR_OEM = 10 };

struct area {
	uint8_t *base; /* host address of ACPI_AREA */
	uint32_t used;
};

static uint8_t sum8(const uint8_t *p, size_t n)
{
	uint8_t sum = 0;

	while (n-- > 0)
		sum += *p++;
	return sum;
}

/* Room for @n zeroed bytes. The area is far larger than all that is built here for TARGET_MAX_VCPUS. */
static uint8_t *area_take(struct area *a, size_t n, unsigned align)
{
	a->used = (a->used + align - 1) / align * align;
	uint8_t *p = a->base + a->used;
	a->used += n;
	memset(p, 0, n);
	return p;
}

static uint32_t area_gpa(const struct area *a, const uint8_t *p)
{
	return ACPI_AREA + (uint32_t)(p - a->base);
}

static uint8_t *table_begin(struct area *a, const char *sig, uint8_t revision, size_t n)
{
	uint8_t *t = area_take(a, n, 8);

	memcpy(t, sig, 4);
	st_le32(t + HDR_LENGTH, n);
	t[HDR_REVISION] = revision;
	memcpy(t + HDR_OEM, "GDBVM GDBVMTBL\1\0\0\0GDBV\1\0\0\0", 26);
	return t;
}

/* Fill the checksum in; returns where the guest finds the table. */
static uint32_t table_end(const struct area *a, uint8_t *t)
{
	t[HDR_SUM] = -sum8(t, ld_le32(t + HDR_LENGTH));
	return area_gpa(a, t);
}

/* "Multiple APIC Description Table": entries by type. */
enum {
	MADT_FIXED = HDR_LEN + 8,
	MADT_PCAT_COMPAT = 1,
	ENTRY_LAPIC = 0,
	ENTRY_IOAPIC = 1,
	ENTRY_OVERRIDE = 2,
	ENTRY_LAPIC_NMI = 4,
	LAPIC_LEN = 8,
	IOAPIC_LEN = 12,
	OVERRIDE_LEN = 10,
	LAPIC_NMI_LEN = 6,
	LAPIC_ENABLED = 1,
	BUS_DEFAULT = 0,
	HIGH_LEVEL = 0x0d,
	ALL_CPUS = 0xff,
};

static uint8_t *override_put(uint8_t *p, uint8_t irq, uint32_t gsi, uint16_t flags)
{
	p[0] = ENTRY_OVERRIDE;
	p[1] = OVERRIDE_LEN;
	p[3] = irq;
	st_le32(p + 4, gsi);
	st_le16(p + 8, flags);
	return p + OVERRIDE_LEN;
}

static uint32_t madt_build(struct area *a, unsigned cpus)
{
	uint8_t *t = table_begin(a, "APIC", 3,
				 MADT_FIXED + cpus * LAPIC_LEN + IOAPIC_LEN + 2 * OVERRIDE_LEN + LAPIC_NMI_LEN);
	uint8_t *p = t + MADT_FIXED;

	st_le32(t + HDR_LEN, LAPIC_BASE);
	st_le32(t + HDR_LEN + 4, MADT_PCAT_COMPAT);
	for (unsigned i = 0; i < cpus; i++, p += LAPIC_LEN) {
		p[0] = ENTRY_LAPIC;
		p[1] = LAPIC_LEN;
		p[2] = p[3] = i; // processor UID, APIC id
		st_le32(p + 4, LAPIC_ENABLED);
	}
	p[0] = ENTRY_IOAPIC;
	p[1] = IOAPIC_LEN;
	st_le32(p + 4, IOAPIC_BASE);
	p += IOAPIC_LEN;
	p = override_put(p, PIT_IRQ, PIT_GSI, 0);
	p = override_put(p, SCI_IRQ, SCI_IRQ, HIGH_LEVEL);
	p[0] = ENTRY_LAPIC_NMI;
	p[1] = LAPIC_NMI_LEN;
	p[2] = ALL_CPUS;
	p[5] = 1; // LINT1
	return table_end(a, t);
}

/* "Fixed ACPI Description Table": offsets of the fields that are not 0. */
enum {
	FADT_LEN = 244,
	FADT_FACS = 36,
	FADT_DSDT = 40,
	FADT_SCI_INT = 46,
	FADT_PM1A_EVT = 56,
	FADT_PM1A_CNT = 64,
	FADT_PM_TMR = 76,
	FADT_PM1_EVT_LEN = 88,
	FADT_PM1_CNT_LEN = 89,
	FADT_PM_TMR_LEN = 91,
	FADT_LVL2_LAT = 96,
	FADT_LVL3_LAT = 98,
	FADT_CENTURY = 108,
	FADT_BOOT_ARCH = 109,
	FADT_FLAGS = 112,
	FADT_RESET_REG = 116,
	FADT_RESET_VALUE = 128,
	FADT_X_DSDT = 140,
	FADT_X_PM1A_EVT = 148,
	FADT_X_PM1A_CNT = 172,
	FADT_X_PM_TMR = 208,
	BOOT_ARCH_LEGACY = 1 << 0,
	BOOT_ARCH_NO_VGA = 1 << 2,
	FLAG_WBINVD = 1 << 0,
	FLAG_PROC_C1 = 1 << 2,
	FLAG_NO_POWER_BUTTON = 1 << 4, // "a control method device", of which there is none either
	FLAG_NO_SLEEP_BUTTON = 1 << 5,
	FLAG_RTC_NO_WAKE = 1 << 6,
	FLAG_TMR_32BIT = 1 << 8,
	FLAG_RESET_REG = 1 << 10,
	NO_C2 = 101,
	NO_C3 = 1001,
	CMOS_CENTURY = 0x32,
	GAS_SYSTEM_IO = 1,
};

/* An I/O port as a Generic Address Structure. Access size by the ACPI code: 1 byte, 2 word, 3 dword. */
static void gas_put(uint8_t *p, uint16_t port, uint8_t bits, uint8_t access)
{
	p[0] = GAS_SYSTEM_IO;
	p[1] = bits;
	p[3] = access;
	st_le64(p + 4, port);
}

static uint32_t fadt_build(struct area *a, uint32_t facs, uint32_t dsdt)
{
	uint8_t *t = table_begin(a, "FACP", 4, FADT_LEN);

	st_le32(t + FADT_FACS, facs);
	st_le32(t + FADT_DSDT, dsdt);
	st_le64(t + FADT_X_DSDT, dsdt);
	st_le16(t + FADT_SCI_INT, SCI_IRQ);
	st_le32(t + FADT_PM1A_EVT, PM_EVT_PORT);
	st_le32(t + FADT_PM1A_CNT, PM_CNT_PORT);
	st_le32(t + FADT_PM_TMR, PM_TMR_PORT);
	t[FADT_PM1_EVT_LEN] = 4;
	t[FADT_PM1_CNT_LEN] = 2;
	t[FADT_PM_TMR_LEN] = 4;
	gas_put(t + FADT_X_PM1A_EVT, PM_EVT_PORT, 32, 2);
	gas_put(t + FADT_X_PM1A_CNT, PM_CNT_PORT, 16, 2);
	gas_put(t + FADT_X_PM_TMR, PM_TMR_PORT, 32, 3);
	st_le16(t + FADT_LVL2_LAT, NO_C2);
	st_le16(t + FADT_LVL3_LAT, NO_C3);
	t[FADT_CENTURY] = CMOS_CENTURY;
	st_le16(t + FADT_BOOT_ARCH, BOOT_ARCH_LEGACY | BOOT_ARCH_NO_VGA);
	st_le32(t + FADT_FLAGS, FLAG_WBINVD | FLAG_PROC_C1 | FLAG_NO_POWER_BUTTON | FLAG_NO_SLEEP_BUTTON |
					FLAG_RTC_NO_WAKE | FLAG_TMR_32BIT | FLAG_RESET_REG);
	gas_put(t + FADT_RESET_REG, PM_RESET_PORT, 8, 1);
	t[FADT_RESET_VALUE] = PM_RESET_VALUE;
	return table_end(a, t);
}

/* "Firmware ACPI Control Structure": no checksum, no standard header. */
static uint32_t facs_build(struct area *a)
{
	enum { FACS_LEN = 64, FACS_VERSION = 32 };
	uint8_t *t = area_take(a, FACS_LEN, FACS_ALIGN);

	memcpy(t, "FACS", 4);
	st_le32(t + HDR_LENGTH, FACS_LEN);
	t[FACS_VERSION] = 1;
	return area_gpa(a, t);
}

static uint32_t dsdt_build(struct area *a)
{
	uint8_t *t = area_take(a, sizeof(dsdt_aml_code), 8);

	memcpy(t, dsdt_aml_code, sizeof(dsdt_aml_code));
	return area_gpa(a, t);
}

static uint32_t xsdt_build(struct area *a, uint32_t fadt, uint32_t madt)
{
	uint8_t *t = table_begin(a, "XSDT", 1, HDR_LEN + 2 * 8);

	st_le64(t + HDR_LEN, fadt);
	st_le64(t + HDR_LEN + 8, madt);
	return table_end(a, t);
}

static uint32_t rsdt_build(struct area *a, uint32_t fadt, uint32_t madt)
{
	uint8_t *t = table_begin(a, "RSDT", 1, HDR_LEN + 2 * 4);

	st_le32(t + HDR_LEN, fadt);
	st_le32(t + HDR_LEN + 4, madt);
	return table_end(a, t);
}

/* "Root System Description Pointer": its first 20 bytes have a checksum of their own. */
static void rsdp_fill(uint8_t *p, uint32_t rsdt, uint32_t xsdt)
{
	enum {
		LEN_V1 = 20,
		LEN = 36,
		SUM = 8,
		OEM = 9,
		REVISION = 15,
		RSDT = 16,
		LENGTH = 20,
		XSDT = 24,
		SUM_ALL = 32
	};

	memcpy(p, "RSD PTR ", 8);
	memcpy(p + OEM, "GDBVM ", 6);
	p[REVISION] = 2;
	st_le32(p + RSDT, rsdt);
	st_le32(p + LENGTH, LEN);
	st_le64(p + XSDT, xsdt);
	p[SUM] = -sum8(p, LEN_V1);
	p[SUM_ALL] = -sum8(p, LEN);
}

uint32_t acpi_x86_fill(uint8_t *area, unsigned cpus)
{
	struct area a = { .base = area };
	uint8_t *rsdp = area_take(&a, 36, RSDP_ALIGN);
	const uint32_t facs = facs_build(&a);
	const uint32_t dsdt = dsdt_build(&a);
	const uint32_t fadt = fadt_build(&a, facs, dsdt);
	const uint32_t madt = madt_build(&a, cpus);
	const uint32_t rsdt = rsdt_build(&a, fadt, madt);
	const uint32_t xsdt = xsdt_build(&a, fadt, madt);
	rsdp_fill(rsdp, rsdt, xsdt);
	return a.used;
}

gpa acpi_x86_build(struct mem *mem, unsigned cpus)
{
	uint8_t *area = mem_ptr(mem, GPA(ACPI_AREA), ACPI_AREA_SIZE);

	if (!area)
		return GPA(0);
	acpi_x86_fill(area, cpus);
	return GPA(ACPI_AREA);
}
