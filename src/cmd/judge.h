/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef CMD_JUDGE_H
#define CMD_JUDGE_H

#include "checkpoint/log.h"
#include "target/target.h"
#include "util/errtext.h"
#include "util/loop.h"

/*
 * What --expect, --boot-timeout, --junit and --metrics do: it hears the checkpoints of a guest, comes to a verdict, and
 * turns that into an exit status and files. docs/golden.md has the rules. NULL, for none of these options, is a judge
 * who has nothing to say.
 */
struct judge;

enum judge_guest {
	JUDGE_RUNS,
	JUDGE_HELD,     /* stopped, or what it writes waits for a reader of ours: no time passes for it */
	JUDGE_DEBUGGED, /* a debugger is connected: time does not count, and it is for the debugger to end the guest */
};

struct judge_cfg {
	const char *expect, *junit, *metrics; /* files; NULL: not asked for */
	uint64_t timeout_ns;                  /* 0: none */
	bool held;                            /* the guest begins in the hands of a debugger: nothing is too late */
	struct loop *loop;
	enum judge_guest (*guest)(void *arg);
	/* Nothing came for too long: stop the guest, and say what it is at with judge_stalled(). */
	void (*stalled)(void *arg);
	/* There is a verdict, and no debugger: the guest is to be ended. */
	void (*over)(void *arg);
	void *arg;
};

/** judge_create() - returns: 0, *@ret NULL if nothing is asked for; about files: as golden_read() and open(2); -ENOMEM;
 *  what timerfd_create(2) returns. @why filled. */
int judge_create(const struct judge_cfg *cfg, struct judge **ret, struct errtext *why);

/** judge_check_names() - could what is expected come with these names? Returns: as golden_check_names(). */
int judge_check_names(const struct judge *j, const struct checkpoint_names *names, struct errtext *why);

/** judge_listener() - what the log is to call. */
struct checkpoint_listener judge_listener(struct judge *j);

/** judge_start() - a guest is about to begin: all before is forgotten. Returns: 0; -ENOMEM: nothing is. */
int judge_start(struct judge *j);

/** judge_stop() - the guest has stopped for this reason, and all that it wrote before was heard. */
void judge_stop(struct judge *j, const struct stop_event *ev);

/** judge_stalled() - it was stopped because nothing came. @vcpus: a line on each. */
void judge_stalled(struct judge *j, const char *vcpus);

/** judge_decides() - is there a verdict after which the guest is not to go on? */
bool judge_decides(struct judge *j);

/** judge_end() - gdbvm ends with @status. Says the verdict. Returns: the status that it comes to by that. */
int judge_end(struct judge *j, int status);

/** judge_record() - the verdict, as it goes into the recording, after judge_end(). Returns: false: there is none. */
bool judge_record(struct judge *j, struct checkpoint_record *out);

/** judge_close() - write the files. Nobody adds records any more. Returns: 0; the first negative errno, and each was
 *  said. */
int judge_close(struct judge *j);

#endif
