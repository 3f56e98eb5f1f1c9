/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "checkpoint/log.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>

#include "checkpoint/internal.h"
#include "checkpoint/labels.h"
#include "util/macros.h"

enum {
	QUEUE_LEN = 16384,
	GATHER_MS = 10, // how long a record may wait for more, so that not each of them wakes the writer
	MARK_ROOM = 128,
};

struct checkpoint_log {
	struct checkpoint_log_cfg cfg;
	char *path;
	int fd, hangup_fd;
	pthread_t writer;
	bool waits; // the writer, for who reads what it writes

	uint64_t tail;      // added, in all: only who adds moves it
	uint64_t head;      // written, in all: only the writer does
	uint64_t seq, lost; // of those who add

	pthread_mutex_t lock;      // only for sleep and waking up
	pthread_cond_t work, room; // for the writer; for those who wait for it
	uint64_t flush_to;
	bool hung_up, ending;
	struct checkpoint_record queue[QUEUE_LEN]; // head..tail: the writer's until it moves head

	/* the writer's own */
	struct checkpoint_labels *labels;
	struct strbuf json, text;
	uint64_t bytes, missing, first_missing;
	bool is_new, is_empty; // the file: before, and now
	int err;
};

/* ---- the writer's thread ---- */

/* Returns: may something be written? False: nobody reads it, and after a hangup or a stop nobody waits for that. */
static bool wait_for_reader(struct checkpoint_log *log, int fd)
{
	struct pollfd on[] = { { .fd = fd, .events = POLLOUT },
			       { .fd = log->hangup_fd, .events = POLLIN },
			       { .fd = log->cfg.stop_fd, .events = POLLIN } };

	if (poll(on, ARRAY_LEN(on), 0) == 0) {
		__atomic_store_n(&log->waits, true, __ATOMIC_RELAXED);
		while (poll(on, ARRAY_LEN(on), -1) < 0 && errno == EINTR)
			;
		__atomic_store_n(&log->waits, false, __ATOMIC_RELAXED);
	}
	return on[0].revents;
}

/* In pieces that a pipe takes without blocking. */
static int write_all(struct checkpoint_log *log, int fd, const char *p, size_t len)
{
	while (len > 0) {
		if (!wait_for_reader(log, fd))
			return -EPIPE;
		const ssize_t n = write(fd, p, MIN(len, PIPE_BUF));
		if (n < 0 && errno != EINTR && errno != EAGAIN)
			return -errno;
		p += MAX(n, 0);
		len -= (size_t)MAX(n, 0);
	}
	return 0;
}

static void skip(struct checkpoint_log *log, const struct checkpoint_record *rec)
{
	if (rec->seq && log->missing++ == 0)
		log->first_missing = rec->seq;
}

/* The line of @rec; the mark instead if the file would become too long. The verdict is worth some more bytes. */
static void add_line(struct checkpoint_log *log, const struct checkpoint_record *rec,
		     const struct checkpoint_label *label)
{
	const size_t before = log->json.len;
	const bool is_verdict = rec->kind == CHECKPOINT_VERDICT;

	if (log->err < 0 && !(log->err == -EFBIG && is_verdict)) {
		skip(log, rec);
		return;
	}
	checkpoint_json_add(&log->json, rec, label);
	if (is_verdict || log->bytes + log->json.len + MARK_ROOM <= log->cfg.limit)
		return;
	log->json.len = before;
	checkpoint_json_add(
		&log->json,
		&(struct checkpoint_record){ .kind = CHECKPOINT_CUT, .ns = rec->ns, .value = log->cfg.limit }, NULL);
	log->err = -EFBIG;
	skip(log, rec);
}

/* Into the file, and to all who listen: these also hear what the file lacks. */
static void put_record(struct checkpoint_log *log, const struct checkpoint_record *rec)
{
	struct checkpoint_label label;

	checkpoint_labels_of(log->labels, rec, &label);
	if (log->path)
		add_line(log, rec, &label);
	for (unsigned i = 0; i < log->cfg.nlisteners; i++)
		log->cfg.listener[i].record(log->cfg.listener[i].arg, rec, &label);
}

static void put_file(struct checkpoint_log *log)
{
	if (!log->path)
		return;

	if (!log->is_empty && ftruncate(log->fd, 0) < 0 && errno != EINVAL) // a pipe has nothing before
		log->err = log->err ?: -errno;
	log->is_empty = true;
	int rc = log->json.oom ? -ENOMEM : write_all(log, log->fd, log->json.s, log->json.len);

	log->bytes += log->json.len;
	if (rc < 0 && (log->err == 0 || log->err == -EFBIG))
		log->err = rc;
	strbuf_reset(&log->json);
}

