/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * One exact step: one instruction is executed, or the exception that it raises is delivered, and nothing in the guest
 * shows that a trap flag of ours had a part in it. KVM sets the flag in the guest's flags for the first instruction
 * after KVM_SET_GUEST_DEBUG, which is not enough by itself:
 *
 * - pushf, int n, exceptions and syscall store flags with ours in them. They are put right.
 * - int n, exceptions and syscall clear the flag, so the vCPU would run on in the handler. It runs into an int3 that is
 *   planted there (a "landing") until KVM_RUN returns.
 * - sysret takes the flag from r11, where it is set for the step.
 * - popf, iret and sysret may load a trap flag of the guest's own, which KVM hides and then forgets. It is kept here;
 *   where the guest would trap by itself, it gets its debug exception as a part of the step.
 * - Without KVM_GUESTDBG_BLOCKIRQ the interrupt flag is cleared for the step, and is then what the instruction makes
 * it.
 *
 * own_tf is the guest's own trap flag while KVM has a single step armed, when KVM_GET_REGS does not show it.
 */
#include "kvm/x86_step.h"
#include "kvm/x86_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "util/bytes.h"
#include "util/macros.h"

enum { INSN_MAX = 15, VECTOR_DB = 1, VECTOR_BP = 3, NO_LANDING = -1, INT3 = 0xcc, CR4_SMEP = 1 << 20 };
enum { APIC_BASE_EXTD = 1 << 10, APIC_BASE_EN = 1 << 11 };
enum { IOPL_SHIFT = 12, DR6_BP_MASK = 0xf, DR6_BS = 1 << 14, DR6_EVENTS = 0xe00f };
enum { MSR_STAR = 0xc0000081, MSR_LSTAR = 0xc0000082, MSR_CSTAR = 0xc0000083, MSR_SFMASK = 0xc0000084 };

struct kvm_step {
	bool armed;      /* KVM has a single step armed, or had at the last look: own_tf counts */
	bool on;         /* from kvm_step_begin() to _end() or _undo() */
	bool delivering; /* no instruction, but an exception of the guest's own that KVM is to deliver */
	bool if_masked, r11_changed;
	bool shadow_next; /* the landing that comes last is the next instruction */
	bool enters;      /* ... or the entry of syscall */
	int landed;       /* index into list */
	uint64_t own_tf;
	uint64_t flags;      /* before the instruction, the guest's own */
	uint64_t loads;      /* flags that popf, iret, sysret take */
	unsigned cpl;        /* likewise */
	uint64_t own_dr6;    /* what hit besides, of the guest's own debug registers */
	uint64_t rip, count; /* likewise, and rcx */
	uint16_t cs;
	uint64_t next_rip; /* behind the instruction, where that is known */
	struct x86_insn insn;
	struct kvm_guest g; /* as the step began, or as it ended */
	struct kvm_idt idt;
	struct kvm_guest_page code; /* that of the last instruction */

	unsigned nplanted; /* landings that are in */
	bool keeps_sregs;  /* the instruction leaves those alone that the run page has */
	bool all_land;     /* every exception that the instruction may raise leads to a landing */

	/* changed only under kvm_cpus.landings */
	struct kvm_landing list[KVM_MAX_LANDINGS];
	unsigned nlist;

	struct kvm_landing next[KVM_MAX_LANDINGS]; /* for list */
	unsigned nnext;
};

int kvm_step_init(struct kvm_cpu *cpu)
{
	cpu->step = calloc(1, sizeof(*cpu->step));
	return cpu->step ? 0 : -ENOMEM;
}

void kvm_step_deinit(struct kvm_cpu *cpu)
{
	free(cpu->step);
}

static uint64_t read_msr(struct kvm_cpu *cpu, uint32_t nr)
{
	union {
		struct kvm_msrs m;
		uint8_t room[sizeof(struct kvm_msrs) + sizeof(struct kvm_msr_entry)];
	} one = { .m.nmsrs = 1 };

	one.m.entries[0].index = nr;
	return kvm_cpu_ioctl(cpu, KVM_GET_MSRS, &one) == 1 ? one.m.entries[0].data : 0;
}

/* ---- before ---- */

