/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the subcommands have in common. */
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cmd/cmd.h"
#include "test.h"

static void check_number(const char *s, uint64_t want, const char *want_end)
{
	const char *end = NULL;
	uint64_t n = 0;

	CHECK(cmd_number_take(s, &n, &end));
	CHECK_EQ(n, want);
	CHECK_STR(end, want_end);
}

TEST(numbers_are_decimal_or_0x_hex_whatever_they_begin_with)
{
	check_number("0", 0, "");
	check_number("128", 128, "");
	check_number("010,8", 10, ",8");
	check_number("080", 80, "");
	check_number("0512M", 512, "M");
	check_number("0x80", 0x80, "");
	check_number("0XaB", 0xab, "");
	check_number("0x", 0, "x");
	check_number("18446744073709551615", UINT64_MAX, "");
}

TEST(what_is_no_number_is_not_taken)
{
	static const char *const none[] = {
		"", " 1", "-1", "+1", "x10", "18446744073709551616", "0x10000000000000000"
	};
	const char *end;
	uint64_t n;

	for (size_t i = 0; i < ARRAY_LEN(none); i++)
		CHECK(!cmd_number_take(none[i], &n, &end));
}

TEST(sizes_are_mib_or_have_a_suffix)
{
	uint64_t n = 0;

	CHECK(cmd_size_take("0512", &n));
	CHECK_EQ(n, UINT64_C(512) << 20);
	CHECK(cmd_size_take("010K", &n));
	CHECK_EQ(n, 10 << 10);
	CHECK(cmd_size_take("0x10G", &n));
	CHECK_EQ(n, UINT64_C(16) << 30);
	CHECK(!cmd_size_take("12Q", &n));
	CHECK(!cmd_size_take("17179869184G", &n)); // 2^64
}

static void make(const char *path)
{
	const int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	CHECK(fd >= 0);
	close(fd);
}

TEST(a_file_is_the_same_by_each_of_its_names)
{
	char dir[] = "/tmp/argsXXXXXX", former[PATH_MAX];

	CHECK(mkdtemp(dir) && getcwd(former, sizeof(former)));
	CHECK_EQ(chdir(dir), 0);
	make("a");
	make("b");
	CHECK_EQ(symlink("a", "soft") + link("a", "hard") + mkdir("d", 0700), 0);
	CHECK(cmd_is_same_file("a", "a") && cmd_is_same_file("a", "./a") && cmd_is_same_file("d/../a", "a"));
	CHECK(cmd_is_same_file("a", "soft") && cmd_is_same_file("hard", "a"));
	CHECK(!cmd_is_same_file("a", "b") && !cmd_is_same_file("a", "d") && !cmd_is_same_file("a", "none"));
	CHECK(cmd_is_same_file("new", "new") && cmd_is_same_file("./new", "d/../new"));
	CHECK(!cmd_is_same_file("new", "d/new") && !cmd_is_same_file("new", "newer"));
	CHECK(!cmd_is_same_file("none/new", "none/new")); // which cannot be made
	CHECK(!cmd_is_same_file("/dev/null", "/dev/null"));
	CHECK_EQ(unlink("a") + unlink("b") + unlink("soft") + unlink("hard") + rmdir("d"), 0);
	CHECK_EQ(chdir(former) + rmdir(dir), 0);
}

TESTS(T(numbers_are_decimal_or_0x_hex_whatever_they_begin_with), T(what_is_no_number_is_not_taken),
      T(sizes_are_mib_or_have_a_suffix), T(a_file_is_the_same_by_each_of_its_names))
