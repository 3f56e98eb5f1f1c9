/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "checkpoint/outcome.h"

#include <stdio.h>
#include <stdlib.h>

#include "test.h"
#include "util/macros.h"

#define SECOND UINT64_C(1000000000)

struct rig {
	struct golden *g;
	struct expect *e;
	struct checkpoint_metrics *m;
	uint64_t seq;
};

static void rig_init(struct rig *r, const char *text)
{
	struct errtext why = { "" };

	*r = (struct rig){ 0 };
	if (golden_parse("a<b>&\"c\"", text, strlen(text), &r->g, &why) < 0)
		fail_msg("%s", why.text);
	CHECK_EQ(expect_create(r->g, SECOND, &r->e), 0);
	CHECK_EQ(checkpoint_metrics_create(&r->m), 0);
}

static void rig_deinit(struct rig *r)
{
	checkpoint_metrics_destroy(r->m);
	expect_destroy(r->e);
	golden_destroy(r->g);
}

static void put_unit(struct rig *r, int vcpu, uint64_t value, uint64_t ns, const char *name, const char *noise)
{
	const struct checkpoint_record rec = {
		.seq = ++r->seq, .ns = ns, .value = value, .vcpu = (int16_t)vcpu, .size = 1, .port = 0x80
	};
	const struct checkpoint_label label = { .name = name, .noise = noise };

	expect_unit(r->e, &rec, &label);
	checkpoint_metrics_unit(r->m, &rec, &label);
}

static struct checkpoint_outcome outcome(const struct rig *r, enum checkpoint_verdict verdict, const char *why)
{
	return (struct checkpoint_outcome){ .verdict = verdict,
					    .why = why,
					    .golden = r->g,
					    .expect = r->e,
					    .start_ns = SECOND,
					    .end_ns = 3 * SECOND,
					    .epoch_s = 1700000000 };
}

static void check_junit(const struct rig *r, enum checkpoint_verdict verdict, const char *why, const char *expected)
{
	_cleanup_(strbuf_deinit) struct strbuf out = { 0 };
	const struct checkpoint_outcome o = outcome(r, verdict, why);

	checkpoint_junit_add(&out, &o);
	CHECK_STR(strbuf_str(&out), expected);
}

#define PATH "a&lt;b&gt;&amp;&quot;c&quot;"
#define HEAD(counts)                                                                                 \
	"<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites " counts " time=\"2.000000000\">\n" \
	"  <testsuite name=\"" PATH "\" " counts " time=\"2.000000000\" timestamp=\"2023-11-14T22:13:20\">\n"
#define CASE(line, name, time, result)                                                                            \
	"    <testcase name=\"" name "\" classname=\"" PATH "\" file=\"" PATH "\" line=\"" line "\" time=\"" time \
	"\">" result "</testcase>\n"
#define TAIL(why) "    <system-out>" why "</system-out>\n  </testsuite>\n</testsuites>\n"

TEST(junit_has_a_case_for_each_expectation)
{
	struct rig r;

	rig_init(&r, "1\n...\nany\n2 # <\"&\noptional 4\nend\n3\n");
	put_unit(&r, 0, 1, SECOND + SECOND / 2, NULL, NULL);
	put_unit(&r, 0, 2, 2 * SECOND, NULL, NULL);
	put_unit(&r, 0, 3, 3 * SECOND, NULL, NULL);
	check_junit(&r, VERDICT_MATCHED, "matched: all",
		    HEAD("tests=\"4\" failures=\"0\" errors=\"0\" skipped=\"1\"") CASE("1", "1", "0.500000000", "")
			    CASE("4", "2 # &lt;&quot;&amp;", "0.500000000", "") CASE(
				    "5", "optional 4", "0.000000000", "<skipped message=\"optional, and not seen\"/>")
				    CASE("7", "3", "1.000000000", "") TAIL("matched: all"));
	rig_deinit(&r);
}

TEST(junit_blames_the_line_that_was_not_met)
{
	struct rig r;

	rig_init(&r, "1\n2\n3\n");
	put_unit(&r, 0, 1, SECOND, NULL, NULL);
	put_unit(&r, 0, 9, SECOND, NULL, NULL);
	check_junit(&r, VERDICT_DIVERGED, "a <\x01> b",
		    HEAD("tests=\"3\" failures=\"1\" errors=\"0\" skipped=\"1\"") CASE("1", "1", "0.000000000", "")
			    CASE("2", "2", "0.000000000", "<failure type=\"diverged\" message=\"a &lt;.&gt; b\"/>")
				    CASE("3", "3", "0.000000000", "<skipped message=\"not reached\"/>")
					    TAIL("a &lt;.&gt; b"));
	check_junit(&r, VERDICT_CRASHED, "x",
		    HEAD("tests=\"3\" failures=\"0\" errors=\"1\" skipped=\"1\"") CASE("1", "1", "0.000000000", "")
			    CASE("2", "2", "0.000000000", "<error type=\"crashed\" message=\"x\"/>")
				    CASE("3", "3", "0.000000000", "<skipped message=\"not reached\"/>") TAIL("x"));
	rig_deinit(&r);
}

TEST(junit_does_not_blame_what_may_be_left_out)
{
	struct rig r;

	rig_init(&r, "1\noptional 2\n3\n");
	put_unit(&r, 0, 1, SECOND, NULL, NULL);
	put_unit(&r, 0, 9, SECOND, NULL, NULL);
	check_junit(&r, VERDICT_DIVERGED, "x",
		    HEAD("tests=\"3\" failures=\"1\" errors=\"0\" skipped=\"1\"") CASE("1", "1", "0.000000000", "")
			    CASE("2", "optional 2", "0.000000000", "<skipped message=\"optional, and not seen\"/>")
				    CASE("3", "3", "0.000000000", "<failure type=\"diverged\" message=\"x\"/>")
					    TAIL("x"));
	rig_deinit(&r);
}

