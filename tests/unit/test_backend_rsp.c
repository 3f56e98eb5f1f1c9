/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The client of another debug server, against a peer that answers by a script. */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "backend/rsp.h"
#include "rsp/out.h"
#include "rsp/rx.h"

#include "test.h"

/* One line of a script: a request that begins with `req`, and its answer. Searched from the end: later lines win. */
struct line {
	const char *req, *reply; /* reply NULL: none; "\x01": hang up */
	bool once;
};

#define MAX_LINES 48
struct peer {
	int fd;
	pthread_t thread;
	pthread_mutex_t lock;
	struct line line[MAX_LINES];
	unsigned n;
	bool bad_sum_once, nak_once;
	const char *monitor; /* what `info registers` prints; NULL: no monitor */
	char log[8192];      /* requests, one a line; "^C" for a 0x03 */
};

static const char core_xml[] =
	"<?xml version=\"1.0\"?><!DOCTYPE target SYSTEM "
	"\"gdb-target.dtd\"><target><architecture>i386:x86-64</architecture>"
	"<xi:include href=\"regs.xml\"/><feature name=\"more\"><reg name=\"extra\" bitsize=\"16\"/></feature></target>";
/* rip first, to see that numbers come from the description; flags, 32 bits; a register nobody knows. */
static const char regs_xml[] =
	"<feature name=\"f\"><reg name=\"rip\" bitsize=\"64\"/><reg name=\"eflags\" bitsize=\"32\"/><reg name=\"odd\" "
	"bitsize=\"8\"/>"
	"<reg name=\"rax\" bitsize=\"64\"/><reg name=\"rbx\" bitsize=\"64\"/><reg name=\"rcx\" bitsize=\"64\"/>"
	"<reg name=\"rdx\" bitsize=\"64\"/><reg name=\"rsi\" bitsize=\"64\"/><reg name=\"rdi\" bitsize=\"64\"/>"
	"<reg name=\"rbp\" bitsize=\"64\"/><reg name=\"rsp\" bitsize=\"64\"/><reg name=\"r8\" bitsize=\"64\"/>"
	"<reg name=\"r9\" bitsize=\"64\"/><reg name=\"r10\" bitsize=\"64\"/><reg name=\"r11\" bitsize=\"64\"/>"
	"<reg name=\"r12\" bitsize=\"64\"/><reg name=\"r13\" bitsize=\"64\"/><reg name=\"r14\" bitsize=\"64\"/>"
	"<reg name=\"r15\" bitsize=\"64\" regnum=\"40\"/></feature>";

/* g for that description: rip, eflags, odd, rax, fourteen more, r15, extra. */
static const char *g_text(uint64_t rip, uint64_t rax)
{
	static char buf[400];
	char *p = buf;

	for (unsigned i = 0; i < 8; i++)
		p += sprintf(p, "%02x", (unsigned)(rip >> 8 * i & 0xff));
	p += sprintf(p, "02000000ff");
	for (unsigned i = 0; i < 8; i++)
		p += sprintf(p, "%02x", (unsigned)(rax >> 8 * i & 0xff));
	p += sprintf(p, "%0*d", 14 * 16, 0);
	p += sprintf(p, "%016d%04d", 0, 0);
	return buf;
}

/* Any other registers, for what is only compared: before a step, so that it gets on. */
#define GOT_ON "00"

static void say(struct peer *p, const char *req, const char *reply)
{
	pthread_mutex_lock(&p->lock);
	p->line[p->n++] = (struct line){ .req = req, .reply = reply };
	pthread_mutex_unlock(&p->lock);
}

/* For the first such request only; the ones behind it get what was said before. */
static void say_once(struct peer *p, const char *req, const char *reply)
{
	say(p, req, reply);
	pthread_mutex_lock(&p->lock);
	p->line[p->n - 1].once = true;
	pthread_mutex_unlock(&p->lock);
}

static void note(struct peer *p, const char *text, size_t n)
{
	size_t at;

	pthread_mutex_lock(&p->lock);
	at = strlen(p->log);
	snprintf(p->log + at, sizeof(p->log) - at, "%.*s\n", (int)n, text);
	pthread_mutex_unlock(&p->lock);
}

static void forget(struct peer *p)
{
	pthread_mutex_lock(&p->lock);
	p->log[0] = '\0';
	pthread_mutex_unlock(&p->lock);
}

static bool heard(struct peer *p, const char *text)
{
	char want[200];
	bool yes;

	snprintf(want, sizeof(want), "%s\n", text);
	pthread_mutex_lock(&p->lock);
	yes = strstr(p->log, want) != NULL;
	pthread_mutex_unlock(&p->lock);
	return yes;
}

static unsigned times_heard(struct peer *p, const char *text)
{
	unsigned n = 0;

	pthread_mutex_lock(&p->lock);
	for (const char *at = p->log; (at = strstr(at, text)); at++)
		n++;
	pthread_mutex_unlock(&p->lock);
	return n;
}

static void put(struct peer *p, const char *body, size_t n)
{
	struct strbuf wire = { 0 };

	rsp_frame(body, n, &wire);
	if (p->bad_sum_once) {
		wire.s[wire.len - 1] ^= 1;
		p->bad_sum_once = false;
	}
	send(p->fd, wire.s, wire.len, MSG_NOSIGNAL);
	strbuf_deinit(&wire);
}

static void put_xml(struct peer *p, const char *req, const char *xml)
{
	const char *range = strrchr(req, ':');
	unsigned off = 0, len = 0;
	char body[4096];

	sscanf(range, ":%x,%x", &off, &len);
	len = len > 100 ? 100 : len; // in pieces
	snprintf(body, sizeof(body), "%c%.*s", off + len < strlen(xml) ? 'm' : 'l', (int)len, xml + off);
	put(p, body, strlen(body));
}

