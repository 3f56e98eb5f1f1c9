/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The socket layer, with real sockets in one process: the test's ends block, the loop is turned by hand. */
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "server/server.h"
#include "test.h"
#include "util/macros.h"

#define HALT 0xf4 // the fake guest's vCPU waits here for an interrupt

struct rig {
	struct target *target;
	struct engine *engine;
	struct loop *loop;
	struct server *server;
	char dir[64], addr[96];
	unsigned ends, keeps, unseen;
	bool killed, had_why;
	bool restartable;  /* says so; no test goes as far */
	bool close_at_end; /* on_end closes the server */
	char text[256];    /* what on_text got */
	enum stop_why why;
};

static void on_end(void *arg, const struct stop_event *why, bool killed)
{
	struct rig *r = arg;

	r->ends++;
	r->killed = killed;
	r->had_why = why != NULL;
	if (why)
		r->why = why->why;
	if (r->close_at_end) {
		server_close(r->server);
		r->server = NULL;
	}
}

static int on_restart(void *arg, bool reset, struct engine **ret)
{
	return -EIO;
}

static void on_kept(void *arg, const struct stop_event *why)
{
	struct rig *r = arg;

	r->keeps++;
	r->why = why->why;
}

static void on_unseen(void *arg, const struct stop_event *why)
{
	struct rig *r = arg;

	r->unseen++;
	r->why = why->why;
	CHECK_EQ(engine_run_all(r->engine), 0);
}

static void on_text(void *arg, const char *text, size_t n)
{
	struct rig *r = arg;

	strncat(r->text, text, MIN(n, sizeof(r->text) - 1 - strlen(r->text)));
}

static void on_guest(void *arg, int fd, short revents)
{
	server_guest_event(((struct rig *)arg)->server);
}

static void turn(struct rig *r)
{
	while (loop_once(r->loop, 0) > 0)
		continue;
}

static int serve(struct rig *r, const char *addr, struct errtext *why)
{
	struct server_cfg cfg = {
		.addr = addr,
		.engine = r->engine,
		.loop = r->loop,
		.on_end = on_end,
		.on_kept = on_kept,
		.on_unseen = on_unseen,
		.on_restart = r->restartable ? on_restart : NULL,
		.on_text = on_text,
		.arg = r,
	};

	return server_open(&cfg, &r->server, why);
}

static void rig_up(struct rig *r)
{
	struct target_fake_cfg cfg = { .nvcpus = 1, .ram_size = 0x10000 };

	*r = (struct rig){ .dir = "/tmp/gdbvm-test-XXXXXX" };
	CHECK_EQ(target_fake_create(&cfg, &r->target), 0);
	CHECK_EQ(engine_create(r->target, &r->engine), 0);
	CHECK_EQ(loop_create(&r->loop), 0);
	CHECK_EQ(loop_watch(r->loop, engine_event_fd(r->engine), POLLIN, on_guest, r), 0);
	((uint8_t *)target_fake_ram(r->target))[0x20] = HALT;
	CHECK(mkdtemp(r->dir));
	snprintf(r->addr, sizeof(r->addr), "unix:%s/s", r->dir);
}

static void rig_down(struct rig *r)
{
	server_close(r->server);
	engine_destroy(r->engine);
	target_destroy(r->target);
	loop_destroy(r->loop);
	CHECK_EQ(rmdir(r->dir), 0); // the socket was removed
}

static void run_guest(struct rig *r)
{
	struct resume_plan plan = { .vcpu[0] = { .action = TARGET_RUN } };

	CHECK_EQ(engine_resume(r->engine, &plan), 0);
}

static int dial_unix(struct rig *r)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	CHECK(fd >= 0);
	memcpy(un.sun_path, r->addr + 5, strlen(r->addr + 5));
	CHECK_EQ(connect(fd, (struct sockaddr *)&un, sizeof(un)), 0);
	turn(r);
	return fd;
}

/* "127.0.0.1:PORT" as server_listening() prints it. */
static int dial_tcp(struct rig *r)
{
	struct sockaddr_in in = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	unsigned port = 0;

	CHECK_EQ(sscanf(server_listening(r->server), "127.0.0.1:%u", &port), 1);
	CHECK(port > 0);
	in.sin_port = htons((uint16_t)port);
	CHECK(fd >= 0);
	CHECK_EQ(connect(fd, (struct sockaddr *)&in, sizeof(in)), 0);
	turn(r);
	return fd;
}

