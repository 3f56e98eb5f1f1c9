/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "mmu_arm64_world.h"

#include "arch/arch.h"

#define EL0 0
#define EL1H 5
#define EL2H 9
#define EL3H 13
#define HCR_VM BIT64(0)
#define HCR_DC BIT64(12)

/* A vCPU with these registers, and no others. */
static struct arch_regs regs_of(uint64_t pstate)
{
	struct arch_regs r = { .have = ARCH_ALL };

	memset(r.arm64.sys_absent, 0xff, sizeof(r.arm64.sys_absent));
	r.arm64.pstate = pstate;
	return r;
}

static void set(struct arch_regs *r, enum arm64_sys reg, uint64_t value)
{
	arm64_sys_set_absent(&r->arm64, reg, false);
	r->arm64.sys[reg] = value;
}

static const uint64_t tcr_48 = T0SZ(48) | T1SZ(48) | TG0_4K | TG1_4K | IPS(SIZE_48);

/* Tables of 4K pages for 48 bits with one page. */
static uint64_t tables_with(struct world *w, uint64_t root, uint64_t at, uint64_t leaf)
{
	uint64_t table = root;

	for (unsigned shift = 39; shift > 12; shift -= 9) {
		uint64_t next = table_new(w, 4096);

		put(w, table, at >> shift & 511, next | VALID | TABLE);
		table = next;
	}
	put(w, table, at >> 12 & 511, leaf | VALID | PAGE);
	return root;
}

static void set_el1(struct arch_regs *r, uint64_t ttbr0, uint64_t ttbr1)
{
	set(r, ARM64_SCTLR_EL1, M_ON);
	set(r, ARM64_TCR_EL1, tcr_48);
	set(r, ARM64_TTBR0_EL1, ttbr0);
	set(r, ARM64_TTBR1_EL1, ttbr1);
}

static void set_el2(struct arch_regs *r, uint64_t hcr, uint64_t tcr, uint64_t ttbr0)
{
	set(r, ARM64_HCR_EL2, hcr);
	set(r, ARM64_SCTLR_EL2, M_ON);
	set(r, ARM64_TCR_EL2, tcr);
	set(r, ARM64_TTBR0_EL2, ttbr0);
}

static struct mmu_xlat walk_regs(struct world *w, const struct arch_regs *r, uint64_t at)
{
	struct mmu_xlat x;

	CHECK_EQ(arch_arm64.walk(r, read_world, w, GVA(at), &x), 0);
	return x;
}

TEST(the_exception_level_and_hcr_decide_whose_tables_are_used)
{
	_cleanup_(world_freep) struct world *w = world_new();
	uint64_t one = tables_with(w, table_new(w, 4096), 0x1000, 0x11000);
	uint64_t two = tables_with(w, table_new(w, 4096), 0x1000, 0x22000);
	const uint64_t tge = ARM64_HCR_TGE, e2h = ARM64_HCR_E2H;
	const struct {
		uint64_t pstate, hcr, phys;
	} cases[] = {
		{ EL0, 0, 0x11000 },         { EL1H, 0, 0x11000 },         { EL2H, 0, 0x22000 },
		{ EL0, e2h, 0x11000 },       { EL1H, e2h, 0x11000 },       { EL2H, e2h, 0x22000 },
		{ EL0, e2h | tge, 0x22000 }, { EL2H, e2h | tge, 0x22000 }, { ARM64_PSTATE_NRW, 0, 0x11000 },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct arch_regs r = regs_of(cases[i].pstate);
		uint64_t tcr = cases[i].hcr & e2h ? tcr_48 : T0SZ(48) | PS(SIZE_48);

		set_el1(&r, one | 0x5ull << 48, one);
		set_el2(&r, cases[i].hcr, tcr, two | 1);
		CHECK_PAGE(walk_regs(w, &r, 0x1000), 0x1000, 4096, cases[i].phys, walk_regs(w, &r, 0x1000).perm);
		CHECK_EQ(arch_arm64.space(&r), cases[i].phys == 0x11000 ? one : two);
		CHECK(arch_arm64.in_space(&r, arch_arm64.space(&r) | 0x7ull << 48 | 1, read_world, w));
		CHECK(!arch_arm64.in_space(&r, cases[i].phys == 0x11000 ? two : one, read_world, w));
	}
}

