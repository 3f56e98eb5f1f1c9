/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a vCPU sees: its registers without an ioctl where KVM shares them, and memory at linear addresses. */
#include <errno.h>
#include <string.h>

#include "kvm/x86_guest.h"
#include "util/macros.h"

enum { CR0_PE = 1 };

int kvm_guest_load(struct kvm_cpu *cpu, struct kvm_guest *g)
{
	const struct kvm_sync_regs *s = &cpu->run->s.regs;
	int rc;

	if (cpu->synced) {
		g->regs = s->regs;
		g->sregs = s->sregs;
		return 0;
	}
	rc = kvm_cpu_ioctl(cpu, KVM_GET_REGS, &g->regs);
	if (rc >= 0)
		rc = kvm_cpu_ioctl(cpu, KVM_GET_SREGS, &g->sregs);
	return MIN(rc, 0);
}

int kvm_guest_store(struct kvm_cpu *cpu, const struct kvm_guest *g)
{
	struct kvm_regs regs = g->regs;
	int rc = kvm_cpu_ioctl(cpu, KVM_SET_REGS, &regs);

	cpu->synced = false;
	return MIN(rc, 0);
}

bool kvm_guest_is_64bit(const struct kvm_guest *g)
{
	return g->sregs.efer & X86_EFER_LMA && g->sregs.cs.l;
}

unsigned kvm_guest_cpl(const struct kvm_guest *g)
{
	if (!(g->sregs.cr0 & CR0_PE))
		return 0;
	return g->regs.rflags & X86_RFLAGS_VM ? 3 : g->sregs.ss.dpl;
}

gva kvm_guest_pc(const struct kvm_guest *g)
{
	return kvm_guest_is_64bit(g) ? GVA(g->regs.rip) : GVA((uint32_t)(g->sregs.cs.base + g->regs.rip));
}

gva kvm_guest_stack(const struct kvm_guest *g, uint64_t offset)
{
	uint64_t sp = g->regs.rsp + offset;

	if (kvm_guest_is_64bit(g))
		return GVA(sp);
	return GVA((uint32_t)(g->sregs.ss.base + (g->sregs.ss.db ? (uint32_t)sp : (uint16_t)sp)));
}

/* ---- memory ---- */

void kvm_guest_copy(void *to, const uint8_t *from, size_t n)
{
	uint8_t *out = to;

	while (n > 0) {
		if ((uintptr_t)from % sizeof(uint64_t) == 0 && n >= sizeof(uint64_t)) {
			uint64_t word = __atomic_load_n((const uint64_t *)(const void *)from, __ATOMIC_RELAXED);

			memcpy(out, &word, sizeof(word));
			from += sizeof(word);
			out += sizeof(word);
			n -= sizeof(word);
		} else {
			*out++ = __atomic_load_n(from++, __ATOMIC_RELAXED);
			n--;
		}
	}
}

static uint8_t *phys(struct kvm_port *p, gpa at, size_t *len)
{
	return p->ops->hva(p, at, len);
}

static int table_read(void *port, gpa at, void *buf, size_t len)
{
	size_t n = len;
	const uint8_t *hva = phys(port, at, &n);

	if (!hva || n < len)
		return -EFAULT;
	kvm_guest_copy(buf, hva, len);
	return 0;
}

static struct mmu_x86_ctx ctx_of(const struct kvm_guest *g)
{
	return (struct mmu_x86_ctx){
		.cr0 = g->sregs.cr0, .cr3 = g->sregs.cr3, .cr4 = g->sregs.cr4, .efer = g->sregs.efer
	};
}

static uint8_t *in_page(struct kvm_cpu *cpu, const struct mmu_xlat *x, gva at, size_t *len, uint8_t *perm)
{
	uint64_t off = at.raw - x->start.raw;

	*len = MIN(*len, x->size - off);
	if (perm)
		*perm = x->perm;
	return phys(cpu->all->port, GPA(x->phys.raw + off), len);
}

uint8_t *kvm_guest_hva(struct kvm_cpu *cpu, const struct kvm_guest *g, gva at, size_t *len, uint8_t *perm)
{
	const struct mmu_x86_ctx c = ctx_of(g);
	struct mmu_xlat x;

	if (mmu_x86_walk(&c, table_read, cpu->all->port, at, &x) < 0 || !x.mapped)
		return NULL;
	return in_page(cpu, &x, at, len, perm);
}

static bool still_so(const struct kvm_guest_page *p, const struct kvm_guest *g, gva at)
{
	if (!p->usable || at.raw - p->x.start.raw >= p->x.size || p->ctx.cr0 != g->sregs.cr0 ||
	    p->ctx.cr3 != g->sregs.cr3 || p->ctx.cr4 != g->sregs.cr4 || p->ctx.efer != g->sregs.efer)
		return false;
	for (unsigned i = 0; i < p->x.nlevels; i++) {
		if (__atomic_load_n(p->entry[i], __ATOMIC_RELAXED) != p->x.entry[i])
			return false;
	}
	return true;
}

/* Only with entries of 8 bytes: nearly all there is. */
static bool find_entries(struct kvm_cpu *cpu, struct kvm_guest_page *p)
{
	for (unsigned i = 0; i < p->x.nlevels; i++) {
		size_t n = sizeof(uint64_t);

		p->entry[i] = (const uint64_t *)(void *)phys(cpu->all->port, p->x.entry_at[i], &n);
		if (!p->entry[i] || n < sizeof(uint64_t))
			return false;
	}
	return mmu_x86_mode(&p->ctx) >= MMU_X86_PAE;
}

uint8_t *kvm_guest_hva_again(struct kvm_cpu *cpu, const struct kvm_guest *g, struct kvm_guest_page *last, gva at,
			     size_t *len, uint8_t *perm)
{
	if (!still_so(last, g, at)) {
		last->usable = false;
		last->ctx = ctx_of(g);
		if (mmu_x86_walk(&last->ctx, table_read, cpu->all->port, at, &last->x) < 0 || !last->x.mapped)
			return NULL;
		last->usable = find_entries(cpu, last);
	}
	return in_page(cpu, &last->x, at, len, perm);
}

size_t kvm_guest_read(struct kvm_cpu *cpu, const struct kvm_guest *g, gva at, void *buf, size_t len)
{
	size_t done = 0;

	while (done < len) {
		size_t n = len - done;
		const uint8_t *hva = kvm_guest_hva(cpu, g, GVA(at.raw + done), &n, NULL);

		if (!hva)
			break;
		kvm_guest_copy((uint8_t *)buf + done, hva, n);
		done += n;
	}
	return done;
}
