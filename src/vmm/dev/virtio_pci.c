/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <linux/pci_regs.h>
#include <linux/virtio_config.h>
#include <linux/virtio_pci.h>
#include <stddef.h>
#include <string.h>

#include "util/bytes.h"
#include "util/macros.h"
#include "vmm/dev/virtio.h"

/* The memory BAR: one page per structure. */
enum {
	COMMON = 0x0000,
	ISR = 0x1000,
	DEVICE = 0x2000,
	NOTIFY = 0x3000,
	BAR_SIZE = 0x4000,
	REGION = 0x1000,
	NOTIFY_MULTIPLIER = 4
};

enum { VENDOR_VIRTIO = 0x1af4, DEVICE_MODERN = 0x1040 };

/* ---- interrupts: one level-triggered line, up while ISR is not zero ---- */

static void irq_update(struct virtio_dev *v)
{
	bool disabled = ld_le16(v->func.config + PCI_COMMAND) & PCI_COMMAND_INTX_DISABLE;
	uint16_t status = ld_le16(v->func.config + PCI_STATUS);

	status = (uint16_t)(v->isr ? status | PCI_STATUS_INTERRUPT : status & ~PCI_STATUS_INTERRUPT);
	st_le16(v->func.config + PCI_STATUS, status);
	v->irq->set(v->irq, v->func.gsi, v->isr != 0 && !disabled);
}

static void config_written(struct pci_func *f, unsigned off, unsigned n)
{
	if (off < PCI_COMMAND + 2 && off + n > PCI_COMMAND)
		irq_update(container_of(f, struct virtio_dev, func));
}

/* ---- common configuration ---- */

static void set_feature_page(struct virtio_dev *v, uint32_t val)
{
	v->feature_page = val;
}

static void set_driver_feature_page(struct virtio_dev *v, uint32_t val)
{
	v->driver_feature_page = val;
}

static void set_queue_index(struct virtio_dev *v, uint32_t val)
{
	v->queue_index = (uint16_t)val;
}

static void set_queue_enable(struct virtio_dev *v, uint32_t val)
{
	if (val == 1)
		virtio_queue_enable(v);
}

static void set_desc_lo(struct virtio_dev *v, uint32_t val)
{
	virtio_queue_half_write(v, &v->q.desc, 0, val);
}

static void set_desc_hi(struct virtio_dev *v, uint32_t val)
{
	virtio_queue_half_write(v, &v->q.desc, 32, val);
}

static void set_avail_lo(struct virtio_dev *v, uint32_t val)
{
	virtio_queue_half_write(v, &v->q.avail, 0, val);
}

static void set_avail_hi(struct virtio_dev *v, uint32_t val)
{
	virtio_queue_half_write(v, &v->q.avail, 32, val);
}

static void set_used_lo(struct virtio_dev *v, uint32_t val)
{
	virtio_queue_half_write(v, &v->q.used, 0, val);
}

static void set_used_hi(struct virtio_dev *v, uint32_t val)
{
	virtio_queue_half_write(v, &v->q.used, 32, val);
}

static void common_write(struct virtio_dev *v, uint32_t off, uint32_t val, unsigned n)
{
	// Drivers access each field in its own width, a 64-bit one in two halves; anything else is dropped.
	static const struct {
		uint8_t at, len;
		void (*set)(struct virtio_dev *v, uint32_t val);
	} fields[] = {
		{ VIRTIO_PCI_COMMON_DFSELECT, 4, set_feature_page },
		{ VIRTIO_PCI_COMMON_GFSELECT, 4, set_driver_feature_page },
		{ VIRTIO_PCI_COMMON_GF, 4, virtio_features_write },
		{ VIRTIO_PCI_COMMON_STATUS, 1, virtio_status_write },
		{ VIRTIO_PCI_COMMON_Q_SELECT, 2, set_queue_index },
		{ VIRTIO_PCI_COMMON_Q_SIZE, 2, virtio_queue_size_write },
		{ VIRTIO_PCI_COMMON_Q_ENABLE, 2, set_queue_enable },
		{ VIRTIO_PCI_COMMON_Q_DESCLO, 4, set_desc_lo },
		{ VIRTIO_PCI_COMMON_Q_DESCHI, 4, set_desc_hi },
		{ VIRTIO_PCI_COMMON_Q_AVAILLO, 4, set_avail_lo },
		{ VIRTIO_PCI_COMMON_Q_AVAILHI, 4, set_avail_hi },
		{ VIRTIO_PCI_COMMON_Q_USEDLO, 4, set_used_lo },
		{ VIRTIO_PCI_COMMON_Q_USEDHI, 4, set_used_hi },
	};

	for (unsigned i = 0; i < ARRAY_LEN(fields); i++)
		if (fields[i].at == off && fields[i].len == n)
			fields[i].set(v, val);
}

static struct virtio_pci_common_cfg common_snapshot(const struct virtio_dev *v)
{
	struct virtio_pci_common_cfg c = {
		.device_feature_select = htole32(v->feature_page),
		.guest_feature_select = htole32(v->driver_feature_page),
		.msix_config = htole16(VIRTIO_MSI_NO_VECTOR),
		.num_queues = htole16(1),
		.device_status = v->status,
		.queue_select = htole16(v->queue_index),
		.queue_msix_vector = htole16(VIRTIO_MSI_NO_VECTOR),
	};

