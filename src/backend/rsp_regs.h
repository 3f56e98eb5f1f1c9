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
enum { RSP_MAX_REGS = 512 };

struct rsp_regmap {
	unsigned nregs;  /* highest register number + 1 */
	uint32_t groups; /* enum arch_group bits: the server has every named register of these */
	struct {
		uint16_t size; /* bytes on the wire; 0: no such number */
		int16_t field; /* index into the field table; -1: not ours */
		uint32_t off;  /* in the g packet */
	} reg[RSP_MAX_REGS];
	int16_t by_field[160]; /* field -> register number; -1: the server does not have it */
};

/**
 * rsp_annex_fn - fetch one annex of qXfer:features:read, whole.
 * Returns: 0; negative errno.
 */
typedef int rsp_annex_fn(void *arg, const char *annex, struct strbuf *out);

/**
 * rsp_regmap_learn() - read "target.xml" and what it includes.
 * Returns: 0; -EPROTO with @why: not XML, nested too deep, impossible sizes, no x86-64 core registers.
 */
int rsp_regmap_learn(struct rsp_regmap *m, rsp_annex_fn *fetch, void *arg, struct errtext *why);

/** rsp_regmap_plain() - the 64-bit layout of a server that describes nothing: rax .. gs, x87, SSE. */
void rsp_regmap_plain(struct rsp_regmap *m);

/**
 * rsp_regs_decode() - a g reply (hex, x's for what is unavailable) into @r, for the groups of @m alone.
 * Shape:   adds m->groups to r->have; a group with an unavailable register is not added.
 * Returns: 0; -EPROTO: shorter than the layout says, or not hex.
 */
int rsp_regs_decode(const struct rsp_regmap *m, const uint8_t *hex, size_t n, struct arch_regs *r);

/* One field of the register file; what a write compares and sends. */
struct rsp_field {
	const char *name; /* in target descriptions; NULL: no server can write it */
	uint16_t off, size;
	uint16_t group;
	int8_t seg; /* hidden part of this segment: follows when its selector is loaded; -1: none */
	int8_t msr; /* index into x86_regs.msr; -1: none */
};
const struct rsp_field *rsp_fields(unsigned *n);

/** rsp_field_differs() - is field @f another in @a than in @b? */
bool rsp_field_differs(const struct rsp_field *f, const struct arch_regs *a, const struct arch_regs *b);

#endif
