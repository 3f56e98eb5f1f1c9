/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <poll.h>

#include "target/target.h"
#include "test.h"

static struct target *fake(struct target_fake_cfg cfg)
{
	struct target *t;

	cfg.nvcpus = cfg.nvcpus ? cfg.nvcpus : 1;
	cfg.ram_size = 0x4000;
	CHECK_EQ(target_fake_create(&cfg, &t), 0);
	return t;
}

static struct resume_plan all(enum target_action a)
{
	struct resume_plan p;

	for (unsigned v = 0; v < TARGET_MAX_VCPUS; v++)
		p.vcpu[v].action = a;
	return p;
}

static bool readable(struct target *t)
{
	struct pollfd fd = { .fd = target_event_fd(t), .events = POLLIN };

	return poll(&fd, 1, 0) == 1;
}

TEST(registers_of_a_running_guest_are_busy)
{
	struct target *t = fake((struct target_fake_cfg){ 0 });
	struct resume_plan run = all(TARGET_RUN);
	struct arch_regs r = { 0 };

	CHECK_EQ(target_regs_read(t, 0, ARCH_CORE, &r), 0);
	CHECK_EQ(r.have, ARCH_CORE);
	CHECK_EQ(target_resume(t, &run), 0);
	CHECK_EQ(target_regs_read(t, 0, ARCH_CORE, &r), -EBUSY);
	CHECK_EQ(target_regs_write(t, 0, ARCH_CORE, &r), -EBUSY);
	CHECK_EQ(target_breaks_set(t, NULL, 0), -EBUSY);
	CHECK_EQ(target_resume(t, &run), -EBUSY);
	target_destroy(t);
}

TEST(unknown_vcpu_is_refused)
{
	struct target *t = fake((struct target_fake_cfg){ .nvcpus = 2 });
	struct arch_regs r = { 0 };

	CHECK_EQ(target_regs_read(t, 2, ARCH_CORE, &r), -EINVAL);
	CHECK_EQ(target_regs_read_on_vcpu(t, 2, ARCH_CORE, &r), -EINVAL);
	CHECK_EQ(target_regs_write(t, 2, ARCH_CORE, &r), -EINVAL);
	CHECK(target_vcpu_online(t, 1));
	CHECK(!target_vcpu_online(t, 2));
	target_destroy(t);
}

TEST(read_runs_short_at_the_end_of_ram)
{
	struct target *t = fake((struct target_fake_cfg){ 0 });
	uint8_t buf[16];
	size_t done;

	CHECK_EQ(target_mem_read(t, GPA(0x3ff8), buf, 16, &done), 0);
	CHECK_EQ(done, 8);
	CHECK_EQ(target_mem_read(t, GPA(0x4000), buf, 16, &done), -EFAULT);
	CHECK_EQ(done, 0);
	CHECK_EQ(target_mem_read(t, GPA(0x4000), buf, 0, &done), 0);
	CHECK_EQ(target_mem_write(t, GPA(0x4000), buf, 1, &done), -EFAULT);
	target_destroy(t);
}

TEST(read_crosses_from_ram_into_adjacent_rom)
{
	struct target *t = fake((struct target_fake_cfg){ .rom_at = GPA(0x4000), .rom_size = 0x1000 });
	const struct target_region *map;
	uint8_t buf[16];
	unsigned n;
	size_t done;

	CHECK_EQ(target_mem_map(t, &map, &n), 0);
	CHECK_EQ(n, 2);
	CHECK_EQ(map[0].kind, TARGET_RAM);
	CHECK_EQ(map[1].kind, TARGET_ROM);
	CHECK_EQ(target_mem_read(t, GPA(0x3ff8), buf, 16, &done), 0);
	CHECK_EQ(done, 16);
	target_destroy(t);
}

TEST(range_that_wraps_is_refused)
{
	struct target *t = fake((struct target_fake_cfg){ 0 });
	uint8_t buf[16];
	size_t done = 99;

	CHECK_EQ(target_mem_read(t, GPA(-8ull), buf, 16, &done), -EINVAL);
	CHECK_EQ(done, 0);
	CHECK_EQ(target_mem_write(t, GPA(-8ull), buf, 16, &done), -EINVAL);
	CHECK_EQ(target_mem_read(t, GPA(-8ull), buf, 8, &done), -EFAULT); // ends at 2^64, does not wrap
	target_destroy(t);
}

TEST(memory_can_be_read_and_written_while_the_guest_runs)
{
	struct target *t = fake((struct target_fake_cfg){ 0 });
	struct resume_plan run = all(TARGET_RUN);
	uint8_t buf[4] = { 1, 2, 3, 4 };
	size_t done;

	CHECK_EQ(target_resume(t, &run), 0);
	CHECK_EQ(target_mem_write(t, GPA(0x100), buf, 4, &done), 0);
	CHECK_EQ(target_mem_read(t, GPA(0x100), buf, 4, &done), 0);
	CHECK_EQ(done, 4);
	target_destroy(t);
}

