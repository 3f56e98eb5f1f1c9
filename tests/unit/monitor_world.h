/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef TESTS_UNIT_MONITOR_WORLD_H
#define TESTS_UNIT_MONITOR_WORLD_H

#include "engine_world.h"

/* Monitor commands on a fake guest, of x86 or arm64. */
static struct strbuf out;

/* What the command says; valid until the next call. */
static inline const char *say(struct world *w, const char *line)
{
	static bool phys;
	struct monitor_ctx ctx = { .engine = w->e, .phys_mode = &phys };

	strbuf_reset(&out);
	CHECK_EQ(engine_monitor(&ctx, line, &out), 0);
	return strbuf_str(&out);
}

static inline void close_all(struct world *w)
{
	world_close(w);
	strbuf_deinit(&out);
	out = (struct strbuf){ 0 };
}

#define CHECK_HAS(text, part)                                         \
	do {                                                          \
		const char *text_ = (text);                           \
		if (!strstr(text_, part))                             \
			fail_msg("'%s' is not in:\n%s", part, text_); \
	} while (0)

/* An arm64 vCPU with these registers; the rest of the guest stays as it is. */
static struct arm64_regs vcpu_regs;
static uint32_t vcpu_groups;

static inline int vcpu_regs_read(struct target *t, unsigned vcpu, uint32_t groups, struct arch_regs *r)
{
	r->arm64 = vcpu_regs;
	r->have |= groups & vcpu_groups;
	return 0;
}

struct arm64_world {
	struct world w;
	struct target_ops ops;
};

/* Without EL2. */
static inline void arm64_open(struct arm64_world *a)
{
	a->w = world_open((struct target_fake_cfg){ 0 });
	a->ops = *a->w.t->ops;
	a->ops.regs_read = vcpu_regs_read;
	a->w.t->ops = &a->ops;
	a->w.t->arch = &arch_arm64;
	memset(&vcpu_regs, 0, sizeof(vcpu_regs));
	vcpu_groups = ARCH_ALL;
	for (unsigned i = 0; i < ARM64_NSYS; i++)
		arm64_sys_set_absent(&vcpu_regs, (enum arm64_sys)i, strstr(arm64_sys_desc[i].name, "_EL2"));
}

static inline void give(enum arm64_sys reg, uint64_t value)
{
	arm64_sys_set_absent(&vcpu_regs, reg, false);
	vcpu_regs.sys[reg] = value;
}

#endif