static void say(struct rig *r, int fd, const char *text)
{
	CHECK_EQ(write(fd, text, strlen(text)), strlen(text));
	turn(r);
}

static void say_packet(struct rig *r, int fd, const char *body)
{
	char text[256];
	uint8_t sum = 0;

	for (const char *p = body; *p; p++)
		sum += (uint8_t)*p;
	snprintf(text, sizeof(text), "$%s#%02x", body, sum);
	say(r, fd, text);
}

/* All that is there now; "" and *closed when the server hung up. */
static void hear(int fd, char *buf, size_t size, bool *closed)
{
	size_t n = 0;
	ssize_t got;

	while ((got = recv(fd, buf + n, size - 1 - n, MSG_DONTWAIT)) > 0)
		n += (size_t)got;
	buf[n] = '\0';
	*closed = got == 0 || (got < 0 && errno == ECONNRESET);
}

static void check_hears(int fd, const char *want, bool want_closed)
{
	char buf[4096];
	bool closed;

	hear(fd, buf, sizeof(buf), &closed);
	CHECK_STR(buf, want);
	CHECK_EQ(closed, want_closed);
}

TEST(tcp_session_on_a_port_of_the_kernels_choice)
{
	struct rig r;
	int fd;

	rig_up(&r);
	CHECK_EQ(serve(&r, "0", NULL), 0);
	fd = dial_tcp(&r);
	CHECK(!server_has_client(r.server));
	say(&r, fd, "+$qC#b4");
	check_hears(fd, "+$QC1#c5", false);
	CHECK(server_has_client(r.server));
	close(fd);
	rig_down(&r);
}

TEST(tcp_port_in_use_names_the_address)
{
	struct errtext why = { "" };
	struct rig r, other;
	const char *name;

	rig_up(&r);
	rig_up(&other);
	CHECK_EQ(serve(&r, "0", NULL), 0);
	name = server_listening(r.server);
	CHECK_EQ(serve(&other, name, &why), -EADDRINUSE);
	CHECK(strstr(why.text, name));
	rig_down(&r);
	rig_down(&other);
}

TEST(unix_socket_is_for_its_owner_only)
{
	struct stat st;
	struct rig r;
	mode_t mask = umask(0);

	rig_up(&r);
	CHECK_EQ(serve(&r, r.addr, NULL), 0);
	CHECK_STR(server_listening(r.server), r.addr);
	CHECK_EQ(stat(r.addr + 5, &st), 0);
	CHECK_EQ(st.st_mode & 07777, 0600);
	umask(mask);
	rig_down(&r);
}

TEST(unix_socket_of_a_dead_server_is_replaced)
{
	struct rig r;
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	int dead = socket(AF_UNIX, SOCK_STREAM, 0);

	rig_up(&r);
	memcpy(un.sun_path, r.addr + 5, strlen(r.addr + 5));
	CHECK_EQ(bind(dead, (struct sockaddr *)&un, sizeof(un)), 0);
	close(dead);
	CHECK_EQ(serve(&r, r.addr, NULL), 0);
	close(dial_unix(&r));
	rig_down(&r);
}

TEST(unix_socket_of_a_living_server_is_left_alone)
{
	struct errtext why = { "" };
	struct rig r, other;
	int fd;

	rig_up(&r);
	rig_up(&other);
	CHECK_EQ(serve(&r, r.addr, NULL), 0);
	CHECK_EQ(serve(&other, r.addr, &why), -EADDRINUSE);
	CHECK(strstr(why.text, r.addr));
	fd = dial_unix(&r);
	say(&r, fd, "$qC#b4");
	check_hears(fd, "+$QC1#c5", false);
	close(fd);
	rig_down(&other);
	rig_down(&r);
}

TEST(unix_path_with_a_plain_file_is_left_alone)
{
	struct errtext why = { "" };
	struct rig r;
	FILE *f;

	rig_up(&r);
	f = fopen(r.addr + 5, "w");
	CHECK(f);
	fclose(f);
	CHECK_EQ(serve(&r, r.addr, &why), -EEXIST);
	CHECK_EQ(unlink(r.addr + 5), 0);
	rig_down(&r);
}

