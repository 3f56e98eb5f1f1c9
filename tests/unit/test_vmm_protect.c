/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>

#include "test.h"
#include "vmm/protect.h"

#define MIB (1ull << 20)

static struct mem m;
static struct protect p;

static int protect_ranges(const struct target_pwatch *set, unsigned n)
{
	return protect_set(&p, &m, set, n);
}

static void open_mem_pages(uint64_t page_size)
{
	CHECK_EQ(mem_init_pages(&m, &mem_layout_x86, page_size, 4 * MIB, NULL), 0);
	for (uint64_t at = 0; at < 4 * MIB; at += 4096)
		memcpy(mem_ptr(&m, GPA(at), 8), &at, 8);
	p.n = 0;
}

static void open_mem(void)
{
	open_mem_pages(4096);
}

static void close_mem(void)
{
	protect_deinit(&p);
	for (uint64_t at = 0; at < 4 * MIB; at += 4096)
		CHECK_MEM(mem_ptr(&m, GPA(at), 8), &at, 8);
	mem_deinit(&m);
}

static void check_slot(const struct kvm_slot *s, uint64_t start, uint64_t size)
{
	CHECK_EQ(s->start.raw, start);
	CHECK_EQ(s->size, size);
}

TEST(a_watched_page_is_a_slot_of_its_own)
{
	const struct target_pwatch w = { GPA(0x5010), 8 };
	struct kvm_slot s[PROTECT_MAX_SLOTS];

	open_mem();
	CHECK_EQ(protect_ranges(&w, 1), 0);
	CHECK_EQ(protect_slots(&p, &m, s), 3);
	check_slot(&s[0], 0, 0x5000);
	check_slot(&s[1], 0x5000, 0x1000);
	check_slot(&s[2], 0x6000, 4 * MIB - 0x6000);
	CHECK(s[1].hva != mem_ptr(&m, GPA(0x5000), 1));
	CHECK_EQ(protect_ranges(NULL, 0), 0);
	CHECK_EQ(protect_slots(&p, &m, s), 1);
	check_slot(&s[0], 0, 4 * MIB);
	close_mem();
}

TEST(the_view_shows_what_is_written_at_the_usual_address)
{
	const struct target_pwatch w = { GPA(0x5000), 8 };
	struct kvm_slot s[PROTECT_MAX_SLOTS];
	uint64_t *host, old;

	open_mem();
	CHECK_EQ(protect_ranges(&w, 1), 0);
	protect_slots(&p, &m, s);
	host = mem_ptr(&m, GPA(0x5000), 8);
	old = *host;
	CHECK_EQ(*(uint64_t *)s[1].hva, old);
	*host = 0x2a;
	CHECK_EQ(*(uint64_t *)s[1].hva, 0x2a);
	protect_lift(&p, true);
	*(uint64_t *)s[1].hva = old;
	protect_lift(&p, false);
	CHECK_EQ(*host, old);
	close_mem();
}

TEST(a_host_with_64k_pages_protects_64k)
{
	const struct target_pwatch w[] = { { GPA(0x25010), 8 }, { GPA(0x2fff8), 16 } };
	struct kvm_slot s[PROTECT_MAX_SLOTS];

	open_mem_pages(0x10000);
	CHECK_EQ(protect_ranges(w, 1), 0);
	CHECK_EQ(protect_slots(&p, &m, s), 3);
	check_slot(&s[0], 0, 0x20000);
	check_slot(&s[1], 0x20000, 0x10000);
	check_slot(&s[2], 0x30000, 4 * MIB - 0x30000);
	CHECK_EQ(protect_ranges(w, 2), 0);
	protect_slots(&p, &m, s);
	check_slot(&s[1], 0x20000, 0x20000);
	close_mem();
}

static sigjmp_buf on_fault;

static void fault(int sig)
{
	siglongjmp(on_fault, sig);
}

TEST(the_view_cannot_be_written)
{
	const struct target_pwatch w = { GPA(0x5000), 8 };
	struct sigaction sa = { .sa_handler = fault }, old;
	struct kvm_slot s[PROTECT_MAX_SLOTS];
	int sig;

	open_mem();
	CHECK_EQ(protect_ranges(&w, 1), 0);
	protect_slots(&p, &m, s);
	sigaction(SIGSEGV, &sa, &old);
	sig = sigsetjmp(on_fault, 1);
	if (!sig)
		*(volatile uint64_t *)s[1].hva = 1;
	sigaction(SIGSEGV, &old, NULL);
	CHECK_EQ(sig, SIGSEGV);
	close_mem();
}

TEST(ranges_that_touch_are_one_piece)
{
	const struct target_pwatch w[] = {
		{ GPA(0x9ff0), 32 }, { GPA(0x5000), 1 }, { GPA(0x6fff), 1 }, { GPA(0), 1 }, { GPA(0xa000), 0x2000 },
	};
	struct kvm_slot s[PROTECT_MAX_SLOTS];

	open_mem();
	CHECK_EQ(protect_ranges(w, 5), 0);
	CHECK_EQ(protect_slots(&p, &m, s), 6);
	check_slot(&s[0], 0, 0x1000);
	check_slot(&s[2], 0x5000, 0x2000);
	check_slot(&s[4], 0x9000, 0x3000);
	close_mem();
}

TEST(what_is_not_ram_is_refused_and_changes_nothing)
{
	const struct target_pwatch good = { GPA(0x5000), 8 };
	const struct target_pwatch bad[] = { good, { GPA(4 * MIB - 4), 8 } };
	struct target_pwatch many[PROTECT_MAX + 1];

	open_mem();
	CHECK_EQ(protect_ranges(&good, 1), 0);
	CHECK_EQ(protect_ranges(bad, 2), -EFAULT);
	for (unsigned i = 0; i <= PROTECT_MAX; i++)
		many[i] = (struct target_pwatch){ GPA(0x2000ull * i), 1 };
	CHECK_EQ(protect_ranges(many, PROTECT_MAX + 1), -ENOSPC);
	CHECK_EQ(p.n, 1);
	CHECK_EQ(p.piece[0].slot.start.raw, 0x5000);
	close_mem();
}

TESTS(T(a_watched_page_is_a_slot_of_its_own), T(the_view_shows_what_is_written_at_the_usual_address),
      T(a_host_with_64k_pages_protects_64k), T(the_view_cannot_be_written), T(ranges_that_touch_are_one_piece),
      T(what_is_not_ram_is_refused_and_changes_nothing))
