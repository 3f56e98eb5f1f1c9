/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef RSP_REQUEST_H
#define RSP_REQUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "util/addr.h"
#include "util/cursor.h"

/*
 * Packet bodies as typed requests. A parser gets a cursor just behind the packet's prefix, takes the whole rest
 * or fails with -EINVAL, and touches nothing but *r. Pointers in a request point into the packet.
 */

/* A thread id: -1 all, 0 any, n > 0 thread n (vCPU n - 1). */
struct rsp_tid {
	int64_t id;
};
enum { RSP_TID_ALL = -1, RSP_TID_ANY = 0 };

/* One action of a vCont packet: kind is one of c C s S t r. */
struct rsp_vcont_action {
	char kind;
	int sig;
	gva lo, hi; /* kind r: [lo, hi) */
	struct rsp_tid tid;
	bool has_tid;
};
#define RSP_VCONT_MAX 80

/* An agent expression, decoded in place: a condition or a command of a breakpoint. */
struct rsp_code {
	const uint8_t *code;
	size_t n;
};
#define RSP_BP_CODE_MAX 64 /* conditions of one breakpoint, and as many commands */

struct rsp_req {
	/* LLDB's ";thread:ID;" behind the rest. Set by the parsers that know it; the caller clears has_suffix first. */
	bool has_suffix;
	struct rsp_tid suffix;
	union {
		struct {
			uint64_t at, len;
			const uint8_t *data;
		} mem; /* m M X x qCRC; data: M decoded in place, X raw */
		struct {
			unsigned num;
			const uint8_t *hex;
			size_t hexlen;
		} reg; /* p P */
		struct {
			const uint8_t *hex;
			size_t hexlen;
		} regs; /* G */
		struct {
			char op;
			struct rsp_tid tid;
		} thread; /* H T */
		struct {
			int sig;
			bool has_addr;
			uint64_t addr;
		} run; /* c C s S */
		struct {
			unsigned n;
			struct rsp_vcont_action action[RSP_VCONT_MAX];
		} vcont;
		struct {
			unsigned type;
			uint64_t at, kind;
			unsigned nconds, ncmds;
			struct rsp_code cond[RSP_BP_CODE_MAX], cmd[RSP_BP_CODE_MAX];
		} bp; /* Z z */
		struct {
			const char *annex;
			size_t annex_len;
			uint64_t off, len;
		} xfer;
		struct {
			uint64_t at, len;
			const uint8_t *pat;
			size_t pat_len;
		} search;
		struct {
			char *line;
		} rcmd; /* hex decoded in place, NUL-terminated */
		struct {
			uint64_t value;
		} num; /* a single hex number */
		struct {
			const char *s;
			size_t n;
		} text; /* the rest as it is */
	};
};

/* Every parser: 0 or -EINVAL. The packet buffer is writable and has one spare byte behind its end. */
typedef int rsp_parse_fn(struct cur *c, struct rsp_req *r);

rsp_parse_fn rsp_parse_none;    /* nothing may follow */
rsp_parse_fn rsp_parse_text;    /* anything may follow */
rsp_parse_fn rsp_parse_mem;     /* addr,length                 m x qCRC: */
rsp_parse_fn rsp_parse_mem_hex; /* addr,length:XX...           M; length must match the data */
rsp_parse_fn rsp_parse_mem_bin; /* addr,length:binary          X; length must match the data */
rsp_parse_fn rsp_parse_thread;  /* [suffix]                    g QSaveRegisterState */
rsp_parse_fn rsp_parse_reg;     /* n[suffix]                   p qRegisterInfo */
rsp_parse_fn rsp_parse_reg_set; /* n=XX...[suffix]             P */
rsp_parse_fn rsp_parse_regs;    /* XX...[suffix]               G */
rsp_parse_fn rsp_parse_restore; /* decimal id[suffix]          QRestoreRegisterState: */
rsp_parse_fn rsp_parse_H;       /* op thread-id                H: op is c or g */
rsp_parse_fn rsp_parse_tid;     /* thread-id                   T qThreadExtraInfo, qThreadStopInfo */
rsp_parse_fn rsp_parse_run;     /* [addr]                      c s */
rsp_parse_fn rsp_parse_run_sig; /* sig[;addr]                  C S */
rsp_parse_fn rsp_parse_vcont;   /* ;action[:tid]... after "vCont" */
rsp_parse_fn rsp_parse_bp;      /* type,addr,kind[;Xlen,expr...]...[;cmds:persist,Xlen,expr...]  Z z */
rsp_parse_fn rsp_parse_xfer;    /* annex:offset,length         qXfer:object:read: */
rsp_parse_fn rsp_parse_search;  /* address;length;binary       qSearch:memory: */
rsp_parse_fn rsp_parse_rcmd;    /* hex text                    qRcmd, */
rsp_parse_fn rsp_parse_num;     /* one hex number              vAttach; vKill; R Qqemu.PhyMemMode: qMemoryRegionInfo: */

/** rsp_tid_take() - take a thread-id (-1, 0 or hex, also the multiprocess form pPID.TID) from @c. */
struct rsp_tid rsp_tid_take(struct cur *c);

#endif
