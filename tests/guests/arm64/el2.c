/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A small hypervisor, for docs/arm64-hypervisor.md: it starts at EL2, gives a guest of two vCPUs a stage 2 of three
 * pages, is the device that the guest finds at an address without a page, runs the vCPUs in turn, and injects an
 * interrupt into the second one each time it is its turn. el2_entry.S has the guest.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "el2.h"
#include "guest.h"

enum { NVCPUS = 2, NLRS = 4, TIMER_INTID = 27 };
enum { EC_WFX = 0x01, EC_HVC64 = 0x16, EC_DATA_ABORT_LOWER = 0x24 };
enum { PSTATE_EL1H_MASKED = 0x3c5, MPIDR_RES1 = 1u << 31 };

#define HCR_VM (UINT64_C(1) << 0)
#define HCR_FMO (UINT64_C(1) << 3)
#define HCR_IMO (UINT64_C(1) << 4)
#define HCR_AMO (UINT64_C(1) << 5)
#define HCR_TWI (UINT64_C(1) << 13)
#define HCR_RW (UINT64_C(1) << 31)

/* 39 bits of IPA in tables of 4K from level 1, cached walks, 40 bits of physical addresses. */
#define VTCR_VALUE (UINT64_C(1) << 31 | 2 << 16 | 3 << 12 | 1 << 10 | 1 << 8 | 1 << 6 | 25)
#define S2_TABLE 0x3
#define S2_CODE 0x77f /* a page: accessed, inner shareable, read-only, normal cached */
#define S2_DATA ((UINT64_C(1) << 54) | 0x7ff)

#define LR_PENDING (UINT64_C(1) << 62)
#define LR_GROUP1 (UINT64_C(1) << 60)
#define LR_PRIORITY(p) ((uint64_t)(p) << 48)

struct vcpu {
	uint64_t x[31], pc, pstate;
	/* kept here while another one runs */
	uint64_t sctlr, vbar, sp, elr, spsr, vmcr, lr[NLRS];
	unsigned id;
	bool on;
	uint64_t turns, interrupts;
};
_Static_assert(offsetof(struct vcpu, pc) == VCPU_PC && offsetof(struct vcpu, pstate) == VCPU_PSTATE, "el2.h");

struct vcpu vcpus[NVCPUS];
struct vcpu *current;
uint32_t device_value;
uint8_t stack[4096] __attribute__((aligned(16)));
__asm__(".globl stack_end\n.set stack_end, stack + 4096");

static uint64_t level1[512] __attribute__((aligned(4096)));
static uint64_t level2[512] __attribute__((aligned(4096)));
static uint64_t level3[512] __attribute__((aligned(4096)));
static uint8_t guest_data[4096] __attribute__((aligned(4096)));
extern uint8_t guest_image[], guest_start[];

struct vcpu *hyp_main(void);
struct vcpu *vcpu_exit(struct vcpu *v);
void unexpected(void);

#define READ(reg)                                                \
	({                                                       \
		uint64_t value_;                                 \
		__asm__ volatile("mrs %0, " reg : "=r"(value_)); \
		value_;                                          \
	})
#define WRITE(reg, value) __asm__ volatile("msr " reg ", %0" : : "r"((uint64_t)(value)))

static void say(const char *text)
{
	for (; *text; text++)
		*(volatile uint32_t *)UART = (uint8_t)*text;
}

/* ---- stage 2 ---- */

static void stage2_map(uint64_t ipa, const void *page, uint64_t attributes)
{
	level1[ipa >> 30 & 511] = (uint64_t)level2 | S2_TABLE;
	level2[ipa >> 21 & 511] = (uint64_t)level3 | S2_TABLE;
	level3[ipa >> 12 & 511] = (uint64_t)page | attributes;
}

static void stage2_on(void)
{
	stage2_map(GUEST_CODE, guest_image, S2_CODE);
	stage2_map(GUEST_DATA, guest_data, S2_DATA);
	WRITE("vtcr_el2", VTCR_VALUE);
	WRITE("vttbr_el2", UINT64_C(1) << 48 | (uint64_t)level1); // VMID 1
	__asm__ volatile("dsb sy; isb; tlbi vmalls12e1; dsb sy; isb" : : : "memory");
}

/* The guest's device: a register that keeps what is written to it. */
static void stage2_fault(struct vcpu *v, uint64_t esr, uint64_t far, uint64_t hpfar)
{
	const uint64_t ipa = hpfar >> 4 << 12 | (far & 0xfff);
	const unsigned from = esr >> 16 & 31;

	if (ipa >> 12 != GUEST_DEVICE >> 12 || !(esr >> 24 & 1) || !(esr >> 6 & 1))
		unexpected();
	device_value = from == 31 ? 0 : (uint32_t)v->x[from];
	v->pc += 4;
}

