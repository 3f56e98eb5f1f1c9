/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "target/target.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "target/fake.h"
#include "util/macros.h"

/* A guest made of arrays; see target_fake_create(). How it executes is in fake_run.c. One thread only. */

static struct fake *fake_of(struct target *t)
{
	return container_of(t, struct fake, target);
}

/* The injected failure, if it is this call's turn. */
static int fake_fail(struct fake *f)
{
	if (!f->fail_in || --f->fail_in)
		return 0;
	f->failed = true;
	return f->fail_err;
}

void fake_stop(struct fake *f, const struct stop_event *ev)
{
	f->due = *ev;
	f->due_set = true;
	eventfd_write(f->fd, 1);
}

/* ---- memory ---- */

uint8_t *fake_hva(struct fake *f, gpa at, size_t *left)
{
	for (unsigned i = 0; i < f->nregions; i++) {
		uint64_t off = at.raw - f->map[i].start.raw;

		if (at.raw >= f->map[i].start.raw && off < f->map[i].size) {
			*left = f->map[i].size - off;
			return f->mem[i] + off;
		}
	}
	return NULL;
}

static int fake_copy(struct fake *f, gpa at, void *to, const void *from, size_t len, size_t *done)
{
	int rc = fake_fail(f);
	uint8_t *hva;
	size_t left;

	while (rc == 0 && *done < len && (hva = fake_hva(f, GPA(at.raw + *done), &left))) {
		size_t n = MIN(left, len - *done);

		if (to)
			memcpy((uint8_t *)to + *done, hva, n);
		else
			memcpy(hva, (const uint8_t *)from + *done, n);
		*done += n;
	}
	return rc;
}

static int fake_mem_read(struct target *t, gpa at, void *buf, size_t len, size_t *done)
{
	return fake_copy(fake_of(t), at, buf, NULL, len, done);
}

static int fake_mem_write(struct target *t, gpa at, const void *buf, size_t len, size_t *done)
{
	return fake_copy(fake_of(t), at, NULL, buf, len, done);
}

static int fake_mem_map(struct target *t, const struct target_region **ret, unsigned *n)
{
	struct fake *f = fake_of(t);
	int rc = fake_fail(f);

	if (rc < 0)
		return rc;
	*ret = f->map;
	*n = f->nregions;
	return 0;
}

/* ---- registers ---- */

static int fake_regs_read(struct target *t, unsigned vcpu, uint32_t groups, struct arch_regs *r)
{
	struct fake *f = fake_of(t);
	int rc = fake_fail(f);

	if (rc < 0)
		return rc;
	f->isa->copy(r, &f->vcpu[vcpu].regs, groups);
	r->have |= groups;
	return 0;
}

static int fake_regs_write(struct target *t, unsigned vcpu, uint32_t groups, const struct arch_regs *r)
{
	struct fake *f = fake_of(t);
	int rc = fake_fail(f);

	if (rc < 0)
		return rc;
	f->isa->copy(&f->vcpu[vcpu].regs, r, groups);
	return 0;
}

/* ---- execution ---- */

static bool fake_take_pushed(struct fake *f)
{
	for (unsigned i = 0; i < f->npushed; i++) {
		struct stop_event ev = f->pushed[i];

		if (f->plan.vcpu[ev.vcpu].action == TARGET_HOLD)
			continue;
		memmove(&f->pushed[i], &f->pushed[i + 1], (--f->npushed - i) * sizeof(ev));
		fake_stop(f, &ev);
		return true;
	}
	return false;
}

static int fake_resume(struct target *t, const struct resume_plan *plan)
{
	struct fake *f = fake_of(t);
	int rc = fake_fail(f);

	if (rc < 0)
		return rc;
	f->plan = *plan;
	f->resumed = true;
	if (f->killed)
		fake_stop(f, &(struct stop_event){ .why = STOP_EXIT });
	else if (!fake_take_pushed(f))
		fake_run(f);
	return 0;
}

static int fake_interrupt(struct target *t)
{
	struct fake *f = fake_of(t);
	int rc = fake_fail(f);

	if (rc < 0 || f->due_set)
		return rc;
	for (unsigned v = 0; v < t->nvcpus; v++)
		f->vcpu[v].waits = false;
	fake_stop(f, &(struct stop_event){ .why = STOP_INTERRUPT, .pc = t->arch->pc_get(&f->vcpu[0].regs) });
	return 0;
}

static int fake_next_stop(struct target *t, struct stop_event *out)
{
	struct fake *f = fake_of(t);
	int rc = fake_fail(f);
	eventfd_t n;

	if (rc < 0)
		return rc;
	if (!f->due_set)
		return -EAGAIN;
	eventfd_read(f->fd, &n);
	f->due_set = false;
	*out = f->due;
	return 0;
}

