/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "backend/qemu_trace.h"

#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "test.h"

static bool parse(const char *line, struct qemu_trace_write *w)
{
	return qemu_trace_parse(line, strlen(line), w);
}

TEST(a_line_is_taken_apart)
{
	struct qemu_trace_write w;

	CHECK(parse("9550@1795288339.599129:memory_region_ops_write cpu 3 mr 0x55f0e31f4460 addr 0x80 value 0x16 size "
		    "1 name "
		    "'ioport80'",
		    &w));
	CHECK_EQ(w.epoch_ns, UINT64_C(1795288339599129000));
	CHECK_EQ(w.vcpu, 3);
	CHECK_EQ(w.addr, 0x80);
	CHECK_EQ(w.value, 0x16);
	CHECK_EQ(w.size, 1);
	CHECK(w.is_port80);
}

TEST(a_line_may_lack_the_time_and_the_vcpu)
{
	struct qemu_trace_write w;

	CHECK(parse("memory_region_ops_write cpu -1 mr 0x1 addr 0xfee00000 value 0xffffffffffffffff size 8 name 'io'",
		    &w));
	CHECK_EQ(w.epoch_ns, 0);
	CHECK_EQ(w.vcpu, -1);
	CHECK_EQ(w.addr, 0xfee00000);
	CHECK_EQ(w.value, UINT64_MAX);
	CHECK_EQ(w.size, 8);
	CHECK(!w.is_port80);
	CHECK(parse("memory_region_ops_write cpu 0 mr 0x1 addr 0x80 value 0x1 size 1", &w)); // no name
}

