/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "console.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <termios.h>
#include <unistd.h>

enum {
	ESCAPE = 0x01, // Ctrl-A
	CANCEL = 0x03, // Ctrl-C: the monitor forgets the line
	/* Typed, and not yet read by the guest. A guest that never reads must not take Ctrl-A x away from the person,
	   so this is more than anyone types; what is pasted or piped in beyond it waits. */
	QUEUE_MAX = 64 << 10,
	PIECE_MAX = 512,
};

static const char escape_help[] = "\r\nCtrl-A x  quit\r\nCtrl-A c  monitor\r\nCtrl-A Ctrl-A  send Ctrl-A\r\n";
static const char prompt[] = "(gdbvm) ";

struct console {
	int in, out;            /* -1: none */
	int pty_slave;          /* the other end of in and out; -1 */
	int hangup_fd, stop_fd; /* readable: wait for nobody */
	int room_fd;            /* readable: the guest takes input again */
	bool close_out;
	bool wait; /* output is not ours to make non-blocking */
	bool tty, escaped, monitor, ended;
	struct termios former;
	struct strbuf line;  /* of the monitor */
	struct strbuf queue; /* for the guest; the first @taken bytes have gone there */
	size_t taken;
	struct loop *loop;
	const struct console_events *ev;
	void *arg;
};

/* How the terminal is to be: as we found it, giving each byte, or giving lines to the monitor. */
enum tty { TTY_FORMER, TTY_BYTES, TTY_LINES };

static void tty_set(struct console *c, enum tty how)
{
	struct termios t = c->former;

	if (!c->tty)
		return;
	if (how == TTY_BYTES) {
		cfmakeraw(&t);
	} else if (how == TTY_LINES) { // a Ctrl-C by habit must not end the guest
		t.c_lflag &= ~(tcflag_t)ISIG;
		t.c_cc[VEOL] = CANCEL;
	}
	t.c_oflag = c->former.c_oflag; // newlines of our own messages stay newlines
	tcsetattr(c->in, TCSADRAIN, &t);
}

static void open_terminal(struct console *c)
{
	c->in = STDIN_FILENO;
	c->out = STDOUT_FILENO;
	c->wait = true;
	c->tty = isatty(c->in) && tcgetattr(c->in, &c->former) == 0;
	tty_set(c, TTY_BYTES);
}

static int open_pty(struct console *c, struct errtext *why)
{
	struct termios t;
	char name[64];

	c->in = c->out = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (c->in < 0)
		return errtext_set(why, -errno, "--console pty: no pseudo-terminal to be had: %s", strerror(errno));
	c->close_out = true;
	if (grantpt(c->in) < 0 || unlockpt(c->in) < 0 || ptsname_r(c->in, name, sizeof(name)) != 0)
		return errtext_set(why, -errno, "--console pty: cannot set it up: %s", strerror(errno));
	// Held open, so that it stays raw, and a person may leave and come back.
	c->pty_slave = open(name, O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (c->pty_slave < 0)
		return errtext_set(why, -errno, "--console pty: cannot open %s: %s", name, strerror(errno));
	if (tcgetattr(c->pty_slave, &t) == 0) {
		cfmakeraw(&t);
		tcsetattr(c->pty_slave, TCSANOW, &t);
	}
	fcntl(c->in, F_SETFL, O_NONBLOCK); // a guest must not wait for somebody to read
	fprintf(stderr, "gdbvm: serial console is %s\n", name);
	return 0;
}

static int open_file(struct console *c, const char *path, struct errtext *why)
{
	// Not blocking: a FIFO without a reader holds neither us nor the guest.
	c->out = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NONBLOCK, 0644);
	if (c->out < 0)
		return errtext_set(why, -errno, "--console %s: cannot write it: %s", path, strerror(errno));
	c->close_out = true;
	return 0;
}

int console_open(const char *spec, int stop_fd, struct console **ret, struct errtext *why)
{
	_cleanup_(console_closep) struct console *c = calloc(1, sizeof(*c));
	int rc = 0;

	if (!c)
		return errtext_set(why, -ENOMEM, "no memory for the console");
	c->in = c->out = c->pty_slave = -1;
	c->stop_fd = stop_fd;
	c->hangup_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	c->room_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (c->hangup_fd < 0 || c->room_fd < 0)
		return errtext_set(why, -errno, "cannot set up the console: %s", strerror(errno));
	if (!spec)
		open_terminal(c);
	else if (strcmp(spec, "pty") == 0)
		rc = open_pty(c, why);
	else if (strcmp(spec, "none") != 0)
		rc = open_file(c, spec, why);
	if (rc < 0)
		return rc;
	*ret = take_ptr(c);
	return 0;
}

void console_close(struct console *c)
{
	if (!c)
		return;
	tty_set(c, TTY_FORMER);
	if (c->loop) {
		loop_unwatch(c->loop, c->in);
		loop_unwatch(c->loop, c->room_fd);
	}
	if (c->close_out)
		closep(&c->out);
	closep(&c->pty_slave);
	closep(&c->hangup_fd);
	closep(&c->room_fd);
	strbuf_deinit(&c->line);
	strbuf_deinit(&c->queue);
	free(c);
}

