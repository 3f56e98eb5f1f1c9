/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <string.h>

#include "target/fake.h"
#include "util/bytes.h"
#include "util/macros.h"

/* How the fake guest executes: an instruction is a no-op, but for those that wait, trap or access memory. */

static int fake_table_read(void *arg, gpa at, void *buf, size_t len)
{
	size_t left;
	const uint8_t *hva = fake_hva(arg, at, &left);

	if (!hva || left < len)
		return -EFAULT;
	memcpy(buf, hva, len);
	return 0;
}

/* Where @len bytes at @at are, NULL if they are not there in one piece. */
static uint8_t *fake_at(struct fake *f, unsigned vcpu, gva at, size_t len)
{
	struct mmu_xlat x;
	uint8_t *hva;
	size_t left;

	if (f->target.arch->walk(&f->vcpu[vcpu].regs, fake_table_read, f, at, &x) < 0 || !x.mapped)
		return NULL;
	hva = fake_hva(f, GPA(x.phys.raw + (at.raw - x.start.raw)), &left);
	return hva && left >= len ? hva : NULL;
}

static bool fake_break_at(const struct fake *f, enum target_break_kind kind, gva pc)
{
	for (unsigned i = 0; i < f->nbreaks; i++)
		if (f->breaks[i].kind == kind && f->breaks[i].at.raw == pc.raw)
			return true;
	return false;
}

enum target_verdict fake_verdict(struct fake *f, unsigned vcpu, enum stop_why why, gva pc)
{
	return f->filter.whys & BIT(why) ? f->filter.judge(f->filter.arg, vcpu, why, pc) : TARGET_REPORT;
}

enum hw_kind fake_hw_kind(enum target_break_kind kind)
{
	static const enum hw_kind kinds[] = {
		[TARGET_BREAK_HW] = HW_EXEC,
		[TARGET_WATCH_WRITE] = HW_WRITE,
		[TARGET_WATCH_READ] = HW_READ,
		[TARGET_WATCH_ACCESS] = HW_ACCESS,
	};

	return kinds[kind];
}

enum fake_fate { FAKE_GO, FAKE_STAY, FAKE_STOP };

/* A breakpoint instruction at @pc. To go is to execute what is there without it. */
static enum fake_fate fake_int3(struct fake *f, unsigned vcpu, gva pc)
{
	switch (fake_verdict(f, vcpu, STOP_SWBREAK, pc)) {
	case TARGET_AGAIN:
		return FAKE_STAY;
	case TARGET_REINJECT:
		return FAKE_GO;
	case TARGET_SKIP:
		if (f->filter.patch(f->filter.arg, vcpu, pc, false) < 0)
			return FAKE_STOP;
		f->filter.patch(f->filter.arg, vcpu, pc, true);
		return FAKE_GO;
	default:
		return FAKE_STOP;
	}
}

static bool fake_stops_at_hw(struct fake *f, unsigned vcpu, gva pc)
{
	enum target_verdict verdict;

	if (!fake_break_at(f, TARGET_BREAK_HW, pc))
		return false;
	verdict = fake_verdict(f, vcpu, STOP_HWBREAK, pc);
	return verdict != TARGET_SKIP && verdict != TARGET_AGAIN;
}

#define STR_X0_X1 0xf9000020
#define LDR_X0_X1 0xf9400020

/* The two instructions that access memory. Returns: a watchpoint is hit, @ev has it, and nothing was accessed. */
static bool fake_access(struct fake *f, unsigned vcpu, uint32_t insn, struct stop_event *ev)
{
	struct arm64_regs *r = &f->vcpu[vcpu].regs.arm64;
	enum target_break_kind kind = insn == STR_X0_X1 ? TARGET_WATCH_WRITE : TARGET_WATCH_READ;
	uint8_t *hva;

	for (unsigned i = 0; i < f->nbreaks; i++) {
		const struct target_break *b = &f->breaks[i];
		struct hw_break part = { .at = b->at, .len = b->len };

		if ((b->kind != kind && b->kind != TARGET_WATCH_ACCESS) || r->x[1] + 7 < b->at.raw ||
		    r->x[1] > b->at.raw + (b->len - 1))
			continue;
		ev->why = STOP_WATCH;
		ev->watch_kind = fake_hw_kind(b->kind);
		ev->watch_at = arch_hw_nearest(&part, GVA(r->x[1]));
		return true;
	}
	hva = fake_at(f, vcpu, GVA(r->x[1]), 8);
	if (hva && insn == STR_X0_X1)
		st_le64(hva, r->x[0]);
	else if (hva)
		r->x[0] = ld_le64(hva);
	return false;
}

/* Execute what is at @insn. Returns: false if it hits a watchpoint instead; then @ev has it. */
static bool fake_execute(struct fake *f, unsigned vcpu, const uint8_t *insn, struct stop_event *ev)
{
	struct fake_vcpu *v = &f->vcpu[vcpu];

	if (f->isa == &fake_isa_arm64 && (ld_le32(insn) == STR_X0_X1 || ld_le32(insn) == LDR_X0_X1) &&
	    fake_access(f, vcpu, ld_le32(insn), ev))
		return false;
	v->waits = memcmp(insn, f->isa->halt, f->isa->insn_len) == 0;
	*f->isa->pc(&v->regs) += f->isa->insn_len;
	ev->pc.raw += f->isa->insn_len;
	return true;
}

/* One turn of one vCPU. Returns: it did something; a stop is put into f->due. */
static bool fake_turn(struct fake *f, unsigned vcpu)
{
	struct fake_vcpu *v = &f->vcpu[vcpu];
	enum target_action action = f->plan.vcpu[vcpu].action;
	struct stop_event ev = { .vcpu = vcpu, .pc = f->target.arch->pc_get(&v->regs) };
	const uint8_t *insn = fake_at(f, vcpu, ev.pc, f->isa->insn_len);
	enum fake_fate fate = FAKE_GO;
	bool stop = true;

	if (v->waits || !insn) {
		v->waits = true;
		return false;
	}
	if (fake_stops_at_hw(f, vcpu, ev.pc)) {
		ev.why = STOP_HWBREAK;
	} else if (action == TARGET_RUN && fake_break_at(f, TARGET_BREAK_SW, ev.pc)) {
		ev.why = STOP_SWBREAK; // like QEMU: a step overrides it
	} else if (f->target.arch->is_bp(insn, f->isa->insn_len) && (fate = fake_int3(f, vcpu, ev.pc)) != FAKE_GO) {
		if (fate == FAKE_STAY)
			return false;
		ev.why = STOP_SWBREAK;
	} else if (fake_execute(f, vcpu, insn, &ev)) {
		ev.why = STOP_STEP;
		stop = !v->waits && action != TARGET_RUN;
		if (action == TARGET_STEP_RANGE && ev.pc.raw >= f->plan.vcpu[vcpu].lo.raw &&
		    ev.pc.raw < f->plan.vcpu[vcpu].hi.raw)
			stop = false;
	}
	if (stop)
		fake_stop(f, &ev);
	return true;
}

void fake_run(struct fake *f)
{
	bool moved = true;

	while (moved && !f->due_set) {
		moved = false;
		for (unsigned v = 0; v < f->target.nvcpus && !f->due_set; v++)
			if (f->plan.vcpu[v].action != TARGET_HOLD)
				moved |= fake_turn(f, v);
	}
}
