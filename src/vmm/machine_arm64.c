/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/ioctl.h>

#include "util/macros.h"
#include "vmm/board_arm64.h"
#include "vmm/machine.h"

enum { IPA_BITS_USUAL = 40, GICV2_MAX_CPUS = 8 };

const struct board_ops *const machine_board = &board_arm64;

const struct machine_cap machine_caps[] = {
	{ KVM_CAP_DEVICE_CTRL, "devices of its own (an interrupt controller)" },
	{ KVM_CAP_ONE_REG, "access to single registers" },
	{ KVM_CAP_ARM_PSCI_0_2, "PSCI 0.2" },
	{ 0, NULL },
};

/* As many bits as usual where KVM has them, more for much memory, fewer where it has no more. */
int machine_vm_type(int kvm_fd, uint64_t ram_end, unsigned long *ret, struct errtext *why)
{
	const int max = ioctl(kvm_fd, KVM_CHECK_EXTENSION, KVM_CAP_ARM_VM_IPA_SIZE);
	const uint64_t last = ram_end - 1;
	unsigned bits = IPA_BITS_USUAL;

	while (last >> bits)
		bits++;
	*ret = 0; // the only type there is without that extension: 40 bits
	if (max <= 0 && bits == IPA_BITS_USUAL)
		return 0;
	if (max > 0 && bits > (unsigned)max && !(last >> max))
		bits = (unsigned)max;
	if (max <= 0 || bits > (unsigned)max)
		return errtext_set(why, -ENOTSUP,
				   "memory up to %#" PRIx64 " needs addresses of %u bits; guests of this KVM have %d",
				   ram_end, bits, max > 0 ? max : IPA_BITS_USUAL);
	*ret = KVM_VM_TYPE_ARM_IPA_SIZE(bits);
	return 0;
}

static int attr_set(int fd, uint32_t group, uint64_t attr, const void *value)
{
	struct kvm_device_attr a = { .group = group, .attr = attr, .addr = (uintptr_t)value };

	return ioctl(fd, KVM_SET_DEVICE_ATTR, &a) < 0 ? -errno : 0;
}

static int gic_create(int vm_fd, uint32_t type, uint64_t second_type, uint64_t second_at)
{
	const uint64_t dist_type =
		type == KVM_DEV_TYPE_ARM_VGIC_V3 ? KVM_VGIC_V3_ADDR_TYPE_DIST : KVM_VGIC_V2_ADDR_TYPE_DIST;
	const uint64_t dist_at = ARM64_GICD_AT;
	struct kvm_create_device d = { .type = type };

	if (ioctl(vm_fd, KVM_CREATE_DEVICE, &d) < 0)
		return -errno;
	int rc = attr_set(d.fd, KVM_DEV_ARM_VGIC_GRP_ADDR, dist_type, &dist_at);
	if (rc == 0)
		rc = attr_set(d.fd, KVM_DEV_ARM_VGIC_GRP_ADDR, second_type, &second_at);
	if (rc == 0)
		return (int)d.fd;
	close((int)d.fd);
	return rc;
}

int machine_chips_create(struct machine *m, struct errtext *why)
{
	m->chip_fd = gic_create(m->vm_fd, KVM_DEV_TYPE_ARM_VGIC_V3, KVM_VGIC_V3_ADDR_TYPE_REDIST, ARM64_GICR_AT);
	if (m->chip_fd == -ENODEV) { // the processor has a GICv2
		m->cpus.gicv2 = true;
		m->chip_fd = gic_create(m->vm_fd, KVM_DEV_TYPE_ARM_VGIC_V2, KVM_VGIC_V2_ADDR_TYPE_CPU, ARM64_GICC_AT);
	}
	if (m->chip_fd < 0)
		return errtext_set(why, m->chip_fd, "KVM cannot create an interrupt controller (GIC): %s",
				   strerror(-m->chip_fd));
	return 0;
}

static bool has(int vm_fd, int cap)
{
	return ioctl(vm_fd, KVM_CHECK_EXTENSION, cap) > 0;
}

static void feature(struct kvm_vcpu_init *init, unsigned number)
{
	init->features[number / 32] |= UINT32_C(1) << number % 32;
}

/* What the processor has and a debugger knows how to show. No PMU: it would count what the debugger does. */
static int cpu_kind(const struct machine *m, unsigned vcpu, struct kvm_vcpu_init *init)
{
	if (ioctl(m->vm_fd, KVM_ARM_PREFERRED_TARGET, init) < 0)
		return -errno;
	feature(init, KVM_ARM_VCPU_PSCI_0_2);
	if (vcpu > 0)
		feature(init, KVM_ARM_VCPU_POWER_OFF); // until PSCI's CPU_ON
	if (has(m->vm_fd, KVM_CAP_ARM_SVE))
		feature(init, KVM_ARM_VCPU_SVE);
	if (has(m->vm_fd, KVM_CAP_ARM_PTRAUTH_ADDRESS) && has(m->vm_fd, KVM_CAP_ARM_PTRAUTH_GENERIC)) {
		feature(init, KVM_ARM_VCPU_PTRAUTH_ADDRESS);
		feature(init, KVM_ARM_VCPU_PTRAUTH_GENERIC);
	}
	return 0;
}

int machine_cpu_init(struct machine *m, unsigned vcpu, const struct vm_cfg *cfg, struct errtext *why)
{
	const int fd = m->vcpu_fd[vcpu];
	struct kvm_vcpu_init init = { 0 };
	struct kvm_one_reg mpidr = { .id = ARM64_SYS_REG(3, 0, 0, 0, 5), .addr = (uintptr_t)&m->cpus.mpidr[vcpu] };
	int sve = KVM_ARM_VCPU_SVE;

	if (m->cpus.gicv2 && cfg->cpus > GICV2_MAX_CPUS)
		return errtext_set(why, -EINVAL, "%u vCPUs are more than the %d of this host's GICv2", cfg->cpus,
				   GICV2_MAX_CPUS);
	if (cpu_kind(m, vcpu, &init) < 0)
		return errtext_set(why, -errno, "KVM does not tell which processor guests have: %s", strerror(errno));
	if (ioctl(fd, KVM_ARM_VCPU_INIT, &init) < 0)
		return errtext_set(why, -errno, "KVM refuses vCPU %u: %s", vcpu, strerror(errno));
	if (init.features[0] & 1u << KVM_ARM_VCPU_SVE && ioctl(fd, KVM_ARM_VCPU_FINALIZE, &sve) < 0)
		return errtext_set(why, -errno, "KVM refuses SVE of vCPU %u: %s", vcpu, strerror(errno));
	if (ioctl(fd, KVM_GET_ONE_REG, &mpidr) < 0)
		return errtext_set(why, -errno, "KVM does not tell the MPIDR of vCPU %u: %s", vcpu, strerror(errno));
	return 0;
}

int machine_chips_start(struct machine *m, struct errtext *why)
{
	const uint32_t intids = ARM64_GIC_INTIDS;
	int rc = attr_set(m->chip_fd, KVM_DEV_ARM_VGIC_GRP_NR_IRQS, 0, &intids);

	if (rc == 0)
		rc = attr_set(m->chip_fd, KVM_DEV_ARM_VGIC_GRP_CTRL, KVM_DEV_ARM_VGIC_CTRL_INIT, NULL);
	return rc < 0 ? errtext_set(why, rc, "KVM cannot start its interrupt controller (GIC): %s", strerror(-rc)) : 0;
}
