/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "judge.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <time.h>

#include "checkpoint/outcome.h"
#include "checkpoint/units.h"
#include "cmd.h"
#include "outfile.h"

enum { WANTED_SHOWN = 4 };
#define TICK_NS UINT64_C(100000000)
#define SECOND_NS UINT64_C(1000000000)

/* What is about one guest. */
struct hearing {
	struct checkpoint_units *units;
	struct expect *expect;
	struct checkpoint_metrics *numbers;
};

static void hearing_deinit(struct hearing *h)
{
	checkpoint_units_destroy(h->units);
	expect_destroy(h->expect);
	checkpoint_metrics_destroy(h->numbers);
}

struct judge {
	struct judge_cfg cfg;
	struct golden *golden;
	struct outfile junit, metrics;
	int wake_fd; // there is a verdict
	int tick_fd;

	pthread_mutex_t lock; // for all of these: records are heard on the thread of the log
	struct hearing h;
	struct strbuf last; // the last checkpoint, in words
	uint64_t heard;     // what counts against the time-out, if nothing is expected
	uint64_t start_ns, end_ns, epoch_s;
	enum checkpoint_verdict verdict;
	struct strbuf why;

	/* of the loop's thread */
	uint64_t idle_ns, progress;
	bool told;
};

/* ---- words ---- */

static void add_seconds(struct strbuf *out, uint64_t ns)
{
	strbuf_addf(out, "%" PRIu64 ".%06" PRIu64 " s", ns / SECOND_NS, ns % SECOND_NS / 1000);
}

/* "12 0x64 64BIT_MODE" */
static void add_unit(struct strbuf *out, const struct checkpoint_record *rec, const struct checkpoint_label *label)
{
	if (rec->kind != CHECKPOINT_WRITE) {
		strbuf_addf(out, "%" PRIu64 " lost checkpoints", rec->value);
		return;
	}
	strbuf_addf(out, "0x%0*" PRIx64, 2 * rec->size, rec->value);
	if (label->name)
		strbuf_addf(out, " %s", label->name);
	for (unsigned i = 0; i < label->nfields; i++)
		strbuf_addf(out, " %s=%.66s", label->field[i].name, label->field[i].value);
}

static void add_place(struct strbuf *out, const struct checkpoint_record *rec)
{
	strbuf_addf(out, "checkpoint %" PRIu64, rec->seq);
	if (rec->vcpu >= 0)
		strbuf_addf(out, ", vCPU %d", rec->vcpu);
	if (rec->has_pc)
		strbuf_addf(out, "%s pc 0x%" PRIx64, rec->vcpu >= 0 ? " at" : ",", rec->pc);
}

/* "; expected 'A' (golden.txt:3) or 'B' (golden.txt:4)" */
static void add_wanted(struct strbuf *out, const struct judge *j, const char *before)
{
	const struct golden_item *x[WANTED_SHOWN + 1];
	const size_t n = expect_wanted(j->h.expect, x, ARRAY_LEN(x));

	for (size_t i = 0; i < n && i < WANTED_SHOWN; i++)
		strbuf_addf(out, "%s'%s' (%s:%u)", i ? " or " : before, x[i]->text, j->golden->path, x[i]->line);
	if (n > WANTED_SHOWN)
		strbuf_adds(out, " or others");
}

static void add_last(struct strbuf *out, const struct judge *j)
{
	if (j->last.len)
		strbuf_addf(out, " after %s", strbuf_str(&j->last));
	else
		strbuf_adds(out, " with no checkpoint before");
}

/* ---- the verdict ---- */

static void decide_locked(struct judge *j, enum checkpoint_verdict verdict)
{
	j->verdict = verdict;
	j->end_ns = checkpoint_now_ns();
	eventfd_write(j->wake_fd, 1);
}

static void matched_locked(struct judge *j)
{
	strbuf_addf(&j->why, "matched: %s is met, ", j->golden->path);
	add_seconds(&j->why, expect_met_ns(j->h.expect) - j->start_ns);
	strbuf_adds(&j->why, " after the guest's start");
	decide_locked(j, VERDICT_MATCHED);
}

/* Other than expected: @seen, instead of a unit. */
static void diverged_locked(struct judge *j, const char *seen)
{
	strbuf_adds(&j->why, "diverged");
	add_last(&j->why, j);
	add_wanted(&j->why, j, ": expected ");
	strbuf_addf(&j->why, "; seen: %s", seen);
	decide_locked(j, VERDICT_DIVERGED);
}