/* The lines of the metrics that begin with @what. */
static void check_lines(const struct rig *r, const char *what, const char *expected)
{
	_cleanup_(strbuf_deinit) struct strbuf out = { 0 }, found = { 0 };
	const struct checkpoint_outcome o = outcome(r, VERDICT_STALLED, "");

	checkpoint_metrics_add(&out, r->m, &o);
	for (const char *line = strbuf_str(&out); *line; line = strchr(line, '\n') + 1)
		if (strncmp(line, what, strlen(what)) == 0)
			strbuf_add(&found, line, (size_t)(strchr(line, '\n') + 1 - line));
	CHECK_STR(strbuf_str(&found), expected);
	CHECK(out.len > 6 && strcmp(out.s + out.len - 6, "# EOF\n") == 0);
}

TEST(metrics_have_the_time_of_each_phase_on_its_vcpu)
{
	struct rig r;

	rig_init(&r, "1\n");
	put_unit(&r, 0, 1, 2 * SECOND, "A\\\"\n", NULL);
	put_unit(&r, 1, 2, 2 * SECOND + 1, NULL, NULL);
	put_unit(&r, 0, 9, 2 * SECOND + 2, NULL, "io_delay");
	put_unit(&r, 0, 3, 3 * SECOND, "B", NULL);
	put_unit(&r, 0, 1, 4 * SECOND, "A\\\"\n", NULL);
	put_unit(&r, 0, 3, 4 * SECOND + 5, "B", NULL);
	check_lines(&r, "gdbvm_phase_seconds",
		    "gdbvm_phase_seconds_count{phase=\"0x02\"} 1\n"
		    "gdbvm_phase_seconds_sum{phase=\"0x02\"} 0.999999999\n"
		    "gdbvm_phase_seconds_count{phase=\"A\\\\\\\".\"} 2\n"
		    "gdbvm_phase_seconds_sum{phase=\"A\\\\\\\".\"} 1.000000005\n"
		    "gdbvm_phase_seconds_count{phase=\"B\"} 2\n"
		    "gdbvm_phase_seconds_sum{phase=\"B\"} 1.000000000\n");
	check_lines(&r, "gdbvm_checkpoints",
		    "gdbvm_checkpoints_total 5\ngdbvm_checkpoints_noise_total 1\ngdbvm_checkpoints_lost_total 0\n");
	check_lines(&r, "gdbvm_first", "gdbvm_first_checkpoint_seconds 1.000000000\n");
	check_lines(&r, "gdbvm_last", "gdbvm_last_checkpoint_seconds 3.000000005\n");
	check_lines(&r, "gdbvm_run", "gdbvm_run_seconds 2.000000000\n");
	check_lines(&r, "gdbvm_verdict{gdbvm_verdict=\"s", "gdbvm_verdict{gdbvm_verdict=\"stalled\"} 1\n");
	check_lines(&r, "gdbvm_verdict{gdbvm_verdict=\"m", "gdbvm_verdict{gdbvm_verdict=\"matched\"} 0\n");
	rig_deinit(&r);
}

/* As the bytes of what was taken for a frame do. */
TEST(a_unit_that_comes_late_ends_no_phase)
{
	struct rig r;

	rig_init(&r, "1\n");
	put_unit(&r, 0, 0x16, 2 * SECOND, NULL, NULL);
	put_unit(&r, 0, 0x32, 2 * SECOND + 20, NULL, NULL);
	put_unit(&r, 0, 0x90, 2 * SECOND + 10, NULL, NULL);
	put_unit(&r, 0, 0x64, 2 * SECOND + 50, NULL, NULL);
	check_lines(&r, "gdbvm_phase_seconds_sum",
		    "gdbvm_phase_seconds_sum{phase=\"0x16\"} 0.000000020\n"
		    "gdbvm_phase_seconds_sum{phase=\"0x32\"} 0.000000030\n"
		    "gdbvm_phase_seconds_sum{phase=\"0x64\"} 0.999999950\n"
		    "gdbvm_phase_seconds_sum{phase=\"0x90\"} 0.000000000\n");
	check_lines(&r, "gdbvm_checkpoints_total", "gdbvm_checkpoints_total 4\n");
	check_lines(&r, "gdbvm_last", "gdbvm_last_checkpoint_seconds 1.000000050\n");
	rig_deinit(&r);
}

TEST(a_guest_that_counts_on_its_port_makes_no_endless_metrics)
{
	struct rig r;
	char name[16];

	rig_init(&r, "...\n1\n");
	for (unsigned i = 0; i < 3000; i++) {
		snprintf(name, sizeof(name), "P%u", i);
		put_unit(&r, 0, 2, SECOND + i, name, NULL);
	}
	check_lines(&r, "gdbvm_phase_seconds_count{phase=\"other\"}",
		    "gdbvm_phase_seconds_count{phase=\"other\"} 2000\n");
	check_lines(&r, "gdbvm_phase_seconds_sum{phase=\"other\"}",
		    "gdbvm_phase_seconds_sum{phase=\"other\"} 1.999999000\n");
	rig_deinit(&r);
}

TESTS(T(junit_has_a_case_for_each_expectation), T(junit_blames_the_line_that_was_not_met),
      T(junit_does_not_blame_what_may_be_left_out), T(metrics_have_the_time_of_each_phase_on_its_vcpu),
      T(a_unit_that_comes_late_ends_no_phase), T(a_guest_that_counts_on_its_port_makes_no_endless_metrics))