/* Text in pieces, as QEMU sends it. */
static void put_monitor(struct peer *p)
{
	for (const char *at = p->monitor; *at;) {
		struct strbuf body = { 0 };
		size_t n = strlen(at) < 200 ? strlen(at) : 200;

		strbuf_addc(&body, 'O');
		strbuf_addhex(&body, at, n);
		put(p, body.s, body.len);
		strbuf_deinit(&body);
		at += n;
	}
	put(p, "OK", 2);
}

/* false: hang up */
static bool answer(struct peer *p, const char *req, size_t n)
{
	const char *reply = "";

	note(p, req, n);
	if (strncmp(req, "qXfer:features:read:target.xml", 30) == 0) {
		put_xml(p, req, core_xml);
		return true;
	}
	if (strncmp(req, "qXfer:features:read:regs.xml", 28) == 0) {
		put_xml(p, req, regs_xml);
		return true;
	}
	if (p->monitor && strncmp(req, "qRcmd,696e666f", 14) == 0) {
		put_monitor(p);
		return true;
	}
	pthread_mutex_lock(&p->lock);
	for (unsigned i = p->n; i-- > 0;) {
		if (strncmp(req, p->line[i].req, strlen(p->line[i].req)) == 0) {
			reply = p->line[i].reply;
			if (p->line[i].once)
				p->line[i].req = "\x7f"; // no request starts so
			break;
		}
	}
	pthread_mutex_unlock(&p->lock);
	if (reply && reply[0] == '\x01')
		return false;
	if (reply)
		put(p, reply, strlen(reply));
	return true;
}

static void *peer_main(void *arg)
{
	struct peer *p = arg;
	struct rsp_rx *rx = calloc(1, sizeof(*rx));
	uint8_t buf[512];
	bool open = true;

	while (open) {
		ssize_t n = recv(p->fd, buf, sizeof(buf), 0);

		if (n <= 0)
			break;
		for (size_t at = 0; at < (size_t)n && open;) {
			enum rsp_event ev;

			at += rsp_rx_feed(rx, buf + at, (size_t)n - at, &ev);
			if (ev == RSP_BREAK) {
				note(p, "^C", 2);
				open = answer(p, "break", 5);
			} else if (ev == RSP_PACKET) {
				char req[2048];

				snprintf(req, sizeof(req), "%.*s", (int)rx->len, (char *)rx->buf);
				if (p->nak_once) {
					p->nak_once = false;
					send(p->fd, "-", 1, MSG_NOSIGNAL);
					continue;
				}
				send(p->fd, "+", 1, MSG_NOSIGNAL);
				open = answer(p, req, strlen(req));
			} else if (ev == RSP_NAK) {
				open = answer(p, "nak", 3);
			}
		}
	}
	shutdown(p->fd, SHUT_RDWR);
	free(rx);
	return NULL;
}

/* A server with two threads and everything that QEMU has. */
static int peer_start(struct peer *p)
{
	int pair[2];

	memset(p, 0, sizeof(*p));
	pthread_mutex_init(&p->lock, NULL);
	CHECK_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	p->fd = pair[0];
	say(p, "qSupported", "PacketSize=200;qXfer:features:read+;vContSupported+");
	say(p, "?", "T05thread:01;");
	say(p, "qfThreadInfo", "m02");
	say(p, "qsThreadInfo", "m01");
	say(p, "vCont?", "vCont;c;C;s;S");
	say(p, "z", "E22");
	say(p, "Z", "OK");
	say(p, "H", "OK");
	say(p, "Qqemu.PhyMemMode:1", "OK");
	say(p, "vCont;", NULL);
	return pair[1];
}

static void peer_run(struct peer *p)
{
	CHECK_EQ(pthread_create(&p->thread, NULL, peer_main, p), 0);
}

static void peer_end(struct peer *p)
{
	shutdown(p->fd, SHUT_RDWR);
	pthread_join(p->thread, NULL);
	close(p->fd);
}

static int connect_to(struct peer *p, int fd, const struct backend_rsp_hooks *hooks, struct target **t,
		      struct errtext *why)
{
	peer_run(p);
	return backend_rsp_create(fd, hooks, p, t, why);
}

static struct target *ready(struct peer *p)
{
	int fd = peer_start(p);
	struct target *t = NULL;
	struct errtext why;

	say(p, "qfThreadInfo", "m02,01");
	say(p, "qsThreadInfo", "l");
	if (connect_to(p, fd, NULL, &t, &why) < 0)
		print_message("%s\n", why.text);
	CHECK(t);
	return t;
}

static struct stop_event wait_stop(struct target *t)
{
	struct stop_event ev;
	struct pollfd pfd = { .fd = target_event_fd(t), .events = POLLIN };
	int rc;

	while ((rc = target_next_stop(t, &ev)) == -EAGAIN)
		CHECK_EQ(poll(&pfd, 1, 5000), 1);
	CHECK_EQ(rc, 0);
	return ev;
}

static struct stop_event run(struct target *t, enum target_action a0, enum target_action a1)
{
	struct resume_plan plan = { .vcpu = { { .action = a0 }, { .action = a1 } } };

	CHECK_EQ(target_resume(t, &plan), 0);
	return wait_stop(t);
}

TEST(rsp_learns_threads_actions_and_breakpoint_kinds)
{
	struct peer p;
	struct target *t;
	int fd = peer_start(&p);
	struct errtext why;

	say(&p, "qfThreadInfo", "m02,01");
	say(&p, "qsThreadInfo", "l");
	say(&p, "z3", "");
	CHECK_EQ(connect_to(&p, fd, NULL, &t, &why), 0);
	CHECK_EQ(t->nvcpus, 2);
	CHECK(target_can(t, TARGET_STEP_RANGE));
	CHECK(target_has_break(t, TARGET_BREAK_SW));
	CHECK(!target_has_break(t, TARGET_WATCH_READ));
	CHECK(target_has_break(t, TARGET_WATCH_ACCESS));
	CHECK(heard(&p, "Qqemu.PhyMemMode:1"));
	target_destroy(t);
	peer_end(&p);
}

