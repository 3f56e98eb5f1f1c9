/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "backend/rsp_internal.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>

#include "rsp/request.h"

enum { PLAIN_PACKET = 400, MIN_PACKET = 256, ANNEX_MAX = 1 << 20 };

int rsp_ask_locked(struct rsp_target *r, const char *req, const uint8_t **body, size_t *n)
{
	return r->in_flight ? -EBUSY : rsp_conn_ask(&r->conn, req, body, n);
}

int rsp_command_locked(struct rsp_target *r, const char *req)
{
	const uint8_t *body;
	size_t n;
	int rc = rsp_ask_locked(r, req, &body, &n);

	return rc < 0 ? rc : rsp_reply_check(body, n);
}

static int op_event_fd(struct target *t)
{
	return rsp_of(t)->epoll_fd;
}

static int op_kill(struct target *t)
{
	struct rsp_target *r = rsp_of(t);
	WITH_RSP_LOCK(r);

	if (r->hooks->kill)
		r->hooks->kill(r->arg);
	else if (!r->in_flight)
		rsp_conn_send(&r->conn, "k", 1);
	else
		return -EBUSY;
	if (!r->in_flight)
		r->conn.dead = true; // the next resume ends with STOP_EXIT; in flight the hang-up does it
	return 0;
}

static bool op_vcpu_online(struct target *t, unsigned vcpu)
{
	struct rsp_target *r = rsp_of(t);
	WITH_RSP_LOCK(r);

	return !r->hooks->vcpu_online || r->conn.dead || r->hooks->vcpu_online(r->arg, vcpu);
}

static void op_describe(struct target *t, struct strbuf *out)
{
	struct rsp_target *r = rsp_of(t);
	WITH_RSP_LOCK(r);

	if (r->hooks->describe)
		r->hooks->describe(r->arg, out);
	else
		strbuf_addf(out, "another debug server, %u vCPU(s)\n", r->t.nvcpus);
}

static void rsp_free(struct rsp_target *r)
{
	if (!r)
		return;
	rsp_conn_deinit(&r->conn);
	closep(&r->epoll_fd);
	closep(&r->kick);
	pthread_mutex_destroy(&r->lock);
	for (unsigned i = 0; i < TARGET_MAX_VCPUS; i++)
		strbuf_deinit(&r->before[i]);
	free(r->set);
	free(r);
}

static void rsp_freep(struct rsp_target **r)
{
	rsp_free(*r);
}

static void op_destroy(struct target *t)
{
	struct rsp_target *r = rsp_of(t);
	const struct backend_rsp_hooks *hooks = r->hooks;
	void *arg = r->arg;

	if (r->attached)
		rsp_let_go(r);
	rsp_free(r);
	if (hooks->destroy)
		hooks->destroy(arg);
}

static int op_info(struct target *t, enum target_info what, unsigned vcpu, struct strbuf *out)
{
	struct rsp_target *r = rsp_of(t);
	WITH_RSP_LOCK(r);

	if (r->conn.dead)
		return -EPIPE;
	return r->hooks->info ? r->hooks->info(r->arg, what, vcpu, out) : -ENOTSUP;
}

/* There is no `time`: QEMU's clocks stop with its guest by themselves. */
static const struct target_ops rsp_ops = {
	.name = "rsp",
	.regs_read = rsp_op_regs_read,
	.regs_write = rsp_op_regs_write,
	.mem_read = rsp_op_mem_read,
	.mem_write = rsp_op_mem_write,
	.mem_map = rsp_op_mem_map,
	.resume = rsp_op_resume,
	.interrupt = rsp_op_interrupt,
	.next_stop = rsp_op_next_stop,
	.event_fd = op_event_fd,
	.destroy = op_destroy,
	.breaks_set = rsp_op_breaks_set,
	.kill = op_kill,
	.vcpu_online = op_vcpu_online,
	.describe = op_describe,
	.info = op_info,
};

/* ---- getting to know the server ---- */

static int annex_fetch(void *arg, const char *annex, struct strbuf *out)
{
	struct rsp_target *r = arg;

	for (bool more = true; more;) {
		char req[160];
		const uint8_t *body;
		size_t n;
		int rc;

		snprintf(req, sizeof(req), "qXfer:features:read:%.80s:%zx,%zx", annex, out->len, r->packet_max - 64);
		rc = rsp_ask_locked(r, req, &body, &n);
		if (rc < 0)
			return rc;
		if (n == 0 || (body[0] != 'm' && body[0] != 'l') || (body[0] == 'm' && n == 1) || out->len > ANNEX_MAX)
			return -EPROTO;
		strbuf_add(out, body + 1, n - 1);
		more = body[0] == 'm';
	}
	return out->oom ? -ENOMEM : 0;
}

