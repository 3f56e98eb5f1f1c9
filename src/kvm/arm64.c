/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Register groups of an arm64 vCPU. KVM has them one by one, and tells by KVM_GET_REG_LIST which there are: that
 * depends on the processor, on the kernel and on what the vCPU was made with.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "kvm/arm64_internal.h"
#include "util/bytes.h"

const size_t kvm_clock_size = sizeof(struct kvm_clock), kvm_cpu_mach_size = sizeof(struct kvm_cpu_mach);

static int one_reg(struct kvm_port *p, unsigned vcpu, unsigned long req, uint64_t id, const void *value)
{
	struct kvm_one_reg r = { .id = id, .addr = (uintptr_t)value };

	return MIN(p->ops->vcpu_ioctl(p, vcpu, req, &r), 0);
}

static int get(struct kvm_port *p, unsigned vcpu, uint64_t id, void *to)
{
	return one_reg(p, vcpu, KVM_GET_ONE_REG, id, to);
}

static int set(struct kvm_port *p, unsigned vcpu, uint64_t id, const void *from)
{
	return one_reg(p, vcpu, KVM_SET_ONE_REG, id, from);
}

int kvm_reg_get(struct kvm_cpu *cpu, uint64_t id, uint64_t *v)
{
	return get(cpu->all->port, cpu->id, id, v);
}

int kvm_reg_set(struct kvm_cpu *cpu, uint64_t id, uint64_t v)
{
	return set(cpu->all->port, cpu->id, id, &v);
}

uint64_t kvm_reg_get_sys(struct kvm_cpu *cpu, enum arm64_sys reg)
{
	uint64_t id = cpu->all->port->regs->sys[reg], v = 0;

	return id && kvm_reg_get(cpu, id, &v) == 0 ? v : 0;
}

int kvm_reg_set_sys(struct kvm_cpu *cpu, enum arm64_sys reg, uint64_t v)
{
	uint64_t id = cpu->all->port->regs->sys[reg];

	return id ? kvm_reg_set(cpu, id, v) : -ENOENT;
}

uint64_t kvm_reg_dbg(enum kvm_dbg_reg which, unsigned n)
{
	return ARM64_SYS_REG(2, 0, 0, n, which);
}

/* ---- what there is ---- */

static uint64_t sys_id(unsigned encoding)
{
	return KVM_REG_ARM64 | KVM_REG_SIZE_U64 | KVM_REG_ARM64_SYSREG | encoding;
}

/* The id that KVM has for a system register; most are its encoding. Core registers are always there. */
static uint64_t id_of(enum arm64_sys reg)
{
	switch (reg) {
	case ARM64_ELR_EL1:
		return KVM_REG_ELR_EL1;
	case ARM64_SPSR_EL1:
		return KVM_REG_SPSR_EL1;
	case ARM64_CNTVCT_EL0: // these two are swapped
		return KVM_REG_ARM_TIMER_CNT;
	case ARM64_CNTV_CVAL_EL0:
		return KVM_REG_ARM_TIMER_CVAL;
	default:
		return sys_id(arm64_sys_desc[reg].encoding);
	}
}

/* Most ids of a list are in it once; its order is KVM's own. */
static bool has(const struct kvm_reg_list *l, uint64_t id)
{
	for (uint64_t i = 0; i < l->n; i++) {
		if (l->reg[i] == id)
			return true;
	}
	return false;
}

static int fetch_ids(struct kvm_port *p, struct kvm_reg_list **ret)
{
	struct kvm_reg_list head = { 0 };
	_cleanup_(freep) struct kvm_reg_list *l = NULL;
	int rc = p->ops->vcpu_ioctl(p, 0, KVM_GET_REG_LIST, &head); // says how many there are

	if (rc != -E2BIG)
		return rc < 0 ? rc : -EINVAL;
	l = calloc(1, sizeof(*l) + head.n * sizeof(l->reg[0]));
	if (!l)
		return -ENOMEM;
	l->n = head.n;
	rc = p->ops->vcpu_ioctl(p, 0, KVM_GET_REG_LIST, l);
	if (rc >= 0)
		*ret = take_ptr(l);
	return MIN(rc, 0);
}

static unsigned vector_bytes(struct kvm_port *p)
{
	uint64_t sizes[KVM_ARM64_SVE_VLS_WORDS] = { 0 };
	unsigned quads = 0;

	if (get(p, 0, KVM_REG_ARM64_SVE_VLS, sizes) < 0)
		return 0;
	for (unsigned i = 0; i < 64 * ARRAY_LEN(sizes); i++) {
		if (sizes[i / 64] >> i % 64 & 1)
			quads = i + KVM_ARM64_SVE_VQ_MIN;
	}
	return MIN(quads * 16, ARM64_MAX_VL);
}

