/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "arch/arm64_walk.h"

#include <errno.h>
#include <inttypes.h>

#include "mmu/arm64.h"
#include "util/macros.h"

#define SCTLR_M BIT64(0)
#define SCTLR_EE BIT64(25)
#define HCR_VM BIT64(0)
#define HCR_DC BIT64(12)
#define HCR_FWB BIT64(46)
#define TTBR_BADDR 0x0000fffffffffffeull /* and CnP, ASID or VMID around it */

#define A32_USER ARM64_PSTATE_NRW /* all of the mode field */

/* Where a regime has its registers. */
struct regime_regs {
	enum arm64_sys sctlr, tcr, tcr2, ttbr0, ttbr1, mair, pir, pire0, vbar;
};

// clang-format off
static const struct regime_regs of_el1 = {
	ARM64_SCTLR_EL1, ARM64_TCR_EL1, ARM64_TCR2_EL1, ARM64_TTBR0_EL1, ARM64_TTBR1_EL1, ARM64_MAIR_EL1,
	ARM64_PIR_EL1, ARM64_PIRE0_EL1, ARM64_VBAR_EL1,
};
static const struct regime_regs of_el2 = {
	ARM64_SCTLR_EL2, ARM64_TCR_EL2, ARM64_TCR2_EL2, ARM64_TTBR0_EL2, ARM64_TTBR1_EL2, ARM64_MAIR_EL2,
	ARM64_PIR_EL2, ARM64_PIRE0_EL2, ARM64_VBAR_EL2,
};
// clang-format on

/* All that decides where an address of a vCPU leads. */
struct space {
	struct mmu_arm64_ctx c;
	struct mmu_arm64_s2_ctx c2;
	bool nested; /* stage 2 is on for the regime */
	uint64_t vbar;
};

/* 0 for a register that is not to be had: that is what it would be without the feature. */
static uint64_t sys(const struct arm64_regs *r, enum arm64_sys reg)
{
	return arm64_sys_has(r, reg) ? r->sys[reg] : 0;
}

static void features(const struct arm64_regs *r, uint64_t *mmfr0, uint64_t *mmfr2)
{
	*mmfr0 = sys(r, ARM64_ID_AA64MMFR0_EL1);
	*mmfr2 = arm64_sys_has(r, ARM64_ID_AA64MMFR2_EL1) ? r->sys[ARM64_ID_AA64MMFR2_EL1] : MMU_ARM64_MMFR2_ANY;
}

static int regime_fill(const struct arm64_regs *r, enum mmu_arm64_regime regime, struct space *s)
{
	const struct regime_regs *of = regime == MMU_ARM64_EL10 ? &of_el1 : &of_el2;

	if (!arm64_sys_has(r, of->sctlr) || !arm64_sys_has(r, of->tcr) || !arm64_sys_has(r, of->ttbr0))
		return -ENODATA;
	s->c = (struct mmu_arm64_ctx){ .regime = regime, .sctlr = r->sys[of->sctlr], .tcr = r->sys[of->tcr] };
	s->c.ttbr0 = r->sys[of->ttbr0];
	s->c.ttbr1 = sys(r, of->ttbr1);
	s->c.tcr2 = arm64_sys_has(r, of->pir) ? sys(r, of->tcr2) : 0; // rights by index mean nothing without it
	s->c.pir = sys(r, of->pir);
	s->c.pire0 = sys(r, of->pire0);
	s->c.mair = sys(r, of->mair);
	features(r, &s->c.mmfr0, &s->c.mmfr2);
	s->vbar = sys(r, of->vbar);
	return 0;
}

static void stage2_fill(const struct arm64_regs *r, struct mmu_arm64_s2_ctx *c2)
{
	*c2 = (struct mmu_arm64_s2_ctx){ .vtcr = sys(r, ARM64_VTCR_EL2), .vttbr = sys(r, ARM64_VTTBR_EL2) };
	c2->big_endian = sys(r, ARM64_SCTLR_EL2) & SCTLR_EE;
	c2->fwb = sys(r, ARM64_HCR_EL2) & HCR_FWB;
	features(r, &c2->mmfr0, &c2->mmfr2);
}