/* Is @word one of the ;-separated features of a qSupported reply? Its value, or NULL. */
static const char *feature(const char *reply, const char *word)
{
	size_t n = strlen(word);

	for (const char *p = reply; p; p = strchr(p, ';')) {
		p += *p == ';';
		if (strncmp(p, word, n) == 0)
			return p + n;
	}
	return NULL;
}

/* QEMU tells a client that comes to a running guest of the stop that this makes, unasked. */
static bool is_stop(const uint8_t *body, size_t n)
{
	return n >= 3 && (body[0] == 'T' || body[0] == 'S') && hex_digit(body[1]) >= 0 && hex_digit(body[2]) >= 0;
}

static int learn_features(struct rsp_target *r, struct errtext *why)
{
	_cleanup_(strbuf_deinit) struct strbuf reply = { 0 };
	const uint8_t *body;
	const char *size;
	size_t n;
	int rc = rsp_ask_locked(r, "qSupported:swbreak+;hwbreak+;xmlRegisters=i386", &body, &n);

	r->conn.stop_fd = -1; // who has answered is let go as it should be
	if (rc == 0 && is_stop(body, n))
		rc = rsp_conn_recv(&r->conn, RSP_CONN_REPLY_MS, &body, &n);
	if (rc < 0)
		return rc;
	strbuf_add(&reply, body, n);
	r->packet_max = PLAIN_PACKET;
	size = feature(strbuf_str(&reply), "PacketSize=");
	if (size) {
		struct cur c = cur_init(size, strcspn(size, ";"));
		uint64_t v = cur_hex(&c);

		if (!cur_done(&c) || v < MIN_PACKET)
			return errtext_set(why, -EPROTO, "the debug server's packet size is %.20s", size);
		r->packet_max = MIN(v, RSP_PACKET_MAX);
	}
	if (feature(strbuf_str(&reply), "QStartNoAckMode+")) {
		rc = rsp_command_locked(r, "QStartNoAckMode");
		if (rc < 0)
			return rc;
		r->conn.noack = true;
	}
	if (!feature(strbuf_str(&reply), "qXfer:features:read+") &&
	    !feature(strbuf_str(&reply), "qXfer:features:read")) {
		rsp_regmap_plain(&r->map);
		return 0;
	}
	return rsp_regmap_learn(&r->map, annex_fetch, r, why);
}

