/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdlib.h>
#include <sys/ioctl.h>

#include "../unit/test.h"
#include "kvm_rig.h"
#include "util/bytes.h"
#include "util/macros.h"

const struct arch *const rig_arch = &arch_x86;

void rig_machine_vm(struct rig *r, bool irqchip)
{
	ioctl(r->vm_fd, KVM_SET_TSS_ADDR, 0xfffbd000);
	if (irqchip)
		CHECK_EQ(ioctl(r->vm_fd, KVM_CREATE_IRQCHIP, 0), 0);
}

static void give_cpuid(struct rig *r, int fd)
{
	_cleanup_(freep) struct kvm_cpuid2 *id = calloc(1, sizeof(*id) + 256 * sizeof(id->entries[0]));

	id->nent = 256;
	CHECK_EQ(ioctl(r->kvm_fd, KVM_GET_SUPPORTED_CPUID, id), 0);
	for (unsigned i = 0; i < id->nent; i++) {
		if (id->entries[i].function == 1)
			id->entries[i].ecx |= 1 << 24; // deadline timer: the APIC has it, if there is one
	}
	CHECK_EQ(ioctl(fd, KVM_SET_CPUID2, id), 0);
}

static void real_mode(int fd, unsigned vcpu)
{
	struct kvm_regs regs = { .rip = RIG_CODE, .rflags = 2, .rsp = RIG_STACK - 0x200 * vcpu };
	struct kvm_sregs s;

	CHECK_EQ(ioctl(fd, KVM_GET_SREGS, &s), 0);
	s.cs.base = s.cs.selector = 0;
	CHECK_EQ(ioctl(fd, KVM_SET_SREGS, &s), 0);
	CHECK_EQ(ioctl(fd, KVM_SET_REGS, &regs), 0);
}

void rig_machine_cpu(struct rig *r, unsigned vcpu, bool irqchip)
{
	give_cpuid(r, r->vcpu_fd[vcpu]);
	real_mode(r->vcpu_fd[vcpu], vcpu);
}

void rig_machine_done(struct rig *r, bool irqchip)
{
}

void rig_machine_close(struct rig *r)
{
}

void rig_set_pc(struct rig *r, unsigned vcpu, uint64_t rip)
{
	struct arch_regs regs;

	rig_regs(r, vcpu, ARCH_CORE, &regs);
	regs.x86.rip = rip;
	CHECK_EQ(rig_regs_write(r, vcpu, ARCH_CORE, &regs), 0);
}

void rig_long_mode(struct rig *r, unsigned vcpu)
{
	struct arch_regs regs;
	uint64_t pdpt = RIG_TABLES + 0x1000, pd = RIG_TABLES + 0x2000;

	st_le64(r->ram + RIG_TABLES, pdpt | 3);
	st_le64(r->ram + pdpt, pd | 3);
	for (unsigned i = 0; i < 512; i++)
		st_le64(r->ram + pd + 8 * i, (uint64_t)i << 21 | 0x83);
	rig_regs(r, vcpu, ARCH_SYS, &regs);
	regs.x86.cr3 = RIG_TABLES;
	regs.x86.cr4 |= 1 << 5 | 1 << 9; // PAE, OSFXSR
	regs.x86.cr0 = 0x80000031;
	regs.x86.efer |= X86_EFER_LME | X86_EFER_LMA;
	for (unsigned i = X86_CS; i <= X86_GS; i++)
		regs.x86.seg[i] = (struct x86_seg){ .limit = 0xffffffff, .sel = 0x10, .attr = 0xc93 };
	regs.x86.seg[X86_CS].sel = 8;
	regs.x86.seg[X86_CS].attr = 0xa9b;
	CHECK_EQ(rig_regs_write(r, vcpu, ARCH_SYS, &regs), 0);
}

void rig_private_data(struct rig *r)
{
	struct arch_regs regs;

	for (unsigned i = 0; i < r->n; i++) {
		rig_regs(r, i, ARCH_SYS, &regs);
		regs.x86.seg[X86_DS].base = RIG_DATA + 0x100 * i;
		regs.x86.seg[X86_DS].sel = regs.x86.seg[X86_DS].base >> 4;
		CHECK_EQ(rig_regs_write(r, i, ARCH_SYS, &regs), 0);
	}
}

/* out 0xf4, al with al == 0 */
#define POWER_OFF 0xb0, 0x00, 0xe6, RIG_PORT_OFF

bool rig_has_int3(void)
{
	struct rig r;
	enum stop_why why;

	rig_open(&r, 1, false);
	RIG_CODE_AT(&r, RIG_CODE, 0xcc, POWER_OFF);
	RIG_CODE_AT(&r, RIG_CODE + 0x100, POWER_OFF);
	RIG_CODE_AT(&r, 3 * 4, 0x00, (RIG_CODE + 0x100) >> 8, 0, 0);
	rig_report_int3(&r);
	why = rig_run(&r).why;
	rig_close(&r);
	return why == STOP_SWBREAK;
}

bool rig_has_watch(void)
{
	const struct target_break watch = { .kind = TARGET_WATCH_WRITE, .at = GVA(RIG_DATA), .len = 1 };
	struct rig r;
	enum stop_why why;

	rig_open(&r, 1, false);
	RIG_CODE_AT(&r, RIG_CODE, 0xa2, RIG_DATA & 0xff, RIG_DATA >> 8, POWER_OFF);
	CHECK_EQ(kvm_cpus_hw_set(r.cpus, &watch, 1), 0);
	why = rig_run(&r).why;
	rig_close(&r);
	return why == STOP_WATCH;
}
