/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>

#include "test.h"

#include "arch/arch.h"
#include "util/bytes.h"
#include "util/macros.h"

/* What decides the mode, in a few words. */
struct mode {
	uint64_t cr0, efer, rflags;
	uint16_t cs_attr;
	const struct arch_layout *layout;
	const char *text;
};

#define LONG (X86_EFER_LME | X86_EFER_LMA)

static struct arch_regs regs_in(const struct mode *m)
{
	struct arch_regs r = { .have = ARCH_ALL };

	r.x86.cr0 = m->cr0;
	r.x86.efer = m->efer;
	r.x86.rflags = m->rflags;
	r.x86.seg[X86_CS].attr = m->cs_attr;
	r.x86.seg[X86_CS].limit = UINT32_MAX;
	return r;
}

static const struct mode real_mode = { 0, 0, 0, 0, &arch_layout_i8086, "real mode" };
static const struct mode protected_mode = { 1, 0, 0, X86_SEG_DB, &arch_layout_i386, "32-bit protected" };
static const struct mode long_mode = { 1, LONG, 0, X86_SEG_L, &arch_layout_x86_64, "64-bit" };

TEST(mode_and_layout_follow_the_control_registers_and_cs)
{
	static const struct mode others[] = {
		{ 1, 0, 0, 0, &arch_layout_i8086, "16-bit protected" },
		{ 1, 0, X86_RFLAGS_VM, 0, &arch_layout_i8086, "virtual-8086" },
		{ 1, LONG, 0, X86_SEG_DB, &arch_layout_i386, "compatibility mode" },
		{ 1, LONG, 0, 0, &arch_layout_i8086, "compatibility mode" },
		{ 1, X86_EFER_LME, 0, X86_SEG_L | X86_SEG_DB, &arch_layout_i386, "32-bit protected" },
	};
	const struct mode *all[] = { &real_mode, &protected_mode, &long_mode, &others[0],
				     &others[1], &others[2],      &others[3], &others[4] };

	for (unsigned i = 0; i < ARRAY_LEN(all); i++) {
		struct arch_regs r = regs_in(all[i]);
		CHECK_STR(arch_x86.mode_text(&r), all[i]->text);
		CHECK(arch_x86.layout(&r) == all[i]->layout);
	}
}

TEST(pc_adds_the_segment_base_and_wraps_at_4_gib)
{
	struct arch_regs r = regs_in(&real_mode);

	r.x86.seg[X86_CS].base = 0xf0000;
	r.x86.rip = 0xe05b;
	CHECK_EQ(arch_x86.pc_get(&r).raw, 0xfe05b);
	r.x86.seg[X86_CS].base = 0xc0000000;
	r.x86.rip = 0x50001000;
	CHECK_EQ(arch_x86.pc_get(&r).raw, 0x10001000);
	CHECK_EQ(arch_x86.pc_set(&r, GVA(0x10002000)), 0);
	CHECK_EQ(r.x86.rip, 0x50002000);
	CHECK_EQ(r.dirty, ARCH_CORE);
}

TEST(pc_set_refuses_what_the_segment_cannot_reach)
{
	struct arch_regs r = regs_in(&real_mode);

	r.x86.seg[X86_CS].base = 0xf0000;
	r.x86.seg[X86_CS].limit = 0xffff;
	r.x86.rip = 0x1234;
	CHECK_EQ(arch_x86.pc_set(&r, GVA(0x7c00)), -EINVAL);
	CHECK_EQ(arch_x86.pc_set(&r, GVA(0x100000000)), -EINVAL);
	CHECK_EQ(arch_x86.pc_set(&r, GVA(UINT64_MAX)), -EINVAL);
	CHECK_EQ(r.x86.rip, 0x1234);
	CHECK_EQ(r.dirty, 0);
	CHECK_EQ(arch_x86.pc_set(&r, GVA(0xffff0)), 0);
	CHECK_EQ(r.x86.rip, 0xfff0);
}

TEST(pc_in_64bit_code_ignores_the_base)
{
	struct arch_regs r = regs_in(&long_mode);

	r.x86.seg[X86_CS].base = 0x1000;
	r.x86.rip = 0xffffffff81000000;
	CHECK_EQ(arch_x86.pc_get(&r).raw, 0xffffffff81000000);
	CHECK_EQ(arch_x86.pc_set(&r, GVA(0x401000)), 0);
	CHECK_EQ(r.x86.rip, 0x401000);
}

