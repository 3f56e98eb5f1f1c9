/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "rsp/request.h"

#include <errno.h>
#include <stdlib.h>

#include "test.h"

static char packet[512];

/* Parses a copy of @s (@n bytes), so that parsers may decode in place. */
static int parse_n(rsp_parse_fn *fn, const char *s, size_t n, struct rsp_req *r)
{
	struct cur c;

	memcpy(packet, s, n);
	c = cur_init(packet, n);
	return fn(&c, r);
}

static int parse(rsp_parse_fn *fn, const char *s, struct rsp_req *r)
{
	return parse_n(fn, s, strlen(s), r);
}

static struct rsp_req req;

TEST(mem_takes_address_and_length)
{
	CHECK_EQ(parse(rsp_parse_mem, "ffffffff81000000,40", &req), 0);
	CHECK_EQ(req.mem.at, 0xffffffff81000000);
	CHECK_EQ(req.mem.len, 0x40);
	CHECK_EQ(parse(rsp_parse_mem, "1000", &req), -EINVAL);
	CHECK_EQ(parse(rsp_parse_mem, "1000,4,", &req), -EINVAL);
	CHECK_EQ(parse(rsp_parse_mem, "-1,4", &req), -EINVAL);
}

TEST(written_data_must_have_the_length_it_says)
{
	CHECK_EQ(parse(rsp_parse_mem_hex, "1000,2:abCD", &req), 0);
	CHECK_MEM(req.mem.data, "\xab\xcd", 2);
	CHECK_EQ(parse(rsp_parse_mem_hex, "1000,2:ab", &req), -EINVAL);
	CHECK_EQ(parse(rsp_parse_mem_hex, "1000,2:abcde", &req), -EINVAL);
	CHECK_EQ(parse(rsp_parse_mem_hex, "1000,0:", &req), 0);
	CHECK_EQ(parse_n(rsp_parse_mem_bin, "1000,3:\0#:", 10, &req), 0);
	CHECK_MEM(req.mem.data, "\0#:", 3);
	CHECK_EQ(parse(rsp_parse_mem_bin, "1000,4:abc", &req), -EINVAL);
}

TEST(register_numbers_are_32_bit)
{
	CHECK_EQ(parse(rsp_parse_reg, "1f", &req), 0);
	CHECK_EQ(req.reg.num, 0x1f);
	CHECK_EQ(parse(rsp_parse_reg, "100000000", &req), -EINVAL);
	CHECK_EQ(parse(rsp_parse_reg_set, "0=4141", &req), 0);
	CHECK_EQ(req.reg.hexlen, 4);
	CHECK_EQ(parse(rsp_parse_reg_set, "0", &req), -EINVAL);
}

TEST(a_thread_suffix_is_cut_off_and_nothing_else)
{
	req.has_suffix = false;
	CHECK_EQ(parse(rsp_parse_thread, "", &req), 0);
	CHECK(!req.has_suffix);
	CHECK_EQ(parse(rsp_parse_reg_set, "10=4142;thread:001f;", &req), 0);
	CHECK(req.has_suffix);
	CHECK_EQ(req.suffix.id, 0x1f);
	CHECK_EQ(req.reg.hexlen, 4);
	CHECK_EQ(parse(rsp_parse_restore, "12;thread:1;", &req), 0);
	CHECK_EQ(req.num.value, 12);
	CHECK_EQ(parse(rsp_parse_restore, "c;thread:1;", &req), -EINVAL);
	CHECK_EQ(parse(rsp_parse_thread, ";thread:1", &req), -EINVAL);
	CHECK_EQ(parse(rsp_parse_thread, ";thread:;", &req), -EINVAL);
	CHECK_EQ(parse(rsp_parse_thread, ";thread:1;;", &req), -EINVAL);
	CHECK_EQ(parse(rsp_parse_thread, ";", &req), -EINVAL);
	CHECK_EQ(parse(rsp_parse_thread, "x;thread:1;", &req), -EINVAL);
}