static void judge_unit_locked(struct judge *j, const struct checkpoint_record *rec,
			      const struct checkpoint_label *label)
{
	_cleanup_(strbuf_deinit) struct strbuf seen = { 0 };
	const uint64_t before_ns = expect_met_ns(j->h.expect);
	const enum expect_state state = expect_unit(j->h.expect, rec, label);

	if (state == EXPECT_MATCHED)
		matched_locked(j);
	if (state != EXPECT_DIVERGED)
		return;
	add_unit(&seen, rec, label);
	strbuf_adds(&seen, " (");
	add_place(&seen, rec);
	strbuf_adds(&seen, ", ");
	add_seconds(&seen, rec->ns > before_ns ? rec->ns - before_ns : 0);
	strbuf_adds(&seen, " after what was met last)");
	diverged_locked(j, strbuf_str(&seen));
}

static void hear_unit(void *arg, const struct checkpoint_record *rec, const struct checkpoint_label *label)
{
	struct judge *j = arg;

	if (j->verdict != VERDICT_NONE)
		return;
	checkpoint_metrics_unit(j->h.numbers, rec, label);
	if (j->h.expect)
		judge_unit_locked(j, rec, label);
	if (label->noise)
		return;
	j->heard++;
	if (rec->kind != CHECKPOINT_WRITE)
		return;
	strbuf_reset(&j->last);
	strbuf_addf(&j->last, "checkpoint %" PRIu64 " ", rec->seq);
	add_unit(&j->last, rec, label);
}

static void hear(void *arg, const struct checkpoint_record *rec, const struct checkpoint_label *label)
{
	struct judge *j = arg;

	pthread_mutex_lock(&j->lock);
	checkpoint_units_feed(j->h.units, rec, label, hear_unit, j);
	pthread_mutex_unlock(&j->lock);
}

struct checkpoint_listener judge_listener(struct judge *j)
{
	return (struct checkpoint_listener){ hear, j };
}

/* What stops a guest, and is no power-off. */
static bool is_crash(enum stop_why why)
{
	return why == STOP_PANIC || why == STOP_TRIPLE_FAULT || why == STOP_INTERNAL_ERROR || why == STOP_EXIT;
}

static void crashed_locked(struct judge *j, const struct stop_event *ev)
{
	strbuf_adds(&j->why, "crashed");
	add_last(&j->why, j);
	strbuf_addf(&j->why, ": %s%s%s", stop_why_text(ev->why), ev->text[0] ? ": " : "", ev->text);
	if (j->h.expect)
		add_wanted(&j->why, j, "; expected ");
	decide_locked(j, VERDICT_CRASHED);
}

static void judge_stop_locked(struct judge *j, const struct stop_event *ev)
{
	if (is_crash(ev->why) && (j->h.expect || stop_is_terminal(ev->why)))
		crashed_locked(j, ev);
	else if (j->h.expect && ev->why == STOP_POWER_OFF &&
		 expect_power_off(j->h.expect, checkpoint_now_ns()) == EXPECT_MATCHED)
		matched_locked(j);
	else if (j->h.expect && stop_is_terminal(ev->why))
		diverged_locked(j, stop_why_text(ev->why));
}

void judge_stop(struct judge *j, const struct stop_event *ev)
{
	if (!j)
		return;
	pthread_mutex_lock(&j->lock);
	if (j->verdict == VERDICT_NONE)
		judge_stop_locked(j, ev);
	pthread_mutex_unlock(&j->lock);
}

void judge_stalled(struct judge *j, const char *vcpus)
{
	pthread_mutex_lock(&j->lock);
	if (j->verdict == VERDICT_NONE) {
		strbuf_adds(&j->why, "stalled");
		add_last(&j->why, j);
		strbuf_addf(&j->why, ": nothing %s for %" PRIu64 " s", j->golden ? "that is expected" : "more",
			    j->cfg.timeout_ns / SECOND_NS);
		if (j->h.expect)
			add_wanted(&j->why, j, "; expected ");
		strbuf_addf(&j->why, "\n%s", vcpus);
		if (j->why.len && j->why.s[j->why.len - 1] == '\n')
			j->why.s[--j->why.len] = '\0';
		decide_locked(j, VERDICT_STALLED);
	}
	pthread_mutex_unlock(&j->lock);
}

bool judge_decides(struct judge *j)
{
	bool is = false;

	if (!j)
		return is;
	pthread_mutex_lock(&j->lock);
	is = j->verdict == VERDICT_STALLED || (j->golden && j->verdict != VERDICT_NONE);
	pthread_mutex_unlock(&j->lock);
	return is;
}