static void put_text(struct checkpoint_log *log)
{
	if (log->cfg.text_fd >= 0 && !log->text.oom)
		write_all(log, log->cfg.text_fd, log->text.s, log->text.len);
	strbuf_reset(&log->text);
}

static void put(struct checkpoint_log *log, uint64_t from, uint64_t to)
{
	for (uint64_t i = from; i < to; i++) {
		const struct checkpoint_record *rec = &log->queue[i % QUEUE_LEN];

		put_record(log, rec);
		if (log->cfg.text_fd >= 0)
			checkpoint_text_add(&log->text, rec);
		free((char *)(uintptr_t)rec->text);
	}
	put_file(log);
	put_text(log);
}

static uint64_t queued(const struct checkpoint_log *log)
{
	return __atomic_load_n(&log->tail, __ATOMIC_SEQ_CST) - __atomic_load_n(&log->head, __ATOMIC_SEQ_CST);
}

/* Waits for a record, and then a moment for more. */
static void gather_locked(struct checkpoint_log *log)
{
	struct timespec end;

	while (queued(log) == 0 && !log->ending)
		pthread_cond_wait(&log->work, &log->lock);
	clock_gettime(CLOCK_MONOTONIC, &end);
	end.tv_nsec += GATHER_MS * 1000000L;
	end.tv_sec += end.tv_nsec / (long)NS_PER_S;
	end.tv_nsec %= (long)NS_PER_S;
	while (queued(log) < QUEUE_LEN / 2 && log->flush_to <= log->head && !log->ending &&
	       pthread_cond_timedwait(&log->work, &log->lock, &end) == 0)
		;
}

static void *writer(void *arg)
{
	struct checkpoint_log *log = arg;

	pthread_mutex_lock(&log->lock);
	for (;;) {
		gather_locked(log);
		const uint64_t from = log->head, to = from + MIN(queued(log), QUEUE_LEN / 4);
		if (from == to)
			break;
		pthread_mutex_unlock(&log->lock);
		put(log, from, to);
		pthread_mutex_lock(&log->lock);
		__atomic_store_n(&log->head, to, __ATOMIC_SEQ_CST);
		pthread_cond_broadcast(&log->room);
	}
	pthread_mutex_unlock(&log->lock);
	return NULL;
}

/* ---- for everyone else ---- */

static void wake_writer(struct checkpoint_log *log)
{
	pthread_mutex_lock(&log->lock);
	pthread_cond_signal(&log->work);
	pthread_mutex_unlock(&log->lock);
}

/* Returns: false: there is none, and nobody waits for it after a hangup. */
static bool wait_for_room(struct checkpoint_log *log)
{
	pthread_mutex_lock(&log->lock);
	while (queued(log) == QUEUE_LEN && !log->hung_up)
		pthread_cond_wait(&log->room, &log->lock);
	pthread_mutex_unlock(&log->lock);
	return queued(log) < QUEUE_LEN;
}

uint64_t checkpoint_log_add(struct checkpoint_log *log, const struct checkpoint_record *rec)
{
	struct checkpoint_record *at = &log->queue[log->tail % QUEUE_LEN];

	if (log->lost || (queued(log) == QUEUE_LEN && !wait_for_room(log))) {
		log->lost++;
		return 0;
	}
	*at = *rec;
	at->text = rec->text ? strdup(rec->text) : NULL;
	at->seq = rec->kind == CHECKPOINT_LOST || rec->kind == CHECKPOINT_VERDICT ? 0 : ++log->seq;
	if (rec->kind == CHECKPOINT_LOST)
		log->seq += rec->value;
	__atomic_store_n(&log->tail, log->tail + 1, __ATOMIC_SEQ_CST);

	// The writer moves head before it looks at tail, and then may sleep: one of us sees what the other did.
	const uint64_t n = queued(log);
	if (n == 1 || n == QUEUE_LEN / 2)
		wake_writer(log);
	return log->seq;
}

void checkpoint_log_flush(struct checkpoint_log *log)
{
	pthread_mutex_lock(&log->lock);
	const uint64_t to = __atomic_load_n(&log->tail, __ATOMIC_SEQ_CST);
	log->flush_to = MAX(log->flush_to, to);
	pthread_cond_signal(&log->work);
	while (log->head < to && !log->hung_up)
		pthread_cond_wait(&log->room, &log->lock);
	pthread_mutex_unlock(&log->lock);
}

bool checkpoint_log_waits(const struct checkpoint_log *log)
{
	return __atomic_load_n(&log->waits, __ATOMIC_RELAXED);
}

void checkpoint_log_hangup(struct checkpoint_log *log)
{
	if (!log)
		return;
	pthread_mutex_lock(&log->lock);
	log->hung_up = true;
	pthread_cond_broadcast(&log->room);
	pthread_mutex_unlock(&log->lock);
	eventfd_write(log->hangup_fd, 1);
}

