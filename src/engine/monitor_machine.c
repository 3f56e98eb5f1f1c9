/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Monitor commands about the machine around the vCPUs: its time and its interrupt controllers. */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "engine/internal.h"
#include "util/macros.h"

#define NS_PER_S UINT64_C(1000000000)

static void add_seconds(const char *what, uint64_t ns, struct strbuf *out)
{
	strbuf_addf(out, "%s %" PRIu64 ".%09" PRIu64 " s\n", what, ns / NS_PER_S, ns % NS_PER_S);
}

/* The words that choose. */
static const char *const time_word[] = {
	[TARGET_TIME_KEEP] = "", [TARGET_TIME_FREEZE] = "freeze", [TARGET_TIME_RUN] = "run"
};

void monitor_time(struct monitor_ctx *ctx, const char *args, struct strbuf *out)
{
	unsigned mode = TARGET_TIME_KEEP;
	const struct arch *arch = engine_target(ctx->engine)->arch;
	struct target_time t;
	int rc;

	while (mode < ARRAY_LEN(time_word) && strcmp(args, time_word[mode]) != 0)
		mode++;
	if (mode == ARRAY_LEN(time_word)) {
		strbuf_addf(out, "'%s': expected freeze or run\n", args);
		return;
	}
	rc = target_time(engine_target(ctx->engine), mode, ctx->vcpu, &t);
	if (rc == -ENOTSUP) {
		strbuf_adds(
			out,
			"time stands still while this guest is stopped: its machine sees to that, and has no choice\n");
		return;
	}
	if (rc < 0) {
		strbuf_addf(out, "the guest's time cannot be told: %s\n", strerror(-rc));
		return;
	}
	strbuf_addf(out, "time %s while the guest is stopped\n",
		    t.mode == TARGET_TIME_FREEZE ? "stands still" : "runs on");
	add_seconds("stopped so far", t.held_ns, out);
	if (t.have_clock)
		add_seconds(arch->clock_name, t.clock_ns, out);
	if (t.have_tsc)
		strbuf_addf(out, "%s of vCPU %u %#" PRIx64 "\n", arch->counter_name, ctx->vcpu, t.tsc);
}

/* What only one architecture has. */
static const struct {
	const struct arch *arch; /* NULL: all have it */
	const char *name;
} chips[] = {
	[TARGET_INFO_PIC] = { &arch_x86, "8259A and no I/O APIC" },
	[TARGET_INFO_IRQ] = { NULL, NULL },
	[TARGET_INFO_LAPIC] = { &arch_x86, "local APIC" },
	[TARGET_INFO_VGIC] = { &arch_arm64, "GIC" },
};

static void info(struct monitor_ctx *ctx, enum target_info what, const char *args, struct strbuf *out)
{
	const struct arch *arch = engine_target(ctx->engine)->arch;
	unsigned vcpu = ctx->vcpu;
	int rc;

	if (what == TARGET_INFO_LAPIC ? !monitor_vcpu(ctx, args, out, &vcpu) : !monitor_end(args, out))
		return;
	if (chips[what].arch && chips[what].arch != arch) {
		strbuf_addf(out, "this guest is %s and has no %s\n", arch->name, chips[what].name);
		return;
	}
	rc = target_info(engine_target(ctx->engine), what, vcpu, out);
	if (rc == -ENOTSUP)
		strbuf_adds(out,
			    "there is no list of this guest's interrupt controllers; xp may read their registers\n");
	else if (rc < 0)
		strbuf_addf(out, "the interrupt controllers cannot be read: %s\n", strerror(-rc));
}

void monitor_pic(struct monitor_ctx *ctx, const char *args, struct strbuf *out)
{
	info(ctx, TARGET_INFO_PIC, args, out);
}

void monitor_irq(struct monitor_ctx *ctx, const char *args, struct strbuf *out)
{
	info(ctx, TARGET_INFO_IRQ, args, out);
}

void monitor_lapic(struct monitor_ctx *ctx, const char *args, struct strbuf *out)
{
	info(ctx, TARGET_INFO_LAPIC, args, out);
}

void monitor_vgic(struct monitor_ctx *ctx, const char *args, struct strbuf *out)
{
	info(ctx, TARGET_INFO_VGIC, args, out);
}
