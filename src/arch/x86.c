/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "arch/x86.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "mmu/x86.h"
#include "util/bytes.h"
#include "util/macros.h"

#define CR4_LA57 BIT64(12)
#define CR4_PAE BIT64(5)

const uint32_t x86_msr_number[X86_NMSR] = {
	[X86_MSR_TSC] = 0x10,
	[X86_MSR_APIC_BASE] = 0x1b,
	[X86_MSR_SYSENTER_CS] = 0x174,
	[X86_MSR_SYSENTER_ESP] = 0x175,
	[X86_MSR_SYSENTER_EIP] = 0x176,
	[X86_MSR_PAT] = 0x277,
	[X86_MSR_MTRR_DEF_TYPE] = 0x2ff,
	[X86_MSR_MISC_ENABLE] = 0x1a0,
	[X86_MSR_STAR] = 0xc0000081,
	[X86_MSR_LSTAR] = 0xc0000082,
	[X86_MSR_CSTAR] = 0xc0000083,
	[X86_MSR_SFMASK] = 0xc0000084,
	[X86_MSR_KERNEL_GS_BASE] = 0xc0000102,
	[X86_MSR_TSC_AUX] = 0xc0000103,
	[X86_MSR_SPEC_CTRL] = 0x48,
	[X86_MSR_TSC_DEADLINE] = 0x6e0,
};

bool x86_in_64bit_code(const struct x86_regs *r)
{
	return (r->efer & X86_EFER_LMA) && (r->seg[X86_CS].attr & X86_SEG_L);
}

static bool in_virtual_8086(const struct x86_regs *r)
{
	return (r->cr0 & X86_CR0_PE) && !(r->efer & X86_EFER_LMA) && (r->rflags & X86_RFLAGS_VM);
}

gva x86_pc_get(const struct arch_regs *regs)
{
	const struct x86_regs *r = &regs->x86;

	if (x86_in_64bit_code(r))
		return GVA(r->rip);
	return GVA((uint32_t)(r->seg[X86_CS].base + r->rip));
}

static bool is_canonical(const struct x86_regs *r, uint64_t at)
{
	unsigned unused = 64 - (r->cr4 & CR4_LA57 ? 57 : 48);

	return (uint64_t)((int64_t)(at << unused) >> unused) == at;
}

/* The offset in CS that makes the processor fetch from @pc. */
static int pc_to_offset(const struct x86_regs *r, uint64_t pc, uint64_t *ret)
{
	const struct x86_seg *cs = &r->seg[X86_CS];
	uint32_t offset = pc - cs->base;

	// A processor that is entered with a non-canonical rip may refuse to run at all.
	if (x86_in_64bit_code(r)) {
		if (!is_canonical(r, pc))
			return -EINVAL;
		*ret = pc;
		return 0;
	}
	if (pc > UINT32_MAX)
		return -EINVAL;
	// Below its base a segment is reached only by wrapping round at 4 GiB, which takes a large limit.
	if (pc < cs->base && offset > cs->limit)
		return -EINVAL;
	*ret = offset;
	return 0;
}

int x86_pc_set(struct arch_regs *regs, gva pc)
{
	uint64_t offset;
	int rc = pc_to_offset(&regs->x86, pc.raw, &offset);

	if (rc < 0)
		return rc;
	regs->x86.rip = offset;
	regs->dirty |= ARCH_CORE;
	return 0;
}

void x86_selector_set(struct x86_regs *r, unsigned seg, uint16_t sel)
{
	struct x86_seg *s = &r->seg[seg];

	// The same value again changes nothing: at reset CS is 0xf000 with a base of 0xffff0000.
	if (s->sel == sel)
		return;
	s->sel = sel;
	if (!(r->cr0 & X86_CR0_PE) || in_virtual_8086(r))
		s->base = (uint64_t)sel << 4;
}

static const struct arch_layout *layout(const struct arch_regs *regs)
{
	if (x86_in_64bit_code(&regs->x86))
		return &arch_layout_x86_64;
	return regs->x86.seg[X86_CS].attr & X86_SEG_DB ? &arch_layout_i386 : &arch_layout_i8086;
}

/*
 * Page-table isolation of Linux (its "Page Table Isolation" document): in user mode, and on the way in and out, CR3
 * points to the second page of a pair, which has next to nothing of the kernel. The first page has all.
 */
#define PTI_USER_TABLE BIT64(12)
#define PTI_SHARED GVA(0xfffffe0000000000) /* the read-only IDT: mapped in both, always */

static bool is_pti_pair(const struct mmu_x86_ctx *user, const struct mmu_x86_ctx *kernel, mmu_read_fn *rd, void *arg)
{
	struct mmu_xlat a, b;

	return mmu_x86_walk(user, rd, arg, PTI_SHARED, &a) == 0 && a.mapped &&
	       mmu_x86_walk(kernel, rd, arg, PTI_SHARED, &b) == 0 && b.mapped && a.phys.raw == b.phys.raw;
}

static int walk(const struct arch_regs *regs, mmu_read_fn *rd, void *arg, gva at, struct mmu_xlat *out)
{
	const struct x86_regs *r = &regs->x86;
	struct mmu_x86_ctx c = { .cr0 = r->cr0, .cr3 = r->cr3, .cr4 = r->cr4, .efer = r->efer };
	struct mmu_x86_ctx kernel = c;
	struct mmu_xlat x;
	int rc = mmu_x86_walk(&c, rd, arg, at, &x);

	if (rc < 0)
		return rc;
	kernel.cr3 &= ~PTI_USER_TABLE;
	if (x.why == MMU_NOT_PRESENT && at.raw >> 63 && kernel.cr3 != c.cr3 && is_pti_pair(&c, &kernel, rd, arg))
		return mmu_x86_walk(&kernel, rd, arg, at, out);
	*out = x;
	return 0;
}

