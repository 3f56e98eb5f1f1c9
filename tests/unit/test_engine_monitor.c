/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdio.h>

#include "monitor_world.h"

static unsigned count_lines(const char *s)
{
	unsigned n = 0;

	while ((s = strchr(s, '\n')))
		n++, s++;
	return n;
}

TEST(help_lists_all_or_what_begins_so)
{
	struct world w = world_open((struct target_fake_cfg){ 0 });
	unsigned all = count_lines(say(&w, "help"));

	CHECK_HAS(say(&w, "help"), "info registers");
	CHECK_EQ(count_lines(say(&w, "")), all);
	CHECK(all > 20);
	CHECK_EQ(count_lines(say(&w, "help xp")), 1);
	CHECK_HAS(say(&w, "help xp"), "xp [/FMT] ADDR ");
	CHECK_EQ(count_lines(say(&w, "help info  reg")), 1);
	CHECK_HAS(say(&w, "help info"), "info mtree");
	CHECK(count_lines(say(&w, "help info")) < all);
	CHECK_STR(say(&w, "help xq"), "no command begins with 'xq': help lists all\n");
	close_all(&w);
}

TEST(unknown_commands_are_named_and_those_that_begin_so_shown)
{
	struct world w = world_open((struct target_fake_cfg){ 0 });

	CHECK_STR(say(&w, "frobnicate 1"), "unknown command 'frobnicate 1': help lists all\n");
	CHECK_HAS(say(&w, "helpless"), "unknown command");
	CHECK_HAS(say(&w, "info xyz"), "unknown command 'info xyz'");
	CHECK_HAS(say(&w, "info"), "'info' is not a whole command:\ninfo registers ");
	CHECK_EQ(count_lines(say(&w, "info reg")), 2);
	CHECK_EQ(count_lines(say(&w, "res")), 2); // not done, as `reset` would be
	close_all(&w);
}

TEST(registers_serve_as_numbers)
{
	struct world w = world_open((struct target_fake_cfg){ .nvcpus = 2 });
	struct x86_regs *r = &target_fake_regs(w.t, 0)->x86;

	r->gpr[X86_RBX] = 0x1234;
	r->rip = 0x1000;
	r->gpr[X86_RSP] = 0x2000;
	r->cr3 = 0xabc000;
	st_le32(w.ram + 0x1234, 0xfeedbeef);
	CHECK_STR(say(&w, "xp $rbx"), "0000000000001234: 0xfeedbeef\n");
	CHECK_HAS(say(&w, "xp /1b  $pc\r\n"), "0000000000001000: ");
	CHECK_HAS(say(&w, "xp $sp"), "0000000000002000: ");
	CHECK_HAS(say(&w, "bp-filter cr3 $cr3"), "cr3 is 0xabc000\n");
	CHECK_STR(say(&w, "xp $xmm0"), "'$xmm0' is no register of up to 64 bits: info registers lists them\n");
	CHECK_HAS(say(&w, "xp $"), "'$' is no register");
	CHECK_HAS(say(&w, "xp $rbx+4"), "'$rbx+4' is no register");
	CHECK_EQ(resume(&w, TARGET_RUN, 0, TARGET_RUN), 0);
	CHECK_STR(say(&w, "xp $rbx"), "$rbx of vCPU 0 cannot be read: the guest is running\n");
	close_all(&w);
}

TEST(blanks_around_words_do_not_matter)
{
	struct world w = world_open((struct target_fake_cfg){ 0 });

	CHECK_HAS(say(&w, "  info   mtree \r\n"), "0000000000000000-00000000001fffff  ram   ram");
	close_all(&w);
}

TEST(registers_show_system_ones_and_values)
{
	struct world w = world_open((struct target_fake_cfg){ 0 });

	target_fake_regs(w.t, 0)->x86.gpr[X86_RBX] = 0x1122334455667788;
	target_fake_regs(w.t, 0)->x86.cr3 = 0xabcd000;
	CHECK_HAS(say(&w, "info registers"), "1122334455667788");
	CHECK_HAS(say(&w, "info registers"), "000000000abcd000");
	CHECK_HAS(say(&w, "info registers"), "xmm15");
	CHECK(!strstr(say(&w, "info registers"), " \n")); // lines end with what they show
	close_all(&w);
}