TEST(second_client_is_told_and_the_first_goes_on)
{
	struct rig r;
	int one, two;

	rig_up(&r);
	CHECK_EQ(serve(&r, r.addr, NULL), 0);
	one = dial_unix(&r);
	say(&r, one, "$QStartNoAckMode#b0");
	check_hears(one, "+$OK#9a", false);
	two = dial_unix(&r);
	say(&r, two, "+$qSupported#37"); // GDB talks before it listens
	check_hears(two, "gdbvm: busy: another debugger is connected\n", true);
	say(&r, one, "$qC#b4");
	check_hears(one, "$QC1#c5", false);
	close(two);
	turn(&r);
	close(one);
	turn(&r);
	CHECK(!server_has_client(r.server));
	one = dial_unix(&r);
	say(&r, one, "$qC#b4");
	check_hears(one, "+$QC1#c5", false);
	close(one);
	rig_down(&r);
}

TEST(client_that_is_gone_is_not_in_the_way_of_the_next)
{
	struct linger at_once = { .l_onoff = 1 };
	struct rig r;
	int one, two;

	for (unsigned i = 0; i < 2; i++) { // closed, and reset as that of a process that was killed with output unread
		rig_up(&r);
		CHECK_EQ(serve(&r, "0", NULL), 0);
		one = dial_tcp(&r);
		say(&r, one, "$Z0,1000,1#d4");
		if (i == 1)
			CHECK_EQ(setsockopt(one, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once)), 0);
		else
			check_hears(one, "+$OK#9a", false);
		close(one);
		two = dial_tcp(&r); // both are there when the loop turns, and the new one is looked at first
		CHECK_EQ(engine_bp_count(r.engine), 0);
		say(&r, two, "$qC#b4");
		check_hears(two, "+$QC1#c5", false);
		close(two);
		rig_down(&r);
	}
}

TEST(client_that_has_not_said_a_word_is_not_in_the_way_of_the_next)
{
	static const char *const said[] = { "", "+", "$qC", "$qC#00" };
	struct rig r;
	int one, two;

	for (unsigned i = 0; i < ARRAY_LEN(said); i++) {
		rig_up(&r);
		run_guest(&r);
		CHECK_EQ(serve(&r, r.addr, NULL), 0);
		one = dial_unix(&r);
		say(&r, one, said[i]);
		two = dial_unix(&r);
		check_hears(one, strcmp(said[i], "$qC#00") == 0 ? "-" : "", true);
		CHECK(engine_running(r.engine));
		say(&r, two, "$qC#b4");
		check_hears(two, "+$QC1#c5", false);
		close(one);
		close(two);
		rig_down(&r);
	}
}

TEST(client_whose_first_packet_is_on_its_way_is_not_displaced)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	int one, two = socket(AF_UNIX, SOCK_STREAM, 0);
	struct rig r;

	rig_up(&r);
	CHECK_EQ(serve(&r, r.addr, NULL), 0);
	one = dial_unix(&r);
	memcpy(un.sun_path, r.addr + 5, strlen(r.addr + 5));
	CHECK_EQ(connect(two, (struct sockaddr *)&un, sizeof(un)), 0);
	say(&r, one, "$qC#b4"); // both are there when the loop turns, and the new one is looked at first
	check_hears(one, "+$QC1#c5", false);
	check_hears(two, "gdbvm: busy: another debugger is connected\n", true);
	close(one);
	close(two);
	rig_down(&r);
}

TEST(client_that_has_let_the_guest_go_and_stays_is_not_displaced)
{
	struct rig r;
	int one, two;

	rig_up(&r);
	CHECK_EQ(serve(&r, r.addr, NULL), 0);
	one = dial_unix(&r);
	say(&r, one, "$!#21");
	say(&r, one, "$D#44");
	check_hears(one, "+$OK#9a+$OK#9a", false);
	CHECK(!server_has_client(r.server));
	two = dial_unix(&r);
	check_hears(two, "gdbvm: busy: another debugger is connected\n", true);
	say_packet(&r, one, "vAttach;1");
	CHECK(server_has_client(r.server));
	close(one);
	close(two);
	rig_down(&r);
}

TEST(client_that_killed_the_guest_ends_the_server_itself)
{
	struct rig r;
	int one, two;

	rig_up(&r);
	r.restartable = true;
	CHECK_EQ(serve(&r, r.addr, NULL), 0);
	one = dial_unix(&r);
	say(&r, one, "$!#21");
	say(&r, one, "$vKill;1#6e");
	check_hears(one, "+$OK#9a+$OK#9a", false);
	close(one);
	r.close_at_end = true;
	two = dial_unix(&r);
	CHECK_EQ(r.ends, 1);
	CHECK(r.killed && !r.server);
	close(two);
	rig_down(&r);
}

