/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "backend/hmp.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "util/bytes.h"
#include "util/cursor.h"
#include "util/macros.h"

/*
 * The text is lines of KEY=value, some keys padded with a blank ("R8 =", "ES ="), some values several words. Values
 * are taken by a strict cursor; a key counts only at the start of a word.
 */

/* Behind "KEY=" or "KEY =", blanks skipped; NULL: no such key. */
static const char *find(const char *text, const char *key)
{
	size_t n = strlen(key);

	for (const char *p = text; (p = strstr(p, key)); p++) {
		const char *v = p + n;

		if (p != text && p[-1] != ' ' && p[-1] != '\n' && p[-1] != '\r')
			continue;
		v += *v == ' ';
		if (*v == '=')
			return v + 1 + strspn(v + 1, " ");
	}
	return NULL;
}

static void blanks(struct cur *c)
{
	while (cur_try(c, ' '))
		;
}

static bool get(const char *text, const char *key, uint64_t *ret)
{
	const char *p = find(text, key);
	struct cur c = cur_init(p, p ? strlen(p) : 0);
	uint64_t v = p ? cur_hex(&c) : 0;

	if (!p || c.bad)
		return false;
	*ret = v;
	return true;
}

/* @n hex words behind a key. */
static bool words(const char *text, const char *key, uint64_t *out, unsigned n)
{
	const char *p = find(text, key);
	struct cur c = cur_init(p, p ? strlen(p) : 0);

	for (unsigned i = 0; i < n && p; i++) {
		out[i] = cur_hex(&c);
		blanks(&c);
	}
	return p && !c.bad;
}

static bool core_parse(const char *t, struct x86_regs *x)
{
	static const char name[X86_NGPR][2][4] = {
		{ "RAX", "EAX" }, { "RBX", "EBX" }, { "RCX", "ECX" }, { "RDX", "EDX" },
		{ "RSI", "ESI" }, { "RDI", "EDI" }, { "RBP", "EBP" }, { "RSP", "ESP" },
		{ "R8" },         { "R9" },         { "R10" },        { "R11" },
		{ "R12" },        { "R13" },        { "R14" },        { "R15" },
	};
	bool wide = find(t, "RIP");

	for (unsigned i = 0; i < X86_NGPR; i++) {
		if (!wide && i >= X86_R8)
			break; // not there outside 64-bit code
		if (!get(t, name[i][!wide], &x->gpr[i]))
			return false;
	}
	return get(t, wide ? "RIP" : "EIP", &x->rip) && get(t, wide ? "RFL" : "EFL", &x->rflags);
}

/* "CS =0010 0000000000000000 ffffffff 00af9b00 DPL=0 CS64 [-RA]": the flags are bits 8-23 of a descriptor's high half.
 */
static bool seg_parse(const char *t, const char *key, struct x86_seg *out)
{
	uint64_t v[4];

	if (!words(t, key, v, 4) || v[0] > 0xffff || v[2] > UINT32_MAX)
		return false;
	*out = (struct x86_seg){ .sel = (uint16_t)v[0],
				 .base = v[1],
				 .limit = (uint32_t)v[2],
				 .attr = (uint16_t)((v[3] >> 8 & 0xff) | (v[3] >> 12 & 0xf00)) };
	return true;
}

static bool table_parse(const char *t, const char *key, struct x86_table *out)
{
	uint64_t v[2];

	if (!words(t, key, v, 2) || v[1] > UINT32_MAX)
		return false;
	*out = (struct x86_table){ .base = v[0], .limit = (uint32_t)v[1] };
	return true;
}

static bool sys_parse(const char *t, struct x86_regs *x)
{
	static const char seg[X86_NSEG][4] = { [X86_CS] = "CS", [X86_SS] = "SS", [X86_DS] = "DS",    [X86_ES] = "ES",
					       [X86_FS] = "FS", [X86_GS] = "GS", [X86_LDTR] = "LDT", [X86_TR] = "TR" };

	for (unsigned i = 0; i < X86_NSEG; i++) {
		if (!seg_parse(t, seg[i], &x->seg[i]))
			return false;
	}
	return table_parse(t, "GDT", &x->gdt) && table_parse(t, "IDT", &x->idt) && get(t, "CR0", &x->cr0) &&
	       get(t, "CR2", &x->cr2) && get(t, "CR3", &x->cr3) && get(t, "CR4", &x->cr4) && get(t, "EFER", &x->efer);
}

