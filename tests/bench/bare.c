/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The smallest VMM that starts and steps the guest: what KVM itself costs. */
#include "bare.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int bare_must(int rc, const char *what)
{
	if (rc < 0)
		bench_die("%s: %s", what, strerror(errno));
	return rc;
}

void *bare_pages(size_t size)
{
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		bench_die("no %zu bytes of memory for the bare guest", size);
	return p;
}

void bare_slot(struct bare *b, unsigned nr, uint64_t at, void *p, size_t size)
{
	struct kvm_userspace_memory_region r = {
		.slot = nr, .guest_phys_addr = at, .memory_size = size, .userspace_addr = (uintptr_t)p
	};

	bare_must(ioctl(b->vm, KVM_SET_USER_MEMORY_REGION, &r), "KVM_SET_USER_MEMORY_REGION");
}

struct bare *bare_open(const char *image)
{
	struct bare *b = calloc(1, sizeof(*b));
	unsigned output;

	if (!b)
		bench_die("out of memory");
	b->kvm = bare_must(open("/dev/kvm", O_RDWR | O_CLOEXEC), "/dev/kvm");
	b->vm = bare_must(ioctl(b->kvm, KVM_CREATE_VM, 0), "KVM_CREATE_VM");
	b->gic = -1;
	bare_create(b, image);
	b->run_size = (size_t)bare_must(ioctl(b->kvm, KVM_GET_VCPU_MMAP_SIZE, 0), "KVM_GET_VCPU_MMAP_SIZE");
	b->run = mmap(NULL, b->run_size, PROT_READ | PROT_WRITE, MAP_SHARED, b->cpu, 0);
	if (b->run == MAP_FAILED)
		bench_die("cannot map the run page");
	output = bare_start(b);
	bare_must(ioctl(b->cpu, KVM_RUN, 0), "KVM_RUN");
	if (b->run->exit_reason != output)
		bench_die("the bare guest ended with exit reason %u instead of its first output", b->run->exit_reason);
	return b;
}

void bare_jump(struct bare *b, uint64_t pc, uint64_t loops)
{
	b->run->immediate_exit = 1; // complete the output that it may be in
	ioctl(b->cpu, KVM_RUN, 0);
	b->run->immediate_exit = 0;
	bare_set(b, pc, loops);
}

static void debug(struct bare *b, uint32_t control)
{
	struct kvm_guest_debug d = { .control = control };

	bare_must(ioctl(b->cpu, KVM_SET_GUEST_DEBUG, &d), "KVM_SET_GUEST_DEBUG");
}
double bare_steps(struct bare *b, unsigned n)
{
	uint64_t pc = BENCH_STEPS;
	double begin;

	bare_jump(b, BENCH_STEPS, UINT32_MAX);
	debug(b, KVM_GUESTDBG_ENABLE | KVM_GUESTDBG_SINGLESTEP);
	begin = bench_now();
	for (unsigned i = 0; i < n; i++) {
		bare_must(ioctl(b->cpu, KVM_RUN, 0), "KVM_RUN");
		if (b->run->exit_reason != KVM_EXIT_DEBUG || !bare_moved(b, &pc))
			bench_die("a bare step did not step: exit reason %u", b->run->exit_reason);
	}
	begin = bench_now() - begin;
	debug(b, 0);
	return begin;
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
	if (b->rom)
		munmap(b->rom, b->rom_size);
	close(b->cpu);
	if (b->gic >= 0)
		close(b->gic);
	close(b->vm);
	close(b->kvm);
	free(b);
}
