/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "target/target.h"

#include <errno.h>

#include "util/macros.h"

/*
 * The checked wrappers: the only callers of the ops. `running` is also looked at by other threads, in
 * target_interrupt(), hence the atomics; all else belongs to the server thread.
 */

static bool is_running(struct target *t)
{
	return __atomic_load_n(&t->running, __ATOMIC_ACQUIRE);
}

static void set_running(struct target *t, bool running)
{
	__atomic_store_n(&t->running, running, __ATOMIC_RELEASE);
}

static int need_stopped(struct target *t)
{
	if (t->gone)
		return -ENODEV;
	return is_running(t) ? -EBUSY : 0;
}

int target_regs_read(struct target *t, unsigned vcpu, uint32_t groups, struct arch_regs *r)
{
	int rc;

	if (vcpu >= t->nvcpus)
		return -EINVAL;
	rc = need_stopped(t);
	return rc < 0 ? rc : t->ops->regs_read(t, vcpu, groups, r);
}

int target_regs_read_on_vcpu(struct target *t, unsigned vcpu, uint32_t groups, struct arch_regs *r)
{
	return vcpu < t->nvcpus ? t->ops->regs_read(t, vcpu, groups, r) : -EINVAL;
}

int target_regs_write(struct target *t, unsigned vcpu, uint32_t groups, const struct arch_regs *r)
{
	int rc;

	if (vcpu >= t->nvcpus)
		return -EINVAL;
	rc = need_stopped(t);
	return rc < 0 ? rc : t->ops->regs_write(t, vcpu, groups, r);
}

/* *done starts at 0; a range that ends at 2^64 does not wrap. */
static int mem_check(const struct target *t, gpa at, size_t len, size_t *done)
{
	*done = 0;
	if (t->gone)
		return -ENODEV;
	return len && at.raw + (len - 1) < at.raw ? -EINVAL : 0;
}

/* An op that moved nothing has failed, whatever it returned; one that moved something has not. */
static int mem_result(int rc, size_t done)
{
	if (done)
		return 0;
	return rc < 0 ? rc : -EFAULT;
}

int target_mem_read(struct target *t, gpa at, void *buf, size_t len, size_t *done)
{
	int rc = mem_check(t, at, len, done);

	if (rc < 0 || !len)
		return rc;
	rc = t->ops->mem_read(t, at, buf, len, done);
	return mem_result(rc, *done);
}

int target_mem_write(struct target *t, gpa at, const void *buf, size_t len, size_t *done)
{
	int rc = mem_check(t, at, len, done);

	if (rc < 0 || !len)
		return rc;
	rc = t->ops->mem_write(t, at, buf, len, done);
	return mem_result(rc, *done);
}

int target_mem_map(struct target *t, const struct target_region **ret, unsigned *n)
{
	return t->gone ? -ENODEV : t->ops->mem_map(t, ret, n);
}

int target_resume(struct target *t, const struct resume_plan *plan)
{
	int rc = need_stopped(t);

	if (rc < 0)
		return rc;
	for (unsigned v = 0; v < t->nvcpus; v++)
		if (!target_can(t, plan->vcpu[v].action))
			return -ENOTSUP;
	set_running(t, true); // first: an interrupt from another thread counts from here on
	rc = t->ops->resume(t, plan);
	if (rc < 0)
		set_running(t, false);
	return rc;
}

int target_interrupt(struct target *t)
{
	return is_running(t) ? t->ops->interrupt(t) : 0;
}

int target_next_stop(struct target *t, struct stop_event *out)
{
	struct stop_event ev = { 0 };
	int rc;

	if (!is_running(t))
		return -EAGAIN;
	rc = t->ops->next_stop(t, &ev);
	if (rc < 0)
		return rc;
	if (ev.vcpu >= t->nvcpus) // callers index by it
		ev.vcpu = 0;
	set_running(t, false);
	t->gone = ev.why == STOP_EXIT;
	*out = ev;
	return 0;
}

int target_event_fd(struct target *t)
{
	return t->ops->event_fd(t);
}

int target_breaks_set(struct target *t, const struct target_break *set, unsigned n)
{
	int rc = need_stopped(t);

	if (rc < 0)
		return rc;
	for (unsigned i = 0; i < n; i++)
		if (!target_has_break(t, set[i].kind))
			return -ENOTSUP;
	return t->ops->breaks_set ? t->ops->breaks_set(t, set, n) : 0;
}

bool target_has_break(const struct target *t, enum target_break_kind kind)
{
	return t->ops->breaks_set && kind < TARGET_BREAK_NKINDS && t->break_kinds & BIT(kind);
}

