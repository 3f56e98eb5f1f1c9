/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "util/bytes.h"
#include "util/macros.h"
#include "vmm/dev.h"

/*
 * QEMU's way to hand data to firmware: items with a number, some of which are files with a name. Only the host writes
 * them. Source: QEMU docs/specs/fw_cfg.rst.
 */
enum {
	SELECT_PORT = 0x510,
	DATA_PORT = 0x511,
	DMA_PORT = 0x514, // address, big-endian: its low half starts the transfer
	DMA_LOW = 4,
	KEY_SIGNATURE = 0,
	KEY_FEATURES = 1,
	KEY_DIRECTORY = 0x19,
	KEY_FIRST_FILE = 0x20,
	FEATURE_PORTS = 1 << 0,
	FEATURE_DMA = 1 << 1,
	MAX_ITEMS = 24,
	// a file in the directory: size, key, reserved, name; all big-endian
	ENTRY_KEY = 4,
	ENTRY_NAME = 8,
	ENTRY_LEN = 64,
	NAME_MAX_LEN = ENTRY_LEN - ENTRY_NAME - 1,
	// a transfer: control, length, address
	REQUEST_LENGTH = 4,
	REQUEST_ADDRESS = 8,
	REQUEST_LEN = 16,
	CTL_ERROR = 1 << 0,
	CTL_READ = 1 << 1,
	CTL_SKIP = 1 << 2,
	CTL_SELECT = 1 << 3,
	CTL_WRITE = 1 << 4,
	CTL_KEY_SHIFT = 16,
};

struct item {
	uint16_t key;
	uint32_t len;
	uint8_t *data;
};

struct fw_cfg {
	struct io_dev select, data, dma;
	struct mem *mem;
	struct item item[MAX_ITEMS];
	unsigned nitems;
	uint16_t nfiles, key;
	uint32_t off; // where in the selected item; not beyond its end
	uint32_t dma_high;
};

/* ---- items ---- */

static struct item *item_find(struct fw_cfg *s, uint16_t key)
{
	for (unsigned i = 0; i < s->nitems; i++)
		if (s->item[i].key == key)
			return &s->item[i];
	return NULL;
}

int fw_cfg_add(struct fw_cfg *s, uint16_t key, const void *data, uint32_t len)
{
	uint8_t *copy;

	if (item_find(s, key))
		return -EEXIST;
	if (s->nitems == MAX_ITEMS)
		return -ENOSPC;
	copy = malloc(len ?: 1);
	if (!copy)
		return -ENOMEM;
	memcpy(copy, data, len);
	s->item[s->nitems++] = (struct item){ .key = key, .len = len, .data = copy };
	return 0;
}

int fw_cfg_add_file(struct fw_cfg *s, const char *name, const void *data, uint32_t len)
{
	struct item *dir = item_find(s, KEY_DIRECTORY);
	const size_t name_len = strlen(name);
	uint8_t *grown, *entry;

	if (name_len > NAME_MAX_LEN)
		return -ENAMETOOLONG;
	grown = realloc(dir->data, dir->len + ENTRY_LEN);
	if (!grown)
		return -ENOMEM;
	dir->data = grown;
	const int rc = fw_cfg_add(s, KEY_FIRST_FILE + s->nfiles, data, len);
	if (rc < 0)
		return rc;
	entry = dir->data + dir->len;
	memset(entry, 0, ENTRY_LEN);
	st_be32(entry, len);
	st_be16(entry + ENTRY_KEY, KEY_FIRST_FILE + s->nfiles);
	memcpy(entry + ENTRY_NAME, name, name_len);
	dir->len += ENTRY_LEN;
	st_be32(dir->data, ++s->nfiles);
	return 0;
}

static void item_select(struct fw_cfg *s, uint16_t key)
{
	s->key = key;
	s->off = 0;
}

/* The next @n bytes of the selected item: zeros where there is nothing. NULL @to only goes on. */
static void item_next(struct fw_cfg *s, uint8_t *to, uint32_t n)
{
	const struct item *it = item_find(s, s->key);
	const uint32_t left = it ? it->len - s->off : 0, have = MIN(left, n);

	if (to && have > 0)
		memcpy(to, it->data + s->off, have);
	if (to)
		memset(to + have, 0, n - have);
	s->off += have;
}

