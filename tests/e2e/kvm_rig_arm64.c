/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "kvm_rig_arm64.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include "../unit/test.h"
#include "util/bytes.h"
#include "util/macros.h"

const struct arch *const rig_arch = &arch_arm64;

static void gic_attr(struct rig *r, uint32_t group, uint64_t attr, const void *value)
{
	struct kvm_device_attr a = { .group = group, .attr = attr, .addr = (uintptr_t)value };

	CHECK_EQ(ioctl(r->gic_fd, KVM_SET_DEVICE_ATTR, &a), 0);
}

void rig_machine_vm(struct rig *r, bool irqchip)
{
	const uint64_t gicd = RIG_GICD, gicr = RIG_GICR;
	struct kvm_create_device d = { .type = KVM_DEV_TYPE_ARM_VGIC_V3 };

	r->gic_fd = -1;
	if (!irqchip)
		return;
	CHECK_EQ(ioctl(r->vm_fd, KVM_CREATE_DEVICE, &d), 0);
	r->gic_fd = (int)d.fd;
	gic_attr(r, KVM_DEV_ARM_VGIC_GRP_ADDR, KVM_VGIC_V3_ADDR_TYPE_DIST, &gicd);
	gic_attr(r, KVM_DEV_ARM_VGIC_GRP_ADDR, KVM_VGIC_V3_ADDR_TYPE_REDIST, &gicr);
}

static void set_core(int fd, uint64_t offset, uint64_t v)
{
	struct kvm_one_reg one = {
		.id = KVM_REG_ARM64 | KVM_REG_SIZE_U64 | KVM_REG_ARM_CORE | offset / 4,
		.addr = (uintptr_t)&v,
	};

	CHECK_EQ(ioctl(fd, KVM_SET_ONE_REG, &one), 0);
}

static bool vm_has(struct rig *r, unsigned long cap)
{
	return ioctl(r->vm_fd, KVM_CHECK_EXTENSION, cap) > 0;
}

/* With everything that there is: what is not in use must not matter. */
void rig_machine_cpu(struct rig *r, unsigned vcpu, bool irqchip)
{
	int fd = r->vcpu_fd[vcpu], sve = KVM_ARM_VCPU_SVE;
	struct kvm_vcpu_init init;

	CHECK_EQ(ioctl(r->vm_fd, KVM_ARM_PREFERRED_TARGET, &init), 0);
	init.features[0] |= BIT(KVM_ARM_VCPU_PSCI_0_2);
	if (vcpu && irqchip)
		init.features[0] |= BIT(KVM_ARM_VCPU_POWER_OFF);
	if (vm_has(r, KVM_CAP_ARM_SVE))
		init.features[0] |= BIT(KVM_ARM_VCPU_SVE);
	if (vm_has(r, KVM_CAP_ARM_PTRAUTH_ADDRESS) && vm_has(r, KVM_CAP_ARM_PTRAUTH_GENERIC))
		init.features[0] |= BIT(KVM_ARM_VCPU_PTRAUTH_ADDRESS) | BIT(KVM_ARM_VCPU_PTRAUTH_GENERIC);
	CHECK_EQ(ioctl(fd, KVM_ARM_VCPU_INIT, &init), 0);
	if (init.features[0] & BIT(KVM_ARM_VCPU_SVE))
		CHECK_EQ(ioctl(fd, KVM_ARM_VCPU_FINALIZE, &sve), 0);
	set_core(fd, offsetof(struct kvm_regs, regs.pc), RIG_CODE);
	set_core(fd, offsetof(struct kvm_regs, sp_el1), RIG_STACK - 0x200 * vcpu);
}

void rig_machine_done(struct rig *r, bool irqchip)
{
	if (irqchip)
		gic_attr(r, KVM_DEV_ARM_VGIC_GRP_CTRL, KVM_DEV_ARM_VGIC_CTRL_INIT, NULL);
}

void rig_machine_close(struct rig *r)
{
	if (r->gic_fd >= 0)
		close(r->gic_fd);
}

/* ---- registers ---- */

void rig_set_pc(struct rig *r, unsigned vcpu, uint64_t pc)
{
	struct arch_regs regs;

	rig_regs(r, vcpu, ARCH_CORE, &regs);
	regs.arm64.pc = pc;
	CHECK_EQ(rig_regs_write(r, vcpu, ARCH_CORE, &regs), 0);
}

uint64_t rig_x(struct rig *r, unsigned vcpu, unsigned n)
{
	struct arch_regs regs;

	rig_regs(r, vcpu, ARCH_CORE, &regs);
	return regs.arm64.x[n];
}

void rig_set_x(struct rig *r, unsigned vcpu, unsigned n, uint64_t v)
{
	struct arch_regs regs;

	rig_regs(r, vcpu, ARCH_CORE, &regs);
	regs.arm64.x[n] = v;
	CHECK_EQ(rig_regs_write(r, vcpu, ARCH_CORE, &regs), 0);
}

uint64_t rig_pstate(struct rig *r, unsigned vcpu)
{
	struct arch_regs regs;

	rig_regs(r, vcpu, ARCH_CORE, &regs);
	return regs.arm64.pstate;
}

void rig_set_pstate(struct rig *r, unsigned vcpu, uint64_t v)
{
	struct arch_regs regs;

	rig_regs(r, vcpu, ARCH_CORE, &regs);
	regs.arm64.pstate = v;
	CHECK_EQ(rig_regs_write(r, vcpu, ARCH_CORE, &regs), 0);
}

uint64_t rig_sys(struct rig *r, unsigned vcpu, enum arm64_sys reg)
{
	struct arch_regs regs = { 0 };

	CHECK_EQ(kvm_cpus_regs_read(r->cpus, vcpu, arm64_sys_desc[reg].group, &regs), 0); // as a debugger sees it
	CHECK(arm64_sys_has(&regs.arm64, reg));
	return regs.arm64.sys[reg];
}

void rig_set_sys(struct rig *r, unsigned vcpu, enum arm64_sys reg, uint64_t v)
{
	struct arch_regs regs;

	rig_regs(r, vcpu, arm64_sys_desc[reg].group, &regs);
	CHECK(arm64_sys_has(&regs.arm64, reg));
	regs.arm64.sys[reg] = v;
	CHECK_EQ(rig_regs_write(r, vcpu, arm64_sys_desc[reg].group, &regs), 0);
}

/* Two blocks of 1 GiB: what EL0 may write, EL1 may not execute. */
void rig_translate(struct rig *r, unsigned vcpu)
{
	enum { BLOCK = 1, EL0 = 1 << 6, INNER = 3 << 8, AF = 1 << 10 };
	enum { T0SZ_39 = 25, IRGN_WB = 1 << 8, ORGN_WB = 1 << 10, SH_INNER = 3 << 12, EPD1 = 1 << 23 };

	st_le64(r->ram + RIG_TABLES, BLOCK | INNER | AF);
	st_le64(r->ram + RIG_TABLES + 8, BLOCK | INNER | AF | EL0);
	rig_set_sys(r, vcpu, ARM64_MAIR_EL1, 0xff);
	rig_set_sys(r, vcpu, ARM64_TCR_EL1, T0SZ_39 | IRGN_WB | ORGN_WB | SH_INNER | EPD1);
	rig_set_sys(r, vcpu, ARM64_TTBR0_EL1, RIG_TABLES);
	rig_set_sys(r, vcpu, ARM64_SCTLR_EL1, rig_sys(r, vcpu, ARM64_SCTLR_EL1) | 1 | 1 << 2 | 1 << 12);
}
