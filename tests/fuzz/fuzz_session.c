/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A hostile client: a whole session over a fake guest, fed with packets of anything, some of them while what the
 * guest's backend does fails. No packet gets two answers, and after the client has gone nothing of its breakpoints is
 * left.
 *
 * Input: a byte of flags for the guest, then lines. A line is the body of a packet, and is framed here. Others:
 * 0x03: Ctrl-C; 0x02: the connection breaks, a new client comes; 0x04 K: the K-th call to the backend from now fails;
 * 0x05 ...: bytes on the wire as they are.
 */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "engine/engine.h"
#include "fuzz.h"
#include "rsp/out.h"
#include "server/session.h"
#include "util/log.h"

enum { RAM_SIZE = 0x2000, HALT_AT = 0x180, SPECIAL_MAX = 0x05 };

static const uint8_t hlt[] = { 0xf4 }, wfi[] = { 0x7f, 0x20, 0x03, 0xd5 };

struct world {
	struct target_fake_cfg cfg;
	struct target *target;
	struct engine *engine;
	struct session *session;
	enum session_state state;
};

static void require(bool what)
{
	if (!what)
		abort();
}

static void guest_up(struct world *w)
{
	require(target_fake_create(&w->cfg, &w->target) == 0);
	require(engine_create(w->target, &w->engine) == 0);
	if (w->cfg.arch == &arch_arm64)
		memcpy((uint8_t *)target_fake_ram(w->target) + HALT_AT, wfi, sizeof(wfi));
	else
		memcpy((uint8_t *)target_fake_ram(w->target) + HALT_AT, hlt, sizeof(hlt));
}

static void guest_down(struct world *w)
{
	engine_destroy(w->engine);
	target_destroy(w->target);
}

static int restart(void *arg, bool reset, struct engine **ret)
{
	struct world *w = arg, fresh = { .cfg = w->cfg };
	int rc;

	guest_up(&fresh);
	rc = reset ? engine_adopt(fresh.engine, w->engine) : 0;
	if (rc < 0) {
		guest_down(&fresh);
		return rc;
	}
	guest_down(w);
	w->target = fresh.target;
	w->engine = fresh.engine;
	*ret = w->engine;
	return 0;
}

static bool is_ready(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	return poll(&p, 1, 0) > 0;
}

/* Frames of the output that are no console text. Takes them off. */
static unsigned replies(struct world *w)
{
	const struct strbuf *out = session_output(w->session);
	unsigned n = 0;

	for (size_t i = 0; i < out->len; i++)
		n += out->s[i] == '$' && !(i + 2 < out->len && out->s[i + 1] == 'O' && out->s[i + 2] != 'K');
	session_sent(w->session, out->len);
	return n;
}

static void guest_events(struct world *w)
{
	if (w->state == SESSION_OPEN && is_ready(engine_text_fd(w->engine)))
		session_guest_text(w->session);
	while (w->state == SESSION_OPEN && is_ready(engine_event_fd(w->engine)))
		w->state = session_guest_event(w->session);
}

static void send_bytes(struct world *w, const void *p, size_t n)
{
	if (w->state == SESSION_OPEN)
		w->state = session_input(w->session, p, n);
	guest_events(w);
}

static void send_packet(struct world *w, const uint8_t *body, size_t n)
{
	_cleanup_(strbuf_deinit) struct strbuf frame = { 0 };
	bool was_running = engine_running(w->engine);

	if (w->state != SESSION_OPEN)
		return;
	require(rsp_frame(body, n, &frame) == 0);
	replies(w);
	send_bytes(w, frame.s, frame.len);
	require(replies(w) <= 1u + was_running); // the stop may come in between
}

static void client_comes(struct world *w)
{
	require(session_create(w->engine, restart, w, &w->session) == 0);
	w->state = SESSION_OPEN;
	send_bytes(w, "$QStartNoAckMode#b0", 19);
}

static void client_goes(struct world *w)
{
	bool attached = session_attached(w->session);
	unsigned n;

	session_destroy(w->session);
	if (!attached)
		return;
	if (engine_detach(w->engine) < 0 || target_fake_failed(w->target))
		return;
	require(engine_bp_count(w->engine) == 0);
	target_fake_breaks(w->target, &n);
	require(n == 0 && !target_fake_has_filter(w->target));
}

static void play(struct world *w, const uint8_t *line, size_t n)
{
	if (!n || line[0] > SPECIAL_MAX || line[0] < 2) {
		send_packet(w, line, n);
	} else if (line[0] == 2) {
		client_goes(w);
		client_comes(w);
	} else if (line[0] == 3) {
		send_bytes(w, line, 1);
	} else if (line[0] == 4 && n > 1) {
		target_fake_fail_at(w->target, line[1] % 32, -EIO);
	} else {
		send_bytes(w, line + 1, n - 1);
	}
}

static struct target_fake_cfg guest_of(uint8_t flags)
{
	return (struct target_fake_cfg){
		.nvcpus = flags & 1 ? 2 : 1,
		.ram_size = RAM_SIZE,
		.native_sw = flags & 2,
		.no_hw = flags & 4,
		.no_step = flags & 8,
		.no_range = flags & 16,
		.arch = flags & 32 ? &arch_arm64 : NULL,
		.vl = flags & 128 ? 32 : 0,
	};
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct world w = { .cfg = guest_of(size ? data[0] : 0) };

	log_setup("all=error", NULL); // a flood of warnings is not news here
	guest_up(&w);
	client_comes(&w);
	for (size_t at = 1; at < size;) {
		const uint8_t *end = memchr(data + at, '\n', size - at);
		size_t n = end ? (size_t)(end - (data + at)) : size - at;

		play(&w, data + at, n);
		at += n + 1;
	}
	client_goes(&w);
	guest_down(&w);
	return 0;
}
