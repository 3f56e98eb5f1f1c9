/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Guest-physical memory behind another debug server, and its breakpoints. */
#include "backend/rsp_internal.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "util/cursor.h"
#define LOG_ROOM LOG_BACKEND
#include "util/log.h"

/* The region that has @at; without a map, everything. */
static bool region_find(struct rsp_target *r, gpa at, struct target_region *out)
{
	const struct target_region *map;
	unsigned n;

	if (!r->hooks->mem_map) {
		*out = (struct target_region){ .size = UINT64_MAX, .kind = TARGET_RAM };
		return true;
	}
	map = r->hooks->mem_map(r->arg, &n);
	for (unsigned i = 0; i < n; i++) {
		if (at.raw - map[i].start.raw < map[i].size) {
			*out = map[i];
			return true;
		}
	}
	return false;
}

/* A server that translates does so for the thread that is selected. */
static int viewer_select_locked(struct rsp_target *r)
{
	const unsigned viewer = __atomic_load_n(&r->t.viewer, __ATOMIC_RELAXED);

	return !r->t.mem_virtual || r->in_flight ? 0 : rsp_select_locked(r, viewer);
}

static int peek_locked(struct rsp_target *r, uint64_t at, uint8_t *buf, size_t len)
{
	const uint8_t *body;
	struct cur c;
	char req[48];
	size_t n;
	int rc = viewer_select_locked(r);

	if (rc < 0)
		return rc;
	snprintf(req, sizeof(req), "m%" PRIx64 ",%zx", at, len);
	rc = rsp_ask_locked(r, req, &body, &n);
	if (rc < 0)
		return rc;
	c = cur_init(body, n);
	return n == 2 * len && cur_hexbytes(&c, buf, len) == len && cur_done(&c) ? 0 : -EFAULT;
}

static int poke_locked(struct rsp_target *r, uint64_t at, const uint8_t *buf, size_t len)
{
	_cleanup_(strbuf_deinit) struct strbuf req = { 0 };
	int rc = viewer_select_locked(r);

	if (rc < 0)
		return rc;
	strbuf_addf(&req, "M%" PRIx64 ",%zx:", at, len);
	strbuf_addhex(&req, buf, len);
	rc = req.oom ? -ENOMEM : rsp_command_locked(r, req.s);
	return rc == -EIO ? -EFAULT : rc;
}

/* Bytes that one m or M packet moves, with room for what is around them. */
static size_t chunk_max(struct rsp_target *r)
{
	return (r->packet_max - 64) / 2;
}

static int read_piece(struct rsp_target *r, gpa at, uint8_t *buf, size_t len, size_t *got)
{
	struct target_region reg;
	const void *p = NULL;
	int rc;

	if (!region_find(r, at, &reg))
		return -EFAULT;
	len = MIN(len, reg.size - (at.raw - reg.start.raw));
	if (r->hooks->ram && reg.kind == TARGET_RAM)
		p = r->hooks->ram(r->arg, at, &len);
	if (p) {
		memcpy(buf, p, len);
	} else {
		WITH_RSP_LOCK(r);

		len = MIN(len, chunk_max(r));
		rc = peek_locked(r, at.raw, buf, len);
		if (rc < 0)
			return rc;
	}
	*got = len;
	return 0;
}

int rsp_op_mem_read(struct target *t, gpa at, void *buf, size_t len, size_t *done)
{
	size_t at_byte = 0, got = 0;
	int rc = 0;

	for (; at_byte < len && rc == 0; at_byte += got) {
		got = 0;
		rc = read_piece(rsp_of(t), GPA(at.raw + at_byte), (uint8_t *)buf + at_byte, len - at_byte, &got);
	}
	*done = at_byte;
	return at_byte ? 0 : rc;
}

static int write_piece(struct rsp_target *r, gpa at, const uint8_t *buf, size_t len, size_t *got)
{
	uint8_t back[512];
	struct target_region reg;
	WITH_RSP_LOCK(r);
	int rc;

	if (!region_find(r, at, &reg))
		return -EFAULT;
	len = MIN(len, reg.size - (at.raw - reg.start.raw));
	len = MIN(len, reg.kind == TARGET_ROM ? MIN(chunk_max(r), sizeof(back)) : chunk_max(r));
	rc = poke_locked(r, at.raw, buf, len);
	if (rc == 0 && reg.kind == TARGET_ROM) {
		// QEMU drops physical writes to ROM and says OK.
		rc = peek_locked(r, at.raw, back, len);
		if (rc == 0 && memcmp(back, buf, len) != 0)
			rc = -EROFS;
	}
	if (rc == 0)
		*got = len;
	return rc;
}

