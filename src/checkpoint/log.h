/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef CHECKPOINT_LOG_H
#define CHECKPOINT_LOG_H

#include "checkpoint/checkpoint.h"
#include "checkpoint/names.h"
#include "util/errtext.h"

/*
 * Records on their way into a file, and to who listens: a bounded queue, and a thread of its own that formats, writes
 * and tells. Who adds a record waits while the queue is full, so that none is lost. The thread takes no signals.
 */
struct checkpoint_log;

/* Hears each record in order, on the log's thread; the record and its label are gone after the call. It may not wait
 * for who adds records. */
struct checkpoint_listener {
	void (*record)(void *arg, const struct checkpoint_record *rec, const struct checkpoint_label *label);
	void *arg;
};

enum { CHECKPOINT_LISTENERS_MAX = 4 };

struct checkpoint_log_cfg {
	const char *path;                     /* JSON Lines; NULL: no file. What is there stays until the log begins */
	uint64_t limit;                       /* bytes of that file; then it gets a mark, and only a verdict after it */
	int text_fd;                          /* where the text form goes; stays open. -1: nowhere */
	int stop_fd;                          /* readable: the log waits for no reader any more. -1: none */
	const struct checkpoint_names *names; /* NULL ok; must outlive the log */
	struct checkpoint_listener listener[CHECKPOINT_LISTENERS_MAX];
	unsigned nlisteners;
};

/** checkpoint_log_create() - returns: 0; -ENOMEM; what open(2) and pthread_create(3) return; @why filled. */
int checkpoint_log_create(const struct checkpoint_log_cfg *cfg, struct checkpoint_log **ret, struct errtext *why);

/** checkpoint_log_begin() - the guest is about to start: the file is empty but for its first line from now on. Before
 *  anything is added, and not after a cancel; else the first record does it. NULL ok. */
void checkpoint_log_begin(struct checkpoint_log *log);

/**
 * checkpoint_log_add() - append a copy of @rec, with the next sequence number. Any thread, one at a time: who makes
 * records has an order for them. It does no I/O, and blocks only while the queue is full. After checkpoint_log_hangup()
 * it does not block, and what does not fit is lost and counted.
 * Returns: that number; 0: it is lost.
 */
uint64_t checkpoint_log_add(struct checkpoint_log *log, const struct checkpoint_record *rec);

/** checkpoint_log_flush() - returns when everything that was added before is written and told. Not after a hangup. */
void checkpoint_log_flush(struct checkpoint_log *log);

/** checkpoint_log_waits() - does it wait for who reads what it writes? Then what was added before is not told yet, and
 * who adds may have to wait, too. */
bool checkpoint_log_waits(const struct checkpoint_log *log);

/** checkpoint_log_hangup() - nobody is to wait for the log any more, nor the log for who reads text_fd. NULL ok. */
void checkpoint_log_hangup(struct checkpoint_log *log);

/** checkpoint_log_cancel() - nothing will be added: the file stays as it was before. NULL ok; then close it. */
void checkpoint_log_cancel(struct checkpoint_log *log);

/**
 * checkpoint_log_close() - write what is left and free the log. NULL ok. Nobody may be adding.
 * Returns: 0; -EFBIG: the limit was reached; what write(2) returned at its first failure; @why says which records the
 * file lacks.
 */
int checkpoint_log_close(struct checkpoint_log *log, struct errtext *why);

#endif