static enum x86_code_size code_size(const struct kvm_guest *g)
{
	if (kvm_guest_is_64bit(g))
		return X86_CODE_64;
	return g->sregs.cs.db ? X86_CODE_32 : X86_CODE_16;
}

/* May the processor refuse to fetch from a page with these rights? */
static bool fetch_may_fault(const struct kvm_guest *g, uint8_t perm)
{
	bool user = kvm_guest_cpl(g) == 3;

	return !(perm & MMU_X) || (user ? !(perm & MMU_U) : (perm & MMU_U) && g->sregs.cr4 & CR4_SMEP);
}

static void look(struct kvm_cpu *cpu, struct kvm_step *s)
{
	gva pc = kvm_guest_pc(&s->g);
	uint8_t code[INSN_MAX], perm = 0;
	size_t n = sizeof(code);
	const uint8_t *hva = kvm_guest_hva_again(cpu, &s->g, &s->code, pc, &n, &perm);
	bool may_fault = !hva || fetch_may_fault(&s->g, perm);

	if (!hva)
		n = 0;
	else
		kvm_guest_copy(code, hva, n);
	if (n < sizeof(code)) {
		n += kvm_guest_read(cpu, &s->g, GVA(pc.raw + n), code + n, sizeof(code) - n);
		may_fault = true;
	}
	x86_insn_decode(code, n, code_size(&s->g), &s->insn);
	if (may_fault)
		s->insn.faults = X86_FAULTS_ANY;
	s->next_rip = s->insn.len ? s->g.regs.rip + s->insn.len : s->g.regs.rip;
}

/* Flags on the stack that popf or iret is about to load. */
static uint64_t flags_on_stack(struct kvm_cpu *cpu, struct kvm_step *s)
{
	unsigned item = s->insn.kind == X86_INSN_IRET ? 2 : 0;
	uint8_t image[8] = { 0 };

	kvm_guest_read(cpu, &s->g, kvm_guest_stack(&s->g, (uint64_t)item * s->insn.opsize), image, s->insn.opsize);
	return ld_le64(image);
}

static bool add(struct kvm_step *s, const struct kvm_landing *l)
{
	uint64_t ahead = l->at.raw - kvm_guest_pc(&s->g).raw;

	/* Never in the instruction itself, or what may be. */
	if (s->nnext == KVM_MAX_LANDINGS || (!s->delivering && !s->shadow_next && ahead < INSN_MAX))
		return false;
	s->next[s->nnext++] = *l;
	return true;
}

static void add_vectors(struct kvm_cpu *cpu, struct kvm_step *s, uint32_t vectors)
{
	struct kvm_landing l;

	if (!vectors && s->insn.kind != X86_INSN_INT)
		return;
	kvm_idt_use(cpu, &s->g, &s->idt);
	for (uint32_t left = vectors; left; left &= left - 1)
		s->all_land &= kvm_idt_landing(cpu, &s->g, &s->idt, (unsigned)__builtin_ctz(left), &l) && add(s, &l);
	if (s->insn.kind == X86_INSN_INT && s->insn.vector >= KVM_NVECTORS &&
	    kvm_idt_landing(cpu, &s->g, &s->idt, s->insn.vector, &l))
		add(s, &l);
}

static void add_syscall(struct kvm_cpu *cpu, struct kvm_step *s)
{
	struct kvm_landing l = { 0 };
	gva at;

	if (!(s->g.sregs.efer & X86_EFER_LMA))
		at = GVA((uint32_t)read_msr(cpu, MSR_STAR));
	else
		at = GVA(read_msr(cpu, kvm_guest_is_64bit(&s->g) ? MSR_LSTAR : MSR_CSTAR));
	s->enters = kvm_landing_at(cpu, &s->g, at, &l) && add(s, &l);
}

/* Behind an instruction after which the trap may come too late. */
static void add_next(struct kvm_cpu *cpu, struct kvm_step *s)
{
	struct kvm_guest after = s->g;
	struct kvm_landing l = { 0 };

	after.regs.rip = s->next_rip;
	s->shadow_next = true;
	s->shadow_next = kvm_landing_at(cpu, &s->g, kvm_guest_pc(&after), &l) && add(s, &l);
}

