/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "arch/arm64.h"

#include <errno.h>

#include "arch/arm64_step.h"
#include "util/macros.h"

/*
 * Breakpoint and watchpoint registers: Arm ARM, "DBGBCR<n>_EL1" and "DBGWCR<n>_EL1". All of ours are for EL1 and EL0 of
 * either security state: PMC or PAC is 0b11, HMC and SSC are 0.
 */
#define INSN_LEN 4
#define ENABLE 1u
#define EL0_AND_EL1 (3u << 1)
#define BCR_A64 (0xfu << 5)
#define WCR_LSC_SHIFT 3
#define WCR_BAS_SHIFT 5
#define WCR_MASK_SHIFT 24
#define WCR_MASK_MIN 3 /* less: the bytes that BAS selects */
#define DOUBLEWORD 8
#define MAX_PIECE BIT64(31)

static const uint8_t lsc_bits[] = { [HW_READ] = 1, [HW_WRITE] = 2, [HW_ACCESS] = 3 };

static int check(const struct hw_break *b)
{
	if (b->kind == HW_EXEC)
		return b->at.raw % INSN_LEN || (b->len != 1 && b->len != INSN_LEN) ? -EINVAL : 0;
	return b->len == 0 || b->at.raw + (b->len - 1) < b->at.raw ? -EINVAL : 0;
}

/* What one slot can watch from @at on: bytes of one doubleword, or an aligned power of two from a doubleword on. */
static uint64_t piece_len(uint64_t at, uint64_t left)
{
	uint64_t len = MAX_PIECE;

	if (at % DOUBLEWORD || left < DOUBLEWORD)
		return MIN(left, DOUBLEWORD - at % DOUBLEWORD);
	while (len > left || at % len)
		len /= 2;
	return len;
}

static uint64_t control(const struct hw_break *part)
{
	uint64_t common = ENABLE | EL0_AND_EL1;
	uint64_t bytes = part->len < DOUBLEWORD ? (BIT64(part->len) - 1) << part->at.raw % DOUBLEWORD : 0xff;
	uint64_t mask = part->len > DOUBLEWORD ? (uint64_t)__builtin_ctzll(part->len) : 0;

	if (part->kind == HW_EXEC)
		return common | BCR_A64;
	return common | (uint64_t)lsc_bits[part->kind] << WCR_LSC_SHIFT | bytes << WCR_BAS_SHIFT |
	       mask << WCR_MASK_SHIFT;
}

/* How many are in use of the kind, and how many there are. */
struct pool {
	unsigned used, max;
};

static int add_slot(struct arch_hw_state *st, struct pool *pool, const struct hw_break *part, unsigned owner)
{
	unsigned slot = st->nslots;

	if (pool->used == pool->max || slot == ARCH_MAX_HW)
		return -ENOSPC;
	pool->used++;
	st->reg[2 * slot] = part->kind == HW_EXEC ? part->at.raw : part->at.raw & ~(uint64_t)(DOUBLEWORD - 1);
	st->reg[2 * slot + 1] = control(part);
	st->slot[slot].part = *part;
	st->slot[slot].owner = owner;
	st->nslots++;
	return 0;
}

static int add_watch(struct arch_hw_state *st, struct pool *pool, const struct hw_break *b, unsigned owner)
{
	uint64_t at = b->at.raw, left = b->len;

	while (left > 0) {
		struct hw_break part = { .kind = b->kind, .at = GVA(at), .len = piece_len(at, left) };
		int rc = add_slot(st, pool, &part, owner);
		if (rc < 0)
			return rc;
		at += part.len;
		left -= part.len;
	}
	return 0;
}

int arm64_hw_encode(const struct arch_hw_max *max, const struct hw_break *req, unsigned n, struct arch_hw_state *out)
{
	struct pool exec = { .max = max->exec }, watch = { .max = max->watch };
	struct arch_hw_state st = { 0 };

	for (unsigned i = 0; i < n; i++) {
		int rc = check(&req[i]);
		if (rc < 0)
			return rc;
	}
	for (unsigned i = 0; i < n; i++) {
		int rc = req[i].kind == HW_EXEC ? add_slot(&st, &exec, &req[i], i) : add_watch(&st, &watch, &req[i], i);
		if (rc < 0)
			return rc;
	}
	*out = st;
	return 0;
}

