/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "vmm/vm.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/ioctl.h>

#include "util/bytes.h"
#include "util/macros.h"
#include "vmm/board.h"
#include "vmm/collector.h"
#include "vmm/irq.h"
#include "vmm/irqchip_view.h"
#include "vmm/machine.h"

#define LOG_ROOM LOG_VMM
#include "util/log.h"

enum { MAX_REGIONS = MEM_MAX_SLOTS + BOARD_MAX_MMIO };
#define MIB (UINT64_C(1) << 20)

struct vm {
	struct machine hv;
	struct mem mem;
	struct protect protect;
	struct bus bus;
	struct kvm_irq_lines irq;
	struct vcpu_pc pc;
	struct board *board;
	struct collector *collector; /* NULL: each write exits */
	struct kvm_port *port;
	struct kvm_cpus *cpus;
	struct target_region region[MAX_REGIONS];
	unsigned nregions;
};

static enum kvm_fate exit_io(void *arg, unsigned vcpu, uint16_t port, bool write, unsigned size, unsigned count,
			     void *data)
{
	struct vm *m = arg;
	enum kvm_fate fate = KVM_FATE_RUN;

	// A string instruction comes as one exit with all its elements.
	for (char *p = data; count > 0 && fate < KVM_FATE_RESET; count--, p += size) {
		const enum kvm_fate one = bus_access(&m->bus, vcpu, BUS_PIO, port, write, p, size);

		fate = MAX(fate, one);
	}
	return fate;
}

static enum kvm_fate exit_mmio(void *arg, unsigned vcpu, gpa at, bool write, unsigned size, void *data)
{
	struct vm *m = arg;

	return bus_access(&m->bus, vcpu, BUS_MMIO, at.raw, write, data, size);
}

static void exit_lift(void *arg, bool on)
{
	struct vm *m = arg;

	protect_lift(&m->protect, on);
}

static int exit_pc(struct vcpu_pc *pc, unsigned vcpu, uint64_t *ret)
{
	gva at;
	const int rc = kvm_cpus_exit_pc(container_of(pc, struct vm, pc)->cpus, vcpu, &at);

	if (rc == 0)
		*ret = at.raw;
	return rc;
}

static void exit_left(void *arg)
{
	struct vm *m = arg;

	if (m->collector)
		collector_drain(m->collector);
}

static const struct kvm_exit_ops exit_ops = { .left = exit_left, .io = exit_io, .mmio = exit_mmio, .lift = exit_lift };
/* Where each write exits. */
static const struct kvm_exit_ops exit_ops_with_pc = { .io = exit_io, .mmio = exit_mmio, .lift = exit_lift, .pc = true };

static int cfg_check(const struct vm_cfg *cfg, struct errtext *why)
{
	if (cfg->cpus < 1 || cfg->cpus > VM_MAX_CPUS)
		return errtext_set(why, -EINVAL, "%u vCPUs: expected 1 to %d", cfg->cpus, VM_MAX_CPUS);
	if (cfg->mem_size < MIB || cfg->mem_size % MIB != 0)
		return errtext_set(why, -EINVAL, "%" PRIu64 " bytes of memory: expected whole MiB, at least 1",
				   cfg->mem_size);
	if (cfg->arch && cfg->arch != vm_arch())
		return errtext_set(why, -ENODEV, "KVM of this machine runs %s guests, not %s; --accel tcg runs both",
				   vm_arch()->name, cfg->arch->name);
	if (cfg->flat && cfg->flat_mode == VM_FLAT_EL2)
		return errtext_set(why, -ENODEV, "a guest of KVM starts at EL1; --accel tcg has EL2");
	return 0;
}

static int region_cmp(const void *a, const void *b)
{
	const struct target_region *x = a, *y = b;

	return (x->start.raw > y->start.raw) - (x->start.raw < y->start.raw);
}

static void regions_fill(struct vm *m)
{
	unsigned n;
	const struct target_region *mmio = machine_board->mmio(m->board, &n);

	memcpy(m->region, mmio, n * sizeof(*mmio));
	for (unsigned i = 0; i < m->mem.nslots; i++) {
		const struct kvm_slot *s = &m->mem.slot[i];

		m->region[n++] = (struct target_region){ .start = s->start,
							 .size = s->size,
							 .kind = s->rom ? TARGET_ROM : TARGET_RAM,
							 .name = s->rom ? "ROM" : "RAM" };
	}
	qsort(m->region, n, sizeof(m->region[0]), region_cmp);
	m->nregions = n;
}

static int regs_write_on_vcpu(struct kvm_port *p, unsigned vcpu, void *arg)
{
	return kvm_regs_write(p, vcpu, ((struct arch_regs *)arg)->have, arg);
}

