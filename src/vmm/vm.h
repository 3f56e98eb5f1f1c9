/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef VMM_VM_H
#define VMM_VM_H

#include <stdbool.h>
#include <stdint.h>

#include "checkpoint/checkpoint.h"
#include "kvm/kvm.h"
#include "target/target.h"
#include "util/errtext.h"

/*
 * The small VMM of `gdbvm run`: memory, boot protocols, bus, interrupts, devices (board_x86.c, board_arm64.c list
 * them). It owns the KVM file descriptors and the vCPU threads; backend/kvm.c shows it to the engine as a target.
 */
/* In what state flat code starts; the first of the architecture is the usual one. EL2 is there in QEMU only. */
enum vm_flat_mode { VM_FLAT_REAL, VM_FLAT_LONG, VM_FLAT_EL1, VM_FLAT_EL2 };

enum { VM_MAX_DEBUG_PORTS = 8 };

struct vm_cfg {
	const struct arch *arch; /* of the guest; NULL: vm_arch() */
	unsigned cpus;           /* 1..16 */
	uint64_t mem_size;       /* bytes; whole MiB, at least 1 MiB */
	const char *kernel;      /* x86: bzImage, or ELF with a PVH note or a 64-bit entry; arm64: Image, also gzip'd.
				    Exactly one of kernel, firmware, flat */
	const char *initrd;      /* NULL: none */
	const char *params;      /* kernel command line, not NULL */
	const char *firmware;
	bool microvm;      /* x86: a machine without PCI */
	const char *nvram; /* x86: flash memory for the firmware's variables, directly below it; NULL: none */
	const char *flat;
	uint64_t flat_addr;
	enum vm_flat_mode flat_mode;
	const char *disk; /* raw image; NULL: none. Writable if the file is. */
	/* Bytes the guest wrote to its serial port, on a vCPU thread. */
	void (*console_out)(void *arg, const void *p, size_t n);
	/* vm_console_in() would take more now, after it did not take all; on a vCPU thread. NULL ok. */
	void (*console_room)(void *arg);
	void *console_arg;
	uint64_t debug_mmio;                     /* arm64: address of the debug port; 0: ARM64_DEBUG_AT */
	uint16_t debug_port[VM_MAX_DEBUG_PORTS]; /* x86 */
	unsigned ndebug_ports;                   /* 0: only 0x80 */
	bool coalesced;                          /* x86: KVM keeps what is written there, in order, for 10 ms at most */
	/* The guest wrote to a debug port: a record without its sequence number, on a vCPU thread, or, if coalesced,
	 * on any. One at a time, in the order of the bus. Returns: KVM_FATE_RUN, or KVM_FATE_CHECKPOINT. NULL: only
	 * logged. */
	enum kvm_fate (*checkpoint)(void *arg, const struct checkpoint_record *rec);
	void *checkpoint_arg;
	bool checkpoint_often; /* many are expected: to know where each was made costs little, every exit a bit more */
};

struct vm;

/**
 * vm_open() - build the machine, load the guest, create its vCPU threads; nothing runs yet.
 * Returns: 0; -ENODEV: KVM is not there, not for us, or lacks something; -ENOMEM; about files: -ENOENT, -EACCES,
 * -ENOEXEC (not a kernel; says what was found), -EFBIG (too large for memory), -EINVAL ... @why is always filled on
 * error.
 */
int vm_open(const struct vm_cfg *cfg, struct vm **ret, struct errtext *why);
void vm_close(struct vm *m); /* NULL ok */
void vm_closep(struct vm **m);

/** vm_arch() - of the guests that this host's KVM runs. */
const struct arch *vm_arch(void);

/** vm_break_kinds() - as target.break_kinds: what this host's processors can watch for. */
uint32_t vm_break_kinds(void);

struct kvm_cpus *vm_cpus(struct vm *m);

/** vm_mem_map() - as target_mem_map(). */
const struct target_region *vm_mem_map(struct vm *m, unsigned *n);

/**
 * vm_mem_read() - read guest-physical memory for a debugger: RAM, ROM, devices through the bus, in the widest aligned
 * accesses that they take, and the interrupt controllers inside KVM. Any thread; the last only while the guest is
 * stopped.
 * @vcpu: who looks: each vCPU has a local APIC of its own at the same address.
 */
int vm_mem_read(struct vm *m, unsigned vcpu, gpa at, void *buf, size_t len, size_t *done);

/** vm_mem_write() - likewise, but for the interrupt controllers: they cannot be written. */
int vm_mem_write(struct vm *m, unsigned vcpu, gpa at, const void *buf, size_t len, size_t *done);

/** vm_end_line() - the guest crashed or ended: what it last wrote to its debug console is a line. Server thread, guest
 *  stopped. */
void vm_end_line(struct vm *m);

/** vm_checkpoint_catch() - as target_checkpoint_catch(): meanwhile KVM keeps no writes. Server thread, guest stopped.
 */
int vm_checkpoint_catch(struct vm *m, bool on);

/** vm_pwatch_set() - as target_pwatch_set(). Server thread, guest stopped. */
int vm_pwatch_set(struct vm *m, const struct target_pwatch *set, unsigned n);

/** vm_console_in() - bytes typed at the console, for the guest's serial port. Any thread. Returns bytes taken;
 *  fewer than @n: console_room is called once when the guest has read those. */
size_t vm_console_in(struct vm *m, const void *p, size_t n);

#endif
