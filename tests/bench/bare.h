/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef TESTS_BENCH_BARE_H
#define TESTS_BENCH_BARE_H

#include <linux/kvm.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#include "bench.h"

/* Inside the bare VMM: what bare.c has of each architecture's. */
struct bare {
	int kvm, vm, cpu;
	int gic; /* arm64 */
	struct kvm_run *run;
	size_t run_size;
	uint8_t *ram;
	uint8_t *rom; /* x86 */
	size_t rom_size;
};

/** bare_must() - end with @what and errno if @rc, of a system call, is negative. */
int bare_must(int rc, const char *what);

/** bare_pages() - anonymous memory. */
void *bare_pages(size_t size);

/** bare_slot() - guest memory. */
void bare_slot(struct bare *b, unsigned nr, uint64_t at, void *p, size_t size);

/* ---- bare_x86.c, bare_arm64.c ---- */

/** bare_create() - memory with @image in it, the interrupt controller, the vCPU. */
void bare_create(struct bare *b, const char *image);

/** bare_start() - the vCPU's registers at its first instruction. Returns: the exit reason of its first output. */
unsigned bare_start(struct bare *b);

/** bare_set() - the pc and the register that counts loops. */
void bare_set(struct bare *b, uint64_t pc, uint64_t loops);

/** bare_moved() - has the vCPU, stepped, left @pc? Then that is where it is now. */
bool bare_moved(const struct bare *b, uint64_t *pc);

#endif
