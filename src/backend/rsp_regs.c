/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "backend/rsp_regs.h"

#include <errno.h>
#include <expat.h>
#include <stdlib.h>
#include <string.h>

#include "util/cursor.h"
#include "util/macros.h"

/* ---- the fields of our register file ---- */

#define F(nm, field, grp)                                                                                       \
	{                                                                                                       \
		nm, offsetof(struct x86_regs, field), sizeof(((struct x86_regs *)0)->field), ARCH_##grp, -1, -1 \
	}
#define GPR(nm, R) F(nm, gpr[X86_##R], CORE)
#define SEL(nm, S) F(nm, seg[X86_##S].sel, SYS)
#define BASE(nm, S)                                                                        \
	{                                                                                  \
		nm, offsetof(struct x86_regs, seg[X86_##S].base), 8, ARCH_SYS, X86_##S, -1 \
	}
#define HIDDEN(S)                                                                            \
	{ NULL, offsetof(struct x86_regs, seg[X86_##S].limit), 4, ARCH_SYS, X86_##S, -1 },   \
	{                                                                                    \
		NULL, offsetof(struct x86_regs, seg[X86_##S].attr), 2, ARCH_SYS, X86_##S, -1 \
	}
#define MSR(nm, M)                                                                            \
	{                                                                                     \
		nm, offsetof(struct x86_regs, msr[X86_MSR_##M]), 8, ARCH_MSR, -1, X86_MSR_##M \
	}

/*
 * Order matters for writes: selectors before bases (loading one sets its base), what paging is made of before the bit
 * that turns it on, fstat (it holds the stack top) before the stack.
 */
// clang-format off
static const struct rsp_field fields[] = {
	F("cr4", cr4, SYS), F("cr3", cr3, SYS), F("efer", efer, SYS), F("cr0", cr0, SYS), F("cr2", cr2, SYS),
	F("cr8", cr8, SYS),
	SEL("cs", CS), SEL("ss", SS), SEL("ds", DS), SEL("es", ES), SEL("fs", FS), SEL("gs", GS),
	BASE("fs_base", FS), BASE("gs_base", GS), MSR("k_gs_base", KERNEL_GS_BASE),
	GPR("rax", RAX), GPR("rbx", RBX), GPR("rcx", RCX), GPR("rdx", RDX), GPR("rsi", RSI), GPR("rdi", RDI), GPR("rbp", RBP),
	GPR("rsp", RSP), GPR("r8", R8), GPR("r9", R9), GPR("r10", R10), GPR("r11", R11), GPR("r12", R12), GPR("r13", R13),
	GPR("r14", R14), GPR("r15", R15), F("rip", rip, CORE), F("eflags", rflags, CORE),
	F("fctrl", fctrl, FP), F("fstat", fstat, FP), F("ftag", ftag, FP), F("fiseg", fiseg, FP), F("fioff", fioff, FP),
	F("foseg", foseg, FP), F("fooff", fooff, FP), F("fop", fop, FP),
	F("st0", st[0], FP), F("st1", st[1], FP), F("st2", st[2], FP), F("st3", st[3], FP), F("st4", st[4], FP),
	F("st5", st[5], FP), F("st6", st[6], FP), F("st7", st[7], FP),
	F("xmm0", xmm[0], FP), F("xmm1", xmm[1], FP), F("xmm2", xmm[2], FP), F("xmm3", xmm[3], FP), F("xmm4", xmm[4], FP),
	F("xmm5", xmm[5], FP), F("xmm6", xmm[6], FP), F("xmm7", xmm[7], FP), F("xmm8", xmm[8], FP), F("xmm9", xmm[9], FP),
	F("xmm10", xmm[10], FP), F("xmm11", xmm[11], FP), F("xmm12", xmm[12], FP), F("xmm13", xmm[13], FP),
	F("xmm14", xmm[14], FP), F("xmm15", xmm[15], FP), F("mxcsr", mxcsr, FP),
	BASE(NULL, CS), HIDDEN(CS), BASE(NULL, SS), HIDDEN(SS), BASE(NULL, DS), HIDDEN(DS), BASE(NULL, ES), HIDDEN(ES),
	HIDDEN(FS), HIDDEN(GS),
	F(NULL, seg[X86_LDTR].sel, SYS), BASE(NULL, LDTR), HIDDEN(LDTR),
	F(NULL, seg[X86_TR].sel, SYS), BASE(NULL, TR), HIDDEN(TR),
	F(NULL, gdt.base, SYS), F(NULL, gdt.limit, SYS), F(NULL, idt.base, SYS), F(NULL, idt.limit, SYS),
	F(NULL, ymmh, FP), F(NULL, dr, DEBUG),
	MSR(NULL, TSC), MSR(NULL, APIC_BASE), MSR(NULL, SYSENTER_CS), MSR(NULL, SYSENTER_ESP), MSR(NULL, SYSENTER_EIP),
	MSR(NULL, PAT), MSR(NULL, MTRR_DEF_TYPE), MSR(NULL, MISC_ENABLE), MSR(NULL, STAR), MSR(NULL, LSTAR), MSR(NULL, CSTAR),
	MSR(NULL, SFMASK), MSR(NULL, TSC_AUX), MSR(NULL, SPEC_CTRL), MSR(NULL, TSC_DEADLINE),
};

/* The registers of a server without a target description, in GDB's order. */
static const struct { const char *name; unsigned size; } plain[] = {
	{ "rax", 8 }, { "rbx", 8 }, { "rcx", 8 }, { "rdx", 8 }, { "rsi", 8 }, { "rdi", 8 }, { "rbp", 8 }, { "rsp", 8 },
	{ "r8", 8 }, { "r9", 8 }, { "r10", 8 }, { "r11", 8 }, { "r12", 8 }, { "r13", 8 }, { "r14", 8 }, { "r15", 8 },
	{ "rip", 8 }, { "eflags", 4 }, { "cs", 4 }, { "ss", 4 }, { "ds", 4 }, { "es", 4 }, { "fs", 4 }, { "gs", 4 },
	{ "st0", 10 }, { "st1", 10 }, { "st2", 10 }, { "st3", 10 }, { "st4", 10 }, { "st5", 10 }, { "st6", 10 }, { "st7", 10 },
	{ "fctrl", 4 }, { "fstat", 4 }, { "ftag", 4 }, { "fiseg", 4 }, { "fioff", 4 }, { "foseg", 4 }, { "fooff", 4 },
	{ "fop", 4 }, { "xmm0", 16 }, { "xmm1", 16 }, { "xmm2", 16 }, { "xmm3", 16 }, { "xmm4", 16 }, { "xmm5", 16 },
	{ "xmm6", 16 }, { "xmm7", 16 }, { "xmm8", 16 }, { "xmm9", 16 }, { "xmm10", 16 }, { "xmm11", 16 }, { "xmm12", 16 },
	{ "xmm13", 16 }, { "xmm14", 16 }, { "xmm15", 16 }, { "mxcsr", 4 },
};
// clang-format on
_Static_assert(ARRAY_LEN(fields) <= ARRAY_LEN(((struct rsp_regmap *)0)->by_field), "by_field is too small");

const struct rsp_field *rsp_fields(unsigned *n)
{
	*n = ARRAY_LEN(fields);
	return fields;
}

bool rsp_field_differs(const struct rsp_field *f, const struct arch_regs *a, const struct arch_regs *b)
{
	return memcmp((const uint8_t *)&a->x86 + f->off, (const uint8_t *)&b->x86 + f->off, f->size) != 0;
}

/* ---- the map ---- */

static void map_reset(struct rsp_regmap *m)
{
	memset(m, 0, sizeof(*m));
	memset(m->by_field, 0xff, sizeof(m->by_field));
}

static int field_find(const char *name)
{
	for (unsigned i = 0; i < ARRAY_LEN(fields); i++) {
		if (fields[i].name && strcmp(fields[i].name, name) == 0)
			return (int)i;
	}
	return -1;
}

static int map_add(struct rsp_regmap *m, unsigned num, const char *name, unsigned size)
{
	int field = field_find(name);

	if (num >= RSP_MAX_REGS || size == 0 || size > 1024 || m->reg[num].size)
		return -EPROTO;
	m->reg[num].size = (uint16_t)size;
	m->reg[num].field = (int16_t)field;
	if (field >= 0)
		m->by_field[field] = (int16_t)num;
	m->nregs = MAX(m->nregs, num + 1);
	return 0;
}

/* Places in the g packet, and the groups that are whole. */
static void map_finish(struct rsp_regmap *m)
{
	uint32_t off = 0;

	for (unsigned i = 0; i < m->nregs; i++) {
		m->reg[i].off = off;
		off += m->reg[i].size;
	}
	m->groups = ARCH_CORE | ARCH_SYS | ARCH_FP | ARCH_MSR;
	for (unsigned i = 0; i < ARRAY_LEN(fields); i++) {
		if (fields[i].name && m->by_field[i] < 0)
			m->groups &= ~(uint32_t)fields[i].group;
	}
}

void rsp_regmap_plain(struct rsp_regmap *m)
{
	map_reset(m);
	for (unsigned i = 0; i < ARRAY_LEN(plain); i++)
		map_add(m, i, plain[i].name, plain[i].size);
	map_finish(m);
}

/* ---- the target description ---- */

enum { MAX_DEPTH = 4 };

struct learner {
	struct rsp_regmap *map;
	rsp_annex_fn *fetch;
	void *arg;
	struct errtext *why;
	XML_Parser parser;
	unsigned next, depth; /* number of the next register that names none; annexes being read */
	int rc;
};

static int annex_read(struct learner *l, const char *annex);

static const char *attribute(const XML_Char **atts, const char *name)
{
	for (; *atts; atts += 2) {
		if (strcmp(atts[0], name) == 0)
			return atts[1];
	}
	return NULL;
}

/* A decimal attribute; @dflt if it is not there, -1 if it is not a number. */
static long number(const char *s, long dflt)
{
	struct cur c;
	uint64_t v;

	if (!s)
		return dflt;
	c = cur_init(s, strlen(s));
	v = cur_dec(&c);
	return cur_done(&c) && v <= 65536 ? (long)v : -1;
}

static int reg_element(struct learner *l, const XML_Char **atts)
{
	const char *name = attribute(atts, "name");
	long bits = number(attribute(atts, "bitsize"), -1), num = number(attribute(atts, "regnum"), l->next);

	if (!name || bits <= 0 || num < 0 || map_add(l->map, (unsigned)num, name, (unsigned)(bits + 7) / 8) < 0)
		return errtext_set(l->why, -EPROTO, "the target description has an impossible register %s",
				   name ? name : "without a name");
	l->next = (unsigned)num + 1;
	return 0;
}

static void XMLCALL element(void *arg, const XML_Char *tag, const XML_Char **atts)
{
	struct learner *l = arg;
	const char *href;

	if (l->rc < 0)
		return;
	if (strcmp(tag, "reg") == 0) {
		l->rc = reg_element(l, atts);
	} else if (strcmp(tag, "xi:include") == 0) {
		href = attribute(atts, "href");
		l->rc = href ? annex_read(l, href) : 0;
	}
	if (l->rc < 0)
		XML_StopParser(l->parser, XML_FALSE);
}

/* Includes are read where they stand, because registers are numbered in document order. */
static int annex_read(struct learner *l, const char *annex)
{
	_cleanup_(strbuf_deinit) struct strbuf text = { 0 };
	XML_Parser outer = l->parser;
	enum XML_Status ok;
	int rc;

	if (l->depth == MAX_DEPTH)
		return errtext_set(l->why, -EPROTO, "the target description includes itself");
	rc = l->fetch(l->arg, annex, &text);
	if (rc < 0)
		return errtext_set(l->why, rc, "the debug server did not give its target description %s", annex);
	l->parser = XML_ParserCreate(NULL);
	if (!l->parser) {
		l->parser = outer;
		return -ENOMEM;
	}
	l->depth++;
	XML_SetUserData(l->parser, l);
	XML_SetStartElementHandler(l->parser, element);
	ok = XML_Parse(l->parser, strbuf_str(&text), (int)text.len, XML_TRUE);
	if (ok != XML_STATUS_OK && l->rc == 0)
		l->rc = errtext_set(l->why, -EPROTO, "the target description %s is no XML: %s", annex,
				    XML_ErrorString(XML_GetErrorCode(l->parser)));
	XML_ParserFree(l->parser);
	l->parser = outer;
	l->depth--;
	return l->rc;
}

int rsp_regmap_learn(struct rsp_regmap *m, rsp_annex_fn *fetch, void *arg, struct errtext *why)
{
	struct learner l = { .map = m, .fetch = fetch, .arg = arg, .why = why };
	int rc;

	map_reset(m);
	rc = annex_read(&l, "target.xml");
	if (rc < 0)
		return rc;
	map_finish(m);
	if (!(m->groups & ARCH_CORE))
		return errtext_set(why, -EPROTO, "the debug server's target description has no x86-64 core registers");
	return 0;
}

/* ---- the g packet ---- */

/* One register's bytes; 1: the server does not know them ("xx"). */
static int reg_decode(const uint8_t *hex, size_t size, uint8_t *out)
{
	for (size_t i = 0; i < size; i++) {
		int hi = hex_digit(hex[2 * i]), lo = hex_digit(hex[2 * i + 1]);

		if (hex[2 * i] == 'x' && hex[2 * i + 1] == 'x')
			return 1;
		if (hi < 0 || lo < 0)
			return -EPROTO;
		out[i] = (uint8_t)(hi << 4 | lo);
	}
	return 0;
}

int rsp_regs_decode(const struct rsp_regmap *m, const uint8_t *hex, size_t n, struct arch_regs *r)
{
	struct arch_regs got = *r;
	uint32_t groups = m->groups;

	for (unsigned i = 0; i < m->nregs; i++) {
		uint8_t buf[1024] = { 0 }, *to;
		const struct rsp_field *f;
		int rc;

		if (!m->reg[i].size || m->reg[i].field < 0 || !(m->groups & fields[m->reg[i].field].group))
			continue;
		f = &fields[m->reg[i].field];
		if (2ull * (m->reg[i].off + m->reg[i].size) > n)
			return -EPROTO;
		rc = reg_decode(hex + 2ull * m->reg[i].off, m->reg[i].size, buf);
		if (rc < 0)
			return rc;
		if (rc > 0) {
			groups &= ~(uint32_t)f->group;
			continue;
		}
		to = (uint8_t *)&got.x86 + f->off;
		memset(to, 0, f->size);
		memcpy(to, buf, MIN(f->size, m->reg[i].size));
		if (f->msr >= 0)
			got.x86.msr_have |= BIT(f->msr);
	}
	got.have |= groups;
	*r = got;
	return 0;
}
