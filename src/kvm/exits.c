/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What KVM_RUN comes back with, and who answers it. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "kvm/internal.h"
#include "util/strbuf.h"

static enum kvm_next event(struct kvm_cpu *cpu, enum stop_why why, struct stop_event *ev)
{
	*ev = (struct stop_event){ .why = why, .pc = kvm_cpu_pc(cpu) };
	return KVM_NEXT_EVENT;
}

static enum kvm_next internal_error(struct kvm_cpu *cpu, struct stop_event *ev, const char *text)
{
	event(cpu, STOP_INTERNAL_ERROR, ev);
	snprintf(ev->text, sizeof(ev->text), "%s", text);
	return KVM_NEXT_EVENT;
}

enum kvm_next kvm_exit_error(struct kvm_cpu *cpu, int err, struct stop_event *ev)
{
	char text[sizeof(ev->text)];

	snprintf(text, sizeof(text), "KVM cannot run vCPU %u: %s", cpu->id, strerror(-err));
	return internal_error(cpu, ev, text);
}

/* ---- devices ---- */

static enum kvm_fate answer_io(struct kvm_cpu *cpu)
{
	struct kvm_cpus *c = cpu->all;
	struct kvm_run *run = cpu->run;

	return c->ops->io(c->ops_arg, cpu->id, run->io.port, run->io.direction == KVM_EXIT_IO_OUT, run->io.size,
			  run->io.count, (uint8_t *)run + run->io.data_offset);
}

static enum kvm_fate answer_mmio(struct kvm_cpu *cpu)
{
	struct kvm_cpus *c = cpu->all;
	struct kvm_run *run = cpu->run;

	if (run->mmio.is_write && kvm_pwatch_write(cpu, GPA(run->mmio.phys_addr), run->mmio.data, run->mmio.len)) {
		cpu->emulated_write = true;
		return KVM_FATE_RUN;
	}
	return c->ops->mmio(c->ops_arg, cpu->id, GPA(run->mmio.phys_addr), run->mmio.is_write, run->mmio.len,
			    run->mmio.data);
}

/*
 * Complete the instruction whose access was just answered: an MMIO access across a page comes in pieces, and KVM may
 * report the armed step itself. KVM_NEXT_STEPPED when the instruction is done.
 */
static enum kvm_next finish(struct kvm_cpu *cpu, enum kvm_fate *fate, struct stop_event *ev)
{
	enum kvm_next next = KVM_NEXT_ENTER;

	kvm_cpu_hurry(cpu, true);
	while (next == KVM_NEXT_ENTER) {
		int rc = kvm_cpu_enter(cpu);

		if (rc == -EINTR) {
			cpu->run->exit_reason = KVM_EXIT_INTR; // KVM leaves the reason of the exit before
			next = KVM_NEXT_STEPPED;
		} else if (rc < 0) {
			next = kvm_exit_error(cpu, rc, ev);
		} else if (cpu->run->exit_reason == KVM_EXIT_IO || cpu->run->exit_reason == KVM_EXIT_MMIO) {
			enum kvm_fate piece = cpu->run->exit_reason == KVM_EXIT_IO ? answer_io(cpu) : answer_mmio(cpu);

			*fate = MAX(*fate, piece);
		} else {
			next = kvm_exit_handle(cpu, ev);
		}
	}
	kvm_cpu_hurry(cpu, false);
	return next;
}

/* Did what was just answered write to watched memory: a device, or KVM's emulator? */
static bool wrote_watched(struct kvm_cpu *cpu, struct target_pwatch_hit *hit)
{
	if (!cpu->all->npwatches || cpu->lifted || !kvm_pwatch_check(cpu, hit))
		return false;
	hit->device = !cpu->emulated_write;
	hit->from = kvm_cpu_pc(cpu);
	return true;
}