TEST(pc_in_64bit_code_must_be_canonical)
{
	struct arch_regs r = regs_in(&long_mode);

	CHECK_EQ(arch_x86.pc_set(&r, GVA(0x800000000000)), -EINVAL);
	CHECK_EQ(arch_x86.pc_set(&r, GVA(0xffff7fffffffffff)), -EINVAL);
	CHECK_EQ(arch_x86.pc_set(&r, GVA(0xffff800000000000)), 0);
	r.x86.cr4 = 1 << 12; // LA57
	CHECK_EQ(arch_x86.pc_set(&r, GVA(0x800000000000)), 0);
	CHECK_EQ(arch_x86.pc_set(&r, GVA(0x100000000000000)), -EINVAL);
}

static int one_entry(void *arg, gpa at, void *buf, size_t len)
{
	const uint64_t *entry = arg;

	if (at.raw != 0x5000 + 8 * 3 || len != 8)
		return -EFAULT;
	st_le64(buf, *entry);
	return 0;
}

TEST(walk_uses_the_control_registers_of_the_vcpu)
{
	struct arch_regs r = regs_in(&protected_mode);
	struct mmu_xlat x;
	uint64_t entry = 0;

	CHECK_EQ(arch_x86.walk(&r, one_entry, &entry, GVA(0xc0001000), &x), 0);
	CHECK(x.mapped);
	CHECK_EQ(x.size, 1ull << 32);
	r.x86.cr0 |= 1u << 31;
	r.x86.cr4 = 1 << 5; // PAE
	r.x86.cr3 = 0x5000;
	CHECK_EQ(arch_x86.walk(&r, one_entry, &entry, GVA(0xc0001000), &x), 0);
	CHECK(!x.mapped);
	CHECK_EQ(x.size, 1 << 30);
	CHECK_EQ(arch_x86.walk(&r, one_entry, &entry, GVA(0x1000), &x), -EFAULT);
}

/* ---- page-table isolation: two tables side by side, the kernel's first ---- */

#define PTI_PAIR 0x10000ull /* the user's table is at PTI_PAIR + 0x1000 */
enum { PTI_PAGES = 20 };
struct pti_world {
	uint8_t mem[PTI_PAGES * 4096];
	unsigned used; /* pages */
};

static int read_pti(void *arg, gpa at, void *buf, size_t len)
{
	struct pti_world *w = arg;

	if (at.raw < PTI_PAIR || at.raw - PTI_PAIR + len > sizeof(w->mem))
		return -EFAULT;
	memcpy(buf, w->mem + (at.raw - PTI_PAIR), len);
	return 0;
}

static void map_pti(struct pti_world *w, uint64_t table, uint64_t at, uint64_t phys)
{
	for (unsigned shift = 39; shift > 12; shift -= 9) {
		uint8_t *entry = w->mem + (table - PTI_PAIR) + 8 * (at >> shift & 511);

		if (!(ld_le64(entry) & 1))
			st_le64(entry, (PTI_PAIR + 4096ull * w->used++) | 7);
		table = ld_le64(entry) & ~4095ull;
	}
	st_le64(w->mem + (table - PTI_PAIR) + 8 * (at >> 12 & 511), phys | 7);
}

TEST(kernel_addresses_under_page_table_isolation_come_from_the_kernels_half)
{
	const uint64_t idt = 0xfffffe0000000000, text = 0xffffffff81000000, user = 0x400000;
	static struct pti_world w;
	struct arch_regs r = regs_in(&long_mode);
	struct mmu_xlat x;

	w.used = 2;
	map_pti(&w, PTI_PAIR, idt, 0x7000);
	map_pti(&w, PTI_PAIR, text, 0x8000);
	map_pti(&w, PTI_PAIR, user, 0x9000);
	map_pti(&w, PTI_PAIR + 0x1000, user, 0x9000);
	r.x86.cr0 = 0x80000001;
	r.x86.cr4 = 0x20;
	r.x86.cr3 = (PTI_PAIR + 0x1000) | 5; // with a PCID
	CHECK_EQ(arch_x86.walk(&r, read_pti, &w, GVA(text), &x), 0);
	CHECK(!x.mapped); // any two pages side by side are no pair
	map_pti(&w, PTI_PAIR + 0x1000, idt, 0x6000);
	CHECK_EQ(arch_x86.walk(&r, read_pti, &w, GVA(text), &x), 0);
	CHECK(!x.mapped);
	map_pti(&w, PTI_PAIR + 0x1000, idt, 0x7000);
	CHECK_EQ(arch_x86.walk(&r, read_pti, &w, GVA(text), &x), 0);
	CHECK(x.mapped);
	CHECK_EQ(x.phys.raw, 0x8000);
	CHECK_EQ(arch_x86.walk(&r, read_pti, &w, GVA(text + 0x1000), &x), 0);
	CHECK(!x.mapped);
	CHECK_EQ(arch_x86.walk(&r, read_pti, &w, GVA(user + 0x1000), &x), 0);
	CHECK(!x.mapped);
}

