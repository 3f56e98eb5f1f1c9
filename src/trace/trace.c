/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "trace/trace.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>

#include "checkpoint/line.h"
#include "trace/barrier.h"
#include "trace/event.h"
#include "trace/merge.h"
#include "trace/process.h"
#include "trace/tracefs.h"
#include "trace/vcpus.h"
#include "util/macros.h"

enum {
	ROUND_MS = 10,
	UNSURE_MS = 100, // how long a sample may take into its ring, where the kernel does not tell
	RINGS_SIZE = 64 << 20,
	RING_MIN = 512 << 10,
	RING_MAX = 4 << 20,
};

/* A processor of the host: the ring with all samples, and a bell that rings for the first after a time without any. */
struct cpu {
	struct trace_event all, bell;
	uint64_t lost; /* told so far */
};

struct trace {
	struct trace_cfg cfg;
	struct trace_points points;
	struct cpu *cpu;
	unsigned ncpus;
	struct trace_vcpus vcpus;
	struct trace_merge merge;
	struct checkpoint_line line;
	struct trace_stats stats;
	uint64_t round, former_ns;
	int pidfd, timer_fd;
};

/* ---- records ---- */

static void tell_lost(struct trace *t, uint64_t ns, uint64_t count)
{
	t->stats.lost += count;
	t->cfg.add(t->cfg.arg, &(struct checkpoint_record){ .kind = CHECKPOINT_LOST, .ns = ns, .value = count });
}

static void tell_write(struct trace *t, const struct trace_item *item, int vcpu)
{
	struct checkpoint_record rec = {
		.kind = CHECKPOINT_WRITE,
		.mode = CHECKPOINT_TRACED,
		.ns = item->ns,
		.vcpu = (int16_t)vcpu,
		.port = item->port,
		.value = item->value,
		.size = item->size,
	};

	t->stats.writes++;
	if (item->port == CHECKPOINT_DEBUGCON) {
		if (!checkpoint_line_add(&t->line, (char)item->value))
			return;
		rec.kind = CHECKPOINT_TEXT;
		rec.text = t->line.text;
	}
	t->cfg.add(t->cfg.arg, &rec);
	// Of a string that goes to KVM as a whole (SEV-ES) the tracepoint has the first element only.
	if (item->count > 1)
		tell_lost(t, item->ns, item->count - 1);
}

static bool take(void *arg, const struct trace_item *item)
{
	struct trace *t = arg;
	const struct trace_thread *thread;

	if (item->lost) {
		tell_lost(t, item->ns, item->lost);
		return true;
	}
	thread = trace_vcpus_find(&t->vcpus, &t->points, item->tid, t->round);
	if (thread && thread->vcpu < 0 && thread->entry.fd >= 0 && thread->round + 1 >= t->round)
		return false; // a new one: when it has entered its guest again, it is known which vCPU it is
	tell_write(t, item, thread ? thread->vcpu : -1);
	return true;
}

static void gather(struct trace *t, const struct trace_sample *s)
{
	const struct trace_points *p = &t->points;
	struct trace_item item = {
		.ns = s->ns,
		.lost = s->lost,
		.tid = s->tid,
		.port = (uint16_t)trace_field_get(&p->port, s->raw, s->n),
		.value = (uint32_t)trace_field_get(&p->val, s->raw, s->n),
		.count = (uint32_t)trace_field_get(&p->count, s->raw, s->n),
		.size = (uint8_t)trace_field_get(&p->size, s->raw, s->n),
	};

	if (s->lost)
		item = (struct trace_item){ .ns = s->ns, .lost = s->lost };
	else
		trace_vcpus_find(&t->vcpus, p, s->tid, t->round);
	trace_merge_add(&t->merge, &item);
}

/* Returns: there was something. */
static bool drain(struct trace *t)
{
	bool any = false;

	for (unsigned i = 0; i < t->ncpus; i++) {
		struct cpu *c = &t->cpu[i];
		struct trace_sample s;

		while (trace_ring_next(&c->all.ring, &s)) {
			any = true;
			c->lost += s.lost;
			if (s.lost || s.pid == t->cfg.pid)
				gather(t, &s);
		}
	}
	return any;
}

/*
 * Up to when all samples are in the rings. Without a barrier that is when a round was UNSURE_MS ago or longer, if there
 * was one since.
 */
static uint64_t settle(struct trace *t)
{
	const uint64_t now = checkpoint_now_ns(), former = t->former_ns;

	if (trace_barrier())
		return now;
	if (now - former < UNSURE_MS * UINT64_C(1000000))
		return 0;
	t->former_ns = now;
	return former;
}

