/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "agent/agent.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "test.h"
#include "util/macros.h"

/* The guest: 256 bytes at 0x1000, registers whose value follows from the number, and what was printed. */
struct world {
	uint8_t ram[256];
	char text[8192];
	size_t n;
	unsigned prints;
};
enum { RAM_AT = 0x1000 };

static struct world w;

static int env_reg(void *arg, unsigned num, uint64_t *ret)
{
	if (num == 0x1ff)
		return -ENODATA;
	*ret = 0xffffffff00000000 + num;
	return 0;
}

static int env_mem(void *arg, uint64_t at, void *buf, size_t len)
{
	if (at < RAM_AT || at - RAM_AT > sizeof(w.ram) || len > sizeof(w.ram) - (at - RAM_AT))
		return -EFAULT;
	memcpy(buf, w.ram + (at - RAM_AT), len);
	return 0;
}

static void env_print(void *arg, const char *s, size_t n)
{
	w.prints++;
	memcpy(w.text + w.n, s, n);
	w.n += n;
	w.text[w.n] = '\0';
}

static const struct agent_env env = { .reg = env_reg, .mem = env_mem, .print = env_print };

/* The opcodes, by their names in the manual. */
enum {
	FLOAT = 0x01,
	ADD,
	SUB,
	MUL,
	DIV_S,
	DIV_U,
	REM_S,
	REM_U,
	LSH,
	RSH_S,
	RSH_U,
	TRACE,
	TRACE_QUICK,
	LOG_NOT,
	AND,
	OR,
	XOR,
	NOT,
	EQUAL,
	LESS_S,
	LESS_U,
	EXT,
	REF8,
	REF16,
	REF32,
	REF64,
	REF_FLOAT,
	REF_DOUBLE,
	REF_LONG_DOUBLE,
	L_TO_D,
	D_TO_L,
	IF_GOTO,
	GOTO,
	CONST8,
	CONST16,
	CONST32,
	CONST64,
	REG,
	END,
	DUP,
	POP,
	ZERO_EXT,
	SWAP,
	GETV,
	SETV,
	TRACEV,
	TRACENZ,
	TRACE16,
	PICK = 0x32,
	ROT,
	PRINTF
};

#define CODE(...) ((const uint8_t[]){ __VA_ARGS__ }), sizeof((const uint8_t[]){ __VA_ARGS__ })

static int verify(const uint8_t *code, size_t n)
{
	_cleanup_(agent_expr_destroyp) struct agent_expr *x = NULL;
	uint8_t *copy = malloc(n ? n : 1); // exact bounds for the sanitizer
	int rc;

	memcpy(copy, code, n);
	rc = agent_expr_create(copy, n, &x);
	free(copy);
	return rc;
}

static int eval_rc(const uint8_t *code, size_t n, int64_t *ret)
{
	_cleanup_(agent_expr_destroyp) struct agent_expr *x = NULL;

	w.n = w.prints = 0;
	w.text[0] = '\0';
	assert_int_equal(agent_expr_create(code, n, &x), 0);
	return agent_eval(x, &env, ret);
}

static int64_t eval(const uint8_t *code, size_t n)
{
	int64_t v = 0;

	assert_int_equal(eval_rc(code, n, &v), 0);
	return v;
}

/* @op on two 64-bit constants */
static int binary_rc(uint8_t op, uint64_t a, uint64_t b, int64_t *ret)
{
	uint8_t code[20] = { CONST64 };

	for (unsigned i = 0; i < 8; i++) {
		code[1 + i] = (uint8_t)(a >> (56 - 8 * i));
		code[10 + i] = (uint8_t)(b >> (56 - 8 * i));
	}
	code[9] = CONST64;
	code[18] = op;
	code[19] = END;
	return eval_rc(code, sizeof(code), ret);
}

static uint64_t binary(uint8_t op, uint64_t a, uint64_t b)
{
	int64_t v = 0;

	assert_int_equal(binary_rc(op, a, b, &v), 0);
	return (uint64_t)v;
}

static const uint64_t min64 = 1ull << 63, max64 = INT64_MAX, all64 = UINT64_MAX;

TEST(arithmetic_wraps_at_64_bits)
{
	CHECK_EQ(binary(ADD, 2, 3), 5);
	CHECK_EQ(binary(ADD, all64, 2), 1);
	CHECK_EQ(binary(SUB, 2, 3), all64);
	CHECK_EQ(binary(SUB, min64, 1), max64);
	CHECK_EQ(binary(MUL, 0x100000001, 0x100000001), 0x200000001);
	CHECK_EQ(binary(MUL, all64, all64), 1);
}

