/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "vmm/dev/virtio.h"

#include <linux/virtio_config.h>
#include <string.h>

#include "util/macros.h"

#define LOG_ROOM LOG_VMM
#include "util/log.h"

void virtio_queue_irq(struct virtio_dev *v)
{
	if (!virtq_wants_irq(&v->q, v->mem))
		return;
	v->isr |= VIRTIO_ISR_QUEUE;
	v->irq_update(v);
}

static void device_broken(struct virtio_dev *v, const char *what)
{
	if (!v->broken_logged)
		log_warn("the virtio device of type %u is stopped until its driver resets it: %s", v->type, what);
	v->broken_logged = true;
	v->status |= VIRTIO_CONFIG_S_NEEDS_RESET;
	if (v->status & VIRTIO_CONFIG_S_DRIVER_OK) {
		v->isr |= VIRTIO_ISR_CONFIG;
		v->irq_update(v);
	}
}

static void device_reset(struct virtio_dev *v)
{
	v->feature_page = v->driver_feature_page = 0;
	v->driver_features = 0;
	v->queue_index = 0;
	v->status = v->isr = 0;
	v->q = (struct virtq){ .size = VIRTQ_MAX };
	v->irq_update(v);
}

uint32_t virtio_features_page(uint64_t features, uint32_t page)
{
	return page <= 1 ? (uint32_t)(features >> 32 * page) : 0;
}

void virtio_features_write(struct virtio_dev *v, uint32_t val)
{
	unsigned shift = v->driver_feature_page * 32;

	if (v->driver_feature_page > 1 || (v->status & VIRTIO_CONFIG_S_FEATURES_OK))
		return;
	v->driver_features = (v->driver_features & ~(0xffffffffull << shift)) | (uint64_t)val << shift;
}

void virtio_status_write(struct virtio_dev *v, uint32_t val)
{
	const bool features_ok =
		!(v->driver_features & ~v->features) && (v->driver_features & BIT64(VIRTIO_F_VERSION_1));

	if (val == 0) {
		device_reset(v);
		return;
	}
	if (!(v->status & VIRTIO_CONFIG_S_FEATURES_OK) && !features_ok)
		val &= ~(uint32_t)VIRTIO_CONFIG_S_FEATURES_OK; // the driver reads it back and sees that we refuse
	if (!(val & VIRTIO_CONFIG_S_FEATURES_OK))
		val &= ~(uint32_t)VIRTIO_CONFIG_S_DRIVER_OK;
	v->status =
		(uint8_t)((val & ~(uint32_t)VIRTIO_CONFIG_S_NEEDS_RESET) | (v->status & VIRTIO_CONFIG_S_NEEDS_RESET));
}

static bool queue_can_change(const struct virtio_dev *v)
{
	return v->queue_index == 0 && !v->q.enabled;
}

void virtio_queue_size_write(struct virtio_dev *v, uint32_t val)
{
	if (queue_can_change(v) && val > 0 && val <= VIRTQ_MAX && (val & (val - 1)) == 0)
		v->q.size = (uint16_t)val;
}

void virtio_queue_enable(struct virtio_dev *v)
{
	if (queue_can_change(v) && virtq_enable(&v->q, v->mem) < 0)
		device_broken(v, "its queue is not in memory, or not aligned");
}

void virtio_queue_half_write(struct virtio_dev *v, uint64_t *addr, unsigned shift, uint32_t val)
{
	if (queue_can_change(v))
		*addr = (*addr & ~(0xffffffffull << shift)) | (uint64_t)val << shift;
}

void virtio_queue_notified(struct virtio_dev *v, uint32_t queue)
{
	if (queue != 0 || !v->q.enabled || !(v->status & VIRTIO_CONFIG_S_DRIVER_OK) ||
	    (v->status & VIRTIO_CONFIG_S_NEEDS_RESET))
		return;
	if (v->notify(v) < 0)
		device_broken(v, "what is in its request ring makes no sense");
}

void virtio_bytes_read(const void *from, size_t size, uint32_t off, void *p, unsigned n)
{
	memset(p, 0, n);
	if (off < size)
		memcpy(p, (const uint8_t *)from + off, MIN((size_t)n, size - off));
}

int virtio_add(struct virtio_dev *v, const struct virtio_place *at)
{
	v->q.size = VIRTQ_MAX;
	return at->pci ? virtio_pci_add(v, at->pci, at->slot) : virtio_mmio_add(v, at->bus, at->base, at->gsi);
}