/* The vCPU threads, held, with vCPU 0 at its first instruction. The others wait for their start-up interrupt. */
static int cpus_start(struct vm *m, const struct vm_cfg *cfg, const struct arch_regs *first, struct errtext *why)
{
	const struct kvm_inproc_cfg port = {
		.vm_fd = m->hv.vm_fd,
		.kvm_fd = m->hv.kvm_fd,
		.vcpu_fd = m->hv.vcpu_fd,
		.nvcpus = m->hv.cpus.n,
		.run_size = m->hv.run_size,
		.slots = m->mem.slot,
		.nslots = m->mem.nslots,
		.gic = { .there = m->hv.chip_fd >= 0, .v2 = m->hv.cpus.gicv2, .names = machine_board->irq_names },
		.gic_fd = m->hv.chip_fd,
	};
	const struct kvm_exit_ops *ops =
		cfg->checkpoint && cfg->checkpoint_often && !cfg->coalesced ? &exit_ops_with_pc : &exit_ops;
	struct arch_regs regs = *first;

	int rc = kvm_port_inproc_create(&port, &m->port, why);
	if (rc < 0)
		return rc;
	rc = kvm_cpus_create(m->port, machine_board->arch, ops, m, &m->cpus, why);
	if (rc < 0)
		return rc;
	rc = kvm_cpus_call(m->cpus, 0, regs_write_on_vcpu, &regs);
	if (rc < 0)
		return errtext_set(why, rc, "KVM refuses the initial registers: %s", strerror(-rc));
	return 0;
}

static int kvm_open(struct vm *m, const struct vm_cfg *cfg, struct errtext *why)
{
	int rc = machine_open(&m->hv, mem_end(&m->mem), why);

	if (rc == 0)
		rc = irq_lines_init(&m->irq, m->hv.vm_fd, why);
	return rc < 0 ? rc : machine_cpus_add(&m->hv, cfg, why);
}

/* Have KVM keep what is written to the debug ports, or no more. After an error nothing has changed. */
static int zones_set(struct vm *m, struct debug_ports *ports, bool on)
{
	struct kvm_coalesced_mmio_zone zone;
	unsigned i;
	int rc = 0;

	for (i = 0; i < debug_ports_count(ports); i++) {
		debug_ports_zone(ports, i, &zone);
		rc = collector_zone(m->collector, &zone, on);
		if (rc < 0)
			break; // this one is as it was
	}
	while (rc < 0 && i-- > 0) {
		debug_ports_zone(ports, i, &zone);
		collector_zone(m->collector, &zone, !on);
	}
	if (rc == 0)
		debug_ports_coalesce(ports, on);
	return rc;
}

static int coalesce(struct vm *m, const struct vm_cfg *cfg, struct errtext *why)
{
	struct debug_ports *ports = machine_board->debug_ports ? machine_board->debug_ports(m->board) : NULL;
	if (!ports)
		return errtext_set(why, -ENODEV, "only I/O ports can be coalesced, and this guest has none");
	int rc = collector_create(m->hv.vm_fd, m->hv.vcpu_fd[0], &m->bus, &m->collector, why);

	if (rc == 0 && (rc = zones_set(m, ports, true)) < 0)
		return errtext_set(why, rc, "KVM cannot coalesce writes to the debug ports: %s", strerror(-rc));
	return rc;
}

int vm_checkpoint_catch(struct vm *m, bool on)
{
	return m->collector ? zones_set(m, machine_board->debug_ports(m->board), !on) : 0;
}

void vm_end_line(struct vm *m)
{
	struct debug_ports *ports = machine_board->debug_ports ? machine_board->debug_ports(m->board) : NULL;

	if (!ports)
		return;
	bus_lock(&m->bus);
	debug_ports_end_line(ports);
	bus_unlock(&m->bus);
}

static int kvm_fill(struct vm *m, const struct vm_cfg *cfg, const struct arch_regs *first, struct errtext *why)
{
	int rc = machine_slots_set(&m->hv, m->mem.slot, m->mem.nslots, why);

	if (rc == 0 && cfg->coalesced)
		rc = coalesce(m, cfg, why);
	return rc < 0 ? rc : cpus_start(m, cfg, first, why);
}

int vm_open(const struct vm_cfg *cfg, struct vm **ret, struct errtext *why)
{
	struct arch_regs first = { 0 };
	int rc = cfg_check(cfg, why);

	if (rc < 0)
		return rc;
	_cleanup_(vm_closep) struct vm *m = calloc(1, sizeof(*m));
	if (!m)
		return errtext_set(why, -ENOMEM, "no memory for the VM");
	machine_init(&m->hv);
	bus_init(&m->bus);
	m->pc.now = exit_pc;

	rc = mem_init(&m->mem, machine_board->ram, cfg->mem_size, why);
	if (rc < 0)
		return rc;
	if (kvm_open(m, cfg, why) < 0)
		return -ENODEV;
	rc = machine_board->create(
		cfg,
		&(struct board_ports){
			.bus = &m->bus, .mem = &m->mem, .irq = &m->irq.lines, .clock = &m->hv.clock, .pc = &m->pc },
		&m->board, why);
	if (rc == 0)
		rc = machine_board->load(m->board, cfg, &m->hv.cpus, &first, why);
	if (rc < 0)
		return rc;
	regions_fill(m);
	if (kvm_fill(m, cfg, &first, why) < 0)
		return -ENODEV;
	*ret = take_ptr(m);
	return 0;
}

