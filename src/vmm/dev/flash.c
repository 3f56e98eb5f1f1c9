/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "util/macros.h"
#include "vmm/dev.h"

#define LOG_ROOM LOG_VMM
#include "util/log.h"

/*
 * Flash memory with Intel's command set, for firmware's variables, kept in a file. The guest reads it as read-only
 * memory, without an exit; each write is a command. Where a command leads to something else than the contents being
 * read, the page of that command shows it until the next one: nobody waits for a status elsewhere.
 * Source: Intel "28F640J5 StrataFlash" data sheet, "Command Definitions".
 */
enum {
	PAGE = 4096, // also what is erased at once, as in QEMU
	CMD_PROGRAM = 0x40,
	CMD_PROGRAM_ALT = 0x10,
	CMD_ERASE = 0x20,
	CMD_CONFIRM = 0xd0,
	CMD_CLEAR_STATUS = 0x50,
	CMD_READ_STATUS = 0x70,
	CMD_READ_ARRAY = 0xff,
	ST_READY = 0x80,
	ST_FAILED = 0x30, // both to erase and to program
};

struct flash {
	struct io_dev dev;
	uint8_t *contents, *view; // what is in it; what the guest sees
	char *path;
	int fd;
	uint8_t command; // the one that waits for its second write, or 0
	uint8_t status;
	uint32_t shown;            // the page that shows the status, or NOWHERE
	uint32_t dirty, dirty_end; // what is not in the file yet; end 0: nothing
};
#define NOWHERE UINT32_MAX
#define LOWEST (MEM_HOLE_END - (16 << 20)) // local APICs and pages of KVM's are below

static void show_contents(struct flash *s)
{
	if (s->shown != NOWHERE)
		memcpy(s->view + s->shown, s->contents + s->shown, PAGE);
	s->shown = NOWHERE;
}

static void show_status(struct flash *s, uint32_t off)
{
	show_contents(s);
	s->shown = off & ~(uint32_t)(PAGE - 1);
	memset(s->view + s->shown, s->status, PAGE);
}

/* What has changed, to the file. Firmware writes byte by byte and ends with a command to read again. */
static void flush(struct flash *s)
{
	const uint32_t n = s->dirty_end - s->dirty;

	if (n > 0 && pwrite(s->fd, s->contents + s->dirty, n, s->dirty) != (ssize_t)n) {
		s->status |= ST_FAILED;
		log_warn("cannot write %" PRIu32 " bytes to %s: %s", n, s->path, strerror(errno));
	}
	s->dirty = s->dirty_end = 0;
}

static void changed(struct flash *s, uint32_t off, uint32_t n)
{
	if (off > s->dirty_end || off + n < s->dirty)
		flush(s);
	s->dirty = s->dirty_end ? MIN(s->dirty, off) : off;
	s->dirty_end = MAX(s->dirty_end, off + n);
	show_contents(s);
	memcpy(s->view + off, s->contents + off, n);
	s->status |= ST_READY;
}

static void program(struct flash *s, uint32_t off, const uint8_t *p, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		s->contents[off + i] &= p[i]; // only erasing sets bits
	changed(s, off, n);
}

static void erase(struct flash *s, uint32_t off)
{
	off &= ~(uint32_t)(PAGE - 1);
	memset(s->contents + off, 0xff, PAGE);
	changed(s, off, PAGE);
	flush(s);
}

static void second_write(struct flash *s, uint32_t off, const uint8_t *p, unsigned n)
{
	const uint8_t command = s->command;

	s->command = 0;
	if (command != CMD_ERASE)
		program(s, off, p, n);
	else if (p[0] == CMD_CONFIRM)
		erase(s, off);
	else
		s->status |= ST_READY | ST_FAILED;
	show_status(s, off);
}

static enum kvm_fate flash_write(struct io_dev *d, unsigned vcpu, uint32_t off, const void *p, unsigned n)
{
	struct flash *s = container_of(d, struct flash, dev);
	const uint8_t v = *(const uint8_t *)p;

	if (s->command) {
		second_write(s, off, p, n);
		return KVM_FATE_RUN;
	}
	switch (v) {
	case CMD_PROGRAM:
	case CMD_PROGRAM_ALT:
	case CMD_ERASE:
		s->command = v;
		break;
	case CMD_READ_STATUS:
		flush(s);
		show_status(s, off);
		break;
	case CMD_CLEAR_STATUS:
		s->status = 0; // not even ready: firmware takes that to know a flash from a ROM
		show_contents(s);
		break;
	default:
		flush(s);
		show_contents(s);
	}
	return KVM_FATE_RUN;
}

/* The file's contents, twice: in the guest's memory and here. */
static int contents_load(struct flash *s, struct mem *mem, uint64_t end, struct errtext *why)
{
	struct stat st;
	size_t n;

	if (fstat(s->fd, &st) < 0)
		return errtext_set(why, -errno, "cannot read the NVRAM file %s: %s", s->path, strerror(errno));
	if (st.st_size <= 0 || st.st_size % PAGE || (uint64_t)st.st_size > end - LOWEST)
		return errtext_set(why, -EINVAL,
				   "the NVRAM file %s has %lld bytes: expected a multiple of 4096, with the firmware "
				   "at most 16 MiB",
				   s->path, (long long)st.st_size);
	s->dev.len = (uint32_t)st.st_size;
	s->dev.base = end - s->dev.len;
	s->contents = malloc(s->dev.len);
	if (!s->contents)
		return errtext_set(why, -ENOMEM, "no memory for the NVRAM file %s", s->path);
	if (pread(s->fd, s->contents, s->dev.len, 0) != (ssize_t)s->dev.len)
		return errtext_set(why, -EIO, "cannot read the NVRAM file %s", s->path);
	const int rc = mem_add_rom(mem, GPA(s->dev.base), s->contents, s->dev.len, why);
	if (rc < 0)
		return rc;
	n = s->dev.len;
	s->view = mem_slot_ptr(mem, GPA(s->dev.base), &n);
	return 0;
}

int flash_create(struct bus *b, struct mem *mem, uint64_t end, const char *path, struct flash **ret,
		 struct errtext *why)
{
	_cleanup_(flash_destroyp) struct flash *s = calloc(1, sizeof(*s));

	if (!s)
		return errtext_set(why, -ENOMEM, "no memory for the NVRAM file %s", path);
	s->shown = NOWHERE;
	s->fd = open(path, O_RDWR | O_CLOEXEC);
	if (s->fd < 0)
		return errtext_set(why, -errno, "cannot open the NVRAM file %s: %s", path, strerror(errno));
	s->path = strdup(path);
	s->dev = (struct io_dev){ .name = "flash", .kind = BUS_MMIO, .min_op = 1, .max_op = 8, .write = flash_write };
	if (!s->path)
		return errtext_set(why, -ENOMEM, "no memory for the NVRAM file %s", path);
	int rc = contents_load(s, mem, end, why);
	if (rc < 0)
		return rc;
	rc = bus_add(b, &s->dev);
	if (rc < 0)
		return errtext_set(why, rc, "no room for the NVRAM file %s at %#" PRIx64, path, s->dev.base);
	*ret = take_ptr(s);
	return 0;
}

void flash_destroy(struct flash *s)
{
	if (!s)
		return;
	flush(s);
	closep(&s->fd);
	free(s->contents);
	free(s->path);
	free(s);
}

void flash_destroyp(struct flash **s)
{
	flash_destroy(*s);
}
