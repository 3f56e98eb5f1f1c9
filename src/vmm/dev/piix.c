/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <linux/pci_regs.h>
#include <stdlib.h>

#include "util/bytes.h"
#include "util/macros.h"
#include "vmm/dev.h"

/*
 * The south bridge that belongs to the 440FX, as far as firmware uses it: the ISA bridge of a PIIX3 and the power
 * management of a PIIX4, which firmware puts where it wants to have it. IDE and USB are not there.
 * Source: Intel 82371AB (PIIX4) data sheet, "Power Management PCI Configuration Registers".
 */
enum {
	INTEL = 0x8086,
	ISA_DEVFN = 1 << 3,
	ISA_ID = 0x7000,
	ISA_PIRQ = 0x60, // to which interrupts PCI's lines go; here they have lines of their own
	ISA_PIRQ_COUNT = 4,
	PIRQ_OFF = 0x80,
	MULTI_FUNCTION = 0x80,
	PM_DEVFN = 1 << 3 | 3,
	PM_ID = 0x7113,
	PMBA = 0x40,
	PMBA_IS_IO = 1 << 0,
	PMBA_MASK = 0xffc0,
	DEVACTB = 0x58,
	PMREGMISC = 0x80,
	PMREGMISC_ON = 1 << 0,
};
#define DEVACTB_APMC_ON (1u << 25) // the APM control port raises SMIs

struct piix {
	struct pci_func isa, power;
	struct pm *pm;
};

static void power_written(struct pci_func *f, unsigned off, unsigned n)
{
	struct piix *s = container_of(f, struct piix, power);
	const bool on = f->config[PMREGMISC] & PMREGMISC_ON;

	pm_map(s->pm, on ? ld_le16(f->config + PMBA) & PMBA_MASK : BUS_NOWHERE);
}

static void isa_init(struct pci_func *f)
{
	f->devfn = ISA_DEVFN;
	st_le16(f->config + PCI_VENDOR_ID, INTEL);
	st_le16(f->config + PCI_DEVICE_ID, ISA_ID);
	st_le16(f->config + PCI_COMMAND, PCI_COMMAND_IO | PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
	st_le16(f->config + PCI_CLASS_DEVICE, 0x0601);
	f->config[PCI_HEADER_TYPE] = MULTI_FUNCTION;
	memset(f->config + ISA_PIRQ, PIRQ_OFF, ISA_PIRQ_COUNT);
	memset(f->config_mask + ISA_PIRQ, 0xff, ISA_PIRQ_COUNT);
}

static void power_init(struct pci_func *f)
{
	f->devfn = PM_DEVFN;
	st_le16(f->config + PCI_VENDOR_ID, INTEL);
	st_le16(f->config + PCI_DEVICE_ID, PM_ID);
	st_le16(f->config + PCI_CLASS_DEVICE, 0x0680);
	f->config[PMBA] = PMBA_IS_IO;
	st_le16(f->config_mask + PMBA, PMBA_MASK);
	f->config_mask[PMREGMISC] = PMREGMISC_ON;
	// SeaBIOS then takes system management mode for set up, and does not wait for an SMI, of which there are none.
	st_le32(f->config + DEVACTB, DEVACTB_APMC_ON);
	f->config_written = power_written;
}

int piix_create(struct pci *pci, struct pm *pm, struct piix **ret)
{
	_cleanup_(freep) struct piix *s = calloc(1, sizeof(*s));

	if (!s)
		return -ENOMEM;
	s->pm = pm;
	isa_init(&s->isa);
	power_init(&s->power);
	int rc = pci_add(pci, &s->isa);
	if (rc == 0)
		rc = pci_add(pci, &s->power);
	if (rc < 0)
		return rc;
	*ret = take_ptr(s);
	return 0;
}

void piix_destroy(struct piix *s)
{
	free(s);
}
