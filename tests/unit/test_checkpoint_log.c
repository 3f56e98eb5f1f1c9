/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "checkpoint/log.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "test.h"

/* A log in a file of its own, and its lines. */
struct rig {
	char path[32];
	struct checkpoint_log *log;
	struct errtext why;
	char *text;
};

static void rig_init_stoppable(struct rig *r, uint64_t limit, int text_fd, int stop_fd)
{
	*r = (struct rig){ .path = "/tmp/checkpointsXXXXXX" };
	close(mkstemp(r->path));
	const struct checkpoint_log_cfg cfg = {
		.path = r->path, .limit = limit, .text_fd = text_fd, .stop_fd = stop_fd
	};
	CHECK_EQ(checkpoint_log_create(&cfg, &r->log, &r->why), 0);
}

static void rig_init(struct rig *r, uint64_t limit, int text_fd)
{
	rig_init_stoppable(r, limit, text_fd, -1);
}

static int rig_close(struct rig *r)
{
	const int rc = checkpoint_log_close(r->log, &r->why);
	size_t n = 0;

	FILE *f = fopen(r->path, "r");
	CHECK(f);
	CHECK(getdelim(&r->text, &n, '\0', f) > 0);
	fclose(f);
	unlink(r->path);
	return rc;
}

static void add(struct rig *r, uint64_t value)
{
	checkpoint_log_add(
		r->log,
		&(struct checkpoint_record){
			.ns = 1500000007, .value = value, .size = 1, .port = 0x80, .pc = 0xfffffe92, .has_pc = true });
}

/* The number of lines that have @what in them. */
static unsigned count(const char *text, const char *what)
{
	const size_t len = strlen(what), size = strlen(text);
	unsigned n = 0;

	for (const char *p = text; (p = memmem(p, size - (size_t)(p - text), what, len)); p++)
		n++;
	return n;
}

TEST(a_record_is_a_line_of_json)
{
	struct rig r;

	rig_init(&r, 1 << 20, -1);
	add(&r, 0x16);
	checkpoint_log_add(r.log, &(struct checkpoint_record){ .kind = CHECKPOINT_WRITE,
							       .ns = 2,
							       .value = 0x1122334455,
							       .size = 8,
							       .port = 0x9000000,
							       .mmio = true,
							       .vcpu = -1,
							       .mode = CHECKPOINT_COALESCED });
	checkpoint_log_add(r.log,
			   &(struct checkpoint_record){
				   .kind = CHECKPOINT_TEXT, .port = 0x402, .vcpu = 3, .text = "say \"a\\b\"\x01" });
	CHECK_EQ(rig_close(&r), 0);
	CHECK_EQ(strncmp(r.text, "{\"gdbvm\":\"checkpoints\",\"version\":1,\"t\":", 39), 0);
	CHECK_STR(strchr(r.text, '\n') + 1,
		  "{\"seq\":1,\"t\":1.500000007,\"vcpu\":0,\"pc\":\"0xfffffe92\",\"port\":\"0x80\",\"size\":1,"
		  "\"value\":\"0x16\",\"mode\":\"exact\"}\n"
		  "{\"seq\":2,\"t\":0.000000002,\"mmio\":\"0x9000000\",\"size\":8,\"value\":\"0x1122334455\","
		  "\"mode\":\"coalesced\"}\n"
		  "{\"seq\":3,\"t\":0.000000000,\"vcpu\":3,\"port\":\"0x402\",\"text\":\"say \\\"a\\\\b\\\".\"}\n");
	free(r.text);
}

TEST(a_log_without_records_has_its_header)
{
	struct rig r;

	rig_init(&r, 1 << 20, -1);
	CHECK_EQ(rig_close(&r), 0);
	CHECK_EQ(count(r.text, "\n"), 1);
	free(r.text);
}

/* All lines but the first are records, with numbers in order. Returns: how many. strstr() and count() look at all of
 * the text each time under a sanitizer. */
static uint64_t numbered(const char *text)
{
	uint64_t seq = 0;

	for (const char *p = strchr(text, '\n') + 1; *p; p = strchr(p, '\n') + 1) {
		CHECK_EQ(strncmp(p, "{\"seq\":", 7), 0);
		CHECK_EQ(strtoull(p + 7, NULL, 10), ++seq);
	}
	return seq;
}

/* More than fit into the queue, from threads that take turns as at a bus: none is lost, and they are in the order of
 * their numbers. */
enum { ADDERS = 4, EACH = 50000 };

