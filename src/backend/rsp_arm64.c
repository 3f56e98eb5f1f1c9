/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What other debug servers call the registers of an arm64 vCPU. */
#include "backend/rsp_regs.h"
#include "util/macros.h"

#define FIELD(nm, field, grp, reg, which)                                                                  \
	{                                                                                                  \
		.name = nm, .off = offsetof(struct arch_regs, arm64.field),                                \
		.size = sizeof(((struct arm64_regs *)0)->field), .group = ARCH_##grp, .seg = -1, .st = -1, \
		.single = reg, .sp = which, .optional = (reg) >= 0 || (which) >= 0                         \
	}
#define F(nm, field, grp) FIELD(nm, field, grp, -1, -1)
#define X(n) F("x" #n, x[n], CORE)
#define SP(n) FIELD("SP_EL" #n, sp[n], CORE, -1, n)
#define ACTIVE(nm)                                                                                                 \
	{                                                                                                          \
		.name = nm, .off = offsetof(struct arch_regs, arm64.sp), .size = 8, .group = ARCH_CORE, .seg = -1, \
		.st = -1, .single = -1, .sp = ACTIVE_SP                                                            \
	}
#define Z(n) F("z" #n, z[n], FP)
#define P(n) F("p" #n, p[n], FP)
/* Without SVE a server has the low 128 bits alone, under another name. */
#define V(n)                                                                                                 \
	{                                                                                                    \
		.name = "v" #n, .off = offsetof(struct arch_regs, arm64.z[n]), .size = 16, .group = ARCH_FP, \
		.seg = -1, .st = -1, .single = -1, .sp = -1                                                  \
	}
