/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Arm ARM, "A64 Instruction Set Encoding" and "AArch64 Exception Model". */
#include "arch/arm64_step.h"

#include "arch/arm64_regs.h"
#include "util/macros.h"

/* ---- one instruction ---- */

struct row {
	uint32_t mask, bits;
	enum arm64_insn_kind kind;
	bool timed;
};

/* The first that fits. Exclusives of a pair are of 32 or 64 bits; the encodings of less are compare-and-swap. */
// clang-format off
static const struct row rows[] = {
	{ 0xffffffe0, 0xd53b4220, ARM64_INSN_DAIF_GET, false },
	{ 0xffffffe0, 0xd51b4220, ARM64_INSN_DAIF_PUT, false },
	{ 0xfffff0ff, 0xd50340df, ARM64_INSN_DAIF_SET, false },
	{ 0xfffff0ff, 0xd50340ff, ARM64_INSN_DAIF_CLR, false },
	{ 0xffffffff, 0xd503207f, ARM64_INSN_WFI, true },
	{ 0xffffffe0, 0xd5031020, ARM64_INSN_WFI, true },      /* wfit */
	{ 0xffffffff, 0xd503205f, ARM64_INSN_PLAIN, true },    /* wfe */
	{ 0xffffffe0, 0xd5031000, ARM64_INSN_PLAIN, true },    /* wfet */
	{ 0xfffff01f, 0xd503201f, ARM64_INSN_PLAIN, false },   /* hints */
	{ 0xfffff01f, 0xd503301f, ARM64_INSN_PLAIN, false },   /* barriers, clrex */
	{ 0xffd0f000, 0xd510c000, ARM64_INSN_SYSTEM, true },   /* msr, mrs: vectors, the GIC */
	{ 0xffd0f000, 0xd510e000, ARM64_INSN_SYSTEM, true },   /* msr, mrs: timers */
	{ 0xffc00000, 0xd5000000, ARM64_INSN_SYSTEM, false },
	{ 0xffe0001f, 0xd4000001, ARM64_INSN_CALL, false },    /* svc */
	{ 0xffe0001f, 0xd4000002, ARM64_INSN_CALL, true },     /* hvc */
	{ 0xffe0001f, 0xd4000003, ARM64_INSN_CALL, true },     /* smc */
	{ 0xffe0001f, 0xd4200000, ARM64_INSN_BRK, false },
	{ 0xff000000, 0xd4000000, ARM64_INSN_SYSTEM, true },   /* hlt, dcps */
	{ 0xffffffff, 0xd69f03e0, ARM64_INSN_ERET, false },
	{ 0xfffffbff, 0xd69f0bff, ARM64_INSN_ERET, false },     /* eretaa, eretab */
	{ 0x3fe00000, 0x08400000, ARM64_INSN_LOAD_EXCL, false },
	{ 0x3fe00000, 0x08000000, ARM64_INSN_STORE_EXCL, false },
	{ 0xbfe00000, 0x88600000, ARM64_INSN_LOAD_EXCL, false },
	{ 0xbfe00000, 0x88200000, ARM64_INSN_STORE_EXCL, false },
};
// clang-format on

void arm64_insn_decode(uint32_t code, struct arm64_insn *out)
{
	*out = (struct arm64_insn){ .kind = ARM64_INSN_PLAIN, .rt = code & 31 };
	for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
		if ((code & rows[i].mask) != rows[i].bits)
			continue;
		out->kind = rows[i].kind;
		out->timed = rows[i].timed;
		break;
	}
	out->mask = (uint64_t)(code >> 8 & 15) << 6;
	out->imm = code >> 5 & 0xffff;
}

/* ---- load-exclusive to store-exclusive ---- */

static int64_t signed_field(uint32_t code, unsigned shift, unsigned bits)
{
	return (int64_t)((uint64_t)code << (64 - shift - bits)) >> (64 - bits);
}

