/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "agent/agent.h"

#include <errno.h>
#include <string.h>

#include "agent/internal.h"
#include "util/macros.h"

struct agent_expr {
	size_t n;
	uint8_t code[];
};

/* ---- the verifier ---- */

enum { HEIGHT_NO_START = -2, HEIGHT_UNKNOWN = -1 };

/* The places whose instruction starts there, the stack height at each, and the places still to be looked at. */
struct verify {
	const uint8_t *code;
	size_t n;
	int16_t *height;
	uint16_t *todo;
	unsigned ntodo;
};

/* Length of the instruction at @at, 0: it is not one we take, or it does not end inside. */
static size_t insn_len(const uint8_t *code, size_t n, size_t at)
{
	const struct agent_op *op = &agent_ops[code[at]];
	size_t len = 1 + op->operand;

	if (!op->name || len > n - at)
		return 0;
	if (code[at] == AGENT_OP_PRINTF)
		len += agent_be16(code + at + 2);
	return len <= n - at ? len : 0;
}

/* What only the operand says. */
static bool operand_ok(const uint8_t *insn)
{
	switch (insn[0]) {
	case AGENT_OP_EXT:
	case AGENT_OP_ZERO_EXT:
		return insn[1] > 0;
	case AGENT_OP_PRINTF:
		return agent_format_check((const char *)insn + 4, agent_be16(insn + 2), insn[1]);
	default:
		return true;
	}
}

/* Cut the code into instructions, from the first byte to the last. */
static int find_starts(struct verify *v)
{
	for (size_t i = 0; i < v->n; i++)
		v->height[i] = HEIGHT_NO_START;
	for (size_t at = 0, len; at < v->n; at += len) {
		len = insn_len(v->code, v->n, at);
		if (!len || !operand_ok(v->code + at))
			return -EINVAL;
		v->height[at] = HEIGHT_UNKNOWN;
	}
	return 0;
}

/* A path leads to @at with @height values on the stack. */
static int reach(struct verify *v, size_t at, int height)
{
	if (at >= v->n || v->height[at] == HEIGHT_NO_START)
		return -EINVAL;
	if (v->height[at] != HEIGHT_UNKNOWN)
		return v->height[at] == height ? 0 : -EINVAL;
	v->height[at] = (int16_t)height;
	v->todo[v->ntodo++] = (uint16_t)at; // each place once
	return 0;
}

/* Values that the instruction needs on the stack; those that pick reaches over stay there. */
static int insn_needs(const uint8_t *insn)
{
	if (insn[0] == AGENT_OP_PICK)
		return insn[1] + 1;
	if (insn[0] == AGENT_OP_PRINTF)
		return agent_ops[insn[0]].in + insn[1];
	return agent_ops[insn[0]].in;
}

static int follow(struct verify *v, size_t at)
{
	const uint8_t *insn = v->code + at;
	const struct agent_op *op = &agent_ops[insn[0]];
	int height = v->height[at], needs = insn_needs(insn);
	int rc = 0;

	if (height < needs)
		return -EINVAL;
	height += op->out - (insn[0] == AGENT_OP_PICK ? 0 : needs);
	if (height > AGENT_STACK_MAX)
		return -E2BIG;
	if (op->flow == AGENT_JUMP || op->flow == AGENT_BRANCH)
		rc = reach(v, agent_be16(insn + 1), height);
	if (rc == 0 && (op->flow == AGENT_NEXT || op->flow == AGENT_BRANCH))
		rc = reach(v, at + insn_len(v->code, v->n, at), height);
	return rc;
}

static int verify(const uint8_t *code, size_t n)
{
	_cleanup_(freep) int16_t *height = calloc(n, sizeof(*height));
	_cleanup_(freep) uint16_t *todo = calloc(n, sizeof(*todo));
	struct verify v = { .code = code, .n = n, .height = height, .todo = todo };
	int rc = height && todo ? find_starts(&v) : -ENOMEM;

	if (rc == 0)
		rc = reach(&v, 0, 0);
	while (rc == 0 && v.ntodo)
		rc = follow(&v, v.todo[--v.ntodo]);
	return rc;
}

int agent_expr_create(const uint8_t *code, size_t n, struct agent_expr **ret)
{
	struct agent_expr *x;
	int rc;

	if (!n)
		return -EINVAL;
	if (n > AGENT_CODE_MAX)
		return -E2BIG;
	rc = verify(code, n);
	if (rc < 0)
		return rc;
	x = malloc(sizeof(*x) + n);
	if (!x)
		return -ENOMEM;
	x->n = n;
	memcpy(x->code, code, n);
	*ret = x;
	return 0;
}

void agent_expr_destroy(struct agent_expr *x)
{
	free(x);
}

void agent_expr_destroyp(struct agent_expr **x)
{
	agent_expr_destroy(*x);
}

/* ---- evaluation ---- */

static int spend(struct agent_run *r, unsigned steps)
{
	r->cost += steps;
	return r->cost > AGENT_STEPS_MAX ? -ELOOP : 0;
}

int agent_mem(struct agent_run *r, uint64_t at, void *buf, size_t len)
{
	int rc = spend(r, AGENT_READ_STEPS);

	return rc < 0 ? rc : r->env->mem(r->env->arg, at, buf, len);
}

int agent_eval(const struct agent_expr *x, const struct agent_env *env, int64_t *ret)
{
	struct agent_run r; // the stack is not cleared: this runs each time that a breakpoint is hit
	int rc = 0;

	r.env = env;
	r.height = r.pc = r.cost = 0;
	r.ended = false;
	r.printed = 0;
	while (rc == 0 && !r.ended) {
		const uint8_t *insn = x->code + r.pc;

		r.pc += (unsigned)insn_len(x->code, x->n, r.pc);
		rc = spend(&r, 1);
		if (rc == 0)
			rc = agent_ops[insn[0]].run(&r, insn + 1);
	}
	if (rc < 0)
		return rc;
	*ret = r.height ? (int64_t)r.stack[r.height - 1] : 0;
	return 0;
}
