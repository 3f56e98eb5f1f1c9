/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "server/address.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/un.h>

#include "util/cursor.h"
#include "util/macros.h"

#define FORMS "expected PORT, HOST:PORT with a loopback HOST, or unix:PATH"

static const struct sockaddr_un *as_unix(const struct address *a)
{
	return (const struct sockaddr_un *)&a->sa;
}

/* What is parsed, and what for. */
struct parse {
	const char *text, *doing, *forms;
	struct errtext *why;
};

static int not_a_form(const struct parse *p)
{
	return errtext_set(p->why, -EINVAL, "cannot %s '%s': %s", p->doing, p->text, p->forms);
}

static int parse_port(const struct parse *p, const char *port, uint16_t *ret)
{
	struct cur c = cur_init(port, strlen(port));
	uint64_t v = cur_dec(&c);

	if (!cur_done(&c))
		return not_a_form(p);
	if (v > UINT16_MAX)
		return errtext_set(p->why, -EINVAL, "cannot %s '%s': port %s is above 65535", p->doing, p->text, port);
	*ret = (uint16_t)v;
	return 0;
}

static void set_v4(struct address *a, struct in_addr host, uint16_t port)
{
	struct sockaddr_in in = { .sin_family = AF_INET, .sin_addr = host, .sin_port = htons(port) };

	a->kind = ADDRESS_TCP;
	memcpy(&a->sa, &in, sizeof(in));
	a->len = sizeof(in);
}

static void set_v6_loopback(struct address *a, uint16_t port)
{
	struct sockaddr_in6 in = { .sin6_family = AF_INET6, .sin6_addr = in6addr_loopback, .sin6_port = htons(port) };

	a->kind = ADDRESS_TCP;
	memcpy(&a->sa, &in, sizeof(in));
	a->len = sizeof(in);
}

static int parse_tcp(const struct parse *p, struct address *a)
{
	const char *text = p->text + (strncmp(p->text, "tcp:", 4) == 0 ? 4 : 0); // QEMU's users write that
	const char *colon = strrchr(text, ':');
	const char *port_text = colon ? colon + 1 : text;
	struct in_addr v4 = { .s_addr = htonl(INADDR_LOOPBACK) };
	char host[64] = "";
	uint16_t port = 0;
	int rc = parse_port(p, port_text, &port);

	if (rc < 0)
		return rc;
	if (colon && (size_t)(colon - text) < sizeof(host))
		memcpy(host, text, (size_t)(colon - text));
	else if (colon)
		return not_a_form(p);
	if (strcmp(host, "[::1]") == 0) {
		set_v6_loopback(a, port);
		return 0;
	}
	if (host[0] && strcmp(host, "localhost") != 0 &&
	    (inet_pton(AF_INET, host, &v4) != 1 || ntohl(v4.s_addr) >> 24 != IN_LOOPBACKNET))
		return errtext_set(p->why, -EACCES,
				   "cannot %s '%s': whoever reaches the port owns the guest, so HOST must be "
				   "loopback: localhost, 127.x.y.z or [::1]",
				   p->doing, p->text);
	set_v4(a, v4, port);
	return 0;
}

static int parse_unix(const struct parse *p, const char *path, struct address *a)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	size_t n = strlen(path);

	if (n == 0)
		return not_a_form(p);
	if (n >= sizeof(un.sun_path))
		return errtext_set(p->why, -ENAMETOOLONG, "cannot %s '%s': a socket's path may have %zu bytes, not %zu",
				   p->doing, p->text, sizeof(un.sun_path) - 1, n);
	memcpy(un.sun_path, path, n);
	a->kind = ADDRESS_UNIX;
	memcpy(&a->sa, &un, sizeof(un));
	a->len = sizeof(un);
	return 0;
}

static int parse_socket(const struct parse *p, struct address *a)
{
	return strncmp(p->text, "unix:", 5) == 0 ? parse_unix(p, p->text + 5, a) : parse_tcp(p, a);
}

int address_parse(const char *text, struct address *ret, struct errtext *why)
{
	const struct parse p = { text, "listen on", "expected PORT, HOST:PORT with a loopback HOST, unix:PATH, or -",
				 why };
	struct address a = { 0 };
	int rc = 0;

	if (strcmp(text, "-") == 0)
		a.kind = ADDRESS_STDIO;
	else
		rc = parse_socket(&p, &a);
	if (rc == 0)
		*ret = a;
	return rc;
}