static void pt_text(const struct arch_regs *regs, gva at, const struct mmu_xlat *x, struct strbuf *out)
{
	static const char *const name[MMU_MAX_LEVELS] = { "PML5E", "PML4E", "PDPTE", "PDE", "PTE" };
	static const uint8_t first[] = {
		[MMU_X86_32BIT] = 3, [MMU_X86_PAE] = 2, [MMU_X86_4LEVEL] = 1, [MMU_X86_5LEVEL] = 0
	};
	const struct x86_regs *r = &regs->x86;
	const struct mmu_x86_ctx c = { .cr0 = r->cr0, .cr4 = r->cr4, .efer = r->efer };

	for (unsigned i = 0; i < x->nlevels; i++)
		strbuf_addf(out, "%-5s %016" PRIx64 " at %#" PRIx64 "\n", name[first[mmu_x86_mode(&c)] + i],
			    x->entry[i], x->entry_at[i].raw);
}

/* Bits of the entry that maps the page. Intel SDM, "Paging". */
static void page_flags(const struct mmu_xlat *x, struct strbuf *out)
{
	static const struct {
		uint8_t bit;
		char letter;
	} flag[] = { { 8, 'G' }, { 6, 'D' }, { 5, 'A' }, { 4, 'C' }, { 3, 'T' } };
	const uint64_t entry = x->nlevels ? x->entry[x->nlevels - 1] : 0;

	for (unsigned i = 0; i < ARRAY_LEN(flag); i++)
		strbuf_addc(out, entry >> flag[i].bit & 1 ? flag[i].letter : '-');
}

/* Bits 11:0 of CR3 are a tag or cache attributes, bit 63 of what is written there says what to flush. */
static uint64_t root_of(const struct x86_regs *r, uint64_t cr3)
{
	if (r->efer & X86_EFER_LMA)
		return cr3 & 0x000ffffffffff000;
	return cr3 & (r->cr4 & CR4_PAE ? 0xffffffe0 : 0xfffff000);
}

static uint64_t space(const struct arch_regs *regs)
{
	return root_of(&regs->x86, regs->x86.cr3);
}

#define ENTRY_NX BIT64(63)

/* The user half of both tables of a pair is the same, but for the no-execute bit that the kernel's has there. */
static bool has_same_user_half(uint64_t a, uint64_t b, mmu_read_fn *rd, void *arg)
{
	for (uint64_t off = 0; off < 2048; off += 8) {
		uint8_t ea[8], eb[8];

		if (rd(arg, GPA(a + off), ea, 8) < 0 || rd(arg, GPA(b + off), eb, 8) < 0 ||
		    (ld_le64(ea) ^ ld_le64(eb)) & ~ENTRY_NX)
			return false;
	}
	return true;
}

static bool in_space(const struct arch_regs *regs, uint64_t root, mmu_read_fn *rd, void *arg)
{
	const struct x86_regs *r = &regs->x86;
	uint64_t a = root_of(r, r->cr3), b = root_of(r, root);
	struct mmu_x86_ctx user = { .cr0 = r->cr0, .cr3 = a | PTI_USER_TABLE, .cr4 = r->cr4, .efer = r->efer };
	struct mmu_x86_ctx kernel = user;

	if (a == b || (a ^ b) != PTI_USER_TABLE || !(r->efer & X86_EFER_LMA))
		return a == b;
	kernel.cr3 = a & ~PTI_USER_TABLE;
	return has_same_user_half(user.cr3, kernel.cr3, rd, arg) && is_pti_pair(&user, &kernel, rd, arg);
}

/* int3 may have prefixes, which change nothing: Intel SDM, "Instruction Prefixes". */
static bool is_bp(const uint8_t *code, size_t n)
{
	static const uint8_t prefixes[] = { 0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65, 0x66, 0x67, 0xf2, 0xf3 };
	size_t i = 0;

	while (i < n && ((code[i] & 0xf0) == 0x40 || memchr(prefixes, code[i], sizeof(prefixes))))
		i++;
	return i < n && code[i] == arch_x86.bp_insn[0];
}

static const char *mode_text(const struct arch_regs *regs)
{
	const struct x86_regs *r = &regs->x86;

	if (!(r->cr0 & X86_CR0_PE))
		return "real mode";
	if (in_virtual_8086(r))
		return "virtual-8086";
	if (r->efer & X86_EFER_LMA)
		return x86_in_64bit_code(r) ? "64-bit" : "compatibility mode";
	return r->seg[X86_CS].attr & X86_SEG_DB ? "32-bit protected" : "16-bit protected";
}

static const char *const report_regs[] = { "cr3", NULL };

const struct arch arch_x86 = {
	.name = "x86",
	.bp_insn = { 0xcc },
	.bp_len = 1,
	.insn_align = 1,
	.is_bp = is_bp,
	.hw_before_fetch = true, // Intel SDM vol. 3, "Prioritization of Concurrent Events"
	.hw_max = { .exec = 4, .watch = 4 },
	.layout = layout,
	.all_regs = &arch_layout_x86_64,
	.report_regs = report_regs,
	.pc_groups = ARCH_CORE | ARCH_SYS,
	.pc_get = x86_pc_get,
	.pc_set = x86_pc_set,
	.walk_groups = ARCH_SYS,
	.walk = walk,
	.pt_text = pt_text,
	.page_flags = page_flags,
	.space_name = "cr3",
	.space = space,
	.in_space = in_space,
	.start_name = "its start-up interrupt",
	.clock_name = "kvmclock",
	.counter_name = "TSC",
	.mode_text = mode_text,
	.hw_encode = x86_hw_encode,
	.hw_decode = x86_hw_decode,
};
