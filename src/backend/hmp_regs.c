/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What QEMU's monitor says of an x86 vCPU, beside what its gdbstub does. */
#include <string.h>

#include "backend/hmp.h"

/* The stub's packet has the selectors and control registers; everything hidden is the monitor's. */
static void sys_add(const struct x86_regs *m, bool whole, struct x86_regs *x)
{
	struct x86_regs was = *x;

	memcpy(x->seg, m->seg, sizeof(x->seg));
	x->gdt = m->gdt;
	x->idt = m->idt;
	if (!whole) {
		for (unsigned i = 0; i < X86_LDTR; i++)
			x->seg[i].sel = was.seg[i].sel;
		return;
	}
	x->cr0 = m->cr0;
	x->cr2 = m->cr2;
	x->cr3 = m->cr3;
	x->cr4 = m->cr4;
	x->efer = m->efer;
}

/* QEMU 7.2's stub has x87 registers by number, and no tags; neither has it AVX. */
static void fp_add(const struct x86_regs *m, bool whole, struct x86_regs *x)
{
	memcpy(x->st, m->st, sizeof(x->st));
	memcpy(x->ymmh, m->ymmh, sizeof(x->ymmh));
	x->ftag = m->ftag;
	x->fp_absent = m->fp_absent;
	if (!whole)
		return;
	memcpy(x->xmm, m->xmm, sizeof(x->xmm));
	x->mxcsr = m->mxcsr;
	x->fctrl = m->fctrl;
	x->fstat = m->fstat;
}

void hmp_cpu_add(const struct hmp_cpu *c, struct arch_regs *r)
{
	const struct x86_regs *m = &c->r.x86;

	// The stub's flags are the ones that count: the monitor shows stale ones after a write to them.
	if (c->r.have & ARCH_CORE && !(r->have & ARCH_CORE)) {
		memcpy(r->x86.gpr, m->gpr, sizeof(r->x86.gpr));
		r->x86.rip = m->rip;
		r->x86.rflags = m->rflags;
	}
	if (c->r.have & ARCH_SYS)
		sys_add(m, !(r->have & ARCH_SYS), &r->x86);
	else
		r->have &= ~(uint32_t)ARCH_SYS;
	if (c->r.have & ARCH_FP)
		fp_add(m, !(r->have & ARCH_FP), &r->x86);
	else
		r->have &= ~(uint32_t)ARCH_FP;
	if (c->r.have & ARCH_DEBUG)
		memcpy(r->x86.dr, m->dr, sizeof(r->x86.dr));
	r->have |= c->r.have;
}

/*
 * Waiting for a start-up interrupt looks like a halt that no interrupt can end. An operating system that takes a
 * processor down leaves it so, too.
 */
bool hmp_cpu_online(const struct hmp_cpu *c)
{
	return !(c->r.have & ARCH_CORE) || !c->halted || c->r.x86.rflags & X86_RFLAGS_IF;
}

/* The same names mean the same there. */
static const char *info_line(enum target_info what)
{
	static const char *const line[] = {
		[TARGET_INFO_PIC] = "info pic",
		[TARGET_INFO_IRQ] = "info irq",
		[TARGET_INFO_LAPIC] = "info lapic",
	};

	return line[what];
}

static void text_add(const char *text, struct strbuf *out)
{
	for (const char *p = text; *p; p++)
		if (*p != '\r')
			strbuf_addc(out, *p);
}

int hmp_cpu_read(hmp_say_fn *say, void *arg, unsigned vcpu, struct hmp_cpu *out)
{
	_cleanup_(strbuf_deinit) struct strbuf text = { 0 };
	int rc = say(arg, vcpu, "info registers", &text);

	return rc < 0 ? rc : hmp_cpu_parse(strbuf_str(&text), out);
}

int hmp_regs_read(hmp_say_fn *say, void *arg, unsigned vcpu, uint32_t groups, struct arch_regs *r)
{
	struct hmp_cpu c;
	int rc;

	if (!(groups & (ARCH_CORE | ARCH_SYS | ARCH_FP | ARCH_DEBUG)))
		return 0;
	rc = hmp_cpu_read(say, arg, vcpu, &c);
	if (rc == 0)
		hmp_cpu_add(&c, r);
	return rc;
}

int hmp_info(hmp_say_fn *say, void *arg, enum target_info what, unsigned vcpu, struct strbuf *out)
{
	_cleanup_(strbuf_deinit) struct strbuf text = { 0 };
	int rc = say(arg, vcpu, info_line(what), &text);

	if (rc == 0)
		text_add(strbuf_str(&text), out);
	return rc;
}