static void choose_landings(struct kvm_cpu *cpu, struct kvm_step *s)
{
	s->nnext = 0;
	s->shadow_next = s->enters = false;
	s->all_land = true;
	if (s->delivering) {
		add_vectors(cpu, s, X86_FAULTS_ANY);
		return;
	}
	add_vectors(cpu, s, s->insn.faults);
	if (s->insn.kind == X86_INSN_SYSCALL)
		add_syscall(cpu, s);
	if (s->insn.kind == X86_INSN_STACK_SEG || s->insn.kind == X86_INSN_STI || s->insn.kind == X86_INSN_WRMSR)
		add_next(cpu, s);
}

/* What has to be different in the registers while the instruction executes. */
static int change_regs(struct kvm_cpu *cpu, struct kvm_step *s)
{
	struct kvm_guest g;

	s->r11_changed = !s->delivering && s->insn.kind == X86_INSN_SYSRET && !(s->g.regs.r11 & X86_RFLAGS_TF);
	s->if_masked = !(cpu->all->port->caps_guest_debug & KVM_GUESTDBG_BLOCKIRQ) && s->flags & X86_RFLAGS_IF;
	if (!s->r11_changed && !s->if_masked)
		return 0;
	g = s->g;
	if (s->r11_changed)
		g.regs.r11 |= X86_RFLAGS_TF;
	if (s->if_masked)
		g.regs.rflags &= ~(uint64_t)X86_RFLAGS_IF;
	g.regs.rflags |= s->own_tf;
	return kvm_guest_store(cpu, &g);
}

int kvm_step_begin(struct kvm_cpu *cpu, bool can_land)
{
	struct kvm_step *s = cpu->step;
	int rc = kvm_guest_load(cpu, &s->g);

	if (rc < 0)
		return rc;
	if (!s->armed)
		s->own_tf = s->g.regs.rflags & X86_RFLAGS_TF;
	s->g.regs.rflags &= ~(uint64_t)X86_RFLAGS_TF;
	s->armed = s->on = true;
	s->landed = NO_LANDING;
	if (!s->delivering) {
		s->flags = s->g.regs.rflags | s->own_tf;
		s->cpl = kvm_guest_cpl(&s->g);
		s->cs = s->g.sregs.cs.selector;
		s->rip = s->g.regs.rip;
		s->count = s->g.regs.rcx;
		s->own_dr6 = 0;
		look(cpu, s);
		if (s->insn.kind == X86_INSN_POPF || s->insn.kind == X86_INSN_IRET)
			s->loads = flags_on_stack(cpu, s);
		else if (s->insn.kind == X86_INSN_SYSRET)
			s->loads = s->g.regs.r11;
		rc = change_regs(cpu, s);
	}
	if (can_land)
		choose_landings(cpu, s);
	else
		s->nnext = 0;
	s->all_land &= can_land;
	return rc;
}

enum kvm_step_reach kvm_step_reach(const struct kvm_cpu *cpu)
{
	const struct kvm_step *s = cpu->step;
	bool apic_mapped = (s->g.sregs.apic_base & (APIC_BASE_EXTD | APIC_BASE_EN)) == APIC_BASE_EN;

	if (s->delivering || !s->all_land || s->insn.faults & ~X86_FAULTS_MEMORY)
		return KVM_STEP_ANYTHING;
	return s->insn.faults && apic_mapped ? KVM_STEP_MEMORY : KVM_STEP_NO_DEVICE;
}

bool kvm_step_was_native(const struct kvm_cpu *cpu)
{
	const struct kvm_step *s = cpu->step;

	return !s->delivering && !s->insn.faults && kvm_guest_is_64bit(&s->g);
}

/* KVM takes long to tell segments and control registers, which an ordinary instruction leaves as they are. */
uint64_t kvm_step_wants(struct kvm_cpu *cpu, uint64_t regs)
{
	struct kvm_step *s = cpu->step;

	s->keeps_sregs = regs && cpu->debug.step && cpu->synced && kvm_step_reach(cpu) != KVM_STEP_ANYTHING;
	return s->keeps_sregs ? regs & ~(uint64_t)KVM_SYNC_X86_SREGS : regs;
}