struct adders {
	pthread_mutex_t turn;
	struct rig *rig;
};

static void *adder(void *arg)
{
	struct adders *a = arg;

	for (unsigned i = 0; i < EACH; i++) {
		pthread_mutex_lock(&a->turn);
		add(a->rig, i & 0xff);
		pthread_mutex_unlock(&a->turn);
	}
	return NULL;
}

TEST(nothing_is_lost_however_fast_records_come)
{
	pthread_t t[ADDERS];
	struct rig r;
	struct adders all = { PTHREAD_MUTEX_INITIALIZER, &r };

	rig_init(&r, 1 << 30, -1);
	for (unsigned i = 0; i < ADDERS; i++)
		CHECK_EQ(pthread_create(&t[i], NULL, adder, &all), 0);
	for (unsigned i = 0; i < ADDERS; i++)
		pthread_join(t[i], NULL);
	CHECK_EQ(rig_close(&r), 0);
	CHECK_EQ(numbered(r.text), ADDERS * EACH);
	free(r.text);
}

TEST(the_file_ends_with_a_mark_at_its_limit)
{
	struct rig r;

	rig_init(&r, 4096, -1);
	for (unsigned i = 0; i < 1000; i++)
		add(&r, i & 0xff);
	CHECK_EQ(rig_close(&r), -EFBIG);
	const unsigned kept = count(r.text, "\"seq\"");
	char expected[80];
	snprintf(expected, sizeof(expected), "lacks %u checkpoints, from number %u on", 1000 - kept, kept + 1);
	CHECK(strstr(r.why.text, expected));
	CHECK(kept > 30 && strlen(r.text) <= 4096);
	CHECK(strstr(r.text, "\"mark\":\"cut\",\"count\":4096}\n"));
	CHECK_EQ(count(r.text, "mark"), 1);
	free(r.text);
}

static void add_verdict(struct rig *r)
{
	checkpoint_log_add(r->log, &(struct checkpoint_record){ .kind = CHECKPOINT_VERDICT, .text = "matched: it is" });
}

TEST(the_verdict_is_the_last_line_whatever_the_limit)
{
	struct rig r;

	for (unsigned n = 1000; n > 0;
	     n = n == 1000 ? 60 : n - 1) { // also those with which only the verdict is too much
		rig_init(&r, 4096, -1);
		for (unsigned i = 0; i < n; i++)
			add(&r, i & 0xff);
		add_verdict(&r);
		const int rc = rig_close(&r);
		const bool is_whole = count(r.text, "\"seq\"") == n;
		CHECK_EQ(rc, is_whole ? 0 : -EFBIG);
		CHECK_EQ(count(r.text, "\"mark\":\"cut\""), !is_whole);
		CHECK_EQ(count(r.text, "matched: it is\"}\n"), 1);
		CHECK_STR(strstr(r.text, "matched: it is"), "matched: it is\"}\n");
		free(r.text);
	}
}

/* Returns: as rig_close(), of a log with a mark at its end. */
static int end_with_mark(struct rig *r, uint64_t limit)
{
	rig_init(r, limit, -1);
	for (unsigned i = 0; i < 30; i++)
		add(r, i);
	checkpoint_log_add(r->log, &(struct checkpoint_record){ .kind = CHECKPOINT_LOST, .value = 7 });
	return rig_close(r);
}

TEST(a_mark_that_does_not_fit_is_no_checkpoint_that_is_missing)
{
	enum { ROOM = 128, SOME = 10 }; // kept for the mark of the limit; less than the other mark takes
	struct rig r;

	CHECK_EQ(end_with_mark(&r, 1 << 20), 0);
	const size_t whole = strlen(r.text);
	free(r.text);
	CHECK_EQ(end_with_mark(&r, whole + ROOM - SOME), -EFBIG);
	CHECK_EQ(count(r.text, "\"seq\""), 30);
	CHECK_EQ(count(r.text, "\"mark\""), 1);
	CHECK(strstr(r.why.text, "reached its limit of "));
	CHECK(!strstr(r.why.text, "lacks"));
	free(r.text);
}

TEST(marks_of_lost_records_leave_a_gap_in_the_numbers)
{
	struct rig r;

	rig_init(&r, 1 << 20, -1);
	add(&r, 1);
	checkpoint_log_add(r.log, &(struct checkpoint_record){ .kind = CHECKPOINT_LOST, .value = 7 });
	add(&r, 2);
	CHECK_EQ(rig_close(&r), 0);
	CHECK(strstr(r.text, "{\"t\":0.000000000,\"mark\":\"lost\",\"count\":7}\n{\"seq\":9,"));
	free(r.text);
}

