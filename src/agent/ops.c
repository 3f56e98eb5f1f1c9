/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>

#include "agent/internal.h"
#include "util/bytes.h"

/* The operations: what each does to the stack. Heights were checked by the verifier, by the table at the end. */

static uint64_t *top(struct agent_run *r)
{
	return &r->stack[r->height - 1];
}

static void push(struct agent_run *r, uint64_t v)
{
	r->stack[r->height++] = v;
}

static uint64_t pop(struct agent_run *r)
{
	return r->stack[--r->height];
}

/* ---- arithmetic and logic ---- */

#define BINARY(name, value)                                               \
	static int op_##name(struct agent_run *r, const uint8_t *operand) \
	{                                                                 \
		uint64_t b = pop(r), a = pop(r);                          \
                                                                          \
		push(r, value);                                           \
		return 0;                                                 \
	}
#define UNARY(name, value)                                                \
	static int op_##name(struct agent_run *r, const uint8_t *operand) \
	{                                                                 \
		uint64_t a = pop(r);                                      \
                                                                          \
		push(r, value);                                           \
		return 0;                                                 \
	}
#define DIVISION(name, value)                                             \
	static int op_##name(struct agent_run *r, const uint8_t *operand) \
	{                                                                 \
		uint64_t b = pop(r), a = pop(r);                          \
                                                                          \
		if (!b)                                                   \
			return -EDOM;                                     \
		push(r, value);                                           \
		return 0;                                                 \
	}

/* By -1 as a subtraction: the machine's division traps on the one quotient that does not fit. */
static uint64_t div_signed(uint64_t a, uint64_t b)
{
	return b == UINT64_MAX ? 0 - a : (uint64_t)((int64_t)a / (int64_t)b);
}

static uint64_t rem_signed(uint64_t a, uint64_t b)
{
	return b == UINT64_MAX ? 0 : (uint64_t)((int64_t)a % (int64_t)b);
}

static uint64_t rsh_signed(uint64_t a, uint64_t b)
{
	return (uint64_t)((int64_t)a >> (b < 64 ? b : 63));
}

/* The low @n bits of @a, all of it for 64 and more. */
static uint64_t low_bits(uint64_t a, unsigned n)
{
	return n < 64 ? a & ((1ull << n) - 1) : a;
}

static uint64_t sign_extend(uint64_t a, unsigned n)
{
	uint64_t sign = n < 64 ? 1ull << (n - 1) : 0;

	return (low_bits(a, n) ^ sign) - sign;
}

BINARY(add, a + b)
BINARY(sub, a - b)
BINARY(mul, (a * b))
DIVISION(div_signed, div_signed(a, b))
DIVISION(div_unsigned, a / b)
DIVISION(rem_signed, rem_signed(a, b))
DIVISION(rem_unsigned, a % b)
BINARY(lsh, b < 64 ? a << b : 0)
BINARY(rsh_signed, rsh_signed(a, b))
BINARY(rsh_unsigned, b < 64 ? a >> b : 0)
BINARY(bit_and, (a & b))
BINARY(bit_or, a | b)
BINARY(bit_xor, a ^ b)
BINARY(equal, a == b)
BINARY(less_signed, (int64_t)a < (int64_t)b)
BINARY(less_unsigned, a < b)
UNARY(log_not, !a)
UNARY(bit_not, ~a)
UNARY(ext, sign_extend(a, operand[0]))
UNARY(zero_ext, low_bits(a, operand[0]))

/* ---- memory and registers ---- */

static int ref(struct agent_run *r, size_t len)
{
	uint8_t bytes[8] = { 0 };
	int rc = agent_mem(r, *top(r), bytes, len);

	if (rc == 0)
		*top(r) = ld_le64(bytes);
	return rc;
}

static int op_ref8(struct agent_run *r, const uint8_t *operand)
{
	return ref(r, 1);
}

