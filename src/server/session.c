/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "server/session.h"

#include <errno.h>
#include <string.h>

#include "server/internal.h"
#include "server/packets.h"
#include "util/cursor.h"
#include "util/macros.h"

#define LOG_ROOM LOG_SERVER
#include "util/log.h"

/* Input kept while the guest is being stopped for a new client: a few packets, never a flood. */
enum { HELD_MAX = 2 * RSP_PACKET_MAX };
/* Bytes of text in one O packet. */
enum { TEXT_CHUNK = 2048 };

int session_create(struct engine *e, session_restart_fn *restart, void *arg, struct session **ret)
{
	struct session *s = calloc(1, sizeof(*s));

	if (!s)
		return -ENOMEM;
	s->e = e;
	s->restart = restart;
	s->restart_arg = arg;
	s->last_stop.why = STOP_STEP;
	s->last_sig = SIG_GDB_TRAP;
	*ret = s;
	return 0;
}

void session_destroy(struct session *s)
{
	if (!s)
		return;
	rsp_out_deinit(&s->out);
	strbuf_deinit(&s->doc);
	strbuf_deinit(&s->wire);
	strbuf_deinit(&s->last_frame);
	strbuf_deinit(&s->held);
	free(s);
}

int session_vcpu(const struct session *s, struct rsp_tid tid, unsigned *ret)
{
	if (tid.id > (int64_t)engine_target(s->e)->nvcpus)
		return -ESRCH;
	*ret = tid.id > 0 ? (unsigned)tid.id - 1 : s->cur;
	return 0;
}

unsigned session_vcpu_g(const struct session *s)
{
	return s->sel_g.id > 0 ? (unsigned)s->sel_g.id - 1 : s->cur;
}

unsigned session_vcpu_of(const struct session *s, const struct rsp_req *r)
{
	unsigned vcpu = session_vcpu_g(s);

	if (r->has_suffix)
		session_vcpu(s, r->suffix, &vcpu); // run_packet() saw that there is such a thread
	return vcpu;
}

enum engine_space session_space(const struct session *s)
{
	return s->phys ? ENGINE_PHYS : ENGINE_VIRT;
}

int session_layout(struct session *s, const struct arch_layout **ret)
{
	const struct target *t = engine_target(s->e);
	struct arch_regs *r;
	int rc;

	if (!s->layout)
		s->layout = t->layout;
	if (!s->layout) {
		rc = engine_regs(s->e, 0, ARCH_CORE | ARCH_SYS, &r);
		if (rc < 0)
			return rc;
		s->layout = t->arch->layout(r);
		if (s->selects_arch && s->layout->any)
			s->layout = s->layout->any;
	}
	if (s->selects_arch && s->layout->gdb)
		s->layout = s->layout->gdb;
	*ret = s->layout;
	return 0;
}

static void send_last_frame(struct session *s)
{
	strbuf_add(&s->wire, s->last_frame.s, s->last_frame.len);
	log_wire('<', s->last_frame.s, s->last_frame.len);
	if (s->wire.oom || s->last_frame.oom)
		s->state = SESSION_JUNK; // half a reply cannot be repaired
}

static void send_reply(struct session *s, struct rsp_out *out)
{
	const size_t before = s->wire.len;

	if (s->noack) { // nobody asks for it again: no copy is kept
		rsp_out_frame(out, &s->wire);
		if (s->wire.oom)
			s->state = SESSION_JUNK;
		else
			log_wire('<', s->wire.s + before, s->wire.len - before);
		return;
	}
	strbuf_reset(&s->last_frame);
	rsp_out_frame(out, &s->last_frame);
	send_last_frame(s);
}

static void send_out(struct session *s)
{
	if (s->out.frame.oom)
		rsp_out_error_form(&s->out, -ENOMEM, s->error_form);
	send_reply(s, &s->out);
}

static void send_error(struct session *s, int err)
{
	rsp_out_error_form(&s->out, err, s->error_form);
	send_out(s);
}

void session_send_text(struct session *s, const char *text, size_t n)
{
	_cleanup_(rsp_out_deinit) struct rsp_out o = { 0 };

	for (size_t at = 0; at < n; at += TEXT_CHUNK) {
		rsp_out_reset(&o);
		rsp_out_str(&o, "O");
		rsp_out_hex(&o, text + at, MIN(n - at, (size_t)TEXT_CHUNK));
		if (!o.frame.oom)
			send_reply(s, &o);
	}
}

