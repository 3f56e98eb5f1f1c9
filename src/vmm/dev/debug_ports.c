/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define LOG_ROOM LOG_VMM
#include "util/log.h"
#include "util/macros.h"
#include "vmm/dev.h"

enum {
	PORT80 = 0x80,
	PORT80_LEN = 4, // a dword write; the DMA page registers that follow do not exist here
	DEBUGCON = 0x402,
	DEBUGCON_HERE = 0xe9, // what firmware expects to read before it writes text
	LINE_MAX_LEN = 160,
};

struct debug_ports {
	struct io_dev dev[2]; // first: the caller frees this
	struct debug_ports_cfg cfg;
	uint8_t last[PORT80_LEN];
	char line[LINE_MAX_LEN + 1];
	unsigned len;
};

enum kvm_fate debug_tell(const struct debug_ports_cfg *cfg, unsigned vcpu, struct checkpoint_record *rec)
{
	if (!cfg->add)
		return KVM_FATE_RUN;
	rec->ns = checkpoint_now_ns();
	rec->vcpu = (int16_t)vcpu;
	rec->mode = CHECKPOINT_EXACT;
	rec->has_pc = cfg->pc->now(cfg->pc, vcpu, &rec->pc) == 0;
	return cfg->add(cfg->arg, rec);
}

static void port80_read(struct io_dev *d, unsigned vcpu, uint32_t off, void *p, unsigned n)
{
	const struct debug_ports *s = container_of(d, struct debug_ports, dev[0]);

	if (off == 0)
		memcpy(p, s->last, n);
}

static enum kvm_fate port80_write(struct io_dev *d, unsigned vcpu, uint32_t off, const void *p, unsigned n)
{
	struct debug_ports *s = container_of(d, struct debug_ports, dev[0]);
	uint32_t v = 0;

	if (off != 0)
		return KVM_FATE_RUN;
	memcpy(&v, p, n);
	memcpy(s->last, &v, sizeof(s->last));
	log_info("port80: write 0x%0*" PRIx32, (int)(2 * n), v);
	return debug_tell(&s->cfg, vcpu,
			  &(struct checkpoint_record){
				  .kind = CHECKPOINT_WRITE, .port = PORT80, .value = v, .size = (uint8_t)n });
}

static void debugcon_read(struct io_dev *d, unsigned vcpu, uint32_t off, void *p, unsigned n)
{
	*(uint8_t *)p = DEBUGCON_HERE;
}

static enum kvm_fate debugcon_line(struct debug_ports *s, unsigned vcpu)
{
	s->line[s->len] = '\0';
	s->len = 0;
	log_info("debugcon: %s", s->line);
	return debug_tell(&s->cfg, vcpu,
			  &(struct checkpoint_record){ .kind = CHECKPOINT_TEXT, .port = DEBUGCON, .text = s->line });
}

static enum kvm_fate debugcon_write(struct io_dev *d, unsigned vcpu, uint32_t off, const void *p, unsigned n)
{
	struct debug_ports *s = container_of(d, struct debug_ports, dev[1]);
	const char ch = *(const char *)p;

	if (ch == '\r')
		return KVM_FATE_RUN;
	if (ch != '\n')
		s->line[s->len++] = ch >= ' ' && ch <= '~' ? ch : '.';
	if (s->len > 0 && (ch == '\n' || s->len == LINE_MAX_LEN))
		return debugcon_line(s, vcpu);
	return KVM_FATE_RUN;
}

int debug_ports_create(struct bus *b, const struct debug_ports_cfg *cfg, struct io_dev **ret)
{
	struct debug_ports *s = calloc(1, sizeof(*s));

	if (!s)
		return -ENOMEM;
	s->cfg = *cfg;
	// clang-format off
	s->dev[0] = (struct io_dev){ .name = "port80", .kind = BUS_PIO, .base = PORT80, .len = PORT80_LEN,
				     .min_op = 1, .max_op = 4, .read = port80_read, .write = port80_write };
	s->dev[1] = (struct io_dev){ .name = "debugcon", .kind = BUS_PIO, .base = DEBUGCON, .len = 1,
				     .min_op = 1, .max_op = 1, .read = debugcon_read, .write = debugcon_write };
	// clang-format on
	const int rc = bus_add_all(b, s->dev, ARRAY_LEN(s->dev));
	if (rc < 0) {
		free(s);
		return rc;
	}
	*ret = s->dev;
	return 0;
}