static int op_ref16(struct agent_run *r, const uint8_t *operand)
{
	return ref(r, 2);
}

static int op_ref32(struct agent_run *r, const uint8_t *operand)
{
	return ref(r, 4);
}

static int op_ref64(struct agent_run *r, const uint8_t *operand)
{
	return ref(r, 8);
}

static int op_reg(struct agent_run *r, const uint8_t *operand)
{
	uint64_t v;
	int rc = r->env->reg(r->env->arg, agent_be16(operand), &v);

	if (rc == 0)
		push(r, v);
	return rc;
}

/* ---- constants and the order of the stack ---- */

static int push_const(struct agent_run *r, const uint8_t *operand, unsigned len)
{
	uint64_t v = 0;

	for (unsigned i = 0; i < len; i++)
		v = v << 8 | operand[i];
	push(r, v);
	return 0;
}

static int op_const8(struct agent_run *r, const uint8_t *operand)
{
	return push_const(r, operand, 1);
}

static int op_const16(struct agent_run *r, const uint8_t *operand)
{
	return push_const(r, operand, 2);
}

static int op_const32(struct agent_run *r, const uint8_t *operand)
{
	return push_const(r, operand, 4);
}

static int op_const64(struct agent_run *r, const uint8_t *operand)
{
	return push_const(r, operand, 8);
}

static int op_dup(struct agent_run *r, const uint8_t *operand)
{
	push(r, *top(r));
	return 0;
}

static int op_pop(struct agent_run *r, const uint8_t *operand)
{
	pop(r);
	return 0;
}

static int op_pop2(struct agent_run *r, const uint8_t *operand)
{
	r->height -= 2;
	return 0;
}

static int op_swap(struct agent_run *r, const uint8_t *operand)
{
	uint64_t b = pop(r), a = pop(r);

	push(r, b);
	push(r, a);
	return 0;
}

static int op_pick(struct agent_run *r, const uint8_t *operand)
{
	push(r, top(r)[-(ptrdiff_t)operand[0]]);
	return 0;
}

/* a b c -> c a b */
static int op_rot(struct agent_run *r, const uint8_t *operand)
{
	uint64_t c = pop(r), b = pop(r), a = pop(r);

	push(r, c);
	push(r, a);
	push(r, b);
	return 0;
}

/* ---- the rest ---- */

static int op_nothing(struct agent_run *r, const uint8_t *operand)
{
	return 0;
}

static int op_goto(struct agent_run *r, const uint8_t *operand)
{
	r->pc = agent_be16(operand);
	return 0;
}

static int op_if_goto(struct agent_run *r, const uint8_t *operand)
{
	if (pop(r))
		r->pc = agent_be16(operand);
	return 0;
}

static int op_end(struct agent_run *r, const uint8_t *operand)
{
	r->ended = true;
	return 0;
}

/* The function and the channel on top are for stubs that print by calling into the program; we do not. */
static int op_printf(struct agent_run *r, const uint8_t *operand)
{
	unsigned nargs = operand[0];

	r->height -= 2 + nargs;
	return agent_format_print(r, (const char *)operand + 3, &r->stack[r->height], nargs);
}

/*
 * Left out, and so refused: 0x01 float, 0x1b to 0x1f (ref_float, ref_double, ref_long_double, l_to_d, d_to_l), and
 * what needs trace state variables: 0x2c getv, 0x2d setv, 0x2e tracev.
 */