bool kvm_step_synced(struct kvm_cpu *cpu, int rc)
{
	struct kvm_sregs *sregs = &cpu->run->s.regs.sregs;

	if (!cpu->step->keeps_sregs)
		return cpu->run->kvm_valid_regs;
	cpu->run->kvm_valid_regs |= KVM_SYNC_X86_SREGS;
	if (rc < 0 || cpu->run->exit_reason != KVM_EXIT_DEBUG || cpu->run->debug.arch.exception != VECTOR_DB)
		return kvm_cpu_ioctl(cpu, KVM_GET_SREGS, sregs) >= 0;
	sregs->cr8 = cpu->run->cr8; // the local APIC's task priority is in memory, too
	return true;
}

gva kvm_step_pc(const struct kvm_cpu *cpu)
{
	return kvm_guest_pc(&cpu->step->g);
}

bool kvm_step_halts(const struct kvm_cpu *cpu)
{
	return cpu->step->insn.kind == X86_INSN_HLT;
}

/* ---- landings ---- */

void kvm_step_plant(struct kvm_cpu *cpu)
{
	struct kvm_step *s = cpu->step;

	if (!s->on || (!s->nnext && !s->nlist))
		return;
	pthread_mutex_lock(&cpu->all->landings);
	s->nlist = s->nnext;
	memcpy(s->list, s->next, s->nnext * sizeof(s->next[0]));
	for (unsigned i = 0; i < s->nlist; i++) {
		s->list[i].saved = __atomic_load_n(s->list[i].hva, __ATOMIC_RELAXED);
		__atomic_store_n(s->list[i].hva, INT3, __ATOMIC_SEQ_CST);
	}
	s->nplanted = s->nlist;
	if (!s->nlist)
		pthread_mutex_unlock(&cpu->all->landings);
}

void kvm_step_unplant(struct kvm_cpu *cpu)
{
	struct kvm_step *s = cpu->step;

	if (!s->nplanted)
		return;
	/* Backwards: two vectors may lead to one place. */
	for (; s->nplanted; s->nplanted--) {
		struct kvm_landing *l = &s->list[s->nplanted - 1];

		__atomic_store_n(l->hva, l->saved, __ATOMIC_SEQ_CST);
	}
	pthread_mutex_unlock(&cpu->all->landings);
}

/* Nothing here depends on what was executed before. */
bool kvm_step_stores_whole(struct kvm_cpu *cpu, gva pc)
{
	return false;
}

bool kvm_step_again(struct kvm_cpu *cpu, bool way_back)
{
	return false;
}

bool kvm_step_stored(struct kvm_cpu *cpu)
{
	return false;
}

bool kvm_step_landed(struct kvm_cpu *cpu, gva pc)
{
	struct kvm_step *s = cpu->step;

	for (unsigned i = 0; s->on && i < s->nlist; i++) {
		if (s->list[i].at.raw == pc.raw) {
			s->landed = (int)i;
			return true;
		}
	}
	return false;
}

bool kvm_step_is_others(struct kvm_cpu *cpu, gva pc)
{
	struct kvm_cpus *c = cpu->all;
	struct kvm_guest g;
	struct kvm_landing here;
	bool found = false, looked = false;

	pthread_mutex_lock(&c->landings);
	for (unsigned i = 0; i < c->ncpus; i++) {
		const struct kvm_step *s = c->cpu[i].step;

		if (&c->cpu[i] == cpu || !s->nlist)
			continue;
		if (!looked && (kvm_guest_load(cpu, &g) < 0 || !kvm_landing_at(cpu, &g, pc, &here)))
			break;
		looked = true;
		for (unsigned k = 0; k < s->nlist; k++)
			found |= s->list[k].hva == here.hva && s->list[k].saved != INT3;
	}
	pthread_mutex_unlock(&c->landings);
	return found;
}

bool kvm_step_is_bp(struct kvm_cpu *cpu, gva pc)
{
	uint8_t code[INSN_MAX];
	struct kvm_guest g;

	if (kvm_guest_load(cpu, &g) < 0)
		return false;
	return cpu->all->arch->is_bp(code, kvm_guest_read(cpu, &g, pc, code, sizeof(code)));
}

/* ---- exceptions of the guest's own ---- */

