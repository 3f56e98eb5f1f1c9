/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Plays transcripts against a session, an engine and a fake guest, and compares what comes back. A transcript is a
 * text file in the form of the wire log:
 *
 *	# comment
 *	-> $m1000,4##        bytes to the server; \xNN is a byte, \(41*500) is 500 bytes of 0x41, ## is the checksum
 *	<- $deadbeef##       exactly these bytes come back
 *	<! EINVAL            the error reply for this errno
 *	<~ T05*thread:1;*    one packet whose body has this form (* is any text; bytes as \xNN)
 *	<O *text*            one O packet whose decoded text has this form
 *
 * and directives for the world around the session, which starts with one vCPU, 64 KiB of RAM, a stopped guest and a
 * client in no-ack mode:
 *
 *	@ vcpus N | ramsize HEX | rom AT SIZE | without hw|step|range|vcpu-on | native-sw | acks | restartable |
 *	  arm64 [BYTES OF A Z REGISTER, HEX]   (these first)
 *	@ ram AT HEXBYTES | reg VCPU NAME VALUE | run | fail K ERRNO
 *	@ stop WHY [vcpu=N] [pc=HEX] [at=HEX] [size=N] [kind=write|read|access] [code=N] [text=...]   (ends the next
 *resume)
 *	@ events off|on      hold back what the guest reports, let it through
 *	@ hangup | connect   the client's connection breaks; a new one comes
 *	@ state NAME | running | stopped | breakpoints N | plan ACTION...                    (checks)
 */
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/engine.h"
#include "rsp/out.h"
#include "rsp/rx.h"
#include "server/session.h"
#include "util/bytes.h"
#include "util/cursor.h"
#include "util/log.h"
#include "util/macros.h"

struct world {
	const char *file;
	unsigned line;
	bool failed;
	struct target_fake_cfg cfg;
	bool acks, events_off, restartable;
	struct target *target;
	struct engine *engine;
	struct session *session;
	enum session_state state;
};

struct name_value {
	const char *name;
	int value;
};

// clang-format off
static const struct name_value errno_names[] = {
	{ "EINVAL", EINVAL }, { "EBUSY", EBUSY }, { "EFAULT", EFAULT }, { "ENOTSUP", ENOTSUP }, { "ESRCH", ESRCH },
	{ "EPERM", EPERM }, { "ENOENT", ENOENT }, { "ENOSPC", ENOSPC }, { "EMSGSIZE", EMSGSIZE }, { "EBADMSG", EBADMSG },
	{ "EIO", EIO }, { "ENODEV", ENODEV }, { "E2BIG", E2BIG }, { NULL, 0 },
};
static const struct name_value why_names[] = {
	{ "interrupt", STOP_INTERRUPT }, { "step", STOP_STEP }, { "swbreak", STOP_SWBREAK }, { "hwbreak", STOP_HWBREAK },
	{ "watch", STOP_WATCH }, { "pwatch", STOP_PWATCH }, { "panic", STOP_PANIC }, { "vcpu-on", STOP_VCPU_ON }, { "reset", STOP_RESET }, { "triple-fault", STOP_TRIPLE_FAULT },
	{ "internal-error", STOP_INTERNAL_ERROR }, { "power-off", STOP_POWER_OFF }, { "exit", STOP_EXIT }, { NULL, 0 },
};
static const struct name_value kind_names[] = {
	{ "write", HW_WRITE }, { "read", HW_READ }, { "access", HW_ACCESS }, { NULL, 0 },
};
static const struct name_value action_names[] = {
	{ "hold", TARGET_HOLD }, { "run", TARGET_RUN }, { "step", TARGET_STEP }, { "range", TARGET_STEP_RANGE }, { NULL, 0 },
};
static const struct name_value state_names[] = {
	{ "open", SESSION_OPEN }, { "detached", SESSION_DETACHED }, { "killed", SESSION_KILLED },
	{ "junk", SESSION_JUNK }, { "exited", SESSION_EXITED }, { NULL, 0 },
};
// clang-format on

static void _printf_(2, 3) fail(struct world *w, const char *fmt, ...)
{
	va_list ap;

	w->failed = true;
	fprintf(stderr, "%s:%u: ", w->file, w->line);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
}

static int value_of(struct world *w, const struct name_value *names, const char *name)
{
	for (; name && names->name; names++)
		if (strcmp(names->name, name) == 0)
			return names->value;
	fail(w, "unknown word '%s'", name ? name : "");
	return 0;
}