// clang-format off
const struct agent_op agent_ops[256] = {
	[0x02] = { "add",           op_add,           0, 2, 1, AGENT_NEXT },
	[0x03] = { "sub",           op_sub,           0, 2, 1, AGENT_NEXT },
	[0x04] = { "mul",           op_mul,           0, 2, 1, AGENT_NEXT },
	[0x05] = { "div_signed",    op_div_signed,    0, 2, 1, AGENT_NEXT },
	[0x06] = { "div_unsigned",  op_div_unsigned,  0, 2, 1, AGENT_NEXT },
	[0x07] = { "rem_signed",    op_rem_signed,    0, 2, 1, AGENT_NEXT },
	[0x08] = { "rem_unsigned",  op_rem_unsigned,  0, 2, 1, AGENT_NEXT },
	[0x09] = { "lsh",           op_lsh,           0, 2, 1, AGENT_NEXT },
	[0x0a] = { "rsh_signed",    op_rsh_signed,    0, 2, 1, AGENT_NEXT },
	[0x0b] = { "rsh_unsigned",  op_rsh_unsigned,  0, 2, 1, AGENT_NEXT },
	[0x0c] = { "trace",         op_pop2,          0, 2, 0, AGENT_NEXT },
	[0x0d] = { "trace_quick",   op_nothing,       1, 1, 1, AGENT_NEXT },
	[0x0e] = { "log_not",       op_log_not,       0, 1, 1, AGENT_NEXT },
	[0x0f] = { "bit_and",       op_bit_and,       0, 2, 1, AGENT_NEXT },
	[0x10] = { "bit_or",        op_bit_or,        0, 2, 1, AGENT_NEXT },
	[0x11] = { "bit_xor",       op_bit_xor,       0, 2, 1, AGENT_NEXT },
	[0x12] = { "bit_not",       op_bit_not,       0, 1, 1, AGENT_NEXT },
	[0x13] = { "equal",         op_equal,         0, 2, 1, AGENT_NEXT },
	[0x14] = { "less_signed",   op_less_signed,   0, 2, 1, AGENT_NEXT },
	[0x15] = { "less_unsigned", op_less_unsigned, 0, 2, 1, AGENT_NEXT },
	[0x16] = { "ext",           op_ext,           1, 1, 1, AGENT_NEXT },
	[0x17] = { "ref8",          op_ref8,          0, 1, 1, AGENT_NEXT },
	[0x18] = { "ref16",         op_ref16,         0, 1, 1, AGENT_NEXT },
	[0x19] = { "ref32",         op_ref32,         0, 1, 1, AGENT_NEXT },
	[0x1a] = { "ref64",         op_ref64,         0, 1, 1, AGENT_NEXT },
	[0x20] = { "if_goto",       op_if_goto,       2, 1, 0, AGENT_BRANCH },
	[0x21] = { "goto",          op_goto,          2, 0, 0, AGENT_JUMP },
	[0x22] = { "const8",        op_const8,        1, 0, 1, AGENT_NEXT },
	[0x23] = { "const16",       op_const16,       2, 0, 1, AGENT_NEXT },
	[0x24] = { "const32",       op_const32,       4, 0, 1, AGENT_NEXT },
	[0x25] = { "const64",       op_const64,       8, 0, 1, AGENT_NEXT },
	[0x26] = { "reg",           op_reg,           2, 0, 1, AGENT_NEXT },
	[0x27] = { "end",           op_end,           0, 0, 0, AGENT_END },
	[0x28] = { "dup",           op_dup,           0, 1, 2, AGENT_NEXT },
	[0x29] = { "pop",           op_pop,           0, 1, 0, AGENT_NEXT },
	[0x2a] = { "zero_ext",      op_zero_ext,      1, 1, 1, AGENT_NEXT },
	[0x2b] = { "swap",          op_swap,          0, 2, 2, AGENT_NEXT },
	[0x2f] = { "tracenz",       op_pop2,          0, 2, 0, AGENT_NEXT },
	[0x30] = { "trace16",       op_nothing,       2, 1, 1, AGENT_NEXT },
	[0x32] = { "pick",          op_pick,          1, 0, 1, AGENT_NEXT }, // in: by its operand
	[0x33] = { "rot",           op_rot,           0, 3, 3, AGENT_NEXT },
	[0x34] = { "printf",        op_printf,        3, 2, 0, AGENT_NEXT }, // and its arguments
};
// clang-format on