TEST(division_is_cut_towards_zero_and_never_traps)
{
	int64_t v = 77;

	CHECK_EQ(binary(DIV_S, (uint64_t)-7, 2), (uint64_t)-3);
	CHECK_EQ(binary(REM_S, (uint64_t)-7, 2), (uint64_t)-1);
	CHECK_EQ(binary(REM_S, 7, (uint64_t)-2), 1);
	CHECK_EQ(binary(DIV_S, min64, all64), min64);
	CHECK_EQ(binary(REM_S, min64, all64), 0);
	CHECK_EQ(binary(DIV_S, 5, all64), (uint64_t)-5);
	CHECK_EQ(binary(DIV_U, all64, 2), max64);
	CHECK_EQ(binary(REM_U, all64, 10), 5);
	CHECK_EQ(binary_rc(DIV_S, 1, 0, &v), -EDOM);
	CHECK_EQ(binary_rc(DIV_U, 1, 0, &v), -EDOM);
	CHECK_EQ(binary_rc(REM_S, 1, 0, &v), -EDOM);
	CHECK_EQ(binary_rc(REM_U, 1, 0, &v), -EDOM);
	CHECK_EQ(v, 77); // untouched on failure
}

TEST(shifts_by_64_and_more_push_every_bit_out)
{
	CHECK_EQ(binary(LSH, 1, 63), min64);
	CHECK_EQ(binary(LSH, 1, 64), 0);
	CHECK_EQ(binary(LSH, 1, all64), 0);
	CHECK_EQ(binary(RSH_U, all64, 63), 1);
	CHECK_EQ(binary(RSH_U, all64, 64), 0);
	CHECK_EQ(binary(RSH_S, min64, 4), 0xf800000000000000);
	CHECK_EQ(binary(RSH_S, min64, 64), all64);
	CHECK_EQ(binary(RSH_S, max64, 64), 0);
}

TEST(bits_and_comparisons)
{
	CHECK_EQ(binary(AND, 0xff00, 0x0ff0), 0x0f00);
	CHECK_EQ(binary(OR, 0xff00, 0x0ff0), 0xfff0);
	CHECK_EQ(binary(XOR, 0xff00, 0x0ff0), 0xf0f0);
	CHECK_EQ(binary(EQUAL, all64, all64), 1);
	CHECK_EQ(binary(EQUAL, 1, 1ull << 32 | 1), 0);
	CHECK_EQ(binary(LESS_S, all64, 0), 1);
	CHECK_EQ(binary(LESS_U, all64, 0), 0);
	CHECK_EQ(binary(LESS_U, 0, all64), 1);
	CHECK_EQ(binary(LESS_S, 3, 3), 0);
	CHECK_EQ(eval(CODE(CONST8, 0, LOG_NOT, END)), 1);
	CHECK_EQ(eval(CODE(CONST8, 2, LOG_NOT, END)), 0);
	CHECK_EQ(eval(CODE(CONST8, 0, NOT, END)), -1);
}

TEST(constants_are_unsigned_and_the_high_byte_comes_first)
{
	CHECK_EQ(eval(CODE(CONST8, 0xff, END)), 0xff);
	CHECK_EQ(eval(CODE(CONST16, 0x12, 0x34, END)), 0x1234);
	CHECK_EQ(eval(CODE(CONST32, 0xff, 1, 2, 3, END)), 0xff010203);
	CHECK_EQ(eval(CODE(CONST64, 0x80, 0, 0, 0, 0, 0, 0, 1, END)), INT64_MIN + 1);
}

TEST(extension_takes_any_number_of_bits)
{
	CHECK_EQ(eval(CODE(CONST16, 0x12, 0x80, EXT, 8, END)), -128);
	CHECK_EQ(eval(CODE(CONST16, 0x12, 0x7f, EXT, 8, END)), 0x7f);
	CHECK_EQ(eval(CODE(CONST8, 1, EXT, 1, END)), -1);
	CHECK_EQ(eval(CODE(CONST8, 1, EXT, 64, END)), 1);
	CHECK_EQ(eval(CODE(CONST8, 1, EXT, 255, END)), 1);
	CHECK_EQ(eval(CODE(CONST16, 0xff, 0xff, ZERO_EXT, 9, END)), 0x1ff);
	CHECK_EQ(eval(CODE(CONST8, 0, NOT, ZERO_EXT, 63, END)), INT64_MAX);
	CHECK_EQ(eval(CODE(CONST8, 0, NOT, ZERO_EXT, 64, END)), -1);
	CHECK_EQ(verify(CODE(CONST8, 1, EXT, 0, END)), -EINVAL);
	CHECK_EQ(verify(CODE(CONST8, 1, ZERO_EXT, 0, END)), -EINVAL);
}