/* The stop that a fate makes. */
static const struct {
	enum stop_why why;
	const char *text;
} fates[] = {
	[KVM_FATE_CHECKPOINT] = { STOP_CHECKPOINT, "" },
	[KVM_FATE_PANIC] = { STOP_PANIC, "the guest's kernel panicked" },
	[KVM_FATE_CRASH_LOADED] = { STOP_PANIC, "the guest's kernel panicked and goes on to its crash kernel" },
	[KVM_FATE_RESET] = { STOP_RESET, "" },
	[KVM_FATE_OFF] = { STOP_POWER_OFF, "" },
};

static enum kvm_next fate_event(struct kvm_cpu *cpu, enum kvm_fate fate, struct stop_event *ev)
{
	event(cpu, fates[fate].why, ev);
	snprintf(ev->text, sizeof(ev->text), "%s", fates[fate].text);
	return KVM_NEXT_EVENT;
}

static enum kvm_next on_access(struct kvm_cpu *cpu, enum kvm_fate fate, struct stop_event *ev)
{
	struct target_pwatch_hit hit;
	bool found = wrote_watched(cpu, &hit);
	enum kvm_next next;

	if (fate == KVM_FATE_RUN && !cpu->debug.step && !found)
		return KVM_NEXT_ENTER;
	next = finish(cpu, &fate, ev);
	found = found || wrote_watched(cpu, &hit);
	if (found && fate == KVM_FATE_RUN)
		return kvm_pwatch_event(cpu, next, &hit, ev);
	if (fate == KVM_FATE_RUN || (next == KVM_NEXT_EVENT && ev->why == STOP_INTERNAL_ERROR))
		return next;
	return fate_event(cpu, fate, ev);
}

static enum kvm_next on_io(struct kvm_cpu *cpu, struct stop_event *ev)
{
	cpu->emulated_write = false;
	return on_access(cpu, answer_io(cpu), ev);
}

static enum kvm_next on_mmio(struct kvm_cpu *cpu, struct stop_event *ev)
{
	cpu->emulated_write = false;
	return on_access(cpu, answer_mmio(cpu), ev);
}

/* ---- the debugger's own ---- */

/* Give the guest the exception that @t took from it. */
static enum kvm_next reinject(struct kvm_cpu *cpu, const struct kvm_trap *t, struct stop_event *ev)
{
	int rc = kvm_step_give_back(cpu, t);

	if (rc < 0)
		return kvm_exit_error(cpu, rc, ev);
	return rc > 0 ? KVM_NEXT_STEPPED : KVM_NEXT_ENTER;
}

/* Without a filter that cares the instruction is the guest's own, unless it was planted and is gone. */
static enum target_verdict judge_bp_alone(struct kvm_cpu *cpu, gva pc)
{
	return kvm_step_is_bp(cpu, pc) ? TARGET_REINJECT : TARGET_AGAIN;
}

static enum target_verdict judge(struct kvm_cpu *cpu, enum stop_why why, gva pc)
{
	struct target_filter f = kvm_cpu_filter(cpu);

	if (f.whys & BIT(why))
		return f.judge(f.arg, cpu->id, why, pc);
	return why == STOP_SWBREAK ? judge_bp_alone(cpu, pc) : TARGET_REPORT;
}

static enum kvm_next on_hw(struct kvm_cpu *cpu, const struct kvm_trap *t, struct stop_event *ev)
{
	const struct hw_break *part = &cpu->all->hw.slot[t->slot].part;
	enum target_verdict verdict;
	int rc = 0;

	if (part->kind != HW_EXEC) {
		/* One of the guest's own on the same data: it has its trap when it goes on. */
		rc = kvm_step_give_own(cpu, t);
		if (rc < 0)
			return kvm_exit_error(cpu, rc, ev);
		*ev = (struct stop_event){
			.why = STOP_WATCH, .pc = t->pc, .watch_kind = part->kind, .watch_at = t->touched
		};
		return kvm_step_stores_whole(cpu, t->pc) ? KVM_NEXT_WHOLE : KVM_NEXT_EVENT;
	}
	verdict = judge(cpu, STOP_HWBREAK, t->pc);
	if (verdict == TARGET_SKIP || verdict == TARGET_AGAIN) {
		rc = kvm_debug_pass(cpu, t->pc);
		return rc < 0 ? kvm_exit_error(cpu, rc, ev) : KVM_NEXT_ENTER;
	}
	*ev = (struct stop_event){ .why = STOP_HWBREAK, .pc = t->pc };
	return KVM_NEXT_EVENT;
}

