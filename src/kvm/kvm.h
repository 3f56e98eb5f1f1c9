/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef KVM_KVM_H
#define KVM_KVM_H

#include <linux/kvm.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "target/target.h"
#include "util/errtext.h"

/*
 * Everything that is said to KVM file descriptors about vCPUs. The same code serves the guest that we started
 * and, through another port, the guest of another VMM.
 */

/* ---- the port: how ioctls reach a VM and its vCPUs ---- */
struct kvm_port;
struct arm64_irq_name;
struct kvm_port_ops {
	const char *name;
	int (*vm_ioctl)(struct kvm_port *p, unsigned long req, void *arg);  /* 0/positive or -errno */
	int (*gic_ioctl)(struct kvm_port *p, unsigned long req, void *arg); /* arm64: the GIC, if port.gic */
	int (*vcpu_ioctl)(struct kvm_port *p, unsigned vcpu, unsigned long req, void *arg); /* on the vCPU's thread */
	struct kvm_run *(*run_page)(struct kvm_port *p, unsigned vcpu);
	void *(*hva)(struct kvm_port *p, gpa at, size_t *len); /* host address; *len in: wanted, out: contiguous */
	void (*destroy)(struct kvm_port *p);
};

/* arm64: what is known of the interrupt controller inside KVM. */
struct kvm_gic {
	bool there, v2;                     /* v2: else a GICv3 */
	const struct arm64_irq_name *names; /* of the machine's interrupts; NULL: none */
};

struct kvm_port {
	const struct kvm_port_ops *ops;
	unsigned nvcpus;
	long caps_guest_debug; /* KVM_CAP_SET_GUEST_DEBUG2 bits, 0 if absent */
	long caps_sync_regs;   /* KVM_CAP_SYNC_REGS bits */
	bool svm;              /* the processor has SVM, not VMX */
	bool xsave, debugregs, vcpu_events, mp_state;
	struct arch_hw_max hw_max; /* debug registers */
	struct kvm_gic gic;        /* arm64 */
	struct kvm_reg_map *regs;  /* arm64: the registers that this KVM has of each vCPU */
};

/* The port to our own file descriptors (port_inproc.c). */
struct kvm_slot {
	gpa start;
	uint64_t size;
	void *hva;
	bool rom;
};
struct kvm_inproc_cfg {
	int vm_fd, kvm_fd;
	const int *vcpu_fd;
	unsigned nvcpus;
	size_t run_size;              /* KVM_GET_VCPU_MMAP_SIZE */
	const struct kvm_slot *slots; /* must outlive the port; may not change while vCPUs run */
	unsigned nslots;
	struct kvm_gic gic; /* arm64 */
	int gic_fd;         /* if gic.there */
};

/** kvm_port_inproc_create() - the descriptors stay the caller's. Returns: 0; negative errno with @why. */
int kvm_port_inproc_create(const struct kvm_inproc_cfg *cfg, struct kvm_port **ret, struct errtext *why);
void kvm_port_destroy(struct kvm_port *p); /* NULL ok */

/* ---- register files, as in target.h; on the vCPU's own thread, with any in-flight I/O completed ---- */
int kvm_regs_read(struct kvm_port *p, unsigned vcpu, uint32_t groups, struct arch_regs *r);
int kvm_regs_write(struct kvm_port *p, unsigned vcpu, uint32_t groups, const struct arch_regs *r);

/* ---- the vCPU threads ---- */

/* What the VMM does with exits that are not the debugger's. Called on the vCPU's thread, guest not halted. */
enum kvm_fate {
	KVM_FATE_RUN,          /* answered; go on */
	KVM_FATE_CHECKPOINT,   /* what was written to a debug port is asked for: stop with STOP_CHECKPOINT */
	KVM_FATE_PANIC,        /* the guest says that it panicked: stop with STOP_PANIC */
	KVM_FATE_CRASH_LOADED, /* it panicked and goes on to its crash kernel: likewise */
	KVM_FATE_RESET,        /* the guest asked for a reboot: stop with STOP_RESET */
	KVM_FATE_OFF,          /* power-off: stop with STOP_POWER_OFF */
};
struct kvm_exit_ops {
	void (*left)(void *arg); /* the vCPU has left the guest, and nothing has been done about why. NULL ok. */
	enum kvm_fate (*io)(void *arg, unsigned vcpu, uint16_t port, bool write, unsigned size, unsigned count,
			    void *data);
	enum kvm_fate (*mmio)(void *arg, unsigned vcpu, gpa at, bool write, unsigned size, void *data);
	bool pc; /* have kvm_cpus_exit_pc() cost little, and all other exits a bit more */
	/* optional: make the pages of physical watches writable for the guest, or read-only again; any thread */
	void (*lift)(void *arg, bool on);
};

