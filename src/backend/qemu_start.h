/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef BACKEND_QEMU_START_H
#define BACKEND_QEMU_START_H

#include "backend/qemu.h"
#include "backend/qemu_args.h"

/* What is set up before QEMU starts. */
struct qemu_start {
	struct qemu *q;
	bool taken; /* q is the target's now */
	const struct vm_cfg *cfg;
	const char *program;
	int theirs[QEMU_NFDS]; /* indexed by QEMU_FD_ */
	int ours[3];           /* other ends of gdb, qmp, serial */
	struct arch_regs regs; /* of vCPU 0 at the guest's first instruction */
	bool run_to_entry;     /* x86: the first instruction is not at the reset vector */
	uint64_t rom_size;
};

/* What differs between the machines of QEMU that we start. */
struct qemu_machine {
	const struct arch *arch;
	const char *program, *package;
	const struct mem_layout *ram;
	const struct backend_rsp_hooks *hooks;
	/* The command line; firmware comes from fds[QEMU_FD_ROM] when that is there. */
	void (*args)(struct args *a, const char *program, const struct vm_cfg *cfg, const int fds[QEMU_NFDS]);
	/* Before QEMU starts: look at the files, fill s->theirs and s->rom_size. -ENOENT... as vm_open(), with @why. */
	int (*prepare)(struct qemu_start *s, struct errtext *why);
	/* The memory map into q->region. */
	void (*regions)(struct qemu *q, uint64_t rom_size);
	/* QEMU is there, halted: bring vCPU 0 before the guest's first instruction. */
	int (*enter)(struct qemu_start *s, struct target *t, struct errtext *why);
};
extern const struct qemu_machine qemu_machine_x86, qemu_machine_arm64;

/** qemu_memfd_of() - a file that is only ours, with these bytes. Returns: the descriptor; -1 and errno. */
int qemu_memfd_of(const char *name, const void *p, size_t n);

/* Command lines. */
void qemu_args_x86(struct args *a, const char *program, const struct vm_cfg *cfg, const int fds[QEMU_NFDS]);
void qemu_args_arm64(struct args *a, const char *program, const struct vm_cfg *cfg, const int fds[QEMU_NFDS]);

#endif