static uint64_t hex_of(struct world *w, const char *text)
{
	struct cur c = cur_init(text ? text : "", text ? strlen(text) : 0);
	uint64_t v = cur_hex(&c);

	if (!cur_done(&c))
		fail(w, "not a hex number: '%s'", text ? text : "");
	return v;
}

/* ---- bytes and their text ---- */

static void add_checksum(struct strbuf *out)
{
	uint8_t sum = 0;

	for (size_t i = out->len; i > 0 && out->s[i - 1] != '$'; i--)
		sum += (uint8_t)out->s[i - 1];
	strbuf_addf(out, "#%02x", sum);
}

/* \xNN, \(NN*COUNT), ## */
static void decode(struct world *w, const char *text, struct strbuf *out)
{
	unsigned byte, count;
	int used;

	while (*text) {
		used = 0;
		if (strncmp(text, "##", 2) == 0) {
			add_checksum(out);
			used = 2;
		} else if (sscanf(text, "\\x%2x%n", &byte, &used) == 1 && used) {
			strbuf_addc(out, (char)byte);
		} else if (sscanf(text, "\\(%2x*%u)%n", &byte, &count, &used) == 2 && used) {
			while (count--)
				strbuf_addc(out, (char)byte);
		} else {
			strbuf_addc(out, *text);
			used = 1;
		}
		text += used;
	}
}

static void show(const char *p, size_t n, struct strbuf *out)
{
	for (size_t i = 0; i < n; i++) {
		if (isprint((unsigned char)p[i]) && p[i] != '\\')
			strbuf_addc(out, p[i]);
		else
			strbuf_addf(out, "\\x%02x", (uint8_t)p[i]);
	}
}

static bool glob(const char *form, const char *s)
{
	while (*form && *form != '*') {
		if (*form++ != *s++)
			return false;
	}
	if (!*form)
		return !*s;
	for (;; s++) {
		if (glob(form + 1, s))
			return true;
		if (!*s)
			return false;
	}
}

/* ---- the world ---- */

static void guest_events(struct world *w)
{
	struct pollfd text = { .fd = engine_text_fd(w->engine), .events = POLLIN };

	if (w->state == SESSION_OPEN && poll(&text, 1, 0) > 0)
		session_guest_text(w->session);
	while (!w->events_off && w->state == SESSION_OPEN) {
		struct pollfd fd = { .fd = engine_event_fd(w->engine), .events = POLLIN }; // a reset makes another

		if (poll(&fd, 1, 0) <= 0)
			break;
		w->state = session_guest_event(w->session);
	}
}

static void send_bytes(struct world *w, const char *p, size_t n)
{
	if (w->state != SESSION_OPEN)
		fail(w, "the session is over");
	else
		w->state = session_input(w->session, p, n);
	guest_events(w);
}

static int restart(void *arg, bool reset, struct engine **ret)
{
	struct world *w = arg, fresh = { .cfg = w->cfg };

	if (target_fake_create(&fresh.cfg, &fresh.target) < 0 || engine_create(fresh.target, &fresh.engine) < 0)
		return -ENOMEM;
	if (reset)
		engine_adopt(fresh.engine, w->engine);
	engine_destroy(w->engine);
	target_destroy(w->target);
	w->target = fresh.target;
	w->engine = fresh.engine;
	*ret = w->engine;
	return 0;
}

static void connect_client(struct world *w)
{
	static const char noack[] = "$QStartNoAckMode#b0";

	if (session_create(w->engine, w->restartable ? restart : NULL, w, &w->session) < 0)
		fail(w, "no session");
	w->state = SESSION_OPEN;
	if (w->acks)
		return;
	send_bytes(w, noack, sizeof(noack) - 1);
	session_sent(w->session, session_output(w->session)->len);
}

/* As the server does it when a connection breaks. */
static void hang_up(struct world *w)
{
	bool attached = session_attached(w->session);

	session_destroy(w->session);
	w->session = NULL;
	if (attached)
		engine_detach(w->engine);
}

static void world_up(struct world *w)
{
	if (w->target)
		return;
	if (target_fake_create(&w->cfg, &w->target) < 0 || engine_create(w->target, &w->engine) < 0)
		fail(w, "no fake guest");
}

static void world_down(struct world *w)
{
	session_destroy(w->session);
	engine_destroy(w->engine);
	target_destroy(w->target);
}

/* ---- what comes back ---- */