TEST(other_lines_are_told_apart)
{
	static const char *const others[] = {
		"",
		"Triple fault",
		"CPU Reset (CPU 0)",
		"memory_region_ops_read cpu 0 mr 0x1 addr 0x80 value 0x1 size 1 name 'ioport80'",
		"memory_region_ops_write cpu 0 mr 0x1 addr 0x80 value 0x1 size 3 name 'ioport80'",
		"memory_region_ops_write cpu 0 mr 0x1 addr 0x80 value",
		"memory_region_ops_write cpu x mr 0x1 addr 0x80 value 0x1 size 1 name 'ioport80'",
		"12@:memory_region_ops_write cpu 0 mr 0x1 addr 0x80 value 0x1 size 1 name 'ioport80'",
	};
	struct qemu_trace_write w = { .size = 77 };

	for (unsigned i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		CHECK(!parse(others[i], &w));
	CHECK_EQ(w.size, 77);
}

/* A trace whose QEMU we are. */
struct rig {
	struct vm_cfg cfg;
	struct qemu_trace *trace;
	int log_fd, pipe;
	char told[512];
	uint64_t last_ns;
};

static enum kvm_fate on_record(void *arg, const struct checkpoint_record *rec)
{
	struct rig *r = arg;
	const size_t n = strlen(r->told);

	CHECK(rec->ns >= r->last_ns && rec->ns <= checkpoint_now_ns());
	CHECK_EQ(rec->mode, CHECKPOINT_TCG);
	r->last_ns = rec->ns;
	if (rec->kind == CHECKPOINT_TEXT)
		snprintf(r->told + n, sizeof(r->told) - n, "%s|", rec->text);
	else
		snprintf(r->told + n, sizeof(r->told) - n, "%d:%x=%x/%u|", rec->vcpu, (unsigned)rec->port,
			 (unsigned)rec->value, rec->size);
	return KVM_FATE_RUN;
}

/* @port: what is recorded; 0: what is when nothing is said. */
static void rig_init(struct rig *r, uint16_t port)
{
	*r = (struct rig){ .cfg = { .checkpoint = on_record, .checkpoint_arg = r } };
	r->cfg.debug_port[0] = port;
	r->cfg.ndebug_ports = port != 0;
	r->log_fd = memfd_create("log", 0);
	CHECK_EQ(qemu_trace_create(&r->cfg, r->log_fd, &r->trace, &r->pipe), 0);
}

static void say(struct rig *r, const char *text)
{
	CHECK_EQ(write(r->pipe, text, strlen(text)), (ssize_t)strlen(text));
}

static void rig_check(struct rig *r, const char *told, const char *log)
{
	char text[512] = "";

	qemu_trace_sync(r->trace);
	CHECK_STR(r->told, told);
	CHECK(pread(r->log_fd, text, sizeof(text) - 1, 0) >= 0);
	CHECK_STR(text, log);
}

static void rig_deinit(struct rig *r)
{
	close(r->pipe);
	qemu_trace_destroy(r->trace);
	close(r->log_fd);
}

#define LINE(cpu, addr, value, name) \
	"memory_region_ops_write cpu " #cpu " mr 0x1 addr " #addr " value " #value " size 1 name '" name "'\n"

TEST(records_are_made_of_lines_about_our_ports_and_the_rest_is_log)
{
	struct rig r;

	rig_init(&r, 0);
	say(&r, LINE(0, 0x80, 0x1, "ioport80") "before\n");
	qemu_trace_begin(r.trace);
	say(&r, LINE(0, 0x80, 0x16, "ioport80") "Triple fault\n" LINE(1, 0x3f8, 0x41, "serial"));
	say(&r, LINE(1, 0x81, 0x32, "ioport80") LINE(1, 0x81, 0x33, "dma-page"));
	rig_check(&r, "0:80=16/1|1:81=32/1|", "before\nTriple fault\n");
	rig_deinit(&r);
}

TEST(a_line_may_come_in_pieces)
{
	struct rig r;

	rig_init(&r, 0);
	qemu_trace_begin(r.trace);
	say(&r, "memory_region_ops_write cpu 0 mr 0x1 ad");
	rig_check(&r, "", "");
	say(&r, "dr 0x80 value 0x5 size 1 name 'io'\nmore");
	rig_check(&r, "0:80=5/1|", "");
	say(&r, " text\n");
	rig_check(&r, "0:80=5/1|", "more text\n");
	rig_deinit(&r);
}

TEST(bytes_of_the_debug_console_become_lines)
{
	struct rig r;

	rig_init(&r, 0);
	qemu_trace_begin(r.trace);
	say(&r,
	    LINE(0, 0x402, 0x48, "isa-debugcon") LINE(0, 0x80, 0x16, "ioport80") LINE(0, 0x402, 0x69, "isa-debugcon"));
	say(&r, LINE(0, 0x402, 0xa, "isa-debugcon"));
	rig_check(&r, "0:80=16/1|Hi|", "");
	say(&r, LINE(0, 0x402, 0x21, "isa-debugcon"));
	rig_check(&r, "0:80=16/1|Hi|", "");
	qemu_trace_end_line(r.trace); // the guest crashed
	rig_check(&r, "0:80=16/1|Hi|!|", "");
	qemu_trace_end_line(r.trace);
	rig_check(&r, "0:80=16/1|Hi|!|", "");
	rig_deinit(&r);
}

TEST(ports_that_were_asked_for_replace_the_usual_one)
{
	struct rig r;

	rig_init(&r, 0xe0);
	qemu_trace_begin(r.trace);
	say(&r, LINE(0, 0x80, 0x16, "ioport80") LINE(0, 0xe0, 0x17, "io"));
	rig_check(&r, "0:e0=17/1|", "");
	rig_deinit(&r);
}

TEST(a_log_without_lines_is_log)
{
	static char text[100000];
	struct rig r;

	rig_init(&r, 0);
	qemu_trace_begin(r.trace);
	memset(text, 'x', sizeof(text) - 1);
	say(&r, text);
	say(&r, "\n" LINE(0, 0x80, 0x16, "ioport80"));
	qemu_trace_sync(r.trace);
	CHECK_STR(r.told, "0:80=16/1|");
	CHECK_EQ(lseek(r.log_fd, 0, SEEK_END), (off_t)sizeof(text));
	rig_deinit(&r);
}

TESTS(T(a_line_is_taken_apart), T(a_line_may_lack_the_time_and_the_vcpu), T(other_lines_are_told_apart),
      T(records_are_made_of_lines_about_our_ports_and_the_rest_is_log), T(a_line_may_come_in_pieces),
      T(bytes_of_the_debug_console_become_lines), T(ports_that_were_asked_for_replace_the_usual_one),
      T(a_log_without_lines_is_log))
