/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A debug server as a child, and a client that costs as little as a client can: one write and one read for a packet. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench.h"
#include "util/macros.h"

enum { IN_SIZE = 1 << 20, START_TIMEOUT_MS = 120000, REPLY_TIMEOUT_MS = 60000 };

static void child(char *const argv[], int in, int out)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	dup2(in, STDIN_FILENO);
	dup2(out, STDOUT_FILENO);
	execvp(argv[0], argv);
	fprintf(stderr, "bench: cannot start %s: %s\n", argv[0], strerror(errno));
	_exit(127);
}

static void wait_readable(int fd, int timeout_ms, const char *what)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	if (poll(&p, 1, timeout_ms) <= 0)
		bench_die("%s: nothing within %d s", what, timeout_ms / 1000);
}

void client_start(struct client *c, const char *path, char *const argv[])
{
	int io[2]; // a socket: both ends stay open, so that nobody sees an end of file
	char byte;

	*c = (struct client){ .sock = -1 };
	snprintf(c->path, sizeof(c->path), "%s", path);
	c->in = malloc(IN_SIZE);
	if (!c->in || socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, io) < 0)
		bench_die("no memory or no sockets");
	c->pid = fork();
	if (c->pid == 0)
		child(argv, io[1], io[1]);
	close(io[1]);
	c->console = io[0];
	wait_readable(c->console, START_TIMEOUT_MS, argv[0]);
	if (read(c->console, &byte, 1) != 1 || byte != 'R')
		bench_die("%s: the guest did not start", argv[0]);
}

/* ---- packets ---- */

static void send_bytes(struct client *c, const char *p, size_t n)
{
	while (n > 0) {
		ssize_t done = send(c->sock, p, n, MSG_NOSIGNAL);

		if (done <= 0)
			bench_die("%s: cannot send: %s", c->path, strerror(errno));
		p += done;
		n -= (size_t)done;
	}
}

enum { BODY_MAX = 500 };

static void send_packet(struct client *c, const char *body, size_t n)
{
	static const char digits[] = "0123456789abcdef";
	char buf[BODY_MAX + 8], *to = buf;
	uint8_t sum = 0;

	if (c->owe_ack)
		*to++ = '+';
	c->owe_ack = false;
	*to++ = '$';
	for (size_t i = 0; i < n; i++)
		sum += (uint8_t)(*to++ = body[i]);
	*to++ = '#';
	*to++ = digits[sum >> 4];
	*to++ = digits[sum & 15];
	send_bytes(c, buf, (size_t)(to - buf));
}

static void __attribute__((format(printf, 2, 0))) send_body(struct client *c, const char *fmt, va_list ap)
{
	char body[BODY_MAX];

	send_packet(c, body, (size_t)vsnprintf(body, sizeof(body), fmt, ap));
}

void client_send(struct client *c, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	send_body(c, fmt, ap);
	va_end(ap);
}

static void receive(struct client *c)
{
	ssize_t n;

	if (c->at == c->len) {
		c->at = c->len = 0;
	} else if (c->at && c->len == IN_SIZE) {
		memmove(c->in, c->in + c->at, c->len - c->at);
		c->len -= c->at;
		c->at = 0;
	}
	n = recv(c->sock, c->in + c->len, IN_SIZE - c->len, 0);
	if (n <= 0)
		bench_die("%s: %s", c->path, n ? "no reply in time" : "the server closed the connection");
	c->fresh = c->len;
	c->len += (size_t)n;
}

/* A whole packet in the buffer from c->at on? Its body then starts at c->in + c->at, and ends with a NUL. */
static bool packet(struct client *c)
{
	size_t from; // what came before the last receive() has no end, except for the end's own last bytes
	uint8_t *end;

	while (c->at < c->len && c->in[c->at] != '$')
		c->at++;
	from = c->fresh > c->at + 3 ? c->fresh - 3 : c->at;
	end = memchr(c->in + from, '#', c->len - from);
	if (!end || end + 2 >= c->in + c->len)
		return false;
	c->fresh = 0;
	*end = '\0';
	c->body_len = (size_t)(end - c->in) - c->at - 1;
	return true;
}

const char *client_reply(struct client *c)
{
	const char *body;

	do {
		while (!packet(c))
			receive(c);
		body = (const char *)c->in + c->at + 1;
		c->at += c->body_len + 4;
		if (c->owe_ack)
			send_bytes(c, "+", 1);
		c->owe_ack = c->acks;
	} while (body[0] == 'O' && body[1] != 'K');
	return body;
}