int rsp_op_mem_write(struct target *t, gpa at, const void *buf, size_t len, size_t *done)
{
	size_t at_byte = 0, got = 0;
	int rc = 0;

	for (; at_byte < len && rc == 0; at_byte += got) {
		got = 0;
		rc = write_piece(rsp_of(t), GPA(at.raw + at_byte), (const uint8_t *)buf + at_byte, len - at_byte, &got);
	}
	*done = at_byte;
	return at_byte ? 0 : rc;
}

int rsp_op_mem_map(struct target *t, const struct target_region **ret, unsigned *n)
{
	struct rsp_target *r = rsp_of(t);
	static const struct target_region everything = { .size = UINT64_MAX, .kind = TARGET_RAM, .name = "memory" };

	if (r->hooks->mem_map) {
		*ret = r->hooks->mem_map(r->arg, n);
	} else {
		*ret = &everything;
		*n = 1;
	}
	return 0;
}

/* ---- breakpoints ---- */

static const char break_type[TARGET_BREAK_NKINDS] = {
	[TARGET_BREAK_SW] = '0',   [TARGET_BREAK_HW] = '1',     [TARGET_WATCH_WRITE] = '2',
	[TARGET_WATCH_READ] = '3', [TARGET_WATCH_ACCESS] = '4',
};

static bool break_same(const struct target_break *a, const struct target_break *b)
{
	return a->kind == b->kind && a->at.raw == b->at.raw && a->len == b->len;
}

static bool break_in(const struct target_break *b, const struct target_break *set, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		if (break_same(b, &set[i]))
			return true;
	}
	return false;
}

static int break_send_locked(struct rsp_target *r, char op, const struct target_break *b)
{
	char req[64];
	int rc;

	snprintf(req, sizeof(req), "%c%c,%" PRIx64 ",%" PRIx64, op, break_type[b->kind], b->at.raw, b->len);
	rc = rsp_command_locked(r, req);
	return rc == -EIO ? -EINVAL : rc;
}

/* Inserts what is in @to and not in @from. On failure takes out again what it put in. */
static int breaks_insert_locked(struct rsp_target *r, const struct target_break *from, unsigned nfrom,
				const struct target_break *to, unsigned nto)
{
	for (unsigned i = 0; i < nto; i++) {
		int rc;

		// A break that is twice in the list is one break.
		if (break_in(&to[i], from, nfrom) || break_in(&to[i], to, i))
			continue;
		rc = break_send_locked(r, 'Z', &to[i]);
		for (unsigned k = i; rc < 0 && k-- > 0;) {
			if (!break_in(&to[k], from, nfrom) && !break_in(&to[k], to, k))
				break_send_locked(r, 'z', &to[k]);
		}
		if (rc < 0)
			return rc;
	}
	return 0;
}

int rsp_op_breaks_set(struct target *t, const struct target_break *set, unsigned n)
{
	struct rsp_target *r = rsp_of(t);
	struct target_break *copy = NULL;
	WITH_RSP_LOCK(r);
	int rc;

	for (unsigned i = 0; i < n; i++) {
		if (!(t->break_kinds & BIT(set[i].kind)))
			return -ENOTSUP;
	}
	if (n) {
		copy = malloc(n * sizeof(*copy));
		if (!copy)
			return -ENOMEM;
		memcpy(copy, set, n * sizeof(*copy));
	}
	rc = breaks_insert_locked(r, r->set, r->nset, copy, n);
	if (rc < 0) {
		free(copy);
		return rc;
	}
	for (unsigned i = 0; i < r->nset; i++) {
		if (!break_in(&r->set[i], copy, n) && !break_in(&r->set[i], r->set, i) &&
		    break_send_locked(r, 'z', &r->set[i]) < 0)
			log_warn("the debug server kept the breakpoint at %#" PRIx64, r->set[i].at.raw);
	}
	free(r->set);
	r->set = copy;
	r->nset = n;
	return 0;
}

/* The breakpoint on instructions at @pc, if there is one. */
const struct target_break *rsp_exec_break_at(struct rsp_target *r, gva pc)
{
	for (unsigned i = 0; i < r->nset; i++) {
		if (r->set[i].at.raw == pc.raw &&
		    (r->set[i].kind == TARGET_BREAK_SW || r->set[i].kind == TARGET_BREAK_HW))
			return &r->set[i];
	}
	return NULL;
}

bool rsp_has_exec_breaks(struct rsp_target *r)
{
	for (unsigned i = 0; i < r->nset; i++) {
		if (r->set[i].kind == TARGET_BREAK_SW || r->set[i].kind == TARGET_BREAK_HW)
			return true;
	}
	return false;
}