struct kvm_cpus;

/** kvm_cpus_exit_pc() - linear pc of @vcpu, from within kvm_exit_ops.io and mmio. Where KVM emulates the instruction,
 * it may be the one behind it. Returns: 0; negative errno: KVM does not tell. */
int kvm_cpus_exit_pc(struct kvm_cpus *c, unsigned vcpu, gva *ret);

/**
 * kvm_cpus_create() - one thread per vCPU, all held before their first instruction.
 * @ops: not NULL; called with @arg.
 * Returns: 0; negative errno with @why. The port must outlive it.
 */
int kvm_cpus_create(struct kvm_port *p, const struct arch *arch, const struct kvm_exit_ops *ops, void *arg,
		    struct kvm_cpus **ret, struct errtext *why);
void kvm_cpus_destroy(struct kvm_cpus *c); /* NULL ok; ends and joins the threads, wherever they are */

/* As the target ops of the same names; server thread except where target.h says otherwise. */
int kvm_cpus_resume(struct kvm_cpus *c, const struct resume_plan *plan);
int kvm_cpus_interrupt(struct kvm_cpus *c);
int kvm_cpus_next_stop(struct kvm_cpus *c, struct stop_event *out);
int kvm_cpus_event_fd(struct kvm_cpus *c);
unsigned kvm_cpus_count(const struct kvm_cpus *c);
const struct arch_hw_max *kvm_cpus_hw_max(const struct kvm_cpus *c); /* as target.hw_max */
void kvm_cpus_kill(struct kvm_cpus *c); /* STOP_EXIT with TARGET_EXIT_OFF follows: at once, or at the next resume */
void kvm_cpus_filter_set(struct kvm_cpus *c, const struct target_filter *f);
int kvm_cpus_hw_set(struct kvm_cpus *c, const struct target_break *set, unsigned n);

/**
 * kvm_cpus_pwatch_set() - as target_pwatch_set(). The VMM must have made the pages read-only for the guest, so that its
 * writes make KVM_RUN fail with EFAULT; exit_ops.lift undoes that for a moment.
 */
int kvm_cpus_pwatch_set(struct kvm_cpus *c, const struct target_pwatch *set, unsigned n);
bool kvm_cpus_online(struct kvm_cpus *c, unsigned vcpu);
int kvm_cpus_code_written(struct kvm_cpus *c, gpa at, size_t len); /* any thread */
int kvm_cpus_online_catch(struct kvm_cpus *c, bool on);

/* Likewise; stopped only. */
int kvm_cpus_time(struct kvm_cpus *c, enum target_time_mode mode, unsigned vcpu, struct target_time *out);
int kvm_cpus_info(struct kvm_cpus *c, enum target_info what, unsigned vcpu, struct strbuf *out);

/** kvm_cpus_regs_read() - kvm_regs_read() by the rules of kvm_cpus_call(), with the time of the stop. */
int kvm_cpus_regs_read(struct kvm_cpus *c, unsigned vcpu, uint32_t groups, struct arch_regs *r);

int kvm_cpus_regs_write(struct kvm_cpus *c, unsigned vcpu, uint32_t groups, const struct arch_regs *r);

/** kvm_cpus_call() - run @fn on the vCPU's own thread and wait. Stopped only, or from that thread itself. */
int kvm_cpus_call(struct kvm_cpus *c, unsigned vcpu, int (*fn)(struct kvm_port *p, unsigned vcpu, void *arg),
		  void *arg);

#endif
