/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Running another debug server's guest, and what its stops mean. */
#include "backend/rsp_internal.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>

#include "rsp/request.h"
#define LOG_ROOM LOG_BACKEND
#include "util/log.h"

/* Signal numbers of the protocol (GDB's own, not the host's). */
enum { SIG_RSP_INT = 2, SIG_RSP_TRAP = 5 };

/* ---- running ---- */

static void kick_set(struct rsp_target *r)
{
	uint64_t one = 1;
	ssize_t k = write(r->kick, &one, sizeof(one));

	(void)k; // only full when it is readable already
}

static void kick_clear(struct rsp_target *r)
{
	uint64_t count;
	ssize_t k = read(r->kick, &count, sizeof(count));

	(void)k;
}

static void flight_begin(struct rsp_target *r)
{
	struct epoll_event ev = { .events = EPOLLIN };

	r->in_flight = true;
	epoll_ctl(r->epoll_fd, EPOLL_CTL_ADD, r->conn.fd, &ev);
}

/* The socket is watched only in flight: when the server dies at rest, nobody spins on the hang-up. */
static void flight_end(struct rsp_target *r)
{
	r->in_flight = false;
	epoll_ctl(r->epoll_fd, EPOLL_CTL_DEL, r->conn.fd, NULL);
}

static bool steps(const struct rsp_target *r, unsigned vcpu)
{
	enum target_action a = r->plan.vcpu[vcpu].action;

	return a == TARGET_STEP || a == TARGET_STEP_RANGE;
}

/* Steps first: a server applies the leftmost action that names a thread. Threads that no action names are held. */
static void vcont_build(struct rsp_target *r, struct strbuf *req)
{
	bool all = true;

	for (unsigned i = 0; i < r->t.nvcpus; i++)
		all = all && r->plan.vcpu[i].action == TARGET_RUN;
	strbuf_adds(req, all ? "vCont;c" : "vCont");
	for (int step = 1; step >= 0 && !all; step--) {
		for (unsigned i = 0; i < r->t.nvcpus; i++) {
			if (r->plan.vcpu[i].action != TARGET_HOLD && steps(r, i) == !!step)
				strbuf_addf(req, ";%c:%" PRIx64, step ? 's' : 'c', r->tid[i]);
		}
	}
}

static void steps_note(struct rsp_target *r)
{
	for (unsigned i = 0; i < r->t.nvcpus; i++)
		if (!steps(r, i) || rsp_g_locked(r, i, &r->before[i]) < 0)
			strbuf_reset(&r->before[i]);
}

/*
 * QEMU ends a step also when the vCPU has looked for interrupts, which is due at the first step after a run, and has
 * executed nothing. Then no register has changed. The one instruction of which that is true as well is a jump to
 * itself, and to take that twice is no harm.
 */
static bool step_was_none(struct rsp_target *r, unsigned vcpu)
{
	_cleanup_(strbuf_deinit) struct strbuf now = { 0 };
	const struct strbuf *before = &r->before[vcpu];

	if (r->repeated || !before->len || rsp_g_locked(r, vcpu, &now) < 0)
		return false;
	return now.len == before->len && memcmp(now.s, before->s, now.len) == 0;
}

static int go_locked(struct rsp_target *r)
{
	_cleanup_(strbuf_deinit) struct strbuf req = { 0 };
	int rc;

	steps_note(r);
	vcont_build(r, &req);
	if (!req.oom && req.len <= strlen("vCont"))
		return -EINVAL; // everyone held: nothing would ever stop it
	rc = req.oom ? -ENOMEM : rsp_conn_send(&r->conn, req.s, req.len);
	if (rc == 0)
		flight_begin(r);
	return rc;
}

static void event_keep(struct rsp_target *r, const struct stop_event *ev)
{
	r->pending[ev->vcpu] = *ev;
	r->pending_map |= BIT64(ev->vcpu);
}

static void exit_event(struct rsp_target *r, struct stop_event *ev)
{
	*ev = (struct stop_event){ .why = STOP_EXIT, .code = TARGET_EXIT_DIED };
	snprintf(ev->text, sizeof(ev->text), "the debug server hung up");
	if (r->hooks->hung_up)
		r->hooks->hung_up(r->arg, ev);
	r->conn.dead = true;
}