TEST(step_without_the_ability_is_unsupported)
{
	struct target *t = fake((struct target_fake_cfg){ .no_step = true });
	struct resume_plan step = all(TARGET_STEP), hold = all(TARGET_HOLD);

	CHECK(!target_can(t, TARGET_STEP));
	CHECK(target_can(t, TARGET_RUN));
	CHECK_EQ(target_resume(t, &step), -ENOTSUP);
	CHECK(!t->running);
	CHECK_EQ(target_resume(t, &hold), 0);
	target_destroy(t);
}

TEST(failed_resume_leaves_the_guest_stopped)
{
	struct target *t = fake((struct target_fake_cfg){ 0 });
	struct resume_plan run = all(TARGET_RUN);
	struct arch_regs r = { 0 };

	target_fake_fail_at(t, 1, -EIO);
	CHECK_EQ(target_resume(t, &run), -EIO);
	CHECK(target_fake_failed(t));
	CHECK_EQ(target_regs_read(t, 0, ARCH_CORE, &r), 0);
	target_destroy(t);
}

TEST(interrupt_of_a_stopped_guest_does_nothing)
{
	struct target *t = fake((struct target_fake_cfg){ 0 });
	struct stop_event ev;

	CHECK_EQ(target_interrupt(t), 0);
	CHECK(!readable(t));
	CHECK_EQ(target_next_stop(t, &ev), -EAGAIN);
	target_destroy(t);
}

TEST(interrupt_gives_exactly_one_stop)
{
	struct target *t = fake((struct target_fake_cfg){ 0 });
	struct resume_plan run = all(TARGET_RUN);
	struct stop_event ev;

	CHECK_EQ(target_resume(t, &run), 0);
	CHECK_EQ(target_next_stop(t, &ev), -EAGAIN);
	CHECK_EQ(target_interrupt(t), 0);
	CHECK_EQ(target_interrupt(t), 0);
	CHECK(readable(t));
	CHECK_EQ(target_next_stop(t, &ev), 0);
	CHECK_EQ(ev.why, STOP_INTERRUPT);
	CHECK(!readable(t));
	CHECK_EQ(target_next_stop(t, &ev), -EAGAIN);
	target_destroy(t);
}

TEST(after_exit_nothing_can_be_read_any_more)
{
	struct target *t = fake((struct target_fake_cfg){ 0 });
	struct resume_plan run = all(TARGET_RUN);
	struct arch_regs r = { 0 };
	struct stop_event ev;
	uint8_t b;
	size_t done;

	target_fake_push_stop(t, &(struct stop_event){ .why = STOP_EXIT, .code = 7 });
	CHECK_EQ(target_resume(t, &run), 0);
	CHECK_EQ(target_next_stop(t, &ev), 0);
	CHECK_EQ(ev.code, 7);
	CHECK_EQ(target_regs_read(t, 0, ARCH_CORE, &r), -ENODEV);
	CHECK_EQ(target_mem_read(t, GPA(0), &b, 1, &done), -ENODEV);
	CHECK_EQ(target_resume(t, &run), -ENODEV);
	CHECK_EQ(target_kill(t), -ENODEV);
	target_destroy(t);
}

TEST(killed_guest_exits_at_the_next_resume)
{
	struct target *t = fake((struct target_fake_cfg){ 0 });
	struct resume_plan run = all(TARGET_RUN);
	struct stop_event ev;

	CHECK_EQ(target_kill(t), 0);
	CHECK_EQ(target_resume(t, &run), 0);
	CHECK_EQ(target_next_stop(t, &ev), 0);
	CHECK_EQ(ev.why, STOP_EXIT);
	target_destroy(t);
}

TEST(breakpoints_of_a_kind_the_target_lacks_are_unsupported)
{
	struct target *t = fake((struct target_fake_cfg){ 0 }), *bare = fake((struct target_fake_cfg){ .no_hw = true });
	const struct target_break sw = { TARGET_BREAK_SW, GVA(0x10), 1 }, hw = { TARGET_BREAK_HW, GVA(0x10), 1 };

	CHECK_EQ(target_breaks_set(t, &sw, 1), -ENOTSUP);
	CHECK_EQ(target_breaks_set(bare, &hw, 1), -ENOTSUP);
	CHECK_EQ(target_breaks_set(bare, NULL, 0), 0);
	target_destroy(t);
	target_destroy(bare);
}

TEST(failed_breaks_set_keeps_the_former_set)
{
	struct target *t = fake((struct target_fake_cfg){ 0 });
	struct target_break set[5];
	unsigned n;

	for (unsigned i = 0; i < 5; i++)
		set[i] = (struct target_break){ TARGET_BREAK_HW, GVA(0x10 + i), 1 };
	CHECK_EQ(target_breaks_set(t, set, 4), 0);
	CHECK_EQ(target_breaks_set(t, set, 5), -ENOSPC);
	target_fake_breaks(t, &n);
	CHECK_EQ(n, 4);
	target_destroy(t);
}

