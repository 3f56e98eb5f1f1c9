/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>

#include "checkpoint/log.h"
#include "checkpoint/recent.h"
#include "cmd.h"
#include "console.h"
#include "guest.h"
#include "judge.h"
#include "server/server.h"
#include "util/loop.h"

/* Everything that `gdbvm run` holds; torn down by run_deinit() in the reverse order. */
struct run {
	struct run_options opt;
	struct console *console;
	struct checkpoint_log *checkpoints; /* NULL: not recorded */
	struct checkpoint_recent *recent;   /* what it heard last, for the monitor */
	struct checkpoint_names *names;
	struct judge *judge; /* NULL: nothing is asked of it */
	struct loop *loop;
	struct guest *guest; /* replaced as a whole when the debugger starts it anew */
	struct server *server;
	bool phys_mode; /* of the monitor on the console */
	int signal_fd;
	int status;
};

/* Returns: a negative errno if a file that tells how it went could not be written. */
static int close_checkpoints(struct run *r)
{
	struct checkpoint_record verdict;
	struct errtext why;

	if (r->checkpoints && judge_record(r->judge, &verdict))
		checkpoint_log_add(r->checkpoints, &verdict);
	const int rc = checkpoint_log_close(r->checkpoints, &why);
	if (rc < 0)
		fprintf(stderr, "gdbvm: %s\n", why.text);
	checkpoint_recent_destroy(r->recent);
	checkpoint_names_destroy(r->names);
	const int judge_rc = judge_close(r->judge);
	return rc < 0 && rc != -EFBIG ? rc : judge_rc; // the limit is as it was asked for
}

/* Returns: as close_checkpoints(). */
static int run_deinit(struct run *r)
{
	if (r->guest && r->status < CMD_SIGNAL) // who sends a signal waits for nobody
		guest_console_drain(r->guest);
	console_hangup(r->console); // a vCPU's thread may wait for somebody to read
	checkpoint_log_hangup(r->checkpoints);
	server_close(r->server);
	guest_destroy(r->guest);
	const int rc = close_checkpoints(r);
	console_close(r->console);
	loop_destroy(r->loop);
	closep(&r->signal_fd);
	run_options_deinit(&r->opt);
	return rc;
}

static void end(struct run *r, int status)
{
	if (r->server)
		server_tell_end(r->server, status > CMD_SIGNAL ? status - CMD_SIGNAL : 0);
	r->status = judge_end(r->judge, status);
	loop_quit(r->loop);
}

/* What the guest wrote before comes first. Returns: is it not to go on after this? */
static bool is_over(struct run *r, const struct stop_event *why)
{
	if (r->checkpoints)
		checkpoint_log_flush(r->checkpoints);
	judge_stop(r->judge, why);
	return stop_is_terminal(why->why) || judge_decides(r->judge);
}

static void end_at(struct run *r, const struct stop_event *why)
{
	end(r, why->why == STOP_INTERRUPT ? CMD_OK : report_end(guest_engine(r->guest), why));
}

/* ---- the console ---- */

static size_t console_input(void *arg, const void *p, size_t n)
{
	const struct run *r = arg;

	return guest_console_in(r->guest, p, n);
}

static void console_quit(void *arg)
{
	end(arg, CMD_OK);
}

static int replace_guest(struct run *r, bool reset);

struct console_line {
	struct run *run;
	bool runs_on; /* the guest, after it */
};

static void console_reset(void *arg, struct strbuf *answer)
{
	const struct console_line *line = arg;
	struct run *r = line->run;

	if (r->server && server_has_client(r->server)) {
		strbuf_adds(answer, "a debugger is connected: reset the guest there (monitor reset)\n");
		return;
	}
	if (replace_guest(r, true) < 0) {
		strbuf_adds(answer, "the guest could not be reset\n");
		return;
	}
	strbuf_adds(answer, line->runs_on ? "the guest is reset\n" : "the guest is reset, and held for a debugger\n");
	if (r->server)
		server_engine_set(r->server, guest_engine(r->guest));
}

