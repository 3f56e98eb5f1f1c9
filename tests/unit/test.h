/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef TESTS_UNIT_TEST_H
#define TESTS_UNIT_TEST_H

/*
 * The small language of our unit tests, over cmocka:
 *
 *	TEST(cur_hex_rejects_17_digits)
 *	{
 *		CHECK_EQ(cur_hex(&c), 0);
 *	}
 *	TESTS(T(cur_hex_rejects_17_digits))
 *
 * Checks print both sides and end the test.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define TEST(name) static void name(void **state_)
#define T(name) cmocka_unit_test(name)
#define TESTS(...)                                                  \
	int main(void)                                              \
	{                                                           \
		const struct CMUnitTest tests_[] = { __VA_ARGS__ }; \
		return cmocka_run_group_tests(tests_, NULL, NULL);  \
	}

#define CHECK(cond) assert_true(cond)
#define CHECK_EQ(a, b) assert_int_equal(a, b)
#define CHECK_STR(a, b) assert_string_equal(a, b)
#define CHECK_MEM(a, b, n) assert_memory_equal(a, b, n)
#define SKIP(why)                                 \
	do {                                      \
		print_message("skip: %s\n", why); \
		skip();                           \
	} while (0)

#endif
