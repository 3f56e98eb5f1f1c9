/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "kvm_rig.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "../unit/test.h"
#include "util/bytes.h"
#include "util/macros.h"

static void record(struct rig *r, struct rig_access a)
{
	unsigned n = __atomic_fetch_add(&r->nlog, 1, __ATOMIC_SEQ_CST);

	if (n < RIG_MAX_LOG)
		r->log[n] = a;
}

static uint64_t load(const void *p, unsigned size)
{
	uint64_t v = 0;

	memcpy(&v, p, MIN(size, sizeof(v)));
	return v;
}

/* Reads give the low bytes of the port number or address. */
static enum kvm_fate on_io(void *arg, unsigned vcpu, uint16_t port, bool write, unsigned size, unsigned count,
			   void *data)
{
	struct rig *r = arg;

	for (unsigned i = 0; i < count && !write; i++)
		memcpy((uint8_t *)data + i * size, (uint32_t[]){ port + i }, size);
	if (write && port == RIG_PORT_OFF)
		return *(uint8_t *)data ? KVM_FATE_RESET : KVM_FATE_OFF;
	record(r, (struct rig_access){ vcpu, port, false, write, size, count,
				       load((uint8_t *)data + (count - 1) * size, size) });
	return KVM_FATE_RUN;
}

static enum kvm_fate on_mmio(void *arg, unsigned vcpu, gpa at, bool write, unsigned size, void *data)
{
	if (!write)
		memcpy(data, (uint64_t[]){ at.raw }, size);
	record(arg, (struct rig_access){ vcpu, at.raw, true, write, size, 1, load(data, size) });
	return KVM_FATE_RUN;
}

static const struct kvm_exit_ops exit_ops = { .io = on_io, .mmio = on_mmio };

