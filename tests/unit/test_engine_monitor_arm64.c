/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The commands that walk translation tables, on an arm64 guest. */
#include "monitor_world.h"

#define EL1H 5
#define EL2H 9
#define TCR_48 (16ull | 16ull << 16 | 2ull << 30 | 5ull << 32)
#define TBI0 (1ull << 37)
#define VTCR_40 (24ull | 1ull << 6 | 2ull << 16) /* level 1, 40 bits in and out */
#define VTTBR (TABLES + 0x80000ull)

/* User text and data, and kernel text: attributes of two pages and a block of 2 MiB. */
#define USER_TEXT 0x00200000000007c3ull    /* AP 3, AF, SH 3, PXN */
#define USER_DATA 0x0060000000000f43ull    /* AP 1, nG, PXN, UXN */
#define KERNEL_BLOCK 0x0050000000000791ull /* AttrIndx 4, AP 2, UXN, contiguous */

static void put_entry(struct world *w, uint64_t table, unsigned index, uint64_t entry)
{
	st_le64(w->ram + table + 8 * (uint64_t)index, entry);
}

static uint64_t next_table(struct world *w)
{
	w->next_table += 4096;
	return w->next_table - 4096;
}

/* TTBR0 has two pages at 0x400000, TTBR1 a block at the start of its half. */
static void open_mapped(struct arm64_world *a)
{
	uint64_t low[4], high[3];
	struct world *w = &a->w;

	arm64_open(a);
	for (unsigned i = 0; i < 4; i++)
		low[i] = next_table(w);
	for (unsigned i = 0; i < 3; i++)
		high[i] = next_table(w);
	for (unsigned i = 0; i < 3; i++)
		put_entry(w, low[i], i == 2 ? 2 : 0, low[i + 1] | 3);
	for (unsigned i = 0; i < 2; i++)
		put_entry(w, high[i], i ? 0 : 256, high[i + 1] | 3);
	put_entry(w, low[3], 0, 0x8000 | USER_TEXT);
	put_entry(w, low[3], 1, 0x9000 | USER_DATA);
	put_entry(w, high[2], 0, 0x200000 | KERNEL_BLOCK);
	vcpu_regs.pstate = EL1H;
	give(ARM64_SCTLR_EL1, 1);
	give(ARM64_TCR_EL1, TCR_48);
	give(ARM64_TTBR0_EL1, low[0]);
	give(ARM64_TTBR1_EL1, high[0]);
	give(ARM64_MAIR_EL1, 0x000000ff440c0400);
	give(ARM64_ID_AA64MMFR0_EL1, 5);
}

/* Registers were changed: forget what was read of them. */
static void look_again(struct arm64_world *a)
{
	engine_destroy(a->w.e);
	CHECK_EQ(engine_create(a->w.t, &a->w.e), 0);
}

TEST(pt_tells_each_entry_in_words)
{
	struct arm64_world a;

	open_mapped(&a);
	CHECK_STR(say(&a.w, "pt 0x400123"),
		  "EL1&0, TTBR0: 48 bits, pages of 4K, 48 physical bits, level 0 at 0x101000\n"
		  "level 0: entry 0000000000102003 at 0x101000: table at 0x102000, APTable=0 UXNTable=0 PXNTable=0\n"
		  "level 1: entry 0000000000103003 at 0x102000: table at 0x103000, APTable=0 UXNTable=0 PXNTable=0\n"
		  "level 2: entry 0000000000104003 at 0x103010: table at 0x104000, APTable=0 UXNTable=0 PXNTable=0\n"
		  "level 3: entry 00200000000087c3 at 0x104000: page at 0x8000, AttrIndx=0 (Device-nGnRnE) AP=3 "
		  "(read-only) SH=3 (inner) AF=1 nG=0 Contiguous=0 DBM=0 PXN=1 UXN=0\n"
		  "0x400123: physical 0x8123, page of 0x1000 bytes, r-xu\n");
	CHECK_HAS(say(&a.w, "pt 0xffff800000001234"),
		  "level 2: entry 0050000000200791 at 0x107000: block of 2M at 0x200000, AttrIndx=4 (Normal, "
		  "write-back) AP=2 (privileged read-only) SH=3 (inner) AF=1 nG=0 Contiguous=1 DBM=0 PXN=0 UXN=1\n"
		  "0xffff800000001234: physical 0x201234, page of 0x200000 bytes, r-x-\n");
	CHECK_HAS(say(&a.w, "pt 0x402000"), "at 0x104010: invalid\n0x402000: not mapped: not present\n");
	CHECK_STR(say(&a.w, "pt 0x1000000000000"),
		  "EL1&0, TTBR0: 48 bits, pages of 4K, 48 physical bits, level 0 at 0x101000\n"
		  "0x1000000000000: not mapped: non-canonical address\n");
	close_all(&a.w);
}