TEST(text_form_has_two_digits_for_each_byte_and_is_there_after_a_flush)
{
	char text[256] = "";
	struct rig r;
	int fd[2];

	CHECK_EQ(pipe(fd), 0);
	rig_init(&r, 1 << 20, fd[1]);
	add(&r, 0x16);
	add(&r, 5);
	checkpoint_log_add(r.log, &(struct checkpoint_record){ .port = 0x80, .size = 4, .value = 0xb07 });
	checkpoint_log_add(r.log, &(struct checkpoint_record){ .kind = CHECKPOINT_TEXT, .port = 0x402, .text = "x" });
	checkpoint_log_add(r.log, &(struct checkpoint_record){ .port = 0xe0, .size = 2, .value = 0xABCD });
	checkpoint_log_add(r.log, &(struct checkpoint_record){ .port = 0x90f0000, .mmio = true, .size = 1 });
	checkpoint_log_flush(r.log);
	CHECK(read(fd[0], text, sizeof(text) - 1) > 0);
	CHECK_STR(text, "port80: write 0x16\nport80: write 0x05\nport80: write 0x00000b07\nporte0: write 0xabcd\n"
			"mmio90f0000: write 0x00\n");
	CHECK_EQ(rig_close(&r), 0);
	free(r.text);
	close(fd[0]);
	close(fd[1]);
}

/* stderr may be a pipe that nobody empties: the guest waits, and the end of gdbvm does not. */
TEST(after_a_hangup_nobody_waits_for_a_reader)
{
	struct rig r;
	int fd[2];

	CHECK_EQ(pipe(fd), 0);
	rig_init(&r, 1 << 30, fd[1]);
	checkpoint_log_hangup(r.log);
	for (unsigned i = 0; i < 100000; i++)
		add(&r, i & 0xff);
	CHECK_EQ(rig_close(&r), 0);
	unsigned lost = 0;
	const char *mark = strstr(r.text, "\"lost\",\"count\":");
	if (mark)
		lost = (unsigned)strtoul(mark + 15, NULL, 10);
	CHECK_EQ(count(r.text, "\"seq\"") + lost, 100000);
	free(r.text);
	close(fd[0]);
	close(fd[1]);
}

/* A signal does not wait for a reader of the text: neither does who waits for the log then, and the file is whole. */
static void *add_many(void *arg)
{
	for (unsigned i = 0; i < 100000; i++)
		add(arg, i & 0xff);
	return NULL;
}

TEST(after_a_stop_the_text_is_dropped_and_the_file_is_whole)
{
	const int stop = eventfd(0, 0);
	struct pollfd room = { .events = POLLOUT };
	pthread_t adder;
	struct rig r;
	int fd[2];

	CHECK_EQ(pipe(fd), 0);
	rig_init_stoppable(&r, 1 << 30, fd[1], stop);
	CHECK_EQ(pthread_create(&adder, NULL, add_many, &r), 0);
	room.fd = fd[1];
	while (poll(&room, 1, 0) > 0) // until nothing goes on without a reader
		sched_yield();
	eventfd_write(stop, 1);
	pthread_join(adder, NULL);
	checkpoint_log_flush(r.log);
	CHECK_EQ(rig_close(&r), 0);
	CHECK_EQ(numbered(r.text), 100000);
	free(r.text);
	close(fd[0]);
	close(fd[1]);
	close(stop);
}

TEST(it_waits_as_long_as_nobody_reads_the_text)
{
	char some[4096];
	pthread_t adder;
	struct rig r;
	int fd[2];

	CHECK_EQ(pipe(fd), 0);
	rig_init(&r, 1 << 30, fd[1]);
	add(&r, 0x16);
	checkpoint_log_flush(r.log);
	CHECK(!checkpoint_log_waits(r.log));
	CHECK_EQ(pthread_create(&adder, NULL, add_many, &r), 0);
	while (!checkpoint_log_waits(r.log))
		sched_yield();
	for (uint64_t n = 0; n < 100001 * strlen("port80: write 0x16\n");) {
		const ssize_t k = read(fd[0], some, sizeof(some));
		CHECK(k > 0);
		n += (uint64_t)k;
	}
	pthread_join(adder, NULL);
	checkpoint_log_flush(r.log);
	CHECK(!checkpoint_log_waits(r.log));
	CHECK_EQ(rig_close(&r), 0);
	free(r.text);
	close(fd[0]);
	close(fd[1]);
}