void console_closep(struct console **c)
{
	console_close(*c);
}

void console_hangup(struct console *c)
{
	if (c)
		eventfd_write(c->hangup_fd, 1);
}

void console_room(void *arg)
{
	const struct console *c = arg;

	eventfd_write(c->room_fd, 1);
}

static bool writable(const struct console *c)
{
	struct pollfd fds[] = { { c->out, POLLOUT, 0 }, { c->hangup_fd, POLLIN, 0 }, { c->stop_fd, POLLIN, 0 } };

	return poll(fds, ARRAY_LEN(fds), -1) > 0 && fds[0].revents;
}

void console_write(void *arg, const void *p, size_t n)
{
	const struct console *c = arg;
	const char *at = p;

	while (c->out >= 0 && n > 0) {
		ssize_t done;

		if (c->wait && !writable(c))
			return;
		done = write(c->out, at, MIN(n, (size_t)PIECE_MAX));
		if (done < 0 && errno == EINTR)
			continue;
		if (done <= 0)
			return; // nobody reads (a pty), or the disk is full: the guest goes on
		at += done;
		n -= (size_t)done;
	}
}

static void say(struct console *c, const char *s)
{
	console_write(c, s, strlen(s));
}

/* ---- input for the guest ---- */

static void on_input(void *arg, int fd, short revents);

static void input_watch(struct console *c)
{
	if (!c->ended && c->queue.len < QUEUE_MAX)
		loop_watch(c->loop, c->in, POLLIN, on_input, c);
	else
		loop_unwatch(c->loop, c->in);
}

static void queue_flush(struct console *c)
{
	while (c->taken < c->queue.len) {
		size_t n = c->ev->input(c->arg, c->queue.s + c->taken, c->queue.len - c->taken);

		if (n == 0)
			break;
		c->taken += n;
	}
	if (c->taken == c->queue.len) {
		strbuf_reset(&c->queue);
		c->taken = 0;
	}
	input_watch(c);
}

static void on_room(void *arg, int fd, short revents)
{
	eventfd_t count;

	eventfd_read(fd, &count);
	queue_flush(arg);
}

/* ---- the monitor and the escape ---- */

static void monitor_open(struct console *c)
{
	c->monitor = true;
	strbuf_reset(&c->line);
	tty_set(c, TTY_LINES);
	say(c, "\ngdbvm monitor: help lists commands, quit ends gdbvm, an empty line goes back to the guest\n");
	say(c, prompt);
}

static void monitor_close(struct console *c)
{
	c->monitor = false;
	tty_set(c, TTY_BYTES);
}

static void monitor_line(struct console *c)
{
	_cleanup_(strbuf_deinit) struct strbuf answer = { 0 };

	if (c->line.len == 0) {
		monitor_close(c);
		return;
	}
	c->ev->command(c->arg, strbuf_str(&c->line), &answer);
	say(c, strbuf_str(&answer));
	say(c, prompt);
	strbuf_reset(&c->line);
}

static void monitor_cancel(struct console *c)
{
	strbuf_reset(&c->line);
	say(c, "\n");
	say(c, prompt);
}

static void escape_byte(struct console *c, char ch)
{
	c->escaped = false;
	switch (ch) {
	case 'x':
		c->ev->quit(c->arg);
		return;
	case 'c':
		monitor_open(c);
		return;
	case ESCAPE:
		strbuf_addc(&c->queue, ch);
		return;
	default:
		say(c, escape_help);
	}
}

static void input_byte(struct console *c, char ch)
{
	if (c->monitor && ch == '\n')
		monitor_line(c);
	else if (c->monitor && ch == CANCEL)
		monitor_cancel(c);
	else if (c->monitor)
		strbuf_addc(&c->line, ch);
	else if (c->escaped)
		escape_byte(c, ch);
	else if (ch == ESCAPE)
		c->escaped = true;
	else
		strbuf_addc(&c->queue, ch);
}

static void on_end(struct console *c)
{
	if (c->monitor) {
		say(c, "\n");
		monitor_close(c); // Ctrl-D
		return;
	}
	c->ended = true;
	input_watch(c);
}

static void on_input(void *arg, int fd, short revents)
{
	struct console *c = arg;
	char buf[PIECE_MAX];
	ssize_t n = read(fd, buf, sizeof(buf));

	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return;
	if (n <= 0) {
		on_end(c);
		return;
	}
	if (c->pty_slave >= 0) // the person there has another program's escapes
		strbuf_add(&c->queue, buf, (size_t)n);
	for (ssize_t i = 0; c->pty_slave < 0 && i < n; i++)
		input_byte(c, buf[i]);
	queue_flush(c);
}

int console_watch(struct console *c, struct loop *l, const struct console_events *ev, void *arg)
{
	c->ev = ev;
	c->arg = arg;
	c->loop = l;
	if (c->in < 0)
		return 0;
	if (loop_watch(l, c->room_fd, POLLIN, on_room, c) < 0)
		return -ENOMEM;
	return loop_watch(l, c->in, POLLIN, on_input, c);
}