TEST(mem_and_tlb_list_the_ranges_of_both_halves)
{
	struct arm64_world a;

	open_mapped(&a);
	CHECK_STR(say(&a.w, "info mem"), "0000000000400000-0000000000400fff r-xu\n"
					 "0000000000401000-0000000000401fff rw-u\n"
					 "ffff800000000000-ffff8000001fffff r-x-\n");
	CHECK_STR(say(&a.w, "info tlb"), "0000000000400000: 0000000000008000 r-xu GA--0 4K\n"
					 "0000000000401000: 0000000000009000 rw-u -A--0 4K\n"
					 "ffff800000000000: 0000000000200000 r-x- GA-C4 2M\n");
	close_all(&a.w);
}

TEST(mem_shows_a_place_once_whatever_tags_it_may_have)
{
	struct arm64_world a;

	open_mapped(&a);
	vcpu_regs.sys[ARM64_TCR_EL1] |= TBI0;
	CHECK_HAS(say(&a.w, "pt 0x7700000000400123"), "0x7700000000400123: physical 0x8123");
	CHECK_STR(say(&a.w, "info mem"), "0000000000400000-0000000000400fff r-xu\n"
					 "0000000000401000-0000000000401fff rw-u\n"
					 "ffff800000000000-ffff8000001fffff r-x-\n");
	close_all(&a.w);
}

TEST(with_stage_1_off_all_is_one_page)
{
	struct arm64_world a;

	open_mapped(&a);
	vcpu_regs.sys[ARM64_SCTLR_EL1] = 0;
	CHECK_STR(say(&a.w, "pt 0x1234"),
		  "EL1&0, TTBR0: stage 1 is off\n0x1234: physical 0x1234, page of 0x1000000000000 bytes, rwxu\n");
	CHECK_STR(say(&a.w, "info mem"), "0000000000000000-0000ffffffffffff rwxu\n");
	CHECK_HAS(say(&a.w, "info tlb"), "0000000000000000: 0000000000000000 rwxu ----- 262144G\n");
	close_all(&a.w);
}

TEST(without_the_registers_of_its_level_no_table_can_be_read)
{
	struct arm64_world a;

	open_mapped(&a);
	vcpu_regs.pstate = EL2H;
	CHECK_STR(say(&a.w, "pt 0x1234"), "0x1234: a page table cannot be read: No data available\n");
	CHECK_HAS(say(&a.w, "info mem"), "a page table cannot be read: No data available");
	vcpu_regs.pstate = EL1H;
	vcpu_groups = ARCH_CORE;
	look_again(&a);
	CHECK_HAS(say(&a.w, "info tlb"), "a page table cannot be read: No data available");
	close_all(&a.w);
}

/* Stage 2: 1 GiB at 0, but for the second table a block. */
static void map_stage2(struct world *w)
{
	put_entry(w, VTTBR, 0, 0x00000000000007fd);
	put_entry(w, VTTBR, 512, 0x80000000 | 0x40000000000451);
}

TEST(s2pt_walks_by_given_registers)
{
	struct arm64_world a;

	open_mapped(&a);
	map_stage2(&a.w);
	CHECK_STR(say(&a.w, "s2pt 0x8000001234"),
		  "vCPU 0 shows no VTTBR_EL2 and VTCR_EL2: give values, s2pt IPA VTTBR VTCR\n");
	CHECK_STR(say(&a.w, "s2pt 0x8000001234 0x0005000000180001 0x20058"),
		  "stage 2: 40 bits, pages of 4K, 40 physical bits, level 1 at 0x180000\n"
		  "level 1: entry 0040000080000451 at 0x181000: block of 1G at 0x80000000, MemAttr=4 (reserved) "
		  "S2AP=1 (read-only) SH=0 (none) AF=1 Contiguous=0 DBM=0 XN=2 (not executable)\n"
		  "0x8000001234: physical 0x80001234, page of 0x40000000 bytes, r---\n");
	CHECK_HAS(say(&a.w, "s2pt 0x10000000000 0x180000 0x20058"), "not mapped: address too wide for this mode");
	CHECK_HAS(say(&a.w, "s2pt 0 0x180000 0x400c8"),
		  "stage 2: size, granule and first level do not go together\n0: not mapped: translation registers");
	CHECK_HAS(say(&a.w, "s2pt 0 0x7f000000 0x20058"), "0: a page table cannot be read");
	close_all(&a.w);
}

