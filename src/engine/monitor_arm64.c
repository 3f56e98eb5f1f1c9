/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Registers of arm64 in words: values that are given, on any guest, or those of the selected vCPU. */
#include <errno.h>
#include <string.h>

#include "arch/arm64_decode.h"
#include "engine/internal.h"

#define MAX_VALUES 64
#define MAX_LRS 16

/* All the rest of the line as at most @max numbers. False with a sentence. */
static bool take_values(const char *args, const char *what, unsigned max, struct strbuf *out, uint64_t *v, unsigned *n)
{
	for (*n = 0; *args && *n < max; (*n)++)
		if (!monitor_number(&args, what, out, &v[*n]))
			return false;
	return monitor_end(args, out);
}

/* The system registers of the selected vCPU; NULL with a sentence. */
static const struct arm64_regs *own_regs(struct monitor_ctx *ctx, struct strbuf *out)
{
	const struct arch *arch = engine_target(ctx->engine)->arch;
	struct arch_regs *r;
	int rc;

	if (arch != &arch_arm64) {
		strbuf_addf(out, "this guest is %s, without such a register: give a value to decode\n", arch->name);
		return NULL;
	}
	rc = engine_regs(ctx->engine, ctx->vcpu, ARCH_MSR, &r);
	if (rc == 0 && !(r->have & ARCH_MSR))
		rc = -ENODATA;
	if (rc == 0)
		return &r->arm64;
	strbuf_addf(out, "system registers of vCPU %u cannot be read: %s\n", ctx->vcpu, strerror(-rc));
	return NULL;
}

/* Is @reg, without which nothing can be said, to be had? If not, there is a sentence. */
static bool have(struct monitor_ctx *ctx, const struct arm64_regs *r, enum arm64_sys reg, struct strbuf *out)
{
	if (arm64_sys_has(r, reg))
		return true;
	strbuf_addf(out, "vCPU %u shows no %s: give a value to decode\n", ctx->vcpu, arm64_sys_desc[reg].name);
	return false;
}

void monitor_esr(struct monitor_ctx *ctx, const char *args, struct strbuf *out)
{
	static const enum arm64_sys own[] = { ARM64_ESR_EL1, ARM64_ESR_EL2 };
	const struct arm64_regs *r;
	uint64_t v[MAX_VALUES];
	unsigned n;

	if (!take_values(args, "an ESR", MAX_VALUES, out, v, &n))
		return;
	for (unsigned i = 0; i < n; i++)
		arm64_esr_text("ESR", v[i], out);
	r = n ? NULL : own_regs(ctx, out);
	if (!r || !have(ctx, r, ARM64_ESR_EL1, out))
		return;
	for (unsigned i = 0; i < ARRAY_LEN(own); i++)
		if (arm64_sys_has(r, own[i]))
			arm64_esr_text(arm64_sys_desc[own[i]].name, r->sys[own[i]], out);
}

void monitor_hpfar(struct monitor_ctx *ctx, const char *args, struct strbuf *out)
{
	const struct arm64_regs *r;
	uint64_t v[3];
	unsigned n;

	if (!take_values(args, "an HPFAR, FAR or ESR", ARRAY_LEN(v), out, v, &n))
		return;
	if (n == 1)
		strbuf_adds(out, "missing FAR: expected HPFAR FAR [ESR]\n");
	else if (n)
		arm64_hpfar_text(v[0], v[1], n > 2 ? &v[2] : NULL, out);
	r = n ? NULL : own_regs(ctx, out);
	if (r && have(ctx, r, ARM64_HPFAR_EL2, out) && have(ctx, r, ARM64_FAR_EL2, out))
		arm64_hpfar_text(r->sys[ARM64_HPFAR_EL2], r->sys[ARM64_FAR_EL2],
				 arm64_sys_has(r, ARM64_ESR_EL2) ? &r->sys[ARM64_ESR_EL2] : NULL, out);
}

/* As many as there are: IHI 0069, "ICH_VTR_EL2, Interrupt Controller VGIC Type Register", ListRegs. */
static unsigned count_lrs(const struct arm64_regs *r)
{
	unsigned max = arm64_sys_has(r, ARM64_ICH_VTR_EL2) ? (r->sys[ARM64_ICH_VTR_EL2] & 31) + 1 : MAX_LRS, n = 0;

	while (n < MIN(max, MAX_LRS) && arm64_sys_has(r, ARM64_ICH_LR0_EL2 + n))
		n++;
	return n;
}

void monitor_lr(struct monitor_ctx *ctx, const char *args, struct strbuf *out)
{
	static const char gicv2[] = "gicv2 ";
	bool v2 = strncmp(args, gicv2, strlen(gicv2)) == 0;
	const struct arm64_regs *r;
	uint64_t v[MAX_VALUES];
	unsigned n;

	args += v2 ? strlen(gicv2) : 0;
	if (!take_values(args + strspn(args, " \t"), "a list register", MAX_VALUES, out, v, &n))
		return;
	if (n)
		arm64_lr_text(v, n, v2, out);
	r = n ? NULL : own_regs(ctx, out);
	if (r && have(ctx, r, ARM64_ICH_LR0_EL2, out))
		arm64_lr_text(&r->sys[ARM64_ICH_LR0_EL2], count_lrs(r), false, out);
}
