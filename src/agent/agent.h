/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef AGENT_AGENT_H
#define AGENT_AGENT_H

#include <stddef.h>
#include <stdint.h>

/*
 * GDB's agent expressions: the bytecode in which a client sends the conditions and commands of its breakpoints.
 * An expression is verified once, when it is made: every opcode known, every operand inside, every jump to the start
 * of an instruction, one stack height at each place however it is reached, every path ending in `end`. So evaluating
 * needs no such checks, and is bounded by the limits below whatever the code does.
 *
 * Not taken: floating point, trace state variables (there are none here). The other trace operations do what they do
 * to the stack and record nothing.
 * Source: GDB manual, "The GDB Agent Expression Mechanism".
 */
enum {
	AGENT_CODE_MAX = 16384,  /* bytes of one expression */
	AGENT_STACK_MAX = 128,   /* values on the stack */
	AGENT_STEPS_MAX = 16384, /* steps of one evaluation: instructions, and */
	AGENT_READ_STEPS = 16,   /* as many more for each memory read */
	AGENT_TEXT_MAX = 4096,   /* bytes that one evaluation prints */
	AGENT_STRING_MAX = 1024, /* bytes of one %s; the rest is shown as "..." */
};

/* What an expression sees. Called on the thread that evaluates. */
struct agent_env {
	int (*reg)(void *arg, unsigned num, uint64_t *ret);        /* by the number of the session's layout */
	int (*mem)(void *arg, uint64_t at, void *buf, size_t len); /* guest virtual; all of it or -EFAULT */
	void (*print)(void *arg, const char *text, size_t n);      /* printf's text, once for each; NULL: dropped */
	void *arg;
};

struct agent_expr; /* verified and immutable: several threads may evaluate it at once */

/**
 * agent_expr_create() - verify @n bytes of code and keep a copy.
 * Returns: 0; -EINVAL: not a valid expression, or one that is not taken here; -E2BIG: too long, or it would need too
 * much stack; -ENOMEM.
 */
int agent_expr_create(const uint8_t *code, size_t n, struct agent_expr **ret);
void agent_expr_destroy(struct agent_expr *x); /* NULL ok */
void agent_expr_destroyp(struct agent_expr **x);

/**
 * agent_eval() - evaluate @x.
 * @ret: the value on top of the stack at the end, 0 if there is none.
 * Values:  64 bits that wrap. Quotients are cut towards zero, and INT64_MIN / -1 is INT64_MIN. A shift by 64 or more
 *          gives 0, or the sign.
 * Returns: 0; -ELOOP: more than AGENT_STEPS_MAX steps; -EDOM: division by zero; -EMSGSIZE: more than AGENT_TEXT_MAX
 *          bytes printed (what fits was); -EFAULT and other errnos from env->mem and env->reg as they are.
 */
int agent_eval(const struct agent_expr *x, const struct agent_env *env, int64_t *ret);

#endif
