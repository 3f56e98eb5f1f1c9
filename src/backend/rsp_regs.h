/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef BACKEND_RSP_REGS_H
#define BACKEND_RSP_REGS_H

#include "arch/arch.h"
#include "util/errtext.h"
#include "util/strbuf.h"

/*
 * How another server numbers its registers, and which field of our register file each one is. Learned from its target
 * description; registers that we do not know keep their place in the g packet.
 */
enum { RSP_MAX_REGS = 512, RSP_MAX_FIELDS = 384, RSP_REG_MAX = 1024 /* bytes of a register */ };

/* One field of the register file; what a write compares and sends. */
struct rsp_field {
	const char *name;   /* in target descriptions; NULL: no server has it */
	uint16_t off, size; /* in struct arch_regs */
	uint16_t group;
	int8_t seg;     /* x86: hidden part of this segment, follows when its selector is loaded; -1: none */
	int8_t st;      /* x86: position on the x87 stack; -1: none */
	int8_t sp;      /* arm64: stack pointer of this exception level; ARM64_NSP: the one in use; -1: none */
	int16_t single; /* available or not by itself, under this number; -1: with its group */
	bool optional;  /* its group is whole without it */
};

/* What another server may call the registers of one architecture. */
struct rsp_regmap;
struct rsp_machine {
	const struct arch *arch;
	const char *name;   /* for messages */
	const char *suffix; /* that servers leave out of some names; NULL: none */
	unsigned nfields;
	void (*field)(unsigned i, struct rsp_field *out); /* in the order of writes */
	const struct rsp_plain {
		const char *name;
		unsigned size;
	} * plain; /* the registers of a server that describes none, in GDB's order */
	unsigned nplain;
	uint32_t whole;  /* groups of which a server has every register or none that counts */
	uint32_t always; /* groups that count even if there is no register of them */
	/* Where the field is in @r; false: it is not to be taken from there, or put there. NULL: at its offset. */
	bool (*place)(const struct rsp_field *f, const struct arch_regs *r, size_t *off);
	/* What clients are shown; NULL: it depends on the mode of the vCPU. */
	const struct arch_layout *(*layout)(const struct rsp_regmap *m);
	/* Single registers: none is there; one was read (@size: its bytes on the wire); is it there? And which, taken
	 * over. */
	void (*clear)(struct arch_regs *r);
	void (*found)(const struct rsp_field *f, unsigned size, struct arch_regs *r);
	bool (*has)(const struct arch_regs *r, const struct rsp_field *f);
	void (*merge)(const struct arch_regs *from, uint32_t groups, struct arch_regs *to);
};
extern const struct rsp_machine rsp_machine_x86, rsp_machine_arm64;

struct rsp_regmap {
	const struct rsp_machine *machine;
	unsigned nregs;  /* highest register number + 1 */
	uint32_t groups; /* enum arch_group bits: the server has every register of these that must be there */
	struct {
		uint16_t size; /* bytes on the wire; 0: no such number */
		int16_t field; /* -1: not ours */
		uint32_t off;  /* in the g packet */
	} reg[RSP_MAX_REGS];
	int16_t by_field[RSP_MAX_FIELDS]; /* field -> register number; -1: the server does not have it */
};

/**
 * rsp_annex_fn - fetch one annex of qXfer:features:read, whole.
 * Returns: 0; negative errno.
 */
typedef int rsp_annex_fn(void *arg, const char *annex, struct strbuf *out);

/**
 * rsp_regmap_learn() - read "target.xml" and what it includes.
 * Returns: 0; -EPROTO with @why: not XML, nested too deep, impossible sizes, no core registers that we know.
 */
int rsp_regmap_learn(struct rsp_regmap *m, rsp_annex_fn *fetch, void *arg, struct errtext *why);

/** rsp_regmap_plain() - the 64-bit layout of an x86 server that describes nothing: rax .. gs, x87, SSE. */
void rsp_regmap_plain(struct rsp_regmap *m);

/** rsp_field() - field @i of the architecture, i < m->machine->nfields. */
struct rsp_field rsp_field(const struct rsp_regmap *m, unsigned i);

/** rsp_field_at() - where it is in @r; NULL: another field has its value now. */
const void *rsp_field_at(const struct rsp_regmap *m, const struct rsp_field *f, const struct arch_regs *r);

/** rsp_field_differs() - is field @f another in @a than in @b? */
bool rsp_field_differs(const struct rsp_regmap *m, const struct rsp_field *f, const struct arch_regs *a,
		       const struct arch_regs *b);

/**
 * rsp_regs_decode() - a g reply (hex, x's for what is unavailable) into @r, for the groups of @m alone.
 * Shape:   adds m->groups to r->have; a group with an unavailable register is not added. A packet may end before the
 *          last registers: the server gives those one by one.
 * @more:   bit per group: some of its registers are behind the packet's end.
 * Returns: 0; -EPROTO: not hex, or it ends inside a register.
 */
int rsp_regs_decode(const struct rsp_regmap *m, const uint8_t *hex, size_t n, struct arch_regs *r, uint32_t *more);

/** rsp_reg_is_behind() - is register @num not in a g reply of @n digits? */
bool rsp_reg_is_behind(const struct rsp_regmap *m, unsigned num, size_t n);

/** rsp_reg_decode() - the p reply for register @num. Returns: 0; 1: unavailable; -EPROTO: not as long as it should be.
 */
int rsp_reg_decode(const struct rsp_regmap *m, unsigned num, const uint8_t *hex, size_t n, struct arch_regs *r);

#endif
