/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Registers of another debug server's vCPUs. */
#include "backend/rsp_internal.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

int rsp_select_locked(struct rsp_target *r, unsigned vcpu)
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
	int rc = rsp_select_locked(r, vcpu);

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

/* The registers of @groups that the g packet has no room for, one by one. What cannot be read is not there. */
static int behind_read_locked(struct rsp_target *r, uint32_t groups, size_t g_len, struct arch_regs *got)
{
	uint32_t lacking = 0;

	for (unsigned num = 0; num < r->map.nregs; num++) {
		const uint8_t *body;
		struct rsp_field f;
		char req[16];
		size_t n;
		int rc;

		if (!r->map.reg[num].size || r->map.reg[num].field < 0 || !rsp_reg_is_behind(&r->map, num, g_len))
			continue;
		f = rsp_field(&r->map, (unsigned)r->map.reg[num].field);
		if (!(f.group & groups & r->map.groups))
			continue;
		snprintf(req, sizeof(req), "p%x", num);
		rc = rsp_ask_locked(r, req, &body, &n);
		if (rc < 0)
			return rc;
		if (rsp_reg_decode(&r->map, num, body, n, got) != 0 && !f.optional)
			lacking |= f.group;
	}
	got->have &= ~(lacking & r->map.machine->whole);
	return 0;
}

int rsp_regs_locked(struct rsp_target *r, unsigned vcpu, uint32_t groups, struct arch_regs *out)
{
	struct arch_regs got = { 0 };
	const uint8_t *body;
	uint32_t more;
	size_t n;
	int rc = g_ask_locked(r, vcpu, &body, &n);

	r->map.machine->clear(&got);
	if (rc == 0)
		rc = rsp_regs_decode(&r->map, body, n, &got, &more);
	if (rc == 0 && more) {
		got.have &= ~(more & ~groups); // not asked for, and not whole
		rc = behind_read_locked(r, groups, n, &got);
	}
	if (rc == 0 && r->hooks->regs_read)
		rc = r->hooks->regs_read(r->arg, vcpu, groups, &got);
	else if (r->t.arch == &arch_x86)
		got.have &= ~(uint32_t)ARCH_SYS; // selectors without their hidden parts say nothing about addresses
	if (rc < 0)
		return rc;
	*out = got;
	return 0;
}

static void regs_merge(struct rsp_target *r, struct arch_regs *to, const struct arch_regs *from, uint32_t groups)
{
	groups &= from->have;
	for (unsigned i = 0; i < r->map.machine->nfields; i++) {
		struct rsp_field f = rsp_field(&r->map, i);

		if (f.group & groups)
			memcpy((uint8_t *)to + f.off, (const uint8_t *)from + f.off, f.size);
	}
	r->map.machine->merge(from, groups, to);
	to->have |= groups;
}

int rsp_op_regs_read(struct target *t, unsigned vcpu, uint32_t groups, struct arch_regs *out)
{
	struct rsp_target *r = rsp_of(t);
	struct arch_regs got;
	WITH_RSP_LOCK(r);
	int rc = rsp_regs_locked(r, vcpu, groups, &got);

	if (rc == 0)
		regs_merge(r, out, &got, groups);
	return rc;
}

/* Where a vCPU is: the starter knows it without the g packet; that one has it anyway. */
int rsp_pc_locked(struct rsp_target *r, unsigned vcpu, gva *pc)
{
	struct arch_regs got = { 0 };
	int rc;

	if (r->hooks->regs_read)
		rc = r->hooks->regs_read(r->arg, vcpu, ARCH_CORE | ARCH_SYS, &got);
	else
		rc = rsp_regs_locked(r, vcpu, 0, &got);
	if (rc < 0)
		return rc;
	// A server's pc without a segment is taken for linear.
	*pc = r->t.arch == &arch_x86 && !r->hooks->regs_read ? GVA(got.x86.rip) : r->t.arch->pc_get(&got);
	return 0;
}

