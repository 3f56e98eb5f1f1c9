/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * agent ROOT BINDADDR PORT... : runs in the lab's machine (L1) as its only service.
 *
 * Control channel: the virtio-serial port named "agent". Frames in both directions: a header (struct frame) and len
 *bytes. The host starts processes and talks to them by ids that it chooses:
 *
 *	to L1:   R  run; NUL-terminated strings: directory, number of arguments, arguments..., NAME=VALUE...
 *	         I  bytes for stdin     E  close stdin     S  signal number, one byte (to the process group)
 *	to host: H  agent is up         P  started         F  could not be started; errno, 4 bytes
 *	         O  bytes from stdout   D  from stderr     X  ended; wait status, 4 bytes
 *
 * And the way in for GDB: what arrives at BINDADDR:PORT, where QEMU's user network delivers it, is passed on to
 * 127.0.0.1:PORT, where gdbvm listens.
 */
#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum { MAX_CHILDREN = 32, MAX_FRAME = 256 * 1024, CHUNK = 32 * 1024 };

struct frame {
	uint32_t len;
	uint16_t id;
	char type;
	char zero;
};

struct child {
	pid_t pid; /* 0: free slot */
	uint16_t id;
	int in, out, err;
};

struct agent {
	int port;
	struct child child[MAX_CHILDREN];
};

/* ---- bytes ---- */

static int write_all(int fd, const void *p, size_t n)
{
	const char *s = p;

	while (n > 0) {
		ssize_t done = write(fd, s, n);

		if (done < 0 && errno == EAGAIN)
			poll(&(struct pollfd){ .fd = fd, .events = POLLOUT }, 1, 1000);
		else if (done < 0 && errno != EINTR)
			return -errno;
		s += done > 0 ? done : 0;
		n -= done > 0 ? (size_t)done : 0;
	}
	return 0;
}

static int read_all(int fd, void *p, size_t n)
{
	char *s = p;

	while (n > 0) {
		ssize_t done = read(fd, s, n);

		if (done == 0) // nobody has the other end open
			poll(NULL, 0, 10);
		else if (done < 0 && errno == EAGAIN)
			poll(&(struct pollfd){ .fd = fd, .events = POLLIN }, 1, 1000);
		else if (done < 0 && errno != EINTR)
			return -errno;
		s += done > 0 ? done : 0;
		n -= done > 0 ? (size_t)done : 0;
	}
	return 0;
}

static void send_frame(struct agent *a, uint16_t id, char type, const void *p, size_t n)
{
	struct frame f = { .len = (uint32_t)n, .id = id, .type = type };

	write_all(a->port, &f, sizeof(f));
	write_all(a->port, p, n);
}

static void send_number(struct agent *a, uint16_t id, char type, int32_t value)
{
	send_frame(a, id, type, &value, sizeof(value));
}

static void close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

/* ---- processes ---- */

static struct child *find_child(struct agent *a, uint16_t id)
{
	for (unsigned i = 0; i < MAX_CHILDREN; i++)
		if (a->child[i].pid && a->child[i].id == id)
			return &a->child[i];
	return NULL;
}

/* In the new process: report why exec failed through @report, which closes itself when exec succeeds. */
static void exec_child(char **strings, unsigned n, const int fd[3], int report)
{
	unsigned argc = (unsigned)atoi(strings[1]);
	char **argv = calloc(argc + 1, sizeof(*argv));
	sigset_t none;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	setsid();
	for (int i = 0; i < 3; i++)
		dup2(fd[i], i);
	for (unsigned i = 2 + argc; i < n; i++)
		putenv(strings[i]);
	memcpy(argv, strings + 2, argc * sizeof(*argv));
	if (chdir(strings[0]) == 0)
		execvp(argv[0], argv);
	write_all(report, &errno, sizeof(errno));
	_exit(127);
}