static void check_nothing_left(struct world *w)
{
	_cleanup_(strbuf_deinit) struct strbuf text = { 0 };
	const struct strbuf *out;

	if (!w->session)
		return;
	out = session_output(w->session);
	show(out->s, out->len, &text);
	if (out->len > 0)
		fail(w, "unexpected output: %s", strbuf_str(&text));
	session_sent(w->session, out->len);
}

static void expect_bytes(struct world *w, const char *p, size_t n)
{
	_cleanup_(strbuf_deinit) struct strbuf want = { 0 }, got = { 0 };
	const struct strbuf *out = session_output(w->session);

	if (out->len >= n && memcmp(out->s, p, n) == 0) {
		session_sent(w->session, n);
		return;
	}
	show(p, n, &want);
	show(out->s, out->len, &got);
	fail(w, "expected: %s\n\tgot:      %s", strbuf_str(&want), strbuf_str(&got));
	session_sent(w->session, out->len);
}

static void expect_error(struct world *w, const char *name)
{
	_cleanup_(rsp_out_deinit) struct rsp_out o = { 0 };
	_cleanup_(strbuf_deinit) struct strbuf frame = { 0 };

	rsp_out_error(&o, -value_of(w, errno_names, name));
	rsp_frame(rsp_out_body(&o), rsp_out_len(&o), &frame);
	expect_bytes(w, frame.s, frame.len);
}

/* Take one packet off the output; its body as printable text. */
static bool take_packet(struct world *w, struct strbuf *body)
{
	const struct strbuf *out = session_output(w->session);
	struct rsp_rx *rx = calloc(1, sizeof(*rx));
	enum rsp_event ev = RSP_MORE;
	size_t used = 0;

	if (rx && out->len > 0)
		used = rsp_rx_feed(rx, (const uint8_t *)out->s, out->len, &ev);
	if (ev == RSP_PACKET)
		show((const char *)rx->buf, rx->len, body);
	else
		fail(w, "expected a packet, got %zu bytes that are none", out->len);
	session_sent(w->session, used);
	free(rx);
	return ev == RSP_PACKET;
}

static void expect_form(struct world *w, const char *form)
{
	_cleanup_(strbuf_deinit) struct strbuf body = { 0 };

	if (take_packet(w, &body) && !glob(form, strbuf_str(&body)))
		fail(w, "expected form: %s\n\tgot:           %s", form, strbuf_str(&body));
}

static void expect_console(struct world *w, const char *form)
{
	_cleanup_(strbuf_deinit) struct strbuf body = { 0 }, text = { 0 };
	struct cur c;

	if (!take_packet(w, &body))
		return;
	c = cur_init(body.s, body.len);
	if (cur_lit(&c, 'O'))
		for (uint8_t byte; cur_left(&c) > 1 && cur_hexbytes(&(struct cur){ c.p, c.p + 2, false }, &byte, 1);
		     c.p += 2)
			show((const char *)&byte, 1, &text);
	if (!cur_done(&c) || !glob(form, strbuf_str(&text)))
		fail(w, "expected O packet: %s\n\tgot:               %s (%s)", form, strbuf_str(&body),
		     strbuf_str(&text));
}

/* ---- directives ---- */

static void do_ram(struct world *w, char *args)
{
	uint64_t at = hex_of(w, strtok(args, " "));
	const char *hex = strtok(NULL, " ");
	struct cur c = cur_init(hex ? hex : "", hex ? strlen(hex) : 0);
	uint8_t *ram = target_fake_ram(w->target);

	if (at < w->cfg.ram_size)
		cur_hexbytes(&c, ram + at, (size_t)(w->cfg.ram_size - at));
	if (at >= w->cfg.ram_size || !cur_done(&c))
		fail(w, "bad bytes, or no RAM there");
}

static void do_reg(struct world *w, char *args)
{
	unsigned vcpu = (unsigned)hex_of(w, strtok(args, " "));
	struct arch_regs *r = target_fake_regs(w->target, vcpu);
	const struct arch *arch = w->target->arch;
	const struct arch_layout *l = arch->all_regs ? arch->all_regs : arch->layout(r);
	int num = arch_reg_find(l, strtok(NULL, " "));
	uint64_t value = hex_of(w, strtok(NULL, " "));
	uint8_t buf[ARCH_REG_MAX] = { 0 };

	st_le64(buf, value);
	if (num < 0 || arch_reg_set(l, (unsigned)num, r, buf, arch_reg_size(l, (unsigned)num)) < 0)
		fail(w, "no such register, or a value that it cannot hold");
}