static uint8_t count_dbg(const struct kvm_reg_list *ids, enum kvm_dbg_reg which)
{
	uint8_t n = 0;

	while (n < ARM64_MAX_DEBUG && has(ids, kvm_reg_dbg(which, n)))
		n++;
	return n;
}

int kvm_port_learn(struct kvm_port *p)
{
	_cleanup_(freep) struct kvm_reg_list *ids = NULL;
	_cleanup_(freep) struct kvm_reg_map *l = calloc(1, sizeof(*l));
	struct kvm_enable_cap tell = { .cap = KVM_CAP_ARM_NISV_TO_USER };
	int rc = l ? fetch_ids(p, &ids) : -ENOMEM;
	uint64_t dfr0;

	if (rc < 0)
		return rc;
	for (unsigned i = 0; i < ARM64_NSYS; i++) {
		uint64_t id = id_of(i);

		l->sys[i] = has(ids, id) ? id : 0;
	}
	if (has(ids, KVM_REG_ARM64_SVE_VLS))
		l->vl = vector_bytes(p);
	/* KVM lists all 16 pairs; the processor has these: Arm ARM, "ID_AA64DFR0_EL1". */
	if (l->sys[ARM64_ID_AA64DFR0_EL1] && get(p, 0, l->sys[ARM64_ID_AA64DFR0_EL1], &dfr0) == 0) {
		l->nbps = MIN(count_dbg(ids, KVM_DBGBVR), (dfr0 >> 12 & 15) + 1);
		l->nwps = MIN(count_dbg(ids, KVM_DBGWVR), (dfr0 >> 20 & 15) + 1);
	}
	p->hw_max.exec = (unsigned)kvm_port_cap(p, KVM_CAP_GUEST_DEBUG_HW_BPS);
	p->hw_max.watch = (unsigned)kvm_port_cap(p, KVM_CAP_GUEST_DEBUG_HW_WPS);
	p->ops->vm_ioctl(p, KVM_ENABLE_CAP, &tell); // without it KVM_RUN fails, and says no more
	p->regs = take_ptr(l);
	return 0;
}

void kvm_port_forget(struct kvm_port *p)
{
	free(p->regs);
}

/* ---- ARCH_CORE ---- */

static const struct {
	uint64_t id;
	unsigned sp; /* enum: which */
} stacks[] = {
	{ KVM_CORE_U64(regs.sp), ARM64_SP_EL0 },
	{ KVM_CORE_U64(sp_el1), ARM64_SP_EL1 },
	{ ARM64_SYS_REG(3, 6, 4, 1, 0), ARM64_SP_EL2 },
};

/*
 * KVM steps with a flag in PSTATE, which older kernels (before Linux 6.2) leave there. It is the guest's only while it
 * steps itself.
 */
static uint64_t without_step_flag(struct kvm_port *p, unsigned vcpu, uint64_t pstate)
{
	uint64_t mdscr = 0;

	if (pstate & ARM64_PSTATE_SS && p->regs->sys[ARM64_MDSCR_EL1])
		get(p, vcpu, p->regs->sys[ARM64_MDSCR_EL1], &mdscr);
	return mdscr & 1 ? pstate : pstate & ~(uint64_t)ARM64_PSTATE_SS;
}

static int core_read(struct kvm_port *p, unsigned vcpu, struct arm64_regs *a)
{
	int rc = get(p, vcpu, KVM_REG_PC, &a->pc);

	for (unsigned i = 0; i < ARRAY_LEN(a->x) && rc == 0; i++)
		rc = get(p, vcpu, KVM_REG_X(i), &a->x[i]);
	if (rc == 0)
		rc = get(p, vcpu, KVM_REG_PSTATE, &a->pstate);
	if (rc < 0)
		return rc;
	a->pstate = without_step_flag(p, vcpu, a->pstate);
	a->sp_absent = BIT(ARM64_NSP) - 1;
	for (unsigned i = 0; i < ARRAY_LEN(stacks); i++) {
		/* Those of higher levels only where the guest has the level. */
		if (stacks[i].sp == ARM64_SP_EL2 && !p->regs->sys[ARM64_HCR_EL2])
			continue;
		if (get(p, vcpu, stacks[i].id, &a->sp[stacks[i].sp]) == 0)
			a->sp_absent &= (uint8_t)~BIT(stacks[i].sp);
	}
	return 0;
}

