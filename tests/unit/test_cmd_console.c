/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "test.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <termios.h>
#include <unistd.h>

#include "cmd/console.h"

/* The person's end is a pipe, or a pseudo-terminal, in the place of standard input and output. */
struct rig {
	struct loop *loop;
	struct console *console;
	int keys, screen; /* what the person holds */
	int stdin_was, stdout_was;
	size_t takes;        /* how much the guest takes at a time before it has read it */
	struct strbuf guest; /* what it got */
	struct strbuf commands;
	bool quit;
};

static size_t on_input(void *arg, const void *p, size_t n)
{
	struct rig *r = arg;

	n = MIN(n, r->takes);
	strbuf_add(&r->guest, p, n);
	r->takes -= n;
	return n;
}

static void on_command(void *arg, const char *line, struct strbuf *answer)
{
	struct rig *r = arg;

	strbuf_addf(&r->commands, "%s;", line);
	strbuf_adds(answer, "answer\n");
}

static void on_quit(void *arg)
{
	struct rig *r = arg;

	r->quit = true;
}

static const struct console_events events = { .input = on_input, .command = on_command, .quit = on_quit };

static struct rig *rig_create(bool tty)
{
	struct rig *r = calloc(1, sizeof(*r));
	int in[2], out[2];
	struct errtext why;

	CHECK(r != NULL);
	CHECK_EQ(pipe(out), 0);
	if (tty) {
		in[1] = posix_openpt(O_RDWR | O_NOCTTY);
		CHECK(in[1] >= 0 && grantpt(in[1]) == 0 && unlockpt(in[1]) == 0);
		in[0] = open(ptsname(in[1]), O_RDWR | O_NOCTTY);
		CHECK(in[0] >= 0);
	} else {
		CHECK_EQ(pipe(in), 0);
	}
	r->stdin_was = dup(STDIN_FILENO);
	r->stdout_was = dup(STDOUT_FILENO);
	fflush(stdout);
	dup2(in[0], STDIN_FILENO);
	dup2(out[1], STDOUT_FILENO);
	close(in[0]);
	close(out[1]);
	r->keys = in[1];
	r->screen = out[0];
	CHECK_EQ(loop_create(&r->loop), 0);
	CHECK_EQ(console_open(NULL, -1, &r->console, &why), 0);
	CHECK_EQ(console_watch(r->console, r->loop, &events, r), 0);
	return r;
}

static void rig_destroy(struct rig *r)
{
	console_close(r->console);
	loop_destroy(r->loop);
	dup2(r->stdin_was, STDIN_FILENO);
	dup2(r->stdout_was, STDOUT_FILENO);
	close(r->stdin_was);
	close(r->stdout_was);
	close(r->keys);
	close(r->screen);
	strbuf_deinit(&r->guest);
	strbuf_deinit(&r->commands);
	free(r);
}

static void type(struct rig *r, const char *keys)
{
	CHECK_EQ(write(r->keys, keys, strlen(keys)), strlen(keys));
	while (loop_once(r->loop, 0) > 0)
		;
}

/* The guest has read what it took, and can take @n more. */
static void guest_reads(struct rig *r, size_t n)
{
	r->takes = n;
	console_room(r->console);
	CHECK(loop_once(r->loop, 0) > 0);
}

TEST(console_keeps_what_the_guest_does_not_take_in_order)
{
	struct rig *r = rig_create(false);

	r->takes = 4;
	type(r, "echo hello\n");
	CHECK_STR(strbuf_str(&r->guest), "echo");
	CHECK_EQ(loop_once(r->loop, 0), 0); // it waits, and does not turn in circles
	type(r, "ls\n");
	CHECK_STR(strbuf_str(&r->guest), "echo");
	guest_reads(r, 6);
	CHECK_STR(strbuf_str(&r->guest), "echo hello");
	guest_reads(r, 100);
	CHECK_STR(strbuf_str(&r->guest), "echo hello\nls\n");
	type(r, "x");
	CHECK_STR(strbuf_str(&r->guest), "echo hello\nls\nx");
	rig_destroy(r);
}

TEST(console_lets_a_flood_wait_outside_and_loses_nothing)
{
	enum { SIZE = 1 << 20 };
	struct rig *r = rig_create(false);
	size_t sent = 0;

	fcntl(r->keys, F_SETFL, O_NONBLOCK);
	for (bool more = true; more;) {
		char piece[256];
		ssize_t n;

		for (size_t i = 0; i < sizeof(piece); i++)
			piece[i] = 'a' + (char)((sent + i) % 26);
		n = write(r->keys, piece, sizeof(piece));
		sent += n > 0 ? (size_t)n : 0;
		more = loop_once(r->loop, 0) > 0 || n > 0;
		CHECK(sent < SIZE);
	}
	for (size_t before = 1; before != r->guest.len;) {
		before = r->guest.len;
		guest_reads(r, 1000);
		while (loop_once(r->loop, 0) > 0)
			;
	}
	CHECK_EQ(r->guest.len, sent);
	for (size_t i = 0; i < sent; i++)
		CHECK_EQ(r->guest.s[i], 'a' + (char)(i % 26));
	rig_destroy(r);
}

TEST(console_can_be_left_while_the_guest_reads_nothing)
{
	struct rig *r = rig_create(false);

	for (unsigned i = 0; i < 40; i++)
		type(r, "why does it not answer?\n");
	CHECK(!r->quit);
	type(r, "\x01x");
	CHECK(r->quit);
	rig_destroy(r);
}