bool arm64_branch_target(uint32_t code, uint64_t pc, uint64_t *out)
{
	if ((code & 0xff000000) == 0x54000000 || (code & 0x7e000000) == 0x34000000) // b.cond; cbz, cbnz
		*out = pc + (uint64_t)(signed_field(code, 5, 19) * 4);
	else if ((code & 0x7e000000) == 0x36000000) // tbz, tbnz
		*out = pc + (uint64_t)(signed_field(code, 5, 14) * 4);
	else
		return false;
	return true;
}

/* Branches without a condition, what raises exceptions, and what waits. */
static bool leaves_for_good(uint32_t code)
{
	struct arm64_insn insn;

	arm64_insn_decode(code, &insn);
	return (code & 0x7c000000) == 0x14000000 || (code & 0xfe000000) == 0xd6000000 ||
	       (code & 0xff000000) == 0xd4000000 || insn.kind == ARM64_INSN_WFI || code == 0xd503205f;
}

static bool add_exit(struct arm64_excl *x, uint64_t at)
{
	for (unsigned i = 0; i < x->nexits; i++) {
		if (x->exits[i] == at)
			return true;
	}
	if (x->nexits == ARM64_EXCL_EXITS)
		return false;
	x->exits[x->nexits++] = at;
	return true;
}

/* Data processing, branches, barriers: neither memory nor vectors. Arm ARM, "A64 instruction set encoding". */
static bool is_general(uint32_t code)
{
	static const uint16_t groups = 1 << 5 | 1 << 8 | 1 << 9 | 1 << 10 | 1 << 11 | 1 << 13;

	return groups >> (code >> 25 & 15) & 1;
}

static bool add_branch(struct arm64_excl *x, uint64_t pc, uint64_t at, uint64_t to)
{
	if (to < pc || to >= x->end)
		return add_exit(x, to);
	if (to > at)
		return true;
	if (x->nbacks == ARM64_EXCL_BACKS)
		return false;
	x->backs[x->nbacks++] = at;
	return true;
}

bool arm64_excl_find(const uint32_t *code, size_t n, uint64_t pc, struct arm64_excl *out)
{
	struct arm64_excl x = { 0 };
	struct arm64_insn insn;
	bool general = true;
	uint64_t to;
	size_t len;

	for (len = 1; len < n && !x.end; len++) {
		arm64_insn_decode(code[len], &insn);
		if (insn.kind == ARM64_INSN_STORE_EXCL)
			x.end = pc + 4 * (len + 1);
		else if (leaves_for_good(code[len]))
			return false;
		else
			general = general && is_general(code[len]);
	}
	if (!x.end)
		return false;
	add_exit(&x, x.end);
	for (size_t i = 1; i < len; i++) {
		if (arm64_branch_target(code[i], pc + 4 * i, &to) && !add_branch(&x, pc, pc + 4 * i, to))
			return false;
	}
	if (x.nbacks && !general)
		return false;
	*out = x;
	return true;
}

/* Arm ARM, pseudocode ConditionHolds(). */
static bool condition_holds(unsigned cond, uint64_t pstate)
{
	bool n = pstate >> 31 & 1, z = pstate >> 30 & 1, c = pstate >> 29 & 1, v = pstate >> 28 & 1;
	const bool base[] = { z, c, n, v, c && !z, n == v, n == v && !z, true };

	return base[cond >> 1] != (cond & 1 && cond != 15);
}

bool arm64_branch_taken(uint32_t code, uint64_t rt, uint64_t pstate)
{
	bool if_set = code >> 24 & 1, wide = code >> 31;

	if ((code & 0xff000000) == 0x54000000) // b.cond
		return condition_holds(code & 15, pstate);
	if ((code & 0x7e000000) == 0x36000000) // tbz, tbnz
		return (rt >> ((unsigned)wide << 5 | (code >> 19 & 31)) & 1) == if_set;
	return ((wide ? rt : (uint32_t)rt) != 0) == if_set;
}

/* ---- exceptions ---- */