/* ---- while the guest runs ---- */

static void tell(struct judge *j)
{
	if (!j->told && (j->golden || j->verdict == VERDICT_STALLED)) // others are told by who reports the guest's end
		fprintf(stderr, "gdbvm: %s\n", strbuf_str(&j->why));
	j->told = true;
}

static void on_wake(void *arg, int fd, short revents)
{
	struct judge *j = arg;
	eventfd_t n;

	if (eventfd_read(fd, &n) < 0 || !judge_decides(j))
		return;
	if (j->cfg.guest(j->cfg.arg) != JUDGE_DEBUGGED)
		j->cfg.over(j->cfg.arg);
	else
		tell(j);
}

/* How far the guest is: the same as before is no progress. */
static uint64_t progress_of(struct judge *j)
{
	pthread_mutex_lock(&j->lock);
	const uint64_t n = j->h.expect ? expect_progress(j->h.expect) : j->heard;
	pthread_mutex_unlock(&j->lock);
	return n;
}

static void forget_time(struct judge *j)
{
	pthread_mutex_lock(&j->lock);
	if (j->h.expect)
		expect_untimed(j->h.expect);
	pthread_mutex_unlock(&j->lock);
}

/* Time passes for a guest in ticks, so that where this machine had no time for a tick the guest had none either. */
static void on_tick(void *arg, int fd, short revents)
{
	struct judge *j = arg;
	const enum judge_guest guest = j->cfg.guest(j->cfg.arg);
	const uint64_t progress = progress_of(j);
	uint64_t n;

	if (read(fd, &n, sizeof(n)) < 0)
		return;
	if (guest == JUDGE_DEBUGGED)
		forget_time(j);
	else if (judge_decides(j))
		j->cfg.over(j->cfg.arg); // the debugger has left since
	if (progress != j->progress)
		j->idle_ns = 0;
	else if (guest == JUDGE_RUNS)
		j->idle_ns += TICK_NS;
	j->progress = progress;
	if (j->cfg.timeout_ns && j->idle_ns >= j->cfg.timeout_ns && guest == JUDGE_RUNS && !judge_decides(j))
		j->cfg.stalled(j->cfg.arg);
}

/* ---- begin and end ---- */

static int open_timer(struct judge *j)
{
	const bool ticks = j->golden || j->cfg.timeout_ns;
	const struct timespec tick = { .tv_nsec = ticks ? (long)TICK_NS : 0 };

	j->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	j->tick_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	if (j->wake_fd < 0 || j->tick_fd < 0 ||
	    timerfd_settime(j->tick_fd, 0, &(struct itimerspec){ tick, tick }, NULL) < 0)
		return -errno;
	const int rc = loop_watch(j->cfg.loop, j->wake_fd, POLLIN, on_wake, j);
	return rc < 0 ? rc : loop_watch(j->cfg.loop, j->tick_fd, POLLIN, on_tick, j);
}

int judge_start(struct judge *j)
{
	_cleanup_(hearing_deinit) struct hearing h = { 0 };
	const uint64_t now = checkpoint_now_ns();

	if (!j)
		return 0;
	if (checkpoint_units_create(&h.units) < 0 || checkpoint_metrics_create(&h.numbers) < 0 ||
	    (j->golden && expect_create(j->golden, now, &h.expect) < 0))
		return -ENOMEM;
	if (h.expect && j->cfg.held)
		expect_untimed(h.expect);
	pthread_mutex_lock(&j->lock);
	const struct hearing former = j->h;
	j->h = h;
	h = former;
	strbuf_reset(&j->last);
	strbuf_reset(&j->why);
	j->verdict = VERDICT_NONE;
	j->start_ns = now;
	j->epoch_s = (uint64_t)time(NULL);
	j->heard = 0;
	pthread_mutex_unlock(&j->lock);
	j->idle_ns = j->progress = 0;
	j->told = false;
	return 0;
}

static int open_files(struct judge *j, struct errtext *why)
{
	int rc = j->cfg.expect ? golden_read(j->cfg.expect, &j->golden, why) : 0;

	if (rc == 0)
		rc = outfile_open(&j->junit, j->cfg.junit, why);
	return rc == 0 ? outfile_open(&j->metrics, j->cfg.metrics, why) : rc;
}