/* A kept event of a vCPU that @plan lets go, still true: -1 if there is none. */
static int kept_event_find(struct rsp_target *r, const struct resume_plan *plan)
{
	for (unsigned i = 0; i < r->t.nvcpus; i++) {
		gva pc;

		if (!(r->pending_map & BIT64(i)) || plan->vcpu[i].action == TARGET_HOLD)
			continue;
		// The client may have moved the vCPU elsewhere meanwhile: then it never gets to that breakpoint.
		if (rsp_pc_locked(r, i, &pc) == 0 && pc.raw == r->pending[i].pc.raw)
			return (int)i;
		r->pending_map &= ~BIT64(i);
	}
	return -1;
}

/* The one vCPU that @plan lets go, if it is to take one step; -1. */
static int lone_step(const struct rsp_target *r, const struct resume_plan *plan)
{
	int found = -1;

	for (unsigned i = 0; i < r->t.nvcpus; i++) {
		if (plan->vcpu[i].action == TARGET_HOLD)
			continue;
		if (found >= 0 || plan->vcpu[i].action != TARGET_STEP)
			return -1;
		found = (int)i;
	}
	return found;
}

/* A step that is done without the server: its event waits to be handed out. */
static bool stepped_here(struct rsp_target *r, const struct resume_plan *plan)
{
	const int vcpu = lone_step(r, plan);
	struct stop_event ev = { .vcpu = (unsigned)vcpu, .why = STOP_STEP };

	if (vcpu < 0 || !rsp_wait_passed(r, ev.vcpu) || rsp_pc_locked(r, ev.vcpu, &ev.pc) < 0)
		return false;
	event_keep(r, &ev);
	r->deliver = vcpu;
	kick_set(r);
	return true;
}

int rsp_op_resume(struct target *t, const struct resume_plan *plan)
{
	struct rsp_target *r = rsp_of(t);
	struct stop_event ev;
	WITH_RSP_LOCK(r);
	int rc = 0;

	if (!r->conn.dead) {
		r->deliver = kept_event_find(r, plan);
		if (r->deliver >= 0) {
			kick_set(r);
			return 0;
		}
		if (r->hooks->resuming)
			rc = r->hooks->resuming(r->arg);
		if (rc == 0 && stepped_here(r, plan))
			return 0;
	}
	r->plan = *plan;
	r->repeated = false;
	if (rc == 0 && !r->conn.dead)
		rc = go_locked(r);
	if (rc == 0 && r->want_stop && r->in_flight)
		rsp_conn_break(&r->conn); // interrupted while resume was on its way here
	if (r->conn.dead && !r->in_flight) {
		exit_event(r, &ev);
		event_keep(r, &ev);
		r->deliver = (int)ev.vcpu;
		kick_set(r);
		return 0;
	}
	return rc;
}

int rsp_op_interrupt(struct target *t)
{
	struct rsp_target *r = rsp_of(t);
	WITH_RSP_LOCK(r);

	r->want_stop = true;
	if (r->in_flight)
		rsp_conn_break(&r->conn); // a server that is gone shows in next_stop
	return 0;
}

/* ---- stops ---- */

struct stop_packet {
	int sig;
	unsigned vcpu;
	bool watch;
	enum hw_kind watch_kind;
	gva watch_at;
};

static unsigned vcpu_of(struct rsp_target *r, struct rsp_tid tid)
{
	for (unsigned i = 0; i < r->t.nvcpus; i++) {
		if (tid.id >= 0 && r->tid[i] == (uint64_t)tid.id)
			return i;
	}
	return 0;
}

static void stop_pair(struct rsp_target *r, struct cur *c, struct stop_packet *p)
{
	static const struct {
		const char *key;
		enum hw_kind kind;
	} watch[] = { { "watch:", HW_WRITE }, { "rwatch:", HW_READ }, { "awatch:", HW_ACCESS } };

	if (cur_try_str(c, "thread:")) {
		p->vcpu = vcpu_of(r, rsp_tid_take(c));
		return;
	}
	for (unsigned i = 0; i < ARRAY_LEN(watch); i++) {
		if (cur_try_str(c, watch[i].key)) {
			p->watch = true;
			p->watch_kind = watch[i].kind;
			p->watch_at = GVA(cur_hex(c));
			return;
		}
	}
	while (cur_peek(c) >= 0 && cur_peek(c) != ';')
		cur_bytes(c, 1);
}

