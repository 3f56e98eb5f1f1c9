/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Register groups of an x86 vCPU to and from KVM's structs. */
#include <cpuid.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "kvm/internal.h"
#include "util/bytes.h"

static int vcpu_ioctl(struct kvm_port *p, unsigned vcpu, unsigned long req, void *arg)
{
	int rc = p->ops->vcpu_ioctl(p, vcpu, req, arg);

	return rc < 0 ? rc : 0;
}

/* ---- ARCH_CORE ---- */

// clang-format off
#define GPR(nr, field) [nr] = offsetof(struct kvm_regs, field)
static const uint16_t gpr_off[X86_NGPR] = {
	GPR(X86_RAX, rax), GPR(X86_RBX, rbx), GPR(X86_RCX, rcx), GPR(X86_RDX, rdx),
	GPR(X86_RSI, rsi), GPR(X86_RDI, rdi), GPR(X86_RBP, rbp), GPR(X86_RSP, rsp),
	GPR(X86_R8, r8), GPR(X86_R9, r9), GPR(X86_R10, r10), GPR(X86_R11, r11),
	GPR(X86_R12, r12), GPR(X86_R13, r13), GPR(X86_R14, r14), GPR(X86_R15, r15),
};

#define SEG(nr, field) [nr] = offsetof(struct kvm_sregs, field)
static const uint16_t seg_off[X86_NSEG] = {
	SEG(X86_CS, cs), SEG(X86_SS, ss), SEG(X86_DS, ds), SEG(X86_ES, es),
	SEG(X86_FS, fs), SEG(X86_GS, gs), SEG(X86_LDTR, ldt), SEG(X86_TR, tr),
};
// clang-format on

static __u64 *kvm_gpr(struct kvm_regs *k, unsigned nr)
{
	return (__u64 *)(void *)((char *)k + gpr_off[nr]);
}

static struct kvm_segment *kvm_seg(struct kvm_sregs *s, unsigned nr)
{
	return (struct kvm_segment *)(void *)((char *)s + seg_off[nr]);
}

static void core_from_kvm(const struct kvm_regs *k, struct x86_regs *x)
{
	for (unsigned i = 0; i < X86_NGPR; i++)
		x->gpr[i] = *(const __u64 *)(const void *)((const char *)k + gpr_off[i]);
	x->rip = k->rip;
	x->rflags = k->rflags;
}

static int core_read(struct kvm_port *p, unsigned vcpu, struct x86_regs *x)
{
	struct kvm_regs k;
	int rc = vcpu_ioctl(p, vcpu, KVM_GET_REGS, &k);

	if (rc == 0)
		core_from_kvm(&k, x);
	return rc;
}

static int core_write(struct kvm_port *p, unsigned vcpu, const struct x86_regs *x)
{
	struct kvm_regs k = { .rip = x->rip, .rflags = x->rflags };

	for (unsigned i = 0; i < X86_NGPR; i++)
		*kvm_gpr(&k, i) = x->gpr[i];
	return vcpu_ioctl(p, vcpu, KVM_SET_REGS, &k);
}

/* ---- ARCH_SYS ---- */

static void seg_from_kvm(const struct kvm_segment *k, struct x86_seg *s)
{
	s->base = k->base;
	s->limit = k->limit;
	s->sel = k->selector;
	s->attr = k->type | k->s << 4 | k->dpl << 5 | k->present << 7 | k->avl << 8 | k->l << 9 | k->db << 10 |
		  k->g << 11 | (k->unusable ? X86_SEG_UNUSABLE : 0);
}

static void seg_to_kvm(const struct x86_seg *s, struct kvm_segment *k)
{
	*k = (struct kvm_segment){
		.base = s->base,
		.limit = s->limit,
		.selector = s->sel,
		.type = s->attr & 15,
		.s = s->attr >> 4 & 1,
		.dpl = s->attr >> 5 & 3,
		.present = s->attr >> 7 & 1,
		.avl = s->attr >> 8 & 1,
		.l = s->attr >> 9 & 1,
		.db = s->attr >> 10 & 1,
		.g = s->attr >> 11 & 1,
		.unusable = !!(s->attr & X86_SEG_UNUSABLE),
	};
}