enum { SCTLR_SPAN = 1 << 23 };
#define SCTLR_DSSBS (UINT64_C(1) << 44)
#define PSTATE_DIT (UINT64_C(1) << 24)
#define PSTATE_SSBS (UINT64_C(1) << 12)
#define PSTATE_TCO (UINT64_C(1) << 25)
#define PSTATE_NZCV (UINT64_C(15) << 28)
enum { VECTOR_SP0 = 0, VECTOR_SPX = 0x200, VECTOR_LOWER_64 = 0x400, VECTOR_LOWER_32 = 0x600 };
enum { VECTOR_IRQ = 0x80, VECTOR_FIQ = 0x100, VECTOR_SERROR = 0x180 };

static bool from_el0(uint64_t pstate)
{
	return pstate & ARM64_PSTATE_NRW || !(pstate & ARM64_PSTATE_EL);
}

uint64_t arm64_entry_vector(uint64_t vbar_el1, uint64_t pstate)
{
	unsigned offset = pstate & ARM64_PSTATE_NRW  ? VECTOR_LOWER_32
			  : from_el0(pstate)         ? VECTOR_LOWER_64
			  : pstate & ARM64_PSTATE_SP ? VECTOR_SPX
						     : VECTOR_SP0;

	return (vbar_el1 & ~UINT64_C(0x7ff)) + offset;
}

bool arm64_unmask_interrupted(const struct arm64_insn *insn, uint64_t pc, uint64_t pstate,
			      const struct arm64_stepped *to)
{
	const uint64_t handler = 1 << ARM64_PSTATE_EL_SHIFT | ARM64_PSTATE_SP | ARM64_PSTATE_DAIF;
	uint64_t offset = to->pc - arm64_entry_vector(to->vbar_el1, pstate);

	return insn->kind == ARM64_INSN_DAIF_CLR && to->elr_el1 == pc + 4 &&
	       (to->pstate & (handler | ARM64_PSTATE_NRW | ARM64_PSTATE_EL)) == handler &&
	       (offset == VECTOR_IRQ || offset == VECTOR_FIQ || offset == VECTOR_SERROR);
}

static unsigned id_field(uint64_t reg, unsigned shift)
{
	return reg >> shift & 15;
}

uint64_t arm64_entry_pstate(const struct arm64_entry *e)
{
	/* EL1h; SS, IL, BTYPE, UAO and nRW become 0. */
	uint64_t p = 1 << ARM64_PSTATE_EL_SHIFT | ARM64_PSTATE_SP | ARM64_PSTATE_DAIF;

	p |= e->pstate & (PSTATE_NZCV | PSTATE_DIT | ARM64_PSTATE_PAN);
	if (id_field(e->mmfr1_el1, 20) && !(e->sctlr_el1 & SCTLR_SPAN)) // FEAT_PAN
		p |= ARM64_PSTATE_PAN;
	if (id_field(e->pfr1_el1, 4) && e->sctlr_el1 & SCTLR_DSSBS) // FEAT_SSBS
		p |= PSTATE_SSBS;
	if (id_field(e->pfr1_el1, 8) >= 2) // FEAT_MTE2
		p |= PSTATE_TCO;
	return p;
}

uint64_t arm64_debug_esr(uint64_t esr, uint64_t pstate)
{
	unsigned ec = esr >> ARM64_EC_SHIFT & 63;
	bool has_levels = ec >= ARM64_EC_BREAKPOINT_LOW && ec <= ARM64_EC_WATCHPOINT;

	if (!has_levels)
		return esr;
	ec = (ec & ~1u) | (from_el0(pstate) ? 0 : 1);
	return (esr & ~(UINT64_C(63) << ARM64_EC_SHIFT)) | (uint64_t)ec << ARM64_EC_SHIFT;
}

enum { MDSCR_KDE = 1 << 13, MDSCR_MDE = 1 << 15, OSLSR_OSLK = 1 << 1 };

bool arm64_debug_enabled(uint64_t pstate, uint64_t mdscr, uint64_t oslsr)
{
	if (!(mdscr & MDSCR_MDE) || oslsr & OSLSR_OSLK)
		return false;
	return from_el0(pstate) || (mdscr & MDSCR_KDE && !(pstate & ARM64_PSTATE_D));
}