TEST(a_file_that_cannot_be_written_is_named)
{
	const struct checkpoint_log_cfg cfg = { .path = "/no/such/boot.jsonl",
						.limit = 1 << 20,
						.text_fd = -1,
						.stop_fd = -1 },
					full = { .path = "/dev/full", .limit = 1 << 20, .text_fd = -1, .stop_fd = -1 };
	struct checkpoint_log *log = NULL;
	struct errtext why;

	CHECK_EQ(checkpoint_log_create(&cfg, &log, &why), -ENOENT);
	CHECK(strstr(why.text, "/no/such/boot.jsonl"));
	CHECK_EQ(checkpoint_log_create(&full, &log, &why), 0);
	checkpoint_log_add(log, &(struct checkpoint_record){ .size = 1 });
	CHECK_EQ(checkpoint_log_close(log, &why), -ENOSPC);
	CHECK(strstr(why.text, "/dev/full"));
	CHECK_EQ(checkpoint_log_close(NULL, &why), 0);
}

TEST(a_log_that_is_cancelled_leaves_the_file_as_it_was)
{
	struct rig r = { .path = "/tmp/checkpointsXXXXXX" };
	const int fd = mkstemp(r.path);
	const struct checkpoint_log_cfg cfg = { .path = r.path, .limit = 1 << 20, .text_fd = -1, .stop_fd = -1 };

	CHECK_EQ(write(fd, "former", 6), 6);
	close(fd);
	CHECK_EQ(checkpoint_log_create(&cfg, &r.log, &r.why), 0);
	checkpoint_log_cancel(r.log);
	CHECK_EQ(rig_close(&r), 0); // and unlinks it
	CHECK_STR(r.text, "former");
	free(r.text);
	CHECK_EQ(checkpoint_log_create(&cfg, &r.log, &r.why), 0);
	CHECK_EQ(access(r.path, F_OK), 0);
	checkpoint_log_cancel(r.log);
	CHECK_EQ(checkpoint_log_close(r.log, &r.why), 0);
	CHECK_EQ(access(r.path, F_OK), -1);
	checkpoint_log_cancel(NULL);
}

TEST(a_log_replaces_what_was_there)
{
	struct rig r = { .path = "/tmp/checkpointsXXXXXX" };
	const int fd = mkstemp(r.path);
	const struct checkpoint_log_cfg cfg = { .path = r.path, .limit = 1 << 20, .text_fd = -1, .stop_fd = -1 };

	CHECK_EQ(ftruncate(fd, 100000), 0);
	close(fd);
	CHECK_EQ(checkpoint_log_create(&cfg, &r.log, &r.why), 0);
	checkpoint_log_add(r.log, &(struct checkpoint_record){ .size = 1 });
	CHECK_EQ(rig_close(&r), 0);
	CHECK_EQ(count(r.text, "\n"), 2);
	free(r.text);
}

/* What kills gdbvm before the guest writes must not leave the boot before for this one. */
TEST(a_log_that_begins_replaces_what_was_there_at_once)
{
	char text[4096] = "";
	struct rig r = { .path = "/tmp/checkpointsXXXXXX" };
	const int fd = mkstemp(r.path);
	const struct checkpoint_log_cfg cfg = { .path = r.path, .limit = 1 << 20, .text_fd = -1, .stop_fd = -1 };

	CHECK_EQ(write(fd, "former\nboot\n", 12), 12);
	CHECK_EQ(checkpoint_log_create(&cfg, &r.log, &r.why), 0);
	CHECK_EQ(pread(fd, text, sizeof(text) - 1, 0), 12);
	checkpoint_log_begin(r.log);
	CHECK(pread(fd, text, sizeof(text) - 1, 0) > 12);
	CHECK_EQ(strncmp(text, "{\"gdbvm\":\"checkpoints\",", 23), 0);
	CHECK_EQ(count(text, "\n"), 1);
	add(&r, 0x16);
	CHECK_EQ(rig_close(&r), 0);
	CHECK_EQ(count(r.text, "\n"), 2);
	free(r.text);
	close(fd);
	checkpoint_log_begin(NULL);
}

/* Who opens the file of a log may block signals only after that, as opening may take for ever. */
static int killed_with_a_log(void)
{
	const struct checkpoint_log_cfg cfg = { .text_fd = -1, .stop_fd = -1 };
	struct checkpoint_log *log;
	struct errtext why;
	sigset_t set;

	if (checkpoint_log_create(&cfg, &log, &why) < 0)
		return 1;
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	kill(getpid(), SIGTERM);
	sigpending(&set);
	return sigismember(&set, SIGTERM) == 1 ? 0 : 2;
}

