/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <poll.h>
#include <stdio.h>

#include "engine/engine.h"
#include "test.h"
#include "util/bytes.h"
#include "util/macros.h"

/* What is other on arm64: instructions of four bytes, and watchpoints that trap before the access. */

enum { NOP = 0xd503201f, BRK = 0xd4200000, BUG = 0xd4210000 /* brk #0x800 */, STORE = 0xf9000020, LOAD = 0xf9400020 };
enum { CODE = 0x1000, DATA = 0x8000, RAM_SIZE = 0x10000 };

struct world {
	struct target *t;
	struct engine *e;
	uint8_t *ram;
};

static struct world world_open(struct target_fake_cfg cfg)
{
	struct world w = { 0 };

	cfg.arch = &arch_arm64;
	cfg.nvcpus = cfg.nvcpus ? cfg.nvcpus : 1;
	cfg.ram_size = RAM_SIZE;
	CHECK_EQ(target_fake_create(&cfg, &w.t), 0);
	CHECK_EQ(engine_create(w.t, &w.e), 0);
	w.ram = target_fake_ram(w.t);
	for (unsigned at = 0; at < DATA; at += 4)
		st_le32(w.ram + at, NOP);
	for (unsigned v = 0; v < cfg.nvcpus; v++)
		target_fake_regs(w.t, v)->arm64.pc = CODE;
	return w;
}

static void world_close(struct world *w)
{
	engine_destroy(w->e);
	target_destroy(w->t);
}

static int insert(struct world *w, enum engine_bp_kind kind, uint64_t at, uint64_t len)
{
	return engine_bp_insert(w->e, 0, kind, GVA(at), len, NULL);
}

static uint64_t pc(struct world *w)
{
	return target_fake_regs(w->t, 0)->arm64.pc;
}

static void resume(struct world *w, enum target_action action)
{
	struct resume_plan p = { .vcpu[0].action = action };

	CHECK_EQ(engine_resume(w->e, &p), 0);
}

/* False: the guest runs on. */
static bool wait_stop(struct world *w, struct stop_event *ev)
{
	struct pollfd fd = { .fd = engine_event_fd(w->e), .events = POLLIN };

	for (unsigned i = 0; i < 100 && engine_running(w->e) && poll(&fd, 1, 0) == 1; i++)
		if (engine_next_stop(w->e, ev) == 0)
			return true;
	CHECK_EQ(poll(&fd, 1, 0), 0); // it would go round for ever
	return false;
}

static void check_stop(struct world *w, enum stop_why why, uint64_t at)
{
	struct stop_event ev;

	CHECK(wait_stop(w, &ev));
	CHECK_STR(stop_why_text(ev.why), stop_why_text(why));
	CHECK_EQ(ev.pc.raw, at);
	CHECK_EQ(pc(w), at);
}

static uint32_t read32(struct world *w, uint64_t at)
{
	uint8_t buf[4];
	size_t done;

	CHECK_EQ(engine_mem_read(w->e, 0, ENGINE_VIRT, at, buf, 4, &done), 0);
	return ld_le32(buf);
}

static uint8_t read8(struct world *w, uint64_t at)
{
	uint8_t byte;
	size_t done;

	CHECK_EQ(engine_mem_read(w->e, 0, ENGINE_VIRT, at, &byte, 1, &done), 0);
	return byte;
}

static void write8(struct world *w, uint64_t at, uint8_t byte)
{
	size_t done;

	CHECK_EQ(engine_mem_write(w->e, 0, ENGINE_VIRT, at, &byte, 1, &done), 0);
}

/* ---- breakpoints ---- */