static int start_child(struct child *c, char **strings, unsigned n)
{
	int in[2], out[2], err[2], report[2], why = 0;

	if (pipe2(in, O_CLOEXEC) || pipe2(out, O_CLOEXEC) || pipe2(err, O_CLOEXEC) || pipe2(report, O_CLOEXEC))
		return errno;
	c->pid = fork();
	if (c->pid == 0)
		exec_child(strings, n, (int[]){ in[0], out[1], err[1] }, report[1]);
	close(in[0]);
	close(out[1]);
	close(err[1]);
	close(report[1]);
	if (read(report[0], &why, sizeof(why)) != sizeof(why))
		why = 0;
	close(report[0]);
	c->in = in[1];
	c->out = out[0];
	c->err = err[0];
	fcntl(c->out, F_SETFL, O_NONBLOCK);
	fcntl(c->err, F_SETFL, O_NONBLOCK);
	if (why == 0)
		return 0;
	waitpid(c->pid, NULL, 0);
	close_fd(&c->in);
	close_fd(&c->out);
	close_fd(&c->err);
	return why;
}

static void on_run(struct agent *a, uint16_t id, char *payload, size_t n)
{
	char *strings[4096];
	unsigned count = 0;
	int why = EAGAIN;

	for (size_t at = 0; at < n && count < 4096; at += strlen(payload + at) + 1)
		strings[count++] = payload + at;
	if (count < 3 || (unsigned)atoi(strings[1]) + 2 > count) {
		send_number(a, id, 'F', EINVAL);
		return;
	}
	for (unsigned i = 0; i < MAX_CHILDREN; i++) {
		struct child *c = &a->child[i];

		if (c->pid)
			continue;
		why = start_child(c, strings, count);
		if (why == 0) {
			c->id = id;
			send_frame(a, id, 'P', NULL, 0);
			return;
		}
		c->pid = 0;
		break;
	}
	send_number(a, id, 'F', why);
}

static void on_frame(struct agent *a, const struct frame *f, char *payload)
{
	struct child *c = find_child(a, f->id);

	if (f->type == 'R') {
		on_run(a, f->id, payload, f->len);
		return;
	}
	if (!c)
		return;
	if (f->type == 'I' && c->in >= 0)
		write_all(c->in, payload, f->len);
	else if (f->type == 'E')
		close_fd(&c->in);
	else if (f->type == 'S' && f->len == 1)
		kill(-c->pid, payload[0]);
}

/* At most @chunks, so that a process that never stops writing does not keep us from the others. */
static void pump(struct agent *a, const struct child *c, int *fd, char type, unsigned chunks)
{
	char buf[CHUNK];
	ssize_t n;

	for (; chunks > 0 && *fd >= 0 && (n = read(*fd, buf, sizeof(buf))) != -1; chunks--) {
		if (n == 0)
			close_fd(fd);
		else
			send_frame(a, c->id, type, buf, (size_t)n);
	}
}

static void reap(struct agent *a)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		for (unsigned i = 0; i < MAX_CHILDREN; i++) {
			struct child *c = &a->child[i];

			if (c->pid != pid)
				continue;
			pump(a, c, &c->out, 'O', 64);
			pump(a, c, &c->err, 'D', 64);
			send_number(a, c->id, 'X', status);
			close_fd(&c->in);
			close_fd(&c->out);
			close_fd(&c->err);
			c->pid = 0;
		}
	}
}

static int read_frame(struct agent *a)
{
	static char payload[MAX_FRAME + 1];
	struct frame f;

	if (read_all(a->port, &f, sizeof(f)) < 0 || f.len > MAX_FRAME || read_all(a->port, payload, f.len) < 0)
		return -EPROTO;
	payload[f.len] = '\0';
	on_frame(a, &f, payload);
	return 0;
}

static int serve(struct agent *a, int signals)
{
	for (;;) {
		struct pollfd p[2 + 2 * MAX_CHILDREN] = { { a->port, POLLIN, 0 }, { signals, POLLIN, 0 } };
		struct signalfd_siginfo info;

		for (unsigned i = 0; i < MAX_CHILDREN; i++) {
			struct child *c = &a->child[i];

			p[2 + 2 * i] = (struct pollfd){ c->pid ? c->out : -1, POLLIN, 0 };
			p[3 + 2 * i] = (struct pollfd){ c->pid ? c->err : -1, POLLIN, 0 };
		}
		if (poll(p, 2 + 2 * MAX_CHILDREN, -1) < 0)
			continue;
		for (unsigned i = 0; i < MAX_CHILDREN; i++) {
			if (p[2 + 2 * i].revents)
				pump(a, &a->child[i], &a->child[i].out, 'O', 1);
			if (p[3 + 2 * i].revents)
				pump(a, &a->child[i], &a->child[i].err, 'D', 1);
		}
		if (p[1].revents && read(signals, &info, sizeof(info)) > 0)
			reap(a);
		if (p[0].revents & POLLIN && read_frame(a) < 0)
			return 1;
		if (p[0].revents & POLLHUP) // the host is not there (yet)
			poll(NULL, 0, 20);
	}
}

