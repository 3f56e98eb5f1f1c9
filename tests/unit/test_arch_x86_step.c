/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "arch/x86_step.h"

#include <stdlib.h>

#include "test.h"
#include "util/macros.h"

static struct x86_insn decode(enum x86_code_size size, const uint8_t *code, size_t n)
{
	struct x86_insn insn;

	x86_insn_decode(code, n, size, &insn);
	return insn;
}

#define DECODE(size, ...) \
	decode(X86_CODE_##size, (const uint8_t[]){ __VA_ARGS__ }, sizeof((const uint8_t[]){ __VA_ARGS__ }))
#define CHECK_KIND(name, size, ...) CHECK_EQ(DECODE(size, __VA_ARGS__).kind, X86_INSN_##name)

TEST(instructions_that_handle_flags_are_known_by_their_opcode)
{
	CHECK_KIND(PUSHF, 64, 0x9c);
	CHECK_KIND(POPF, 64, 0x9d);
	CHECK_KIND(IRET, 64, 0x48, 0xcf);
	CHECK_KIND(CLI, 64, 0xfa);
	CHECK_KIND(STI, 64, 0xfb);
	CHECK_KIND(HLT, 64, 0xf4);
	CHECK_KIND(SYSCALL, 64, 0x0f, 0x05);
	CHECK_KIND(SYSRET, 64, 0x48, 0x0f, 0x07);
	CHECK_KIND(SYSENTER, 32, 0x0f, 0x34);
	CHECK_KIND(SYSEXIT, 64, 0x48, 0x0f, 0x35);
	CHECK_KIND(WRMSR, 64, 0x0f, 0x30);
	CHECK_KIND(INTO, 32, 0xce);
	CHECK_KIND(PLAIN, 64, 0xce);
	CHECK_KIND(PLAIN, 64, 0x90);
	CHECK_KIND(PLAIN, 64, 0x0f, 0x0b);
}

TEST(software_interrupts_have_a_vector_and_a_length)
{
	struct x86_insn i = DECODE(64, 0xcd, 0x80);

	CHECK_EQ(i.kind, X86_INSN_INT);
	CHECK_EQ(i.vector, 0x80);
	CHECK_EQ(i.len, 2);
	i = DECODE(64, 0x66, 0xcc);
	CHECK_EQ(i.kind, X86_INSN_INT);
	CHECK_EQ(i.vector, 3);
	CHECK_EQ(i.len, 2);
	i = DECODE(64, 0xf1);
	CHECK_EQ(i.vector, 1);
	CHECK_EQ(i.len, 1);
}

TEST(operand_sizes_follow_mode_and_prefixes)
{
	CHECK_EQ(DECODE(64, 0x9c).opsize, 8);
	CHECK_EQ(DECODE(64, 0x66, 0x9c).opsize, 2);
	CHECK_EQ(DECODE(64, 0x66, 0x48, 0x9d).opsize, 8);
	CHECK_EQ(DECODE(64, 0x48, 0x66, 0x9d).opsize, 2); // a REX that does not come last counts for nothing
	CHECK_EQ(DECODE(64, 0xcf).opsize, 4);
	CHECK_EQ(DECODE(64, 0x48, 0xcf).opsize, 8);
	CHECK_EQ(DECODE(32, 0x9c).opsize, 4);
	CHECK_EQ(DECODE(32, 0x66, 0x9c).opsize, 2);
	CHECK_EQ(DECODE(16, 0xcf).opsize, 2);
	CHECK_EQ(DECODE(16, 0x66, 0xcf).opsize, 4);
}

TEST(repeated_string_instructions_are_known_with_their_address_size)
{
	CHECK_KIND(REP, 64, 0xf3, 0xa4);
	CHECK_KIND(REP, 64, 0xf3, 0x48, 0xab);
	CHECK_KIND(REP, 64, 0xf2, 0xae);
	CHECK_KIND(PLAIN, 64, 0xa4);
	CHECK_KIND(PLAIN, 64, 0xf3, 0x90);
	CHECK_EQ(DECODE(64, 0xf3, 0x6e).addrsize, 8);
	CHECK_EQ(DECODE(64, 0x67, 0xf3, 0x6e).addrsize, 4);
	CHECK_EQ(DECODE(32, 0x67, 0xf3, 0x6e).addrsize, 2);
	CHECK_EQ(DECODE(16, 0xf3, 0x6e).addrsize, 2);
	CHECK_EQ(DECODE(64, 0xf3, 0xa4).faults, X86_FAULTS_MEMORY);
	CHECK_EQ(DECODE(64, 0xf3, 0x6e).faults, X86_FAULTS_ANY);
}

TEST(loads_of_ss_have_a_length)
{
	static const struct {
		enum x86_code_size size;
		uint8_t len, code[8];
	} cases[] = {
		{ X86_CODE_64, 2, { 0x8e, 0xd0 } },
		{ X86_CODE_64, 3, { 0x8e, 0x55, 0x08 } },
		{ X86_CODE_64, 6, { 0x8e, 0x15, 1, 2, 3, 4 } },
		{ X86_CODE_64, 3, { 0x8e, 0x14, 0x24 } },
		{ X86_CODE_64, 7, { 0x8e, 0x14, 0x25, 1, 2, 3, 4 } },
		{ X86_CODE_64, 4, { 0x8e, 0x54, 0x24, 8 } },
		{ X86_CODE_64, 7, { 0x8e, 0x94, 0x24, 1, 2, 3, 4 } },
		{ X86_CODE_16, 4, { 0x8e, 0x16, 1, 2 } },
		{ X86_CODE_16, 4, { 0x8e, 0x96, 1, 2 } },
		{ X86_CODE_32, 5, { 0x67, 0x8e, 0x16, 1, 2 } },
		{ X86_CODE_16, 1, { 0x17 } },
		{ X86_CODE_32, 1, { 0x17 } },
	};

	for (unsigned i = 0; i < ARRAY_LEN(cases); i++) {
		struct x86_insn insn = decode(cases[i].size, cases[i].code, sizeof(cases[i].code));

		CHECK_EQ(insn.kind, X86_INSN_STACK_SEG);
		CHECK_EQ(insn.len, cases[i].len);
	}
	CHECK_KIND(PLAIN, 64, 0x8e, 0xd8); // ds
	CHECK_KIND(PLAIN, 64, 0x17);
}

TEST(what_an_instruction_may_raise_errs_on_the_safe_side)
{
	CHECK_EQ(DECODE(64, 0x01, 0xc8).faults, X86_FAULTS_NONE);
	CHECK_EQ(DECODE(64, 0x01, 0x08).faults, X86_FAULTS_MEMORY);
	CHECK_EQ(DECODE(64, 0x48, 0x8d, 0x04, 0x24).faults, X86_FAULTS_NONE);
	CHECK_EQ(DECODE(64, 0x8d, 0xc0).faults, X86_FAULTS_ANY);
	CHECK_EQ(DECODE(64, 0xeb, 0xfe).faults, X86_FAULTS_NONE);
	CHECK_EQ(DECODE(64, 0xc3).faults, X86_FAULTS_MEMORY);
	CHECK_EQ(DECODE(64, 0xf7, 0xd8).faults, X86_FAULTS_NONE); // neg
	CHECK_EQ(DECODE(64, 0xf7, 0xf1).faults, X86_FAULTS_ANY);  // div
	CHECK_EQ(DECODE(64, 0xff, 0xd0).faults, X86_FAULTS_MEMORY);
	CHECK_EQ(DECODE(64, 0xff, 0x18).faults, X86_FAULTS_ANY);
	CHECK_EQ(DECODE(64, 0xf0, 0x01, 0xc8).faults, X86_FAULTS_ANY); // lock with a register
	CHECK_EQ(DECODE(64, 0x0f, 0x0b).faults, X86_FAULTS_ANY);
	CHECK_EQ(DECODE(64, 0xf3, 0x0f, 0x1e, 0xfa).faults, X86_FAULTS_NONE); // endbr64
	CHECK_EQ(DECODE(64, 0xc5, 0xf8, 0x77).faults, X86_FAULTS_ANY);        // vzeroupper
	CHECK_EQ(DECODE(64, 0xd9, 0xe8).faults, X86_FAULTS_ANY);
	CHECK_EQ(DECODE(32, 0x90).faults, X86_FAULTS_ANY); // a limit may be anywhere
	CHECK_EQ(DECODE(64, 0x0f, 0xba, 0xe0, 1).faults, X86_FAULTS_NONE);
	CHECK_EQ(DECODE(64, 0x0f, 0xba, 0xc0, 1).faults, X86_FAULTS_ANY);
}

TEST(truncated_code_is_plain_and_may_raise_anything)
{
	static const uint8_t cut[][4] = { { 0x66 }, { 0x48 }, { 0x0f }, { 0xcd }, { 0x8e }, { 0x01 } };

	for (unsigned i = 0; i < ARRAY_LEN(cut); i++) {
		struct x86_insn insn = decode(X86_CODE_64, cut[i], 1);

		CHECK_EQ(insn.kind, X86_INSN_PLAIN);
		CHECK_EQ(insn.faults, X86_FAULTS_ANY);
	}
	CHECK_EQ(decode(X86_CODE_64, NULL, 0).faults, X86_FAULTS_ANY);
	uint8_t prefixes[20];

	memset(prefixes, 0x66, sizeof(prefixes)); // more than an instruction may have
	CHECK_EQ(decode(X86_CODE_64, prefixes, sizeof(prefixes)).faults, X86_FAULTS_ANY);
}

TEST(any_bytes_are_decoded_within_bounds)
{
	unsigned seed = 5;

	for (unsigned i = 0; i < 200000; i++) {
		size_t n = (size_t)rand_r(&seed) % 18;
		_cleanup_(freep) uint8_t *code = malloc(n + 1);
		struct x86_insn insn;

		for (size_t k = 0; k < n; k++)
			code[k] = (uint8_t)(rand_r(&seed) >> 5);
		insn = decode((enum x86_code_size)(i % 3), code, n);
		CHECK(insn.len <= 15 + 5);
		CHECK(insn.kind <= X86_INSN_WRMSR);
	}
}

TESTS(T(instructions_that_handle_flags_are_known_by_their_opcode), T(software_interrupts_have_a_vector_and_a_length),
      T(operand_sizes_follow_mode_and_prefixes), T(repeated_string_instructions_are_known_with_their_address_size),
      T(loads_of_ss_have_a_length), T(what_an_instruction_may_raise_errs_on_the_safe_side),
      T(truncated_code_is_plain_and_may_raise_anything), T(any_bytes_are_decoded_within_bounds))
