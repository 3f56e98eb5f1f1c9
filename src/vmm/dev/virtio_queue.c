/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <linux/virtio_ring.h>

#include "util/bytes.h"
#include "vmm/dev/virtio.h"

/* Layouts: desc {addr64, len32, flags16, next16}[]; avail {flags16, idx16, ring16[]}; used {flags16, idx16, {id32,
 * len32}[]}. */
enum { DESC_SIZE = 16, RING_HEAD = 4, USED_ELEM = 8 };

static uint8_t *desc_table(struct virtq *q, struct mem *mem)
{
	return mem_ptr(mem, GPA(q->desc), (size_t)DESC_SIZE * q->size);
}

static uint8_t *avail_ring(struct virtq *q, struct mem *mem)
{
	return mem_ptr(mem, GPA(q->avail), RING_HEAD + (size_t)2 * q->size);
}

static uint8_t *used_ring(struct virtq *q, struct mem *mem)
{
	return mem_ptr(mem, GPA(q->used), RING_HEAD + (size_t)USED_ELEM * q->size);
}

int virtq_enable(struct virtq *q, struct mem *mem)
{
	if (q->desc % 16 != 0 || q->avail % 2 != 0 || q->used % 4 != 0)
		return -EINVAL;
	if (!desc_table(q, mem) || !avail_ring(q, mem) || !used_ring(q, mem))
		return -EINVAL;
	q->next_avail = q->next_used = 0;
	q->enabled = true;
	return 0;
}

/* The driver's writes before it moved idx are visible after this. */
static uint16_t idx_load(const uint8_t *ring)
{
	return le16toh(__atomic_load_n((const uint16_t *)(const void *)(ring + 2), __ATOMIC_ACQUIRE));
}

/* Follow one chain. Every descriptor is copied once, so that a driver that changes it meanwhile gains nothing. */
static int chain_read(struct virtq *q, struct mem *mem, const uint8_t *table, struct virtq_chain *c)
{
	unsigned i = c->head;

	c->nout = c->nin = 0;
	c->out_len = c->in_len = 0;
	for (unsigned count = 0; count < q->size; count++) {
		uint8_t d[DESC_SIZE];
		uint16_t flags;
		uint32_t len;
		void *p;

		if (i >= q->size)
			return -EINVAL;
		memcpy(d, table + (size_t)DESC_SIZE * i, sizeof(d));
		len = ld_le32(d + 8);
		flags = ld_le16(d + 12);
		p = mem_ptr(mem, GPA(ld_le64(d)), len);
		if (!p || (flags & VRING_DESC_F_INDIRECT))
			return -EINVAL;
		if (!(flags & VRING_DESC_F_WRITE) && c->nin > 0)
			return -EINVAL; // what we read comes first
		c->iov[count] = (struct iovec){ .iov_base = p, .iov_len = len };
		if (flags & VRING_DESC_F_WRITE) {
			c->nin++;
			c->in_len += len;
		} else {
			c->nout++;
			c->out_len += len;
		}
		if (!(flags & VRING_DESC_F_NEXT))
			return 0;
		i = ld_le16(d + 14);
	}
	return -EINVAL; // longer than the table: a loop
}

int virtq_pop(struct virtq *q, struct mem *mem, struct virtq_chain *c)
{
	uint8_t *table = desc_table(q, mem), *avail = avail_ring(q, mem);
	uint16_t waiting;
	int rc;

	if (!q->enabled || !table || !avail)
		return -EINVAL;
	waiting = (uint16_t)(idx_load(avail) - q->next_avail);
	if (waiting == 0)
		return 0;
	if (waiting > q->size)
		return -EINVAL;
	c->head = ld_le16(avail + RING_HEAD + 2 * (q->next_avail % q->size));
	rc = chain_read(q, mem, table, c);
	if (rc < 0)
		return rc;
	q->next_avail++;
	return 1;
}

int virtq_push(struct virtq *q, struct mem *mem, uint16_t head, uint32_t written)
{
	uint8_t *used = used_ring(q, mem), *elem;

	if (!used)
		return -EINVAL;
	elem = used + RING_HEAD + USED_ELEM * (q->next_used % q->size);
	st_le32(elem, head);
	st_le32(elem + 4, written);
	q->next_used++;
	__atomic_store_n((uint16_t *)(void *)(used + 2), htole16(q->next_used), __ATOMIC_RELEASE);
	return 0;
}

bool virtq_wants_irq(struct virtq *q, struct mem *mem)
{
	const uint8_t *avail = avail_ring(q, mem);

	__atomic_thread_fence(__ATOMIC_SEQ_CST); // used.idx is out before flags are read
	return avail && !(ld_le16(avail) & VRING_AVAIL_F_NO_INTERRUPT);
}
