/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>

#include "arch/arm64_step.h"
#include "test.h"

#include "arch/arch.h"
#include "arch/arm64_step.h"
#include "util/macros.h"

#define DATA 0xffff800081234000

static struct hw_break hw(enum hw_kind kind, uint64_t at, uint64_t len)
{
	return (struct hw_break){ .kind = kind, .at = GVA(at), .len = len };
}

static int encode(const struct hw_break *req, unsigned n, struct arch_hw_state *st)
{
	return arch_arm64.hw_encode(&(struct arch_hw_max){ .exec = 6, .watch = 4 }, req, n, st);
}

TEST(a_breakpoint_is_for_a64_code_at_el0_and_el1)
{
	struct hw_break req = hw(HW_EXEC, 0xffff800080010004, 1);
	struct arch_hw_state st;

	CHECK_EQ(encode(&req, 1, &st), 0);
	CHECK_EQ(st.nslots, 1);
	CHECK_EQ(st.reg[0], 0xffff800080010004);
	CHECK_EQ(st.reg[1], 0x1e7); // BAS 1111, PMC 11, E
	req.len = 4;
	CHECK_EQ(encode(&req, 1, &st), 0);
	CHECK_EQ(st.reg[1], 0x1e7);
}

TEST(one_slot_watches_bytes_of_a_doubleword_or_an_aligned_power_of_two)
{
	static const struct {
		enum hw_kind kind;
		uint64_t off, len, wvr, wcr;
	} want[] = {
		{ HW_WRITE, 0, 8, 0, 0x1ff7 },        { HW_READ, 0, 8, 0, 0x1fef },
		{ HW_ACCESS, 0, 8, 0, 0x1fff },       { HW_WRITE, 0, 4, 0, 0x01f7 },
		{ HW_WRITE, 4, 4, 0, 0x1e17 },        { HW_WRITE, 3, 1, 0, 0x0117 },
		{ HW_WRITE, 15, 1, 8, 0x1017 },       { HW_WRITE, 1, 6, 0, 0x0fd7 },
		{ HW_WRITE, 16, 16, 16, 0x04001ff7 }, { HW_ACCESS, 0, 4096, 0, 0x0c001fff },
		{ HW_WRITE, 32, 32, 32, 0x05001ff7 },
	};

	for (unsigned i = 0; i < ARRAY_LEN(want); i++) {
		struct hw_break req = hw(want[i].kind, DATA + want[i].off, want[i].len);
		struct arch_hw_state st;

		CHECK_EQ(encode(&req, 1, &st), 0);
		CHECK_EQ(st.nslots, 1);
		CHECK_EQ(st.reg[0], DATA + want[i].wvr);
		CHECK_EQ(st.reg[1], want[i].wcr);
	}
}

TEST(the_largest_piece_has_2_gib)
{
	struct hw_break req = hw(HW_WRITE, 0x80000000, 0x80000000);
	struct arch_hw_state st;

	CHECK_EQ(encode(&req, 1, &st), 0);
	CHECK_EQ(st.nslots, 1);
	CHECK_EQ(st.reg[1], 0x1f001ff7);
	req = hw(HW_WRITE, 0, UINT64_C(0x200000000));
	CHECK_EQ(encode(&req, 1, &st), 0);
	CHECK_EQ(st.nslots, 4);
	CHECK_EQ(st.reg[6], 0x180000000);
	req.len++;
	CHECK_EQ(encode(&req, 1, &st), -ENOSPC);
	req = hw(HW_WRITE, 1, UINT64_MAX);
	CHECK_EQ(encode(&req, 1, &st), -ENOSPC);
}

/* Does the watchpoint that the two registers describe match this byte? */
static bool matches(uint64_t wvr, uint64_t wcr, uint64_t at)
{
	uint64_t mask = wcr >> 24 & 0x1f, bytes = wcr >> 5 & 0xff;

	if (mask) {
		CHECK(mask >= 3 && bytes == 0xff);
		CHECK_EQ(wvr & (BIT64(mask) - 1), 0);
		return at >> mask == wvr >> mask;
	}
	CHECK_EQ(wvr & 7, 0);
	CHECK((bytes & (bytes + (bytes & -bytes))) == 0); // one run of ones
	return at >> 3 == wvr >> 3 && bytes >> (at & 7) & 1;
}

