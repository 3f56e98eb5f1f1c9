/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Which events stop the guest for the client: `monitor catch`. */
#include "engine/internal.h"

#include <errno.h>
#include <string.h>

#define LOG_ROOM LOG_ENGINE
#include "util/log.h"
#include "util/macros.h"

// clang-format off
static const struct catch_row {
	enum stop_why why;
	const char *name;
	bool on; /* by default */
	const char *what, *otherwise;
} rows[] = {
	{ STOP_VCPU_ON,        "vcpu-on",        false, "a vCPU comes online", "it runs on" },
	{ STOP_PANIC,          "panic",          true,  "the guest's kernel panics",          "it goes on" },
	{ STOP_RESET,          "reset",          true,  "the guest asks for a reset",         "it is reset" },
	{ STOP_TRIPLE_FAULT,   "triple-fault",   true,  "a vCPU shuts down",                  "the guest is reset" },
	{ STOP_INTERNAL_ERROR, "internal-error", true,  "the hypervisor cannot go on",        "the guest ends" },
	{ STOP_POWER_OFF,      "power-off",      false, "the guest switches itself off",      "it ends" },
};
// clang-format on

bool engine_catches(const struct engine *e, enum stop_why why)
{
	return e->catches & BIT(why);
}

void catches_init(struct engine *e)
{
	e->catches = BIT(STOP_NWHY) - 1;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (!rows[i].on)
			e->catches &= ~BIT(rows[i].why);
}

static int catch_set(struct engine *e, enum stop_why why, bool on)
{
	int rc = why == STOP_VCPU_ON ? target_vcpu_on_catch(e->target, on) : 0;

	if (rc < 0)
		return rc;
	e->catches = on ? e->catches | BIT(why) : e->catches & ~BIT(why);
	return 0;
}

void catches_reset(struct engine *e)
{
	if (engine_catches(e, STOP_VCPU_ON))
		target_vcpu_on_catch(e->target, false); // an event that still comes is dropped by the digest
	catches_init(e);
}

void catches_adopt(struct engine *to, const struct engine *from)
{
	to->catches = from->catches;
	if (engine_catches(from, STOP_VCPU_ON) && target_vcpu_on_catch(to->target, true) < 0)
		log_warn("the new guest cannot tell when a vCPU comes online");
}

/* ---- monitor catch ---- */

static void show(const struct engine *e, const struct catch_row *r, struct strbuf *out)
{
	strbuf_addf(out, "%-15s  %-3s  %s; off: %s\n", r->name, engine_catches(e, r->why) ? "on" : "off", r->what,
		    r->otherwise);
}

static const struct catch_row *row_find(const char *name, size_t n)
{
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (strlen(rows[i].name) == n && memcmp(rows[i].name, name, n) == 0)
			return &rows[i];
	return NULL;
}

void monitor_catch(struct monitor_ctx *ctx, const char *args, struct strbuf *out)
{
	size_t n = strcspn(args, " \t");
	const struct catch_row *row = row_find(args, n);
	const char *value = args + n + strspn(args + n, " \t");
	bool on = strcmp(value, "on") == 0;
	int rc = 0;

	for (size_t i = 0; !n && i < ARRAY_LEN(rows); i++)
		show(ctx->engine, &rows[i], out);
	if (!n)
		return;
	if (!row) {
		strbuf_addf(out, "'%.*s' is not an event; `monitor catch` lists them\n", (int)n, args);
		return;
	}
	if (*value && !on && strcmp(value, "off") != 0) {
		strbuf_addf(out, "'%s': expected on or off\n", value);
		return;
	}
	if (*value)
		rc = catch_set(ctx->engine, row->why, on);
	if (rc == -ENOTSUP)
		strbuf_addf(out, "this guest cannot tell when %s\n", row->what);
	else if (rc < 0)
		strbuf_addf(out, "%s cannot be changed: %s\n", row->name, strerror(-rc));
	else
		show(ctx->engine, row, out);
}