TEST(either_table_of_a_process_is_its_address_space)
{
	const uint64_t idt = 0xfffffe0000000000, user = 0x400000, own = PTI_PAIR, other = PTI_PAIR + 0x1000;
	static struct pti_world w;
	struct arch_regs r = regs_in(&long_mode);

	w.used = 2;
	map_pti(&w, own, idt, 0x7000);
	map_pti(&w, other, idt, 0x7000);
	map_pti(&w, own, user, 0x9000);
	map_pti(&w, other, user, 0x9000);
	r.x86.cr0 = 0x80000001;
	r.x86.cr4 = 0x20020;
	r.x86.cr3 = own | 0x805 | BIT64(63);
	CHECK_EQ(arch_x86.space(&r), own);
	CHECK(arch_x86.in_space(&r, own | 3, read_pti, &w));
	CHECK(!arch_x86.in_space(&r, own + 0x2000, read_pti, &w));
	CHECK(!arch_x86.in_space(&r, other, read_pti, &w)); // two processes whose tables happen to be side by side
	memcpy(w.mem + 0x1000, w.mem, 2048);
	w.mem[7] |= 0x80; // no-execute
	CHECK(arch_x86.in_space(&r, other, read_pti, &w));
	r.x86.cr3 = other;
	CHECK(arch_x86.in_space(&r, own, read_pti, &w));
	CHECK(arch_x86.in_space(&r, other, read_pti, &w));
	r = regs_in(&long_mode);
	r.x86.efer = 0;
	r.x86.cr3 = 0x5020;
	CHECK_EQ(arch_x86.space(&r), 0x5000);
	r.x86.cr4 = 0x20;
	CHECK_EQ(arch_x86.space(&r), 0x5020);
}

TEST(breakpoint_instruction_is_known_behind_prefixes)
{
	static const struct {
		const char *code;
		size_t n;
		bool is;
	} rows[] = {
		{ "\xcc", 1, true },      { "\x66\xcc", 2, true },  { "\xf3\x48\xcc", 3, true },
		{ "\x90\xcc", 2, false }, { "\xcd\x03", 2, false }, { "\x66\x66", 2, false },
		{ "\x66\xcc", 1, false }, { "", 0, false },
	};

	for (unsigned i = 0; i < ARRAY_LEN(rows); i++)
		CHECK_EQ(arch_x86.is_bp((const uint8_t *)rows[i].code, rows[i].n), rows[i].is);
}

TEST(msr_numbers_are_all_filled_in_and_distinct)
{
	for (unsigned i = 0; i < X86_NMSR; i++) {
		CHECK(x86_msr_number[i] != 0);
		for (unsigned k = 0; k < i; k++)
			CHECK(x86_msr_number[i] != x86_msr_number[k]);
	}
	CHECK_EQ(x86_msr_number[X86_MSR_LSTAR], 0xc0000082);
}

/* ---- debug registers ---- */

static struct hw_break hw(enum hw_kind kind, uint64_t at, uint64_t len)
{
	return (struct hw_break){ .kind = kind, .at = GVA(at), .len = len };
}

static int encode(const struct hw_break *req, unsigned n, struct arch_hw_state *st)
{
	return arch_x86.hw_encode(&arch_x86.hw_max, req, n, st);
}

TEST(no_request_leaves_only_the_fixed_bit)
{
	struct arch_hw_state st;

	CHECK_EQ(encode(NULL, 0, &st), 0);
	CHECK_EQ(st.nslots, 0);
	CHECK_EQ(st.reg[7], 0x400);
}