TEST(without_the_registers_of_its_level_a_walk_is_an_error)
{
	struct arch_regs r = regs_of(EL1H);
	struct mmu_xlat x;

	CHECK_EQ(arch_arm64.walk(&r, read_world, NULL, GVA(0), &x), -ENODATA);
	set_el1(&r, 0, 0);
	r.arm64.pstate = EL2H;
	CHECK_EQ(arch_arm64.walk(&r, read_world, NULL, GVA(0), &x), -ENODATA);
	CHECK_EQ(arch_arm64.space(&r), 0);
	r.arm64.pstate = EL3H;
	CHECK_EQ(arch_arm64.walk(&r, read_world, NULL, GVA(0), &x), -ENODATA);
	r.arm64.pstate = ARM64_PSTATE_NRW | 3; // its kernel has tables of another kind
	CHECK_EQ(arch_arm64.walk(&r, read_world, NULL, GVA(0), &x), -ENOTSUP);
	CHECK_EQ(arch_arm64.walk_untagged(&r, read_world, NULL, GVA(0), &x), -ENOTSUP);
}

TEST(features_that_are_not_told_may_all_be_there)
{
	_cleanup_(world_freep) struct world *w = world_new();
	struct arch_regs r = regs_of(EL1H);

	set_el1(&r, table_new(w, 0x10000), 0);
	r.arm64.sys[ARM64_TCR_EL1] = TG0_64K | T0SZ(52) | IPS(SIZE_52);
	CHECK_HOLE(walk_regs(w, &r, 0), 0, 1ull << 42, MMU_NOT_PRESENT);
	set(&r, ARM64_ID_AA64MMFR0_EL1, SIZE_48);
	CHECK_HOLE(walk_regs(w, &r, 0), 0, 1ull << 42, MMU_NOT_PRESENT);
	set(&r, ARM64_ID_AA64MMFR2_EL1, 0);
	CHECK_HOLE(walk_regs(w, &r, 0), 0, 1ull << 55, MMU_BAD_CONFIG);
}

TEST(to_go_through_everything_tags_are_holes)
{
	_cleanup_(world_freep) struct world *w = world_new();
	struct arch_regs r = regs_of(EL1H);
	struct mmu_xlat x;

	set_el1(&r, tables_with(w, table_new(w, 4096), 0x1000, 0x11000), table_new(w, 4096));
	r.arm64.sys[ARM64_TCR_EL1] |= TBI0;
	CHECK_EQ(walk_regs(w, &r, 0x3300000000001000).phys.raw, 0x11000);
	CHECK_EQ(arch_arm64.walk_untagged(&r, read_world, w, GVA(0x3300000000001000), &x), 0);
	CHECK_HOLE(x, 1ull << 48, -(2ull << 48), MMU_NON_CANONICAL);
}

/* ---- a hypervisor in the guest ---- */

/* Stage 2: [0, 1 GiB) at 0x40000000, in one block; the world is there. */
static struct world *world_of_a_hypervisor(struct arch_regs *r)
{
	struct world *w = world_new();
	uint64_t root;

	w->base += 0x40000000;
	root = table_new(w, 8192);
	put(w, root, 0, 0x40000000 | VALID | S2_R | S2_W);
	*r = regs_of(EL1H);
	set_el1(r, 0, 0);
	set_el2(r, HCR_VM, T0SZ(48) | PS(SIZE_48), 0);
	set(r, ARM64_VTCR_EL2, TG0_4K | SL0(1) | T0SZ(40) | PS(SIZE_40));
	set(r, ARM64_VTTBR_EL2, root | 9ull << 48);
	return w;
}

/* As tables_with(), for tables that stage 2 maps. */
static uint64_t tables_below(struct world *w, uint64_t at, uint64_t leaf)
{
	uint64_t root = table_new(w, 4096), table = root;

	for (unsigned shift = 39; shift > 12; shift -= 9) {
		uint64_t next = table_new(w, 4096);

		put(w, table, at >> shift & 511, (next - 0x40000000) | VALID | TABLE);
		table = next;
	}
	put(w, table, at >> 12 & 511, leaf | VALID | PAGE);
	return root - 0x40000000;
}

