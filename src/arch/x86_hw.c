/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "arch/x86.h"

#include <errno.h>

#include "util/macros.h"

/* Debug registers: Intel SDM, "Debug Control Register (DR7)" and "Debug Status Register (DR6)". */
#define NSLOTS 4
#define MAX_WATCH 32 /* bytes: what all slots together can cover */
#define DR7_FIXED BIT64(10)
#define DR7_EXACT (BIT64(8) | BIT64(9)) /* LE, GE: the manual asks for both, processors since P6 ignore them */
#define DR7_GLOBAL(slot) BIT64(2 * (slot) + 1)
#define DR7_RW_SHIFT(slot) (16 + 4 * (slot))
#define DR7_LEN_SHIFT(slot) (18 + 4 * (slot))

static const uint8_t rw_bits[] = { [HW_EXEC] = 0, [HW_WRITE] = 1, [HW_ACCESS] = 3 };
static const uint8_t len_bits[] = { [1] = 0, [2] = 1, [4] = 3, [8] = 2 };

static int check(const struct hw_break *b)
{
	if (b->kind == HW_READ)
		return -ENOTSUP;
	if (b->len == 0 || b->len > MAX_WATCH || (b->kind == HW_EXEC && b->len != 1))
		return -EINVAL;
	return b->at.raw + b->len - 1 < b->at.raw ? -EINVAL : 0;
}

/* The longest naturally aligned piece at @at that one slot can watch. */
static uint64_t piece_len(uint64_t at, uint64_t left)
{
	uint64_t len = 8;

	while (len > left || at % len)
		len /= 2;
	return len;
}

static int add_slot(struct arch_hw_state *st, const struct hw_break *part, unsigned owner)
{
	unsigned slot = st->nslots;

	if (slot == NSLOTS)
		return -ENOSPC;
	st->reg[slot] = part->at.raw;
	st->reg[7] |= DR7_EXACT | DR7_GLOBAL(slot) | (uint64_t)rw_bits[part->kind] << DR7_RW_SHIFT(slot) |
		      (uint64_t)len_bits[part->len] << DR7_LEN_SHIFT(slot);
	st->slot[slot].part = *part;
	st->slot[slot].owner = owner;
	st->nslots++;
	return 0;
}

static int add_request(struct arch_hw_state *st, const struct hw_break *b, unsigned owner)
{
	uint64_t at = b->at.raw, left = b->len;

	while (left > 0) {
		struct hw_break part = { .kind = b->kind, .at = GVA(at), .len = piece_len(at, left) };
		int rc = add_slot(st, &part, owner);
		if (rc < 0)
			return rc;
		at += part.len;
		left -= part.len;
	}
	return 0;
}

int x86_hw_encode(const struct arch_hw_max *max, const struct hw_break *req, unsigned n, struct arch_hw_state *out)
{
	struct arch_hw_state st = { .reg = { [7] = DR7_FIXED } };

	for (unsigned i = 0; i < n; i++) {
		int rc = check(&req[i]);
		if (rc < 0)
			return rc;
	}
	for (unsigned i = 0; i < n; i++) {
		int rc = add_request(&st, &req[i], i);
		if (rc < 0)
			return rc;
	}
	*out = st;
	return 0;
}

/* A watch goes first: an exec slot that matches along with it is at the next instruction, and will hit there. */
int x86_hw_decode(const struct arch_hw_state *st, uint64_t dr6, gva unused)
{
	int found = -ENOENT;

	for (unsigned i = 0; i < st->nslots; i++) {
		if (!(dr6 & BIT64(i)))
			continue;
		if (st->slot[i].part.kind != HW_EXEC)
			return (int)i;
		found = found < 0 ? (int)i : found;
	}
	return found;
}