/*
 * Stop the guest for a line of the monitor. What it did of its own in the very instant is told as it is otherwise.
 * Returns: is it there to be looked at? @runs_on: as soon as that is done.
 */
static bool console_hold(struct run *r, struct strbuf *answer, bool *runs_on)
{
	struct engine *e = guest_engine(r->guest);
	struct stop_event ev;

	if (engine_stop_now(e, &ev) < 0) {
		strbuf_adds(answer, "the guest could not be stopped\n");
		return false;
	}
	*runs_on = !(r->server && server_keeps(r->server, &ev));
	if (*runs_on && is_over(r, &ev)) {
		end_at(r, &ev);
		return false;
	}
	if (*runs_on && ev.why != STOP_INTERRUPT)
		report_end(e, &ev);
	return true;
}

/* A line of the monitor: the guest is held while a command looks at it, unless a debugger has it in its hands. */
static void console_command(void *arg, const char *line, struct strbuf *answer)
{
	struct run *r = arg;
	struct console_line held = { .run = r };
	struct monitor_ctx ctx = {
		.engine = guest_engine(r->guest), .phys_mode = &r->phys_mode, .reset = console_reset, .reset_arg = &held
	};

	if (strcmp(line, "quit") == 0) {
		end(r, CMD_OK);
		return;
	}
	if (engine_running(ctx.engine)) {
		if (r->server && server_has_client(r->server)) {
			strbuf_adds(answer, "a debugger is connected and the guest is running: stop it there first\n");
			return;
		}
		if (!console_hold(r, answer, &held.runs_on))
			return;
	}
	engine_monitor(&ctx, line, answer);
	if (held.runs_on)
		engine_run_all(guest_engine(r->guest));
}

static const struct console_events console_events = {
	.input = console_input,
	.command = console_command,
	.quit = console_quit,
};

/* ---- the guest ---- */

static void on_server_end(void *arg, const struct stop_event *why, bool killed)
{
	struct run *r = arg;

	if (!why || killed) {
		fprintf(stderr, "gdbvm: ended by the debugger\n");
		end(r, CMD_OK);
		return;
	}
	is_over(r, why);
	end_at(r, why);
}

static void on_server_kept(void *arg, const struct stop_event *why)
{
	struct run *r = arg;

	is_over(r, why);
	const int status = report_end(guest_engine(r->guest), why);
	if (judge_decides(r->judge)) {
		end(r, status);
		return;
	}
	fprintf(stderr, "gdbvm: the guest is kept as it is, waiting for GDB on %s\n", server_listening(r->server));
}

/* What a breakpoint printed while its client was going. */
static void on_server_text(void *arg, const char *text, size_t n)
{
	fwrite(text, 1, n, stderr);
}

/* A panic, or what the monitor watches: what comes of it is the guest's business. */
static void on_unseen(void *arg, const struct stop_event *why)
{
	struct run *r = arg;

	if (is_over(r, why)) {
		end_at(r, why);
		return;
	}
	report_end(guest_engine(r->guest), why);
	engine_run_all(guest_engine(r->guest));
}

static void on_guest_event(void *arg, int fd, short revents)
{
	struct run *r = arg;
	struct stop_event ev;

	if (r->server)
		server_guest_event(r->server);
	else if (engine_next_stop(guest_engine(r->guest), &ev) == 0)
		on_unseen(r, &ev);
}

static void on_signal(void *arg, int fd, short revents)
{
	const int number = signals_pending();

	if (number)
		end(arg, CMD_SIGNAL + number);
}

/* ---- what the judge asks for ---- */

static enum judge_guest judge_guest(void *arg)
{
	const struct run *r = arg;

	if (r->server && server_has_client(r->server))
		return JUDGE_DEBUGGED;
	return engine_running(guest_engine(r->guest)) && !checkpoint_log_waits(r->checkpoints) ? JUDGE_RUNS
											       : JUDGE_HELD;
}

/* The text form of what led to the verdict comes before it. */
static void judge_over(void *arg)
{
	struct run *r = arg;

	checkpoint_log_flush(r->checkpoints);
	end(r, CMD_OK);
}