bool target_can(const struct target *t, enum target_action a)
{
	if (a == TARGET_HOLD || a == TARGET_RUN)
		return true;
	return a <= TARGET_STEP_RANGE && t->step_actions & BIT(a);
}

bool target_filter_set(struct target *t, const struct target_filter *f)
{
	if (!t->ops->filter_set)
		return false;
	t->ops->filter_set(t, f ? f : &(struct target_filter){ 0 });
	return true;
}

int target_code_written(struct target *t, gpa at, size_t len)
{
	return t->ops->code_written ? t->ops->code_written(t, at, len) : 0;
}

int target_pwatch_set(struct target *t, const struct target_pwatch *set, unsigned n)
{
	int rc = need_stopped(t);

	if (rc < 0)
		return rc;
	if (!t->ops->pwatch_set)
		return n ? -ENOTSUP : 0;
	for (unsigned i = 0; i < n; i++)
		if (!set[i].len || set[i].at.raw + (set[i].len - 1) < set[i].at.raw)
			return -EINVAL;
	return t->ops->pwatch_set(t, set, n);
}

int target_kill(struct target *t)
{
	if (t->gone)
		return -ENODEV;
	return t->ops->kill ? t->ops->kill(t) : -ENOTSUP;
}

bool target_vcpu_online(struct target *t, unsigned vcpu)
{
	if (vcpu >= t->nvcpus)
		return false;
	return t->ops->vcpu_online ? t->ops->vcpu_online(t, vcpu) : true;
}

int target_vcpu_on_catch(struct target *t, bool on)
{
	int rc = need_stopped(t);

	if (rc < 0)
		return rc;
	return t->ops->vcpu_on_catch ? t->ops->vcpu_on_catch(t, on) : -ENOTSUP;
}

int target_checkpoint_catch(struct target *t, bool on)
{
	int rc = need_stopped(t);

	if (rc < 0)
		return rc;
	return t->ops->checkpoint_catch ? t->ops->checkpoint_catch(t, on) : -ENOTSUP;
}

void target_describe(struct target *t, struct strbuf *out)
{
	if (t->ops->describe)
		t->ops->describe(t, out);
}

int target_info(struct target *t, enum target_info what, unsigned vcpu, struct strbuf *out)
{
	int rc = need_stopped(t);

	if (rc < 0)
		return rc;
	if (vcpu >= t->nvcpus)
		return -EINVAL;
	return t->ops->info ? t->ops->info(t, what, vcpu, out) : -ENOTSUP;
}

int target_time(struct target *t, enum target_time_mode mode, unsigned vcpu, struct target_time *out)
{
	int rc = need_stopped(t);

	if (rc < 0)
		return rc;
	if (vcpu >= t->nvcpus)
		return -EINVAL;
	return t->ops->time ? t->ops->time(t, mode, vcpu, out) : -ENOTSUP;
}

void target_destroy(struct target *t)
{
	if (t)
		t->ops->destroy(t);
}

void target_destroyp(struct target **t)
{
	target_destroy(*t);
}

bool stop_is_terminal(enum stop_why why)
{
	return why >= STOP_POWER_OFF;
}

enum target_exit stop_exit_code(enum stop_why why)
{
	static const enum target_exit code[] = {
		[STOP_POWER_OFF] = TARGET_EXIT_OFF,
		[STOP_RESET] = TARGET_EXIT_RESET,
		[STOP_TRIPLE_FAULT] = TARGET_EXIT_CRASH,
		[STOP_INTERNAL_ERROR] = TARGET_EXIT_INTERNAL,
	};

	return why >= STOP_POWER_OFF && why <= STOP_INTERNAL_ERROR ? code[why] : TARGET_EXIT_DIED;
}

const char *stop_why_text(enum stop_why why)
{
	static const char *const text[STOP_NWHY] = {
		[STOP_INTERRUPT] = "interrupt",
		[STOP_STEP] = "step",
		[STOP_SWBREAK] = "breakpoint",
		[STOP_HWBREAK] = "hardware breakpoint",
		[STOP_WATCH] = "watchpoint",
		[STOP_PWATCH] = "physical watch",
		[STOP_PANIC] = "guest panic",
		[STOP_CHECKPOINT] = "checkpoint",
		[STOP_VCPU_ON] = "vCPU online",
		[STOP_POWER_OFF] = "power-off",
		[STOP_RESET] = "reset",
		[STOP_TRIPLE_FAULT] = "triple fault",
		[STOP_INTERNAL_ERROR] = "internal error",
		[STOP_EXIT] = "exit",
	};

	return why < STOP_NWHY ? text[why] : "unknown stop";
}