	c.device_feature = htole32(virtio_features_page(v->features, v->feature_page));
	c.guest_feature = htole32(virtio_features_page(v->driver_features, v->driver_feature_page));
	if (v->queue_index != 0)
		return c; // size 0: there is no such queue
	c.queue_size = htole16(v->q.size);
	c.queue_enable = htole16(v->q.enabled);
	c.queue_desc_lo = htole32((uint32_t)v->q.desc);
	c.queue_desc_hi = htole32((uint32_t)(v->q.desc >> 32));
	c.queue_avail_lo = htole32((uint32_t)v->q.avail);
	c.queue_avail_hi = htole32((uint32_t)(v->q.avail >> 32));
	c.queue_used_lo = htole32((uint32_t)v->q.used);
	c.queue_used_hi = htole32((uint32_t)(v->q.used >> 32));
	return c;
}

/* ---- the BAR ---- */

static void bar_read(struct io_dev *d, unsigned vcpu, uint32_t off, void *p, unsigned n)
{
	struct virtio_dev *v = container_of(d, struct virtio_dev, window);
	struct virtio_pci_common_cfg c = common_snapshot(v);
	const uint32_t in = off % REGION;

	switch (off - in) {
	case COMMON:
		virtio_bytes_read(&c, sizeof(c), in, p, n);
		break;
	case DEVICE:
		virtio_bytes_read(v->config, v->config_len, in, p, n);
		break;
	case ISR:
		virtio_bytes_read(&v->isr, 1, in, p, n);
		if (in == 0) { // reading acknowledges
			v->isr = 0;
			irq_update(v);
		}
		break;
	default:
		memset(p, 0, n);
	}
}

static enum kvm_fate bar_write(struct io_dev *d, unsigned vcpu, uint32_t off, const void *p, unsigned n)
{
	struct virtio_dev *v = container_of(d, struct virtio_dev, window);
	uint8_t b[4] = { 0 };

	memcpy(b, p, MIN(n, sizeof(b)));
	if (off < COMMON + REGION)
		common_write(v, off, ld_le32(b), n);
	else if (off == NOTIFY)
		virtio_queue_notified(v, ld_le32(b));
	return KVM_FATE_RUN;
}

/* ---- the function ---- */

static void caps_init(uint8_t *config, uint32_t config_len)
{
	const struct {
		uint8_t type;
		uint32_t at, len;
	} caps[] = {
		{ VIRTIO_PCI_CAP_COMMON_CFG, COMMON, sizeof(struct virtio_pci_common_cfg) },
		{ VIRTIO_PCI_CAP_ISR_CFG, ISR, 4 },
		{ VIRTIO_PCI_CAP_DEVICE_CFG, DEVICE, config_len },
		{ VIRTIO_PCI_CAP_NOTIFY_CFG, NOTIFY, NOTIFY_MULTIPLIER },
	};
	uint8_t at = PCI_STD_HEADER_SIZEOF, *link = config + PCI_CAPABILITY_LIST;

	for (unsigned i = 0; i < ARRAY_LEN(caps); i++) {
		uint8_t *c = config + at;
		bool notify = caps[i].type == VIRTIO_PCI_CAP_NOTIFY_CFG;

		*link = at;
		link = c + VIRTIO_PCI_CAP_NEXT;
		c[VIRTIO_PCI_CAP_VNDR] = PCI_CAP_ID_VNDR;
		c[VIRTIO_PCI_CAP_LEN] = notify ? sizeof(struct virtio_pci_notify_cap) : sizeof(struct virtio_pci_cap);
		c[VIRTIO_PCI_CAP_CFG_TYPE] = caps[i].type;
		st_le32(c + VIRTIO_PCI_CAP_OFFSET, caps[i].at);
		st_le32(c + VIRTIO_PCI_CAP_LENGTH, caps[i].len);
		if (notify)
			st_le32(c + VIRTIO_PCI_NOTIFY_CAP_MULT, NOTIFY_MULTIPLIER);
		at += (uint8_t)((c[VIRTIO_PCI_CAP_LEN] + 3) & ~3);
	}
	st_le16(config + PCI_STATUS, PCI_STATUS_CAP_LIST);
}

int virtio_pci_add(struct virtio_dev *v, struct pci *p, unsigned slot)
{
	uint8_t *c = v->func.config;

	v->func.devfn = (uint8_t)(slot << 3);
	v->func.bar[0] = &v->window;
	v->func.config_written = config_written;
	v->window = (struct io_dev){ .name = "virtio",
				     .kind = BUS_MMIO,
				     .len = BAR_SIZE,
				     .min_op = 1,
				     .max_op = 4,
				     .read = bar_read,
				     .write = bar_write };
	v->irq_update = irq_update;
	st_le16(c + PCI_VENDOR_ID, VENDOR_VIRTIO);
	st_le16(c + PCI_DEVICE_ID, (uint16_t)(DEVICE_MODERN + v->type));
	st_le16(c + PCI_SUBSYSTEM_VENDOR_ID, VENDOR_VIRTIO);
	st_le16(c + PCI_SUBSYSTEM_ID, (uint16_t)(0x40 + v->type));
	st_le16(c + PCI_CLASS_DEVICE, 0x0180); // mass storage, other
	c[PCI_REVISION_ID] = 1;
	c[PCI_INTERRUPT_PIN] = 1;
	caps_init(c, v->config_len);
	return pci_add(p, &v->func);
}
