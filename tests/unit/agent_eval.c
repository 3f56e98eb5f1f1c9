/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Evaluates agent expressions for check_agent.py. On stdin, one a line, numbers in hex:
 *	mem AT BYTES	the guest has BYTES at AT (one range; before eval)
 *	reg NUM VALUE
 *	eval BYTES	prints the value in hex, or "error ERRNO"
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "agent/agent.h"
#include "util/cursor.h"
#include "util/macros.h"

enum { RANGES = 8, REGS = 64, LINE = 1 << 20 };

static struct {
	uint64_t at;
	uint8_t *bytes;
	size_t n;
} ranges[RANGES];
static unsigned nranges;
static uint64_t regs[REGS];

static int env_reg(void *arg, unsigned num, uint64_t *ret)
{
	if (num >= REGS)
		return -EINVAL;
	*ret = regs[num];
	return 0;
}

static int env_mem(void *arg, uint64_t at, void *buf, size_t len)
{
	for (unsigned i = 0; i < nranges; i++) {
		uint64_t off = at - ranges[i].at;

		if (at < ranges[i].at || off > ranges[i].n || len > ranges[i].n - off)
			continue;
		memcpy(buf, ranges[i].bytes + off, len);
		return 0;
	}
	return -EFAULT;
}

static bool take_mem(struct cur *c)
{
	size_t max;

	if (nranges == RANGES)
		return false;
	ranges[nranges].at = cur_hex(c);
	cur_lit(c, ' ');
	max = cur_left(c) / 2;
	ranges[nranges].bytes = malloc(max + 1);
	ranges[nranges].n = cur_hexbytes(c, ranges[nranges].bytes, max);
	nranges++;
	return cur_done(c);
}

static bool take_reg(struct cur *c)
{
	uint64_t num = cur_hex(c);

	cur_lit(c, ' ');
	if (num < REGS)
		regs[num] = cur_hex(c);
	return cur_done(c);
}

static bool take_eval(struct cur *c)
{
	static const struct agent_env env = { .reg = env_reg, .mem = env_mem };
	_cleanup_(agent_expr_destroyp) struct agent_expr *x = NULL;
	static uint8_t code[AGENT_CODE_MAX];
	size_t n = cur_hexbytes(c, code, sizeof(code));
	int64_t v;
	int rc;

	if (!cur_done(c))
		return false;
	rc = agent_expr_create(code, n, &x);
	if (rc == 0)
		rc = agent_eval(x, &env, &v);
	if (rc < 0)
		printf("error %d\n", rc);
	else
		printf("%" PRIx64 "\n", (uint64_t)v);
	return true;
}

int main(void)
{
	static char line[LINE];
	bool ok = true;

	while (ok && fgets(line, sizeof(line), stdin)) {
		struct cur c = cur_init(line, strcspn(line, "\n"));

		if (cur_try_str(&c, "mem "))
			ok = take_mem(&c);
		else if (cur_try_str(&c, "reg "))
			ok = take_reg(&c);
		else
			ok = cur_try_str(&c, "eval ") && take_eval(&c);
	}
	for (unsigned i = 0; i < nranges; i++)
		free(ranges[i].bytes);
	return ok ? 0 : 1;
}
