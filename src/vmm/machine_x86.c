/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>

#include "util/macros.h"
#include "vmm/cpuid_x86.h"
#include "vmm/machine.h"

/* Pages that KVM on Intel keeps for real mode: inside the hole, below any firmware of up to 16 MiB. */
#define IDENTITY_MAP_AT 0xfeffc000ull
#define TSS_AT 0xfeffd000ull

const struct board_ops *const machine_board = &board_x86;

const struct machine_cap machine_caps[] = {
	{ KVM_CAP_IRQCHIP, "an in-kernel interrupt controller" },
	{ KVM_CAP_IRQ_ROUTING, "interrupt routing" },
	{ KVM_CAP_PIT2, "an in-kernel PIT" },
	{ KVM_CAP_EXT_CPUID, "CPUID tables" },
	{ 0, NULL },
};

int machine_vm_type(int kvm_fd, uint64_t ram_end, unsigned long *ret, struct errtext *why)
{
	*ret = 0;
	return 0;
}

/* kvmclock, which src/kvm sets back after every stop. */
static uint64_t clock_now_ns(struct guest_clock *c)
{
	struct kvm_clock_data now = { 0 };

	ioctl(container_of(c, struct machine, clock)->vm_fd, KVM_GET_CLOCK, &now);
	return now.clock;
}

int machine_chips_create(struct machine *m, struct errtext *why)
{
	const int vm_fd = m->vm_fd;
	uint64_t identity_map = IDENTITY_MAP_AT;
	struct kvm_pit_config pit = { .flags = KVM_PIT_SPEAKER_DUMMY }; // port 0x61, which Linux calibrates with

	// The first two are for Intel; elsewhere they do nothing.
	if (ioctl(vm_fd, KVM_SET_IDENTITY_MAP_ADDR, &identity_map) < 0 || ioctl(vm_fd, KVM_SET_TSS_ADDR, TSS_AT) < 0)
		return errtext_set(why, -errno, "KVM refuses its pages at %#llx: %s", IDENTITY_MAP_AT, strerror(errno));
	if (ioctl(vm_fd, KVM_CREATE_IRQCHIP, 0) < 0)
		return errtext_set(why, -errno, "KVM cannot create interrupt controllers: %s", strerror(errno));
	if (ioctl(vm_fd, KVM_CREATE_PIT2, &pit) < 0)
		return errtext_set(why, -errno, "KVM cannot create a PIT: %s", strerror(errno));
	m->clock.now_ns = clock_now_ns;
	return 0;
}

/* Returns: malloc()ed table with room for CPUID_X86_EXTRA more entries; NULL with errno. */
static struct kvm_cpuid2 *cpuid_supported(int kvm_fd)
{
	for (unsigned n = 64; n <= 1024; n *= 2) {
		struct kvm_cpuid2 *c = calloc(1, sizeof(*c) + (n + CPUID_X86_EXTRA) * sizeof(c->entries[0]));

		if (!c)
			return NULL;
		c->nent = n;
		if (ioctl(kvm_fd, KVM_GET_SUPPORTED_CPUID, c) == 0)
			return c;
		const int err = errno;
		free(c);
		errno = err;
		if (err != E2BIG)
			return NULL;
	}
	return NULL;
}

static int cpuid_set(struct machine *m, unsigned vcpu, unsigned cpus, struct errtext *why)
{
	_cleanup_(freep) struct kvm_cpuid2 *c = cpuid_supported(m->kvm_fd);

	if (!c)
		return errtext_set(why, -errno, "KVM does not tell the CPUID it supports: %s", strerror(errno));
	cpuid_x86_fix(c, &(struct cpuid_x86_cfg){
				 .vcpu = vcpu,
				 .cpus = cpus,
				 .tsc_deadline = ioctl(m->kvm_fd, KVM_CHECK_EXTENSION, KVM_CAP_TSC_DEADLINE_TIMER) > 0,
			 });
	if (ioctl(m->vcpu_fd[vcpu], KVM_SET_CPUID2, c) < 0)
		return errtext_set(why, -errno, "KVM refuses the CPUID of vCPU %u: %s", vcpu, strerror(errno));
	return 0;
}

/*
 * What firmware does before it starts a kernel: string instructions on, memory write-back by default. All vCPUs
 * must agree, or Linux complains about inconsistent MTRRs.
 */
static int msrs_set(int vcpu_fd, struct errtext *why)
{
	static const struct {
		uint32_t number;
		uint64_t value;
	} rows[] = {
		{ 0x1a0, 1 },           /* IA32_MISC_ENABLE: fast strings */
		{ 0x2ff, 1 << 11 | 6 }, /* IA32_MTRR_DEF_TYPE: enabled, write-back */
	};

	_cleanup_(freep) struct kvm_msrs *msr = calloc(1, sizeof(*msr) + sizeof(msr->entries[0]));

	if (!msr)
		return errtext_set(why, -ENOMEM, "no memory for the MSRs");
	msr->nmsrs = 1;
	for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
		msr->entries[0] = (struct kvm_msr_entry){ .index = rows[i].number, .data = rows[i].value };
		ioctl(vcpu_fd, KVM_SET_MSRS, msr); // a processor without it does not need it
	}
	return 0;
}

int machine_cpu_init(struct machine *m, unsigned vcpu, const struct vm_cfg *cfg, struct errtext *why)
{
	const int rc = cpuid_set(m, vcpu, cfg->cpus, why);

	// Firmware sets MTRRs itself.
	return rc < 0 || !cfg->kernel ? rc : msrs_set(m->vcpu_fd[vcpu], why);
}

int machine_chips_start(struct machine *m, struct errtext *why)
{
	return 0;
}