/*
 * The regime that the vCPU is in: Arm ARM, "The VMSAv8-64 translation regimes", and the bits of "HCR_EL2".
 * Returns: 0; -ENODATA: its registers are not to be had; -ENOTSUP: those of AArch32.
 */
static int space_of(const struct arch_regs *regs, struct space *s)
{
	const struct arm64_regs *r = &regs->arm64;
	unsigned el = (r->pstate & ARM64_PSTATE_EL) >> ARM64_PSTATE_EL_SHIFT;
	uint64_t hcr = sys(r, ARM64_HCR_EL2);
	bool tge = hcr & ARM64_HCR_TGE, e2h = hcr & ARM64_HCR_E2H;
	int rc;

	*s = (struct space){ 0 };
	if (r->pstate & ARM64_PSTATE_NRW) {
		if ((r->pstate & ARM64_PSTATE_A32_MODE) != A32_USER)
			return -ENOTSUP;
		el = 0;
	}
	if (el == 3)
		return -ENODATA;
	if (el == 2 || (el == 0 && tge && e2h))
		return regime_fill(r, e2h ? MMU_ARM64_EL20 : MMU_ARM64_EL2, s);
	rc = regime_fill(r, MMU_ARM64_EL10, s);
	if (rc < 0)
		return rc;
	if (hcr & (ARM64_HCR_TGE | HCR_DC))
		s->c.sctlr &= ~SCTLR_M;
	s->nested = !tge && (hcr & (HCR_VM | HCR_DC));
	if (s->nested)
		stage2_fill(r, &s->c2);
	return 0;
}

static int walk_in(const struct space *s, mmu_read_fn *rd, void *arg, gva at, struct mmu_xlat *out)
{
	if (s->nested)
		return mmu_arm64_nested_walk(&s->c, &s->c2, rd, arg, at, out);
	return mmu_arm64_walk(&s->c, rd, arg, at, out);
}

/*
 * Page-table isolation of Linux: in user mode, and on the way in and out, TTBR1 points to tables that have the
 * trampoline with the vectors and nothing else of the kernel. Its own tables are a known number of pages behind them
 * (TRAMP_SWAPPER_OFFSET): two since Linux 5.11; before it one, or two where it was built to switch TTBR0 for PAN.
 * That they are those is seen from the vectors, which both map alike.
 */
static bool is_behind_trampoline(const struct space *s, const struct space *kernel, mmu_read_fn *rd, void *arg)
{
	struct mmu_xlat a, b;

	return walk_in(s, rd, arg, GVA(s->vbar), &a) == 0 && a.mapped &&
	       walk_in(kernel, rd, arg, GVA(s->vbar), &b) == 0 && b.mapped &&
	       a.phys.raw + (s->vbar - a.start.raw) == b.phys.raw + (s->vbar - b.start.raw);
}

static bool is_kernel_half(const struct space *s, gva at)
{
	return (s->c.regime == MMU_ARM64_EL10 || s->c.regime == MMU_ARM64_EL20) && at.raw >> 63;
}

static int walk_isolated(const struct space *s, mmu_read_fn *rd, void *arg, gva at, struct mmu_xlat *out)
{
	static const unsigned pages[] = { 2, 1 };
	struct space kernel = *s;
	struct mmu_xlat x;
	int rc = walk_in(s, rd, arg, at, &x);

	if (rc < 0)
		return rc;
	if (x.why == MMU_NOT_PRESENT && is_kernel_half(s, at)) {
		for (unsigned i = 0; i < ARRAY_LEN(pages); i++) {
			kernel.c.ttbr1 = s->c.ttbr1 + pages[i] * mmu_arm64_page_size(&s->c, at);
			if (is_behind_trampoline(s, &kernel, rd, arg))
				return walk_in(&kernel, rd, arg, at, out);
		}
	}
	*out = x;
	return 0;
}

int arm64_walk(const struct arch_regs *r, mmu_read_fn *rd, void *arg, gva at, struct mmu_xlat *out)
{
	struct space s;
	int rc = space_of(r, &s);

	return rc < 0 ? rc : walk_isolated(&s, rd, arg, at, out);
}