TEST(with_stage_2_on_both_stages_are_walked_for_el1_and_el0_only)
{
	struct arch_regs r;
	_cleanup_(world_freep) struct world *w = world_of_a_hypervisor(&r);
	struct mmu_xlat x;

	r.arm64.sys[ARM64_TTBR0_EL1] = tables_below(w, 0x1000, 0x5000);
	CHECK_PAGE(walk_regs(w, &r, 0x1abc), 0x1000, 4096, 0x40005000, RWX);
	r.arm64.pstate = EL0;
	CHECK_PAGE(walk_regs(w, &r, 0x1abc), 0x1000, 4096, 0x40005000, RWX);
	r.arm64.sys[ARM64_SCTLR_EL1] = 0;
	CHECK_PAGE(walk_regs(w, &r, 0x7000), 0, 1ull << 30, 0x40000000, FULL);
	r.arm64.sys[ARM64_SCTLR_EL1] = M_ON; // of no effect with HCR_EL2.DC
	r.arm64.sys[ARM64_HCR_EL2] = HCR_DC;
	CHECK_PAGE(walk_regs(w, &r, 0x7000), 0, 1ull << 30, 0x40000000, FULL);
	r.arm64.sys[ARM64_HCR_EL2] = HCR_VM | ARM64_HCR_TGE; // an application below a hypervisor, without stage 1
	CHECK_PAGE(walk_regs(w, &r, 0x7000), 0, 1ull << 52, 0, FULL);
	r.arm64.sys[ARM64_HCR_EL2] = HCR_VM;
	r.arm64.pstate = EL2H;
	r.arm64.sys[ARM64_SCTLR_EL2] = 0;
	CHECK_PAGE(walk_regs(w, &r, 0x7000), 0, 1ull << 52, 0, FULL);
	r.arm64.sys[ARM64_HCR_EL2] = 0;
	r.arm64.pstate = EL1H;
	CHECK_EQ(arch_arm64.walk(&r, read_world, w, GVA(0x1000), &x), -EFAULT); // nothing at those addresses
}

TEST(stage_2_is_walked_by_the_registers_of_the_vcpu_or_by_given_ones)
{
	struct arch_regs r, bare = regs_of(EL1H);
	_cleanup_(world_freep) struct world *w = world_of_a_hypervisor(&r);
	const struct arch_stage2 *s2 = arch_arm64.stage2;
	struct arch_stage2_regs given = { .control = r.arm64.sys[ARM64_VTCR_EL2] };
	_cleanup_(strbuf_deinit) struct strbuf out = { 0 };
	struct mmu_xlat x;

	CHECK_EQ(s2->walk(&r, NULL, read_world, w, GPA(0x1234), &x), 0);
	CHECK_PAGE(x, 0, 1ull << 30, 0x40000000, RWX);
	s2->text(&r, NULL, &x, &out);
	CHECK_STR(strbuf_str(&out),
		  "stage 2: 40 bits, pages of 4K, 40 physical bits, level 1 at 0x41000000\n"
		  "level 1: entry 00000000400000c1 at 0x41000000: block of 1G at 0x40000000, MemAttr=0 (Device-nGnRnE) "
		  "S2AP=3 (read-write) SH=0 (none) AF=0 Contiguous=0 DBM=0 XN=0 (executable)\n");
	given.root = table_new(w, 8192);
	CHECK_EQ(s2->walk(&bare, &given, read_world, w, GPA(0x1234), &x), 0);
	CHECK_HOLE(x, 0, 1ull << 30, MMU_NOT_PRESENT);
	CHECK_EQ(s2->walk(&bare, NULL, read_world, w, GPA(0x1234), &x), -ENODATA);
	r.arm64.sys[ARM64_HCR_EL2] = 0;
	strbuf_reset(&out);
	s2->text(&r, NULL, &x, &out);
	CHECK(strstr(strbuf_str(&out), "stage 2 is off"));
}

TEST(the_entries_of_a_walk_are_told)
{
	struct arch_regs r;
	_cleanup_(world_freep) struct world *w = world_of_a_hypervisor(&r);
	_cleanup_(strbuf_deinit) struct strbuf out = { 0 };
	struct mmu_xlat x;

	r.arm64.sys[ARM64_TTBR0_EL1] = tables_below(w, 0x1000, 0x5000);
	x = walk_regs(w, &r, 0x1abc);
	arch_arm64.pt_text(&r, GVA(0x1abc), &x, &out);
	CHECK(strstr(strbuf_str(&out), "EL1&0, TTBR0: 48 bits, pages of 4K, 48 physical bits, level 0 at 0x1002000\n"
				       "stage 2 is on: "));
	CHECK(strstr(strbuf_str(&out), "\nlevel 0: entry 0000000001003003 at 0x1002000: table at 0x1003000, "));
	CHECK(strstr(strbuf_str(&out), "\nlevel 3: entry 0000000000005003 at 0x1005008: page at 0x5000, "));
	r.arm64.pstate = EL3H;
	strbuf_reset(&out);
	arch_arm64.pt_text(&r, GVA(0x1abc), &x, &out);
	CHECK_STR(strbuf_str(&out), "");
}

