/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef VMM_DEV_H
#define VMM_DEV_H

#include "checkpoint/checkpoint.h"
#include "util/errtext.h"
#include "vmm/bus.h"
#include "vmm/mem.h"

/*
 * One constructor per device in vmm/dev/; each adds its io_dev rows to the bus and lives until its destroy. All are
 * called with the bus lock held, except where a comment says otherwise.
 */

struct uart;       /* 16550A at COM1 */
struct uart_line { /* the other end, called on a vCPU's thread */
	void (*out)(void *arg, const void *p, size_t n);
	void (*room)(void *arg); /* bytes that uart_receive() did not take would fit now; NULL ok */
	void *arg;
};
int uart_create(struct bus *b, struct irq_lines *irq, uint16_t port, unsigned gsi, const struct uart_line *line,
		struct uart **ret);
size_t uart_receive(struct uart *u, const void *p, size_t n); /* any thread; takes what fits in the FIFO */
void uart_destroy(struct uart *u);

struct pl011; /* Arm's UART; functions as those above */
int pl011_create(struct bus *b, struct irq_lines *irq, uint64_t base, unsigned gsi, const struct uart_line *line,
		 struct pl011 **ret);
size_t pl011_receive(struct pl011 *u, const void *p, size_t n);
void pl011_destroy(struct pl011 *u);

struct pl031; /* Arm's real-time clock, without its alarm */
int pl031_create(struct bus *b, uint64_t base, struct pl031 **ret);
void pl031_destroy(struct pl031 *r);

struct rtc; /* MC146818 and CMOS; memory size in 0x15-0x18, 0x30-0x35, 0x5b-0x5d */
int rtc_create(struct bus *b, uint64_t ram_size, struct rtc **ret);
void rtc_destroy(struct rtc *r);

int i8042_create(struct bus *b, struct io_dev **ret);   /* only the reset command and an empty keyboard */
int port92_create(struct bus *b, struct io_dev **ret);  /* reset; free() it */
int pvpanic_create(struct bus *b, struct io_dev **ret); /* the guest's kernel says that it panicked; free() it */

/* Where a vCPU is that accesses a device right now. */
struct vcpu_pc {
	int (*now)(struct vcpu_pc *p, unsigned vcpu, uint64_t *ret); /* linear; 0 or negative errno */
};

/* What the debug ports of all kinds need. */
struct debug_ports_cfg {
	/* Each write when it is made; what it returns is the fate of that access. NULL ok. */
	enum kvm_fate (*add)(void *arg, const struct checkpoint_record *rec);
	void *arg;
	struct vcpu_pc *pc;
	bool coalesced; /* KVM kept the writes: which vCPU made them, and where, is not known */
};

/* I/O ports that give their last value back, and text at 0x402. To be created after all other devices. */
struct debug_ports;

/**
 * debug_ports_create() - with @n ports, VM_MAX_DEBUG_PORTS at most.
 * Returns: 0; -EADDRINUSE with @why: somebody else is at one of them; -EINVAL; -ENOSPC; -ENOMEM.
 */
int debug_ports_create(struct bus *b, const struct debug_ports_cfg *cfg, const uint16_t *port, unsigned n,
		       struct debug_ports **ret, struct errtext *why);
void debug_ports_destroy(struct debug_ports *s);

/** debug_ports_end_line() - the guest will not: tell what there is of a line of text, if there is. */
void debug_ports_end_line(struct debug_ports *s);

/** debug_ports_coalesce() - have cfg.coalesced from now on, or no more. */
void debug_ports_coalesce(struct debug_ports *s, bool on);

/** debug_ports_count() - of the ports, with that of the text. */
unsigned debug_ports_count(const struct debug_ports *s);

/** debug_ports_zone() - what KVM may keep of what is written to the @i-th of them. */
void debug_ports_zone(const struct debug_ports *s, unsigned i, struct kvm_coalesced_mmio_zone *out);

