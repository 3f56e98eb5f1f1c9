/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "engine/internal.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define LINE_WIDTH 93u
#define REG_TEXT_MAX (2 * ARCH_REG_MAX + 1)

/* Registers up to 64 bits in columns, by the width of their values; wider ones on a line of their own. */
struct columns {
	struct strbuf *out;
	unsigned used, blanks; /* of the line; what is still to come of them */
};

static void columns_end(struct columns *c)
{
	if (c->used)
		strbuf_addc(c->out, '\n');
	c->used = c->blanks = 0;
}

static void columns_add(struct columns *c, const char *name, const char *value)
{
	unsigned width = (unsigned)(strlen(value) <= 8 ? 23 : strlen(value) <= 16 ? 31 : LINE_WIDTH);

	if (c->used + width > LINE_WIDTH)
		columns_end(c);
	strbuf_addf(c->out, "%*s%-14s%s", (int)c->blanks, "", name, value);
	c->used += width;
	c->blanks = width - 14 - (unsigned)strlen(value);
}

/* Most significant byte first, as one writes a number; "-" if it cannot be read. */
static void reg_text(const struct arch_layout *l, unsigned num, const struct arch_regs *r, char text[REG_TEXT_MAX])
{
	uint8_t buf[ARCH_REG_MAX];
	unsigned size = arch_reg_size(l, num);

	if (arch_reg_get(l, num, r, buf) < 0) {
		strcpy(text, "-");
		return;
	}
	for (unsigned i = 0; i < size; i++)
		snprintf(text + 2 * (size_t)i, 3, "%02x", buf[size - 1 - i]);
}

void engine_describe_regs(struct engine *e, unsigned vcpu, uint32_t groups, struct strbuf *out)
{
	const struct arch *arch = engine_target(e)->arch;
	const struct arch_layout *l = arch->all_regs;
	struct columns c = { .out = out };
	struct arch_regs *r;
	int rc = engine_regs(e, vcpu, groups | ARCH_CORE | ARCH_SYS, &r); // those by which a layout is chosen, too

	if (rc < 0) {
		strbuf_addf(out, "registers of vCPU %u cannot be read: %s\n", vcpu, strerror(-rc));
		return;
	}
	if (!l)
		l = arch->layout(r);
	strbuf_addf(out, "vCPU %u\n", vcpu);
	for (unsigned i = 0; i < l->nregs; i++) {
		char text[REG_TEXT_MAX];

		if (~groups & arch_reg_groups(l, i))
			continue;
		if (i && strcmp(l->regs[i].gdb_group, l->regs[i - 1].gdb_group) != 0)
			columns_end(&c);
		reg_text(l, i, r, text);
		columns_add(&c, l->regs[i].name, text);
	}
	columns_end(&c);
}

void monitor_registers(struct monitor_ctx *ctx, const char *args, struct strbuf *out)
{
	unsigned vcpu;

	if (monitor_vcpu(ctx, args, out, &vcpu))
		engine_describe_regs(ctx->engine, vcpu, ARCH_ALL, out);
}

void monitor_vcpus(struct monitor_ctx *ctx, const char *args, struct strbuf *out)
{
	struct target *t = engine_target(ctx->engine);

	if (!monitor_end(args, out))
		return;
	for (unsigned v = 0; v < t->nvcpus; v++)
		if (target_vcpu_online(t, v))
			engine_describe_vcpu(ctx->engine, v, out);
		else
			strbuf_addf(out, "vCPU %u: offline, waits for %s\n", v, t->arch->start_name);
	target_describe(t, out);
}

void monitor_mtree(struct monitor_ctx *ctx, const char *args, struct strbuf *out)
{
	static const char *const kind[] = { [TARGET_RAM] = "ram", [TARGET_ROM] = "rom", [TARGET_MMIO] = "mmio" };
	const struct target_region *map;
	unsigned n;
	int rc;

	if (!monitor_end(args, out))
		return;
	rc = target_mem_map(engine_target(ctx->engine), &map, &n);
	if (rc < 0) {
		strbuf_addf(out, "no memory map: %s\n", strerror(-rc));
		return;
	}
	for (unsigned i = 0; i < n; i++)
		strbuf_addf(out, "%016" PRIx64 "-%016" PRIx64 "  %-4s  %s\n", map[i].start.raw,
			    map[i].start.raw + (map[i].size - 1), kind[map[i].kind], map[i].name);
}
