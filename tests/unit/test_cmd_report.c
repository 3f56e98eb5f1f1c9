/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What is told of a guest's stops on standard error. */
#include <stdio.h>
#include <unistd.h>

#include "cmd/cmd.h"
#include "test.h"

/* The text and *@status of one report. */
static void report(enum stop_why why, const char *text, char *buf, size_t size, int *status)
{
	struct target_fake_cfg cfg = { .nvcpus = 1, .ram_size = 0x10000 };
	struct stop_event ev = { .why = why };
	int was = dup(STDERR_FILENO), out[2];
	struct target *t;
	struct engine *e;
	ssize_t n;

	snprintf(ev.text, sizeof(ev.text), "%s", text);
	CHECK_EQ(target_fake_create(&cfg, &t), 0);
	CHECK_EQ(engine_create(t, &e), 0);
	CHECK_EQ(pipe(out), 0);
	dup2(out[1], STDERR_FILENO);
	*status = report_end(e, &ev);
	fflush(stderr);
	dup2(was, STDERR_FILENO);
	n = read(out[0], buf, size - 1);
	CHECK(n > 0);
	buf[n] = '\0';
	for (unsigned i = 0; i < 2; i++)
		close(out[i]);
	close(was);
	engine_destroy(e);
	target_destroy(t);
}

TEST(every_stop_has_words)
{
	char buf[4096];
	int status;

	for (unsigned why = 0; why < STOP_NWHY; why++) {
		report((enum stop_why)why, "", buf, sizeof(buf), &status);
		CHECK(strncmp(buf, "gdbvm: ", 7) == 0 && buf[7] != '\n');
		CHECK(!strstr(buf, "null"));
	}
}

TEST(a_stop_is_named_once)
{
	static const struct {
		enum stop_why why;
		const char *text, *line;
	} stops[] = {
		{ STOP_PWATCH, "pwatch: vCPU 0 wrote", "gdbvm: pwatch: vCPU 0 wrote\n" },
		{ STOP_CHECKPOINT, "checkpoint 1: 0x16", "gdbvm: checkpoint 1: 0x16\n" },
		{ STOP_PANIC, "the guest panicked", "gdbvm: guest panic: the guest panicked\n" },
	};
	char buf[4096];
	int status;

	for (unsigned i = 0; i < ARRAY_LEN(stops); i++) {
		report(stops[i].why, stops[i].text, buf, sizeof(buf), &status);
		CHECK_EQ(strncmp(buf, stops[i].line, strlen(stops[i].line)), 0);
	}
}

TEST(an_end_gives_the_exit_status)
{
	static const struct {
		enum stop_why why;
		int status;
	} ends[] = {
		{ STOP_POWER_OFF, 0 }, { STOP_RESET, 10 }, { STOP_TRIPLE_FAULT, 11 }, { STOP_INTERNAL_ERROR, 12 }
	};
	char buf[4096];
	int status;

	for (unsigned i = 0; i < ARRAY_LEN(ends); i++) {
		report(ends[i].why, "", buf, sizeof(buf), &status);
		CHECK_EQ(status, ends[i].status);
	}
	CHECK(strstr(buf, "rip"));
}

TESTS(T(every_stop_has_words), T(a_stop_is_named_once), T(an_end_gives_the_exit_status))