const char *client_ask(struct client *c, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	send_body(c, fmt, ap);
	va_end(ap);
	return client_reply(c);
}

void client_ask_ok(struct client *c, const char *fmt, ...)
{
	const char *reply;
	va_list ap;

	va_start(ap, fmt);
	send_body(c, fmt, ap);
	va_end(ap);
	reply = client_reply(c);
	if (strcmp(reply, "OK") != 0)
		bench_die("%s: '%s' was answered by '%.40s', expected OK", c->path, fmt, reply);
}

/* ---- sessions ---- */

static int try_connect(const char *path)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	struct timeval limit = { .tv_sec = REPLY_TIMEOUT_MS / 1000 };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(at.sun_path, sizeof(at.sun_path), "%s", path);
	if (fd < 0 || connect(fd, (struct sockaddr *)&at, sizeof(at)) < 0)
		bench_die("cannot connect to %s: %s", path, strerror(errno));
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	return fd;
}

/* QEMU tells a new client of the stop that it caused, unasked. */
static void drop_greeting(struct client *c)
{
	struct pollfd p = { .fd = c->sock, .events = POLLIN };

	if (poll(&p, 1, 200) > 0 && recv(c->sock, c->in, IN_SIZE, 0) > 0)
		c->owe_ack = true;
}

void client_connect(struct client *c)
{
	const char *said, *size;

	c->sock = try_connect(c->path);
	c->acks = true;
	c->owe_ack = false;
	c->at = c->len = 0;
	drop_greeting(c);
	said = client_ask(c, "qSupported:swbreak+;hwbreak+;xmlRegisters=i386;binary-upload+");
	size = strstr(said, "PacketSize=");
	c->packet_size = size ? strtoul(size + strlen("PacketSize="), NULL, 16) : 512;
	c->conditions = strstr(said, "ConditionalBreakpoints+");
	c->binary = strstr(said, "binary-upload+");
	if (strstr(said, "QStartNoAckMode+")) {
		client_ask_ok(c, "QStartNoAckMode");
		send_bytes(c, "+", 1);
		c->acks = c->owe_ack = false;
	}
	client_ask(c, "qXfer:features:read:target.xml:0,1f0"); // QEMU knows P only after this
	said = client_ask(c, "?");
	if (said[0] != 'T')
		bench_die("%s: '?' was answered by '%.40s', expected a stop", c->path, said);
}

void client_detach(struct client *c)
{
	client_ask_ok(c, "D;1"); // with the process: QEMU stays as GDB, an earlier client, had it
	close(c->sock);
	c->sock = -1;
}

void client_stop(struct client *c)
{
	kill(c->pid, SIGKILL);
	waitpid(c->pid, NULL, 0);
	close(c->console);
	if (c->sock >= 0)
		close(c->sock);
	unlink(c->path);
	free(c->in);
}

static void check_stop(struct client *c, const char *what, const char *reply, int signal)
{
	/* By its digits: a conversion would cost as much as all else that the client does for a step. */
	if ((reply[0] != 'T' && reply[0] != 'S') || reply[1] != '0' || reply[2] != '0' + signal)
		bench_die("%s: '%s' ended with '%.40s', expected a stop with signal %d", c->path, what, reply, signal);
}

void client_resume(struct client *c, const char *packet_text, int signal)
{
	send_packet(c, packet_text, strlen(packet_text));
	check_stop(c, packet_text, client_reply(c), signal);
}

void client_interrupt(struct client *c)
{
	if (c->owe_ack)
		send_bytes(c, "+", 1);
	c->owe_ack = false;
	send_bytes(c, "\x03", 1);
	check_stop(c, "Ctrl-C", client_reply(c), 2);
}

void client_jump(struct client *c, uint64_t pc, uint64_t loops)
{
	client_ask_ok(c, "P%x=%016llx", BENCH_LOOP_REG, (unsigned long long)__builtin_bswap64(loops));
	client_ask_ok(c, "P%x=%016llx", BENCH_PC_REG, (unsigned long long)__builtin_bswap64(pc));
}

uint64_t client_counter(struct client *c)
{
	unsigned long long v = 0;

	if (sscanf(client_ask(c, "m%x,8", BENCH_COUNTER), "%16llx", &v) != 1)
		bench_die("%s: the counter cannot be read", c->path);
	return __builtin_bswap64(v);
}