static enum kvm_next on_bp(struct kvm_cpu *cpu, const struct kvm_trap *t, struct stop_event *ev)
{
	if (kvm_step_landed(cpu, t->pc))
		return KVM_NEXT_STEPPED;
	if (kvm_step_is_others(cpu, t->pc))
		return KVM_NEXT_ALONE;
	switch (judge(cpu, STOP_SWBREAK, t->pc)) {
	case TARGET_AGAIN:
		return KVM_NEXT_ENTER;
	case TARGET_REINJECT:
		return reinject(cpu, t, ev);
	case TARGET_SKIP:
		cpu->skip_at = t->pc;
		return KVM_NEXT_SKIP;
	default:
		*ev = (struct stop_event){ .why = STOP_SWBREAK, .pc = t->pc };
		return KVM_NEXT_EVENT;
	}
}

static enum kvm_next on_debug(struct kvm_cpu *cpu, struct stop_event *ev)
{
	struct kvm_trap t;

	kvm_debug_trap(cpu, &t);
	switch (t.kind) {
	case KVM_TRAP_STEP:
		kvm_step_own(cpu, &t);
		return KVM_NEXT_STEPPED;
	case KVM_TRAP_HW:
		return on_hw(cpu, &t, ev);
	case KVM_TRAP_GUEST:
		return reinject(cpu, &t, ev);
	case KVM_TRAP_BPINSN:
		return on_bp(cpu, &t, ev);
	case KVM_TRAP_NONE:
		break;
	}
	return KVM_NEXT_ENTER;
}

/* arm64: the processor tells no more than the address of an access by a pair, by vectors or with writeback. */
static enum kvm_next on_no_syndrome(struct kvm_cpu *cpu, struct stop_event *ev)
{
	char text[sizeof(ev->text)];

	snprintf(text, sizeof(text),
		 "KVM cannot emulate how the instruction at %#" PRIx64 " accesses %#" PRIx64
		 ": only loads and stores of one general register without writeback",
		 kvm_cpu_pc(cpu).raw, (uint64_t)cpu->run->arm_nisv.fault_ipa);
	return internal_error(cpu, ev, text);
}

/* ---- the end of the guest ---- */

/* Without an in-kernel interrupt controller there is nothing in KVM that could wake the vCPU. */
static enum kvm_next on_hlt(struct kvm_cpu *cpu, struct stop_event *ev)
{
	cpu->halted = true;
	return cpu->debug.step ? KVM_NEXT_STEPPED : KVM_NEXT_ENTER;
}

static enum kvm_next on_shutdown(struct kvm_cpu *cpu, struct stop_event *ev)
{
	if (kvm_online_reached(cpu, ev))
		return KVM_NEXT_EVENT;
	event(cpu, STOP_TRIPLE_FAULT, ev);
	snprintf(ev->text, sizeof(ev->text), "vCPU %u shut down after a triple fault%s", cpu->id,
		 kvm_debug_fresh(cpu) ? "; the processor has reset its registers" : "");
	return KVM_NEXT_EVENT;
}

static const char *suberror_text(uint32_t suberror)
{
	static const char *const text[] = {
		[KVM_INTERNAL_ERROR_EMULATION] = "KVM cannot emulate an instruction",
		[KVM_INTERNAL_ERROR_SIMUL_EX] = "an exception came while another was delivered",
		[KVM_INTERNAL_ERROR_DELIVERY_EV] = "unexpected exit while an event was delivered",
		[KVM_INTERNAL_ERROR_UNEXPECTED_EXIT_REASON] = "exit for a reason that KVM does not know",
	};

	return suberror < ARRAY_LEN(text) && text[suberror] ? text[suberror] : "KVM internal error";
}

static enum kvm_next on_internal_error(struct kvm_cpu *cpu, struct stop_event *ev)
{
	const struct kvm_run *run = cpu->run;
	_cleanup_(strbuf_deinit) struct strbuf b = { 0 };

