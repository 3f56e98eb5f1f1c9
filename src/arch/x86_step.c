/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "arch/x86_step.h"

#include <string.h>

// clang-format off
/*
 * One letter per opcode (Intel SDM vol. 2, "Opcode Map"). Capitals:
 *	N  touches registers only: raises nothing
 *	M  accesses memory, or branches to an address in a register
 *	A  may raise anything
 *	R  N if its ModRM byte names a register, else M	L  lea: N if it names none, else A
 *	P  prefix	O  operand-size prefix	Q  address-size prefix
 *	T  repeat	K  lock			X  REX			E  escape
 *	B  pop, or XOP	S  mov to a segment register	U  ins, outs
 *	Z  mov immediate, D  group 3, Y  group 4, W  group 5, G  group 8: by the reg field
 * Small letters are the kinds of enum x86_insn_kind, see decode_kind().
 */
static const char one_byte[] =
	"RRRRNNAARRRRNNAE" // 0x00
	"RRRRNNAsRRRRNNAA" // 0x10
	"RRRRNNPARRRRNNPA" // 0x20
	"RRRRNNPARRRRNNPA" // 0x30
	"XXXXXXXXXXXXXXXX" // 0x40
	"MMMMMMMMMMMMMMMM" // 0x50
	"AAARPPOQMRMRUUUU" // 0x60
	"NNNNNNNNNNNNNNNN" // 0x70
	"RRRRRRRRRRRRRLSB" // 0x80
	"NNNNNNNNNNAAfpNN" // 0x90
	"MMMMuuuuNNuuuuuu" // 0xa0
	"NNNNNNNNNNNNNNNN" // 0xb0
	"RRMMAAZZMMAA3ior" // 0xc0
	"RRRRAAAMAAAAAAAA" // 0xd0
	"NNNNAAAAMNANAAAA" // 0xe0
	"KbTThNDDNNltNNYW" // 0xf0
	;
static const char two_byte[] =
	"AAAAAyAzAAAAANAA" // 0x00
	"AAAAAAAANNAANNNN" // 0x10
	"AAAAAAAAAAAAAAAA" // 0x20
	"wAAAxvAAAAAAAAAA" // 0x30
	"RRRRRRRRRRRRRRRR" // 0x40
	"AAAAAAAAAAAAAAAA" // 0x50
	"AAAAAAAAAAAAAAAA" // 0x60
	"AAAAAAAAAAAAAAAA" // 0x70
	"NNNNNNNNNNNNNNNN" // 0x80
	"RRRRRRRRRRRRRRRR" // 0x90
	"AAARRRAAAAARRRAR" // 0xa0
	"RRARAARRAAGRRRRR" // 0xb0
	"RRAAAAAANNNNNNNN" // 0xc0
	"AAAAAAAAAAAAAAAA" // 0xd0
	"AAAAAAAAAAAAAAAA" // 0xe0
	"AAAAAAAAAAAAAAAA" // 0xf0
	;
// clang-format on

enum { INSN_MAX = 15, VECTOR_DB = 1, VECTOR_BP = 3, SEG_SS = 2 };

struct code {
	const uint8_t *b;
	size_t n, i;
	bool short_code; /* ran out of bytes */
};

static uint8_t next(struct code *c)
{
	if (c->i < c->n)
		return c->b[c->i++];
	c->short_code = true;
	return 0;
}

struct prefixes {
	bool opsize, addrsize, lock, rep, rex_w;
	char letter; /* of the opcode */
};

static struct prefixes read_prefixes(struct code *c, bool long_mode)
{
	struct prefixes p = { 0 };

	for (;;) {
		uint8_t byte = next(c);
		char letter = one_byte[byte];

		switch (c->short_code ? 'A' : letter) {
		case 'P':
			break;
		case 'O':
			p.opsize = true;
			break;
		case 'Q':
			p.addrsize = true;
			break;
		case 'K':
			p.lock = true;
			break;
		case 'T':
			p.rep = true;
			break;
		case 'X':
			if (long_mode) {
				uint8_t opcode = next(c);

				letter = one_byte[opcode];
				if (strchr("PTOQKX", letter)) { // a REX counts only right before the opcode
					c->i--;
					break;
				}
				p.rex_w = byte & 8;
				p.letter = letter == 'E' ? two_byte[next(c)] : letter;
				return p;
			}
			p.letter = 'N'; // inc, dec
			return p;
		default:
			p.letter = letter == 'E' ? two_byte[next(c)] : letter;
			return p;
		}
	}
}

static bool names_register(uint8_t modrm)
{
	return modrm >> 6 == 3;
}

static unsigned reg_field(uint8_t modrm)
{
	return modrm >> 3 & 7;
}

static uint32_t modrm_faults(uint8_t modrm)
{
	return names_register(modrm) ? X86_FAULTS_NONE : X86_FAULTS_MEMORY;
}

/* Vectors of the opcodes whose ModRM byte tells more. */
static uint32_t group_faults(char letter, uint8_t modrm)
{
	unsigned reg = reg_field(modrm);

	switch (letter) {
	case 'R':
		return modrm_faults(modrm);
	case 'L':
		return names_register(modrm) ? X86_FAULTS_ANY : X86_FAULTS_NONE;
	case 'B':
		return reg == 0 ? X86_FAULTS_MEMORY : X86_FAULTS_ANY;
	case 'Z':
		return reg == 0 ? modrm_faults(modrm) : X86_FAULTS_ANY;
	case 'D': // the others are div and idiv
		return reg < 6 ? modrm_faults(modrm) : X86_FAULTS_ANY;
	case 'Y':
		return reg < 2 ? modrm_faults(modrm) : X86_FAULTS_ANY;
	case 'W': // inc, dec; near call and jmp; push; the others are far
		if (reg < 2)
			return modrm_faults(modrm);
		return reg == 2 || reg == 4 || reg == 6 ? X86_FAULTS_MEMORY : X86_FAULTS_ANY;
	case 'G':
		return reg >= 4 ? modrm_faults(modrm) : X86_FAULTS_ANY;
	default:
		return X86_FAULTS_ANY;
	}
}

