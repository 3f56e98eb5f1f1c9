/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Verdicts on records that come on another thread, and the files that are written at the end. */
#include "cmd/judge.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "checkpoint/outcome.h"
#include "cmd/cmd.h"
#include "cmd/outfile.h"
#include "test.h"

#define TICK_NS UINT64_C(100000000)

struct rig {
	char dir[32], golden[64], junit[64], metrics[64];
	struct loop *loop;
	struct judge *judge;
	struct checkpoint_log *log;
	enum judge_guest guest;
	unsigned stalls, overs;
};

static enum judge_guest guest_is(void *arg)
{
	return ((struct rig *)arg)->guest;
}

static void on_stalled(void *arg)
{
	struct rig *r = arg;

	r->stalls++;
	judge_stalled(r->judge, "vCPU 0: somewhere\n");
}

static void on_over(void *arg)
{
	((struct rig *)arg)->overs++;
}

/* @golden: NULL: nothing is expected. */
static void rig_init(struct rig *r, const char *golden, uint64_t timeout_ns)
{
	struct errtext why;

	*r = (struct rig){ .dir = "/tmp/judgeXXXXXX" };
	CHECK(mkdtemp(r->dir));
	snprintf(r->golden, sizeof(r->golden), "%s/golden", r->dir);
	snprintf(r->junit, sizeof(r->junit), "%s/junit", r->dir);
	snprintf(r->metrics, sizeof(r->metrics), "%s/metrics", r->dir);
	FILE *f = fopen(r->golden, "w");
	CHECK(f);
	fputs(golden ?: "", f);
	fclose(f);
	CHECK_EQ(loop_create(&r->loop), 0);
	const struct judge_cfg cfg = {
		.expect = golden ? r->golden : NULL,
		.junit = golden ? r->junit : NULL,
		.metrics = r->metrics,
		.timeout_ns = timeout_ns,
		.loop = r->loop,
		.guest = guest_is,
		.stalled = on_stalled,
		.over = on_over,
		.arg = r,
	};
	CHECK_EQ(judge_create(&cfg, &r->judge, &why), 0);
	CHECK_EQ(judge_start(r->judge), 0);
	const struct checkpoint_log_cfg log = {
		.text_fd = -1, .stop_fd = -1, .listener = { judge_listener(r->judge) }, .nlisteners = 1
	};
	CHECK_EQ(checkpoint_log_create(&log, &r->log, &why), 0);
}

static void put(struct rig *r, uint64_t value)
{
	checkpoint_log_add(r->log, &(struct checkpoint_record){
					   .ns = checkpoint_now_ns(), .value = value, .size = 1, .port = 0x80 });
}

static bool file_has(const char *path, const char *what)
{
	char text[8192] = "";

	FILE *f = fopen(path, "r");
	if (!f)
		return false;
	const size_t n = fread(text, 1, sizeof(text) - 1, f);
	fclose(f);
	return n > 0 && strstr(text, what);
}

/* The status that comes of @status, and "what" in the metrics. */
static int rig_end(struct rig *r, int status, const char *what)
{
	struct errtext why;
	char line[80];

	struct checkpoint_record verdict;

	status = judge_end(r->judge, status);
	if (judge_record(r->judge, &verdict)) {
		CHECK_STR(checkpoint_verdict_names[verdict.value], what);
		CHECK_EQ(strncmp(verdict.text, what, strlen(what)), 0);
	}
	CHECK_EQ(checkpoint_log_close(r->log, &why), 0);
	CHECK_EQ(judge_close(r->judge), 0);
	snprintf(line, sizeof(line), "gdbvm_verdict{gdbvm_verdict=\"%s\"} 1\n", what);
	CHECK(file_has(r->metrics, line));
	unlink(r->golden);
	unlink(r->junit);
	unlink(r->metrics);
	CHECK_EQ(rmdir(r->dir), 0); // nothing else was left there
	loop_destroy(r->loop);
	return status;
}

static void wait_for(struct rig *r, const unsigned *what)
{
	while (*what == 0)
		loop_once(r->loop, -1);
}

TEST(the_guest_is_over_when_all_is_met)
{
	struct rig r;

	rig_init(&r, "0x16\n0x32\n", 0);
	put(&r, 0x16);
	checkpoint_log_flush(r.log);
	CHECK(!judge_decides(r.judge));
	put(&r, 0x32);
	wait_for(&r, &r.overs);
	CHECK(judge_decides(r.judge));
	put(&r, 0x99); // too late to change anything
	CHECK_EQ(rig_end(&r, 11, "matched"), CMD_OK);
}