TEST(a_breakpoint_is_hit_left_and_gone)
{
	struct world w = world_open((struct target_fake_cfg){ 0 });
	struct stop_event ev;

	CHECK_EQ(insert(&w, ENGINE_SWBP, CODE + 8, 4), 0);
	CHECK_EQ(insert(&w, ENGINE_HWBP, CODE + 16, 4), 0);
	CHECK_EQ(ld_le32(w.ram + CODE + 8), BRK);
	resume(&w, TARGET_RUN);
	check_stop(&w, STOP_SWBREAK, CODE + 8);
	resume(&w, TARGET_STEP);
	check_stop(&w, STOP_STEP, CODE + 12);
	resume(&w, TARGET_RUN);
	check_stop(&w, STOP_HWBREAK, CODE + 16);
	CHECK_EQ(engine_bp_remove(w.e, ENGINE_SWBP, GVA(CODE + 8), 4), 0);
	CHECK_EQ(ld_le32(w.ram + CODE + 8), NOP);
	resume(&w, TARGET_RUN);
	CHECK(!wait_stop(&w, &ev));
	world_close(&w);
}

TEST(a_breakpoint_has_the_length_and_alignment_of_an_instruction)
{
	struct world w = world_open((struct target_fake_cfg){ 0 });

	for (unsigned off = 1; off < 4; off++) {
		CHECK_EQ(insert(&w, ENGINE_SWBP, CODE + off, 4), -EINVAL);
		CHECK_EQ(insert(&w, ENGINE_HWBP, CODE + off, 4), -EINVAL);
		CHECK_EQ(insert(&w, ENGINE_SWBP, CODE, off), -EINVAL);
		CHECK_EQ(insert(&w, ENGINE_HWBP, CODE, off), -EINVAL);
	}
	CHECK_EQ(engine_bp_count(w.e), 0);
	CHECK_EQ(ld_le32(w.ram + CODE), NOP);
	world_close(&w);
}

TEST(every_byte_under_a_breakpoint_reads_and_writes_as_the_guests_own)
{
	struct world w = world_open((struct target_fake_cfg){ 0 });

	CHECK_EQ(insert(&w, ENGINE_SWBP, CODE + 4, 4), 0);
	for (unsigned i = 0; i < 4; i++)
		CHECK_EQ(read8(&w, CODE + 4 + i), NOP >> 8 * i & 0xff);
	CHECK_EQ(read32(&w, CODE + 2), 0x201fd503);
	for (unsigned i = 0; i < 4; i++)
		write8(&w, CODE + 4 + i, (uint8_t)(STORE >> 8 * i));
	CHECK_EQ(ld_le32(w.ram + CODE + 4), BRK);
	CHECK_EQ(read32(&w, CODE + 4), STORE);
	CHECK_EQ(engine_bp_remove(w.e, ENGINE_SWBP, GVA(CODE + 4), 4), 0);
	CHECK_EQ(ld_le32(w.ram + CODE + 4), STORE);
	world_close(&w);
}

TEST(a_part_of_what_the_guest_wrote_over_a_breakpoint_is_read_as_it_is)
{
	struct world w = world_open((struct target_fake_cfg){ 0 });

	CHECK_EQ(insert(&w, ENGINE_SWBP, CODE + 4, 4), 0);
	st_le32(w.ram + CODE + 4, 0xd4202000); // shares three bytes with ours
	for (unsigned i = 0; i < 4; i++)
		CHECK_EQ(read8(&w, CODE + 4 + i), 0xd4202000 >> 8 * i & 0xff);
	world_close(&w);
}

TEST(a_part_of_what_the_guest_wrote_over_a_breakpoint_can_be_changed)
{
	struct world w = world_open((struct target_fake_cfg){ 0 });

	CHECK_EQ(insert(&w, ENGINE_SWBP, CODE + 4, 4), 0);
	st_le32(w.ram + CODE + 4, STORE);
	write8(&w, CODE + 4, 0x40);
	CHECK_EQ(read32(&w, CODE + 4), (STORE & ~0xffu) | 0x40);
	CHECK_EQ(ld_le32(w.ram + CODE + 4), BRK);
	CHECK_EQ(engine_bp_remove(w.e, ENGINE_SWBP, GVA(CODE + 4), 4), 0);
	CHECK_EQ(ld_le32(w.ram + CODE + 4), (STORE & ~0xffu) | 0x40);
	world_close(&w);
}

