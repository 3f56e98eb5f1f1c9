/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The smallest VMM that starts the guest: what KVM itself costs. */
#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "bench.h"
#include "util/macros.h"

enum { CPUID_MAX = 256 };

struct bare {
	int kvm, vm, cpu;
	struct kvm_run *run;
	size_t run_size;
	uint8_t *ram, *rom;
};

static int must(int rc, const char *what)
{
	if (rc < 0)
		bench_die("%s: %s", what, strerror(errno));
	return rc;
}

static void *pages(size_t size)
{
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		bench_die("no %zu bytes of memory for the bare guest", size);
	return p;
}

static void slot(struct bare *b, unsigned nr, uint64_t at, void *p, size_t size)
{
	struct kvm_userspace_memory_region r = {
		.slot = nr, .guest_phys_addr = at, .memory_size = size, .userspace_addr = (uintptr_t)p
	};

	must(ioctl(b->vm, KVM_SET_USER_MEMORY_REGION, &r), "KVM_SET_USER_MEMORY_REGION");
}

static void load(struct bare *b, const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0 || read(fd, b->rom, BENCH_ROM_SIZE) != BENCH_ROM_SIZE)
		bench_die("cannot read %s: expected %d bytes", path, BENCH_ROM_SIZE);
	close(fd);
}

static void give_cpuid(struct bare *b)
{
	struct kvm_cpuid2 *id = calloc(1, sizeof(*id) + CPUID_MAX * sizeof(id->entries[0]));

	if (!id)
		bench_die("out of memory");
	id->nent = CPUID_MAX;
	must(ioctl(b->kvm, KVM_GET_SUPPORTED_CPUID, id), "KVM_GET_SUPPORTED_CPUID");
	must(ioctl(b->cpu, KVM_SET_CPUID2, id), "KVM_SET_CPUID2");
	free(id);
}

struct bare *bare_open(const char *rom)
{
	struct bare *b = calloc(1, sizeof(*b));

	if (!b)
		bench_die("out of memory");
	b->kvm = must(open("/dev/kvm", O_RDWR | O_CLOEXEC), "/dev/kvm");
	b->vm = must(ioctl(b->kvm, KVM_CREATE_VM, 0), "KVM_CREATE_VM");
	must(ioctl(b->vm, KVM_SET_TSS_ADDR, 0xfffbd000), "KVM_SET_TSS_ADDR");
	must(ioctl(b->vm, KVM_CREATE_IRQCHIP, 0), "KVM_CREATE_IRQCHIP"); // as gdbvm and QEMU have it
	b->ram = pages(BENCH_MAPPED);
	b->rom = pages(BENCH_ROM_SIZE);
	load(b, rom);
	slot(b, 0, 0, b->ram, BENCH_MAPPED);
	slot(b, 1, 0x100000000 - BENCH_ROM_SIZE, b->rom, BENCH_ROM_SIZE);
	b->cpu = must(ioctl(b->vm, KVM_CREATE_VCPU, 0), "KVM_CREATE_VCPU");
	give_cpuid(b);
	b->run_size = must(ioctl(b->kvm, KVM_GET_VCPU_MMAP_SIZE, 0), "KVM_GET_VCPU_MMAP_SIZE");
	b->run = mmap(NULL, b->run_size, PROT_READ | PROT_WRITE, MAP_SHARED, b->cpu, 0);
	if (b->run == MAP_FAILED)
		bench_die("cannot map the run page");
	must(ioctl(b->cpu, KVM_RUN, 0), "KVM_RUN");
	if (b->run->exit_reason != KVM_EXIT_IO)
		bench_die("the bare guest ended with exit reason %u instead of its first output", b->run->exit_reason);
	return b;
}

void bare_jump(struct bare *b, uint64_t pc, uint64_t loops)
{
	struct kvm_regs regs;

	b->run->immediate_exit = 1; // complete the output that it may be in
	ioctl(b->cpu, KVM_RUN, 0);
	b->run->immediate_exit = 0;
	must(ioctl(b->cpu, KVM_GET_REGS, &regs), "KVM_GET_REGS");
	regs.rip = pc;
	regs.rcx = loops;
	must(ioctl(b->cpu, KVM_SET_REGS, &regs), "KVM_SET_REGS");
}