TEST(rsp_registers_follow_the_servers_numbering)
{
	struct peer p;
	struct target *t = ready(&p);
	struct arch_regs r = { 0 };

	say(&p, "g", g_text(0x1122, 0x8877665544332211));
	CHECK_EQ(target_regs_read(t, 1, ARCH_ALL, &r), 0);
	CHECK_EQ(r.have, ARCH_CORE); // nothing else is whole
	CHECK_EQ(r.x86.rip, 0x1122);
	CHECK_EQ(r.x86.rflags, 2);
	CHECK_EQ(r.x86.gpr[X86_RAX], 0x8877665544332211);
	CHECK(heard(&p, "Hg2"));
	target_destroy(t);
	peer_end(&p);
}

TEST(rsp_unavailable_registers_leave_their_group_out)
{
	struct peer p;
	struct target *t = ready(&p);
	struct arch_regs r = { 0 };
	static char text[400];

	snprintf(text, sizeof(text), "%s", g_text(1, 2));
	memset(text + 26, 'x', 16);
	say(&p, "g", text);
	CHECK_EQ(target_regs_read(t, 0, ARCH_CORE, &r), 0);
	CHECK_EQ(r.have, 0);
	say(&p, "g", "0011");
	CHECK_EQ(target_regs_read(t, 0, ARCH_CORE, &r), -EPROTO);
	target_destroy(t);
	peer_end(&p);
}

TEST(rsp_registers_that_the_g_packet_lacks_are_read_one_by_one)
{
	struct peer p;
	struct target *t = ready(&p);
	struct arch_regs r = { 0 };
	char text[400];

	snprintf(text, sizeof(text), "%s", g_text(0x1122, 5));
	text[strlen(text) - 20] = '\0'; // r15, and one that nobody knows
	say(&p, "g", text);
	say(&p, "p28", "8877665544332211");
	CHECK_EQ(target_regs_read(t, 0, ARCH_CORE, &r), 0);
	CHECK_EQ(r.have, ARCH_CORE);
	CHECK_EQ(r.x86.gpr[X86_R15], 0x1122334455667788);
	CHECK(!heard(&p, "p29"));
	say(&p, "p28", "E01");
	r = (struct arch_regs){ 0 };
	CHECK_EQ(target_regs_read(t, 0, ARCH_CORE, &r), 0);
	CHECK_EQ(r.have, 0);
	text[strlen(text) - 2] = '\0'; // inside a register
	CHECK_EQ(target_regs_read(t, 0, ARCH_CORE, &r), -EPROTO);
	target_destroy(t);
	peer_end(&p);
}

/* QEMU's monitor on an x86 vCPU at its reset, as far as it matters. */
static const char monitor_text[] =
	"EAX=00000000 EBX=00000000 ECX=00000000 EDX=00000000\r\nESI=00000000 EDI=00000000 EBP=00000000 ESP=00000000\r\n"
	"EIP=0000fff0 EFL=00000002\r\nES =0000 00000000 0000ffff 00009300\r\nCS =f000 ffff0000 0000ffff 00009b00\r\n"
	"SS =0000 00000000 0000ffff 00009300\r\nDS =0000 00000000 0000ffff 00009300\r\nFS =0000 00000000 0000ffff "
	"00009300"
	"\r\nGS =0000 00000000 0000ffff 00009300\r\nLDT=0000 00000000 0000ffff 00008200\r\nTR =0000 00000000 0000ffff "
	"00008b00"
	"\r\nGDT= 00000000 0000ffff\r\nIDT= 00000000 0000ffff\r\nCR0=60000010 CR2=00000000 CR3=00000000 "
	"CR4=00000000\r\n"
	"EFER=0000000000000000\r\n";

static int attach_to(struct peer *p, struct target **t, struct errtext *why)
{
	int fd = peer_start(p);

	say(p, "qfThreadInfo", "m02,01");
	say(p, "qsThreadInfo", "l");
	say(p, "g", g_text(0xfff0, 5));
	say(p, "qRcmd,637075", "OK"); // cpu N
	say(p, "D", "OK");
	p->monitor = monitor_text;
	peer_run(p);
	return backend_rsp_attach(fd, -1, t, why);
}

TEST(rsp_attached_qemu_tells_segments_by_its_monitor)
{
	struct peer p;
	struct target *t = NULL;
	struct errtext why;
	struct arch_regs r = { 0 };
	struct stop_event ev;

	CHECK_EQ(attach_to(&p, &t, &why), 0);
	CHECK_EQ(target_regs_read(t, 1, ARCH_CORE | ARCH_SYS, &r), 0);
	CHECK_EQ(r.have & (ARCH_CORE | ARCH_SYS), ARCH_CORE | ARCH_SYS);
	CHECK_EQ(t->arch->pc_get(&r).raw, 0xfffffff0);
	CHECK(heard(&p, "qRcmd,6370752031")); // cpu 1
	say(&p, "vCont;c", "T02thread:01;");
	ev = run(t, TARGET_RUN, TARGET_RUN);
	CHECK_EQ(ev.pc.raw, 0xfffffff0);
	target_destroy(t);
	peer_end(&p);
}