TEST(one_slot_holds_each_kind_and_length)
{
	static const struct {
		enum hw_kind kind;
		uint64_t len, dr7;
	} want[] = {
		{ HW_EXEC, 1, 0x00702 },   { HW_WRITE, 1, 0x10702 },  { HW_WRITE, 2, 0x50702 },
		{ HW_WRITE, 4, 0xd0702 },  { HW_WRITE, 8, 0x90702 },  { HW_ACCESS, 1, 0x30702 },
		{ HW_ACCESS, 4, 0xf0702 }, { HW_ACCESS, 8, 0xb0702 },
	};

	for (unsigned i = 0; i < ARRAY_LEN(want); i++) {
		struct hw_break req = hw(want[i].kind, 0xffffffff82000008, want[i].len);
		struct arch_hw_state st;

		CHECK_EQ(encode(&req, 1, &st), 0);
		CHECK_EQ(st.nslots, 1);
		CHECK_EQ(st.reg[0], req.at.raw);
		CHECK_EQ(st.reg[7], want[i].dr7);
	}
}

TEST(four_requests_fill_four_slots_and_a_fifth_finds_none)
{
	struct hw_break req[] = { hw(HW_EXEC, 0x1000, 1), hw(HW_WRITE, 0x2000, 4), hw(HW_EXEC, 0x3001, 1),
				  hw(HW_ACCESS, 0x4000, 8), hw(HW_EXEC, 0x5000, 1) };
	struct arch_hw_state st, before;

	CHECK_EQ(encode(req, 4, &st), 0);
	CHECK_EQ(st.nslots, 4);
	CHECK_EQ(st.reg[2], 0x3001);
	CHECK_EQ(st.reg[3], 0x4000);
	CHECK_EQ(st.reg[7], 0xb0d007aa);
	before = st;
	CHECK_EQ(encode(req, 5, &st), -ENOSPC);
	CHECK_MEM(&st, &before, sizeof(st));
}

TEST(an_odd_range_is_split_into_aligned_slots)
{
	struct hw_break req = hw(HW_WRITE, 0x1001, 8);
	static const uint64_t at[] = { 0x1001, 0x1002, 0x1004, 0x1008 }, len[] = { 1, 2, 4, 1 };
	struct arch_hw_state st;

	CHECK_EQ(encode(&req, 1, &st), 0);
	CHECK_EQ(st.nslots, 4);
	for (unsigned i = 0; i < 4; i++) {
		CHECK_EQ(st.reg[i], at[i]);
		CHECK_EQ(st.slot[i].part.at.raw, at[i]);
		CHECK_EQ(st.slot[i].part.len, len[i]);
		CHECK_EQ(st.slot[i].owner, 0);
	}
}

/* Every range of up to 40 bytes at every alignment: covered exactly, or refused for a reason. */
TEST(slots_cover_a_range_exactly_or_it_is_refused)
{
	for (uint64_t at = 0x1000; at < 0x1010; at++)
		for (uint64_t len = 0; len <= 40; len++) {
			struct hw_break req = hw(HW_WRITE, at, len);
			struct arch_hw_state st;
			int rc = encode(&req, 1, &st);
			uint64_t next = at;

			if (len == 0 || len > 32) {
				CHECK_EQ(rc, -EINVAL);
				continue;
			}
			CHECK(rc == 0 || (rc == -ENOSPC && len > 4));
			for (unsigned i = 0; rc == 0 && i < st.nslots; i++) {
				CHECK_EQ(st.reg[i], next);
				CHECK_EQ(st.reg[i] % st.slot[i].part.len, 0);
				next += st.slot[i].part.len;
			}
			CHECK(rc < 0 || next == at + len);
		}
}

TEST(thirty_two_aligned_bytes_take_all_slots)
{
	struct hw_break req[] = { hw(HW_ACCESS, 0x2000, 32), hw(HW_EXEC, 0x1000, 1) };
	struct arch_hw_state st;

	CHECK_EQ(encode(req, 1, &st), 0);
	CHECK_EQ(st.nslots, 4);
	CHECK_EQ(encode(req, 2, &st), -ENOSPC);
}

TEST(what_the_hardware_lacks_is_refused)
{
	static const struct {
		enum hw_kind kind;
		uint64_t at, len;
		int err;
	} bad[] = {
		{ HW_READ, 0x1000, 4, -ENOTSUP },          { HW_EXEC, 0x1000, 2, -EINVAL },
		{ HW_EXEC, 0x1000, 0, -EINVAL },           { HW_WRITE, 0x1000, 0, -EINVAL },
		{ HW_WRITE, 0x1000, UINT64_MAX, -EINVAL }, { HW_WRITE, 0x1000, 33, -EINVAL },
		{ HW_WRITE, UINT64_MAX - 3, 8, -EINVAL },
	};
	struct arch_hw_state st = { .nslots = 77 };

	for (unsigned i = 0; i < ARRAY_LEN(bad); i++) {
		struct hw_break req = hw(bad[i].kind, bad[i].at, bad[i].len);

		CHECK_EQ(encode(&req, 1, &st), bad[i].err);
		CHECK_EQ(st.nslots, 77);
	}
}

