/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "engine/internal.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "util/bytes.h"
#include "util/cursor.h"
#include "util/macros.h"

/* Monitor commands: one table; `help`, the dispatcher and the answer to an unknown command derive from it. */

static const char *skip_blanks(const char *s)
{
	return s + strspn(s, " \t");
}

bool monitor_number(const char **args, const char *what, struct strbuf *out, uint64_t *ret)
{
	size_t n = strcspn(*args, " \t");
	struct cur c = cur_init(*args, n);
	uint64_t v = cur_number(&c);

	if (!n)
		strbuf_addf(out, "missing %s: a number such as 0x1000 or 4096\n", what);
	else if (!cur_done(&c))
		strbuf_addf(out, "'%.*s' is not %s: expected a number such as 0x1000 or 4096\n", (int)n, *args, what);
	if (!n || !cur_done(&c))
		return false;
	*args = skip_blanks(*args + n);
	*ret = v;
	return true;
}

bool monitor_end(const char *args, struct strbuf *out)
{
	if (!*args)
		return true;
	strbuf_addf(out, "'%s': expected nothing more\n", args);
	return false;
}

bool monitor_vcpu(struct monitor_ctx *ctx, const char *args, struct strbuf *out, unsigned *ret)
{
	const unsigned n = engine_target(ctx->engine)->nvcpus;
	uint64_t v = ctx->vcpu;

	if (*args && (!monitor_number(&args, "the number of a vCPU", out, &v) || !monitor_end(args, out)))
		return false;
	if (v >= n) {
		strbuf_addf(out, "there is no vCPU %" PRIu64 ": expected 0 to %u\n", v, n - 1);
		return false;
	}
	*ret = (unsigned)v;
	return true;
}

static void monitor_phys(struct monitor_ctx *ctx, const char *args, struct strbuf *out)
{
	if (strcmp(args, "on") == 0 || strcmp(args, "off") == 0)
		*ctx->phys_mode = args[1] == 'n';
	else if (*args) {
		strbuf_addf(out, "'%s': expected on or off\n", args);
		return;
	}
	strbuf_addf(out, "addresses are %s\n", *ctx->phys_mode ? "physical" : "virtual");
}

static void monitor_reset(struct monitor_ctx *ctx, const char *args, struct strbuf *out)
{
	if (!monitor_end(args, out))
		return;
	if (ctx->reset)
		ctx->reset(ctx->reset_arg, out);
	else
		strbuf_adds(out, "this guest cannot be reset\n");
}

static void monitor_version(struct monitor_ctx *ctx, const char *args, struct strbuf *out)
{
	if (monitor_end(args, out))
		strbuf_addf(out, "gdbvm %s\n", ENGINE_VERSION);
}

static monitor_fn monitor_help;

struct monitor_cmd {
	const char *name, *args, *help;
	monitor_fn *fn;
};

