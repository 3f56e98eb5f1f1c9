/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "server/internal.h"
#include "server/packets.h"
#include "util/bytes.h"
#define LOG_ROOM LOG_SERVER
#include "util/log.h"

/* Running, stepping and letting go: c C s S vCont H ? D k vKill vAttach R vRun ! */

void session_engine_set(struct session *s, struct engine *e)
{
	s->e = e;
	s->killed = false;
	s->cur = 0;
	s->sel_g.id = s->sel_c.id = RSP_TID_ANY;
	s->last_stop = (struct stop_event){ .why = STOP_STEP };
	s->last_sig = SIG_GDB_TRAP;
	s->told = NULL;
	s->doc_kind = DOC_NONE;
	for (unsigned i = 0; i < SAVED_REGS_MAX; i++)
		s->saved[i].id = 0;
}

/* What is said of a guest that is reset, or started, under this session. */
static int restart(struct session *s, bool reset)
{
	struct engine *e;
	int rc = s->restart ? s->restart(s->restart_arg, reset, &e) : -ENOTSUP;

	if (rc == 0)
		session_engine_set(s, e);
	s->break_due &= reset;
	return rc;
}

int session_reset(struct session *s)
{
	return restart(s, true);
}

/* After these the guest goes on as a machine does: from its first instruction. */
static bool is_reset(enum stop_why why)
{
	return why == STOP_RESET || why == STOP_TRIPLE_FAULT;
}

int session_pass_reset(struct session *s, struct stop_event *ev)
{
	int rc = is_reset(ev->why) && !engine_catches(s->e, ev->why) ? session_reset(s) : -ENOENT;

	if (rc == 0 && s->plan.vcpu[0].action == TARGET_HOLD) { // nobody would ever start the others
		*ev = (struct stop_event){ .why = STOP_STEP, .text = "the guest was reset, with vCPU 0 held" };
		return -EBUSY;
	}
	if (rc == 0)
		rc = engine_resume(s->e, &s->plan);
	return rc == 0 && s->break_due ? engine_interrupt(s->e) : rc; // what the former guest got of it does not count
}

static bool goes(const struct session *s, unsigned vcpu)
{
	return s->plan.vcpu[vcpu].action != TARGET_HOLD;
}

/* The stop that a 0x03 is owed, where the guest stands: let go, it might have stopped for something else once more. */
static void stay(struct session *s, struct rsp_out *out)
{
	struct stop_event ev = { .vcpu = s->cur, .why = STOP_INTERRUPT };

	if (!goes(s, ev.vcpu))
		for (ev.vcpu = 0; !goes(s, ev.vcpu);)
			ev.vcpu++;
	s->break_due = false;
	stop_reply_record(s, &ev, false);
	stop_reply_fill(s, out);
}

/* s->plan, which lets one vCPU go at least. */
static int resume(struct session *s, struct rsp_out *out)
{
	struct resume_plan *plan = &s->plan;
	int rc = is_reset(s->last_stop.why) && s->restart ? session_reset(s) : 0;

	if (rc == 0 && s->break_due) {
		stay(s, out);
		return 0;
	}
	plan->looks = s->looks;
	if (rc == 0)
		rc = engine_resume(s->e, plan);
	plan->looks = false;
	if (rc < 0)
		return rc;
	s->wait = WAIT_STOP;
	s->doc_kind = DOC_NONE;
	return 0;
}

static int set_pc(struct session *s, unsigned vcpu, uint64_t pc)
{
	const struct arch_layout *l;
	struct arch_regs *r;
	uint8_t buf[8];
	unsigned size;
	int rc = session_layout(s, &l);

	if (rc == 0)
		rc = engine_regs(s->e, vcpu, arch_reg_groups(l, l->pc), &r);
	if (rc < 0)
		return rc;
	size = arch_reg_size(l, l->pc);
	if (size < sizeof(pc) && pc >> (8 * size))
		return -EINVAL;
	st_le64(buf, pc);
	rc = arch_reg_set(l, l->pc, r, buf, size);
	return rc < 0 ? rc : engine_regs_flush(s->e, vcpu);
}

/*
 * c C s S without vCont. After Hc with a thread only that thread runs, as in gdbserver; after Hc0 or Hc-1 all do, and
 * a step is the current thread's. A guest has no signals: the one in C and S is taken off the packet and dropped.
 */
static int run_selected(struct session *s, const struct rsp_req *r, enum target_action action, struct rsp_out *out)
{
	struct resume_plan *plan = &s->plan;
	unsigned vcpu;
	int rc = session_vcpu(s, s->sel_c, &vcpu);

	if (rc == 0 && r->run.has_addr)
		rc = set_pc(s, vcpu, r->run.addr);
	if (rc < 0)
		return rc;
	for (unsigned i = 0; i < engine_target(s->e)->nvcpus; i++)
		plan->vcpu[i].action = s->sel_c.id <= 0 ? TARGET_RUN : TARGET_HOLD;
	plan->vcpu[vcpu].action = action;
	return resume(s, out);
}

int h_continue(struct session *s, const struct rsp_req *r, struct rsp_out *out)
{
	return run_selected(s, r, TARGET_RUN, out);
}

int h_step(struct session *s, const struct rsp_req *r, struct rsp_out *out)
{
	return run_selected(s, r, TARGET_STEP, out);
}

static enum target_action vcont_action(char kind)
{
	switch (kind) {
	case 's':
	case 'S':
		return TARGET_STEP;
	case 'r':
		return TARGET_STEP_RANGE;
	case 't':
		return TARGET_HOLD;
	default:
		return TARGET_RUN;
	}
}