TEST(s2pt_walks_by_the_registers_of_the_vcpu)
{
	struct arm64_world a;

	open_mapped(&a);
	map_stage2(&a.w);
	give(ARM64_HCR_EL2, 0);
	give(ARM64_VTTBR_EL2, VTTBR);
	give(ARM64_VTCR_EL2, VTCR_40);
	CHECK_HAS(say(&a.w, "s2pt 0x1234"), "stage 2 is off (HCR_EL2.VM is 0)");
	CHECK_HAS(say(&a.w, "s2pt 0x1234"), "0x1234: physical 0x1234, page of 0x40000000 bytes, rwx-\n");
	vcpu_regs.sys[ARM64_HCR_EL2] = 1;
	look_again(&a);
	CHECK(!strstr(say(&a.w, "s2pt 0x1234"), "stage 2 is off"));
	CHECK_HAS(say(&a.w, "pt 0x400123"), "stage 2 is on: ");
	CHECK_HAS(say(&a.w, "pt 0x400123"), "0x400123: physical 0x8123, page of 0x1000 bytes, r-xu\n");
	vcpu_regs.sys[ARM64_TCR_EL1] |= 63; // nothing of stage 1
	look_again(&a);
	CHECK_HAS(say(&a.w, "pt 0x400123"), "EL1&0, TTBR0: the registers do not describe tables\n");
	close_all(&a.w);
}

TEST(what_s2pt_cannot_take_is_named)
{
	struct world w = world_open((struct target_fake_cfg){ 0 });
	struct arm64_world a;

	CHECK_STR(say(&w, "s2pt 0x1000"), "this guest is x86, without a second stage of translation\n");
	close_all(&w);
	open_mapped(&a);
	CHECK_HAS(say(&a.w, "s2pt"), "missing an intermediate address");
	CHECK_HAS(say(&a.w, "s2pt 0 1"), "missing a value of VTCR_EL2");
	CHECK_HAS(say(&a.w, "s2pt 0 x 1"), "'x' is not a value of VTTBR_EL2");
	CHECK_HAS(say(&a.w, "s2pt 0 1 2 3"), "'3': expected nothing more");
	close_all(&a.w);
}

TEST(the_filter_of_address_spaces_goes_by_ttbr0)
{
	struct arm64_world a;

	open_mapped(&a);
	CHECK_STR(say(&a.w, "bp-filter ttbr0 current"), "breakpoints and watchpoints count while ttbr0 is 0x101000\n");
	CHECK_STR(say(&a.w, "bp-filter cr3 current"), "'cr3 current': expected ttbr0 VALUE, ttbr0 current or off\n");
	close_all(&a.w);
}

TEST(memory_is_read_through_the_tables)
{
	struct arm64_world a;
	uint8_t byte;
	size_t n;

	open_mapped(&a);
	a.w.ram[0x9010] = 0x5a;
	CHECK_EQ(engine_mem_read(a.w.e, 0, ENGINE_VIRT, 0x401010, &byte, 1, &n), 0);
	CHECK_EQ(byte, 0x5a);
	CHECK_EQ(engine_mem_read(a.w.e, 0, ENGINE_VIRT, 0x402010, &byte, 1, &n), -EFAULT);
	close_all(&a.w);
}

TEST(interrupt_controllers_are_those_of_the_architecture)
{
	struct arm64_world a;

	arm64_open(&a);
	CHECK_STR(say(&a.w, "info irq"), "info 1 of vCPU 0\n");
	CHECK_STR(say(&a.w, "info vgic"), "info 3 of vCPU 0\n");
	CHECK_STR(say(&a.w, "info pic"), "this guest is arm64 and has no 8259A and no I/O APIC\n");
	CHECK_STR(say(&a.w, "info lapic"), "this guest is arm64 and has no local APIC\n");
	a.ops.info = NULL;
	CHECK_STR(say(&a.w, "info vgic"),
		  "there is no list of this guest's interrupt controllers; xp may read their registers\n");
	close_all(&a.w);
}

static bool nobody_online(struct target *t, unsigned vcpu)
{
	return false;
}

TEST(the_machine_is_told_in_words_of_its_own)
{
	struct arm64_world a;

	arm64_open(&a);
	a.ops.vcpu_online = nobody_online;
	CHECK_STR(say(&a.w, "time"), "time stands still while the guest is stopped\nstopped so far 61.500000000 s\n"
				     "virtual counter 2.000000001 s\nCNTVCT_EL0 of vCPU 0 0x1000\n");
	CHECK_HAS(say(&a.w, "info vcpus"), "vCPU 0: offline, waits for PSCI CPU_ON\n");
	close_all(&a.w);
}

TESTS(T(pt_tells_each_entry_in_words), T(mem_and_tlb_list_the_ranges_of_both_halves),
      T(mem_shows_a_place_once_whatever_tags_it_may_have), T(with_stage_1_off_all_is_one_page),
      T(without_the_registers_of_its_level_no_table_can_be_read), T(s2pt_walks_by_given_registers),
      T(s2pt_walks_by_the_registers_of_the_vcpu), T(what_s2pt_cannot_take_is_named),
      T(the_filter_of_address_spaces_goes_by_ttbr0), T(memory_is_read_through_the_tables),
      T(the_machine_is_told_in_words_of_its_own), T(interrupt_controllers_are_those_of_the_architecture))
