/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <linux/pci_regs.h>
#include <stdlib.h>
#include <string.h>

#include "util/bytes.h"
#include "util/macros.h"
#include "vmm/dev.h"

#define LOG_ROOM LOG_VMM
#include "util/log.h"

/*
 * Source: PCI Local Bus Specification, "Configuration Mechanism #1" and "Configuration Space". There is no firmware
 * under a directly booted kernel, so BARs get addresses here; the guest may move them.
 */
enum { ADDR_PORT = 0xcf8, DATA_PORT = 0xcfc, IO_BARS = 0xd000, IO_BARS_END = 0x10000 };
#define ADDR_ENABLE 0x80000000u
#define MEM_BARS 0xc0000000ull
#define MEM_BARS_END 0xfec00000ull

struct pci {
	struct io_dev addr_port, data_port;
	struct bus *bus;
	uint32_t addr;
	struct pci_func *func[256]; /* by devfn */
	struct pci_func host;
	uint64_t next_mem, next_io; /* where the next BAR may be */
};

static unsigned bar_at(unsigned i)
{
	return PCI_BASE_ADDRESS_0 + 4 * i;
}

/* ---- where BARs are on the bus ---- */

static uint64_t bar_base(const struct pci_func *f, unsigned i)
{
	const bool io = f->bar[i]->kind == BUS_PIO;
	uint16_t enable = io ? PCI_COMMAND_IO : PCI_COMMAND_MEMORY;
	uint32_t bar = ld_le32(f->config + bar_at(i));

	if (!(ld_le16(f->config + PCI_COMMAND) & enable))
		return BUS_NOWHERE;
	return bar & (io ? (uint32_t)PCI_BASE_ADDRESS_IO_MASK : (uint32_t)PCI_BASE_ADDRESS_MEM_MASK);
}

static void func_map(struct pci *p, struct pci_func *f)
{
	for (unsigned i = 0; i < ARRAY_LEN(f->bar); i++) {
		int rc;

		if (!f->bar[i])
			continue;
		rc = bus_move(p->bus, f->bar[i], bar_base(f, i));
		if (rc == 0)
			continue;
		log_dbg("pci bar not mapped devfn=%#x bar=%u at=%#llx err=%d", f->devfn, i,
			(unsigned long long)bar_base(f, i), rc);
		bus_move(p->bus, f->bar[i], BUS_NOWHERE);
	}
}

/* All of them: one that made room may have been in another's way. */
static void bars_map(struct pci *p)
{
	for (unsigned i = 0; i < ARRAY_LEN(p->func); i++)
		if (p->func[i])
			func_map(p, p->func[i]);
}

/* ---- the two ports ---- */

static struct pci_func *func_selected(struct pci *p)
{
	unsigned bus = (p->addr >> 16) & 0xff;

	return (p->addr & ADDR_ENABLE) && bus == 0 ? p->func[(p->addr >> 8) & 0xff] : NULL;
}

static void addr_read(struct io_dev *d, unsigned vcpu, uint32_t off, void *p, unsigned n)
{
	st_le32(p, container_of(d, struct pci, addr_port)->addr);
}

static enum kvm_fate addr_write(struct io_dev *d, unsigned vcpu, uint32_t off, const void *p, unsigned n)
{
	container_of(d, struct pci, addr_port)->addr = ld_le32(p) & ~3u;
	return KVM_FATE_RUN;
}

static void data_read(struct io_dev *d, unsigned vcpu, uint32_t off, void *p, unsigned n)
{
	struct pci *pci = container_of(d, struct pci, data_port);
	struct pci_func *f = func_selected(pci);

	if (f)
		memcpy(p, f->config + (pci->addr & 0xfc) + off, n);
}

static bool touches(unsigned at, unsigned n, unsigned start, unsigned end)
{
	return at < end && at + n > start;
}

static enum kvm_fate data_write(struct io_dev *d, unsigned vcpu, uint32_t off, const void *p, unsigned n)
{
	struct pci *pci = container_of(d, struct pci, data_port);
	struct pci_func *f = func_selected(pci);
	unsigned at = (pci->addr & 0xfc) + off;
	const uint8_t *new = p;

	if (!f)
		return KVM_FATE_RUN;
	for (unsigned i = 0; i < n; i++) {
		uint8_t mask = f->config_mask[at + i];

		f->config[at + i] = (uint8_t)((f->config[at + i] & ~mask) | (new[i] & mask));
	}
	if (touches(at, n, PCI_COMMAND, PCI_COMMAND + 2) || touches(at, n, bar_at(0), bar_at(6)))
		bars_map(pci);
	if (f->config_written)
		f->config_written(f, at, n);
	return KVM_FATE_RUN;
}

