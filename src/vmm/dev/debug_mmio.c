/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define LOG_ROOM LOG_VMM
#include "util/log.h"
#include "util/macros.h"
#include "vmm/dev.h"

struct debug_mmio {
	struct io_dev dev; // first: the caller frees this
	struct debug_ports_cfg cfg;
	uint64_t last;
};

static void page_read(struct io_dev *d, unsigned vcpu, uint32_t off, void *p, unsigned n)
{
	memcpy(p, &container_of(d, struct debug_mmio, dev)->last, n);
}

static enum kvm_fate page_write(struct io_dev *d, unsigned vcpu, uint32_t off, const void *p, unsigned n)
{
	struct debug_mmio *s = container_of(d, struct debug_mmio, dev);

	s->last = 0;
	memcpy(&s->last, p, n);
	log_info("mmio%" PRIx64 ": write 0x%0*" PRIx64, d->base + off, (int)(2 * n), s->last);
	return debug_tell(&s->cfg, vcpu,
			  &(struct checkpoint_record){ .kind = CHECKPOINT_WRITE,
						       .port = d->base + off,
						       .mmio = true,
						       .value = s->last,
						       .size = (uint8_t)n });
}

int debug_mmio_create(struct bus *b, uint64_t base, const struct debug_ports_cfg *cfg, struct io_dev **ret)
{
	_cleanup_(freep) struct debug_mmio *s = calloc(1, sizeof(*s));

	if (!s)
		return -ENOMEM;
	*s = (struct debug_mmio){
		.dev = { .name = "debug port",
			 .kind = BUS_MMIO,
			 .base = base,
			 .len = DEBUG_MMIO_SIZE,
			 .min_op = 1,
			 .max_op = 8,
			 .read = page_read,
			 .write = page_write },
		.cfg = *cfg,
	};
	const int rc = bus_add(b, &s->dev);
	if (rc == 0)
		*ret = &take_ptr(s)->dev;
	return rc;
}
