/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <argp.h>
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>

#include "checkpoint/log.h"
#include "cmd.h"
#include "trace/trace.h"
#include "util/cursor.h"
#include "util/loop.h"

/* The checkpoints of a guest in another VMM: `gdbvm trace`. */
struct tracing {
	struct trace_cfg cfg;
	const char *path; /* NULL: no file */
	uint64_t limit;
	struct cmd_maps maps;
	struct checkpoint_names *names;
	struct checkpoint_log *log;
	struct trace *trace;
	int signal_fd;
	int status;
};

/* ---- options ---- */

enum { OPT_CHECKPOINTS = 0x100, OPT_LIMIT, OPT_MAP, OPT_PORT };

// clang-format off
static const struct argp_option options[] = {
	{ "checkpoints", OPT_CHECKPOINTS, "FILE", 0, "record to this file, too (JSON Lines)", 0 },
	{ "checkpoint-map", OPT_MAP, "FILE|ovmf|efi|linux|seabios", 0, "names for what is recorded; may be repeated", 0 },
	{ "checkpoint-limit", OPT_LIMIT, "SIZE", 0, "end that file at SIZE MiB, or with suffix K, M or G (default 1G)", 0 },
	{ "debug-port", OPT_PORT, "PORT[,PORT...]", 0, "I/O ports that are traced instead of 0x80, up to 8; of 0x402, a debug console, whole lines are recorded", 0 },
	{ 0 },
};
// clang-format on

static void take_pid(struct argp_state *st, const char *arg, struct tracing *t)
{
	struct cur c = cur_init(arg, strlen(arg));
	const uint64_t pid = cur_dec(&c);

	if (t->cfg.pid)
		argp_error(st, "%s: unexpected argument", arg);
	if (!cur_done(&c) || pid < 1 || pid > INT32_MAX)
		argp_error(st, "%s: expected the process id of a VMM", arg);
	t->cfg.pid = (pid_t)pid;
}

static void check(struct argp_state *st, struct tracing *t)
{
	if (!t->cfg.pid)
		argp_error(st, "nothing to trace: expected the process id of a VMM");
	if (t->limit && !t->path)
		argp_error(st, "--checkpoint-limit: expected together with --checkpoints");
	if (t->maps.n && !t->path)
		argp_error(st, "--checkpoint-map %s: expected together with --checkpoints", t->maps.spec[0]);
	cmd_outputs_check(st, &(struct cmd_file){ "--checkpoints", t->path }, 1, NULL, 0, &t->maps);
	if (!t->cfg.nports)
		t->cfg.port[t->cfg.nports++] = 0x80;
}

static error_t parse(int key, char *arg, struct argp_state *st)
{
	struct tracing *t = st->input;

	switch (key) {
	case OPT_CHECKPOINTS:
		t->path = arg;
		return 0;
	case OPT_LIMIT:
		t->limit = cmd_limit_take(st, arg);
		return 0;
	case OPT_MAP:
		cmd_maps_take(st, &t->maps, arg);
		return 0;
	case OPT_PORT:
		t->cfg.nports = cmd_ports_take(st, arg, t->cfg.port);
		return 0;
	case ARGP_KEY_ARG:
		take_pid(st, arg, t);
		return 0;
	case ARGP_KEY_END:
		check(st, t);
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static void options_parse(int argc, char **argv, struct tracing *t)
{
	static const struct argp argp = {
		.options = options,
		.parser = parse,
		.args_doc = "PID",
		.doc = "Print, and record, what the guest of a running VMM on KVM (QEMU, kvmtool, Firecracker...) "
		       "writes to its debug ports, until the VMM ends. The VMM is not touched: the host kernel's "
		       "tracepoint kvm:kvm_pio tells. It takes root.",
	};
	char name[] = "gdbvm trace";

	argp_err_exit_status = CMD_USAGE;
	argv[0] = name;
	argp_parse(&argp, argc, argv, 0, NULL, t);
}

/* ---- tracing ---- */

static void on_record(void *arg, const struct checkpoint_record *rec)
{
	const struct tracing *t = arg;

	checkpoint_log_add(t->log, rec);
}

static void on_ended(void *arg)
{
	const struct tracing *t = arg;

	loop_quit(t->cfg.loop);
}

static void on_signal(void *arg, int fd, short revents)
{
	struct tracing *t = arg;
	const int number = signals_pending();

	if (!number)
		return;
	t->status = CMD_SIGNAL + number;
	loop_quit(t->cfg.loop);
}

static int open_log(struct tracing *t)
{
	struct checkpoint_log_cfg cfg = {
		.path = t->path,
		.limit = t->limit ?: UINT64_C(1) << 30,
		.text_fd = STDERR_FILENO,
		.stop_fd = t->signal_fd,
	};
	struct errtext why = { "" };

	if (cmd_maps_load(&t->maps, &t->names, &why) < 0)
		return cmd_fail(CMD_FILE, &why);
	cfg.names = t->names;
	return checkpoint_log_create(&cfg, &t->log, &why) < 0 ? cmd_fail(CMD_FILE, &why) : 0;
}

static int set_up(struct tracing *t)
{
	struct errtext why = { "" };
	int rc = signals_open(&t->signal_fd), status;

	if (rc == 0)
		rc = loop_create(&t->cfg.loop);
	if (rc == 0)
		rc = loop_watch(t->cfg.loop, t->signal_fd, POLLIN, on_signal, t);
	if (rc < 0) {
		errtext_set(&why, rc, "cannot start: %s", strerror(-rc));
		return cmd_fail(CMD_ENVIRONMENT, &why);
	}
	status = open_log(t);
	signals_block();
	if (status != 0)
		return status;
	rc = trace_open(&t->cfg, &t->trace, &why);
	if (rc < 0)
		return cmd_fail(rc == -ESRCH || rc == -EINVAL ? CMD_USAGE : CMD_ENVIRONMENT, &why);
	checkpoint_log_begin(t->log);
	trace_process_text(t->cfg.pid, &why);
	fprintf(stderr, "gdbvm: tracing process %s\n", why.text);
	return 0;
}

static void tell_end(const struct tracing *t, const struct trace_stats *stats)
{
	if (!t->trace)
		return;
	if (t->status == CMD_OK)
		fprintf(stderr, "gdbvm: process %d has ended\n", (int)t->cfg.pid);
	if (stats->lost)
		fprintf(stderr,
			"gdbvm: %" PRIu64 " writes were traced; %" PRIu64
			" of this or another guest came faster than they could be read, and are lost\n",
			stats->writes, stats->lost);
}

static void deinit(struct tracing *t)
{
	const struct trace_stats stats = trace_close(t->trace);
	struct errtext why;

	if (t->log && t->trace)
		checkpoint_log_flush(t->log);
	else
		checkpoint_log_cancel(t->log);
	checkpoint_log_hangup(t->log);
	const int rc = checkpoint_log_close(t->log, &why);
	if (rc < 0)
		fprintf(stderr, "gdbvm: %s\n", why.text);
	if (rc < 0 && rc != -EFBIG && t->status == CMD_OK)
		t->status = CMD_FILE;
	tell_end(t, &stats);
	checkpoint_names_destroy(t->names);
	loop_destroy(t->cfg.loop);
	closep(&t->signal_fd);
}

int cmd_trace(int argc, char **argv)
{
	struct tracing t = { .signal_fd = -1, .cfg = { .add = on_record, .ended = on_ended } };

	t.cfg.arg = &t;
	options_parse(argc, argv, &t);
	t.status = set_up(&t);
	if (t.status == 0)
		loop_run(t.cfg.loop);
	deinit(&t);
	return t.status;
}