static int core_write(struct kvm_port *p, unsigned vcpu, const struct arm64_regs *a)
{
	int rc = set(p, vcpu, KVM_REG_PSTATE, &a->pstate); // first: it is checked, and may cut the others to 32 bits

	for (unsigned i = 0; i < ARRAY_LEN(a->x) && rc == 0; i++)
		rc = set(p, vcpu, KVM_REG_X(i), &a->x[i]);
	for (unsigned i = 0; i < ARRAY_LEN(stacks) && rc == 0; i++) {
		if (!(a->sp_absent & BIT(stacks[i].sp)))
			rc = set(p, vcpu, stacks[i].id, &a->sp[stacks[i].sp]);
	}
	return rc == 0 ? set(p, vcpu, KVM_REG_PC, &a->pc) : rc;
}

/* ---- ARCH_FP ---- */

static uint64_t v_id(unsigned n)
{
	return KVM_CORE_REG(KVM_REG_SIZE_U128, fp_regs.vregs[0]) + 4ull * n;
}

static int write_one(struct kvm_port *p, unsigned vcpu, uint64_t id, void *value)
{
	return set(p, vcpu, id, value);
}

/* KVM shows either the SIMD registers or, as their whole, those of SVE. All of a predicate is in one slice. */
static int vectors(struct kvm_port *p, unsigned vcpu, struct arm64_regs *a,
		   int (*one)(struct kvm_port *p, unsigned vcpu, uint64_t id, void *value))
{
	int rc = 0;

	for (unsigned i = 0; i < ARRAY_LEN(a->z) && rc == 0; i++)
		rc = one(p, vcpu, p->regs->vl ? KVM_REG_ARM64_SVE_ZREG(i, 0) : v_id(i), a->z[i]);
	for (unsigned i = 0; i < ARRAY_LEN(a->p) && rc == 0 && p->regs->vl; i++)
		rc = one(p, vcpu, KVM_REG_ARM64_SVE_PREG(i, 0), a->p[i]);
	if (rc == 0 && p->regs->vl)
		rc = one(p, vcpu, KVM_REG_ARM64_SVE_FFR(0), a->ffr);
	if (rc == 0)
		rc = one(p, vcpu, KVM_CORE_REG(KVM_REG_SIZE_U32, fp_regs.fpsr), &a->fpsr);
	return rc == 0 ? one(p, vcpu, KVM_CORE_REG(KVM_REG_SIZE_U32, fp_regs.fpcr), &a->fpcr) : rc;
}

static int fp_read(struct kvm_port *p, unsigned vcpu, struct arm64_regs *a)
{
	a->vl = p->regs->vl;
	return vectors(p, vcpu, a, get);
}

static int fp_write(struct kvm_port *p, unsigned vcpu, const struct arm64_regs *a)
{
	_cleanup_(freep) struct arm64_regs *copy = malloc(sizeof(*copy));

	if (!copy)
		return -ENOMEM;
	*copy = *a;
	return vectors(p, vcpu, copy, write_one);
}

/* ---- system registers: ARCH_SYS, ARCH_MSR and some of ARCH_DEBUG ---- */

static int sys_read(struct kvm_port *p, unsigned vcpu, struct arm64_regs *a, uint32_t group)
{
	for (unsigned i = 0; i < ARM64_NSYS; i++) {
		uint64_t id = p->regs->sys[i];

		if (arm64_sys_desc[i].group == group)
			arm64_sys_set_absent(a, i, !id || get(p, vcpu, id, &a->sys[i]) < 0);
	}
	return 0;
}

/* What the processor changes by itself is not a change of the debugger's. */
static uint64_t own_bits(enum arm64_sys reg)
{
	bool timer = reg == ARM64_CNTV_CTL_EL0 || reg == ARM64_CNTP_CTL_EL0;

	return timer ? UINT64_C(4) : 0; // ISTATUS
}

/* Only what differs is written. */
static int sys_write(struct kvm_port *p, unsigned vcpu, const struct arm64_regs *a, uint32_t group)
{
	for (unsigned i = 0; i < ARM64_NSYS; i++) {
		uint64_t now, id = p->regs->sys[i];
		int rc;

		if (arm64_sys_desc[i].group != group || arm64_sys_desc[i].read_only || !arm64_sys_has(a, i) || !id ||
		    get(p, vcpu, id, &now) < 0 || !((now ^ a->sys[i]) & ~own_bits(i)))
			continue;
		rc = set(p, vcpu, id, &a->sys[i]);
		if (rc < 0)
			return rc;
	}
	return 0;
}

/* ---- ARCH_DEBUG ---- */

