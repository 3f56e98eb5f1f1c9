/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "backend/qemu_trace.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "checkpoint/line.h"
#include "util/cursor.h"
#include "util/macros.h"

enum { PORT80 = 0x80, BUFFER_SIZE = 64 << 10, PIPE_SIZE = 1 << 20 };

struct qemu_trace {
	struct vm_cfg cfg; // its ports, and whom to tell
	int pipe, log_fd;
	pthread_t thread;

	pthread_mutex_t lock;
	bool on;
	struct checkpoint_line line;
	uint64_t last_ns;
	size_t len;
	char buf[BUFFER_SIZE]; /* what has come of a line that has not ended */
};

/* ---- a line ---- */

static const char event[] = "memory_region_ops_write cpu ";

/* THREAD@SECONDS.MICROSECONDS: with -msg timestamp=on, else nothing. */
static uint64_t take_time(struct cur *c)
{
	uint64_t s, us;

	if (cur_peek(c) < '0' || cur_peek(c) > '9')
		return 0;
	cur_dec(c);
	cur_lit(c, '@');
	s = cur_dec(c);
	cur_lit(c, '.');
	us = cur_dec(c);
	cur_lit(c, ':');
	return (s * 1000000 + us) * 1000;
}

static void take_str(struct cur *c, const char *s)
{
	c->bad |= !cur_try_str(c, s);
}

bool qemu_trace_parse(const char *line, size_t n, struct qemu_trace_write *ret)
{
	struct cur c = cur_init(line, n);
	struct qemu_trace_write w = { .epoch_ns = take_time(&c) };
	uint64_t vcpu;
	bool none;

	take_str(&c, event);
	none = cur_try(&c, '-');
	vcpu = cur_dec(&c);
	w.vcpu = none || vcpu > INT16_MAX ? -1 : (int)vcpu;
	take_str(&c, " mr ");
	cur_number(&c);
	take_str(&c, " addr ");
	w.addr = cur_number(&c);
	take_str(&c, " value ");
	w.value = cur_number(&c);
	take_str(&c, " size ");
	w.size = cur_dec(&c);
	if (c.bad || (w.size != 1 && w.size != 2 && w.size != 4 && w.size != 8))
		return false;
	w.is_port80 = cur_try_str(&c, " name 'ioport80'");
	*ret = w;
	return true;
}

/* ---- records ---- */

static uint64_t realtime_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

/* QEMU tells the time of day; that clock may be set, and ours may not go back. */
static uint64_t record_ns(struct qemu_trace *t, uint64_t epoch_ns)
{
	const uint64_t now = checkpoint_now_ns(), ago = realtime_ns() - epoch_ns;

	t->last_ns = MAX(t->last_ns, epoch_ns && ago < now ? now - ago : now);
	return t->last_ns;
}

/* A write to port 0x80 that is wider than a byte comes as one line for each byte, at addresses that follow. */
static bool is_wanted(const struct vm_cfg *cfg, const struct qemu_trace_write *w)
{
	static const uint16_t usual[] = { PORT80 };
	const uint16_t *port = cfg->ndebug_ports ? cfg->debug_port : usual;

	for (unsigned i = 0; i < (cfg->ndebug_ports ?: ARRAY_LEN(usual)); i++)
		if (w->addr == port[i] || (port[i] == PORT80 && w->is_port80))
			return true;
	return w->addr == CHECKPOINT_DEBUGCON;
}

static void on_write(struct qemu_trace *t, const struct qemu_trace_write *w)
{
	struct checkpoint_record rec = {
		.kind = CHECKPOINT_WRITE,
		.mode = CHECKPOINT_TCG,
		.port = w->addr,
		.value = w->value,
		.vcpu = (int16_t)w->vcpu,
		.size = (uint8_t)w->size,
	};

	if (!t->on || !is_wanted(&t->cfg, w))
		return;
	if (w->addr == CHECKPOINT_DEBUGCON) {
		if (!checkpoint_line_add(&t->line, (char)w->value))
			return;
		rec.kind = CHECKPOINT_TEXT;
		rec.text = t->line.text;
	}
	rec.ns = record_ns(t, w->epoch_ns);
	t->cfg.checkpoint(t->cfg.checkpoint_arg, &rec); // no write of QEMU's can be stopped at
}