/* The handler looks in DR6 for the cause. The processor replaces B0-B3 and only adds to the rest. */
static int set_dr6(struct kvm_cpu *cpu, uint64_t status)
{
	struct kvm_debugregs regs;
	int rc = kvm_cpu_ioctl(cpu, KVM_GET_DEBUGREGS, &regs);

	if (rc < 0)
		return rc;
	regs.dr6 = (regs.dr6 & ~(uint64_t)DR6_BP_MASK) | (status & DR6_EVENTS);
	return MIN(kvm_cpu_ioctl(cpu, KVM_SET_DEBUGREGS, &regs), 0);
}

/* It may have prefixes; it may also be gone by now. */
static unsigned int3_len(struct kvm_cpu *cpu, const struct kvm_guest *g)
{
	uint8_t code[INSN_MAX];
	struct x86_insn insn;

	x86_insn_decode(code, kvm_guest_read(cpu, g, kvm_guest_pc(g), code, sizeof(code)), code_size(g), &insn);
	return insn.kind == X86_INSN_INT && insn.vector == VECTOR_BP ? insn.len : cpu->all->arch->bp_len;
}

/*
 * KVM_GUESTDBG_INJECT_BP makes KVM decode the instruction again on SVM, to learn its length: by then another vCPU may
 * have put a different one there. An event of the type that interrupts have does the same without a second look; on
 * VMX that type depends on the interrupt flag, and KVM has kept the length.
 */
static int inject_int3(struct kvm_cpu *cpu)
{
	struct kvm_vcpu_events ev;
	struct kvm_guest g;
	int rc = kvm_guest_load(cpu, &g);

	if (rc >= 0 && (!cpu->all->port->svm || kvm_idt_dpl(cpu, &g, VECTOR_BP) < (int)kvm_guest_cpl(&g))) {
		cpu->mach->inject = KVM_GUESTDBG_INJECT_BP;
		return 0;
	}
	if (rc >= 0) {
		g.regs.rip += int3_len(cpu, &g);
		rc = kvm_guest_store(cpu, &g);
	}
	if (rc >= 0)
		rc = kvm_cpu_ioctl(cpu, KVM_GET_VCPU_EVENTS, &ev);
	if (rc < 0)
		return rc;
	ev.interrupt.injected = 1;
	ev.interrupt.nr = VECTOR_BP;
	ev.interrupt.soft = 0;
	return MIN(kvm_cpu_ioctl(cpu, KVM_SET_VCPU_EVENTS, &ev), 0);
}

/* 1: a step is under way and ends in the handler of @vector. */
static int deliver(struct kvm_cpu *cpu, unsigned vector, uint64_t dr6)
{
	struct kvm_step *s = cpu->step;
	struct kvm_guest g;
	int rc;

	if (vector == VECTOR_DB) {
		rc = set_dr6(cpu, dr6);
		cpu->mach->inject = KVM_GUESTDBG_INJECT_DB;
	} else {
		rc = inject_int3(cpu);
	}
	cpu->debug.armed = false;
	if (rc < 0 || !cpu->debug.step)
		return rc;
	rc = kvm_guest_load(cpu, &g);
	if (rc < 0)
		return rc;
	s->delivering = true;
	s->insn = (struct x86_insn){ 0 };
	s->cs = g.sregs.cs.selector;
	s->rip = s->next_rip = g.regs.rip;
	if (cpu->mach->inject == KVM_GUESTDBG_INJECT_BP)
		s->next_rip += cpu->all->arch->bp_len;
	return 1;
}

int kvm_step_give_back(struct kvm_cpu *cpu, const struct kvm_trap *t)
{
	return MIN(deliver(cpu, t->kind == KVM_TRAP_BPINSN ? VECTOR_BP : VECTOR_DB, t->status), 0);
}

/* In a step it is delivered as a part of the step. */
int kvm_step_give_own(struct kvm_cpu *cpu, const struct kvm_trap *t)
{
	kvm_step_own(cpu, t);
	return t->own && !cpu->debug.step ? deliver(cpu, VECTOR_DB, t->own) : 0;
}

/* ---- after ---- */

