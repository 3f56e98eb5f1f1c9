/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef AGENT_INTERNAL_H
#define AGENT_INTERNAL_H

#include <stdbool.h>

#include "agent/agent.h"
#include "util/strbuf.h"

/* One evaluation under way. The verifier has made sure that no operation goes out of the stack or the code. */
struct agent_run {
	const struct agent_env *env;
	uint64_t stack[AGENT_STACK_MAX];
	unsigned height; /* values on the stack */
	unsigned pc;     /* of the next instruction */
	bool ended;
	unsigned cost;  /* so far, in steps */
	size_t printed; /* bytes so far */
};

/* What an operation does besides going on to the next one. */
enum agent_flow {
	AGENT_NEXT,
	AGENT_JUMP,   /* goes to its operand */
	AGENT_BRANCH, /* goes to its operand or on */
	AGENT_END,
};

/* One row per opcode. @in and @out are what it takes off the stack and puts there. */
struct agent_op {
	const char *name; /* NULL: no such opcode, or not taken */
	int (*run)(struct agent_run *r, const uint8_t *operand);
	uint8_t operand; /* bytes; of printf those before the text */
	uint8_t in, out;
	uint8_t flow; /* enum agent_flow */
};
extern const struct agent_op agent_ops[256];

enum { AGENT_OP_EXT = 0x16, AGENT_OP_ZERO_EXT = 0x2a, AGENT_OP_PICK = 0x32, AGENT_OP_PRINTF = 0x34 };

static inline unsigned agent_be16(const uint8_t *p)
{
	return (unsigned)p[0] << 8 | p[1];
}

/** agent_mem() - read guest memory, at its cost. Returns: as env->mem; -ELOOP. */
int agent_mem(struct agent_run *r, uint64_t at, void *buf, size_t len);

/* ---- format.c ---- */

/** agent_format_check() - is @text (@n bytes, the NUL included) a format we print, with @nargs arguments? */
bool agent_format_check(const char *text, size_t n, unsigned nargs);

/**
 * agent_format_print() - print by a checked format; @args[0] is the last argument.
 * Returns: 0; -EFAULT: a string could not be read; -ELOOP, -EMSGSIZE. What came before is printed all the same.
 */
int agent_format_print(struct agent_run *r, const char *text, const uint64_t *args, unsigned nargs);

#endif