/*
 * FAR need not be in what is watched: an access that begins before may be reported by its first address, and zeroing or
 * maintenance of a cache block by any address in it (Arm ARM, "Determining the memory location that caused a
 * Watchpoint exception"). No block is longer than this.
 */
#define MAX_BLOCK 2048
#define ISS_WNR BIT64(6)
#define ISS_WPTV BIT64(17) /* the number is told */
#define ISS_WPT_SHIFT 18
#define TAG_BITS 8

static uint64_t without_tag(uint64_t at)
{
	return (uint64_t)((int64_t)(at << TAG_BITS) >> TAG_BITS);
}

static bool triggers(const struct hw_break *part, bool write)
{
	return part->kind == HW_ACCESS || part->kind == (write ? HW_WRITE : HW_READ);
}

/* The watchpoint with number @n, as the processor counts. */
static int watch_number(const struct arch_hw_state *st, unsigned n)
{
	for (unsigned i = 0; i < st->nslots; i++) {
		if (st->slot[i].part.kind != HW_EXEC && n-- == 0)
			return (int)i;
	}
	return -ENOENT;
}

/* The first that has the address, and only if none has it the nearest. */
static int nearest_watch(const struct arch_hw_state *st, bool write, gva far)
{
	uint64_t best = UINT64_MAX;
	int found = -ENOENT;

	for (unsigned i = 0; i < st->nslots; i++) {
		gva near = arch_hw_nearest(&st->slot[i].part, far);
		uint64_t distance = near.raw > far.raw ? near.raw - far.raw : far.raw - near.raw;

		if (!triggers(&st->slot[i].part, write) || (near.raw ^ far.raw) / MAX_BLOCK || distance >= best)
			continue;
		best = distance;
		found = (int)i;
	}
	return found;
}

static int watch_at(const struct arch_hw_state *st, uint64_t esr, gva far)
{
	if (esr & ISS_WPTV)
		return watch_number(st, esr >> ISS_WPT_SHIFT & 0x3f);
	return nearest_watch(st, esr & ISS_WNR, far);
}

static int exec_at(const struct arch_hw_state *st, gva pc)
{
	for (unsigned i = 0; i < st->nslots; i++)
		if (st->slot[i].part.kind == HW_EXEC && st->slot[i].part.at.raw == pc.raw)
			return (int)i;
	return -ENOENT;
}

int arm64_hw_decode(const struct arch_hw_state *st, uint64_t esr, gva at)
{
	switch (esr >> ARM64_EC_SHIFT & 0x3f) {
	case ARM64_EC_BREAKPOINT:
	case ARM64_EC_BREAKPOINT_LOW:
		return exec_at(st, at);
	case ARM64_EC_WATCHPOINT:
	case ARM64_EC_WATCHPOINT_LOW:
		return watch_at(st, esr, GVA(without_tag(at.raw)));
	default:
		return -ENOENT;
	}
}

void arm64_watch_decode(uint64_t value, uint64_t control, struct hw_break *out)
{
	static const uint8_t kinds[4] = { HW_ACCESS, HW_READ, HW_WRITE, HW_ACCESS };
	unsigned mask = control >> WCR_MASK_SHIFT & 0x1f, bytes = control >> WCR_BAS_SHIFT & 0xff;
	uint64_t len = mask < WCR_MASK_MIN ? DOUBLEWORD : BIT64(mask);

	*out = (struct hw_break){ .kind = kinds[control >> WCR_LSC_SHIFT & 3],
				  .at = GVA(value & ~(len - 1)),
				  .len = len };
	if (len > DOUBLEWORD || !bytes)
		return;
	out->at.raw += (unsigned)__builtin_ctz(bytes);
	out->len = (unsigned)(32 - __builtin_clz(bytes) - __builtin_ctz(bytes));
}
