/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "engine/internal.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "util/bytes.h"

#define CODE_BEFORE 8u
#define CODE_AFTER 16u /* with the one at pc */

int reg_value(const struct arch_layout *l, unsigned num, const struct arch_regs *r, uint64_t *ret)
{
	uint8_t buf[sizeof(uint64_t)] = { 0 };
	int rc;

	if (arch_reg_size(l, num) > sizeof(uint64_t))
		return -EINVAL;
	rc = arch_reg_get(l, num, r, buf);
	if (rc == 0)
		*ret = ld_le64(buf);
	return rc;
}

static void add_reg(const struct arch_layout *l, int num, const struct arch_regs *r, struct strbuf *out)
{
	uint64_t v;

	if (num >= 0 && reg_value(l, (unsigned)num, r, &v) == 0)
		strbuf_addf(out, " %s=%#" PRIx64, l->regs[num].name, v);
}

static void add_named(struct engine *e, unsigned vcpu, const struct arch_layout *l, const char *name,
		      struct strbuf *out)
{
	int num = arch_reg_find(l, name);
	struct arch_regs *r;

	if (num >= 0 && engine_regs(e, vcpu, arch_reg_groups(l, (unsigned)num), &r) == 0)
		add_reg(l, num, r, out);
}

/* The code around @pc, as bytes, or as the words that instructions are; that at @pc in <>; ?? where there is no memory.
 */
static void add_code(struct engine *e, unsigned vcpu, gva pc, struct strbuf *out)
{
	const unsigned unit = e->target->arch->insn_align;
	uint8_t code[CODE_BEFORE + CODE_AFTER];
	size_t done = 0;
	bool whole = engine_mem_read(e, vcpu, ENGINE_VIRT, pc.raw - CODE_BEFORE, code, sizeof(code), &done) == 0 &&
		     done == sizeof(code);

	strbuf_adds(out, " code:");
	for (unsigned i = 0; i < sizeof(code); i += unit) {
		char hex[9] = "??";

		if (whole ||
		    (engine_mem_read(e, vcpu, ENGINE_VIRT, pc.raw - CODE_BEFORE + i, &code[i], unit, &done) == 0 &&
		     done == unit))
			snprintf(hex, sizeof(hex), "%0*x", 2 * (int)unit, unit == 1 ? code[i] : ld_le32(&code[i]));
		strbuf_addf(out, i == CODE_BEFORE ? " <%s>" : " %s", hex);
	}
}

void engine_describe_vcpu(struct engine *e, unsigned vcpu, struct strbuf *out)
{
	const struct arch *arch = e->target->arch;
	const struct arch_layout *l;
	struct arch_regs *r;
	int rc = engine_regs(e, vcpu, ARCH_CORE | ARCH_SYS, &r);

	strbuf_addf(out, "vCPU %u: ", vcpu);
	if (rc == 0 && ~r->have & (ARCH_CORE | ARCH_SYS))
		rc = -ENODATA;
	if (rc < 0) {
		strbuf_addf(out, "%s\n", rc == -EBUSY ? "running" : strerror(-rc));
		return;
	}
	l = arch->layout(r);
	strbuf_addf(out, "%s,", arch->mode_text(r));
	add_reg(l, (int)l->pc, r, out);
	add_reg(l, (int)l->sp, r, out);
	for (const char *const *name = arch->report_regs; *name; name++)
		add_named(e, vcpu, l, *name, out);
	add_code(e, vcpu, arch->pc_get(r), out);
	strbuf_addc(out, '\n');
}
