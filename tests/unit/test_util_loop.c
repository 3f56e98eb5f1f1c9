/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "util/loop.h"

#include <poll.h>
#include <unistd.h>

#include "test.h"

struct seen {
	struct loop *loop;
	int calls, drop_fd;
};

static void on_byte(void *arg, int fd, short revents)
{
	struct seen *s = arg;
	char ch;

	if (read(fd, &ch, 1) == 1)
		s->calls++;
	if (s->drop_fd >= 0)
		loop_unwatch(s->loop, s->drop_fd);
	if (ch == 'q')
		loop_quit(s->loop);
}

TEST(a_ready_descriptor_is_served_and_quit_ends_the_run)
{
	struct seen s = { .drop_fd = -1 };
	int p[2];

	CHECK_EQ(pipe(p), 0);
	CHECK_EQ(loop_create(&s.loop), 0);
	CHECK_EQ(loop_watch(s.loop, p[0], POLLIN, on_byte, &s), 0);
	CHECK_EQ(loop_once(s.loop, 0), 0);
	CHECK_EQ(write(p[1], "aq", 2), 2);
	CHECK_EQ(loop_run(s.loop), 0);
	CHECK_EQ(s.calls, 2);
	loop_destroy(s.loop);
	close(p[0]);
	close(p[1]);
}

TEST(a_watch_removed_by_another_is_not_called)
{
	struct seen s = { 0 };
	int p[2], q[2];

	CHECK_EQ(pipe(p), 0);
	CHECK_EQ(pipe(q), 0);
	CHECK_EQ(loop_create(&s.loop), 0);
	s.drop_fd = q[0];
	CHECK_EQ(loop_watch(s.loop, p[0], POLLIN, on_byte, &s), 0);
	CHECK_EQ(loop_watch(s.loop, q[0], POLLIN, on_byte, &s), 0);
	CHECK_EQ(write(p[1], "a", 1), 1);
	CHECK_EQ(write(q[1], "a", 1), 1);
	CHECK_EQ(loop_once(s.loop, -1), 1);
	CHECK_EQ(loop_once(s.loop, 0), 0);
	loop_destroy(s.loop);
	for (int i = 0; i < 2; i++) {
		close(p[i]);
		close(q[i]);
	}
}

TESTS(T(a_ready_descriptor_is_served_and_quit_ends_the_run), T(a_watch_removed_by_another_is_not_called))
