/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <argp.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>

#include "backend/backend.h"
#include "cmd.h"
#include "server/address.h"
#include "server/server.h"
#include "util/loop.h"

/* Another debug server's guest behind our server: `gdbvm attach`. */
struct attach {
	const char *what; /* rsp:ADDRESS */
	const char *gdb;
	bool gdb_wait;
	struct loop *loop;
	struct target *target;
	struct engine *engine;
	struct server *server;
	int signal_fd;
	int status;
};

/* ---- options ---- */

enum { OPT_GDB = 0x100, OPT_GDB_WAIT };

// clang-format off
static const struct argp_option options[] = {
	{ "gdb", OPT_GDB, "ADDR", 0, "serve GDB on PORT, HOST:PORT (loopback only), unix:PATH, or - for stdin and stdout", 0 },
	{ "gdb-wait", OPT_GDB_WAIT, NULL, 0, "hold the guest until GDB lets it run", 0 },
	{ 0 },
};
// clang-format on

static void take_what(struct argp_state *st, const char *arg, struct attach *a)
{
	if (a->what)
		argp_error(st, "%s: unexpected argument", arg);
	if (strncmp(arg, "rsp:", 4) != 0 || !arg[4])
		argp_error(st, "%s: expected rsp:HOST:PORT or rsp:unix:PATH", arg);
	a->what = arg + 4;
}

static error_t parse(int key, char *arg, struct argp_state *st)
{
	struct attach *a = st->input;

	switch (key) {
	case OPT_GDB:
		a->gdb = arg;
		return 0;
	case OPT_GDB_WAIT:
		a->gdb_wait = true;
		return 0;
	case ARGP_KEY_ARG:
		take_what(st, arg, a);
		return 0;
	case ARGP_KEY_END:
		if (!a->what)
			argp_error(st, "nothing to attach to: expected rsp:HOST:PORT or rsp:unix:PATH");
		if (!a->gdb)
			argp_error(st, "expected --gdb ADDR: where GDB will connect");
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static void options_parse(int argc, char **argv, struct attach *a)
{
	static const struct argp argp = {
		.options = options,
		.parser = parse,
		.args_doc = "rsp:HOST:PORT|rsp:unix:PATH",
		.doc = "Take over the guest of another debug server (QEMU's gdbstub, OpenOCD) on this machine, and "
		       "serve GDB for it. Its guest runs on when this ends.",
	};
	char name[] = "gdbvm attach";

	argp_err_exit_status = CMD_USAGE;
	argv[0] = name;
	argp_parse(&argp, argc, argv, 0, NULL, a);
}

/* ---- serving ---- */

static void end(struct attach *a, int status)
{
	if (a->server)
		server_tell_end(a->server, status > CMD_SIGNAL ? status - CMD_SIGNAL : 0);
	a->status = status;
	loop_quit(a->loop);
}

static void on_server_end(void *arg, const struct stop_event *why, bool killed)
{
	struct attach *a = arg;

	if (!why || killed) {
		fprintf(stderr, "gdbvm: ended by the debugger\n");
		end(a, CMD_OK);
		return;
	}
	end(a, report_end(a->engine, why));
}

static void on_server_kept(void *arg, const struct stop_event *why)
{
	struct attach *a = arg;

	report_end(a->engine, why);
	fprintf(stderr, "gdbvm: the guest is kept as it is, waiting for GDB on %s\n", server_listening(a->server));
}

static void on_server_text(void *arg, const char *text, size_t n)
{
	fwrite(text, 1, n, stderr);
}

static void on_unseen(void *arg, const struct stop_event *why)
{
	struct attach *a = arg;

	report_end(a->engine, why);
	engine_run_all(a->engine);
}

static void on_guest_event(void *arg, int fd, short revents)
{
	struct attach *a = arg;

	server_guest_event(a->server);
}

static void on_signal(void *arg, int fd, short revents)
{
	const int number = signals_pending();

	if (number)
		end(arg, CMD_SIGNAL + number);
}

/* ---- set-up ---- */

static int open_target(struct attach *a)
{
	struct errtext why = { "" }, at;
	int fd = address_connect(a->what, &why), rc;

	if (fd < 0)
		return cmd_fail(fd == -EINVAL || fd == -EACCES || fd == -ENAMETOOLONG ? CMD_USAGE : CMD_ENVIRONMENT,
				&why);
	signals_block(); // from here on there is a guest to be let go
	rc = backend_rsp_attach(fd, a->signal_fd, &a->target, &why);
	if (rc == -ECANCELED)
		return CMD_SIGNAL + signals_pending();
	if (rc < 0) {
		errtext_set(&at, rc, "rsp:%s: %s", a->what, why.text);
		return cmd_fail(CMD_ENVIRONMENT, &at);
	}
	rc = engine_create(a->target, &a->engine);
	if (rc < 0)
		errtext_set(&why, rc, "cannot start the debug engine: %s", strerror(-rc));
	return rc < 0 ? cmd_fail(CMD_ENVIRONMENT, &why) : 0;
}

static int open_server(struct attach *a)
{
	const struct server_cfg cfg = {
		.addr = a->gdb,
		.engine = a->engine,
		.loop = a->loop,
		.on_end = on_server_end,
		.on_kept = on_server_kept,
		.on_unseen = on_unseen,
		.on_text = on_server_text,
		.arg = a,
	};
	struct errtext why = { "" };

	if (server_open(&cfg, &a->server, &why) < 0)
		return cmd_fail(CMD_LISTEN, &why);
	fprintf(stderr, "gdbvm: %s GDB on %s\n", a->gdb_wait ? "waiting for" : "ready for",
		server_listening(a->server));
	return 0;
}

static int set_up(struct attach *a)
{
	struct errtext why;
	int rc = signals_open(&a->signal_fd), status;

	if (rc == 0)
		rc = loop_create(&a->loop);
	if (rc == 0) {
		status = open_target(a);
		if (status == 0)
			status = open_server(a);
		if (status != 0)
			return status;
		rc = loop_watch(a->loop, a->signal_fd, POLLIN, on_signal, a);
	}
	if (rc == 0)
		rc = loop_watch(a->loop, engine_event_fd(a->engine), POLLIN, on_guest_event, a);
	if (rc == 0)
		return 0;
	errtext_set(&why, rc, "cannot start: %s", strerror(-rc));
	return cmd_fail(CMD_ENVIRONMENT, &why);
}

/* The guest goes back to its server as it was found: no breakpoint of ours in it, and running. */
static void deinit(struct attach *a)
{
	struct stop_event ev;

	server_close(a->server);
	if (a->engine && engine_stop_now(a->engine, &ev) == 0)
		engine_clear(a->engine);
	engine_destroy(a->engine);
	target_destroy(a->target);
	loop_destroy(a->loop);
	closep(&a->signal_fd);
}

int cmd_attach(int argc, char **argv)
{
	struct attach a = { .signal_fd = -1 };

	options_parse(argc, argv, &a);
	a.status = set_up(&a);
	if (a.status == 0) {
		if (!a.gdb_wait)
			engine_run_all(a.engine);
		loop_run(a.loop);
	}
	deinit(&a);
	return a.status;
}
