/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "util/log.h"

#include "test.h"

TEST(warnings_are_on_and_details_off_by_default)
{
	CHECK(log_on(LOG_KVM, LOG_WARN));
	CHECK(!log_on(LOG_KVM, LOG_INFO));
}

TEST(a_spec_sets_rooms_one_by_one)
{
	CHECK_EQ(log_setup("rsp=trace,vmm=info", NULL), 0);
	CHECK(log_on(LOG_RSP, LOG_TRACE));
	CHECK(log_on(LOG_VMM, LOG_INFO) && !log_on(LOG_VMM, LOG_DBG));
	CHECK(!log_on(LOG_ENGINE, LOG_INFO));
	CHECK_EQ(log_setup("all=error", NULL), 0);
	CHECK(!log_on(LOG_RSP, LOG_WARN));
}

TEST(unknown_names_are_refused_by_name)
{
	struct errtext why;

	CHECK(log_setup("attic=info", &why) < 0);
	CHECK(strstr(why.text, "'attic'") != NULL);
	CHECK(log_setup("kvm=loud", &why) < 0);
	CHECK(strstr(why.text, "'kvm=loud'") != NULL);
}

TESTS(T(warnings_are_on_and_details_off_by_default), T(a_spec_sets_rooms_one_by_one),
      T(unknown_names_are_refused_by_name))
