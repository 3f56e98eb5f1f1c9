/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "backend/qmp.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>

#define LOG_ROOM LOG_BACKEND
#include "util/log.h"

enum { ANSWER_MS = 10000, LINE_MAX_BYTES = 4 << 20 };

static void json_putp(json_object **o)
{
	json_object_put(*o);
}

static int give_up(struct qmp *q, int err)
{
	q->dead = true;
	return err;
}

static int wait_for(struct qmp *q, short events)
{
	struct pollfd p = { .fd = q->fd, .events = events };
	int n;

	do
		n = poll(&p, 1, ANSWER_MS);
	while (n < 0 && errno == EINTR);
	return n > 0 ? 0 : give_up(q, -ETIMEDOUT);
}

static int write_all(struct qmp *q, const char *p, size_t n)
{
	while (n && !q->dead) {
		ssize_t k = send(q->fd, p, n, MSG_NOSIGNAL | MSG_DONTWAIT);

		if (k > 0) {
			p += k;
			n -= (size_t)k;
		} else if (errno == EAGAIN) {
			wait_for(q, POLLOUT);
		} else if (errno != EINTR) {
			give_up(q, -EPIPE);
		}
	}
	return q->dead ? -EPIPE : 0;
}

/* Takes the first whole line off the buffer. NULL: there is none, or it is not JSON (then *bad). */
static json_object *line_take(struct qmp *q, bool *bad)
{
	char *end = q->in.len ? memchr(q->in.s, '\n', q->in.len) : NULL;
	json_object *o;
	size_t n;

	*bad = false;
	if (!end)
		return NULL;
	*end = '\0';
	o = json_tokener_parse(q->in.s);
	*bad = !o;
	n = (size_t)(end + 1 - q->in.s);
	memmove(q->in.s, q->in.s + n, q->in.len - n);
	q->in.len -= n;
	return o;
}

static int message_read(struct qmp *q, json_object **ret)
{
	for (;;) {
		char buf[8192];
		bool bad;
		json_object *o = q->dead ? NULL : line_take(q, &bad);
		ssize_t k;

		if (o) {
			*ret = o;
			return 0;
		}
		if (q->dead)
			return -EPIPE;
		if (bad || q->in.oom || q->in.len > LINE_MAX_BYTES)
			return give_up(q, -EPROTO);
		if (wait_for(q, POLLIN) < 0)
			return -ETIMEDOUT;
		k = recv(q->fd, buf, sizeof(buf), 0);
		if (k == 0 || (k < 0 && errno != EINTR))
			return give_up(q, -EPIPE);
		if (k > 0)
			strbuf_add(&q->in, buf, (size_t)k);
	}
}

/* An event goes to its taker. Returns: was it one? */
static bool event_take(struct qmp *q, json_object *o)
{
	json_object *name, *data = NULL;

	if (!json_object_object_get_ex(o, "event", &name))
		return false;
	json_object_object_get_ex(o, "data", &data);
	log_dbg("qmp event=%s", json_object_get_string(name));
	q->on_event(q->arg, json_object_get_string(name), data);
	return true;
}

int qmp_execute(struct qmp *q, const char *command, json_object *args, json_object **ret)
{
	_cleanup_(json_putp) json_object *req = json_object_new_object();
	_cleanup_(strbuf_deinit) struct strbuf line = { 0 };
	int rc;

	json_object_object_add(req, "execute", json_object_new_string(command));
	if (args)
		json_object_object_add(req, "arguments", args);
	strbuf_addf(&line, "%s\n", json_object_to_json_string_ext(req, JSON_C_TO_STRING_PLAIN));
	rc = line.oom ? -ENOMEM : write_all(q, line.s, line.len);
	while (rc == 0) {
		_cleanup_(json_putp) json_object *o = NULL;
		json_object *value;

		rc = message_read(q, &o);
		if (rc < 0 || event_take(q, o))
			continue;
		if (!json_object_object_get_ex(o, "return", &value)) {
			log_warn("QEMU refused %s: %s", command, json_object_to_json_string(o));
			return -EIO;
		}
		if (ret)
			*ret = json_object_get(value);
		return 0;
	}
	return rc;
}

int qmp_monitor(struct qmp *q, const char *line, unsigned cpu, struct strbuf *out)
{
	_cleanup_(json_putp) json_object *text = NULL;
	json_object *args = json_object_new_object();
	int rc;

	json_object_object_add(args, "command-line", json_object_new_string(line));
	json_object_object_add(args, "cpu-index", json_object_new_int((int)cpu));
	rc = qmp_execute(q, "human-monitor-command", args, &text);
	if (rc == 0)
		strbuf_adds(out, json_object_get_string(text));
	return rc < 0 ? rc : out->oom ? -ENOMEM : 0;
}

int qmp_open(struct qmp *q, int fd, qmp_event_fn *on_event, void *arg, struct errtext *why)
{
	_cleanup_(json_putp) json_object *hello = NULL;
	int rc;

	*q = (struct qmp){ .fd = fd, .on_event = on_event, .arg = arg };
	rc = message_read(q, &hello);
	if (rc == 0 && !json_object_object_get_ex(hello, "QMP", NULL))
		rc = -EPROTO;
	if (rc == 0)
		rc = qmp_execute(q, "qmp_capabilities", NULL, NULL);
	return rc < 0 ? errtext_set(why, rc, "QEMU's control socket does not answer: %s", strerror(-rc)) : 0;
}

void qmp_close(struct qmp *q)
{
	closep(&q->fd);
	q->fd = -1;
	q->dead = true;
	strbuf_deinit(&q->in);
}