void session_attach(struct session *s)
{
	int rc;

	if (!engine_running(s->e))
		return;
	rc = engine_interrupt(s->e);
	if (rc < 0)
		log_warn("the guest could not be stopped for a client: %s", strerror(-rc));
	else
		s->wait = WAIT_ATTACH;
}

static bool needs_stop(const struct session *s, const struct pkt_def *d)
{
	return d->need == PKT_STOPPED || (d->need == PKT_MEMORY && !s->phys);
}

static int check_suffix(const struct session *s, const struct rsp_req *r)
{
	unsigned vcpu;

	if (!r->has_suffix)
		return 0;
	return s->thread_suffix ? session_vcpu(s, r->suffix, &vcpu) : -EINVAL;
}

static int run_packet(struct session *s, const struct pkt_def *d)
{
	size_t plen = strlen(d->prefix);
	struct cur c = cur_init(s->rx.buf + plen, s->rx.len - plen);
	struct rsp_req req;
	int rc;

	req.has_suffix = false;
	rc = d->parse(&c, &req);
	if (rc == 0)
		rc = check_suffix(s, &req);
	if (rc == 0 && needs_stop(s, d) && engine_running(s->e))
		rc = -EBUSY;
	return rc < 0 ? rc : d->exec(s, &req, &s->out);
}

/* Answer the packet in rx.buf: the one place that decides whether a reply is sent now. */
static void dispatch(struct session *s)
{
	const struct pkt_def *d = pkt_find(pkt_table, pkt_table_len, s->rx.buf, s->rx.len);
	int rc;

	rsp_out_reset(&s->out);
	if (!d) {
		send_out(s);
		return;
	}
	if (s->wait == WAIT_ATTACH && needs_stop(s, d)) {
		s->holding = true; // before parsing, which may decode in place
		return;
	}
	rc = run_packet(s, d);
	if (s->holding)
		return;
	if (rc < 0)
		send_error(s, rc);
	else if (d->reply == PKT_ONE || (d->reply == PKT_STOP && s->wait != WAIT_STOP))
		send_out(s);
}

static void trace_packet(const struct session *s)
{
	_cleanup_(strbuf_deinit) struct strbuf b = { 0 };

	if (log_on(LOG_RSP, LOG_TRACE) && rsp_frame(s->rx.buf, s->rx.len, &b) == 0)
		log_wire('>', b.s, b.len);
}

static void ack(struct session *s, char ch)
{
	if (!s->noack)
		strbuf_addc(&s->wire, ch);
}

static void packet_event(struct session *s)
{
	trace_packet(s);
	ack(s, '+');
	s->just_told = false;
	if (!s->spoke) {
		s->spoke = true;
		session_attach(s);
	}
	if (s->rx.len > PKT_SIZE)
		send_error(s, -EMSGSIZE);
	else
		dispatch(s);
}

static void bad_sum_event(struct session *s)
{
	if (!s->noack)
		ack(s, '-');
	else if (s->wait != WAIT_STOP)
		send_error(s, -EBADMSG); // nothing else would tell the client that its packet was lost
}

/*
 * A 0x03 that crosses the reply for another stop is answered when the guest is resumed: a GDB may go on by itself from
 * that stop, and where it does so all the time it could never interrupt. LLDB takes the one stop for both. GDB manual,
 * "Interrupts".
 */
static bool keeps_break(const struct session *s, enum stop_why told)
{
	return told != STOP_INTERRUPT && !stop_is_terminal(told) && !s->thread_suffix;
}

static void break_event(struct session *s)
{
	int rc = 0;

	log_wire('>', "\x03", 1);
	if (s->wait == WAIT_STOP) {
		s->break_due = true;
		rc = engine_interrupt(s->e);
	} else if (s->just_told) {
		s->break_due = keeps_break(s, s->last_stop.why);
	}
	if (rc < 0)
		log_warn("the guest could not be interrupted: %s", strerror(-rc));
}

