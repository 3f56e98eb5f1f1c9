/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "trace/tracefs.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "util/macros.h"

/* Where tracefs is mounted, the usual place first. */
static const char *const roots[] = { "/sys/kernel/tracing", "/sys/kernel/debug/tracing" };

enum { TEXT_MAX = 8192 };

/* Whole, NUL-terminated. */
static int read_text(const char *path, char text[TEXT_MAX])
{
	_cleanup_(closep) int fd = open(path, O_RDONLY | O_CLOEXEC);
	size_t n = 0;
	ssize_t k = 1;

	if (fd < 0)
		return -errno;
	while (n < TEXT_MAX - 1 && (k = read(fd, text + n, TEXT_MAX - 1 - n)) > 0)
		n += (size_t)k;
	text[n] = '\0';
	return k < 0 ? -errno : 0;
}

static int read_format(const char *root, const char *name, char text[TEXT_MAX])
{
	char path[128];

	snprintf(path, sizeof(path), "%s/events/kvm/%s/format", root, name);
	return read_text(path, text);
}

static bool has_events(const char *root)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/events", root);
	return access(path, F_OK) == 0;
}

static int explain(int rc, const char *root, struct errtext *why)
{
	if (rc == -EACCES || rc == -EPERM)
		return errtext_set(why, -EACCES,
				   "cannot read %s/events/kvm/kvm_pio/format: %s; it takes root (sudo gdbvm trace ...)",
				   root, strerror(-rc));
	if (rc != -ENOENT)
		return errtext_set(why, rc, "cannot read %s/events/kvm/kvm_pio/format: %s", root, strerror(-rc));
	if (!has_events(root))
		return errtext_set(why, rc,
				   "there is no tracefs at %s: mount it (as root: mount -t tracefs tracefs %s), if the "
				   "kernel has it (CONFIG_FTRACE)",
				   roots[0], roots[0]);
	return errtext_set(why, rc,
			   "the kernel has no tracepoint kvm:kvm_pio (%s/events/kvm/kvm_pio): KVM is not loaded (as "
			   "root: modprobe kvm), or this is no x86 host",
			   root);
}

static int take_fields(const char *text, struct trace_points *p)
{
	const struct {
		const char *name;
		struct trace_field *to;
	} fields[] = {
		{ "rw", &p->rw }, { "port", &p->port }, { "size", &p->size }, { "count", &p->count }, { "val", &p->val }
	};
	int rc = trace_format_id(text, &p->pio);

	for (unsigned i = 0; i < ARRAY_LEN(fields) && rc == 0; i++)
		rc = trace_format_field(text, fields[i].name, fields[i].to);
	return rc;
}

int trace_points_read(struct trace_points *ret, struct errtext *why)
{
	struct trace_points p = { 0 };
	char text[TEXT_MAX];
	const char *root = roots[0];
	int rc = -ENOENT;

	for (unsigned i = 0; i < ARRAY_LEN(roots) && rc == -ENOENT; i++) {
		rc = read_format(roots[i], "kvm_pio", text);
		if (rc != -ENOENT || has_events(roots[i]))
			root = roots[i];
	}
	if (rc < 0)
		return explain(rc, root, why);
	if (take_fields(text, &p) < 0)
		return errtext_set(why, -EPROTO, "%s/events/kvm/kvm_pio/format has not the fields that were expected",
				   root);
	if (read_format(root, "kvm_entry", text) < 0 || trace_format_id(text, &p.entry) < 0 ||
	    trace_format_field(text, "vcpu_id", &p.vcpu) < 0)
		p.entry = 0;
	*ret = p;
	return 0;
}