TEST(rsp_attached_server_is_let_go_with_no_breakpoint_in_its_guest)
{
	const struct target_break at = { .kind = TARGET_BREAK_SW, .at = GVA(0x1000), .len = 1 };
	struct resume_plan go = { .vcpu = { { .action = TARGET_RUN }, { .action = TARGET_RUN } } };
	struct peer p;
	struct target *t = NULL;
	struct errtext why;

	CHECK_EQ(attach_to(&p, &t, &why), 0);
	CHECK_EQ(target_breaks_set(t, &at, 1), 0);
	CHECK_EQ(target_resume(t, &go), 0);
	say(&p, "break", "T02thread:01;");
	say(&p, "z0", "OK");
	target_destroy(t);
	CHECK(heard(&p, "^C"));
	CHECK(heard(&p, "z0,1000,1"));
	CHECK(heard(&p, "D"));
	peer_end(&p);
}

TEST(rsp_attached_server_tells_how_its_guest_ended)
{
	static const struct {
		const char *reply;
		int code;
	} ends[] = { { "W00", 0 }, { "W2a;process:1", 0x2a }, { "X09", TARGET_EXIT_DIED }, { "W", TARGET_EXIT_DIED } };

	for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
		struct peer p;
		struct target *t = NULL;
		struct errtext why;
		struct stop_event ev;

		CHECK_EQ(attach_to(&p, &t, &why), 0);
		say(&p, "vCont;c", ends[i].reply);
		ev = run(t, TARGET_RUN, TARGET_RUN);
		CHECK_EQ(ev.why, STOP_EXIT);
		CHECK_EQ(ev.code, ends[i].code);
		target_destroy(t);
		peer_end(&p);
	}
}

TEST(rsp_attached_running_server_tells_of_its_stop_unasked)
{
	struct peer p;
	struct target *t = NULL;
	struct errtext why;
	int fd = peer_start(&p);

	say(&p, "qfThreadInfo", "m01");
	say(&p, "qsThreadInfo", "l");
	say(&p, "qRcmd,637075", "OK");
	say(&p, "D", "OK");
	p.monitor = monitor_text;
	put(&p, "T02thread:01;", 13);
	peer_run(&p);
	CHECK_EQ(backend_rsp_attach(fd, -1, &t, &why), 0);
	CHECK_EQ(t->nvcpus, 1);
	target_destroy(t);
	peer_end(&p);
}

TEST(rsp_server_that_says_nothing_is_not_waited_for_when_we_are_to_end)
{
	struct target *t = NULL;
	struct errtext why;
	int pair[2], stop = eventfd(1, EFD_CLOEXEC);

	CHECK_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	CHECK_EQ(backend_rsp_attach(pair[0], stop, &t, &why), -ECANCELED);
	CHECK(!t);
	close(pair[1]);
	close(stop);
}

TEST(rsp_attached_x86_server_without_a_monitor_is_refused)
{
	struct peer p;
	struct target *t = NULL;
	struct errtext why;

	int fd = peer_start(&p);

	say(&p, "qfThreadInfo", "m01");
	say(&p, "qsThreadInfo", "l");
	peer_run(&p);
	CHECK_EQ(backend_rsp_attach(fd, -1, &t, &why), -EPROTO);
	CHECK(strstr(why.text, "segments"));
	peer_end(&p);
}

TEST(rsp_writes_only_what_changed_and_believes_what_it_reads_back)
{
	struct peer p;
	struct target *t = ready(&p);
	struct arch_regs r = { 0 };
	static char before[400];

	snprintf(before, sizeof(before), "%s", g_text(0x10, 1));
	say(&p, "g", before);
	say(&p, "P", "OK");
	CHECK_EQ(target_regs_read(t, 0, ARCH_CORE, &r), 0);
	r.x86.gpr[X86_RAX] = 0x1234;
	CHECK_EQ(target_regs_write(t, 0, ARCH_CORE, &r), -EINVAL); // OK was said, nothing was done
	CHECK(heard(&p, "P3=3412000000000000"));
	CHECK(!strstr(p.log, "P0="));
	say(&p, "P", "");
	CHECK_EQ(target_regs_write(t, 0, ARCH_CORE, &r), -ENOTSUP);
	target_destroy(t);
	peer_end(&p);
}

TEST(rsp_memory_goes_in_pieces_of_the_packet_size)
{
	struct peer p;
	struct target *t = ready(&p);
	uint8_t buf[300];
	size_t done;
	static char hex[2 * 224 + 1], rest[2 * 76 + 1];

	memset(hex, 'a', 2 * 224);
	memset(rest, 'b', 2 * 76);
	say(&p, "m1000,e0", hex);
	say(&p, "m10e0,4c", rest);
	CHECK_EQ(target_mem_read(t, GPA(0x1000), buf, sizeof(buf), &done), 0);
	CHECK_EQ(done, sizeof(buf));
	CHECK_EQ(buf[223], 0xaa);
	CHECK_EQ(buf[224], 0xbb);
	say(&p, "m10e0,4c", "E14");
	CHECK_EQ(target_mem_read(t, GPA(0x1000), buf, sizeof(buf), &done), 0);
	CHECK_EQ(done, 224);
	say(&p, "m", "E14");
	CHECK_EQ(target_mem_read(t, GPA(0x9000), buf, 1, &done), -EFAULT);
	say(&p, "M", "OK");
	CHECK_EQ(target_mem_write(t, GPA(0x2000), "\x01\xff", 2, &done), 0);
	CHECK(heard(&p, "M2000,2:01ff"));
	target_destroy(t);
	peer_end(&p);
}

