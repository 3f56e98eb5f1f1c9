/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "engine/internal.h"

/* Text for the person, from any thread: what the commands of breakpoints print. */

#define TEXT_MAX 65536u /* bytes that wait to be taken */

int text_init(struct engine *e)
{
	int rc = -pthread_mutex_init(&e->text.lock, NULL);

	if (rc < 0)
		return rc;
	e->text.fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (e->text.fd >= 0)
		return 0;
	rc = -errno;
	pthread_mutex_destroy(&e->text.lock);
	return rc;
}

void text_deinit(struct engine *e)
{
	pthread_mutex_destroy(&e->text.lock);
	strbuf_deinit(&e->text.buf);
	close(e->text.fd);
}

void text_add(struct engine *e, const char *s, size_t n)
{
	struct text *t = &e->text;

	pthread_mutex_lock(&t->lock);
	if (!t->waits && n) {
		__atomic_store_n(&t->waits, true, __ATOMIC_RELEASE);
		eventfd_write(t->fd, 1);
	}
	if (n <= TEXT_MAX - t->buf.len)
		strbuf_add(&t->buf, s, n);
	else
		t->dropped += n;
	pthread_mutex_unlock(&t->lock);
}

void text_addf(struct engine *e, const char *fmt, ...)
{
	_cleanup_(strbuf_deinit) struct strbuf b = { 0 };
	va_list ap;

	va_start(ap, fmt);
	strbuf_addfv(&b, fmt, ap);
	va_end(ap);
	if (!b.oom)
		text_add(e, b.s, b.len);
}

int engine_text_fd(struct engine *e)
{
	return e->text.fd;
}

void engine_text_take(struct engine *e, struct strbuf *out)
{
	struct text *t = &e->text;
	eventfd_t n;

	if (!__atomic_load_n(&t->waits, __ATOMIC_ACQUIRE)) // looked for at every stop, and mostly there is none
		return;
	pthread_mutex_lock(&t->lock);
	eventfd_read(t->fd, &n);
	__atomic_store_n(&t->waits, false, __ATOMIC_RELEASE);
	strbuf_add(out, t->buf.s, t->buf.len);
	strbuf_reset(&t->buf);
	if (t->dropped)
		strbuf_addf(out, "gdbvm: breakpoints printed too much at once: %" PRIu64 " bytes were dropped here\n",
			    t->dropped);
	t->dropped = 0;
	pthread_mutex_unlock(&t->lock);
}