// clang-format off
static const struct monitor_cmd cmds[] = {
	{ "help",           "[COMMAND]",   "this list, or what of it begins so",                                             monitor_help },
	{ "info registers", "[VCPU]",      "every register of the selected vCPU, or of number VCPU", monitor_registers },
	{ "info vcpus",     "",            "mode, pc and code bytes of every vCPU",                 monitor_vcpus },
	{ "info mtree",     "",            "the guest-physical memory map",                         monitor_mtree },
	{ "info mem",       "[ADDR]",      "mapped virtual ranges and their permissions, from ADDR", monitor_pages },
	{ "info tlb",       "[ADDR [COUNT]]", "each mapped page, where it is and its flags, from ADDR", monitor_tlb },
	{ "info pic",       "",            "x86: the 8259As and the I/O APIC",                      monitor_pic },
	{ "info irq",       "",            "which interrupts are pending, and for whom",            monitor_irq },
	{ "info lapic",     "[VCPU]",      "x86: the local APIC of the selected vCPU, or of number VCPU", monitor_lapic },
	{ "info vgic",      "",            "arm64: the interrupt controller (GIC) and its CPU interfaces", monitor_vgic },
	{ "time",           "[freeze|run]", "does time stand still while the guest is stopped?",     monitor_time },
	{ "catch",          "[NAME on|off]", "events that stop the guest",                          monitor_catch },
	{ "info breakpoints", "",          "where each breakpoint is, its hits and stops",          monitor_breakpoints },
	{ "bp-filter",      "[cr3 N|off]", "count only hits in one address space (arm64: ttbr0); N may be current", monitor_bp_filter },
	{ "pt",             "ADDR",        "the page-table entries that translate ADDR",            monitor_pt },
	{ "s2pt",           "IPA [VTTBR VTCR]", "arm64: the stage 2 entries for IPA, by VTTBR_EL2 and VTCR_EL2", monitor_s2pt },
	{ "xp",             "[/FMT] ADDR", "dump physical memory; FMT is COUNT and b, h, w or g",    monitor_xp },
	{ "pwatch",         "[ADDR LEN | off [ADDR]]", "stop when physical memory changes; list; stop watching", monitor_pwatch },
	{ "info checkpoints", "[N]",       "the last N (20) checkpoints: when, where, what",        monitor_checkpoints },
	{ "checkpoint break", "VALUE|NAME|record ID", "stop when that is written to a debug port", monitor_checkpoint_break },
	{ "checkpoint delete", "N|all",    "stop there no more",                                    monitor_checkpoint_delete },
	{ "checkpoint sites", "[on|off]",  "where checkpoints are written; stop before as many as there are debug registers", monitor_checkpoint_sites },
	{ "checkpoint",     "[list]",      "which checkpoints stop the guest",                      monitor_checkpoint },
	{ "esr",            "[VALUE...]",  "arm64: exception syndrome in words; default: the vCPU's",  monitor_esr },
	{ "hpfar",          "[HPFAR FAR [ESR]]", "arm64: IPA of a stage 2 fault; default: the vCPU's",  monitor_hpfar },
	{ "lr",             "[[gicv2] VALUE...]", "arm64: GIC list registers; default: the vCPU's",     monitor_lr },
	{ "phys",           "[on|off]",    "take addresses as physical",                            monitor_phys },
	{ "reset",          "",            "put the guest back to its first instruction",           monitor_reset },
	{ "version",        "",            "the version of this program",                           monitor_version },
};
// clang-format on

/* Does @name begin with what is @typed? Blanks count as one. */
static bool begins(const char *name, const char *typed)
{
	for (; *name && *typed; name++) {
		if (*name == ' ' && strchr(" \t", *typed))
			typed = skip_blanks(typed);
		else if (*typed++ != *name)
			return false;
	}
	return !*typed;
}

/* The commands that begin with what is @typed. Returns: how many. */
static unsigned list(const char *typed, struct strbuf *out)
{
	unsigned n = 0;

	for (size_t i = 0; i < ARRAY_LEN(cmds); i++) {
		char left[64];

		if (!begins(cmds[i].name, typed))
			continue;
		snprintf(left, sizeof(left), "%s %s", cmds[i].name, cmds[i].args);
		strbuf_addf(out, "%-30s  %s\n", left, cmds[i].help);
		n++;
	}
	return n;
}

static void monitor_help(struct monitor_ctx *ctx, const char *args, struct strbuf *out)
{
	if (!list(args, out))
		strbuf_addf(out, "no command begins with '%s': help lists all\n", args);
}

/* What there is that begins so is shown; with nothing at all, all. */
static void unknown(const char *line, struct strbuf *out)
{
	_cleanup_(strbuf_deinit) struct strbuf near = { 0 };

	if (!*line)
		list(line, out);
	else if (list(line, &near))
		strbuf_addf(out, "'%s' is not a whole command:\n%s", line, strbuf_str(&near));
	else
		strbuf_addf(out, "unknown command '%s': help lists all\n", line);
}

