/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <unistd.h>

#include "server/address.h"
#include "test.h"

static int parse(const char *text, struct address *a)
{
	struct errtext why = { "" };
	int rc = address_parse(text, a, &why);

	if (rc < 0)
		CHECK(strstr(why.text, text)); // the message names the value
	return rc;
}

static void check_printed(const char *text, const char *want)
{
	struct address a;
	char buf[160];

	CHECK_EQ(parse(text, &a), 0);
	address_print(&a, -1, buf, sizeof(buf));
	CHECK_STR(buf, want);
}

TEST(address_port_alone_is_loopback)
{
	check_printed("1234", "127.0.0.1:1234");
	check_printed(":1234", "127.0.0.1:1234");
	check_printed("0", "127.0.0.1:0");
	check_printed("65535", "127.0.0.1:65535");
}

TEST(address_loopback_hosts)
{
	check_printed("localhost:1", "127.0.0.1:1");
	check_printed("127.0.0.1:1", "127.0.0.1:1");
	check_printed("127.3.2.1:1", "127.3.2.1:1");
	check_printed("[::1]:1", "[::1]:1");
	check_printed("tcp::1234", "127.0.0.1:1234"); // as QEMU has it
	check_printed("tcp:localhost:1", "127.0.0.1:1");
}

TEST(address_other_hosts_are_refused)
{
	struct address a;

	CHECK_EQ(parse("0.0.0.0:1234", &a), -EACCES);
	CHECK_EQ(parse("tcp:0.0.0.0:1234", &a), -EACCES);
	CHECK_EQ(parse("192.168.1.1:1234", &a), -EACCES);
	CHECK_EQ(parse("[::]:1234", &a), -EACCES);
	CHECK_EQ(parse("::1:1234", &a), -EACCES);
	CHECK_EQ(parse("example.org:1234", &a), -EACCES);
	CHECK_EQ(parse("localhost.evil:1234", &a), -EACCES);
	CHECK_EQ(parse("1270.0.0.1:1", &a), -EACCES);
}

TEST(address_bad_ports)
{
	struct address a;

	CHECK_EQ(parse("65536", &a), -EINVAL);
	CHECK_EQ(parse("-1", &a), -EINVAL);
	CHECK_EQ(parse("12x", &a), -EINVAL);
	CHECK_EQ(parse(" 12", &a), -EINVAL);
	CHECK_EQ(parse("0x10", &a), -EINVAL);
	CHECK_EQ(parse("localhost:", &a), -EINVAL);
	CHECK_EQ(parse("", &a), -EINVAL);
	CHECK_EQ(parse("tcp", &a), -EINVAL);
	CHECK_EQ(parse("tcp:", &a), -EINVAL);
}

TEST(address_unix_and_stdio)
{
	struct address a;
	char path[200];

	check_printed("unix:/tmp/x.sock", "unix:/tmp/x.sock");
	check_printed("-", "stdin/stdout");
	CHECK_EQ(parse("unix:", &a), -EINVAL);
	memset(path, 'a', sizeof(path));
	memcpy(path, "unix:", 5);
	path[5 + 108] = '\0';
	CHECK_EQ(parse(path, &a), -ENAMETOOLONG);
	path[5 + 107] = '\0';
	CHECK_EQ(parse(path, &a), 0);
}

TEST(address_untouched_on_failure)
{
	struct address a = { .len = 99 };

	CHECK_EQ(parse("nonsense", &a), -EINVAL);
	CHECK_EQ(a.len, 99);
}

TEST(address_connect_takes_sockets_of_this_machine)
{
	static const struct {
		const char *text;
		int rc;
	} bad[] = {
		{ "-", -EINVAL },     { "10.0.0.1:1", -EACCES },    { "127.0.0.1:65536", -EINVAL },
		{ "unix:", -EINVAL }, { "unix:/no/such", -ENOENT }, { "", -EINVAL },
	};
	struct address a;
	struct errtext why;
	char text[160];
	int listening, fd;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		CHECK_EQ(address_connect(bad[i].text, &why), bad[i].rc);
		CHECK(strstr(why.text, "connect to"));
	}
	CHECK_EQ(address_parse("0", &a, &why), 0);
	listening = address_listen(&a, &why);
	CHECK(listening >= 0);
	address_print(&a, listening, text, sizeof(text));
	fd = address_connect(text, &why);
	CHECK(fd >= 0);
	close(fd);
	close(listening);
	CHECK_EQ(address_connect(text, &why), -ECONNREFUSED);
}

TESTS(T(address_port_alone_is_loopback), T(address_loopback_hosts), T(address_other_hosts_are_refused),
      T(address_bad_ports), T(address_unix_and_stdio), T(address_untouched_on_failure),
      T(address_connect_takes_sockets_of_this_machine))
