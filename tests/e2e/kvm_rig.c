/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "kvm_rig.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
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

static void give_cpuid(struct rig *r, int fd)
{
	_cleanup_(freep) struct kvm_cpuid2 *id = calloc(1, sizeof(*id) + 256 * sizeof(id->entries[0]));

	id->nent = 256;
	CHECK_EQ(ioctl(r->kvm_fd, KVM_GET_SUPPORTED_CPUID, id), 0);
	for (unsigned i = 0; i < id->nent; i++) {
		if (id->entries[i].function == 1)
			id->entries[i].ecx |= 1 << 24; // deadline timer: the APIC has it, if there is one
	}
	CHECK_EQ(ioctl(fd, KVM_SET_CPUID2, id), 0);
}

static void real_mode(int fd, unsigned vcpu)
{
	struct kvm_regs regs = { .rip = RIG_CODE, .rflags = 2, .rsp = RIG_STACK - 0x200 * vcpu };
	struct kvm_sregs s;

	CHECK_EQ(ioctl(fd, KVM_GET_SREGS, &s), 0);
	s.cs.base = s.cs.selector = 0;
	CHECK_EQ(ioctl(fd, KVM_SET_SREGS, &s), 0);
	CHECK_EQ(ioctl(fd, KVM_SET_REGS, &regs), 0);
}

