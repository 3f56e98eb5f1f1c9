/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Our own VMM as a target: every op is one call into src/kvm or src/vmm. */
#include <errno.h>
#include <stdlib.h>

#include "backend/backend.h"
#include "kvm/kvm.h"
#include "util/macros.h"

struct kvm_target {
	struct target target; /* first */
	struct vm *vm;
};

static struct vm *vm_of(struct target *t)
{
	return container_of(t, struct kvm_target, target)->vm;
}

static struct kvm_cpus *cpus_of(struct target *t)
{
	return vm_cpus(vm_of(t));
}

static int kvm_target_regs_read(struct target *t, unsigned vcpu, uint32_t groups, struct arch_regs *r)
{
	return kvm_cpus_regs_read(cpus_of(t), vcpu, groups, r);
}

static int kvm_target_regs_write(struct target *t, unsigned vcpu, uint32_t groups, const struct arch_regs *r)
{
	return kvm_cpus_regs_write(cpus_of(t), vcpu, groups, r);
}

/* A vCPU's thread that reads page tables may come while the server's thread sets it; then it does not matter. */
static unsigned viewer_of(struct target *t)
{
	return __atomic_load_n(&t->viewer, __ATOMIC_RELAXED);
}

static int kvm_target_mem_read(struct target *t, gpa at, void *buf, size_t len, size_t *done)
{
	return vm_mem_read(vm_of(t), viewer_of(t), at, buf, len, done);
}

static int kvm_target_mem_write(struct target *t, gpa at, const void *buf, size_t len, size_t *done)
{
	return vm_mem_write(vm_of(t), viewer_of(t), at, buf, len, done);
}

static int kvm_target_mem_map(struct target *t, const struct target_region **ret, unsigned *n)
{
	*ret = vm_mem_map(vm_of(t), n);
	return 0;
}

static int kvm_target_resume(struct target *t, const struct resume_plan *plan)
{
	return kvm_cpus_resume(cpus_of(t), plan);
}

static int kvm_target_interrupt(struct target *t)
{
	return kvm_cpus_interrupt(cpus_of(t));
}

static int kvm_target_next_stop(struct target *t, struct stop_event *out)
{
	const int rc = kvm_cpus_next_stop(cpus_of(t), out);

	if (rc == 0 && (stop_is_terminal(out->why) || out->why == STOP_PANIC))
		vm_end_line(vm_of(t));
	return rc;
}

static int kvm_target_event_fd(struct target *t)
{
	return kvm_cpus_event_fd(cpus_of(t));
}

static void kvm_target_destroy(struct target *t)
{
	vm_close(vm_of(t));
	free(container_of(t, struct kvm_target, target));
}

static int kvm_target_breaks_set(struct target *t, const struct target_break *set, unsigned n)
{
	return kvm_cpus_hw_set(cpus_of(t), set, n);
}

static void kvm_target_filter_set(struct target *t, const struct target_filter *f)
{
	kvm_cpus_filter_set(cpus_of(t), f);
}

static int kvm_target_code_written(struct target *t, gpa at, size_t len)
{
	return kvm_cpus_code_written(cpus_of(t), at, len);
}

static int kvm_target_pwatch_set(struct target *t, const struct target_pwatch *set, unsigned n)
{
	return vm_pwatch_set(vm_of(t), set, n);
}

static int kvm_target_kill(struct target *t)
{
	kvm_cpus_kill(cpus_of(t));
	return 0;
}

static bool kvm_target_vcpu_online(struct target *t, unsigned vcpu)
{
	return kvm_cpus_online(cpus_of(t), vcpu);
}

static int kvm_target_vcpu_on_catch(struct target *t, bool on)
{
	return kvm_cpus_online_catch(cpus_of(t), on);
}

static int kvm_target_checkpoint_catch(struct target *t, bool on)
{
	return vm_checkpoint_catch(vm_of(t), on);
}

static void kvm_target_describe(struct target *t, struct strbuf *out)
{
	const struct target_region *map;
	uint64_t ram = 0;
	unsigned n;

	map = vm_mem_map(vm_of(t), &n);
	for (unsigned i = 0; i < n; i++)
		ram += map[i].kind == TARGET_RAM ? map[i].size : 0;
	strbuf_addf(out, "KVM guest of gdbvm, %u vCPU%s, %llu MiB of RAM\n", t->nvcpus, t->nvcpus == 1 ? "" : "s",
		    (unsigned long long)ram >> 20);
}

static int kvm_target_info(struct target *t, enum target_info what, unsigned vcpu, struct strbuf *out)
{
	return kvm_cpus_info(cpus_of(t), what, vcpu, out);
}

static int kvm_target_time(struct target *t, enum target_time_mode mode, unsigned vcpu, struct target_time *out)
{
	return kvm_cpus_time(cpus_of(t), mode, vcpu, out);
}

static const struct target_ops kvm_target_ops = {
	.name = "kvm",
	.regs_read = kvm_target_regs_read,
	.regs_write = kvm_target_regs_write,
	.mem_read = kvm_target_mem_read,
	.mem_write = kvm_target_mem_write,
	.mem_map = kvm_target_mem_map,
	.resume = kvm_target_resume,
	.interrupt = kvm_target_interrupt,
	.next_stop = kvm_target_next_stop,
	.event_fd = kvm_target_event_fd,
	.destroy = kvm_target_destroy,
	.breaks_set = kvm_target_breaks_set,
	.filter_set = kvm_target_filter_set,
	.pwatch_set = kvm_target_pwatch_set,
	.code_written = kvm_target_code_written,
	.kill = kvm_target_kill,
	.vcpu_online = kvm_target_vcpu_online,
	.vcpu_on_catch = kvm_target_vcpu_on_catch,
	.checkpoint_catch = kvm_target_checkpoint_catch,
	.describe = kvm_target_describe,
	.info = kvm_target_info,
	.time = kvm_target_time,
};

int backend_kvm_create(struct vm *m, struct target **ret, struct errtext *why)
{
	struct kvm_target *k = calloc(1, sizeof(*k));

	if (!k)
		return errtext_set(why, -ENOMEM, "no memory for the guest");
	k->vm = m;
	k->target.ops = &kvm_target_ops;
	k->target.arch = vm_arch();
	k->target.hw_max = *kvm_cpus_hw_max(vm_cpus(m));
	k->target.nvcpus = kvm_cpus_count(vm_cpus(m));
	k->target.break_kinds = vm_break_kinds();
	k->target.step_actions = BIT(TARGET_HOLD) | BIT(TARGET_RUN) | BIT(TARGET_STEP) | BIT(TARGET_STEP_RANGE);
	*ret = &k->target;
	return 0;
}