/* Bytes that follow a ModRM byte: Intel SDM vol. 2, "ModR/M and SIB Bytes". */
static unsigned modrm_tail(struct code *c, uint8_t modrm, bool addr16)
{
	unsigned mod = modrm >> 6, rm = modrm & 7;

	if (mod == 3)
		return 0;
	if (addr16)
		return mod == 0 ? (rm == 6) * 2 : mod;
	if (rm == 4) {
		rm = next(c) & 7;
		c->i--;
		return 1 + (mod == 1 ? 1 : mod == 2 || rm == 5 ? 4 : 0);
	}
	return mod == 1 ? 1 : mod == 2 || rm == 5 ? 4 : 0;
}

static void decode_stack_seg(struct code *c, const struct prefixes *p, enum x86_code_size size, struct x86_insn *out)
{
	uint8_t modrm = next(c);
	unsigned tail = modrm_tail(c, modrm, size != X86_CODE_64 && p->addrsize == (size == X86_CODE_32));

	if (reg_field(modrm) != SEG_SS)
		return;
	out->kind = X86_INSN_STACK_SEG;
	out->len = (uint8_t)(c->i + tail);
}

static uint8_t operand_size(const struct prefixes *p, enum x86_code_size size, bool defaults_to_64)
{
	if (size == X86_CODE_64 && (p->rex_w || (defaults_to_64 && !p->opsize)))
		return 8;
	return p->opsize == (size == X86_CODE_16) ? 4 : 2;
}

static void set_int(struct code *c, uint8_t vector, struct x86_insn *out)
{
	out->kind = X86_INSN_INT;
	out->vector = vector;
	out->len = (uint8_t)c->i;
}

static void decode_string(const struct prefixes *p, enum x86_code_size size, struct x86_insn *out)
{
	static const uint8_t addrsize[][2] = {
		[X86_CODE_16] = { 2, 4 }, [X86_CODE_32] = { 4, 2 }, [X86_CODE_64] = { 8, 4 }
	};

	if (!p->rep)
		return;
	out->kind = X86_INSN_REP;
	out->addrsize = addrsize[size][p->addrsize];
}

static void decode_kind(struct code *c, const struct prefixes *p, enum x86_code_size size, struct x86_insn *out)
{
	uint8_t vector;

	switch (p->letter) {
	case 'f':
		out->kind = X86_INSN_PUSHF;
		out->opsize = operand_size(p, size, true);
		break;
	case 'p':
		out->kind = X86_INSN_POPF;
		out->opsize = operand_size(p, size, true);
		break;
	case 'r':
		out->kind = X86_INSN_IRET;
		out->opsize = operand_size(p, size, false);
		break;
	case '3':
		set_int(c, VECTOR_BP, out);
		break;
	case 'b':
		set_int(c, VECTOR_DB, out);
		break;
	case 'i':
		vector = next(c);
		set_int(c, vector, out);
		break;
	case 'o':
		out->kind = size == X86_CODE_64 ? X86_INSN_PLAIN : X86_INSN_INTO;
		break;
	case 'l':
		out->kind = X86_INSN_CLI;
		break;
	case 't':
		out->kind = X86_INSN_STI;
		out->len = (uint8_t)c->i;
		break;
	case 'y':
		out->kind = X86_INSN_SYSCALL;
		break;
	case 'z':
		out->kind = X86_INSN_SYSRET;
		break;
	case 'x':
		out->kind = X86_INSN_SYSENTER;
		break;
	case 'v':
		out->kind = X86_INSN_SYSEXIT;
		break;
	case 'h':
		out->kind = X86_INSN_HLT;
		break;
	case 's':
		out->kind = size == X86_CODE_64 ? X86_INSN_PLAIN : X86_INSN_STACK_SEG;
		out->len = size == X86_CODE_64 ? 0 : (uint8_t)c->i;
		break;
	case 'S':
		decode_stack_seg(c, p, size, out);
		break;
	case 'w':
		out->kind = X86_INSN_WRMSR;
		out->len = (uint8_t)c->i;
		break;
	case 'u':
		out->faults = X86_FAULTS_MEMORY;
		decode_string(p, size, out);
		break;
	case 'U':
		decode_string(p, size, out);
		break;
	case 'N':
		out->faults = X86_FAULTS_NONE;
		break;
	case 'M':
		out->faults = X86_FAULTS_MEMORY;
		break;
	case 'A':
		break;
	default:
		out->faults = group_faults(p->letter, next(c));
	}
}

void x86_insn_decode(const uint8_t *code, size_t n, enum x86_code_size size, struct x86_insn *out)
{
	struct code c = { .b = code, .n = n < INSN_MAX ? n : INSN_MAX };
	struct x86_insn insn = { .faults = X86_FAULTS_ANY };
	struct prefixes p = read_prefixes(&c, size == X86_CODE_64);

	if (!c.short_code)
		decode_kind(&c, &p, size, &insn);
	/* Outside of 64-bit code a limit may be anywhere, even in front of the next instruction. */
	if (size != X86_CODE_64 || p.lock)
		insn.faults = X86_FAULTS_ANY;
	if (c.short_code)
		insn = (struct x86_insn){ .faults = X86_FAULTS_ANY };
	*out = insn;
}