/* ---- the ports ---- */

static enum kvm_fate select_write(struct io_dev *d, unsigned vcpu, uint32_t off, const void *p, unsigned n)
{
	item_select(container_of(d, struct fw_cfg, select), ld_le16(p));
	return KVM_FATE_RUN;
}

static void data_read(struct io_dev *d, unsigned vcpu, uint32_t off, void *p, unsigned n)
{
	item_next(container_of(d, struct fw_cfg, data), p, n);
}

static void dma_read(struct io_dev *d, unsigned vcpu, uint32_t off, void *p, unsigned n)
{
	memcpy(p, &"QEMU CFG"[off], n);
}

/* What a request asks for, all of which the guest has made up. Returns: the bits that it gets to see. */
static uint32_t request_do(struct fw_cfg *s, uint32_t control, uint32_t len, gpa at)
{
	uint8_t *to = NULL;

	if (control & CTL_SELECT)
		item_select(s, control >> CTL_KEY_SHIFT);
	if (control & CTL_READ && len > 0) {
		to = mem_ptr(s->mem, at, len);
		if (!to)
			return CTL_ERROR;
	} else if (control & CTL_WRITE) {
		return CTL_ERROR;
	}
	if (control & (CTL_READ | CTL_SKIP))
		item_next(s, to, len);
	return 0;
}

static enum kvm_fate dma_write(struct io_dev *d, unsigned vcpu, uint32_t off, const void *p, unsigned n)
{
	struct fw_cfg *s = container_of(d, struct fw_cfg, dma);
	uint8_t *request;

	if (off != DMA_LOW) {
		s->dma_high = off == 0 ? ld_be32(p) : s->dma_high;
		return KVM_FATE_RUN;
	}
	request = mem_ptr(s->mem, GPA((uint64_t)s->dma_high << 32 | ld_be32(p)), REQUEST_LEN);
	s->dma_high = 0;
	if (request)
		st_be32(request, request_do(s, ld_be32(request), ld_be32(request + REQUEST_LENGTH),
					    GPA(ld_be64(request + REQUEST_ADDRESS))));
	return KVM_FATE_RUN;
}

int fw_cfg_create(struct bus *b, struct mem *mem, struct fw_cfg **ret)
{
	_cleanup_(fw_cfg_destroyp) struct fw_cfg *s = calloc(1, sizeof(*s));
	uint8_t features[4];

	if (!s)
		return -ENOMEM;
	s->mem = mem;
	// clang-format off
	s->select = (struct io_dev){ .name = "fw_cfg selector", .kind = BUS_PIO, .base = SELECT_PORT, .len = 2,
				     .min_op = 2, .max_op = 2, .write = select_write };
	s->data = (struct io_dev){ .name = "fw_cfg data", .kind = BUS_PIO, .base = DATA_PORT, .len = 1,
				   .min_op = 1, .max_op = 1, .read = data_read };
	s->dma = (struct io_dev){ .name = "fw_cfg dma", .kind = BUS_PIO, .base = DMA_PORT, .len = 8,
				  .min_op = 4, .max_op = 4, .read = dma_read, .write = dma_write };
	// clang-format on
	st_le32(features, FEATURE_PORTS | FEATURE_DMA);
	int rc = fw_cfg_add(s, KEY_SIGNATURE, "QEMU", 4);
	if (rc == 0)
		rc = fw_cfg_add(s, KEY_FEATURES, features, sizeof(features));
	if (rc == 0)
		rc = fw_cfg_add(s, KEY_DIRECTORY, (uint8_t[4]){ 0 }, 4);
	if (rc == 0)
		rc = bus_add(b, &s->select);
	if (rc == 0)
		rc = bus_add(b, &s->data);
	if (rc == 0)
		rc = bus_add(b, &s->dma);
	if (rc < 0)
		return rc;
	*ret = take_ptr(s);
	return 0;
}

void fw_cfg_destroy(struct fw_cfg *s)
{
	if (!s)
		return;
	for (unsigned i = 0; i < s->nitems; i++)
		free(s->item[i].data);
	free(s);
}

void fw_cfg_destroyp(struct fw_cfg **s)
{
	fw_cfg_destroy(*s);
}