/* Signals for the process go elsewhere, also while others do not block them yet; not what a fault of its own raises. */
static int start_writer(struct checkpoint_log *log)
{
	static const int own[] = { SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGABRT };
	sigset_t mask, former;

	sigfillset(&mask);
	for (unsigned i = 0; i < ARRAY_LEN(own); i++)
		sigdelset(&mask, own[i]);
	pthread_sigmask(SIG_SETMASK, &mask, &former);
	const int rc = -pthread_create(&log->writer, NULL, writer, log);
	pthread_sigmask(SIG_SETMASK, &former, NULL);
	return rc;
}

static int init_sync(struct checkpoint_log *log)
{
	pthread_condattr_t attr;

	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&log->work, &attr);
	pthread_condattr_destroy(&attr);
	pthread_cond_init(&log->room, NULL);
	pthread_mutex_init(&log->lock, NULL);
	log->hangup_fd = eventfd(0, EFD_CLOEXEC);
	return log->hangup_fd < 0 ? -errno : 0;
}

static void destroy(struct checkpoint_log *log)
{
	checkpoint_labels_destroy(log->labels);
	strbuf_deinit(&log->json);
	strbuf_deinit(&log->text);
	pthread_cond_destroy(&log->work);
	pthread_cond_destroy(&log->room);
	pthread_mutex_destroy(&log->lock);
	closep(&log->fd);
	closep(&log->hangup_fd);
	free(log->path);
	free(log);
}

static void destroyp(struct checkpoint_log **log)
{
	if (*log)
		destroy(*log);
}

static int open_file(struct checkpoint_log *log, const char *path, struct errtext *why)
{
	log->path = strdup(path);
	if (!log->path)
		return errtext_set(why, -ENOMEM, "no memory for the checkpoints");
	log->fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
	log->is_new = log->fd >= 0;
	if (!log->is_new)
		log->fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0666);
	if (log->fd < 0)
		return errtext_set(why, -errno, "cannot write checkpoints to %s: %s", path, strerror(errno));
	checkpoint_json_header(&log->json);
	return 0;
}

int checkpoint_log_create(const struct checkpoint_log_cfg *cfg, struct checkpoint_log **ret, struct errtext *why)
{
	_cleanup_(destroyp) struct checkpoint_log *log = calloc(1, sizeof(*log));

	if (!log)
		return errtext_set(why, -ENOMEM, "no memory for the checkpoints");
	log->cfg = *cfg;
	log->fd = -1;
	int rc = init_sync(log);
	if (rc == 0)
		rc = checkpoint_labels_create(cfg->names, &log->labels);
	if (rc < 0)
		return errtext_set(why, rc, "no memory for the checkpoints");
	if (cfg->path && (rc = open_file(log, cfg->path, why)) < 0)
		return rc;
	rc = start_writer(log);
	if (rc < 0)
		return errtext_set(why, rc, "no thread for the checkpoints: %s", strerror(-rc));
	*ret = take_ptr(log);
	return 0;
}

void checkpoint_log_begin(struct checkpoint_log *log)
{
	if (log)
		put_file(log);
}

void checkpoint_log_cancel(struct checkpoint_log *log)
{
	if (!log || !log->path)
		return;
	if (log->is_new)
		unlink(log->path);
	free(log->path);
	log->path = NULL;
}

/* What the file does not have, in words. */
static int tell_missing(const struct checkpoint_log *log, struct errtext *why)
{
	if (log->err == -EFBIG && !log->missing) // but for what has no number
		return errtext_set(why, log->err, "%s reached its limit of %" PRIu64 " bytes", log->path,
				   log->cfg.limit);
	if (log->err == -EFBIG)
		return errtext_set(why, log->err,
				   "%s reached its limit of %" PRIu64 " bytes: it lacks %" PRIu64
				   " checkpoints, from number %" PRIu64 " on",
				   log->path, log->cfg.limit, log->missing, log->first_missing);
	return errtext_set(why, log->err, "not all checkpoints could be written to %s: %s", log->path,
			   strerror(-log->err));
}

int checkpoint_log_close(struct checkpoint_log *log, struct errtext *why)
{
	int rc = 0;

	if (!log)
		return 0;
	pthread_mutex_lock(&log->lock);
	log->ending = true;
	pthread_cond_signal(&log->work);
	pthread_mutex_unlock(&log->lock);
	pthread_join(log->writer, NULL);
	if (log->lost)
		put_record(log, &(struct checkpoint_record){
					.kind = CHECKPOINT_LOST, .ns = checkpoint_now_ns(), .value = log->lost });
	put_file(log);
	if (log->err < 0)
		rc = tell_missing(log, why);
	destroy(log);
	return rc;
}