/* ---- interrupts ---- */

static void lr_load(const struct vcpu *v)
{
	WRITE("ich_lr0_el2", v->lr[0]);
	WRITE("ich_lr1_el2", v->lr[1]);
	WRITE("ich_lr2_el2", v->lr[2]);
	WRITE("ich_lr3_el2", v->lr[3]);
}

static void lr_save(struct vcpu *v)
{
	v->lr[0] = READ("ich_lr0_el2");
	v->lr[1] = READ("ich_lr1_el2");
	v->lr[2] = READ("ich_lr2_el2");
	v->lr[3] = READ("ich_lr3_el2");
}

static void inject(struct vcpu *v, uint64_t intid)
{
	for (unsigned i = 0; i < NLRS; i++) {
		if (v->lr[i] >> 62)
			continue;
		v->lr[i] = LR_PENDING | LR_GROUP1 | LR_PRIORITY(0xa0) | intid;
		v->interrupts++;
		return;
	}
}

/* ---- vCPUs ---- */

static void vcpu_save(struct vcpu *v)
{
	v->sctlr = READ("sctlr_el1");
	v->vbar = READ("vbar_el1");
	v->sp = READ("sp_el1");
	v->elr = READ("elr_el1");
	v->spsr = READ("spsr_el1");
	v->vmcr = READ("ich_vmcr_el2");
	lr_save(v);
}

static void vcpu_load(struct vcpu *v)
{
	WRITE("sctlr_el1", v->sctlr);
	WRITE("vbar_el1", v->vbar);
	WRITE("sp_el1", v->sp);
	WRITE("elr_el1", v->elr);
	WRITE("spsr_el1", v->spsr);
	WRITE("ich_vmcr_el2", v->vmcr);
	WRITE("vmpidr_el2", MPIDR_RES1 | v->id);
	lr_load(v);
	v->turns++;
	current = v;
	__asm__ volatile("isb");
}

static struct vcpu *schedule(struct vcpu *v)
{
	struct vcpu *next = &vcpus[(v->id + 1) % NVCPUS];

	if (!next->on)
		return v;
	vcpu_save(v);
	if (next->id == 1)
		inject(next, TIMER_INTID);
	vcpu_load(next);
	return next;
}

static void vcpu_on(struct vcpu *v, uint64_t entry, uint64_t context)
{
	v->pc = entry;
	v->pstate = PSTATE_EL1H_MASKED;
	v->x[0] = context;
	v->sctlr = SCTLR_RES1;
	v->on = true;
}

static void psci(struct vcpu *v)
{
	switch (v->x[0]) {
	case PSCI_VERSION:
		v->x[0] = 1 << 16 | 1;
		break;
	case PSCI_CPU_ON:
		vcpu_on(&vcpus[v->x[1] % NVCPUS], v->x[2], v->x[3]);
		v->x[0] = 0;
		break;
	case PSCI_SYSTEM_OFF:
		say("hyp: the guest is off\n");
		__asm__ volatile("mov x0, %0; smc #0" : : "r"((uint64_t)PSCI_SYSTEM_OFF) : "x0", "x1", "x2", "x3");
		break;
	default:
		v->x[0] = (uint64_t)-1;
	}
}

struct vcpu *vcpu_exit(struct vcpu *v)
{
	const uint64_t esr = READ("esr_el2");

	switch (esr >> ESR_EC_SHIFT) {
	case EC_DATA_ABORT_LOWER:
		stage2_fault(v, esr, READ("far_el2"), READ("hpfar_el2"));
		return v;
	case EC_HVC64:
		psci(v);
		return v;
	case EC_WFX:
		v->pc += 4;
		return schedule(v);
	default:
		unexpected();
		return v;
	}
}

struct vcpu *hyp_main(void)
{
	say("hyp: here\n");
	for (unsigned i = 0; i < NVCPUS; i++)
		vcpus[i].id = i;
	stage2_on();
	WRITE("icc_sre_el2", 0xf);
	__asm__ volatile("isb");
	WRITE("icc_sre_el1", 0x7);
	WRITE("ich_hcr_el2", 1);
	WRITE("vpidr_el2", READ("midr_el1"));
	WRITE("hcr_el2", HCR_VM | HCR_FMO | HCR_IMO | HCR_AMO | HCR_TWI | HCR_RW);
	vcpu_on(&vcpus[0], (uint64_t)guest_start, 0);
	vcpu_load(&vcpus[0]);
	return &vcpus[0];
}