TEST(memory_is_little_endian_at_any_alignment)
{
	memcpy(w.ram + 1, "\x88\x77\x66\x55\x44\x33\x22\x91", 8);
	CHECK_EQ(eval(CODE(CONST16, 0x10, 1, REF8, END)), 0x88);
	CHECK_EQ(eval(CODE(CONST16, 0x10, 1, REF16, END)), 0x7788);
	CHECK_EQ(eval(CODE(CONST16, 0x10, 1, REF32, END)), 0x55667788);
	CHECK_EQ(eval(CODE(CONST16, 0x10, 1, REF64, END)), (int64_t)0x9122334455667788);
}

TEST(memory_that_is_not_there_ends_the_evaluation)
{
	int64_t v;

	CHECK_EQ(eval_rc(CODE(CONST8, 0, REF8, END), &v), -EFAULT);
	CHECK_EQ(eval_rc(CODE(CONST16, 0x10, 0xfd, REF32, END), &v), -EFAULT);
	CHECK_EQ(eval_rc(CODE(CONST8, 0, NOT, REF64, END), &v), -EFAULT);
}

TEST(registers_have_16_bit_numbers)
{
	int64_t v;

	CHECK_EQ(eval(CODE(REG, 0, 3, END)), (int64_t)0xffffffff00000003);
	CHECK_EQ(eval(CODE(REG, 1, 2, END)), (int64_t)0xffffffff00000102);
	CHECK_EQ(eval_rc(CODE(REG, 1, 0xff, END), &v), -ENODATA);
}

TEST(the_order_of_the_stack)
{
	CHECK_EQ(eval(CODE(CONST8, 7, DUP, SUB, END)), 0);
	CHECK_EQ(eval(CODE(CONST8, 7, CONST8, 9, POP, END)), 7);
	CHECK_EQ(eval(CODE(CONST8, 7, CONST8, 9, SWAP, SUB, END)), 2);
	CHECK_EQ(eval(CODE(CONST8, 7, CONST8, 9, PICK, 0, END)), 9);
	CHECK_EQ(eval(CODE(CONST8, 7, CONST8, 9, PICK, 1, END)), 7);
	// a b c -> c a b
	CHECK_EQ(eval(CODE(CONST8, 1, CONST8, 2, CONST8, 4, ROT, END)), 2);
	CHECK_EQ(eval(CODE(CONST8, 1, CONST8, 2, CONST8, 4, ROT, POP, END)), 1);
	CHECK_EQ(eval(CODE(CONST8, 1, CONST8, 2, CONST8, 4, ROT, POP, POP, END)), 4);
	CHECK_EQ(eval(CODE(END)), 0);
}

TEST(jumps_go_to_a_place_in_the_code)
{
	CHECK_EQ(eval(CODE(CONST8, 1, IF_GOTO, 0, 8, CONST8, 2, END, CONST8, 3, END)), 3);
	CHECK_EQ(eval(CODE(CONST8, 0, IF_GOTO, 0, 8, CONST8, 2, END, CONST8, 3, END)), 2);
	CHECK_EQ(eval(CODE(GOTO, 0, 6, CONST8, 2, END, CONST8, 3, GOTO, 0, 5)), 3);
}

TEST(trace_operations_only_tidy_the_stack)
{
	CHECK_EQ(eval(CODE(CONST8, 9, CONST8, 1, CONST8, 2, TRACE, END)), 9);
	CHECK_EQ(eval(CODE(CONST8, 9, CONST8, 1, CONST8, 2, TRACENZ, END)), 9);
	CHECK_EQ(eval(CODE(CONST8, 9, TRACE_QUICK, 4, END)), 9);
	CHECK_EQ(eval(CODE(CONST8, 9, TRACE16, 1, 0, END)), 9);
}

TEST(what_is_not_taken_is_refused)
{
	static const uint8_t ops[] = { 0,      FLOAT,  REF_FLOAT, REF_DOUBLE, REF_LONG_DOUBLE,
				       L_TO_D, D_TO_L, GETV,      SETV,       TRACEV,
				       0x31,   0x35,   0xff };

	for (unsigned i = 0; i < ARRAY_LEN(ops); i++)
		CHECK_EQ(verify(CODE(CONST8, 1, CONST8, 1, ops[i], END, END, END)), -EINVAL);
}