TEST(many_refused_clients_that_never_close)
{
	struct rig r;
	int one, refused[20];

	rig_up(&r);
	CHECK_EQ(serve(&r, r.addr, NULL), 0);
	one = dial_unix(&r);
	say(&r, one, "$QStartNoAckMode#b0");
	check_hears(one, "+$OK#9a", false);
	for (unsigned i = 0; i < ARRAY_LEN(refused); i++)
		refused[i] = dial_unix(&r);
	check_hears(refused[0], "gdbvm: busy: another debugger is connected\n", true);
	check_hears(refused[ARRAY_LEN(refused) - 1], "gdbvm: busy: another debugger is connected\n", true);
	say(&r, one, "$qC#b4");
	check_hears(one, "$QC1#c5", false);
	for (unsigned i = 0; i < ARRAY_LEN(refused); i++)
		close(refused[i]);
	close(one);
	rig_down(&r);
}

TEST(http_closes_the_connection_and_leaves_the_guest_as_it_was)
{
	struct rig r;
	int fd;

	rig_up(&r);
	CHECK_EQ(serve(&r, "0", NULL), 0);
	fd = dial_tcp(&r);
	say(&r, fd, "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
	check_hears(fd, "", true);
	CHECK(!engine_running(r.engine));
	close(fd);
	run_guest(&r);
	fd = dial_tcp(&r);
	CHECK(engine_running(r.engine));
	say(&r, fd, "POST / HTTP/1.1\r\n\r\n$k#6b");
	check_hears(fd, "", true);
	CHECK(engine_running(r.engine));
	CHECK_EQ(r.ends, 0);
	close(fd);
	rig_down(&r);
}

TEST(client_that_comes_stops_the_guest_and_dying_lets_it_run)
{
	struct rig r;
	int fd;

	rig_up(&r);
	run_guest(&r);
	CHECK_EQ(serve(&r, r.addr, NULL), 0);
	fd = dial_unix(&r);
	say(&r, fd, "$?#3f");
	CHECK(!engine_running(r.engine));
	say(&r, fd, "$Z0,1000,1#d4");
	CHECK_EQ(engine_bp_count(r.engine), 1);
	close(fd); // as kill -9 does
	turn(&r);
	CHECK(engine_running(r.engine));
	CHECK_EQ(engine_bp_count(r.engine), 0);
	CHECK(!server_has_client(r.server));
	CHECK_EQ(r.ends, 0);
	rig_down(&r);
}

TEST(client_dying_while_the_guest_runs)
{
	struct rig r;
	int fd;

	rig_up(&r);
	CHECK_EQ(serve(&r, r.addr, NULL), 0);
	fd = dial_unix(&r);
	say(&r, fd, "$Z0,1000,1#d4");
	say(&r, fd, "$c#63");
	CHECK(engine_running(r.engine));
	close(fd);
	turn(&r);
	CHECK(engine_running(r.engine));
	CHECK_EQ(engine_bp_count(r.engine), 0);
	rig_down(&r);
}

TEST(stop_reply_comes_through_the_loop)
{
	struct rig r;
	char buf[256];
	bool closed;
	int fd;

	rig_up(&r);
	CHECK_EQ(serve(&r, r.addr, NULL), 0);
	fd = dial_unix(&r);
	say(&r, fd, "$QStartNoAckMode#b0");
	say(&r, fd, "$c#63");
	check_hears(fd, "+$OK#9a", false);
	say(&r, fd, "\x03");
	hear(fd, buf, sizeof(buf), &closed);
	CHECK_EQ(strncmp(buf, "$T02thread:1;", 13), 0);
	CHECK(!closed);
	close(fd);
	rig_down(&r);
}

TEST(detach_closes_after_the_reply)
{
	struct rig r;
	int fd;

	rig_up(&r);
	CHECK_EQ(serve(&r, r.addr, NULL), 0);
	fd = dial_unix(&r);
	say(&r, fd, "$D#44");
	check_hears(fd, "+$OK#9a", true);
	CHECK(engine_running(r.engine));
	CHECK_EQ(r.ends, 0);
	close(fd);
	rig_down(&r);
}

TEST(kill_ends_the_process)
{
	struct rig r;
	int fd;

	rig_up(&r);
	CHECK_EQ(serve(&r, r.addr, NULL), 0);
	fd = dial_unix(&r);
	say(&r, fd, "$vKill;1#6e");
	check_hears(fd, "+$OK#9a", true);
	CHECK_EQ(r.ends, 1);
	CHECK(r.killed);
	close(fd);
	rig_down(&r);
}

TEST(guest_power_off_is_told_to_client_and_owner)
{
	struct stop_event ev = { .why = STOP_EXIT, .code = 0 };
	struct rig r;
	int fd;

	rig_up(&r);
	CHECK_EQ(serve(&r, r.addr, NULL), 0);
	fd = dial_unix(&r);
	target_fake_push_stop(r.target, &ev);
	say(&r, fd, "$c#63");
	check_hears(fd, "+$W00#b7", true);
	CHECK_EQ(r.ends, 1);
	CHECK(!r.killed && r.had_why);
	CHECK_EQ(r.why, STOP_EXIT);
	close(fd);
	rig_down(&r);
}

TEST(guest_end_without_a_client_goes_to_the_owner)
{
	struct stop_event ev = { .why = STOP_RESET };
	struct rig r;

	rig_up(&r);
	CHECK_EQ(serve(&r, r.addr, NULL), 0);
	target_fake_push_stop(r.target, &ev);
	run_guest(&r);
	turn(&r);
	CHECK_EQ(r.ends, 1);
	CHECK_EQ(r.why, STOP_RESET);
	rig_down(&r);
}

TEST(stop_that_no_client_asked_for_goes_to_the_owner)
{
	const struct stop_event ev = { .why = STOP_PWATCH, .pwatch = { .at = GPA(0x3000), .size = 8 } };
	struct rig r;
	unsigned n;

	rig_up(&r);
	CHECK_EQ(serve(&r, r.addr, NULL), 0);
	CHECK_EQ(engine_pwatch_add(r.engine, GPA(0x3000), 8), 0);
	target_fake_push_stop(r.target, &ev);
	run_guest(&r);
	turn(&r);
	CHECK_EQ(r.unseen, 1);
	CHECK_EQ(r.why, STOP_PWATCH);
	CHECK(engine_running(r.engine));
	engine_pwatch_list(r.engine, &n);
	CHECK_EQ(n, 1); // whoever set it takes it out
	rig_down(&r);
}

TEST(breakpoint_that_a_client_left_behind_goes_when_it_is_hit)
{
	struct rig r;

	rig_up(&r);
	CHECK_EQ(serve(&r, r.addr, NULL), 0);
	CHECK_EQ(engine_bp_insert(r.engine, 0, ENGINE_SWBP, GVA(0x10), 1, NULL), 0);
	run_guest(&r);
	turn(&r);
	CHECK_EQ(r.unseen, 0);
	CHECK(engine_running(r.engine));
	CHECK_EQ(engine_bp_count(r.engine), 0);
	rig_down(&r);
}

/* One that crashes while nobody is there. */
static void crash_alone(struct rig *r, enum stop_why why)
{
	struct stop_event ev = { .why = why };

	rig_up(r);
	CHECK_EQ(serve(r, r->addr, NULL), 0);
	target_fake_push_stop(r->target, &ev);
	run_guest(r);
	turn(r);
	CHECK_EQ(r->ends, 0);
	CHECK_EQ(r->keeps, 1);
	CHECK_EQ(r->why, why);
	CHECK(!engine_running(r->engine));
}

static void check_is_told(int fd, const char *stop)
{
	char buf[4096];
	bool closed;

	hear(fd, buf, sizeof(buf), &closed);
	CHECK_EQ(strncmp(buf, stop, strlen(stop)), 0);
	CHECK(!closed);
}

TEST(guest_that_crashes_without_a_client_is_kept_for_the_next)
{
	struct rig r;
	int fd;

	crash_alone(&r, STOP_TRIPLE_FAULT);
	fd = dial_unix(&r);
	close(fd); // a stray connection
	turn(&r);
	int silent = dial_unix(&r);
	for (unsigned i = 0; i < 2; i++) {
		fd = dial_unix(&r);
		say(&r, fd, "$?#3f");
		check_is_told(fd, "+$T0bthread:1;");
		if (i == 0)
			say(&r, fd, "$D#44");
		close(fd);
		turn(&r);
		CHECK_EQ(r.ends, 0);
		CHECK_EQ(r.keeps, 1);
	}
	check_hears(silent, "", true);
	close(silent);
	fd = dial_unix(&r);
	say(&r, fd, "$vKill;1#6e");
	CHECK_EQ(r.ends, 1);
	CHECK(r.killed);
	close(fd);
	rig_down(&r);
}

TEST(kept_guest_waits_for_the_first_packet_of_a_client)
{
	struct rig r;
	int fd;

	crash_alone(&r, STOP_TRIPLE_FAULT);
	fd = dial_unix(&r);
	say(&r, fd, "+"); // GDB writes this by itself, so that it may come alone
	check_hears(fd, "", false);
	say(&r, fd, "$?#3f");
	check_is_told(fd, "+$T0bthread:1;");
	close(fd);
	rig_down(&r);
}

TEST(kept_guest_that_cannot_go_on_ends_when_it_is_continued)
{
	struct stop_event gone = { .why = STOP_EXIT, .code = TARGET_EXIT_INTERNAL };
	struct rig r;
	int fd;

	crash_alone(&r, STOP_INTERNAL_ERROR);
	target_fake_push_stop(r.target, &gone);
	fd = dial_unix(&r);
	say(&r, fd, "$c#63");
	check_hears(fd, "+$W0c#ea", true);
	CHECK_EQ(r.ends, 1);
	CHECK(!r.killed);
	close(fd);
	rig_down(&r);
}

TEST(panicked_guest_is_kept_until_a_client_lets_it_go)
{
	struct rig r;
	int fd;

	crash_alone(&r, STOP_PANIC);
	fd = dial_unix(&r);
	close(fd); // never spoke
	turn(&r);
	CHECK(!engine_running(r.engine));
	fd = dial_unix(&r);
	say(&r, fd, "$?#3f");
	check_is_told(fd, "+$T1ethread:1;");
	say(&r, fd, "$D#44");
	CHECK(engine_running(r.engine));
	CHECK_EQ(r.ends, 0);
	close(fd);
	rig_down(&r);
}

TEST(client_lost_at_a_crash_leaves_it_to_the_next)
{
	struct stop_event ev = { .why = STOP_TRIPLE_FAULT };
	struct rig r;
	int fd;

	rig_up(&r);
	CHECK_EQ(serve(&r, r.addr, NULL), 0);
	fd = dial_unix(&r);
	target_fake_push_stop(r.target, &ev);
	say(&r, fd, "$c#63");
	close(fd);
	turn(&r);
	CHECK_EQ(r.ends, 0);
	CHECK_EQ(r.keeps, 1);
	fd = dial_unix(&r);
	say(&r, fd, "$?#3f");
	check_is_told(fd, "+$T0bthread:1;");
	close(fd);
	rig_down(&r);
}

static void monitor(struct rig *r, int fd, const char *line)
{
	char text[128] = "qRcmd,";

	for (const char *p = line; *p; p++)
		snprintf(text + strlen(text), sizeof(text) - strlen(text), "%02x", (uint8_t)*p);
	say_packet(r, fd, text);
}

TEST(client_lost_at_a_crash_leaves_nothing_of_its_own)
{
	struct stop_event ev = { .why = STOP_TRIPLE_FAULT };
	struct rig r;
	unsigned n;
	int fd;

	rig_up(&r);
	CHECK_EQ(serve(&r, r.addr, NULL), 0);
	fd = dial_unix(&r);
	target_fake_push_stop(r.target, &ev);
	say_packet(&r, fd, "Z0,30,1");
	monitor(&r, fd, "pwatch 0x100 8");
	monitor(&r, fd, "catch vcpu-on on");
	say_packet(&r, fd, "c");
	for (unsigned i = 0; i < 2; i++) { // lost as the crash was seen, and after a look at it
		CHECK_EQ(engine_bp_count(r.engine), 1);
		close(fd);
		turn(&r);
		CHECK_EQ(r.keeps, 1);
		CHECK_EQ(engine_bp_count(r.engine), 0);
		engine_pwatch_list(r.engine, &n);
		CHECK_EQ(n, 0);
		CHECK(!engine_catches(r.engine, STOP_VCPU_ON));
		CHECK(!engine_running(r.engine));
		fd = dial_unix(&r);
		say_packet(&r, fd, "Z0,30,1");
		monitor(&r, fd, "catch triple-fault off");
	}
	say_packet(&r, fd, "D");
	CHECK_EQ(engine_bp_count(r.engine), 0);
	CHECK_EQ(r.ends, 0);
	close(fd);
	fd = dial_unix(&r);
	say(&r, fd, "$?#3f");
	check_is_told(fd, "+$T0bthread:1;");
	close(fd);
	rig_down(&r);
}

TEST(client_gone_after_a_final_stop_ends_the_guest)
{
	struct stop_event ev = { .why = STOP_RESET };
	struct rig r;
	int fd;

	rig_up(&r);
	CHECK_EQ(serve(&r, r.addr, NULL), 0);
	fd = dial_unix(&r);
	target_fake_push_stop(r.target, &ev);
	say(&r, fd, "$c#63");
	CHECK_EQ(r.ends, 0); // the client may look at it
	say(&r, fd, "$D#44");
	CHECK_EQ(r.ends, 1);
	CHECK_EQ(r.why, STOP_RESET);
	close(fd);
	rig_down(&r);
}

TEST(client_is_told_of_our_end_only_when_it_waits_for_a_stop)
{
	struct rig r;
	int fd;

	rig_up(&r);
	CHECK_EQ(serve(&r, r.addr, NULL), 0);
	fd = dial_unix(&r);
	say(&r, fd, "$c#63");
	check_hears(fd, "+", false);
	server_tell_end(r.server, 15);
	check_hears(fd, "$X0f#ee", false);
	close(fd);
	rig_down(&r);

	rig_up(&r);
	CHECK_EQ(serve(&r, r.addr, NULL), 0);
	server_tell_end(r.server, 15); // nobody there
	fd = dial_unix(&r);
	say(&r, fd, "$QStartNoAckMode#b0");
	server_tell_end(r.server, 15);
	check_hears(fd, "+$OK#9a", false);
	server_close(r.server);
	r.server = NULL;
	check_hears(fd, "", true);
	CHECK(!engine_running(r.engine)); // not let go for its last moments
	close(fd);
	rig_down(&r);
}

#define BREAK_THAT_PRINTS_HI "Z0,10,1;cmds:1,Xc,220022003400000368690027"

TEST(text_of_commands_comes_while_the_guest_runs)
{
	struct errtext why;
	struct rig r;
	int fd;

	rig_up(&r);
	CHECK_EQ(serve(&r, r.addr, &why), 0);
	fd = dial_unix(&r);
	say(&r, fd, "$QStartNoAckMode#b0");
	say_packet(&r, fd, BREAK_THAT_PRINTS_HI);
	check_hears(fd, "+$OK#9a$OK#9a", false);
	say_packet(&r, fd, "c");
	check_hears(fd, "$O6869#2c", false);
	CHECK(engine_running(r.engine));
	CHECK_STR(r.text, "");
	close(fd);
	rig_down(&r);
}

TEST(text_that_no_client_takes_is_handed_over)
{
	struct errtext why;
	struct rig r;
	int fd;

	rig_up(&r);
	CHECK_EQ(serve(&r, r.addr, &why), 0);
	fd = dial_unix(&r);
	say_packet(&r, fd, BREAK_THAT_PRINTS_HI);
	close(fd);
	run_guest(&r); // the loop has not seen the end of the client yet
	turn(&r);
	CHECK_STR(r.text, "hi");
	rig_down(&r);
}

/* Pipes, as "target remote | gdbvm ..." may give. Checked only once the test has its own stdin and stdout back. */
TEST(guest_that_is_replaced_under_a_client_that_has_not_taken_hold)
{
	struct target_fake_cfg cfg = { .nvcpus = 2, .ram_size = 0x10000 };
	struct rig r;
	int fd;

	for (unsigned i = 0; i < 2; i++) {
		rig_up(&r);
		CHECK_EQ(serve(&r, r.addr, NULL), 0);
		fd = dial_unix(&r);
		if (i == 1) { // has let it go
			say(&r, fd, "$QStartNoAckMode#b0");
			say(&r, fd, "$!#21");
			say(&r, fd, "$D#44");
			check_hears(fd, "+$OK#9a$OK#9a$OK#9a", false);
		}
		loop_unwatch(r.loop, engine_event_fd(r.engine));
		engine_destroy(r.engine);
		target_destroy(r.target);
		CHECK_EQ(target_fake_create(&cfg, &r.target), 0);
		CHECK_EQ(engine_create(r.target, &r.engine), 0);
		server_engine_set(r.server, r.engine);
		if (i == 1)
			say_packet(&r, fd, "vAttach;1");
		else
			say(&r, fd, "$QStartNoAckMode#b0");
		recv(fd, (char[4096]){ 0 }, 4096, MSG_DONTWAIT);
		say_packet(&r, fd, "T2"); // which the former guest did not have
		check_hears(fd, "$OK#9a", false);
		close(fd);
		rig_down(&r);
	}
}

TEST(stdio_session_ends_with_its_input)
{
	int in[2], out[2], own_in = dup(STDIN_FILENO), own_out = dup(STDOUT_FILENO);
	char listening[32], reply[64] = "";
	struct rig r;
	bool stopped;

	rig_up(&r);
	CHECK_EQ(pipe(in) + pipe(out), 0);
	fflush(stdout);
	dup2(in[0], STDIN_FILENO);
	dup2(out[1], STDOUT_FILENO);
	serve(&r, "-", NULL);
	snprintf(listening, sizeof(listening), "%s", server_listening(r.server));
	say(&r, in[1], "$qC#b4");
	stopped = !engine_running(r.engine);
	close(in[0]);
	close(in[1]);
	turn(&r);
	dup2(own_in, STDIN_FILENO);
	dup2(own_out, STDOUT_FILENO);
	CHECK_STR(listening, "stdin/stdout");
	CHECK_EQ(read(out[0], reply, sizeof(reply) - 1), 8);
	CHECK_STR(reply, "+$QC1#c5");
	CHECK(stopped && engine_running(r.engine));
	CHECK_EQ(r.ends, 1);
	CHECK(!r.had_why && !r.killed);
	for (unsigned i = 0; i < 2; i++)
		close(out[i]);
	close(own_in);
	close(own_out);
	rig_down(&r);
}

TEST(client_that_does_not_read_is_not_read_from)
{
	struct timeval no_wait = { .tv_usec = 1000 };
	char chunk[1 << 16], sink[1 << 16];
	size_t sent = 0, got = 0;
	struct rig r;
	ssize_t n;
	int fd;

	rig_up(&r);
	CHECK_EQ(serve(&r, r.addr, NULL), 0);
	fd = dial_unix(&r);
	CHECK_EQ(setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &no_wait, sizeof(no_wait)), 0);
	for (size_t i = 0; i + 10 <= sizeof(chunk); i += 10)
		memcpy(chunk + i, "$m0,fff#fb", 10);
	while (sent < sizeof(chunk) * 16 && (n = send(fd, chunk, sizeof(chunk) / 10 * 10, 0)) > 0) {
		sent += (size_t)n;
		turn(&r);
	}
	CHECK(sent < sizeof(chunk) * 16); // held back long before 1 MiB of requests became 800 MiB of replies
	do {
		turn(&r);
		n = recv(fd, sink, sizeof(sink), MSG_DONTWAIT);
		got += n > 0 ? (size_t)n : 0;
	} while (n > 0);
	CHECK(got > sent / 10 * 8190); // and everything is answered once it reads
	close(fd);
	rig_down(&r);
}