static void sys_from_kvm(const struct kvm_sregs *s, struct x86_regs *x)
{
	for (unsigned i = 0; i < X86_NSEG; i++)
		seg_from_kvm((const struct kvm_segment *)(const void *)((const char *)s + seg_off[i]), &x->seg[i]);
	x->gdt = (struct x86_table){ .base = s->gdt.base, .limit = s->gdt.limit };
	x->idt = (struct x86_table){ .base = s->idt.base, .limit = s->idt.limit };
	x->cr0 = s->cr0;
	x->cr2 = s->cr2;
	x->cr3 = s->cr3;
	x->cr4 = s->cr4;
	x->cr8 = s->cr8;
	x->efer = s->efer;
}

static int sys_read(struct kvm_port *p, unsigned vcpu, struct x86_regs *x)
{
	struct kvm_sregs s;
	int rc = vcpu_ioctl(p, vcpu, KVM_GET_SREGS, &s);

	if (rc == 0)
		sys_from_kvm(&s, x);
	return rc;
}

static int sys_write(struct kvm_port *p, unsigned vcpu, const struct x86_regs *x)
{
	struct kvm_sregs s;
	int rc;

	if (x->gdt.limit > UINT16_MAX || x->idt.limit > UINT16_MAX)
		return -EINVAL;
	/* Read first: the APIC base and an interrupt on its way in are in the same struct. */
	rc = vcpu_ioctl(p, vcpu, KVM_GET_SREGS, &s);
	if (rc < 0)
		return rc;
	for (unsigned i = 0; i < X86_NSEG; i++)
		seg_to_kvm(&x->seg[i], kvm_seg(&s, i));
	s.gdt = (struct kvm_dtable){ .base = x->gdt.base, .limit = x->gdt.limit };
	s.idt = (struct kvm_dtable){ .base = x->idt.base, .limit = x->idt.limit };
	s.cr0 = x->cr0;
	s.cr2 = x->cr2;
	s.cr3 = x->cr3;
	s.cr4 = x->cr4;
	s.cr8 = x->cr8;
	s.efer = x->efer;
	return vcpu_ioctl(p, vcpu, KVM_SET_SREGS, &s);
}

/* ---- ARCH_FP ---- */

/*
 * The XSAVE area (Intel SDM "Legacy Region of an XSAVE Area", "XSAVE Header"); its first 512 bytes are FXSAVE's
 * 64-bit form.
 */
enum {
	FX_FCW = 0,
	FX_FSW = 2,
	FX_FTW = 4,
	FX_FOP = 6,
	FX_FIP = 8,
	FX_FIP_SEG = 12,
	FX_FDP = 16,
	FX_FDP_SEG = 20,
	FX_MXCSR = 24,
	FX_ST = 32,
	FX_XMM = 160,
	XSAVE_BV = 512,
};
enum { XFEATURE_X87 = 1, XFEATURE_SSE = 2, XFEATURE_AVX = 4 };
enum { CPUID_1_ECX_AVX = 1 << 28, CPUID_MAX = 256 };

struct xsave {
	union {
		struct kvm_xsave kvm;
		uint8_t b[sizeof(struct kvm_xsave)];
	};
};

enum { TAG_VALID, TAG_ZERO, TAG_SPECIAL, TAG_EMPTY };

static unsigned st_tag(const uint8_t st[10])
{
	uint64_t mant = ld_le64(st);
	unsigned exp = ld_le16(st + 8) & 0x7fff;

	if (!exp && !mant)
		return TAG_ZERO;
	return exp && exp != 0x7fff && mant >> 63 ? TAG_VALID : TAG_SPECIAL;
}

/* FXSAVE keeps one bit per physical register, "not empty"; the full tag word has to be computed. */
static uint16_t tag_full(uint8_t abridged, uint16_t fsw, const uint8_t st[8][10])
{
	unsigned top = fsw >> 11 & 7;
	uint16_t full = 0;

	for (unsigned phys = 0; phys < 8; phys++) {
		unsigned tag = abridged & BIT(phys) ? st_tag(st[(phys - top) & 7]) : TAG_EMPTY;

		full |= tag << (2 * phys);
	}
	return full;
}

static uint8_t tag_abridged(uint16_t full)
{
	uint8_t abridged = 0;

	for (unsigned phys = 0; phys < 8; phys++) {
		if ((full >> (2 * phys) & 3) != TAG_EMPTY)
			abridged |= BIT(phys);
	}
	return abridged;
}