/* Hands on what is sure to be complete. Returns: there was something, or is still. */
static bool run_round(struct trace *t)
{
	bool any = drain(t); // the barrier takes its time, and the rings get fuller
	const uint64_t until = settle(t);

	t->round++;
	any |= drain(t);
	trace_vcpus_update(&t->vcpus, &t->points);
	trace_merge_take(&t->merge, until, take, t);
	return any || t->merge.n;
}

/* ---- when ---- */

static void set_timer(struct trace *t)
{
	const struct itimerspec in = { .it_value.tv_nsec = ROUND_MS * 1000000L };

	timerfd_settime(t->timer_fd, 0, &in, NULL);
}

/* Rounds go on until one has nothing; then the bells are set, and what came just before that is looked for. */
static void on_timer(void *arg, int fd, short revents)
{
	struct trace *t = arg;
	uint64_t times;

	if (read(fd, &times, sizeof(times)) < 0)
		return;
	if (run_round(t)) {
		set_timer(t);
		return;
	}
	for (unsigned i = 0; i < t->ncpus; i++)
		if (trace_ring_drop(&t->cpu[i].bell.ring))
			trace_event_rearm(&t->cpu[i].bell);
	if (run_round(t))
		set_timer(t);
}

static void on_bell(void *arg, int fd, short revents)
{
	set_timer(arg);
}

/* What it wrote before it crashed may have no end. */
static void end_line(struct trace *t)
{
	if (checkpoint_line_add(&t->line, '\n'))
		t->cfg.add(t->cfg.arg, &(struct checkpoint_record){ .kind = CHECKPOINT_TEXT,
								    .mode = CHECKPOINT_TRACED,
								    .ns = checkpoint_now_ns(),
								    .port = CHECKPOINT_DEBUGCON,
								    .text = t->line.text,
								    .vcpu = -1 });
}

/* All that is there, whoever it belongs to, and what was lost at the very end. */
static void finish(struct trace *t)
{
	trace_barrier();
	drain(t);
	trace_vcpus_update(&t->vcpus, &t->points);
	t->round += 2; // nothing waits for that any more
	trace_merge_take(&t->merge, UINT64_MAX, take, t);
	end_line(t);
	for (unsigned i = 0; i < t->ncpus; i++) {
		const uint64_t lost = trace_event_lost(&t->cpu[i].all);

		if (lost > t->cpu[i].lost)
			tell_lost(t, checkpoint_now_ns(), lost - t->cpu[i].lost);
		t->cpu[i].lost = MAX(t->cpu[i].lost, lost);
	}
	if (t->merge.dropped)
		tell_lost(t, checkpoint_now_ns(), t->merge.dropped);
	t->merge.dropped = 0;
}

static void on_end(void *arg, int fd, short revents)
{
	struct trace *t = arg;

	loop_unwatch(t->cfg.loop, fd);
	finish(t);
	t->cfg.ended(t->cfg.arg);
}

/* ---- set-up ---- */

static void unwatch(struct trace *t)
{
	loop_unwatch(t->cfg.loop, t->pidfd);
	loop_unwatch(t->cfg.loop, t->timer_fd);
	for (unsigned i = 0; i < t->ncpus; i++)
		loop_unwatch(t->cfg.loop, t->cpu[i].bell.fd);
}

static void destroy(struct trace *t)
{
	unwatch(t);
	for (unsigned i = 0; i < t->ncpus; i++) {
		trace_event_close(&t->cpu[i].all);
		trace_event_close(&t->cpu[i].bell);
	}
	free(t->cpu);
	trace_vcpus_deinit(&t->vcpus);
	trace_merge_deinit(&t->merge);
	closep(&t->pidfd);
	closep(&t->timer_fd);
	free(t);
}

static void destroyp(struct trace **t)
{
	if (*t)
		destroy(*t);
}

struct trace_stats trace_close(struct trace *t)
{
	struct trace_stats stats = { 0 };

	if (!t)
		return stats;
	finish(t);
	stats = t->stats;
	destroy(t);
	return stats;
}

static int explain(int rc, struct errtext *why)
{
	if (rc == -EACCES || rc == -EPERM)
		return errtext_set(
			why, -EACCES,
			"the kernel does not let us trace: it takes root (sudo gdbvm trace ...); or CAP_PERFMON, where "
			"kernel.perf_event_paranoid is above 2 CAP_SYS_ADMIN; or that setting at -1, and for the "
			"buffers kernel.perf_event_mlock_kb");
	if (rc == -EMFILE)
		return errtext_set(
			why, rc,
			"too few open files are allowed for the processors and threads here: raise the limit "
			"(ulimit -n)");
	return errtext_set(why, rc, "cannot trace kvm:kvm_pio: %s (the kernel needs CONFIG_PERF_EVENTS)",
			   strerror(-rc));
}

