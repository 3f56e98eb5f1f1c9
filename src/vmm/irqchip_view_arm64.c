/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "vmm/irqchip_view.h"

#include <string.h>
#include <sys/ioctl.h>

#include "util/bytes.h"
#include "util/macros.h"
#include "vmm/board_arm64.h"

enum { REG_BYTES = 4 };

/* KVM shows registers by group and offset; those of a GICv3 with the affinity of the vCPU in the upper half. */
static int reg_get(const struct machine *m, uint32_t group, uint64_t attr, uint32_t *ret)
{
	struct kvm_device_attr a = { .group = group, .attr = attr, .addr = (uintptr_t)ret };

	return ioctl(m->chip_fd, KVM_GET_DEVICE_ATTR, &a);
}

/* Aff3..Aff0 as GICD_TYPER and KVM have them: in 32 bits. */
static uint64_t affinity(uint64_t mpidr)
{
	return (mpidr & 0xffffff) | (mpidr >> 32 & 0xff) << 24;
}

static int reg_find(const struct machine *m, unsigned vcpu, uint64_t at, uint32_t *ret)
{
	const unsigned shift = KVM_DEV_ARM_VGIC_CPUID_SHIFT;

	if (at >= ARM64_GICD_AT && at < ARM64_GICD_AT + ARM64_GICD_SIZE) {
		const uint64_t who = m->cpus.gicv2 ? (uint64_t)vcpu << shift : affinity(m->cpus.mpidr[vcpu]) << 32;

		return reg_get(m, KVM_DEV_ARM_VGIC_GRP_DIST_REGS, who | (at - ARM64_GICD_AT), ret);
	}
	if (m->cpus.gicv2 && at >= ARM64_GICC_AT && at < ARM64_GICC_AT + ARM64_GICC_SIZE)
		return reg_get(m, KVM_DEV_ARM_VGIC_GRP_CPU_REGS, (uint64_t)vcpu << shift | (at - ARM64_GICC_AT), ret);
	if (!m->cpus.gicv2 && at >= ARM64_GICR_AT) {
		const uint64_t who = (at - ARM64_GICR_AT) / ARM64_GICR_SIZE;

		return who >= m->cpus.n
			       ? -1
			       : reg_get(m, KVM_DEV_ARM_VGIC_GRP_REDIST_REGS,
					 affinity(m->cpus.mpidr[who]) << 32 | (at - ARM64_GICR_AT) % ARM64_GICR_SIZE,
					 ret);
	}
	return -1;
}

/* On the server's own thread: KVM wants every vCPU out of KVM_RUN, which the caller has seen to. */
size_t irqchip_view_read(struct kvm_cpus *cpus, const struct machine *m, unsigned vcpu, gpa at, void *to, size_t len)
{
	uint8_t word[REG_BYTES];
	uint32_t value;

	if (at.raw < ARM64_GICD_AT || at.raw >= ARM64_GIC_END ||
	    reg_find(m, vcpu, at.raw - at.raw % REG_BYTES, &value) < 0)
		return 0;
	const size_t n = MIN(len, (size_t)(REG_BYTES - at.raw % REG_BYTES));
	st_le32(word, value);
	memcpy(to, word + at.raw % REG_BYTES, n);
	return n;
}