/* ---- page-table isolation of Linux ---- */

#define VECTORS 0xfffffbfffdbf0000
#define KERNEL_TEXT 0xffff800010000000

/* TTBR1 in user mode, with the kernel's tables @pages behind. */
static struct world *world_isolated(struct arch_regs *r, unsigned pages)
{
	struct world *w = world_new();
	uint64_t user = table_new(w, 4096), kernel = user;

	for (unsigned i = 0; i < 3; i++)
		table_new(w, 4096);
	kernel += pages * 4096ull;
	tables_with(w, user, VECTORS, 0x77000);
	tables_with(w, kernel, VECTORS, 0x77000);
	tables_with(w, kernel, KERNEL_TEXT, 0x88000);
	*r = regs_of(EL0);
	set_el1(r, table_new(w, 4096), user | 0x0001000000000001); // ASID, CnP
	set(r, ARM64_VBAR_EL1, VECTORS + 0x800);
	return w;
}

TEST(behind_a_trampoline_the_kernels_own_tables_are_found)
{
	for (unsigned pages = 1; pages <= 2; pages++) {
		struct arch_regs r;
		_cleanup_(world_freep) struct world *w = world_isolated(&r, pages);
		_cleanup_(strbuf_deinit) struct strbuf out = { 0 };
		struct mmu_xlat x = walk_regs(w, &r, KERNEL_TEXT + 0x10);

		CHECK_PAGE(x, KERNEL_TEXT, 4096, 0x88000, RWX);
		arch_arm64.pt_text(&r, GVA(KERNEL_TEXT), &x, &out);
		CHECK(strstr(strbuf_str(&out), "the kernel's own tables"));
		CHECK(strstr(strbuf_str(&out), pages == 1 ? "level 0 at 0x1001000\n" : "level 0 at 0x1002000\n"));
		CHECK_HOLE(walk_regs(w, &r, 0xffff900010000000), 0xffff900000000000, 512ull << 30, MMU_NOT_PRESENT);
		CHECK_PAGE(walk_regs(w, &r, VECTORS), VECTORS, 4096, 0x77000, RWX);
		CHECK_EQ(arch_arm64.walk_untagged(&r, read_world, w, GVA(KERNEL_TEXT), &x), 0);
		CHECK_PAGE(x, KERNEL_TEXT, 4096, 0x88000, RWX);
		// the lower half is the process's
		CHECK_HOLE(walk_regs(w, &r, 0), 0, 512ull << 30, MMU_NOT_PRESENT);
	}
}

TEST(tables_that_do_not_share_the_vectors_are_not_the_kernels)
{
	struct arch_regs r;
	_cleanup_(world_freep) struct world *w = world_isolated(&r, 2);
	uint64_t hole = KERNEL_TEXT & -(512ull << 30);

	r.arm64.sys[ARM64_VBAR_EL1] = VECTORS + 0x10800; // not mapped
	CHECK_HOLE(walk_regs(w, &r, KERNEL_TEXT), hole, 512ull << 30, MMU_NOT_PRESENT);
	r.arm64.sys[ARM64_VBAR_EL1] = VECTORS;
	CHECK(walk_regs(w, &r, KERNEL_TEXT).mapped);
	tables_with(w, w->base + 2 * 4096, VECTORS, 0x78000); // elsewhere
	CHECK_HOLE(walk_regs(w, &r, KERNEL_TEXT), hole, 512ull << 30, MMU_NOT_PRESENT);
	arm64_sys_set_absent(&r.arm64, ARM64_VBAR_EL1, true);
	CHECK_HOLE(walk_regs(w, &r, KERNEL_TEXT), hole, 512ull << 30, MMU_NOT_PRESENT);
}

TESTS(T(the_exception_level_and_hcr_decide_whose_tables_are_used),
      T(without_the_registers_of_its_level_a_walk_is_an_error), T(features_that_are_not_told_may_all_be_there),
      T(to_go_through_everything_tags_are_holes), T(with_stage_2_on_both_stages_are_walked_for_el1_and_el0_only),
      T(stage_2_is_walked_by_the_registers_of_the_vcpu_or_by_given_ones), T(the_entries_of_a_walk_are_told),
      T(behind_a_trampoline_the_kernels_own_tables_are_found),
      T(tables_that_do_not_share_the_vectors_are_not_the_kernels))