static void check_covers(const struct arch_hw_state *st, uint64_t at, uint64_t len)
{
	for (uint64_t a = at - 70; a < at + len + 70; a++) {
		unsigned n = 0;

		for (unsigned i = 0; i < st->nslots; i++) {
			bool hit = matches(st->reg[2 * i], st->reg[2 * i + 1], a);

			CHECK_EQ(hit, a - st->slot[i].part.at.raw < st->slot[i].part.len);
			n += hit;
		}
		CHECK_EQ(n, a >= at && a < at + len);
	}
}

TEST(slots_cover_a_range_exactly_or_it_is_refused)
{
	for (uint64_t at = DATA; at < DATA + 33; at++)
		for (uint64_t len = 1; len <= 130; len++) {
			struct hw_break req = hw(HW_WRITE, at, len);
			struct arch_hw_state st;
			int rc = encode(&req, 1, &st);

			CHECK(rc == 0 || (rc == -ENOSPC && len > 24));
			if (rc == 0)
				check_covers(&st, at, len);
		}
}

TEST(breakpoints_and_watchpoints_have_slots_of_their_own)
{
	struct hw_break req[12];
	struct arch_hw_state st = { 0 }, before;

	for (unsigned i = 0; i < 4; i++)
		req[i] = hw(HW_WRITE, DATA + 8 * i, 8);
	for (unsigned i = 4; i < 11; i++)
		req[i] = hw(HW_EXEC, 0x1000 + 4 * i, 1);
	CHECK_EQ(encode(req, 10, &st), 0);
	CHECK_EQ(st.nslots, 10);
	before = st;
	CHECK_EQ(encode(req, 11, &st), -ENOSPC);
	req[10] = hw(HW_READ, DATA, 1);
	CHECK_EQ(encode(req, 11, &st), -ENOSPC);
	CHECK_MEM(&st, &before, sizeof(st));
}

TEST(the_largest_numbers_of_slots_can_be_used)
{
	struct arch_hw_max max = { .exec = 16, .watch = 16 };
	struct hw_break req[ARCH_MAX_HW];
	struct arch_hw_state st;

	for (unsigned i = 0; i < ARCH_MAX_HW; i++)
		req[i] = hw(i % 2 ? HW_EXEC : HW_ACCESS, DATA + 8 * i, 4);
	CHECK_EQ(arch_arm64.hw_encode(&max, req, ARCH_MAX_HW, &st), 0);
	CHECK_EQ(st.nslots, ARCH_MAX_HW);
	for (unsigned i = 0; i < ARCH_MAX_HW; i++)
		CHECK_EQ(st.slot[i].owner, i);
}

TEST(a_range_of_several_slots_knows_its_request)
{
	struct hw_break req[] = { hw(HW_EXEC, 0x1000, 1), hw(HW_WRITE, DATA + 6, 12) };
	struct arch_hw_state st;

	CHECK_EQ(encode(req, 2, &st), 0);
	CHECK_EQ(st.nslots, 4);
	CHECK_EQ(st.slot[0].owner, 0);
	for (unsigned i = 1; i < 4; i++)
		CHECK_EQ(st.slot[i].owner, 1);
}

TEST(what_the_hardware_lacks_is_refused)
{
	static const struct {
		enum hw_kind kind;
		uint64_t at, len;
	} bad[] = {
		{ HW_EXEC, 0x1002, 1 },     { HW_EXEC, 0x1001, 1 },           { HW_EXEC, 0x1000, 2 },
		{ HW_EXEC, 0x1000, 0 },     { HW_EXEC, 0x1000, 8 },           { HW_WRITE, 0x1000, 0 },
		{ HW_READ, UINT64_MAX, 2 }, { HW_ACCESS, UINT64_MAX - 3, 8 }, { HW_WRITE, 0x1000, UINT64_MAX },
	};
	struct arch_hw_state st = { .nslots = 77 };

	for (unsigned i = 0; i < ARRAY_LEN(bad); i++) {
		struct hw_break req = hw(bad[i].kind, bad[i].at, bad[i].len);

		CHECK_EQ(encode(&req, 1, &st), -EINVAL);
		CHECK_EQ(st.nslots, 77);
	}
}

TEST(the_last_bytes_of_the_address_space_can_be_watched)
{
	struct hw_break req = hw(HW_WRITE, UINT64_MAX - 10, 11);
	struct arch_hw_state st;

	CHECK_EQ(encode(&req, 1, &st), 0);
	CHECK_EQ(st.nslots, 2);
	CHECK_EQ(st.reg[2], UINT64_MAX - 7);
}

/* Syndromes of a debug exception from EL0 and from EL1. */
#define BREAKPOINT(low) ((uint64_t)(low ? 0x30 : 0x31) << 26 | BIT(25))
#define WATCHPOINT(low, wnr) ((uint64_t)(low ? 0x34 : 0x35) << 26 | BIT(25) | 0x22 | (wnr) << 6)

