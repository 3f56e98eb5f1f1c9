/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <linux/virtio_mmio.h>
#include <string.h>

#include "util/bytes.h"
#include "util/macros.h"
#include "vmm/dev/virtio.h"

/* Source: VIRTIO 1.1, "Virtio Over MMIO". Version 2 of the window; all registers but the device's own are 32 bits. */
enum { MAGIC = 0x74726976 /* "virt" */, VERSION = 2, VENDOR = 0x4d564247 /* any */, REG_BYTES = 4 };

static void irq_update(struct virtio_dev *v)
{
	v->irq->set(v->irq, v->gsi, v->isr != 0);
}

static uint32_t reg_read(const struct virtio_dev *v, uint32_t off)
{
	const bool is_queue = v->queue_index == 0;

	switch (off) {
	case VIRTIO_MMIO_MAGIC_VALUE:
		return MAGIC;
	case VIRTIO_MMIO_VERSION:
		return VERSION;
	case VIRTIO_MMIO_DEVICE_ID:
		return v->type;
	case VIRTIO_MMIO_VENDOR_ID:
		return VENDOR;
	case VIRTIO_MMIO_DEVICE_FEATURES:
		return virtio_features_page(v->features, v->feature_page);
	case VIRTIO_MMIO_QUEUE_NUM_MAX:
		return is_queue ? VIRTQ_MAX : 0;
	case VIRTIO_MMIO_QUEUE_READY:
		return is_queue && v->q.enabled;
	case VIRTIO_MMIO_INTERRUPT_STATUS:
		return v->isr;
	case VIRTIO_MMIO_STATUS:
		return v->status;
	default: // the generation of the configuration, which never changes; what can only be written; nothing
		return 0;
	}
}

static void window_read(struct io_dev *d, unsigned vcpu, uint32_t off, void *p, unsigned n)
{
	struct virtio_dev *v = container_of(d, struct virtio_dev, window);

	if (off >= VIRTIO_MMIO_CONFIG)
		virtio_bytes_read(v->config, v->config_len, off - VIRTIO_MMIO_CONFIG, p, n);
	else if (n == REG_BYTES)
		st_le32(p, reg_read(v, off));
	else
		memset(p, 0, n);
}

static void queue_ready_write(struct virtio_dev *v, uint32_t val)
{
	if (val == 1)
		virtio_queue_enable(v);
	else if (val == 0 && v->queue_index == 0)
		v->q.enabled = false;
}

static void reg_write(struct virtio_dev *v, uint32_t off, uint32_t val)
{
	switch (off) {
	case VIRTIO_MMIO_DEVICE_FEATURES_SEL:
		v->feature_page = val;
		return;
	case VIRTIO_MMIO_DRIVER_FEATURES_SEL:
		v->driver_feature_page = val;
		return;
	case VIRTIO_MMIO_DRIVER_FEATURES:
		virtio_features_write(v, val);
		return;
	case VIRTIO_MMIO_QUEUE_SEL:
		v->queue_index = (uint16_t)MIN(val, (uint32_t)UINT16_MAX);
		return;
	case VIRTIO_MMIO_QUEUE_NUM:
		virtio_queue_size_write(v, val);
		return;
	case VIRTIO_MMIO_QUEUE_READY:
		queue_ready_write(v, val);
		return;
	case VIRTIO_MMIO_QUEUE_NOTIFY:
		virtio_queue_notified(v, val);
		return;
	case VIRTIO_MMIO_INTERRUPT_ACK:
		v->isr &= (uint8_t)~val;
		irq_update(v);
		return;
	case VIRTIO_MMIO_STATUS:
		virtio_status_write(v, val);
		return;
	case VIRTIO_MMIO_QUEUE_DESC_LOW:
	case VIRTIO_MMIO_QUEUE_DESC_HIGH:
		virtio_queue_half_write(v, &v->q.desc, off == VIRTIO_MMIO_QUEUE_DESC_HIGH ? 32 : 0, val);
		return;
	case VIRTIO_MMIO_QUEUE_AVAIL_LOW:
	case VIRTIO_MMIO_QUEUE_AVAIL_HIGH:
		virtio_queue_half_write(v, &v->q.avail, off == VIRTIO_MMIO_QUEUE_AVAIL_HIGH ? 32 : 0, val);
		return;
	case VIRTIO_MMIO_QUEUE_USED_LOW:
	case VIRTIO_MMIO_QUEUE_USED_HIGH:
		virtio_queue_half_write(v, &v->q.used, off == VIRTIO_MMIO_QUEUE_USED_HIGH ? 32 : 0, val);
		return;
	}
}

static enum kvm_fate window_write(struct io_dev *d, unsigned vcpu, uint32_t off, const void *p, unsigned n)
{
	struct virtio_dev *v = container_of(d, struct virtio_dev, window);

	if (n == REG_BYTES && off < VIRTIO_MMIO_CONFIG)
		reg_write(v, off, ld_le32(p));
	return KVM_FATE_RUN;
}

int virtio_mmio_add(struct virtio_dev *v, struct bus *b, uint64_t base, unsigned gsi)
{
	v->gsi = gsi;
	v->irq_update = irq_update;
	v->window = (struct io_dev){ .name = "virtio",
				     .kind = BUS_MMIO,
				     .base = base,
				     .len = VIRTIO_MMIO_SIZE,
				     .min_op = 1,
				     .max_op = 4,
				     .read = window_read,
				     .write = window_write };
	return bus_add(b, &v->window);
}