TEST(the_last_bytes_of_the_address_space_can_be_watched)
{
	struct hw_break req = hw(HW_WRITE, UINT64_MAX - 7, 8);
	struct arch_hw_state st;

	CHECK_EQ(encode(&req, 1, &st), 0);
	CHECK_EQ(st.nslots, 1);
}

TEST(a_trap_is_traced_to_the_request_that_owns_the_slot)
{
	struct hw_break req[] = { hw(HW_EXEC, 0x1000, 1), hw(HW_WRITE, 0x2002, 4) }; // slots 1 and 2 are request 1
	struct arch_hw_state st;

	CHECK_EQ(encode(req, 2, &st), 0);
	CHECK_EQ(st.nslots, 3);
	CHECK_EQ(arch_x86.hw_decode(&st, 0xffff0ff1, GVA(0)), 0);
	CHECK_EQ(st.slot[0].owner, 0);
	CHECK_EQ(arch_x86.hw_decode(&st, 0xffff0ff2, GVA(0)), 1);
	CHECK_EQ(st.slot[1].owner, 1);
	CHECK_EQ(arch_x86.hw_decode(&st, 0xffff0ff4, GVA(0)), 2);
	CHECK_EQ(st.slot[2].owner, 1);
	CHECK_EQ(arch_x86.hw_decode(&st, 0xffff0ff5, GVA(0)), 2);       // the exec slot waits at the next instruction
	CHECK_EQ(arch_x86.hw_decode(&st, 0xffff0ff8, GVA(0)), -ENOENT); // slot 3 is not in use
	CHECK_EQ(arch_x86.hw_decode(&st, 0xffff4ff0, GVA(0)), -ENOENT); // single step
}

TEST(page_table_entries_have_the_names_of_their_mode)
{
	enum { PG = 1u << 31, PAE = 1 << 5, LA57 = 1 << 12 };
	static const struct {
		uint64_t cr4, efer;
		unsigned nlevels;
		const char *text;
	} modes[] = {
		{ 0, 0, 2, "PDE   0000000000000001 at 0x8\nPTE   0000000000000002 at 0x10\n" },
		{ PAE, 0, 2, "PDPTE 0000000000000001 at 0x8\nPDE   0000000000000002 at 0x10\n" },
		{ PAE, LONG, 1, "PML4E 0000000000000001 at 0x8\n" },
		{ PAE | LA57, LONG, 2, "PML5E 0000000000000001 at 0x8\nPML4E 0000000000000002 at 0x10\n" },
	};

	for (size_t i = 0; i < ARRAY_LEN(modes); i++) {
		_cleanup_(strbuf_deinit) struct strbuf out = { 0 };
		struct arch_regs r = { .x86 = { .cr0 = PG | 1, .cr4 = modes[i].cr4, .efer = modes[i].efer } };
		struct mmu_xlat x = { .nlevels = modes[i].nlevels, .entry = { 1, 2 }, .entry_at = { GPA(8), GPA(16) } };

		arch_x86.pt_text(&r, GVA(0), &x, &out);
		CHECK_STR(strbuf_str(&out), modes[i].text);
	}
}

TESTS(T(page_table_entries_have_the_names_of_their_mode), T(mode_and_layout_follow_the_control_registers_and_cs),
      T(pc_adds_the_segment_base_and_wraps_at_4_gib), T(pc_set_refuses_what_the_segment_cannot_reach),
      T(pc_in_64bit_code_ignores_the_base), T(pc_in_64bit_code_must_be_canonical),
      T(walk_uses_the_control_registers_of_the_vcpu),
      T(kernel_addresses_under_page_table_isolation_come_from_the_kernels_half),
      T(either_table_of_a_process_is_its_address_space), T(breakpoint_instruction_is_known_behind_prefixes),
      T(msr_numbers_are_all_filled_in_and_distinct), T(no_request_leaves_only_the_fixed_bit),
      T(one_slot_holds_each_kind_and_length), T(four_requests_fill_four_slots_and_a_fifth_finds_none),
      T(an_odd_range_is_split_into_aligned_slots), T(slots_cover_a_range_exactly_or_it_is_refused),
      T(thirty_two_aligned_bytes_take_all_slots), T(what_the_hardware_lacks_is_refused),
      T(the_last_bytes_of_the_address_space_can_be_watched), T(a_trap_is_traced_to_the_request_that_owns_the_slot))