static void wire_event(struct session *s, enum rsp_event ev)
{
	switch (ev) {
	case RSP_PACKET:
		packet_event(s);
		break;
	case RSP_BAD_SUM:
		bad_sum_event(s);
		break;
	case RSP_BREAK:
		break_event(s);
		break;
	case RSP_NAK:
		if (!s->noack)
			send_last_frame(s);
		break;
	case RSP_TOO_LONG:
		ack(s, '+');
		send_error(s, -EMSGSIZE);
		break;
	case RSP_FOREIGN:
		log_warn("client does not speak the GDB remote protocol: closing the connection");
		s->state = SESSION_JUNK;
		break;
	case RSP_ACK:
	case RSP_MORE:
		break;
	}
}

static void hold_input(struct session *s, const uint8_t *p, size_t n)
{
	strbuf_add(&s->held, p, n);
	if (s->held.oom || s->held.len > HELD_MAX)
		s->state = SESSION_JUNK;
}

static void take_input(struct session *s, const uint8_t *p, size_t n)
{
	while (n > 0 && s->state == SESSION_OPEN && !s->holding) {
		enum rsp_event ev;
		size_t used = rsp_rx_feed(&s->rx, p, n, &ev);

		wire_event(s, ev);
		p += used;
		n -= used;
	}
	if (s->holding)
		hold_input(s, p, n);
}

static void release_held(struct session *s)
{
	_cleanup_(strbuf_deinit) struct strbuf input = s->held;

	s->held = (struct strbuf){ 0 };
	s->holding = false;
	dispatch(s);
	take_input(s, (const uint8_t *)input.s, input.len);
}

enum session_state session_input(struct session *s, const void *p, size_t n)
{
	s->looks = true;
	take_input(s, p, n);
	s->looks = false;
	return s->state;
}

/* What breakpoints' commands have printed. */
static void send_engine_text(struct session *s)
{
	_cleanup_(strbuf_deinit) struct strbuf b = { 0 };

	engine_text_take(s->e, &b);
	if (b.oom)
		log_warn("out of memory: text of breakpoints was lost");
	else
		session_send_text(s, b.s, b.len);
}

bool session_guest_text(struct session *s)
{
	if (s->wait != WAIT_STOP)
		return false;
	send_engine_text(s);
	return true;
}

enum session_state session_guest_event(struct session *s)
{
	enum session_wait wait = s->wait;
	struct stop_event ev;
	int rc = engine_next_stop(s->e, &ev);

	if (rc < 0) {
		if (rc != -EAGAIN)
			log_warn("the guest does not tell why it stopped: %s", strerror(-rc));
		return s->state;
	}
	if (wait == WAIT_STOP) {
		send_engine_text(s); // before a reset, which is the end of this engine
		if (session_pass_reset(s, &ev) == 0)
			return s->state;
	}
	s->wait = WAIT_NONE;
	stop_reply_record(s, &ev, wait == WAIT_ATTACH);
	if (wait == WAIT_STOP) {
		s->just_told = true;
		s->break_due &= keeps_break(s, ev.why);
		stop_reply_texts(s);
		rsp_out_reset(&s->out);
		stop_reply_fill(s, &s->out);
		send_out(s);
	}
	if (s->holding)
		release_held(s);
	if (stop_is_over(s, ev.why) && s->state == SESSION_OPEN)
		s->state = SESSION_EXITED;
	return s->state;
}

enum session_state session_tell_end(struct session *s, int sig)
{
	if (s->wait != WAIT_STOP)
		return s->state; // it would take it for the answer to something else
	s->wait = WAIT_NONE;
	rsp_out_reset(&s->out);
	rsp_out_fmt(&s->out, "%c%02x", sig ? 'X' : 'W', sig);
	send_out(s);
	s->state = SESSION_EXITED;
	return s->state;
}

void session_stopped_before(struct session *s, const struct stop_event *why)
{
	stop_reply_record(s, why, false);
}

const struct strbuf *session_output(const struct session *s)
{
	return &s->wire;
}

void session_sent(struct session *s, size_t n)
{
	if (n == 0)
		return;
	s->wire.len -= n;
	memmove(s->wire.s, s->wire.s + n, s->wire.len);
}

const struct stop_event *session_last_stop(const struct session *s)
{
	return &s->last_stop;
}

bool session_killed(const struct session *s)
{
	return s->killed || s->state == SESSION_KILLED;
}

bool session_spoke(const struct session *s)
{
	return s->spoke;
}

bool session_attached(const struct session *s)
{
	return s->spoke && !s->detached;
}

bool session_guest_over(const struct session *s)
{
	return stop_is_terminal(s->last_stop.why) && !engine_running(s->e);
}