TEST(rsp_server_that_translates_does_so_for_the_vcpu_that_looks)
{
	struct peer p;
	struct target *t;
	int fd = peer_start(&p);
	struct errtext why;
	uint8_t b[2];
	size_t done;

	say(&p, "qfThreadInfo", "m02,01");
	say(&p, "qsThreadInfo", "l");
	say(&p, "Qqemu.PhyMemMode:1", "");
	say(&p, "m1000,2", "a1b2");
	CHECK_EQ(connect_to(&p, fd, NULL, &t, &why), 0);
	CHECK(t->mem_virtual);
	t->viewer = 1;
	CHECK_EQ(target_mem_read(t, GPA(0x1000), b, 2, &done), 0);
	CHECK(heard(&p, "Hg2"));
	CHECK_EQ(b[1], 0xb2);
	target_destroy(t);
	peer_end(&p);
}

TEST(rsp_breakpoints_are_sent_as_differences)
{
	struct peer p;
	struct target *t = ready(&p);
	struct target_break a[] = { { TARGET_BREAK_SW, GVA(0x10), 1 }, { TARGET_WATCH_WRITE, GVA(0x20), 8 } };

	say(&p, "z", "OK");
	CHECK_EQ(target_breaks_set(t, a, 2), 0);
	CHECK(heard(&p, "Z0,10,1") && heard(&p, "Z2,20,8"));
	forget(&p);
	CHECK_EQ(target_breaks_set(t, a, 2), 0);
	CHECK_STR(p.log, "");
	CHECK_EQ(target_breaks_set(t, a + 1, 1), 0);
	CHECK_STR(p.log, "z0,10,1\n");
	target_destroy(t);
	peer_end(&p);
}

TEST(rsp_a_refused_breakpoint_leaves_the_former_set)
{
	struct peer p;
	struct target *t = ready(&p);
	struct target_break a[] = { { TARGET_BREAK_SW, GVA(0x10), 1 },
				    { TARGET_BREAK_HW, GVA(0x30), 1 },
				    { TARGET_WATCH_WRITE, GVA(0x20), 8 } };

	say(&p, "z", "OK");
	CHECK_EQ(target_breaks_set(t, a, 1), 0);
	say(&p, "Z2", "E22");
	forget(&p);
	CHECK_EQ(target_breaks_set(t, a, 3), -EINVAL);
	CHECK_STR(p.log, "Z1,30,1\nZ2,20,8\nz1,30,1\n");
	target_destroy(t);
	peer_end(&p);
}

TEST(rsp_a_plan_becomes_actions_and_held_threads_get_none)
{
	struct peer p;
	struct target *t = ready(&p);

	say(&p, "g", g_text(0x40, 0));
	say(&p, "vCont;", "T05thread:01;");
	CHECK_EQ(run(t, TARGET_STEP, TARGET_HOLD).why, STOP_STEP);
	CHECK(heard(&p, "vCont;s:1"));
	CHECK_EQ(run(t, TARGET_STEP, TARGET_RUN).why, STOP_STEP);
	CHECK(heard(&p, "vCont;s:1;c:2"));
	say(&p, "vCont;", "T02thread:02;");
	CHECK_EQ(run(t, TARGET_RUN, TARGET_RUN).why, STOP_INTERRUPT);
	CHECK(heard(&p, "vCont;c"));
	target_destroy(t);
	peer_end(&p);
}

TEST(rsp_stop_reasons_come_from_pc_and_set)
{
	struct peer p;
	struct target *t = ready(&p);
	struct target_break set[] = { { TARGET_BREAK_HW, GVA(0x40), 1 }, { TARGET_WATCH_ACCESS, GVA(0x100), 8 } };
	struct stop_event ev;

	CHECK_EQ(target_breaks_set(t, set, 2), 0);
	say(&p, "g", g_text(0x40, 0));
	say(&p, "vCont;", "T05thread:02;");
	ev = run(t, TARGET_HOLD, TARGET_RUN);
	CHECK_EQ(ev.why, STOP_HWBREAK);
	CHECK_EQ(ev.vcpu, 1);
	CHECK_EQ(ev.pc.raw, 0x40);
	say(&p, "vCont;", "T05thread:02;awatch:104;");
	ev = run(t, TARGET_HOLD, TARGET_RUN);
	CHECK_EQ(ev.why, STOP_WATCH);
	CHECK_EQ(ev.watch_kind, HW_ACCESS);
	CHECK_EQ(ev.watch_at.raw, 0x100);
	say(&p, "vCont;", "T06thread:01;");
	ev = run(t, TARGET_RUN, TARGET_HOLD);
	CHECK_EQ(ev.why, STOP_INTERNAL_ERROR);
	CHECK_STR(ev.text, "the debug server stopped with signal 6");
	target_destroy(t);
	peer_end(&p);
}

TEST(rsp_a_trap_without_reason_runs_on)
{
	struct peer p;
	struct target *t = ready(&p);
	struct resume_plan plan = { .vcpu = { { .action = TARGET_RUN }, { .action = TARGET_HOLD } } };
	struct pollfd pfd = { .fd = target_event_fd(t), .events = POLLIN };
	struct stop_event ev;

	say(&p, "g", g_text(0x40, 0));
	say_once(&p, "vCont;", "T05thread:01;");
	say(&p, "break", "T02thread:01;");
	CHECK_EQ(target_resume(t, &plan), 0);
	while (times_heard(&p, "vCont;") < 2) { // an acknowledgment alone makes the descriptor readable, too
		poll(&pfd, 1, 100);
		CHECK_EQ(target_next_stop(t, &ev), -EAGAIN);
	}
	CHECK_EQ(target_interrupt(t), 0);
	CHECK_EQ(wait_stop(t).why, STOP_INTERRUPT);
	CHECK(heard(&p, "^C"));
	target_destroy(t);
	peer_end(&p);
}