/* A host that drops what it gets is no loopback host, so this does not take long. */
int address_connect(const char *text, struct errtext *why)
{
	const struct parse p = { text, "connect to", FORMS, why };
	_cleanup_(closep) int fd = -1;
	struct address a = { 0 };
	int rc = parse_socket(&p, &a), on = 1, ret;

	if (rc < 0)
		return rc;
	fd = socket(a.sa.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || connect(fd, (const struct sockaddr *)&a.sa, a.len) < 0)
		return errtext_set(why, errno == EINVAL ? -EIO : -errno, "cannot connect to '%s': %s", text,
				   strerror(errno));
	if (a.kind == ADDRESS_TCP) // small packets, each waited for
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	ret = fd;
	fd = -1;
	return ret;
}

/* Does somebody listen there? Only a refused connection says no. */
static bool unix_is_stale(const struct address *a)
{
	_cleanup_(closep) int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	return fd >= 0 && connect(fd, (const struct sockaddr *)&a->sa, a->len) < 0 && errno == ECONNREFUSED;
}

static int bind_unix(int fd, const struct address *a)
{
	struct stat st;

	// the mode of a new socket file comes from the descriptor: no moment at which others could connect
	if (fchmod(fd, 0600) < 0)
		return -errno;
	if (bind(fd, (const struct sockaddr *)&a->sa, a->len) == 0)
		return 0;
	if (errno != EADDRINUSE)
		return -errno;
	if (lstat(as_unix(a)->sun_path, &st) < 0 || !S_ISSOCK(st.st_mode))
		return -EEXIST;
	if (!unix_is_stale(a))
		return -EADDRINUSE;
	unlink(as_unix(a)->sun_path);
	return bind(fd, (const struct sockaddr *)&a->sa, a->len) < 0 ? -errno : 0;
}

static int bind_tcp(int fd, const struct address *a)
{
	int on = 1;

	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0)
		return -errno;
	return bind(fd, (const struct sockaddr *)&a->sa, a->len) < 0 ? -errno : 0;
}

static int listen_error(const struct address *a, int err, struct errtext *why)
{
	char name[160];

	address_print(a, -1, name, sizeof(name));
	if (err == -EEXIST)
		return errtext_set(why, err, "cannot listen on %s: a file that is not a socket is there", name);
	if (err == -EADDRINUSE)
		return errtext_set(why, err, "cannot listen on %s: another server is listening there", name);
	return errtext_set(why, err, "cannot listen on %s: %s", name, strerror(-err));
}

int address_listen(const struct address *a, struct errtext *why)
{
	_cleanup_(closep) int fd = socket(a->sa.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int rc, ret;

	if (fd < 0)
		return listen_error(a, -errno, why);
	rc = a->kind == ADDRESS_UNIX ? bind_unix(fd, a) : bind_tcp(fd, a);
	if (rc == 0 && listen(fd, 8) < 0)
		rc = -errno;
	if (rc < 0)
		return listen_error(a, rc, why);
	ret = fd;
	fd = -1;
	return ret;
}

static void print_tcp(const struct sockaddr_storage *sa, char *buf, size_t size)
{
	char host[INET6_ADDRSTRLEN] = "";

	if (sa->ss_family == AF_INET6) {
		const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)sa;

		inet_ntop(AF_INET6, &in6->sin6_addr, host, sizeof(host));
		snprintf(buf, size, "[%s]:%u", host, ntohs(in6->sin6_port));
	} else {
		const struct sockaddr_in *in = (const struct sockaddr_in *)sa;

		inet_ntop(AF_INET, &in->sin_addr, host, sizeof(host));
		snprintf(buf, size, "%s:%u", host, ntohs(in->sin_port));
	}
}

void address_print(const struct address *a, int fd, char *buf, size_t size)
{
	struct sockaddr_storage sa = a->sa;
	socklen_t len = sizeof(sa);

	if (a->kind == ADDRESS_STDIO) {
		snprintf(buf, size, "stdin/stdout");
	} else if (a->kind == ADDRESS_UNIX) {
		snprintf(buf, size, "unix:%s", as_unix(a)->sun_path);
	} else {
		// the bound address has the port that the kernel chose for port 0
		if (fd < 0 || getsockname(fd, (struct sockaddr *)&sa, &len) < 0)
			sa = a->sa;
		print_tcp(&sa, buf, size);
	}
}

void address_stat(const struct address *a, struct stat *ret)
{
	if (a->kind == ADDRESS_UNIX && lstat(as_unix(a)->sun_path, ret) < 0)
		*ret = (struct stat){ 0 };
}

void address_unlink(const struct address *a, const struct stat *made)
{
	struct stat st;

	if (a->kind == ADDRESS_UNIX && lstat(as_unix(a)->sun_path, &st) == 0 && st.st_dev == made->st_dev &&
	    st.st_ino == made->st_ino)
		unlink(as_unix(a)->sun_path);
}