TESTS(T(tcp_session_on_a_port_of_the_kernels_choice), T(tcp_port_in_use_names_the_address),
      T(unix_socket_is_for_its_owner_only), T(unix_socket_of_a_dead_server_is_replaced),
      T(unix_socket_of_a_living_server_is_left_alone), T(unix_path_with_a_plain_file_is_left_alone),
      T(second_client_is_told_and_the_first_goes_on), T(client_that_is_gone_is_not_in_the_way_of_the_next),
      T(client_that_has_not_said_a_word_is_not_in_the_way_of_the_next),
      T(client_whose_first_packet_is_on_its_way_is_not_displaced),
      T(client_that_has_let_the_guest_go_and_stays_is_not_displaced),
      T(client_that_killed_the_guest_ends_the_server_itself), T(many_refused_clients_that_never_close),
      T(http_closes_the_connection_and_leaves_the_guest_as_it_was),
      T(client_that_comes_stops_the_guest_and_dying_lets_it_run), T(client_dying_while_the_guest_runs),
      T(stop_reply_comes_through_the_loop), T(detach_closes_after_the_reply), T(kill_ends_the_process),
      T(guest_power_off_is_told_to_client_and_owner), T(guest_end_without_a_client_goes_to_the_owner),
      T(stop_that_no_client_asked_for_goes_to_the_owner), T(breakpoint_that_a_client_left_behind_goes_when_it_is_hit),
      T(guest_that_crashes_without_a_client_is_kept_for_the_next), T(kept_guest_waits_for_the_first_packet_of_a_client),
      T(kept_guest_that_cannot_go_on_ends_when_it_is_continued), T(panicked_guest_is_kept_until_a_client_lets_it_go),
      T(client_lost_at_a_crash_leaves_it_to_the_next), T(client_lost_at_a_crash_leaves_nothing_of_its_own),
      T(client_gone_after_a_final_stop_ends_the_guest), T(client_is_told_of_our_end_only_when_it_waits_for_a_stop),
      T(text_of_commands_comes_while_the_guest_runs), T(text_that_no_client_takes_is_handed_over),
      T(guest_that_is_replaced_under_a_client_that_has_not_taken_hold), T(stdio_session_ends_with_its_input),
      T(client_that_does_not_read_is_not_read_from))
