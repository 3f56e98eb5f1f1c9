/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the bare VMM has for arm64. */
#include "bare.h"

#include <fcntl.h>
#include <unistd.h>

enum { GICD_AT = 0x08000000, GICR_AT = 0x080a0000, EL1H_MASKED = 0x3c5 };

#define CORE_REG(name) (KVM_REG_ARM64 | KVM_REG_SIZE_U64 | KVM_REG_ARM_CORE | KVM_REG_ARM_CORE_REG(regs.name))

static void reg_set(struct bare *b, uint64_t id, uint64_t value)
{
	struct kvm_one_reg r = { .id = id, .addr = (uintptr_t)&value };

	bare_must(ioctl(b->cpu, KVM_SET_ONE_REG, &r), "KVM_SET_ONE_REG");
}

static void gic_attr(struct bare *b, uint32_t group, uint64_t attr, const void *value)
{
	struct kvm_device_attr a = { .group = group, .attr = attr, .addr = (uintptr_t)value };

	bare_must(ioctl(b->gic, KVM_SET_DEVICE_ATTR, &a), "KVM_SET_DEVICE_ATTR of the interrupt controller");
}

static void load(struct bare *b, const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	b->ram = bare_pages(BENCH_MAPPED);
	if (fd < 0 || read(fd, b->ram + (BENCH_CODE - BENCH_RAM), BENCH_MAPPED / 2) <= 0)
		bench_die("cannot read %s", path);
	close(fd);
	bare_slot(b, 0, BENCH_RAM, b->ram, BENCH_MAPPED);
}

/* With an interrupt controller, as gdbvm has it: KVM saves and restores it around each entry. */
void bare_create(struct bare *b, const char *image)
{
	const uint64_t dist = GICD_AT, redist = GICR_AT;
	struct kvm_create_device gic = { .type = KVM_DEV_TYPE_ARM_VGIC_V3 };
	struct kvm_vcpu_init init = { 0 };

	load(b, image);
	bare_must(ioctl(b->vm, KVM_CREATE_DEVICE, &gic), "KVM_CREATE_DEVICE of a GICv3");
	b->gic = (int)gic.fd;
	gic_attr(b, KVM_DEV_ARM_VGIC_GRP_ADDR, KVM_VGIC_V3_ADDR_TYPE_DIST, &dist);
	gic_attr(b, KVM_DEV_ARM_VGIC_GRP_ADDR, KVM_VGIC_V3_ADDR_TYPE_REDIST, &redist);
	b->cpu = bare_must(ioctl(b->vm, KVM_CREATE_VCPU, 0), "KVM_CREATE_VCPU");
	bare_must(ioctl(b->vm, KVM_ARM_PREFERRED_TARGET, &init), "KVM_ARM_PREFERRED_TARGET");
	bare_must(ioctl(b->cpu, KVM_ARM_VCPU_INIT, &init), "KVM_ARM_VCPU_INIT");
	gic_attr(b, KVM_DEV_ARM_VGIC_GRP_CTRL, KVM_DEV_ARM_VGIC_CTRL_INIT, NULL);
}

unsigned bare_start(struct bare *b)
{
	reg_set(b, CORE_REG(pstate), EL1H_MASKED);
	reg_set(b, CORE_REG(pc), BENCH_CODE);
	return KVM_EXIT_MMIO;
}

void bare_set(struct bare *b, uint64_t pc, uint64_t loops)
{
	reg_set(b, CORE_REG(pc), pc);
	reg_set(b, CORE_REG(regs[9]), loops);
}

/* KVM does not tell where it is. */
bool bare_moved(const struct bare *b, uint64_t *pc)
{
	return true;
}

double bare_clock(struct bare *b, unsigned n)
{
	uint64_t count;
	struct kvm_one_reg r = { .id = KVM_REG_ARM_TIMER_CNT, .addr = (uintptr_t)&count };
	double begin = bench_now();

	for (unsigned i = 0; i < n; i++) {
		bare_must(ioctl(b->cpu, KVM_GET_ONE_REG, &r), "KVM_GET_ONE_REG");
		bare_must(ioctl(b->cpu, KVM_SET_ONE_REG, &r), "KVM_SET_ONE_REG");
	}
	return bench_now() - begin;
}