int arm64_walk_untagged(const struct arch_regs *r, mmu_read_fn *rd, void *arg, gva at, struct mmu_xlat *out)
{
	struct space s;
	int rc = space_of(r, &s);

	if (rc < 0)
		return rc;
	s.c = mmu_arm64_canonical(&s.c);
	return walk_isolated(&s, rd, arg, at, out);
}

static void entries_begin(const struct mmu_xlat *x, unsigned i, struct strbuf *out)
{
	strbuf_addf(out, "level %d: entry %016" PRIx64 " at %#" PRIx64 ": ", x->top_level + (int)i, x->entry[i],
		    x->entry_at[i].raw);
}

/* How far the table with the entry at @entry is behind that of @ttbr. */
static uint64_t pages_from(uint64_t ttbr, uint64_t entry, uint64_t page)
{
	return (entry & TTBR_BADDR & -page) - (ttbr & TTBR_BADDR & -page);
}

void arm64_pt_text(const struct arch_regs *r, gva at, const struct mmu_xlat *x, struct strbuf *out)
{
	struct space s;
	uint64_t page, moved;

	if (space_of(r, &s) < 0)
		return;
	page = mmu_arm64_page_size(&s.c, at);
	moved = x->nlevels && is_kernel_half(&s, at) ? pages_from(s.c.ttbr1, x->entry_at[0].raw, page) : 0;
	s.c.ttbr1 += moved;
	mmu_arm64_range_text(&s.c, at, out);
	if (moved)
		strbuf_adds(out, "these are the kernel's own tables, behind those of its trampoline\n");
	if (s.nested)
		strbuf_adds(out, "stage 2 is on: addresses of entries, and in them, are intermediate (see s2pt)\n");
	for (unsigned i = 0; i < x->nlevels; i++) {
		entries_begin(x, i, out);
		mmu_arm64_entry_text(&s.c, at, x, i, out);
		strbuf_addc(out, '\n');
	}
}

/* ---- stage 2 ---- */

static int stage2_of(const struct arch_regs *r, const struct arch_stage2_regs *given, struct mmu_arm64_s2_ctx *c2)
{
	stage2_fill(&r->arm64, c2);
	if (given) {
		c2->vttbr = given->root;
		c2->vtcr = given->control;
		return 0;
	}
	return arm64_sys_has(&r->arm64, ARM64_VTTBR_EL2) && arm64_sys_has(&r->arm64, ARM64_VTCR_EL2) ? 0 : -ENODATA;
}

static int stage2_walk(const struct arch_regs *r, const struct arch_stage2_regs *given, mmu_read_fn *rd, void *arg,
		       gpa at, struct mmu_xlat *out)
{
	struct mmu_arm64_s2_ctx c2;
	int rc = stage2_of(r, given, &c2);

	return rc < 0 ? rc : mmu_arm64_s2_walk(&c2, rd, arg, at, out);
}

static void stage2_text(const struct arch_regs *r, const struct arch_stage2_regs *given, const struct mmu_xlat *x,
			struct strbuf *out)
{
	struct mmu_arm64_s2_ctx c2;

	if (stage2_of(r, given, &c2) < 0)
		return;
	mmu_arm64_s2_range_text(&c2, out);
	if (!given && !(sys(&r->arm64, ARM64_HCR_EL2) & (HCR_VM | HCR_DC)))
		strbuf_adds(out, "stage 2 is off (HCR_EL2.VM is 0): this is what its registers would do\n");
	for (unsigned i = 0; i < x->nlevels; i++) {
		entries_begin(x, i, out);
		mmu_arm64_s2_entry_text(&c2, x, i, out);
		strbuf_addc(out, '\n');
	}
}

const struct arch_stage2 arm64_stage2 = { stage2_walk, stage2_text };

/* ---- address spaces ---- */

uint64_t arm64_space(const struct arch_regs *r)
{
	struct space s;

	return space_of(r, &s) < 0 ? 0 : s.c.ttbr0 & TTBR_BADDR;
}

/* Page-table isolation has two roots in TTBR1, and that of the process in TTBR0 in either. */
bool arm64_in_space(const struct arch_regs *r, uint64_t root, mmu_read_fn *rd, void *arg)
{
	return arm64_space(r) == (root & TTBR_BADDR);
}
