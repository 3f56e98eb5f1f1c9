/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "server/internal.h"
#include "util/macros.h"

/*
 * What the client is told when the guest stops. A reason is sent only if it is true and the client asked for it: GDB
 * drops a swbreak or hwbreak stop that matches no breakpoint of its own. What clients have no word for is SIGUSR1: they
 * take a SIGTRAP in the middle of `next` or `step`, or while they step over a breakpoint, for the end of that step, and
 * go on without a word. A client that gives it back with C does no harm, as a guest has no signals.
 * Source: GDB manual, "Stop Reply Packets".
 */
struct stop_row {
	int sig;
	bool over;          /* W, and the session ends, unless the client catches this event */
	bool crash;         /* worth a line of text with the vCPU's state */
	const char *reason; /* LLDB's word */
};

static const struct stop_row stop_rows[STOP_NWHY] = {
	[STOP_INTERRUPT] = { .sig = SIG_GDB_INT, .reason = "signal" },
	[STOP_STEP] = { .sig = SIG_GDB_TRAP, .reason = "trace" },
	[STOP_SWBREAK] = { .sig = SIG_GDB_TRAP, .reason = "breakpoint" },
	[STOP_HWBREAK] = { .sig = SIG_GDB_TRAP, .reason = "breakpoint" },
	[STOP_WATCH] = { .sig = SIG_GDB_TRAP, .reason = "watchpoint" },
	[STOP_PWATCH] = { .sig = SIG_GDB_USR1, .reason = "signal" },
	[STOP_PANIC] = { .sig = SIG_GDB_USR1, .crash = true, .reason = "signal" },
	[STOP_CHECKPOINT] = { .sig = SIG_GDB_USR1, .reason = "signal" },
	[STOP_VCPU_ON] = { .sig = SIG_GDB_USR1, .reason = "signal" },
	[STOP_POWER_OFF] = { .sig = SIG_GDB_USR1, .over = true, .reason = "signal" },
	[STOP_RESET] = { .sig = SIG_GDB_USR1, .over = true, .crash = true, .reason = "signal" },
	[STOP_TRIPLE_FAULT] = { .sig = SIG_GDB_SEGV, .over = true, .crash = true, .reason = "signal" },
	[STOP_INTERNAL_ERROR] = { .sig = SIG_GDB_ABRT, .over = true, .crash = true, .reason = "signal" },
	[STOP_EXIT] = { .over = true, .reason = "exited" },
};

static const char *const watch_key[] = { [HW_WRITE] = "watch", [HW_READ] = "rwatch", [HW_ACCESS] = "awatch" };

bool stop_is_over(const struct session *s, enum stop_why why)
{
	return stop_rows[why].over && (why == STOP_EXIT || !engine_catches(s->e, why));
}

void stop_reply_record(struct session *s, const struct stop_event *ev, bool attach)
{
	s->last_stop = *ev;
	s->last_sig = stop_rows[ev->why].sig;
	if (attach && ev->why == STOP_INTERRUPT)
		s->last_sig = SIG_GDB_TRAP; // nobody typed Ctrl-C: this is only where the client found the guest
	s->cur = ev->vcpu;
	s->sel_g.id = session_thread(ev->vcpu); // GDB takes the thread of a stop reply as selected
	s->doc_kind = DOC_NONE;
}

static void add_reason(const struct session *s, struct rsp_out *o)
{
	const struct stop_event *ev = &s->last_stop;

	if (ev->why == STOP_SWBREAK && s->wants_swbreak)
		rsp_out_str(o, "swbreak:;");
	if (ev->why == STOP_HWBREAK && s->wants_hwbreak)
		rsp_out_str(o, "hwbreak:;");
	if (ev->why == STOP_WATCH && ev->watch_kind < ARRAY_LEN(watch_key) && watch_key[ev->watch_kind])
		rsp_out_fmt(o, "%s:%" PRIx64 ";", watch_key[ev->watch_kind], ev->watch_at.raw);
}

/* Expedited: the client would ask for pc and sp next. What cannot be read is simply left out. */
static void add_reg(const struct session *s, unsigned vcpu, const struct arch_layout *l, unsigned num,
		    struct rsp_out *o)
{
	struct arch_regs *r;
	uint8_t buf[ARCH_REG_MAX];

	if (engine_regs(s->e, vcpu, arch_reg_groups(l, num), &r) < 0)
		return;
	if (arch_reg_get(l, num, r, buf) < 0)
		return;
	rsp_out_reg(o, (uint8_t)num, buf, arch_reg_size(l, num));
}

int stop_reply_signal(const struct session *s, unsigned vcpu, const char **reason)
{
	bool stopped = vcpu == s->last_stop.vcpu;

	*reason = stopped ? stop_rows[s->last_stop.why].reason : "none";
	return stopped ? s->last_sig : 0;
}

static const char *stop_text(const struct stop_event *ev)
{
	return ev->text[0] ? ev->text : stop_why_text(ev->why);
}

