/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <linux/virtio_blk.h>
#include <linux/virtio_config.h>
#include <linux/virtio_ids.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "util/bytes.h"
#include "util/macros.h"
#include "vmm/dev/virtio.h"

/* Source: VIRTIO 1.1, "Block Device". Requests are served on the vCPU's thread that rang the bell. */
enum { SECTOR = 512, HEADER = 16 };

struct virtio_blk {
	struct virtio_dev dev;
	int fd;
	uint64_t sectors;
	bool read_only;
	uint8_t config[24]; /* up to and with blk_size */
	struct virtq_chain chain;
};

/* A list of buffers that is used up from the front. */
struct iov_list {
	struct iovec *iov;
	unsigned n;
};

static size_t iov_advance(struct iov_list *l, size_t len)
{
	size_t done = 0;

	while (l->n > 0) {
		size_t part = MIN(len - done, l->iov->iov_len);

		l->iov->iov_base = (uint8_t *)l->iov->iov_base + part;
		l->iov->iov_len -= part;
		done += part;
		if (l->iov->iov_len > 0)
			break;
		l->iov++;
		l->n--;
	}
	return done;
}

static void iov_copy_out(struct iov_list *l, uint8_t *to, size_t len)
{
	for (size_t done = 0; l->n > 0 && done < len;) {
		size_t part = MIN(len - done, l->iov->iov_len);

		memcpy(to + done, l->iov->iov_base, part);
		done += iov_advance(l, part);
	}
}

static void iov_copy_in(struct iov_list *l, const uint8_t *from, size_t len)
{
	for (size_t done = 0; l->n > 0 && done < len;) {
		size_t part = MIN(len - done, l->iov->iov_len);

		memcpy(l->iov->iov_base, from + done, part);
		done += iov_advance(l, part);
	}
}

/* Cuts the last byte off. Needs at least one. */
static uint8_t *iov_last_byte(struct iov_list *l)
{
	struct iovec *last;

	while (l->iov[l->n - 1].iov_len == 0)
		l->n--;
	last = &l->iov[l->n - 1];
	last->iov_len--;
	return (uint8_t *)last->iov_base + last->iov_len;
}