TEST(registers_of_a_vcpu_by_its_number)
{
	struct world w = world_open((struct target_fake_cfg){ .nvcpus = 2 });

	target_fake_regs(w.t, 1)->x86.gpr[X86_RBX] = 0x1122334455667788;
	CHECK_HAS(say(&w, "info registers 1"), "vCPU 1\n");
	CHECK_HAS(say(&w, "info registers 1"), "1122334455667788");
	CHECK(!strstr(say(&w, "info registers"), "1122334455667788"));
	CHECK_STR(say(&w, "info registers 2"), "there is no vCPU 2: expected 0 to 1\n");
	CHECK_STR(say(&w, "info lapic 2"), "there is no vCPU 2: expected 0 to 1\n");
	CHECK_HAS(say(&w, "info registers x"), "'x' is not the number of a vCPU: expected a number");
	CHECK_HAS(say(&w, "info registers 1 2"), "expected nothing more");
	close_all(&w);
}

TEST(vcpus_show_mode_pc_and_code)
{
	struct world w = world_open((struct target_fake_cfg){ .nvcpus = 2 });

	w.ram[CODE] = 0x0f;
	CHECK_EQ(insert(&w, ENGINE_SWBP, CODE), 0);
	CHECK_HAS(say(&w, "info vcpus"), "vCPU 0: 64-bit, rip=0x1000");
	CHECK_HAS(say(&w, "info vcpus"), "90 <0f> 90");
	CHECK_HAS(say(&w, "info vcpus"), "vCPU 1: ");
	CHECK_EQ(resume(&w, TARGET_RUN, 0, TARGET_RUN), 0);
	CHECK_HAS(say(&w, "info vcpus"), "running");
	close_all(&w);
}

TEST(code_bytes_that_are_not_there_are_marked)
{
	struct world w = world_open((struct target_fake_cfg){ 0 });

	target_fake_regs(w.t, 0)->x86.rip = 0;
	CHECK_HAS(say(&w, "info vcpus"), "code: ?? ?? ?? ?? ?? ?? ?? ?? <90> 90");
	close_all(&w);
}

TEST(pt_shows_each_level_with_its_place)
{
	struct world w = world_open((struct target_fake_cfg){ 0 });
	char part[80];

	world_map(&w, 0x400000, 0x8000);
	world_use_tables(&w, 0, w.root);
	snprintf(part, sizeof(part), "PML4E %016x at 0x%x\n", TABLES + 4096 + 7, TABLES);
	CHECK_HAS(say(&w, "pt 0x400123"), part);
	CHECK_HAS(say(&w, "pt 0x400123"), "\nPTE   0000000000008007 at ");
	CHECK_HAS(say(&w, "pt 0x400123"), "physical 0x8123, page of 0x1000 bytes, rwxu");
	CHECK_HAS(say(&w, "pt 4194595"), "physical 0x8123");
	CHECK_HAS(say(&w, "pt 0x401000"), "not mapped: not present");
	CHECK_HAS(say(&w, "pt 0x800000000000"), "not mapped: ");
	close_all(&w);
}

TEST(unreadable_page_table_is_said)
{
	struct world w = world_open((struct target_fake_cfg){ 0 });

	world_use_tables(&w, 0, 0x40000000);
	CHECK_HAS(say(&w, "pt 0"), "cannot be read");
	CHECK_HAS(say(&w, "info mem"), "cannot be read");
	close_all(&w);
}

TEST(mem_joins_adjacent_pages_with_equal_rights)
{
	struct world w = world_open((struct target_fake_cfg){ 0 });

	for (unsigned i = 0; i < 4; i++)
		world_map(&w, 0x400000 + i * 4096, 0x9000 - i * 4096);
	world_map(&w, 0xffffffff80000000, 0x8000);
	world_use_tables(&w, 0, w.root);
	CHECK_STR(say(&w, "info mem"), "0000000000400000-0000000000403fff rwxu\n"
				       "ffffffff80000000-ffffffff80000fff rwxu\n");
	CHECK_STR(say(&w, "info mem 0x402000"), "0000000000402000-0000000000403fff rwxu\n"
						"ffffffff80000000-ffffffff80000fff rwxu\n");
	close_all(&w);
}

