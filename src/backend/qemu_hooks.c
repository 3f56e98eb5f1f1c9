/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What QEMU's gdbstub does not say, from its monitor, its log and its memory. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "backend/hmp.h"
#include "backend/qemu_start.h"
#include "backend/rsp.h"

enum { SIG_RSP_QUIT = 3, SIG_RSP_UNKNOWN = 143 }; /* QEMU's stub: the guest was shut down, or has panicked */
enum { PANIC_PORT = 0x505 };                      /* of QEMU's panic device */
enum { END_MS = 5000 };                           /* for a QEMU that hung up to end */

/* ---- registers ---- */

static int say(void *arg, unsigned vcpu, const char *line, struct strbuf *out)
{
	struct qemu *q = arg;

	return qmp_monitor(&q->qmp, line, vcpu, out);
}

static int hook_regs_read(void *arg, unsigned vcpu, uint32_t groups, struct arch_regs *r)
{
	return hmp_regs_read(say, arg, vcpu, groups, r);
}

static bool hook_vcpu_online(void *arg, unsigned vcpu)
{
	struct hmp_cpu c;

	return vcpu == 0 || hmp_cpu_read(say, arg, vcpu, &c) < 0 || hmp_cpu_online(&c);
}

/*
 * Nobody tells whether an arm64 vCPU is switched on. One that has never been has the registers that it had at first.
 */
static bool hook_vcpu_online_arm64(void *arg, unsigned vcpu)
{
	_cleanup_(strbuf_deinit) struct strbuf text = { 0 };
	struct qemu *q = arg;

	return vcpu == 0 || !q->asleep[vcpu] || qmp_monitor(&q->qmp, "info registers", vcpu, &text) < 0 ||
	       strcmp(strbuf_str(&text), q->asleep[vcpu]) != 0;
}

/* ---- memory ---- */

void qemu_region_add(struct qemu *q, uint64_t start, uint64_t end, enum target_mem_kind kind, const char *name)
{
	if (end > start)
		q->region[q->nregions++] =
			(struct target_region){ .start = GPA(start), .size = end - start, .kind = kind, .name = name };
}

static const struct target_region *hook_mem_map(void *arg, unsigned *n)
{
	struct qemu *q = arg;

	*n = q->nregions;
	return q->region;
}

/* Called for addresses in RAM regions only. */
static const void *hook_ram(void *arg, gpa at, size_t *len)
{
	struct qemu *q = arg;
	size_t have = *len;
	const void *p = mem_slot_ptr(&q->mem, at, &have);

	if (p)
		*len = MIN(*len, have);
	return p;
}

/* ---- reset, power-off, end ---- */

void qemu_on_event(void *arg, const char *name, json_object *data)
{
	struct qemu *q = arg;
	json_object *reason;

	if (strcmp(name, "SHUTDOWN") == 0 && data && json_object_object_get_ex(data, "reason", &reason))
		snprintf(q->reason, sizeof(q->reason), "%s", json_object_get_string(reason));
	else if (strcmp(name, "GUEST_PANICKED") == 0)
		snprintf(q->reason, sizeof(q->reason), "guest-panic");
}

/* Did QEMU log a triple fault since the last resume? To the guest's machine that is a reset like any other. */
static bool triple_fault_logged(struct qemu *q)
{
	char buf[16385];
	off_t end = lseek(q->log_fd, 0, SEEK_END), from = MAX(q->log_seen, end - (off_t)sizeof(buf) + 1);
	ssize_t n = pread(q->log_fd, buf, sizeof(buf) - 1, from);

	return n > 0 && memmem(buf, (size_t)n, "Triple fault", 12);
}

static void stop_set(struct stop_event *ev, enum stop_why why, const char *text)
{
	ev->why = why;
	snprintf(ev->text, sizeof(ev->text), "%s", text);
}

/*
 * When the machine stops as a whole, the stub names the thread that it looked at last. Who did it? A vCPU that has just
 * written to @port (0: not known); else one that does not wait for an interrupt, the named one if it can be.
 */
static void culprit_find(struct qemu *q, uint16_t port, struct stop_event *ev)
{
	unsigned named = ev->vcpu, best = 0;

	if (q->machine->arch != &arch_x86)
		return;
	for (unsigned i = 0; i < q->nvcpus; i++) {
		unsigned vcpu = (named + i) % q->nvcpus, score;
		struct hmp_cpu c;

		if (hmp_cpu_read(say, q, vcpu, &c) < 0 || ~c.r.have & (ARCH_CORE | ARCH_SYS))
			continue;
		score = !c.halted + 2 * (port && (c.r.x86.gpr[X86_RDX] & 0xffff) == port);
		if (score <= best)
			continue;
		best = score;
		ev->vcpu = vcpu;
		ev->pc = arch_x86.pc_get(&c.r);
	}
}

