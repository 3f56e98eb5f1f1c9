/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "vmm/machine.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/ioctl.h>

#include "util/macros.h"

static const struct machine_cap needed[] = {
	{ KVM_CAP_USER_MEMORY, "memory slots" },
	{ KVM_CAP_READONLY_MEM, "read-only memory" },
	{ KVM_CAP_IMMEDIATE_EXIT, "immediate exit" },
	{ KVM_CAP_SET_GUEST_DEBUG, "guest debugging" },
	{ 0, NULL },
};

void machine_init(struct machine *m)
{
	*m = (struct machine){ .kvm_fd = -1, .vm_fd = -1, .chip_fd = -1 };
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
				   "no usable /dev/kvm (%s): expected a processor with virtualisation "
				   "and KVM in the kernel (x86: the module kvm-intel or kvm-amd)",
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
	return 0;
}

static int caps_check(int kvm_fd, const struct machine_cap *cap, struct errtext *why)
{
	for (; cap->name; cap++)
		if (ioctl(kvm_fd, KVM_CHECK_EXTENSION, cap->cap) <= 0)
			return errtext_set(why, -ENOTSUP, "this KVM lacks %s", cap->name);
	return 0;
}

static int vm_create(int kvm_fd, unsigned long type)
{
	int fd;

	do // a signal may end it early on a busy host
		fd = ioctl(kvm_fd, KVM_CREATE_VM, type);
	while (fd < 0 && errno == EINTR);
	return fd;
}

int machine_open(struct machine *m, uint64_t ram_end, struct errtext *why)
{
	unsigned long type;

	m->kvm_fd = dev_open(why);
	if (m->kvm_fd < 0)
		return m->kvm_fd;
	int rc = api_check(m->kvm_fd, why);
	if (rc == 0)
		rc = caps_check(m->kvm_fd, needed, why);
	if (rc == 0)
		rc = caps_check(m->kvm_fd, machine_caps, why);
	if (rc == 0)
		rc = machine_vm_type(m->kvm_fd, ram_end, &type, why);
	if (rc < 0)
		return rc;
	rc = ioctl(m->kvm_fd, KVM_GET_VCPU_MMAP_SIZE, 0);
	if (rc <= 0)
		return errtext_set(why, -EIO, "KVM does not tell the size of its vCPU page");
	m->run_size = rc;
	m->vm_fd = vm_create(m->kvm_fd, type);
	if (m->vm_fd < 0)
		return errtext_set(why, -errno, "KVM cannot create a VM: %s", strerror(errno));
	return machine_chips_create(m, why);
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

int machine_cpus_add(struct machine *m, const struct vm_cfg *cfg, struct errtext *why)
{
	const int max = ioctl(m->kvm_fd, KVM_CHECK_EXTENSION, KVM_CAP_MAX_VCPUS);

	if (max > 0 && cfg->cpus > (unsigned)max)
		return errtext_set(why, -EINVAL, "%u vCPUs are more than the %d that this KVM can do", cfg->cpus, max);
	for (unsigned i = 0; i < cfg->cpus; i++) {
		const int fd = ioctl(m->vm_fd, KVM_CREATE_VCPU, i);

		if (fd < 0)
			return errtext_set(why, -errno, "KVM cannot create vCPU %u: %s", i, strerror(errno));
		m->vcpu_fd[m->cpus.n++] = fd;
		const int rc = machine_cpu_init(m, i, cfg, why);
		if (rc < 0)
			return rc;
	}
	return machine_chips_start(m, why);
}

void machine_close(struct machine *m)
{
	for (unsigned i = 0; i < m->cpus.n; i++)
		close(m->vcpu_fd[i]);
	closep(&m->chip_fd);
	closep(&m->vm_fd);
	closep(&m->kvm_fd);
	machine_init(m);
}