TEST(mem_is_bounded_and_says_where_to_go_on)
{
	struct world w = world_open((struct target_fake_cfg){ 0 });

	for (unsigned i = 0; i < 1200; i++)
		world_map(&w, 0x400000 + i * 0x2000ull, 0x8000);
	world_use_tables(&w, 0, w.root);
	CHECK_HAS(say(&w, "info mem"), "there is more: info mem 0x");
	close_all(&w);
}

TEST(tlb_lists_each_page_with_its_flags)
{
	struct world w = world_open((struct target_fake_cfg){ 0 });

	for (unsigned i = 0; i < 3; i++)
		world_map(&w, 0x400000 + i * 4096, 0x9000 - i * 4096);
	world_map(&w, 0xffffffff80000000, 0x8000);
	world_use_tables(&w, 0, w.root);
	CHECK_STR(say(&w, "info tlb"), "0000000000400000: 0000000000009000 rwxu ----- 4K\n"
				       "0000000000401000: 0000000000008000 rwxu ----- 4K\n"
				       "0000000000402000: 0000000000007000 rwxu ----- 4K\n"
				       "ffffffff80000000: 0000000000008000 rwxu ----- 4K\n");
	CHECK_STR(say(&w, "info tlb 0x401000 1"), "0000000000401000: 0000000000008000 rwxu ----- 4K\n"
						  "there is more: info tlb 0x402000\n");
	CHECK_HAS(say(&w, "info tlb 0 0"), "0 pages: expected 1 to");
	CHECK_HAS(say(&w, "info tlb 0 x"), "'x' is not a number of pages");
	CHECK_HAS(say(&w, "info tlb 0 1 2"), "expected nothing more");
	close_all(&w);
}

TEST(tlb_without_paging_is_one_page)
{
	struct world w = world_open((struct target_fake_cfg){ 0 });

	CHECK_HAS(say(&w, "info tlb"), "0000000000000000: 0000000000000000 rwxu ----- 4G\n");
	close_all(&w);
}

TEST(time_is_shown_and_chosen)
{
	struct world w = world_open((struct target_fake_cfg){ 0 });

	CHECK_STR(say(&w, "time"), "time stands still while the guest is stopped\nstopped so far 61.500000000 s\n"
				   "kvmclock 2.000000001 s\nTSC of vCPU 0 0x1000\n");
	CHECK_HAS(say(&w, "time run"), "time runs on while");
	CHECK_HAS(say(&w, "time"), "time runs on while");
	CHECK_HAS(say(&w, "time freeze"), "time stands still while");
	CHECK_STR(say(&w, "time stop"), "'stop': expected freeze or run\n");
	CHECK_EQ(resume(&w, TARGET_RUN, 0, TARGET_RUN), 0);
	CHECK_HAS(say(&w, "time"), "cannot be told: ");
	CHECK_HAS(say(&w, "info pic"), "cannot be read: ");
	close_all(&w);
}

TEST(interrupt_controllers_are_the_targets_to_show)
{
	struct world w = world_open((struct target_fake_cfg){ 0 });

	CHECK_STR(say(&w, "info pic"), "info 0 of vCPU 0\n");
	CHECK_STR(say(&w, "info irq"), "info 1 of vCPU 0\n");
	CHECK_STR(say(&w, "info lapic"), "info 2 of vCPU 0\n");
	CHECK_STR(say(&w, "info lapic 0"), "info 2 of vCPU 0\n");
	CHECK_HAS(say(&w, "info pic 1"), "expected nothing more");
	CHECK_STR(say(&w, "info vgic"), "this guest is x86 and has no GIC\n");
	close_all(&w);
}

TEST(xp_dumps_physical_memory_by_size)
{
	struct world w = world_open((struct target_fake_cfg){ 0 });

	for (unsigned i = 0; i < 32; i++)
		w.ram[0x3000 + i] = (uint8_t)i;
	CHECK_STR(say(&w, "xp 0x3000"), "0000000000003000: 0x03020100\n");
	CHECK_STR(say(&w, "xp/2xg 0x3000"), "0000000000003000: 0x0706050403020100 0x0f0e0d0c0b0a0908\n");
	CHECK_STR(say(&w, "xp /9h 0x3000"),
		  "0000000000003000: 0x0100 0x0302 0x0504 0x0706 0x0908 0x0b0a 0x0d0c 0x0f0e\n"
		  "0000000000003010: 0x1110\n");
	CHECK_HAS(say(&w, "xp/4b 0x1ffffe"), "0x00 0x00 no memory there");
	close_all(&w);
}

