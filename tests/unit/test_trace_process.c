/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "trace/process.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "test.h"
#include "trace/trace.h"

TEST(a_list_of_processors_is_read)
{
	unsigned *list = NULL, n = 0;

	CHECK_EQ(trace_list_parse("0-2,5,8-9\n", &list, &n), 0);
	CHECK_EQ(n, 6);
	CHECK_EQ(list[2], 2);
	CHECK_EQ(list[3], 5);
	CHECK_EQ(list[5], 9);
	free(list);
}

TEST(a_list_that_makes_no_sense_is_refused)
{
	static const char *const bad[] = { "", "\n", "-1", "1-", "3-1", "0,", "0-99999999", "0 1", "0-8000,0-8000" };
	unsigned *list = NULL, n = 7;

	for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		CHECK_EQ(trace_list_parse(bad[i], &list, &n), -EPROTO);
	CHECK(!list);
	CHECK_EQ(n, 7);
}

TEST(the_names_of_threads_tell_their_vcpus)
{
	CHECK_EQ(trace_name_vcpu("CPU 0/KVM"), 0);
	CHECK_EQ(trace_name_vcpu("CPU 12/KVM"), 12);
	CHECK_EQ(trace_name_vcpu("kvm-vcpu-3"), 3);
	CHECK_EQ(trace_name_vcpu("fc_vcpu 1"), 1);
	CHECK_EQ(trace_name_vcpu("vcpu7"), 7);
	CHECK_EQ(trace_name_vcpu("qemu-system-x86"), -1);
	CHECK_EQ(trace_name_vcpu("vcpu"), -1);
	CHECK_EQ(trace_name_vcpu("vcpu-"), -1);
	CHECK_EQ(trace_name_vcpu("cpu99999999"), -1);
	CHECK_EQ(trace_name_vcpu(""), -1);
}

static void see(void *arg, int tid)
{
	*(int *)arg |= tid == (int)getpid();
}

TEST(a_process_is_described_with_its_threads)
{
	struct errtext what;
	int seen = 0;

	trace_process_threads(getpid(), see, &seen);
	CHECK(seen);
	trace_process_text(getpid(), &what);
	CHECK(strstr(what.text, "(test_trace_proc), which has no guest in KVM (yet)"));
	CHECK_EQ(trace_process_vcpu(getpid(), (int)getpid()), -1);
	trace_process_text(0x7fffffff, &what);
	CHECK_STR(what.text, "2147483647 ()");
}

TESTS(T(a_list_of_processors_is_read), T(a_list_that_makes_no_sense_is_refused),
      T(the_names_of_threads_tell_their_vcpus), T(a_process_is_described_with_its_threads))