/* ---- the way in for GDB ---- */

static int tcp_socket(void)
{
	int one = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	return fd;
}

/* Both directions until both are closed; the end of one is passed on as the end of one. */
static void relay_connection(int near, int far)
{
	int fd[2] = { near, far };
	struct pollfd p[2] = { { near, POLLIN, 0 }, { far, POLLIN, 0 } };
	char buf[CHUNK];

	while (p[0].fd >= 0 || p[1].fd >= 0) {
		if (poll(p, 2, -1) < 0)
			continue;
		for (int i = 0; i < 2; i++) {
			ssize_t n;

			if (p[i].fd < 0 || !p[i].revents)
				continue;
			n = read(fd[i], buf, sizeof(buf));
			if (n > 0 && write_all(fd[!i], buf, (size_t)n) == 0)
				continue;
			if (n < 0)
				return;
			shutdown(fd[!i], SHUT_WR);
			p[i].fd = -1;
		}
	}
}

static void relay(const char *bind_to, int port)
{
	struct sockaddr_in near_addr = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port) };
	struct sockaddr_in far_addr = near_addr;
	int listener = tcp_socket();

	signal(SIGCHLD, SIG_IGN);
	signal(SIGPIPE, SIG_IGN);
	inet_pton(AF_INET, bind_to, &near_addr.sin_addr);
	inet_pton(AF_INET, "127.0.0.1", &far_addr.sin_addr);
	if (bind(listener, (void *)&near_addr, sizeof(near_addr)) || listen(listener, 8)) {
		perror("agent: relay");
		_exit(1);
	}
	for (;;) {
		int far, near = accept(listener, NULL, NULL);
		int one = 1;

		if (near < 0 || fork() != 0) {
			close(near);
			continue;
		}
		far = tcp_socket();
		setsockopt(near, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
		if (connect(far, (void *)&far_addr, sizeof(far_addr)) == 0)
			relay_connection(near, far);
		else // refused there: refuse here
			setsockopt(near, SOL_SOCKET, SO_LINGER, &(struct linger){ 1, 0 }, sizeof(struct linger));
		_exit(0);
	}
}

/* ---- set-up ---- */

static int open_port(void)
{
	DIR *dir = opendir("/sys/class/virtio-ports");
	struct dirent *e;

	while (dir && (e = readdir(dir))) {
		char path[512], name[64] = "";
		FILE *f;

		snprintf(path, sizeof(path), "/sys/class/virtio-ports/%s/name", e->d_name);
		f = fopen(path, "r");
		if (!f)
			continue;
		if (!fgets(name, sizeof(name), f))
			name[0] = '\0';
		fclose(f);
		if (strcmp(name, "agent\n") != 0)
			continue;
		snprintf(path, sizeof(path), "/dev/%s", e->d_name);
		return open(path, O_RDWR | O_CLOEXEC);
	}
	return -1;
}

int main(int argc, char **argv)
{
	struct agent a = { .port = open_port() };
	sigset_t set;

	if (argc < 3 || a.port < 0) {
		fprintf(stderr, "agent: no virtio-serial port named agent\n");
		return 1;
	}
	for (int i = 3; i < argc; i++)
		if (fork() == 0)
			relay(argv[2], atoi(argv[i]));
	if (chroot(argv[1]) || chdir("/")) {
		perror("agent: chroot");
		return 1;
	}
	signal(SIGPIPE, SIG_IGN);
	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sigprocmask(SIG_BLOCK, &set, NULL);
	send_frame(&a, 0, 'H', NULL, 0);
	return serve(&a, signalfd(-1, &set, SFD_CLOEXEC));
}