/* ---- functions ---- */

static int bar_place(struct pci *p, struct pci_func *f, unsigned i)
{
	struct io_dev *d = f->bar[i];
	const bool io = d->kind == BUS_PIO;
	uint64_t *next = io ? &p->next_io : &p->next_mem;
	uint64_t at = (*next + d->len - 1) & ~((uint64_t)d->len - 1);
	int rc;

	if (d->len < (io ? 4 : 16) || (d->len & (d->len - 1)) != 0)
		return -EINVAL;
	if (at + d->len > (io ? IO_BARS_END : MEM_BARS_END))
		return -ENOSPC;
	d->base = BUS_NOWHERE;
	rc = bus_add(p->bus, d);
	if (rc < 0)
		return rc;
	*next = at + d->len;
	st_le32(f->config + bar_at(i), (uint32_t)at | (io ? PCI_BASE_ADDRESS_SPACE_IO : 0));
	st_le32(f->config_mask + bar_at(i), ~(d->len - 1));
	return 0;
}

int pci_add(struct pci *p, struct pci_func *f)
{
	uint16_t command = PCI_COMMAND_MASTER | PCI_COMMAND_SERR;
	int rc;

	if (p->func[f->devfn])
		return -EEXIST;
	for (unsigned i = 0; i < ARRAY_LEN(f->bar); i++) {
		if (!f->bar[i])
			continue;
		rc = bar_place(p, f, i);
		if (rc < 0)
			return rc;
		command |= f->bar[i]->kind == BUS_PIO ? PCI_COMMAND_IO : PCI_COMMAND_MEMORY;
	}
	if (f->config[PCI_INTERRUPT_PIN]) {
		command |= PCI_COMMAND_INTX_DISABLE;
		f->gsi = pci_gsi(f->devfn >> 3, f->config[PCI_INTERRUPT_PIN]);
		f->config[PCI_INTERRUPT_LINE] = (uint8_t)f->gsi;
		f->config_mask[PCI_INTERRUPT_LINE] = 0xff;
	}
	st_le16(f->config_mask + PCI_COMMAND, command);
	f->config_mask[PCI_CACHE_LINE_SIZE] = 0xff;
	f->config_mask[PCI_LATENCY_TIMER] = 0xff;
	p->func[f->devfn] = f;
	return 0;
}

unsigned pci_gsi(unsigned slot, unsigned pin)
{
	return 16 + ((slot + pin - 1) & 7);
}

/*
 * The Intel 440FX, as firmware knows it. PAM0-PAM6 open its shadow RAM, which here is always open; they are closed at
 * reset as in the hardware, so that firmware larger than its shadow copies the rest of itself there.
 */
static void host_init(struct pci_func *h, enum pci_host id)
{
	enum { PAM = 0x59, PAM_COUNT = 7, PAM_BITS = 0x33 };

	st_le16(h->config + PCI_VENDOR_ID, 0x8086);
	st_le16(h->config + PCI_DEVICE_ID, id);
	st_le16(h->config + PCI_CLASS_DEVICE, 0x0600);
	h->config[PCI_REVISION_ID] = 2;
	memset(h->config_mask + PAM, PAM_BITS, PAM_COUNT);
}

int pci_create(struct bus *b, enum pci_host host, struct pci **ret)
{
	_cleanup_(freep) struct pci *p = calloc(1, sizeof(*p));
	int rc;

	if (!p)
		return -ENOMEM;
	p->bus = b;
	p->next_mem = MEM_BARS;
	p->next_io = IO_BARS;
	// Only whole dwords: a byte at 0xcf9 is the reset register.
	p->addr_port = (struct io_dev){ .name = "pci address",
					.kind = BUS_PIO,
					.base = ADDR_PORT,
					.len = 4,
					.min_op = 4,
					.max_op = 4,
					.read = addr_read,
					.write = addr_write };
	p->data_port = (struct io_dev){ .name = "pci data",
					.kind = BUS_PIO,
					.base = DATA_PORT,
					.len = 4,
					.min_op = 1,
					.max_op = 4,
					.read = data_read,
					.write = data_write };
	host_init(&p->host, host);
	rc = pci_add(p, &p->host);
	if (rc == 0)
		rc = bus_add(b, &p->addr_port);
	if (rc == 0)
		rc = bus_add(b, &p->data_port);
	if (rc < 0)
		return rc;
	*ret = take_ptr(p);
	return 0;
}

void pci_destroy(struct pci *p)
{
	free(p);
}