static void judge_destroy(struct judge *j)
{
	loop_unwatch(j->cfg.loop, j->wake_fd);
	loop_unwatch(j->cfg.loop, j->tick_fd);
	closep(&j->wake_fd);
	closep(&j->tick_fd);
	hearing_deinit(&j->h);
	strbuf_deinit(&j->last);
	strbuf_deinit(&j->why);
	outfile_close(&j->junit);
	outfile_close(&j->metrics);
	golden_destroy(j->golden);
	pthread_mutex_destroy(&j->lock);
	free(j);
}

int judge_create(const struct judge_cfg *cfg, struct judge **ret, struct errtext *why)
{
	if (!cfg->expect && !cfg->timeout_ns && !cfg->metrics)
		return 0;

	struct judge *j = calloc(1, sizeof(*j));
	if (!j)
		return errtext_set(why, -ENOMEM, "no memory to judge checkpoints");
	*j = (struct judge){ .cfg = *cfg, .wake_fd = -1, .tick_fd = -1 };
	pthread_mutex_init(&j->lock, NULL);
	int rc = open_files(j, why);
	if (rc == 0 && ((rc = open_timer(j)) < 0 || (rc = judge_start(j)) < 0))
		errtext_set(why, rc, "cannot judge checkpoints: %s", strerror(-rc));
	if (rc < 0)
		judge_destroy(j);
	else
		*ret = j;
	return rc;
}

int judge_check_names(const struct judge *j, const struct checkpoint_names *names, struct errtext *why)
{
	return j && j->golden ? golden_check_names(j->golden, names, why) : 0;
}

static void ended_locked(struct judge *j, int status)
{
	strbuf_adds(&j->why, "ended");
	add_last(&j->why, j);
	if (status > CMD_SIGNAL)
		strbuf_addf(&j->why, " by signal %d", status - CMD_SIGNAL);
	if (j->h.expect)
		add_wanted(&j->why, j, "; expected ");
	decide_locked(j, VERDICT_ENDED);
}

int judge_end(struct judge *j, int status)
{
	static const int of_verdict[VERDICT_N] = {
		[VERDICT_MATCHED] = CMD_OK,      [VERDICT_DIVERGED] = CMD_DIVERGED, [VERDICT_STALLED] = CMD_STALLED,
		[VERDICT_CRASHED] = CMD_CRASHED, [VERDICT_ENDED] = CMD_UNDECIDED,
	};

	if (!j)
		return status;
	pthread_mutex_lock(&j->lock);
	if (j->verdict == VERDICT_NONE)
		ended_locked(j, status);
	const enum checkpoint_verdict verdict = j->verdict;
	pthread_mutex_unlock(&j->lock);
	tell(j);
	if (status > CMD_SIGNAL || (!j->golden && verdict != VERDICT_STALLED))
		return status;
	return of_verdict[verdict];
}

bool judge_record(struct judge *j, struct checkpoint_record *out)
{
	if (!j || j->verdict == VERDICT_NONE || (!j->golden && j->verdict == VERDICT_ENDED))
		return false;
	*out = (struct checkpoint_record){
		.kind = CHECKPOINT_VERDICT, .ns = j->end_ns, .value = j->verdict, .text = strbuf_str(&j->why)
	};
	return true;
}

static int put_file(struct outfile *f, const struct strbuf *text)
{
	struct errtext why;
	const int rc = outfile_put(f, text, &why);

	if (rc < 0)
		fprintf(stderr, "gdbvm: %s\n", why.text);
	return rc;
}

/* Each of them, whatever becomes of the other. */
static int put_files(struct judge *j, const struct checkpoint_outcome *o)
{
	_cleanup_(strbuf_deinit) struct strbuf junit = { 0 }, metrics = { 0 };

	if (j->cfg.junit)
		checkpoint_junit_add(&junit, o);
	if (j->cfg.metrics)
		checkpoint_metrics_add(&metrics, j->h.numbers, o);
	const int rc = put_file(&j->junit, &junit), metrics_rc = put_file(&j->metrics, &metrics);
	return rc < 0 ? rc : metrics_rc;
}

int judge_close(struct judge *j)
{
	int rc = 0;

	if (!j)
		return 0;
	if (j->verdict != VERDICT_NONE) // else the guest has not even begun
		rc = put_files(j, &(struct checkpoint_outcome){ .verdict = j->verdict,
								.why = strbuf_str(&j->why),
								.golden = j->golden,
								.expect = j->h.expect,
								.start_ns = j->start_ns,
								.end_ns = j->end_ns,
								.epoch_s = j->epoch_s });
	judge_destroy(j);
	return rc;
}