/* The rest of @line behind the words of @name; NULL if it does not begin with them. Blanks count as one. */
static const char *match(const char *name, const char *line)
{
	for (; *name; name++) {
		if (*name == ' ') {
			if (*line != ' ' && *line != '\t')
				return NULL;
			line = skip_blanks(line);
		} else if (*line++ != *name) {
			return NULL;
		}
	}
	return *line && !strchr(" \t/", *line) ? NULL : skip_blanks(line);
}

/* ---- $rip for a number ---- */

static bool is_called(const struct arch_layout *l, unsigned i, const char *name, size_t n)
{
	return (strlen(l->regs[i].name) == n && memcmp(l->regs[i].name, name, n) == 0) ||
	       (n == 2 && ((memcmp(name, "pc", n) == 0 && i == l->pc) || (memcmp(name, "sp", n) == 0 && i == l->sp)));
}

/* The value of the selected vCPU's register of this name. False with a sentence. */
static bool add_value(struct monitor_ctx *ctx, const char *name, size_t n, struct strbuf *line, struct strbuf *out)
{
	const struct arch *arch = engine_target(ctx->engine)->arch;
	const struct arch_layout *l = arch->all_regs;
	uint8_t value[ARCH_REG_MAX] = { 0 };
	struct arch_regs *r;
	int rc = engine_regs(ctx->engine, ctx->vcpu, ARCH_CORE | ARCH_SYS, &r);
	unsigned i = 0;

	if (rc == 0 && !l)
		l = arch->layout(r);
	while (rc == 0 && i < l->nregs && (l->regs[i].bits > 64 || !is_called(l, i, name, n)))
		i++;
	if (rc == 0 && i == l->nregs) {
		strbuf_addf(out, "'$%.*s' is no register of up to 64 bits: info registers lists them\n", (int)n, name);
		return false;
	}
	if (rc == 0)
		rc = engine_regs(ctx->engine, ctx->vcpu, ARCH_CORE | ARCH_SYS | arch_reg_groups(l, i), &r);
	if (rc == 0)
		rc = arch_reg_get(l, i, r, value);
	if (rc < 0)
		strbuf_addf(out, "$%.*s of vCPU %u cannot be read: %s\n", (int)n, name, ctx->vcpu,
			    rc == -EBUSY ? "the guest is running" : strerror(-rc));
	else
		strbuf_addf(line, "%#" PRIx64, ld_le64(value));
	return rc == 0;
}

/* @line with the values of registers where words are $ and a name. */
static bool put_values(struct monitor_ctx *ctx, const char *line, struct strbuf *ret, struct strbuf *out)
{
	while (*line) {
		size_t blanks = strspn(line, " \t\r\n"), n = strcspn(line + blanks, " \t\r\n");
		const char *word = line + blanks;

		strbuf_add(ret, line, blanks);
		if (*word != '$')
			strbuf_add(ret, word, n);
		else if (!add_value(ctx, word + 1, n - 1, ret, out))
			return false;
		line = word + n;
	}
	return true;
}

int engine_monitor(struct monitor_ctx *ctx, const char *line, struct strbuf *out)
{
	_cleanup_(strbuf_deinit) struct strbuf values = { 0 };
	char *own;
	size_t n;

	if (!put_values(ctx, skip_blanks(line), &values, out))
		return out->oom ? -ENOMEM : 0;
	if (values.oom)
		return -ENOMEM;
	own = values.s ? values.s : "";
	for (n = values.len; n && strchr(" \t\r\n", own[n - 1]); n--)
		own[n - 1] = '\0';
	for (size_t i = 0; i < ARRAY_LEN(cmds); i++) {
		const char *args = match(cmds[i].name, own);

		if (!args)
			continue;
		cmds[i].fn(ctx, args, out);
		return out->oom ? -ENOMEM : 0;
	}
	unknown(own, out);
	return out->oom ? -ENOMEM : 0;
}