/* LLDB shows it instead of the name of the signal, which it may take for another one of its host's. */
static void add_description(const struct session *s, struct rsp_out *o)
{
	if (s->last_sig != SIG_GDB_USR1)
		return;
	rsp_out_str(o, "description:");
	rsp_out_hexstr(o, stop_text(&s->last_stop));
	rsp_out_str(o, ";");
}

/* Source: LLDB's lldb-gdb-remote document, "Stop reply packet extensions". */
static void add_threads(struct session *s, unsigned vcpu, struct rsp_out *o)
{
	const struct target *t = engine_target(s->e);
	const char *reason;

	for (unsigned i = 0; i < t->nvcpus; i++)
		rsp_out_fmt(o, "%s%x", i ? "," : "threads:", session_thread(i));
	rsp_out_str(o, ";thread-pcs:");
	for (unsigned i = 0; i < t->nvcpus; i++) {
		struct arch_regs *r;
		gva pc = { 0 };

		if (engine_regs(s->e, i, t->arch->pc_groups, &r) == 0 && !(~r->have & t->arch->pc_groups))
			pc = t->arch->pc_get(r);
		rsp_out_fmt(o, "%s%" PRIx64, i ? "," : "", pc.raw);
	}
	stop_reply_signal(s, vcpu, &reason);
	rsp_out_fmt(o, ";reason:%s;", reason);
	if (vcpu == s->last_stop.vcpu)
		add_description(s, o);
}

void stop_reply_thread(struct session *s, unsigned vcpu, struct rsp_out *o)
{
	const struct arch_layout *l;
	const char *reason;

	rsp_out_str(o, "T");
	rsp_out_hex(o, &(uint8_t){ (uint8_t)stop_reply_signal(s, vcpu, &reason) }, 1);
	rsp_out_str(o, "thread:");
	rsp_out_number(o, session_thread(vcpu));
	rsp_out_str(o, ";");
	if (vcpu == s->last_stop.vcpu)
		add_reason(s, o);
	if (s->lists_threads)
		add_threads(s, vcpu, o);
	if (session_layout(s, &l) < 0)
		return;
	add_reg(s, vcpu, l, l->pc, o);
	add_reg(s, vcpu, l, l->sp, o);
}

void stop_reply_fill(struct session *s, struct rsp_out *o)
{
	if (stop_is_over(s, s->last_stop.why)) {
		bool gone = s->last_stop.why == STOP_EXIT;

		rsp_out_fmt(o, "W%02x", gone ? s->last_stop.code & 0xff : stop_exit_code(s->last_stop.why));
		return;
	}
	stop_reply_thread(s, s->last_stop.vcpu, o);
}

static void crash_text(struct session *s)
{
	_cleanup_(strbuf_deinit) struct strbuf b = { 0 };
	const struct stop_event *ev = &s->last_stop;

	strbuf_addf(&b, "gdbvm: %s\n", stop_text(ev));
	if (stop_rows[ev->why].crash) {
		engine_describe_vcpu(s->e, ev->vcpu, &b);
		if (b.len && b.s[b.len - 1] != '\n')
			strbuf_addc(&b, '\n');
	}
	if (!b.oom)
		session_send_text(s, b.s, b.len);
}

static void mode_left_text(struct session *s, const char *mode, const struct arch_layout *now, bool any)
{
	const char *word = strstr(mode, "mode") ? "" : " mode";
	char text[160];

	if (any) // its registers are there whatever the client has selected
		snprintf(text, sizeof(text), "gdbvm: vCPU 0 is now in %s%s: set architecture %s\n", mode, word,
			 now->gdb_name);
	else
		snprintf(text, sizeof(text),
			 "gdbvm: vCPU 0 is now in %s%s; reconnect (target remote) for its %s registers\n", mode, word,
			 now->gdb_name);
	session_send_text(s, text, strlen(text));
}

/* The layout was chosen by vCPU 0 and stays for the session; when its mode has left that, the user hears it once. */
static void mode_text(struct session *s)
{
	const struct target *t = engine_target(s->e);
	const struct arch_layout *l, *now;
	struct arch_regs *r;
	bool any;

	if (t->layout || t->arch->one_layout || s->last_stop.vcpu != 0 || session_layout(s, &l) < 0)
		return;
	if (engine_regs(s->e, 0, ARCH_CORE | ARCH_SYS, &r) < 0)
		return;
	now = t->arch->layout(r);
	any = s->selects_arch && now->any;
	if (any)
		now = now->any;
	if (now != (s->told ? s->told : l) && (any || now != l))
		mode_left_text(s, t->arch->mode_text(r), now, any);
	s->told = now;
}

void stop_reply_texts(struct session *s)
{
	const struct stop_event *ev = &s->last_stop;
	bool over = stop_is_over(s, ev->why);

	if (ev->text[0] || stop_rows[ev->why].crash || (stop_rows[ev->why].over && !over))
		crash_text(s);
	if (!over)
		mode_text(s);
}
