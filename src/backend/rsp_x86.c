/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What other debug servers call the registers of an x86 vCPU. */
#include "backend/rsp_regs.h"
#include "util/macros.h"

#define FIELD(nm, field, grp, sg, m, pos)                                                                              \
	{                                                                                                              \
		.name = nm, .off = offsetof(struct arch_regs, x86.field),                                              \
		.size = sizeof(((struct x86_regs *)0)->field), .group = ARCH_##grp, .seg = sg, .single = m, .st = pos, \
		.sp = -1                                                                                               \
	}
#define F(nm, field, grp) FIELD(nm, field, grp, -1, -1, -1)
#define GPR(nm, R) F(nm, gpr[X86_##R], CORE)
#define SEL(nm, S) F(nm, seg[X86_##S].sel, SYS)
#define BASE(nm, S) FIELD(nm, seg[X86_##S].base, SYS, X86_##S, -1, -1)
#define HIDDEN(S) \
	FIELD(NULL, seg[X86_##S].limit, SYS, X86_##S, -1, -1), FIELD(NULL, seg[X86_##S].attr, SYS, X86_##S, -1, -1)
#define MSR(nm, M) FIELD(nm, msr[X86_MSR_##M], MSR, -1, X86_MSR_##M, -1)
#define ST(n) FIELD("st" #n, st[n], FP, -1, -1, n)

/*
 * Order matters for writes: selectors before bases (loading one sets its base), what paging is made of before the bit
 * that turns it on, fstat (it holds the stack top) before the stack.
 */
// clang-format off
static const struct rsp_field fields[] = {
	F("cr4", cr4, SYS), F("cr3", cr3, SYS), F("efer", efer, SYS), F("cr0", cr0, SYS), F("cr2", cr2, SYS),
	F("cr8", cr8, SYS),
	SEL("cs", CS), SEL("ss", SS), SEL("ds", DS), SEL("es", ES), SEL("fs", FS), SEL("gs", GS),
	BASE("fs_base", FS), BASE("gs_base", GS), MSR("k_gs_base", KERNEL_GS_BASE),
	GPR("rax", RAX), GPR("rbx", RBX), GPR("rcx", RCX), GPR("rdx", RDX), GPR("rsi", RSI), GPR("rdi", RDI), GPR("rbp", RBP),
	GPR("rsp", RSP), GPR("r8", R8), GPR("r9", R9), GPR("r10", R10), GPR("r11", R11), GPR("r12", R12), GPR("r13", R13),
	GPR("r14", R14), GPR("r15", R15), F("rip", rip, CORE), F("eflags", rflags, CORE),
	F("fctrl", fctrl, FP), F("fstat", fstat, FP), F("ftag", ftag, FP), F("fiseg", fiseg, FP), F("fioff", fioff, FP),
	F("foseg", foseg, FP), F("fooff", fooff, FP), F("fop", fop, FP),
	ST(0), ST(1), ST(2), ST(3), ST(4), ST(5), ST(6), ST(7),
	F("xmm0", xmm[0], FP), F("xmm1", xmm[1], FP), F("xmm2", xmm[2], FP), F("xmm3", xmm[3], FP), F("xmm4", xmm[4], FP),
	F("xmm5", xmm[5], FP), F("xmm6", xmm[6], FP), F("xmm7", xmm[7], FP), F("xmm8", xmm[8], FP), F("xmm9", xmm[9], FP),
	F("xmm10", xmm[10], FP), F("xmm11", xmm[11], FP), F("xmm12", xmm[12], FP), F("xmm13", xmm[13], FP),
	F("xmm14", xmm[14], FP), F("xmm15", xmm[15], FP), F("mxcsr", mxcsr, FP),
	BASE(NULL, CS), HIDDEN(CS), BASE(NULL, SS), HIDDEN(SS), BASE(NULL, DS), HIDDEN(DS), BASE(NULL, ES), HIDDEN(ES),
	HIDDEN(FS), HIDDEN(GS),
	F(NULL, seg[X86_LDTR].sel, SYS), BASE(NULL, LDTR), HIDDEN(LDTR),
	F(NULL, seg[X86_TR].sel, SYS), BASE(NULL, TR), HIDDEN(TR),
	F(NULL, gdt.base, SYS), F(NULL, gdt.limit, SYS), F(NULL, idt.base, SYS), F(NULL, idt.limit, SYS),
	F(NULL, ymmh, FP), F(NULL, dr, DEBUG),
	MSR(NULL, TSC), MSR(NULL, APIC_BASE), MSR(NULL, SYSENTER_CS), MSR(NULL, SYSENTER_ESP), MSR(NULL, SYSENTER_EIP),
	MSR(NULL, PAT), MSR(NULL, MTRR_DEF_TYPE), MSR(NULL, MISC_ENABLE), MSR(NULL, STAR), MSR(NULL, LSTAR), MSR(NULL, CSTAR),
	MSR(NULL, SFMASK), MSR(NULL, TSC_AUX), MSR(NULL, SPEC_CTRL), MSR(NULL, TSC_DEADLINE),
};

/* The registers of a server without a target description, in GDB's order. */
static const struct rsp_plain plain[] = {
	{ "rax", 8 }, { "rbx", 8 }, { "rcx", 8 }, { "rdx", 8 }, { "rsi", 8 }, { "rdi", 8 }, { "rbp", 8 }, { "rsp", 8 },
	{ "r8", 8 }, { "r9", 8 }, { "r10", 8 }, { "r11", 8 }, { "r12", 8 }, { "r13", 8 }, { "r14", 8 }, { "r15", 8 },
	{ "rip", 8 }, { "eflags", 4 }, { "cs", 4 }, { "ss", 4 }, { "ds", 4 }, { "es", 4 }, { "fs", 4 }, { "gs", 4 },
	{ "st0", 10 }, { "st1", 10 }, { "st2", 10 }, { "st3", 10 }, { "st4", 10 }, { "st5", 10 }, { "st6", 10 }, { "st7", 10 },
	{ "fctrl", 4 }, { "fstat", 4 }, { "ftag", 4 }, { "fiseg", 4 }, { "fioff", 4 }, { "foseg", 4 }, { "fooff", 4 },
	{ "fop", 4 }, { "xmm0", 16 }, { "xmm1", 16 }, { "xmm2", 16 }, { "xmm3", 16 }, { "xmm4", 16 }, { "xmm5", 16 },
	{ "xmm6", 16 }, { "xmm7", 16 }, { "xmm8", 16 }, { "xmm9", 16 }, { "xmm10", 16 }, { "xmm11", 16 }, { "xmm12", 16 },
	{ "xmm13", 16 }, { "xmm14", 16 }, { "xmm15", 16 }, { "mxcsr", 4 },
};
// clang-format on

static void field(unsigned i, struct rsp_field *out)
{
	*out = fields[i];
}

static void clear(struct arch_regs *r)
{
	r->x86.fp_absent = X86_NO_AVX; // what another server has of it is not in its packets
}

static bool has(const struct arch_regs *r, const struct rsp_field *f)
{
	return f->single < 0 || r->x86.msr_have & BIT(f->single);
}

static void found(const struct rsp_field *f, unsigned size, struct arch_regs *r)
{
	if (f->single >= 0)
		r->x86.msr_have |= BIT(f->single);
}

static void merge(const struct arch_regs *from, uint32_t groups, struct arch_regs *to)
{
	if (groups & ARCH_FP)
		to->x86.fp_absent = from->x86.fp_absent;
	if (groups & ARCH_MSR)
		to->x86.msr_have = from->x86.msr_have;
}

const struct rsp_machine rsp_machine_x86 = {
	.arch = &arch_x86,
	.name = "x86-64",
	.nfields = ARRAY_LEN(fields),
	.field = field,
	.plain = plain,
	.nplain = ARRAY_LEN(plain),
	.whole = ARCH_ALL,
	.clear = clear,
	.found = found,
	.has = has,
	.merge = merge,
};
_Static_assert(ARRAY_LEN(fields) <= RSP_MAX_FIELDS, "RSP_MAX_FIELDS is too small");