/* The trap and interrupt flags of a stored image become what they are without the debugger. */
static void fix_image(struct kvm_cpu *cpu, struct kvm_step *s, gva at)
{
	size_t n = 1;
	uint8_t *hva = kvm_guest_hva(cpu, &s->g, GVA(at.raw + 1), &n, NULL), now;

	if (!hva)
		return;
	now = *hva & ~(X86_RFLAGS_TF >> 8);
	now |= s->own_tf >> 8;
	if (s->if_masked)
		now |= X86_RFLAGS_IF >> 8;
	if (now != *hva)
		*hva = now;
}

static uint64_t with_flag(uint64_t flags, uint64_t flag, bool on)
{
	return on ? flags | flag : flags & ~flag;
}

/* The interrupt flag after an instruction that was executed with it cleared, and would have had it set. */
static bool if_after(struct kvm_cpu *cpu, const struct kvm_step *s)
{
	switch (s->insn.kind) {
	case X86_INSN_CLI:
	case X86_INSN_SYSENTER:
		return false;
	case X86_INSN_POPF:
	case X86_INSN_IRET:
		return s->cpl > (s->flags >> IOPL_SHIFT & 3) || s->loads & X86_RFLAGS_IF;
	case X86_INSN_SYSRET:
		return s->loads & X86_RFLAGS_IF;
	case X86_INSN_SYSCALL:
		return !(read_msr(cpu, MSR_SFMASK) & X86_RFLAGS_IF);
	default:
		return true;
	}
}

/* syscall: the flags are in r11, and what MSR_SFMASK has is cleared of them. */
static void after_syscall(struct kvm_cpu *cpu, struct kvm_step *s)
{
	s->g.regs.r11 = with_flag(s->g.regs.r11, X86_RFLAGS_TF, s->own_tf);
	s->g.regs.r11 = with_flag(s->g.regs.r11, X86_RFLAGS_IF, s->flags & X86_RFLAGS_IF);
	if (s->own_tf && read_msr(cpu, MSR_SFMASK) & X86_RFLAGS_TF)
		s->own_tf = 0;
}

/* The instruction is done. Returns: must the registers be written? *@trap: the guest's own trap flag has trapped. */
static bool after_insn(struct kvm_cpu *cpu, struct kvm_step *s, bool *trap)
{
	*trap = s->own_tf;
	switch (s->insn.kind) {
	case X86_INSN_PUSHF:
		fix_image(cpu, s, kvm_guest_stack(&s->g, 0));
		return false;
	case X86_INSN_POPF:
	case X86_INSN_IRET:
		s->own_tf = s->loads & X86_RFLAGS_TF;
		return false;
	case X86_INSN_SYSCALL:
		after_syscall(cpu, s);
		*trap = s->own_tf;
		return true;
	case X86_INSN_SYSRET:
		s->own_tf = s->loads & X86_RFLAGS_TF;
		s->g.regs.r11 = with_flag(s->g.regs.r11, X86_RFLAGS_TF, s->own_tf);
		*trap = s->own_tf;
		return s->r11_changed;
	default:
		return false;
	}
}

/* An exception was delivered: the frame is on the stack. */
static bool after_exception(struct kvm_cpu *cpu, struct kvm_step *s, const struct kvm_landing *l)
{
	bool changed = s->r11_changed;
	gva flags;

	if (kvm_landing_flags(cpu, &s->g, l, s->cs, s->rip, s->next_rip, &flags))
		fix_image(cpu, s, flags);
	s->own_tf = 0;
	if (s->r11_changed)
		s->g.regs.r11 = s->loads;
	if (s->if_masked && l->trap_gate) {
		s->g.regs.rflags |= X86_RFLAGS_IF;
		changed = true;
	}
	return changed;
}

/* Does the state after the step have to be looked at? Most instructions leave nothing to put right. */
static bool needs_care(const struct kvm_step *s)
{
	return s->landed != NO_LANDING || s->if_masked || s->insn.kind == X86_INSN_PUSHF ||
	       s->insn.kind == X86_INSN_SYSCALL || s->insn.kind == X86_INSN_SYSRET || s->insn.kind == X86_INSN_REP;
}

static bool lands_in_handler(const struct kvm_step *s)
{
	if (s->landed == NO_LANDING)
		return false;
	/* These are the last of the list. */
	return (unsigned)s->landed + 1 < s->nlist || (!s->shadow_next && !s->enters);
}