TEST(a_brk_of_the_guest_is_told_as_its_own_whatever_its_immediate)
{
	struct world w = world_open((struct target_fake_cfg){ .native_sw = true });
	struct stop_event ev;

	st_le32(w.ram + CODE + 8, BUG);
	resume(&w, TARGET_RUN);
	CHECK(wait_stop(&w, &ev));
	CHECK_EQ(ev.why, STOP_STEP);
	CHECK_EQ(ev.pc.raw, CODE + 8);
	CHECK_STR(ev.text, "the guest's own breakpoint instruction");
	world_close(&w);
}

TEST(a_brk_of_the_guest_is_given_back_while_ours_are_in)
{
	struct world w = world_open((struct target_fake_cfg){ 0 });

	CHECK_EQ(insert(&w, ENGINE_SWBP, CODE + 64, 4), 0);
	st_le32(w.ram + CODE + 8, BUG);
	resume(&w, TARGET_RUN);
	check_stop(&w, STOP_SWBREAK, CODE + 64);
	CHECK_EQ(target_fake_ask_filter(w.t, 0, GVA(CODE + 8)), TARGET_REINJECT);
	CHECK_EQ(target_fake_ask_filter(w.t, 0, GVA(CODE + 12)), TARGET_AGAIN);
	world_close(&w);
}

/* ---- watchpoints ---- */

/* x0 is stored to, or loaded from, what x1 points to. */
static void access_at(struct world *w, uint64_t at, uint32_t insn)
{
	struct arch_regs *r = target_fake_regs(w->t, 0);

	r->arm64.x[0] = 0x1234;
	r->arm64.x[1] = DATA;
	st_le32(w->ram + at, insn);
}

TEST(a_watchpoint_stops_before_the_access)
{
	struct world w = world_open((struct target_fake_cfg){ 0 });
	struct stop_event ev;

	access_at(&w, CODE + 8, STORE);
	CHECK_EQ(insert(&w, ENGINE_WATCH_W, DATA + 4, 2), 0);
	resume(&w, TARGET_RUN);
	CHECK(wait_stop(&w, &ev));
	CHECK_EQ(ev.why, STOP_WATCH);
	CHECK_EQ(ev.pc.raw, CODE + 8);
	CHECK_EQ(ev.watch_at.raw, DATA + 4);
	CHECK_EQ(ld_le64(w.ram + DATA), 0);
	world_close(&w);
}

/* What GDB does by itself. */
TEST(a_client_steps_past_a_watchpoint_that_it_takes_out_for_the_step)
{
	struct world w = world_open((struct target_fake_cfg){ 0 });

	access_at(&w, CODE + 8, STORE);
	access_at(&w, CODE + 16, LOAD);
	CHECK_EQ(insert(&w, ENGINE_WATCH_A, DATA, 8), 0);
	resume(&w, TARGET_RUN);
	check_stop(&w, STOP_WATCH, CODE + 8);
	CHECK_EQ(engine_bp_remove(w.e, ENGINE_WATCH_A, GVA(DATA), 8), 0);
	resume(&w, TARGET_STEP);
	check_stop(&w, STOP_STEP, CODE + 12);
	CHECK_EQ(ld_le64(w.ram + DATA), 0x1234);
	CHECK_EQ(insert(&w, ENGINE_WATCH_A, DATA, 8), 0);
	resume(&w, TARGET_RUN);
	check_stop(&w, STOP_WATCH, CODE + 16);
	world_close(&w);
}

TEST(a_client_that_leaves_the_watchpoint_in_gets_past_it)
{
	struct world w = world_open((struct target_fake_cfg){ 0 });

	access_at(&w, CODE + 8, STORE);
	access_at(&w, CODE + 12, STORE);
	access_at(&w, CODE + 16, STORE);
	CHECK_EQ(insert(&w, ENGINE_WATCH_W, DATA, 8), 0);
	resume(&w, TARGET_RUN);
	check_stop(&w, STOP_WATCH, CODE + 8);
	resume(&w, TARGET_RUN);
	check_stop(&w, STOP_WATCH, CODE + 12);
	CHECK_EQ(ld_le64(w.ram + DATA), 0x1234);
	resume(&w, TARGET_STEP);
	check_stop(&w, STOP_STEP, CODE + 16);
	resume(&w, TARGET_RUN);
	check_stop(&w, STOP_WATCH, CODE + 16);
	world_close(&w);
}