static void judge_stalls(void *arg)
{
	_cleanup_(strbuf_deinit) struct strbuf vcpus = { 0 };
	struct run *r = arg;
	struct engine *e = guest_engine(r->guest);
	struct stop_event ev;

	if (engine_stop_now(e, &ev) < 0) {
		strbuf_adds(&vcpus, "and it could not be stopped");
	} else if (is_over(r, &ev)) { // just now
		end_at(r, &ev);
		return;
	}
	for (unsigned i = 0; !engine_running(e) && i < engine_target(e)->nvcpus; i++)
		engine_describe_vcpu(e, i, &vcpus);
	judge_stalled(r->judge, strbuf_str(&vcpus));
	judge_over(r);
}

/* ---- set-up ---- */

static int status_of(int err)
{
	if (err == -EADDRINUSE)
		return CMD_USAGE;
	return err == -ENODEV || err == -EPROTO || err == -ENOMEM || err == -EPIPE ? CMD_ENVIRONMENT : CMD_FILE;
}

/* `auto` is decided, and said, once: it is the same after a reset. */
static int open_accel(struct run *r)
{
	struct errtext why = { "" };
	const int accel = accel_choose(r->opt.accel, r->opt.vm.arch, &why);

	if (accel < 0)
		return cmd_fail(-accel, &why);
	if (why.text[0])
		fprintf(stderr, "gdbvm: %s\n", why.text);
	r->opt.accel = (enum cmd_accel)accel;
	return 0;
}

static int open_guest(struct run *r)
{
	const struct guest_cfg cfg = {
		.vm = &r->opt.vm,
		.accel = r->opt.accel,
		.console = r->console,
		.checkpoints = r->checkpoints,
		.recent = r->recent,
		.names = r->names,
		.asked = r->opt.checkpoints || r->judge,
		.loop = r->loop,
		.event = on_guest_event,
		.arg = r,
	};
	struct errtext why = { "" };
	const int rc = guest_create(&cfg, &r->guest, &why);

	return rc < 0 ? cmd_fail(status_of(rc), &why) : 0;
}

/* The guest from its first instruction on: a new one, and only then the end of this one. */
static int replace_guest(struct run *r, bool reset)
{
	struct guest *former = r->guest;

	r->guest = NULL;
	if (r->judge)
		checkpoint_log_flush(r->checkpoints); // all that is about the former guest
	if (open_guest(r) != 0 || judge_start(r->judge) < 0 ||
	    (reset && engine_adopt(guest_engine(r->guest), guest_engine(former)) < 0)) {
		guest_destroy(r->guest);
		r->guest = former;
		return -EIO;
	}
	guest_console_drain(former);
	guest_destroy(former);
	return 0;
}

static int on_restart(void *arg, bool reset, struct engine **ret)
{
	struct run *r = arg;
	int rc = replace_guest(r, reset);

	if (rc == 0)
		*ret = guest_engine(r->guest);
	return rc;
}

static int open_server(struct run *r)
{
	struct server_cfg cfg = {
		.addr = r->opt.gdb,
		.engine = guest_engine(r->guest),
		.loop = r->loop,
		.on_end = on_server_end,
		.on_kept = on_server_kept,
		.on_unseen = on_unseen,
		.on_restart = on_restart,
		.on_text = on_server_text,
		.arg = r,
	};
	struct errtext why = { "" };

	if (!r->opt.gdb)
		return 0;
	if (server_open(&cfg, &r->server, &why) < 0)
		return cmd_fail(CMD_LISTEN, &why);
	fprintf(stderr, "gdbvm: %s GDB on %s\n", r->opt.gdb_wait ? "waiting for" : "ready for",
		server_listening(r->server));
	return 0;
}

static int watch_all(struct run *r)
{
	struct errtext why = { "the event loop could not be set up" };

	if (loop_watch(r->loop, r->signal_fd, POLLIN, on_signal, r) < 0 ||
	    console_watch(r->console, r->loop, &console_events, r) < 0)
		return cmd_fail(CMD_ENVIRONMENT, &why);
	return 0;
}