void rig_open(struct rig *r, unsigned ncpus, bool irqchip)
{
	struct errtext why = { "" };
	struct kvm_userspace_memory_region region = { .memory_size = RIG_RAM };

	*r = (struct rig){ .kvm_fd = open("/dev/kvm", O_RDWR | O_CLOEXEC), .n = ncpus };
	CHECK(r->kvm_fd >= 0);
	r->vm_fd = ioctl(r->kvm_fd, KVM_CREATE_VM, 0);
	CHECK(r->vm_fd >= 0);
	ioctl(r->vm_fd, KVM_SET_TSS_ADDR, 0xfffbd000);
	if (irqchip)
		CHECK_EQ(ioctl(r->vm_fd, KVM_CREATE_IRQCHIP, 0), 0);
	r->ram = mmap(NULL, RIG_RAM, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	CHECK(r->ram != MAP_FAILED);
	region.userspace_addr = (uintptr_t)r->ram;
	CHECK_EQ(ioctl(r->vm_fd, KVM_SET_USER_MEMORY_REGION, &region), 0);
	r->slot = (struct kvm_slot){ .start = GPA(0), .size = RIG_RAM, .hva = r->ram };
	for (unsigned i = 0; i < ncpus; i++) {
		r->vcpu_fd[i] = ioctl(r->vm_fd, KVM_CREATE_VCPU, i);
		CHECK(r->vcpu_fd[i] >= 0);
		give_cpuid(r, r->vcpu_fd[i]);
		real_mode(r->vcpu_fd[i], i);
	}
	struct kvm_inproc_cfg cfg = {
		.vm_fd = r->vm_fd,
		.kvm_fd = r->kvm_fd,
		.vcpu_fd = r->vcpu_fd,
		.nvcpus = ncpus,
		.run_size = ioctl(r->kvm_fd, KVM_GET_VCPU_MMAP_SIZE, 0),
		.slots = &r->slot,
		.nslots = 1,
	};
	if (kvm_port_inproc_create(&cfg, &r->port, &why) < 0 ||
	    kvm_cpus_create(r->port, &arch_x86, &exit_ops, r, &r->cpus, &why) < 0)
		fail_msg("%s", why.text);
}

void rig_close(struct rig *r)
{
	kvm_cpus_destroy(r->cpus);
	kvm_port_destroy(r->port);
	for (unsigned i = 0; i < r->n; i++)
		close(r->vcpu_fd[i]);
	close(r->vm_fd);
	close(r->kvm_fd);
	munmap(r->ram, RIG_RAM);
}

void rig_code(struct rig *r, uint64_t at, const void *code, size_t n)
{
	memcpy(r->ram + at, code, n);
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
	return arch_x86.pc_get(&regs).raw;
}

void rig_set_pc(struct rig *r, unsigned vcpu, uint64_t rip)
{
	struct arch_regs regs;

	rig_regs(r, vcpu, ARCH_CORE, &regs);
	regs.x86.rip = rip;
	CHECK_EQ(rig_regs_write(r, vcpu, ARCH_CORE, &regs), 0);
}

void rig_long_mode(struct rig *r, unsigned vcpu)
{
	struct arch_regs regs;
	uint64_t pdpt = RIG_TABLES + 0x1000, pd = RIG_TABLES + 0x2000;

	st_le64(r->ram + RIG_TABLES, pdpt | 3);
	st_le64(r->ram + pdpt, pd | 3);
	for (unsigned i = 0; i < 512; i++)
		st_le64(r->ram + pd + 8 * i, (uint64_t)i << 21 | 0x83);
	rig_regs(r, vcpu, ARCH_SYS, &regs);
	regs.x86.cr3 = RIG_TABLES;
	regs.x86.cr4 |= 1 << 5 | 1 << 9; // PAE, OSFXSR
	regs.x86.cr0 = 0x80000031;
	regs.x86.efer |= X86_EFER_LME | X86_EFER_LMA;
	for (unsigned i = X86_CS; i <= X86_GS; i++)
		regs.x86.seg[i] = (struct x86_seg){ .limit = 0xffffffff, .sel = 0x10, .attr = 0xc93 };
	regs.x86.seg[X86_CS].sel = 8;
	regs.x86.seg[X86_CS].attr = 0xa9b;
	CHECK_EQ(rig_regs_write(r, vcpu, ARCH_SYS, &regs), 0);
}

void rig_private_data(struct rig *r)
{
	struct arch_regs regs;

	for (unsigned i = 0; i < r->n; i++) {
		rig_regs(r, i, ARCH_SYS, &regs);
		regs.x86.seg[X86_DS].base = RIG_DATA + 0x100 * i;
		regs.x86.seg[X86_DS].sel = regs.x86.seg[X86_DS].base >> 4;
		CHECK_EQ(rig_regs_write(r, i, ARCH_SYS, &regs), 0);
	}
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

static enum target_verdict report(void *arg, unsigned vcpu, enum stop_why why, gva pc)
{
	return TARGET_REPORT;
}

void rig_report_int3(struct rig *r)
{
	const struct target_filter f = { .judge = report, .whys = BIT(STOP_SWBREAK) };

	kvm_cpus_filter_set(r->cpus, &f);
}

/* out 0xf4, al with al == 0 */
#define POWER_OFF 0xb0, 0x00, 0xe6, RIG_PORT_OFF

bool rig_has_int3(void)
{
	struct rig r;
	enum stop_why why;

	rig_open(&r, 1, false);
	RIG_CODE_AT(&r, RIG_CODE, 0xcc, POWER_OFF);
	RIG_CODE_AT(&r, RIG_CODE + 0x100, POWER_OFF);
	RIG_CODE_AT(&r, 3 * 4, 0x00, (RIG_CODE + 0x100) >> 8, 0, 0);
	rig_report_int3(&r);
	why = rig_run(&r).why;
	rig_close(&r);
	return why == STOP_SWBREAK;
}

bool rig_has_watch(void)
{
	const struct target_break watch = { .kind = TARGET_WATCH_WRITE, .at = GVA(RIG_DATA), .len = 1 };
	struct rig r;
	enum stop_why why;

	rig_open(&r, 1, false);
	RIG_CODE_AT(&r, RIG_CODE, 0xa2, RIG_DATA & 0xff, RIG_DATA >> 8, POWER_OFF);
	CHECK_EQ(kvm_cpus_hw_set(r.cpus, &watch, 1), 0);
	why = rig_run(&r).why;
	rig_close(&r);
	return why == STOP_WATCH;
}
