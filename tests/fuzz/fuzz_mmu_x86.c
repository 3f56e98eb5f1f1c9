/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The page-table walkers of x86 over tables of anything. Whatever memory says: no read but of aligned entries inside
 * physical memory, no more of them than the mode has levels, and an answer that holds for the whole page or hole.
 *
 * Input: mode and flags, MAXPHYADDR, address (8 bytes), CR3 (8 bytes), then what memory holds, again and again.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "mmu/x86.h"
#include "util/bytes.h"
#include "util/macros.h"

enum { HEADER = 18, CR4_PSE = 1 << 4, CR4_PAE = 1 << 5, CR4_LA57 = 1 << 12, EFER_LONG = 0x500, EFER_NXE = 1 << 11 };

static const unsigned levels[] = {
	[MMU_X86_32BIT] = 2, [MMU_X86_PAE] = 3, [MMU_X86_4LEVEL] = 4, [MMU_X86_5LEVEL] = 5, [MMU_X86_FLAT] = 0
};

struct memory {
	const uint8_t *data;
	size_t n;
	unsigned entry_size, reads;
	unsigned bad; /* this read fails; 0: none */
};

static void require(bool what)
{
	if (!what)
		abort();
}

static int memory_read(void *arg, gpa at, void *buf, size_t len)
{
	struct memory *m = arg;

	require(len == m->entry_size && at.raw % len == 0 && at.raw < BIT64(52));
	require(++m->reads <= MMU_MAX_LEVELS);
	if (m->reads == m->bad)
		return -EFAULT;
	for (size_t i = 0; i < len; i++)
		((uint8_t *)buf)[i] = m->n ? m->data[(at.raw + i) % m->n] : 0;
	return 0;
}

static struct mmu_x86_ctx context(const uint8_t *data)
{
	static const struct mmu_x86_ctx modes[] = {
		[MMU_X86_FLAT] = { .cr0 = 1 },
		[MMU_X86_32BIT] = { .cr0 = 0x80000001 },
		[MMU_X86_PAE] = { .cr0 = 0x80000001, .cr4 = CR4_PAE },
		[MMU_X86_4LEVEL] = { .cr0 = 0x80000001, .cr4 = CR4_PAE, .efer = EFER_LONG },
		[MMU_X86_5LEVEL] = { .cr0 = 0x80000001, .cr4 = CR4_PAE | CR4_LA57, .efer = EFER_LONG },
	};
	struct mmu_x86_ctx c = modes[(data[0] & 7) % ARRAY_LEN(modes)];

	c.cr4 |= data[0] & 8 ? CR4_PSE : 0;
	c.efer |= data[0] & 16 ? EFER_NXE : 0;
	c.phys_bits = data[1] ? 32 + data[1] % 21 : 0;
	c.cr3 = ld_le64(data + 10);
	return c;
}

static void check_answer(const struct mmu_x86_ctx *c, const struct mmu_xlat *x, uint64_t at, unsigned reads)
{
	require(x->nlevels == reads && reads <= levels[mmu_x86_mode(c)]);
	require(x->mapped == (x->why == MMU_MAPPED));
	require(x->size == 0 || at - x->start.raw < x->size);
	if (x->why == MMU_NON_CANONICAL || x->why == MMU_OUT_OF_RANGE)
		return;
	require(x->size && (x->size & (x->size - 1)) == 0 && x->start.raw % x->size == 0);
	if (x->mapped)
		require(x->phys.raw % x->size == 0 && x->phys.raw < BIT64(52) && (x->perm & MMU_R));
}

/* The same answer at both ends of the page or hole. */
static void check_ends(const struct mmu_x86_ctx *c, struct memory *m, const struct mmu_xlat *x)
{
	const uint64_t ends[] = { x->start.raw, x->start.raw + x->size - 1 };

	for (unsigned i = 0; i < ARRAY_LEN(ends); i++) {
		struct mmu_xlat y;

		m->reads = 0;
		require(mmu_x86_walk(c, memory_read, m, GVA(ends[i]), &y) == 0);
		require(y.start.raw == x->start.raw && y.size == x->size && y.phys.raw == x->phys.raw);
		require(y.why == x->why && y.perm == x->perm && y.nlevels == x->nlevels);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct mmu_x86_ctx c;
	struct mmu_xlat x;
	struct memory m;
	uint64_t at;
	int rc;

	if (size < HEADER)
		return 0;
	c = context(data);
	at = ld_le64(data + 2);
	m = (struct memory){ .data = data + HEADER, .n = size - HEADER };
	m.entry_size = mmu_x86_mode(&c) == MMU_X86_32BIT ? 4 : 8;
	m.bad = data[0] >> 5;
	memset(&x, 0xa5, sizeof(x));
	rc = mmu_x86_walk(&c, memory_read, &m, GVA(at), &x);
	if (rc < 0) {
		require(rc == -EFAULT && m.reads == m.bad && x.nlevels == 0xa5a5a5a5);
		return 0;
	}
	check_answer(&c, &x, at, m.reads);
	check_ends(&c, &m, &x);
	return 0;
}