void vm_close(struct vm *m)
{
	if (!m)
		return;
	kvm_cpus_destroy(m->cpus);
	kvm_port_destroy(m->port);
	collector_destroy(m->collector);
	machine_board->destroy(m->board);
	machine_close(&m->hv);
	protect_deinit(&m->protect);
	mem_deinit(&m->mem);
	bus_deinit(&m->bus);
	free(m);
}

void vm_closep(struct vm **m)
{
	vm_close(*m);
}

const struct arch *vm_arch(void)
{
	return machine_board->arch;
}

uint32_t vm_break_kinds(void)
{
	return machine_board->break_kinds;
}

struct kvm_cpus *vm_cpus(struct vm *m)
{
	return m->cpus;
}

const struct target_region *vm_mem_map(struct vm *m, unsigned *n)
{
	*n = m->nregions;
	return m->region;
}

/*
 * Code may be written while a vCPU fetches it: each aligned word goes in as one store. memcpy() promises nothing alike;
 * with SVE it stores bytes. (QEMU 7.2's TCG goes by the first of those alone when it looks for code that has changed.)
 */
static void store_words(uint8_t *to, const uint8_t *from, size_t n)
{
	while (n > 0) {
		const size_t word = (uintptr_t)to % 8 == 0 && n >= 8 ? 8 : (uintptr_t)to % 4 == 0 && n >= 4 ? 4 : 1;

		if (word == 8)
			*(volatile uint64_t *)(void *)to = ld_le64(from);
		else if (word == 4)
			*(volatile uint32_t *)(void *)to = ld_le32(from);
		else
			*(volatile uint8_t *)to = *from;
		to += word;
		from += word;
		n -= word;
	}
}

/*
 * One piece of a debugger's access, a read if @to is set: as much as one slot has, or one access of a device.
 * Returns: bytes; 0: nothing there.
 */
static size_t mem_piece(struct vm *m, unsigned vcpu, gpa at, void *to, const void *from, size_t len)
{
	uint8_t word[8];
	size_t n = len;
	void *p = mem_slot_ptr(&m->mem, at, &n);

	if (p) {
		if (to)
			memcpy(to, p, n);
		else
			store_words(p, from, n);
		return n;
	}
	n = bus_width(&m->bus, BUS_MMIO, at.raw, len);
	if (n == 0)
		return to ? irqchip_view_read(m->cpus, &m->hv, vcpu, at, to, len) : 0;
	if (from)
		memcpy(word, from, n);
	bus_access(&m->bus, vcpu, BUS_MMIO, at.raw, from != NULL, word, n);
	if (to)
		memcpy(to, word, n);
	return n;
}

int vm_mem_read(struct vm *m, unsigned vcpu, gpa at, void *buf, size_t len, size_t *done)
{
	size_t n;

	for (*done = 0; *done < len; *done += n) {
		n = mem_piece(m, vcpu, GPA(at.raw + *done), (char *)buf + *done, NULL, len - *done);
		if (n == 0)
			break;
	}
	return *done > 0 || len == 0 ? 0 : -EFAULT;
}

int vm_mem_write(struct vm *m, unsigned vcpu, gpa at, const void *buf, size_t len, size_t *done)
{
	size_t n;

	for (*done = 0; *done < len; *done += n) {
		n = mem_piece(m, vcpu, GPA(at.raw + *done), NULL, (const char *)buf + *done, len - *done);
		if (n == 0)
			break;
	}
	return *done > 0 || len == 0 ? 0 : -EFAULT;
}

int vm_pwatch_set(struct vm *m, const struct target_pwatch *set, unsigned n)
{
	struct kvm_slot slots[PROTECT_MAX_SLOTS];
	int rc = protect_set(&m->protect, &m->mem, set, n);
	struct errtext why;

	if (rc == -EFAULT || rc == -ENOSPC)
		return rc;
	// Also when nothing is protected any more: KVM must not keep views that are gone
	int told = machine_slots_set(&m->hv, slots, protect_slots(&m->protect, &m->mem, slots), &why);
	if (told < 0)
		log_err("%s", why.text);
	return kvm_cpus_pwatch_set(m->cpus, set, rc == 0 ? n : 0) ?: rc ?: told;
}

size_t vm_console_in(struct vm *m, const void *p, size_t n)
{
	return machine_board->console_in(m->board, p, n);
}
