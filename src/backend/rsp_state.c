/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Registers of another debug server's vCPUs. */
#include "backend/rsp_internal.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static int select_locked(struct rsp_target *r, unsigned vcpu)
{
	char req[32];
	int rc;

	if (r->hg == vcpu)
		return 0;
	snprintf(req, sizeof(req), "Hg%" PRIx64, r->tid[vcpu]);
	rc = rsp_command_locked(r, req);
	if (rc == 0)
		r->hg = vcpu;
	return rc;
}

static int g_ask_locked(struct rsp_target *r, unsigned vcpu, const uint8_t **body, size_t *n)
{
	int rc = select_locked(r, vcpu);

	return rc == 0 ? rsp_ask_locked(r, "g", body, n) : rc;
}

int rsp_g_locked(struct rsp_target *r, unsigned vcpu, struct strbuf *out)
{
	const uint8_t *body;
	size_t n;
	int rc = g_ask_locked(r, vcpu, &body, &n);

	strbuf_reset(out);
	if (rc == 0)
		strbuf_add(out, body, n);
	return rc == 0 && out->oom ? -ENOMEM : rc;
}

static int regs_read_locked(struct rsp_target *r, unsigned vcpu, uint32_t groups, struct arch_regs *out)
{
	struct arch_regs got = { 0 };
	const uint8_t *body;
	size_t n;
	int rc = g_ask_locked(r, vcpu, &body, &n);

	got.x86.fp_absent = X86_NO_AVX;
	if (rc == 0)
		rc = rsp_regs_decode(&r->map, body, n, &got);
	if (rc == 0 && r->hooks->regs_read)
		rc = r->hooks->regs_read(r->arg, vcpu, groups, &got);
	else
		got.have &= ~(uint32_t)ARCH_SYS; // selectors without their hidden parts say nothing about addresses
	if (rc < 0)
		return rc;
	*out = got;
	return 0;
}

static void regs_merge(struct arch_regs *to, const struct arch_regs *from, uint32_t groups)
{
	const struct rsp_field *f;
	unsigned n;

	groups &= from->have;
	f = rsp_fields(&n);
	for (unsigned i = 0; i < n; i++) {
		if (f[i].group & groups)
			memcpy((uint8_t *)&to->x86 + f[i].off, (const uint8_t *)&from->x86 + f[i].off, f[i].size);
	}
	if (groups & ARCH_FP)
		to->x86.fp_absent = from->x86.fp_absent;
	if (groups & ARCH_MSR)
		to->x86.msr_have = from->x86.msr_have;
	to->have |= groups;
}

int rsp_op_regs_read(struct target *t, unsigned vcpu, uint32_t groups, struct arch_regs *out)
{
	struct rsp_target *r = rsp_of(t);
	struct arch_regs got;
	WITH_RSP_LOCK(r);
	int rc = regs_read_locked(r, vcpu, groups, &got);

	if (rc == 0)
		regs_merge(out, &got, groups);
	return rc;
}

/* Where a vCPU is: the starter knows it without the g packet. */
int rsp_pc_locked(struct rsp_target *r, unsigned vcpu, gva *pc)
{
	struct arch_regs got = { 0 };
	int rc;

	if (r->hooks->regs_read)
		rc = r->hooks->regs_read(r->arg, vcpu, ARCH_CORE | ARCH_SYS, &got);
	else
		rc = regs_read_locked(r, vcpu, ARCH_CORE, &got);
	if (rc < 0)
		return rc;
	*pc = r->hooks->regs_read ? r->t.arch->pc_get(&got) : GVA(got.x86.rip);
	return 0;
}

/* The server's number of field @i, or -1. */
static int reg_number(struct rsp_target *r, unsigned i, const struct arch_regs *want)
{
	const struct rsp_field *f = rsp_fields(&(unsigned){ 0 });
	size_t st = (size_t)f[i].off - offsetof(struct x86_regs, st);

	if (!f[i].name)
		return -1;
	if (r->hooks->st_physical && f[i].off >= offsetof(struct x86_regs, st) &&
	    f[i].off < offsetof(struct x86_regs, fctrl)) {
		unsigned top = want->x86.fstat >> 11 & 7, position = (unsigned)(st / sizeof(want->x86.st[0]));

		return r->map.by_field[i - position + ((position + top) & 7)];
	}
	return r->map.by_field[i];
}

static int reg_write_locked(struct rsp_target *r, unsigned num, const struct rsp_field *f, const struct arch_regs *want)
{
	_cleanup_(strbuf_deinit) struct strbuf req = { 0 };
	uint8_t val[1024] = { 0 };
	size_t size = r->map.reg[num].size;

	memcpy(val, (const uint8_t *)&want->x86 + f->off, MIN(f->size, size));
	strbuf_addf(&req, "P%x=", num);
	strbuf_addhex(&req, val, size);
	return req.oom ? -ENOMEM : rsp_command_locked(r, req.s);
}

/* Does the hidden part of this segment follow from a selector that is being changed? */
static bool follows_selector(const struct rsp_field *f, const struct arch_regs *want, const struct arch_regs *now)
{
	return f->seg >= 0 && want->x86.seg[f->seg].sel != now->x86.seg[f->seg].sel;
}

static bool is_wanted(const struct rsp_field *f, uint32_t groups, const struct arch_regs *want)
{
	return f->group & groups && (f->msr < 0 || want->x86.msr_have & BIT(f->msr));
}

/* Marks what must be written. -ENOTSUP: a change that the server has no packet for. */
static int regs_diff(struct rsp_target *r, uint32_t groups, const struct arch_regs *want, const struct arch_regs *now,
		     bool *change)
{
	unsigned n;
	const struct rsp_field *f = rsp_fields(&n);
	bool rotated = (want->x86.fstat ^ now->x86.fstat) & 0x3800;

	for (unsigned i = 0; i < n; i++) {
		bool st = f[i].off >= offsetof(struct x86_regs, st) && f[i].off < offsetof(struct x86_regs, fctrl);

		change[i] = is_wanted(&f[i], groups, want) && (rsp_field_differs(&f[i], want, now) || (st && rotated));
		if (!change[i] || reg_number(r, i, want) >= 0)
			continue;
		if (!follows_selector(&f[i], want, now))
			return -ENOTSUP;
		change[i] = false;
	}
	return 0;
}

int rsp_op_regs_write(struct target *t, unsigned vcpu, uint32_t groups, const struct arch_regs *want)
{
	struct rsp_target *r = rsp_of(t);
	struct arch_regs now;
	bool change[256];
	unsigned n;
	const struct rsp_field *f = rsp_fields(&n);
	WITH_RSP_LOCK(r);
	int rc = regs_read_locked(r, vcpu, groups, &now);

	if (rc == 0 && (now.have & groups) != groups)
		rc = -ENOTSUP;
	if (rc == 0)
		rc = regs_diff(r, groups, want, &now, change);
	for (unsigned i = 0; i < n && rc == 0; i++) {
		// A base follows its selector unless the caller wants another one than it had.
		if (change[i])
			rc = reg_write_locked(r, (unsigned)reg_number(r, i, want), &f[i], want);
	}
	if (rc < 0)
		return rc;
	// Servers answer OK to writes that they ignore: believe what is there afterwards.
	rc = regs_read_locked(r, vcpu, groups, &now);
	for (unsigned i = 0; i < n && rc == 0; i++) {
		if (change[i] && rsp_field_differs(&f[i], want, &now))
			rc = -EINVAL;
	}
	return rc;
}
