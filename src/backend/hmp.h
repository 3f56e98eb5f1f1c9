/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef BACKEND_HMP_H
#define BACKEND_HMP_H

#include "target/target.h"
#include "util/strbuf.h"

/* What QEMU's human monitor says about one x86 vCPU ("info registers"). */
struct hmp_cpu {
	struct arch_regs
		r; /* have: the groups that the text had whole. st[] by stack position. cr8 and MSRs are not told. */
	bool halted;
};

/**
 * hmp_cpu_parse() - read the text.
 * Shape:   keys in any order, unknown ones skipped, so other versions' additions do no harm.
 * Returns: 0; -EPROTO: no group of registers is whole, @out untouched.
 */
int hmp_cpu_parse(const char *text, struct hmp_cpu *out);

/** hmp_cpu_add() - add to @r what the g packet of QEMU's gdbstub lacks. Sets r->have. */
void hmp_cpu_add(const struct hmp_cpu *c, struct arch_regs *r);

/** hmp_cpu_online() - false while the vCPU waits for its start-up interrupt; for others than the first. */
bool hmp_cpu_online(const struct hmp_cpu *c);

/* How a command reaches the monitor: @line about @vcpu; what it prints is added to @out. Returns: 0; negative errno. */
typedef int hmp_say_fn(void *arg, unsigned vcpu, const char *line, struct strbuf *out);

/** hmp_cpu_read() - ask, and hmp_cpu_parse(). */
int hmp_cpu_read(hmp_say_fn *say, void *arg, unsigned vcpu, struct hmp_cpu *out);

/** hmp_regs_read() - ask, and hmp_cpu_add(), if any of @groups can be had there. */
int hmp_regs_read(hmp_say_fn *say, void *arg, unsigned vcpu, uint32_t groups, struct arch_regs *r);

/** hmp_info() - target_info() by the command that tells it. */
int hmp_info(hmp_say_fn *say, void *arg, enum target_info what, unsigned vcpu, struct strbuf *out);

#endif