static void make_filter(const struct trace_cfg *cfg, struct strbuf *out)
{
	strbuf_adds(out, "rw==1&&(");
	for (unsigned i = 0; i < cfg->nports; i++)
		strbuf_addf(out, "%sport==%u", i ? "||" : "", cfg->port[i]);
	strbuf_addc(out, ')');
}

static int open_cpu(struct trace *t, unsigned number, unsigned nonline, const char *filter)
{
	struct trace_event_cfg cfg = { .id = t->points.pio, .filter = filter, .tid = -1, .cpu = (int)number };
	struct cpu c = { .all.fd = -1, .bell.fd = -1 };
	int rc;

	for (cfg.ring_size = RING_MAX; cfg.ring_size > RING_MIN && cfg.ring_size * nonline > RINGS_SIZE;)
		cfg.ring_size /= 2;
	rc = trace_event_open(&cfg, &c.all);
	if (rc < 0)
		return rc;
	cfg.ring_size = (size_t)sysconf(_SC_PAGESIZE);
	cfg.once = true;
	rc = trace_event_open(&cfg, &c.bell);
	if (rc == 0)
		rc = loop_watch(t->cfg.loop, c.bell.fd, POLLIN, on_bell, t);
	if (rc < 0) {
		trace_event_close(&c.all);
		trace_event_close(&c.bell);
		return rc;
	}
	t->cpu[t->ncpus++] = c;
	return 0;
}

static int open_cpus(struct trace *t, struct errtext *why)
{
	_cleanup_(strbuf_deinit) struct strbuf filter = { 0 };
	_cleanup_(freep) unsigned *online = NULL;
	unsigned n;
	int rc = trace_processors(&online, &n);

	if (rc < 0)
		return errtext_set(why, rc, "cannot tell which processors this machine has: %s", strerror(-rc));
	make_filter(&t->cfg, &filter);
	t->cpu = calloc(n, sizeof(*t->cpu));
	if (!t->cpu || filter.oom)
		return errtext_set(why, -ENOMEM, "no memory for the trace");
	for (unsigned i = 0; i < n; i++) {
		rc = open_cpu(t, online[i], n, filter.s);
		if (rc < 0 && rc != -ENODEV) // switched off just now
			return explain(rc, why);
	}
	return 0;
}

static void raise_file_limit(void)
{
	struct rlimit r;

	if (getrlimit(RLIMIT_NOFILE, &r) < 0)
		return;
	r.rlim_cur = r.rlim_max;
	setrlimit(RLIMIT_NOFILE, &r);
}

static int open_process(struct trace *t, struct errtext *why)
{
	t->pidfd = (int)syscall(SYS_pidfd_open, t->cfg.pid, 0);
	if (t->pidfd < 0 && errno == ESRCH)
		return errtext_set(why, -ESRCH, "there is no process %d", (int)t->cfg.pid);
	if (t->pidfd < 0 && (errno == EINVAL || errno == ENOENT))
		return errtext_set(why, -EINVAL, "%d is a thread: expected the process that it is in", (int)t->cfg.pid);
	if (t->pidfd < 0)
		return errtext_set(why, -errno, "cannot watch process %d: %s", (int)t->cfg.pid, strerror(errno));
	return 0;
}

static void note_thread(void *arg, int tid)
{
	struct trace *t = arg;

	trace_vcpus_find(&t->vcpus, &t->points, tid, 0);
}

int trace_open(const struct trace_cfg *cfg, struct trace **ret, struct errtext *why)
{
	_cleanup_(destroyp) struct trace *t = calloc(1, sizeof(*t));
	int rc;

	if (!t)
		return errtext_set(why, -ENOMEM, "no memory for the trace");
	t->cfg = *cfg;
	t->vcpus.pid = cfg->pid;
	t->pidfd = -1;
	t->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	raise_file_limit();
	rc = open_process(t, why);
	if (rc == 0)
		rc = trace_points_read(&t->points, why);
	if (rc == 0)
		rc = open_cpus(t, why);
	if (rc < 0)
		return rc;
	trace_process_threads(cfg->pid, note_thread, t);
	rc = t->timer_fd < 0 ? -ENOMEM : loop_watch(cfg->loop, t->timer_fd, POLLIN, on_timer, t);
	if (rc == 0)
		rc = loop_watch(cfg->loop, t->pidfd, POLLIN, on_end, t);
	if (rc < 0)
		return errtext_set(why, rc, "the event loop could not be set up");
	*ret = take_ptr(t);
	return 0;
}