TEST(rsp_a_step_that_executed_nothing_is_sent_once_more)
{
	struct peer p;
	struct target *t = ready(&p);
	struct resume_plan range = { .vcpu = { { .action = TARGET_STEP_RANGE, .lo = { 0x50 }, .hi = { 0x60 } } } };

	say(&p, "g", g_text(0x40, 0));
	say(&p, "vCont;", "T05thread:01;");
	say_once(&p, "g", GOT_ON);
	CHECK_EQ(run(t, TARGET_STEP, TARGET_HOLD).why, STOP_STEP);
	CHECK_EQ(times_heard(&p, "vCont;s:1"), 1);
	forget(&p);
	CHECK_EQ(run(t, TARGET_STEP, TARGET_HOLD).why, STOP_STEP); // a jump to itself: not for ever
	CHECK_EQ(times_heard(&p, "vCont;s:1"), 2);
	forget(&p);
	CHECK_EQ(target_resume(t, &range), 0);
	CHECK_EQ(wait_stop(t).why, STOP_STEP);
	CHECK_EQ(times_heard(&p, "vCont;s:1"), 2);
	target_destroy(t);
	peer_end(&p);
}

TEST(rsp_an_interrupt_of_a_step_that_executed_nothing_ends_it)
{
	struct peer p;
	struct target *t = ready(&p);
	struct resume_plan plan = { .vcpu = { { .action = TARGET_STEP }, { .action = TARGET_HOLD } } };

	say(&p, "g", g_text(0x40, 0));
	say(&p, "vCont;", "T05thread:01;");
	say(&p, "break", NULL);
	CHECK_EQ(target_resume(t, &plan), 0);
	CHECK_EQ(target_interrupt(t), 0);
	CHECK_EQ(wait_stop(t).why, STOP_INTERRUPT);
	target_destroy(t);
	peer_end(&p);
}

TEST(rsp_another_vcpu_at_a_breakpoint_is_kept_for_the_next_resume)
{
	struct peer p;
	struct target *t = ready(&p);
	struct target_break at = { TARGET_BREAK_SW, GVA(0x40), 1 };
	struct stop_event ev;
	char *n;

	CHECK_EQ(target_breaks_set(t, &at, 1), 0);
	say(&p, "g", g_text(0x40, 0)); // both stand there
	say(&p, "vCont;", "T05thread:01;");
	ev = run(t, TARGET_RUN, TARGET_RUN);
	CHECK_EQ(ev.vcpu, 0);
	CHECK_EQ(run(t, TARGET_STEP, TARGET_HOLD).why, STOP_STEP); // held: stays kept
	forget(&p);
	ev = run(t, TARGET_RUN, TARGET_RUN);
	CHECK_EQ(ev.vcpu, 1);
	CHECK_EQ(ev.why, STOP_SWBREAK);
	n = strstr(p.log, "vCont");
	CHECK(!n); // nothing ran for it
	ev = run(t, TARGET_RUN, TARGET_RUN);
	CHECK_EQ(ev.vcpu, 0);
	target_destroy(t);
	peer_end(&p);
}

TEST(rsp_an_interrupt_that_comes_too_late_leaves_nothing_behind)
{
	struct peer p;
	struct target *t = ready(&p);
	struct resume_plan plan = { .vcpu = { { .action = TARGET_STEP }, { .action = TARGET_HOLD } } };

	say(&p, "g", g_text(0x40, 0));
	say_once(&p, "g", GOT_ON);
	say(&p, "vCont;", "T05thread:01;");
	say(&p, "break", NULL);
	CHECK_EQ(target_resume(t, &plan), 0);
	CHECK_EQ(target_interrupt(t), 0);
	CHECK_EQ(wait_stop(t).why, STOP_STEP);
	CHECK_EQ(run(t, TARGET_STEP, TARGET_HOLD).why, STOP_STEP);
	target_destroy(t);
	peer_end(&p);
}

TEST(rsp_nothing_is_sent_while_the_guest_runs)
{
	struct peer p;
	struct target *t = ready(&p);
	struct resume_plan plan = { .vcpu = { { .action = TARGET_RUN }, { .action = TARGET_RUN } } };
	uint8_t b;
	size_t done;

	CHECK_EQ(target_resume(t, &plan), 0);
	forget(&p);
	CHECK_EQ(target_mem_read(t, GPA(0), &b, 1, &done), -EBUSY);
	CHECK_EQ(target_mem_write(t, GPA(0), &b, 1, &done), -EBUSY);
	CHECK(!heard(&p, "m0"));
	target_destroy(t);
	peer_end(&p);
}

TEST(rsp_hang_up_is_an_exit)
{
	struct peer p;
	struct target *t = ready(&p);
	struct stop_event ev;

	say(&p, "vCont;", "\x01");
	ev = run(t, TARGET_RUN, TARGET_RUN);
	CHECK_EQ(ev.why, STOP_EXIT);
	CHECK_STR(ev.text, "the debug server hung up");
	target_destroy(t);
	peer_end(&p);
}

TEST(rsp_nonsense_for_a_stop_reply_is_an_exit)
{
	static const char *const junk[] = { "", "hello", "T", "Tx5", "T05thread:zz;", "T05watch:;", "T05;;x" };

	for (size_t i = 0; i < sizeof(junk) / sizeof(junk[0]); i++) {
		struct peer p;
		struct target *t = ready(&p);

		say(&p, "g", g_text(0x40, 0));
		say(&p, "vCont;", junk[i]);
		CHECK_EQ(run(t, TARGET_STEP, TARGET_STEP).why, i == 6 ? STOP_STEP : STOP_EXIT);
		target_destroy(t);
		peer_end(&p);
	}
}

TEST(rsp_w_packet_is_an_exit)
{
	struct peer p;
	struct target *t = ready(&p);

	say(&p, "vCont;", "W00");
	CHECK_EQ(run(t, TARGET_RUN, TARGET_RUN).why, STOP_EXIT);
	target_destroy(t);
	peer_end(&p);
}

