/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <string.h>

#include "kvm/arm64_internal.h"
#include "util/bytes.h"

/* The guest's code as it is in memory, breakpoints that are planted there included, by the page tables in force. */

enum { PAGE_SHIFT = 12 };

static int table_read(void *port, gpa at, void *buf, size_t len)
{
	struct kvm_port *p = port;
	size_t n = len;
	const uint8_t *hva = p->ops->hva(p, at, &n);

	if (!hva || n < len)
		return -EFAULT;
	memcpy(buf, hva, len);
	return 0;
}

void kvm_insn_forget(struct kvm_cpu *cpu)
{
	cpu->mach->sys.have = 0;
	cpu->mach->page = 0;
}

static const uint8_t *find_page(struct kvm_cpu *cpu, uint64_t at)
{
	struct kvm_cpu_mach *m = cpu->mach;
	struct kvm_port *p = cpu->all->port;
	struct mmu_xlat x;
	size_t len = KVM_INSN_LEN;

	if (m->page == (at >> PAGE_SHIFT) + 1)
		return m->page_hva;
	if (!m->sys.have && kvm_regs_read(p, cpu->id, ARCH_CORE | ARCH_SYS, &m->sys) < 0)
		return NULL;
	at &= ~((UINT64_C(1) << PAGE_SHIFT) - 1);
	if (cpu->all->arch->walk(&m->sys, table_read, p, GVA(at), &x) < 0 || !x.mapped)
		return NULL;
	m->page_hva = p->ops->hva(p, GPA(x.phys.raw + (at - x.start.raw)), &len);
	m->page = m->page_hva ? (at >> PAGE_SHIFT) + 1 : 0;
	return m->page_hva;
}

bool kvm_insn_read(struct kvm_cpu *cpu, uint64_t pc, uint32_t *out, size_t n)
{
	for (size_t i = 0; i < n; i++, pc += KVM_INSN_LEN) {
		const uint8_t *page = pc % KVM_INSN_LEN ? NULL : find_page(cpu, pc);

		if (!page)
			return false;
		out[i] = ld_le32(page + (pc & ((1u << PAGE_SHIFT) - 1)));
	}
	return true;
}

bool kvm_step_is_bp(struct kvm_cpu *cpu, gva pc)
{
	uint32_t code;
	uint8_t bytes[KVM_INSN_LEN];

	kvm_insn_forget(cpu);
	if (!kvm_insn_read(cpu, pc.raw, &code, 1))
		return true; // it was executed: the guest knows
	st_le32(bytes, code);
	return cpu->all->arch->is_bp(bytes, sizeof(bytes));
}