static int dbg_access(struct kvm_port *p, unsigned vcpu, struct arm64_regs *a,
		      int (*one)(struct kvm_port *p, unsigned vcpu, uint64_t id, void *value))
{
	int rc = 0;

	for (unsigned i = 0; i < p->regs->nbps && rc == 0; i++) {
		rc = one(p, vcpu, kvm_reg_dbg(KVM_DBGBVR, i), &a->dbgbvr[i]);
		rc = rc < 0 ? rc : one(p, vcpu, kvm_reg_dbg(KVM_DBGBCR, i), &a->dbgbcr[i]);
	}
	for (unsigned i = 0; i < p->regs->nwps && rc == 0; i++) {
		rc = one(p, vcpu, kvm_reg_dbg(KVM_DBGWVR, i), &a->dbgwvr[i]);
		rc = rc < 0 ? rc : one(p, vcpu, kvm_reg_dbg(KVM_DBGWCR, i), &a->dbgwcr[i]);
	}
	return rc;
}

static int debug_read(struct kvm_port *p, unsigned vcpu, struct arm64_regs *a)
{
	a->nbps = p->regs->nbps;
	a->nwps = p->regs->nwps;
	sys_read(p, vcpu, a, ARCH_DEBUG);
	return dbg_access(p, vcpu, a, get);
}

static int debug_write(struct kvm_port *p, unsigned vcpu, const struct arm64_regs *a)
{
	_cleanup_(freep) struct arm64_regs *copy = malloc(sizeof(*copy));
	int rc = copy ? sys_write(p, vcpu, a, ARCH_DEBUG) : -ENOMEM;

	if (rc < 0)
		return rc;
	*copy = *a;
	return dbg_access(p, vcpu, copy, write_one);
}

/* ---- all groups ---- */

static int read_group(struct kvm_port *p, unsigned vcpu, uint32_t group, struct arm64_regs *a)
{
	switch (group) {
	case ARCH_CORE:
		return core_read(p, vcpu, a);
	case ARCH_FP:
		return fp_read(p, vcpu, a);
	case ARCH_DEBUG:
		return debug_read(p, vcpu, a);
	default:
		return sys_read(p, vcpu, a, group);
	}
}

static int write_group(struct kvm_port *p, unsigned vcpu, uint32_t group, const struct arm64_regs *a)
{
	switch (group) {
	case ARCH_CORE:
		return core_write(p, vcpu, a);
	case ARCH_FP:
		return fp_write(p, vcpu, a);
	case ARCH_DEBUG:
		return debug_write(p, vcpu, a);
	default:
		return sys_write(p, vcpu, a, group);
	}
}

int kvm_regs_read(struct kvm_port *p, unsigned vcpu, uint32_t groups, struct arch_regs *r)
{
	int err = 0;

	for (uint32_t left = groups & ARCH_ALL; left; left &= left - 1) {
		uint32_t group = left & -left;
		int rc = read_group(p, vcpu, group, &r->arm64);

		if (rc == 0)
			r->have |= group;
		else if (rc != -EINVAL && rc != -ENOENT && rc != -EPERM) // those: this guest lacks or hides the group
			err = err ? err : rc;
	}
	return err;
}

int kvm_regs_write(struct kvm_port *p, unsigned vcpu, uint32_t groups, const struct arch_regs *r)
{
	int rc = 0;

	for (uint32_t left = groups & ARCH_ALL; left && rc == 0; left &= left - 1)
		rc = write_group(p, vcpu, left & -left, &r->arm64);
	return rc;
}

void kvm_regs_copy(uint32_t groups, const struct arch_regs *from, struct arch_regs *to)
{
	const struct arm64_regs *f = &from->arm64;
	struct arm64_regs *t = &to->arm64;

	if (groups & ARCH_CORE) {
		memcpy(t->x, f->x, sizeof(t->x));
		memcpy(t->sp, f->sp, sizeof(t->sp));
		t->pc = f->pc;
		t->pstate = f->pstate;
		t->sp_absent = f->sp_absent;
	}
	for (unsigned i = 0; i < ARM64_NSYS && groups & ARCH_SYS; i++) {
		if (arm64_sys_desc[i].group != ARCH_SYS)
			continue;
		t->sys[i] = f->sys[i];
		arm64_sys_set_absent(t, i, !arm64_sys_has(f, i));
	}
	to->have |= groups & (ARCH_CORE | ARCH_SYS);
}

int kvm_pc_read(struct kvm_cpu *cpu, gva *ret)
{
	return kvm_reg_get(cpu, KVM_REG_PC, &ret->raw);
}

/* ---- KVM leaves no registers in the run page ---- */

uint64_t kvm_run_pc_regs(long caps_sync_regs)
{
	return 0;
}

uint64_t kvm_run_wants(const struct kvm_run *run, uint64_t regs)
{
	return regs;
}

void kvm_regs_from_run(const struct kvm_run *run, struct arch_regs *out)
{
}

bool kvm_run_pc(const struct kvm_run *run, gva *ret)
{
	return false;
}