TEST(broken_code_is_refused)
{
	CHECK_EQ(verify(CODE(END)), 0);
	CHECK_EQ(verify((const uint8_t *)"", 0), -EINVAL);
	CHECK_EQ(verify(CODE(CONST8)), -EINVAL);                                   // no operand
	CHECK_EQ(verify(CODE(CONST64, 1, 2, 3, 4, 5, 6, 7)), -EINVAL);             // half of one
	CHECK_EQ(verify(CODE(CONST8, 1)), -EINVAL);                                // runs off the end
	CHECK_EQ(verify(CODE(GOTO, 0, 0)), 0);                                     // endless, but safe
	CHECK_EQ(verify(CODE(GOTO, 0, 1)), -EINVAL);                               // into an instruction
	CHECK_EQ(verify(CODE(GOTO, 0, 4, END)), -EINVAL);                          // behind the end
	CHECK_EQ(verify(CODE(GOTO, 0xff, 0xff, END)), -EINVAL);                    //
	CHECK_EQ(verify(CODE(CONST8, 1, IF_GOTO, 0, 1, END)), -EINVAL);            //
	CHECK_EQ(verify(CODE(CONST8, 1, ADD, END)), -EINVAL);                      // one value for two
	CHECK_EQ(verify(CODE(POP, END)), -EINVAL);                                 //
	CHECK_EQ(verify(CODE(CONST8, 1, CONST8, 1, ROT, END)), -EINVAL);           //
	CHECK_EQ(verify(CODE(CONST8, 1, PICK, 1, END)), -EINVAL);                  // one too deep
	CHECK_EQ(verify(CODE(CONST8, 1, GOTO, 0, 0)), -EINVAL);                    // grows each time round
	CHECK_EQ(verify(CODE(CONST8, 1, DUP, IF_GOTO, 0, 0, END)), -EINVAL);       // likewise
	CHECK_EQ(verify(CODE(END, ADD, 0x31)), -EINVAL);                           // never reached, but no code
	CHECK_EQ(verify(CODE(CONST8, 1, IF_GOTO, 0, 7, CONST8, 1, END)), -EINVAL); // two heights at one place
}

TEST(code_and_stack_have_limits)
{
	static uint8_t code[AGENT_CODE_MAX + 1];

	memset(code, END, sizeof(code));
	CHECK_EQ(verify(code, AGENT_CODE_MAX), 0);
	CHECK_EQ(verify(code, AGENT_CODE_MAX + 1), -E2BIG);
	for (unsigned i = 0; i <= AGENT_STACK_MAX; i++)
		code[2 * i] = CONST8;
	CHECK_EQ(verify(code, AGENT_CODE_MAX), -E2BIG);
	code[2 * AGENT_STACK_MAX] = END;
	CHECK_EQ(verify(code, AGENT_CODE_MAX), 0);
	CHECK_EQ(eval(code, AGENT_CODE_MAX), END);
}

TEST(endless_code_comes_to_an_end)
{
	int64_t v = 5;

	CHECK_EQ(eval_rc(CODE(GOTO, 0, 0), &v), -ELOOP);
	CHECK_EQ(eval_rc(CODE(CONST8, 1, IF_GOTO, 0, 0, GOTO, 0, 0), &v), -ELOOP);
	CHECK_EQ(v, 5);
}

TEST(memory_reads_are_counted_dearer)
{
	// 8 instructions and one read a round
	uint8_t loop[] = { CONST16, 2, 0, CONST16, 0x10, 0x10, REF8, POP, CONST8, 1, SUB, DUP, IF_GOTO, 0, 3, END };
	int64_t v;

	CHECK_EQ(eval_rc(loop, sizeof(loop), &v), 0);
	loop[1] = 3;
	CHECK_EQ(eval_rc(loop, sizeof(loop), &v), -ELOOP);
}