TEST(console_escape_sends_itself_and_opens_the_monitor)
{
	struct rig *r = rig_create(false);

	r->takes = 100;
	type(r, "a\x01\x01"
		"b\x01"
		"cinfo registers\n\nd");
	CHECK_STR(strbuf_str(&r->guest), "a\x01"
					 "bd");
	CHECK_STR(strbuf_str(&r->commands), "info registers;");
	rig_destroy(r);
}

TEST(console_monitor_ends_with_ctrl_d_and_the_terminal_lives_on)
{
	struct rig *r = rig_create(true);
	struct termios t;

	r->takes = 100;
	CHECK_EQ(tcgetattr(r->keys, &t), 0);
	CHECK(!(t.c_lflag & ICANON));
	type(r, "\x01"
		"c");
	CHECK_EQ(tcgetattr(r->keys, &t), 0);
	CHECK(t.c_lflag & ICANON);
	type(r, "\x04");
	CHECK_EQ(tcgetattr(r->keys, &t), 0);
	CHECK(!(t.c_lflag & ICANON));
	type(r, "ls\r");
	CHECK_STR(strbuf_str(&r->guest), "ls\r");
	console_close(r->console);
	r->console = NULL;
	CHECK_EQ(tcgetattr(r->keys, &t), 0);
	CHECK(t.c_lflag & ICANON);
	rig_destroy(r);
}

static void *write_much(void *arg)
{
	static const char much[256 << 10];
	struct rig *r = arg;

	console_write(r->console, much, sizeof(much));
	return NULL;
}

TEST(console_monitor_takes_ctrl_c_for_the_end_of_a_line_not_of_the_guest)
{
	struct rig *r = rig_create(true);
	struct termios t;

	type(r, "\x01"
		"c");
	CHECK_EQ(tcgetattr(r->keys, &t), 0);
	CHECK(t.c_lflag & ICANON && !(t.c_lflag & ISIG));
	type(r, "reset\x03");
	type(r, "time\n");
	CHECK_STR(strbuf_str(&r->commands), "time;");
	type(r, "\n");
	CHECK_EQ(r->guest.len, 0);
	console_close(r->console);
	r->console = NULL;
	CHECK_EQ(tcgetattr(r->keys, &t), 0);
	CHECK(t.c_lflag & ICANON && t.c_lflag & ISIG && t.c_cc[VEOL] != 3); // as it was
	rig_destroy(r);
}

TEST(console_output_that_nobody_reads_ends_with_hangup)
{
	struct rig *r = rig_create(false);
	pthread_t thread;
	char first;

	CHECK_EQ(pthread_create(&thread, NULL, write_much, r), 0);
	CHECK_EQ(read(r->screen, &first, 1), 1);
	console_hangup(r->console);
	CHECK_EQ(pthread_join(thread, NULL), 0);
	rig_destroy(r);
}

/* console_open("pty") says on standard error which one it is. */
static void pty_open(struct console **ret, char name[64])
{
	int said[2], stderr_was = dup(STDERR_FILENO);
	struct errtext why;
	char line[128] = "";

	CHECK_EQ(pipe(said), 0);
	dup2(said[1], STDERR_FILENO);
	int rc = console_open("pty", -1, ret, &why);
	dup2(stderr_was, STDERR_FILENO);
	close(stderr_was);
	close(said[1]);
	CHECK_EQ(rc, 0);
	CHECK(read(said[0], line, sizeof(line) - 1) > 0);
	close(said[0]);
	CHECK_EQ(sscanf(line, "gdbvm: serial console is %63s", name), 1);
}

TEST(console_pty_may_be_left_and_opened_again)
{
	struct rig r = { .takes = 100 };
	char name[64] = "";

	pty_open(&r.console, name);
	CHECK_EQ(loop_create(&r.loop), 0);
	CHECK_EQ(console_watch(r.console, r.loop, &events, &r), 0);
	for (unsigned i = 0; i < 3; i++) {
		struct termios t;
		int fd = open(name, O_RDWR | O_NOCTTY);

		CHECK(fd >= 0);
		CHECK_EQ(tcgetattr(fd, &t), 0);
		CHECK(!(t.c_lflag & (ICANON | ECHO)));
		CHECK_EQ(write(fd, "\x01x", 2), 2); // no escapes of ours here
		close(fd);
		while (loop_once(r.loop, 0) > 0)
			;
	}
	CHECK_STR(strbuf_str(&r.guest), "\x01x\x01x\x01x");
	CHECK(!r.quit);
	for (unsigned i = 0; i < 100000; i++)
		console_write(r.console, "nobody reads this", 17);
	console_close(r.console);
	loop_destroy(r.loop);
	strbuf_deinit(&r.guest);
}

TEST(console_file_that_cannot_be_written_is_named)
{
	struct console *c = NULL;
	struct errtext why;

	CHECK_EQ(console_open("/nonexistent/log", -1, &c, &why), -ENOENT);
	CHECK(strstr(why.text, "--console /nonexistent/log") != NULL);
	CHECK_EQ(console_open("/", -1, &c, &why), -EISDIR);
	CHECK(c == NULL);
}

TESTS(T(console_keeps_what_the_guest_does_not_take_in_order), T(console_lets_a_flood_wait_outside_and_loses_nothing),
      T(console_can_be_left_while_the_guest_reads_nothing), T(console_escape_sends_itself_and_opens_the_monitor),
      T(console_monitor_ends_with_ctrl_d_and_the_terminal_lives_on),
      T(console_monitor_takes_ctrl_c_for_the_end_of_a_line_not_of_the_guest),
      T(console_output_that_nobody_reads_ends_with_hangup), T(console_pty_may_be_left_and_opened_again),
      T(console_file_that_cannot_be_written_is_named))
