/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The smallest VMM that steps the guest, on arm64. */
#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "bench.h"
#include "util/macros.h"

enum { GICD_AT = 0x08000000, GICR_AT = 0x080a0000, EL1H_MASKED = 0x3c5 };

struct bare {
	int kvm, vm, gic, cpu;
	struct kvm_run *run;
	size_t run_size;
	uint8_t *ram;
};

#define CORE_REG(name) (KVM_REG_ARM64 | KVM_REG_SIZE_U64 | KVM_REG_ARM_CORE | KVM_REG_ARM_CORE_REG(regs.name))

static int must(int rc, const char *what)
{
	if (rc < 0)
		bench_die("%s: %s", what, strerror(errno));
	return rc;
}

static void reg_set(struct bare *b, uint64_t id, uint64_t value)
{
	struct kvm_one_reg r = { .id = id, .addr = (uintptr_t)&value };

	must(ioctl(b->cpu, KVM_SET_ONE_REG, &r), "KVM_SET_ONE_REG");
}

static void gic_attr(struct bare *b, uint32_t group, uint64_t attr, const void *value)
{
	struct kvm_device_attr a = { .group = group, .attr = attr, .addr = (uintptr_t)value };

	must(ioctl(b->gic, KVM_SET_DEVICE_ATTR, &a), "KVM_SET_DEVICE_ATTR of the interrupt controller");
}

static void load(struct bare *b, const char *path)
{
	struct kvm_userspace_memory_region r = { .guest_phys_addr = BENCH_RAM, .memory_size = BENCH_MAPPED };
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	b->ram = mmap(NULL, BENCH_MAPPED, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (b->ram == MAP_FAILED)
		bench_die("no memory for the bare guest");
	if (fd < 0 || read(fd, b->ram + (BENCH_CODE - BENCH_RAM), BENCH_MAPPED / 2) <= 0)
		bench_die("cannot read %s", path);
	close(fd);
	r.userspace_addr = (uintptr_t)b->ram;
	must(ioctl(b->vm, KVM_SET_USER_MEMORY_REGION, &r), "KVM_SET_USER_MEMORY_REGION");
}

/* With an interrupt controller, as gdbvm has it: KVM saves and restores it around each entry. */
static void create(struct bare *b)
{
	const uint64_t dist = GICD_AT, redist = GICR_AT;
	struct kvm_create_device gic = { .type = KVM_DEV_TYPE_ARM_VGIC_V3 };
	struct kvm_vcpu_init init = { 0 };

	must(ioctl(b->vm, KVM_CREATE_DEVICE, &gic), "KVM_CREATE_DEVICE of a GICv3");
	b->gic = (int)gic.fd;
	gic_attr(b, KVM_DEV_ARM_VGIC_GRP_ADDR, KVM_VGIC_V3_ADDR_TYPE_DIST, &dist);
	gic_attr(b, KVM_DEV_ARM_VGIC_GRP_ADDR, KVM_VGIC_V3_ADDR_TYPE_REDIST, &redist);
	b->cpu = must(ioctl(b->vm, KVM_CREATE_VCPU, 0), "KVM_CREATE_VCPU");
	must(ioctl(b->vm, KVM_ARM_PREFERRED_TARGET, &init), "KVM_ARM_PREFERRED_TARGET");
	must(ioctl(b->cpu, KVM_ARM_VCPU_INIT, &init), "KVM_ARM_VCPU_INIT");
	gic_attr(b, KVM_DEV_ARM_VGIC_GRP_CTRL, KVM_DEV_ARM_VGIC_CTRL_INIT, NULL);
}

struct bare *bare_open(const char *image)
{
	struct bare *b = calloc(1, sizeof(*b));

	if (!b)
		bench_die("out of memory");
	b->kvm = must(open("/dev/kvm", O_RDWR | O_CLOEXEC), "/dev/kvm");
	b->vm = must(ioctl(b->kvm, KVM_CREATE_VM, 0), "KVM_CREATE_VM");
	load(b, image);
	create(b);
	b->run_size = (size_t)must(ioctl(b->kvm, KVM_GET_VCPU_MMAP_SIZE, 0), "KVM_GET_VCPU_MMAP_SIZE");
	b->run = mmap(NULL, b->run_size, PROT_READ | PROT_WRITE, MAP_SHARED, b->cpu, 0);
	if (b->run == MAP_FAILED)
		bench_die("cannot map the run page");
	reg_set(b, CORE_REG(pstate), EL1H_MASKED);
	reg_set(b, CORE_REG(pc), BENCH_CODE);
	must(ioctl(b->cpu, KVM_RUN, 0), "KVM_RUN");
	if (b->run->exit_reason != KVM_EXIT_MMIO)
		bench_die("the bare guest ended with exit reason %u instead of its first output", b->run->exit_reason);
	return b;
}

void bare_jump(struct bare *b, uint64_t pc, uint64_t loops)
{
	b->run->immediate_exit = 1; // complete the output that it may be in
	ioctl(b->cpu, KVM_RUN, 0);
	b->run->immediate_exit = 0;
	reg_set(b, CORE_REG(pc), pc);
	reg_set(b, CORE_REG(regs[9]), loops);
}

static void debug(struct bare *b, uint32_t control)
{
	struct kvm_guest_debug d = { .control = control };

	must(ioctl(b->cpu, KVM_SET_GUEST_DEBUG, &d), "KVM_SET_GUEST_DEBUG");
}

double bare_steps(struct bare *b, unsigned n)
{
	double begin;

	bare_jump(b, BENCH_STEPS, UINT32_MAX);
	debug(b, KVM_GUESTDBG_ENABLE | KVM_GUESTDBG_SINGLESTEP);
	begin = bench_now();
	for (unsigned i = 0; i < n; i++) {
		must(ioctl(b->cpu, KVM_RUN, 0), "KVM_RUN");
		if (b->run->exit_reason != KVM_EXIT_DEBUG)
			bench_die("a bare step did not step: exit reason %u", b->run->exit_reason);
	}
	begin = bench_now() - begin;
	debug(b, 0);
	return begin;
}

double bare_clock(struct bare *b, unsigned n)
{
	uint64_t count;
	struct kvm_one_reg r = { .id = KVM_REG_ARM_TIMER_CNT, .addr = (uintptr_t)&count };
	double begin = bench_now();

	for (unsigned i = 0; i < n; i++) {
		must(ioctl(b->cpu, KVM_GET_ONE_REG, &r), "KVM_GET_ONE_REG");
		must(ioctl(b->cpu, KVM_SET_ONE_REG, &r), "KVM_SET_ONE_REG");
	}
	return bench_now() - begin;
}

struct kvm_run *bare_run(struct bare *b)
{
	return b->run;
}

int bare_enter(struct bare *b)
{
	return ioctl(b->cpu, KVM_RUN, 0);
}

void bare_close(struct bare *b)
{
	munmap(b->run, b->run_size);
	munmap(b->ram, BENCH_MAPPED);
	close(b->cpu);
	close(b->gic);
	close(b->vm);
	close(b->kvm);
	free(b);
}