/* printf of @nargs one-byte arguments, as GDB sends it: the first argument last, then channel and function */
static int print_rc(const char *format, unsigned nargs, const uint64_t *args)
{
	uint8_t code[1024];
	size_t n = 0, len = strlen(format) + 1;
	int64_t v;
	_cleanup_(agent_expr_destroyp) struct agent_expr *x = NULL;
	int rc;

	for (unsigned i = nargs; i--;) {
		code[n++] = CONST64;
		for (unsigned shift = 64; shift; shift -= 8)
			code[n++] = (uint8_t)(args[i] >> (shift - 8));
	}
	memcpy(code + n, (uint8_t[]){ CONST8, 0, CONST8, 0, PRINTF, (uint8_t)nargs, (uint8_t)(len >> 8), (uint8_t)len },
	       8);
	n += 8;
	memcpy(code + n, format, len);
	n += len;
	code[n++] = END;
	w.n = w.prints = 0;
	w.text[0] = '\0';
	rc = agent_expr_create(code, n, &x);
	return rc < 0 ? rc : agent_eval(x, &env, &v);
}

#define ARGS(...) ARRAY_LEN(((const uint64_t[]){ __VA_ARGS__ })), ((const uint64_t[]){ __VA_ARGS__ })
#define PRINTS(want, format, ...)                                 \
	do {                                                      \
		CHECK_EQ(print_rc(format, ARGS(__VA_ARGS__)), 0); \
		CHECK_STR(w.text, want);                          \
		CHECK_EQ(w.prints, 1);                            \
	} while (0)

TEST(printf_prints_numbers_of_every_size)
{
	PRINTS("1 2 3", "%d %d %d", 1, 2, 3);
	PRINTS("-1 4294967295", "%d %u", all64, all64);
	PRINTS("-1 18446744073709551615", "%ld %lu", all64, all64);
	PRINTS("-9223372036854775808", "%lld", min64);
	PRINTS("-2147483648", "%d", 0x80000000);
	PRINTS("ffffffff ffffffffffffffff DEADBEEF", "%x %lx %X", all64, all64, 0xdeadbeef);
	PRINTS("ff -1 ffff", "%hhx %hhd %hx", all64, all64, all64);
	PRINTS("777 0777 0", "%o %#o %#o", 0777, 0777, 0);
	PRINTS("5 5 5 5", "%i %zu %jd %td", 5, 5, 5, 5);
}

TEST(printf_fills_fields)
{
	PRINTS("[   42]", "[%5d]", 42);
	PRINTS("[42   ]", "[%-5d]", 42);
	PRINTS("[-0042]", "[%05d]", (uint64_t)-42);
	PRINTS("[+42] [ 42]", "[%+d] [% d]", 42, 42);
	PRINTS("[0x00ff]", "[%#06x]", 255);
	PRINTS("[0x1f] [0] [0XAB]", "[%#x] [%#x] [%#X]", 31, 0, 0xab);
	PRINTS("[  007]", "[%5.3d]", 7);
	PRINTS("[]", "[%.0d]", 0);
	PRINTS("[    x] [x    ]", "[%5c] [%-5c]", 'x', 'x');
	PRINTS("12345", "%2d", 12345);
}

TEST(printf_prints_text_characters_and_pointers)
{
	memset(w.ram, 'a', sizeof(w.ram));
	strcpy((char *)w.ram + 3, "hello");
	PRINTS("hello|lo|  hello|he", "%s|%s|%7s|%.2s", RAM_AT + 3, RAM_AT + 6, RAM_AT + 3, RAM_AT + 3);
	PRINTS("(null)", "%s", 0);
	PRINTS("[A]", "[%c]", 0x141);
	PRINTS("[]", "[%c]", 0);
	PRINTS("0xffffffff81000000 (nil)", "%p %p", 0xffffffff81000000, 0);
	CHECK_EQ(print_rc("100%% \\t\\\"\\\\\\a\\e\\n", 0, NULL), 0);
	CHECK_STR(w.text, "100% \t\"\\\a\033\n");
}

TEST(printf_reads_a_string_no_further_than_its_end)
{
	memset(w.ram, 'a', sizeof(w.ram));
	w.ram[255] = '\0';
	PRINTS("aa", "%s", RAM_AT + 253);
	w.ram[255] = 'a';
	CHECK_EQ(print_rc("x%sy", ARGS(RAM_AT + 253)), -EFAULT);
	CHECK_STR(w.text, "x"); // as far as it came
	PRINTS("aaa", "%.3s", RAM_AT + 253);
}

static int endless_string(void *arg, uint64_t at, void *buf, size_t len)
{
	memset(buf, 'z', len);
	return 0;
}

