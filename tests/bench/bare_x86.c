/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the bare VMM has for x86. */
#include "bare.h"

#include <fcntl.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

enum { CPUID_MAX = 256 };

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
	bare_must(ioctl(b->kvm, KVM_GET_SUPPORTED_CPUID, id), "KVM_GET_SUPPORTED_CPUID");
	bare_must(ioctl(b->cpu, KVM_SET_CPUID2, id), "KVM_SET_CPUID2");
	free(id);
}

void bare_create(struct bare *b, const char *image)
{
	bare_must(ioctl(b->vm, KVM_SET_TSS_ADDR, 0xfffbd000), "KVM_SET_TSS_ADDR");
	bare_must(ioctl(b->vm, KVM_CREATE_IRQCHIP, 0), "KVM_CREATE_IRQCHIP"); // as gdbvm and QEMU have it
	b->ram = bare_pages(BENCH_MAPPED);
	b->rom_size = BENCH_ROM_SIZE;
	b->rom = bare_pages(b->rom_size);
	load(b, image);
	bare_slot(b, 0, 0, b->ram, BENCH_MAPPED);
	bare_slot(b, 1, 0x100000000 - BENCH_ROM_SIZE, b->rom, BENCH_ROM_SIZE);
	b->cpu = bare_must(ioctl(b->vm, KVM_CREATE_VCPU, 0), "KVM_CREATE_VCPU");
	give_cpuid(b);
}

unsigned bare_start(struct bare *b)
{
	return KVM_EXIT_IO; // the reset vector is where it begins
}

void bare_set(struct bare *b, uint64_t pc, uint64_t loops)
{
	struct kvm_regs regs;

	bare_must(ioctl(b->cpu, KVM_GET_REGS, &regs), "KVM_GET_REGS");
	regs.rip = pc;
	regs.rcx = loops;
	bare_must(ioctl(b->cpu, KVM_SET_REGS, &regs), "KVM_SET_REGS");
}

bool bare_moved(const struct bare *b, uint64_t *pc)
{
	const uint64_t before = *pc;

	*pc = b->run->debug.arch.pc;
	return *pc != before;
}

/* What the time of the vCPU's thread in gdbvm is compared to. */
static double cpu_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

double bare_codes(struct bare *b, uint64_t at, unsigned n)
{
	double begin;

	bare_jump(b, at, UINT32_MAX);
	begin = cpu_now();
	for (unsigned i = 0; i < n; i++) {
		bare_must(ioctl(b->cpu, KVM_RUN, 0), "KVM_RUN");
		if (b->run->exit_reason != KVM_EXIT_IO || b->run->io.port != BENCH_PORT)
			bench_die("a bare write did not exit: exit reason %u", b->run->exit_reason);
	}
	return cpu_now() - begin;
}

double bare_coalesced(struct bare *b, unsigned n)
{
	const size_t page = (size_t)sysconf(_SC_PAGESIZE);
	const int at = bare_must(ioctl(b->vm, KVM_CHECK_EXTENSION, KVM_CAP_COALESCED_MMIO), "KVM_CAP_COALESCED_MMIO");
	struct kvm_coalesced_mmio_zone zone = { .addr = BENCH_PORT, .size = 1, .pio = 1 };
	struct kvm_coalesced_mmio_ring *ring = mmap(NULL, page, PROT_READ | PROT_WRITE, MAP_SHARED, b->cpu, at * page);
	unsigned done = 0;
	double begin;

	if (ring == MAP_FAILED)
		bench_die("cannot map the ring");
	bare_jump(b, BENCH_CODES, UINT32_MAX);
	bare_must(ioctl(b->vm, KVM_REGISTER_COALESCED_MMIO, &zone), "KVM_REGISTER_COALESCED_MMIO");
	begin = cpu_now();
	for (unsigned entries = (page - sizeof(*ring)) / sizeof(ring->coalesced_mmio[0]); done < n; done += entries) {
		bare_must(ioctl(b->cpu, KVM_RUN, 0), "KVM_RUN"); // full: the one that does not fit exits
		ring->first = ring->last;
	}
	begin = cpu_now() - begin;
	bare_must(ioctl(b->vm, KVM_UNREGISTER_COALESCED_MMIO, &zone), "KVM_UNREGISTER_COALESCED_MMIO");
	munmap(ring, page);
	return begin / done * n;
}

double bare_clock(struct bare *b, unsigned n)
{
	struct kvm_clock_data clock;
	double begin = bench_now();

	for (unsigned i = 0; i < n; i++) {
		bare_must(ioctl(b->vm, KVM_GET_CLOCK, &clock), "KVM_GET_CLOCK");
		clock.flags = 0;
		bare_must(ioctl(b->vm, KVM_SET_CLOCK, &clock), "KVM_SET_CLOCK");
	}
	return bench_now() - begin;
}