/* "Txx" with its pairs, or "Sxx". */
static int stop_packet_parse(struct rsp_target *r, const uint8_t *body, size_t n, struct stop_packet *out)
{
	struct cur c = cur_init(body, n);
	struct stop_packet p = { 0 };
	uint8_t sig;

	if (!cur_try(&c, 'T') && !cur_try(&c, 'S'))
		return -EPROTO;
	if (cur_left(&c) < 2)
		return -EPROTO;
	// A key may begin with a hex digit, so exactly two belong to the signal.
	struct cur two = cur_init(cur_bytes(&c, 2), 2);

	if (cur_hexbytes(&two, &sig, 1) != 1)
		return -EPROTO;
	p.sig = sig;
	while (cur_left(&c) && !c.bad) {
		stop_pair(r, &c, &p);
		if (cur_left(&c))
			cur_lit(&c, ';');
	}
	if (!cur_done(&c))
		return -EPROTO;
	*out = p;
	return 0;
}

/* The watchpoint that was asked for, from the address that the server names. */
static void watch_fill(struct rsp_target *r, const struct stop_packet *p, struct stop_event *ev)
{
	ev->why = STOP_WATCH;
	ev->watch_kind = p->watch_kind;
	ev->watch_at = p->watch_at;
	for (unsigned i = 0; i < r->nset; i++) {
		const struct target_break *b = &r->set[i];

		if (b->kind >= TARGET_WATCH_WRITE && p->watch_at.raw - b->at.raw < b->len) {
			ev->watch_at = b->at;
			return;
		}
	}
}

static void interrupt_fill(struct rsp_target *r, struct stop_event *ev)
{
	ev->vcpu = 0;
	ev->why = STOP_INTERRUPT;
	rsp_pc_locked(r, 0, &ev->pc);
}

static enum stop_why break_why(const struct target_break *b)
{
	return b->kind == TARGET_BREAK_SW ? STOP_SWBREAK : STOP_HWBREAK;
}

/*
 * A SIGTRAP is a step that is done, or a breakpoint: the server does not say which, the pc does. It can be neither:
 * QEMU leaves single step armed on a vCPU whose step was cut short by another one's stop, and ends a step before it is
 * done.
 * Returns: 1: no stop for the client, let it run on.
 */
static int digest_trap(struct rsp_target *r, struct stop_event *ev)
{
	enum target_action action = r->plan.vcpu[ev->vcpu].action;
	gva lo = r->plan.vcpu[ev->vcpu].lo, hi = r->plan.vcpu[ev->vcpu].hi;
	const struct target_break *b = rsp_exec_break_at(r, ev->pc);
	bool none = steps(r, ev->vcpu) && step_was_none(r, ev->vcpu);

	r->repeated |= none;
	if (!none && action == TARGET_STEP) {
		ev->why = STOP_STEP;
	} else if (!none && b) {
		ev->why = break_why(b);
	} else if (!none && action == TARGET_STEP_RANGE && (ev->pc.raw < lo.raw || ev->pc.raw >= hi.raw)) {
		ev->why = STOP_STEP;
	} else if (r->want_stop) {
		interrupt_fill(r, ev); // the 0x03 came after the server had stopped by itself, and is lost
	} else {
		return 1;
	}
	return 0;
}

/*
 * The server reports one vCPU a stop. Another that stands at a breakpoint was about to be stopped by it: kept, or the
 * step over that breakpoint at the next resume would swallow the hit.
 */
static void others_keep(struct rsp_target *r, unsigned reported)
{
	if (!rsp_has_exec_breaks(r))
		return;
	for (unsigned i = 0; i < r->t.nvcpus; i++) {
		struct stop_event ev = { .vcpu = i };
		const struct target_break *b;

		if (i == reported || r->plan.vcpu[i].action == TARGET_HOLD || rsp_pc_locked(r, i, &ev.pc) < 0)
			continue;
		b = rsp_exec_break_at(r, ev.pc);
		if (!b)
			continue;
		ev.why = break_why(b);
		event_keep(r, &ev);
	}
}