#define DBG(n)                                                                            \
	F("DBGBVR" #n "_EL1", dbgbvr[n], DEBUG), F("DBGBCR" #n "_EL1", dbgbcr[n], DEBUG), \
		F("DBGWVR" #n "_EL1", dbgwvr[n], DEBUG), F("DBGWCR" #n "_EL1", dbgwcr[n], DEBUG)
#define SYS(nm, op0, op1, crn, crm, op2, grp, ...) FIELD(#nm, sys[ARM64_##nm], grp, ARM64_##nm, -1),
#define ALL_16(M) M(0), M(1), M(2), M(3), M(4), M(5), M(6), M(7), M(8), M(9), M(10), M(11), M(12), M(13), M(14), M(15)
#define ALL_32(M)                                                                                                    \
	ALL_16(M), M(16), M(17), M(18), M(19), M(20), M(21), M(22), M(23), M(24), M(25), M(26), M(27), M(28), M(29), \
		M(30), M(31)

enum { ACTIVE_SP = ARM64_NSP };

/* cpsr is before sp: it says which stack pointer that is. */
// clang-format off
static const struct rsp_field fields[] = {
	ALL_16(X), X(16), X(17), X(18), X(19), X(20), X(21), X(22), X(23), X(24), X(25), X(26), X(27), X(28), X(29), X(30),
	F("pc", pc, CORE), F("cpsr", pstate, CORE), ACTIVE("sp"),
	SP(0), SP(1), SP(2), SP(3),
	ALL_32(Z), ALL_32(V), ALL_16(P), F("ffr", ffr, FP), F("fpsr", fpsr, FP), F("fpcr", fpcr, FP),
	ALL_16(DBG),
	ARM64_SYS_LIST(SYS)
};
// clang-format on
_Static_assert(ARRAY_LEN(fields) <= RSP_MAX_FIELDS, "RSP_MAX_FIELDS is too small");

static void field(unsigned i, struct rsp_field *out)
{
	*out = fields[i];
}

static unsigned active_sp(const struct arch_regs *r)
{
	uint64_t pstate = r->arm64.pstate;

	if (pstate & ARM64_PSTATE_NRW || !(pstate & ARM64_PSTATE_SP))
		return ARM64_SP_EL0;
	return pstate >> ARM64_PSTATE_EL_SHIFT & 3;
}

/* The stack pointer in use is where the general registers have it; the banked one is out of date then. */
static bool place(const struct rsp_field *f, const struct arch_regs *r, size_t *off)
{
	unsigned active;

	*off = f->off;
	if (f->sp < 0)
		return true;
	active = active_sp(r);
	if (f->sp != ACTIVE_SP)
		return active != (unsigned)f->sp;
	*off = offsetof(struct arch_regs, arm64.sp) + active * sizeof(r->arm64.sp[0]);
	return true;
}

static void clear(struct arch_regs *r)
{
	r->arm64.sp_absent = BIT(ARM64_NSP) - 1;
	for (unsigned i = 0; i < ARM64_NSYS; i++)
		arm64_sys_set_absent(&r->arm64, i, true);
}

static bool is_in(const struct rsp_field *f, const void *base, const void *array, size_t size, unsigned *index)
{
	size_t start = (size_t)((const uint8_t *)array - (const uint8_t *)base);

	*index = (unsigned)((f->off - start) / sizeof(uint64_t));
	return f->off >= start && f->off < start + size;
}

static void found(const struct rsp_field *f, unsigned size, struct arch_regs *r)
{
	struct arm64_regs *m = &r->arm64;
	unsigned n;

	if (f->single >= 0)
		arm64_sys_set_absent(m, (enum arm64_sys)f->single, false);
	else if (f->sp >= 0)
		m->sp_absent &= (uint8_t)~BIT(f->sp == ACTIVE_SP ? active_sp(r) : (unsigned)f->sp);
	else if (f->name[0] == 'z')
		m->vl = MIN(size, (unsigned)ARM64_MAX_VL);
	else if (is_in(f, r, m->dbgbvr, sizeof(m->dbgbvr), &n))
		m->nbps = (uint8_t)MAX(m->nbps, n + 1);
	else if (is_in(f, r, m->dbgwvr, sizeof(m->dbgwvr), &n))
		m->nwps = (uint8_t)MAX(m->nwps, n + 1);
}

static bool has(const struct arch_regs *r, const struct rsp_field *f)
{
	if (f->single >= 0)
		return arm64_sys_has(&r->arm64, (enum arm64_sys)f->single);
	return f->group != ARCH_FP || f->name[0] == 'f' || (f->name[0] == 'v') == (r->arm64.vl == 0);
}

static void merge(const struct arch_regs *from, uint32_t groups, struct arch_regs *to)
{
	if (groups & ARCH_CORE)
		to->arm64.sp_absent = from->arm64.sp_absent;
	if (groups & ARCH_FP)
		to->arm64.vl = from->arm64.vl;
	if (groups & ARCH_DEBUG) {
		to->arm64.nbps = from->arm64.nbps;
		to->arm64.nwps = from->arm64.nwps;
	}
	for (unsigned i = 0; i < ARM64_NSYS; i++)
		if (arm64_sys_desc[i].group & groups)
			arm64_sys_set_absent(&to->arm64, i, !arm64_sys_has(&from->arm64, i));
}

/* It is the same in every mode. */
static const struct arch_layout *layout(const struct rsp_regmap *m)
{
	unsigned vl = 0;
	bool el2 = false;

	for (unsigned i = 0; i < ARRAY_LEN(fields); i++) {
		if (m->by_field[i] < 0)
			continue;
		if (fields[i].name[0] == 'z')
			vl = m->reg[m->by_field[i]].size;
		el2 = el2 || fields[i].single == ARM64_HCR_EL2;
	}
	return arch_layout_arm64(vl, el2);
}

const struct rsp_machine rsp_machine_arm64 = {
	.arch = &arch_arm64,
	.name = "arm64",
	.suffix = "_EL1",
	.nfields = ARRAY_LEN(fields),
	.field = field,
	.place = place,
	.layout = layout,
	.whole = ARCH_CORE,
	.always = ARCH_SYS, // each register of it is there or not by itself, and so may be none
	.clear = clear,
	.found = found,
	.has = has,
	.merge = merge,
};
