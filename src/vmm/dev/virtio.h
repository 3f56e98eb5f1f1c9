/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef VMM_DEV_VIRTIO_H
#define VMM_DEV_VIRTIO_H

#include <stdbool.h>
#include <sys/uio.h>

#include "vmm/dev.h"

/*
 * What a virtio device is made of: a split virtqueue (virtio_queue.c), what every transport offers of it (virtio.c),
 * and the transport: PCI (virtio_pci.c) or a window of registers in memory (virtio_mmio.c). Here for devices with one
 * queue. Everything in guest memory is the driver's to change at any moment: it is copied before it is checked, and a
 * ring that makes no sense stops the device until the driver resets it. Source: OASIS "Virtual I/O Device (VIRTIO)
 * Version 1.1", "Split Virtqueues", "Basic Facilities of a Virtio Device".
 */
enum { VIRTQ_MAX = 256 };

struct virtq {
	uint16_t size; /* entries, power of two */
	bool enabled;
	uint64_t desc, avail, used; /* guest-physical */
	uint16_t next_avail, next_used;
};

/* One request: first what the driver wrote for us, then what it wants us to write. */
struct virtq_chain {
	uint16_t head;
	unsigned nout, nin;
	struct iovec iov[VIRTQ_MAX]; /* host addresses */
	uint64_t out_len, in_len;    /* bytes */
};

/** virtq_enable() - the driver says that the addresses are set. -EINVAL: misaligned or not in RAM. */
int virtq_enable(struct virtq *q, struct mem *mem);

/** virtq_pop() - the next request. Returns: 1; 0: none; -EINVAL: the ring or a descriptor makes no sense. */
int virtq_pop(struct virtq *q, struct mem *mem, struct virtq_chain *c);

/** virtq_push() - give the request back, @written bytes of its writable part filled. -EINVAL: as above. */
int virtq_push(struct virtq *q, struct mem *mem, uint16_t head, uint32_t written);

/** virtq_wants_irq() - has the driver not asked to be left alone? */
bool virtq_wants_irq(struct virtq *q, struct mem *mem);

enum { VIRTIO_ISR_QUEUE = 1, VIRTIO_ISR_CONFIG = 2 };

struct virtio_dev {
	/* set by the device before virtio_add() */
	uint16_t type;     /* VIRTIO_ID_... */
	uint64_t features; /* offered */
	const void *config;
	uint32_t config_len;
	int (*notify)(struct virtio_dev *v); /* serve v->q; negative: the driver broke it */
	struct mem *mem;
	struct irq_lines *irq;

	/* virtio.c */
	uint32_t feature_page, driver_feature_page;
	uint64_t driver_features;
	uint16_t queue_index;
	uint8_t status, isr;
	bool broken_logged; /* a guest can do it again and again */
	struct virtq q;

	/* the transport's */
	void (*irq_update)(struct virtio_dev *v); /* the interrupt line is to be up while isr is not zero */
	struct io_dev window;
	struct pci_func func; /* PCI */
	unsigned gsi;         /* of a window of registers */
};

/** virtio_add() - put the device where @at says. Returns: as pci_add() or bus_add(). */
int virtio_add(struct virtio_dev *v, const struct virtio_place *at);
int virtio_pci_add(struct virtio_dev *v, struct pci *p, unsigned slot);
int virtio_mmio_add(struct virtio_dev *v, struct bus *b, uint64_t base, unsigned gsi);

/** virtio_queue_irq() - tell the driver that requests are done. */
void virtio_queue_irq(struct virtio_dev *v);

/* ---- for the transports: what the driver asks of the device ---- */
void virtio_features_write(struct virtio_dev *v, uint32_t val);   /* the page that driver_feature_page says */
uint32_t virtio_features_page(uint64_t features, uint32_t page);  /* 32 bits of them; 0 if there are no more */
void virtio_status_write(struct virtio_dev *v, uint32_t val);     /* 0 resets the device */
void virtio_queue_size_write(struct virtio_dev *v, uint32_t val); /* this and the next three: of the queue that */
void virtio_queue_enable(struct virtio_dev *v);                   /* queue_index names, as long as it is not enabled */
void virtio_queue_half_write(struct virtio_dev *v, uint64_t *addr, unsigned shift, uint32_t val);
void virtio_queue_notified(struct virtio_dev *v, uint32_t queue);

/** virtio_bytes_read() - @n bytes at @off of a structure of @size bytes; zeros behind its end. */
void virtio_bytes_read(const void *from, size_t size, uint32_t off, void *p, unsigned n);

#endif
