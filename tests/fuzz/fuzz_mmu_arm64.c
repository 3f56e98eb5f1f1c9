/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The page-table walkers of arm64, stage 1, stage 2 and both together, over tables of anything. Whatever memory and
 * the registers say: no read but of aligned entries inside physical memory, no more of them than there are levels,
 * and an answer that holds for the whole page or hole.
 *
 * Input: what to walk and the read that fails, registers (8 bytes each), address, then what memory holds, again and
 * again.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "mmu/arm64.h"
#include "util/bytes.h"
#include "util/macros.h"

enum { REGISTERS = 11, HEADER = 2 + 8 * (REGISTERS + 1), STAGE_READS = MMU_MAX_LEVELS };

struct memory {
	const uint8_t *data;
	size_t n;
	unsigned reads;
	unsigned bad; /* this read fails; 0: none */
};

struct question {
	enum { STAGE1, STAGE2, NESTED } kind;
	struct mmu_arm64_ctx c;
	struct mmu_arm64_s2_ctx c2;
};

static void require(bool what)
{
	if (!what)
		abort();
}

static int memory_read(void *arg, gpa at, void *buf, size_t len)
{
	struct memory *m = arg;

	require(len == 8 && at.raw % len == 0 && at.raw < BIT64(52));
	if (++m->reads == m->bad)
		return -EFAULT;
	for (size_t i = 0; i < len; i++)
		((uint8_t *)buf)[i] = m->n ? m->data[(at.raw + i) % m->n] : 0;
	return 0;
}

static struct question question(const uint8_t *data)
{
	struct question q = { 0 };
	uint64_t reg[REGISTERS];

	for (size_t i = 0; i < ARRAY_LEN(reg); i++)
		reg[i] = ld_le64(data + 2 + 8 * i);
	q.kind = data[0] % 3;
	q.c = (struct mmu_arm64_ctx){ .regime = data[0] >> 2 & 3, .sctlr = reg[0], .tcr = reg[1], .ttbr0 = reg[2] };
	q.c.ttbr1 = reg[3];
	q.c.tcr2 = reg[4];
	q.c.pir = reg[5];
	q.c.pire0 = reg[6];
	q.c.mmfr0 = q.c2.mmfr0 = reg[7];
	q.c.mmfr2 = q.c2.mmfr2 = reg[8];
	q.c2.vtcr = reg[9];
	q.c2.vttbr = reg[10];
	q.c2.big_endian = data[0] & 16;
	return q;
}

static int ask(const struct question *q, struct memory *m, uint64_t at, struct mmu_xlat *x)
{
	m->reads = 0;
	switch (q->kind) {
	case STAGE1:
		return mmu_arm64_walk(&q->c, memory_read, m, GVA(at), x);
	case STAGE2:
		return mmu_arm64_s2_walk(&q->c2, memory_read, m, GPA(at), x);
	default:
		return mmu_arm64_nested_walk(&q->c, &q->c2, memory_read, m, GVA(at), x);
	}
}

static bool is_entry_hole(enum mmu_why why)
{
	return why == MMU_NOT_PRESENT || why == MMU_RESERVED_BIT;
}

static void check_answer(const struct question *q, const struct mmu_xlat *x, uint64_t at, unsigned reads)
{
	unsigned most = q->kind == NESTED ? STAGE_READS * (STAGE_READS + 2) : STAGE_READS;

	require(reads <= most && x->nlevels <= MMU_MAX_LEVELS && (q->kind == NESTED || x->nlevels == reads));
	require(x->nlevels == 0 || (x->top_level >= -1 && x->top_level + (int)x->nlevels <= 4));
	require(x->mapped == (x->why == MMU_MAPPED));
	require(x->size == 0 || at - x->start.raw < x->size);
	if (!x->mapped && !is_entry_hole(x->why))
		return;
	require(x->size && (x->size & (x->size - 1)) == 0 && x->start.raw % x->size == 0);
	if (x->mapped)
		require(x->phys.raw % x->size == 0 && x->phys.raw < BIT64(52));
}

/* The same answer at both ends of the page or hole. */
static void check_ends(const struct question *q, struct memory *m, const struct mmu_xlat *x)
{
	const uint64_t ends[] = { x->start.raw, x->start.raw + x->size - 1 };

	for (unsigned i = 0; i < ARRAY_LEN(ends); i++) {
		struct mmu_xlat y;

		require(ask(q, m, ends[i], &y) == 0);
		require(y.start.raw == x->start.raw && y.size == x->size && y.phys.raw == x->phys.raw);
		require(y.why == x->why && y.perm == x->perm && y.nlevels == x->nlevels);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct question q;
	struct mmu_xlat x;
	struct memory m;
	uint64_t at;
	int rc;

	if (size < HEADER)
		return 0;
	q = question(data);
	at = ld_le64(data + HEADER - 8);
	m = (struct memory){ .data = data + HEADER, .n = size - HEADER, .bad = data[1] };
	memset(&x, 0xa5, sizeof(x));
	rc = ask(&q, &m, at, &x);
	if (rc < 0) {
		// A table of stage 1 that stage 2 has not is as if memory had not got it.
		require(rc == -EFAULT && (q.kind == NESTED || m.reads == m.bad) && x.nlevels == 0xa5a5a5a5);
		return 0;
	}
	check_answer(&q, &x, at, m.reads);
	m.bad = 0;
	check_ends(&q, &m, &x);
	return 0;
}