TEST(printf_cuts_endless_strings)
{
	const struct agent_env endless = { .reg = env_reg, .mem = endless_string, .print = env_print };
	const uint8_t code[] = { CONST8, 1, CONST8, 0, CONST8, 0, PRINTF, 1, 0, 3, '%', 's', 0, END };
	_cleanup_(agent_expr_destroyp) struct agent_expr *x = NULL;
	int64_t v;

	w.n = 0;
	CHECK_EQ(agent_expr_create(code, sizeof(code), &x), 0);
	CHECK_EQ(agent_eval(x, &endless, &v), 0);
	CHECK_EQ(w.n, AGENT_STRING_MAX + 3);
	CHECK_STR(w.text + AGENT_STRING_MAX - 1, "z...");
}

TEST(printf_has_a_limit_of_text)
{
	// 0: print 5 bytes, again and again
	const uint8_t loop[] = { CONST8, 0, CONST8, 0, PRINTF, 0, 0, 6, 'h', 'e', 'l', 'l', 'o', 0, GOTO, 0, 0 };
	int64_t v;

	CHECK_EQ(eval_rc(loop, sizeof(loop), &v), -EMSGSIZE);
	CHECK_EQ(w.n, AGENT_TEXT_MAX);
}

TEST(printf_without_a_listener_is_dropped)
{
	const struct agent_env deaf = { .reg = env_reg, .mem = env_mem };
	const uint8_t code[] = { CONST8, 0, CONST8, 0, PRINTF, 0, 0, 2, 'x', 0, CONST8, 4, END };
	_cleanup_(agent_expr_destroyp) struct agent_expr *x = NULL;
	int64_t v;

	CHECK_EQ(agent_expr_create(code, sizeof(code), &x), 0);
	CHECK_EQ(agent_eval(x, &deaf, &v), 0);
	CHECK_EQ(v, 4);
}

TEST(wrong_formats_are_refused)
{
	static const char *const wrong[] = { "%",      "%f", "%g", "%ls", "%lc", "%n", "%*d", "%.*d", "%999d",
					     "%.999d", "%q", "%l", "%5%", "\\x", "\\", "\\0", "%d%",  "%w" };
	const uint64_t args[2] = { 1, 2 };

	for (unsigned i = 0; i < ARRAY_LEN(wrong); i++) {
		CHECK_EQ(print_rc(wrong[i], 0, args), -EINVAL);
		CHECK_EQ(print_rc(wrong[i], 1, args), -EINVAL);
	}
	CHECK_EQ(print_rc("%d", 0, args), -EINVAL);
	CHECK_EQ(print_rc("%d", 2, args), -EINVAL);
	CHECK_EQ(print_rc("no conversion", 1, args), -EINVAL);
	CHECK_EQ(print_rc("", 0, args), 0);
	CHECK_EQ(verify(CODE(CONST8, 0, CONST8, 0, PRINTF, 0, 0, 0, END)), -EINVAL);            // no NUL
	CHECK_EQ(verify(CODE(CONST8, 0, CONST8, 0, PRINTF, 0, 0, 1, 'x', END)), -EINVAL);       // likewise
	CHECK_EQ(verify(CODE(CONST8, 0, CONST8, 0, PRINTF, 0, 0, 3, 'x', 0, 0, END)), -EINVAL); // two
	CHECK_EQ(verify(CODE(CONST8, 0, CONST8, 0, PRINTF, 0, 1, 0, 'x', 0, END)), -EINVAL);    // longer than the code
	CHECK_EQ(verify(CODE(CONST8, 0, PRINTF, 0, 0, 2, 'x', 0, END)), -EINVAL);               // no channel
}

TESTS(T(arithmetic_wraps_at_64_bits), T(division_is_cut_towards_zero_and_never_traps),
      T(shifts_by_64_and_more_push_every_bit_out), T(bits_and_comparisons),
      T(constants_are_unsigned_and_the_high_byte_comes_first), T(extension_takes_any_number_of_bits),
      T(memory_is_little_endian_at_any_alignment), T(memory_that_is_not_there_ends_the_evaluation),
      T(registers_have_16_bit_numbers), T(the_order_of_the_stack), T(jumps_go_to_a_place_in_the_code),
      T(trace_operations_only_tidy_the_stack), T(what_is_not_taken_is_refused), T(broken_code_is_refused),
      T(code_and_stack_have_limits), T(endless_code_comes_to_an_end), T(memory_reads_are_counted_dearer),
      T(printf_prints_numbers_of_every_size), T(printf_fills_fields), T(printf_prints_text_characters_and_pointers),
      T(printf_reads_a_string_no_further_than_its_end), T(printf_cuts_endless_strings), T(printf_has_a_limit_of_text),
      T(printf_without_a_listener_is_dropped), T(wrong_formats_are_refused))