TEST(each_verdict_has_its_status)
{
	static const struct {
		int value; // -1: none
		enum stop_why why;
		int status, comes_to;
		const char *verdict;
	} rows[] = {
		{ 0x99, STOP_POWER_OFF, 0, CMD_DIVERGED, "diverged" },
		{ -1, STOP_POWER_OFF, 0, CMD_DIVERGED, "diverged" },
		{ -1, STOP_RESET, 10, CMD_DIVERGED, "diverged" },
		{ -1, STOP_TRIPLE_FAULT, 11, CMD_CRASHED, "crashed" },
		{ -1, STOP_INTERNAL_ERROR, 12, CMD_CRASHED, "crashed" },
		{ -1, STOP_EXIT, 13, CMD_CRASHED, "crashed" },
		{ -1, STOP_PANIC, 0, CMD_CRASHED, "crashed" },
		{ 0x16, STOP_TRIPLE_FAULT, 11, CMD_OK, "matched" },
		{ -1, STOP_INTERRUPT, CMD_OK, CMD_UNDECIDED, "ended" },
		{ -1, STOP_INTERRUPT, CMD_SIGNAL + 15, CMD_SIGNAL + 15, "ended" },
		{ 0x16, STOP_INTERRUPT, CMD_SIGNAL + 15, CMD_SIGNAL + 15, "matched" },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct rig r;

		rig_init(&r, "0x16\n", 0);
		if (rows[i].value >= 0)
			put(&r, (uint64_t)rows[i].value);
		checkpoint_log_flush(r.log);
		judge_stop(r.judge, &(struct stop_event){ .why = rows[i].why });
		CHECK_EQ(judge_decides(r.judge), strcmp(rows[i].verdict, "ended") != 0);
		CHECK_EQ(rig_end(&r, rows[i].status, rows[i].verdict), rows[i].comes_to);
	}
}

TEST(without_expectations_the_end_keeps_its_status)
{
	struct rig r;

	rig_init(&r, NULL, 0);
	judge_stop(r.judge, &(struct stop_event){ .why = STOP_PANIC }); // which a guest may survive
	judge_stop(r.judge, &(struct stop_event){ .why = STOP_TRIPLE_FAULT });
	CHECK(!judge_decides(r.judge));
	CHECK_EQ(rig_end(&r, 11, "crashed"), 11);
	rig_init(&r, NULL, 0);
	put(&r, 1);
	CHECK_EQ(rig_end(&r, 0, "ended"), 0);
	CHECK_EQ(judge_end(NULL, 5), 5);
	CHECK_EQ(judge_start(NULL), 0);
	CHECK_EQ(judge_close(NULL), 0);
}

TEST(time_passes_only_while_the_guest_runs)
{
	struct rig r;

	rig_init(&r, "0x16\n0x32\n", 2 * TICK_NS);
	for (unsigned i = 0; i < 8; i++) {
		r.guest = i % 2 ? JUDGE_HELD : JUDGE_DEBUGGED;
		loop_once(r.loop, -1);
	}
	CHECK_EQ(r.stalls, 0);
	r.guest = JUDGE_RUNS;
	wait_for(&r, &r.stalls);
	CHECK(judge_decides(r.judge));
	CHECK_EQ(rig_end(&r, 0, "stalled"), CMD_STALLED);
	rig_init(&r, NULL, TICK_NS);
	wait_for(&r, &r.stalls);
	CHECK_EQ(rig_end(&r, 0, "stalled"), CMD_STALLED);
}

TEST(a_debugger_keeps_the_guest_until_it_leaves)
{
	struct rig r;

	rig_init(&r, "0x16\n", 0);
	r.guest = JUDGE_DEBUGGED;
	put(&r, 0x16);
	checkpoint_log_flush(r.log);
	for (unsigned i = 0; i < 4; i++)
		loop_once(r.loop, -1);
	CHECK_EQ(r.overs, 0);
	r.guest = JUDGE_RUNS;
	wait_for(&r, &r.overs);
	CHECK_EQ(rig_end(&r, 0, "matched"), CMD_OK);
}

TEST(a_guest_that_is_reset_is_judged_anew)
{
	struct rig r;

	rig_init(&r, "0x16\n0x32\n", 0);
	put(&r, 0x99);
	checkpoint_log_flush(r.log);
	CHECK(judge_decides(r.judge));
	CHECK_EQ(judge_start(r.judge), 0);
	CHECK(!judge_decides(r.judge));
	put(&r, 0x16);
	put(&r, 0x32);
	wait_for(&r, &r.overs);
	CHECK_EQ(rig_end(&r, 0, "matched"), CMD_OK);
}

