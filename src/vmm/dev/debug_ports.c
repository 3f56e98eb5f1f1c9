/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define LOG_ROOM LOG_VMM
#include "checkpoint/line.h"
#include "util/log.h"
#include "util/macros.h"
#include "vmm/dev.h"
#include "vmm/vm.h"

enum {
	VALUE_LEN = 4,        // a dword write
	DEBUGCON_HERE = 0xe9, // what firmware expects to read before it writes text
};

struct debug_port {
	struct io_dev dev;
	struct debug_ports *all;
	uint8_t last[VALUE_LEN];
};

struct debug_ports {
	struct debug_ports_cfg cfg;
	struct bus *bus;
	unsigned n;
	struct debug_port port[VM_MAX_DEBUG_PORTS];
	struct io_dev text;
	struct checkpoint_line line;
};

enum kvm_fate debug_tell(const struct debug_ports_cfg *cfg, unsigned vcpu, struct checkpoint_record *rec)
{
	if (!cfg->add)
		return KVM_FATE_RUN;
	rec->ns = checkpoint_now_ns();
	rec->vcpu = cfg->coalesced ? -1 : (int16_t)vcpu;
	rec->mode = cfg->coalesced ? CHECKPOINT_COALESCED : CHECKPOINT_EXACT;
	rec->has_pc = !cfg->coalesced && cfg->pc->now(cfg->pc, vcpu, &rec->pc) == 0;
	return cfg->add(cfg->arg, rec);
}

static void port_read(struct io_dev *d, unsigned vcpu, uint32_t off, void *p, unsigned n)
{
	memcpy(p, container_of(d, struct debug_port, dev)->last, n);
}

static enum kvm_fate port_write(struct io_dev *d, unsigned vcpu, uint32_t off, const void *p, unsigned n)
{
	struct debug_port *port = container_of(d, struct debug_port, dev);
	struct checkpoint_record rec = { .kind = CHECKPOINT_WRITE, .port = d->base, .size = (uint8_t)n };
	uint32_t v = 0;

	memcpy(&v, p, n);
	memcpy(port->last, &v, sizeof(port->last));
	log_info("port%" PRIx64 ": write 0x%0*" PRIx32, d->base, (int)(2 * n), v);
	rec.value = v;
	return debug_tell(&port->all->cfg, vcpu, &rec);
}

static void debugcon_read(struct io_dev *d, unsigned vcpu, uint32_t off, void *p, unsigned n)
{
	*(uint8_t *)p = DEBUGCON_HERE;
}

static enum kvm_fate debugcon_write(struct io_dev *d, unsigned vcpu, uint32_t off, const void *p, unsigned n)
{
	struct debug_ports *s = container_of(d, struct debug_ports, text);
	struct checkpoint_record rec = { .kind = CHECKPOINT_TEXT, .port = CHECKPOINT_DEBUGCON, .text = s->line.text };

	if (!checkpoint_line_add(&s->line, *(const char *)p))
		return KVM_FATE_RUN;
	log_info("debugcon: %s", s->line.text);
	return debug_tell(&s->cfg, vcpu, &rec);
}

void debug_ports_end_line(struct debug_ports *s)
{
	if (s->cfg.add && checkpoint_line_add(&s->line, '\n'))
		s->cfg.add(s->cfg.arg, &(struct checkpoint_record){ .kind = CHECKPOINT_TEXT,
								    .ns = checkpoint_now_ns(),
								    .port = CHECKPOINT_DEBUGCON,
								    .text = s->line.text,
								    .vcpu = -1 });
}

void debug_ports_coalesce(struct debug_ports *s, bool on)
{
	s->cfg.coalesced = on;
}

unsigned debug_ports_count(const struct debug_ports *s)
{
	return s->n + 1;
}

void debug_ports_zone(const struct debug_ports *s, unsigned i, struct kvm_coalesced_mmio_zone *out)
{
	const struct io_dev *d = i < s->n ? &s->port[i].dev : &s->text;
	struct io_dev kept = *d;

	// What KVM keeps must not be for others. Writes that do not fit into the zone exit
	kept.at_base = false;
	while (kept.len > 1 && bus_clash(s->bus, &kept, d))
		kept.len /= 2;
	*out = (struct kvm_coalesced_mmio_zone){ .addr = kept.base, .size = kept.len, .pio = 1 };
}

static int add_dev(struct bus *b, struct io_dev *d, struct errtext *why)
{
	const struct io_dev *other = bus_clash(b, d, NULL);

	if (other)
		return errtext_set(why, -EADDRINUSE, "the %s cannot be at %#" PRIx64 ": the %s is there", d->name,
				   d->base, other->name);
	return bus_add(b, d);
}

int debug_ports_create(struct bus *b, const struct debug_ports_cfg *cfg, const uint16_t *port, unsigned n,
		       struct debug_ports **ret, struct errtext *why)
{
	_cleanup_(freep) struct debug_ports *s = calloc(1, sizeof(*s));

	if (!s)
		return -ENOMEM;
	s->cfg = *cfg;
	s->bus = b;
	s->n = n;
	s->text = (struct io_dev){ .name = "debug console",
				   .kind = BUS_PIO,
				   .base = CHECKPOINT_DEBUGCON,
				   .len = 1,
				   .min_op = 1,
				   .max_op = 1,
				   .read = debugcon_read,
				   .write = debugcon_write };
	int rc = add_dev(b, &s->text, why);
	for (unsigned i = 0; i < n && rc == 0; i++) {
		const uint16_t at = port[i];

		s->port[i] = (struct debug_port){
			.dev = { .name = "debug port",
				 .kind = BUS_PIO,
				 .base = at,
				 .len = MIN(VALUE_LEN, 0x10000 - at),
				 .min_op = 1,
				 .max_op = VALUE_LEN,
				 .at_base = true,
				 .read = port_read,
				 .write = port_write },
			.all = s,
		};
		rc = add_dev(b, &s->port[i].dev, why);
	}
	if (rc < 0)
		return rc;
	*ret = take_ptr(s);
	return 0;
}

void debug_ports_destroy(struct debug_ports *s)
{
	free(s);
}