/*
 * KVM's emulator, which does string I/O and strings in MMIO, finds out that the count is 0 only when it comes to the
 * instruction again. A processor ends it with the last iteration.
 */
static bool is_at_end_of_rep(const struct kvm_step *s)
{
	uint64_t mask = s->insn.addrsize == 8 ? ~0ull : (1ull << 8 * s->insn.addrsize) - 1;

	return s->insn.kind == X86_INSN_REP && s->landed == NO_LANDING && s->g.regs.rip == s->rip &&
	       !(s->g.regs.rcx & mask) && s->count & mask;
}

int kvm_step_end(struct kvm_cpu *cpu)
{
	struct kvm_step *s = cpu->step;
	bool changed = false, trap = false, handler = lands_in_handler(s);
	int rc = 0;

	s->on = false;
	if (s->delivering && !handler) { // it ran on in a handler where nothing could be planted
		s->delivering = false;
		s->own_tf = 0;
		return 0;
	}
	s->delivering = false;
	if (needs_care(s)) {
		rc = kvm_guest_load(cpu, &s->g);
		s->g.regs.rflags &= ~(uint64_t)X86_RFLAGS_TF;
	}
	if (rc < 0)
		return rc;
	if (is_at_end_of_rep(s)) {
		s->on = true;
		rc = kvm_step_undo(cpu);
		return rc < 0 ? rc : 1;
	}
	if (handler) {
		changed = after_exception(cpu, s, &s->list[s->landed]);
	} else {
		changed = after_insn(cpu, s, &trap);
		if (s->if_masked) {
			s->g.regs.rflags = with_flag(s->g.regs.rflags, X86_RFLAGS_IF, if_after(cpu, s));
			changed = true;
		}
		s->if_masked = false;
	}
	if (changed)
		rc = kvm_guest_store(cpu, &s->g);
	if (rc < 0 || handler || (!trap && !s->own_dr6))
		return rc;
	return deliver(cpu, VECTOR_DB, s->own_dr6 | (trap ? DR6_BS : 0));
}

void kvm_step_own(struct kvm_cpu *cpu, const struct kvm_trap *t)
{
	cpu->step->own_dr6 = t->own & DR6_BP_MASK;
}

int kvm_step_undo(struct kvm_cpu *cpu)
{
	struct kvm_step *s = cpu->step;
	int rc;

	if (!s->on || s->delivering)
		return 0;
	s->on = false;
	if (!s->r11_changed && !s->if_masked)
		return 0;
	rc = kvm_guest_load(cpu, &s->g);
	if (rc < 0)
		return rc;
	if (s->r11_changed)
		s->g.regs.r11 = s->loads;
	if (s->if_masked)
		s->g.regs.rflags |= X86_RFLAGS_IF;
	return kvm_guest_store(cpu, &s->g);
}

static void forget_landings(struct kvm_cpu *cpu, struct kvm_step *s)
{
	if (!s->nlist)
		return;
	pthread_mutex_lock(&cpu->all->landings);
	s->nlist = 0;
	pthread_mutex_unlock(&cpu->all->landings);
}

int kvm_step_pause(struct kvm_cpu *cpu)
{
	struct kvm_step *s = cpu->step;

	if (!s->armed || s->own_tf || !cpu->mach->trapped || !cpu->synced)
		return kvm_step_leave(cpu);
	forget_landings(cpu, s);
	return 0;
}

int kvm_step_leave(struct kvm_cpu *cpu)
{
	struct kvm_step *s = cpu->step;
	struct kvm_regs regs;
	int rc;

	if (!s->armed)
		return 0;
	forget_landings(cpu, s);
	s->armed = s->on = s->delivering = false;
	cpu->debug.step = cpu->debug.lift = cpu->debug.armed = false;
	rc = kvm_debug_arm(cpu);
	if (rc < 0 || !s->own_tf)
		return MIN(rc, 0);
	rc = kvm_cpu_ioctl(cpu, KVM_GET_REGS, &regs);
	regs.rflags |= s->own_tf;
	if (rc >= 0)
		rc = kvm_cpu_ioctl(cpu, KVM_SET_REGS, &regs);
	cpu->synced = false;
	return MIN(rc, 0);
}