static int file_io(int fd, struct iov_list l, uint64_t len, uint64_t at, bool write)
{
	while (len > 0) {
		ssize_t n = write ? pwritev(fd, l.iov, (int)l.n, (off_t)at) : preadv(fd, l.iov, (int)l.n, (off_t)at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return -EIO; // an end of file here means that the image was cut
		iov_advance(&l, (size_t)n);
		at += (size_t)n;
		len -= (size_t)n;
	}
	return 0;
}

static uint8_t transfer(struct virtio_blk *b, struct iov_list l, uint64_t len, uint64_t sector, bool write)
{
	if (len % SECTOR != 0 || sector > b->sectors || len / SECTOR > b->sectors - sector)
		return VIRTIO_BLK_S_IOERR;
	if (write && b->read_only)
		return VIRTIO_BLK_S_IOERR;
	return file_io(b->fd, l, len, sector * SECTOR, write) < 0 ? VIRTIO_BLK_S_IOERR : VIRTIO_BLK_S_OK;
}

/* One request of c: header, data, status byte. *@written: bytes for the used ring. -EINVAL: not even that. */
static int request_serve(struct virtio_blk *b, struct virtq_chain *c, uint32_t *written)
{
	static const uint8_t id[VIRTIO_BLK_ID_BYTES] = "gdbvm";
	struct iov_list out = { c->iov, c->nout }, in = { c->iov + c->nout, c->nin };
	uint8_t header[HEADER], *status;

	if (c->out_len < HEADER || c->in_len < 1)
		return -EINVAL;
	iov_copy_out(&out, header, HEADER);
	status = iov_last_byte(&in);
	*written = 1;
	switch (ld_le32(header)) {
	case VIRTIO_BLK_T_IN:
		*status = transfer(b, in, c->in_len - 1, ld_le64(header + 8), false);
		if (*status == VIRTIO_BLK_S_OK)
			*written = (uint32_t)c->in_len;
		break;
	case VIRTIO_BLK_T_OUT:
		*status = transfer(b, out, c->out_len - HEADER, ld_le64(header + 8), true);
		break;
	case VIRTIO_BLK_T_FLUSH:
		*status = fdatasync(b->fd) < 0 ? VIRTIO_BLK_S_IOERR : VIRTIO_BLK_S_OK;
		break;
	case VIRTIO_BLK_T_GET_ID:
		iov_copy_in(&in, id, MIN(sizeof(id), c->in_len - 1));
		*status = VIRTIO_BLK_S_OK;
		*written = (uint32_t)MIN(sizeof(id), c->in_len - 1) + 1;
		break;
	default:
		*status = VIRTIO_BLK_S_UNSUPP;
	}
	return 0;
}

static int notified(struct virtio_dev *v)
{
	struct virtio_blk *b = container_of(v, struct virtio_blk, dev);
	bool any = false;
	uint32_t written;
	int rc = 0;

	// A ringful is all that one notification can stand for. Another vCPU that goes on adding must notify again, and
	// cannot keep this thread here for ever.
	for (unsigned i = 0; i < v->q.size; i++) {
		rc = virtq_pop(&v->q, v->mem, &b->chain);
		if (rc <= 0)
			break;
		rc = request_serve(b, &b->chain, &written);
		if (rc == 0)
			rc = virtq_push(&v->q, v->mem, b->chain.head, written);
		if (rc < 0)
			break;
		any = true;
	}
	if (any)
		virtio_queue_irq(v);
	return rc;
}

static int image_open(struct virtio_blk *b, const char *path, struct errtext *why)
{
	struct stat st;
	off_t size;

	b->fd = open(path, O_RDWR | O_CLOEXEC);
	if (b->fd < 0 && (errno == EACCES || errno == EROFS || errno == EPERM || errno == ETXTBSY)) {
		b->fd = open(path, O_RDONLY | O_CLOEXEC);
		b->read_only = true;
	}
	if (b->fd < 0 || fstat(b->fd, &st) < 0) {
		int err = errno;

		return errtext_set(why, -err, "cannot open the disk image %s: %s", path, strerror(err));
	}
	if (!S_ISREG(st.st_mode) && !S_ISBLK(st.st_mode))
		return errtext_set(why, -EINVAL, "%s is neither a file nor a block device: expected a raw disk image",
				   path);
	size = lseek(b->fd, 0, SEEK_END);
	if (size < SECTOR)
		return errtext_set(why, -EINVAL, "the disk image %s is smaller than one sector of 512 bytes", path);
	b->sectors = (uint64_t)size / SECTOR;
	return 0;
}

static void blk_destroyp(struct virtio_blk **b)
{
	virtio_blk_destroy(*b);
}

int virtio_blk_create(const struct virtio_place *at, const char *path, struct virtio_blk **ret, struct errtext *why)
{
	_cleanup_(blk_destroyp) struct virtio_blk *b = calloc(1, sizeof(*b));
	int rc;

	if (!b)
		return errtext_set(why, -ENOMEM, "no memory for the disk %s", path);
	rc = image_open(b, path, why);
	if (rc < 0)
		return rc;
	st_le64(b->config + offsetof(struct virtio_blk_config, capacity), b->sectors);
	st_le32(b->config + offsetof(struct virtio_blk_config, seg_max), VIRTQ_MAX - 2);
	st_le32(b->config + offsetof(struct virtio_blk_config, blk_size), SECTOR);
	b->dev = (struct virtio_dev){
		.type = VIRTIO_ID_BLOCK,
		.features = BIT64(VIRTIO_F_VERSION_1) | BIT64(VIRTIO_BLK_F_FLUSH) | BIT64(VIRTIO_BLK_F_SEG_MAX) |
			    BIT64(VIRTIO_BLK_F_BLK_SIZE) | (b->read_only ? BIT64(VIRTIO_BLK_F_RO) : 0),
		.config = b->config,
		.config_len = sizeof(b->config),
		.notify = notified,
		.mem = at->mem,
		.irq = at->irq,
	};
	rc = virtio_add(&b->dev, at);
	if (rc < 0)
		return errtext_set(why, rc, "cannot put the disk into its place: %s", strerror(-rc));
	*ret = take_ptr(b);
	return 0;
}

void virtio_blk_destroy(struct virtio_blk *b)
{
	if (!b)
		return;
	if (b->fd >= 0)
		close(b->fd);
	free(b);
}