/** debug_tell() - a record from a debug port. @rec: without what is the same for all of them. Returns: as cfg.add. */
enum kvm_fate debug_tell(const struct debug_ports_cfg *cfg, unsigned vcpu, struct checkpoint_record *rec);

/*
 * A page at @base, where there are no I/O ports: a write of any width anywhere in it is a record with its address; a
 * read gives the last value. free() it.
 */
#define DEBUG_MMIO_SIZE 0x1000
int debug_mmio_create(struct bus *b, uint64_t base, const struct debug_ports_cfg *cfg, struct io_dev **ret);

struct fw_cfg; /* items that firmware reads, by number or by name: a copy of what is added */
int fw_cfg_create(struct bus *b, struct mem *mem, struct fw_cfg **ret);
int fw_cfg_add(struct fw_cfg *s, uint16_t key, const void *data, uint32_t len);          /* -EEXIST, -ENOSPC */
int fw_cfg_add_file(struct fw_cfg *s, const char *name, const void *data, uint32_t len); /* likewise; -ENAMETOOLONG */
void fw_cfg_destroy(struct fw_cfg *s);
void fw_cfg_destroyp(struct fw_cfg **s);

struct flash; /* firmware's variables: the file at @path, up to guest-physical @end */
int flash_create(struct bus *b, struct mem *mem, uint64_t end, const char *path, struct flash **ret,
		 struct errtext *why);
void flash_destroy(struct flash *s);
void flash_destroyp(struct flash **s);

#define PVPANIC_PORT 0x505 /* DSDT names it */

/* The guest's time: nanoseconds that go by only while it runs. Any thread. */
struct guest_clock {
	uint64_t (*now_ns)(struct guest_clock *c);
};

struct pm; /* ACPI PM1a event/control, PM timer, reset register (0xcf9) */
#define PM_IO_BASE 0x600
int pm_create(struct bus *b, struct guest_clock *clock, struct pm **ret);
void pm_map(struct pm *p, uint64_t base); /* event, control and timer also here, where a free port is; BUS_NOWHERE */
void pm_destroy(struct pm *p);

/* ---- PCI: configuration mechanism 1 at 0xcf8/0xcfc, one bus ---- */
struct pci;
struct pci_func {
	uint8_t devfn;
	uint8_t config[256];
	uint8_t config_mask[256]; /* bits that the guest may write */
	struct io_dev *bar[6];    /* NULL: none; size = io_dev.len (power of two), kind = its bus kind */
	void (*config_written)(struct pci_func *f, unsigned off, unsigned n); /* NULL ok */
	unsigned gsi; /* of its interrupt pin; filled by pci_add() */
};
enum pci_host { PCI_HOST_440FX = 0x1237, PCI_HOST_CLOUDHV = 0x0d57 }; /* device ID of the host bridge 00:00.0 */
int pci_create(struct bus *b, enum pci_host host, struct pci **ret);
void pci_destroy(struct pci *p);
int pci_add(struct pci *p, struct pci_func *f); /* -EEXIST; BARs are mapped when the guest enables them */
unsigned pci_gsi(unsigned slot, unsigned pin);  /* the GSI that DSDT's _PRT promises for this slot and pin (1 = A) */

struct piix; /* 00:01.0, ISA bridge, and 00:01.3, which lets firmware move the power management */
int piix_create(struct pci *pci, struct pm *pm, struct piix **ret);
void piix_destroy(struct piix *s);

/* ---- virtio, version 1 ---- */

/* Where a device is put: into a slot of a PCI bus, or, if pci is NULL, a window of registers in memory. */
struct virtio_place {
	struct mem *mem;
	struct irq_lines *irq;
	struct pci *pci;
	unsigned slot;
	struct bus *bus;
	uint64_t base; /* of VIRTIO_MMIO_SIZE bytes */
	unsigned gsi;
};
#define VIRTIO_MMIO_SIZE 0x200

struct virtio_blk; /* one queue, synchronous */
int virtio_blk_create(const struct virtio_place *at, const char *path, struct virtio_blk **ret, struct errtext *why);
void virtio_blk_destroy(struct virtio_blk *v);

#endif