static void over_set(struct qemu *q, struct stop_event *ev, enum stop_why why)
{
	q->over = true;
	q->over_why = why;
	qemu_trace_end_line(q->trace);
	stop_set(ev, why, "");
	culprit_find(q, 0, ev);
}

static void hook_stopped(void *arg, int sig, struct stop_event *ev)
{
	struct qemu *q = arg;

	qemu_trace_sync(q->trace); // what the guest wrote before, and all of the log
	// Events come in order with answers: after this, the one that says why has been taken.
	if ((sig != SIG_RSP_QUIT && sig != SIG_RSP_UNKNOWN) || qmp_execute(&q->qmp, "query-status", NULL, NULL) < 0)
		return;
	if (strcmp(q->reason, "guest-reset") == 0) {
		over_set(q, ev, triple_fault_logged(q) ? STOP_TRIPLE_FAULT : STOP_RESET);
	} else if (strcmp(q->reason, "guest-shutdown") == 0) {
		over_set(q, ev, STOP_POWER_OFF);
	} else if (strcmp(q->reason, "guest-panic") == 0) {
		qemu_trace_end_line(q->trace);
		stop_set(ev, STOP_PANIC, "the guest's kernel panicked");
		culprit_find(q, PANIC_PORT, ev);
	} else if (sig == SIG_RSP_QUIT) {
		stop_set(ev, STOP_EXIT, "QEMU was told to shut the guest down");
		ev->code = TARGET_EXIT_DIED;
	}
}

static int hook_resuming(void *arg)
{
	struct qemu *q = arg;

	if (q->over)
		child_kill(&q->child);
	q->reason[0] = '\0';
	qemu_trace_sync(q->trace);
	q->log_seen = lseek(q->log_fd, 0, SEEK_END);
	return 0;
}

int qemu_gone_text(struct qemu *q, char *buf, size_t size)
{
	char words[300];
	int code;

	if (!child_wait(&q->child, END_MS)) {
		child_kill(&q->child);
		child_wait(&q->child, -1);
	}
	code = child_last_words(&q->child, words, sizeof(words));
	snprintf(buf, size, "QEMU %.*s", (int)sizeof(words) - 1, words);
	return code;
}

static void hook_hung_up(void *arg, struct stop_event *ev)
{
	struct qemu *q = arg;

	qemu_gone_text(q, ev->text, sizeof(ev->text));
	qemu_trace_end_line(q->trace);
	if (q->over) {
		*ev = (struct stop_event){ .why = STOP_EXIT, .code = (int)stop_exit_code(q->over_why) };
		if (q->over_why != STOP_POWER_OFF)
			snprintf(ev->text, sizeof(ev->text), "%s", stop_why_text(q->over_why));
	}
}

static void hook_kill(void *arg)
{
	struct qemu *q = arg;

	child_kill(&q->child);
}

static void hook_describe(void *arg, struct strbuf *out)
{
	struct qemu *q = arg;

	strbuf_addf(out, "QEMU (TCG), process %d, %u vCPU(s), %llu MiB\n", (int)q->child.pid, q->nvcpus,
		    (unsigned long long)(q->ram_size >> 20));
}

static int hook_info(void *arg, enum target_info what, unsigned vcpu, struct strbuf *out)
{
	return hmp_info(say, arg, what, vcpu, out);
}

void qemu_destroy(struct qemu *q)
{
	if (!q)
		return;
	child_end(&q->child);
	qemu_trace_destroy(q->trace);
	qmp_close(&q->qmp);
	if (q->ram)
		munmap(q->ram, q->ram_size);
	for (unsigned i = 0; i < ARRAY_LEN(q->asleep); i++)
		free(q->asleep[i]);
	closep(&q->log_fd);
	free(q);
}

static void hook_destroy(void *arg)
{
	qemu_destroy(arg);
}

const struct backend_rsp_hooks qemu_hooks_x86 = {
	.st_physical = true,
	.regs_read = hook_regs_read,
	.mem_map = hook_mem_map,
	.ram = hook_ram,
	.stopped = hook_stopped,
	.resuming = hook_resuming,
	.hung_up = hook_hung_up,
	.kill = hook_kill,
	.vcpu_online = hook_vcpu_online,
	.describe = hook_describe,
	.info = hook_info,
	.destroy = hook_destroy,
};

const struct backend_rsp_hooks qemu_hooks_arm64 = {
	.mem_map = hook_mem_map,
	.ram = hook_ram,
	.stopped = hook_stopped,
	.resuming = hook_resuming,
	.hung_up = hook_hung_up,
	.kill = hook_kill,
	.vcpu_online = hook_vcpu_online_arm64,
	.describe = hook_describe,
	.destroy = hook_destroy,
};