static bool debug_parse(const char *t, struct x86_regs *x)
{
	static const unsigned char present[] = { 0, 1, 2, 3, 6, 7 };
	char key[8];

	for (unsigned i = 0; i < ARRAY_LEN(present); i++) {
		snprintf(key, sizeof(key), "DR%u", present[i]);
		if (!get(t, key, &x->dr[present[i]]))
			return false;
	}
	return true;
}

/* The class of an x87 register as the full tag word has it. Source: Intel SDM, "x87 FPU Tag Word". */
static unsigned tag_of(uint64_t mantissa, uint16_t exponent)
{
	exponent &= 0x7fff;
	if (exponent == 0 && mantissa == 0)
		return 1; // zero
	return exponent == 0 || exponent == 0x7fff || !(mantissa >> 63) ? 2 : 0;
}

static bool x87_parse(const char *t, struct x86_regs *x)
{
	uint64_t fcw, fsw, ftw, mxcsr, v[2];
	char key[8];

	if (!get(t, "FCW", &fcw) || !get(t, "FSW", &fsw) || !get(t, "FTW", &ftw) || !get(t, "MXCSR", &mxcsr))
		return false;
	x->fctrl = (uint32_t)fcw;
	x->fstat = (uint32_t)fsw;
	x->mxcsr = (uint32_t)mxcsr;
	x->ftag = 0;
	for (unsigned i = 0; i < 8; i++) {
		uint8_t *st = x->st[(i - (x->fstat >> 11)) & 7]; // the text has physical registers

		snprintf(key, sizeof(key), "FPR%u", i);
		if (!words(t, key, v, 2))
			return false;
		st_le64(st, v[0]);
		st_le16(st + 8, (uint16_t)v[1]);
		x->ftag |= (ftw & BIT(i) ? tag_of(v[0], (uint16_t)v[1]) : 3)
			   << 2 * i; // FTW has a bit per register in use
	}
	return true;
}

/* XMM, YMM or ZMM lines, highest quadword first; 8 of them outside 64-bit code. */
static bool vectors_parse(const char *t, struct x86_regs *x)
{
	static const struct {
		char prefix;
		unsigned quads;
	} kind[] = { { 'Z', 8 }, { 'Y', 4 }, { 'X', 2 } };
	unsigned k = 0, n;

	for (; k < ARRAY_LEN(kind); k++) {
		char key[8] = { kind[k].prefix, 'M', 'M', '0', '0' };

		if (find(t, key))
			break;
	}
	if (k == ARRAY_LEN(kind))
		return false;
	n = kind[k].quads;
	x->fp_absent = n < 4 ? X86_NO_AVX : 0;
	for (unsigned i = 0; i < 16; i++) {
		uint64_t v[8];
		char key[8];

		snprintf(key, sizeof(key), "%cMM%02u", kind[k].prefix, i);
		if (!words(t, key, v, n)) {
			if (i < 8)
				return false;
			break;
		}
		st_le64(x->xmm[i], v[n - 1]);
		st_le64(x->xmm[i] + 8, v[n - 2]);
		if (n >= 4) {
			st_le64(x->ymmh[i], v[n - 3]);
			st_le64(x->ymmh[i] + 8, v[n - 4]);
		}
	}
	return true;
}

int hmp_cpu_parse(const char *text, struct hmp_cpu *out)
{
	struct hmp_cpu c = { 0 };
	struct x86_regs *x = &c.r.x86;
	uint64_t hlt = 0;

	if (core_parse(text, x))
		c.r.have |= ARCH_CORE;
	if (sys_parse(text, x))
		c.r.have |= ARCH_SYS;
	if (debug_parse(text, x))
		c.r.have |= ARCH_DEBUG;
	if (x87_parse(text, x) && vectors_parse(text, x))
		c.r.have |= ARCH_FP;
	if (!c.r.have)
		return -EPROTO;
	c.halted = get(text, "HLT", &hlt) && hlt;
	*out = c;
	return 0;
}