TEST(rsp_bad_checksums_and_naks_are_repaired)
{
	struct peer p;
	struct target *t = ready(&p);
	struct arch_regs r = { 0 };

	say(&p, "g", g_text(0x40, 0));
	say(&p, "nak", g_text(0x40, 0));
	p.nak_once = true;
	CHECK_EQ(target_regs_read(t, 0, ARCH_CORE, &r), 0);
	p.bad_sum_once = true;
	r = (struct arch_regs){ 0 };
	CHECK_EQ(target_regs_read(t, 0, ARCH_CORE, &r), 0);
	CHECK_EQ(r.x86.rip, 0x40);
	target_destroy(t);
	peer_end(&p);
}

TEST(rsp_servers_that_make_no_sense_are_refused)
{
	static const struct {
		const char *req, *reply, *why;
	} bad[] = {
		{ "qSupported", "PacketSize=zz", "packet size" },
		{ "qSupported", "PacketSize=10", "packet size" },
		{ "?", "W00", "stopped" },
		{ "?", "\x01", "hung up" },
		{ "vCont?", "", "vCont" },
		{ "qfThreadInfo", "l", "no threads" },
	};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct peer p;
		int fd = peer_start(&p);
		struct errtext why = { "" };
		struct target *t = NULL;

		say(&p, "qsThreadInfo", "l");
		say(&p, bad[i].req, bad[i].reply);
		CHECK(connect_to(&p, fd, NULL, &t, &why) < 0);
		CHECK(!t);
		CHECK(strstr(why.text, bad[i].why));
		peer_end(&p);
	}
}

/* ---- target descriptions ---- */
#include "backend/rsp_regs.h"

static int annex(void *arg, const char *name, struct strbuf *out)
{
	strbuf_adds(out,
		    strcmp(name, "target.xml") == 0 ? arg : "<feature><xi:include href=\"target.xml\"/></feature>");
	return 0;
}

TEST(rsp_bad_target_descriptions_are_refused)
{
	static char none[] = "<target/>", open[] = "<target>",
		    loop[] = "<target><xi:include href=\"target.xml\"/></target>",
		    size[] = "<target><reg name=\"rax\" bitsize=\"0\"/></target>",
		    number[] = "<target><reg name=\"rax\" bitsize=\"64\" regnum=\"70000\"/></target>",
		    twice[] = "<target><reg name=\"a\" bitsize=\"8\" regnum=\"1\"/><reg name=\"b\" bitsize=\"8\" "
			      "regnum=\"1\"/></target>",
		    noname[] = "<target><reg bitsize=\"8\"/></target>", empty[] = "";
	char *const bad[] = { none, open, loop, size, number, twice, noname, empty };
	struct rsp_regmap m;
	struct errtext why;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		CHECK_EQ(rsp_regmap_learn(&m, annex, bad[i], &why), -EPROTO);
}

/* As QEMU has it: core registers in the g packet, the rest behind its end. SCTLR is one of the names without _EL1. */
static void arm64_learn(struct rsp_regmap *m)
{
	struct strbuf xml = { 0 };
	struct errtext why;

	strbuf_adds(&xml, "<target><architecture>aarch64</architecture>");
	for (unsigned i = 0; i < 31; i++)
		strbuf_addf(&xml, "<reg name=\"x%u\" bitsize=\"64\"/>", i);
	strbuf_adds(&xml,
		    "<reg name=\"sp\" bitsize=\"64\"/><reg name=\"pc\" bitsize=\"64\"/>"
		    "<reg name=\"cpsr\" bitsize=\"32\"/>"
		    "<reg name=\"z0\" bitsize=\"512\"/><reg name=\"SP_EL0\" bitsize=\"64\"/>"
		    "<reg name=\"SP_EL1\" bitsize=\"64\"/><reg name=\"SCTLR\" bitsize=\"64\"/>"
		    "<reg name=\"DBGBVR0_EL1\" bitsize=\"64\"/><reg name=\"DBGBVR1_EL1\" bitsize=\"64\"/></target>");
	CHECK_EQ(rsp_regmap_learn(m, annex, xml.s, &why), 0);
	strbuf_deinit(&xml);
}

enum { ARM64_G = 2 * (33 * 8 + 4), ARM64_SP = 31, ARM64_CPSR = 33, ARM64_Z0 = 34, ARM64_SP_EL0_REG = 35 };

static void arm64_g(char *hex, uint64_t sp, uint32_t cpsr)
{
	memset(hex, '0', ARM64_G);
	for (unsigned i = 0; i < 8; i++)
		sprintf(hex + 16 * ARM64_SP + 2 * i, "%02x", (unsigned)(sp >> 8 * i & 0xff));
	for (unsigned i = 0; i < 4; i++)
		sprintf(hex + 16 * ARM64_CPSR + 2 * i, "%02x", cpsr >> 8 * i & 0xff);
	hex[16 * 32] = '4'; // pc: the digit that followed sp was overwritten
	hex[16 * 32 + 1] = '0';
	hex[ARM64_G] = '\0';
}

static void reg_says(const struct rsp_regmap *m, unsigned num, const char *hex, struct arch_regs *r)
{
	CHECK_EQ(rsp_reg_decode(m, num, (const uint8_t *)hex, strlen(hex), r), 0);
}