TEST(thread_ids_of_every_form)
{
	CHECK_EQ(parse(rsp_parse_H, "g0", &req), 0);
	CHECK_EQ(req.thread.tid.id, RSP_TID_ANY);
	CHECK_EQ(parse(rsp_parse_H, "c-1", &req), 0);
	CHECK_EQ(req.thread.tid.id, RSP_TID_ALL);
	CHECK_EQ(parse(rsp_parse_H, "gp1.2", &req), 0);
	CHECK_EQ(req.thread.tid.id, 2);
	CHECK_EQ(parse(rsp_parse_H, "gp1", &req), 0);
	CHECK_EQ(req.thread.tid.id, RSP_TID_ALL);
	CHECK_EQ(parse(rsp_parse_H, "gp2.1", &req), -EINVAL);
	CHECK_EQ(parse(rsp_parse_H, "x1", &req), -EINVAL);
	CHECK_EQ(parse(rsp_parse_H, "g", &req), -EINVAL);
	CHECK_EQ(parse(rsp_parse_tid, "80000001", &req), 0); // not cut to 32 bits
	CHECK_EQ(req.thread.tid.id, 0x80000001);
	CHECK_EQ(parse(rsp_parse_tid, "ffffffffffffffff", &req), -EINVAL);
}

TEST(vcont_takes_every_action)
{
	CHECK_EQ(parse(rsp_parse_vcont, ";s:1;C05:p1.2;r10,20:3;t:4;c", &req), 0);
	CHECK_EQ(req.vcont.n, 5);
	CHECK_EQ(req.vcont.action[0].kind, 's');
	CHECK_EQ(req.vcont.action[1].sig, 5);
	CHECK_EQ(req.vcont.action[1].tid.id, 2);
	CHECK_EQ(req.vcont.action[2].hi.raw, 0x20);
	CHECK(!req.vcont.action[4].has_tid);
}

TEST(vcont_refuses_junk)
{
	static const char *const bad[] = { "", "c", ";", ";q", ";c;", ";r10:1", ";C100", ";s:", ";s:1x" };

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		CHECK_EQ(parse(rsp_parse_vcont, bad[i], &req), -EINVAL);
}

TEST(vcont_with_more_actions_than_vcpus_can_have_is_refused)
{
	char many[3 * (RSP_VCONT_MAX + 1) + 1] = "";

	for (int i = 0; i <= RSP_VCONT_MAX; i++)
		strcat(many, ";c");
	CHECK_EQ(parse(rsp_parse_vcont, many, &req), -EINVAL);
}

TEST(breakpoints_have_type_address_and_kind)
{
	CHECK_EQ(parse(rsp_parse_bp, "0,ffffffff81000000,1", &req), 0);
	CHECK_EQ(req.bp.at, 0xffffffff81000000);
	CHECK_EQ(req.bp.kind, 1);
	CHECK_EQ(req.bp.nconds, 0);
	CHECK_EQ(req.bp.ncmds, 0);
	CHECK_EQ(parse(rsp_parse_bp, "0,1000", &req), -EINVAL);
	CHECK_EQ(parse(rsp_parse_bp, "100000000,1000,1", &req), -EINVAL);
}

TEST(breakpoints_may_have_conditions_and_commands)
{
	CHECK_EQ(parse(rsp_parse_bp, "0,1000,1;X3,220027", &req), 0);
	CHECK_EQ(req.bp.nconds, 1);
	CHECK_EQ(req.bp.cond[0].n, 3);
	CHECK_MEM(req.bp.cond[0].code, "\x22\x00\x27", 3);
	CHECK_EQ(req.bp.ncmds, 0);

	// several in one list, or a list for each
	CHECK_EQ(parse(rsp_parse_bp, "0,1000,1;X3,220027X1,27;X2,AbCd", &req), 0);
	CHECK_EQ(req.bp.nconds, 3);
	CHECK_EQ(req.bp.cond[1].n, 1);
	CHECK_MEM(req.bp.cond[2].code, "\xab\xcd", 2);

	CHECK_EQ(parse(rsp_parse_bp, "1,1000,1;cmds:1,X1,27X2,2728", &req), 0);
	CHECK_EQ(req.bp.nconds, 0);
	CHECK_EQ(req.bp.ncmds, 2);
	CHECK_MEM(req.bp.cmd[1].code, "\x27\x28", 2);

	CHECK_EQ(parse(rsp_parse_bp, "0,1000,1;X3,220027;cmds:0,X1,27", &req), 0);
	CHECK_EQ(req.bp.nconds, 1);
	CHECK_EQ(req.bp.ncmds, 1);
	CHECK_EQ(parse(rsp_parse_bp, "0,1000,1;X0,", &req), 0); // no code at all is the evaluator's to refuse
}

