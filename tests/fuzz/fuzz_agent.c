/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Agent expressions: whatever the verifier takes, the evaluator must survive and end, within its limits. Registers and
 * memory have values that follow from their place, so that conditions go both ways; some of both is missing.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "agent/agent.h"
#include "fuzz.h"

struct seen {
	unsigned reads;
	size_t printed;
};

static int env_reg(void *arg, unsigned num, uint64_t *ret)
{
	if (num >= 64)
		return -ENODATA;
	*ret = num * 0x0123456789abcdef;
	return 0;
}

static int env_mem(void *arg, uint64_t at, void *buf, size_t len)
{
	struct seen *seen = arg;

	if (++seen->reads > AGENT_STEPS_MAX / AGENT_READ_STEPS)
		abort(); // more than it pays for
	if (at >> 63)
		return -EFAULT;
	for (size_t i = 0; i < len; i++)
		((uint8_t *)buf)[i] = (uint8_t)((at + i) % 101);
	return 0;
}

static void env_print(void *arg, const char *text, size_t n)
{
	struct seen *seen = arg;

	seen->printed += n;
	if (!n || seen->printed > AGENT_TEXT_MAX || !memchr(text, text[n - 1], n))
		abort();
}

static int64_t eval(const struct agent_expr *x, int *rc)
{
	struct seen seen = { 0 };
	const struct agent_env env = { .reg = env_reg, .mem = env_mem, .print = env_print, .arg = &seen };
	int64_t v = 0x5a5a;

	*rc = agent_eval(x, &env, &v);
	if (*rc < 0 && v != 0x5a5a)
		abort();
	return v;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t *copy = malloc(size ? size : 1); // exact bounds for the sanitizer
	struct agent_expr *x = NULL;
	int rc;

	if (!copy)
		abort();
	if (size)
		memcpy(copy, data, size);
	rc = agent_expr_create(copy, size, &x);
	free(copy);
	if (rc == 0) {
		int first, second;

		if (eval(x, &first) != eval(x, &second) || first != second)
			abort(); // it must depend on nothing else
	}
	agent_expr_destroy(x);
	return 0;
}
