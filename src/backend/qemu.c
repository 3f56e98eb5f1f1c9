/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <time.h>

#include "backend/qemu_start.h"
#include "backend/rsp.h"
#define LOG_ROOM LOG_BACKEND
#include "util/log.h"

static void start_deinit(struct qemu_start *s)
{
	for (unsigned i = 0; i < QEMU_NFDS; i++)
		closep(&s->theirs[i]);
	for (unsigned i = 0; i < ARRAY_LEN(s->ours); i++)
		closep(&s->ours[i]);
	if (!s->taken)
		qemu_destroy(s->q);
}

static int memfd_new(const char *name, uint64_t size)
{
	int fd = memfd_create(name, MFD_CLOEXEC);

	if (fd >= 0 && ftruncate(fd, (off_t)size) == 0)
		return fd;
	closep(&fd);
	return -1;
}

int qemu_memfd_of(const char *name, const void *p, size_t n)
{
	int fd = memfd_new(name, 0);

	for (size_t at = 0; fd >= 0 && at < n;) {
		ssize_t k = write(fd, (const char *)p + at, n - at);

		if (k < 0) {
			close(fd);
			return -1;
		}
		at += (size_t)k;
	}
	return fd;
}

/* The guest's RAM as our loaders see it. */
static void ram_view(struct qemu *q, const struct mem_layout *at, uint64_t size)
{
	const uint64_t low = at->hole_size ? MIN(size, at->hole_start - at->start.raw) : size;
	struct mem *m = &q->mem;

	q->ram_size = m->ram_size = size;
	m->slot[m->nslots++] = (struct kvm_slot){ .start = at->start, .size = low, .hva = q->ram };
	if (size > low)
		m->slot[m->nslots++] = (struct kvm_slot){ .start = GPA(at->hole_start + at->hole_size),
							  .size = size - low,
							  .hva = q->ram + low };
}

/* QEMU's log is told to the trace, which passes on to the file what is not about debug ports. */
static int trace_open(struct qemu_start *s)
{
	int theirs, rc = qemu_trace_create(s->cfg, s->q->log_fd, &s->q->trace, &theirs);

	if (rc < 0)
		return rc;
	close(s->theirs[QEMU_FD_LOG]);
	s->theirs[QEMU_FD_LOG] = theirs;
	return 0;
}

static int channels_open(struct qemu_start *s)
{
	struct qemu *q = s->q;
	uint64_t size = s->cfg->mem_size;
	int rc;

	for (unsigned i = 0; i < ARRAY_LEN(s->ours); i++) {
		int pair[2];

		if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
			return -errno;
		s->theirs[QEMU_FD_GDB + i] = pair[0];
		s->ours[i] = pair[1];
	}
	s->theirs[QEMU_FD_RAM] = memfd_new("guest-ram", size);
	s->theirs[QEMU_FD_LOG] = memfd_new("qemu-log", 0);
	if (s->theirs[QEMU_FD_RAM] < 0 || s->theirs[QEMU_FD_LOG] < 0)
		return -errno;
	q->log_fd = fcntl(s->theirs[QEMU_FD_LOG], F_DUPFD_CLOEXEC, 0);
	if (q->log_fd < 0)
		return -errno;
	if (s->cfg->checkpoint && (rc = trace_open(s)) < 0)
		return rc;
	q->ram = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, s->theirs[QEMU_FD_RAM], 0);
	if (q->ram == MAP_FAILED)
		q->ram = NULL;
	if (!q->ram)
		return -errno;
	ram_view(q, q->machine->ram, size);
	return 0;
}

/* ---- starting ---- */