TEST(breakpoints_with_broken_conditions_and_commands_are_refused)
{
	static const char *const wrong[] = {
		"0,1000,1;",
		"0,1000,1;;X1,27",
		"0,1000,1;X",
		"0,1000,1;X1",
		"0,1000,1;X1,",
		"0,1000,1;X1,2",
		"0,1000,1;X1,2727",
		"0,1000,1;X2,27",
		"0,1000,1;X1,27;",
		"0,1000,1;X1,27x",
		"0,1000,1;Xffffffffffffffff,27",
		"0,1000,1;X10000000000000001,27",
		"0,1000,1;x1,27",
		"0,1000,1X1,27",
		"0,1000,1;cmds:",
		"0,1000,1;cmds:0",
		"0,1000,1;cmds:0,",
		"0,1000,1;cmds:2,X1,27",
		"0,1000,1;cmds:,X1,27",
		"0,1000,1;cmds:0,X1,27;",
		"0,1000,1;cmds:0,X1,27;X1,27",
		"0,1000,1;cmds:0,X1,27;cmds:0,X1,27",
	};

	for (unsigned i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		CHECK_EQ(parse(rsp_parse_bp, wrong[i], &req), -EINVAL);
}

TEST(breakpoints_take_a_bounded_number_of_conditions)
{
	char text[16 + 5 * (RSP_BP_CODE_MAX + 1) + 1] = "0,1000,1;";

	for (unsigned i = 0; i < RSP_BP_CODE_MAX; i++)
		strcat(text, "X1,27");
	CHECK_EQ(parse(rsp_parse_bp, text, &req), 0);
	CHECK_EQ(req.bp.nconds, RSP_BP_CODE_MAX);
	strcat(text, "X1,27");
	CHECK_EQ(parse(rsp_parse_bp, text, &req), -EINVAL);
}

TEST(xfer_has_annex_offset_and_length)
{
	CHECK_EQ(parse(rsp_parse_xfer, "target.xml:0,ffb", &req), 0);
	CHECK_EQ(req.xfer.annex_len, 10);
	CHECK_EQ(req.xfer.len, 0xffb);
	CHECK_EQ(parse(rsp_parse_xfer, ":0,1000", &req), 0);
	CHECK_EQ(req.xfer.annex_len, 0);
	CHECK_EQ(parse(rsp_parse_xfer, "target.xml", &req), -EINVAL);
}

TEST(search_needs_a_pattern)
{
	CHECK_EQ(parse(rsp_parse_search, "1000;20;a;b", &req), 0);
	CHECK_EQ(req.search.pat_len, 3);
	CHECK_EQ(parse(rsp_parse_search, "1000;20;", &req), -EINVAL);
}

TEST(monitor_text_is_decoded_and_terminated)
{
	CHECK_EQ(parse(rsp_parse_rcmd, "68656c70", &req), 0);
	CHECK_STR(req.rcmd.line, "help");
	CHECK_EQ(parse(rsp_parse_rcmd, "6", &req), -EINVAL);
	CHECK_EQ(parse(rsp_parse_rcmd, "", &req), 0);
	CHECK_STR(req.rcmd.line, "");
}

TEST(run_packets_may_carry_an_address)
{
	CHECK_EQ(parse(rsp_parse_run, "", &req), 0);
	CHECK(!req.run.has_addr);
	CHECK_EQ(parse(rsp_parse_run, "1000", &req), 0);
	CHECK_EQ(req.run.addr, 0x1000);
	CHECK_EQ(parse(rsp_parse_run_sig, "05;1000", &req), 0);
	CHECK_EQ(req.run.sig, 5);
	CHECK_EQ(parse(rsp_parse_run_sig, "105", &req), -EINVAL);
	CHECK_EQ(parse(rsp_parse_run_sig, "", &req), -EINVAL);
}

TESTS(T(mem_takes_address_and_length), T(written_data_must_have_the_length_it_says), T(register_numbers_are_32_bit),
      T(a_thread_suffix_is_cut_off_and_nothing_else), T(thread_ids_of_every_form), T(vcont_takes_every_action),
      T(vcont_refuses_junk), T(vcont_with_more_actions_than_vcpus_can_have_is_refused),
      T(breakpoints_have_type_address_and_kind), T(breakpoints_may_have_conditions_and_commands),
      T(breakpoints_with_broken_conditions_and_commands_are_refused),
      T(breakpoints_take_a_bounded_number_of_conditions), T(xfer_has_annex_offset_and_length),
      T(search_needs_a_pattern), T(monitor_text_is_decoded_and_terminated), T(run_packets_may_carry_an_address))
