/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SERVER_ADDRESS_H
#define SERVER_ADDRESS_H

#include <stddef.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "util/errtext.h"

/* Where the debug server listens. */
enum address_kind { ADDRESS_TCP, ADDRESS_UNIX, ADDRESS_STDIO };

struct address {
	enum address_kind kind;
	struct sockaddr_storage sa; /* TCP and UNIX */
	socklen_t len;
};

/**
 * address_parse() - PORT, HOST:PORT (HOST empty, localhost, 127.x.y.z or [::1]), unix:PATH, or -.
 * Shape:   port 0 lets the kernel choose. Nothing is looked up: a name other than localhost is an error.
 * Returns: 0; -EINVAL: none of the forms; -EACCES: a host that other machines can reach; -ENAMETOOLONG. @why says so.
 */
int address_parse(const char *text, struct address *ret, struct errtext *why);

/**
 * address_connect() - a stream to another server: PORT, HOST:PORT or unix:PATH as address_parse() takes them.
 * Returns: the descriptor; -EINVAL, -EACCES, -ENAMETOOLONG as address_parse(); another errno of socket() or connect().
 */
int address_connect(const char *text, struct errtext *why);

/**
 * address_listen() - a non-blocking listening socket. A Unix socket gets mode 0600; one left behind by a dead server is
 * replaced, a living one is not.
 * Needs:   a->kind TCP or UNIX.
 * Returns: the descriptor; -EADDRINUSE, -EACCES, -ENOENT (no such directory)... with @why.
 */
int address_listen(const struct address *a, struct errtext *why);

/** address_print() - what the user can connect to: "127.0.0.1:1234", "unix:/path", "stdin/stdout". @fd: the listening
 * socket. */
void address_print(const struct address *a, int fd, char *buf, size_t size);

/** address_stat() - which file the Unix socket is, for address_unlink(). */
void address_stat(const struct address *a, struct stat *ret);

/** address_unlink() - remove the Unix socket that address_listen() made, unless somebody else's is there now. */
void address_unlink(const struct address *a, const struct stat *made);

#endif