static int fake_event_fd(struct target *t)
{
	return fake_of(t)->fd;
}

/* ---- breakpoints and the rest ---- */

static int fake_breaks_set(struct target *t, const struct target_break *set, unsigned n)
{
	struct fake *f = fake_of(t);
	struct hw_break hw[FAKE_MAX_BREAKS];
	struct arch_hw_state st;
	unsigned nhw = 0;
	int rc = fake_fail(f);

	if (rc == 0 && n > FAKE_MAX_BREAKS)
		rc = -ENOSPC;
	for (unsigned i = 0; rc == 0 && i < n; i++)
		if (set[i].kind != TARGET_BREAK_SW)
			hw[nhw++] = (struct hw_break){ fake_hw_kind(set[i].kind), set[i].at, set[i].len };
	if (rc == 0 && nhw)
		rc = t->arch->hw_encode(&t->hw_max, hw, nhw, &st);
	if (rc < 0)
		return rc;
	memcpy(f->breaks, set, n * sizeof(*set));
	f->nbreaks = n;
	return 0;
}

static void fake_filter_set(struct target *t, const struct target_filter *filter)
{
	fake_of(t)->filter = *filter;
}

static int fake_code_written(struct target *t, gpa at, size_t len)
{
	return fake_fail(fake_of(t));
}

static int fake_pwatch_set(struct target *t, const struct target_pwatch *set, unsigned n)
{
	struct fake *f = fake_of(t);
	int rc = fake_fail(f);
	size_t left;

	if (rc == 0 && n > FAKE_MAX_PWATCHES)
		rc = -ENOSPC;
	for (unsigned i = 0; rc == 0 && i < n; i++)
		if (!fake_hva(f, set[i].at, &left) || left < set[i].len)
			rc = -EFAULT;
	if (rc < 0)
		return rc;
	memcpy(f->pwatches, set, n * sizeof(*set));
	f->npwatches = n;
	return 0;
}

static int fake_kill(struct target *t)
{
	struct fake *f = fake_of(t);
	int rc = fake_fail(f);

	if (rc < 0)
		return rc;
	f->killed = true;
	if (t->running && !f->due_set)
		fake_stop(f, &(struct stop_event){ .why = STOP_EXIT });
	return 0;
}

static int fake_vcpu_on_catch(struct target *t, bool on)
{
	struct fake *f = fake_of(t);
	int rc = fake_fail(f);

	if (rc == 0)
		f->catches_vcpu_on = on;
	return rc;
}

static int fake_checkpoint_catch(struct target *t, bool on)
{
	struct fake *f = fake_of(t);
	int rc = fake_fail(f);

	if (rc == 0)
		f->catches_checkpoints = on;
	return rc;
}

static void fake_describe(struct target *t, struct strbuf *out)
{
	strbuf_adds(out, "a fake guest\n");
}

static void fake_destroy(struct target *t)
{
	struct fake *f = fake_of(t);

	if (f->fd >= 0)
		close(f->fd);
	for (unsigned i = 0; i < ARRAY_LEN(f->mem); i++)
		free(f->mem[i]);
	free(f->vcpu);
	free(f);
}

/* A guest of whose interrupt controllers there is a line, and whose time is made up. */
static int fake_info(struct target *t, enum target_info what, unsigned vcpu, struct strbuf *out)
{
	int rc = fake_fail(fake_of(t));

	if (rc == 0)
		strbuf_addf(out, "info %d of vCPU %u\n", (int)what, vcpu);
	return rc;
}

static int fake_time(struct target *t, enum target_time_mode mode, unsigned vcpu, struct target_time *out)
{
	struct fake *f = fake_of(t);
	int rc = fake_fail(f);

	if (rc < 0)
		return rc;
	if (mode != TARGET_TIME_KEEP)
		f->time_runs = mode == TARGET_TIME_RUN;
	*out = (struct target_time){ .mode = f->time_runs ? TARGET_TIME_RUN : TARGET_TIME_FREEZE,
				     .held_ns = 61500000000,
				     .clock_ns = 2000000001,
				     .tsc = 0x1000 + vcpu,
				     .have_clock = true,
				     .have_tsc = true };
	return 0;
}

static const struct target_ops fake_ops = {
	.name = "fake",
	.regs_read = fake_regs_read,
	.regs_write = fake_regs_write,
	.mem_read = fake_mem_read,
	.mem_write = fake_mem_write,
	.mem_map = fake_mem_map,
	.resume = fake_resume,
	.interrupt = fake_interrupt,
	.next_stop = fake_next_stop,
	.event_fd = fake_event_fd,
	.destroy = fake_destroy,
	.breaks_set = fake_breaks_set,
	.filter_set = fake_filter_set,
	.code_written = fake_code_written,
	.pwatch_set = fake_pwatch_set,
	.kill = fake_kill,
	.vcpu_on_catch = fake_vcpu_on_catch,
	.checkpoint_catch = fake_checkpoint_catch,
	.describe = fake_describe,
	.info = fake_info,
	.time = fake_time,
};