static int open_console(struct run *r)
{
	struct errtext why = { "" };
	const char *spec = r->opt.console;

	if (!spec && r->opt.gdb && strcmp(r->opt.gdb, "-") == 0) {
		fprintf(stderr, "gdbvm: --gdb - uses stdin and stdout: no console (--console FILE or pty gives one)\n");
		spec = "none";
	}
	return console_open(spec, r->signal_fd, &r->console, &why) < 0 ? cmd_fail(CMD_FILE, &why) : 0;
}

static int open_judge(struct run *r)
{
	const struct judge_cfg cfg = {
		.expect = r->opt.expect,
		.junit = r->opt.junit,
		.metrics = r->opt.metrics,
		.timeout_ns = r->opt.boot_timeout_s * 1000000000,
		.held = r->opt.gdb_wait,
		.loop = r->loop,
		.guest = judge_guest,
		.stalled = judge_stalls,
		.over = judge_over,
		.arg = r,
	};
	struct errtext why;

	return judge_create(&cfg, &r->judge, &why) < 0 ? cmd_fail(CMD_FILE, &why) : 0;
}

static int open_checkpoints(struct run *r)
{
	struct checkpoint_log_cfg cfg = {
		.path = r->opt.checkpoints,
		.limit = r->opt.checkpoint_limit ?: UINT64_C(1) << 30,
		.text_fd = r->opt.checkpoints ? STDERR_FILENO : -1,
		.stop_fd = r->signal_fd,
	};
	struct errtext why = { "" };

	if (!r->opt.checkpoints && !r->opt.gdb && !r->judge)
		return 0;
	if (cmd_maps_load(&r->opt.maps, &r->names, &why) < 0 || judge_check_names(r->judge, r->names, &why) < 0)
		return cmd_fail(CMD_FILE, &why);
	if (checkpoint_recent_create(&r->recent) < 0) {
		errtext_set(&why, -ENOMEM, "no memory for the checkpoints");
		return cmd_fail(CMD_ENVIRONMENT, &why);
	}
	cfg.names = r->names;
	cfg.listener[cfg.nlisteners++] = (struct checkpoint_listener){ checkpoint_recent_add, r->recent };
	if (r->judge)
		cfg.listener[cfg.nlisteners++] = judge_listener(r->judge);
	return checkpoint_log_create(&cfg, &r->checkpoints, &why) < 0 ? cmd_fail(CMD_FILE, &why) : 0;
}

static int set_up(struct run *r)
{
	struct errtext why;
	int rc = signals_open(&r->signal_fd);

	if (rc == 0)
		rc = loop_create(&r->loop);
	if (rc < 0) {
		errtext_set(&why, rc, "cannot start: %s", strerror(-rc));
		return cmd_fail(CMD_ENVIRONMENT, &why);
	}
	rc = open_judge(r);
	if (rc == 0)
		rc = open_checkpoints(r);
	signals_block(); // from here on there is a terminal to be restored, and threads
	if (rc == 0)
		rc = open_console(r);
	if (rc == 0)
		rc = open_accel(r);
	if (rc == 0)
		rc = open_guest(r);
	if (rc == 0)
		rc = open_server(r);
	return rc == 0 ? watch_all(r) : rc;
}

static int serve(struct run *r)
{
	const int rc = set_up(r);
	struct errtext why;

	if (rc != 0) {
		checkpoint_log_cancel(r->checkpoints);
		return rc;
	}
	if (judge_start(r->judge) < 0) {
		errtext_set(&why, -ENOMEM, "no memory to judge checkpoints");
		return cmd_fail(CMD_ENVIRONMENT, &why);
	}
	checkpoint_log_begin(r->checkpoints);
	if (!r->opt.gdb_wait)
		engine_run_all(guest_engine(r->guest));
	loop_run(r->loop);
	return r->status;
}

int cmd_run(int argc, char **argv)
{
	struct run r = { .signal_fd = -1 };
	int status;

	run_options_parse(argc, argv, &r.opt);
	status = serve(&r);
	return run_deinit(&r) < 0 && status == CMD_OK ? CMD_FILE : status;
}