	strbuf_addf(&b, "%s (suberror %u)", suberror_text(run->internal.suberror), run->internal.suberror);
	if (run->internal.suberror == KVM_INTERNAL_ERROR_EMULATION && run->internal.ndata &&
	    (run->emulation_failure.flags & KVM_INTERNAL_ERROR_EMULATION_FLAG_INSTRUCTION_BYTES)) {
		strbuf_adds(&b, ", code bytes ");
		strbuf_addhex(&b, run->emulation_failure.insn_bytes,
			      MIN(run->emulation_failure.insn_size, sizeof(run->emulation_failure.insn_bytes)));
	} else {
		for (unsigned i = 0; i < MIN(run->internal.ndata, 4); i++)
			strbuf_addf(&b, "%s%#" PRIx64, i ? " " : ", data ", (uint64_t)run->internal.data[i]);
	}
	return internal_error(cpu, ev, strbuf_str(&b));
}

static enum kvm_next on_fail_entry(struct kvm_cpu *cpu, struct stop_event *ev)
{
	char text[sizeof(ev->text)];

	snprintf(text, sizeof(text), "the processor refuses the guest's state (entry failure %#" PRIx64 ")",
		 (uint64_t)cpu->run->fail_entry.hardware_entry_failure_reason);
	return internal_error(cpu, ev, text);
}

static enum kvm_next on_unknown(struct kvm_cpu *cpu, struct stop_event *ev)
{
	char text[sizeof(ev->text)];

	snprintf(text, sizeof(text), "unknown hardware exit %#" PRIx64, (uint64_t)cpu->run->hw.hardware_exit_reason);
	return internal_error(cpu, ev, text);
}

static enum kvm_next on_system_event(struct kvm_cpu *cpu, struct stop_event *ev)
{
	switch (cpu->run->system_event.type) {
	case KVM_SYSTEM_EVENT_SHUTDOWN:
		return event(cpu, STOP_POWER_OFF, ev);
	case KVM_SYSTEM_EVENT_RESET:
		return event(cpu, STOP_RESET, ev);
	case KVM_SYSTEM_EVENT_CRASH:
		return fate_event(cpu, KVM_FATE_PANIC, ev);
	default:
		return KVM_NEXT_ENTER;
	}
}

static enum kvm_next on_again(struct kvm_cpu *cpu, struct stop_event *ev)
{
	return kvm_cpu_kicked(cpu) ? KVM_NEXT_PARK : KVM_NEXT_ENTER;
}

static enum kvm_next (*const handlers[])(struct kvm_cpu *cpu, struct stop_event *ev) = {
	[KVM_EXIT_UNKNOWN] = on_unknown,
	[KVM_EXIT_IO] = on_io,
	[KVM_EXIT_DEBUG] = on_debug,
	[KVM_EXIT_HLT] = on_hlt,
	[KVM_EXIT_MMIO] = on_mmio,
	[KVM_EXIT_IRQ_WINDOW_OPEN] = on_again,
	[KVM_EXIT_SHUTDOWN] = on_shutdown,
	[KVM_EXIT_FAIL_ENTRY] = on_fail_entry,
	[KVM_EXIT_INTR] = on_again,
	[KVM_EXIT_SET_TPR] = on_again,
	[KVM_EXIT_INTERNAL_ERROR] = on_internal_error,
	[KVM_EXIT_SYSTEM_EVENT] = on_system_event,
	[KVM_EXIT_ARM_NISV] = on_no_syndrome,
};

enum kvm_next kvm_exit_handle(struct kvm_cpu *cpu, struct stop_event *ev)
{
	uint32_t reason = cpu->run->exit_reason;
	char text[sizeof(ev->text)];

	if (reason < ARRAY_LEN(handlers) && handlers[reason])
		return handlers[reason](cpu, ev);
	snprintf(text, sizeof(text), "exit reason %u, which gdbvm does not handle", reason);
	return internal_error(cpu, ev, text);
}