TEST(a_report_that_cannot_be_written_keeps_nothing_from_the_metrics)
{
	struct judge *j = NULL;
	struct errtext why;
	char metrics[80];
	struct rig r;

	rig_init(&r, "0x16\n", 0);
	snprintf(metrics, sizeof(metrics), "%s/other", r.dir);
	const struct judge_cfg cfg = {
		.expect = r.golden,
		.junit = "/dev/full",
		.metrics = metrics,
		.loop = r.loop,
		.guest = guest_is,
		.over = on_over,
		.arg = &r,
	};
	CHECK_EQ(judge_create(&cfg, &j, &why), 0);
	judge_end(j, CMD_OK);
	CHECK_EQ(judge_close(j), -ENOSPC);
	CHECK(file_has(metrics, "gdbvm_verdict{gdbvm_verdict=\"ended\"} 1\n"));
	unlink(metrics);
	CHECK_EQ(rig_end(&r, CMD_OK, "ended"), CMD_UNDECIDED);
}

TEST(a_file_is_replaced_as_a_whole_or_not_at_all)
{
	_cleanup_(strbuf_deinit) struct strbuf text = { 0 };
	char dir[] = "/tmp/outfileXXXXXX", path[64];
	struct errtext why;
	struct outfile f;

	CHECK(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/file", dir);
	strbuf_adds(&text, "former");
	CHECK_EQ(outfile_open(&f, path, &why), 0);
	CHECK_EQ(access(path, F_OK), -1);
	CHECK_EQ(outfile_put(&f, &text, &why), 0);
	outfile_close(&f);
	CHECK(file_has(path, "former"));

	strbuf_reset(&text);
	strbuf_adds(&text, "later");
	CHECK_EQ(outfile_open(&f, path, &why), 0);
	CHECK(file_has(path, "former"));
	outfile_close(&f);
	CHECK(file_has(path, "former"));
	CHECK_EQ(outfile_open(&f, path, &why), 0);
	CHECK_EQ(outfile_put(&f, &text, &why), 0);
	outfile_close(&f);
	CHECK(file_has(path, "later"));
	unlink(path);
	CHECK_EQ(rmdir(dir), 0);

	CHECK_EQ(outfile_open(&f, "/dev/full", &why), 0);
	CHECK_EQ(outfile_put(&f, &text, &why), -ENOSPC);
	CHECK(strstr(why.text, "/dev/full"));
	outfile_close(&f);
	CHECK_EQ(outfile_open(&f, "/no/such/file", &why), -ENOENT);
	CHECK(strstr(why.text, "/no/such/file"));
	outfile_close(&f);
	CHECK_EQ(outfile_open(&f, NULL, &why), 0);
	CHECK_EQ(outfile_put(&f, &text, &why), 0);
	outfile_close(&f);
}

static void put_text(const char *path, const char *words)
{
	_cleanup_(strbuf_deinit) struct strbuf text = { 0 };
	struct errtext why;
	struct outfile f;

	strbuf_adds(&text, words);
	CHECK_EQ(outfile_open(&f, path, &why), 0);
	CHECK_EQ(outfile_put(&f, &text, &why), 0);
	outfile_close(&f);
}

TEST(a_link_stays_and_what_it_leads_to_is_replaced)
{
	char dir[] = "/tmp/outfileXXXXXX", path[64], link[64], to[16];

	CHECK(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/file", dir);
	snprintf(link, sizeof(link), "%s/link", dir);
	CHECK_EQ(symlink("file", link), 0);
	put_text(link, "former"); // there is no such file yet
	CHECK(file_has(path, "former"));
	put_text(link, "later");
	CHECK(file_has(path, "later"));
	CHECK_EQ(readlink(link, to, sizeof(to)), 4);
	CHECK_EQ(unlink(path) + unlink(link) + rmdir(dir), 0);
}

TESTS(T(the_guest_is_over_when_all_is_met), T(each_verdict_has_its_status),
      T(without_expectations_the_end_keeps_its_status), T(time_passes_only_while_the_guest_runs),
      T(a_debugger_keeps_the_guest_until_it_leaves), T(a_guest_that_is_reset_is_judged_anew),
      T(a_report_that_cannot_be_written_keeps_nothing_from_the_metrics), T(a_file_is_replaced_as_a_whole_or_not_at_all),
      T(a_link_stays_and_what_it_leads_to_is_replaced))
