/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "vmm/machine.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/ioctl.h>

#include "util/macros.h"
#include "vmm/cpuid_x86.h"

/* Pages that KVM on Intel keeps for real mode: inside the hole, below any firmware of up to 16 MiB. */
#define IDENTITY_MAP_AT 0xfeffc000ull
#define TSS_AT 0xfeffd000ull

static const struct {
	int cap;
	const char *name;
} needed[] = {
	{ KVM_CAP_USER_MEMORY, "memory slots" },
	{ KVM_CAP_READONLY_MEM, "read-only memory" },
	{ KVM_CAP_IRQCHIP, "an in-kernel interrupt controller" },
	{ KVM_CAP_IRQ_ROUTING, "interrupt routing" },
	{ KVM_CAP_PIT2, "an in-kernel PIT" },
	{ KVM_CAP_EXT_CPUID, "CPUID tables" },
	{ KVM_CAP_IMMEDIATE_EXIT, "immediate exit" },
	{ KVM_CAP_SET_GUEST_DEBUG, "guest debugging" },
};

void machine_init(struct machine *m)
{
	*m = (struct machine){ .kvm_fd = -1, .vm_fd = -1 };
}

static int dev_open(struct errtext *why)
{
	const int fd = open("/dev/kvm", O_RDWR | O_CLOEXEC);

	if (fd >= 0)
		return fd;
	switch (errno) {
	case EACCES:
	case EPERM:
		return errtext_set(why, -EACCES,
				   "no permission to open /dev/kvm: expected read and write access "
				   "(membership of the group kvm)");
	case ENOENT:
	case ENODEV:
	case ENXIO:
		return errtext_set(why, -ENODEV,
				   "no usable /dev/kvm (%s): expected a processor with virtualization "
				   "and the module kvm-intel or kvm-amd",
				   strerror(errno));
	default:
		return errtext_set(why, -errno, "cannot open /dev/kvm: %s", strerror(errno));
	}
}

static int api_check(int kvm_fd, struct errtext *why)
{
	const int version = ioctl(kvm_fd, KVM_GET_API_VERSION, 0);

	if (version < 0)
		return errtext_set(why, -ENODEV,
				   "/dev/kvm is something other than KVM: it does not tell its API version");
	if (version != KVM_API_VERSION)
		return errtext_set(why, -ENOTSUP, "/dev/kvm answers API version %d: expected %d", version,
				   KVM_API_VERSION);
	for (unsigned i = 0; i < ARRAY_LEN(needed); i++)
		if (ioctl(kvm_fd, KVM_CHECK_EXTENSION, needed[i].cap) <= 0)
			return errtext_set(why, -ENOTSUP, "this KVM lacks %s", needed[i].name);
	return 0;
}

static int vm_create(int kvm_fd)
{
	int fd;

	do // a signal may end it early on a busy host
		fd = ioctl(kvm_fd, KVM_CREATE_VM, 0);
	while (fd < 0 && errno == EINTR);
	return fd;
}

static int chips_create(int vm_fd, struct errtext *why)
{
	uint64_t identity_map = IDENTITY_MAP_AT;
	struct kvm_pit_config pit = { .flags = KVM_PIT_SPEAKER_DUMMY }; // port 0x61, which Linux calibrates with

	// The first two are for Intel; elsewhere they do nothing.
	if (ioctl(vm_fd, KVM_SET_IDENTITY_MAP_ADDR, &identity_map) < 0 || ioctl(vm_fd, KVM_SET_TSS_ADDR, TSS_AT) < 0)
		return errtext_set(why, -errno, "KVM refuses its pages at %#llx: %s", IDENTITY_MAP_AT, strerror(errno));
	if (ioctl(vm_fd, KVM_CREATE_IRQCHIP, 0) < 0)
		return errtext_set(why, -errno, "KVM cannot create interrupt controllers: %s", strerror(errno));
	if (ioctl(vm_fd, KVM_CREATE_PIT2, &pit) < 0)
		return errtext_set(why, -errno, "KVM cannot create a PIT: %s", strerror(errno));
	return 0;
}

