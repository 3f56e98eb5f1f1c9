/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "server/internal.h"
#include "server/packets.h"
#include "util/cursor.h"

/* Registers: g G p P QSaveRegisterState QRestoreRegisterState. Widths and order are those of the session's layout. */
static uint32_t all_groups(const struct arch_layout *l)
{
	uint32_t groups = 0;

	for (unsigned i = 0; i < l->nregs; i++)
		groups |= arch_reg_groups(l, i);
	return groups;
}

static void add_reg(const struct arch_layout *l, unsigned num, const struct arch_regs *r, struct rsp_out *out)
{
	unsigned size = arch_reg_size(l, num);
	uint8_t buf[ARCH_REG_MAX];

	if (arch_reg_get(l, num, r, buf) < 0)
		rsp_out_unavailable(out, size);
	else
		rsp_out_hex(out, buf, size);
}

int h_regs_read(struct session *s, const struct rsp_req *r, struct rsp_out *out)
{
	const struct arch_layout *l;
	struct arch_regs *regs;
	int rc = session_layout(s, &l);

	if (rc == 0)
		rc = engine_regs(s->e, session_vcpu_of(s, r), all_groups(l), &regs);
	if (rc < 0)
		return rc;
	for (unsigned i = 0; i < l->nregs; i++)
		add_reg(l, i, regs, out);
	return 0;
}

int h_reg_read(struct session *s, const struct rsp_req *r, struct rsp_out *out)
{
	const struct arch_layout *l;
	struct arch_regs *regs;
	int rc = session_layout(s, &l);

	if (rc < 0)
		return rc;
	if (r->reg.num >= l->nregs)
		return -EINVAL;
	rc = engine_regs(s->e, session_vcpu_of(s, r), arch_reg_groups(l, r->reg.num), &regs);
	if (rc < 0)
		return rc;
	add_reg(l, r->reg.num, regs, out);
	return 0;
}

int h_reg_write(struct session *s, const struct rsp_req *r, struct rsp_out *out)
{
	const struct arch_layout *l;
	uint8_t buf[ARCH_REG_MAX];
	struct arch_regs *regs;
	unsigned vcpu = session_vcpu_of(s, r);
	struct cur c = cur_init(r->reg.hex, r->reg.hexlen);
	size_t n = cur_hexbytes(&c, buf, sizeof(buf));
	int rc = session_layout(s, &l);

	if (rc < 0)
		return rc;
	if (!cur_done(&c) || r->reg.num >= l->nregs || n != arch_reg_size(l, r->reg.num))
		return -EINVAL;
	rc = engine_regs(s->e, vcpu, arch_reg_groups(l, r->reg.num), &regs);
	if (rc == 0)
		rc = arch_reg_set(l, r->reg.num, regs, buf, n);
	if (rc == 0)
		rc = engine_regs_flush(s->e, vcpu);
	if (rc == 0)
		rsp_out_ok(out);
	return rc;
}

/*
 * One register of a G packet. GDB sends the whole file to change one register: what did not change, and what it was
 * never shown (x's, or zeros in their place), is left alone, so that read-only registers are no obstacle.
 */
static int set_changed(const struct arch_layout *l, unsigned num, struct arch_regs *r, const uint8_t *hex)
{
	unsigned size = arch_reg_size(l, num);
	uint8_t now[ARCH_REG_MAX], buf[ARCH_REG_MAX];
	struct cur c = cur_init(hex, 2 * (size_t)size);

	if (arch_reg_get(l, num, r, now) < 0)
		return 0;
	if (cur_hexbytes(&c, buf, size) != size)
		return -EINVAL;
	return memcmp(buf, now, size) == 0 ? 0 : arch_reg_set(l, num, r, buf, size);
}

static int set_all(const struct arch_layout *l, struct arch_regs *r, const uint8_t *hex)
{
	int rc = 0;

	for (unsigned i = 0; i < l->nregs && rc == 0; i++) {
		rc = set_changed(l, i, r, hex);
		hex += 2 * (size_t)arch_reg_size(l, i);
	}
	return rc;
}

int h_regs_write(struct session *s, const struct rsp_req *r, struct rsp_out *out)
{
	unsigned vcpu = session_vcpu_of(s, r);
	const struct arch_layout *l;
	struct arch_regs *regs, copy;
	int rc = session_layout(s, &l);

	if (rc < 0)
		return rc;
	if (r->regs.hexlen != 2 * arch_g_size(l))
		return -EINVAL;
	rc = engine_regs(s->e, vcpu, all_groups(l), &regs);
	if (rc < 0)
		return rc;
	copy = *regs;
	rc = set_all(l, &copy, r->regs.hex);
	if (rc < 0)
		return rc;
	*regs = copy; // all values are good: nothing was changed by a packet that failed half-way
	rc = engine_regs_flush(s->e, vcpu);
	if (rc == 0)
		rsp_out_ok(out);
	return rc;
}

/* ---- around a client's function call: as it was, but for what the guest's clocks and control registers did ---- */

int h_regs_save(struct session *s, const struct rsp_req *r, struct rsp_out *out)
{
	unsigned vcpu = session_vcpu_of(s, r), slot = s->saved_ids % SAVED_REGS_MAX; // the oldest makes room
	const struct arch_layout *l;
	struct arch_regs *regs;
	int rc = session_layout(s, &l);

	if (rc == 0)
		rc = engine_regs(s->e, vcpu, all_groups(l), &regs);
	if (rc < 0)
		return rc;
	s->saved[slot].id = ++s->saved_ids;
	s->saved[slot].vcpu = vcpu;
	s->saved[slot].regs = *regs;
	rsp_out_fmt(out, "%" PRIu64, s->saved[slot].id);
	return 0;
}

/* The rows that the target description marks save-restore="no" are left alone, as GDB does. */
static int put_back(const struct arch_layout *l, unsigned num, const struct arch_regs *saved, struct arch_regs *r)
{
	uint8_t then[ARCH_REG_MAX], now[ARCH_REG_MAX];

	if (arch_reg_volatile(l, num) || arch_reg_get(l, num, saved, then) < 0 || arch_reg_get(l, num, r, now) < 0)
		return 0;
	return memcmp(then, now, arch_reg_size(l, num)) == 0 ? 0 : arch_reg_set(l, num, r, then, arch_reg_size(l, num));
}

static int put_all_back(struct session *s, unsigned vcpu, const struct arch_regs *saved)
{
	const struct arch_layout *l;
	struct arch_regs *regs, copy;
	int rc = session_layout(s, &l);

	if (rc == 0)
		rc = engine_regs(s->e, vcpu, all_groups(l), &regs);
	if (rc < 0)
		return rc;
	copy = *regs;
	for (unsigned i = 0; i < l->nregs && rc == 0; i++)
		rc = put_back(l, i, saved, &copy);
	if (rc < 0)
		return rc;
	*regs = copy;
	return engine_regs_flush(s->e, vcpu);
}

int h_regs_restore(struct session *s, const struct rsp_req *r, struct rsp_out *out)
{
	unsigned slot = (unsigned)((r->num.value - 1) % SAVED_REGS_MAX), vcpu = session_vcpu_of(s, r);
	int rc;

	if (r->num.value == 0 || s->saved[slot].id != r->num.value)
		return -ENOENT; // never saved, put back already, or too many came after it
	if (s->saved[slot].vcpu != vcpu)
		return -EINVAL;
	rc = put_all_back(s, vcpu, &s->saved[slot].regs);
	if (rc < 0)
		return rc;
	s->saved[slot].id = 0;
	rsp_out_ok(out);
	return 0;
}