static void stop_field(struct world *w, char *field, struct stop_event *ev)
{
	char *value = strchr(field, '=');

	if (!value) {
		fail(w, "expected key=value: '%s'", field);
		return;
	}
	*value++ = '\0';
	if (strcmp(field, "vcpu") == 0)
		ev->vcpu = (unsigned)hex_of(w, value);
	else if (strcmp(field, "pc") == 0)
		ev->pc.raw = hex_of(w, value);
	else if (strcmp(field, "at") == 0)
		ev->watch_at.raw = ev->pwatch.at.raw = hex_of(w, value);
	else if (strcmp(field, "size") == 0)
		ev->pwatch.size = (unsigned)hex_of(w, value);
	else if (strcmp(field, "kind") == 0)
		ev->watch_kind = (enum hw_kind)value_of(w, kind_names, value);
	else if (strcmp(field, "code") == 0)
		ev->code = (int)hex_of(w, value);
	else if (strcmp(field, "text") == 0)
		snprintf(ev->text, sizeof(ev->text), "%s", value);
	else
		fail(w, "unknown key '%s'", field);
}

static void do_stop(struct world *w, char *args)
{
	struct stop_event ev = { .why = (enum stop_why)value_of(w, why_names, strtok(args, " ")) };

	for (char *field; (field = strtok(NULL, " "));)
		stop_field(w, field, &ev);
	target_fake_push_stop(w->target, &ev);
}

static void do_run(struct world *w, char *args)
{
	struct resume_plan plan = { 0 };

	for (unsigned i = 0; i < w->cfg.nvcpus; i++)
		plan.vcpu[i].action = TARGET_RUN;
	if (engine_resume(w->engine, &plan) < 0)
		fail(w, "the guest does not run");
}

static void do_fail(struct world *w, char *args)
{
	unsigned k = (unsigned)hex_of(w, strtok(args, " "));

	target_fake_fail_at(w->target, k, -value_of(w, errno_names, strtok(NULL, " ")));
}

static void do_events(struct world *w, char *args)
{
	w->events_off = strcmp(args, "off") == 0;
	if (w->session)
		guest_events(w);
}

static void do_hangup(struct world *w, char *args)
{
	check_nothing_left(w);
	hang_up(w);
}

static void do_connect(struct world *w, char *args)
{
	if (w->session)
		hang_up(w);
	connect_client(w);
}

static void do_state(struct world *w, char *args)
{
	if ((int)w->state != value_of(w, state_names, args))
		fail(w, "the session's state is %s", state_names[w->state].name);
}

static void do_running(struct world *w, char *args)
{
	if (!engine_running(w->engine))
		fail(w, "the guest is stopped");
}

static void do_stopped(struct world *w, char *args)
{
	if (engine_running(w->engine))
		fail(w, "the guest is running");
}

static void do_breakpoints(struct world *w, char *args)
{
	if (engine_bp_count(w->engine) != hex_of(w, args))
		fail(w, "there are %u breakpoints", engine_bp_count(w->engine));
}

static void do_plan(struct world *w, char *args)
{
	const struct resume_plan *plan = target_fake_last_plan(w->target);
	unsigned i = 0;

	for (char *word = strtok(args, " "); word; word = strtok(NULL, " "), i++) {
		if (!plan || i >= w->cfg.nvcpus)
			fail(w, "no plan for vCPU %u", i);
		else if ((int)plan->vcpu[i].action != value_of(w, action_names, word))
			fail(w, "the plan for vCPU %u is %s", i, action_names[plan->vcpu[i].action].name);
	}
}

static void do_without(struct world *w, char *args)
{
	w->cfg.no_hw |= strcmp(args, "hw") == 0;
	w->cfg.no_step |= strcmp(args, "step") == 0;
	w->cfg.no_range |= strcmp(args, "range") == 0;
	w->cfg.no_vcpu_on |= strcmp(args, "vcpu-on") == 0;
}

static void do_rom(struct world *w, char *args)
{
	w->cfg.rom_at.raw = hex_of(w, strtok(args, " "));
	w->cfg.rom_size = hex_of(w, strtok(NULL, " "));
}

static void do_vcpus(struct world *w, char *args)
{
	w->cfg.nvcpus = (unsigned)hex_of(w, args);
}

static void do_ramsize(struct world *w, char *args)
{
	w->cfg.ram_size = hex_of(w, args);
}