TEST(kept_stop_comes_when_its_vcpu_is_no_longer_held)
{
	struct target *t = fake((struct target_fake_cfg){ .nvcpus = 2 });
	struct resume_plan only0 = all(TARGET_RUN), both = all(TARGET_RUN);
	struct stop_event ev;

	only0.vcpu[0].action = TARGET_STEP;
	only0.vcpu[1].action = TARGET_HOLD;
	target_fake_push_stop(t, &(struct stop_event){ .vcpu = 1, .why = STOP_TRIPLE_FAULT });
	CHECK_EQ(target_resume(t, &only0), 0);
	CHECK_EQ(target_next_stop(t, &ev), 0);
	CHECK_EQ(ev.why, STOP_STEP);
	CHECK_EQ(target_resume(t, &both), 0);
	CHECK_EQ(target_next_stop(t, &ev), 0);
	CHECK_EQ(ev.why, STOP_TRIPLE_FAULT);
	CHECK_EQ(ev.vcpu, 1);
	target_destroy(t);
}

static unsigned calls[2]; // of patch: out, in

static enum target_verdict skip_judge(void *arg, unsigned vcpu, enum stop_why why, gva pc)
{
	*(enum stop_why *)arg = why;
	return pc.raw < 8 ? TARGET_SKIP : TARGET_REPORT;
}

static int skip_patch(void *arg, unsigned vcpu, gva pc, bool in)
{
	calls[in]++;
	return pc.raw == 6 ? -EFAULT : 0;
}

TEST(breakpoints_that_the_filter_skips_do_not_stop)
{
	struct target *t = fake((struct target_fake_cfg){ 0 });
	const struct target_break hw = { TARGET_BREAK_HW, GVA(4), 1 };
	enum stop_why why = STOP_EXIT;
	struct target_filter f = { skip_judge, skip_patch, &why, BIT(STOP_SWBREAK) | BIT(STOP_HWBREAK) };
	struct resume_plan run = all(TARGET_RUN);
	struct stop_event ev;
	uint8_t *ram = target_fake_ram(t);

	calls[0] = calls[1] = 0;
	ram[2] = ram[8] = 0xcc;
	CHECK_EQ(target_breaks_set(t, &hw, 1), 0);
	target_filter_set(t, &f);
	CHECK_EQ(target_resume(t, &run), 0);
	CHECK_EQ(target_next_stop(t, &ev), 0);
	CHECK_EQ(ev.why, STOP_SWBREAK);
	CHECK_EQ(ev.pc.raw, 8);
	CHECK_EQ(calls[0], 1);
	CHECK_EQ(calls[1], 1);
	/* one that cannot be taken out is a stop */
	target_fake_regs(t, 0)->x86.rip = 5;
	ram[6] = 0xcc;
	CHECK_EQ(target_resume(t, &run), 0);
	CHECK_EQ(target_next_stop(t, &ev), 0);
	CHECK_EQ(ev.why, STOP_SWBREAK);
	CHECK_EQ(ev.pc.raw, 6);
	/* without its bit a hardware breakpoint is not judged */
	f.whys = BIT(STOP_SWBREAK);
	target_filter_set(t, &f);
	target_fake_regs(t, 0)->x86.rip = 3;
	CHECK_EQ(target_resume(t, &run), 0);
	CHECK_EQ(target_next_stop(t, &ev), 0);
	CHECK_EQ(ev.why, STOP_HWBREAK);
	CHECK_EQ(ev.pc.raw, 4);
	target_destroy(t);
}

TEST(stop_of_a_vcpu_that_does_not_exist_is_given_to_the_first)
{
	struct target *t = fake((struct target_fake_cfg){ 0 });
	struct resume_plan run = all(TARGET_RUN);
	struct stop_event ev;

	target_fake_push_stop(t, &(struct stop_event){ .vcpu = 9, .why = STOP_RESET });
	CHECK_EQ(target_resume(t, &run), 0);
	CHECK_EQ(target_next_stop(t, &ev), 0);
	CHECK_EQ(ev.vcpu, 0);
	target_destroy(t);
}

TEST(every_stop_has_a_text)
{
	for (int why = 0; why < STOP_NWHY; why++)
		CHECK(stop_why_text((enum stop_why)why)[0]);
	CHECK_STR(stop_why_text(STOP_WATCH), "watchpoint");
	target_destroy(NULL);
}

TESTS(T(registers_of_a_running_guest_are_busy), T(unknown_vcpu_is_refused), T(read_runs_short_at_the_end_of_ram),
      T(read_crosses_from_ram_into_adjacent_rom), T(range_that_wraps_is_refused),
      T(memory_can_be_read_and_written_while_the_guest_runs), T(step_without_the_ability_is_unsupported),
      T(failed_resume_leaves_the_guest_stopped), T(interrupt_of_a_stopped_guest_does_nothing),
      T(interrupt_gives_exactly_one_stop), T(after_exit_nothing_can_be_read_any_more),
      T(killed_guest_exits_at_the_next_resume), T(breakpoints_of_a_kind_the_target_lacks_are_unsupported),
      T(failed_breaks_set_keeps_the_former_set), T(kept_stop_comes_when_its_vcpu_is_no_longer_held),
      T(breakpoints_that_the_filter_skips_do_not_stop), T(stop_of_a_vcpu_that_does_not_exist_is_given_to_the_first),
      T(every_stop_has_a_text))