int machine_open(struct machine *m, struct errtext *why)
{
	m->kvm_fd = dev_open(why);
	if (m->kvm_fd < 0)
		return m->kvm_fd;
	int rc = api_check(m->kvm_fd, why);
	if (rc < 0)
		return rc;
	rc = ioctl(m->kvm_fd, KVM_GET_VCPU_MMAP_SIZE, 0);
	if (rc <= 0)
		return errtext_set(why, -EIO, "KVM does not tell the size of its vCPU page");
	m->run_size = rc;
	m->vm_fd = vm_create(m->kvm_fd);
	if (m->vm_fd < 0)
		return errtext_set(why, -errno, "KVM cannot create a VM: %s", strerror(errno));
	return chips_create(m->vm_fd, why);
}

static int slot_tell(struct machine *m, unsigned number, const struct kvm_slot *s, uint64_t size)
{
	struct kvm_userspace_memory_region r = {
		.slot = number,
		.flags = s->rom ? KVM_MEM_READONLY : 0,
		.guest_phys_addr = s->start.raw,
		.memory_size = size,
		.userspace_addr = (uintptr_t)s->hva,
	};

	return ioctl(m->vm_fd, KVM_SET_USER_MEMORY_REGION, &r) < 0 ? -errno : 0;
}

static bool is_same_slot(const struct kvm_slot *a, const struct kvm_slot *b)
{
	return a->start.raw == b->start.raw && a->size == b->size && a->hva == b->hva && a->rom == b->rom;
}

int machine_slots_set(struct machine *m, const struct kvm_slot *slots, unsigned n, struct errtext *why)
{
	static const struct kvm_slot none;

	// KVM changes neither address nor size of a slot: what differs goes first, and makes room for the new
	for (unsigned i = 0; i < ARRAY_LEN(m->slot); i++) {
		if (!m->slot[i].size || is_same_slot(&m->slot[i], i < n ? &slots[i] : &none))
			continue;
		int rc = slot_tell(m, i, &m->slot[i], 0);
		if (rc < 0)
			return errtext_set(why, rc, "KVM does not give back the memory at %#" PRIx64 ": %s",
					   m->slot[i].start.raw, strerror(-rc));
		m->slot[i].size = 0;
	}
	for (unsigned i = 0; i < n; i++) {
		if (is_same_slot(&m->slot[i], &slots[i]))
			continue;
		int rc = slot_tell(m, i, &slots[i], slots[i].size);
		if (rc < 0)
			return errtext_set(why, rc, "KVM refuses %" PRIu64 " KiB of memory at %#" PRIx64 ": %s",
					   slots[i].size >> 10, slots[i].start.raw, strerror(-rc));
		m->slot[i] = slots[i];
	}
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

int machine_cpus_add(struct machine *m, unsigned cpus, bool memory_is_wb, struct errtext *why)
{
	const int max = ioctl(m->kvm_fd, KVM_CHECK_EXTENSION, KVM_CAP_MAX_VCPUS);

	if (max > 0 && cpus > (unsigned)max)
		return errtext_set(why, -EINVAL, "%u CPUs are more than the %d that this KVM can do", cpus, max);
	for (unsigned i = 0; i < cpus; i++) {
		const int fd = ioctl(m->vm_fd, KVM_CREATE_VCPU, i);

		if (fd < 0)
			return errtext_set(why, -errno, "KVM cannot create vCPU %u: %s", i, strerror(errno));
		m->vcpu_fd[m->cpus++] = fd;
		int rc = cpuid_set(m, i, cpus, why);
		if (rc == 0 && memory_is_wb)
			rc = msrs_set(fd, why);
		if (rc < 0)
			return rc;
	}
	return 0;
}

void machine_close(struct machine *m)
{
	for (unsigned i = 0; i < m->cpus; i++)
		close(m->vcpu_fd[i]);
	closep(&m->vm_fd);
	closep(&m->kvm_fd);
	machine_init(m);
}
