/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef BACKEND_QMP_H
#define BACKEND_QMP_H

#include <json-c/json.h>

#include "util/errtext.h"
#include "util/strbuf.h"

/*
 * A QMP client: one command, one answer; events that come in between go to a callback. One thread at a time.
 * Source: QEMU documentation, "QEMU Machine Protocol Specification".
 */
typedef void qmp_event_fn(void *arg, const char *name, json_object *data); /* data may be NULL */

struct qmp {
	int fd;
	bool dead;
	struct strbuf in; /* bytes of lines that are not complete yet */
	qmp_event_fn *on_event;
	void *arg;
};

/** qmp_open() - greeting and capabilities. @fd: taken over. -EPIPE: QEMU is gone; -EPROTO with @why. */
int qmp_open(struct qmp *q, int fd, qmp_event_fn *on_event, void *arg, struct errtext *why);
void qmp_close(struct qmp *q); /* and its descriptor */

/**
 * qmp_execute() - run one command.
 * @args: NULL or an object; the reference is taken.  @ret: NULL, or the "return" value: json_object_put() it.
 * Returns: 0; -EIO: QEMU says error (logged); -EPIPE, -ETIMEDOUT.
 */
int qmp_execute(struct qmp *q, const char *command, json_object *args, json_object **ret);

/** qmp_monitor() - a line for the human monitor, about vCPU @cpu; its text is appended to @out. */
int qmp_monitor(struct qmp *q, const char *line, unsigned cpu, struct strbuf *out);

#endif