static void fx_to_regs(const uint8_t *fx, struct x86_regs *x)
{
	for (unsigned i = 0; i < 8; i++)
		memcpy(x->st[i], fx + FX_ST + 16 * i, sizeof(x->st[i]));
	memcpy(x->xmm, fx + FX_XMM, sizeof(x->xmm));
	x->fctrl = ld_le16(fx + FX_FCW);
	x->fstat = ld_le16(fx + FX_FSW);
	x->ftag = tag_full(fx[FX_FTW], x->fstat, x->st);
	x->fop = ld_le16(fx + FX_FOP) & 0x7ff;
	x->fioff = ld_le32(fx + FX_FIP);
	x->fiseg = ld_le16(fx + FX_FIP_SEG);
	x->fooff = ld_le32(fx + FX_FDP);
	x->foseg = ld_le16(fx + FX_FDP_SEG);
	x->mxcsr = ld_le32(fx + FX_MXCSR);
}

static void fx_from_regs(const struct x86_regs *x, uint8_t *fx)
{
	for (unsigned i = 0; i < 8; i++)
		memcpy(fx + FX_ST + 16 * i, x->st[i], sizeof(x->st[i]));
	memcpy(fx + FX_XMM, x->xmm, sizeof(x->xmm));
	st_le16(fx + FX_FCW, x->fctrl);
	st_le16(fx + FX_FSW, x->fstat);
	fx[FX_FTW] = tag_abridged(x->ftag);
	st_le16(fx + FX_FOP, x->fop & 0x7ff);
	st_le32(fx + FX_FIP, x->fioff);
	st_le16(fx + FX_FIP_SEG, x->fiseg);
	st_le32(fx + FX_FDP, x->fooff);
	st_le16(fx + FX_FDP_SEG, x->foseg);
	st_le32(fx + FX_MXCSR, x->mxcsr);
}

/* Where YMM_Hi128 is in the area; 0: not in it, or the guest was not given AVX. */
static size_t ymmh_offset(struct kvm_port *p, unsigned vcpu)
{
	unsigned eax, ebx, ecx, edx;
	_cleanup_(freep) struct kvm_cpuid2 *id = calloc(1, sizeof(*id) + CPUID_MAX * sizeof(id->entries[0]));

	if (!id || !__get_cpuid_count(0xd, 2, &eax, &ebx, &ecx, &edx) || ebx + 256 > sizeof(struct kvm_xsave))
		return 0;
	id->nent = CPUID_MAX;
	if (vcpu_ioctl(p, vcpu, KVM_GET_CPUID2, id) < 0)
		return 0;
	for (unsigned i = 0; i < id->nent; i++) {
		if (id->entries[i].function == 1)
			return id->entries[i].ecx & CPUID_1_ECX_AVX ? ebx : 0;
	}
	return 0;
}

static int fp_read(struct kvm_port *p, unsigned vcpu, struct x86_regs *x)
{
	struct xsave xs;
	size_t ymmh = ymmh_offset(p, vcpu);
	int rc = p->xsave ? vcpu_ioctl(p, vcpu, KVM_GET_XSAVE, &xs) : -ENOTSUP; // KVM_GET_FPU has no MXCSR

	if (rc < 0)
		return rc;
	fx_to_regs(xs.b, x);
	memset(x->ymmh, 0, sizeof(x->ymmh));
	if (ymmh && (ld_le64(xs.b + XSAVE_BV) & XFEATURE_AVX))
		memcpy(x->ymmh, xs.b + ymmh, sizeof(x->ymmh));
	x->fp_absent = ymmh ? 0 : X86_NO_AVX;
	return 0;
}

static int fp_write(struct kvm_port *p, unsigned vcpu, const struct x86_regs *x)
{
	struct xsave xs;
	size_t ymmh = ymmh_offset(p, vcpu);
	int rc = p->xsave ? vcpu_ioctl(p, vcpu, KVM_GET_XSAVE, &xs) : -ENOTSUP;
	uint64_t parts = XFEATURE_X87 | XFEATURE_SSE;

	if (rc < 0)
		return rc;
	fx_from_regs(x, xs.b);
	if (ymmh) {
		memcpy(xs.b + ymmh, x->ymmh, sizeof(x->ymmh));
		parts |= XFEATURE_AVX;
	}
	st_le64(xs.b + XSAVE_BV, ld_le64(xs.b + XSAVE_BV) | parts);
	return vcpu_ioctl(p, vcpu, KVM_SET_XSAVE, &xs);
}

