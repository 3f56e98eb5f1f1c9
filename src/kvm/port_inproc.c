/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The port to KVM file descriptors of our own process. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#include "kvm/internal.h"
#include "util/macros.h"

struct inproc {
	struct kvm_port port; /* first */
	int vm_fd, gic_fd;
	size_t run_size;
	const struct kvm_slot *slots;
	unsigned nslots;
	struct {
		int fd;
		struct kvm_run *run;
	} vcpu[];
};

static struct inproc *self(struct kvm_port *p)
{
	return container_of(p, struct inproc, port);
}

static int fd_ioctl(int fd, unsigned long req, void *arg)
{
	int rc = ioctl(fd, req, arg);

	return rc < 0 ? -errno : rc;
}

static int inproc_vm_ioctl(struct kvm_port *p, unsigned long req, void *arg)
{
	return fd_ioctl(self(p)->vm_fd, req, arg);
}

static int inproc_gic_ioctl(struct kvm_port *p, unsigned long req, void *arg)
{
	return fd_ioctl(self(p)->gic_fd, req, arg);
}

static int inproc_vcpu_ioctl(struct kvm_port *p, unsigned vcpu, unsigned long req, void *arg)
{
	return fd_ioctl(self(p)->vcpu[vcpu].fd, req, arg);
}

static struct kvm_run *inproc_run_page(struct kvm_port *p, unsigned vcpu)
{
	return self(p)->vcpu[vcpu].run;
}

static void *inproc_hva(struct kvm_port *p, gpa at, size_t *len)
{
	struct inproc *i = self(p);

	for (unsigned n = 0; n < i->nslots; n++) {
		const struct kvm_slot *s = &i->slots[n];
		uint64_t off = at.raw - s->start.raw;

		if (at.raw < s->start.raw || off >= s->size)
			continue;
		*len = MIN(*len, s->size - off);
		return (uint8_t *)s->hva + off;
	}
	return NULL;
}

static void inproc_destroy(struct kvm_port *p)
{
	struct inproc *i = self(p);

	for (unsigned n = 0; n < p->nvcpus; n++) {
		if (i->vcpu[n].run)
			munmap(i->vcpu[n].run, i->run_size);
	}
	free(i);
}

static const struct kvm_port_ops inproc_ops = {
	.name = "inproc",
	.vm_ioctl = inproc_vm_ioctl,
	.gic_ioctl = inproc_gic_ioctl,
	.vcpu_ioctl = inproc_vcpu_ioctl,
	.run_page = inproc_run_page,
	.hva = inproc_hva,
	.destroy = inproc_destroy,
};

static long cap(const struct kvm_inproc_cfg *cfg, unsigned long which)
{
	int rc = ioctl(cfg->kvm_fd, KVM_CHECK_EXTENSION, which);

	return MAX(rc, 0);
}

static void probe_caps(const struct kvm_inproc_cfg *cfg, struct kvm_port *p)
{
	p->caps_guest_debug = cap(cfg, KVM_CAP_SET_GUEST_DEBUG2);
	p->caps_sync_regs = cap(cfg, KVM_CAP_SYNC_REGS);
	p->vcpu_events = cap(cfg, KVM_CAP_VCPU_EVENTS);
	p->mp_state = cap(cfg, KVM_CAP_MP_STATE);
}

static void port_destroyp(struct kvm_port **p)
{
	kvm_port_destroy(*p);
}

int kvm_port_inproc_create(const struct kvm_inproc_cfg *cfg, struct kvm_port **ret, struct errtext *why)
{
	struct inproc *i;
	_cleanup_(port_destroyp) struct kvm_port *p = NULL;
	int rc;

	if (!cfg->nvcpus || cfg->nvcpus > TARGET_MAX_VCPUS)
		return errtext_set(why, -EINVAL, "%u vCPUs: expected 1 to %u", cfg->nvcpus, TARGET_MAX_VCPUS);
	if (!cap(cfg, KVM_CAP_SET_GUEST_DEBUG) || !cap(cfg, KVM_CAP_IMMEDIATE_EXIT))
		return errtext_set(why, -ENOTSUP, "this KVM has no guest debugging (or is older than Linux 4.13)");

	i = calloc(1, sizeof(*i) + cfg->nvcpus * sizeof(i->vcpu[0]));
	if (!i)
		return errtext_set(why, -ENOMEM, "no memory for the vCPUs");
	p = &i->port;
	p->ops = &inproc_ops;
	p->nvcpus = cfg->nvcpus;
	p->gic = cfg->gic;
	i->vm_fd = cfg->vm_fd;
	i->gic_fd = cfg->gic_fd;
	i->run_size = cfg->run_size;
	i->slots = cfg->slots;
	i->nslots = cfg->nslots;
	for (unsigned n = 0; n < cfg->nvcpus; n++) {
		void *run = mmap(NULL, cfg->run_size, PROT_READ | PROT_WRITE, MAP_SHARED, cfg->vcpu_fd[n], 0);

		if (run == MAP_FAILED)
			return errtext_set(why, -errno, "cannot map the run page of vCPU %u: %s", n, strerror(errno));
		i->vcpu[n].fd = cfg->vcpu_fd[n];
		i->vcpu[n].run = run;
	}
	probe_caps(cfg, p);
	rc = kvm_port_learn(p);
	if (rc < 0)
		return errtext_set(why, rc, "cannot learn what this KVM has of a vCPU: %s", strerror(-rc));
	*ret = take_ptr(p);
	return 0;
}

long kvm_port_cap(struct kvm_port *p, unsigned long which)
{
	long n = p->ops->vm_ioctl(p, KVM_CHECK_EXTENSION, (void *)which);

	return MAX(n, 0);
}

void kvm_port_destroy(struct kvm_port *p)
{
	if (!p)
		return;
	kvm_port_forget(p);
	p->ops->destroy(p);
}
