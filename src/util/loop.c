/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "util/loop.h"

#include <errno.h>
#include <poll.h>
#include <string.h>

#include "util/macros.h"

struct watch {
	loop_fn *fn; /* NULL: removed, swept before the next poll */
	void *arg;
};

struct loop {
	struct pollfd *fds;
	struct watch *watches; /* parallel to fds: poll(2) wants its array plain */
	size_t n, cap;
	bool quit;
};

int loop_create(struct loop **ret)
{
	struct loop *l = calloc(1, sizeof(*l));

	if (!l)
		return -ENOMEM;
	*ret = l;
	return 0;
}

void loop_destroy(struct loop *l)
{
	if (!l)
		return;
	free(l->fds);
	free(l->watches);
	free(l);
}

static struct watch *find(struct loop *l, int fd)
{
	for (size_t i = 0; i < l->n; i++)
		if (l->fds[i].fd == fd && l->watches[i].fn)
			return &l->watches[i];
	return NULL;
}

static int grow(struct loop *l)
{
	size_t cap = l->cap ? 2 * l->cap : 8;
	struct pollfd *fds = realloc(l->fds, cap * sizeof(*fds));
	struct watch *watches;

	if (!fds)
		return -ENOMEM;
	l->fds = fds;
	watches = realloc(l->watches, cap * sizeof(*watches));
	if (!watches)
		return -ENOMEM;
	l->watches = watches;
	l->cap = cap;
	return 0;
}

int loop_watch(struct loop *l, int fd, short events, loop_fn *fn, void *arg)
{
	struct watch *w = find(l, fd);
	int rc;

	if (!w) {
		rc = l->n == l->cap ? grow(l) : 0;
		if (rc < 0)
			return rc;
		w = &l->watches[l->n];
		l->fds[l->n++].fd = fd;
	}
	*w = (struct watch){ .fn = fn, .arg = arg };
	l->fds[w - l->watches].events = events;
	l->fds[w - l->watches].revents = 0;
	return 0;
}

void loop_unwatch(struct loop *l, int fd)
{
	struct watch *w = find(l, fd);

	if (w)
		w->fn = NULL;
}

static void sweep(struct loop *l)
{
	size_t kept = 0;

	for (size_t i = 0; i < l->n; i++) {
		if (!l->watches[i].fn)
			continue;
		l->fds[kept] = l->fds[i];
		l->watches[kept++] = l->watches[i];
	}
	l->n = kept;
}

int loop_once(struct loop *l, int timeout_ms)
{
	int called = 0, ready;

	sweep(l);
	ready = poll(l->fds, l->n, timeout_ms);
	if (ready < 0)
		return errno == EINTR ? 0 : -errno;
	for (size_t i = 0, n = l->n; i < n && !l->quit; i++) {
		short revents = l->fds[i].revents;

		l->fds[i].revents = 0;
		if (!revents || !l->watches[i].fn)
			continue;
		l->watches[i].fn(l->watches[i].arg, l->fds[i].fd, revents);
		called++;
	}
	return called;
}

int loop_run(struct loop *l)
{
	int rc = 0;

	while (!l->quit && rc >= 0)
		rc = loop_once(l, -1);
	return rc < 0 ? rc : 0;
}

void loop_quit(struct loop *l)
{
	l->quit = true;
}