TEST(bad_words_are_named_with_what_was_expected)
{
	struct world w = world_open((struct target_fake_cfg){ 0 });

	CHECK_HAS(say(&w, "pt"), "missing an address");
	CHECK_HAS(say(&w, "pt zz"), "'zz' is not an address: expected a number such as 0x1000");
	CHECK_HAS(say(&w, "pt 0x"), "'0x' is not an address");
	CHECK_HAS(say(&w, "pt 12z"), "'12z' is not an address");
	CHECK_HAS(say(&w, "pt 0x12345678123456789"), "is not an address");
	CHECK_HAS(say(&w, "pt 1 2"), "'2': expected nothing more");
	CHECK_HAS(say(&w, "info mtree x"), "'x': expected nothing more");
	CHECK_HAS(say(&w, "xp/0b 0x1000"), "'/0b' is not a format");
	CHECK_HAS(say(&w, "xp/99999999999999999999b 0x1000"), "is not a format");
	CHECK_HAS(say(&w, "xp/4q 0x1000"), "'/4q' is not a format");
	CHECK_HAS(say(&w, "phys maybe"), "'maybe': expected on or off");
	close_all(&w);
}

TEST(phys_flips_the_sessions_mode)
{
	struct world w = world_open((struct target_fake_cfg){ 0 });

	CHECK_HAS(say(&w, "phys on"), "physical");
	CHECK_HAS(say(&w, "phys"), "physical");
	CHECK_HAS(say(&w, "phys off"), "virtual");
	CHECK_HAS(say(&w, "version"), "gdbvm ");
	close_all(&w);
}

TEST(commands_on_a_guest_that_is_gone_say_so)
{
	static const char *const lines[] = { "info registers", "info vcpus", "info mtree", "info mem", "pt 0", "xp 0" };
	struct world w = world_open((struct target_fake_cfg){ 0 });
	struct stop_event ev;

	target_fake_push_stop(w.t, &(struct stop_event){ .why = STOP_EXIT });
	CHECK_EQ(resume(&w, TARGET_RUN, 0, TARGET_RUN), 0);
	CHECK(wait_stop(&w, &ev));
	for (size_t i = 0; i < ARRAY_LEN(lines); i++)
		CHECK(say(&w, lines[i])[0]);
	close_all(&w);
}

TEST(arm64_values_are_decoded_on_any_guest)
{
	struct world w = world_open((struct target_fake_cfg){ 0 });

	CHECK_HAS(say(&w, "esr 0x96000046"),
		  "ESR 0x96000046: data abort from the same EL: translation fault, level 2, write\n");
	CHECK_HAS(say(&w, "esr 0x56000000  0x5a000000"), "ESR 0x5a000000: HVC #0\n");
	CHECK_HAS(say(&w, "hpfar 0x90000 0x18"), "IPA 0x9000018: ");
	CHECK_HAS(say(&w, "hpfar 0x90000 0x18 0x92000087"), "IPA of the page 0x9000000\n");
	CHECK_HAS(say(&w, "lr 0x50a0000000000021 0x90a000000000001b"), "all list registers full\n");
	CHECK_HAS(say(&w, "lr gicv2 0x9a006c1b 0"), "1 of 2 list registers free\n");
	close_all(&w);
}

TEST(arm64_values_that_are_none_are_named)
{
	struct world w = world_open((struct target_fake_cfg){ 0 });

	CHECK_HAS(say(&w, "esr 96000046h"), "'96000046h' is not an ESR");
	CHECK_STR(say(&w, "hpfar 0x90000"), "missing FAR: expected HPFAR FAR [ESR]\n");
	CHECK_STR(say(&w, "hpfar 1 2 3 4"), "'4': expected nothing more\n");
	CHECK_HAS(say(&w, "lr gicv3 1"), "'gicv3' is not a list register");
	CHECK_HAS(say(&w, "lr gicv2"), "'gicv2' is not a list register");
	close_all(&w);
}

