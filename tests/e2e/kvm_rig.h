/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef TESTS_E2E_KVM_RIG_H
#define TESTS_E2E_KVM_RIG_H

/*
 * A VM made of nothing: RIG_RAM bytes of RAM at 0, no devices, machine code put in by hand. MMIO is whatever is
 * above RAM. x86 guests start in real mode at RIG_CODE with all segments at 0, or flat in 64-bit mode with the first
 * gigabyte mapped to itself; arm64 guests at RIG_CODE at EL1, without translation.
 */
#include <stdbool.h>
#include <stdint.h>

#include "kvm/kvm.h"

enum {
	RIG_RAM = 0x80000,
	RIG_CODE = 0x1000,
	RIG_DATA = 0x2000,  /* vCPU n: ds.base is n * 0x100 above it if rig_private_data() was called */
	RIG_STACK = 0x8000, /* grows down */
	RIG_TABLES = 0x10000,
	RIG_MMIO = 0xa0000,
	RIG_MAX_CPUS = 4,
	RIG_MAX_LOG = 64,
	RIG_PORT_OFF = 0xf4, /* a byte written here: 0 power-off, 1 reboot */
};

struct rig_access {
	unsigned vcpu;
	uint64_t at; /* port or address */
	bool mmio, write;
	unsigned size, count;
	uint64_t data; /* of the last item */
};

struct rig {
	int kvm_fd, vm_fd, vcpu_fd[RIG_MAX_CPUS];
	unsigned n;
	uint8_t *ram;
	struct kvm_slot slot;
	struct kvm_port *port;
	struct kvm_cpus *cpus;
	int gic_fd;                         /* arm64 */
	struct rig_access log[RIG_MAX_LOG]; /* written by vCPU threads; the first RIG_MAX_LOG accesses */
	unsigned nlog;                      /* all of them */
};

/* @irqchip: with in-kernel interrupt controllers, so that HLT stays in KVM and vCPUs above 0 wait for a start-up IPI.
 */
void rig_open(struct rig *r, unsigned ncpus, bool irqchip);
void rig_close(struct rig *r);

void rig_code(struct rig *r, uint64_t at, const void *code, size_t n);
#define RIG_CODE_AT(r, at, ...) \
	rig_code(r, at, (const uint8_t[]){ __VA_ARGS__ }, sizeof((const uint8_t[]){ __VA_ARGS__ }))

void rig_long_mode(struct rig *r, unsigned vcpu); /* x86 */
void rig_private_data(struct rig *r);             /* x86: every vCPU gets its own ds */

void rig_regs(struct rig *r, unsigned vcpu, uint32_t groups, struct arch_regs *out);
int rig_regs_write(struct rig *r, unsigned vcpu, uint32_t groups, const struct arch_regs *in);
uint64_t rig_pc(struct rig *r, unsigned vcpu);
void rig_set_pc(struct rig *r, unsigned vcpu, uint64_t rip);

/* All vCPUs do @all, but @one does @a. */
void rig_resume(struct rig *r, unsigned one, enum target_action a, enum target_action all);
struct stop_event rig_wait(struct rig *r); /* fails the test after 30 s */
struct stop_event rig_step(struct rig *r, unsigned vcpu);
struct stop_event rig_run(struct rig *r); /* everybody runs; the stop */
/* Everybody runs, is interrupted after @ms and runs again, until @vcpu is not at @pc: it may get no time at first. */
struct stop_event rig_run_from(struct rig *r, unsigned vcpu, uint64_t pc, int ms);
bool rig_quiet(struct rig *r, int ms); /* no stop within so many ms */

/* Takes every int3 for the debugger's. */
void rig_report_int3(struct rig *r);

uint64_t rig_host_ms(void); /* of the host's clock */

/* What this KVM can do, found by trying: x86. */
bool rig_has_int3(void);
bool rig_has_watch(void);

/* What is different in each architecture: kvm_rig_x86.c, kvm_rig_arm64.c. */
extern const struct arch *const rig_arch;
void rig_machine_vm(struct rig *r, bool irqchip); /* before there are vCPUs */
void rig_machine_cpu(struct rig *r, unsigned vcpu, bool irqchip);
void rig_machine_done(struct rig *r, bool irqchip); /* all vCPUs are there */
void rig_machine_close(struct rig *r);

#endif