static void debug(struct bare *b, uint32_t control)
{
	struct kvm_guest_debug d = { .control = control };

	must(ioctl(b->cpu, KVM_SET_GUEST_DEBUG, &d), "KVM_SET_GUEST_DEBUG");
}

double bare_steps(struct bare *b, unsigned n)
{
	uint64_t pc = BENCH_STEPS;
	double begin;

	bare_jump(b, BENCH_STEPS, UINT32_MAX);
	debug(b, KVM_GUESTDBG_ENABLE | KVM_GUESTDBG_SINGLESTEP);
	begin = bench_now();
	for (unsigned i = 0; i < n; i++) {
		must(ioctl(b->cpu, KVM_RUN, 0), "KVM_RUN");
		if (b->run->exit_reason != KVM_EXIT_DEBUG || b->run->debug.arch.pc == pc)
			bench_die("a bare step did not step: exit reason %u", b->run->exit_reason);
		pc = b->run->debug.arch.pc;
	}
	begin = bench_now() - begin;
	debug(b, 0);
	return begin;
}

/* What the time of the vCPU's thread in gdbvm is compared to. */
static double cpu_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

double bare_codes(struct bare *b, unsigned n)
{
	double begin;

	bare_jump(b, BENCH_CODES, UINT32_MAX);
	begin = cpu_now();
	for (unsigned i = 0; i < n; i++) {
		must(ioctl(b->cpu, KVM_RUN, 0), "KVM_RUN");
		if (b->run->exit_reason != KVM_EXIT_IO || b->run->io.port != BENCH_PORT)
			bench_die("a bare write did not exit: exit reason %u", b->run->exit_reason);
	}
	return cpu_now() - begin;
}

double bare_coalesced(struct bare *b, unsigned n)
{
	const size_t page = (size_t)sysconf(_SC_PAGESIZE);
	const int at = must(ioctl(b->vm, KVM_CHECK_EXTENSION, KVM_CAP_COALESCED_MMIO), "KVM_CAP_COALESCED_MMIO");
	struct kvm_coalesced_mmio_zone zone = { .addr = BENCH_PORT, .size = 1, .pio = 1 };
	struct kvm_coalesced_mmio_ring *ring = mmap(NULL, page, PROT_READ | PROT_WRITE, MAP_SHARED, b->cpu, at * page);
	unsigned done = 0;
	double begin;

	if (ring == MAP_FAILED)
		bench_die("cannot map the ring");
	bare_jump(b, BENCH_CODES, UINT32_MAX);
	must(ioctl(b->vm, KVM_REGISTER_COALESCED_MMIO, &zone), "KVM_REGISTER_COALESCED_MMIO");
	begin = cpu_now();
	for (unsigned entries = (page - sizeof(*ring)) / sizeof(ring->coalesced_mmio[0]); done < n; done += entries) {
		must(ioctl(b->cpu, KVM_RUN, 0), "KVM_RUN"); // full: the one that does not fit exits
		ring->first = ring->last;
	}
	begin = cpu_now() - begin;
	must(ioctl(b->vm, KVM_UNREGISTER_COALESCED_MMIO, &zone), "KVM_UNREGISTER_COALESCED_MMIO");
	munmap(ring, page);
	return begin / done * n;
}

double bare_clock(struct bare *b, unsigned n)
{
	struct kvm_clock_data clock;
	double begin = bench_now();

	for (unsigned i = 0; i < n; i++) {
		must(ioctl(b->vm, KVM_GET_CLOCK, &clock), "KVM_GET_CLOCK");
		clock.flags = 0;
		must(ioctl(b->vm, KVM_SET_CLOCK, &clock), "KVM_SET_CLOCK");
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
	munmap(b->rom, BENCH_ROM_SIZE);
	close(b->cpu);
	close(b->vm);
	close(b->kvm);
	free(b);
}
