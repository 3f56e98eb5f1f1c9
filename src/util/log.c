/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "util/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "util/strbuf.h"

static const char *const room_name[LOG_NROOMS] = { "rsp", "engine", "kvm", "vmm", "backend", "server" };
static const char *const level_name[] = { "error", "warn", "info", "debug", "trace" };

/* The one exception to "no globals": levels, set once before threads start and only read afterwards. */
static uint8_t room_level[LOG_NROOMS] = { [0 ... LOG_NROOMS - 1] = LOG_WARN };

static int find(const char *const *names, size_t count, const char *s, size_t n)
{
	for (size_t i = 0; i < count; i++)
		if (strlen(names[i]) == n && memcmp(names[i], s, n) == 0)
			return (int)i;
	return -1;
}

static int setup_one(const char *item, size_t n, struct errtext *why)
{
	const char *eq = memchr(item, '=', n);
	size_t room_len = eq ? (size_t)(eq - item) : n;
	bool all = room_len == 3 && memcmp(item, "all", 3) == 0;
	int room = find(room_name, LOG_NROOMS, item, room_len);
	int level = eq ? find(level_name, ARRAY_LEN(level_name), eq + 1, n - room_len - 1) : LOG_DBG;

	if (room < 0 && !all)
		return errtext_set(why, -EINVAL,
				   "unknown room '%.*s': expected all, rsp, engine, kvm, vmm, backend or server",
				   (int)room_len, item);
	if (level < 0)
		return errtext_set(why, -EINVAL, "unknown level in '%.*s': expected error, warn, info, debug or trace",
				   (int)n, item);
	for (int i = 0; i < LOG_NROOMS; i++)
		if (all || i == room)
			room_level[i] = (uint8_t)level;
	return 0;
}

int log_setup(const char *spec, struct errtext *why)
{
	while (spec && *spec) {
		size_t n = strcspn(spec, ",");
		int rc = setup_one(spec, n, why);

		if (rc < 0)
			return rc;
		spec += n + (spec[n] == ',');
	}
	return 0;
}

bool log_on(enum log_room room, enum log_level level)
{
	return level <= (enum log_level)room_level[room];
}

void log_print(enum log_room room, enum log_level level, const char *fmt, ...)
{
	char line[1024];
	va_list ap;
	int n = snprintf(line, sizeof(line), "gdbvm: %s: %s: ", room_name[room], level_name[level]);

	va_start(ap, fmt);
	n += vsnprintf(line + n, sizeof(line) - (size_t)n, fmt, ap);
	va_end(ap);
	n = MIN(n, (int)sizeof(line) - 1);
	fprintf(stderr, "%.*s\n", n, line);
}

void log_wire(char dir, const void *p, size_t n)
{
	_cleanup_(strbuf_deinit) struct strbuf b = { 0 };
	const uint8_t *at = p;

	if (!log_on(LOG_RSP, LOG_TRACE))
		return;
	for (size_t i = 0; i < n; i++) {
		if (at[i] >= 0x20 && at[i] < 0x7f && at[i] != '\\')
			strbuf_addc(&b, (char)at[i]);
		else
			strbuf_addf(&b, "\\x%02x", at[i]);
	}
	fprintf(stderr, "%s %s\n", dir == '>' ? "->" : "<-", strbuf_str(&b));
}