TEST(the_thread_of_a_log_takes_no_signals)
{
	const pid_t child = fork();
	int status;

	CHECK(child >= 0);
	if (child == 0)
		_exit(killed_with_a_log());
	CHECK_EQ(waitpid(child, &status, 0), child);
	CHECK(WIFEXITED(status));
	CHECK_EQ(WEXITSTATUS(status), 0);
}

/* What a listener heard, as "NUMBER VALUE [NAME], " for each. */
static void hear(void *arg, const struct checkpoint_record *rec, const struct checkpoint_label *label)
{
	strbuf_addf(arg, "%" PRIu64 " %#" PRIx64 " %s, ", rec->seq, rec->value, label->name ?: "-");
}

TEST(listeners_hear_each_record_with_its_label_and_need_no_file)
{
	_cleanup_(strbuf_deinit) struct strbuf one = { 0 }, other = { 0 };
	struct checkpoint_names *names;
	struct checkpoint_log *log;
	struct errtext why;

	CHECK_EQ(checkpoint_names_create(&names), 0);
	CHECK_EQ(checkpoint_names_load(names, "ovmf", &why), 0);
	const struct checkpoint_log_cfg cfg = { .text_fd = -1,
						.stop_fd = -1,
						.names = names,
						.listener = { { hear, &one }, { hear, &other } },
						.nlisteners = 2 };
	CHECK_EQ(checkpoint_log_create(&cfg, &log, &why), 0);
	checkpoint_log_add(log, &(struct checkpoint_record){ .size = 1, .port = 0x80, .value = 0x16 });
	checkpoint_log_flush(log);
	CHECK_STR(one.s, "1 0x16 16BIT_MODE, ");
	checkpoint_log_add(log, &(struct checkpoint_record){ .kind = CHECKPOINT_LOST, .value = 3 });
	checkpoint_log_add(log, &(struct checkpoint_record){ .size = 1, .port = 0x80, .value = 0x17 });
	CHECK_EQ(checkpoint_log_close(log, &why), 0);
	CHECK_STR(one.s, "1 0x16 16BIT_MODE, 0 0x3 -, 5 0x17 -, ");
	CHECK_STR(other.s, one.s);
	checkpoint_names_destroy(names);
}

TEST(listeners_hear_what_the_file_lacks)
{
	_cleanup_(strbuf_deinit) struct strbuf heard = { 0 };
	struct checkpoint_log *log;
	struct errtext why;
	const struct checkpoint_log_cfg cfg = { .path = "/dev/full",
						.limit = 4096,
						.text_fd = -1,
						.stop_fd = -1,
						.listener = { { hear, &heard } },
						.nlisteners = 1 };

	CHECK_EQ(checkpoint_log_create(&cfg, &log, &why), 0);
	for (unsigned i = 1; i <= 1000; i++)
		checkpoint_log_add(log, &(struct checkpoint_record){ .size = 1, .value = i & 0xff });
	checkpoint_log_flush(log);
	CHECK_EQ(checkpoint_log_close(log, &why), -ENOSPC);
	CHECK_EQ(count(heard.s, ", "), 1000);
}

TESTS(T(a_record_is_a_line_of_json), T(a_log_without_records_has_its_header),
      T(nothing_is_lost_however_fast_records_come), T(the_file_ends_with_a_mark_at_its_limit),
      T(the_verdict_is_the_last_line_whatever_the_limit), T(a_mark_that_does_not_fit_is_no_checkpoint_that_is_missing),
      T(marks_of_lost_records_leave_a_gap_in_the_numbers),
      T(text_form_has_two_digits_for_each_byte_and_is_there_after_a_flush), T(after_a_hangup_nobody_waits_for_a_reader),
      T(it_waits_as_long_as_nobody_reads_the_text), T(after_a_stop_the_text_is_dropped_and_the_file_is_whole),
      T(a_file_that_cannot_be_written_is_named), T(a_log_that_is_cancelled_leaves_the_file_as_it_was),
      T(a_log_replaces_what_was_there), T(a_log_that_begins_replaces_what_was_there_at_once),
      T(the_thread_of_a_log_takes_no_signals), T(listeners_hear_each_record_with_its_label_and_need_no_file),
      T(listeners_hear_what_the_file_lacks))