static void fake_abilities(struct fake *f, const struct target_fake_cfg *cfg)
{
	if (!cfg->no_hw)
		f->target.break_kinds = f->isa->break_kinds;
	if (cfg->native_sw)
		f->target.break_kinds |= BIT(TARGET_BREAK_SW);
	if (!f->target.break_kinds)
		f->ops.breaks_set = NULL;
	if (cfg->native_sw) // whoever places them knows which are his
		f->ops.filter_set = NULL;
	if (cfg->no_vcpu_on)
		f->ops.vcpu_on_catch = NULL;
	if (cfg->no_checkpoints)
		f->ops.checkpoint_catch = NULL;
	if (!cfg->no_step)
		f->target.step_actions = BIT(TARGET_STEP) | (cfg->no_range ? 0 : BIT(TARGET_STEP_RANGE));
}

int target_fake_create(const struct target_fake_cfg *cfg, struct target **ret)
{
	_cleanup_(target_destroyp) struct target *t = NULL;
	struct fake *f;

	if (!cfg->nvcpus || cfg->nvcpus > TARGET_MAX_VCPUS || !cfg->ram_size)
		return -EINVAL;
	f = calloc(1, sizeof(*f));
	if (!f)
		return -ENOMEM;
	f->ops = fake_ops;
	f->fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	f->target = (struct target){ .ops = &f->ops, .arch = cfg->arch, .nvcpus = cfg->nvcpus };
	if (!cfg->arch)
		f->target.arch = &arch_x86;
	f->isa = f->target.arch == &arch_arm64 ? &fake_isa_arm64 : &fake_isa_x86;
	f->target.hw_max = f->target.arch->hw_max;
	t = &f->target;
	f->map[0] = (struct target_region){ GPA(0), cfg->ram_size, TARGET_RAM, "ram" };
	f->map[1] = (struct target_region){ cfg->rom_at, cfg->rom_size, TARGET_ROM, "rom" };
	f->nregions = cfg->rom_size ? 2 : 1;
	f->vcpu = calloc(cfg->nvcpus, sizeof(*f->vcpu));
	for (unsigned i = 0; i < f->nregions; i++)
		f->mem[i] = calloc(1, f->map[i].size);
	if (f->fd < 0 || !f->vcpu || !f->mem[0] || (f->nregions == 2 && !f->mem[1]))
		return -ENOMEM;
	for (unsigned v = 0; v < cfg->nvcpus; v++) {
		f->vcpu[v].regs.have = ARCH_ALL;
		f->isa->reset(&f->vcpu[v].regs, cfg);
	}
	fake_abilities(f, cfg);
	*ret = take_ptr(t);
	return 0;
}

struct arch_regs *target_fake_regs(struct target *t, unsigned vcpu)
{
	return &fake_of(t)->vcpu[vcpu].regs;
}

void *target_fake_ram(struct target *t)
{
	return fake_of(t)->mem[0];
}

void target_fake_push_stop(struct target *t, const struct stop_event *ev)
{
	struct fake *f = fake_of(t);

	if (f->npushed < FAKE_MAX_STOPS)
		f->pushed[f->npushed++] = *ev;
}

const struct resume_plan *target_fake_last_plan(struct target *t)
{
	struct fake *f = fake_of(t);

	return f->resumed ? &f->plan : NULL;
}

const struct target_break *target_fake_breaks(struct target *t, unsigned *n)
{
	struct fake *f = fake_of(t);

	*n = f->nbreaks;
	return f->breaks;
}

const struct target_pwatch *target_fake_pwatches(struct target *t, unsigned *n)
{
	struct fake *f = fake_of(t);

	*n = f->npwatches;
	return f->pwatches;
}

void target_fake_fail_at(struct target *t, unsigned k, int err)
{
	struct fake *f = fake_of(t);

	f->fail_in = k;
	f->fail_err = err;
	f->failed = false;
}

enum target_verdict target_fake_ask_filter(struct target *t, unsigned vcpu, gva pc)
{
	return fake_verdict(fake_of(t), vcpu, STOP_SWBREAK, pc);
}

bool target_fake_has_filter(struct target *t)
{
	return fake_of(t)->filter.whys & BIT(STOP_SWBREAK);
}

bool target_fake_catches_checkpoints(struct target *t)
{
	return fake_of(t)->catches_checkpoints;
}

bool target_fake_catches_vcpu_on(struct target *t)
{
	return fake_of(t)->catches_vcpu_on;
}

bool target_fake_failed(struct target *t)
{
	return fake_of(t)->failed;
}