TEST(an_x86_vcpu_has_no_registers_of_arm64)
{
	static const char *const commands[] = { "esr", "hpfar", "lr" };
	struct world w = world_open((struct target_fake_cfg){ 0 });

	for (size_t i = 0; i < ARRAY_LEN(commands); i++)
		CHECK_STR(say(&w, commands[i]), "this guest is x86, without such a register: give a value to decode\n");
	close_all(&w);
}

TEST(syndromes_of_the_selected_vcpu)
{
	struct arm64_world a;

	arm64_open(&a);
	give(ARM64_ESR_EL1, 0x96000046);
	CHECK_HAS(say(&a.w, "esr"), "ESR_EL1 0x96000046: data abort from the same EL");
	CHECK(!strstr(say(&a.w, "esr"), "EL2"));
	CHECK_STR(say(&a.w, "hpfar"), "vCPU 0 shows no HPFAR_EL2: give a value to decode\n");
	CHECK_STR(say(&a.w, "lr"), "vCPU 0 shows no ICH_LR0_EL2: give a value to decode\n");
	close_all(&a.w);

	arm64_open(&a);
	give(ARM64_ESR_EL2, 0x93810006);
	give(ARM64_HPFAR_EL2, 0x90000);
	give(ARM64_FAR_EL2, 0xffff800008005018);
	CHECK_HAS(say(&a.w, "esr"), "ESR_EL1 0: no exception so far\n");
	CHECK_HAS(say(&a.w, "esr"), "ESR_EL2 0x93810006: data abort from a lower EL");
	CHECK_HAS(say(&a.w, "hpfar"), "IPA 0x9000018: ");
	CHECK_HAS(say(&a.w, "hpfar"), "HPFAR_EL2 is valid");
	close_all(&a.w);
}

static void give_lrs(void)
{
	for (unsigned i = 0; i < 16; i++)
		give(ARM64_ICH_LR0_EL2 + i, i ? 0 : 0x50a0000000000021);
}

TEST(list_registers_of_the_selected_vcpu)
{
	struct arm64_world a;

	arm64_open(&a);
	give_lrs();
	CHECK_HAS(say(&a.w, "lr"), "15 of 16 list registers free\n");
	close_all(&a.w);

	arm64_open(&a);
	give_lrs();
	give(ARM64_ICH_VTR_EL2, 0x90080003);
	CHECK_HAS(say(&a.w, "lr"), "0   pending         0   1      0xa0      33 (SPI 1)         -\n");
	CHECK_HAS(say(&a.w, "lr"), "3 of 4 list registers free\n");
	close_all(&a.w);
}

TEST(registers_that_cannot_be_read_are_told)
{
	struct arm64_world a;

	arm64_open(&a);
	vcpu_groups = ARCH_CORE;
	CHECK_STR(say(&a.w, "esr"), "system registers of vCPU 0 cannot be read: No data available\n");
	close_all(&a.w);
}

TESTS(T(arm64_values_are_decoded_on_any_guest), T(arm64_values_that_are_none_are_named),
      T(an_x86_vcpu_has_no_registers_of_arm64), T(syndromes_of_the_selected_vcpu),
      T(list_registers_of_the_selected_vcpu), T(registers_that_cannot_be_read_are_told),
      T(help_lists_all_or_what_begins_so), T(unknown_commands_are_named_and_those_that_begin_so_shown),
      T(registers_serve_as_numbers), T(blanks_around_words_do_not_matter), T(registers_show_system_ones_and_values),
      T(registers_of_a_vcpu_by_its_number), T(vcpus_show_mode_pc_and_code), T(code_bytes_that_are_not_there_are_marked),
      T(pt_shows_each_level_with_its_place), T(unreadable_page_table_is_said),
      T(mem_joins_adjacent_pages_with_equal_rights), T(mem_is_bounded_and_says_where_to_go_on),
      T(tlb_lists_each_page_with_its_flags), T(tlb_without_paging_is_one_page), T(time_is_shown_and_chosen),
      T(interrupt_controllers_are_the_targets_to_show), T(xp_dumps_physical_memory_by_size),
      T(bad_words_are_named_with_what_was_expected), T(phys_flips_the_sessions_mode),
      T(commands_on_a_guest_that_is_gone_say_so))