static void do_native_sw(struct world *w, char *args)
{
	w->cfg.native_sw = true;
}

static void do_acks(struct world *w, char *args)
{
	w->acks = true;
}

static void do_restartable(struct world *w, char *args)
{
	w->restartable = true;
}

static void do_arm64(struct world *w, char *args)
{
	w->cfg.arch = &arch_arm64;
	w->cfg.vl = args && *args ? (uint32_t)hex_of(w, args) : 0;
}

static const struct directive {
	const char *name;
	void (*run)(struct world *w, char *args);
	bool shapes; /* says what the world is made of; the others need it */
} directives[] = {
	{ "vcpus", do_vcpus, true },
	{ "ramsize", do_ramsize, true },
	{ "rom", do_rom, true },
	{ "without", do_without, true },
	{ "native-sw", do_native_sw, true },
	{ "acks", do_acks, true },
	{ "restartable", do_restartable, true },
	{ "arm64", do_arm64, true },
	{ "ram", do_ram, false },
	{ "reg", do_reg, false },
	{ "stop", do_stop, false },
	{ "run", do_run, false },
	{ "fail", do_fail, false },
	{ "events", do_events, false },
	{ "hangup", do_hangup, false },
	{ "connect", do_connect, false },
	{ "state", do_state, false },
	{ "running", do_running, false },
	{ "stopped", do_stopped, false },
	{ "breakpoints", do_breakpoints, false },
	{ "plan", do_plan, false },
};

static void directive(struct world *w, char *line)
{
	char *args = strchr(line, ' ');

	if (args)
		*args++ = '\0';
	for (unsigned i = 0; i < ARRAY_LEN(directives); i++) {
		if (strcmp(directives[i].name, line) != 0)
			continue;
		if (!directives[i].shapes)
			world_up(w);
		else if (w->target)
			fail(w, "'%s' must come first", line);
		directives[i].run(w, args ? args : line + strlen(line));
		return;
	}
	fail(w, "unknown directive '%s'", line);
}

/* ---- the transcript ---- */

static void exchange(struct world *w, const char *op, const char *text)
{
	_cleanup_(strbuf_deinit) struct strbuf bytes = { 0 };

	world_up(w);
	if (!w->session)
		connect_client(w);
	decode(w, text, &bytes);
	if (strcmp(op, "->") == 0) {
		check_nothing_left(w);
		send_bytes(w, bytes.s, bytes.len);
	} else if (strcmp(op, "<-") == 0) {
		expect_bytes(w, bytes.s, bytes.len);
	} else if (strcmp(op, "<!") == 0) {
		expect_error(w, text);
	} else if (strcmp(op, "<~") == 0) {
		expect_form(w, text);
	} else if (strcmp(op, "<O") == 0) {
		expect_console(w, text);
	} else {
		fail(w, "unknown line '%s %s'", op, text);
	}
}

static void play_line(struct world *w, char *line)
{
	size_t n = strlen(line);

	while (n > 0 && isspace((unsigned char)line[n - 1]))
		line[--n] = '\0';
	if (n == 0 || line[0] == '#')
		return;
	if (strncmp(line, "@ ", 2) == 0) {
		directive(w, line + 2);
	} else if (n > 2 && line[2] == ' ') {
		line[2] = '\0';
		exchange(w, line, line + 3);
	} else {
		fail(w, "unknown line '%s'", line);
	}
}

static int play(const char *file)
{
	struct world w = { .file = file, .cfg = { .nvcpus = 1, .ram_size = 0x10000 } };
	FILE *f = fopen(file, "r");
	_cleanup_(freep) char *line = NULL;
	size_t cap = 0;

	if (!f) {
		fprintf(stderr, "%s: %s\n", file, strerror(errno));
		return 1;
	}
	for (; !w.failed && getline(&line, &cap, f) >= 0;) {
		w.line++;
		play_line(&w, line);
	}
	fclose(f);
	if (!w.failed)
		check_nothing_left(&w);
	world_down(&w);
	return w.failed;
}

int main(int argc, char **argv)
{
	struct errtext why = { "" };
	int failed = 0;

	if (log_setup(getenv("GDBVM_LOG"), &why) < 0 || argc < 2) {
		fprintf(stderr, "usage: [GDBVM_LOG=rsp=trace] replay FILE.rsp...\n%s\n", why.text);
		return 2;
	}
	for (int i = 1; i < argc; i++)
		failed += play(argv[i]);
	return failed ? 1 : 0;
}