static int program_start(struct qemu_start *s, struct errtext *why)
{
	_cleanup_(args_deinit) struct args a = { 0 };
	const char *chosen = getenv("GDBVM_QEMU"), *program = chosen && *chosen ? chosen : s->q->machine->program;
	int inherited[QEMU_NFDS];
	unsigned n = 0;
	int rc;

	for (unsigned i = 0; i < QEMU_NFDS; i++) {
		if (s->theirs[i] >= 0)
			inherited[n++] = s->theirs[i];
	}
	s->program = program;
	s->q->machine->args(&a, program, s->cfg, s->theirs);
	rc = a.oom ? -ENOMEM : child_start(&s->q->child, a.v, inherited, n);
	if (rc == -ENOENT && program != chosen)
		return errtext_set(why, -ENODEV,
				   "there is no %s in PATH: install the package %s, or name a QEMU in GDBVM_QEMU",
				   program, s->q->machine->package);
	if (rc < 0)
		return errtext_set(why, rc, "cannot start %s%s: %s", program,
				   program == chosen ? " (from GDBVM_QEMU)" : "", strerror(-rc));
	for (unsigned i = 0; i < QEMU_NFDS; i++) { // or its end would never show as a hang-up
		closep(&s->theirs[i]);
		s->theirs[i] = -1;
	}
	return 0;
}

/* When a conversation with QEMU failed because it ended, that is what to say. */
static int gone_or(struct qemu *q, int rc, struct errtext *why)
{
	char text[400];

	if (rc != -EPIPE)
		return rc;
	qemu_gone_text(q, text, sizeof(text));
	return errtext_set(why, -EPROTO, "%s", text);
}

static int qemu_connect(struct qemu_start *s, struct target **ret, struct errtext *why)
{
	struct qemu *q = s->q;
	_cleanup_(target_destroyp) struct target *t = NULL;
	int rc = qmp_open(&q->qmp, s->ours[QEMU_FD_QMP], qemu_on_event, q, why);

	s->ours[QEMU_FD_QMP] = -1;
	if (rc == 0) {
		rc = backend_rsp_create(s->ours[QEMU_FD_GDB], q->machine->hooks, q, &t, why);
		s->ours[QEMU_FD_GDB] = -1;
	}
	if (rc < 0)
		return gone_or(q, rc, why);
	s->taken = true;
	if (t->nvcpus != s->cfg->cpus)
		return errtext_set(why, -EPROTO, "QEMU made %u vCPUs, not %u", t->nvcpus, s->cfg->cpus);
	if (t->arch != q->machine->arch)
		return errtext_set(why, -EPROTO, "%s runs %s guests, not %s", s->program, t->arch->name,
				   q->machine->arch->name);
	rc = q->machine->enter(s, t, why);
	if (rc == 0 && q->trace)
		qemu_trace_begin(q->trace);
	if (rc == 0)
		*ret = take_ptr(t);
	return rc;
}

int backend_qemu_create(const struct vm_cfg *cfg, struct target **ret, int *serial_fd, struct errtext *why)
{
	_cleanup_(start_deinit) struct qemu_start s = { .cfg = cfg, .ours = { -1, -1, -1 } };
	int rc;

	memset(s.theirs, 0xff, sizeof(s.theirs));
	s.q = calloc(1, sizeof(*s.q));
	if (!s.q)
		return errtext_set(why, -ENOMEM, "no memory for the guest in QEMU");
	s.q->log_fd = s.q->qmp.fd = -1;
	s.q->nvcpus = cfg->cpus;
	s.q->machine = (cfg->arch ?: vm_arch()) == &arch_arm64 ? &qemu_machine_arm64 : &qemu_machine_x86;
	if (cfg->checkpoint && s.q->machine->arch != &arch_x86)
		return errtext_set(why, -ENODEV,
				   "--checkpoints: QEMU's machine for %s guests has no debug port; use --accel kvm",
				   s.q->machine->arch->name);
	rc = channels_open(&s);
	if (rc < 0)
		return errtext_set(why, rc, "no memory for a guest of %" PRIu64 " MiB: %s", cfg->mem_size >> 20,
				   strerror(-rc));
	if (cfg->disk && access(cfg->disk, R_OK) < 0)
		return errtext_set(why, -errno, "cannot read the disk %s: %s", cfg->disk, strerror(errno));
	rc = s.q->machine->prepare(&s, why);
	if (rc < 0)
		return rc;
	s.q->machine->regions(s.q, s.rom_size);
	rc = program_start(&s, why);
	if (rc == 0)
		rc = qemu_connect(&s, ret, why);
	if (rc < 0)
		return rc;
	*serial_fd = s.ours[QEMU_FD_SERIAL];
	s.ours[QEMU_FD_SERIAL] = -1;
	return 0;
}