static int by_tid(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

/* vCPU n is the thread with the n-th lowest id. */
static int learn_threads(struct rsp_target *r, struct errtext *why)
{
	const uint8_t *body;
	size_t n;
	int rc;

	for (const char *req = "qfThreadInfo";; req = "qsThreadInfo") {
		struct cur c;

		rc = rsp_ask_locked(r, req, &body, &n);
		if (rc < 0)
			return rc;
		c = cur_init(body, n);
		if (cur_try(&c, 'l') || !cur_try(&c, 'm'))
			break;
		do {
			struct rsp_tid tid = rsp_tid_take(&c);

			if (r->t.nvcpus == TARGET_MAX_VCPUS)
				return errtext_set(why, -EPROTO, "the debug server has more than %d threads",
						   TARGET_MAX_VCPUS);
			if (!c.bad && tid.id > 0)
				r->tid[r->t.nvcpus++] = (uint64_t)tid.id;
		} while (cur_try(&c, ','));
		if (!cur_done(&c))
			break;
	}
	if (r->t.nvcpus == 0)
		return errtext_set(why, -EPROTO, "the debug server has no threads");
	qsort(r->tid, r->t.nvcpus, sizeof(r->tid[0]), by_tid);
	return 0;
}

static int learn_actions(struct rsp_target *r, struct errtext *why)
{
	const uint8_t *body;
	size_t n;
	int rc = rsp_ask_locked(r, "vCont?", &body, &n);

	if (rc < 0)
		return rc;
	if (n < 5 || memcmp(body, "vCont", 5) != 0 || !memmem(body, n, ";c", 2))
		return errtext_set(why, -EPROTO, "the debug server has no vCont packet");
	r->t.step_actions = BIT(TARGET_HOLD) | BIT(TARGET_RUN);
	if (memmem(body, n, ";s", 2))
		r->t.step_actions |= BIT(TARGET_STEP) | BIT(TARGET_STEP_RANGE);
	return 0;
}

/* A type that the server does not know gets the empty reply, also when there is nothing to remove. */
static int learn_breaks(struct rsp_target *r)
{
	for (unsigned kind = 0; kind < TARGET_BREAK_NKINDS; kind++) {
		const uint8_t *body;
		char req[16];
		size_t n;
		int rc;

		snprintf(req, sizeof(req), "z%u,0,1", kind);
		rc = rsp_ask_locked(r, req, &body, &n);
		if (rc < 0)
			return rc;
		if (n)
			r->t.break_kinds |= BIT(kind);
	}
	return 0;
}

static int learn(struct rsp_target *r, struct errtext *why)
{
	const uint8_t *body;
	size_t n;
	int rc = learn_features(r, why);

	if (rc == 0) {
		r->t.arch = r->map.machine->arch;
		r->t.layout = r->map.machine->layout ? r->map.machine->layout(&r->map) : NULL;
		r->t.hw_max = r->t.arch->hw_max;
		rc = rsp_ask_locked(r, "?", &body, &n);
	}
	if (rc == 0 && (n == 0 || (body[0] != 'T' && body[0] != 'S')))
		return errtext_set(why, -EPROTO, "the debug server does not have its guest stopped");
	if (rc == 0)
		rc = learn_threads(r, why);
	if (rc == 0)
		rc = learn_actions(r, why);
	if (rc == 0)
		rc = learn_breaks(r);
	if (rc == 0) {
		rc = rsp_command_locked(r, "Qqemu.PhyMemMode:1");
		r->phys = rc == 0;
		r->t.mem_virtual = !r->phys;
	}
	// Without that mode it is the server that translates.
	return rc == -ENOTSUP || rc == -EIO ? 0 : rc;
}

static int events_init(struct rsp_target *r)
{
	struct epoll_event ev = { .events = EPOLLIN };

	r->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	r->kick = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (r->epoll_fd < 0 || r->kick < 0 || epoll_ctl(r->epoll_fd, EPOLL_CTL_ADD, r->kick, &ev) < 0)
		return -errno;
	return 0;
}

static struct rsp_target *rsp_new(int fd)
{
	struct rsp_target *r = calloc(1, sizeof(*r));

	if (!r) {
		close(fd);
		return NULL;
	}
	r->t.ops = &rsp_ops;
	r->hg = TARGET_MAX_VCPUS;
	r->deliver = r->epoll_fd = r->kick = -1;
	pthread_mutex_init(&r->lock, NULL);
	rsp_conn_init(&r->conn, fd);
	return r;
}

static const char *answer_text(int rc)
{
	switch (rc) {
	case -EPIPE:
		return "the debug server hung up";
	case -EPROTO:
		return "what answers there is not a debug server (GDB's remote protocol)";
	case -ETIMEDOUT:
		return "the debug server does not answer, or has another client";
	default:
		return strerror(-rc);
	}
}

static int rsp_open(int fd, int stop_fd, const struct backend_rsp_hooks *hooks, void *arg, struct rsp_target **ret,
		    struct errtext *why)
{
	static const struct backend_rsp_hooks no_hooks;
	_cleanup_(rsp_freep) struct rsp_target *r = rsp_new(fd);
	int rc;

	if (!r)
		return errtext_set(why, -ENOMEM, "no memory for the debug server's guest");
	r->conn.stop_fd = stop_fd;
	r->hooks = hooks ? hooks : &no_hooks;
	r->arg = arg;
	errtext_set(why, 0, "%s", "");
	rc = events_init(r);
	if (rc == 0)
		rc = learn(r, why);
	if (rc < 0 && why && !why->text[0])
		errtext_set(why, rc, "%s", answer_text(rc));
	if (rc == 0)
		*ret = take_ptr(r);
	return rc;
}

int backend_rsp_create(int fd, const struct backend_rsp_hooks *hooks, void *arg, struct target **ret,
		       struct errtext *why)
{
	struct rsp_target *r;
	int rc = rsp_open(fd, -1, hooks, arg, &r, why);

	if (rc == 0)
		*ret = &r->t;
	return rc;
}

int backend_rsp_attach(int fd, int stop_fd, struct target **ret, struct errtext *why)
{
	struct rsp_target *r;
	int rc = rsp_open(fd, stop_fd, NULL, NULL, &r, why);

	if (rc < 0)
		return rc;
	r->attached = true;
	rsp_monitor_use(r);
	if (r->t.arch == &arch_x86 && !r->hooks->regs_read) {
		target_destroy(&r->t);
		return errtext_set(
			why, -EPROTO,
			"the debug server does not tell the hidden parts of segments: of x86 servers only QEMU's, "
			"which has a monitor, will do");
	}
	*ret = &r->t;
	return 0;
}