TEST(a_breakpoint_is_found_by_its_address)
{
	struct hw_break req[] = { hw(HW_ACCESS, 0x2000, 8), hw(HW_EXEC, 0x1000, 1), hw(HW_EXEC, 0x2000, 1) };
	struct arch_hw_state st;

	CHECK_EQ(encode(req, 3, &st), 0);
	CHECK_EQ(arch_arm64.hw_decode(&st, BREAKPOINT(0), GVA(0x1000)), 1);
	CHECK_EQ(arch_arm64.hw_decode(&st, BREAKPOINT(1), GVA(0x2000)), 2);
	CHECK_EQ(arch_arm64.hw_decode(&st, BREAKPOINT(1), GVA(0x2004)), -ENOENT);
	CHECK_EQ(arch_arm64.hw_decode(&st, (uint64_t)0x32 << 26, GVA(0x1000)), -ENOENT); // a step
	CHECK_EQ(arch_arm64.hw_decode(&st, (uint64_t)0x3c << 26, GVA(0x1000)), -ENOENT); // brk
}

TEST(a_watchpoint_is_the_nearest_to_the_address_that_is_told)
{
	struct hw_break req[] = { hw(HW_WRITE, DATA + 0x10, 4), hw(HW_WRITE, DATA + 0x20, 8),
				  hw(HW_EXEC, DATA + 0x18, 1), hw(HW_WRITE, DATA + 0x1000, 64) };
	static const struct {
		uint64_t far;
		int slot;
	} want[] = {
		{ DATA + 0x10, 0 },
		{ DATA + 0x13, 0 },
		{ DATA + 0x0c, 0 } /* stp that begins below */,
		{ DATA + 0x14, 0 },
		{ DATA + 0x1f, 1 },
		{ DATA + 0x20, 1 },
		{ DATA + 0x27, 1 },
		{ DATA + 0x3c, 1 } /* dc zva by an address above */,
		{ DATA + 0x103f, 3 },
		{ DATA + 0x1200, 3 },
		{ DATA + 0x1800, -ENOENT } /* another block */,
		{ 0, -ENOENT },
	};
	struct arch_hw_state st;

	CHECK_EQ(encode(req, 4, &st), 0);
	for (unsigned i = 0; i < ARRAY_LEN(want); i++)
		CHECK_EQ(arch_arm64.hw_decode(&st, WATCHPOINT(i % 2, 1), GVA(want[i].far)), want[i].slot);
}

TEST(a_read_hits_no_write_watchpoint)
{
	struct hw_break req[] = { hw(HW_WRITE, DATA, 8), hw(HW_READ, DATA, 8) };
	struct arch_hw_state st;

	CHECK_EQ(encode(req, 2, &st), 0);
	CHECK_EQ(arch_arm64.hw_decode(&st, WATCHPOINT(0, 1), GVA(DATA)), 0);
	CHECK_EQ(arch_arm64.hw_decode(&st, WATCHPOINT(0, 0), GVA(DATA)), 1);
	CHECK_EQ(encode(req, 1, &st), 0);
	CHECK_EQ(arch_arm64.hw_decode(&st, WATCHPOINT(0, 0), GVA(DATA)), -ENOENT);
	req[0].kind = HW_ACCESS;
	CHECK_EQ(encode(req, 1, &st), 0);
	CHECK_EQ(arch_arm64.hw_decode(&st, WATCHPOINT(0, 0), GVA(DATA)), 0);
	CHECK_EQ(arch_arm64.hw_decode(&st, WATCHPOINT(0, 1), GVA(DATA)), 0);
}

TEST(a_watchpoint_that_has_the_address_goes_before_nearer_ones_of_others)
{
	struct hw_break req[] = { hw(HW_WRITE, DATA, 8), hw(HW_WRITE, DATA + 0x100, 8),
				  hw(HW_ACCESS, DATA + 0x100, 8) };
	const uint64_t told = BIT64(17) | 2 << 18; // WPTV, WPT
	struct arch_hw_state st;

	CHECK_EQ(encode(req, 3, &st), 0);
	CHECK_EQ(arch_arm64.hw_decode(&st, WATCHPOINT(0, 1), GVA(DATA + 7)), 0);
	CHECK_EQ(arch_arm64.hw_decode(&st, WATCHPOINT(0, 1), GVA(DATA + 0x107)), 1);
	CHECK_EQ(arch_arm64.hw_decode(&st, WATCHPOINT(0, 0), GVA(DATA + 0x107)), 2);
	CHECK_EQ(arch_arm64.hw_decode(&st, WATCHPOINT(0, 1) | told, GVA(DATA)), 2);
	CHECK_EQ(encode(req, 2, &st), 0);
	CHECK_EQ(arch_arm64.hw_decode(&st, WATCHPOINT(0, 1) | told, GVA(DATA)), -ENOENT);
}