/* The server's number of field @i, or -1. */
static int reg_number(struct rsp_target *r, unsigned i, const struct arch_regs *want)
{
	const struct rsp_field f = rsp_field(&r->map, i);

	if (!f.name)
		return -1;
	if (r->hooks->st_physical && f.st >= 0) {
		unsigned top = want->x86.fstat >> 11 & 7, position = (unsigned)f.st;

		return r->map.by_field[i - position + ((position + top) & 7)];
	}
	return r->map.by_field[i];
}

static int reg_write_locked(struct rsp_target *r, unsigned num, const struct rsp_field *f, const struct arch_regs *want)
{
	_cleanup_(strbuf_deinit) struct strbuf req = { 0 };
	uint8_t val[RSP_REG_MAX] = { 0 };
	size_t size = r->map.reg[num].size;

	memcpy(val, rsp_field_at(&r->map, f, want), MIN(f->size, size));
	strbuf_addf(&req, "P%x=", num);
	strbuf_addhex(&req, val, size);
	return req.oom ? -ENOMEM : rsp_command_locked(r, req.s);
}

int rsp_pc_move_locked(struct rsp_target *r, unsigned vcpu, uint64_t pc)
{
	struct arch_regs now, want;
	int rc = rsp_regs_locked(r, vcpu, 0, &now);

	want = now;
	want.arm64.pc = pc;
	for (unsigned i = 0; rc == 0 && i < r->map.machine->nfields; i++) {
		const struct rsp_field f = rsp_field(&r->map, i);

		if (rsp_field_differs(&r->map, &f, &want, &now))
			rc = reg_write_locked(r, (unsigned)r->map.by_field[i], &f, &want);
	}
	return rc;
}

/* Does the hidden part of this segment follow from a selector that is being changed? */
static bool follows_selector(const struct rsp_field *f, const struct arch_regs *want, const struct arch_regs *now)
{
	return f->seg >= 0 && want->x86.seg[f->seg].sel != now->x86.seg[f->seg].sel;
}

/* Marks what must be written. -ENOTSUP: a change that the server has no packet for. */
static int regs_diff(struct rsp_target *r, uint32_t groups, const struct arch_regs *want, const struct arch_regs *now,
		     bool *change)
{
	const struct rsp_machine *machine = r->map.machine;
	bool rotated = r->t.arch == &arch_x86 && (want->x86.fstat ^ now->x86.fstat) & 0x3800;

	for (unsigned i = 0; i < machine->nfields; i++) {
		const struct rsp_field f = rsp_field(&r->map, i);

		change[i] = f.group & groups && machine->has(want, &f) &&
			    (rsp_field_differs(&r->map, &f, want, now) || (f.st >= 0 && rotated));
		if (!change[i] || reg_number(r, i, want) >= 0)
			continue;
		if (!follows_selector(&f, want, now))
			return -ENOTSUP;
		change[i] = false;
	}
	return 0;
}

int rsp_op_regs_write(struct target *t, unsigned vcpu, uint32_t groups, const struct arch_regs *want)
{
	struct rsp_target *r = rsp_of(t);
	const unsigned n = r->map.machine->nfields;
	struct arch_regs now;
	bool change[RSP_MAX_FIELDS];
	WITH_RSP_LOCK(r);
	int rc = rsp_regs_locked(r, vcpu, groups, &now);

	if (rc == 0 && (now.have & groups) != groups)
		rc = -ENOTSUP;
	if (rc == 0)
		rc = regs_diff(r, groups, want, &now, change);
	for (unsigned i = 0; i < n && rc == 0; i++) {
		const struct rsp_field f = rsp_field(&r->map, i);

		// A base follows its selector unless the caller wants another one than it had.
		if (change[i])
			rc = reg_write_locked(r, (unsigned)reg_number(r, i, want), &f, want);
	}
	if (rc < 0)
		return rc;
	// Servers answer OK to writes that they ignore: believe what is there afterwards.
	rc = rsp_regs_locked(r, vcpu, groups, &now);
	for (unsigned i = 0; i < n && rc == 0; i++) {
		const struct rsp_field f = rsp_field(&r->map, i);

		if (change[i] && rsp_field_differs(&r->map, &f, want, &now))
			rc = -EINVAL;
	}
	return rc;
}