TEST(rsp_arm64_stack_pointers_follow_the_state)
{
	struct rsp_regmap m;
	struct arch_regs r = { 0 };
	char hex[ARM64_G + 1];
	uint32_t more;

	arm64_learn(&m);
	CHECK(m.machine == &rsp_machine_arm64);
	CHECK_EQ(m.groups, ARCH_CORE | ARCH_SYS | ARCH_FP | ARCH_DEBUG);
	m.machine->clear(&r);
	arm64_g(hex, 0x8877665544332211, 0x3c5); // EL1h
	CHECK_EQ(rsp_regs_decode(&m, (const uint8_t *)hex, ARM64_G, &r, &more), 0);
	CHECK_EQ(more, ARCH_CORE | ARCH_SYS | ARCH_FP | ARCH_DEBUG);
	CHECK_EQ(r.arm64.pstate, 0x3c5);
	CHECK_EQ(r.arm64.pc, 0x40);
	CHECK_EQ(r.arm64.sp[ARM64_SP_EL1], 0x8877665544332211);
	CHECK_EQ(r.arm64.sp_absent, 0xd);
	reg_says(&m, ARM64_SP_EL0_REG, "1100000000000000", &r);
	reg_says(&m, ARM64_SP_EL0_REG + 1, "2200000000000000", &r); // what it was before the state had it in use
	CHECK_EQ(r.arm64.sp[ARM64_SP_EL0], 0x11);
	CHECK_EQ(r.arm64.sp[ARM64_SP_EL1], 0x8877665544332211);
	CHECK_EQ(r.arm64.sp_absent, 0xc);
	arm64_g(hex, 0x33, 0x3c4); // EL1t
	CHECK_EQ(rsp_regs_decode(&m, (const uint8_t *)hex, ARM64_G, &r, &more), 0);
	CHECK_EQ(r.arm64.sp[ARM64_SP_EL0], 0x33);
}

TEST(rsp_arm64_registers_are_there_or_not_one_by_one)
{
	struct rsp_regmap m;
	struct arch_regs r = { 0 };
	char z[129] = "";

	arm64_learn(&m);
	m.machine->clear(&r);
	CHECK(!arm64_sys_has(&r.arm64, ARM64_SCTLR_EL1));
	reg_says(&m, ARM64_SP_EL0_REG + 2, "300dd03000000000", &r); // called SCTLR
	CHECK(arm64_sys_has(&r.arm64, ARM64_SCTLR_EL1));
	CHECK(!arm64_sys_has(&r.arm64, ARM64_TCR_EL1));
	CHECK_EQ(r.arm64.sys[ARM64_SCTLR_EL1], 0x30d00d30);
	memset(z, '1', 128);
	reg_says(&m, ARM64_Z0, z, &r);
	CHECK_EQ(r.arm64.vl, 64);
	CHECK(m.machine->layout(&m) == arch_layout_arm64(64, false));
	CHECK_EQ(r.arm64.z[0][63], 0x11);
	reg_says(&m, ARM64_SP_EL0_REG + 3, "0100000000000000", &r);
	reg_says(&m, ARM64_SP_EL0_REG + 4, "0200000000000000", &r);
	CHECK_EQ(r.arm64.nbps, 2);
	CHECK_EQ(r.arm64.nwps, 0);
	CHECK_EQ(r.arm64.dbgbvr[1], 2);
	CHECK_EQ(rsp_reg_decode(&m, ARM64_Z0, (const uint8_t *)"00", 2, &r), -EPROTO);
}

TEST(rsp_plain_layout_is_gdbs)
{
	struct rsp_regmap m;

	rsp_regmap_plain(&m);
	CHECK_EQ(m.nregs, 57);
	CHECK_EQ(m.reg[16].off, 128); // rip
	CHECK_EQ(m.reg[24].off, 164); // st0
	CHECK(m.groups & ARCH_CORE);
	CHECK(m.groups & ARCH_FP);
	CHECK(!(m.groups & ARCH_SYS));
}

TESTS(T(rsp_learns_threads_actions_and_breakpoint_kinds), T(rsp_registers_follow_the_servers_numbering),
      T(rsp_unavailable_registers_leave_their_group_out), T(rsp_registers_that_the_g_packet_lacks_are_read_one_by_one),
      T(rsp_writes_only_what_changed_and_believes_what_it_reads_back), T(rsp_memory_goes_in_pieces_of_the_packet_size),
      T(rsp_server_that_translates_does_so_for_the_vcpu_that_looks), T(rsp_breakpoints_are_sent_as_differences),
      T(rsp_a_refused_breakpoint_leaves_the_former_set), T(rsp_a_plan_becomes_actions_and_held_threads_get_none),
      T(rsp_stop_reasons_come_from_pc_and_set), T(rsp_a_trap_without_reason_runs_on),
      T(rsp_a_step_that_executed_nothing_is_sent_once_more),
      T(rsp_an_interrupt_of_a_step_that_executed_nothing_ends_it),
      T(rsp_another_vcpu_at_a_breakpoint_is_kept_for_the_next_resume),
      T(rsp_an_interrupt_that_comes_too_late_leaves_nothing_behind), T(rsp_nothing_is_sent_while_the_guest_runs),
      T(rsp_hang_up_is_an_exit), T(rsp_nonsense_for_a_stop_reply_is_an_exit), T(rsp_w_packet_is_an_exit),
      T(rsp_bad_checksums_and_naks_are_repaired), T(rsp_servers_that_make_no_sense_are_refused),
      T(rsp_bad_target_descriptions_are_refused), T(rsp_arm64_stack_pointers_follow_the_state),
      T(rsp_arm64_registers_are_there_or_not_one_by_one), T(rsp_attached_qemu_tells_segments_by_its_monitor),
      T(rsp_attached_server_tells_how_its_guest_ended),
      T(rsp_attached_server_is_let_go_with_no_breakpoint_in_its_guest),
      T(rsp_attached_running_server_tells_of_its_stop_unasked),
      T(rsp_server_that_says_nothing_is_not_waited_for_when_we_are_to_end),
      T(rsp_attached_x86_server_without_a_monitor_is_refused), T(rsp_plain_layout_is_gdbs))