TEST(what_a_watchpoint_register_watches_is_what_was_asked_for)
{
	static const struct {
		uint64_t value, control;
		enum hw_kind kind;
		uint64_t at, len;
	} hard[] = {
		{ DATA, 1 | 3 << 3 | 0x24 << 5, HW_ACCESS, DATA + 2, 4 }, /* two bytes, and what is between them */
		{ DATA + 4, 1 | 2 << 3 | 0x0f << 5, HW_WRITE, DATA, 4 },  /* the value's low bits do not matter */
		{ DATA + 8, 1 | 1 << 3 | 0xff << 5 | 6 << 24, HW_READ, DATA, 64 },
	};
	struct hw_break b;

	for (enum hw_kind kind = HW_WRITE; kind <= HW_ACCESS; kind++) {
		for (unsigned len = 1; len <= 64; len = len < 8 ? len + 1 : len * 2) {
			struct hw_break req = hw(kind, len < 8 ? DATA + 8 - len : DATA, len);
			struct arch_hw_state st;

			CHECK_EQ(encode(&req, 1, &st), 0);
			CHECK_EQ(st.nslots, 1);
			arm64_watch_decode(st.reg[0], st.reg[1], &b);
			CHECK_EQ(b.kind, kind);
			CHECK_EQ(b.at.raw, req.at.raw);
			CHECK_EQ(b.len, len);
		}
	}
	for (unsigned i = 0; i < ARRAY_LEN(hard); i++) {
		arm64_watch_decode(hard[i].value, hard[i].control, &b);
		CHECK_EQ(b.kind, hard[i].kind);
		CHECK_EQ(b.at.raw, hard[i].at);
		CHECK_EQ(b.len, hard[i].len);
	}
}

TEST(the_tag_of_an_address_does_not_matter)
{
	struct hw_break req[] = { hw(HW_WRITE, 0x0000aaaa00001000, 8), hw(HW_WRITE, DATA, 8) };
	struct arch_hw_state st;

	CHECK_EQ(encode(req, 2, &st), 0);
	CHECK_EQ(arch_arm64.hw_decode(&st, WATCHPOINT(1, 1), GVA(0x5a00aaaa00001000)), 0);
	CHECK_EQ(arch_arm64.hw_decode(&st, WATCHPOINT(1, 1), GVA(0x5aff800081234000)), 1);
}

TEST(the_watched_address_nearest_to_the_access_is_told)
{
	struct hw_break b = hw(HW_WRITE, 0x1004, 8);

	CHECK_EQ(arch_hw_nearest(&b, GVA(0)).raw, 0x1004);
	CHECK_EQ(arch_hw_nearest(&b, GVA(0x1003)).raw, 0x1004);
	CHECK_EQ(arch_hw_nearest(&b, GVA(0x1007)).raw, 0x1007);
	CHECK_EQ(arch_hw_nearest(&b, GVA(0x100c)).raw, 0x100b);
	CHECK_EQ(arch_hw_nearest(&b, GVA(UINT64_MAX)).raw, 0x100b);
}

TESTS(T(a_breakpoint_is_for_a64_code_at_el0_and_el1),
      T(one_slot_watches_bytes_of_a_doubleword_or_an_aligned_power_of_two), T(the_largest_piece_has_2_gib),
      T(slots_cover_a_range_exactly_or_it_is_refused), T(breakpoints_and_watchpoints_have_slots_of_their_own),
      T(the_largest_numbers_of_slots_can_be_used), T(a_range_of_several_slots_knows_its_request),
      T(what_the_hardware_lacks_is_refused), T(the_last_bytes_of_the_address_space_can_be_watched),
      T(a_breakpoint_is_found_by_its_address), T(a_watchpoint_is_the_nearest_to_the_address_that_is_told),
      T(a_read_hits_no_write_watchpoint), T(a_watchpoint_that_has_the_address_goes_before_nearer_ones_of_others),
      T(what_a_watchpoint_register_watches_is_what_was_asked_for), T(the_tag_of_an_address_does_not_matter),
      T(the_watched_address_nearest_to_the_access_is_told))
