/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdio.h>

#include "cmd.h"

/* How a guest can end, and a panic, which it may survive. */
static const struct {
	const char *text;
	bool dump; /* worth registers, and a line for every vCPU */
} ends[STOP_NWHY] = {
	[STOP_PANIC] = { "guest panic", false },
	[STOP_POWER_OFF] = { "the guest powered off", false },
	[STOP_RESET] = { "the guest asked for a reboot", false },
	[STOP_TRIPLE_FAULT] = { "triple fault: the guest cannot go on", true },
	[STOP_INTERNAL_ERROR] = { "KVM internal error: the guest cannot go on", true },
	[STOP_EXIT] = { "the guest is gone", false },
};

static void dump_vcpu(struct engine *e, unsigned vcpu, bool registers, struct strbuf *out)
{
	engine_describe_vcpu(e, vcpu, out);
	if (registers)
		engine_describe_regs(e, vcpu, ARCH_CORE | ARCH_SYS, out);
}

/* What was asked for in the monitor is told there as GDB is told it: that text says what it is. */
static void add_what(const struct stop_event *ev, struct strbuf *out)
{
	const char *end = ends[ev->why].text;

	if (end && ev->text[0])
		strbuf_addf(out, "gdbvm: %s: %s\n", end, ev->text);
	else if (end || !ev->text[0])
		strbuf_addf(out, "gdbvm: %s\n", end ? end : stop_why_text(ev->why));
	else
		strbuf_addf(out, "gdbvm: %s\n", ev->text);
}

int report_end(struct engine *e, const struct stop_event *ev)
{
	_cleanup_(strbuf_deinit) struct strbuf out = { 0 };
	unsigned n = engine_target(e)->nvcpus;

	add_what(ev, &out);
	if (ev->why != STOP_EXIT)
		dump_vcpu(e, ev->vcpu, ends[ev->why].dump, &out);
	for (unsigned i = 0; ends[ev->why].dump && i < n; i++)
		if (i != ev->vcpu)
			dump_vcpu(e, i, false, &out);
	fputs(strbuf_str(&out), stderr);
	return ev->why == STOP_EXIT ? ev->code : (int)stop_exit_code(ev->why);
}