/* What is not ours stays in the log. */
static void on_text(struct qemu_trace *t, const char *p, size_t n)
{
	while (n > 0) {
		const ssize_t k = write(t->log_fd, p, n);

		if (k <= 0)
			return;
		p += k;
		n -= (size_t)k;
	}
}

static void take_lines(struct qemu_trace *t)
{
	const char *p = t->buf, *end = t->buf + t->len, *next;
	struct qemu_trace_write w;

	for (; (next = memchr(p, '\n', (size_t)(end - p))); p = next + 1)
		if (qemu_trace_parse(p, (size_t)(next - p), &w))
			on_write(t, &w);
		else
			on_text(t, p, (size_t)(next + 1 - p));
	if (p == t->buf && t->len == sizeof(t->buf)) { // no line is as long
		on_text(t, p, t->len);
		p = end;
	}
	t->len = (size_t)(end - p);
	memmove(t->buf, p, t->len);
}

/* Takes what is in the pipe now. Returns: there may be more. */
static bool drain_locked(struct qemu_trace *t)
{
	ssize_t n;

	while ((n = read(t->pipe, t->buf + t->len, sizeof(t->buf) - t->len)) > 0) {
		t->len += (size_t)n;
		take_lines(t);
	}
	return n < 0 && (errno == EAGAIN || errno == EINTR);
}

static void *reader(void *arg)
{
	struct qemu_trace *t = arg;
	struct pollfd p = { .fd = t->pipe, .events = POLLIN };
	bool more;

	do {
		poll(&p, 1, -1);
		pthread_mutex_lock(&t->lock);
		more = drain_locked(t);
		pthread_mutex_unlock(&t->lock);
	} while (more);
	return NULL;
}

/* ---- for the backend ---- */

int qemu_trace_create(const struct vm_cfg *cfg, int log_fd, struct qemu_trace **ret, int *theirs)
{
	struct qemu_trace *t = calloc(1, sizeof(*t));
	int pipe[2], rc;

	if (!t)
		return -ENOMEM;
	if (pipe2(pipe, O_CLOEXEC) < 0) {
		free(t);
		return -errno;
	}
	t->cfg = *cfg;
	t->pipe = pipe[0];
	t->log_fd = log_fd;
	pthread_mutex_init(&t->lock, NULL);
	fcntl(t->pipe, F_SETFL, O_NONBLOCK);
	fcntl(t->pipe, F_SETPIPE_SZ, PIPE_SIZE); // if we may; QEMU waits less often then
	rc = -pthread_create(&t->thread, NULL, reader, t);
	if (rc < 0) {
		close(pipe[0]);
		close(pipe[1]);
		free(t);
		return rc;
	}
	*theirs = pipe[1];
	*ret = t;
	return 0;
}

void qemu_trace_begin(struct qemu_trace *t)
{
	pthread_mutex_lock(&t->lock);
	drain_locked(t);
	t->on = true;
	pthread_mutex_unlock(&t->lock);
}

void qemu_trace_sync(struct qemu_trace *t)
{
	if (!t)
		return;
	pthread_mutex_lock(&t->lock);
	drain_locked(t);
	pthread_mutex_unlock(&t->lock);
}

void qemu_trace_end_line(struct qemu_trace *t)
{
	if (!t)
		return;
	pthread_mutex_lock(&t->lock);
	drain_locked(t);
	if (t->on && checkpoint_line_add(&t->line, '\n'))
		t->cfg.checkpoint(t->cfg.checkpoint_arg, &(struct checkpoint_record){ .kind = CHECKPOINT_TEXT,
										      .mode = CHECKPOINT_TCG,
										      .ns = record_ns(t, 0),
										      .port = CHECKPOINT_DEBUGCON,
										      .text = t->line.text,
										      .vcpu = -1 });
	pthread_mutex_unlock(&t->lock);
}

void qemu_trace_destroy(struct qemu_trace *t)
{
	if (!t)
		return;
	pthread_join(t->thread, NULL); // it ends with the pipe, and that with QEMU
	pthread_mutex_destroy(&t->lock);
	close(t->pipe);
	free(t);
}