/* ---- ARCH_DEBUG ---- */

static int debug_read(struct kvm_port *p, unsigned vcpu, struct x86_regs *x)
{
	struct kvm_debugregs d;
	int rc = p->debugregs ? vcpu_ioctl(p, vcpu, KVM_GET_DEBUGREGS, &d) : -ENOTSUP;

	if (rc < 0)
		return rc;
	memcpy(x->dr, d.db, sizeof(d.db));
	x->dr[6] = d.dr6;
	x->dr[7] = d.dr7;
	return 0;
}

static int debug_write(struct kvm_port *p, unsigned vcpu, const struct x86_regs *x)
{
	struct kvm_debugregs d = { .dr6 = x->dr[6], .dr7 = x->dr[7] };

	memcpy(d.db, x->dr, sizeof(d.db));
	return p->debugregs ? vcpu_ioctl(p, vcpu, KVM_SET_DEBUGREGS, &d) : -ENOTSUP;
}

/* ---- ARCH_MSR ---- */

/* struct kvm_msrs with room for every MSR that we know. */
union msrs {
	struct kvm_msrs m;
	uint8_t room[sizeof(struct kvm_msrs) + X86_NMSR * sizeof(struct kvm_msr_entry)];
};

/* KVM stops at the first MSR that this vCPU lacks: pass over it and go on behind. */
static int msr_read(struct kvm_port *p, unsigned vcpu, struct x86_regs *x)
{
	x->msr_have = 0;
	for (unsigned at = 0; at < X86_NMSR; at++) {
		union msrs u = { .m.nmsrs = X86_NMSR - at };
		int n;

		for (unsigned i = at; i < X86_NMSR; i++)
			u.m.entries[i - at].index = x86_msr_number[i];
		n = p->ops->vcpu_ioctl(p, vcpu, KVM_GET_MSRS, &u);
		if (n < 0)
			return n;
		for (unsigned i = 0; i < (unsigned)n; i++, at++) {
			x->msr[at] = u.m.entries[i].data;
			x->msr_have |= BIT(at);
		}
	}
	return 0;
}

static int msr_write_one(struct kvm_port *p, unsigned vcpu, unsigned i, uint64_t value)
{
	union msrs u = { .m.nmsrs = 1 };
	int n;

	u.m.entries[0] = (struct kvm_msr_entry){ .index = x86_msr_number[i], .data = value };
	n = p->ops->vcpu_ioctl(p, vcpu, KVM_SET_MSRS, &u);
	return n < 0 ? n : n == 1 ? 0 : -EINVAL;
}

/*
 * Only what differs is written. The two that move by themselves stay: a stale time-stamp counter would take the
 * vCPU back in time, a stale deadline would fire the timer twice.
 */
static int msr_write(struct kvm_port *p, unsigned vcpu, const struct x86_regs *x)
{
	struct x86_regs now = { 0 };
	int rc = msr_read(p, vcpu, &now);

	for (unsigned i = 0; i < X86_NMSR && rc == 0; i++) {
		if (i == X86_MSR_TSC || i == X86_MSR_TSC_DEADLINE)
			continue;
		if ((x->msr_have & now.msr_have & BIT(i)) && x->msr[i] != now.msr[i])
			rc = msr_write_one(p, vcpu, i, x->msr[i]);
	}
	return rc;
}

/* ---- all groups ---- */

/* In the order of writing: the mode first, the general registers last. */
static const struct {
	uint32_t group;
	int (*read)(struct kvm_port *p, unsigned vcpu, struct x86_regs *x);
	int (*write)(struct kvm_port *p, unsigned vcpu, const struct x86_regs *x);
} groups_x86[] = {
	{ ARCH_SYS, sys_read, sys_write },       { ARCH_MSR, msr_read, msr_write },    { ARCH_FP, fp_read, fp_write },
	{ ARCH_DEBUG, debug_read, debug_write }, { ARCH_CORE, core_read, core_write },
};