TEST(another_watchpoint_of_the_same_access_is_not_lost)
{
	struct world w = world_open((struct target_fake_cfg){ 0 });
	struct stop_event ev;

	access_at(&w, CODE + 8, STORE);
	CHECK_EQ(insert(&w, ENGINE_WATCH_W, DATA, 4), 0);
	CHECK_EQ(insert(&w, ENGINE_WATCH_W, DATA + 4, 4), 0);
	resume(&w, TARGET_RUN);
	CHECK(wait_stop(&w, &ev));
	CHECK_EQ(ev.watch_at.raw, DATA);
	CHECK_EQ(engine_bp_remove(w.e, ENGINE_WATCH_W, GVA(DATA), 4), 0);
	resume(&w, TARGET_STEP);
	CHECK(wait_stop(&w, &ev));
	CHECK_EQ(ev.why, STOP_WATCH);
	CHECK_EQ(ev.watch_at.raw, DATA + 4);
	CHECK_EQ(ev.pc.raw, CODE + 8);
	world_close(&w);
}

TEST(a_breakpoint_and_a_watchpoint_at_one_instruction_are_both_told_and_left)
{
	struct world w = world_open((struct target_fake_cfg){ 0 });

	access_at(&w, CODE + 8, STORE);
	CHECK_EQ(insert(&w, ENGINE_SWBP, CODE + 8, 4), 0);
	CHECK_EQ(insert(&w, ENGINE_WATCH_W, DATA, 8), 0);
	resume(&w, TARGET_RUN);
	check_stop(&w, STOP_SWBREAK, CODE + 8);
	resume(&w, TARGET_RUN);
	check_stop(&w, STOP_WATCH, CODE + 8);
	resume(&w, TARGET_STEP);
	check_stop(&w, STOP_STEP, CODE + 12);
	CHECK_EQ(ld_le64(w.ram + DATA), 0x1234);
	CHECK_EQ(ld_le32(w.ram + CODE + 8), BRK);
	world_close(&w);
}

TEST(a_watchpoint_of_another_address_space_is_passed)
{
	_cleanup_(strbuf_deinit) struct strbuf out = { 0 };
	struct world w = world_open((struct target_fake_cfg){ 0 });
	struct stop_event ev;
	unsigned n;

	access_at(&w, CODE + 8, STORE);
	CHECK_EQ(insert(&w, ENGINE_WATCH_W, DATA, 8), 0);
	struct monitor_ctx ctx = { .engine = w.e };
	CHECK_EQ(engine_monitor(&ctx, "bp-filter ttbr0 5000", &out), 0);
	resume(&w, TARGET_RUN);
	CHECK(!wait_stop(&w, &ev));
	CHECK_EQ(ld_le64(w.ram + DATA), 0x1234);
	target_fake_breaks(w.t, &n);
	CHECK_EQ(n, 1); // and it is in again
	world_close(&w);
}

TESTS(T(a_breakpoint_is_hit_left_and_gone), T(a_breakpoint_has_the_length_and_alignment_of_an_instruction),
      T(every_byte_under_a_breakpoint_reads_and_writes_as_the_guests_own),
      T(a_part_of_what_the_guest_wrote_over_a_breakpoint_is_read_as_it_is),
      T(a_part_of_what_the_guest_wrote_over_a_breakpoint_can_be_changed),
      T(a_brk_of_the_guest_is_told_as_its_own_whatever_its_immediate),
      T(a_brk_of_the_guest_is_given_back_while_ours_are_in), T(a_watchpoint_stops_before_the_access),
      T(a_client_steps_past_a_watchpoint_that_it_takes_out_for_the_step),
      T(a_client_that_leaves_the_watchpoint_in_gets_past_it), T(another_watchpoint_of_the_same_access_is_not_lost),
      T(a_breakpoint_and_a_watchpoint_at_one_instruction_are_both_told_and_left),
      T(a_watchpoint_of_another_address_space_is_passed))