static bool vcont_matches(const struct session *s, const struct rsp_vcont_action *a, unsigned vcpu)
{
	if (!a->has_tid || a->tid.id == RSP_TID_ALL)
		return true;
	if (a->tid.id == RSP_TID_ANY)
		return vcpu == s->cur;
	return a->tid.id == (int64_t)session_thread(vcpu);
}

/* The leftmost action that names a thread is its; a thread that none names stays as it is. True: it will run. */
static bool plan_vcpu(struct session *s, const struct rsp_req *r, unsigned vcpu)
{
	struct resume_plan *plan = &s->plan;

	plan->vcpu[vcpu].action = TARGET_HOLD;
	for (unsigned i = 0; i < r->vcont.n; i++) {
		const struct rsp_vcont_action *a = &r->vcont.action[i];

		if (!vcont_matches(s, a, vcpu))
			continue;
		plan->vcpu[vcpu].action = vcont_action(a->kind);
		plan->vcpu[vcpu].lo = a->lo;
		plan->vcpu[vcpu].hi = a->hi;
		break;
	}
	return goes(s, vcpu);
}

int h_vcont(struct session *s, const struct rsp_req *r, struct rsp_out *out)
{
	bool any = false;
	unsigned vcpu;

	for (unsigned i = 0; i < r->vcont.n; i++)
		if (session_vcpu(s, r->vcont.action[i].tid, &vcpu) < 0)
			return -ESRCH;
	for (unsigned i = 0; i < engine_target(s->e)->nvcpus; i++)
		any |= plan_vcpu(s, r, i);
	return any ? resume(s, out) : -EINVAL; // nobody would ever stop
}

int h_vcont_caps(struct session *s, const struct rsp_req *r, struct rsp_out *out)
{
	const struct target *t = engine_target(s->e);

	rsp_out_str(out, "vCont;c;C;t");
	if (target_can(t, TARGET_STEP))
		rsp_out_str(out, ";s;S");
	if (target_can(t, TARGET_STEP_RANGE))
		rsp_out_str(out, ";r");
	return 0;
}

int h_thread_select(struct session *s, const struct rsp_req *r, struct rsp_out *out)
{
	unsigned vcpu;
	int rc = session_vcpu(s, r->thread.tid, &vcpu);

	if (rc < 0)
		return rc;
	if (r->thread.op == 'g')
		s->sel_g = r->thread.tid;
	else
		s->sel_c = r->thread.tid;
	rsp_out_ok(out);
	return 0;
}

int h_stop_reason(struct session *s, const struct rsp_req *r, struct rsp_out *out)
{
	stop_reply_fill(s, out);
	return 0;
}

int h_vattach(struct session *s, const struct rsp_req *r, struct rsp_out *out)
{
	if (r->num.value != 1)
		return -ESRCH; // there is one process, the guest
	if (s->detached) {
		s->detached = false;
		session_attach(s);
	}
	if (s->wait == WAIT_ATTACH)
		s->holding = true; // this packet comes again once the guest has stopped
	else if (engine_running(s->e))
		return -EBUSY;
	else
		stop_reply_fill(s, out);
	return 0;
}

int h_extended(struct session *s, const struct rsp_req *r, struct rsp_out *out)
{
	s->extended = true;
	rsp_out_ok(out);
	return 0;
}

/* The guest runs on, unless it cannot: then whoever started the server learns how it ended. */
static void let_go(struct session *s)
{
	if (session_guest_over(s))
		engine_clear(s->e);
	else
		engine_detach(s->e);
	s->wait = WAIT_NONE;
	s->break_due = false;
	s->detached = true;
}

/* In extended mode the connection outlives the detach, for a later vAttach. */
int h_detach(struct session *s, const struct rsp_req *r, struct rsp_out *out)
{
	if (r->text.n > 0 && r->text.s[0] != ';')
		return -EINVAL;
	let_go(s);
	if (!s->extended)
		s->state = SESSION_DETACHED;
	rsp_out_ok(out);
	return 0;
}

int h_kill(struct session *s, const struct rsp_req *r, struct rsp_out *out)
{
	if (target_kill(engine_target(s->e)) == 0) {
		s->state = SESSION_KILLED;
		return 0;
	}
	let_go(s); // k has no reply to refuse with
	s->state = SESSION_DETACHED;
	return 0;
}

/* Any process id: without the multiprocess extension GDB sends a number of its own invention. */
int h_vkill(struct session *s, const struct rsp_req *r, struct rsp_out *out)
{
	struct stop_event ev;
	bool again = s->extended && s->restart; // `run` may follow, as GDB's own `run` kills first
	int rc = again ? engine_stop_now(s->e, &ev) : target_kill(engine_target(s->e));

	if (rc < 0)
		return rc;
	s->wait = WAIT_NONE;
	s->killed = again;
	if (!again)
		s->state = SESSION_KILLED;
	rsp_out_ok(out);
	return 0;
}

int h_vrun(struct session *s, const struct rsp_req *r, struct rsp_out *out)
{
	int rc = restart(s, false);

	// Not the empty reply: GDB would go on to R, which has none.
	if (rc < 0)
		return rc == -ENOTSUP ? -EPERM : rc;
	stop_reply_fill(s, out);
	return 0;
}

int h_restart(struct session *s, const struct rsp_req *r, struct rsp_out *out)
{
	int rc = restart(s, false);

	if (rc < 0)
		log_warn("the guest could not be started anew: %s", strerror(-rc)); // R has no reply to say it in
	return 0;
}