int kvm_regs_read(struct kvm_port *p, unsigned vcpu, uint32_t groups, struct arch_regs *r)
{
	int err = 0;

	for (unsigned i = 0; i < ARRAY_LEN(groups_x86); i++) {
		int rc;

		if (!(groups & groups_x86[i].group))
			continue;
		rc = groups_x86[i].read(p, vcpu, &r->x86);
		if (rc == 0)
			r->have |= groups_x86[i].group;
		else if (rc != -EINVAL && rc != -ENOTSUP && rc != -ENXIO) // those: this guest hides or lacks the group
			err = err ? err : rc;
	}
	return err;
}

int kvm_regs_write(struct kvm_port *p, unsigned vcpu, uint32_t groups, const struct arch_regs *r)
{
	for (unsigned i = 0; i < ARRAY_LEN(groups_x86); i++) {
		int rc;

		if (!(groups & groups_x86[i].group))
			continue;
		rc = groups_x86[i].write(p, vcpu, &r->x86);
		if (rc < 0)
			return rc;
	}
	return 0;
}

void kvm_regs_copy(uint32_t groups, const struct arch_regs *from, struct arch_regs *to)
{
	const struct x86_regs *f = &from->x86;
	struct x86_regs *t = &to->x86;

	if (groups & ARCH_CORE) {
		memcpy(t->gpr, f->gpr, sizeof(t->gpr));
		t->rip = f->rip;
		t->rflags = f->rflags;
	}
	if (groups & ARCH_SYS) {
		memcpy(t->seg, f->seg, sizeof(t->seg));
		t->gdt = f->gdt;
		t->idt = f->idt;
		t->cr0 = f->cr0;
		t->cr2 = f->cr2;
		t->cr3 = f->cr3;
		t->cr4 = f->cr4;
		t->cr8 = f->cr8;
		t->efer = f->efer;
	}
	to->have |= groups & (ARCH_CORE | ARCH_SYS);
}

/* ---- pc without an ioctl ---- */

uint64_t kvm_run_pc_regs(long caps_sync_regs)
{
	uint64_t need = KVM_SYNC_X86_REGS | KVM_SYNC_X86_SREGS;

	return ((uint64_t)caps_sync_regs & need) == need ? need : 0;
}

void kvm_regs_from_run(const struct kvm_run *run, struct arch_regs *out)
{
	core_from_kvm(&run->s.regs.regs, &out->x86);
	sys_from_kvm(&run->s.regs.sregs, &out->x86);
	out->have |= ARCH_CORE | ARCH_SYS;
}

int kvm_pc_read(struct kvm_cpu *cpu, gva *ret)
{
	const uint32_t groups = ARCH_CORE | ARCH_SYS;
	struct arch_regs r;
	int rc;

	r.have = r.dirty = 0; // the rest is long
	rc = kvm_regs_read(cpu->all->port, cpu->id, groups, &r);
	if (rc < 0)
		return rc;
	if ((r.have & groups) != groups)
		return -EACCES;
	*ret = cpu->all->arch->pc_get(&r);
	return 0;
}

/* Above 4 GiB there is only 64-bit code, where the pc is rip whatever the segments are. */
static bool is_high(uint64_t rip)
{
	return rip >> 32;
}

/* Segments are most of what the registers cost. The next exit is likely to be where the last one was. */
uint64_t kvm_run_wants(const struct kvm_run *run, uint64_t regs)
{
	return is_high(run->s.regs.regs.rip) ? regs & ~(uint64_t)KVM_SYNC_X86_SREGS : regs;
}

bool kvm_run_pc(const struct kvm_run *run, gva *ret)
{
	const struct kvm_sync_regs *s = &run->s.regs;

	if (!run->kvm_valid_regs)
		return false;
	if (is_high(s->regs.rip)) {
		*ret = GVA(s->regs.rip);
		return true;
	}
	if (!(run->kvm_valid_regs & KVM_SYNC_X86_SREGS))
		return false;
	/* Below, the base of CS is ignored in 64-bit code; outside of it addresses are 32 bits. */
	const bool flat = s->sregs.cs.l && (s->sregs.efer & X86_EFER_LMA);
	*ret = flat ? GVA(s->regs.rip) : GVA((uint32_t)(s->sregs.cs.base + s->regs.rip));
	return true;
}
