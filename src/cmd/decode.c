/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <argp.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "arch/arm64_decode.h"
#include "cmd.h"
#include "util/cursor.h"

#define MAX_VALUES 64

enum { OPT_GICV2 = 0x100, OPT_LEVEL, OPT_GRANULE, OPT_STAGE };

struct decode_options {
	const struct kind *kind;
	uint64_t value[MAX_VALUES];
	unsigned n;
	bool gicv2;
	struct arm64_pte_place place;
	const char *place_opt; /* the last option about it */
};

/* ---- what can be decoded ---- */

static void decode_esr(const struct decode_options *o, struct strbuf *out)
{
	for (unsigned i = 0; i < o->n; i++)
		arm64_esr_text("ESR", o->value[i], out);
}

static void decode_spsr(const struct decode_options *o, struct strbuf *out)
{
	for (unsigned i = 0; i < o->n; i++)
		arm64_spsr_text("SPSR", o->value[i], out);
}

static void decode_hpfar(const struct decode_options *o, struct strbuf *out)
{
	arm64_hpfar_text(o->value[0], o->value[1], o->n > 2 ? &o->value[2] : NULL, out);
}

static void decode_lr(const struct decode_options *o, struct strbuf *out)
{
	arm64_lr_text(o->value, o->n, o->gicv2, out);
}

static void decode_pte(const struct decode_options *o, struct strbuf *out)
{
	for (unsigned i = 0; i < o->n; i++)
		arm64_pte_text(&o->place, o->value[i], out);
}

static const struct kind {
	const char *name, *args;
	unsigned min, max;
	void (*text)(const struct decode_options *o, struct strbuf *out);
} kinds[] = {
	{ "esr", "VALUE...", 1, MAX_VALUES, decode_esr },   { "hpfar", "HPFAR FAR [ESR]", 2, 3, decode_hpfar },
	{ "lr", "VALUE...", 1, MAX_VALUES, decode_lr },     { "pte", "VALUE...", 1, MAX_VALUES, decode_pte },
	{ "spsr", "VALUE...", 1, MAX_VALUES, decode_spsr },
};

/* ---- the command line ---- */

static const struct kind *take_kind(struct argp_state *st, const char *s)
{
	char list[64] = "";

	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		if (strcmp(s, kinds[i].name) == 0)
			return &kinds[i];
		snprintf(list + strlen(list), sizeof(list) - strlen(list), "%s%s", i ? ", " : "", kinds[i].name);
	}
	argp_error(st, "'%s' is nothing that can be decoded: expected one of %s", s, list);
	return NULL;
}

static void take_value(struct argp_state *st, const char *s, struct decode_options *o)
{
	struct cur c = cur_init(s, strlen(s));
	uint64_t v = cur_number(&c);

	if (!cur_done(&c))
		argp_error(st, "%s '%s': expected a 64-bit number such as 0x96000046 or 4096", o->kind->name, s);
	if (o->n == o->kind->max)
		argp_error(st, "%s '%s': too many values: expected %s", o->kind->name, s, o->kind->args);
	o->value[o->n++] = v;
}

static void check_place(struct argp_state *st, const struct decode_options *o)
{
	if (o->place_opt && o->kind->text != decode_pte)
		argp_error(st, "%s: expected only with pte", o->place_opt);
	if (!arm64_pte_place_valid(&o->place))
		argp_error(st, "--level %d: tables of %uK pages have no such level", o->place.level,
			   1u << (o->place.page_bits - 10));
}

static void check(struct argp_state *st, const struct decode_options *o)
{
	if (!o->kind)
		argp_error(st, "nothing to decode");
	if (o->n < o->kind->min)
		argp_error(st, "%s: too few values: expected %s", o->kind->name, o->kind->args);
	if (o->gicv2 && o->kind->text != decode_lr)
		argp_error(st, "--gicv2: expected only with lr");
	check_place(st, o);
	for (unsigned i = 0; i < o->n && o->gicv2; i++)
		if (o->value[i] > UINT32_MAX)
			argp_error(st, "lr %#" PRIx64 ": a list register of a GICv2 has 32 bits", o->value[i]);
}

static error_t parse(int key, char *arg, struct argp_state *st)
{
	static const char *const levels[] = { "-1", "0", "1", "2", "3" }, *const granules[] = { "4K", "16K", "64K" };
	static const char *const stages[] = { "1", "2" };
	struct decode_options *o = st->input;

	switch (key) {
	case OPT_LEVEL:
		o->place_opt = "--level";
		o->place.level = cmd_word_take(st, o->place_opt, arg, levels, ARRAY_LEN(levels)) - 1;
		return 0;
	case OPT_GRANULE:
		o->place_opt = "--granule";
		o->place.page_bits =
			12 + 2 * (unsigned)cmd_word_take(st, o->place_opt, arg, granules, ARRAY_LEN(granules));
		return 0;
	case OPT_STAGE:
		o->place_opt = "--stage";
		o->place.stage2 = cmd_word_take(st, o->place_opt, arg, stages, ARRAY_LEN(stages));
		return 0;
	case OPT_GICV2:
		o->gicv2 = true;
		return 0;
	case ARGP_KEY_ARG:
		if (o->kind)
			take_value(st, arg, o);
		else
			o->kind = take_kind(st, arg);
		return 0;
	case ARGP_KEY_END:
		check(st, o);
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

// clang-format off
static const struct argp_option options[] = {
	{ "gicv2", OPT_GICV2, NULL, 0, "lr: GICH_LRn of a GICv2, 32 bits each", 0 },
	{ "level", OPT_LEVEL, "N", 0, "pte: level of the table, -1 to 3 (default 3)", 0 },
	{ "granule", OPT_GRANULE, "4K|16K|64K", 0, "pte: size of pages (default 4K)", 0 },
	{ "stage", OPT_STAGE, "1|2", 0, "pte: stage of translation (default 1)", 0 },
	{ 0 },
};

static const char doc[] =
	"Say what values of arm64 registers mean, in words; on any machine, without a guest.\v"
	"  esr    exception syndrome (ESR_ELx): class, fields of the syndrome\n"
	"  hpfar  IPA of a stage 2 fault; with ESR_EL2 also whether it is valid\n"
	"  lr     GIC list registers (ICH_LR<n>_EL2), and how many are free\n"
	"  pte    descriptor of a translation table: where it leads, rights, attributes\n"
	"  spsr   saved program status (SPSR_ELx), GDB's cpsr: mode, flags, masks\n"
	"\nValues are 0x hex or decimal.";
// clang-format on

int cmd_decode(int argc, char **argv)
{
	static const struct argp argp = {
		.options = options,
		.parser = parse,
		.args_doc = "esr VALUE...\nhpfar HPFAR FAR [ESR]\nlr VALUE...\npte VALUE...\nspsr VALUE...",
		.doc = doc,
	};
	_cleanup_(strbuf_deinit) struct strbuf out = { 0 };
	struct decode_options o = { .place = { .level = 3, .page_bits = 12 } };
	char name[] = "gdbvm decode";

	argp_err_exit_status = CMD_USAGE;
	argv[0] = name;
	argp_parse(&argp, argc, argv, 0, NULL, &o);
	o.kind->text(&o, &out);
	signal(SIGPIPE, SIG_DFL); // who reads only the beginning is done
	return cmd_print(&out);
}