/* The server of a guest that we did not start says how that ended: W and a status, X and a signal. */
static void told_exit(const uint8_t *body, size_t n, struct stop_event *ev)
{
	struct cur c = cur_init(body, n);
	uint64_t code;

	cur_bytes(&c, 1);
	code = cur_hex(&c); // there may be a process behind it
	if (c.bad || body[0] != 'W')
		return;
	ev->code = (int)(code & 0xff);
	ev->text[0] = '\0';
}

/* A stop reply as an event. Returns: 1: run on; 0; negative: the server makes no sense. */
static int digest_stop(struct rsp_target *r, const uint8_t *body, size_t n, struct stop_event *ev)
{
	struct stop_packet p;
	int rc;

	if (n && (body[0] == 'W' || body[0] == 'X')) {
		exit_event(r, ev);
		if (r->attached)
			told_exit(body, n, ev);
		return 0;
	}
	rc = stop_packet_parse(r, body, n, &p);
	if (rc < 0)
		return rc;
	*ev = (struct stop_event){ .vcpu = p.vcpu };
	r->hg = TARGET_MAX_VCPUS; // servers select the thread that stopped
	rc = rsp_pc_locked(r, ev->vcpu, &ev->pc);
	if (rc < 0)
		return rc;
	if (p.watch) {
		watch_fill(r, &p, ev);
	} else if (p.sig == SIG_RSP_TRAP) {
		rc = digest_trap(r, ev);
	} else if (p.sig == SIG_RSP_INT) {
		interrupt_fill(r, ev);
	} else {
		ev->why = STOP_INTERNAL_ERROR;
		snprintf(ev->text, sizeof(ev->text), "the debug server stopped with signal %d", p.sig);
		if (r->hooks->stopped)
			r->hooks->stopped(r->arg, p.sig, ev);
	}
	if (rc == 0 && ev->why != STOP_EXIT)
		others_keep(r, ev->vcpu);
	return rc;
}

static int take_pending(struct rsp_target *r, struct stop_event *out)
{
	*out = r->pending[r->deliver];
	r->pending_map &= ~BIT64(r->deliver);
	r->deliver = -1;
	r->want_stop = false;
	kick_clear(r);
	return 0;
}

int rsp_op_next_stop(struct target *t, struct stop_event *out)
{
	struct rsp_target *r = rsp_of(t);
	struct stop_event ev;
	const uint8_t *body;
	size_t n;
	WITH_RSP_LOCK(r);
	int rc;

	if (r->deliver >= 0)
		return take_pending(r, out);
	if (!r->in_flight)
		return -EAGAIN;
	do {
		rc = rsp_conn_recv(&r->conn, 0, &body, &n);
		if (rc == -EAGAIN)
			return -EAGAIN;
	} while (rc == 0 && n && body[0] == 'O' && !rsp_reply_is(body, n, "OK")); // console output of the server
	flight_end(r);
	if (rc == 0)
		rc = digest_stop(r, body, n, &ev);
	if (rc > 0) {
		rc = go_locked(r);
		if (rc == 0)
			return -EAGAIN;
	}
	if (rc < 0)
		exit_event(r, &ev);
	r->want_stop = false;
	*out = ev;
	return 0;
}

/* ---- the end ---- */

/* Waits for the stop that a 0x03 makes; whatever stop comes will do. */
static int halt_locked(struct rsp_target *r)
{
	const uint8_t *body;
	size_t n;
	int rc = rsp_conn_break(&r->conn);

	while (rc == 0) {
		rc = rsp_conn_recv(&r->conn, RSP_CONN_REPLY_MS, &body, &n);
		if (rc == 0 && n && (body[0] == 'T' || body[0] == 'S'))
			break;
	}
	flight_end(r);
	return rc;
}

void rsp_let_go(struct rsp_target *r)
{
	int rc = 0;

	if (r->conn.dead)
		return;
	if (r->in_flight && r->nset == 0)
		return; // it runs, and nothing of ours is in it: that is how it is to be left
	if (r->in_flight)
		rc = halt_locked(r);
	if (rc == 0)
		rc = rsp_op_breaks_set(&r->t, NULL, 0);
	if (rc == 0)
		rc = rsp_command_locked(r, "D");
	if (rc == -ENOTSUP)
		rc = rsp_conn_send(&r->conn, "vCont;c", 7);
	if (rc < 0)
		log_warn("the debug server was not told to go on: %s", strerror(-rc));
}