void rig_open(struct rig *r, unsigned ncpus, bool irqchip)
{
	struct errtext why = { "" };
	struct kvm_userspace_memory_region region = { .memory_size = RIG_RAM };

	*r = (struct rig){ .kvm_fd = open("/dev/kvm", O_RDWR | O_CLOEXEC), .n = ncpus };
	CHECK(r->kvm_fd >= 0);
	r->vm_fd = ioctl(r->kvm_fd, KVM_CREATE_VM, 0);
	CHECK(r->vm_fd >= 0);
	rig_machine_vm(r, irqchip);
	r->ram = mmap(NULL, RIG_RAM, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	CHECK(r->ram != MAP_FAILED);
	region.userspace_addr = (uintptr_t)r->ram;
	CHECK_EQ(ioctl(r->vm_fd, KVM_SET_USER_MEMORY_REGION, &region), 0);
	r->slot = (struct kvm_slot){ .start = GPA(0), .size = RIG_RAM, .hva = r->ram };
	for (unsigned i = 0; i < ncpus; i++) {
		r->vcpu_fd[i] = ioctl(r->vm_fd, KVM_CREATE_VCPU, i);
		CHECK(r->vcpu_fd[i] >= 0);
		rig_machine_cpu(r, i, irqchip);
	}
	rig_machine_done(r, irqchip);
	struct kvm_inproc_cfg cfg = {
		.vm_fd = r->vm_fd,
		.kvm_fd = r->kvm_fd,
		.vcpu_fd = r->vcpu_fd,
		.nvcpus = ncpus,
		.run_size = ioctl(r->kvm_fd, KVM_GET_VCPU_MMAP_SIZE, 0),
		.slots = &r->slot,
		.nslots = 1,
		.gic = { .there = r->gic_fd > 0 },
		.gic_fd = r->gic_fd,
	};
	if (kvm_port_inproc_create(&cfg, &r->port, &why) < 0 ||
	    kvm_cpus_create(r->port, rig_arch, &exit_ops, r, &r->cpus, &why) < 0)
		fail_msg("%s", why.text);
}

void rig_close(struct rig *r)
{
	kvm_cpus_destroy(r->cpus);
	kvm_port_destroy(r->port);
	for (unsigned i = 0; i < r->n; i++)
		close(r->vcpu_fd[i]);
	rig_machine_close(r);
	close(r->vm_fd);
	close(r->kvm_fd);
	munmap(r->ram, RIG_RAM);
}

void rig_code(struct rig *r, uint64_t at, const void *code, size_t n)
{
	/* Not memcpy(), whose SVE stores leave QEMU's TCG with stale code. */
	for (size_t i = 0; i < n; i++)
		((volatile uint8_t *)r->ram)[at + i] = ((const uint8_t *)code)[i];
}

struct regs_call {
	uint32_t groups;
	struct arch_regs *r;
};

static int read_call(struct kvm_port *p, unsigned vcpu, void *arg)
{
	struct regs_call *c = arg;

	return kvm_regs_read(p, vcpu, c->groups, c->r);
}

void rig_regs(struct rig *r, unsigned vcpu, uint32_t groups, struct arch_regs *out)
{
	struct regs_call c = { groups, out };

	*out = (struct arch_regs){ 0 };
	CHECK_EQ(kvm_cpus_call(r->cpus, vcpu, read_call, &c), 0);
	CHECK_EQ(out->have, groups);
}

int rig_regs_write(struct rig *r, unsigned vcpu, uint32_t groups, const struct arch_regs *in)
{
	return kvm_cpus_regs_write(r->cpus, vcpu, groups, in);
}

uint64_t rig_pc(struct rig *r, unsigned vcpu)
{
	struct arch_regs regs;

	rig_regs(r, vcpu, ARCH_CORE | ARCH_SYS, &regs);
	return rig_arch->pc_get(&regs).raw;
}

void rig_resume(struct rig *r, unsigned one, enum target_action a, enum target_action all)
{
	struct resume_plan plan = { 0 };

	for (unsigned i = 0; i < r->n; i++)
		plan.vcpu[i].action = i == one ? a : all;
	CHECK_EQ(kvm_cpus_resume(r->cpus, &plan), 0);
}

bool rig_quiet(struct rig *r, int ms)
{
	struct pollfd fd = { .fd = kvm_cpus_event_fd(r->cpus), .events = POLLIN };

	return poll(&fd, 1, ms) == 0;
}

struct stop_event rig_wait(struct rig *r)
{
	struct stop_event ev = { .vcpu = 99 };

	if (rig_quiet(r, 30000))
		fail_msg("no stop within 30 s");
	CHECK_EQ(kvm_cpus_next_stop(r->cpus, &ev), 0);
	CHECK_EQ(kvm_cpus_next_stop(r->cpus, &ev), -EAGAIN);
	CHECK(rig_quiet(r, 0));
	return ev;
}

struct stop_event rig_step(struct rig *r, unsigned vcpu)
{
	rig_resume(r, vcpu, TARGET_STEP, TARGET_HOLD);
	return rig_wait(r);
}

struct stop_event rig_run(struct rig *r)
{
	rig_resume(r, 0, TARGET_RUN, TARGET_RUN);
	return rig_wait(r);
}

struct stop_event rig_run_from(struct rig *r, unsigned vcpu, uint64_t pc, int ms)
{
	struct stop_event ev;
	unsigned i = 0;

	do {
		rig_resume(r, 0, TARGET_RUN, TARGET_RUN);
		CHECK(rig_quiet(r, ms));
		CHECK_EQ(kvm_cpus_interrupt(r->cpus), 0);
		ev = rig_wait(r);
		CHECK_EQ(ev.why, STOP_INTERRUPT);
	} while (rig_pc(r, vcpu) == pc && ++i < 100);
	return ev;
}

uint64_t rig_host_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static enum target_verdict report(void *arg, unsigned vcpu, enum stop_why why, gva pc)
{
	return TARGET_REPORT;
}

void rig_report_int3(struct rig *r)
{
	const struct target_filter f = { .judge = report, .whys = BIT(STOP_SWBREAK) };

	kvm_cpus_filter_set(r->cpus, &f);
}
